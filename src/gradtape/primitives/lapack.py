"""BLAS and LAPACK, in the very library that NumPy computes with.

A wheel of NumPy and one of SciPy each bring an OpenBLAS of their own, whose threads go on looking for work for a while after each call. A program that
alternates between the two, as a gradient would that takes its products from NumPy and its triangular solutions from SciPy, has both sets of threads
fight for the processors: on two cores a step of 0.4 ms then takes 20 ms. So what NumPy does not offer is called here, by ctypes, in NumPy's library.
Where that is not found (a NumPy that was built otherwise), SciPy's pointers serve: there both usually share one library.

All functions take and give arrays in C order. To LAPACK, which has the order of Fortran, they are the transposed matrices.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

_LETTER = dict(zip("fdFD", "sdcz", strict=True))  # of a routine's name, by NumPy's character of the type


@cache
def wheel() -> Any:
    """The OpenBLAS in NumPy's wheels, which counts in 64 bits; None where NumPy has another."""
    folder = os.path.dirname(np.__file__)
    for place in (os.path.join(os.path.dirname(folder), "numpy.libs"), os.path.join(folder, ".dylibs")):
        for name in os.listdir(place) if os.path.isdir(place) else ():
            if "openblas64" not in name:
                continue
            try:
                library = ctypes.CDLL(
                    os.path.join(place, name), getattr(os, "RTLD_NOLOAD", 0)
                )  # the one that is in use, no other
                library.scipy_dtrsm_64_  # noqa: B018  (is it there?)
            except (OSError, AttributeError):
                continue
            return library
    return None


@cache
def _library() -> tuple[Callable[[str], Any], Any, type]:
    """What finds a routine by its name, and the integers of the library: the type of ctypes and that of NumPy."""
    library = wheel()
    if library is None:
        return _scipys, ctypes.c_int, np.intc
    return partial(_wheels, library), ctypes.c_int64, np.int64


def _wheels(library: ctypes.CDLL, name: str) -> Any:
    """A routine of the OpenBLAS in NumPy's wheels."""
    return getattr(library, f"scipy_{name}_64_")


def _scipys(name: str) -> Any:
    """A routine by the pointers that SciPy publishes for Cython."""
    from scipy.linalg import cython_blas, cython_lapack

    capsule = cython_blas.__pyx_capi__.get(name) or cython_lapack.__pyx_capi__[name]
    label = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))(capsule)
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    address = get(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, label)
    return ctypes.CFUNCTYPE(None)(address)


@cache
def _routine(name: str) -> tuple[Any, Any]:
    find, integer, _ = _library()
    f = find(name)
    f.restype = None
    return f, integer


def _call(name: str, kind: str, *args: Any) -> None:
    """Call a routine with arrays, integers and letters; everything goes by reference."""
    f, integer = _routine(_LETTER[kind] + name)
    f(*[ctypes.c_void_p(x.ctypes.data) if type(x) is np.ndarray else x if type(x) is bytes else ctypes.byref(integer(x)) for x in args])  # fmt: skip


def _integers(n: int) -> np.ndarray:
    return np.zeros(n, _library()[2])


def trsm(a: Any, b: Any, lower: bool, adjoint: bool, unit: bool = False) -> Any:
    """The solution of a x = b, or of aᴴ x = b, for one triangular matrix; with ``unit``, its diagonal counts as ones."""
    x = np.array(b, order="C")
    n, k = x.shape
    if x.size:  # to Fortran, xᵀ op(aᵀ) = bᵀ
        one = np.ones(1, x.dtype)
        a = np.ascontiguousarray(a)
        _call(
            "trsm",
            x.dtype.char,
            b"R",
            b"U" if lower else b"L",
            b"C" if adjoint else b"N",
            b"U" if unit else b"N",
            k,
            n,
            one,
            a,
            n,
            x,
            k,
        )
    return x


def getrf(a: Any) -> tuple[Any, Any, bool]:
    """The factors of one square matrix with its columns in another order, a[:, perm] = L U, where U has ones on the diagonal.

    So LAPACK's rows come out in C order. Gives L and U in one array, perm, and whether the matrix is singular.
    """
    n = len(a)
    f, pivots, info = np.array(a, order="C"), _integers(n), _integers(1)
    if n:
        _call("getrf", a.dtype.char, n, n, f, n, pivots, info)
    perm = list(range(n))
    for i, p in enumerate(pivots.tolist()):  # column i was exchanged with column p, counted from 1
        perm[i], perm[p - 1] = perm[p - 1], perm[i]
    return f, np.array(perm, np.int32), info[0] > 0


def inverse(a: Any) -> Any:
    """The inverse of one matrix, or None where it is singular."""
    n, kind = len(a), a.dtype.char
    x, pivots, info, work = np.array(a, order="C"), _integers(n), _integers(1), np.empty(64 * n, a.dtype)
    _call("getrf", kind, n, n, x, n, pivots, info)
    if not info[0]:
        _call("getri", kind, n, x, n, pivots, work, work.size, info)
    return None if info[0] else x


def gesdd(a: Any, job: str) -> tuple[Any, Any, Any] | None:
    """U, s and Vᴴ of one matrix, or None where it does not converge.

    Args:
        a: the matrix, with at least one element. To Fortran, aᵀ = (Vᴴ)ᵀ S Uᵀ.
        job: "S" for as many vectors as there are values, "A" for square matrices of them, "N" for the values alone.
    """
    (m, n), kind, k = a.shape, a.dtype.char, min(a.shape)
    x, s, info, inner = np.array(a, order="C"), np.empty(k, a.real.dtype), _integers(1), _integers(8 * k)
    left, right = {"S": (k, k), "A": (m, n), "N": (0, 0)}[job]
    u, vh = np.empty((m, left), a.dtype), np.empty((right, n), a.dtype)
    real = [] if a.dtype.kind != "c" else [np.empty(max(5 * k + 7, 2 * max(m, n) + 2 * k + 1) * k, s.dtype)]

    def run(work: Any, size: int) -> None:
        _call("gesdd", kind, job.encode(), n, m, x, n, s, vh, n, u, max(left, 1), work, size, *real, inner, info)

    work = np.empty(1, a.dtype)
    run(work, -1)  # asks for the size of the workspace
    size = int(work[0].real)
    run(np.empty(size, a.dtype), size)
    return None if info[0] else (u, s, vh)
