"""tf.reshape, tf.concat, tf.pad ...: values as NumPy has them, gradients by differences, errors as TensorFlow's."""

import numpy as np
import pytest

import gradtape as tf
from gradtape.errors import InvalidArgumentError

from .differences import assert_gradient, gradient

X = np.arange(6.0).reshape(2, 3)
X3 = np.arange(24.0).reshape(2, 3, 4)


def same(got, want):
    """Equal in dtype, shape and every element."""
    want = np.asarray(want)
    assert got.dtype.name == want.dtype.name
    assert tuple(got.shape) == want.shape
    np.testing.assert_array_equal(got.numpy(), want)


# -- reshape, transpose, expand_dims, squeeze ---------------------------------------------------------------------------------

SHAPES = [
    [3, 2],
    (6,),
    6,
    -1,
    [-1],
    [3, -1],
    [-1, 1, 2],
    [1, 6, 1],
    np.array([3, 2]),
    np.int64(6),
    tf.TensorShape([3, 2]),
    tf.constant([3, 2]),
    tf.constant([3, 2], tf.int64),
    [tf.constant(3), -1],
    range(2, 4),
    tf.Variable([3, 2]),
]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_reshape(shape):
    plain = [
        int(d)
        for d in np.ravel([np.asarray(d) for d in shape] if isinstance(shape, list | range) else np.asarray(shape))
    ]
    same(tf.reshape(X, shape), X.reshape(plain))


def test_reshape_of_other_things():
    same(tf.reshape(5.0, [1, 1]), np.float32([[5]]))
    same(tf.reshape([[5]], []), np.int32(5))
    same(tf.reshape(tf.Variable([1.0, 2.0]), [2, 1]), np.float32([[1], [2]]))
    assert tf.reshape("a", [1]).numpy().tolist() == [b"a"]
    assert tf.reshape(["a"], []).numpy() == b"a"


@pytest.mark.parametrize(
    ("have", "shape", "want"),
    [
        ((0, 3), [-1], [0]),
        ((0, 3), [-1, 3], [0, 3]),
        ((0, 3), [0, -1], [0, 3]),
        ((2, 0, 3), [0, -1, 2], [0, 3, 2]),
        ((2, 0, 3), [-1, 0], [6, 0]),
    ],
)
def test_reshape_of_nothing_infers_what_tensorflow_infers(have, shape, want):
    assert tf.reshape(np.zeros(have), shape).shape == want


@pytest.mark.parametrize(
    ("shape", "error", "words"),
    [
        ([4, 2], InvalidArgumentError, "6 values"),
        ([], InvalidArgumentError, "6 values"),
        ([-1, -1], InvalidArgumentError, "Only one input size may be -1, not both 0 and 1"),
        ([-1, 4], InvalidArgumentError, "requires a multiple of 4"),
        ([-2, 3], InvalidArgumentError, "-2"),
        ([[3, 2]], InvalidArgumentError, "vector"),
        ([2.0, 3.0], TypeError, "integers"),
        (None, ValueError, "None"),
        ([None, 2], ValueError, "None"),
        (tf.TensorShape([None, 2]), ValueError, "partially known"),
    ],
)
def test_reshape_refuses(shape, error, words):
    with pytest.raises(error, match=words):
        tf.reshape(X, shape)


@pytest.mark.parametrize("perm", [None, [1, 0], (0, 1), [-1, 0], tf.constant([1, 0]), np.array([1, 0])], ids=repr)
def test_transpose(perm):
    plain = None if perm is None else np.asarray(perm).tolist()
    same(tf.transpose(X, perm), np.transpose(X, plain))
    assert_gradient(lambda x: tf.transpose(x, perm), X)


def test_transpose_of_more_dimensions():
    same(tf.transpose(X3, [2, 0, 1]), np.transpose(X3, [2, 0, 1]))
    same(tf.transpose(X3), X3.T)
    same(tf.transpose([[1 + 2j, 3j]], conjugate=True), np.array([[1 - 2j], [-3j]]))
    same(tf.transpose([[1, 2]], conjugate=True), np.int32([[1], [2]]))
    same(tf.transpose(5.0), np.float32(5))
    assert_gradient(lambda x: tf.transpose(x, [1, 2, 0]), X3)


@pytest.mark.parametrize("perm", [[0], [0, 0], [0, 2], [0, 1, 2], [], 1])
def test_transpose_refuses_what_is_no_permutation(perm):
    with pytest.raises(InvalidArgumentError):
        tf.transpose(X, perm)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3, tf.constant(1), np.int64(1)], ids=repr)
