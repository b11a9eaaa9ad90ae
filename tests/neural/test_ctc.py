"""CTC: TensorFlow 2.21's values and gradients (they were run), derivatives against differences, what is refused."""

import numpy as np
import pytest

import gradtape as tf
from gradtape import nn
from gradtape.ground.errors import InvalidArgumentError

LOGITS = (np.arange(40).reshape(5, 2, 4) * 7 % 11) / 4
LABELS = np.array([[1, 2, 0], [1, 1, 0]])
LOSS = [2.578596, 5.232432]
GRADIENT = [  # what TensorFlow gives in float32
    [[-0.110496, -0.568682, 0.100550, 0.578628], [-0.033144, -0.646035, 0.496519, 0.182659]],
    [[0.058674, -0.324743, 0.185367, 0.080701], [-0.399303, -0.279876, 0.496519, 0.182659]],
    [[0.036111, -0.186911, 0.070098, 0.080701], [-0.195633, -0.204950, 0.059305, 0.341278]],
    [[-0.012784, 0.137744, -0.205662, 0.080701], [0.170526, -0.571109, 0.059305, 0.341278]],
    [[0.076546, 0.086282, -0.345487, 0.182659], [0.0, 0.0, 0.0, 0.0]],
]


def loss(x, labels=LABELS, label_length=(2, 2), logit_length=(5, 4), **more):
    return nn.ctc_loss(labels, x, list(label_length), list(logit_length), **more)


