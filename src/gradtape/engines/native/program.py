"""Writes a planned graph as functions: scalars in registers, buffers by address, groups one after the other.

The whole program is ``i32 program(ptr table)``. The table holds addresses: of the context (a flag for failures, the thread state
of Python while its lock is released, slots for stacks), of the arena, of the inputs and of the outputs. A large program is parted into several
such functions, for compilation takes more than linear time. It returns 0; 1 where a kernel would have raised; 2, with Python's error set, where the
user pressed Ctrl-C; 3 where there is no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .control import write_branch, write_while
from .cost import cost
from .fusion import Group
from .ir import I1, I8, I32, I64, PTR, Code, Module, Type, Val
from .loops import Nest
from .matmul import write_product
from .ops import Body, Branch, Buf, Fold, Map, View, While
from .outline import call_shared, mark_shared
from .parallel import WORTH, Blocks, kernel, write_blocks
from .plan import Plan, plan
from .rows import write_rows

CONTEXT, ARENA, FIRST = 0, 1, 2  # places in the table
PART = 120  # groups of one function


class Frame:
    """Where the values of one planned body are, while its code is written."""

    def __init__(self, code: Code, p: Plan, host: Any, context: Callable[[], Val]) -> None:
        self.code, self.plan, self.host, self.context = code, p, host, context
        self.scalars: dict[Buf, Val] = {}
        self.kept: dict[Buf, int] = {}  # scalars that other functions need, and where in the arena

    lanes = property(lambda self: self.host.lanes)
    wide_registers = property(lambda self: self.host.width == 64)

    @property
    def arena(self) -> Val:
        """The address of this body's block of memory."""
        raise NotImplementedError

    def argument(self, i: int) -> Val:
        """The address of an input's elements."""
        raise NotImplementedError

    def scalar_argument(self, b: Buf) -> Val:
        """The value of a scalar input."""
        raise NotImplementedError

    def output(self, j: int) -> Val:
        """The address where an output goes."""
        raise NotImplementedError

    def base(self, b: Buf) -> Val:
        """The address of a buffer."""
        kind, n = self.plan.place[b]
        if kind == "arg":
            return self.argument(n)
        if kind == "out":
            return self.output(n)
        if kind == "const":
            return Val(self.code, self.code.module.external(f"const.{n}"), PTR, 0)
        return self.code.offset(self.arena, n)

    def scratch(self, g: Group) -> Val:
        """The address of a group's own memory."""
        return self.code.offset(self.arena, g.scratch_at)

    def pointer(self, v: View) -> Val:
        """The address of a view's first element."""
        assert v.buf is not None
        return self.code.offset(self.base(v.buf), v.offset, v.t.size)

    def scalar(self, b: Buf) -> Val:
        """The value of a buffer of one element."""
        v = self.scalars.get(b)
        if v is None:
            if b.kind == "arg":
                v = self.scalar_argument(b)
            elif b.kind == "const":
                return self.code.load(self.base(b), b.t)
            else:
                v = self.early(
                    self.code.early(f"getelementptr i8, ptr {self.arena.name}, i64 {self.kept[b]}", PTR), b.t
                )
            self.scalars[b] = v
        return v

    def early(self, p: Val, t: Type) -> Val:
        """What lies at ``p`` when the function begins."""
        if t.kind == "b":
            byte = self.code.early(f"load i8, ptr {p.name}", I8)
            return self.code.early(f"icmp ne i8 {byte.name}, 0", t)
        return self.code.early(f"load {t.llvm}, ptr {p.name}, align {t.size}", t)

    def value(self, v: View) -> Val:
        """The value of a view of one element."""
        if v.buf is None:
            return self.code.const(v.const, v.t)
        return self.scalar(v.buf) if v.buf.scalar else self.code.load(self.pointer(v), v.t)

    def define(self, b: Buf, v: Val, memory: bool = False) -> None:
        """A scalar has been computed."""
        self.scalars[b] = v
        if b in self.kept:
            self.code.store(v, self.code.offset(self.arena, self.kept[b]))
        if b in self.plan.place and (memory or self.plan.place[b][0] in ("out", "arena")):
            self.code.store(v, self.base(b))

    def write(self, groups: Sequence[Group]) -> None:
        """Write groups in order."""
        for g in groups:
            if g.blocks is not None:
                self._write_blocks(g)
            elif g.shared:
                call_shared(self, g, WRITERS[g.kind])
            else:
                WRITERS[g.kind](self, g)

    def _write_blocks(self, g: Group) -> None:
        raise NotImplementedError

    def result(self, j: int) -> Val | None:
        """The value of a scalar output; None for one that has been written to memory."""
        kind, v = self.plan.outs[j]
        return self.value(v) if kind == "scalar" else None  # type: ignore[arg-type]


class TableFrame(Frame):
    """The frame of a function that gets the table."""

    def __init__(self, code: Code, p: Plan, host: Any) -> None:
        super().__init__(code, p, host, lambda: self.entry(CONTEXT))
        code.failure = lambda: self.entry(CONTEXT)

    def entry(self, i: int) -> Val:
        """The ``i``-th address of the table."""
        at = self.code.early(f"getelementptr ptr, ptr %a0, i64 {i}", PTR)
        return self.code.early(f"load ptr, ptr {at.name}", PTR)

    arena = property(lambda self: self.entry(ARENA))  # type: ignore[assignment]

    def argument(self, i: int) -> Val:
        return self.entry(FIRST + i)

    def scalar_argument(self, b: Buf) -> Val:
        return self.early(self.argument(b.index), b.t)

    def output(self, j: int) -> Val:
        return self.entry(FIRST + len(self.plan.body.args) + j)

    def _write_blocks(self, g: Group) -> None:
        name = f"blocks{g.number}"
        other = TableFrame(kernel(self, name), self.plan, self.host)
        other.kept = self.kept
        write_blocks(self, other, g, g.blocks, name)


