"""``debugging.on_operation`` and ``on_gradient``."""

import numpy as np
import pytest

import gradtape as tf


def test_every_operation_is_told_with_its_line():
    events = []
    x = tf.constant([1.0, 2.0])
    with tf.debugging.on_operation(events.append):
        y = tf.reduce_sum(x * 2.0)
    assert [e.name for e in events] == ["multiply", "sum"]
    assert events[1].outputs[0] is y
    assert events[0].inputs[0] is x
    assert events[1].attributes["axis"] == (0,)
    assert events[0].place.expression == "x * 2.0" and events[0].place.file == __file__
    tf.exp(x)
    assert len(events) == 2


def test_names_choose():
    seen = []
    with tf.debugging.on_operation(lambda e: seen.append(e.name), names="exp"):
        tf.exp(tf.sin(1.0))
    assert seen == ["exp"]


def test_what_a_hook_computes_is_not_told_nor_recorded():
    seen = []
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape, tf.debugging.on_operation(lambda e: seen.append(float(tf.exp(e.outputs[0])))):
        y = x * x
    assert len(seen) == 1
    assert len(tape._records) == 1
    assert float(tape.gradient(y, x)) == 4.0


def test_a_hook_may_stop_the_program():
    def stop(e):
        if not np.all(np.isfinite(e.outputs[0])):
            raise FloatingPointError(f"{e.name} at {e.place}")

    with pytest.raises(FloatingPointError, match=r"log at .*tf.math.log"), tf.debugging.on_operation(stop):
        tf.math.log(tf.constant(0.0))
    tf.math.log(tf.constant(0.0))  # it is gone with its block


@pytest.mark.parametrize("persistent", [False, True])
def test_the_backward_pass_is_told_step_by_step_and_gives_the_same(persistent):
    x, w = tf.Variable([1.0, 2.0]), tf.Variable([[1.0, 2.0], [3.0, 4.0]])

    def taped():
        with tf.GradientTape(persistent=persistent) as tape:
            h = tf.nn.relu(tf.linalg.matvec(w, x) - 6.0)
            y = tf.reduce_sum(h * h)
        return tape, y

    tape, y = taped()
    plain = tape.gradient(y, [x, w])
    tape, y = taped()
    events = []
    with tf.debugging.on_gradient(events.append):
        told = tape.gradient(y, [x, w])
    for a, b in zip(plain, told, strict=True):
        np.testing.assert_array_equal(a, b)
    assert events[0].name == "sum" and float(events[0].cotangents[0]) == 1.0
    relu = next(e for e in events if e.name == "relu")
    assert relu.cotangents[0].numpy().tolist() == [0.0, 10.0] and relu.gradients[0].numpy().tolist() == [0.0, 10.0]
    assert len(events) == len({id(e) for e in events}) >= 5


def test_lines_are_told_where_they_were_noted():
    x = tf.Variable(2.0)
    places = []
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        y = tf.sin(x)
        z = tf.exp(y)
        with tape.stop_recording(), tf.debugging.on_gradient(lambda e: places.append((e.name, e.place.expression))):
            tape.gradient(z, x)
    assert places == [("exp", "tf.exp(y)"), ("sin", "tf.sin(x)")]


def test_second_derivatives_under_a_hook_are_the_same():
    x = tf.Variable(2.0)
    names = []
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = x**3
        with tf.debugging.on_gradient(lambda e: names.append(e.name)):
            g = inner.gradient(y, x)
    assert names == ["pow"]
    assert float(outer.gradient(g, x)) == 12.0


def test_other_threads_do_not_hear():
    import threading

    heard = []

    def other():
        x = tf.Variable(2.0)
        with tf.GradientTape() as tape:
            y = x * x
        heard.append(float(tape.gradient(y, x)))

    with (
        tf.debugging.on_gradient(lambda e: heard.append(e.name)),
        tf.debugging.on_operation(lambda e: heard.append(e.name)),
    ):
        t = threading.Thread(target=other)
        t.start()
        t.join()
    assert heard == [4.0]


def test_a_traced_function_is_one_operation():
    @tf.function
    def f(x):
        return tf.sin(x) * x

    seen = []
    with tf.debugging.on_operation(lambda e: seen.append(e.name)):
        f(tf.constant(1.0))
    assert seen == ["f"]
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = f(x)
    with tf.debugging.on_gradient(lambda e: seen.append(e.name)):
        tape.gradient(y, x)
    assert seen == ["f", "f"]


def test_a_hook_must_be_a_function():
    with pytest.raises(TypeError, match="must be a function"), tf.debugging.on_operation(3):
        pass
    with pytest.raises(TypeError, match="must be a function"), tf.debugging.on_gradient("x"):
        pass
    with pytest.raises(TypeError, match="must be a function"):
        tf.debugging.on_operation(3)  # said when it is asked for, not when the block begins
