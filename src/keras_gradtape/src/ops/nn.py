"""Keras's neural-network operations on gradtape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras.src import backend
from keras.src.backend.common.backend_utils import (
    check_conv_input_channels,
    check_conv_transpose_input_channels,
    compute_conv_transpose_output_shape,
)

import gradtape as tf

from ._promotion import floating, result_type
from .core import cast, convert_to_tensor, shape
from .numpy import moveaxis


def _number(x: Any, value: Any) -> Any:
    return tf.constant(value, x.dtype)


# -- activations ----------------------------------------------------------------------------------------------------------


def relu(x: Any) -> Any:
    """max(x, 0)."""
    return tf.nn.relu(convert_to_tensor(x))


def relu6(x: Any) -> Any:
    """x clipped to [0, 6]."""
    return tf.nn.relu6(floating(x))


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return tf.math.sigmoid(floating(x))


def sparse_sigmoid(x: Any) -> Any:
    """(x + 1) / 2 clipped to [0, 1]."""
    x = floating(x)
    return tf.clip_by_value(0.5 * (x + 1), 0, 1)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return tf.math.tanh(floating(x))


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    x = floating(x)
    return x - tf.math.tanh(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return tf.math.softplus(floating(x))


def softsign(x: Any) -> Any:
    """x / (1 + \\|x\\|)."""
    return tf.nn.softsign(floating(x))


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by ``threshold``."""
    x = floating(x)
    zero = tf.zeros_like(x)
    return tf.where(x > threshold, x - threshold, tf.where(x < -threshold, x + threshold, zero))


def sparse_plus(x: Any) -> Any:
    """A quadratic piece between 0 and x."""
    x = floating(x)
    return tf.where(x <= -1, tf.zeros_like(x), tf.where(x < 1, 0.25 * (x + 1) ** 2, x))


def silu(x: Any) -> Any:
    """x sigmoid(x)."""
    return tf.nn.silu(floating(x))


def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x² + b)) / 2."""
    x = floating(x)
    return (x + tf.sqrt(x * x + _number(x, b))) / 2


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x))."""
    return -tf.math.softplus(-floating(x))


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x, or ``negative_slope`` x below 0."""
    return tf.nn.leaky_relu(floating(x), negative_slope)


def hard_sigmoid(x: Any) -> Any:
    """x / 6 + 1/2 clipped to [0, 1]."""
    x = floating(x)
    return tf.clip_by_value(x / _number(x, 6) + _number(x, 0.5), 0, 1)


def hard_silu(x: Any) -> Any:
    """x hard_sigmoid(x)."""
    x = floating(x)
    return x * hard_sigmoid(x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x, or alpha (exp(x) - 1) below 0."""
    x = floating(x)
    y = tf.nn.elu(x)
    return y if alpha == 1 else tf.where(x > 0, y, alpha * y)


def selu(x: Any) -> Any:
    """The scaled elu."""
    return tf.nn.selu(floating(x))


