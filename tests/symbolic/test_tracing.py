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


def test_what_no_formula_can_do():
    def growing(x):
        while x < 10.0:
            x = x * 2.0
        return x

    with pytest.raises(TypeError, match="while_loop cannot become part of a formula: its length depends on values"):
        S.trace(growing)
    with pytest.raises(TypeError, match="sort cannot become part of a formula"):
        S.trace(tf.sort, (3,))
    v = tf.Variable(2.0, dtype=tf.float64, name="w")
    with pytest.raises(TypeError, match=r"reads the tf\.Variable w"):
        S.trace(lambda x: x * v)
    with pytest.raises(TypeError, match="takes the arguments"):
        S.trace(lambda x: x, S.Var("x"), S.Var("y"))
