"""Public counting, with TensorFlow 2.21's values."""

import numpy as np
import pytest

import gradtape as tf


def test_bincount():
    bincount = tf.math.bincount
    assert bincount([1, 1, 3, 0]).numpy().tolist() == [1, 2, 0, 1]
    assert bincount([1, 1, 3], weights=[1.0, 2.0, 4.0]).numpy().tolist() == [0, 3, 0, 4]
    assert bincount([1, 1, 3], minlength=6).numpy().tolist() == [0, 2, 0, 1, 0, 0]
    assert bincount([1, 1, 3], maxlength=2).numpy().tolist() == [0, 2]
    assert bincount([1, 1, 3], minlength=6, maxlength=2).numpy().tolist() == [0, 2]
    assert bincount([1, 1], dtype=tf.float32).dtype == tf.float32
    assert bincount([[1, 1], [3, 0]]).numpy().tolist() == [1, 2, 0, 1]
    assert bincount([[1, 1], [3, 0]], axis=-1).numpy().tolist() == [[0, 2, 0, 0], [1, 0, 0, 1]]
    assert bincount([[1, 1], [3, 0]], axis=-1, binary_output=True).numpy().tolist() == [[0, 1, 0, 0], [1, 0, 0, 1]]
    weighted = bincount([[1, 1], [3, 0]], weights=[[1.0, 2.0], [3.0, 4.0]], axis=-1)
    assert weighted.numpy().tolist() == [[0, 3, 0, 0], [4, 0, 0, 3]]
    assert bincount(tf.zeros([0], tf.int32)).shape == (0,)
    assert bincount(tf.zeros([0], tf.int32), minlength=3).numpy().tolist() == [0, 0, 0]
    assert bincount(3).numpy().tolist() == [0, 0, 0, 1]


def test_bincount_is_differentiable_in_its_weights():
    w = tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(w)
        y = tf.math.bincount([1, 5, 3], weights=w, maxlength=4) * [1.0, 2.0, 3.0, 4.0]
    assert tape.gradient(y, w).numpy().tolist() == [2, 0, 4]


def test_errors_of_bincount():
    for axis in (None, -1):
        with pytest.raises(tf.errors.InvalidArgumentError, match="non-negative"):
            tf.math.bincount([[1, -1, 3]], axis=axis)
    with pytest.raises(tf.errors.InvalidArgumentError, match="same shape"):
        tf.math.bincount([1, 2], weights=[1])
    with pytest.raises(ValueError, match="axis=1"):
        tf.math.bincount([1], axis=1)
    with pytest.raises(ValueError, match="mutually exclusive"):
        tf.math.bincount([1], weights=[1.0], binary_output=True)


def test_histograms():
    x = [-1.0, 0.0, 1.5, 2.0, 5.0, 15.0]
    assert tf.histogram_fixed_width(x, [0.0, 5.0], nbins=5).numpy().tolist() == [2, 1, 1, 0, 2]
    assert tf.histogram_fixed_width_bins(x, [0.0, 5.0], nbins=5).numpy().tolist() == [0, 0, 1, 2, 4, 4]
    assert tf.histogram_fixed_width_bins([x], [0.0, 5.0], nbins=5).shape == (1, 6)
    assert tf.histogram_fixed_width([1, 2, 7], [0, 5], nbins=5).numpy().tolist() == [0, 1, 1, 0, 1]
    assert tf.histogram_fixed_width([1.0], [0.0, 5.0], nbins=5, dtype=tf.int64).dtype == tf.int64
    assert tf.histogram_fixed_width(tf.zeros([0]), [0.0, 5.0], nbins=3).numpy().tolist() == [0, 0, 0]
    inf = float("inf")
    assert tf.histogram_fixed_width([inf, -inf], [0.0, 5.0], nbins=3).numpy().tolist() == [1, 0, 1]


@pytest.mark.parametrize("f", [tf.histogram_fixed_width, tf.histogram_fixed_width_bins])
def test_errors_of_histograms(f):
    with pytest.raises(tf.errors.InvalidArgumentError, match="value_range"):
        f([1.0], [5.0, 5.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="nbins"):
        f([1.0], [0.0, 5.0], nbins=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="NaN"):
        f([float("nan")], [0.0, 5.0])


def test_confusion_matrix():
    m = tf.math.confusion_matrix([1, 2, 4], [2, 2, 4]).numpy()
    want = np.zeros((5, 5), np.int32)
    want[1, 2] = want[2, 2] = want[4, 4] = 1
    np.testing.assert_array_equal(m, want)
    assert tf.math.confusion_matrix([1, 2], [2, 2], num_classes=4).shape == (4, 4)
    assert tf.math.confusion_matrix([[1], [2]], [2, 2]).numpy().tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 1]]
    w = tf.math.confusion_matrix([1, 2], [2, 2], weights=[0.5, 2.0], dtype=tf.float32)
    assert w.numpy().tolist() == [[0, 0, 0], [0, 0, 0.5], [0, 0, 2]]
    assert tf.math.confusion_matrix([], []).shape == (0, 0)
    for labels, words in (([1, 2], "out of bound"), ([-1, 1], "negative")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            tf.math.confusion_matrix(labels, [1, 1], num_classes=2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="one shape"):
        tf.math.confusion_matrix([1], [2, 2])


def test_in_functions():
    @tf.function
    def f(labels, predictions, w):
        with tf.GradientTape() as tape:
            tape.watch(w)
            m = tf.math.confusion_matrix(labels, predictions, 3, weights=w, dtype=tf.float32)
            s = tf.reduce_sum(m * m)
        own = tf.math.bincount(labels)  # its length is known only when it runs
        return m, tape.gradient(s, w), own, tf.histogram_fixed_width(w, [0.0, 3.0], 3)

    m, g, own, h = f(tf.constant([1, 2, 1]), tf.constant([1, 2, 1]), tf.constant([1.0, 2.0, 3.0]))
    assert m.numpy().tolist() == [[0, 0, 0], [0, 4, 0], [0, 0, 2]]
    assert g.numpy().tolist() == [8, 4, 8]
    assert own.numpy().tolist() == [0, 2, 1]
    assert h.numpy().tolist() == [0, 1, 2]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"out of bound|\[3, 2\] does not index"):
        f(tf.constant([1, 3, 1]), tf.constant([1, 2, 1]), tf.constant([1.0, 2.0, 3.0]))