def gelu(x: Any, approximate: bool = True) -> Any:
    """x times the normal distribution function of x."""
    return tf.nn.gelu(floating(x), approximate)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """max(x, 0) + alpha min(exp(x / alpha) - 1, 0)."""
    x = floating(x)
    a = _number(x, alpha)
    zero = tf.zeros_like(x)
    return tf.maximum(x, zero) + a * tf.math.expm1(tf.minimum(x, zero) / a)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half times the sigmoid of the second."""
    x = convert_to_tensor(x)
    if x.shape[axis] % 2:
        raise ValueError(f"axis size must be divisible by 2. Received: x.shape={tuple(x.shape)} with axis={axis}")
    a, b = tf.split(x, 2, axis)
    return a * tf.sigmoid(b)


def hard_tanh(x: Any) -> Any:
    """x clipped to [-1, 1]."""
    return tf.clip_by_value(floating(x), -1, 1)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where it is beyond ``threshold``, else 0."""
    x = floating(x)
    return tf.where(tf.abs(x) > threshold, x, tf.zeros_like(x))


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x above ``threshold``, else ``default_value``."""
    x = convert_to_tensor(x)
    return tf.where(x > cast(threshold, x.dtype.name), x, cast(default_value, x.dtype.name))


def softmax(x: Any, axis: Any = -1) -> Any:
    """exp(x) divided by its sum; over all elements where ``axis`` is None."""
    return _flat(tf.nn.softmax, floating(x), axis)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """The logarithm of the softmax."""
    return _flat(tf.nn.log_softmax, floating(x), axis)


def _flat(f: Any, x: Any, axis: Any) -> Any:
    """``f`` along one axis, several or, for None, all of them."""
    rank = len(x.shape)
    axes = tuple(range(rank)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if len(axes) == 1:
        return f(x, axes[0])
    axes = tuple([a % rank for a in axes])
    rest = [i for i in range(rank) if i not in axes]
    y = tf.transpose(x, [*rest, *axes])
    shape = list(y.shape)
    y = tf.reshape(f(tf.reshape(y, [*shape[: len(rest)], -1]), -1), shape)
    return tf.transpose(y, np.argsort([*rest, *axes]).tolist())


def sparsemax(x: Any, axis: int = -1) -> Any:
    """The projection onto the probability simplex (Martins and Astudillo, 2016)."""
    x = floating(x)
    z = tf.sort(x, axis=axis, direction="DESCENDING")
    total = tf.cumsum(z, axis=axis)
    n = x.shape[axis]
    shape = [1] * len(x.shape)
    shape[axis] = n
    r = tf.reshape(tf.range(1, n + 1, dtype=x.dtype), shape)
    support = 1 + r * z > total
    k = tf.reduce_sum(tf.cast(support, x.dtype), axis, keepdims=True)
    tau = (tf.reduce_sum(tf.where(support, z, tf.zeros_like(z)), axis, keepdims=True) - 1) / k
    return tf.maximum(x - tau, 0)


# -- pooling --------------------------------------------------------------------------------------------------------------

_LAST = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
_FIRST = {1: "NCW", 2: "NCHW", 3: "NCDHW"}


def _layout(rank: int, data_format: Any) -> str:
    return (_LAST if backend.standardize_data_format(data_format) == "channels_last" else _FIRST)[rank - 2]


def _each(value: Any, n: int) -> list:
    return [value] * n if isinstance(value, int) else list(value)


def _pool(inputs: Any, kind: str, pool_size: Any, strides: Any, padding: str, data_format: Any) -> Any:
    inputs = convert_to_tensor(inputs)
    n = len(inputs.shape) - 2
    size = _each(pool_size, n)
    return tf.nn.pool(
        inputs, size, kind, _each(size if strides is None else strides, n), padding.upper(), _layout(n + 2, data_format)
    )


def max_pool(inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: Any = None) -> Any:
    """The greatest element of each window."""
    return _pool(inputs, "MAX", pool_size, strides, padding, data_format)


def average_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: Any = None
) -> Any:
    """The mean of each window."""
    return _pool(inputs, "AVG", pool_size, strides, padding, data_format)


def adaptive_average_pool(inputs: Any, output_size: Any, data_format: Any = None) -> Any:
    """The means of windows that divide each dimension into ``output_size`` parts."""
    inputs = convert_to_tensor(inputs)
    return tf.nn.adaptive_avg_pool(inputs, output_size, _layout(len(inputs.shape), data_format))


def adaptive_max_pool(inputs: Any, output_size: Any, data_format: Any = None) -> Any:
    """The greatest elements of windows that divide each dimension into ``output_size`` parts."""
    inputs = convert_to_tensor(inputs)
    return tf.nn.adaptive_max_pool(inputs, output_size, _layout(len(inputs.shape), data_format))


# -- convolution ----------------------------------------------------------------------------------------------------------


def conv(
    inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1
) -> Any:
    """The convolution in 1 to 3 dimensions; with groups where the kernel takes fewer channels."""
    data_format = backend.standardize_data_format(data_format)
    inputs, kernel = convert_to_tensor(inputs), convert_to_tensor(kernel)
    channels = inputs.shape[-1 if data_format == "channels_last" else 1]
    if isinstance(channels, int) and channels % kernel.shape[-2]:
        check_conv_input_channels(inputs, kernel, data_format)
        raise ValueError(
            f"The number of input channels must be evenly divisible by kernel's channels. Received: input channels={channels}, kernel channels={kernel.shape[-2]}."
        )
    if isinstance(channels, int) and kernel.shape[-1] % max(1, channels // kernel.shape[-2]):
        raise ValueError(
            f"The number of filters must be evenly divisible by the number of groups. Received: filters={kernel.shape[-1]}, groups={channels // kernel.shape[-2]}."
        )
    n = len(inputs.shape) - 2
    return tf.nn.convolution(
        inputs, kernel, _each(strides, n), padding.upper(), _layout(n + 2, data_format), _each(dilation_rate, n)
    )


def depthwise_conv(
    inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1
) -> Any:
    """A convolution of each channel by itself."""
    data_format = backend.standardize_data_format(data_format)
    inputs, kernel = convert_to_tensor(inputs), convert_to_tensor(kernel)
    check_conv_input_channels(inputs, kernel, data_format)
    *size, channels, each = kernel.shape
    n = len(size)
    kernel = tf.reshape(kernel, [*size, 1, channels * each])
    return tf.nn.convolution(
        inputs, kernel, _each(strides, n), padding.upper(), _layout(n + 2, data_format), _each(dilation_rate, n)
    )


def separable_conv(inputs: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None,
                   dilation_rate: Any = 1) -> Any:  # fmt: skip
    """A convolution of each channel by itself, then one across channels."""
    inner = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(inner, pointwise_kernel, 1, "valid", data_format, 1)


def conv_transpose(inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", output_padding: Any = None, data_format: Any = None,
                   dilation_rate: Any = 1) -> Any:  # fmt: skip
    """The transpose of a convolution."""
    data_format = backend.standardize_data_format(data_format)
    inputs, kernel = convert_to_tensor(inputs), convert_to_tensor(kernel)
    check_conv_transpose_input_channels(inputs, kernel, data_format)
    n = len(inputs.shape) - 2
    shape = compute_conv_transpose_output_shape(
        tuple(inputs.shape),
        tuple(kernel.shape),
        kernel.shape[-2],
        strides,
        padding,
        output_padding,
        data_format,
        dilation_rate,
    )
    return tf.nn.conv_transpose(
        inputs, kernel, shape, _each(strides, n), padding.upper(), _layout(n + 2, data_format), _each(dilation_rate, n)
    )


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of images [batch, channels, height, width] as columns [batch, channels · window, places]."""
    x = convert_to_tensor(input)
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = [_each(v, 2) for v in (kernel_size, dilation, padding, stride)]
    x = tf.pad(x, [[0, 0], [0, 0], [ph, ph], [pw, pw]])
    rows, columns = _places(x.shape[2], kh, dh, sh), _places(x.shape[3], kw, dw, sw)
    parts = [
        x[:, :, i * dh : i * dh + (rows - 1) * sh + 1 : sh, j * dw : j * dw + (columns - 1) * sw + 1 : sw]
        for i in range(kh)
        for j in range(kw)
    ]
    y = tf.stack(parts, axis=2)
    return tf.reshape(y, [x.shape[0], x.shape[1] * kh * kw, rows * columns])


