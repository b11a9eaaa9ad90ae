"""tf.reduce_*, argmax, cumsum ...: values by NumPy and SciPy, dtypes and errors as TensorFlow has them, gradients by differences."""

import ml_dtypes
import numpy as np
import pytest
import scipy.special

import gradtape as tf
from gradtape.errors import InvalidArgumentError

from ..differences import assert_gradient, gradient

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.5]])
X3 = np.linspace(-2, 3, 24).reshape(2, 3, 4)
REDUCTIONS = {
    "reduce_sum": np.sum,
    "reduce_mean": np.mean,
    "reduce_prod": np.prod,
    "reduce_max": np.max,
    "reduce_min": np.min,
    "reduce_logsumexp": scipy.special.logsumexp,
    "reduce_variance": np.var,
    "reduce_std": np.std,
    "reduce_euclidean_norm": lambda x, **kw: np.sqrt(np.sum(np.square(x), **kw)),
}
AXES = [
    None,
    0,
    1,
    -1,
    [0],
    (0, 1),
    [1, 0],
    [-1, 0],
    [],
    np.int64(1),
    np.array([0, 1]),
    tf.constant(1),
    tf.constant([0, 1], tf.int64),
    tf.Variable(1),
    [tf.constant(0), 1],
]


def plain(axis):
    """The axis as NumPy takes it."""
    if axis is None:
        return None
    return tuple(
        int(a) for a in np.ravel([np.asarray(a) for a in axis] if isinstance(axis, list | tuple) else np.asarray(axis))
    )


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=repr)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_value(name, axis, keepdims):
    f = getattr(tf.math, name)
    want = REDUCTIONS[name](X, axis=plain(axis), keepdims=keepdims)
    for d, rtol in ((np.float64, 1e-14), (np.float32, 1e-6)):
        got = f(X.astype(d), axis, keepdims)
        assert got.dtype.name == np.dtype(d).name and tuple(got.shape) == want.shape
        np.testing.assert_allclose(got.numpy(), want, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 1, [0, 2]], ids=repr)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_gradient(name, axis, keepdims):
    f = getattr(tf.math, name)
    assert_gradient(lambda x: f(x, axis, keepdims), X3)
    if name not in ("reduce_sum", "reduce_mean", "reduce_max", "reduce_min"):  # whose second derivative is None
        assert_gradient(gradient(lambda x: f(x, axis, keepdims)), X3 + 0.01, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [*REDUCTIONS, "reduce_any", "reduce_all"])
def test_what_they_take(name):
    f = getattr(tf.math, name)
    value = [True, False] if name in ("reduce_any", "reduce_all") else [1.0, 2.0]
    whole = f(tf.constant(value)).numpy()
    for x in (value, np.array(value, np.bool_ if value[0] is True else np.float32), tf.Variable(value), tuple(value)):
        np.testing.assert_array_equal(f(input_tensor=x, axis=None, keepdims=False, name="n").numpy(), whole)
    assert f(value, keepdims=None).shape == []
    for x in (None, [[1.0], [2.0, 3.0]]):
        with pytest.raises(ValueError):
            f(x)
    with pytest.raises(InvalidArgumentError):
        f(tf.constant(["a"]))


@pytest.mark.parametrize("name", [*REDUCTIONS, "reduce_any", "reduce_all"])
def test_axes_they_refuse(name):
    f = getattr(tf.math, name)
    x = X > 0 if name in ("reduce_any", "reduce_all") else X
    for axis, words in (
        (2, "Invalid reduction dimension 2 for input with 2 dimension"),
        (-3, "Invalid reduction dimension -3"),
        ([0, -2], "duplicate dimension: 0"),
    ):
        with pytest.raises(InvalidArgumentError, match=words):
            f(x, axis)
    with pytest.raises(InvalidArgumentError, match="for input with 0 dimension"):
        f(x[0, 0], 0)
    for axis in (1.0, "a"):
        with pytest.raises(TypeError):
            f(x, axis)


def test_the_empty():
    e = np.zeros((0, 2), np.float32)
    assert tf.reduce_sum(e, 0).numpy().tolist() == [0, 0]
    assert tf.reduce_prod(e, 0).numpy().tolist() == [1, 1]
    assert tf.reduce_max(e, 0).numpy().tolist() == [-np.inf, -np.inf]
    assert tf.reduce_min(e, 0).numpy().tolist() == [np.inf, np.inf]
    assert tf.reduce_logsumexp(e, 0).numpy().tolist() == [-np.inf, -np.inf]
    assert np.isnan(tf.reduce_mean(e, 0).numpy()).all()
    assert tf.reduce_any(e > 0, 0).numpy().tolist() == [False, False]
    assert tf.reduce_all(e > 0, 0).numpy().tolist() == [True, True]
    assert tf.reduce_max(np.zeros((0,), np.int8)).numpy() == -128


