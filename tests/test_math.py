"""tf.math: values by NumPy and SciPy, dtypes, what is composed of several rows, and TensorFlow's choices where they are its own."""

import math

import numpy as np
import pytest
import scipy.special as sp

import gradtape as tf
from gradtape.errors import InvalidArgumentError

from .differences import assert_gradient, gradient

X = np.array([-2.5, -1.5, -0.5, 0.3, 0.5, 1.0, 1.5, 2.5])
INNER = np.array([-0.9, -0.5, -0.1, 0.2, 0.6, 0.95])
POSITIVE = np.array([0.2, 0.5, 1.0, 1.75, 3.0, 7.5])

UNARY = {
    "abs": (np.abs, X), "acos": (np.arccos, INNER), "acosh": (np.arccosh, 1 + POSITIVE), "asin": (np.arcsin, INNER), "asinh": (np.arcsinh, X),
    "atan": (np.arctan, X), "atanh": (np.arctanh, INNER), "ceil": (np.ceil, X), "cos": (np.cos, X), "cosh": (np.cosh, X), "digamma": (sp.psi, POSITIVE),
    "erf": (sp.erf, X), "erfc": (sp.erfc, X), "erfcinv": (sp.erfcinv, INNER + 1), "erfinv": (sp.erfinv, INNER), "exp": (np.exp, X), "expm1": (np.expm1, X),
    "floor": (np.floor, X), "is_finite": (np.isfinite, X), "is_inf": (np.isinf, X), "is_nan": (np.isnan, X), "lgamma": (sp.gammaln, POSITIVE),
    "log": (np.log, POSITIVE), "log1p": (np.log1p, POSITIVE), "log_sigmoid": (sp.log_expit, X), "ndtri": (sp.ndtri, (INNER + 1) / 2),
    "negative": (np.negative, X), "reciprocal": (np.reciprocal, X), "reciprocal_no_nan": (np.reciprocal, X), "rint": (np.rint, X), "round": (np.round, X),
    "rsqrt": (lambda x: 1 / np.sqrt(x), POSITIVE), "sigmoid": (sp.expit, X), "sign": (np.sign, X), "sin": (np.sin, X), "sinh": (np.sinh, X),
    "softplus": (lambda x: np.logaddexp(0, x), X), "sqrt": (np.sqrt, POSITIVE), "square": (np.square, X), "tan": (np.tan, X), "tanh": (np.tanh, X),
    "conj": (np.conj, X), "real": (np.real, X), "imag": (np.imag, X), "angle": (np.angle, X),
}  # fmt: skip
NO_DERIVATIVE = {"ceil", "floor", "rint", "round", "sign", "is_finite", "is_inf", "is_nan", "imag", "angle"}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    f, (reference, x) = getattr(tf.math, name), UNARY[name]
    for d, rtol in ((np.float64, 1e-13), (np.float32, 3e-6), (np.float16, 2e-3)):
        want = reference(x.astype(d).astype(np.float64))
        got = f(x.astype(d))
        assert got.dtype.name == (want.dtype.name if want.dtype == bool else np.dtype(d).name)
        np.testing.assert_allclose(got.numpy(), want, rtol=rtol, atol=rtol * 0.1)
    want = f(tf.constant(x)).numpy()
    for other in (x.tolist(), tf.Variable(x), tuple(x)):
        np.testing.assert_allclose(f(other, name="n").numpy(), want, rtol=3e-6)
    assert f(float(x[3])).shape == []
    if name != "imag":  # of what is not complex, zeros
        with pytest.raises((InvalidArgumentError, TypeError)):
            f("a")


@pytest.mark.parametrize("name", sorted(UNARY.keys() - NO_DERIVATIVE))
def test_unary_gradient(name):
    f = getattr(tf.math, name)
    x = UNARY[name][1]
    assert_gradient(f, x, rtol=2e-6)
    if name not in ("abs", "conj", "negative", "real"):
        assert_gradient(gradient(f), x, rtol=2e-6)


