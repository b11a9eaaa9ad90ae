"""The public functions of indexing and the scattering methods of Variable, against what TensorFlow 2.21 gave for the same expressions."""

import inspect

import numpy as np
import pytest

import gradtape as tf
from gradtape import indexing
from gradtape.core.tensor import Tensor
from gradtape.errors import InvalidArgumentError
from gradtape.indexing import IndexedSlices

t = tf.constant(np.arange(12, dtype=np.float32).reshape(3, 4))
t3 = tf.constant(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
u = tf.constant([1.0, 2.0, 3.0])
b = tf.constant([True, False, True])


def grad(f, *xs):
    xs = [x if isinstance(x, tf.Variable) else tf.convert_to_tensor(x) for x in xs]
    with tf.GradientTape() as tape:
        tape.watch(xs)
        y = f(*xs)
    return tape.gradient(y, xs)


def shown(r):
    """What TensorFlow's result was recorded as: the dtype's name and the value, or the parts of an IndexedSlices."""
    if isinstance(r, IndexedSlices):
        return ("slices", shown(r.values)[1], shown(r.indices)[1], shown(r.dense_shape)[1])
    if r is None:
        return None
    if isinstance(r, list):
        return [shown(x) for x in r]
    a = r.numpy()
    if r.dtype.is_floating:
        a = a.astype(np.float64).round(6)
    return (r.dtype.name, a.tolist())


CASES = [
    ('tf.gather(t, [0, 2])', ('float32', [[0.0, 1.0, 2.0, 3.0], [8.0, 9.0, 10.0, 11.0]])),
    ('tf.gather(t, [[0, 2], [1, 1]], axis=-1)', ('float32', [[[0.0, 2.0], [1.0, 1.0]], [[4.0, 6.0], [5.0, 5.0]], [[8.0, 10.0], [9.0, 9.0]]])),
    ('tf.gather(t, 1)', ('float32', [4.0, 5.0, 6.0, 7.0])),
    ('tf.gather(t, 1, axis=1)', ('float32', [1.0, 5.0, 9.0])),
    ('tf.gather([1, 2, 3], [0, 2])', ('int32', [1, 3])),
    ('tf.gather(tf.constant(["a", "b"]), [1, 0])', ('string', [b'b', b'a'])),
    ('tf.gather(tf.Variable([1.0, 2.0, 3.0]), [0, 2])', ('float32', [1.0, 3.0])),
    ('tf.gather(t3, [[0, 1], [1, 0]], batch_dims=1)', ('float32', [[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]], [[16.0, 17.0, 18.0, 19.0], [12.0, 13.0, 14.0, 15.0]]])),
    ('tf.gather(t3, [[0, 1], [1, 0]], batch_dims=1, axis=2)', ('float32', [[[0.0, 1.0], [4.0, 5.0], [8.0, 9.0]], [[13.0, 12.0], [17.0, 16.0], [21.0, 20.0]]])),
    ('tf.gather(t3, [[0, 1], [1, 0]], batch_dims=-1)', ('float32', [[[0.0, 1.0], [4.0, 5.0], [8.0, 9.0]], [[13.0, 12.0], [17.0, 16.0], [21.0, 20.0]]])),
    ('tf.gather(t3, [0, 1], batch_dims=1)', ('float32', [[0.0, 1.0, 2.0, 3.0], [16.0, 17.0, 18.0, 19.0]])),
    ('tf.gather(t3, [[0, 1, 2], [2, 1, 0]], batch_dims=2)', ('float32', [[0.0, 5.0, 10.0], [14.0, 17.0, 20.0]])),
    ('tf.gather(t, [0, 2], axis=tf.constant(1))', ('float32', [[0.0, 2.0], [4.0, 6.0], [8.0, 10.0]])),
    ('tf.gather_nd(t, [[0, 1], [2, 3]])', ('float32', [1.0, 11.0])),
    ('tf.gather_nd(t, [0, 1])', ('float32', 1.0)),
    ('tf.gather_nd(t, [[0], [2]])', ('float32', [[0.0, 1.0, 2.0, 3.0], [8.0, 9.0, 10.0, 11.0]])),
    ('tf.gather_nd(t3, [[[0, 1], [2, 3]], [[1, 0], [0, 0]]], batch_dims=1)', ('float32', [[1.0, 11.0], [16.0, 12.0]])),
    ('tf.gather_nd(t, np.zeros((0, 2), np.int32))', ('float32', [])),
    ('tf.scatter_nd([[1], [3], [1]], [1.0, 2.0, 3.0], [5])', ('float32', [0.0, 4.0, 0.0, 2.0, 0.0])),
    ('tf.scatter_nd([[1], [3]], tf.constant([True, False]), [5])', ('bool', [False, True, False, False, False])),
    ('tf.scatter_nd([[1], [3]], tf.constant(["a", "b"]), [5])', ('string', [b'', b'a', b'', b'b', b''])),
    ('tf.scatter_nd([[[1], [0]], [[0], [2]]], [[1.0, 2.0], [3.0, 4.0]], (3,))', ('float32', [5.0, 1.0, 4.0])),
    ('tf.scatter_nd([[1], [2]], [[1, 2], [3, 4]], tf.TensorShape([3, 2]))', ('int32', [[0, 0], [1, 2], [3, 4]])),
    ('tf.tensor_scatter_nd_add(t, [[0], [2], [0]], np.ones((3, 4), np.float32))', ('float32', [[2.0, 3.0, 4.0, 5.0], [4.0, 5.0, 6.0, 7.0], [9.0, 10.0, 11.0, 12.0]])),
    ('tf.tensor_scatter_nd_sub(u, [[0], [2], [0]], [1, 1, 1])', ('float32', [-1.0, 2.0, 2.0])),
    ('tf.tensor_scatter_nd_update(u, [[0], [2], [0]], [7.0, 8.0, 9.0])', ('float32', [9.0, 2.0, 8.0])),
    ('tf.tensor_scatter_nd_update(tf.constant(["a", "b"]), [[0]], ["z"])', ('string', [b'z', b'b'])),
    ('tf.tensor_scatter_nd_min(u, [[0], [2], [0]], [7.0, 2.0, 0.0])', ('float32', [0.0, 2.0, 2.0])),
    ('tf.tensor_scatter_nd_max(u, [[0], [2], [0]], [7.0, 2.0, 0.0])', ('float32', [7.0, 2.0, 3.0])),
    ('tf.boolean_mask(t, [True, False, True, True], axis=1)', ('float32', [[0.0, 2.0, 3.0], [4.0, 6.0, 7.0], [8.0, 10.0, 11.0]])),
    ('tf.boolean_mask(t, t > 5)', ('float32', [6.0, 7.0, 8.0, 9.0, 10.0, 11.0])),
    ('tf.boolean_mask(t3, [[True, False, True], [False, False, True]])', ('float32', [[0.0, 1.0, 2.0, 3.0], [8.0, 9.0, 10.0, 11.0], [20.0, 21.0, 22.0, 23.0]])),
    ('tf.boolean_mask([1, 2, 3], [1, 0, 1])', ('int32', [1, 3])),
    ('tf.where([[True, False], [False, True]])', ('int64', [[0, 0], [1, 1]])),
    ('tf.where([1.5, 0.0, 2])', ('int64', [[0], [2]])),
    ('tf.where(u > 5)', ('int64', [])),
    ('tf.where(t > 5, t, -1.0)', ('float32', [[-1.0, -1.0, -1.0, -1.0], [-1.0, -1.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]])),
    ('tf.where(t > 5, 0, t)', ('float32', [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])),
    ('tf.where([[True], [False], [True]], t, t[:, :1])', ('float32', [[0.0, 1.0, 2.0, 3.0], [4.0, 4.0, 4.0, 4.0], [8.0, 9.0, 10.0, 11.0]])),
    ('tf.where(t > 5, 1, 0)', ('int32', [[0, 0, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]])),
    ('tf.where(b, "a", "b")', ('string', [b'a', b'b', b'a'])),
    ('tf.where(b, u, np.array([4.0, 5.0, 6.0]))', ('float32', [1.0, 5.0, 3.0])),
    ('tf.where(b, np.array([1.0, 2.0, 3.0]), 0.0)', ('float64', [1.0, 0.0, 3.0])),
    ('tf.where(b, 0.0, np.array([1.0, 2.0, 3.0]))', ('float32', [0.0, 2.0, 0.0])),
    ('tf.one_hot([0, 2, -1, 5], 3)', ('float32', [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])),
    ('tf.one_hot([[0, 2], [1, -1]], 3, axis=0)', ('float32', [[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]])),
    ('tf.one_hot([[0, 2], [1, -1]], 3, axis=1)', ('float32', [[[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]])),
    ('tf.one_hot(1, tf.constant(3))', ('float32', [0.0, 1.0, 0.0])),
    ('tf.one_hot([1], 3, on_value=5, off_value=-1)', ('int32', [[-1, 5, -1]])),
    ('tf.one_hot([1], 3, off_value=5.0)', ('float32', [[5.0, 1.0, 5.0]])),
    ('tf.one_hot([1], 3, on_value=True, off_value=False)', ('bool', [[False, True, False]])),
    ('tf.one_hot([1], 3, on_value=5, dtype=tf.float64)', ('float64', [[0.0, 5.0, 0.0]])),
    ('tf.one_hot([1], 3, "a", "b")', ('string', [[b'b', b'a', b'b']])),
    ('tf.one_hot(tf.constant([1, 200], tf.uint8), 300)[:, 199:202]', ('float32', [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])),
    ('tf.one_hot([1], 0)', ('float32', [[]])),
    ('tf.slice(t, [1, 0], [-1, 2])', ('float32', [[4.0, 5.0], [8.0, 9.0]])),
    ('tf.slice(t, tf.constant([3, 0]), tf.constant([0, 2]))', ('float32', [])),
    ('tf.strided_slice(t, [1, 0], [3, 4], [1, 2])', ('float32', [[4.0, 6.0], [8.0, 10.0]])),
    ('tf.strided_slice(t, [2], [0], [-1])', ('float32', [[8.0, 9.0, 10.0, 11.0], [4.0, 5.0, 6.0, 7.0]])),
    ('tf.strided_slice(t, [1, 0], [2, 2], begin_mask=1, end_mask=2)', ('float32', [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]])),
    ('tf.strided_slice(t3, [0, 0, 1], [1, 1, 2], [1, 1, 1], ellipsis_mask=2)', ('float32', [[[1.0], [5.0], [9.0]]])),
    ('tf.strided_slice(t, [0, 1], [0, 2], [1, 1], new_axis_mask=1)', ('float32', [[[4.0, 5.0, 6.0, 7.0]]])),
    ('tf.strided_slice(t, [-1, 1], [6, 2], [1, 1], shrink_axis_mask=1)', ('float32', [9.0])),
    ('tf.strided_slice(t, [1, 0], [3, 2], begin_mask=1, shrink_axis_mask=1)', ('float32', [4.0, 5.0])),
    ('tf.dynamic_partition(t, [1, 1, 0], 3)', [('float32', [[8.0, 9.0, 10.0, 11.0]]), ('float32', [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]), ('float32', [])]),
    ('tf.dynamic_partition(t, [[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], 2)', [('float32', [0.0, 2.0, 4.0, 5.0, 6.0, 7.0]), ('float32', [1.0, 3.0, 8.0, 9.0, 10.0, 11.0])]),
    ('tf.dynamic_partition(u, 0, 2)', [('float32', [[1.0, 2.0, 3.0]]), ('float32', [])]),
    ('tf.dynamic_stitch([[0, 2], [1, 0]], [[1.0, 2.0], [3.0, 4.0]])', ('float32', [4.0, 3.0, 2.0])),
    ('tf.dynamic_stitch([[0, 4], [1]], [[1, 2], [3]])', ('int32', [1, 3, 0, 0, 2])),
    ('tf.dynamic_stitch([6, [4, 1], [[5, 2], [0, 3]]], [[61.0, 62], [[41, 42], [11, 12]], [[[51, 52], [21, 22]], [[1, 2], [31, 32]]]])', ('float32', [[1.0, 2.0], [11.0, 12.0], [21.0, 22.0], [31.0, 32.0], [41.0, 42.0], [51.0, 52.0], [61.0, 62.0]])),
    ('indexing.embedding_lookup(t, [[0, 2], [1, 1]])', ('float32', [[[0.0, 1.0, 2.0, 3.0], [8.0, 9.0, 10.0, 11.0]], [[4.0, 5.0, 6.0, 7.0], [4.0, 5.0, 6.0, 7.0]]])),
    ('indexing.embedding_lookup([t, t + 100.0], [0, 3, 5, 1])', ('float32', [[0.0, 1.0, 2.0, 3.0], [100.0, 101.0, 102.0, 103.0], [108.0, 109.0, 110.0, 111.0], [4.0, 5.0, 6.0, 7.0]])),
    ('indexing.embedding_lookup([t[:, :2], t[:2, 2:]], [[0, 1, 2], [3, 4, 0]])', ('float32', [[[0.0, 1.0], [4.0, 5.0], [8.0, 9.0]], [[2.0, 3.0], [6.0, 7.0], [0.0, 1.0]]])),
    ('indexing.embedding_lookup(t, [0, 2], max_norm=2.0)', ('float32', [[0.0, 0.534522, 1.069045, 1.603567], [0.836333, 0.940875, 1.045417, 1.149958]])),
    ('grad(lambda x: tf.gather(x, [0, 2, 0]), u)', [('slices', [1.0, 1.0, 1.0], [0, 2, 0], [3])]),
    ('grad(lambda x: tf.gather(x, [[0, 2], [1, 1]]) * 2.0, tf.Variable([1.0, 2.0, 3.0]))', [('slices', [2.0, 2.0, 2.0, 2.0], [0, 2, 1, 1], [3])]),
    ('grad(lambda x: tf.gather(x, [0, 2, 0], axis=1), t)', [('float32', [[2.0, 0.0, 1.0, 0.0], [2.0, 0.0, 1.0, 0.0], [2.0, 0.0, 1.0, 0.0]])]),
    ('grad(lambda x: tf.gather(x, [[0, 1], [1, 1]], batch_dims=1, axis=2), t3)', [('float32', [[[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]], [[0.0, 2.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]]])]),
    ('grad(lambda x: tf.gather(x, [0, 1]) * x[1:], u)', [('float32', [2.0, 4.0, 2.0])]),
    ('grad(lambda x: tf.gather(x * 2.0, [0, 1]), u)', [('float32', [2.0, 2.0, 0.0])]),
    ('grad(lambda x: tf.gather(x, [0, 1]), tf.constant([1 + 2j, 3, 4]))', [('slices', [(1+0j), (1+0j)], [0, 1], [3])]),
    ('grad(lambda x: tf.gather_nd(x, [[0, 1], [0, 1], [2, 2]]), t)', [('float32', [[0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])]),
    ('grad(lambda x: tf.gather_nd(x, [[0], [0], [2]]), t)', [('slices', [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]], [0, 0, 2], [3, 4])]),
    ('grad(lambda x: tf.gather_nd(x, [[1], [0]], batch_dims=1), t3)', [('float32', [[[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]], [[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])]),
    ('grad(lambda x: tf.scatter_nd([[1], [3], [1]], x, [5]) ** 2, u)', [('float32', [8.0, 4.0, 8.0])]),
    ('grad(lambda x, y: tf.tensor_scatter_nd_add(x, [[0], [2], [0]], y) ** 2, u, u)', [('float32', [20.0, 14.0, 20.0]), ('float32', [20.0, 14.0, 20.0])]),
    ('grad(lambda x, y: tf.tensor_scatter_nd_sub(x, [[0], [2], [0]], y) ** 2, u, u)', [('float32', [0.0, 2.0, 8.0]), ('float32', [0.0, 2.0, 8.0])]),
    ('grad(lambda x, y: tf.tensor_scatter_nd_update(x, [[0], [2]], y) ** 2, u, [5.0, 6.0])', [('float32', [0.0, 4.0, 0.0]), ('float32', [10.0, 12.0])]),
    ('grad(lambda x, y: tf.tensor_scatter_nd_update(x, [[0], [2], [0]], y) ** 2, u, [5.0, 6.0, 7.0])', [('float32', [0.0, 4.0, 0.0]), ('float32', [14.0, 12.0, 14.0])]),
    ('grad(lambda x, y: tf.tensor_scatter_nd_min(x, [[0], [2], [0]], y) ** 2, u, [1.0, 2.0, 1.0])', [('float32', [0.666667, 4.0, 0.0]), ('float32', [0.666667, 4.0, 0.666667])]),
    ('grad(lambda x, y: tf.tensor_scatter_nd_max(x, [[0], [2], [0]], y) ** 2, u, [1.0, 7.0, 3.0])', [('float32', [0.0, 4.0, 0.0]), ('float32', [0.0, 14.0, 6.0])]),
    ('grad(lambda x: tf.boolean_mask(x, [True, False, True, True], axis=1) ** 2, t)', [('float32', [[0.0, 0.0, 4.0, 6.0], [8.0, 0.0, 12.0, 14.0], [16.0, 0.0, 20.0, 22.0]])]),
    ('grad(lambda x: tf.boolean_mask(x, x > 5) ** 2, tf.Variable(t))', [('float32', [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 12.0, 14.0], [16.0, 18.0, 20.0, 22.0]])]),
    ('grad(lambda x, y: tf.where(b, x * x, y * y), u, 2.0)', [('float32', [2.0, 0.0, 6.0]), ('float32', 4.0)]),
    ('grad(lambda x: tf.where(x > 1.5, 1.0, 2.0), u)', [None]),
    ('grad(lambda x: tf.slice(x, [1, 0], [2, 2]) ** 2, t)', [('float32', [[0.0, 0.0, 0.0, 0.0], [8.0, 10.0, 0.0, 0.0], [16.0, 18.0, 0.0, 0.0]])]),
    ('grad(lambda x: tf.strided_slice(x, [2, 0], [0, 4], [-1, 2]) ** 2, t)', [('float32', [[0.0, 0.0, 0.0, 0.0], [8.0, 0.0, 12.0, 0.0], [16.0, 0.0, 20.0, 0.0]])]),
    ('grad(lambda x: tf.dynamic_partition(x, [0, 1, 0], 2)[0] ** 2, u)', [('float32', [2.0, 0.0, 6.0])]),
    ('grad(lambda x: [y * y for y in tf.dynamic_partition(x, [1, 1, 0], 2)], t)', [('float32', [[0.0, 2.0, 4.0, 6.0], [8.0, 10.0, 12.0, 14.0], [16.0, 18.0, 20.0, 22.0]])]),
    ('grad(lambda x, y: tf.dynamic_stitch([[0, 2], [1, 0]], [x, y]) ** 2, [1.0, 2.0], [3.0, 4.0])', [('float32', [8.0, 4.0]), ('float32', [6.0, 8.0])]),
    ('grad(lambda x: indexing.embedding_lookup(x, [0, 2, 0], max_norm=2.0), t)', [('slices', [[0.534522, 0.305441, 0.07636, -0.152721], [0.017709, 0.006855, -0.003999, -0.014853], [0.534522, 0.305441, 0.07636, -0.152721]], [0, 2, 0], [3, 4])]),
    ('grad(lambda x, y: indexing.embedding_lookup([x, y], [0, 1, 3]), t, t3[0] + 1.0)', [('slices', [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]], [0, 1], [3, 4]), ('slices', [[1.0, 1.0, 1.0, 1.0]], [0], [3, 4])]),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "recorded"), CASES, ids=[c[0] for c in CASES])