@pytest.mark.parametrize("name", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_integers(name):
    """They keep their dtype; the mean is rounded towards zero and does not overflow on the way (recorded from TensorFlow 2.21)."""
    x = np.array([[1, 2, 3], [4, 50, 100]], name)
    for f, want in (
        (tf.reduce_prod, np.prod(x[:, :1])),
        (tf.reduce_max, 100),
        (tf.reduce_min, 1),
        (tf.reduce_mean, 26),
    ):
        got = f(x[:, :1]) if f is tf.reduce_prod else f(x)
        assert got.dtype.name == name and got.numpy() == want
    big = np.iinfo(name).max // 2 + 9
    if name not in ("int64", "uint64"):
        assert tf.reduce_mean(np.array([big] * 3, name)).numpy() == big
    if not name.startswith("u"):
        assert tf.reduce_mean(np.array([-1, -2, 0, -4, 5, 1], name)).numpy() == 0
        assert tf.reduce_mean(np.array([[-1, -2], [-4, 5]], name), 0).numpy().tolist() == [-2, 1]
    assert tf.reduce_sum(np.array([200, 100], "uint8")).numpy() == 44
    assert tf.math.reduce_euclidean_norm(x[:1]).numpy() == 3
    for f in (tf.math.reduce_variance, tf.math.reduce_std):
        with pytest.raises(TypeError, match="real or complex"):
            f(x)
    with pytest.raises(InvalidArgumentError):
        tf.reduce_logsumexp(x)
    with pytest.raises(InvalidArgumentError):
        tf.reduce_any(tf.constant(x))
    assert tf.reduce_any(x).dtype is tf.bool  # an array is converted, a tensor is not


def test_half_precision_accumulates_in_float32():
    for d in (np.float16, ml_dtypes.bfloat16):
        x = tf.constant(np.full(4096, 0.5, d))
        assert tf.reduce_sum(x).numpy() == d(2048)
        assert tf.reduce_mean(x).numpy() == d(0.5)
        assert tf.reduce_sum(x).dtype == x.dtype


def test_complex():
    z = np.array([1 + 2j, -1.5 + 0.5j, 0.3 - 0.7j])
    np.testing.assert_allclose(tf.reduce_sum(z).numpy(), z.sum())
    np.testing.assert_allclose(tf.reduce_mean(z).numpy(), z.mean())
    np.testing.assert_allclose(tf.reduce_prod(z).numpy(), z.prod())
    var = tf.math.reduce_variance(z)
    assert var.dtype is tf.float64
    np.testing.assert_allclose(var.numpy(), z.var())
    norm = tf.math.reduce_euclidean_norm(z)
    assert norm.dtype is tf.complex128
    np.testing.assert_allclose(norm.numpy(), np.linalg.norm(z))


def test_ties_share_the_gradient_of_an_extreme():
    x = tf.constant([1.0, 3.0, 3.0])
    for f in (tf.reduce_max, lambda x: -tf.reduce_min(-x)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        assert tape.gradient(y, x).numpy().tolist() == [0, 0.5, 0.5]


def test_the_gradient_of_a_product_with_zeros():
    assert_gradient(tf.reduce_prod, [2.0, 0.0, 3.0])
    assert_gradient(lambda x: tf.reduce_prod(x, 1), [[2.0, 0.0, 3.0], [0.0, 0.0, 1.0]])


def test_logsumexp_neither_overflows_nor_hides_a_nan():
    x = tf.constant([1000.0, 1000.0, -np.inf])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_logsumexp(x)
    assert y.numpy() == np.float32(1000 + np.log(2))
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), [0.5, 0.5, 0], rtol=1e-7)
    for bad in ([np.nan, 1.0], [np.nan, np.inf]):
        x = tf.constant(bad)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_logsumexp(x)
        assert np.isnan(tape.gradient(y, x).numpy()).all()


def test_count_nonzero():
    x = [[0, 1, 2], [3, 0, 0]]
    got = tf.math.count_nonzero(x)
    assert got.dtype is tf.int64 and got.numpy() == 3
    assert tf.math.count_nonzero(x, 0).numpy().tolist() == [1, 1, 1]
    assert tf.math.count_nonzero(x, axis=1, keepdims=True).numpy().tolist() == [[2], [1]]
    assert tf.math.count_nonzero([0.0, -0.0, np.nan], dtype=tf.int32).dtype is tf.int32
    assert tf.math.count_nonzero([0.0, -0.0, np.nan]).numpy() == 1
    assert tf.math.count_nonzero(["", "a"]).numpy() == 1
    assert tf.math.count_nonzero([True, False, True]).numpy() == 2


# -- argmax ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, 1, -1, tf.constant(1), np.int64(0)], ids=repr)
@pytest.mark.parametrize("f", ["argmax", "argmin"])
def test_arg(f, axis):
    x = np.array([[1.0, 3.0, 2.0], [9.0, 0.0, 9.0]])
    for d in (np.float64, np.float16, np.int32, np.uint8):
        got = getattr(tf, f)(x.astype(d), axis)
        assert got.dtype is tf.int64
        np.testing.assert_array_equal(got.numpy(), getattr(np, f)(x, 0 if axis is None else int(axis)))


