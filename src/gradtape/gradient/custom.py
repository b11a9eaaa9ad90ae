"""Gradients that the user writes: custom_gradient, recompute_grad, grad_pass_through."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.state import state, still_active
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground import nest
from ..ground.dtypes import float32, string
from ..ground.errors import invalid
from ..ground.primitive import Plan
from ..primitives import structure as st
from .tape import GradientTape


class _VariableWatcher:
    """A tape that records nothing but which trainable variables are read."""

    _auto = _active = True
    _wanted = None

    def __init__(self) -> None:
        self._live: set[int] = set()
        self.variables: list[Variable] = []

    def _watch_variable(self, v: Variable, t: Tensor) -> None:
        if not any(v is w for w in self.variables):
            self.variables.append(v)

    def _record(self, *record: Any) -> None:
        pass


class _CustomOp:
    """A one-off row whose backward step is a user's function of all output cotangents at once."""

    broadcasts = holomorphic = elementwise = False
    multi = sparse = True

    def __init__(self, name: str, vjp: Callable[[tuple], list]) -> None:
        self.name = self.tf = name
        self.vjp = vjp
        self.plans: dict[Any, Plan] = {}

    def plan(self, mask: int) -> Plan:
        """See ``Primitive.plan``."""
        wanted = tuple([i for i in range(mask.bit_length()) if mask >> i & 1])
        self.plans[mask] = plan = Plan(wanted, False, None, False)
        return plan

    def joint(self, g: tuple, wanted: tuple, ins: Any, out: Any, attrs: Any) -> list:
        """See ``Primitive``."""
        ds = self.vjp(g)
        return [ds[i] for i in wanted]


def custom_gradient(f: Callable | None = None) -> Callable:
    """Decorate a function that gives its result and the function for its gradient.

    Args:
        f: ``f(*args) -> (y, grad)``, with ``grad(*dy)`` mapping the cotangents of the results to those of the arguments (one for
            each Tensor among them; None where there is none). Where ``f`` reads variables, ``grad(*dy, variables)`` returns a pair: the
            arguments' gradients and a list of the variables' gradients.

    Returns:
        A function of the same arguments that returns ``y``. Keyword arguments pass through undifferentiated.

    Raises:
        TypeError: ``f`` reads variables and ``grad`` takes no ``variables``.
        ValueError: ``grad`` returns the wrong number of gradients.

    >>> import gradtape as tf
    >>> @tf.custom_gradient
    ... def clip(x):
    ...     return x, lambda dy: tf.clip_by_value(dy, -1.0, 1.0)
    >>> x = tf.constant(2.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = 10.0 * clip(x)
    >>> print(tape.gradient(y, x))
    tf.Tensor(1.0, shape=(), dtype=float32)
    """
    if f is None:
        return custom_gradient

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        leaves = [_as_tensor(a) for a in nest.flatten(args)]
        outer = state.tapes
        watcher = _VariableWatcher()
        state.tapes = (*outer, watcher)
        try:
            answer = f(*args, **kwargs)
            if not isinstance(answer, tuple) or len(answer) != 2 or not callable(answer[1]):
                raise TypeError(
                    f"A function decorated with tf.custom_gradient must return (result, gradient function), but {f.__name__} returned {answer!r}."
                )
            result, grad = answer
            # tensors of their own, which no tape has a path to but the one recorded below
            state.tapes = tuple([t for t in still_active(outer) if t._wanted is None and not t._auto and not t._live])
            outs = tuple([st.identity(convert(t)) for t in nest.flatten(result)])
        finally:
            state.tapes = still_active(outer)
        if state.tapes:
            _record(f.__name__, leaves, outs, grad, watcher.variables)
        return nest.pack_sequence_as(result, outs)

    return decorated


def _as_tensor(x: Any) -> Tensor:
    """The tensor that stands for an argument in the record; a placeholder for one that no tensor can be made of."""
    try:
        t = convert(x)
    except (TypeError, ValueError):
        t = None
    return t if t is not None and t._d is not string else Tensor(np.float32(0), float32)


