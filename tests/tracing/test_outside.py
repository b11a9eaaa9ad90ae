"""py_function, numpy_function, init_scope, and gradients of what a function has computed so far."""

import numpy as np
import pytest

import gradtape as tf
from gradtape.tracing.outside import eval_shape

from .forms import assert_same, derivative, graph


def test_a_python_function_runs_with_values_in_order():
    log = []

    @tf.function
    def f(x):
        for i in tf.range(3):
            tf.py_function(lambda t, k: log.append((float(t), int(k))), [x, i], None)
        return tf.py_function(lambda t: t * float(t.numpy()), [x], tf.float32)

    assert float(f(tf.constant(3.0))) == 9.0 and float(f(tf.constant(2.0))) == 4.0
    assert log == [(3.0, 0), (3.0, 1), (3.0, 2), (2.0, 0), (2.0, 1), (2.0, 2)]


@pytest.mark.parametrize("n", [1, 2])
def test_gradients_flow_through_a_python_function(n):
    x = tf.constant([0.5, 1.5], tf.float64)
    f = lambda z: tf.py_function(lambda t: tf.sin(t) * t, [z], tf.float64)
    want = derivative(lambda z: tf.sin(z) * z, x, n)
    assert_same(derivative(f, x, n), want, 1e-12)
    for inside in range(n + 1):
        g = graph(lambda z, k=inside: derivative(f, z, k))
        assert_same(derivative(g, x, n - inside), want, 1e-12)


def test_a_function_of_arrays():
    seen = []

    def rows(a, b):
        seen.append((type(a), a.dtype))
        return a.sum(axis=0), b.astype(np.int32)

    f = graph(lambda x: tf.numpy_function(rows, [x, x], [tf.TensorSpec([2], tf.float32), tf.int32]))
    total, whole = f(tf.constant([[1.0, 2.0], [3.0, 4.0]]))
    assert total.numpy().tolist() == [4.0, 6.0] and whole.numpy().tolist() == [[1, 2], [3, 4]]
    assert seen == [(np.ndarray, np.float32)]
    x = tf.constant([1.0])
    for g in (
        lambda z: tf.numpy_function(np.sin, [z], tf.float32),
        graph(lambda z: tf.numpy_function(np.sin, [z], tf.float32)),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = g(x)
        assert tape.gradient(y, x) is None


def test_results_that_are_not_as_announced():
    x = tf.constant([1.0, 2.0])
    for wrap in (lambda f: f, graph):
        with pytest.raises(tf.errors.InvalidArgumentError, match="returned 2 values, but Tout says 1"):
            wrap(lambda x: tf.py_function(lambda t: (t, t), [x], tf.float32))(x)
        with pytest.raises(tf.errors.InvalidArgumentError, match="returned float32, but Tout says int32"):
            wrap(lambda x: tf.py_function(lambda t: t, [x], tf.int32))(x)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"gave a tensor of shape \[\] where float32\[None\]"):
        graph(lambda x: tf.py_function(tf.reduce_sum, [x], tf.float32))(x)
    with pytest.raises(TypeError, match="needs a function"):
        tf.py_function(None, [x], tf.float32)
    with pytest.raises(TypeError, match="needs a list of tensors"):
        tf.py_function(lambda t: t, x, tf.float32)


def test_an_error_inside_comes_out():
    def fails(t):
        raise KeyError("mine")

    with pytest.raises(Exception, match="mine"):
        graph(lambda x: tf.py_function(fails, [x], tf.float32))(tf.constant(1.0))


def test_init_scope_leaves_the_trace_and_the_tapes():
    made = []

    @tf.function
    def f(x):
        with tf.init_scope():
            made.append(tf.executing_eagerly())
            c = tf.constant(2.0) * 3.0
        assert not tf.executing_eagerly()
        return x * c

    x = tf.constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with tf.init_scope():
            y = x * x
        z = f(x)
    assert made == [True] and float(tape.gradient(z, x)) == 6.0
    assert float(y) == 1.0


def test_gradients_of_what_was_traced():
    v = tf.Variable(2.0, dtype=tf.float64)

    def f(x):
        y = x**3 + v * x
        z = tf.sin(y)
        return tf.gradients(z, [x, v, y]), tf.gradients([z, y], x)[0], tf.gradients(z, y, grad_ys=[3.0])[0]

    x = 0.7
    y = x**3 + 2 * x
    (dx, dv, dy), both, scaled = graph(f)(tf.constant(x, tf.float64))
    slope = 3 * x * x + 2
    np.testing.assert_allclose([dx, dv, dy], np.cos(y) * np.array([slope, x, 1.0]), 1e-14)
    np.testing.assert_allclose([both, scaled], [(np.cos(y) + 1) * slope, 3 * np.cos(y)], 1e-14)


def test_gradients_stop_where_told_and_are_none_where_unconnected():
    f = graph(lambda x: (tf.gradients(x * x * x, x, stop_gradients=[x * x]), tf.gradients(tf.constant(1.0), x)))
    assert f(tf.constant(2.0))[1] == [None]

    def stopped(x):
        y = x * x
        return tf.gradients(y * x, x, stop_gradients=y)[0]

    assert float(graph(stopped)(tf.constant(3.0))) == 9.0
    zero = graph(lambda x: tf.gradients(tf.constant(1.0), x, unconnected_gradients="zero")[0])
    assert float(zero(tf.constant(1.0))) == 0.0


