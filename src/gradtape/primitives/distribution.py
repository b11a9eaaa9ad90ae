"""Random draws with parameters: gamma, Poisson, binomial, truncated normal, candidates of a sampled softmax.

Keys are those of ``random.py``; each kind of draw has its own stream. ``shape`` is the shape of the result, to which the parameters broadcast.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ground import dtypes as dt
from ..ground.dtypes import FLOAT, INT, UINT, DType
from ..ground.errors import InvalidArgumentError, invalid, user_line
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import broadcast, dims_text
from . import elementwise as ew
from .random import Shape, _check_key, _check_shape, _draw, _start
from .reduction import sum_to


def _fits(shape: Shape, what: str, *parameters: Aval) -> None:
    """The parameters broadcast to ``shape`` without making it larger."""
    _check_shape(shape)
    together = broadcast(*[p.shape for p in parameters])
    if len(together) > len(shape) or any(d not in (1, s, None) for d, s in zip(together[::-1], shape[::-1])):
        raise invalid(
            f"The shape of a draw must end with that of its parameters: {what} {dims_text(together)} does not broadcast to {dims_text(shape)}."
        )


def _key(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-9, 9, 2)


# -- gamma -----------------------------------------------------------------------------------------------------------------

_ALPHAS = (np.float64(0.3), np.array([0.5, 2.0, 30.0]), np.array([[1.0], [4.0]]))


def _gamma(key: Any, alpha: Any, *, shape: Shape) -> Any:
    """By NumPy's sampler (Marsaglia & Tsang 2000, A simple method for generating gamma variables); NaN where alpha is none."""
    numbers = _start(key, 9).numbers
    a = np.broadcast_to(alpha.astype(np.float64), shape)
    valid = (a >= 0) & (a < np.inf)
    z = numbers.standard_gamma(a if valid.all() else np.where(valid, a, 1.0))
    return np.where(valid, z, np.where(a > 0, np.inf, np.nan)).astype(alpha.dtype)[()]


def _gamma_shape(key: Aval, alpha: Aval, *, shape: Shape) -> Aval:
    _check_key(key)
    _fits(shape, "alpha", alpha)
    return Aval(shape, alpha.dtype)


gamma = Primitive(
    "random_gamma", "key alpha", _gamma, shape=_gamma_shape, accepts=FLOAT, like=1, surrogate=True, tf="RandomGamma",
    grad=(None, lambda g, alpha, alpha_shape, out: sum_to(g * gamma_slope(alpha, out, n=1), alpha_shape)),
    cases=lambda rng: [((_key(rng), a), {"shape": (2, *np.shape(a))}) for a in _ALPHAS],
    doc="Numbers of the gamma distribution with shape parameter alpha and scale 1. The gradient is implicit: that of the sample at a fixed value of the distribution function.",
)  # fmt: skip

# The derivative of a sample x in α, where P(α, x) stays as it is, is -P_α/P_x (Figurnov, Mohamed & Mnih 2018, Implicit reparameterization
# gradients). With P_x = f the density, t = x·exp(r) and L = log x - ψ(α), it is the case n = 1 of
#
#     K_n(α, x) = ∓x ∫ (r + L)^n exp(αr - x(exp(r) - 1)) dr     over r < 0 (-) or r > 0 (+)
#
# of which either side may be taken for n = 1, since both together are E[log t - ψ(α)]/f = 0: the side of the thinner tail is, where the
# integrand keeps its sign. K_0 is -P/f or (1 - P)/f. Integration by parts gives the derivatives, of any order:
#
#     ∂K_n/∂α = K_(n+1) - L·K_n - n·ψ'(α)·K_(n-1),    ∂K_n/∂x = K_n·(1 + (1 - α)/x) - L^n

_SERIES_BELOW = 1.5  # there the power series of exp(-x·exp(r)) has few terms
_NODES = 40
_BLOCK = 4096


def _slope(alpha: Any, x: Any, *, n: int) -> Any:
    a, z = np.broadcast_arrays(alpha.astype(np.float64), x.astype(np.float64))
    out = np.where((a > 0) & (z == 0), 0.0 if n else np.nan, np.nan)
    inside = (a > 0) & (z > 0) & np.isfinite(a) & np.isfinite(z)
    small = inside & (z < _SERIES_BELOW)
    for where, by in ((small, _slope_series), (inside & ~small, _slope_integral)):
        if where.any():
            av, zv = a[where], z[where]
            out[where] = np.concatenate(
                [by(av[i : i + _BLOCK], zv[i : i + _BLOCK], n) for i in range(0, av.size, _BLOCK)]
            )
    return out.astype(x.dtype)[()]