def test_as_tensorflow(expression, recorded):
    assert shown(eval(expression)) == recorded


# -- errors --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("tf.gather(t, [0, 7])", r"indices\[1\] = 7 is not in \[0, 3\)"),
        ("tf.gather(tf.Variable([1.0, 2.0, 3.0]), [0, 3])", r"indices\[1\] = 3 is not in \[0, 3\)"),
        ("tf.gather(t, [0, -1])", r"indices\[1\] = -1 is not in \[0, 3\)"),
        ("tf.gather(np.zeros((0, 3)), [0])", r"indices\[0\] = 0 is not in \[0, 0\)"),
        ("tf.gather(t, [])", "must be integers, but are float32"),
        ("tf.gather(t, [True, False])", "must be integers, but are bool: for a mask use tf.boolean_mask"),
        ("tf.gather(t, 'a')", "must be integers, but are string"),
        ("tf.gather(t, [0], axis=2)", "at least rank 3 but is rank 2"),
        ("tf.gather(t, [0], axis=-3)", r"axis in the range \[-2, 2\)"),
        ("tf.gather(3.0, 0)", "params must be at least 1 dimensional"),
        (
            "tf.gather(t3, [[0, 1], [1, 0]], batch_dims=2)",
            r"params.shape\[1\]: 3 should be equal to indices.shape\[1\]: 2",
        ),
        ("tf.gather(t3, 1, batch_dims=1)", r"batch_dims in the range \[0, 0\], but got 1"),
        ("tf.gather(t3, [[0, 1], [1, 0]], batch_dims=1, axis=0)", r"batch_dims in the range \[0, 0\], but got 1"),
        ("tf.gather_nd(t, [[0, 1], [2, 9]])", r"indices\[1\] = \[2, 9\] does not index into param shape \[3,4\]"),
        ("tf.gather_nd(t, [[0, 0, 0]])", "innermost dimension length must be <= params rank; saw: 3 vs. 2"),
        ("tf.gather_nd(t, 0)", "indices must be at least a vector"),
        ("tf.gather_nd(t3, [[1], [0], [1]], batch_dims=1)", "must be equal"),
        ("tf.scatter_nd([[5]], [1.0], [5])", r"indices\[0\] = \[5\] does not index into shape \[5\]"),
        ("tf.scatter_nd([[1]], [1.0, 2.0], [5])", r"updates must have shape \[1\], but has \[2\]"),
        ("tf.scatter_nd([[1]], [1.0], 5)", "Shape must be a vector"),
        ("tf.scatter_nd([[1]], [1.0], [-3])", "Dimension -3 must be >= 0"),
        ("tf.tensor_scatter_nd_add(u, [[3]], [7.0])", r"indices\[0\] = \[3\] does not index into shape \[3\]"),
        (
            "tf.tensor_scatter_nd_add(u, [[0]], tf.constant([7]))",
            r"TensorScatterAdd as input #2\(zero-based\) was expected to be a float32 tensor but is a int32 tensor",
        ),
        ("tf.tensor_scatter_nd_add(u, [[0]], 7.0)", r"updates must have shape \[1\], but has \[\]"),
        ("tf.tensor_scatter_nd_max([1j], [[0]], [2j])", "does not take complex"),
        (
            "tf.where(t, t, t)",
            r"SelectV2 as input #0\(zero-based\) was expected to be a bool tensor but is a float32 tensor",
        ),
        (
            "tf.where(t > 5, t, tf.constant(1))",
            r"SelectV2 as input #2\(zero-based\) was expected to be a float32 tensor but is a int32 tensor",
        ),
        ("tf.where(b, t, t)", r"\[3\] vs. \[3,4\]"),
        ("tf.where(True)", "at least one dimension"),
        ("tf.one_hot([0], 3, axis=2)", r"Expected axis to be -1 or between \[0, 2\).  But received: 2"),
        ("tf.one_hot([0], -1)", "depth must be non-negative, got: -1"),
        ("tf.one_hot([0.5], 3)", "must be integers, but are float32"),
        ("tf.one_hot([0], 3, on_value=[1.0, 2.0])", r"on_value must be a scalar, but got: \[2\]"),
        ("tf.slice(t, [1, 0], [3, 2])", r"Expected size\[0\] in \[0, 2\], but got 3"),
        ("tf.slice(t, [4, 0], [0, 2])", r"Expected begin\[0\] in \[0, 3\], but got 4"),
        ("tf.slice(t, [1], [2])", r"1-D tensors of size 2, but got shapes \[1\] and \[1\]"),
        ("tf.strided_slice(t, [0], [1, 2], [1, 1])", r"1D equal size tensors, but got shapes \[1\], \[2\], and \[2\]"),
        ("tf.strided_slice(t, [0, 0], [1, 2], [0, 1])", r"strides\[0\] must be non-zero"),
        (
            "tf.strided_slice(t, [0, 1], [1, 2], [-1, 1], shrink_axis_mask=1)",
            "only stride 1 allowed on non-range indexing",
        ),
        ("tf.strided_slice(t, [5], [6], shrink_axis_mask=1)", "slice index 5 of dimension 0 out of bounds"),
        ("tf.dynamic_partition(u, [0, 2, 0], 2)", r"partitions\[1\] = 2 is not in \[0, 2\)"),
        ("tf.dynamic_partition(u, [0, 1], 2)", r"got data.shape = \[3\], partitions.shape = \[2\]"),
        ("tf.dynamic_partition(u, [0, 1, 0], 0)", "at least 1"),
        (
            "tf.dynamic_stitch([[0, 2], [1]], [[1.0, 2.0], [[3.0]]])",
            r"Need data\[0\].shape\[1:\] = data\[1\].shape\[1:\]",
        ),
        (
            "tf.dynamic_stitch([[0, 2], [1]], [[1.0, 2.0, 3.0], [3.0]])",
            r"data\[0\].shape = \[3\] does not start with indices\[0\].shape = \[2\]",
        ),
        ("tf.dynamic_stitch([[0, -1]], [[1.0, 2.0]])", "is not in"),
        ("tf.dynamic_stitch([], [])", "at least one"),
        ("indexing.embedding_lookup(t, [0, 3])", r"indices\[1\] = 3 is not in \[0, 3\)"),
        ("indexing.embedding_lookup([t, t], [0, 6])", r"ids\[1\] = 6 is not in \[0, 6\)"),
    ],
)
def test_invalid_argument(expression, text):
    with pytest.raises(InvalidArgumentError, match=text):
        eval(expression)


