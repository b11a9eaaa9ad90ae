"""Calls with tensors alone, which go through one native function: what they give, and when they must not go there."""

import copy
import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import gradtape as tf
from gradtape.tracing import engine

pytestmark = pytest.mark.skipif(not engine.native_wanted(), reason="calls are native where programs are")


def warmed(f, *args):
    """``f`` after so many calls with ``args`` that the next goes straight to its program."""
    for _ in range(14):
        f(*args)
    assert f._front is not None
    return f


def floats(*shape):
    return tf.constant(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


@pytest.mark.parametrize(
    "result",
    [
        lambda a, b: a * b,
        lambda a, b: [a + b],
        lambda a, b: (a, b, a),
        lambda a, b: {"y": a - b, "x": (a, [b * b])},
        lambda a, b: (),
        lambda a, b: None,
        lambda a, b: (a, None, 3),
        lambda a, b: tf.reduce_sum(a, axis=0),
        lambda a, b: tf.argmax(a),
    ],
)
def test_results_are_those_of_the_general_way(result):
    a, b = floats(4), floats(4) + 2
    f = tf.function(result)
    first = f(a, b)
    warmed(f, a, b)
    assert repr(f(a, b)) == repr(first)
    c = f(b, a)
    assert repr(c) == repr(tf.function(result)(b, a))


def test_other_forms_get_their_own_trace():
    f = warmed(tf.function(lambda x: x * 2), floats(4))
    for other in (
        floats(5),
        floats(2, 2),
        tf.constant([1, 2]),
        tf.constant(1.5),
        floats(4),
        tf.constant([1.5], tf.float64),
    ):
        assert f(other).dtype == other.dtype
        np.testing.assert_array_equal(f(other), 2 * other.numpy())
    assert f.experimental_get_tracing_count() == 6
    assert [float(x) for x in f([1.0])] == [1, 1]  # a Python list, twice
    np.testing.assert_array_equal(f(np.ones(4, np.float32)), np.full(4, 2))
    np.testing.assert_array_equal(f(x=floats(4)), 2 * np.arange(4))
    np.testing.assert_array_equal(f(tf.Variable([1.0, 2, 3, 4])), [2, 4, 6, 8])
    with pytest.raises(TypeError):
        f()
    with pytest.raises(TypeError):
        f(floats(4), floats(4))


def test_arrays_that_are_not_contiguous():
    f = warmed(tf.function(lambda x: x + 1), floats(3, 2))
    np.testing.assert_array_equal(f(tf.transpose(floats(2, 3))), floats(2, 3).numpy().T + 1)
    np.testing.assert_array_equal(f(floats(6, 2)[::2]), floats(6, 2).numpy()[::2] + 1)


def test_tapes_hear_of_the_call():
    f, x = tf.function(lambda x: x * x), floats(3)
    warmed(f, x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    np.testing.assert_array_equal(tape.gradient(y, x), [0, 2, 4])
    with tf.autodiff.ForwardAccumulator(x, tf.ones(3)) as forward:
        y = f(x)
    np.testing.assert_array_equal(forward.jvp(y), [0, 2, 4])
    np.testing.assert_array_equal(tf.vectorized_map(f, floats(2, 3)), floats(2, 3).numpy() ** 2)
    g = warmed(tf.function(lambda x: f(x) + 1), x)
    np.testing.assert_array_equal(g(x), [1, 2, 5])
    assert f._front[0](x).numpy().tolist() == [0, 1, 4]


def test_modes_are_heeded():
    seen = []

    def python(x):
        seen.append(1)
        return 1 / x

    f = warmed(tf.function(python), floats(3))
    assert len(seen) == 1
    tf.config.run_functions_eagerly(True)
    try:
        f(floats(3))
        assert len(seen) == 2
    finally:
        tf.config.run_functions_eagerly(False)
    tf.debugging.enable_check_numerics()
    try:
        with pytest.raises(tf.errors.InvalidArgumentError, match="Inf"):
            f(floats(3))
    finally:
        tf.debugging.disable_check_numerics()
    assert np.isinf(f(floats(3)).numpy()[0])


def test_variables_are_read_and_assigned():
    v, w = tf.Variable([1.0, 2, 3]), tf.Variable(2.0)

    @tf.function
    def step(x):
        v.assign_add(w * x)
        w.assign(w + 1)
        return tf.reduce_sum(v)

    x = tf.constant([1.0, 0, -1])
    warmed(step, x)
    want, factor = np.array([1.0, 2, 3]) + sum(range(2, 16)) * x.numpy(), 16
    np.testing.assert_array_equal(v, want)
    held = v.read_value()  # nobody's memory changes under his hands
    array = np.asarray(v._t)
    value = step(x)
    np.testing.assert_array_equal(held, want)
    np.testing.assert_array_equal(array, want)
    want = want + factor * x.numpy()
    np.testing.assert_array_equal(v, want)
    assert value.numpy() == want.sum() and w.numpy() == 17
    del held, array
    v.assign([0.0, 0, 0])
    step(x)
    np.testing.assert_array_equal(v, 17 * x.numpy())
    with tf.GradientTape() as tape:
        y = v * v
        step(x)
    np.testing.assert_array_equal(tape.gradient(y, v), 2 * 17 * x.numpy())


def test_a_variable_that_only_changes_hands():
    a, b = tf.Variable([1.0, 2]), tf.Variable([3.0, 4])

    @tf.function
    def swap():
        old = a.read_value()
        a.assign(b)
        b.assign(old)

    warmed(swap)
    for _ in range(5):
        swap()
    assert a.numpy().tolist() == [3, 4] and b.numpy().tolist() == [1, 2]
    a.assign_add([1.0, 1])
    assert b.numpy().tolist() == [1, 2]
    swap()
    assert a.numpy().tolist() == [1, 2] and b.numpy().tolist() == [4, 5]


def test_errors_name_the_users_line():
    @tf.function
    def f(x, i):
        return x[i]

    x = floats(3)
    warmed(f, x, tf.constant(1))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"test_front\.py"):
        f(x, tf.constant(5))
    assert f(x, tf.constant(2)).numpy() == 2


def test_nothing_is_lost_or_kept():
    v = tf.Variable(np.zeros(3, np.float32))

    @tf.function
    def f(x):
        v.assign_add(x)
        return x * 2, {"s": tf.reduce_sum(x)}

    x = floats(3)
    warmed(f, x)
    counted = (x, x._a, v._t._a, x._d, None, tf.Tensor, 0)
    gc.collect()
    before = [sys.getrefcount(o) for o in counted]
    blocks = sys.getallocatedblocks()
    for _ in range(2000):
        f(x)
        assert f._front[0](floats(4)) is None
    gc.collect()
    after = [sys.getrefcount(o) for o in counted]
    assert [b - a for a, b in zip(before, after, strict=True) if abs(b - a) > 100] == []
    assert sys.getallocatedblocks() - blocks < 500


def test_finalizers_that_assign_the_variables():
    v, u = tf.Variable(np.zeros(4, np.float32)), tf.Variable(0.0)

    @tf.function
    def f(x):
        v.assign(v * 0.5 + x)
        u.assign_add(x)
        return v * 1.0, u * 2.0, x * 3.0

    class Dying:
        def __init__(self):
            self.me = self  # only a collection finds it

        def __del__(self):
            v.assign(np.full(4, 3.0, np.float32))
            u.assign(5.0)
            kept.append([tf.constant(float(i)) for i in range(20)])

    kept, x = [], tf.constant(1.0)
    warmed(f, x)
    before = gc.get_threshold()
    try:
        for i in range(2000):
            gc.disable()
            Dying()
            gc.set_threshold(1 + i % 12)
            gc.enable()
            f(x)
    finally:
        gc.set_threshold(*before)
        gc.enable()
    gc.collect()
    assert len(kept) == 2000 and v.numpy().shape == (4,) and np.isfinite(u.numpy())
    v.assign(np.zeros(4, np.float32))
    assert f(x)[0].numpy().tolist() == [1.0] * 4 and v.numpy().tolist() == [1.0] * 4


def test_loops_let_other_threads_run():
    @tf.function
    def f(x):
        for _ in tf.range(3_000_000):
            x = tf.sin(x)
        return x

    short = tf.function(lambda x: x + 1)
    x = tf.constant(1.0)
    warmed(short, x)
    f(x)
    done, count = threading.Event(), 0
    thread = threading.Thread(target=lambda: (f(x), done.set()))
    thread.start()
    while not done.is_set():
        short(x)
        count += 1
    thread.join()
    assert count > 100


def test_methods():
    class Scaled(tf.Module):
        def __init__(self, c):
            super().__init__()
            self.c = tf.Variable(c)

        @tf.function
        def __call__(self, x):
            return self.c * x

        @tf.function
        def grow(self):
            self.c.assign_add(1.0)

    a, b, x = Scaled(2.0), Scaled(3.0), floats(3)
    for _ in range(14):
        a(x), b(x)
    for _ in range(3):
        np.testing.assert_array_equal(a(x), 2 * x.numpy())
        np.testing.assert_array_equal(b(x), 3 * x.numpy())
        np.testing.assert_array_equal(b(x), 3 * x.numpy())
    for _ in range(14):
        a.grow()
    assert a.c.numpy() == 16 and b.c.numpy() == 3
    copied = copy.deepcopy(a)
    copied.grow()
    np.testing.assert_array_equal(copied(x), 17 * x.numpy())
    np.testing.assert_array_equal(a(x), 16 * x.numpy())
    seen = weakref.ref(a)
    del a
    gc.collect()
    assert seen() is None
    np.testing.assert_array_equal(b(x), 3 * x.numpy())


def test_threads_that_call_at_once():
    v = tf.Variable(0.0)
    count = warmed(tf.function(lambda x: v.assign_add(x)), tf.constant(0.0))
    threads = [threading.Thread(target=lambda: [count(tf.constant(1.0)) for _ in range(500)]) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert v.numpy() == 4000
