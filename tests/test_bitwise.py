"""tf.bitwise against Python's own integers."""

import operator

import numpy as np
import pytest

import gradtape as tf
from gradtape.errors import InvalidArgumentError

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
X, Y = [1, 5, 7, 100], [3, 2, 1, 0]


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize(
    ("f", "op"),
    [
        ("bitwise_and", operator.and_),
        ("bitwise_or", operator.or_),
        ("bitwise_xor", operator.xor),
        ("left_shift", operator.lshift),
        ("right_shift", operator.rshift),
    ],
)
def test_two_inputs(f, op, name):
    got = getattr(tf.bitwise, f)(tf.constant(X, name), tf.constant(Y, name))
    assert got.dtype.name == name
    assert got.numpy().tolist() == [op(x, y) for x, y in zip(X, Y, strict=True)]


@pytest.mark.parametrize("name", INTEGERS)
def test_invert(name):
    bits = (1 << np.iinfo(name).bits) - 1 if name.startswith("u") else -1
    assert tf.bitwise.invert(tf.constant(X, name)).numpy().tolist() == [x ^ bits for x in X]


def test_shifts_keep_the_sign():
    assert tf.bitwise.right_shift([-5, 9], 1).numpy().tolist() == [-3, 4]
    assert tf.bitwise.left_shift([-5, 9], 1).numpy().tolist() == [-10, 18]


@pytest.mark.parametrize("f", ["bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"])
@pytest.mark.parametrize("x", [1.0, True])
def test_only_integers(f, x):
    with pytest.raises(InvalidArgumentError):
        getattr(tf.bitwise, f)(tf.constant([x]), tf.constant([x]))
