"""cond and while_loop: eager and traced alike, differentiated to second order, rolled, and with the errors that TensorFlow gives."""

import time

import pytest

import gradtape as tf
from gradtape.core.state import state
from gradtape.tracing.control import cond, while_loop
from gradtape.tracing.tensor_array import TensorArray

from .forms import assert_every_form, assert_same, derivative, forms, graph

X = tf.constant(1.5, tf.float64)
ZERO = tf.constant(0)


# -- cond -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.5, 1.5, 2.5])
def test_cond_in_every_form(x):
    x = tf.constant(x, tf.float64)
    assert_every_form(lambda x: cond(x > 1.0, lambda: x**3, lambda: tf.sin(x) * 2.0), x)
    nested = lambda x: cond(x > 1.0, lambda: cond(x > 2.0, lambda: x**4, lambda: x * x), lambda: tf.exp(x))
    assert_every_form(nested, x)
    assert_every_form(lambda x: cond(tf.reduce_sum(x) > 4.0, lambda: x * x[0], lambda: x**3), tf.stack([x, x + 1.0]))


def test_only_the_chosen_branch_runs():
    f = graph(lambda i: cond(i < 2, lambda: tf.gather(tf.constant([1.0, 2.0]), i), lambda: -1.0))
    assert [float(f(tf.constant(i))) for i in (0, 1, 7)] == [1.0, 2.0, -1.0]  # the gather fails at 7


def test_both_branches_are_traced_and_one_runs():
    log = []
    f = graph(lambda x: cond(x > 1.0, lambda: log.append("a") or x, lambda: log.append("b") or x))
    f(X), f(-X)
    assert log == ["a", "b"]


def test_cond_of_nests_and_python_values():
    f = graph(lambda x: cond(x > 1.0, lambda: (x, [1, None], {"a": 2.0}), lambda: (x * 2.0, [3, None], {"a": 4.0})))
    for x, want in ((X, (1.5, [1, None], {"a": 2.0})), (tf.constant(0.5, tf.float64), (1.0, [3, None], {"a": 4.0}))):
        a, (b, none), d = f(x)
        assert (float(a), int(b), none, float(d["a"])) == (want[0], want[1][0], None, want[2]["a"])
        assert b.dtype is tf.int32 and d["a"].dtype is tf.float32
    assert (
        float(graph(lambda x: cond(x > 1.0, lambda: 1.0, lambda: x))(X)) == 1.0
    )  # a number takes the other branch's dtype
    assert graph(lambda x: cond(x > 1.0, lambda: None, lambda: None))(X) is None


def test_python_predicates_choose_at_once():
    assert float(cond(True, lambda: X, lambda: X * 2.0)) == 1.5
    assert float(graph(lambda x: cond(False, lambda: x, lambda: x * 2.0))(X)) == 3.0


@pytest.mark.parametrize(
    ("true_fn", "false_fn", "error", "message"),
    [
        (lambda x: (x, x), lambda x: x, TypeError, "same number, type, and overall structure of return values"),
        (lambda x: [x], lambda x: (x,), TypeError, "same number, type, and overall structure"),
        (lambda x: {"a": x}, lambda x: {"b": x}, TypeError, "same number, type, and overall structure"),
        (
            lambda x: x,
            lambda x: tf.cast(x, tf.int32),
            TypeError,
            "same dtype whichever branch is taken, but is float64 from true_fn and int32 from false_fn",
        ),
        (lambda x: 1, lambda x: 2.0, TypeError, "but is int32 from true_fn and float32 from false_fn"),
        (lambda x: x, lambda x: None, ValueError, "from true_fn and None from false_fn: both must be tensors"),
    ],
)
def test_branches_that_differ(true_fn, false_fn, error, message):
    with pytest.raises(error, match=message) as caught:
        graph(lambda x: cond(x > 1.0, lambda: true_fn(x), lambda: false_fn(x)))(X)
    assert "test_control.py" in str(caught.value)
    assert state.trace is None


def test_cond_refuses_what_is_no_branch_or_predicate():
    for f in (lambda x: cond(x > 1.0, x, lambda: x), lambda x: cond(x > 1.0, lambda: x)):
        with pytest.raises(TypeError, match="must be callable"):
            graph(f)(X)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be a scalar, but has shape \(2,\)"):
        graph(lambda x: cond(x > 1.0, lambda: x, lambda: x))(tf.ones([2]))