BINARY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "truediv": np.divide, "pow": np.power, "maximum": np.maximum,
    "minimum": np.minimum, "squared_difference": lambda x, y: (x - y) ** 2, "atan2": np.arctan2, "divide_no_nan": np.divide, "multiply_no_nan": np.multiply,
    "xdivy": np.divide, "xlogy": sp.xlogy, "xlog1py": sp.xlog1py, "floordiv": np.floor_divide, "floormod": np.mod, "mod": np.mod, "equal": np.equal,
    "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal,
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    f, reference = getattr(tf.math, name), BINARY[name]
    x, y = np.array([[0.5], [1.25], [3.0]]), np.array([0.75, 1.25, 2.0, 0.3])
    for d, rtol in ((np.float64, 1e-14), (np.float32, 1e-6)):
        a, b = x.astype(d), y.astype(d)
        want = reference(a, b)
        got = f(a, b)
        assert got.dtype.name == want.dtype.name
        np.testing.assert_allclose(got.numpy(), want, rtol=rtol)
    t = tf.constant(y)
    np.testing.assert_array_equal(
        f(t, 2).numpy(), reference(y, 2.0)
    )  # a number takes the tensor's dtype, on either side
    np.testing.assert_array_equal(f(2, t).numpy(), reference(2.0, y))
    np.testing.assert_array_equal(f(tf.Variable(y), y.tolist()).numpy(), reference(y, y))
    with pytest.raises((InvalidArgumentError, TypeError)):
        f(tf.constant([1, 2]), tf.constant([1.0, 2.0]))
    with pytest.raises(InvalidArgumentError):
        f([1.0, 2.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    "name", [n for n in BINARY if not n.endswith("equal") and n not in ("less", "greater", "floordiv")]
)
def test_binary_gradient(name):
    f = getattr(tf.math, name)
    assert_gradient(f, [[0.5], [1.4], [3.1]], [0.75, 1.25, 2.05, 0.3], rtol=2e-6)


def test_keywords_mean_what_they_say():
    """tf.math.atan2 has y before x."""
    assert tf.math.atan2(y=1.0, x=-1.0).numpy() == np.float32(3 * math.pi / 4)
    assert tf.math.softplus(features=0.0).numpy() == np.float32(math.log(2))
    assert tf.math.real(input=1j).numpy() == 0


# -- division -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "get"),
    [("int8", "float32"), ("uint16", "float32"), ("int32", "float64"), ("uint64", "float64"), ("float16", "float16")],
)
def test_division_of_integers_gives_floats(have, get):
    x, y = tf.constant([7, 1], have), tf.constant([2, 4], have)
    for f in (tf.divide, tf.truediv, tf.math.divide_no_nan):
        assert f(x, y).dtype.name == get
        assert f(x, y).numpy().tolist() == [3.5, 0.25]


def test_rounding_of_division():
    x = [-7, 7, -7, 7]
    y = [2, 2, -2, -2]
    assert tf.math.floordiv(x, y).numpy().tolist() == [-4, 3, 3, -4]
    assert tf.math.floormod(x, y).numpy().tolist() == [1, 1, -1, -1]
    assert tf.math.floordiv([-7.0, 7.0], 2.0).numpy().tolist() == [-4.0, 3.0]
    from gradtape.math import truncatediv, truncatemod

    assert truncatediv(x, y).numpy().tolist() == [-3, 3, 3, -3]
    assert truncatemod(x, y).numpy().tolist() == [-1, 1, -1, 1]
    assert truncatediv([-7.0, 7.0], 2.0).numpy().tolist() == [-3.0, 3.0]
    for f in (tf.math.floordiv, tf.math.floormod, truncatediv):
        with pytest.raises(InvalidArgumentError, match="zero"):
            f([1], [0])


