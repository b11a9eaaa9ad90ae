"""Operators and the public elementwise functions: conversion by TensorFlow's rules, then the dispatch.

``binary(p)`` and ``unary(p)`` make the public function of a row; the same function objects are the operator methods of Tensor and
Variable, so that ``x * y`` is one call away from the dispatch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.dtypes import BOOL, DType, bool_, float32, float64, kinds_text
from ..ground.errors import ConversionError, InvalidArgumentError, none_gradient, user_line
from ..ground.primitive import Primitive
from ..primitives import elementwise as ew
from ..primitives.structure import cast
from .dispatch import bind1, bind2
from .tensor import Tensor, convert
from .variable import Variable


def number(d: DType, value: float) -> Tensor:
    """A Python number as a tensor of a float dtype. Such tensors are never shown to users, so they are made once and kept."""
    t = d.numbers.get(value)
    if t is None:
        t = Tensor(d.type(value), d)
        if value and value == value:  # 0.0 and -0.0 are one key, and a NaN is never found again
            if len(d.numbers) >= 256:
                d.numbers.clear()
            d.numbers[value] = t
    return t


def pair(p: Primitive, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """``x`` and ``y`` as tensors of one dtype: a value that is no tensor takes the dtype of the other.

    Raises:
        InvalidArgumentError: both are tensors, of different dtypes.
    """
    tensors = isinstance(x, Tensor | Variable) and isinstance(y, Tensor | Variable)
    given = x, y
    if type(x) is Variable:
        x = x._read()
    if type(y) is Variable:
        y = y._read()
    if isinstance(x, Tensor):
        if not isinstance(y, Tensor):
            t = type(y)
            y = number(x._d, y) if (t is float or t is int) and x._d.is_floating else convert(y, None, x._d)
    elif isinstance(y, Tensor):
        t = type(x)
        x = number(y._d, x) if (t is float or t is int) and y._d.is_floating else convert(x, None, y._d)
    else:
        x = convert(x)
        y = convert(y, None, x._d)
    if x._d is not y._d:
        top = x if x._special > y._special else y
        if top._unites:
            if Variable in map(type, given):
                top._interpret(p, given, {})  # a TypeError: a formula takes no variables of this kind
            return x, y
        raise (InvalidArgumentError if tensors else ConversionError)(
            f"cannot compute {p.tf} as input #1(zero-based) was expected to be a {x._d.name} tensor but is a {y._d.name} tensor: "
            f"both must have one dtype. Convert one of them with tf.cast.{user_line()}"
        )
    return x, y


def binary(p: Primitive) -> Callable:
    """The public function of a row with two inputs."""
    f = bind2(p, lambda x, y: p(*pair(p, x, y)))
    return _named(f, p, "x: a Tensor, or anything that converts to one.\n        y: a Tensor of the same dtype; the shapes must broadcast.",
                  "of the broadcast shape", "InvalidArgumentError: the dtypes differ or are none that it takes, or the shapes do not broadcast.")  # fmt: skip


def unary(p: Primitive) -> Callable:
    """The public function of a row with one input."""

    def slow(x: Any) -> Any:
        return f(x._read()) if type(x) is Variable and x._trace is None else p(convert(x))

    f = bind1(p, slow)
    return _named(
        f,
        p,
        "x: a Tensor, or anything that converts to one.",
        "of the shape of ``x``",
        "InvalidArgumentError: a dtype that it does not take.",
    )


def _named(f: Callable, p: Primitive, args: str, shape: str, raises: str) -> Callable:
    f.__name__ = f.__qualname__ = p.name
    f.__doc__ = f"""{p.doc}

    Args:
        {args} dtypes: {kinds_text(p.accepts)}.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor {shape}.

    Raises:
        {raises}
    """
    f.primitive = p  # type: ignore[attr-defined]
    return f


def truediv(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y, elementwise. Integers are converted first: to float32 if they have 8 or 16 bits, else to float64.

    Args:
        x: a Tensor, or anything that converts to one.
        y: a Tensor of the same dtype; the shapes must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the broadcast shape.

    Raises:
        InvalidArgumentError: the dtypes differ, or the shapes do not broadcast.
    """
    x, y = pair(ew.div, x, y)
    if x._d.is_integer:
        to = float32 if x._d.size <= 2 else float64
        x, y = cast(x, to), cast(y, to)
    return ew.div(x, y)


add, subtract, multiply, pow = binary(ew.add), binary(ew.sub), binary(ew.mul), binary(ew.pow)
floordiv, floormod = binary(ew.floordiv), binary(ew.floormod)
negative, abs = unary(ew.neg), unary(ew.abs)
less, less_equal, greater, greater_equal = (
    binary(ew.less),
    binary(ew.less_equal),
    binary(ew.greater),
    binary(ew.greater_equal),
)
equal, not_equal = binary(ew.equal), binary(ew.not_equal)
logical_and, logical_or, logical_xor, logical_not = (
    binary(ew.logical_and),
    binary(ew.logical_or),
    binary(ew.logical_xor),
    unary(ew.logical_not),
)
bitwise_and, bitwise_or, bitwise_xor, invert = (
    binary(ew.bitwise_and),
    binary(ew.bitwise_or),
    binary(ew.bitwise_xor),
    unary(ew.invert),
)


