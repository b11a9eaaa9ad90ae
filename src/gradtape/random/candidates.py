"""Candidate samplers: the classes that a sampled softmax or noise-contrastive loss compares the true ones with."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.arguments import integer
from ..core.tensor import Tensor, convert
from ..ground import dtypes as dt
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import distribution as ds
from ..primitives import structure as st
from .generator import stream


class Candidates(NamedTuple):
    """What a candidate sampler gives: the classes drawn, and how often the true and the drawn ones were to be expected."""

    sampled_candidates: Tensor
    true_expected_count: Tensor
    sampled_expected_count: Tensor


def _true_classes(true_classes: Any, num_true: Any) -> Tensor:
    true = convert(true_classes, None, dt.int64)
    if not true._d.is_integer:
        raise invalid(f"true_classes must be made of integers, but is {true._d.name}.")
    n = integer(num_true, "num_true")
    if len(true._shape) != 2 or true._shape[1] not in (n, None):
        raise invalid(f"true_classes must have shape [batch, num_true], num_true being {n}, but has {dims_text(true._shape)}.")  # fmt: skip
    return st.cast(true, dt.int64)


def _sample(how: str, true_classes: Any, num_true: Any, num_sampled: Any, unique: Any, range_max: Any, seed: Any, weights: Any = ()) -> Candidates:  # fmt: skip
    true = _true_classes(true_classes, num_true)
    attrs = {"num_sampled": integer(num_sampled, "num_sampled"), "unique": bool(unique), "range_max": integer(range_max, "range_max"), "how": how}  # fmt: skip
    table = Tensor(np.asarray(weights, np.float64), dt.float64)
    key = stream(how + "_candidates", dt.int64, seed)._key(1)
    return Candidates(*ds.candidates(key, true, table, **attrs))


def uniform_candidate_sampler(true_classes: Any, num_true: Any, num_sampled: Any, unique: Any, range_max: Any, seed: Any = None, name: str | None = None) -> Candidates:  # fmt: skip
    """Classes of which each is as likely as any other.

    Args:
        true_classes: an integer Tensor of shape [batch, num_true]: the true classes, in [0, range_max).
        num_true: how many true classes each example has.
        num_sampled: how many classes to draw; one draw serves the whole batch.
        unique: whether all of them must be different.
        range_max: the number of classes.
        seed: the draw's own seed; see ``tf.random.set_seed``.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``sampled_candidates`` (int64, [num_sampled]), ``true_expected_count`` (float32, [batch, num_true]) and ``sampled_expected_count``
        (float32, [num_sampled]): how often a class was to be expected among the drawn ones.

    Raises:
        InvalidArgumentError: true classes of the wrong shape or out of range; more different classes than there are.

    >>> import gradtape as tf
    >>> classes, _, _ = tf.random.uniform_candidate_sampler([[1]], 1, 4, True, 4)
    >>> sorted(classes.numpy().tolist())
    [0, 1, 2, 3]
    """
    return _sample("uniform", true_classes, num_true, num_sampled, unique, range_max, seed)


def log_uniform_candidate_sampler(true_classes: Any, num_true: Any, num_sampled: Any, unique: Any, range_max: Any, seed: Any = None, name: str | None = None) -> Candidates:  # fmt: skip
    """Classes with the probabilities log((c + 2)/(c + 1)) / log(range_max + 1), by Zipf's law: for words in order of frequency.

    Args, returns and raises: as ``tf.random.uniform_candidate_sampler``.

    >>> import gradtape as tf
    >>> tf.random.log_uniform_candidate_sampler([[1]], 1, 4, False, 50).true_expected_count.shape
    TensorShape([1, 1])
    """
    return _sample("log_uniform", true_classes, num_true, num_sampled, unique, range_max, seed)


def fixed_unigram_candidate_sampler(true_classes: Any, num_true: Any, num_sampled: Any, unique: Any, range_max: Any, vocab_file: str = "", distortion: Any = 1.0,
                                    num_reserved_ids: Any = 0, num_shards: Any = 1, shard: Any = 0, unigrams: Any = (), seed: Any = None, name: str | None = None) -> Candidates:  # fmt: skip
    """Classes with given probabilities.

    Args:
        true_classes, num_true, num_sampled, unique, range_max, seed, name: as for ``tf.random.uniform_candidate_sampler``.
        vocab_file: a file whose lines end in a comma and the weight of a class, in place of ``unigrams``.
        distortion: the power to which the weights are raised; 0 makes them equal.
        num_reserved_ids: how many classes, from 0 on, are never drawn; the weights are those of the classes behind them.
        num_shards: only the classes c with c % num_shards == shard are drawn.
        shard: see ``num_shards``.
        unigrams: the weights of the classes.

    Returns:
        See ``tf.random.uniform_candidate_sampler``.

    Raises:
        InvalidArgumentError: both or neither of ``vocab_file`` and ``unigrams``, not as many weights as classes, a negative one, fewer classes
            with a weight than different ones are to be drawn.

    >>> import gradtape as tf
    >>> tf.random.fixed_unigram_candidate_sampler([[1]], 1, 2, False, 3, unigrams=[0.0, 1.0, 0.0])[0].numpy().tolist()
    [1, 1]
    """
    if bool(vocab_file) == (len(unigrams) > 0):
        raise invalid("Must provide either vocab_file or unigrams, and not both.")
    given = _weights_in(vocab_file) if vocab_file else unigrams
    weights = np.zeros(integer(num_reserved_ids, "num_reserved_ids") + len(given))
    weights[len(weights) - len(given) :] = np.power(np.asarray(given, np.float64), float(distortion))
    if not np.all((weights >= 0) & np.isfinite(weights)) or not weights.any():
        raise invalid("The weights of the classes must be finite and >= 0, and one of them more.")
    if len(weights) != integer(range_max, "range_max"):
        raise invalid(f"{range_max} classes need as many weights, but got {len(weights)} with the {num_reserved_ids} reserved ones.")  # fmt: skip
    others = np.arange(len(weights)) % integer(num_shards, "num_shards") != integer(shard, "shard")
    weights[others] = 0
    return _sample("fixed", true_classes, num_true, num_sampled, unique, range_max, seed, weights)


def _weights_in(path: str) -> list[float]:
    with open(path, encoding="utf-8") as file:
        return [float(line.rpartition(",")[2]) for line in file if line.strip()]


def all_candidate_sampler(true_classes: Any, num_true: Any, num_sampled: Any, unique: Any, seed: Any = None, name: str | None = None) -> Candidates:  # fmt: skip
    """All classes from 0 to ``num_sampled``, each once: for tests of sampled losses.

    Args and returns: as ``tf.random.uniform_candidate_sampler``, with ``num_sampled`` classes in all.

    >>> import gradtape as tf
    >>> tf.random.all_candidate_sampler([[1]], 1, 3, True).sampled_candidates.numpy().tolist()
    [0, 1, 2]
    """
    true, n = _true_classes(true_classes, num_true), integer(num_sampled, "num_sampled")
    ones = st.cast(st.ones_like(true), dt.float32)
    return Candidates(Tensor(np.arange(n), dt.int64), ones, Tensor(np.ones(n, np.float32), dt.float32))
