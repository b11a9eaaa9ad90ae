"""What is simplified while expressions are made: zeros, ones, numbers and signs. Nothing that needs a search.

A rule takes the arguments of a row and gives a simpler expression, or None to have it made as it is. Like SymPy, they take it that
variables stand for finite numbers: 0·x is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.dtypes import bool_
from .expression import _NO_ATTRS, CLASSES, Const, Expression, tidied
from .making import TIDY, apply

EXACT = 1 << 53  # floats hold whole numbers up to here


def make(name: str, *args: Any) -> Any:
    """A row on expressions, tidied."""
    return apply(CLASSES[name], args, _NO_ATTRS)


def _rule(*names: str) -> Callable[[Callable], Callable]:
    def enter(f: Callable) -> Callable:
        for name in names:
            TIDY[name] = f
        return f

    return enter


def _number(e: Expression) -> Any:
    """The number that a real constant is, else None."""
    return (
        e._value
        if e.__class__ is Const and e._d is not bool_ and not e._d.is_integer and e._value.__class__ is not complex
        else None
    )


def _is(e: Expression, v: int) -> bool:
    return e.__class__ is Const and e._value == v and e._d is not bool_


def _const(v: Any) -> Expression | None:
    """The constant, if it is a number worth having in place of its formula."""
    if v.__class__ is int and abs(v) > EXACT:
        return None
    return Const(v) if v.__class__ is int or math.isfinite(v) else None


@_rule("*")
def folded(cls: Any, args: tuple, attrs: dict[str, Any]) -> Any:
    """A row on constants: a number if some constant is a float or the result is whole; sin(1) stays."""
    from .evaluation import call

    if any([_number(x) is None for x in args]):
        return None
    with np.errstate(all="ignore"):
        v = call(cls.primitive, [float(x._value) for x in args], args, attrs)
    if v.__class__ is bool:
        return Const(v)
    if v.__class__ is not float or not math.isfinite(v):
        return None
    if v == math.floor(v) and abs(v) < EXACT:
        return Const(int(v))
    return Const(v) if any([x._value.__class__ is float for x in args]) else None


@_rule("add")
def _add(x: Expression, y: Expression) -> Any:
    a, b = _number(x), _number(y)
    if a is not None:
        if not a:
            return y
        if b is not None:
            return _const(a + b)
        x, y, b = y, x, a  # numbers at the end
    if b is not None:
        if not b:
            return x
        if (
            x.__class__ is CLASSES["add"]
            and (c := _number(x.args[1])) is not None
            and (end := _const(b + c)) is not None
        ):
            return make("add", x.args[0], end)
        return CLASSES["add"]._of((x, y), _NO_ATTRS)
    n = CLASSES["negative"]
    if y.__class__ is n:
        return make("subtract", x, y.args[0])
    if x.__class__ is n:
        return make("subtract", y, x.args[0])
    w = CLASSES["select"]
    if x.__class__ is w and y.__class__ is w and x.args[0] is y.args[0] and _is(x.args[2], 0) and _is(y.args[1], 0):
        return make("select", x.args[0], x.args[1], y.args[2])  # the two halves of a derivative
    return _like_terms(x, y, 1)


def _like_terms(x: Expression, y: Expression, sign: int) -> Any:
    """k·t ± m·t as (k ± m)·t."""
    m = CLASSES["multiply"]
    k, t = 1, x
    if x.__class__ is m and (a := _number(x.args[0])) is not None:
        k, t = a, x.args[1]
    j, u = 1, y
    if y.__class__ is m and (b := _number(y.args[0])) is not None:
        j, u = b, y.args[1]
    return make("multiply", Const(k + sign * j), t) if t is u and t._d.is_inexact else None


@_rule("subtract")
def _sub(x: Expression, y: Expression) -> Any:
    a, b = _number(x), _number(y)
    if b is not None:
        if not b:
            return x
        if a is not None:
            return _const(a - b)
    if a is not None and not a:
        return make("negative", y)
    if y.__class__ is CLASSES["negative"]:
        return make("add", x, y.args[0])
    return _like_terms(x, y, -1)


@_rule("negative")
def _neg(x: Expression) -> Any:
    a = _number(x)
    if a is not None:
        return Const(-a)
    if x.__class__ is CLASSES["negative"]:
        return x.args[0]
    if x.__class__ is CLASSES["subtract"]:
        return make("subtract", x.args[1], x.args[0])
    if x.__class__ in (CLASSES["multiply"], CLASSES["divide"]) and _number(x.args[0]) is not None:
        return make(x.primitive.name, Const(-_number(x.args[0])), x.args[1])
    return None


@_rule("multiply")
def _mul(x: Expression, y: Expression) -> Any:
    a, b = _number(x), _number(y)
    if b is not None:  # numbers in front
        if a is not None:
            return _const(a * b)
        x, y, a = y, x, b
    if a is not None:
        if a == 1:
            return y
        if not a:
            return Const(0)
        if a == -1:
            return make("negative", y)
        kind = y.__class__
        if kind is CLASSES["multiply"]:
            c = _number(y.args[0])
            if c is not None and (front := _const(a * c)) is not None:
                return make("multiply", front, y.args[1])
        elif kind is CLASSES["negative"]:
            return make("multiply", Const(-a), y.args[0])
        elif kind is CLASSES["divide"] and _number(y.args[0]) is not None:
            front = _const(a * _number(y.args[0]))
            if front is not None:
                return make("divide", front, y.args[1])
        return CLASSES["multiply"]._of((x, y), _NO_ATTRS)
    n, m = CLASSES["negative"], CLASSES["multiply"]
    if x.__class__ is n:
        return (
            make("multiply", x.args[0], y.args[0])
            if y.__class__ is n
            else make("negative", make("multiply", x.args[0], y))
        )
    if y.__class__ is n:
        return make("negative", make("multiply", x, y.args[0]))
    if x.__class__ is m and _number(x.args[0]) is not None:
        return make("multiply", x.args[0], make("multiply", x.args[1], y))
    if y.__class__ is m and _number(y.args[0]) is not None:
        return make("multiply", y.args[0], make("multiply", x, y.args[1]))
    return m._of((y, x), _NO_ATTRS) if _place(y) < _place(x) else None  # one product, however its factors are ordered


def _place(e: Expression) -> int:
    """What products are ordered by: the age of a factor, or of what it is a power of."""
    while e.__class__ is CLASSES["pow"] and e.args[0].__class__ is not Const:
        e = e.args[0]
    return e._n


@_rule("divide")
def _div(x: Expression, y: Expression) -> Any:
    a, b = _number(x), _number(y)
    if b == 1:
        return x
    if b == -1:
        return make("negative", x)
    if a is not None:
        if b:
            if a.__class__ is int and b.__class__ is int:
                d = math.gcd(a, b) * (1 if b > 0 else -1)
                if abs(b) == abs(d):
                    return Const(a // b)
                return make("divide", Const(a // d), Const(b // d)) if d != 1 else None
            return _const(a / b)
        if not a and b is None:
            return Const(0)
        return None
    if x is y:
        return Const(1)
    if x.__class__ is CLASSES["negative"]:
        return make("negative", make("divide", x.args[0], y))
    return None


@_rule("pow")
def _pow(x: Expression, y: Expression) -> Any:
    b = _number(y)
    if b is None or not x._d.is_inexact:
        return None
    if not b:
        return Const(1)
    if b == 1:
        return x
    a = _number(x)
    if a is not None:
        if a.__class__ is int and b.__class__ is int:
            return _const(a**b) if b > 0 and abs(b) * math.log2(abs(a) + 1) < 53 else None
        try:
            v = float(a) ** b
        except (OverflowError, ZeroDivisionError):
            return None
        return _const(v) if v.__class__ is float else None
    return None


@_rule("pow_slope")
def _pow_slope(u: Expression, x: Expression, y: Expression) -> Any:
    """The shorthand written out: u·y·x**(y - 1)."""
    with tidied():
        return make("multiply", u, make("multiply", y, make("pow", x, make("subtract", y, Const(1)))))


@_rule("square")
def _square(x: Expression) -> Any:
    a = _number(x)
    return _const(a * a) if a is not None else None


@_rule("reciprocal")
def _reciprocal(x: Expression) -> Any:
    return make("divide", Const(1), x)


# What these ask about their argument is known where it is a number.
TIDY["xdivy"] = TIDY["quotient"] = lambda x, y: Const(0) if _is(x, 0) else make("divide", x, y) if _number(x) else None
TIDY["divide_no_nan"] = lambda x, y: (
    Const(0) if _is(x, 0) or _is(y, 0) else make("divide", x, y) if _number(y) else None
)
TIDY["multiply_no_nan"] = lambda x, y: Const(0) if _is(y, 0) else make("multiply", x, y) if _number(y) else None
TIDY["xlogy"] = lambda x, y: Const(0) if _is(x, 0) else make("multiply", x, make("log", y)) if _number(x) else None
TIDY["xlog1py"] = lambda x, y: Const(0) if _is(x, 0) else make("multiply", x, make("log1p", y)) if _number(x) else None
TIDY["conj"] = TIDY["real"] = lambda x: x if not x._d.is_complex else None


@_rule("select")
def _select(c: Expression, x: Expression, y: Expression) -> Any:
    if x is y:
        return x
    if c.__class__ is Const:
        return x if c._value else y
    return None


@_rule("relu_grad", "relu6_grad")
def _gated(g: Expression, y: Expression) -> Any:
    return Const(0) if _is(g, 0) else None
