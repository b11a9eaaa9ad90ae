"""Tensors made from nothing but shapes and numbers: zeros, ones, ranges, grids, masks."""

from __future__ import annotations

import builtins
import math as _math
from typing import Any

import numpy as np

from .core.arguments import dimensions, integer, sized
from .core.tensor import Tensor, convert
from .ground.dtypes import DType, as_dtype, bfloat16, float16, float32, float64, int32, int64
from .ground.dtypes import bool_ as _bool
from .ground.errors import invalid
from .ground.shapes import broadcast, dims_text
from .primitives import elementwise as ew
from .primitives import structure as st
from .primitives.indexing import along


def _full(shape: tuple[int, ...], value: Any, d: DType) -> Tensor:
    """A tensor of ``shape`` with ``value`` everywhere."""
    if not shape:
        return Tensor(d.type(value), d)
    return Tensor(np.full(shape, value, d.np) if value else np.zeros(shape, d.np), d)


@sized
def zeros(shape: Any, dtype: Any = float32, name: str | None = None, layout: Any = None) -> Tensor:
    """A tensor of zeros; of empty strings where ``dtype`` is tf.string.

    Args:
        shape: its shape: ints, a TensorShape or an integer tensor.
        dtype: its dtype.
        name: ignored, for TensorFlow's sake.
        layout: ignored, for TensorFlow's sake.

    Returns:
        A Tensor.

    Raises:
        InvalidArgumentError: a negative dimension.
        TypeError: ``shape`` is not made of integers, or ``dtype`` names no type.

    >>> import gradtape as tf
    >>> tf.zeros([2, 2], tf.int32).numpy().tolist()
    [[0, 0], [0, 0]]
    """
    d, dims = as_dtype(dtype), dimensions(shape)
    if d.name == "string":
        return st.broadcast_to(convert(""), shape=dims)
    return _full(dims, 0, d)


@sized
def ones(shape: Any, dtype: Any = float32, name: str | None = None, layout: Any = None) -> Tensor:
    """A tensor of ones.

    Args:
        shape: its shape: ints, a TensorShape or an integer tensor.
        dtype: its dtype, numeric or bool.
        name: ignored, for TensorFlow's sake.
        layout: ignored, for TensorFlow's sake.

    Returns:
        A Tensor.

    Raises:
        InvalidArgumentError: a negative dimension.
        TypeError: ``shape`` is not made of integers, or ``dtype`` has no 1.

    >>> import gradtape as tf
    >>> tf.ones([2]).numpy().tolist()
    [1.0, 1.0]
    """
    return _full(dimensions(shape), 1, _with_one(as_dtype(dtype)))


def _with_one(d: DType) -> DType:
    if d.name == "string":
        raise TypeError("Cannot convert 1 to a tensor of dtype string.")
    return d


@sized
def fill(dims: Any, value: Any, name: str | None = None, layout: Any = None) -> Tensor:
    """A tensor with one value everywhere. Gradients flow to the value.

    Args:
        dims: its shape: ints, a TensorShape or an integer tensor.
        value: a Tensor of shape (), or anything that converts to one.
        name: ignored, for TensorFlow's sake.
        layout: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the dtype of ``value``.

    Raises:
        InvalidArgumentError: a negative dimension, or more than one value.
        TypeError: ``dims`` is not made of integers.

    >>> import gradtape as tf
    >>> tf.fill([2, 2], 7).numpy().tolist()
    [[7, 7], [7, 7]]
    """
    v = convert(value)
    if v._shape not in ((), (1,)):
        raise invalid(f"value must represent a scalar, got shape {dims_text(v._shape)}.")
    return st.broadcast_to(st.reshape(v, shape=()) if v._shape else v, shape=dimensions(dims, "dims"))


