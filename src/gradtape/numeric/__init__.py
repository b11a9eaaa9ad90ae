"""``tf.numeric``: derivatives from values alone, to check the others by and for functions that no tape can follow.

>>> import math
>>> import gradtape as tf
>>> e = tf.numeric.derivative(math.gamma, 2.5, method="richardson", full=True)
>>> abs(e.value - 0.9347345) < 1e-6 and e.error < 1e-9
True

``derivative``, ``gradient``, ``jacobian`` and ``hessian`` take functions of Python numbers, NumPy arrays and tensors, and give what they are given. The
functions of ``textbook`` are the one-line formulas. docs/numeric.md says which method is for what.
"""

from typing import Any as _Any

from .differences import METHODS, Estimate, derivative, gradient, hessian, jacobian
from .textbook import approximate_derivative, approximate_gradient, gradients, hessians


def __getattr__(name: str) -> _Any:
    if name in ("compare", "Comparison"):
        from . import comparison

        return getattr(comparison, name)
    raise AttributeError(f"module 'gradtape.numeric' has no attribute {name!r}")


__all__ = [
    "METHODS", "Comparison", "Estimate", "approximate_derivative", "approximate_gradient", "compare", "derivative", "gradient", "gradients", "hessian",
    "hessians", "jacobian",
]  # fmt: skip
