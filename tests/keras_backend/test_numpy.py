"""keras.ops.numpy, math and linalg on gradtape: against NumPy, traced with known and with unknown sizes, and their derivatives.

Keras's own tests say more about values and dtypes; these say what they do not: that a traced program gives the same, and gradients.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import gradtape as tf
from keras_gradtape.src.ops import linalg, math, numpy

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))
M = RNG.normal(size=(2, 3, 3)) + 3 * np.eye(3)
V, W = RNG.normal(size=5), RNG.normal(size=3)
P = np.abs(A) + 0.5
NAN = np.where(A > 0.8, np.nan, A)
N, K = np.array([[4, 6, 9]], np.int32), np.array([[6], [8]], np.int32)


def case(name: str, *args: Any, **kwargs: Any) -> Any:
    return pytest.param(name, args, kwargs, id=f"{name}-{len(args)}{''.join(['-' + k for k in kwargs])}")


def many(names: str, *args: Any, **kwargs: Any) -> list:
    return [case(name, *args, **kwargs) for name in names.split()]


LIKE_NUMPY = [
    *many("abs ceil floor exp exp2 expm1 sin cos tan sinh cosh tanh arctan arcsinh sinc cbrt square sign signbit trunc", A),
    *many("log log2 log10 log1p sqrt reciprocal deg2rad rad2deg i0", P),
    *many("add subtract multiply divide maximum minimum fmax fmin hypot arctan2 logaddexp logaddexp2 fmod mod", A, B),
    *many("floor_divide greater less_equal not_equal heaviside nextafter isclose vdot outer kron append", A, B),
    *many("gcd lcm bitwise_and bitwise_or bitwise_xor left_shift right_shift", N, K),
    *many("sum prod mean var std max min ptp argmax argmin median cumsum cumprod sort argsort diff flip all any", A, axis=1),
    *many("nansum nanprod nanmean nanvar nanstd nanmax nanmin nanmedian nancumsum nancumprod nanargmax nanargmin", NAN, axis=0),
    *[case("quantile", A, np.array([0.1, 0.5, 0.7]), axis=1, method=m) for m in ("linear", "lower", "higher", "midpoint", "nearest")],
    case("nanquantile", NAN, 0.3, axis=1, keepdims=True),
    case("average", A, axis=1, weights=np.arange(4.0)),
    case("percentile", A, 30.0),
    case("inner", V, V), case("dot", M, W), case("dot", A, B.T), case("matmul", M, M), case("matmul", M, W), case("tensordot", A, B, axes=[[0], [0]]),
    case("cross", M, W), case("correlate", V, W, mode="same"), case("correlate", W, V, mode="full"), case("corrcoef", A),
    case("trace", M, offset=1, axis1=1, axis2=2), case("diagonal", M, axis1=1, axis2=2), case("tril", M, k=-1), case("triu", A, k=1),
    case("vander", V, 4), case("trapezoid", A, axis=0), case("trapezoid", A, np.arange(4.0)),
    case("rot90", A), case("rot90", A, 3), case("roll", A, 2), case("roll", A, (1, -1), axis=(0, 1)), case("moveaxis", M, 0, -1),
    case("repeat", A, 2, axis=1), case("tile", A, (2, 1, 2)), case("squeeze", A[None], axis=0), case("swapaxes", M, 0, 2),
    case("take", A, np.array([0, -1]), axis=1), case("take_along_axis", A, np.array([[0, 1, 2, -1]]), axis=0), case("nan_to_num", NAN),
    case("searchsorted", np.sort(V), W), case("digitize", W, np.sort(V)), case("digitize", W, np.sort(V)[::-1].copy()), case("isin", N, K),
    case("clip", A, -0.5, 0.5), case("round", A, 2), case("linspace", V, V + 1, 7, endpoint=False, axis=-1), case("geomspace", P, 9 * P, 5),
    case("unravel_index", N, (5, 2)), case("ravel", A),
]  # fmt: skip


def flat(x: Any) -> list:
    return [np.asarray(v) for v in keras.tree.flatten(x)]


@pytest.mark.parametrize("sizes", ["eager", "known", "unknown"])
@pytest.mark.parametrize("name, args, kwargs", LIKE_NUMPY)
def test_like_numpy(name, args, kwargs, sizes):
    f = getattr(numpy, name)
    wanted = getattr(np, name)(*args, **kwargs)
    at = [i for i, a in enumerate(args) if isinstance(a, np.ndarray)]

    def run(*xs):
        given = list(args)
        for i, x in zip(at, xs, strict=True):
            given[i] = x
        return f(*given, **kwargs)

    if sizes != "eager":
        dims = [[None] * a.ndim if sizes == "unknown" else a.shape for a in args if isinstance(a, np.ndarray)]
        if name == "cross":
            dims[1:] = [args[1].shape]  # whether vectors have 2 or 3 components must be known
        run = tf.function(run, input_signature=[tf.TensorSpec(d, args[i].dtype) for i, d in zip(at, dims, strict=True)])
    for got, want in zip(flat(run(*[tf.constant(args[i]) for i in at])), flat(wanted), strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-9 if got.dtype.itemsize == 8 else 1e-5, atol=1e-12)


SMOOTH = [
    *[(numpy, n, (A,), {}) for n in ("sinc", "cbrt", "exp2", "median", "nanmean", "nanvar", "corrcoef", "std")],
    *[
        (numpy, n, (P, B), {})
        for n in ("hypot", "logaddexp", "logaddexp2", "power", "fmax", "divide_no_nan", "outer", "kron")
    ],
    (numpy, "quantile", (A, 0.3), {"axis": 1}),
    (numpy, "cross", (M, W), {}),
    (numpy, "correlate", (V, W), {"mode": "full"}),
    (numpy, "vander", (V, 4), {}),
    (numpy, "take_along_axis", (A, np.array([[0, 1, 2, -1]])), {"axis": 0}),
    (numpy, "pad", (A, ((1, 2), (0, 5))), {"mode": "wrap"}),
    (numpy, "pad", (A, ((1, 2), (3, 1))), {"mode": "reflect"}),
    (numpy, "trapezoid", (A,), {}),
    (numpy, "geomspace", (P, 9 * P, 4), {}),
    (numpy, "matmul", (M, W), {}),
    (math, "logsumexp", (A,), {"axis": 1}),
    (math, "cdist", (A, B), {}),
    (math, "logdet", (M,), {}),
    (math, "segment_max", (A, np.array([1, 0, 1]), 3), {}),
    (linalg, "lstsq", (RNG.normal(size=(4, 3)), RNG.normal(size=(4,))), {}),
    (linalg, "norm", (A,), {"ord": 3, "axis": 1}),
    (linalg, "norm", (A,), {"ord": "nuc"}),
    (linalg, "lu_factor", (M,), {}),
    (linalg, "lu_factor", (RNG.normal(size=(4, 3)),), {}),
    (linalg, "lu_factor", (RNG.normal(size=(3, 5)),), {}),
    (linalg, "solve_triangular", (M[0], W), {"lower": True}),
    (linalg, "solve_triangular", (M, M[:, 0]), {}),
]


@pytest.mark.parametrize("module, name, args, kwargs", SMOOTH, ids=[f"{c[1]}-{i}" for i, c in enumerate(SMOOTH)])
def test_gradient(module, name, args, kwargs):
    f = getattr(module, name)
    at = [i for i, a in enumerate(args) if isinstance(a, np.ndarray) and a.dtype == np.float64]

    def total(*xs):
        given = list(args)
        for i, x in zip(at, xs, strict=True):
            given[i] = x
        parts = [p for p in keras.tree.flatten(f(*given, **kwargs)) if p.dtype.is_floating]
        parts = [tf.where(tf.math.is_finite(p), p, 0.0) for p in parts]
        return sum([tf.reduce_sum(p * np.cos(np.arange(np.prod(p.shape))).reshape(p.shape)) for p in parts])

    xs = [tf.constant(args[i]) for i in at]
    with tf.GradientTape() as tape:
        tape.watch(xs)
        y = total(*xs)
    gradients = tape.gradient(y, xs)
    way = [np.sin(1 + np.arange(x.shape.num_elements()) * (k + 2)).reshape(x.shape) for k, x in enumerate(xs)]
    h = 1e-5
    slope = (
        total(*[x + h * w for x, w in zip(xs, way, strict=True)])
        - total(*[x - h * w for x, w in zip(xs, way, strict=True)])
    ) / (2 * h)
    along = sum([np.sum(np.asarray(tf.convert_to_tensor(g)) * w) for g, w in zip(gradients, way, strict=True)])
    np.testing.assert_allclose(along, slope, rtol=1e-6, atol=1e-7)


def test_derivatives_at_edges():
    def slope(f, x, order=1):
        x = tf.constant(x, tf.float64)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = f(x)
            g = inner.gradient(y, x)
        return (g if order == 1 else outer.gradient(g, x)).numpy()

    assert slope(numpy.sinc, 0.0) == 0
    np.testing.assert_allclose(slope(numpy.sinc, 0.0, 2), -(np.pi**2) / 3)
    assert slope(lambda x: numpy.logaddexp(x, x), np.inf) == 1
    assert slope(lambda x: numpy.hypot(x, 0.0 * x), 3.0) == 1
    assert np.all(slope(lambda x: math.cdist(x, x), [[1.0, 2.0]]) == 0)
    np.testing.assert_allclose(slope(lambda x: numpy.vander(x, 3), [0.0]), [1.0])


@pytest.mark.parametrize(
    "kinds, result",
    [
        (("float32", "int"), "float32"),
        (("int8", "float"), "float32"),
        (("bfloat16", "float16"), "float32"),
        (("float16", "float"), "float16"),
        (("uint32", "int32"), "int32"),
        (("float64", "float32"), "float64"),
        (("int64", "int32"), "int64"),
        (("int64", "float32"), "float32"),
        (("bool", "bool"), "bool"),
        (("complex64", "float"), "complex64"),
    ],
)
def test_result_type(kinds, result):
    from keras_gradtape.src.ops._promotion import result_type

    assert result_type(*[{"int": int, "float": float}.get(k, k) for k in kinds]) == result


def test_numbers_do_not_widen():
    x = tf.ones([2], tf.float32)
    for number in (2, 2.0, np.float64(2.0), True):
        assert numpy.add(x, number).dtype.name == numpy.multiply(number, x).dtype.name == "float32"
    assert numpy.add(tf.ones([2], tf.int32), np.int64(2)).dtype.name == "int32"


def test_embedding_gradient_is_sparse():
    v = keras.Variable(np.ones((5, 2), "float32"))
    with tf.GradientTape() as tape:
        y = numpy.take(v, [1, -1, 1], axis=0)
    g = tape.gradient(y, v.value)
    assert isinstance(g, tf.IndexedSlices)
    assert np.asarray(tf.convert_to_tensor(g))[:, 0].tolist() == [0, 2, 0, 0, 1]


@pytest.mark.parametrize("name", ["numpy", "math", "linalg"])
def test_interface(name):
    """Each function of Keras's JAX backend is there, with the same parameters."""
    source = (Path(keras.src.__file__).parent / "backend" / "jax" / f"{name}.py").read_text()
    module = importlib.import_module(f"keras_gradtape.src.ops.{name}")
    wanted = {n.name: n.args for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"}
    assert len(wanted) == {"numpy": 219, "math": 21, "linalg": 16}[name]
    for f, args in wanted.items():
        got = [p.name for p in inspect.signature(getattr(module, f)).parameters.values()]
        star = [args.vararg.arg] if args.vararg else []
        assert got == [a.arg for a in args.args] + star + [a.arg for a in args.kwonlyargs] + (
            [args.kwarg.arg] if args.kwarg else []
        )


def test_errors():
    with pytest.raises(ValueError, match="equal parts"):
        numpy.split(np.arange(5), 2)
    with pytest.raises(ValueError, match="constant_values"):
        numpy.pad(A, 1, mode="reflect", constant_values=1)
    with pytest.raises(ValueError, match="does not fit"):
        numpy.view(np.arange(3, dtype="int16"), "int32")
    with pytest.raises(ValueError, match="rank >= 2"):
        linalg.pinv(V)
    with pytest.raises(TypeError, match="integer"):
        numpy.ldexp(V, V)
    with pytest.raises(ValueError, match="axis"):
        linalg.norm(V, axis=1)
