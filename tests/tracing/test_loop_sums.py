"""Gradients of loops that read rows of what does not change: each turn adds to those rows alone."""

import numpy as np
import pytest

import gradtape as tf

X = np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32")


def loop(f, turns, start):
    return tf.while_loop(lambda i, s: i < turns, lambda i, s: (i + 1, f(i, s)), (tf.constant(0), start))[1]


READS = {
    "rows": (lambda x, i: x[i], (4, 3)),
    "rows, some twice": (lambda x, i: x[i % 2], (4, 3)),
    "along the second axis": (lambda x, i: tf.gather(x, i % 4, axis=1), (5, 3)),
    "along the last axis": (lambda x, i: tf.gather(x, i % 3, axis=2), (5, 4)),
    "a list of one row": (lambda x, i: tf.gather(x, [i])[0], (4, 3)),
    "two rows at a time": (lambda x, i: tf.gather(x, [i, 4 - i])[0], (4, 3)),
}


def names(graph, out):
    """The rows in a graph and in the graphs inside."""
    for n in graph.nodes:
        out.append(n.p.name)
        for a in n.attrs.values():
            if hasattr(a, "nodes"):
                names(a, out)
    return out


@pytest.mark.parametrize("case", READS)
def test_first_and_second_derivatives(case):
    read, shape = READS[case]

    def value(x):
        return tf.reduce_sum(loop(lambda i, s: tf.tanh(s * 0.5 + read(x, i)), 5, tf.ones(shape)))

    def unrolled(x):
        s = tf.ones(shape)
        for i in range(5):
            s = tf.tanh(s * 0.5 + (x[i] if "row" in case and "twice" not in case else read(x, tf.constant(i))))
        return tf.reduce_sum(s)

    def both(f, x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = f(x)
            g = tf.convert_to_tensor(tape.gradient(y, x))
            z = tf.reduce_sum(g * g)
        return g, outer.gradient(z, x)

    x = tf.constant(X)
    for got, want in zip(tf.function(lambda x: both(value, x))(x), both(unrolled, x), strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6)


def test_the_backward_loop_holds_no_array_of_zeros():
    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(loop(lambda i, s: tf.tanh(s + x[i]), 5, tf.ones((4, 3))))
        return tape.gradient(y, x)

    found = names(gradient.get_concrete_function(tf.constant(X)).graph, [])
    assert (
        "tensor_scatter_add" in found
        and "ungather" not in found
        and "unslice" not in found
        and "strided_slice" not in found
    )


@pytest.mark.parametrize("again", [False, True])
def test_rows_replaced_in_place_leave_what_others_read(again):
    """The state of a loop takes over the memory of where it began; not if that is read elsewhere."""

    @tf.function
    def f(x, u):
        start = tf.exp(x)
        n = x.shape[0]
        out = tf.while_loop(
            lambda i, s: i < n,
            lambda i, s: (
                i + 1,
                tf.tensor_scatter_nd_add(s, tf.reshape(i, (1, 1)), tf.expand_dims(u[i] * tf.cast(i, "float32"), 0)),
            ),
            (tf.constant(0), start),
        )[1]
        return tf.reduce_sum(out * 2.0, 0), (start if again else x) + 1.0, tf.reduce_sum(start) if again else 0.0

    x, u = X, X[::-1].copy()
    start = np.exp(x)
    out = start + u * np.arange(5, dtype="float32")[:, None, None]
    for _ in range(2):
        a, b, c = f(tf.constant(x), tf.constant(u))
        np.testing.assert_allclose(a, (out * 2).sum(0), rtol=1e-5)
        np.testing.assert_allclose(b, (start if again else x) + 1, rtol=1e-5)
        np.testing.assert_allclose(c, start.sum() if again else 0, rtol=1e-5)


@pytest.mark.parametrize("width", [7, 64])
def test_a_matrix_turned_once_before_the_loop(width):
    """s·Wᵀ with a W that stays: forwards and backwards, in a loop within a loop too."""
    rng = np.random.default_rng(1)
    w, s = (rng.normal(size=n).astype("float32") / width for n in ((width, width), (8, width)))

    def value(w, s):
        def turn(i, s):
            return loop(lambda j, s: tf.tanh(tf.matmul(s, w, transpose_b=True) + s), 2, s)

        return tf.reduce_sum(loop(turn, 3, s) ** 2)

    def gradient(w, s):
        with tf.GradientTape() as tape:
            tape.watch([w, s])
            y = value(w, s)
        return tape.gradient(y, [w, s])

    args = tf.constant(w), tf.constant(s)
    for got, want in zip(tf.function(gradient)(*args), gradient(*args), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_no_turn_at_all():
    @tf.function
    def f(w, s, n):
        return tf.while_loop(
            lambda i, s: i < n, lambda i, s: (i + 1, tf.matmul(s, w, transpose_b=True)), (tf.constant(0), s)
        )[1]

    w, s = np.eye(12, dtype="float32"), np.ones((8, 12), "float32")
    np.testing.assert_array_equal(f(w, s, tf.constant(0)), s)
    np.testing.assert_array_equal(f(w, s, tf.constant(3)), s)