def with_gradient(f, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return y.numpy(), tape.gradient(y, x).numpy()


def test_value_and_gradient():
    y, g = with_gradient(loss, LOGITS)
    np.testing.assert_allclose(y, LOSS, rtol=1e-6)
    np.testing.assert_allclose(g, GRADIENT, atol=2e-6)


def test_layouts_blanks_and_dtypes():
    want = loss(LOGITS).numpy()
    batch_major = nn.ctc_loss(LABELS, LOGITS.transpose(1, 0, 2), [2, 2], [5, 4], logits_time_major=False)
    np.testing.assert_allclose(batch_major, want)
    # the blank last: classes moved by one
    np.testing.assert_allclose(loss(np.roll(LOGITS, -1, 2), LABELS - 1, blank_index=-1), want)
    np.testing.assert_allclose(loss(LOGITS, unique=nn.ctc_unique_labels(LABELS)), want)
    assert loss(tf.constant(LOGITS, tf.float16)).dtype == tf.float16
    np.testing.assert_allclose(tf.function(loss)(tf.constant(LOGITS)), want)


def test_derivatives_of_the_gradient():
    """By differences, up to the third."""
    rng = np.random.default_rng(0)
    u, v = (rng.uniform(-1, 1, LOGITS.shape) for _ in range(2))

    def slope(x):
        return with_gradient(loss, x)[1]

    x = tf.constant(LOGITS)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as middle:
            middle.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = loss(x)
            first = inner.gradient(y, x)
            along = tf.reduce_sum(first * u)
        second = middle.gradient(along, x)
        twice = tf.reduce_sum(second * v)
    third = outer.gradient(twice, x)
    h = 1e-3
    by_differences = (slope(LOGITS + h * u) - slope(LOGITS - h * u)) / (2 * h)
    np.testing.assert_allclose(second, by_differences, atol=1e-6)
    corners = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    mixed = sum(a * b * slope(LOGITS + h * (a * u + b * v)) for a, b in corners) / (4 * h * h)
    np.testing.assert_allclose(third, mixed, atol=1e-5)


def test_probabilities_that_no_float_holds():
    """A hundred times of very unlikely labels: a probability of e^-100000."""
    x = np.zeros((100, 1, 3))
    x[:, :, 0] = 1000.0
    y, g = with_gradient(lambda x: nn.ctc_loss([[1, 2] * 25], x, [50], [100]), x)
    assert np.isfinite(y).all() and abs(y[0] - 50000) < 100
    assert np.isfinite(g).all() and abs(g.sum()) < 1e-9


def test_too_few_times_are_infinitely_unlikely():
    """TensorFlow gives about 707, and a gradient of rounding errors."""
    y, g = with_gradient(lambda x: loss(x, label_length=[2, 2], logit_length=[1, 2]), LOGITS)
    np.testing.assert_array_equal(y, [np.inf, np.inf])
    np.testing.assert_array_equal(g, np.zeros_like(g))


def test_no_labels_and_no_times():
    y, g = with_gradient(lambda x: loss(x, label_length=[0, 0], logit_length=[5, 0]), LOGITS)
    blanks = LOGITS[:, 0, 0] - np.log(np.exp(LOGITS[:, 0]).sum(-1))
    np.testing.assert_allclose(y, [-blanks.sum(), 0])
    np.testing.assert_array_equal(g[:, 1], np.zeros_like(g[:, 1]))
    assert nn.ctc_loss(np.zeros((0, 3), int), np.zeros((5, 0, 4)), np.zeros(0, int), np.zeros(0, int)).shape == (0,)


def test_what_is_beyond_the_lengths_does_not_matter():
    x, labels = LOGITS.copy(), LABELS.copy()
    x[4:, 1] = 1e6
    labels[:, 2] = 77
    np.testing.assert_array_equal(loss(x, labels).numpy(), loss(LOGITS).numpy())


REFUSED = {
    "labels out of range": (lambda: loss(LOGITS, LABELS * 9), r"labels must lie in \[0, 4\)"),
    "negative labels": (lambda: loss(LOGITS, -LABELS), "labels must lie in"),
    "labels longer than they are": (lambda: loss(LOGITS, label_length=[4, 2]), r"label_length must lie in \[0, 3\]"),
    "times longer than they are": (lambda: loss(LOGITS, logit_length=[6, 2]), r"logit_length must lie in \[0, 5\]"),
    "float labels": (lambda: loss(LOGITS, LABELS * 1.0), "must be integers"),
    "a vector of labels": (lambda: loss(LOGITS, LABELS[0]), "have shapes"),
    "too few lengths": (lambda: loss(LOGITS, label_length=[2]), "each of 2 sequences"),
    "logits of rank 2": (lambda: loss(LOGITS[0]), "3 dimensions"),
    "the blank": (lambda: loss(LOGITS, blank_index=4), "blank_index must lie in"),
    "no lengths": (lambda: nn.ctc_loss(LABELS, LOGITS, None, None), "must be given"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as caught:
        f()
    assert name == "no lengths" or isinstance(caught.value, InvalidArgumentError)


def test_greedy_decoder():
    """What TensorFlow gives for the likeliest classes 1 1 0 1 2, 2 2 2 2 0 and, of 3 times, 0 3 3."""
    best = np.array([[1, 1, 0, 1, 2], [2, 2, 2, 2, 0], [0, 3, 3, 1, 1]])
    x = np.eye(4)[best].transpose(1, 0, 2) * 2
    (decoded,), score = nn.ctc_greedy_decoder(x, [5, 5, 3])
    assert decoded.indices.numpy().tolist() == [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0], [1, 1], [2, 0]]
    assert decoded.values.numpy().tolist() == [1, 0, 1, 2, 2, 0, 0]
    assert decoded.dense_shape.numpy().tolist() == [3, 4]
    np.testing.assert_array_equal(score, [[-10], [-10], [-6]])
    (decoded,), _ = nn.ctc_greedy_decoder(x, [5, 5, 3], merge_repeated=False, blank_index=0)
    assert decoded.values.numpy().tolist() == [1, 1, 1, 2, 2, 2, 2, 2, 3, 3]


def test_unique_and_collapsed_labels():
    unique, number = nn.ctc_unique_labels([[3, 1, 3, 2], [0, 0, 0, 5]])
    assert unique.numpy().tolist() == [[3, 1, 2, 0], [0, 5, 0, 0]] and unique.dtype == tf.int64
    assert number.numpy().tolist() == [[0, 1, 0, 2], [0, 0, 0, 1]] and number.dtype == tf.int32
    labels, lengths = nn.collapse_repeated([[1, 1, 2, 2, 1], [1, 1, 1, 1, 1]], [5, 3])
    assert labels.numpy().tolist() == [[1, 2, 1], [1, 0, 0]]
    assert lengths.numpy().tolist() == [3, 1]
