"""The kernels of gather and scatter against loops, at the sizes where they change their method; sparse cotangents.

Gradients, batch rules, shapes and dtypes of these rows are in the tests generated from the table.
"""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

from gradtape.core import operators, slicing  # noqa: F401  (the operators of tensors)
from gradtape.core.tensor import constant, convert_to_tensor
from gradtape.core.variable import Variable
from gradtape.gradient.tape import GradientTape
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import InvalidArgumentError
from gradtape.primitives import indexing as ix
from gradtape.primitives.indexing import IndexedSlices


def gather_by_index(x, indices, axis, batch_dims):
    """The definition: every element of the result, one at a time."""
    i, x = np.asarray(indices), np.asarray(x)
    out = np.empty(x.shape[:axis] + i.shape[batch_dims:] + x.shape[axis + 1 :], x.dtype)
    inner = i.ndim - batch_dims
    for at in np.ndindex(out.shape):
        place = i[at[:batch_dims] + at[axis : axis + inner]]
        out[at] = x[(*at[:axis], place, *at[axis + inner :])]
    return out


@hs.composite
def gathers(draw):
    shape = tuple(draw(hs.lists(hs.integers(1, 4), min_size=1, max_size=4)))
    axis = draw(hs.integers(0, len(shape) - 1))
    batch_dims = draw(hs.integers(0, axis))
    rest = tuple(draw(hs.lists(hs.integers(0, 3), max_size=2)))
    seed = draw(hs.integers(0, 1000))
    rng = np.random.default_rng(seed)
    i = rng.integers(0, shape[axis], shape[:batch_dims] + rest).astype(
        draw(hs.sampled_from([np.int16, np.int32, np.int64, np.uint8, np.uint64]))
    )
    return rng.uniform(-3, 3, shape), i, axis, batch_dims


@given(gathers())
def test_gather_is_its_definition(case):
    x, i, axis, batch_dims = case
    got = ix.gather(constant(x), constant(i), axis=axis, batch_dims=batch_dims)
    np.testing.assert_array_equal(got.numpy(), gather_by_index(x, i, axis, batch_dims))


@given(gathers())
def test_ungather_is_the_adjoint_of_gather(case):
    """<gather(x), y> = <x, ungather(y)>."""
    x, i, axis, batch_dims = case
    part = gather_by_index(x, i, axis, batch_dims)
    y = np.random.default_rng(0).uniform(-3, 3, part.shape)
    back = ix.ungather(constant(y), constant(i), shape=x.shape, axis=axis, batch_dims=batch_dims).numpy()
    assert back.shape == x.shape
    np.testing.assert_allclose(np.sum(part * y), np.sum(x * back), rtol=1e-12, atol=1e-12)


@hs.composite
def vectors(draw):
    shape = tuple(draw(hs.lists(hs.integers(1, 4), min_size=1, max_size=4)))
    batch_dims = draw(hs.integers(0, len(shape) - 1))
    k = draw(hs.integers(0, len(shape) - batch_dims))
    rest = tuple(draw(hs.lists(hs.integers(0, 3), max_size=2)))
    rng = np.random.default_rng(draw(hs.integers(0, 1000)))
    lead = shape[:batch_dims] + rest
    i = (
        np.stack([rng.integers(0, d, lead) for d in shape[batch_dims : batch_dims + k]], -1)
        if k
        else np.zeros((*lead, 0), np.int32)
    )
    return rng.uniform(-3, 3, shape), i.astype(draw(hs.sampled_from([np.int16, np.int32, np.int64]))), batch_dims


def places(i, batch_dims):
    """For each place in indices.shape[:-1]: where it points."""
    for at in np.ndindex(i.shape[:-1]):
        yield at, (*at[:batch_dims], *i[at].tolist())


@given(vectors())
def test_gather_nd_is_its_definition(case):
    x, i, batch_dims = case
    got = ix.gather_nd(constant(x), constant(i), batch_dims=batch_dims).numpy()
    assert np.shape(got) == i.shape[:-1] + x.shape[batch_dims + i.shape[-1] :]
    for at, to in places(i, batch_dims):
        np.testing.assert_array_equal(np.asarray(got)[at], x[to])