def test_no_nan():
    x = tf.constant([1.0, 0.0, -2.0, np.inf])
    zero = tf.constant([0.0, 0.0, -0.0, 0.0])
    for f, rest in (
        (tf.math.divide_no_nan, (x, zero)),
        (tf.math.multiply_no_nan, (x, zero)),
        (tf.math.reciprocal_no_nan, (zero,)),
    ):
        with tf.GradientTape() as tape:
            tape.watch(rest)
            y = f(*rest)
        assert y.numpy().tolist() == [0.0] * 4
        assert all(np.isfinite(g.numpy()[:3]).all() for g in tape.gradient(y, rest))
    for f in (tf.math.xdivy, tf.math.xlogy, tf.math.xlog1py):
        y = tf.constant([np.nan, np.inf, 0.0, -3.0])
        with tf.GradientTape() as tape:
            tape.watch([zero, y])
            out = f(zero, y)
        assert out.numpy().tolist() == [0.0] * 4
        assert [g.numpy().tolist() for g in tape.gradient(out, [zero])] == [[0.0] * 4]


def test_integers_are_rounded_to_themselves_and_halves_to_even():
    assert tf.round([1, 2]).dtype is tf.int32
    assert tf.round([0.5, 1.5, 2.5, -0.5]).numpy().tolist() == [0.0, 2.0, 2.0, -0.0]
    with pytest.raises(InvalidArgumentError):
        tf.math.rint([1, 2])


# -- logic ---------------------------------------------------------------------------------------------------------------------------


def test_logic():
    x, y = [True, False, True, False], [True, True, False, False]
    assert tf.logical_and(x, y).numpy().tolist() == [True, False, False, False]
    assert tf.logical_or(x, y).numpy().tolist() == [True, True, True, False]
    assert tf.math.logical_xor(x, y).numpy().tolist() == [False, True, True, False]
    assert tf.logical_not(x).numpy().tolist() == [False, True, False, True]
    for f in (tf.logical_and, tf.logical_or, tf.math.logical_xor):
        with pytest.raises(InvalidArgumentError):
            f(tf.constant([1]), tf.constant([0]))


def test_equal_of_strings():
    assert tf.equal(["a", "b"], "a").numpy().tolist() == [True, False]
    assert tf.not_equal("a", "b").numpy()


# -- gamma and complex functions -------------------------------------------------------------------------------------------------------


def test_polygamma():
    x = np.array([0.5, 1.0, 2.5])
    for n in range(4):
        np.testing.assert_allclose(tf.math.polygamma(float(n), tf.constant(x)).numpy(), sp.polygamma(n, x), rtol=1e-13)
        assert_gradient(lambda x, n=n: tf.math.polygamma(tf.constant(float(n), tf.float64), x), x, rtol=1e-5)
    np.testing.assert_allclose(
        tf.math.polygamma([[1.0], [2.0]], x).numpy(), sp.polygamma(np.array([[1], [2]]), x), rtol=1e-6
    )
    assert_gradient(lambda x: tf.math.polygamma(tf.constant([1.0, 2.0, 1.0], tf.float64), x), x, rtol=1e-5)
    assert np.isnan(tf.math.polygamma([1.5, -1.0, np.nan], 1.0).numpy()).all()
    assert np.isnan(tf.math.polygamma(-1.0, [1.0, 2.0]).numpy()).all()
    with pytest.raises(InvalidArgumentError):
        tf.math.polygamma(1, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_roots_written_as_powers(dtype):
    x = np.array([-np.inf, np.inf, -0.0, 0.0, np.nan, -2.0, 9.0], dtype)
    want = [np.inf, np.inf, 0.0, 0.0, np.nan, np.nan, 3.0]  # IEEE's pow, which scalars and programs follow too
    for got in ((tf.constant(x) ** 0.5).numpy(), np.array([(e**0.5).numpy() for e in tf.constant(x)])):
        assert got.dtype == dtype and not np.signbit(got[2])
        np.testing.assert_array_equal(got, want)


Z = np.array([1 + 2j, -1.5 + 0.5j, 0.3 - 0.7j, -1j])


@pytest.mark.parametrize(
    "name",
    [
        "conj",
        "real",
        "imag",
        "angle",
        "abs",
        "square",
        "exp",
        "sqrt",
        "log",
        "sin",
        "tanh",
        "reciprocal",
        "sigmoid",
        "asinh",
    ],
)
def test_complex_functions(name):
    reference = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "reciprocal": lambda z: 1 / z, "asinh": np.arcsinh}.get(
        name
    ) or getattr(np, name)
    for d, real, rtol in ((np.complex128, "float64", 1e-13), (np.complex64, "float32", 1e-6)):
        got = getattr(tf.math, name)(Z.astype(d))
        assert got.dtype.name == (real if name in ("real", "imag", "angle", "abs") else np.dtype(d).name)
        np.testing.assert_allclose(got.numpy(), reference(Z), rtol=rtol, atol=1e-7)


