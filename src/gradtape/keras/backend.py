"""The essentials of Keras 2's ``keras.backend``, ``K``: operations of gradtape under their old names."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

import gradtape as tf

from . import _keras


def _along(f: Any) -> Any:
    """A reduction with Keras's argument names."""

    def reduce(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return f(x, axis=axis, keepdims=keepdims)

    reduce.__name__, reduce.__doc__ = f.__name__.removeprefix("reduce_"), f.__doc__
    return reduce


mean, sum, prod, max, min = (
    _along(f) for f in (tf.reduce_mean, tf.reduce_sum, tf.reduce_prod, tf.reduce_max, tf.reduce_min)
)
std, var, logsumexp = (_along(f) for f in (tf.math.reduce_std, tf.math.reduce_variance, tf.reduce_logsumexp))
any, all = (_along(f) for f in (tf.reduce_any, tf.reduce_all))

abs, exp, log, sqrt, square, sign, sin, cos = tf.abs, tf.exp, tf.math.log, tf.sqrt, tf.square, tf.sign, tf.sin, tf.cos
pow, round, maximum, minimum, equal, not_equal = tf.pow, tf.round, tf.maximum, tf.minimum, tf.equal, tf.not_equal
greater, greater_equal, less, less_equal = tf.greater, tf.greater_equal, tf.less, tf.less_equal
relu, elu, softplus, softsign, sigmoid, tanh = (
    tf.nn.relu,
    tf.nn.elu,
    tf.math.softplus,
    tf.nn.softsign,
    tf.sigmoid,
    tf.tanh,
)
cast, reshape, transpose, stack, tile, gather = tf.cast, tf.reshape, tf.transpose, tf.stack, tf.tile, tf.gather
shape, one_hot, stop_gradient, constant = tf.shape, tf.one_hot, tf.stop_gradient, tf.constant
zeros_like, ones_like, identity, map_fn, foldl, foldr = (
    tf.zeros_like,
    tf.ones_like,
    tf.identity,
    tf.map_fn,
    tf.foldl,
    tf.foldr,
)


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) over its sum."""
    return tf.nn.softmax(x, axis)


def argmax(x: Any, axis: int = -1) -> Any:
    """The index of the greatest element."""
    return tf.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """The index of the smallest element."""
    return tf.argmin(x, axis)


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """x within two bounds."""
    return tf.clip_by_value(x, min_value, max_value)


def dot(x: Any, y: Any) -> Any:
    """The product over the last axis of x and the last but one of y."""
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    return tf.tensordot(x, y, [[len(x.shape) - 1], [len(y.shape) - 2 if len(y.shape) > 1 else 0]])


def concatenate(tensors: Any, axis: int = -1) -> Any:
    """Tensors joined along an axis."""
    return tf.concat(tensors, axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """Running sums."""
    return tf.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Running products."""
    return tf.math.cumprod(x, axis)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = "int32") -> Any:
    """Evenly spaced numbers."""
    return tf.range(0 if stop is None else start, start if stop is None else stop, step, dtype)


def eye(size: int, dtype: Any = None, name: str | None = None) -> Any:
    """A variable with the identity matrix."""
    return variable(np.eye(size), dtype, name)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """The products of two batches, summed over an axis of each; by default the last of x and the last but one of y."""
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    if axes is None:
        axes = (len(x.shape) - 1, builtins.max(1, len(y.shape) - 2))
    a, b = (axes, axes) if isinstance(axes, int) else axes
    out = _keras.layers.Dot((a, b))([x, y]) if len(x.shape) <= 3 and len(y.shape) <= 3 else None
    if out is None:
        raise ValueError(
            f"batch_dot takes tensors of rank 2 or 3, but got shapes {tuple(x.shape)} and {tuple(y.shape)}: use tf.einsum."
        )
    return out


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each part along an axis repeated."""
    return tf.repeat(x, rep, axis)


def repeat(x: Any, n: int) -> Any:
    """(rows, columns) as (rows, n, columns)."""
    return tf.repeat(tf.expand_dims(x, 1), n, 1)


def reverse(x: Any, axes: Any) -> Any:
    """Reversed along axes."""
    return tf.reverse(x, [axes] if isinstance(axes, int) else axes)


def hard_sigmoid(x: Any) -> Any:
    """x / 5 + 1 / 2 within 0 and 1, as in Keras 2."""
    return tf.clip_by_value(0.2 * tf.convert_to_tensor(x) + 0.5, 0.0, 1.0)


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Elements set to 0 with probability ``level``, the others scaled up."""
    return tf.nn.dropout(x, level, noise_shape, seed)


