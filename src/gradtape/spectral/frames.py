"""Frames of a signal, and the transforms made of them: short-time Fourier and modified cosine transforms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.arguments import axis_of, integer, sized
from ..core.tensor import Tensor, convert
from ..ground.dtypes import STRING, as_dtype, float32
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import elementwise as ew
from ..primitives import fourier as transforms
from ..primitives import indexing as ix
from ..primitives import reduction as rd
from ..primitives import structure as st
from ..primitives import windows as rows
from .transforms import dct, resized
from .windows import hann_window, vorbis_window

Window = Callable[..., Tensor] | None


def _step(value: Any, what: str) -> int:
    if isinstance(value, float):
        raise ValueError(f"{what} must be an integer, but is {value!r}.")
    n = integer(value, what)
    if n < 1:
        raise invalid(f"{what} must be positive, but is {n}.")
    return n


@sized
def frame(
    signal: Any,
    frame_length: Any,
    frame_step: Any,
    pad_end: bool = False,
    pad_value: Any = 0,
    axis: Any = -1,
    name: str | None = None,
) -> Tensor:
    """Frames of equal length of a signal, which may overlap.

    Args:
        signal: a Tensor of at least one dimension.
        frame_length: how many samples a frame has.
        frame_step: how many samples there are from the beginning of one frame to that of the next.
        pad_end: fill up frames that reach beyond the end with ``pad_value``, rather than leave them out.
        pad_value: a scalar, known before the call.
        axis: the axis of the samples.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor with the axis replaced by two: frames and the samples of a frame.

    Raises:
        ValueError: ``signal`` is a scalar.
        InvalidArgumentError: the length is negative or the step not positive, or ``axis`` is out of range.

    >>> import gradtape as tf
    >>> tf.signal.frame([1, 2, 3, 4], 3, 2, pad_end=True).numpy().tolist()
    [[1, 2, 3], [3, 4, 0]]
    """
    x = convert(signal)
    if not x._shape:
        raise ValueError("Shape () must have rank at least 1: a scalar has no frames.")
    a = axis_of(axis, len(x._shape))
    length, step = integer(frame_length, "frame_length"), _step(frame_step, "frame_step")
    if length < 0:
        raise invalid(f"frame_length must not be negative, but is {length}.")
    if pad_end:
        n = x._shape[a]
        more = max(0, (-(-n // step) - 1) * step + length - n)
        if more:
            filler = np.asarray(convert(pad_value))[()]
            value = (b"" if not isinstance(filler, bytes) else filler) if x._d.kind == STRING else filler.item()
            x = st.pad(x, paddings=tuple((0, more if i == a else 0) for i in range(len(x._shape))), value=value)
        if not n:  # no frame begins in it
            return (
                st.reshape(x, shape=x._shape[:a] + (0, length) + x._shape[a + 1 :])
                if not length
                else ix.along(rows.windows(x, axis=a, size=length, step=step, rate=1), a, 0, 0)
            )
    return rows.windows(x, axis=a, size=length, step=step, rate=1)


@sized
def overlap_and_add(signal: Any, frame_step: Any, name: str | None = None) -> Tensor:
    """Frames added up where they stand in a signal.

    Args:
        signal: a numeric Tensor of shape (..., frames, frame_length).
        frame_step: how many samples there are from the beginning of one frame to that of the next.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., (frames - 1) · frame_step + frame_length).

    Raises:
        ValueError: fewer than two dimensions, or a step that is no integer.
        InvalidArgumentError: the step is not positive.

    >>> import gradtape as tf
    >>> tf.signal.overlap_and_add([[1., 2., 3.], [4., 5., 6.]], 2).numpy().tolist()
    [1.0, 2.0, 7.0, 5.0, 6.0]
    """
    x = convert(signal)
    if len(x._shape) < 2:
        raise ValueError(f"Shape {x._shape} must have rank at least 2: frames and their samples.")
    step = _step(frame_step, "frame_step")
    many, length = x._shape[-2:]
    n = max(0, (many - 1) * step + length)
    return rows.overlap_add(x, axis=len(x._shape) - 2, n=n, step=step, rate=1)


# -- short-time Fourier transforms -----------------------------------------------------------------------------------------------------


def _next_power_of_two(n: int) -> int:
    return 1 << max(0, n - 1).bit_length()


def _windowed(x: Tensor, window_fn: Window, length: int) -> Tensor:
    return x if window_fn is None else ew.mul(x, convert(window_fn(length, dtype=x._d)))


@sized
def stft(
    signals: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Window = hann_window,
    pad_end: bool = False,
    name: str | None = None,
) -> Tensor:
    """The short-time Fourier transform: that of windowed frames (Allen and Rabiner 1977).

    Args:
        signals: a float32 or float64 Tensor of shape (..., samples).
        frame_length: how many samples a frame has.
        frame_step: how many samples there are from one frame to the next.
        fft_length: to how many samples a frame is filled up; None for the next power of two.
        window_fn: a function of a length and ``dtype`` that gives the window; None for none.
        pad_end: fill up frames that reach beyond the end with zeros, rather than leave them out.
        name: ignored, for TensorFlow's sake.

    Returns:
        A complex Tensor of shape (..., frames, fft_length // 2 + 1).

    Raises:
        ValueError: ``signals`` is a scalar, or no float.
        InvalidArgumentError: a length or step is out of range.

    >>> import gradtape as tf
    >>> tf.signal.stft(tf.ones([8]), frame_length=4, frame_step=2).shape
    TensorShape([3, 3])
    """
    x = convert(signals)
    length = integer(frame_length, "frame_length")
    n = _next_power_of_two(length) if fft_length is None else _step(fft_length, "fft_length")
    frames = _windowed(frame(x, length, frame_step, pad_end), window_fn, length)
    last = len(frames._shape) - 1
    return transforms.rfft(resized(frames, {last: n}), axes=(last,))


@sized
def inverse_stft(
    stfts: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Window = hann_window,
    name: str | None = None,
) -> Tensor:
    """The signal of which the short-time Fourier transform is given, where the windows of both undo each other (Griffin and Lim 1984).

    Args:
        stfts: a complex Tensor of shape (..., frames, fft_length // 2 + 1).
        frame_length: how many samples a frame has.
        frame_step: how many samples there are from one frame to the next.
        fft_length: to how many samples the frames were filled up; None for the next power of two.
        window_fn: a function of a length and ``dtype``: ``tf.signal.inverse_stft_window_fn(frame_step)`` for an exact inverse.
        name: ignored, for TensorFlow's sake.

    Returns:
        A float Tensor of shape (..., (frames - 1) · frame_step + frame_length).

    Raises:
        ValueError: fewer than two dimensions.
        InvalidArgumentError: a dtype that is not complex, or a length or step out of range.

    >>> import gradtape as tf
    >>> spectrum = tf.signal.stft(tf.ones([8]), 4, 2)
    >>> inverse = tf.signal.inverse_stft(spectrum, 4, 2, window_fn=tf.signal.inverse_stft_window_fn(2))
    >>> inverse.numpy().round(5).tolist()
    [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5]
    """
    z = convert(stfts)
    if len(z._shape) < 2:
        raise ValueError(f"Shape {z._shape} must have rank at least 2: frames and their frequencies.")
    length = integer(frame_length, "frame_length")
    n = _next_power_of_two(length) if fft_length is None else _step(fft_length, "fft_length")
    last = len(z._shape) - 1
    frames = transforms.irfft(resized(z, {last: n // 2 + 1}), axes=(last,), n=n)
    return overlap_and_add(_windowed(resized(frames, {last: length}), window_fn, length), frame_step)


def inverse_stft_window_fn(
    frame_step: Any, forward_window_fn: Callable[..., Tensor] = hann_window, name: str | None = None
) -> Callable[..., Tensor]:
    """The window function with which ``tf.signal.inverse_stft`` undoes ``tf.signal.stft``: the forward one over the sum of its squares at each sample.

    Args:
        frame_step: how many samples there are from one frame to the next.
        forward_window_fn: the window function of ``tf.signal.stft``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A function of a frame's length and ``dtype``. Samples that no window covers stay 0.

    >>> import gradtape as tf
    >>> tf.signal.inverse_stft_window_fn(2)(4).numpy().tolist()
    [0.0, 1.0, 1.0, 1.0]
    """
    step = _step(frame_step, "frame_step")

    def inverse_window(frame_length: Any, dtype: Any = float32) -> Tensor:
        window = convert(forward_window_fn(frame_length, dtype=as_dtype(dtype)))
        n = window._shape[0]
        overlaps = -(-n // step)
        squares = resized(ew.square(window), {0: overlaps * step})
        sums = rd.sum(st.reshape(squares, shape=(overlaps, step)), axis=(0,), keepdims=False)
        around = st.reshape(st.broadcast_to(sums, shape=(overlaps, step)), shape=(overlaps * step,))
        return ew.divide_no_nan(window, ix.along(around, 0, 0, n))

    return inverse_window


# -- modified cosine transforms ------------------------------------------------------------------------------------------------------------


@sized
def mdct(
    signals: Any,
    frame_length: Any,
    window_fn: Window = vorbis_window,
    pad_end: bool = False,
    norm: str | None = None,
    name: str | None = None,
) -> Tensor:
    """The modified discrete cosine transform (Princen, Johnson and Bradley 1987) of frames that overlap by half.

    Args:
        signals: a float Tensor of shape (..., samples).
        frame_length: how many samples a frame has: a multiple of 4.
        window_fn: a function of a length and ``dtype`` that gives the window; None for a constant one.
        pad_end: fill up frames that reach beyond the end with zeros, rather than leave them out.
        norm: None, or "ortho".
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., frames, frame_length // 2).

    Raises:
        ValueError: ``frame_length`` is no multiple of 4, or an unknown norm.

    >>> import gradtape as tf
    >>> tf.signal.mdct(tf.ones([8]), 4).shape
    TensorShape([3, 2])
    """
    if norm not in (None, "ortho"):
        raise ValueError(f"norm must be None or 'ortho', but is {norm!r}.")
    length = integer(frame_length, "frame_length")
    if length < 4 or length % 4:
        raise ValueError(f"The frame length must be a multiple of 4, but is {length}.")
    frames = frame(convert(signals), length, length // 2, pad_end)
    frames = frames * math.sqrt(0.5) if window_fn is None else _windowed(frames, window_fn, length)
    last, quarter = len(frames._shape) - 1, length // 4
    a, b, c, d = (ix.along(frames, last, i * quarter, (i + 1) * quarter) for i in range(4))
    turned = lambda x: st.reverse(x, axis=(last,))
    return dct(st.concat(-turned(c) - d, a - turned(b), axis=last), type=4, norm=norm)


@sized
def inverse_mdct(
    mdcts: Any, window_fn: Window = vorbis_window, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The signal of which ``tf.signal.mdct`` is given: where two frames overlap, their errors cancel.

    Args:
        mdcts: a float Tensor of shape (..., frames, n).
        window_fn: the window function of ``tf.signal.mdct``.
        norm: its norm.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., (frames + 1) · n): the signal, but for the first and the last ``n`` samples, which only one frame covers.

    Raises:
        ValueError: fewer than two dimensions, or an unknown norm.

    >>> import gradtape as tf
    >>> tf.signal.inverse_mdct(tf.signal.mdct(tf.ones([8]), 4)).numpy()[2:6].round(5).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    if norm not in (None, "ortho"):
        raise ValueError(f"norm must be None or 'ortho', but is {norm!r}.")
    x = convert(mdcts)
    if len(x._shape) < 2:
        raise ValueError(f"Shape {dims_text(x._shape)} must have rank at least 2: frames and their coefficients.")
    last, half = len(x._shape) - 1, x._shape[-1]
    y = dct(x, type=4, norm=norm)
    if norm is None:
        y = y * (0.5 / half)
    first, second = ix.along(y, last, 0, half // 2), ix.along(y, last, half // 2, half)
    turned = lambda z: st.reverse(z, axis=(last,))
    frames = st.concat(second, -turned(second), -turned(first), -first, axis=last)
    frames = frames * math.sqrt(0.5) if window_fn is None else _windowed(frames, window_fn, 2 * half)
    return overlap_and_add(frames, half)


__all__ = ["frame", "inverse_mdct", "inverse_stft", "inverse_stft_window_fn", "mdct", "overlap_and_add", "stft"]
