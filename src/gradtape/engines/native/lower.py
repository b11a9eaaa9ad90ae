"""From a graph's nodes to a few kinds of operations on memory: maps, folds, matrix products, loops and branches.

Shapes are known here, so what only rearranges elements costs nothing: a reshape, transpose, slice or broadcast is a ``View``,
an offset and strides into another value's buffer. Rows that are compositions (softmax, cross-entropies ...) are taken apart,
so that their parts fuse with their surroundings. ``LOWER`` holds the rules, by the row's name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...ground.graph import Graph, Node, Value
from .emit import CAN_FAIL, EMITTERS, Reducer, emitter_of, fail, reducer_of
from .ir import I1, TYPES, Type, Val

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

    Without a buffer, every element is the number ``const``.
    """

    __slots__ = ("buf", "const", "offset", "shape", "strides", "t")

    def __init__(self, buf: Buf | None, shape: Shape, t: Type, offset: int, strides: Shape, const: Any = None) -> None:
        self.buf, self.shape, self.t, self.offset, self.const = buf, shape, t, offset, const
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
        return View(self.buf, shape, self.t, self.offset, strides, self.const)

    def transpose(self, perm: Shape) -> View:
        """The dimensions in another order."""
        return View(
            self.buf,
            tuple(self.shape[p] for p in perm),
            self.t,
            self.offset,
            tuple(self.strides[p] for p in perm),
            self.const,
        )

    def reshape(self, shape: Shape) -> View | None:
        """The same elements in row-major order under another shape; None where that takes a copy."""
        if self.scalar or self.size == 0:
            return View(self.buf, shape, self.t, self.offset, (0,) * len(shape), self.const)
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
        return View(self.buf, shape, self.t, self.offset, tuple(strides), self.const)

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
        return View(self.buf, (*shape, *self.shape[at:]), self.t, offset, (*strides, *self.strides[at:]), self.const)

    def __repr__(self) -> str:
        return f"{self.buf or self.const}{list(self.shape)}+{self.offset}{list(self.strides)}"


def row_major(shape: Shape) -> Shape:
    """The strides of an array in row-major order."""
    strides, n = [0] * len(shape), 1
    for i in range(len(shape) - 1, -1, -1):
        strides[i] = n
        n *= shape[i]
    return tuple(strides)


# -- operations --------------------------------------------------------------------------------------------------------------


class Op:
    """What all operations have: the views they read, the buffers they write, and in elements the work of a run."""

    reads: tuple[View, ...] = ()
    writes: tuple[Buf, ...] = ()


class Map(Op):
    """Each element of ``out`` from the same elements of the inputs. ``f`` takes their values, and ``index`` if it asks for it."""

    def __init__(
        self,
        name: str,
        f: Callable[..., Val],
        reads: Sequence[View],
        attrs: dict[str, Any],
        out: View,
        iota: int | None = None,
    ) -> None:
        self.name, self.f, self.attrs, self.out, self.iota = name, f, attrs, out, iota
        self.reads = tuple(v.broadcast(out.shape) for v in reads)
        assert out.buf is not None
        self.writes = (out.buf,)
        self.domain = out.shape


class Fold(Op):
    """A reduction of a view along axes, in row-major order of what is kept."""

    def __init__(self, name: str, r: Reducer, x: View, axis: Shape, out: Buf) -> None:
        self.name, self.reducer, self.axis, self.out = name, r, axis, out
        self.reads, self.writes, self.domain = (x,), (out,), x.shape
        self.count = math.prod(x.shape[a] for a in axis)


class Product(Op):
    """A matrix product, or a batch of them: x is (..., m, k), y (..., k, n), with any strides, ``out`` (..., m, n)."""

    def __init__(self, x: View, y: View, out: Buf) -> None:
        self.out = out
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

    def __init__(self, x: View, index: View, out: Buf, outer: int, n: int, inner: int) -> None:
        self.out, self.outer, self.n, self.inner = out, outer, n, inner
        self.reads, self.writes = (x, index), (out,)


class Scatter(Op):
    """A copy of ``base`` (or zeros) whose rows with the given numbers are replaced by, or added to, those of ``u``."""

    def __init__(self, base: View | None, index: View, u: View, out: Buf, how: str) -> None:
        self.base, self.out, self.how = base, out, how
        self.n, self.inner = out.shape[0], out.size // out.shape[0]
        self.reads, self.writes = (index, u) if base is None else (index, u, base), (out,)


class Body:
    """A graph lowered by itself: what runs inside a loop or a branch, or the whole program."""

    def __init__(self, args: list[Buf], ops: list[Op], outs: list[View]) -> None:
        self.args, self.ops, self.outs = args, ops, outs


