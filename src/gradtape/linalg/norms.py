"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..core.arguments import reduction_axes
from ..core.tensor import Tensor, constant, convert
from ..core.variable import Variable
from ..ground.errors import invalid
from ..primitives import decomposition, indexing
from ..primitives import elementwise as ew
from ..primitives import reduction as rd
from ..primitives import structure as st


def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None, name: str | None = None
) -> Any:
    """The norm of vectors or matrices.

    Args:
        tensor: a float or complex Tensor, or anything that converts to one (1 and ``inf`` take integers too).
        ord: for vectors "euclidean" (2), 1, ``np.inf`` or any positive number p, for (Σ|x|ᵖ)^(1/p); for matrices "euclidean" or
            "fro", 1 (the largest column sum), ``np.inf`` (the largest row sum) or 2 (the largest singular value).
        axis: None: the norm of all elements as one vector; an int: vectors along that axis; two ints: matrices in those axes.
        keepdims: keep the reduced dimensions, with length 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the dtype of ``tensor``; for complex ones and an ``ord`` other than "euclidean", "fro" and 2 the real one.

    Raises:
        ValueError: an unknown ``ord``, or ``axis`` is neither None nor one or two ints.
        InvalidArgumentError: an axis is out of range.

    At 0 the gradient of the Euclidean and of the p-norms is NaN, as in TensorFlow.

    >>> import gradtape as tf
    >>> tf.norm([3.0, 4.0]).numpy()
    np.float32(5.0)
    """
    x = convert(tensor)
    if isinstance(axis, Tensor | Variable):
        axis = axis.numpy().tolist()
    if isinstance(axis, tuple | list):
        if len(axis) != 2 or axis[0] == axis[1]:
            raise ValueError(f"'axis' must be None, an integer, or a tuple of 2 unique integers, got {axis}")
        if ord not in ("euclidean", "fro", 1, 2, math.inf):
            raise ValueError(f"'ord' must be a supported matrix norm in ['euclidean', 'fro', 1, 2, inf], got {ord}")
    elif (ord != "euclidean") if isinstance(ord, str) else not ord > 0:
        raise ValueError(f"'ord' must be a supported vector norm, got {ord}")
    if not x._d.is_inexact and ord not in (1, math.inf):
        raise invalid(
            f"The norm with ord={ord!r} is defined for float and complex tensors, but tensor is {x._d.name}: convert it with tf.cast."
        )
    rank = len(x._shape)
    axes = reduction_axes(axis, rank)
    if ord == 2 and isinstance(axis, tuple | list):
        out = _largest_singular_value(x, *(reduction_axes(a, rank)[0] for a in axis))
    elif ord in ("euclidean", "fro", 2):
        out = ew.sqrt(rd.sum(x * ew.conj(x) if x._d.is_complex else ew.square(x), axis=axes, keepdims=True))
    elif isinstance(axis, tuple | list) and ord in (1, math.inf):
        rows, columns = (reduction_axes(a, rank) for a in axis)
        summed, largest = (rows, columns) if ord == 1 else (columns, rows)
        out = rd.max(rd.sum(ew.abs(x), axis=summed, keepdims=True), axis=largest, keepdims=True)
    elif ord == 1:
        out = rd.sum(ew.abs(x), axis=axes, keepdims=True)
    elif ord == math.inf:
        out = rd.max(ew.abs(x), axis=axes, keepdims=True)
    else:
        out = rd.sum(ew.abs(x) ** ord, axis=axes, keepdims=True) ** (1.0 / ord)
    return out if keepdims else st.reshape(out, shape=tuple(d for i, d in enumerate(out._shape) if i not in axes))


def _largest_singular_value(x: Tensor, row: int, column: int) -> Any:
    """The spectral norms of the matrices in two axes, which are kept at length 1."""
    others = [i for i in range(len(x._shape)) if i not in (row, column)]
    values = decomposition.singular_values(st.transpose(x, perm=(*others, row, column)))
    largest = rd.max(values, axis=(len(others),), keepdims=False)
    return st.reshape(largest, shape=tuple(1 if i in (row, column) else d for i, d in enumerate(x._shape)))


