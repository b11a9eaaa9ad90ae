"""What GradientTape records: watching, stopping, nesting, variables. As TensorFlow 2.21 unless the test says otherwise."""

import numpy as np
import pytest

import gradtape as tf

from .values import value, values

# -- once-only and persistent -----------------------------------------------------------------------------------------------


def test_a_first_gradient():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    g = tape.gradient(y, x)
    assert str(g) == "tf.Tensor(6.0, shape=(), dtype=float32)"


def test_uses_of_one_tensor_add_up():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x + x * x * x + 2.0 * x + x
    assert value(tape.gradient(y, x)) == [8.0, 19.0]


def test_a_plain_tape_gives_one_gradient():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError) as e:
        tape.gradient(y, x)
    # the sentence of TensorFlow 2.0 to 2.3, which tutorials quote; 2.21 words it otherwise
    assert str(e.value) == "GradientTape.gradient can only be called once on non-persistent tapes."


def test_a_persistent_tape_gives_many():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert value(tape.gradient(z, x)) == 108.0
    assert value(tape.gradient(y, x)) == 6.0
    assert value(tape.gradient(z, y)) == 18.0
    assert value(tape.gradient(z, x)) == 108.0


def test_persistent_gradient_inside_the_block_is_recorded():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x * x
        g = tape.gradient(y, x)
        h = tape.gradient(g, x)
    assert values([g, h, tape.gradient(h, x)]) == [27.0, 18.0, 6.0]


def test_once_only_gradient_inside_the_block_ends_the_recording():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        g = tape.gradient(y, x)
        z = y * x
    assert value(g) == 6.0
    with pytest.raises(RuntimeError):
        tape.gradient(z, x)


def test_gradient_of_a_tape_that_never_ran():
    with pytest.raises(RuntimeError):
        tf.GradientTape().gradient(tf.constant(1.0), tf.constant(1.0))


# -- watching ---------------------------------------------------------------------------------------------------------------


def test_what_nobody_watches_has_no_gradient():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        y = x * x
    assert tape.gradient(y, x) is None


def test_watching_begins_when_watch_is_called():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        early = x * x
        tape.watch(x)
        late = x * x
    assert tape.gradient(early, x) is None
    assert value(tape.gradient(late, x)) == 6.0


def test_what_is_computed_after_the_block_is_not_recorded():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    assert tape.gradient(y * x, x) is None


def test_watch_takes_nests():
    a, b, c = tf.constant(1.0), tf.Variable(2.0, trainable=False), tf.constant(3.0)
    with tf.GradientTape() as tape:
        assert tape.watch({"one": a, "more": [b, (c,)]}) is None
        y = a * b * c
    assert values(tape.gradient(y, [a, b, c])) == [6.0, 3.0, 2.0]


@pytest.mark.parametrize("bad", [3.0, "x", None, np.ones(2), [1.0]], ids=repr)
def test_bad_watch(bad):
    with tf.GradientTape() as tape, pytest.raises(ValueError, match="Passed in object"):
        tape.watch(bad)


def test_variables_are_watched_when_read():
    v = tf.Variable([1.0, 2.0])
    for read in (lambda: v * 1.0, lambda: v.value(), lambda: v.read_value(), lambda: tf.convert_to_tensor(v), lambda: tf.identity(v),
                 lambda: 1.0 * v, lambda: -(0.0 - v), lambda: tf.stack([v, v])[0], lambda: tf.reshape(v, [2])):  # fmt: skip
        with tf.GradientTape() as tape:
            y = read() * 3.0
        assert value(tape.gradient(y, v)) == [3.0, 3.0]
        assert [w is v for w in tape.watched_variables()] == [True]


def test_untrainable_and_integer_variables_have_no_gradient():
    still, whole = tf.Variable(2.0, trainable=False), tf.Variable(2)
    with tf.GradientTape() as tape:
        y = still * tf.cast(whole, tf.float32)
    assert not any(v is still for v in tape.watched_variables())
    assert tape.gradient(y, [still, whole]) == [None, None]


def test_an_untrainable_variable_can_be_watched():
    v = tf.Variable(2.0, trainable=False)
    with tf.GradientTape() as tape:
        tape.watch(v)
        y = v * v
    assert value(tape.gradient(y, v)) == 4.0


