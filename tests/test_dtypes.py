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


FLOAT8 = ("float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz")
STORED = (*FLOAT8, "int4", "uint4")


@pytest.mark.parametrize("name", STORED)
def test_storage_types_are_kept_moved_and_cast(name):
    d = getattr(tf.dtypes.experimental, name)
    assert tf.as_dtype(name) is d is tf.as_dtype(d.as_numpy_dtype) is tf.as_dtype(d.as_datatype_enum)
    assert not d.is_numeric and d.size == 1
    assert (d.is_floating, d.is_integer, d.is_unsigned) == ("float" in name, "int" in name, name == "uint4")
    x = tf.constant([[1, 2], [3, 4]], d)
    assert x.dtype is d and tf.cast(x, tf.float32).numpy().tolist() == [[1, 2], [3, 4]]
    for made in (
        tf.identity(x), tf.reshape(x, [4]), tf.transpose(x), tf.concat([x, x], 0), tf.stack([x, x]), tf.gather(x, [1]), x[0], tf.zeros_like(x),
        tf.ones([2], d), tf.pad(x, [[1, 1], [0, 0]]), tf.where([True, False], x, x), tf.Variable(x).read_value(), tf.function(tf.transpose)(x),
    ):  # fmt: skip
        assert made.dtype is d and made.numpy().dtype == d.as_numpy_dtype
    assert tf.cast(tf.transpose(x), tf.int32).numpy().tolist() == [[1, 3], [2, 4]]
    assert tf.cast(x, tf.bool).numpy().all()
    back = tf.bitcast(tf.bitcast(x, tf.uint8), d)
    np.testing.assert_array_equal(tf.cast(back, tf.int32), [[1, 2], [3, 4]])
    assert str(x) == f"tf.Tensor(\n[[1 2]\n [3 4]], shape=(2, 2), dtype={name})"
    for f in (
        lambda: x + x,
        lambda: -x,
        lambda: tf.exp(x),
        lambda: x @ x,
        lambda: tf.reduce_sum(x),
        lambda: tf.function(tf.tanh)(x),
    ):
        with pytest.raises(InvalidArgumentError, match=f"does not take {name} tensors.*tf.cast"):
            f()


# What TensorFlow 2.21 makes of these: ties go to even, what is too large becomes infinite, or NaN in a type without infinities
INPUTS = [
    0.0,
    -0.0,
    1.1,
    -2.3,
    448.0,
    449.0,
    464.0,
    470.0,
    1e6,
    -1e6,
    np.inf,
    -np.inf,
    np.nan,
    1e-3,
    2.0**-9,
    2.0**-10,
    2.0**-10 * 1.0001,
    60000,
    61440,
]
ROUNDED = {
    "float8_e5m2": [0, -0.0, 1, -2.5, 448, 448, 448, 448, np.inf, -np.inf, np.inf, -np.inf, np.nan, 2.0**-10, 2.0**-9, 2.0**-10, 2.0**-10, 57344, np.inf],
    "float8_e4m3fn": [0, -0.0, 1.125, -2.25, 448, 448, 448, *[np.nan] * 6, 2.0**-9, 2.0**-9, 0, 2.0**-9, np.nan, np.nan],
}  # fmt: skip


@pytest.mark.parametrize("have", ["float32", "float64"])
@pytest.mark.parametrize("name", ROUNDED)
def test_cast_to_float8(name, have):
    got = tf.cast(tf.constant(INPUTS, have), name).numpy().astype(np.float64)
    np.testing.assert_array_equal(got, ROUNDED[name])
    np.testing.assert_array_equal(np.signbit(got[:2]), [False, True])


@pytest.mark.parametrize("name", STORED)
def test_saturate_cast_to_storage_types(name):
    top, low = float(tf.as_dtype(name).max), float(tf.as_dtype(name).min)
    for have in (tf.float32, tf.float64, tf.int32):
        got = tf.saturate_cast(tf.cast([1e6, -1e6, 3.0], have), name)
        assert tf.cast(got, tf.float64).numpy().tolist() == [top, low, 3]


def test_no_gradient_flows_through_storage_types():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.cast(tf.cast(x, "float8_e5m2"), tf.float32)
    assert tape.gradient(y, x) is None


@pytest.mark.parametrize("d", [tf.float16, tf.bfloat16], ids=lambda d: d.name)
def test_half_precisions_accumulate_in_float32(d):
    """A sum of 4096 halves: in the dtype itself it would stop growing where an ulp exceeds twice the summand."""
    x = tf.fill([4096], tf.cast(0.5, d))
    assert tf.reduce_sum(x).numpy() == 2048 == tf.function(tf.reduce_sum)(x).numpy()
    assert tf.reduce_mean(x).numpy() == 0.5
    assert tf.linalg.matmul(x[None], x[:, None]).numpy().item() == 1024
    assert tf.cumsum(x).numpy()[-1] == 2048
    assert tf.einsum("i,i->", x, x).numpy() == 1024


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


def test_saturate_cast_of_infinities():
    """They become the largest finite number that both types have, as in TensorFlow."""
    x = [np.inf, -np.inf]
    for have, to, want in (
        (tf.float16, tf.int32, 65504), (tf.float16, tf.float32, 65504), (tf.float32, tf.float16, 65504), (tf.float32, tf.float32, float(np.finfo("f").max)),
    ):  # fmt: skip
        assert dtypes.saturate_cast(tf.constant(x, have), to).numpy().tolist() == [want, -want]


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
