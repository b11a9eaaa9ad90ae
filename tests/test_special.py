"""Special functions against integrals and series of their own, and their derivatives where the rules are not plain products."""

import math

import numpy as np
import pytest

import gradtape as tf

from .differences import assert_gradient, gradient

NODES, WEIGHTS = np.polynomial.legendre.leggauss(120)


def integral(f, low, high):
    """∫ f(t) dt by Gauss's rule; ``low`` and ``high`` may be arrays."""
    half = (np.asarray(high) - low)[..., None] / 2
    t = np.asarray(low)[..., None] + half * (1 + NODES)
    return np.sum(f(t) * WEIGHTS * half, -1)


def turn(f):
    """The mean of f(θ) over half a turn: the trapezoidal rule is exact for periodic functions up to rounding."""
    theta = np.pi * (np.arange(200) + 0.5) / 200
    return lambda x: np.mean(f(x[..., None], theta), -1)


def falling(f):
    """∫ f(x, t) dt from 0 to ∞ for integrands that fall like exp(-x cosh t)."""
    return lambda x: integral(lambda t: f(x[..., None], t), np.zeros(x.shape), 8.0)


def y_integral(n):
    """DLMF 10.9.7, whose second integrand falls like exp(-x sinh t)."""
    first = lambda x: integral(lambda t: np.sin(x[..., None] * np.sin(t) - n * t), np.zeros(x.shape), np.pi) / np.pi
    second = falling(lambda x, t: (np.exp(n * t) + (-1) ** n * np.exp(-n * t)) * np.exp(-x * np.sinh(t)))
    return lambda x: first(x) - second(x) / np.pi


def ei(x):
    """DLMF 6.6.2."""
    return np.euler_gamma + np.log(np.abs(x)) + sum(x**k / (k * math.factorial(k)) for k in range(1, 60))


TO_ZERO = lambda f: lambda x: integral(f, 0.0, x)
DEFINITIONS = {
    "bessel_i0": turn(lambda x, t: np.exp(x * np.cos(t))),
    "bessel_i1": turn(lambda x, t: np.exp(x * np.cos(t)) * np.cos(t)),
    "bessel_i0e": turn(lambda x, t: np.exp(x * np.cos(t) - np.abs(x))),
    "bessel_i1e": turn(lambda x, t: np.exp(x * np.cos(t) - np.abs(x)) * np.cos(t)),
    "bessel_j0": turn(lambda x, t: np.cos(x * np.sin(t))),
    "bessel_j1": turn(lambda x, t: np.cos(t - x * np.sin(t))),
    "bessel_k0": falling(lambda x, t: np.exp(-x * np.cosh(t))),
    "bessel_k1": falling(lambda x, t: np.exp(-x * np.cosh(t)) * np.cosh(t)),
    "bessel_k0e": falling(lambda x, t: np.exp(x - x * np.cosh(t))),
    "bessel_k1e": falling(lambda x, t: np.exp(x - x * np.cosh(t)) * np.cosh(t)),
    "bessel_y0": y_integral(0),
    "bessel_y1": y_integral(1),
    "dawsn": lambda x: integral(lambda t: np.exp(t * t - (x * x)[..., None]), 0.0, x),
    "expint": ei,
    "fresnel_cos": TO_ZERO(lambda t: np.cos(np.pi * t * t / 2)),
    "fresnel_sin": TO_ZERO(lambda t: np.sin(np.pi * t * t / 2)),
    "spence": lambda x: -integral(lambda t: np.log(t) / (t - 1), 1.0, x),
}
POSITIVE = np.array([0.5, 1.1, 1.7, 3.0, 4.5])


@pytest.mark.parametrize("name", DEFINITIONS)
def test_values(name):
    x = POSITIVE if name[-2:] in ("k0", "k1", "0e", "1e", "y0", "y1", "ce") else np.concatenate([POSITIVE, -POSITIVE])
    f = getattr(tf.math.special, name)
    np.testing.assert_allclose(f(x).numpy(), DEFINITIONS[name](x), rtol=1e-11, atol=1e-13)
    single = f(x.astype(np.float32)).numpy()
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, DEFINITIONS[name](x), rtol=2e-6, atol=1e-7)


