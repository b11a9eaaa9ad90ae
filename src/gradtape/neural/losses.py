"""Losses of ``tf.nn``."""

from __future__ import annotations

import math
from typing import Any

from ..core.operators import pair
from ..core.tensor import Tensor, convert
from ..ground.errors import invalid
from ..ground.primitive import Primitive
from ..ground.shapes import dims_text
from ..primitives import activation as act
from ..primitives import elementwise as ew
from ..primitives import reduction as rd
from ..primitives import structure as st
from .activations import _class_axis


def _alike(p: Primitive, x: Any, y: Any, x_name: str, y_name: str) -> tuple[Tensor, Tensor]:
    """Two tensors of one dtype and one shape. A (n, 1) and a (n,) would else broadcast, and the loss be of every pair.

    Raises:
        ValueError: one is None.
        InvalidArgumentError: the dtypes or the shapes differ.
    """
    if x is None or y is None:
        raise ValueError(
            f"Both `{x_name}` and `{y_name}` must be provided. Received: {x_name}={x!r} and {y_name}={y!r}"
        )
    a, b = pair(p, x, y)
    if not a.shape.is_compatible_with(b.shape):
        raise invalid(f"`{x_name}` and `{y_name}` must have the same shape, received ({dims_text(a._shape)} vs {dims_text(b._shape)}): "
                      f"use tf.reshape or tf.squeeze on one of them.")  # fmt: skip
    return a, b


def _one_row_for_all(labels: tuple, logits: tuple, axis: int) -> bool:
    """Whether the labels are a single distribution over the same classes; no other broadcasting is meant by anyone."""
    return 0 < len(labels) <= len(logits) == axis + 1 and labels[-1] == logits[-1] and all(d == 1 for d in labels[:-1])


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: Any = -1, name: str | None = None) -> Tensor:
    """-sum(labels·log(softmax(logits))) along an axis.

    The gradient with respect to the logits is softmax(logits) - labels, also where the labels do not sum to 1.

    Args:
        labels: the probabilities of the classes, of the shape of ``logits`` (or one row for all: its other dimensions 1 or left out),
            of any real dtype: they are converted to that of ``logits``.
        logits: a float Tensor, unnormalised log-probabilities.
        axis: the axis of the classes.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``logits`` without ``axis``.

    Raises:
        ValueError: one of them is None.
        InvalidArgumentError: the shapes differ, an axis out of range, or logits that are not floating.

    >>> import gradtape as tf
    >>> print(tf.nn.softmax_cross_entropy_with_logits(labels=[[0., 1.]], logits=[[0., 0.]]))
    tf.Tensor([0.6931472], shape=(1,), dtype=float32)
    """
    x = convert(logits)
    y = st.cast(convert(labels, None, x._d), x._d)
    a = _class_axis(axis, x)
    if y._shape != x._shape and _one_row_for_all(y._shape, x._shape, a):
        y = st.broadcast_to(y, shape=x._shape)
    return act.softmax_xent(x, y, axis=a)[0]


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Tensor:
    """-log(softmax(logits)[label]) along the last axis.

    Args:
        labels: an integer Tensor of class numbers, of the shape of ``logits`` without its last dimension.
        logits: a float Tensor, unnormalised log-probabilities; its last dimension holds the classes.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``labels`` and the dtype of ``logits``.

    Raises:
        ValueError: one of them is None.
        InvalidArgumentError: the shapes do not fit, labels that are no integers or out of range, or logits that are not floating.

    >>> import gradtape as tf
    >>> tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1], logits=[[0., 1000.]]).numpy().tolist()
    [0.0]
    """
    return act.sparse_softmax_xent(convert(logits), convert(labels))[0]


def sigmoid_cross_entropy_with_logits(labels: Any = None, logits: Any = None, name: str | None = None) -> Tensor:
    """-labels·log(sigmoid(logits)) - (1 - labels)·log(1 - sigmoid(logits)), elementwise, without overflow.

    Args:
        labels: probabilities, a Tensor of the shape and dtype of ``logits``.
        logits: a float Tensor, log(p / (1 - p)).
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: one of them is None.
        InvalidArgumentError: the shapes or dtypes differ, or the dtype is not floating.

    >>> import gradtape as tf
    >>> tf.nn.sigmoid_cross_entropy_with_logits(labels=[0., 1.], logits=[-1000., 1000.]).numpy().tolist()
    [0.0, 0.0]
    """
    x, z = _alike(act.sigmoid_xent, logits, labels, "logits", "labels")
    return act.sigmoid_xent(x, z)


