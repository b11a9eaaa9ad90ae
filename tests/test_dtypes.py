"""Casting between all dtypes."""

import ml_dtypes
import numpy as np
import pytest

import gradtape as tf
from gradtape import dtypes
from gradtape.errors import InvalidArgumentError, UnimplementedError

NUMBERS = (
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
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)
NUMPY = {n: np.dtype(ml_dtypes.bfloat16 if n == "bfloat16" else n) for n in NUMBERS}


@pytest.mark.parametrize("to", NUMBERS)
@pytest.mark.parametrize("have", NUMBERS)
def test_cast(have, to):
    a = np.array([0, 1, 2, 3.75, 100.5]).astype(NUMPY[have])
    got = tf.cast(a, to)
    real = a.real if NUMPY[have].kind == "c" and NUMPY[to].kind != "c" else a
    want = real != 0 if to == "bool" else real.astype(NUMPY[to])
    assert got.dtype.name == to and got.numpy().dtype == NUMPY[to]
    np.testing.assert_array_equal(got.numpy(), want)
    assert tf.cast(a[1], to).numpy() == want[1]


def test_cast_takes_anything():
    assert tf.cast(3.7, tf.int32).numpy() == 3
    assert tf.cast(-3.7, "int32").numpy() == -3
    assert tf.cast([True, False], np.float64).numpy().tolist() == [1.0, 0.0]
    assert tf.cast(tf.Variable([1.5]), int).numpy().tolist() == [1]
    assert tf.cast(2**40, tf.int64).numpy() == 2**40
    assert tf.cast([np.nan, np.inf, 0.0], tf.bool).numpy().tolist() == [True, True, False]
    s = tf.cast(tf.IndexedSlices(tf.constant([[1.5]]), tf.constant([0])), tf.int32)
    assert s.values.numpy().tolist() == [[1]]


def test_a_tensor_that_has_the_dtype_is_returned():
    x = tf.constant([1.0])
    assert tf.cast(x, tf.float32) is x
    assert tf.cast("a", tf.string).numpy() == b"a"


def test_cast_refuses():
    for make in (lambda: tf.cast("1", tf.float32), lambda: tf.cast(1.0, tf.string)):
        with pytest.raises(UnimplementedError, match="not supported"):
            make()
    for d in ("foo", None):
        with pytest.raises(TypeError):
            tf.cast(1.0, d)
    with pytest.raises(ValueError):
        tf.cast(None, tf.int32)


@pytest.mark.parametrize(
    ("have", "to", "want"),
    [
        (tf.float64, tf.float32, [2.0, 3.0]),
        (tf.float32, tf.float64, [2.0, 3.0]),
        (tf.float64, tf.complex128, [2.0, 3.0]),
        (tf.complex128, tf.float64, [2.0, 3.0]),
        (tf.float64, tf.int32, None),
    ],
)
def test_gradient_of_cast(have, to, want):
    """It comes back in the dtype of the input; through integers there is none."""
    x = tf.cast([1.0, 2.0], have)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.cast(x, to)
    g = tape.gradient(y, x, output_gradients=tf.cast([2.0, 3.0], to))
    if want is None:
        assert g is None
    else:
        assert g.dtype == have and g.numpy().tolist() == want


REAL = [n for n in NUMBERS if NUMPY[n].kind not in "bc"]


@pytest.mark.parametrize("to", REAL)
@pytest.mark.parametrize("have", REAL)
def test_saturate_cast(have, to):
    """Values within the range of both are cast, others become the nearest that the new type has: checked in exact integers."""
    limits = np.iinfo if NUMPY[have].kind in "iu" else ml_dtypes.finfo
    ends = [limits(NUMPY[have]).min, limits(NUMPY[have]).max]
    a = np.array([0, 1, 100, *ends], object).astype(NUMPY[have])
    got = dtypes.saturate_cast(a, to).numpy()
    assert got.dtype == NUMPY[to]
    if NUMPY[to].kind in "iu":
        low, high = int(np.iinfo(NUMPY[to]).min), int(np.iinfo(NUMPY[to]).max)
        for x, y in zip(a.tolist(), got.tolist(), strict=True):
            x, y = int(x), int(y)
            # a float that is just too large becomes the largest float that fits
            near = 0 if NUMPY[have].kind in "iu" else abs(y) * float(ml_dtypes.finfo(NUMPY[have]).eps)
            assert abs(y - min(max(x, low), high)) <= near and low <= y <= high
    else:
        wide = a.astype(np.float64)
        top = float(ml_dtypes.finfo(NUMPY[to]).max)
        want = np.clip(wide, -top, top)
        # the nearest in the coarser of the two types
        eps = max(float(ml_dtypes.finfo(NUMPY[n]).eps) for n in (have, to) if NUMPY[n].kind not in "iu")
        np.testing.assert_allclose(got.astype(np.float64), want, rtol=eps)


def test_saturate_cast_of_other_things():
    assert dtypes.saturate_cast([np.inf, -np.inf, 2.7], tf.uint8).numpy().tolist() == [255, 0, 2]
    assert dtypes.saturate_cast(np.array([1e300, -1e300]), tf.float32).numpy().tolist() == [
        np.finfo(np.float32).max,
        np.finfo(np.float32).min,
    ]
    assert dtypes.saturate_cast([300 + 2j], tf.int8).numpy().tolist() == [127]
    assert np.isfinite(dtypes.saturate_cast(np.array([1e300 + 1e300j]), tf.complex64).numpy()).all()
    assert dtypes.saturate_cast([True], tf.int8).numpy().tolist() == [1]


@pytest.mark.parametrize("to", [n for n in NUMBERS if n != "bool"])
@pytest.mark.parametrize("have", [n for n in NUMBERS if n != "bool"])
def test_bitcast(have, to):
    a = np.arange(32).astype(NUMPY[have])
    ratio = NUMPY[have].itemsize / NUMPY[to].itemsize
    if ratio >= 1:
        shape = a.shape if ratio == 1 else (32, int(ratio))
    else:
        a = a.reshape(-1, int(1 / ratio))
        shape = a.shape[:-1]
    got = dtypes.bitcast(a, to)
    assert got.dtype.name == to and got.shape == shape
    assert got.numpy().tobytes() == a.tobytes()


def test_bitcast_of_scalars_and_refusals():
    assert dtypes.bitcast(1.0, tf.uint32).numpy() == 0x3F800000
    assert dtypes.bitcast([1.0, 2.0], tf.float64).shape == []
    x = tf.constant([[1.0], [2.0]])
    for make in (
        lambda: dtypes.bitcast(x, tf.float64),
        lambda: dtypes.bitcast(1.0, tf.float64),
        lambda: dtypes.bitcast(x, tf.bool),
        lambda: dtypes.bitcast("a", tf.uint8),
    ):
        with pytest.raises(InvalidArgumentError):
            make()
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = dtypes.bitcast(dtypes.bitcast(x, tf.int32), tf.float32)
    assert tape.gradient(y, x) is None


def test_the_namespace():
    assert tf.dtypes.bool is tf.bool and tf.dtypes.half is tf.float16 and tf.dtypes.as_dtype("double") is tf.float64
    assert tf.dtypes.complex(1.0, 2.0).dtype is tf.dtypes.complex64
