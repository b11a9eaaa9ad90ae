"""Tracing: what a symbolic tensor is and refuses to be, variables in program order, what an error leaves behind."""

import copy
import gc
import inspect
import pickle
import weakref

import numpy as np
import pytest

import gradtape as tf
from gradtape.core.state import state
from gradtape.core.variable import Variable
from gradtape.tracing.control import cond, while_loop
from gradtape.tracing.signature import TensorSpec
from gradtape.tracing.trace import OperatorNotAllowedInGraphError, SymbolicTensor, tracing

from .forms import assert_same, graph

X = tf.constant(2.0)


def during_trace(f, *args):
    """What ``f`` gives on symbolic tensors."""
    seen = []
    graph(lambda *xs: (seen.append(f(*xs)), xs)[1])(*args)
    return seen[0]


# -- symbolic tensors -----------------------------------------------------------------------------------------------------------


def test_a_symbolic_tensor_is_a_tensor_with_shape_and_dtype_but_no_value():
    def look(x):
        assert tracing() and isinstance(x, SymbolicTensor)
        return (
            isinstance(x, tf.Tensor),
            tf.is_tensor(x),
            x.shape == (2, 3),
            x.dtype,
            x.shape.rank,
            x.ndim,
            x.get_shape() == (2, 3),
        )

    assert during_trace(look, tf.ones([2, 3])) == (True, True, True, tf.float32, 2, 2, True)
    assert not tracing()


def test_names_are_those_of_tensorflow():
    def look(x):
        return str(x), x.name, str(x * 2.0), repr(x + 1.0), str(x * x - 1.0), str(tf.reduce_sum(x)), f"{x}"

    seen = []
    graph(lambda x: seen.extend(look(x)))(tf.ones([1]))
    assert seen == [
        'Tensor("x:0", shape=(1,), dtype=float32)',
        "x:0",
        'Tensor("mul:0", shape=(1,), dtype=float32)',
        "<tf.Tensor 'add:0' shape=(1,) dtype=float32>",
        'Tensor("sub:0", shape=(1,), dtype=float32)',
        'Tensor("Sum:0", shape=(), dtype=float32)',
        'Tensor("x:0", shape=(1,), dtype=float32)',
    ]


def test_the_argument_gives_the_name():
    names = []
    graph(lambda weight, parts: names.extend([weight.name, *[p.name for p in parts]]))(X, [X, X])
    assert names == ["weight:0", "parts:0", "parts_1:0"]


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (
            lambda x: 1 if x > 0 else 2,
            OperatorNotAllowedInGraphError,
            "symbolic `tf.Tensor` as a Python `bool` is not allowed",
        ),
        (lambda x: x > 0 and x < 1, OperatorNotAllowedInGraphError, "as a Python `bool`"),
        (lambda x: x in [1.0, 2.0], OperatorNotAllowedInGraphError, "as a Python `bool`"),
        (lambda x: float(x), TypeError, "`float`"),
        (lambda x: int(x), TypeError, "`int`"),
        (lambda x: complex(x), TypeError, "`complex`"),
        (lambda x: range(tf.cast(x, tf.int32)), TypeError, "`int`"),
        (lambda x: [1, 2, 3][tf.cast(x, tf.int32)], TypeError, "`int`"),
        (lambda x: np.sin(x), NotImplementedError, r"Cannot convert a symbolic tf.Tensor \(x:0\) to a numpy array"),
        (lambda x: np.asarray(x), NotImplementedError, "NumPy call"),
        (lambda x: x.numpy(), AttributeError, "'SymbolicTensor' object has no attribute 'numpy'"),
        (lambda x: hash(x), TypeError, "Tensor is unhashable. Instead, use tensor.ref\\(\\) as the key."),
        (lambda x: list(x), TypeError, "Cannot iterate over a scalar tensor"),
        (lambda x: pickle.dumps(x), TypeError, "cannot be pickled"),
    ],
)
def test_what_asks_for_a_value_is_refused_with_tensorflows_type(use, error, message):
    with pytest.raises(error, match=message):
        graph(lambda x: use(x) and None)(X)
    assert state.trace is None and state.tapes == ()