def test_arg_passes_over_nan():
    """Recorded from TensorFlow 2.21; NumPy gives the index of the first NaN."""
    for x, largest, smallest in (
        ([np.nan, 1.0, 2.0], 2, 1),
        ([1.0, np.nan, 2.0], 2, 0),
        ([-np.inf, np.nan, np.inf], 2, 0),
        ([np.nan, np.nan], 0, 0),
        ([np.nan, -np.inf], 0, 1),
    ):
        assert tf.argmax(x).numpy() == largest
        assert tf.argmin(x).numpy() == smallest
    assert tf.argmax([[np.nan, 1.0], [2.0, np.nan]], 0).numpy().tolist() == [1, 0]


def test_arg_output_types_and_refusals():
    x = [[1.0, 3.0], [4.0, 2.0]]
    for d in (tf.int32, "int64", tf.int16, tf.uint16):
        assert tf.argmax(x, 1, output_type=d).dtype == d
    for make, words in (
        (lambda: tf.argmax(x, output_type=tf.float32), "output_type"),
        (lambda: tf.argmax(x, 2), r"range \[-2, 2\), but got 2"),
        (lambda: tf.argmax(1.5), "range"),
        (lambda: tf.argmax(np.zeros((0, 3))), r"Reduction axis 0 is empty in shape \[0,3\]"),
        (lambda: tf.argmax([1j]), "complex"),
    ):
        with pytest.raises(InvalidArgumentError, match=words):
            make()
    assert tf.argmax(np.zeros((0, 3)), 1).shape == [0]
    for axis in ([0], 1.0):
        with pytest.raises(TypeError):
            tf.argmax(x, axis)


# -- running sums ------------------------------------------------------------------------------------------------------------------


def running(f, start, x, axis, exclusive, reverse):
    """By the definition: for each place, ``f`` of what lies before it."""
    x = np.moveaxis(np.asarray(x), axis, 0)
    x = x[::-1] if reverse else x
    out = [
        f(x[: i if exclusive else i + 1]) if i or not exclusive else np.full(x.shape[1:], start) for i in range(len(x))
    ]
    out = np.array(out)[::-1] if reverse else np.array(out)
    return np.moveaxis(out, 0, axis)


RUNNING = {
    "cumsum": (lambda x: np.sum(x, 0), 0.0),
    "cumprod": (lambda x: np.prod(x, 0), 1.0),
    "cumulative_logsumexp": (lambda x: scipy.special.logsumexp(x, 0), -np.inf),
}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("name", RUNNING)
def test_running(name, axis, exclusive, reverse):
    f = getattr(tf.math, name)
    got = f(X3, axis, exclusive, reverse).numpy()
    np.testing.assert_allclose(got, running(*RUNNING[name], X3, axis, exclusive, reverse), rtol=1e-13, atol=1e-14)
    finite = (
        slice(1, None) if not reverse else slice(None, -1)
    )  # where an empty sum has no logarithm, there are no differences
    cut = (slice(None),) * (axis % 3) + (finite if exclusive else slice(None),)
    assert_gradient(lambda x: f(x, axis, exclusive, reverse)[cut], X3)
    if name != "cumsum":  # whose second derivative is None
        assert_gradient(gradient(lambda x: f(x, axis, exclusive, reverse)[cut]), X3, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", RUNNING)
def test_running_arguments(name):
    f = getattr(tf.math, name)
    assert f([[1.0, 2.0]], axis=tf.constant(1)).shape == [1, 2]
    assert f(tf.Variable([1.0, 2.0])).dtype is tf.float32
    assert f(tf.constant([1.0, 2.0], tf.float16)).dtype is tf.float16
    for make in (
        lambda: f(1.5),
        lambda: f([1.0], axis=1),
        lambda: f([1.0], axis=-2),
        lambda: f(["a"]),
        lambda: f([True]),
    ):
        with pytest.raises(InvalidArgumentError):
            make()
    with pytest.raises(ValueError):
        f([1.0], axis=None)


def test_running_integers_keep_their_dtype():
    x = np.array([1, 2, 3, 100], np.int8)
    assert tf.cumsum(x).numpy().tolist() == [1, 3, 6, 106]
    assert tf.math.cumprod(x).numpy().tolist() == [1, 2, 6, 88]  # wraps around, as TensorFlow
    assert tf.cumsum(x).dtype is tf.int8
    with pytest.raises(InvalidArgumentError):
        tf.math.cumulative_logsumexp([1, 2])


def test_cumulative_logsumexp_spans_any_range():
    x = tf.constant([-1000.0, 0.0, 1000.0, -np.inf], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.math.cumulative_logsumexp(x)
    np.testing.assert_allclose(y.numpy(), [-1000, 0, 1000, 1000])
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), [1, 1, 2, 0])


# -- the hot path -------------------------------------------------------------------------------------------------------------------


def test_reducing_a_whole_tensor_makes_no_new_attributes():
    """What a training step does most: the attributes are the same objects each time."""
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        tf.reduce_sum(x)
        tf.reduce_mean(x)
    assert tape._records[0][7] is tape._records[1][7]
