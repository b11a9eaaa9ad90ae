"""GradientTape.gradient: sources, targets, their nests and dtypes, and what is easy to get wrong. As TensorFlow 2.21 unless the test says otherwise."""

import collections

import numpy as np
import pytest

import gradtape as tf

from .values import value, values

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
    assert (
        value(got["z"]) == 6.0 and values([got["y"][0], *got["y"][1]]) == [3.0, 2.0] and values(got["x"]) == [6.0, 3.0]
    )
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
    with pytest.raises(
        TypeError, match=r"Argument `target` should be a list or nested structure of Tensors, .* but received None"
    ):
        tape.gradient(None, tf.constant(1.0))


@pytest.mark.parametrize("bad", [3.0, "x", np.ones(2)], ids=repr)
def test_sources_must_be_tensors(bad):
    # TensorFlow: AttributeError about an attribute of the float
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = x * x
    with pytest.raises(ValueError, match=r"Passed in object .* not a tf\.Tensor or a tf\.Variable"):
        tape.gradient(y, [x, bad])
    assert value(tape.gradient(y, x)) == 2.0  # nothing was used up


# -- output_gradients and unconnected_gradients --------------------------------------------------------------------------------


def test_output_gradients_weigh_the_targets():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = x * x, x * x * x
    assert value(tape.gradient(y, x, output_gradients=tf.constant([10.0, 100.0]))) == [20.0, 400.0]
    assert value(tape.gradient([y, z], x, output_gradients=[tf.constant([1.0, 0.0]), tf.constant([0.0, 1.0])])) == [
        2.0,
        12.0,
    ]
    assert value(
        tape.gradient(
            {"b": z, "a": y}, x, output_gradients={"a": tf.constant([1.0, 0.0]), "b": tf.constant([0.0, 1.0])}
        )
    ) == [2.0, 12.0]
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


@pytest.mark.parametrize(
    "given", [lambda g: [g], lambda g: [g, g, g], lambda g: [], lambda g: g], ids=["few", "many", "none", "one"]
)
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
    for bad in (tf.constant([1.0, 1.0, 1.0]), tf.constant([1.0, 1.0], tf.float64)):
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


# -- sparse gradients -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tf.Variable, tf.constant], ids=["variable", "tensor"])
def test_the_gradient_of_gather_is_sparse(make):
    table = make([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with tf.GradientTape() as tape:
        tape.watch(table)
        y = tf.reduce_sum(tf.gather(table, [2, 0, 2]) * tf.constant([[1.0], [10.0], [100.0]]))
    g = tape.gradient(y, table)
    assert isinstance(g, tf.IndexedSlices)
    assert values([g.values, g.indices, g.dense_shape]) == [[[1.0] * 2, [10.0] * 2, [100.0] * 2], [2, 0, 2], [3, 2]]
    assert (g.dtype, g.shape) == (tf.float32, [3, 2])
    assert value(tf.convert_to_tensor(g)) == [[10.0, 10.0], [0.0, 0.0], [101.0, 101.0]]


def test_sparse_gradients_stay_sparse_among_themselves_and_become_dense_with_dense_ones():
    v = tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape(persistent=True) as tape:
        a, b = tf.gather(v, [0, 2]), tf.gather(v, [2]) * 10.0
        c = v * 100.0
    both = tape.gradient([a, b], v)
    assert isinstance(both, tf.IndexedSlices)
    assert value(tf.convert_to_tensor(both)) == [1.0, 0.0, 11.0]
    mixed = tape.gradient([a, b, c], v)
    assert not isinstance(mixed, tf.IndexedSlices)
    assert value(mixed) == [101.0, 100.0, 111.0]


def test_a_sparse_gradient_passes_through_what_comes_before():
    v = tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        y = tf.gather(v * v, [1, 1])
    assert value(tape.gradient(y, v)) == [0.0, 8.0, 0.0]


def test_a_sparse_gradient_of_a_variable_of_two_values():
    v = tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        y = tf.gather(v, [0])
        v.assign_add([1.0, 1.0, 1.0])
        z = tf.gather(v, [1])
    assert value(tf.convert_to_tensor(tape.gradient([y, z], v))) == [1.0, 1.0, 0.0]


def test_second_derivative_through_a_sparse_gradient():
    v = tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape(persistent=True) as outer:
        with tf.GradientTape() as inner:
            y = tf.reduce_sum(tf.gather(v, [2, 0]) ** 3)
        g = inner.gradient(y, v)
        dense = tf.convert_to_tensor(g)
        total = tf.reduce_sum(dense * dense)
    assert value(tf.convert_to_tensor(outer.gradient(dense, v))) == [6.0, 0.0, 18.0]
    assert value(tf.convert_to_tensor(outer.gradient(total, v))) == [36.0, 0.0, 36.0 * 27.0]


def test_a_sparse_gradient_as_target():
    # TensorFlow fails here
    v = tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = tf.reduce_sum(tf.gather(v, [2, 0]) ** 3)
        g = inner.gradient(y, v)
    assert value(tf.convert_to_tensor(outer.gradient(g, v))) == [6.0, 0.0, 18.0]


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