def test_hessians_of_what_was_traced():
    x = tf.constant([1.0, 2.0], tf.float64)
    f = lambda z: tf.reduce_sum(z**3) + z[0] * z[1]
    want = [[6.0, 1.0], [1.0, 12.0]]
    assert graph(lambda z: tf.hessians(f(z), z)[0])(x).numpy().tolist() == want
    assert graph(lambda z: tf.hessians(f, z)[0])(x).numpy().tolist() == want


def test_gradients_and_hessians_of_tensors_are_refused_eagerly():
    x = tf.constant(1.0)
    with pytest.raises(RuntimeError, match=r"tf.gradients is not supported when eager execution is enabled"):
        tf.gradients(x * x, x)
    with pytest.raises(RuntimeError, match=r"tf.hessians of a tensor is not supported"):
        tf.hessians(x * x, x)


def test_eval_shape_of_a_function_that_closes_over_tensors_of_the_trace_around_it():
    forms = []

    @tf.function
    def f(x):
        forms.append(eval_shape(lambda y: tf.concat([x, 2.0 * y], 0), tf.TensorSpec([3])))
        return x + 1.0

    assert_same(f(tf.constant([1.0, 2.0])), tf.constant([2.0, 3.0]))
    assert [s.shape.as_list() for s in forms] == [[5]]


@pytest.mark.parametrize("say", [lambda y: tf.ensure_shape(y, [2, None]), lambda y: y.set_shape([2, 2]) or y])
def test_the_rank_of_a_python_functions_result_may_be_said_later(say):
    @tf.function
    def f(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = say(tf.py_function(lambda v: tf.stack([v, v * v]), [x], tf.float32))
            total = tf.reduce_sum(y, 1)
        return total, tape.gradient(total, x)

    total, dx = f(tf.constant([1.0, 3.0]))
    assert total.numpy().tolist() == [4.0, 10.0] and dx.numpy().tolist() == [3.0, 7.0]


def test_a_python_functions_result_of_unknown_rank_is_reshaped():
    f = tf.function(lambda x: tf.reshape(tf.py_function(lambda v: tf.stack([v, v]), [x], tf.float32), [4, 1]))
    assert f(tf.constant([1.0, 2.0])).numpy().tolist() == [[1.0], [2.0], [1.0], [2.0]]
    g = tf.function(lambda x: tf.ensure_shape(tf.numpy_function(lambda v: v.sum(), [x], tf.float32), ()) * 2)
    assert g(tf.constant([1.0, 2.0])).numpy() == 6.0


def test_a_rank_that_was_said_wrongly():
    def f(x):
        y = tf.py_function(lambda v: tf.stack([v, v]), [x], tf.float32)
        return tf.ensure_shape(y, [3, 2])

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"gave a tensor of shape \[2, 2\] where float32\[3, 2\]"):
        tf.function(f)(tf.constant([1.0, 2.0]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"by a TensorSpec in Tout, or by tf.ensure_shape"):
        tf.function(lambda x: tf.py_function(lambda v: tf.stack([v, v]), [x], tf.float32) + 1.0)(tf.constant([1.0]))


def test_a_shape_is_ensured_when_the_program_runs():
    f = tf.function(lambda x: tf.ensure_shape(x, [2]) * 2.0, input_signature=[tf.TensorSpec([None])])
    assert f(tf.ones([2])).numpy().tolist() == [2.0, 2.0]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[3\] is not compatible with expected shape \(2,\)"):
        f(tf.ones([3]))


def test_gradients_of_what_is_made_of_other_sources():
    @tf.function
    def f(a):
        b = 2.0 * a
        c = a + b
        return (
            tf.gradients(c * b, [a, b, c]),
            tf.gradients(c, [a, b], stop_gradients=[a, b]),
            tf.gradients(c * c, [a], stop_gradients=[b]),
            tf.gradients(c * c, [b], stop_gradients=[c]),
        )

    values = tf.nest.map_structure(lambda x: None if x is None else float(x), f(tf.constant(3.0)))
    assert values == ([36.0, 15.0, 6.0], [1.0, 1.0], [18.0], [None])  # as TensorFlow


def test_functions_decorated_to_be_called_with_arrays_or_tensors():
    @tf.numpy_function(Tout=[tf.float32, tf.float32])
    def step(a, n):
        """Of arrays."""
        return a * np.float32(n), np.sort(-a)

    @tf.py_function(Tout=tf.float32)
    def double(t):
        return 2.0 * t

    assert step.__name__ == "step" and step.__doc__ == "Of arrays."
    for wrap in (lambda f: f, graph):
        y, n = wrap(lambda x: step(x, tf.constant(3)))(tf.constant([1.0, 2.0]))
        assert y.numpy().tolist() == [3.0, 6.0] and n.numpy().tolist() == [-2.0, -1.0]
        x = tf.constant(5.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = wrap(double)(x)
        assert tape.gradient(z, x).numpy() == 2.0