class While(Op):
    """``while cond(state): state = body(state)``; trailing reads beyond the state are invariant."""

    def __init__(self, cond: Body, body: Body, reads: Sequence[View], outs: Sequence[Buf]) -> None:
        self.cond, self.body, self.reads, self.writes = cond, body, tuple(reads), tuple(outs)


class Branch(Op):
    """One of two bodies, by the first read."""

    def __init__(self, yes: Body, no: Body, reads: Sequence[View], outs: Sequence[Buf]) -> None:
        self.yes, self.no, self.reads, self.writes = yes, no, tuple(reads), tuple(outs)


TILE_LIMIT = 1_000_000  # M·N·K up to which a matrix product is inlined


def inlined(p: Product) -> bool:
    """Whether a product is written out in registers, not left to BLAS."""
    return p.out.t.kind != "f" or p.m * p.n * p.k <= TILE_LIMIT


def _for_blas(v: View) -> bool:
    (m, n), (s, t) = v.shape[-2:], v.strides[-2:]
    return (t == 1 and s >= n) or (s == 1 and t >= m) or (t == 1 and m == 1) or (s == 1 and n == 1)


# -- lowering ------------------------------------------------------------------------------------------------------------------


class Lowering:
    """Lowers the nodes of one graph; bodies of control flow get one each, which share ``consts`` with the program's."""

    def __init__(self, consts: list[np.ndarray]) -> None:
        self.consts = consts
        self.ops: list[Op] = []
        self.views: dict[int, View] = {}
        self.can_fail = False
        self.has_loop = False

    def run(self, inputs: Sequence[Value], nodes: Sequence[Node], outputs: Sequence[Value]) -> Body:
        """Lower ``nodes``."""
        args = []
        for i, v in enumerate(inputs):
            b = Buf(v.aval.shape, TYPES[v.aval.dtype.name], "arg", i)
            args.append(b)
            self.views[id(v)] = b.view()
        for n in nodes:
            views = [self.view(v) for v in n.ins]
            outs = self.folded(n, views) or LOWER.get(n.p.name, _elementwise)(self, n, *views)
            for v, w in zip(n.outs, outs if isinstance(outs, (list, tuple)) else (outs,), strict=True):
                self.views[id(v)] = w
        return Body(args, self.ops, [self.view(v) for v in outputs])

    def view(self, v: Value) -> View:
        """Where a value lies."""
        w = self.views.get(id(v))
        if w is None:
            w = self.views[id(v)] = self.constant(v.const, TYPES[v.aval.dtype.name])
        return w

    def constant(self, c: Any, t: Type) -> View:
        """A constant: a number where all elements are the same, else an array whose address is linked in."""
        c = np.asarray(c)
        if c.size == 1 or (0 < c.size <= 4096 and c.tobytes() == c.flat[0].tobytes() * c.size):
            return self.number(c.flat[0].item(), t, c.shape)
        self.consts.append(np.require(c, requirements=["C", "A"]))
        return Buf(c.shape, t, "const", len(self.consts) - 1).view()

    def number(self, c: Any, t: Type, shape: Shape = ()) -> View:
        """The number ``c`` as a view of the given shape."""
        return View(None, shape, t, 0, (0,) * len(shape), c)

    def folded(self, n: Node, views: Sequence[View]) -> View | None:
        """The number that an elementwise row of numbers comes to."""
        if not views or n.p.name not in EMITTERS or any(v.buf is not None for v in views):
            return None
        aval = n.outs[0].aval
        try:
            with np.errstate(all="ignore"):
                c = n.p.kernel(*[x.aval.dtype.np.type(v.const) for x, v in zip(n.ins, views, strict=True)], **n.attrs)
        except Exception:
            return None  # the error is the run's, not compilation's
        return self.number(np.asarray(c).item(), TYPES[aval.dtype.name], aval.shape)

    # -- operations on views, of which rules are made

    def new(self, shape: Shape, t: Type) -> Buf:
        """Room for a value."""
        return Buf(shape, t)

    def map(self, name: str, *xs: View, out: Type | None = None, like: int = 0, **attrs: Any) -> View:
        """An elementwise row of views that broadcast together."""
        shape = np.broadcast_shapes(*[x.shape for x in xs])
        f = emitter_of(name, xs[like].t.name)
        assert f is not None
        self.can_fail |= name in CAN_FAIL
        b = self.new(shape, out or xs[like].t)
        self.ops.append(Map(name, f, xs, attrs, b.view()))
        return b.view()

    def put(self, x: View, into: View) -> None:
        """Copy a view into (part of) a buffer."""
        self.ops.append(Map("copy", lambda v: v, [x], {}, into))

    def copy(self, x: View) -> View:
        """A view's elements in memory, in order."""
        b = self.new(x.shape, x.t)
        self.put(x, b.view())
        return b.view()

    def reshape(self, x: View, shape: Shape) -> View:
        """Another shape, by a copy where need be."""
        y = x.reshape(shape)
        return y if y is not None else self.copy(x).reshape(shape)  # type: ignore[return-value]

    def fold(self, name: str, x: View, axis: Shape, keepdims: bool = False) -> View:
        """A reduction."""
        r = reducer_of(name, x.t.name)
        assert r is not None
        kept = tuple(d for i, d in enumerate(x.shape) if i not in axis)
        b = self.new(kept, x.t)
        self.ops.append(Fold(name, r, x, axis, b))
        return (
            self.reshape(b.view(), tuple(1 if i in axis else d for i, d in enumerate(x.shape)))
            if keepdims
            else b.view()
        )

    def iota(self, shape: Shape, axis: int, t: Type) -> View:
        """The index along an axis."""
        b = self.new(shape, t)
        self.ops.append(Map("iota", lambda i: i.to(t), [], {}, b.view(), iota=axis))
        return b.view()

    def check(self, bad: View) -> View:
        """Fail where ``bad`` holds; gives ``bad``."""
        self.can_fail = True

        def f(c: Val) -> Val:
            fail(c)
            return c

        b = self.new(bad.shape, I1)
        self.ops.append(Map("check", f, [bad], {}, b.view()))
        return b.view()

    def product(self, x: View, y: View) -> View:
        """A matrix product."""
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        m, k, n = *x.shape[-2:], y.shape[-1]
        if 0 in (k, m, n, *batch):
            return self.number(0, x.t, (*batch, m, n))
        if k == 1:
            return self.map("multiply", x, y)
        if m == n == 1:
            shape = (*batch, k)
            both = self.map("multiply", self.reshape(x, x.shape[:-2] + (k,)), self.reshape(y, y.shape[:-2] + (k,)))
            return self.reshape(self.fold("sum", both.broadcast(shape), (len(batch),)), (*batch, 1, 1))
        x, y = (v if v.buf is not None and not v.buf.scalar else self.copy(v) for v in (x, y))
        p = Product(x, y, self.new((*batch, m, n), x.t))
        if not inlined(p):  # BLAS takes matrices whose rows or columns are contiguous
            x, y = (v if _for_blas(v) else self.copy(v) for v in (x, y))
            p = Product(x, y, p.out)
        self.ops.append(p)
        return p.out.view()

    def inner(self, graph: Graph) -> Body:
        """The body of control flow."""
        low = Lowering(self.consts)
        body = low.run(graph.inputs, graph.nodes, graph.outputs)
        self.can_fail |= low.can_fail
        self.has_loop |= low.has_loop
        return body


