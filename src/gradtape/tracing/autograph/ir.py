"""Structured code: a function body without jumps.

Statements are objects of these few classes; expressions, and statements that hold no others, stay ``ast`` nodes.
``jumps.py`` makes this form, ``liveness.py`` fills in what each statement must carry, ``statements.py`` turns it back
into ``ast``.

Jumps have become flags: variables that begin with ``ag__`` and are set where the jump was, while everything that the
jump would have skipped is guarded by them.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import Any

PREFIX = "ag__"
RESULT = PREFIX + "result"  # the value of a `return` that could not stay one
RETURNED = PREFIX + "returned"  # whether it was set


class Carried:
    """What a branch or loop must carry between Python and the stage. The names are in order.

    Attributes:
        out: variables that it may change and that may matter afterwards.
        needs: for a branch: what of these must have a value at the end of either side, and what a side keeps even if
            only the other needs it. For a loop: what matters after the loop, and what does not matter after a turn
            (because that ends in a jump).
        keep: variables that a branch reads and changes, but that do not matter afterwards.
        slots: the texts and nodes of attributes and items that are assigned.
        unfit: an assigned attribute or item that cannot be carried.
    """

    __slots__ = ("keep", "needs", "out", "slots", "unfit")

    def __init__(self) -> None:
        self.out: list[str] = []
        self.needs: tuple[list[str], ...] = ([], [])
        self.keep: list[str] = []
        self.slots: dict[str, Any] = {}
        self.unfit: Any = None


class Simple:
    """A statement that holds no other."""

    __slots__ = ("node",)

    def __init__(self, node: ast.stmt) -> None:
        self.node = node


class SetFlag:
    """``flag = value``, in the place of ``node``."""

    __slots__ = ("flag", "node", "value")

    def __init__(self, flag: str, value: bool, node: Any) -> None:
        self.flag, self.value, self.node = flag, value, node


class Jump:
    """The place of a jump: sets ``flag`` if anything looks at it.

    What follows, up to the target, is guarded or gone.
    """

    __slots__ = ("flag", "node")

    def __init__(self, flag: str, node: Any) -> None:
        self.flag, self.node = flag, node


class If:
    """``if test: then else: orelse``."""

    __slots__ = ("carried", "node", "orelse", "test", "then")

    def __init__(self, test: ast.expr, then: list[Any], orelse: list[Any], node: Any) -> None:
        self.test, self.then, self.orelse, self.node = test, then, orelse, node
        self.carried = Carried()


class Guard:
    """``if none of flags is set: rest``.

    The jumps of the flags ``reached`` lead to right behind it: it is the ``else`` of their loop.
    """

    __slots__ = ("carried", "flags", "node", "reached", "rest")

    def __init__(self, flags: list[str], rest: list[Any], node: Any, reached: Collection[str] = ()) -> None:
        self.flags, self.rest, self.node, self.reached = flags, rest, node, reached
        self.carried = Carried()


class Loop:
    """A loop, ended also by any of the flags ``exits``; ``continues`` is the flag of its ``continue``."""

    __slots__ = ("body", "carried", "continues", "exits", "node")

    def __init__(self, body: list[Any], exits: list[str], continues: str, node: Any) -> None:
        self.body, self.exits, self.continues, self.node = body, exits, continues, node
        self.carried = Carried()


class While(Loop):
    """``while test: body``."""

    __slots__ = ("test",)
    test: ast.expr


class For(Loop):
    """``for target in iterable: body``."""

    __slots__ = ("iterable", "target")
    target: ast.expr
    iterable: ast.expr


class Region:
    """A with, try or match statement: its blocks run where they stand, so nothing needs to be carried.

    ``blocks`` are, in order: with: body; try: body, handlers, orelse, finalbody; match: the bodies of the cases.
    """

    __slots__ = ("blocks", "node")

    def __init__(self, node: Any, blocks: list[list[Any]]) -> None:
        self.node, self.blocks = node, blocks


def blocks(s: Any) -> list[list[Any]]:
    """The blocks of statements inside a statement."""
    t = type(s)
    if t is If:
        return [s.then, s.orelse]
    if t is Guard:
        return [s.rest]
    if t is While or t is For:
        return [s.body]
    return s.blocks if t is Region else []


def walk(block: list[Any]) -> Iterator[Any]:
    """All statements of a block, nested ones too."""
    for s in block:
        yield s
        for inner in blocks(s):
            yield from walk(inner)
