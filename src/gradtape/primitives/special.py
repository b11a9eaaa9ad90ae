"""Special functions: Bessel functions, integrals, the incomplete gamma and beta functions, zeta and polygamma.

The kernels are scipy.special's, imported on first use. "DLMF" is the Digital Library of Mathematical Functions, https://dlmf.nist.gov.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.dtypes import FLOAT
from ..ground.errors import invalid
from ..ground.primitive import Aval, Primitive
from . import elementwise as ew
from . import structure as st
from .elementwise import binary, elementwise, exp, lgamma, log, sign, special, unary


def in_float64(kernel: Callable) -> Callable:
    """``kernel``, computed in float64 for float32 too: SciPy's own float32 forms of some functions are off by dozens of roundings."""
    return lambda *arrays: kernel(*[a.astype(np.float64) for a in arrays]).astype(arrays[0].dtype)


# -- Bessel functions: DLMF 10.6.2 and 10.6.3 (J, Y), 10.29.2 and 10.29.3 (I, K); an e at the end: times exp(-|x|), for K exp(x) ----------


def _over(y: Any, x: Any, limit: float) -> Any:
    """y / x, and ``limit`` at 0."""
    zero = ew.equal(x, st.zeros_like(x))
    return ew.select(zero, st.full_like(y, value=limit), y / ew.select(zero, st.ones_like(x), x))


def _bessel(
    name: str, scipy_name: str, grad: Callable, domain: tuple[float, float], doc: str, avoid: tuple = ()
) -> Primitive:
    return unary(name, special(scipy_name), grad, domain, FLOAT, avoid=avoid, doc=doc)


bessel_i0 = _bessel(
    "bessel_i0",
    "i0",
    lambda g, x: g * bessel_i1(x),
    (-4, 4),
    "The modified Bessel function of the first kind of order 0.",
)
bessel_i0e = _bessel("bessel_i0e", "i0e", lambda g, x, out: g * (bessel_i1e(x) - sign(x) * out), (-4, 4),
                     "exp(-|x|) times the modified Bessel function of the first kind of order 0.", (0,))  # fmt: skip
bessel_i1 = _bessel("bessel_i1", "i1", lambda g, x, out: g * (bessel_i0(x) - _over(out, x, 0.5)), (-4, 4),
                    "The modified Bessel function of the first kind of order 1.")  # fmt: skip
bessel_i1e = _bessel("bessel_i1e", "i1e", lambda g, x, out: g * (bessel_i0e(x) - sign(x) * out - _over(out, x, 0.5)), (-4, 4),
                     "exp(-|x|) times the modified Bessel function of the first kind of order 1.", (0, 1.545, -1.545))  # fmt: skip
bessel_j0 = _bessel(
    "bessel_j0", "j0", lambda g, x: -g * bessel_j1(x), (-4, 4), "The Bessel function of the first kind of order 0."
)
bessel_j1 = _bessel("bessel_j1", "j1", lambda g, x, out: g * (bessel_j0(x) - _over(out, x, 0.5)), (-4, 4),
                    "The Bessel function of the first kind of order 1.")  # fmt: skip
bessel_k0 = _bessel(
    "bessel_k0",
    "k0",
    lambda g, x: -g * bessel_k1(x),
    (0.5, 4),
    "The modified Bessel function of the second kind of order 0.",
)
bessel_k0e = _bessel("bessel_k0e", "k0e", lambda g, x, out: g * (out - bessel_k1e(x)), (0.5, 4),
                     "exp(x) times the modified Bessel function of the second kind of order 0.")  # fmt: skip
bessel_k1 = _bessel("bessel_k1", "k1", lambda g, x, out: -g * (bessel_k0(x) + out / x), (0.5, 4),
                    "The modified Bessel function of the second kind of order 1.")  # fmt: skip
bessel_k1e = _bessel("bessel_k1e", "k1e", lambda g, x, out: g * (out - bessel_k0e(x) - out / x), (0.5, 4),
                     "exp(x) times the modified Bessel function of the second kind of order 1.")  # fmt: skip
bessel_y0 = _bessel(
    "bessel_y0", "y0", lambda g, x: -g * bessel_y1(x), (0.5, 4), "The Bessel function of the second kind of order 0."
)
bessel_y1 = _bessel("bessel_y1", "y1", lambda g, x, out: g * (bessel_y0(x) - out / x), (0.5, 4),
                    "The Bessel function of the second kind of order 1.")  # fmt: skip

# -- integrals: DLMF 7.2.5 (Dawson), 6.2.5 (Ei), 7.2.7 and 7.2.8 (Fresnel), 25.12.2 (the dilogarithm) ------------------------------------


def _fresnel(which: int) -> Callable:
    def kernel(x: Any) -> Any:
        import scipy.special

        return scipy.special.fresnel(x)[which]

    return kernel


def _half_turns(x: Any) -> Any:
    return math.pi / 2 * ew.square(x)


def _log_slope(x: Any) -> Any:
    """log(x) / (x - 1), at 1 by its Taylor series, so that there derivatives are right too."""
    d = x - st.ones_like(x)
    zero = ew.equal(d, st.zeros_like(d))
    return ew.select(zero, 1 - d / 2 + d * d / 3, log(x) / ew.select(zero, st.ones_like(d), d))


