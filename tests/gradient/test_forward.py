"""The forward accumulator. Where nothing else is said, TensorFlow 2.21 does the same (what is compared was run there)."""

import contextlib
import gc
import itertools
import threading
import weakref

import numpy as np
import pytest

import gradtape as tf
from gradtape.autodiff import ForwardAccumulator
from gradtape.ground.errors import NoneGradientError
from gradtape.ground.primitive import TABLE, Primitive, not_implemented

from .values import value, values

X = np.array([[0.3, -1.2, 2.0], [1.5, 0.7, -0.4]])
T = np.array([[1.0, -0.5, 0.25], [2.0, 0.1, -1.0]])


def pushed(f, x, t):
    """The value of ``f`` and its tangent, by an accumulator."""
    x = tf.convert_to_tensor(x)
    with ForwardAccumulator(x, tf.convert_to_tensor(t)) as acc:
        y = f(x)
    return y, acc.jvp(y)


def slope(f, x, t, h=1e-5):
    """The derivative of ``f`` along ``t`` by central differences, extrapolated."""
    at = lambda s: np.asarray(f(tf.constant(x + s * t)))
    central = lambda h: (at(h) - at(-h)) / (2 * h)
    return (4 * central(h / 2) - central(h)) / 3


PROGRAMS = {
    "elementwise": lambda x: tf.sin(x) * x / (1 + x * x),
    "broadcast": lambda x: x * tf.reduce_sum(x, axis=1, keepdims=True),
    "the same factor twice": lambda x: x * x,
    "constant beside": lambda x: tf.constant(2.0, tf.float64) * x + tf.constant([[1.0], [2.0]], tf.float64),
    "matmul": lambda x: tf.matmul(x, x, transpose_b=True),
    "matmul with a constant": lambda x: tf.constant([[1.0, 2.0]], tf.float64) @ x,
    "reductions": lambda x: tf.stack([tf.reduce_max(x), tf.reduce_min(x), tf.reduce_prod(x), tf.reduce_logsumexp(x)]),
    "structure": lambda x: tf.transpose(tf.concat([x, x * x], 1))[1:, ::-1],
    "pad with a value": lambda x: tf.pad(x, [[1, 0], [0, 2]], constant_values=5.0) ** 2,
    "gather": lambda x: tf.gather(x, [1, 0, 1]) ** 2,
    "softmax": tf.nn.softmax,
    "log_softmax": tf.nn.log_softmax,
    "select": lambda x: tf.where(x > 0, x * x, -x),
    "einsum": lambda x: tf.einsum("ij,kj,kl->il", x, x * x, x),
    "cumulative": lambda x: tf.cumsum(x * x, axis=1) + tf.math.cumprod(x, axis=1),
    "running logsumexp": lambda x: tf.math.cumulative_logsumexp(x, axis=1, exclusive=False) * x,
    "split": lambda x: tf.split(x * x, 3, axis=1)[1],
    "sort": lambda x: tf.sort(x * x, axis=1),
    "top_k": lambda x: tf.math.top_k(x * x, 2).values,
    "solve": lambda x: tf.linalg.solve(tf.matmul(x, x, transpose_b=True) + 3 * tf.eye(2, dtype=tf.float64), x),
    "cholesky": lambda x: tf.linalg.cholesky(tf.matmul(x, x, transpose_b=True) + 3 * tf.eye(2, dtype=tf.float64)),
    "inverse and determinant": lambda x: tf.linalg.inv(x[:, :2]) * tf.linalg.det(x[:, :2]),
    "loss": lambda x: tf.nn.softmax_cross_entropy_with_logits(labels=tf.nn.softmax(2 * x), logits=x),
    "sparse loss": lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[2, 0], logits=x),
    "norm": lambda x: tf.sqrt(tf.nn.l2_loss(x)),
    "conv": lambda x: tf.nn.conv2d(tf.reshape(x, (1, 2, 3, 1)), tf.reshape(x[:, :2], (2, 2, 1, 1)), 1, "SAME"),
    "pool": lambda x: tf.nn.max_pool2d(tf.reshape(x * x, (1, 2, 3, 1)), 2, 1, "VALID"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_tangents_against_differences(name):
    f = PROGRAMS[name]
    y, t = pushed(f, X, T)
    assert t.shape == y.shape and t.dtype == y.dtype
    np.testing.assert_allclose(t.numpy(), slope(f, X, T), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("inside", [False, True], ids=["around a function", "inside a function"])
def test_functions_give_the_same(name, inside):
    f = PROGRAMS[name]
    plain = pushed(f, X, T)
    traced = tf.function(lambda x, t: pushed(f, x, t))(X, T) if inside else pushed(tf.function(f), X, T)
    for a, b in zip(plain, traced, strict=True):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-12, atol=1e-14)


def test_the_documented_examples_of_tensorflow():
    x = tf.constant([[2.0, 3.0], [1.0, 4.0]])
    targets = tf.constant([[1.0], [-1.0]])
    kernel, bias = tf.Variable([[0.5], [-0.25]]), tf.Variable([0.1])
    with ForwardAccumulator(primals=kernel, tangents=tf.constant([[1.0], [0.0]])) as acc:
        loss = tf.reduce_sum((x @ kernel + bias - targets) ** 2.0)
    np.testing.assert_allclose(
        acc.jvp(loss).numpy(),
        np.sum(2 * (x.numpy() @ kernel.numpy() + 0.1 - targets.numpy()) * x.numpy()[:, :1]),
        rtol=1e-6,
    )

    v = tf.Variable([1.0, 2.0])
    with ForwardAccumulator(v, tf.constant([1.0, 0.0])) as acc:
        y = tf.reduce_sum(v**3.0)
    assert value(acc.jvp(y)) == 3.0

    v = tf.Variable([1.0, 2.0])
    with ForwardAccumulator(v, tf.constant([1.0, 0.0])) as acc:
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(v**3.0)
        backward = tape.gradient(y, v)
    assert value(backward) == [3.0, 12.0] and value(acc.jvp(backward)) == [6.0, 0.0]

    primal = tf.constant(1.1)
    with ForwardAccumulator(primal, tf.constant(1.0)) as outer, ForwardAccumulator(primal, tf.constant(1.0)) as inner:
        primal_out = primal ** tf.constant(3.5)
    inner_jvp = inner.jvp(primal_out)
    np.testing.assert_allclose(value(inner_jvp), 3.5 * 1.1**2.5, rtol=1e-6)
    np.testing.assert_allclose(value(outer.jvp(inner_jvp)), 3.5 * 2.5 * 1.1**1.5, rtol=1e-6)
    assert inner.jvp(outer.jvp(primal_out)) is None


# -- what is moved --------------------------------------------------------------------------------------------------------


def test_nests_of_primals_and_results():
    a, b, v = tf.constant(2.0), tf.constant([1.0, 2.0]), tf.Variable(3.0)
    with ForwardAccumulator(
        {"a": a, "rest": (b, [v])}, {"a": tf.constant(1.0), "rest": (tf.ones(2), [tf.constant(-1.0)])}
    ) as acc:
        y = {"p": a * b, "q": [v * a, tf.constant(1.0)]}
    got = acc.jvp(y)
    assert value(got["p"]) == [3.0, 4.0] and value(got["q"][0]) == 1.0 and got["q"][1] is None
    assert values(acc.jvp([a, b, v])) == [1.0, [1.0, 1.0], -1.0]


def test_tangents_may_be_arrays():
    x = tf.constant([2.0, 3.0])
    with ForwardAccumulator(x, np.array([1.0, 0.0], np.float32)) as acc:
        y = x * x
    assert value(acc.jvp(y)) == [4.0, 0.0]


def test_what_ran_before_or_after_the_block_has_no_tangent():
    x = tf.constant(2.0)
    before = x * x
    with ForwardAccumulator(x, tf.constant(1.0)) as acc:
        y, later = x * x, before * x
    after = y * y
    assert values(acc.jvp([before, after, y, later, x])) == [None, None, 4.0, 4.0, 1.0]


def test_jvp_inside_the_block():
    x = tf.constant(2.0)
    with ForwardAccumulator(x, tf.constant(1.0)) as acc:
        t = acc.jvp(x * x)
        again = acc.jvp(t * x)  # the tangents of this accumulator are constants to it
    assert value(t) == 4.0 and value(again) == 4.0


def test_entered_again_it_goes_on():
    x = tf.constant([2.0, 3.0])
    acc = ForwardAccumulator(x, tf.constant([1.0, 0.0]))
    with acc:
        y = x * x
    with acc:
        z = x * y
    assert values(acc.jvp([y, z])) == [[4.0, 0.0], [12.0, 0.0]]


def test_it_leaves_when_the_block_raises():
    x = tf.constant(2.0)
    acc = ForwardAccumulator(x, tf.constant(1.0))
    with pytest.raises(KeyError), acc:
        raise KeyError
    y = x * x
    assert acc.jvp(y) is None
    with acc:
        assert value(acc.jvp(x * x)) == 4.0


def test_watch():
    x, y = tf.constant(2.0), tf.constant(4.0)
    acc = ForwardAccumulator(x, tf.constant(1.0))
    acc._watch(y, tf.constant(1.0))
    with acc:
        z = x * y
    assert value(acc.jvp(z)) == 6.0


def test_unconnected():
    x, other = tf.constant([1.0, 2.0]), tf.constant([3.0])
    with ForwardAccumulator(x, tf.ones(2)) as acc:
        results = [other, tf.argmax(x), tf.cast(x, tf.int32), tf.stop_gradient(x), tf.zeros_like(x)]
    assert values(acc.jvp(results)) == [None] * 5
    assert values(acc.jvp(results, unconnected_gradients="zero")) == [[0.0], 0, [0, 0], [0.0, 0.0], [0.0, 0.0]]
    zeros = acc.jvp(other, tf.UnconnectedGradients.ZERO)
    assert zeros.shape == (1,) and value(zeros) == [0.0]


def test_zero_gradients_are_zeros_where_reverse_mode_says_so():
    x = tf.constant(2.0)
    with ForwardAccumulator(x, tf.constant(1.0)) as acc:
        y = tf.sign(x)
        z = tf.stop_gradient(x) * x
    assert values(acc.jvp([y, z])) == [0.0, 2.0]


def test_integers_do_not_move():
    with pytest.warns(UserWarning, match=r"must be floating.*tf.int32"):
        acc = ForwardAccumulator(tf.constant(1), tf.constant(1))
    assert acc._live == {}


def test_complex():
    x = tf.constant(2.0 + 1.0j)
    with ForwardAccumulator(x, tf.constant(1.0 + 0.0j, tf.complex128)) as acc:
        y, size, turned, real = x * x, tf.abs(x), tf.math.conj(x), tf.math.real(x * x)
    assert values(acc.jvp([y, turned, real])) == [4 + 2j, 1 + 0j, 4.0]
    np.testing.assert_allclose(value(acc.jvp(size)), 2 / np.sqrt(5))


# -- wrong input ----------------------------------------------------------------------------------------------------------

Y = tf.constant([2.0, 3.0])


@pytest.mark.parametrize(
    ("primals", "tangents", "error", "text"),
    [
        (2.0, 1.0, ValueError, "a tf.Tensor or a tf.Variable, but is 2.0"),
        (np.ones(2), np.ones(2), ValueError, "convert it with tf.constant"),
        (Y, tf.constant(1.0), ValueError, r"float32\[2\], but has float32\[\]"),
        (Y, tf.ones(2, tf.float64), ValueError, r"float32\[2\], but has float64\[2\]"),
        (Y, [1.0, 0.0], ValueError, "nested structure"),
        ([Y, Y * 1], [tf.ones(2)], ValueError, "number of elements"),
        ([Y], (tf.ones(2),), TypeError, "list and tuple"),
        ([Y], [None], NoneGradientError, "None"),
        ([Y, Y], [tf.ones(2), tf.ones(2)], ValueError, "specified as a primal multiple times"),
    ],
)  # fmt: skip
def test_wrong_primals_and_tangents(primals, tangents, error, text):
    with pytest.raises(error, match=text):
        ForwardAccumulator(primals, tangents)


def test_wrong_use():
    acc = ForwardAccumulator(Y, tf.ones(2))
    with acc, pytest.raises(ValueError, match="Accumulator is already recording"):
        acc.__enter__()
    with pytest.raises(ValueError, match="defined for tensors and variables, but was given None"):
        acc.jvp(None)
    with pytest.raises(ValueError, match=r"was given 3.0"):
        acc.jvp([Y, 3.0])
    with pytest.raises(ValueError, match="unconnected_gradients: 'foo'"):
        acc.jvp(Y, unconnected_gradients="foo")


def test_an_operation_whose_derivative_nobody_wrote_says_so():
    row = Primitive(
        "unwritten",
        "x y",
        lambda x, y: x * y,
        shape=lambda x, y: x,
        grad=(lambda g, y: g * y, not_implemented),
        doc="For this test.",
    )
    try:
        x, y = tf.constant(2.0), tf.constant(3.0)
        with (
            ForwardAccumulator(y, tf.constant(1.0)),
            pytest.raises(LookupError, match="'unwritten' is not implemented"),
        ):
            row(x, y)
        with ForwardAccumulator(x, tf.constant(1.0)) as acc:
            z = row(x, y)
        assert value(acc.jvp(z)) == 3.0
    finally:
        del TABLE["unwritten"]


# -- variables ------------------------------------------------------------------------------------------------------------


def test_variables():
    v, fixed = tf.Variable(3.0), tf.Variable(3.0, trainable=False)
    read_before = v.read_value()
    with ForwardAccumulator([v, fixed], [tf.constant(2.0), tf.constant(1.0)]) as acc:
        y, z, w = v * v, fixed * fixed, read_before * 1.0
    assert values(acc.jvp([y, z, w, v])) == [12.0, 6.0, None, 2.0]


def test_an_assigned_variable_keeps_its_tangent():
    """As in TensorFlow: the tangent belongs to the variable, whatever its value came from."""
    v = tf.Variable(3.0)
    with ForwardAccumulator(v, tf.constant(2.0)) as acc:
        y = v * v
        v.assign(y)
        z = v * v
        v.assign_add(z)
        w = v * 1.0
    assert values(acc.jvp([y, z, w, v])) == [12.0, 36.0, 2.0, 2.0]


def test_functions_read_and_assign_variables():
    v = tf.Variable(3.0)

    @tf.function
    def f(x):
        return v * x

    @tf.function
    def squared():
        v.assign(v * v)
        return v * 2.0

    x = tf.constant(5.0)
    with ForwardAccumulator([v, x], [tf.constant(1.0), tf.constant(10.0)]) as acc:
        y = f(x)
    assert value(acc.jvp(y)) == 35.0
    with ForwardAccumulator(v, tf.constant(1.0)) as acc:
        y, z = squared(), v * 1.0
    assert values(acc.jvp([y, z])) == [2.0, 1.0] and value(v) == 9.0


def test_sparse_gradients_have_sparse_tangents():
    """TensorFlow cannot."""
    table = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with ForwardAccumulator(table, tf.ones_like(table)) as acc:
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.gather(table, [0, 0, 2]) ** 3)
        g = tape.gradient(y, table)
    t = acc.jvp(g)
    assert isinstance(t, tf.IndexedSlices) and value(t.indices) == [0, 0, 2]
    np.testing.assert_allclose(t.values.numpy(), 6 * np.array([[1.0, 2], [1, 2], [5, 6]]))
    with ForwardAccumulator(Y, tf.ones(2)) as acc:
        pass
    assert acc.jvp(g) is None


