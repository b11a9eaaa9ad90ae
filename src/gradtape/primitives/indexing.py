"""Indexing primitives: static slices, gather and scatter in their forms, the places of what is not zero, and sparse cotangents."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..ground.dtypes import ANY, BOOL, NUMERIC, REAL, int64
from ..ground.errors import InvalidArgumentError, invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import TensorShape, dims_text
from . import elementwise as ew
from . import structure as st

Shape = tuple[int, ...]
_ndarray = np.ndarray


def _some(rng: Any, *shape: int) -> np.ndarray:
    return rng.uniform(-3, 3, shape)


def _ints(*values: Any) -> np.ndarray:
    return np.array(values, np.int32)


def _zeros(shape: Shape, dtype: np.dtype) -> Any:
    return np.zeros(shape, dtype) if dtype.kind != "O" else np.full(shape, b"", object)


def fitting(dims: tuple, other: tuple) -> bool:
    """Whether two shapes can be one; None stands for an unknown dimension."""
    return len(dims) == len(other) and all(a is None or b is None or a == b for a, b in zip(dims, other, strict=True))


# -- static slices -----------------------------------------------------------------------------------------------------
# `index` is a tuple with one int, slice or np.newaxis (None) for each dimension consumed or made; no Ellipsis.


def _slice_shape(x: Aval, *, index: tuple) -> Aval:
    dims: list = []
    at = 0
    for i in index:
        if i is None:
            dims.append(1)
            continue
        if at >= x.ndim:
            if not x.ndim:
                raise invalid(
                    f"Attempting to slice scalar input: a tensor of shape [] takes no index but ... and tf.newaxis, and was given {i}."
                )
            raise invalid(f"Index out of range using input dim {at}; input has only {x.ndim} dims.")
        d = x.shape[at]
        if isinstance(i, slice):
            if i.step == 0:
                raise invalid(f"strides[{at}] must be non-zero.")
            dims.append(None if d is None else len(range(*i.indices(d))))
        elif d is not None and not -d <= i < d:
            raise invalid(f"slice index {i} of dimension {at} out of bounds. The dimension has {d} element(s).")
        at += 1
    return Aval(tuple(dims) + x.shape[at:], x.dtype)


def _unslice(g: Any, *, shape: Shape, index: tuple) -> Any:
    out = np.zeros(shape, g.dtype)
    if out[index].shape != g.shape:
        raise ValueError("the slice has another shape")
    out[index] = g
    return out if shape else out[()]


def _unslice_shape(g: Aval, *, shape: Shape, index: tuple) -> Aval:
    part = _slice_shape(Aval(shape, g.dtype), index=index).shape
    if not fitting(part, g.shape):
        raise invalid(
            f"The slice of a tensor of shape {dims_text(shape)} has shape {dims_text(part)}, but the tensor to put there {dims_text(g.shape)}."
        )
    return Aval(shape, g.dtype)


def _slice_cases(rng: Any) -> list:
    indices = (
        (1,),
        (-2,),
        (slice(0, 4, 2), slice(None, None, -1)),
        (None, slice(1, 3)),
        (0, -1),
        (slice(None), None, 2),
        (slice(3, 3),),
        (),
    )
    return [((_some(rng, 4, 3),), {"index": i}) for i in indices] + [
        ((_some(rng),), {"index": i}) for i in ((), (None, None))
    ]


strided_slice = Primitive(
    "strided_slice", "x", lambda x, *, index: x[index] if type(x) is _ndarray else np.asarray(st._array(x))[index], shape=_slice_shape, linear=True,
    holomorphic=False, grad=(lambda g, x_shape, index: unslice(g, shape=x_shape, index=index),),
    batch=lambda p, xs, batched, attrs: p(xs[0], index=(slice(None), *attrs["index"])), cases=_slice_cases,
    tf="StridedSlice", doc="The part of a tensor that a static index of ints, slices and new axes picks.",
)  # fmt: skip

unslice = Primitive(
    "unslice", "g", _unslice, shape=_unslice_shape, accepts=NUMERIC, linear=True, holomorphic=False, grad=(lambda g, index: strided_slice(g, index=index),),
    batch=lambda p, xs, batched, attrs: p(xs[0], shape=xs[0]._shape[:1] + attrs["shape"], index=(slice(None), *attrs["index"])),
    cases=lambda rng: [((strided_slice.kernel(x, **attrs),), {"shape": np.shape(x), **attrs}) for (x,), attrs in _slice_cases(rng)],
    doc="Zeros of a given shape with the tensor at a static index: the adjoint of strided_slice.",
)  # fmt: skip


def along(x: Any, axis: int, start: int, stop: int) -> Any:
    """``x[start:stop]`` along ``axis``."""
    return strided_slice(x, index=(slice(None),) * axis + (slice(start, stop, 1),))


def take_one(x: Any, axis: int, i: int) -> Any:
    """``x[i]`` along ``axis``, which goes."""
    return strided_slice(x, index=(slice(None),) * axis + (i,))


# -- tables of rows --------------------------------------------------------------------------------------------------------
# Gather and scatter in all their forms come down to one picture: the tensor is a table of rows, and numbers say which rows.


def _check_integer(i: Any) -> None:
    if i.dtype.kind not in "iu":
        cure = "for a mask use tf.boolean_mask or tf.where" if i.dtype.kind == "b" else "convert them with tf.cast"
        raise invalid(f"The indices must be integers, but are {i.dtype.name}: {cure}.")


def _out_of_range(i: Any, n: int, what: str = "indices") -> InvalidArgumentError:
    i = np.asarray(i)
    at = np.argwhere((i < 0) | (i >= n))[0].tolist()
    value = i[tuple(at)]
    place = f"[{','.join(map(str, at))}]" if at else ""
    return invalid(
        f"{what}{place} = {value} is not in [0, {n})"
        + (": negative indices do not count from the end here." if value < 0 else "")
    )


def _any_outside(i: np.ndarray, n: int) -> bool:
    # the bitwise or of integers is negative where one of them is: one quick pass
    return i.size > 0 and (np.bitwise_or.reduce(i, None) < 0 or np.maximum.reduce(i, None) >= n)


def row_numbers(i: Any, shape: Shape, axis: int = 0, batch_dims: int = 0, what: str = "indices") -> np.ndarray:
    """Where, in a tensor of ``shape`` seen as a table whose rows end at ``axis``, the rows that the indices ``i`` name are.

    Their number is batch × positions between ``batch_dims`` and ``axis`` × indices of one batch member, in this order.

    Raises:
        ValueError: the batch dimensions of ``i`` are not those of ``shape``.
        InvalidArgumentError: an index is no integer or out of range.
    """
    _check_integer(i)
    n = shape[axis]
    i = np.asarray(i).astype(np.intp, copy=False)
    if _any_outside(i, n):
        raise _out_of_range(i, n, what)
    if not axis:
        return i.reshape(-1)
    if i.shape[:batch_dims] != shape[:batch_dims]:
        raise ValueError("the batch dimensions differ")
    members, between = math.prod(shape[:batch_dims]), math.prod(shape[batch_dims:axis])
    first = np.arange(members * between).reshape(members, between, 1) * n
    return (i.reshape(members, 1, math.prod(i.shape[batch_dims:])) + first).reshape(-1)


def vector_row_numbers(i: Any, shape: Shape, batch_dims: int = 0, what: str = "shape") -> np.ndarray:
    """The same for index vectors: ``i[..., :]`` names a place in the dimensions of ``shape`` that follow ``batch_dims``.

    Raises:
        ValueError: the shapes do not fit.
        InvalidArgumentError: an index is no integer or out of range.
    """
    _check_integer(i)
    i = i.astype(np.intp, copy=False)
    k = i.shape[-1]
    dims = shape[batch_dims : batch_dims + k]
    if len(dims) < k or i.ndim <= batch_dims or i.shape[:batch_dims] != shape[:batch_dims]:
        raise ValueError("the shapes do not fit")
    rows = np.zeros(i.shape[:-1], np.intp)
    for j in range(k):
        column = i[..., j]
        if _any_outside(column, dims[j]):
            bad = ((i < 0) | (i >= dims)).any(-1)
            at = np.argwhere(bad)[0].tolist()
            place = f"[{','.join(map(str, at))}]" if at else ""
            raise invalid(
                f"indices{place} = {i[tuple(at)].tolist()} does not index into {what} {dims_text(shape[batch_dims:])}"
            )
        rows = rows * dims[j] + column if j else column
    if batch_dims:
        members = math.prod(shape[:batch_dims])
        rows = rows.reshape(members, math.prod(i.shape[batch_dims:-1])) + np.arange(members)[:, None] * math.prod(dims)
    return rows.reshape(-1)


def _table(x: Any, rows: int, width: int) -> np.ndarray:
    return np.reshape(st._array(x), (rows, width))


# How rows are added up (measured, for one element of 64 in each of 1024 rows): ufunc.at on rows 15 ns; on a flat array, for which
# NumPy has a loop of its own, 3 to 5 ns; a product with a sparse matrix 1.5 ns, but that has 20 us to set up and SciPy to import.
# Into rows that hold something already, the product costs a sort of the row numbers too.
_FEW, _FEW_INTO = 1 << 13, 1 << 15


def _at(f: np.ufunc, table: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    width = values.shape[1]
    cells = rows if width == 1 else (rows[:, None] * width + np.arange(width)).reshape(-1)
    f.at(table.reshape(-1), cells, values.reshape(-1))


def _half(t: np.dtype) -> bool:
    return t.itemsize == 2 and t.kind in "fV"


def _row_sums(rows: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """A table of ``count`` rows of which each is the sum of the ``values`` that ``rows`` sends there."""
    n, width = values.shape
    t = values.dtype
    if _half(t):
        return _row_sums(rows, values.astype(np.float32), count).astype(t)
    if width > 1 and n * width > _FEW and t.kind in "iufc":
        from scipy.sparse import csc_array

        return csc_array((np.ones(n, t), rows, np.arange(n + 1)), shape=(count, n)) @ values
    out = _zeros((count, width), t)
    _at(np.add, out, rows, values)
    return out


def _add_rows(table: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    t = values.dtype
    if not _half(t) and (values.shape[1] < 16 or values.size <= _FEW_INTO or t.kind not in "iufc"):
        return _at(np.add, table, rows, values)
    wide = np.float32 if _half(t) else t
    used, places = np.unique(rows, return_inverse=True)
    table[used] = table[used].astype(wide) + _row_sums(places, values.astype(wide), len(used))
    return None


def _divide_rows(table: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    if values.dtype.kind not in "iu":
        return _at(np.divide, table, rows, values)
    if not values.all():
        raise InvalidArgumentError("Integer division by zero: the updates hold a 0.")
    for r, v in zip(rows, values, strict=True):
        table[r] = (table[r] - np.fmod(table[r], v)) // v  # rounded towards zero
    return None


def _assign_rows(table: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    table[rows] = values  # of repeated rows the last stays


def _subtract_rows(table: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    _add_rows(table, rows, -values)


WRITERS: dict[str, Callable] = {
    "update": _assign_rows, "add": _add_rows, "sub": _subtract_rows, "mul": partial(_at, np.multiply), "div": _divide_rows,
    "min": partial(_at, np.minimum), "max": partial(_at, np.maximum),
}  # fmt: skip


def written(x: Any, rows: np.ndarray, values: Any, how: str, in_place: bool = False) -> Any:
    """``x`` with ``values`` written into rows of it, seen as a table; ``how`` is a key of WRITERS."""
    whole = np.size(values)
    out = x if in_place and x.flags.c_contiguous else np.array(st._array(x), order="C")
    if whole:
        width = whole // rows.size
        WRITERS[how](out.reshape(out.size // width, width), rows, _table(values, rows.size, width))
    return out if out.ndim else out[()]


# -- gather along an axis --------------------------------------------------------------------------------------------------
# axis >= batch_dims. The result has the shape x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1:].


def _gather(x: Any, i: Any, *, axis: int, batch_dims: int) -> Any:
    n = x.shape[axis]
    if type(i) is not _ndarray:
        _check_integer(i)
        if batch_dims:
            raise ValueError("batch_dims is too large")
        if not 0 <= i < n:
            raise _out_of_range(i, n)
        return x[(slice(None),) * axis + (i,)]
    if batch_dims:
        tail = x.shape[axis + 1 :]
        rows = row_numbers(i, x.shape, axis, batch_dims)
        count = math.prod(x.shape[: axis + 1])
        return x.reshape(count, math.prod(tail)).take(rows, 0).reshape(x.shape[:axis] + i.shape[batch_dims:] + tail)
    _check_integer(i)
    if i.dtype.kind == "u":
        i = i.astype(np.intp)
    if np.bitwise_or.reduce(i, None) < 0:
        raise _out_of_range(i, n)
    try:
        # take is the faster, but copies what is not contiguous
        return x.take(i, axis) if x.flags.c_contiguous else x[(slice(None),) * axis + (i,)]
    except IndexError:
        raise _out_of_range(i, n) from None


def _gather_shape(x: Aval, indices: Aval, *, axis: int, batch_dims: int) -> Aval:
    if not x.ndim:
        raise invalid("params must be at least 1 dimensional, but has shape [].")
    if axis >= x.ndim:
        raise invalid(
            f"Shape must be at least rank {axis + 1} but is rank {x.ndim}: axis is {axis}, params has shape {dims_text(x.shape)}."
        )
    if not indices.dtype.is_integer:
        raise invalid(f"The indices must be integers, but are {indices.dtype.name}.")
    if not 0 <= batch_dims <= min(indices.ndim, axis):
        raise invalid(
            f"Expected batch_dims in the range [0, {min(indices.ndim, axis)}], but got {batch_dims}: indices has rank {indices.ndim}, and axis is {axis}."
        )
    for d in range(batch_dims):
        if not fitting(x.shape[d : d + 1], indices.shape[d : d + 1]):
            raise invalid(f"params.shape[{d}]: {x.shape[d]} should be equal to indices.shape[{d}]: {indices.shape[d]}.")
    return Aval(x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1 :], x.dtype)


def _gather_dx(g: Any, x_shape: Shape, indices: Any, axis: int, batch_dims: int) -> Any:
    """Sparse for whole rows, so that the update of an embedding touches only the rows that were used."""
    if axis:
        return ungather(g, indices, shape=x_shape, axis=axis, batch_dims=batch_dims)
    n = math.prod(indices._shape)
    if len(indices._shape) != 1:
        g, indices = st.reshape(g, shape=(n, *x_shape[1:])), st.reshape(indices, shape=(n,))
    return IndexedSlices(g, indices, x_shape)


def _batch_gather(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    axis, batch_dims = attrs["axis"], attrs["batch_dims"]
    if not batch_dims and not batched[1]:
        return p(*xs, axis=axis + 1, batch_dims=0)
    if not batch_dims and not batched[0]:
        y = p(*xs, axis=axis, batch_dims=0)  # the batch stands where the indices are
        return st.transpose(y, perm=(axis, *range(axis), *range(axis + 1, len(y._shape)))) if axis else y
    return p(*st._all_batched(xs, batched), axis=axis + 1, batch_dims=batch_dims + 1)


def _gather_cases(rng: Any) -> list:
    x = _some(rng, 2, 3, 4)
    return [
        ((x, i), {"axis": a, "batch_dims": b})
        for i, a, b in (
            (_ints(1, 0, 1), 0, 0), (_ints([0, 2], [1, 1]), 1, 0), (_ints(3, 0), 2, 0), (np.int64(1), 0, 0), (np.int32(2), 2, 0), (_ints([], []), 1, 0),
            (_ints([0, 2], [1, 1]), 1, 1), (_ints([0, 3], [1, 1]), 2, 1), (_ints([0, 3, 0], [1, 1, 2]), 2, 2), (_ints(1, 0), 1, 1),
        )
    ] + [((_some(rng, 3), np.int32(1)), {"axis": 0, "batch_dims": 0})]  # fmt: skip


gather = Primitive(
    "gather", "x indices", _gather, shape=_gather_shape, sparse=True, linear=True, holomorphic=False, grad=(_gather_dx, None), batch=_batch_gather, cases=_gather_cases,
    tf="GatherV2", doc="The slices of a tensor along an axis that the indices name.",
)  # fmt: skip


def _ungather(g: Any, i: Any, *, shape: Shape, axis: int, batch_dims: int) -> Any:
    if np.shape(g) != shape[:axis] + i.shape[batch_dims:] + shape[axis + 1 :]:
        raise ValueError("the shapes do not fit")
    rows = row_numbers(i, shape, axis, batch_dims)
    return _row_sums(rows, _table(g, rows.size, math.prod(shape[axis + 1 :])), math.prod(shape[: axis + 1])).reshape(
        shape
    )


def _ungather_shape(g: Aval, indices: Aval, *, shape: Shape, axis: int, batch_dims: int) -> Aval:
    part = _gather_shape(Aval(shape, g.dtype), indices, axis=axis, batch_dims=batch_dims)
    if not fitting(part.shape, g.shape):
        raise invalid(f"The slices must have shape {dims_text(part.shape)}, but have {dims_text(g.shape)}.")
    return Aval(shape, g.dtype)


def _batch_ungather(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    n = xs[0 if batched[0] else 1]._shape[0]
    shape, axis, batch_dims = (n, *attrs["shape"]), attrs["axis"] + 1, attrs["batch_dims"]
    if not batched[1] and not batch_dims:
        return p(*xs, shape=shape, axis=axis, batch_dims=0)
    return p(*st._all_batched(xs, batched), shape=shape, axis=axis, batch_dims=batch_dims + 1)


ungather = Primitive(
    "ungather", "g indices", _ungather, shape=_ungather_shape, accepts=NUMERIC, linear=True, holomorphic=False, batch=_batch_ungather,
    grad=(lambda g, indices, axis, batch_dims: gather(g, indices, axis=axis, batch_dims=batch_dims), None),
    cases=lambda rng: [((_gather(x, i, **attrs), i), {"shape": x.shape, **attrs}) for (x, i), attrs in _gather_cases(rng)],
    doc="Zeros of a given shape with slices added along an axis where the indices say: the adjoint of gather.",
)  # fmt: skip

# -- gather and scatter by index vectors --------------------------------------------------------------------------------------
# The last dimension of `indices`, of length k, indexes the k dimensions of the tensor that follow `batch_dims`.


def _gather_nd(x: Any, i: Any, *, batch_dims: int) -> Any:
    shape = np.shape(x)
    rows = vector_row_numbers(i, shape, batch_dims, "param shape")
    at = batch_dims + i.shape[-1]
    out = _table(x, math.prod(shape[:at]), math.prod(shape[at:])).take(rows, 0).reshape(i.shape[:-1] + shape[at:])
    return out if out.ndim else out[()]


def _check_vectors(shape: tuple, indices: Aval, batch_dims: int) -> tuple:
    """The shape of what index vectors pick from a tensor of ``shape``; raises the user's error."""
    if not indices.ndim:
        raise invalid("indices must be at least a vector, but has shape [].")
    if not indices.dtype.is_integer:
        raise invalid(f"The indices must be integers, but are {indices.dtype.name}.")
    k = indices.shape[-1]
    if k is None:
        raise invalid("The last dimension of indices must be known.")
    if not 0 <= batch_dims < indices.ndim:
        raise invalid(f"batch_dims = {batch_dims} must be less than rank(indices) = {indices.ndim}.")
    if batch_dims + k > len(shape):
        raise invalid(
            f"index innermost dimension length must be <= params rank; saw: {k} vs. {len(shape) - batch_dims}."
        )
    if not fitting(shape[:batch_dims], indices.shape[:batch_dims]):
        raise invalid(
            f"The first {batch_dims} dimension(s) of a tensor of shape {dims_text(shape)} and of indices of shape {dims_text(indices.shape)} must be equal."
        )
    return indices.shape[:-1] + shape[batch_dims + k :]


