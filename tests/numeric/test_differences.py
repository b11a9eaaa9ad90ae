"""Differences, extrapolation and complex steps: their values, their error estimates, what they take and what they refuse."""

import cmath
import math
import warnings

import ml_dtypes
import numpy as np
import pytest

import gradtape as tf

N = tf.numeric
SHARP = {"forward": 1e-6, "backward": 1e-6, "central": 1e-9, "richardson": 1e-11, "adaptive": 1e-11, "complex": 1e-15}


@pytest.mark.parametrize("method", N.METHODS)
def test_how_sharp_the_methods_are(method):
    f = cmath.exp if method == "complex" else math.exp
    e = N.derivative(f, 0.5, method=method, full=True)
    assert type(e.value) is float
    assert abs(e.value - math.exp(0.5)) <= e.error <= 20 * SHARP[method]
    assert abs(N.derivative(f, 0.5, method=method) - math.exp(0.5)) <= SHARP[method]


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("method", ["forward", "backward", "central", "richardson", "complex"])
def test_higher_orders(method, order):
    f = cmath.sin if method == "complex" else math.sin
    want = [math.sin, math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)][order % 4](0.7)
    e = N.derivative(f, 0.7, order, method=method, full=True)
    assert abs(e.value - want) <= e.error < (0.5 if method in ("forward", "backward", "central") else 1e-3)


def test_the_worked_example_of_squire_and_trapp():
    """Their table 1: the derivative of e^x / √(sin³x + cos³x) at 1.5, which complex steps give to the last digit."""
    f = lambda x: np.exp(x) / np.sqrt(np.sin(x) ** 3 + np.cos(x) ** 3)
    assert abs(N.derivative(f, 1.5, method="complex") - 4.05342789389862) < 1e-14


@pytest.mark.parametrize("method", ["central", "richardson", "complex"])
def test_results_are_what_the_argument_is(method):
    f = lambda x: x * x * x
    x = np.array([[1.0, 2.0], [3.0, -4.0]])
    assert isinstance(N.derivative(f, 2, method=method), float)
    got = N.derivative(f, x, method=method)
    assert isinstance(got, np.ndarray) and got.dtype == np.float64
    np.testing.assert_allclose(got, 3 * x**2, rtol=1e-8)
    t = N.derivative(f, tf.constant(x, tf.float32), method=method)
    assert isinstance(t, tf.Tensor) and t.dtype == tf.float32
    np.testing.assert_allclose(t.numpy(), 3 * x**2, rtol=1e-3)
    assert isinstance(N.derivative(f, np.float32(2), method=method), np.float32)
    v = N.derivative(f, tf.Variable(2.0, dtype=tf.float64), method=method)
    assert v.dtype == tf.float64 and abs(float(v) - 12) < 1e-7


def test_the_step_follows_the_dtypes_of_argument_and_result():
    steps = {
        d: N.derivative(tf.sin, tf.constant(0.5, d), full=True).step for d in (tf.float64, tf.float32, tf.bfloat16)
    }
    assert steps[tf.float64] < 1e-4 < steps[tf.float32] < 1e-1 < steps[tf.bfloat16]
    assert N.derivative(tf.sin, 0.5, full=True).step == steps[tf.float32]  # a Python float becomes a float32 tensor
    assert N.derivative(np.sin, 1000.0, full=True).step > 500 * steps[tf.float64]


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32])
@pytest.mark.parametrize("method", ["forward", "central", "richardson"])
def test_low_precision_stays_within_its_estimate(dtype, method):
    e = N.derivative(tf.exp, tf.constant([0.25, 1.0], dtype), method=method, full=True)
    wrong = np.abs(np.asarray(e.value.numpy(), np.float64) - np.exp([0.25, 1.0]))
    assert np.all(wrong <= e.error + float(ml_dtypes.finfo(dtype.as_numpy_dtype).eps) * 3)


