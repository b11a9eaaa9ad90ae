"""Ways out of a trace: Python called when the program runs, operations lifted out of it, and gradients of what it has computed so far."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core.state import apart, state
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..gradient.jacobian import hessians as eager_hessians
from ..gradient.tape import GradientTape, UnconnectedGradients
from ..ground import nest
from ..ground.dtypes import ANY, DType, as_dtype
from ..ground.errors import invalid, user_line
from ..ground.graph import Graph, Value, substitute
from ..ground.primitive import Aval, Primitive
from ..primitives.indexing import IndexedSlices
from . import simplify
from .late import LateCall, late_joint, late_kernel
from .replay import replay
from .signature import TensorSpec
from .trace import SymbolicTensor, Trace

# -- Python functions -----------------------------------------------------------------------------------------------------

py_row = Primitive("py_function", "*xs", late_kernel, shape=lambda *xs, call, avals: list(avals), joint=late_joint, needs="values", holomorphic=False, accepts=ANY, multi=True,
                   outside=True, dynamic=True, cases=lambda rng: [], doc="A Python function of tensors, called when the program runs.")  # fmt: skip
numpy_row = Primitive("numpy_function", "*xs", late_kernel, shape=lambda *xs, call, avals: list(avals), accepts=ANY, multi=True,
                      outside=True, dynamic=True, cases=lambda rng: [], doc="A Python function of arrays, called when the program runs.")  # fmt: skip


def py_function(func: Callable | None = None, inp: Any = None, Tout: Any = None, name: str | None = None) -> Any:
    """Call a Python function on eager tensors, inside a ``tf.function`` too. Gradients flow through what it computes with tensors.

    Args:
        func: takes the tensors of ``inp`` and returns tensors, or what converts to them; None for nothing. Without it, a decorator:
            what is decorated with ``tf.py_function(Tout=...)`` is called with tensors.
        inp: a list of tensors.
        Tout: the dtypes of the results: one, or a list, empty or None for none. In a traced function a result is taken to have the rank of the
            first input, unless a TensorSpec here, or ``tf.ensure_shape`` as the first that is done with the result, says otherwise.
        name: ignored.

    Returns:
        A Tensor, or a list of them, as ``Tout`` is.

    Raises:
        InvalidArgumentError: ``func`` gave another number of results, or another dtype or rank, than ``Tout`` says.

    >>> import gradtape as tf
    >>> @tf.function
    ... def f(x):
    ...     return tf.py_function(lambda v: v * float(v.numpy()), [x], tf.float32)
    >>> f(tf.constant(3.0)).numpy()
    np.float32(9.0)
    """
    if func is None and inp is None:
        return _decorator(py_function, Tout)
    return _python(py_row, func, inp, Tout)


def numpy_function(
    func: Callable | None = None, inp: Any = None, Tout: Any = None, stateful: bool = True, name: str | None = None
) -> Any:
    """Call a Python function on NumPy arrays, inside a ``tf.function`` too. No gradient flows through it.

    Args:
        func: takes the arrays of ``inp`` and returns arrays, or what converts to them. Without it, a decorator, as ``tf.py_function`` is.
        inp: a list of tensors.
        Tout: as for ``tf.py_function``.
        stateful, name: accepted for TensorFlow's sake; the call is never left out.

    Returns:
        A Tensor, or a list of them, as ``Tout`` is.

    Raises:
        InvalidArgumentError: as for ``tf.py_function``.

    >>> import gradtape as tf
    >>> tf.numpy_function(lambda a: a[::-1], [tf.constant([1.0, 2.0])], tf.float32).numpy().tolist()
    [2.0, 1.0]
    """
    if func is None and inp is None:
        return _decorator(numpy_function, Tout)
    if func is None:
        raise TypeError("numpy_function needs a function.")

    def of_arrays(*xs: Any) -> Any:
        return func(*[x.numpy() for x in xs])

    of_arrays.__name__ = getattr(func, "__name__", "numpy_function")
    return _python(numpy_row, of_arrays, inp, Tout)


def _decorator(call: Callable, tout: Any) -> Callable:
    """Makes of a function one that calls it by ``call``, with its arguments as the list of tensors."""

    def decorate(func: Callable) -> Callable:
        @functools.wraps(func)
        def wrapped(*args: Any) -> Any:
            return call(func, args, tout)

        return wrapped

    return decorate


def _python(row: Primitive, func: Callable | None, inp: Any, tout: Any) -> Any:
    if not callable(func):
        raise TypeError(f"{row.name} needs a function, but got {func!r}.")
    if not isinstance(inp, list | tuple):
        raise TypeError(f"{row.name} needs a list of tensors in `inp`, but got {inp!r}.")
    specs = [] if tout is None else list(tout) if isinstance(tout, list | tuple) else [tout]
    dtypes = [s.dtype if isinstance(s, TensorSpec) else as_dtype(s) for s in specs]
    xs = [convert(x) for x in inp]

    def checked(*ts: Tensor) -> list[Tensor]:
        result = func(*ts)
        got = [] if result is None and not dtypes else nest.flatten(result)
        if len(got) != len(dtypes):
            raise invalid(f"{row.name}: {func.__name__!r} returned {len(got)} values, but Tout says {len(dtypes)}.")
        return [_of_dtype(row.name, g, d) for g, d in zip(got, dtypes, strict=True)]

    checked.__name__ = getattr(func, "__name__", row.name)
    if not any([isinstance(x, SymbolicTensor) for x in xs]) and state.trace is None:
        if row is numpy_row:
            xs = [Tensor(x._a, x._d) for x in xs]
        out = checked(*xs)
    else:
        first = xs[0]._shape if xs else ()
        avals = tuple([Aval(_shape_of(s, len(first)), d) for s, d in zip(specs, dtypes, strict=True)])
        at = list(range(len(xs)))
        variables = _known_variables(state.trace)
        now = [v._read() for v in variables]
        at = list(range(len(xs) + len(now)))
        call = LateCall(_Visit(checked, len(xs), variables), (tuple(at), {}), list(at), at)
        call.guessed = {i for i, s in enumerate(specs) if not isinstance(s, TensorSpec)}
        forms = (*avals, *[Aval(t._shape, t._d) for t in now])
        out = list(state.trace.emit(row, (*xs, *now), {"call": call, "avals": forms}))
        for v, t in zip(variables, out[len(avals) :], strict=True):
            state.trace.assign(v, t)
        out = out[: len(avals)]
    return out if isinstance(tout, list | tuple) else out[0] if out else None


def _known_variables(trace: Trace | None) -> list[Variable]:
    """The variables that a trace and those around it have met."""
    found: dict[int, Variable] = {}
    while trace is not None:
        found.update({k: c.variable for k, c in trace.variables.items()})
        trace = trace.parent
    return list(found.values())


class _Visit:
    """A Python function called from a program: it finds the program's variables as they then are, and the program what it leaves in them.

    Called again for a gradient, it leaves nothing.
    """

    def __init__(self, f: Callable, n: int, variables: list[Variable]) -> None:
        self.f, self.n, self.variables = f, n, variables
        self.__name__ = f.__name__

    def __call__(self, *ts: Tensor) -> list[Tensor]:
        before = [v._t for v in self.variables]
        for v, t in zip(self.variables, ts[self.n :], strict=True):
            v._t = Tensor(np.array(t._a)[()] if type(t) is Tensor else t._a, v._d)
        try:
            out = self.f(*ts[: self.n])
            after = [Tensor(v._t._a, v._d) for v in self.variables]
        finally:
            if state.tapes:
                for v, t in zip(self.variables, before, strict=True):
                    v._t = t
        return [*out, *after]


def _shape_of(spec: Any, rank: int) -> tuple:
    if not isinstance(spec, TensorSpec):
        return (None,) * rank
    if spec.shape.rank is None:
        raise ValueError(f"Tout must say the rank of a result, but {spec!r} leaves it open.")
    return tuple(spec.shape)


def _of_dtype(name: str, x: Any, d: DType) -> Tensor:
    t = x if isinstance(x, Tensor) else convert(x, None, d)
    if t._d is not d:
        raise invalid(f"{name}: the function returned {t._d.name}, but Tout says {d.name}: cast it, or change Tout.")
    return t


# -- forms without values --------------------------------------------------------------------------------------------------


def eval_shape(f: Callable, *args: Any, **kwargs: Any) -> Any:
    """What ``f`` gives for tensors of certain shapes and dtypes, without computing anything: it is traced aside.

    Args:
        f: a function of tensors.
        *args, **kwargs: its arguments, with a TensorSpec for each tensor; dimensions may be open.

    Returns:
        What ``f`` returns, with a TensorSpec for each tensor.

    >>> import gradtape as tf
    >>> from gradtape.tracing.outside import eval_shape
    >>> eval_shape(tf.matmul, tf.TensorSpec([2, 3]), tf.TensorSpec([3, 4]))
    TensorSpec(shape=(2, 4), dtype=tf.float32, name=None)
    """
    trace = Trace(getattr(f, "__name__", "f"), state.trace)  # it may close over tensors of the trace around it
    with trace:
        symbolic = lambda x: trace.input(Aval(tuple(x.shape), x.dtype), "x") if isinstance(x, TensorSpec) else x
        args, kwargs = nest.map_structure(symbolic, (args, kwargs))
        out = f(*args, **kwargs)
        return nest.map_structure(lambda x: TensorSpec(x._shape, x._d) if isinstance(x, Tensor | Variable) else x, out)


# -- out of the trace -----------------------------------------------------------------------------------------------------


@contextmanager
def init_scope() -> Iterator[None]:
    """A context whose operations run at once, outside of any function that is being traced and of any tape.

    >>> import gradtape as tf
    >>> @tf.function
    ... def f():
    ...     with tf.init_scope():
    ...         return tf.executing_eagerly()
    >>> bool(f())
    True
    """
    with apart():
        yield


# -- gradients of what was traced -----------------------------------------------------------------------------------------


def _tensors(xs: Any) -> list[Any]:
    return list(xs) if isinstance(xs, list | tuple) else [xs]


class _Again:
    """The operations that lead from ``xs`` to ``ys``, made once more, so that tapes hear of them. Simplification merges them with the first.

    What ``stop`` names is taken as it is.
    """

    def __init__(self, trace: Trace, ys: list, xs: list, stop: Any = None) -> None:
        sources = [(trace.cell(x).first if isinstance(x, Variable) else trace.local(x)).value for x in xs]
        targets = [trace.local(y).value for y in ys]
        stopped = set() if stop is None else {id(trace.local(s).value) for s in _tensors(stop)}
        depends = {id(v) for v in sources}
        nodes = []
        for n in trace.nodes:
            if not n.p.effect and any([id(v) in depends for v in n.ins]):
                depends.update([id(v) for v in n.outs if id(v) not in stopped])
                nodes.append(n)
        cut = {id(v): (Value(v.aval), v) for n in nodes for v in n.outs if id(v) in stopped}
        nodes, outputs = substitute(nodes, [*targets, *sources], {k: new for k, (new, _) in cut.items()})
        graph = simplify.dead_code(simplify.without_effects(Graph([], outputs, nodes)))
        made, ends = {id(v) for n in graph.nodes for v in n.outs}, {id(v) for v in graph.outputs[len(targets) :]}
        used = {id(v): v for v in [*[v for n in graph.nodes for v in n.ins], *graph.outputs]}
        graph.inputs = [v for k, v in used.items() if k not in made and (v.const is None or k in ends)]
        first = {id(new): v for new, v in cut.values()}
        self.graph, self.n = graph, len(targets)
        self.xs: list[Tensor] = [SymbolicTensor(trace, first.get(id(v), v), "x") for v in graph.inputs]
        self.watched = [x for v, x in zip(graph.inputs, self.xs, strict=True) if id(v) in ends and x._d.is_inexact]

    def run(self) -> tuple[list[Tensor], list[Tensor]]:
        """``ys`` and ``xs`` under the tapes that are on."""
        for tape in state.tapes:
            if isinstance(tape, GradientTape):
                tape.watch(self.watched)
        found = replay(self.graph, self.xs, settle=False)
        return found[: self.n], found[self.n :]


def gradients(ys: Any, xs: Any, grad_ys: Any = None, name: str = "gradients", gate_gradients: bool = False, aggregation_method: Any = None,
              stop_gradients: Any = None, unconnected_gradients: Any = UnconnectedGradients.NONE) -> list:  # fmt: skip
    """The gradients of the sum of ``ys`` with respect to each of ``xs``, inside a ``tf.function``.

    Args:
        ys: a traced tensor, or a list of them.
        xs: a tensor or variable of the function, or a list of them.
        grad_ys: cotangents of ``ys``; by default ones.
        stop_gradients: tensors to take as constants.
        unconnected_gradients: "none" or "zero", for what ``ys`` does not depend on.
        name, gate_gradients, aggregation_method: accepted for TensorFlow's sake.

    Returns:
        A list with a Tensor (or IndexedSlices, or None) for each of ``xs``.

    Raises:
        RuntimeError: called eagerly.

    >>> import gradtape as tf
    >>> @tf.function
    ... def f(x):
    ...     return tf.gradients(x ** 3, x)[0]
    >>> f(tf.constant(2.0)).numpy()
    np.float32(12.0)
    """
    trace = _the_trace("tf.gradients")
    targets, sources = _tensors(ys), _tensors(xs)
    again = _Again(trace, targets, sources, stop_gradients)
    with GradientTape() as tape:
        new_ys, new_xs = again.run()
    given = (
        None
        if grad_ys is None
        else [None if g is None else convert(g, None, y._d) for g, y in zip(_tensors(grad_ys), new_ys, strict=True)]
    )
    return tape.gradient(new_ys, new_xs, output_gradients=given, unconnected_gradients=unconnected_gradients)


def hessians(
    ys: Any, xs: Any, gate_gradients: bool = False, aggregation_method: Any = None, name: str = "hessians"
) -> Any:
    """See ``gradient.jacobian.hessians``, whose docstring this takes over."""
    if callable(ys) or state.trace is None:
        return eager_hessians(ys, xs, gate_gradients, aggregation_method, name)
    again = _Again(_the_trace("tf.hessians"), _tensors(ys), _tensors(xs))
    with GradientTape(persistent=True) as outer:
        with GradientTape() as inner:
            new_ys, new_xs = again.run()
        gs = inner.gradient(new_ys, new_xs)
    dense = [g.to_dense() if isinstance(g, IndexedSlices) else g for g in gs]
    return [None if g is None else outer.jacobian(g, x) for g, x in zip(dense, new_xs, strict=True)]


hessians.__doc__ = (eager_hessians.__doc__ or "").replace(
    "a function of the tensors ``xs`` to a scalar. A tensor is refused, as in TensorFlow: outside a tape nothing says how it was made.",
    "a function of the tensors ``xs`` to a scalar; inside a ``tf.function`` also the traced scalar itself.",
)


def _the_trace(what: str) -> Trace:
    if state.trace is None:
        raise RuntimeError(
            f"{what} is not supported when eager execution is enabled. Use tf.GradientTape instead.{user_line()}"
        )
    return state.trace
