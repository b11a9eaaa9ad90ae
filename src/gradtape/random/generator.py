"""Generators: sources of random numbers that remember, in a Variable, how far they have come; the global seed and its generators."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.arguments import integer
from ..core.state import state as _thread
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..ground import dtypes as dt
from ..ground.dtypes import DType, as_dtype
from ..ground.errors import invalid
from ..primitives import random as rows
from ..primitives.indexing import take_one
from . import draw
from .keys import (
    FLOATS,
    WORDS,
    algorithm_number,
    count_of_draw,
    create_rng_state,
    float_dtype,
    one_of,
    shape_of_draw,
    state_at,
    state_from,
)

_lock = threading.Lock()  # a state is read and advanced in one step, whatever thread does it


def _eager(make: Callable[[], Any]) -> Any:
    """``make()`` outside of any trace: what it makes outlives the function that is being traced."""
    trace, _thread.trace = _thread.trace, None
    try:
        return make()
    finally:
        _thread.trace = trace


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
        self._alg: int = algorithm_number(alg)
        self._state_var: Variable = (
            state if isinstance(state, Variable) else Variable(state_from(state), trainable=False, name="StateVar")
        )

    @classmethod
    def from_state(cls, state: Any, alg: Any) -> Generator:
        """A generator with this state: an int64 vector of 3 elements, or a Variable, which is used as it is."""
        return cls(state=state, alg=alg)

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """A generator whose numbers depend on ``seed`` alone: an int of any size (its lowest 64 bits count) or a vector of up to 3."""
        alg = algorithm_number(alg)
        return cls(state=create_rng_state(seed, alg), alg=alg)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """A generator with a state that the operating system draws."""
        import os

        return cls(state=Tensor(np.frombuffer(os.urandom(24), np.int64).copy(), dt.int64), alg=algorithm_number(alg))

    @classmethod
    def from_key_counter(cls, key: Any, counter: Any, alg: Any) -> Generator:
        """A generator with this key (an int) and position (a vector of 2 ints, low and high word)."""
        return cls(state=state_at(key, counter), alg=alg)

    def reset(self, state: Any) -> None:
        """Give it another state, an int64 vector of 3 elements. ValueError where it is not."""
        self._state_var.assign(state_from(state))

    def reset_from_seed(self, seed: Any) -> None:
        """Give it the state that ``from_seed`` starts with."""
        self.reset(create_rng_state(seed, self._alg))

    def reset_from_key_counter(self, key: Any, counter: Any) -> None:
        """Give it the state that ``from_key_counter`` starts with."""
        self.reset(state_at(key, counter))

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

    def _key(self, n: Any) -> Tensor:
        """The key of a draw of ``n`` numbers: the state now, which is advanced by ``n``. Any ``n`` but 0 makes the next draw another."""
        by = n if isinstance(n, Tensor) else Tensor(np.int64(n), dt.int64)
        with _lock:
            now = self._state_var._read()
            self._state_var.assign(rows.advance(now, by))
        return now

    def skip(self, delta: Any) -> Tensor:
        """Advance the state as a draw of ``delta`` numbers would. Returns the state before."""
        return self._key(integer(delta, "delta"))

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dt.float32, name: str | None = None
    ) -> Tensor:
        """Normally distributed numbers: ``tf.random.normal`` with this generator."""
        d = float_dtype(dtype, "normal")
        return draw.normal(self._key(count_of_draw(shape)), shape, mean, stddev, d)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dt.float32, name: str | None = None
    ) -> Tensor:
        """Numbers of a normal distribution cut off at two standard deviations: ``tf.random.truncated_normal`` with this generator."""
        d = float_dtype(dtype, "normal")
        return draw.truncated_normal(self._key(count_of_draw(shape)), shape, mean, stddev, d)

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
        one_of(d, FLOATS + WORDS)
        draw.bounds_given(minval, d)
        return draw.uniform(self._key(count_of_draw(shape)), shape, minval, maxval, d)

    def uniform_full_int(self, shape: Any, dtype: Any = dt.uint64, name: str | None = None) -> Tensor:
        """Integers, each that ``dtype`` (int32, int64, uint32 or uint64) holds as likely as any other."""
        d = as_dtype(dtype)
        if d not in WORDS:
            raise invalid(f"uniform_full_int draws int32, int64, uint32 and uint64, not {d.name}.")
        return draw.full_int(self._key(count_of_draw(shape)), shape, d)

    def binomial(self, shape: Any, counts: Any, probs: Any, dtype: Any = dt.int32, name: str | None = None) -> Tensor:
        """Numbers of successes in ``counts`` trials: ``tf.random.stateless_binomial`` with this generator."""
        d = draw.count_dtype(dtype)
        return draw.binomial(self._key(count_of_draw(shape)), shape, counts, probs, d)

    def make_seeds(self, count: Any = 1) -> Tensor:
        """Seeds for the stateless functions.

        Args:
            count: how many.

        Returns:
            An int64 Tensor of shape [2, count]; each column is a seed.
        """
        n = integer(count, "count")
        return rows.full_int(self._key(n), shape=shape_of_draw([2, n]), dtype=dt.int64)

    def split(self, count: Any = 1) -> list[Generator]:
        """``count`` generators, independent of one another and of this one."""
        n = integer(count, "count")
        keys = rows.full_int(self._key(n), shape=shape_of_draw([n]), dtype=dt.int64)
        return [Generator(state=state_at(k, (0, 0)), alg=self._alg) for k in np.asarray(keys).tolist()]

    def _trackable_children(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {"_state_var": self._state_var}

    def __repr__(self) -> str:
        return f"<Generator: algorithm={self._alg}, state={self._state_var.numpy().tolist()}>"


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


def stream(name: str, d: DType, seed: Any) -> Generator:
    """The generator for the draw ``name`` with the op seed ``seed``, or for all draws without one."""
    key = None if seed is None else (name, d.name, _number(seed))
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
