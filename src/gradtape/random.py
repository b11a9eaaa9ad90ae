"""``tf.random``: random numbers from a seed, from a Generator, or from seeds passed along by hand.

All three draw by the same rows (``primitives/random.py``), which are functions of a key and remember nothing. What is
remembered, how far a generator has come, is a Variable that each draw reads and advances; ``normal`` and the others
without a generator of their own use one of this module's.

The same program draws the same numbers, given the same seeds and the same NumPy; they are not the numbers TensorFlow draws.
"""

from __future__ import annotations

import enum
import math
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .core.arguments import integer, vector
from .core.state import state as _thread
from .core.tensor import Tensor, convert
from .core.variable import Variable
from .ground import dtypes as dt
from .ground.dtypes import DType, as_dtype
from .ground.errors import UnimplementedError, invalid
from .ground.shapes import dims_text
from .primitives import random as rows
from .primitives import structure as st
from .primitives.indexing import take_one

_FLOATS = (dt.float16, dt.bfloat16, dt.float32, dt.float64)
_WORDS = (dt.int32, dt.int64, dt.uint32, dt.uint64)


class Algorithm(enum.Enum):
    """The ways to make random bits. All but THREEFRY, which is not implemented, mean Philox."""

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


def _algorithm(alg: Any) -> int:
    """The number of an algorithm given by name, number or ``Algorithm``.

    Raises:
        ValueError: there is none such.
        UnimplementedError: ThreeFry.
    """
    if alg is None:
        return Algorithm.PHILOX.value
    if isinstance(alg, Tensor | Variable):
        alg = integer(alg, "alg")
    try:
        found = Algorithm[alg.upper()] if isinstance(alg, str) else Algorithm(alg)
    except (KeyError, ValueError):
        raise ValueError(
            f"Argument `alg` got unsupported value {alg!r}. Supported values are 'philox' (1) and 'auto_select' (3)."
        ) from None
    if found is Algorithm.THREEFRY:
        raise UnimplementedError("The ThreeFry algorithm is not implemented: use alg='philox'.")
    return found.value


# -- what all draws share --------------------------------------------------------------------------------------------------


def _shape(shape: Any) -> tuple[int, ...]:
    dims = vector(shape, "shape")
    for d in dims:
        if d < 0:
            raise invalid(f"Dimension {d} must be >= 0 in the shape {list(dims)}.")
    return dims


def _float(dtype: Any, what: str) -> DType:
    d = as_dtype(dtype)
    if d not in _FLOATS:
        raise TypeError(
            f"Cannot draw {what} numbers of dtype {d.name}: the dtype must be float16, bfloat16, float32 or float64."
        )
    return d


def _is(value: Any, number: float) -> bool:
    return type(value) in (float, int) and value == number


def _located(z: Tensor, mean: Any, stddev: Any) -> Tensor:
    """mean + stddev·z, through which gradients flow to both."""
    if not _is(stddev, 1.0):
        z = z * convert(stddev, z._d)  # type: ignore[operator]
    return z if _is(mean, 0.0) else z + convert(mean, z._d)  # type: ignore[operator]


def _between(u: Tensor, minval: Any, maxval: Any) -> Tensor:
    """minval + (maxval - minval)·u, through which gradients flow to both."""
    if _is(minval, 0.0):
        return u if _is(maxval, 1.0) else u * convert(maxval, u._d)  # type: ignore[operator]
    low = convert(minval, u._d)
    return u * (convert(maxval, u._d) - low) + low  # type: ignore[operator]


def _uniform(key: Tensor, shape: tuple[int, ...], minval: Any, maxval: Any, d: DType) -> Tensor:
    if d.is_floating:
        return _between(rows.uniform(key, shape=shape, dtype=d), minval, 1.0 if maxval is None else maxval)
    if maxval is None:
        return rows.full_int(key, shape=shape, dtype=d)
    return rows.integers(key, convert(minval, d), convert(maxval, d), shape=shape)


# -- generators --------------------------------------------------------------------------------------------------------------

_lock = threading.Lock()  # a state is read and advanced in one step, whatever thread does it


def _eager(make: Callable[[], Any]) -> Any:
    """``make()`` outside of any trace: what it makes outlives the function that is being traced."""
    trace, _thread.trace = _thread.trace, None
    try:
        return make()
    finally:
        _thread.trace = trace


