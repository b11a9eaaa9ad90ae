"""Public counting: how often numbers occur, histograms, confusion matrices."""

from __future__ import annotations

import math
from typing import Any

from .core.arguments import integer, sized
from .core.tensor import Tensor, convert
from .ground.dtypes import as_dtype, int32, int64
from .ground.errors import invalid
from .ground.shapes import dims_text
from .primitives import elementwise as ew
from .primitives import indexing as ix
from .primitives import reduction as rd
from .primitives import sorting as rows
from .primitives import structure as st

__all__ = ["bincount", "confusion_matrix", "histogram_fixed_width", "histogram_fixed_width_bins"]


@sized
def bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = int32,
    name: str | None = None,
    axis: Any = None,
    binary_output: bool = False,
) -> Tensor:
    """How often each number occurs.

    Args:
        arr: a Tensor of non-negative integers.
        weights: None, or a Tensor of the shape of ``arr``: what each number counts. The result is differentiable in it.
        minlength: the least number of counts; None for as many as the largest number needs.
        maxlength: the largest number of counts: numbers from it on are left out; None for no bound.
        dtype: the dtype of the counts, where there are no weights.
        name: ignored, for TensorFlow's sake.
        axis: None or 0 to count over all; -1 to count for each row of the last axis.
        binary_output: whether a number occurs (0 or 1) rather than how often.

    Returns:
        A Tensor of counts, in a row for each row if ``axis`` is -1, of dtype ``dtype`` or that of ``weights``.

    Raises:
        ValueError: an axis other than 0 and -1, or weights together with ``binary_output``.
        InvalidArgumentError: a number is negative, or the shapes differ.

    >>> import gradtape as tf
    >>> tf.math.bincount([1, 1, 3]).numpy().tolist()
    [0, 2, 0, 1]
    """
    if axis is not None and integer(axis, "axis") not in (0, -1):
        raise ValueError(f"Unsupported value for argument axis={axis}. Only 0 and -1 are currently supported.")
    if weights is not None and binary_output:
        raise ValueError("Arguments `binary_output` and `weights` are mutually exclusive. Please specify only one.")
    x = convert(arr)
    if x._d not in (int32, int64):
        x = st.cast(x, int32)
    w = None if weights is None else convert(weights)
    if w is not None and not ix.fitting(w._shape, x._shape):
        raise invalid(
            f"`weights` must be the same shape as `arr`: got {dims_text(w._shape)} and {dims_text(x._shape)}."
        )
    if axis is None or axis == 0 or not x._shape:
        n = math.prod(x._shape)
        x, w = st.reshape(x, shape=(n,)), None if w is None else st.reshape(w, shape=(n,))
    least = 0 if minlength is None else max(0, integer(minlength, "minlength"))
    most = None if maxlength is None else max(0, integer(maxlength, "maxlength"))
    if most is None or least < most:
        return _count(x, w, _numbers(x), least, most, dtype, binary_output)
    return _count(x, w, most, 0, None, dtype, binary_output)


def _numbers(x: Tensor) -> Tensor:
    """One more than the largest element, 0 where there is none."""
    largest = rd.max(x, axis=tuple(range(len(x._shape))), keepdims=False)
    return ew.maximum(largest, st.full_like(largest, value=-1)) + 1


@sized
def _count(x: Tensor, w: Tensor | None, size: Any, least: int, most: int | None, dtype: Any, binary: bool) -> Tensor:
    n = max(integer(size, "size"), least)
    n = n if most is None else min(n, most)
    if w is not None:
        return rows.weighted_bincount(x, w, size=n)
    return rows.bincount(x, size=n, dtype=as_dtype(dtype), binary=bool(binary))


def _assert(condition: Tensor, message: str, *data: Tensor) -> None:
    st.assert_that(condition, *data, message=message, labels=("it",) * len(data), summarize=None)


def _histogram_inputs(values: Any, value_range: Any, nbins: Any) -> tuple[Tensor, Tensor, int]:
    x = convert(values)
    limits = convert(value_range, None, x._d)
    bins = integer(nbins, "nbins")
    rows._histogram_bins_shape(rows.Aval(x._shape, x._d), rows.Aval(limits._shape, limits._d), bins=bins)
    _assert(
        ew.less(ix.take_one(limits, 0, 0), ix.take_one(limits, 0, 1)),
        "value_range should satisfy value_range[0] < value_range[1].",
        limits,
    )
    if x._d.is_floating:
        missing = rd.any(ew.is_nan(x), axis=tuple(range(len(x._shape))), keepdims=False)
        _assert(ew.logical_not(missing), "Histogram values must not contain NaN.")
    return x, limits, bins