def update(x: Any, new_x: Any) -> Any:
    """Assign to a variable."""
    return x.assign(new_x)


def update_add(x: Any, increment: Any) -> Any:
    """Add to a variable."""
    return x.assign_add(increment)


def update_sub(x: Any, decrement: Any) -> Any:
    """Subtract from a variable."""
    return x.assign_sub(decrement)


def count_params(x: Any) -> int:
    """The number of elements."""
    return int(np.prod(tuple(x.shape)))


def print_tensor(x: Any, message: str = "", summarize: int = 3) -> Any:
    """Print x, and give it."""
    tf.print(message, x, summarize=summarize)
    return x


def flatten(x: Any) -> Any:
    """All elements in a row."""
    return tf.reshape(x, [-1])


def batch_flatten(x: Any) -> Any:
    """All elements of each row of a batch in a row."""
    return tf.reshape(x, [tf.shape(x)[0], -1])


def expand_dims(x: Any, axis: int = -1) -> Any:
    """A dimension of length 1 inserted."""
    return tf.expand_dims(x, axis)


def squeeze(x: Any, axis: int) -> Any:
    """A dimension of length 1 taken away."""
    return tf.squeeze(x, axis)


def permute_dimensions(x: Any, pattern: Any) -> Any:
    """The dimensions in another order."""
    return tf.transpose(x, pattern)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """x divided by its Euclidean norm."""
    return tf.nn.l2_normalize(x, axis)


def int_shape(x: Any) -> tuple:
    """The shape as a tuple."""
    return tuple(x.shape)


def ndim(x: Any) -> int:
    """The number of dimensions."""
    return len(x.shape)


def dtype(x: Any) -> str:
    """The name of the dtype."""
    return tf.as_dtype(x.dtype).name


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A variable of zeros."""
    return variable(np.zeros(shape), dtype, name)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A variable of ones."""
    return variable(np.ones(shape), dtype, name)


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Any:
    """A tf.Variable of the dtype ``dtype``, by default floatx."""
    return tf.Variable(tf.cast(value, dtype or _keras.backend.floatx()), name=name, constraint=constraint)


def get_value(x: Any) -> Any:
    """The value as an array."""
    return np.array(x)


eval = get_value


def set_value(x: Any, value: Any) -> None:
    """Assign to a variable."""
    x.assign(np.asarray(value))


def batch_get_value(tensors: Any) -> list:
    """The values of several variables."""
    return [get_value(x) for x in tensors]


def batch_set_value(tuples: Any) -> None:
    """Assign to several variables."""
    for x, value in tuples:
        set_value(x, value)


def random_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normal numbers."""
    return tf.random.normal(shape, mean, stddev, dtype or _keras.backend.floatx(), seed)


def random_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Uniform numbers."""
    return tf.random.uniform(shape, minval, maxval, dtype or _keras.backend.floatx(), seed)


def random_bernoulli(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """1 with probability ``p``, else 0."""
    return cast(random_uniform(shape, seed=seed) < p, dtype or _keras.backend.floatx())


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normal numbers, those beyond two deviations drawn again."""
    return tf.random.truncated_normal(shape, mean, stddev, dtype or _keras.backend.floatx(), seed)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether each target is among the k greatest predictions of its row."""
    return tf.math.in_top_k(targets, predictions, k)


def bias_add(x: Any, bias: Any, data_format: Any = None) -> Any:
    """A bias for each channel added."""
    first = data_format == "channels_first" and len(x.shape) > 2
    return x + tf.reshape(bias, [-1] + [1] * (len(x.shape) - 2)) if first else x + bias


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """One of two tensors or functions by a condition."""
    if callable(then_expression):
        return tf.cond(condition, then_expression, else_expression)
    return tf.where(condition, then_expression, else_expression)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """The binary cross-entropy of each element."""
    return _keras.ops.binary_crossentropy(target, output, from_logits)


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """The cross-entropy of each row."""
    return _keras.ops.categorical_crossentropy(target, output, from_logits, axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """The cross-entropy of each row with a class."""
    return _keras.ops.sparse_categorical_crossentropy(target, output, from_logits, axis)


def gradients(loss: Any, variables: Any) -> Any:
    """The gradients of a traced loss, inside a ``tf.function``."""
    return tf.gradients(loss, variables)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(_keras.backend, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_keras.backend)})
