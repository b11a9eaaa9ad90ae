"""Derivatives of functions as functions, each against the others, differences and formulas."""

from collections import namedtuple

import numpy as np
import pytest

import gradtape as tf
from gradtape import autodiff as ad
from gradtape.ground.errors import InvalidArgumentError

from .values import value, values

Point = namedtuple("Point", "a b")
RNG = np.random.default_rng(0)
W = tf.constant(RNG.normal(size=(3, 4)))
X = tf.constant(RNG.normal(size=3))


def layer(x):
    return tf.tanh(tf.linalg.matvec(W, x, transpose_a=True))


def rosenbrock(x):
    return tf.reduce_sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def close(got, want, rtol=1e-10):
    """Two nests of one form, with values that agree."""
    tf.nest.assert_same_structure(got, want, check_types=False)
    for g, w in zip(tf.nest.flatten(got), tf.nest.flatten(want), strict=True):
        np.testing.assert_allclose(np.asarray(g), np.asarray(w), rtol=rtol, atol=1e-12)
        assert np.shape(g) == np.shape(w)


def differences(f, x, h=1e-5):
    """The Jacobian of ``f`` at the array ``x``."""
    columns = []
    for i in np.ndindex(*np.shape(x)):
        step = np.zeros(np.shape(x))
        step[i] = h
        at = lambda s: np.asarray(f(tf.constant(x + s * step)))  # noqa: B023
        columns.append((8 * (at(1) - at(-1)) - at(2) + at(-2)) / (12 * h))
    return np.stack(columns, -1).reshape(*columns[0].shape, *np.shape(x))


# -- products -------------------------------------------------------------------------------------------------------------


def test_jvp_and_vjp_are_adjoint():
    t, u = tf.constant(RNG.normal(size=3)), tf.constant(RNG.normal(size=4))
    y, push = ad.jvp(layer, [X], [t])
    z, pullback = ad.vjp(layer, X)
    close(y, layer(X))
    close(z, layer(X))
    (back,) = pullback(u)
    close(tf.tensordot(u, push, 1), tf.tensordot(back, t, 1))
    close(push, differences(layer, X.numpy()) @ t.numpy(), 1e-8)


def test_linearize_runs_the_function_once():
    runs = []

    def f(x, y):
        runs.append(1)
        return {"p": layer(x) * y, "q": tf.reduce_sum(x) + tf.constant(0.0, tf.float64)}, tf.sqrt(y)

    y = tf.constant(2.0, tf.float64)
    out, derivative = ad.linearize(f, X, y)
    for _ in range(2):
        t = [tf.constant(RNG.normal(size=3)), tf.constant(RNG.normal(), tf.float64)]
        got = derivative(*t)
        assert len(runs) == 1
        want, pushed = ad.jvp(f, [X, y], t)
        close(out, want)
        close(got, pushed)
        runs.clear()
        runs.append(1)


def test_linearize_of_what_has_cotangents_that_are_zero():
    """sqrt, softmax, logsumexp, max: rules that must be linear where the cotangent is 0."""
    for f in (
        tf.sqrt,
        tf.nn.softmax,
        tf.reduce_logsumexp,
        tf.reduce_max,
        tf.norm,
        lambda x: tf.math.cumulative_logsumexp(x),
    ):
        x, t = tf.constant([0.5, 1.5, 1.0]), tf.constant([1.0, 2.0, -1.0])
        _, derivative = ad.linearize(f, x)
        close(derivative(t), ad.jvp(f, [x], [t])[1], 1e-5)


def test_pullbacks_of_nests():
    def f(p, s):
        return Point(p.a * s, [p.b + s, tf.constant([1.0])])

    p = Point(tf.constant([1.0, 2.0]), tf.constant(3.0))
    y, pullback = ad.vjp(f, p, 2.0)
    assert isinstance(y, Point)
    of_p, of_s = pullback(Point(tf.constant([1.0, 10.0]), [5.0, tf.constant([7.0])]))
    assert isinstance(of_p, Point) and values(of_p) == [[2.0, 20.0], 5.0] and value(of_s) == 26.0
    y, t = ad.jvp(f, [p, 2.0], [Point(tf.ones(2), 1.0), 1.0])
    assert isinstance(t, Point) and value(t.a) == [3.0, 4.0] and values(t.b) == [2.0, [0.0]]
    with pytest.raises((ValueError, TypeError)):
        pullback([tf.ones(2), 1.0])


