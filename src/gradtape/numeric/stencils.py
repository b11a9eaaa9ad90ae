"""Differences: combinations of a function's values whose limit is a derivative, with what is known of their errors.

A stencil is a list of places, as multiples of one or two steps, with weights. Of a function φ its value with the steps stretched k times is

    D(k) = Σ w φ(k·place) / k^order = derivative + C k^accuracy + ...

so that D(2) - D(1) and D(3) - D(1) show the error of truncation. The noise of φ shows in its fourth difference, to which a smooth function contributes next to nothing
at steps this small (R. W. Hamming, "Introduction to Applied Numerical Analysis", 1971; J. Moré and S. Wild, "Estimating computational noise", 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

Place = tuple[float, ...]


class Stencil(NamedTuple):
    """Places and weights of a difference; of which order the derivative is, and in which power of the step the error begins."""

    places: tuple[Place, ...]
    weights: tuple[float, ...]
    order: int
    accuracy: int

    def at(self, phi: Callable[[Place], np.ndarray], stretch: float = 1.0) -> np.ndarray:
        """D(stretch)."""
        total = sum([w * phi(tuple([stretch * p for p in place])) for place, w in zip(self.places, self.weights)])
        return np.asarray(total / stretch**self.order)


def forward(n: int) -> Stencil:
    """Σ (-1)^(n-k) C(n,k) φ(k)."""
    return Stencil(
        tuple([(float(k),) for k in range(n + 1)]),
        tuple([float((-1) ** (n - k) * math.comb(n, k)) for k in range(n + 1)]),
        n, 1,
    )  # fmt: skip


def central(n: int) -> Stencil:
    """Σ (-1)^k C(n,k) φ(n/2 - k); for odd n with places twice as far apart, so that they are whole."""
    far = 1 if n % 2 == 0 else 2
    return Stencil(
        tuple([(far * (n / 2 - k),) for k in range(n + 1)]),
        tuple([(-1) ** k * math.comb(n, k) / far**n for k in range(n + 1)]),
        n, 2,
    )  # fmt: skip


MIXED_FORWARD = Stencil(((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)), (1.0, -1.0, -1.0, 1.0), 2, 1)
MIXED_CENTRAL = Stencil(((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)), (0.25, -0.25, -0.25, 0.25), 2, 2)
NEAR = 11  # values from which the noise is measured
SAFETY = 4.0  # on what the tableau's entries differ by: the entry with the least is chosen, which is often too good
_FOURTH = (1.0, -4.0, 6.0, -4.0, 1.0)


def step_factor(stencil: Stencil, eps: float) -> float:
    """The step, as part of the size of x, at which truncation (step^accuracy) and rounding (eps / step^order) are about equal."""
    return float(eps ** (1 / (stencil.order + stencil.accuracy)))


def with_error(stencil: Stencil, phi: Callable[[Place], np.ndarray], eps: float) -> tuple[np.ndarray, np.ndarray]:
    """The difference and an estimate of its error: what longer steps change, and the noise.

    Args:
        stencil: the difference.
        phi: the function of the places.
        eps: the rounding of φ's values, relative to them.
    """
    d = stencil.at(phi)
    # to first order D(k) - D(1) is k^accuracy - 1 times the error; two of them, for noise may hide one
    gaps = [np.abs(stencil.at(phi, k) - d) / (k**stencil.accuracy - 1) for k in (2.0, 3.0)]
    # steps for third derivatives are so long that a smooth function has a fourth difference
    unit = 1.0 if stencil.order < 3 else math.sqrt(eps) / step_factor(stencil, eps)
    noise = _noise(phi, len(stencil.places[0]), unit, eps, -(NEAR // 2) if stencil.accuracy == 2 else 0)
    return d, 3 * np.maximum(*gaps) + sum([abs(w) for w in stencil.weights]) * noise


def _noise(
    phi: Callable[[Place], np.ndarray], along: int, step: float, eps: float, first: int = -(NEAR // 2)
) -> np.ndarray:
    """How far a value of φ may be off: three times what its fourth differences show, and two units in the last place at least.

    The step is made odd: at even ones, rounding may be as regular as φ itself and not show.
    """
    bits = max(0, round(-math.log2(eps) / 2) - 6)  # that x + step still be exact
    step = 2.0 ** round(math.log2(step)) * (1 + (round(0.369 * 2**bits) | 1) / 2**bits)
    near = [phi((k * step,) * along) for k in range(first, first + NEAR)]
    fourth = [np.abs(sum([w * v for w, v in zip(_FOURTH, near[i : i + 5])])) ** 2 for i in range(NEAR - 4)]
    size = np.max(np.abs(near), axis=0)
    return np.asarray(
        np.maximum(3 * np.sqrt(np.mean(fourth, axis=0) / 70), 2 * eps * size)
    )  # 70: the sum of the squared weights


def extrapolated(
    stencil: Stencil, phi: Callable[[Place], np.ndarray], eps: float, rows: int = 37
) -> tuple[np.ndarray, np.ndarray]:
    """The limit of a difference as its step becomes shorter and shorter, by Richardson extrapolation, and an estimate of its error.

    The scheme is that of C. J. F. Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", Advances in Engineering Software 4 (1982): of all
    entries of Neville's tableau that one is taken, for each element by itself, which agrees best with its neighbours. The steps shrink by
    about 0.6, to short numbers, which add without rounding; halves would always meet some waves in the same phase. Rows with values that are not
    finite, outside the function's domain, do not count. The noise of φ is measured at a step where a smooth function shows nothing else, and carried through the tableau; the rows end where it is more than the error that was reached.

    Args:
        stencil: a difference whose error has only even powers of the step (accuracy 2) or all (1).
        phi: the function of the places, at the first and longest step.
        eps: the rounding of φ's values, relative to them.
        rows: how many steps, at most.
    """
    sigma = _noise(phi, len(stencil.places[0]), 8 * math.sqrt(eps), eps)
    sigma = np.where(np.isfinite(sigma), sigma, 0.0)
    weight = sum([abs(w) for w in stencil.weights])
    nothing: np.ndarray = np.full(np.shape(sigma), np.inf)
    best: np.ndarray = np.full(np.shape(sigma), np.nan)
    error = nothing
    steps: list[float] = []
    row: list[tuple[np.ndarray, np.ndarray]] = []  # entries, each with its noise
    older = row
    for i in range(rows):
        mantissa, exponent = math.frexp(0.6**i)
        t = math.ldexp(round(1024 * mantissa), exponent - 10)
        steps.append(t)
        size = np.max([np.abs(phi(tuple([t * p for p in place]))) for place in stencil.places], axis=0)
        new = [(stencil.at(phi, t), weight * np.maximum(eps * size, sigma) / t**stencil.order)]
        for j, (before, old) in enumerate(row[:10]):
            factor = (steps[i - j - 1] / t) ** (stencil.accuracy * (j + 1))
            value, noise = new[j]
            entry = value + (value - before) / (factor - 1)
            noise = (factor * noise + old) / (factor - 1)
            new.append((entry, noise))
            if j < len(older):
                # two may agree by chance; the third may be farther off by as much as the column converges, or ten times
                third = np.abs(entry - older[j][0]) / min(10.0, (steps[i - j - 1] / t) ** stencil.accuracy)
                gap = SAFETY * np.maximum(np.maximum(np.abs(entry - value), np.abs(entry - before)), third) + noise
                gap = np.where(np.isfinite(gap), gap, np.inf)
                best, error = np.where(gap < error, entry, best), np.minimum(gap, error)
        row, older = new, row
        if np.all(np.isfinite(error)) and np.all(new[0][1] > error):
            break
    return best, error


def kink(phi: Callable[[Place], np.ndarray], eps: float, unit: float) -> np.ndarray:
    """Half the jump of the slope at a kink that lies at the point itself, where central differences agree with one another and see nothing; else 0.

    Of a smooth function the slopes to the left and to the right approach one another with the step; at a kink they do not.

    Args:
        phi: a function of one place.
        eps: the rounding of its values, relative to them.
        unit: the step of 1, as part of the size of x.
    """
    first = 2.0 ** round(math.log2(eps ** (1 / 3) / unit))
    with np.errstate(all="ignore"):
        jumps = [np.abs(phi((t,)) - 2 * phi((0.0,)) + phi((-t,))) / t for t in (16 * first, 4 * first, first)]
        same = [np.abs(a - b) < 0.1 * np.maximum(a, b) for a, b in pairwise(jumps)]
        rounding = 100 * eps * np.abs(phi((0.0,))) / first
    return np.where(same[0] & same[1] & (jumps[-1] > rounding), jumps[-1] / 2, 0.0)
