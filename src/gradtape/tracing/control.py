"""Control flow in graphs: the rows ``cond`` and ``while_loop``, and the functions that make them.

A row's branches and bodies are graphs in its attributes; what they capture from around them are trailing inputs. Both rows have
gradients to any order: the gradient of a cond is a cond over the branches' gradients; that of a loop is a loop backwards over the states that
the loop went through, of which only those are kept that the body's gradient needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.dispatch import apply
from ..core.state import state
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..gradient.batching import BatchedTensor
from ..gradient.forward import ForwardAccumulator
from ..gradient.tape import GradientTape
from ..ground import nest
from ..ground.dtypes import ANY, bool_, float64, int32
from ..ground.errors import ConversionError, OutOfRangeError, invalid, user_line
from ..ground.graph import Graph, Value
from ..ground.primitive import Aval, Primitive
from ..primitives import elementwise as ew
from ..primitives import structure as st
from ..primitives.indexing import IndexedSlices
from . import engine, simplify
from .program import replay
from .trace import SymbolicTensor, Trace

# -- running graphs inside kernels ------------------------------------------------------------------------------------------


def _runner(graph: Graph) -> Callable:
    """The compiled form of a graph in an attribute; made once. What of it can be native is, where not all can."""
    run = graph.compiled
    if run is None:
        run = graph.compiled = engine.compile(simplify.simplify(graph, final=True))
    return run


def _fit(avals: Sequence[Aval], graph: Graph) -> None:
    """InvalidArgumentError unless values of these forms may go into the graph."""
    for i, (a, v) in enumerate(zip(avals, graph.inputs, strict=True)):
        w = v.aval
        if (
            a.dtype is not w.dtype
            or a.ndim != w.ndim
            or any(d != e and None not in (d, e) for d, e in zip(a.shape, w.shape, strict=True))
        ):
            raise invalid(f"Input {i} of {graph.name!r} must be {w}, but is {a}.")


def _fit_arrays(xs: Sequence[Any], graph: Graph) -> None:
    """The same for arrays, in a kernel."""
    for x, v in zip(xs, graph.inputs, strict=True):
        if getattr(getattr(x, "dtype", None), "kind", "") == "O" and v.aval.dtype.np.kind != "O":
            continue  # states of changing shape, see _stacked
        shape, want = getattr(x, "shape", ()), v.aval.shape
        if shape != want and (
            len(shape) != len(want) or any(e is not None and d != e for d, e in zip(shape, want, strict=True))
        ):
            raise ValueError("an input does not have the shape that was traced")
        if getattr(x, "dtype", v.aval.dtype.np) != v.aval.dtype.np:
            raise ValueError("an input does not have the dtype that was traced")


# -- cond -----------------------------------------------------------------------------------------------------------------


def _cond_kernel(pred: Any, *xs: Any, true: Graph, false: Graph) -> tuple:
    graph = true if pred else false
    _fit_arrays(xs, graph)
    return tuple(_runner(graph)(list(xs)))


def _join(a: Aval, b: Aval) -> Aval:
    """What is known of a value that has one or the other form."""
    if a.ndim != b.ndim:
        raise invalid(f"The branches of a cond give tensors of ranks {a.ndim} and {b.ndim}: both must have one rank.")
    return Aval(tuple([d if d == e else None for d, e in zip(a.shape, b.shape, strict=True)]), a.dtype)


def _cond_shape(pred: Aval, *xs: Aval, true: Graph, false: Graph) -> list[Aval]:
    if pred.ndim or pred.dtype is not bool_:
        raise invalid(f"The predicate of a cond must be a scalar bool, but is {pred}.")
    _fit(xs, true)
    return [_join(t.aval, f.aval) for t, f in zip(true.outputs, false.outputs, strict=True)]


def _cond_joint(g: tuple, wanted: tuple, xs: tuple, out: tuple, attrs: dict) -> list:
    pred, *operands = xs
    outs = tuple([j for j, c in enumerate(g) if c is not None])
    ins = tuple([i - 1 for i in wanted if i > 0])
    true, t_connected = gradient_graph(attrs["true"], ins, outs)
    false, f_connected = gradient_graph(attrs["false"], ins, outs)
    connected = [a or b for a, b in zip(t_connected, f_connected, strict=True)]
    true, false = _with_zeros(true, ins, t_connected, connected), _with_zeros(false, ins, f_connected, connected)
    ds = iter(cond_row(pred, *operands, *[g[j] for j in outs], true=true, false=false) if any(connected) else ())
    of = {i: (next(ds) if c else None) for i, c in zip(ins, connected, strict=True)}
    return [of.get(i - 1) for i in wanted]


def _with_zeros(graph: Graph, ins: tuple, have: list[bool], want: list[bool]) -> Graph:
    """The gradient graph with zeros for inputs that only the other branch depends on."""
    trace = Trace(graph.name)
    with trace:
        xs = [trace.input(v.aval, "x") for v in graph.inputs]
        ds = iter(replay(graph, list(xs)))
        outs = []
        for i, h, w in zip(ins, have, want, strict=True):
            d = next(ds) if h else None
            if w:
                outs.append(st.zeros_like(xs[i]) if d is None else d)
        return simplify.simplify(trace.finish(outs, graph.name))


def gradient_graph(graph: Graph, ins: tuple[int, ...], outs: tuple[int, ...]) -> tuple[Graph, list[bool]]:
    """The graph from ``graph``'s inputs and the cotangents of ``outs`` to the cotangents of ``ins``; and which of ``ins`` are connected."""
    key = (ins, outs, state.check)
    found = graph.gradients.get(key)
    if found is None:
        pure = simplify.without_effects(graph)
        trace = Trace(graph.name + "_gradient")
        with trace:
            xs = [trace.input(v.aval, f"x{i}") for i, v in enumerate(pure.inputs)]
            with GradientTape() as tape:
                tape.watch([xs[i] for i in ins if xs[i]._d.is_inexact])
                ys = replay(pure, list(xs))
            gs = [trace.input(graph.outputs[j].aval, f"g{j}") for j in outs]
            ds = tape.gradient([ys[j] for j in outs], [xs[i] for i in ins], output_gradients=gs)
            ds = [d.to_dense() if isinstance(d, IndexedSlices) else d for d in ds]
            made = simplify.simplify(trace.finish([d for d in ds if d is not None], trace.name))
        found = graph.gradients[key] = (made, [d is not None for d in ds])
    return found


