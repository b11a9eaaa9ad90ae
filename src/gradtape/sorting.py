"""Public order: sorting, the largest few, searching, distinct elements, quantiles, running extremes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .core.arguments import axis_of, integer, reduction_axes, sized
from .core.tensor import Tensor, convert
from .ground.dtypes import DType, as_dtype, float32, float64, int32, int64
from .ground.errors import invalid
from .ground.shapes import dims_text
from .primitives import elementwise as ew
from .primitives import indexing as ix
from .primitives import reduction as rd
from .primitives import sorting as rows
from .primitives import structure as st

__all__ = [
    "approx_max_k", "approx_min_k", "argsort", "cummax", "cummin", "in_top_k", "invert_permutation", "median", "percentile", "quantile",
    "searchsorted", "sort", "top_k", "unique", "unique_with_counts",
]  # fmt: skip


class TopKV2(NamedTuple):
    """What ``tf.math.top_k`` returns."""

    values: Tensor
    indices: Tensor


class ApproxTopK(NamedTuple):
    """What ``tf.math.approx_max_k`` and ``approx_min_k`` return."""

    values: Tensor
    indices: Tensor


class Unique(NamedTuple):
    """What ``tf.unique`` returns."""

    y: Tensor
    idx: Tensor


class UniqueWithCounts(NamedTuple):
    """What ``tf.unique_with_counts`` returns."""

    y: Tensor
    idx: Tensor
    count: Tensor  # type: ignore[assignment]


def _index_type(dtype: Any, what: str, among: tuple[DType, ...] = (int32, int64)) -> DType:
    d = as_dtype(dtype)
    if d not in among:
        raise invalid(f"{what} must be {' or '.join(a.name for a in among)}, but is {d.name}.")
    return d


# -- order -------------------------------------------------------------------------------------------------------------------


def _descending(direction: Any) -> bool:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(
            f"Argument `direction` should be one of ASCENDING, DESCENDING. Received: direction={direction}"
        )
    return direction == "DESCENDING"


@sized
def sort(values: Any, axis: Any = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    """The elements along an axis in order. NaN counts as the largest number.

    Args:
        values: a real Tensor of at least one dimension, or anything that converts to one.
        axis: the axis to sort along; negative ones counted from the end.
        direction: "ASCENDING" or "DESCENDING".
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype. A cotangent goes back to where each element came from; of equal ones the first in
        the tensor comes first, in both directions.

    Raises:
        ValueError: an unknown direction.
        InvalidArgumentError: ``axis`` is out of range, or a dtype that has no order.

    >>> import gradtape as tf
    >>> tf.sort([3., 1., 2.], direction="DESCENDING").numpy().tolist()
    [3.0, 2.0, 1.0]
    """
    x = convert(values)
    return rows.sort(x, axis=axis_of(axis, len(x._shape)), descending=_descending(direction))


@sized
def argsort(
    values: Any, axis: Any = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None
) -> Tensor:
    """The places of the elements along an axis, in the elements' order. Not differentiable.

    Args:
        values: a real Tensor of at least one dimension, or anything that converts to one.
        axis: the axis to sort along; negative ones counted from the end.
        direction: "ASCENDING" or "DESCENDING".
        stable: ignored: of equal elements the first in the tensor always comes first.
        name: ignored, for TensorFlow's sake.

    Returns:
        An int32 Tensor of the same shape.

    Raises:
        ValueError: an unknown direction.
        InvalidArgumentError: ``axis`` is out of range, or a dtype that has no order.

    >>> import gradtape as tf
    >>> tf.argsort([3., 1., 2.]).numpy().tolist()
    [1, 2, 0]
    """
    x = convert(values)
    return rows.argsort(x, axis=axis_of(axis, len(x._shape)), descending=_descending(direction))


# -- the largest few ------------------------------------------------------------------------------------------------------------


@sized
def top_k(input: Any, k: Any = 1, sorted: bool = True, index_type: Any = int32, name: str | None = None) -> TopKV2:
    """The ``k`` largest elements of each row of the last axis, and their places. NaN counts as the largest number.

    Args:
        input: a real Tensor of at least one dimension, or anything that converts to one.
        k: how many; not more than the last axis has.
        sorted: ignored: they always come in descending order, of equal ones the first in the tensor first.
        index_type: the dtype of the indices: int16, int32 or int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``values`` and ``indices``, both of shape ``input.shape[:-1] + (k,)``. The gradient flows to the elements chosen.

    Raises:
        InvalidArgumentError: ``k`` is negative or too large, or a scalar.

    >>> import gradtape as tf
    >>> values, indices = tf.math.top_k([1., 5., 3.], k=2)
    >>> values.numpy().tolist(), indices.numpy().tolist()
    ([5.0, 3.0], [1, 2])
    """
    d = as_dtype(index_type)
    if d.name not in ("int16", "int32", "int64"):
        raise invalid(f"index_type must be int16, int32 or int64, but is {d.name}.")
    return TopKV2(*rows.top_k(convert(input), k=integer(k, "k"), index_type=d))


@sized
def approx_max_k(
    operand: Any,
    k: Any,
    reduction_dimension: Any = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
    name: str | None = None,
) -> ApproxTopK:
    """The ``k`` largest elements along an axis, and their places: exactly, whatever recall is asked for.

    Args:
        operand: a real Tensor, or anything that converts to one.
        k: how many.
        reduction_dimension: the axis; negative ones counted from the end.
        recall_target: the share of the largest that must be found; all are.
        reduction_input_size_override: ignored.
        aggregate_to_topk: ignored: exactly ``k`` are returned.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``values`` and ``indices`` (int32) in descending order, with ``k`` elements along the axis.

    Raises:
        InvalidArgumentError: ``k`` or the axis is out of range.

    >>> import gradtape as tf
    >>> tf.math.approx_max_k([1., 5., 3.], 1).values.numpy().tolist()
    [5.0]
    """
    x = convert(operand)
    rank = len(x._shape)
    a = axis_of(reduction_dimension, rank, "reduction_dimension")
    last = (*(i for i in range(rank) if i != a), a)
    values, indices = rows.top_k(st.transpose(x, perm=last), k=integer(k, "k"), index_type=int32)
    back = st._inverse(last)
    return ApproxTopK(st.transpose(values, perm=back), st.transpose(indices, perm=back))


def approx_min_k(
    operand: Any,
    k: Any,
    reduction_dimension: Any = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
    name: str | None = None,
) -> ApproxTopK:
    """The ``k`` smallest elements along an axis in ascending order, and their places: exactly.

    Args and raises: as ``tf.math.approx_max_k``; ``operand`` is a float or signed integer tensor.

    >>> import gradtape as tf
    >>> tf.math.approx_min_k([4., 5., 3.], 1).indices.numpy().tolist()
    [2]
    """
    values, indices = approx_max_k(ew.neg(convert(operand)), k, reduction_dimension)
    return ApproxTopK(ew.neg(values), indices)


@sized
def in_top_k(targets: Any, predictions: Any, k: Any, name: str | None = None) -> Tensor:
    """Whether the target class of each row is among the ``k`` with the highest predictions; classes that tie at the border all are.

    Args:
        targets: an int32 or int64 vector: a class for each row.
        predictions: a float Tensor of shape (rows, classes).
        k: how many.
        name: ignored, for TensorFlow's sake.

    Returns:
        A bool vector; False too where a prediction of the row is not finite or the target is no class.

    Raises:
        InvalidArgumentError: the shapes do not fit.

    >>> import gradtape as tf
    >>> tf.math.in_top_k([0, 1], [[0.1, 0.7, 0.2], [0.1, 0.7, 0.2]], k=2).numpy().tolist()
    [False, True]
    """
    t, p, k = convert(targets), convert(predictions), convert(k, None, int32)
    if len(p._shape) != 2:
        raise invalid(f"predictions must be 2-dimensional, but has shape {dims_text(p._shape)}.")
    if not ix.fitting(t._shape, p._shape[:1]):
        raise invalid(
            f"First dimension of predictions {p._shape[0]} must match length of targets: its shape is {dims_text(t._shape)}."
        )
    t, k = st.cast(t, int64), st.cast(k, int64)
    zeros = st.zeros_like(t)
    known = ew.logical_and(ew.greater_equal(t, zeros), ew.less(t, ix.take_one(st.shape_of(p, dtype=int64), 0, 1)))
    place = st.expand_dims(ew.select(known, t, zeros), 1)
    own = rows.take_along(p, place, axis=1) if p._shape[1] != 0 else st.zeros_of(p, shape=place._shape)
    above = rd.sum(st.cast(ew.greater(p, own), int64), axis=(1,), keepdims=False)
    finite = rd.all(ew.is_finite(p), axis=(1,), keepdims=False)
    return ew.logical_and(ew.logical_and(known, finite), ew.less(above, k))


# -- searching ------------------------------------------------------------------------------------------------------------------


def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = int32, name: str | None = None
) -> Tensor:
    """Where values would have to be inserted into sorted rows so that these stay sorted. Not differentiable.

    Args:
        sorted_sequence: a real Tensor of shape (..., n), sorted along its last axis.
        values: a Tensor of the same dtype and shape (..., m), with as many rows.
        side: "left": before equal elements; "right": behind them.
        out_type: int32 or int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``values`` and dtype ``out_type``; its elements lie in [0, n].

    Raises:
        ValueError: an unknown side.
        InvalidArgumentError: the leading dimensions or the dtypes differ.

    >>> import gradtape as tf
    >>> tf.searchsorted([1., 3., 3., 5.], [3., 6.], side="right").numpy().tolist()
    [3, 4]
    """
    if side not in ("left", "right"):
        raise ValueError(f"Argument `side` must be either 'right' or 'left'. Received: `side` = {side!r}.")
    d = _index_type(out_type, "out_type")
    s = convert(sorted_sequence)
    v = convert(values, None, s._d)
    lead, other = s._shape[:-1], v._shape[:-1]
    if lead != other and None not in lead + other and s._shape and v._shape and np.prod(lead) == np.prod(other):
        # as many rows under another shape
        return st.reshape(
            rows.searchsorted(s, st.reshape(v, shape=lead + v._shape[-1:]), side=side, index_type=d), shape=v._shape
        )
    return rows.searchsorted(s, v, side=side, index_type=d)


def unique(x: Any, out_idx: Any = int32, name: str | None = None) -> Unique:
    """The distinct elements of a vector, in the order of their first appearance.

    Args:
        x: a vector of any dtype.
        out_idx: the dtype of the places: int32 or int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``y``, the distinct elements, and ``idx`` of the shape of ``x`` with ``y[idx[i]] == x[i]``. Each NaN is an element of its own. The
        gradient flows to where each element appears first.

    Raises:
        InvalidArgumentError: ``x`` is no vector.

    >>> import gradtape as tf
    >>> y, idx = tf.unique([4, 1, 4, 2])
    >>> y.numpy().tolist(), idx.numpy().tolist()
    ([4, 1, 2], [0, 1, 0, 2])
    """
    y, idx, _, _ = rows.unique(convert(x), index_type=_index_type(out_idx, "out_idx"))
    return Unique(y, idx)


def unique_with_counts(x: Any, out_idx: Any = int32, name: str | None = None) -> UniqueWithCounts:
    """The distinct elements of a vector, in the order of their first appearance, and how often each occurs.

    Args:
        x: a vector of any dtype.
        out_idx: the dtype of places and counts: int32 or int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``y`` and ``idx`` as ``tf.unique`` gives them, and ``count``, one number for each of ``y``.

    Raises:
        InvalidArgumentError: ``x`` is no vector.

    >>> import gradtape as tf
    >>> tf.unique_with_counts([4, 1, 4, 2]).count.numpy().tolist()
    [2, 1, 1]
    """
    y, idx, count, _ = rows.unique(convert(x), index_type=_index_type(out_idx, "out_idx"))
    return UniqueWithCounts(y, idx, count)


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """The permutation that takes another back: ``y[x[i]] == i``.

    Args:
        x: an integer vector that holds each of 0 to n - 1 once.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: ``x`` is no permutation.

    >>> import gradtape as tf
    >>> tf.math.invert_permutation([2, 0, 1]).numpy().tolist()
    [1, 2, 0]
    """
    return rows.invert_permutation(convert(x))


# -- quantiles ---------------------------------------------------------------------------------------------------------------------

_METHODS = ("linear", "lower", "higher", "nearest", "midpoint")


@sized
def quantile(
    x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False, name: str | None = None
) -> Tensor:
    """The elements below which the shares ``q`` of all lie, as ``numpy.quantile``. NaN where an element is NaN.

    TensorFlow itself has none; TensorFlow Probability's is ``tfp.stats.percentile``.

    Args:
        x: a real Tensor, or anything that converts to one; integers become float32.
        q: numbers in [0, 1], known before the call.
        axis: an axis or several, None for all.
        method: what stands between two elements (Hyndman and Fan 1996, type 7): "linear", "lower", "higher", "nearest" or "midpoint".
        keepdims: keep the reduced axes, at length 1.
        name: ignored.

    Returns:
        A Tensor of shape ``q.shape`` followed by what remains of ``x.shape``. The gradient flows to the one or two elements it lies between.

    Raises:
        ValueError: an unknown method, or no elements.
        InvalidArgumentError: an axis is out of range, or ``q`` is not in [0, 1].

    >>> import gradtape as tf
    >>> tf.math.quantile([1., 2., 3., 4.], [0.5, 1.0]).numpy().tolist()
    [2.5, 4.0]
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, but is {method!r}.")
    x = convert(x)
    if x._d.is_integer:
        x = st.cast(x, float32)
    share = np.asarray(convert(q, None, float64)).astype(np.float64)
    if not np.all((share >= 0) & (share <= 1)):
        raise invalid(f"Quantiles must lie in [0, 1], but q is {share.tolist()}.")
    have = x._shape
    axes = reduction_axes(axis, len(have))
    kept = tuple(i for i in range(len(have)) if i not in axes)
    n = int(np.prod([have[a] for a in axes]))
    if not n:
        raise ValueError(f"There is no quantile of no elements: the shape is {dims_text(have)}.")
    rest = tuple(have[i] for i in kept)
    flat = st.reshape(st.transpose(x, perm=kept + axes), shape=(*rest, n))
    ordered = rows.sort(flat, axis=len(rest), descending=False)
    place = share * (n - 1)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, n - 1)
    if method == "nearest":
        out = _picked(ordered, np.round(place).astype(np.intp))
    elif method == "lower":
        out = _picked(ordered, below)
    elif method == "higher":
        out = _picked(ordered, np.ceil(place).astype(np.intp))
    else:
        part = np.where(place > below, 0.5, 0.0) if method == "midpoint" else place - below
        weight = (
            convert(part.reshape(part.shape + (1,) * len(rest)), x._d) if share.ndim else convert(float(part), x._d)
        )
        low = _picked(ordered, below)
        out = low + weight * (_picked(ordered, above) - low)
    last = ix.take_one(ordered, len(rest), n - 1)
    out = ew.select(ew.is_nan(last), st.full_like(out, value=np.nan), out)  # NaN stands last
    if keepdims:
        out = st.reshape(out, shape=share.shape + tuple(1 if i in axes else d for i, d in enumerate(have)))
    return out


