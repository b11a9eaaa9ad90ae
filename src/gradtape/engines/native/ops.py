"""What graphs become: a few kinds of operations on memory, over views of buffers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .emit import Emitter, Reducer, emitter_of
from .ir import Type, Val

Shape = tuple[int, ...]


class Buf:
    """A value that may lie in memory, in row-major order.

    Attributes:
        kind: ``arg`` (the ``index``-th input), ``const`` (an array known at compile time), or ``temp``.
        scalar: it has one element, and travels in a register.
    """

    __slots__ = ("index", "kind", "shape", "size", "t")

    def __init__(self, shape: Shape, t: Type, kind: str = "temp", index: int = -1) -> None:
        self.shape, self.t, self.kind, self.index = shape, t, kind, index
        self.size = math.prod(shape)

    @property
    def scalar(self) -> bool:
        """Whether there is one element."""
        return self.size == 1

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        return self.size * self.t.size

    def view(self) -> View:
        """All of it."""
        return View(self, self.shape, self.t, 0, row_major(self.shape))

    def __repr__(self) -> str:
        return f"<{self.kind} {self.t}{list(self.shape)} at {id(self) & 0xFFFF:x}>"


class View:
    """Elements of a buffer: element (i, j, ...) lies at ``offset + i·strides[0] + j·strides[1] + ...``, counted in elements.

    Without a buffer, every element is the number ``const``. Who reads it runs when the buffers ``after`` have been made.
    """

    __slots__ = ("after", "buf", "const", "offset", "shape", "strides", "t")

    def __init__(
        self,
        buf: Buf | None,
        shape: Shape,
        t: Type,
        offset: int,
        strides: Shape,
        const: Any = None,
        after: tuple[Buf, ...] = (),
    ) -> None:
        self.buf, self.shape, self.t, self.offset, self.const, self.after = buf, shape, t, offset, const, after
        self.strides = tuple(0 if d == 1 else s for d, s in zip(shape, strides, strict=True))

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def scalar(self) -> bool:
        """Whether its buffer is a scalar, or it is a constant."""
        return self.buf is None or self.buf.scalar

    @property
    def whole(self) -> bool:
        """Whether it is all of its buffer, in order."""
        b = self.buf
        return (
            b is not None
            and self.offset == 0
            and self.size == b.size
            and self.strides == View(None, self.shape, self.t, 0, row_major(self.shape)).strides
        )

    def broadcast(self, shape: Shape) -> View:
        """Repeated along new and length-1 dimensions to fill ``shape``."""
        pad = len(shape) - len(self.shape)
        strides = (0,) * pad + tuple(0 if d == 1 else s for d, s in zip(self.shape, self.strides, strict=True))
        return View(self.buf, shape, self.t, self.offset, strides, self.const, self.after)

    def waiting_for(self, bufs: tuple[Buf, ...]) -> View:
        """The same elements, to be read when ``bufs`` have been made."""
        return View(self.buf, self.shape, self.t, self.offset, self.strides, self.const, self.after + bufs)

    def transpose(self, perm: Shape) -> View:
        """The dimensions in another order."""
        return View(
            self.buf,
            tuple(self.shape[p] for p in perm),
            self.t,
            self.offset,
            tuple(self.strides[p] for p in perm),
            self.const,
            self.after,
        )

    def reshape(self, shape: Shape) -> View | None:
        """The same elements in row-major order under another shape; None where that takes a copy."""
        if self.scalar or self.size == 0:
            return View(self.buf, shape, self.t, self.offset, (0,) * len(shape), self.const, self.after)
        old = [(d, s) for d, s in zip(self.shape, self.strides, strict=True) if d != 1]
        merged: list[list[int]] = []  # runs of dimensions that step as one: length and inner stride
        for d, s in old:
            if merged and merged[-1][1] == d * s:
                merged[-1] = [merged[-1][0] * d, s]
            else:
                merged.append([d, s])
        strides, k = [0] * len(shape), len(merged) - 1
        left, step = merged[k] if merged else (1, 0)
        for i in range(len(shape) - 1, -1, -1):
            d = shape[i]
            if d == 1:
                continue
            while left == 1 and k > 0:
                k -= 1
                left, step = merged[k]
            if left % d:
                return None
            strides[i], left, step = step, left // d, step * d
        return View(self.buf, shape, self.t, self.offset, tuple(strides), self.const, self.after)

    def index(self, index: tuple) -> View:
        """What a static index of ints, slices and new axes (None) picks."""
        offset, shape, strides, at = self.offset, [], [], 0
        for i in index:
            if i is None:
                shape.append(1)
                strides.append(0)
                continue
            d, s = self.shape[at], self.strides[at]
            at += 1
            if isinstance(i, slice):
                r = range(*i.indices(d))
                offset += r.start * s if len(r) else 0
                shape.append(len(r))
                strides.append(s * r.step)
            else:
                offset += (int(i) + d if i < 0 else int(i)) * s
        strides += self.strides[at:]
        return View(self.buf, (*shape, *self.shape[at:]), self.t, offset, tuple(strides), self.const, self.after)

    def __repr__(self) -> str:
        return f"{self.buf or self.const}{list(self.shape)}+{self.offset}{list(self.strides)}"


class Stack:
    """Rows of one shape, of which the number is known at run time alone: an address and a number, each in a register."""

    __slots__ = ("count", "pointer", "shape", "t")

    def __init__(self, pointer: Buf, count: Buf, shape: Shape, t: Type) -> None:
        self.pointer, self.count, self.shape, self.t = pointer.view(), count.view(), shape, t


def along(x: View, axis: int, i: Any) -> View:
    """What the index ``i`` picks along one axis."""
    return x.index((slice(None),) * axis + (i,))


def row_major(shape: Shape) -> Shape:
    """The strides of an array in row-major order."""
    strides, n = [0] * len(shape), 1
    for i in range(len(shape) - 1, -1, -1):
        strides[i] = n
        n *= shape[i]
    return tuple(strides)


# -- operations --------------------------------------------------------------------------------------------------------------


class Op:
    """What all operations have: the views they read, the buffers they write, and the kind of group that they run in."""

    kind = "loop"
    reads: tuple[View, ...] = ()
    writes: tuple[Buf, ...] = ()


class Map(Op):
    """Each element of ``out`` from the same elements of the inputs. The emitter takes their values, or for an ``iota`` the index along that axis."""

    def __init__(
        self,
        name: str,
        e: Emitter,
        reads: Sequence[View],
        attrs: dict[str, Any],
        out: View,
        iota: int | None = None,
    ) -> None:
        self.name, self.attrs, self.out, self.iota = name, attrs, out, iota
        self.f, self.cost, self.can_fail = e
        self.reads = tuple(v.broadcast(out.shape) for v in reads)
        assert out.buf is not None
        self.writes = (out.buf,)
        self.domain = out.shape


COPY = Emitter(lambda v: v)


class Fold(Op):
    """A reduction of a view along axes, in row-major order of what is kept."""

    def __init__(self, name: str, r: Reducer, x: View, axis: Shape, out: Buf) -> None:
        self.name, self.reducer, self.axis, self.out = name, r, axis, out
        self.reads, self.writes, self.domain = (x,), (out,), x.shape
        self.count = math.prod(x.shape[a] for a in axis)


class Product(Op):
    """A matrix product, or a batch of them: x is (..., m, k), y (..., k, n), with any strides, ``out`` (..., m, n)."""

    kind = "product"

    def __init__(self, x: View, y: View, out: Buf, tiles: bool = False) -> None:
        self.out, self.tiles = out, tiles
        batch = out.shape[:-2]
        self.reads: tuple[View, ...] = (x.broadcast((*batch, *x.shape[-2:])), y.broadcast((*batch, *y.shape[-2:])))
        self.writes, self.domain = (out,), out.shape
        self.m, self.k, self.n = *x.shape[-2:], y.shape[-1]
        self.form = self._form(*self.reads[0].strides[-2:], *self.reads[1].strides[-2:])
        self.base: View | None = None
        self.factor: View | None = None
        self.negative = False

    def update(self, base: View, factor: View | None, negative: bool) -> None:
        """Let the result be ``base`` ± ``factor`` times the product."""
        self.base, self.factor, self.negative = base, factor, negative
        self.reads = (*self.reads[:2], base, *([factor.reshape(())] if factor is not None else []))

    def _form(self, xm: int, xk: int, yk: int, yn: int) -> str:
        """Which dimension vectors run along: ``columns`` (n), ``rows`` (m), ``dots`` (k), or columns of y ``packed`` first."""
        if xk == 1 and yk == 1 and (self.n < 8 or self.m < 4):
            return "dots"
        if self.n == 1:
            return "rows" if xm == 1 else "columns"
        return "columns" if yn == 1 else "packed"


class Take(Op):
    """Slices of a matrix of rows, by numbers known at run time: out[o, j] = x[o, index[j]], each ``inner`` elements long."""

    kind = "rows"

    def __init__(self, x: View | Stack, index: View, out: Buf, outer: int, n: int, inner: int) -> None:
        self.out, self.outer, self.n, self.inner = out, outer, n, inner
        self.stack = isinstance(x, Stack)
        self.reads: tuple[View, ...] = (x.pointer, index, x.count) if isinstance(x, Stack) else (x, index)
        self.writes = (out,)


class Scatter(Op):
    """A copy of ``base`` (or zeros) in which the rows of ``u`` are joined to those with the given numbers by the row ``how``, or without one put there."""

    kind = "rows"

    def __init__(self, base: View | None, index: View, u: View, out: Buf, n: int, how: str) -> None:
        self.base, self.out, self.n, self.inner = base, out, n, out.size // n
        self.join = emitter_of(how, out.t) if how else None
        self.reads, self.writes = (index, u) if base is None else (index, u, base), (out,)


class Scan(Op):
    """Running totals along the middle one of three dimensions: ``step`` makes the next of the last and of the elements. The first is the last read's
    element; if ``exclusive``, each goes to the place after its own, and the first place gets that number."""

    kind = "rows"

    def __init__(
        self,
        step: Callable[..., Val],
        reads: Sequence[View],
        out: Buf,
        dims: Shape,
        reverse: bool,
        exclusive: Any = None,
    ) -> None:
        self.step, self.out, self.dims, self.reverse, self.exclusive = step, out, dims, reverse, exclusive
        self.reads, self.writes = tuple(reads), (out,)


class Draw(Op):
    """Random numbers of the stream that a key names for that kind of ``draw``; with a limit, whether 32 random bits are below it."""

    kind = "rows"

    def __init__(self, key: View, out: Buf, draw: int, limit: View | None = None) -> None:
        self.out, self.draw = out, draw
        self.reads, self.writes = (key,) if limit is None else (key, limit), (out,)


class Body:
    """A graph lowered by itself: what runs inside a loop or a branch, or the whole program."""

    def __init__(self, args: list[Buf], ops: list[Op], outs: list[View]) -> None:
        self.args, self.ops, self.outs = args, ops, outs


class History(NamedTuple):
    """What a loop keeps of the states that it goes through: of which, the first of its slots in the context, and the registers for the result."""

    keep: tuple[int, ...]
    slot: int
    turns: Buf  # as an int32
    count: Buf  # and as an int64
    pointers: tuple[Buf, ...]


class While(Op):
    """``while cond(state): state = body(state)``; trailing reads beyond the state are invariant."""

    kind = "control"

    def __init__(
        self, cond: Body, body: Body, reads: Sequence[View], outs: Sequence[Buf], history: History | None = None
    ) -> None:
        self.cond, self.body, self.reads, self.outs, self.history = cond, body, tuple(reads), tuple(outs), history
        self.writes = (*outs, history.turns, history.count, *history.pointers) if history else tuple(outs)


class Branch(Op):
    """One of two bodies, by the first read."""

    kind = "control"

    def __init__(self, yes: Body, no: Body, reads: Sequence[View], outs: Sequence[Buf]) -> None:
        self.yes, self.no, self.reads, self.writes = yes, no, tuple(reads), tuple(outs)


TILE_LIMIT = 1_000_000  # M·N·K up to which a matrix product is inlined
THIN, LONG = 16, 4096  # with so few rows or columns, and no longer sums, up to more: there is nothing to gain by blocks


def inlined(p: Product) -> bool:
    """Whether a product is written out in registers, not left to BLAS."""
    few = min(p.m, p.n) <= THIN and p.k <= LONG
    return p.tiles or p.out.t.kind != "f" or p.m * p.n * p.k <= TILE_LIMIT * (8 if few else 1)


def for_blas(v: View) -> bool:
    """Whether BLAS takes it as a matrix: its rows or columns are contiguous."""
    (m, n), (s, t) = v.shape[-2:], v.strides[-2:]
    return (t == 1 and s >= n) or (s == 1 and t >= m) or (t == 1 and m == 1) or (s == 1 and n == 1)