def tangent_graph(graph: Graph, ins: tuple[int, ...]) -> tuple[Graph, list[bool]]:
    """The graph from ``graph``'s inputs and the tangents of ``ins`` to the tangents of its outputs; and which of these are not certainly zero."""
    key = ("tangents", ins, state.check)
    found = graph.gradients.get(key)
    if found is None:
        pure = simplify.without_effects(graph)
        trace = Trace(graph.name + "_tangents")
        with trace:
            xs = [trace.input(v.aval, f"x{i}") for i, v in enumerate(pure.inputs)]
            ts = [trace.input(pure.inputs[i].aval, f"t{i}") for i in ins]
            with ForwardAccumulator([xs[i] for i in ins], list(ts)) as acc:
                ys = replay(pure, list(xs))
            ds = [acc.jvp(y) for y in ys]
            made = simplify.simplify(trace.finish([d for d in ds if d is not None], trace.name))
        found = graph.gradients[key] = (made, [d is not None for d in ds])
    return found


def _cond_jvp(xs: tuple, ts: list, outs: list, attrs: dict) -> list:
    pred, *operands = xs
    ins = tuple([i - 1 for i, t in enumerate(ts) if t is not None])
    graphs = [tangent_graph(attrs[k], ins) for k in ("true", "false")]
    either = [a or b for a, b in zip(graphs[0][1], graphs[1][1], strict=True)]
    if not any(either):
        return [None for _ in outs]
    true, false = (
        _all_tangents(attrs[k], g, have, either) for k, (g, have) in zip(("true", "false"), graphs, strict=True)
    )
    found = iter(cond_row(pred, *operands, *[t for t in ts if t is not None], true=true, false=false))
    return [next(found) if e else None for e in either]


def _all_tangents(graph: Graph, tangents: Graph, have: list[bool], want: list[bool]) -> Graph:
    """The tangent graph with zeros for outputs that only move in the other branch."""
    trace = Trace(tangents.name)
    with trace:
        xs = [trace.input(v.aval, "x") for v in tangents.inputs]
        ds = iter(replay(tangents, list(xs)))
        ys = replay(graph, list(xs[: len(graph.inputs)]))
        outs = [next(ds) if h else st.zeros_like(y) for y, h, w in zip(ys, have, want, strict=True) if w]
        return simplify.simplify(trace.finish(outs, tangents.name))


def _loop_jvp(xs: tuple, ts: list, outs: list, attrs: dict) -> list:
    """The loop over the states and their tangents together."""
    n, keep = attrs["n"], attrs.get("keep")
    floats = tuple([i for i in range(n) if xs[i]._d.is_inexact])
    fixed = tuple([i for i in range(n, len(xs)) if ts[i] is not None])
    cond, body = _tangent_loop(attrs["cond"], attrs["body"], n, floats, fixed)
    start = [st.zeros_like(xs[i]) if ts[i] is None else ts[i] for i in floats]
    inputs = [*xs[:n], *start, *xs[n:], *[ts[i] for i in fixed]]
    m = n + len(floats)
    of = {i: n + k for k, i in enumerate(floats)}
    if keep is None:
        found = while_row(*inputs, n=m, cond=cond, body=body)
        return [found[of[i]] if i in of else None for i in range(n)]
    moving = tuple([of[i] for i in keep if i in of])
    found = history_row(*inputs, n=m, cond=cond, body=body, keep=(*keep, *moving))
    stacks = iter(found[m + 1 + len(keep) :])
    return [
        *[found[of[i]] if i in of else None for i in range(n)],
        None,
        *[next(stacks) if i in of else None for i in keep],
    ]


