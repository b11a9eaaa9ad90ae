"""Convolutions and their transposes: ``tf.nn.conv2d`` and its like."""

from __future__ import annotations

from typing import Any

from ..core.arguments import integers
from ..core.operators import pair
from ..core.tensor import Tensor
from ..engines.native import sliding
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import convolution as cv
from .windows import Layout

sliding.install()


def _filters(w: Tensor, n: int, what: str = "filters") -> tuple:
    """The shape of filters for ``n`` spatial dimensions.

    Raises:
        InvalidArgumentError: another rank.
    """
    if len(w._shape) != n + 2:
        raise invalid(
            f"The {what} must have {n + 2} dimensions, {n} spatial one(s), input channels and output channels, but have shape {dims_text(w._shape)}."
        )
    return w._shape


def _groups(channels: Any, each: Any) -> int:
    """Into how many groups the channels fall. What does not divide, the row refuses."""
    return 1 if None in (channels, each) or not each or channels % each else max(1, channels // each)


def _conv(
    input: Any, filters: Any, strides: Any, padding: Any, data_format: str | None, dilations: Any, n: int | None
) -> Tensor:
    x, w = pair(cv.conv, input, filters)
    layout = Layout(x._shape, n, data_format)
    shape = _filters(w, layout.n)
    window = layout.window(
        shape[:-2],
        layout.numbers(strides, "strides"),
        padding,
        layout.numbers(dilations, "dilations"),
        _groups(layout.channels, shape[-2]),
    )
    return layout.back(cv.conv(layout.last(x), w, window=window))


def _conv_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any,
    data_format: str | None,
    dilations: Any,
    n: int | None,
) -> Tensor:
    y, w = pair(cv.conv_input, input, filters)
    layout = Layout(y._shape, n, data_format)
    shape = _filters(w, layout.n)
    spatial, channels = _output_shape(output_shape, layout, shape[-2])
    groups = _groups(channels, shape[-2])
    window = layout.window(
        shape[:-2], layout.numbers(strides, "strides"), padding, layout.numbers(dilations, "dilations"), groups, spatial
    )
    x = cv.conv_input(w, layout.last(y), shape=spatial, window=window)
    if channels is not None and x._shape[-1] not in (channels, None):
        raise invalid(
            f"output_shape has {channels} channels, but filters of shape {dims_text(shape)} give {x._shape[-1]}."
        )
    return layout.back(x)


def _output_shape(value: Any, layout: Layout, channels: Any) -> tuple[tuple[int, ...], Any]:
    """The spatial dimensions and the channels of ``output_shape``: these alone, or with the batch and the channels.

    Raises:
        InvalidArgumentError: another number of dimensions, or another batch than the input has.
    """
    given = integers(value, "output_shape")
    if len(given) == layout.n:
        return given, channels
    if len(given) != layout.n + len(layout.batch) + 1:
        raise invalid(
            f"output_shape must have {layout.n + len(layout.batch) + 1} dimensions, as the input has, or {layout.n}, the spatial ones, but is {list(given)}."
        )
    batch, rest = given[: len(layout.batch)], list(given[len(layout.batch) :])
    if any(a != b and b is not None for a, b in zip(batch, layout.batch, strict=True)):
        raise invalid(
            f"output_shape {list(given)} has the batch {list(batch)}, but that of the input is {dims_text(layout.batch)}."
        )
    channels = rest.pop(0 if layout.first else -1)
    return tuple(rest), channels


