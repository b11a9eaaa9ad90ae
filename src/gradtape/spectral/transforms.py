"""Fourier transforms in one to three dimensions and over any axes, cosine transforms."""

from __future__ import annotations

import math
from typing import Any

from ..core.arguments import axis_of, integer, integers, sized
from ..core.tensor import Tensor, convert
from ..ground.dtypes import float32
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import fourier as rows
from ..primitives import indexing as ix
from ..primitives import structure as st


def resized(x: Tensor, lengths: dict[int, int]) -> Tensor:
    """``x`` with the axes in ``lengths`` cut or filled up with zeros to these lengths."""
    have = x._shape
    if any(have[a] > n for a, n in lengths.items()):
        x = ix.strided_slice(x, index=tuple(slice(0, min(lengths.get(a, d), d), 1) for a, d in enumerate(have)))
    if any(have[a] < n for a, n in lengths.items()):
        x = st.pad(x, paddings=tuple((0, max(0, lengths.get(a, d) - d)) for a, d in enumerate(have)), value=0)
    return x


def _last(x: Tensor, rank: int) -> tuple[int, ...]:
    n = len(x._shape)
    if n < rank:
        raise invalid(f"Input must have rank of at least {rank} but has shape {dims_text(x._shape)}.")
    return tuple(range(n - rank, n))


def _lengths(fft_length: Any, rank: int) -> tuple[int, ...]:
    out = integers(fft_length, "fft_length")
    if len(out) != rank:
        raise invalid(f"fft_length must have shape [{rank}], one length for each axis, but is {list(out)}.")
    if min(out, default=1) < 1:
        raise invalid(f"fft_length must be positive, but is {list(out)}.")
    return out


def _complex(input: Any, rank: int, inverse: bool) -> Tensor:
    x = convert(input)
    if not x._d.is_complex:
        raise invalid(
            f"{'ifft' if inverse else 'fft'} takes complex64 and complex128 tensors, not {x._d.name}: convert it with tf.cast, or use tf.signal.rfft for real signals."
        )
    return rows.fft(x, axes=_last(x, rank), inverse=inverse)


def _forward(input: Any, fft_length: Any, rank: int) -> Tensor:
    x = convert(input, None, float32)
    axes = _last(x, rank)
    if fft_length is not None:
        x = resized(x, dict(zip(axes, _lengths(fft_length, rank), strict=True)))
    return rows.rfft(x, axes=axes)


def _backward(input: Any, fft_length: Any, rank: int) -> Tensor:
    x = convert(input)
    if not x._d.is_complex:
        raise invalid(f"irfft requires tf.complex64 or tf.complex128 inputs, got: {x._d.name}.")
    axes = _last(x, rank)
    lengths = _lengths(fft_length, rank) if fft_length is not None else None
    return _mirrored(x, axes, lengths)


def _mirrored(x: Tensor, axes: tuple[int, ...], lengths: tuple[int, ...] | None) -> Tensor:
    """irfft over axes to the lengths, or to those that belong to the shape."""
    if lengths is None:
        return rows.irfft(x, axes=axes, n=2 * (x._shape[axes[-1]] - 1))
    want = dict(zip(axes, lengths, strict=True))
    want[axes[-1]] = lengths[-1] // 2 + 1
    return rows.irfft(resized(x, want), axes=axes, n=lengths[-1])


# -- complex ------------------------------------------------------------------------------------------------------------------


@sized
def fft(input: Any, name: str | None = None) -> Tensor:
    """The discrete Fourier transform over the last axis: Σ x[j] exp(-2πi jk / n).

    Args:
        input: a complex64 or complex128 Tensor of at least one dimension.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: a dtype that is not complex, or too few dimensions.

    >>> import gradtape as tf
    >>> tf.signal.fft(tf.constant([1, 2, 3, 4], tf.complex64)).numpy().tolist()
    [(10+0j), (-2+2j), (-2+0j), (-2-2j)]
    """
    return _complex(input, 1, False)