def _tangent_loop(
    cond: Graph, body: Graph, n: int, floats: tuple[int, ...], fixed: tuple[int, ...]
) -> tuple[Graph, Graph]:
    """Condition and body with inputs: states, their tangents, what is fixed, its tangents."""
    key = ("tangent loop", floats, fixed, id(cond))
    found = body.gradients.get(key)
    if found is None:
        tangents, have = tangent_graph(body, (*floats, *fixed))

        def traced(name: str, f: Callable) -> Graph:
            trace = Trace(name)
            with trace:
                states = [trace.input(v.aval, "s") for v in body.inputs[:n]]
                moving = [trace.input(body.inputs[i].aval, "t") for i in floats]
                rest = [trace.input(v.aval, "c") for v in body.inputs[n:]]
                others = [trace.input(body.inputs[i].aval, "t") for i in fixed]
                return simplify.simplify(trace.finish(f([*states, *rest], [*moving, *others]), name))

        def step(values: list, ts: list) -> list:
            ys, ds = replay(body, list(values)), iter(replay(tangents, [*values, *ts]))
            new = [next(ds) if h else None for h in have]
            return [*ys, *[st.zeros_like(ys[i]) if new[i] is None else new[i] for i in floats]]

        found = body.gradients[key] = (
            traced(cond.name, lambda values, ts: replay(cond, list(values))),
            traced(body.name, step),
            cond,
        )
    return found[0], found[1]


def _made_of(f: Callable, *avals: Aval) -> Graph:
    """A graph from a function of tensors."""
    trace = Trace(f.__name__)
    with trace:
        xs = [trace.input(a, "x") for a in avals]
        out = f(*xs)
        return trace.finish(out if isinstance(out, list) else [out], f.__name__)


def _cond_cases(rng: Any) -> list:
    a = Aval((2,), float64)
    attrs = {"true": _made_of(lambda x, y: [x * y, y], a, a), "false": _made_of(lambda x, y: [x - y, x * x], a, a)}
    return [((np.bool_(b), rng.uniform(0.5, 2, (2,)), rng.uniform(0.5, 2, (2,))), attrs) for b in (True, False)]


cond_row = Primitive("cond", "*xs", _cond_kernel, shape=_cond_shape, joint=_cond_joint, jvp=_cond_jvp, holomorphic=False, accepts=ANY, multi=True, cases=_cond_cases,
                     doc="One of two graphs, by a predicate.")  # fmt: skip

# -- loops ----------------------------------------------------------------------------------------------------------------
# inputs: the state, then what does not change; `n` states. `cond` takes all of them to one bool, `body` to the next states.


def _loop(xs: tuple, n: int, cond: Graph, body: Graph, visit: Callable | None = None) -> list:
    _fit_arrays(xs, body)
    test, step = _runner(cond), _runner(body)
    now, fixed = list(xs[:n]), list(xs[n:])
    while test([*now, *fixed])[0]:
        if visit is not None:
            visit(now)
        now = step([*now, *fixed])
    return now


def _while_kernel(*xs: Any, n: int, cond: Graph, body: Graph) -> tuple:
    return tuple(_loop(xs, n, cond, body))


def _while_shape(*xs: Aval, n: int, cond: Graph, body: Graph) -> list[Aval]:
    _fit(xs, body)
    return [v.aval for v in body.outputs]


def _while_joint(g: tuple, wanted: tuple, xs: tuple, out: tuple, attrs: dict) -> list:
    return _loop_gradient(g, wanted, xs, attrs["n"], attrs["cond"], attrs["body"], (), ())


def _while_cases(rng: Any) -> list:
    """Three turns of y = y·x."""
    i, a = Aval((), int32), Aval((2,), float64)
    three, one = Tensor(np.int32(3), int32), Tensor(np.int32(1), int32)
    attrs = {
        "n": 2,
        "cond": _made_of(lambda i, y, x: ew.less(i, three), i, a, a),
        "body": _made_of(lambda i, y, x: [i + one, y * x], i, a, a),
    }
    return [((np.int32(0), rng.uniform(0.5, 2, (2,)), rng.uniform(0.5, 2, (2,))), attrs)]