def test_branches_of_different_lengths():
    f = graph(
        lambda x: tf.reduce_sum(
            cond(x > 1.0, lambda: tf.ones([2], tf.float64) * x, lambda: tf.ones([3], tf.float64) * x)
        )
    )
    assert float(f(X)) == 3.0 and float(f(tf.constant(0.5, tf.float64))) == 1.5


def test_variables_in_branches():
    v = tf.Variable(1.0)

    def one(x):
        v.assign(x)
        return v * 2.0

    def other():
        v.assign_add(10.0)
        v.assign(v * v)
        return v * 3.0

    f = graph(lambda x: (cond(x > 1.0, lambda: one(x), other), v * 1.0))
    for x, want in ((1.5, (3.0, 1.5)), (0.0, (396.75, 132.25)), (2.0, (4.0, 2.0))):
        assert tuple(float(t) for t in f(tf.constant(x))) == want
        assert float(v) == want[1]
    only_one = graph(lambda x: cond(x > 1.0, lambda: v.assign_add(x) * 1.0, lambda: x))
    assert float(only_one(tf.constant(0.5))) == 0.5 and float(v) == 2.0
    assert float(only_one(tf.constant(1.5))) == 3.5 and float(v) == 3.5


@pytest.mark.parametrize("place", ["cond", "while"])
@pytest.mark.parametrize("tape", ["outside", "inside"])
def test_variables_read_in_control_flow_get_gradients(place, tape):
    v = tf.Variable(1.3, dtype=tf.float64)
    f = {
        "cond": lambda x: cond(x > 1.0, lambda: v * v * x, lambda: x),
        "while": lambda x: while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * v), (ZERO, x))[1],
    }[place]

    def take(g, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = g(x)
        assert [u is v for u in tape.watched_variables()] == [True]
        return tape.gradient(y, [x, v])

    want = take(f, X)
    got = take(graph(f), X) if tape == "outside" else graph(lambda x: take(f, x))(X)
    assert_same(got, want, 1e-13)


# -- while_loop -------------------------------------------------------------------------------------------------------------------

LOOPS = {
    "counted": lambda x: while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, y * tf.sin(x) + y * y * 0.1), (ZERO, x))[
        1
    ],
    "as long as": lambda x: while_loop(lambda y: y < 100.0, lambda y: (y * (x + 0.5),), (x,))[0],
    "no turns": lambda x: while_loop(lambda y: y < 0.0, lambda y: [y * x], [x * x])[0],
    "linear": lambda x: while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2.0 + x), (ZERO, x))[1],
    "uses the counter": lambda x: while_loop(
        lambda i, y: i < 3, lambda i, y: (i + 1, y * tf.cast(i + 1, tf.float64)), (ZERO, x)
    )[1],
    "swaps": lambda x: while_loop(lambda i, a, b: i < 3, lambda i, a, b: (i + 1, b * 1.5, a * x), (ZERO, x, x * x))[1],
    "not the state": lambda x: while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, x * x), (ZERO, x))[1],
    "stops the gradient": lambda x: (
        x * while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.stop_gradient(y) * x), (ZERO, x))[1]
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_in_every_form(name):
    assert_every_form(LOOPS[name], X, rtol=1e-11, zero_for_none=name == "linear")


def test_loops_to_the_third_order():
    want = derivative(LOOPS["counted"], X, 3)
    for what, got in forms(LOOPS["counted"], X, 3):
        assert_same(got, want, 1e-11, what)


def test_loops_in_loops_and_branches():
    def f(x):
        def outer(i, y):
            inner = while_loop(lambda j, z: j < i, lambda j, z: (j + 1, z * tf.cos(x) + y * 0.1), (ZERO, y))[1]
            return i + 1, cond(tf.equal(i % 2, 0), lambda: inner * x, lambda: inner + tf.sin(y))

        return while_loop(lambda i, y: i < 4, outer, (ZERO, x))[1]

    assert_every_form(f, X, rtol=1e-11)
    branch = lambda x: cond(x > 1.0, lambda: LOOPS["counted"](x), lambda: x * 2.0)
    assert_every_form(branch, X, rtol=1e-11)
    assert_every_form(branch, tf.constant(0.5, tf.float64), rtol=1e-11, zero_for_none=True)


