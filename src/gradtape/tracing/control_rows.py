"""The rows ``cond`` and ``while_loop``, whose attributes are graphs.

What branches and bodies capture from around them are trailing inputs. Both rows have gradients to any order: the gradient of a cond is a cond
over the branches' gradients; that of a loop is a loop backwards over the states that the loop went through, of which only those are kept that the
body's gradient needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.dispatch import apply, aval
from ..core.state import state
from ..core.tensor import Tensor
from ..ground.dtypes import ANY, bool_, float64, int32
from ..ground.errors import OutOfRangeError, invalid
from ..ground.graph import Graph, Value
from ..ground.primitive import Aval, Primitive
from ..primitives import elementwise as ew
from ..primitives import structure as st
from ..primitives.indexing import tensor_scatter_add, ungather
from . import engine, simplify
from .replay import build, gradient_graph, replay, tangent_graph
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

    def f(xs: list[Tensor]) -> list[Tensor]:
        ds = iter(replay(graph, list(xs)))
        found = [next(ds) if h else None for h in have]
        return [st.zeros_like(xs[i]) if d is None else d for i, d, w in zip(ins, found, want, strict=True) if w]

    return build(f, [v.aval for v in graph.inputs], graph.name)


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

    def f(xs: list[Tensor]) -> list[Tensor]:
        ds = iter(replay(tangents, list(xs)))
        ys = replay(graph, xs[: len(graph.inputs)])
        return [next(ds) if h else st.zeros_like(y) for y, h, w in zip(ys, have, want, strict=True) if w]

    return build(f, [v.aval for v in tangents.inputs], tangents.name)


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

        forms = [v.aval for v in body.inputs]
        k, m = len(floats), len(forms) - n

        def values_of(xs: list) -> list:
            return [*xs[:n], *xs[n + k : n + k + m]]

        def step(xs: list) -> list:
            values, ts = values_of(xs), [*xs[n : n + k], *xs[n + k + m :]]
            ys, ds = replay(body, values), iter(replay(tangents, [*values, *ts]))
            new = [next(ds) if h else None for h in have]
            return [*ys, *[st.zeros_like(ys[i]) if new[i] is None else new[i] for i in floats]]

        inputs = [*forms[:n], *[forms[i] for i in floats], *forms[n:], *[forms[i] for i in fixed]]
        test = build(lambda xs: replay(cond, values_of(xs)), inputs, cond.name)
        found = body.gradients[key] = (test, build(step, inputs, body.name), cond)
    return found[0], found[1]


# What is known when a graph is replayed goes into its branches and bodies.


def _known(x: Tensor) -> bool:
    return type(x) is Tensor and x._d.is_integer and len(x._shape) < 2


def _replayed(graph: Graph, xs: list[Tensor], fixed: int = 0) -> Graph:
    """The graph for inputs of the forms that ``xs`` have; integers among those from ``fixed`` on whose values are known become constants."""
    of = lambda i, x: np.asarray(x._a).tobytes() if i >= fixed and _known(x) else None
    key = ("replayed", tuple([(x._shape, x._d, of(i, x)) for i, x in enumerate(xs)]))
    found = graph.gradients.get(key)
    if found is None:

        def f(ts: list) -> list:
            return replay(graph, [t if of(i, x) is None else x for i, (t, x) in enumerate(zip(ts, xs, strict=True))])

        check, state.check = state.check, False
        try:
            found = graph.gradients[key] = build(f, [aval(x) for x in xs], graph.name)
        finally:
            state.check = check
    return found


def _cond_settled(xs: list[Tensor], attrs: dict) -> list[Tensor]:
    pred, *rest = xs
    if type(pred) is Tensor:
        return replay(attrs["true" if pred._a else "false"], rest)
    return list(cond_row(pred, *rest, true=_replayed(attrs["true"], rest), false=_replayed(attrs["false"], rest)))


def _loop_settled(row: Callable, xs: list[Tensor], attrs: dict) -> list[Tensor]:
    n, cond, body = attrs["n"], attrs["cond"], attrs["body"]
    states = [aval(x) for x in xs[:n]]
    while True:  # dimensions that a turn changes stay open
        at = [Tensor(a, a.dtype) for a in states]  # tensors of that form
        new = _replayed(body, [*at, *xs[n:]], n)
        wider = [_join(a, v.aval) for a, v in zip(states, new.outputs, strict=True)]
        if wider == states:
            break
        states = wider
    return list(row(*xs, **{**attrs, "cond": _replayed(cond, [*at, *xs[n:]], n), "body": new}))


def _cond_cases(rng: Any) -> list:
    a = Aval((2,), float64)
    make = lambda f: build(lambda xs: f(*xs), [a, a], "branch")
    attrs = {"true": make(lambda x, y: [x * y, y]), "false": make(lambda x, y: [x - y, x * x])}
    return [((np.bool_(b), rng.uniform(0.5, 2, (2,)), rng.uniform(0.5, 2, (2,))), attrs) for b in (True, False)]


cond_row: Primitive = Primitive("cond", "*xs", _cond_kernel, shape=_cond_shape, joint=_cond_joint, jvp=_cond_jvp, needs="nothing", settle=_cond_settled, holomorphic=False, accepts=ANY, multi=True, cases=_cond_cases,
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
    test = build(lambda xs: [ew.less(xs[0], three)], [i, a, a], "cond")
    attrs = {"n": 2, "cond": test, "body": build(lambda xs: [xs[0] + one, xs[1] * xs[2]], [i, a, a], "body")}
    return [((np.int32(0), rng.uniform(0.5, 2, (2,)), rng.uniform(0.5, 2, (2,))), attrs)]


while_row: Primitive = Primitive("while_loop", "*xs", _while_kernel, shape=_while_shape, joint=_while_joint, jvp=_loop_jvp, needs="nothing", settle=lambda xs, attrs: _loop_settled(while_row, xs, attrs), holomorphic=False, accepts=ANY, multi=True, cases=_while_cases,
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


history_row: Primitive = Primitive("while_history", "*xs", _history_kernel, shape=_history_shape, joint=_history_joint, jvp=_loop_jvp, needs="nothing", settle=lambda xs, attrs: _loop_settled(history_row, xs, attrs), holomorphic=False, accepts=ANY, multi=True, dynamic=True, extends=while_row,
                        cases=lambda rng: [(arrays, {**attrs, "keep": (1,)}) for arrays, attrs in _while_cases(rng)],
                        doc="A while_loop that also gives the number of turns and, stacked, the states before each of them.")  # fmt: skip


def _take_kernel(x: Any, i: Any) -> Any:
    if not 0 <= i < len(x):
        raise OutOfRangeError(f"Tried to read from index {int(i)} but array size is: {len(x)}")
    return x[int(i)]


take_row: Primitive = Primitive("take_row", "x at", _take_kernel, shape=lambda x, at: Aval(x.shape[1:], x.dtype), grad=(lambda g, x, at: put_row(g, x, at), None), linear=True, needs="nothing",
                     cases=lambda rng: [((rng.uniform(-3, 3, (4, 2)), np.int32(2)), {})], doc="x[i] along the first axis, for a scalar tensor i.")  # fmt: skip


def _put_kernel(g: Any, x: Any, i: Any) -> Any:
    out = np.zeros(x.shape, x.dtype)
    out[int(i)] = g
    return out


put_row: Primitive = Primitive("put_row", "u x at", _put_kernel, shape=lambda u, x, at: x, grad=(lambda g, at: take_row(g, at), None, None), linear=True, needs="nothing",
                    cases=lambda rng: [((rng.uniform(-3, 3, (2,)), rng.uniform(-3, 3, (4, 2)), np.int32(2)), {})], doc="Zeros like x with u as row i.")  # fmt: skip


def _loop_gradient(
    g: tuple, wanted: tuple, xs: tuple, n: int, cond: Graph, body: Graph, kept: tuple, g_stacks: tuple
) -> list:
    """The backward loop: cotangents of the final states (and of stacked states) back to those of the initial states and of what is fixed."""
    floats = [i for i in range(n) if xs[i]._d.is_inexact]
    fixed = [i for i in wanted if i >= n and xs[i]._d.is_inexact]
    carried = tuple(floats)  # cotangents flow between states whether or not they are wanted at the end
    grad, connected = gradient_graph(body, (*carried, *fixed), carried)
    grad, adders = _with_parts(grad, sum(connected[: len(carried)]))
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
        outs = [next(new) if c else None for c in connected[: len(carried)]]
        back = [st.zeros_like(d) if o is None else o for o, d in zip(outs, ds, strict=False)]
        for f, k in zip(flows, flow_keys, strict=True):
            if k in carried:
                back[carried.index(k)] = back[carried.index(k)] + take_row(f, i)
        add = iter(adders)
        added = [next(add)(t, new) if c else t for t, c in zip(totals, connected[len(carried) :], strict=True)]
        return [i - one, *back, *added]

    final = staged_while(
        lambda i, *rest: ew.greater_equal(i, Tensor(np.int32(0), int32)), step, [count - one, *start, *sums], invariants
    )
    ds = dict(zip([*carried, *fixed], final[1:], strict=True))
    return [ds.get(i) for i in wanted]


def _with_parts(grad: Graph, n: int) -> tuple[Graph, list[Callable]]:
    """How to add each output behind the first ``n`` to a sum: of a function of the sum and of the values that the graph now gives for it.

    What is zero but for one slice is added as that slice. Sums begin with zeros, which are never -0: they have the same bits either way.
    """
    outputs, adders = grad.outputs[:n], []
    for v in grad.outputs[n:]:
        node = v.node
        if node is None or node.p is not ungather or not _is_one_slice(node):
            outputs.append(v)
            adders.append(lambda total, parts: total + next(parts))
            continue
        outputs += node.ins

        def add_slice(total: Tensor, parts: Any, axis: int = node.attrs["axis"]) -> Tensor:
            slices, at = next(parts), next(parts)
            before, behind = total._shape[:axis], total._shape[axis + 1 :]
            numbers = st.broadcast_to(st.reshape(at, shape=(1,) * (axis + 2)), shape=(*before, 1, 1))
            slices = st.reshape(slices, shape=(*before, 1, *behind))
            return tensor_scatter_add(total, numbers, slices, batch_dims=axis)

        adders.append(add_slice)
    return Graph(grad.inputs, outputs, grad.nodes, grad.name), adders


def _is_one_slice(node: Any) -> bool:
    """Whether an ``ungather`` puts one slice into a tensor of known shape."""
    known = None not in node.attrs["shape"] and not node.attrs["batch_dims"]
    return known and all(d == 1 for d in node.ins[1].aval.shape)


def _placeholder(x: Tensor) -> Tensor:
    """Stands for a state that the gradient of the body does not read."""
    return Tensor(np.zeros([d or 0 for d in x._shape], x._d.np)[()], x._d)


def _used_inputs(graph: Graph, n: int) -> set[int]:
    used = {id(v) for node in graph.nodes for v in node.ins} | {id(v) for v in graph.outputs}
    return {i for i, v in enumerate(graph.inputs[:n]) if id(v) in used}


def staged_while(test: Callable, step: Callable, start: list[Tensor], invariants: list[Tensor]) -> list[Tensor]:
    """A while_loop row made from functions of (state..., invariants...), wherever this runs: eagerly, or in a trace."""
    forms = [aval(x) for x in [*start, *invariants]]
    traces = []
    for f in (test, step):
        t = Trace("loop", state.trace)
        with t:
            out = f(*[t.input(a, "s") for a in forms])
            traces.append((t, [t.local(o) for o in (out if isinstance(out, list) else [out])]))
    (cond, body), outer = closed(traces, len(forms))
    return list(apply(while_row, *start, *invariants, *outer, n=len(start), cond=cond, body=body))


def closed(traces: Sequence[tuple[Trace, Sequence[Tensor]]], n: int) -> tuple[list[Graph], list[SymbolicTensor]]:
    """The graphs of branches or bodies with what either captures as inputs behind their own ``n``; and what that is outside."""
    outer: dict[tuple, SymbolicTensor] = {}  # what is captured: what a trace captures twice is there twice
    captured: list[dict[tuple, Value]] = []
    for t, _ in traces:
        mine: dict[tuple, Value] = {}
        for o, inner in t.captures:
            key = next(k for k in ((id(o.value), i) for i in range(len(t.captures))) if k not in mine)
            outer[key], mine[key] = o, inner.value
        captured.append(mine)
    graphs = []
    for (t, outputs), mine in zip(traces, captured, strict=True):
        graph = t.finish(outputs, t.name)
        graph.inputs = [x.value for x in t.inputs[:n]] + [mine.get(k) or Value(o.value.aval) for k, o in outer.items()]
        graphs.append(simplify.simplify(graph))
    return graphs, list(outer.values())