@given(vectors())
def test_scatters_are_their_definitions(case):
    x, i, batch_dims = case
    u = np.random.default_rng(1).uniform(-3, 3, i.shape[:-1] + x.shape[batch_dims + i.shape[-1] :])
    want = {"add": x.copy(), "update": x.copy(), "min": x.copy(), "max": x.copy(), "zeros": np.zeros_like(x)}
    for at, to in places(i, batch_dims):
        want["add"][to] += u[at]
        want["zeros"][to] += u[at]
        want["update"][to] = u[at]
        want["min"][to] = np.minimum(want["min"][to], u[at])
        want["max"][to] = np.maximum(want["max"][to], u[at])
    rows = {
        "add": ix.tensor_scatter_add,
        "update": ix.tensor_scatter_update,
        "min": ix.tensor_scatter_min,
        "max": ix.tensor_scatter_max,
    }
    for name, p in rows.items():
        got = p(constant(x), constant(i), constant(u), batch_dims=batch_dims).numpy()
        np.testing.assert_allclose(got, want[name], rtol=1e-13, atol=1e-13, err_msg=name)
    got = ix.scatter_nd(constant(i), constant(u), shape=x.shape, batch_dims=batch_dims).numpy()
    np.testing.assert_allclose(got, want["zeros"], rtol=1e-13, atol=1e-13)


# -- sums of rows: the method changes with size and dtype -------------------------------------------------------------------------

SIZES = [
    (5, 3, 1),
    (5, 30, 4),
    (700, 40, 1),
    (700, 9000, 1),
    (9000, 900, 3),
    (700, 900, 16),
    (50, 3000, 32),
    (9000, 3000, 32),
]


@pytest.mark.parametrize("d", [d for d in dt.ALL if d.is_numeric], ids=lambda d: d.name)
def test_row_sums_at_all_sizes(d):
    rng = np.random.default_rng(2)
    for count, n, width in SIZES:
        rows = rng.integers(0, count, n)
        values = rng.integers(0, 4, (n, width)).astype(d.np)
        if d.is_complex:
            values = values * d.type(1j)
        want = np.zeros((count, width), np.complex128 if d.is_complex else np.int64)
        for r, v in zip(rows.tolist(), values.astype(want.dtype), strict=True):
            want[r] += v
        # exact: the terms are small integers, and small dtypes are rounded (or wrap) once, at the end
        got = ix._row_sums(rows, values, count)
        assert got.dtype == d.np
        np.testing.assert_array_equal(got, want.astype(d.np))
        into = np.ones((count, width), d.np)
        ix._add_rows(into, rows, values)
        np.testing.assert_array_equal(into, (want + 1).astype(d.np))


def test_sums_of_half_precision_are_rounded_once():
    """3000 ones are 3000, where a running sum in float16 stops at 2048."""
    for t in (np.float16, ml_dtypes.bfloat16):
        u = np.ones(3000, t)
        got = ix.scatter_nd(constant(np.zeros((3000, 1), np.int32)), constant(u), shape=(2,), batch_dims=0)
        assert got.numpy()[0] == t(3000)
        assert ix.tensor_scatter_add(
            constant(np.ones(2, t)), constant(np.zeros((3000, 1), np.int32)), constant(u), batch_dims=0
        ).numpy()[0] == t(3001)


def test_rows_that_are_not_contiguous():
    x = np.arange(24.0).reshape(4, 6)
    for a in (x.T, x[::2, ::-3], np.asfortranarray(x)):
        t = constant(1.0)
        t._a, t._d = a, dt.float64  # a view, as slices and transposes leave behind
        for axis in (0, 1):
            np.testing.assert_array_equal(
                ix.gather(t, constant([1, 0]), axis=axis, batch_dims=0).numpy(), np.take(a, [1, 0], axis)
            )
        u = constant(np.full((1, a.shape[1]), 7.0))
        got = ix.tensor_scatter_update(t, constant([[1]]), u, batch_dims=0).numpy()
        np.testing.assert_array_equal(got[1], 7.0)
        np.testing.assert_array_equal(got[0], a[0])


