"""The examples of the guide run."""

import doctest
import pathlib

import pytest

GUIDE = pathlib.Path(__file__).parents[2] / "docs" / "forward-mode.md"


def test_the_examples_of_the_guide():
    if not GUIDE.is_file():
        pytest.skip("not run from a checkout")
    found = doctest.testfile(str(GUIDE), module_relative=False, encoding="utf-8")
    assert found.attempted > 20 and found.failed == 0