def test_all_of_them_are_tested():
    assert sorted(DEFINITIONS) == sorted(tf.math.special.__all__)


@pytest.mark.parametrize(
    ("name", "want"),
    [("bessel_i0", 0), ("bessel_i1", 0.5), ("bessel_j0", 0), ("bessel_j1", 0.5), ("dawsn", 1), ("fresnel_cos", 1)],
)
def test_derivatives_at_0(name, want):
    f = getattr(tf.math.special, name)
    assert gradient(f)(tf.constant(0.0)).numpy() == want
    assert np.isfinite(gradient(gradient(f))(tf.constant(0.0)).numpy())


def test_spence_at_1():
    """Where its slope is 0/0: -log(x)/(x-1) = -1 + (x-1)/2 - (x-1)²/3 + ..."""
    f = tf.math.special.spence
    x = tf.constant(1.0, tf.float64)
    assert f(x).numpy() == 0
    assert gradient(f)(x).numpy() == -1
    assert gradient(gradient(f))(x).numpy() == 0.5
    np.testing.assert_allclose(gradient(f)(tf.constant(1e-30, tf.float64)).numpy(), math.log(1e-30), rtol=1e-12)


# -- incomplete gamma functions --------------------------------------------------------------------------------------------

# (a, x, dP/da by TensorFlow 2.21): both methods, the line between them, and tails far below the rounding of P itself
SLOPES_IN_A = (
    (0.1, 0.001, -3.4160028418675266), (5.0, 0.001, -7.172271294017753e-17), (0.5, 0.1, -0.8229360969795988),
    (2.0, 0.5, -0.15103423690917053), (1.0, 0.9, -0.4520259268008633), (0.5, 1.0, -0.3898372643285106), (1.0,
    1.0, -0.43172971063489896), (0.5, 1.5, -0.23019434201736053), (1.0, 3.0, -0.09648294199134624), (5.0, 3.0,
    -0.13305676070192282), (5.0, 7.0, -0.11107537527157654), (10.0, 10.0, -0.12721482320991967), (30.0, 10.0,
    -2.835613268086476e-07), (10.0, 11.0, -0.11569395739153039), (30.0, 30.0, -0.0730393707725802), (2.0, 60.0,
    -1.9700535528457583e-24), (100.0, 60.0, -7.841202331592929e-07), (30.0, 100.0, -7.275093288193462e-17),
    (100.0, 100.0, -0.039927497857784724), (100.0, 130.0, -0.0008101300285622401), (2.0, 300.0,
    -8.18864367885049e-128), (100.0, 300.0, -1.5641847631072727e-41),
)  # fmt: skip


