"""The door between Python and a program: a C function for Python, written in IR.

It checks the arguments (type, dtype, shape, layout) by reading the objects' fields, allocates the outputs through NumPy, releases
Python's lock for long programs, runs the program and returns a list. Arguments that do not fit go to a Python function, which
makes them fit or raises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .control import NO_MEMORY, SLOT, SLOTS
from .ir import I1, I32, I64, PTR, TYPES, Code, Val
from .linking import (
    ALIGNED,
    CONTIGUOUS,
    DATA,
    DIMS,
    DTYPE,
    FLAGS,
    LIST_ITEMS,
    LIST_SIZE,
    OWNED,
    RANK,
    SCALAR,
    TYPE,
    WRITEABLE,
    Spec,
)
from .program import FIRST, Written

STACK = 32768  # arenas up to this size lie on the stack
RELEASE = 3e4  # nanoseconds of work for which Python's lock is released


def write_entry(w: Written, args: list[Spec], outs: list[Spec], donate: dict[int, int], slots: int) -> None:
    """Write ``ptr entry(ptr self, ptr args, i64 n)`` into the program's module. ``slots``: how many stacks it makes."""
    Door(w, args, outs, donate, slots).write()


class Door:
    """Writes the entry function."""

    def __init__(self, w: Written, args: list[Spec], outs: list[Spec], donate: dict[int, int], slots: int) -> None:
        self.w, self.module, self.args, self.outs, self.slots = w, w.module, args, outs, slots
        self.first_out = FIRST + len(w.plan.body.args)
        self.donated = {j: i for i, j in donate.items() if args[i].shape}
        self.release = w.nanoseconds > RELEASE or "@signals" in w.module.text
        self.code = Code(w.module, "entry", [(PTR, 0), (PTR, 0), (I64, 0)], "ptr", "", "nounwind noinline optnone")

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
        code.branch(self.same(self.field(only, TYPE), self.symbol("PyList_Type")), opened, ready)
        code.block(opened)
        items, length = self.field(only, LIST_ITEMS), self.field(only, LIST_SIZE, I64)
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
        table = code.stack(8 * (self.first_out + len(w.plan.outs)), 16)
        context = self.context = code.stack(SLOTS + SLOT * self.slots, 16)
        code.store(code.int(0), context)
        for i in range(2 * self.slots):
            code.store(code.int(0), code.offset(context, SLOTS + 8 * i))
        self._put(table, 0, context)
        for i, p in enumerate(self._places(objects, data)):
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
        self._copy_stacks(results, table)
        self._free_stacks()
        out = self.python("PyList_New", PTR, code.int(len(self.outs)))
        self.need(code.effect(f"icmp ne ptr {out.name}, null", I1), "memory")
        items = self.field(out, LIST_ITEMS)
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
                self.need(self.same(self.field(x, TYPE), self.symbol(f"scalar.{a.dtype.name}")))
                data.append(code.offset(x, SCALAR))
                continue
            self.need(self.same(self.field(x, TYPE), self.symbol("numpy.ndarray")))
            flags = CONTIGUOUS | ALIGNED | (OWNED | WRITEABLE if i in self.donated.values() else 0)
            fits = self.same(self.field(x, DTYPE), self.symbol(f"dtype.{a.dtype.name}"))
            fits = fits & (self.field(x, FLAGS, I32) & flags).eq(flags) & self.field(x, RANK, I32).eq(len(a.shape))
            self.need(fits)
            dims = self.field(x, DIMS)
            fits = code.const(1, I1)
            for k, d in enumerate(a.shape):
                if d is not None:
                    fits = fits & self.field(dims, 8 * k, I64).eq(d)
            self.need(fits)
            data.append(self.field(x, DATA))
        for i in self.donated.values():
            for k, other in enumerate(self.args):
                if k != i and other.shape and 0 not in other.shape and 0 not in self.args[i].shape:
                    self.need(~self.same(data[i], data[k]))
        return data

    def _places(self, objects: list[Val], data: list[Val]) -> list[Val]:
        """What the table says of the arguments: where their elements are, for a stack where its object tells that; behind all how many rows stacks have."""
        stacks = [x for a, x in zip(self.args, objects, strict=True) if a.stack]
        at = [self.code.offset(x, DATA) if a.stack else p for a, x, p in zip(self.args, objects, data, strict=True)]
        return at + [self.field(x, DIMS) for x in stacks]

    def _allocate(self, objects: list[Val], data: list[Val], table: Val) -> dict[int, Val]:
        """New arrays for the outputs that need one, and the addresses of all in the table."""
        code, results = self.code, {}
        for j, o in enumerate(self.outs):
            if j in self.donated:
                place = data[self.donated[j]]
            elif o.source[0] in ("arg", "same"):
                continue
            elif not o.shape or o.stack:
                place = code.stack(8, 8)
            else:
                dims = f"@dims.{j}"
                self.module.declared[dims] = (
                    f"{dims} = private unnamed_addr constant [{len(o.shape)} x i64] [{', '.join(f'i64 {d}' for d in o.shape)}]"
                )
                a = results[j] = self._new_array(o, Val(code, dims, PTR, 0))
                ok, bad = code.fresh("ok"), code.fresh("short")
                code.branch(code.effect(f"icmp ne ptr {a.name}, null", I1), ok, bad)
                code.block(bad)
                for k, b in results.items():
                    if k != j:
                        self.do("Py_DecRef", b)
                code.write("ret ptr null")
                code.block(ok)
                place = self.field(a, DATA)
            self._put(table, self.first_out + j, place)
        for j in range(len(self.outs), len(self.w.plan.outs)):  # how many rows stacks have
            self._put(table, self.first_out + j, code.stack(8, 8))
        return results

    def _new_array(self, o: Spec, dims: Val) -> Val:
        code, dtype = self.code, self.symbol(f"dtype.{o.dtype.name}")
        self.do("Py_IncRef", dtype)  # which the new array will own
        rank, none = code.const(len(o.shape), I32), self.null()
        kind = self.symbol("numpy.ndarray")
        return self.python("PyArray_NewFromDescr", PTR, kind, dtype, rank, dims, none, none, code.const(0, I32), none)

    def _copy_stacks(self, results: dict[int, Val], table: Val) -> None:
        """Arrays of the stacks among the outputs."""
        code = self.code
        for i, j in enumerate([j for j, o in enumerate(self.outs) if o.stack]):
            o = self.outs[j]
            rows = self.field(self.field(table, 8 * (self.first_out + len(self.outs) + i)), 0, I64)
            dims = code.stack(8 * len(o.shape), 8)
            for k, d in enumerate(o.shape):
                code.store(rows if d is None else code.int(d), code.offset(dims, 8 * k))
            a = results[j] = self._new_array(o, dims)
            self.need(code.effect(f"icmp ne ptr {a.name}, null", I1), "memory")
            source = self.field(self.field(table, 8 * (self.first_out + j)), 0)
            row = math.prod(d for d in o.shape if d is not None) * TYPES[o.dtype.name].size
            code.call("memcpy", PTR, 0, [self.field(a, DATA), source, rows * row], pure=False)

    def _free_stacks(self) -> None:
        for i in range(self.slots):
            self.do("PyMem_RawFree", self.field(self.context, SLOTS + SLOT * i))

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
                place = self.field(table, 8 * (self.first_out + j))
                x = self.python("PyArray_Scalar", PTR, place, self.symbol(f"dtype.{o.dtype.name}"), self.null())
            else:
                x = results[j]
            final[j] = x
            code.store(x, code.offset(items, 8 * j))

    def _exits(self, results: dict[int, Val], status: Val) -> None:
        code = self.code
        code.block("bad")
        for j, r in results.items():
            if not self.outs[j].stack:
                self.do("Py_DecRef", r)
        self._free_stacks()
        code.branch(status.eq(NO_MEMORY), "memory", "known")
        code.block("known")
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
