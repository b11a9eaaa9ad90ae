"""``tf.nn``: activations, losses, normalisation, dropout."""

from __future__ import annotations

import math as _math
from types import SimpleNamespace
from typing import Any

import numpy as np

from .core.arguments import axis_of, integer, reduction_axes, vector
from .core.operators import number, pair, unary
from .core.tensor import Tensor, convert
from .core.variable import Variable
from .ground.dtypes import float32, float64
from .ground.errors import invalid
from .ground.primitive import Primitive
from .ground.shapes import dims_text
from .primitives import activation as act
from .primitives import elementwise as ew
from .primitives import random as rows
from .primitives import reduction as rd
from .primitives import structure as st
from .random import _seed_key, _stream

# -- activations -----------------------------------------------------------------------------------------------------------

sigmoid, tanh = unary(ew.sigmoid), unary(ew.tanh)
_relu, _relu6, _elu, _selu, _softplus, _softsign = map(
    unary, (act.relu, act.relu6, act.elu, act.selu, ew.softplus, act.softsign)
)


def relu(features: Any, name: str | None = None) -> Tensor:
    """max(features, 0), elementwise. The gradient is 0 where features <= 0.

    Args:
        features: a real Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: a dtype that is not real.

    >>> import gradtape as tf
    >>> tf.nn.relu([-2., 0., 3.]).numpy().tolist()
    [0.0, 0.0, 3.0]
    """
    return _relu(features)


def relu6(features: Any, name: str | None = None) -> Tensor:
    """min(max(features, 0), 6), elementwise (Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10).

    Args, returns and raises: as ``tf.nn.relu``.

    >>> import gradtape as tf
    >>> tf.nn.relu6([-2., 3., 9.]).numpy().tolist()
    [0.0, 3.0, 6.0]
    """
    return _relu6(features)


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """features where they are positive, else alpha·features (Maas et al. 2013).

    Args:
        features: a real Tensor, or anything that converts to one; integers become float32.
        alpha: the slope for features <= 0, a number.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape.

    Raises:
        InvalidArgumentError: a dtype that is not real.
        TypeError: ``alpha`` is no number.

    >>> import gradtape as tf
    >>> tf.nn.leaky_relu([-2., 3.], alpha=0.5).numpy().tolist()
    [-1.0, 3.0]
    """
    x = convert(features)
    if x._d.is_integer:
        x = st.cast(x, float32)
    return act.leaky_relu(x, alpha=float(alpha))


def elu(features: Any, name: str | None = None) -> Tensor:
    """features where they are positive, else exp(features) - 1 (Clevert et al. 2015, Exponential Linear Units).

    Args:
        features: a float Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: a dtype that is not floating.

    >>> import gradtape as tf
    >>> tf.nn.elu([0., 3.]).numpy().tolist()
    [0.0, 3.0]
    """
    return _elu(features)


def selu(features: Any, name: str | None = None) -> Tensor:
    """scale·elu with the scale 1.0507 and, for negative features, 1.0507·1.6733·(exp(features) - 1).

    With them, mean 0 and variance 1 are kept from layer to layer (Klambauer et al. 2017, Self-Normalizing Neural Networks).

    Args, returns and raises: as ``tf.nn.elu``.

    >>> import gradtape as tf
    >>> tf.nn.selu(1.0).numpy()
    np.float32(1.050701)
    """
    return _selu(features)


def crelu(features: Any, axis: Any = -1, name: str | None = None) -> Tensor:
    """relu of the features and of their negatives, joined along an axis (Shang et al. 2016, Concatenated Rectified Linear Units).

    Args:
        features: a real Tensor of at least one dimension, or anything that converts to one.
        axis: the axis that becomes twice as long.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same dtype.

    Raises:
        InvalidArgumentError: a dtype that is not real, or an axis out of range.

    >>> import gradtape as tf
    >>> tf.nn.crelu([1., -2.]).numpy().tolist()
    [1.0, 0.0, 0.0, 2.0]
    """
    x = convert(features)
    return act.relu(st.concat(x, ew.neg(x), axis=axis_of(axis, len(x._shape))))