# -- nesting --------------------------------------------------------------------------------------------------------------

ORDERS = ["".join(s) for n in (1, 2, 3) for s in itertools.product("fr", repeat=n)]


def differentiated(f, x, order):
    """The derivative of ``f`` by x, as often as ``order`` has letters, the innermost last: f for forward, r for reverse."""
    if not order:
        return f(x)
    if order[0] == "f":
        with ForwardAccumulator(x, tf.ones_like(x)) as acc:
            y = differentiated(f, x, order[1:])
        return acc.jvp(y, "zero")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = differentiated(f, x, order[1:])
    return tape.gradient(y, x, unconnected_gradients="zero")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("how", ["eager", "of a function", "in a function", "of a function in a function"])
def test_modes_nest_in_any_order(order, how):
    f = lambda x: tf.exp(x) * tf.sin(2 * x) + x**4
    inner = tf.function(f) if "of" in how else f
    whole = lambda x: differentiated(inner, x, order)
    x = tf.constant(0.7, tf.float64)
    got = (tf.function(whole) if "in a" in how else whole)(x)
    k = len(order)
    # the k-th derivative of the imaginary part of exp((1 + 2i) x), and of x⁴
    want = ((1 + 2j) ** k * np.exp((1 + 2j) * 0.7)).imag + [0.0, 4 * 0.7**3, 12 * 0.7**2, 24 * 0.7][k]
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-12)


