"""What the operations mean, written without NumPy's functions: with Python's own numbers, ``math``, ``fractions``, and index by index.

``BY_NAME`` holds a function of a row's arrays and attributes for rows that have one here. A row need not be in it, and a
definition may say NotImplemented for arguments that it does not cover.
"""

from __future__ import annotations

import cmath
import math
import statistics
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np


def array(a: Any) -> np.ndarray:
    """The array of an array or scalar; of ``bytes``, one of objects."""
    return np.asarray(a, object if isinstance(a, bytes) else None)


# -- one number at a time ---------------------------------------------------------------------------------------------------


def elementwise(f: Callable) -> Callable:
    """The function of arrays that applies ``f`` to Python numbers at each index of the broadcast shape."""

    def on_arrays(*arrays: Any, **attrs: Any) -> Any:
        arrays = np.broadcast_arrays(*map(array, arrays))
        out = [
            f(*[a[at] if a.dtype.kind == "O" else a[at].item() for a in arrays], **attrs)
            for at in np.ndindex(arrays[0].shape)
        ]
        if NotImplemented in out:
            return NotImplemented
        like = arrays[-1].dtype
        kind = type(out[0]) if out else None
        dtype = like if not out or kind is bytes or (kind is int and like.kind in "iu") else kind
        return np.array(out, dtype).reshape(arrays[0].shape)

    return on_arrays


def by_kind(name: str) -> Callable:
    """The function of that name from ``math`` for real numbers, from ``cmath`` for complex ones."""
    return lambda x: (getattr(cmath, name) if isinstance(x, complex) else getattr(math, name))(x)


def exactly(f: Callable) -> Callable:
    """``f`` on fractions, rounded once at the end; on complex numbers plainly."""

    def rounded(*xs: Any) -> Any:
        if any(isinstance(x, complex) for x in xs):
            return f(*xs)
        value = f(*map(Fraction, xs))
        return int(value) if all(isinstance(x, int) for x in xs) else float(value)

    return rounded


def _erfinv(y: float) -> float:
    x = statistics.NormalDist().inv_cdf((y + 1) / 2) / math.sqrt(2)
    for _ in range(2):  # Newton
        x -= (math.erf(x) - y) * math.sqrt(math.pi) / 2 * math.exp(x * x)
    return x


_BERNOULLI = [
    Fraction(1, 6),
    Fraction(-1, 30),
    Fraction(1, 42),
    Fraction(-1, 30),
    Fraction(5, 66),
    Fraction(-691, 2730),
    Fraction(7, 6),
]


def _polygamma(x: float, n: int = 0) -> float:
    """Recurrence up to x >= 20, then the asymptotic series (Abramowitz & Stegun 6.3.18, 6.4.11)."""
    sign = 1.0 if n % 2 else -1.0
    terms = []
    while x < 20:
        terms.append(sign * math.factorial(n) / x ** (n + 1))
        x += 1
    if n == 0:
        terms += [math.log(x), -0.5 / x] + [-float(b) / (2 * k * x ** (2 * k)) for k, b in enumerate(_BERNOULLI, 1)]
    else:
        terms += [sign * math.factorial(n - 1) / x**n, sign * math.factorial(n) / (2 * x ** (n + 1))]
        terms += [
            sign * float(b) * math.factorial(2 * k + n - 1) / (math.factorial(2 * k) * x ** (2 * k + n))
            for k, b in enumerate(_BERNOULLI, 1)
        ]
    return math.fsum(terms)


def _power(x: Any, y: Any) -> Any:
    return x**y if isinstance(x, int | complex) else math.pow(x, y)


def _sign(x: Any) -> Any:
    return x / abs(x) if isinstance(x, complex) else type(x)((x > 0) - (x < 0))


def _truncated(x: Fraction, y: Fraction) -> int:
    return math.trunc(x / y)


def _guarded(f: Callable, zero_if: Callable) -> Callable:
    return lambda x, y: type(x)(0) if zero_if(x, y) else f(x, y)


