"""Loop nests for maps and folds: dimensions merged, ordered and vectorised, values kept in registers from load to store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .emit import FEW
from .fusion import Group
from .ir import F64, I1, I8, I64, PTR, Code, Type, Val, where
from .ops import Buf, Fold, Map, View, row_major

if TYPE_CHECKING:
    from .program import Frame

COLUMN_BYTES = 1 << 17  # up to this size, sums over rows run down columns, in registers
CHUNK = 64  # vectors that a float sum adds up before it adds the part to the whole
FEW_OPS = 6  # a body this small needs several accumulators to keep the machine busy

# -- vectors -------------------------------------------------------------------------------------------------------------------


def lanes_for(code: Code, width: Callable[[int], int], sizes: list[int], length: int) -> int:
    """Lanes for elements of the given sizes: a full register of the largest, or the next power of two of a shorter ``length``."""
    most = width(max(sizes, default=4))
    if length >= most:
        return most
    lanes = 1
    while lanes < length:
        lanes *= 2
    return lanes if lanes > 1 else 0


def first_lanes(code: Code, live: int, lanes: int) -> Val:
    """The mask of the first ``live`` lanes."""
    return code.lanes_of([i < live for i in range(lanes)], I1)


def gather(code: Code, p: Val, t: Type, stride: int, lanes: int, live: int) -> Val:
    """A vector of elements ``stride`` apart."""
    if t.kind == "b":
        return gather(code, p, I8, stride, lanes, live).ne(0)
    at = code.lanes_of([i * stride if i < live else 0 for i in range(lanes)], I64)
    unit = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}[t.size]
    ps = code.pure(f"getelementptr {unit}, ptr {p.name}, {at.type} {at.name}", PTR, lanes)
    name, vt = f"llvm.masked.gather.v{lanes}{t.suffix}.v{lanes}p0", t.vector(lanes)
    code.module.declare(name, f"{vt} {{}}(<{lanes} x ptr>, i32, <{lanes} x i1>, {vt})")
    mask = code.const(1, I1, lanes)  # lanes that do not count read the first element
    return code.effect(
        f"call {vt} @{name}({ps.type} {ps.name}, i32 {t.size}, {mask.type} {mask.name}, {vt} poison)", t, lanes
    )


def scatter(code: Code, x: Val, p: Val, stride: int, live: int) -> None:
    """A vector's lanes stored ``stride`` elements apart."""
    for i in range(live):
        code.store(x.lane(i), code.offset(p, i * stride, x.t.size))


def across(x: Val, combine: Callable[[Val, Val], Val]) -> Val:
    """All lanes combined into one, by halves."""
    code, n = x.code, x.n
    while n > 1:
        half = n // 2
        low, high = (", ".join(f"i32 {i}" for i in range(a, a + half)) for a in (0, half))
        parts = [
            code.pure(f"shufflevector {x.type} {x.name}, {x.type} poison, <{half} x i32> <{part}>", x.t, half)
            for part in (low, high)
        ]
        x, n = combine(*parts), half
    return x.lane(0) if x.n else x


# -- the body of a nest ----------------------------------------------------------------------------------------------------------


class Operand:
    """A view that the nest walks: its strides by loop dimension, and whether elements are loaded or stored there."""

    def __init__(self, view: View, strides: list[int], store: bool) -> None:
        self.view, self.strides, self.store = view, strides, store


def key(v: View) -> tuple:
    """Equal views of one buffer are loaded once."""
    return id(v.buf), v.offset, v.strides, v.shape


def compute(
    frame: Frame,
    group: Group,
    load: Callable[[View], Val],
    index: Callable[[int], Val],
    given: dict[Buf, Val],
    store: Callable[[View, Val], None],
    fold: Callable[[Fold, Val], None],
) -> None:
    """Run the group's maps and folds on one vector (or scalar) of the index space."""
    made = dict(given)

    def value(v: View) -> Val:
        if v.buf is None:
            return frame.value(v)
        if v.buf in made and group.has(v):
            return made[v.buf]
        return frame.scalar(v.buf) if v.buf.scalar else load(v)

    for op in group.ops:
        if isinstance(op, Map):
            xs = [value(v) for v in op.reads]
            r = op.f(index(op.iota)) if op.iota is not None else op.f(*xs, **op.attrs)
            if op.out.whole:
                made[op.out.buf] = r  # type: ignore[index]
            if op.out.buf in group.stores:
                store(op.out, r)
        elif isinstance(op, Fold):
            fold(op, value(op.reads[0]))