def test_accumulators_side_by_side_do_not_hear_each_other():
    x = tf.constant(2.0)
    a, b = ForwardAccumulator(x, tf.constant(1.0)), ForwardAccumulator(x, tf.constant(1.0))
    with a:
        y = x * x
    with b:
        z = y * x
    assert values([a.jvp(z), b.jvp(z)]) == [None, 4.0]


def test_what_is_inside_does_not_hear_of_the_tangents_around():
    x = tf.constant(2.0)
    with ForwardAccumulator(x, tf.constant(1.0)) as outer, ForwardAccumulator(x, tf.constant(1.0)) as inner:
        y = x**3
        t = outer.jvp(y)
    assert values([t, inner.jvp(t), outer.jvp(inner.jvp(y))]) == [12.0, None, 12.0]
    with ForwardAccumulator(x, tf.constant(1.0)) as outer, tf.GradientTape() as tape:
        tape.watch(x)
        t = outer.jvp(x**3)
    assert tape.gradient(t, x) is None


def test_perturbations_are_not_confused():
    """d/dx x · (d/dy (x + y)) is 1, not 2."""
    x = tf.constant(1.0)
    with ForwardAccumulator(x, tf.constant(1.0)) as outer:
        y = tf.constant(1.0)
        with ForwardAccumulator(y, tf.constant(1.0)) as inner:
            s = x + y
        z = x * inner.jvp(s)
    assert value(outer.jvp(z)) == 1.0


