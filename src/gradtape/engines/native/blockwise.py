"""Formulas of many rows over long arrays, without compiling each formula: rows in native code, block by block.

A formula becomes a list of steps ``row, where to, where from``; a native loop goes through the list once for every few hundred
elements, whose intermediate results stay in the processor's cache. A row's code (for one pattern of operands that are arrays or
single numbers) is made once and kept on disk, so making a formula ready takes microseconds a row, however long it is;
LLVM on a formula of a thousand rows takes seconds. It computes by the emitters that compiled graphs use. Rows without one
run their NumPy kernels in between.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .emit import FEW, LIBM, emitter_of
from .host import Unsupported, host
from .ir import F32, F64, I1, I64, PTR, Code, Module, Type, Val, where

BYTES = 1 << 18  # the intermediate results of one block should fit into the second-level cache
LEAST, MOST = 128, 1024  # elements of a block
SHARE = 1 << 14  # elements of a thread's turn, at least


class Step:
    """One row of a formula. Places are numbers: first those of intermediate results, then of inputs, outputs and constants.

    Args:
        name: the row.
        attrs: its attributes.
        to: the place of the result.
        ins: the places of the operands.
        singles: which operands are single numbers.
        bools: which of the operands, and last whether the result, are truth values. They are kept as 0 and 1.
        kernel: the row's NumPy kernel, for rows without native code.
    """

    __slots__ = ("attrs", "bools", "ins", "kernel", "name", "singles", "to")

    def __init__(
        self,
        name: str,
        attrs: dict[str, Any],
        to: int,
        ins: tuple[int, ...],
        singles: tuple[bool, ...],
        bools: tuple[bool, ...],
        kernel: Callable,
    ) -> None:
        self.name, self.attrs, self.to, self.ins, self.singles, self.bools, self.kernel = (
            name,
            attrs,
            to,
            ins,
            singles,
            bools,
            kernel,
        )


# -- the rows --------------------------------------------------------------------------------------------------------------

_SIGNATURE = [(PTR, 0), (PTR, 0), (PTR, 0), (PTR, 0), (I64, 0)]


def _symbol(name: str, attrs: dict[str, Any], singles: tuple[bool, ...], bools: tuple[bool, ...]) -> str:
    shape = "".join(("s" if s else "v") + ("b" if b else "") for s, b in zip(singles, bools, strict=False)) + (
        "_b" if bools[-1] else ""
    )
    extra = "_".join(f"{k}{v!r}" for k, v in sorted(attrs.items()))
    return f"row.{name}.{shape}" + (f".{extra.encode().hex()}" if extra else "")


def _write_row(
    module: Module,
    symbol: str,
    name: str,
    attrs: dict[str, Any],
    t: Type,
    lanes: int,
    singles: tuple[bool, ...],
    bools: tuple[bool, ...],
) -> None:
    """``void row(ptr to, ptr a, ptr b, ptr c, i64 n)``."""
    kind = next((t for b in bools[:-1] if not b), None)
    e = emitter_of(name, kind or I1)
    assert e is not None
    code = Code(module, symbol, _SIGNATURE, "void", "", "nounwind")
    to, *places, n = code.params
    fixed = [code.load(p, t) if s else None for p, s in zip(places, singles, strict=False)]

    def vector(i: Val, mask: Val | None) -> None:
        code.mask = mask
        xs = []
        for p, single, bool_ in zip(places, fixed, bools, strict=False):
            x = single.spread(lanes) if single is not None else code.load(code.offset(p, i, t.size), t, lanes, mask)
            xs.append(x.ne(0.0) if bool_ else x)
        y = e.f(*xs, **attrs)
        if bools[-1]:
            y = where(y.spread(lanes), code.const(1.0, t, lanes), code.const(0.0, t, lanes))
        code.store(y.spread(lanes), code.offset(to, i, t.size), mask)
        code.mask = None

    # of cheap rows two vectors at a time: the loop costs as much as an addition
    step = 2 * lanes if e.cost <= FEW else lanes
    whole = code.pure(f"and i64 {n.name}, {-step}", I64)
    with code.scope():
        code.loop(0, whole, step, [], lambda i, _: ([vector(i + k, None) for k in range(0, step, lanes)], [])[1])
    count = code.lanes_of(range(lanes), I64)
    with code.scope():
        left = code.pure(f"sub i64 {n.name}, {whole.name}", I64)
        ends = code.pure(f"and i64 {(left + (lanes - 1)).name}, {-lanes}", I64)
        code.loop(whole, whole + ends, lanes, [], lambda i, _: (vector(i, count < (n - i).spread(lanes)), [])[1])
    code.write("ret void")
    code.close()


# -- the loop over blocks and steps ------------------------------------------------------------------------------------------

# The table, in words of 8 bytes: 0 the steps, of 5 words each (row, to, a, b, c: places), 1 their number, 2 for each place its address, 3 how many bytes it
# goes on for each element (0: a single number), 4 the number of places, 5 how many of them are intermediate results, 6 the elements of a block,
# 7 the bytes of an element, 8 all elements, 9 the elements of a turn, 10 a flag: out of memory.
_LOOP = """
declare ptr @malloc(i64)
declare void @free(ptr)
declare i64 @llvm.umin.i64(i64, i64)