def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Tensor:
    """features·Φ(features), Φ the standard normal distribution function (Hendrycks & Gimpel 2016).

    Args:
        features: a float Tensor, or anything that converts to one.
        approximate: use features/2·(1 + tanh(sqrt(2/π)·(features + 0.044715·features³))) instead.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: a dtype that is not floating.

    >>> import gradtape as tf
    >>> tf.nn.gelu(1.0).numpy()
    np.float32(0.8413447)
    """
    x = convert(features)
    if not x._d.is_floating:
        raise ValueError(
            f"`features.dtype` must be a floating point tensor. Received: features.dtype={x._d}: convert it with tf.cast."
        )
    return act.gelu(x, approximate=bool(approximate))


def silu(features: Any, beta: Any = 1.0) -> Tensor:
    """features·sigmoid(beta·features), also named swish (Ramachandran et al. 2017, Searching for Activation Functions).

    Args:
        features: a float or complex Tensor, or anything that converts to one.
        beta: a number or a Tensor, to which gradients flow too.

    Returns:
        A Tensor of the same dtype.

    Raises:
        InvalidArgumentError: a dtype that is neither floating nor complex, or another one for ``beta``.

    >>> import gradtape as tf
    >>> tf.nn.silu(0.0).numpy()
    np.float32(0.0)
    """
    x = convert(features)
    return ew.mul(x, ew.sigmoid(x if type(beta) in (float, int) and beta == 1 else ew.mul(*pair(ew.mul, beta, x))))


swish = silu


def softplus(features: Any, name: str | None = None) -> Tensor:
    """log(1 + exp(features)), elementwise, without overflow.

    Args, returns and raises: as ``tf.nn.elu``.

    >>> import gradtape as tf
    >>> tf.nn.softplus(1000.0).numpy()
    np.float32(1000.0)
    """
    return _softplus(features)


def softsign(features: Any, name: str | None = None) -> Tensor:
    """features / (1 + |features|), elementwise.

    Args, returns and raises: as ``tf.nn.elu``.

    >>> import gradtape as tf
    >>> tf.nn.softsign([-1., 3.]).numpy().tolist()
    [-0.5, 0.75]
    """
    return _softsign(features)


def _class_axis(axis: Any, x: Tensor) -> int:
    """The axis of the classes; 0 for a scalar, of which the row says that it has none."""
    return axis_of(-1 if axis is None else axis, len(x._shape), "dim") if x._shape else 0


def _along(p: Primitive, logits: Any, axis: Any) -> Tensor:
    x = convert(logits)
    return p(x, axis=_class_axis(axis, x))


