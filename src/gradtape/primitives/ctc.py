"""Connectionist temporal classification (Graves et al. 2006): the probability of a sequence of labels, summed over its alignments.

An alignment gives each time a label or a blank; repeated labels and then blanks fall away. All is computed in logarithms, forwards and
backwards in time, for the labels with blanks between them. The loss is minus a log-partition function of the log-probabilities, so its
gradient is minus the posterior probabilities ("marginals") of each label at each time; the derivatives of these are one row, to any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ground.dtypes import FLOAT, int64
from ..ground.errors import InvalidArgumentError, invalid, user_line
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import dims_text
from . import structure as st
from .convolution import _equal


def _check(logp: Aval, labels: Aval, label_length: Aval, logit_length: Aval, *_: Any) -> None:
    if logp.ndim != 3 or labels.ndim != 2:
        raise invalid(
            f"CTC needs log-probabilities [time, batch, classes] and labels [batch, length], but they have shapes {dims_text(logp.shape)} and {dims_text(labels.shape)}."
        )
    for x in (labels, label_length, logit_length):
        if not x.dtype.is_integer:
            raise invalid(f"The labels of CTC and the lengths must be integers, but some are {x.dtype.name}.")
    batch = (logp.shape[1],)
    if not (
        _equal(labels.shape[:1], batch) and _equal(label_length.shape, batch) and _equal(logit_length.shape, batch)
    ):
        raise invalid(
            f"CTC needs labels and lengths for each of {batch[0]} sequences, but their shapes are {dims_text(labels.shape)}, "
            f"{dims_text(label_length.shape)} and {dims_text(logit_length.shape)}."
        )


def _check_arrays(*arrays: Any) -> None:
    _check(*(Aval(a.shape, _Kind(a.dtype)) for a in arrays[:4]))  # type: ignore[arg-type]
    logp, labels, label_length, logit_length = arrays[:4]
    times, _, classes = logp.shape
    for what, lengths, most in (("label_length", label_length, labels.shape[1]), ("logit_length", logit_length, times)):
        if lengths.size and (lengths.min() < 0 or lengths.max() > most):
            raise InvalidArgumentError(f"{what} must lie in [0, {most}], but is {lengths.tolist()}.{user_line()}")
    used = np.arange(labels.shape[1]) < label_length[:, None]
    if ((labels < 0) | (labels >= classes))[used].any():
        raise InvalidArgumentError(f"The labels must lie in [0, {classes}), but are {labels.tolist()}.{user_line()}")


class _Kind:
    """A NumPy dtype with the question that the check asks of it."""

    def __init__(self, dtype: np.dtype) -> None:
        self.name, self.is_integer = dtype.name, dtype.kind in "iu"


# -- derivatives along directions --------------------------------------------------------------------------------------------
# Numbers a + Σ b_i ε_i + Σ b_ij ε_i ε_j + ... with ε_i² = 0 hold a value and its mixed derivatives along n directions, each direction once: an
# array with 2^n components in front, of which the upper half belongs to the last ε. With n = 0 they are plain numbers.


def _halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h = len(x) // 2
    return x[:h], x[h:]


def _mul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if len(x) == 1:
        return x * y
    (p, q), (r, s) = _halves(x), _halves(y)
    return np.concatenate([_mul(p, r), _mul(p, s) + _mul(q, r)])


def _div(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if len(x) == 1:
        return x / y
    (p, q), (r, s) = _halves(x), _halves(y)
    whole = _div(p, r)
    return np.concatenate([whole, _div(q - _mul(whole, s), r)])


def _exp(x: np.ndarray) -> np.ndarray:
    if len(x) == 1:
        return np.exp(x)
    p, q = _halves(x)
    e = _exp(p)
    return np.concatenate([e, _mul(e, q)])


def _log(x: np.ndarray) -> np.ndarray:
    if len(x) == 1:
        return np.log(x)
    p, q = _halves(x)
    return np.concatenate([_log(p), _div(q, p)])


def _log_sum(xs: list[np.ndarray]) -> np.ndarray:
    """log Σ exp(x) without overflow; minus infinity where all are that."""
    top = np.maximum.reduce([x[0] for x in xs])
    none = np.isneginf(top)
    top = np.where(none, 0, top)
    total = sum(_exp(_raised(x, -top)) for x in xs)
    total[0][none] = 1  # type: ignore[index]
    return _raised(_log(total), np.where(none, -np.inf, top))  # type: ignore[arg-type]


def _raised(x: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The value, and not its derivatives, raised by a constant."""
    out = x.copy()
    out[0] += by
    return out


