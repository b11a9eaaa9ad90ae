"""``tf.linalg``: products of matrices, their diagonals and bands, norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .core.arguments import dimensions, integer, integers, reduction_axes
from .core.products import einsum, matmul, matvec, tensordot
from .core.tensor import Tensor, constant, convert
from .core.variable import Variable
from .ground.dtypes import DType, as_dtype, bool_, float32
from .ground.errors import FailedPreconditionError, UnimplementedError, invalid, user_line
from .ground.shapes import dims_text
from .primitives import elementwise as ew
from .primitives import indexing
from .primitives import reduction as rd
from .primitives import structure as st

__all__ = [
    "adjoint", "band_part", "cross", "diag", "diag_part", "einsum", "eye", "global_norm", "l2_normalize", "matmul", "matrix_transpose",
    "matvec", "norm", "normalize", "set_diag", "tensor_diag", "tensor_diag_part", "tensordot", "trace",
]  # fmt: skip


def _two(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """``a`` and ``b`` as tensors of one dtype; InvalidArgumentError where they have two."""
    hint = next((v.dtype for v in (a, b) if isinstance(v, Tensor | Variable)), None)
    x = convert(a, None, hint)
    y = convert(b, None, x._d)
    if x._d is not y._d:
        raise invalid(
            f"cannot compute {op} as input #1(zero-based) was expected to be a {x._d.name} tensor but is a {y._d.name} tensor: convert one with tf.cast."
        )
    return x, y


# -- norms ---------------------------------------------------------------------------------------------------------------


def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None, name: str | None = None
) -> Any:
    """The norm of vectors or matrices.

    Args:
        tensor: a float or complex Tensor, or anything that converts to one (1 and ``inf`` take integers too).
        ord: for vectors "euclidean" (2), 1, ``np.inf`` or any positive number p, for (Σ|x|ᵖ)^(1/p); for matrices "euclidean" or
            "fro", 1 (the largest column sum) or ``np.inf`` (the largest row sum).
        axis: None: the norm of all elements as one vector; an int: vectors along that axis; two ints: matrices in those axes.
        keepdims: keep the reduced dimensions, with length 1.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the dtype of ``tensor``; for complex ones and an ``ord`` other than "euclidean", "fro" and 2 the real one.

    Raises:
        ValueError: an unknown ``ord``, or ``axis`` is neither None nor one or two ints.
        UnimplementedError: ``ord=2`` for matrices, which needs singular values.
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
        if ord == 2:
            raise UnimplementedError(
                f"The spectral norm of a matrix (ord=2) needs singular values, which gradtape does not have yet.{user_line()}"
            )
    elif (ord != "euclidean") if isinstance(ord, str) else not ord > 0:
        raise ValueError(f"'ord' must be a supported vector norm, got {ord}")
    if not x._d.is_inexact and ord not in (1, math.inf):
        raise invalid(
            f"The norm with ord={ord!r} is defined for float and complex tensors, but tensor is {x._d.name}: convert it with tf.cast."
        )
    rank = len(x._shape)
    axes = reduction_axes(axis, rank)
    if ord in ("euclidean", "fro", 2):
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


# -- matrices as a whole ---------------------------------------------------------------------------------------------------


