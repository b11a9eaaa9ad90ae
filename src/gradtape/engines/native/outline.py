"""Groups that differ only in the buffers they work on share one function: an unrolled loop compiles as fast as one turn.

Numbers are part of the code, which they make better; but where groups that occur often differ in theirs alone, these are parameters.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .fusion import Group
from .ir import PTR, Code, Type, Val
from .ops import Buf, Fold, Map, Product, View
from .plan import Plan

if TYPE_CHECKING:
    from .program import Frame


def mark_shared(p: Plan) -> None:
    """Mark the groups of a plan, and of plans inside, that occur more than once."""
    groups = [g for g in _all_groups(p) if g.kind in ("loop", "product") and g.blocks is None]
    for lift in (False, True):
        groups = [g for g in groups if not g.shared]
        if len(groups) < 4:
            return
        shapes = [shape_of(g, lift) for g in groups]
        count = Counter(shapes)
        for g, shape in zip(groups, shapes, strict=True):
            if count[shape] > (8 if lift else 1 if g.kind == "product" else 2):
                g.shared, g.lifted = shape, lift


def _all_groups(p: Plan) -> Iterator[Group]:
    for g in p.groups:
        yield g
        for op in g.ops:
            for q in p.inner.get(op, ()):
                yield from _all_groups(q)


def _liftable(v: View) -> bool:
    """Whether a view is a number for which no better code is known than for any other."""
    return v.buf is None and not (v.const == int(v.const) and abs(v.const) <= 16 if math.isfinite(v.const) else True)


def shape_of(g: Group, lift: bool = False) -> str:
    """All that the group's code depends on, its buffers (and to ``lift`` them, its numbers) numbered as they come."""
    numbers: dict[Any, int] = {}

    def view(v: View) -> Any:
        if v.buf is None:
            if lift and _liftable(v):
                return (v.t.suffix, numbers.setdefault(id(v), len(numbers)))
            return (v.t.suffix, repr(v.const))
        # an offset goes into the address, but tells views of one buffer apart
        return (numbers.setdefault(v.buf, len(numbers)), v.buf.scalar, v.t.suffix, v.offset, v.shape, v.strides)

    def out(b: Buf) -> Any:
        return (numbers.setdefault(b, len(numbers)), b.t.suffix, b.shape, b in g.stores)

    parts: list[Any] = [g.kind, g.domain, bool(g.scratch)]
    for op in g.ops:
        parts.append(type(op).__name__)
        parts += [view(v) for v in op.reads]
        if isinstance(op, Map):
            parts += [
                op.name,
                op.reads[0].t.suffix if op.reads else "",
                sorted(op.attrs.items(), key=str),
                op.iota,
                view(op.out),
                out(op.out.buf),
            ]  # type: ignore[arg-type]
        elif isinstance(op, Fold):
            parts += [op.name, op.axis, out(op.out)]
        elif isinstance(op, Product):
            parts += [out(op.out), op.base is not None, op.factor is not None, op.negative]
    return repr(parts)


class Operands:
    """What a group takes from outside, in the order of the shared function's parameters."""

    def __init__(self, g: Group) -> None:
        self.pointers: dict[tuple[Buf, int], View] = {}
        self.numbers: dict[int, View] = {}
        self.scalars: dict[Buf, Type] = {}
        self.results: list[Buf] = []
        for op in g.ops:
            for v in op.reads:
                if g.lifted and _liftable(v):
                    self.numbers[id(v)] = v
                if v.buf is None or (v.buf in g.writes and g.has(v)):
                    continue
                if v.buf.scalar:
                    self.scalars[v.buf] = v.buf.t
                else:
                    self.pointers.setdefault((v.buf, v.offset), v)
            if isinstance(op, Map) and op.out.buf in g.stores:
                self.pointers.setdefault((op.out.buf, op.out.offset), op.out)
            elif isinstance(op, Fold):
                if op.out.scalar:
                    self.results.append(op.out)
                else:
                    self.pointers.setdefault((op.out, 0), op.out.view())
            elif isinstance(op, Product) and op.out in g.stores:
                self.pointers.setdefault((op.out, 0), op.out.view())


class SharedFrame:
    """The frame of a shared function: everything is a parameter."""

    def __init__(self, code: Code, outer: Frame, operands: Operands) -> None:
        params = iter(code.params)
        context, scratch = next(params), next(params)
        self.code, self.host = code, outer.host
        self.lanes, self.wide_registers = outer.lanes, outer.wide_registers
        code.failure = lambda: context
        self._scratch = scratch
        self._pointers = {k: next(params) for k in operands.pointers}
        self._numbers = {k: next(params) for k in operands.numbers}
        self._scalars = {b: next(params) for b in operands.scalars}
        self._results = {b: next(params) for b in operands.results}

    def scratch(self, g: Group) -> Val:
        return self._scratch

    def pointer(self, v: View) -> Val:
        return self._pointers[v.buf, v.offset]  # type: ignore[index]

    def scalar(self, b: Buf) -> Val:
        return self._scalars[b]

    def value(self, v: View) -> Val:
        if v.buf is None:
            return self._numbers.get(id(v)) or self.code.const(v.const, v.t)
        return self._scalars[v.buf]

    def define(self, b: Buf, v: Val) -> None:
        self.code.store(v, self._results[b])


def call_shared(frame: Frame, g: Group, write: Callable[[Any, Group], None]) -> None:
    """Call the function of groups like ``g``, writing it on the first call."""
    code, module = frame.code, frame.code.module
    operands = Operands(g)
    key = (g.shared, code.flags)
    name = module.internal.get(key)
    if name is None:
        name = module.internal[key] = f"shared{len(module.internal)}"
        types = (
            [(PTR, 0)] * (2 + len(operands.pointers))
            + [(v.t, 0) for v in operands.numbers.values()]
            + [(t, 0) for t in operands.scalars.values()]
            + [(PTR, 0)] * len(operands.results)
        )
        inner = Code(module, name, types, "void", "internal", "nounwind noinline")
        inner.flags = code.flags
        write(SharedFrame(inner, frame, operands), g)
        inner.write("ret void")
        inner.close()
    null = Val(code, "null", PTR, 0)
    slots = [code.stack(8, 8) for _ in operands.results]
    context = frame.context() if _can_fail(g) else null
    args = [context, frame.scratch(g) if g.scratch else null]
    args += [frame.pointer(v) for v in operands.pointers.values()]
    args += [frame.value(v) for v in operands.numbers.values()] + [frame.scalar(b) for b in operands.scalars] + slots
    code.write(f"call void @{name}({', '.join(f'{a.type} {a.name}' for a in args)})")
    for b, slot in zip(operands.results, slots, strict=True):
        frame.define(b, code.load(slot, b.t))


def _can_fail(g: Group) -> bool:
    return any(isinstance(op, Map) and op.can_fail for op in g.ops)
