"""What waits for values and shapes that a trace does not know, and how it settles once they are known.

``late`` is the row of a public function whose static arguments (a shape, a count, a bound) are traced tensors: its kernel calls the function
when the program runs. What is known of its outputs is found by trying: the function is called with several sizes in place of the
unknown ones, and a dimension is known where all of them agree.

When a graph with open dimensions is replayed with known ones (``replay``), the rows here become what they stand for: sizes become constants,
late calls are made, gradient rules are applied, branches and bodies are replayed for the shapes that they get.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.dispatch import apply
from ..core.state import state
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..gradient.tape import GradientTape
from ..ground import nest
from ..ground.dtypes import ANY, of_numpy
from ..ground.errors import invalid
from ..ground.graph import Graph
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import dims_text
from ..primitives.structure import reshape, shape_of
from . import simplify
from .control import cond_row, history_row, while_row
from .dynamic import _vjp_tensors, unknown, vjp_row
from .program import SETTLE, replay
from .trace import SymbolicTensor, Trace, ruled

# -- calls that wait ------------------------------------------------------------------------------------------------------


class _Call:
    """A public function with the arguments that are no tensors. Two calls are never the same: they may draw random numbers."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, f: Callable, form: Any, leaves: list, at: list[int]) -> None:
        self.f, self.form, self.leaves, self.at = f, form, leaves, at

    def __call__(self, xs: Any) -> list[Tensor]:
        leaves = list(self.leaves)
        for i, x in zip(self.at, xs, strict=True):
            leaves[i] = x
        args, kwargs = nest.pack_sequence_as(self.form, leaves)
        self.result = self.f(*args, **kwargs)
        return [convert(x) for x in nest.flatten(self.result)]

    def __repr__(self) -> str:
        return self.f.__name__


def _late_kernel(*arrays: Any, call: _Call, avals: tuple[Aval, ...]) -> tuple:
    outer, state.tapes, trace, state.trace = state.tapes, (), state.trace, None
    try:
        outs = call([Tensor(a, of_numpy[np.asarray(a).dtype]) for a in arrays])
    finally:
        state.tapes, state.trace = outer, trace
    for o, a in zip(outs, avals, strict=True):
        if len(o._shape) != a.ndim or any(d not in (e, None) for d, e in zip(a.shape, o._shape, strict=True)):
            raise invalid(
                f"{call!r} gave a tensor of shape {list(o._shape)} where {a} was expected when it was traced."
            )
    return tuple([o._a for o in outs])


def _late_joint(g: tuple, wanted: tuple, xs: tuple, out: tuple, attrs: dict) -> list:
    with GradientTape() as tape:
        tape.watch([x for x in xs if x._d.is_inexact])
        ys = attrs["call"](xs)
    some = [(y, c) for y, c in zip(ys, g, strict=True) if c is not None]
    return tape.gradient([y for y, _ in some], [xs[i] for i in wanted], output_gradients=[c for _, c in some])


late_row = Primitive("late", "*xs", _late_kernel, shape=lambda *xs, call, avals: list(avals), joint=_late_joint, holomorphic=False, accepts=ANY, multi=True,
                     dynamic=True, surrogate=True, cases=lambda rng: [], doc="A public function called when the program runs.")  # fmt: skip

# what to try in place of what is not known, as (dimensions, integers): the same for all, all different, small numbers
_TRIALS = (
    ((5,), (5,)),
    ((7,), (7,)),
    ((2,), (2,)),
    ((1,), (1,)),
    ((0,), (0,)),
    ((11, 13, 17, 19, 23), (29, 31, 37, 41, 43)),
    ((5,), (0,)),
    ((7,), (1,)),
    ((3,), (2,)),
    ((5,), (0, 1)),
    ((7,), (1, 3)),
    ((9,), (2, 3)),
)


class _Trials(threading.local):
    """Whether this thread is trying sizes: a call that has to wait then has failed."""

    on = False


_trials = _Trials()


def later(trace: Trace, f: Callable, args: tuple, kwargs: dict, error: Exception) -> Any:
    """The call ``f(*args, **kwargs)`` as a node of ``trace``; ``error`` where unknown values and dimensions are not its reason."""
    leaves = nest.flatten((args, kwargs))
    at = [i for i, x in enumerate(leaves) if isinstance(x, Tensor | Variable)]
    xs = [convert(leaves[i]) for i in at]
    if _trials.on or not any([isinstance(x, SymbolicTensor) for x in xs]):
        raise error
    call = _Call(f, (args, kwargs), [None if i in at else x for i, x in enumerate(leaves)], at)
    form = getattr(f, "form", None)  # one output, of which only the rank is known
    known = form(*args, **kwargs) if form is not None else None
    if known is not None:
        return trace.emit(late_row, tuple(xs), {"call": call, "avals": tuple(known)})[0]
    avals = _outputs(call, xs)
    if not avals:
        raise error
    outs = trace.emit(late_row, tuple(xs), {"call": call, "avals": tuple(avals)})
    return nest.pack_sequence_as(call.result, list(outs)) if nest.is_nested(call.result) else outs[0]


