"""Losses over many classes, of which a sample stands for all."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.arguments import integer
from ..core.operators import number
from ..core.products import matmul
from ..core.reductions import reduce_any
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground.dtypes import float32, int32, int64
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..indexing import embedding_lookup
from ..primitives import elementwise as ew
from ..primitives import indexing as ix
from ..primitives import reduction as rd
from ..primitives import structure as st
from ..random.candidates import log_uniform_candidate_sampler
from .losses import sigmoid_cross_entropy_with_logits, softmax_cross_entropy_with_logits


def _hits(true: Tensor, sampled: Tensor) -> Tensor:
    """Which sampled class is one of the true ones of which row: bool [rows, sampled]."""
    t = st.reshape(true, shape=(*true._shape, 1))
    return reduce_any(ew.equal(t, st.reshape(sampled, shape=(1, 1, *sampled._shape))), 1)


def _labels(labels: Any, num_true: Any) -> Tensor:
    """The true classes as an int64 matrix.

    Raises:
        InvalidArgumentError: they are no integers, or no matrix with ``num_true`` columns.
    """
    y = convert(labels)
    if not y._d.is_integer:
        raise invalid(f"The true classes must be integers, but are {y._d.name}.")
    if len(y._shape) != 2 or y._shape[1] not in (integer(num_true, "num_true"), None):
        raise invalid(
            f"The true classes must be a matrix with num_true = {num_true} columns, but have shape {dims_text(y._shape)}."
        )
    return st.cast(y, int64)


def compute_accidental_hits(
    true_classes: Any, sampled_candidates: Any, num_true: int, seed: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Where a sampled class is a true one.

    Args:
        true_classes: an int64 matrix [batch, num_true].
        sampled_candidates: an int64 vector.
        num_true: how many true classes each row has.
        seed: ignored, for TensorFlow's sake.
        name: ignored, for TensorFlow's sake.

    Returns:
        (rows, places, weights): int32 rows, int64 places among the sampled, and for each the lowest float32, to be added to its logit.

    Raises:
        InvalidArgumentError: shapes or dtypes that do not fit.

    >>> import gradtape as tf
    >>> rows, places, _ = tf.nn.compute_accidental_hits([[1], [4]], [3, 4, 1], 1)
    >>> rows.numpy().tolist(), places.numpy().tolist()
    ([0, 1], [2, 1])
    """
    at = ix.nonzero(_hits(_labels(true_classes, num_true), st.cast(convert(sampled_candidates), int64)))
    rows, places = ix.take_one(at, 1, 0), ix.take_one(at, 1, 1)
    weights = st.cast(st.zeros_like(rows), float32) + number(float32, float(np.finfo(np.float32).min))
    return st.cast(rows, int32), places, weights


def _sampled_logits(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: Any,
    num_classes: Any,
    num_true: Any,
    sampled_values: Any,
    remove: bool,
    seed: Any,
) -> tuple[Tensor, Tensor]:
    """The logits of the true classes and of the sampled ones, [batch, num_true + num_sampled], and the labels: a share each, then zeros."""
    x, y = convert(inputs), _labels(labels, num_true)
    weights, biases = (
        v if isinstance(v, Variable | list | tuple) else convert(v, None, x._d) for v in (weights, biases)
    )
    if sampled_values is None:
        sampled_values = log_uniform_candidate_sampler(y, num_true, num_sampled, True, num_classes, seed)
    sampled, true_count, sampled_count = (st.stop_gradient(convert(v)) for v in sampled_values)
    sampled = st.cast(sampled, int64)
    batch, n = y._shape
    ids = st.concat(st.reshape(y, shape=(batch * n,)), sampled, axis=0)
    w, b = embedding_lookup(weights, ids), embedding_lookup(biases, ids)
    k = batch * n
    true_w = st.reshape(ix.along(w, 0, 0, k), shape=(batch, n, w._shape[1]))
    true = rd.sum(st.expand_dims(x, 1) * true_w, axis=(2,), keepdims=False)
    true = true + st.reshape(ix.along(b, 0, 0, k), shape=(batch, n))
    others = matmul(x, ix.along(w, 0, k, ids._shape[0]), transpose_b=True) + ix.along(b, 0, k, ids._shape[0])
    if remove:
        others = ew.select(
            _hits(y, sampled), others + number(others._d, 0.5 * float(np.finfo(others._d.np).min)), others
        )
    true = true - ew.log(st.cast(true_count, true._d))
    others = others - ew.log(st.cast(sampled_count, others._d))
    shares = st.concat(st.ones_like(true) * (1 / n), st.zeros_like(others), axis=1)
    return st.concat(true, others, axis=1), shares


