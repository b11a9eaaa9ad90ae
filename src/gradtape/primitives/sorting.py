"""Order: sorting, the largest few, searching what is sorted, what is distinct, running extremes, and counting.

NaN counts as the largest value, as in NumPy. Of equal elements the first in the tensor comes first, in both directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.dtypes import BOOL, INT, NUMERIC, REAL, STRING, DType, int32, int64
from ..ground.errors import InvalidArgumentError, invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import check_axis, dims_text
from . import elementwise as ew
from . import indexing as ix
from . import structure as st

Shape = tuple[int, ...]


def _distinct(rng: Any, *shape: int) -> np.ndarray:
    """Numbers far enough from each other that small steps do not change their order."""
    n = math.prod(shape)
    return rng.permutation(np.linspace(-3, 3, n + 2)[1:-1]).reshape(shape)


def _vector(x: Aval, what: str) -> Aval:
    if x.ndim != 1:
        raise invalid(f"{what} must be a vector, but has shape {dims_text(x.shape)}.")
    return x


# -- elements along an axis, named by their places ---------------------------------------------------------------------------


def _rows_last(x: Any, axis: int) -> np.ndarray:
    """``x`` as a table whose rows run along ``axis``."""
    moved = np.moveaxis(x, axis, -1)
    return moved.reshape(math.prod(moved.shape[:-1]), moved.shape[-1])


def _check_places(i: Any, n: int) -> Any:
    ix._check_integer(i)
    i = i.astype(np.intp, copy=False)
    if ix._any_outside(i, n):
        raise ix._out_of_range(i, n)
    return i


def _take_along(x: Any, i: Any, *, axis: int) -> Any:
    if x.ndim != i.ndim or x.shape[:axis] + x.shape[axis + 1 :] != i.shape[:axis] + i.shape[axis + 1 :]:
        raise ValueError("the shapes do not fit")
    i = _check_places(i, x.shape[axis])
    return x.take(i) if x.ndim == 1 else np.take_along_axis(x, i, axis)


def _take_along_shape(x: Aval, indices: Aval, *, axis: int) -> Aval:
    if not indices.dtype.is_integer:
        raise invalid(f"The indices must be integers, but are {indices.dtype.name}.")
    a = check_axis(axis, x.ndim)
    if (
        not x.ndim
        or not ix.fitting(x.shape[:a] + x.shape[a + 1 :], indices.shape[:a] + indices.shape[a + 1 :])
        or x.ndim != indices.ndim
    ):
        raise invalid(
            f"A tensor and indices along its axis {a} must have the same other dimensions, but have shapes {dims_text(x.shape)} and {dims_text(indices.shape)}."
        )
    return Aval(indices.shape, x.dtype)


take_along = Primitive(
    "take_along", "x indices", _take_along, shape=_take_along_shape, linear=True, holomorphic=False, batch=st._shift_axis,
    grad=(lambda g, x_shape, indices, axis: add_along(g, indices, n=x_shape[axis], axis=axis, once=False), None),
    cases=lambda rng: [((ix._some(rng, 4), ix._ints(3, 0, 3)), {"axis": 0}), ((ix._some(rng, 2, 3), ix._ints([2, 0], [1, 1])), {"axis": 1}),
                       ((ix._some(rng, 2, 3), ix._ints([0, 1, 1])), {"axis": 0}), ((ix._some(rng, 2, 3), np.zeros((2, 0), np.int32)), {"axis": 1})],
    doc="Along an axis, the elements whose places are given: each row of the tensor by a row of indices.",
)  # fmt: skip


def _add_along(g: Any, i: Any, *, n: int, axis: int, once: bool) -> Any:
    if g.shape != i.shape:
        raise ValueError("the shapes do not fit")
    i = _check_places(i, n)
    shape = g.shape[:axis] + (n,) + g.shape[axis + 1 :]
    if once:
        out = np.zeros(shape, g.dtype)
        if g.ndim == 1:
            out[i] = g
        else:
            np.put_along_axis(out, i, g, axis)
        return out
    rows = _rows_last(i, axis)
    cells = (rows + np.arange(len(rows))[:, None] * n).reshape(-1)
    sums = ix._row_sums(cells, _rows_last(g, axis).reshape(-1, 1), len(rows) * n)
    lead = g.shape[:axis] + g.shape[axis + 1 :]
    return np.moveaxis(sums.reshape(*lead, n), -1, axis)


def _add_along_shape(g: Aval, indices: Aval, *, n: int, axis: int, once: bool) -> Aval:
    a = check_axis(axis, g.ndim)
    if not indices.dtype.is_integer or not g.ndim or not ix.fitting(g.shape, indices.shape):
        raise invalid(
            f"Elements and the integer indices of their places must have one shape: got {dims_text(g.shape)} and {indices!r}."
        )
    return Aval(g.shape[:a] + (n,) + g.shape[a + 1 :], g.dtype)


add_along = Primitive(
    "add_along", "g indices", _add_along, shape=_add_along_shape, accepts=NUMERIC, linear=True, holomorphic=False, batch=st._shift_axis,
    grad=(lambda g, indices, axis: take_along(g, indices, axis=axis), None),
    cases=lambda rng: [((ix._some(rng, 3), ix._ints(3, 0, 3)), {"n": 4, "axis": 0, "once": False}), ((ix._some(rng, 2, 2), ix._ints([2, 0], [1, 1])), {"n": 3, "axis": 1, "once": False}),
                       ((ix._some(rng, 1, 3), ix._ints([0, 1, 1])), {"n": 2, "axis": 0, "once": False}), ((ix._some(rng, 2, 2), ix._ints([2, 0], [1, 0])), {"n": 3, "axis": 1, "once": True}),
                       ((ix._some(rng, 2), ix._ints(2, 0)), {"n": 3, "axis": 0, "once": True})],
    doc="Zeros with the elements added at the places given along an axis: the adjoint of take_along. ``once``: no place is named twice in a row.",
)  # fmt: skip

# -- order -------------------------------------------------------------------------------------------------------------------


def _keys(x: np.ndarray, descending: bool) -> np.ndarray:
    """Integers in the order of ``x`` (in the opposite one): equal where the elements are equal, NaN the largest."""
    t = x.dtype
    if t.kind in "fV":
        # the bits of a positive float count upwards like an integer's, those of a negative one downwards
        bits = f"i{t.itemsize}"
        k = (x + t.type(0)).view(bits)  # -0 becomes 0
        top = np.iinfo(bits).max
        k = np.where(np.isnan(x), top, k ^ ((k >> (8 * t.itemsize - 1)) & top)).astype(bits, copy=False)
    else:
        k = x
    return ~k if descending else k


_LONG = (
    1 << 10
)  # elements of a row from which keys and places are sorted together: NumPy sorts 64-bit integers by vector instructions


def _packed(k: np.ndarray) -> np.ndarray:
    """Key and place of each element along the last axis in one 64-bit integer, which orders by key and then by place."""
    if k.dtype.kind == "u":
        k = (k ^ np.uint32(1 << 31)).view(np.int32)
    p = k.astype(np.int64)
    p <<= 32
    p |= np.arange(k.shape[-1])
    return p


def _places(p: np.ndarray) -> np.ndarray:
    return p & 0xFFFFFFFF


def _order(x: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    """The places of the elements along ``axis`` in their order."""
    k = _keys(x, descending)
    if not np.ndim(k):
        raise ValueError("a scalar has no order")
    if k.dtype.itemsize != 4 or not _LONG <= k.shape[axis] < 1 << 32:
        return np.argsort(k, axis, kind="stable")
    p = _packed(np.moveaxis(k, axis, -1))
    p.sort(-1)
    return np.moveaxis(_places(p), -1, axis)


def _sort(x: Any, *, axis: int, descending: bool) -> Any:
    if (
        x.dtype.kind == "V"
    ):  # NumPy knows no quick way for bfloat16, but its keys are integers, and give the values back
        k = np.sort(_keys(x, False), axis)
        out = (k ^ ((k >> 15) & 0x7FFF)).view(x.dtype)
    else:
        out = np.sort(x, axis)
    return np.ascontiguousarray(np.flip(out, axis)) if descending else out


def _order_shape(x: Aval, *, axis: int, descending: bool) -> Aval:
    if not x.ndim:
        raise invalid("Sorting needs at least one dimension, but the tensor has shape [].")
    check_axis(axis, x.ndim)
    return x


def _order_cases(rng: Any) -> list:
    return [
        ((_distinct(rng, *s),), {"axis": a, "descending": d})
        for s, a in (((5,), 0), ((2, 3), 1), ((3, 2), 0), ((2, 0), 1))
        for d in (False, True)
    ]


argsort = Primitive(
    "argsort", "x", lambda x, *, axis, descending: _order(x, axis, descending).astype(np.int32), shape=lambda x, **attrs: Aval(_order_shape(x, **attrs).shape, int32),
    accepts=REAL, out=int32, widen=False, batch=st._shift_axis, cases=_order_cases,
    doc="The places of the elements along an axis in ascending or descending order; equal ones in the order they have.",
)  # fmt: skip

sort = Primitive(
    "sort", "x", _sort, shape=_order_shape, accepts=REAL, widen=False, batch=st._shift_axis, cases=_order_cases,
    grad=(lambda g, x, axis, descending: add_along(g, argsort(x, axis=axis, descending=descending), n=x._shape[axis], axis=axis, once=True),),
    jvp=lambda xs, ts, outs, attrs: [take_along(ts[0], argsort(xs[0], **attrs), axis=attrs["axis"])],
    doc="The elements along an axis in ascending or descending order.",
)  # fmt: skip

# -- the largest few ------------------------------------------------------------------------------------------------------------


def _candidates(x: np.ndarray, k: int) -> np.ndarray | None:
    """Places in a long vector among which its ``k`` largest elements are, ascending; None where this way does not pay.

    The k-th largest of the maxima of pieces bounds the k-th largest element from below, and no more than k pieces reach above it.
    """
    n = len(x)
    piece = min(1024, n // (8 * k))
    if piece < 16:
        return None
    tops = x[: n // piece * piece].reshape(-1, piece).max(1)
    bound = np.partition(tops, len(tops) - k)[len(tops) - k]
    if tops.dtype.kind in "fV" and np.isnan(tops).any():
        return None
    found = np.flatnonzero(x >= bound)
    return found if len(found) < n // 4 else None


def _above_border(x: np.ndarray, k: int) -> np.ndarray | None:
    """The places of the ``k`` largest elements of each row, in descending order; None where elements tie at the border, or are NaN."""
    n = x.shape[-1]
    border = np.partition(x, n - k, -1)[..., n - k, None]
    found = np.flatnonzero(x >= border)
    rows = x.size // n
    if len(found) != rows * k:
        return None
    rows_of, places = np.divmod(found.reshape(rows, k), n)
    if (rows_of != np.arange(rows)[:, None]).any():
        return None
    order = _order(x.reshape(-1)[found].reshape(rows, k), 1, True)
    return np.take_along_axis(places, order, -1).reshape(*x.shape[:-1], k)


def _largest(x: np.ndarray, k: int) -> np.ndarray:
    """The places of the ``k`` largest elements along the last axis, in descending order."""
    n = x.shape[-1]
    if k == 1 and x.dtype.kind != "V":
        return np.argmax(x, -1)[..., None]
    if x.ndim == 1 and k > 0 and n >= 1 << 13 and (found := _candidates(x, k)) is not None:
        return found[_order(x[found], 0, True)[:k]]
    if x.ndim > 1 and 0 < k <= n // 128 and n >= 1 << 13:
        return np.stack([_largest(row, k) for row in x.reshape(-1, n)]).reshape(*x.shape[:-1], k)
    if 0 < k < n // 4 and n >= 64 and x.dtype.kind != "V" and (found := _above_border(x, k)) is not None:
        return found
    if 0 < k < n // 2 and x.dtype.itemsize == 4 and n >= 64:
        p = np.partition(_packed(_keys(x, True)), k - 1, -1)[..., :k]
        p.sort(-1)
        return _places(p)
    return _order(x, x.ndim - 1, True)[..., :k]


def _top_k(x: Any, *, k: int, index_type: DType) -> Any:
    if not 0 <= k <= x.shape[-1]:
        raise ValueError("k is out of range")
    i = _largest(x, k) if x.size else np.zeros((*x.shape[:-1], k), np.intp)
    return np.take_along_axis(x, i, -1), i.astype(index_type.np)


def _top_k_shape(x: Aval, *, k: int, index_type: DType) -> list[Aval]:
    if not x.ndim:
        raise invalid("input must have at least one dimension, but has shape [].")
    if k < 0:
        raise invalid(f"Need k >= 0, got {k}.")
    if x.shape[-1] is not None and k > x.shape[-1]:
        raise invalid(f"input must have at least k columns: its last dimension is {x.shape[-1]}, and k is {k}.")
    return [Aval((*x.shape[:-1], k), x.dtype), Aval((*x.shape[:-1], k), index_type)]


top_k = Primitive(
    "top_k", "x", _top_k, shape=_top_k_shape, accepts=REAL, multi=True, widen=False, batch=lambda p, xs, batched, attrs: p(xs[0], **attrs), tf="TopKV2",
    grad=(lambda g, out, x_shape: add_along(g[0], out[1], n=x_shape[-1], axis=len(x_shape) - 1, once=True),),
    jvp=lambda xs, ts, outs, attrs: [take_along(ts[0], outs[1], axis=len(xs[0]._shape) - 1), None],
    cases=lambda rng: [((_distinct(rng, *s),), {"k": k, "index_type": int32}) for s, k in (((5,), 2), ((2, 3), 3), ((2, 1, 4), 1), ((3,), 0), ((0, 3), 2), ((2, 70), 5))],
    doc="The k largest elements along the last axis in descending order, and their places; of equal ones the first come first.",
)  # fmt: skip

# -- searching ------------------------------------------------------------------------------------------------------------------


def _searchsorted(sequence: Any, values: Any, *, side: str, index_type: DType) -> Any:
    lead = sequence.shape[:-1]
    if not np.ndim(values) or lead != values.shape[:-1] or sequence.dtype != values.dtype:
        raise ValueError("the leading dimensions differ")
    rows = math.prod(lead)
    s, v = sequence.reshape(rows, sequence.shape[-1]), values.reshape(rows, values.shape[-1])
    out = np.empty(v.shape, index_type.np)
    for a, b, o in zip(s, v, out, strict=True):
        o[:] = a.searchsorted(b, side)  # type: ignore[call-overload]
    return out.reshape(values.shape)


def _searchsorted_shape(sequence: Aval, values: Aval, *, side: str, index_type: DType) -> Aval:
    if sequence.dtype is not values.dtype:
        raise invalid(
            f"searchsorted needs a sequence and values of one dtype: got {sequence.dtype.name} and {values.dtype.name}."
        )
    if not sequence.ndim or not values.ndim or not ix.fitting(sequence.shape[:-1], values.shape[:-1]):
        raise invalid(
            f"The sorted sequence and the values must have the same leading dimensions, but have shapes {dims_text(sequence.shape)} and {dims_text(values.shape)}."
        )
    return Aval(values.shape, index_type)


def _searchsorted_cases(rng: Any) -> list:
    return [((np.sort(ix._some(rng, *s)), ix._some(rng, *v)), {"side": side, "index_type": t})
            for s, v in (((5,), (3,)), ((2, 4), (2, 3)), ((2, 70), (2, 3)), ((3, 0), (3, 2)), ((0, 3), (0, 2))) for side, t in (("left", int32), ("right", int64))]  # fmt: skip


searchsorted = Primitive(
    "searchsorted", "sequence values", _searchsorted, shape=_searchsorted_shape, accepts=REAL, out="kernel", widen=False, cases=_searchsorted_cases,
    batch=lambda p, xs, batched, attrs: p(*st._all_batched(xs, batched), **attrs), tf="LowerBound",
    doc="Where values would have to be inserted into rows that are sorted, so that they stay so: before or after equal elements.",
)  # fmt: skip


def _unique(x: Any, *, index_type: DType) -> tuple:
    if x.ndim != 1:
        raise ValueError("no vector")
    n, t = len(x), x.dtype
    if t.kind in "iufV":
        order = _order(x, 0, False)
        ordered = x[order]
    else:
        order = np.argsort(x, kind="stable")
        ordered = x[order]
    new = np.ones(n, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:], casting="unsafe")  # no NaN is like another
    starts = np.flatnonzero(new)
    first = order[starts]  # of equal ones the first comes first
    by_place = np.argsort(first)
    rank = np.empty_like(by_place)
    rank[by_place] = np.arange(len(by_place))
    inverse = np.empty(n, index_type.np)
    inverse[order] = rank[np.cumsum(new) - 1]
    counts = np.diff(starts, append=n)
    first = first[by_place]
    return x[first], inverse, counts[by_place].astype(index_type.np), first.astype(index_type.np)


def _unique_shape(x: Aval, *, index_type: DType) -> list[Aval]:
    _vector(x, "What unique is taken of")
    return [Aval((None,), x.dtype), Aval(x.shape, index_type), Aval((None,), index_type), Aval((None,), index_type)]


unique = Primitive(
    "unique", "x", _unique, shape=_unique_shape, accepts=NUMERIC | BOOL | STRING, multi=True, dynamic=True, widen=False,
    grad=(lambda g, out, x_shape: add_along(g[0], out[3], n=x_shape[0], axis=0, once=True),),
    cases=lambda rng: [((_distinct(rng, 4)[ix._ints(2, 0, 3, 1)],), {"index_type": int32}), ((np.zeros(0),), {"index_type": int64})],
    doc="The distinct elements of a vector in the order of their first appearance; for each element the place of its like among them, how often each occurs, and where it occurs first.",
)  # fmt: skip


def _invert_permutation(x: Any) -> Any:
    if x.ndim != 1:
        raise ValueError("no vector")
    n = len(x)
    if ix._any_outside(x.astype(np.intp), n):
        bad = x[(x < 0) | (x >= n)][0]
        raise InvalidArgumentError(f"{bad} is not between 0 and {n}: x must hold each of 0 to {n - 1} once.")
    out = np.full(n, -1, x.dtype)
    out[x] = np.arange(n)
    if (out < 0).any():
        twice = np.argmax(np.bincount(x, minlength=n))
        raise InvalidArgumentError(f"{twice} is duplicated in the input: x must hold each of 0 to {n - 1} once.")
    return out


invert_permutation = Primitive(
    "invert_permutation", "x", _invert_permutation, shape=lambda x: _vector(x, "A permutation"), accepts=INT,
    cases=lambda rng: [((rng.permutation(5).astype(np.int32),), {}), ((np.zeros(0, np.int32),), {})], doc="The permutation that takes another back.",
)  # fmt: skip

# -- running extremes --------------------------------------------------------------------------------------------------------------


def _running_extreme(accumulate: Callable) -> Callable:
    def kernel(x: Any, *, axis: int, reverse: bool) -> Any:
        r = accumulate(np.flip(x, axis) if reverse else x, axis)
        return np.flip(r, axis) if reverse else r

    return kernel


def _running_place(x: Any, out: Any, *, axis: int, reverse: bool) -> Any:
    """At each place, where the extreme ``out`` up to there was met first."""
    if x.shape != out.shape:
        raise ValueError("the shapes differ")
    if reverse:
        x, out = np.flip(x, axis), np.flip(out, axis)
    x, out = np.moveaxis(x, axis, -1), np.moveaxis(out, axis, -1)
    new = np.ones(x.shape, bool)
    before = out[..., :-1]
    np.not_equal(out[..., 1:], before, out=new[..., 1:])
    new[..., 1:] &= ~np.isnan(before)  # NaN differs from itself, but it stays
    n = x.shape[-1]
    places = np.maximum.accumulate(np.where(new, np.arange(n, dtype=np.int32), np.int32(0)), -1)
    places = np.moveaxis(places, -1, axis)
    return np.ascontiguousarray(np.flip(n - 1 - places, axis) if reverse else places)


def _running_shape(x: Aval, *, axis: int, reverse: bool) -> Aval:
    check_axis(axis, x.ndim)
    if not x.ndim:
        raise invalid("A running extreme needs at least one dimension, but the tensor has shape [].")
    return x


def _running_place_shape(x: Aval, out: Aval, *, axis: int, reverse: bool) -> Aval:
    _running_shape(x, axis=axis, reverse=reverse)
    if not ix.fitting(x.shape, out.shape):
        raise invalid(
            f"The tensor and its running extreme differ in shape: {dims_text(x.shape)} and {dims_text(out.shape)}."
        )
    return Aval(x.shape, int32)


def _running_cases(rng: Any) -> list:
    return [
        ((_distinct(rng, *s),), {"axis": a, "reverse": r})
        for s, a in (((6,), 0), ((2, 4), 1), ((3, 2), 0), ((0,), 0))
        for r in (False, True)
    ]


running_place = Primitive(
    "running_place", "x extreme", _running_place, shape=_running_place_shape, accepts=REAL, out=int32, widen=False, batch=st._shift_axis,
    cases=lambda rng: [((x, _running_extreme(np.maximum.accumulate)(x, **attrs)), attrs) for (x,), attrs in _running_cases(rng)],
    doc="At each place along an axis, where the running extreme there was met first.",
)  # fmt: skip


def _running_extreme_grad(g: Any, x: Any, out: Any, axis: int, reverse: bool) -> Any:
    return add_along(g, running_place(x, out, axis=axis, reverse=reverse), n=x._shape[axis], axis=axis, once=False)


def _running_extreme_jvp(xs: tuple, ts: list, outs: list, attrs: dict) -> list:
    return [take_along(ts[0], running_place(xs[0], outs[0], **attrs), axis=attrs["axis"])]


cummax = Primitive("cummax", "x", _running_extreme(np.maximum.accumulate), shape=_running_shape, accepts=REAL, grad=(_running_extreme_grad,), jvp=_running_extreme_jvp, widen=False, batch=st._shift_axis,
                   cases=_running_cases, doc="The largest element so far along an axis. Of equal ones the first has the gradient.")  # fmt: skip
cummin = Primitive("cummin", "x", _running_extreme(np.minimum.accumulate), shape=_running_shape, accepts=REAL, grad=(_running_extreme_grad,), jvp=_running_extreme_jvp, widen=False, batch=st._shift_axis,
                   cases=_running_cases, doc="The smallest element so far along an axis. Of equal ones the first has the gradient.")  # fmt: skip

# -- counting ------------------------------------------------------------------------------------------------------------------------
# Numbers are counted in rows of the last axis. Those of `size` and above are left out; none is negative.


def _cells(i: Any, size: int) -> tuple[np.ndarray, np.ndarray | None, int]:
    """The cell of each number in a table of ``size`` columns, which of them have one (None: all), how many rows there are."""
    ix._check_integer(i)
    rows = math.prod(i.shape[:-1])
    if i.size and np.min(i) < 0:
        raise InvalidArgumentError(f"Input arr must be non-negative, but holds {np.min(i)}.")
    cells = i.reshape(rows, i.shape[-1])
    if rows > 1:
        cells = cells + np.arange(rows)[:, None] * size
    if not i.size or np.max(i) < size:
        return cells.reshape(-1), None, rows
    kept = i.reshape(cells.shape) < size
    return cells[kept], kept.reshape(-1), rows


def _bincount(i: Any, *, size: int, dtype: DType, binary: bool) -> Any:
    cells, _, rows = _cells(i, size)
    counts = np.bincount(cells, minlength=rows * size).reshape(*i.shape[:-1], size)
    return (counts > 0 if binary else counts).astype(dtype.np)


def _bincount_shape(i: Aval, *, size: int, dtype: DType, binary: bool) -> Aval:
    if not i.ndim:
        raise invalid("Counting needs at least one dimension, but arr has shape [].")
    return Aval((*i.shape[:-1], size), dtype)


def _counted(rng: Any) -> list:
    return [rng.integers(0, 4, s).astype(np.int32) for s in ((6,), (2, 5), (0,), (2, 0))]


bincount = Primitive(
    "bincount", "numbers", _bincount, shape=_bincount_shape, accepts=INT, out="kernel", batch=lambda p, xs, batched, attrs: p(xs[0], **attrs),
    cases=lambda rng: [((i,), {"size": n, "dtype": int32, "binary": b}) for i in _counted(rng) for n in (3, 5) for b in (False, True)],
    tf="DenseBincount", doc="How often each of 0 to size - 1 occurs in each row of the last axis (or whether it does); larger numbers are left out.",
)  # fmt: skip


def _weighted_bincount(i: Any, w: Any, *, size: int) -> Any:
    if i.shape != w.shape:
        raise ValueError("the shapes differ")
    cells, kept, rows = _cells(i, size)
    w = w.reshape(-1, 1)
    return ix._row_sums(cells, w if kept is None else w[kept], rows * size).reshape(*i.shape[:-1], size)


def _weighted_bincount_shape(i: Aval, weights: Aval, *, size: int) -> Aval:
    if not i.ndim or not i.dtype.is_integer or not ix.fitting(i.shape, weights.shape):
        raise invalid(f"arr must hold integers, and weights one for each: got {i!r} and {weights!r}.")
    return Aval((*i.shape[:-1], size), weights.dtype)


def _weighted_bincount_grad(g: Any, numbers: Any, size: int) -> Any:
    last = len(g._shape) - 1
    beyond = st.pad(g, paddings=((0, 0),) * last + ((0, 1),), value=0)  # a 0 for what was left out
    return take_along(beyond, ew.minimum(numbers, st.full_like(numbers, value=size)), axis=last)


weighted_bincount = Primitive(
    "weighted_bincount", "numbers weights", _weighted_bincount, shape=_weighted_bincount_shape, accepts=NUMERIC, like=1, linear=True, holomorphic=False,
    grad=(None, _weighted_bincount_grad), batch=lambda p, xs, batched, attrs: p(*st._all_batched(xs, batched), **attrs),
    cases=lambda rng: [((i, ix._some(rng, *i.shape)), {"size": n}) for i in _counted(rng) for n in (3, 5)],
    tf="DenseBincount", doc="The sum of the weights of each of 0 to size - 1 in each row of the last axis; larger numbers are left out.",
)  # fmt: skip


def _histogram(x: Any, limits: Any, *, bins: int, index_type: DType) -> Any:
    i = _histogram_bins(x, limits, bins=bins)
    return np.bincount(np.reshape(i, -1), minlength=bins).astype(index_type.np)


def _histogram_bins(x: Any, limits: Any, *, bins: int) -> Any:
    if limits.shape != (2,) or limits.dtype != x.dtype or bins < 1:
        raise ValueError("a range has two ends")
    low, high = limits.astype(np.float64)
    place = (np.maximum(x, limits[0]) - limits[0]).astype(np.float64) / ((high - low) / bins)
    return np.clip(np.where(np.isnan(place), 0, place), 0, bins - 1).astype(np.int32)[()]


def _histogram_bins_shape(x: Aval, limits: Aval, *, bins: int) -> Aval:
    if not ix.fitting(limits.shape, (2,)) or limits.dtype is not x.dtype:
        raise invalid(f"value_range must hold two {x.dtype.name} numbers, but is {limits!r}.")
    if bins < 1:
        raise invalid(f"nbins should be a positive number, but got {bins}.")
    return Aval(x.shape, int32)


def _histogram_shape(x: Aval, limits: Aval, *, bins: int, index_type: DType) -> Aval:
    _histogram_bins_shape(x, limits, bins=bins)
    return Aval((bins,), index_type)


_LIMITS = np.array([-2.0, 3.0])
histogram = Primitive(
    "histogram", "x limits", _histogram, shape=_histogram_shape, accepts=REAL, out="kernel", tf="HistogramFixedWidth",
    cases=lambda rng: [((ix._some(rng, *s), _LIMITS), {"bins": n, "index_type": t}) for s, n, t in (((9,), 4, int32), ((2, 3), 1, int64), ((0,), 3, int32))],
    doc="How many elements fall in each of equally wide bins between two limits; those outside count with the first and the last.",
)  # fmt: skip
histogram_bins = Primitive(
    "histogram_bins", "x limits", _histogram_bins, shape=_histogram_bins_shape, accepts=REAL, out=int32,
    cases=lambda rng: [((ix._some(rng, *s), _LIMITS), {"bins": n}) for s, n in (((9,), 4), ((2, 3), 1), ((0,), 3))],
    doc="The bin of each element, of equally wide ones between two limits; those outside are in the first and the last.",
)  # fmt: skip


def _unravel(i: Any, *, dims: Shape) -> Any:
    ix._check_integer(i)
    i = np.asarray(i)
    n = math.prod(dims)
    if ix._any_outside(i.astype(np.intp), n):
        raise InvalidArgumentError(
            f"index {i[(i < 0) | (i >= n)].ravel()[0]} is out of bounds for dims {list(dims)}, which have {n} elements."
        )
    return np.stack(np.unravel_index(i, dims)).astype(i.dtype)


def _unravel_shape(i: Aval, *, dims: Shape) -> Aval:
    if i.ndim > 1:
        raise invalid(f"The indices can only be scalar or vector, but have shape {dims_text(i.shape)}.")
    return Aval((len(dims), *i.shape), i.dtype)


unravel_index = Primitive("unravel_index", "numbers", lambda i, *, dims: _unravel(i, dims=dims) if np.ndim(i) < 2 else _require_vector(), shape=_unravel_shape, accepts=INT,
                          cases=lambda rng: [((rng.integers(0, 6, 4, np.int32),), {"dims": (2, 3)}), ((np.int64(5),), {"dims": (2, 1, 3)})],
                          doc="The index vectors of elements that are numbered in row-major order, one coordinate after the other.")  # fmt: skip


def _require_vector() -> None:
    raise ValueError("no vector")
