"""Variables that several threads update: no update is lost, whichever way it goes."""

import sys
import threading

import numpy as np
import pytest

import gradtape as tf

TURNS = 150


@pytest.fixture(autouse=True)
def switching():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def together(*fs):
    def run(f):
        for _ in range(TURNS):
            f()

    threads = [threading.Thread(target=run, args=(f,)) for f in fs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


@pytest.mark.parametrize("n", [None, 500, 100_000])
@pytest.mark.parametrize("other", ["compiled", "eager", "part", "scatter", "taped"])
def test_no_update_is_lost(n, other):
    one = tf.ones([] if n is None else [n])
    if n is None and other in ("part", "scatter"):
        pytest.skip("a scalar has no parts")
    v = tf.Variable(tf.zeros_like(one))

    @tf.function
    def compiled():
        v.assign_add(one)

    def taped():
        with tf.GradientTape():
            compiled()

    compiled()  # traced before the threads begin
    compiled()
    v.assign(tf.zeros_like(one))
    eager = lambda: v.assign_add(one)
    fs = {"compiled": compiled, "eager": eager, "part": lambda: v[:].assign_add(one), "taped": taped}
    if n:
        rows = tf.range(n)
        fs["scatter"] = lambda: v.scatter_add(tf.IndexedSlices(one, rows))
    together(compiled, fs[other], eager)
    assert np.all(v.numpy() == 3 * TURNS)


def test_a_loop_that_lets_others_run_has_its_variable_to_itself():
    v, w = tf.Variable(0.0), tf.Variable(0.0)

    @tf.function
    def forth():
        for _ in tf.range(2000):
            v.assign_add(1.0)
            w.assign_add(1.0)

    @tf.function
    def back():  # the same variables the other way round: nobody waits for ever
        for _ in tf.range(2000):
            w.assign_add(1.0)
            v.assign_add(1.0)

    forth()
    back()
    v.assign(0.0)
    w.assign(0.0)
    together(forth, back, lambda: v.assign_add(1.0))
    assert w.numpy() == 2 * TURNS * 2000 and v.numpy() == w.numpy() + TURNS


def test_a_python_function_of_a_program_may_assign_its_variables():
    v = tf.Variable(0.0)
    stop = threading.Event()
    idle = threading.Thread(target=stop.wait)
    idle.start()  # so that locks are taken
    try:

        @tf.function
        def f():
            v.assign_add(1.0)
            tf.py_function(lambda: v.assign_add(1.0) and None, [], None)
            v.assign_add(1.0)

        f()
        assert v.numpy() == 3.0
    finally:
        stop.set()
        idle.join()