def test_expand_dims(axis):
    same(tf.expand_dims(X, axis), np.expand_dims(X, int(axis)))


@pytest.mark.parametrize("axis", [3, -4])
def test_expand_dims_refuses(axis):
    with pytest.raises(InvalidArgumentError, match=f"Tried to expand dim index {axis} for tensor with 2 dimensions"):
        tf.expand_dims(X, axis)


@pytest.mark.parametrize("axis", [None, 0, 2, [0], [0, 2], -2, [-2, 0], (0, -2)], ids=repr)
def test_squeeze(axis):
    x = np.ones((1, 2, 1, 3))
    same(tf.squeeze(x, axis), np.squeeze(x, tuple(axis) if isinstance(axis, list) else axis))
    assert_gradient(lambda x: tf.squeeze(x, axis), x)


def test_squeeze_refuses():
    with pytest.raises(InvalidArgumentError, match=r"Can not squeeze dim\[1\], expected a dimension of 1, got 2"):
        tf.squeeze(np.ones((1, 2)), 1)
    with pytest.raises(InvalidArgumentError, match="Tried to squeeze dim index 4"):
        tf.squeeze(np.ones((1, 2)), 4)


# -- broadcasting -------------------------------------------------------------------------------------------------------------


def test_broadcast_to():
    same(tf.broadcast_to([[1], [2]], [3, 2, 4]), np.broadcast_to(np.int32([[1], [2]]), (3, 2, 4)))
    same(tf.broadcast_to(5.0, tf.constant([2])), np.float32([5, 5]))
    assert tf.broadcast_to("a", [2]).numpy().tolist() == [b"a", b"a"]
    assert_gradient(lambda x: tf.broadcast_to(x, [2, 2, 3]), [[1.0], [2.0]])
    with pytest.raises(InvalidArgumentError):
        tf.broadcast_to(X, [2, 4])
    with pytest.raises(InvalidArgumentError, match="-1"):
        tf.broadcast_to(X, [2, -1])


def test_broadcast_shapes():
    same(tf.broadcast_dynamic_shape([2, 1], [3]), np.int32([2, 3]))
    same(tf.broadcast_dynamic_shape(tf.constant([2, 1], tf.int64), [3]), np.int64([2, 3]))
    with pytest.raises(InvalidArgumentError):
        tf.broadcast_dynamic_shape([2], [3])
    assert tf.broadcast_static_shape(tf.TensorShape([2, 1]), tf.TensorShape([3])) == [2, 3]
    assert tf.broadcast_static_shape(tf.TensorShape([None, 1]), tf.TensorShape([3])).as_list() == [None, 3]
    assert tf.broadcast_static_shape(tf.TensorShape([None]), tf.TensorShape([4])) == [4]
    assert tf.broadcast_static_shape(tf.TensorShape(None), tf.TensorShape([4])).rank is None
    with pytest.raises(ValueError):
        tf.broadcast_static_shape(tf.TensorShape([2]), tf.TensorShape([3]))


# -- order --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [[0], [1], [0, 1], [-1], [], tf.constant([1])], ids=repr)
def test_reverse(axis):
    same(tf.reverse(X, axis), np.flip(X, tuple(np.asarray(axis, int))))
    assert_gradient(lambda x: tf.reverse(x, axis), X)


@pytest.mark.parametrize("axis", [0, [2], [0, 0], [0, -2], [[0]]])
def test_reverse_refuses(axis):
    with pytest.raises(InvalidArgumentError):
        tf.reverse(X, axis)


@pytest.mark.parametrize(("shift", "axis"), [(1, 0), (-1, 1), ([1, 1], [0, 1]), ([1, 2], [1, 1]), (4, -1), (0, 0)])
def test_roll(shift, axis):
    same(tf.roll(X, shift, axis), np.roll(X, shift, tuple(axis) if isinstance(axis, list) else axis))
    assert_gradient(lambda x: tf.roll(x, shift, axis), X)


def test_roll_refuses():
    with pytest.raises(InvalidArgumentError, match="same size"):
        tf.roll(X, [1, 2], 0)
    with pytest.raises(InvalidArgumentError):
        tf.roll(X, 1, 2)
    with pytest.raises(TypeError):
        tf.roll(X, 1.5, 0)


# -- joining and parting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -1, tf.constant(0), np.int64(1)], ids=repr)
def test_concat(axis):
    same(tf.concat([X, X, X], axis), np.concatenate([X, X, X], int(axis)))


