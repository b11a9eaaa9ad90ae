"""Public order. Expected values are TensorFlow 2.21's where it has the function; what differs is in docs/differences.md."""

import numpy as np
import pytest

import gradtape as tf

NAN = float("nan")


def gradient(f, *xs):
    xs = [tf.convert_to_tensor(x) for x in xs]
    with tf.GradientTape() as tape:
        tape.watch(xs)
        y = f(*xs)
    return [None if g is None else g.numpy().tolist() for g in tape.gradient(y, xs)]


def test_sort_and_argsort():
    x = [3.0, 1.0, 2.0, 1.0]
    assert tf.sort(x).numpy().tolist() == [1, 1, 2, 3]
    assert tf.sort(x, direction="DESCENDING").numpy().tolist() == [3, 2, 1, 1]
    assert tf.argsort(x).numpy().tolist() == [1, 3, 2, 0]
    assert tf.argsort(x, direction="DESCENDING").numpy().tolist() == [0, 2, 1, 3]
    assert tf.argsort(x).dtype == tf.int32
    assert tf.sort([x], axis=tf.constant(0)).numpy().tolist() == [x]
    assert tf.sort(tf.Variable(x)).numpy().tolist() == [1, 1, 2, 3]
    assert tf.sort([[3.0, 1], [2.0, 4]], axis=-2).numpy().tolist() == [[2, 1], [3, 4]]
    assert tf.sort(tf.zeros([2, 0])).shape == (2, 0)


def test_the_gradient_of_sort_goes_back_to_where_each_element_was():
    x, w = [3.0, 1.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]
    assert gradient(lambda v: tf.sort(v) * w, x) == [[4, 1, 3, 2]]
    assert gradient(lambda v: tf.sort(v, direction="DESCENDING") * w, x) == [[1, 3, 2, 4]]


def test_nan_is_the_largest():
    assert tf.argsort([NAN, 1.0, NAN, -1.0]).numpy().tolist() == [3, 1, 0, 2]
    assert tf.argsort([NAN, 1.0, NAN, -1.0], direction="DESCENDING").numpy().tolist() == [0, 2, 1, 3]
    np.testing.assert_array_equal(tf.sort([NAN, 1.0, -1.0]), [-1, 1, NAN])
    assert tf.math.top_k([1.0, NAN, 3.0], 2).indices.numpy().tolist() == [1, 2]


def test_errors_of_sort():
    with pytest.raises(ValueError, match="direction"):
        tf.sort([1.0], direction="UP")
    with pytest.raises(tf.errors.InvalidArgumentError, match="axis"):
        tf.sort([1.0], axis=1)
    for x in (3.0, True):
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.sort(x)
    with pytest.raises(tf.errors.InvalidArgumentError, match="complex"):
        tf.argsort(tf.constant([1j]))


