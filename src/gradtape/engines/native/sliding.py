"""Pooling and depthwise convolutions by the kernels of ``pools``."""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...core.buffers import empty
from ...primitives import convolution as cv
from ...primitives import pooling as pl
from ...primitives.convolution import Window
from . import convolving, pools
from .convolving import _TYPES, Kernels, bordered, kernels, reached, table
from .ir import I8, Type
from .threads import get_threads

Shape = tuple[int, ...]
WORTH = 1 << 14  # elements of windows from which on a native kernel is used


def _usable(dtype: np.dtype, work: int) -> tuple[Kernels, Type] | None:
    t = _TYPES.get(dtype)
    if t is None or work < WORTH:
        return None
    k = kernels()
    return None if k is None else (k, t)


class _Places:
    """Where the windows over an array [n, *spatial, c] lie, with the border that they reach into."""

    def __init__(self, shape: Shape, places: Shape, size: Shape, window: Window, itemsize: int) -> None:
        self.places, self.size, self.window, self.shape = places, size, window, shape
        self.border = reached(shape[1:-1], places, size, window)
        self.dims = tuple(a + n + b for n, (a, b) in zip(shape[1:-1], self.border, strict=True))
        cell, zeros = shape[-1] * itemsize, (0,) * len(places)
        self.at = table(shape[0], self.dims, zeros, window.strides, places, cell)
        self.taps = table(1, self.dims, zeros, window.dilations, size, cell)
        self.apart = all(s >= (k - 1) * d + 1 for s, k, d in zip(window.strides, size, window.dilations, strict=True))
        self.count = shape[0] * math.prod(places)

    def share(self) -> int:
        """How many places are a block of work, where blocks do not touch."""
        return max(8, -(-self.count // (8 * get_threads())))

    def array(self, dtype: np.dtype) -> np.ndarray:
        """Zeros with the border."""
        shape = (self.shape[0], *self.dims, self.shape[-1])
        covered = self.apart and all(
            k * o == n and s == k
            for k, o, n, s in zip(self.size, self.places, self.dims, self.window.strides, strict=True)
        )
        out = empty(shape, dtype)
        if not covered:
            out[...] = 0
        return out

    def inner(self, x: np.ndarray) -> np.ndarray:
        """The array without the border."""
        if not any(map(any, self.border)):
            return x
        return np.ascontiguousarray(
            x[(slice(None), *(slice(a, a + n) for n, (a, _) in zip(self.shape[1:-1], self.border, strict=True)))]
        )


def _run(
    use: tuple[Kernels, Type],
    write: Any,
    shape: tuple,
    words: tuple[str, ...],
    spot: _Places,
    channels: int,
    share: int,
    **given: Any,
) -> None:
    k, t = use
    numbers = {"taps": spot.taps, "n": len(spot.taps), "channels": channels, "places": spot.count, "share": share}
    k.run(write, t, shape, words, numbers | given, -(-spot.count // share))


@lru_cache(maxsize=4)
def _first(batch: int, spatial: Shape, places: Shape, size: Shape, window: Window) -> np.ndarray:
    """For each place, the number of the first element of the window that lies inside the array; 0 where none does."""
    out = np.zeros((1,) * len(places), np.int32)
    some = out == 0
    for a, (n, o, k, s, (p, _), d) in enumerate(
        zip(spatial, places, size, window.strides, window.padding, window.dilations, strict=True)
    ):
        dims = (-1,) + (1,) * (len(places) - 1 - a)
        met = s * np.arange(o)[:, None] + d * np.arange(k) - p
        inside = (met >= 0) & (met < n)
        out = out * k + np.argmax(inside, axis=1).astype(np.int32).reshape(dims)
        some = some & inside.any(axis=1).reshape(dims)
    return np.tile((out * some).ravel(), batch)


def max_pool(x: np.ndarray, out: Shape, size: Shape, window: Window) -> tuple[np.ndarray, np.ndarray] | None:
    """The maxima and the numbers of the elements that attain them, or None where NumPy's kernel is to do it."""
    use = _usable(x.dtype, math.prod(out) * math.prod(size))
    if use is None:
        return None
    spot = _Places(x.shape, out[1:-1], size, window, x.itemsize)
    dtype = pl.tap_dtype(size).np
    y, tap = empty(out, x.dtype), empty(out, dtype)
    start = _first(len(x), x.shape[1:-1], out[1:-1], size, window)
    x = bordered(x, spot.border, -np.inf)
    _run(
        use,
        pools.maxima,
        (pools.TAPS[dtype.itemsize],),
        pools.MAXIMA,
        spot,
        out[-1],
        spot.share(),
        x=x,
        out=y,
        tap=tap,
        at=spot.at,
        start=start,
    )
    return y, tap


def _shared(
    use: tuple[Kernels, Type], how: str, g: np.ndarray, w: np.ndarray, spot: _Places, tap: Type = I8
) -> np.ndarray:
    x = spot.array(g.dtype)
    share = spot.share() if spot.apart else math.prod(spot.places)
    _run(
        use,
        pools.shared,
        (how, tap, not spot.apart),
        pools.SHARED,
        spot,
        g.shape[-1],
        share,
        g=np.ascontiguousarray(g),
        w=w,
        out=x,
        to=spot.at,
    )
    return spot.inner(x)


def unpool(g: np.ndarray, tap: np.ndarray, out: Shape, size: Shape, window: Window) -> np.ndarray | None:
    """The gradient of a maximum pooling, or None."""
    use = _usable(g.dtype, g.size * math.prod(size))
    if use is None or tap.dtype.itemsize not in pools.TAPS:
        return None
    spot = _Places(out, g.shape[1:-1], size, window, g.itemsize)
    return _shared(use, "tap", g, np.ascontiguousarray(tap), spot, pools.TAPS[tap.dtype.itemsize])


def _divisors(spot: _Places, dtype: np.dtype, mean: bool) -> np.ndarray:
    if not mean:
        return np.ones(spot.count, dtype)
    counts = pl.counts(spot.shape[1:-1], spot.size, spot.window, dtype)
    return np.ascontiguousarray(np.broadcast_to(counts, (spot.shape[0], *spot.places, 1))).ravel()


def window_sum(x: np.ndarray, out: Shape, size: Shape, window: Window, mean: bool) -> np.ndarray | None:
    """The sums or means of windows, or None."""
    use = _usable(x.dtype, math.prod(out) * math.prod(size))
    if use is None:
        return None
    spot = _Places(x.shape, out[1:-1], size, window, x.itemsize)
    y = empty(out, x.dtype)
    w = _divisors(spot, x.dtype, mean)
    _run(
        use,
        pools.sums,
        (False,),
        pools.SUMS,
        spot,
        out[-1],
        spot.share(),
        x=bordered(x, spot.border),
        w=w,
        out=y,
        at=spot.at,
    )
    return y


def window_spread(g: np.ndarray, out: Shape, size: Shape, window: Window, mean: bool) -> np.ndarray | None:
    """Their adjoint, or None."""
    use = _usable(g.dtype, g.size * math.prod(size))
    if use is None:
        return None
    spot = _Places(out, g.shape[1:-1], size, window, g.itemsize)
    return _shared(use, "mean", g, _divisors(spot, g.dtype, mean), spot)


# -- depthwise convolutions ------------------------------------------------------------------------------------------------------
# Where a channel has several filters, it is repeated so that each has one.


def conv(x: np.ndarray, w: np.ndarray, out: Shape, window: Window) -> np.ndarray | None:
    """The depthwise convolution, or None."""
    use = _usable(x.dtype, math.prod(out) * math.prod(w.shape[:-2]))
    if use is None:
        return None
    x = _repeated(x, out[-1])
    spot = _Places(x.shape, out[1:-1], w.shape[:-2], window, x.itemsize)
    y = empty(out, x.dtype)
    _run(
        use,
        pools.sums,
        (True,),
        pools.SUMS,
        spot,
        out[-1],
        spot.share(),
        x=bordered(x, spot.border),
        w=np.ascontiguousarray(w),
        out=y,
        at=spot.at,
    )
    return y


def _repeated(x: np.ndarray, f: int) -> np.ndarray:
    return x if x.shape[-1] == f else np.repeat(x, f // x.shape[-1], axis=-1)


def conv_input(w: np.ndarray, y: np.ndarray, out: Shape, window: Window) -> np.ndarray | None:
    """Its gradient by the input, or None."""
    use = _usable(y.dtype, y.size * math.prod(w.shape[:-2]))
    if use is None:
        return None
    x = _turned_around(w, y, out, window)
    if x is None:
        spot = _Places((*out[:-1], y.shape[-1]), y.shape[1:-1], w.shape[:-2], window, y.itemsize)
        x = _shared(use, "weight", y, np.ascontiguousarray(w), spot)
    return x if out[-1] == y.shape[-1] else np.add.reduce(x.reshape(*out, -1), axis=-1)


def _turned_around(w: np.ndarray, y: np.ndarray, out: Shape, window: Window) -> np.ndarray | None:
    """With strides of 1, the gradient is the convolution with the window turned around, which adds up in registers."""
    size = w.shape[:-2]
    pads = [
        ((k - 1) * d - a, (k - 1) * d - (o + (k - 1) * d - a - n))
        for k, d, (a, _), n, o in zip(size, window.dilations, window.padding, out[1:-1], y.shape[1:-1], strict=True)
    ]
    if any(s != 1 for s in window.strides) or any(v < 0 for pair in pads for v in pair):
        return None
    around = Window(window.strides, tuple(pads), window.dilations, y.shape[-1])
    return conv(y, np.flip(w, range(len(size))), (*out[:-1], y.shape[-1]), around)


def conv_filter(x: np.ndarray, y: np.ndarray, out: Shape, window: Window) -> np.ndarray | None:
    """Its gradient by the filters, or None."""
    use = _usable(x.dtype, y.size * math.prod(out[:-2]))
    if use is None:
        return None
    x = _repeated(x, y.shape[-1])
    spot = _Places(x.shape, y.shape[1:-1], out[:-2], window, x.itemsize)
    parts = max(1, min(16, -(-spot.count // pools.SOME), (1 << 23) // (math.prod(out) * x.itemsize)))
    share = -(-spot.count // parts)
    sums = np.zeros((-(-spot.count // share), *out), x.dtype)
    _run(
        use,
        pools.weights,
        (),
        pools.WEIGHTS,
        spot,
        y.shape[-1],
        share,
        x=bordered(x, spot.border),
        g=np.ascontiguousarray(y),
        out=sums,
        at=spot.at,
        part=sums[0].nbytes,
    )
    return np.add.reduce(sums, axis=0)


def install() -> None:
    """Let the rows of convolutions and pooling use the native kernels."""

    def either(name: str) -> Any:
        full, depthwise = getattr(convolving, name), globals()[name]

        def f(a: np.ndarray, b: np.ndarray, out: Shape, window: Window) -> np.ndarray | None:
            each = out[-2] if name == "conv_filter" else (a if name == "conv_input" else b).shape[-2]
            return (depthwise if each == 1 and window.groups > 1 else full)(a, b, out, window)

        return f

    cv.native = SimpleNamespace(**{name: either(name) for name in ("conv", "conv_input", "conv_filter")})
    pl.native = SimpleNamespace(max_pool=max_pool, unpool=unpool, window_sum=window_sum, window_spread=window_spread)