def create_rng_state(seed: Any, alg: Any) -> Tensor:
    """The state of a generator, for ``Generator(state=...)``.

    Args:
        seed: an int of any size, of which the lowest 64 bits count, or a vector of up to 3 ints: the last elements of the state.
        alg: the algorithm: "philox", "auto_select", their numbers or ``Algorithm``.

    Returns:
        An int64 Tensor of shape [3]: the position (low and high word) and the key.

    Raises:
        TypeError: the seed is not made of integers.
        ValueError: the seed is too long, or the algorithm unknown.

    >>> import gradtape as tf
    >>> tf.random.create_rng_state(7, "philox").numpy().tolist()
    [0, 0, 7]
    """
    if alg is None:
        raise TypeError("alg must be given: use 'philox'.")
    _algorithm(alg)
    words: tuple[int, ...]
    if isinstance(seed, int | np.integer):
        words = (int(seed),)
    elif isinstance(seed, Tensor | Variable | np.ndarray) and not np.ndim(
        seed if isinstance(seed, np.ndarray) else seed._numpy()
    ):
        words = (integer(seed, "seed"),)
    else:
        words = vector(seed, "seed")
    if len(words) > 3:
        raise ValueError(f"A seed has at most 3 elements, but got {len(words)}: {seed!r}.")
    state = (0,) * (3 - len(words)) + words
    return Tensor(np.array([w & (1 << 64) - 1 for w in state], np.uint64).view(np.int64), dt.int64)


