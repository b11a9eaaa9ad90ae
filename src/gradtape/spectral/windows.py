"""Window functions. Each is calculated in float64 and rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.arguments import integer, sized
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground.dtypes import DType, as_dtype, float32, float64
from ..ground.errors import invalid
from ..primitives import elementwise as ew
from ..primitives import indexing as ix
from ..primitives import reduction as rd
from ..primitives import structure as st


def _length(window_length: Any, dtype: Any) -> tuple[int, DType]:
    d = as_dtype(dtype)
    if not d.is_floating:
        raise ValueError(f"dtype must be a floating point type. Found {d!r}")
    n = integer(window_length, "window_length")
    if n < 0:
        raise invalid(f"window_length must not be negative, but is {n}.")
    return n, d


def _raised_cosine(window_length: Any, periodic: Any, dtype: Any, a: float) -> Tensor:
    n, d = _length(window_length, dtype)
    if n == 1:
        return convert(np.ones(1, d.np))
    # of odd length there is no periodic one: its middle is an element
    turn = n if periodic and n % 2 == 0 else n - 1
    return convert((a - (1 - a) * np.cos(2 * np.pi * np.arange(n) / turn)).astype(d.np))


@sized
def hann_window(window_length: Any, periodic: Any = True, dtype: Any = float32, name: str | None = None) -> Tensor:
    """The Hann window, 0.5 - 0.5 cos(2πi / n) (Blackman and Tukey 1958).

    Args:
        window_length: how many elements.
        periodic: whether the next window's first element would follow the last: for spectra. Otherwise the window is symmetric, as it
            always is where the length is odd.
        dtype: a float dtype.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (window_length,).

    Raises:
        ValueError: ``dtype`` is no float's.
        TypeError: the length is no integer.
        InvalidArgumentError: it is negative.

    >>> import gradtape as tf
    >>> tf.signal.hann_window(4).numpy().tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    return _raised_cosine(window_length, periodic, dtype, 0.5)


@sized
def hamming_window(window_length: Any, periodic: Any = True, dtype: Any = float32, name: str | None = None) -> Tensor:
    """The Hamming window, 0.54 - 0.46 cos(2πi / n) (Blackman and Tukey 1958). Arguments and errors are those of ``tf.signal.hann_window``.

    >>> import gradtape as tf
    >>> tf.signal.hamming_window(4, dtype=tf.float64).numpy().round(4).tolist()
    [0.08, 0.54, 1.0, 0.54]
    """
    return _raised_cosine(window_length, periodic, dtype, 0.54)


def _kaiser(n: int, beta: Any) -> Tensor:
    """I0(β √(1 - t²)) / I0(β) for ``n`` places t in [-1, 1]."""
    from ..special import bessel_i0e

    t = np.linspace(-1, 1, n) if n > 1 else np.zeros(n)
    root = convert(np.sqrt(np.maximum(0, 1 - t * t)).astype(beta._d.np))
    x = beta * root
    # the scaled function does not overflow: I0(x) = exp(|x|) I0e(x)
    return bessel_i0e(x) / bessel_i0e(beta) * ew.exp(ew.abs(x) - ew.abs(beta))


def _beta(beta: Any, d: DType) -> Tensor:
    return convert(beta) if isinstance(beta, Tensor | Variable) else convert(float(beta), float64)


@sized
def kaiser_window(window_length: Any, beta: Any = 12.0, dtype: Any = float32, name: str | None = None) -> Tensor:
    """The Kaiser window, I0(β √(1 - t²)) / I0(β) for t from -1 to 1 (Kaiser 1974). Differentiable in ``beta``.

    Args:
        window_length: how many elements.
        beta: the shape: the larger, the narrower; a number or a float Tensor.
        dtype: a float dtype.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (window_length,).

    Raises:
        ValueError: ``dtype`` is no float's.
        TypeError: the length is no integer.
        InvalidArgumentError: it is negative.

    >>> import gradtape as tf
    >>> tf.signal.kaiser_window(3, beta=2.0, dtype=tf.float64).numpy().round(4).tolist()
    [0.4387, 1.0, 0.4387]
    """
    n, d = _length(window_length, dtype)
    return st.cast(_kaiser(n, _beta(beta, d)), d)


@sized
def kaiser_bessel_derived_window(
    window_length: Any, beta: Any = 12.0, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """The Kaiser-Bessel-derived window: the root of the running sum of a Kaiser window, and its mirror image, for MDCTs.

    Arguments and errors are those of ``tf.signal.kaiser_window``; of an odd length, one element less is returned.

    >>> import gradtape as tf
    >>> tf.signal.kaiser_bessel_derived_window(4, beta=3.0, dtype=tf.float64).numpy().round(4).tolist()
    [0.3812, 0.9245, 0.9245, 0.3812]
    """
    n, d = _length(window_length, dtype)
    half = n // 2
    running = rd.cumsum(_kaiser(half + 1, _beta(beta, d)), axis=0, exclusive=False, reverse=False)
    rise = ew.sqrt(ix.along(running, 0, 0, half) / ix.take_one(running, 0, half))
    return st.cast(st.concat(rise, st.reverse(rise, axis=(0,)), axis=0), d)


@sized
def vorbis_window(window_length: Any, dtype: Any = float32, name: str | None = None) -> Tensor:
    """The window of the Vorbis I specification, sin(π/2 sin²(π (i + ½) / n)), for MDCTs.

    Args:
        window_length: how many elements.
        dtype: a float dtype.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (window_length,).

    Raises:
        ValueError: ``dtype`` is no float's.
        TypeError: the length is no integer.
        InvalidArgumentError: it is negative.

    >>> import gradtape as tf
    >>> tf.signal.vorbis_window(4, tf.float64).numpy().round(4).tolist()
    [0.228, 0.9737, 0.9737, 0.228]
    """
    n, d = _length(window_length, dtype)
    i = np.arange(n) + 0.5
    return convert(np.sin(np.pi / 2 * np.sin(np.pi * i / max(n, 1)) ** 2).astype(d.np))


__all__ = ["hamming_window", "hann_window", "kaiser_bessel_derived_window", "kaiser_window", "vorbis_window"]
