"""What compiled code is linked to, and the Python functions made of it: all that a program needs that was compiled before.

The C structures relied on are NumPy's and Python's stable layouts, for 64-bit CPython.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ...ground.dtypes import BY_NAME
from .host import Unsupported, address, blas, c_library, numpy_api

# Offsets of fields: PyObject, PyListObject, PyArrayObject, NumPy's scalar objects.
TYPE, LIST_SIZE, LIST_ITEMS = 8, 16, 24
DATA, RANK, DIMS, DTYPE, FLAGS, SCALAR = 16, 24, 32, 56, 64, 16
CONTIGUOUS, OWNED, ALIGNED, WRITEABLE = 0x1, 0x4, 0x100, 0x400

_PYTHON = (
    "Py_IncRef",
    "Py_DecRef",
    "PyList_New",
    "PyObject_Vectorcall",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyErr_CheckSignals",
    "PyMem_RawMalloc",
    "PyMem_RawRealloc",
    "PyMem_RawFree",
    "PyErr_NoMemory",
)
_NUMPY = {"PyArray_NewFromDescr": 94, "PyArray_Scalar": 60}
_LIBC = ("memmove", "memcpy", "memset")


def check_layout() -> None:
    """Unsupported, if objects do not look as the code above will read them."""
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    word = lambda o, at: ctypes.c_uint64.from_address(id(o) + at).value
    small = lambda o, at: ctypes.c_int32.from_address(id(o) + at).value
    items = [a]
    good = (
        word(a, TYPE) == id(np.ndarray)
        and word(a, DATA) == a.ctypes.data
        and small(a, RANK) == 2
        and list((ctypes.c_int64 * 2).from_address(word(a, DIMS))) == [2, 3]
        and word(a, DTYPE) == id(a.dtype) == id(np.dtype(np.float32))
        and small(a, FLAGS) & 0x501 == 0x501
        and word(items, LIST_SIZE) == 1
        and ctypes.c_uint64.from_address(word(items, LIST_ITEMS)).value == id(a)
        and ctypes.c_float.from_address(id(np.float32(2.5)) + SCALAR).value == 2.5
        and ctypes.c_int64.from_address(id(np.int64(-7)) + SCALAR).value == -7
    )
    if not good:
        raise Unsupported("NumPy's or Python's objects have another layout than the native engine knows")


class Spec:
    """What the door must know of an argument or result: shape (of a stack beginning with None) and dtype; for a result also where it comes from."""

    def __init__(self, shape: tuple[int | None, ...], dtype: Any, source: tuple[str, Any] = ("", None)) -> None:
        self.shape, self.dtype, self.source = shape, dtype, source
        self.stack = None in shape


def imports(externals: set[str], consts: list[np.ndarray], local: dict[str, int]) -> dict[str, int]:
    """The addresses of a module's open symbols. ``local`` holds those that are the program's own."""
    found = {}
    for name in (*externals, *_LIBC):
        found[name] = local[name] if name in local else _find(name, consts)
    if os.name == "nt":  # what code with a large frame calls on Windows
        found["__chkstk"] = address(ctypes.CDLL("ntdll").__chkstk)
    return found


def _find(name: str, consts: list[np.ndarray]) -> int:
    stem, _, rest = name.partition(".")
    if stem == "const":
        return consts[int(rest)].ctypes.data
    if stem == "dtype":
        return id(BY_NAME[rest].np)
    if stem == "scalar":
        return id(BY_NAME[rest].type)
    if stem == "blas":
        return blas(rest)
    if name == "numpy.ndarray":
        return id(np.ndarray)
    if name == "PyList_Type":
        return id(list)
    if name in _PYTHON:
        return address(getattr(ctypes.pythonapi, name))
    if name in _NUMPY:
        return numpy_api()[_NUMPY[name]]
    return address(getattr(c_library(), name))


class _MethodDef(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


_new_function: Any = None


def definition(entry: int, name: str) -> Any:
    """The C structure that describes a built-in function whose code is at ``entry``; it must live as long as the function."""
    return _MethodDef(name.encode(), entry, 0x80, None)  # METH_FASTCALL


def python_function(defined: Any, owner: Any) -> Callable[..., list]:
    """A built-in function. Its ``__self__`` is ``owner``, which must keep ``defined`` and the code alive."""
    global _new_function
    if _new_function is None:
        _new_function = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
            ("PyCFunction_NewEx", ctypes.pythonapi)
        )
    return _new_function(ctypes.addressof(defined), owner, None)


class Slow:
    """What happens to arguments that do not fit as they are: converted where nothing is lost, else an error."""

    def __init__(self, args: list[Spec], donate: dict[int, int], run: Callable[..., list]) -> None:
        self.args, self.donate, self.run = args, donate, run
        self._busy: set[int] = set()  # threads in which arguments have been made fit

    def __call__(self, *xs: Any) -> list:
        if len(xs) == 1 and type(xs[0]) is list:
            xs = tuple(xs[0])
        if len(xs) != len(self.args):
            raise TypeError(f"The compiled graph takes {len(self.args)} arrays, but got {len(xs)}.")
        thread = threading.get_ident()
        if thread in self._busy:
            raise RuntimeError(
                "gradtape's native engine does not accept arrays as NumPy makes them; this is an error of gradtape's: please report it."
            )
        fitted = [self._fit(i, a, x) for i, (a, x) in enumerate(zip(self.args, xs, strict=True))]
        for i in self.donate:
            a = fitted[i]
            if self.args[i].shape and any(
                k != i and type(b) is np.ndarray and b.ctypes.data == a.ctypes.data for k, b in enumerate(fitted)
            ):
                fitted[i] = a.copy()
        self._busy.add(thread)
        try:
            return self.run(*fitted)
        finally:
            self._busy.discard(thread)

    def _fit(self, i: int, spec: Spec, x: Any) -> Any:
        a = np.asarray(x)
        fits = len(a.shape) == len(spec.shape) and all(
            e is None or d == e for d, e in zip(a.shape, spec.shape, strict=True)
        )
        if not fits or (
            a.dtype != spec.dtype
            and not (type(x) in (bool, int, float) and np.can_cast(a.dtype, spec.dtype, "same_kind"))
        ):
            raise TypeError(
                f"Input {i} of the compiled graph must be a {spec.dtype.name} array of shape {list(spec.shape)}, but is a {a.dtype.name} array of shape {list(a.shape)}."
            )
        if not spec.shape:
            return spec.dtype.type(a[()])
        a = np.require(a, requirements=["C", "A", "W", "O"] if i in self.donate else ["C", "A"])
        if type(a) is not np.ndarray or a.dtype is not spec.dtype:
            a = a.view(np.ndarray).view(spec.dtype) if a.dtype.isnative else a.astype(spec.dtype)
        return np.array(a) if a.dtype is not spec.dtype else a
