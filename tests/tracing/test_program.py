"""Differentiating traced functions: every order, every place for the tapes, and what a recorded call keeps."""

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradtape as tf
from gradtape.core.state import state
from gradtape.tracing.control import cond, while_loop

from .forms import arrays, assert_every_form, assert_same, derivative, forms, graph, numpy_graph

X = tf.constant(1.5, tf.float64)


def gradient(f, sources, *args, **options):
    """Value and gradient of ``f(*args)``, the tape outside."""
    with tf.GradientTape(**options) as tape:
        tape.watch([s for s in tf.nest.flatten(sources) if isinstance(s, tf.Tensor)])
        y = f(*args)
    return y, tape.gradient(y, sources)


# -- tapes around, inside, both ------------------------------------------------------------------------------------------------


def test_derivatives_to_the_fourth_order():
    f = lambda x: tf.sin(x) * x**3 + tf.exp(x * x)
    # computed by hand with 50 digits: d^4/dx^4 at 1.5
    x = 1.5
    sin, cos, e = np.sin(x), np.cos(x), np.exp(x * x)
    want = sin * x**3 - 12 * cos * x**2 - 36 * sin * x + 24 * cos + e * (16 * x**4 + 48 * x**2 + 12)
    for what, got in forms(f, X, 4):
        np.testing.assert_allclose(float(got), want, 1e-12, err_msg=what)


PROGRAMS = {
    "elementwise": lambda x: tf.tanh(x) * tf.exp(-x) / (1.0 + x * x),
    "reduction": lambda x: tf.reduce_sum(x * x, axis=0) - tf.reduce_mean(tf.math.log(x)),
    "matmul": lambda x: tf.reshape(x, [2, 3]) @ tf.reshape(tf.cos(x), [3, 2]),
    "broadcast": lambda x: tf.reshape(x, [6, 1]) * tf.reshape(x, [1, 6]) + tf.reduce_max(x),
    "indexing": lambda x: tf.gather(x, [0, 2, 2]) * x[1] + x[::2] ** 2,
    "structure": lambda x: tf.concat([tf.transpose(tf.reshape(x, [2, 3])), tf.zeros([1, 2], tf.float64)], 0),
    "softmax": lambda x: tf.nn.softmax(x) * x * x,
    "constant result": lambda x: x * 0.0 + 1.0,
    "identity": lambda x: x,
    "two uses": lambda x: (lambda y: y * y + y)(x * x),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_in_every_form(name):
    assert_every_form(PROGRAMS[name], tf.constant(np.linspace(0.3, 1.7, 6)))


def test_a_persistent_tape_around():
    f = graph(lambda x: (x * x, x**3))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(X)
        a, b = f(X)
        c = a * b
    for target, want in [(a, 3.0), (b, 6.75), (c, 5 * 1.5**4), ([a, b], 9.75), (a, 3.0)]:
        np.testing.assert_allclose(float(tape.gradient(target, X)), want, 1e-14)
    assert float(tape.gradient(a, X, output_gradients=tf.constant(3.0, tf.float64))) == 9.0
    np.testing.assert_allclose(
        float(tape.gradient([a, b], X, output_gradients=[tf.constant(2.0, tf.float64), None])), 12.75, 1e-14
    )


def test_results_are_sources_too():
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(X)
        a, b, c = graph(lambda x: (x, x * x, x * x))(X)
        d = b * c
    assert float(tape.gradient(a, X)) == 1.0
    assert (
        tape.gradient(b, a) is None and tape.gradient(b, c) is None
    )  # results of one call do not depend on each other
    assert float(tape.gradient(d, b)) == 2.25 and float(tape.gradient(d, X)) == 4 * 1.5**3


def test_one_tensor_as_two_arguments():
    assert_same(gradient(graph(lambda x, y: x * y * y), X, X, X)[1], tf.constant(3 * 1.5**2, tf.float64))


def test_stop_recording_and_tapes_used_across_the_border():
    f = graph(lambda x: x * x)
    with tf.GradientTape() as tape:
        tape.watch(X)
        with tape.stop_recording():
            y = f(X)
        z = X * y
    assert float(tape.gradient(z, X)) == 2.25
    with tf.GradientTape() as tape:
        tape.watch(X)
        y = X * X
    assert float(graph(lambda: tape.gradient(y, X))()) == 3.0

    def inner(x):
        with tf.GradientTape() as t:
            t.watch(x)
            y = x**3
        g = t.gradient(y, x)
        return y, g

    y, d = gradient(graph(lambda x: inner(x)[1]), X, X)
    assert (float(y), float(d)) == (6.75, 9.0)


def test_jacobians():
    x = tf.constant([2.0, 3.0], tf.float64)
    f = lambda x: tf.stack([x[0] * x[1], x[1] ** 2, tf.reduce_sum(x**3)])

    def jacobian(f, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        return tape.jacobian(y, x)

    want = [[3.0, 2.0], [0.0, 6.0], [12.0, 27.0]]
    for g in (lambda x: jacobian(graph(f), x), graph(lambda x: jacobian(f, x)), graph(lambda x: jacobian(graph(f), x))):
        np.testing.assert_allclose(g(x), want, 1e-14)

    hessian = lambda f, x: jacobian(lambda z: derivative(f, z), x)
    y = lambda x: tf.reduce_sum(x**3) * x[0]
    want = hessian(y, x)
    for g in (
        lambda x: hessian(graph(y), x),
        graph(lambda x: hessian(y, x)),
        lambda x: jacobian(graph(lambda z: derivative(y, z)), x),
    ):
        assert_same(g(x), want, 1e-13)


def test_batch_jacobians():
    x = tf.constant([[2.0, 3.0], [4.0, 5.0]], tf.float64)
    w = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], tf.float64)
    f = lambda x: tf.tanh(x @ w / 10.0)

    def jacobian(f, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        return tape.batch_jacobian(y, x)

    want = jacobian(f, x)
    assert_same(jacobian(graph(f), x), want, 1e-13)
    assert_same(graph(lambda x: jacobian(f, x))(x), want, 1e-13)


def test_a_hessian_vector_product_inside():
    @graph
    def product(x, v):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.sin(x) * x[0])
            g = inner.gradient(y, x)
        return outer.gradient(g, x, output_gradients=v)

    a, b = 1.0, 2.0
    want = [2 * np.cos(a) - a * np.sin(a), np.cos(b)]
    np.testing.assert_allclose(
        product(tf.constant([a, b], tf.float64), tf.constant([1.0, 0.0], tf.float64)), want, 1e-14
    )