def _where(c: np.ndarray, x: np.ndarray, otherwise: Any) -> np.ndarray:
    """``x`` where the condition holds, else a constant."""
    out = np.where(c, x, 0)
    out[0] = np.where(c, x[0], otherwise)
    return out


def _shifted(x: np.ndarray, n: int, fill: Any) -> np.ndarray:
    """``x`` moved by ``n`` along its last axis, the value filled up with ``fill``."""
    out = np.zeros_like(x)
    out[0] = fill
    if n > 0:
        out[..., n:] = x[..., :-n]
    else:
        out[..., :n] = x[..., -n:]
    return out


# -- the lattice of states ---------------------------------------------------------------------------------------------------------


class _Lattice:
    """The states of each sequence, blank label blank label ... blank, and what each emits; with derivatives along ``vs``."""

    def __init__(
        self, logp: Any, labels: Any, label_length: Any, logit_length: Any, blank: int, vs: tuple = ()
    ) -> None:
        batch, length = labels.shape
        self.states = np.full((batch, 2 * length + 1), blank)
        self.states[:, 1::2] = np.where(np.arange(length) < label_length[:, None], labels, blank)
        self.blank, self.shape = blank, logp.shape
        self.emitted = np.zeros((2 ** len(vs), len(logp), *self.states.shape))
        self.emitted[0] = self.at_states(logp)
        for i, v in enumerate(vs):
            self.emitted[2**i] = self.at_states(v)
        s = np.arange(2 * length + 1)
        self.starts = np.broadcast_to(s < 2, self.states.shape)
        self.ends = (s == 2 * label_length[:, None]) | (s == 2 * label_length[:, None] - 1)
        # one label can follow another without a blank between them if they differ
        self.skips = np.zeros(self.states.shape, bool)
        self.skips[:, 3::2] = self.states[:, 3::2] != self.states[:, 1:-2:2]
        self.last = logit_length[:, None] - 1

    def at_states(self, x: np.ndarray) -> np.ndarray:
        """[time, batch, classes] at the states: [time, batch, state]."""
        return np.take_along_axis(x.astype(np.float64), np.broadcast_to(self.states, (len(x), *self.states.shape)), 2)

    def by_class(self, x: np.ndarray) -> np.ndarray:
        """Its adjoint: what states of one class hold, summed."""
        out = np.zeros(self.shape)
        out[:, :, self.blank] = np.add.reduce(x[:, :, 0::2], axis=2)
        each = np.arange(x.shape[1])
        for s in range(1, x.shape[2], 2):
            out[:, each, self.states[:, s]] += x[:, :, s]
        return out

    def beginnings(self) -> np.ndarray:
        """The logarithm of what all beginnings of an alignment weigh that are in a state at a time; that time's emission counts."""
        out = np.zeros_like(self.emitted)
        for t in range(out.shape[1]):
            if t == 0:
                reached = _where(self.starts, np.zeros_like(out[:, 0]), -np.inf)
            else:
                before = out[:, t - 1]
                reached = _log_sum(
                    [before, _shifted(before, 1, -np.inf), _where(self.skips, _shifted(before, 2, -np.inf), -np.inf)]
                )
            out[:, t] = _where(t <= self.last, reached, -np.inf) + self.emitted[:, t]
        return out

    def continuations(self) -> np.ndarray:
        """The same of all continuations from a state at a time; that time's emission does not count."""
        out = np.zeros_like(self.emitted)
        skipped = np.zeros_like(self.skips)
        skipped[:, :-2] = self.skips[:, 2:]
        none = np.full_like(out[:, 0], 0)
        none[0] = -np.inf
        for t in reversed(range(out.shape[1])):
            if t + 1 < out.shape[1]:
                after = out[:, t + 1] + self.emitted[:, t + 1]
                reached = _log_sum(
                    [after, _shifted(after, -1, -np.inf), _where(skipped, _shifted(after, -2, -np.inf), -np.inf)]
                )
            else:
                reached = none
            reached = np.where(t == self.last, _where(self.ends, np.zeros_like(none), -np.inf), reached)
            out[:, t] = _where(t <= self.last, reached, -np.inf)
        return out

    def total(self, beginnings: np.ndarray) -> np.ndarray:
        """The logarithm of the sum over all alignments, for each sequence."""
        batch = np.arange(beginnings.shape[2])
        last = _where(self.ends, beginnings[:, np.maximum(self.last[:, 0], 0), batch], -np.inf)
        z = _log_sum([last[..., s] for s in range(last.shape[-1])])
        nothing = self.last[:, 0] < 0  # no time at all: certain for no labels, else impossible
        z = np.where(nothing, 0, z)
        z[0] = np.where(nothing & ~self.ends[:, 0], -np.inf, z[0])
        return z

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """The total, and the probability of each state at each time; 0 where there is no alignment."""
        beginnings = self.beginnings()
        z = self.total(beginnings)
        possible = np.isfinite(z[0])
        weights = beginnings + self.continuations() - np.where(possible, z, 0)[:, None, :, None]
        return z, _exp(_where(possible[:, None], weights, -np.inf))


