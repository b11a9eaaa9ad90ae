"""compile and function: arrays in, arrays out."""

import threading

import numpy as np
import pytest

import gradtape as tf
from gradtape import symbolic as S

x, y = S.variables("x y")
e = tf.sin(x) * y + x * x / (1 + y * y)


def numpys(a, b):
    return np.sin(a) * b + a * a / (1 + b * b)


@pytest.fixture(params=["1", "0"], ids=["native", "numpy"])
def engine(request, monkeypatch):
    monkeypatch.setenv("GRADTAPE_NATIVE", request.param)


@pytest.mark.parametrize(
    "shapes",
    [
        ((), ()),
        ((5,), ()),
        ((), (5,)),
        ((3, 1), (1, 4)),
        ((0,), ()),
        ((1,), (1,)),
        ((2, 3), (3,)),
        ((100_001,), (100_001,)),
        ((1,), (70_000,)),
    ],
)
def test_shapes_broadcast(shapes, engine):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=s) for s in shapes)
    f = S.compile([e, e.diff(x)], [x, y])
    got, slope = f(a, b)
    np.testing.assert_allclose(got, numpys(a, b), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(slope, np.cos(a) * b + 2 * a / (1 + b * b), rtol=1e-13, atol=1e-14)
    assert got.shape == np.broadcast_shapes(*shapes) and got.dtype == np.float64
    assert shapes != ((), ()) or isinstance(got, np.float64)


def test_kinds_of_arguments(engine):
    f = S.compile(e, [x, y])
    want = numpys(np.array([1.0, 2.0, 3.0]), 2.0)
    a = np.arange(1, 13.0)
    for given in (
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        np.array([1, 2, 3], np.int8),
        a[:3],
        np.arange(1, 4, dtype=np.float32),
        np.array([1, 9, 2, 9, 3])[::2],
        a[2::-1][::-1],
    ):
        np.testing.assert_allclose(f(given, 2), want, rtol=1e-13)
    single = S.compile(e, [x, y], dtype="float32")(np.float32([1, 2, 3]), 2)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, want, rtol=1e-6)


def test_outputs_that_are_inputs_numbers_or_twice_the_same(engine):
    f = S.compile([x, S.Const(2.5), e, e, y, x * 1, S.Const(1) + 2], [x, y])
    a = np.linspace(0, 1, 7)
    for b in (a + 1, 3.0):
        got = f(a, b)
        for g, w in zip(got, [a, 2.5, numpys(a, b), numpys(a, b), b, a, 3.0], strict=True):
            np.testing.assert_allclose(g, np.broadcast_to(w, 7), rtol=1e-14)
    assert all(not np.shares_memory(g, a) for g in f(a, a))
    assert S.compile(S.Const(4), [])() == 4.0
    assert S.compile({"a": x}["a"], [x])(3) == 3.0


def test_truth_values(engine):
    f = S.compile([x > y, tf.where((x > 0) & (y > 0), x, y), tf.logical_not(x > y)], [x, y])
    a, b = np.array([1.0, -1, 2]), np.array([0.5, 3, 4])
    more, chosen, less = f(a, b)
    assert more.dtype == bool and more.tolist() == [True, False, False] and less.tolist() == [False, True, True]
    assert chosen.tolist() == [1, 3, 2]


def test_special_numbers(engine):
    f = S.compile([tf.sqrt(x), tf.math.log(x), 1 / x, x**-2, tf.maximum(x, 0.0), x * 0], [x])
    a = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 4.0])
    with np.errstate(all="ignore"):
        want = [np.sqrt(a), np.log(a), 1 / a, 1 / (a * a), np.maximum(a, 0), a * 0]
    for g, w in zip(f(a), want, strict=True):
        np.testing.assert_array_equal(np.isnan(g), np.isnan(w))
        np.testing.assert_allclose(g, w, rtol=1e-14)


@pytest.mark.parametrize("n", [*range(-17, 18), 0.5, -0.5, 1.5, 100])
def test_powers(n, engine):
    a = np.linspace(0.5, 2, 9)
    np.testing.assert_allclose(S.compile(x**n, [x])(a), a ** float(n), rtol=1e-14)


def test_equal_operations_are_done_once():
    s = S.compile([x * y + 1, y * x + 1, tf.sin(x * y), (x * y) ** 2], [x, y])
    assert s.operations == 4  # the product, the sum, the sine, the square


def test_rows_without_native_code_run_their_kernels(engine):
    import scipy.special

    f = S.compile(tf.math.lgamma(x) * y + tf.math.digamma(x), [x, y])
    a = np.linspace(0.5, 3, 9001)
    np.testing.assert_allclose(f(a, 2.0), scipy.special.gammaln(a) * 2 + scipy.special.psi(a), rtol=1e-13)
    np.testing.assert_allclose(f(2.0, a), scipy.special.gammaln(2.0) * a + scipy.special.psi(2.0), rtol=1e-13)