def _check_updates(shape: tuple, indices: Aval, updates: Aval, batch_dims: int) -> None:
    if indices.ndim and indices.shape[-1] is None:
        return
    want = _check_vectors(shape, indices, batch_dims)
    if not fitting(want, updates.shape):
        raise invalid(
            f"Dimensions of indices and updates must match: for indices of shape {dims_text(indices.shape)} into shape {dims_text(shape)}, "
            f"updates must have shape {dims_text(want)}, but has {dims_text(updates.shape)}."
        )


def _gather_nd_dx(g: Any, x_shape: Shape, indices: Any, batch_dims: int) -> Any:
    s = indices._shape
    if len(s) == 2 and s[1] == 1 and not batch_dims:
        return IndexedSlices(g, st.reshape(indices, shape=s[:1]), x_shape)
    return scatter_nd(indices, g, shape=x_shape, batch_dims=batch_dims)


def _batch_vectors(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    if p is gather_nd and not attrs["batch_dims"] and not batched[0]:
        return p(*xs, **attrs)
    all_batched = st._all_batched(xs, batched)
    deeper = {**attrs, "batch_dims": attrs["batch_dims"] + 1}
    if "shape" in attrs:
        deeper["shape"] = (all_batched[0]._shape[0], *attrs["shape"])
    return p(*all_batched, **deeper)


_VECTORS = (
    (_ints([0, 1], [1, 2], [0, 2]), 0), (_ints([1], [0]), 0), (_ints([[0, 1, 3], [1, 1, 2]], [[0, 0, 1], [1, 0, 0]]), 0), (_ints(1, 2), 0),
    (np.zeros((1, 0), np.int32), 0), (np.zeros((0, 2), np.int32), 0), (np.array([[[0, 1], [2, 3]], [[1, 0], [0, 0]]]), 1), (_ints([1], [0]), 1),
)  # fmt: skip


def _gather_nd_cases(rng: Any) -> list:
    again = _ints([0, 1], [0, 1], [1, 0])
    return [((_some(rng, 2, 3, 4), i), {"batch_dims": b}) for i, b in (*_VECTORS, (again, 0))] + [
        ((_some(rng, 3), _ints(2)), {"batch_dims": 0})
    ]


gather_nd = Primitive(
    "gather_nd", "x indices", _gather_nd, shape=lambda x, indices, *, batch_dims: Aval(_check_vectors(x.shape, indices, batch_dims), x.dtype), sparse=True,
    linear=True, holomorphic=False, grad=(_gather_nd_dx, None), batch=_batch_vectors, cases=_gather_nd_cases,
    doc="The elements or slices of a tensor that index vectors name.",
)  # fmt: skip


def _scatter_nd(i: Any, u: Any, *, shape: Shape, batch_dims: int) -> Any:
    rows = vector_row_numbers(i, shape, batch_dims)
    at = batch_dims + i.shape[-1]
    if np.shape(u) != i.shape[:-1] + shape[at:]:
        raise ValueError("the updates have another shape")
    width = math.prod(shape[at:])
    out = _row_sums(rows, _table(u, rows.size, width), math.prod(shape[:at])).reshape(shape)
    return out if shape else out[()]


def _scatter_nd_shape(indices: Aval, updates: Aval, *, shape: Shape, batch_dims: int) -> Aval:
    _check_updates(shape, indices, updates, batch_dims)
    return Aval(shape, updates.dtype)


scatter_nd = Primitive(
    "scatter_nd", "indices updates", _scatter_nd, shape=_scatter_nd_shape, like=1, linear=True, holomorphic=False, batch=_batch_vectors,
    grad=(None, lambda g, indices, batch_dims: gather_nd(g, indices, batch_dims=batch_dims)),
    cases=lambda rng: [((i, _gather_nd(x, i, **attrs)), {"shape": x.shape, **attrs}) for (x, i), attrs in _gather_nd_cases(rng)],
    doc="Zeros of a given shape with the updates added where index vectors say: the adjoint of gather_nd.",
)  # fmt: skip


def _scatter_into(how: str) -> Any:
    def kernel(x: Any, i: Any, u: Any, *, batch_dims: int) -> Any:
        shape = np.shape(x)
        rows = vector_row_numbers(i, shape, batch_dims)
        if np.shape(u) != i.shape[:-1] + shape[batch_dims + i.shape[-1] :] or st._array(x).dtype != st._array(u).dtype:
            raise ValueError("the updates have another shape or dtype")
        return written(x, rows, u, how)

    return kernel


def _scatter_into_shape(x: Aval, indices: Aval, updates: Aval, *, batch_dims: int) -> Aval:
    if x.dtype is not updates.dtype:
        raise invalid(
            f"The updates must have the tensor's dtype {x.dtype.name}, but are {updates.dtype.name}: convert them with tf.cast."
        )
    _check_updates(x.shape, indices, updates, batch_dims)
    return x


def _scatter_into_cases(rng: Any) -> list:
    """Each place once: where places repeat, "update" is no function of its inputs that has a derivative."""
    return [
        (
            (_some(rng, 2, 3, 4), i, 1 + _some(rng, *np.shape(_gather_nd(np.zeros((2, 3, 4)), i, batch_dims=b)))),
            {"batch_dims": b},
        )
        for i, b in _VECTORS
    ]


def _tensor_scatter(how: str, dx: Any, du: Any, accepts: int, doc: str, **row: Any) -> Primitive:
    words = {"add": "Add", "update": "Update", "min": "Min", "max": "Max"}
    return Primitive(f"tensor_scatter_{how}", "x indices updates", _scatter_into(how), shape=_scatter_into_shape, grad=(dx, None, du), accepts=accepts,
                     batch=_batch_vectors, cases=_scatter_into_cases, tf=f"TensorScatter{words[how]}", doc=doc, **row)  # fmt: skip


def _picked(g: Any, indices: Any, batch_dims: int) -> Any:
    return gather_nd(g, indices, batch_dims=batch_dims)


def _without(g: Any, indices: Any, updates_shape: Shape, batch_dims: int) -> Any:
    return tensor_scatter_update(g, indices, st.zeros_of(g, shape=updates_shape), batch_dims=batch_dims)


tensor_scatter_add = _tensor_scatter("add", lambda g: g, _picked, NUMERIC, "The tensor with the updates added where index vectors say.",
                                     linear=True, holomorphic=False)  # fmt: skip
tensor_scatter_update = _tensor_scatter("update", _without, _picked, ANY, "The tensor with the updates put where index vectors say.",
                                        linear=True, holomorphic=False)  # fmt: skip


def _attaining(x: Any, indices: Any, updates: Any, out: Any, batch_dims: int) -> tuple:
    """Which elements, and which updates, attain the extreme value (ones and zeros), and how many at each place."""
    by_x = st.cast(ew.equal(x, out), x._d)
    by_u = st.cast(ew.equal(updates, _picked(out, indices, batch_dims)), x._d)
    return by_x, by_u, by_x + scatter_nd(indices, by_u, shape=x._shape, batch_dims=batch_dims)


def _extreme_dx(g: Any, x: Any, indices: Any, updates: Any, out: Any, batch_dims: int) -> Any:
    by_x, _, count = _attaining(x, indices, updates, out, batch_dims)
    return g * by_x / count


def _extreme_du(g: Any, x: Any, indices: Any, updates: Any, out: Any, batch_dims: int) -> Any:
    _, by_u, count = _attaining(x, indices, updates, out, batch_dims)
    return _picked(g / count, indices, batch_dims) * by_u


tensor_scatter_min = _tensor_scatter(
    "min",
    _extreme_dx,
    _extreme_du,
    REAL,
    "The tensor and the updates, whichever is smaller, where index vectors say; ties share the gradient evenly.",
    widen=False,
)
tensor_scatter_max = _tensor_scatter(
    "max",
    _extreme_dx,
    _extreme_du,
    REAL,
    "The tensor and the updates, whichever is larger, where index vectors say; ties share the gradient evenly.",
    widen=False,
)

# -- places of what is not zero -------------------------------------------------------------------------------------------------


def _nonzero_shape(x: Aval) -> Aval:
    if not x.ndim:
        raise invalid("The condition must have at least one dimension, but has shape [].")
    return Aval((None, x.ndim), int64)


def _nonzero(x: Any) -> np.ndarray:
    if not np.ndim(x):
        raise ValueError("a scalar has no places")
    places = x.nonzero()
    return places[0].reshape(-1, 1) if len(places) == 1 else np.stack(places, 1)


nonzero = Primitive("nonzero", "x", _nonzero, shape=_nonzero_shape, accepts=NUMERIC | BOOL, out=int64, dynamic=True, tf="Where",
                    cases=lambda rng: [((np.round(_some(rng, *s) / 4),), {}) for s in ((5,), (2, 3), (2, 1, 3), (0,))],
                    doc="The index vectors of the elements that are not zero (or are true), in row-major order.")  # fmt: skip

# -- parts of a variable's value, written in a traced program ---------------------------------------------------------------------


def _write_rows(x: Any, indices: Any, updates: Any, *, how: str, vectors: bool, axis: int) -> Any:
    rows = vector_row_numbers(indices, x.shape) if vectors else row_numbers(indices, x.shape, axis, axis)
    return written(x, rows, updates, how, in_place=False)


def _write_rows_cases(rng: Any) -> list:
    return [
        ((_some(rng, 4, 2), np.array([2, 0]), _some(rng, 2, 2)), {"how": how, "vectors": False, "axis": 0})
        for how in ("update", "add")
    ]


write_rows = Primitive("write_rows", "x indices updates", _write_rows, shape=lambda x, indices, updates, **attrs: x, cases=_write_rows_cases,
                       doc="x with updates written or accumulated into some of its rows, as the scatter methods of variables do. Not differentiable.")  # fmt: skip


def _write_slice(x: Any, updates: Any, *, index: tuple, how: str) -> Any:
    out = np.array(x)
    if how == "update":
        out[index] = updates
    elif how == "add":
        out[index] += updates
    else:
        out[index] -= updates
    return out[()] if not out.ndim else out


def _write_slice_shape(x: Aval, updates: Aval, *, index: tuple, how: str) -> Aval:
    part, have = _slice_shape(x, index=index).shape, updates.shape
    if len(have) > len(part) or any([h not in (1, w, None) for h, w in zip(have[::-1], part[::-1], strict=False)]):
        raise invalid(f"Cannot broadcast input shape {dims_text(have)} into final shape {dims_text(part)}")
    return x


write_slice = Primitive("write_slice", "x updates", _write_slice, shape=_write_slice_shape, accepts=NUMERIC,
                        cases=lambda rng: [((_some(rng, 4, 2), _some(rng, 2)), {"index": (slice(1, 3),), "how": how}) for how in ("update", "add", "sub")],
                        doc="x with updates written or accumulated at a static index, as v[...].assign does. Not differentiable.")  # fmt: skip

HOLE = "?"  # where an index that is known when the program runs stands in a form


def _filled(form: tuple, at: Any) -> tuple:
    """The index that a form stands for: ints, None, and slices as triples, with the numbers ``at`` in the holes."""
    it = iter(at)
    fill = lambda i: next(it) if i == HOLE else i
    return tuple([slice(*map(fill, i)) if type(i) is tuple else fill(i) for i in form])


def _write_open(x: Any, updates: Any, at: Any, *, form: tuple, how: str) -> Any:
    index = _filled(form, at.tolist())
    of = lambda a: Aval(np.shape(a), int64)  # the dtype does not matter
    _write_slice_shape(of(x), of(updates), index=index, how=how)
    return _write_slice(x, updates, index=index, how=how)


def _write_open_shape(x: Aval, updates: Aval, at: Aval, *, form: tuple, how: str) -> Aval:
    if sum([i is not None for i in form]) > x.ndim:
        raise invalid(f"Index out of range using input dim {x.ndim}; input has only {x.ndim} dims.")
    return x


_OPEN = (
    ((HOLE, (None, HOLE, None)), [2, 1]),
    (((HOLE, None, None), None, 1), [-3]),
    (((1, HOLE, HOLE), HOLE), [4, 2, 0]),
)

write_open = Primitive("write_open", "x updates at", _write_open, shape=_write_open_shape, accepts=NUMERIC,
                       cases=lambda rng: [((_some(rng, 4, 2), _some(rng), np.array(at)), {"form": form, "how": how}) for form, at in _OPEN for how in ("update", "add", "sub")],
                       doc="x with updates written or accumulated at an index that is known when the program runs, as v[i:j].assign does. Not differentiable.")  # fmt: skip

# -- sparse cotangents ----------------------------------------------------------------------------------------------------------


class IndexedSlices:
    """A tensor that is zero but for some rows: ``values[i]`` stands at row ``indices[i]``, repeated rows add up.

    The gradient of a gather is one, so that an embedding's update touches only the rows that were used. It converts to a
    Tensor by itself wherever one is needed: ``tf.convert_to_tensor(s)``, ``t + s``, ``tf.reduce_sum(s)``.

    Args:
        values: a Tensor of shape (n, ...).
        indices: an integer Tensor of shape (n,).
        dense_shape: the shape of the whole, or None where it is not known.

    >>> import gradtape as tf
    >>> s = tf.IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([1]), (3, 2))
    >>> tf.convert_to_tensor(s).numpy().tolist()
    [[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]]
    """

    __slots__ = ("_dense_shape", "_indices", "_values")

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self._values, self._indices = values, indices
        if dense_shape is not None and type(dense_shape) is not tuple:
            dense_shape = tuple(
                int(d)
                for d in (dense_shape if isinstance(dense_shape, list | TensorShape) else np.asarray(dense_shape))
            )
        self._dense_shape: Shape | None = dense_shape

    values = property(lambda self: self._values, doc="The rows.")
    indices = property(lambda self: self._indices, doc="Where the rows stand.")
    dtype = property(lambda self: self._values.dtype, doc="The dtype of the rows.")
    device = property(lambda self: self._values.device, doc="The device that holds the rows.")
    name = property(lambda self: self._values.name, doc="Undefined for eager tensors, as in TensorFlow.")
    _d = property(lambda self: self._values._d)

    @property
    def dense_shape(self) -> Any:
        """The shape of the whole as an int tensor, or None."""
        return None if self._dense_shape is None else _tensor(np.asarray(self._dense_shape, np.int32))

    @property
    def shape(self) -> TensorShape:
        """The TensorShape of the whole."""
        return TensorShape(self._dense_shape)

    def to_dense(self) -> Any:
        """The whole as a Tensor. ValueError where the dense shape is unknown."""
        if self._dense_shape is None:
            raise ValueError(
                f"Tensor conversion requested for IndexedSlices without dense_shape: {self}. Give dense_shape when making it."
            )
        return ungather(_tensor(self._values), _tensor(self._indices), shape=self._dense_shape, axis=0, batch_dims=0)

    _to_tensor = to_dense

    def _merge(self, other: IndexedSlices) -> IndexedSlices:
        """The sum of two, as one: the other's rows first, so that a backward pass leaves them in the order of the program."""
        i, j = _tensor(self._indices), _tensor(other._indices)
        if i._d is not j._d:
            i, j = st.cast(i, int64), st.cast(j, int64)
        return IndexedSlices(
            st.concat(_tensor(other._values), _tensor(self._values), axis=0),
            st.concat(j, i, axis=0),
            self._dense_shape or other._dense_shape,
        )

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self._values, self._indices, self._dense_shape)

    def __str__(self) -> str:
        whole = "" if self._dense_shape is None else f", dense_shape={self.dense_shape!s}"
        return f"IndexedSlices(indices={self._indices!s}, values={self._values!s}{whole})"

    __repr__ = __str__


def _tensor(value: Any) -> Any:
    """``value`` as a tensor; the core, a floor above, puts its conversion here."""
    return value
