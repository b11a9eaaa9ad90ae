"""Every way to differentiate against the others, on functions from textbooks, special functions, matrix expressions and control flow, at orders 1 and 2.

Reverse and forward mode, their combinations and the compiled ones agree to 1e-10 of the largest derivative, so do the symbolic derivative and the complex step;
differences are as far off as they themselves say, at most. Where a way does not apply, the table says so, and it must refuse (or, for complex steps of functions
that are not analytic, say in its error estimate that it is wrong).
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import pytest

import gradtape as tf

autodiff, numeric, symbolic = tf.autodiff, tf.numeric, tf.symbolic
TOLERANCE = 1e-10


class Case(NamedTuple):
    name: str
    f: Any
    args: tuple
    without: tuple = ()  # ways that do not apply


rng = np.random.default_rng(0)
V = [0.3, -0.7, 1.2]
W = [0.5, 1.5, 0.8]
A = (rng.normal(size=(3, 3)) + 3 * np.eye(3)).round(2).tolist()
B = rng.normal(size=(3, 2)).round(2).tolist()
M = rng.normal(size=(2, 3)).round(2).tolist()
COMPLEX, SYMBOLIC, COMPILED = "complex step", "symbolic", "compiled"


def total(t: Any) -> Any:
    """A weighted sum: a number that depends on every element in its own way."""
    n = math.prod(t.shape)
    flat = tf.reshape(t, [n])
    out = 0.0
    for i in range(n):
        out = out + flat[i] * (1.0 + 0.25 * i)
    return out


def gram(x: Any) -> Any:
    """A symmetric positive definite matrix."""
    return tf.matmul(x, x, transpose_b=True) + tf.eye(x.shape[0], dtype=x.dtype)


def rosenbrock(v: Any) -> Any:
    return (1 - v[0]) ** 2 + 100 * (v[1] - v[0] ** 2) ** 2 + (1 - v[1]) ** 2 + 100 * (v[2] - v[1] ** 2) ** 2


def newton_root(x: Any) -> Any:
    """√x by six steps of Newton's method."""
    s = x
    for _ in range(6):
        s = (s + x / s) / 2
    return s


def collatz_like(x: Any) -> Any:
    """A branch that depends on the value."""
    if x > 1:
        y = x * x * tf.sin(x)
    else:
        y = tf.exp(-x)
    return y * x


def power_by_loop(x: Any) -> Any:
    y = x
    i = tf.constant(0)
    while i < 4:
        y = y * tf.sin(x + tf.cast(i, x.dtype))
        i += 1
    return y


def continued_fraction(x: Any) -> Any:
    y = x
    for i in range(5, 0, -1):
        y = i + x / y
    return x / y


def bisection_free(x: Any, y: Any) -> Any:
    return tf.where(x > y, x * x * y, tf.exp(x - y))


def horner(x: Any) -> Any:
    return tf.math.polyval([2.0 * x**0, -(x**0), 0.5 * x**0, 3.0 * x**0], x)


def geometric(x: Any) -> Any:
    term = total_ = x**0
    for _ in range(12):
        term = term * x
        total_ = total_ + term
    return total_


