"""Indexing with brackets: against NumPy where both allow an expression, and as TensorFlow 2.21 where they differ."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

from gradtape.core import slicing
from gradtape.core.tensor import Tensor, constant
from gradtape.core.variable import Variable
from gradtape.gradient.batching import batch_call
from gradtape.gradient.tape import GradientTape
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import InvalidArgumentError

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
T = constant(A)


# -- what NumPy allows too ---------------------------------------------------------------------------------------------------------


def dimension(d):
    bound = hs.none() | hs.integers(-d - 2, d + 2)
    parts = [hs.builds(slice, bound, bound, hs.none() | hs.integers(-3, 3).filter(bool))]
    return hs.one_of(parts + ([hs.integers(-d, d - 1)] if d else []))


@hs.composite
def expressions(draw):
    """A shape, and an index that is good for it: fewer entries than dimensions, new axes and one ellipsis anywhere."""
    shape = tuple(draw(hs.lists(hs.integers(0, 4), max_size=4)))
    front = draw(hs.integers(0, len(shape)))
    behind = draw(hs.integers(0, len(shape) - front))
    index = [draw(dimension(d)) for d in shape[:front]]
    if behind or draw(hs.booleans()):
        index += [...] + [draw(dimension(d)) for d in shape[len(shape) - behind :]]
    for _ in range(draw(hs.integers(0, 2))):
        index.insert(draw(hs.integers(0, len(index))), None)
    return shape, index[0] if len(index) == 1 and draw(hs.booleans()) else tuple(index)


@given(expressions())
def test_indexing_is_numpys(case):
    shape, key = case
    a = np.random.default_rng(0).uniform(-1, 1, shape)
    got, want = constant(a)[key], a[key]
    assert got.dtype is dt.float64 and got.shape == want.shape
    np.testing.assert_array_equal(got.numpy(), want)
    assert isinstance(got._a, np.ndarray) == bool(want.shape)
    part = Variable(a)[key]
    np.testing.assert_array_equal(part.numpy(), want)


@given(expressions())
def test_gradient_is_the_adjoint(case):
    """<A x, y> = <x, Aᵀ y>, and A is linear: so Aᵀ is the derivative. The gradient's gradient is A again."""
    shape, key = case
    rng = np.random.default_rng(1)
    a = rng.uniform(-1, 1, shape)
    x, y = constant(a), constant(rng.uniform(-1, 1, a[key].shape))
    with GradientTape() as outer:
        outer.watch(y)
        with GradientTape() as tape:
            tape.watch(x)
            part = x[key]
        g = tape.gradient(part, x, output_gradients=y)
    assert g.shape == x.shape
    np.testing.assert_allclose(np.sum(part.numpy() * y.numpy()), np.sum(a * g.numpy()), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(outer.gradient(g, y, output_gradients=x).numpy(), a[key])


@given(expressions(), hs.data())
def test_assignment_to_a_part_is_numpys(case, data):
    shape, key = case
    rng = np.random.default_rng(2)
    a = rng.uniform(-1, 1, shape)
    part = a[key].shape
    keep = data.draw(hs.lists(hs.booleans(), min_size=len(part), max_size=len(part)))
    drop = data.draw(hs.integers(0, len(part)))
    value = rng.uniform(
        -1, 1, tuple(d if k else 1 for d, k in zip(part, keep, strict=True))[drop:]
    )  # any shape that broadcasts
    for method, operation in (("assign", None), ("assign_add", np.add), ("assign_sub", np.subtract)):
        want = a.copy()
        want[key] = value if operation is None else operation(want[key], value)
        v = Variable(a)
        assert getattr(v[key], method)(value) is v
        np.testing.assert_array_equal(v.numpy(), want)


def test_gradient_by_differences():
    def f(x):
        return x[1:, ::-2] * x[0, None, 0] * x[..., 1, 2:3][:1] * x[-1, -1, -1]

    x = np.random.default_rng(3).uniform(0.5, 1.5, (2, 3, 4))
    t = constant(x)
    with GradientTape() as tape:
        tape.watch(t)
        y = f(t)
    assert y.shape == (1, 2, 4)
    g = tape.gradient(y, t).numpy()
    for at in np.ndindex(x.shape):
        h = np.zeros_like(x)
        h[at] = 1e-6
        slope = (f(constant(x + h)).numpy().sum() - f(constant(x - h)).numpy().sum()) / 2e-6
        assert abs(g[at] - slope) < 1e-8


# -- what else indexes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one",
    [
        constant(1),
        constant(1, "int64"),
        constant(1, "int16"),
        Variable(1),
        np.int64(1),
        np.int8(1),
        np.uint8(1),
        np.array(1),
    ],
    ids=repr,
)
def test_scalars_that_are_integers(one):
    np.testing.assert_array_equal(T[one].numpy(), A[1])
    np.testing.assert_array_equal(T[:, one:].numpy(), A[:, 1:])
    np.testing.assert_array_equal(T[..., :one, None, one].numpy(), A[..., :1, None, 1])
    np.testing.assert_array_equal(T[0, :: one + one].numpy(), A[0, ::2])


