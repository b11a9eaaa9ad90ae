"""The machine that code is made for, and LLVM, which is loaded on the first compilation only."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
import threading
from typing import Any

from ...primitives import lapack


class Unsupported(Exception):
    """This machine, or this Python, has no native engine: graphs run by their kernels instead."""


class Host:
    """This machine: its vector width and instructions; LLVM, loaded when something must be compiled.

    Attributes:
        width: bytes of a vector register.
        ldexp: whether scaling by powers of two is an instruction.
        cores: those that this process may use.
        wide_blas: whether BLAS counts in 64 bits.
        key: what object code depends on beside the IR: LLVM and the CPU's features.
    """

    def __init__(self) -> None:
        if (
            sys.implementation.name != "cpython"
            or sys.maxsize < 2**32
            or (hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled())
        ):
            raise Unsupported("the native engine needs 64-bit CPython with its lock")
        try:
            import llvmlite
        except ImportError as e:
            raise Unsupported(f"llvmlite cannot be imported: {e}") from None
        self._lock = threading.Lock()
        self._jit: Any = None
        self._count = 0
        machine = platform.machine().lower()
        has, described = _linux_features() if sys.platform == "linux" and machine == "x86_64" else (None, "")
        if has is None:
            features = self.llvm.get_host_cpu_features()
            has, described = {k for k, v in features.items() if v}, self.llvm.get_host_cpu_name() + features.flatten()
        if machine in ("x86_64", "amd64"):
            if not {"avx2", "fma", "f16c"} <= has:
                raise Unsupported("the native engine needs AVX2, FMA and F16C")
            self.width = 64 if {"avx512f", "avx512vl", "avx512dq", "avx512bw"} <= has else 32
            self.ldexp = self.width == 64
        elif machine in ("aarch64", "arm64"):
            self.width, self.ldexp = 16, False
        else:
            raise Unsupported(f"no native engine for {machine}")
        folder = os.path.dirname(llvmlite.__file__)
        built = [
            f"{name}:{os.path.getsize(os.path.join(folder, 'binding', name))}"
            for name in sorted(os.listdir(os.path.join(folder, "binding")))
            if "llvmlite." in name
        ]
        self.cores = cores()
        self.wide_blas = lapack.wheel() is not None
        self.key = "|".join(
            (
                llvmlite.__version__,
                *built,
                sys.platform,
                machine,
                described,
                f"blas{32 << self.wide_blas}",
                f"cores{self.cores}",
            )
        )

    @functools.cached_property
    def llvm(self) -> Any:
        """LLVM. Loading it takes a tenth of a second."""
        try:
            import llvmlite.binding as llvm
        except (ImportError, OSError) as e:
            raise Unsupported(f"llvmlite cannot be loaded: {e}") from None
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        return llvm

    @functools.cached_property
    def machine(self) -> Any:
        """The code generator."""
        llvm = self.llvm
        return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2, reloc="pic", codemodel="small", jit=True)  # fmt: skip

    def module(self) -> Any:
        """A new module for this machine."""
        from .ir import Module

        m = Module()
        m.has_ldexp = self.ldexp
        return m

    def lanes(self, size: int) -> int:
        """How many elements of ``size`` bytes a register holds."""
        return self.width // size

    def object_code(self, ir: str) -> bytes:
        """IR to relocatable object code."""
        with self._lock:
            module = self.llvm.parse_assembly(ir, self.llvm.create_context())  # one for all would grow for ever
            module.verify()
            return self.machine.emit_object(module)

    def assembly(self, ir: str) -> str:
        """IR to assembly, to be read."""
        return self.machine.emit_assembly(self.llvm.parse_assembly(ir))

    def link(self, code: bytes, imports: dict[str, int], exports: list[str]) -> tuple[Any, dict[str, int]]:
        """Load object code by LLVM; gives a tracker, which must live as long as the code is used, and the exported addresses."""
        with self._lock:
            if self._jit is None:
                self._jit = self.llvm.create_lljit_compiler(self.machine)
            self._count += 1
            library = self.llvm.JITLibraryBuilder().add_object_img(code)
            for name, at in imports.items():
                library.import_symbol(name, at)
            for name in exports:
                library.export_symbol(name)
            tracker = library.link(self._jit, f"gradtape{self._count}")
            return tracker, {name: tracker[name] for name in exports}


def _linux_features() -> tuple[set[str] | None, str]:
    """The features of the CPU, by the kernel's names, which for those that matter are LLVM's; and a text that tells CPUs apart."""
    try:
        with open("/proc/cpuinfo") as f:
            first = f.read(16384).split("\n\n")[0]
    except OSError:
        return None, ""
    lines = dict(tuple(x.strip() for x in line.split(":", 1)) for line in first.splitlines() if ":" in line)
    flags = lines.get("flags")
    if not flags:
        return None, ""
    return set(flags.split()), "|".join(
        (lines.get("cpu family", ""), lines.get("model", ""), lines.get("stepping", ""), flags)
    )


_host: Host | Unsupported | None = None
_host_lock = threading.Lock()


def host() -> Host:
    """The host, found on the first call. Raises Unsupported where there is no native engine."""
    global _host
    if _host is None:
        with _host_lock:
            if _host is None:
                try:
                    from .linking import check_layout

                    check_layout()
                    _host = Host()
                except Unsupported as e:
                    _host = e
    if isinstance(_host, Unsupported):
        raise _host
    return _host


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def c_library() -> Any:
    """The C library with the math functions."""
    return ctypes.CDLL("msvcrt" if os.name == "nt" else None)


def address(function: Any) -> int:
    """The address of a ctypes function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@functools.cache
def numpy_api() -> Any:
    """The table of NumPy's C functions, as a ctypes array of addresses."""
    from numpy._core import _multiarray_umath as umath

    return (ctypes.c_void_p * 400).from_address(_pointer(umath._ARRAY_API))


def _pointer(capsule: Any) -> int:
    """What a capsule holds. The prototypes are our own: those of ``ctypes.pythonapi`` are everybody's."""
    name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))(capsule)
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    return get(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, name)


def blas(name: str) -> int:
    """The address of the BLAS function ``name``: NumPy's, else SciPy's, through the pointers it publishes for Cython.

    Not both: each has threads of its own, which go on for a while after a call and stand in the way of the other's.
    """
    library = lapack.wheel()
    if library is not None:
        return address(getattr(library, f"scipy_{name}_64_"))
    return _pointer(_cython_blas().__pyx_capi__[name])


def blas_threads() -> tuple[int, int]:
    """The addresses of the functions that tell and set how many threads BLAS takes; zeros where it has none."""
    library = lapack.wheel()
    names = "scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"
    if library is None or not all(hasattr(library, n) for n in names):
        return 0, 0
    return address(getattr(library, names[0])), address(getattr(library, names[1]))


def _cython_blas() -> Any:
    """``scipy.linalg.cython_blas``, by itself where that works: the whole of scipy.linalg takes ten times as long to import."""
    full = "scipy.linalg.cython_blas"
    if full not in sys.modules:
        import importlib.machinery
        import importlib.util

        import scipy

        folder = os.path.join(os.path.dirname(scipy.__file__), "linalg")
        finder = importlib.machinery.FileFinder(
            folder, (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
        )
        spec = finder.find_spec(full)
        if spec is not None and spec.loader is not None:
            try:
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                sys.modules[full] = module
            except ImportError:
                pass
    return importlib.import_module(full) if full not in sys.modules else sys.modules[full]
