"""Connectionist temporal classification."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.arguments import integer
from ..core.tensor import Tensor, convert
from ..ground.dtypes import int32, int64
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import activation as act
from ..primitives import ctc as rows
from ..primitives import structure as st


class SparseTensorValue(NamedTuple):
    """The elements of a matrix that are not empty: their places [n, 2], themselves [n], and the shape [2]."""

    indices: Tensor
    values: Tensor
    dense_shape: Tensor


def _blank(blank_index: Any, classes: Any, default: int) -> int:
    if classes is None:
        raise invalid("CTC needs a number of classes that is known while tracing: set the shape with tf.ensure_shape.")
    blank = default if blank_index is None else integer(blank_index, "blank_index")
    blank = blank + classes if blank < 0 else blank
    if not 0 <= blank < classes:
        raise invalid(f"blank_index must lie in [{-classes}, {classes}), but is {blank_index}.")
    return blank


def ctc_loss(
    labels: Any,
    logits: Any,
    label_length: Any,
    logit_length: Any,
    logits_time_major: bool = True,
    unique: Any = None,
    blank_index: Any = None,
    name: str | None = None,
) -> Tensor:
    """Minus the log-probability of sequences of labels without known times (Graves et al. 2006, Connectionist Temporal Classification).

    Each time has a class or the blank; repeated classes, and then blanks, fall away. Computed in logarithms. The gradient and its own
    gradient are there; where no alignment exists (too few times), the loss is infinite and the gradient 0.

    Args:
        labels: an integer Tensor [batch, most labels]; what is beyond ``label_length`` does not matter.
        logits: a float Tensor [times, batch, classes], unnormalised log-probabilities.
        label_length: an integer vector, the number of labels of each sequence.
        logit_length: an integer vector, the number of times of each sequence.
        logits_time_major: False where the logits are [batch, times, classes].
        unique: ignored, for TensorFlow's sake, where it saves work.
        blank_index: the class of the blank, negative ones counted from the end; None for 0.
        name: ignored, for TensorFlow's sake.

    Returns:
        A vector of the losses, of the dtype of ``logits``.

    Raises:
        InvalidArgumentError: shapes that do not fit, labels or lengths out of range, or labels that are no integers.

    >>> import gradtape as tf
    >>> print(tf.exp(-tf.nn.ctc_loss([[1]], tf.zeros([2, 1, 2]), [1], [2])))
    tf.Tensor([0.75], shape=(1,), dtype=float32)
    """
    z, y = convert(logits), convert(labels)
    if label_length is None or logit_length is None:
        raise ValueError("label_length and logit_length must be given: labels are a dense matrix.")
    if len(z._shape) != 3:
        raise invalid(f"logits must have 3 dimensions, time, batch and classes, but have shape {dims_text(z._shape)}.")
    if not logits_time_major:
        z = st.transpose(z, perm=(1, 0, 2))
    logp = act.log_softmax(z, axis=2)
    return rows.ctc(logp, y, convert(label_length), convert(logit_length), blank=_blank(blank_index, z._shape[2], 0))[0]


def ctc_greedy_decoder(
    inputs: Any, sequence_length: Any, merge_repeated: bool = True, blank_index: Any = None
) -> tuple[list[SparseTensorValue], Tensor]:
    """The likeliest class at each time, with repeats and blanks left out.

    Args:
        inputs: a float Tensor [times, batch, classes] of logits.
        sequence_length: an integer vector, the number of times of each sequence.
        merge_repeated: whether equal classes at consecutive times are one.
        blank_index: the class of the blank, negative ones counted from the end; None for the last.

    Returns:
        ([decoded], neg_sum_logits): the labels as a SparseTensorValue of int64 (indices, values and dense_shape), and [batch, 1] minus the sum of
        the largest logits of each sequence.

    Raises:
        InvalidArgumentError: shapes that do not fit, or a length out of range.

    >>> import gradtape as tf
    >>> (decoded,), _ = tf.nn.ctc_greedy_decoder(tf.one_hot([[0], [0], [2], [0], [1]], 3), [5])
    >>> decoded.values.numpy().tolist()
    [0, 0, 1]
    """
    z = convert(inputs)
    if len(z._shape) != 3:
        raise invalid(f"inputs must have 3 dimensions, time, batch and classes, but have shape {dims_text(z._shape)}.")
    blank = _blank(blank_index, z._shape[2], -1)
    indices, values, shape, score = rows.ctc_greedy(
        z, convert(sequence_length), blank=blank, merge=bool(merge_repeated)
    )
    return [SparseTensorValue(indices, values, shape)], score


def ctc_unique_labels(labels: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The different labels of each sequence in the order in which they come, and for each label which of them it is.

    Args:
        labels: an integer matrix [batch, length], whose values are known.
        name: ignored, for TensorFlow's sake.

    Returns:
        (unique, number): the labels, int64 [batch, length] with zeros behind; and int32 [batch, length].

    Raises:
        InvalidArgumentError: it is no matrix.

    >>> import gradtape as tf
    >>> [t.numpy().tolist() for t in tf.nn.ctc_unique_labels([[5, 7, 5]])]
    [[[5, 7, 0]], [[0, 1, 0]]]
    """
    a = np.asarray(convert(labels))
    if a.ndim != 2:
        raise invalid(f"labels must be a matrix, but have shape {dims_text(a.shape)}.")
    unique, number = np.zeros(a.shape, np.int64), np.zeros(a.shape, np.int32)
    for row, to, at in zip(a, unique, number, strict=True):
        values, first, inverse = np.unique(row, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(first))
        to[rank] = values
        at[:] = rank[inverse]
    return convert(unique, int64), convert(number, int32)


def collapse_repeated(labels: Any, seq_length: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Equal labels side by side made one.

    Args:
        labels: an integer matrix [batch, length], whose values are known.
        seq_length: an integer vector, the number of labels of each sequence.
        name: ignored, for TensorFlow's sake.

    Returns:
        (labels, lengths): the collapsed labels [batch, the longest], with zeros behind, and their numbers.

    Raises:
        InvalidArgumentError: they are no matrix and vector of one batch.

    >>> import gradtape as tf
    >>> [t.numpy().tolist() for t in tf.nn.collapse_repeated([[1, 1, 2, 1]], [4])]
    [[[1, 2, 1]], [3]]
    """
    y, n = convert(labels), convert(seq_length)
    a, lengths = np.asarray(y), np.asarray(n)
    if a.ndim != 2 or lengths.shape != a.shape[:1]:
        raise invalid(
            f"labels must be a matrix and seq_length a vector with a number for each row, but have shapes {dims_text(a.shape)} and {dims_text(lengths.shape)}."
        )
    kept = np.arange(a.shape[1]) < lengths[:, None]
    kept[:, 1:] &= a[:, 1:] != a[:, :-1]
    counts = np.add.reduce(kept, axis=1)
    out = np.zeros((len(a), counts.max(initial=0)), a.dtype)
    out[np.arange(out.shape[1]) < counts[:, None]] = a[kept]
    return convert(out, y._d), convert(counts, n._d)