dawsn = unary("dawsn", special("dawsn"), lambda g, x, out: g * (1 - 2 * x * out), (-3, 3), FLOAT,
              doc="Dawson's integral exp(-x²) ∫ exp(t²) dt from 0 to x.")  # fmt: skip
expint = unary("expint", special("expi"), lambda g, x: g * (exp(x) / x), (0.3, 3), FLOAT,
               doc="The exponential integral Ei(x), the principal value of ∫ exp(t)/t dt from -∞ to x.")  # fmt: skip
fresnel_cos = unary("fresnel_cos", _fresnel(1), lambda g, x: g * ew.cos(_half_turns(x)), (-2, 2), FLOAT,
                    doc="Fresnel's integral ∫ cos(πt²/2) dt from 0 to x.")  # fmt: skip
fresnel_sin = unary("fresnel_sin", _fresnel(0), lambda g, x: g * ew.sin(_half_turns(x)), (-2, 2), FLOAT,
                    doc="Fresnel's integral ∫ sin(πt²/2) dt from 0 to x.")  # fmt: skip
spence = unary("spence", special("spence"), lambda g, x: -g * _log_slope(x), (0.2, 3), FLOAT,
               doc="Spence's integral -∫ log(t)/(t - 1) dt from 1 to x: the dilogarithm of 1 - x.")  # fmt: skip

# -- incomplete gamma functions -------------------------------------------------------------------------------------------------------
# P(a, x) = ∫ t^(a-1) exp(-t) dt / Γ(a) from 0 to x. Its n-th derivative in a has no closed form: it is computed by Taylor
# coefficients in a, of the power series (DLMF 8.11.4) where x is small and of the continued fraction of 1 - P (DLMF 8.9.2)
# where it is large. This is how Figurnov, Mohamed and Mnih (Implicit Reparameterization Gradients, 2018) take the first
# derivative, done for any order.

Taylor = list[Any]  # coefficients of (a + e)^0, e^1 ... e^n


def _times(p: Taylor, q: Taylor) -> Taylor:
    return [sum(p[i] * q[k - i] for i in range(k + 1)) for k in range(len(p))]


def _inverse(p: Taylor) -> Taylor:
    out = [1 / p[0]]
    for k in range(1, len(p)):
        out.append(-sum(p[i] * out[k - i] for i in range(1, k + 1)) / p[0])
    return out


def _exp(p: Taylor) -> Taylor:
    out = [np.exp(p[0])]
    for k in range(1, len(p)):
        out.append(sum(i * p[i] * out[k - i] for i in range(1, k + 1)) / k)
    return out


def _weight(a: Any, x: Any, n: int, shift: int) -> Taylor:
    """x^a exp(-x) / Γ(a + shift)."""
    import scipy.special as sp

    logs = [a * np.log(x) - x - sp.gammaln(a + shift), np.log(x) - sp.psi(a + shift)]
    logs += [-sp.polygamma(k - 1, a + shift) / math.factorial(k) for k in range(2, n + 1)]
    return _exp(logs[: n + 1])


def _series(a: Any, x: Any, n: int) -> Any:
    """The n-th coefficient of P: the weight times Σ x^k / ((a+1)...(a+k))."""
    term: Taylor = [np.ones_like(a)] + [np.zeros_like(a)] * n
    total, k = list(term), 0
    while k < 100_000:
        k += 1
        ratio = [x * (-1.0) ** j / (a + k) ** (j + 1) for j in range(n + 1)]
        term = _times(term, ratio)
        total = [s + t for s, t in zip(total, term, strict=True)]
        if all([np.all(np.abs(t) <= 1e-17 * np.abs(s)) for s, t in zip(total, term, strict=True)]):
            break
    return _times(_weight(a, x, n, 1), total)[n]


def _fraction(a: Any, x: Any, n: int) -> Any:
    """The n-th coefficient of 1 - P: the weight times 1/(x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ...))), from the end."""
    one = [np.full_like(a, -1.0)] + [np.zeros_like(a)] * (n - 1)
    depth = int(120 + 20 * math.sqrt(float(np.max(a))))
    f: Taylor = [x + (2 * depth + 1) - a, *one]
    for k in range(depth, 0, -1):
        part = _times([k * (k - a), k * one[0], *one[1:]], _inverse(f))
        f = [p - q for p, q in zip([x + (2 * k - 1) - a, *one], part, strict=True)]
    return _times(_weight(a, x, n, 0), _inverse(f))[n]


def _igamma(a: Any, x: Any, *, n: int) -> Any:
    import scipy.special as sp

    if not n:
        return in_float64(sp.gammainc)(a, x)
    a, x = np.broadcast_arrays(a, x)
    wide_a, wide_x = a.astype(np.float64), x.astype(np.float64)
    ends = (wide_a > 0) & (wide_x >= 0) & ((wide_x == 0) | np.isinf(wide_x) | np.isinf(wide_a))
    out = np.where(ends, 0.0, np.nan)
    inside = (wide_a > 0) & (wide_x > 0) & np.isfinite(wide_a) & np.isfinite(wide_x)
    large = inside & (wide_x > 1) & (wide_x > wide_a)
    for where, by, s in ((inside & ~large, _series, 1), (large, _fraction, -1)):
        if where.any():
            out[where] = s * math.factorial(n) * by(wide_a[where], wide_x[where], n)
    return out.astype(x.dtype)[()]