Rule = Callable[..., Any]
LOWER: dict[str, Rule] = {}
_IF: dict[str, Callable[[Node], bool]] = {}  # what must hold beyond known shapes and types


def rule(name: str, when: Callable[[Node], bool] | None = None) -> Callable[[Rule], Rule]:
    """Enter the rule of row ``name``: it takes the lowering, the node and the views of its inputs, and gives those of its outputs."""

    def enter(f: Rule) -> Rule:
        LOWER[name] = f
        if when:
            _IF[name] = when
        return f

    return enter


def is_native(n: Node) -> bool:
    """Whether a node can be compiled: a rule or an emitter, known shapes, types that the engine has."""
    for v in (*n.ins, *n.outs):
        if v.aval.dtype.name not in TYPES or None in v.aval.shape:
            return False
    name = n.p.name
    if name in LOWER:
        return _IF[name](n) if name in _IF else True
    return bool(n.ins) and emitter_of(name, n.ins[min(n.p.like, len(n.ins) - 1)].aval.dtype.name) is not None


def _elementwise(low: Lowering, n: Node, *xs: View) -> View:
    return low.map(n.p.name, *xs, out=TYPES[n.outs[0].aval.dtype.name], like=n.p.like, **n.attrs)


from . import rules  # noqa: E402  (they fill the table)

__all__ = [
    "LOWER",
    "Body",
    "Branch",
    "Buf",
    "Fold",
    "Lowering",
    "Map",
    "Op",
    "Product",
    "Scatter",
    "Take",
    "View",
    "While",
    "is_native",
    "row_major",
    "rules",
]