# -- indices out of range ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("indices", "attrs", "text"),
    [
        ([0, 7], {"axis": 0}, r"indices\[1\] = 7 is not in \[0, 3\)"),
        ([0, -1], {"axis": 0}, r"indices\[1\] = -1 is not in \[0, 3\): negative indices do not count from the end"),
        (7, {"axis": 0}, r"indices = 7 is not in \[0, 3\)"),
        (-1, {"axis": 1}, r"indices = -1 is not in \[0, 4\)"),
        ([[0, 1], [2, 9]], {"axis": 0}, r"indices\[1,1\] = 9 is not in \[0, 3\)"),
        ([0, 9], {"axis": 1}, r"indices\[1\] = 9 is not in \[0, 4\)"),
        ([[0, 1], [2, 9], [0, 0]], {"axis": 1, "batch_dims": 1}, r"indices\[1,1\] = 9 is not in \[0, 4\)"),
    ],
)
def test_gather_names_the_index_its_place_and_the_range(indices, attrs, text):
    x = constant(np.zeros((3, 4), np.float32))
    with pytest.raises(InvalidArgumentError, match=text):
        ix.gather(x, constant(indices), **{"batch_dims": 0, **attrs})


@pytest.mark.parametrize(
    ("indices", "text"),
    [
        ([[0, 1], [2, 9]], r"indices\[1\] = \[2, 9\]"),
        ([[0, 1], [-1, 0]], r"indices\[1\] = \[-1, 0\]"),
        ([3, 0], r"indices = \[3, 0\]"),
    ],
)
def test_vectors_out_of_range(indices, text):
    x, i = constant(np.zeros((3, 4), np.float32)), constant(indices)
    u = constant(np.zeros(np.shape(indices)[:-1], np.float32))
    with pytest.raises(InvalidArgumentError, match=text + r" does not index into param shape \[3,4\]"):
        ix.gather_nd(x, i, batch_dims=0)
    with pytest.raises(InvalidArgumentError, match=text + r" does not index into shape \[3,4\]"):
        ix.scatter_nd(i, u, shape=(3, 4), batch_dims=0)
    with pytest.raises(InvalidArgumentError, match=text + r" does not index into shape \[3,4\]"):
        ix.tensor_scatter_max(x, i, u, batch_dims=0)


@pytest.mark.parametrize("bad", [np.float32([0, 1]), np.array([True, False])])
def test_indices_must_be_integers(bad):
    with pytest.raises(InvalidArgumentError, match=f"must be integers, but are {bad.dtype}"):
        ix.gather(constant([1.0, 2.0]), constant(bad), axis=0, batch_dims=0)
    with pytest.raises(InvalidArgumentError, match="must be integers"):
        ix.gather_nd(constant([1.0, 2.0]), constant(bad[:, None]), batch_dims=0)


# -- sparse cotangents ----------------------------------------------------------------------------------------------------------------


def slices(values, indices, shape=None):
    return IndexedSlices(constant(values), constant(indices), shape)


def test_indexed_slices_say_what_they_are():
    s = slices([[1.0, 2.0], [3.0, 4.0]], [1, 1], constant([3, 2]))
    assert (
        s.shape == (3, 2)
        and s.dtype is dt.float32
        and s.dense_shape.numpy().tolist() == [3, 2]
        and s.dense_shape.dtype is dt.int32
    )
    assert s.device == s.values.device
    text = "IndexedSlices(indices=tf.Tensor([1], shape=(1,), dtype=int32), values=tf.Tensor([[1. 2.]], shape=(1, 2), dtype=float32)"
    assert str(slices([[1.0, 2.0]], [1])) == text + ")"
    assert str(slices([[1.0, 2.0]], [1], [3, 2])) == text + ", dense_shape=tf.Tensor([3 2], shape=(2,), dtype=int32))"
    assert slices([[1.0]], [0]).dense_shape is None and slices([[1.0]], [0]).shape.rank is None


