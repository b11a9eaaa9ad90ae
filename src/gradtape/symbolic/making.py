"""How expressions come about: by the dispatch, by operators, from numbers.

``apply`` is what ``run`` is for eager tensors. What it makes is looked up first, tidied where that is on, and told to the tapes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ..core.state import state
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..ground.dtypes import DType, bool_, float64, kinds_text
from ..ground.errors import invalid
from ..ground.primitive import Primitive
from .expression import _NO_ATTRS, CLASSES, Const, Expression, Operation, Var, mode, topological

TIDY: dict[str, Callable[..., Any]] = {}  # by the row's name: arguments in, a simpler expression or None out
PASSES = ("identity", "check_numerics")  # rows that give their input
PLAIN = (
    operator.add,
    operator.sub,
    operator.mul,
    operator.neg,
)  # kernels, and their rules, that take Python's numbers and keep them whole


def expression(x: Any) -> Expression:
    """``x`` as an expression: a number becomes a constant.

    Raises:
        TypeError: neither a number nor an expression.
    """
    if isinstance(x, Expression):
        return x
    t = x.__class__
    if t is int or t is float:
        return Const(x)
    if isinstance(x, Fraction):
        return (
            Const(x.numerator)
            if x.denominator == 1
            else CLASSES["divide"]._of((Const(x.numerator), Const(x.denominator)), _NO_ATTRS)
        )  # type: ignore[attr-defined]
    if isinstance(x, Variable):
        raise TypeError(
            f"A tf.Variable ({x.name}) has no place in an expression: use a symbolic.Var and give it the value."
        )
    if isinstance(x, Tensor):
        if x._special:
            raise TypeError(
                f"{x!r} belongs to a traced or batched program and cannot become part of the expression of another."
            )
        if x._shape:
            raise TypeError(f"An expression is a scalar formula and takes no tensor of shape {list(x._shape)}: {x!r}.")
        v = x._a.item()
        if v.__class__ is float and -1e15 < v < 1e15 and v == math.floor(v) and (v or math.copysign(1, v) > 0):
            return Const(int(v))  # rules write 2 * x, and the dispatch makes a float of it
        return Const(v, x._d if x._d.is_integer else None)
    return Const(x)


# -- how expressions are made ------------------------------------------------------------------------------------------------


def class_of(p: Primitive) -> type[Any]:
    """The class of a row's expressions.

    Raises:
        TypeError: the row is not elementwise.
    """
    cls = CLASSES.get(p.name)
    if cls is not None:
        return cls
    if not p.elementwise or p.multi or p.variadic:
        raise TypeError(
            f"{p.name} is no elementwise operation, and an expression is a scalar formula. symbolic.trace(f, ...) takes functions of arrays apart."
        )
    return make_class(p)


def class_of_name(name: str) -> type[Any]:
    """The class of the row called ``name``."""
    from ..primitives import TABLE

    return class_of(TABLE[name])


_SHORT = {"subtract": "Sub", "multiply": "Mul", "divide": "Div", "negative": "Neg"}


def make_class(p: Primitive) -> type[Expression]:
    """A class for a row."""
    name = _SHORT.get(p.name) or "".join(w.capitalize() for w in p.name.split("_"))
    doc = f"{p.doc}\n\n    Args:\n        {', '.join(p.inputs)}: numbers or expressions."
    cls = type(name, (Operation,), {"__slots__": (), "__doc__": doc, "primitive": p, "__module__": "gradtape.symbolic"})
    CLASSES[p.name] = cls
    return cls


def interpret(p: Primitive, xs: tuple, attrs: dict[str, Any]) -> Any:
    """The expression of a row on expressions and numbers: what ``run`` is for eager tensors."""
    name = p.name
    if name in _CONSTANT:
        v = _CONSTANT[name](attrs)
        return Const(
            v, None if isinstance(v, complex) or xs[0]._d is bool_ else xs[0]._d if xs[0]._d.is_integer else None
        )
    if name in PASSES or name in _NO_SHAPE:
        return xs[0]
    args = tuple([x if isinstance(x, Expression) else expression(x) for x in xs])
    if name == "cast":
        return _cast(args[0], attrs["dtype"])
    if name == "pow_slope":  # a shorthand of the rules for what one writes out
        return TIDY[name](*args)
    if name == "add_n":
        total = args[0]
        for x in args[1:]:
            total = apply(CLASSES["add"], (total, x), _NO_ATTRS)
        return total
    return apply(class_of(p), args, attrs)


_CONSTANT: dict[str, Callable[[dict], Any]] = {
    "zeros_like": lambda attrs: 0,
    "ones_like": lambda attrs: 1,
    "full_like": lambda attrs: attrs["value"],
}
_NO_SHAPE = ("reshape", "broadcast_to", "sum", "mean", "sum_to", "transpose")  # do nothing to a scalar


def _cast(x: Expression, d: DType) -> Expression:
    if x._d is d or (x._d.is_floating and d.is_floating):
        return x
    if x._d is bool_ and d.is_floating:
        return apply(CLASSES["select"], (x, Const(1), Const(0)), _NO_ATTRS)
    if isinstance(x, Const):
        return Const(d.np.type(x._value).item(), d if d.is_integer else None)
    raise TypeError(
        f"An expression of dtype {x._d.name} cannot be cast to {d.name}: make its variables of the dtype wanted."
    )


def apply(cls: type[Any], args: tuple, attrs: dict[str, Any]) -> Any:
    """A row's class on expressions: checked, tidied if that is on, and made known to tapes."""
    p = cls.primitive
    d = args[p.like]._d
    if not d.kind & p.accepts or (len(args) > 1 and any([x._d is not d for x in args])):
        args = _aligned(p, args)
    e = None
    if mode.tidy:
        tidy = TIDY.get(p.name)
        if tidy is not None:
            e = tidy(*args, **attrs)
        elif all([x.__class__ is Const for x in args]):
            e = TIDY["*"](cls, args, attrs)
    if e is None:
        e = cls._of(args, attrs)
    tapes = state.tapes
    if tapes:
        for tape in tapes:
            # an expression that was made before is in its records already
            if e._k not in tape._live and e.__class__ is cls:
                tape._record(p, e.args, e, attrs or None)
    return e