def test_a_step_that_is_given_is_the_step():
    f = lambda x: x**3
    assert N.derivative(f, 2.0, method="forward", step=0.5) == 15.25
    assert N.derivative(f, 2.0, method="backward", step=0.5) == 9.25
    assert N.derivative(f, 2.0, method="central", step=0.5) == 12.25
    e = N.gradient(lambda v: v[0] ** 3 + v[1] ** 2, np.array([2.0, 1.0]), method="forward", step=np.array([0.5, 0.25]), full=True)  # fmt: skip
    assert e.value.tolist() == [15.25, 2.25] and e.step.tolist() == [0.5, 0.25]


def test_a_step_that_the_dtype_cannot_add_is_measured():
    """In float32, 1 + 1e-3 is not 1.001: what counts is what was added."""
    got = N.derivative(lambda x: x * 1.0, tf.constant(1.0), method="forward", step=1e-3)
    assert got.numpy() == 1.0


def test_extrapolation_finds_its_way_around_edges_and_kinks():
    e = N.derivative(math.log, 1e-3, method="richardson", full=True)
    assert abs(e.value - 1000) <= e.error < 1e-6
    e = N.derivative(np.log, 1e-3, method="richardson", full=True)
    assert abs(e.value - 1000) <= e.error < 1e-6
    e = N.derivative(abs, 0.01, method="richardson", full=True)
    assert abs(e.value - 1) <= e.error < 1e-12


@pytest.mark.parametrize("frequency", [3.0, 100.0, 64 * math.pi, 1000.0])
def test_waves_are_not_mistaken_for_constants(frequency):
    for order in (1, 2):
        e = N.derivative(lambda x: math.sin(frequency * x), 5.0, order, method="richardson", full=True)
        want = frequency * math.cos(5 * frequency) if order == 1 else -(frequency**2) * math.sin(5 * frequency)
        known = 1e-16 * 5 * frequency ** (order + 1)  # the rounding of frequency * x moves the wave
        assert abs(e.value - want) <= e.error + known < 1e-2


def test_noise_is_measured():
    """1e4 times the rounding of a function without cancellation."""
    noisy = lambda x: (math.exp(x) + 1e4) - 1e4
    for method in ("forward", "central", "richardson"):
        e = N.derivative(noisy, 1.0, method=method, full=True)
        quiet = N.derivative(math.exp, 1.0, method=method, full=True)
        assert abs(e.value - math.e) <= e.error
        assert e.error > 10 * quiet.error


def test_functions_that_are_not_analytic_are_found_out():
    with pytest.raises(tf.errors.InvalidArgumentError, match="needs an analytic function"):
        N.derivative(abs, 0.3, method="complex")
    for order in (1, 2):
        e = N.derivative(lambda x: abs(x) * x, 0.3, order, method="complex", full=True)
        assert abs(e.value - [0.6, 2][order - 1]) <= e.error > 0.1
    h = N.hessian(lambda x, y: abs(x) * y, (0.3, 0.4), method="complex", full=True)
    assert h.value[0][1] != 1 and h.error[0][1] > 0.1


def test_evaluations_are_counted():
    calls = []

    def f(x):
        calls.append(x)
        return x * x

    for method in ("forward", "central", "richardson", "adaptive"):
        calls.clear()
        e = N.derivative(f, 1.5, method=method, full=True)
        assert e.evaluations == len(calls)
    calls.clear()
    N.derivative(f, 1.5, method="forward")
    assert len(calls) == 2


