"""Clean-up of graphs that never changes a float's result: dead code, common subexpressions, constants, identities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ground.graph import Graph, Node, Value
from ..ground.primitive import Primitive
from ..primitives import structure as st
from ..primitives.indexing import strided_slice, unslice

_FOLD = 1 << 12  # elements: larger constants are left to be computed, not stored
_SHAPED = (st.reshape, st.broadcast_to)  # these do nothing where the shape stays
_OF_FORM = (st.zeros_like, st.ones_like, st.full_like, st.zeros_of)  # the value follows from shape and dtype alone


def simplify(graph: Graph, final: bool = False) -> Graph:
    """The same function with less to do. ``final``: nobody will differentiate it any more, so what only gradients see goes too."""
    replaced: dict[int, Value] = {}
    seen: dict[Any, Node] = {}
    nodes: list[Node] = []
    consts: dict[Any, Value] = {}
    # a loop, and the same loop that keeps its history for the backward pass, are one: the richer node takes the other's place
    richer = {_work(n, n.p.extends): n for n in reversed(graph.nodes) if n.p.extends}
    extended = {n.p.extends for n in richer.values()}
    hoisted: dict[int, Node] = {}

    def look(v: Value) -> Value:
        if v.const is not None:
            key = _const_key(v)
            return v if key is None else consts.setdefault(key, v)
        return replaced.get(id(v), v)

    for n in graph.nodes:
        ins = tuple([look(v) for v in n.ins])
        rich = richer.get(_work(n, n.p.extends or n.p)) if (n.p.extends or n.p) in extended else None
        if rich is not None and (n is rich or n.p is rich.p.extends):
            made = hoisted.get(id(rich))
            if made is None:
                made = hoisted[id(rich)] = Node(rich.p, ins, rich.attrs, [v.aval for v in rich.outs], n.line)
                nodes.append(made)
            replaced.update({id(v): w for v, w in zip(n.outs, made.outs, strict=False)})
            continue
        if n.effect:
            nodes.append(_with(n, ins, replaced))
            continue
        if n.p.passes is not None and (final or n.p is st.identity):
            for v, w in zip(n.outs, ins[n.p.passes :], strict=False):
                replaced[id(v)] = w
            continue
        if (n.p in _SHAPED or _takes_all(n)) and ins[0].const is None and _same_shape(n):
            replaced[id(n.outs[0])] = ins[0]
            continue
        same = _identity(n, ins)
        if same is not None:
            replaced[id(n.outs[0])] = same
            continue
        folded = _fold(n, ins)
        if folded is not None:
            for v, c in zip(n.outs, folded, strict=True):
                replaced[id(v)] = look(c)
            continue
        key = _key(n, ins)
        known = seen.get(key) if key is not None else None
        if known is not None:
            for v, w in zip(n.outs, known.outs, strict=True):
                replaced[id(v)] = w
            continue
        new = _with(n, ins, replaced)
        if key is not None:
            seen[key] = new
        nodes.append(new)
    outputs = [look(v) for v in graph.outputs]
    return dead_code(Graph(graph.inputs, outputs, nodes, graph.name))


def _identity(n: Node, ins: tuple[Value, ...]) -> Value | None:
    """The input that the node gives back bit for bit: x*1, x/1, x-0, x**1."""
    out = n.outs[0].aval if n.outs else None
    for unit, v, other in zip(n.p.neutral, ins, ins[::-1], strict=False):
        if unit is not None and other.aval == out and _all(v, unit):
            return other
    return None


def _all(v: Value, unit: int) -> bool:
    c = v.const
    if c is None or (isinstance(c, np.ndarray) and c.size > 64) or not hasattr(c, "dtype") or c.dtype.kind not in "fiu":
        return False
    return bool(np.all(c == unit)) and not (unit == 0 and bool(np.any(np.signbit(c))))


def _work(n: Node, p: Primitive) -> Any:
    """What ``n`` computes as the row ``p``, of whose attributes it may have more."""
    code = p.kernel.__code__ if hasattr(p.kernel, "__code__") else None
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount] if code else ()
    return p.name, tuple([id(v) for v in n.ins]), tuple([_frozen(n.attrs.get(k)) for k in names])


def _same_shape(n: Node) -> bool:
    shape = n.ins[0].aval.shape
    return None not in shape and shape == n.outs[0].aval.shape


def _takes_all(n: Node) -> bool:
    """Whether ``n`` is a slice, or its adjoint, that is everything in its order if the shape stays."""
    return n.p in (strided_slice, unslice) and all(type(i) is slice and (i.step or 1) > 0 for i in n.attrs["index"])


def _with(n: Node, ins: tuple[Value, ...], replaced: dict[int, Value]) -> Node:
    if all(a is b for a, b in zip(ins, n.ins, strict=True)):
        return n
    new = Node(n.p, ins, n.attrs, [v.aval for v in n.outs], n.line)
    for v, w in zip(n.outs, new.outs, strict=True):
        replaced[id(v)] = w
    return new


def _const_key(v: Value) -> Any:
    c = v.const
    if isinstance(c, np.ndarray):
        return (c.shape, c.dtype.str, c.tobytes()) if c.size <= 64 and c.dtype.kind != "O" else None
    return (type(c), c.tobytes()) if hasattr(c, "tobytes") else None


def _key(n: Node, ins: tuple[Value, ...]) -> Any:
    try:
        attrs = tuple(sorted((k, _frozen(a)) for k, a in n.attrs.items()))
        hash(attrs)
    except TypeError:
        return None
    return n.p.name, tuple([id(v) for v in ins]), attrs


def _frozen(a: Any) -> Any:
    if isinstance(a, slice):
        return ("slice", a.start, a.stop, a.step)
    if isinstance(a, tuple):
        return tuple([_frozen(x) for x in a])
    return (type(a).__name__, id(a) if isinstance(a, Graph) else a)


def _fold(n: Node, ins: tuple[Value, ...]) -> list[Value] | None:
    """The outputs as constants, where all inputs are constants and the result is small."""
    if not ins or any(v.const is None for v in ins):
        if n.p in _OF_FORM and None not in n.outs[0].aval.shape and _size(n.outs[0]) <= 64:
            a = n.outs[0].aval
            like = np.zeros(a.shape, a.dtype.np)[()]
            return [Value(a, const=n.p.compute(like, **n.attrs))]
        return None
    if any(None in v.aval.shape or _size(v) > _FOLD for v in n.outs):
        return None
    if any(isinstance(a, Graph) for a in n.attrs.values()):
        return None
    try:
        with np.errstate(all="ignore"):
            r = n.p.compute(*[v.const for v in ins], **n.attrs)
    except Exception:  # what fails is left to fail when it runs, with the user's line
        return None
    return [Value(v.aval, const=a) for v, a in zip(n.outs, r if n.p.multi else (r,), strict=True)]


def _size(v: Value) -> int:
    n = 1
    for d in v.aval.shape:
        n *= d
    return n


def dead_code(graph: Graph) -> Graph:
    """Without the nodes that nothing depends on."""
    live = {id(v) for v in graph.outputs}
    nodes = []
    for n in reversed(graph.nodes):
        if n.effect or any(id(v) in live for v in n.outs):
            nodes.append(n)
            live.update([id(v) for v in n.ins])
    return Graph(graph.inputs, graph.outputs, nodes[::-1], graph.name)


def without_effects(graph: Graph) -> Graph:
    """The graph without what prints or asserts, inside control flow too: for computing values again."""
    if not graph.effect:
        return graph
    nodes: list[Node] = []
    swap: dict[int, Value] = {}
    for n in graph.nodes:
        if n.p.effect:
            # those that have an output (assertions) give their first input back
            swap.update({id(v): swap.get(id(n.ins[0]), n.ins[0]) for v in n.outs})
            continue
        attrs = {k: without_effects(a) if isinstance(a, Graph) else a for k, a in n.attrs.items()}
        m = Node(n.p, tuple([swap.get(id(v), v) for v in n.ins]), attrs, [v.aval for v in n.outs], n.line)
        swap.update({id(v): w for v, w in zip(n.outs, m.outs, strict=True)})
        nodes.append(m)
    return Graph(graph.inputs, [swap.get(id(v), v) for v in graph.outputs], nodes, graph.name)