def test_concat_of_other_things():
    same(tf.concat([[1, 2], [3]], 0), np.int32([1, 2, 3]))
    same(tf.concat([[[1, 2]], tf.constant([[3.0, 4.0]])], 0), np.float32([[1, 2], [3, 4]]))  # takes the tensor's dtype
    same(tf.concat([np.array([[1.0]]), tf.constant([[2.0]])], 0), np.float32([[1], [2]]))
    same(tf.concat(tf.ones([2, 3]), 0), np.ones((2, 3), np.float32))  # a tensor alone
    same(tf.concat([tf.Variable([1.0]), tf.Variable([2.0])], 0), np.float32([1, 2]))
    same(tf.concat([X, np.zeros((0, 3))], 0), X)
    assert tf.concat([["a"], ["b"]], 0).numpy().tolist() == [b"a", b"b"]
    assert_gradient(lambda a, b: tf.concat([a, b, a], -1), np.ones((2, 2)), np.ones((2, 3)))


@pytest.mark.parametrize(
    ("values", "axis"),
    [
        ([X, X[0]], 0),
        ([X, X[:, :2]], 0),
        ([X, X], 2),
        ([tf.constant([1]), tf.constant([1.0])], 0),
        ([1.0, 2.0], 0),
        ([], 0),
    ],
)
def test_concat_refuses(values, axis):
    with pytest.raises(InvalidArgumentError):
        tf.concat(values, axis)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_stack(axis):
    same(tf.stack([X, X + 1], axis), np.stack([X, X + 1], axis))
    same(tf.stack(tf.constant(X3), axis), np.stack(list(X3), axis))
    assert_gradient(lambda a, b: tf.stack([a, b, a], axis), X, X + 1)


def test_stack_of_other_things():
    same(tf.stack([1, 2.5]), np.float32([1, 2.5]))
    same(tf.stack([1, tf.constant(2.0)]), np.float32([1, 2]))
    same(tf.stack([tf.Variable(1.0), 2.0], -1), np.float32([1, 2]))
    same(tf.stack([]), np.zeros(0, np.float32))
    assert_gradient(lambda a: tf.stack([a, 3.0]), 1.0)
    with pytest.raises(InvalidArgumentError, match=r"Argument `axis` = 2 not in range \[-2, 2\)"):
        tf.stack([[1], [2]], 2)
    with pytest.raises(InvalidArgumentError):
        tf.stack([tf.constant([1.0]), tf.constant([1.0, 2.0])])
    with pytest.raises(InvalidArgumentError):
        tf.stack([tf.constant(1), tf.constant(1.0)])


def test_unstack():
    for axis in (0, 1, -1):
        got = tf.unstack(X3, axis=axis)
        assert isinstance(got, list)
        for g, w in zip(got, np.moveaxis(X3, axis, 0), strict=True):
            same(g, w)
    same(tf.unstack([1, 2])[1], np.int32(2))
    assert tf.unstack(np.zeros((0, 2))) == []
    assert_gradient(lambda x: tf.unstack(x, axis=1), X)
    assert_gradient(lambda x: tf.unstack(x)[1], X3)
    with pytest.raises(InvalidArgumentError, match="must equal 3"):
        tf.unstack(X, 3)
    with pytest.raises(InvalidArgumentError, match="not in range"):
        tf.unstack(5.0)


@pytest.mark.parametrize(
    ("sizes", "axis", "at"),
    [
        (2, 0, [2]),
        (4, 0, [1, 2, 3]),
        (3, 1, [1, 2]),
        (1, 0, []),
        ([1, 3], 0, [1]),
        ([-1, 1], -1, [2]),
        ([0, 4], 0, [0]),
        ([3, -1], 1, [3]),
        (tf.constant([1, -1]), 0, [1]),
    ],
)
def test_split(sizes, axis, at):
    x = np.arange(12.0).reshape(4, 3)
    got = tf.split(x, sizes, axis)
    assert isinstance(got, list)
    for g, w in zip(got, np.split(x, at, axis), strict=True):
        same(g, w)
    assert_gradient(lambda x: tf.split(x, sizes, axis), x)
    assert_gradient(lambda x: tf.split(x, sizes, axis)[0], x)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((3,), InvalidArgumentError),
        ((0,), InvalidArgumentError),
        (([1, 2],), InvalidArgumentError),
        (([-1, -1],), InvalidArgumentError),
        (([5, -1],), InvalidArgumentError),
        (([],), InvalidArgumentError),
        ((2, 2), InvalidArgumentError),
        (([1, 3], 0, 3), InvalidArgumentError),
        ((tf.constant(2),), ValueError),
        ((2.0,), ValueError),
    ],
)
def test_split_refuses(args, error):
    with pytest.raises(error):
        tf.split(np.arange(12.0).reshape(4, 3), *args)


