"""The native emitters of elementwise rows and of reductions: tables keyed by the row's name and the kind of its operands.

The kinds are f (float32, float64), i (int32, int64) and b (bool). An emitter takes ``Val``s and the row's attributes, and gives
a ``Val``; it is called for vectors and for scalars alike, and must agree with the row's NumPy kernel: bit for bit for
arithmetic and square roots, else within the bounds of ``mathfn``. Where the kernel would raise, the emitter calls ``fail`` and
goes on with anything: the call ends with the kernel's own error.

The engine is a floor above the table, so its registries go by the rows' names; a test holds them against the complete table.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from .ir import TYPES, Type, Val, where
from .mathfn import MATH, any_lane, by_lanes, copysign, sqrt

# What an element costs, roughly, in nanoseconds: of a few instructions and of a polynomial in vectors of float32, of libm by itself.
FEW, MANY, LIBM = 0.04, 0.5, 20.0


class Emitter(NamedTuple):
    """How the elements of a row are computed.

    Attributes:
        f: values and attributes in, value out.
        cost: nanoseconds for an element.
        can_fail: whether it may call ``fail``.
    """

    f: Callable[..., Val]
    cost: float = FEW
    can_fail: bool = False


EMITTERS: dict[str, dict[str, Emitter]] = {}


def emitter(name: str, kinds: str, f: Callable[..., Val], cost: float = FEW, can_fail: bool = False) -> None:
    """Enter the emitter of row ``name`` for operands of the given kinds."""
    EMITTERS.setdefault(name, {}).update(dict.fromkeys(kinds, Emitter(f, cost, can_fail)))


def emitter_of(name: str, t: Type | None) -> Emitter | None:
    """The emitter of row ``name`` for operands of type ``t``, or None."""
    return EMITTERS.get(name, {}).get(t.kind) if t else None


def fail(c: Val) -> None:
    """Where ``c`` holds in a lane that counts, the kernel would raise."""
    code = c.code
    if code.mask is not None:
        c = c & code.mask
    place = code.failure()
    code.when(any_lane(c), lambda: code.store(code.int(1), place))


# -- arithmetic ----------------------------------------------------------------------------------------------------------


def _add_n(*xs: Val) -> Val:
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    return total


def maximum(x: Val, y: Val) -> Val:
    """NumPy's: the second at a tie, NaN if either is."""
    c = x > y
    return where(c | x.isnan if x.t.kind == "f" else c, x, y)


def minimum(x: Val, y: Val) -> Val:
    """NumPy's: the second at a tie, NaN if either is."""
    c = x < y
    return where(c | x.isnan if x.t.kind == "f" else c, x, y)


def _square(x: Val) -> Val:
    return x * x


def _no_nan(x: Val, y: Val) -> Val:
    zero = y.eq(0)
    return where(zero, 0, x / where(zero, 1, y))


def _sign(x: Val) -> Val:
    if x.t.kind == "f":
        return where(x > 0, x.like(1), where(x < 0, x.like(-1), where(x.eq(0), 0, x)))
    return where(x > 0, x.like(1), where(x < 0, x.like(-1), 0))


emitter("add", "fi", operator.add)
emitter("subtract", "fi", operator.sub)
emitter("multiply", "fi", operator.mul)
emitter("divide", "f", operator.truediv)
emitter("negative", "fi", operator.neg)
emitter("add_n", "fi", _add_n)
emitter("maximum", "fi", maximum)
emitter("minimum", "fi", minimum)
emitter("squared_difference", "fi", lambda x, y: _square(x - y))
emitter("divide_no_nan", "f", _no_nan)
emitter("multiply_no_nan", "f", lambda x, y: where(y.eq(0), 0, x * y))
for _name in ("xdivy", "quotient"):
    emitter(_name, "f", lambda x, y: where(x.eq(0), 0, x / y))
emitter("xlogy", "f", lambda x, y: where(x.eq(0), 0, x * MATH["log"](y)), MANY)
emitter("xlog1py", "f", lambda x, y: where(x.eq(0), 0, x * MATH["log1p"](y)), MANY)
emitter("abs", "f", lambda x: x.intrinsic("fabs"))
emitter("abs", "i", lambda x: where(x < 0, -x, x))
emitter("sign", "fi", _sign)
emitter("square", "fi", _square)
emitter("reciprocal", "f", lambda x: 1 / x)
emitter("sqrt", "f", sqrt)

# -- division with remainder -----------------------------------------------------------------------------------------------


