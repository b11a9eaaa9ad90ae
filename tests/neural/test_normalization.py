"""Normalisation beyond what tests/test_nn.py has: layers, groups, neighbouring channels."""

import numpy as np
import pytest

import gradtape as tf
from gradtape import nn

RNG = np.random.default_rng(0)


def standardized(x, axis, epsilon):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + epsilon)


def test_layer_normalization():
    x, gamma, beta = RNG.normal(size=(2, 3, 4)), RNG.normal(size=4), RNG.normal(size=4)
    np.testing.assert_allclose(nn.layer_normalization(x), standardized(x, -1, 1e-3))
    np.testing.assert_allclose(nn.layer_normalization(x, axis=[1, 2], epsilon=0.1), standardized(x, (1, 2), 0.1))
    np.testing.assert_allclose(nn.layer_normalization(x, gamma, beta), standardized(x, -1, 1e-3) * gamma + beta)


def test_group_normalization():
    x, gamma, beta = RNG.normal(size=(2, 3, 6)), RNG.normal(size=6), RNG.normal(size=6)
    want = standardized(x.reshape(2, 3, 2, 3), (1, 3), 1e-3).reshape(x.shape) * gamma + beta
    np.testing.assert_allclose(nn.group_normalization(x, 2, gamma, beta), want)
    turned = nn.group_normalization(x.transpose(0, 2, 1), 2, gamma, beta, axis=1)
    np.testing.assert_allclose(turned, want.transpose(0, 2, 1))
    np.testing.assert_allclose(nn.group_normalization(x, 6), standardized(x, 1, 1e-3))
    for groups, axis in ((4, -1), (0, -1), (2, 0)):
        with pytest.raises(ValueError, match="cannot be parted"):
            nn.group_normalization(x, groups, axis=axis)


def test_statistics_of_halves_are_computed_in_float32():
    x = tf.constant(RNG.normal(300, 1, (2, 500)), tf.float16)
    y = nn.layer_normalization(x)
    assert y.dtype == tf.float16
    np.testing.assert_allclose(y.numpy(), standardized(x.numpy().astype(float), -1, 1e-3), atol=4e-3)


def test_local_response_normalization():
    x = np.arange(1.0, 9).reshape(1, 1, 2, 4)
    got = nn.local_response_normalization(x, 1, 1.0, 0.5, 0.75)  # what TensorFlow 2.21 gives
    want = [0.390795, 0.420448, 0.384036, 0.567949, 0.376043, 0.293096, 0.273299, 0.383124]
    np.testing.assert_allclose(got.numpy().ravel(), want, atol=1e-6)
    wide = nn.lrn(x, 7)
    np.testing.assert_allclose(wide, x / np.sqrt(1 + (x * x).sum(-1, keepdims=True)))
    with pytest.raises(ValueError, match="scalar"):
        nn.lrn(1.0)


def test_gradients_of_the_compositions():
    """In a function and outside of it, and against differences."""
    x = RNG.normal(size=(2, 3, 4))
    for f in (
        lambda x: nn.layer_normalization(x),
        lambda x: nn.group_normalization(x, 2),
        lambda x: nn.lrn(x, 1, 1.0, 0.5, 0.75),
    ):

        def step(x, f=f):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum(tf.sin(f(x)))
            return tape.gradient(y, x)

        g = step(tf.constant(x)).numpy()
        np.testing.assert_allclose(tf.function(step)(tf.constant(x)), g, atol=1e-12)
        v, h = RNG.normal(size=x.shape), 1e-5
        up, down = (np.sin(f(tf.constant(x + t * v)).numpy()).sum() for t in (h, -h))
        np.testing.assert_allclose(np.vdot(g, v), (up - down) / (2 * h), rtol=1e-6)


def test_global_normalization():
    x = np.ones((1, 1, 1, 2))
    got = nn.batch_norm_with_global_normalization(x, [0.0, 1], [1.0, 2], [1.0, 3], [2.0, 2], 0.0, True)
    np.testing.assert_allclose(got.numpy().ravel(), [3, 3])
    got = nn.batch_norm_with_global_normalization(x, [0.0, 1], [4.0, 2], [1.0, 3], [2.0, 2], 0.0, False)
    np.testing.assert_allclose(got.numpy().ravel(), [1.5, 3])