def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None) -> tuple[Any, Any]:
    """``tensor`` divided by its norm, and the norm.

    Args:
        tensor: a float or complex Tensor, or anything that converts to one.
        ord, axis: as for ``norm``.
        name: ignored, for TensorFlow's sake.

    Returns:
        The quotient, of the shape of ``tensor``, and the norm with its reduced dimensions kept at length 1.

    Raises:
        As ``norm``.

    >>> import gradtape as tf
    >>> unit, length = tf.linalg.normalize(tf.constant([3.0, 4.0]))
    >>> unit.numpy().tolist(), length.numpy().tolist()
    ([0.6000000238418579, 0.800000011920929], [5.0])
    """
    x = convert(tensor)
    length = norm(x, ord, axis, keepdims=True)
    return x / st.cast(length, x._d), length


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Any:
    """``x`` divided by its Euclidean norm, x / sqrt(max(Σ|x|², epsilon)): defined, and differentiable, at 0 too.

    Args:
        x: a float or complex Tensor, or anything that converts to one.
        axis: the axis or axes along which to normalize; None for all.
        epsilon: the least squared norm to divide by.
        name: ignored, for TensorFlow's sake.
        dim: the old name of ``axis``.

    Returns:
        A Tensor of the shape and dtype of ``x``.

    Raises:
        InvalidArgumentError: an axis is out of range, or ``x`` is of integers.
        ValueError: both ``axis`` and ``dim``.

    >>> import gradtape as tf
    >>> tf.math.l2_normalize([3.0, 4.0]).numpy().tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    if dim is not None:
        if axis is not None:
            raise ValueError("Cannot specify both 'axis' and 'dim'.")
        axis = dim
    x = convert(x)
    if not x._d.is_inexact:
        raise invalid(
            f"l2_normalize is defined for float and complex tensors, but x is {x._d.name}: convert it with tf.cast."
        )
    axes = reduction_axes(axis, len(x._shape))
    squares = ew.square(ew.real(x)) + ew.square(ew.imag(x)) if x._d.is_complex else ew.square(x)
    total = rd.sum(squares, axis=axes, keepdims=True)
    return x * st.cast(ew.rsqrt(ew.maximum(total, convert(epsilon, total._d))), x._d)


def global_norm(t_list: Sequence[Any], name: str | None = None) -> Any:
    """The Euclidean norm of several tensors taken together: sqrt(Σ norm(t)²).

    Args:
        t_list: a list or tuple of float Tensors, Variables, IndexedSlices (of which the given rows count) and Nones, which are passed over.
        name: ignored, for TensorFlow's sake.

    Returns:
        A scalar Tensor; float32 where nothing is given.

    Raises:
        TypeError: ``t_list`` is no list or tuple.
        InvalidArgumentError: the tensors have different dtypes, or none that is a float.

    >>> import gradtape as tf
    >>> tf.linalg.global_norm([tf.constant([3.0]), None, tf.constant([[4.0]])]).numpy()
    np.float32(5.0)
    """
    if not isinstance(t_list, Sequence) or isinstance(t_list, str):
        raise TypeError(f"`t_list` should be a sequence of tensors. Received {type(t_list)}.")
    given = [convert(t.values if isinstance(t, indexing.IndexedSlices) else t) for t in t_list if t is not None]
    for t in given:
        if not t._d.is_floating or t._d is not given[0]._d:
            raise invalid(
                f"global_norm needs float tensors of one dtype, but was given {', '.join(t._d.name for t in given)}."
            )
    if not given:
        return constant(0.0)
    parts = [rd.sum(ew.square(t), axis=tuple(range(len(t._shape))), keepdims=False) for t in given]
    return ew.sqrt(rd.sum(st.stack(*parts, axis=0), axis=(0,), keepdims=False))
