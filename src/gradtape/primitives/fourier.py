"""Fourier transforms, complex and real, over any axes, and cosine transforms. The kernels are SciPy's pocketfft, which computes in the precision it is given.

Forward transforms are sums, inverse ones means, as in NumPy: fft(x)[k] = Σ x[j] exp(-2πi jk / n).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ..ground.dtypes import COMPLEX, FLOAT, complex64, complex128, float32, float64
from ..ground.errors import invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import check_axis, dims_text
from . import indexing as ix
from . import structure as st

Axes = tuple[int, ...]
_PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_FEW = 1 << 16  # elements: below it threads cost more than they save


def _workers(x: Any) -> int:
    return _PROCESSORS if x.size >= _FEW else 1


def _check_axes(x: Aval, axes: Axes) -> None:
    if len(axes) > x.ndim:
        raise invalid(f"Input must have rank of at least {len(axes)} but has shape {dims_text(x.shape)}.")
    for a in axes:
        check_axis(a, x.ndim)


def _batch(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    return p(xs[0], **{**attrs, "axes": tuple(a + 1 for a in attrs["axes"])})


def _length(shape: tuple[int, ...], axes: Axes) -> int:
    return math.prod([shape[a] for a in axes])


# -- complex ------------------------------------------------------------------------------------------------------------------

# A single long transform strides through more memory than the caches hold, and SciPy uses one thread for it. In two steps (Gentleman and Sande
# 1966; Bailey 1990) it is short transforms side by side, a product with roots of unity, and 16 transforms of a sixteenth: for 2^20 complex64
# 9 ms in place of 16, with two threads 5.
_LONG = {np.dtype(np.complex64): 1 << 16, np.dtype(np.complex128): 1 << 18}
_TOO_LONG = 1 << 22  # the roots take as much memory as the signal


@lru_cache(maxsize=4)
def _roots(n: int, parts: int, dtype: np.dtype, inverse: bool) -> np.ndarray:
    """exp(∓2πi jk / n) for j below ``parts`` and k below n / parts."""
    turns = np.outer(np.arange(parts), np.arange(n // parts)) / n
    return np.exp((2j if inverse else -2j) * np.pi * turns).astype(dtype)


@lru_cache(maxsize=1)
def _pool(process: int) -> Any:  # threads do not survive a fork
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(_PROCESSORS, "gradtape-fft")


def _side_by_side(f: Callable[[slice], None], n: int) -> None:
    """``f`` on slices of ``range(n)``, one for each processor; NumPy and SciPy let the threads run at once."""
    step = -(-n // _PROCESSORS)
    slices = [slice(i, min(i + step, n)) for i in range(0, n, step)]
    if len(slices) == 1:
        f(slices[0])
    else:
        others = [_pool(os.getpid()).submit(f, s) for s in slices[1:]]
        f(slices[0])
        for each in others:
            each.result()


_BLOCK = 1 << 13  # columns: with 16 rows of them, a mebibyte of complex64


def _long_fft(x: np.ndarray, inverse: bool) -> np.ndarray:
    if x.ndim > 1:
        return np.stack([_long_fft(row, inverse) for row in x])
    from scipy import fft

    transform = fft.ifft if inverse else fft.fft
    n, parts = len(x), 16
    width = n // parts
    x, y = x.reshape(parts, width), np.empty((parts, width), x.dtype)
    out = np.empty((width, parts), x.dtype)
    roots = _roots(n, parts, x.dtype, inverse)

    def columns(s: slice) -> None:
        for i in range(s.start, s.stop, _BLOCK):
            block = slice(i, min(i + _BLOCK, s.stop))
            np.multiply(transform(x[:, block], axis=0), roots[:, block], y[:, block])

    def rows(s: slice) -> None:
        y[s] = transform(y[s], axis=1, overwrite_x=True)

    def turn(s: slice) -> None:
        out[s] = y[:, s].T

    _side_by_side(columns, width)
    _side_by_side(rows, parts)
    _side_by_side(turn, width)
    return out.reshape(n)


def _fft(x: Any, *, axes: Axes, inverse: bool) -> Any:
    if not x.size or not axes:
        return x
    if axes == (x.ndim - 1,):
        n = x.shape[-1]
        if _LONG[x.dtype] <= n <= _TOO_LONG and n % 16 == 0:
            return _long_fft(x, inverse)
    from scipy import fft

    if len(axes) == 1:
        return (fft.ifft if inverse else fft.fft)(x, axis=axes[0], workers=_workers(x))
    return (fft.ifftn if inverse else fft.fftn)(x, axes=axes, workers=_workers(x))


def _fft_shape(x: Aval, *, axes: Axes, inverse: bool) -> Aval:
    _check_axes(x, axes)
    return x


def _fft_grad(g: Any, axes: Axes, inverse: bool) -> Any:
    """The transform is a symmetric matrix: its transpose is itself."""
    return fft(g, axes=axes, inverse=inverse)


def _complex_cases(rng: Any) -> list:
    z = lambda *s: rng.uniform(-3, 3, s) + 1j * rng.uniform(-3, 3, s)
    return [((z(*s),), {"axes": a, "inverse": i}) for s, a in (((4,), (0,)), ((2, 5), (1,)), ((3, 2), (0,)), ((2, 3, 4), (1, 2)), ((2, 3, 2), (0, 1, 2)), ((0, 3), (1,)), ((2, 0), (1,))) for i in (False, True)]  # fmt: skip


fft = Primitive("fft", "x", _fft, shape=_fft_shape, accepts=COMPLEX, linear=True, batch=_batch, cases=_complex_cases, grad=(_fft_grad,),
                doc="The discrete Fourier transform over axes, or its inverse.")  # fmt: skip

# -- real ------------------------------------------------------------------------------------------------------------------------
# Of a real signal's transform, the second half mirrors the first and is left out along the last of the axes.

_COMPLEX_OF = {float32: complex64, float64: complex128}
_REAL_OF = {complex64: float32, complex128: float64}


def _rfft(x: Any, *, axes: Axes) -> Any:
    n = x.shape[axes[-1]]
    if not n or x.dtype.itemsize < 4:
        raise ValueError("no elements")
    if not x.size:
        shape = list(x.shape)
        shape[axes[-1]] = n // 2 + 1
        return np.zeros(shape, np.result_type(x.dtype, np.complex64))
    from scipy import fft

    return fft.rfftn(x, axes=axes, workers=_workers(x))


def _rfft_shape(x: Aval, *, axes: Axes) -> Aval:
    if x.dtype not in _COMPLEX_OF:
        raise invalid(f"rfft requires tf.float32 or tf.float64 inputs, got: {x.dtype.name}.")
    _check_axes(x, axes)
    n = x.shape[axes[-1]]
    if n == 0:
        raise invalid(f"rfft needs at least one element along axis {axes[-1]}, but got shape {dims_text(x.shape)}.")
    dims = list(x.shape)
    dims[axes[-1]] = None if n is None else n // 2 + 1
    return Aval(tuple(dims), _COMPLEX_OF[x.dtype])


def _irfft(x: Any, *, axes: Axes, n: int) -> Any:
    if n < 1 or x.shape[axes[-1]] != n // 2 + 1:
        raise ValueError("not half of the transform")
    shape = list(x.shape)
    shape[axes[-1]] = n
    if not x.size:
        return np.zeros(shape, x.real.dtype)
    from scipy import fft

    return fft.irfftn(x, [shape[a] for a in axes], axes, workers=_workers(x))


def _irfft_shape(x: Aval, *, axes: Axes, n: int) -> Aval:
    _check_axes(x, axes)
    if n < 1:
        raise invalid(f"irfft needs a length of at least 1, but got {n}.")
    if x.shape[axes[-1]] not in (n // 2 + 1, None):
        raise invalid(
            f"irfft to length {n} needs {n // 2 + 1} elements along axis {axes[-1]}, but got shape {dims_text(x.shape)}."
        )
    dims = list(x.shape)
    dims[axes[-1]] = n
    return Aval(tuple(dims), _REAL_OF[x.dtype])


def _halved(z: Any, axis: int, n: int, inner: float) -> Any:
    """``z`` times ``inner`` where an element along ``axis`` stands for itself and its mirror image, as it is where it has none."""
    weights = np.full(n // 2 + 1, inner)
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    shape = (len(weights),) + (1,) * (len(z._shape) - axis - 1)
    return z * ix._tensor(weights.reshape(shape).astype(z._d.np))


def _rfft_grad(g: Any, x_shape: tuple[int, ...], axes: Axes) -> Any:
    """Re Σ g[k] exp(2πi jk / n) over the half that is there, which irfft gives once the others are not counted twice."""
    n = x_shape[axes[-1]]
    return irfft(_halved(g, axes[-1], n, 0.5), axes=axes, n=n) * float(_length(x_shape, axes))


def _irfft_grad(g: Any, axes: Axes, n: int) -> Any:
    """What has a mirror image counts twice, divided by the length: the transform is a mean."""
    return _halved(rfft(g, axes=axes), axes[-1], n, 2.0) * (1 / _length(g._shape, axes))


_REAL_FORMS = (
    ((4,), (0,)),
    ((2, 5), (1,)),
    ((5, 2), (0,)),
    ((2, 3, 4), (1, 2)),
    ((2, 3, 3), (0, 1, 2)),
    ((1,), (0,)),
    ((0, 3), (1,)),
)

rfft = Primitive(
    "rfft", "x", _rfft, shape=_rfft_shape, accepts=FLOAT, out="kernel", holomorphic=False, linear=True, batch=_batch, grad=(_rfft_grad,), widen=False,
    cases=lambda rng: [((ix._some(rng, *s),), {"axes": a}) for s, a in _REAL_FORMS],
    doc="The discrete Fourier transform of a real signal over axes: the first half along the last of them.",
)  # fmt: skip
irfft = Primitive(
    "irfft", "x", _irfft, shape=_irfft_shape, accepts=COMPLEX, out="kernel", holomorphic=False, linear=True, batch=_batch, grad=(_irfft_grad,),
    cases=lambda rng: [((_rfft(ix._some(rng, *s), axes=a) + 1j,), {"axes": a, "n": s[a[-1]]}) for s, a in _REAL_FORMS],
    doc="The real signal of length ``n`` of which the first half of the transform is given; imaginary parts where a real signal has none are passed over.",
)  # fmt: skip

# -- cosine transforms ------------------------------------------------------------------------------------------------------------------


def _dct(x: Any, *, type: int, axis: int, ortho: bool) -> Any:
    if x.shape[axis] < (2 if type == 1 else 1):
        raise ValueError("too short")
    if not x.size:
        return x
    from scipy import fft

    return fft.dct(x, type, axis=axis, norm="ortho" if ortho else None, workers=_workers(x))


def _dct_shape(x: Aval, *, type: int, axis: int, ortho: bool) -> Aval:
    a = check_axis(axis, x.ndim)
    if not x.ndim or (x.shape[a] is not None and x.shape[a] < (2 if type == 1 else 1)):
        raise invalid(
            f"A cosine transform of type {type} needs at least {2 if type == 1 else 1} element(s) along its axis, but got shape {dims_text(x.shape)}."
        )
    return x


def _dct_grad(g: Any, type: int, axis: int, ortho: bool) -> Any:
    """The transpose: types II and III are each other's, I and IV their own, but for the weights of the ends."""
    n, other = g._shape[axis], {1: 1, 2: 3, 3: 2, 4: 4}[type]

    def ends(x: Any, first: float, inner: float, last: float) -> Any:
        w = np.full((n,) + (1,) * (len(g._shape) - axis - 1), float(inner))
        w[-1], w[0] = last, first
        return x * ix._tensor(w.astype(g._d.np))

    if ortho or type == 4:
        return dct(g, type=other, axis=axis, ortho=ortho)
    if type == 1:
        return ends(dct(ends(g, 1, 0.5, 1), type=1, axis=axis, ortho=False), 1, 2, 1)
    if type == 2:
        return dct(ends(g, 2, 1, 1 if n > 1 else 2), type=3, axis=axis, ortho=False)
    return ends(dct(g, type=2, axis=axis, ortho=False), 0.5, 1, 1 if n > 1 else 0.5)


dct = Primitive(
    "dct", "x", _dct, shape=_dct_shape, accepts=FLOAT, linear=True, batch=st._shift_axis, grad=(_dct_grad,),
    cases=lambda rng: [((ix._some(rng, *s),), {"type": t, "axis": a, "ortho": o}) for s, a in (((4,), 0), ((2, 5), 1), ((3, 2), 0), ((2, 1), 1))
                       for t, o in ((1, False), (2, False), (2, True), (3, False), (3, True), (4, False), (4, True)) if t != 1 or s[a] > 1],
    doc="The cosine transform of type I, II, III or IV along an axis; ``ortho`` makes it orthogonal.",
)  # fmt: skip
