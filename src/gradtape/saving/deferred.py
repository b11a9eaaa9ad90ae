"""Values of a checkpoint that wait for variables which do not exist yet.

What a restored checkpoint has and the program does not (yet) is a *gap*: an object, and the name in it where something is missing. While there are
gaps, new variables are made ``Awaiting``: whatever reads or assigns one first looks whether it, or an object that leads to it, fills a gap by now.
So a layer that is built later, appended to a list or put into a dict has its values before anybody sees others. Variables that were made
before the checkpoint was restored get theirs when they are put into an attribute of a Module.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

from ..core.variable import Variable
from . import objects

pending: list[Restoration] = []  # what has gaps
_lock = threading.RLock()
_slot: Any = Variable.__dict__["_t"]


class Restoration:
    """What is left of one restored checkpoint.

    Attributes:
        restored: the numbers of the saved nodes that have found an object.
    """

    def __init__(self, restore: Any) -> None:
        # (owner, path from it to an object in it) -> what is missing there, as {name: number of the saved node}; containers cannot be referred to
        # weakly, so they are found again from the object that owns them
        self.gaps: dict[tuple[weakref.ref, tuple[str, ...]], dict[str, int]] = {}
        self._restore = restore

    def miss(self, owner: Any, path: tuple[str, ...], name: str, node: int) -> None:
        """Note that ``name`` is missing in the object at ``path`` from ``owner``."""
        self.gaps.setdefault((weakref.ref(owner), path), {})[name] = node

    def give_up(self, newer: Restoration) -> None:
        """Wait no more for what ``newer`` waits for too."""
        for place, names in newer.gaps.items():
            mine = self.gaps.get(place, {})
            for name in names:
                mine.pop(name, None)
            if not mine:
                self.gaps.pop(place, None)

    def fill(self) -> None:
        """Restore what has come into being."""
        for place in list(self.gaps):
            ref, path = place
            missing = self.gaps.get(place)
            owner = x = ref()
            for name in path:
                x = None if x is None else objects.child(x, name)
            if owner is None:
                self.gaps.pop(place, None)
                continue
            if x is None or missing is None:
                continue
            found = {name: got for name in missing if (got := objects.child(x, name)) is not None}
            for name, got in found.items():
                node = missing.pop(name)
                if not missing:
                    self.gaps.pop(place, None)
                self._restore(got, node, owner, (*path, name))


def wait(r: Restoration) -> None:
    """Keep what ``r`` has gaps for, until they are filled or nobody holds the objects any more."""
    with _lock:
        for older in pending:
            if older is not r:
                older.give_up(r)
        pending[:] = [p for p in pending if p.gaps]
        if r.gaps and r not in pending:
            pending.append(r)
            Variable._made = staticmethod(_made)  # type: ignore[assignment]


def settle() -> None:
    """Restore, of all that waits, what has come into being."""
    with _lock:
        for r in list(pending):
            r.fill()
            if not r.gaps and r in pending:
                pending.remove(r)
        if not pending:
            Variable._made = None


def _made(v: Variable) -> None:
    if type(v) is Variable:
        v.__class__ = Awaiting


class Awaiting(Variable):
    """A variable that was made while values were waiting. It becomes a plain one when it has its value, or nothing waits any more."""

    __slots__ = ()

    def _ready(self) -> None:
        if not pending:
            settled(self)
            return
        with _lock:
            if not _busy:  # else this thread is restoring just now
                _busy.append(True)
                try:
                    settle()
                finally:
                    _busy.pop()

    @property
    def _t(self) -> Any:  # type: ignore[override]
        self._ready()
        return _slot.__get__(self)

    @_t.setter
    def _t(self, value: Any) -> None:
        self._ready()
        _slot.__set__(self, value)


_busy: list[bool] = []


def settled(v: Variable) -> None:
    """``v`` waits for nothing any more."""
    if type(v) is Awaiting:
        v.__class__ = Variable  # type: ignore[assignment]


def put(v: Variable, t: Any) -> None:
    """Make the tensor ``t`` the value of ``v``, whatever is being traced."""
    _slot.__set__(v, t)
    settled(v)


def value(v: Variable) -> Any:
    """The value that ``v`` has by now."""
    return _slot.__get__(v)