def test_the_refusal_names_the_users_line():
    def f(x):
        return 1 if x > 0 else 2  # this one

    with pytest.raises(OperatorNotAllowedInGraphError) as caught:
        graph(f)(X)
    assert "this one" in str(caught.value) and f"{__file__}:{inspect.getsourcelines(f)[1] + 1}" in str(caught.value)


def test_a_symbolic_tensor_does_not_escape():
    kept = []
    graph(lambda x: kept.append(x * 2.0))(X)
    for use in (
        lambda: kept[0] + 1.0,
        lambda: graph(lambda: kept[0] + 1.0)(),
        lambda: graph(lambda x: cond(x > 0, lambda: kept[0], lambda: x))(X),
    ):
        with pytest.raises(TypeError, match="is out of scope"):
            use()
    branch = []
    with pytest.raises(TypeError, match="is out of scope"):
        graph(lambda x: (cond(x > 0, lambda: branch.append(x * 2.0) or x, lambda: x), branch[0] + 1.0))(X)
    assert state.trace is None


# -- variables --------------------------------------------------------------------------------------------------------------------


def test_reads_and_assignments_happen_in_program_order():
    v = tf.Variable(1.0)

    def f(x):
        a = v + 0.0
        v.assign(x)
        b = v * 1.0
        v.assign_add(1.0)
        c = v.read_value()
        v.assign_sub(5.0)
        return a, b, c, v

    assert [float(t) for t in graph(f)(tf.constant(10.0))] == [1.0, 10.0, 11.0, 6.0]
    assert float(v) == 6.0


def test_a_value_read_before_an_assignment_stays():
    v = tf.Variable(1.0)

    @graph
    def f(x):
        before = v.value()
        v.assign(x)
        return before

    assert [float(f(tf.constant(k))) for k in (2.0, 3.0, 4.0)] == [1.0, 2.0, 3.0]


def test_variables_are_captured_by_reference():
    v = tf.Variable(1.0)
    f = graph(lambda x: x * v)
    assert float(f(X)) == 2.0
    v.assign(10.0)
    assert float(f(X)) == 20.0
    assert f.experimental_get_tracing_count() == 1


def test_assignments_inside_are_seen_outside_and_between_functions():
    v = tf.Variable(1.0)
    bump = graph(lambda x: v.assign_add(x))
    read = graph(lambda: v * 1.0)
    outer = graph(lambda x: (bump(x), bump(x), read())[2])
    assert float(bump(X)) == 3.0 and float(read()) == 3.0 and float(v) == 3.0
    assert float(outer(X)) == 7.0 and float(v) == 7.0


def test_assignment_results_chain():
    v = tf.Variable(1.0)
    a, b = graph(lambda x: (v.assign(x) * 2.0, v.assign_add(1.0) * 2.0))(tf.constant(10.0))
    assert (float(a), float(b)) == (20.0, 22.0)
    assert graph(lambda x: v.assign(x, read_value=False))(X) is None and float(v) == 2.0


def test_an_assigned_tensor_is_not_shared():
    v, w = tf.Variable([1.0]), tf.Variable([2.0])

    @graph
    def swap():
        a = v.value()
        v.assign(w)
        w.assign(a)

    swap()
    assert (v.numpy(), w.numpy()) == (2.0, 1.0)
    v.assign_add([5.0])
    assert (v.numpy(), w.numpy()) == (7.0, 1.0)
    x = tf.constant([3.0])
    graph(lambda x: (v.assign(x), w.assign(x)))(x)
    v.assign_add([1.0])
    assert (v.numpy(), w.numpy(), x.numpy()) == (4.0, 3.0, 3.0)


