"""What programs written for graphs say about order, devices and known values. Operations that do something run in the program's order here
anyway, eagerly and in functions, and there is one device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .core.state import state
from .core.tensor import Tensor, convert
from .core.variable import Variable
from .primitives.structure import identity

__all__ = [
    "control_dependencies", "device", "get_static_value", "group", "guarantee_const", "inside_function", "is_symbolic_tensor", "no_op", "tuple",
]  # fmt: skip


@contextmanager
def control_dependencies(control_inputs: Any) -> Iterator[None]:
    """A context whose operations run after ``control_inputs``, as all that come later in a program do.

    Args:
        control_inputs: tensors, or a function, which is called.

    >>> import gradtape as tf
    >>> v = tf.Variable(1.0)
    >>> with tf.control_dependencies([v.assign(2.0)]):
    ...     print(v.numpy())
    2.0
    """
    if callable(control_inputs):
        control_inputs()
    yield


@contextmanager
def device(device_name: Any) -> Iterator[None]:
    """A context whose operations run on a device: whatever is named, the processor.

    Args:
        device_name: its name, or None.

    Raises:
        ValueError: ``device_name`` is no string.

    >>> import gradtape as tf
    >>> with tf.device("/CPU:0"):
    ...     print(tf.add(1, 2).numpy())
    3
    """
    if device_name is not None and not isinstance(device_name, str):
        raise ValueError(f"device_name must be a string, but is {device_name!r}.")
    yield


def group(*inputs: Any, **kwargs: Any) -> None:
    """One operation for several: they have all run.

    >>> import gradtape as tf
    >>> tf.group(tf.constant(1), tf.constant(2))
    """


def no_op(name: str | None = None) -> None:
    """Nothing.

    >>> import gradtape as tf
    >>> tf.no_op()
    """


def tuple(tensors: Any, control_inputs: Any = None, name: str | None = None) -> Any:
    """The tensors, all of which have been calculated.

    >>> import gradtape as tf
    >>> [int(x) for x in tf.tuple([tf.constant(1), tf.constant(2)])]
    [1, 2]
    """
    return tensors


def guarantee_const(input: Any, name: str | None = None) -> Tensor:
    """The tensor itself; what is constant is found anyway.

    >>> import gradtape as tf
    >>> tf.guarantee_const([1, 2]).numpy().tolist()
    [1, 2]
    """
    return identity(convert(input))


def is_symbolic_tensor(tensor: Any) -> bool:
    """Whether this is a tensor that has no value yet, because a function is being traced.

    >>> import gradtape as tf
    >>> tf.is_symbolic_tensor(tf.constant(1))
    False
    """
    return isinstance(tensor, Tensor) and bool(tensor._special)


def inside_function() -> bool:
    """Whether a ``tf.function`` is being traced.

    >>> import gradtape as tf
    >>> tf.inside_function()
    False
    """
    return state.trace is not None


def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The value of a tensor as a NumPy array where it is known while tracing, else None.

    Args:
        tensor: a Tensor, or anything that converts to one.
        partial: ignored: a value is known or not.

    >>> import gradtape as tf
    >>> tf.get_static_value(tf.constant([1, 2])).tolist()
    [1, 2]
    """
    if isinstance(tensor, Variable) or is_symbolic_tensor(tensor):
        return None
    return convert(tensor).numpy()