@pytest.mark.parametrize(
    ("expression", "error", "text"),
    [
        ("tf.gather_nd(t3, [[1], [0]], batch_dims=-1)", ValueError, "does not allow negative batch_dims"),
        ("tf.gather_nd(t3, [[1], [0]], batch_dims=2)", ValueError, r"must be less than rank\(indices\) = 2"),
        ("tf.gather_nd(t, [[9]], bad_indices_policy='IGNORE')", NotImplementedError, "IGNORE"),
        ("tf.tensor_scatter_nd_add([1, 2], [[0]], [7.0])", TypeError, "int32"),
        ("tf.where(t > 5, t, None)", ValueError, "x and y must both be non-None or both be None"),
        ("tf.where(t > 5, 1, 0.0)", TypeError, "int32"),
        ("tf.where([1, 0, 1], 1.0, 2.0)", TypeError, "bool"),
        (
            "tf.one_hot([1], 3, on_value=5.0, dtype=tf.int32)",
            TypeError,
            "of on_value does not match dtype parameter <dtype: 'int32'>",
        ),
        (
            "tf.one_hot([1], 3, on_value=5.0, off_value=1)",
            TypeError,
            "of on_value does not match dtype <dtype: 'int32'> of off_value",
        ),
        ("tf.one_hot([1], 3, dtype=tf.bool)", TypeError, "bool"),
        ("tf.one_hot([1], 3.0)", TypeError, "depth"),
        ("tf.dynamic_stitch([[0, 1]], [[1.0, 2.0], [3.0]])", ValueError, "length 2 must match length 1"),
        ("tf.dynamic_partition(u, [0.0, 1, 0], 2)", TypeError, "int32"),
        ("indexing.embedding_lookup(None, [1])", ValueError, "params must be specified"),
        ("indexing.embedding_lookup([], [1])", ValueError, "at least one param"),
    ],
)
def test_other_errors(expression, error, text):
    with pytest.raises(error, match=text):
        eval(expression)


