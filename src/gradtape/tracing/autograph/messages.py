"""Errors that show the user's own line: file, line, column, the source with a caret, and a way out."""

from __future__ import annotations

import linecache
import sys
import warnings
from types import CodeType, FrameType
from typing import Any

from ...ground.errors import InvalidArgumentError, UnimplementedError


class AutographWarning(UserWarning):
    """A function runs unconverted: control flow in it that depends on staged tensors raises an error."""


def where(file: str, line: int | None, col: int | None = None, end: int | None = None, name: str = "") -> str:
    """The place of an error as Python's tracebacks show it, for the end of a message.

    ``col`` and ``end`` count bytes from 0.
    """
    if line is None:
        return f'\n  File "{file}"'
    text = (
        f'\n  File "{file}", line {line}'
        + (f", in {name}" if name else "")
        + ("" if col is None else f", column {col + 1}")
    )
    source = linecache.getline(file, line).rstrip("\n")
    if not source.strip():
        return text
    shift = len(source) - len(source.lstrip())
    text += "\n    " + source.strip()
    if col is not None:
        start, stop = _characters(source, col), _characters(source, end) if end is not None else len(source)
        stop = max(min(stop, len(source.rstrip())), start + 1)
        text += "\n    " + " " * max(start - shift, 0) + "^" * (stop - max(start, shift))
    return text


def _characters(source: str, byte: int) -> int:
    return len(source.encode()[:byte].decode(errors="ignore"))


def at_node(node: Any, file: str, name: str = "") -> str:
    """The place of an ``ast`` node."""
    one_line = getattr(node, "end_lineno", None) == node.lineno
    return where(file, node.lineno, node.col_offset, node.end_col_offset if one_line else None, name)


def at_frame(frame: FrameType) -> str:
    """The place where a frame is now."""
    code = frame.f_code
    line, end_line, col, end = _positions(code, frame.f_lasti)
    return where(code.co_filename, line or frame.f_lineno, col, end if end_line == line else None, code.co_name)


def _positions(code: CodeType, at: int) -> tuple:
    for i, p in enumerate(code.co_positions()):
        if 2 * i == at:
            return p
    return (None,) * 4


def user_frame() -> FrameType:
    """The innermost frame that runs converted code: the first outside this package."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    return frame


def warn(message: str) -> None:
    """An AutographWarning at the place where converted code is now."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, AutographWarning, stacklevel=level)


def invalid(message: str) -> InvalidArgumentError:
    """An InvalidArgumentError at the place where converted code is now."""
    return InvalidArgumentError(message + at_frame(user_frame()))


def unimplemented(message: str) -> UnimplementedError:
    """An UnimplementedError at the place where converted code is now."""
    return UnimplementedError(message + at_frame(user_frame()))


def unsupported(message: str, node: Any, file: str, name: str = "") -> UnimplementedError:
    """An UnimplementedError at an ``ast`` node."""
    return UnimplementedError(message + at_node(node, file, name))
