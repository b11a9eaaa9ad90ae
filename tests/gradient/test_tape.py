"""GradientTape's behaviour, each as TensorFlow 2.21 has it unless the test says otherwise."""

import collections
import gc
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import gradtape as tf


def value(x):
    """What a test compares: Python numbers, lists of them, or None."""
    return None if x is None else tf.convert_to_tensor(x).numpy().tolist()


def values(xs):
    return [value(x) for x in xs]


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
                 lambda: 1.0 * v, lambda: -(-v), lambda: tf.stack([v, v])[0], lambda: tf.reshape(v, [2])):  # fmt: skip
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


# -- what can be differentiated ----------------------------------------------------------------------------------------------------


Pair = collections.namedtuple("Pair", "left right")


def test_sources_give_a_nest_of_the_same_form():
    a, b, c = tf.constant(1.0), tf.constant(2.0), tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([a, b, c])
        y = a * b * c
    assert isinstance(tape.gradient(y, Pair(a, [b])), Pair)
    got = tape.gradient(y, {"z": a, "y": (b, [c]), "x": Pair(a, b)})
    assert list(got) == ["z", "y", "x"] and isinstance(got["y"], tuple) and isinstance(got["x"], Pair)
    assert value(got["z"]) == 6.0 and values([got["y"][0], *got["y"][1]]) == [3.0, 2.0] and values(got["x"]) == [6.0, 3.0]
    assert tape.gradient(y, []) == []
    assert values(tape.gradient(y, [a, a])) == [6.0, 6.0]


def test_several_targets_are_summed():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = x * x, x * x * x
    assert value(tape.gradient([y, z], x)) == 33.0
    assert value(tape.gradient({"a": y, "b": (z,)}, x)) == 33.0
    assert value(tape.gradient([y, y], x)) == 12.0


def test_a_target_that_is_an_intermediate_of_another():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert values(tape.gradient([y, z], [x, y])) == [6.0 + 108.0, 1.0 + 18.0]