class Generator:
    """A source of random numbers that remembers, in a Variable, how far it has come.

    Make one by ``from_seed``, ``from_non_deterministic_state``, ``from_state`` or ``from_key_counter``; threads may share it.

    Args:
        copy_from: a Generator to copy the state and algorithm of.
        state: an int64 vector of 3 elements (position, low and high word, and key); a Variable is used as it is, not copied.
        alg: the algorithm; needed where ``state`` is given.

    Raises:
        ValueError: neither or both of ``copy_from`` and ``state``, a state of another shape, or an unknown algorithm.

    >>> import gradtape as tf
    >>> g = tf.random.Generator.from_seed(1)
    >>> a = g.normal([2])
    >>> g.reset_from_seed(1)
    >>> bool(tf.reduce_all(g.normal([2]) == a))
    True
    """

    def __init__(self, copy_from: Generator | None = None, state: Any = None, alg: Any = None) -> None:
        if (copy_from is None) == (state is None):
            raise ValueError(
                "A Generator is made from either copy_from or state: give one of them, or use Generator.from_seed."
            )
        if copy_from is not None:
            state, alg = copy_from._state_var._read(), copy_from._alg
        self._alg: int = _algorithm(alg)
        self._state_var: Variable = (
            state if isinstance(state, Variable) else Variable(_state(state), trainable=False, name="StateVar")
        )

    @classmethod
    def from_state(cls, state: Any, alg: Any) -> Generator:
        """A generator with this state: an int64 vector of 3 elements, or a Variable, which is used as it is."""
        return cls(state=state, alg=alg)

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """A generator whose numbers depend on ``seed`` alone: an int of any size (its lowest 64 bits count) or a vector of up to 3."""
        alg = _algorithm(alg)
        return cls(state=create_rng_state(seed, alg), alg=alg)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """A generator with a state that the operating system draws."""
        import os

        return cls(state=Tensor(np.frombuffer(os.urandom(24), np.int64).copy(), dt.int64), alg=_algorithm(alg))

    @classmethod
    def from_key_counter(cls, key: Any, counter: Any, alg: Any) -> Generator:
        """A generator with this key (an int) and position (a vector of 2 ints, low and high word)."""
        return cls(state=_key_counter(key, counter), alg=alg)

    def reset(self, state: Any) -> None:
        """Give it another state, an int64 vector of 3 elements. ValueError where it is not."""
        self._state_var.assign(_state(state))

    def reset_from_seed(self, seed: Any) -> None:
        """Give it the state that ``from_seed`` starts with."""
        self.reset(create_rng_state(seed, self._alg))

    def reset_from_key_counter(self, key: Any, counter: Any) -> None:
        """Give it the state that ``from_key_counter`` starts with."""
        self.reset(_key_counter(key, counter))

    @property
    def state(self) -> Variable:
        """The Variable that holds the state: position (low and high word) and key."""
        return self._state_var

    @property
    def algorithm(self) -> int:
        """The number of the algorithm, see ``Algorithm``."""
        return self._alg

    @property
    def key(self) -> Tensor:
        """The key, an int64 scalar."""
        return take_one(self._state_var._read(), 0, 2)

    def _key(self, n: int) -> Tensor:
        """The key of a draw of ``n`` numbers: the state now, which is advanced by ``n``. Any ``n`` but 0 makes the next draw another."""
        with _lock:
            now = self._state_var._read()
            self._state_var.assign(rows.advance(now, Tensor(np.int64(n), dt.int64)))
        return now

    def skip(self, delta: Any) -> Tensor:
        """Advance the state as a draw of ``delta`` numbers would. Returns the state before."""
        return self._key(integer(delta, "delta"))

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dt.float32, name: str | None = None
    ) -> Tensor:
        """Normally distributed numbers: ``tf.random.normal`` with this generator."""
        dims, d = _shape(shape), _float(dtype, "normal")
        return _located(rows.normal(self._key(math.prod(dims)), shape=dims, dtype=d), mean, stddev)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dt.float32, name: str | None = None
    ) -> Tensor:
        """Numbers of a normal distribution cut off at two standard deviations: ``tf.random.truncated_normal`` with this generator."""
        dims, d = _shape(shape), _float(dtype, "normal")
        return _located(rows.truncated_normal(self._key(math.prod(dims)), shape=dims, dtype=d), mean, stddev)

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dt.float32, name: str | None = None
    ) -> Tensor:
        """Uniformly distributed numbers: ``tf.random.uniform`` with this generator.

        For integers, both bounds None means each integer that the dtype holds, and unsigned dtypes are allowed.
        """
        d = as_dtype(dtype)
        if d.is_integer and (minval is None) != (maxval is None):
            raise ValueError(
                f"For integer dtype {d}, minval and maxval must be both `None` or both non-`None`; got minval={minval} and maxval={maxval}"
            )
        _one_of(d, _FLOATS + _WORDS)
        _bounds_given(minval, maxval, d)
        dims = _shape(shape)
        return _uniform(self._key(math.prod(dims)), dims, minval, maxval, d)

    def uniform_full_int(self, shape: Any, dtype: Any = dt.uint64, name: str | None = None) -> Tensor:
        """Integers, each that ``dtype`` (int32, int64, uint32 or uint64) holds as likely as any other."""
        d = as_dtype(dtype)
        if d not in _WORDS:
            raise invalid(f"uniform_full_int draws int32, int64, uint32 and uint64, not {d.name}.")
        dims = _shape(shape)
        return rows.full_int(self._key(math.prod(dims)), shape=dims, dtype=d)

    def make_seeds(self, count: Any = 1) -> Tensor:
        """Seeds for the stateless functions.

        Args:
            count: how many.

        Returns:
            An int64 Tensor of shape [2, count]; each column is a seed.
        """
        n = integer(count, "count")
        return rows.full_int(self._key(n), shape=_shape([2, n]), dtype=dt.int64)

    def split(self, count: Any = 1) -> list[Generator]:
        """``count`` generators, independent of one another and of this one."""
        n = integer(count, "count")
        keys = rows.full_int(self._key(n), shape=_shape([n]), dtype=dt.int64)
        return [Generator(state=_key_counter(k, (0, 0)), alg=self._alg) for k in np.asarray(keys).tolist()]

    def __repr__(self) -> str:
        return f"<Generator: algorithm={self._alg}, state={self._state_var.numpy().tolist()}>"


def _state(value: Any) -> Tensor:
    t = convert(value, None if isinstance(value, Tensor) else dt.int64)
    t = st.cast(t, dt.int64) if t._d.is_integer else t
    if t._d is not dt.int64 or t._shape != (3,):
        raise ValueError(
            f"The state of a generator is an int64 vector of 3 elements, but got {t._d.name}{list(t._shape)}."
        )
    return t


def _key_counter(key: Any, counter: Any) -> Tensor:
    low_high = vector(counter, "counter")
    if len(low_high) != 2:
        raise ValueError(f"A counter has 2 elements, low and high word, but got {len(low_high)}: {counter!r}.")
    return create_rng_state((*low_high, integer(key, "key")), "philox")


_global_generator: Generator | None = None