def test_products_with_variables():
    v = tf.Variable([1.0, 2.0])
    y, t = ad.jvp(lambda v: v * v, [v], [tf.constant([1.0, 0.0])])
    assert values([y, t]) == [[1.0, 4.0], [2.0, 0.0]]
    assert values(ad.vjp(lambda v: v * v, v)[1](tf.ones(2))) == [[2.0, 4.0]]
    assert value(ad.grad(lambda v: tf.reduce_sum(v * v))(v)) == [2.0, 4.0]
    assert value(ad.jacfwd(lambda v: v * v)(v)) == [[2.0, 0.0], [0.0, 4.0]]
    assert value(ad.jacrev(lambda v: v * v)(v)) == [[2.0, 0.0], [0.0, 4.0]]


def test_has_aux():
    f = lambda x: (x * x, {"seen": x + 1})
    y, t, aux = ad.jvp(f, [3.0], [1.0], has_aux=True)
    assert values([y, t, aux["seen"]]) == [9.0, 6.0, 4.0]
    y, pullback, aux = ad.vjp(f, 3.0, has_aux=True)
    assert values([y, *pullback(1.0), aux["seen"]]) == [9.0, 6.0, 4.0]
    (y, aux), g = ad.value_and_grad(f, has_aux=True)(3.0)
    assert values([y, aux["seen"], g]) == [9.0, 4.0, 6.0]
    g, aux = ad.grad(f, has_aux=True)(3.0)
    assert values([g, aux["seen"]]) == [6.0, 4.0]
    for jac in (ad.jacfwd, ad.jacrev, ad.jacobian, ad.hessian):
        j, aux = jac(f, has_aux=True)(3.0)
        assert values([j, aux["seen"]]) == [2.0 if jac is ad.hessian else 6.0, 4.0]
    for call in (lambda f: ad.grad(f, has_aux=True)(3.0), lambda f: ad.jvp(f, [3.0], [1.0], has_aux=True)):
        with pytest.raises(TypeError, match="must return a pair"):
            call(lambda x: x * x)


# -- gradients ------------------------------------------------------------------------------------------------------------


def f3(x, n, y, scale=1.0, flip=False):
    return scale * x**n * y * (-1.0 if flip else 1.0)


def test_argnums_and_keyword_arguments():
    assert value(ad.grad(f3)(2.0, 3, 5.0)) == 60.0
    assert values(ad.grad(f3, (0, 2))(2.0, 3, 5.0)) == [60.0, 8.0]
    assert values(ad.grad(f3, [2])(2.0, 3, 5.0)) == [8.0]
    assert value(ad.grad(f3, -1)(2.0, 3, 5.0)) == 8.0
    assert value(ad.grad(f3, 2)(2.0, 3, 5.0, scale=2.0, flip=True)) == -16.0
    y, g = ad.value_and_grad(f3, (2, 0))(2.0, 3, 5.0)
    assert value(y) == 40.0 and values(g) == [8.0, 60.0]


def test_gradients_have_the_arguments_form():
    def loss(p, q):
        return tf.reduce_sum(p["w"] * p["b"][0]) + q.a

    p = {"w": np.array([1.0, 2.0]), "b": (tf.constant(3.0, tf.float64), [4.0])}
    gp, gq = ad.grad(loss, (0, 1))(p, Point(tf.constant(1.0, tf.float64), 2.0))
    assert value(gp["w"]) == [3.0, 3.0] and value(gp["b"][0]) == 3.0 and value(gp["b"][1][0]) == 0.0
    assert isinstance(gq, Point) and values(gq) == [1.0, 0.0]


def test_the_same_tensor_twice_is_two_arguments():
    x = tf.constant(3.0)
    assert values(ad.grad(lambda a, b: a * a * b, (0, 1))(x, x)) == [18.0, 9.0]
    assert values(ad.jvp(lambda a, b: a * a * b, [x, x], [1.0, 0.0])) == [27.0, 18.0]


def test_gradients_of_gathered_rows_are_dense():
    g = ad.grad(lambda w: tf.reduce_sum(tf.gather(w, [0, 0, 2]) ** 2))(tf.constant([[1.0], [2.0], [3.0]]))
    assert value(g) == [[4.0], [0.0], [6.0]]