def test_complex_parts():
    got = tf.complex([1.0, 2.0], 3.0)
    assert got.dtype is tf.complex64 and got.numpy().tolist() == [1 + 3j, 2 + 3j]
    assert tf.complex(tf.constant(1.0, tf.float64), 2).dtype is tf.complex128
    assert_gradient(
        lambda a, b: [tf.math.real(tf.complex(a, b) * (1 + 2j)), tf.math.imag(tf.complex(a, b) ** 2)], [1.0, 2.0], 0.5
    )
    for parts in (
        (1, 2),
        (tf.constant(1.0), tf.constant(2.0, tf.float64)),
        (tf.constant(1.0, tf.float16), tf.constant(1.0, tf.float16)),
    ):
        with pytest.raises(TypeError, match="incorrect types"):
            tf.complex(*parts)
    with pytest.raises(InvalidArgumentError):
        tf.complex([1.0, 2.0], [1.0, 2.0, 3.0])
    x = tf.constant([1, 2])
    assert tf.math.real(x) is x and tf.math.conj(x) is x and tf.math.imag(x).numpy().tolist() == [0, 0]
    for f in (tf.math.real, tf.math.conj, tf.math.angle):
        with pytest.raises(TypeError):
            f([True])


def test_squared_difference_of_complex_numbers_is_a_distance():
    y = Z[::-1].copy()
    got = tf.math.squared_difference(Z, y)
    np.testing.assert_allclose(got.numpy(), np.abs(Z - y) ** 2)

    def parts(a, b, c, d):
        return tf.math.real(tf.math.squared_difference(tf.complex(a, b), tf.complex(c, d)))

    assert_gradient(parts, Z.real, Z.imag, y.real, y.imag)


# -- sums and norms ----------------------------------------------------------------------------------------------------------------------


def test_add_n():
    assert tf.add_n([1.0, 2.0, 3.0]).numpy() == 6
    assert tf.add_n((tf.constant([1.0]), tf.Variable([2.0]))).numpy().tolist() == [3.0]
    assert tf.add_n(tf.constant([1.0, 2.0])).numpy() == 3
    assert tf.add_n([tf.constant([1, 2])]).numpy().tolist() == [1, 2]
    assert_gradient(lambda a, b: tf.add_n([a, b * b, a]), [1.0, 2.0], [3.0, 4.0])
    x = tf.constant([1.0, 2.0])
    assert tf.add_n([x, x, x]).numpy().tolist() == [3.0, 6.0] and x.numpy().tolist() == [
        1.0,
        2.0,
    ]  # the inputs are not written to
    with pytest.raises(ValueError):
        tf.add_n([])
    for bad in (
        [tf.constant([1.0]), tf.constant([1.0, 2.0])],
        [tf.constant([1.0]), tf.constant([1])],
        [tf.constant([[1.0]]), tf.constant([1.0])],
        [tf.constant(True)],
    ):
        with pytest.raises(InvalidArgumentError):
            tf.add_n(bad)


