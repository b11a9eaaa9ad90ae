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
from ..ground.shapes import TensorShape
from ..primitives import elementwise as ew
from ..primitives import reduction as rd
from ..primitives import structure as st
from . import autograph, control, functional
from .autograph import staging as protocol
from .autograph.calls import calls_back
from .autograph.staging import UNSET
from .control import _assigned, _branch, _emit_cond, left, take_row, traced_while
from .functional import TensorArray
from .program import SETTLE, replay
from .trace import SymbolicTensor, Trace

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
                       doc="The length of the first axis, int32.")  # fmt: skip
SETTLE["length"] = lambda xs, attrs: [
    length_row(xs[0]) if xs[0]._shape[0] is None else Tensor(np.int32(xs[0]._shape[0]), int32)
]


def emit_effect(row: Primitive, xs: tuple, attrs: dict[str, Any]) -> None:
    """Append a node with an effect to the current trace."""
    state.trace.emit(row, xs, attrs)


# -- state: nests whose leaves are tensors, Python numbers, TensorArrays, or anything that stays as it is ---------------------


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float, complex, np.ndarray, np.generic))


def _is_tensor(x: Any) -> bool:
    return isinstance(x, (Tensor, Variable)) or hasattr(x, "_to_tensor")


def _tensor_of(x: Any) -> Any:
    """The tensor that stands for a leaf of the state in a graph, or None."""
    if isinstance(x, TensorArray):
        return x._staged()
    return convert(x) if _is_tensor(x) or _is_number(x) else None


def _again(like: Any, t: Tensor) -> Any:
    """The leaf that ``t`` stands for, where ``like`` stood."""
    return like._with([], t) if isinstance(like, TensorArray) else t


