"""Activations: ``tf.nn.relu`` and its like, softmax."""

from __future__ import annotations

from typing import Any

from ..core.arguments import axis_of
from ..core.operators import pair, unary
from ..core.tensor import Tensor, convert
from ..ground.dtypes import float32
from ..ground.primitive import Primitive
from ..primitives import activation as act
from ..primitives import elementwise as ew
from ..primitives import structure as st

sigmoid, tanh = unary(ew.sigmoid), unary(ew.tanh)
_relu, _relu6, _elu, _selu, _softplus, _softsign = map(
    unary, (act.relu, act.relu6, act.elu, act.selu, ew.softplus, act.softsign)
)


def relu(features: Any, name: str | None = None) -> Tensor:
    """max(features, 0), elementwise. The gradient is 0 where features <= 0.

    Args:
        features: a real Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: a dtype that is not real.

    >>> import gradtape as tf
    >>> tf.nn.relu([-2., 0., 3.]).numpy().tolist()
    [0.0, 0.0, 3.0]
    """
    return _relu(features)


def relu6(features: Any, name: str | None = None) -> Tensor:
    """min(max(features, 0), 6), elementwise (Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10).

    Args, returns and raises: as ``tf.nn.relu``.

    >>> import gradtape as tf
    >>> tf.nn.relu6([-2., 3., 9.]).numpy().tolist()
    [0.0, 3.0, 6.0]
    """
    return _relu6(features)


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """features where they are positive, else alpha·features (Maas et al. 2013).

    Args:
        features: a real Tensor, or anything that converts to one; integers become float32.
        alpha: the slope for features <= 0, a number.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape.

    Raises:
        InvalidArgumentError: a dtype that is not real.
        TypeError: ``alpha`` is no number.

    >>> import gradtape as tf
    >>> tf.nn.leaky_relu([-2., 3.], alpha=0.5).numpy().tolist()
    [-1.0, 3.0]
    """
    x = convert(features)
    if x._d.is_integer:
        x = st.cast(x, float32)
    return act.leaky_relu(x, alpha=float(alpha))


def elu(features: Any, name: str | None = None) -> Tensor:
    """features where they are positive, else exp(features) - 1 (Clevert et al. 2015, Exponential Linear Units).

    Args:
        features: a float Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: a dtype that is not floating.

    >>> import gradtape as tf
    >>> tf.nn.elu([0., 3.]).numpy().tolist()
    [0.0, 3.0]
    """
    return _elu(features)


def selu(features: Any, name: str | None = None) -> Tensor:
    """scale·elu with the scale 1.0507 and, for negative features, 1.0507·1.6733·(exp(features) - 1).

    With them, mean 0 and variance 1 are kept from layer to layer (Klambauer et al. 2017, Self-Normalizing Neural Networks).

    Args, returns and raises: as ``tf.nn.elu``.

    >>> import gradtape as tf
    >>> tf.nn.selu(1.0).numpy()
    np.float32(1.050701)
    """
    return _selu(features)


def crelu(features: Any, axis: Any = -1, name: str | None = None) -> Tensor:
    """relu of the features and of their negatives, joined along an axis (Shang et al. 2016, Concatenated Rectified Linear Units).

    Args:
        features: a real Tensor of at least one dimension, or anything that converts to one.
        axis: the axis that becomes twice as long.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same dtype.

    Raises:
        InvalidArgumentError: a dtype that is not real, or an axis out of range.

    >>> import gradtape as tf
    >>> tf.nn.crelu([1., -2.]).numpy().tolist()
    [1.0, 0.0, 0.0, 2.0]
    """
    x = convert(features)
    return act.relu(st.concat(x, ew.neg(x), axis=axis_of(axis, len(x._shape))))


def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Tensor:
    """features·Φ(features), Φ the standard normal distribution function (Hendrycks & Gimpel 2016).

    Args:
        features: a float Tensor, or anything that converts to one.
        approximate: use features/2·(1 + tanh(sqrt(2/π)·(features + 0.044715·features³))) instead.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: a dtype that is not floating.

    >>> import gradtape as tf
    >>> tf.nn.gelu(1.0).numpy()
    np.float32(0.8413447)
    """
    x = convert(features)
    if not x._d.is_floating:
        raise ValueError(
            f"`features.dtype` must be a floating point tensor. Received: features.dtype={x._d}: convert it with tf.cast."
        )
    return act.gelu(x, approximate=bool(approximate))


def silu(features: Any, beta: Any = 1.0) -> Tensor:
    """features·sigmoid(beta·features), also named swish (Ramachandran et al. 2017, Searching for Activation Functions).

    Args:
        features: a float or complex Tensor, or anything that converts to one.
        beta: a number or a Tensor, to which gradients flow too.

    Returns:
        A Tensor of the same dtype.

    Raises:
        InvalidArgumentError: a dtype that is neither floating nor complex, or another one for ``beta``.

    >>> import gradtape as tf
    >>> tf.nn.silu(0.0).numpy()
    np.float32(0.0)
    """
    x = convert(features)
    return ew.mul(x, ew.sigmoid(x if type(beta) in (float, int) and beta == 1 else ew.mul(*pair(ew.mul, beta, x))))


swish = silu


def softplus(features: Any, name: str | None = None) -> Tensor:
    """log(1 + exp(features)), elementwise, without overflow.

    Args, returns and raises: as ``tf.nn.elu``.

    >>> import gradtape as tf
    >>> tf.nn.softplus(1000.0).numpy()
    np.float32(1000.0)
    """
    return _softplus(features)


def softsign(features: Any, name: str | None = None) -> Tensor:
    """features / (1 + |features|), elementwise.

    Args, returns and raises: as ``tf.nn.elu``.

    >>> import gradtape as tf
    >>> tf.nn.softsign([-1., 3.]).numpy().tolist()
    [-0.5, 0.75]
    """
    return _softsign(features)


def _class_axis(axis: Any, x: Tensor) -> int:
    """The axis of the classes; 0 for a scalar, of which the row says that it has none."""
    return axis_of(-1 if axis is None else axis, len(x._shape), "dim") if x._shape else 0


def _along(p: Primitive, logits: Any, axis: Any) -> Tensor:
    x = convert(logits)
    return p(x, axis=_class_axis(axis, x))


def softmax(logits: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """exp(logits) / sum(exp(logits)) along an axis, without overflow.

    Args:
        logits: a float Tensor of at least one dimension, or anything that converts to one.
        axis: the axis; None means the last.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: a dtype that is not floating, a scalar, or an axis out of range.

    >>> import gradtape as tf
    >>> tf.nn.softmax([[1000., 1000.], [0., 0.]]).numpy().tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    return _along(act.softmax, logits, axis)


def log_softmax(logits: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """logits - log(sum(exp(logits))) along an axis, without overflow.

    Args, returns and raises: as ``tf.nn.softmax``.

    >>> import gradtape as tf
    >>> tf.nn.log_softmax([0., -1000.]).numpy().tolist()
    [0.0, -1000.0]
    """
    return _along(act.log_softmax, logits, axis)