# -- what TensorFlow lacks ---------------------------------------------------------------------------------------------------------------


def test_gradient_of_one_element_by_gather_nd():
    """TensorFlow raises: its scatter_nd takes no scalar update."""
    (g,) = grad(lambda x: tf.gather_nd(x, [0, 1]) * 3.0, t)
    assert g.numpy().tolist() == [[0, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_gradient_of_the_values_of_one_hot():
    """TensorFlow gives None."""
    on, off = grad(lambda on, off: tf.one_hot([1, 7], 3, on_value=on, off_value=off), 2.0, 3.0)
    assert (on.numpy(), off.numpy()) == (1.0, 5.0)


def test_signatures_take_what_tensorflows_take():
    """Names and order of the parameters, up to the few that are spelled out with annotations there."""
    assert list(inspect.signature(tf.gather).parameters) == [
        "params",
        "indices",
        "validate_indices",
        "axis",
        "batch_dims",
        "name",
    ]
    assert list(inspect.signature(tf.scatter_nd).parameters) == [
        "indices",
        "updates",
        "shape",
        "bad_indices_policy",
        "name",
    ]
    assert list(inspect.signature(tf.one_hot).parameters) == [
        "indices",
        "depth",
        "on_value",
        "off_value",
        "axis",
        "dtype",
        "name",
    ]
    assert list(inspect.signature(tf.where).parameters) == ["condition", "x", "y", "name"]
    assert all(getattr(tf, name) is getattr(indexing, name) for name in indexing.__all__ if name != "embedding_lookup")


# -- scattering into variables --------------------------------------------------------------------------------------------------------------


def variable():
    return tf.Variable(np.arange(12, dtype=np.float32).reshape(3, 4))


def slices(values, indices):
    return IndexedSlices(tf.constant(values), tf.constant(indices))


ROWS = [[3.0, 1, -1, 2], [4.0, 2, 30, 0.5]]


@pytest.mark.parametrize(
    ("method", "recorded"),
    [
        ("scatter_add", [7, 4, 31, 5.5]), ("scatter_sub", [-7, -2, -27, 0.5]), ("scatter_update", [4, 2, 30, 0.5]), ("scatter_min", [0, 1, -1, 0.5]),
        ("scatter_max", [4, 2, 30, 3]), ("scatter_mul", [0, 2, -60, 3]), ("scatter_div", [0, 0.5, -0.06666667, 3]),
    ],
)  # fmt: skip
def test_scattering_of_rows(method, recorded):
    """The first row is named twice, so that all but scatter_update count both."""
    v = variable()
    assert getattr(v, method)(slices(ROWS, [0, 0])) is v
    np.testing.assert_allclose(v.numpy(), [recorded, [4, 5, 6, 7], [8, 9, 10, 11]], rtol=1e-6)
    v = variable()
    before = v.value()
    assert getattr(v, method)(slices(ROWS, [0, 0])) is v
    np.testing.assert_array_equal(before.numpy(), variable().numpy())  # what was read stays what it was


@pytest.mark.parametrize(
    ("method", "recorded"),
    [
        ("scatter_nd_add", [12, 0]),
        ("scatter_nd_sub", [-10, 20]),
        ("scatter_nd_update", [4, -10]),
        ("scatter_nd_min", [1, -10]),
        ("scatter_nd_max", [7, 10]),
    ],
)
def test_scattering_of_elements(method, recorded):
    v = variable()
    assert getattr(v, method)([[0, 1], [2, 2], [0, 1]], [7.0, -10, 4]) is v
    want = variable().numpy()
    want[0, 1], want[2, 2] = recorded
    np.testing.assert_array_equal(v.numpy(), want)


def test_other_scattering():
    assert tf.Variable([[1, 2], [3, 4]]).scatter_nd_add(
        [[1], [0], [1]], [[1, 1], [5, 5], [10, 10]]
    ).numpy().tolist() == [[6, 7], [14, 15]]
    assert variable().scatter_add(slices(5.0, [0, 1])).numpy()[:, 0].tolist() == [5, 9, 8]
    assert variable().scatter_update(slices([9.0, 9, 9, 9], 1)).numpy()[:, 0].tolist() == [0, 9, 8]
    assert variable().scatter_add(slices([[[1.0, 1, 1, 1]], [[2, 2, 2, 2]]], [[1], [2]])).numpy()[:, 0].tolist() == [
        0,
        5,
        10,
    ]
    assert variable().scatter_add(IndexedSlices([[1.0, 1, 1, 1]], [2])).numpy()[:, 0].tolist() == [0, 4, 9]
    v = variable().batch_scatter_update(slices([[7.0, 8], [9, 10], [11, 12]], [[0, 1], [2, 3], [1, 0]]))
    assert v.numpy().tolist() == [[7, 8, 2, 3], [4, 5, 9, 10], [12, 11, 10, 11]]
    assert variable().batch_scatter_update(slices([[7.0, 8, 9, 9]], [1])).numpy()[1].tolist() == [7, 8, 9, 9]
    assert tf.Variable([-7, 7, -7, 7]).scatter_div(slices([2, 2, -2, -2], [0, 1, 2, 3])).numpy().tolist() == [
        -3,
        3,
        3,
        -3,
    ]
    assert tf.Variable([True, False]).scatter_nd_add([[1]], [True]).numpy().tolist() == [True, True]
    assert tf.Variable(["a", "b"]).scatter_update(slices(["z"], [0])).numpy().tolist() == [b"z", b"b"]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (
            lambda v: v.scatter_nd_update([[0, 1], [2, 9]], [7.0, 8.0]),
            InvalidArgumentError,
            r"indices\[1\] = \[2, 9\] does not index into shape \[3,4\]",
        ),
        (lambda v: v.scatter_nd_add([[0, 1], [-1, 0]], [7.0, 8.0]), InvalidArgumentError, r"indices\[1\] = \[-1, 0\]"),
        (
            lambda v: v.scatter_nd_update([[0, 1]], [7.0, 8.0]),
            InvalidArgumentError,
            r"must have shape \[1\], but have \[2\]",
        ),
        (lambda v: v.scatter_nd_update([[0.0, 1.0]], [7.0]), InvalidArgumentError, "must be integers"),
        (lambda v: v.scatter_nd_update([[0, 1, 2]], [7.0]), InvalidArgumentError, "innermost dimension"),
        (lambda v: v.scatter_nd_update([[0, 1]], tf.constant([7])), ValueError, "int32"),
        (lambda v: v.scatter_add(slices(ROWS, [0, 3])), InvalidArgumentError, r"indices\[1\] = 3 is not in \[0, 3\)"),
        (lambda v: v.scatter_sub(slices(ROWS, [0, -1])), InvalidArgumentError, r"indices\[1\] = -1 is not in \[0, 3\)"),
        (
            lambda v: v.scatter_add(slices([[1.0, 1, 1]], [0])),
            InvalidArgumentError,
            r"must have shape \[1, 4\], but have \[1, 3\]",
        ),
        (
            lambda v: v.scatter_add(slices([5.0], [0, 1])),
            InvalidArgumentError,
            r"must have shape \[2, 4\], but have \[1\]",
        ),
        (lambda v: v.scatter_add(tf.constant([1.0])), TypeError, "must be a `tf.IndexedSlices`"),
        (lambda v: v.scatter_update(slices([[1, 1, 1, 1]], [0])), ValueError, "int32"),
        (
            lambda v: v.batch_scatter_update(slices([[7.0, 8], [9, 10], [11, 12]], [[0, 1], [2, 4], [1, 0]])),
            InvalidArgumentError,
            r"indices\[1,1\] = 4",
        ),
        (
            lambda v: v.batch_scatter_update(slices([[7.0, 8], [9, 10]], [[0, 1], [2, 3]])),
            InvalidArgumentError,
            "should be equal",
        ),
    ],
)
def test_a_bad_scatter_changes_nothing(change, error, text):
    v = variable()
    v.assign_add(tf.zeros((3, 4)))  # the value is the variable's own now, and would be written in place
    with pytest.raises(error, match=text):
        change(v)
    np.testing.assert_array_equal(v.numpy(), variable().numpy())


