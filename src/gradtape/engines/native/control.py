"""Loops and branches whose bodies are graphs, as native control flow.

A loop that keeps its history puts the states before each turn into stacks, memory that grows: behind the flag and the thread state, the
context has a slot for each, its address and how many rows it has room for. Who called the program frees them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .cost import cost
from .ir import I1, I32, I64, PTR, Code, Val
from .matmul import copy
from .ops import Branch, History, View, While
from .plan import ALIGN, state_bytes

if TYPE_CHECKING:
    from .program import Frame

CHECK_EVERY = 2e7  # nanoseconds between looks for Ctrl-C
SLOTS, SLOT = 32, 16  # where the slots of stacks begin in the context, and the bytes of one
NO_MEMORY = 3  # a program's result where a stack cannot grow
SHORT = 16  # operations of a loop's body that has heavy functions written out


def write_while(frame: Frame, op: While, scratch: Val, inner: Any) -> None:
    """The loop: scalars of the state in registers, arrays in two buffers each, which take turns."""
    code, host = frame.code, frame.host
    cond, body = frame.plan.inner[op]
    n = len(op.outs)
    first: list[Val] = []
    arrays: dict[int, tuple[Val, Val]] = {}
    at = 0
    steady = {k for k in range(n) if body.outs[k][0] == "steady"}  # state that the body leaves alone, or where it is
    steady |= {k for k in range(n) if body.body.args[k].scalar and body.body.outs[k].buf is body.body.args[k]}
    for k, v in enumerate(op.reads):
        if k in body.changed:  # rows are replaced where the result will lie, or in a copy of our own
            place = frame.plan.place.get(op.outs[k], ("", 0))
            if place[0] == "arena":
                own = frame.base(op.outs[k])
            else:
                own = code.offset(scratch, at)
                at += 2 * ((v.buf.bytes + ALIGN - 1) // ALIGN * ALIGN)
            if place[0] != "arena" or place != frame.plan.place.get(v.buf) or v.offset:
                copy(code, own, frame.pointer(v), v.buf.bytes)
            first.append(own)
            continue
        if v.buf is None or v.buf.scalar:
            first.append(frame.value(v))
            continue
        first.append(frame.pointer(v))
        if k < n:
            room = (v.buf.bytes + ALIGN - 1) // ALIGN * ALIGN
            arrays[k] = (code.offset(scratch, at), code.offset(scratch, at + room))
            at += 2 * room
    assert at <= state_bytes(op)
    before, head, again, done = code.label, code.fresh("while"), code.fresh("do"), code.fresh("done")
    code.jump(head)
    code.block(head)
    phis: list[tuple[Val, Val]] = []

    def phi(start: Val) -> Val:
        v = Val(code, "%" + code.fresh("s"), start.t, 0)
        phis.append((v, start))
        return v

    place = len(code.lines)
    turns = phi(code.int(1))
    state = [phi(v) if k < n and k not in steady else v for k, v in enumerate(first)]
    buffers = {k: (phi(a), phi(b)) for k, (a, b) in arrays.items() if k not in steady}
    code.lines += [""] * len(phis)
    with code.scope():
        test = inner(frame, cond, scratch, state, [None]).run()[0]
        code.branch(test, again, done)
        code.block(again)
        with code.scope():
            if op.history:
                _keep(frame, op, op.history, state, turns - 1)
            outs = [buffers[k][0] if k in buffers else None for k in range(n)]
            outer, code.inline = code.inline, sum(len(g.ops) for g in body.groups) <= SHORT
            results = inner(frame, body, scratch, state, outs).run()
            code.inline = outer
            nanoseconds = sum(cost(g, p, host) for p in (cond, body) for g in p.groups)
            _look_for_signals(frame, turns, nanoseconds)
            after = {turns.name: turns + 1}
            for k in range(n):
                if k in buffers:
                    after |= {
                        state[k].name: buffers[k][0],
                        buffers[k][0].name: buffers[k][1],
                        buffers[k][1].name: buffers[k][0],
                    }
                elif k not in steady:
                    after[state[k].name] = results[k]  # type: ignore[assignment]
            end = code.label
            code.jump(head)
    for i, (v, start) in enumerate(phis):
        code.lines[place + i] = (
            f"  {v.name} = phi {v.type} [ {start.name}, %{before} ], [ {after[v.name].name}, %{end} ]"
        )
    code.block(done)
    if op.history:
        h = op.history
        frame.define(h.turns, (turns - 1).to(I32))
        frame.define(h.count, turns - 1)
        for i, b in enumerate(h.pointers):
            frame.define(b, code.load(_slot(frame, h.slot + i), PTR))
    for k, b in enumerate(op.outs):
        if b.scalar:
            frame.define(b, state[k])
        elif b in frame.plan.place and not (k in body.changed and frame.plan.place[b][0] == "arena"):
            copy(code, frame.base(b), state[k], b.bytes)


def _slot(frame: Frame, i: int) -> Val:
    return frame.code.offset(frame.context(), SLOTS + SLOT * i)


def _keep(frame: Frame, op: While, h: History, state: list[Val], count: Val) -> None:
    """Put the states into the rows number ``count`` of their stacks."""
    code = frame.code
    for i, k in enumerate(h.keep):
        b, at = op.outs[k], _slot(frame, h.slot + i)
        full = count.eq(code.load(code.offset(at, 8), I64))
        grow = lambda at=at, b=b: [_grown(code, at, max(b.bytes, 1))]
        (stack,) = code.choose(full, grow, lambda at=at: [code.load(at, PTR)])
        lost, go = code.fresh("lost"), code.fresh("go")
        code.branch(code.effect(f"icmp eq ptr {stack.name}, null", I1), lost, go)
        code.block(lost)
        code.write(f"ret i32 {NO_MEMORY}")
        code.block(go)
        row = code.offset(stack, count, b.bytes)
        if b.scalar:
            code.store(state[k], row)
        else:
            copy(code, row, state[k], b.bytes)


def _grown(code: Code, slot: Val, size: int) -> Val:
    """The stack of ``slot`` with room for more rows of ``size`` bytes; null where there is no memory."""
    module = code.module
    if "grow" not in module.internal:
        module.internal["grow"] = True
        f = Code(module, "grow", [(PTR, 0), (I64, 0)], "ptr", "internal", "nounwind noinline")
        at, each = f.params
        room = f.load(f.offset(at, 8), I64)
        most = f.effect(f"udiv i64 8192, {each.name}", I64)
        more = (room + room).intrinsic("smax", (most + 16).spread(0))
        new = f.call("PyMem_RawRealloc", PTR, 0, [f.load(at, PTR), more * each], pure=False)
        f.branch(f.effect(f"icmp eq ptr {new.name}, null", I1), "lost", "got")
        f.block("got")
        f.store(new, at)
        f.store(more, f.offset(at, 8))
        f.jump("lost")
        f.block("lost")
        f.write(f"ret ptr {new.name}")
        f.close()
    return code.effect(f"call ptr @grow(ptr {slot.name}, i64 {size})", PTR)


def _look_for_signals(frame: Frame, turns: Val, nanoseconds: float) -> None:
    """Every so many turns, see whether the user has pressed Ctrl-C, or an operation has failed."""
    code = frame.code
    every = 1
    while every < 1 << 22 and every * nanoseconds < CHECK_EVERY:
        every *= 2
    look, stop, go = code.fresh("look"), code.fresh("stop"), code.fresh("go")
    due = (turns & (every - 1)).eq(0)
    code.branch(due, look, go)
    code.block(look)
    status = code.effect(f"call i32 @signals(ptr {frame.context().name})", I32)
    code.branch(code.effect(f"icmp ne i32 {status.name}, 0", I1), stop, go)
    code.block(stop)
    code.write(f"ret i32 {status.name}")
    code.block(go)


def write_branch(frame: Frame, op: Branch, scratch: Val, inner: Any) -> None:
    """One of two bodies; arrays go straight to where the results belong."""
    code = frame.code
    args = [_operand(frame, v) for v in op.reads[1:]]
    outs = [None if b.scalar else frame.base(b) for b in op.writes]
    scalars = [k for k, b in enumerate(op.writes) if b.scalar]

    def side(p: Any) -> list[Val]:
        results = inner(frame, p, scratch, args, outs).run()
        return [results[k] for k in scalars]

    yes, no = frame.plan.inner[op]
    values = code.choose(frame.value(op.reads[0]), lambda: side(yes), lambda: side(no))
    for k, v in zip(scalars, values, strict=True):
        frame.define(op.writes[k], v)


def _operand(frame: Frame, v: View) -> Val:
    if v.buf is None or v.buf.scalar:
        return frame.value(v)
    return frame.pointer(v)


__all__ = ["NO_MEMORY", "SLOT", "SLOTS", "copy", "write_branch", "write_while"]
