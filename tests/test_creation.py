"""Tensors made from shapes and numbers: what NumPy makes, in TensorFlow's dtypes."""

import numpy as np
import pytest

import gradtape as tf
from gradtape.errors import InvalidArgumentError

from .differences import assert_gradient


def same(got, want):
    """Equal in dtype, shape and every bit."""
    want = np.asarray(want)
    assert got.dtype.name == want.dtype.name
    assert tuple(got.shape) == want.shape
    np.testing.assert_array_equal(got.numpy(), want)


NUMPY = {
    n: np.dtype(n)
    for n in (
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    )
}


@pytest.mark.parametrize(
    "shape",
    [
        [2, 3],
        (2,),
        3,
        [],
        (),
        [0, 2],
        tf.constant([2, 3]),
        tf.constant(3),
        np.array([2]),
        tf.TensorShape([2, 1]),
        [tf.constant(2), 3],
    ],
    ids=repr,
)
def test_zeros_ones_and_fill_take_any_sort_of_shape(shape):
    plain = np.zeros(
        np.asarray([int(d) for d in shape] if isinstance(shape, list | tuple | tf.TensorShape) else np.asarray(shape))
    )
    same(tf.zeros(shape), plain.astype(np.float32))
    same(tf.ones(shape), (plain + 1).astype(np.float32))
    same(tf.fill(shape, 7), (plain + 7).astype(np.int32))


@pytest.mark.parametrize("name", NUMPY)
def test_zeros_and_ones_of_each_dtype(name):
    d = NUMPY[name]
    for dtype in (name, getattr(tf, name), d):
        same(tf.zeros([2], dtype), np.zeros(2, d))
        same(tf.ones([], dtype), np.ones((), d))
        same(tf.eye(2, dtype=dtype), np.eye(2, dtype=d))
        same(tf.ones_like([1.0, 2.0], dtype), np.ones(2, d))
        same(tf.zeros_like([1.0, 2.0], dtype), np.zeros(2, d))
        same(tf.sequence_mask([0, 1], dtype=dtype), np.array([[0], [1]], d))


def test_bfloat16():
    assert tf.zeros([2], tf.bfloat16).dtype == tf.ones([2], tf.bfloat16).dtype == tf.bfloat16
    assert tf.range(3, dtype=tf.bfloat16).dtype == tf.linspace(tf.cast(0, tf.bfloat16), 1.0, 3).dtype == tf.bfloat16


def test_strings():
    assert tf.zeros([2], tf.string).numpy().tolist() == [b"", b""]
    assert tf.zeros([], tf.string).numpy() == b""
    assert tf.fill([2], "a").numpy().tolist() == [b"a", b"a"]
    assert tf.zeros_like(["a"]).numpy().tolist() == [b""]
    for make in (lambda: tf.ones([2], tf.string), lambda: tf.ones_like("a"), lambda: tf.eye(2, dtype=tf.string)):
        with pytest.raises(TypeError):
            make()


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ([-1], InvalidArgumentError),
        (-1, InvalidArgumentError),
        ([[2, 3]], InvalidArgumentError),
        ([2.0], TypeError),
        (2.0, TypeError),
        ("a", TypeError),
        (None, ValueError),
        ([2, None], ValueError),
        (tf.TensorShape([None]), ValueError),
    ],
    ids=repr,
)
def test_no_shape(shape, error):
    for make in (tf.zeros, tf.ones, lambda s: tf.fill(s, 1)):
        with pytest.raises(error):
            make(shape)


def test_fill():
    same(tf.fill([2], [1]), np.int32([1, 1]))
    same(tf.fill([2], np.float64(2)), np.float64([2, 2]))
    same(tf.fill([], tf.Variable(5.0)), np.float32(5))
    assert_gradient(lambda v: tf.fill([2, 3], v), 2.0)
    with pytest.raises(InvalidArgumentError, match="scalar"):
        tf.fill([2], [1, 2])


def test_eye():
    same(tf.eye(2, 3), np.eye(2, 3, dtype=np.float32))
    same(tf.eye(3, 2, batch_shape=[2, 1]), np.broadcast_to(np.eye(3, 2, dtype=np.float32), (2, 1, 3, 2)))
    same(tf.eye(tf.constant(2), batch_shape=tf.constant([2])), np.stack([np.eye(2, dtype=np.float32)] * 2))
    same(tf.eye(0), np.zeros((0, 0), np.float32))
    with pytest.raises(InvalidArgumentError):
        tf.eye(-1)
    with pytest.raises(TypeError):
        tf.eye(2.0)


def test_no_gradient_flows_through_like():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x + tf.ones_like(x) * tf.zeros_like(x, tf.float32)
    assert tape.gradient(y, x).numpy().tolist() == [1.0, 1.0]


