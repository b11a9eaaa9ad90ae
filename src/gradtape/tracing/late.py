"""Calls that wait for values which a trace does not know.

``late`` is the row of a public function whose static arguments (a shape, a count, a bound) are traced tensors: its kernel calls the function
when the program runs, or when it is replayed where they are known. What is known of its outputs while tracing is found by trying: the function is
called with several sizes in place of the unknown ones, and a dimension is known where all of them agree.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.arguments import NoValue
from ..core.state import apart
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground import nest
from ..ground.dtypes import ANY
from ..ground.errors import InvalidArgumentError, invalid
from ..ground.primitive import Aval, Primitive
from ..primitives.structure import reshape
from .dynamic import tensors_of
from .replay import pulled_back
from .trace import SymbolicTensor, Trace


class LateCall:
    """A public function with the arguments that are no tensors. Two calls are never the same: they may draw random numbers."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, f: Callable, form: Any, leaves: list, at: list[int]) -> None:
        self.f, self.form, self.leaves, self.at = f, form, leaves, at
        self.guessed: set[int] = set()  # outputs of which nobody has said the rank
        self.flat: set[int] = set()  # outputs that are wanted with their elements in a row

    def __call__(self, xs: Any) -> list[Tensor]:
        leaves = list(self.leaves)
        for i, x in zip(self.at, xs, strict=True):
            leaves[i] = x
        args, kwargs = nest.pack_sequence_as(self.form, leaves)
        self.result = self.f(*args, **kwargs)
        outs = [convert(x) for x in nest.flatten(self.result)]
        for i in self.flat:
            outs[i] = reshape(outs[i], shape=(math.prod(outs[i]._shape),))
        return outs

    def __repr__(self) -> str:
        return self.f.__name__


def late_kernel(*arrays: Any, call: LateCall, avals: tuple[Aval, ...]) -> tuple:
    """The call on the arrays."""
    with apart():
        outs = call(tensors_of(arrays))
    for o, a in zip(outs, avals, strict=True):
        if len(o._shape) != a.ndim or any(d not in (e, None) for d, e in zip(a.shape, o._shape, strict=True)):
            hint = ": give its shape by a TensorSpec in Tout, or by tf.ensure_shape" if call.guessed else ""
            raise invalid(
                f"{call!r} gave a tensor of shape {list(o._shape)} where {a} was expected when it was traced{hint}."
            )
    return tuple([o._a for o in outs])


def late_joint(g: tuple, wanted: tuple, xs: tuple, out: tuple, attrs: dict) -> list:
    """The gradient of what the call does."""
    return pulled_back(attrs["call"], xs, wanted, g)


late_row = Primitive("late", "*xs", late_kernel, shape=lambda *xs, call, avals: list(avals), joint=late_joint, needs="values", settle=lambda xs, attrs: attrs["call"](xs), holomorphic=False, accepts=ANY, multi=True,
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
    call = LateCall(f, (args, kwargs), [None if i in at else x for i, x in enumerate(leaves)], at)
    form = getattr(f, "form", None)  # one output, of which only the rank is known
    known = form(*args, **kwargs) if form is not None else None
    if known is not None:
        return trace.emit(late_row, tuple(xs), {"call": call, "avals": tuple(known)})[0]
    avals, failed = _outputs(call, xs)
    if not avals:
        # with any values the call fails: if it does in one way, that is what the user has to know
        if not failed or any([isinstance(e, NoValue) for e in failed]):
            raise error
        if len({str(e) for e in failed}) == 1:
            raise failed[0]
        if isinstance(error, NoValue) and all([isinstance(e, InvalidArgumentError) for e in failed]):
            raise InvalidArgumentError(
                f"{call!r} fails with all values that were tried in place of traced ones, the first time so: {failed[0]}"
            )
        raise error
    outs = trace.emit(late_row, tuple(xs), {"call": call, "avals": tuple(avals)})
    return nest.pack_sequence_as(call.result, list(outs)) if nest.is_nested(call.result) else outs[0]


def _outputs(call: LateCall, xs: list[Tensor]) -> tuple[list[Aval], list[Exception]]:
    """What is known of the outputs; empty where no trial comes out. And how trials failed."""
    found: list[list[Aval]] = []
    failed: list[Exception] = []
    tried: list[tuple] = []
    for trials in (_TRIALS, _fitting(xs)):
        if found:
            break
        for dims, ints in trials:
            scratch = Trace("trial")
            _trials.on = True
            try:
                with scratch:
                    outs = call(
                        [_trial(scratch, x, dims[i % len(dims)], ints[i % len(ints)]) for i, x in enumerate(xs)]
                    )
            except Exception as e:
                failed.append(e)
                continue
            finally:
                _trials.on = False
            found.append([Aval(o._shape, o._d) for o in outs])
            tried.append((dims, ints))
    if not found or len({tuple([(a.ndim, a.dtype) for a in avals]) for avals in found}) > 1:
        return [], failed if not found else []
    varied = all(
        [len(set(each)) > 1 for each in zip(*tried, strict=True)]
    )  # results agree where the trials did not differ
    same = lambda dims: dims[0] if varied and len(set(dims)) == 1 and dims[0] else None  # nothing is no proof
    avals = [
        Aval(tuple([same(d) for d in zip(*[a.shape for a in each], strict=True)]), each[0].dtype)
        for each in zip(*found, strict=True)
    ]
    return avals, failed


def _fitting(xs: list[Tensor]) -> Iterator[tuple]:
    """More to try, for calls that only work with numbers that fit to the sizes of ``xs``: their divisors, and pairs that multiply or add up to them."""
    shapes = {x._shape for x in xs if x._shape and None not in x._shape}
    sizes = sorted({n for s in shapes for n in (math.prod(s), *s) if n > 1})[:8]
    for n in sizes:
        small = [d for d in range(1, math.isqrt(n) + 1) if n % d == 0][:16]
        for k, d in enumerate(sorted({*small, *[n // d for d in small]})):
            for ints in ((d,), (d, n // d), (d, n - d)):
                yield (5 + k,), ints


def _trial(trace: Trace, x: Tensor, size: int, value: int) -> Tensor:
    """``x`` with ``size`` for open dimensions and ``value`` for the value of a traced integer or vector of them."""
    if not isinstance(x, SymbolicTensor):
        return x
    shape = tuple([size if d is None else d for d in x._shape])
    if x._d.is_integer and len(shape) < 2:
        return Tensor(np.full(shape, value, x._d.np)[()], x._d)
    return trace.input(Aval(shape, x._d), "x")