# -- the nest ----------------------------------------------------------------------------------------------------------------------


class Nest:
    """The loops of one group; with a ``part``, those turns of the outermost loop alone.

    A part's folds over that loop give partial results, put at ``partial[i]``: fold i's is an address.
    """

    def __init__(
        self,
        frame: Frame,
        group: Group,
        part: tuple[Val | int, Val | None] | None = None,
        partial: dict[int, Val] | None = None,
    ) -> None:
        self.frame, self.group, self.code = frame, group, frame.code
        self.part, self.partial = part, partial or {}
        self.folds = [op for op in group.ops if isinstance(op, Fold)]
        self.operands: dict[tuple, Operand] = {}
        types = []
        for op in group.ops:
            for v in op.reads:
                types.append(v.t.size)
                if v.buf is not None and not v.buf.scalar and not (v.buf in group.writes and group.has(v)):
                    self.operands.setdefault(key(v), Operand(v, list(v.strides), False))
            types += [b.t.size for b in op.writes]
            if isinstance(op, Map) and op.out.buf in group.stores:
                self.operands[("store", id(op.out.buf))] = Operand(op.out, list(op.out.strides), True)
            elif isinstance(op, Fold) and not op.out.scalar:
                self.operands[("fold", id(op))] = Operand(op.out.view(), _fold_strides(op), True)
        self.iotas = {op.iota for op in group.ops if isinstance(op, Map) and op.iota is not None}
        self._merge()
        self._arrange(types)

    def _merge(self) -> None:
        """Drop dimensions of length 1, and merge neighbours that all operands walk as one."""
        domain = self.group.domain
        keep = [d for d, n in enumerate(domain) if n != 1]
        runs: list[list[int]] = []
        for d in keep:
            fits = bool(runs) and not {d, runs[-1][-1]} & self.iotas
            if fits:
                before, n = runs[-1][-1], domain[d]
                fits = all(o.strides[before] == o.strides[d] * n for o in self.operands.values())
                fits &= all((before in f.axis) == (d in f.axis) for f in self.folds)
            if fits:
                runs[-1].append(d)
            else:
                runs.append([d])
        self.runs = runs
        self.length = [_product(domain[d] for d in run) for run in runs]
        for o in self.operands.values():
            o.strides = [o.strides[run[-1]] for run in runs]
        self.reduced = [[run[0] in f.axis for run in runs] for f in self.folds]

    def _arrange(self, sizes: list[int]) -> None:
        """Choose the dimension of vectors, and the order of the loops."""
        rank, width = len(self.runs), self.frame.lanes
        most = width(max(sizes, default=4))

        def cost(d: int) -> float:
            if not self.length[d]:
                return 0
            accesses = sum(1.0 if o.strides[d] in (0, 1) else 0.75 * most for o in self.operands.values())
            return (accesses + len(self.group.ops)) / min(most, self.length[d])

        self.vector = min(range(rank - 1, -1, -1), key=cost) if rank else -1
        order = [d for d in range(rank) if d != self.vector]
        v = self.vector
        self.lanes = lanes_for(self.code, width, sizes, self.length[v]) if rank else 0
        inside: list[int] = []
        if rank > 1:
            for o in self.operands.values():  # a strided load goes with the dimension it has side by side
                if o.strides[v] not in (0, 1) and not any(r[v] for r in self.reduced):
                    inside = [d for d in order if o.strides[d] == 1][:1]
            size = max((o.view.size * o.view.t.size for o in self.operands.values()), default=0)
            down = [r for r in self.reduced if not r[v]]
            if not inside and down and len(down) == len(self.folds) and size <= COLUMN_BYTES:
                inside = [d for d in order if all(r[d] for r in down)]
        self.order = [*(d for d in order if d not in inside), *([v] if rank else []), *inside]
        # the first loop from which on every loop is one that the fold reduces
        self.suffix = []
        for r in self.reduced:
            at = rank
            while at > 0 and r[self.order[at - 1]]:
                at -= 1
            self.suffix.append(at)
        inner = self.length[self.order[-1]] if rank else 0
        weight = sum(FEW_OPS if isinstance(op, Map) and op.cost > FEW else 1 for op in self.group.ops)
        flat = rank > 0 and self.order[-1] == v and any(s < rank for s in self.suffix)
        self.unroll = 4 if flat and weight <= FEW_OPS and inner >= 8 * max(self.lanes, 1) else 1
        self.wide = []
        for f, s in zip(self.folds, self.suffix, strict=True):
            steps = _product(self.length[d] for d in self.order[s:]) // max(self.lanes, 1)
            sums = f.name in ("sum", "mean") and f.reads[0].t.kind == "f"
            self.wide.append(sums and flat and s < rank and steps > 4 * CHUNK)

    # -- writing

    def write(self) -> None:
        """Write the loops into the frame's code."""
        frame, code = self.frame, self.code
        pointers = {k: frame.pointer(o.view) for k, o in self.operands.items()}
        self.live = 0  # how many lanes count, where not all do
        for i, f in enumerate(self.folds):
            if i in self.partial and not f.out.scalar:
                pointers["fold", id(f)] = self.partial[i]
        self.begin([i for i in range(len(self.folds)) if i in self.partial or self.part is None])
        none: list[Val | None] = [None] * len(self.folds)
        known = {
            k: code.load(pointers[k], o.view.t) for k, o in self.operands.items() if not o.store and not any(o.strides)
        }
        accs = self._level(0, pointers, {}, known, self._start(0, none))
        for i, s in enumerate(self.suffix):
            if s == 0:
                self._finish(i, accs[i], pointers)  # type: ignore[arg-type]
        if self.part is None:
            self.end(range(len(self.folds)))

    def begin(self, which: Iterable[int]) -> None:
        """Let the folds that gather partial results in memory start."""
        for i in which:
            f = self.folds[i]
            if self._in_memory(i):
                self._over(i, lambda x, f=f: self.code.const(f.reducer.start(x.t), x.t, x.n))

    def end(self, which: Iterable[int]) -> None:
        """What a reducer does with the whole, for folds whose whole is in memory."""
        for i in which:
            f = self.folds[i]
            if self._in_memory(i) and f.reducer.finish:
                self._over(i, lambda x, f=f: f.reducer.finish(x, f.count))

    def _in_memory(self, i: int) -> bool:
        """Whether fold ``i`` has partial results in memory: it reduces a loop outside one that it does not."""
        return any(self.reduced[i][d] for d in self.order[: self.suffix[i]])

    def _over(self, i: int, g: Callable[..., Val], other: Val | None = None) -> None:
        """Replace each element of fold ``i``'s output x by g(x), or by g(x, y) with the elements at ``other``."""
        f = self.folds[i]
        code, t, n = self.code, f.out.t, f.out.size
        p = self.partial[i] if i in self.partial else self.frame.pointer(f.out.view())
        lanes = self.frame.lanes(t.size)
        full = n // lanes * lanes

        def step(k: Val, lanes: int) -> list[Val]:
            at = code.offset(p, k, t.size)
            more = [] if other is None else [code.load(code.offset(other, k, t.size), t, lanes)]
            code.store(g(code.load(at, t, lanes), *more), at)
            return []

        code.loop(0, full, lanes, [], lambda k, _: step(k, lanes))
        code.loop(full, n, 1, [], lambda k, _: step(k, 0))

    def _start(self, level: int, accs: list[Val | None]) -> list[Val | None]:
        """The accumulators with those that begin before loop ``level``."""
        code = self.code
        out = list(accs)
        for i, f in enumerate(self.folds):
            if self.suffix[i] == level < len(self.order):
                out[i] = code.const(0, F64, self.lanes) if self.wide[i] else self._identity(f)
        return out

    def _identity(self, f: Fold) -> Val:
        t = f.reads[0].t
        return self.code.const(f.reducer.start(t), t, self.lanes)

    def _level(
        self, level: int, pointers: dict, index: dict[int, Val], loaded: dict, accs: list[Val | None]
    ) -> list[Val | None]:
        """Write loop ``level`` and what is inside; gives the accumulators after it."""
        if level == len(self.order):
            return self._body(pointers, index, loaded, accs)
        code, d = self.code, self.order[level]
        n, lanes = self.length[d], self.lanes
        later = self.order[level + 1 :]

        def turn(i: Val, now: list[Val | None]) -> list[Val | None]:
            """One turn: pointers moved, invariant elements loaded, inner folds begun and finished."""
            moved, known = {}, dict(loaded)
            for k, o in self.operands.items():
                s = o.strides[d]
                moved[k] = code.offset(pointers[k], i if s == 1 else i * s, o.view.t.size) if s else pointers[k]
                if not o.store and s and not (d == self.vector and lanes) and not any(o.strides[e] for e in later):
                    known[k] = self._load(o, moved[k])
            after = self._level(level + 1, moved, {**index, d: i}, known, self._start(level + 1, now))
            for x, s in enumerate(self.suffix):
                if s == level + 1 < len(self.order):
                    self._finish(x, after[x], moved)
                    after[x] = now[x]
            return after

        start, stop = self.part if level == 0 and self.part else (0, None)
        if d != self.vector or not lanes:
            return self._run(level, start, n if stop is None else stop, 1, accs, turn)
        full = n // lanes * lanes
        end, tail = (full, n) if stop is None else (stop, None)
        if level == len(self.order) - 1:
            return self._inner(level, start, end, tail, accs, turn)
        accs = self._run(level, start, end, lanes, accs, turn)
        return accs if tail is None else self._tail(full, n, accs, turn)

    def _run(
        self, level: int, start: Any, stop: Any, step: int, accs: list[Val | None], turn: Callable
    ) -> list[Val | None]:
        """The loop that carries the accumulators of folds that reduce it."""
        live = [i for i, a in enumerate(accs) if a is not None and self.suffix[i] <= level]

        def body(i: Val, values: list[Val]) -> list[Val]:
            now = list(accs)
            for x, v in zip(live, values, strict=True):
                now[x] = v
            after = turn(i, now)
            return [after[x] for x in live]

        out = list(accs)
        for x, v in zip(live, self.code.loop(start, stop, step, [accs[x] for x in live], body), strict=True):  # type: ignore[misc]
            out[x] = v
        return out

    def _tail(self, full: int, n: int, accs: list[Val | None], turn: Callable) -> list[Val | None]:
        """The last elements, fewer than a vector, under a mask."""
        if n == full:
            return accs
        code = self.code
        self.live, code.mask = n - full, first_lanes(code, n - full, self.lanes)
        with code.scope():
            accs = turn(code.int(full), accs)
        self.live, code.mask = 0, None
        return accs

    def _inner(
        self, level: int, begin: Val | int, full: Val | int, n: int | None, accs: list[Val | None], turn: Callable
    ) -> list[Val | None]:
        """The innermost loop, over vectors: unrolled with several accumulators if the body is small, long sums in chunks.

        Bounds that are not static are multiples of ``unit`` apart, and there is no tail.
        """
        code, lanes, times = self.code, self.lanes, self.unroll
        live = [i for i, a in enumerate(accs) if a is not None]
        wide = [i for i in live if self.wide[i]]

        def parts(now: list[Val | None]) -> list[Val | None]:
            """Accumulators in the folds' own types: fresh for long sums."""
            return [self._identity(f) if i in wide else now[i] for i, f in enumerate(self.folds)]

        def join(totals: list[Val | None], now: list[Val | None]) -> list[Val | None]:
            return [totals[i] + now[i].to(F64) if i in wide else now[i] for i in range(len(now))]  # type: ignore[operator, union-attr]

        def unrolled(start: Any, stop: Any, now: list[Val | None]) -> list[Val | None]:
            first = [now[x] for x in live]
            more = [self._identity(self.folds[x]) for x in live] * (times - 1)

            def body(i: Val, values: list[Val]) -> list[Val]:
                out: list[Val] = []
                for u in range(times):
                    mine = list(now)
                    for x, v in zip(live, values[u * len(live) :], strict=False):
                        mine[x] = v
                    after = turn(i + u * lanes if u else i, mine)
                    out += [after[x] for x in live]  # type: ignore[misc]
                return out

            values = code.loop(start, stop, lanes * times, [*first, *more], body)  # type: ignore[list-item]
            out = list(now)
            for k, x in enumerate(live):
                combine = self.folds[x].reducer.combine
                total = values[k]
                for u in range(1, times):
                    total = combine(total, values[u * len(live) + k])
                out[x] = total
            return out

        def sweep(start: Any, stop: Any, now: list[Val | None]) -> list[Val | None]:
            return unrolled(start, stop, now) if times > 1 else self._run(level, start, stop, lanes, now, turn)

        chunk = CHUNK * lanes * times
        if isinstance(begin, int) and isinstance(full, int):
            most = begin + (full - begin) // (lanes * times) * lanes * times
            whole: Val | int = begin + (most - begin) // chunk * chunk
        if not wide:
            if n is None:
                return sweep(begin, full, accs)
            accs = sweep(begin, most, accs)
            accs = self._run(level, most, full, lanes, accs, turn)
            return self._tail(full, n, accs, turn)  # type: ignore[arg-type]
        if n is None:
            whole = full

        def one(i: Val, values: list[Val]) -> list[Val]:
            now = list(accs)
            for x, v in zip(live, values, strict=True):
                now[x] = v
            after = join(now, sweep(i, i + chunk, parts(now)))
            return [after[x] for x in live]  # type: ignore[misc]

        now = list(accs)
        for x, v in zip(live, code.loop(begin, whole, chunk, [accs[x] for x in live], one), strict=True):  # type: ignore[list-item]
            now[x] = v
        if n is None:
            return now
        rest = sweep(whole, most, parts(now))
        rest = self._run(level, most, full, lanes, rest, turn)
        return join(now, self._tail(full, n, rest, turn))  # type: ignore[arg-type]

    def _load(self, o: Operand, p: Val) -> Val:
        """The operand's element or vector at ``p``."""
        code, t = self.code, o.view.t
        stride = o.strides[self.vector] if self.lanes else 0
        if stride == 0:
            return code.load(p, t)
        if stride == 1:
            return code.load(p, t, self.lanes, code.mask)
        return gather(code, p, t, stride, self.lanes, self.live or self.lanes)

    def _body(self, pointers: dict, index: dict[int, Val], loaded: dict, accs: list[Val | None]) -> list[Val | None]:
        code, lanes = self.code, self.lanes
        here = dict(loaded)

        def load(v: View) -> Val:
            k = key(v)
            if k not in here:
                here[k] = self._load(self.operands[k], pointers[k])
            return here[k]

        def store(v: View, x: Val) -> None:
            k = ("store", id(v.buf))
            self._put(self.operands[k], x, pointers[k])

        def at(axis: int) -> Val:
            d = next((d for d, run in enumerate(self.runs) if axis in run), None)
            if d is None:
                return code.int(0)
            i = index[d]
            return i.spread(lanes) + code.lanes_of(range(lanes), I64) if d == self.vector and lanes else i

        out = list(accs)

        def fold(f: Fold, x: Val) -> None:
            i = next(i for i, g in enumerate(self.folds) if g is f)
            x = x.spread(lanes)
            lanewise = not self.reduced[i][self.vector]
            if code.mask is not None and not lanewise:
                x = where(code.mask, x, f.reducer.start(x.t))
            if self.suffix[i] == len(self.order):  # no loop of its own: straight into memory
                self._into(i, x if lanewise else across(x, f.reducer.combine), pointers)
                return
            out[i] = f.reducer.combine(out[i], x)  # type: ignore[arg-type]

        # loads first: what a buffer holds must be read before its successor is written over it
        for k, o in self.operands.items():
            if not o.store:
                load(o.view)
                assert k in here
        compute(self.frame, self.group, load, at, {}, store, fold)
        return out

    def _put(self, o: Operand, x: Val, p: Val) -> None:
        """Store a value or vector."""
        stride = o.strides[self.vector] if self.lanes else 0
        if stride == 0:
            self.code.store(x.lane(0), p)
        elif stride == 1:
            self.code.store(x.spread(self.lanes), p, self.code.mask)
        else:
            scatter(self.code, x.spread(self.lanes), p, stride, self.live or self.lanes)

    def _finish(self, i: int, total: Val, pointers: dict) -> None:
        """A fold's register loops are over: lanes that it reduces are combined, and the result put where it belongs."""
        f = self.folds[i]
        if total.n and self.reduced[i][self.vector]:
            total = across(total, f.reducer.combine)
        if i in self.partial and f.out.scalar:
            self.code.store(total, self.partial[i])
            return
        self._into(i, total.to(f.reads[0].t), pointers)

    def _into(self, i: int, x: Val, pointers: dict) -> None:
        f = self.folds[i]
        if f.out.scalar:
            self.frame.define(f.out, f.reducer.finish(x, f.count) if f.reducer.finish else x)
            return
        o, p = self.operands["fold", id(f)], pointers["fold", id(f)]
        if self._in_memory(i):
            x = f.reducer.combine(self._load(o, p), x)
        elif f.reducer.finish:
            x = f.reducer.finish(x, f.count)
        self._put(o, x, p)


def _product(ns: Any) -> int:
    n = 1
    for d in ns:
        n *= d
    return n


def _fold_strides(f: Fold) -> list[int]:
    kept = iter(row_major(f.out.shape))
    out = [0 if a in f.axis else next(kept) for a in range(len(f.domain))]
    return [0 if f.domain[a] == 1 else s for a, s in enumerate(out)]


__all__ = ["Nest", "across", "compute", "first_lanes", "gather", "key", "lanes_for", "scatter"]
