"""From a graph's nodes to a few kinds of operations on memory: maps, folds, matrix products, loops and branches.

Shapes are known here, so what only rearranges elements costs nothing: a reshape, transpose, slice or broadcast is a ``View``,
an offset and strides into another value's buffer. Rows that are compositions (softmax, cross-entropies ...) are taken apart,
so that their parts fuse with their surroundings. ``RULES`` holds how, by the row's name; rows without a rule are elementwise and
have an emitter. float16 and bfloat16 are only stored: what computes does so in float32, and its results are rounded once, as by the kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...ground.graph import Graph, Node, Value
from .emit import Emitter, emitter_of, fail, reducer_of
from .ir import CARRIED, F32, I1, I64, PTR, TYPES, Type, Val
from .ops import COPY, Body, Buf, Fold, Map, Op, Product, Shape, Stack, View, for_blas, inlined

# -- lowering ------------------------------------------------------------------------------------------------------------------


class Shared:
    """What the lowerings of a program and of its bodies have in common: arrays known at compile time, and how many stacks there are."""

    def __init__(self) -> None:
        self.consts: list[np.ndarray] = []
        self.slots = 0


class Lowering:
    """Lowers the nodes of one graph; bodies of control flow get one each.

    A stack among the inputs or outputs takes two registers: the address stands in its place, the number of rows behind all others.
    """

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.ops: list[Op] = []
        self.views: dict[int, Any] = {}
        self.patches: dict[tuple, Any] = {}  # what windows meet, where it has been gathered
        self.can_fail = False

    def run(self, inputs: Sequence[Value], nodes: Sequence[Node], outputs: Sequence[Value]) -> Body:
        """Lower ``nodes``."""
        args: list[Buf] = []
        counts: list[Buf] = []
        for i, v in enumerate(inputs):
            shape, t = v.aval.shape, CARRIED[v.aval.dtype.name]
            if None in shape:
                args.append(Buf((), PTR, "arg", i))
                counts.append(Buf((), I64, "arg", len(inputs) + len(counts)))
                self.views[id(v)] = Stack(args[-1], counts[-1], shape[1:], t)
            else:
                args.append(Buf(shape, t, "arg", i))
                self.views[id(v)] = args[-1].view()
        for n in nodes:
            for v, w in zip(n.outs, self.node(n), strict=True):
                self.views[id(v)] = w
        return Body(args + counts, self.ops, flat([self.view(v) for v in outputs]))

    def node(self, n: Node) -> Sequence[Any]:
        """Lower a node; gives the views of its outputs."""
        xs = [self.view(v) for v in n.ins]
        if n.p.passes is not None:
            return xs[n.p.passes :][: len(n.outs)]
        number = self.folded(n, xs)
        if number is not None:
            return [number]
        r = RULES.get(n.p.name, _ELEMENTWISE)
        if not (r.moves(n) if callable(r.moves) else r.moves):
            xs = [self.convert(x, computed(x.t)) if isinstance(x, View) else x for x in xs]
        outs = r.lower(self, n, *xs)
        outs = outs if isinstance(outs, (list, tuple)) else (outs,)
        return [
            self.convert(w, CARRIED[v.aval.dtype.name]) if isinstance(w, View) else w
            for v, w in zip(n.outs, outs, strict=True)
        ]

    def view(self, v: Value) -> Any:
        """Where a value lies."""
        w = self.views.get(id(v))
        if w is None:
            w = self.views[id(v)] = self.constant(v.const, TYPES[v.aval.dtype.name])
        return w

    def constant(self, c: Any, t: Type) -> View:
        """A constant: a number where all elements are the same, else an array whose address is linked in."""
        c = np.asarray(c)
        if c.size == 1 or (0 < c.size <= 4096 and c.tobytes() == c.flat[0].tobytes() * c.size):
            return self.number(_python(c.flat[0]), t, c.shape)
        consts = self.shared.consts
        consts.append(np.require(c, requirements=["C", "A"]))
        return Buf(c.shape, t, "const", len(consts) - 1).view()

    def number(self, c: Any, t: Type, shape: Shape = ()) -> View:
        """The number ``c`` as a view of the given shape."""
        return View(None, shape, t, 0, (0,) * len(shape), c)

    def folded(self, n: Node, views: Sequence[View]) -> View | None:
        """The number that an elementwise row of numbers comes to."""
        if not views or not n.p.elementwise or any(v.buf is not None for v in views):
            return None
        aval = n.outs[0].aval
        try:
            with np.errstate(all="ignore"):
                c = n.p.compute(*[x.aval.dtype.np.type(v.const) for x, v in zip(n.ins, views, strict=True)], **n.attrs)
        except Exception:
            return None  # the error is the run's, not compilation's
        return self.number(_python(np.asarray(c)[()]), TYPES[aval.dtype.name], aval.shape)

    # -- operations on views, of which rules are made

    def new(self, shape: Shape, t: Type) -> Buf:
        """Room for a value."""
        return Buf(shape, t)

    def map(self, name: str, *xs: View, out: Type | None = None, like: int = 0, **attrs: Any) -> View:
        """An elementwise row of views that broadcast together."""
        e = emitter_of(name, xs[like].t)
        assert e is not None
        return self.apply(name, e, xs, out or xs[like].t, attrs)

    def apply(self, name: str, e: Emitter, xs: Sequence[View], t: Type, attrs: dict[str, Any] | None = None) -> View:
        """An emitter on views that broadcast together. One name must not stand for two functions."""
        self.can_fail |= e.can_fail
        b = self.new(np.broadcast_shapes(*[x.shape for x in xs]), t)
        self.ops.append(Map(name, e, xs, attrs or {}, b.view()))
        return b.view()

    def convert(self, x: View, t: Type) -> View:
        """A view's elements as another type."""
        if x.t is t:
            return x
        if x.buf is None:
            return self.number(x.const, t, x.shape)
        return self.apply("convert", Emitter(lambda v: v.to(t)), [x], t)

    def put(self, x: View, into: View) -> None:
        """Copy a view into (part of) a buffer."""
        self.ops.append(Map("copy", COPY, [x], {}, into))

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
        r = reducer_of(name, x.t)
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
        self.ops.append(Map("iota", Emitter(lambda i: i.to(t)), [], {}, b.view(), iota=axis))
        return b.view()

    def check(self, bad: View) -> View:
        """Fail where ``bad`` holds; gives ``bad``."""

        def f(c: Val) -> Val:
            fail(c)
            return c

        return self.apply("check", Emitter(f, can_fail=True), [bad], I1)

    def product(self, x: View, y: View, tiles: bool = False) -> View:
        """A matrix product; with ``tiles`` never left to BLAS."""
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
        p = Product(x, y, self.new((*batch, m, n), x.t), tiles)
        if not inlined(p):  # BLAS takes matrices whose rows or columns are contiguous
            x, y = (v if for_blas(v) else self.copy(v) for v in (x, y))
            p = Product(x, y, p.out)
        self.ops.append(p)
        return p.out.view()

    def inner(self, graph: Graph) -> Body:
        """The body of control flow."""
        low = Lowering(self.shared)
        body = low.run(graph.inputs, graph.nodes, graph.outputs)
        self.can_fail |= low.can_fail
        return body


