"""Indexing primitives: static slices, gather and scatter, one-hot."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ground.dtypes import INT, UINT
from ..ground.errors import OutOfRangeError, invalid, user_line
from ..ground.primitive import Aval, Primitive
from . import structure as st

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
            raise invalid(f"Too many indices for a tensor of shape {list(x.shape)}.")
        d = x.shape[at]
        if isinstance(i, slice):
            dims.append(None if d is None else len(range(*i.indices(d))))
        elif d is not None and not -d <= i < d:
            raise invalid(f"slice index {i} of dimension {at} out of bounds: the dimension has {d} elements.")
        at += 1
    return Aval(tuple(dims) + x.shape[at:], x.dtype)


def _slice_grad_kernel(g: Any, *, shape: tuple, index: tuple) -> Any:
    out = np.zeros(shape, g.dtype)
    out[index] = g
    return out


def _batch_slice(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    return p(xs[0], index=(slice(None), *attrs["index"]))


def _slice_cases(rng: Any) -> list:
    u = lambda *s: rng.uniform(-3, 3, s)  # noqa: E731
    return [((u(4, 3),), {"index": i}) for i in ((1,), (slice(0, 4, 2), slice(None, None, -1)), (None, slice(1, 3)), (0, -1), ())]


strided_slice = Primitive(
    "strided_slice", "x", lambda x, *, index: x[index] if type(x) is np.ndarray else _scalar_slice(x, index), shape=_slice_shape, linear=True,
    grad=(lambda g, x_shape, index: unslice(g, shape=x_shape, index=index),), batch=_batch_slice, cases=_slice_cases,
    tf="StridedSlice", doc="The part of a tensor that a static index of ints, slices and new axes picks.",
)  # fmt: skip


def _scalar_slice(x: Any, index: tuple) -> Any:
    return np.asarray(x)[index][()]


unslice = Primitive(
    "unslice", "g", _slice_grad_kernel, shape=lambda g, *, shape, index: Aval(shape, g.dtype), linear=True,
    grad=(lambda g, index: strided_slice(g, index=index),),
    batch=lambda p, xs, batched, attrs: p(xs[0], shape=xs[0]._shape[:1] + attrs["shape"], index=(slice(None), *attrs["index"])),
    cases=lambda rng: [((rng.uniform(-3, 3, (2, 3)),), {"shape": (4, 3), "index": (slice(0, 4, 2), slice(None, None, -1))})],
    doc="Zeros of a given shape with the tensor at a static index: the adjoint of strided_slice.",
)  # fmt: skip


def along(x: Any, axis: int, start: int, stop: int) -> Any:
    """``x[start:stop]`` along ``axis``."""
    return strided_slice(x, index=(slice(None),) * axis + (slice(start, stop, 1),))


def take_one(x: Any, axis: int, i: int) -> Any:
    """``x[i]`` along ``axis``, which goes."""
    return strided_slice(x, index=(slice(None),) * axis + (i,))


# -- sparse cotangents ---------------------------------------------------------------------------------------------------


class IndexedSlices:
    """A tensor that is zero but for some rows: ``values[i]`` stands at row ``indices[i]``, repeated rows add up.

    The gradient of a gather is one, so that an embedding's update touches only the rows that were used.

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
        self._dense_shape = None if dense_shape is None else tuple(int(d) for d in dense_shape)

    values = property(lambda self: self._values, doc="The rows.")
    indices = property(lambda self: self._indices, doc="Where the rows stand.")
    dtype = property(lambda self: self._values.dtype, doc="The dtype of the rows.")
    name = property(lambda self: None, doc="None.")
    _d = property(lambda self: self._values._d)

    @property
    def dense_shape(self) -> Any:
        """The shape of the whole as an int tensor, or None."""
        from ..core.tensor import convert

        return None if self._dense_shape is None else convert(np.asarray(self._dense_shape, np.int32))

    @property
    def shape(self) -> Any:
        """The TensorShape of the whole."""
        from ..ground.shapes import TensorShape

        return TensorShape(self._dense_shape)

    def to_dense(self) -> Any:
        """The whole as a Tensor. ValueError where the dense shape is unknown."""
        if self._dense_shape is None:
            raise ValueError("Tensor conversion requested for IndexedSlices without dense_shape: give dense_shape when making it.")
        n = self._indices._shape[0]
        indices = st.reshape(self._indices, shape=(n, 1))
        return scatter_nd(indices, self._values, shape=self._dense_shape)

    _to_tensor = to_dense

    def _merge(self, other: IndexedSlices) -> IndexedSlices:
        indices = other._indices if other._indices._d is self._indices._d else st.cast(other._indices, self._indices._d)
        return IndexedSlices(st.concat(self._values, other._values, axis=0), st.concat(self._indices, indices, axis=0), self._dense_shape)

    def _scaled(self, by: Any) -> IndexedSlices:
        return IndexedSlices(self._values * by, self._indices, self._dense_shape)

    __mul__ = __rmul__ = _scaled

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self._values, self._indices, self._dense_shape)

    def __repr__(self) -> str:
        return f"IndexedSlices(indices={self._indices}, values={self._values}, dense_shape={self._dense_shape})"