def test_two_tapes_and_two_accumulators():
    """The fourth derivative of x⁵, mixed."""
    x = tf.constant(2.0, tf.float64)
    assert abs(value(differentiated(lambda x: x**5, x, "frfr")) - 240.0) < 1e-9
    assert abs(value(differentiated(lambda x: x**5, x, "rffr")) - 240.0) < 1e-9


def test_a_persistent_tape_inside():
    x = tf.constant([1.0, 2.0])
    with ForwardAccumulator(x, tf.constant([1.0, 0.0])) as acc:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x**3
        g, j = tape.gradient(y, x), tape.jacobian(y, x)
    assert values(acc.jvp([g, j])) == [[6.0, 0.0], [[6.0, 0.0], [0.0, 0.0]]]


# -- functions ------------------------------------------------------------------------------------------------------------


def test_an_accumulator_of_outside_is_entered_inside():
    x = tf.constant([2.0, 3.0])
    acc = ForwardAccumulator(x, tf.constant([1.0, 0.0]))

    @tf.function
    def f():
        with acc:
            return acc.jvp(tf.sin(x))

    np.testing.assert_allclose(f().numpy(), [np.cos(2.0), 0.0], rtol=1e-6)


def test_a_function_runs_once_under_an_accumulator_and_its_effects_happen_once():
    count, calls = tf.Variable(0), []

    @tf.function
    def f(x):
        count.assign_add(1)
        tf.py_function(lambda: calls.append(1), [], [])
        return x * x

    for n in (1, 2, 3):
        y, t = pushed(f, tf.constant(3.0), tf.constant(1.0))
        assert values([y, t, count]) == [9.0, 6.0, n]
        assert len(calls) == n