def _method(p: Primitive, f: Callable) -> Callable:
    """``f`` as an operator method: NotImplemented where the other operand says it knows better."""

    def slow(self: Any, other: Any) -> Any:
        t = type(other)
        if (t is float or t is int) and type(self) is Tensor and self._d.is_floating:
            return f(self, number(self._d, other))
        return NotImplemented if _defers(other) else f(self, other)

    return bind2(p, slow)


def _reflected(f: Callable) -> Callable:
    """``f`` as a reflected operator method."""

    def method(self: Any, other: Any) -> Any:
        t = type(other)
        if (t is float or t is int) and type(self) is Tensor and self._d.is_floating:
            return f(number(self._d, other), self)
        return NotImplemented if _defers(other) else f(other, self)

    return method


_OURS = frozenset([Tensor, Variable, float, int])


def _defers(other: Any) -> bool:
    """Whether ``other`` is of a foreign type with operators of its own that gradtape cannot convert."""
    if type(other) in _OURS:
        return False
    if other is None:
        raise none_gradient("An operator was given None")
    if isinstance(other, Tensor):
        return other._unites  # formulas have their own operators
    return not isinstance(other, Variable | np.ndarray | np.generic | int | float | complex | list | tuple | str | bytes | bool) and not hasattr(
        other, "_to_tensor"
    ) and not hasattr(other, "__array__")  # fmt: skip


def _logical(on_bool: Callable, on_int: Callable) -> Callable:
    def f(x: Any, y: Any) -> Any:
        d = next((v.dtype for v in (x, y) if isinstance(v, Tensor | Variable)), None)
        return on_bool(x, y) if d is not None and d.kind == BOOL else on_int(x, y)

    return f


def _eq(self: Any, other: Any) -> Any:
    return _compare_any(equal, self, other, False)


def _ne(self: Any, other: Any) -> Any:
    return _compare_any(not_equal, self, other, True)


def _compare_any(f: Callable, x: Any, y: Any, otherwise: bool) -> Any:
    """x == y elementwise; where no tensor can be made of ``y`` or the shapes do not broadcast, one answer for all."""
    if y is None:
        return otherwise
    try:
        return f(x, y)
    except (ValueError, TypeError):
        shapes = [v._shape if isinstance(v, Tensor | Variable) else np.shape(v) for v in (x, y)]
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            return Tensor(np.bool_(otherwise), bool_)
        if not isinstance(
            y, Tensor | Variable | np.ndarray | np.generic | int | float | complex | str | bytes | list | tuple
        ):
            return otherwise
        raise


def _compare_dtypes(f: Callable) -> Callable:
    def method(self: Any, other: Any) -> Any:
        if type(other) is float and not self.dtype.is_floating:
            raise TypeError(
                f"Cannot convert {other!r} to a tensor of dtype {self.dtype.name}: compare with an int, or tf.cast the tensor first."
            )
        return f(self, other)

    return method


_OPERATORS: dict[str, Callable] = {
    "__add__": _method(ew.add, add), "__radd__": _reflected(add), "__sub__": _method(ew.sub, subtract), "__rsub__": _reflected(subtract),
    "__mul__": _method(ew.mul, multiply), "__rmul__": _reflected(multiply), "__truediv__": lambda self, y: NotImplemented if _defers(y) else truediv(self, y),
    "__rtruediv__": _reflected(truediv), "__floordiv__": _method(ew.floordiv, floordiv), "__rfloordiv__": _reflected(floordiv),
    "__mod__": _method(ew.floormod, floormod), "__rmod__": _reflected(floormod), "__pow__": _method(ew.pow, pow), "__rpow__": _reflected(pow),
    "__neg__": negative, "__pos__": lambda self: self, "__abs__": abs,
    "__lt__": _compare_dtypes(less), "__le__": _compare_dtypes(less_equal), "__gt__": _compare_dtypes(greater), "__ge__": _compare_dtypes(greater_equal),
    "__eq__": _eq, "__ne__": _ne,
    "__and__": _logical(logical_and, bitwise_and), "__rand__": _reflected(_logical(logical_and, bitwise_and)),
    "__or__": _logical(logical_or, bitwise_or), "__ror__": _reflected(_logical(logical_or, bitwise_or)),
    "__xor__": _logical(logical_xor, bitwise_xor), "__rxor__": _reflected(_logical(logical_xor, bitwise_xor)),
    "__invert__": lambda self: logical_not(self) if self.dtype.kind == BOOL else invert(self),
}  # fmt: skip


def install(methods: dict[str, Callable]) -> None:
    """Give Tensor these methods, and Variable the same on its value."""
    for name, f in methods.items():
        setattr(Tensor, name, f)
        setattr(Variable, name, _on_value(f))


def _on_value(f: Callable) -> Callable:
    def method(self: Variable, *args: Any) -> Any:
        return f(self._read(), *args)

    method.__name__ = f.__name__
    return method


install(_OPERATORS)
