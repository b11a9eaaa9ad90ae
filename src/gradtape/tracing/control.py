"""Conditionals and loops over tensors: ``tf.cond``, ``tf.while_loop``, and what Python's ``if`` and ``while`` become while a program is traced.

``conditional`` and ``loop`` are the core of both: they trace the branches or the body and make a row of ``control_rows.py`` of them. What goes in and
comes out are nests of tensors, Python numbers and TensorArrays; converted Python may also carry values that stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.dispatch import apply
from ..core.state import state
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..gradient.batching import BatchedTensor
from ..ground import nest
from ..ground.dtypes import bool_, int32
from ..ground.errors import ConversionError, invalid, user_line
from ..ground.primitive import Aval
from ..ground.shapes import TensorShape
from ..primitives import elementwise as ew
from ..primitives import structure as st
from .control_rows import closed, cond_row, while_row
from .tensor_array import TensorArray
from .trace import SymbolicTensor, Trace, _Cell, as_scalar, calls_back, is_tensor

# -- values of Python, and the tensors that stand for them in a graph ---------------------------------------------------------


def is_number(x: Any) -> bool:
    """Whether ``x`` is a number or array of Python's or NumPy's."""
    return isinstance(x, (int, float, complex, np.ndarray, np.generic))


def _tensor_of(x: Any, keep: bool) -> Tensor | None:
    """The tensor that stands for the leaf ``x``; None where it stays what it is, as values that are no tensors or numbers do with ``keep``."""
    if isinstance(x, TensorArray):
        return x._staged()
    return convert(x) if is_tensor(x) or is_number(x) or not (keep or x is None) else None


def _again(like: Any, t: Tensor) -> Any:
    """The leaf that ``t`` stands for, where ``like`` stood."""
    return like._with([], t) if isinstance(like, TensorArray) else t


def _same(a: Any, b: Any) -> bool:
    """Whether two leaves are one Python value."""
    if a is b:
        return True
    return type(a) is type(b) and not is_tensor(a) and not isinstance(a, (TensorArray, np.ndarray)) and bool(a == b)


def short(x: Any) -> str:
    """A value in a message."""
    text = repr(x)
    return text if len(text) < 60 else text[:57] + "..."


# -- conditionals -----------------------------------------------------------------------------------------------------------


class Words(NamedTuple):
    """How messages name the results of a conditional and its branches."""

    structure: str
    one: str
    other: str


_IN_IF = Words("'{}' must have the same nested structure in the main and else branches", "in the main branch", "in the else branch")  # fmt: skip
_IN_COND = Words("true_fn and false_fn arguments to tf.cond must have the same number, type, and overall structure of return values", "from true_fn", "from false_fn")  # fmt: skip


def conditional(
    pred: SymbolicTensor, branches: Sequence[Callable[[], tuple]], names: tuple, keep: bool = True, unset: Any = None
) -> tuple:
    """What one of two functions returns, by a traced scalar bool: a tuple with a nest for each of ``names``.

    Args:
        pred: the predicate.
        branches: the functions for true and for false.
        names: the results' names for messages.
        keep: a Python value that both return stays one; otherwise numbers become tensors, and None alone stays.
        unset: what stands for a result that a branch does not have. Where one branch has it, the other has zeros in its place.
    """
    traces, results = [], []
    for f in branches:
        trace = Trace("branch", state.trace)
        with trace:
            results.append(f())
            variables = [x for x in nest.flatten(list(results[-1])) if isinstance(x, Variable)]
            trace.leaving = {id(v): v._read() for v in variables}  # their values when the branch ends
        traces.append(trace)
    tensors: list[list[Tensor]] = [[], []]
    forms = []
    for name, a, b in zip(names, *results, strict=True):
        if unset is not None and (a is unset or b is unset):
            a, b = (placeholder(b), b) if a is unset else (a, placeholder(a))
        forms.append((a, _merged(name, a, b, traces, tensors, keep)))
    found = iter(emit_cond(pred, traces, tensors))
    unpack = lambda leaf: leaf[1] if leaf[0] is None else _again(leaf[1], next(found))
    return tuple([nest.pack_sequence_as(form, [unpack(leaf) for leaf in leaves]) for form, leaves in forms])


def _merged(name: Any, a: Any, b: Any, traces: list[Trace], tensors: list[list[Tensor]], keep: bool) -> list[tuple]:
    """How the results ``a`` and ``b`` of two branches become one; appends the tensors that stand for their leaves.

    Returns:
        For each leaf (True, what stood there), or (None, the value that stays).
    """
    words, what = (_IN_IF, f"'{name}'") if keep else (_IN_COND, name)
    try:
        nest.assert_same_structure(a, b)
    except (TypeError, ValueError) as e:
        raise TypeError(f"{words.structure.format(name)}: {e}{user_line()}") from None
    leaves: list[tuple] = []
    for x, y in zip(nest.flatten(a), nest.flatten(b), strict=True):
        if (x is None and y is None) or (keep and _same(x, y)):
            leaves.append((None, x))
            continue
        pair = []
        for z, trace in zip((x, y), traces, strict=True):
            with trace:
                pair.append(_tensor_of(trace.leaving.get(id(z), z) if isinstance(z, Variable) else z, keep))
        t, u = pair
        if t is None or u is None:
            raise ConversionError(
                f"{what} is {short(x)} {words.one} and {short(y)} {words.other}: both must be tensors or numbers"
                f"{', or one Python value' if keep else ', or both None'}.{user_line()}"
            )
        if t._d is not u._d:  # a number takes the dtype of a tensor
            if is_number(x) and (keep or not is_number(y)):
                t = convert(x, None, u._d)
            elif is_number(y) and (keep or not is_number(x)):
                u = convert(y, None, t._d)
        if t._d is not u._d:
            raise TypeError(
                f"{what} must have the same dtype whichever branch is taken, but is {t._d.name} {words.one} and {u._d.name} {words.other}: use tf.cast.{user_line()}"
            )
        tensors[0].append(t)
        tensors[1].append(u)
        leaves.append((True, x))
    return leaves


def placeholder(like: Any) -> Any:
    """Zeros of the form of ``like``, whichever trace that comes from."""

    def zero(x: Any) -> Any:
        if isinstance(x, TensorArray) or not is_tensor(x):
            return x
        t = convert(x)
        return Tensor(np.zeros([d or 0 for d in t._shape], t._d.np)[()], t._d)

    return nest.map_structure(zero, like)


def emit_cond(pred: SymbolicTensor, traces: list[Trace], tensors: list[list[Tensor]]) -> list[Tensor]:
    """A ``cond`` row for two branches that have been traced to ``tensors``; what they assign to variables is assigned."""
    parent: Trace = state.trace
    variables = assigned(traces)
    branches = []
    for trace, out in zip(traces, tensors, strict=True):
        with trace:
            branches.append((trace, [trace.local(x) for x in [*out, *[trace.read(v) for v in variables]]]))
    (true, false), outer = closed(branches, 0)
    outs = list(apply(cond_row, pred, *outer, true=true, false=false))
    n = len(outs) - len(variables)
    for v, x in zip(variables, outs[n:], strict=True):
        parent.assign(v, x)
    return outs[:n]


def assigned(traces: list[Trace]) -> list[Variable]:
    """The variables that some of the traces assign."""
    return list({id(c.variable): c.variable for t in traces for c in t.variables.values() if c.assigned}.values())


@calls_back("true_fn", "false_fn")
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
    branches: Any = (true_fn, false_fn)
    pred = (
        convert(pred, None if isinstance(pred, Tensor) else bool_) if not isinstance(pred, Variable) else pred._read()
    )
    if isinstance(pred, BatchedTensor):
        return _batched_cond(pred, *branches)
    if not isinstance(pred, SymbolicTensor):
        return branches[0 if bool(pred) else 1]()
    if pred._d is not bool_:
        pred = st.cast(pred, bool_)
    pred = as_scalar(pred)
    if pred._shape != ():
        raise invalid(f"The predicate of tf.cond must be a scalar, but has shape {pred.shape}.")
    return conditional(pred, [lambda f=f: (f(),) for f in branches], ("The result of tf.cond",), keep=False)[0]  # type: ignore[misc]


def _batched_cond(pred: Tensor, true_fn: Callable, false_fn: Callable) -> Any:
    """Both branches, and for each member of the batch the one it asks for."""

    def choose(a: Any, b: Any) -> Any:
        hint = next((v.dtype for v in (a, b) if isinstance(v, (Tensor, Variable))), None)
        x, y = convert(a, None, hint), convert(b, None, hint)
        return ew.select(st.reshape(pred, shape=(1,) * len(x._shape)) if x._shape else pred, x, y)

    return nest.map_structure(choose, true_fn(), false_fn())


# -- loops ------------------------------------------------------------------------------------------------------------------


class _Carried:
    """The variables of a loop, nests of Python, and the tensors that stand for them in its graphs."""

    def __init__(self, values: tuple, names: Sequence[str], shapes: Sequence[Sequence] | None, keep: bool) -> None:
        self.values, self.names, self.keep = values, names, keep
        self.leaves = [nest.flatten(v) for v in values]
        found = [[_tensor_of(x, keep) for x in xs] for xs in self.leaves]
        if not keep and any([t is None for ts in found for t in ts]):
            raise ValueError(f"None values not supported: each loop variable must be a tensor.{user_line()}")
        self.moves = [[t is not None for t in ts] for ts in found]
        self.tensors = [t for ts in found for t in ts if t is not None]
        self.labels = [name for name, ts in zip(names, found, strict=True) for t in ts if t is not None]
        self.shapes: list[tuple] | None = None
        if shapes is not None:
            given = [
                None if isinstance(x, TensorArray) else s
                for xs, ss, ts in zip(self.leaves, shapes, found, strict=True)
                for x, s, t in zip(xs, ss, ts, strict=True)
                if t is not None
            ]
            self.shapes = [_kept(*x) for x in zip(self.labels, self.tensors, given, strict=True)]

    def unpack(self, ts: Sequence[Tensor]) -> tuple:
        """The loop variables that tensors stand for."""
        it = iter(ts)
        return tuple([nest.pack_sequence_as(form, [_again(x, next(it)) if m else x for x, m in zip(xs, moves, strict=True)])
                      for form, xs, moves in zip(self.values, self.leaves, self.moves, strict=True)])  # fmt: skip

    def pack(self, new: tuple) -> list[Tensor]:
        """The tensors that stand for the loop variables after a turn."""
        out: list[Tensor] = []
        for name, form, value, xs, moves in zip(self.names, self.values, new, self.leaves, self.moves, strict=True):
            try:
                nest.assert_same_structure(form, value, check_types=self.keep)
            except (TypeError, ValueError) as e:
                raise TypeError(f"{name} does not keep its nested structure in the loop: {e}{user_line()}") from None
            for x, y, m in zip(xs, nest.flatten(value), moves, strict=True):
                if m:
                    d = None if isinstance(x, TensorArray) or not is_number(y) else convert(x).dtype
                    t = _tensor_of(y, self.keep) if d is None else convert(y, None, d)
                    if t is None or isinstance(x, TensorArray) is not isinstance(y, TensorArray):
                        kind = "TensorArray" if isinstance(x, TensorArray) else "tensor"
                        raise TypeError(f"{name} is a {kind} before the loop, but {short(y)} after one iteration.{user_line()}")  # fmt: skip
                    out.append(t)
                elif not _same(x, y):
                    raise TypeError(
                        f"{name} is {short(x)} before the loop and {short(y)} after one iteration: a loop over tensors changes tensors and numbers only.{user_line()}"
                    )
        return out


def _kept(name: str, x: Tensor, given: Any) -> tuple:
    """The shape that a loop variable keeps: its own, unless one is ``given``, which it must have from the start."""
    if given is None:
        return x._shape
    shape, own = TensorShape(given), TensorShape(x._shape)
    if shape.rank is None:  # nothing is known of it; here the rank always is
        return (None,) * len(x._shape)
    kept = tuple(shape)
    if len(kept) != len(x._shape) or any([d is not None and d != e for d, e in zip(kept, x._shape, strict=True)]):
        raise ValueError(
            f"{name} has shape {own} before the loop, which does not conform with the shape invariant {shape}.{user_line()}"
        )
    return kept


def loop(test: Callable, step: Callable, values: tuple, names: Sequence[str], *, counter: tuple | None = None,
         first: Tensor | None = None, shapes: Sequence[Sequence] | None = None, keep: bool = True) -> tuple:  # fmt: skip
    """The loop variables when ``test`` no longer holds, in the current trace.

    Args:
        test: ``test(i, values)`` gives a scalar bool.
        step: ``step(i, values)`` gives the next values.
        values: a tuple with a nest for each of ``names``.
        names: the variables' names for messages.
        counter: first value and step of the number ``i`` of the turn; without it ``i`` is None.
        first: the condition's value before the loop, where it was evaluated.
        shapes: for each variable the shapes that its leaves keep, None for their own.
        keep: Python values that are no numbers stay what they are; otherwise all become tensors.
    """
    begin, delta = counter or (None, None)
    if any([isinstance(x, TensorArray) and x.unsettled for x in nest.flatten(list(values))]):
        with Trace("probe", state.trace):
            step(begin, values)  # learns the shapes of the elements
    carried = _Carried(values, names, shapes, keep)
    start, labels, kept = carried.tensors, carried.labels, carried.shapes
    if begin is None:
        go = lambda *ts: test(None, carried.unpack(ts))
        turn = lambda *ts: carried.pack(step(None, carried.unpack(ts)))
    else:
        start, labels = [begin, *start], ["the loop's index", *labels]
        kept = None if kept is None else [(), *kept]
        go = lambda i, *ts: test(i, carried.unpack(ts))
        turn = lambda i, *ts: [ew.add(i, delta), *carried.pack(step(i, carried.unpack(ts)))]
    done = traced_while(go, turn, start, kept, labels, first)
    return carried.unpack(done if begin is None else done[1:])


@calls_back("cond", "body")
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
        TypeError: ``cond`` or ``body`` is not callable, ``loop_vars`` is no list or tuple, or ``body`` changes a variable's dtype.
        ValueError: ``body`` changes the number or shape of the variables.

    >>> import gradtape as tf
    >>> i, x = tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2.0), (tf.constant(0), tf.constant(1.0)))
    >>> x.numpy()
    np.float32(8.0)
    """
    for f, n in ((cond, "cond"), (body, "body")):
        if not callable(f):
            raise TypeError(f"'{n}' must be callable.")
    if not isinstance(loop_vars, list | tuple):
        raise TypeError(f"'loop_vars' must be a list or tuple of loop variables, but is {short(loop_vars)}.")
    if not loop_vars:
        raise ValueError("'loop_vars' must not be empty.")
    limit = None if maximum_iterations is None else convert(maximum_iterations, None, int32)
    if limit is not None and limit._shape != ():
        raise ValueError(f"'maximum_iterations' must be a scalar. Received shape: {limit.shape}")
    as_tensor = lambda x: x if isinstance(x, TensorArray) else convert(x)
    if state.trace is None:
        turns = 0
        loop_vars = nest.map_structure(as_tensor, loop_vars)
        while cond(*loop_vars) and (limit is None or turns < int(limit)):
            loop_vars = nest.map_structure(as_tensor, _next_vars(body(*loop_vars), loop_vars))
            turns += 1
        return loop_vars if back_prop else nest.map_structure(_stopped, loop_vars)
    shapes = None
    if shape_invariants is not None:
        whole = nest.flatten_up_to([None] * len(loop_vars), list(shape_invariants))
        shapes = [nest.flatten_up_to(v, s) for v, s in zip(loop_vars, whole, strict=True)]

    def test(i: Any, values: tuple) -> Tensor:
        go = convert(cond(*values))
        return go if limit is None else ew.logical_and(ew.less(i, st.cast(limit, int32)), go)

    counter = None if limit is None else (Tensor(np.int32(0), int32), Tensor(np.int32(1), int32))
    names = [f"Loop variable {i}" for i in range(len(loop_vars))]
    step = lambda i, values: tuple(_next_vars(body(*values), loop_vars))
    found = loop(test, step, tuple(loop_vars), names, counter=counter, shapes=shapes, keep=False)
    found = nest.pack_sequence_as(loop_vars, nest.flatten(found))
    return found if back_prop else nest.map_structure(_stopped, found)