def test_scattering_that_a_dtype_does_not_have():
    with pytest.raises(InvalidArgumentError, match="scatter_max is not defined for a variable of dtype complex64"):
        tf.Variable([1j], dtype=tf.complex64).scatter_nd_max([[0]], tf.constant([1j], tf.complex64))
    with pytest.raises(InvalidArgumentError, match="scatter_add is not defined for a variable of dtype string"):
        tf.Variable(["a"]).scatter_nd_add([[0]], ["b"])
    with pytest.raises(InvalidArgumentError, match="division by zero"):
        tf.Variable([1]).scatter_div(slices([0], [0]))


def test_scattering_is_in_place_where_nobody_looks(monkeypatch):
    monkeypatch.setattr("gradtape.core.variable.others", lambda: False)  # a test runner may have threads of its own
    v = variable()
    v.assign_add(tf.zeros((3, 4)))
    held = v._t._a.__array_interface__["data"][0]
    v.scatter_nd_update([[0, 0]], [5.0])
    v.scatter_add(slices([[1.0, 1, 1, 1]], [2]))
    v[0, 1].assign(6.0)
    assert v._t._a.__array_interface__["data"][0] == held
    part = v[0]
    v.scatter_nd_update([[0, 0]], [8.0])
    assert (
        v._t._a.__array_interface__["data"][0] != held
        and part.numpy().tolist() == [5, 6, 2, 3]
        and v.numpy()[0].tolist() == [8, 6, 2, 3]
    )


