"""``gradtape run NOTEBOOK``: what is printed, what is saved, what is refused."""

import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile

import nbformat
import pytest

import gradtape
from gradtape.cli.notebook import check_writable, read_notebook
from gradtape.cli.notebook import write_notebook as write_file
from gradtape.cli.problems import Refusal


def outputs_of(path):
    """The outputs of each code cell of a saved notebook, which must be valid."""
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor >= 5) == (4, True)
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def test_cells_share_names_and_print_as_a_notebook_shows(run, write_notebook):
    path = write_notebook(
        "import tensorflow as tf\nprint(tf.__version__)",
        {"cell_type": "markdown", "source": ["# not code\n", "1/0"], "metadata": {}},
        "",
        "x = [1]\nx",
        "'quiet';",
        "'a # b' ; # a comment",
        "None",
        "if x:\n    'not shown'",
        "x * 2  # shown",
    )
    process = run(path)
    assert (process.stdout, process.stderr, process.returncode) == ("stand-in\n[1]\n[1, 1]\n", "", 0)


def test_saved_notebook(run, write_notebook, home):
    path = write_notebook(
        {"cell_type": "markdown", "source": "# kept", "metadata": {"tags": ["x"]}},
        "import sys\nprint('out')\nprint('more out')\nprint('err', file=sys.stderr)\n"
        "print('out again', end='')\n'value'",
        {"cell_type": "raw", "source": "raw", "metadata": {}},
        "   \n",
        "class Rich:\n    def _repr_html_(self): return '<b>rich</b>'\n"
        "    def __repr__(self): return 'plain'\nRich()",
        "display(Rich(), 1)",
        "print('\\r10%', end='')\nprint('\\r100%')",
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}, "custom": 1},
    )  # fmt: skip
    before = path.read_text()
    process = run(path, "--save", "out.ipynb")
    assert process.returncode == 0, process.stderr
    assert path.read_text() == before
    notebook = json.loads((home / "out.ipynb").read_text())
    assert notebook["metadata"]["custom"] == 1 and notebook["metadata"]["language_info"]["name"] == "python"
    cells = notebook["cells"]
    assert [cell.get("execution_count") for cell in cells] == [None, 1, None, None, 2, 3, 4]
    assert cells[0]["source"] == ["# kept"] and cells[0]["metadata"] == {"tags": ["x"]}
    first, empty, rich, shown, progress = outputs_of(home / "out.ipynb")
    assert first == [
        {"output_type": "stream", "name": "stdout", "text": "out\nmore out\n"},
        {"output_type": "stream", "name": "stderr", "text": "err\n"},
        {"output_type": "stream", "name": "stdout", "text": "out again"},
        {
            "output_type": "execute_result",
            "execution_count": 1,
            "data": {"text/plain": "'value'"},
            "metadata": {},
        },
    ]
    assert empty == []
    assert rich[0]["data"] == {"text/plain": "plain", "text/html": "<b>rich</b>"}
    assert [(o["output_type"], o["data"]["text/plain"]) for o in shown] == [
        ("display_data", "plain"), ("display_data", "1"),
    ]  # fmt: skip
    assert progress == [{"output_type": "stream", "name": "stdout", "text": "100%\n"}]
    # running what was saved, onto itself
    again = run("out.ipynb", "--save", "out.ipynb")
    assert again.stdout == process.stdout
    assert outputs_of(home / "out.ipynb") == [first, empty, rich, shown, progress]
    assert [cell["id"] for cell in json.loads((home / "out.ipynb").read_text())["cells"]] == [c["id"] for c in cells]