def _record(name: str, leaves: list, outs: tuple, grad: Callable, variables: list[Variable]) -> None:
    variables = [v for v in variables if not any(v._value() is x for x in leaves)]  # arguments, too
    if variables and not _takes_variables(grad):
        raise TypeError(
            f"@tf.custom_gradient grad_fn must accept keyword argument 'variables', since function uses variables: {variables}"
        )
    forms = [(o._shape, o) if o._special else (o._shape, Tensor(o._d.np.type(0), o._d)) for o in outs]

    def vjp(g: tuple) -> list:
        cotangents = [
            st.zeros_of(like, shape=shape) if c is None else c for c, (shape, like) in zip(g, forms, strict=True)
        ]
        if variables:
            pair = grad(*cotangents, variables=variables)
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise TypeError(
                    f"The gradient function of {name} uses variables, so it must return (gradients of the arguments, list of gradients of the variables)."
                )
            of_args, of_vars = nest.flatten(pair[0]), nest.flatten(pair[1])
            if len(of_vars) != len(variables):
                raise ValueError(
                    f"Must return gradient for each variable from @custom_gradient grad_fn: there are {len(variables)}, {len(of_vars)} were returned."
                )
        else:
            of_args, of_vars = nest.flatten(grad(*cotangents)), []
        if len(of_args) != len(leaves):
            raise ValueError(
                f"custom_gradient function expected to return {len(leaves)} gradients, but returned {len(of_args)} instead."
            )
        like = leaves + [v._t for v in variables]
        return [_checked(name, d, x) for d, x in zip(of_args + of_vars, like, strict=True)]

    op = _CustomOp(name, vjp)
    xs = (*leaves, *[v._read() for v in variables])
    for tape in state.tapes:
        tape._record(op, xs, outs, None)


def _checked(name: str, d: Any, x: Tensor) -> Any:
    """A gradient from the user's function, which must have its argument's dtype."""
    if d is None or hasattr(d, "_merge"):
        return d
    d = convert(d, None, x._d)
    if d._d is not x._d and x._d.is_inexact:
        raise invalid(
            f"The gradient function of {name} returned a {d._d.name} tensor for an argument of dtype {x._d.name}."
        )
    return d


def _takes_variables(grad: Callable) -> bool:
    code = getattr(grad, "__code__", None)
    if code is None:
        import inspect

        ps = inspect.signature(grad).parameters.values()
        return any(p.name == "variables" or p.kind is p.VAR_KEYWORD for p in ps)
    named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return "variables" in named or bool(code.co_flags & 8)


def grad_pass_through(f: Callable) -> Callable:
    """``f`` with the gradient of the identity: the straight-through estimator (Bengio et al., arXiv:1308.3432).

    Args:
        f: a function of one Tensor (or a nest) to one of the same shape.

    >>> import gradtape as tf
    >>> x = tf.constant(1.3)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = tf.grad_pass_through(tf.round)(x)
    >>> print(tape.gradient(y, x))
    tf.Tensor(1.0, shape=(), dtype=float32)
    """

    @custom_gradient
    def through(*args: Any, **kwargs: Any) -> Any:
        def grad(*dys: Any, variables: Any = None) -> Any:
            dy = dys[0] if len(dys) == 1 else list(dys)
            return (dy, [None] * len(variables)) if variables else dy

        return f(*args, **kwargs), grad

    return functools.wraps(f)(through)


def recompute_grad(f: Callable) -> Callable:
    """``f`` that keeps no residuals: the backward pass computes it again (Chen et al., arXiv:1604.06174).

    Args:
        f: a function of Tensors that may read variables. It must give the same result each time.

    >>> import gradtape as tf
    >>> x = tf.constant(2.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = tf.recompute_grad(lambda x: x * x * x)(x)
    >>> print(tape.gradient(y, x))
    tf.Tensor(12.0, shape=(), dtype=float32)
    """

    @custom_gradient
    def inner(*args: Any, **kwargs: Any) -> Any:
        tapes = state.tapes
        state.tapes = tuple([t for t in tapes if not isinstance(t, GradientTape)])  # no residuals are kept
        try:
            result = f(*args, **kwargs)
        finally:
            state.tapes = still_active(tapes)
        tensors = [a for a in nest.flatten(args) if isinstance(a, Tensor)]

        def grad(*dys: Any, variables: Any = None) -> Any:
            xs, given = tensors, args
            if state.trace is not None and tensors:  # a program must not take it for the same calculation as the first
                xs = list(st.after(*tensors, *dys, n=len(tensors)))
                it = iter(xs)
                given = nest.map_structure(lambda a: next(it) if isinstance(a, Tensor) else a, args)
            with GradientTape() as tape:
                tape.watch([t for t in xs if t._d.is_inexact])
                again = f(*given, **kwargs)
            sources = xs + list(variables or [])
            ds = tape.gradient(nest.flatten(again), sources, output_gradients=list(dys))
            n = len(tensors)
            return (ds[:n], ds[n:]) if variables else ds

        return result, grad

    return functools.wraps(f)(inner)
