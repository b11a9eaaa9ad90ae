"""Pooling: maxima and means over windows, fixed and adaptive; morphological dilation and erosion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.operators import pair
from ..core.tensor import Tensor, convert
from ..engines.native import sliding
from ..ground.dtypes import as_dtype, int64
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import elementwise as ew
from ..primitives import indexing as ix
from ..primitives import pooling as pl
from ..primitives import structure as st
from .windows import Layout

sliding.install()


def _max(x: Tensor, **attrs: Any) -> Tensor:
    return pl.max_pool(x, **attrs)[0]


def _mean(x: Tensor, **attrs: Any) -> Tensor:
    return pl.window_sum(x, **attrs, mean=True)


def _pool(
    row: Callable,
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str | None,
    n: int | None,
    dilations: Any = 1,
) -> Tensor:
    x = convert(input)
    layout = Layout(x._shape, n, data_format)
    size = layout.numbers(ksize, "ksize")
    window = layout.window(size, layout.numbers(strides, "strides"), padding, layout.numbers(dilations, "dilations"))
    for k, d, (a, b) in zip(size, window.dilations, window.padding, strict=True):
        if max(a, b) > (k - 1) * d:
            raise invalid(
                f"padding {window.padding} makes windows of size {list(size)} that lie in the padding alone: it must be less than the window."
            )
    return layout.back(row(layout.last(x), size=size, window=window))


def max_pool(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """The maximum of each window, in 1, 2 or 3 spatial dimensions by the rank of the input.

    The gradient goes to the first element that attains the maximum. A NaN in a window makes its maximum NaN.

    Args:
        input: a real Tensor [batch, ...spatial, channels].
        ksize: the size of the window: a number, one for each spatial dimension, or one for each dimension with 1 for the batch and the channels.
        strides: how far the window moves, given like ``ksize``.
        padding: "SAME" (ceil(length / stride) windows, of which the outer ones reach over the border), "VALID" (no window does), or pairs
            of numbers: how far windows may reach over the border at both ends of each dimension. What lies outside does not count.
        data_format: "NWC", "NHWC", "NDHWC" (the default) or, with the channels before the spatial dimensions, "NCW", "NCHW", "NCDHW".
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch, ...places, channels] of the same dtype, in the layout of the input.

    Raises:
        InvalidArgumentError: ranks or numbers that do not fit, a window larger than the padded input, or another ``padding``.
        ValueError: another ``data_format``.

    >>> import gradtape as tf
    >>> tf.nn.max_pool([[[1.], [3.], [2.], [0.]]], 2, 2, "VALID").numpy().ravel().tolist()
    [3.0, 2.0]
    """
    return _pool(_max, input, ksize, strides, padding, data_format, None)


def max_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NWC", name: str | None = None
) -> Tensor:
    """``tf.nn.max_pool`` in one spatial dimension; arguments, returns and raises as there.

    >>> import gradtape as tf
    >>> tf.nn.max_pool1d([[[1.], [3.], [2.]]], 2, 2, "SAME").numpy().ravel().tolist()
    [3.0, 2.0]
    """
    return _pool(_max, input, ksize, strides, padding, data_format, 1)


def max_pool2d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC", name: str | None = None
) -> Tensor:
    """``tf.nn.max_pool`` in two spatial dimensions; arguments, returns and raises as there.

    >>> import gradtape as tf
    >>> x = tf.reshape(tf.range(16.), [1, 4, 4, 1])
    >>> tf.nn.max_pool2d(x, 2, 2, "VALID")[0, ..., 0].numpy().tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    return _pool(_max, input, ksize, strides, padding, data_format, 2)


def max_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NDHWC", name: str | None = None
) -> Tensor:
    """``tf.nn.max_pool`` in three spatial dimensions; arguments, returns and raises as there.

    >>> import gradtape as tf
    >>> tf.nn.max_pool3d(tf.ones([1, 4, 4, 4, 2]), 2, 2, "VALID").shape
    TensorShape([1, 2, 2, 2, 2])
    """
    return _pool(_max, input, ksize, strides, padding, data_format, 3)


