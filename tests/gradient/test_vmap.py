"""vmap: against a loop over the members, for functions of every sort, nested with itself and with derivatives."""

import functools

import numpy as np
import pytest

import gradtape as tf
from gradtape import autodiff as ad
from gradtape.ground.errors import InvalidArgumentError

from .values import value

RNG = np.random.default_rng(1)
A = tf.constant(RNG.normal(size=(4, 3)))
B = tf.constant(RNG.normal(size=(4, 3)))
M = tf.constant(RNG.normal(size=(3, 3)))


def close(got, want):
    for g, w in zip(tf.nest.flatten(got), tf.nest.flatten(want), strict=True):
        np.testing.assert_allclose(np.asarray(g), np.asarray(w), rtol=1e-12, atol=1e-13)
        assert np.shape(g) == np.shape(w)


def looped(f, *args):
    """What ``vmap(f)`` must give."""
    outs = [f(*[a[i] for a in args]) for i in range(args[0].shape[0])]
    flat = [tf.stack(list(each)) for each in zip(*[tf.nest.flatten(o) for o in outs], strict=True)]
    return tf.nest.pack_sequence_as(outs[0], flat)


def turns(x):
    return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x + 1.0), [0, x])[1]


def turns_by_value(x):
    return tf.while_loop(lambda y: tf.reduce_sum(y * y) < 50.0, lambda y: y * 1.5 + 0.1, [x])