def test_loops_over_vectors_and_their_rows():
    x = tf.constant([1.0, 2.0, 3.0], tf.float64)
    rows = lambda x: while_loop(
        lambda i, s: i < 3, lambda i, s: (i + 1, s + x[i] * x[i] * s), (ZERO, tf.constant(1.0, tf.float64))
    )[1]
    assert_every_form(rows, x, rtol=1e-11)
    whole = lambda x: while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * x + tf.reduce_mean(s)), (ZERO, x))[1]
    assert_every_form(whole, x, rtol=1e-11)

    def jacobian(f, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        return tape.jacobian(y, x)

    want = jacobian(whole, x)
    assert_same(jacobian(graph(whole), x), want, 1e-12)
    assert_same(graph(lambda x: jacobian(whole, x))(x), want, 1e-12)
    branch = lambda x: cond(x[0] > 0, lambda: x * x[1], lambda: x)
    assert_same(jacobian(graph(branch), x), jacobian(branch, x), 1e-12)


def test_loop_variables_are_nests():
    def f(x):
        body = lambda i, d: (i + 1, {"a": d["a"] * d["b"][0], "b": [d["b"][0] + 0.1]})
        return while_loop(lambda i, d: i < 3, body, [ZERO, {"a": x, "b": [x * 0.5]}])[1]["a"]

    assert_every_form(f, X, rtol=1e-11)
    out = graph(lambda x: while_loop(lambda i, d: i < 3, lambda i, d: (i + 1, d), [ZERO, (x, [x])]))(X)
    assert type(out) is list and type(out[1]) is tuple and type(out[1][1]) is list
    assert type(graph(lambda x: while_loop(lambda y: y < 3.0, lambda y: [y + 1.0], (x,)))(X)) is tuple


def test_numbers_as_loop_variables():
    f = lambda x: while_loop(
        lambda i, y: tf.logical_and(i < 10, y < 20.0), lambda i, y: (i + 1, y * x), (0, tf.constant(1.0, tf.float64))
    )
    assert_same(graph(f)(X), f(X))
    assert graph(lambda: while_loop(lambda i: i < 3, lambda i: i + 1, [0]))()[0].dtype is tf.int32


def test_maximum_iterations():
    f = lambda x, n: while_loop(lambda y: y < 300.0, lambda y: [y * 2.0], [x], maximum_iterations=n)
    for n, want in ((3, 12.0), (0, 1.5), (100, 384.0)):
        assert (
            float(f(X, n)[0])
            == float(graph(lambda x, n=n: f(x, n))(X)[0])
            == float(graph(f)(X, tf.constant(n))[0])
            == want
        )
    for what, got in forms(lambda x: f(x, 3)[0], X, 1):
        assert float(got) == 8.0, what


def test_back_prop_false_stops_gradients():
    f = lambda x: while_loop(lambda y: y < 30.0, lambda y: [y * 2.0], [x], back_prop=False)[0]
    for what, got in forms(f, X, 1):
        assert got is None, what


def test_a_shape_that_changes():
    grow = lambda x, **how: while_loop(
        lambda i, d: i < 3, lambda i, d: [i + 1, tf.concat([d, d * 2.0], 0)], [ZERO, x], **how
    )
    with pytest.raises(
        ValueError, match=r"has shape \(1,\) before the loop, but shape \(2,\) after one iteration.*shape_invariants"
    ):
        graph(grow)(tf.ones([1]))
    assert state.trace is None


def test_shape_invariants():
    grow = lambda x: while_loop(
        lambda i, d: i < 3,
        lambda i, d: [i + 1, tf.concat([d, d * 2.0], 0)],
        [ZERO, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    )
    assert graph(grow)(tf.ones([1]))[1].numpy().tolist() == [1.0, 2.0, 2.0, 4.0, 2.0, 4.0, 4.0, 8.0]


@pytest.mark.parametrize("form", ["branches", "loop"])
def test_gradients_through_unknown_shapes(form):
    ones = lambda n: tf.ones([n], tf.float64)
    if form == "branches":
        f, x, want = (
            lambda x: tf.reduce_sum(cond(x > 1.0, lambda: ones(2) * x, lambda: ones(3) * x)),
            X,
            tf.constant(2.0, tf.float64),
        )
    else:
        how = {"shape_invariants": [tf.TensorShape([]), tf.TensorShape([None])]}
        f = lambda x: tf.reduce_sum(
            while_loop(lambda i, d: i < 3, lambda i, d: [i + 1, tf.concat([d, d * 2.0], 0)], [ZERO, x], **how)[1] ** 2
        )
        x, want = ones(1), tf.constant([250.0], tf.float64)
    for what, got in forms(f, x, 1):
        assert_same(got, want, what=what)


def test_shape_invariants_of_elementwise_bodies():
    f = lambda x: while_loop(
        lambda i, d: i < 3,
        lambda i, d: [i + 1, d * 2.0],
        [ZERO, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    )[1]
    assert_same(graph(f)(tf.ones([2])), tf.constant([8.0, 8.0]))


@pytest.mark.parametrize(
    ("test", "body", "start", "error", "message"),
    [
        (
            lambda i, d: i < 3,
            lambda i, d: [i + 1, tf.cast(d, tf.int32)],
            lambda x: [ZERO, x],
            TypeError,
            "has dtype float64 before the loop, but dtype int32 after one iteration",
        ),
        (lambda i: i < 3, lambda i: [i + 1.5], lambda x: [0], TypeError, "int32"),
        (
            lambda i, d: i < 3,
            lambda i, d: [i + 1],
            lambda x: [ZERO, x],
            ValueError,
            "must return what it takes, in the same form",
        ),
        (
            lambda i, d: i < 3,
            lambda i, d: [i + 1, (d, d)],
            lambda x: [ZERO, x],
            ValueError,
            "must return what it takes, in the same form",
        ),
        (
            lambda d: tf.stack([d < 3.0, d < 4.0]),
            lambda d: [d + 1.0],
            lambda x: [x],
            ValueError,
            r"must be a scalar bool, but is bool\[2\]",
        ),
        (
            lambda d: tf.cast(d, tf.int32),
            lambda d: [d - 1.0],
            lambda x: [x],
            ValueError,
            r"must be a scalar bool, but is int32\[\]",
        ),
        (lambda d: d < 1.0, 3, lambda x: [x], TypeError, "'body' must be callable"),
        (3, lambda d: d, lambda x: [x], TypeError, "'cond' must be callable"),
        (lambda: True, lambda: [], lambda x: [], ValueError, "'loop_vars' must not be empty"),
    ],
)
def test_loops_that_are_refused(test, body, start, error, message):
    with pytest.raises(error, match=message):
        graph(lambda x: while_loop(test, body, start(x)))(X)
    assert state.trace is None


def test_variables_are_assigned_in_loops():
    v, w = tf.Variable(1.0), tf.Variable(2.0)

    def body(i):
        v.assign(v * w)
        return [i + 1]

    def f(x):
        while_loop(lambda i: i < 3, body, [ZERO])
        return v * x

    assert float(graph(f)(tf.constant(1.5))) == 12.0 and float(v) == 8.0
    g = graph(lambda: while_loop(lambda i: v < 100.0, lambda i: [i + v.assign_add(30.0) * 0.0], [tf.constant(0.0)]))
    g()
    assert float(v) == 128.0  # the condition sees the assignment


def test_a_whole_training_loop_inside():
    def train(wrap):
        v, slot = tf.Variable(1.3, dtype=tf.float64), tf.Variable(0.0, dtype=tf.float64)

        def body(i):
            with tf.GradientTape() as tape:
                y = (v - 3.0) ** 2 * v
            slot.assign(0.9 * slot + tape.gradient(y, v))
            v.assign_sub(0.01 * slot)
            return [i + 1]

        wrap(lambda: while_loop(lambda i: i < 20, body, [ZERO]))()
        return v, slot

    assert_same(train(graph), train(lambda f: f), 1e-13)


def test_tensor_arrays_as_loop_variables():
    def f(x):
        array = TensorArray(tf.float64, size=3)
        _, array = while_loop(
            lambda i, a: i < 3, lambda i, a: (i + 1, a.write(i, x * tf.cast(i, tf.float64))), (ZERO, array)
        )
        return tf.reduce_sum(array.stack() ** 2)

    assert_every_form(f, X)

    def fibonacci(n):
        array = TensorArray(tf.int32, size=n, element_shape=[]).write(0, 1).write(1, 1)
        return while_loop(
            lambda i, a: i < n, lambda i, a: (i + 1, a.write(i, a.read(i - 1) + a.read(i - 2))), (tf.constant(2), array)
        )[1].stack()

    assert (
        graph(lambda: fibonacci(10))().numpy().tolist()
        == fibonacci(10).numpy().tolist()
        == [1, 1, 2, 3, 5, 8, 13, 21, 34, 55]
    )


def test_loops_stay_rolled():
    f = lambda x, n: while_loop(lambda i, y: i < n, lambda i, y: (i + 1, tf.sin(y) * 0.5 + x), (ZERO, x))[1]

    def nodes(g):
        return len(g.nodes) + sum(nodes(s) for s in g.subgraphs())

    sizes = []
    for n in (3, 30_000):
        g = graph(lambda x, n=n: f(x, n))
        d = graph(lambda x, n=n: derivative(lambda z: f(z, n), x))
        spent = time.process_time()
        g.get_concrete_function(X), d.get_concrete_function(X)
        spent = time.process_time() - spent
        assert spent < 0.5, f"tracing a loop of {n} turns took {spent:.2f} s"
        sizes.append((nodes(g.graph), nodes(d.graph)))
    assert sizes[0] == sizes[1] and sizes[0][0] < 10 and sizes[0][1] < 40


def test_a_long_loop_runs():
    f = graph(lambda x, n: while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * 0.5 + 1.0), (ZERO, x)))
    i, y = f(tf.constant(0.0), tf.constant(100_000))
    assert (int(i), float(y)) == (100_000, 2.0)


def test_a_loops_gradient_keeps_only_what_it_needs():
    """A loop that is linear in its state keeps none of its states; one that is not keeps those that the body's gradient reads."""

    def kept(body):
        f = graph(lambda x: while_loop(lambda i, y, z: i < 1000, body(x), (ZERO, tf.ones([8], tf.float64), x))[1])
        with tf.GradientTape() as tape:
            tape.watch(x)
            f(x)
        return [r.shape for r in tape._records[0][0].residuals if r.size >= 1000]

    x = tf.constant(1.0, tf.float64)
    assert kept(lambda x: lambda i, y, z: (i + 1, y * 0.5 + z, z)) == []
    assert kept(lambda x: lambda i, y, z: (i + 1, tf.tanh(y) + z, z)) == [(1000, 8)]


def native_parts(monkeypatch):
    """What is compiled from now on: native programs, and functions of which only parts are."""
    pytest.importorskip("llvmlite")
    from gradtape.engines.native import engine

    programs, stepped = [], []
    for c, made in ((engine.Program, programs), (engine._Stepped, stepped)):
        monkeypatch.setattr(c, "__init__", lambda self, *a, i=c.__init__, m=made: (i(self, *a), m.append(self))[0])
    return programs, stepped


def test_the_gradient_of_a_loop_is_native(monkeypatch):
    """Whole: one program with the tape inside, two with it outside; of arrays, of scalars, and of loops in loops."""
    programs, stepped = native_parts(monkeypatch)
    inner = lambda y: while_loop(lambda j, z: j < 3, lambda j, z: (j + 1, tf.cos(z) * z), (ZERO, y))[1]
    for step in (lambda x, y: tf.sin(y) * x, lambda x, y: inner(y) + x):
        for x in (X, tf.stack([X, X + 1.0])):
            f = lambda x, step=step: while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, step(x, y)), (ZERO, x))[1]
            want = derivative(f, x)
            for inside, count in ((True, 1), (False, 2)):
                programs.clear()
                got = graph(lambda x, f=f: derivative(f, x))(x) if inside else derivative(graph(f), x)
                assert_same(got, want, rtol=1e-12)
                assert len(programs) == count and not stepped


