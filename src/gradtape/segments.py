"""Public segments: sums, means, products and extremes of the rows that bear one number."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core.arguments import integer, sized
from .core.operators import truediv
from .core.tensor import Tensor, convert
from .ground.errors import invalid
from .ground.primitive import Primitive
from .ground.shapes import dims_text
from .primitives import elementwise as ew
from .primitives import segment as rows
from .primitives import structure as st

__all__ = [
    "segment_max", "segment_mean", "segment_min", "segment_prod", "segment_sum", "unsorted_segment_max", "unsorted_segment_mean",
    "unsorted_segment_min", "unsorted_segment_prod", "unsorted_segment_sqrt_n", "unsorted_segment_sum",
]  # fmt: skip


# -- numbers in ascending order -----------------------------------------------------------------------------------------------


def _sorted(data: Any, segment_ids: Any) -> tuple[Tensor, Tensor, int]:
    """Data, their numbers, and how many segments these make."""
    x, ids = convert(data), convert(segment_ids)
    if not x._shape:
        raise invalid("data must be at least rank 1, but has shape [].")
    if len(ids._shape) != 1:
        raise invalid(f"segment_ids should be a vector, but has shape {dims_text(ids._shape)}.")
    if not ids._d.is_integer:
        raise invalid(f"segment_ids must be integers, but are {ids._d.name}.")
    if None not in (x._shape[0], ids._shape[0]) and x._shape[0] != ids._shape[0]:
        raise invalid(
            f"segment_ids should be the same size as dimension 0 of data: there are {ids._shape[0]} for shape {dims_text(x._shape)}."
        )
    i = np.asarray(ids)
    if len(i) and (i[0] < 0 or (i[1:] < i[:-1]).any()):
        at = 0 if i[0] < 0 else 1 + int(np.argmax(i[1:] < i[:-1]))
        raise invalid(
            f"segment ids are not increasing from 0 on: segment_ids[{at}] = {i[at]}. tf.math.unsorted_segment_sum and its like take them in any order."
        )
    return x, ids, int(i[-1]) + 1 if len(i) else 0


@sized
def segment_sum(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The sum of the rows of each segment: ``out[i]`` is that of all ``data[j]`` with ``segment_ids[j] == i``.

    Args:
        data: a numeric Tensor of at least one dimension, or anything that converts to one.
        segment_ids: a vector of integers that do not decrease: the segment of each row.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor like ``data``, with a row for each number up to the last; 0 for numbers that do not occur.

    Raises:
        InvalidArgumentError: the numbers decrease, are negative, are no vector or not as many as there are rows.

    >>> import gradtape as tf
    >>> tf.math.segment_sum([1., 2., 4.], [0, 0, 2]).numpy().tolist()
    [3.0, 0.0, 4.0]
    """
    x, ids, n = _sorted(data, segment_ids)
    return rows.segment_sum(x, ids, num=n)