def _divided(x: Val, y: Val) -> tuple[Val, Val, Val]:
    """Integers: the quotient rounded towards zero, the remainder, and the divisor, made 1 where division would trap."""
    zero = y.eq(0)
    fail(zero)
    d = where(zero | y.eq(-1), 1, y)
    q = x / d
    return where(y.eq(-1), -x, q), x - q * d, y


def _int_floordiv(x: Val, y: Val) -> Val:
    q, r, y = _divided(x, y)
    return where(r.ne(0) & ((r < 0) ^ (y < 0)), q - 1, q)


def _int_floormod(x: Val, y: Val) -> Val:
    _, r, y = _divided(x, y)
    return where(r.ne(0) & ((r < 0) ^ (y < 0)), r + y, r)


def _float_floormod(x: Val, y: Val) -> Val:
    r = by_lanes("fmod", x, y)
    other = where((r < 0) ^ (y < 0), r + y, r)
    return where(y.eq(0), r, where(r.eq(0), copysign(r, y), other))


def _float_floordiv(x: Val, y: Val) -> Val:
    r = by_lanes("fmod", x, y)
    q = (x - r) / y
    q = where(r.ne(0) & ((r < 0) ^ (y < 0)), q - 1, q)
    down = q.intrinsic("floor")
    down = where(q - down > 0.5, down + 1, down)
    return where(y.eq(0), x / y, where(q.eq(0), copysign(q.like(0), x / y), down))


emitter("floordiv", "i", _int_floordiv, can_fail=True)
emitter("floormod", "i", _int_floormod, can_fail=True)
emitter("truncatediv", "i", lambda x, y: _divided(x, y)[0], can_fail=True)
emitter("truncatemod", "i", lambda x, y: _divided(x, y)[1], can_fail=True)
emitter("floordiv", "f", _float_floordiv, LIBM)
emitter("floormod", "f", _float_floormod, LIBM)
emitter("truncatemod", "f", lambda x, y: by_lanes("fmod", x, y), LIBM)

# -- powers and functions ----------------------------------------------------------------------------------------------------

# Small whole powers by multiplication: within an ulp of the power, and x² as the kernel has it.
_WHOLE: dict[float, Callable[[Val], Val]] = {
    0: lambda x: x.like(1), 1: lambda x: x, 2: _square, 3: lambda x: x * x * x, -1: lambda x: 1 / x,
}  # fmt: skip


def _pow(x: Val, y: Val) -> Val:
    f = _WHOLE.get(y.const)
    return f(x) if f else MATH["pow"](x, y)


def _int_pow(x: Val, y: Val) -> Val:
    if y.const in (0, 1, 2, 3):
        return _WHOLE[y.const](x)
    code, lanes = x.code, max(x.n, y.n)
    fail(y < 0)
    x, y = x.spread(lanes), y.spread(lanes)

    def bit(i: Val, carried: list[Val]) -> list[Val]:
        r, base, e = carried
        return [where((e & 1).ne(0), r * base, r), base * base, e >> 1]

    return code.loop(0, x.t.bits - 1, 1, [x.like(1), x, y], bit)[0]


emitter("pow", "f", _pow, MANY)
emitter("pow", "i", _int_pow, MANY, can_fail=True)
emitter("pow_slope", "f", lambda u, x, y: u * y * _pow(x, y - 1 if y.const is None else y.like(y.const - 1)), MANY)
for _name in MATH.keys() - {"pow"}:
    emitter(_name, "f", MATH[_name], MANY)
for _name, _intrinsic in {"floor": "floor", "ceil": "ceil", "round": "rint", "rint": "rint", "trunc": "trunc"}.items():
    emitter(_name, "f", lambda x, _i=_intrinsic: x.intrinsic(_i))
emitter("round", "i", lambda x: x)

# -- comparison, logic, bits ---------------------------------------------------------------------------------------------------

emitter("equal", "fib", lambda x, y: x.eq(y))
emitter("not_equal", "fib", lambda x, y: x.ne(y))
emitter("less", "fi", operator.lt)
emitter("less_equal", "fi", operator.le)
emitter("greater", "fi", operator.gt)
emitter("greater_equal", "fi", operator.ge)
emitter("logical_and", "b", operator.and_)
emitter("logical_or", "b", operator.or_)
emitter("logical_xor", "b", operator.xor)
emitter("logical_not", "b", operator.invert)
emitter("is_nan", "f", lambda x: x.isnan)
emitter("is_inf", "f", lambda x: x.intrinsic("fabs").eq(math.inf))
emitter("is_finite", "f", lambda x: x.intrinsic("fabs") < math.inf)
emitter("bitwise_and", "i", operator.and_)
emitter("bitwise_or", "i", operator.or_)
emitter("bitwise_xor", "i", operator.xor)
emitter("invert", "i", operator.invert)