def _slope_series(a: np.ndarray, x: np.ndarray, n: int) -> np.ndarray:
    """The side r < 0, by exp(x - x·exp(r)) = exp(x)·Σ (-x)^k/k!·exp(kr), integrated term by term."""
    import scipy.special as sp

    shift = np.log(x) - sp.psi(a)  # L
    first = np.log(x) - sp.psi(a + 1)  # L - 1/α without cancellation, for the term k = 0
    total = np.zeros_like(a)
    weight = np.ones_like(a)
    for k in range(30):
        part = 1 / (a + k)  # ∫ (r + L)^m exp((α+k)r) dr = (L^m - m·part_(m-1))/(α+k)
        for m in range(1, n + 1):
            part = (first / a if m == 1 and not k else (shift**m - m * part) / (a + k))  # fmt: skip
        total += weight * part
        weight *= -x / (k + 1)
    return -x * np.exp(x) * total


def _slope_integral(a: np.ndarray, x: np.ndarray, n: int) -> np.ndarray:
    """The side of the thinner tail by Gauss's formula, up to where exp(...) < exp(-40)."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    nodes, weights = (nodes + 1) / 2, weights / 2
    right = x >= a
    b = np.abs(x - a)
    # bounds by expm1(r) >= r + r²/2 and v - 1 + exp(-v) >= v²/(2 + v)
    end = np.where(
        right, 80 / (b + np.sqrt(b * b + 80 * x)), (20 - b + np.sqrt((20 - b) ** 2 + 80 * a)) / a
    )  # fmt: skip
    side = np.where(right, 1.0, -1.0)
    r = (side * end)[:, None] * nodes
    exponent = (a - x)[:, None] * r - x[:, None] * (np.expm1(r) - r)
    f = np.exp(exponent)
    if n:
        shift = np.log(x / a) + _log_minus_digamma(a)
        f *= (r + shift[:, None]) ** n
    return side * x * end * (f @ weights)


def _log_minus_digamma(a: np.ndarray) -> np.ndarray:
    """log α - ψ(α); for large α by its asymptotic series (Abramowitz & Stegun 6.3.18), where the difference would cancel."""
    import scipy.special as sp

    i = 1 / np.maximum(a, 20.0)
    s = i * i
    series = i / 2 + s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s / 132))))
    return np.where(a > 20, series, np.log(a) - sp.psi(a))


def _log_ratio(alpha: Any, x: Any) -> Any:
    return ew.log(x) - ew.digamma(alpha)


def _slope_in_alpha(g: Any, alpha: Any, x: Any, out: Any, n: int) -> Any:
    slope = gamma_slope(alpha, x, n=n + 1) - _log_ratio(alpha, x) * out
    return g * (slope - n * ew.polygamma(alpha, n=1) * gamma_slope(alpha, x, n=n - 1) if n else slope)


def _slope_cases(rng: np.random.Generator) -> list:
    """All three methods, and none so near x = α that differences for n = 0 would step over it."""
    pairs = [(0.3, 0.1), (0.3, 1.2), (2.0, 1.0), (2.0, 4.0), (5.0, 3.0), (0.7, 3.0), (40.0, 30.0), (40.0, 55.0)]
    a, x = np.array(pairs).T
    return [((a, x), {"n": n}) for n in (0, 1, 2)] + [((np.float64(3), np.array([[2.0], [4.0]])), {"n": 1})]


gamma_slope = ew.elementwise(
    "gamma_slope", "alpha x", _slope, shape=lambda alpha, x, *, n: Aval(broadcast(alpha.shape, x.shape), x.dtype), accepts=FLOAT, like=1,
    grad=(_slope_in_alpha, lambda g, alpha, x, out, n: g * (out * (1 + (1 - alpha) / x) - (_log_ratio(alpha, x) ** n if n else 1))),
    cases=_slope_cases, tol=1e-5, tf="RandomGammaGrad",
    doc="For n = 1 the derivative in alpha of a sample x of the gamma distribution, else what its own derivatives need.",
)  # fmt: skip

# -- counts ------------------------------------------------------------------------------------------------------------------

_COUNTS = (dt.float16, dt.float32, dt.float64, dt.int32, dt.int64)


def _checked(what: str, a: np.ndarray, valid: np.ndarray, dtype: DType) -> np.ndarray:
    """Where ``a`` is no NaN. Raises the user's error where it is neither that nor valid, or where ``dtype`` has no NaN."""
    known = ~np.isnan(a)
    wrong = (known if dtype.is_floating else True) & ~valid
    if np.any(wrong):
        raise InvalidArgumentError(f"{what}, but got {a[wrong][0]}.{user_line()}")
    return known