@pytest.mark.parametrize("method", ["central", "richardson", "complex", "adaptive"])
def test_gradient_jacobian_and_hessian(method):
    f = lambda v, s: np.sin(v[0]) * v[1] ** 2 + s * v[0]
    v, s = np.array([0.4, 1.5]), 2.0
    gv, gs = N.gradient(f, (v, s), method=method)
    assert isinstance(gv, np.ndarray) and isinstance(gs, float)
    np.testing.assert_allclose(gv, [np.cos(0.4) * 2.25 + 2, 3 * np.sin(0.4)], rtol=1e-9)
    assert abs(gs - 0.4) < 1e-9
    (hvv, hvs), (hsv, hss) = N.hessian(f, (v, s), method=method)
    off = 3 * np.cos(0.4)
    np.testing.assert_allclose(hvv, [[-np.sin(0.4) * 2.25, off], [off, 2 * np.sin(0.4)]], rtol=0, atol=1e-6)
    np.testing.assert_allclose(hvs, [1, 0], atol=1e-6)
    np.testing.assert_allclose(hsv, [1, 0], atol=1e-6)
    assert abs(hss) < 1e-6
    g = lambda m: m[:, None, 0] * np.array([[1.0, 2.0]])
    j = N.jacobian(g, np.array([[1.0, 2.0], [3.0, 4.0]]), method=method)
    want = np.zeros((2, 2, 2, 2))
    want[0, :, 0, 0] = want[1, :, 1, 0] = [1, 2]
    np.testing.assert_allclose(j, want, atol=1e-9)


def test_hessian_of_a_matrix_is_that_of_the_tape():
    f = lambda x: tf.reduce_sum(tf.linalg.inv(x) ** 2)
    x = tf.constant([[2.0, 0.3], [-0.4, 1.5]], tf.float64)
    got = N.hessian(f, x, method="richardson", full=True)
    want = tf.autodiff.hessian(f)(x).numpy()
    assert got.value.shape == got.error.shape == (2, 2, 2, 2)
    assert np.all(np.abs(got.value.numpy() - want) <= got.error)
    np.testing.assert_allclose(N.hessian(f, x, method="complex").numpy(), want, rtol=1e-9, atol=1e-9)


def test_jacobians_agree_with_the_tape():
    f = lambda x: tf.nn.softmax(tf.reshape(x, [6]))
    x = tf.constant(np.arange(6).reshape(2, 3) / 5)
    got = N.jacobian(f, x, method="richardson", full=True)
    want = tf.autodiff.jacrev(f)(x).numpy()
    assert got.value.shape == (6, 2, 3)
    assert np.all(np.abs(got.value.numpy() - want) <= got.error + 1e-16)


