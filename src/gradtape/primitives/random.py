"""Random numbers as functions of a key: the same key gives the same numbers, and nothing is remembered between calls.

``key`` is an integer vector, of two elements or of three:

* (a, b): a seed of 128 bits;
* (lo, hi, k): the state of a generator. k is its seed and hi:lo, a number of 128 bits, says how far it has come; each
  value of it is a stream of its own. ``advance`` makes the next state.

The bits come from Philox 4x64-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3) as NumPy has it, whose key
is k0, k1 and whose counter has four words: the lowest counts the blocks of one draw, the next names the kind of draw, so
that a seed used for a normal and for a uniform draw gives independent ones, and the other two are hi:lo.

Attributes: ``shape`` is a tuple of ints, ``dtype`` a DType.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground import dtypes as dt
from ..ground.dtypes import ANY, FLOAT, INT, UINT, DType
from ..ground.errors import InvalidArgumentError, invalid, user_line
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import dims_text

Shape = tuple[int, ...]

# -- bits ------------------------------------------------------------------------------------------------------------------

# The second word of Philox's key where `key` is a generator's state: no seed that is met by chance.
_OF_A_STATE = 0x9E3779B97F4A7C15
_FRESH = {"bit_generator": "Philox", "buffer": (0, 0, 0, 0), "buffer_pos": 4, "has_uint32": 0, "uinteger": 0}


class Source:
    """A bit generator and what draws from it. Each thread keeps one: making one takes 12 us, setting its state less than 1."""

    def __init__(self) -> None:
        from numpy.random import Generator, Philox

        self.bits = Philox(key=0)
        self.numbers = Generator(self.bits)

    def words(self, n: int, size: int) -> np.ndarray:
        """``n`` random words of ``size`` bytes."""
        return self.bits.random_raw(-(-n * size // 8)).view(_WORD_OF[size])[:n]


# The kinds of draw, of which each has streams of its own.
UNIFORM, NORMAL, TRUNCATED_NORMAL, FULL_INT, INTEGERS, MASK, CATEGORICAL, PERMUTATION = range(1, 9)

_WORD_OF: dict[int, Any] = {2: np.uint16, 4: np.uint32, 8: np.uint64}
_thread = threading.local()


def _start(key: Any, kind: int) -> Source:
    """This thread's source, at the start of the stream that ``key`` names for this kind of draw."""
    if key.dtype.kind not in "iu":
        raise ValueError("a key is made of integers")
    words = key.astype(np.uint64).tolist()
    if len(words) == 2:
        counter, philox_key = (0, kind, 0, 0), words
    else:
        low, high, k = words
        counter, philox_key = (0, kind, low, high), (k, _OF_A_STATE)
    try:
        source = _thread.source
    except AttributeError:
        source = _thread.source = Source()
    source.bits.state = {"state": {"counter": counter, "key": philox_key}, **_FRESH}
    return source


def _check_key(key: Aval) -> None:
    if not key.dtype.is_integer:
        raise invalid(f"A random key must be made of integers, but is {key.dtype.name}.")
    if key.shape not in ((2,), (3,), (None,)):
        raise invalid(
            f"A random key must have shape [2] (a seed) or [3] (a generator's state), but has {dims_text(key.shape)}."
        )


def _check_shape(shape: Shape) -> None:
    if any(d is not None and d < 0 for d in shape):
        raise invalid(f"Dimensions must be >= 0, but the shape is {dims_text(shape)}.")


# -- draws of a given dtype --------------------------------------------------------------------------------------------------

_FLOATS = (dt.float16, dt.bfloat16, dt.float32, dt.float64)
_WORDS = (dt.int32, dt.int64, dt.uint32, dt.uint64)