def _stopped(x: Any) -> Any:
    return _again(x, st.stop_gradient(_tensor_of(x, False)))


def _next_vars(result: Any, loop_vars: Any) -> Any:
    """What a body returned, in the form of the loop variables."""
    if not isinstance(result, (list, tuple)) or (len(loop_vars) == 1 and len(result) != 1):
        result = [result]
    try:
        nest.assert_same_structure(loop_vars, result, check_types=False)
    except (TypeError, ValueError) as e:
        raise ValueError(
            f"The body of tf.while_loop must return what it takes, in the same form: {e}{user_line()}"
        ) from None
    return type(loop_vars)(*result) if hasattr(loop_vars, "_fields") else type(loop_vars)(result)


def traced_while(test: Callable, step: Callable, start: list[Tensor], shapes: list[tuple] | None = None, names: list[str] | None = None,
                 first: Tensor | None = None) -> list[Tensor]:  # fmt: skip
    """A while_loop row in the current trace. Variables that the body assigns become loop state.

    Args:
        test: ``test(*tensors)`` gives a scalar bool.
        step: ``step(*tensors)`` gives the next tensors.
        start: the first.
        shapes: the shapes that they keep; by default their own.
        names: what messages call them.
        first: the condition's value before the loop, where it was evaluated.
    """
    parent: Trace = state.trace
    kept = shapes if shapes is not None else [x._shape for x in start]
    avals = [Aval(s, x._d) for s, x in zip(kept, start, strict=True)]
    body = Trace("body", parent)
    with body:
        xs = [body.input(a, "s") for a in avals]
        outs = [convert(o, None, x._d) for o, x in zip(step(*xs), xs, strict=True)]
        _check(avals, outs, names or [f"Loop variable {i}" for i in range(len(outs))])
        variables = assigned([body])
        outs = [body.local(o) for o in [*outs, *[body.read(v) for v in variables]]]
    condition = Trace("cond", parent)
    with condition:
        ys = [condition.input(a, "s") for a in avals]
        for v in variables:
            condition.variables[id(v)] = _Cell(v, condition.input(Aval(parent.read(v)._shape, v._d), "v"))
        go = as_scalar(condition.local(test(*ys)))
    if assigned([condition]):
        return _while_assigning(test, step, start, shapes, names, first)
    if go._d is not bool_ or go._shape != ():
        raise invalid(f"The condition of a while loop must be a scalar bool, but is {go._d.name}{list(go._shape)}.")
    # the assigned variables' values are state: their captures become inputs of their own, before the others
    firsts = [body.variables[id(v)].first for v in variables]
    body.inputs = [*xs, *firsts]
    body.captures = [(o, inner) for o, inner in body.captures if not any([inner is f for f in firsts])]
    start = [parent.local(x) for x in [*start, *[v._read() for v in variables]]]
    n = len(avals)
    (cond, turn), outer = closed([(condition, [go]), (body, outs)], len(start))
    results = list(apply(while_row, *start, *outer, n=len(start), cond=cond, body=turn))
    for v, x in zip(variables, results[n:], strict=True):
        parent.assign(v, x)
    return results[:n]


