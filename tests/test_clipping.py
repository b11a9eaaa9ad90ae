"""tf.clip_by_*: by the definition, and TensorFlow's choices at the edges."""

import numpy as np
import pytest

import gradtape as tf
from gradtape.errors import InvalidArgumentError

from .differences import assert_gradient, gradient

SPARSE = (tf.constant([[3.0, 4.0]]), tf.constant([2]), tf.constant([5, 2]))


def test_clip_by_value():
    assert tf.clip_by_value([1.0, 5.0, 9.0], 2, 6).numpy().tolist() == [2.0, 5.0, 6.0]
    assert tf.clip_by_value(tf.constant([1, 5, 9]), 2, 6).dtype is tf.int32
    assert tf.clip_by_value([[1.0, 5.0], [9.0, 3.0]], [2.0, 4.0], 6.0).numpy().tolist() == [[2.0, 5.0], [6.0, 4.0]]
    assert tf.clip_by_value([1.0, 5.0], 6.0, 2.0).numpy().tolist() == [6.0, 6.0]  # the lower bound is applied last
    got = tf.clip_by_value([1.0, np.nan, np.inf], 0.0, 2.0).numpy()
    assert got[0] == 1 and np.isnan(got[1]) and got[2] == 2
    s = tf.clip_by_value(tf.IndexedSlices(*SPARSE), 3.5, 3.75)
    assert s.values.numpy().tolist() == [[3.5, 3.75]] and s.indices is SPARSE[1] and s.shape == [5, 2]


def test_gradient_of_clip_by_value():
    """It flows where nothing was clipped, and to the bound where something was; on a bound, to the tensor."""
    x, low, high = (tf.constant(v) for v in ([1.0, 5.0, 9.0, 2.0, 6.0], 2.0, 6.0))
    with tf.GradientTape() as tape:
        tape.watch([x, low, high])
        y = tf.clip_by_value(x, low, high)
    assert [g.numpy().tolist() for g in tape.gradient(y, [x, low, high])] == [[0, 1, 0, 1, 1], 1, 1]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (([1.0, 5.0], [[1.0], [2.0]], 9.0), InvalidArgumentError),
        ((tf.constant([1.0]), tf.constant(2.0, tf.float64), 3.0), InvalidArgumentError),
        ((tf.constant([1.0]), tf.constant(2), 3.0), InvalidArgumentError),
        (([1j], 0.0, 1.0), InvalidArgumentError),
        (([1.0], None, 3.0), ValueError),
    ],
)
def test_clip_by_value_refuses(args, error):
    with pytest.raises(error):
        tf.clip_by_value(*args)


@pytest.mark.parametrize("axes", [None, 0, [1], -1, [0, 1]], ids=repr)
@pytest.mark.parametrize("bound", [0.5, 2.0, 100.0])
def test_clip_by_norm(axes, bound):
    x = np.array([[3.0, 4.0, 0.5], [0.3, 0.4, -1.0]])
    norm = np.sqrt(np.sum(x * x, axis=tuple(axes) if isinstance(axes, list) else axes, keepdims=True))
    np.testing.assert_allclose(tf.clip_by_norm(x, bound, axes).numpy(), x * np.minimum(1, bound / norm), rtol=1e-14)
    assert_gradient(lambda x: tf.clip_by_norm(x, bound, axes), x)
    if bound < 1:
        assert_gradient(gradient(lambda x: tf.clip_by_norm(x, bound, axes)), x, rtol=1e-5)


def test_clip_by_norm_at_the_edges():
    x = tf.constant([0.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.clip_by_norm(x, 2.0)
    assert y.numpy().tolist() == [0.0, 0.0] and tape.gradient(y, x).numpy().tolist() == [
        1.0,
        1.0,
    ]  # no 0/0, in value or gradient
    assert tf.clip_by_norm([3.0, 4.0], -1.0).numpy().tolist() == [0.0, 0.0]
    assert tf.clip_by_norm(tf.constant([3.0, 4.0], tf.float64), tf.constant(2.0)).dtype is tf.float64
    np.testing.assert_allclose(tf.clip_by_norm([3.0, 4.0], [1.0, 2.0]).numpy(), [0.6, 1.6], rtol=1e-6)
    s = tf.clip_by_norm(tf.IndexedSlices(*SPARSE), 2.5)
    assert s.values.numpy().tolist() == [[1.5, 2.0]] and s.shape == [5, 2]
    with pytest.raises(InvalidArgumentError):
        tf.clip_by_norm([3.0, 4.0], [[1.0], [2.0]])
    with pytest.raises(InvalidArgumentError):
        tf.clip_by_norm([3.0, 4.0], 1.0, axes=1)


LIST = [tf.constant([3.0, 4.0]), None, tf.constant([[12.0]])]


def test_global_norm():
    f = tf.linalg.global_norm
    assert f(LIST).numpy() == 13
    assert f([tf.IndexedSlices(*SPARSE), tf.Variable([12.0]), [0.0]]).numpy() == 13
    assert f([]).numpy() == f([None]).numpy() == 0
    assert f([tf.constant([1.0], tf.float64)]).dtype is tf.float64
    assert_gradient(lambda a, b: f([a, b]), [3.0, 4.0], [[1.0]])
    with pytest.raises(TypeError):
        f(tf.constant([1.0]))
    with pytest.raises(InvalidArgumentError):
        f([tf.constant([1.0], tf.float64), tf.constant([1.0])])


def test_clip_by_global_norm():
    clipped, norm = tf.clip_by_global_norm(LIST, 6.5)
    assert norm.numpy() == 13 and clipped[1] is None
    assert [c.numpy().tolist() for c in clipped if c is not None] == [[1.5, 2.0], [[6.0]]]
    clipped, _ = tf.clip_by_global_norm(LIST, 100)
    assert clipped[0].numpy().tolist() == [3.0, 4.0]
    clipped, norm = tf.clip_by_global_norm(LIST, 1.0, use_norm=tf.constant(2.0))
    assert norm.numpy() == 2 and clipped[0].numpy().tolist() == [1.5, 2.0]
    (s, c), _ = tf.clip_by_global_norm((tf.IndexedSlices(*SPARSE), tf.constant([12.0])), 6.5)
    assert s.values.numpy().tolist() == [[1.5, 2.0]] and s.shape == [5, 2] and c.numpy().tolist() == [6.0]
    assert_gradient(lambda a, b: tf.clip_by_global_norm([a, b], 1.0)[0], [3.0, 4.0], [[1.0]])


def test_clip_by_global_norm_at_the_edges():
    for bad in (np.inf, np.nan):
        clipped, norm = tf.clip_by_global_norm([tf.constant([bad]), tf.constant([1.0])], 1.0)
        assert not np.isfinite(norm.numpy()) and all(np.isnan(c.numpy()).all() for c in clipped)
    assert tf.clip_by_global_norm([tf.constant([0.0])], 1.0)[0][0].numpy().tolist() == [0.0]
    assert tf.clip_by_global_norm([], 1.0)[0] == []
    assert tf.clip_by_global_norm([None], 1.0)[0] == [None]
    with pytest.raises(TypeError, match="sequence"):
        tf.clip_by_global_norm(tf.constant([1.0]), 1.0)
