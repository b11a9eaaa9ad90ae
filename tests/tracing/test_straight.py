"""Programs that assign variables: their memory is written over only where nobody else can see it."""

import threading

import numpy as np
import pytest

import gradtape as tf

from .forms import graph


@pytest.fixture
def counter():
    v, w, u = tf.Variable(np.arange(4.0)), tf.Variable(2.0), tf.Variable([1.0, 2.0])

    def step(x):
        v.assign_add(v * 0 + x)
        w.assign_add(1.0)
        u.assign(u)
        return tf.reduce_sum(v)

    f = graph(step)
    one = tf.constant(1.0, tf.float64)
    f(one)
    return v, w, u, lambda: f(one)


def test_values_that_somebody_holds_stay(counter):
    v, _, _, step = counter
    step()
    held, array = v.read_value(), np.asarray(v.read_value())
    inner, part = v._t._a, v._t._a[1:]
    before = held.numpy().copy()
    assert float(step()) == float(before.sum()) + 4
    for x in (held, array, inner):
        assert np.array_equal(x, before)
    assert np.array_equal(part, before[1:]) and np.array_equal(v.numpy(), before + 1)


def test_memory_that_nobody_holds_is_written_over(counter, monkeypatch):
    monkeypatch.setattr("gradtape.core.variable._active", (None,))  # a test runner may have threads of its own
    monkeypatch.setattr("gradtape.core.variable._limbo", ())
    v, w, u, step = counter
    kept = id(v._t)
    for _ in range(3):
        step()
    assert id(v._t) == kept
    assert v.numpy().tolist() == [4.0, 5.0, 6.0, 7.0] and float(w) == 6.0 and u.numpy().tolist() == [1.0, 2.0]


def test_a_value_that_a_tape_knows_is_not_taken_for_the_next(counter):
    v, _, _, step = counter
    with tf.GradientTape() as tape:
        y = v * v
    before = v.numpy()
    step()
    assert tape.gradient(y, v).numpy().tolist() == (2 * before).tolist()
    with tf.GradientTape() as tape:
        step()
        z = v * 1.0
    assert tape.gradient(z, v).numpy().tolist() == [1.0] * 4


def test_another_thread_may_be_reading(counter):
    v, _, _, step = counter
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        before, values = v._t, v.numpy()
        step()
        assert v._t is not before and before._a.tolist() == values.tolist()
    finally:
        done.set()
        thread.join()


def test_variables_among_the_arguments():
    def add(z, x):
        z.assign_add(z * 0 + x)
        return z.read_value()

    f = graph(add)
    one = tf.constant(1.0, tf.float64)
    a, b = tf.Variable(np.zeros(4)), tf.Variable(np.ones(4))
    for _ in range(3):
        for v in (a, b):
            assert f(v, one).numpy().tolist() == v.numpy().tolist()
    assert (
        a.numpy().tolist() == [3.0] * 4 and b.numpy().tolist() == [4.0] * 4 and f.experimental_get_tracing_count() == 1
    )
