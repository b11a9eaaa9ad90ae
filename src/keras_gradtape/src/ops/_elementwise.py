"""The elementwise functions of ``keras.ops.numpy``: each is a function of gradtape with Keras's rules for dtypes before it."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras.src.backend import config
from keras.src.backend.common import dtypes

import gradtape as tf

from ._promotion import broadcast_shape, common, floating, host, numeric, single
from .core import cast, convert_to_tensor


def _of_floats(f: Callable) -> Callable:
    def op(x: Any) -> Any:
        return f(floating(x))

    return op


def _of_numbers(f: Callable) -> Callable:
    def op(x: Any) -> Any:
        return f(numeric(x))

    return op


def _of_pair(f: Callable, on_bool: Callable | None = None) -> Callable:
    """``f`` of two operands of one dtype; booleans go to ``on_bool``, or become int32."""

    def op(x1: Any, x2: Any) -> Any:
        x1, x2 = common(x1, x2)
        if x1.dtype is tf.bool:
            return on_bool(x1, x2) if on_bool else f(tf.cast(x1, "int32"), tf.cast(x2, "int32"))
        return f(x1, x2)

    return op


def _of_float_pair(f: Callable) -> Callable:
    def op(x1: Any, x2: Any) -> Any:
        return f(*common(x1, x2, also=float))

    return op


def _of_bools(f: Callable) -> Callable:
    def op(x1: Any, x2: Any) -> Any:
        return f(cast(x1, "bool"), cast(x2, "bool"))

    return op


def _of_bits(f: Callable, on_bool: Callable) -> Callable:
    g = _of_pair(f, on_bool)

    def op(x: Any, y: Any) -> Any:
        return g(x, y)

    return op


def _predicate(f: Callable, of_exact: bool) -> Callable:
    """A question about floats; ``of_exact`` is the answer for integers and booleans."""

    def op(x: Any) -> Any:
        x = convert_to_tensor(x)
        return f(x) if x.dtype.is_floating or x.dtype.is_complex else tf.fill(tf.shape(x), of_exact)

    return op


# -- of floats --------------------------------------------------------------------------------------------------------------

arccos = _of_floats(tf.acos)
arccosh = _of_floats(tf.acosh)
arcsin = _of_floats(tf.asin)
arcsinh = _of_floats(tf.asinh)
arctan = _of_floats(tf.atan)
arctanh = _of_floats(tf.atanh)
cos = _of_floats(tf.cos)
cosh = _of_floats(tf.cosh)
sin = _of_floats(tf.sin)
sinh = _of_floats(tf.sinh)
tan = _of_floats(tf.tan)
tanh = _of_floats(tf.tanh)
exp = _of_floats(tf.exp)
expm1 = _of_floats(tf.math.expm1)
log = _of_floats(tf.math.log)
log1p = _of_floats(tf.math.log1p)
sqrt = _of_floats(tf.sqrt)
reciprocal = _of_floats(tf.math.reciprocal)
ceil = _of_floats(tf.math.ceil)
floor = _of_floats(tf.floor)
angle = _of_floats(tf.math.angle)
i0 = _of_floats(tf.math.bessel_i0)
exp2 = _of_floats(single(lambda x: tf.exp(x * math.log(2.0))))
log2 = _of_floats(single(lambda x: tf.math.log(x) / math.log(2.0)))
log10 = _of_floats(single(lambda x: tf.math.log(x) / math.log(10.0)))
cbrt = _of_floats(single(lambda x: tf.sign(x) * tf.pow(tf.abs(x), 1.0 / 3.0)))
deg2rad = _of_floats(single(lambda x: x * (math.pi / 180.0)))
rad2deg = _of_floats(single(lambda x: x * (180.0 / math.pi)))


def _sinc(x: Any) -> Any:
    t = math.pi * x
    small = tf.abs(t) < 1e-2
    safe = tf.where(small, tf.ones_like(t), t)
    return tf.where(
        small, 1.0 - t * t / 6.0 * (1.0 - t * t / 20.0), tf.sin(safe) / safe
    )  # the series has the derivatives at 0 too


sinc = _of_floats(single(_sinc))


def fabs(x: Any) -> Any:
    """The absolute value, as a float."""
    return tf.abs(floating(x))


# -- of numbers, kept in their dtype --------------------------------------------------------------------------------------------

negative = _of_numbers(tf.negative)
sign = _of_numbers(tf.sign)
square = _of_numbers(tf.square)


def absolute(x: Any) -> Any:
    """The absolute value."""
    x = convert_to_tensor(x)
    return x if x.dtype is tf.bool or x.dtype.is_unsigned else tf.abs(x)


def abs(x: Any) -> Any:
    """The absolute value."""
    return absolute(x)


def conjugate(x: Any) -> Any:
    """The complex conjugate."""
    x = convert_to_tensor(x)
    return tf.math.conj(x) if x.dtype.is_complex else x


def conj(x: Any) -> Any:
    """The complex conjugate."""
    return conjugate(x)


def real(x: Any) -> Any:
    """The real part."""
    x = convert_to_tensor(x)
    return tf.math.real(x) if x.dtype.is_complex else x


def imag(x: Any) -> Any:
    """The imaginary part."""
    x = convert_to_tensor(x)
    return tf.math.imag(x) if x.dtype.is_complex else tf.zeros_like(x)


def copy(x: Any) -> Any:
    """A tensor of the same value."""
    return tf.identity(convert_to_tensor(x))


def round(x: Any, decimals: int = 0) -> Any:
    """The nearest numbers of so many decimals, halves to even."""
    x = numeric(x)
    if not x.dtype.is_floating:
        if decimals >= 0:
            return x
        factor = 10.0**-decimals
        return cast(tf.round(tf.cast(x, "float64") / factor) * factor, x.dtype.name)
    if decimals == 0:
        return tf.round(x)
    factor = 10.0 ** builtins.abs(decimals)
    return tf.round(x * factor) / factor if decimals > 0 else tf.round(x / factor) * factor


def trunc(x: Any) -> Any:
    """The integer part, towards zero."""
    x = convert_to_tensor(x)
    return tf.where(x < 0, tf.math.ceil(x), tf.floor(x)) if x.dtype.is_floating else x


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """``x`` with numbers in place of NaN and the infinities."""
    x = convert_to_tensor(x)
    if not x.dtype.is_floating:
        return x
    high = x.dtype.max if posinf is None else posinf
    low = x.dtype.min if neginf is None else neginf
    infinite = tf.where(x > 0, tf.constant(high, x.dtype), tf.constant(low, x.dtype))
    return tf.where(tf.math.is_nan(x), tf.constant(nan, x.dtype), tf.where(tf.math.is_inf(x), infinite, x))


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """``x`` kept between two bounds, either of which may be None."""
    given = [v for v in (x_min, x_max) if v is not None]
    x, *bounds = common(numeric(x), *given)
    if len(bounds) == 2:
        return tf.minimum(tf.maximum(x, bounds[0]), bounds[1])
    return x if not bounds else tf.maximum(x, bounds[0]) if x_max is None else tf.minimum(x, bounds[0])


# -- of two -------------------------------------------------------------------------------------------------------------------

add = _of_pair(tf.add, tf.logical_or)
subtract = _of_pair(tf.subtract)
multiply = _of_pair(tf.multiply, tf.logical_and)
maximum = _of_pair(tf.maximum, tf.logical_or)
minimum = _of_pair(tf.minimum, tf.logical_and)
power = _of_pair(tf.pow)
mod = _of_pair(tf.math.floormod)
fmod = _of_pair(tf.truncatemod)
floor_divide = _of_pair(tf.math.floordiv)

divide = _of_float_pair(tf.realdiv)
divide_no_nan = _of_float_pair(tf.math.divide_no_nan)
arctan2 = _of_float_pair(tf.atan2)
heaviside = _of_float_pair(
    lambda x, at0: tf.where(tf.math.is_nan(x), x, tf.where(x == 0, at0, tf.cast(x > 0, x.dtype)))
)


def true_divide(x1: Any, x2: Any) -> Any:
    """``x1 / x2``."""
    return divide(x1, x2)


def _ignoring_nan(f: Callable) -> Callable:
    def g(x: Any, y: Any) -> Any:
        if not x.dtype.is_floating:
            return f(x, y)
        return tf.where(tf.math.is_nan(x), y, tf.where(tf.math.is_nan(y), x, f(x, y)))

    return g


fmax = _of_pair(_ignoring_nan(tf.maximum), tf.logical_or)
fmin = _of_pair(_ignoring_nan(tf.minimum), tf.logical_and)


def _hypot(x: Any, y: Any) -> Any:
    x, y = tf.abs(x), tf.abs(y)
    high, low = tf.maximum(x, y), tf.minimum(x, y)
    plain = (high > 0) & tf.math.is_finite(high)
    safe = tf.where(plain, high, tf.ones_like(high))
    return tf.where(plain, high * tf.sqrt(1.0 + tf.square(low / safe)), high)


def _logaddexp(x: Any, y: Any) -> Any:
    apart = tf.where(x == y, tf.zeros_like(x), x - y)  # also of equal infinities
    return tf.maximum(x, y) + tf.math.log1p(tf.exp(-tf.abs(apart)))


hypot = _of_float_pair(_hypot)
logaddexp = _of_float_pair(_logaddexp)
logaddexp2 = _of_float_pair(lambda x, y: _logaddexp(x * math.log(2.0), y * math.log(2.0)) / math.log(2.0))


def ldexp(x1: Any, x2: Any) -> Any:
    """``x1 * 2**x2``."""
    x1, x2 = floating(x1), convert_to_tensor(x2)
    if x2.dtype.name not in dtypes.INT_TYPES:
        raise TypeError(f"ldexp exponent must be an integer type. Received: x2 dtype={x2.dtype.name}")
    half = x2 // 2  # in two steps, so that a small number may become a large one
    two = tf.constant(2.0, x1.dtype)
    return x1 * tf.pow(two, tf.cast(half, x1.dtype)) * tf.pow(two, tf.cast(x2 - half, x1.dtype))


@_of_float_pair
def nextafter(x: Any, y: Any) -> Any:
    """The next number of the dtype after ``x`` in the direction of ``y``."""
    return tf.math.nextafter(x, y) if x.dtype.size > 2 else host(np.nextafter, [x, y], (broadcast_shape(x, y), x.dtype))


@_of_pair
def gcd(x: Any, y: Any) -> Any:
    """The greatest common divisor."""
    return host(np.gcd, [x, y], (broadcast_shape(x, y), x.dtype))


@_of_pair
def lcm(x: Any, y: Any) -> Any:
    """The least common multiple."""
    return host(np.lcm, [x, y], (broadcast_shape(x, y), x.dtype))


# -- comparisons and logic --------------------------------------------------------------------------------------------------------

equal = _of_pair(tf.equal, tf.equal)
not_equal = _of_pair(tf.not_equal, tf.not_equal)
less = _of_pair(tf.less)
less_equal = _of_pair(tf.less_equal)
greater = _of_pair(tf.greater)
greater_equal = _of_pair(tf.greater_equal)
logical_and = _of_bools(tf.logical_and)
logical_or = _of_bools(tf.logical_or)
logical_xor = _of_bools(tf.math.logical_xor)
isfinite = _predicate(tf.math.is_finite, True)
isinf = _predicate(tf.math.is_inf, False)
isnan = _predicate(tf.math.is_nan, False)
isposinf = _predicate(lambda x: x == math.inf, False)
isneginf = _predicate(lambda x: x == -math.inf, False)
isreal = _predicate(lambda x: tf.math.imag(x) == 0 if x.dtype.is_complex else tf.fill(tf.shape(x), True), True)


def logical_not(x: Any) -> Any:
    """Not ``x``."""
    return tf.logical_not(cast(x, "bool"))


def signbit(x: Any) -> Any:
    """Whether the sign bit is set: of -0.0 too."""
    x = convert_to_tensor(x)
    if x.dtype.is_floating:
        x = tf.bitcast(x, f"int{8 * x.dtype.size}")
    return tf.fill(tf.shape(x), False) if x.dtype is tf.bool or x.dtype.is_unsigned else x < 0


def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether ``|x1 - x2| <= atol + rtol |x2|``."""
    x1, x2 = common(x1, x2, also=float)
    near = tf.math.is_finite(x1) & tf.math.is_finite(x2) & (tf.abs(x1 - x2) <= atol + rtol * tf.abs(x2))
    near = near | (x1 == x2)
    return near | (tf.math.is_nan(x1) & tf.math.is_nan(x2)) if equal_nan else near