def test_indexed_slices_become_dense_where_a_tensor_is_needed():
    s = slices([[1.0, 2.0], [3.0, 4.0]], [1, 1], (3, 2))
    dense = [[0.0, 0.0], [4.0, 6.0], [0.0, 0.0]]
    assert convert_to_tensor(s).numpy().tolist() == dense
    t = constant(np.ones((3, 2), np.float32))
    assert (t + s).numpy().tolist() == (s + t).numpy().tolist() == (1 + np.array(dense)).tolist()
    assert (t * s).numpy().tolist() == dense
    v = Variable(np.ones((3, 2), np.float32))
    assert v.assign_add(s).numpy().tolist() == (1 + np.array(dense)).tolist()
    assert convert_to_tensor(IndexedSlices([[1.0, 2.0]], [2], (3, 2))).numpy().tolist() == [[0, 0], [0, 0], [1, 2]]
    with pytest.raises(ValueError, match="without dense_shape"):
        convert_to_tensor(slices([[1.0]], [0]))
    with pytest.raises(InvalidArgumentError, match=r"indices\[0\] = 5 is not in \[0, 3\)"):
        convert_to_tensor(slices([[1.0, 2.0]], [5], (3, 2)))


def test_arithmetic_of_indexed_slices_is_negation_alone():
    s = slices([[1.0, 2.0]], [1], (3, 2))
    n = -s
    assert type(n) is IndexedSlices and n.values.numpy().tolist() == [[-1.0, -2.0]] and n.shape == (3, 2)
    for f in (lambda: s + 1.0, lambda: 1.0 + s, lambda: s * 2.0, lambda: s / 2.0, lambda: s - 1.0, lambda: s[0]):
        with pytest.raises(TypeError):
            f()


def test_cotangents_of_several_gathers_stay_sparse():
    x = constant(np.arange(6.0).reshape(3, 2))
    with GradientTape() as tape:
        tape.watch(x)
        y = ix.gather(x, constant([0, 2]), axis=0, batch_dims=0) * ix.gather(
            x, constant(np.array([2, 2])), axis=0, batch_dims=0
        )
    g = tape.gradient(y, x)
    assert type(g) is IndexedSlices and g.dtype is dt.float64 and g.indices.dtype is dt.int64
    assert g.indices.numpy().tolist() == [0, 2, 2, 2]
    assert convert_to_tensor(g).numpy().tolist() == [[4, 5], [0, 0], [0 + 4 + 4, 1 + 5 + 5]]


def test_a_sparse_and_a_dense_cotangent_make_a_dense_one():
    x = constant([1.0, 2.0, 3.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = ix.gather(x, constant([0, 1]), axis=0, batch_dims=0) * x[1:]
    assert tape.gradient(y, x).numpy().tolist() == [2.0, 4.0, 2.0]


@pytest.mark.parametrize(("axis", "sparse"), [(0, True), (0, False), (1, False)])
def test_second_derivatives_through_gather(axis, sparse):
    """Of the sum of squares of the gradient of sum(x[i]³), in closed form: each row counts as often as it is gathered."""
    x = constant(np.arange(1.0, 7.0).reshape(3, 2))
    i = [0, 1, 0]
    count = np.zeros((3, 2))
    np.add.at(count, (i,) if axis == 0 else (slice(None), i), 1)
    with GradientTape() as outer:
        outer.watch(x)
        with GradientTape() as inner:
            inner.watch(x)
            y = ix.gather(x, constant(i), axis=axis, batch_dims=0)
            y = y * y * y
        g = inner.gradient(y, x)
        if sparse:
            z = g.values * g.values  # each gathered row by itself
            want = 36 * x.numpy() ** 3 * count
        else:
            z = convert_to_tensor(g)
            z = z * z
            want = 36 * x.numpy() ** 3 * count**2
    h = convert_to_tensor(outer.gradient(z, x)).numpy()
    np.testing.assert_allclose(h, want, rtol=1e-13)
