"""``tf.random.stateless_normal`` and the others that depend on a seed given by hand, and on nothing else."""

from __future__ import annotations

from typing import Any

from ..core.arguments import integer
from ..core.tensor import Tensor, convert
from ..ground import dtypes as dt
from ..ground.dtypes import as_dtype
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import random as rows
from ..primitives import structure as st
from . import draw
from .keys import FLOATS, WORDS, algorithm_number, float_dtype, one_of, seed_key, shape_of_draw


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
    algorithm_number(alg)
    return draw.normal(seed_key(seed), shape, mean, stddev, float_dtype(dtype, "normal"))


def stateless_truncated_normal(shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dt.float32, name: str | None = None,
                               alg: Any = "auto_select") -> Tensor:  # fmt: skip
    """Random numbers of a normal distribution cut off at two standard deviations, which depend on ``seed`` alone.

    Args, returns and raises: as ``tf.random.stateless_normal``.

    >>> import gradtape as tf
    >>> bool(tf.reduce_max(tf.abs(tf.random.stateless_truncated_normal([100], seed=[1, 2]))) < 2)
    True
    """
    algorithm_number(alg)
    return draw.truncated_normal(seed_key(seed), shape, mean, stddev, float_dtype(dtype, "normal"))


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
    algorithm_number(alg)
    d = as_dtype(dtype)
    one_of(d, FLOATS + WORDS)
    if d.is_integer and (minval is None) != (maxval is None):
        raise ValueError(
            f"For integer `dtype` argument {d}, argument `minval` and `maxval` must be both None or not None. Got `minval`={minval} and `maxval`={maxval}."
        )
    if d.is_unsigned and minval is not None:
        raise ValueError(
            f"Argument `dtype` got invalid value {d} when argument `minval` is not None. Please don't use unsigned integers in this case."
        )
    draw.bounds_given(minval, d)
    return draw.uniform(seed_key(seed), shape, minval, maxval, d)


def stateless_gamma(
    shape: Any, seed: Any, alpha: Any, beta: Any = None, dtype: Any = dt.float32, name: str | None = None
) -> Tensor:
    """Random numbers of gamma distributions that depend on ``seed`` alone, with density β^α x^(α-1) exp(-βx) / Γ(α).

    Args:
        shape: a vector of ints: the shape of the result, to which the parameters broadcast. (That of ``tf.random.gamma`` stands ahead.)
        seed: an integer vector of 2 elements. The same seed gives the same numbers, other seeds give independent ones.
        alpha: the shape parameters α > 0, numbers or a tensor of ``dtype``.
        beta: the inverse scales β > 0, likewise; None means 1.
        dtype: float16, bfloat16, float32 or float64.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``shape``; NaN where α < 0. Gradients flow to both parameters, see ``tf.random.gamma``.

    Raises:
        InvalidArgumentError: the seed is no integer vector of 2 elements, or the parameters do not broadcast to ``shape``.
        TypeError: a dtype that is not floating.

    >>> import gradtape as tf
    >>> tf.random.stateless_gamma([5, 2], seed=[1, 2], alpha=[0.5, 1.5]).shape
    TensorShape([5, 2])
    """
    return draw.gamma(seed_key(seed), shape, alpha, beta, float_dtype(dtype, "gamma"), False)


def stateless_poisson(shape: Any, seed: Any, lam: Any, dtype: Any = dt.int32, name: str | None = None) -> Tensor:
    """Random numbers of Poisson distributions that depend on ``seed`` alone.

    Args:
        shape: a vector of ints: the shape of the result, to which ``lam`` broadcasts. (That of ``tf.random.poisson`` stands ahead.)
        seed: an integer vector of 2 elements. The same seed gives the same numbers, other seeds give independent ones.
        lam: the rates, numbers >= 0 of any real dtype.
        dtype: float16, float32, float64, int32 or int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``shape``. It has no gradient.

    Raises:
        ValueError: another dtype.
        InvalidArgumentError: a negative rate; the seed is no integer vector of 2 elements, or ``lam`` does not broadcast to ``shape``.

    >>> import gradtape as tf
    >>> tf.random.stateless_poisson([3, 2], seed=[1, 2], lam=[0.0, 7.0]).numpy()[:, 0].tolist()
    [0, 0, 0]
    """
    return draw.poisson(seed_key(seed), shape, lam, draw.count_dtype(dtype), False)