def _picked(ordered: Any, places: np.ndarray) -> Any:
    """The elements at static places of the last axis; the places' dimensions first."""
    last = len(ordered._shape) - 1
    if not places.ndim:
        return ix.take_one(ordered, last, int(places))
    taken = ix.gather(ordered, ix._tensor(places), axis=last, batch_dims=0)
    k = places.ndim
    return st.transpose(taken, perm=(*range(last, last + k), *range(last)))


def percentile(
    x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False, name: str | None = None
) -> Tensor:
    """The elements below which ``q`` percent of all lie: ``tf.math.quantile`` with ``q`` in [0, 100].

    >>> import gradtape as tf
    >>> tf.math.percentile([1., 2., 3., 4.], 50).numpy()
    np.float32(2.5)
    """
    share = np.asarray(convert(q, None, float64)).astype(np.float64) / 100
    return quantile(x, share, axis, method, keepdims)


def median(x: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The middle element, or the mean of the two in the middle: ``tf.math.quantile`` at 1/2.

    >>> import gradtape as tf
    >>> tf.math.median([3., 1., 2.]).numpy()
    np.float32(2.0)
    """
    return quantile(x, 0.5, axis, "linear", keepdims)


# -- running extremes -----------------------------------------------------------------------------------------------------------------


@sized
def cummax(x: Any, axis: Any = 0, reverse: bool = False, name: str | None = None) -> Tensor:
    """The largest element so far along an axis. TensorFlow has no such function.

    Args:
        x: a real Tensor of at least one dimension, or anything that converts to one.
        axis: the axis; negative ones counted from the end.
        reverse: go from the end to the beginning.
        name: ignored.

    Returns:
        A Tensor of the same shape and dtype. The gradient flows to the element that is the largest; of equal ones to the first met.

    Raises:
        InvalidArgumentError: ``axis`` is out of range, or a dtype that has no order.

    >>> import gradtape as tf
    >>> tf.math.cummax([1., 3., 2.]).numpy().tolist()
    [1.0, 3.0, 3.0]
    """
    x = convert(x)
    return rows.cummax(x, axis=axis_of(axis, len(x._shape)), reverse=bool(reverse))


@sized
def cummin(x: Any, axis: Any = 0, reverse: bool = False, name: str | None = None) -> Tensor:
    """The smallest element so far along an axis: as ``tf.math.cummax``.

    >>> import gradtape as tf
    >>> tf.math.cummin([2., 3., 1.]).numpy().tolist()
    [2.0, 2.0, 1.0]
    """
    x = convert(x)
    return rows.cummin(x, axis=axis_of(axis, len(x._shape)), reverse=bool(reverse))