def test_higher_derivatives_by_composition():
    f = lambda x: tf.sin(x) * x**2
    d3 = ad.grad(ad.grad(ad.grad(f)))
    x = 0.7
    want = (6 - x**2) * -np.sin(x) * -1 - 6 * x * np.sin(x) - np.cos(x) * x**2
    want = 6 * np.cos(x) - 6 * x * np.sin(x) - x**2 * np.cos(x)
    np.testing.assert_allclose(value(d3(tf.constant(x, tf.float64))), want, rtol=1e-12)
    np.testing.assert_allclose(value(tf.function(d3)(tf.constant(x, tf.float64))), want, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ad.grad(lambda x: x * x)(3), "Argument 0 must be floating.*int32"),
        (lambda: ad.grad(lambda x: x * x)([1.0, 2]), "int32"),
        (lambda: ad.grad(lambda x: x * x)(tf.ones(2)), r"scalar result, but this one gave float32\[2\]"),
        (lambda: ad.grad(lambda x: tf.argmax(x))(tf.ones(2)), "floating scalar result"),
        (lambda: ad.grad(lambda x: x, 1)(1.0), "argnums names argument 1, but the function was given 1"),
        (lambda: ad.grad(lambda x, y: x, (0, -2))(1.0, 2.0), "twice"),
        (lambda: ad.grad(lambda x: x, "x")(1.0), "argnums names argument 'x'"),
        (lambda: ad.jvp(lambda x: x, [1.0], [1.0, 2.0]), "1 primals and 2 tangents"),
        (lambda: ad.jvp(lambda x: x, [1], [1]), "Primal 0 must be floating"),
        (lambda: ad.vjp(lambda x: x, 1), "Primal 0 must be floating"),
        (lambda: ad.jacfwd(lambda x: x)(1), "Argument 0 must be floating"),
        (lambda: ad.jacrev(lambda x: x, chunk_size=0), "chunk_size must be a positive int"),
        (lambda: ad.hessian(lambda x: x * x)(tf.ones(2)), "scalar result"),
    ],
)
def test_wrong_input(call, text):
    with pytest.raises(InvalidArgumentError, match=text):
        call()


def test_wrong_kinds_of_input():
    with pytest.raises(TypeError, match="must be lists"):
        ad.jvp(lambda x: x, 1.0, 1.0)
    with pytest.raises(ValueError, match="mode must be 'auto', 'forward' or 'reverse', but is 'back'"):
        ad.jacobian(lambda x: x, mode="back")
    with pytest.raises(ValueError, match=r"shape and dtype float32\[2\]"):
        ad.jvp(lambda x: x, [tf.ones(2)], [tf.ones(3)])
    with pytest.raises(ValueError, match="number of elements"):
        ad.linearize(tf.sin, 1.0)[1](1.0, 2.0)
    with pytest.raises(InvalidArgumentError, match=r"tangent of an argument must be float32\[\], but is float32\[2\]"):
        ad.linearize(tf.sin, 1.0)[1](tf.ones(2))
    with pytest.raises(InvalidArgumentError, match=r"cotangent of a result must be float32\[2\], but is float64\[2\]"):
        ad.vjp(tf.sin, tf.ones(2))[1](tf.ones(2, tf.float64))


def test_names_and_docstrings_are_those_of_the_function():
    for d in (ad.grad, ad.value_and_grad, ad.jacfwd, ad.jacrev, ad.jacobian, ad.vmap, ad.hessian):
        assert d(f3).__name__ == "f3" and d(differences).__doc__ == differences.__doc__
    assert ad.grad(tf.function(rosenbrock)).__name__ == "rosenbrock"


def test_defaults_of_the_function_are_no_arguments_inside_a_function():
    """What argnums=-1 names does not depend on who calls."""
    g = ad.grad(f3, -1)
    assert value(g(2.0, tf.constant(3.0), 5.0)) == value(tf.function(g)(2.0, tf.constant(3.0), 5.0)) == 8.0


# -- Jacobians and Hessians -----------------------------------------------------------------------------------------------