class InnerFrame(Frame):
    """The frame of a body inside control flow: its inputs are values and addresses of the surrounding code."""

    def __init__(self, outer: Frame, p: Plan, arena: Val, args: Sequence[Val], outs: Sequence[Val | None]) -> None:
        super().__init__(outer.code, p, outer.host, outer.context)
        self._arena, self.args, self.outs = arena, args, outs

    arena = property(lambda self: self._arena)  # type: ignore[assignment]

    def argument(self, i: int) -> Val:
        return self.args[i]

    def scalar_argument(self, b: Buf) -> Val:
        return self.args[b.index]

    def output(self, j: int) -> Val:
        v = self.outs[j]
        assert v is not None
        return v

    def run(self) -> list[Val | None]:
        """Write the body; gives its scalar outputs."""
        self.write(self.plan.groups)
        return [self.result(j) for j in range(len(self.plan.outs))]


# -- groups ------------------------------------------------------------------------------------------------------------------


def _write_scalars(frame: Frame, g: Group) -> None:
    code = frame.code
    for op in g.ops:
        if isinstance(op, Map):
            r = op.f(code.int(0)) if op.iota is not None else op.f(*[frame.value(v) for v in op.reads], **op.attrs)
            if op.writes[0].scalar:
                frame.define(op.writes[0], r)
            else:
                code.store(r, frame.pointer(op.out))
        elif isinstance(op, Fold):
            x = frame.value(op.reads[0])
            r = op.reducer.combine(x.like(op.reducer.start(x.t)), x)
            frame.define(op.out, op.reducer.finish(r, 1) if op.reducer.finish else r)


def _write_control(frame: Frame, g: Group) -> None:
    op = g.ops[0]
    if isinstance(op, While):
        write_while(frame, op, frame.scratch(g), InnerFrame)
    elif isinstance(op, Branch):
        write_branch(frame, op, frame.scratch(g), InnerFrame)


WRITERS: dict[str, Callable[[Frame, Group], None]] = {
    "scalar": _write_scalars,
    "loop": lambda frame, g: Nest(frame, g).write(),
    "product": write_product,
    "control": _write_control,
    "rows": write_rows,
}

# -- the program -----------------------------------------------------------------------------------------------------------------


class Written:
    """A program as IR, and what the code that calls it must know."""

    def __init__(self, module: Module, p: Plan, size: int, nanoseconds: float) -> None:
        self.module, self.plan, self.arena, self.nanoseconds = module, p, size, nanoseconds


def write_program(body: Body, host: Any, donate: dict[int, int], fast_math: bool) -> Written:
    """Write ``i32 program(ptr table)`` for a body."""
    module = host.module()
    p = plan(body, donate)
    parts = [p.groups[i : i + PART] for i in range(0, len(p.groups), PART)] or [[]]
    size, kept = p.size, {}
    for g in p.groups:
        nanoseconds = cost(g, p, host)
        if g.kind == "loop" and nanoseconds > WORTH:
            blocks = Blocks(Nest(TableFrame(Code(module, "", []), p, host), g), nanoseconds, size)
            if blocks.worth:
                g.blocks, size = blocks, blocks.end
                for op in g.ops:
                    for v in op.reads:
                        if v.buf is not None and v.buf.scalar and v.buf.kind == "temp" and v.buf not in kept:
                            kept[v.buf] = size
                            size += 8
    mark_shared(p)
    if len(parts) > 1:
        part_of = {b: k for k, groups in enumerate(parts) for g in groups for b in g.writes if b.scalar}
        users = [(v.buf, k) for k, groups in enumerate(parts) for g in groups for op in g.ops for v in op.reads]
        users += [(v.buf, len(parts) - 1) for v in body.outs]
        for b, k in users:
            if b is not None and b.scalar and part_of.get(b, k) != k and b not in kept:
                kept[b] = size
                size += 8
    main = Code(module, "program", [(PTR, 0)], "i32", "internal", "nounwind")
    frame = TableFrame(main, p, host)
    for k, groups in enumerate(parts):
        code = main if len(parts) == 1 else Code(module, f"part{k}", [(PTR, 0)], "i32", "internal", "nounwind noinline")
        code.flags = "reassoc contract " if fast_math else ""
        frame = TableFrame(code, p, host)
        frame.kept = kept
        frame.write(groups)
        if k == len(parts) - 1:
            for j in range(len(p.outs)):
                v = frame.result(j)
                if v is not None:
                    code.store(v, frame.output(j))
        if code is not main:
            code.write("ret i32 0")
            code.close()
            status = main.effect(f"call i32 @part{k}(ptr %a0)", I32)
            stop, go = main.fresh("stop"), main.fresh("go")
            main.branch(main.effect(f"icmp ne i32 {status.name}, 0", I1), stop, go)
            main.block(stop)
            main.write(f"ret i32 {status.name}")
            main.block(go)
    flag = main.load(TableFrame(main, p, host).entry(CONTEXT), I64)
    main.write(f"%status = trunc i64 {flag.name} to i32")
    main.write("ret i32 %status")
    main.close()
    return Written(module, p, size, sum(cost(g, p, host) for g in p.groups))