PARTS = {
    "slice": lambda v, i, x: v[1:3].assign(tf.stack([x, x])),
    "index": lambda v, i, x: v[i].assign(x),
    "scatter_nd_update": lambda v, i, x: v.scatter_nd_update([[i]], [x]),
    "scatter_update": lambda v, i, x: v.scatter_update(tf.IndexedSlices(tf.stack([x]), tf.stack([i]))),
    "scatter_sub": lambda v, i, x: v.scatter_sub(tf.IndexedSlices(tf.stack([x, x]), tf.stack([i, i]))),
}


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("how", PARTS)
def test_parts_of_variables_are_assigned_when_the_program_runs(how, traced):
    v = tf.Variable([1.0, 2.0, 3.0])

    def f(i, x):
        PARTS[how](v, i, x)
        return v * 1.0

    g = graph(f) if traced else f
    want = tf.Variable([1.0, 2.0, 3.0])
    for k in (5.0, 6.0):
        PARTS[how](want, 1, tf.constant(k))
        assert_same(g(tf.constant(1), tf.constant(k)), want)
        assert_same(v, want)


def test_parts_of_variables_assigned_from_constants_are_assigned_at_every_call():
    v = tf.Variable([1.0, 2.0])
    f = graph(lambda: v.scatter_nd_update([[0]], [9.0]))
    f()
    v.assign([0.0, 0.0])
    f()
    assert v.numpy().tolist() == [9.0, 0.0]


@pytest.mark.parametrize("bad", [tf.constant([1.0]), tf.constant(1)])
def test_assignments_that_do_not_fit_change_nothing(bad):
    v = tf.Variable(1.0)
    with pytest.raises(ValueError, match=r"Cannot assign"):
        graph(lambda x: v.assign(x))(bad)
    assert float(v) == 1.0 and Variable._trace is None


def test_one_trace_serves_variables_of_one_form():
    seen = []

    def step(v, x):
        seen.append(v.name)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(v * v * x)
        v.assign_sub(tape.gradient(loss, v))
        return loss

    f = graph(step)
    a, b, c = tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0]), tf.Variable([1.0])
    one = tf.constant(1.0)
    assert [float(f(v, one)) for v in (a, b, c, a, b)] == [5.0, 25.0, 1.0, 5.0, 25.0]
    assert a.numpy().tolist() == [1.0, 2.0] and b.numpy().tolist() == [3.0, 4.0] and len(seen) == 2
    with tf.GradientTape() as tape:
        y = graph(lambda v, w: tf.reduce_sum(v * v * w))(a, b)
    assert tape.gradient(y, [a, b])[0].numpy().tolist() == [6.0, 16.0]


def test_a_variable_that_the_function_also_closes_over():
    w = tf.Variable(1.0)

    def both(v):
        v.assign_add(w)
        return v + w

    f = graph(both)
    v = tf.Variable(10.0)
    assert float(f(v)) == 12.0 and float(f(w)) == 4.0 and float(w) == 2.0
    assert float(f(v)) == 15.0 and float(v) == 13.0 and float(f(tf.Variable(0.0))) == 4.0
    g = graph(both)
    assert float(g(w)) == 8.0 and float(w) == 4.0  # also where the first call is the one


def test_slots_made_for_variables_among_the_arguments():
    slots = {}

    def step(v):
        slot = slots.get(v.ref())
        if slot is None:
            slot = slots[v.ref()] = tf.Variable(tf.zeros_like(v))
        slot.assign_add(v)
        return slot + 0.0

    f = graph(step)
    a, b = tf.Variable(1.0), tf.Variable(10.0)
    assert [float(f(a)), float(f(a))] == [1.0, 2.0]
    with pytest.raises(ValueError, match=r"only supports singleton tf.Variables"):
        f(b)  # as in TensorFlow: variables are made on the first call only
    slots[b.ref()] = tf.Variable(0.0)
    assert float(f(b)) == 10.0 and float(f(a)) == 3.0


def test_variables_as_arguments():
    f = graph(lambda v, w: v.assign_add(w) * 2.0)
    a, b = tf.Variable(1.0), tf.Variable(10.0)
    assert float(f(a, b)) == 22.0 and float(a) == 11.0
    assert float(f(b, a)) == 42.0 and float(b) == 21.0
    assert float(f(a, a)) == 44.0 and float(a) == 22.0
    with tf.GradientTape() as tape:
        y = graph(lambda v, x: v * v * x)(a, X)
    assert float(tape.gradient(y, a)) == 88.0