def _as_counts(k: Any, known: Any, dtype: DType) -> Any:
    if dtype.is_floating:
        return np.where(known, k, np.nan).astype(dtype.np)[()]
    return np.minimum(k, np.iinfo(dtype.np).max).astype(dtype.np)[()]


def _count_dtype(name: str, dtype: DType, *parameters: Aval) -> None:
    if dtype not in _COUNTS:
        raise invalid(f"{name} draws {', '.join(d.name for d in _COUNTS)}, not {dtype.name}.")
    for p in parameters:
        if not p.dtype.kind & dt.REAL:
            raise invalid(f"The parameters of {name} are real numbers, not {p.dtype.name}.")


_MOST = 2.0**62  # a rate that NumPy's sampler takes


def _poisson(key: Any, lam: Any, *, shape: Shape, dtype: DType) -> Any:
    """By NumPy's sampler (Hörmann 1993, The transformed rejection method for generating Poisson random variables)."""
    numbers = _start(key, 10).numbers
    rate = np.broadcast_to(lam.astype(np.float64), shape)
    with np.errstate(invalid="ignore"):
        known = _checked("The rate of a Poisson distribution must be >= 0 and at most 2^62", rate, (rate >= 0) & (rate <= _MOST), dtype)  # fmt: skip
    return _as_counts(numbers.poisson(np.where(known, rate, 0.0)), known, dtype)


def _poisson_shape(key: Aval, lam: Aval, *, shape: Shape, dtype: DType) -> Aval:
    _check_key(key)
    _fits(shape, "the rate", lam)
    _count_dtype("poisson", dtype, lam)
    return Aval(shape, dtype)


poisson = Primitive(
    "random_poisson", "key lam", _poisson, shape=_poisson_shape, accepts=INT | UINT, out="kernel", tf="RandomPoissonV2",
    cases=lambda rng: [((_key(rng), lam), {"shape": (2, *np.shape(lam)), "dtype": d})
                       for lam in (np.float64(3), np.array([0.0, 2.0, 500.0])) for d in (dt.int64, dt.float32)],
    doc="Numbers of events of the Poisson distribution with rate lam.",
)  # fmt: skip


def _binomial(key: Any, counts: Any, probs: Any, *, shape: Shape, dtype: DType) -> Any:
    """By NumPy's sampler (Kachitvichyanukul & Schmeiser 1988, Binomial random variate generation)."""
    numbers = _start(key, 11).numbers
    n, p = (np.broadcast_to(x.astype(np.float64), shape) for x in (counts, probs))
    with np.errstate(invalid="ignore"):
        known = _checked(
            "The counts of a binomial distribution must be >= 0 and at most 2^62", n, (n >= 0) & (n <= _MOST), dtype
        )
        known &= _checked("The probabilities of a binomial distribution must lie in [0, 1]", p, (p >= 0) & (p <= 1), dtype)  # fmt: skip
    k = numbers.binomial(np.where(known, n, 0).astype(np.int64), np.where(known, p, 0))
    return _as_counts(k, known, dtype)


def _binomial_shape(key: Aval, counts: Aval, probs: Aval, *, shape: Shape, dtype: DType) -> Aval:
    _check_key(key)
    _fits(shape, "counts and probabilities", counts, probs)
    _count_dtype("binomial", dtype, counts, probs)
    return Aval(shape, dtype)


binomial = Primitive(
    "random_binomial", "key counts probs", _binomial, shape=_binomial_shape, accepts=INT | UINT, out="kernel", tf="StatelessRandomBinomial",
    cases=lambda rng: [((_key(rng), n, p), {"shape": (2, *np.broadcast_shapes(np.shape(n), np.shape(p))), "dtype": d})
                       for n, p in ((np.float64(9), np.float64(0.3)), (np.array([0.0, 1.0, 300.0]), np.array([[0.0], [0.5], [1.0]])))
                       for d in (dt.int32, dt.float64)],
    doc="Numbers of successes in counts trials, each with probability probs.",
)  # fmt: skip

