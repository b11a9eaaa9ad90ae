"""Static arguments: shapes, axes and counts, given as ints, lists, arrays or tensors, made canonical.

What has to be known before an operation runs (an axis, a shape, a permutation) is an attribute of its row: a plain int or a
tuple of them. Where a user gives a tensor, its value is taken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..ground.errors import invalid
from ..ground.shapes import TensorShape, dims_text
from .state import state
from .tensor import Tensor, convert
from .variable import Variable

F = TypeVar("F", bound=Callable)


class NoValue(NotImplementedError):
    """A traced tensor was asked for its value, which it has only when the program runs."""


class UnknownDimension(NoValue, ValueError):
    """A shape was asked for a dimension that is not known."""


def sized(f: F) -> F:
    """Mark a public function as one whose static arguments may also be traced tensors.

    Where it needs a value, or a dimension, that is known only when the traced program runs, the whole call waits until then: a ``late`` row
    in the graph calls it again. Where the program is traced again with these known, the row settles into what the function does.
    """

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return f(*args, **kwargs)
        except (NoValue, TypeError) as error:
            if state.trace is None:
                raise
            return state.trace.later(call, args, kwargs, error)

    call.sized = True  # type: ignore[attr-defined]  # a saved model may name it
    return call  # type: ignore[return-value]


def _array(value: Any, what: str) -> np.ndarray:
    """``value`` as an integer array."""
    if isinstance(value, Tensor | Variable):
        a = np.asarray(value)  # a traced tensor says here that it has no value
    elif isinstance(value, TensorShape):
        if not value.is_fully_defined():
            raise UnknownDimension(f"Cannot convert a partially known TensorShape {value} to integers.")
        a = np.asarray(value.as_list(), int)
    elif isinstance(value, list | tuple) and any(isinstance(v, Tensor | Variable) for v in value):
        a = np.asarray([integer(v, what) for v in value])
    else:
        if value is None:
            raise ValueError(f"{what} must be given, but is None.")
        a = np.asarray(value)
        if a.dtype == object and any(v is None for v in a.ravel()):
            raise UnknownDimension(f"{what} must be fully known, but is {value!r}.")
    if a.dtype.kind not in "iub" and a.size:
        raise TypeError(f"{what} must be made of integers, but is {value!r}.")
    return a.astype(int) if a.dtype.kind not in "iu" else a


def _plain(values: Any) -> bool:
    """Whether all of ``values`` are Python ints."""
    return all([type(v) is int for v in values])


def integer(value: Any, what: str) -> int:
    """``value`` as an int.

    Raises:
        TypeError: it is no integer.
        InvalidArgumentError: it holds more than one.
    """
    if type(value) is int:
        return value
    a = _array(value, what)
    if a.size != 1:
        raise invalid(f"{what} must be a single integer, but is {value!r}.")
    return int(a.reshape(()))


def integers(value: Any, what: str) -> tuple[int, ...]:
    """``value``, one integer or any number of them, as a tuple.

    Raises:
        TypeError: it holds something other than integers.
    """
    t = type(value)
    if t is int:
        return (value,)
    if (t is tuple or t is list) and _plain(value):
        return tuple(value)
    return tuple(_array(value, what).ravel().tolist())


def dimensions(value: Any, what: str = "shape", least: int = 0) -> tuple[int, ...]:
    """``value``, a vector or a single dimension, as a shape.

    Args:
        value: ints, a TensorShape or an integer tensor.
        what: its name in messages.
        least: the least number allowed: -1 where an unknown dimension may be written so.

    Raises:
        TypeError: it holds something other than integers.
        ValueError: it holds None.
        InvalidArgumentError: it is no vector, or holds a number below ``least``.
    """
    a = (value,) if type(value) is int else value
    if not (type(a) is tuple or type(a) is list) or not _plain(a):
        a = _array(value, what)
        if a.ndim > 1:
            raise invalid(f"{what} must be a vector of integers, but has shape {dims_text(a.shape)}.")
        a = a.ravel().tolist()
    for d in a:
        if d < least:
            raise invalid(f"Dimension {d} must be >= {least} in {what} {list(a)}.")
    return tuple(a)


def vector(value: Any, what: str) -> tuple[int, ...]:
    """``value`` as a tuple of ints.

    Raises:
        TypeError: it holds something other than integers.
        InvalidArgumentError: it is not one-dimensional.
    """
    t = type(value)
    if (t is tuple or t is list) and _plain(value):
        return tuple(value)
    a = _array(value, what)
    if a.ndim != 1:
        raise invalid(f"{what} must be a vector of integers, but has shape {dims_text(a.shape)}.")
    return tuple(a.tolist())


def alike(values: Any) -> list[Tensor]:
    """Each of ``values`` as a Tensor; those that are none take the dtype of the first that is one, or else of the first, where they can."""
    hint = None
    for v in values:
        if isinstance(v, Tensor) or hasattr(v, "_to_tensor"):
            hint = v.dtype
            break
    out = []
    for v in values:
        t = v if isinstance(v, Tensor) else convert(v, None, hint)
        hint = hint or t._d
        out.append(t)
    return out


def axis_of(value: Any, rank: int, what: str = "axis") -> int:
    """An axis of a tensor of rank ``rank`` as a non-negative int.

    Raises:
        TypeError: it is no integer.
        InvalidArgumentError: it is not in [-rank, rank).
    """
    a = value if type(value) is int else integer(value, what)
    if not -rank <= a < rank:
        raise invalid(
            f"Expected {what} in the range [{-rank}, {rank}), but got {a}: the tensor has {rank} dimension(s)."
        )
    return a + rank if a < 0 else a


def reduction_axes(axis: Any, rank: int) -> tuple[int, ...]:
    """The axes to reduce along, as a sorted tuple of non-negative ints.

    Raises:
        TypeError: ``axis`` holds something other than integers.
        InvalidArgumentError: an axis is out of range or given twice.
    """
    if axis is None:
        return tuple(range(rank))
    if type(axis) is int and -rank <= axis < rank:
        return (axis + rank if axis < 0 else axis,)
    out: list[int] = []
    for a in integers(axis, "axis"):
        if not -rank <= a < rank:
            raise invalid(
                f"Invalid reduction dimension {a} for input with {rank} dimension(s): axis must lie in [{-rank}, {rank})."
            )
        out.append(a + rank if a < 0 else a)
    out.sort()
    for i, a in enumerate(out):
        if a in out[:i]:
            raise invalid(
                f"Invalid reduction arguments: axes contains duplicate dimension: {a}. Each axis may be named once."
            )
    return tuple(out)
