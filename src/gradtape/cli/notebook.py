"""Notebook files, of format 4 (Jupyter's since 2015): read and checked, and written with their outputs."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import stat
import sys
import tempfile
import uuid
from typing import Any, NamedTuple

from .problems import Refusal, read_program, reason

Notebook = dict[str, Any]
Output = dict[str, Any]


class CodeCell(NamedTuple):
    place: int  # among all cells of the notebook
    source: str
    may_raise: bool  # tagged "raises-exception", as nbclient reads it


class Executed(NamedTuple):
    number: int | None  # the n of In [n]; None where the cell was not run
    outputs: list[Output]


def read_notebook(path: str) -> Notebook:
    """The notebook in a file; Refusal when it is unreadable or no Python notebook of format 4."""
    try:
        notebook = json.loads(read_program(path).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise Refusal(
            f"{path} is not a notebook: not JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except UnicodeDecodeError:
        raise Refusal(f"{path} is not a notebook: it is not text in UTF-8") from None
    except (ValueError, RecursionError) as error:  # a number too long, lists too deep
        raise Refusal(f"{path} is not a notebook: its JSON cannot be read: {error}") from None
    problem = _problem(notebook)
    if problem:
        raise Refusal(f"{path} is not a notebook that can be run: {problem}")
    return notebook  # type: ignore[no-any-return]  # a dict, as _problem has just checked


def _problem(notebook: Any) -> str | None:
    """What is wrong with the contents of a notebook file, or None."""
    if not isinstance(notebook, dict):
        return f"its JSON is a {type(notebook).__name__}, not an object with cells"
    if notebook.get("nbformat") != 4:
        was = notebook.get("nbformat", "missing")
        older = was in (1, 2, 3)
        cure = "; convert it with `jupyter nbconvert --to notebook`" if older else ""
        return f"nbformat is {was!r}, 4 is wanted{cure}"
    if not isinstance(notebook.get("cells"), list):
        return "it has no list of cells"
    metadata = notebook.get("metadata", {})
    if not isinstance(metadata, dict):
        return "its metadata is not an object"
    for where, key in (("kernelspec", "language"), ("language_info", "name")):
        language = metadata.get(where, {}).get(key) if isinstance(metadata.get(where, {}), dict) else None
        if isinstance(language, str) and language.lower() not in ("python", "ipython"):
            return f"it is written for {language}, not Python"
    for i, cell in enumerate(notebook["cells"]):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            return f"cells[{i}] is not a code, markdown or raw cell"
        source = cell.get("source")
        if not isinstance(source, str) and not (isinstance(source, list) and all(isinstance(s, str) for s in source)):
            return f"cells[{i}] has no source text"
        if not isinstance(cell.get("metadata", {}), dict):
            return f"the metadata of cells[{i}] is not an object"
    return None


def code_cells(notebook: Notebook) -> list[CodeCell]:
    """The code cells that hold more than white space, in order."""
    cells = []
    for i, cell in enumerate(notebook["cells"]):
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        source = source.replace("\r\n", "\n").replace("\r", "\n")
        if cell["cell_type"] == "code" and source.strip():
            tags = cell.get("metadata", {}).get("tags")
            cells.append(CodeCell(i, source, isinstance(tags, list) and "raises-exception" in tags))
    return cells


def with_outputs(notebook: Notebook, executed: dict[int, Executed]) -> Notebook:
    """A copy of the notebook, valid as nbformat 4.5, with the outputs of this run and no others."""
    new = copy.deepcopy(notebook)
    new["nbformat_minor"] = max(5, new["nbformat_minor"] if isinstance(new.get("nbformat_minor"), int) else 0)
    language = new.setdefault("metadata", {}).setdefault("language_info", {})
    if isinstance(language, dict):
        language.update(name="python", version=".".join(map(str, sys.version_info[:3])))
    ids: set[str] = set()
    for i, cell in enumerate(new["cells"]):
        cell["id"] = _identifier(cell.get("id"), ids)
        cell.setdefault("metadata", {})
        if isinstance(cell["source"], str):
            cell["source"] = cell["source"].splitlines(keepends=True)
        if cell["cell_type"] == "code":
            cell["execution_count"], cell["outputs"] = executed.get(i, Executed(None, []))
    return new


def _identifier(given: Any, taken: set[str]) -> str:
    good = isinstance(given, str) and re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", given) and given not in taken
    name: str = given if good else uuid.uuid4().hex[:8]
    taken.add(name)
    return name


def check_writable(path: str) -> str:
    """Where writing to ``path`` will put the file (links followed); Refusal when it would fail."""
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    try:
        mode = os.stat(target).st_mode
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.isdir(folder):
            raise Refusal(f"cannot write {path}: there is no directory {folder}") from None
    except OSError as error:
        raise Refusal(f"cannot write {path}: {reason(error)}") from None
    else:
        if not stat.S_ISREG(mode):
            raise Refusal(f"cannot write {path}: it is {'a directory' if stat.S_ISDIR(mode) else 'not a regular file'}")
    try:  # a file that is there must itself allow writing, though it is the folder that is written to
        with contextlib.suppress(FileNotFoundError):
            os.close(os.open(target, os.O_WRONLY))
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise Refusal(f"cannot write {path}: {reason(error)}") from None
    return target


def write_notebook(target: str, notebook: Notebook) -> None:
    """Write a notebook whole or not at all: to a new file, which then takes ``target``'s place.

    OSError when that fails; ``target`` is then as it was.
    """
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".gradtape-", suffix=".ipynb")
    try:
        with open(handle, "wb") as file:
            file.write(text.encode("utf-8", "replace"))  # an unpaired surrogate in an output becomes "?"
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _mode(target: str) -> int:
    """The permissions of the file that is replaced, or those that a new file gets."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_IMODE(os.stat(target).st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