@sized
def ifft(input: Any, name: str | None = None) -> Tensor:
    """The inverse of ``tf.signal.fft``: the mean of x[k] exp(2πi jk / n) over the last axis.

    >>> import gradtape as tf
    >>> tf.signal.ifft(tf.constant([10 + 0j, -2 + 2j, -2 + 0j, -2 - 2j], tf.complex64)).numpy().real.tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    return _complex(input, 1, True)


@sized
def fft2d(input: Any, name: str | None = None) -> Tensor:
    """The discrete Fourier transform over the last two axes. Arguments and errors are those of ``tf.signal.fft``.

    >>> import gradtape as tf
    >>> tf.signal.fft2d(tf.ones([2, 2], tf.complex64)).numpy().tolist()
    [[(4+0j), 0j], [0j, 0j]]
    """
    return _complex(input, 2, False)


@sized
def ifft2d(input: Any, name: str | None = None) -> Tensor:
    """The inverse of ``tf.signal.fft2d``.

    >>> import gradtape as tf
    >>> tf.signal.ifft2d(tf.constant([[4, 0], [0, 0]], tf.complex64)).numpy().tolist()
    [[(1+0j), (1+0j)], [(1+0j), (1+0j)]]
    """
    return _complex(input, 2, True)


@sized
def fft3d(input: Any, name: str | None = None) -> Tensor:
    """The discrete Fourier transform over the last three axes. Arguments and errors are those of ``tf.signal.fft``.

    >>> import gradtape as tf
    >>> tf.signal.fft3d(tf.ones([1, 1, 2], tf.complex64)).numpy().tolist()
    [[[(2+0j), 0j]]]
    """
    return _complex(input, 3, False)


@sized
def ifft3d(input: Any, name: str | None = None) -> Tensor:
    """The inverse of ``tf.signal.fft3d``.

    >>> import gradtape as tf
    >>> tf.signal.ifft3d(tf.constant([[[2, 0]]], tf.complex64)).numpy().tolist()
    [[[(1+0j), (1+0j)]]]
    """
    return _complex(input, 3, True)


# -- real ------------------------------------------------------------------------------------------------------------------------


@sized
def rfft(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The Fourier transform of a real signal over the last axis: its first n // 2 + 1 elements, which the others mirror.

    Args:
        input_tensor: a float32 or float64 Tensor of at least one dimension.
        fft_length: ``[n]``: the signal is cut or filled up with zeros to it; None for what it has.
        name: ignored, for TensorFlow's sake.

    Returns:
        A complex64 or complex128 Tensor with n // 2 + 1 elements along the last axis.

    Raises:
        InvalidArgumentError: another dtype, too few dimensions, or a length that is not positive.

    >>> import gradtape as tf
    >>> tf.signal.rfft([1., 2., 3., 4.]).numpy().tolist()
    [(10+0j), (-2+2j), (-2+0j)]
    """
    return _forward(input_tensor, fft_length, 1)


