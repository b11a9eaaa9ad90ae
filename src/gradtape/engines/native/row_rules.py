"""How rows are lowered that take or put slices by numbers known at run time, keep running totals, or draw random numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...ground.graph import Node
from ...primitives.random import FULL_INT, MASK, UNIFORM
from .emit import Emitter, fail, maximum
from .ir import F64, I1, I64, TYPES, Val, where
from .lower import Lowering, rule, some
from .mathfn import MATH
from .ops import Draw, Scan, Scatter, Stack, Take, View, along, row_major

# -- rows by number ---------------------------------------------------------------------------------------------------


def _plain(x: View, low: Lowering) -> View:
    """A view as an array in order."""
    return (
        x
        if x.buf is not None
        and not x.buf.scalar
        and x.strides == View(None, x.shape, x.t, 0, row_major(x.shape)).strides
        else low.copy(x)
    )


def _numbers(low: Lowering, index: View) -> View:
    return index if index.size == 1 and index.scalar else _plain(index, low)


def _rows_native(n: Node, x: int = 0) -> bool:
    a = n.ins[x].aval
    return (
        math.prod(a.shape) > 1
        and math.prod(n.outs[0].aval.shape) > 0
        and all(v.aval.dtype.is_integer or v.aval.dtype is a.dtype for v in n.ins)
    )


def _take(low: Lowering, n: Node, x: View | Stack, index: View, axis: int = 0) -> View:
    # The rows of a stack are read by the loop backwards alone, none but those that are there: inputs may still be given away.
    low.can_fail |= not isinstance(x, Stack)
    out = low.new(n.outs[0].aval.shape, x.t)
    if isinstance(x, Stack):
        take = Take(x, _numbers(low, index), out, 1, 0, math.prod(x.shape))
    else:
        outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
        take = Take(_plain(x, low), _numbers(low, index), out, outer, x.shape[axis], inner)
    low.ops.append(take)
    return out.view()


def _places(low: Lowering, parts: Sequence[tuple[View, int]], shape: tuple[int, ...]) -> View:
    """Row numbers of ``shape``: the sum of numbers along its dimensions, each given with the length of its own, as digits of one number."""
    total: View | None = None
    for i, d in parts:
        i = low.convert(i, I64)
        total = i if total is None else low.map("add", low.map("multiply", total, low.number(d, I64)), i)
    assert total is not None
    return low.reshape(total.broadcast(shape), (math.prod(shape),))


def _checked(low: Lowering, i: View, n: int) -> View:
    """Numbers that must be below ``n``. One that is not fails the call."""
    outside = (low.map("less", i, low.number(0, i.t), out=I1), low.map("greater_equal", i, low.number(n, i.t), out=I1))
    low.check(low.map("logical_or", *outside))
    return i


def _numbersalong(low: Lowering, i: View, shape: tuple[int, ...], axis: int, batch_dims: int) -> tuple[View, int]:
    """Which rows, of a tensor of ``shape`` seen as a table whose rows end at ``axis``, the numbers ``i`` along that axis name; and how many it has."""
    if not axis:
        return i, shape[0]
    members, between, n = math.prod(shape[:batch_dims]), math.prod(shape[batch_dims:axis]), shape[axis]
    whole = (members, between, math.prod(i.shape[batch_dims:]))
    i = low.reshape(_checked(low, i, n), (members, 1, whole[2]))
    digits = [(low.iota((members, 1, 1), 0, I64), members), (low.iota((1, between, 1), 1, I64), between), (i, n)]
    return _places(low, digits, whole), members * between * n


def _numbers_of_vectors(low: Lowering, i: View, shape: tuple[int, ...], batch_dims: int) -> tuple[View, int]:
    """The same for index vectors, which name places in the dimensions after the batch's."""
    k = i.shape[-1]
    digits = [(low.iota((d,) + (1,) * (len(i.shape) - 2 - b), 0, I64), d) for b, d in enumerate(shape[:batch_dims])]
    digits += [
        (_checked(low, along(i, len(i.shape) - 1, j), shape[batch_dims + j]), shape[batch_dims + j]) for j in range(k)
    ]
    return _places(low, digits, i.shape[:-1]), math.prod(shape[: batch_dims + k])