def _ctc(logp: Any, labels: Any, label_length: Any, logit_length: Any, *, blank: int) -> tuple:
    _check_arrays(logp, labels, label_length, logit_length)
    if not logp.size:
        return np.where(label_length > 0, np.inf, 0.0).astype(logp.dtype), np.zeros_like(logp)
    lattice = _Lattice(logp, labels, label_length, logit_length, blank)
    z, states = lattice.posterior()
    return (-z[0]).astype(logp.dtype), lattice.by_class(states[0]).astype(logp.dtype)


def _marginals(*xs: Any, blank: int) -> Any:
    _check_arrays(*xs)
    logp, *vs = xs[0], *xs[4:]
    if any(v.shape != logp.shape or v.dtype != logp.dtype for v in vs):
        raise ValueError("shapes or dtypes differ")
    if not logp.size:
        return np.zeros_like(logp)
    lattice = _Lattice(xs[0], xs[1], xs[2], xs[3], blank, tuple(vs))
    return lattice.by_class(lattice.posterior()[1][-1]).astype(logp.dtype)


def _ctc_shape(logp: Aval, labels: Aval, label_length: Aval, logit_length: Aval, *, blank: int) -> list[Aval]:
    _check(logp, labels, label_length, logit_length)
    return [Aval(logp.shape[1:2], logp.dtype), logp]


def _marginals_shape(*xs: Aval, blank: int) -> Aval:
    if len(xs) < 4:
        raise invalid("CTC needs log-probabilities, labels and two lengths.")
    _check(*xs[:4])
    for v in xs[4:]:
        if not _equal(xs[0].shape, v.shape) or v.dtype != xs[0].dtype:
            raise invalid(
                f"A direction must have the shape {dims_text(xs[0].shape)} and the dtype {xs[0].dtype.name} of the log-probabilities, but is {v}."
            )
    return xs[0]


def _d_logp(g: tuple, logp: Any, labels: Any, label_length: Any, logit_length: Any, out: tuple, blank: int) -> Any:
    of_loss, of_marginals = g
    d = None if of_loss is None else -st.reshape(of_loss, shape=(1, *of_loss._shape, 1)) * out[1]
    if of_marginals is None:
        return d
    through = ctc_marginals(logp, labels, label_length, logit_length, of_marginals, blank=blank)
    return through if d is None else d + through


def _d_marginals(g: Any, xs: tuple, i: int, blank: int) -> Any:
    """Derivatives do not depend on the order of their directions: the cotangent is one more, or stands for the one that it belongs to."""
    return ctc_marginals(*xs, g, blank=blank) if i == 0 else ctc_marginals(*xs[:i], *xs[i + 1 :], g, blank=blank)


def _cases(rng: Any) -> list:
    def case(times: int, classes: int, labels: list, label_length: list, logit_length: list, blank: int) -> tuple:
        logp = rng.uniform(-2, 0, (times, len(labels), classes))
        return (logp, *(np.array(v, np.int32) for v in (labels, label_length, logit_length))), {"blank": blank}

    return [
        case(4, 3, [[1, 2], [1, 1], [2, 0]], [2, 2, 1], [4, 3, 4], 0),
        case(3, 4, [[0, 1, 0], [2, 0, 0]], [2, 0], [3, 2], 3),
        case(1, 2, [[1]], [1], [1], 0),
    ]