def test_output_appears_while_the_cell_runs(library, home, write_notebook):
    path = write_notebook("print('now')\nimport pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(.01)")
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(pathlib.Path(gradtape.__file__).parents[1]), str(library)])}
    process = subprocess.Popen(
        [sys.executable, "-m", "gradtape", "run", "--as", "standin", path],
        cwd=home,
        env=env,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == b"now\n"
        (home / "go").touch()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.stdout.close()


def test_an_error_stops_the_run_and_shows_only_the_users_lines(run, write_notebook, home):
    path = write_notebook("def f(x):\n    return 1 / x", "print('before')\nf(0)", "print('not run')")
    process = run(path, "--save", "out.ipynb")
    assert process.returncode == 1 and process.stdout == "before\n"
    lines = process.stderr.splitlines()
    assert lines[:3] == [
        "Traceback (most recent call last):",
        '  File "<book.ipynb, cell 2>", line 2, in <module>',
        "    f(0)",
    ]
    assert '  File "<book.ipynb, cell 1>", line 2, in f' in lines and "    return 1 / x" in lines
    assert lines[-2:] == ["ZeroDivisionError: division by zero", "gradtape run: stopped in cell 2 of 3"]
    assert "gradtape/" not in process.stderr
    first, second, third = outputs_of(home / "out.ipynb")
    assert (first, third) == ([], [])
    assert second[1]["ename"] == "ZeroDivisionError" and second[1]["evalue"] == "division by zero"
    assert second[1]["traceback"] == lines[:-1]
    assert "gradtape" in run("--full-traceback", path).stderr.split("cell 2")[0]


def test_gradtapes_own_frames_are_left_out_also_from_causes(gradtape_command, write_notebook):
    path = write_notebook("from gradtape.cli.problems import read_program\nread_program('absent')")
    process = gradtape_command("run", path)
    assert process.returncode == 1
    assert process.stderr.count("Traceback") == 1 and "problems.py" not in process.stderr
    assert "Refusal: there is no file absent" in process.stderr


def test_keep_going_and_tagged_cells(run, write_notebook, home):
    tagged = {"cell_type": "code", "source": "1/0", "metadata": {"tags": ["raises-exception"]}, "outputs": []}
    path = write_notebook("1/0", "print('second')", "{}['x']", "'last'")
    process = run(path, "--keep-going", "--save", "out.ipynb")
    assert (process.returncode, process.stdout) == (1, "second\n'last'\n")
    assert "ZeroDivisionError" in process.stderr and "KeyError: 'x'" in process.stderr
    assert [[o["output_type"] for o in cell] for cell in outputs_of(home / "out.ipynb")] == [
        ["error"], ["stream"], ["error"], ["execute_result"],
    ]  # fmt: skip
    process = run(write_notebook(tagged, "print('went on')"))
    assert (process.returncode, process.stdout) == (0, "went on\n")


def test_a_syntax_error_is_placed_in_the_users_cell(run, write_notebook):
    process = run(write_notebook("x = 1", "y = (\nz = = 3"))
    assert process.returncode == 1 and '"<book.ipynb, cell 2>", line' in process.stderr
    assert "gradtape/" not in process.stderr and process.stderr.count("Traceback") == 0


@pytest.mark.parametrize(
    ("end", "status", "stderr"),
    [("raise SystemExit", 0, ""), ("exit(5)", 5, ""), ("import sys; sys.exit('why')", 1, "why\n")],
)
def test_a_cell_can_end_the_run(run, write_notebook, home, end, status, stderr):
    process = run(write_notebook("print('kept')", end, "print('not run')"), "--save", "out.ipynb")
    assert (process.returncode, process.stdout, process.stderr) == (status, "kept\n", stderr)
    assert len(outputs_of(home / "out.ipynb")[0]) == 1


def test_an_interrupt_saves_what_there_is(run, write_notebook, home):
    process = run(write_notebook("print('kept')", "raise KeyboardInterrupt"), "--keep-going", "--save", "out.ipynb")
    assert process.returncode == 130
    assert outputs_of(home / "out.ipynb")[1][0]["ename"] == "KeyboardInterrupt"


def test_the_notebook_runs_in_its_own_folder_with_its_own_modules(run, home, write_notebook):
    (home / "sub").mkdir()
    (home / "sub" / "beside.py").write_text("import tensorflow as tf\nversion = tf.__version__")
    (home / "sub" / "data.txt").write_text("data")
    write_notebook(
        "import sys, pickle, inspect, beside, uses_tensorflow\n"
        "print(beside.version, uses_tensorflow.version, open('data.txt').read())",
        "class Point:\n    pass\nprint(type(pickle.loads(pickle.dumps(Point()))) is Point, __name__)",
        "def f():  # source\n    return 1\nprint(inspect.getsource(f), sys.argv[1:])",
        name="sub/book.ipynb",
    )
    process = run("sub/book.ipynb", "a", "--rate", "1", "--save", "out.ipynb")
    assert process.stdout == (
        "stand-in the real one data\nTrue __main__\ndef f():  # source\n    return 1\n ['a', '--rate', '1']\n"
    ), process.stderr
    assert (home / "out.ipynb").exists() and not (home / "sub" / "out.ipynb").exists()


def test_warnings_show_the_cells_line(run, write_notebook):
    process = run(write_notebook("x = 1", "import warnings\n\nwarnings.warn('look')"))
    assert process.stderr == "<book.ipynb, cell 2>:3: UserWarning: look\n  warnings.warn('look')\n"


def test_figures_are_saved_where_they_are_shown(run, write_notebook, home):
    path = write_notebook(
        "%matplotlib inline\nimport matplotlib.pyplot as plt",
        "plt.plot([1, 2])\nprint('first')\nplt.show()\nprint('then')\nplt.plot([2, 1]);",
        "plt.figure()\nprint(len(plt.get_fignums()))",
        "fig, axis = plt.subplots()\nplt.close(fig)\ndisplay(fig)",
    )
    process = run(path, "--save", "out.ipynb")
    assert process.returncode == 0 and process.stderr == ""
    shown = "<Figure size 640x480 with 1 Axes>\n"
    assert process.stdout == f"first\n{shown}then\n{shown}1\n{shown}"
    _, second, third, fourth = outputs_of(home / "out.ipynb")
    assert [o["output_type"] for o in second] == ["stream", "display_data", "stream", "display_data"]
    assert all(o["data"]["image/png"].startswith("iVBORw0KGgo") for o in (second[1], second[3], fourth[0]))
    assert [o["output_type"] for o in third] == ["stream"]


def test_a_figure_that_cannot_be_drawn_fails_its_cell_alone(run, write_notebook):
    path = write_notebook("import matplotlib.pyplot as plt\nplt.title('$\\\\nonsense$');", "print('went on')")
    process = run(path, "--keep-going", "--save", "out.ipynb")
    assert (process.returncode, process.stdout.splitlines()[-1]) == (1, "went on")
    assert process.stderr.count("Traceback") >= 1 and "nonsense" in process.stderr


def test_pandas_tables_keep_their_html(run, write_notebook, home):
    pytest.importorskip("pandas")
    run(write_notebook("import pandas as pd\npd.DataFrame({'a': [1]})"), "--save", "out.ipynb")
    data = outputs_of(home / "out.ipynb")[0][0]["data"]
    assert "<table" in data["text/html"] and "a" in data["text/plain"]


NOT_NOTEBOOKS = {
    "empty": (b"", "not JSON at line 1, column 1"),
    "text": (b"print(1)", "not JSON"),
    "cut off": (b'{"cells": [', "not JSON"),
    "binary": (b"\xff\xfe\x00", "not text in UTF-8"),
    "deep": (b"[" * 200_000, "its JSON cannot be read"),
    "number": (b"[" + b"1" * 5000 + b"]", "its JSON cannot be read"),
    "list": (b"[]", "its JSON is a list"),
    "no format": (b"{}", "nbformat is 'missing', 4 is wanted"),
    "format 3": (b'{"nbformat": 3, "worksheets": []}', "convert it with `jupyter nbconvert"),
    "no cells": (b'{"nbformat": 4}', "no list of cells"),
    "metadata": (b'{"nbformat": 4, "metadata": [], "cells": []}', "metadata is not an object"),
    "cell": (b'{"nbformat": 4, "cells": [1]}', "cells[0] is not a code, markdown or raw"),
    "type": (b'{"nbformat": 4, "cells": [{"cell_type": "poem"}]}', "cells[0] is not a code, markdown or raw"),
    "source": (b'{"nbformat": 4, "cells": [{"cell_type": "code"}]}', "cells[0] has no source text"),
    "sources": (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": [1]}]}', "[0] has no source"),
    "julia": (
        b'{"nbformat": 4, "metadata": {"kernelspec": {"language": "julia"}}, "cells": []}',
        "for julia, not Python",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_NOTEBOOKS)
def test_what_is_no_notebook_is_refused_in_one_line(tmp_path, case):
    content, words = NOT_NOTEBOOKS[case]
    path = tmp_path / "book.ipynb"
    path.write_bytes(content)
    with pytest.raises(Refusal, match=r"book\.ipynb is not a notebook") as refusal:
        read_notebook(str(path))
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


def test_refusals_come_before_anything_is_run(run, write_notebook, home):
    path = write_notebook("open('ran', 'w')")
    (home / "folder").mkdir()
    (home / "file").touch()
    cases = [
        ((home / "absent.ipynb",), "there is no file"),
        ((home / "folder.ipynb",), "is a directory"),
        ((path, "--save", "folder"), "cannot write folder: it is a directory"),
        ((path, "--save", "absent/out.ipynb"), "cannot write absent/out.ipynb: there is no directory"),
        ((path, "--save", "file/out.ipynb"), "cannot write file/out.ipynb: there is no directory"),
        ((path, "--save", "/dev/null"), "cannot write /dev/null: it is not a regular file"),
        ((path, "--save", "x" * 300), "cannot write xxx"),
    ]
    (home / "folder.ipynb").mkdir()
    for arguments, words in cases:
        process = run(*arguments)
        assert (process.returncode, process.stdout) == (2, ""), arguments
        assert words in process.stderr and process.stderr.count("\n") == 1
    assert not (home / "ran").exists()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write to, root included")
def test_a_folder_that_cannot_be_written_to_is_refused():
    with pytest.raises(Refusal, match=r"cannot write /proc/out\.ipynb: "):
        check_writable("/proc/out.ipynb")


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_read_only_files_and_folders_are_refused():
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, whose parents only the owner may enter
        book, new = os.path.join(folder, "book.ipynb"), os.path.join(folder, "new.ipynb")
        pathlib.Path(book).touch()
        os.chmod(book, 0o444)
        os.chmod(folder, 0o777)
        user = os.geteuid()
        if user == 0:  # root may write everywhere
            os.seteuid(65534)
        try:
            assert check_writable(new) == os.path.realpath(new)
            with pytest.raises(Refusal, match=r"book\.ipynb: Permission denied"):
                check_writable(book)
        finally:
            os.seteuid(user)
        os.chmod(folder, 0o555)
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(Refusal, match=r"new\.ipynb: Permission denied"):
                check_writable(new)
        finally:
            os.seteuid(user)
            os.chmod(folder, 0o777)


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    target = tmp_path / "book.ipynb"
    target.write_text("before")
    target.chmod(0o640)
    link = tmp_path / "link.ipynb"
    link.symlink_to(target)

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_file(check_writable(str(link)), {"cells": []})
    assert target.read_text() == "before" and sorted(os.listdir(tmp_path)) == ["book.ipynb", "link.ipynb"]
    write_file(check_writable(str(link)), {"cells": ["\ud800 ü"]})
    assert json.loads(target.read_text(encoding="utf-8")) == {"cells": ["? ü"]}
    assert link.is_symlink() and stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["book.ipynb", "link.ipynb"]


def test_a_failed_save_is_said_after_the_run(run, write_notebook, home):
    (home / "later").mkdir()
    process = run(write_notebook("import os\nos.rmdir('later')\nprint('ran')"), "--save", "later/out.ipynb")
    assert (process.returncode, process.stdout) == (1, "ran\n")
    assert "could not write later/out.ipynb: No such file or directory" in process.stderr
