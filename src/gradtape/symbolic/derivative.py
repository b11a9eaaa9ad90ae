"""Derivatives of expressions: the gradient rules of the table, run on expressions.

A rule of an elementwise row is linear in its cotangent, so with a tangent in that place it is the derivative along it. ``forward``
carries one tangent through a formula; ``backward`` is the gradient driver on records made from one. In either, every expression is
met once, and equal results are one object: the n-th derivative of a product of n factors has O(n³) parts, though its
text has n! terms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..gradient import driver
from ..ground.primitive import Primitive, not_implemented
from .evaluation import flat, like
from .expression import _NO_ATTRS, CLASSES, Const, Expression, Var, mode, tidied, topological
from .making import PLAIN, apply, expression

_SECOND_FIRST = ("multiply",)  # the product rule is written a·b' + a'·b
_SHAPES = [((),) * n for n in range(8)]


def rules(p: Primitive, args: Sequence[Expression], mask: int) -> list[tuple[int, Callable | None]]:
    """For each argument in ``mask`` (bit i: argument i) that has a derivative, its number and the function ``(g, ins, shapes, out, attrs)`` that gives the cotangent, None for g itself.

    Raises:
        LookupError: the row has a derivative there that nobody has written.
    """
    known = p.grad
    steps = known is None or (isinstance(known, tuple) and not any(known))  # constant between its steps
    wanted = 0
    for i, x in enumerate(args):
        if not mask >> i & 1 or steps or not x._d.is_inexact:
            continue
        rule = p.rule(i)
        if rule is None or rule is not_implemented:
            raise LookupError(
                f"{p.name} has no derivative with respect to its argument {p.inputs[i]!r} ({x!r}): the table of operations has none."
            )
        wanted |= 1 << i
    plan = p.plans.get(wanted) or p.plan(wanted)
    return list(plan.vjps) if plan is not None else []


def forward(roots: list[Expression], var: Any) -> list[Expression]:
    """The derivatives of ``roots`` along a variable; simplified where ``tidied``, else written out as the seeds have them, with every 0 and 1."""
    tidy = mode.tidy
    zero = Const(0)
    add = CLASSES["add"]
    tangents: dict[int, Any] = {id(var): Const(1)}
    known: dict[Any, list] = {}
    for e in topological(roots):
        args = e.args
        mask = 0
        for i, x in enumerate(args):
            if id(x) in tangents:
                mask |= 1 << i
        p = e.primitive
        if not tidy and args and p.kernel in PLAIN:
            mask = (1 << len(args)) - 1
        if not mask:
            continue
        vjps = known.get((p, mask))
        if vjps is None:
            vjps = known[p, mask] = rules(p, args, mask)
        total: Any = None
        for i, f in reversed(vjps) if not tidy and p.name in _SECOND_FIRST else vjps:
            t = tangents.get(id(args[i]), zero)
            if f is not None:
                t = f(t, args, _SHAPES[len(args)], e, e.attrs)
                if not isinstance(t, Expression):
                    t = expression(t)
            total = t if total is None else apply(add, (total, t), _NO_ATTRS)
        if total is not None and not (tidy and total is zero):
            tangents[id(e)] = total
    return [tangents.get(id(r), zero) for r in roots]


def backward(root: Expression, wanted: Sequence[Expression]) -> list[Expression]:
    """The derivatives of ``root`` with respect to several variables in one pass, by the driver that tapes use."""
    order = topological([root])
    keys = {id(e): k for k, e in enumerate(order)}
    live = {id(v) for v in wanted}
    records: list[Any] = []
    for e in order:
        args, mask = e.args, 0
        for i, x in enumerate(args):
            if id(x) in live:
                mask |= 1 << i
        vjps = rules(e.primitive, args, mask) if mask else None
        if vjps:
            live.add(id(e))
            records.append(
                (
                    e.primitive,
                    vjps,
                    tuple([keys[id(x)] for x in args]),
                    args,
                    _SHAPES[len(args)],
                    e,
                    keys[id(e)],
                    e.attrs,
                )
            )
    if id(root) not in live:
        return [Const(0) for _ in wanted]
    keep = {keys[id(v)] for v in wanted if id(v) in keys}
    found = driver.backward(records, {keys[id(root)]: Const(1)}, keep, None, True)
    return [expression(found[keys[id(v)]]) if id(v) in keys and keys[id(v)] in found else Const(0) for v in wanted]


# -- the public functions ------------------------------------------------------------------------------------------------------


def _var(x: Any, what: str = "A derivative is taken with respect to a symbolic.Var") -> Var:
    if not isinstance(x, Var):
        raise TypeError(f"{what}, not {x!r}{_hint(x)}.")
    return x


def _hint(x: Any) -> str:
    if isinstance(x, str):
        return ": give the variable itself, which expr.variables lists"
    if isinstance(x, list | tuple | np.ndarray):
        return ": diff and gradient take lists"
    return ": put a variable in its place with subs first" if isinstance(x, Expression) else ""


def _vars(xs: Any, order: list[Expression], *what: str) -> list[Var]:
    """The variables named, or those among the expressions of ``order``."""
    if xs is None:
        return [e for e in order if isinstance(e, Var)]
    return [
        _var(x, *what)
        for x in (xs.ravel().tolist() if isinstance(xs, np.ndarray) else [xs] if isinstance(xs, Expression) else xs)
    ]


def diff(e: Any, x: Any, n: int = 1) -> Any:
    """The n-th derivative of an expression, simplified as it is made.

    Args:
        e: an expression, or a list or array of them.
        x: a Var, or a list of them to differentiate by one after the other.
        n: how often.

    Returns:
        An expression (a list or array of them).

    Raises:
        TypeError: ``x`` is no Var.
        ValueError: ``n`` is no number of times.
        LookupError: the derivative of some operation is not known.

    >>> import gradtape as tf
    >>> x = tf.symbolic.Var("x")
    >>> print(tf.symbolic.diff(tf.sin(2 * x), x).pretty())
    2·cos(2·x)
    >>> print(tf.symbolic.diff(x**5, x, 3).pretty())
    60·x²
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise ValueError(
            f"n says how often to differentiate and must be a whole number from 0 on, but is {n!r}{': for a mixed derivative give a list of variables, diff([x, y])' if isinstance(n, Var) else ''}."
        )
    roots = flat(e)
    with tidied():
        for v in [x] if isinstance(x, Expression) or not isinstance(x, list | tuple) else x:
            v = _var(v)
            for _ in range(n):
                roots = forward(roots, v)
    return like(e, roots)


