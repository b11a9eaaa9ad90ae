"""Rows by numbers known at run time: taken, replaced, added to. A number out of range fails the call: its kernel says the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .emit import fail
from .fusion import Group
from .ir import I1, I32, I64, PTR, Type, Val, where
from .loops import first_lanes, lanes_for
from .lower import Scatter, Take, View
from .matmul import copy

if TYPE_CHECKING:
    from .program import Frame


def write_rows(frame: Frame, g: Group) -> None:
    """Write the group's one operation."""
    op = g.ops[0]
    if isinstance(op, Take):
        _write_take(frame, op)
    elif isinstance(op, Scatter):
        _write_scatter(frame, op, g)


def _number(frame: Frame, index: View, j: Val, n: int) -> Val:
    """The j-th number, made 0 where it is out of range."""
    code = frame.code
    i = (
        frame.value(index)
        if index.size == 1 and index.scalar
        else code.load(code.offset(frame.pointer(index), j, index.t.size), index.t)
    ).to(I64)
    bad = i.compare("", "uge", n)
    fail(bad)
    return where(bad, 0, i)


def _write_take(frame: Frame, op: Take) -> None:
    code, (x, index), t = frame.code, op.reads, op.out.t
    px = frame.pointer(x)
    if op.out.scalar:
        i = _number(frame, index, code.int(0), op.n)
        frame.define(op.out, code.load(code.offset(px, i, t.size), t))
        return
    to, count = frame.base(op.out), index.size

    def outer(o: Val, carried: list[Val]) -> list[Val]:
        def one(j: Val, carried: list[Val]) -> list[Val]:
            i = _number(frame, index, j, op.n)
            each(
                frame,
                op.inner,
                t,
                code.offset(px, (o * op.n + i) * op.inner, t.size),
                code.offset(to, (o * count + j) * op.inner, t.size),
                False,
            )
            return []

        code.loop(0, count, 1, [], one)
        return []

    code.loop(0, op.outer, 1, [], outer)


def _write_scatter(frame: Frame, op: Scatter, g: Group) -> None:
    code, t = frame.code, op.out.t
    index, u = op.reads[:2]
    to = frame.base(op.out)
    size = code.int(op.out.bytes)
    if op.base is None:
        code.call("memset", PTR, 0, [to, Val(code, "0", I32, 0), size], pure=False)
    else:
        source = frame.pointer(op.base)
        moved = code.effect(f"icmp ne ptr {to.name}, {source.name}", I1)
        code.when(moved, lambda: copy(code, to, source, op.out.bytes))

    def one(j: Val, carried: list[Val]) -> list[Val]:
        i = _number(frame, index, j, op.n)
        at = code.offset(to, i * op.inner, t.size)
        if u.size == 1 and u.scalar:
            new = frame.value(u)
            code.store(code.load(at, t) + new if op.how == "add" else new, at)
        else:
            each(frame, op.inner, t, code.offset(frame.pointer(u), j * op.inner, t.size), at, op.how == "add")
        return []

    code.loop(0, index.size, 1, [], one)


def each(frame: Frame, n: int, t: Type, source: Val, to: Val, add: bool) -> None:
    """Copy ``n`` elements, or add them."""
    code = frame.code
    lanes = lanes_for(code, frame.lanes, [t.size], n)
    step = max(lanes, 1)

    def turn(k: Val, carried: list[Val]) -> list[Val]:
        at = code.offset(to, k, t.size)
        v = code.load(code.offset(source, k, t.size), t, lanes, code.mask)
        code.store(code.load(at, t, lanes, code.mask) + v if add else v, at, code.mask)
        return []

    full = n // step * step
    code.loop(0, full, step, [], turn)
    if n > full:
        code.mask = first_lanes(code, n - full, lanes)
        turn(code.int(full), [])
        code.mask = None
