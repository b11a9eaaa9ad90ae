"""The door between Python and a program: a C function for Python, written in IR.

It checks the arguments (type, dtype, shape, layout) by reading the objects' fields, allocates the outputs through NumPy, releases
Python's lock for long programs, runs the program and returns a list. Arguments that do not fit go to a Python function, which
makes them fit or raises. The C structures that it relies on are NumPy's and Python's stable layouts, for 64-bit CPython.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .host import Unsupported, address, blas, c_library, numpy_api
from .ir import I1, I32, I64, PTR, Code, Val
from .program import FIRST, Written

# Offsets of fields: PyObject, PyListObject, PyArrayObject, NumPy's scalar objects.
_TYPE, _LIST_SIZE, _LIST_ITEMS = 8, 16, 24
_DATA, _RANK, _DIMS, _DTYPE, _FLAGS, _SCALAR = 16, 24, 32, 56, 64, 16
_CONTIGUOUS, _ALIGNED, _WRITEABLE = 0x1, 0x100, 0x400

STACK = 32768  # arenas up to this size lie on the stack
RELEASE = 3e4  # nanoseconds of work for which Python's lock is released

_PYTHON = (
    "Py_IncRef",
    "Py_DecRef",
    "PyList_New",
    "PyObject_Vectorcall",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyErr_CheckSignals",
    "PyMem_RawMalloc",
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
        word(a, _TYPE) == id(np.ndarray)
        and word(a, _DATA) == a.ctypes.data
        and small(a, _RANK) == 2
        and list((ctypes.c_int64 * 2).from_address(word(a, _DIMS))) == [2, 3]
        and word(a, _DTYPE) == id(a.dtype) == id(np.dtype(np.float32))
        and small(a, _FLAGS) & 0x501 == 0x501
        and word(items, _LIST_SIZE) == 1
        and ctypes.c_uint64.from_address(word(items, _LIST_ITEMS)).value == id(a)
        and ctypes.c_float.from_address(id(np.float32(2.5)) + _SCALAR).value == 2.5
        and ctypes.c_int64.from_address(id(np.int64(-7)) + _SCALAR).value == -7
    )
    if not good:
        raise Unsupported("NumPy's or Python's objects have another layout than the native engine knows")


class Spec:
    """What the door must know of an argument or result: shape and dtype; for a result also where it comes from."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, source: tuple[str, Any] = ("", None)) -> None:
        self.shape, self.dtype, self.source = shape, dtype, source


def write_entry(w: Written, args: list[Spec], outs: list[Spec], donate: dict[int, int]) -> None:
    """Write ``ptr entry(ptr self, ptr args, i64 n)`` into the program's module."""
    Door(w, args, outs, donate).write()


