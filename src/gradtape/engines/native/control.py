"""Loops and branches whose bodies are graphs, as native control flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .cost import cost
from .ir import I1, I32, Val
from .lower import Branch, View, While
from .matmul import copy
from .plan import ALIGN, state_bytes

if TYPE_CHECKING:
    from .program import Frame

CHECK_EVERY = 2e7  # nanoseconds between looks for Ctrl-C


def write_while(frame: Frame, op: While, scratch: Val, inner: Any) -> None:
    """The loop: scalars of the state in registers, arrays in two buffers each, which take turns."""
    code, host = frame.code, frame.host
    cond, body = frame.plan.inner[op]
    n = len(op.writes)
    first: list[Val] = []
    arrays: dict[int, tuple[Val, Val]] = {}
    at = 0
    steady = {k for k in range(n) if body.outs[k][0] == "steady"}  # state that the body leaves alone, or where it is
    steady |= {k for k in range(n) if body.body.args[k].scalar and body.body.outs[k].buf is body.body.args[k]}
    for k, v in enumerate(op.reads):
        if k in body.changed:  # rows are replaced in a copy of our own
            own = code.offset(scratch, at)
            at += 2 * ((v.buf.bytes + ALIGN - 1) // ALIGN * ALIGN)
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
            outs = [buffers[k][0] if k in buffers else None for k in range(n)]
            results = inner(frame, body, scratch, state, outs).run()
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
    for k, b in enumerate(op.writes):
        if b.scalar:
            frame.define(b, state[k])
        elif b in frame.plan.place:
            copy(code, frame.base(b), state[k], b.bytes)


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


__all__ = ["copy", "write_branch", "write_while"]
