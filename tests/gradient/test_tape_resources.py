"""Tapes in threads, after exceptions, and what they cost in time and memory."""

import gc
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import gradtape as tf

from .values import value

# -- threads and exceptions ----------------------------------------------------------------------------------------------------


def in_thread(f):
    """``f()`` in another thread; its result or its exception."""
    out = []

    def run():
        try:
            out.append((f(), None))
        except BaseException as e:
            out.append((None, e))

    t = threading.Thread(target=run)
    t.start()
    t.join()
    result, error = out[0]
    if error is not None:
        raise error
    return result


def test_a_tape_records_its_own_thread_only():
    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = in_thread(lambda: v * v)
    assert tape.gradient(y, v) is None
    assert tape.watched_variables() == ()


def test_threads_have_tapes_of_their_own():
    v = tf.Variable(1.0)
    barrier = threading.Barrier(8)
    results = {}

    def work(i):
        barrier.wait()
        for _ in range(200):
            with tf.GradientTape() as outer:
                with tf.GradientTape() as tape:
                    y = tf.constant(float(i)) * v * v * v
                g = tape.gradient(y, v)
            results.setdefault(i, set()).add((value(g), value(outer.gradient(g, v))))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == {i: {(3.0 * i, 6.0 * i)} for i in range(8)}


class _Stop(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, _Stop])
def test_an_exception_inside_the_block_leaves_the_library_usable(error):
    x = tf.constant(3.0)
    kept = []
    with pytest.raises(error), tf.GradientTape() as outer, tf.GradientTape() as tape:
        kept += [outer, tape]
        tape.watch(x)
        y = x * x
        raise error
    z = y * y  # nobody records this
    with tf.GradientTape() as fresh:
        fresh.watch(x)
        w = x * x * x
    assert value(fresh.gradient(w, x)) == 27.0
    assert kept[1].gradient(z, x) is None


def test_what_was_recorded_before_an_exception_can_be_differentiated():
    x = tf.constant(3.0)
    tape = tf.GradientTape()
    with pytest.raises(tf.errors.InvalidArgumentError), tape:
        tape.watch(x)
        y = x * x
        tf.constant([1.0, 2.0]) + tf.constant([1.0, 2.0, 3.0])
    assert value(tape.gradient(y, x)) == 6.0


def test_a_failed_operation_is_not_recorded():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        with pytest.raises(tf.errors.InvalidArgumentError):
            x + tf.constant([1.0, 2.0, 3.0])
        y = x * x
    assert value(tape.gradient(y, x)) == [2.0, 4.0]


# -- time and memory (gradtape's own promises) --------------------------------------------------------------------------------------


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def array_of(t):
    """What a test can hold a weak reference to, to see when a tensor's memory goes."""
    return t._a


def step(v, x, persistent=False):
    """A step of training with all that tapes offer; returns weak references to what it made."""
    with tf.GradientTape(persistent=persistent) as outer:
        with tf.GradientTape() as tape:
            h = tf.sin(x * v)
            loss = tf.reduce_sum(h * h)
        g = tape.gradient(loss, v)
        penalty = tf.reduce_sum(g * g)
    gg = outer.gradient(penalty, v)
    if persistent:
        outer.gradient(penalty, [v, g])
    v.assign_sub(1e-3 * gg)
    return [weakref.ref(o) for o in (outer, tape, h, loss, g, penalty, gg, array_of(h), array_of(gg))]


@pytest.mark.parametrize("persistent", [False, True])
def test_no_reference_cycles(no_collector, persistent):
    v, x = tf.Variable(np.ones(1000)), tf.constant(np.ones(1000))
    step(v, x, persistent)
    gc.collect()
    refs = step(v, x, persistent)
    assert [r() for r in refs] == [None] * len(refs)
    assert gc.collect() == 0


def test_no_reference_cycles_after_an_exception(no_collector):
    def failing():
        v, x = tf.Variable(np.ones(1000)), tf.constant(np.ones(999))
        with tf.GradientTape() as tape:
            y = v * v
            refs.extend([weakref.ref(tape), weakref.ref(y), weakref.ref(v)])
            v + x

    refs = []
    try:
        failing()
    except tf.errors.InvalidArgumentError as e:
        e.__traceback__ = None
    assert [r() for r in refs] == [None] * 3


def test_a_tape_does_not_keep_what_no_gradient_needs(no_collector):
    x, n = tf.Variable(np.ones(1000)), tf.constant(np.ones(1000))
    with tf.GradientTape() as tape:
        unwatched = n * n
        line = x + n  # neither operand is needed to differentiate a sum
        y = tf.sin(line)  # its operand is
        refs = [weakref.ref(array_of(t)) for t in (unwatched, line, y)]
        del unwatched, line
        y = tf.reduce_sum(y)
    assert [r() is None for r in refs] == [True, False, True]
    assert tape.gradient(y, x) is not None
    assert refs[1]() is None


def test_residuals_go_as_the_backward_pass_goes(no_collector):
    """When the first operation's gradient runs, at the end, the memory of all later ones is free already."""
    seen = []

    @tf.custom_gradient
    def last_to_run(x):
        def grad(g):
            seen.append([r() is None for r in refs])
            return g

        return tf.identity(x), grad

    x, refs = tf.Variable(np.ones(1000)), []
    with tf.GradientTape() as tape:
        y = last_to_run(x)
        for _ in range(10):
            y = tf.sin(y)
            refs.append(weakref.ref(array_of(y)))
    refs.pop()  # `y` itself is held here
    tape.gradient(y, x)
    assert seen == [[True] * 9]


def test_cotangents_of_intermediates_go_too(no_collector):
    """The peak of a backward pass through a chain that keeps no residuals does not grow with its length."""
    import tracemalloc

    def peak(n):
        x = tf.Variable(np.ones(20_000))
        with tf.GradientTape() as tape:
            y = x * 1.0
            for _ in range(n):
                y = y + 1.0
        tracemalloc.start()
        tape.gradient(y, x)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(5)
    assert peak(100) < peak(5) + 100_000


def chain(n):
    """Seconds for the gradient through n operations."""
    x = tf.constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for _ in range(n):
            y = y * 1.000001
    start = time.perf_counter()
    g = tape.gradient(y, x)
    taken = time.perf_counter() - start
    assert abs(value(g) - 1.000001**n) < 1e-2
    return taken


def test_a_chain_of_100_000_operations():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        short = min(chain(10_000) for _ in range(3))
        long = chain(100_000)
    finally:
        sys.setrecursionlimit(limit)
    assert long < 40 * short + 0.1  # ten times the length; the rest is for a busy machine


def test_a_tensor_used_10_000_times():
    x = tf.constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.constant(0.0)
        for _ in range(10_000):
            y = y + x
    assert value(tape.gradient(y, x)) == 10_000.0


def test_a_persistent_tape_may_be_used_often_without_growing(no_collector):
    x = tf.Variable(2.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x * x
    tape.gradient(y, x)
    before = len(gc.get_objects())
    for _ in range(100):
        tape.gradient(y, x)
    assert len(gc.get_objects()) - before < 20