def test_holomorphic_functions_at_complex_points():
    z = 0.3 + 0.7j
    assert abs(N.derivative(cmath.exp, z, method="richardson") - cmath.exp(z)) < 1e-11
    assert abs(N.derivative(tf.exp, tf.constant(z, tf.complex128), 2).numpy() - cmath.exp(z)) < 1e-6


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: N.derivative(math.sin, "1"), tf.errors.InvalidArgumentError, "dtype"),
        (lambda: N.derivative(tf.sin, tf.constant(1)), tf.errors.InvalidArgumentError, "x has dtype int32"),
        (lambda: N.derivative(math.sin, 1.0, 0), tf.errors.InvalidArgumentError, "order must be"),
        (lambda: N.derivative(math.sin, 1.0, method="centre"), ValueError, "one of forward, backward, central"),
        (lambda: N.derivative(math.sin, 1.0, step=-1.0), tf.errors.InvalidArgumentError, "positive"),
        (lambda: N.derivative(math.sin, 1.0, step=1e-30), tf.errors.InvalidArgumentError, "too short"),
        (lambda: N.derivative(np.sum, np.ones(3)), tf.errors.InvalidArgumentError, "elementwise functions only"),
        (lambda: N.derivative(lambda x, y: x, (1.0, 2.0)), tf.errors.InvalidArgumentError, "one argument"),
        (lambda: N.gradient(np.sin, np.ones(3)), tf.errors.InvalidArgumentError, "use jacobian"),
        (lambda: N.hessian(np.sin, np.ones(3)), tf.errors.InvalidArgumentError, "one number"),
        (lambda: N.gradient(lambda: 1.0, ()), tf.errors.InvalidArgumentError, "empty tuple"),
        (lambda: N.derivative(lambda x: None, 1.0), tf.errors.InvalidArgumentError, "returned NoneType"),
        (lambda: N.derivative(lambda x: [x, [x]], 1.0), tf.errors.InvalidArgumentError, "different shapes"),
        (lambda: N.derivative(tf.sin, tf.constant(1.0, tf.float16), method="complex"), tf.errors.InvalidArgumentError, "cast x"),
        (lambda: N.derivative(tf.sin, 1.0, method="adaptive"), tf.errors.InvalidArgumentError, "float64"),
        (lambda: N.derivative(cmath.sin, 1j, method="complex"), tf.errors.InvalidArgumentError, "x is complex"),
        (lambda: N.gradient(lambda x, y: x, (1.0, 2.0), step=[1.0, 2.0]), tf.errors.InvalidArgumentError, "one number"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_not_while_a_function_is_traced():
    with pytest.raises(RuntimeError, match="call it outside"):
        tf.function(lambda x: N.derivative(tf.sin, x))(1.0)


def test_errors_of_the_function_itself_pass():
    with pytest.raises(ZeroDivisionError):
        N.derivative(lambda x: 1 / x, 0.0)
    with pytest.raises(KeyError):
        N.derivative(lambda x: {}[x], 1.0, method="richardson")


def test_empty_arguments():
    assert N.gradient(lambda v: np.sum(v), np.zeros(0)).shape == (0,)
    assert N.hessian(lambda v: np.sum(v), np.zeros((0, 2))).shape == (0, 2, 0, 2)


def test_what_is_not_analytic_is_noticed_without_an_error_estimate():
    for f in (lambda x: np.conj(x) * x, lambda x: abs(x) * x):
        with pytest.warns(RuntimeWarning, match="needs an analytic function"):
            N.derivative(f, 1.5, method="complex")
    with pytest.warns(RuntimeWarning, match="needs an analytic function") as caught:
        N.gradient(lambda v: np.sum(np.conj(v) * v), np.array([1.0, 2.0]), method="complex")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x in (1e-3, 1.0, 300.0, np.linspace(-3, 3, 7), np.float32(0.5)):
            N.derivative(lambda x: np.sin(x) * np.exp(-x * x / 1e4), x, method="complex")
        N.hessian(lambda v: np.prod(v), np.array([1.0, 2.0, 3.0]), method="complex")


@pytest.mark.parametrize("f", [math.sin, lambda x: x if x > 0 else -x, lambda x: tf.nn.relu(tf.constant(x))])
def test_functions_that_take_no_complex_numbers(f):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="gives the function complex numbers, and this one does not take them"
    ):
        N.derivative(f, 1.0, method="complex")


def test_an_error_of_the_function_says_where_it_was_evaluated():
    with pytest.raises(ValueError) as caught:
        N.derivative(math.sqrt, 0.0)
    (note,) = caught.value.__notes__
    assert "evaluated the function at -" in note and "method='forward'" in note
    with pytest.raises(TypeError, match="f must be a function, but is 3"):
        N.derivative(3, 1.0)


def test_a_kink_at_the_very_point_is_no_small_error():
    """Central differences agree with one another there, and see nothing."""
    for f, x, jump in (
        (abs, 0.0, 1.0),
        (lambda x: abs(x - 1) * 3 + x * x, 1.0, 3.0),
        (lambda x: np.maximum(x, 0), np.float32(0), 0.5),
    ):
        e = N.derivative(f, x, method="richardson", full=True)
        assert e.error >= 0.9 * jump
    for f in (lambda x: abs(x) ** 1.5, lambda x: abs(x) * x, lambda x: x * x, np.sin, lambda x: 5.0 + 0 * x):
        assert N.derivative(f, 0.0, method="richardson", full=True).error < 0.3
