"""Large results are written into memory that nobody holds any more, and by native code where that is faster than NumPy's.

A fresh 4 MB array costs more in page faults than the arithmetic that fills it. So arrays of ``BIG`` bytes and more that
gradtape itself made are remembered, and one whose only remaining reference is the memory's own is written again. Whoever
still holds an array, or a view of it, holds a reference: such an array is never reused.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

BIG = 1 << 18  # bytes: below it the allocator's own caches do as well
LIMIT = 1 << 28  # bytes remembered at most, in each thread
_SLOTS = 24  # arrays looked at for each shape and dtype


class _Pool(threading.local):
    def __init__(self) -> None:
        self.arrays: dict[Any, list[np.ndarray]] = {}
        self.bytes = 0


_pool = _Pool()
_refs = sys.getrefcount
_probe = [np.empty(1)]
_FREE = _refs(_probe[0])  # what getrefcount says of an array that only a list holds: differs between Python versions


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised C-contiguous array, reused if one of this shape and dtype is free."""
    key = (shape, dtype)
    arrays = _pool.arrays.get(key)
    if arrays is None:
        arrays = _pool.arrays[key] = []
    for i in range(len(arrays)):
        if _refs(arrays[i]) == _FREE:
            a = arrays.pop(i)
            arrays.append(a)
            return a
    a = np.empty(shape, dtype)
    if len(arrays) < _SLOTS and a.nbytes <= LIMIT // 4:
        if _pool.bytes + a.nbytes > LIMIT:
            _trim()
            arrays = _pool.arrays.setdefault(key, [])
        arrays.append(a)
        _pool.bytes += a.nbytes
    return a


def _trim() -> None:
    """Forget all: what is in use lives on with its users."""
    _pool.arrays.clear()
    _pool.bytes = 0


def no_kernel(p: Any, dtype: np.dtype) -> Callable | None:
    """There is no native code."""
    return None


find: Callable[[Any, np.dtype], Callable | None] = no_kernel  # the faces put here what finds a row's native kernel
_kernels: dict[Any, Callable | None] = {}


def run_large(p: Any, arrays: tuple) -> Any:
    """An elementwise row of one dtype, without attributes, on large arrays: natively or by its ufunc into a reused buffer, else by its kernel."""
    first = arrays[0]
    dtype = first.dtype
    if len(arrays) > 1 and dtype != arrays[1].dtype:
        return p.kernel(*arrays)
    if len(arrays) == 1 or first.shape == arrays[1].shape:
        shape = first.shape
        native = _kernels.get((p, dtype), no_kernel)
        if native is no_kernel:
            native = _kernels[p, dtype] = find(p, dtype)
        if native is not None and all([a.flags.c_contiguous for a in arrays]):
            out = empty(shape, dtype)
            native(arrays, out)
            return out
    else:
        shape = np.broadcast_shapes(first.shape, arrays[1].shape)
    return p.ufunc(*arrays, out=empty(shape, dtype)) if p.ufunc is not None else p.kernel(*arrays)