def gradient(e: Any, xs: Any = None) -> list[Expression]:
    """The first derivatives of one expression, by one pass backwards.

    Args:
        e: an expression.
        xs: the variables, a list or array of Vars; None: all that it has, in the order of ``e.variables``.

    Returns:
        A list of expressions.

    Raises:
        TypeError: something in ``xs`` is no Var.
        LookupError: the derivative of some operation is not known.

    >>> import gradtape as tf
    >>> x, y = tf.symbolic.variables("x y")
    >>> [g.pretty() for g in tf.symbolic.gradient(x * x * y + y + 2)]
    ['2·x·y', 'x² + 1']
    """
    e = expression(e)
    xs = _vars(xs, topological([e]))
    with tidied():
        return backward(e, xs)


def jacobian(es: Any, xs: Any = None) -> list[list[Expression]]:
    """The matrix of first derivatives, forward or backward by whichever needs fewer passes.

    Args:
        es: a list or array of expressions.
        xs: the variables; None: all, in the order of first mention.

    Returns:
        A list of rows, one for each expression.

    Raises:
        TypeError, LookupError: as ``gradient``.

    >>> import gradtape as tf
    >>> r, t = tf.symbolic.variables("r t")
    >>> for row in tf.symbolic.jacobian([r * tf.cos(t), r * tf.sin(t)]):
    ...     print([d.pretty() for d in row])
    ['cos(t)', '-r·sin(t)']
    ['sin(t)', 'r·cos(t)']
    """
    roots = flat(es)
    xs = _vars(xs, topological(roots))
    with tidied():
        if len(xs) <= len(roots):
            columns = [forward(roots, x) for x in xs]
            return [[c[i] for c in columns] for i in range(len(roots))]
        return [backward(r, xs) for r in roots]


def hessian(e: Any, xs: Any = None) -> list[list[Expression]]:
    """The matrix of second derivatives; the two halves are the same expressions.

    Args:
        e: an expression.
        xs: the variables; None: all, in the order of first mention.

    Returns:
        A list of rows.

    Raises:
        TypeError, LookupError: as ``gradient``.

    >>> import gradtape as tf
    >>> x, y = tf.symbolic.variables("x y")
    >>> [[d.pretty() for d in row] for row in tf.symbolic.hessian(x * x * y + y + 2)]
    [['2·y', '2·x'], ['2·x', '0']]
    """
    e = expression(e)
    xs = _vars(xs, topological([e]))
    with tidied():
        first = backward(e, xs)
        rows: list[list[Expression]] = []
        for i, g in enumerate(first):
            rows.append([r[i] for r in rows] + backward(g, xs[i:]))
        return rows


__all__ = ["diff", "gradient", "hessian", "jacobian"]