# -- range ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "want"),
    [
        ((5,), np.arange(5, dtype=np.int32)),
        ((2, 5), np.int32([2, 3, 4])),
        ((2, 9, 3), np.int32([2, 5, 8])),
        ((0,), np.zeros(0, np.int32)),
        ((5, 2, -1), np.int32([5, 4, 3])),
        ((0, -3, -2), np.int32([0, -2])),
        ((3.0,), np.float32([0, 1, 2])),
        ((1.5, 4), np.float32([1.5, 2.5, 3.5])),
        ((0, 3, 1.0), np.float32([0, 1, 2])),
        ((np.float64(3),), np.float64([0, 1, 2])),
        ((np.int64(3),), np.int64([0, 1, 2])),
        ((tf.constant(0, tf.int64), 3), np.int64([0, 1, 2])),
        ((tf.constant(1), 4.5), np.float32([1, 2, 3, 4])),
        ((tf.constant(3.0, tf.float16),), np.float16([0, 1, 2])),
        ((2**31 - 1, 2**31 + 1), np.int64([2**31 - 1, 2**31])),
        ((0, 5, 2, tf.float64), np.float64([0, 2, 4])),
        ((3, None, 2), np.int32([0, 2])),
        # as TensorFlow 2.21 gives them: start + i * delta, rounded at each operation
        ((0.0, 1.0, 0.1), np.float32([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.90000004])),
        ((1.0, 0.0, -0.3), np.float32([1, 0.7, 0.39999998, 0.099999964])),
        ((0.1, 0.35, 0.05), np.float32([0.1, 0.15, 0.2, 0.25, 0.3])),
        ((0.0, 1.0, 0.1, tf.float64), np.float64([0, 0.1, 0.2, 0.30000000000000004, 0.4, 0.5, 0.6000000000000001, 0.7000000000000001, 0.8, 0.9])),
    ],
    ids=repr,
)  # fmt: skip
def test_range(args, want):
    same(tf.range(*args), want)


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((0, 5, 0), InvalidArgumentError, "Requires delta != 0: 0"),
        ((5, 2), InvalidArgumentError, "Requires start <= limit when delta > 0: 5/2"),
        ((2, 5, -1), InvalidArgumentError, "Requires start >= limit when delta < 0: 2/5"),
        ((0.0, np.nan), InvalidArgumentError, "nan"),
        ((0.0, np.inf), InvalidArgumentError, "inf"),
        ((3.5, None, 1, tf.int32), TypeError, "3.5"),
        ((tf.constant(3, tf.int8),), TypeError, "int8"),
        (("a",), TypeError, "string"),
        ((True,), TypeError, "bool"),
        ((None,), ValueError, "None"),
    ],
)
def test_range_refuses(args, error, words):
    with pytest.raises(error, match=words):
        tf.range(*args)


# -- linspace ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 101])
def test_linspace_in_double_precision(n):
    got = tf.linspace(tf.constant(-1.0, tf.float64), 2.0, n)
    np.testing.assert_allclose(got.numpy(), np.linspace(-1, 2, n), rtol=1e-15, atol=1e-16)


def test_linspace_ends_exactly_at_stop():
    assert tf.linspace(0.1, 0.7, 50).numpy()[-1] == np.float32(0.7)


def test_linspace_of_integers_is_made_of_floats():
    same(tf.linspace(0, 10, 5), np.linspace(0, 10, 5))
    same(tf.linspace(tf.constant(0, tf.int8), tf.constant(1, tf.int8), 3), np.float32([0, 0.5, 1]))


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_linspace_between_tensors(axis):
    a, b = np.array([0.0, 1.0]), np.array([2.0, 5.0])
    np.testing.assert_allclose(tf.linspace(a, b, 4, axis=axis).numpy(), np.linspace(a, b, 4, axis=axis), rtol=1e-15)
    assert_gradient(lambda a, b: tf.linspace(a, b, 4, axis=axis), a, b)
    assert_gradient(lambda a, b: tf.linspace(a, b, 1, axis=axis), a, b)


def test_linspace_broadcasts():
    np.testing.assert_allclose(tf.linspace([0.0, 1.0], 2.0, 3).numpy(), np.linspace([0, 1], [2, 2], 3))
    assert_gradient(lambda a, b: tf.linspace(a, b, 3), [0.0, 1.0], 2.0)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((0.0, 1.0, -1), InvalidArgumentError),
        (([0.0], [1.0], 3, None, 2), InvalidArgumentError),
        (([0.0, 1.0], [1.0, 2.0, 3.0], 3), InvalidArgumentError),
        ((0.0, 1.0, 2.5), TypeError),
        ((0, 1.5, 3), TypeError),
        ((0.0, tf.constant(1.0, tf.float64), 3), ValueError),
    ],
)
def test_linspace_refuses(args, error):
    with pytest.raises(error):
        tf.linspace(*args)


# -- grids and masks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_meshgrid(indexing, n):
    parts = [np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0]), np.array([6.0])][:n]
    got = tf.meshgrid(*parts, indexing=indexing)
    assert isinstance(got, list)
    for g, w in zip(got, np.meshgrid(*parts, indexing=indexing), strict=True):
        same(g, w)
    if n:
        assert_gradient(lambda *xs: tf.meshgrid(*xs, indexing=indexing), *parts)


def test_meshgrid_flattens_and_takes_numbers():
    x, y = tf.meshgrid([[1, 2], [3, 4]], 5)
    same(x, np.int32([[1, 2, 3, 4]]))
    same(y, np.int32([[5, 5, 5, 5]]))


def test_meshgrid_refuses():
    with pytest.raises(ValueError, match="indexing"):
        tf.meshgrid([1], indexing="no")
    with pytest.raises(TypeError, match="foo"):
        tf.meshgrid([1], foo=1)
    with pytest.raises(InvalidArgumentError):
        tf.meshgrid([1], [1.5])


def test_sequence_mask():
    same(tf.sequence_mask([1, 3, 0]), np.arange(3) < np.array([[1], [3], [0]]))
    same(tf.sequence_mask([[1], [2]], 3, "int32"), (np.arange(3) < np.array([[[1]], [[2]]])).astype(np.int32))
    same(tf.sequence_mask(2, 4), np.array([True, True, False, False]))
    same(tf.sequence_mask([2, 5], 3), np.array([[True, True, False], [True] * 3]))
    same(tf.sequence_mask([-1, 1]), np.array([[False], [True]]))
    assert tf.sequence_mask([0, 0]).shape == [2, 0]
    with pytest.raises(InvalidArgumentError):
        tf.sequence_mask([1], -1)
