"""Systems of linear equations, inverses, least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tensor import Tensor, convert
from ..ground.dtypes import int32
from ..ground.errors import invalid
from ..ground.shapes import broadcast, dims_text
from ..primitives import decomposition as dc
from ..primitives import elementwise as ew
from ..primitives import indexing, matrix_functions, solving
from ..primitives import matrices as mx
from ..primitives import reduction as rd
from ..primitives import structure as st
from .operands import two

# -- one system after another -------------------------------------------------------------------------------------------------

_FACTORED = 32  # from this size on, a single matrix is factored once for the solution and its gradient


def solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Any:
    """The solution x of matrix x = rhs.

    Args:
        matrix: a float or complex Tensor of shape (..., n, n) of invertible matrices.
        rhs: a Tensor of shape (..., n, k) and the same dtype; the batch dimensions of both broadcast.
        adjoint: solve with the adjoint (the conjugate transpose) of ``matrix``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, k).

    Raises:
        InvalidArgumentError: a matrix is singular ("Input is not invertible"), or shapes or dtypes do not fit.

    >>> import gradtape as tf
    >>> tf.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [[1.0], [2.0]]).numpy().tolist()
    [[0.5], [0.5]]
    """
    a, b = two("MatrixSolve", matrix, rhs)
    n = a._shape[-1] if len(a._shape) == 2 and a._shape[0] == a._shape[1] else None
    if n is None or n < _FACTORED:
        return solving.solve(a, b, adjoint=bool(adjoint))
    lu, perm = solving.column_lu(a)
    return solving.solve_by_factors(a, b, lu, perm, adjoint=bool(adjoint))


def triangular_solve(matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None) -> Any:
    """The solution x of matrix x = rhs for triangular matrices.

    Args:
        matrix: a float or complex Tensor of shape (..., n, n), of which one triangle is read.
        rhs: a Tensor of shape (..., n, k) and the same dtype; the batch dimensions of both broadcast.
        lower: read the lower triangle rather than the upper.
        adjoint: solve with the adjoint (the conjugate transpose) of ``matrix``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, k).

    Raises:
        InvalidArgumentError: there is a 0 on the diagonal ("Input is not invertible"), or shapes or dtypes do not fit.

    >>> import gradtape as tf
    >>> tf.linalg.triangular_solve([[2.0, 9.0], [1.0, 4.0]], [[2.0], [5.0]]).numpy().tolist()
    [[1.0], [1.0]]
    """
    a, b = two("MatrixTriangularSolve", matrix, rhs)
    return solving.triangular_solve(a, b, lower=bool(lower), adjoint=bool(adjoint))


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Any:
    """The solution x of a x = rhs, where ``chol`` is the Cholesky factor of a.

    Args:
        chol: a Tensor of shape (..., n, n), as ``cholesky`` gives.
        rhs: a Tensor of shape (..., n, k) and the same dtype.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, k).

    Raises:
        InvalidArgumentError: as ``triangular_solve``.

    >>> import gradtape as tf
    >>> tf.linalg.cholesky_solve([[2.0, 0.0], [0.0, 1.0]], [[8.0], [3.0]]).numpy().tolist()
    [[2.0], [3.0]]
    """
    y = triangular_solve(chol, rhs)
    return triangular_solve(chol, y, adjoint=True)


def inv(input: Any, adjoint: bool = False, name: str | None = None) -> Any:
    """The inverse of square matrices.

    Args:
        input: a float or complex Tensor of shape (..., n, n) of invertible matrices.
        adjoint: the inverse of the adjoint (the conjugate transpose).
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: a matrix is singular ("Input is not invertible"), or not square.

    >>> import gradtape as tf
    >>> tf.linalg.inv([[2.0, 0.0], [0.0, 4.0]]).numpy().tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    out = solving.inverse(convert(input))
    return mx.adjoint(out) if adjoint else out


def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Any:
    """The Moore-Penrose pseudo-inverse.

    Args:
        a: a float or complex Tensor of shape (..., m, n).
        rcond: singular values up to ``rcond`` times the largest count as 0: one number, or one for each matrix; 10 max(m, n) eps by default.
        validate_args: ignored: arguments are always checked.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, m). Its gradient (G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems
        whose variables separate", 1973) holds where the rank does not change, and for equal singular values too.

    Raises:
        TypeError: ``a`` is neither float nor complex.
        ValueError: the rank is below 2.

    >>> import gradtape as tf
    >>> tf.linalg.pinv([[2.0, 0.0], [0.0, 0.0], [0.0, 4.0]]).numpy().tolist()
    [[0.5, 0.0, 0.0], [0.0, 0.0, 0.25]]
    """
    x = _matrices_for(a)
    if rcond is None:
        rcond = 10.0 * max(x._shape[-2:]) * float(np.finfo(_computed(x)).eps)
    return matrix_functions.pinv(x, convert(rcond, x._d.real_dtype))