define internal void @turns(ptr %table, i64 %first, i64 %last) nounwind {
entry:
  %steps = load ptr, ptr %table
  %w1 = getelementptr i64, ptr %table, i64 1
  %count = load i64, ptr %w1
  %w2 = getelementptr i64, ptr %table, i64 2
  %bases = load ptr, ptr %w2
  %w3 = getelementptr i64, ptr %table, i64 3
  %strides = load ptr, ptr %w3
  %w4 = getelementptr i64, ptr %table, i64 4
  %places = load i64, ptr %w4
  %w5 = getelementptr i64, ptr %table, i64 5
  %kept = load i64, ptr %w5
  %w6 = getelementptr i64, ptr %table, i64 6
  %block = load i64, ptr %w6
  %w7 = getelementptr i64, ptr %table, i64 7
  %size = load i64, ptr %w7
  %w8 = getelementptr i64, ptr %table, i64 8
  %n = load i64, ptr %w8
  %w9 = getelementptr i64, ptr %table, i64 9
  %turn = load i64, ptr %w9
  %w10 = getelementptr i64, ptr %table, i64 10
  %each = mul i64 %block, %size
  %rooms = mul i64 %each, %kept
  %words = mul i64 %places, 8
  %some = add i64 %rooms, %words
  %all = add i64 %some, 128
  %memory = call ptr @malloc(i64 %all)
  %none = icmp eq ptr %memory, null
  br i1 %none, label %failed, label %fine
failed:
  store i64 1, ptr %w10
  ret void
fine:
  %address = ptrtoint ptr %memory to i64
  %up = add i64 %address, 63
  %aligned = and i64 %up, -64
  %now = inttoptr i64 %aligned to ptr
  %after = add i64 %aligned, %words
  %up2 = add i64 %after, 63
  %room = and i64 %up2, -64
  %somekept = icmp sgt i64 %kept, 0
  br i1 %somekept, label %place, label %begin
place:
  %k = phi i64 [ 0, %fine ], [ %k1, %place ]
  %koff = mul i64 %k, %each
  %kat = add i64 %room, %koff
  %kp = getelementptr i64, ptr %now, i64 %k
  store i64 %kat, ptr %kp
  %k1 = add i64 %k, 1
  %kmore = icmp slt i64 %k1, %kept
  br i1 %kmore, label %place, label %begin
begin:
  %start = mul i64 %first, %turn
  %stop0 = mul i64 %last, %turn
  %stop = call i64 @llvm.umin.i64(i64 %stop0, i64 %n)
  %any = icmp slt i64 %start, %stop
  br i1 %any, label %blocks, label %done
blocks:
  %at = phi i64 [ %start, %begin ], [ %next, %blockend ]
  %rest = sub i64 %stop, %at
  %m = call i64 @llvm.umin.i64(i64 %rest, i64 %block)
  br label %slide
slide:
  %s = phi i64 [ %kept, %blocks ], [ %s1, %sliding ]
  %smore = icmp slt i64 %s, %places
  br i1 %smore, label %sliding, label %run
sliding:
  %bp = getelementptr i64, ptr %bases, i64 %s
  %base = load i64, ptr %bp
  %tp = getelementptr i64, ptr %strides, i64 %s
  %stride = load i64, ptr %tp
  %off = mul i64 %stride, %at
  %to = add i64 %base, %off
  %np = getelementptr i64, ptr %now, i64 %s
  store i64 %to, ptr %np
  %s1 = add i64 %s, 1
  br label %slide
run:
  %i = phi i64 [ 0, %slide ], [ %i1, %step ]
  %imore = icmp slt i64 %i, %count
  br i1 %imore, label %step, label %blockend
step:
  %i5 = mul i64 %i, 5
  %fp = getelementptr i64, ptr %steps, i64 %i5
  %f = load ptr, ptr %fp
  %dp = getelementptr i64, ptr %fp, i64 1
  %d = load i64, ptr %dp
  %dst.p = getelementptr i64, ptr %now, i64 %d
  %dst = load ptr, ptr %dst.p
  %ap = getelementptr i64, ptr %fp, i64 2
  %a = load i64, ptr %ap
  %x.p = getelementptr i64, ptr %now, i64 %a
  %x = load ptr, ptr %x.p
  %bq = getelementptr i64, ptr %fp, i64 3
  %b = load i64, ptr %bq
  %y.p = getelementptr i64, ptr %now, i64 %b
  %y = load ptr, ptr %y.p
  %cp = getelementptr i64, ptr %fp, i64 4
  %c = load i64, ptr %cp
  %z.p = getelementptr i64, ptr %now, i64 %c
  %z = load ptr, ptr %z.p
  call void %f(ptr %dst, ptr %x, ptr %y, ptr %z, i64 %m)
  %i1 = add i64 %i, 1
  br label %run
blockend:
  %next = add i64 %at, %m
  %more = icmp slt i64 %next, %stop
  br i1 %more, label %blocks, label %done
done:
  call void @free(ptr %memory)
  ret void
}