def convolution(
    input: Any,
    filters: Any,
    strides: Any = None,
    padding: Any = "VALID",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The convolution in 1, 2 or 3 spatial dimensions, by the rank of the input; the filters are not turned around.

    out[n, o, f] = Σ input[n, strides·o + dilations·k, c] · filters[k, c, f] over k and c, on the padded input. Where the filters take
    fewer channels than there are, the channels fall into groups, each with its share of the filters.

    Args:
        input: a numeric Tensor [batch, ...spatial, channels].
        filters: a Tensor of the same dtype [...spatial, channels / groups, filters].
        strides: how far the window moves: a number, or one for each spatial dimension.
        padding: "SAME" (as many zeros around the input as give ceil(length / stride) places, the odd one behind), "VALID" (none), or pairs
            of numbers, the zeros before and after along each dimension of the input.
        data_format: "NWC", "NHWC", "NDHWC" (the default) or, with the channels before the spatial dimensions, "NCW", "NCHW", "NCDHW".
        dilations: how far apart the elements of the window are, given like ``strides``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch, ...places, filters] of the same dtype, in the layout of the input.

    Raises:
        InvalidArgumentError: ranks or channels that do not fit, a window larger than the padded input, another ``padding``, or dtypes that differ.
        ValueError: another ``data_format``.

    >>> import gradtape as tf
    >>> x = tf.reshape(tf.range(5.), [1, 5, 1])
    >>> tf.nn.convolution(x, tf.ones([3, 1, 1]))[0, :, 0].numpy().tolist()
    [3.0, 6.0, 9.0]
    """
    return _conv(input, filters, strides, padding, data_format, dilations, None)


def conv1d(
    input: Any,
    filters: Any,
    stride: Any,
    padding: Any,
    data_format: str = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The convolution in one spatial dimension. See ``tf.nn.convolution``.

    Args:
        input: a numeric Tensor [..., width, channels], or [..., channels, width] for "NCW", with at least one batch dimension.
        filters: a Tensor of the same dtype [width, channels / groups, filters].
        stride: how far the window moves.
        padding: "SAME", "VALID" or pairs of numbers.
        data_format: "NWC" or "NCW".
        dilations: how far apart the elements of the window are.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [..., places, filters], in the layout of the input.

    Raises:
        As ``tf.nn.convolution``.

    >>> import gradtape as tf
    >>> tf.nn.conv1d(tf.ones([1, 4, 1]), tf.ones([3, 1, 1]), 1, "SAME")[0, :, 0].numpy().tolist()
    [2.0, 3.0, 3.0, 2.0]
    """
    return _conv(input, filters, stride, padding, data_format, dilations, 1)


def conv2d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The convolution in two spatial dimensions. See ``tf.nn.convolution``.

    Args:
        input: a numeric Tensor [..., height, width, channels], or [..., channels, height, width] for "NCHW", with at least one batch dimension.
        filters: a Tensor of the same dtype [height, width, channels / groups, filters].
        strides: how far the window moves: a number, two, or four with 1 for the batch and the channels.
        padding: "SAME", "VALID" or four pairs of numbers, of which those for the batch and the channels are 0.
        data_format: "NHWC" or "NCHW".
        dilations: how far apart the elements of the window are, given like ``strides``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [..., height, width, filters], in the layout of the input.

    Raises:
        As ``tf.nn.convolution``.

    >>> import gradtape as tf
    >>> tf.nn.conv2d(tf.ones([1, 3, 3, 2]), tf.ones([3, 3, 2, 1]), 1, "SAME")[0, ..., 0].numpy().tolist()
    [[8.0, 12.0, 8.0], [12.0, 18.0, 12.0], [8.0, 12.0, 8.0]]
    """
    return _conv(input, filters, strides, padding, data_format, dilations, 2)


def conv3d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The convolution in three spatial dimensions. See ``tf.nn.convolution``.

    Args:
        input: a numeric Tensor [..., depth, height, width, channels], or [..., channels, depth, height, width] for "NCDHW".
        filters: a Tensor of the same dtype [depth, height, width, channels / groups, filters].
        strides: how far the window moves: a number, three, or five with 1 for the batch and the channels.
        padding: "SAME", "VALID" or five pairs of numbers.
        data_format: "NDHWC" or "NCDHW".
        dilations: how far apart the elements of the window are, given like ``strides``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [..., depth, height, width, filters], in the layout of the input.

    Raises:
        As ``tf.nn.convolution``.

    >>> import gradtape as tf
    >>> tf.nn.conv3d(tf.ones([1, 2, 2, 2, 1]), tf.ones([2, 2, 2, 1, 1]), 1, "VALID").numpy().ravel().tolist()
    [8.0]
    """
    return _conv(input, filters, strides, padding, data_format, dilations, 3)