# -- repeating and padding ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [[2, 1], [1, 2], [2, 3], [0, 1], (2, 2), tf.constant([2, 1]), [1, 1]], ids=repr)
def test_tile(times):
    same(tf.tile(X, times), np.tile(X, np.asarray(times)))
    assert_gradient(lambda x: tf.tile(x, times), X)


def test_tile_of_other_things():
    same(tf.tile(5.0, []), np.float32(5))
    assert tf.tile(["a", "b"], [2]).numpy().tolist() == [b"a", b"b"] * 2
    assert_gradient(gradient(lambda x: tf.tile(x * x * x, [2, 3])), X)
    with pytest.raises(InvalidArgumentError, match="length 2 but got length 1"):
        tf.tile(X, [2])
    with pytest.raises(InvalidArgumentError, match=r"multiples\[0\] >= 0"):
        tf.tile(X, [-1, 2])


@pytest.mark.parametrize(
    ("repeats", "axis"),
    [
        (2, None),
        (2, 0),
        (2, -1),
        ([1, 2], 0),
        ([1, 2, 0], 1),
        ([0, 0], 0),
        ([2], 0),
        (0, 0),
        ([1, 2, 3, 0, 1, 2], None),
        (np.int64(3), 0),
        (tf.constant([1, 2]), 0),
    ],
)
def test_repeat(repeats, axis):
    same(tf.repeat(X, repeats, axis), np.repeat(X, np.asarray(repeats), axis))
    assert_gradient(lambda x: tf.repeat(x, repeats, axis), X)
    assert_gradient(gradient(lambda x: tf.repeat(x * x * x, repeats, axis)), X)


def test_repeat_of_other_things():
    same(tf.repeat(5.0, 2), np.float32([5, 5]))
    same(tf.repeat(tf.constant([1.0, 2.0], tf.float16), [3, 2]), np.float16([1, 1, 1, 2, 2]))
    assert tf.repeat(["a", "b"], [1, 2]).numpy().tolist() == [b"a", b"b", b"b"]
    with pytest.raises(InvalidArgumentError):
        tf.repeat(X, [1, 2, 3], 0)
    with pytest.raises(InvalidArgumentError):
        tf.repeat(X, -1, 0)


def test_the_gradient_of_repeat_in_half_precision_is_summed_in_float32():
    x = tf.constant([1.0], tf.float16)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.repeat(x, [4000], 0)
    assert tape.gradient(y, x).numpy().tolist() == [4000.0]  # ones summed one by one in float16 stop at 2048


PADDINGS = [[[1, 0], [0, 2]], [[1, 1], [2, 1]], [[0, 0], [0, 0]], tf.constant([[1, 0], [0, 1]]), [[0, 1], [2, 2]]]


@pytest.mark.parametrize("paddings", PADDINGS, ids=repr)
@pytest.mark.parametrize("mode", ["CONSTANT", "REFLECT", "SYMMETRIC", "reflect"])
def test_pad(paddings, mode):
    plain = np.asarray(paddings)
    same(tf.pad(X, paddings, mode), np.pad(X, plain, mode.lower()))
    assert_gradient(lambda x: tf.pad(x, paddings, mode), X)
    assert_gradient(gradient(lambda x: tf.pad(x * x * x, paddings, mode)), X)


def test_pad_with_a_constant():
    same(tf.pad([1, 2], [[1, 2]], constant_values=7), np.int32([7, 1, 2, 7, 7]))
    same(tf.pad([1.0], [[1, 0]], constant_values=np.nan), np.float32([np.nan, 1]))
    same(tf.pad([True], [[1, 1]]), np.array([False, True, False]))
    same(tf.pad(5.0, np.zeros((0, 2), int)), np.float32(5))
    assert tf.pad(["a"], [[1, 0]]).numpy().tolist() == [b"", b"a"]
    assert tf.pad(["a"], [[1, 0]], constant_values="z").numpy().tolist() == [b"z", b"a"]