def test_a_list_is_a_tuple():
    assert T[[1, slice(0, 2), 3]].numpy().tolist() == A[1, 0:2, 3].tolist()
    assert T[[]].shape == (2, 3, 4)


def test_a_bool_beside_others_is_an_int():
    assert T[0, True, False].numpy() == A[0, 1, 0]


@pytest.mark.parametrize(
    "mask", [[[True, False, True], [False, False, True]], [False, True], (A > 7).tolist(), (A > 99).tolist()]
)
def test_masks(mask):
    want = A[np.array(mask)]
    for m in (np.array(mask), constant(mask)):
        got = T[m]
        assert got.shape == want.shape
        np.testing.assert_array_equal(got.numpy(), want)
    np.testing.assert_array_equal(Variable(A)[constant(mask)].numpy(), want)
    np.testing.assert_array_equal(slicing.boolean_mask(T, mask).numpy(), want)


def test_masks_along_an_axis():
    np.testing.assert_array_equal(slicing.boolean_mask(T, [True, False, True], axis=1).numpy(), A[:, [0, 2]])
    np.testing.assert_array_equal(slicing.boolean_mask(T, [0, 2, 0, 1], axis=-1).numpy(), A[..., [1, 3]])
    mask = [[True, False, False, True], [False, True, False, False], [False, False, True, False]]
    np.testing.assert_array_equal(slicing.boolean_mask(T, mask, axis=1).numpy(), A[:, np.array(mask)])


