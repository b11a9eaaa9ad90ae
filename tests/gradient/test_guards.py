"""The two guards: the warning at an accidental broadcast, and the error where a gradient that is None is used."""

import copy
import pickle
import threading
import warnings

import numpy as np
import pytest

import gradtape as tf

BroadcastWarning = tf.errors.BroadcastWarning


@pytest.fixture
def heard():
    """The broadcast warnings of a test, whatever filters pytest has set."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", BroadcastWarning)
        yield caught


def column(n=4):
    return tf.Variable(np.ones((n, 1), np.float32))


def row(n=4):
    return tf.constant(np.ones(n, np.float32))


# -- (n, 1) meets (n,) -------------------------------------------------------------------------------------------------------


def test_warns_with_shapes_and_line(heard):
    with tf.GradientTape():
        loss = column() - row()  # the usual way to lose a regression
    assert loss.shape == (4, 4)
    (w,) = heard
    assert w.category is BroadcastWarning and w.filename == __file__
    text = str(w.message)
    assert "[4, 1]" in text and "[4]" in text and "[4, 4]" in text
    assert "the usual way to lose a regression" in text  # the line itself
    assert "tf.squeeze" in text and "tf.reshape" in text  # what to do


@pytest.mark.parametrize(
    "line", ["a * b", "b * a", "a ** b", "tf.math.squared_difference(a, b)", "tf.maximum(b, a)", "tf.math.atan2(a, b)"]
)
def test_warns_for_every_operation_and_order(heard, line):
    code = compile(line, f"<the line {line}>", "eval")
    with tf.GradientTape():
        eval(code, {"tf": tf, "a": column(), "b": row()})
    assert [(w.category, w.filename) for w in heard] == [(BroadcastWarning, f"<the line {line}>")]


def test_warns_once_for_each_line(heard):
    a, b = column(), row()
    for _ in range(5):
        with tf.GradientTape():
            for _ in range(3):
                a - b
    assert len(heard) == 1
    with tf.GradientTape():
        a - b
    assert len(heard) == 2


@pytest.mark.parametrize(
    "a, b",
    [((4, 1), (4, 1)), ((4,), (4,)), ((4, 1), (3,)), ((1, 1), (1,)), ((4, 1), (1,)), ((4, 1), ()), ((4, 3), (3,)), ((1, 4), (4,)), ((4, 4), (4,)),
     ((4, 1, 1), (4,)), ((4, 1), (1, 4))],
)  # fmt: skip
def test_silent_at_other_shapes(heard, a, b):
    a, b = tf.Variable(np.ones(a, np.float32)), tf.Variable(np.ones(b, np.float32))
    with tf.GradientTape():
        a * b
        b * a
    assert heard == []


def test_silent_where_nothing_is_recorded(heard):
    a, b = column(), row()
    a - b
    with tf.GradientTape() as tape:
        tf.convert_to_tensor(np.ones((4, 1), np.float32)) - b  # nobody watches either
        with tape.stop_recording():
            a - b
    with tf.GradientTape(watch_accessed_variables=False):
        a - b
    a - b
    assert heard == []


def test_silent_in_the_backward_pass(heard):
    """The rules' own products are no accidents: nothing but the user's line warns."""
    a, b = column(), row()
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((a - b) ** 2)
        g = tape.gradient(loss, a)
    outer.gradient(g, a)
    assert len(heard) == 1


def test_warns_in_every_thread(heard):
    code = compile("a - b", "a line of its own, for threads", "eval")
    a, b = column(), row()

    def work():
        with tf.GradientTape():
            eval(code, {"a": a, "b": b})

    t = threading.Thread(target=work)
    t.start()
    t.join()
    assert len(heard) == 1


def test_silenced_by_a_filter():
    a, b = column(), row()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", category=BroadcastWarning)
        with tf.GradientTape():
            a - b
    assert [w for w in caught if w.category is BroadcastWarning] == []


def test_made_an_error_by_a_filter():
    a, b = column(), row()
    with warnings.catch_warnings():
        warnings.simplefilter("error", BroadcastWarning)
        with tf.GradientTape() as tape, pytest.raises(BroadcastWarning, match=r"\[4, 1\]"):
            a - b
    with tf.GradientTape() as tape:  # nothing is left behind
        y = tf.reduce_sum(a * a)
    assert tape.gradient(y, a).numpy().tolist() == [[2.0]] * 4


def test_cured_by_one_shape(heard):
    a, b = column(), row()
    with tf.GradientTape():
        tf.reshape(a, [-1]) - b
        a - tf.reshape(b, [-1, 1])
    assert heard == []


def test_the_category_is_a_user_warning():
    assert issubclass(BroadcastWarning, UserWarning)


# -- a None gradient -----------------------------------------------------------------------------------------------------------


def none_gradient():
    v, x = tf.Variable(2.0), tf.constant(3.0)
    with tf.GradientTape() as tape:
        y = x * x
    g = tape.gradient(y, v)
    assert g is None
    return v, g


USES = {
    "tensor * None": lambda v, g: tf.constant(0.1) * g,
    "None * tensor": lambda v, g: g * tf.constant(0.1),
    "tensor - None": lambda v, g: tf.constant(0.1) - g,
    "variable - None": lambda v, g: v - g,
    "None / variable": lambda v, g: g / v,
    "assign_sub(None)": lambda v, g: v.assign_sub(g),
    "assign_add(None)": lambda v, g: v.assign_add(g),
    "assign(None)": lambda v, g: v.assign(g),
    "square(None)": lambda v, g: tf.square(g),
    "multiply(0.1, None)": lambda v, g: tf.multiply(0.1, g),
    "convert_to_tensor(None)": lambda v, g: tf.convert_to_tensor(g),
    "reduce_sum(None)": lambda v, g: tf.reduce_sum(g),
    "stack([None])": lambda v, g: tf.stack([v, g]),
}


@pytest.mark.parametrize("use", USES)
def test_using_a_none_gradient_says_why_it_may_be_none(use):
    v, g = none_gradient()
    with pytest.raises(tf.errors.NoneGradientError) as e:
        USES[use](v, g)
    text = str(e.value)
    for hint in ("None", "gradient", "watch", "trainable", "x = x + 1", "NumPy", "integers", "unconnected_gradients"):
        assert hint in text, text
    assert f"{__file__}:" in text  # and where
    assert v.numpy() == 2.0


def test_a_none_gradient_error_is_what_tensorflow_raises_too():
    # TensorFlow: ValueError from conversion, TypeError from Python's own operators
    assert issubclass(tf.errors.NoneGradientError, ValueError) and issubclass(tf.errors.NoneGradientError, TypeError)


def test_a_none_gradient_error_survives_a_copy():
    v, g = none_gradient()
    with pytest.raises(tf.errors.NoneGradientError) as e:
        v.assign_sub(g)
    assert str(pickle.loads(pickle.dumps(e.value))) == str(copy.copy(e.value)) == str(e.value)


def test_comparing_with_none_is_no_use_of_it():
    v, _ = none_gradient()
    assert (tf.constant(1.0) == None) is False and (v != None) is True  # noqa: E711
