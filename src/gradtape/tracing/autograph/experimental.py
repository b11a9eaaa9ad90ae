"""``tf.autograph.experimental``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from .calls import AS_IS


def do_not_convert(func: Callable[..., Any] | None = None) -> Any:
    """Leave a function, and what it calls, as plain Python inside of converted functions.

    Args:
        func: a function, method or other callable; without it, ``do_not_convert()`` is the decorator.

    Returns:
        The function, marked; for a callable of another sort a function that calls it.

    >>> import gradtape as tf
    >>> @tf.autograph.experimental.do_not_convert
    ... def f(x):
    ...     return x + 1
    """
    if func is None:
        return do_not_convert
    inner = func.__func__ if isinstance(func, MethodType) else func
    if isinstance(inner, FunctionType):
        inner.__dict__[AS_IS] = True
        return func

    def call(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    call.__dict__[AS_IS] = True
    return functools.wraps(func, updated=())(call)


def set_loop_options(
    parallel_iterations: Any = None,
    swap_memory: Any = None,
    maximum_iterations: Any = None,
    shape_invariants: Any = None,
) -> None:
    """Say how the loop whose body begins with this call is to be staged.

    It counts for ``for`` and ``while`` over tensors in a ``tf.function``, and must be the first statement of the loop.
    Loops over Python values, and eager ones, take no heed of it.

    Args:
        parallel_iterations, swap_memory: accepted for TensorFlow's sake.
        maximum_iterations: the most turns to make, an int or scalar integer tensor.
        shape_invariants: a list of pairs ``(variable, shape)``: the shape that a loop variable keeps, where a dimension
            that changes from turn to turn is None. A variable may also be a nest, with a nest of shapes.

    Raises:
        ValueError: a variable does not have the shape that was given for it, before the loop or after a turn.

    >>> import gradtape as tf
    >>> @tf.function
    ... def up_to(n):
    ...     x = tf.zeros([0], tf.int32)
    ...     for i in tf.range(n):
    ...         tf.autograph.experimental.set_loop_options(shape_invariants=[(x, [None])])
    ...         x = tf.concat([x, [i]], 0)
    ...     return x
    >>> up_to(tf.constant(3)).numpy().tolist()
    [0, 1, 2]
    """


def loop_options(
    parallel_iterations: Any = None,
    swap_memory: Any = None,
    maximum_iterations: Any = None,
    shape_invariants: Any = None,
) -> dict[str, Any]:
    """What ``set_loop_options`` was given that matters."""
    return {"maximum_iterations": maximum_iterations, "shape_invariants": shape_invariants}