def _logistic(x: Any) -> Any:
    return 1 / (1 + by_kind("exp")(-x))


def _gelu(x: float, approximate: bool) -> float:
    if approximate:
        return x * _logistic(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return x * statistics.NormalDist().cdf(x)


ELEMENTWISE: dict[str, Callable] = {
    "add": exactly(lambda x, y: x + y),
    "subtract": exactly(lambda x, y: x - y),
    "multiply": exactly(lambda x, y: x * y),
    "divide": exactly(lambda x, y: x / y),
    "negative": exactly(lambda x: -x),
    "floordiv": exactly(lambda x, y: math.floor(x / y)),
    "floormod": exactly(lambda x, y: x - y * math.floor(x / y)),
    "truncatemod": exactly(lambda x, y: x - y * _truncated(x, y)),
    "truncatediv": exactly(_truncated),
    "maximum": lambda x, y: x if x > y else y,
    "minimum": lambda x, y: x if x < y else y,
    "squared_difference": exactly(lambda x, y: (x - y) * (x - y).conjugate()),
    "divide_no_nan": _guarded(lambda x, y: x / y, lambda x, y: y == 0),
    "multiply_no_nan": _guarded(lambda x, y: x * y, lambda x, y: y == 0),
    "xdivy": _guarded(lambda x, y: x / y, lambda x, y: x == 0),
    "quotient": _guarded(lambda x, y: x / y, lambda x, y: x == 0),
    "xlogy": _guarded(lambda x, y: x * by_kind("log")(y), lambda x, y: x == 0),
    "xlog1py": _guarded(
        lambda x, y: x * (cmath.log(1 + y) if isinstance(y, complex) else math.log1p(y)), lambda x, y: x == 0
    ),
    "abs": abs,
    "sign": _sign,
    "square": exactly(lambda x: x * x),
    "reciprocal": exactly(lambda x: 1 / x),
    "sqrt": by_kind("sqrt"),
    "rsqrt": lambda x: 1 / by_kind("sqrt")(x),
    "pow": _power,
    "exp": by_kind("exp"),
    "expm1": lambda x: cmath.exp(x) - 1 if isinstance(x, complex) else math.expm1(x),
    "log": by_kind("log"),
    "log1p": lambda x: cmath.log(1 + x) if isinstance(x, complex) else math.log1p(x),
    "sigmoid": _logistic,
    "softplus": lambda x: math.log1p(math.exp(x)),
    **{
        name: by_kind(name)
        for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh")
    },
    "atan2": math.atan2,
    "erf": math.erf,
    "erfc": math.erfc,
    "erfinv": _erfinv,
    "ndtri": statistics.NormalDist().inv_cdf,
    "lgamma": math.lgamma,
    "digamma": _polygamma,
    "polygamma": _polygamma,
    "floor": lambda x: float(math.floor(x)),
    "ceil": lambda x: float(math.ceil(x)),
    "round": lambda x: type(x)(round(x)),
    "trunc": lambda x: float(math.trunc(x)),
    "equal": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
    "logical_and": lambda x, y: x and y,
    "logical_or": lambda x, y: x or y,
    "logical_xor": lambda x, y: x != y,
    "logical_not": lambda x: not x,
    "is_nan": lambda x: x != x,
    "is_inf": lambda x: cmath.isinf(x),
    "is_finite": lambda x: cmath.isfinite(x),
    "bitwise_and": lambda x, y: x & y,
    "bitwise_or": lambda x, y: x | y,
    "bitwise_xor": lambda x, y: x ^ y,
    "invert": lambda x: ~x,
    "left_shift": lambda x, y: x << y,
    "right_shift": lambda x, y: x >> y,
    "select": lambda c, x, y: x if c else y,
    "conj": lambda x: x.conjugate(),
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "complex": lambda x, y: complex(x, y),
    "angle": cmath.phase,
    "rint": lambda x: float(round(x)),
    "pow_slope": lambda u, x, y: u * y * _power(x, y - 1),
    "relu": lambda x: max(x, type(x)(0)),
    "relu_grad": lambda g, y: g if y > 0 else type(g)(0),
    "relu6": lambda x: min(max(x, type(x)(0)), type(x)(6)),
    "relu6_grad": lambda g, y: g if 0 < y < 6 else type(g)(0),
    "leaky_relu": lambda x, alpha: x if x > 0 else alpha * x,
    "leaky_relu_grad": lambda g, y, alpha: g if y > 0 else alpha * g,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "gelu": _gelu,
    "sigmoid_xent": lambda x, z: -z * math.log(_logistic(x)) - (1 - z) * math.log(_logistic(-x)),
    "identity": lambda x: x,
    "stop_gradient": lambda x: x,
    "zeros_like": lambda x: type(x)(0),
    "ones_like": lambda x: type(x)(1),
}

# -- index by index ---------------------------------------------------------------------------------------------------------


def indexed(shape: Sequence[int], element: Callable, dtype: Any) -> np.ndarray:
    """The array whose element at index ``at`` is ``element(at)``."""
    out = np.empty(tuple(shape), dtype)
    for at in np.ndindex(*shape):
        out[at] = element(at)
    return out


def reducing(f: Callable, dtype: Any = None) -> Callable:
    """``f`` on the list of Python numbers that fall together when the axes go."""

    def on_array(x: Any, *, axis: tuple, keepdims: bool) -> Any:
        x = array(x)
        kept = [i for i in range(x.ndim) if i not in axis]
        gone = [x.shape[i] for i in axis]

        def element(at: tuple) -> Any:
            where = dict(zip(kept, at, strict=True))
            return f(
                [
                    x[tuple((where | dict(zip(axis, b, strict=True)))[i] for i in range(x.ndim))].item()
                    for b in np.ndindex(*gone)
                ]
            )

        out = indexed([x.shape[i] for i in kept], element, dtype or x.dtype)
        return out.reshape([1 if i in axis else d for i, d in enumerate(x.shape)]) if keepdims else out

    return on_array


def _total(xs: list) -> Any:
    if any(isinstance(x, complex) for x in xs):
        return complex(math.fsum(x.real for x in xs), math.fsum(x.imag for x in xs))
    return sum(xs) if all(isinstance(x, int) for x in xs) else math.fsum(xs)


def _average(xs: list) -> Any:
    if all(isinstance(x, int) for x in xs):
        return _truncated(_total(xs), len(xs))
    return _total(xs) / len(xs) if xs else math.nan


def _position(best: Callable) -> Callable:
    def on_array(x: Any, *, axis: int) -> Any:
        lines = reducing(lambda xs: xs.index(best(xs)), np.int64)
        return lines(x, axis=(axis,), keepdims=False)

    return on_array


def _running(f: Callable, empty: int) -> Callable:
    def on_array(x: Any, *, axis: int, exclusive: bool, reverse: bool) -> Any:
        def element(at: tuple) -> Any:
            here = at[axis]
            span = range(here + exclusive, x.shape[axis]) if reverse else range(here + (not exclusive))
            return f([x[(*at[:axis], i, *at[axis + 1 :])].item() for i in span]) if span else empty

        return indexed(x.shape, element, x.dtype)

    return on_array


def _reshape(x: Any, *, shape: tuple) -> Any:
    flat = [array(x)[at] for at in np.ndindex(np.shape(x))]
    it = iter(flat)
    return indexed(shape, lambda at: next(it), array(x).dtype)


def _transpose(x: Any, *, perm: tuple) -> Any:
    x = array(x)
    return indexed([x.shape[q] for q in perm], lambda at: x[tuple(at[perm.index(i)] for i in range(x.ndim))], x.dtype)


def _broadcast_to(x: Any, *, shape: tuple) -> Any:
    x = array(x)
    lead = len(shape) - x.ndim
    return indexed(
        shape, lambda at: x[tuple(0 if d == 1 else i for i, d in zip(at[lead:], x.shape, strict=True))], x.dtype
    )


def _reverse(x: Any, *, axis: tuple) -> Any:
    return indexed(
        x.shape, lambda at: x[tuple(x.shape[k] - 1 - i if k in axis else i for k, i in enumerate(at))], x.dtype
    )


def _roll(x: Any, *, shift: tuple, axis: tuple) -> Any:
    by = {a: sum(s for s, b in zip(shift, axis, strict=True) if a == b) for a in axis}
    return indexed(x.shape, lambda at: x[tuple((i - by.get(k, 0)) % x.shape[k] for k, i in enumerate(at))], x.dtype)


def _concat(*xs: Any, axis: int) -> Any:
    origin = [(j, i) for j, x in enumerate(xs) for i in range(x.shape[axis])]
    shape = [len(origin) if k == axis else d for k, d in enumerate(xs[0].shape)]

    def element(at: tuple) -> Any:
        j, i = origin[at[axis]]
        return xs[j][(*at[:axis], i, *at[axis + 1 :])]

    return indexed(shape, element, xs[0].dtype)


def _stack(*xs: Any, axis: int) -> Any:
    s = np.shape(xs[0])
    return indexed(
        (*s[:axis], len(xs), *s[axis:]), lambda at: array(xs[at[axis]])[at[:axis] + at[axis + 1 :]], array(xs[0]).dtype
    )


def _unstack(x: Any, *, axis: int) -> tuple:
    s = x.shape
    return tuple(
        indexed(s[:axis] + s[axis + 1 :], lambda at, i=i: x[(*at[:axis], i, *at[axis:])], x.dtype)
        for i in range(s[axis])
    )


def _split(x: Any, *, sizes: tuple, axis: int) -> tuple:
    def part(start: int, n: int) -> np.ndarray:
        shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
        return indexed(shape, lambda at: x[(*at[:axis], at[axis] + start, *at[axis + 1 :])], x.dtype)

    return tuple(part(sum(sizes[:k]), n) for k, n in enumerate(sizes))


def _pad(x: Any, *, paddings: tuple, value: float) -> Any:
    def element(at: tuple) -> Any:
        inside = tuple(i - a for i, (a, _) in zip(at, paddings, strict=True))
        outside = b"" if x.dtype.kind == "O" else value
        return x[inside] if all(0 <= i < d for i, d in zip(inside, x.shape, strict=True)) else outside

    return indexed([d + a + b for d, (a, b) in zip(x.shape, paddings, strict=True)], element, x.dtype)


def _matmul(x: Any, y: Any, *, transpose_x: bool = False, transpose_y: bool = False) -> Any:
    x, y = _transposed(x) if transpose_x else x, _transposed(y) if transpose_y else y
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = _broadcast_to(x, shape=batch + x.shape[-2:]), _broadcast_to(y, shape=batch + y.shape[-2:])

    def element(at: tuple) -> Any:
        *b, i, j = at
        return _total([x[(*b, i, k)].item() * y[(*b, k, j)].item() for k in range(x.shape[-1])])

    return indexed((*batch, x.shape[-2], y.shape[-1]), element, x.dtype)


def _transposed(x: Any) -> Any:
    return _transpose(x, perm=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _repeat(x: Any, *, repeats: Any, axis: int) -> Any:
    counts = [repeats] * x.shape[axis] if isinstance(repeats, int) else repeats
    origin = [i for i, n in enumerate(counts) for _ in range(n)]
    shape = [len(origin) if k == axis else d for k, d in enumerate(x.shape)]
    return indexed(shape, lambda at: x[(*at[:axis], origin[at[axis]], *at[axis + 1 :])], x.dtype)


def _sum_repeats(g: Any, *, n: int, repeats: Any, axis: int) -> Any:
    counts = [repeats] * n if isinstance(repeats, int) else repeats
    origin = [i for i, m in enumerate(counts) for _ in range(m)]
    shape = [n if k == axis else d for k, d in enumerate(g.shape)]
    return indexed(
        shape,
        lambda at: _total([g[(*at[:axis], j, *at[axis + 1 :])].item() for j, i in enumerate(origin) if i == at[axis]]),
        g.dtype,
    )


def _sliced(shape: Sequence[int], index: tuple) -> tuple[list[int], Callable]:
    """The shape of ``x[index]``, and the index in ``x`` of each of its elements."""
    out, places, axis = [], [], 0
    for i in index:
        if i is None:
            out.append(1)
            continue
        if isinstance(i, slice):
            chosen = range(*i.indices(shape[axis]))
            places.append((len(out), chosen))
            out.append(len(chosen))
        else:
            places.append((None, [range(shape[axis])[i]]))
        axis += 1
    for d in shape[axis:]:
        places.append((len(out), range(d)))
        out.append(d)
    return out, lambda at: tuple(chosen[0 if k is None else at[k]] for k, chosen in places)


def _strided_slice(x: Any, *, index: tuple) -> Any:
    x = array(x)
    shape, origin = _sliced(x.shape, index)
    return indexed(shape, lambda at: x[origin(at)], x.dtype)


def _unslice(g: Any, *, shape: tuple, index: tuple) -> Any:
    g = array(g)
    out = indexed(shape, lambda at: b"" if g.dtype.kind == "O" else 0, g.dtype)
    _, origin = _sliced(shape, index)
    for at in np.ndindex(g.shape):
        out[origin(at)] = g[at]
    return out


def _cast(x: Any, *, dtype: Any, source: Any) -> Any:
    if dtype.is_bool:
        return elementwise(lambda v: v != 0)(x)
    convert = complex if dtype.is_complex else int if dtype.is_integer else float
    return elementwise(lambda v: convert(v.real if isinstance(v, complex) and convert is not complex else v))(x).astype(
        dtype.np
    )


def _product(xs: list) -> Any:
    return math.prod(xs) if any(isinstance(x, complex | int) for x in xs) else float(math.prod(map(Fraction, xs)))


BY_NAME: dict[str, Callable] = {name: elementwise(f) for name, f in ELEMENTWISE.items()} | {
    "sum": reducing(_total),
    "mean": reducing(_average),
    "prod": reducing(_product),
    "max": reducing(lambda xs: max(xs, default=-math.inf)),
    "min": reducing(lambda xs: min(xs, default=math.inf)),
    "logsumexp": reducing(lambda xs: math.log(math.fsum(map(math.exp, xs))) if xs else -math.inf),
    "any": reducing(any),
    "all": reducing(all),
    "argmax": _position(max),
    "argmin": _position(min),
    "cumulative_logsumexp": _running(lambda xs: math.log(math.fsum(map(math.exp, xs))), -math.inf),
    "add_n": lambda *xs: elementwise(lambda *vs: _total(list(vs)))(*xs),
    "l2_loss": lambda x: np.float64(math.fsum(v * v for v in np.ravel(x).tolist()) / 2),
    "repeat": _repeat,
    "sum_repeats": _sum_repeats,
    "strided_slice": _strided_slice,
    "unslice": _unslice,
    "cast": _cast,
    "matmul": _matmul,
    "cumsum": _running(_total, 0),
    "cumprod": _running(_product, 1),
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "reverse": _reverse,
    "roll": _roll,
    "concat": _concat,
    "stack": _stack,
    "unstack": _unstack,
    "split": _split,
    "pad": _pad,
    "zeros_of": lambda x, *, shape: indexed(
        shape, lambda at: b"" if isinstance(x, bytes) or x.dtype.kind == "O" else 0, array(x).dtype
    ),
    "full_like": lambda x, *, value: indexed(np.shape(x), lambda at: value, array(x).dtype),
}