define void @run(ptr %table, i64 %count, ptr %dispatch) nounwind {
  %alone = icmp eq ptr %dispatch, null
  br i1 %alone, label %here, label %shared
here:
  call void @turns(ptr %table, i64 0, i64 %count)
  ret void
shared:
  call void %dispatch(ptr @turns, ptr %table, i64 %count)
  ret void
}
"""


class Library:
    """The rows of one float type that have been made, and the loop.

    Args:
        t: the type.
    """

    def __init__(self, t: Type) -> None:
        from .compiling import link
        from .linking import imports

        self.t, self.h = t, host()
        self.lanes = self.h.lanes(t.size)
        self.keep: list[Any] = []
        self.rows: dict[Any, int] = {}
        code = link(self.h, _LOOP, imports({"malloc", "free"}, [], {}), ["run"])
        self.keep.append(code)
        # a ctypes function gives up Python's lock while it runs
        self.run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)(code.addresses["run"])

    def row(self, s: Step) -> int | None:
        """The address of the code of a step's row; None where it has none."""
        key = (s.name, s.singles, s.bools, *s.attrs.items()) if s.attrs else (s.name, s.singles, s.bools)
        at = self.rows.get(key)
        if at is None:
            if not has_code(s.name, s.bools, self.t) or len(s.ins) > 3:
                return None
            from .compiling import link
            from .linking import imports

            module, symbol = self.h.module(), _symbol(s.name, s.attrs, s.singles, s.bools)
            _write_row(module, symbol, s.name, s.attrs, self.t, self.lanes, s.singles, s.bools)
            code = link(self.h, module.text, imports(module.externals, [], {}), [symbol])
            self.keep.append(code)
            at = self.rows[key] = code.addresses[symbol]
        return at


def has_code(name: str, bools: tuple[bool, ...], t: Type) -> bool:
    """Whether there is native code for a row on operands of these kinds."""
    e = emitter_of(name, t if not all(bools[:-1]) else I1)
    return e is not None and not e.can_fail and e.cost <= LIBM


@functools.cache
def library(dtype: str) -> Library:
    """The rows for "float32" or "float64".

    Raises:
        Unsupported: there is no native code on this machine.
    """
    return Library(F32 if dtype == "float32" else F64)


# -- a formula ready to run ----------------------------------------------------------------------------------------------------