def avg_pool(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """The mean of each window, in 1, 2 or 3 spatial dimensions by the rank of the input. Padding does not count.

    Args, returns and raises: as ``tf.nn.max_pool``, but the dtype must be floating.

    >>> import gradtape as tf
    >>> tf.nn.avg_pool([[[1.], [3.], [2.]]], 2, 2, "SAME").numpy().ravel().tolist()
    [2.0, 2.0]
    """
    return _pool(_mean, input, ksize, strides, padding, data_format, None)


def avg_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NWC", name: str | None = None
) -> Tensor:
    """``tf.nn.avg_pool`` in one spatial dimension; arguments, returns and raises as there.

    >>> import gradtape as tf
    >>> tf.nn.avg_pool1d([[[1.], [3.], [2.]]], 2, 1, "VALID").numpy().ravel().tolist()
    [2.0, 2.5]
    """
    return _pool(_mean, input, ksize, strides, padding, data_format, 1)


def avg_pool2d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC", name: str | None = None
) -> Tensor:
    """``tf.nn.avg_pool`` in two spatial dimensions; arguments, returns and raises as there.

    >>> import gradtape as tf
    >>> x = tf.reshape(tf.range(16.), [1, 4, 4, 1])
    >>> tf.nn.avg_pool2d(x, 2, 2, "VALID")[0, ..., 0].numpy().tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    return _pool(_mean, input, ksize, strides, padding, data_format, 2)


def avg_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NDHWC", name: str | None = None
) -> Tensor:
    """``tf.nn.avg_pool`` in three spatial dimensions; arguments, returns and raises as there.

    >>> import gradtape as tf
    >>> tf.nn.avg_pool3d(tf.ones([1, 4, 4, 4, 2]), 2, 2, "VALID").shape
    TensorShape([1, 2, 2, 2, 2])
    """
    return _pool(_mean, input, ksize, strides, padding, data_format, 3)


def pool(
    input: Any,
    window_shape: Any,
    pooling_type: str,
    strides: Any = None,
    padding: Any = "VALID",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Pooling with windows whose elements may lie apart.

    Args:
        input: a Tensor [batch, ...spatial, channels] with 1 to 3 spatial dimensions.
        window_shape: the size of the window, a number for each spatial dimension.
        pooling_type: "MAX" or "AVG".
        strides: how far the window moves: None for 1.
        padding: as for ``tf.nn.max_pool``.
        data_format: as for ``tf.nn.max_pool``.
        dilations: how far apart the elements of the window are: None for 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch, ...places, channels], in the layout of the input.

    Raises:
        InvalidArgumentError: as ``tf.nn.max_pool``.
        ValueError: another ``pooling_type`` or ``data_format``.

    >>> import gradtape as tf
    >>> x = tf.reshape(tf.range(5.), [1, 5, 1])
    >>> tf.nn.pool(x, [2], "MAX", dilations=[3]).numpy().ravel().tolist()
    [3.0, 4.0]
    """
    if pooling_type not in ("MAX", "AVG"):
        raise ValueError(f"`pooling_type` must be 'MAX' or 'AVG'. Received: pooling_type={pooling_type!r}")
    return _pool(
        _max if pooling_type == "MAX" else _mean, input, window_shape, strides, padding, data_format, None, dilations
    )


