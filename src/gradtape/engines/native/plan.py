"""Where values lie: one pass over the groups in their order gives each buffer that must exist a place in one block of memory.

The places of buffers nobody reads again are taken over by later ones; outputs are made where the caller wants them, inputs that
were given away are overwritten once nobody else needs them, and a loop's state stays where it is where only rows of it change.
"""

from __future__ import annotations

from collections.abc import Sequence

from .fusion import Group, alive, fuse, packed_bytes, schedule
from .ops import COPY, Body, Branch, Buf, Fold, Map, Op, Product, Scatter, Take, View, While, inlined
from .updates import absorb_updates

ALIGN = 64


class Plan:
    """A body ready to be written: its groups in order, and the place of each buffer.

    Attributes:
        place: for a buffer in memory ``("arg", i)``, ``("out", j)``, ``("const", k)`` or ``("arena", offset)``; none for one that
            lives in registers.
        size: bytes of the arena.
        outs: for each output ``("out", j)``: memory to write; ``("scalar", view)``; ``("arg", i)``: that
            input itself; ``("same", j)``: that other output; ``("steady", j)``: the state of a loop, unchanged.
        inner: the plans of control flow inside, by the operation.
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        self.groups: list[Group] = []
        self.place: dict[Buf, tuple[str, int]] = {}
        self.size = 0
        self.outs: list[tuple[str, object]] = []
        self.inner: dict[Op, tuple[Plan, Plan]] = {}
        self.changed: set[int] = set()  # the states of a loop that its body changes where they lie


def plan(body: Body, donate: dict[int, int] | None = None, top: bool = True, base: int = 0, loop: bool = False) -> Plan:
    """Plan a body, its arena from ``base`` on.

    ``donate``: the output that may overwrite each of some inputs. Not at the ``top``, outputs are always copied out, but
    for what the body of a ``loop`` hands on as it got it.
    """
    absorb_updates(body)
    p = Plan(body)
    owner: dict[Buf, int] = {}  # buffers made straight in an output's memory
    donated = {j: i for i, j in (donate or {}).items()}
    late: list[tuple[View, int]] = []
    first: dict[Buf, int] = {}
    ops = alive(body)
    after = _changed_in_place(p, ops) if loop else {}
    overwritten = set(donate or {})
    copies: list[Map] = []
    for j, v in enumerate(body.outs):
        b = v.buf
        if v.size == 1 and (b is None or b.scalar):
            p.outs.append(("scalar", v))
        elif v.size == 1:
            copies.append(Map("copy", COPY, [v], {}, Buf(v.shape, v.t).view()))
            p.outs.append(("scalar", copies[-1].out))
        elif j in p.changed or (loop and b is not None and b.kind == "arg" and b.index == j and v.whole):
            p.outs.append(("steady", j))
        elif b is None or not v.whole or j in donated:
            p.outs.append(("out", j))
            late.append((v, j))
        elif top and b.kind == "arg" and v.shape == b.shape and b.index not in overwritten:
            p.outs.append(("arg", b.index))
        elif top and b in first and v.shape == body.outs[first[b]].shape:
            p.outs.append(("same", first[b]))
        elif b.kind == "temp" and b not in owner:
            owner[b] = first[b] = j
            p.outs.append(("out", j))
        else:
            p.outs.append(("out", j))
            late.append((v, j))
    # donated outputs: in place if every other reader of the input can come first
    finals: dict[Buf, int] = {}
    for v, j in late:
        b = v.buf
        if j in donated and b is not None and b.kind == "temp" and v.whole and b not in owner and b not in finals:
            finals[b] = j
        else:
            out = Buf(v.shape, v.t)
            copies.append(Map("copy", COPY, [v], {}, out.view()))
            owner[out] = j
            if j in donated:
                finals[out] = j
    body.ops = ops + copies
    body.outs = [*body.outs, *(c.out for c in copies)]
    groups = fuse(alive(body), after)
    makers = {b: g for g in groups for b in g.writes}
    for b, j in finals.items():
        made, arg = makers.get(b), body.args[donated[j]]
        reading = [g for g in groups if any(v.buf is arg for op in g.ops for v in op.reads)]
        others = [g for g in reading if g is not made]
        if (made is not None and made.kind != "scalar" and b.bytes == arg.bytes and not any(g.before >> made.number & 1 for g in others)
                and (made not in reading or _in_place(made, arg, b))):  # fmt: skip
            owner[b] = j
            new = 0
            for g in others:
                new |= g.before | 1 << g.number
            made.before |= new
            for g in groups:
                if g.before >> made.number & 1:
                    g.before |= made.before
        else:  # written elsewhere, and copied over the input when all else is done
            owner.pop(b, None)
            out = Buf(b.shape, b.t)
            g = Group("loop", b.shape, len(groups))
            g.add(Map("copy", COPY, [b.view()], {}, out.view()))
            g.before = (1 << len(groups)) - 1
            groups.append(g)
            owner[out] = j
    p.groups = schedule(groups)
    _place(p, owner, base)
    return p


def _changed_in_place(p: Plan, ops: list[Op]) -> dict[Op, list[Op]]:
    """Find the states of a loop of which the body only replaces rows, when nobody else reads them any more: these stay where they are.

    Gives what each such write must wait for: the others that read what it overwrites.
    """
    body = p.body
    makers = {b: op for op in ops for b in op.writes}
    number = {op: i for i, op in enumerate(ops)}
    kept = {v.buf for v in body.outs}
    after: dict[Op, list[Op]] = {}
    for j, v in enumerate(body.outs):
        chain: list[Scatter] = []
        b, outs = v.buf, [w.buf for w in body.outs]
        if b is None or not v.whole or b.scalar or outs.count(b) != 1:
            continue
        while isinstance(op := makers.get(b), Scatter) and op.base is not None and op.base.whole:  # type: ignore[arg-type]
            chain.append(op)
            b = op.base.buf
        if not chain or b is not body.args[j] or any(op.base.buf in kept for op in chain):  # type: ignore[union-attr]
            continue
        waits = {op: [o for o in ops if o is not op and any(w.buf is op.base.buf for w in o.reads)] for op in chain}  # type: ignore[union-attr]
        own = all(w.buf is not op.base.buf for op in chain for w in op.reads[:2])  # type: ignore[union-attr]
        if own and all(number[o] < number[op] for op, others in waits.items() for o in others):
            after |= waits
            p.changed.add(j)
            for op in chain:
                p.place[op.out] = ("arg", j)
    return after


def _in_place(g: Group, arg: Buf, out: Buf) -> bool:
    """Whether ``g`` may write ``out`` over ``arg``: it reads each element of that only where it then writes it."""
    if g.kind == "control":
        return isinstance(g.ops[0], While)  # its results are copied out when it is done
    if g.kind == "rows":
        return isinstance(g.ops[0], Scatter) and all(v.buf is not arg for v in g.ops[0].reads[:2])
    for op in g.ops:
        if isinstance(op, Product) and any(v.buf is arg for v in op.reads[:2]):
            return False
        for v in op.reads:
            if v.buf is arg and not (v.whole and v.shape == out.shape == g.domain):
                return False
        if (
            isinstance(op, (Map, Fold))
            and out in op.writes
            and not (isinstance(op, Map) and op.out.whole and op.out.shape == out.shape)
        ):
            return False
    return True


def _place(p: Plan, owner: dict[Buf, int], base: int) -> None:
    """Give each buffer that must lie in memory its place."""
    body, order = p.body, p.groups
    for b in body.args:
        p.place[b] = ("arg", b.index)
    last: dict[Buf, int] = {}
    memory: set[Buf] = set(owner)
    for at, g in enumerate(order):
        for op in g.ops:
            for v in op.reads:
                b = v.buf
                if b is None:
                    continue
                if b.kind == "const":
                    p.place[b] = ("const", b.index)
                last[b] = at
                in_registers = b.scalar and not (
                    (isinstance(op, Product) and v in op.reads[:2]) or (isinstance(op, (Take, Scatter)) and v.size != 1)
                )
                if not in_registers and not (b in g.writes and g.has(v)):
                    memory.add(b)
        for op in g.ops:
            if isinstance(op, Map) and not op.out.whole:
                memory.add(op.out.buf)  # type: ignore[arg-type]
            elif op.kind in ("control", "rows") or (isinstance(op, Product) and not inlined(op)):
                memory.update(b for b in op.writes if not b.scalar)
            for b in op.writes:
                last.setdefault(b, at)
    for b, j in owner.items():
        p.place[b] = ("out", j)
    free = _Arena(base)
    ending: dict[int, list[Buf]] = {}
    for b, at in last.items():
        ending.setdefault(at, []).append(b)
    for at, g in enumerate(order):
        g.stores = {b for b in g.writes if b in memory}
        for op in g.ops:
            if isinstance(op, (While, Branch)):
                g.scratch = _control(p, op)
            elif isinstance(op, Product):
                g.scratch = packed_bytes(op)
            if isinstance(op, While):
                _stay(p, op, ending.get(at, []))
        for b in sorted([b for op in g.ops for b in op.writes if b in g.stores], key=lambda b: -b.bytes):
            if b not in p.place:
                heir = _heir(p, g, b, ending.get(at, ()))
                if heir is not None:
                    p.place[b] = p.place[heir]
                    ending[at].remove(heir)
                else:
                    p.place[b] = ("arena", free.take(b.bytes))
        if g.scratch:
            g.scratch_at = free.take(g.scratch)
            free.give(g.scratch_at, g.scratch)
        for b in ending.get(at, ()):
            kind, offset = p.place.get(b, ("", 0))
            if kind == "arena":
                free.give(offset, b.bytes)
    p.size = free.top


def _stay(p: Plan, op: While, ending: list[Buf]) -> None:
    """States of which the body replaces rows stay where they lie before the loop, if nobody reads them as they were then."""
    for k in p.inner[op][1].changed:
        b, old = op.outs[k], op.reads[k].buf
        readers = [v for v in op.reads if v.buf is old]
        if old in ending and len(readers) == 1 and b not in p.place and p.place.get(old, ("", 0))[0] == "arena":
            p.place[b] = p.place[old]
            ending.remove(old)


def _heir(p: Plan, g: Group, b: Buf, ending: Sequence[Buf]) -> Buf | None:
    """A buffer read for the last time where ``b`` is made, in the same order: ``b`` can take its place."""
    rows = g.kind == "rows" and isinstance(g.ops[0], Scatter)
    if not rows and (g.kind != "loop" or b.shape != g.domain or b not in g.made):
        return None
    for c in ending:
        fits = c.bytes == b.bytes and c not in g.writes and p.place.get(c, ("", 0))[0] == "arena"
        reads = [v for op in g.ops for v in op.reads if v.buf is c]
        if (
            fits
            and (reads == [g.ops[0].base] if rows else all(v.whole and v.shape == g.domain for v in reads))
            and all(v.whole for v in reads)
        ):  # type: ignore[attr-defined]
            return c
    return None


def state_bytes(op: Op) -> int:
    """What a loop needs for its state, twice: the first bytes of its scratch memory."""
    return 2 * sum(_up(b.bytes) for b in op.writes if not b.scalar) if isinstance(op, While) else 0


def _control(p: Plan, op: While | Branch) -> int:
    """Plan the bodies inside; gives the bytes they need."""
    start = state_bytes(op)
    bodies = (op.cond, op.body) if isinstance(op, While) else (op.yes, op.no)
    first, second = (plan(_fresh(b), None, False, start, isinstance(op, While) and b is op.body) for b in bodies)
    p.inner[op] = (first, second)
    return max(first.size, second.size, start)


def _fresh(body: Body) -> Body:
    """A body that planning may add copies to."""
    return Body(body.args, list(body.ops), list(body.outs))


def _up(n: int) -> int:
    return (n + ALIGN - 1) // ALIGN * ALIGN


class _Arena:
    """One block of memory, parts of which are taken and given back."""

    def __init__(self, base: int) -> None:
        self.base = self.top = base
        self.holes: list[tuple[int, int]] = []  # offset and length, sorted

    def take(self, n: int) -> int:
        n = _up(max(n, 1))
        fitting = [(length, at) for at, length in self.holes if length >= n]
        if fitting:
            length, at = min(fitting)
            self.holes.remove((at, length))
            if length > n:
                self.holes.append((at + n, length - n))
                self.holes.sort()
            return at
        if self.holes and self.holes[-1][0] + self.holes[-1][1] == self.top:
            at, _ = self.holes.pop()
        else:
            at = self.top
        self.top = at + n
        return at

    def give(self, at: int, n: int) -> None:
        n = _up(max(n, 1))
        self.holes.append((at, n))
        self.holes.sort()
        merged: list[tuple[int, int]] = []
        for a, length in self.holes:
            if merged and merged[-1][0] + merged[-1][1] == a:
                merged[-1] = (merged[-1][0], merged[-1][1] + length)
            else:
                merged.append((a, length))
        self.holes = merged