# -- bits -------------------------------------------------------------------------------------------------------------------------

bitwise_and = _of_bits(tf.bitwise.bitwise_and, tf.logical_and)
bitwise_or = _of_bits(tf.bitwise.bitwise_or, tf.logical_or)
bitwise_xor = _of_bits(tf.bitwise.bitwise_xor, tf.math.logical_xor)
_left, _right = _of_pair(tf.bitwise.left_shift), _of_pair(tf.bitwise.right_shift)


def bitwise_invert(x: Any) -> Any:
    """The bits turned over."""
    x = convert_to_tensor(x)
    return tf.logical_not(x) if x.dtype is tf.bool else tf.bitwise.invert(x)


def bitwise_not(x: Any) -> Any:
    """The bits turned over."""
    return bitwise_invert(x)


def bitwise_left_shift(x: Any, y: Any) -> Any:
    """``x << y``."""
    return _left(x, y)


def left_shift(x: Any, y: Any) -> Any:
    """``x << y``."""
    return _left(x, y)


def bitwise_right_shift(x: Any, y: Any) -> Any:
    """``x >> y``."""
    return _right(x, y)


def right_shift(x: Any, y: Any) -> Any:
    """``x >> y``."""
    return _right(x, y)


# -- windows ------------------------------------------------------------------------------------------------------------------


def _window(f: Callable) -> Callable:
    def op(x: Any) -> Any:
        return host(lambda n: f(int(n)), [convert_to_tensor(x)], ([None], config.floatx()))

    return op


bartlett, blackman, hamming, hanning = (
    _window(np.bartlett),
    _window(np.blackman),
    _window(np.hamming),
    _window(np.hanning),
)


def kaiser(x: Any, beta: Any) -> Any:
    """The Kaiser window of ``x`` points."""
    return host(
        lambda n, b: np.kaiser(int(n), float(b)),
        [convert_to_tensor(x), convert_to_tensor(beta)],
        ([None], config.floatx()),
    )
