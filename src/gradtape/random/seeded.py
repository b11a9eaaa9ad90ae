"""``tf.random.normal`` and the others that go by the global seed and, where given, by a seed of their own."""

from __future__ import annotations

from typing import Any

from ..core.arguments import integer
from ..core.tensor import Tensor, convert
from ..ground import dtypes as dt
from ..ground.dtypes import as_dtype
from ..primitives import random as rows
from . import draw
from .generator import stream
from .keys import FLOATS, count_of_draw, float_dtype, one_of


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
    d = float_dtype(dtype, "normal")
    return draw.normal(stream("normal", d, seed)._key(count_of_draw(shape)), shape, mean, stddev, d)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dt.float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Random numbers of a normal distribution, those further than two standard deviations from the mean drawn again.

    Args, returns and raises: as ``tf.random.normal``.

    >>> import gradtape as tf
    >>> bool(tf.reduce_max(tf.abs(tf.random.truncated_normal([100]))) < 2)
    True
    """
    d = float_dtype(dtype, "normal")
    key = stream("truncated_normal", d, seed)._key(count_of_draw(shape))
    return draw.truncated_normal(key, shape, mean, stddev, d)


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
    one_of(d, (*FLOATS, dt.int32, dt.int64))
    if maxval is None and d.is_integer:
        raise ValueError(f"Must specify maxval for integer dtype {d!r}")
    draw.bounds_given(minval, d)
    return draw.uniform(stream("uniform", d, seed)._key(count_of_draw(shape)), shape, minval, maxval, d)


def gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = dt.float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Random numbers of gamma distributions, with density β^α x^(α-1) exp(-βx) / Γ(α).

    Args:
        shape: a vector of ints: the shape of the draw for *each* pair of parameters.
        alpha: the shape parameters α > 0, numbers or a tensor of ``dtype``.
        beta: the inverse scales β > 0, which broadcast with ``alpha``; None means 1.
        dtype: float16, bfloat16, float32 or float64.
        seed: the draw's own seed; see ``tf.random.set_seed``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``shape + (alpha + beta).shape``, no element below the smallest normal number of the dtype; NaN where α < 0.
        Gradients flow to both parameters; that to α is implicit (Figurnov, Mohamed & Mnih 2018, Implicit reparameterization
        gradients), and may be differentiated again.

    Raises:
        TypeError: a dtype that is not floating, or a shape that is not made of integers.
        InvalidArgumentError: parameters that do not broadcast; a shape that is no vector.

    >>> import gradtape as tf
    >>> tf.random.gamma([5], alpha=[0.5, 1.5], beta=[[1.0], [2.0]]).shape
    TensorShape([5, 2, 2])
    """
    d = float_dtype(dtype, "gamma")
    return draw.gamma(stream("gamma", d, seed)._key(count_of_draw(shape)), shape, alpha, beta, d, True)


def poisson(shape: Any, lam: Any, dtype: Any = dt.float32, seed: Any = None, name: str | None = None) -> Tensor:
    """Random numbers of Poisson distributions.

    Args:
        shape: a vector of ints: the shape of the draw for *each* rate.
        lam: the rates, numbers >= 0 of any real dtype.
        dtype: float16, float32, float64, int32 or int64.
        seed: the draw's own seed; see ``tf.random.set_seed``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``shape + lam.shape``, NaN where a rate is NaN. It has no gradient.

    Raises:
        ValueError: another dtype.
        InvalidArgumentError: a negative rate (TensorFlow gives 0 for it), or a NaN for an integer dtype; a shape that is no vector.

    >>> import gradtape as tf
    >>> tf.random.poisson([4], [0.0, 7.0]).numpy()[:, 0].tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    d = draw.count_dtype(dtype)
    return draw.poisson(stream("poisson", d, seed)._key(count_of_draw(shape)), shape, lam, d, True)


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
    return rows.shuffle(x, stream("shuffle", x._d, seed)._key(1))


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
    d = draw.index_dtype(dtype)
    x, n = convert(logits), integer(num_samples, "num_samples")
    return draw.categorical(lambda: stream("categorical", x._d, seed)._key(1), x, n, d)