@pytest.mark.parametrize(("a", "x", "want"), SLOPES_IN_A)
def test_slope_of_igamma_in_a(a, x, want):
    a, x = tf.constant(a, tf.float64), tf.constant(x, tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(a)
        p, q = tf.math.igamma(a, x), tf.math.igammac(a, x)
    np.testing.assert_allclose(tape.gradient(p, a).numpy(), want, rtol=2e-13)
    np.testing.assert_allclose(tape.gradient(q, a).numpy(), -want, rtol=2e-13)


def test_third_derivatives_of_igamma():
    """The derivatives in `a` are one row of any order: this one differentiates that of order 2."""
    second = gradient(gradient(lambda a, x: tf.math.igamma(a, x)))
    assert_gradient(second, [0.7, 2.0, 5.0, 5.0], [1.3, 1.0, 4.0, 9.0], rtol=1e-5)


def test_igamma_and_igammac_add_up_to_1_where_neither_is_small():
    rng = np.random.default_rng(0)
    a, x = rng.uniform(0.1, 20, 100), rng.uniform(0.1, 30, 100)
    np.testing.assert_allclose(tf.math.igamma(a, x).numpy() + tf.math.igammac(a, x).numpy(), 1, rtol=1e-14)


def test_igamma_at_its_ends():
    ends = tf.math.igamma(tf.constant([2.0, 2.0, -1.0, 2.0]), [0.0, np.inf, 1.0, -1.0]).numpy()
    np.testing.assert_array_equal(ends, [0, 1, np.nan, np.nan])
    a = tf.constant([2.0, 2.0, 2.0, np.inf, -1.0])
    with tf.GradientTape() as tape:
        tape.watch(a)
        y = tf.math.igamma(a, [0.0, np.inf, -1.0, 3.0, 1.0])
    np.testing.assert_array_equal(tape.gradient(y, a).numpy(), [0, 0, np.nan, 0, np.nan])
    x = tf.constant([0.0, 0.0])
    assert gradient(lambda x: tf.math.igamma([1.0, 2.0], x))(x).numpy().tolist() == [1, 0]  # TensorFlow: NaN for a = 1


# -- the others --------------------------------------------------------------------------------------------------------------


def test_betainc():
    """For whole a and b it is a sum of binomial probabilities (DLMF 8.17.5)."""
    x = np.linspace(0.05, 0.95, 7)
    for a, b in ((1, 1), (2, 3), (4, 2)):
        n = a + b - 1
        want = sum(math.comb(n, j) * x**j * (1 - x) ** (n - j) for j in range(a, n + 1))
        np.testing.assert_allclose(
            tf.math.betainc(tf.constant(a, tf.float64), tf.constant(b, tf.float64), x).numpy(), want, rtol=1e-13
        )
        got = tf.math.betainc(float(a), float(b), x.astype(np.float32)).numpy()
        np.testing.assert_allclose(got, want, rtol=5e-7)  # SciPy's own float32 form is off by 6e-6
    with pytest.raises(TypeError, match="Betainc"):
        tf.math.betainc(tf.constant(1.0), tf.constant(1.0, tf.float64), 0.5)


def test_zeta_and_polygamma():
    assert abs(float(tf.math.zeta(tf.constant(2.0, tf.float64), 1.0)) - math.pi**2 / 6) < 1e-15
    orders = tf.math.polygamma(tf.constant([0.0, 1.0, 3.0, 0.5, -1.0], tf.float64), 1.0).numpy()
    np.testing.assert_allclose(orders, [-np.euler_gamma, math.pi**2 / 6, math.pi**4 / 15, np.nan, np.nan], rtol=1e-14)
    traced = tf.function(lambda a, x: tf.math.polygamma(a, x))
    assert abs(float(traced(tf.constant(1.0), tf.constant(1.0))) - math.pi**2 / 6) < 1e-6
    with tf.GradientTape() as tape:
        q = tf.constant(1.5)
        tape.watch(q)
        s = tf.constant(2.0)
        tape.watch(s)
        y = tf.math.zeta(s, q)
    assert tape.gradient(y, [s, q])[0] is None


def test_lbeta():
    x = np.array([[1.0, 2.0, 3.0], [0.5, 0.5, 0.5]])
    want = [sum(map(math.lgamma, row)) - math.lgamma(sum(row)) for row in x]
    np.testing.assert_allclose(tf.math.lbeta(x).numpy(), want, rtol=1e-14)
    assert tf.math.lbeta(np.zeros((2, 0))).numpy().tolist() == [-np.inf, -np.inf]
    assert_gradient(tf.math.lbeta, x)
    with pytest.raises(ValueError, match="scalar"):
        tf.math.lbeta(1.0)


def test_nextafter():
    got = tf.math.nextafter(tf.constant([0.0, 1.0, 1.0, 2.0]), [1.0, 0.0, 2.0, 2.0]).numpy()
    assert got.tolist() == [1.401298464324817e-45, 1 - 2**-24, 1 + 2**-23, 2]
    with pytest.raises(ValueError, match="float16"):
        tf.math.nextafter(tf.constant(1.0, tf.float16), tf.constant(2.0, tf.float16))


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_traced_and_in_half_precision(name):
    f = getattr(tf.math.special, name)
    x = tf.constant([0.75, 1.5])
    np.testing.assert_allclose(tf.function(f)(x).numpy(), f(x).numpy(), rtol=1e-6)
    for d in (tf.float16, tf.bfloat16):
        y = f(tf.cast(x, d))
        assert y.dtype == d
        np.testing.assert_array_equal(y.numpy(), tf.cast(f(x), d).numpy())
    with pytest.raises(ValueError, match="int32"):
        f(tf.constant([1]))