def test_long_formulas():
    """More intermediate results than fit into any cache, and more constants than registers."""
    rng = np.random.default_rng(1)
    parts = [tf.sin(float(c) * x) for c in rng.normal(size=300)]
    total = parts[0]
    for p, c in zip(parts[1:], rng.normal(size=299), strict=True):
        total = total + float(c) * p
    backwards = parts[-1]
    for p in parts[-2::-1]:  # the first ones are needed last
        backwards = backwards * 0.5 + p
    a = np.linspace(-1, 1, 10_001)
    got = S.compile([total, backwards], [x])(a)
    want = [S.evaluate(total, {x: a}), S.evaluate(backwards, {x: a})]
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-11)


def test_many_threads_at_once():
    f = S.compile([e, tf.math.lgamma(x + 3)], [x, y])
    arrays = [np.linspace(0, k + 1, 50_000) for k in range(6)]
    found = {}
    work = [
        threading.Thread(target=lambda k=k: found.update({k: [f(arrays[k], 0.5) for _ in range(5)]})) for k in range(6)
    ]
    for t in work:
        t.start()
    for t in work:
        t.join()
    for k, results in found.items():
        for r in results:
            np.testing.assert_allclose(r[0], numpys(arrays[k], 0.5), rtol=1e-12, atol=1e-14)
    assert len(found) == 6


def test_tensors_and_gradients():
    f = S.compile(e, [x, y])
    t, u = tf.constant([1.0, 2.0], tf.float64), tf.constant(0.5, tf.float64)
    assert isinstance(f(t, u), tf.Tensor) and isinstance(f(t, 0.5), tf.Tensor)
    with tf.GradientTape() as tape:
        tape.watch(t)
        z = f(t, u)
    np.testing.assert_allclose(tape.gradient(z, t).numpy(), S.compile(e.diff(x), [x, y])([1, 2], 0.5), rtol=1e-12)
    v = tf.Variable([1.0, 2.0], dtype=tf.float64)
    with tf.GradientTape() as tape:
        z = f(v, 0.5)
    assert tape.gradient(z, v) is not None
    inside = tf.function(lambda a: f(a, 0.5) * 2)
    np.testing.assert_allclose(inside(t).numpy(), 2 * f([1, 2], 0.5), rtol=1e-12)
    assert f(x, y * 0 + 1) is not None  # expressions too


def test_function_of_tensors():
    g = S.function([e, x > y], [x, y])
    for dtype in ("float32", "float64"):
        a, b = tf.constant([1.0, 2.0], dtype), tf.constant(1.5, dtype)
        value, more = g(a, b)
        assert value.dtype == dtype and more.numpy().tolist() == [False, True]
        np.testing.assert_allclose(value.numpy(), numpys(a.numpy(), b.numpy()), rtol=1e-6)


def test_errors():
    f = S.compile(e, [x, y])
    with pytest.raises(TypeError, match=r"takes 2 arguments \(x, y\), but got 1"):
        f(1.0)
    with pytest.raises(ValueError, match="broadcast"):
        f([1, 2, 3], [1, 2])
    with pytest.raises(TypeError, match="'x' must be real numbers"):
        f(1j, 2)
    with pytest.raises(TypeError, match="'x' must be real numbers"):
        f("1", 2)
    with pytest.raises(ValueError, match=r"args lacks the variables \['y'\]"):
        S.compile(e, [x])
    with pytest.raises(ValueError, match="twice"):
        S.compile(e, [x, y, x])
    with pytest.raises(TypeError, match="not 'x'"):
        S.compile(e, ["x", y])
    with pytest.raises(TypeError, match="float32 or float64"):
        S.compile(e, dtype="float16")
    with pytest.raises(TypeError, match="int32"):
        S.compile(S.Var("n", dtype="int32") + 1)


def test_llvm_sees_no_formula(monkeypatch):
    """Once the code of the rows is there, making a new formula of them ready compiles nothing."""
    from gradtape.engines.native.host import Host

    def made(k):
        u, v = S.variables("u v")
        f = (tf.sin(k * u) * v + u * u / (k + v * v)) * tf.exp(-u * v) - k
        return S.compile([f, f.diff(u), f.diff(v)], [u, v])([1.0, 2.0], [3.0, 4.0])

    first = made(1.5)

    def refuse(self, ir):
        raise AssertionError("LLVM was asked to compile:\n" + ir[:500])

    monkeypatch.setattr(Host, "object_code", refuse)
    assert not np.array_equal(made(2.5), first)
    np.testing.assert_array_equal(made(1.5), first)