class Door:
    """Writes the entry function."""

    def __init__(self, w: Written, args: list[Spec], outs: list[Spec], donate: dict[int, int]) -> None:
        self.w, self.module, self.args, self.outs = w, w.module, args, outs
        self.donated = {j: i for i, j in donate.items() if args[i].shape}
        self.release = w.nanoseconds > RELEASE or "@signals" in w.module.text
        self.code = Code(w.module, "entry", [(PTR, 0), (PTR, 0), (I64, 0)], "ptr", "", "nounwind")

    # -- small things

    def field(self, p: Val, offset: int, t: Any = PTR) -> Val:
        code = self.code
        return code.effect(f"load {t.llvm}, ptr {code.offset(p, offset).name}", t)

    def python(self, name: str, t: Any, *args: Val) -> Val:
        return self.code.call(name, t, 0, list(args), pure=False)

    def do(self, name: str, *args: Val) -> None:
        self.module.declare(name, f"void {{}}({', '.join(a.type for a in args)})")
        self.code.write(f"call void @{name}({', '.join(f'{a.type} {a.name}' for a in args)})")

    def symbol(self, name: str) -> Val:
        return Val(self.code, self.module.external(name), PTR, 0)

    def null(self) -> Val:
        return Val(self.code, "null", PTR, 0)

    def same(self, p: Val, q: Val) -> Val:
        return self.code.effect(f"icmp eq ptr {p.name}, {q.name}", I1)

    def need(self, c: Val, otherwise: str = "slow") -> None:
        """Go on if ``c`` holds."""
        go = self.code.fresh("go")
        self.code.branch(c, go, otherwise)
        self.code.block(go)

    # -- the function

    def write(self) -> None:
        code, w = self.code, self.w
        _, given, count = code.params
        # one list of all the arguments will do as well
        single = code.fresh("single")
        opened, ready = code.fresh("opened"), code.fresh("ready")
        code.branch(count.eq(1), single, ready)
        code.block(single)
        only = self.field(given, 0)
        code.branch(self.same(self.field(only, _TYPE), self.symbol("PyList_Type")), opened, ready)
        code.block(opened)
        items, length = self.field(only, _LIST_ITEMS), self.field(only, _LIST_SIZE, I64)
        code.jump(ready)
        code.block(ready)
        xs = code.effect(
            f"phi ptr [ {given.name}, %start ], [ {given.name}, %{single} ], [ {items.name}, %{opened} ]", PTR
        )
        n = code.effect(
            f"phi i64 [ {count.name}, %start ], [ {count.name}, %{single} ], [ {length.name}, %{opened} ]", I64
        )
        self.xs, self.n = xs, n
        self.need(n.eq(len(self.args)))
        objects = [self.field(xs, 8 * i) for i in range(len(self.args))]
        data = self._check(objects)
        table = code.stack(8 * (FIRST + len(self.args) + len(self.outs)), 16)
        context = code.stack(32, 16)
        code.store(code.int(0), context)
        self._put(table, 0, context)
        for i, p in enumerate(data):
            self._put(table, FIRST + i, p)
        results = self._allocate(objects, data, table)
        release = self._arena(table)
        if self.release:
            code.store(self.python("PyEval_SaveThread", PTR), code.offset(context, 8))
        status = code.effect(f"call i32 @program(ptr {table.name})", I32)
        if self.release:
            self.do("PyEval_RestoreThread", self.field(context, 8))
        release()
        self.need(status.eq(0), "bad")
        out = self.python("PyList_New", PTR, code.int(len(self.outs)))
        self.need(code.effect(f"icmp ne ptr {out.name}, null", I1), "memory")
        items = self.field(out, _LIST_ITEMS)
        self._fill(objects, results, table, items)
        code.write(f"ret ptr {out.name}")
        self._exits(results, status)
        code.close()
        if "@signals" in w.module.text:
            self._signals()

    def _put(self, table: Val, i: int, p: Val) -> None:
        self.code.store(p, self.code.offset(table, 8 * i))

    def _check(self, objects: list[Val]) -> list[Val]:
        """Addresses of the arguments' elements, if all fit."""
        code, data = self.code, []
        for i, (a, x) in enumerate(zip(self.args, objects, strict=True)):
            if not a.shape:
                self.need(self.same(self.field(x, _TYPE), self.symbol(f"scalar.{a.dtype.name}")))
                data.append(code.offset(x, _SCALAR))
                continue
            self.need(self.same(self.field(x, _TYPE), self.symbol("numpy.ndarray")))
            flags = _CONTIGUOUS | _ALIGNED | (_WRITEABLE if i in self.donated.values() else 0)
            fits = self.same(self.field(x, _DTYPE), self.symbol(f"dtype.{a.dtype.name}"))
            fits = fits & (self.field(x, _FLAGS, I32) & flags).eq(flags) & self.field(x, _RANK, I32).eq(len(a.shape))
            self.need(fits)
            dims = self.field(x, _DIMS)
            fits = self.field(dims, 0, I64).eq(a.shape[0])
            for k, d in enumerate(a.shape[1:], 1):
                fits = fits & self.field(dims, 8 * k, I64).eq(d)
            self.need(fits)
            data.append(self.field(x, _DATA))
        for i in self.donated.values():
            for k, other in enumerate(self.args):
                if k != i and other.shape and 0 not in other.shape and 0 not in self.args[i].shape:
                    self.need(~self.same(data[i], data[k]))
        return data

    def _allocate(self, objects: list[Val], data: list[Val], table: Val) -> dict[int, Val]:
        """New arrays for the outputs that need one, and the addresses of all in the table."""
        code, results = self.code, {}
        for j, o in enumerate(self.outs):
            if j in self.donated:
                place = data[self.donated[j]]
            elif o.source[0] in ("arg", "same"):
                continue
            elif not o.shape:
                place = code.stack(8, 8)
            else:
                dims = f"@dims.{j}"
                self.module.declared[dims] = (
                    f"{dims} = private unnamed_addr constant [{len(o.shape)} x i64] [{', '.join(f'i64 {d}' for d in o.shape)}]"
                )
                dtype = self.symbol(f"dtype.{o.dtype.name}")
                self.do("Py_IncRef", dtype)  # which the new array will own
                rank = code.const(len(o.shape), I32)
                a = self.python(
                    "PyArray_NewFromDescr",
                    PTR,
                    self.symbol("numpy.ndarray"),
                    dtype,
                    rank,
                    Val(code, dims, PTR, 0),
                    self.null(),
                    self.null(),
                    code.const(0, I32),
                    self.null(),
                )
                results[j] = a
                ok, bad = code.fresh("ok"), code.fresh("short")
                code.branch(code.effect(f"icmp ne ptr {a.name}, null", I1), ok, bad)
                code.block(bad)
                for k, b in results.items():
                    if k != j:
                        self.do("Py_DecRef", b)
                code.write("ret ptr null")
                code.block(ok)
                place = self.field(a, _DATA)
            self._put(table, FIRST + len(self.args) + j, place)
        return results

    def _arena(self, table: Val) -> Callable[[], None]:
        """Memory for what lies between; gives what hands it back."""
        code, size = self.code, self.w.arena
        if size <= STACK:
            self._put(table, 1, code.stack(max(size, 8), 64))
            return lambda: None
        # One block is kept, of which the lock that Python holds here is the guard; who finds it taken gets a block of his own.
        kept = self.symbol("arena")  # {i64 taken, ptr block}
        taken = self.field(kept, 0, I64)
        block = self.field(kept, 8)
        free = code.effect(f"icmp ne ptr {block.name}, null", I1) & taken.eq(0)
        mine, other, got = code.fresh("mine"), code.fresh("other"), code.fresh("got")
        code.branch(free, mine, other)
        code.block(mine)
        code.store(code.int(1), kept)
        code.jump(got)
        code.block(other)
        new = self.python("PyMem_RawMalloc", PTR, code.int(size + 64))
        self.need(code.effect(f"icmp ne ptr {new.name}, null", I1), "memory")
        end = code.label
        code.jump(got)
        code.block(got)
        raw = code.effect(f"phi ptr [ {block.name}, %{mine} ], [ {new.name}, %{end} ]", PTR)
        whole = code.effect(f"ptrtoint ptr {raw.name} to i64", I64)
        aligned = (whole + 63) & -64
        self._put(table, 1, code.effect(f"inttoptr i64 {aligned.name} to ptr", PTR))
        was_free = code.effect(f"icmp eq ptr {raw.name}, {block.name}", I1)

        def release() -> None:
            ours, theirs, keep, drop, end = (code.fresh(x) for x in ("ours", "theirs", "keep", "drop", "end"))
            code.branch(was_free, ours, theirs)
            code.block(ours)
            code.store(code.int(0), kept)
            code.jump(end)
            code.block(theirs)
            now = self.field(kept, 8)
            code.branch(code.effect(f"icmp eq ptr {now.name}, null", I1), keep, drop)
            code.block(keep)
            code.store(raw, code.offset(kept, 8))
            code.jump(end)
            code.block(drop)
            self.do("PyMem_RawFree", raw)
            code.jump(end)
            code.block(end)

        return release

    def _fill(self, objects: list[Val], results: dict[int, Val], table: Val, items: Val) -> None:
        """Put the results into the list."""
        code = self.code
        final: dict[int, Val] = {}
        for j, o in enumerate(self.outs):
            kind, source = o.source
            if j in self.donated:
                x = objects[self.donated[j]]
                self.do("Py_IncRef", x)
            elif kind == "arg":
                x = objects[source]
                self.do("Py_IncRef", x)
            elif kind == "same":
                x = final[source]
                self.do("Py_IncRef", x)
            elif not o.shape:
                place = self.field(table, 8 * (FIRST + len(self.args) + j))
                x = self.python("PyArray_Scalar", PTR, place, self.symbol(f"dtype.{o.dtype.name}"), self.null())
            else:
                x = results[j]
            final[j] = x
            code.store(x, code.offset(items, 8 * j))

    def _exits(self, results: dict[int, Val], status: Val) -> None:
        code = self.code
        code.block("bad")
        for r in results.values():
            self.do("Py_DecRef", r)
        code.branch(status.eq(1), "failed", "error")
        code.block("error")
        code.write("ret ptr null")
        code.block("failed")
        code.write(
            f"%again = call ptr @PyObject_Vectorcall(ptr {self.symbol('python.failed').name}, ptr {self.xs.name}, i64 {self.n.name}, ptr null)"
        )
        code.write("ret ptr %again")
        code.block("slow")
        code.write(
            f"%slow_result = call ptr @PyObject_Vectorcall(ptr {self.symbol('python.slow').name}, ptr {self.xs.name}, i64 {self.n.name}, ptr null)"
        )
        code.write("ret ptr %slow_result")
        self.module.declare("PyObject_Vectorcall", "ptr {}(ptr, ptr, i64, ptr)")
        code.block("memory")
        code.write("%none = call ptr @PyErr_NoMemory()")
        self.module.declare("PyErr_NoMemory", "ptr {}()")
        code.write("ret ptr null")

    def _signals(self) -> None:
        """``i32 signals(ptr context)``: take Python's lock for a moment to see whether the user has pressed Ctrl-C."""
        code = Code(self.module, "signals", [(PTR, 0)], "i32", "internal", "nounwind noinline")
        self.code = code
        at = code.offset(code.params[0], 8)
        self.do("PyEval_RestoreThread", code.load(at, PTR))
        raised = self.python("PyErr_CheckSignals", I32)
        code.store(self.python("PyEval_SaveThread", PTR), at)
        flag = code.load(code.params[0], I64)
        failed = code.effect(f"trunc i64 {flag.name} to i32", I32)
        code.write(f"ret i32 {code.effect(f'select i1 {raised.ne(0).name}, i32 2, i32 {failed.name}', I32).name}")
        code.close()


