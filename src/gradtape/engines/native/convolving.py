"""Convolutions by the kernels of ``windows``: the tables that say where things lie, the packing of filters, the parting of the work."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ...core.buffers import empty
from ...primitives.convolution import Window
from . import windows
from .compiling import link
from .host import Host, Unsupported, host
from .ir import F32, F64, Type
from .threads import get_threads, pool

Shape = tuple[int, ...]
WORTH = 1 << 17  # multiplications from which on a native kernel is used
_TYPES = {np.dtype(np.float32): F32, np.dtype(np.float64): F64}


class Kernels:
    """The compiled functions of this process."""

    def __init__(self, h: Host) -> None:
        self.host = h
        self.wide = h.width == 64  # and so 32 vector registers
        self._made: dict[tuple, Any] = {}
        self._lock = threading.Lock()
        self._dispatch = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(pool(h).dispatch)

    def run(
        self,
        write: Callable[..., str],
        t: Type,
        shape: tuple,
        words: tuple[str, ...],
        table: dict[str, Any],
        blocks: int,
    ) -> None:
        """Run the kernel that ``write`` writes for a tile of ``shape``, on arrays and numbers by name."""
        key = (write, t, shape)
        code = self._made.get(key)
        if code is None:
            with self._lock:
                code = self._made[key] = link(self.host, write(self.host, t, *shape), {}, ["f"])
        row = np.array(
            [v.ctypes.data if isinstance(v, np.ndarray) else v for v in map(table.__getitem__, words)], np.int64
        )
        self._dispatch(code.addresses["f"], row.ctypes.data, blocks)


_kernels: Kernels | bool | None = False


def kernels() -> Kernels | None:
    """The compiled functions, or None on a machine without a native engine."""
    global _kernels
    if _kernels is False:
        try:
            _kernels = Kernels(host())
        except Unsupported:
            _kernels = None
    return _kernels  # type: ignore[return-value]


# -- where things lie ----------------------------------------------------------------------------------------------------------


def offsets(batch: int, dims: Shape, starts: Shape, steps: Shape, counts: Shape, size: int) -> np.ndarray:
    """The byte offsets, in an array [batch, *dims] of cells of ``size`` bytes, of the places start + i·step of each image."""
    out = np.arange(batch, dtype=np.int64).reshape((batch, *(1,) * len(dims)))
    for a, (n, start, step, count) in enumerate(zip(dims, starts, steps, counts, strict=True)):
        line = start + step * np.arange(count, dtype=np.int64)
        out = out * n + line.reshape((count, *(1,) * (len(dims) - 1 - a)))
    return np.ascontiguousarray(out.reshape(-1) * size)


_few = lru_cache(maxsize=64)(offsets)


def table(batch: int, dims: Shape, starts: Shape, steps: Shape, counts: Shape, size: int) -> np.ndarray:
    """``offsets``, kept where they are few."""
    return (_few if batch * math.prod(counts) <= 1 << 15 else offsets)(batch, dims, starts, steps, counts, size)


def bordered(x: np.ndarray, pads: tuple[tuple[int, int], ...], value: float = 0.0) -> np.ndarray:
    """``x`` [n, ..., c], contiguous, with a border around its spatial dimensions; nothing is cut off."""
    if not any(map(any, pads)):
        return np.ascontiguousarray(x)
    out = empty((len(x), *(a + n + b for n, (a, b) in zip(x.shape[1:-1], pads, strict=True)), x.shape[-1]), x.dtype)
    inner: list[slice] = [slice(None)]
    for (a, b), n in zip(pads, x.shape[1:-1], strict=True):
        out[(*inner, slice(0, a))] = value
        out[(*inner, slice(a + n, a + n + b))] = value
        inner.append(slice(a, a + n))
    out[tuple(inner)] = x
    return out


def reached(spatial: Shape, places: Shape, size: Shape, window: Window) -> tuple[tuple[int, int], ...]:
    """The border that windows reach into: less behind than the padding where the last places do not use it all."""
    out = []
    for n, o, k, s, (a, _), d in zip(
        spatial, places, size, window.strides, window.padding, window.dilations, strict=True
    ):
        out.append((a, max(0, (o - 1) * s + (k - 1) * d + 1 - a - n)))
    return tuple(out)


def runs_of(dims: Shape, size: Shape, dilations: Shape, cell: int, merge: bool) -> tuple[np.ndarray, int]:
    """The byte offsets of the window's rows in an image [*dims] of cells, and how many cells each has.

    Cells that lie side by side are one row if ``merge`` says that they may.
    """
    together = merge and dilations[-1] == 1
    counts = (*size[:-1], 1) if together else size
    return _few(1, dims, (0,) * len(dims), dilations, counts, cell), size[-1] if together else 1


def tile_of(filters: int, lanes: int, wide: bool) -> tuple[int, int]:
    """(places, vectors of filters) of a tile."""
    vectors = -(-filters // lanes)
    best = min((4, 3, 2, 1), key=lambda v: -(-vectors // v) * (v + 0.4))
    return ({1: 8, 2: 8, 3: 8, 4: 6} if wide else {1: 8, 2: 5, 3: 4, 4: 3})[best], best


def packed(w: np.ndarray, wide: int) -> np.ndarray:
    """Matrices [..., k, f] in blocks of ``wide`` columns, filled up with zeros: [..., blocks, k, wide]."""
    *lead, k, f = w.shape
    blocks = -(-f // wide)
    if blocks * wide == f:
        return np.ascontiguousarray(np.moveaxis(w.reshape(*lead, k, blocks, wide), -2, -3))
    out = np.zeros((*lead, blocks, k, wide), w.dtype)
    for b in range(blocks):
        part = w[..., b * wide : (b + 1) * wide]
        out[..., b, :, : part.shape[-1]] = part
    return out


# -- convolutions --------------------------------------------------------------------------------------------------------------


def _usable(dtype: np.dtype, w: Shape, places: int) -> tuple[Kernels, Type] | None:
    """The kernels and the element type, where they are for such a convolution."""
    t = _TYPES.get(dtype)
    if t is None or places * math.prod(w) < WORTH:
        return None
    k = kernels()
    return None if k is None else (k, t)


def _products(
    k: Kernels,
    t: Type,
    x: np.ndarray,
    w: np.ndarray,
    out: np.ndarray,
    at: np.ndarray,
    to: np.ndarray,
    runs: np.ndarray,
    length: int,
) -> None:
    """The kernel ``products``, for filters [groups, rows, filters] over arrays whose channels are parted into groups."""
    groups, _, filters = w.shape
    down, vectors = tile_of(filters, k.host.lanes(t.size), k.wide)
    w = packed(w, vectors * k.host.lanes(t.size))
    places = len(at)
    share = max(1, min(32, -(-places // (8 * get_threads() * down)))) * down
    parts = -(-places // share)
    item = x.itemsize
    k.run(windows.products, t, (down, vectors), windows.PRODUCTS, {
        "x": x, "w": w, "out": out, "at": at, "to": to, "runs": runs, "n": len(runs), "length": length, "places": places, "share": share, "parts": parts,
        "filters": filters, "x_group": x.shape[-1] // groups * item, "out_group": filters * item, "w_group": w[0].nbytes, "w_block": w[0, 0].nbytes, "groups": groups,
    }, groups * parts)  # fmt: skip


def _grouped(w: np.ndarray, groups: int) -> np.ndarray:
    """Filters [..., c, f] as a matrix [rows, filters] for each group."""
    f = w.shape[-1]
    return np.moveaxis(w.reshape(-1, groups, f // groups), 1, 0)


def conv(x: np.ndarray, w: np.ndarray, out: Shape, window: Window) -> np.ndarray | None:
    """The convolution, or None where NumPy's kernel is to do it."""
    use = _usable(x.dtype, w.shape, math.prod(out[:-1]))
    if use is None:
        return None
    size, places = w.shape[:-2], out[1:-1]
    x = bordered(x, reached(x.shape[1:-1], places, size, window))
    dims, cell = x.shape[1:-1], x.shape[-1] * x.itemsize
    at = table(len(x), dims, (0,) * len(dims), window.strides, places, cell)
    to = table(len(x), places, (0,) * len(dims), (1,) * len(dims), places, out[-1] * x.itemsize)
    runs, cells = runs_of(dims, size, window.dilations, cell, window.groups == 1)
    y = empty(out, x.dtype)
    _products(*use, x, _grouped(w, window.groups), y, at, to, runs, cells * w.shape[-2])
    return y