CASES = [
    # textbook formulas; the first ones are those that the seed notebooks differentiate
    Case("3x²+2x-1", lambda x: 3.0 * x**2 + 2.0 * x - 1, (1.0,)),
    Case("(x1+5)x2²", lambda x1, x2: (x1 + 5) * x2**2, (2.0, 3.0)),
    Case("x²y+y+2", lambda x, y: x * x * y + y + 2, (3.0, 4.0)),
    Case("cos", tf.cos, (-0.1,)),
    Case("x1²+x2³", lambda x, y: x**2 + y**3, (2.0, 3.0)),
    Case("Squire and Trapp", lambda x: tf.exp(x) / tf.sqrt(tf.sin(x) ** 3 + tf.cos(x) ** 3), (1.5,)),
    Case("x to the 4.5", lambda x: x**4.5, (0.6,)),
    Case("product of three", lambda x, y, z: x * y * z, (2.0, 3.0, 4.0)),
    Case("quotient", lambda x, y: (x + y) / (x - 2 * y), (1.3, 0.4)),
    Case("gaussian", lambda x: tf.exp(-x * x / 2) / math.sqrt(2 * math.pi), (0.8,)),
    Case("logistic loss", lambda x: tf.math.log1p(tf.exp(-x)), (0.4,)),
    Case("x^x", lambda x: x**x, (1.7,)),
    Case("x^y", lambda x, y: x**y, (1.7, 2.3)),
    Case("sin of 1/x", lambda x: tf.sin(1 / x), (0.4,)),
    Case("log log", lambda x: tf.math.log(tf.math.log(x)), (5.0,)),
    Case("polar angle", lambda x, y: tf.atan(y / x), (1.0, 2.0)),
    Case("distance", lambda x, y: tf.sqrt(x * x + y * y), (3.0, 4.0)),
    Case("Rosenbrock", rosenbrock, (V,)),
    Case("Himmelblau", lambda x, y: (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2, (1.1, -0.7)),
    Case("Rastrigin", lambda v: tf.reduce_sum(v * v - 10 * tf.cos(2 * math.pi * v)), (V,)),
    Case("Beale", lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y * y) ** 2 + (2.625 - x + x * y**3) ** 2, (1.2, 0.4)),
    Case("Planck's law", lambda x: x**3 / (tf.exp(x) - 1), (2.2,)),
    Case("Lennard-Jones", lambda r: 4 * (r**-12.0 - r**-6.0), (1.3,)),
    Case("Arrhenius", lambda t: tf.exp(-2.0 / t), (0.9,)),
    Case("van der Waals", lambda v, t: t / (v - 0.3) - 1.2 / v**2, (1.5, 2.0)),
    Case("pendulum", lambda q, p: p * p / 2 - tf.cos(q), (0.9, 0.2)),
    # elementary functions
    Case("tan", tf.tan, (0.7,)),
    Case("asin", tf.asin, (0.3,)),
    Case("acos", tf.acos, (0.3,)),
    Case("atan", tf.atan, (1.3,)),
    Case("sinh cosh tanh", lambda x: tf.sinh(x) * tf.cosh(x) - tf.tanh(x), (0.6,)),
    Case("asinh", tf.asinh, (0.8,)),
    Case("acosh", tf.acosh, (1.8,)),
    Case("atanh", tf.atanh, (0.4,)),
    Case("expm1", tf.math.expm1, (1e-3,)),
    Case("log1p", tf.math.log1p, (0.01,)),
    Case("rsqrt", tf.math.rsqrt, (2.5,)),
    Case("reciprocal", tf.math.reciprocal, (2.5,)),
    Case("sigmoid", tf.sigmoid, (0.3,)),
    Case("squared difference", lambda x, y: tf.math.squared_difference(x, y) * x, (1.5, 0.3), (COMPLEX,)),
    Case("softplus", tf.math.softplus, (0.3,), (COMPLEX,)),
    Case("atan2", tf.atan2, (0.8, -1.1), (COMPLEX,)),
    Case("abs", lambda x: tf.abs(x) * x * x, (-0.8,), (COMPLEX,)),
    Case("maximum", lambda x, y: tf.maximum(x * y, x + y) ** 2, (1.5, 2.5), (COMPLEX,)),
    Case("relu", lambda x: tf.nn.relu(x) ** 3, (0.8,), (COMPLEX,)),
    Case("gelu", tf.nn.gelu, (0.8,), (COMPLEX,)),
    Case("elu", lambda x: tf.nn.elu(x) * x, (-0.8,), (COMPLEX,)),
    Case("xlogy", tf.math.xlogy, (1.3, 2.1)),
    # special functions
    Case("erf", tf.math.erf, (0.7,), (COMPLEX,)),
    Case("erfc", tf.math.erfc, (1.7,), (COMPLEX,)),
    Case("erfinv", tf.math.erfinv, (0.4,), (COMPLEX,)),
    Case("lgamma", tf.math.lgamma, (2.6,), (COMPLEX,)),
    Case("digamma", tf.math.digamma, (2.6,), (COMPLEX,)),
    Case("ndtri", tf.math.ndtri, (0.3,), (COMPLEX,)),
    Case("zeta", lambda q: tf.math.zeta(tf.constant(2.0, q.dtype), q), (1.7,), (COMPLEX,)),
    Case("polygamma", lambda x: tf.math.polygamma(tf.constant(1.0, x.dtype), x), (1.7,), (COMPLEX,)),
    Case("bessel i0 i1", lambda x: tf.math.bessel_i0(x) * tf.math.bessel_i1(x), (1.2,), (COMPLEX,)),
    Case("bessel j0 y1", lambda x: tf.math.special.bessel_j0(x) * tf.math.special.bessel_y1(x), (1.9,), (COMPLEX,)),
    Case("bessel k0", tf.math.special.bessel_k0, (1.9,), (COMPLEX,)),
    Case("dawsn", tf.math.special.dawsn, (0.9,), (COMPLEX,)),
    Case("expint", tf.math.special.expint, (0.9,), (COMPLEX,)),
    Case("fresnel", lambda x: tf.math.special.fresnel_sin(x) + tf.math.special.fresnel_cos(x), (0.9,), (COMPLEX,)),
    Case("spence", tf.math.special.spence, (0.6,), (COMPLEX,)),
    Case("igamma", tf.math.igamma, (1.4, 0.9), (COMPLEX,)),
    Case("betainc", lambda x: tf.math.betainc(tf.constant(2.0, x.dtype), tf.constant(3.0, x.dtype), x), (0.4,), (COMPLEX,)),
    # vectors and matrices
    Case("norm", lambda v: tf.sqrt(tf.reduce_sum(v * v)), (V,)),
    Case("cosine", lambda v, w: tf.reduce_sum(v * w) / tf.sqrt(tf.reduce_sum(v * v) * tf.reduce_sum(w * w)), (V, W)),
    Case("softmax", lambda v: total(tf.exp(v) / tf.reduce_sum(tf.exp(v))), (V,)),
    Case("tf.nn.softmax", lambda v: total(tf.nn.softmax(v)), (V,), (COMPLEX,)),
    Case("logsumexp", tf.reduce_logsumexp, (V,), (COMPLEX,)),
    Case("variance", lambda v: tf.reduce_mean((v - tf.reduce_mean(v)) ** 2), (V,)),
    Case("product", tf.reduce_prod, (W,)),
    Case("cumsum", lambda v: total(tf.cumsum(v) ** 2), (V,)),
    Case("cumprod", lambda v: total(tf.math.cumprod(v)), (V,)),
    Case("quadratic form", lambda v, m: tf.reduce_sum(v * tf.linalg.matvec(m, v)), (V, A)),
    Case("least squares", lambda m, b: tf.reduce_sum((tf.matmul(m, b) - 1.0) ** 2), (A, B)),
    Case("two layers", lambda m, b, v: total(tf.tanh(tf.linalg.matvec(m, tf.tanh(tf.linalg.matvec(b, v))))), (A, B, [0.4, -0.9])),
    Case("outer, gathered", lambda v: total(tf.gather(v[:, None] * tf.reverse(v, [0])[None, :], [2, 0])) ** 2, (V,)),
    Case("einsum", lambda m, b: tf.einsum("ij,jk,ik->", m, b, b), (A, B)),
    Case("determinant", tf.linalg.det, (A,)),
    Case("inverse", lambda m: total(tf.linalg.inv(m)), (A,)),
    Case("solve", lambda m, b: total(tf.linalg.solve(m, b)), (A, B)),
    Case("expm", lambda m: total(tf.linalg.expm(m * 0.3)), (A,), (SYMBOLIC,)),
    Case("cholesky", lambda x: total(tf.linalg.cholesky(gram(x))), (M,), (COMPLEX,)),
    Case("logdet", lambda x: tf.linalg.logdet(gram(x)), (M,), (COMPLEX,)),
    Case("eigenvalues", lambda x: total(tf.linalg.eigvalsh(gram(x)) ** 2), (M,), (COMPLEX, SYMBOLIC)),
    Case("singular values", lambda x: total(tf.linalg.svd(x, compute_uv=False)), (M,), (COMPLEX, SYMBOLIC)),
    # control flow
    Case("Newton's root", newton_root, (2.0,)),
    Case("branch above", collatz_like, (1.8,), (COMPLEX,)),
    Case("branch below", collatz_like, (0.3,), (COMPLEX,)),
    Case("while", power_by_loop, (0.9,)),
    Case("continued fraction", continued_fraction, (1.4,)),
    Case("where, first", bisection_free, (1.5, 0.5), (COMPLEX,)),
    Case("where, second", bisection_free, (0.5, 1.5), (COMPLEX,)),
    Case("Horner", horner, (1.4,)),
    Case("geometric sum", geometric, (0.6,)),
]  # fmt: skip


