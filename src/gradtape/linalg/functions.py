"""Functions of matrices: determinants, exponential, logarithm, square root."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..core.tensor import convert
from ..primitives import decomposition, matrix_functions
from ..primitives import elementwise as ew
from ..primitives import matrices as mx
from ..primitives import reduction as rd


class LogMatrixDeterminant(NamedTuple):
    """What ``slogdet`` gives: the sign, and the logarithm of the absolute value."""

    sign: Any
    log_abs_determinant: Any


def det(input: Any, name: str | None = None) -> Any:
    """The determinant of square matrices.

    Args:
        input: a float or complex Tensor of shape (..., n, n).
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (...,) and the same dtype. Its gradient, the adjugate matrix, is defined for singular matrices too.

    Raises:
        InvalidArgumentError: the matrices are not square.

    >>> import gradtape as tf
    >>> tf.linalg.det([[1.0, 2.0], [3.0, 4.0]]).numpy().round(4)
    np.float32(-2.0)
    """
    return matrix_functions.det(convert(input))


def slogdet(input: Any, name: str | None = None) -> LogMatrixDeterminant:
    """The sign and the logarithm of the absolute value of the determinant, which neither overflows nor underflows.

    Args:
        input: a float or complex Tensor of shape (..., n, n).
        name: ignored, for TensorFlow's sake.

    Returns:
        ``(sign, log_abs_determinant)``, Tensors of shape (...,) and the same dtype: the sign (for complex matrices a number of absolute value 1) or 0, and
        the logarithm or -inf.

    Raises:
        InvalidArgumentError: the matrices are not square; the gradient of a singular one is asked for.

    >>> import gradtape as tf
    >>> sign, log = tf.linalg.slogdet([[1.0, 2.0], [3.0, 4.0]])
    >>> sign.numpy(), log.numpy().round(4)
    (np.float32(-1.0), np.float32(0.6931))
    """
    return LogMatrixDeterminant(*matrix_functions.slogdet(convert(input)))


def logdet(matrix: Any, name: str | None = None) -> Any:
    """The logarithm of the determinant of Hermitian positive definite matrices.

    Args:
        matrix: a float or complex Tensor of shape (..., n, n), of which the lower triangle is read.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (...,) and the real dtype.

    Raises:
        InvalidArgumentError: a matrix is not positive definite, or not square.

    >>> import gradtape as tf
    >>> tf.linalg.logdet([[2.0, 0.0], [0.0, 0.5]]).numpy()
    np.float32(0.0)
    """
    d = mx.diagonal(decomposition.cholesky(convert(matrix)))
    logs = ew.log(ew.real(d) if d._d.is_complex else d)
    return rd.sum(logs, axis=(len(logs._shape) - 1,), keepdims=False) * 2.0


def expm(input: Any, name: str | None = None) -> Any:
    """The matrix exponential, Σ xᵏ / k!.

    Args:
        input: a float or complex Tensor of shape (..., n, n).
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype, by A. Al-Mohy and N. Higham, "A new scaling and squaring algorithm for the matrix exponential", 2009.

    Raises:
        InvalidArgumentError: the matrices are not square.

    >>> import gradtape as tf
    >>> tf.linalg.expm([[0.0, 1.0], [0.0, 0.0]]).numpy().tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    return matrix_functions.expm(convert(input))


def logm(input: Any, name: str | None = None) -> Any:
    """The principal matrix logarithm: the inverse of ``expm``.

    Args:
        input: a complex Tensor of shape (..., n, n) of invertible matrices.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype, by A. Al-Mohy and N. Higham, "Improved inverse scaling and squaring algorithms for the matrix logarithm", 2012.

    Raises:
        InvalidArgumentError: a matrix is singular, not square, or not complex.

    >>> import gradtape as tf
    >>> tf.linalg.logm(tf.eye(2, dtype=tf.complex64)).numpy().tolist()
    [[0j, 0j], [0j, 0j]]
    """
    return matrix_functions.logm(convert(input))


def sqrtm(input: Any, name: str | None = None) -> Any:
    """The principal matrix square root: sqrtm(x) @ sqrtm(x) = x.

    Args:
        input: a float or complex Tensor of shape (..., n, n).
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype. Its gradient solves Sylvester's equation and needs an invertible matrix.

    Raises:
        InvalidArgumentError: a matrix has no square root, or none that is real; the matrices are not square.

    >>> import gradtape as tf
    >>> tf.linalg.sqrtm([[4.0, 0.0], [0.0, 9.0]]).numpy().tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    return matrix_functions.sqrtm(convert(input))
