"""docs/explaining.md names every cause, and what its examples print is what they print."""

import linecache
import pathlib
import re

import pytest

import gradtape as tf
from gradtape.explain.causes import CAUSES

DOC = pathlib.Path(__file__).parents[2] / "docs" / "explaining.md"
if not DOC.is_file():
    pytest.skip("not run from a checkout", allow_module_level=True)


def test_every_cause_is_documented():
    table = DOC.read_text(encoding="utf-8").partition("The causes:")[2].partition("Inside a `tf.function`")[0]
    cells = [line.split("|")[2] for line in table.splitlines() if line.startswith("|")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(CAUSES)


def blocks():
    found = re.findall(r"```(\w*)\n(.*?)```", DOC.read_text(encoding="utf-8"), re.S)
    return [(language, text) for language, text in found]


def test_the_examples_say_what_they_print(capsys, tmp_path, monkeypatch):
    """The examples run one after the other, as a reader would type them; where a plain block follows, it is what was printed."""
    monkeypatch.chdir(tmp_path)
    all_of_them = blocks()
    space = {}
    exec("import gradtape as tf\n@tf.function\ndef my_function(x):\n    return tf.sin(x) * x", space)
    for (language, text), (after, output) in zip(all_of_them, [*all_of_them[1:], ("", "")], strict=True):
        if language != "python":
            continue
        file = tmp_path / "example.py"
        file.write_text(text)

        linecache.clearcache()
        if "my_function" in text:
            pytest.importorskip("matplotlib")
            space["tape"], space["f"] = taped()
        if "on_gradient" in text:
            space["tape"], space["f"] = taped()
        exec(compile(text, "example.py", "exec"), space)
        printed = capsys.readouterr().out
        if after == "" and output and "gradtape view" not in output:
            assert [" ".join(line.split()) for line in printed.splitlines()] == [
                " ".join(line.split()) for line in output.splitlines()
            ]
    assert (tmp_path / "picture.png").is_file()


def taped():
    x = tf.Variable(3.0)
    with tf.debugging.trace_lines(), tf.GradientTape(persistent=True) as tape:
        f = x * x
    return tape, f