def test_watch_accessed_variables():
    v, w = tf.Variable(2.0), tf.Variable(5.0)
    with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
        tape.watch(v)
        y = v**2
        z = w**3
    assert value(tape.gradient(y, v)) == 4.0
    assert tape.gradient(z, w) is None
    assert [x is v for x in tape.watched_variables()] == [True]


def test_watched_variables_in_the_order_they_were_made():
    first, unread, second, watched = (tf.Variable(float(i)) for i in range(4))
    with tf.GradientTape() as tape:
        tape.watch(watched)
        y = second * first + second
    assert isinstance(tape.watched_variables(), tuple)
    assert values(tape.watched_variables()) == [0.0, 2.0, 3.0]
    assert values(tape.gradient(y, [first, unread])) == [2.0, None]
    assert values(tape.watched_variables()) == [0.0, 2.0, 3.0]  # known after the gradient too


def test_a_tensor_read_before_the_block_is_a_constant():
    v = tf.Variable(3.0)
    t = tf.convert_to_tensor(v)
    with tf.GradientTape() as tape:
        y = v * t
    assert value(tape.gradient(y, v)) == 3.0


def test_what_leaves_the_library_has_no_gradient():
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.constant(np.square(x.numpy())))
    assert tape.gradient(y, x) is None


# -- stop, reset, enter again ---------------------------------------------------------------------------------------------------


def test_stop_recording():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        with tape.stop_recording():
            z = x * x * x
        w = y * x
    assert values([tape.gradient(y, x), tape.gradient(z, x), tape.gradient(w, x)]) == [6.0, None, 27.0]


def test_stop_recording_resumes_after_an_exception():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with pytest.raises(KeyError), tape.stop_recording():
            raise KeyError
        y = x * x
    assert value(tape.gradient(y, x)) == 6.0


