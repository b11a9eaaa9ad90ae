"""``tf.test``: checks of gradients.

>>> import gradtape as tf
>>> theoretical, numerical = tf.test.compute_gradient(lambda x: x * x, [1.0])
>>> theoretical
(array([[2.]], dtype=float32),)
>>> tf.test.check_gradients(tf.sin, [tf.constant(1.0, tf.float64)]).ok
True
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .core.tensor import Tensor, constant, convert
from .gradient.tape import GradientTape
from .ground.errors import invalid
from .numeric.checking import Check, Disagreement, GradientMismatch, GradientReport, check_gradients
from .primitives.indexing import IndexedSlices


def compute_gradient(f: Callable, x: Sequence, delta: float | None = None) -> tuple[tuple, tuple]:
    """The Jacobians of a function by the tape and by central differences, to be compared.

    Complex numbers count as two real ones each. ``check_gradients`` compares for itself, to any order.

    Args:
        f: a function of tensors with one tensor for a result.
        x: a list of its arguments, of floats or complex numbers.
        delta: the step to either side, by default 1/1024.

    Returns:
        Two tuples with a matrix for each argument, the first by the tape, the second by differences; a row for each element of the result, a column for
        each of the argument.

    Raises:
        ValueError: ``x`` is no list, or an argument or the result is not of floats.

    >>> import gradtape as tf
    >>> by_tape, by_differences = tf.test.compute_gradient(lambda x: x ** 3, [tf.constant([1.0, 2.0], tf.float64)])
    >>> by_tape[0].tolist()
    [[3.0, 0.0], [0.0, 12.0]]
    >>> abs(by_tape[0] - by_differences[0]).max() < 1e-5
    np.True_
    """
    if not isinstance(x, list | tuple):
        raise invalid(f"x must be a list or tuple of f's arguments, but is a {type(x).__name__}: put it into [ ].")
    step = 1.0 / 1024 if delta is None else delta
    xs = [convert(v) for v in x]
    y = convert(f(*xs))
    for i, t in enumerate([*xs, y]):
        if not (t.dtype.is_floating or t.dtype.is_complex):
            raise invalid(
                f"{f'argument {i}' if i < len(xs) else 'The result'} is of {t.dtype.name}; gradients are of floats and complex numbers."
            )
    return (
        tuple([_by_tape(f, xs, i, y) for i in range(len(xs))]),
        tuple([_by_differences(f, xs, i, y, step) for i in range(len(xs))]),
    )


def _by_tape(f: Callable, xs: list[Tensor], i: int, y: Tensor) -> np.ndarray:
    x = np.asarray(xs[i])
    with GradientTape(persistent=True) as tape:
        tape.watch(xs[i])
        target = f(*xs)
    parts = _parts(np.zeros(tuple(y.shape), y.dtype.as_numpy_dtype))
    jacobian = np.zeros((parts.size, _parts(x).size), _parts(x).dtype)
    for row in range(parts.size):
        cotangent = np.zeros(tuple(y.shape), y.dtype.as_numpy_dtype)
        _parts(cotangent)[row] = 1
        g = tape.gradient(target, xs[i], output_gradients=constant(cotangent))
        if g is not None:
            jacobian[row] = _parts(
                np.ascontiguousarray(np.asarray(g.to_dense() if isinstance(g, IndexedSlices) else g))
            )
    return jacobian


def _by_differences(f: Callable, xs: list[Tensor], i: int, y: Tensor, step: float) -> np.ndarray:
    moved = np.array(xs[i])
    places = _parts(moved)
    size = _parts(np.zeros(tuple(y.shape), y.dtype.as_numpy_dtype))
    jacobian = np.zeros((size.size, places.size), places.dtype)
    scale = size.dtype.type(2 * step)

    def value(place: int, h: float) -> np.ndarray:
        before = places[place]
        places[place] += h
        at = constant(moved)
        places[place] = before
        return np.asarray(convert(f(*xs[:i], at, *xs[i + 1 :])))

    for column in range(places.size):
        difference = np.asarray((value(column, step) - value(column, -step)) / scale)
        jacobian[:, column] = _parts(np.ascontiguousarray(difference))
    return jacobian


def _parts(a: np.ndarray) -> np.ndarray:
    """A flat view of an array's real numbers: of complex ones the real and imaginary parts in turn."""
    flat = a.reshape(math.prod(a.shape))
    return flat.view(flat.real.dtype) if a.dtype.kind == "c" else flat


def is_built_with_cuda() -> bool:
    """False: gradtape computes on the processor."""
    return False


def is_built_with_rocm() -> bool:
    """False: gradtape computes on the processor."""
    return False


def is_built_with_gpu_support() -> bool:
    """False: gradtape computes on the processor."""
    return False


def is_built_with_xla() -> bool:
    """False: gradtape compiles by itself."""
    return False


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """False: gradtape computes on the processor."""
    return False


def gpu_device_name() -> str:
    """The empty string: there is no such device."""
    return ""


__all__ = [
    "Check", "Disagreement", "GradientMismatch", "GradientReport", "check_gradients", "compute_gradient", "gpu_device_name", "is_built_with_cuda",
    "is_built_with_gpu_support", "is_built_with_rocm", "is_built_with_xla", "is_gpu_available",
]  # fmt: skip