WAYS = {
    "jacfwd": ad.jacfwd, "jacrev": ad.jacrev, "jacobian": ad.jacobian, "forward": lambda f, n=0, **k: ad.jacobian(f, n, mode="forward", **k),
    "reverse": lambda f, n=0, **k: ad.jacobian(f, n, mode="reverse", **k), "chunked forward": lambda f, n=0, **k: ad.jacfwd(f, n, chunk_size=2, **k),
    "chunked reverse": lambda f, n=0, **k: ad.jacrev(f, n, chunk_size=3, **k),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["eager", "in a function", "of a function"])
def test_jacobians(way, how):
    jac = WAYS[way]
    for f, x in (
        (layer, X),
        (lambda x: x[:2] * x[1:], X),
        (rosenbrock, X),
        (lambda x: tf.stack([x, x * x, tf.sin(x)]), tf.constant(0.3, tf.float64)),
    ):
        of = tf.function(f) if how == "of a function" else f
        j = tf.function(jac(of)) if how == "in a function" else jac(of)
        got = j(x)
        assert got.dtype is x.dtype
        np.testing.assert_allclose(got.numpy(), differences(f, x.numpy()), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("way", WAYS)
def test_jacobians_of_nests(way):
    def f(p, n, v):
        return {"y": p["a"] * v, "z": [tf.reduce_sum(p["b"]) * tf.ones([2, 1]) * n]}

    a, b, v = tf.constant([1.0, 2.0, 3.0]), tf.constant([[1.0, 2.0]]), tf.constant(4.0)
    j = WAYS[way](f, (0, 2))({"a": a, "b": b}, 3, v)
    (ya, yv), (za, zv) = j["y"], j["z"][0]
    assert value(ya["a"]) == np.diag([4.0] * 3).tolist() and value(ya["b"]) == np.zeros((3, 1, 2)).tolist()
    assert value(yv) == [1.0, 2.0, 3.0]
    assert value(za["a"]) == np.zeros((2, 1, 3)).tolist() and value(za["b"]) == np.full((2, 1, 1, 2), 3.0).tolist()
    assert value(zv) == [[0.0], [0.0]]
    single = WAYS[way](f, 2)({"a": a, "b": b}, 3, v)
    assert value(single["y"]) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("way", WAYS)
def test_jacobians_of_nothing(way):
    empty = tf.zeros([0, 2])
    assert WAYS[way](lambda x: x * x)(empty).shape == (0, 2, 0, 2)
    assert WAYS[way](lambda x: x[:0])(tf.ones(3)).shape == (0, 3)
    assert WAYS[way](lambda x: tf.reduce_sum(x))(empty).shape == (0, 2)
    assert value(WAYS[way](lambda x: tf.constant([1.0, 2.0]))(tf.ones(1))) == [[0.0], [0.0]]


def test_the_mode_goes_by_the_number_of_inputs_and_outputs(monkeypatch):
    import gradtape.gradient.functions as functions

    chosen = []
    for mode in ("jacfwd", "jacrev"):
        real = getattr(functions, mode)
        monkeypatch.setattr(functions, mode, lambda *a, real=real, mode=mode: (chosen.append(mode), real(*a))[1])
    ad.jacobian(lambda x: tf.stack([x, x]))(1.0)
    ad.jacobian(lambda x: tf.reduce_sum(x))(tf.ones(3))
    ad.jacobian(lambda x, y: (x, y), (0, 1))(tf.ones(3), 1.0)
    assert chosen == ["jacfwd", "jacrev", "jacrev"]


def test_jacobians_with_complex_numbers():
    x = tf.constant([1.0 + 2.0j, 0.5 - 1.0j])
    forward = ad.jacfwd(lambda x: x * x)(x)
    np.testing.assert_allclose(forward.numpy(), np.diag(2 * x.numpy()))
    np.testing.assert_allclose(ad.jacrev(lambda x: x * x)(x).numpy(), np.diag(2 * x.numpy()).conj())  # as the tape's


@pytest.mark.parametrize("how", ["eager", "in a function", "of a function"])
def test_hessians(how):
    f = tf.function(rosenbrock) if how == "of a function" else rosenbrock
    h = ad.hessian(f)
    h = tf.function(h) if how == "in a function" else h
    x = tf.constant(RNG.normal(size=5))
    by_hand = np.zeros((5, 5))
    a = x.numpy()
    for i in range(4):
        by_hand[i, i] += 1200 * a[i] ** 2 - 400 * a[i + 1] + 2
        by_hand[i + 1, i + 1] += 200
        by_hand[i, i + 1] = by_hand[i + 1, i] = -400 * a[i]
    np.testing.assert_allclose(h(x).numpy(), by_hand, rtol=1e-12)
    np.testing.assert_allclose(ad.jacrev(ad.grad(f))(x).numpy(), by_hand, rtol=1e-12)
    np.testing.assert_allclose(ad.jacrev(ad.jacfwd(f))(x).numpy(), by_hand, rtol=1e-12)
    np.testing.assert_allclose(ad.jacfwd(ad.jacfwd(f))(x).numpy(), by_hand, rtol=1e-12)
    np.testing.assert_allclose(ad.hessian(f, chunk_size=2)(x).numpy(), by_hand, rtol=1e-12)


def test_hessians_by_several_arguments():
    h = ad.hessian(lambda x, y: tf.reduce_sum(x * x) * y, (0, 1))(tf.constant([1.0, 2.0]), 3.0)
    assert values(h[0]) == [[[6.0, 0.0], [0.0, 6.0]], [2.0, 4.0]] and values(h[1]) == [[2.0, 4.0], 0.0]
    assert isinstance(h, tuple) and isinstance(h[0], tuple)


@pytest.mark.parametrize("how", ["eager", "in a function", "of a function"])
def test_hvp(how):
    f = tf.function(rosenbrock) if how == "of a function" else rosenbrock
    x, t = tf.constant(RNG.normal(size=6)), tf.constant(RNG.normal(size=6))
    product = lambda x, t: ad.hvp(f, [x], [t])
    got = (tf.function(product) if how == "in a function" else product)(x, t)
    np.testing.assert_allclose(got.numpy(), ad.hessian(rosenbrock)(x).numpy() @ t.numpy(), rtol=1e-12)


def test_hvp_of_several_arguments():
    f = lambda x, p: tf.reduce_sum(x * x) * p["s"]
    a, b = ad.hvp(f, [tf.constant([1.0, 2.0]), {"s": 3.0}], [tf.constant([1.0, 0.0]), {"s": 10.0}])
    assert value(a) == [26.0, 40.0] and value(b["s"]) == 2.0


def test_derivatives_read_variables_that_are_not_arguments():
    v = tf.Variable(2.0)
    f = lambda x: v * x**2
    assert value(ad.grad(f)(3.0)) == 12.0
    compiled = tf.function(ad.grad(f))
    assert value(compiled(3.0)) == 12.0
    v.assign(5.0)
    assert value(compiled(tf.constant(3.0))) == 30.0
    with tf.GradientTape() as tape:
        g = ad.grad(f)(3.0)
    assert value(tape.gradient(g, v)) == 6.0


def test_a_function_of_derivatives_is_traced_once():
    f = tf.function(lambda x: (ad.value_and_grad(rosenbrock)(x), ad.hvp(rosenbrock, [x], [x]), ad.jacfwd(layer)(x)))
    for _ in range(3):
        f(tf.constant(RNG.normal(size=3)))
    assert f.experimental_get_tracing_count() == 1


def test_results_that_no_gradient_can_come_from_are_refused():
    x = tf.constant([1.0, 2.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="what NumPy computes from a tensor has no derivative"):
        tf.autodiff.grad(lambda v: np.sum(v))(x)
    with pytest.raises(tf.errors.InvalidArgumentError, match="has_aux=True"):
        tf.autodiff.grad(lambda v: (tf.reduce_sum(v), v))(x)


def test_a_sparsity_pattern_that_is_too_small_is_noticed():
    x = tf.constant([1.0, 2.0, 3.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="The sparsity pattern is too small: the Jacobian"):
        tf.autodiff.jacobian(lambda v: v * v[::-1], sparsity=np.eye(3))(x)
    with pytest.raises(tf.errors.InvalidArgumentError, match="The sparsity pattern is too small: the Hessian"):
        tf.autodiff.hessian(lambda v: tf.reduce_prod(v), sparsity=np.eye(3))(x)
    j = tf.autodiff.jacobian(lambda v: v * v[::-1], sparsity=np.eye(3) + np.eye(3)[::-1])(x)
    assert j.toarray().tolist() == [[3.0, 0.0, 1.0], [0.0, 4.0, 0.0], [3.0, 0.0, 1.0]]