# -- what a gradient flows to ----------------------------------------------------------------------------------------------------


def test_captured_tensors_get_gradients():
    c = tf.constant(3.0, tf.float64)
    f = graph(lambda x: x * c * c)
    f(X)  # traced before anybody watches c
    assert_same(gradient(f, c, X)[1], tf.constant(9.0, tf.float64))
    assert_same(gradient(f, [c, X], X)[1], [tf.constant(9.0, tf.float64), tf.constant(9.0, tf.float64)])
    with tf.GradientTape() as outer:
        outer.watch(c)
        _, g = gradient(f, c, X)
    assert float(outer.gradient(g, c)) == 3.0  # 2x
    assert f.experimental_get_tracing_count() == 1


def test_captured_tensors_that_were_computed_under_the_tape():
    with tf.GradientTape() as tape:
        c = tf.constant(3.0)
        tape.watch(c)
        d = c * c
        y = graph(lambda x: x * d)(tf.constant(2.0))
    assert float(tape.gradient(y, c)) == 12.0


def test_a_tape_inside_watches_what_is_captured():
    c = tf.constant(3.0)

    @graph
    def f(x):
        with tf.GradientTape() as tape:
            tape.watch(c)
            d = c * c
            y = d * x
        return tape.gradient(y, [c, d])

    assert [float(g) for g in f(tf.constant(2.0))] == [12.0, 2.0]