def test_what_can_be_is_native_in_a_loop_that_is_not(monkeypatch):
    programs, stepped = native_parts(monkeypatch)
    body = lambda i, y: (i + 1, tf.math.polygamma(tf.ones_like(y), 1.0 + tf.square(tf.sin(y) * 2.0)))
    f = lambda x: while_loop(lambda i, y: i < 5, body, (ZERO, x))[1]
    assert_same(graph(f)(X), f(X), rtol=1e-12)
    assert len(stepped) >= 1 and any("sin" in p.ir for p in programs)


def test_the_users_own_error_keeps_its_class():
    @tf.function
    def f(x):
        if x < 0.0:
            raise KeyError("negative")
        return tf.sqrt(x)

    assert f(tf.constant(4.0)).numpy() == 2.0
    with pytest.raises(KeyError, match="negative"):
        f(tf.constant(-1.0))


def test_a_tensor_array_comes_out_of_a_branch():
    def f(p):
        ta = TensorArray(tf.float32, 2, element_shape=[])
        ta = cond(p, lambda: ta.write(0, 1.0), lambda: ta.write(0, 2.0))
        return ta.write(1, 5.0).stack()

    for p in (True, False):
        assert tf.function(f)(tf.constant(p)).numpy().tolist() == f(tf.constant(p)).numpy().tolist() == [2.0 - p, 5.0]


