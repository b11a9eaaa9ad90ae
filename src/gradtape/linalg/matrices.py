"""Matrices as a whole: the identity, transposes, trace, cross product."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.arguments import dimensions, integer, integers
from ..core.tensor import Tensor, convert
from ..ground.dtypes import as_dtype, bool_, float32
from ..ground.errors import FailedPreconditionError, invalid, user_line
from ..ground.shapes import dims_text
from ..primitives import elementwise as ew
from ..primitives import reduction as rd
from ..primitives import structure as st
from .diagonals import diag_part
from .operands import two


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
    x, y = two("Cross", a, b)
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