def _by_enumeration(logp: Any, labels: Any, label_length: Any, logit_length: Any, *, blank: int) -> tuple:
    """All alignments one by one."""
    _, batch, classes = logp.shape
    loss, marginals = np.zeros(batch), np.zeros(logp.shape)
    for b in range(batch):
        n, want = int(logit_length[b]), labels[b, : label_length[b]].tolist()
        weights = {}
        for path in np.ndindex(*(classes,) * n):
            read = [k for i, k in enumerate(path) if (i == 0 or path[i - 1] != k) and k != blank]
            if read == want:
                weights[path] = np.exp(sum(logp[t, b, k] for t, k in enumerate(path)))
        z = sum(weights.values())
        loss[b] = -np.log(z)
        for path, weight in weights.items():
            for t, k in enumerate(path):
                marginals[t, b, k] += weight / z
    return loss, marginals


ctc = Primitive(
    "ctc", "logp labels label_length logit_length", _ctc, shape=_ctc_shape, grad=(_d_logp, None, None, None), accepts=FLOAT, multi=True, cases=_cases,
    reference=_by_enumeration, tf="CTCLoss", doc="Minus the logarithm of the probability of the labels, and the probability of each class at each time, given them.",
)  # fmt: skip
ctc_marginals = Primitive(
    "ctc_marginals", "*xs", _marginals, shape=_marginals_shape, grad=_d_marginals, accepts=FLOAT,
    cases=lambda rng: [((*xs, *(rng.uniform(-1, 1, xs[0].shape) for _ in range(n))), attrs) for n, (xs, attrs) in enumerate(_cases(rng))],
    doc="The probability of each class at each time, given the labels, or its derivative along directions that follow the four inputs of ``ctc``.",
)  # fmt: skip


# -- decoding --------------------------------------------------------------------------------------------------------------------


def _greedy(logits: Any, length: Any, *, blank: int, merge: bool) -> tuple:
    _greedy_shape(Aval(logits.shape, logits.dtype), Aval(length.shape, _Kind(length.dtype)), blank=blank, merge=merge)  # type: ignore[arg-type]
    times, batch, _ = logits.shape
    if length.size and (length.min() < 0 or length.max() > times):
        raise InvalidArgumentError(f"sequence_length must lie in [0, {times}], but is {length.tolist()}.{user_line()}")
    best = np.argmax(logits, axis=2) if logits.size else np.zeros((times, batch), np.int64)
    inside = np.arange(times)[:, None] < length
    kept = inside & (best != blank)
    if merge and times:
        kept[1:] &= best[1:] != best[:-1]
    at = np.argwhere(kept.T)  # in the order of the sequences
    counts = np.add.reduce(kept, axis=0)
    number = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
    top = np.max(logits, axis=2, keepdims=False) if logits.size else np.zeros((times, batch), logits.dtype)
    score = -np.add.reduce(np.where(inside, top, 0), axis=0, dtype=np.float64).astype(logits.dtype)[:, None]
    shape = np.array([batch, counts.max(initial=0)], np.int64)
    return np.stack([at[:, 0], number], 1).astype(np.int64), best.T[kept.T].astype(np.int64), shape, score


def _greedy_shape(logits: Aval, length: Aval, *, blank: int, merge: bool) -> list[Aval]:
    if logits.ndim != 3 or length.ndim != 1 or not _equal(logits.shape[1:2], length.shape):
        raise invalid(
            f"Decoding needs logits [time, batch, classes] and a length for each sequence, but they have shapes {dims_text(logits.shape)} and {dims_text(length.shape)}."
        )
    if not length.dtype.is_integer:
        raise invalid(f"The lengths of sequences must be integers, but are {length.dtype.name}.")
    return [Aval((None, 2), int64), Aval((None,), int64), Aval((2,), int64), Aval((logits.shape[1], 1), logits.dtype)]


ctc_greedy = Primitive(
    "ctc_greedy", "logits length", _greedy, shape=_greedy_shape, accepts=FLOAT, multi=True, dynamic=True,
    cases=lambda rng: [((rng.uniform(-1, 1, (5, 3, 4)), np.array([5, 0, 3], np.int32)), {"blank": b, "merge": m}) for b, m in ((3, True), (0, False))],
    tf="CTCGreedyDecoder", doc="The likeliest class at each time with repeats and blanks left out, as the indices, values and shape of a sparse matrix; and minus the sum of the logits.",
)  # fmt: skip
