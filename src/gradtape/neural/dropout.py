"""Dropout."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from ..core.arguments import integer, vector
from ..core.operators import number
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground.dtypes import float64
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import activation as act
from ..primitives import random as rows
from ..random import _seed_key, _stream


def _rate(rate: Any, x: Tensor) -> Any:
    """The rate as a Python float, or as the scalar tensor that it is."""
    if isinstance(rate, Tensor | Variable):
        r = convert(rate)
        if r._d is not x._d:
            raise ValueError(
                f"`x.dtype` must be compatible with `rate.dtype`. Received: x.dtype={x._d} and rate.dtype={r._d}"
            )
        if r._shape:
            raise ValueError(f"`rate` must be a scalar, but has shape {r.shape}.")
        if r._special:
            return r
        _check_rate(float(r))
        return r
    if not isinstance(rate, int | float | np.floating | np.integer):
        raise ValueError(f"`rate` must be a scalar or scalar tensor. Received: rate={rate!r}")
    _check_rate(float(rate))
    return float(rate)


def _check_rate(rate: float) -> None:
    if not 0 <= rate < 1:
        raise ValueError(f"`rate` must be a scalar tensor or a float in the range [0, 1). Received: rate={rate}")


def _noise_shape(noise_shape: Any, x: Tensor) -> tuple[int | None, ...]:
    """The shape of the mask, None where it is the tensor's own dimension.

    Raises:
        InvalidArgumentError: such a mask does not broadcast to ``x``.
    """
    dims = x._shape
    if noise_shape is None:
        return (None,) * len(dims)
    if isinstance(noise_shape, Tensor | Variable | np.ndarray):
        noise_shape = vector(noise_shape, "noise_shape")
    given = [None if d is None else integer(d, "noise_shape") for d in noise_shape]
    shape = [1] * (len(dims) - len(given)) + given
    if len(shape) != len(dims) or any(
        n not in (None, 1, d) and d is not None for n, d in zip(shape, dims, strict=True)
    ):
        raise invalid(
            f"noise_shape {given} does not broadcast to the shape {dims_text(dims)} of x: each dimension must be that of x, 1 or None."
        )
    return tuple(shape)


def _dropout(x: Any, rate: Any, noise_shape: Any, key: Any) -> Tensor:
    x = convert(x)
    if not x._d.is_floating:
        raise ValueError(f"`x.dtype` must be a floating point tensor as `x` will be scaled. Received: x_dtype={x._d}")
    r = _rate(rate, x)
    if type(r) is float and r == 0:
        return x
    shape = _noise_shape(noise_shape, x)
    kept = 1.0 - r
    mask = rows.mask(key(x), kept if isinstance(kept, Tensor) else number(float64, kept), x, shape=shape)
    return act.keep_where(x * (1.0 / kept), mask)


def dropout(x: Any, rate: Any, noise_shape: Any = None, seed: Any = None, name: str | None = None) -> Tensor:
    """Each element 0 with probability ``rate``, and divided by 1 - rate if not (Srivastava et al. 2014, Dropout).

    Args:
        x: a float Tensor, or anything that converts to one.
        rate: a number in [0, 1), or a scalar Tensor of the dtype of ``x``.
        noise_shape: the shape in which it is drawn what is kept, each dimension that of ``x``, 1 (along which all share one fate)
            or None (that of ``x``).
        seed: the draw's own seed; see ``tf.random.set_seed``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape and dtype of ``x``; ``x`` itself where the rate is 0.

    Raises:
        ValueError: a dtype that is not floating, or a rate that is no scalar, out of range or of another dtype.
        InvalidArgumentError: ``noise_shape`` does not fit.

    >>> import gradtape as tf
    >>> tf.nn.dropout([1., 2.], rate=0.0).numpy().tolist()
    [1.0, 2.0]
    """
    return _dropout(x, rate, noise_shape, lambda x: _stream("dropout", x._d, seed)._key(1))


def _stateless_dropout(
    x: Any, rate: Any, seed: Any, rng_alg: Any = None, noise_shape: Any = None, name: str | None = None
) -> Tensor:
    """``tf.nn.dropout`` whose choice depends on ``seed``, an integer vector of 2 elements, alone."""
    return _dropout(x, rate, noise_shape, lambda x: _seed_key(seed))


_stateless_dropout.__name__ = "stateless_dropout"
experimental = SimpleNamespace(stateless_dropout=_stateless_dropout)
