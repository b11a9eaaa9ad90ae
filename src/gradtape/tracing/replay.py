"""A graph's operations once more, through the dispatch: on other tensors, together with its gradient, or with its tangents.

This is how one graph is made from another: gradients of programs, of branches and of loop bodies are graphs that ``build`` makes of a
function that replays the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core.dispatch import apply
from ..core.state import state
from ..core.tensor import Tensor
from ..gradient.forward import ForwardAccumulator
from ..gradient.tape import GradientTape
from ..ground.graph import Graph, Value
from ..ground.primitive import Aval
from ..primitives.indexing import IndexedSlices
from . import simplify
from .trace import Trace


def replay(graph: Graph, xs: list[Tensor], known: dict[int, Tensor] | None = None, settle: bool = True) -> list[Tensor]:
    """The graph's operations on ``xs`` through the dispatch: recorded, traced or batched as the surroundings want.

    Where shapes were open when it was traced and are known in the surrounding trace, rows that waited for them settle.

    Args:
        graph: the graph.
        xs: its inputs.
        known: tensors that stand for some of its constants, by the values' ids.
        settle: False where nothing more is known than before.
    """
    env: dict[int, Tensor] = {id(v): x for v, x in zip(graph.inputs, xs, strict=True)}
    if known:
        env.update(known)

    def value(v: Value) -> Tensor:
        t = env.get(id(v))
        if t is None:
            t = env[id(v)] = Tensor(v.const, v.aval.dtype)
        return t

    trace = state.trace
    for n in graph.nodes:
        ins = [value(v) for v in n.ins]
        out: Any = None
        if trace is not None:
            trace.line = n.line
            if settle and n.p.settle is not None:
                out = n.p.settle(ins, n.attrs)
            elif n.effect:  # which is for the run also where all inputs are known
                out = trace.emit(n.p, tuple(ins), n.attrs)
                out = out if n.p.multi else (out,)
        if out is None:
            out = apply(n.p, *ins, **n.attrs)
            out = out if n.p.multi else (out,)
        for v, t in zip(n.outs, out, strict=True):
            env[id(v)] = t if isinstance(t, Tensor) else Tensor(t, v.aval.dtype)
    if trace is not None:
        trace.line = None
    return [value(v) for v in graph.outputs]


def build(f: Callable[[list[Any]], Sequence[Tensor]], avals: Sequence[Aval], name: str) -> Graph:
    """The graph of a function of a list of tensors of these forms."""
    trace = Trace(name)
    with trace:
        return simplify.simplify(trace.finish(f([trace.input(a, "x") for a in avals]), name))


def without_values(graph: Graph, n: int) -> Graph:
    """The graph without its first ``n`` outputs."""
    return simplify.dead_code(Graph(graph.inputs, graph.outputs[n:], graph.nodes, graph.name))


def with_gradient(graph: Graph, ins: Sequence[int], outs: Sequence[int], dense: bool = True) -> tuple[Graph, list[Any]]:
    """The graph from the inputs, and the cotangents of the outputs numbered ``outs``, to the outputs and the gradients of the inputs numbered ``ins``.

    Returns:
        The graph, and for each of ``ins`` its gradient as it was traced: a tensor, IndexedSlices (unless ``dense``), whose two tensors are two outputs,
        or None where there is no path, which is no output.
    """
    n = len(graph.inputs)
    ds: list[Any] = []

    def f(ts: list[Tensor]) -> list[Tensor]:
        xs, gs = ts[:n], ts[n:]
        with GradientTape() as tape:
            tape.watch([xs[i] for i in ins if xs[i]._d.is_inexact])
            ys = replay(graph, list(xs))
        ds[:] = tape.gradient([ys[j] for j in outs], [xs[i] for i in ins], output_gradients=gs)
        if dense:
            ds[:] = [d.to_dense() if isinstance(d, IndexedSlices) else d for d in ds]
        parts = [(d.values, d.indices) if isinstance(d, IndexedSlices) else (d,) for d in ds if d is not None]
        return [*ys, *[t for part in parts for t in part]]

    avals = [v.aval for v in [*graph.inputs, *[graph.outputs[j] for j in outs]]]
    return build(f, avals, graph.name + "_gradient"), ds


def with_tangents(graph: Graph, ins: Sequence[int]) -> tuple[Graph, list[bool]]:
    """The graph from the inputs, and the tangents of those numbered ``ins``, to the outputs and their tangents; and which outputs have one."""
    n = len(graph.inputs)
    have: list[bool] = []

    def f(ts: list[Tensor]) -> list[Tensor]:
        xs = ts[:n]
        with ForwardAccumulator([xs[i] for i in ins], ts[n:]) as accumulator:
            ys = replay(graph, list(xs))
        # a result that is no tensor of this trace's own is a constant; one of integers does not move
        ds = [accumulator.jvp(y) if y._d.is_inexact else None for y in ys]
        have[:] = [d is not None for d in ds]
        return [*ys, *[d for d in ds if d is not None]]

    avals = [v.aval for v in [*graph.inputs, *[graph.inputs[i] for i in ins]]]
    return build(f, avals, graph.name + "_tangents"), have


def gradient_graph(graph: Graph, ins: tuple[int, ...], outs: tuple[int, ...]) -> tuple[Graph, list[bool]]:
    """The graph from ``graph``'s inputs and the cotangents of ``outs`` to the cotangents of ``ins``; and which of ``ins`` are connected."""
    key = (ins, outs, state.check)
    found = graph.gradients.get(key)
    if found is None:
        whole, ds = with_gradient(simplify.without_effects(graph), ins, outs)
        made = without_values(whole, len(graph.outputs))
        found = graph.gradients[key] = (made, [d is not None for d in ds])
    return found


def tangent_graph(graph: Graph, ins: tuple[int, ...]) -> tuple[Graph, list[bool]]:
    """The graph from ``graph``'s inputs and the tangents of ``ins`` to the tangents of its outputs; and which of these are not certainly zero."""
    key = ("tangents", ins, state.check)
    found = graph.gradients.get(key)
    if found is None:
        whole, have = with_tangents(simplify.without_effects(graph), ins)
        found = graph.gradients[key] = (without_values(whole, len(graph.outputs)), have)
    return found


def pulled_back(f: Callable[[list], Sequence[Tensor]], xs: Sequence[Tensor], wanted: Sequence[int], g: tuple) -> list:
    """The cotangents of the inputs ``wanted`` of ``f``, which is run again on ``xs``; ``g`` are those of its results, None for zero."""
    with GradientTape() as tape:
        tape.watch([x for x in xs if x._d.is_inexact])
        ys = f(list(xs))
    some = [(y, c) for y, c in zip(ys, g, strict=True) if c is not None]
    return tape.gradient([y for y, _ in some], [xs[i] for i in wanted], output_gradients=[c for _, c in some])