def get_global_generator() -> Generator:
    """The generator that belongs to the program; on the first call it starts in a state that the operating system draws.

    ``tf.random.set_seed`` does not change it; ``set_global_generator`` does.
    """
    global _global_generator
    if _global_generator is None:
        _global_generator = _eager(Generator.from_non_deterministic_state)
    return _global_generator


def set_global_generator(generator: Generator) -> None:
    """Make ``generator`` the one that ``get_global_generator`` returns. TypeError if it is none."""
    global _global_generator
    if not isinstance(generator, Generator):
        raise TypeError(f"generator must be a tf.random.Generator, but is a {type(generator).__name__}.")
    _global_generator = generator


# -- the global seed -----------------------------------------------------------------------------------------------------------

_seed: int | float | None = None
# a generator for all draws without a seed of their own, and one for each (draw, dtype, seed)
_streams: dict[Any, Generator] = {}


def set_seed(seed: Any) -> None:
    """Set the global seed and start all sequences of random numbers anew.

    Args:
        seed: a number; None goes back to numbers that differ from run to run.

    Four cases, as in TensorFlow. Without any seed the numbers differ from run to run. With the global seed alone, all draws
    together follow one sequence that it determines. With a draw's own ``seed`` alone, that draw follows a sequence determined by
    it and a default global seed. With both, by both. A draw repeated goes on in its sequence; ``set_seed`` starts it again.

    Raises:
        TypeError: the seed is no number.

    >>> import gradtape as tf
    >>> tf.random.set_seed(5)
    >>> a = tf.random.uniform([3])
    >>> tf.random.set_seed(5)
    >>> bool(tf.reduce_all(tf.random.uniform([3]) == a))
    True
    """
    global _seed
    with _lock:
        _seed = None if seed is None else _number(seed)
        _streams.clear()


def _number(seed: Any) -> int | float:
    """A seed as a Python number: an int where it is whole."""
    if isinstance(seed, float | np.floating):
        return int(seed) if float(seed).is_integer() else float(seed)
    try:
        return seed.__index__()
    except (AttributeError, TypeError):
        raise TypeError(f"A seed must be a number, but is {seed!r}.") from None


def _stream(draw: str, d: DType, seed: Any) -> Generator:
    """The generator for a draw with the op seed ``seed``, or for all draws without one."""
    key = None if seed is None else (draw, d.name, _number(seed))
    found = _streams.get(key)
    if found is not None:
        return found
    if seed is None and _seed is None:
        made = _eager(Generator.from_non_deterministic_state)
    else:
        import hashlib

        text = repr((87654321 if _seed is None else _seed, key))
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        made = _eager(lambda: Generator.from_seed(int.from_bytes(digest, "little")))
    with _lock:
        return _streams.setdefault(key, made)


# -- draws by the global seed ------------------------------------------------------------------------------------------------------


def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dt.float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Normally distributed random numbers.

    Args:
        shape: a vector of ints: the shape before ``mean`` and ``stddev`` broadcast with it.
        mean: the mean, a number or a tensor of ``dtype``.
        stddev: the standard deviation, likewise.
        dtype: float16, bfloat16, float32 or float64.
        seed: the draw's own seed; see ``tf.random.set_seed``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor. Gradients flow to ``mean`` and ``stddev``.

    Raises:
        TypeError: a dtype that is not floating, or a shape that is not made of integers.
        ValueError: ``mean`` or ``stddev`` is a tensor of another dtype.
        InvalidArgumentError: the shape is no vector, has a negative dimension, or does not broadcast.

    >>> import gradtape as tf
    >>> tf.random.normal([2, 3], mean=5.0).shape
    TensorShape([2, 3])
    """
    dims, d = _shape(shape), _float(dtype, "normal")
    key = _stream("normal", d, seed)._key(math.prod(dims))
    return _located(rows.normal(key, shape=dims, dtype=d), mean, stddev)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dt.float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Random numbers of a normal distribution, those further than two standard deviations from the mean drawn again.

    Args, returns and raises: as ``tf.random.normal``.

    >>> import gradtape as tf
    >>> bool(tf.reduce_max(tf.abs(tf.random.truncated_normal([100]))) < 2)
    True
    """
    dims, d = _shape(shape), _float(dtype, "normal")
    key = _stream("truncated_normal", d, seed)._key(math.prod(dims))
    return _located(rows.truncated_normal(key, shape=dims, dtype=d), mean, stddev)


def uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dt.float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Uniformly distributed random numbers from [minval, maxval).

    Args:
        shape: a vector of ints: the shape, before the bounds of floating numbers broadcast with it.
        minval: the lower bound, a number or a tensor of ``dtype``; for integers a scalar.
        maxval: the upper bound, which is not drawn but for rounding; None means 1, and is an error for integers.
        dtype: float16, bfloat16, float32, float64, int32 or int64.
        seed: the draw's own seed; see ``tf.random.set_seed``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor. Gradients flow to floating ``minval`` and ``maxval``.

    Raises:
        ValueError: another dtype, no ``maxval`` for integers, or a bound that is a tensor of another dtype.
        TypeError: a fractional bound for integers, or a shape that is not made of integers.
        InvalidArgumentError: integers with ``minval >= maxval`` or bounds that are no scalars; a shape that is no vector.

    >>> import gradtape as tf
    >>> tf.random.uniform([4], maxval=3, dtype=tf.int32).dtype
    tf.int32
    """
    d = as_dtype(dtype)
    _one_of(d, (*_FLOATS, dt.int32, dt.int64))
    if maxval is None and d.is_integer:
        raise ValueError(f"Must specify maxval for integer dtype {d!r}")
    _bounds_given(minval, maxval, d)
    dims = _shape(shape)
    return _uniform(_stream("uniform", d, seed)._key(math.prod(dims)), dims, minval, maxval, d)


def _one_of(d: DType, accepted: tuple[DType, ...]) -> None:
    if d not in accepted:
        raise ValueError(
            f"Argument `dtype` got invalid value {d}. Accepted dtypes are {', '.join(map(repr, accepted))}."
        )


def _bounds_given(minval: Any, maxval: Any, d: DType) -> None:
    if minval is None and d.is_floating:
        raise ValueError("minval must be given for floating numbers, but is None: use 0.")


def shuffle(value: Any, seed: Any = None, name: str | None = None) -> Tensor:
    """The slices of a tensor along its first axis in random order.

    Args:
        value: a Tensor of any dtype, or anything that converts to one; a scalar stays as it is.
        seed: the draw's own seed; see ``tf.random.set_seed``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype. Gradients flow back to where the slices came from (in TensorFlow, None).

    >>> import gradtape as tf
    >>> sorted(tf.random.shuffle([1, 2, 3]).numpy().tolist())
    [1, 2, 3]
    """
    x = convert(value)
    return rows.shuffle(x, _stream("shuffle", x._d, seed)._key(1))


def categorical(logits: Any, num_samples: Any, dtype: Any = None, seed: Any = None, name: str | None = None) -> Tensor:
    """Class numbers drawn by unnormalised log-probabilities.

    Args:
        logits: a float Tensor of shape [batch, classes]; each row stands for the distribution ``softmax(row)``.
        num_samples: how many to draw for each row.
        dtype: int32 or int64; None means int64.
        seed: the draw's own seed; see ``tf.random.set_seed``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape [batch, num_samples]. It has no gradient.

    Raises:
        ValueError: another dtype.
        InvalidArgumentError: ``logits`` is no matrix or has no classes, a negative ``num_samples``, or a row without a largest
            finite element (all -inf, or a NaN or +inf), which is no distribution.

    >>> import gradtape as tf
    >>> tf.random.categorical([[0.0, float("-inf")]], 3).numpy().tolist()
    [[0, 0, 0]]
    """
    d = _index_type(dtype)
    x, n = convert(logits), integer(num_samples, "num_samples")
    _check_categorical(x, n)
    return rows.categorical(_stream("categorical", x._d, seed)._key(1), x, num_samples=n, dtype=d)


def _index_type(dtype: Any) -> DType:
    d = dt.int64 if dtype is None else as_dtype(dtype)
    _one_of(d, (dt.int32, dt.int64))
    return d


def _check_categorical(x: Tensor, n: int) -> None:
    """Before the state is advanced."""
    if len(x._shape) != 2:
        raise invalid(f"logits should be a matrix, one row for each distribution, got shape {dims_text(x._shape)}.")
    if n < 0:
        raise invalid(f"num_samples should be non-negative, got {n}.")


# -- stateless draws -------------------------------------------------------------------------------------------------------------


def _seed_key(seed: Any) -> Tensor:
    """A seed given by hand as the key of a row.

    Raises:
        InvalidArgumentError: it is not made of integers, or not of shape [2].
    """
    t = convert(seed)
    if not t._d.is_integer:
        raise invalid(f"seed must be made of integers, but is {t._d.name}.")
    if t._shape != (2,):
        raise invalid(f"seed must have shape [2], not {dims_text(t._shape)}.")
    return t


def stateless_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dt.float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Normally distributed random numbers that depend on ``seed`` alone.

    Args:
        shape: a vector of ints: the shape before ``mean`` and ``stddev`` broadcast with it.
        seed: an integer vector of 2 elements. The same seed gives the same numbers, other seeds give independent ones.
        mean: the mean, a number or a tensor of ``dtype``.
        stddev: the standard deviation, likewise.
        dtype: float16, bfloat16, float32 or float64.
        name: ignored, for TensorFlow's sake.
        alg: "auto_select" or "philox".

    Returns:
        A Tensor. Gradients flow to ``mean`` and ``stddev``.

    Raises:
        InvalidArgumentError: the seed is no integer vector of 2 elements; and as ``tf.random.normal``.

    >>> import gradtape as tf
    >>> a, b = (tf.random.stateless_normal([3], seed=[1, 2]) for _ in range(2))
    >>> bool(tf.reduce_all(a == b))
    True
    """
    _algorithm(alg)
    z = rows.normal(_seed_key(seed), shape=_shape(shape), dtype=_float(dtype, "normal"))
    return _located(z, mean, stddev)