@pytest.mark.parametrize("watched_first", [True, False])
@pytest.mark.parametrize("form", ["cond", "while", "while in cond"])
def test_captured_tensors_inside_control_flow(form, watched_first):
    c = tf.constant(0.7, tf.float64)
    loop = lambda x: while_loop(
        lambda i, y: i < 3, lambda i, y: (i + 1, y * c + tf.sin(y) * c * c), (tf.constant(0), x)
    )[1]
    f = {
        "cond": lambda x: cond(x > 1.0, lambda: x * c * c, lambda: x),
        "while": loop,
        "while in cond": lambda x: cond(x > 1.0, lambda: loop(x) * c, lambda: x),
    }[form]
    g = graph(f)
    if not watched_first:
        assert_same(g(X), f(X))
    want, got = [], []
    for h, into in ((f, want), (g, got)):
        with tf.GradientTape() as outer:
            outer.watch([X, c])
            y, ds = gradient(h, [X, c], X)
        into += [y, *ds, *outer.gradient(ds[1], [X, c])]
    assert_same(got, want, 1e-13)
    assert_same(g(X), f(X))


def test_unconnected_results_and_integers():
    y = tf.constant(2.0, tf.float64)
    f = graph(lambda x, y: (x * 2.0, y * 3.0, tf.cast(x, tf.int32), tf.constant(1.0)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([X, y])
        a, b, n, k = f(X, y)
    # one call is one operation: what some result depends on is connected to all of them, in TensorFlow too
    assert [float(g) for g in tape.gradient(a, [X, y])] == [2.0, 0.0]
    assert [float(g) for g in tape.gradient(b, [X, y])] == [0.0, 3.0]
    assert float(tape.gradient(n, X)) == float(tape.gradient(k, X)) == 0.0
    z = tf.constant(5.0, tf.float64)
    assert gradient(graph(lambda x, z: x * 2.0), [X, z], X, z)[1][1] is None
    assert float(tape.gradient(a, y, unconnected_gradients="zero")) == 0.0
    i = tf.constant(3)
    ds = gradient(graph(lambda x, i: x * tf.cast(i, tf.float64)), [X], X, i)[1]
    assert float(ds[0]) == 3.0


def test_a_function_without_a_path_records_nothing():
    f = graph(lambda x: tf.round(x))
    assert gradient(f, X, X)[1] is None and gradient(f.python_function, X, X)[1] is None
    assert gradient(graph(lambda x: tf.stop_gradient(x) * 2.0), X, X)[1] is None


def test_variables_get_gradients():
    v, w = tf.Variable(3.0), tf.Variable(5.0, trainable=False)
    x = tf.constant(2.0)
    f = graph(lambda x: x * v**3 * w)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            y = f(x)
        g, none = tape.gradient(y, [v, w])
    assert float(g) == 270.0 and none is None and float(outer.gradient(g, v)) == 180.0
    assert [u is v for u in tape.watched_variables()] == [True]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        y = f(x)
    assert tape.gradient(y, v) is None
    with tf.GradientTape() as tape:
        tape.watch(w)
        y = f(x)
    assert float(tape.gradient(y, w)) == 54.0


def assigning(kind, v):
    def assigned_then_read(x):
        a = v * x
        v.assign(a * 2.0)
        return v * x

    def added_then_read(x):
        v.assign_add(x)
        return v * v * x

    def read_between(x):
        a = v * x
        v.assign_sub(a)
        b = v * a
        v.assign(b)
        return a + b * b + v

    def in_a_branch(x):
        def branch():
            v.assign(v * x)
            return v * 2.0

        return cond(x > 1.0, branch, lambda: x) * v

    def in_a_loop(x):
        def body(i, y):
            y = y * v
            v.assign(v * 0.5 + y)
            return i + 1, y + v

        return while_loop(lambda i, y: i < 3, body, (tf.constant(0), x))[1] * v

    def in_a_nested_function(x):
        graph(lambda z: v.assign(v * z))(x)
        return v * x

    return {
        f.__name__: f
        for f in (assigned_then_read, added_then_read, read_between, in_a_branch, in_a_loop, in_a_nested_function)
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["assigned_then_read", "added_then_read", "read_between", "in_a_branch", "in_a_loop", "in_a_nested_function"],
)
@pytest.mark.parametrize("tape", ["outside", "inside"])
def test_assignments_cut_gradients_as_in_eager_execution(kind, tape):
    """No gradient flows through an assignment, and the variable's gradient is the sum over all its values that were read. Checked against TensorFlow 2.21."""
    v = tf.Variable(1.25, dtype=tf.float64)
    f = assigning(kind, v)
    take = lambda x: gradient(f, [v, x], x)

    def run(g):
        v.assign(1.25)
        y, ds = g(X)
        return [y, *ds, v.numpy()]

    want = run(take)
    got = run(graph(take) if tape == "inside" else lambda x: gradient(graph(f), [v, x], x))
    if kind == "in_a_branch":
        want[2] = tf.zeros_like(
            X
        )  # a traced cond is connected to what the other branch depends on; so it is in TensorFlow
    assert_same(got, want, 1e-13)
    if kind == "assigned_then_read":
        np.testing.assert_allclose(
            [float(g) for g in got[1:3]], [1.5, 2 * 1.25 * 1.5]
        )  # x, and the value of v that was read


def test_a_training_step_is_the_same_as_in_eager_execution():
    rng = np.random.default_rng(0)
    x, y = tf.constant(rng.normal(size=(8, 3))), tf.constant(rng.normal(size=(8, 1)))

    def train(wrap):
        w, b = tf.Variable(tf.ones([3, 1], tf.float64)), tf.Variable([0.0], dtype=tf.float64)

        def step(x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((x @ w + b - y) ** 2)
            for u, g in zip([w, b], tape.gradient(loss, [w, b]), strict=True):
                u.assign_sub(0.1 * g)
            return loss

        f = wrap(step)
        return [f(x, y) for _ in range(5)], w, b

    assert_same(train(graph), train(lambda f: f), 1e-13)


def test_gradients_of_embeddings_stay_sparse():
    v = tf.Variable(np.arange(6.0).reshape(3, 2))
    f = lambda i: tf.reduce_sum(tf.gather(v, i) ** 2)
    i = tf.constant([0, 2, 0])
    want = gradient(f, v, i)[1]
    for g in (gradient(graph(f), v, i)[1], graph(lambda i: gradient(f, v, i)[1])(i)):
        assert isinstance(g, tf.IndexedSlices) and g._dense_shape == (3, 2)
        assert_same([g.values, g.indices], [want.values, want.indices])
        assert_same(tf.convert_to_tensor(g), tf.convert_to_tensor(want))
    mixed = lambda i: tf.reduce_sum(tf.gather(v, i) ** 2) + tf.reduce_sum(v**3)
    assert_same(gradient(graph(mixed), v, i)[1], gradient(mixed, v, i)[1])
    with tf.GradientTape() as outer:
        g = gradient(graph(f), v, i)[1]
        s = tf.reduce_sum(tf.convert_to_tensor(g) * v)
    assert_same(outer.gradient(s, v), tf.constant([[0.0, 8.0 * 1], [0.0, 0.0], [16.0, 20.0]], tf.float64))


# -- gradients that the user writes ------------------------------------------------------------------------------------------------


def test_custom_gradients_hold_wherever_the_tape_is():
    @tf.custom_gradient
    def h(x):
        return x * x, lambda dy: dy * 100.0

    f = lambda x: h(x * 1.0) * 2.0
    for what, got in forms(f, X, 1):
        assert float(got) == 200.0, what
    loop = lambda x: while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, h(y)), (tf.constant(0), x))[1]
    branch = lambda x: cond(x > 1.0, lambda: h(x), lambda: x)
    for f, want in ((loop, 10000.0), (branch, 100.0), (lambda x: h(graph(lambda z: z * 3.0)(x)), 300.0)):
        for what, got in forms(f, X, 1):
            assert float(got) == want, what


def test_custom_gradients_differentiate_again():
    @tf.custom_gradient
    def cube(x):
        return x**3, lambda dy: dy * 3.0 * x * x

    for n in range(1, 4):
        want = derivative(lambda x: x**3, X, n)
        for what, got in forms(lambda x: cube(x) * 1.0, X, n):
            assert_same(got, want, 1e-13, what)


def test_custom_gradients_that_use_what_the_forward_pass_computed():
    @tf.custom_gradient
    def softplus(x):
        e = tf.exp(x)
        return tf.math.log(1.0 + e), lambda dy: dy * (1.0 - 1.0 / (1.0 + e))

    sigmoid = 1 / (1 + np.exp(-1.5))
    for n, want in ((1, sigmoid), (2, sigmoid * (1 - sigmoid))):
        for what, got in forms(softplus, X, n):
            np.testing.assert_allclose(float(got), want, 1e-14, err_msg=what)


def test_custom_gradients_with_variables_and_several_results():
    v = tf.Variable(2.0, dtype=tf.float64)

    @tf.custom_gradient
    def h(x, y):
        def grad(da, db, variables=None):
            return (da * 10.0, db * 20.0), [da * 1000.0 for _ in variables]

        return (x * v, y * 2.0), grad

    def f(x):
        a, b = h(x, x)
        return a + b

    for g in (f, graph(f)):
        _, (dx, dv) = gradient(g, [X, v], X)
        assert (float(dx), float(dv)) == (30.0, 1000.0)
    dx, dv = graph(lambda x: gradient(f, [x, v], x)[1])(X)
    assert (float(dx), float(dv)) == (30.0, 1000.0)


def test_recompute_grad_and_stop_gradient():
    v = tf.Variable(2.0, dtype=tf.float64)
    h = tf.recompute_grad(lambda x: tf.sin(x) * v * x)
    want = gradient(h, [X, v], X)
    assert_same(gradient(graph(h), [X, v], X), want, 1e-13)
    assert_same(graph(lambda x: gradient(h, [x, v], x))(X), want, 1e-13)
    for what, got in forms(lambda x: x * tf.stop_gradient(x * x), X, 1):
        assert float(got) == 2.25, what
    for what, got in forms(lambda x: tf.grad_pass_through(tf.round)(x) * 3.0, X, 1):
        assert float(got) == 3.0, what


def test_complex_gradients():
    z = tf.constant([1.0 + 2.0j, -0.5j], tf.complex128)
    f = lambda z: z * z * tf.math.conj(z) + tf.exp(z)
    want = derivative(f, z)
    for what, got in forms(f, z, 1):
        assert_same(got, want, 1e-13, what)
    for what, got in forms(lambda z: tf.abs(z), z, 1):
        assert_same(got, derivative(tf.abs, z), 1e-13, what)


# -- what a recorded call keeps ------------------------------------------------------------------------------------------------------


def residuals(f, x):
    """The arrays that the backward pass of one recorded call takes beside the cotangents, arguments included."""
    g = graph(f)
    with tf.GradientTape() as tape:
        tape.watch(x)
        g(x)
    (record,) = tape._records
    return record[0].residuals


def test_only_what_the_backward_pass_needs_is_kept():
    x = tf.constant(np.linspace(0.1, 1.0, 1000))
    assert residuals(lambda x: x + 1.0, x) == []
    assert residuals(lambda x: tf.reduce_sum(x * 3.0), x) == []
    assert [r.shape for r in residuals(lambda x: tf.exp(x), x)] == [(1000,)]
    (kept,) = residuals(lambda x: x * x, x)
    assert kept is x._a
    deep = lambda x: tf.reduce_sum(tf.tanh(tf.tanh(x + 1.0) * 2.0 + 3.0))
    assert len([r for r in residuals(deep, x) if r.size == 1000]) == 2  # the two tanhs, and none of the sums between


def test_a_call_without_a_tape_keeps_nothing():
    f = graph(lambda x: tf.reduce_sum(tf.exp(tf.tanh(x) * 2.0)))
    x = tf.ones([250_000])
    f(x)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(5):
        f(x)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 20_000
    assert peak - before < 4.2e6  # four arrays of 1 MB: no intermediate outlives its last use


def test_the_backward_pass_does_not_repeat_effects():
    log = []

    @graph
    def f(x):
        tf.debugging.assert_greater(x, tf.constant(0.0, tf.float64))
        log.append("traced")
        return x**3

    assert float(derivative(f, X, 2)) == 9.0
    assert log == ["traced"]
    with pytest.raises(tf.errors.InvalidArgumentError):
        derivative(f, tf.constant(-1.0, tf.float64), 2)
    assert state.tapes == ()


def test_effects_stay_where_nobody_uses_their_results():
    f = graph(lambda x: (tf.debugging.assert_positive(x), 1.0)[1])
    f(X)
    assert [n.effect for n in f.graph.nodes].count(True) == 1
    with pytest.raises(tf.errors.InvalidArgumentError):
        f(-X)


# -- random programs ------------------------------------------------------------------------------------------------------------------

UNARY = [tf.sin, tf.tanh, tf.exp, tf.abs, tf.square, tf.negative, lambda x: tf.reduce_sum(x, axis=-1, keepdims=True), lambda x: tf.reduce_max(x, axis=0),
         tf.transpose, lambda x: x[..., :1], lambda x: x * 0.5 + 1.0, tf.identity, lambda x: x * 1.0, lambda x: tf.stop_gradient(x) * x]  # fmt: skip
BINARY = [tf.add, tf.subtract, tf.multiply, tf.maximum, tf.divide, tf.minimum, lambda x, y: tf.where(x > y, x, y * 2.0)]


@st.composite
def straight_line_programs(draw):
    """Steps that each take earlier values: (function, numbers of its inputs)."""
    steps = []
    for n in range(draw(st.integers(1, 12))):
        if draw(st.booleans()):
            steps.append((draw(st.sampled_from(UNARY)), (draw(st.integers(0, n + 1)),)))
        else:
            steps.append((draw(st.sampled_from(BINARY)), (draw(st.integers(0, n + 1)), draw(st.integers(0, n + 1)))))
    return steps


def run_steps(steps, x, y):
    values = [x, y]
    for f, at in steps:
        values.append(f(*[values[i] for i in at]))
    return values[-1], values[len(values) // 2]


@settings(max_examples=60)
@given(
    straight_line_programs(),
    st.sampled_from([(), (1,), (3,), (2, 1), (2, 3)]),
    st.sampled_from([(3,), (1, 3), (2, 3), (2, 1)]),
    st.integers(0, 2**31),
)
def test_random_programs_agree_with_eager_execution(steps, shape_x, shape_y, seed):
    rng = np.random.default_rng(seed)
    x, y = tf.constant(rng.normal(size=shape_x)), tf.constant(rng.normal(size=shape_y))
    try:
        want = run_steps(steps, x, y)
    except (
        tf.errors.InvalidArgumentError
    ):  # shapes that do not fit, or an axis that a scalar lacks: then tracing must say so too
        with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
            graph(lambda x, y: run_steps(steps, x, y))(x, y)
        return
    assert_same(numpy_graph(lambda x, y: run_steps(steps, x, y))(x, y), want, what="values")
    f = graph(lambda x, y: run_steps(steps, x, y))
    total = lambda g: lambda x, y: sum(tf.reduce_sum(r) for r in g(x, y))
    eager = lambda x, y: gradient(total(lambda x, y: run_steps(steps, x, y)), [x, y], x, y)[1]
    ds = eager(x, y)
    # sums of cotangents may be taken in another order, and terms may cancel: the error is measured against the largest number about
    scale = max([1.0, *[np.abs(a).max() for a in arrays([want, ds]) if a is not None]])
    for a, b in zip(arrays(f(x, y)), arrays(want), strict=True):
        if np.isfinite(scale) and scale < 1e9:
            np.testing.assert_allclose(a / scale, b / scale, 0, atol=1e-12, err_msg="compiled values")
    for got in (gradient(total(f), [x, y], x, y)[1], graph(eager)(x, y)):
        for a, b in zip(arrays(got), arrays(ds), strict=True):
            assert (a is None) == (b is None)
            if a is not None and np.isfinite(scale) and scale < 1e9:
                np.testing.assert_allclose(a / scale, b / scale, 0, atol=1e-9)