def test_there_are_enough_functions():
    assert len(CASES) >= 60
    assert len({c.name for c in CASES}) == len(CASES)


def flat(found: Any) -> np.ndarray:
    """Jacobians for each argument, or blocks of a Hessian, as one vector."""
    if isinstance(found, tuple | list) and isinstance(found[0], tuple | list):
        return np.concatenate([flat(row) for row in found])
    parts = found if isinstance(found, tuple | list) else [found]
    return np.concatenate([np.asarray(p, np.float64).ravel() for p in parts])


def tensors(case: Case) -> tuple:
    return tuple([tf.constant(a, tf.float64) for a in case.args])


def assert_close(got: np.ndarray, want: np.ndarray, what: str) -> None:
    scale = max(np.max(np.abs(want)), 1e-300)
    assert got.shape == want.shape
    worst = np.max(np.abs(got - want))
    assert worst <= TOLERANCE * scale, f"{what}: {got} instead of {want}, {worst / scale:.1e} of the largest"


def by_reverse(case: Case, order: int) -> np.ndarray:
    every = tuple(range(len(case.args)))
    g = autodiff.grad(case.f, every)
    return flat((g if order == 1 else autodiff.jacrev(g, every))(*tensors(case)))


def by_forward(case: Case, order: int) -> np.ndarray:
    every = tuple(range(len(case.args)))
    g = autodiff.jacfwd(case.f, every)
    return flat((g if order == 1 else autodiff.jacfwd(g, every))(*tensors(case)))


