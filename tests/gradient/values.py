"""Tensors as Python values, for comparison in tests."""

import gradtape as tf


def value(x):
    """The value of a tensor or variable as Python numbers, in lists; None for None."""
    return None if x is None else tf.convert_to_tensor(x).numpy().tolist()


def values(xs):
    """The ``value`` of each."""
    return [value(x) for x in xs]