def _places(n: int, k: int, d: int, s: int) -> int:
    return (n - d * (k - 1) - 1) // s + 1


def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The sum of windows put back in their places: the transpose of ``unfold``."""
    x = convert_to_tensor(x)
    (h, w), (kh, kw), (dh, dw), (ph, pw), (sh, sw) = [
        _each(v, 2) for v in (output_size, kernel_size, dilation, padding, stride)
    ]
    batch, channels = x.shape[0], x.shape[1] // (kh * kw)
    rows, columns = _places(h + 2 * ph, kh, dh, sh), _places(w + 2 * pw, kw, dw, sw)
    i, j, r, c = np.meshgrid(np.arange(kh), np.arange(kw), np.arange(rows), np.arange(columns), indexing="ij")
    at = (i * dh + r * sh) * (w + 2 * pw) + j * dw + c * sw
    y = tf.reshape(x, [batch * channels, -1])
    total = (h + 2 * ph) * (w + 2 * pw)
    y = tf.transpose(tf.math.unsorted_segment_sum(tf.transpose(y), at.ravel(), total))
    y = tf.reshape(y, [batch, channels, h + 2 * ph, w + 2 * pw])
    return y[:, :, ph : ph + h, pw : pw + w]


def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Blocks of channels laid out in space."""
    return tf.nn.depth_to_space(convert_to_tensor(x), block_size, _layout(4, data_format))