PROGRAMS = {
    "elementwise": lambda x: tf.sin(x) * x,
    "dot": lambda x: tf.tensordot(x, x, 1),
    "matvec": lambda x: tf.linalg.matvec(M, x),
    "matvec, transposed": lambda x: tf.linalg.matvec(M, x, transpose_a=True),
    "vecmat": lambda x: x[None] @ M,
    "outer": lambda x: tf.einsum("i,j->ij", x, x),
    "solve": lambda x: tf.linalg.solve(M + 5 * tf.eye(3, dtype=tf.float64) * x[0], x[:, None]),
    "softmax": tf.nn.softmax,
    "reshape and slice": lambda x: tf.reshape(tf.concat([x, x], 0), (2, 3))[:, ::-1],
    "gather": lambda x: tf.gather(x, [2, 0]),
    "gather by value": lambda x: tf.gather(x, tf.argsort(x)),
    "sort": tf.sort,
    "select": lambda x: tf.where(x > 0, x, x * x),
    "nest": lambda x: {"a": x + 1, "b": (tf.reduce_sum(x), [x[0]])},
    "constant": lambda x: tf.constant([1.0, 2.0]),
    "loop": tf.function(turns),
    "loop as long as the value says": tf.function(turns_by_value),
    "branch": tf.function(lambda x: tf.cond(x[0] > 0, lambda: x * 2.0, lambda: x * x)),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("how", ["eager", "of a function", "in a function"])
def test_batches_are_loops(name, how):
    f = PROGRAMS[name]
    of = tf.function(f) if how == "of a function" else f
    g = ad.vmap(of)
    g = tf.function(g) if how == "in a function" else g
    close(g(A), looped(f, A))


@pytest.mark.parametrize("traced", [False, True])
def test_axes(traced):
    wrap = tf.function if traced else lambda f: f
    f = wrap(lambda x, y: x * tf.reduce_sum(y))
    want = A.numpy() * B.numpy().sum(1, keepdims=True)
    close(ad.vmap(f)(A, B), want)
    close(ad.vmap(f, in_axes=[0, 0])(A, B), want)
    close(ad.vmap(f, in_axes=(1, 0))(tf.transpose(A), B), want)
    close(ad.vmap(f, in_axes=(-1, -2), out_axes=-1)(tf.transpose(A), B), want.T)
    close(ad.vmap(f, out_axes=1)(A, B), want.T)
    close(ad.vmap(f, in_axes=(None, 0))(A[0], B), A.numpy()[0] * B.numpy().sum(1, keepdims=True))
    close(ad.vmap(f, in_axes=(0, None))(A, B), A.numpy() * B.numpy().sum())


def test_axes_of_nests():
    f = lambda p, k: {"s": p["x"] + p["y"] * k, "n": tf.constant(7.0)}
    p = {"x": A, "y": tf.transpose(B)}
    g = ad.vmap(f, in_axes=({"x": 0, "y": 1}, None), out_axes={"s": 1, "n": None})
    out = g(p, 2.0)
    close(out["s"], (A.numpy() + 2 * B.numpy()).T)
    assert value(out["n"]) == 7.0
    close(ad.vmap(lambda p: p[0] * p[1])((A, B)), A.numpy() * B.numpy())
    close(ad.vmap(lambda p: p[0] * p[1], in_axes=((0, None),))((A, B[0])), A.numpy() * B.numpy()[0])


def test_keyword_arguments_and_sizes():
    f = lambda x, *, y: x + y
    close(ad.vmap(f)(A, y=B), A.numpy() + B.numpy())
    assert value(ad.vmap(lambda: tf.constant(1.0), axis_size=3)()) == [1.0, 1.0, 1.0]
    assert ad.vmap(lambda x: None)(A) is None
    assert ad.vmap(lambda x: x * 2)(tf.zeros([0, 3])).shape == (0, 3)


def test_python_values_go_to_every_member():
    f = lambda x, n, flag: x * n if flag else x
    close(ad.vmap(f, in_axes=(0, None, None))(A, 3, True), 3 * A.numpy())


@pytest.mark.parametrize("traced", [False, True])
def test_nested(traced):
    f = lambda x, y: tf.tensordot(x, y, 1) + tf.reduce_max(x * y)
    f = tf.function(f) if traced else f
    table = ad.vmap(ad.vmap(f, in_axes=(None, 0)), in_axes=(0, None))
    want = np.array([[float(f(a, b)) for b in B] for a in A])
    close(table(A, B), want)
    close(tf.function(table)(A, B), want)
    three = ad.vmap(ad.vmap(ad.vmap(lambda x, y, z: x * y + z)))
    x, y, z = (tf.constant(RNG.normal(size=(2, 3, 4))) for _ in range(3))
    close(three(x, y, z), x * y + z)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("derivative", [ad.grad, ad.value_and_grad, ad.hessian, ad.jacfwd, ad.jacrev])
def test_derivatives_for_each_member(traced, derivative):
    f = lambda x: tf.reduce_sum(tf.sin(x) * tf.linalg.matvec(M, x) ** 2)
    of = tf.function(f) if traced else f
    close(ad.vmap(derivative(of))(A), looped(derivative(f), A))
    close(tf.function(ad.vmap(derivative(of)))(A), looped(derivative(f), A))


@pytest.mark.parametrize("traced", [False, True])
def test_derivatives_of_batches(traced):
    g = lambda x, y: tf.sin(x) * tf.reduce_sum(x * y)
    f = tf.function(g) if traced else g
    loss = lambda f: lambda a, b: tf.reduce_sum(ad.vmap(f)(a, b) ** 2)
    plain = lambda a, b: tf.reduce_sum((tf.sin(a) * tf.reduce_sum(a * b, 1, keepdims=True)) ** 2)
    for d in (functools.partial(ad.grad, argnums=(0, 1)), ad.hessian, functools.partial(ad.jacfwd, argnums=1)):
        close(d(loss(f))(A, B), d(plain)(A, B))
    t = tf.constant(RNG.normal(size=(4, 3)))
    close(ad.hvp(loss(f), [A, B], [t, t]), ad.hvp(plain, [A, B], [t, t]))
    close(
        ad.jvp(ad.vmap(f), [A, B], [t, t]),
        ad.jvp(lambda a, b: tf.sin(a) * tf.reduce_sum(a * b, 1, keepdims=True), [A, B], [t, t]),
    )


def test_products_for_each_member_of_a_batch_of_vectors():
    """One Jacobian, many tangents: how jacfwd is made."""
    f = lambda x: tf.sin(x) * tf.reduce_sum(x)
    push = lambda t: ad.jvp(f, [A[0]], [t])[1]
    close(ad.vmap(push)(B), B.numpy() @ ad.jacrev(f)(A[0]).numpy().T)
    _, pullback = ad.vjp(f, A[0])
    close(ad.vmap(lambda u: pullback(u)[0])(B), B.numpy() @ ad.jacrev(f)(A[0]).numpy())
    _, linear = ad.linearize(f, A[0])
    close(ad.vmap(linear)(B), B.numpy() @ ad.jacrev(f)(A[0]).numpy().T)


def test_gradients_flow_to_what_serves_all_members():
    w = tf.Variable(RNG.normal(size=3))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(ad.vmap(lambda x: tf.reduce_sum(x * w) ** 2)(A))
    a = A.numpy()
    np.testing.assert_allclose(tape.gradient(y, w).numpy(), 2 * a.T @ (a @ w.numpy()), rtol=1e-12)


def test_a_batch_of_a_function_is_one_program():
    f = tf.function(lambda x: tf.sin(x) * 2.0)
    g = ad.vmap(f)
    g(A), g(B)
    (concrete,) = f._traces.values()
    assert [k[0] for k in concrete.program._vjps] == ["batch"]
    assert f.experimental_get_tracing_count() == 1


def test_functions_that_assign_variables_do_so_for_no_batch():
    v = tf.Variable(1.0)
    f = tf.function(lambda x: (v.assign(2.0), x * v)[1])
    assert value(ad.vmap(f)(tf.constant([1.0, 2.0]))) == [2.0, 4.0] and value(v) == 2.0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ad.vmap(lambda x, y: x)(A, B[:2]), "one batch size, but found 4, 2"),
        (lambda: ad.vmap(lambda x: x, in_axes=(None,))(A), "found no batch"),
        (lambda: ad.vmap(lambda x: x, in_axes=(0, 0))(A), "in_axes has 2 entries, but 1 arguments"),
        (lambda: ad.vmap(lambda x: x, in_axes=2)(A), r"axis 2 of a tensor of shape \[4, 3\]"),
        (lambda: ad.vmap(lambda x: x)(1.0), r"axis 0 of a tensor of shape \[\]"),
        (lambda: ad.vmap(lambda x: x, out_axes=3)(A), r"out_axes names axis 3 of a result of shape \[4, 3\]"),
        (lambda: ad.vmap(lambda x: x, out_axes=None)(A), "out_axes is None for a result that differs"),
        (lambda: ad.vmap(lambda p: p["x"], in_axes=({"y": 0},))({"x": A}), "do not have the form"),
    ],
)
def test_wrong_input(call, text):
    with pytest.raises(InvalidArgumentError, match=text):
        call()


def test_values_cannot_be_asked_for():
    with pytest.raises(TypeError, match="no single value"):
        ad.vmap(lambda x: x if x[0] > 0 else -x)(A)