def test_a_variable_is_made_on_the_first_call():
    made = []

    @graph
    def f(x):
        if not made:
            made.append(tf.Variable(1.0))
        made[0].assign_add(x)
        return made[0] * 2.0

    # 3 traces: the one that makes it, the one that runs, and the one for another Python value
    assert [float(f(tf.constant(1.0))), float(f(tf.constant(1.0))), float(f(2.0))] == [4.0, 6.0, 10.0]
    assert f.experimental_get_tracing_count() == 3 and float(made[0]) == 5.0


def test_a_variable_made_from_a_function_or_a_calculation():
    made = {}

    @graph
    def f(x):
        if not made:
            made["f"] = tf.Variable(lambda: tf.ones([2]))
            made["x"] = tf.Variable(x * 3.0)
            made["again"] = tf.Variable(made["x"] + 1.0)
        made["x"].assign_add(x)
        return made["x"] + 0.0

    assert (
        float(f(X)) == 8.0 and float(f(tf.constant(10.0))) == 18.0
    )  # as TensorFlow: the first call's argument gives the initial value
    assert float(made["again"]) == 7.0 and made["f"].numpy().tolist() == [1.0, 1.0]


def test_the_optimizers_slot_pattern():
    """Momentum whose slot is made on the first step, from a variable; the numbers are TensorFlow 2.21's."""

    class Momentum:
        v = None

    m, w = Momentum(), tf.Variable(1.0)

    @graph
    def step(x):
        with tf.GradientTape() as tape:
            y = w * w * x
        d = tape.gradient(y, w)
        if m.v is None:
            m.v = tf.Variable(tf.zeros_like(w))
        m.v.assign(0.9 * m.v + d)
        w.assign_sub(0.1 * m.v)
        return y

    losses = [step(tf.constant(1.0)) for _ in range(4)]
    np.testing.assert_allclose(losses, [1.0, 0.64000005, 0.2116, 0.0038440009], rtol=1e-6)
    np.testing.assert_allclose([float(w), float(m.v)], [-0.3086000084877014, 3.7060000896453857], rtol=1e-6)
    assert step.experimental_get_tracing_count() == 2


def test_a_variable_made_in_a_nested_function():
    made = []

    @graph
    def inner(x):
        if not made:
            made.append(tf.Variable(1.0))
        return made[0] + x

    outer = graph(lambda x: inner(x) * 2.0)
    assert [float(outer(tf.constant(k))) for k in (1.0, 10.0)] == [4.0, 22.0]


@pytest.mark.parametrize("later", [False, True])
def test_making_variables_again_is_tensorflows_error(later):
    kept = {}

    def each_time(x):
        return kept.setdefault(len(kept), tf.Variable(1.0)) + x

    def for_each_rank(x):
        if x.shape.rank not in kept:
            kept[x.shape.rank] = tf.Variable(1.0)
        return kept[x.shape.rank] + x

    f = graph(for_each_rank if later else each_time)
    if later:
        f(tf.constant(1.0))
    with pytest.raises(
        ValueError, match=r"tf\.function only supports singleton tf\.Variables created on the first call"
    ):
        f(tf.constant([1.0]))
    assert state.trace is None


def test_a_variable_whose_initial_value_is_not_known_at_the_first_call():
    made = []

    @graph
    def inner(x):
        if not made:
            made.append(tf.Variable(x * 2.0))
        return made[0] + x

    with pytest.raises(ValueError, match="depends on tensors that have no value at the first call"):
        graph(lambda x: inner(x + 1.0))(X)
    assert state.trace is None


def test_an_error_after_a_variable_was_made_leaves_it_whole():
    made = []

    @graph
    def f(x):
        if not made:
            made.append(tf.Variable(x * 3.0))
            raise KeyError("after")
        return made[0] + x

    with pytest.raises(KeyError):
        f(X)
    assert float(made[0]) == 6.0
    assert float(f(X)) == 8.0


# -- errors -------------------------------------------------------------------------------------------------------------------------


