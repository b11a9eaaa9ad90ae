"""Public rearrangements, with TensorFlow 2.21's values."""

import numpy as np
import pytest

import gradtape as tf

A = np.arange(1, 13.0).reshape(3, 4)
IMAGE = np.arange(16.0).reshape(1, 4, 4, 1)


def test_reverse_sequence():
    want = [[2, 1, 3, 4], [5, 6, 7, 8], [12, 11, 10, 9]]
    assert tf.reverse_sequence(A, [2, 0, 4], seq_axis=1, batch_axis=0).numpy().tolist() == want
    assert tf.reverse_sequence(A, [2, 0, 4], seq_axis=1).numpy().tolist() == want
    columns = tf.reverse_sequence(A, [1, 2, 3, 2], seq_axis=0, batch_axis=1)
    assert columns.numpy().tolist() == [[1, 6, 11, 8], [5, 2, 7, 4], [9, 10, 3, 12]]
    assert tf.reverse_sequence([["a", "b"]], [2], seq_axis=1).numpy().tolist() == [[b"b", b"a"]]
    with pytest.raises(TypeError, match="seq_axis"):
        tf.reverse_sequence(A, [2, 0, 4])
    for lengths, axis, words in (
        ([2, 0, 5], 1, r"seq_lengths\(2\)"),
        ([2, 0, -1], 1, r"seq_lengths\(2\)"),
        ([2, 0], 1, "one length for each"),
        ([2, 0, 1], 0, "two axes"),
        ([2.0, 0, 1], 1, "integers"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            tf.reverse_sequence(A, lengths, seq_axis=axis)


def test_unravel_index():
    assert tf.unravel_index([2, 5, 7], [3, 3]).numpy().tolist() == [[0, 1, 2], [2, 2, 1]]
    assert tf.unravel_index(5, [3, 3]).numpy().tolist() == [1, 2]
    i = tf.unravel_index(tf.constant([1], tf.int64), tf.constant([3, 3], tf.int64))
    assert i.dtype == tf.int64 and i.numpy().tolist() == [[0], [1]]
    for i, dims in (([9], [3, 3]), ([-1], [3, 3]), ([0], [0, 3]), ([[1]], [3]), ([0], 3)):
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.unravel_index(i, dims)


def test_required_space_to_batch_paddings():
    paddings, crops = tf.required_space_to_batch_paddings([5, 6], [2, 4], [[1, 0], [0, 1]])
    assert paddings.numpy().tolist() == [[1, 0], [0, 2]] and crops.numpy().tolist() == [[0, 0], [0, 1]]


def test_parallel_stack():
    assert tf.parallel_stack([[1, 2], [3, 4]]).numpy().tolist() == [[1, 2], [3, 4]]


def patches(x, size, stride, rate, padding):
    return tf.image.extract_patches(x, [1, *size, 1], [1, *stride, 1], [1, *rate, 1], padding)


def test_extract_patches():
    valid = patches(IMAGE, (2, 2), (2, 2), (1, 1), "VALID").numpy()
    assert valid.tolist() == [[[[0, 1, 4, 5], [2, 3, 6, 7]], [[8, 9, 12, 13], [10, 11, 14, 15]]]]
    same = patches(IMAGE, (3, 3), (2, 2), (1, 1), "SAME").numpy()
    assert same[0, 1, 1].tolist() == [10, 11, 0, 14, 15, 0, 0, 0, 0]
    apart = patches(IMAGE, (2, 2), (1, 1), (2, 2), "VALID").numpy()
    assert apart[0, 0].tolist() == [[0, 2, 8, 10], [1, 3, 9, 11]]
    both = patches(IMAGE, (2, 2), (3, 3), (2, 2), "SAME").numpy()
    assert both.tolist() == [[[[0, 0, 0, 5], [0, 0, 6, 0]], [[0, 9, 0, 0], [10, 0, 0, 0]]]]
    assert patches(IMAGE, (5, 5), (2, 2), (1, 1), "VALID").shape == (1, 0, 0, 25)
    channels = patches(np.arange(8).reshape(1, 2, 2, 2), (2, 2), (1, 1), (1, 1), "VALID")
    assert channels.numpy().ravel().tolist() == list(range(8))


@pytest.mark.parametrize(
    "given",
    [
        (IMAGE, [2, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"),
        (IMAGE, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "FULL"),
        (IMAGE[0], [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"),
        (IMAGE, [1, 2, 2, 1], [1, 0, 2, 1], [1, 1, 1, 1], "VALID"),
        (IMAGE, [1, 2, 2], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"),
    ],
)
def test_errors_of_patches(given):
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.image.extract_patches(*given)


def test_extract_volume_patches():
    v = np.arange(24.0).reshape(1, 2, 3, 2, 2)
    got = tf.extract_volume_patches(v, [1, 2, 2, 2, 1], [1, 1, 1, 1, 1], "VALID").numpy()
    assert got[0, 0, 1, 0].tolist() == [4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23]
    assert tf.extract_volume_patches(v, [1, 2, 2, 2, 1], [1, 2, 2, 2, 1], "SAME").shape == (1, 1, 2, 1, 16)


def test_the_gradient_of_patches_counts_how_often_each_pixel_is_used():
    x = tf.constant(IMAGE)

    def f(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(patches(x, (3, 3), (1, 1), (1, 1), "VALID"))
        return tape.gradient(y, x)

    want = np.outer([1, 2, 2, 1], [1, 2, 2, 1])
    for g in (f(x), tf.function(f)(x)):
        np.testing.assert_array_equal(g.numpy()[0, :, :, 0], want)