def test_top_k():
    x = [3.0, 1.0, 2.0, 1.0]
    values, indices = tf.math.top_k(x, 2)
    assert values.numpy().tolist() == [3, 2] and indices.numpy().tolist() == [0, 2]
    assert indices.dtype == tf.int32 and tf.math.top_k(x, 2, index_type=tf.int16).indices.dtype == tf.int16
    assert tf.math.top_k(x, tf.constant(4)).indices.numpy().tolist() == [0, 2, 1, 3]  # of equal ones the first is first
    assert tf.math.top_k(x, 0).values.shape == (0,)
    assert tf.math.top_k(tf.constant([1, 2]), 1).values.dtype == tf.int32
    assert gradient(lambda v: tf.math.top_k(v, 2)[0] * [1.0, 2.0], x) == [[1, 0, 2, 0]]
    for k, words in ((5, "at least k columns"), (-1, "k >= 0")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            tf.math.top_k(x, k)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.math.top_k(2.0, 1)


def test_approximate_top_k_is_exact_along_any_axis():
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    values, indices = tf.math.approx_max_k(x, 2, reduction_dimension=0)
    np.testing.assert_array_equal(values, -np.sort(-x, 0)[:2])
    np.testing.assert_array_equal(indices, np.argsort(-x, 0)[:2])
    np.testing.assert_array_equal(tf.math.approx_min_k(x, 2, 0).values, np.sort(x, 0)[:2])


def test_in_top_k():
    inf = float("inf")
    p = [[1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [1.0, 2.0, inf], [1, 2, 3], [1, 2, 3]]
    assert tf.math.in_top_k([0, 1, 2, 5, -1], p, 2).numpy().tolist() == [False, True, False, False, False]
    assert tf.math.in_top_k([0, 1], [[1.0, 2.0, 2.0], [NAN, 1.0, 1.0]], 2).numpy().tolist() == [False, False]
    assert tf.math.in_top_k([0], [[1.0, 2.0]], 0).numpy().tolist() == [False]
    with pytest.raises(tf.errors.InvalidArgumentError, match="2-dimensional"):
        tf.math.in_top_k([0], [1.0, 2.0], 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="match length of targets"):
        tf.math.in_top_k([0, 1, 2], [[1.0, 2.0]], 1)


def test_searchsorted():
    s = [1.0, 3.0, 3.0, 5.0]
    assert tf.searchsorted(s, [0.0, 3.0, 6.0]).numpy().tolist() == [0, 1, 4]
    right = tf.searchsorted(s, [0.0, 3.0, 6.0], side="right", out_type=tf.int64)
    assert right.numpy().tolist() == [0, 3, 4] and right.dtype == tf.int64
    rows = tf.searchsorted([[1.0, 3.0], [2.0, 4.0]], [[0.0, 3.0], [3.0, 5.0]])
    assert rows.numpy().tolist() == [[0, 1], [1, 2]]
    assert tf.searchsorted([[1.0, 2.0], [3.0, 4]], [[[1.5]], [[2.0]]]).numpy().tolist() == [[[1]], [[0]]]
    assert tf.searchsorted(tf.zeros([0]), [1.0]).numpy().tolist() == [0]
    for other in ([[0.0], [1.0]], 1.5):
        with pytest.raises(tf.errors.InvalidArgumentError, match="leading dimensions"):
            tf.searchsorted([1.0, 2.0], other)
    with pytest.raises(tf.errors.InvalidArgumentError, match="dtype"):
        tf.searchsorted(tf.constant([1.0]), tf.constant([1]))
    with pytest.raises(ValueError, match="side"):
        tf.searchsorted([1.0], [1.0], side="x")
    with pytest.raises(tf.errors.InvalidArgumentError, match="out_type"):
        tf.searchsorted([1.0], [1.0], out_type=tf.float32)


def test_unique():
    y, idx, count = tf.unique_with_counts([4.0, 1, 4, 2, 1], tf.int64)
    assert (y.numpy().tolist(), idx.numpy().tolist(), count.numpy().tolist()) == ([4, 1, 2], [0, 1, 0, 2, 1], [2, 2, 1])
    assert idx.dtype == count.dtype == tf.int64
    assert tf.unique(["a", "b", "a"]).y.numpy().tolist() == [b"a", b"b"]
    assert tf.unique([True, False, True]).idx.numpy().tolist() == [0, 1, 0]
    assert tf.unique(tf.zeros([0])).idx.shape == (0,)
    assert gradient(lambda v: tf.unique(v)[0] * [1.0, 2.0, 3.0], [3.0, 1.0, 3.0, 2.0]) == [[1, 2, 0, 3]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="vector"):
        tf.unique([[1]])


def test_invert_permutation():
    assert tf.math.invert_permutation([2, 0, 1]).numpy().tolist() == [1, 2, 0]
    assert tf.math.invert_permutation(tf.constant([1, 0], tf.int64)).dtype == tf.int64
    for x, words in (
        ([2, 0, 0], "0 is duplicated"),
        ([3, 0, 1], "3 is not between 0 and 3"),
        ([[0]], "vector"),
        ([0.0], "float32"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            tf.math.invert_permutation(x)


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "nearest", "midpoint"])
@pytest.mark.parametrize("axis", [None, 0, (0, 2), -1])
def test_quantile_is_numpys(method, axis):
    x = np.random.default_rng(3).standard_normal((3, 4, 5))
    for q in (0.3, [0.0, 0.25, 1.0], [[0.5], [0.9]]):
        for keepdims in (False, True):
            got = tf.math.quantile(x, q, axis, method, keepdims)
            np.testing.assert_allclose(got, np.quantile(x, q, axis, method=method, keepdims=keepdims), rtol=1e-12)
    np.testing.assert_allclose(tf.math.percentile(x, 30, axis), np.percentile(x, 30, axis))
    np.testing.assert_allclose(tf.math.median(x, axis, True), np.median(x, axis, keepdims=True))


def test_quantile():
    assert gradient(lambda x: tf.math.quantile(x, 0.4), [4.0, 1.0, 3.0, 2.0]) == [
        [0, 0, pytest.approx(0.2), pytest.approx(0.8)]
    ]
    assert np.isnan(tf.math.median([1.0, NAN, 2.0]))
    assert tf.math.median([1, 2]).dtype == tf.float32
    assert tf.math.median(tf.constant([1, 2], tf.float16)).dtype == tf.float16
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[0, 1\]"):
        tf.math.quantile([1.0], 1.5)
    with pytest.raises(ValueError, match="no elements"):
        tf.math.median(tf.zeros([0]))
    with pytest.raises(ValueError, match="method"):
        tf.math.quantile([1.0], 0.5, method="cubic")


def test_running_extremes():
    x = [[1.0, 3.0, 2.0], [2.0, 0.0, 5.0]]
    assert tf.math.cummax(x, axis=1).numpy().tolist() == [[1, 3, 3], [2, 2, 5]]
    assert tf.math.cummin(x, axis=-1, reverse=True).numpy().tolist() == [[1, 2, 2], [0, 0, 5]]
    assert gradient(lambda v: tf.math.cummax(v, axis=1), [[1.0, 3.0, 3.0]]) == [
        [[1, 2, 0]]
    ]  # to the first of equal ones


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int32, tf.uint8])
def test_in_functions(dtype):
    x = tf.cast([[3, 1, 2], [6, 5, 4]], dtype)

    def f(x):
        top = tf.math.top_k(x, 2)
        return tf.sort(x), tf.argsort(x, axis=0), top.values, top.indices, tf.unique(x[0]).idx, tf.math.cummax(x, 1)

    for a, b in zip(f(x), tf.function(f)(x), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_values_that_only_the_run_knows():
    @tf.function
    def f(x, k):
        y, _, count = tf.unique_with_counts(x)
        return tf.math.top_k(x, k).values, tf.sort(y, direction="DESCENDING"), tf.reduce_sum(count)

    top, y, n = f(tf.constant([1.0, 4.0, 1.0, 2.0]), tf.constant(3))
    assert (top.numpy().tolist(), y.numpy().tolist(), n.numpy()) == ([4, 2, 1], [4, 2, 1], 4)


def test_jacobian_of_sort():
    x = tf.constant([[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.sort(x)
    jacobian = tape.batch_jacobian(y, x).numpy()
    np.testing.assert_array_equal(jacobian[0], [[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(jacobian[1], [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