def _aligned(p: Primitive, args: tuple) -> tuple:
    """The arguments of one dtype: constants take that of the others."""
    if p.name in ("select", "keep_where"):
        at = 0 if p.name == "select" else 1
        if args[at]._d is not bool_:
            raise invalid(
                f"The condition of {p.name} must be a comparison or another expression of dtype bool, but is {args[at]!r}."
            )
        rest = _of_one_dtype(p, args[:at] + args[at + 1 :])
        return (*rest[:at], args[at], *rest[at:])
    args = _of_one_dtype(p, args)
    if not args[p.like]._d.kind & p.accepts:
        raise invalid(
            f"{p.name} does not take {args[p.like]._d.name} expressions such as {args[p.like]!r}: it is defined for {kinds_text(p.accepts)}."
        )
    return args


def _of_one_dtype(p: Primitive, args: tuple) -> tuple:
    dtypes = {x._d for x in args if x.__class__ is not Const}
    if len(dtypes) > 1:
        raise invalid(
            f"{p.name} takes arguments of one dtype, but got {' and '.join(sorted(d.name for d in dtypes))}: {', '.join(repr(x) for x in args)}."
        )
    if not dtypes:
        return args
    (d,) = dtypes
    if d.is_integer and any([x._d is not d and not isinstance(x._value, int) for x in args if x.__class__ is Const]):
        raise invalid(f"{p.name} of {d.name} expressions takes whole numbers, but got {', '.join(map(str, args))}.")
    as_it_is = (lambda x: x._d is d) if d.is_integer else (lambda x: x._d is float64 or x._d is bool_)
    return tuple(
        [x if x.__class__ is not Const or as_it_is(x) else Const(x._value, d if d.is_integer else None) for x in args]
    )


