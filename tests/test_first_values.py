"""The initializers of ``tf``."""

from __future__ import annotations

import pytest

import gradtape as tf


def test_constants():
    assert tf.zeros_initializer()([2, 1]).numpy().tolist() == [[0.0], [0.0]]
    assert tf.ones_initializer()(tf.TensorShape([2]), tf.int32).dtype == tf.int32
    assert tf.constant_initializer(3)([2], dtype=tf.float64).numpy().tolist() == [3.0, 3.0]
    assert tf.constant_initializer([1.0, 2.0])([1, 2]).numpy().tolist() == [[1.0, 2.0]]
    with pytest.raises((TypeError, ValueError), match="elements"):
        tf.constant_initializer([1, 2, 3])([2, 2])


@pytest.mark.parametrize("make", [tf.random_normal_initializer, tf.random_uniform_initializer])
def test_random_numbers(make):
    tf.random.set_seed(1)
    a, b = make(seed=2)([50]), make(seed=3)([50])
    tf.random.set_seed(1)
    assert (make(seed=2)([50]).numpy() == a.numpy()).all() and (a.numpy() != b.numpy()).any()
    assert 0.01 < float(tf.math.reduce_std(a)) < 0.1
    assert make.from_config(make(0.5, 1.5).get_config()).get_config() == make(0.5, 1.5).get_config()


def test_random_dtypes():
    assert set(tf.random_uniform_initializer(0, 2)([99], tf.int32).numpy().tolist()) == {0, 1}
    with pytest.raises(ValueError, match="expected to be floating point"):
        tf.random_normal_initializer()([2], tf.int32)


def test_first_values_inside_a_function():
    assert tf.function(lambda: tf.random_normal_initializer(1.0, 0.0)([2]) + tf.ones_initializer()([2]))().numpy().tolist() == [2.0, 2.0]  # fmt: skip