@pytest.mark.parametrize("watcher", ["tape", "accumulator", "both"])
def test_effects_without_inputs_happen_in_every_run(watcher, capfd):
    """A node of constants alone is for the run, not for the trace of the gradient."""
    f = tf.function(lambda x: (tf.print("here"), x * x)[1])
    x = tf.constant(3.0)
    for _ in range(3):
        tape, acc = tf.GradientTape(), ForwardAccumulator(x, tf.constant(1.0))
        with contextlib.ExitStack() as stack:
            for w in {"tape": [tape], "accumulator": [acc], "both": [acc, tape]}[watcher]:
                stack.enter_context(w)
            tape.watch(x)
            y = f(x)
        if watcher != "accumulator":
            assert value(tape.gradient(y, x)) == 6.0
    assert capfd.readouterr().err.count("here") == 3


def test_tangents_of_a_function_under_a_tape_come_when_they_are_asked_for():
    """hvp does not need the value's tangent; asked for later, even while another function is traced, it is right."""
    f = tf.function(lambda x: tf.reduce_sum(x**3))
    x = tf.constant([1.0, 2.0])
    with ForwardAccumulator(x, tf.constant([1.0, 0.5])) as acc:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
            z = y * 2.0
        g = tape.gradient(y, x)
    seen = []

    @tf.function
    def trace(a):
        seen.append(acc.jvp(y))
        return a * seen[0]

    assert value(trace(tf.constant(2.0))) == 18.0
    assert value(seen[0]) == 9.0
    assert values(acc.jvp([y, z, g])) == [9.0, 18.0, [6.0, 6.0]]