def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None) -> Any:
    """The rank of matrices: how many singular values are above a tolerance.

    Args:
        a: a float or complex Tensor of shape (..., m, n).
        tol: the tolerance: a number, or one for each matrix; max(m, n) eps times the largest singular value by default.
        validate_args: ignored: arguments are always checked.
        name: ignored, for TensorFlow's sake.

    Returns:
        An int32 Tensor of shape (...,).

    Raises:
        TypeError: ``a`` is neither float nor complex.
        ValueError: the rank of the tensor is below 2.

    >>> import gradtape as tf
    >>> tf.linalg.matrix_rank([[1.0, 2.0], [2.0, 4.0]]).numpy()
    np.int32(1)
    """
    x = _matrices_for(a)
    s = dc.singular_values(x)
    axis = len(s._shape) - 1
    if tol is None:
        largest = rd.max(s, axis=(axis,), keepdims=True) if s._shape[-1] else st.zeros_like(s)
        least = largest * (max(x._shape[-2:]) * float(np.finfo(_computed(x)).eps))
    else:
        t = convert(tol, s._d)
        least = st.expand_dims(t, len(t._shape))
    return rd.sum(st.cast(ew.greater(s, least), int32), axis=(axis,), keepdims=False)


def _matrices_for(a: Any) -> Tensor:
    """``a`` as a Tensor of float or complex matrices."""
    x = convert(a)
    if not x._d.is_inexact:
        raise TypeError(
            f"Input `a` must have `float`-like or complex `dtype` (saw {x._d.name}): convert it with tf.cast."
        )
    if len(x._shape) < 2:
        raise ValueError(f"Input `a` must have at least 2 dimensions (saw: {len(x._shape)}).")
    return x


def _computed(x: Tensor) -> Any:
    """The dtype in which a row computes: small floats in float32."""
    return np.float32 if x._d.size == 2 else x._d.np


# -- by LU factors ------------------------------------------------------------------------------------------------------------


def _factors(lower_upper: Any, perm: Any) -> tuple[Tensor, Tensor]:
    f, p = convert(lower_upper), convert(perm)
    if len(f._shape) < 2:
        raise ValueError(f"Input `lower_upper` must have at least 2 dimensions, but has shape {dims_text(f._shape)}.")
    if len(p._shape) != len(f._shape) - 1:
        raise ValueError(f"`rank(lower_upper)` must equal `rank(perm) + 1`, but the shapes are {dims_text(f._shape)} and {dims_text(p._shape)}.")  # fmt: skip
    return f, p


def lu_solve(lower_upper: Any, perm: Any, rhs: Any, validate_args: bool = False, name: str | None = None) -> Any:
    """The solution x of a x = rhs, where ``lower_upper, perm = lu(a)``.

    Args:
        lower_upper: a Tensor of shape (..., n, n).
        perm: an integer Tensor of shape (..., n).
        rhs: a Tensor of shape (..., n, k) and the dtype of ``lower_upper``; the batch dimensions of all broadcast.
        validate_args: ignored: arguments are always checked.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, k).

    Raises:
        ValueError: the ranks or shapes do not fit.
        InvalidArgumentError: there is a 0 on the diagonal of U, or the batch dimensions do not broadcast.

    >>> import gradtape as tf
    >>> tf.linalg.lu_solve(*tf.linalg.lu([[0.0, 2.0], [4.0, 0.0]]), rhs=[[2.0], [8.0]]).numpy().tolist()
    [[2.0], [1.0]]
    """
    f, p = _factors(lower_upper, perm)
    f, b = two("LuSolve", f, rhs)
    if len(b._shape) < 2:
        raise ValueError(f"Input `rhs` must have at least 2 dimensions, but has shape {dims_text(b._shape)}.")
    if f._shape[-1] != b._shape[-2] and None not in (f._shape[-1], b._shape[-2]):
        raise ValueError(f"`lower_upper.shape[-1]` must equal `rhs.shape[-2]`, but the shapes are {dims_text(f._shape)} and {dims_text(b._shape)}.")  # fmt: skip
    batch = broadcast(p._shape[:-1], b._shape[:-2])
    b = st.broadcast_to(b, shape=(*batch, *b._shape[-2:]))
    p = st.broadcast_to(p, shape=(*batch, p._shape[-1]))
    y = solving.triangular_solve(
        _unit_lower(f), indexing.gather(b, p, axis=len(batch), batch_dims=len(batch)), lower=True, adjoint=False
    )
    return solving.triangular_solve(f, y, lower=False, adjoint=False)


