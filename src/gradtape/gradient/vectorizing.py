"""vmap: a function of single tensors as a function of batches of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.tensor import Tensor, convert
from ..ground import nest
from ..ground.errors import invalid
from ..primitives import structure as st
from .batching import BatchedTensor, new_level, unbatch
from .functions import like


def vmap(f: Callable, in_axes: Any = 0, out_axes: Any = 0, axis_size: int | None = None) -> Callable:
    """``f`` over a batch: one run of the operations' batch rules serves all members.

    Args:
        f: a function of tensors, without Python control flow over their values. Rows without a batch rule are looped over by themselves.
        in_axes: the batch's axis in each argument: a number for all, or a list with one for each. None where an argument serves all members; a nest of numbers
            where the tensors of one argument differ. Keyword arguments have their batch in front.
        out_axes: the batch's axis in the results: a number, None for a result that no member changes, or a nest of them like the result.
        axis_size: how many members there are, where no argument says it.

    Returns:
        A function of batches. It nests with itself and with all derivatives, inside and around ``tf.function``.

    Raises:
        InvalidArgumentError: when called: the arguments' batches differ or there is none, an axis does not exist, or in_axes does not fit the arguments.

    >>> import gradtape as tf
    >>> tf.autodiff.vmap(lambda a, b: tf.tensordot(a, b, 1), in_axes=(0, None))(tf.eye(2), tf.constant([3.0, 4.0])).numpy().tolist()
    [3.0, 4.0]

    The gradient for each member of a batch:

    >>> loss = lambda w, x: tf.reduce_sum((w * x) ** 2)
    >>> tf.autodiff.vmap(tf.autodiff.grad(loss), in_axes=(None, 0))(tf.constant([1.0, 2.0]), tf.eye(2)).numpy().tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        axes = list(in_axes) if isinstance(in_axes, list | tuple) else [in_axes] * len(args)
        if len(axes) != len(args):
            raise invalid(f"in_axes has {len(axes)} entries, but {len(args)} arguments were given by position.")
        sizes: list[int] = [] if axis_size is None else [axis_size]
        moved = [_map_axes(lambda x, k: _to_front(x, k, sizes), a, k) for a, k in zip(args, axes, strict=True)]
        named = {name: _map_axes(lambda x, k: _to_front(x, k, sizes), a, 0) for name, a in kwargs.items()}
        if len({*sizes}) != 1:
            raise invalid(
                f"vmap needs arguments with one batch size, but found {', '.join(map(str, sizes)) or 'no batch'}: in_axes says along which axes it lies."
            )
        n = sizes[0]
        with new_level() as level:
            inside = lambda x, k: x if k is None else BatchedTensor(x, level)
            out = f(
                *[_map_axes(inside, a, k) for a, k in zip(moved, axes, strict=True)],
                **{name: _map_axes(inside, a, 0) for name, a in named.items()},
            )
            return _map_axes(lambda o, k: None if o is None else _from_front(convert(o), k, n, level), out, out_axes)

    return like(f, call)


def _map_axes(g: Callable, x: Any, axes: Any) -> Any:
    """``g(tensor, axis)`` over a nest, with one axis for all or a nest of axes of its (upper) form."""
    if not nest.is_nested(axes):
        return nest.map_structure(lambda v: g(v, axes), x)
    try:
        parts = nest.flatten_up_to(axes, x)
    except (ValueError, KeyError):
        raise invalid(f"The axes {axes!r} do not have the form of what they are for: {x!r}.") from None
    flat = [_map_axes(g, part, k) for part, k in zip(parts, nest.flatten(axes), strict=True)]
    return nest.pack_sequence_as(axes, flat) if type(x) is type(axes) else type(x)(flat)


def _to_front(x: Any, axis: int | None, sizes: list[int]) -> Any:
    if axis is None:
        return x
    x = convert(x)
    rank = len(x._shape)
    if not -rank <= axis < rank:
        raise invalid(f"in_axes names axis {axis} of a tensor of shape {list(x._shape)}.")
    axis %= rank
    sizes.append(x._shape[axis])
    return x if axis == 0 else st.transpose(x, perm=(axis, *[i for i in range(rank) if i != axis]))


def _from_front(o: Tensor, axis: int | None, n: int, level: int) -> Tensor:
    if axis is None:
        if isinstance(o, BatchedTensor) and o._special == level:
            raise invalid("out_axes is None for a result that differs between the members of the batch.")
        return o
    x = unbatch(o, n, level)
    rank = len(x._shape)
    if not -rank <= axis < rank:
        raise invalid(f"out_axes names axis {axis} of a result of shape {list(x._shape)}.")
    axis %= rank
    return x if axis == 0 else st.transpose(x, perm=(*range(1, axis + 1), 0, *range(axis + 1, rank)))