def _draw(name: str, kind: int, dtypes: tuple[DType, ...], kernel: Callable, doc: str) -> Primitive:
    """A row of one input, the key, that fills ``shape`` with numbers of ``dtype``."""

    def checked(key: Any, *, shape: Shape, dtype: DType) -> Any:
        return kernel(_start(key, kind), shape, math.prod(shape), dtype)[()]

    def shape_rule(key: Aval, *, shape: Shape, dtype: DType) -> Aval:
        _check_key(key)
        _check_shape(shape)
        if dtype not in dtypes:
            raise invalid(f"{name} draws {', '.join(d.name for d in dtypes)}, not {dtype.name}.")
        return Aval(shape, dtype)

    def cases(rng: Any) -> list:
        return [
            ((rng.integers(-9, 9, k),), {"shape": s, "dtype": d})
            for k in (2, 3)
            for s in ((), (5,), (2, 3), (0, 2))
            for d in dtypes
        ]

    return Primitive(name, "key", checked, shape=shape_rule, accepts=INT | UINT, out="kernel", cases=cases, doc=doc)


# The words' topmost bits, as many as the fraction of the dtype has: all are multiples of 2^-bits, and none rounds up to 1.
_FRACTION_BITS = {dt.float16: 10, dt.bfloat16: 7, dt.float32: 23, dt.float64: 52}


def _uniform(source: Source, shape: Shape, n: int, dtype: DType) -> Any:
    bits = _FRACTION_BITS[dtype]
    words = source.words(n, dtype.size)
    return ((words >> (8 * dtype.size - bits)).astype(dtype.np) * dtype.type(2.0**-bits)).reshape(shape)


def _normal(source: Source, shape: Shape, n: int, dtype: DType) -> Any:
    if dtype.size == 2:
        return _normal(source, shape, n, dt.float32).astype(dtype.np)
    return np.asarray(source.numbers.standard_normal(shape, dtype.np))


