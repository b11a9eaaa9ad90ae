"""Which operations share a loop, and in which order the loops run.

Fusion is greedy, in program order: an operation joins the loop of one that it reads from (or that reads the same), if the
index spaces agree, what it needs is at hand there, and no third loop would have to run in between.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

from .ops import Body, Buf, Fold, Map, Op, Product, Scatter, Take, View, While, inlined

WEIGHT = 96  # the most operations in one loop: beyond, registers spill and compilation slows
SCALARS = 256


class Group:
    """Operations that run together: one loop nest (``loop``), scalar code, a product with its epilogue; or one alone: control flow, or rows."""

    def __init__(self, kind: str, domain: tuple[int, ...], number: int) -> None:
        self.kind, self.domain, self.number = kind, domain, number
        self.ops: list[Op] = []
        self.made: dict[Buf, View] = {}  # what its maps make, which its later ones can have from registers
        self.writes: set[Buf] = set()
        self.before = 0  # the groups that must run earlier, directly or not, as bits
        self.scratch = 0  # bytes it needs for itself, and where they are
        self.scratch_at = 0
        self.stores: set[Buf] = set()  # what it makes and must put into memory
        self.blocks: Any = None  # how it is cut for threads, if it is
        self.shared = ""  # what it has in common with others that are to share one function
        self.lifted = False  # whether numbers are parameters of that function

    def add(self, op: Op) -> None:
        self.ops.append(op)
        self.writes.update(op.writes)
        if isinstance(op, Map) and op.out.whole:
            self.made[op.out.buf] = op.out  # type: ignore[index]
        elif isinstance(op, Product):
            self.made[op.out] = op.out.view()

    def reads(self) -> list[View]:
        """The views it takes from memory."""
        return [
            v for op in self.ops for v in op.reads if v.buf is not None and not (v.buf in self.writes and self.has(v))
        ]

    def has(self, v: View) -> bool:
        """Whether ``v`` is at hand: made here, and read just as it is made."""
        made = self.made.get(v.buf)  # type: ignore[arg-type]
        return made is not None and (
            v.buf.scalar or (made.shape == v.shape and made.strides == v.strides and v.offset == 0)
        )  # type: ignore[union-attr]


def packed_bytes(p: Product) -> int:
    """Room for a copy of y, if the product wants its columns side by side."""
    return p.k * p.n * p.out.t.size if inlined(p) and p.form == "packed" else 0


def alive(body: Body) -> list[Op]:
    """The operations whose results anybody needs, and those that can fail."""
    needed = {v.buf for v in body.outs}
    kept = []
    for op in reversed(body.ops):
        effects = isinstance(op, (While, Take, Scatter)) or (isinstance(op, Map) and op.can_fail)
        if effects or any(b in needed for b in op.writes):
            kept.append(op)
            needed.update(v.buf for v in op.reads)
    return kept[::-1]


def fuse(ops: Sequence[Op], after: dict[Op, list[Op]] | None = None) -> list[Group]:
    """The groups, in the order in which they were begun. ``after``: what some operations must wait for beside what they read."""
    groups: list[Group] = []
    home: dict[Op, Group] = {}
    makers: dict[Buf, list[Group]] = {}
    readers: dict[Buf, list[Group]] = {}
    scalars: Group | None = None
    for op in ops:
        read = [b for v in op.reads for b in (v.buf, *v.after)]
        needs = {g.number: g for b in (*read, *op.writes) if b is not None for g in makers.get(b, ())}
        for other in (after or {}).get(op, ()):
            needs[home[other].number] = home[other]
        group = None
        if isinstance(op, (Map, Fold)):
            if _count(op.domain) == 1:
                if scalars is not None and len(scalars.ops) < SCALARS and _acyclic(scalars, needs):
                    group = scalars
            else:
                seen = dict(needs)
                for v in op.reads:
                    if v.buf is not None and v.size == _count(op.domain):
                        seen.update({g.number: g for g in readers.get(v.buf, ())[-4:]})
                for g in sorted(seen.values(), key=lambda g: -g.number):
                    if _joins(op, g) and _acyclic(g, needs):
                        group = g
                        break
        if group is None:
            kind = op.kind
            domain = op.domain if isinstance(op, (Map, Fold, Product)) else ()
            if kind == "loop" and _count(domain) == 1:
                kind = "scalar"
            group = Group(kind, domain, len(groups))
            groups.append(group)
            if kind == "scalar":
                scalars = group
        group.add(op)
        home[op] = group
        new = 0
        for g in needs.values():
            if g is not group:
                new |= g.before | 1 << g.number
        if new & ~group.before:
            group.before |= new
            for g in groups:
                if g.before >> group.number & 1:
                    g.before |= group.before
        for b in op.writes:
            if group not in makers.setdefault(b, []):
                makers[b].append(group)
        for v in op.reads:
            if v.buf is not None and group not in readers.setdefault(v.buf, []):
                readers[v.buf].append(group)
    return groups


def _count(shape: tuple[int, ...]) -> int:
    n = 1
    for d in shape:
        n *= d
    return n


def _acyclic(group: Group, needs: dict[int, Group]) -> bool:
    """Whether ``group`` can run after all that is needed: none of it, but itself, waits for ``group``."""
    return all(g is group or not g.before >> group.number & 1 for g in needs.values())


def _joins(op: Map | Fold, group: Group) -> bool:
    if group.kind not in ("loop", "product") or group.domain != op.domain or len(group.ops) >= WEIGHT:
        return False
    if group.kind == "product" and (
        isinstance(op, Fold) or not inlined(group.ops[0]) or getattr(op, "iota", None) is not None
    ):  # type: ignore[arg-type]
        return False
    if any(b in group.writes for b in op.writes):
        return False
    return all(v.buf not in group.writes or group.has(v) for v in op.reads)


def schedule(groups: list[Group]) -> list[Group]:
    """The groups in an order that respects what each needs, as near to the program's as can be."""
    waiting = {g.number: bin(g.before).count("1") for g in groups}
    followers: dict[int, list[Group]] = {g.number: [] for g in groups}
    for g in groups:
        bits = g.before
        while bits:
            low = bits & -bits
            followers[low.bit_length() - 1].append(g)
            bits ^= low
    ready = [n for n, k in waiting.items() if k == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        n = heapq.heappop(ready)
        order.append(groups[n])
        for g in followers[n]:
            waiting[g.number] -= 1
            if waiting[g.number] == 0:
                heapq.heappush(ready, g.number)
    assert len(order) == len(groups)
    return order
