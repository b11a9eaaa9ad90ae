"""Diagonals and bands of matrices: read, laid, replaced.

A diagonal is a strided slice of the flattened matrix: element j of diagonal k of a matrix with n columns stands at
(k if k >= 0 else -k n) + j (n + 1). So reading and laying are the rows ``strided_slice`` and ``unslice``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.arguments import integer, integers
from ..core.tensor import Tensor, convert
from ..ground.dtypes import DType, bool_
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import elementwise as ew
from ..primitives import indexing
from ..primitives import structure as st
from .operands import two

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
    x, new = two("MatrixSetDiagV3", convert(input), diagonal)
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
