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
    """Accepted for TensorFlow's sake, and without effect: gradtape's loops need no such hints.

    >>> import gradtape as tf
    >>> tf.autograph.experimental.set_loop_options(maximum_iterations=10)
    """
