"""Cells in one process: magics, the last value, ``display`` and friends. Whole runs are in test_notebook."""

import ast
import os
import types

import pytest

from gradtape.cli.kernel import Kernel
from gradtape.cli.magics import to_python
from gradtape.cli.notebook import CodeCell


class Cells:
    """A kernel that is fed cell by cell."""

    def __init__(self):
        self.kernel = Kernel("book", types.ModuleType("__main__"), module="gradtape", record=True, full_traceback=False)
        self.number = 0

    def __call__(self, source):
        """Run a cell; return its error and its outputs."""
        self.number += 1
        with self.kernel.listening():
            error = self.kernel.run(self.number, CodeCell(0, source, False))
        return error, self.kernel.take_outputs()

    def text(self, source):
        """Run a cell that must not fail; return all the text that it shows."""
        error, outputs = self(source)
        assert error is None
        return "".join("".join(o["text"]) if "text" in o else o["data"]["text/plain"] + "\n" for o in outputs)


@pytest.fixture
def cells():
    return Cells()


@pytest.mark.parametrize(
    "source",
    [
        "x = '''\n%time\n!ls\n'''",
        "x = (7\n%3)",
        "7 \\\n%3",
        "# %time\n#!ls",
        "async def f():\n    await g()",
        "def broken(:\n    pass",
        "x = 'it''s'\n\x0c\ny = 1",
    ],
)
def test_what_holds_no_magic_is_not_touched(source):
    assert to_python(source) == source


def test_a_magic_looking_line_inside_a_string_stays_beside_a_real_magic():
    source = "%matplotlib inline\nx = '''\n%time y\n'''\n!pip install \\\n  one two\nz = 1"
    lines = to_python(source).split("\n")
    assert lines[1:4] == ["x = '''", "%time y", "'''"]
    assert lines[4:] == ["get_ipython().system('pip install one two')", "", "z = 1"]


@pytest.mark.parametrize(
    ("source", "python"),
    [
        ("%time x = 1", "x = 1"),
        ("%timeit -n 10 -r3 f(x)", "f(x);"),
        ("y = %time 3", "y = 3"),
        ("if 1:\n    %time x", "if 1:\n    x"),
        ("%%time\nx", "\nx"),
        ("\n%%timeit -n 3 a = 1\na", "\na = 1\na"),
        ("%%capture out\nx", "\nx"),
        ("%matplotlib inline", "get_ipython().run_line_magic('matplotlib', 'inline')"),
        ("x = !ls -l", "x = get_ipython().getoutput('!ls -l')"),
        ("!echo it's (", """get_ipython().system("echo it's (")"""),
        ("x.shape?", "pass"),
        ("for i in y:\n    ?x", "for i in y:\n    pass"),
        ("%%bash\nls\n", "get_ipython().run_cell_magic('bash', '', 'ls\\n')"),
    ],
)
def test_magics_become_python_line_for_line(source, python):
    assert to_python(source) == python
    ast.parse(python)


def test_set_up_is_silent_and_the_rest_is_said(cells, capsys):
    assert cells.text("%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n%tensorflow_version 2.x\n1") == "1\n"
    said = cells.text("import sys\nif 'x' not in globals():\n    !pip install x\n%pip install y\n'on'")
    assert said == (
        "gradtape run: not carried out: !pip install x\ngradtape run: not carried out: %pip install y\n'on'\n"
    )
    assert "not carried out: !pip" in capsys.readouterr().err
    assert cells.text("%%bash\nls") == "gradtape run: not carried out: %%bash\n"
    assert cells.text("'google.colab' in str(get_ipython())") == "False\n"
    assert cells.text("get_ipython().run_line_magic('matplotlib', 'inline')") == ""


@pytest.mark.parametrize("source", ["%run other.py", "%cd ..", "%%writefile x.py\nx = 1", "files = !ls", "x = %pwd"])
def test_magics_that_matter_to_what_follows_are_errors(cells, source):
    error, outputs = cells("y = 1\n" + source if not source.startswith("%%") else source)
    assert type(error).__name__ == "UsageError"
    assert outputs[-1]["output_type"] == "error"
    traceback = "\n".join(outputs[-1]["traceback"])
    assert source.split("\n")[0] in traceback and "magics.py" not in traceback


def test_time_runs_its_body(cells):
    assert cells.text("%%time\nx = 2\nx + 1") == "3\n"
    assert cells.text("%timeit x") == ""
    assert cells.text("%time x * 5") == "10\n"


def test_environment_variables_are_set(cells, monkeypatch):
    monkeypatch.setenv("GRADTAPE_TEST", "before")
    cells.text("%env GRADTAPE_TEST=after it")
    assert os.environ["GRADTAPE_TEST"] == "after it"


def test_last_value_is_kept_as_underscore_unless_the_name_is_used(cells):
    cells.text("5")
    assert cells.text("_ + 1") == "6\n"
    assert cells.text("for _ in range(3): pass") == ""
    assert cells.text("9") == "9\n"
    assert cells.text("_, Out[1], Out[4]") == "(2, 5, 9)\n"


def test_future_imports_hold_for_later_cells(cells):
    cells.text("from __future__ import annotations")
    assert cells.text("def f(x: no_such_name): pass\nf.__annotations__") == "{'x': 'no_such_name'}\n"


def test_errors_in_reprs_are_the_cells(cells, capsys):
    error, _ = cells("class Bad:\n    def __repr__(self): raise ValueError('no repr')\nBad()")
    assert isinstance(error, ValueError)
    assert cells.text("class Half:\n    def _repr_html_(self): raise ValueError('no html')\nHalf();") == ""
    error, outputs = cells("Half()")
    assert error is None and set(outputs[-1]["data"]) == {"text/plain"}
    assert "Half._repr_html_ failed" in capsys.readouterr().err
    error, outputs = cells("class E(Exception):\n    def __str__(self): raise ValueError\nraise E")
    assert type(error).__name__ == "E" and outputs[-1]["evalue"] == ""


def test_causes_are_shown(cells):
    _, outputs = cells("try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e")
    text = "\n".join(outputs[0]["traceback"])
    assert "ZeroDivisionError" in text and "direct cause" in text and "KeyError: 'k'" in text


def test_streams_that_the_cell_replaces_are_its_own(cells):
    shown = cells.text(
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()) as s:\n    print('in')\n    display(1)\n"
        "print('got', repr(s.getvalue()))"
    )
    assert shown == "got 'in\\n1\\n'\n"