def test_functions_with_several_results_and_integers():
    f = tf.function(lambda x, n: (x * tf.cast(n, x.dtype), n + 1, tf.constant(1.0), tf.argmax(x), x))
    x = tf.constant([1.0, 2.0])
    with ForwardAccumulator(x, tf.ones(2)) as acc:
        results = f(x, tf.constant(3))
    assert values(acc.jvp(results)) == [[3.0, 3.0], None, None, None, [1.0, 1.0]]


@pytest.mark.parametrize("order", ["f", "fr", "rf", "ff"])
def test_open_shapes(order):
    """A function whose shapes are known only when it runs."""
    f = lambda x: tf.reduce_sum(tf.sqrt(x) * tf.nn.softmax(x), keepdims=True) * x[1:]
    traced = tf.function(lambda x: differentiated(f, x, order), input_signature=[tf.TensorSpec([None], tf.float64)])
    for n in (3, 5):
        x = tf.constant(np.linspace(0.5, 2.0, n))
        np.testing.assert_allclose(traced(x).numpy(), differentiated(f, x, order).numpy(), rtol=1e-10)


def test_accumulators_of_threads_do_not_hear_each_other():
    x, found = tf.constant([2.0, 3.0]), []
    with ForwardAccumulator(x, tf.ones(2)) as acc:
        thread = threading.Thread(target=lambda: found.append(x * x))
        thread.start()
        thread.join()
    assert acc.jvp(found[0]) is None


# -- control flow, and what users differentiate themselves ----------------------------------------------------------------


def turns(x):
    """A loop whose number of turns depends on the value."""
    y, n = x, tf.constant(0)
    while tf.reduce_sum(y) < 30.0:
        y = y * x + tf.sin(y)
        n += 1
    return y


def branches(x):
    return tf.cond(tf.reduce_sum(x) > 1.0, lambda: x * x * x, lambda: tf.zeros_like(x))


def mapped(x):
    return tf.map_fn(lambda row: tf.reduce_prod(row) * row, x)


def scanned(x):
    return tf.scan(lambda a, row: a * row + a, x)


@pytest.mark.parametrize("f", [turns, branches, mapped, scanned])
@pytest.mark.parametrize("order", ["f", "fr", "rf", "ff", "ffr"])
def test_control_flow(f, order):
    x = tf.constant([[1.1, 1.5], [1.3, 2.0]], tf.float64)
    eager = differentiated(f, x, order)
    np.testing.assert_allclose(differentiated(tf.function(f), x, order).numpy(), eager.numpy(), rtol=1e-10, atol=1e-12)
    inside = tf.function(lambda x: differentiated(f, x, order))
    np.testing.assert_allclose(inside(x).numpy(), eager.numpy(), rtol=1e-10, atol=1e-12)


def test_a_while_loop_with_closures():
    x = tf.constant(2.0)
    with ForwardAccumulator(x, tf.constant(1.0)) as acc:
        y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), [0, x])[1]
        z = tf.function(lambda: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), [0, x])[1])()
    assert values(acc.jvp([y, z])) == [32.0, 32.0]