def _same(a: Any, b: Any) -> bool:
    """Whether two leaves are one Python value."""
    if a is b:
        return True
    return type(a) is type(b) and not _is_tensor(a) and not isinstance(a, (TensorArray, np.ndarray)) and bool(a == b)


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
        parent = state.trace
        branches = [_branch(lambda f=f: f(init), parent) for f in (true_fn, false_fn)]  # type: ignore[misc]
        tensors: list[list[Tensor]] = [[], []]
        plan: list[Any] = []
        for name, a, b in zip(names, branches[0][1], branches[1][1], strict=True):
            plan.append(self._merge(name, a, b, tensors, [t for t, _ in branches]))
        assigned = _assigned([t for t, _ in branches])
        flat = _emit_cond(pred, [(t, tensors[0]) for t, _ in branches], tensors, assigned, [True] * len(tensors[0]))
        it = iter(flat)
        return tuple(
            [
                form
                if leaves is None
                else nest.pack_sequence_as(form, [x if like is _KEEP else _again(like, next(it)) for like, x in leaves])
                for form, leaves in plan
            ]
        )

    def _predicate(self, pred: Any, what: str) -> Tensor:
        pred = convert(pred)
        if pred._shape != ():
            raise ValueError(
                f"The {what} must be a scalar, but has shape {pred.shape}: use tf.reduce_any or tf.reduce_all.{user_line()}"
            )
        return pred if pred._d.kind == BOOL else st.cast(pred, bool_)

    def _merge(
        self, name: str, a: Any, b: Any, tensors: list[list[Tensor]], traces: list[Trace]
    ) -> tuple[Any, list | None]:
        """How the entry ``name`` comes out of a conditional: (form, for each leaf what it is), its tensors appended."""
        if a is UNSET and b is UNSET:
            return UNSET, None
        if a is UNSET:
            a = self.placeholder(b)
        elif b is UNSET:
            b = self.placeholder(a)
        try:
            nest.assert_same_structure(a, b)
        except (TypeError, ValueError) as e:
            raise TypeError(
                f"'{name}' must have the same nested structure in the main and else branches: {e}{user_line()}"
            ) from None
        leaves: list[Any] = []
        for x, y in zip(nest.flatten(a), nest.flatten(b), strict=True):
            if _same(x, y) or (x is y and isinstance(x, Variable)):
                leaves.append((_KEEP, x))
                continue
            t, u = _tensor_of(left(traces[0], x)), _tensor_of(left(traces[1], y))
            if t is None or u is None:
                raise TypeError(
                    f"'{name}' is {_short(x)} in the main branch and {_short(y)} in the else branch: both must be tensors or numbers, or one Python value.{user_line()}"
                )
            if t._d is not u._d:
                t, u = (
                    (convert(x, None, u._d), u)
                    if _is_number(x)
                    else (t, convert(y, None, t._d))
                    if _is_number(y)
                    else (t, u)
                )
            if t._d is not u._d:
                raise TypeError(
                    f"'{name}' must have the same dtype in the main and else branches, but they are {t._d.name} and {u._d.name}: use tf.cast.{user_line()}"
                )
            tensors[0].append(t)
            tensors[1].append(u)
            leaves.append((x, None))
        return a, leaves

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
        return self._loop(lambda i, s: cond_fn(s), lambda i, s: body_fn(s), None, init, names, go, invariants)[1]

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

        return self._loop(test, lambda i, s: body_fn(i, s), (start, delta), init, names, None, invariants)[1]

    def index(self, start: Any, limit: Any, delta: Any) -> Tensor:
        """See the protocol."""
        return self._of_one_dtype(start, limit, delta)[0]

    def _of_one_dtype(self, *xs: Any) -> list[Tensor]:
        d = next((x.dtype for x in xs if _is_tensor(x)), int32)
        return [convert(x, None, d) for x in xs]

    def _loop(
        self,
        test: Callable,
        step: Callable,
        counter: tuple | None,
        init: tuple,
        names: tuple[str, ...],
        go_first: Tensor | None = None,
        invariants: tuple = (),
    ) -> tuple:
        """A while_loop row over the tensors in the state; what is no tensor must stay as it is."""
        first = counter[0] if counter is not None else None
        if any(
            isinstance(x, TensorArray) and x._buffer is None and x._meta.shape is None for x in nest.flatten(list(init))
        ):
            self.probe(lambda s: step(first, s), init)  # learns the shapes of the elements
        leaves = [nest.flatten(x) for x in init]
        start: list[Tensor] = [] if counter is None else [first]  # type: ignore[list-item]
        where: list[list[bool]] = []
        labels: list[str] = [] if counter is None else ["the loop's index"]
        shape_of = _shapes_kept(invariants)
        shapes: list[Any] = [] if counter is None else [None]
        for name, xs in zip(names, leaves, strict=True):
            mask = []
            for x in xs:
                t = _tensor_of(x)
                mask.append(t is not None)
                if t is not None:
                    start.append(t)
                    labels.append(name)
                    shapes.append(_shape_kept(name, t, shape_of.get(id(x))))
            where.append(mask)

        def unpack(ts: Any) -> tuple:
            it = iter(ts if counter is None else ts[1:])
            return tuple([nest.pack_sequence_as(form, [_again(x, next(it)) if m else x for x, m in zip(xs, mask, strict=True)])
                          for form, xs, mask in zip(init, leaves, where, strict=True)])  # fmt: skip

        def pack(new: tuple) -> list[Tensor]:
            out: list[Tensor] = []
            for name, form, value, xs, mask in zip(names, init, new, leaves, where, strict=True):
                try:
                    nest.assert_same_structure(form, value)
                except (TypeError, ValueError) as e:
                    raise TypeError(
                        f"'{name}' does not keep its nested structure in the loop: {e}{user_line()}"
                    ) from None
                for x, y, m in zip(xs, nest.flatten(value), mask, strict=True):
                    if m:
                        t = (
                            _tensor_of(y)
                            if not _is_number(y)
                            else convert(y, None, convert(x).dtype if not isinstance(x, TensorArray) else None)
                        )
                        if t is None:
                            raise TypeError(
                                f"'{name}' is a tensor before the loop, but {_short(y)} after one iteration.{user_line()}"
                            )
                        out.append(t)
                    elif not _same(x, y):
                        raise TypeError(
                            f"'{name}' is {_short(x)} before the loop and {_short(y)} after one iteration: a loop over tensors changes tensors and numbers only.{user_line()}"
                        )
            return out

        def go(*ts: Tensor) -> Tensor:
            return self._predicate(test(ts[0] if counter is not None else None, unpack(ts)), "condition of a loop")

        def turn(*ts: Tensor) -> list[Tensor]:
            i = ts[0] if counter is not None else None
            new = pack(step(i, unpack(ts)))
            return new if counter is None else [ew.add(i, counter[1]), *new]

        return None, unpack(traced_while(go, turn, start, shapes if invariants else None, labels, go_first))

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
        return take_row(convert(x), convert(i, None, int32))

    def minimum(self, x: Any, y: Any) -> Any:
        """The smaller of two lengths."""
        if not _is_tensor(x) and not _is_tensor(y):
            return min(x, y)
        return ew.minimum(*self._of_one_dtype(x, y))

    def probe(self, fn: Callable, init: tuple) -> tuple:
        """See the protocol."""
        with Trace("probe", state.trace):
            return fn(init)

    def placeholder(self, like: Any) -> Any:
        """Zeros."""

        def zero(x: Any) -> Any:
            if isinstance(x, TensorArray):
                return x
            if not _is_tensor(x):
                return x
            t = convert(x)
            return Tensor(np.zeros([d or 0 for d in t._shape], t._d.np)[()], t._d)

        return nest.map_structure(zero, like)

    # -- logic --------------------------------------------------------------------------------------------------------
    def logical_and(self, x: Any, y: Callable) -> Any:
        """Short-circuit where ``y`` could fail; a plain operation where it is a comparison of values."""
        return self._short_circuit(x, y, True)

    def logical_or(self, x: Any, y: Callable) -> Any:
        """See ``logical_and``."""
        return self._short_circuit(x, y, False)

    def _short_circuit(self, x: Any, y: Callable, both: bool) -> Any:
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
        assigned = _assigned([trace])
        if all([n.p.elementwise for n in trace.nodes]) and not trace.created and not assigned:
            graph = trace.finish([value], "operand")
            return row(x, replay(graph, [outer for outer, _ in trace.captures])[0])
        other = Trace("branch", state.trace)
        branches = [(trace, [value]), (other, [known])][:: 1 if both else -1]
        return _emit_cond(x, branches, [out for _, out in branches], assigned, [True])[0]

    def logical_not(self, x: Any) -> Any:
        """Not."""
        return ew.logical_not(self._predicate(x, "operand of not"))

    # -- effects ------------------------------------------------------------------------------------------------------
    def assert_(self, condition: Any, message: Callable) -> None:
        """An ``assert`` row."""
        said = message()
        data = tuple([convert(x) for x in nest.flatten(said) if _is_tensor(x)])
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
        if len(args) != 1 or not _is_tensor(x):
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


