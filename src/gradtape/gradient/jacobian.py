"""Jacobians and Hessians: one backward pass for a whole batch of cotangents."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.tensor import Tensor, convert
from ..ground import nest
from ..ground.errors import invalid
from ..primitives import structure as st
from ..primitives.indexing import take_one
from .batching import BatchedTensor, new_level, unbatch
from .driver import _dense

if TYPE_CHECKING:
    from .tape import GradientTape, UnconnectedGradients


def _unit_cotangents(t: Tensor, start: int, stop: int) -> Tensor:
    """Rows ``start`` to ``stop`` of the identity, each in the shape of ``t``: shape (stop - start, *t.shape)."""
    size = math.prod(t._shape)
    rows = np.zeros((stop - start, size), t._d.np)
    rows[np.arange(stop - start), np.arange(start, stop)] = 1
    return Tensor(rows.reshape((stop - start, *t._shape)), t._d)


def _batched_gradients(tape: GradientTape, target: Tensor, source_keys: list, cotangents: Tensor) -> list:
    """The gradients of every source for each row of ``cotangents``, the rows in front; None where unconnected."""
    keys = tape._keys_of(target)
    n = cotangents._shape[0]
    with new_level() as level:
        start = dict.fromkeys(keys, BatchedTensor(cotangents, level))
        return [None if g is None else unbatch(_dense(g), n, level) for g in tape._backward(start, source_keys, False)]


def _single_gradients(tape: GradientTape, target: Tensor, source_keys: list, cotangents: Tensor) -> list:
    """The same, by a backward pass for each row."""
    keys = tape._keys_of(target)
    rows = []
    for i in range(cotangents._shape[0]):
        start = dict.fromkeys(keys, take_one(cotangents, 0, i))
        rows.append([_dense(g) for g in tape._backward(start, source_keys, False)])
    return [None if gs[0] is None else st.stack(*gs, axis=0) for gs in zip(*rows, strict=True)]


def jacobian(
    tape: GradientTape,
    target: Any,
    sources: Any,
    unconnected: UnconnectedGradients,
    chunk_size: int | None,
    batched: bool = True,
) -> Any:
    """See ``GradientTape.jacobian``."""
    tape._check_unused("jacobian")
    _check_chunk(chunk_size)
    target = convert(target)
    flat = nest.flatten(sources)
    source_keys = [tape._keys_of(s) for s in flat]
    tape._stop_if_once_only()
    n = math.prod(target._shape)
    step = max(1, n if chunk_size is None else chunk_size)
    pieces: list[list] = []
    if target._d.is_inexact:
        for at in range(0, n, step):
            cotangents = _unit_cotangents(target, at, min(at + step, n))
            pieces.append((_batched_gradients if batched else _single_gradients)(tape, target, source_keys, cotangents))
    tape._spend()
    out = []
    for i, s in enumerate(flat):
        parts = [p[i] for p in pieces]
        shape = target._shape + s._shape
        if not parts or parts[0] is None:
            zero = unconnected.value == "zero" or (n == 0 and bool(source_keys[i]))
            out.append(st.zeros_of(convert(s), shape=shape) if zero else None)
            continue
        whole = parts[0] if len(parts) == 1 else st.concat(*parts, axis=0)
        out.append(st.reshape(whole, shape=shape))
    return nest.pack_sequence_as(sources, out)


def batch_jacobian(
    tape: GradientTape, target: Any, source: Any, unconnected: UnconnectedGradients, chunk_size: int | None
) -> Any:
    """See ``GradientTape.batch_jacobian``."""
    tape._check_unused("batch_jacobian")
    _check_chunk(chunk_size)
    target = convert(target)
    source_shape = source._shape
    if not target._shape or not source_shape or target._shape[0] != source_shape[0]:
        raise ValueError(
            f"Need first dimension of target shape ({target.shape}) and source shape ({source.shape}) to match."
        )
    keys = [tape._keys_of(source)]
    tape._stop_if_once_only()
    batch, *rest = target._shape
    n = math.prod(rest)
    step = max(1, n if chunk_size is None else chunk_size)
    pieces = []
    if target._d.is_inexact:
        for at in range(0, n, step):
            stop = min(at + step, n)
            rows = np.zeros((stop - at, batch, n), target._d.np)
            rows[np.arange(stop - at), :, np.arange(at, stop)] = 1
            cotangents = Tensor(rows.reshape((stop - at, batch, *rest)), target._d)
            pieces.append(_batched_gradients(tape, target, keys, cotangents)[0])
    tape._spend()
    shape = (batch, *rest, *source_shape[1:])
    if not pieces or pieces[0] is None:
        zero = unconnected.value == "zero" or (n == 0 and bool(keys[0]))
        return st.zeros_of(convert(source), shape=shape) if zero else None
    whole = pieces[0] if len(pieces) == 1 else st.concat(*pieces, axis=0)
    rank = len(whole._shape)
    return st.reshape(st.transpose(whole, perm=(1, 0, *range(2, rank))), shape=shape)


def _check_chunk(chunk_size: int | None) -> None:
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        raise invalid(f"chunk_size must be a positive int or None, but is {chunk_size!r}.")


def hessians(
    ys: Any, xs: Any, gate_gradients: bool = False, aggregation_method: Any = None, name: str = "hessians"
) -> Any:
    """The Hessian of a scalar function with respect to each of ``xs``.

    Args:
        ys: a function of the tensors ``xs`` to a scalar. A tensor is refused, as in TensorFlow: outside a tape nothing says how it was made.
        xs: a Tensor, or a list of them.
        gate_gradients, aggregation_method, name: accepted for TensorFlow's sake.

    Returns:
        A list with a Tensor of shape ``x.shape + x.shape`` for each of ``xs``; None where ``ys`` is not twice connected to it.

    Raises:
        RuntimeError: ``ys`` is no function.
        ValueError: its result is no scalar.

    >>> import gradtape as tf
    >>> tf.hessians(lambda x: tf.reduce_sum(x * x * x), tf.constant([1.0, 2.0]))[0].numpy().tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    from .tape import GradientTape

    if not callable(ys):
        raise RuntimeError(
            "tf.hessians of a tensor is not supported when eager execution is enabled: pass the function, tf.hessians(f, xs), or use two tapes:\n"
            "    with tf.GradientTape() as outer:\n        outer.watch(x)\n        with tf.GradientTape() as inner:\n            inner.watch(x)\n            y = f(x)\n"
            "        g = inner.gradient(y, x)\n    h = outer.jacobian(g, x)"
        )
    points = [convert(x) for x in (xs if isinstance(xs, (list, tuple)) else [xs])]
    with GradientTape(persistent=True) as outer:
        outer.watch(points)
        with GradientTape() as inner:
            inner.watch(points)
            y = convert(ys(*points))
        if y._shape != ():
            raise ValueError(f"tf.hessians needs a function with a scalar result, but it has shape {y.shape}.")
        gs = inner.gradient(y, points)
    return [None if g is None else outer.jacobian(_dense(g), x) for g, x in zip(gs, points, strict=True)]