@sized
def irfft(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The real signal whose transform's first half is given: the inverse of ``tf.signal.rfft``.

    Args:
        input_tensor: a complex Tensor of at least one dimension.
        fft_length: ``[n]``, the length of the signal; None for 2 · (elements along the last axis - 1).
        name: ignored, for TensorFlow's sake.

    Returns:
        A float32 or float64 Tensor of length n along the last axis.

    Raises:
        InvalidArgumentError: another dtype, too few dimensions, or a length that is not positive.

    >>> import gradtape as tf
    >>> tf.signal.irfft(tf.constant([10 + 0j, -2 + 2j, -2 + 0j], tf.complex64)).numpy().round(5).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    return _backward(input_tensor, fft_length, 1)


@sized
def rfft2d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The Fourier transform of a real signal over the last two axes. As ``tf.signal.rfft``, with two lengths.

    >>> import gradtape as tf
    >>> tf.signal.rfft2d(tf.ones([2, 2])).numpy().tolist()
    [[(4+0j), 0j], [0j, 0j]]
    """
    return _forward(input_tensor, fft_length, 2)


@sized
def irfft2d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The inverse of ``tf.signal.rfft2d``. As ``tf.signal.irfft``, with two lengths.

    >>> import gradtape as tf
    >>> tf.signal.irfft2d(tf.constant([[4, 0], [0, 0]], tf.complex64)).numpy().tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    return _backward(input_tensor, fft_length, 2)


@sized
def rfft3d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The Fourier transform of a real signal over the last three axes. As ``tf.signal.rfft``, with three lengths.

    >>> import gradtape as tf
    >>> tf.signal.rfft3d(tf.ones([1, 2, 2])).shape
    TensorShape([1, 2, 2])
    """
    return _forward(input_tensor, fft_length, 3)


@sized
def irfft3d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The inverse of ``tf.signal.rfft3d``. As ``tf.signal.irfft``, with three lengths.

    >>> import gradtape as tf
    >>> tf.signal.irfft3d(tf.signal.rfft3d(tf.ones([1, 2, 2]))).numpy().tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """
    return _backward(input_tensor, fft_length, 3)


# -- any axes ----------------------------------------------------------------------------------------------------------------------


def _scale(norm: Any, n: int, inverse: bool) -> float:
    """What the transform, a sum (if inverse: a mean) of ``n`` terms, is multiplied by."""
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(f"norm must be None, 'backward', 'ortho' or 'forward', but is {norm!r}.")
    power = {"ortho": 0.5, "forward": 1.0}.get(norm, 0.0)
    return float(n) ** (power if inverse else -power)


def _axes(x: Tensor, fft_length: Any, axes: Any) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    rank = len(x._shape)
    lengths = None if fft_length is None else integers(fft_length, "fft_length")
    if axes is None:
        out = tuple(range(rank)) if lengths is None else _last(x, len(lengths))
    else:
        out = tuple(axis_of(a, rank, "axes") for a in integers(axes, "axes"))
    if not out or len(set(out)) != len(out):
        raise invalid(f"axes must name each axis once, and at least one: got {list(out)}.")
    return out, None if lengths is None else _lengths(lengths, len(out))


def _scaled(y: Tensor, scale: float) -> Tensor:
    return y if scale == 1 else y * scale


@sized
def fftnd(
    input_tensor: Any, fft_length: Any = None, axes: Any = None, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The discrete Fourier transform over any axes.

    Args:
        input_tensor: a complex Tensor.
        fft_length: the length of each axis, to which it is cut or filled up with zeros; None for what there is.
        axes: the axes; None for the last ones, as many as there are lengths, or for all.
        norm: "backward" (or None): a sum; "ortho": divided by the square root of its number of terms; "forward": by the number.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same dtype.

    Raises:
        ValueError: an unknown ``norm``.
        InvalidArgumentError: another dtype, or axes that are out of range, repeated, or not as many as lengths.

    >>> import gradtape as tf
    >>> tf.signal.fftnd(tf.ones([2, 2], tf.complex64), axes=[0]).numpy().tolist()
    [[(2+0j), (2+0j)], [0j, 0j]]
    """
    return _fftnd(input_tensor, fft_length, axes, norm, False)


@sized
def ifftnd(
    input_tensor: Any, fft_length: Any = None, axes: Any = None, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The inverse of ``tf.signal.fftnd``, with the same arguments.

    >>> import gradtape as tf
    >>> tf.signal.ifftnd(tf.ones([2, 2], tf.complex64), axes=[0]).numpy().tolist()
    [[(1+0j), (1+0j)], [0j, 0j]]
    """
    return _fftnd(input_tensor, fft_length, axes, norm, True)


def _fftnd(input: Any, fft_length: Any, axes: Any, norm: Any, inverse: bool) -> Tensor:
    x = convert(input)
    if not x._d.is_complex:
        raise invalid(f"fftnd takes complex64 and complex128 tensors, not {x._d.name}: convert it with tf.cast.")
    along, lengths = _axes(x, fft_length, axes)
    if lengths is not None:
        x = resized(x, dict(zip(along, lengths, strict=True)))
    n = math.prod(x._shape[a] for a in along)
    return _scaled(rows.fft(x, axes=along, inverse=inverse), _scale(norm, n, inverse))


@sized
def rfftnd(
    input_tensor: Any, fft_length: Any = None, axes: Any = None, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The Fourier transform of a real signal over any axes: the first half along the last of them. Arguments as of ``tf.signal.fftnd``.

    >>> import gradtape as tf
    >>> tf.signal.rfftnd(tf.ones([2, 4]), axes=[1]).numpy().tolist()
    [[(4+0j), 0j, 0j], [(4+0j), 0j, 0j]]
    """
    x = convert(input_tensor, None, float32)
    along, lengths = _axes(x, fft_length, axes)
    if lengths is not None:
        x = resized(x, dict(zip(along, lengths, strict=True)))
    n = math.prod(x._shape[a] for a in along)
    return _scaled(rows.rfft(x, axes=along), _scale(norm, n, False))


@sized
def irfftnd(
    input_tensor: Any, fft_length: Any = None, axes: Any = None, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The inverse of ``tf.signal.rfftnd``; ``fft_length`` are the lengths of the signal.

    >>> import gradtape as tf
    >>> tf.signal.irfftnd(tf.signal.rfftnd(tf.ones([2, 3])), [2, 3]).numpy().round(6).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    x = convert(input_tensor)
    if not x._d.is_complex:
        raise invalid(f"irfftnd takes complex64 and complex128 tensors, not {x._d.name}.")
    along, lengths = _axes(x, fft_length, axes)
    y = _mirrored(x, along, lengths)
    return _scaled(y, _scale(norm, math.prod(y._shape[a] for a in along), True))


# -- the zero in the middle ------------------------------------------------------------------------------------------------------------


def _shifted(x: Any, axes: Any, back: bool) -> Tensor:
    x = convert(x)
    rank = len(x._shape)
    along = tuple(range(rank)) if axes is None else tuple(axis_of(a, rank, "axes") for a in integers(axes, "axes"))
    by = tuple(-(x._shape[a] // 2) if back else x._shape[a] // 2 for a in along)
    return st.roll(x, shift=by, axis=along) if along else x


@sized
def fftshift(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """The elements rolled so that the one of frequency 0 stands in the middle.

    Args:
        x: a Tensor, or anything that converts to one.
        axes: an axis or several; None for all.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: an axis is out of range.

    >>> import gradtape as tf
    >>> tf.signal.fftshift([0, 1, 2, -2, -1]).numpy().tolist()
    [-2, -1, 0, 1, 2]
    """
    return _shifted(x, axes, False)


@sized
def ifftshift(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """The inverse of ``tf.signal.fftshift``, with the same arguments.

    >>> import gradtape as tf
    >>> tf.signal.ifftshift([-2, -1, 0, 1, 2]).numpy().tolist()
    [0, 1, 2, -2, -1]
    """
    return _shifted(x, axes, True)


# -- cosine transforms --------------------------------------------------------------------------------------------------------------------


@sized
def dct(
    input: Any, type: int = 2, n: Any = None, axis: Any = -1, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The discrete cosine transform of type I, II, III or IV, as ``scipy.fft.dct``.

    Args:
        input: a float Tensor of at least one dimension, or anything that converts to one.
        type: 1, 2, 3 or 4.
        n: the length to which the signal is cut or filled up with zeros; None for what it has.
        axis: the axis; negative ones counted from the end.
        norm: None, or "ortho" to make the transform orthogonal (not for type I).
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same dtype, of length n along the axis.

    Raises:
        ValueError: an unknown type or norm, "ortho" with type I, ``n`` below 1, or below 2 with type I.
        InvalidArgumentError: ``axis`` is out of range.

    >>> import gradtape as tf
    >>> tf.signal.dct(tf.constant([1., 2., 4., 3.], tf.float64), norm="ortho").numpy().round(4).tolist()
    [5.0, -1.8478, -1.0, 0.7654]
    """
    if type not in (1, 2, 3, 4):
        raise ValueError(f"Types I, II, III and IV (I)DCT are supported, not {type!r}.")
    if norm not in (None, "ortho"):
        raise ValueError(f"Unknown normalization. Expected None or 'ortho', got: {norm}")
    if type == 1 and norm is not None:
        raise ValueError("Normalization is not supported for the Type-I DCT.")
    x = convert(input)
    a = axis_of(axis, len(x._shape))
    if n is not None:
        length = integer(n, "n")
        if length < 1:
            raise ValueError(f"n should be a positive integer or None, but is {n}.")
        x = resized(x, {a: length})
    return rows.dct(x, type=type, axis=a, ortho=norm == "ortho")


def idct(
    input: Any, type: int = 2, n: Any = None, axis: Any = -1, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The transform that, but for a factor without ``norm``, takes ``tf.signal.dct`` of the same type back.

    Args and raises: as ``tf.signal.dct``.

    >>> import gradtape as tf
    >>> tf.signal.idct(tf.signal.dct([1., 2., 4.], norm="ortho"), norm="ortho").numpy().round(5).tolist()
    [1.0, 2.0, 4.0]
    """
    return dct(input, {2: 3, 3: 2}.get(type, type), n, axis, norm)


__all__ = [
    "dct", "fft", "fft2d", "fft3d", "fftnd", "fftshift", "idct", "ifft", "ifft2d", "ifft3d", "ifftnd", "ifftshift", "irfft", "irfft2d",
    "irfft3d", "irfftnd", "rfft", "rfft2d", "rfft3d", "rfftnd",
]  # fmt: skip