def conv_input(w: np.ndarray, y: np.ndarray, out: Shape, window: Window) -> np.ndarray | None:
    """The transposed convolution, or None."""
    use = _usable(y.dtype, w.shape, math.prod(y.shape[:-1]))
    if use is None:
        return None
    k, t = use
    if out[-1] // window.groups * 2 <= k.host.lanes(t.size) and math.prod(window.strides) > 1:
        return _spread(k, t, w, y, out, window)
    return _by_phases(k, t, w, y, out, window)


def _by_phases(k: Kernels, t: Type, w: np.ndarray, y: np.ndarray, out: Shape, window: Window) -> np.ndarray:
    """Input i meets element j of the window at place (i + p - d·j) / s, where that is whole: for each i mod s, another set of elements."""
    size, groups = w.shape[:-2], window.groups
    f, c = w.shape[-1] // groups, w.shape[-2]
    each = [
        _phases(*args) for args in zip(out[1:-1], size, window.strides, window.padding, window.dilations, strict=True)
    ]
    # a border of zeros around y, as wide as anything reaches
    pads = []
    for lines, o in zip(each, y.shape[1:-1], strict=True):
        used = [(j0, count) for _, count, joined in lines for _, j0 in joined]
        pads.append((max([0, *(-j for j, _ in used)]), max([0, *(j + n - o for j, n in used)])))
    y = bordered(y, tuple(pads))
    dims, cell = y.shape[1:-1], y.shape[-1] * y.itemsize
    x = empty(out, y.dtype)
    turned = np.moveaxis(w.reshape(*size, c, groups, f), -2, 0).swapaxes(-1, -2)  # [groups, *size, f, c]
    for combination in np.ndindex(*map(len, each)):
        lines = [phases[i] for phases, i in zip(each, combination, strict=True)]
        starts, counts = tuple(i for i, _, _ in lines), tuple(n for _, n, _ in lines)
        if not all(counts):
            continue
        elements = [joined for _, _, joined in lines]
        if not all(elements):  # no element of the window ever meets these
            x[(slice(None), *(slice(i, None, s) for i, s in zip(starts, window.strides, strict=True)))] = 0
            continue
        corner = tuple(min(j for _, j in joined) for joined in elements)
        joint = [sorted((j - lo, e) for e, j in joined) for joined, lo in zip(elements, corner, strict=True)]
        at = table(
            len(y), dims, tuple(a + lo for (a, _), lo in zip(pads, corner, strict=True)), (1,) * len(dims), counts, cell
        )
        to = table(len(y), out[1:-1], starts, window.strides, counts, out[-1] * y.itemsize)
        part = turned[(slice(None), *np.ix_(*([e for _, e in line] for line in joint)))]
        together = groups == 1 and [j for j, _ in joint[-1]] == list(range(len(joint[-1])))
        runs = np.zeros((1,), np.int64)
        for a, line in enumerate(joint if not together else joint[:-1]):
            runs = (runs[:, None] + np.array([j for j, _ in line]) * (math.prod(dims[a + 1 :]) * cell)).reshape(-1)
        length = f * (len(joint[-1]) if together else 1)
        _products(k, t, y, part.reshape(groups, -1, c), x, at, to, np.ascontiguousarray(runs), length)
    return x