def _in_word(y: Val) -> Val:
    return y.compare("", "ult", y.t.bits)


emitter("left_shift", "i", lambda x, y: where(_in_word(y), x << y, 0))
emitter("right_shift", "i", lambda x, y: x >> where(_in_word(y), y, y.t.bits - 1))
emitter("select", "fib", where)


def _check_numerics(x: Val, *, message: str) -> Val:
    fail(~(x.intrinsic("fabs") < math.inf))
    return x


emitter("check_numerics", "f", _check_numerics, can_fail=True)


def _cast(x: Val, *, dtype: Any, source: Any) -> Val:
    return x.to(TYPES[dtype.name])


emitter("cast", "fib", _cast)
for _name in ("conj", "real"):
    emitter(_name, "fi", lambda x: x)

# -- activations -----------------------------------------------------------------------------------------------------------------

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _relu(x: Val) -> Val:
    return where(x <= 0, 0, x)  # NaN stays


def _below(x: Val) -> Val:
    """min(x, 0)."""
    return minimum(x, x.like(0))


def _one_where(c: Val, t: Val) -> Val:
    return where(c, t.like(1), 0)


def _leaky_slope(y: Val, g: Val, alpha: float) -> Val:
    m = _one_where(y > 0, g)
    return m + alpha * (1 - m)


emitter("relu", "fi", _relu)
emitter("relu_grad", "fi", lambda g, y: g * _one_where(y > 0, g))
emitter("relu6", "fi", lambda x: minimum(_relu(x), x.like(6)))
emitter("relu6_grad", "fi", lambda g, y: g * _one_where((y > 0) & (y < 6), g))
emitter("leaky_relu", "f", lambda x, *, alpha: _relu(x) + alpha * _below(x))
emitter("leaky_relu_grad", "f", lambda g, y, *, alpha: g * _leaky_slope(y, g, alpha))
emitter("elu", "f", lambda x: _relu(x) + MATH["expm1"](_below(x)), MANY)
emitter("selu", "f", lambda x: _SELU_SCALE * _relu(x) + _SELU_SCALE * _SELU_ALPHA * MATH["expm1"](_below(x)), MANY)
emitter("softsign", "f", lambda x: x / (1 + x.intrinsic("fabs")))
emitter("sigmoid_xent", "f", lambda x, z: _relu(x) - x * z + MATH["log1p"](MATH["exp"](-x.intrinsic("fabs"))), MANY)
emitter("keep_where", "f", lambda x, keep: where(keep, x, 0))

# -- reductions ------------------------------------------------------------------------------------------------------------------


class Reducer(NamedTuple):
    """How a reduction folds: the kinds it is for, where it starts, how two parts combine, and what is done with the whole at the end."""

    kinds: str
    start: Callable[[Type], Any]
    combine: Callable[[Val, Val], Val]
    finish: Callable[[Val, int], Val] | None = None


def _least(t: Type) -> Any:
    return -math.inf if t.kind == "f" else -(2 ** (t.bits - 1))


def _greatest(t: Type) -> Any:
    return math.inf if t.kind == "f" else 2 ** (t.bits - 1) - 1


REDUCERS: dict[str, Reducer] = {
    "sum": Reducer("fi", lambda t: 0, operator.add),
    "mean": Reducer("f", lambda t: 0, operator.add, lambda total, n: total / float(n)),
    "prod": Reducer("fi", lambda t: 1, operator.mul),
    "max": Reducer("fi", _least, lambda a, b: maximum(b, a)),
    "min": Reducer("fi", _greatest, lambda a, b: minimum(b, a)),
    "any": Reducer("b", lambda t: 0, operator.or_),
    "all": Reducer("b", lambda t: 1, operator.and_),
}


def reducer_of(name: str, t: Type | None) -> Reducer | None:
    """The reducer of row ``name`` for operands of type ``t``, or None."""
    r = REDUCERS.get(name)
    return r if r and t and t.kind in r.kinds else None


__all__ = [
    "EMITTERS",
    "FEW",
    "REDUCERS",
    "Emitter",
    "Reducer",
    "emitter",
    "emitter_of",
    "fail",
    "maximum",
    "minimum",
    "reducer_of",
]
