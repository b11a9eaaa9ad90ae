"""Seeds, states and shapes: what a draw is made from, checked and canonical."""

from __future__ import annotations

import enum
import math
from typing import Any

import numpy as np

from ..core.arguments import NoValue, UnknownDimension, integer, vector
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground import dtypes as dt
from ..ground.dtypes import DType, as_dtype
from ..ground.errors import UnimplementedError, invalid
from ..ground.shapes import TensorShape, dims_text
from ..primitives import structure as st
from ..primitives.reduction import prod

FLOATS = (dt.float16, dt.bfloat16, dt.float32, dt.float64)
WORDS = (dt.int32, dt.int64, dt.uint32, dt.uint64)


class Algorithm(enum.Enum):
    """The ways to make random bits. All but THREEFRY, which is not implemented, mean Philox."""

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


def algorithm_number(alg: Any) -> int:
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


# -- shapes and dtypes ----------------------------------------------------------------------------------------------------------


def shape_of_draw(shape: Any) -> tuple[int, ...]:
    """The shape of a draw as a tuple of ints.

    Raises:
        TypeError: it is not made of integers.
        InvalidArgumentError: it is no vector, or has a negative dimension.
        NoValue: it is, or holds, a traced tensor.
    """
    dims = vector(shape, "shape")
    for d in dims:
        if d < 0:
            raise invalid(f"Dimension {d} must be >= 0 in the shape {list(dims)}.")
    return dims


def count_of_draw(shape: Any) -> Any:
    """How many numbers a draw of this shape has: an int, or a traced int64 scalar where the shape is known only when the program runs."""
    try:
        return math.prod(shape_of_draw(shape))
    except UnknownDimension:
        raise
    except NoValue:
        if isinstance(shape, TensorShape):
            raise
        return prod(st.cast(convert(shape), dt.int64), axis=(0,), keepdims=False)


def float_dtype(dtype: Any, what: str) -> DType:
    """``dtype``, which must be floating. TypeError where it is not."""
    d = as_dtype(dtype)
    if d not in FLOATS:
        raise TypeError(
            f"Cannot draw {what} numbers of dtype {d.name}: the dtype must be float16, bfloat16, float32 or float64."
        )
    return d


def one_of(d: DType, accepted: tuple[DType, ...], name: str = "dtype") -> None:
    """ValueError unless ``d`` is among ``accepted``."""
    if d not in accepted:
        raise ValueError(
            f"Argument `{name}` got invalid value {d}. Accepted dtypes are {', '.join(map(repr, accepted))}."
        )


# -- seeds and states -------------------------------------------------------------------------------------------------------------


def seed_key(seed: Any) -> Tensor:
    """A seed given by hand as the key of a row.

    Raises:
        InvalidArgumentError: it is not made of integers, or not of shape [2].
    """
    t = convert(seed)
    if not t._d.is_integer:
        raise invalid(f"seed must be made of integers, but is {t._d.name}.")
    if t._shape not in ((2,), (None,)):
        raise invalid(f"seed must have shape [2], not {dims_text(t._shape)}.")
    return t


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
    algorithm_number(alg)
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


def state_from(value: Any) -> Tensor:
    """``value`` as the state of a generator. ValueError where it is none."""
    t = convert(value, None if isinstance(value, Tensor) else dt.int64)
    t = st.cast(t, dt.int64) if t._d.is_integer else t
    if t._d is not dt.int64 or t._shape != (3,):
        raise ValueError(
            f"The state of a generator is an int64 vector of 3 elements, but got {t._d.name}{list(t._shape)}."
        )
    return t


def state_at(key: Any, counter: Any) -> Tensor:
    """The state with this key and position. ValueError where the position does not have two words."""
    low_high = vector(counter, "counter")
    if len(low_high) != 2:
        raise ValueError(f"A counter has 2 elements, low and high word, but got {len(low_high)}: {counter!r}.")
    return create_rng_state((*low_high, integer(key, "key")), "philox")
