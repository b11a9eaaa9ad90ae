"""``gradtape view FILE``: a program's gradient as a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from gradtape.config import run_functions_eagerly
from gradtape.core.state import state
from gradtape.explain import places
from gradtape.explain.account import account_from, quiet, unheard
from gradtape.explain.journal import disable_explanations, enable_explanations, observer
from gradtape.explain.picture import Picture
from gradtape.gradient import driver
from gradtape.gradient.tape import GradientTape
from gradtape.ground.errors import user_python_frame
from gradtape.primitives.indexing import IndexedSlices

from .problems import Refusal


def written(picture: Picture, out: str) -> str:
    """The picture in a file of the kind that its name says: the page, or the graph as SVG or PNG.

    Raises:
        Refusal: the name says another kind, or matplotlib is missing, which PNG takes.
    """
    kind = os.path.splitext(out)[1].lower()
    write: Any = {".html": picture.save, ".htm": picture.save, ".svg": picture.svg, ".png": picture.png}.get(kind)
    if write is None:
        raise Refusal(f"{out}: the picture is written as .html (the page), .svg or .png")
    try:
        write(out)
    except (ModuleNotFoundError, ValueError) as problem:
        raise Refusal(str(problem)) from None
    return out


class Seen(SystemExit):
    """The gradient that was wanted has been taken: the program need not run on."""


def picture_of(file: str, args: Sequence[str], number: int, full_traceback: bool = False) -> Picture:
    """Run a program up to its ``number``-th outermost gradient, and draw that.

    Raises:
        Refusal: the file cannot be read, the program failed, or it took fewer gradients.
    """
    found: list[Picture] = []
    count = 0

    def listen(records: list, cotangents: dict[int, Any], keep: set[int], reach: set[int] | None, free: bool) -> None:
        nonlocal count
        watching = observer()
        if quiet.on or watching is None or any([isinstance(t, GradientTape) for t in state.tapes]):
            return
        if any([g._special for g in cotangents.values() if not isinstance(g, IndexedSlices)]):
            return  # a Jacobian's
        count += 1
        if count < number:
            return
        journal = watching.journal
        variables = {r.tensor._k: r.variable for r in journal.reads.values() if r.tensor._k}
        names = places.names_in(user_python_frame())
        with unheard():
            account = account_from(list(records), journal, variables, keep, names, True)
            account.backward(dict(cotangents))
            found.append(Picture(account, file.replace("\\", "/").rpartition("/")[2]))
        raise Seen(0)

    run_functions_eagerly(True)
    enable_explanations()
    driver.listener = listen
    status: Any = 0
    try:
        if file.lower().endswith(".ipynb"):
            from .kernel import run_notebook

            status = run_notebook(file, args, full_traceback=full_traceback)
        else:
            from .script import run_script

            status = run_script(file, args, full_traceback=full_traceback)
    except SystemExit as end:
        status = end.code
    finally:
        driver.listener = None
        disable_explanations()
        run_functions_eagerly(False)
    if not found:
        failed = f" It ended with status {status}." if status else ""
        raise Refusal(f"{file} took {count or 'no'} gradient{'s' * (count > 1)}, so there is nothing to draw.{failed}")
    return found[0]