def _outputs(call: _Call, xs: list[Tensor]) -> list[Aval]:
    """What is known of the outputs; empty where no trial comes out."""
    found: list[list[Aval]] = []
    tried: list[tuple] = []
    for dims, ints in _TRIALS:
        scratch = Trace("trial")
        _trials.on = True
        try:
            with scratch:
                outs = call([_trial(scratch, x, dims[i % len(dims)], ints[i % len(ints)]) for i, x in enumerate(xs)])
        except Exception:
            continue
        finally:
            _trials.on = False
        found.append([Aval(o._shape, o._d) for o in outs])
        tried.append((dims, ints))
    if not found or len({tuple([(a.ndim, a.dtype) for a in avals]) for avals in found}) > 1:
        return []
    varied = all(
        [len(set(each)) > 1 for each in zip(*tried, strict=True)]
    )  # results agree where the trials did not differ
    same = lambda dims: dims[0] if varied and len(set(dims)) == 1 and dims[0] else None  # nothing is no proof
    return [
        Aval(tuple([same(d) for d in zip(*[a.shape for a in each], strict=True)]), each[0].dtype)
        for each in zip(*found, strict=True)
    ]


def _trial(trace: Trace, x: Tensor, size: int, value: int) -> Tensor:
    """``x`` with ``size`` for open dimensions and ``value`` for the value of a traced integer or vector of them."""
    if not isinstance(x, SymbolicTensor):
        return x
    shape = tuple([size if d is None else d for d in x._shape])
    if x._d.is_integer and len(shape) < 2:
        return Tensor(np.full(shape, value, x._d.np)[()], x._d)
    return trace.input(Aval(shape, x._d), "x")


# -- settling -------------------------------------------------------------------------------------------------------------


def _settles(row: Primitive) -> Callable:
    def register(f: Callable) -> Callable:
        SETTLE[row.name] = f
        return f

    return register


@_settles(late_row)
def _late(xs: list[Tensor], attrs: dict) -> list[Tensor]:
    return attrs["call"](xs)


@_settles(shape_of)
def _shape(xs: list[Tensor], attrs: dict) -> list[Tensor]:
    d = attrs["dtype"]
    return [shape_of(xs[0], dtype=d) if None in xs[0]._shape else Tensor(np.array(xs[0]._shape, d.np), d)]


@_settles(reshape)
def _reshape(xs: list[Tensor], attrs: dict) -> list[Tensor]:
    shape, have = attrs["shape"], xs[0]._shape
    if None in shape and None not in have:
        rest = math.prod([d for d in shape if d is not None])
        if not rest or math.prod(have) % rest:
            raise invalid(
                f"Input to reshape is a tensor with {math.prod(have)} values (shape {dims_text(have)}), but the requested shape requires a multiple of {rest}."
            )
        shape = tuple([math.prod(have) // rest if d is None else d for d in shape])
    return [reshape(xs[0], shape=shape)]


@_settles(vjp_row)
def _vjp(xs: list[Tensor], attrs: dict) -> list[Tensor]:
    if ruled(vjp_row, attrs).outside or (attrs["row"] is not late_row and unknown([Aval(x._shape, x._d) for x in xs])):
        return list(apply(vjp_row, *xs, **attrs))
    return _vjp_tensors(xs, **attrs)


def _known(x: Tensor) -> bool:
    return type(x) is Tensor and x._d.is_integer and len(x._shape) < 2


def replayed(graph: Graph, xs: list[Tensor], fixed: int = 0) -> Graph:
    """The graph for inputs of the forms that ``xs`` have; integers among those from ``fixed`` on whose values are known become constants."""
    of = lambda i, x: np.asarray(x._a).tobytes() if i >= fixed and _known(x) else None
    key = ("replayed", tuple([(x._shape, x._d, of(i, x)) for i, x in enumerate(xs)]))
    found = graph.gradients.get(key)
    if found is None:
        trace = Trace(graph.name)
        check, state.check = state.check, False
        try:
            with trace:
                ins = [trace.input(Aval(x._shape, x._d), "x") for x in xs]
                outs = replay(
                    graph, [x if of(i, x) is not None else t for i, (t, x) in enumerate(zip(ins, xs, strict=True))]
                )
                found = simplify.simplify(trace.finish(outs, graph.name))
        finally:
            state.check = check
        graph.gradients[key] = found
    return found


@_settles(cond_row)
def _cond(xs: list[Tensor], attrs: dict) -> list[Tensor]:
    pred, *rest = xs
    if type(pred) is Tensor:
        return replay(attrs["true" if pred._a else "false"], rest)
    return list(apply(cond_row, *xs, true=replayed(attrs["true"], rest), false=replayed(attrs["false"], rest)))


def _loop(row: Primitive) -> Callable:
    def settle(xs: list[Tensor], attrs: dict) -> list[Tensor]:
        n, cond, body = attrs["n"], attrs["cond"], attrs["body"]
        states = [Aval(x._shape, x._d) for x in xs[:n]]
        while True:  # dimensions that a turn changes stay open
            at = [Tensor(a, a.dtype) for a in states]  # tensors of that form
            new = replayed(body, [*at, *xs[n:]], n)
            wider = [
                Aval(tuple([d if d == e else None for d, e in zip(a.shape, v.aval.shape, strict=True)]), a.dtype)
                for a, v in zip(states, new.outputs, strict=True)
            ]
            if wider == states:
                break
            states = wider
        test = replayed(cond, [*at, *xs[n:]], n)
        return list(apply(row, *xs, **{**attrs, "cond": test, "body": new}))

    return settle


for _row in (while_row, history_row):
    _settles(_row)(_loop(_row))