def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = float32, name: str | None = None
) -> Any:
    """The identity matrix, or a batch of them: ones on the diagonal, zeros elsewhere.

    Args:
        num_rows: the number of rows, at least 0.
        num_columns: the number of columns; as many as rows by default.
        batch_shape: dimensions to put in front.
        dtype: the dtype of the elements.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``(*batch_shape, num_rows, num_columns)``.

    Raises:
        InvalidArgumentError: a dimension is negative.
        TypeError: a dimension is no integer.

    >>> import gradtape as tf
    >>> tf.eye(2).numpy().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    rows = integer(num_rows, "num_rows")
    size = (rows, rows if num_columns is None else integer(num_columns, "num_columns"))
    d = as_dtype(dtype)
    if not d.is_numeric and d is not bool_:
        raise TypeError(f"eye has no {d.name} matrices: the dtype must be a number type or bool.")
    shape = dimensions((*(() if batch_shape is None else integers(batch_shape, "batch_shape")), *size))
    a = np.zeros(shape, d.np)
    i = np.arange(min(size))
    a[..., i, i] = 1
    return Tensor(a, d)


def matrix_transpose(a: Any, name: str = "matrix_transpose", conjugate: bool = False) -> Any:
    """The last two dimensions exchanged.

    Args:
        a: a Tensor of rank 2 at least, or anything that converts to one.
        name: ignored, for TensorFlow's sake.
        conjugate: take the complex conjugate too.

    Returns:
        A Tensor of shape (..., n, m).

    Raises:
        ValueError: the rank is below 2.

    >>> import gradtape as tf
    >>> tf.linalg.matrix_transpose([[1, 2], [3, 4]]).numpy().tolist()
    [[1, 3], [2, 4]]
    """
    x = convert(a)
    n = len(x._shape)
    if n < 2:
        raise ValueError(
            f"Argument `a` should be a (batch) matrix with rank >= 2.  Received `a` = {a} with shape: {x._shape}"
        )
    out = st.transpose(x, perm=(*range(n - 2), n - 1, n - 2))
    return ew.conj(out) if conjugate and x._d.is_complex else out


def adjoint(matrix: Any, name: str | None = None) -> Any:
    """The conjugate transpose of a matrix, or of each matrix of a batch.

    Args:
        matrix: a Tensor of rank 2 at least, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, m).

    Raises:
        ValueError: the rank is below 2.

    >>> import gradtape as tf
    >>> tf.linalg.adjoint([[1 + 2j, 3]]).numpy().tolist()
    [[(1-2j)], [(3-0j)]]
    """
    return matrix_transpose(matrix, conjugate=True)


def trace(x: Any, name: str | None = None) -> Any:
    """The sum of the main diagonal of a matrix, or of each matrix of a batch.

    Args:
        x: a Tensor of rank 2 at least, or anything that converts to one; any number type.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (...,).

    Raises:
        InvalidArgumentError: the rank is below 2.

    >>> import gradtape as tf
    >>> tf.linalg.trace([[1.0, 2.0], [3.0, 4.0]]).numpy()
    np.float32(5.0)
    """
    d = diag_part(x)
    return rd.sum(d, axis=(len(d._shape) - 1,), keepdims=False)


def cross(a: Any, b: Any, name: str | None = None) -> Any:
    """The cross product of vectors in three dimensions, along the last axis.

    Args:
        a: a Tensor of shape (..., 3), or anything that converts to one; any number type.
        b: a Tensor of the same shape and dtype.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape.

    Raises:
        InvalidArgumentError: the shapes or dtypes differ, or are those of scalars.
        FailedPreconditionError: the last dimension is not 3.

    >>> import gradtape as tf
    >>> tf.linalg.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]).numpy().tolist()
    [0.0, 0.0, 1.0]
    """
    x, y = _two("Cross", a, b)
    if x._shape != y._shape:
        raise invalid(f"Both inputs must be of same shape: {dims_text(x._shape)} vs. {dims_text(y._shape)}")
    if not x._shape:
        raise invalid("Input must be at least 1D: the cross product of scalars is not defined.")
    if x._shape[-1] != 3:
        raise FailedPreconditionError(
            f"Cross-products are only defined for 3-element vectors, but the shape is {dims_text(x._shape)}.{user_line()}"
        )
    turn = lambda v, k: st.roll(v, shift=(-k,), axis=(len(v._shape) - 1,))
    return turn(x, 1) * turn(y, 2) - turn(x, 2) * turn(y, 1)


# -- diagonals and bands -----------------------------------------------------------------------------------------------------
# A diagonal is a strided slice of the flattened matrix: element j of diagonal k of a matrix with n columns stands at
# (k if k >= 0 else -k n) + j (n + 1). So reading and laying are the rows strided_slice and unslice.

_ALIGN = ("LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT")


def _diagonals(k: Any, align: str) -> tuple[int, int]:
    """The lowest and the highest diagonal that ``k`` names."""
    ks = integers(k, "k")
    if not 1 <= len(ks) <= 2:
        raise invalid(f"diag_index must have only one or two elements, received {len(ks)} elements.")
    if ks[0] > ks[-1]:
        raise invalid(f"lower_diag_index must not be larger than upper_diag_index: {ks[0]} > {ks[-1]}")
    if align not in _ALIGN:
        raise invalid(f"align must be one of {', '.join(_ALIGN)}, but is {align!r}.")
    return ks[0], ks[-1]


def _length(k: int, m: int, n: int) -> int:
    """The length of diagonal ``k`` of an (m, n) matrix."""
    return min(m + min(k, 0), n - max(k, 0))


def _longest(low: int, high: int, m: int, n: int) -> int:
    """The length of the longest of the diagonals from ``low`` to ``high``."""
    return min(m + min(high, 0), n - max(low, 0))


def _check_diagonals(x: Tensor, low: int, high: int) -> None:
    """InvalidArgumentError unless ``x`` holds matrices that have diagonals ``low`` and ``high``."""
    if len(x._shape) < 2:
        raise invalid(f"input must be at least 2-dim, received shape: {dims_text(x._shape)}")
    _check_within(low, high, *x._shape[-2:])


def _check_within(low: int, high: int, m: int, n: int) -> None:
    """InvalidArgumentError unless (m, n) matrices have diagonals ``low`` and ``high``."""
    for which, k in (("lower", low), ("upper", high)):
        if not -m < k < n and k != 0:
            raise invalid(
                f"{which}_diag_index is out of bound: {k}. It must be between {-m} and {n}, both exclusive, for matrices of shape {dims_text((m, n))}."
            )


def _places(k: int, m: int, n: int, rank: int) -> tuple[slice, ...]:
    """The index of diagonal ``k`` in a tensor of rank ``rank`` whose last dimension is a flattened (m, n) matrix."""
    start, length = (k if k >= 0 else -k * n), _length(k, m, n)
    return (slice(None),) * (rank - 1) + (slice(start, start + (length - 1) * (n + 1) + 1 if length else start, n + 1),)


def _offset(k: int, length: int, longest: int, align: str) -> int:
    """Where a diagonal starts in a row that is long enough for the longest."""
    over, under = align.split("_")
    left = (k >= 0 and over == "LEFT") or (k <= 0 and under == "LEFT")
    return 0 if left else longest - length


def _lay(diagonals: Tensor, low: int, high: int, m: int, n: int, align: str) -> Tensor:
    """(..., m, n) matrices that are zero but for these diagonals: (..., longest), or (..., high - low + 1, longest) for several."""
    if low == high:
        batch = diagonals._shape[:-1]
        out = indexing.unslice(diagonals, shape=(*batch, m * n), index=_places(low, m, n, len(batch) + 1))
    else:
        batch = diagonals._shape[:-2]
        rank = len(batch) + 1
        longest = _longest(low, high, m, n)
        parts = []
        for k in range(low, high + 1):
            at = _offset(k, _length(k, m, n), longest, align)
            row = (slice(None),) * len(batch) + (high - k, slice(at, at + _length(k, m, n), 1))
            parts.append(
                indexing.unslice(
                    indexing.strided_slice(diagonals, index=row), shape=(*batch, m * n), index=_places(k, m, n, rank)
                )
            )
        out = parts[0]
        for part in parts[1:]:
            out = out + part
    return st.reshape(out, shape=(*batch, m, n))


def _within(low: int, high: int, m: int, n: int) -> Tensor:
    """Where in an (m, n) matrix the diagonals ``low`` to ``high`` are."""
    k = np.arange(n) - np.arange(m)[:, None]
    return Tensor((low <= k) & (k <= high), bool_)


def _padding(value: Any, d: DType) -> Any:
    """The padding value as a scalar tensor of the dtype; TypeError where it does not fit."""
    t = convert(value, d)
    if t._shape:
        raise invalid(f"padding_value must be a scalar, but has shape {dims_text(t._shape)}.")
    return t


def diag_part(
    input: Any, name: str = "diag_part", k: Any = 0, padding_value: Any = 0, align: str = "RIGHT_LEFT"
) -> Any:
    """One diagonal of a matrix or of each matrix of a batch, or several.

    Args:
        input: a Tensor of shape (..., m, n), or anything that converts to one.
        name: ignored, for TensorFlow's sake.
        k: which diagonal: 0 the main one, positive above it, negative below; or a pair (lowest, highest).
        padding_value: what fills up the shorter diagonals where there are several.
        align: on which side they are written, above and below the main one: "RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT" or "RIGHT_RIGHT".

    Returns:
        A Tensor of shape (..., length), or for a pair (..., highest - lowest + 1, length of the longest), the highest first.

    Raises:
        InvalidArgumentError: the rank is below 2, there is no such diagonal, or ``align`` is unknown.
        TypeError: ``k`` is not made of integers, or ``padding_value`` does not fit the dtype.

    >>> import gradtape as tf
    >>> tf.linalg.diag_part([[1, 2, 3], [4, 5, 6]]).numpy().tolist()
    [1, 5]
    >>> tf.linalg.diag_part([[1, 2, 3], [4, 5, 6]], k=(-1, 0)).numpy().tolist()
    [[1, 5], [4, 0]]
    """
    x = convert(input)
    low, high = _diagonals(k, align)
    _check_diagonals(x, low, high)
    *batch, m, n = x._shape
    flat = st.reshape(x, shape=(*batch, m * n))
    if low == high:
        return indexing.strided_slice(flat, index=_places(low, m, n, len(batch) + 1))
    longest = _longest(low, high, m, n)
    value = _padding(padding_value, x._d)._a
    rows = []
    for d in range(high, low - 1, -1):
        row = indexing.strided_slice(flat, index=_places(d, m, n, len(batch) + 1))
        at, short = _offset(d, _length(d, m, n), longest, align), longest - _length(d, m, n)
        rows.append(st.pad(row, paddings=((0, 0),) * len(batch) + ((at, short - at),), value=value) if short else row)
    return st.stack(*rows, axis=len(batch))


def diag(
    diagonal: Any,
    name: str = "diag",
    k: Any = 0,
    num_rows: Any = -1,
    num_cols: Any = -1,
    padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Any:
    """A matrix with given diagonals, or a batch of them.

    Args:
        diagonal: a Tensor of shape (..., length), or (..., number of diagonals, length of the longest) where ``k`` is a pair.
        name: ignored, for TensorFlow's sake.
        k: which diagonal: 0 the main one, positive above it, negative below; or a pair (lowest, highest).
        num_rows, num_cols: the size of the matrix; -1: as small as it can be, and square where both are -1.
        padding_value: what stands elsewhere.
        align: on which side the shorter diagonals are written, as for ``diag_part``.

    Returns:
        A Tensor of shape (..., rows, columns).

    Raises:
        InvalidArgumentError: ``diagonal`` is a scalar or has another number of diagonals than ``k``, or the size does not fit.
        TypeError: ``k`` is not made of integers, or ``padding_value`` does not fit the dtype.

    >>> import gradtape as tf
    >>> tf.linalg.diag([1, 2], k=1).numpy().tolist()
    [[0, 1, 0], [0, 0, 2], [0, 0, 0]]
    """
    x = convert(diagonal)
    low, high = _diagonals(k, align)
    several = low != high
    if len(x._shape) < 1 + several:
        raise invalid(f"diagonal must be at least {1 + several}-dim, received shape: {dims_text(x._shape)}")
    if several and x._shape[-2] != high - low + 1:
        raise invalid(
            f"The number of diagonals provided in the input does not match the range of k: {dims_text(x._shape)} has {x._shape[-2]}, but k names {high - low + 1}."
        )
    m, n = _matrix_size(x._shape[-1], low, high, integer(num_rows, "num_rows"), integer(num_cols, "num_cols"))
    _check_within(low, high, m, n)
    fill = _padding(padding_value, x._d)
    out = _lay(x, low, high, m, n, align)
    return out if not fill._a else ew.select(_within(low, high, m, n), out, fill)


def _matrix_size(longest: int, low: int, high: int, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of the matrix whose diagonals ``low`` to ``high`` have at most ``longest`` elements."""
    least_rows, least_columns = longest - min(high, 0), longest + max(low, 0)
    if rows == -1 and columns == -1:
        rows = columns = max(least_rows, least_columns)
    rows, columns = (least_rows if rows == -1 else rows), (least_columns if columns == -1 else columns)
    for what, given, least in (("rows", rows, least_rows), ("columns", columns, least_columns)):
        if given < least:
            raise invalid(f"The number of {what} is too small: the diagonals need {least}, but it is {given}.")
    if rows != least_rows and columns != least_columns:
        raise invalid(
            f"The number of rows or columns is not consistent with the specified k and diagonal: a matrix of shape {dims_text((rows, columns))} has longer diagonals than {longest}."
        )
    return rows, columns