def test_accumulate_n():
    xs = [tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])]
    assert tf.math.accumulate_n(xs, shape=[2], tensor_dtype=tf.float32).numpy().tolist() == [4.0, 6.0]
    for kwargs, error in (({"shape": [3]}, ValueError), ({"tensor_dtype": tf.int32}, TypeError)):
        with pytest.raises(error):
            tf.math.accumulate_n(xs, **kwargs)
    for bad in ([], [tf.constant([1.0]), tf.constant([1.0, 2.0])]):
        with pytest.raises(ValueError):
            tf.math.accumulate_n(bad)


def test_scalar_mul():
    assert tf.scalar_mul(2, tf.constant([1.0, 2.0])).numpy().tolist() == [2.0, 4.0]
    s = tf.scalar_mul(2.0, tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([3]), tf.constant([5, 1])))
    assert s.values.numpy().tolist() == [[2.0]] and s.indices.numpy().tolist() == [3] and s.shape == [5, 1]
    assert_gradient(tf.scalar_mul, 2.0, [1.0, 2.0])
    with pytest.raises(TypeError):
        tf.scalar_mul(2.0, tf.constant([1, 2]))
    for bad in ([2.0], tf.constant(2)):
        with pytest.raises(ValueError):
            tf.scalar_mul(bad, tf.constant([1.0]))


@pytest.mark.parametrize("axis", [None, 0, 1, -1, [0, 1]], ids=repr)
def test_l2_normalize(axis):
    x = np.array([[1.0, -2.0, 3.0], [0.5, 0.25, 4.0]])
    want = x / np.linalg.norm(
        x if axis not in (None, [0, 1]) else x.ravel(),
        axis=axis if isinstance(axis, int) else None,
        keepdims=isinstance(axis, int),
    )
    np.testing.assert_allclose(tf.math.l2_normalize(x, axis).numpy(), want, rtol=1e-14)
    np.testing.assert_allclose(tf.math.l2_normalize(x, dim=axis).numpy(), want, rtol=1e-14)
    assert_gradient(lambda x: tf.math.l2_normalize(x, axis), x)


def test_l2_normalize_of_nothing_and_of_complex_numbers():
    x = tf.constant([0.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.math.l2_normalize(x)
    assert y.numpy().tolist() == [0.0, 0.0] and np.isfinite(tape.gradient(y, x).numpy()).all()
    np.testing.assert_allclose(tf.math.l2_normalize(Z).numpy(), Z / np.linalg.norm(Z))
    np.testing.assert_allclose(
        tf.math.l2_normalize([1.0, 2.0], epsilon=20.0).numpy(), np.array([1, 2]) / np.sqrt(20), rtol=1e-6
    )


def test_zero_fraction():
    for x, want in (
        ([0.0, 1.0, -0.0, np.nan], 0.5),
        ([0, 1], 0.5),
        ([True, False], 0.5),
        ([["", "a"]], 0.5),
        (0.0, 1.0),
        (tf.constant([0.0], tf.float64), 1.0),
    ):
        got = tf.math.zero_fraction(x)
        assert got.dtype is tf.float32 and got.numpy() == want
    assert np.isnan(tf.math.zero_fraction([]).numpy())


def test_polyval():
    assert tf.math.polyval([2.0, 1.0, 0.0], 3.0).numpy() == 21
    assert tf.math.polyval([tf.constant(2.0), tf.constant([1.0, 2.0])], tf.constant([3.0, 4.0])).numpy().tolist() == [
        7.0,
        10.0,
    ]
    assert tf.math.polyval([], [1.0]).numpy().tolist() == [0.0]
    assert_gradient(lambda x: tf.math.polyval([2.0, 1.0, -1.0], x), [1.0, 2.0])
    with pytest.raises(ValueError, match="list"):
        tf.math.polyval(2.0, 3.0)


def test_order():
    for x, steady, strict in (
        ([1, 1, 2], True, False),
        ([1, 2, 3], True, True),
        ([2, 1], False, False),
        ([], True, True),
        ([5], True, True),
        ([[1, 2], [3, 4]], True, True),
    ):
        assert bool(tf.math.is_non_decreasing(x)) is steady
        assert bool(tf.math.is_strictly_increasing(x)) is strict