while_row = Primitive("while_loop", "*xs", _while_kernel, shape=_while_shape, joint=_while_joint, jvp=_loop_jvp, holomorphic=False, accepts=ANY, multi=True, cases=_while_cases,
                      doc="A graph applied to a state for as long as another holds.")  # fmt: skip


def _stacked(states: list, like: Any) -> Any:
    """The states of all turns in one array; where their shapes change from turn to turn, an array of arrays."""
    if not states:
        return np.zeros((0, *np.shape(like)), np.asarray(like).dtype)
    if len({np.shape(s) for s in states}) == 1:
        return np.stack(states)
    ragged = np.empty(len(states), object)
    ragged[:] = states
    return ragged


def _history_kernel(*xs: Any, n: int, cond: Graph, body: Graph, keep: tuple[int, ...]) -> tuple:
    kept: list[list] = [[] for _ in keep]
    count = 0

    def visit(now: list) -> None:
        nonlocal count
        count += 1
        for into, k in zip(kept, keep, strict=True):
            into.append(now[k])

    last = _loop(xs, n, cond, body, visit)
    stacks = [_stacked(k, xs[i]) for k, i in zip(kept, keep, strict=True)]
    return (*last, np.int32(count), *stacks)


def _history_shape(*xs: Aval, n: int, cond: Graph, body: Graph, keep: tuple[int, ...]) -> list[Aval]:
    _fit(xs, body)
    states = [body.inputs[i].aval for i in keep]
    return [*[v.aval for v in body.outputs], Aval((), int32), *[Aval((None, *a.shape), a.dtype) for a in states]]


def _history_joint(g: tuple, wanted: tuple, xs: tuple, out: tuple, attrs: dict) -> list:
    n = attrs["n"]
    return _loop_gradient(g[:n], wanted, xs, n, attrs["cond"], attrs["body"], attrs["keep"], g[n + 1 :])


history_row = Primitive("while_history", "*xs", _history_kernel, shape=_history_shape, joint=_history_joint, jvp=_loop_jvp, holomorphic=False, accepts=ANY, multi=True, dynamic=True, extends=while_row,
                        cases=lambda rng: [(arrays, {**attrs, "keep": (1,)}) for arrays, attrs in _while_cases(rng)],
                        doc="A while_loop that also gives the number of turns and, stacked, the states before each of them.")  # fmt: skip


def _take_kernel(x: Any, i: Any) -> Any:
    if not 0 <= i < len(x):
        raise OutOfRangeError(f"Tried to read from index {int(i)} but array size is: {len(x)}")
    return x[int(i)]


take_row: Primitive = Primitive("take_row", "x at", _take_kernel, shape=lambda x, at: Aval(x.shape[1:], x.dtype), grad=(lambda g, x, at: put_row(g, x, at), None), linear=True,
                     cases=lambda rng: [((rng.uniform(-3, 3, (4, 2)), np.int32(2)), {})], doc="x[i] along the first axis, for a scalar tensor i.")  # fmt: skip


def _put_kernel(g: Any, x: Any, i: Any) -> Any:
    out = np.zeros(x.shape, x.dtype)
    out[int(i)] = g
    return out


put_row: Primitive = Primitive("put_row", "u x at", _put_kernel, shape=lambda u, x, at: x, grad=(lambda g, at: take_row(g, at), None, None), linear=True,
                    cases=lambda rng: [((rng.uniform(-3, 3, (2,)), rng.uniform(-3, 3, (4, 2)), np.int32(2)), {})], doc="Zeros like x with u as row i.")  # fmt: skip


