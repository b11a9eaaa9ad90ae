"""Blocks of space into channels and batch: TensorFlow's values (each was run), inverses, what is refused."""

import numpy as np
import pytest

import gradtape as tf
from gradtape import nn

X = np.arange(1.0, 17).reshape(1, 4, 4, 1)


def test_values():
    got = nn.space_to_depth(X, 2).numpy().reshape(-1, 4)
    np.testing.assert_array_equal(got, [[1, 2, 5, 6], [3, 4, 7, 8], [9, 10, 13, 14], [11, 12, 15, 16]])
    got = nn.depth_to_space(np.arange(8).reshape(1, 1, 2, 4), 2).numpy()
    np.testing.assert_array_equal(got[0, :, :, 0], [[0, 1, 4, 5], [2, 3, 6, 7]])
    got = nn.space_to_batch(X, [2, 2], [[0, 0], [0, 0]]).numpy()
    np.testing.assert_array_equal(
        got[..., 0], [[[1, 3], [9, 11]], [[2, 4], [10, 12]], [[5, 7], [13, 15]], [[6, 8], [14, 16]]]
    )
    got = tf.batch_to_space(np.arange(8).reshape(4, 1, 2, 1), [2, 2], [[0, 0], [1, 0]]).numpy()
    np.testing.assert_array_equal(got[..., 0], [[[2, 1, 3], [6, 5, 7]]])


@pytest.mark.parametrize("data_format", ["NHWC", "NCHW"])
def test_depth_and_space_are_inverse(data_format):
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 8) if data_format == "NHWC" else (2, 8, 4, 6))
    deep = nn.space_to_depth(x, 2, data_format)
    np.testing.assert_array_equal(nn.depth_to_space(deep, 2, data_format), x)
    assert deep.shape == ((2, 2, 3, 32) if data_format == "NHWC" else (2, 32, 2, 3))


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 4), (2, 5, 4, 3), (1, 5, 4, 3, 2)])
def test_batch_and_space_are_inverse(shape):
    x = np.random.default_rng(0).normal(size=shape)
    m = min(2, len(shape) - 1)
    blocks, paddings = [3, 2][:m], [[1, 0], [2, 0]][:m]
    there = tf.space_to_batch(x, blocks, paddings)
    np.testing.assert_array_equal(tf.batch_to_space(there, blocks, paddings), x)


def test_gradients_are_the_inverse():
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        a, b = nn.space_to_depth(x, 2), tf.space_to_batch(x, [2, 2], [[0, 2], [1, 1]])
    np.testing.assert_array_equal(tape.gradient(a, x, output_gradients=a), X)
    np.testing.assert_array_equal(tape.gradient(b, x, output_gradients=b), X)


def test_any_dtype():
    assert nn.space_to_depth([[[["a"], ["b"]], [["c"], ["d"]]]], 2).numpy().tolist() == [[[[b"a", b"b", b"c", b"d"]]]]
    assert nn.space_to_batch(tf.constant([[[1], [2]]], tf.int8), [2], [[0, 0]]).dtype == tf.int8


REFUSED = {
    "a size that does not divide": (lambda: nn.space_to_depth(X, 3), "multiples of block_size 3"),
    "channels that do not divide": (lambda: nn.depth_to_space(X, 2), "multiple of block_size², 4"),
    "a block of 0": (lambda: nn.space_to_depth(X, 0), "at least 1"),
    "a padded length": (lambda: nn.space_to_batch(X, [3, 3], [[0, 0], [0, 0]]), "padded length 4 of spatial dimension 0"),
    "too few paddings": (lambda: nn.space_to_batch(X, [2, 2], [[0, 0]]), "2 pairs"),
    "a batch that does not divide": (lambda: tf.batch_to_space(X, [2, 2], [[0, 0], [0, 0]]), "multiple of the product of block_shape, 4"),
    "crops": (lambda: tf.batch_to_space(np.ones((4, 1, 1, 1)), [2, 2], [[2, 1], [0, 0]]), "cut off more"),
    "a rank": (lambda: nn.space_to_batch([1.0], [2], [[0, 0]]), "batch and 1 spatial"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        f()