# -- the truncated normal distribution -------------------------------------------------------------------------------------------


def _open_uniform(source: Any, shape: Shape, n: int, dtype: DType) -> Any:
    return (((source.words(n, 8) >> 11) + 0.5) * 2.0**-53).reshape(shape)


unit = _draw(
    "random_unit", 13, (dt.float64,), _open_uniform, "Numbers distributed uniformly over (0, 1), neither end drawn."
)


def _truncated(u: Any, mean: Any, stddev: Any, low: Any, high: Any) -> Any:
    """By inverting the distribution function, in logarithms, from the side of the thinner tail; NaN for parameters that are none."""
    import scipy.special as sp

    if len({x.dtype for x in (mean, stddev, low, high)}) > 1:
        raise ValueError("several dtypes")
    q, m, s, lo, hi = np.broadcast_arrays(*[x.astype(np.float64) for x in (u, mean, stddev, low, high)])
    with np.errstate(all="ignore"):
        a, b = (lo - m) / s, (hi - m) / s
        mirrored = a + b > 0  # then what is drawn is -z from (-b, -a)
        a, b, q = np.where(mirrored, -b, a), np.where(mirrored, -a, b), np.where(mirrored, 1 - q, q)
        log_p = np.logaddexp(sp.log_ndtr(a) + np.log1p(-q), sp.log_ndtr(b) + np.log(q))
        z = sp.ndtri_exp(log_p)
        out = np.clip(m + s * np.where(mirrored, -z, z), lo, hi)
        out = np.where((s > 0) & (lo < hi), out, np.nan)
    return out.astype(mean.dtype)[()]


def _share(x: Any, end: Any, mean: Any, stddev: Any, part: Any) -> Any:
    """How much a sample moves with an end of its interval: part·φ(end)/φ(x) in standard units, ``part`` of the probability being beyond it."""
    z, e = (x - mean) / stddev, (end - mean) / stddev
    return part * ew.exp((z - e) * (z + e) / 2)


def _ends(u: Any, mean: Any, stddev: Any, low: Any, high: Any, out: Any) -> tuple[Any, Any]:
    from .structure import cast

    part = cast(u, out._d)
    return _share(out, low, mean, stddev, 1 - part), _share(out, high, mean, stddev, part)


def _in_mean(g: Any, u: Any, mean: Any, stddev: Any, low: Any, high: Any, out: Any) -> Any:
    by_low, by_high = _ends(u, mean, stddev, low, high, out)
    return g * (1 - by_low - by_high)


def _in_stddev(g: Any, u: Any, mean: Any, stddev: Any, low: Any, high: Any, out: Any) -> Any:
    by_low, by_high = _ends(u, mean, stddev, low, high, out)
    return g * ((out - mean) - (low - mean) * by_low - (high - mean) * by_high) / stddev


def _truncated_shape(u: Aval, mean: Aval, stddev: Aval, low: Aval, high: Aval) -> Aval:
    given = (mean, stddev, low, high)
    if len({p.dtype for p in given}) > 1:
        raise invalid(
            f"means, stddevs, minvals and maxvals must have one dtype, but have {', '.join(p.dtype.name for p in given)}."
        )
    together = broadcast(u.shape, *[p.shape for p in given])
    return Aval(together, mean.dtype)


def _truncated_cases(rng: np.random.Generator) -> list:
    u, m, s = rng.uniform(0.05, 0.95, (2, 3)), rng.uniform(-1, 1, (3,)), rng.uniform(0.5, 2, (2, 1))
    return [((u, m, s, rng.uniform(-3, -1, (3,)), rng.uniform(1, 2, (2, 1))), {}),
            ((np.float64(0.3), np.float64(0), np.float64(1), np.float64(0.5), np.float64(2)), {}),
            ((u[0], m, s[0], m - 4, m), {})]  # fmt: skip


truncated = Primitive(
    "truncated_normal_at", "u mean stddev low high", _truncated, shape=_truncated_shape, accepts=FLOAT, like=1, broadcasts=True,
    batch=ew.batch_elementwise, grad=(
        None, _in_mean, _in_stddev,
        lambda g, u, mean, stddev, low, high, out: g * _ends(u, mean, stddev, low, high, out)[0],
        lambda g, u, mean, stddev, low, high, out: g * _ends(u, mean, stddev, low, high, out)[1],
    ),
    cases=_truncated_cases, tf="StatelessParameterizedTruncatedNormal",
    doc="The number below which the part u of a normal distribution cut off at low and high lies.",
)  # fmt: skip