def _loop_gradient(
    g: tuple, wanted: tuple, xs: tuple, n: int, cond: Graph, body: Graph, kept: tuple, g_stacks: tuple
) -> list:
    """The backward loop: cotangents of the final states (and of stacked states) back to those of the initial states and of what is fixed."""
    floats = [i for i in range(n) if xs[i]._d.is_inexact]
    fixed = [i for i in wanted if i >= n and xs[i]._d.is_inexact]
    carried = tuple(floats)  # cotangents flow between states whether or not they are wanted at the end
    grad, connected = gradient_graph(body, (*carried, *fixed), carried)
    used = _used_inputs(grad, len(body.inputs))
    keep = tuple([i for i in range(n) if i in used])
    history = history_row(*xs, n=n, cond=cond, body=body, keep=tuple(sorted({*keep, *kept})))
    all_kept = sorted({*keep, *kept})
    count, stacks = history[n], dict(zip(all_kept, history[n + 1 :], strict=True))
    flowing = {k: s for k, s in zip(kept, g_stacks, strict=True) if s is not None}

    # the state of the backward loop: the turn, the cotangents of the float states, the sums for what is fixed
    start = [g[i] if g[i] is not None else st.zeros_like(history[i]) for i in carried]
    sums = [st.zeros_like(xs[i]) for i in fixed]
    stack_list = [stacks[k] for k in keep]
    flow_keys = list(flowing)
    invariants = [*stack_list, *[xs[i] for i in range(n, len(xs))], *flowing.values()]
    one = Tensor(np.int32(1), int32)

    def step(i: Any, *rest: Any) -> list:
        ds, rest = rest[: len(carried)], rest[len(carried) :]
        totals, rest = rest[: len(fixed)], rest[len(fixed) :]
        saved, rest = rest[: len(keep)], rest[len(keep) :]
        others, flows = rest[: len(xs) - n], rest[len(xs) - n :]
        at = dict(zip(keep, [take_row(s, i) for s in saved], strict=True))
        ins = [at[k] if k in at else _placeholder(xs[k]) for k in range(n)]
        new = iter(replay(grad, [*ins, *others, *ds]))
        outs = [next(new) if c else None for c in connected]
        back = [st.zeros_like(d) if o is None else o for o, d in zip(outs, ds, strict=False)]
        for f, k in zip(flows, flow_keys, strict=True):
            if k in carried:
                back[carried.index(k)] = back[carried.index(k)] + take_row(f, i)
        added = [t if o is None else t + o for t, o in zip(totals, outs[len(carried) :], strict=True)]
        return [i - one, *back, *added]

    final = staged_while(
        lambda i, *rest: ew.greater_equal(i, Tensor(np.int32(0), int32)), step, [count - one, *start, *sums], invariants
    )
    ds = dict(zip([*carried, *fixed], final[1:], strict=True))
    return [ds.get(i) for i in wanted]


def _placeholder(x: Tensor) -> Tensor:
    """Stands for a state that the gradient of the body does not read."""
    return Tensor(np.zeros([d or 0 for d in x._shape], x._d.np)[()], x._d)


def _used_inputs(graph: Graph, n: int) -> set[int]:
    used = {id(v) for node in graph.nodes for v in node.ins} | {id(v) for v in graph.outputs}
    return {i for i, v in enumerate(graph.inputs[:n]) if id(v) in used}


def staged_while(test: Callable, step: Callable, start: list[Tensor], invariants: list[Tensor]) -> list[Tensor]:
    """A while_loop row made from functions of (state..., invariants...), wherever this runs: eagerly, or in a trace."""
    parent = state.trace
    avals = [Aval(x._shape, x._d) for x in [*start, *invariants]]
    graphs = []
    outer: list[SymbolicTensor] = []
    traces = []
    for f in (test, step):
        t = Trace("loop", parent)
        with t:
            xs = [t.input(a, "s") for a in avals]
            out = f(*xs)
            out = [t.local(o) for o in (out if isinstance(out, list) else [out])]
        traces.append((t, out))
        for o, _ in t.captures:
            if not any(o.value is p.value for p in outer):
                outer.append(o)
    for t, out in traces:
        graphs.append(_closed(t, out, len(avals), outer))
    return list(apply(while_row, *start, *invariants, *outer, n=len(start), cond=graphs[0], body=graphs[1]))


def _closed(trace: Trace, outputs: list[Tensor], n: int, outer: list) -> Graph:
    """The graph of a branch or body, with an input for each of ``outer`` behind its own ``n``."""
    mine = {id(o.value): t.value for o, t in trace.captures}
    graph = trace.finish(outputs, trace.name)
    graph.inputs = graph.inputs[:n] + [mine.get(id(o.value)) or Value(o.value.aval) for o in outer]
    return simplify.simplify(graph)


# -- the functional forms -------------------------------------------------------------------------------------------------


def _branch(f: Callable, parent: Trace) -> tuple[Trace, Any]:
    """A branch traced: the trace, and what the branch returns."""
    trace = Trace("branch", parent)
    with trace:
        result = f()
        variables = [x for x in nest.flatten(result) if isinstance(x, Variable)]
        trace.leaving = {id(v): v._read() for v in variables}  # their values when the branch ends
    return trace, result


def left(trace: Trace, x: Any) -> Any:
    """What leaves a branch with ``x``: of a variable, the value that it has there."""
    return trace.leaving.get(id(x), x) if isinstance(x, Variable) else x