def test_an_error_while_tracing_restores_everything():
    v = tf.Variable(1.0)

    def f(x, where):
        v.assign(x)
        if where == "inside a branch":
            return cond(x > 0, lambda: {}["k"], lambda: x)
        if where == "inside a loop":
            return while_loop(lambda y: y < 3, lambda y: {}["k"], [x])
        if where == "inside a tape":
            with tf.GradientTape() as tape:
                y = v * v
                raise KeyError(tape.gradient(y, v))
        if where == "inside a traced function":
            return graph(lambda y: {}["k"])(x)
        raise KeyError

    g = graph(f)
    for where in ("inside a branch", "inside a loop", "inside a tape", "inside a traced function", "at the end"):
        with tf.GradientTape() as outer, pytest.raises(KeyError):
            g(X, where)
        assert state.trace is None and state.tapes == () and Variable._trace is None, where
        assert float(v) == 1.0
        with outer:
            y = v * v
        assert float(outer.gradient(y, v)) == 2.0


def test_an_error_at_run_time_names_the_line_and_changes_no_variable():
    v = tf.Variable(1.0)

    @graph
    def f(x, i):
        v.assign(x)
        return tf.gather(tf.constant([1.0, 2.0]), i)  # out of range

    line = inspect.getsourcelines(f.python_function)[1] + 3
    for k in range(2):  # the first call and one that finds the trace
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices = 7 is not in \[0, 2\)") as caught:
            f(tf.constant(float(k)), tf.constant(7))
        assert f"{__file__}:{line}" in str(caught.value) and "out of range" in str(caught.value)
        assert float(v) == 1.0
    assert float(f(tf.constant(3.0), tf.constant(1))) == 2.0 and float(v) == 3.0


@pytest.mark.parametrize("place", ["branch", "loop", "gradient"])
def test_an_error_at_run_time_inside_control_flow_names_the_line(place):
    table = tf.constant([1.0, 2.0])

    def take(i, x):
        return tf.gather(table, i) * x  # the culprit

    def f(i, x):
        if place == "branch":
            return cond(x > 0, lambda: take(i, x), lambda: x)
        if place == "loop":
            return while_loop(lambda k, y: k < 2, lambda k, y: (k + 1, take(i, y)), (tf.constant(0), x))[1]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = take(i, x)
        return tape.gradient(y, x)

    line = inspect.getsourcelines(take)[1] + 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not in") as caught:
        graph(f)(tf.constant(5), X)
    assert f"{__file__}:{line}" in str(caught.value) and "the culprit" in str(caught.value)


def test_shape_and_dtype_errors_are_found_when_tracing():
    for f in (
        lambda x: x + tf.ones([3]),
        lambda x: tf.reshape(x, [2, 2]) @ tf.ones([3, 1]),
        lambda x: x + tf.ones([4], tf.int32),
        lambda x: tf.reduce_sum(x, axis=3),
    ):
        g = graph(f)
        with pytest.raises((ValueError, TypeError), match=r"test_trace\.py:\d+"):
            g.get_concrete_function(TensorSpec([4], tf.float32))
        assert state.trace is None


def test_constants_are_not_copied_and_not_watched_by_accident():
    c = tf.constant([1.0, 2.0])
    f = graph(lambda x: x * c)
    with tf.GradientTape() as tape:
        tape.watch(X)
        y = f(X)
    assert tape.gradient(y, c) is None
    assert_same(y, tf.constant([2.0, 4.0]))


def test_the_shape_of_what_ran_while_tracing_is_known():
    """The rule of ``range`` leaves the length open, but the result is there."""
    shapes = during_trace(
        lambda x: [(tf.range(3.0) * x).shape, (tf.unique(tf.constant([1.0, 1.0, 2.0]))[0] + x).shape], X
    )
    assert [s.as_list() for s in shapes] == [[3], [2]]


# -- what a function captures, and when variables are read ----------------------------------------------------------------


def test_a_nested_functions_closure_gets_gradients():
    c = tf.constant(3.0)
    g = graph(lambda x: x * c)
    f = graph(lambda x: g(x) + c)
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(c)
            y = f(tf.constant(2.0))
        assert float(tape.gradient(y, c)) == 3.0
    inner = graph(lambda x: tf.cond(x > 0.0, lambda: x * c, lambda: x))
    outer = graph(lambda x: inner(x) * 2.0)
    outer(tf.constant(1.0))
    with tf.GradientTape() as tape:
        tape.watch(c)
        y = outer(tf.constant(2.0))
    assert float(tape.gradient(y, c)) == 4.0


