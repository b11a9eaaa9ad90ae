"""Static arguments from anything that holds integers."""

import numpy as np
import pytest

import gradtape as tf
from gradtape.core.arguments import alike, axis_of, dimensions, integer, integers, reduction_axes, vector
from gradtape.ground.errors import InvalidArgumentError

ONE = [
    3,
    np.int64(3),
    np.int8(3),
    np.array(3),
    np.array([3]),
    tf.constant(3),
    tf.constant([3], tf.int64),
    tf.Variable(3),
]
TWO = [
    [2, 3],
    (2, 3),
    range(2, 4),
    np.array([2, 3]),
    [np.int64(2), 3],
    tf.constant([2, 3]),
    tf.Variable([2, 3]),
    [tf.constant(2), 3],
    tf.TensorShape([2, 3]),
]


@pytest.mark.parametrize("value", ONE, ids=repr)
def test_one(value):
    got = integer(value, "n")
    assert type(got) is int and got == 3
    assert integers(value, "n") == (3,)
    assert dimensions(value) == (3,)
    assert reduction_axes(value, 4) == (3,)
    assert axis_of(value, 4) == 3


@pytest.mark.parametrize("value", TWO, ids=repr)
def test_two(value):
    for f in (integers, vector, dimensions):
        got = f(value, "n")
        assert got == (2, 3) and all(type(v) is int for v in got)
    assert reduction_axes(value, 4) == (2, 3)
    with pytest.raises(InvalidArgumentError):
        integer(value, "n")


@pytest.mark.parametrize("value", [[], (), np.zeros(0, int), tf.constant([], tf.int32), tf.TensorShape([])], ids=repr)
def test_none_at_all(value):
    for f in (integers, vector, dimensions):
        assert f(value, "n") == ()
    assert reduction_axes(value, 2) == ()


@pytest.mark.parametrize("value", [1.5, "a", [1.0, 2.0], np.array([1.0]), tf.constant(1.0), ["a"]], ids=repr)
def test_other_things_are_type_errors_that_name_the_argument(value):
    for f in (integer, integers, dimensions):
        with pytest.raises(TypeError, match="the number"):
            f(value, "the number")


@pytest.mark.parametrize("value", [None, [None, 2], tf.TensorShape([None])], ids=repr)
def test_unknown_numbers_are_value_errors(value):
    for f in (integers, dimensions, vector):
        with pytest.raises(ValueError):
            f(value, "n")


def test_dimensions_have_a_least():
    assert dimensions([-1, 2], least=-1) == (-1, 2)
    with pytest.raises(InvalidArgumentError, match="Dimension -1 must be >= 0"):
        dimensions([2, -1])
    with pytest.raises(InvalidArgumentError, match="Dimension -2"):
        dimensions([-2], least=-1)
    with pytest.raises(InvalidArgumentError, match="vector"):
        dimensions([[2]])
    with pytest.raises(InvalidArgumentError, match="vector"):
        vector(2, "n")


def test_axes():
    assert [axis_of(a, 3) for a in (0, 2, -1, -3)] == [0, 2, 2, 0]
    for a in (3, -4):
        with pytest.raises(InvalidArgumentError, match=rf"in the range \[-3, 3\), but got {a}"):
            axis_of(a, 3)
    with pytest.raises(InvalidArgumentError):
        axis_of(0, 0)
    assert reduction_axes(None, 3) == (0, 1, 2)
    assert reduction_axes([-1, 0], 3) == (0, 2)
    assert reduction_axes([[0]], 2) == (0,)
    with pytest.raises(InvalidArgumentError, match=r"Invalid reduction dimension 2 for input with 2 dimension"):
        reduction_axes(2, 2)
    with pytest.raises(InvalidArgumentError, match="duplicate dimension: 0"):
        reduction_axes([0, -2], 2)
    with pytest.raises(InvalidArgumentError, match="Invalid reduction dimension 0 for input with 0"):
        reduction_axes(0, 0)


def test_alike():
    """What is no tensor takes the dtype of the first tensor, or else of the first value."""
    assert [t.dtype.name for t in alike([1, tf.constant(2.0), 3])] == ["float32"] * 3
    assert [t.dtype.name for t in alike([tf.Variable(1.0, dtype=tf.float64), 3])] == ["float64"] * 2
    assert [t.dtype.name for t in alike([np.float64(1), 2])] == ["float64"] * 2
    assert [t.dtype.name for t in alike([1, 2.5])] == ["int32", "float32"]
    assert alike([]) == []


def test_a_traced_tensor_is_no_static_argument():
    """It has no value yet; what it says names the tensor."""

    class NoValue(tf.Tensor):
        def __array__(self, dtype=None, copy=None):
            raise NotImplementedError("no value")

    x = NoValue(np.int32(1), tf.int32)
    for f in (integer, integers, dimensions):
        with pytest.raises(NotImplementedError):
            f(x, "n")
