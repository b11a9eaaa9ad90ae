"""Single rows on large arrays: what eager execution calls where native code beats NumPy.

A kernel is made for a row and a dtype, for arrays of any length: by the emitter that compiled graphs use, so that both give the same
bits. It is kept on disk as all native code is. Only rows that compute something, a polynomial or more, have one: where memory is the limit,
NumPy is as fast. As the row's ufunc does, it gives up Python's lock while it runs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from .emit import FEW, LIBM, Emitter, emitter_of
from .host import Unsupported, host
from .ir import I1, I32, I64, PTR, TYPES, Code, Module, Type, Val

EXCEPT = {"pow", "pow_slope"}  # NumPy's are faster


def kernel(name: str, inputs: int, dtype: str) -> Callable[[tuple, np.ndarray], None] | None:
    """``f(arrays, out)`` that computes the row ``name`` on C-contiguous arrays of one shape and dtype; None where NumPy does it as well.

    Raises:
        Unsupported: there is no native code on this machine.
    """
    t = TYPES.get(dtype)
    e = emitter_of(name, t)
    if t is None or e is None or t.kind != "f" or not FEW < e.cost < LIBM or e.can_fail or name in EXCEPT:
        return None
    from .compiling import link
    from .linking import imports
    from .parallel import BLOCK, MOST, WORTH
    from .threads import pool

    h = host()
    module = h.module()
    _write(module, e, inputs, t, h.lanes(t.size))
    code = link(h, module.text, imports(module.externals, [], {"parallel.dispatch": pool(h).dispatch}), ["run"])
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(code.addresses["run"])
    work = e.cost * t.size / 4 * 16 / h.lanes(4)  # nanoseconds an element
    table = ctypes.c_int64 * (inputs + 2)

    def f(arrays: tuple, out: np.ndarray) -> None:
        n = out.size
        blocks = min(MOST, int(n * work / BLOCK)) if n * work > WORTH else 1
        size = -(-n // (blocks * 64)) * 64
        places = [a.__array_interface__["data"][0] for a in (*arrays, out)]
        run(table(*places, n), size, -(-n // size))

    f.code = code  # type: ignore[attr-defined]  # which must live as long
    return f


def _write(module: Module, e: Emitter, inputs: int, t: Type, lanes: int) -> None:
    """``void run(ptr table, i64 size, i64 count)``: the table holds the addresses of inputs and output and the length; ``size`` is that of a block."""
    inner = Code(module, "blocks", [(PTR, 0), (I64, 0), (I64, 0)], "void", "internal", "nounwind")
    table, first, last = inner.params
    word = lambda i, t: inner.load(inner.offset(table, 8 * i), t)
    places, n, size = [word(i, PTR) for i in range(inputs + 1)], word(inputs + 1, I64), word(inputs + 2, I64)

    def vector(i: Val, mask: Val | None) -> None:
        at = [inner.offset(p, i, t.size) for p in places]
        inner.mask = mask
        inner.store(e.f(*[inner.load(p, t, lanes, mask) for p in at[:-1]]), at[-1], mask)
        inner.mask = None

    def block(b: Val, carried: list[Val]) -> list[Val]:
        start = b * size
        end = (start + size).intrinsic("smin", n)
        whole = start + ((end - start) & -lanes)
        inner.loop(start, whole, lanes, [], lambda i, _: (vector(i, None), [])[1])
        left = (end - whole).to(I32).spread(lanes)
        inner.when(end > whole, lambda: vector(whole, inner.lanes_of(range(lanes), I32) < left))
        return []

    inner.loop(first, last, 1, [], block)
    inner.write("ret void")
    inner.close()
    code = Code(module, "run", [(PTR, 0), (I64, 0), (I64, 0)], "void", "", "nounwind")
    given, each, count = code.params
    words = code.stack(8 * (inputs + 3), 16)
    for i in range(inputs + 2):
        code.store(code.load(code.offset(given, 8 * i), I64), code.offset(words, 8 * i))
    code.store(each, code.offset(words, 8 * (inputs + 2)))
    alone, shared, done = "alone", "shared", "done"
    code.branch(code.effect(f"icmp sle i64 {count.name}, 1", I1), alone, shared)
    code.block(alone)
    code.write(f"call void @blocks(ptr {words.name}, i64 0, i64 {count.name})")
    code.jump(done)
    code.block(shared)
    module.declare("parallel.dispatch", "void {}(ptr, ptr, i64)")
    code.write(f"call void @parallel.dispatch(ptr @blocks, ptr {words.name}, i64 {count.name})")
    code.jump(done)
    code.block(done)
    code.write("ret void")
    code.close()


def find(p: Any, dtype: str) -> Callable[[tuple, np.ndarray], None] | None:
    """The kernel of row ``p``; None where there is none."""
    return None if p.variadic else kernel(p.name, len(p.inputs), dtype)


__all__ = ["Unsupported", "find", "kernel"]
