"""Dual numbers: forward mode in its smallest form, on plain Python numbers and NumPy arrays.

A dual number a + bε has ε² = 0. Arithmetic on it is arithmetic on values and, in the place of b, the rules of differentiation:

    (a + bε) (c + dε) = ac + (ad + bc) ε                f(a + bε) = f(a) + f'(a) b ε

so a function that is given x + 1ε returns f(x) + f'(x) ε. This file is for reading and teaching, and knows nothing of the rest of gradtape. The functions
here have the names of Python's ``math`` and take plain numbers, arrays and duals alike.

Source: W. Clifford, "Preliminary sketch of biquaternions" (1873); for levels, J. Siskind, B. Pearlmutter, "Perturbation confusion and referential
transparency" (2005).
"""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

PLAIN = (bool, int, float, complex, np.number, np.bool_, np.ndarray)


class Dual:
    """A value with its derivative: a number a + bε with ε² = 0.

    Args:
        value: a Python or NumPy number, an array, or a dual number of a lower level.
        tangent: its derivative with respect to whatever is being moved; by default 0, for a constant.
        level: tells derivatives inside derivatives apart. Where two levels meet, the lower one is a constant of the higher.

    Python's operators and comparisons (of the values), NumPy's functions, and the functions of ``tf.autodiff.dual`` work on it; those of ``math``, which
    would lose the tangent, refuse it.

    >>> import gradtape as tf
    >>> x = tf.autodiff.Dual(3.0, 1.0)
    >>> x * x + 2
    Dual(11.0, 6.0)
    >>> print(x / (1 + x))
    0.75 + 0.0625ε

    NumPy's functions take it, and it may hold arrays:

    >>> import numpy as np
    >>> np.exp(tf.autodiff.Dual(0.0, 2.0))
    Dual(1.0, 2.0)
    >>> tf.autodiff.Dual(np.array([1.0, 2.0]), np.array([1.0, 0.0])) ** 2
    Dual(array([1., 4.]), array([2., 0.]))
    """

    __slots__ = ("level", "tangent", "value")
    value: Any
    tangent: Any
    level: int

    def __init__(self, value: Any, tangent: Any = 0.0, level: int = 0) -> None:
        if not _is_number(value) or not _is_number(tangent):
            raise TypeError(
                f"A dual number holds numbers or NumPy arrays, but was given {value!r} and {tangent!r}: for tensors use tf.autodiff.ForwardAccumulator."
            )
        self.value, self.tangent, self.level = value, tangent, level

    # -- arithmetic ---------------------------------------------------------------------------------------------------
    def __pos__(self) -> Dual:
        return self

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.tangent, self.level)

    def __add__(self, other: Any) -> Any:
        return _binary(self, other, operator.add, lambda x, y, z: 1, lambda x, y, z: 1)

    def __sub__(self, other: Any) -> Any:
        return _binary(self, other, operator.sub, lambda x, y, z: 1, lambda x, y, z: -1)

    def __mul__(self, other: Any) -> Any:
        return _binary(self, other, operator.mul, lambda x, y, z: y, lambda x, y, z: x)

    def __truediv__(self, other: Any) -> Any:
        return _binary(self, other, operator.truediv, lambda x, y, z: 1 / y, lambda x, y, z: -z / y)

    def __mod__(self, other: Any) -> Any:
        return _binary(self, other, operator.mod, lambda x, y, z: 1, lambda x, y, z: -(x // y))

    def __floordiv__(self, other: Any) -> Any:
        return _binary(self, other, operator.floordiv, lambda x, y, z: 0, lambda x, y, z: 0)

    def __pow__(self, other: Any) -> Any:
        return _binary(self, other, operator.pow, _power_slope, lambda x, y, z: z * log(x))

    def __matmul__(self, other: Any) -> Any:
        return _product(self, other)

    def __radd__(self, other: Any) -> Any:
        return _reflected(operator.add, other, self)

    def __rsub__(self, other: Any) -> Any:
        return _reflected(operator.sub, other, self)

    def __rmul__(self, other: Any) -> Any:
        return _reflected(operator.mul, other, self)

    def __rtruediv__(self, other: Any) -> Any:
        return _reflected(operator.truediv, other, self)

    def __rmod__(self, other: Any) -> Any:
        return _reflected(operator.mod, other, self)

    def __rfloordiv__(self, other: Any) -> Any:
        return _reflected(operator.floordiv, other, self)

    def __rpow__(self, other: Any) -> Any:
        return _reflected(operator.pow, other, self)

    def __rmatmul__(self, other: Any) -> Any:
        return _product(other, self)

    def __abs__(self) -> Dual:
        return Dual(abs(self.value), sign(self.value) * self.tangent, self.level)

    # -- values only --------------------------------------------------------------------------------------------------
    def __eq__(self, other: object) -> Any:
        return _plain(self) == _plain(other)

    def __ne__(self, other: object) -> Any:
        return _plain(self) != _plain(other)

    def __lt__(self, other: Any) -> Any:
        return _plain(self) < _plain(other)

    def __le__(self, other: Any) -> Any:
        return _plain(self) <= _plain(other)

    def __gt__(self, other: Any) -> Any:
        return _plain(self) > _plain(other)

    def __ge__(self, other: Any) -> Any:
        return _plain(self) >= _plain(other)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(self.value)

    def __floor__(self) -> int:
        return math.floor(self.value)

    def __ceil__(self) -> int:
        return math.ceil(self.value)

    def __trunc__(self) -> int:
        return math.trunc(self.value)

    def __round__(self, digits: int | None = None) -> Any:
        return round(_plain(self), digits)

    def __float__(self) -> float:
        raise TypeError(
            "A dual number has no float value without losing its tangent: use tf.autodiff.dual.sin or np.sin for math.sin, and x.value for the value."
        )

    def __repr__(self) -> str:
        show = lambda x: f"{x.item()!r}" if isinstance(x, np.generic) else f"{x!r}"
        level = f", level={self.level}" if self.level else ""
        return f"Dual({show(self.value)}, {show(self.tangent)}{level})"

    def __str__(self) -> str:
        nested = lambda x: f"({x})" if isinstance(x, Dual) else f"{x}"
        return f"{nested(self.value)} + {nested(self.tangent)}ε"

    # -- arrays -------------------------------------------------------------------------------------------------------
    shape = property(lambda self: np.shape(self.value), doc="The shape of the value.")
    T = property(lambda self: Dual(self.value.T, np.transpose(_filled(self)), self.level), doc="The transpose.")

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Dual]:
        return iter([self[i] for i in range(len(self.value))])

    def __getitem__(self, key: Any) -> Dual:
        return Dual(self.value[key], _filled(self)[key], self.level)

    def sum(self, axis: Any = None) -> Dual:
        """The sum of an array's elements, along an axis or of all."""
        return Dual(self.value.sum(axis), _filled(self).sum(axis), self.level)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        f = _OF_NUMPY.get(ufunc.__name__)
        if f is None or method != "__call__" or kwargs:
            raise TypeError(f"np.{ufunc.__name__} is not defined for dual numbers.")
        # all of them dual numbers: an array's own operators would come back here
        return f(*[x if isinstance(x, Dual) else Dual(x, 0.0, self.level) for x in inputs])


def _is_number(x: Any) -> bool:
    return isinstance(x, (*PLAIN, Dual))


def _level(x: Any) -> int:
    return x.level if isinstance(x, Dual) else -1


def _plain(x: Any) -> Any:
    """The value, through all levels."""
    while isinstance(x, Dual):
        x = x.value
    return x


def _filled(x: Dual) -> Any:
    """The tangent in the shape of the value."""
    return np.broadcast_to(x.tangent, np.shape(x.value))


def _binary(x: Any, y: Any, f: Callable, dx: Callable, dy: Callable) -> Any:
    """f(x, y) with the derivatives dx and dy, which are functions of x, y and the result."""
    if not _is_number(x) or not _is_number(y):
        return NotImplemented
    level = max(_level(x), _level(y))
    xm, ym = _level(x) == level, _level(y) == level  # what moves at this level
    a, b = x.value if xm else x, y.value if ym else y
    z = f(a, b)
    t: Any = 0.0
    if xm:
        t = dx(a, b, z) * x.tangent
    if ym:
        t = t + dy(a, b, z) * y.tangent if xm else dy(a, b, z) * y.tangent
    return Dual(z, t, level)


def _reflected(f: Callable, x: Any, y: Dual) -> Any:
    return f(Dual(x, 0.0, y.level), y) if isinstance(x, PLAIN) else NotImplemented


def _product(x: Any, y: Any) -> Any:
    """x @ y: the one operation whose derivative is no multiplication by numbers."""
    level = max(_level(x), _level(y))
    xm, ym = _level(x) == level, _level(y) == level
    a, b = x.value if xm else x, y.value if ym else y
    t: Any = 0.0
    if xm:
        t = _filled(x) @ b
    if ym:
        t = t + a @ _filled(y)
    return Dual(a @ b, t, level)


def _power_slope(x: Any, y: Any, z: Any) -> Any:
    """y x**(y - 1), which is 0 for y = 0 also where x is 0."""
    if np.ndim(_plain(y)) == 0 and _plain(y) == 0:
        return 0.0
    return y * x ** (y - 1)


# -- functions --------------------------------------------------------------------------------------------------------------


def _of_plain(name: str, x: Any) -> Any:
    """The function of that name of ``math``, for numbers and arrays."""
    if isinstance(x, np.ndarray | np.generic):
        in_numpy = "arc" + name[1:] if name.startswith("a") else name
        if hasattr(np, in_numpy):
            return getattr(np, in_numpy)(x)
        import scipy.special

        return getattr(scipy.special, {"lgamma": "gammaln", "digamma": "psi"}.get(name, name))(x)
    if isinstance(x, complex):
        return getattr(cmath, name)(x)
    if name == "digamma":
        import scipy.special

        return float(scipy.special.psi(x))
    return math.cbrt(x) if name == "cbrt" else getattr(math, name)(x)


def _function(name: str, slope: Callable) -> Callable:
    """A function of ``math`` with its derivative: ``slope(x, y)`` for y = f(x)."""

    def f(x: Any) -> Any:
        if isinstance(x, Dual):
            y = f(x.value)
            return Dual(y, slope(x.value, y) * x.tangent, x.level)
        return _of_plain(name, x)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"``math.{name}`` for numbers, NumPy arrays and dual numbers."
    return f


sqrt = _function("sqrt", lambda x, y: 0.5 / y)
cbrt = _function("cbrt", lambda x, y: y / (3 * x))
exp = _function("exp", lambda x, y: y)
exp2 = _function("exp2", lambda x, y: y * math.log(2))
expm1 = _function("expm1", lambda x, y: y + 1)
log2 = _function("log2", lambda x, y: 1 / (x * math.log(2)))
log10 = _function("log10", lambda x, y: 1 / (x * math.log(10)))
log1p = _function("log1p", lambda x, y: 1 / (1 + x))
sin: Callable = _function("sin", lambda x, y: cos(x))
cos: Callable = _function("cos", lambda x, y: -sin(x))
tan = _function("tan", lambda x, y: 1 + y * y)
asin = _function("asin", lambda x, y: 1 / sqrt(1 - x * x))
acos = _function("acos", lambda x, y: -1 / sqrt(1 - x * x))
atan = _function("atan", lambda x, y: 1 / (1 + x * x))
sinh: Callable = _function("sinh", lambda x, y: cosh(x))
cosh: Callable = _function("cosh", lambda x, y: sinh(x))
tanh = _function("tanh", lambda x, y: 1 - y * y)
asinh = _function("asinh", lambda x, y: 1 / sqrt(1 + x * x))
acosh = _function("acosh", lambda x, y: 1 / sqrt(x * x - 1))
atanh = _function("atanh", lambda x, y: 1 / (1 - x * x))
erf = _function("erf", lambda x, y: 2 / math.sqrt(math.pi) * exp(-x * x))
erfc = _function("erfc", lambda x, y: -2 / math.sqrt(math.pi) * exp(-x * x))
_digamma = _function("digamma", lambda x, y: _no_derivative("digamma"))
lgamma = _function("lgamma", lambda x, y: _digamma(x))
gamma = _function("gamma", lambda x, y: y * _digamma(x))
_natural = _function("log", lambda x, y: 1 / x)


def _no_derivative(name: str) -> Any:
    raise NotImplementedError(f"Dual numbers do not know the derivative of {name}.")


def log(x: Any, base: Any = None) -> Any:
    """``math.log`` for numbers, NumPy arrays and dual numbers; in any base."""
    return _natural(x) if base is None else _natural(x) / _natural(base)


def pow(x: Any, y: Any) -> Any:
    """x ** y."""
    return x**y


def fabs(x: Any) -> Any:
    """The absolute value; at 0 its derivative is taken for 0."""
    return abs(x)


def sign(x: Any) -> Any:
    """-1, 0 or 1, with derivative 0."""
    if isinstance(x, Dual):
        return Dual(sign(x.value), 0.0 * x.tangent, x.level)
    return np.sign(x) if isinstance(x, np.ndarray | np.generic) else x / abs(x) if x else 0.0


def hypot(*xs: Any) -> Any:
    """The length of the vector of these coordinates."""
    total = xs[0] * xs[0]
    for x in xs[1:]:
        total = total + x * x
    return sqrt(total)


def atan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y)."""
    if not isinstance(x, Dual) and not isinstance(y, Dual):
        return np.arctan2(y, x) if isinstance(x, np.ndarray) or isinstance(y, np.ndarray) else math.atan2(y, x)
    return _binary(y, x, atan2, lambda y, x, z: x / (x * x + y * y), lambda y, x, z: -y / (x * x + y * y))


def where(condition: Any, x: Any, y: Any) -> Any:
    """Elements of x where the condition holds, else of y: a branch, for arrays."""
    level = max(_level(x), _level(y))
    if level < 0:
        return np.where(_plain(condition), x, y)
    parts = [(v.value, _filled(v)) if _level(v) == level else (v, 0.0) for v in (x, y)]
    return Dual(where(condition, parts[0][0], parts[1][0]), where(condition, parts[0][1], parts[1][1]), level)


_level_of_derivative = 0


def derivative(f: Callable, x: Any) -> Any:
    """f'(x), by a dual number. Derivatives of derivatives nest.

    Args:
        f: a function of a number, made of operators and of the functions of this file.
        x: a number, or an array for a function of each element.

    Returns:
        The derivative, of the form of ``f``'s result.

    >>> import gradtape as tf
    >>> dual = tf.autodiff.dual
    >>> dual.derivative(lambda x: x ** 3, 2.0)
    12.0
    >>> dual.derivative(lambda x: dual.derivative(dual.sin, x), 0.0)
    -0.0
    >>> dual.derivative(lambda x: x * dual.derivative(lambda y: x + y, 1.0), 1.0)  # 1, not 2: the levels differ
    1.0
    """
    global _level_of_derivative
    _level_of_derivative += 1
    level = _level_of_derivative
    try:
        one = np.ones_like(x, float) if isinstance(x, np.ndarray) else 1.0
        y = f(Dual(x, one, level))
    finally:
        _level_of_derivative -= 1
    return y.tangent if isinstance(y, Dual) and y.level == level else 0.0 * y


_OF_NUMPY: dict[str, Callable] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv, "true_divide": operator.truediv,
    "floor_divide": operator.floordiv, "remainder": operator.mod, "power": operator.pow, "float_power": operator.pow, "matmul": _product,
    "negative": operator.neg, "positive": operator.pos, "absolute": abs, "fabs": abs, "sign": sign, "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x, "hypot": hypot, "arctan2": atan2, "maximum": lambda x, y: where(_plain(x) >= _plain(y), x, y),
    "minimum": lambda x, y: where(_plain(x) <= _plain(y), x, y), "floor": lambda x: np.floor(_plain(x)), "ceil": lambda x: np.ceil(_plain(x)),
    "equal": operator.eq, "not_equal": operator.ne, "less": operator.lt, "less_equal": operator.le, "greater": operator.gt, "greater_equal": operator.ge,
    "arcsin": asin, "arccos": acos, "arctan": atan, "arcsinh": asinh, "arccosh": acosh, "arctanh": atanh,
    **{f.__name__: f for f in (sqrt, cbrt, exp, exp2, expm1, log, log2, log10, log1p, sin, cos, tan, sinh, cosh, tanh)},
}  # fmt: skip

__all__ = [
    "Dual", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "derivative", "erf", "erfc", "exp", "exp2", "expm1", "fabs",
    "gamma", "hypot", "lgamma", "log", "log10", "log1p", "log2", "pow", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "where",
]  # fmt: skip
