"""Large loops cut into blocks for threads: a function for a range of blocks, and what joins their partial results.

The blocks depend on the loop alone, so a sum is the same for any number of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fusion import Group
from .ir import F64, I64, PTR, Code, Type, Val
from .loops import CHUNK, Nest
from .plan import ALIGN

if TYPE_CHECKING:
    from .program import TableFrame

WORTH = 1e5  # nanoseconds of work from which on a loop is shared
BLOCK = 1.5e4  # nanoseconds of a block, at least
MOST = 64  # blocks


class Blocks:
    """How a group's outermost loop is cut, and where the partial results of its folds lie in the arena."""

    def __init__(self, nest: Nest, nanoseconds: float, at: int) -> None:
        d = nest.order[0]
        n = nest.length[d]
        unit = nest.lanes * nest.unroll * (CHUNK if any(nest.wide) else 1) if d == nest.vector and nest.lanes else 1
        wanted = max(1, min(MOST, int(nanoseconds / BLOCK)))
        self.size = max(1, -(-n // (wanted * unit))) * unit
        self.count = n // self.size if unit > 1 else -(-n // self.size)
        self.rest = self.count * self.size if unit > 1 and self.count * self.size < n else None
        self.n = n
        self.places: dict[int, tuple[int, int, Type]] = {}  # by fold: offset, bytes for each block, type
        for i, f in enumerate(nest.folds):
            if nest.reduced[i][d]:
                t = F64 if nest.wide[i] and f.out.scalar else f.out.t
                each = t.size if f.out.scalar else f.out.bytes
                self.places[i] = (at, each, t)
                at += (each * (self.count + 1) + ALIGN - 1) // ALIGN * ALIGN
        self.end = at

    @property
    def worth(self) -> bool:
        """Whether there is something to share."""
        return self.count > 1

    def partial(self, frame: TableFrame, block: Val | int) -> dict[int, Val]:
        """Where a block's partial results go."""
        code = frame.code
        return {
            i: code.offset(
                code.offset(frame.arena, at),
                block if isinstance(block, int) else block * each,
                each if isinstance(block, int) else 1,
            )
            for i, (at, each, _) in self.places.items()
        }


def write_blocks(frame: TableFrame, kernel_frame: TableFrame, group: Group, blocks: Blocks, name: str) -> None:
    """Write the function of a range of blocks, and in the frame's code its dispatch and what comes after."""
    inner = kernel_frame.code
    _, first, last = inner.params

    def block(b: Val, carried: list[Val]) -> list[Val]:
        lo = b * blocks.size
        hi = lo + blocks.size
        if blocks.rest is None and blocks.count * blocks.size > blocks.n:
            hi = inner.effect(f"call i64 @llvm.smin.i64(i64 {hi.name}, i64 {blocks.n})", I64)
            inner.module.declare("llvm.smin.i64", "i64 {}(i64, i64)")
        Nest(kernel_frame, group, (lo, hi), blocks.partial(kernel_frame, b)).write()
        return []

    inner.loop(first, last, 1, [], block)
    inner.write("ret void")
    inner.close()

    code = frame.code
    nest = Nest(frame, group)
    shared = [i for i in range(len(nest.folds)) if i not in blocks.places]
    nest.begin(shared)
    code.module.declare("parallel.dispatch", "void {}(ptr, ptr, i64)")
    code.write(f"call void @parallel.dispatch(ptr @{name}, ptr {code.params[0].name}, i64 {blocks.count})")
    count = blocks.count
    if blocks.rest is not None:
        Nest(frame, group, (blocks.rest, None), blocks.partial(frame, count)).write()
        count += 1
    for i, (at, each, t) in blocks.places.items():
        f = nest.folds[i]
        start = code.offset(frame.arena, at)
        combine = f.reducer.combine
        if f.out.scalar:

            def join(b: Val, carried: list[Val], start: Val = start, t: Type = t, combine=combine) -> list[Val]:  # type: ignore[no-untyped-def]
                return [combine(carried[0], code.load(code.offset(start, b, t.size), t))]

            zero = code.const(f.reducer.start(f.out.t), t)
            total = code.loop(0, count, 1, [zero], join)[0].to(f.out.t)
            frame.define(f.out, f.reducer.finish(total, f.count) if f.reducer.finish else total)
        else:
            nest.begin([i])

            def add(
                b: Val, carried: list[Val], i: int = i, start: Val = start, each: int = each, combine=combine
            ) -> list[Val]:  # type: ignore[no-untyped-def]
                nest._over(i, combine, code.offset(start, b * each))
                return []

            code.loop(0, count, 1, [], add)
    nest.end(range(len(nest.folds)))


def kernel(frame: TableFrame, name: str) -> Code:
    """The code of a range of blocks: ``void name(ptr table, i64 first, i64 last)``."""
    code = Code(frame.code.module, name, [(PTR, 0), (I64, 0), (I64, 0)], "void", "internal", "nounwind")
    code.flags = frame.code.flags
    return code
