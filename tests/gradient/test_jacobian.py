"""Jacobians, batch Jacobians and Hessians: one batched backward pass, whatever the program."""

import numpy as np
import pytest

import gradtape as tf
from gradtape.gradient import batching
from gradtape.tracing.functional import vectorized_map

X = np.array([[0.3, -1.2, 2.0], [1.5, 0.7, -0.4]])


def differences(f, x, h=1e-6):
    """The Jacobian of ``f`` (NumPy to NumPy) by central differences."""
    x = np.asarray(x, float)
    columns = []
    for i in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[i] = h
        columns.append((f(x + step) - f(x - step)) / (2 * h))
    return np.stack(columns, -1).reshape(*np.shape(f(x)), *x.shape)


PROGRAMS = {
    "elementwise": lambda x: tf.sin(x) * x,
    "broadcast": lambda x: x * tf.reduce_sum(x, axis=1, keepdims=True),
    "matmul": lambda x: tf.matmul(x, x, transpose_b=True),
    "matmul with a constant": lambda x: tf.constant([[1.0, 2.0]], tf.float64) @ x,
    "reductions": lambda x: tf.stack([tf.reduce_max(x), tf.reduce_prod(x), tf.reduce_logsumexp(x)]),
    "structure": lambda x: tf.transpose(tf.concat([x, x * x], 1))[1:, ::-1],
    "gather": lambda x: tf.gather(x, [1, 0, 1]) ** 2,
    "gather columns": lambda x: tf.gather(x, [2, 0], axis=1) * 2.0,
    "softmax": lambda x: tf.nn.softmax(x),
    "select": lambda x: tf.where(x > 0, x * x, -x),
    "einsum": lambda x: tf.einsum("ij,kj->ik", x, x * x),
    "cumulative": lambda x: tf.cumsum(x * x, axis=1),
    "scalar": lambda x: tf.reduce_sum(x**3),
    "split": lambda x: tf.split(x * x, 3, axis=1)[1],
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("chunk_size", [None, 1, 2])
def test_jacobian_against_differences(name, chunk_size):
    f = PROGRAMS[name]
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    got = tape.jacobian(y, x, chunk_size=chunk_size)
    want = differences(lambda a: f(tf.constant(a)).numpy(), X)
    assert got.shape == y.shape + x.shape
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", PROGRAMS)
def test_rows_one_after_the_other_are_the_same(name):
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = PROGRAMS[name](x)
    a, b = tape.jacobian(y, x), tape.jacobian(y, x, experimental_use_pfor=False)
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-13, atol=1e-14)


def test_it_is_one_backward_pass(monkeypatch):
    """No loop over rows: the rows of the table have batch rules."""

    def no_loop(*args):
        raise AssertionError("a loop over the batch")

    monkeypatch.setattr(batching, "loop", no_loop)
    x = tf.constant(X)
    for f in PROGRAMS.values():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        tape.jacobian(y, x)


def test_nests_unconnected_and_zero():
    x, z = tf.constant([1.0, 2.0]), tf.constant([3.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, z])
        y = x * x
    j = tape.jacobian(y, {"x": x, "z": [z]})
    assert j["x"].numpy().tolist() == [[2.0, 0.0], [0.0, 4.0]] and j["z"] == [None]
    j = tape.jacobian(y, [x, z], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    assert j[1].numpy().tolist() == [[0.0], [0.0]]


def test_once_only_and_wrong_arguments():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    with pytest.raises(ValueError, match="chunk_size"):
        tape.jacobian(y, x, chunk_size=0)
    tape.jacobian(y, x)
    with pytest.raises(RuntimeError, match=r"one set of gradients \(or jacobians\)"):
        tape.jacobian(y, x)
    with pytest.raises(ValueError, match="first dimension of target shape"):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x)
        tape.batch_jacobian(y, x)


def test_batch_jacobian():
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.stack([x[:, 0] * x[:, 1], tf.sin(x[:, 2])], axis=1)
    got = tape.batch_jacobian(y, x).numpy()
    whole = tape.jacobian(y, x).numpy()
    assert got.shape == (2, 2, 3)
    np.testing.assert_allclose(got, np.stack([whole[i, :, i] for i in range(2)]))
    np.testing.assert_allclose(tape.batch_jacobian(y, x, chunk_size=1).numpy(), got)
    assert tape.batch_jacobian(tf.constant(X), x) is None  # TensorFlow gives zeros


def test_hessian_by_a_jacobian_of_a_gradient():
    x = tf.constant([1.0, 2.0, -1.0], tf.float64)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_prod(x) * tf.reduce_sum(x * x)
        g = inner.gradient(y, x)
    h = outer.jacobian(g, x).numpy()

    def gradient(a):
        t = tf.constant(a)
        with tf.GradientTape() as tape:
            tape.watch(t)
            y = tf.reduce_prod(t) * tf.reduce_sum(t * t)
        return tape.gradient(y, t).numpy()

    np.testing.assert_allclose(h, differences(gradient, x.numpy()), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(tf.hessians(lambda x: tf.reduce_prod(x) * tf.reduce_sum(x * x), x)[0].numpy(), h)


def test_hessians_of_tensors_are_refused():
    with pytest.raises(RuntimeError, match="pass the function"):
        tf.hessians(tf.constant(1.0), tf.constant(1.0))
    with pytest.raises(ValueError, match="scalar"):
        tf.hessians(lambda x: x, tf.constant([1.0]))


# -- batches within batches ------------------------------------------------------------------------------------------------------


def test_nested_vectorized_map():
    x = tf.reshape(tf.range(9.0), [3, 3])
    got = vectorized_map(lambda r: vectorized_map(lambda a: tf.reduce_sum(a * r), r), x).numpy()
    want = [[sum(a * b for b in row) for a in row] for row in x.numpy().tolist()]
    np.testing.assert_allclose(got, want)


def test_gradients_of_single_examples():
    w, x = tf.Variable([1.0, -2.0, 0.5]), tf.constant(X.astype("float32"))

    def one(row):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w * row) ** 2
        return tape.gradient(loss, w)

    got = vectorized_map(one, x).numpy()
    np.testing.assert_allclose(got, np.stack([one(tf.constant(r)).numpy() for r in x.numpy()]), rtol=1e-6)


def test_jacobian_inside_vectorized_map():
    def one(row):
        with tf.GradientTape() as tape:
            tape.watch(row)
            y = tf.sin(row) * tf.reduce_sum(row)
        return tape.jacobian(y, row)

    x = tf.constant(X)
    np.testing.assert_allclose(vectorized_map(one, x).numpy(), np.stack([one(r).numpy() for r in x]))


def test_a_tape_around_vectorized_map():
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(vectorized_map(lambda r: tf.reduce_prod(r), x))
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), np.prod(X, 1, keepdims=True) / X)