def test_both_branches_and_neither_move():
    @tf.function
    def f(x, p):
        a, b, c = tf.cond(p, lambda: (x * x, tf.constant(1.0), 2), lambda: (tf.constant(1.0), x + 1.0, 3))
        return a, b, c

    x = tf.constant(3.0)
    for p, want in ((True, [6.0, 0.0]), (False, [0.0, 1.0])):
        with ForwardAccumulator(x, tf.constant(1.0)) as acc:
            a, b, c = f(x, tf.constant(p))
        assert values(acc.jvp([a, b])) == want and acc.jvp(c) is None


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("order", ["f", "fr", "rf", "ff", "frf"])
def test_custom_gradient(traced, order):
    """The user's gradient is transposed, so it must be right in both modes, and to every order."""

    @tf.custom_gradient
    def cube(x):
        return tf.identity(x**3), lambda g: g * 5.0 * x**4  # not the derivative, so that it shows who is asked

    f = tf.function(cube) if traced else cube
    k = len(order)
    want = {1: 5 * 2.0**4, 2: 5 * 4 * 2.0**3, 3: 5 * 4 * 3 * 2.0**2}[k]
    got = value(differentiated(f, tf.constant(2.0, tf.float64), order))
    # the outermost derivative of a rule is by the rule of what it is made of, which is x⁴ here
    assert abs(got - want) < 1e-9


@pytest.mark.parametrize("traced", [False, True])
def test_recomputed_gradients(traced):
    """The transposed rule computes the function again, with cotangents that are 0: sqrt must be linear there too."""
    f = tf.recompute_grad(lambda x: tf.sqrt(x) * tf.sin(x))
    f = tf.function(f) if traced else f
    x = 1.7
    first = np.sin(x) / (2 * np.sqrt(x)) + np.sqrt(x) * np.cos(x)
    second = -np.sin(x) / (4 * x**1.5) + np.cos(x) / np.sqrt(x) - np.sqrt(x) * np.sin(x)
    for order, want in (("f", first), ("fr", second), ("rf", second)):
        np.testing.assert_allclose(value(differentiated(f, tf.constant(x, tf.float64), order)), want, rtol=1e-12)


def test_custom_gradients_of_several_arguments_and_variables():
    v = tf.Variable(3.0)

    @tf.custom_gradient
    def f(x, y):
        def grad(dy, dz, variables=None):
            return (dy * y, dy * x + 2 * dz), [dy * 10.0]

        return (x * y + v, 2.0 * y), grad

    x, y = tf.constant(2.0), tf.constant(5.0)
    with ForwardAccumulator([x, y, v], [tf.constant(1.0), tf.constant(2.0), tf.constant(4.0)]) as acc:
        a, b = f(x, y)
    assert values(acc.jvp([a, b])) == [5.0 + 4.0 + 40.0, 4.0]


@pytest.mark.parametrize("order", ["f", "fr", "rf", "ff"])
def test_py_function(order):
    """TensorFlow fails inside functions."""
    f = lambda x: tf.py_function(lambda v: tf.sqrt(v) * v * float(v.numpy() > 0), [x], tf.float64)
    k = len(order)
    want = {1: 1.5 * 1.7**0.5, 2: 0.75 * 1.7**-0.5}[k]
    x = tf.constant(1.7, tf.float64)
    np.testing.assert_allclose(value(differentiated(f, x, order)), want, rtol=1e-12)
    np.testing.assert_allclose(value(differentiated(tf.function(f), x, order)), want, rtol=1e-12)
    np.testing.assert_allclose(value(tf.function(lambda x: differentiated(f, x, order))(x)), want, rtol=1e-12)


def test_nothing_flows_through_numpy_functions():
    x = tf.constant([1.0, 2.0])
    for f in (lambda x: tf.numpy_function(lambda a: 2 * a, [x], tf.float32), lambda x: tf.constant(2 * x.numpy())):
        assert pushed(f, x, tf.ones(2))[1] is None


# -- memory ---------------------------------------------------------------------------------------------------------------


def test_tangents_go_with_the_tensors_they_belong_to():
    x = tf.constant(np.ones(1000))
    with ForwardAccumulator(x, tf.ones_like(x)) as acc:
        kept = y = x * 1.0
        for _ in range(3000):
            y = y + x
        last = y + x
    gc.collect()
    assert len(acc._live) < 600
    assert value(acc.jvp(kept)) == [1.0] * 1000 and value(acc.jvp(last))[0] == 3002.0


def test_an_accumulator_is_freed():
    x = tf.constant(1.0)
    with ForwardAccumulator(x, tf.constant(1.0)) as acc:
        y = x * x
    assert value(acc.jvp(y)) == 2.0
    gone = weakref.ref(acc)
    del acc
    gc.collect()
    assert gone() is None