# -- candidates of a sampled loss ------------------------------------------------------------------------------------------------


def _probabilities(classes: np.ndarray, weights: np.ndarray, how: str, range_max: int) -> np.ndarray:
    if how == "uniform":
        return np.full(classes.shape, 1 / range_max)
    if how == "log_uniform":
        return np.log1p(1 / (classes + 1.0)) / math.log(range_max + 1)
    return weights[classes] / weights.sum()


def _expected(p: np.ndarray, n: int, tries: int) -> np.ndarray:
    """How often a class of probability p is expected among n drawn; where some were drawn again, among those different ones."""
    return p * n if tries == n else -np.expm1(tries * np.log1p(-np.minimum(p, 1 - 1e-16)))


def _candidates(key: Any, true: Any, weights: Any, *, num_sampled: int, unique: bool, range_max: int, how: str) -> Any:
    if (
        true.ndim != 2
        or (how == "fixed" and weights.shape != (range_max,))
        or num_sampled > (range_max if unique else math.inf)
    ):
        raise ValueError("what the shape rule refuses")
    if np.any(outside := (true < 0) | (true >= range_max)):
        raise InvalidArgumentError(
            f"true_classes must lie in [0, {range_max}), but {true[outside][0]} is among them.{user_line()}"
        )
    source = _start(key, 12)
    cumulated = np.cumsum(weights)
    if how == "fixed" and unique and np.count_nonzero(weights) < num_sampled:
        raise InvalidArgumentError(
            f"Only {np.count_nonzero(weights)} classes have a weight that is not 0: no {num_sampled} different ones can be drawn.{user_line()}"
        )

    def draw(n: int) -> np.ndarray:
        if how == "uniform":
            return source.numbers.integers(0, range_max, n)
        u = source.numbers.random(n)
        if how == "log_uniform":
            return np.minimum(np.expm1(u * math.log(range_max + 1)).astype(np.int64), range_max - 1)
        found = np.searchsorted(cumulated, u * cumulated[-1], "right")
        return np.minimum(found, np.flatnonzero(weights)[-1])  # u·sum may round up to the sum

    tries = num_sampled
    if not unique:
        sampled = draw(num_sampled)
    else:
        seen: dict[int, None] = {}
        tries = 0
        while len(seen) < num_sampled:
            for c in draw(max(32, num_sampled - len(seen))).tolist():
                tries += 1
                seen.setdefault(c)
                if len(seen) == num_sampled:
                    break
        sampled = np.fromiter(seen, np.int64, num_sampled)
    counts = [
        _expected(_probabilities(c, weights, how, range_max), num_sampled, tries).astype(np.float32)
        for c in (true, sampled)
    ]
    return sampled.astype(np.int64), *counts


def _candidates_shape(key: Aval, true: Aval, weights: Aval, *, num_sampled: int, unique: bool, range_max: int, how: str) -> list[Aval]:  # fmt: skip
    _check_key(key)
    if true.ndim != 2:
        raise invalid(f"true_classes must be a matrix [batch, num_true], but has shape {dims_text(true.shape)}.")
    if num_sampled < 1 or range_max < 1:
        raise invalid(f"num_sampled and range_max must be positive, but are {num_sampled} and {range_max}.")
    if unique and num_sampled > range_max:
        raise invalid(
            f"Sampler's range is too small: {num_sampled} different classes out of {range_max} cannot be drawn."
        )
    if how == "fixed" and weights.shape not in ((range_max,), (None,)):
        raise invalid(f"{range_max} classes need as many weights, but got {dims_text(weights.shape)}.")
    return [Aval((num_sampled,), dt.int64), Aval(true.shape, dt.float32), Aval((num_sampled,), dt.float32)]


candidates = Primitive(
    "candidate_sampler", "key true weights", _candidates, shape=_candidates_shape, accepts=INT, like=1, multi=True,
    cases=lambda rng: [((_key(rng), np.array([[0, 1], [2, 3]]), np.arange(1.0, 8)), {"num_sampled": 4, "unique": u, "range_max": 7, "how": h})
                       for u in (False, True) for h in ("uniform", "log_uniform", "fixed")],
    doc="Classes to compare the true ones with in a sampled loss, with the counts expected of the true ones and of those.",
)  # fmt: skip
