"""From Python functions of tensors to expressions: traced as ``tf.function`` traces, and the graph taken apart into formulas.

A tensor of some shape becomes an array of expressions, an operation on it what it does to each element.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from ..core.variable import Variable
from ..ground.errors import user_line
from ..ground.graph import Graph, Node, Value
from .arrays import AS_WRITTEN, RULES, Refused, each, is_number, linear, number, objects
from .evaluation import flat
from .expression import CLASSES, tidied
from .expression import Expression as _Expression
from .expression import Var as _Var
from .expression import variables as _variables
from .making import _cast, apply, interpret

_FAMILIES = ("structure", "indexing")  # their kernels move elements, of whatever kind
_MOVE = ("write_row", "grow_row")  # and so do these
MOST_TURNS = 10_000


def trace(f: Callable, *args: Any, dtype: Any = "float64") -> Any:
    """The expression that a Python function of tensors computes.

    Args:
        f: a function of tensors: gradtape's operations and Python, ``if`` on tensors and loops of known length included. Operations on arrays are written
            out element by element: reductions, products, softmax, determinants and inverses of small matrices, whatever is linear.
        args: for each parameter a Var, an array of Vars, a shape (then Vars called by the parameter's name are made), an array or tensor of numbers, or
            anything else that ``f`` takes. Left out, each parameter without a default is a scalar.
        dtype: the dtype with which ``f`` is traced.

    Returns:
        An expression; for a tensor of some shape an array of them, and the structure that ``f`` returns. Its variables are in
        ``expression.variables``.

    Raises:
        TypeError: ``f`` does what no formula can: loops whose length depends on values, sorting, random numbers, variables that it reads.

    >>> import gradtape as tf
    >>> def f(x, y):
    ...     if x > 0:
    ...         return x * x * y + y + 2
    ...     return y
    >>> print(tf.symbolic.trace(f))
    where((x) > (0), ((x) * (x)) * (y) + y + 2, y)
    >>> print(tf.symbolic.trace(lambda v: tf.reduce_sum(v * v), (2,)))
    (v0) * (v0) + (v1) * (v1)
    >>> print(tf.symbolic.trace(tf.linalg.det, (2, 2)))
    (input0_0) * (input1_1) - ((input0_1) * (input1_0))
    """
    from ..tracing.function import function
    from ..tracing.signature import TensorSpec

    if not callable(f):
        raise TypeError(f"symbolic.trace takes a function of tensors, but was given {f!r}.")
    names, required = _parameters(f, len(args))
    if not args:
        given: list[Any] = [_Var(n, dtype=dtype) for n in names[:required]]
    else:
        given = [_argument(a, n, dtype) for a, n in zip(args, names, strict=True)]
    arrays = [_array(g) for g in given]
    specs = [
        g if a is None else TensorSpec(a.shape, dtype if a.dtype == object else a.dtype, n)
        for g, a, n in zip(given, arrays, names)
    ]
    concrete = function(f).get_concrete_function(*specs)
    if concrete.variables:
        if any(v.name.startswith("StateVar") for v in concrete.variables):
            raise TypeError(
                f"{concrete.name} draws random numbers, which have no place in a formula: make them an argument."
            )
        raise TypeError(
            f"{concrete.name} reads the tf.Variable {concrete.variables[0].name}, which has no place in a formula: make it an argument, or take its value by .numpy() outside."
        )
    with tidied(False):
        outs = [each(lambda e: e, objects(o)) for o in _run(concrete.graph, [a for a in arrays if a is not None])]
    return concrete._packed([o if o.ndim else o.item() for o in outs])


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


def _array(g: Any) -> np.ndarray | None:
    """An argument that is a tensor to ``f``: of expressions, or of numbers."""
    if isinstance(g, _Expression):
        return _alone(g)
    if isinstance(g, Variable):
        g = g._read()
    if isinstance(g, Tensor):
        return np.asarray(g._a)
    return g if isinstance(g, np.ndarray) else np.asarray(g) if isinstance(g, np.generic) else None


def _run(graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The graph on arrays: those of expressions have the dtype object, those that are known their own."""
    env: dict[int, Any] = {id(v): a for v, a in zip(graph.inputs, inputs, strict=True)}

    def value(v: Value) -> np.ndarray:
        return np.asarray(v.const) if v.const is not None else env[id(v)]

    for n in graph.nodes:
        outs = _node(n, [value(v) for v in n.ins])
        env.update({id(v): _settled(a, v) for v, a in zip(n.outs, outs, strict=True)})
    return [value(v) for v in graph.outputs]


def _settled(a: Any, v: Value) -> np.ndarray:
    """An array as the next operation wants it: of the value's own dtype, if all elements are known."""
    if isinstance(a, _Expression):
        a = _alone(a)
    a = np.asarray(a)
    if a.dtype == object:
        # a kernel that writes one element puts an array of no dimensions there
        a = each(lambda e: e, a) if any(isinstance(x, np.ndarray) for x in a.ravel()) else a
    if a.dtype != object or v.aval.dtype.np.kind == "O" or not all(map(is_number, a.ravel())):
        return a
    return np.array([number(x) for x in a.ravel()], v.aval.dtype.np).reshape(a.shape)


def _alone(e: Any) -> np.ndarray:
    a = np.empty((), object)
    a[()] = e
    return a


def _node(n: Node, xs: list[np.ndarray]) -> list[Any]:
    """What an operation makes of arrays."""
    try:
        if n.p.name == "cond":
            return _branches(n, xs)
        if n.p.name in ("while_loop", "while_history"):
            return _turns(n, xs)
        if n.effect:
            raise Refused("it does something beside giving a value")
        known = [x.dtype != object for x in xs]
        if all(known):  # numbers alone: no formula is needed
            with np.errstate(all="ignore"):
                r = n.p.compute(*[x[()] for x in xs], **n.attrs)
        elif n.p.name == "select" and known[0]:
            r = np.where(xs[0], objects(xs[1]), objects(xs[2]))
        elif n.p.name == "cast":
            r = each(lambda e: _cast(e, n.attrs["dtype"]), xs[0])
        elif n.p.elementwise and not n.p.multi:
            r = each(lambda *es: interpret(n.p, es, n.attrs), *map(objects, xs))
        elif n.p.name == "add_n":
            r = sum(map(objects, xs[1:]), objects(xs[0]))
        elif n.p.name in RULES:
            with tidied(n.p.name not in AS_WRITTEN):
                r = RULES[n.p.name](*[x if v.aval.dtype.is_integer else objects(x) for x, v in zip(xs, n.ins)], **n.attrs)  # fmt: skip
        else:
            return _moved(n, xs)
        return list(r) if n.p.multi else [r]
    except _Reported:
        raise
    except (TypeError, ValueError) as error:
        raise _Reported(_message(n, error)) from error


def _moved(n: Node, xs: list[np.ndarray]) -> list[Any]:
    """A row whose kernel works on objects as on numbers, or one that is linear."""
    p = n.p
    moves = {(getattr(f, "__module__", "") or "").rpartition(".")[2] for f in (p.kernel, p.shape)} & {*_FAMILIES}
    if moves or p.linear or p.name in _MOVE:
        try:
            r = p.kernel(*[x if v.aval.dtype.is_integer or v.aval.dtype.is_bool else objects(x) for x, v in zip(xs, n.ins)], **n.attrs)  # fmt: skip
            return list(r) if p.multi else [r]
        except (TypeError, ValueError, AttributeError, IndexError):
            if not p.linear:
                raise
    if p.linear or p.multilinear:
        with tidied():
            return linear(n, xs)
    raise Refused("gradtape has no formula for it")


def _branches(n: Node, xs: list[np.ndarray]) -> list[Any]:
    if xs[0].dtype != object:
        return _run(n.attrs["true" if xs[0] else "false"], xs[1:])
    yes, no = _run(n.attrs["true"], xs[1:]), _run(n.attrs["false"], xs[1:])
    select = CLASSES["select"]
    return [each(lambda c, a, b: apply(select, (c, a, b), {}), xs[0], objects(a), objects(b)) for a, b in zip(yes, no)]


def _turns(n: Node, xs: list[np.ndarray]) -> list[Any]:
    """A loop, turn by turn, as long as its test can be decided."""
    states, attrs = n.attrs["n"], n.attrs
    now, fixed = xs[:states], xs[states:]
    visited: list[list[np.ndarray]] = []
    while True:
        (test,) = _run(attrs["cond"], [*now, *fixed])
        if test.dtype == object:
            raise Refused(f"its length depends on values, by the test {test.item()}")
        if not test:
            break
        if len(visited) == MOST_TURNS:
            raise Refused(f"it has more than {MOST_TURNS:,} turns")
        visited.append(now)
        now = _run(attrs["body"], [*now, *fixed])
    if "keep" not in attrs:
        return now
    return [*now, np.int32(len(visited)), *[_stack([s[k] for s in visited], xs[k]) for k in attrs["keep"]]]


def _stack(states: list[np.ndarray], like: np.ndarray) -> np.ndarray:
    if not states:
        return np.zeros((0, *like.shape), like.dtype)
    return np.stack([objects(s) for s in states] if any(s.dtype == object for s in states) else states)


class _Reported(TypeError):
    """With the user's line."""


_Reported.__name__ = _Reported.__qualname__ = "TypeError"


def _message(n: Node, error: Exception) -> str:
    text = f"{n.p.name} cannot become part of a formula: {str(error).rstrip('.')}."
    text += " Compute it outside and make its result an argument, or differentiate the function itself, by a tape."
    if not n.line:
        return text + user_line()
    file, line = n.line
    code = linecache.getline(file, line).strip()
    return f"{text}\n  at {file}:{line}" + (f": {code}" if code else "")


__all__ = ["trace"]
