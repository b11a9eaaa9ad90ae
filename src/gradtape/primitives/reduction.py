"""Reductions along axes, and running sums and products.

Attributes: ``axis`` is a sorted tuple of non-negative ints, ``keepdims`` a bool.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.dtypes import BOOL, FLOAT, INEXACT, NUMERIC, REAL, int64
from ..ground.errors import invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import TensorShape, check_axes, check_axis, dims_text
from . import elementwise as ew
from . import indexing
from . import structure as st

Axes = tuple[int, ...]


def _shape(x: Aval, *, axis: Axes, keepdims: bool) -> Aval:
    axes = check_axes(axis, x.ndim)
    dims = tuple(1 if i in axes else d for i, d in enumerate(x.shape) if keepdims or i not in axes)
    return Aval(dims, x.dtype)


def _batch(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    return p(xs[0], **{**attrs, "axis": tuple(a + 1 for a in attrs["axis"])})


def _cases(lo: float = -3, hi: float = 3) -> Callable:
    def cases(rng: Any) -> list:
        u = lambda *s: rng.uniform(lo, hi, s)
        return [((u(2, 3),), {"axis": a, "keepdims": k}) for a in ((), (0,), (1,), (0, 1)) for k in (False, True)] + [
            ((u(),), {"axis": (), "keepdims": False}), ((u(2, 3, 2),), {"axis": (0, 2), "keepdims": False})]  # fmt: skip

    return cases


def reduction(name: str, kernel: Callable, grad: Callable | None, accepts: int, **row: Any) -> Primitive:
    """A row that reduces along ``axis``."""
    row.setdefault("cases", _cases())
    return Primitive(
        name, "x", kernel, shape=row.pop("shape", _shape), grad=(grad,), accepts=accepts, batch=_batch, **row
    )


def _reducer(ufunc: Any) -> Callable:
    """``ufunc.reduce`` in the array's own dtype."""
    reduce = ufunc.reduce

    def kernel(x: Any, *, axis: Axes, keepdims: bool) -> Any:
        if type(x) is not np.ndarray:
            if axis:
                raise ValueError("axis out of range")
            return x
        r = reduce(x, axis=axis, dtype=x.dtype, keepdims=keepdims)
        return r if type(r) is not np.ndarray or r.ndim else r[()]

    return kernel


def _extreme(ufunc: np.ufunc) -> Callable:
    """``ufunc.reduce`` that gives the dtype's own end for an empty axis, as TensorFlow."""

    def kernel(x: Any, *, axis: Axes, keepdims: bool) -> Any:
        if type(x) is not np.ndarray:
            if axis:
                raise ValueError("axis out of range")
            return x
        if x.size == 0:
            big = ufunc is np.maximum
            empty = (
                (-np.inf if big else np.inf)
                if x.dtype.kind in "fV"
                else getattr(np.iinfo(x.dtype), "min" if big else "max")
            )
            return ufunc.reduce(x, axis=axis, keepdims=keepdims, initial=x.dtype.type(empty))
        return ufunc.reduce(x, axis=axis, keepdims=keepdims)

    return kernel


sum = reduction("sum", _reducer(np.add), lambda g, x_shape, axis, keepdims: st.spread(g, x_shape, axis, keepdims), NUMERIC, linear=True,
                label="Sum", doc="The sum along axes.")  # fmt: skip


def _count(shape: tuple, axis: Axes) -> int:
    n = 1
    for a in axis:
        n *= shape[a]
    return n


_sum_kernel = _reducer(np.add)


