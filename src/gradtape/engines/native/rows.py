"""Rows by numbers known at run time: taken, replaced, joined to. A number out of range fails the call: its kernel says the rest. And running totals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .emit import fail
from .fusion import Group
from .ir import I1, I32, I64, PTR, Type, Val, where
from .loops import first_lanes, lanes_for
from .matmul import copy
from .ops import Draw, Op, Scan, Scatter, Take, View
from .philox import write_draw

if TYPE_CHECKING:
    from .program import Frame


def _number(frame: Frame, index: View, j: Val, n: Val | int) -> Val:
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
    code, (x, index), t = frame.code, op.reads[:2], op.out.t
    px = frame.value(x) if op.stack else frame.pointer(x)
    n = frame.value(op.reads[2]) if op.stack else op.n
    if op.out.scalar:
        i = _number(frame, index, code.int(0), n)
        frame.define(op.out, code.load(code.offset(px, i, t.size), t))
        return
    to, count = frame.base(op.out), index.size

    def outer(o: Val, carried: list[Val]) -> list[Val]:
        def one(j: Val, carried: list[Val]) -> list[Val]:
            i = _number(frame, index, j, n)
            source = code.offset(px, (i if op.stack else o * n + i) * op.inner, t.size)
            each(frame, op.inner, t, source, code.offset(to, (o * count + j) * op.inner, t.size))
            return []

        code.loop(0, count, 1, [], one)
        return []

    code.loop(0, op.outer, 1, [], outer)


def _write_scatter(frame: Frame, op: Scatter) -> None:
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
            code.store(op.join.f(code.load(at, t), new) if op.join else new, at)
        else:
            source = code.offset(frame.pointer(u), j * op.inner, t.size)
            each(frame, op.inner, t, source, at, op.join.f if op.join else None)
        return []

    code.loop(0, index.size, 1, [], one)


def each(frame: Frame, n: int, t: Type, source: Val, to: Val, join: Callable[[Val, Val], Val] | None = None) -> None:
    """Copy ``n`` elements, or join them to what is there."""
    code = frame.code
    lanes = lanes_for(code, frame.lanes, [t.size], n)
    step = max(lanes, 1)

    def turn(k: Val, carried: list[Val]) -> list[Val]:
        at = code.offset(to, k, t.size)
        v = code.load(code.offset(source, k, t.size), t, lanes, code.mask)
        code.store(join(code.load(at, t, lanes, code.mask), v) if join else v, at, code.mask)
        return []

    full = n // step * step
    code.loop(0, full, step, [], turn)
    if n > full:
        code.mask = first_lanes(code, n - full, lanes)
        turn(code.int(full), [])
        code.mask = None


def _write_scan(frame: Frame, op: Scan) -> None:
    """Totals stay in registers: of a vector of the inner dimension, one after the other."""
    code, t = frame.code, op.out.t
    outer, n, inner = op.dims
    sources, to = [frame.pointer(v) for v in op.reads], frame.base(op.out)
    lanes = lanes_for(code, frame.lanes, [t.size], inner)
    step = max(lanes, 1)

    def column(o: Val, k: Val) -> None:
        first = (o * n + (n - 1 if op.reverse else 0)) * inner + k  # the place of the first element

        def at(p: Val, i: Val | int) -> Val:
            return code.offset(p, first - i * inner if op.reverse else first + i * inner, t.size)

        def elements(i: Val | int) -> list[Val]:
            return [code.load(at(p, i), t, lanes, code.mask) for p in sources]

        total = elements(0)[-1]
        if op.exclusive is None:
            code.store(total, at(to, 0), code.mask)
        else:
            code.store(code.const(op.exclusive, t, lanes), at(to, 0), code.mask)

        def turn(i: Val, carried: list[Val]) -> list[Val]:
            now = op.step(carried[0], *elements(i))
            code.store(now if op.exclusive is None else carried[0], at(to, i), code.mask)
            return [now]

        code.loop(1, n, 1, [total], turn)

    def columns(o: Val, carried: list[Val]) -> list[Val]:
        full = inner // step * step
        code.loop(0, full, step, [], lambda k, _: (column(o, k), [])[1])
        if inner > full:
            code.mask = first_lanes(code, inner - full, lanes)
            with code.scope():
                column(o, code.int(full))
            code.mask = None
        return []

    code.loop(0, outer, 1, [], columns)


_WRITERS: dict[type[Op], Callable[[Any, Any], None]] = {
    Take: _write_take,
    Scatter: _write_scatter,
    Scan: _write_scan,
    Draw: write_draw,
}


def write_rows(frame: Frame, g: Group) -> None:
    """Write the group's one operation."""
    op = g.ops[0]
    _WRITERS[type(op)](frame, op)
