"""Losses by samples of the classes, and averages of losses: TensorFlow 2.21's values (they were run)."""

import numpy as np
import pytest

import gradtape as tf
from gradtape import nn

RNG = np.random.default_rng(0)
W, B, X = (RNG.uniform(-1, 1, s).astype("f") for s in ((6, 3), (6,), (2, 3)))
LABELS = np.array([[1, 4], [0, 2]])
SAMPLED = np.array([1, 3, 5]), np.array([[0.5, 0.25], [1.0, 0.125]], "f"), np.array([0.5, 0.3, 0.2], "f")


@pytest.mark.parametrize("as_function", [False, True])
def test_values(as_function):
    wrap = tf.function if as_function else lambda f: f
    nce = wrap(lambda x, remove: nn.nce_loss(W, B, LABELS, x, 3, 6, 2, SAMPLED, remove))
    softmax = wrap(lambda x, remove: nn.sampled_softmax_loss(W, B, LABELS, x, 3, 6, 2, SAMPLED, remove))
    x = tf.constant(X)
    np.testing.assert_allclose(nce(x, True), [4.489367, 5.682524], rtol=1e-6)
    np.testing.assert_allclose(nce(x, False), [5.795709, 5.682524], rtol=1e-6)
    np.testing.assert_allclose(softmax(x, True), [1.295518, 2.199882], rtol=1e-6)
    np.testing.assert_allclose(softmax(x, False), [1.412864, 2.199882], rtol=1e-6)


def test_gradients_are_sparse():
    w, b = tf.Variable(W), tf.Variable(B)
    with tf.GradientTape() as tape:
        loss = nn.nce_loss(w, b, LABELS, X, 3, 6, 2, SAMPLED)
    for g, v in zip(tape.gradient(loss, [w, b]), (w, b), strict=True):
        assert isinstance(g, tf.IndexedSlices)
        assert set(g.indices.numpy().tolist()) == {0, 1, 2, 3, 4, 5}
        assert tf.convert_to_tensor(g).shape == v.shape


def test_draws_by_itself():
    tf.random.set_seed(1)
    a = nn.sampled_softmax_loss(W, B, LABELS, X, 3, 6, 2, seed=4)
    tf.random.set_seed(1)
    np.testing.assert_array_equal(a, nn.sampled_softmax_loss(W, B, LABELS, X, 3, 6, 2, seed=4))
    assert a.shape == (2,) and np.isfinite(a.numpy()).all()


def test_accidental_hits():
    """TensorFlow reports one of the two places of class 0."""
    rows, places, weights = nn.compute_accidental_hits(LABELS, np.array([1, 3, 2, 0, 0]), 2)
    assert rows.numpy().tolist() == [0, 1, 1, 1] and rows.dtype == tf.int32
    assert places.numpy().tolist() == [0, 2, 3, 4] and places.dtype == tf.int64
    np.testing.assert_array_equal(weights, np.full(4, np.finfo("f").min))


def test_true_classes_are_checked():
    with pytest.raises(ValueError, match="num_true = 1 columns"):
        nn.nce_loss(W, B, LABELS, X, 3, 6, 1, SAMPLED)
    with pytest.raises(ValueError, match="integers"):
        nn.nce_loss(W, B, LABELS * 1.0, X, 3, 6, 2, SAMPLED)


def test_averages():
    assert float(nn.compute_average_loss([1.0, 2.0], [0.5, 0.5])) == 0.75
    assert float(nn.compute_average_loss([[1.0, 2.0], [3.0, 4.0]], [1.0, 0.5], 4)) == 1.625
    assert float(nn.scale_regularization_loss([1.0, 2.0])) == 3
    with pytest.raises(ValueError, match="at least one dimension"):
        nn.compute_average_loss(1.0)