@sized
def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """Identity matrices.

    Args:
        num_rows: the number of rows.
        num_columns: the number of columns; None for as many as rows.
        batch_shape: the shape of the batch of matrices; None for one matrix.
        dtype: the dtype, numeric or bool.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``batch_shape + [num_rows, num_columns]``.

    Raises:
        InvalidArgumentError: a negative size.
        TypeError: a size is no integer.

    >>> import gradtape as tf
    >>> tf.eye(2, 3).numpy().tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    d = _with_one(as_dtype(dtype))
    rows = integer(num_rows, "num_rows")
    columns = rows if num_columns is None else integer(num_columns, "num_columns")
    shape = dimensions([rows, columns])
    matrix = np.zeros(shape, d.np)
    if min(shape):
        np.fill_diagonal(matrix, 1)
    return Tensor(
        matrix if batch_shape is None else np.broadcast_to(matrix, dimensions(batch_shape, "batch_shape") + shape), d
    )


@sized
def zeros_like(input: Any, dtype: Any = None, name: str | None = None, layout: Any = None) -> Any:
    """Zeros in the shape of a tensor.

    Args:
        input: a Tensor, or anything that converts to one.
        dtype: the dtype; None for that of ``input``.
        name: ignored, for TensorFlow's sake.
        layout: ignored, for TensorFlow's sake.

    Returns:
        A Tensor, through which no gradient flows.

    >>> import gradtape as tf
    >>> tf.zeros_like([1, 2]).numpy().tolist()
    [0, 0]
    """
    x = convert(input)
    d = x._d if dtype is None else as_dtype(dtype)
    return st.zeros_like(x) if d is x._d else zeros(x._shape, d)


@sized
def ones_like(input: Any, dtype: Any = None, name: str | None = None, layout: Any = None) -> Any:
    """Ones in the shape of a tensor.

    Args:
        input: a Tensor, or anything that converts to one.
        dtype: the dtype, numeric or bool; None for that of ``input``.
        name: ignored, for TensorFlow's sake.
        layout: ignored, for TensorFlow's sake.

    Returns:
        A Tensor, through which no gradient flows.

    Raises:
        TypeError: the dtype has no 1.

    >>> import gradtape as tf
    >>> tf.ones_like([1, 2], dtype=tf.float32).numpy().tolist()
    [1.0, 1.0]
    """
    x = convert(input)
    d = _with_one(x._d if dtype is None else as_dtype(dtype))
    return st.ones_like(x) if d is x._d else ones(x._shape, d)


# -- sequences -------------------------------------------------------------------------------------------------------------

_RANGE_ORDER = (int32, int64, float16, bfloat16, float32, float64)


@sized
def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Tensor:
    """The numbers from ``start`` on in steps of ``delta``, up to ``limit`` and without it.

    Args:
        start: the first number; where ``limit`` is not given, 0 is, and this is the limit.
        limit: the end.
        delta: the step.
        dtype: int32, int64 or a float type; None for the widest among the arguments.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (ceil((limit - start) / delta),).

    Raises:
        InvalidArgumentError: the step is 0 or leads away from the limit.
        TypeError: another dtype, or an argument that does not fit it.

    >>> import gradtape as tf
    >>> tf.range(3, 18, 5).numpy().tolist()
    [3, 8, 13]
    """
    if limit is None:
        start, limit = 0, start
    want = None if dtype is None else as_dtype(dtype)
    parts = [v if isinstance(v, Tensor) else convert(v, want) for v in (start, limit, delta)]
    if want is None:
        for v in parts:
            if v._d not in _RANGE_ORDER:
                raise TypeError(f"range takes int32, int64 and floats, not {v._d.name}: convert with tf.cast.")
        want = max((v._d for v in parts), key=_RANGE_ORDER.index)
    if want not in _RANGE_ORDER:
        raise TypeError(f"range makes int32, int64 and floats, not {want.name}: convert its result with tf.cast.")
    start, limit, delta = (st.reshape(st.cast(v, want), shape=()) if v._shape else st.cast(v, want) for v in parts)
    return st.range_row(start, limit, delta)


@sized
def linspace(start: Any, stop: Any, num: Any, name: str | None = None, axis: Any = 0) -> Any:
    """``num`` equally spaced numbers from ``start`` to ``stop``, both included. Gradients flow to both.

    Args:
        start: the first number or numbers, a Tensor or anything that converts to one. Integers become floats, as in ``tf.truediv``.
        stop: the last; a Tensor of the same dtype; the shapes must broadcast.
        num: how many.
        name: ignored, for TensorFlow's sake.
        axis: where the dimension of length ``num`` stands in the result.

    Returns:
        A Tensor of one more dimension.

    Raises:
        InvalidArgumentError: ``num`` is negative, or ``axis`` is out of range.
        ValueError: the dtypes differ.
        TypeError: ``num`` is no integer.

    >>> import gradtape as tf
    >>> tf.linspace(0., 1., 5).numpy().tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    first = convert(start)
    last = convert(stop, first._d)
    if first._d.is_integer:
        to = float32 if first._d.size <= 2 else float64
        first, last = st.cast(first, to), st.cast(last, to)
    n = dimensions(integer(num, "num"), "num")[0]
    shape = broadcast(first._shape, last._shape)
    rank = len(shape)
    a = integer(axis, "axis")
    if not -rank - 1 <= a <= rank:
        raise invalid(
            f"Tried to expand dim index {a} for tensor with {rank} dimensions: axis must lie in [{-rank - 1}, {rank}]."
        )
    a %= rank + 1
    first, last = (st.expand_dims(st.broadcast_to(v, shape=shape), a) for v in (first, last))
    if n < 3:
        return along(st.concat(first, last, axis=a), a, 0, n)
    step = ew.div(ew.sub(last, first), st.full_like(last, value=n - 1))
    inner = np.arange(1, n - 1).reshape((1,) * a + (n - 2,) + (1,) * (rank - a)).astype(first._d.np)
    return st.concat(first, ew.add(first, ew.mul(step, Tensor(inner, first._d))), last, axis=a)