def test_stop_recording_stops_one_tape_only():
    x = tf.constant(3.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            with outer.stop_recording():
                y = x * x
    assert value(tape.gradient(y, x)) == 6.0
    assert outer.gradient(y, x) is None


def test_stop_recording_where_nothing_is_recorded():
    tape = tf.GradientTape()
    with pytest.raises(RuntimeError, match="not recording"), tape.stop_recording():
        pass
    with tape:
        pass
    with pytest.raises(ValueError, match="not recording"), tape.stop_recording():
        pass


def test_reset():
    x, v = tf.constant(3.0), tf.Variable(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * v
        tape.reset()
        assert tape.watched_variables() == ()
        tape.watch(x)
        z = x * x
        y = y + z
    assert values(tape.gradient(y, [x, v])) == [6.0, None]


def test_reset_forgets_what_was_watched():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        tape.reset()
        y = x * x
    assert tape.gradient(y, x) is None


def test_reset_outside_the_block():
    tape = tf.GradientTape()
    with tape:
        pass
    with pytest.raises(ValueError, match="not recording"):
        tape.reset()


def test_a_tape_entered_again_goes_on():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    unseen = y * y
    with tape:
        z = y * x
    with pytest.raises(ValueError, match="recording"), tape, tape:
        pass
    assert value(tape.gradient([z, unseen], x)) == 27.0


def test_a_used_tape_entered_again_starts_afresh():
    x = tf.constant(3.0)
    tape = tf.GradientTape()
    for _ in range(3):
        with tape:
            tape.watch(x)
            y = x * x
        assert value(tape.gradient(y, x)) == 6.0


def test_tapes_may_end_in_any_order():
    x = tf.constant(3.0)
    a, b = tf.GradientTape(), tf.GradientTape()
    a.__enter__()
    b.__enter__()
    a.watch(x)
    b.watch(x)
    y = x * x
    a.__exit__(None, None, None)
    z = y * x
    b.__exit__(None, None, None)
    assert a.gradient(z, x) is None
    assert value(b.gradient(z, x)) == 27.0


# -- nesting ----------------------------------------------------------------------------------------------------------------


def test_second_derivative():
    x = tf.constant(3.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = x * x * x
        g = inner.gradient(y, x)
    assert values([g, outer.gradient(g, x)]) == [27.0, 18.0]


def test_fourth_derivative():
    x = tf.Variable(2.0, dtype=tf.float64)
    with tf.GradientTape() as t4:
        with tf.GradientTape() as t3:
            with tf.GradientTape() as t2:
                with tf.GradientTape() as t1:
                    y = x**5 + tf.sin(x)
                d1 = t1.gradient(y, x)
            d2 = t2.gradient(d1, x)
        d3 = t3.gradient(d2, x)
    d4 = t4.gradient(d3, x)
    want = [80 + np.cos(2), 160 - np.sin(2), 240 - np.cos(2), 240 + np.sin(2)]
    np.testing.assert_allclose(values([d1, d2, d3, d4]), want, rtol=1e-14)


def test_mixed_derivatives():
    x, y = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as outer:
        with tf.GradientTape() as inner:
            z = x * x * y * y * y
        dx, dy = inner.gradient(z, [x, y])
    assert values(outer.gradient(dx, [x, y])) == [54.0, 108.0]
    assert values(outer.gradient(dy, [x, y])) == [108.0, 72.0]


def test_an_inner_gradient_taken_after_the_outer_block_is_not_recorded():
    x = tf.Variable(3.0)
    with tf.GradientTape() as outer, tf.GradientTape() as inner:
        y = x * x * x
    g = inner.gradient(y, x)
    assert value(g) == 27.0
    assert outer.gradient(g, x) is None


def test_tapes_watch_each_for_itself():
    x, y = tf.constant(2.0), tf.constant(3.0)
    with tf.GradientTape() as a, tf.GradientTape() as b:
        a.watch(x)
        b.watch(y)
        z = x * y
    assert values(a.gradient(z, [x, y])) == [3.0, None]
    assert values(b.gradient(z, [x, y])) == [None, 2.0]


def test_the_outer_tape_sees_through_an_inner_one_that_watches_something_else():
    x, y = tf.constant(2.0), tf.constant(3.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(y)
            z = x * x * y * y
        g = inner.gradient(z, y)  # 2 x² y
    assert value(outer.gradient(g, x)) == 24.0


def test_derivative_of_a_sum_of_gradients():
    w = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            loss = tf.reduce_sum(w * w * w)
        penalty = tf.reduce_sum(tf.square(inner.gradient(loss, w)))  # Σ 9 w⁴
    assert value(outer.gradient(penalty, w)) == [36.0, 288.0]


# -- variables ------------------------------------------------------------------------------------------------------------------


def test_a_variable_assigned_inside_the_block_has_one_gradient_for_all_its_values():
    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = v * v
        v.assign(5.0)
        y = y + v * v
    assert value(tape.gradient(y, v)) == 16.0


def test_no_gradient_through_an_assignment():
    x, v = tf.Variable(3.0), tf.Variable(1.0)
    with tf.GradientTape() as tape:
        v.assign_add(x * x)
        y = v * v
    assert values(tape.gradient(y, [x, v])) == [None, 20.0]


@pytest.mark.parametrize("shape", [(), (3,), (300, 300)])
def test_a_variable_changed_after_the_block_does_not_change_the_gradient(shape):
    v, w = tf.Variable(tf.ones(shape) * 3.0), tf.Variable(tf.ones(shape) * 5.0)
    with tf.GradientTape(persistent=True) as tape:
        y = v * w
    for change in (lambda: v.assign_sub(tf.ones(shape)), lambda: v.assign_add(tf.ones(shape)), lambda: v.assign(tf.zeros(shape)),
                   lambda: w.assign_sub(tf.ones(shape)), lambda: w.assign_sub(tf.ones(shape))):  # fmt: skip
        change()
        dv, dw = tape.gradient(y, [v, w])
        assert np.all(dv.numpy() == 5.0) and np.all(dw.numpy() == 3.0)


def test_a_variable_used_by_two_steps():
    v = tf.Variable([1.0, 2.0])
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(v * v)
        v.assign_sub(0.25 * tape.gradient(loss, v))
    assert value(v) == [0.125, 0.25]


def test_lists_of_variables_are_packed_differentiably():
    a, b = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as tape:
        t = tf.convert_to_tensor([a, b, 1.0])
        y = tf.reduce_sum(t * t * tf.constant([1.0, 10.0, 100.0]))
    assert values(tape.gradient(y, [a, b])) == [4.0, 60.0]


def test_dead_variables_are_not_mistaken_for_living_ones():
    """Variables are known by identity; a new one may come to lie where a dead one was."""
    with tf.GradientTape() as tape:
        y = tf.constant(0.0)
        for i in range(50):
            y = y + tf.Variable(float(i)) * 2.0
        v = tf.Variable(1.0)
    assert tape.gradient(y, v) is None
