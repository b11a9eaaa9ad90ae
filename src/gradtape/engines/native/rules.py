"""How rows are lowered: views for what only rearranges elements, compositions of maps, folds and products for the rest.

A rule takes the lowering, the node and the views of its inputs, and gives those of its outputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...ground.dtypes import BOOL
from ...ground.graph import Graph, Node, Value
from .emit import REDUCERS, reducer_of
from .ir import I1, I32, I64, PTR, TYPES
from .lower import Lowering, computed, flat, is_native, rule, some
from .ops import Body, Branch, Buf, History, Product, Stack, View, While, along, inlined

# -- rules: the same elements elsewhere --------------------------------------------------------------------------------------


@rule("reshape", moves=True)
def _(low: Lowering, n: Node, x: View) -> View:
    return low.reshape(x, n.outs[0].aval.shape)


rule("transpose", moves=True)(lambda low, n, x: x.transpose(n.attrs["perm"]))
rule("broadcast_to", moves=True)(lambda low, n, x: x.broadcast(n.attrs["shape"]))
rule("reverse", moves=True)(
    lambda low, n, x: x.index(tuple(slice(None, None, -1 if i in n.attrs["axis"] else 1) for i in range(len(x.shape))))
)
rule("strided_slice", moves=True)(lambda low, n, x: x.index(n.attrs["index"]))


@rule("unstack", moves=True)
def _(low: Lowering, n: Node, x: View) -> list[View]:
    return [along(x, n.attrs["axis"], i) for i in range(len(n.outs))]


@rule("split", moves=True)
def _(low: Lowering, n: Node, x: View) -> list[View]:
    at, parts = 0, []
    for size in n.attrs["sizes"]:
        parts.append(along(x, n.attrs["axis"], slice(at, at + size)))
        at += size
    return parts


@rule("concat", moves=True)
def _(low: Lowering, n: Node, *xs: View) -> View:
    axis, at = n.attrs["axis"], 0
    out = low.new(n.outs[0].aval.shape, xs[0].t).view()
    for x in xs:
        low.put(x, along(out, axis, slice(at, at + x.shape[axis])))
        at += x.shape[axis]
    return out


@rule("stack", moves=True)
def _(low: Lowering, n: Node, *xs: View) -> View:
    out = low.new(n.outs[0].aval.shape, xs[0].t).view()
    for i, x in enumerate(xs):
        low.put(x, along(out, n.attrs["axis"], i))
    return out


@rule("pad", moves=True)
def _(low: Lowering, n: Node, x: View) -> View:
    out = low.new(n.outs[0].aval.shape, x.t).view()
    low.put(low.number(n.attrs["value"], x.t), out)
    low.put(x, out.index(tuple(slice(a, a + d) for d, (a, _) in zip(x.shape, n.attrs["paddings"], strict=True))))
    return out


@rule("unslice", moves=True)
def _(low: Lowering, n: Node, g: View) -> View:
    out = low.new(n.attrs["shape"], g.t).view()
    low.put(low.number(0, g.t), out)
    low.put(g, out.index(n.attrs["index"]))
    return out


@rule("after", moves=True)
def _(low: Lowering, n: Node, *xs: View) -> list[View]:
    first = tuple(v.buf for v in xs if v.buf is not None)
    return [v.waiting_for(first) for v in xs[: n.attrs["n"]]]


rule("zeros_like", moves=True)(lambda low, n, x: low.number(0, x.t, x.shape))
rule("ones_like", moves=True)(lambda low, n, x: low.number(1, x.t, x.shape))
rule("full_like", moves=True)(lambda low, n, x: low.number(n.attrs["value"], x.t, x.shape))
rule("zeros_of", moves=True)(lambda low, n, x: low.number(0, x.t, n.attrs["shape"]))

# -- rules: reductions and compositions --------------------------------------------------------------------------------------


def _reduce(low: Lowering, n: Node, x: View) -> View:
    return low.fold(n.p.name, x, n.attrs["axis"], n.attrs["keepdims"])


for _name in REDUCERS:
    rule(
        _name,
        lambda n: (
            reducer_of(n.p.name, computed(TYPES[n.ins[0].aval.dtype.name])) is not None
            and (n.p.name not in ("max", "min", "mean") or some(n))
        ),
    )(_reduce)


def _shifted(low: Lowering, x: View, axis: int) -> tuple[View, View, View]:
    """t = x - max(x), exp(t) and sum(exp(t))."""
    t = low.map("subtract", x, low.fold("max", x, (axis,), True))
    e = low.map("exp", t)
    return t, e, low.fold("sum", e, (axis,), True)


@rule("softmax", some)
def _(low: Lowering, n: Node, x: View) -> View:
    _, e, s = _shifted(low, x, n.attrs["axis"])
    return low.map("divide", e, s)


@rule("log_softmax", some)
def _(low: Lowering, n: Node, x: View) -> View:
    t, _, s = _shifted(low, x, n.attrs["axis"])
    return low.map("subtract", t, low.map("log", s))


@rule("softmax_xent", some)
def _(low: Lowering, n: Node, z: View, y: View) -> list[View]:
    axis = n.attrs["axis"]
    t, e, s = _shifted(low, z, axis)
    loss = low.fold("sum", low.map("multiply", y, low.map("subtract", low.map("log", s), t)), (axis,))
    return [loss, low.map("subtract", low.map("divide", e, s), y)]


@rule("sparse_softmax_xent", some)
def _(low: Lowering, n: Node, z: View, y: View) -> list[View]:
    axis = len(z.shape) - 1
    t, e, s = _shifted(low, z, axis)
    bad = low.map(
        "logical_or",
        low.map("less", y, low.number(0, y.t), out=I1),
        low.map("greater_equal", y, low.number(z.shape[-1], y.t), out=I1),
    )
    low.check(bad)
    hit = low.map("equal", low.iota(z.shape, axis, y.t), low.reshape(y, (*y.shape, 1)), out=I1)
    at = low.fold("sum", low.map("select", hit, t, low.number(0, t.t), out=t.t, like=1), (axis,))
    loss = low.map("subtract", low.map("log", low.reshape(s, y.shape)), at)
    p = low.map("divide", e, s)
    return [loss, low.map("select", hit, low.map("subtract", p, low.number(1, p.t)), p, out=p.t, like=1)]


@rule("logsumexp", lambda n: n.ins[0].aval.dtype.is_floating and some(n))
def _(low: Lowering, n: Node, x: View) -> View:
    axis = n.attrs["axis"]
    top = low.fold("max", x, axis, True)
    top = low.map("select", low.map("is_finite", top, out=I1), top, low.number(0, x.t), out=x.t, like=1)
    out = low.map("add", low.map("log", low.fold("sum", low.map("exp", low.map("subtract", x, top)), axis, True)), top)
    return low.reshape(out, n.outs[0].aval.shape)


@rule("l2_loss")
def _(low: Lowering, n: Node, x: View) -> View:
    return low.map("multiply", low.fold("sum", low.map("square", x), tuple(range(len(x.shape)))), low.number(0.5, x.t))


@rule("matmul", lambda n: n.ins[0].aval.dtype.is_floating or n.ins[0].aval.dtype.is_integer)
def _(low: Lowering, n: Node, x: View, y: View) -> View:
    def turned(v: View, flag: bool) -> View:
        r = len(v.shape)
        return v.transpose((*range(r - 2), r - 1, r - 2)) if flag else v

    return low.product(turned(x, n.attrs["transpose_x"]), turned(y, n.attrs["transpose_y"]))


def _einsum_native(n: Node) -> bool:
    left, _ = n.attrs["equation"].split("->")
    terms = left.split(",")
    return len(terms) <= 2 and all(len(set(t)) == len(t) for t in terms) and all(_some_of(v) for v in (*n.ins, *n.outs))


def _some_of(v: Value) -> bool:
    return 0 not in v.aval.shape and v.aval.dtype.kind != BOOL


@rule("einsum", _einsum_native)
def _(low: Lowering, n: Node, *xs: View) -> View:
    left, out = n.attrs["equation"].split("->")
    terms = left.split(",")
    size = {label: d for t, x in zip(terms, xs, strict=True) for label, d in zip(t, x.shape, strict=True)}
    live = []
    for k, (t, x) in enumerate(zip(terms, xs, strict=True)):  # sums over labels that stand nowhere else
        others = out + "".join(terms[:k] + terms[k + 1 :])
        axes = tuple(i for i, label in enumerate(t) if label not in others)
        live.append(("".join(label for label in t if label in others), low.fold("sum", x, axes) if axes else x))
    if len(live) == 1:
        labels, x = live[0]
        return x.transpose(tuple(labels.index(label) for label in out))
    (a, x), (b, y) = live
    summed = [label for label in a if label in b and label not in out]
    if not summed:

        def spread(t: str, v: View) -> View:
            order = [label for label in out if label in t]
            return low.reshape(
                v.transpose(tuple(t.index(label) for label in order)),
                tuple(size[label] if label in t else 1 for label in out),
            )

        return low.map("multiply", spread(a, x), spread(b, y))
    batch = [label for label in a if label in b and label in out]
    mine, yours = ([label for label in t if label not in other] for t, other in ((a, b), (b, a)))

    def matrix(t: str, v: View, rows: list[str], columns: list[str]) -> View:
        v = v.transpose(tuple(t.index(label) for label in (*batch, *rows, *columns)))
        return low.reshape(
            v,
            (
                *[size[label] for label in batch],
                math.prod(size[label] for label in rows),
                math.prod(size[label] for label in columns),
            ),
        )

    z = low.product(matrix(a, x, mine, summed), matrix(b, y, summed, yours))
    labels = [*batch, *mine, *yours]
    z = low.reshape(z, tuple(size[label] for label in labels))
    return z.transpose(tuple(labels.index(label) for label in out))


@rule("argmax", some)
@rule("argmin", some)
def _(low: Lowering, n: Node, x: View) -> View:
    axis = n.attrs["axis"]
    if x.t.kind == "b":
        x = low.map("cast", x, out=I32, dtype=_I32, source=None)
    largest = n.p.name == "argmax"
    if x.t.kind == "f":  # NaN is passed over
        x = low.map(
            "select",
            low.map("is_nan", x, out=I1),
            low.number(-math.inf if largest else math.inf, x.t),
            x,
            out=x.t,
            like=2,
        )
    hit = low.map("equal", x, low.fold("max" if largest else "min", x, (axis,), True), out=I1)
    at = low.map("select", hit, low.iota(x.shape, axis, I64), low.number(x.shape[axis], I64), out=I64, like=1)
    return low.fold("min", at, (axis,))


class _I32:
    name = "int32"


# -- rules: more compositions ------------------------------------------------------------------------------------------------


@rule("gelu")
def _(low: Lowering, n: Node, x: View) -> View:
    def number(c: float) -> View:
        return low.number(c, x.t)

    mul = lambda a, b: low.map("multiply", a, b)
    add = lambda a, b: low.map("add", a, b)
    if not n.attrs["approximate"]:
        return mul(mul(number(0.5), x), low.map("erfc", mul(number(-math.sqrt(0.5)), x)))
    slope = mul(mul(number(-2 * math.sqrt(2 / math.pi)), x), add(number(1), mul(number(0.044715), mul(x, x))))
    return low.map("divide", x, add(number(1), low.map("exp", slope)))


rule("shape_of", moves=True)(
    lambda low, n, x: low.constant(np.array(x.shape, n.attrs["dtype"].np), TYPES[n.attrs["dtype"].name])
)
rule("length", moves=True)(lambda low, n, x: low.number(x.shape[0], I32))


@rule("repeat", lambda n: isinstance(n.attrs["repeats"], int), moves=True)
def _(low: Lowering, n: Node, x: View) -> View:
    axis, shape = n.attrs["axis"], n.outs[0].aval.shape
    wide = low.reshape(x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :]))
    return low.reshape(wide.broadcast((*x.shape[: axis + 1], n.attrs["repeats"], *x.shape[axis + 1 :])), shape)


@rule("sum_repeats", lambda n: isinstance(n.attrs["repeats"], int))
def _(low: Lowering, n: Node, g: View) -> View:
    axis, k = n.attrs["axis"], n.attrs["repeats"]
    return low.fold("sum", low.reshape(g, (*g.shape[:axis], n.attrs["n"], k, *g.shape[axis + 1 :])), (axis + 1,))


@rule("roll", some, moves=True)
def _(low: Lowering, n: Node, x: View) -> View:
    for shift, axis in zip(n.attrs["shift"], n.attrs["axis"], strict=True):
        d = x.shape[axis]
        k = shift % d
        if k:
            out = low.new(x.shape, x.t).view()
            low.put(along(x, axis, slice(0, d - k)), along(out, axis, slice(k, d)))
            low.put(along(x, axis, slice(d - k, d)), along(out, axis, slice(0, k)))
            x = out
    return x


# -- rules: control flow -------------------------------------------------------------------------------------------------------


def _graphs_native(n: Node) -> bool:
    return all(is_native(m) for g in n.attrs.values() if isinstance(g, Graph) for m in g.nodes)


def _same(avals: Sequence[Value], others: Sequence[Value]) -> bool:
    return all(a.aval == b.aval for a, b in zip(avals, others, strict=True))


def _loop_native(n: Node) -> bool:
    cond, body = n.attrs["cond"], n.attrs["body"]
    return (
        _graphs_native(n)
        and _same(n.outs[: n.attrs["n"]], body.outputs)
        and _same(n.ins, body.inputs)
        and _same(n.ins, cond.inputs)
        and cond.outputs[0].aval.dtype.name == "bool"
    )


@rule("while_loop", _loop_native, moves=True, stacks=lambda n: n.ins[n.attrs["n"] :])
def _(low: Lowering, n: Node, *xs: View) -> list[View]:
    outs = [low.new(v.aval.shape, TYPES[v.aval.dtype.name]) for v in n.outs]
    body, reads = low.inner(n.attrs["body"]), _in_order(low, xs)
    _turn_once(low, body, reads, len(outs))
    low.ops.append(While(low.inner(n.attrs["cond"]), body, reads, outs))
    return [b.view() for b in outs]


@rule("while_history", _loop_native, moves=True, stacks=lambda n: n.ins[n.attrs["n"] :] + n.outs[n.attrs["n"] + 1 :])
def _(low: Lowering, n: Node, *xs: View) -> list[View | Stack]:
    states, keep, slot = n.outs[: n.attrs["n"]], n.attrs["keep"], low.shared.slots
    low.shared.slots += len(keep)
    outs = [low.new(v.aval.shape, TYPES[v.aval.dtype.name]) for v in states]
    history = History(keep, slot, low.new((), I32), low.new((), I64), tuple(low.new((), PTR) for _ in keep))
    body, reads = low.inner(n.attrs["body"]), _in_order(low, xs)
    _turn_once(low, body, reads, len(outs))
    low.ops.append(While(low.inner(n.attrs["cond"]), body, reads, outs, history))
    stacks = [Stack(p, history.count, outs[k].shape, outs[k].t) for k, p in zip(keep, history.pointers, strict=True)]
    return [*[b.view() for b in outs], history.turns.view(), *stacks]


@rule(
    "cond",
    lambda n: _graphs_native(n) and _same(n.outs, n.attrs["true"].outputs) and _same(n.outs, n.attrs["false"].outputs),
    moves=True,
    stacks=lambda n: n.ins[1:],
)
def _(low: Lowering, n: Node, *xs: View) -> list[View]:
    outs = [low.new(v.aval.shape, TYPES[v.aval.dtype.name]) for v in n.outs]
    low.ops.append(
        Branch(low.inner(n.attrs["true"]), low.inner(n.attrs["false"]), (xs[0], *_in_order(low, xs[1:])), outs)
    )
    return [b.view() for b in outs]


def _turn_once(low: Lowering, body: Body, reads: list[View], n: int) -> None:
    """Matrices beyond the ``n`` states whose columns a product of the body wants side by side get so before the loop."""
    made: dict[tuple, Buf] = {}
    for i, op in enumerate(body.ops):
        if not isinstance(op, Product) or op.form != "packed" or not inlined(op) or len(op.domain) != 2:
            continue
        y = op.reads[1]
        if y.buf is None or y.buf.kind != "arg" or y.buf.index < n or reads[y.buf.index].buf is None:
            continue
        key = y.buf.index, y.offset, y.shape, y.strides
        if key not in made:
            made[key] = Buf(y.shape, y.t, "arg", len(reads))
            body.args.append(made[key])
            reads.append(low.copy(View(reads[y.buf.index].buf, y.shape, y.t, y.offset, y.strides)))
        body.ops[i] = Product(op.reads[0], made[key].view(), op.out, op.tiles)


def _in_order(low: Lowering, xs: Sequence[View | Stack]) -> list[View]:
    """The inputs of bodies, which read them as whole arrays in order."""

    def whole(x: View) -> View:
        return x if x.whole or (x.buf is None and x.size == 1) else low.copy(x)

    return [whole(x) for x in flat(xs)]