@sized
def segment_mean(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The mean of the rows of each segment; of integers, rounded towards 0. Arguments and errors are those of ``tf.math.segment_sum``.

    >>> import gradtape as tf
    >>> tf.math.segment_mean([1., 2., 4.], [0, 0, 2]).numpy().tolist()
    [1.5, 0.0, 4.0]
    """
    x, ids, n = _sorted(data, segment_ids)
    total = rows.segment_sum(x, ids, num=n)
    count = _counts(ids, n, total)
    return ew.truncatediv(total, count) if x._d.is_integer else ew.div(total, count)


@sized
def segment_max(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The largest element of each segment; 0 for numbers that do not occur. Ties share the gradient evenly.

    Arguments and errors are those of ``tf.math.segment_sum``; ``data`` is real.

    >>> import gradtape as tf
    >>> tf.math.segment_max([1., 2., 4.], [0, 0, 2]).numpy().tolist()
    [2.0, 0.0, 4.0]
    """
    x, ids, n = _sorted(data, segment_ids)
    return rows.segment_max(x, ids, num=n, zero=True)


@sized
def segment_min(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The smallest element of each segment; 0 for numbers that do not occur. Ties share the gradient evenly.

    Arguments and errors are those of ``tf.math.segment_sum``; ``data`` is real.

    >>> import gradtape as tf
    >>> tf.math.segment_min([1., 2., 4.], [0, 0, 2]).numpy().tolist()
    [1.0, 0.0, 4.0]
    """
    x, ids, n = _sorted(data, segment_ids)
    return rows.segment_min(x, ids, num=n, zero=True)


@sized
def segment_prod(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The product of the rows of each segment; 1 for numbers that do not occur. Arguments and errors are those of ``tf.math.segment_sum``.

    >>> import gradtape as tf
    >>> tf.math.segment_prod([1., 2., 4.], [0, 0, 2]).numpy().tolist()
    [2.0, 1.0, 4.0]
    """
    x, ids, n = _sorted(data, segment_ids)
    return rows.segment_prod(x, ids, num=n, zero=False)


# -- numbers in any order -------------------------------------------------------------------------------------------------------


def _counts(ids: Tensor, n: int, total: Tensor) -> Tensor:
    """How many elements each segment has, at least 1, to divide ``total`` by."""
    count = rows.segment_sum(st.ones_like(ids), ids, num=n)
    count = ew.maximum(count, st.ones_like(count))
    return st.cast(st.reshape(count, shape=(n,) + (1,) * (len(total._shape) - 1)), total._d)


def _unsorted(p: Primitive, data: Any, segment_ids: Any, num_segments: Any, **attrs: Any) -> Tensor:
    return p(convert(data), convert(segment_ids), num=integer(num_segments, "num_segments"), **attrs)


@sized
def unsorted_segment_sum(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The sum of the elements of each segment, whose numbers stand in any order.

    Args:
        data: a numeric Tensor, or anything that converts to one.
        segment_ids: integers below ``num_segments`` in the shape of the leading dimensions of ``data``; elements whose number is negative are left out.
        num_segments: how many segments there are.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``(num_segments,) + data.shape[segment_ids.ndim:]``; 0 for numbers that do not occur.

    Raises:
        InvalidArgumentError: a number is too large (its place is named), or the shapes do not fit.

    >>> import gradtape as tf
    >>> tf.math.unsorted_segment_sum([1., 2., 4.], [2, 0, 2], 3).numpy().tolist()
    [2.0, 0.0, 5.0]
    """
    return _unsorted(rows.segment_sum, data, segment_ids, num_segments)


@sized
def unsorted_segment_mean(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The mean of the elements of each segment; that of integers is float64. Arguments and errors are those of ``tf.math.unsorted_segment_sum``.

    >>> import gradtape as tf
    >>> tf.math.unsorted_segment_mean([1., 2., 4.], [2, 0, 2], 3).numpy().tolist()
    [2.0, 0.0, 2.5]
    """
    total = _unsorted(rows.segment_sum, data, segment_ids, num_segments)
    return truediv(total, _counts(convert(segment_ids), total._shape[0], total))


@sized
def unsorted_segment_sqrt_n(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The sum of the elements of each segment divided by the square root of how many there are.

    Arguments and errors are those of ``tf.math.unsorted_segment_sum``; ``data`` is float or complex.

    >>> import gradtape as tf
    >>> tf.math.unsorted_segment_sqrt_n([1., 1., 1., 1.], [0, 0, 0, 0], 1).numpy().tolist()
    [2.0]
    """
    total = _unsorted(rows.segment_sum, data, segment_ids, num_segments)
    return ew.div(total, ew.sqrt(_counts(convert(segment_ids), total._shape[0], total)))


@sized
def unsorted_segment_max(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The largest element of each segment; the lowest number of the dtype where there is none. Ties share the gradient evenly.

    Arguments and errors are those of ``tf.math.unsorted_segment_sum``; ``data`` is real.

    >>> import gradtape as tf
    >>> tf.math.unsorted_segment_max([1., 2., 4.], [1, 0, 1], 2).numpy().tolist()
    [2.0, 4.0]
    """
    return _unsorted(rows.segment_max, data, segment_ids, num_segments, zero=False)


@sized
def unsorted_segment_min(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The smallest element of each segment; the highest number of the dtype where there is none. Ties share the gradient evenly.

    Arguments and errors are those of ``tf.math.unsorted_segment_sum``; ``data`` is real.

    >>> import gradtape as tf
    >>> tf.math.unsorted_segment_min([1., 2., 4.], [1, 0, 1], 2).numpy().tolist()
    [2.0, 1.0]
    """
    return _unsorted(rows.segment_min, data, segment_ids, num_segments, zero=False)


@sized
def unsorted_segment_prod(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The product of the elements of each segment; 1 where there is none. Arguments and errors are those of ``tf.math.unsorted_segment_sum``.

    >>> import gradtape as tf
    >>> tf.math.unsorted_segment_prod([1., 2., 4.], [1, 0, 1], 2).numpy().tolist()
    [2.0, 4.0]
    """
    return _unsorted(rows.segment_prod, data, segment_ids, num_segments, zero=False)
