"""Dual numbers: their rules against those of the table, their arithmetic, levels, arrays, and what they refuse."""

import math
import operator

import numpy as np
import pytest

import gradtape as tf
from gradtape.autodiff import Dual, dual

FUNCTIONS = {  # where to sample
    "sqrt": 0.7, "cbrt": 0.7, "exp": 0.3, "exp2": 0.3, "expm1": 0.3, "log": 0.7, "log2": 0.7, "log10": 0.7, "log1p": 0.7, "sin": 0.7, "cos": 0.7, "tan": 0.7,
    "asin": 0.3, "acos": 0.3, "atan": 0.7, "sinh": 0.7, "cosh": 0.7, "tanh": 0.7, "asinh": 0.7, "acosh": 1.7, "atanh": 0.3, "erf": 0.7, "erfc": 0.7,
    "lgamma": 1.7, "gamma": 1.7, "fabs": -0.7,
}  # fmt: skip
ROWS = {"fabs": "abs"}


def slope(f, x, h=1e-3):
    central = lambda h: (f(x + h) - f(x - h)) / (2 * h)
    return (4 * central(h / 2) - central(h)) / 3


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    f, x = getattr(dual, name), FUNCTIONS[name]
    plain = getattr(math, name)
    d = f(Dual(x, 2.0))
    assert type(f(x)) is float and f(x) == plain(x) and d.value == plain(x)
    assert d.tangent == pytest.approx(2 * slope(plain, x), rel=1e-8)
    # on arrays, by the names here and by NumPy's
    a = np.array([x, x * 1.01])
    np.testing.assert_allclose(f(a), [plain(v) for v in a], rtol=1e-14)
    np.testing.assert_allclose(
        f(Dual(a, np.array([1.0, 2.0]))).tangent, [slope(plain, a[0]), 2 * slope(plain, a[1])], rtol=1e-8
    )
    numpy_name = "arc" + name[1:] if name.startswith("a") else name
    if hasattr(np, numpy_name):
        assert getattr(np, numpy_name)(Dual(x, 2.0)).tangent == pytest.approx(d.tangent, rel=1e-15)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_against_the_table(name):
    """The rules written here by hand, and those of the table."""
    row = getattr(tf.math, ROWS.get(name, name), None)
    if row is None:
        row = {"exp2": lambda x: 2.0**x, "log2": lambda x: tf.math.log(x) / math.log(2), "log10": lambda x: tf.math.log(x) / math.log(10),
               "cbrt": lambda x: x ** (1 / 3), "gamma": lambda x: tf.exp(tf.math.lgamma(x))}[name]  # fmt: skip
    x = tf.constant(FUNCTIONS[name], tf.float64)
    with tf.autodiff.ForwardAccumulator(x, tf.constant(1.0, tf.float64)) as acc:
        y = row(x)
    assert getattr(dual, name)(Dual(FUNCTIONS[name], 1.0)).tangent == pytest.approx(float(acc.jvp(y)), rel=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.mod,
        operator.pow,
        dual.atan2,
        dual.hypot,
        dual.pow,
    ],
)
@pytest.mark.parametrize("moving", ["left", "right", "both", "same"])
def test_operators(f, moving):
    x, y = 2.3, 1.4
    a = Dual(x, 1.5) if moving != "right" else x
    b = Dual(y, -0.5) if moving != "left" else y
    if moving == "same":
        got, want = f(a, a), slope(lambda t: f(x + 1.5 * t, x + 1.5 * t), 0.0)
        want = 0.0 if f is operator.mod else want  # x % x jumps nowhere
        value = f(x, x)
    else:
        s, t = (1.5 if moving != "right" else 0), (-0.5 if moving != "left" else 0)
        got, want, value = f(a, b), slope(lambda h: f(x + h * s, y + h * t), 0.0), f(x, y)
    assert got.value == value and got.tangent == pytest.approx(want, rel=1e-7, abs=1e-9)