def test_sparse_reads_and_their_gradients():
    v = tf.Variable([1.0, 2.0, 3.0])
    assert v.sparse_read([0, 2]).numpy().tolist() == [1, 3] == v.gather_nd([[0], [2]]).numpy().tolist()
    assert variable().gather_nd([[0, 1], [2, 2]]).numpy().tolist() == [1, 10]
    for f in (lambda v: v.sparse_read([0, 2]), lambda v: v.gather_nd([[0], [2]])):
        assert shown(grad(f, v)) == [("slices", [1.0, 1.0], [0, 2], [3])]
    with pytest.raises(InvalidArgumentError, match=r"indices\[1\] = 3 is not in \[0, 3\)"):
        v.sparse_read([0, 3])


def test_training_an_embedding_touches_only_the_rows_used():
    """Three steps of gradient descent on a table, by scatter_sub, are those of the dense update."""
    start = np.random.default_rng(0).normal(size=(50, 8))
    sparse, dense = tf.Variable(start), tf.Variable(start)
    for step in range(3):
        ids = [3, 7, 3, 40 + step]
        for v in (sparse, dense):
            with tf.GradientTape() as tape:
                rows = tf.gather(v, ids)
                loss = tf.reduce_sum(rows * rows * rows)
            g = tape.gradient(loss, v)
            assert type(g) is IndexedSlices
            if v is sparse:
                v.scatter_sub(IndexedSlices(0.1 * g.values, g.indices, g.dense_shape))
            else:
                v.assign_sub(0.1 * tf.convert_to_tensor(g))
    np.testing.assert_allclose(sparse.numpy(), dense.numpy(), rtol=1e-12)
    untouched = [r for r in range(50) if r not in (3, 7, 40, 41, 42)]
    np.testing.assert_array_equal(sparse.numpy()[untouched], start[untouched])


def test_results_are_tensors():
    for r in (tf.gather(u, [0]), tf.where(b, u, 0.0), tf.one_hot([1], 3), tf.dynamic_partition(u, [0, 1, 0], 2)[0]):
        assert type(r) is Tensor
