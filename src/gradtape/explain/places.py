"""Where in the user's program something happened: file, line, and the very expression."""

from __future__ import annotations

import functools
import linecache
import re
from itertools import islice
from types import CodeType
from typing import Any, NamedTuple

from ..core.tensor import Tensor
from ..ground.errors import _PACKAGE, user_python_frame

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)\s*(.+)$")


class Place(NamedTuple):
    """A line of the user's program.

    Attributes:
        file: the file's name.
        line: the line's number.
        code: the text of the line.
        expression: the part of it that asked for the operation; "" where that is not known.
        function: the name of the function that it stands in; "" likewise.
    """

    file: str
    line: int
    code: str
    expression: str = ""
    function: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f": {self.code}" if self.code else "")

    @property
    def short(self) -> str:
        """The file without its folder, and the line."""
        name = re.split(r"[/\\]", self.file)[-1]
        return f"{name}:{self.line}"

    def whole(self) -> Place:
        """The place of the whole expression to which the line gives a name, if it does; else the same place."""
        m = _ASSIGNMENT.match(self.code)
        return self._replace(expression=m[2]) if m else self

    @property
    def assigned(self) -> str:
        """The name that the line gives to the value of the whole expression, or ""."""
        m = _ASSIGNMENT.match(self.code)
        return m[1] if m and self.expression and _bare(m[2]) == _bare(self.expression) else ""


def _bare(code: str) -> str:
    return code.split("  #")[0].rstrip().rstrip(";").replace(" ", "")


def at(file: str, line: int) -> Place:
    """The place for a line of which no more is known."""
    return Place(file, line, linecache.getline(file, line).strip())


def here() -> Place | None:
    """The innermost place outside gradtape, or None."""
    frame = user_python_frame()
    return None if frame is None else of(frame)


def of(frame: Any) -> Place:
    """The place where a frame stands."""
    return _of(frame.f_code, frame.f_lasti, frame.f_lineno)


@functools.lru_cache(maxsize=8192)
def _of(code: CodeType, lasti: int, line: int) -> Place:
    file = code.co_filename
    first, last, left, right = next(islice(code.co_positions(), lasti // 2, None), (None,) * 4)
    expression = ""
    if first and last and left is not None and right is not None and last - first < 20:
        lines = [linecache.getline(file, n).encode() for n in range(first, last + 1)]
        lines[-1] = lines[-1][:right]
        lines[0] = lines[0][left:]
        expression = " ".join([part.decode(errors="replace").strip() for part in lines])
    return Place(file, line, linecache.getline(file, line).strip(), expression, code.co_name)


_LIBRARIES = ("site-packages", "dist-packages")


def whose_value(frame: Any) -> Place | None:
    """The user's place that asked for a tensor's value; None where gradtape itself did.

    Between the two there may be libraries: ``np.mean(x)`` asks by NumPy's own frames.
    """
    first = True
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_PACKAGE):
            if first:
                return None
        elif not file.startswith("<frozen") and not any([part in file for part in _LIBRARIES]):
            return of(frame)
        first = first and any([part in file for part in _LIBRARIES])
        frame = frame.f_back
    return None


def name_in(frame: Any, x: Any) -> str:
    """What a frame calls ``x``: a local name, an attribute of ``self``, a name of its module; else ""."""
    if frame is None:
        return ""
    owner = frame.f_locals.get("self")
    for space, lead in ((frame.f_locals, ""), (getattr(owner, "__dict__", {}), "self."), (frame.f_globals, "")):
        for name, value in list(space.items()):
            if value is x and not name.startswith("__"):
                return lead + name
    return ""


class Names(dict[int, str]):
    """The names that a program gives to objects, by id; and the tensors among them, by the keys under which tapes know them."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors: dict[int, Tensor] = {}


def names_in(frame: Any) -> Names:
    """The names in a frame and in its module."""
    names = Names()
    if frame is None:
        return names
    for space in (frame.f_globals, frame.f_locals):  # the local name counts
        for name, value in list(space.items()):
            if not name.startswith("_"):
                names[id(value)] = name
                if type(value) is Tensor and value._k:
                    names.tensors[value._k] = value
    return names
