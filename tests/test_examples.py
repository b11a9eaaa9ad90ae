"""The programs in ``examples/``, in short form: they learn, say what they did, and draw it."""

import importlib.util
import math
import pathlib
import re

import pytest

import gradtape

EXAMPLES = pathlib.Path(gradtape.__file__).parents[2] / "examples"

pytestmark = [
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason="not run from a checkout"),
    pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed"),
]
pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")


def program(name):
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_a_picture(path):
    return path.read_bytes().startswith(b"\x89PNG\r\n")


def test_digits(tmp_path, capsys):
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    accuracy = program("digits").main(["--epochs", "3", "--picture", str(tmp_path / "digits.png")])
    printed = capsys.readouterr().out
    assert accuracy > 0.9  # the most frequent digit stands in a tenth of the images
    assert "Epoch 3/3" in printed and f"Of 360 test images {accuracy:.1%} are read correctly" in printed
    assert is_a_picture(tmp_path / "digits.png")


def test_characters(tmp_path, capsys):
    options = ["--epochs", "4", "--units", "48", "--length", "40", "--picture", str(tmp_path / "characters.png")]
    text = str(EXAMPLES.parent / "README.md")
    bits = program("characters").main([*options, "--batch-size", "8", text])
    printed = capsys.readouterr().out
    assert bits["network"] < bits["counts of characters"] < math.log(60)
    assert "Epoch 4/4" in printed and "The network writes:" in printed and len(printed.split(" ⟶ ")[1]) > 400
    assert re.search(r"network +\d\.\d{3}", printed)
    assert is_a_picture(tmp_path / "characters.png")


def test_by_default_the_text_is_the_documentation():
    characters = program("characters")
    text = characters.load_text([])
    assert "# gradtape" in text and len(text) > 50_000
    assert min(text.count(c) for c in set(text)) >= 10


def test_the_tables_of_counts():
    import numpy as np

    characters = program("characters")
    turns = np.tile([0, 1], 500)
    single, pairs = characters.by_counts(turns, turns, 2)
    assert single == pytest.approx(math.log(2), rel=1e-2) and pairs < 0.01
    x, y = characters.windows(np.arange(10), 3)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]] and y.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


@pytest.mark.parametrize(
    "name,arguments,message",
    [
        ("digits", ["--picture", "no/such/folder/x.png"], "there is no folder for the picture"),
        ("characters", ["--picture", "no/such/folder/x.png"], "there is no folder for the picture"),
        ("digits", ["--epochs", "many"], "invalid int value: 'many'"),
    ],
)
def test_wrong_arguments(name, arguments, message, capsys):
    with pytest.raises(SystemExit):
        program(name).main(arguments)
    assert message in capsys.readouterr().err


def test_a_text_that_is_too_short(tmp_path, capsys):
    (tmp_path / "short.txt").write_text("abc" * 20)
    with pytest.raises(SystemExit):
        program("characters").main([str(tmp_path / "short.txt"), "--picture", str(tmp_path / "x.png")])
    assert "the text has 60 characters, and 1280 are needed" in capsys.readouterr().err