class Formula:
    """Steps made ready.

    Args:
        steps: in an order in which they can run.
        kept: how many places there are for intermediate results; their numbers come first.
        inputs: how many inputs; theirs come next.
        outputs: how many outputs; theirs come next.
        consts: the constants; their places come last.
        dtype: "float32" or "float64".

    Raises:
        Unsupported: there is no native code on this machine.
    """

    def __init__(
        self, steps: Sequence[Step], kept: int, inputs: int, outputs: int, consts: Sequence[float], dtype: str
    ) -> None:
        lib = library(dtype)
        self.lib, self.kept, self.inputs, self.outputs = lib, kept, inputs, outputs
        self.type = np.dtype(dtype)
        self.consts = np.array(list(consts) or [0.0], self.type)
        self.places = kept + inputs + outputs + len(self.consts)
        self.errors: list[BaseException] = []
        self.callbacks: list[Any] = []
        words: list[int] = []
        for s in steps:
            at = lib.row(s)
            ins = (*s.ins, 0, 0, 0)[:3] if len(s.ins) <= 3 else s.ins[:3]
            words += (at if at is not None else self._through_python(s), s.to, *ins)
        self.words = (ctypes.c_int64 * max(1, len(words)))(*words)
        self.count = len(steps)
        size = self.type.itemsize
        block = min(MOST, max(LEAST, BYTES // (size * max(1, kept))))
        self.block = 4096 if self.callbacks else block & -64

    def _through_python(self, s: Step) -> int:
        """The address of a function that runs a row's NumPy kernel."""
        if len(s.ins) > 3:
            raise Unsupported(f"{s.name} has more than three operands")
        t = ctypes.c_double if self.type.itemsize == 8 else ctypes.c_float

        def run(to: int, a: int, b: int, c: int, n: int) -> None:
            try:
                xs = []
                for at, single, bool_ in zip((a, b, c), s.singles, s.bools, strict=False):
                    x: Any = np.ctypeslib.as_array((t * (1 if single else n)).from_address(at))
                    x = x[0] if single else x
                    xs.append(x != 0 if bool_ else x)
                with np.errstate(all="ignore"):
                    np.ctypeslib.as_array((t * n).from_address(to))[...] = s.kernel(*xs, **s.attrs)
            except BaseException as error:
                self.errors.append(error)

        word = ctypes.c_int64
        made = ctypes.CFUNCTYPE(None, word, word, word, word, word)(run)
        self.callbacks.append(made)
        return ctypes.cast(made, ctypes.c_void_p).value or 0

    def __call__(self, arrays: Sequence[Any], n: int) -> list[np.ndarray]:
        """Run.

        Args:
            arrays: the inputs: contiguous arrays of ``n`` elements of the formula's dtype, or of one, which is then a single number.
            n: the number of elements.

        Returns:
            The outputs, arrays of ``n`` elements.
        """
        outs = [np.empty(n, self.type) for _ in range(self.outputs)]
        size, at = self.type.itemsize, self.consts.__array_interface__["data"][0]
        bases = [0] * self.kept
        strides = [0] * self.kept
        for a, moving in (*[(a, a.size == n and n > 1) for a in arrays], *[(a, True) for a in outs]):
            bases.append(a.__array_interface__["data"][0])
            strides.append(size if moving else 0)
        bases += range(at, at + size * len(self.consts), size)
        strides += [0] * len(self.consts)
        count = 1 if self.callbacks or n < 2 * SHARE else min(64, n // SHARE)
        turn = -(-n // count)
        turn = -(-turn // self.block) * self.block
        words = ctypes.c_int64 * self.places
        b, s = words(*bases), words(*strides)
        table = (ctypes.c_int64 * 11)(
            ctypes.addressof(self.words), self.count, ctypes.addressof(b), ctypes.addressof(s), self.places, self.kept, self.block, size, n, turn, 0
        )  # fmt: skip
        turns = -(-n // turn) if n else 0
        dispatch = None
        if turns > 1:
            from .threads import pool

            dispatch = pool(self.lib.h).dispatch
        self.lib.run(table, turns, dispatch)
        if table[10]:
            raise MemoryError("no memory for the intermediate results of a formula")
        if self.errors:
            error = self.errors[0]
            self.errors.clear()
            raise error
        return outs


__all__ = ["Formula", "Step", "Unsupported", "has_code", "library"]
