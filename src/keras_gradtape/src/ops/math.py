"""Keras's ``ops.math`` on gradtape: segments, top-k, Fourier transforms and special functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gradtape as tf

from ._promotion import common, floating, numeric
from .core import cast, convert_to_tensor, shape

# -- segments ---------------------------------------------------------------------------------------------------------------


def _segments(f: Callable, empty: float | None = None) -> Callable:
    """``f`` over the elements of each segment; ``empty`` is what a float segment without elements is, where ``f`` says otherwise."""

    def op(data: Any, segment_ids: Any, num_segments: Any = None, sorted: bool = False) -> Any:
        data, ids = convert_to_tensor(data), convert_to_tensor(segment_ids)
        n = num_segments
        if n is None:
            n = tf.reduce_max(ids) + 1
            n = int(n) if tf.executing_eagerly() else n
        out = f(data, ids, n)
        if empty is None or not data.dtype.is_floating:
            return out
        filled = tf.math.unsorted_segment_sum(tf.ones(shape(ids), "int32"), ids, n) > 0
        filled = tf.reshape(filled, [-1] + [1] * (len(data.shape) - len(ids.shape)))
        return tf.where(filled, out, tf.constant(empty, data.dtype))

    return op


segment_sum = _segments(tf.math.unsorted_segment_sum)
segment_prod = _segments(tf.math.unsorted_segment_prod)
segment_max = _segments(tf.math.unsorted_segment_max, -math.inf)
segment_min = _segments(tf.math.unsorted_segment_min, math.inf)


# -- the largest, and logarithms of sums ----------------------------------------------------------------------------------------


def top_k(x: Any, k: int, sorted: bool = True) -> tuple:
    """The ``k`` largest along the last axis, and where they stand."""
    x = convert_to_tensor(x)
    values, indices = tf.math.top_k(numeric(x), k, sorted)
    return cast(values, x.dtype.name), indices


def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether fewer than ``k`` predictions are larger than that of the target. A NaN is never among the largest."""
    predictions = convert_to_tensor(predictions)
    at = tf.gather(predictions, convert_to_tensor(targets)[..., None], batch_dims=len(predictions.shape) - 1)
    at = tf.where(tf.math.is_nan(at), tf.constant(-math.inf, at.dtype), at)
    return tf.math.count_nonzero(predictions > at, axis=-1, dtype="int32") < k


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))), without overflow."""
    return tf.reduce_logsumexp(floating(x), list(axis) if isinstance(axis, tuple) else axis, keepdims)


def cdist(x: Any, y: Any) -> Any:
    """The Euclidean distances between the rows of ``x`` and of ``y``."""
    x, y = common(x, y, also=float)
    if len(x.shape) < 2 or len(y.shape) < 2:
        raise ValueError("`cdist` inputs must have rank >= 2")
    if x.shape[-1] != y.shape[-1]:
        raise ValueError("Last dimension of inputs to `cdist` must match")
    squares = tf.reduce_sum(tf.square(x[..., :, None, :] - y[..., None, :, :]), -1)
    same = squares == 0  # where the distance has no derivative, take 0
    return tf.where(same, squares, tf.sqrt(tf.where(same, tf.ones_like(squares), squares)))


# -- Fourier transforms ---------------------------------------------------------------------------------------------------------


def _complex(x: Any) -> Any:
    if not isinstance(x, tuple | list) or len(x) != 2:
        raise ValueError(f"Input `x` should be a tuple of two tensors - real and imaginary. Received: x={x}")
    real, imag = convert_to_tensor(x[0]), convert_to_tensor(x[1])
    if tuple(real.shape) != tuple(imag.shape):
        raise ValueError(
            "Input `x` should be a tuple of two tensors - real and imaginary. Both the real and imaginary parts should have the same shape. "
            f"Received: x[0].shape = {tuple(real.shape)}, x[1].shape = {tuple(imag.shape)}"
        )
    if not real.dtype.is_floating or not imag.dtype.is_floating:
        raise ValueError(f"At least one tensor in input `x` is not of type float. Received: x={x}.")
    real, imag = common(real, imag, also="float32")
    return tf.complex(real, imag)


_get_complex_tensor_from_tuple = _complex  # the name by which `keras.ops.polar` calls it


def _parts(z: Any) -> tuple:
    return tf.math.real(z), tf.math.imag(z)


def fft(x: Any) -> tuple:
    """The Fourier transform along the last axis; complex numbers are pairs of their parts."""
    return _parts(tf.signal.fft(_complex(x)))


def fft2(x: Any) -> tuple:
    """The Fourier transform along the last two axes."""
    return _parts(tf.signal.fft2d(_complex(x)))


def ifft2(x: Any) -> tuple:
    """The inverse Fourier transform along the last two axes."""
    return _parts(tf.signal.ifft2d(_complex(x)))


def _wide(x: Any) -> Any:
    """``x`` as float32 or float64."""
    x = floating(x)
    return tf.cast(x, "float32") if x.dtype.size == 2 else x


def rfft(x: Any, fft_length: int | None = None) -> tuple:
    """The Fourier transform of real numbers: the frequencies that are not below zero."""
    return _parts(tf.signal.rfft(_wide(x), None if fft_length is None else [fft_length]))


def irfft(x: Any, fft_length: int | None = None) -> Any:
    """The inverse of ``rfft``."""
    return tf.signal.irfft(_complex(x), None if fft_length is None else [fft_length])


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """The windows of the last axis."""
    return tf.signal.frame(convert_to_tensor(x), sequence_length, sequence_stride)


_WINDOWS = {"hann": tf.signal.hann_window, "hamming": tf.signal.hamming_window}


def _window(window: Any, sequence_length: int, fft_length: int, dtype: Any) -> Any:
    """The window, in the middle of ``fft_length`` places."""
    left = (fft_length - sequence_length) // 2
    if window is None:
        return tf.ones([fft_length], dtype)
    if isinstance(window, str):
        if window not in _WINDOWS:
            raise ValueError(
                f'If a string is passed to `window`, it must be one of `"hann"`, `"hamming"`. Received: window={window}'
            )
        window = _WINDOWS[window](sequence_length, periodic=True, dtype=dtype)
    window = convert_to_tensor(window, dtype.name)
    if tuple(window.shape) != (sequence_length,):
        raise ValueError(
            f"The shape of `window` must be equal to [sequence_length]. Received: window shape={tuple(window.shape)}"
        )
    return tf.pad(window, [[left, fft_length - sequence_length - left]])


def stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True
) -> tuple:
    """The Fourier transforms of windows of a signal."""
    x = convert_to_tensor(x)
    if x.dtype.name not in ("float32", "float64"):
        raise TypeError(f"Invalid input type. Expected `float32` or `float64`. Received: input type={x.dtype.name}")
    if fft_length < sequence_length:
        raise ValueError(
            f"`fft_length` must equal or larger than `sequence_length`. Received: sequence_length={sequence_length}, fft_length={fft_length}"
        )
    win = _window(window, sequence_length, fft_length, x.dtype)
    if center:
        from .numpy import pad

        half = fft_length // 2
        x = pad(x, [(0, 0)] * (len(x.shape) - 1) + [(half, half)], "reflect")
    return _parts(tf.signal.rfft(tf.signal.frame(x, fft_length, sequence_stride) * win))


def istft(x: Any, sequence_length: int, sequence_stride: int, fft_length: int, length: int | None = None, window: Any = "hann",
          center: bool = True) -> Any:  # fmt: skip
    """The signal whose windows' transforms are nearest to ``x`` (Griffin and Lim, 1984); at the ends, which fewer windows cover, it fades."""
    x = _complex(x)
    if len(x.shape) < 2:
        raise ValueError(f"Input `x` must have at least 2 dimensions. Received shape: {tuple(x.shape)}")
    frames = tf.signal.irfft(x, [fft_length])
    if window is not None:  # the windows, each divided by the sum of the squares of all that overlap it
        win = _window(window, sequence_length, fft_length, frames.dtype)
        overlaps = -(-fft_length // sequence_stride)
        squares = tf.pad(tf.square(win), [[0, overlaps * sequence_stride - fft_length]])
        weight = tf.reduce_sum(tf.reshape(squares, [overlaps, sequence_stride]), 0)
        frames = frames * tf.math.divide_no_nan(win, tf.tile(weight, [overlaps])[:fft_length])
    out = tf.signal.overlap_and_add(frames, sequence_stride)
    start = fft_length // 2 if center else 0
    if length is not None:
        return out[..., start : start + length]
    return out[..., start:-start] if start else out


# -- special functions ------------------------------------------------------------------------------------------------------------


def rsqrt(x: Any) -> Any:
    """1 / sqrt(x)."""
    return tf.math.rsqrt(floating(x))


def erf(x: Any) -> Any:
    """The error function."""
    return tf.math.erf(floating(x))


def erfc(x: Any) -> Any:
    """1 - erf(x)."""
    return tf.math.erfc(floating(x))


def erfinv(x: Any) -> Any:
    """The inverse of the error function."""
    return tf.math.erfinv(floating(x))


def logdet(x: Any) -> Any:
    """The logarithm of the absolute value of the determinant."""
    return tf.linalg.slogdet(floating(x))[1]
