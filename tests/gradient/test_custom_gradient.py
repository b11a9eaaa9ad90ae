"""custom_gradient, recompute_grad, grad_pass_through, stop_gradient. What is not derived here was run in TensorFlow 2.21."""

import gc
import weakref

import numpy as np
import pytest

import gradtape as tf
from gradtape.core.state import state


def gradient(f, *xs):
    xs = [tf.constant(x) for x in xs]
    with tf.GradientTape() as tape:
        tape.watch(xs)
        y = f(*xs)
    return [None if g is None else g.numpy().tolist() for g in tape.gradient(y, xs)]


def test_the_users_gradient_is_used():
    f = tf.custom_gradient(lambda x: (x * 2.0, lambda dy: dy * 100.0))
    assert gradient(f, [1.0, 2.0]) == [[100.0, 100.0]]


def test_several_outputs_and_arguments():
    seen = []

    @tf.custom_gradient
    def f(a, b):
        def grad(*dys):
            seen.append([d.numpy() for d in dys])
            return dys[0] * 10.0, dys[1] * 20.0

        return (a + b, a * b), grad

    assert gradient(lambda a, b: f(a, b)[0], 2.0, 3.0) == [10.0, 0.0]
    assert seen == [[1.0, 0.0]]  # nothing flows to the second output: zeros


def test_none_for_an_argument_and_keywords():
    @tf.custom_gradient
    def f(a, b, factor=1.0):
        return (a + b) * factor, lambda dy: (dy * factor, None)

    assert gradient(lambda a, b: f(a, b, factor=5.0), 1.0, 2.0) == [5.0, None]


def test_variables():
    v = tf.Variable(3.0)

    @tf.custom_gradient
    def f(x):
        return x * v, lambda dy, variables=None: (dy * 7.0, [dy * 11.0])

    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    assert [g.numpy() for g in tape.gradient(y, [x, v])] == [7.0, 11.0]

    @tf.custom_gradient
    def without(x):
        return x * v, lambda dy: dy

    with pytest.raises(TypeError, match="must accept keyword argument 'variables'"), tf.GradientTape():
        without(x)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x: (x, lambda dy: (dy, dy)), ValueError, "expected to return 1 gradients, but returned 2"),
        (lambda x: x, TypeError, r"must return \(result, gradient function\)"),
        (lambda x: (x * 1.0, lambda dy: tf.constant(0.1, tf.float64)), ValueError, "float64 tensor for an argument"),
    ],
)
def test_wrong_use(f, error, message):
    x = tf.constant(1.0)
    with pytest.raises(error, match=message):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.custom_gradient(f)(x)
        tape.gradient(y, x)
    assert state.tapes == ()


def test_second_order_through_what_the_gradient_closes_over():
    """TensorFlow's own example."""

    @tf.custom_gradient
    def log1pexp(x):
        e = tf.exp(x)
        return tf.math.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))

    x = tf.constant(1.5)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = log1pexp(x)
        g = inner.gradient(y, x)
    s = 1 / (1 + np.exp(-1.5))
    np.testing.assert_allclose([g.numpy(), outer.gradient(g, x).numpy()], [s, s * (1 - s)], rtol=1e-6)


def test_in_a_jacobian():
    f = tf.custom_gradient(lambda x: (x * x, lambda dy: dy * 3.0))
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    assert tape.jacobian(y, x).numpy().tolist() == [[3.0, 0.0], [0.0, 3.0]]


def test_arguments_that_are_no_tensors_reach_the_function_as_they_are():
    @tf.custom_gradient
    def f(x, mode):
        assert mode == "double"
        return x * 2.0, lambda dy: (dy * 5.0, None)

    assert gradient(lambda x: f(x, "double"), 1.0) == [5.0]


def test_a_tape_that_stops_inside_stays_stopped():
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        tf.custom_gradient(lambda z: (z * tape.gradient(y, x), lambda d: d))(x)
    assert state.tapes == ()


def test_no_reference_cycles():
    class Marker:
        pass

    gc.disable()
    try:
        gc.collect()
        marker = Marker()
        alive = weakref.ref(marker)

        def make(marker):
            def grad(dy):
                return dy * (2.0 if marker else 1.0)

            return tf.custom_gradient(lambda x: (x * 2.0, grad))

        f = make(marker)
        x = tf.constant(1.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        tape.gradient(y, x)
        del f, y, tape, marker
        assert alive() is None
    finally:
        gc.enable()


def test_recompute_grad_keeps_nothing_and_agrees():
    v = tf.Variable(1.5)
    calls = []

    def block(x):
        calls.append(1)
        return tf.sin(x) * v

    x = tf.constant(2.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.recompute_grad(block)(x)
        before = len(calls)
        g = inner.gradient(y, [x, v])
    assert before == 1 and len(calls) >= 2
    np.testing.assert_allclose([d.numpy() for d in g], [1.5 * np.cos(2), np.sin(2)], rtol=1e-6)
    np.testing.assert_allclose(outer.gradient(g[0], x).numpy(), -1.5 * np.sin(2), rtol=1e-6)


def test_grad_pass_through_and_stop_gradient():
    assert gradient(lambda x: tf.grad_pass_through(tf.round)(x * 1.3), 2.0) == [pytest.approx(1.3)]
    assert gradient(lambda x: tf.stop_gradient(x) * x, 3.0) == [3.0]
    assert gradient(lambda x: tf.stop_gradient(x * x), 3.0) == [None]


def test_watching_a_variable_watches_every_value_it_takes():
    v = tf.Variable(2.0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(v)
        v.assign(5.0)
        y = v * v
    assert tape.gradient(y, v).numpy() == 10.0
    w = tf.Variable(2.0, trainable=False)
    with tf.GradientTape() as tape:
        tape.watch(w)
        w.assign_add(1.0)
        y = w * w
    assert tape.gradient(y, w).numpy() == 6.0


def test_a_persistent_tape_entered_again_goes_on():
    x = tf.constant(3.0)
    tape = tf.GradientTape(persistent=True)
    with tape:
        tape.watch(x)
        y = x * x
    assert tape.gradient(y, x).numpy() == 6.0
    with tape:
        z = y * x
    assert tape.gradient(z, x).numpy() == 27.0


def test_a_variable_as_an_argument_inside_a_function():
    """It is an argument, and no variable that the function reads beside."""

    @tf.custom_gradient
    def double(x):
        return x * 2.0, lambda dy: dy * 5.0

    v = tf.Variable(1.5)
    for f in (double, tf.function(lambda x: double(x))):
        with tf.GradientTape() as tape:
            y = f(v)
        assert tape.gradient(y, v).numpy() == 5.0