# -- grids and masks -------------------------------------------------------------------------------------------------------


@sized
def meshgrid(*args: Any, **kwargs: Any) -> list:
    """Coordinate grids: each of the given sequences spread over a dimension of its own.

    Args:
        *args: Tensors of one dimension, or what converts to them.
        indexing: "xy", in which the second sequence runs along the first dimension, as in pictures; or "ij", in which the first does.
        name: ignored, for TensorFlow's sake.

    Returns:
        A list of Tensors of one shape, one for each sequence.

    Raises:
        ValueError: another ``indexing``.
        TypeError: an unknown keyword.
        InvalidArgumentError: the dtypes differ.

    >>> import gradtape as tf
    >>> x, y = tf.meshgrid([1, 2, 3], [4, 5])
    >>> x.numpy().tolist(), y.numpy().tolist()
    ([[1, 2, 3], [1, 2, 3]], [[4, 4, 4], [5, 5, 5]])
    """
    indexing = kwargs.pop("indexing", "xy")
    kwargs.pop("name", None)
    if kwargs:
        raise TypeError(
            f"'{next(iter(kwargs))}' is an invalid keyword argument for this function: meshgrid takes indexing and name."
        )
    if indexing not in ("xy", "ij"):
        raise ValueError(f"Argument `indexing` must be 'xy' or 'ij'. Received: {indexing!r}.")
    xs = [convert(x) for x in args]
    for i, x in enumerate(xs):
        if x._d is not xs[0]._d:
            raise invalid(
                f"meshgrid needs one dtype: input #{i} is {x._d.name}, but the first is {xs[0]._d.name}. Convert with tf.cast."
            )
    sizes = [_math.prod(x._shape) for x in xs]
    order = list(builtins.range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        order[:2] = 1, 0
    shape = tuple(sizes[i] for i in order)
    return [
        st.broadcast_to(st.reshape(x, shape=tuple(sizes[i] if j == i else 1 for j in order)), shape=shape)
        for i, x in enumerate(xs)
    ]


@sized
def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = _bool, name: str | None = None) -> Any:
    """For each length, that many Trues and then Falses.

    Args:
        lengths: an integer Tensor, or anything that converts to one.
        maxlen: the length of the result's last dimension; None for the greatest of ``lengths``.
        dtype: the dtype of the result; True becomes 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``lengths`` and one dimension more.

    Raises:
        InvalidArgumentError: ``maxlen`` is negative or no scalar.
        TypeError: ``maxlen`` is no integer.

    >>> import gradtape as tf
    >>> tf.sequence_mask([1, 3], 4, tf.int32).numpy().tolist()
    [[1, 0, 0, 0], [1, 1, 1, 0]]
    """
    x = convert(lengths)
    n = (
        max(int(np.max(np.asarray(x), initial=0)), 0)
        if maxlen is None
        else dimensions(integer(maxlen, "maxlen"), "maxlen")[0]
    )
    mask = ew.less(Tensor(np.arange(n).astype(x._d.np), x._d), st.expand_dims(x, len(x._shape)))
    return st.cast(mask, as_dtype(dtype))


__all__ = [
    "zeros", "ones", "fill", "eye", "zeros_like", "ones_like", "range", "linspace", "meshgrid", "sequence_mask",
]  # fmt: skip
