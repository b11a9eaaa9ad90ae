"""Statistics, and normalisation by them."""

from __future__ import annotations

import math
from typing import Any

from ..core.arguments import integer, reduction_axes
from ..core.operators import number, pair
from ..core.tensor import Tensor, convert
from ..ground.dtypes import float32
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import elementwise as ew
from ..primitives import indexing
from ..primitives import pooling as pl
from ..primitives import reduction as rd
from ..primitives import structure as st


def _in_float32(x: Tensor) -> Tensor:
    """Statistics of half precisions are computed in float32."""
    return st.cast(x, float32) if x._d.is_floating and x._d.size == 2 else x


def moments(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The mean and the variance along axes.

    Args:
        x: a Tensor, or anything that converts to one.
        axes: an axis or several.
        shift: ignored, as in TensorFlow.
        keepdims: keep the reduced dimensions, with length 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        (mean, variance), Tensors of the dtype of ``x``.

    Raises:
        InvalidArgumentError: an axis is out of range or given twice.
        TypeError: an axis is no integer.

    >>> import gradtape as tf
    >>> [m.numpy().tolist() for m in tf.nn.moments([[1., 2.], [3., 4.]], axes=[0])]
    [[2.0, 3.0], [1.0, 1.0]]
    """
    x = convert(x)
    y = _in_float32(x)
    axis = reduction_axes(axes, len(x._shape))
    mean = rd.mean(y, axis=axis, keepdims=True)
    # Not with a stop_gradient on the mean: that would do for the gradient, but not for the second derivative.
    variance = rd.mean(ew.square(ew.sub(y, mean)), axis=axis, keepdims=bool(keepdims))
    if not keepdims:
        mean = st.reshape(mean, shape=variance._shape)
    return st.cast(mean, x._d), st.cast(variance, x._d)


def weighted_moments(
    x: Any, axes: Any, frequency_weights: Any, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The mean and the variance along axes, each element counted as often as its weight says.

    Args:
        x: a float Tensor, or anything that converts to one.
        axes: an axis or several.
        frequency_weights: a Tensor of the dtype of ``x`` that broadcasts to its shape.
        keepdims: keep the reduced dimensions, with length 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        (mean, variance), Tensors of the dtype of ``x``.

    Raises:
        InvalidArgumentError: an axis is out of range or given twice, or the weights do not broadcast.

    >>> import gradtape as tf
    >>> mean, variance = tf.nn.weighted_moments([1., 5.], [0], [3., 1.])
    >>> mean.numpy(), variance.numpy()
    (np.float32(2.0), np.float32(3.0))
    """
    x = convert(x)
    y = _in_float32(x)
    w = st.broadcast_to(st.cast(convert(frequency_weights, None, x._d), y._d), shape=x._shape)
    axis = reduction_axes(axes, len(x._shape))
    part = ew.reciprocal(rd.sum(w, axis=axis, keepdims=True))
    mean = rd.sum(w * y, axis=axis, keepdims=True) * part
    variance = rd.sum(w * ew.square(y - mean), axis=axis, keepdims=True) * part
    if not keepdims:
        shape = tuple(d for i, d in enumerate(x._shape) if i not in axis)
        mean, variance = st.reshape(mean, shape=shape), st.reshape(variance, shape=shape)
    return st.cast(mean, x._d), st.cast(variance, x._d)


def sufficient_statistics(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """What ``normalize_moments`` makes the mean and the variance of; those of parts of the data can be added up.

    Args:
        x: a float Tensor, or anything that converts to one.
        axes: an axis or several.
        shift: a value near the mean, which is subtracted first so that the squares lose less; None for none.
        keepdims: keep the reduced dimensions, with length 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        (count, sum, sum of squares, shift).

    Raises:
        InvalidArgumentError: an axis is out of range or given twice.

    >>> import gradtape as tf
    >>> [s if s is None else s.numpy() for s in tf.nn.sufficient_statistics([1., 2.], [0])]
    [np.float32(2.0), np.float32(3.0), np.float32(5.0), None]
    """
    x = convert(x)
    axis = reduction_axes(axes, len(x._shape))
    attrs = {"axis": axis, "keepdims": bool(keepdims)}
    count = number(x._d, float(math.prod(x._shape[a] for a in axis)))
    if shift is not None:
        shift = convert(shift, x._d)
        x = ew.sub(x, shift)
    return count, rd.sum(x, **attrs), rd.sum(ew.square(x), **attrs), shift


def normalize_moments(
    counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The mean and the variance of sufficient statistics.

    Args:
        counts: how many elements there were, a float scalar.
        mean_ss: their sum, a float Tensor.
        variance_ss: the sum of their squares.
        shift: what was subtracted from each before, or None.
        name: ignored, for TensorFlow's sake.

    Returns:
        (mean, variance).

    >>> import gradtape as tf
    >>> [m.numpy() for m in tf.nn.normalize_moments(2., 3., 5., None)]
    [np.float32(1.5), np.float32(0.25)]
    """
    mean_ss = convert(mean_ss)
    part = ew.reciprocal(convert(counts, None, mean_ss._d))
    shifted = mean_ss * part
    variance = convert(variance_ss, None, mean_ss._d) * part - ew.square(shifted)
    return shifted if shift is None else shifted + convert(shift, None, mean_ss._d), variance


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: Any, name: str | None = None
) -> Tensor:
    """scale·(x - mean) / sqrt(variance + variance_epsilon) + offset (Ioffe & Szegedy 2015, Batch Normalization).

    Args:
        x: a float Tensor.
        mean: the mean, a Tensor that broadcasts with ``x``; so are the next three.
        variance: the variance.
        offset: the new mean, often named beta; None for 0.
        scale: the new standard deviation, often named gamma; None for 1.
        variance_epsilon: a small number that keeps the divisor from 0.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the dtype of ``x``.

    Raises:
        InvalidArgumentError: the shapes do not broadcast, or mean, variance, offset and scale are not of one dtype.

    >>> import gradtape as tf
    >>> tf.nn.batch_normalization([1., 3.], 2., 1., None, None, 0.).numpy().tolist()
    [-1.0, 1.0]
    """
    x = convert(x)
    variance = convert(variance, None, x._d)
    factor = ew.rsqrt(ew.add(*pair(ew.add, variance, variance_epsilon)))
    if scale is not None:
        factor = ew.mul(*pair(ew.mul, factor, scale))
    shift = -ew.mul(*pair(ew.mul, mean, factor))
    if offset is not None:
        shift = ew.add(*pair(ew.add, offset, shift))
    return x * st.cast(factor, x._d) + st.cast(shift, x._d)


def l2_normalize(x: Any, axis: Any = None, epsilon: Any = 1e-12, name: str | None = None, dim: Any = None) -> Tensor:
    """x / sqrt(max(sum(|x|²), epsilon)) along axes.

    Args:
        x: a float or complex Tensor, or anything that converts to one.
        axis: an axis or several; None for all.
        epsilon: a lower bound of the squared norm.
        name: ignored, for TensorFlow's sake.
        dim: the old name of ``axis``.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: an axis is out of range or given twice, or a dtype that is neither floating nor complex.
        ValueError: both ``axis`` and ``dim``.

    >>> import gradtape as tf
    >>> print(tf.nn.l2_normalize([3., 4.]))
    tf.Tensor([0.6 0.8], shape=(2,), dtype=float32)
    """
    if axis is not None and dim is not None:
        raise ValueError("Cannot specify both 'axis' and 'dim'.")
    x = convert(x)
    attrs = {"axis": reduction_axes(dim if axis is None else axis, len(x._shape)), "keepdims": True}
    if x._d.is_complex:
        squares = rd.sum(ew.square(ew.real(x)) + ew.square(ew.imag(x)), **attrs)
        return x * st.cast(ew.rsqrt(ew.maximum(*pair(ew.maximum, squares, epsilon))), x._d)
    squares = rd.sum(ew.square(x), **attrs)
    return x * ew.rsqrt(ew.maximum(*pair(ew.maximum, squares, epsilon)))


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """value + bias, the bias along the dimension of the channels.

    Args:
        value: a numeric Tensor of at least two dimensions.
        bias: a vector of the same dtype, with an element for each channel.
        data_format: "N...C" (None means that): the channels are the last dimension; "NC...": the second.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape and dtype of ``value``.

    Raises:
        ValueError: another ``data_format``.
        InvalidArgumentError: the shapes do not fit, or the dtypes differ.

    >>> import gradtape as tf
    >>> tf.nn.bias_add([[1., 2.]], [10., 20.]).numpy().tolist()
    [[11.0, 22.0]]
    """
    first = data_format is not None and data_format.startswith("NC")
    if data_format is not None and not first and not (data_format.startswith("N") and data_format.endswith("C")):
        raise ValueError(f"`data_format` must be of the form `N...C` or `NC...`. Received: data_format={data_format}")
    x, b = pair(ew.add, value, bias)
    dims, size = x._shape, b._shape
    if len(dims) < 2:
        raise invalid(f"Input tensor must be at least 2D: {dims_text(dims)}")
    if len(size) != 1:
        raise invalid(f"Biases must be 1D: {dims_text(size)}")
    channels = dims[1] if first else dims[-1]
    if channels != size[0] and None not in (channels, size[0]):
        which = "second" if first else "last"
        raise invalid(
            f"Must provide as many biases as the {which} dimension of the input tensor: {dims_text(size)} vs. {dims_text(dims)}"
        )
    return ew.add(x, st.reshape(b, shape=(*size, *(1,) * (len(dims) - 2))) if first and len(dims) > 2 else b)


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """Which part of the elements is zero. It has no gradient.

    Args:
        value: a Tensor of any dtype, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A float32 scalar Tensor; NaN for a tensor without elements.

    >>> import gradtape as tf
    >>> tf.nn.zero_fraction([0, 1, 0, 2]).numpy()
    np.float32(0.5)
    """
    x = convert(value)
    zero = st.cast(ew.equal(x, st.zeros_like(x)), float32)
    return rd.mean(zero, axis=tuple(range(len(x._shape))), keepdims=False)


def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5, name: str | None = None
) -> Tensor:
    """input / (bias + alpha·s)^beta, s the sum of the squares of the channels at most ``depth_radius`` away (Krizhevsky et al. 2012).

    Args:
        input: a float Tensor [..., channels].
        depth_radius: how far the sum reaches to both sides.
        bias: keeps the divisor from 0.
        alpha: the weight of the sum.
        beta: the exponent.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: a scalar, or a dtype that is not floating.

    >>> import gradtape as tf
    >>> print(tf.nn.local_response_normalization([3., 4.], depth_radius=1, bias=0.))
    tf.Tensor([0.6 0.8], shape=(2,), dtype=float32)
    """
    x = convert(input)
    if not x._shape:
        raise invalid(
            "local_response_normalization needs a tensor with a last dimension of channels, but got a scalar."
        )
    r = integer(depth_radius, "depth_radius")
    n = len(x._shape)  # the channels are gone over like space, with a batch in front and one channel behind
    squares = st.expand_dims(ew.square(x), n)
    squares = st.expand_dims(squares, 0) if n == 1 else squares
    others = max(0, n - 2)
    window = pl.Window((1,) * (others + 1), (*((0, 0),) * others, (r, r)), (1,) * (others + 1))
    s = pl.window_sum(squares, size=(*(1,) * others, 2 * r + 1), window=window, mean=False)
    s = indexing.take_one(s, n, 0) if n > 1 else st.reshape(s, shape=x._shape)
    return x * ew.pow(float(bias) + float(alpha) * s, convert(-float(beta), x._d))


lrn = local_response_normalization


def batch_norm_with_global_normalization(
    input: Any,
    mean: Any,
    variance: Any,
    beta: Any,
    gamma: Any,
    variance_epsilon: Any,
    scale_after_normalization: bool,
    name: str | None = None,
) -> Tensor:
    """``tf.nn.batch_normalization`` under an older name.

    Args:
        input: a float Tensor.
        mean: the mean.
        variance: the variance.
        beta: the new mean.
        gamma: the new standard deviation.
        variance_epsilon: a small number that keeps the divisor from 0.
        scale_after_normalization: whether ``gamma`` is used.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the dtype of ``input``.

    >>> import gradtape as tf
    >>> tf.nn.batch_norm_with_global_normalization([1., 3.], 2., 1., 0., 5., 0., True).numpy().tolist()
    [-5.0, 5.0]
    """
    return batch_normalization(
        input, mean, variance, beta, gamma if scale_after_normalization else None, variance_epsilon
    )


def layer_normalization(x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float = 1e-3) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon) along axes, times ``gamma``, plus ``beta`` (Ba et al. 2016): gradtape's own.

    Statistics of float16 and bfloat16 are computed in float32.

    Args:
        x: a float Tensor.
        gamma: a Tensor that broadcasts with ``x``, or None for 1.
        beta: a Tensor that broadcasts with ``x``, or None for 0.
        axis: an axis or several.
        epsilon: a small number that keeps the divisor from 0.

    Returns:
        A Tensor of the dtype of ``x``.

    Raises:
        InvalidArgumentError: an axis is out of range or given twice, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> print(tf.nn.layer_normalization([[1., 3.], [5., 5.]], epsilon=0.).shape, tf.nn.layer_normalization([1., 3.], epsilon=0.))
    (2, 2) tf.Tensor([-1.  1.], shape=(2,), dtype=float32)
    """
    x = convert(x)
    y = _standardized(_in_float32(x), reduction_axes(axis, len(x._shape)), epsilon)
    return st.cast(_affine(y, gamma, beta), x._d)


def group_normalization(
    x: Any, groups: int, gamma: Any = None, beta: Any = None, axis: int = -1, epsilon: float = 1e-3
) -> Tensor:
    """Each group of channels normalised over itself and all dimensions but the first (Wu & He 2018): gradtape's own.

    Args:
        x: a float Tensor [batch, ...].
        groups: the number of groups, which divides that of the channels.
        gamma: a vector with a factor for each channel, or None.
        beta: a vector with a summand for each channel, or None.
        axis: the axis of the channels.
        epsilon: a small number that keeps the divisor from 0.

    Returns:
        A Tensor of the shape and dtype of ``x``.

    Raises:
        InvalidArgumentError: the channels cannot be grouped so, or ``gamma`` and ``beta`` do not fit.

    >>> import gradtape as tf
    >>> tf.nn.group_normalization([[1., 3., 10., 30.]], 2, epsilon=0.).numpy().round(3).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """
    x = convert(x)
    dims = x._shape
    (a,) = reduction_axes(integer(axis, "axis"), len(dims))
    if a == 0 or dims[a] is None or groups < 1 or dims[a] % groups:
        raise invalid(
            f"{dims[a]} channels along axis {a} of shape {dims_text(dims)} cannot be parted into {groups} groups."
        )
    parted = (*dims[:a], groups, dims[a] // groups, *dims[a + 1 :])
    y = st.reshape(_in_float32(x), shape=parted)
    y = st.reshape(_standardized(y, tuple(i for i in range(1, len(parted)) if i != a), epsilon), shape=dims)
    shape = (dims[a], *(1,) * (len(dims) - a - 1))
    gamma, beta = (None if v is None else st.reshape(convert(v, None, x._d), shape=shape) for v in (gamma, beta))
    return st.cast(_affine(y, gamma, beta), x._d)


def _standardized(x: Tensor, axis: tuple[int, ...], epsilon: float) -> Tensor:
    """``x`` with mean 0 and, but for epsilon, variance 1 along the axes."""
    centred = ew.sub(x, rd.mean(x, axis=axis, keepdims=True))
    return centred * ew.rsqrt(rd.mean(ew.square(centred), axis=axis, keepdims=True) + float(epsilon))


def _affine(x: Tensor, gamma: Any, beta: Any) -> Tensor:
    if gamma is not None:
        x = x * st.cast(convert(gamma, None, x._d), x._d)
    return x if beta is None else x + st.cast(convert(beta, None, x._d), x._d)