# -- linking -----------------------------------------------------------------------------------------------------------------------


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
        return id(np.dtype(rest))
    if stem == "scalar":
        return id(np.dtype(rest).type)
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
        self._local = threading.local()

    def __call__(self, *xs: Any) -> list:
        if len(xs) == 1 and type(xs[0]) is list:
            xs = tuple(xs[0])
        if len(xs) != len(self.args):
            raise TypeError(f"The compiled graph takes {len(self.args)} arrays, but got {len(xs)}.")
        if getattr(self._local, "busy", False):
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
        self._local.busy = True
        try:
            return self.run(*fitted)
        finally:
            self._local.busy = False

    def _fit(self, i: int, spec: Spec, x: Any) -> Any:
        a = np.asarray(x)
        if a.shape != spec.shape or (
            a.dtype != spec.dtype
            and not (type(x) in (bool, int, float) and np.can_cast(a.dtype, spec.dtype, "same_kind"))
        ):
            raise TypeError(
                f"Input {i} of the compiled graph must be a {spec.dtype.name} array of shape {list(spec.shape)}, but is a {a.dtype.name} array of shape {list(a.shape)}."
            )
        if not spec.shape:
            return spec.dtype.type(a[()])
        a = np.require(a, requirements=["C", "A", "W"] if i in self.donate else ["C", "A"])
        if type(a) is not np.ndarray or a.dtype is not spec.dtype:
            a = a.view(np.ndarray).view(spec.dtype) if a.dtype.isnative else a.astype(spec.dtype)
        return np.array(a) if a.dtype is not spec.dtype else a
