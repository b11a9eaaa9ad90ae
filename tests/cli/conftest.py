"""The command in a process of its own, and files for it to run."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import gradtape

SOURCES = pathlib.Path(gradtape.__file__).parents[1]

# Takes gradtape's place where a test is about running programs and not about tensors.
STANDIN = '''
"""A module that programs get for tensorflow in these tests."""
__version__ = "stand-in"

def boom():
    raise RuntimeError("boom")
'''


@pytest.fixture
def library(tmp_path):
    """A folder on the programs' path, as of installed packages; it holds ``standin`` and a ``tensorflow``."""
    folder = tmp_path / "library"
    (folder / "standin" / "keras").mkdir(parents=True)
    (folder / "standin" / "__init__.py").write_text(STANDIN)
    (folder / "standin" / "keras" / "__init__.py").write_text("")
    (folder / "standin" / "keras" / "backend.py").write_text("name = 'the backend'\n")
    (folder / "tensorflow.py").write_text("__version__ = 'the real one'\n")
    (folder / "uses_tensorflow.py").write_text("import tensorflow\nversion = tensorflow.__version__\n")
    return folder


@pytest.fixture
def home(tmp_path):
    """The folder in which the command runs and the programs lie."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def gradtape_command(library, home):
    """Run ``gradtape ARGS`` and return the finished process, its output as text."""

    def command(*args, **options):
        env = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(SOURCES), str(library)]),
            "PYTHONIOENCODING": "utf-8",
        }
        options.setdefault("cwd", home)
        return subprocess.run(
            [sys.executable, "-m", "gradtape", *map(str, args)],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            **options,
        )

    return command


@pytest.fixture
def run(gradtape_command):
    """Run ``gradtape run ARGS`` with the stand-in in tensorflow's place."""
    return lambda *args, **options: gradtape_command("run", "--as", "standin", *args, **options)


@pytest.fixture
def write_notebook(home):
    """Write a notebook of code cells (or whole cells) into ``home`` and return its path."""

    def write(*cells, name="book.ipynb", **top):
        cells = [
            cell if isinstance(cell, dict) else {"cell_type": "code", "source": cell, "metadata": {}, "outputs": []}
            for cell in cells
        ]
        path = home / name
        path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells} | top))
        return path

    return write