def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Blocks of space stacked as channels."""
    return tf.nn.space_to_depth(convert_to_tensor(x), block_size, _layout(4, data_format))


# -- encodings ------------------------------------------------------------------------------------------------------------


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """1 at the index, 0 elsewhere."""
    if sparse:
        raise ValueError("Unsupported value `sparse=True` with gradtape backend")
    x = convert_to_tensor(x)
    x = x if x.dtype.is_integer and x.dtype.size >= 4 else tf.cast(x, "int32")
    on, off = (True, False) if dtype == "bool" else (None, None)
    return tf.one_hot(x, num_classes, on, off, axis, dtype or "float32")


def multi_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """1 at each of the indices along the last axis, 0 elsewhere."""
    x = convert_to_tensor(x)
    some = tf.reduce_any if dtype == "bool" else tf.reduce_max
    return some(one_hot(x, num_classes, axis, dtype, sparse), axis=1 if len(x.shape) > 1 else 0)


# -- losses ---------------------------------------------------------------------------------------------------------------


def _same_rank(target: Any, output: Any) -> None:
    if len(target.shape) != len(output.shape):
        raise ValueError(
            f"Arguments `target` and `output` must have the same rank (ndim). Received: target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}"
        )


def _same_shape(target: Any, output: Any) -> None:
    if not target.shape.is_compatible_with(output.shape):
        raise ValueError(
            f"Arguments `target` and `output` must have the same shape. Received: target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}"
        )


def _clipped(output: Any) -> Any:
    eps = backend.epsilon()
    return tf.clip_by_value(output, _number(output, eps), _number(output, 1 - eps))


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-Σ target log(output)."""
    target, output = convert_to_tensor(target), convert_to_tensor(output)
    _same_shape(target, output)
    if len(target.shape) < 1:
        raise ValueError(
            f"Arguments `target` and `output` must be at least rank 1. Received: target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}"
        )
    target = tf.cast(target, output.dtype)
    if from_logits:
        return tf.nn.softmax_cross_entropy_with_logits(target, output, axis)
    output = output / tf.reduce_sum(output, axis, keepdims=True)
    return -tf.reduce_sum(target * tf.math.log(_clipped(output)), axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-log(output[target])."""
    target, output = convert_to_tensor(target), convert_to_tensor(output)
    target = tf.cast(target, "int32")
    if len(target.shape) == len(output.shape) and target.shape[-1] == 1:
        target = tf.squeeze(target, -1)
    if len(output.shape) < 1:
        raise ValueError(f"Argument `output` must be at least rank 1. Received: output.shape={tuple(output.shape)}")
    rest = list(output.shape)
    del rest[axis]
    if not target.shape.is_compatible_with(rest):
        raise ValueError(
            "Arguments `target` and `output` must have the same shape up until the last dimension: "
            f"target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}"
        )
    if axis % len(output.shape) != len(output.shape) - 1:
        output = moveaxis(output, axis, -1)
    if from_logits:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(target, output)
    p = output / tf.reduce_sum(output, -1, keepdims=True)
    return -tf.math.log(_clipped(tf.gather(p, target, axis=-1, batch_dims=len(target.shape))))


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-target log(output) - (1 - target) log(1 - output)."""
    target, output = convert_to_tensor(target), convert_to_tensor(output)
    _same_shape(target, output)
    target = tf.cast(target, output.dtype)
    if from_logits:
        return tf.nn.sigmoid_cross_entropy_with_logits(target, output)
    output = _clipped(output)
    return -(target * tf.math.log(output) + (1 - target) * tf.math.log(1 - output))


def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    """The connectionist temporal classification loss (Graves et al., 2006)."""
    output = convert_to_tensor(output)
    output = tf.cast(output, result_type(output.dtype.name, "float32"))
    ints = [convert_to_tensor(x, "int32") for x in (target, target_length, output_length)]
    return tf.nn.ctc_loss(ints[0], output, ints[1], ints[2], logits_time_major=False, blank_index=mask_index)


def ctc_decode(inputs: Any, sequence_lengths: Any, strategy: str = "greedy", beam_width: int = 100, top_paths: int = 1, merge_repeated: bool = True,
               mask_index: int = 0) -> tuple:  # fmt: skip
    """The likeliest labels for the outputs of a model trained with the CTC loss, and their scores."""
    inputs = convert_to_tensor(inputs)
    inputs = tf.cast(inputs, result_type(inputs.dtype.name, "float32"))
    lengths = convert_to_tensor(sequence_lengths, "int32")
    batch, times, classes = inputs.shape
    blank = classes - 1 if mask_index is None else mask_index
    if strategy == "greedy":
        best, scores = tf.argmax(inputs, -1, output_type=tf.int32), tf.reduce_max(inputs, -1)
        beyond = tf.range(times)[None, :] >= lengths[:, None]
        best = tf.where(beyond, blank, best)
        scores = tf.where(beyond, tf.zeros_like(scores), scores)
        gone = tf.equal(best, blank)
        if merge_repeated:
            gone = tf.logical_or(gone, tf.pad(tf.equal(best[:, 1:], best[:, :-1]), [[0, 0], [1, 0]]))
        best = tf.where(gone, -1, best)
        order = tf.argsort(tf.where(gone, times, tf.range(times)[None, :]), axis=-1, stable=True)
        best = tf.gather(best, order, axis=1, batch_dims=1)
        return best[None], -tf.reduce_sum(scores, 1)[:, None]
    if strategy == "beam_search":
        decoded, scores = tf.numpy_function(
            lambda p, n: _beam_search(p, n, beam_width, top_paths, blank),
            [inputs, lengths],
            [tf.TensorSpec([top_paths, batch, times], tf.int32), tf.TensorSpec([batch, top_paths], inputs.dtype)],
        )
        return decoded, scores
    raise ValueError(f"Invalid strategy {strategy}. Supported values are 'greedy' and 'beam_search'.")


def _beam_search(
    logits: np.ndarray, lengths: np.ndarray, width: int, top: int, blank: int
) -> tuple[np.ndarray, np.ndarray]:
    """Prefix beam search (Graves and Jaitly, 2014): for each prefix the log-probabilities of ending with a blank and without."""
    batch, times, classes = logits.shape
    top_value = logits.max(-1, keepdims=True)
    logp = logits - top_value - np.log(np.exp(logits - top_value).sum(-1, keepdims=True))
    decoded = np.full((top, batch, times), -1, np.int32)
    scores = np.full((batch, top), -np.inf, logits.dtype)
    add = np.logaddexp
    for b in range(batch):
        beams: dict[tuple, tuple[float, float]] = {(): (0.0, -np.inf)}
        for t in range(int(lengths[b])):
            new: dict[tuple, list[float]] = {}
            for prefix, (p_blank, p_label) in beams.items():
                both = add(p_blank, p_label)
                for c in range(classes):
                    p = logp[b, t, c]
                    if c == blank:
                        e = new.setdefault(prefix, [-np.inf, -np.inf])
                        e[0] = add(e[0], both + p)
                    elif prefix and prefix[-1] == c:
                        e = new.setdefault(prefix, [-np.inf, -np.inf])
                        e[1] = add(e[1], p_label + p)
                        e = new.setdefault((*prefix, c), [-np.inf, -np.inf])
                        e[1] = add(e[1], p_blank + p)
                    else:
                        e = new.setdefault((*prefix, c), [-np.inf, -np.inf])
                        e[1] = add(e[1], both + p)
            best = sorted(new.items(), key=lambda kv: add(*kv[1]), reverse=True)[:width]
            beams = {k: (v[0], v[1]) for k, v in best}
        ranked = sorted(beams.items(), key=lambda kv: add(*kv[1]), reverse=True)[:top]
        for k, (prefix, p) in enumerate(ranked):
            decoded[k, b, : len(prefix)] = prefix
            scores[b, k] = add(*p)
    return decoded, scores


# -- statistics -----------------------------------------------------------------------------------------------------------


def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple:
    """Mean and variance; of half precision in float32."""
    if synchronized:
        raise NotImplementedError("Argument synchronized=True is not supported with the gradtape backend.")
    x = convert_to_tensor(x)
    dtype = x.dtype
    half = dtype.size == 2
    x = tf.cast(x, tf.float32) if half else x
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), axes, keepdims=True)
    if not keepdims:
        gone = [axes] if isinstance(axes, int) else list(axes)
        mean, variance = tf.squeeze(mean, gone), tf.squeeze(variance, gone)
    if half:
        low, high = float(dtype.min), float(dtype.max)
        mean, variance = [tf.cast(tf.clip_by_value(v, low, high), dtype) for v in (mean, variance)]
    return mean, variance