def _phases(n: int, size: int, s: int, pads: tuple[int, int], d: int) -> list[tuple[int, int, list[tuple[int, int]]]]:
    """For each residue i of the inputs' numbers mod s: (i, how many there are, [(element of the window, place that input i meets with it)])."""
    out = []
    for i in range(min(s, n)):
        joined = [(j, (i + pads[0] - d * j) // s) for j in range(size) if (i + pads[0] - d * j) % s == 0]
        out.append((i, -(-(n - i) // s), joined))
    return out


def _spread(k: Kernels, t: Type, w: np.ndarray, y: np.ndarray, out: Shape, window: Window) -> np.ndarray:
    """Each place adds to what it meets: for few channels, as then the rows of the window fill the vectors."""
    size, groups = w.shape[:-2], window.groups
    f, c, item = w.shape[-1] // groups, w.shape[-2], y.itemsize
    places, border = y.shape[1:-1], reached(out[1:-1], y.shape[1:-1], size, window)
    dims = tuple(a + n + b for n, (a, b) in zip(out[1:-1], border, strict=True))
    x = np.zeros((len(y), *dims, out[-1]), y.dtype)
    y = np.ascontiguousarray(y)
    runs, cells = runs_of(dims, size, window.dilations, out[-1] * item, groups == 1)
    lanes = k.host.lanes(t.size)
    filters = cells * c
    down, vectors = tile_of(filters, lanes, k.wide)
    turned = w.reshape(len(runs), filters, groups, f).transpose(2, 0, 3, 1)  # [groups, runs, f, row of the window]
    w = packed(turned, vectors * lanes)
    at = table(len(y), places, (0,) * len(places), (1,) * len(places), places, y.shape[-1] * item)
    to = table(len(y), dims, (0,) * len(dims), window.strides, places, out[-1] * item)
    k.run(windows.spread, t, (down, vectors), windows.SPREAD, {
        "y": y, "w": w, "out": x, "at": at, "to": to, "runs": runs, "n": len(runs), "length": f, "places": math.prod(places), "filters": filters, "groups": groups,
        "y_group": f * item, "out_group": c * item, "w_group": w[0].nbytes, "w_run": w[0, 0].nbytes, "w_block": w[0, 0, 0].nbytes,
    }, len(y) * groups)  # fmt: skip
    inner = x[(slice(None), *(slice(a, a + n) for n, (a, _) in zip(out[1:-1], border, strict=True)))]
    return np.ascontiguousarray(inner)


def conv_filter(x: np.ndarray, y: np.ndarray, out: Shape, window: Window) -> np.ndarray | None:
    """The gradient by the filters, or None."""
    use = _usable(x.dtype, out, math.prod(y.shape[:-1]))
    if use is None:
        return None
    k, t = use
    size, places, groups, item = out[:-2], y.shape[1:-1], window.groups, x.itemsize
    x = bordered(x, reached(x.shape[1:-1], places, size, window))
    y = np.ascontiguousarray(y)
    dims = x.shape[1:-1]
    at = table(len(x), dims, (0,) * len(dims), window.strides, places, x.shape[-1] * item)
    runs, cells = runs_of(dims, size, window.dilations, x.shape[-1] * item, groups == 1)
    length, filters = cells * out[-2], out[-1] // groups
    lanes = k.host.lanes(t.size)
    _, vectors = tile_of(filters, lanes, k.wide)
    most = {1: 12, 2: 12, 3: 8, 4: 6}[vectors] if k.wide else {1: 8, 2: 5, 3: 4, 4: 3}[vectors]
    down = (
        min(range(1, most + 1), key=lambda n: (-(-length // n) + 0.35 * (length / n), -n)) if length > most else length
    )
    wide = vectors * lanes
    blocks = -(-filters // wide)
    whole = groups * blocks * len(runs) * length * wide * item  # bytes of one share's output
    parts = max(1, min(16, (1 << 23) // whole, -(-len(at) // windows.SOME)))
    share = -(-len(at) // parts)
    sums = np.zeros((parts, groups, blocks, len(runs) * length, wide), x.dtype)
    k.run(windows.gathered, t, (down, length % down, vectors, filters % wide != 0), windows.GATHERED, {
        "x": x, "y": y, "out": sums, "at": at, "runs": runs, "n": len(runs), "length": length, "places": len(at), "share": share, "filters": filters,
        "blocks": blocks, "groups": groups, "x_group": out[-2] * item, "y_group": filters * item, "y_place": y.shape[-1] * item,
        "out_part": whole, "out_group": sums[0, 0].nbytes, "out_block": sums[0, 0, 0].nbytes,
    }, parts * groups * blocks)  # fmt: skip
    total = np.add.reduce(sums, axis=0).transpose(2, 0, 1, 3)  # [rows, groups, blocks, wide]
    return np.ascontiguousarray(total.reshape(-1, groups, blocks * wide)[..., :filters]).reshape(out)
