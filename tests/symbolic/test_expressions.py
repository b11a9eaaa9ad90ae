"""What expressions are, and what they refuse."""

import math

import numpy as np
import pytest

import gradtape as tf
from gradtape import symbolic as S

x, y = S.variables("x y")


def test_operators():
    pairs = [
        (x + 1, S.Add(x, 1)), (1 + x, S.Add(1, x)), (x - y, S.Sub(x, y)), (2 - x, S.Sub(2, x)), (x * 2.5, S.Mul(x, 2.5)), (2 / x, S.Div(2, x)), (x**2, S.Pow(x, 2)),
        (2**x, S.Pow(2, x)), (-x, S.Neg(x)), (x // 2, S.Floordiv(x, 2)), (x % 2, S.Floormod(x, 2)), (abs(x), S.Abs(x)), (x < 1, S.Less(x, 1)), (x > 1, S.Greater(x, 1)),
        (x >= y, S.GreaterEqual(x, y)), ((x < 1) & (y < 1), S.LogicalAnd(x < 1, y < 1)), (~(x < 1), S.LogicalNot(x < 1)), (+x, x), (x == y, S.Equal(x, y)),
        (tf.maximum(x, 2), S.Maximum(x, 2)), (tf.add(x, 2), S.Add(x, 2)), (tf.where(x > 0, x, 1.0), S.Select(x > 0, x, 1)), (np.float64(2) * x, S.Mul(2.0, x)),
    ]  # fmt: skip
    for got, want in pairs:
        assert got is want, (got, want)


def test_equality_is_identity():
    assert (x == x + 0) is not True and bool(x == x) and not bool(x == y) and bool(x != y)
    assert x + 1 in [x, x + 1] and {x: 1, x + y: 2}[x + y] == 2
    assert (x == None) is False and (x != "x") is True  # noqa: E711
    assert x != None  # noqa: E711


def test_arrays_of_expressions():
    a = np.array([1.0, 2.0]) * x
    assert a.dtype == object and a[1] is S.Mul(2.0, x)
    assert S.evaluate(x * np.array([[1, 2]]), {x: 3}).tolist() == [[3, 6]]
    w = S.variables("w", shape=(2, 2))
    assert (w @ w)[0, 1] is w[0, 0] * w[0, 1] + w[0, 1] * w[1, 1]
    assert S.evaluate([x, (y, [x])], {x: 1, y: 2}) == [1, (2, [1])]


def test_evaluate_at_arrays_and_by_name():
    e = x * y + 1
    np.testing.assert_allclose(S.evaluate(e, {"x": np.arange(3.0), y: 2}), [1, 3, 5])
    assert S.evaluate(e, {"x": tf.constant(2.0), "y": tf.Variable(3.0)}) == 7
    assert S.evaluate(tf.exp(x), {x: 1000}) == np.inf and np.isnan(S.evaluate(x / x, {x: 0}))
    x.value = 5
    assert e.evaluate({"y": 1}) == 6 and x.evaluate() == 5
    x.value = None
    assert x.value == 0
    with pytest.raises(KeyError, match="no such variable"):
        S.evaluate(e, {"z": 1})
    with pytest.raises(KeyError, match="2 variables of that name"):
        S.evaluate(x + S.Var("x"), {"x": 1})
    with pytest.raises(TypeError, match="must be a number"):
        S.evaluate(e, {x: "three"})


def test_backpropagate_into_arrays():
    a, b = S.Var("a", value=np.array([1.0, 2.0])), S.Var("b", value=3.0)
    (tf.sin(a) * b).backpropagate(np.array([1.0, 10.0]))
    np.testing.assert_allclose(a.gradient, [3 * np.cos(1), 30 * np.cos(2)])
    assert b.gradient == pytest.approx(np.sin(1) + 10 * np.sin(2))


def test_steps_and_constants_have_derivative_zero():
    for e in (
        tf.floor(x),
        tf.sign(x),
        tf.round(x),
        tf.stop_gradient(x * x),
        S.Const(3),
        y,
        tf.where(x > 0, 1.0, 2.0),
        x // 2,
    ):
        assert e.diff(x) is S.Const(0) and S.gradient(e, [x])[0] is S.Const(0), e


def test_derivatives_with_respect_to_several():
    e = x**3 * y**2
    assert e.diff([x, y]) is e.diff(x).diff(y) and S.evaluate(e.diff([x, x, y]), {x: 2, y: 3}) == 6 * 2 * 2 * 3
    assert e.diff(x, 0) is e
    assert S.diff([x, x * y], x)[1] is y
    h = S.hessian(e)
    assert h[0][1] is h[1][0]
    j = S.jacobian([x * y, x + y, x], [x, y])
    assert S.evaluate(j, {x: 2, y: 3}) == [[3, 2], [1, 1], [1, 0]]
    assert S.evaluate(S.jacobian([x * y], [x, y]), {x: 2, y: 3}) == [[3, 2]]
    w = S.variables("w", shape=(3,))
    assert S.gradient((w * w).sum(), w)[1] is S.Mul(2, w[1])


def test_integers_and_complex_numbers():
    n = S.Var("n", value=6, dtype="int32")
    assert (n & 3).evaluate() == 2 and (n * 2 + 1).evaluate() == 13
    assert tf.bitwise.left_shift(n, 1).evaluate() == 12
    z = S.Complex(x, y)
    assert z.dtype == "complex128" and S.evaluate(abs(z), {x: 3, y: 4}) == 5
    with pytest.raises(tf.errors.InvalidArgumentError, match="whole numbers"):
        n * 2.5
    with pytest.raises(tf.errors.InvalidArgumentError, match="one dtype"):
        n * x


def test_no_truth_value():
    for f in (
        bool,
        float,
        int,
        lambda e: e.numpy(),
        math.sin,
        np.floor,
        lambda e: [1, 2][e],
        lambda e: 1 if e > 0 else 2,
    ):
        with pytest.raises(TypeError, match=r"truth value|Python float|Python int|no value|index|sin"):
            f(x)
    with pytest.raises(TypeError, match=r"tf\.where"):
        if x > 0:
            pass


@pytest.mark.parametrize(
    "f, match",
    [
        (lambda: S.Sin("x"), "'x' .a str. is no number"),
        (lambda: x * tf.Variable(2.0), "use a symbolic.Var"),
        (lambda: tf.Variable(2.0) * x, "use a symbolic.Var"),
        (lambda: tf.constant([1.0, 2.0]) * x, "scalar formula"),
        (lambda: (x * y).gradients("x"), "give the variable itself"),
        (lambda: (x * y).gradients([x, y]), "take lists"),
        (lambda: (x * y).gradients(x * x), "put a variable in its place"),
        (lambda: (x * y).backpropagate("a"), "The gradient to carry back must be a number"),
        (lambda: S.compile(x * y, ["x", "y"]), "args lists the arguments"),
        (lambda: S.Add(x, np.ones(2)), "scalar formula"),
        (lambda: S.Add(x, tf.ones(2, tf.float64)), "scalar formula"),
        (lambda: S.Add(x), r"takes 2 arguments \(x, y\), but got 1"),
        (lambda: S.Polygamma(x), r"takes the keywords \['n'\]"),
        (lambda: S.Sin(x, n=1), "takes no keywords"),
        (lambda: S.Operation(x), "not to be made itself"),
        (lambda: S.Var(3), "must be a string"),
        (lambda: S.Var("x", 1, init_value=2), "not both"),
        (lambda: setattr(x, "value", y), "use subs"),
        (lambda: (x * y).diff("x"), "give the variable itself"),
        (lambda: (x * y).diff(x * y), "subs first"),
        (lambda: tf.matmul([[x]], [[y]]), "scalar formula|elementwise"),
        (lambda: tf.sort(tf.stack([x, y])), "symbolic.trace"),
        (lambda: x / "a", "unsupported operand"),
    ],
)
def test_refusals_say_what_to_do(f, match):
    with pytest.raises(TypeError, match=match):
        f()


def test_orders_of_derivatives():
    for n in (-1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="how often"):
            x.diff(x, n)
    with pytest.raises(ValueError, match="at least one name"):
        S.variables("")


def test_expressions_and_traced_functions_do_not_mix():
    @tf.function
    def f(t):
        return t * x

    with pytest.raises(TypeError, match="traced or batched"):
        f(tf.constant(1.0, tf.float64))


def test_constants_never_change():
    c = S.Const(2)
    with pytest.raises(AttributeError):
        c.value = 3
    with pytest.raises(AttributeError):
        (x + 1).value = 3


def test_the_namespace():
    assert tf.symbolic.Add is S.Add and "symbolic" in dir(tf) and "BesselJ0" in dir(S)
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        S.Nonsense


def test_numbers_of_any_dtype_and_numpys_functions_take_part():
    x, y = S.variables("x y")
    for two in (tf.constant(2.0), tf.constant(2.0, tf.float64), 2):
        assert two * x is tf.multiply(two, x) is S.Mul(2, x)
    assert tf.maximum(x, tf.constant(0.0)) is S.Maximum(x, 0)
    assert np.sin(x) is tf.sin(x) and np.arctan2(x, y) is tf.atan2(x, y) and np.log1p(x) is tf.math.log1p(x)
    assert np.exp(np.array([x, y]))[1] is tf.exp(y)
    assert str((x * y).gradients(3)) == "(x) * (0) + (0) * (y)"  # as in the textbook's classes
    with pytest.raises(ValueError, match=r"give a list of variables, diff\(\[x, y\]\)"):
        (x * y).diff(x, y)
    assert (x * y).diff([x, y]) is S.Const(1)