def test_none_stays_none_in_both_branches():
    f = tf.function(lambda p: cond(p, lambda: (1.0, None), lambda: (2.0, None)))
    x, nothing = f(tf.constant(False))
    assert x.numpy() == 2.0 and nothing is None


def test_what_is_captured_twice_is_not_the_state_of_a_variable():
    """An int variable's value and the variable are one value in the graph: in the loop only one of them changes."""
    v, w = tf.Variable(1), tf.Variable(0)

    @tf.function
    def f(x):
        v.assign(x)
        w.assign(v)
        for _ in tf.range(3):
            v.assign_add(w)
            v.assign_add(x)
        return v + 0

    assert f(tf.constant(1)).numpy() == 7
    assert (v.numpy(), w.numpy()) == (7, 1)


def test_the_body_and_condition_of_a_loop_are_traced_once():
    traced = []

    @tf.function
    def f(n):
        return while_loop(lambda i: traced.append("test") or i < n, lambda i: traced.append("body") or i + 1, [0])

    assert f(tf.constant(3))[0].numpy() == 3
    assert sorted(traced) == ["body", "test"]


def test_a_shape_invariant_of_unknown_rank():
    grow = lambda x: tf.concat([x, [1]], 0)
    f = tf.function(lambda: while_loop(lambda x: tf.size(x) < 5, grow, [tf.constant([1])], shape_invariants=[tf.TensorShape(None)]))  # fmt: skip
    assert f()[0].numpy().tolist() == [1] * 5
    g = tf.function(lambda: while_loop(lambda x: tf.size(x) < 5, grow, [tf.constant([1])], shape_invariants=[tf.TensorShape([3])]))  # fmt: skip
    with pytest.raises(ValueError, match=r"shape \(1,\) before the loop, which does not conform with the shape invariant \(3,\)"):  # fmt: skip
        g()