def _while_assigning(
    test: Callable, step: Callable, start: list, shapes: list | None, names: list[str] | None, first: Tensor | None
) -> list[Tensor]:
    """A loop whose condition assigns variables: it is evaluated before the loop and at the end of each turn, and its answer is state."""

    def go_on(xs: Any) -> Tensor:
        go = as_scalar(convert(test(*xs)))
        return go if go._d is bool_ else st.cast(go, bool_)

    def turn(_: Tensor, *xs: Tensor) -> list:
        new = [convert(o, None, x._d) for o, x in zip(step(*xs), xs, strict=True)]
        return [go_on(new), *new]

    wide = None if shapes is None else [(), *shapes]
    labels = None if names is None else ["the loop's condition", *names]
    return traced_while(lambda go, *_: go, turn, [go_on(start) if first is None else first, *start], wide, labels)[1:]


def _check(avals: list[Aval], out: list[Tensor], names: list[str]) -> None:
    """Raises unless the body keeps the form of the state."""
    for a, o, what in zip(avals, out, names, strict=True):
        if o._d is not a.dtype:
            raise TypeError(
                f"{what} has dtype {a.dtype.name} before the loop, but dtype {o._d.name} after one iteration: cast it so that it keeps one dtype.{user_line()}"
            )
        if len(o._shape) != a.ndim or any(d is not None and e != d for d, e in zip(a.shape, o._shape, strict=True)):
            raise ValueError(
                f"{what} has shape {tuple(a.shape)} before the loop, but shape {tuple(o._shape)} after one iteration. Give tf.while_loop shape_invariants (or "
                f"tf.autograph.experimental.set_loop_options) to let it change.{user_line()}"
            )
