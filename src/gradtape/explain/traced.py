"""The picture of a traced function: with the values of a call, or of its graph alone."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor
from ..core.variable import Variable
from ..gradient.tape import GradientTape
from ..ground import nest
from ..ground.graph import Graph, Value
from ..ground.primitive import Aval
from . import places
from .account import Account, Leaf, Step
from .journal import trace_lines
from .picture import Picture


def show_function(function: Any, args: tuple, kwargs: dict[str, Any]) -> Picture:
    """See ``Function.show``."""
    if args or kwargs or not _wants_arguments(function):
        picture = _of_call(function, args, kwargs)
        if picture is not None:
            return picture
        return Picture(of_graph(function.get_concrete_function(*args, **kwargs)), function._name)
    _ = function.graph  # raises the user's error where nothing was traced
    return Picture(of_graph(next(reversed(function._traces.values()))), function._name)


def _wants_arguments(function: Any) -> bool:
    signature = function._signature
    return signature is None or any([p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in signature.parameters.values()])  # fmt: skip


def _of_call(function: Any, args: tuple, kwargs: dict[str, Any]) -> Picture | None:
    """The picture of one call. The variables that it assigns get their values back. None where no gradient can flow."""
    from . import accounted, unheard

    given = lambda x: Tensor(x._a, x._d) if type(x) is Tensor else x  # tensors of its own, which only this tape watches
    args, kwargs = nest.map_structure(given, args), nest.map_structure(given, kwargs)
    names = places.Names()
    for name, value in _named(function, args, kwargs):
        leaves = nest.flatten(value)
        names.update({id(x): name if len(leaves) == 1 else f"{name}[{i}]" for i, x in enumerate(leaves)})
    concrete = function.get_concrete_function(*args, **kwargs)
    before = [(v, v._t) for v in concrete.program.variables]
    try:
        with trace_lines(), GradientTape(persistent=True) as tape:
            tape.watch([x for x in nest.flatten((args, kwargs)) if type(x) is Tensor and x._d.is_inexact])
            result = function(*args, **kwargs)
    finally:
        for v, t in before:
            v._t = t
    floats = [t for t in nest.flatten(result) if isinstance(t, Tensor | Variable) and t._d.is_inexact]
    if not floats or not tape._records:
        return None
    with unheard():
        return Picture(accounted(tape, floats, names), function._name)


def _named(function: Any, args: tuple, kwargs: dict[str, Any]) -> list[tuple[str, Any]]:
    if function._signature is None:
        return [(f"argument {i}", a) for i, a in enumerate(args)]
    return list(function._signature.bind(*args, **kwargs).arguments.items())


class _Form:
    """What stands for a tensor of which only the form is known."""

    def __init__(self, aval: Aval) -> None:
        self._a, self._d, self._shape = aval, aval.dtype, aval.shape


def of_graph(concrete: Any) -> Account:
    """The account of a graph: forms in place of values, and where the backward pass goes."""
    graph: Graph = concrete.graph
    keys: dict[int, int] = {}
    key = lambda v: keys.setdefault(id(v), len(keys) + 1)
    live = {id(v) for v in graph.inputs if v.aval.dtype.is_inexact}
    steps = []
    for n in graph.nodes:
        mask = sum([1 << i for i, v in enumerate(n.ins) if id(v) in live])
        plan = n.p.plan(mask) if mask and any([v.aval.dtype.is_inexact for v in n.outs]) else None
        if plan is not None:
            live.update([id(v) for v in n.outs if v.aval.dtype.is_inexact])
        record = (n.p, plan.vjps if plan is not None else (), None, None, None, None, None, n.attrs)
        place = places.at(*n.line)._replace(function=graph.name) if n.line else None
        form = lambda v: Tensor(v.const, v.aval.dtype) if v.const is not None else _Form(v.aval)
        steps.append(Step(n.p, record, tuple([form(v) for v in n.ins]), tuple([form(v) for v in n.outs]), place, tuple([key(v) for v in n.ins]), tuple([key(v) for v in n.outs])))  # fmt: skip
    account = Account(steps, True)
    inputs = [*concrete._input_names, *[v._name.partition(":")[0] for v in concrete.program.variables]]
    for i, v in enumerate(graph.inputs):
        k = key(v)
        account.leaves[k] = Leaf(k, "variable" if i >= len(concrete._input_names) else "watched", v.aval, None)
        account.names[k] = inputs[i] if i < len(inputs) else f"input {i}"
    for n in graph.nodes:
        for c in n.ins:
            if c.const is not None:
                account.leaves[key(c)] = Leaf(key(c), "constant", c.const, None)
                account.names[key(c)] = "constant"
    for s in account.steps:
        account.names.update(dict.fromkeys(s.out_keys, f"v{s.number}"))
    _backward(account, [v for v in graph.outputs[: concrete.program.n_results] if id(v) in live], key)
    return account


def _backward(account: Account, results: list[Value], key: Any) -> None:
    """Where cotangents flow, without their values."""
    flowing: dict[int, Any] = {key(v): _Form(v.aval) for v in results}
    account.targets = list(flowing)
    for s in reversed(account.steps):
        if any([k in flowing for k in s.out_keys]) and s.tracked:
            s.cotangents = [flowing.get(k) for k in s.out_keys]
            for i in s.tracked:
                x = s.xs[i]
                s.parts[i] = s.totals[i] = flowing[s.in_keys[i]] = x
    account.adjoints = flowing