def nce_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = False,
    name: str | None = "nce_loss",
) -> Tensor:
    """Noise-contrastive estimation: telling true classes from drawn ones (Gutmann & Hyvärinen 2010; Mnih & Teh 2012).

    Args:
        weights: a float Tensor or Variable [num_classes, size], or a list of such that hold consecutive rows.
        biases: a vector [num_classes].
        labels: an int64 matrix [batch, num_true] of the true classes.
        inputs: a float Tensor [batch, size].
        num_sampled: how many classes to draw for the batch.
        num_classes: how many there are.
        num_true: how many true classes each example has; they share one label of 1.
        sampled_values: (classes, expected counts of the true ones, of the drawn ones) of a candidate sampler; None:
            ``tf.random.log_uniform_candidate_sampler``, for classes in the order of their frequency.
        remove_accidental_hits: leave out drawn classes that are true ones of the example.
        name: ignored, for TensorFlow's sake.

    Returns:
        A vector of the losses of the examples. The gradients of ``weights`` and ``biases`` are IndexedSlices.

    Raises:
        InvalidArgumentError: shapes or dtypes that do not fit.

    >>> import gradtape as tf
    >>> sampled = tf.constant([0, 2]), tf.ones([1, 1]), tf.ones([2])
    >>> print(tf.nn.nce_loss(tf.zeros([4, 3]), tf.zeros([4]), [[1]], tf.ones([1, 3]), 2, 4, sampled_values=sampled))
    tf.Tensor([2.0794415], shape=(1,), dtype=float32)
    """
    logits, shares = _sampled_logits(
        weights,
        biases,
        labels,
        inputs,
        num_sampled,
        num_classes,
        num_true,
        sampled_values,
        remove_accidental_hits,
        None,
    )
    return rd.sum(sigmoid_cross_entropy_with_logits(shares, logits), axis=(1,), keepdims=False)


def sampled_softmax_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = True,
    seed: Any = None,
    name: str | None = "sampled_softmax_loss",
) -> Tensor:
    """The softmax cross-entropy over the true and some drawn classes in place of all, for training (Jean et al. 2014).

    Args:
        weights: as for ``tf.nn.nce_loss``; so are those up to ``sampled_values``.
        biases: a vector [num_classes].
        labels: an int64 matrix [batch, num_true] of the true classes.
        inputs: a float Tensor [batch, size].
        num_sampled: how many classes to draw for the batch.
        num_classes: how many there are.
        num_true: how many true classes each example has.
        sampled_values: (classes, expected counts of the true ones, of the drawn ones), or None.
        remove_accidental_hits: leave out drawn classes that are true ones of the example.
        seed: the draw's own seed; see ``tf.random.set_seed``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A vector of the losses of the examples. The gradients of ``weights`` and ``biases`` are IndexedSlices.

    Raises:
        InvalidArgumentError: shapes or dtypes that do not fit.

    >>> import gradtape as tf
    >>> sampled = tf.constant([0, 2]), tf.ones([1, 1]), tf.ones([2])
    >>> print(tf.nn.sampled_softmax_loss(tf.zeros([4, 3]), tf.zeros([4]), [[1]], tf.ones([1, 3]), 2, 4, sampled_values=sampled))
    tf.Tensor([1.0986123], shape=(1,), dtype=float32)
    """
    logits, shares = _sampled_logits(
        weights,
        biases,
        labels,
        inputs,
        num_sampled,
        num_classes,
        num_true,
        sampled_values,
        remove_accidental_hits,
        seed,
    )
    return softmax_cross_entropy_with_logits(st.stop_gradient(shares), logits)