def max_pool_with_argmax(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    output_dtype: Any = int64,
    include_batch_in_index: bool = False,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """The maximum of each window, and where in the input it stands.

    Args:
        input: a real Tensor [batch, height, width, channels].
        ksize: as for ``tf.nn.max_pool``; so are the next two.
        strides: how far the window moves.
        padding: "SAME", "VALID" or four pairs of numbers.
        data_format: "NHWC".
        output_dtype: int64 or int32, the dtype of the places.
        include_batch_in_index: whether the places count through the batch, too.
        name: ignored, for TensorFlow's sake.

    Returns:
        (maxima, places): each place is (y·width + x)·channels + channel of the first element that attains the maximum.

    Raises:
        InvalidArgumentError: as ``tf.nn.max_pool``.
        ValueError: another ``data_format``.

    >>> import gradtape as tf
    >>> m, at = tf.nn.max_pool_with_argmax([[[[1.], [5.]], [[2.], [4.]]]], 2, 2, "SAME")
    >>> m.numpy().ravel().tolist(), at.numpy().ravel().tolist()
    ([5.0], [1])
    """
    if data_format != "NHWC":
        raise ValueError(f"`data_format` must be 'NHWC'. Received: data_format={data_format!r}")
    x = convert(input)
    layout = Layout(x._shape, 2, data_format)
    size = layout.numbers(ksize, "ksize")
    window = layout.window(size, layout.numbers(strides, "strides"), padding, (1, 1))
    maxima, tap = pl.max_pool(layout.last(x), size=size, window=window)
    _, rows, columns, _ = maxima._shape
    if None in (rows, columns, *layout.spatial, layout.channels):
        raise invalid(
            "max_pool_with_argmax needs dimensions that are known while tracing: set the shape with tf.ensure_shape."
        )
    height, width = layout.spatial
    tap = st.cast(tap, int64)
    # the corner of each window, then the element within it
    y = np.arange(rows)[:, None, None] * window.strides[0] - window.padding[0][0]
    z = np.arange(columns)[:, None] * window.strides[1] - window.padding[1][0]
    y, z = (
        ew.floordiv(tap, convert(size[1], int64)) + convert(y, int64),
        ew.floormod(tap, convert(size[1], int64)) + convert(z, int64),
    )
    at = (y * width + z) * layout.channels + convert(np.arange(layout.channels), int64)
    if include_batch_in_index:
        at = at + convert(np.arange(x._shape[0])[:, None, None, None] * (height * width * layout.channels), int64)
    return layout.back(maxima), st.cast(layout.back(at), as_dtype(output_dtype))


# -- adaptive ----------------------------------------------------------------------------------------------------------------


def _adaptive(input: Any, output_size: Any, data_format: str | None, along: Callable) -> Tensor:
    x = convert(input)
    layout = Layout(x._shape, None, data_format)
    if None in layout.spatial:
        raise invalid(
            "Adaptive pooling needs spatial dimensions that are known while tracing: set the shape with tf.ensure_shape."
        )
    y = layout.last(x)
    for axis, (n, m) in enumerate(zip(layout.spatial, layout.numbers(output_size, "output_size"), strict=True), 1):
        starts = np.arange(m) * n // m
        y = along(y, axis, starts, -(-np.arange(1, m + 1) * n // m))
    return layout.back(y)


def _means_along(x: Tensor, axis: int, starts: np.ndarray, ends: np.ndarray) -> Tensor:
    """The means of x[starts[i]:ends[i]] along an axis: differences of no running sums, which would cancel, but a product with a matrix."""
    at = np.arange(x._shape[axis])
    share = ((at >= starts[:, None]) & (at < ends[:, None])) / (ends - starts)[:, None]
    from ..core.products import tensordot

    y = tensordot(convert(share, x._d), x, [[1], [axis]])
    return st.transpose(y, perm=(*range(1, axis + 1), 0, *range(axis + 1, len(x._shape))))


def _maxima_along(x: Tensor, axis: int, starts: np.ndarray, ends: np.ndarray) -> Tensor:
    """The maxima of x[starts[i]:ends[i]] along an axis; the gradient goes to the first."""
    k = int(np.max(ends - starts))
    at = np.minimum(starts[:, None] + np.arange(k), ends[:, None] - 1)  # the last again where a window is shorter
    y = ix.gather(x, convert(at.ravel(), int64), axis=axis, batch_dims=0)
    n = len(x._shape) - 2
    size = tuple(k if a + 1 == axis else 1 for a in range(n))
    return _max(y, size=size, window=pl.Window(size, ((0, 0),) * n, (1,) * n))


def adaptive_avg_pool(input: Any, output_size: Any, data_format: str | None = None) -> Tensor:
    """The mean of each of a given number of windows, which cover the input: gradtape's own, as PyTorch's and Keras's adaptive pooling.

    Along a dimension of n elements, window i of m goes from floor(i·n/m) to ceil((i+1)·n/m).

    Args:
        input: a float Tensor [batch, ...spatial, channels] with 1 to 3 spatial dimensions.
        output_size: the number of windows, one for all or one for each spatial dimension.
        data_format: as for ``tf.nn.max_pool``.

    Returns:
        A Tensor [batch, ...output_size, channels], in the layout of the input.

    Raises:
        InvalidArgumentError: ranks or numbers that do not fit.
        ValueError: another ``data_format``.

    >>> import gradtape as tf
    >>> tf.nn.adaptive_avg_pool([[[1.], [2.], [6.]]], 2).numpy().ravel().tolist()
    [1.5, 4.0]
    """
    return _adaptive(input, output_size, data_format, _means_along)


def adaptive_max_pool(input: Any, output_size: Any, data_format: str | None = None) -> Tensor:
    """The maximum of each of a given number of windows, which cover the input. See ``tf.nn.adaptive_avg_pool``.

    Args:
        input: a real Tensor [batch, ...spatial, channels] with 1 to 3 spatial dimensions.
        output_size: the number of windows, one for all or one for each spatial dimension.
        data_format: as for ``tf.nn.max_pool``.

    Returns:
        A Tensor [batch, ...output_size, channels], in the layout of the input.

    Raises:
        InvalidArgumentError: ranks or numbers that do not fit.
        ValueError: another ``data_format``.

    >>> import gradtape as tf
    >>> tf.nn.adaptive_max_pool([[[1.], [2.], [6.]]], 2).numpy().ravel().tolist()
    [2.0, 6.0]
    """
    return _adaptive(input, output_size, data_format, _maxima_along)


# -- morphology --------------------------------------------------------------------------------------------------------------


def dilation2d(
    input: Any, filters: Any, strides: Any, padding: Any, data_format: str, dilations: Any, name: str | None = None
) -> Tensor:
    """Greyscale dilation: the maximum of each window, its elements raised by the filter (Serra 1982).

    Args:
        input: a real Tensor [batch, height, width, channels].
        filters: a Tensor of the same dtype [height, width, channels].
        strides: how far the window moves: a number, two, or four with 1 for the batch and the channels.
        padding: "SAME", "VALID" or four pairs of numbers. What lies outside does not count.
        data_format: "NHWC".
        dilations: how far apart the elements of the window are, given like ``strides``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch, height, width, channels] of the same dtype. The gradients go to the first element that attains the maximum.

    Raises:
        InvalidArgumentError: ranks, channels or numbers that do not fit, or dtypes that differ.
        ValueError: another ``data_format``.

    >>> import gradtape as tf
    >>> tf.nn.dilation2d([[[[1.], [3.]]]], [[[4.], [0.]]], 1, "SAME", "NHWC", 1).numpy().ravel().tolist()
    [5.0, 7.0]
    """
    if data_format != "NHWC":
        raise ValueError(f"`data_format` must be 'NHWC'. Received: data_format={data_format!r}")
    x, w = pair(pl.dilate, input, filters)
    if len(w._shape) != 3:
        raise invalid(
            f"The filters must have 3 dimensions, height, width and channels, but have shape {dims_text(w._shape)}."
        )
    layout = Layout(x._shape, 2, data_format)
    window = layout.window(
        w._shape[:2], layout.numbers(strides, "strides"), padding, layout.numbers(dilations, "dilations")
    )
    return layout.back(pl.dilate(layout.last(x), w, window=window)[0])


def erosion2d(
    value: Any, filters: Any, strides: Any, padding: Any, data_format: str, dilations: Any, name: str | None = None
) -> Tensor:
    """Greyscale erosion: the minimum of each window, its elements lowered by the filter turned around. It is the dual of ``tf.nn.dilation2d``.

    Args, returns and raises: as ``tf.nn.dilation2d``.

    >>> import gradtape as tf
    >>> tf.nn.erosion2d([[[[1.], [3.]]]], [[[0.], [0.]]], 1, "VALID", "NHWC", 1).numpy().ravel().tolist()
    [1.0]
    """
    x, w = pair(pl.dilate, value, filters)
    if len(w._shape) != 3:
        raise invalid(
            f"The filters must have 3 dimensions, height, width and channels, but have shape {dims_text(w._shape)}."
        )
    return ew.neg(dilation2d(ew.neg(x), st.reverse(w, axis=(0, 1)), strides, padding, data_format, dilations))