def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) · scale + offset along an axis."""
    x = convert_to_tensor(x)
    shape = [1] * len(x.shape)
    shape[axis] = convert_to_tensor(mean).shape[0]
    mean, variance, offset, scale = [
        None if v is None else tf.reshape(convert_to_tensor(v), shape) for v in (mean, variance, offset, scale)
    ]
    factor = tf.math.rsqrt(variance + epsilon)
    if scale is not None:
        factor = factor * scale
    rest = -mean * factor
    if offset is not None:
        rest = rest + offset
    return tf.add(x * cast(factor, x.dtype.name), cast(rest, x.dtype.name))


def psnr(x1: Any, x2: Any, max_val: Any) -> Any:
    """The peak signal-to-noise ratio in dB."""
    x1, x2 = convert_to_tensor(x1), convert_to_tensor(x2)
    if x1.shape != x2.shape:
        raise ValueError(f"Input shapes {tuple(x1.shape)} and {tuple(x2.shape)} must match for PSNR calculation. ")
    mse = tf.reduce_mean(tf.square(x1 - x2))
    log10 = lambda v: tf.math.log(v) / math.log(10.0)
    return 20 * log10(convert_to_tensor(max_val, x2.dtype.name)) - 10 * log10(mse)


# -- attention ------------------------------------------------------------------------------------------------------------


def dot_product_attention(query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None, scale: Any = None, is_causal: bool = False,
                          flash_attention: Any = None, attn_logits_soft_cap: Any = None) -> Any:  # fmt: skip
    """Scaled dot-product attention (Vaswani et al., 2017) of [batch, places, heads, size]. With ``flash_attention`` it goes by blocks of
    queries; where that is None, from 64 million scores on."""
    query, key, value = [convert_to_tensor(x) for x in (query, key, value)]
    for x in (query, key, value):
        if len(x.shape) != 4:
            raise ValueError(
                "`dot_product_attention` only supports 4D inputs. "
                f"Received: query.shape={tuple(query.shape)}, key.shape={tuple(key.shape)}, value.shape={tuple(value.shape)}."
            )
    dtype = result_type(query.dtype.name, key.dtype.name, value.dtype.name, float)
    query, key, value = [cast(x, dtype) for x in (query, key, value)]
    bias = None if bias is None else convert_to_tensor(bias, dtype)
    mask = None if mask is None else convert_to_tensor(mask, "bool")
    scale = None if scale is None else float(scale)
    if flash_attention is None:
        sizes = [query.shape[0], query.shape[2], query.shape[1], key.shape[1]]
        flash_attention = None not in sizes and math.prod(sizes) > 1 << 26
    if flash_attention:
        out = _in_blocks(query, key, value, bias, mask, scale, is_causal)
    else:
        out = tf.nn.dot_product_attention(query, key, value, bias, mask, scale, is_causal)
    return out if mask is None else out + _of_the_blind(query, key, value, mask, is_causal)


def _of_the_blind(query: Any, key: Any, value: Any, mask: Any, is_causal: bool) -> Any:
    """What queries get that may see no key: in Keras the mean of all values, in gradtape 0. For all others, 0."""
    if is_causal:
        n, m = shape(query)[1], shape(key)[1]
        mask = tf.logical_and(mask, tf.expand_dims(tf.range(m), 0) <= tf.expand_dims(tf.range(n), 1))
    blind = tf.logical_not(tf.reduce_any(mask, -1, keepdims=True))
    blind = tf.transpose(tf.reshape(blind, [1] * (4 - len(blind.shape)) + list(shape(blind))), [0, 2, 1, 3])
    mean = tf.reduce_mean(value, 1, keepdims=True)
    if query.shape[2] != value.shape[2]:  # groups of queries share a value
        mean = tf.repeat(mean, query.shape[2] // value.shape[2], 2)
    return tf.where(blind, mean, tf.zeros_like(mean))


def _in_blocks(
    query: Any, key: Any, value: Any, bias: Any, mask: Any, scale: float | None, is_causal: bool, size: int = 256
) -> Any:
    """Attention for ``size`` queries at a time, computed again by the backward pass, so that the scores of all pairs of places are never
    held at once (Rabe and Staats, arXiv:2112.05682). Where it is causal, a block is held only against the keys up to its end. Half
    precisions are widened inside of a block."""
    n, m = query.shape[1], key.shape[1]
    dtype, wide = query.dtype, tf.float32 if query.dtype.size == 2 else query.dtype

    def rows(x: Any, at: slice, last: int) -> Any:
        """The part of a bias or mask that belongs to some queries; a dimension of length 1 serves all."""
        if x is None:
            return x
        x = x if x.shape.rank < 2 or x.shape[-2] == 1 else x[..., at, :]
        return x if x.shape[-1] == 1 else x[..., :last]

    parts = []
    for i in range(0, n, size):
        at, last = slice(i, i + size), min(i + size, m) if is_causal else m
        seen = rows(mask, at, last)
        if is_causal:
            earlier = tf.constant(np.tri(min(size, n - i), last, i, bool))
            seen = earlier if seen is None else tf.logical_and(seen, earlier)

        def block(*xs: Any, seen: Any = seen) -> Any:
            q, k, v, *b = [tf.cast(x, wide) for x in xs]
            return tf.cast(tf.nn.dot_product_attention(q, k, v, b[0] if b else None, seen, scale), dtype)

        inputs = [query[:, at], key[:, :last], value[:, :last], *([] if bias is None else [rows(bias, at, last)])]
        parts.append(tf.recompute_grad(block)(*inputs))
    return tf.concat(parts, 1)
