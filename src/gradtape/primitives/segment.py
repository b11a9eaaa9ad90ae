"""Segments: sums, products and extremes of the rows of a tensor that bear one number.

``ids`` numbers the leading dimensions of ``data``: ``ids.shape`` is what ``data.shape`` begins with. The result has ``num`` rows, and
elements whose number is negative are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from ..ground.dtypes import NUMERIC, REAL
from ..ground.errors import invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import dims_text
from . import elementwise as ew
from . import indexing as ix
from . import reduction as rd
from . import sorting
from . import structure as st

Shape = tuple[int, ...]


def _rows(data: Any, ids: Any, num: int) -> tuple[np.ndarray, np.ndarray, Shape]:
    """The numbers that are not negative as a vector, the rows that bear them as a table, and the shape of one row."""
    ix._check_integer(ids)
    i = np.asarray(ids)
    k = i.ndim
    if np.shape(data)[:k] != i.shape or num < 0:
        raise ValueError("the numbers are not those of the leading dimensions")
    row = np.shape(data)[k:]
    flat = i.reshape(-1).astype(np.intp, copy=False)
    table = np.reshape(data, (flat.size, math.prod(row)))
    if flat.size:
        if np.maximum.reduce(flat) >= num:
            raise ix._out_of_range(np.where(i < 0, 0, i), num, "segment_ids")
        if np.minimum.reduce(flat) < 0:
            kept = flat >= 0
            flat, table = flat[kept], table[kept]
    return flat, table, row


def _segment_sum(data: Any, ids: Any, *, num: int) -> Any:
    i, table, row = _rows(data, ids, num)
    return ix._row_sums(i, table, num).reshape(num, *row)


def _end(t: np.dtype, high: bool) -> Any:
    """The lowest or the highest finite number of a dtype."""
    info = np.iinfo(t) if t.kind in "iu" else ml_dtypes.finfo(t)
    return info.max if high else info.min


def _reduced(ufunc: np.ufunc, neutral: float, empty: Callable[[np.dtype], Any]) -> Callable:
    """The kernel that reduces each segment by ``ufunc``, beginning with ``neutral``; those without elements are ``empty``, or 0 if so wanted."""

    def kernel(data: Any, ids: Any, *, num: int, zero: bool) -> Any:
        i, table, row = _rows(data, ids, num)
        t = table.dtype
        out = np.full((num, table.shape[1]), 0 if zero else empty(t), t)
        if i.size and (i[1:] < i[:-1]).any():
            out[i] = _end(t, neutral > 0) if np.isinf(neutral) and t.kind in "iu" else neutral
            ix._at(ufunc, out, i, table)
        elif i.size:
            starts = np.flatnonzero(np.concatenate([[True], i[1:] != i[:-1]]))
            out[i[starts]] = ufunc.reduceat(table, starts, 0, dtype=t)
        return out.reshape(num, *row)

    return kernel


def _shape(data: Aval, ids: Aval, *, num: int, zero: bool = False) -> Aval:
    k = ids.ndim
    if not ids.dtype.is_integer:
        raise invalid(f"segment_ids must be integers, but are {ids.dtype.name}.")
    if not ix.fitting(data.shape[:k], ids.shape):
        raise invalid(
            f"data.shape = {dims_text(data.shape)} does not start with segment_ids.shape = {dims_text(ids.shape)}."
        )
    if num < 0:
        raise invalid(f"num_segments must not be negative, but is {num}.")
    return Aval((num, *data.shape[k:]), data.dtype)


def _apart(ids: Any, num: int) -> Any:
    """The numbers of a batch as those of one tensor: the segments of each member follow those of the one before."""
    n = ids._shape[0]
    first = ix._tensor((np.arange(n) * num).reshape((n,) + (1,) * (len(ids._shape) - 1)).astype(ids._d.np))
    beyond = st.full_like(ids, value=n * num)  # what is out of range stays so
    in_range = ew.logical_and(ew.greater_equal(ids, st.zeros_like(ids)), ew.less(ids, st.full_like(ids, value=num)))
    return ew.select(in_range, ids + first, ew.select(ew.less(ids, st.zeros_like(ids)), ids, beyond))


def _moved(x: Any, source: int, target: int) -> Any:
    perm = [a for a in range(len(x._shape)) if a != source]
    perm.insert(target, source)
    return st.transpose(x, perm=tuple(perm))


def _batch(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    data, ids = xs
    num = attrs["num"]
    if not batched[1]:
        return _moved(p(_moved(data, 0, len(ids._shape)), ids, **attrs), 1, 0)
    data, ids = st._all_batched(xs, batched)
    n = ids._shape[0]
    out = p(data, _apart(ids, num), **{**attrs, "num": n * num})
    return st.reshape(out, shape=(n, num, *out._shape[1:]))


def _cases(rng: Any) -> list:
    u = lambda *s: ix._some(rng, *s)
    return [((u(4), ix._ints(0, 2, 0, -1)), 3), ((u(4, 2), ix._ints(0, 0, 1, 3)), 5), ((u(2, 3, 2), ix._ints([1, 0, 1], [-1, 1, 0])), 2), ((u(0, 2), np.zeros(0, np.int64)), 2), ((u(), np.int32(1)), 2), ((u(3, 0), ix._ints(1, 0, 1)), 2)]  # fmt: skip


segment_sum = Primitive(
    "segment_sum", "data ids", _segment_sum, shape=_shape, accepts=NUMERIC, linear=True, holomorphic=False, batch=_batch, tf="UnsortedSegmentSum",
    grad=(lambda g, ids: segment_spread(g, ids), None), cases=lambda rng: [(c, {"num": n}) for c, n in _cases(rng)], doc="The sum of the rows of each number.",
)  # fmt: skip


def _segment_spread(g: Any, ids: Any) -> Any:
    ix._check_integer(ids)
    i = np.asarray(ids)
    if not np.ndim(g):
        raise ValueError("a scalar has no rows")
    if i.size and np.maximum.reduce(i, None) >= len(g):
        raise ix._out_of_range(np.where(i < 0, 0, i), len(g), "segment_ids")
    negative = i < 0
    if not negative.any():
        return g[i.astype(np.intp, copy=False)]
    if not len(g):
        return np.zeros(i.shape + g.shape[1:], g.dtype)[()]
    out = g[np.where(negative, 0, i)]
    if i.ndim:
        out[negative] = 0
        return out
    return np.zeros_like(out)[()]


def _segment_spread_shape(g: Aval, ids: Aval) -> Aval:
    if not ids.dtype.is_integer:
        raise invalid(f"segment_ids must be integers, but are {ids.dtype.name}.")
    if not g.ndim:
        raise invalid("What is spread over segments must have at least one dimension, but has shape [].")
    return Aval(ids.shape + g.shape[1:], g.dtype)


def _batch_spread(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    g, ids = xs
    if not batched[1]:
        return _moved(p(_moved(g, 0, 1), ids), len(ids._shape), 0)
    g, ids = st._all_batched(xs, batched)
    n, num = g._shape[:2]
    return p(st.reshape(g, shape=(n * num, *g._shape[2:])), _apart(ids, num))


segment_spread = Primitive(
    "segment_spread", "x ids", _segment_spread, shape=_segment_spread_shape, accepts=NUMERIC, linear=True, holomorphic=False, batch=_batch_spread,
    grad=(lambda g, x_shape, ids: segment_sum(g, ids, num=x_shape[0]), None),
    cases=lambda rng: [((_segment_sum(x, i, num=n), i), {}) for (x, i), n in _cases(rng)],
    doc="Each segment's row at all the places that bear its number, 0 where the number is negative: the adjoint of segment_sum.",
)  # fmt: skip


def _extreme_grad(g: Any, data: Any, ids: Any, out: Any, num: int) -> Any:
    """Shared evenly among the elements that attain the extreme value."""
    ties = st.cast(ew.equal(data, segment_spread(out, ids)), data._d)
    return ties * segment_spread(ew.divide_no_nan(g, segment_sum(ties, ids, num=num)), ids)


def _prod_grad(g: Any, data: Any, ids: Any) -> Any:
    """g times the product of the others of the segment: with the segments one after the other, of those before times those behind.

    Both are recurrences that begin anew with each segment. Nothing is divided, so zeros are no exception.
    """
    n, shape = math.prod(ids._shape), data._shape
    width = math.prod(shape[len(ids._shape) :])
    flat = st.reshape(ids, shape=(n,))
    order = sorting.argsort(flat, axis=0, descending=False)
    x = ix.gather(st.reshape(data, shape=(n, width)), order, axis=0, batch_dims=0)
    flat = ix.gather(flat, order, axis=0, batch_dims=0)
    first = max(n - 1, 0)
    same = st.cast(
        ew.equal(ix.along(flat, 0, 0, first), ix.along(flat, 0, n - first, n)), data._d
    )  # each with the one behind
    same = st.broadcast_to(st.reshape(same, shape=(first, 1)), shape=(first, width))
    ahead, behind = (st.pad(same, paddings=(p, (0, 0)), value=0) for p in ((n - first, 0), (0, n - first)))
    left = rd.recurrence(rd._next(x, 0, True) * ahead, 1 - ahead, axis=0, reverse=False)
    right = rd.recurrence(rd._next(x, 0, False) * behind, 1 - behind, axis=0, reverse=True)
    others = ix.gather(left * right, sorting.invert_permutation(order), axis=0, batch_dims=0)
    return st.reshape(others, shape=shape) * segment_spread(g, ids)


def _segment(name: str, kernel: Callable, grad: Callable, accepts: int, doc: str, **row: Any) -> Primitive:
    def cases(
        rng: Any,
    ) -> (
        list
    ):  # what stands for no element, where it is not 0, differs from dtype to dtype, which no generated test expects
        return [
            (c, {"num": n, "zero": z})
            for c, n in _cases(rng)
            for z in (False, True)
            if z or len(np.unique(np.maximum(c[1], 0))) == n
        ]

    return Primitive(name, "data ids", kernel, shape=_shape, accepts=accepts, grad=(grad, None), batch=_batch, cases=cases, doc=doc,
                     tf="Unsorted" + "".join(w.capitalize() for w in name.split("_")), **row)  # fmt: skip


segment_max = _segment("segment_max", _reduced(np.maximum, -np.inf, lambda t: _end(t, False)), _extreme_grad, REAL, "The largest element of each number, the dtype's lowest (or 0) where there is none; ties share the gradient evenly.", widen=False)  # fmt: skip
segment_min = _segment("segment_min", _reduced(np.minimum, np.inf, lambda t: _end(t, True)), _extreme_grad, REAL, "The smallest element of each number, the dtype's highest (or 0) where there is none; ties share the gradient evenly.", widen=False)  # fmt: skip
segment_prod = _segment("segment_prod", _reduced(np.multiply, 1, lambda t: 1), _prod_grad, NUMERIC, "The product of the elements of each number, 1 where there is none.")  # fmt: skip