def softmax(logits: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """exp(logits) / sum(exp(logits)) along an axis, without overflow.

    Args:
        logits: a float Tensor of at least one dimension, or anything that converts to one.
        axis: the axis; None means the last.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: a dtype that is not floating, a scalar, or an axis out of range.

    >>> import gradtape as tf
    >>> tf.nn.softmax([[1000., 1000.], [0., 0.]]).numpy().tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    return _along(act.softmax, logits, axis)


def log_softmax(logits: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """logits - log(sum(exp(logits))) along an axis, without overflow.

    Args, returns and raises: as ``tf.nn.softmax``.

    >>> import gradtape as tf
    >>> tf.nn.log_softmax([0., -1000.]).numpy().tolist()
    [0.0, -1000.0]
    """
    return _along(act.log_softmax, logits, axis)


# -- losses ------------------------------------------------------------------------------------------------------------------


def _alike(p: Primitive, x: Any, y: Any, x_name: str, y_name: str) -> tuple[Tensor, Tensor]:
    """Two tensors of one dtype and one shape. A (n, 1) and a (n,) would else broadcast, and the loss be of every pair.

    Raises:
        ValueError: one is None.
        InvalidArgumentError: the dtypes or the shapes differ.
    """
    if x is None or y is None:
        raise ValueError(
            f"Both `{x_name}` and `{y_name}` must be provided. Received: {x_name}={x!r} and {y_name}={y!r}"
        )
    a, b = pair(p, x, y)
    if not a.shape.is_compatible_with(b.shape):
        raise invalid(f"`{x_name}` and `{y_name}` must have the same shape, received ({dims_text(a._shape)} vs {dims_text(b._shape)}): "
                      f"use tf.reshape or tf.squeeze on one of them.")  # fmt: skip
    return a, b


def _one_row_for_all(labels: tuple, logits: tuple, axis: int) -> bool:
    """Whether the labels are a single distribution over the same classes; no other broadcasting is meant by anyone."""
    return 0 < len(labels) <= len(logits) == axis + 1 and labels[-1] == logits[-1] and all(d == 1 for d in labels[:-1])


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: Any = -1, name: str | None = None) -> Tensor:
    """-sum(labels·log(softmax(logits))) along an axis.

    The gradient with respect to the logits is softmax(logits) - labels, also where the labels do not sum to 1.

    Args:
        labels: the probabilities of the classes, of the shape of ``logits`` (or one row for all: its other dimensions 1 or left out),
            of any real dtype: they are converted to that of ``logits``.
        logits: a float Tensor, unnormalised log-probabilities.
        axis: the axis of the classes.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``logits`` without ``axis``.

    Raises:
        ValueError: one of them is None.
        InvalidArgumentError: the shapes differ, an axis out of range, or logits that are not floating.

    >>> import gradtape as tf
    >>> print(tf.nn.softmax_cross_entropy_with_logits(labels=[[0., 1.]], logits=[[0., 0.]]))
    tf.Tensor([0.6931472], shape=(1,), dtype=float32)
    """
    x = convert(logits)
    y = st.cast(convert(labels, None, x._d), x._d)
    a = _class_axis(axis, x)
    if y._shape != x._shape and _one_row_for_all(y._shape, x._shape, a):
        y = st.broadcast_to(y, shape=x._shape)
    return act.softmax_xent(x, y, axis=a)[0]


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Tensor:
    """-log(softmax(logits)[label]) along the last axis.

    Args:
        labels: an integer Tensor of class numbers, of the shape of ``logits`` without its last dimension.
        logits: a float Tensor, unnormalised log-probabilities; its last dimension holds the classes.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``labels`` and the dtype of ``logits``.

    Raises:
        ValueError: one of them is None.
        InvalidArgumentError: the shapes do not fit, labels that are no integers or out of range, or logits that are not floating.

    >>> import gradtape as tf
    >>> tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1], logits=[[0., 1000.]]).numpy().tolist()
    [0.0]
    """
    return act.sparse_softmax_xent(convert(logits), convert(labels))[0]


def sigmoid_cross_entropy_with_logits(labels: Any = None, logits: Any = None, name: str | None = None) -> Tensor:
    """-labels·log(sigmoid(logits)) - (1 - labels)·log(1 - sigmoid(logits)), elementwise, without overflow.

    Args:
        labels: probabilities, a Tensor of the shape and dtype of ``logits``.
        logits: a float Tensor, log(p / (1 - p)).
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: one of them is None.
        InvalidArgumentError: the shapes or dtypes differ, or the dtype is not floating.

    >>> import gradtape as tf
    >>> tf.nn.sigmoid_cross_entropy_with_logits(labels=[0., 1.], logits=[-1000., 1000.]).numpy().tolist()
    [0.0, 0.0]
    """
    x, z = _alike(act.sigmoid_xent, logits, labels, "logits", "labels")
    return act.sigmoid_xent(x, z)


def weighted_cross_entropy_with_logits(labels: Any, logits: Any, pos_weight: Any, name: str | None = None) -> Tensor:
    """-pos_weight·labels·log(sigmoid(logits)) - (1 - labels)·log(1 - sigmoid(logits)), elementwise, without overflow.

    Args:
        labels: probabilities, a Tensor of the shape and dtype of ``logits``.
        logits: a float Tensor, log(p / (1 - p)).
        pos_weight: the weight of the positive class: above 1 fewer positives are missed, below 1 fewer are reported wrongly. A number,
            or a Tensor that broadcasts with ``logits``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: one of them is None.
        InvalidArgumentError: the shapes or dtypes differ, or the dtype is not floating.

    >>> import gradtape as tf
    >>> tf.nn.weighted_cross_entropy_with_logits(labels=[1.], logits=[1000.], pos_weight=2.).numpy().tolist()
    [0.0]
    """
    x, z = _alike(ew.mul, logits, labels, "logits", "labels")
    weight = 1 + (convert(pos_weight, None, x._d) - 1.0) * z
    return (1 - z) * x + weight * ew.softplus(-x)


def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None) -> Tensor:
    """exp(log_input) - targets·log_input: minus the log-likelihood of counts, up to a term of the targets alone.

    Args:
        targets: the counts, a Tensor of the shape and dtype of ``log_input``.
        log_input: a float Tensor, the logarithm of the predicted mean.
        compute_full_loss: add Stirling's approximation of log(targets!), which is left out for targets up to 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: one of them is None.
        InvalidArgumentError: the shapes or dtypes differ, or the dtype is not floating.

    >>> import gradtape as tf
    >>> tf.nn.log_poisson_loss(targets=[2.], log_input=[0.]).numpy().tolist()
    [1.0]
    """
    x, t = _alike(ew.exp, log_input, targets, "log_input", "targets")
    loss = ew.exp(x) - x * t
    if not compute_full_loss:
        return loss
    zero, one = st.zeros_like(t), st.ones_like(t)
    small = ew.logical_and(ew.greater_equal(t, zero), ew.less_equal(t, one))
    n = ew.select(small, one, t)  # not t itself: the gradient of 0·log(0) is NaN, whatever `select` then takes
    stirling = n * ew.log(n) - n + 0.5 * ew.log(2 * _math.pi * n)
    return loss + ew.select(small, zero, stirling)


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """sum(t²) / 2: half the squared norm, without the root.

    Args:
        t: a float Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A scalar Tensor of the same dtype.

    Raises:
        InvalidArgumentError: a dtype that is not floating.

    >>> import gradtape as tf
    >>> tf.nn.l2_loss([1., 2.]).numpy()
    np.float32(2.5)
    """
    return act.l2_loss(convert(t))


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


# -- statistics and normalisation --------------------------------------------------------------------------------------------


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
    count = number(x._d, float(_math.prod(x._shape[a] for a in axis)))
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


# -- dropout -------------------------------------------------------------------------------------------------------------------


def _rate(rate: Any, x: Tensor) -> Any:
    """The rate as a Python float, or as the scalar tensor that it is."""
    if isinstance(rate, Tensor | Variable):
        r = convert(rate)
        if r._d is not x._d:
            raise ValueError(
                f"`x.dtype` must be compatible with `rate.dtype`. Received: x.dtype={x._d} and rate.dtype={r._d}"
            )
        if r._shape:
            raise ValueError(f"`rate` must be a scalar, but has shape {r.shape}.")
        if r._special:
            return r
        _check_rate(float(r))
        return r
    if not isinstance(rate, int | float | np.floating | np.integer):
        raise ValueError(f"`rate` must be a scalar or scalar tensor. Received: rate={rate!r}")
    _check_rate(float(rate))
    return float(rate)


def _check_rate(rate: float) -> None:
    if not 0 <= rate < 1:
        raise ValueError(f"`rate` must be a scalar tensor or a float in the range [0, 1). Received: rate={rate}")


def _noise_shape(noise_shape: Any, x: Tensor) -> tuple[int | None, ...]:
    """The shape of the mask, None where it is the tensor's own dimension.

    Raises:
        InvalidArgumentError: such a mask does not broadcast to ``x``.
    """
    dims = x._shape
    if noise_shape is None:
        return (None,) * len(dims)
    if isinstance(noise_shape, Tensor | Variable | np.ndarray):
        noise_shape = vector(noise_shape, "noise_shape")
    given = [None if d is None else integer(d, "noise_shape") for d in noise_shape]
    shape = [1] * (len(dims) - len(given)) + given
    if len(shape) != len(dims) or any(
        n not in (None, 1, d) and d is not None for n, d in zip(shape, dims, strict=True)
    ):
        raise invalid(
            f"noise_shape {given} does not broadcast to the shape {dims_text(dims)} of x: each dimension must be that of x, 1 or None."
        )
    return tuple(shape)


def _dropout(x: Any, rate: Any, noise_shape: Any, key: Any) -> Tensor:
    x = convert(x)
    if not x._d.is_floating:
        raise ValueError(f"`x.dtype` must be a floating point tensor as `x` will be scaled. Received: x_dtype={x._d}")
    r = _rate(rate, x)
    if type(r) is float and r == 0:
        return x
    shape = _noise_shape(noise_shape, x)
    kept = 1.0 - r
    mask = rows.mask(key(x), kept if isinstance(kept, Tensor) else number(float64, kept), x, shape=shape)
    return act.keep_where(x * (1.0 / kept), mask)


def dropout(x: Any, rate: Any, noise_shape: Any = None, seed: Any = None, name: str | None = None) -> Tensor:
    """Each element 0 with probability ``rate``, and divided by 1 - rate if not (Srivastava et al. 2014, Dropout).

    Args:
        x: a float Tensor, or anything that converts to one.
        rate: a number in [0, 1), or a scalar Tensor of the dtype of ``x``.
        noise_shape: the shape in which it is drawn what is kept, each dimension that of ``x``, 1 (along which all share one fate)
            or None (that of ``x``).
        seed: the draw's own seed; see ``tf.random.set_seed``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape and dtype of ``x``; ``x`` itself where the rate is 0.

    Raises:
        ValueError: a dtype that is not floating, or a rate that is no scalar, out of range or of another dtype.
        InvalidArgumentError: ``noise_shape`` does not fit.

    >>> import gradtape as tf
    >>> tf.nn.dropout([1., 2.], rate=0.0).numpy().tolist()
    [1.0, 2.0]
    """
    return _dropout(x, rate, noise_shape, lambda x: _stream("dropout", x._d, seed)._key(1))


def _stateless_dropout(
    x: Any, rate: Any, seed: Any, rng_alg: Any = None, noise_shape: Any = None, name: str | None = None
) -> Tensor:
    """``tf.nn.dropout`` whose choice depends on ``seed``, an integer vector of 2 elements, alone."""
    return _dropout(x, rate, noise_shape, lambda x: _seed_key(seed))


_stateless_dropout.__name__ = "stateless_dropout"
experimental = SimpleNamespace(stateless_dropout=_stateless_dropout)


from .indexing import embedding_lookup  # noqa: E402

__all__ = [
    "batch_normalization",
    "bias_add",
    "crelu",
    "dropout",
    "elu",
    "embedding_lookup",
    "experimental",
    "gelu",
    "l2_loss",
    "l2_normalize",
    "leaky_relu",
    "log_poisson_loss",
    "log_softmax",
    "moments",
    "normalize_moments",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "sigmoid_cross_entropy_with_logits",
    "silu",
    "softmax",
    "softmax_cross_entropy_with_logits",
    "softplus",
    "softsign",
    "sparse_softmax_cross_entropy_with_logits",
    "sufficient_statistics",
    "swish",
    "tanh",
    "weighted_cross_entropy_with_logits",
    "weighted_moments",
    "zero_fraction",
]