def cond(pred: Any, true_fn: Callable | None = None, false_fn: Callable | None = None, name: str | None = None) -> Any:
    """``true_fn()`` if ``pred`` holds, else ``false_fn()``.

    Args:
        pred: a scalar bool: a Tensor or a Python bool.
        true_fn, false_fn: functions of no arguments that return nests of the same form with tensors of the same dtypes.

    Returns:
        What the chosen function returns. While tracing, both are traced and the choice is made when the program runs.

    Raises:
        TypeError: a branch is not callable, or the results differ in form or dtype.

    >>> import gradtape as tf
    >>> tf.cond(tf.constant(2.0) > 1.0, lambda: tf.constant(1), lambda: tf.constant(0)).numpy()
    np.int32(1)
    """
    for f, n in ((true_fn, "true_fn"), (false_fn, "false_fn")):
        if not callable(f):
            raise TypeError(f"'{n}' must be callable.")
    pred = (
        convert(pred, None if isinstance(pred, Tensor) else bool_) if not isinstance(pred, Variable) else pred._read()
    )
    if not isinstance(pred, SymbolicTensor):
        if isinstance(pred, BatchedTensor):
            return _batched_cond(pred, true_fn, false_fn)  # type: ignore[arg-type]
        return (true_fn if bool(pred) else false_fn)()  # type: ignore[misc]
    if pred._d is not bool_:
        pred = st.cast(pred, bool_)
    if pred._shape != ():
        raise invalid(f"The predicate of tf.cond must be a scalar, but has shape {pred.shape}.")
    parent = state.trace
    branches = [_branch(f, parent) for f in (true_fn, false_fn)]  # type: ignore[arg-type]
    try:
        nest.assert_same_structure(branches[0][1], branches[1][1])
    except (TypeError, ValueError) as e:
        raise TypeError(
            f"true_fn and false_fn arguments to tf.cond must have the same number, type, and overall structure of return values: {e}{user_line()}"
        ) from None
    flat = [[left(t, x) for x in nest.flatten(r)] for t, r in branches]
    tensors: list[list[Tensor]] = [[], []]
    kinds: list[Any] = []
    for a, b in zip(*flat, strict=True):
        if a is None and b is None:
            kinds.append(None)
            continue
        if a is None or b is None:
            raise ConversionError(
                f"true_fn and false_fn arguments to tf.cond must have the same structure of return values, but one returns None where the other returns {a if b is None else b!r}.{user_line()}"
            )
        x, y = _same_dtype(a, b)
        tensors[0].append(x)
        tensors[1].append(y)
        kinds.append(True)
    assigned = _assigned([t for t, _ in branches])
    return _emit_cond(pred, branches, tensors, assigned, kinds)


def _batched_cond(pred: Tensor, true_fn: Callable, false_fn: Callable) -> Any:
    """Both branches, and for each member of the batch the one it asks for."""

    def choose(a: Any, b: Any) -> Any:
        x, y = _same_dtype(a, b)
        return ew.select(st.reshape(pred, shape=(1,) * len(x._shape)) if x._shape else pred, x, y)

    return nest.map_structure(choose, true_fn(), false_fn())


