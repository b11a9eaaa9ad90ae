"""docs/keras.md: its program runs, and prints what is written in it."""

import contextlib
import io
import os
import pathlib
import re

import pytest

DOC = pathlib.Path(__file__).parents[2] / "docs" / "keras.md"
PRINTS = re.compile(r"^ *print\(.*\) *# (.*)$", re.MULTILINE)


def blocks():
    return re.findall(r"^```python\n(.*?)^```$", DOC.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not DOC.is_file(), reason="not run from a checkout")
def test_the_program_of_the_guide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, wanted = {"__name__": "guide"}, 0
    for block in blocks():
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block, "keras.md", "exec"), names)
        assert out.getvalue().splitlines() == PRINTS.findall(block)
        wanted += len(PRINTS.findall(block))
    assert wanted >= 10
    assert {"m.keras", "best.keras", "log.csv", "events"} <= set(os.listdir())


@pytest.mark.skipif(not DOC.is_file(), reason="not run from a checkout")
def test_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", DOC.read_text(encoding="utf-8"))
    assert len(links) >= 4 and all((DOC.parent / link).exists() for link in links)