def test_symmetric_padding_reaches_the_whole_tensor_and_reflection_one_less():
    same(tf.pad([1, 2, 3], [[3, 3]], "SYMMETRIC"), np.int32([3, 2, 1, 1, 2, 3, 3, 2, 1]))
    same(tf.pad([1, 2, 3], [[2, 2]], "REFLECT"), np.int32([3, 2, 1, 2, 3, 2, 1]))
    with pytest.raises(InvalidArgumentError, match="no greater than the dimension size"):
        tf.pad([1, 2, 3], [[4, 0]], "SYMMETRIC")
    with pytest.raises(InvalidArgumentError, match="less one"):
        tf.pad([1, 2, 3], [[0, 3]], "REFLECT")


@pytest.mark.parametrize(
    ("paddings", "kwargs", "error"),
    [
        ([[1, 1]], {}, InvalidArgumentError),
        ([[-1, 0], [0, 0]], {}, InvalidArgumentError),
        ([[1], [1]], {}, InvalidArgumentError),
        ([1, 1], {}, InvalidArgumentError),
        ([[1.0, 0.0], [0.0, 1.0]], {}, TypeError),
        ([[1, 1], [1, 1]], {"mode": "EDGE"}, ValueError),
        ([[1, 1], [1, 1]], {"constant_values": [1.0, 2.0]}, InvalidArgumentError),
    ],
)
def test_pad_refuses(paddings, kwargs, error):
    with pytest.raises(error):
        tf.pad(X, paddings, **kwargs)


def test_pad_refuses_a_float_for_integers():
    with pytest.raises(TypeError):
        tf.pad([1, 2], [[1, 1]], constant_values=1.5)


# -- nodes and shapes -----------------------------------------------------------------------------------------------------------


def test_identity():
    x = tf.constant([1.0])
    assert tf.identity(x) is not x
    same(tf.identity(tf.Variable([1.0])), np.float32([1]))
    s = tf.identity(tf.IndexedSlices(tf.constant([[1.5]]), tf.constant([0])))
    assert s.values.numpy().tolist() == [[1.5]]
    assert [t.numpy().tolist() for t in tf.identity_n([[1, 2], 3.0])] == [[1, 2], 3.0]
    assert_gradient(lambda a, b: tf.identity_n([a, b]), [1.0, 2.0], 3.0)


def test_no_gradient_flows_through_stop_gradient():
    x = tf.constant([2.0, 3.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * tf.stop_gradient(x)
        z = tf.stop_gradient(x)
    assert tape.gradient(y, x).numpy().tolist() == [2.0, 3.0]
    assert tape.gradient(z, x) is None


@pytest.mark.parametrize(
    "x",
    [5.0, [1, 2], np.zeros((0, 3)), X3, "a", tf.Variable([[1.0]])],
    ids=["scalar", "list", "empty", "3d", "string", "variable"],
)
def test_shape_rank_size(x):
    want = np.shape(x)
    same(tf.shape(x), np.array(want, np.int32))
    same(tf.shape(x, out_type=tf.int64), np.array(want, np.int64))
    same(tf.rank(x), np.int32(len(want)))
    same(tf.size(x), np.int32(np.prod(want)))
    same(tf.size(x, tf.int64), np.int64(np.prod(want)))


def test_shape_of_sparse_rows_and_of_several():
    s = tf.IndexedSlices(tf.constant([[1.5]]), tf.constant([0]), tf.constant([4, 1]))
    assert tf.shape(s).numpy().tolist() == [4, 1]
    assert [t.numpy().tolist() for t in tf.shape_n([[1.0], [[1], [2]]])] == [[1], [2, 1]]
    with pytest.raises(InvalidArgumentError):
        tf.shape([1.0], tf.float32)


def test_ensure_shape():
    for shape in ([2, 3], [None, 3], tf.TensorShape([2, None]), None):
        same(tf.ensure_shape(X, shape), X)
    assert_gradient(lambda x: tf.ensure_shape(x, [2, None]), X)
    for shape in ([3, 2], [2], []):
        with pytest.raises(InvalidArgumentError, match=r"\[2,3\] is not compatible with expected shape"):
            tf.ensure_shape(X, shape)


def test_the_tape_keeps_no_values_for_a_change_of_shape():
    """Nothing that only moves elements needs them in its gradient."""
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.concat([tf.reshape(x, [6]), tf.repeat(tf.transpose(x), 2)], 0)
    assert all(r[3] is None and r[5] is None for r in tape._records)
    assert tape.gradient(y, x).numpy().tolist() == [[3.0] * 3] * 2