def by_formula(case: Case, order: int) -> np.ndarray:
    shaped = [symbolic.Var(f"x{i}", dtype="float64") if not np.ndim(a) else symbolic.variables([f"x{i}"], shape=np.shape(a)) for i, a in enumerate(case.args)]  # fmt: skip
    variables = [v for s in shaped for v in (np.ravel(s) if isinstance(s, np.ndarray) else [s])]
    e = symbolic.trace(case.f, *shaped, dtype="float64")
    found = symbolic.gradient(e, variables) if order == 1 else symbolic.hessian(e, variables)
    numbers = np.concatenate([np.ravel(a) for a in case.args])
    values = symbolic.evaluate(found, dict(zip(variables, numbers.tolist(), strict=True)))
    if order == 1:
        return np.asarray(values, np.float64)
    ends = np.cumsum([0, *[np.size(a) for a in case.args]])
    h = np.asarray(values, np.float64)
    return np.concatenate(
        [h[r0:r1, c0:c1].ravel() for r0, r1 in itertools.pairwise(ends) for c0, c1 in itertools.pairwise(ends)]
    )


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
class TestAgreement:
    def test_forward_and_reverse(self, case, order):
        want = by_reverse(case, order)
        assert np.all(np.isfinite(want)) and np.any(want)
        assert_close(by_forward(case, order), want, "forward")
        if order == 2:
            every = tuple(range(len(case.args)))
            assert_close(flat(autodiff.hessian(case.f, every)(*tensors(case))), want, "forward over reverse")
            mixed = autodiff.jacrev(autodiff.jacfwd(case.f, every), every)
            assert_close(flat(mixed(*tensors(case))), want, "reverse over forward")

    def test_compiled(self, case, order):
        every = tuple(range(len(case.args)))
        inner = tf.function(case.f)
        g = autodiff.grad(lambda *xs: inner(*xs), every)
        program = tf.function(g if order == 1 else autodiff.jacrev(g, every), autograph=False)
        assert_close(flat(program(*tensors(case))), by_reverse(case, order), "compiled")

    def test_symbolic(self, case, order):
        if SYMBOLIC in case.without:
            with pytest.raises(TypeError, match="cannot become part of a formula"):
                by_formula(case, order)
            return
        assert_close(by_formula(case, order), by_reverse(case, order), "symbolic")

    def test_complex_step(self, case, order):
        take = numeric.gradient if order == 1 else numeric.hessian
        want = by_reverse(case, order)
        if COMPLEX not in case.without:
            assert_close(flat(take(case.f, tensors(case), method="complex")), want, "complex step")
            return
        try:
            found = take(case.f, tensors(case), method="complex", full=True)
        except (TypeError, ValueError):
            return
        wrong = np.abs(flat(found.value) - want)
        assert np.max(wrong) > 1e-3 * np.max(np.abs(want))  # or it does apply
        assert np.all((wrong <= flat(found.error)) | (wrong <= 1e-8 * np.max(np.abs(want))))

    @pytest.mark.parametrize("method", ["forward", "central", "richardson"])
    def test_differences(self, case, order, method):
        take = numeric.gradient if order == 1 else numeric.hessian
        found = take(case.f, tensors(case), method=method, full=True)
        want = by_reverse(case, order)
        wrong, estimated = np.abs(flat(found.value) - want), flat(found.error)
        rounding = 4e-16 * np.max(np.abs(want))  # that of the derivative it is compared with
        assert np.all(wrong <= estimated + rounding), f"off by {wrong}, estimated {estimated}"
        useful = {"forward": 1e-2, "central": 1e-3, "richardson": 1e-6}[method]
        assert np.max(estimated) <= useful * max(1.0, np.max(np.abs(want)))