def rebuilt(roots: list[Expression], leaf: Callable[[Expression], Expression | None]) -> list[Expression]:
    """``roots`` made anew, where ``leaf(e)`` is what takes the place of ``e``, or None."""
    new: dict[int, Expression] = {}
    for e in topological(roots):
        other = leaf(e)
        if other is None and e.args:
            args = tuple([new[id(x)] for x in e.args])
            same = all([x is y for x, y in zip(args, e.args)])
            other = e if same and not mode.tidy else apply(type(e), args, e.attrs)
        new[id(e)] = e if other is None else other
    return [new[id(r)] for r in roots]


# -- operators -----------------------------------------------------------------------------------------------------------------


def _operator(name: str, flip: bool = False) -> Callable[[Any, Any], Any]:
    def method(self: Expression, other: Any) -> Any:
        if other.__class__ is not Const and not isinstance(other, Expression):
            if isinstance(other, np.ndarray) and other.ndim:
                return _over(name, other, self, flip)
            if not isinstance(other, int | float | complex | np.generic | np.ndarray | Tensor | Variable | Fraction):
                return NotImplemented
            other = expression(other)
        return apply(CLASSES[name], (other, self) if flip else (self, other), _NO_ATTRS)

    method.__name__ = name
    return method


def _over(name: str, array: np.ndarray, e: Expression, flip: bool) -> np.ndarray:
    """An operator between an expression and each element of an array: an array of expressions."""
    cls = CLASSES[name]
    f = (
        (lambda x: apply(cls, (expression(x), e), _NO_ATTRS))
        if flip
        else (lambda x: apply(cls, (e, expression(x)), _NO_ATTRS))
    )
    return np.frompyfunc(f, 1, 1)(array)


def _negative(self: Expression) -> Any:
    return apply(CLASSES["negative"], (self,), _NO_ATTRS)


# NumPy's functions of objects call a method of their name: np.sin(x) is x.sin()
_OF_NUMPY = {
    n: n for n in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "expm1", "log", "log1p", "sqrt", "rint")
}
_OF_NUMPY.update({f"arc{n[1:]}": n for n in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")})


def _called(method: str, name: str) -> Callable:
    def call(self: Expression, *others: Any) -> Any:
        return apply(class_of_name(name), (self, *map(expression, others)), _NO_ATTRS)

    call.__name__ = method
    call.__doc__ = f"What ``np.{method}`` calls: the row ``{name}``."
    return call


def install_operators() -> None:
    """Give expressions their operators, which keep whole numbers whole."""
    for method, name in {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "pow", "floordiv": "floordiv", "mod": "floormod"}.items():  # fmt: skip
        setattr(Expression, f"__{method}__", _operator(name))
        setattr(Expression, f"__r{method}__", _operator(name, True))
    for method, name in {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
        setattr(Expression, f"__{method}__", _operator(name))
    for method, name in {"eq": "equal", "ne": "not_equal"}.items():
        compare = _operator(name)

        def structural(self: Expression, other: Any, compare: Any = compare, equal: bool = method == "eq") -> Any:
            if other is None or isinstance(other, str):
                return not equal
            return compare(self, other)

        setattr(Expression, f"__{method}__", structural)
    for method, name in _OF_NUMPY.items():
        setattr(Expression, method, _called(method, name))
    Expression.__neg__ = _negative  # type: ignore[method-assign,assignment]
    Expression.__hash__ = Var.__hash__ = Const.__hash__ = lambda self: id(self) >> 4  # type: ignore[method-assign,assignment]
    Expression._interpret = lambda self, p, xs, attrs: interpret(p, xs, attrs)  # type: ignore[method-assign,assignment]