def stateless_truncated_normal(shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dt.float32, name: str | None = None,
                               alg: Any = "auto_select") -> Tensor:  # fmt: skip
    """Random numbers of a normal distribution cut off at two standard deviations, which depend on ``seed`` alone.

    Args, returns and raises: as ``tf.random.stateless_normal``.

    >>> import gradtape as tf
    >>> bool(tf.reduce_max(tf.abs(tf.random.stateless_truncated_normal([100], seed=[1, 2]))) < 2)
    True
    """
    _algorithm(alg)
    z = rows.truncated_normal(_seed_key(seed), shape=_shape(shape), dtype=_float(dtype, "normal"))
    return _located(z, mean, stddev)


def stateless_uniform(
    shape: Any,
    seed: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dt.float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Uniformly distributed random numbers from [minval, maxval) that depend on ``seed`` alone.

    Args:
        shape: a vector of ints: the shape, before the bounds of floating numbers broadcast with it.
        seed: an integer vector of 2 elements. The same seed gives the same numbers, other seeds give independent ones.
        minval: the lower bound, a number or a tensor of ``dtype``; for integers a scalar, or None with ``maxval``.
        maxval: the upper bound, which is not drawn but for rounding. None means 1; for integers both None means each integer that
            the dtype holds.
        dtype: float16, bfloat16, float32, float64, int32, int64; without bounds also uint32 and uint64.
        name: ignored, for TensorFlow's sake.
        alg: "auto_select" or "philox".

    Returns:
        A Tensor. Gradients flow to floating ``minval`` and ``maxval``.

    Raises:
        ValueError: another dtype, or one bound of integers alone.
        InvalidArgumentError: the seed is no integer vector of 2 elements; and as ``tf.random.uniform``.

    >>> import gradtape as tf
    >>> tf.random.stateless_uniform([2], [1, 2], None, None, tf.int32).shape
    TensorShape([2])
    """
    _algorithm(alg)
    d = as_dtype(dtype)
    _one_of(d, _FLOATS + _WORDS)
    if d.is_integer and (minval is None) != (maxval is None):
        raise ValueError(
            f"For integer `dtype` argument {d}, argument `minval` and `maxval` must be both None or not None. Got `minval`={minval} and `maxval`={maxval}."
        )
    if d.is_unsigned and minval is not None:
        raise ValueError(
            f"Argument `dtype` got invalid value {d} when argument `minval` is not None. Please don't use unsigned integers in this case."
        )
    _bounds_given(minval, maxval, d)
    return _uniform(_seed_key(seed), _shape(shape), minval, maxval, d)


def stateless_categorical(
    logits: Any, num_samples: Any, seed: Any, dtype: Any = dt.int64, name: str | None = None
) -> Tensor:
    """Class numbers drawn by unnormalised log-probabilities, which depend on ``seed`` alone.

    Args:
        logits: a float Tensor of shape [batch, classes]; each row stands for the distribution ``softmax(row)``.
        num_samples: how many to draw for each row.
        seed: an integer vector of 2 elements. The same seed gives the same numbers, other seeds give independent ones.
        dtype: int32 or int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape [batch, num_samples]. It has no gradient.

    Raises:
        InvalidArgumentError: the seed is no integer vector of 2 elements; and as ``tf.random.categorical``.

    >>> import gradtape as tf
    >>> tf.random.stateless_categorical([[0.0, float("-inf")]], 3, seed=[1, 2]).numpy().tolist()
    [[0, 0, 0]]
    """
    x, n = convert(logits), integer(num_samples, "num_samples")
    _check_categorical(x, n)
    return rows.categorical(_seed_key(seed), x, num_samples=n, dtype=_index_type(dtype))


def stateless_shuffle(value: Any, seed: Any, alg: Any = "auto_select", name: str | None = None) -> Tensor:
    """The slices of a tensor along its first axis, in an order that depends on ``seed`` alone.

    Args:
        value: a Tensor of any dtype, or anything that converts to one; a scalar stays as it is.
        seed: an integer vector of 2 elements. The same seed gives the same order.
        alg: "auto_select" or "philox".
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype. Gradients flow back to where the slices came from.

    Raises:
        InvalidArgumentError: the seed is no integer vector of 2 elements.

    >>> import gradtape as tf
    >>> sorted(tf.random.experimental.stateless_shuffle([1, 2, 3], seed=[1, 2]).numpy().tolist())
    [1, 2, 3]
    """
    _algorithm(alg)
    return rows.shuffle(convert(value), _seed_key(seed))


def stateless_split(seed: Any, num: Any = 2, alg: Any = "auto_select") -> Tensor:
    """New seeds made of one.

    Args:
        seed: an integer vector of 2 elements. Do not use it for anything else afterwards.
        num: how many seeds to make.
        alg: "auto_select" or "philox".

    Returns:
        A Tensor of shape [num, 2] and the dtype of ``seed``.

    Raises:
        InvalidArgumentError: the seed is no integer vector of 2 elements, or ``num`` is negative.
        TypeError: ``num`` is no integer.

    >>> import gradtape as tf
    >>> tf.random.split([1, 2], 3).shape
    TensorShape([3, 2])
    """
    _algorithm(alg)
    key = _seed_key(seed)
    return rows.full_int(key, shape=_shape([integer(num, "num"), 2]), dtype=key._d)


def stateless_fold_in(seed: Any, data: Any, alg: Any = "auto_select") -> Tensor:
    """A new seed made of a seed and an integer, such as the number of a step.

    Args:
        seed: an integer vector of 2 elements.
        data: an int32 or int64 scalar.
        alg: "auto_select" or "philox".

    Returns:
        A Tensor of shape [2] and the dtype of ``data``.

    Raises:
        InvalidArgumentError: the seed is no integer vector of 2 elements, or ``data`` no integer scalar.

    >>> import gradtape as tf
    >>> tf.random.fold_in([1, 2], 7).shape
    TensorShape([2])
    """
    _algorithm(alg)
    number = convert(data)
    if number._shape or number._d not in _WORDS:
        raise invalid(
            f"data must be an integer scalar of 32 or 64 bits, but is {number._d.name}{dims_text(number._shape)}."
        )
    return st.stack(rows.full_int(_seed_key(seed), shape=(), dtype=number._d), number, axis=0)


split, fold_in = stateless_split, stateless_fold_in

experimental = SimpleNamespace(
    Algorithm=Algorithm, Generator=Generator, create_rng_state=create_rng_state, get_global_generator=get_global_generator,
    set_global_generator=set_global_generator, stateless_fold_in=stateless_fold_in, stateless_shuffle=stateless_shuffle,
    stateless_split=stateless_split,
)  # fmt: skip

__all__ = [
    "Algorithm", "Generator", "create_rng_state", "get_global_generator", "set_global_generator", "set_seed",
    "normal", "truncated_normal", "uniform", "shuffle", "categorical",
    "stateless_normal", "stateless_truncated_normal", "stateless_uniform", "stateless_categorical", "stateless_shuffle",
    "stateless_split", "stateless_fold_in", "split", "fold_in", "experimental",
]  # fmt: skip