def _unit_lower(f: Tensor) -> Tensor:
    return mx.weighted(f, 1, 0, 0) + np.eye(f._shape[-1], dtype=f._d.np)


def lu_reconstruct(lower_upper: Any, perm: Any, validate_args: bool = False, name: str | None = None) -> Any:
    """The matrix of which ``lower_upper, perm`` are the LU decomposition.

    Args:
        lower_upper: a Tensor of shape (..., n, n).
        perm: an integer Tensor of shape (..., n).
        validate_args: ignored: arguments are always checked.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, n).

    Raises:
        ValueError: the ranks do not fit.

    >>> import gradtape as tf
    >>> tf.linalg.lu_reconstruct(*tf.linalg.lu([[1.0, 2.0], [2.0, 8.0]])).numpy().tolist()
    [[1.0, 2.0], [2.0, 8.0]]
    """
    f, p = _factors(lower_upper, perm)
    product = mx.times(_unit_lower(f), mx.weighted(f, 0, 1, 1))
    axis = len(f._shape) - 2
    return indexing.ungather(product, p, shape=product._shape, axis=axis, batch_dims=axis)


def lu_matrix_inverse(lower_upper: Any, perm: Any, validate_args: bool = False, name: str | None = None) -> Any:
    """The inverse of the matrix of which ``lower_upper, perm`` are the LU decomposition.

    Args:
        lower_upper: a Tensor of shape (..., n, n).
        perm: an integer Tensor of shape (..., n).
        validate_args: ignored: arguments are always checked.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, n).

    Raises:
        ValueError: the ranks do not fit.
        InvalidArgumentError: there is a 0 on the diagonal of U.

    >>> import gradtape as tf
    >>> tf.linalg.lu_matrix_inverse(*tf.linalg.lu([[0.0, 2.0], [4.0, 0.0]])).numpy().tolist()
    [[0.0, 0.25], [0.5, 0.0]]
    """
    f, p = _factors(lower_upper, perm)
    return lu_solve(f, p, np.eye(f._shape[-1], dtype=f._d.np))


# -- least squares --------------------------------------------------------------------------------------------------------------


def lstsq(matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: bool = True, name: str | None = None) -> Any:
    """The solution of least squares problems: the x with the least |matrix x - rhs|² + l2_regularizer |x|², and of those the least x.

    Args:
        matrix: a float or complex Tensor of shape (..., m, n).
        rhs: a Tensor of shape (..., m, k) and the same dtype; the batch dimensions of both broadcast.
        l2_regularizer: a number, at least 0; ignored where ``fast`` is False.
        fast: by the normal equations and their Cholesky decomposition, which needs full rank and loses half of the digits; otherwise by the
            pseudo-inverse.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, k), differentiable either way.

    Raises:
        InvalidArgumentError: the shapes or dtypes do not fit, or ``fast`` and the matrix has not full rank.

    >>> import gradtape as tf
    >>> tf.linalg.lstsq([[1.0], [1.0]], [[1.0], [3.0]]).numpy().round(4).tolist()
    [[2.0]]
    """
    a, b = two("MatrixSolveLs", matrix, rhs)
    for which, t in (("matrix", a), ("rhs", b)):
        if len(t._shape) < 2:
            raise invalid(f"lstsq: {which} must be at least 2-dim, but has shape {dims_text(t._shape)}.")
    m, n = a._shape[-2:]
    if m != b._shape[-2] and None not in (m, b._shape[-2]):
        raise invalid(f"lstsq: matrix and rhs must have equally many rows, but their shapes are {dims_text(a._shape)} and {dims_text(b._shape)}.")  # fmt: skip
    if not fast:
        return mx.times(pinv(a), b)
    tall = m >= n
    gram = mx.times(a, a, adjoint_x=tall, adjoint_y=not tall)
    if not (isinstance(l2_regularizer, int | float) and l2_regularizer == 0):
        weight = convert(l2_regularizer, None, a._d.real_dtype)
        gram = gram + st.cast(weight, a._d) * np.eye(n if tall else m, dtype=a._d.np)
    factor = dc.cholesky(gram)
    if tall:
        return cholesky_solve(factor, mx.times(a, b, adjoint_x=True))
    return mx.times(a, cholesky_solve(factor, b), adjoint_x=True)
