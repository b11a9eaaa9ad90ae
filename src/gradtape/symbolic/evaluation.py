"""Numbers out of expressions: their values, and gradients by the chain rule backwards, as the seeds' classes have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from ..core.variable import Variable
from ..ground.primitive import Primitive
from .expression import Const, Expression, Var, topological
from .making import PLAIN, expression

_NUMBERS = (int, float, bool, complex)


def _given(values: dict[Any, Any] | None, order: list[Expression]) -> dict[int, Any]:
    """The values of variables, by their ids."""
    found: dict[int, Any] = {}
    if not values:
        return found
    vs = [e for e in order if isinstance(e, Var)]
    for k, v in values.items():
        if isinstance(k, Var):
            found[id(k)] = v
            continue
        named = [x for x in vs if x.name == k] if isinstance(k, str) else []
        if len(named) != 1:
            raise KeyError(
                f"values gives a value to {k!r}, but the expression has {'no such variable' if not named else f'{len(named)} variables of that name: give the Var itself'}."
                f" Its variables are {[x.name for x in vs]}."
            )
        found[id(named[0])] = v
    return found


def _plain(v: Any, e: Expression) -> Any:
    """A value as kernels take it: Python's numbers as they are, arrays of the variable's dtype."""
    if v.__class__ in _NUMBERS:
        return v
    if isinstance(v, Const):
        return v._value
    if isinstance(v, Variable):
        v = v._read()
    a = v._a if isinstance(v, Tensor) else v
    a = np.asarray(a)
    if a.dtype.kind not in "biufc":
        what = f"The value of the variable {e.name!r}" if isinstance(e, Var) else "The gradient to carry back"
        raise TypeError(f"{what} must be a number or an array of numbers, but is {v!r}.")
    return a.item() if not a.ndim else a.astype(e._d.np) if a.dtype != e._d.np else a


def _boxed(v: Any, e: Expression) -> Any:
    """A value as the array or NumPy scalar that a kernel takes."""
    return v if v.__class__ is np.ndarray else e._d.np.type(v)


def call(p: Primitive, vs: list[Any], es: Iterable[Expression], attrs: dict[str, Any]) -> Any:
    """A row on Python's numbers or arrays; a number comes back as Python's."""
    if p.kernel in PLAIN:
        try:
            r = p.kernel(*vs)
        except OverflowError:  # an int too large for a float
            r = float("nan")
        return r if r.__class__ in _NUMBERS or r.__class__ is np.ndarray else r.item()
    r = p.compute(*[_boxed(v, e) for v, e in zip(vs, es)], **attrs)
    return r if isinstance(r, np.ndarray) and r.ndim else r.item()


def _values(order: list[Expression], given: dict[int, Any]) -> dict[int, Any]:
    env: dict[int, Any] = {}
    with np.errstate(all="ignore"):
        for e in order:
            if e.args:
                env[id(e)] = call(e.primitive, [env[id(x)] for x in e.args], e.args, e.attrs)
            else:
                env[id(e)] = _plain(given.get(id(e), e._value), e)
    return env


def evaluate(e: Any, values: dict[Any, Any] | None = None) -> Any:
    """The value of an expression, or of each in a list, at the values of its variables. Each common part is computed once.

    Args:
        e: an expression, or a list or array of them.
        values: values by Var or by name, in place of the variables' own.

    Returns:
        A Python number; an array where a value is one. Sums, differences and products of ints are ints.

    Raises:
        KeyError: ``values`` names a variable that the expression does not have.
        TypeError: the value of a variable is no number.

    >>> import gradtape as tf
    >>> x = tf.symbolic.Var("x", value=3)
    >>> (x * x + 1).evaluate()
    10
    >>> tf.symbolic.evaluate([x, tf.sqrt(x)], {x: 4.0})
    [4.0, 2.0]
    """
    roots = flat(e)
    order = topological(roots)
    given = _given(values, order)
    env = _values(order, given)
    if not given:
        for x in order:
            if x.args:
                x._value = env[id(x)]
    return like(e, [env[id(r)] for r in roots])


def backpropagate(e: Expression, gradient: Any = 1.0) -> None:
    """Carry ``gradient`` back from an expression to its variables: reverse mode by hand.

    Args:
        e: the expression, taken at the present values of its variables.
        gradient: the derivative of some result with respect to it; a number, or an array of its value's shape.

    Each variable's ``gradient`` grows by the derivative of that result with respect to it.

    >>> import gradtape as tf
    >>> x = tf.symbolic.Var("x", value=2.0)
    >>> tf.symbolic.backpropagate(x * x * x, 1.0)
    >>> x.gradient
    12.0
    """
    e = expression(e)
    order = topological([e])
    env = _values(order, {})
    for x in order:
        if x.args:
            x._value = env[id(x)]
    pending: dict[int, Any] = {id(e): _plain(gradient, e)}
    for x in reversed(order):
        g = pending.pop(id(x), None)
        if g is None or isinstance(x, Const):
            continue
        if isinstance(x, Var):
            x.gradient = x.gradient + _summed(g, np.shape(env[id(x)]))
            continue
        for i, d in _pulled(x, g, env):
            k = id(x.args[i])
            pending[k] = pending[k] + d if k in pending else d


def _pulled(x: Expression, g: Any, env: dict[int, Any]) -> Iterator[tuple[int, Any]]:
    """The cotangents of the arguments of ``x`` by its row's rules, each with the argument's number."""
    from .derivative import rules

    p = x.primitive
    vs = [env[id(y)] for y in x.args]
    plain = p.kernel in PLAIN
    ins: Any = tuple(vs) if plain else tuple([Tensor(_boxed(v, y), y._d) for v, y in zip(vs, x.args)])
    out: Any = env[id(x)] if plain else Tensor(_boxed(env[id(x)], x), x._d)
    g = g if plain else Tensor(_boxed(g, x), x._d)
    shapes = tuple([np.shape(v) for v in vs])
    mask = sum(1 << i for i, y in enumerate(x.args) if not isinstance(y, Const))
    for i, f in rules(p, x.args, mask):
        d = g if f is None else f(g, ins, shapes, out, x.attrs)
        d = d if plain else d._a
        yield i, d.item() if isinstance(d, np.generic) else d


def _summed(g: Any, shape: tuple[int, ...]) -> Any:
    """``g`` summed to a shape that broadcasts to its own."""
    have = np.shape(g)
    if have == shape or len(shape) > len(have):
        return g
    lead = len(have) - len(shape)
    axes = (*range(lead), *[lead + i for i, d in enumerate(shape) if d == 1 and have[lead + i] != 1])
    s = np.sum(g, axes, keepdims=False)
    s = np.reshape(s, shape)
    return s.item() if not shape else s


def flat(e: Any) -> list[Expression]:
    """The expressions of a nest of lists and arrays."""
    if isinstance(e, Expression):
        return [e]
    if isinstance(e, list | tuple):
        return [x for y in e for x in flat(y)]
    if isinstance(e, np.ndarray) and e.ndim:
        return [expression(x) for x in e.ravel().tolist()]
    return [expression(e)]


def like(e: Any, values: list[Any]) -> Any:
    """``values`` in the form of ``e``."""
    rest = iter(values)

    def build(x: Any) -> Any:
        if isinstance(x, list | tuple) and not isinstance(x, Expression):
            return type(x)([build(y) for y in x])
        if isinstance(x, np.ndarray) and x.ndim:
            got = [next(rest) for _ in range(x.size)]
            a = np.empty(x.size, object)
            a[:] = got
            if all([isinstance(v, float | int | bool) for v in got]):
                return np.array(got).reshape(x.shape)
            return a.reshape(x.shape)
        return next(rest)

    return build(e)


__all__ = ["backpropagate", "evaluate"]
