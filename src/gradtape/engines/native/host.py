"""The machine that code is made for, and LLVM, which is loaded on the first compilation only."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
import threading
from typing import Any

from .ir import Module


class Unsupported(Exception):
    """This machine, or this Python, has no native engine: graphs run by their kernels instead."""


class Host:
    """LLVM for this machine: its vector width and instructions, compilation to object code, linking.

    Attributes:
        width: bytes of a vector register.
        masked: whether masked loads and stores are instructions.
        ldexp: whether scaling by powers of two is one.
        key: what object code depends on beside the IR: LLVM's version, CPU and features.
    """

    def __init__(self) -> None:
        if sys.implementation.name != "cpython" or sys.maxsize < 2**32 or (hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled()):
            raise Unsupported("the native engine needs 64-bit CPython with its lock")
        try:
            import llvmlite.binding as llvm
        except ImportError as e:
            raise Unsupported(f"llvmlite cannot be imported: {e}") from None
        self.llvm = llvm
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.features = llvm.get_host_cpu_features()
        has = self.features.get
        machine = platform.machine().lower()
        if machine in ("x86_64", "amd64"):
            if not (has("avx2") and has("fma")):
                raise Unsupported("the native engine needs AVX2 and FMA")
            self.width = 64 if has("avx512f") and has("avx512vl") and has("avx512dq") and has("avx512bw") else 32
            self.masked, self.ldexp = True, self.width == 64
        elif machine in ("aarch64", "arm64"):
            self.width, self.masked, self.ldexp = 16, False, False
        else:
            raise Unsupported(f"no native engine for {machine}")
        self.cpu = llvm.get_host_cpu_name()
        flat = self.features.flatten()
        self.machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
            cpu=self.cpu, features=flat, opt=2, reloc="pic", codemodel="small", jit=True)  # fmt: skip
        self.key = "|".join((".".join(map(str, llvm.llvm_version_info)), llvm.get_process_triple(), self.cpu, flat))
        self._jit: Any = None
        self._lock = threading.Lock()
        self._count = 0

    def module(self) -> Module:
        """A new module for this machine."""
        m = Module()
        m.has_ldexp = self.ldexp
        return m

    def lanes(self, size: int) -> int:
        """How many elements of ``size`` bytes a register holds."""
        return self.width // size

    def object_code(self, ir: str) -> bytes:
        """IR to relocatable object code."""
        module = self.llvm.parse_assembly(ir)
        module.verify()
        return self.machine.emit_object(module)

    def assembly(self, ir: str) -> str:
        """IR to assembly, to be read."""
        return self.machine.emit_assembly(self.llvm.parse_assembly(ir))

    def link(self, code: bytes, imports: dict[str, int], exports: list[str]) -> tuple[Any, dict[str, int]]:
        """Load object code; gives a tracker, which must live as long as the code is used, and the exported addresses.

        ``imports`` holds the address of every symbol the code leaves open: absolute addresses never stand in the code itself.
        """
        with self._lock:
            if self._jit is None:
                self._jit = self.llvm.create_lljit_compiler(self.machine)
            self._count += 1
            library = self.llvm.JITLibraryBuilder().add_object_img(code)
            for name, address in imports.items():
                library.import_symbol(name, address)
            for name in exports:
                library.export_symbol(name)
            tracker = library.link(self._jit, f"gradtape{self._count}")
            return tracker, {name: tracker[name] for name in exports}


_host: Host | Unsupported | None = None
_host_lock = threading.Lock()


def host() -> Host:
    """The host, found on the first call. Raises Unsupported where there is no native engine."""
    global _host
    if _host is None:
        with _host_lock:
            if _host is None:
                try:
                    _host = Host()
                except Unsupported as e:
                    _host = e
    if isinstance(_host, Unsupported):
        raise _host
    return _host


@functools.cache
def c_library() -> Any:
    """The C library with the math functions."""
    return ctypes.CDLL("ucrtbase" if os.name == "nt" else None)


def address(function: Any) -> int:
    """The address of a ctypes function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@functools.cache
def numpy_api() -> Any:
    """The table of NumPy's C functions, as a ctypes array of addresses."""
    from numpy._core import _multiarray_umath as umath

    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = get(umath._ARRAY_API, None)
    return (ctypes.c_void_p * 400).from_address(table)


@functools.cache
def blas(name: str) -> int:
    """The address of SciPy's BLAS function ``name``, through the pointers it publishes for Cython."""
    import scipy.linalg.cython_blas as cython_blas

    capsule = cython_blas.__pyx_capi__[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return get(capsule, get_name(capsule))