def _vectors_native(n: Node, index: int = 1) -> bool:
    i, out = n.ins[index].aval, n.outs[0].aval
    return (
        i.shape[-1] > 0
        and math.prod(i.shape) > 0
        and math.prod(out.shape) > 1
        and all(math.prod(v.aval.shape) > 0 for v in n.ins)
    )


def _gather(low: Lowering, n: Node, x: View, i: View) -> View:
    axis, batch_dims = n.attrs["axis"], n.attrs["batch_dims"]
    if not batch_dims:
        return _take(low, n, x, i, axis)
    rows, count = _numbersalong(low, i, x.shape, axis, batch_dims)
    return _take(low, n, low.reshape(x, (count, math.prod(x.shape[axis + 1 :]))), rows)


rule("gather", _rows_native, moves=True)(_gather)
rule("take_row", lambda n: None in n.ins[0].aval.shape or _rows_native(n), moves=True, stacks=lambda n: n.ins[:1])(
    _take
)


@rule("gather_nd", lambda n: _vectors_native(n) and math.prod(n.ins[0].aval.shape) > 1, moves=True)
def _(low: Lowering, n: Node, x: View, i: View) -> View:
    rows, count = _numbers_of_vectors(low, i, x.shape, n.attrs["batch_dims"])
    return _take(low, n, low.reshape(x, (count, x.size // count)), rows)


_HOW = {"update": "", "add": "add", "sub": "subtract", "mul": "multiply", "min": "minimum", "max": "maximum"}


def _scatter(low: Lowering, n: Node, base: View | None, index: View, u: View, how: str, rows: int = 0) -> View:
    low.can_fail = True
    out = low.new(n.outs[0].aval.shape, u.t)
    rows = rows or out.shape[0]
    if u.size != index.size * out.size // rows:
        u = u.broadcast(index.shape + out.shape[1:])
    u = u if u.size == 1 and u.scalar else _plain(u, low)
    low.ops.append(Scatter(None if base is None else _plain(base, low), _numbers(low, index), u, out, rows, _HOW[how]))
    return out.view()


rule("write_row", _rows_native, moves=True)(lambda low, n, x, at, u: _scatter(low, n, x, at, u, "update"))
rule("put_row", lambda n: _rows_native(n, 1), moves=True)(
    lambda low, n, u, x, at: _scatter(low, n, None, at, u, "update")
)


def _write_rows_native(n: Node) -> bool:
    fits = _vectors_native(n) if n.attrs["vectors"] else math.prod(n.ins[1].aval.shape) > 0
    return fits and _rows_native(n) and math.prod(n.ins[2].aval.shape) > 0 and n.attrs["how"] in _HOW


@rule("write_rows", _write_rows_native, moves=lambda n: n.attrs["how"] == "update")
def _(low: Lowering, n: Node, x: View, i: View, u: View) -> View:
    axis = n.attrs["axis"]
    rows, count = (
        _numbers_of_vectors(low, i, x.shape, 0) if n.attrs["vectors"] else _numbersalong(low, i, x.shape, axis, axis)
    )
    return _scatter(low, n, x, rows, u, n.attrs["how"], count)


@rule("ungather", lambda n: math.prod(n.outs[0].aval.shape) > 1 and all(0 not in v.aval.shape for v in n.ins))
def _(low: Lowering, n: Node, g: View, i: View) -> View:
    rows, count = _numbersalong(low, i, n.attrs["shape"], n.attrs["axis"], n.attrs["batch_dims"])
    return _scatter(low, n, None, rows, g, "add", count)


@rule("scatter_nd", lambda n: _vectors_native(n, 0))
def _(low: Lowering, n: Node, i: View, u: View) -> View:
    rows, count = _numbers_of_vectors(low, i, n.attrs["shape"], n.attrs["batch_dims"])
    return _scatter(low, n, None, rows, u, "add", count)


def _tensor_scatter(how: str) -> None:
    @rule(f"tensor_scatter_{how}", _vectors_native, moves=how == "update")
    def _(low: Lowering, n: Node, x: View, i: View, u: View) -> View:
        rows, count = _numbers_of_vectors(low, i, x.shape, n.attrs["batch_dims"])
        return _scatter(low, n, x, rows, u, how, count)


for _name in ("add", "update", "min", "max"):
    _tensor_scatter(_name)


@rule("write_slice", some)
def _(low: Lowering, n: Node, x: View, u: View) -> View:
    index, out = n.attrs["index"], low.new(x.shape, x.t).view()
    part = out.index(index)
    low.put(x, out)
    if 0 not in part.shape:
        how = _HOW[n.attrs["how"]]
        low.put(low.map(how, x.index(index), u) if how else u.broadcast(part.shape), part)
    return out


# -- running totals ------------------------------------------------------------------------------------------------------


def _scan(low: Lowering, n: Node, step: Any, xs: Sequence[View], exclusive: Any = None) -> View:
    x, axis = xs[-1], n.attrs["axis"]
    dims = math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
    if x.size == 0:
        return x
    if x.size == 1:
        return x if exclusive is None else low.number(exclusive, x.t, x.shape)
    out = low.new(x.shape, x.t)
    low.ops.append(Scan(step, [_plain(v, low) for v in xs], out, dims, n.attrs["reverse"], exclusive))
    return out.view()


def _log_add_exp(x: Val, y: Val) -> Val:
    """log(exp(x) + exp(y)), as NumPy has it."""
    d = x - y
    near = maximum(x, y) + MATH["log1p"](MATH["exp"](-d.intrinsic("fabs")))
    return where(x.eq(y), x + math.log(2), where(d.isnan, d, near))


def _running(name: str, step: Any, start: float) -> None:
    rule(name)(lambda low, n, x: _scan(low, n, step, (x,), start if n.attrs["exclusive"] else None))


_running("cumsum", lambda total, x: total + x, 0)
_running("cumprod", lambda total, x: total * x, 1)
_running("cumulative_logsumexp", _log_add_exp, -math.inf)
rule("recurrence")(lambda low, n, a, b: _scan(low, n, lambda y, a, b: a * y + b, (a, b)))

# -- random numbers --------------------------------------------------------------------------------------------------------


def _draw(low: Lowering, n: Node, key: View, kind: int, limit: View | None = None) -> View:
    out = low.new(n.outs[0].aval.shape, TYPES[n.outs[0].aval.dtype.name])
    if out.size == 0:
        return low.number(0, out.t, out.shape)
    low.ops.append(Draw(_plain(key, low), out, kind, limit))
    return out.view()


def _whole_words(n: Node) -> bool:
    return n.outs[0].aval.dtype.size >= 4


rule("random_uniform", _whole_words, moves=True)(lambda low, n, key: _draw(low, n, key, UNIFORM))
rule("random_full_int", _whole_words, moves=True)(lambda low, n, key: _draw(low, n, key, FULL_INT))


@rule("random_mask", lambda n: n.ins[1].aval.shape == ())
def _(low: Lowering, n: Node, key: View, prob: View, x: View) -> View:
    def limit(p: Val) -> Val:
        fail(~(p.intrinsic("fabs") < math.inf))
        p = (p.to(F64) * 2.0**32).intrinsic("rint")
        return where(p > 0, where(p < 2.0**32, p, 2.0**32), 0).to(I64)

    return _draw(low, n, key, MASK, low.apply("limit", Emitter(limit, can_fail=True), [prob], I64))


@rule("random_advance")
def _(low: Lowering, n: Node, state: View, by: View) -> View:
    """The position is one number of two words."""
    low_word, high, key = (along(state, 0, i) for i in range(3))

    def carried(h: Val, w: Val, d: Val) -> Val:
        return h + where(d < 0, -1, d.like(0)) + where((w + d).compare("", "ult", w), 1, d.like(0))

    out = low.new((3,), I64).view()
    words = low.map("add", low_word, by), low.apply("carried", Emitter(carried), [high, low_word, by], I64), key
    for i, w in enumerate(words):
        low.put(w, along(out, 0, i))
    return out
