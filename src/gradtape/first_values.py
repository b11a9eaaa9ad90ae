"""``tf.zeros_initializer`` and its kin: objects that make the first values of variables. Keras's own are in ``tf.keras.initializers``."""

from __future__ import annotations

from typing import Any

from .core.tensor import Tensor, constant
from .creation import ones, zeros
from .ground.dtypes import as_dtype, float32
from .random import normal, uniform

__all__ = ["constant_initializer", "ones_initializer", "random_normal_initializer", "random_uniform_initializer", "zeros_initializer"]  # fmt: skip


class _Initializer:
    """What every initializer has: the arguments it was made of."""

    def get_config(self) -> dict[str, Any]:
        """The arguments, by name."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An initializer of these arguments."""
        return cls(**{k: v for k, v in config.items() if k != "dtype"})


class zeros_initializer(_Initializer):
    """Zeros.

    >>> import gradtape as tf
    >>> tf.Variable(tf.zeros_initializer()([2])).numpy().tolist()
    [0.0, 0.0]
    """

    def __call__(self, shape: Any, dtype: Any = float32, **kwargs: Any) -> Tensor:
        return zeros(shape, dtype)


class ones_initializer(_Initializer):
    """Ones.

    >>> import gradtape as tf
    >>> tf.ones_initializer()([2], tf.int32).numpy().tolist()
    [1, 1]
    """

    def __call__(self, shape: Any, dtype: Any = float32, **kwargs: Any) -> Tensor:
        return ones(shape, dtype)


class constant_initializer(_Initializer):
    """A number everywhere, or the elements of a list in rows.

    Args:
        value: a number, a list or an array; a list must have as many elements as the shape.
        support_partition: accepted for TensorFlow's sake.

    >>> import gradtape as tf
    >>> tf.constant_initializer([1, 2, 3, 4])([2, 2]).numpy().tolist()
    [[1, 2], [3, 4]]
    """

    def __init__(self, value: Any = 0, support_partition: bool = False) -> None:
        self.value = value
        self.support_partition = support_partition

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        return constant(self.value, dtype, shape)


class random_normal_initializer(_Initializer):
    """Normally distributed numbers.

    Args:
        mean, stddev: of the distribution.
        seed: an integer; without it, the global seed alone decides.

    >>> import gradtape as tf
    >>> tf.random_normal_initializer(stddev=0.1)([3, 2]).shape
    TensorShape([3, 2])
    """

    def __init__(self, mean: Any = 0.0, stddev: Any = 0.05, seed: Any = None) -> None:
        self.mean = mean
        self.stddev = stddev
        self.seed = seed

    def __call__(self, shape: Any, dtype: Any = float32, **kwargs: Any) -> Tensor:
        _floating(dtype)
        return normal(shape, self.mean, self.stddev, dtype, self.seed)


class random_uniform_initializer(_Initializer):
    """Numbers from ``minval`` up to, without, ``maxval``; also integers.

    Args:
        minval, maxval: the bounds.
        seed: an integer; without it, the global seed alone decides.

    >>> import gradtape as tf
    >>> bool(tf.reduce_all(tf.random_uniform_initializer(0, 5)([9], tf.int32) < 5))
    True
    """

    def __init__(self, minval: Any = -0.05, maxval: Any = 0.05, seed: Any = None) -> None:
        self.minval = minval
        self.maxval = maxval
        self.seed = seed

    def __call__(self, shape: Any, dtype: Any = float32, **kwargs: Any) -> Tensor:
        return uniform(shape, self.minval, self.maxval, dtype, self.seed)


def _floating(dtype: Any) -> None:
    if not as_dtype(dtype).is_floating:
        raise ValueError(f"Argument `dtype` is expected to be floating point. Received: {dtype}.")
