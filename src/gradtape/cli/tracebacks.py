"""Tracebacks that show the user's own lines: gradtape's frames, and what gradtape called, are left out."""

from __future__ import annotations

import traceback
from collections.abc import Iterable

from .redirect import PACKAGE, is_library


def formatted(error: BaseException, full: bool = False) -> list[str]:
    """The lines of an error's traceback, causes and contexts included, as Python would print them.

    With ``full`` all frames are shown; without, those of gradtape and of libraries that gradtape called are
    not.
    """
    summary = traceback.TracebackException.from_exception(error, compact=True)
    # Where not one line is the user's, the fault is in the command itself: then everything is shown.
    if not full and (_users(summary.stack) or isinstance(error, SyntaxError)):
        _shorten(summary)
    return list(summary.format())


def _users(frames: Iterable[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    kept = []
    below_ours = False
    for frame in frames:
        if frame.filename.startswith(PACKAGE):
            below_ours = True
        elif frame.filename.startswith("<frozen importlib"):
            continue
        elif not below_ours or not is_library(frame.filename):
            below_ours = False
            kept.append(frame)
    return kept


def _shorten(summary: traceback.TracebackException) -> None:
    todo = [summary]
    while todo:
        each = todo.pop()
        kept = _users(each.stack or ())
        if kept:
            each.stack[:] = kept
        else:  # no "Traceback" heading without frames: Python prints none above a syntax error either
            each.stack = None  # type: ignore[assignment]
        if each.__context__ is not None and each.__cause__ is None and not _users(each.__context__.stack or ()):
            each.__context__ = None  # an error that gradtape caught inside itself and raised in better words
        todo += [e for e in (each.__cause__, each.__context__, *(each.exceptions or ())) if e is not None]
