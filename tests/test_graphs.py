"""What programs written for graphs say about order, devices and known values."""

import pytest

import gradtape as tf


def test_contexts():
    v = tf.Variable(1.0)

    def f(x):
        with tf.control_dependencies([v.assign_add(x)]), tf.device("/GPU:0"):
            return v * 2.0

    assert float(f(tf.constant(1.0))) == 4
    assert float(tf.function(f)(tf.constant(1.0))) == 6
    called = []
    with tf.control_dependencies(lambda: called.append(1)):
        assert called == [1]
    with pytest.raises(ValueError, match="string"), tf.device(3):
        pass


def test_what_has_run():
    x = tf.constant(1)
    assert tf.group(x, x) is None and tf.no_op() is None
    assert tf.tuple([x, x])[0] is x
    assert tf.guarantee_const(tf.Variable(2)).numpy() == 2


def test_known_values():
    seen = []

    @tf.function
    def f(x):
        seen.append(
            (
                tf.inside_function(),
                tf.is_symbolic_tensor(x),
                tf.get_static_value(x),
                tf.get_static_value(tf.constant(3)),
            )
        )
        return x

    f(tf.constant(1.0))
    assert seen == [(True, True, None, 3)]
    assert not tf.inside_function() and not tf.is_symbolic_tensor(tf.constant(1)) and not tf.is_symbolic_tensor(1)
    assert tf.get_static_value(tf.Variable(1.0)) is None
    assert tf.get_static_value([1, 2]).tolist() == [1, 2]