def test_gradient_of_a_mask():
    x = constant([1.0, 2.0, 3.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = x[x > 1.5] * x[x > 1.5]
    g = tape.gradient(y, x)
    assert type(g) is Tensor and g.numpy().tolist() == [0.0, 4.0, 6.0]


def test_masks_that_do_not_fit():
    with pytest.raises(ValueError, match="mask cannot be scalar"):
        T[True]
    with pytest.raises(ValueError, match="mask cannot be scalar"):
        T[constant(False)]
    with pytest.raises(ValueError, match=r"Shapes \(2,\) and \(3,\) are incompatible"):
        T[np.array([True, False, True])]
    with pytest.raises(ValueError, match=r"Shapes \(\) and \(1,\) are incompatible"):
        slicing.boolean_mask(1.0, [True])


# -- what is refused ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "key", "text"),
    [
        (T, 2, "slice index 2 of dimension 0 out of bounds"),
        (T, -3, "slice index -3 of dimension 0 out of bounds"),
        (T, (0, 5), "slice index 5 of dimension 1 out of bounds"),
        (T, (..., 4), "slice index 4 of dimension 2 out of bounds"),
        (T, (None, slice(0, 0), 3), "slice index 3 of dimension 1 out of bounds"),
        (T, constant(9), "slice index 9 of dimension 0 out of bounds"),
        (T, 10**20, "slice index 10+ of dimension 0 out of bounds"),
        (T, (0, 0, 0, 0), "Index out of range using input dim 3; input has only 3 dims"),
        (T, (0, 0, 0, 0, ...), "Index out of range using input dim 3; input has only 3 dims"),
        (T, (..., ...), "Multiple ellipses in slice spec not allowed"),
        (T, slice(None, None, 0), r"strides\[0\] must be non-zero"),
        (T, [True, False], "list of bools is no index.*tf.boolean_mask"),
        (T, slice(True, 2), "must be integers, but one is True"),
        (constant(3.0), 0, "Attempting to slice scalar input"),
        (constant(3.0), slice(None), "Attempting to slice scalar input"),
        (constant("ab"), 0, "Attempting to slice scalar input"),
        (constant(["ab"]), 1, "slice index 1 of dimension 0 out of bounds"),
    ],
    ids=repr,
)
def test_invalid_argument(x, key, text):
    with pytest.raises(InvalidArgumentError, match=text):
        x[key]
    with pytest.raises(InvalidArgumentError, match=text):
        Variable(x)[key]
    with GradientTape() as tape, pytest.raises(InvalidArgumentError, match=text):
        if x.dtype.is_floating:
            tape.watch(x)
        x[key]


@pytest.mark.parametrize(
    ("key", "cure"),
    [
        (1.0, "int"), (np.float32(1), "int"), (constant(1.0), "tf.cast"), ("a", ""), ({}, ""), (np.bool_(True), ""), ({1}, ""),
        ([[0, 1], [1, 2]], "tf.gather"), (([0, 1],), "tf.gather"), (np.array([0, 1]), "tf.gather"), (constant([0, 1]), "tf.gather"), (constant([[1]]), "tf.gather"),
        ((constant([True, False]), 0), "tf.boolean_mask"), (constant(1, "int8"), ""), (constant(1, "uint8"), ""),
        (slice(0, 1.5), "int"), (slice(0, constant([2])), "tf.gather"), ((0, slice(None, None, "b")), ""),
    ],
    ids=repr,
)  # fmt: skip
def test_type_error_that_says_what_to_do(key, cure):
    with pytest.raises(
        TypeError,
        match=r"Only integers, slices \(`:`\), ellipsis \(`...`\), tf.newaxis \(`None`\) and scalar .*got .*" + cure,
    ):
        T[key]


def test_tensors_are_not_assigned_to():
    with pytest.raises(TypeError, match="does not support item assignment"):
        T[0] = 1.0


# -- iteration ---------------------------------------------------------------------------------------------------------------------------------


def test_iteration():
    for got, want in zip(T, A, strict=True):
        np.testing.assert_array_equal(got.numpy(), want)
    a, b = constant([1, 2])
    assert (a.numpy(), b.numpy()) == (1, 2) and a.shape == ()
    assert [x.numpy() for x in reversed(constant([1, 2]))] == [2, 1]
    assert 2.0 in constant([1.0, 2.0]) and 3.0 not in constant([1.0, 2.0])
    assert list(constant(np.zeros((0, 2)))) == []
    assert [x.numpy() for x in constant(["a", "b"])] == [b"a", b"b"]
    assert [x.numpy() for x in Variable([1.0, 2.0])] == [1.0, 2.0]


@pytest.mark.parametrize("x", [constant(3.0), Variable(3.0), constant("ab")])
def test_scalars_do_not_iterate(x):
    with pytest.raises(TypeError, match="Cannot iterate over a scalar tensor"):
        iter(x)


@pytest.mark.parametrize("make", [constant, Variable])
def test_gradient_through_iteration(make):
    x = make(np.arange(1.0, 7.0).reshape(3, 2))
    with GradientTape() as tape:
        if make is constant:
            tape.watch(x)
        y = sum(row * row * (k + 1.0) for k, row in enumerate(x))
    assert tape.gradient(y, x).numpy().tolist() == (2 * np.arange(1.0, 7.0).reshape(3, 2) * [[1], [2], [3]]).tolist()


def test_iteration_records_nothing_of_what_nobody_watches():
    with GradientTape() as tape:
        list(constant(np.ones(5)))
    assert not tape._records


# -- parts of variables -------------------------------------------------------------------------------------------------------------------------


def test_gradient_of_a_variable_by_its_parts():
    v = Variable([1.0, 2.0, 3.0])
    with GradientTape() as tape:
        y = v[0] * v[1:] * v[v > 2.5]
    assert tape.gradient(y, v).numpy().tolist() == [3 * (2 + 3), 3.0, 3 + 5.0]


def test_a_part_is_a_snapshot():
    v = Variable([1.0, 2.0, 3.0])
    part, whole, copy = v[0:2], v[...], v.value()
    part.assign([8.0, 9.0])
    assert v.numpy().tolist() == [8.0, 9.0, 3.0]
    assert part.numpy().tolist() == [1.0, 2.0] and whole.numpy().tolist() == [1.0, 2.0, 3.0] == copy.numpy().tolist()
    v[1].assign(0.0)
    v[1].assign(5.0)
    part.assign(v[1:3])  # a part of the value that is being changed
    assert v.numpy().tolist() == [5.0, 3.0, 3.0]


def test_a_part_keeps_its_place():
    v = Variable(np.zeros((2, 2)))
    rows = [v[0], v[1]]
    rows[1].assign([3.0, 4.0])
    rows[0].assign([1.0, 2.0])
    assert v.numpy().tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert v[0].assign([5.0, 6.0])[1].assign(7.0) is v
    assert v.numpy().tolist() == [[5.0, 6.0], [7.0, 7.0]]
    assert Variable(3.0)[...].assign(5.0).numpy() == 5.0 and Variable(3.0)[()].assign_add(5.0).numpy() == 8.0
    assert Variable(["a", "b"])[1].assign("c").numpy().tolist() == [b"a", b"c"]


def test_only_parts_of_variables_are_assigned_to():
    v = Variable([1.0, 2.0, 3.0])
    for t in (T[0], v.value(), v[0:2][0], v[1] + 0.0, v[v > 1.5]):
        for method in ("assign", "assign_add", "assign_sub"):
            assert not hasattr(t, method)
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'assign': a tensor never changes"):
        T[0].assign(1.0)


@pytest.mark.parametrize(
    ("key", "value", "error", "text"),
    [
        (
            slice(1, 3),
            np.zeros((2, 3), np.float32),
            InvalidArgumentError,
            r"Cannot broadcast input shape \[2,3\] into final shape \[2,4\]",
        ),
        (
            0,
            np.zeros((2, 4), np.float32),
            InvalidArgumentError,
            r"Cannot broadcast input shape \[2,4\] into final shape \[4\]",
        ),
        (0, constant([1, 2, 3, 4]), ValueError, "int32"),
        (0, constant([1.0, 2, 3, 4], "float64"), ValueError, "float64"),
        (0, None, ValueError, "None"),
    ],
)
@pytest.mark.parametrize("method", ["assign", "assign_add", "assign_sub"])
def test_a_bad_assignment_changes_nothing(key, value, error, text, method):
    v = Variable(np.arange(12, dtype=np.float32).reshape(3, 4))
    with pytest.raises(error, match=text):
        getattr(v[key], method)(value)
    np.testing.assert_array_equal(v.numpy(), np.arange(12).reshape(3, 4))


def test_nothing_is_kept_of_parts_that_are_gone():
    v = Variable(np.zeros(4))
    before = len(slicing._origins)
    parts = [v[i] for i in range(4)]
    assert len(slicing._origins) == before + 4
    gc.disable()
    try:
        del parts
        assert len(slicing._origins) == before
    finally:
        gc.enable()


# -- batches ------------------------------------------------------------------------------------------------------------------------------------


def test_indices_that_are_batched():
    """Negative ones too, beside static ones; out of range is still an error."""
    i = constant([0, -1, 1])

    def f(k):
        return [T[:, k], T[k - k, ..., k], T[k - k, k - k, None, 1:]]

    got = batch_call(f, [i])
    want = [[A[:, k], A[0, ..., k], A[0, 0, None, 1:]] for k in (0, -1, 1)]
    for n in range(3):
        np.testing.assert_array_equal(got[n].numpy(), np.stack([w[n] for w in want]))
    with pytest.raises(InvalidArgumentError, match="is not in"):
        batch_call(lambda k: [T[:, k]], [constant([0, 7])])
    with pytest.raises(TypeError, match="must have known values"):
        batch_call(lambda k: [T[:, k:]], [i])