def computed(t: Type) -> Type:
    """The type that elements of type ``t`` are computed in."""
    return F32 if t.kind == "h" else t


def flat(xs: Sequence[Any]) -> list[View]:
    """Views and stacks as views: the addresses of stacks in their places, how many rows they have behind all."""
    return [x.pointer if isinstance(x, Stack) else x for x in xs] + [x.count for x in xs if isinstance(x, Stack)]


def _python(c: Any) -> Any:
    """A NumPy scalar as a Python number."""
    return float(c) if c.dtype.kind == "V" else c.item()


class Rule(NamedTuple):
    """How the nodes of a row are lowered.

    Attributes:
        lower: takes the lowering, the node and the views of its inputs, and gives those of its outputs.
        when: what must hold beyond known shapes and types.
        moves: elements are only put elsewhere, so that those of any type may be. Else those that are only stored are converted.
        stacks: the values among the node's that may be stacks.
        carries: those that may be of a type that programs only carry.
    """

    lower: Callable[..., Any]
    when: Callable[[Node], bool] = lambda n: True
    moves: bool | Callable[[Node], bool] = False
    stacks: Callable[[Node], Sequence[Value]] = lambda n: ()
    carries: Callable[[Node], Sequence[Value]] = lambda n: ()


RULES: dict[str, Rule] = {}


def rule(name: str, when: Callable[[Node], bool] = lambda n: True, **more: Any) -> Callable[[Callable], Callable]:
    """Enter the rule of row ``name``; see ``Rule``."""

    def enter(f: Callable) -> Callable:
        RULES[name] = Rule(f, when, **more)
        return f

    return enter


def is_stack(v: Value) -> bool:
    """Whether a value can be kept as a stack: of its dimensions the first alone is unknown."""
    return None in v.aval.shape and None not in v.aval.shape[1:]


def is_native(n: Node) -> bool:
    """Whether a node can be compiled: a rule or an emitter, known shapes, types that the engine has."""
    r = RULES.get(n.p.name, _ELEMENTWISE)
    stacks, carries = {id(v) for v in r.stacks(n)}, {id(v) for v in r.carries(n)}
    for v in (*n.ins, *n.outs):
        if v.aval.dtype.name not in (CARRIED if id(v) in carries else TYPES) or (
            None in v.aval.shape and not (id(v) in stacks and is_stack(v))
        ):
            return False
    return n.p.passes is not None or r.when(n)


def some(n: Node) -> bool:
    """Whether the first input has elements: of nothing kernels have rules of their own."""
    return 0 not in n.ins[0].aval.shape


def _has_emitter(n: Node) -> bool:
    if not n.ins:
        return False
    t = TYPES[n.ins[min(n.p.like, len(n.ins) - 1)].aval.dtype.name]
    return emitter_of(n.p.name, computed(t)) is not None


def _elementwise(low: Lowering, n: Node, *xs: View) -> View:
    return low.map(n.p.name, *xs, out=computed(TYPES[n.outs[0].aval.dtype.name]), like=n.p.like, **n.attrs)


_ELEMENTWISE = Rule(_elementwise, _has_emitter)


from . import row_rules, rules, window_rules  # noqa: E402  (they fill the table)

__all__ = [
    "RULES",
    "Lowering",
    "Rule",
    "Shared",
    "computed",
    "flat",
    "is_native",
    "is_stack",
    "row_rules",
    "rule",
    "rules",
    "some",
    "window_rules",
]
