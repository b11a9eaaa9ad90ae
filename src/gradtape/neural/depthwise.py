"""Convolutions of each channel by itself: ``tf.nn.depthwise_conv2d`` and its like."""

from __future__ import annotations

from typing import Any

from ..core.arguments import integers
from ..core.operators import pair
from ..core.tensor import Tensor
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import convolution as cv
from ..primitives import structure as st
from .convolutions import _conv, _filters
from .windows import Layout


def _depthwise_shape(w: Tensor, channels: Any) -> tuple:
    """[...spatial, channels, multiplier] as the filters of groups of one channel.

    Raises:
        InvalidArgumentError: the channels are not those of the input.
    """
    *size, c, m = _filters(w, 2, "depthwise filter")
    if channels is not None and c != channels:
        raise invalid(
            f"The filter is for {c} channels, its shape being {dims_text(w._shape)}, but the input has {channels}."
        )
    return (*size, 1, c * m)


def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """A convolution of each channel by itself, with filters of its own.

    out[..., c·m + q] is the convolution of channel c with filter[:, :, c, q], for m filters to a channel.

    Args:
        input: a float Tensor [batch, height, width, channels].
        filter: a Tensor of the same dtype [height, width, channels, m].
        strides: how far the window moves: a number, two, or four with 1 for the batch and the channels.
        padding: "SAME", "VALID" or four pairs of numbers.
        data_format: "NHWC" (the default) or "NCHW".
        dilations: how far apart the elements of the window are, given like ``strides``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch, height, width, channels·m], in the layout of the input.

    Raises:
        As ``tf.nn.convolution``.

    >>> import gradtape as tf
    >>> tf.nn.depthwise_conv2d([[[[1., 2.]]]], [[[[3.], [5.]]]], 1, "VALID").numpy().ravel().tolist()
    [3.0, 10.0]
    """
    x, w = pair(cv.conv, input, filter)
    layout = Layout(x._shape, 2, data_format)
    w = st.reshape(w, shape=_depthwise_shape(w, layout.channels))
    return layout.back(
        cv.conv(layout.last(x), w, window=_depthwise_window(layout, w, strides, padding, dilations, layout.spatial))
    )


def _depthwise_window(layout: Layout, w: Any, strides: Any, padding: Any, dilations: Any, spatial: tuple) -> cv.Window:
    size, channels = (w._shape if isinstance(w, Tensor) else w)[:2], layout.channels
    return layout.window(
        size, layout.numbers(strides, "strides"), padding, layout.numbers(dilations, "dilations"), channels, spatial
    )


def depthwise_conv2d_backprop_input(
    input_sizes: Any,
    filter: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient of ``tf.nn.depthwise_conv2d`` by its input.

    Args:
        input_sizes: the shape of the input.
        filter: the filter [height, width, channels, m].
        out_backprop: the cotangent of the output.
        strides: as for ``tf.nn.depthwise_conv2d``; so are the next three.
        padding: "SAME", "VALID" or four pairs of numbers.
        data_format: "NHWC" or "NCHW".
        dilations: how far apart the elements of the window are.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``input_sizes``.

    Raises:
        InvalidArgumentError: the shapes do not belong together.

    >>> import gradtape as tf
    >>> tf.nn.depthwise_conv2d_backprop_input([1, 1, 1, 2], [[[[3.], [5.]]]], tf.ones([1, 1, 1, 2]), [1, 1, 1, 1], "VALID").numpy().ravel().tolist()
    [3.0, 5.0]
    """
    w, g = pair(cv.conv_input, filter, out_backprop)
    layout = Layout(integers(input_sizes, "input_sizes"), 2, data_format)
    w = st.reshape(w, shape=_depthwise_shape(w, layout.channels))
    window = _depthwise_window(layout, w, strides, padding, dilations, layout.spatial)
    return layout.back(
        cv.conv_input(w, Layout(g._shape, 2, data_format, "out_backprop").last(g), shape=layout.spatial, window=window)
    )


def depthwise_conv2d_backprop_filter(
    input: Any,
    filter_sizes: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient of ``tf.nn.depthwise_conv2d`` by its filter.

    Args:
        input: the input.
        filter_sizes: the shape of the filter, [height, width, channels, m].
        out_backprop: the cotangent of the output.
        strides: as for ``tf.nn.depthwise_conv2d``; so are the next three.
        padding: "SAME", "VALID" or four pairs of numbers.
        data_format: "NHWC" or "NCHW".
        dilations: how far apart the elements of the window are.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``filter_sizes``.

    Raises:
        InvalidArgumentError: the shapes do not belong together.

    >>> import gradtape as tf
    >>> tf.nn.depthwise_conv2d_backprop_filter([[[[1., 2.]]]], [1, 1, 2, 1], tf.ones([1, 1, 1, 2]), [1, 1, 1, 1], "VALID").numpy().ravel().tolist()
    [1.0, 2.0]
    """
    x, g = pair(cv.conv_filter, input, out_backprop)
    layout = Layout(x._shape, 2, data_format)
    shape = integers(filter_sizes, "filter_sizes")
    window = _depthwise_window(layout, shape, strides, padding, dilations, layout.spatial)
    w = cv.conv_filter(
        layout.last(x), Layout(g._shape, 2, data_format, "out_backprop").last(g), size=shape[:2], window=window
    )
    return st.reshape(w, shape=shape)


def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """``tf.nn.depthwise_conv2d`` followed by a convolution that mixes the channels of each place (Sifre 2014; Chollet 2017, Xception).

    Args:
        input: a float Tensor [batch, height, width, channels].
        depthwise_filter: a Tensor of the same dtype [height, width, channels, m].
        pointwise_filter: a Tensor of the same dtype [1, 1, channels·m, filters].
        strides: of the first convolution; so are the next three.
        padding: "SAME", "VALID" or four pairs of numbers.
        data_format: "NHWC" (the default) or "NCHW".
        dilations: how far apart the elements of the window are, given like ``strides``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch, height, width, filters], in the layout of the input.

    Raises:
        InvalidArgumentError: as ``tf.nn.convolution``; or a pointwise filter with other spatial dimensions than 1 and 1.

    >>> import gradtape as tf
    >>> tf.nn.separable_conv2d(tf.ones([1, 3, 3, 2]), tf.ones([2, 2, 2, 4]), tf.ones([1, 1, 8, 5]), 1, "SAME").shape
    TensorShape([1, 3, 3, 5])
    """
    x, p = pair(cv.conv, input, pointwise_filter)
    shape = _filters(p, 2, "pointwise filter")
    if shape[:2] != (1, 1):
        raise invalid(f"The first two dimensions of pointwise_filter must be 1, but its shape is {dims_text(shape)}.")
    y = depthwise_conv2d(x, depthwise_filter, strides, padding, data_format, dilations)
    return _conv(y, p, 1, "VALID", data_format, None, 2)