_KEEP = object()


def _shapes_kept(invariants: tuple) -> dict[int, Any]:
    """The shapes that ``set_loop_options`` was given, by the ids of the values that they are for."""
    found: dict[int, Any] = {}
    for pair in invariants:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(f"shape_invariants must be a list of pairs (variable, shape), but one is {_short(pair)}.")
        value, shape = pair
        if nest.is_nested(value):
            shapes = nest.flatten_up_to(value, shape)
            found.update({id(x): s for x, s in zip(nest.flatten(value), shapes, strict=True)})
        else:
            found[id(value)] = shape
    return found


def _shape_kept(name: str, x: Tensor, given: Any) -> tuple | None:
    """The shape that the loop variable ``x`` keeps, where one is given; it must be of that shape from the start."""
    if given is None:
        return None
    shape, own = TensorShape(given), TensorShape(x._shape)
    if shape.rank is None:  # nothing is known of it; here the rank always is
        return (None,) * len(x._shape)
    kept = tuple(shape)
    if len(kept) != len(x._shape) or any([d is not None and d != e for d, e in zip(kept, x._shape, strict=True)]):
        raise ValueError(
            f"'{name}' has shape {own} before the loop, which does not conform with the shape invariant {shape}.{user_line()}"
        )
    return kept


def _short(x: Any) -> str:
    text = repr(x)
    return text if len(text) < 60 else text[:57] + "..."


protocol.install(GraphStage())
for _f in (functional.map_fn, functional.scan, functional.foldl, functional.foldr, functional.vectorized_map):
    calls_back(_f, "fn")
calls_back(functional.case, "pred_fn_pairs", "default")
calls_back(functional.switch_case, "branch_fns", "default")
calls_back(control.cond, "true_fn", "false_fn")
calls_back(control.while_loop, "cond", "body")


def convert_control_flow(f: Callable) -> Callable:
    """``f`` with its control flow over tensors turned into calls of the stage."""
    return autograph.convert(f)
