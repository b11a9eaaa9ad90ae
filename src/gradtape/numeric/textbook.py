"""Differences as textbooks write them: one line each, the same to the last digit as when written by hand.

For work that has to be right, ``gradtape.numeric.derivative`` and its like choose the step and estimate the error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def approximate_derivative(f: Callable, x: Any, eps: float = 1e-3) -> Any:
    """(f(x + eps) - f(x - eps)) / (2 eps).

    Args:
        f: a function of one number, or elementwise of an array or tensor.
        x: where.
        eps: the step to either side.

    >>> import gradtape as tf
    >>> print(tf.numeric.approximate_derivative(lambda x: 3. * x ** 2 + 2. * x - 1, 1.))
    7.999999999999119
    """
    return (f(x + eps) - f(x - eps)) / (2 * eps)


def approximate_gradient(g: Callable, *xs: Any, eps: float = 1e-3) -> tuple:
    """The tuple of ``approximate_derivative`` in each argument.

    Args:
        g: a function of as many numbers as are given.
        *xs: where.
        eps: the step to either side.

    >>> import gradtape as tf
    >>> print(tf.numeric.approximate_gradient(lambda x1, x2: (x1 + 5) * (x2 ** 2), 2., 3.))
    (8.999999999993236, 41.999999999994486)
    """
    return tuple(
        [approximate_derivative(lambda x, i=i: g(*xs[:i], x, *xs[i + 1 :]), xs[i], eps) for i in range(len(xs))]
    )


def gradients(func: Callable, vars_list: Sequence, interval: float = 0.0001) -> list:
    """The list of (f(..., x + interval, ...) - f(..., x, ...)) / interval for each of the arguments.

    Args:
        func: a function of as many numbers as ``vars_list`` has.
        vars_list: where. It is not changed.
        interval: the step.

    >>> import gradtape as tf
    >>> print(tf.numeric.gradients(lambda x, y: x * x * y + y + 2, [3, 4]))
    [24.000400000048216, 10.000000000047748]
    """
    xs = list(vars_list)
    value = func(*xs)
    return [(func(*xs[:i], xs[i] + interval, *xs[i + 1 :]) - value) / interval for i in range(len(xs))]


def hessians(func: Callable, vars_list: Sequence, interval: float = 0.0001) -> list[list]:
    """``gradients`` of each element of ``gradients``: [[∂²f/∂x∂x, ∂²f/∂x∂y], [∂²f/∂y∂x, ∂²f/∂y∂y]].

    Args:
        func: a function of as many numbers as ``vars_list`` has.
        vars_list: where.
        interval: the step, of both differences.

    >>> import gradtape as tf
    >>> print(tf.numeric.hessians(lambda x, y: x * x * y + y + 2, [3, 4]))
    [[7.999999951380232, 6.000099261882497], [6.000099261882497, -1.4210854715202004e-06]]
    """
    return [
        gradients(lambda *xs, i=i: gradients(func, xs, interval)[i], vars_list, interval) for i in range(len(vars_list))
    ]
