"""Keras's random numbers on gradtape, by stateless generators."""

from __future__ import annotations

from typing import Any

from keras.src.backend.common import standardize_dtype
from keras.src.backend.config import floatx
from keras.src.random.seed_generator import SeedGenerator, draw_seed, make_default_seed

import gradtape as tf

from .ops.core import cast, convert_to_tensor

__all__ = ["SeedGenerator", "draw_seed", "make_default_seed"]


def _seed(seed: Any) -> Any:
    """The next seed as the two int32 that stateless operations take."""
    return tf.bitcast(convert_to_tensor(draw_seed(seed), "uint32"), tf.int32)


def _drawn(dtype: Any, wide: tuple[str, ...] = ("bfloat16", "float16")) -> tuple[str, str]:
    """The dtype to give and the one to draw in."""
    dtype = standardize_dtype(dtype or floatx())
    return dtype, "float32" if dtype in wide or dtype.startswith("float8") else dtype


def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normal numbers."""
    dtype, wide = _drawn(dtype)
    z = tf.random.stateless_normal(shape, _seed(seed), dtype=wide)
    return cast(z * cast(stddev, wide) + cast(mean, wide), dtype)


def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Uniform numbers in [minval, maxval)."""
    dtype, wide = _drawn(dtype)
    return cast(
        tf.random.stateless_uniform(shape, _seed(seed), cast(minval, wide), cast(maxval, wide), dtype=wide), dtype
    )


def categorical(logits: Any, num_samples: int, dtype: Any = "int64", seed: Any = None) -> Any:
    """Indices drawn with the probabilities of unnormalised log-probabilities."""
    return cast(tf.random.stateless_categorical(convert_to_tensor(logits), num_samples, _seed(seed)), dtype)


def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
    """Integers in [minval, maxval)."""
    wide = dtype if standardize_dtype(dtype) in ("int32", "int64") else "int64"
    low, high = cast(minval, wide), cast(maxval, wide)
    return cast(tf.random.stateless_uniform(shape, _seed(seed), low, high, dtype=wide), dtype)


def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normal numbers, those beyond two deviations drawn again."""
    dtype, wide = _drawn(dtype)
    z = tf.random.stateless_truncated_normal(shape, _seed(seed), dtype=wide)
    return cast(z * cast(stddev, wide) + cast(mean, wide), dtype)


def dropout(inputs: Any, rate: Any, noise_shape: Any = None, seed: Any = None) -> Any:
    """Elements set to 0 with probability ``rate``, the others scaled up."""
    inputs = convert_to_tensor(inputs)
    if rate == 0.0:
        return inputs
    if rate == 1.0:
        return tf.zeros_like(inputs)
    shape = (
        None if noise_shape is None else [n if d is None else d for n, d in zip(inputs.shape, noise_shape, strict=True)]
    )
    return tf.nn.experimental.stateless_dropout(inputs, rate, seed=_seed(seed), noise_shape=shape)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """The parts along an axis in a random order."""
    x = convert_to_tensor(x)
    order = tf.argsort(tf.random.stateless_uniform([x.shape[axis]], _seed(seed)))
    return tf.gather(x, order, axis=axis)


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Gamma numbers of shape ``alpha`` and rate 1."""
    dtype, wide = _drawn(dtype)
    return cast(tf.random.stateless_gamma(shape, _seed(seed), cast(alpha, wide), dtype=wide), dtype)


def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of successes among ``counts`` trials."""
    dtype, wide = _drawn(dtype)
    return cast(
        tf.random.stateless_binomial(
            shape, _seed(seed), cast(counts, wide), cast(probabilities, wide), output_dtype=wide
        ),
        dtype,
    )


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Beta numbers, from two gamma numbers."""
    dtype, wide = _drawn(dtype)
    first = _seed(seed)
    x = tf.random.stateless_gamma(shape, first, cast(alpha, wide), dtype=wide)
    y = tf.random.stateless_gamma(shape, first + 12, cast(beta, wide), dtype=wide)
    return cast(x / (x + y), dtype)