def _mean(x: Any, *, axis: Axes, keepdims: bool) -> Any:
    n = _count(x.shape, axis)
    if x.dtype.kind in "iu":
        # rounded towards zero, and summed so widely that small types do not overflow on the way
        wide = np.dtype(np.int64 if x.dtype.kind == "i" else np.uint64)
        total = _sum_kernel(x.astype(wide), axis=axis, keepdims=keepdims)
        count = total.dtype.type(n or 1)
        return np.where(total < 0, -(-total // count), total // count).astype(x.dtype)[()]
    return _sum_kernel(x, axis=axis, keepdims=keepdims) / x.real.dtype.type(n)


mean = reduction("mean", _mean, lambda g, x_shape, axis, keepdims: st.spread(g * (1.0 / (_count(x_shape, axis) or 1)), x_shape, axis, keepdims),
                 NUMERIC, linear=True, label="Mean", doc="The mean along axes.")  # fmt: skip


def _prod_grad(g: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """g times the product of all the others, by running products from both sides: right where elements are zero too."""
    shape = x._shape
    kept = tuple(i for i in range(len(shape)) if i not in axis)
    perm = kept + axis
    moved = st.transpose(x, perm=perm)
    rows = tuple(shape[i] for i in kept)
    flat = st.reshape(moved, shape=(*rows, _count(shape, axis)))
    last = len(rows)
    left = cumprod(flat, axis=last, exclusive=True, reverse=False)
    right = cumprod(flat, axis=last, exclusive=True, reverse=True)
    others = st.transpose(st.reshape(left * right, shape=moved._shape), perm=st._inverse(perm))
    return others * st.restore_axes(g, shape, axis, keepdims)


prod = reduction("prod", _reducer(np.multiply), _prod_grad, NUMERIC, doc="The product along axes.",
                 jvp=lambda xs, ts, outs, attrs: [sum(ts[0] * _prod_grad(st.ones_like(outs[0]), xs[0], **attrs), **attrs)])  # fmt: skip


def _tie_grad(g: Any, x: Any, out: Any, axis: Axes, keepdims: bool) -> Any:
    """Shared evenly among the elements that attain the extreme value."""
    s = x._shape
    ties = st.cast(ew.equal(x, st.restore_axes(out, s, axis, keepdims)), x._d)
    return ties * (st.restore_axes(g, s, axis, keepdims) / sum(ties, axis=axis, keepdims=True))


def _tie_jvp(xs: tuple, ts: list, outs: list, attrs: dict) -> list:
    """The mean of the tangents of the elements that attain the extreme value."""
    (x,), (t,), (out,) = xs, ts, outs
    ties = st.cast(ew.equal(x, st.restore_axes(out, x._shape, **attrs)), x._d)
    return [sum(ties * t, **attrs) / sum(ties, **attrs)]


max = reduction(
    "max",
    _extreme(np.maximum),
    _tie_grad,
    REAL,
    jvp=_tie_jvp,
    widen=False,
    doc="The largest element along axes; ties share the gradient evenly.",
)
min = reduction(
    "min",
    _extreme(np.minimum),
    _tie_grad,
    REAL,
    jvp=_tie_jvp,
    widen=False,
    doc="The smallest element along axes; ties share the gradient evenly.",
)


def _logsumexp(x: Any, *, axis: Axes, keepdims: bool) -> Any:
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, x.dtype.type(0)).astype(x.dtype)
    out = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return (out if keepdims else np.squeeze(out, axis))[()]


def _logsumexp_grad(g: Any, x: Any, out: Any, axis: Axes, keepdims: bool) -> Any:
    """g times softmax(x). For large x the rounding of ``out`` is an error of exp(x - out) as large as x; dividing by the sum takes it out."""
    s = x._shape
    e = ew.exp(x - _finite(st.restore_axes(out, s, axis, keepdims)))
    return e * ew.divide_no_nan(st.restore_axes(g, s, axis, keepdims), sum(e, axis=axis, keepdims=True))


def _logsumexp_jvp(xs: tuple, ts: list, outs: list, attrs: dict) -> list:
    """The mean of the tangents with the weights exp(x)."""
    e = ew.exp(xs[0] - _finite(st.restore_axes(outs[0], xs[0]._shape, **attrs)))
    return [ew.divide_no_nan(sum(e * ts[0], **attrs), sum(e, **attrs))]


logsumexp = reduction("logsumexp", _logsumexp, _logsumexp_grad,
                      FLOAT, jvp=_logsumexp_jvp, doc="log(sum(exp(x))) along axes, without overflow.")  # fmt: skip


def _finite(x: Any) -> Any:
    """0 for -inf, which is the logarithm of an empty sum: its terms exp(x) are 0, whatever they are divided by."""
    return ew.select(ew.equal(x, st.full_like(x, value=-np.inf)), st.zeros_like(x), x)


any = reduction(
    "any",
    lambda x, *, axis, keepdims: np.logical_or.reduce(x, axis=axis, keepdims=keepdims) if np.ndim(x) else x,
    None,
    BOOL,
    doc="Whether any element is true along axes.",
)
all = reduction(
    "all",
    lambda x, *, axis, keepdims: np.logical_and.reduce(x, axis=axis, keepdims=keepdims) if np.ndim(x) else x,
    None,
    BOOL,
    doc="Whether all elements are true along axes.",
)


def _arg_shape(x: Aval, *, axis: int) -> Aval:
    a = check_axis(axis, x.ndim)
    if x.shape[a] == 0:
        raise invalid(f"Reduction axis {a} is empty in shape {dims_text(x.shape)}.")
    return Aval(x.shape[:a] + x.shape[a + 1 :], int64)


def _arg(name: str, f: Callable, doc: str) -> Primitive:
    def kernel(x: Any, *, axis: int) -> Any:
        if x.dtype.kind in "fV":
            nan = np.isnan(x)
            if nan.any():  # passed over
                x = np.where(nan, x.dtype.type(-np.inf if f is np.argmax else np.inf), x)
        return f(x, axis).astype(np.int64)

    return Primitive(name, "x", kernel, shape=_arg_shape, accepts=REAL | BOOL, out=int64, widen=False,
                     batch=lambda p, xs, batched, attrs: p(xs[0], axis=attrs["axis"] + 1),
                     cases=lambda rng: [((rng.uniform(-3, 3, (2, 3)),), {"axis": a}) for a in (0, 1)], doc=doc)  # fmt: skip


argmax = _arg(
    "argmax", np.argmax, "The index of the largest element along an axis, the first at a tie. Not differentiable."
)
argmin = _arg(
    "argmin", np.argmin, "The index of the smallest element along an axis, the first at a tie. Not differentiable."
)

# -- running sums and products ---------------------------------------------------------------------------------------------


def _running(accumulate: Callable, start: float) -> Callable:
    def kernel(x: Any, *, axis: int, exclusive: bool, reverse: bool) -> Any:
        y = np.flip(x, axis) if reverse else x
        r = accumulate(y, axis=axis, dtype=y.dtype)
        if exclusive and r.size:
            r = np.roll(r, 1, axis)
            r[(slice(None),) * axis + (0,)] = start
        return np.flip(r, axis) if reverse else r

    return kernel


def _running_cases(rng: Any) -> list:
    u = lambda *s: rng.uniform(0.5, 2, s)
    return [
        ((u(2, 3),), {"axis": a, "exclusive": e, "reverse": r})
        for a in (0, 1)
        for e in (False, True)
        for r in (False, True)
    ]


def _running_shape(x: Aval, *, axis: int, exclusive: bool, reverse: bool) -> Aval:
    check_axis(axis, x.ndim)
    return x


cumsum = Primitive("cumsum", "x", _running(np.add.accumulate, 0), shape=_running_shape, accepts=NUMERIC, linear=True, cases=_running_cases, batch=st._shift_axis,
                   grad=(lambda g, axis, exclusive, reverse: cumsum(g, axis=axis, exclusive=exclusive, reverse=not reverse),),
                   doc="The running sum along an axis.")  # fmt: skip


def _recurrence(a: Any, b: Any, *, axis: int, reverse: bool) -> Any:
    if a.shape != b.shape or a.dtype != b.dtype:
        raise ValueError("the shapes or dtypes differ")
    back = slice(None, None, -1) if reverse else slice(None)
    a, b = np.moveaxis(a, axis, 0)[back], np.moveaxis(b, axis, 0)[back]
    n, width = len(a), math.prod(a.shape[1:])
    out = np.empty(b.shape, b.dtype)
    # Each step is a call of NumPy. Long and narrow ones go in blocks, side by side: first each as if it began at 0, with the product of its
    # factors beside it, then from block to block what the one before hands on.
    block = math.isqrt(n) if n > 64 and width < 4096 else n
    blocks = n // block if block else 0
    whole = blocks * block
    across = lambda x: np.swapaxes(x[:whole].reshape(blocks, block, width), 0, 1).copy()
    aa, y = across(a), across(b)  # each step side by side in memory
    for j in range(1, block):
        y[j] += aa[j] * y[j - 1]
    if blocks > 1:
        for j in range(1, block):
            aa[j] *= aa[j - 1]
        for i in range(1, blocks):
            first = y[-1, i - 1]
            y[:, i] += np.where(
                first == 0, first, aa[:, i] * first
            )  # where nothing is handed on, a factor that overflowed is not asked
    out[:whole] = np.swapaxes(y, 0, 1).reshape(whole, *out.shape[1:])
    for i in range(whole, n):
        out[i] = a[i] * out[i - 1] + b[i]
    return np.moveaxis(out[back], 0, axis)


def _recurrence_shape(a: Aval, b: Aval, *, axis: int, reverse: bool) -> Aval:
    check_axis(axis, a.ndim)
    if not TensorShape(a.shape).is_compatible_with(b.shape) or a.dtype is not b.dtype:
        raise invalid(f"The factors and the terms of a recurrence must have one shape and dtype: got {a!r} and {b!r}.")
    return Aval(tuple(TensorShape(a.shape).merge_with(b.shape)), a.dtype)


def _next(x: Any, axis: int, reverse: bool) -> Any:
    """At each place along ``axis``, what stands at the next (in reverse, the one before); 0 at the end."""
    s = x._shape
    n, index = s[axis], (slice(None),) * axis
    if not n:
        return x
    rest = indexing.strided_slice(x, index=(*index, slice(0, n - 1, 1) if reverse else slice(1, n, 1)))
    around = [(0, 0)] * len(s)
    around[axis] = (1, 0) if reverse else (0, 1)
    return st.pad(rest, paddings=tuple(around), value=0)


def _recurrence_jvp(xs: tuple, ts: list, outs: list, attrs: dict) -> list:
    """ẏ[i] = a[i] ẏ[i - 1] + ȧ[i] y[i - 1] + ḃ[i]."""
    da, db = ts
    term = None if da is None else da * _next(outs[0], attrs["axis"], not attrs["reverse"])
    term = db if term is None else term if db is None else term + db
    return [recurrence(xs[0], term, **attrs)]


recurrence = Primitive(
    "recurrence", "a b", _recurrence, shape=_recurrence_shape, accepts=INEXACT, batch=st._shift_axis,
    grad=(lambda g, a, out, axis, reverse: recurrence(_next(a, axis, reverse), g, axis=axis, reverse=not reverse) * _next(out, axis, not reverse),
          lambda g, a, axis, reverse: recurrence(_next(a, axis, reverse), g, axis=axis, reverse=not reverse)),
    jvp=_recurrence_jvp,
    cases=lambda rng: [((rng.uniform(-1, 1, s), rng.uniform(-1, 1, s)), {"axis": a, "reverse": r}) for s, a in (((4,), 0), ((3, 2), 0), ((2, 3), 1), ((0,), 0)) for r in (False, True)]
    + [((rng.uniform(-1, 1, (70,)), rng.uniform(-1, 1, (70,))), {"axis": 0, "reverse": True})],
    doc="The y of y[i] = a[i] y[i - 1] + b[i] along an axis (in reverse, of y[i] = a[i] y[i + 1] + b[i]), beyond whose end y is 0.",
)  # fmt: skip


def _cumprod_grad(g: Any, x: Any, axis: int, exclusive: bool, reverse: bool) -> Any:
    """The product of those before x[i] times s[i] = g[i] + x[i + 1] s[i + 1], the sum over later j of g[j] with all between. Nothing is divided, so zeros are no exception."""
    later = _next(g, axis, reverse) if exclusive else g
    before = cumprod(x, axis=axis, exclusive=True, reverse=reverse)
    return before * recurrence(_next(x, axis, reverse), later, axis=axis, reverse=not reverse)


def _cumprod_cases(rng: Any) -> list:
    zeros = np.array([[2.0, 0.0, 3.0, -1.0], [0.0, 0.0, 5.0, 0.0]])
    return _running_cases(rng) + [
        ((zeros,), {"axis": 1, "exclusive": e, "reverse": r}) for e in (False, True) for r in (False, True)
    ]


cumprod = Primitive("cumprod", "x", _running(np.multiply.accumulate, 1), shape=_running_shape, accepts=NUMERIC, cases=_cumprod_cases, batch=st._shift_axis,
                    grad=(_cumprod_grad,), doc="The running product along an axis.")  # fmt: skip


def _cumulative_logsumexp_grad(g: Any, x: Any, out: Any, axis: int, exclusive: bool, reverse: bool) -> Any:
    """exp(x[i] - out[i]) s[i], where s[i] = g[i] + exp(out[i] - out[i + 1]) s[i + 1] is the sum over later j of g[j] exp(out[i] - out[j]). No exponent is positive."""
    inside = ew.greater(_next(st.ones_like(x), axis, reverse), st.zeros_like(x))  # all but the end
    empty = ew.equal(out, st.full_like(out, value=-np.inf))
    after = _next(_finite(out), axis, reverse)
    kept = ew.logical_and(inside, ew.logical_not(empty))
    factors = ew.select(kept, ew.exp(ew.select(kept, out - after, st.zeros_like(out))), st.zeros_like(out))
    s = recurrence(factors, g, axis=axis, reverse=not reverse)
    if exclusive:
        return ew.exp(ew.select(inside, x - after, st.zeros_like(x))) * _next(s, axis, reverse)
    return ew.exp(x - _finite(out)) * s


cumulative_logsumexp = Primitive("cumulative_logsumexp", "x", _running(np.logaddexp.accumulate, -np.inf), shape=_running_shape, accepts=FLOAT,
                                 cases=lambda rng: [c for c in _running_cases(rng) if not c[1]["exclusive"]],  # that begins with -inf, which has no differences
                                 batch=st._shift_axis, grad=(_cumulative_logsumexp_grad,), doc="The logarithm of the running sum of exp(x) along an axis, without overflow.")  # fmt: skip

# -- compositions -------------------------------------------------------------------------------------------------------------


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """``g`` summed down to ``shape``: the adjoint of broadcasting. The one place where gradients are un-broadcast."""
    have = g._shape
    if have == shape:
        return g
    lead = len(have) - len(shape)
    axis = tuple(i for i in range(len(have)) if i < lead or (shape[i - lead] == 1 and have[i] != 1))
    out = sum(g, axis=axis, keepdims=False) if axis else g
    return out if out._shape == shape else st.reshape(out, shape=shape)