def _truncated_normal(source: Source, shape: Shape, n: int, dtype: DType) -> Any:
    """Normal numbers, those of size 2 and more drawn again (one in 22)."""
    out = np.empty(n, dtype.np)
    have = 0
    while have < n:
        z = _normal(source, (n - have + (n - have) // 16 + 8,), 0, dtype)
        z = z[np.abs(z) < 2][: n - have]
        out[have : have + z.size] = z
        have += z.size
    return out.reshape(shape)


def _full_int(source: Source, shape: Shape, n: int, dtype: DType) -> Any:
    return source.words(n, dtype.size).view(dtype.np).reshape(shape)


uniform = _draw("random_uniform", UNIFORM, _FLOATS, _uniform, "Numbers distributed uniformly over [0, 1).")
normal = _draw(
    "random_normal", NORMAL, _FLOATS, _normal, "Numbers distributed normally with mean 0 and standard deviation 1."
)
truncated_normal = _draw("random_truncated_normal", TRUNCATED_NORMAL, _FLOATS, _truncated_normal,
                         "Numbers distributed as the standard normal distribution is within (-2, 2).")  # fmt: skip
full_int = _draw(
    "random_full_int", FULL_INT, _WORDS, _full_int, "Integers, each that the dtype holds as likely as any other."
)

# -- draws with parameters ---------------------------------------------------------------------------------------------------


def _integers(key: Any, low: Any, high: Any, *, shape: Shape) -> Any:
    if low.shape or high.shape or low.dtype != high.dtype or low.dtype.itemsize < 4:
        raise ValueError("wrong bounds")
    source = _start(key, INTEGERS)
    if not math.prod(shape):
        return np.empty(shape, low.dtype)
    if low >= high:
        raise InvalidArgumentError(f"Need minval < maxval, got {low} >= {high}.{user_line()}")
    return np.asarray(source.numbers.integers(low, high, shape, low.dtype))[()]


def _integers_shape(key: Aval, minval: Aval, maxval: Aval, *, shape: Shape) -> Aval:
    _check_key(key)
    _check_shape(shape)
    for name, bound in (("minval", minval), ("maxval", maxval)):
        if bound.shape:
            raise invalid(
                f"{name} must be 0-D, got shape {dims_text(bound.shape)}: random integers have one range for all."
            )
    if minval.dtype is not maxval.dtype:
        raise invalid(f"minval and maxval must have one dtype, but have {minval.dtype.name} and {maxval.dtype.name}.")
    if minval.dtype not in _WORDS:
        raise invalid(f"random integers have the dtypes {', '.join(d.name for d in _WORDS)}, not {minval.dtype.name}.")
    return Aval(shape, minval.dtype)


integers = Primitive(
    "random_integers", "key minval maxval", _integers, shape=_integers_shape, accepts=INT | UINT, like=1,
    cases=lambda rng: [((np.array([3, n]), np.int64(1), np.int64(1 + n)), {"shape": s}) for n, s in ((5, (2, 3)), (1, ()), (9, (0,)))],
    doc="Integers distributed uniformly over [minval, maxval).",
)  # fmt: skip


def _filled(shape: tuple, x_shape: Shape) -> Shape:
    """``shape`` with the dimensions of ``x_shape`` for None."""
    if len(shape) != len(x_shape):
        raise ValueError("the ranks differ")
    return tuple([d if s is None else s for s, d in zip(shape, x_shape, strict=True)])


def _mask(key: Any, prob: Any, x: Any, *, shape: tuple) -> Any:
    if np.ndim(prob):
        raise ValueError("one probability")
    shape = _filled(shape, x.shape)
    limit = round(float(prob) * 2.0**32)
    words = _start(key, MASK).words(math.prod(shape), 4).reshape(shape)
    return np.full(shape, limit > 0)[()] if not 0 < limit < 1 << 32 else (words < np.uint32(limit))[()]


def _mask_shape(key: Aval, prob: Aval, x: Aval, *, shape: tuple) -> Aval:
    _check_key(key)
    if prob.shape:
        raise invalid(f"The probability must be a scalar, but has shape {dims_text(prob.shape)}.")
    if len(shape) != x.ndim:
        raise invalid(
            f"The shape of a mask, {dims_text(shape)}, must have as many dimensions as the tensor, whose shape is {dims_text(x.shape)}."
        )
    if any(d is not None and d < 0 for d in shape):
        raise invalid(f"Dimensions must be >= 0, but the shape is {dims_text(shape)}.")
    return Aval(_filled(shape, x.shape), dt.bool_)


mask = Primitive(
    "random_mask", "key prob x", _mask, shape=_mask_shape, open_shape=True, accepts=FLOAT, like=1, out=dt.bool_,
    cases=lambda rng: [((np.array([3, 4]), np.float64(p), np.zeros((2, 3))), {"shape": s}) for p, s in ((0.5, (None, None)), (0.0, (1, 3)), (1.0, (None, 1)))],
    doc="True with the given probability (to 2^-32), else false, in a shape whose dimensions are None where they are x's own.",
)  # fmt: skip


def _categorical(key: Any, logits: Any, *, num_samples: int, dtype: DType) -> Any:
    """By inverting the distribution function of each row, in dt.float64."""
    if np.ndim(logits) != 2 or not logits.shape[1]:
        raise ValueError("logits is no matrix")
    source = _start(key, CATEGORICAL)
    x = logits.astype(np.float64)
    top = x.max(1, keepdims=True)
    if not np.all(np.isfinite(top)):
        row = int(np.argmin(np.isfinite(top)))
        raise InvalidArgumentError(
            f"Row {row} of the logits has no largest finite value, so it is no distribution: {logits[row]}.{user_line()}"
        )
    below = np.cumsum(np.exp(x - top), 1)
    rows, classes = x.shape
    u = _uniform(source, (rows, num_samples), rows * num_samples, dt.float64) * below[:, -1:]
    out = np.empty((rows, num_samples), dtype.np)
    if num_samples < 8:
        for j in range(num_samples):
            out[:, j] = np.sum(below <= u[:, j, None], 1)
    else:
        for i in range(rows):
            out[i] = np.searchsorted(below[i], u[i], "right")
    # u may round up to the sum of all, past the last class that has a probability
    last = classes - 1 - np.argmax(x[:, ::-1] > -np.inf, 1)
    return np.minimum(out, last[:, None].astype(dtype.np))


def _categorical_shape(key: Aval, logits: Aval, *, num_samples: int, dtype: DType) -> Aval:
    _check_key(key)
    if logits.ndim != 2:
        raise invalid(f"logits should be a matrix, one row for each distribution, got shape {dims_text(logits.shape)}.")
    if logits.shape[1] == 0:
        raise invalid("num_classes should be positive, got 0.")
    if num_samples < 0:
        raise invalid(f"num_samples should be non-negative, got {num_samples}.")
    return Aval((logits.shape[0], num_samples), dtype)


categorical = Primitive(
    "random_categorical", "key logits", _categorical, shape=_categorical_shape, accepts=FLOAT, like=1, out="kernel",
    cases=lambda rng: [((np.array([3, 4]), rng.uniform(-3, 3, (2, 3))), {"num_samples": n, "dtype": d}) for n, d in ((2, dt.int64), (9, dt.int32))],
    doc="Class numbers drawn by the probabilities softmax(logits), for each row of logits.",
)  # fmt: skip

# -- permutations --------------------------------------------------------------------------------------------------------------


def _permutation(key: Any, n: int) -> np.ndarray:
    return _start(key, PERMUTATION).numbers.permutation(n)


def _shuffle(x: Any, key: Any) -> Any:
    if key.shape not in ((2,), (3,)):
        raise ValueError("no key")
    return x[_permutation(key, len(x))] if type(x) is np.ndarray else x


def _unshuffle(x: Any, key: Any) -> Any:
    if type(x) is not np.ndarray or key.shape not in ((2,), (3,)):
        return _shuffle(x, key)
    out = np.empty_like(x)
    out[_permutation(key, len(x))] = x
    return out


def _shuffle_shape(x: Aval, key: Aval) -> Aval:
    _check_key(key)
    return x


def _shuffle_row(name: str, kernel: Callable, grad: Callable, doc: str) -> Primitive:
    def cases(rng: Any) -> list:
        return [((rng.uniform(-3, 3, s), np.array([3, 4])), {}) for s in ((5,), (4, 3), (), (0, 2))]

    return Primitive(
        name, "x key", kernel, shape=_shuffle_shape, grad=(grad, None), accepts=ANY, linear=True, cases=cases, doc=doc
    )


shuffle = _shuffle_row(
    "random_shuffle", _shuffle, lambda g, key: unshuffle(g, key), "The elements along the first axis in random order."
)
unshuffle = _shuffle_row(
    "random_unshuffle", _unshuffle, lambda g, key: shuffle(g, key), "The inverse of random_shuffle with the same key."
)

# -- states ----------------------------------------------------------------------------------------------------------------------

_LOW = (1 << 64) - 1


def _advance(state: Any, by: Any) -> Any:
    if state.shape != (3,) or by.shape or state.dtype != np.int64 or by.dtype != np.int64:
        raise ValueError("no state")
    at = int(state[0])
    moved = at + int(by)
    if (at ^ moved) >= 0 and -(1 << 63) <= moved < 1 << 63:  # neither a carry nor a change of sign: the usual case
        out = state.copy()
        out[0] = moved
        return out
    low, high, key = state.astype(np.uint64).tolist()
    position = (high << 64 | low) + int(by)
    return np.array((position & _LOW, position >> 64 & _LOW, key), np.uint64).view(np.int64)


def _advance_shape(state: Aval, by: Aval) -> Aval:
    if state.shape not in ((3,), (None,)) or state.dtype is not dt.int64:
        raise invalid(
            f"The state of a generator is an dt.int64 vector of 3 elements, but got {state.dtype.name}{dims_text(state.shape)}."
        )
    if by.shape or by.dtype is not dt.int64:
        raise invalid(f"A state is advanced by an dt.int64 scalar, but got {by.dtype.name}{dims_text(by.shape)}.")
    return Aval((3,), dt.int64)


advance = Primitive(
    "random_advance", "state by", _advance, shape=_advance_shape, accepts=INT,
    cases=lambda rng: [((np.array([1, 2, 3]), np.int64(5)), {}), ((np.array([-1, 2, 3]), np.int64(1)), {})],
    doc="The state of a generator after it has drawn some numbers: its position increased.",
)  # fmt: skip
