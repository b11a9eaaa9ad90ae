"""The tool that runs Keras's own tests: its list of known failures, its reading of pytest's reports, its exit status."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent

PAGE = """# Tests

| folder | passed |
|---|---:|
| ops | 3 |

## Known failures

Why is said beside each.

| test | reason |
|---|---|
| `layers.core.dense_test.DenseTest::test_one` | names \\| the backends |

Whole files:

| test | reason |
|:--|:--|
| `export.onnx_test*` | not supported |
| `ops.numpy_test.T::test_many_*` | some of them |

### More

| test | reason |
|---|---|
| `random.random_test.R::test_two[a-(1, 2)]` | brackets are no pattern |

## Another section

| test | reason |
|---|---|
| `not.of.the.list` | no |
"""

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="1" tests="5">
<testcase classname="keras.src.layers.core.dense_test.DenseTest" name="test_one"><failure message="AssertionError: 1 != 2
more">text</failure></testcase>
<testcase classname="keras.src.layers.core.dense_test.DenseTest" name="test_two"><failure message="no">text</failure></testcase>
<testcase classname="keras.src.layers.core.dense_test.DenseTest" name="test_three" />
<testcase classname="keras.src.layers.core.dense_test.DenseTest" name="test_four"><skipped message="not here" /></testcase>
<testcase classname="" name="keras.src.export.onnx_test"><error message="collection failure">in it:
E   ModuleNotFoundError: No module named 'x'</error></testcase>
</testsuite></testsuites>
"""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("keras_tests", ROOT / "tools" / "keras_tests.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_is_that_of_the_section(tool):
    listed = tool.listed_failures(PAGE)
    assert listed == {
        "layers.core.dense_test.DenseTest::test_one": "names \\| the backends",
        "export.onnx_test*": "not supported",
        "ops.numpy_test.T::test_many_*": "some of them",
        "random.random_test.R::test_two[a-(1, 2)]": "brackets are no pattern",
    }


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("layers.core.dense_test.DenseTest::test_one", "layers.core.dense_test.DenseTest::test_one"),
        ("layers.core.dense_test.DenseTest::test_one_more", None),
        ("layersXcore.dense_test.DenseTest::test_one", None),
        ("export.onnx_test", "export.onnx_test*"),
        ("export.onnx_test.T::test_any", "export.onnx_test*"),
        ("ops.numpy_test.T::test_many_7", "ops.numpy_test.T::test_many_*"),
        ("ops.numpy_test.T::test_few", None),
        ("random.random_test.R::test_two[a-(1, 2)]", "random.random_test.R::test_two[a-(1, 2)]"),
        ("random.random_test.R::test_twoa", None),
        ("test_one", None),
    ],
)
def test_a_name_is_listed_whole_or_by_a_star(tool, name, entry):
    assert tool.entry(name, tool.listed_failures(PAGE)) == entry


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("| `export.onnx_test*` | again |", "listed twice"),
        ("| `a.b` | |", "a reason"),
        ("| a.b | why |", "a test's name in backquotes"),
    ],
)
def test_a_list_with_faults_is_refused(tool, row, message):
    page = PAGE.replace("\n## Another", f"\n| test | reason |\n|---|---|\n{row}\n\n## Another")
    with pytest.raises(ValueError, match=message):
        tool.listed_failures(page)
    with pytest.raises(ValueError, match="no heading"):
        tool.listed_failures(page.replace("## Known failures", "## Failures"))


def test_a_report_is_counted(tool, tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(REPORT, encoding="utf-8")
    found = tool.read("layers", report, 1.0)
    assert (found.passed, found.skipped) == (1, {"not here": 1})
    one = "layers.core.dense_test.DenseTest::test_one"
    assert found.failed == {one: "AssertionError: 1 != 2 more", one.replace("one", "two"): "no"}
    assert found.errors == {"export.onnx_test": "ModuleNotFoundError: No module named 'x'"}
    assert "| layers | 1 | 2 | 1 | 1 | 1 |" in tool.table([found])


def test_the_status_tells_of_failures_that_are_not_listed(tool, tmp_path, monkeypatch, capsys):
    report, page = tmp_path / "report.xml", tmp_path / "page.md"
    report.write_text(REPORT, encoding="utf-8")
    page.write_text(PAGE, encoding="utf-8")
    (tmp_path / "keras" / "src").mkdir(parents=True)
    monkeypatch.setattr(tool, "LISTED", page)
    monkeypatch.setattr(tool, "NEEDED", [])
    monkeypatch.setattr(tool, "run", lambda src, folder, *_: tool.read(folder, report, 1.0))
    monkeypatch.setattr(sys, "argv", ["keras_tests.py", str(tmp_path), "layers"])
    assert tool.main() == 1
    out = capsys.readouterr().out
    assert "listed layers.core.dense_test.DenseTest::test_one:" in out
    assert "NEW    layers.core.dense_test.DenseTest::test_two: no" in out
    page.write_text(PAGE.replace("::test_one`", "::test_*`"), encoding="utf-8")
    assert tool.main() == 0


def test_the_documentation_has_a_list(tool):
    assert tool.listed_failures(tool.LISTED.read_text(encoding="utf-8"))