def test_intermediate_tensors_as_sources():
    x = tf.constant(2.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        z = y * y * x
    assert values(tape.gradient(z, [x, y])) == [80.0, 16.0]
    assert value(tape.gradient(z, y)) == 16.0
    assert value(tape.gradient(z, z)) == 1.0


def test_the_gradient_of_a_tensor_with_respect_to_itself():
    x, v = tf.constant([1.0, 2.0]), tf.Variable([3.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        tape.watch(v)
    assert value(tape.gradient(x, x)) == [1.0, 1.0]
    assert value(tape.gradient(v, v)) == [1.0]


def test_the_path_does_not_lead_backwards():
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        z = x * y
    assert values(tape.gradient(y, [z, x])) == [None, 4.0]


def test_variables_as_targets():
    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = v * v
        v.assign(y)
    assert value(tape.gradient(v, v)) == 1.0


def test_no_target():
    with tf.GradientTape() as tape:
        pass
    with pytest.raises(TypeError, match="Argument `target` should be a list or nested structure of Tensors, .* but received None"):
        tape.gradient(None, tf.constant(1.0))


@pytest.mark.parametrize("bad", [3.0, "x", np.ones(2)], ids=repr)
def test_sources_must_be_tensors(bad):
    # TensorFlow: AttributeError about an attribute of the float
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = x * x
    with pytest.raises(ValueError, match="Passed in object .* not a tf.Tensor or a tf.Variable"):
        tape.gradient(y, [x, bad])
    assert value(tape.gradient(y, x)) == 2.0  # nothing was used up


# -- output_gradients and unconnected_gradients --------------------------------------------------------------------------------


def test_output_gradients_weigh_the_targets():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = x * x, x * x * x
    assert value(tape.gradient(y, x, output_gradients=tf.constant([10.0, 100.0]))) == [20.0, 400.0]
    assert value(tape.gradient([y, z], x, output_gradients=[tf.constant([1.0, 0.0]), tf.constant([0.0, 1.0])])) == [2.0, 12.0]
    assert value(tape.gradient({"b": z, "a": y}, x, output_gradients={"a": tf.constant([1.0, 0.0]), "b": tf.constant([0.0, 1.0])})) == [2.0, 12.0]
    assert value(tape.gradient(y, x, tf.Variable([10.0, 100.0]))) == [20.0, 400.0]


def test_output_gradients_none_means_ones():
    # TensorFlow 2.21 fails here, and can end the process
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = x * x, x * x * x
    assert value(tape.gradient([y, z], x, output_gradients=[None, tf.constant([0.0, 1.0])])) == [2.0, 16.0]
    assert value(tape.gradient([y, z], x, output_gradients=[tf.constant([0.0, 1.0]), None])) == [3.0, 16.0]
    assert value(tape.gradient(y, x, output_gradients=None)) == [2.0, 4.0]


def test_output_gradients_of_intermediate_and_final_targets():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert value(tape.gradient([y, z], x, [tf.constant(10.0), tf.constant(2.0)])) == 60.0 + 216.0


@pytest.mark.parametrize("given", [lambda g: [g], lambda g: [g, g, g], lambda g: [], lambda g: g], ids=["few", "many", "none", "one"])
def test_output_gradients_of_the_wrong_form(given):
    # TensorFlow ignores what is too many
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y, z = x * x, x * x * x
    with pytest.raises(ValueError, match="target has 2 tensors"):
        tape.gradient([y, z], x, output_gradients=given(tf.constant([1.0, 1.0])))
    assert value(tape.gradient(y, x)) == [2.0, 4.0]  # nothing was used up


def test_output_gradients_of_the_wrong_shape_or_dtype():
    # TensorFlow lets them broadcast, or fails in whatever operation comes last
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = x * x
    for bad in (tf.constant(1.0), tf.constant([1.0, 1.0, 1.0]), tf.constant([1.0, 1.0], tf.float64)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"float32\[2\], but has"):
            tape.gradient(y, x, output_gradients=bad)
    assert value(tape.gradient(y, x)) == [2.0, 4.0]


def test_derivative_with_respect_to_an_output_gradient():
    x, w = tf.constant([1.0, 2.0]), tf.constant([5.0, 7.0])
    with tf.GradientTape() as outer:
        outer.watch(w)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = x * x
        g = inner.gradient(y, x, output_gradients=w)
    assert value(outer.gradient(g, w)) == [2.0, 4.0]


def test_unconnected_gradients():
    x, v, n = tf.constant([1.0, 2.0], tf.float64), tf.Variable([[3.0]]), tf.constant(2.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        tape.watch(n)
        y = n * n
    assert tape.gradient(y, [x, v]) == [None, None]
    assert tape.gradient(y, x, unconnected_gradients="none") is None
    for zero in ("zero", tf.UnconnectedGradients.ZERO):
        gx, gv, gn = tape.gradient(y, [x, v, n], unconnected_gradients=zero)
        assert (value(gx), gx.dtype) == ([0.0, 0.0], tf.float64)
        assert (value(gv), gv.dtype) == ([[0.0]], tf.float32)
        assert value(gn) == 4.0
    with pytest.raises(ValueError, match="Unknown value for unconnected_gradients: 'nonsense'"):
        tape.gradient(y, x, unconnected_gradients="nonsense")


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


# -- dtypes ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"])
def test_gradients_have_the_sources_dtype(dtype):
    x = tf.constant([1.0, 2.0], dtype=dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x + 1
    g = tape.gradient(y, x)
    assert g.dtype == dtype and value(g) == [2.0, 4.0]


def test_casts_carry_gradients_back_in_the_first_dtype():
    x = tf.constant([1.0, 2.0], tf.float16)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.square(tf.cast(x, tf.float64))
    g = tape.gradient(y, x)
    assert g.dtype == tf.float16 and value(g) == [2.0, 4.0]


def test_no_gradient_through_integers_and_bools():
    x = tf.constant([1.5, 2.5])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        whole = tf.cast(tf.cast(x, tf.int32), tf.float32) * 2.0
        truth = tf.cast(x > 2.0, tf.float32) * 2.0
        where = tf.cast(tf.argmax(x, 0), tf.float32) * 2.0
        ints = tf.cast(x, tf.int32)
    for y in (whole, truth, where, ints, x > 2.0):
        assert tape.gradient(y, x) is None
    assert value(tape.gradient([whole, x * 1.0, x], x)) == [1.0, 1.0]


def test_integer_sources_have_no_gradient():
    n, x = tf.constant([1, 2]), tf.constant([1.5, 2.5])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.cast(n, tf.float32) * x
    assert values(tape.gradient(y, [n, x])) == [None, [1.0, 2.0]]


def test_complex_gradients_are_conjugate():
    """As TensorFlow: of a holomorphic f the conjugate of f', of a real function the direction in which it rises most."""
    z = tf.constant(1 + 2j, tf.complex128)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        square, inverse, size, part = z * z, 1 / z, tf.abs(z), tf.math.imag(z)
        squared_size = tf.math.real(z * tf.math.conj(z))
        mixed = tf.cast(tf.abs(z), tf.complex128) * z
    assert value(tape.gradient(square, z)) == 2 - 4j
    np.testing.assert_allclose(value(tape.gradient(inverse, z)), np.conj(-1 / (1 + 2j) ** 2))
    np.testing.assert_allclose(value(tape.gradient(size, z)), (1 + 2j) / abs(1 + 2j))
    assert value(tape.gradient(part, z)) == 1j
    assert value(tape.gradient(squared_size, z)) == 2 + 4j
    np.testing.assert_allclose(value(tape.gradient(mixed, z)), 2.683281572999748 + 0.894427190999916j)


def test_complex_from_real_parts():
    x, y = tf.constant(1.0), tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        z = tf.complex(x, y)
        w = tf.abs(z * z)
    dx, dy = tape.gradient(w, [x, y])
    assert (dx.dtype, dy.dtype) == (tf.float32, tf.float32)
    np.testing.assert_allclose(values([dx, dy]), [2.0, 4.0], rtol=1e-6)


# -- what is easy to get wrong ---------------------------------------------------------------------------------------------------


def second(f, at, dtype=tf.float32):
    x = tf.constant(at, dtype)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = f(x)
        g = inner.gradient(y, x)
    return value(g), None if g is None else value(outer.gradient(g, x))


def test_second_derivatives_that_are_none_or_zero():
    assert second(lambda x: 3.0 * x + 2.0, [1.0, 2.0]) == ([3.0, 3.0], None)
    assert second(lambda x: tf.maximum(x, 1.0), [0.0, 2.0]) == ([0.0, 1.0], None)
    assert second(lambda x: tf.nn.relu(x), [-1.0, 2.0]) == ([0.0, 1.0], [0.0, 0.0])
    assert second(lambda x: tf.abs(x), [-1.0, 2.0]) == ([-1.0, 1.0], [0.0, 0.0])
    assert second(lambda x: tf.reduce_sum(x), [1.0, 2.0]) == ([1.0, 1.0], None)
    assert second(lambda x: x - x, [1.0, 2.0]) == ([0.0, 0.0], None)
    assert second(lambda x: tf.sign(x), [-1.0, 2.0]) == ([0.0, 0.0], None)


def test_rounding_has_no_gradient_and_sign_a_zero_one():
    x = tf.constant([1.2, -2.7])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        rounded = [tf.round(x), tf.floor(x), tf.math.ceil(x)]
        sign = tf.sign(x)
    assert [tape.gradient(y, x) for y in rounded] == [None] * 3
    assert value(tape.gradient(sign, x)) == [0.0, 0.0]


def test_ties():
    x = tf.constant([1.0, 3.0, 3.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        top, low = tf.reduce_max(x), tf.reduce_min(-x)
        y = tf.identity(x)
        larger, smaller = tf.maximum(x, y), tf.minimum(x, y)
    assert value(tape.gradient(top, x)) == [0.0, 0.5, 0.5]
    assert value(tape.gradient(low, x)) == [0.0, -0.5, -0.5]
    assert values(tape.gradient(larger, [x, y])) == [[1.0] * 3, [0.0] * 3]
    assert values(tape.gradient(smaller, [x, y])) == [[1.0] * 3, [0.0] * 3]


def test_gradients_at_zero():
    x = tf.constant(0.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        power, root, nothing, log = x**0.0, tf.sqrt(x), 0.0 * tf.sqrt(x), 0.0 * tf.math.log(x)
        size, relu, square = tf.abs(x), tf.nn.relu(x), x**2.0
    assert np.isnan(value(tape.gradient(power, x)))
    assert value(tape.gradient(root, x)) == np.inf
    assert value(tape.gradient(nothing, x)) == 0.0
    assert np.isnan(value(tape.gradient(log, x)))
    assert values([tape.gradient(y, x) for y in (size, relu, square)]) == [0.0, 0.0, 0.0]


def test_stop_gradient():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.stop_gradient(x * x)
        z = y * x
    assert tape.gradient(y, x) is None
    assert value(tape.gradient(z, x)) == 9.0


def test_operations_with_several_outputs():
    x = tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        a, b, c = tf.unstack(x)
        y = a * c
    assert value(tape.gradient(y, x)) == [3.0, 0.0, 1.0]
    assert values(tape.gradient(y, [a, b, c])) == [3.0, None, 1.0]
    assert value(tape.gradient(b, x)) == [0.0, 1.0, 0.0]


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
    with pytest.raises(error):
        with tf.GradientTape() as outer, tf.GradientTape() as tape:
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