def weighted_cross_entropy_with_logits(labels: Any, logits: Any, pos_weight: Any, name: str | None = None) -> Tensor:
    """-pos_weight·labels·log(sigmoid(logits)) - (1 - labels)·log(1 - sigmoid(logits)), elementwise, without overflow.

    Args:
        labels: probabilities, a Tensor of the shape and dtype of ``logits``.
        logits: a float Tensor, log(p / (1 - p)).
        pos_weight: the weight of the positive class: above 1 fewer positives are missed, below 1 fewer are reported wrongly. A number,
            or a Tensor that broadcasts with ``logits``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: one of them is None.
        InvalidArgumentError: the shapes or dtypes differ, or the dtype is not floating.

    >>> import gradtape as tf
    >>> tf.nn.weighted_cross_entropy_with_logits(labels=[1.], logits=[1000.], pos_weight=2.).numpy().tolist()
    [0.0]
    """
    x, z = _alike(ew.mul, logits, labels, "logits", "labels")
    weight = 1 + (convert(pos_weight, None, x._d) - 1.0) * z
    return (1 - z) * x + weight * ew.softplus(-x)


def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None) -> Tensor:
    """exp(log_input) - targets·log_input: minus the log-likelihood of counts, up to a term of the targets alone.

    Args:
        targets: the counts, a Tensor of the shape and dtype of ``log_input``.
        log_input: a float Tensor, the logarithm of the predicted mean.
        compute_full_loss: add Stirling's approximation of log(targets!), which is left out for targets up to 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: one of them is None.
        InvalidArgumentError: the shapes or dtypes differ, or the dtype is not floating.

    >>> import gradtape as tf
    >>> tf.nn.log_poisson_loss(targets=[2.], log_input=[0.]).numpy().tolist()
    [1.0]
    """
    x, t = _alike(ew.exp, log_input, targets, "log_input", "targets")
    loss = ew.exp(x) - x * t
    if not compute_full_loss:
        return loss
    zero, one = st.zeros_like(t), st.ones_like(t)
    small = ew.logical_and(ew.greater_equal(t, zero), ew.less_equal(t, one))
    n = ew.select(small, one, t)  # not t itself: the gradient of 0·log(0) is NaN, whatever `select` then takes
    stirling = n * ew.log(n) - n + 0.5 * ew.log(2 * math.pi * n)
    return loss + ew.select(small, zero, stirling)


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """sum(t²) / 2: half the squared norm, without the root.

    Args:
        t: a float Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A scalar Tensor of the same dtype.

    Raises:
        InvalidArgumentError: a dtype that is not floating.

    >>> import gradtape as tf
    >>> tf.nn.l2_loss([1., 2.]).numpy()
    np.float32(2.5)
    """
    return act.l2_loss(convert(t))


def compute_average_loss(per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None) -> Tensor:
    """The sum of the losses of examples divided by their number.

    Args:
        per_example_loss: a float Tensor of at least one dimension, the first of which is the batch.
        sample_weight: weights of the examples, or None.
        global_batch_size: the number to divide by; None for the length of the first dimension.

    Returns:
        A scalar Tensor.

    Raises:
        ValueError: ``per_example_loss`` is a scalar.

    >>> import gradtape as tf
    >>> tf.nn.compute_average_loss([1., 2.], sample_weight=[0.5, 0.5]).numpy()
    np.float32(0.75)
    """
    loss = convert(per_example_loss)
    if not loss._shape:
        raise ValueError("`per_example_loss` must have at least one dimension, that of the batch.")
    if sample_weight is not None:
        weight = convert(sample_weight, None, loss._d)
        missing = len(loss._shape) - len(weight._shape)
        loss = loss * st.reshape(st.cast(weight, loss._d), shape=(*weight._shape, *(1,) * missing))
    total = rd.sum(loss, axis=tuple(range(len(loss._shape))), keepdims=False)
    if global_batch_size is None:
        global_batch_size = loss._shape[0]
        if global_batch_size is None:
            raise invalid("The size of the batch must be known while tracing: give global_batch_size.")
    return total / st.cast(convert(global_batch_size), loss._d)


def scale_regularization_loss(regularization_loss: Any) -> Tensor:
    """The sum of regularisation losses, divided by the number of replicas, which is 1.

    Args:
        regularization_loss: a Tensor, or several.

    Returns:
        A scalar Tensor.

    >>> import gradtape as tf
    >>> tf.nn.scale_regularization_loss([1., 2.]).numpy()
    np.float32(3.0)
    """
    loss = convert(regularization_loss)
    return rd.sum(loss, axis=tuple(range(len(loss._shape))), keepdims=False)