def _same_dtype(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    hint = next((v.dtype for v in (a, b) if isinstance(v, (Tensor, Variable))), None)
    x, y = convert(a, None, hint), convert(b, None, hint)
    if x._d is not y._d:
        raise TypeError(
            f"true_fn and false_fn must return tensors of the same dtypes, but one returns {x._d.name} and the other {y._d.name}.{user_line()}"
        )
    return x, y


def _assigned(traces: list[Trace]) -> list[Variable]:
    out: list[Variable] = []
    for t in traces:
        for c in t.variables.values():
            if c.assigned and not any(c.variable is v for v in out):
                out.append(c.variable)
    return out


def _emit_cond(pred: SymbolicTensor, branches: list, tensors: list, assigned: list[Variable], kinds: list) -> Any:
    parent = state.trace
    outer: list[SymbolicTensor] = []
    outputs = []
    for (t, _), out in zip(branches, tensors, strict=True):
        with t:
            outputs.append([t.local(x) for x in [*out, *[t.read(v) for v in assigned]]])
    for t, _ in branches:
        for o, _ in t.captures:
            if not any(o.value is p.value for p in outer):
                outer.append(o)
    graphs = [_closed(t, out, 0, outer) for (t, _), out in zip(branches, outputs, strict=True)]
    outs = list(apply(cond_row, pred, *outer, true=graphs[0], false=graphs[1]))
    n = len(outs) - len(assigned)
    for v, x in zip(assigned, outs[n:], strict=True):
        parent.assign(v, x)
    it = iter(outs[:n])
    return nest.pack_sequence_as(branches[0][1], [None if k is None else next(it) for k in kinds])


def while_loop(cond: Callable, body: Callable, loop_vars: Any, shape_invariants: Any = None, parallel_iterations: int = 10, back_prop: bool = True,
               swap_memory: bool = False, maximum_iterations: Any = None, name: str | None = None) -> Any:  # fmt: skip
    """Repeat ``body`` while ``cond`` holds.

    Args:
        cond: ``cond(*loop_vars)`` gives a scalar bool.
        body: ``body(*loop_vars)`` gives the next loop variables, in the same form.
        loop_vars: a list or tuple of tensors, or nests of them.
        shape_invariants: a nest of shapes that a variable keeps, where its own shape changes; None dimensions may change.
        parallel_iterations, swap_memory, name: accepted for TensorFlow's sake.
        back_prop: False stops gradients.
        maximum_iterations: the most turns to make.

    Returns:
        The final loop variables, in the form of ``loop_vars``. While tracing, the loop stays a loop.

    Raises:
        TypeError: ``cond`` or ``body`` is not callable.
        ValueError: ``body`` changes the number, dtype or shape of the variables.

    >>> import gradtape as tf
    >>> i, x = tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2.0), (tf.constant(0), tf.constant(1.0)))
    >>> x.numpy()
    np.float32(8.0)
    """
    for f, n in ((cond, "cond"), (body, "body")):
        if not callable(f):
            raise TypeError(f"'{n}' must be callable.")
    if not len(loop_vars):
        raise ValueError("'loop_vars' must not be empty.")
    limit = None if maximum_iterations is None else convert(maximum_iterations, None, int32)
    if state.trace is None:
        turns = 0
        loop_vars = nest.map_structure(lambda x: x if _is_array(x) else convert(x), loop_vars)
        while cond(*loop_vars) and (limit is None or turns < int(limit)):
            result = body(*loop_vars)
            loop_vars = _as_loop_vars(result, loop_vars)
            turns += 1
        return (
            loop_vars
            if back_prop
            else nest.map_structure(lambda x: x if _is_array(x) else st.stop_gradient(x), loop_vars)
        )
    invariants = (
        None
        if shape_invariants is None
        else [tuple(s) if s is not None else None for s in nest.flatten_up_to(loop_vars, shape_invariants)]
    )
    leaves = nest.flatten(loop_vars)
    if any(_is_array(x) and x._buffer is None and x._meta.shape is None for x in leaves):
        with Trace("probe", state.trace):
            body(*loop_vars)  # learns the shapes of the elements
    flat = [x._staged() if _is_array(x) else convert(x) for x in leaves]
    pack = lambda ts: nest.pack_sequence_as(
        loop_vars, [x._with([], t) if _is_array(x) else t for x, t in zip(leaves, ts, strict=True)]
    )
    if not back_prop:
        flat = [st.stop_gradient(x) for x in flat]
    extra = [] if limit is None else [Tensor(np.int32(0), int32)]

    def test(*xs: Tensor) -> Tensor:
        vs = pack(xs[len(extra) :])
        go = convert(cond(*vs))
        return ew.logical_and(ew.less(xs[0], st.cast(limit, int32)), go) if limit is not None else go

    def step(*xs: Tensor) -> list:
        vs = pack(xs[len(extra) :])
        new = _as_loop_vars(body(*vs), loop_vars)
        return [*[xs[0] + 1 for _ in extra], *[x._staged() if _is_array(x) else x for x in nest.flatten(new)]]

    outs = traced_while(
        test, step, [*extra, *flat], None if invariants is None else [*[() for _ in extra], *invariants]
    )
    return pack(outs[len(extra) :])


def _is_array(x: Any) -> bool:
    return hasattr(x, "_staged")  # a TensorArray, which stands on this


def _as_loop_vars(result: Any, loop_vars: Any) -> Any:
    if len(loop_vars) == 1 and not (isinstance(result, (list, tuple)) and len(result) == 1):
        result = type(loop_vars)([result]) if isinstance(loop_vars, (list, tuple)) else result
    if isinstance(result, (list, tuple)) and type(result) is not type(loop_vars) and not hasattr(loop_vars, "_fields"):
        result = type(loop_vars)(result)
    try:
        nest.assert_same_structure(loop_vars, result, check_types=False)
    except (TypeError, ValueError) as e:
        raise ValueError(
            f"The body of tf.while_loop must return what it takes, in the same form: {e}{user_line()}"
        ) from None
    return result


def traced_while(
    test: Callable,
    step: Callable,
    start: list[Tensor],
    invariants: list | None = None,
    names: list[str] | None = None,
    first: Tensor | None = None,
) -> list[Tensor]:
    """A while_loop row in the current trace. Variables that the body assigns become loop state. ``first``: the condition's value before the loop."""
    parent: Trace = state.trace
    trial = Trace("loop", parent)
    with trial:
        test(*[trial.input(Aval(x._shape, x._d), "s") for x in start])
    if _assigned([trial]):
        return _while_assigning(test, step, start, invariants, names, first)
    avals = [
        Aval(x._shape if invariants is None or invariants[i] is None else tuple(invariants[i]), x._d)
        for i, x in enumerate(start)
    ]
    for _ in range(
        4
    ):  # a state whose shape turns out to change, or a variable that is assigned, makes another attempt necessary
        t_body = Trace("loop", parent)
        with t_body:
            xs = [t_body.input(a, "s") for a in avals]
            out = [convert(o, None, x._d) for o, x in zip(step(*xs), xs, strict=True)]
        assigned = _assigned([t_body])
        t_test = Trace("loop", parent)
        with t_test:
            ys = [t_test.input(a, "s") for a in avals]
            inputs_of = {id(v): t_test.input(Aval(parent.read(v)._shape, v._d), "v") for v in assigned}
            for v in assigned:
                t_test.variables[id(v)] = _cell_for(v, inputs_of[id(v)])
            go = t_test.local(test(*ys))
        changed = _check(avals, out, names, invariants)
        if changed is None:
            break
        avals = changed
    else:
        raise invalid("The shapes of the loop variables do not settle: give shape_invariants.")
    if go._d is not bool_ or go._shape != ():
        raise invalid(f"The condition of a while loop must be a scalar bool, but is {go._d.name}{list(go._shape)}.")
    with t_body:
        outs = [t_body.local(o) for o in [*out, *[t_body.read(v) for v in assigned]]]
    # the assigned variables' values are state: their captures become inputs of their own, behind the others
    firsts = [t_body.variables[id(v)].first for v in assigned]
    start = [*start, *[v._read() for v in assigned]]
    mine = {id(f.value) for f in firsts}
    outer: list[SymbolicTensor] = []
    for t in (t_test, t_body):
        for o, inner in t.captures:
            if id(inner.value) not in mine and not any(o.value is p.value for p in outer):
                outer.append(o)
    n_own = len(avals)
    body_graph = t_body.finish(outs, "body")
    captured = {id(o.value): i.value for o, i in t_body.captures if id(i.value) not in mine}
    body_graph.inputs = (
        body_graph.inputs[:n_own]
        + [f.value for f in firsts]
        + [captured.get(id(o.value)) or Value(o.value.aval) for o in outer]
    )
    test_graph = t_test.finish([go], "cond")
    captured = {id(o.value): i.value for o, i in t_test.captures}
    test_graph.inputs = test_graph.inputs[: n_own + len(assigned)] + [
        captured.get(id(o.value)) or Value(o.value.aval) for o in outer
    ]
    results = list(
        apply(
            while_row,
            *[parent.local(x) for x in start],
            *outer,
            n=len(start),
            cond=simplify.simplify(test_graph),
            body=simplify.simplify(body_graph),
        )
    )
    for v, x in zip(assigned, results[n_own:], strict=True):
        parent.assign(v, x)
    return results[:n_own]


def _while_assigning(
    test: Callable, step: Callable, start: list, invariants: list | None, names: list[str] | None, first: Tensor | None
) -> list[Tensor]:
    """A loop whose condition assigns variables: it is evaluated before the loop and at the end of each turn, and its answer is state."""

    def go_on(xs: Any) -> Tensor:
        go = convert(test(*xs))
        return go if go._d is bool_ else st.cast(go, bool_)

    def turn(_: Tensor, *xs: Tensor) -> list:
        new = [convert(o, None, x._d) for o, x in zip(step(*xs), xs, strict=True)]
        return [go_on(new), *new]

    wide = None if invariants is None else [(), *invariants]
    labels = None if names is None else ["the loop's condition", *names]
    return traced_while(lambda go, *_: go, turn, [go_on(start) if first is None else first, *start], wide, labels)[1:]


def _cell_for(v: Variable, x: SymbolicTensor) -> Any:
    from .trace import _Cell

    return _Cell(v, x)


def _check(avals: list[Aval], out: list[Tensor], names: list[str] | None, invariants: list | None) -> list[Aval] | None:
    """None where the body keeps the form of the state; else the wider form to try. Raises where no form fits."""
    wider, changed = [], False
    for i, (a, o) in enumerate(zip(avals, out, strict=True)):
        what = f"'{names[i]}'" if names else f"Loop variable {i}"
        if o._d is not a.dtype:
            raise TypeError(
                f"{what} has dtype {a.dtype.name} before the loop, but dtype {o._d.name} after one iteration: cast it so that it keeps one dtype.{user_line()}"
            )
        if len(o._shape) != a.ndim or any(d is not None and e != d for d, e in zip(a.shape, o._shape, strict=True)):
            raise ValueError(
                f"{what} has shape {tuple(a.shape)} before the loop, but shape {tuple(o._shape)} after one iteration. Give tf.while_loop shape_invariants (or "
                f"tf.autograph.experimental.set_loop_options) to let it change.{user_line()}"
            )
        wider.append(a)
    return wider if changed else None
