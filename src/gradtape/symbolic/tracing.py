"""From Python functions of tensors to expressions: traced as ``tf.function`` traces, and the graph taken apart into formulas.

A tensor of some shape becomes an array of expressions, an operation on it what it does to each element.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.errors import user_line
from ..ground.graph import Graph, Node, Value
from .evaluation import flat
from .expression import CLASSES, tidied
from .expression import Expression as _Expression
from .expression import Var as _Var
from .expression import variables as _variables
from .making import _cast, apply, class_of, expression, interpret

_FAMILIES = ("structure", "indexing")  # their kernels move elements, of whatever kind


def trace(f: Callable, *args: Any, dtype: Any = "float64") -> Any:
    """The expression that a Python function of tensors computes.

    Args:
        f: a function of tensors: gradtape's operations and Python, ``if`` on tensors and loops of known length included.
        args: for each parameter a Var, an array of Vars, a shape (then Vars called by the parameter's name are made), or a constant that is no tensor.
            Left out, each parameter without a default is a scalar.
        dtype: the dtype with which ``f`` is traced.

    Returns:
        An expression; for a tensor of some shape an array of them, and the structure that ``f`` returns. Its variables are in
        ``expression.variables``.

    Raises:
        TypeError: ``f`` does what no formula can: loops whose length depends on values, variables that it reads.

    >>> import gradtape as tf
    >>> def f(x, y):
    ...     if x > 0:
    ...         return x * x * y + y + 2
    ...     return y
    >>> print(tf.symbolic.trace(f))
    where((x) > (0), ((x) * (x)) * (y) + y + 2, y)
    >>> print(tf.symbolic.trace(lambda v: tf.reduce_sum(v * v), (2,)))
    (v0) * (v0) + (v1) * (v1)
    """
    from ..tracing.function import function
    from ..tracing.signature import TensorSpec

    names, required = _parameters(f, len(args))
    if not args:
        given: list[Any] = [_Var(n, dtype=dtype) for n in names[:required]]
    else:
        given = [_argument(a, n, dtype) for a, n in zip(args, names, strict=True)]
    shaped = [
        np.asarray(g, object)
        if isinstance(g, _Expression) or (isinstance(g, np.ndarray) and g.dtype == object)
        else None
        for g in given
    ]
    specs = [g if s is None else TensorSpec(s.shape, dtype, n) for g, s, n in zip(given, shaped, names)]
    concrete = function(f).get_concrete_function(*specs)
    if concrete.variables:
        raise TypeError(
            f"{concrete.name} reads the tf.Variable {concrete.variables[0].name}, which has no place in a formula: make it an argument, or take its value by .numpy() outside."
        )
    with tidied(False):
        outs = _run(concrete.graph, [s for s in shaped if s is not None])
    return concrete._packed([o.item() if not o.ndim else o for o in outs])


def _parameters(f: Callable, n: int) -> tuple[list[str], int]:
    try:
        ps = [
            p
            for p in inspect.signature(f).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
        ]
    except (TypeError, ValueError):
        return [f"x{i}" for i in range(n)], n
    names = [p.name for p in ps if p.kind is not p.VAR_POSITIONAL]
    required = len([p for p in ps if p.kind is not p.VAR_POSITIONAL and p.default is p.empty])
    more = n - len(names)
    if more > 0 and len(names) < len(ps):
        names += [f"{ps[-1].name}{i}" for i in range(more)]
    if n and not required <= n <= len(names):
        raise TypeError(f"The function takes the arguments {names}, but symbolic.trace was given {n}.")
    return names[: n or None], required


def _argument(a: Any, name: str, dtype: Any) -> Any:
    if isinstance(a, tuple) and all(isinstance(d, int) for d in a):
        return _variables([name], shape=a) if a else _Var(name, dtype=dtype)
    if isinstance(a, list | tuple) and any(isinstance(x, _Expression) for x in a):
        return np.array([*flat(list(a)), None], object)[:-1]
    return a


def _run(graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    env: dict[int, np.ndarray] = {id(v): a for v, a in zip(graph.inputs, inputs, strict=True)}

    def value(v: Value) -> np.ndarray:
        if v.const is not None:
            c = np.asarray(v.const)
            return c.astype(object) if c.ndim else _scalar(expression(_number(c)))
        return env[id(v)]

    for n in graph.nodes:
        outs = _node(n, [value(v) for v in n.ins])
        env.update({id(v): a for v, a in zip(n.outs, outs, strict=True)})
    return [np.asarray(value(v), object) for v in graph.outputs]


def _number(c: np.ndarray) -> Any:
    v = c.item()
    return int(v) if isinstance(v, float) and abs(v) < 1e15 and v == int(v) else v


def _scalar(e: Any) -> np.ndarray:
    a = np.empty((), object)
    a[()] = e
    return a


def _each(f: Callable, *xs: np.ndarray) -> np.ndarray:
    """``f`` on each element, constants made expressions."""
    xs = np.broadcast_arrays(*xs)
    out = np.empty(xs[0].shape, object)
    for at in np.ndindex(*out.shape):
        out[at] = f(
            *[expression(_number(np.asarray(x[at])) if not isinstance(x[at], _Expression) else x[at]) for x in xs]
        )
    return out


def _node(n: Node, xs: list[np.ndarray]) -> list[np.ndarray]:
    p, attrs, name = n.p, n.attrs, n.p.name
    if name == "cond":
        yes, no = _run(attrs["true"], xs[1:]), _run(attrs["false"], xs[1:])
        return [
            _each(lambda c, a, b: apply(CLASSES["select"], (c, a, b), {}), xs[0], a, b)
            for a, b in zip(yes, no, strict=True)
        ]
    if name in _REDUCERS:
        return [_reduced(_REDUCERS[name], xs[0], attrs["axis"], attrs["keepdims"], name == "mean")]
    if name == "matmul":
        x, y = (np.swapaxes(a, -1, -2) if attrs[f"transpose_{k}"] else a for a, k in zip(xs, "xy", strict=True))
        return [np.asarray(np.matmul(_each(lambda e: e, x), _each(lambda e: e, y)), object)]
    if name == "cast":
        return [_each(lambda e: _cast(e, attrs["dtype"]), xs[0])]
    if name == "add_n":
        return [sum(xs[1:], xs[0])]
    family = (getattr(p.kernel, "__module__", "") or "").rpartition(".")[2]
    if p.elementwise and not p.multi:
        return [_each(lambda *es: interpret(p, es, attrs), *xs)]
    if family in _FAMILIES or getattr(p.shape, "__module__", "").rpartition(".")[2] in _FAMILIES:
        try:
            ins = [np.array([v.item() for v in map(np.asarray, x.ravel())], v.aval.dtype.np).reshape(x.shape) if v.aval.dtype.is_integer else x
                   for x, v in zip(xs, n.ins, strict=True)]  # fmt: skip
            out = p.kernel(*ins, **attrs)
            return [
                np.asarray(o, object) if not isinstance(o, _Expression) else _scalar(o)
                for o in (out if p.multi else (out,))
            ]
        except (TypeError, ValueError, AttributeError) as error:
            raise _refused(n, str(error)) from error
    raise _refused(n, "")


def _refused(n: Node, why: str) -> TypeError:
    says = (
        "its length depends on values"
        if n.p.name.startswith("while")
        else why or "it is no operation on single numbers"
    )
    where = f" (line {n.line[1]} of {n.line[0]})" if n.line else user_line()
    return TypeError(f"{n.p.name} cannot become part of a formula: {says}{where}.")


def _reduced(f: Callable, x: np.ndarray, axis: tuple[int, ...], keepdims: bool, mean: bool) -> np.ndarray:
    moved = np.moveaxis(x, axis, tuple(range(len(axis))))
    kept = moved.shape[len(axis) :]
    moved = moved.reshape(-1, *kept)
    out = np.empty(kept, object)
    count = moved.shape[0]
    for at in np.ndindex(*kept):
        column = [expression(v) for v in moved[(slice(None), *at)]]
        if not column:
            total: Any = expression(0 if f is _REDUCERS["sum"] else 1)
        else:
            total = column[0]
        for v in column[1:]:
            total = f(total, v)
        out[at] = total / count if mean else total
    return out.reshape([1 if i in axis else d for i, d in enumerate(x.shape)]) if keepdims else out


def _maker(name: str) -> Callable:
    return lambda x, y: apply(class_of(CLASSES[name].primitive), (x, y), {})


_REDUCERS = {"sum": _maker("add"), "mean": _maker("add"), "prod": _maker("multiply"), "max": _maker("maximum"), "min": _maker("minimum"),
             "all": _maker("logical_and"), "any": _maker("logical_or")}  # fmt: skip

__all__ = ["trace"]