@pytest.mark.parametrize("wrap", [tf.function, lambda f: f])
def test_loop_variables_and_limits_that_are_none(wrap):
    with pytest.raises(TypeError, match="must be a list or tuple"):
        wrap(lambda: while_loop(lambda i: i < 3, lambda i: i + 1, tf.constant(0)))()
    with pytest.raises(ValueError, match="None"):
        wrap(lambda: while_loop(lambda i, n: i < 3, lambda i, n: (i + 1, n), (0, None)))()
    with pytest.raises(ValueError, match="must be a scalar"):
        wrap(lambda: while_loop(lambda i: i < 3, lambda i: i + 1, [0], maximum_iterations=[1, 2]))()


def test_back_prop_false_stops_what_goes_through_an_array_too():
    def f(x):
        ta = TensorArray(tf.float32, 2, element_shape=[])
        with tf.GradientTape() as tape:
            tape.watch(x)
            _, done = while_loop(lambda i, t: i < 2, lambda i, t: (i + 1, t.write(i, x)), (0, ta), back_prop=False)
            y = tf.reduce_sum(done.stack())
        return y, tape.gradient(y, x)

    for g in (f, tf.function(f)):
        y, dx = g(tf.constant(3.0))
        assert y.numpy() == 6.0 and dx is None


def test_conditions_of_one_element_are_taken_as_scalars():
    @tf.function(input_signature=[tf.TensorSpec([None, None])])
    def sign(x):
        if x[:, -1:] > 0:
            return x
        return -x

    @tf.function
    def halve(x):
        while x > 1.0:
            x = x / 2.0
        return x

    assert sign(tf.constant([[3.0, -2.0]])).numpy().tolist() == [[-3.0, 2.0]]
    assert sign(tf.constant([[-3.0, 2.0]])).numpy().tolist() == [[-3.0, 2.0]]
    with pytest.raises(tf.errors.InvalidArgumentError):
        sign(tf.ones([2, 3]))
    assert halve(tf.constant([[5.0]])).numpy().tolist() == [[0.625]]
    with pytest.raises(ValueError, match="must be a scalar"):
        halve(tf.constant([5.0, 6.0]))
    for wrap in (lambda f: f, tf.function):
        assert wrap(lambda x: cond(x > 1.0, lambda: x, lambda: -x))(tf.constant([2.0])).numpy().tolist() == [2.0]
        assert wrap(lambda x: while_loop(lambda x: x > 1.0, lambda x: [x / 2.0], [x]))(tf.constant([[5.0]]))[0].numpy().tolist() == [[0.625]]  # fmt: skip
