"""The stage of converted Python: control flow over traced tensors becomes ``cond`` and ``while_loop`` rows.

``autograph`` turns a function's control flow into calls of this object; see ``autograph/staging.py`` for what each must do.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.state import state
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground import nest
from ..ground.dtypes import BOOL, bool_, float32, int32
from ..ground.errors import InvalidArgumentError, user_line
from ..ground.primitive import Aval, Primitive
from ..primitives import elementwise as ew
from ..primitives import reduction as rd
from ..primitives import structure as st
from . import autograph
from .autograph import staging as protocol
from .autograph.staging import UNSET
from .replay import replay
from .trace import SymbolicTensor, Trace, as_scalar, is_tensor

# -- rows with effects -------------------------------------------------------------------------------------------------------


def _assert_kernel(condition: Any, *data: Any, message: Any) -> tuple:
    if not np.all(condition):
        said = message() if callable(message) else message
        parts = [str(said)] if said is not None else []
        raise InvalidArgumentError("assertion failed: " + " ".join([*parts, *[repr(d) for d in data]]).strip())
    return ()


assert_row = Primitive(
    "assert",
    "*xs",
    _assert_kernel,
    shape=lambda *xs, **attrs: [],
    multi=True,
    effect=True,
    cases=lambda rng: [],
    doc="Raises where its first input is false.",
)


def _raise_kernel(*, error: BaseException) -> tuple:
    raise error


raise_row = Primitive(
    "raise",
    "*xs",
    _raise_kernel,
    shape=lambda **attrs: [],
    multi=True,
    effect=True,
    cases=lambda rng: [],
    doc="Raises an error.",
)


length_row = Primitive("length", "x", lambda x: np.int32(len(x)), shape=lambda x: Aval((), int32), out=int32, cases=lambda rng: [((rng.uniform(-1, 1, (3, 2)),), {})],
                       settle=lambda xs, attrs: None if xs[0]._shape[0] is None else [np.int32(xs[0]._shape[0])],
                       doc="The length of the first axis, int32.")  # fmt: skip


def emit_effect(row: Primitive, xs: tuple, attrs: dict[str, Any]) -> None:
    """Append a node with an effect to the current trace."""
    state.trace.emit(row, xs, attrs)


class GraphStage:
    """Stages into the trace of this thread."""

    def is_staged(self, x: Any) -> bool:
        """Tensors while tracing: also those whose value is known, so that loops over them stay loops."""
        return state.trace is not None and isinstance(x, (Tensor, Variable))

    iterates = is_staged

    # -- conditionals -------------------------------------------------------------------------------------------------
    def cond(self, pred: Any, true_fn: Callable, false_fn: Callable, init: tuple, names: tuple[str, ...]) -> tuple:
        """See the protocol."""
        pred = self._predicate(pred, "condition of an if")
        if not isinstance(pred, SymbolicTensor):
            return (true_fn if bool(pred) else false_fn)(init)
        from .control import conditional  # when there is need: most functions have no control flow over tensors

        return conditional(pred, [lambda f=f: f(init) for f in (true_fn, false_fn)], names, unset=UNSET)  # type: ignore[misc]

    def _predicate(self, pred: Any, what: str) -> Tensor:
        pred = convert(pred)
        if what.startswith("condition"):
            pred = as_scalar(pred)
        if pred._shape != ():
            raise ValueError(
                f"The {what} must be a scalar, but has shape {pred.shape}: use tf.reduce_any or tf.reduce_all.{user_line()}"
            )
        return pred if pred._d.kind == BOOL else st.cast(pred, bool_)

    # -- loops --------------------------------------------------------------------------------------------------------
    takes_first = True

    def while_loop(
        self,
        cond_fn: Callable,
        body_fn: Callable,
        init: tuple,
        names: tuple[str, ...],
        first: Any = None,
        invariants: tuple = (),
    ) -> tuple:
        """See the protocol. ``first`` is the condition's value before the loop, where it was evaluated."""
        go = None if first is None else self._predicate(first, "condition of a loop")
        test = lambda i, s: self._predicate(cond_fn(s), "condition of a loop")
        return self._loop(test, lambda i, s: body_fn(s), init, names, invariants, first=go)

    def for_range(
        self,
        start: Any,
        limit: Any,
        delta: Any,
        body_fn: Callable,
        init: tuple,
        extra_cond: Callable | None,
        names: tuple[str, ...],
        invariants: tuple = (),
    ) -> tuple:
        """See the protocol."""
        start, limit, delta = self._of_one_dtype(start, limit, delta)
        known = None if isinstance(delta, SymbolicTensor) else float(delta)

        def within(i: Tensor) -> Tensor:
            if known is not None:
                return ew.less(i, limit) if known > 0 else ew.greater(i, limit)
            zero = st.zeros_like(delta)
            return ew.logical_or(
                ew.logical_and(ew.greater(delta, zero), ew.less(i, limit)),
                ew.logical_and(ew.less(delta, zero), ew.greater(i, limit)),
            )

        def test(i: Tensor, s: tuple) -> Any:
            return (
                within(i)
                if extra_cond is None
                else ew.logical_and(within(i), self._predicate(extra_cond(s), "condition of a loop"))
            )

        return self._loop(test, body_fn, init, names, invariants, counter=(start, delta))

    def index(self, start: Any, limit: Any, delta: Any) -> Tensor:
        """See the protocol."""
        return self._of_one_dtype(start, limit, delta)[0]

    def _of_one_dtype(self, *xs: Any) -> list[Tensor]:
        d = next((x.dtype for x in xs if is_tensor(x)), int32)
        return [convert(x, None, d) for x in xs]

    def _loop(self, test: Callable, step: Callable, init: tuple, names: tuple, invariants: tuple, **how: Any) -> tuple:
        from .control import loop

        given = _shapes_kept(invariants)
        shapes = [[given.get(id(x)) for x in nest.flatten(value)] for value in init] if given else None
        return loop(test, step, init, [f"'{name}'" for name in names], shapes=shapes, **how)

    def bounds(self, x: Any) -> tuple | None:
        """The three inputs of a ``range`` row."""
        known = state.trace.made_by(x) if type(x) is Tensor else None
        if known is not None and known[0].name == "range":
            return tuple(known[1])
        node = x.value.node if isinstance(x, SymbolicTensor) else None
        if node is None or node.p.name != "range":
            return None
        return tuple(
            [
                SymbolicTensor(x.trace, v, "range") if v.const is None else Tensor(v.const, v.aval.dtype)
                for v in node.ins
            ]
        )

    def length(self, x: Any) -> Any:
        """The first dimension where it is known, else a scalar int32 tensor."""
        shape = convert(x)._shape
        if not shape:
            raise TypeError(f"A loop cannot iterate over a scalar tensor.{user_line()}")
        return shape[0] if shape[0] is not None else length_row(convert(x))

    def item(self, x: Any, i: Any) -> Any:
        """Row i."""
        from .control_rows import take_row

        return take_row(convert(x), convert(i, None, int32))

    def minimum(self, x: Any, y: Any) -> Any:
        """The smaller of two lengths."""
        if not is_tensor(x) and not is_tensor(y):
            return min(x, y)
        return ew.minimum(*self._of_one_dtype(x, y))

    def probe(self, fn: Callable, init: tuple) -> tuple:
        """See the protocol."""
        with Trace("probe", state.trace):
            return fn(init)

    def placeholder(self, like: Any) -> Any:
        """Zeros."""
        from .control import placeholder

        return placeholder(like)

    # -- logic --------------------------------------------------------------------------------------------------------
    def logical_and(self, x: Any, y: Callable) -> Any:
        """Short-circuit where ``y`` could fail; a plain operation where it is a comparison of values."""
        return self._short_circuit(x, y, True)

    def logical_or(self, x: Any, y: Callable) -> Any:
        """See ``logical_and``."""
        return self._short_circuit(x, y, False)

    def _short_circuit(self, x: Any, y: Callable, both: bool) -> Any:
        from .control import assigned, emit_cond

        what = "operand of and/or"
        x = self._predicate(x, what)
        known = Tensor(np.bool_(not both), bool_)
        if type(x) is Tensor:
            return self._predicate(y(), what) if bool(x) is both else known
        trace = Trace("branch", state.trace)
        with trace:
            value = self._predicate(y(), what)
        row = ew.logical_and if both else ew.logical_or
        if not isinstance(x, SymbolicTensor) or not (isinstance(value, SymbolicTensor) or type(value) is Tensor):
            return row(x, self._predicate(y(), what))  # batched: both are needed
        if all([n.p.elementwise for n in trace.nodes]) and not trace.created and not assigned([trace]):
            graph = trace.finish([value], "operand")
            return row(x, replay(graph, [outer for outer, _ in trace.captures])[0])
        branches = [(trace, [value]), (Trace("branch", state.trace), [known])][:: 1 if both else -1]
        return emit_cond(x, [t for t, _ in branches], [out for _, out in branches])[0]

    def logical_not(self, x: Any) -> Any:
        """Not."""
        return ew.logical_not(self._predicate(x, "operand of not"))

    # -- effects ------------------------------------------------------------------------------------------------------
    def assert_(self, condition: Any, message: Callable) -> None:
        """An ``assert`` row."""
        said = message()
        data = tuple([convert(x) for x in nest.flatten(said) if is_tensor(x)])
        text = None if data or said is None else str(said)
        emit_effect(
            assert_row,
            (
                rd.all(c, axis=tuple(range(len(c._shape))), keepdims=False) if (c := convert(condition))._shape else c,
                *data,
            ),
            {"message": text},
        )

    def raise_(self, error: BaseException) -> None:
        """A ``raise`` row."""
        emit_effect(raise_row, (), {"error": error})

    def builtin(self, function: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Casts, lengths, and the reductions of Python."""
        if kwargs or not args:
            return NotImplemented
        x = args[0]
        if len(args) == 2 and function in (max, min):
            return (ew.maximum if function is max else ew.minimum)(*self._of_one_dtype(*args))
        if len(args) != 1 or not is_tensor(x):
            return NotImplemented
        t = convert(x)
        axes = {"axis": tuple(range(len(t._shape))), "keepdims": False}
        table: dict[Any, Callable] = {
            builtins.len: lambda: self.length(t), builtins.int: lambda: st.cast(t, int32), builtins.float: lambda: st.cast(t, float32), builtins.bool: lambda: st.cast(t, bool_),
            builtins.abs: lambda: ew.abs(t), builtins.max: lambda: rd.max(t, **axes), builtins.min: lambda: rd.min(t, **axes), builtins.sum: lambda: rd.sum(t, **axes),
            builtins.any: lambda: rd.any(t, **axes), builtins.all: lambda: rd.all(t, **axes),
        }  # fmt: skip
        make = table.get(function)
        return NotImplemented if make is None else make()


def _shapes_kept(invariants: tuple) -> dict[int, Any]:
    """The shapes that ``set_loop_options`` was given, by the ids of the values that they are for."""
    found: dict[int, Any] = {}
    for pair in invariants:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(
                f"shape_invariants must be a list of pairs (variable, shape), but one is {str(pair)[:60]}."
            )
        value, shape = pair
        if nest.is_nested(value):
            shapes = nest.flatten_up_to(value, shape)
            found.update({id(x): s for x, s in zip(nest.flatten(value), shapes, strict=True)})
        else:
            found[id(value)] = shape
    return found


protocol.install(GraphStage())


def convert_control_flow(f: Callable) -> Callable:
    """``f`` with its control flow over tensors turned into calls of the stage."""
    return autograph.convert(f)