def set_diag(input: Any, diagonal: Any, name: str = "set_diag", k: Any = 0, align: str = "RIGHT_LEFT") -> Any:
    """A matrix, or a batch of them, with diagonals replaced.

    Args:
        input: a Tensor of shape (..., m, n), or anything that converts to one.
        diagonal: a Tensor of the same dtype and of the shape that ``diag_part(input, k=k)`` has.
        name: ignored, for TensorFlow's sake.
        k: which diagonal: 0 the main one, positive above it, negative below; or a pair (lowest, highest).
        align: on which side the shorter diagonals are written, as for ``diag_part``.

    Returns:
        A Tensor of the shape of ``input``.

    Raises:
        InvalidArgumentError: the shapes do not fit, there is no such diagonal, or the dtypes differ.

    >>> import gradtape as tf
    >>> tf.linalg.set_diag([[1, 2], [3, 4]], [8, 9]).numpy().tolist()
    [[8, 2], [3, 9]]
    """
    x, new = _two("MatrixSetDiagV3", convert(input), diagonal)
    low, high = _diagonals(k, align)
    _check_diagonals(x, low, high)
    *batch, m, n = x._shape
    want = (*batch, *((high - low + 1,) if low != high else ()), _longest(low, high, m, n))
    if new._shape != want:
        raise invalid(
            f"The diagonals of an input of shape {dims_text(x._shape)} in range [{low}:{high}] have shape {dims_text(want)}, but diagonal has shape {dims_text(new._shape)}."
        )
    return ew.select(_within(low, high, m, n), _lay(new, low, high, m, n, align), x)


