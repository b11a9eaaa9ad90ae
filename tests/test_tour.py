"""The notebooks in ``examples/``: they run from first to last cell, and print what is written in them."""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

import gradtape

SOURCES = pathlib.Path(gradtape.__file__).parents[1]
EXAMPLES = SOURCES.parent / "examples"
BOOKS = sorted(EXAMPLES.glob("*.ipynb"))
NEEDS = {"keras": "keras", "matplotlib": "matplotlib"}  # tag of a cell -> the module without which it is left out
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="not run from a checkout")


def tags(cell):
    return cell["metadata"].get("tags", [])


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text(cell):
    """What a cell printed or showed as text."""
    parts = []
    for output in cell["outputs"]:
        given = output["text"] if output["output_type"] == "stream" else output["data"]["text/plain"]
        parts.append(given if isinstance(given, str) else "".join(given))
    return "".join(parts)


def same(got, want):
    """Texts with the same words and numbers, but for the last digits of these, which differ between processors."""
    words = ["".join(NUMBER.sub("#", t).split()) for t in (got, want)]
    if words[0] != words[1]:
        return False
    pairs = zip(map(float, NUMBER.findall(got)), map(float, NUMBER.findall(want)), strict=True)
    return all(abs(a - b) <= 1e-5 * max(abs(a), abs(b)) + 1e-6 for a, b in pairs)


def test_the_comparison_of_texts_can_fail():
    assert same("x = 1.0000001; y: [ 2. -3.]", "x = 1.0;  y: [2. -3.]")
    assert not same("x = 1.001", "x = 1.0") and not same("None", "0.0") and not same("a 1.0", "b 1.0")


def test_there_are_five():
    assert [book.name[:2] for book in BOOKS] == ["1_", "2_", "3_", "4_", "5_"]


@pytest.mark.parametrize("book", BOOKS, ids=[book.stem for book in BOOKS])
def test_they_hold_their_outputs_and_no_traces_of_a_machine(book):
    notebook = json.loads(book.read_text())
    cells = code(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(o["output_type"] != "error" for cell in cells for o in cell["outputs"])
    assert sum(bool(cell["outputs"]) for cell in cells) >= len(cells) / 2
    for cell in cells:
        if "matplotlib" in tags(cell):
            assert any("image/png" in o.get("data", {}) for o in cell["outputs"])
        assert set(tags(cell)) <= {*NEEDS, "varies"}
    visible = "".join("".join(c["source"]) for c in notebook["cells"]) + "".join(map(text, cells))
    assert not re.search(r"(^|[\s\"'(])/\w+/\w+|site-packages|[A-Z]:\\", visible)
    assert notebook["metadata"]["language_info"] == {"name": "python"}  # no version, which is the machine's
    links = re.findall(r"\]\((\w+\.ipynb)\)", visible)
    assert all((EXAMPLES / link).is_file() for link in links)


@pytest.mark.parametrize("book", BOOKS, ids=[book.stem for book in BOOKS])
def test_they_run_and_print_what_is_written_in_them(book, tmp_path):
    notebook = json.loads(book.read_text())
    missing = {tag for tag, module in NEEDS.items() if importlib.util.find_spec(module) is None}
    notebook["cells"] = [cell for cell in notebook["cells"] if not missing.intersection(tags(cell))]
    path, out = tmp_path / book.name, tmp_path / "out.ipynb"
    path.write_text(json.dumps(notebook))
    done = subprocess.run(
        [sys.executable, "-m", "gradtape", "run", str(path), "--save", str(out)],
        env=os.environ | {"PYTHONPATH": str(SOURCES), "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for before, after in zip(code(notebook), code(json.loads(out.read_text())), strict=True):
        source = "".join(before["source"])
        assert after["execution_count"], source
        if missing:  # the numbers of cells, which stand in the names of their lines, are others
            continue
        if "varies" not in tags(before):
            assert same(text(after), text(before)), (
                f"{source}\n--- printed\n{text(after)}\n--- instead of\n{text(before)}"
            )