@sized
def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None
) -> Tensor:
    """How many values fall in each of equally wide bins. Those outside of the range count with the first and the last bin.

    Args:
        values: a real Tensor, or anything that converts to one.
        value_range: the two ends, of the dtype of ``values``.
        nbins: the number of bins.
        dtype: int32 or int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (nbins,).

    Raises:
        InvalidArgumentError: the range is empty, there is no bin, or a value is NaN.

    >>> import gradtape as tf
    >>> tf.histogram_fixed_width([-1., 0., 1.5, 2., 5., 15.], [0., 5.], nbins=5).numpy().tolist()
    [2, 1, 1, 0, 2]
    """
    d = as_dtype(dtype)
    if d not in (int32, int64):
        raise invalid(f"dtype must be int32 or int64, but is {d.name}.")
    x, limits, bins = _histogram_inputs(values, value_range, nbins)
    return rows.histogram(x, limits, bins=bins, index_type=d)


@sized
def histogram_fixed_width_bins(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None
) -> Tensor:
    """The bin of each value, of equally wide ones. Values outside of the range fall in the first and the last.

    Args:
        values: a real Tensor, or anything that converts to one.
        value_range: the two ends, of the dtype of ``values``.
        nbins: the number of bins.
        dtype: ignored, as in TensorFlow: the result is int32.
        name: ignored, for TensorFlow's sake.

    Returns:
        An int32 Tensor of the shape of ``values``.

    Raises:
        InvalidArgumentError: the range is empty, there is no bin, or a value is NaN.

    >>> import gradtape as tf
    >>> tf.histogram_fixed_width_bins([-1., 0., 1.5, 2., 5., 15.], [0., 5.], nbins=5).numpy().tolist()
    [0, 0, 1, 2, 4, 4]
    """
    x, limits, bins = _histogram_inputs(values, value_range, nbins)
    return rows.histogram_bins(x, limits, bins=bins)


@sized
def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = int32,
    name: str | None = None,
) -> Tensor:
    """How often each class was taken for each: rows are the labels, columns the predictions.

    Args:
        labels: a vector of classes, or of shape (n, 1).
        predictions: the same of predicted classes.
        num_classes: how many classes there are; None for one more than the largest that occurs.
        weights: None, or a vector: what each pair counts. The result is differentiable in it where ``dtype`` is a float's.
        dtype: the dtype of the result.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (num_classes, num_classes).

    Raises:
        InvalidArgumentError: a class is negative or not below ``num_classes``, or the shapes differ.

    >>> import gradtape as tf
    >>> tf.math.confusion_matrix([1, 2, 1], [1, 2, 2]).numpy().tolist()
    [[0, 0, 0], [0, 1, 1], [0, 0, 1]]
    """
    y, p = (st.cast(convert(c), int64) for c in (labels, predictions))
    if len(y._shape) == len(p._shape) + 1 and y._shape[-1] == 1:
        y = st.reshape(y, shape=y._shape[:-1])
    elif len(p._shape) == len(y._shape) + 1 and p._shape[-1] == 1:
        p = st.reshape(p, shape=p._shape[:-1])
    if not ix.fitting(y._shape, p._shape):
        raise invalid(
            f"labels and predictions must have one shape, but have {dims_text(y._shape)} and {dims_text(p._shape)}."
        )
    n = ew.maximum(_numbers(y), _numbers(p)) if num_classes is None else num_classes
    return _confusion(y, p, n, None if weights is None else convert(weights), dtype)


@sized
def _confusion(y: Tensor, p: Tensor, num_classes: Any, weights: Tensor | None, dtype: Any) -> Tensor:
    n = integer(num_classes, "num_classes")
    bound = st.full_like(y, value=n)
    for what, c in (("labels", y), ("predictions", p)):
        _assert(ew.greater_equal(c, st.zeros_like(c)), f"`{what}` contains negative values.", c)
        _assert(ew.less(c, bound), f"`{what}` out of bound: num_classes is {n}.", c)
    d = as_dtype(dtype)
    w = st.cast(st.ones_like(y) if weights is None else weights, d)
    return ix.scatter_nd(st.stack(y, p, axis=len(y._shape)), w, shape=(n, n), batch_dims=0)