def stateless_binomial(
    shape: Any, seed: Any, counts: Any, probs: Any, output_dtype: Any = dt.int32, name: str | None = None
) -> Tensor:
    """Random numbers of binomial distributions that depend on ``seed`` alone.

    Args:
        shape: a vector of ints: the shape of the result, to which the parameters broadcast.
        seed: an integer vector of 2 elements. The same seed gives the same numbers, other seeds give independent ones.
        counts: how many trials, numbers >= 0 of any real dtype.
        probs: the probability that a trial succeeds, in [0, 1].
        output_dtype: float16, float32, float64, int32 or int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``shape``: how many trials succeed. It has no gradient.

    Raises:
        ValueError: another dtype.
        InvalidArgumentError: negative counts or probabilities outside [0, 1] (TensorFlow clips them); the seed is no integer vector of 2
            elements, or the parameters do not broadcast to ``shape``.

    >>> import gradtape as tf
    >>> tf.random.stateless_binomial([3, 2], seed=[1, 2], counts=10, probs=[0.0, 1.0]).numpy().tolist()
    [[0, 10], [0, 10], [0, 10]]
    """
    return draw.binomial(seed_key(seed), shape, counts, probs, draw.count_dtype(output_dtype, "output_dtype"))


def stateless_parameterized_truncated_normal(shape: Any, seed: Any, means: Any = 0.0, stddevs: Any = 1.0, minvals: Any = -2.0, maxvals: Any = 2.0,
                                             name: str | None = None) -> Tensor:  # fmt: skip
    """Random numbers of normal distributions cut off anywhere, which depend on ``seed`` alone.

    Args:
        shape: a vector of ints: the shape of the result, to which the parameters broadcast.
        seed: an integer vector of 2 elements. The same seed gives the same numbers, other seeds give independent ones.
        means: the means before cutting off.
        stddevs: the standard deviations before cutting off, > 0.
        minvals: the lower ends; -inf for none. All parameters are of one floating dtype, which is that of the result.
        maxvals: the upper ends; inf for none.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``shape``, drawn by inverting the distribution function. Gradients flow to all four parameters: they are those of
        the sample at a fixed value of the distribution function. (TensorFlow leaves out that the ends stay where they are when the mean or
        the standard deviation changes.)

    Raises:
        InvalidArgumentError: a standard deviation that is not positive, ends in the wrong order, several dtypes, a wrong seed or shape.

    >>> import gradtape as tf
    >>> x = tf.random.stateless_parameterized_truncated_normal([100], seed=[1, 2], minvals=3.0, maxvals=4.0)
    >>> bool(tf.reduce_all((x >= 3) & (x <= 4)))
    True
    """
    return draw.parameterized_truncated_normal(seed_key(seed), shape, means, stddevs, minvals, maxvals)


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
    return draw.categorical(lambda: seed_key(seed), x, n, draw.index_dtype(dtype))


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
    algorithm_number(alg)
    return rows.shuffle(convert(value), seed_key(seed))


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
    algorithm_number(alg)
    key = seed_key(seed)
    return rows.full_int(key, shape=shape_of_draw([integer(num, "num"), 2]), dtype=key._d)


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
    algorithm_number(alg)
    number = convert(data)
    if number._shape or number._d not in WORDS:
        raise invalid(
            f"data must be an integer scalar of 32 or 64 bits, but is {number._d.name}{dims_text(number._shape)}."
        )
    return st.stack(rows.full_int(seed_key(seed), shape=(), dtype=number._d), number, axis=0)