def test_values_decide_comparisons_and_branches():
    x = Dual(2.0, 1.0)
    assert (
        x == 2.0
        and x != 3
        and x < 3
        and x <= 2
        and x > Dual(1.0, 5.0)
        and x >= 2
        and x > 1
        and bool(x)
        and not Dual(0.0, 1.0)
    )
    assert max(x, Dual(1.0, 7.0)) is x and sorted([3.0, x, 1.0])[1] is x
    assert (
        math.floor(x) == 2
        and math.ceil(Dual(1.2, 1.0)) == 2
        and round(Dual(1.26, 1.0), 1) == 1.3
        and math.trunc(Dual(-1.5, 1.0)) == -1
    )
    assert (x // 0.3).value == 6.0 and (x // 0.3).tangent == 0.0 and (7 // x).tangent == 0.0
    assert abs(Dual(-2.0, 3.0)).tangent == -3.0 and (-x).tangent == -1.0 and (+x) is x

    def newton(a, x=1.0):
        while abs(x * x - a) > 1e-14:
            x = (x + a / x) / 2
        return x

    root = newton(Dual(2.0, 1.0))
    assert root.value == pytest.approx(math.sqrt(2)) and root.tangent == pytest.approx(1 / math.sqrt(8), rel=1e-6)


def test_powers_at_zero():
    assert (
        (Dual(0.0, 1.0) ** 2).tangent == 0.0
        and (Dual(0.0, 1.0) ** 1).tangent == 1.0
        and (Dual(0.0, 1.0) ** 0).tangent == 0.0
    )
    assert (Dual(-2.0, 1.0) ** 3).tangent == 12.0 and (Dual(2.0, 1.0) ** -1).tangent == -0.25
    assert (2 ** Dual(3.0, 1.0)).tangent == pytest.approx(8 * math.log(2))


def test_text():
    assert repr(Dual(6.0, 5.0)) == "Dual(6.0, 5.0)" and str(Dual(6.0, 5.0)) == "6.0 + 5.0ε"
    assert repr(Dual(np.float64(1), 2)) == "Dual(1.0, 2)" and repr(Dual(3)) == "Dual(3, 0.0)"
    assert str(Dual(Dual(1.0, 2.0), Dual(3.0, 4.0))) == "(1.0 + 2.0ε) + (3.0 + 4.0ε)ε"
    assert repr(Dual(1.0, 2.0, level=1)) == "Dual(1.0, 2.0, level=1)"


def test_derivatives_nest():
    d = dual.derivative
    assert d(lambda x: x**3, 2.0) == 12.0
    assert d(lambda x: d(lambda x: d(lambda x: x**5, x), x), 2.0) == 240.0
    f = lambda x: dual.exp(dual.sin(x) * x)
    second = d(lambda x: d(f, x), 0.7)
    assert second == pytest.approx(slope(lambda x: d(f, x), 0.7), rel=1e-8)
    assert d(lambda x: 5.0, 1.0) == 0.0
    assert d(lambda x: x * d(lambda y: y * 2, 1.0), 3.0) == 2.0


def test_perturbations_are_not_confused():
    """d/dx x · (d/dy (x + y)) is 1: each derivative has its own ε."""
    d = dual.derivative
    assert d(lambda x: x * d(lambda y: x + y, 1.0), 1.0) == 1.0
    assert d(lambda x: x * d(lambda y: x * y, 2.0), 3.0) == 6.0
    inner, outer = Dual(1.0, 1.0, level=2), Dual(2.0, 1.0, level=1)
    product = inner * outer
    assert product.level == 2 and isinstance(product.value, Dual) and product.value.level == 1


def test_arrays():
    x = Dual(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 0.0]))
    y = (x * x + 1).sum()
    assert y.value == 17.0 and y.tangent == 2.0
    assert (np.array([1.0, 2, 3]) * x).tangent.tolist() == [1.0, 0.0, 0.0]
    assert (x + np.ones(3)).value.tolist() == [2.0, 3.0, 4.0]
    assert (
        x[1:].tangent.tolist() == [0.0, 0.0]
        and len(x) == 3
        and [v.value for v in x] == [1.0, 2.0, 3.0]
        and x.shape == (3,)
    )
    m = np.arange(6.0).reshape(2, 3)
    assert (m @ x).value.tolist() == [8.0, 26.0] and (m @ x).tangent.tolist() == [0.0, 3.0]
    assert (x @ m.T).tangent.tolist() == [0.0, 3.0] and (x @ x).tangent == 2.0
    assert Dual(m, m).T.tangent.shape == (3, 2)
    assert np.maximum(x, 2.0).tangent.tolist() == [0.0, 0.0, 0.0] and np.minimum(x, 2.0).tangent.tolist() == [
        1.0,
        0.0,
        0.0,
    ]
    assert dual.where(x > 1.5, x, -x).tangent.tolist() == [-1.0, 0.0, 0.0]
    assert dual.where(True, 1.0, 2.0) == 1.0
    np.testing.assert_allclose(np.exp(x).tangent, [math.e, 0, 0])
    np.testing.assert_allclose(dual.derivative(np.sin, np.array([0.0, 1.0])), np.cos([0.0, 1.0]))
    jacobian = np.stack([(np.tanh(m @ Dual(np.ones(3), e))).tangent for e in np.eye(3)], 1)
    np.testing.assert_allclose(jacobian, (1 - np.tanh(m.sum(1)) ** 2)[:, None] * m)


def test_objects_in_arrays():
    """NumPy's own loops over an array of dual numbers."""
    a = np.array([Dual(1.0, 1.0), Dual(2.0, 0.0)], object)
    assert (a * a).sum().tangent == 2.0 and np.dot(a, a).value == 5.0


def test_complex():
    z = dual.exp(Dual(1j, 1.0)) * 2
    assert z.value == pytest.approx(2 * np.exp(1j)) and z.tangent == pytest.approx(2 * np.exp(1j))


def test_the_same_as_the_accumulator():
    def f(sin, x, y):
        return (sin(x * y) + x / y) ** 2 - 3 * x

    got = f(dual.sin, Dual(1.3, 0.5), Dual(0.7, -2.0))
    x, y = tf.constant(1.3, tf.float64), tf.constant(0.7, tf.float64)
    with tf.autodiff.ForwardAccumulator([x, y], [tf.constant(0.5, tf.float64), tf.constant(-2.0, tf.float64)]) as acc:
        z = f(tf.sin, x, y)
    assert got.value == pytest.approx(float(z), rel=1e-14) and got.tangent == pytest.approx(
        float(acc.jvp(z)), rel=1e-14
    )


def test_what_they_refuse():
    x = Dual(1.0, 1.0)
    with pytest.raises(TypeError, match=r"without losing its tangent: use tf.autodiff.dual.sin"):
        math.sin(x)
    with pytest.raises(TypeError, match="float value"):
        float(x)
    with pytest.raises(TypeError, match=r"use tf.autodiff.ForwardAccumulator"):
        Dual(tf.constant(1.0), 1.0)
    with pytest.raises(TypeError, match=r"np.logaddexp is not defined for dual numbers"):
        np.logaddexp(x, x)
    with pytest.raises(TypeError):
        x + "a"
    with pytest.raises(TypeError):
        hash(x)
    with pytest.raises(NotImplementedError, match="derivative of digamma"):
        dual.derivative(lambda x: dual.derivative(dual.lgamma, x), 2.0)
