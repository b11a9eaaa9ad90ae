"""Public segments, with TensorFlow 2.21's values."""

import numpy as np
import pytest

import gradtape as tf

D = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [0.0, 0.0]]
IDS = [0, 0, 2, 2]
ANY = [2, 0, 2, -1]

# name: (values, gradient of their sum)
SORTED = {
    "sum": ([[4, 6], [0, 0], [5, 6]], [[1, 1], [1, 1], [1, 1], [1, 1]]),
    "mean": ([[2, 3], [0, 0], [2.5, 3]], [[0.5, 0.5]] * 4),
    "max": ([[3, 4], [0, 0], [5, 6]], [[0, 0], [1, 1], [1, 1], [0, 0]]),
    "min": ([[1, 2], [0, 0], [0, 0]], [[1, 1], [0, 0], [0, 0], [1, 1]]),
    "prod": ([[3, 8], [1, 1], [0, 0]], [[3, 4], [1, 2], [0, 0], [5, 6]]),
}
LOW, HIGH = np.finfo(np.float32).min, np.finfo(np.float32).max
UNSORTED = {
    "sum": ([[3, 4], [0, 0], [6, 8], [0, 0]], [[1, 1], [1, 1], [1, 1], [0, 0]]),
    "mean": ([[3, 4], [0, 0], [3, 4], [0, 0]], [[0.5, 0.5], [1, 1], [0.5, 0.5], [0, 0]]),
    "max": ([[3, 4], [LOW, LOW], [5, 6], [LOW, LOW]], [[0, 0], [1, 1], [1, 1], [0, 0]]),
    "min": ([[3, 4], [HIGH, HIGH], [1, 2], [HIGH, HIGH]], [[1, 1], [1, 1], [0, 0], [0, 0]]),
    "prod": ([[3, 4], [1, 1], [5, 12], [1, 1]], [[5, 6], [1, 1], [1, 2], [0, 0]]),
    "sqrt_n": ([[3, 4], [0, 0], [18**0.5, 32**0.5], [0, 0]], [[0.5**0.5] * 2, [1, 1], [0.5**0.5] * 2, [0, 0]]),
}


def value_and_gradient(f, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return y.numpy(), tape.gradient(y, x).numpy()


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function], ids=["eager", "function"])
@pytest.mark.parametrize("name", SORTED)
def test_sorted(name, wrap):
    f = getattr(tf.math, f"segment_{name}")
    y, g = value_and_gradient(wrap(lambda x: f(x, IDS)), D)
    np.testing.assert_allclose(y, SORTED[name][0], rtol=1e-6)
    np.testing.assert_allclose(g, SORTED[name][1], rtol=1e-6)
    assert f(tf.zeros([0, 2]), tf.zeros([0], tf.int32)).shape == (0, 2)
    assert f(tf.constant([1, 2, 4]), [0, 0, 1]).dtype == tf.int32
    assert f(tf.constant(D, tf.float16), IDS).dtype == tf.float16


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function], ids=["eager", "function"])
@pytest.mark.parametrize("name", UNSORTED)
def test_unsorted(name, wrap):
    f = getattr(tf.math, f"unsorted_segment_{name}")
    y, g = value_and_gradient(wrap(lambda x: f(x, ANY, 4)), D)
    np.testing.assert_allclose(y, UNSORTED[name][0], rtol=1e-6)
    np.testing.assert_allclose(g, UNSORTED[name][1], rtol=1e-6)
    assert f(D, [[0, 1], [0, 1], [1, 1], [0, 0]], tf.constant(2)).shape == (2,)
    assert f(1.0, 1, 2).shape == (2,)


def test_numbers_that_only_the_run_knows():
    @tf.function
    def f(x, ids):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.math.segment_prod(x, ids)
            z = tf.reduce_sum(y)
        return y, tape.gradient(z, x)

    y, g = f(tf.constant([2.0, 3.0, 5.0]), tf.constant([0, 0, 2]))
    assert y.numpy().tolist() == [6, 1, 5] and g.numpy().tolist() == [3, 2, 1]


def test_means_of_integers():
    assert tf.math.segment_mean([1, 2, 4], [0, 0, 1]).numpy().tolist() == [1, 4]
    assert tf.math.segment_mean([-1, -2], [0, 0]).numpy().tolist() == [-1]  # rounded towards 0
    mean = tf.math.unsorted_segment_mean([1, 2, 4], [0, 0, 1], 3)
    assert mean.dtype == tf.float64 and mean.numpy().tolist() == [1.5, 4, 0]


def test_ties_share_and_zeros_are_no_exception():
    one = lambda f: lambda x: f(x, [0, 0, 0], 1)
    assert value_and_gradient(one(tf.math.unsorted_segment_max), [2.0, 2.0, 1.0])[1].tolist() == [0.5, 0.5, 0]
    assert value_and_gradient(one(tf.math.unsorted_segment_prod), [0.0, 2.0, 3.0])[1].tolist() == [6, 0, 0]
    x = tf.constant([0.0, 0.0, 3.0])
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.math.unsorted_segment_prod(x, [0, 0, 0], 1)
        g = tape.gradient(y, x)
    assert outer.jacobian(g, x).numpy().tolist() == [[0, 3, 0], [3, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([1, 0, 2, 2], r"segment_ids\[1\] = 0"),
        ([-1, 0, 2, 2], r"segment_ids\[0\] = -1"),
        ([1, 1, 1], "same size"),
        ([[1], [1], [1], [1]], "vector"),
        ([0.0, 0.0, 1.0, 1.0], "integers"),
    ],
)
def test_errors_of_sorted(ids, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        tf.math.segment_sum(D, ids)


@pytest.mark.parametrize(
    ("ids", "n", "words"),
    [
        ([0, 1, 2, 3], 3, r"segment_ids\[3\] = 3"),
        ([0, 1, 0], 3, "does not start with"),
        ([0, 0, 0, 0], -1, "negative"),
        ([0.0] * 4, 2, "integers"),
    ],
)
def test_errors_of_unsorted(ids, n, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        tf.math.unsorted_segment_sum(D, ids, n)