def _density(a: Any, x: Any, n: int) -> Any:
    """The n-th derivative in a of x^(a-1) exp(-x) / Γ(a), by the recurrence of complete Bell polynomials for derivatives of an exponential."""
    slopes = [log(x) - ew.digamma(a)] if n else []
    slopes += [-ew.polygamma(a, n=k) for k in range(1, n)]
    out = [exp(ew.xlogy(a - 1, x) - x - lgamma(a))]
    for k in range(n):
        out.append(sum((math.comb(k, j) * slopes[j] * out[k - j] for j in range(1, k + 1)), slopes[0] * out[k]))
    return out[n]


def _shape(a: Aval, x: Aval, *, n: int) -> Aval:
    return ew._shape_rule(None)(a, x)


def _gamma_cases(rng: Any) -> list:
    """Both sides of the line where the method changes."""
    places = [
        (rng.uniform(0.5, 3, (3,)), rng.uniform(0.5, 6, (3,))),
        (np.array([4.0, 0.7]), np.array([2.0, 1.5])),
        (np.float64(2.0), np.float64(3.5)),
    ]
    return [((a, x), {"n": n}) for a, x in places for n in (0, 1, 2)]


igamma = elementwise(
    "igamma", "a x", _igamma, shape=_shape, accepts=FLOAT, cases=_gamma_cases,
    grad=(lambda g, a, x, n: g * igamma(a, x, n=n + 1), lambda g, a, x, n: g * _density(a, x, n)),
    doc="The n-th derivative in a of the regularised lower incomplete gamma function P(a, x).",
)  # fmt: skip
igammac = binary(
    "igammac", in_float64(special("gammaincc")), lambda g, x, y: -g * igamma(x, y, n=1), lambda g, x, y: -g * _density(x, y, 0), ((0.5, 3), (0.5, 6)), FLOAT,
    doc="The regularised upper incomplete gamma function 1 - P(a, x).",
)  # fmt: skip

# -- the incomplete beta function (DLMF 8.17), zeta (25.11.17) and polygamma (25.11.12), none differentiable in its parameters, as in TensorFlow --


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    return exp(ew.xlogy(a - 1, x) + ew.xlog1py(b - 1, -x) - (lgamma(a) + lgamma(b) - lgamma(a + b)))


betainc = elementwise(
    "betainc", "a b x", in_float64(special("betainc")), accepts=FLOAT, grad=(None, None, lambda g, a, b, x: g * _beta_density(a, b, x)),
    domain=((0.5, 3), (0.5, 3), (0.1, 0.9)), doc="The regularised incomplete beta function ∫ t^(a-1) (1-t)^(b-1) dt / B(a, b) from 0 to x.",
)  # fmt: skip
zeta = binary("zeta", special("zeta"), None, lambda g, x, y: -g * x * zeta(x + 1, y), ((1.5, 5), (0.5, 3)), FLOAT,
              doc="Hurwitz's zeta function, the sum of 1/(k + q)^x over k = 0, 1, ...")  # fmt: skip


def _polygamma(a: Any, x: Any) -> Any:
    import scipy.special as sp

    whole = (a >= 0) & (a == np.floor(a))
    order = np.where(whole, a, 1.0)
    sizes = (-1.0) ** (order + 1) * sp.gamma(order + 1.0) * sp.zeta(order + 1.0, x)
    return np.where(whole, np.where(order == 0, sp.psi(x), sizes), np.nan).astype(x.dtype)[()]


polygamma = elementwise(
    "polygamma_of", "a x", _polygamma, accepts=FLOAT, grad=(None, lambda g, a, x: g * polygamma(a + 1, x)), tf="Polygamma",
    cases=lambda rng: [((np.array([0.0, 1.0, 2.0, 3.0]), rng.uniform(0.5, 4, (4,))), {}), ((np.float64(1), rng.uniform(0.5, 4, (2, 3))), {})],
    doc="The a-th derivative of digamma, a given as a tensor of whole numbers.",
)  # fmt: skip


def _nextafter(x: Any, y: Any) -> Any:
    if x.dtype.itemsize == 2:
        raise ValueError("not defined for half precisions")
    return np.nextafter(x, y)


def _nextafter_shape(x: Aval, y: Aval) -> Aval:
    if x.dtype.size == 2:
        raise invalid(f"nextafter takes float32 and float64 tensors, not {x.dtype.name}.")
    return ew._shape_rule(None)(x, y)


nextafter = binary("nextafter", _nextafter, lambda g: g, lambda g: st.zeros_like(g), accepts=FLOAT, shape=_nextafter_shape, widen=False,
                   doc="The next number of the dtype after x towards y.")  # fmt: skip