def conv_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of a convolution: its gradient by the input, also called deconvolution (Zeiler et al. 2010).

    out[n, strides·o + dilations·k, c] collects input[n, o, f] · filters[k, c, f] over o, k and f; the padding is cut off.

    Args:
        input: a numeric Tensor [batch, ...spatial, filters].
        filters: a Tensor of the same dtype [...spatial, channels / groups, filters]: the channels of the output come before those of the input.
        output_shape: the shape of the output, or its spatial dimensions alone.
        strides: how far the window moves over the output: a number, or one for each spatial dimension.
        padding: that of the convolution which has this one as its gradient: "SAME", "VALID" or pairs of numbers.
        data_format: as for ``tf.nn.convolution``.
        dilations: how far apart the elements of the window are, given like ``strides``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``output_shape``.

    Raises:
        InvalidArgumentError: a convolution of an input of shape ``output_shape`` does not give the shape of this input, or channels do not fit.
        ValueError: another ``data_format``.

    >>> import gradtape as tf
    >>> tf.nn.conv_transpose(tf.ones([1, 3, 1]), tf.ones([2, 1, 1]), [1, 6, 1], 2)[0, :, 0].numpy().tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    return _conv_transpose(input, filters, output_shape, strides, padding, data_format, dilations, None)


def conv1d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of ``tf.nn.conv1d``. Arguments, returns and raises: as ``tf.nn.conv_transpose``.

    >>> import gradtape as tf
    >>> tf.nn.conv1d_transpose(tf.ones([1, 2, 1]), tf.ones([3, 1, 1]), [1, 5, 1], 2, "VALID")[0, :, 0].numpy().tolist()
    [1.0, 1.0, 2.0, 1.0, 1.0]
    """
    return _conv_transpose(input, filters, output_shape, strides, padding, data_format, dilations, 1)


def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of ``tf.nn.conv2d``. Arguments, returns and raises: as ``tf.nn.conv_transpose``.

    >>> import gradtape as tf
    >>> tf.nn.conv2d_transpose(tf.ones([1, 2, 2, 3]), tf.ones([2, 2, 5, 3]), [1, 4, 4, 5], 2).shape
    TensorShape([1, 4, 4, 5])
    """
    return _conv_transpose(input, filters, output_shape, strides, padding, data_format, dilations, 2)


def conv3d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of ``tf.nn.conv3d``. Arguments, returns and raises: as ``tf.nn.conv_transpose``.

    >>> import gradtape as tf
    >>> tf.nn.conv3d_transpose(tf.ones([1, 2, 2, 2, 3]), tf.ones([2, 2, 2, 5, 3]), [4, 4, 4], 2).shape
    TensorShape([1, 4, 4, 4, 5])
    """
    return _conv_transpose(input, filters, output_shape, strides, padding, data_format, dilations, 3)


def atrous_conv2d(value: Any, filters: Any, rate: int, padding: Any, name: str | None = None) -> Tensor:
    """``tf.nn.conv2d`` with stride 1 and the elements of the window ``rate`` apart (Chen et al. 2015, DeepLab).

    Args:
        value: a numeric Tensor [batch, height, width, channels].
        filters: a Tensor of the same dtype [height, width, channels, filters].
        rate: how far apart the elements of the window are.
        padding: "SAME", "VALID" or four pairs of numbers.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch, height, width, filters].

    Raises:
        As ``tf.nn.convolution``.

    >>> import gradtape as tf
    >>> tf.nn.atrous_conv2d(tf.ones([1, 5, 5, 1]), tf.ones([2, 2, 1, 1]), 2, "VALID").shape
    TensorShape([1, 3, 3, 1])
    """
    return _conv(value, filters, 1, padding, None, rate, 2)


def atrous_conv2d_transpose(
    value: Any, filters: Any, output_shape: Any, rate: int, padding: Any, name: str | None = None
) -> Tensor:
    """The transpose of ``tf.nn.atrous_conv2d``.

    Args:
        value: a numeric Tensor [batch, height, width, filters].
        filters: a Tensor of the same dtype [height, width, channels, filters].
        output_shape: the shape of the output.
        rate: how far apart the elements of the window are.
        padding: "SAME", "VALID" or four pairs of numbers.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``output_shape``.

    Raises:
        As ``tf.nn.conv_transpose``.

    >>> import gradtape as tf
    >>> tf.nn.atrous_conv2d_transpose(tf.ones([1, 3, 3, 1]), tf.ones([2, 2, 1, 1]), [1, 5, 5, 1], 2, "VALID").shape
    TensorShape([1, 5, 5, 1])
    """
    return _conv_transpose(value, filters, output_shape, 1, padding, None, rate, 2)
