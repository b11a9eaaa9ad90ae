"""From Python functions to expressions."""

import numpy as np
import pytest

import gradtape as tf
from gradtape import symbolic as S


def test_a_function_of_numbers():
    def f(x, y):
        return x * x * y + y + 2

    e = S.trace(f)
    assert str(e) == "((x) * (x)) * (y) + y + 2" and [v.name for v in e.variables] == ["x", "y"]


def test_branches_and_loops():
    def f(x, n=3):
        total = x
        for k in range(n):
            if x > k:
                total = total * x
            else:
                total = total + k
        return total

    e = S.trace(f)
    for v in (-1.0, 0.5, 1.5, 9.0):
        assert S.evaluate(e, {"x": v}) == f(v)


def test_own_variables_shapes_and_structures():
    x = S.Var("t")
    assert S.trace(tf.sin, x) is tf.sin(x)
    got = S.trace(lambda a, b: {"sum": a + b, "both": [a, tf.stack([a, b])]}, (), ())
    assert str(got["sum"]) == "a + b" and got["both"][1].shape == (2,) and got["both"][1][1] is got["sum"].args[1]
    w = S.variables("w", shape=(2, 3))
    e = S.trace(lambda w, v: tf.reduce_sum(tf.linalg.matvec(w, v) ** 2), w, [1.0, x, 2.0])
    values = {v: 0.1 * k for k, v in enumerate([*w.ravel(), x])}
    a = np.array([values[v] for v in w.ravel()]).reshape(2, 3)
    assert S.evaluate(e, values) == pytest.approx(np.sum((a @ [1, values[x], 2]) ** 2))


@pytest.mark.parametrize(
    "f, shapes",
    [
        (lambda m, n: tf.matmul(m, n, transpose_b=True), [(2, 3), (2, 3)]),
        (lambda v: tf.reduce_mean(v, 1, keepdims=True) - v, [(2, 3)]),
        (lambda v: tf.reduce_max(v) * tf.reduce_min(v, 0) + tf.reduce_prod(v), [(3, 2)]),
        (lambda v: tf.concat([v[1:], v[:1]], 0) * tf.reverse(v, [0]), [(4,)]),
        (lambda v: tf.transpose(tf.reshape(v, [2, 3])) @ tf.ones([2, 1], tf.float64), [(6,)]),
        (lambda v: tf.gather(v, [2, 0]) / tf.cast(tf.size(v), tf.float64), [(3,)]),
        (lambda u, v: tf.where(u > 0, u[:, None] * v, 0.0), [(2,), (2, 2)]),
        (lambda v: tf.nn.relu(v) + tf.math.add_n([v, v, v]), [(3,)]),
    ],
)
def test_functions_of_arrays(f, shapes):
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=s) for s in shapes]
    variables = [S.variables(n, shape=s) for n, s in zip("uv", shapes, strict=False)]
    e = S.trace(f, *variables)
    at = {
        x: float(a)
        for vs, array in zip(variables, arrays, strict=True)
        for x, a in zip(vs.ravel(), array.ravel(), strict=True)
    }
    want = f(*[tf.constant(a) for a in arrays]).numpy()
    np.testing.assert_allclose(S.evaluate(e, at), want, rtol=1e-14)


def test_a_tape_inside():
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.sin(x) * x**3
        return tape.gradient(y, x)

    e = S.trace(slope)
    x = e.variables[0]
    want = S.evaluate((tf.sin(x) * x**3).diff(x), {x: 0.7})
    assert S.evaluate(e, {x: 0.7}) == pytest.approx(want, rel=1e-14)


def test_a_tape_around_expressions():
    """The tape works on expressions as on tensors: its gradient is one."""
    x, y = S.variables("x y")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        z = tf.sin(x) * y + tf.sin(x) * tf.sin(x)
    at = {x: 0.4, y: 1.3}
    for v in (x, y):
        assert S.evaluate(tape.gradient(z, v), at) == pytest.approx(S.evaluate(z.diff(v), at), rel=1e-14)