def band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Any:
    """A matrix, or a batch of them, with zeros outside a band about the main diagonal.

    Args:
        input: a Tensor of shape (..., m, n), or anything that converts to one.
        num_lower: how many diagonals below the main one to keep; negative: all of them.
        num_upper: how many above it.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``input``.

    Raises:
        InvalidArgumentError: the rank is below 2, or there are fewer diagonals.
        TypeError: a number is no integer.

    >>> import gradtape as tf
    >>> tf.linalg.band_part([[1, 2], [3, 4]], -1, 0).numpy().tolist()
    [[1, 0], [3, 4]]
    """
    x = convert(input)
    if len(x._shape) < 2:
        raise invalid(f"input must be at least 2-dim, received shape: {dims_text(x._shape)}")
    m, n = x._shape[-2:]
    lower, upper = integer(num_lower, "num_lower"), integer(num_upper, "num_upper")
    for name, given, most, what in (("num_lower", lower, m, "rows"), ("num_upper", upper, n, "columns")):
        if given > most:
            raise invalid(f"{name} must be negative or less or equal to number of {what} ({most}) got: {given}")
    band = _within(-m if lower < 0 else -lower, n if upper < 0 else upper, m, n)
    return ew.select(band, x, st.zeros_like(x))


def tensor_diag(diagonal: Any, name: str | None = None) -> Any:
    """A tensor with given elements where all indices of its first half equal those of its second, and zeros elsewhere.

    Args:
        diagonal: a Tensor of rank 1 at least, or anything that converts to one; any number type.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``diagonal.shape + diagonal.shape``.

    Raises:
        InvalidArgumentError: ``diagonal`` is a scalar.

    >>> import gradtape as tf
    >>> tf.linalg.tensor_diag([1, 2]).numpy().tolist()
    [[1, 0], [0, 2]]
    """
    x = convert(diagonal)
    if not x._shape:
        raise invalid("Input must be at least rank 1, got 0: tensor_diag needs the elements of a diagonal.")
    n = math.prod(x._shape)
    return st.reshape(_lay(st.reshape(x, shape=(n,)), 0, 0, n, n, "RIGHT_LEFT"), shape=x._shape * 2)


def tensor_diag_part(input: Any, name: str | None = None) -> Any:
    """The elements where all indices of the first half equal those of the second: the inverse of ``tensor_diag``.

    Args:
        input: a Tensor whose shape is some shape twice over, or anything that converts to one; any number type.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of half the rank.

    Raises:
        InvalidArgumentError: the shape is not some shape twice over.

    >>> import gradtape as tf
    >>> tf.linalg.tensor_diag_part([[1, 2], [3, 4]]).numpy().tolist()
    [1, 4]
    """
    x = convert(input)
    half = x._shape[: len(x._shape) // 2]
    if not half or half * 2 != x._shape:
        raise invalid(
            f"The rank must be even and positive and the shape some shape twice over, but the input has shape {dims_text(x._shape)}."
        )
    n = math.prod(half)
    return st.reshape(diag_part(st.reshape(x, shape=(n, n))), shape=half)