def test_a_function_made_within_a_function_sees_its_tensors():
    @tf.function
    def f(x):
        g = tf.function(lambda y: y * x)
        return g(x) + g(tf.constant(1.0))

    assert float(f(tf.constant(2.0))) == 6.0
    kept = []
    graph(lambda x: kept.append(x) or x)(tf.constant(1.0))
    with pytest.raises(TypeError, match="out of scope"):
        graph(lambda y: y * kept[0])(tf.constant(1.0))


def test_a_variable_that_leaves_a_branch_is_read_when_the_branch_ends():
    v = tf.Variable(0.0)
    f = graph(lambda x: tf.cond(x > 0.0, lambda: v.assign_add(5.0), lambda: x))
    assert float(f(tf.constant(1.0))) == 5.0 and float(f(tf.constant(-1.0))) == -1.0

    @tf.function
    def g(x):
        if x > 0.0:
            return v.assign_add(5.0)
        return x

    assert float(g(tf.constant(1.0))) == 10.0 and float(v) == 10.0


def test_conditions_of_loops_may_assign():
    v = tf.Variable(0.0)

    @tf.function
    def f():
        n = 0
        while v.assign_add(1.0) < 5.0:
            n += 1
        return v.read_value(), n

    value, n = f()
    assert float(value) == 5.0 and int(n) == 4
    v.assign(0.0)
    g = graph(lambda: tf.while_loop(lambda i: v.assign_add(1.0) < 4.0, lambda i: (i + 1,), (tf.constant(0),)))
    assert int(g()[0]) == 3 and float(v) == 4.0


def test_python_functions_see_and_change_the_programs_variables():
    v = tf.Variable(1.0)

    @tf.function
    def f(x):
        v.assign(x)
        seen = tf.py_function(lambda: v.numpy() * 10.0, [], tf.float32)
        tf.py_function(lambda: v.assign(50.0) and None, [], [])
        return seen, v + 1.0

    seen, after = f(tf.constant(4.0))
    assert float(seen) == 40.0 and float(after) == 51.0 and float(v) == 50.0


def test_traces_keep_neither_arguments_nor_objects_alive():
    class Scaled:
        @tf.function
        def run(self, x):
            return x * 2.0

    scaled, x = Scaled(), tf.ones([10])
    scaled.run(x)
    dead = [weakref.ref(scaled), weakref.ref(x)]
    del scaled, x
    gc.collect()
    assert [r() for r in dead] == [None, None]


def test_what_was_traced_for_an_object_dies_with_it():
    class Counter:
        def __init__(self):
            self.v = tf.Variable(tf.zeros([3]))

        @tf.function
        def add(self, x):
            return self.v.assign_add(x)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def total(self, x):
            return tf.reduce_sum(x) + self.v

    dead = []
    for _ in range(3):
        counter = Counter()
        for _ in range(15):
            counter.add(tf.ones([3]))
            counter.total(tf.ones([2]))
        dead.append(weakref.ref(counter.v))
    kept = Counter()
    kept.add(tf.ones([3]))
    del counter
    gc.collect()
    assert [r() for r in dead] == [None] * 3 and len(Counter.add._traces) == 1 and not Counter.total._traces
    assert kept.add(tf.ones([3])).numpy().tolist() == [2.0] * 3 and Counter.add.experimental_get_tracing_count() == 4


def double(x):
    return x * 2.0


def test_functions_are_copied_and_pickled_without_their_traces():
    f = graph(double)
    assert float(f(tf.constant(2.0))) == 4.0
    for again in (copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        assert again.experimental_get_tracing_count() == 0 and float(again(tf.constant(3.0))) == 6.0


def test_a_reshape_by_a_traced_vector():
    f = graph(lambda x, s: tf.reshape(x, s))
    assert f(tf.ones([6]), tf.constant([2, 3])).shape == (2, 3) and f(tf.ones([4]), tf.constant([4])).shape == (4,)