def by_elements(f, *arrays):
    """The traced function's values, its gradient's and the tape's, for arguments that are arrays."""
    variables = [S.variables(f"x{i}", shape=np.shape(a)) for i, a in enumerate(arrays)]
    e = S.trace(f, *variables)
    xs = [x for v in variables for x in np.ravel(v)]
    at = dict(zip(xs, [v for a in arrays for v in np.ravel(a).tolist()], strict=True))
    ts = [tf.constant(a) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(ts)
        y = f(*ts)
        total = tf.reduce_sum(y * y)
    want = np.concatenate([np.ravel(g) for g in tape.gradient(total, ts, unconnected_gradients="zero")])
    elements = [S.evaluate(x, {v: at[v] for v in x.variables}) for x in np.ravel(np.asarray(e, object))]
    square = sum([x * x for x in np.ravel(np.asarray(e, object))], S.Const(0))
    slopes = S.evaluate(S.gradient(square, xs), {v: at[v] for v in square.variables})
    return np.array(elements), np.ravel(y.numpy()), np.array(slopes, float), want


def loop(v):
    total = v[0]
    for i in tf.range(3):
        total = total * v[1] + tf.cast(i, tf.float64)
    return total


def slope_of_a_loop(v):
    with tf.GradientTape() as tape:
        tape.watch(v)
        y = loop(v)
    return tape.gradient(y, v)


rng = np.random.default_rng(5)
M, N3, V = (
    rng.uniform(-1, 1, (2, 2)) + 2 * np.eye(2),
    rng.uniform(-1, 1, (3, 3)) + 3 * np.eye(3),
    rng.uniform(0.5, 2, 4),
)


@pytest.mark.parametrize(
    "f, arrays",
    [
        (lambda m, n: tf.einsum("ij,jk,ik->i", m, n, m), [M, M.T]),
        (lambda v: tf.cumsum(v, exclusive=True) + tf.cumsum(v, reverse=True), [V]),
        (lambda v: tf.math.cumprod(v, reverse=True, exclusive=True), [V]),
        (lambda v: tf.scan(lambda a, b: a * b, v), [V]),
        (tf.nn.softmax, [V]),
        (tf.nn.log_softmax, [M]),
        (lambda v: tf.reduce_logsumexp(v, 1, keepdims=True), [M]),
        (lambda v: tf.nn.softmax_cross_entropy_with_logits(labels=[0.0, 1.0, 0.0, 0.0], logits=v), [V]),
        (lambda v: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[2], logits=v[None]), [V]),
        (tf.nn.l2_loss, [V]),
        (tf.linalg.det, [N3]),
        (tf.linalg.inv, [N3]),
        (lambda m, b: tf.linalg.solve(m, b, adjoint=True), [N3, N3[:, :2]]),
        (lambda m, b: tf.linalg.triangular_solve(m, b, lower=False), [N3, N3[:, :2]]),
        (lambda m: tf.linalg.cholesky(m @ tf.transpose(m)), [M]),
        (lambda m: tf.linalg.slogdet(m)[1], [M]),
        (lambda v: tf.nn.conv1d(v[None, :, None], tf.constant([[[1.0]], [[-2.0]]], tf.float64), 1, "SAME"), [V]),
        (lambda v: tf.nn.conv1d(v[None, :, None], v[:2, None, None], 1, "VALID"), [V]),
        (lambda v: tf.pad(v, [[1, 2]], constant_values=3.0), [V]),
        (lambda v: tf.math.segment_sum(v, [0, 0, 1, 1]) + tf.roll(v, 1, 0)[:2], [V]),
        (lambda v: tf.signal.dct(v), [V]),
        (lambda v: tf.map_fn(lambda x: tf.sin(x) * x, v), [V]),
        (lambda m: tf.linalg.band_part(m, 0, -1) + tf.linalg.diag(tf.linalg.diag_part(m)), [M]),
        (tf.math.reduce_std, [V]),
        (loop, [V]),
        (slope_of_a_loop, [V]),
    ],
)  # fmt: skip
def test_operations_on_arrays_are_written_out(f, arrays):
    values, want, slopes, tape = by_elements(f, *arrays)
    np.testing.assert_allclose(values, want, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(slopes, tape, rtol=1e-10, atol=1e-11)


def test_the_texts_are_those_of_textbooks():
    text = lambda f, *shapes: [str(e) for e in np.ravel(np.asarray(S.trace(f, *shapes), object))]
    assert text(lambda m: tf.linalg.det(m), (2, 2)) == ["(m0_0) * (m1_1) - ((m0_1) * (m1_0))"]
    assert text(lambda v: tf.cumsum(v), (3,)) == ["v0", "v0 + v1", "v0 + v1 + v2"]
    assert text(lambda v: tf.nn.softmax(v), (2,))[0] == "(exp(v0)) / (exp(v0) + exp(v1))"
    assert text(lambda u, v: tf.einsum("i,i->", u, v), (2,), (2,)) == ["(u0) * (v0) + (u1) * (v1)"]
    assert text(lambda m: tf.linalg.band_part(m, 0, 0), (2, 2)) == ["m0_0", "0", "0", "m1_1"]
    m = S.variables("m", shape=(6, 6))  # minors are common parts: the text has 720 terms
    assert S.trace(tf.linalg.det, m).size < 500


def test_arrays_and_tensors_of_numbers_are_arguments_too():
    x = S.Var("x")
    for a in (np.array([1.0, 2.0]), tf.constant([1.0, 2.0], tf.float64), tf.Variable([1.0, 2.0], dtype=tf.float64)):
        e = S.trace(lambda a, x: a * x, a, x)
        assert [str(v) for v in e] == ["(1) * (x)", "(2) * (x)"]
    assert str(S.trace(lambda i, v: tf.gather(v, i), tf.constant(1), (3,))) == "v1"


def test_what_no_formula_can_do():
    def growing(x):
        while x < 10.0:
            x = x * 2.0
        return x

    def endless(x):
        i = 0
        while tf.less(i, 20_000):
            x, i = x + 1.0, i + 1
        return x

    with pytest.raises(
        TypeError,
        match=r"while_loop cannot become part of a formula: its length depends on values, by the test \(x\) < \(10\)",
    ):
        S.trace(growing)
    with pytest.raises(TypeError, match="more than 10,000 turns"):
        S.trace(endless)
    with pytest.raises(TypeError, match="larger than 8×8"):
        S.trace(tf.linalg.inv, (9, 9))
    with pytest.raises(
        TypeError, match=r"sort cannot become part of a formula.*\n  at .*test_tracing.py:\d+: .*tf.sort"
    ):
        S.trace(lambda v: tf.sort(v), (3,))
    with pytest.raises(TypeError, match="complex"):
        S.trace(lambda v: tf.signal.rfft(v), (4,))
    with pytest.raises(TypeError, match="random numbers"):
        S.trace(lambda x: x * tf.random.uniform([], dtype=tf.float64))
    with pytest.raises(TypeError, match="takes a function"):
        S.trace(3)
    v = tf.Variable(2.0, dtype=tf.float64, name="w")
    with pytest.raises(TypeError, match=r"reads the tf\.Variable w"):
        S.trace(lambda x: x * v)
    with pytest.raises(TypeError, match="takes the arguments"):
        S.trace(lambda x: x, S.Var("x"), S.Var("y"))
