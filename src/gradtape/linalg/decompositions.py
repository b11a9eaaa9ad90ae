"""Cholesky, LU and QR decompositions, singular values, eigenvalues."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..core.tensor import Tensor, convert
from ..ground.dtypes import as_dtype, int32, int64
from ..ground.errors import invalid
from ..primitives import decomposition as dc
from ..primitives import elementwise as ew
from ..primitives import indexing
from ..primitives import structure as st
from .diagonals import diag
from .operands import two


class Lu(NamedTuple):
    """What ``lu`` gives: both factors in one array, and the permutation of the rows."""

    lu: Any
    p: Any


class Qr(NamedTuple):
    """What ``qr`` gives: Q with orthonormal columns and the upper triangular R."""

    q: Any
    r: Any


def cholesky(input: Any, name: str | None = None) -> Any:
    """The lower triangular L with input = L Lᴴ.

    Args:
        input: a float or complex Tensor of shape (..., n, n) of Hermitian positive definite matrices, of which the lower triangle is read.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype. Its gradient is Hermitian, so that a descent keeps the matrix symmetric (I. Murray, "Differentiation of
        the Cholesky decomposition", arXiv:1602.07527).

    Raises:
        InvalidArgumentError: a matrix is not positive definite, or not square.

    >>> import gradtape as tf
    >>> tf.linalg.cholesky([[4.0, 2.0], [2.0, 5.0]]).numpy().tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    return dc.cholesky(convert(input))


def lu(input: Any, output_idx_type: Any = int32, name: str | None = None) -> Lu:
    """The LU decomposition with partial pivoting: gather(input, p) = L U.

    Args:
        input: a float or complex Tensor of shape (..., n, n) of invertible matrices.
        output_idx_type: the dtype of the permutation, int32 or int64.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``(lu, p)``: L (whose diagonal of ones is left out) and U in one Tensor of the shape of ``input``, and the rows of ``input`` in their order, of
        shape (..., n). The first is differentiable.

    Raises:
        InvalidArgumentError: a matrix is singular, or not square.
        TypeError: ``output_idx_type`` is another dtype.

    >>> import gradtape as tf
    >>> lu, p = tf.linalg.lu([[1.0, 2.0], [2.0, 8.0]])
    >>> lu.numpy().tolist(), p.numpy().tolist()
    ([[2.0, 8.0], [0.5, -2.0]], [1, 0])
    """
    index = as_dtype(output_idx_type)
    if index not in (int32, int64):
        raise TypeError(f"output_idx_type must be int32 or int64, but is {index.name}.")
    both, perm = dc.lu(convert(input))
    return Lu(both, st.cast(perm, index))


def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> Qr:
    """The QR decomposition: input = Q R.

    Args:
        input: a float or complex Tensor of shape (..., m, n).
        full_matrices: a square Q of shape (..., m, m) rather than the first min(m, n) columns.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``(q, r)`` of shapes (..., m, k) and (..., k, n) with k = min(m, n), or k = m for full matrices.

        The gradient (D. Roberts and L. Roberts, arXiv:2009.10071) needs the first min(m, n) columns of ``input`` to be linearly independent, which is
        checked; that of Q is not defined for full matrices with m > n, whose last columns are arbitrary.

    Raises:
        InvalidArgumentError: the rank is below 2.

    >>> import gradtape as tf
    >>> q, r = tf.linalg.qr([[3.0, 1.0], [4.0, 2.0]])
    >>> abs(r.numpy()).round(4).tolist()
    [[5.0, 2.200000047683716], [0.0, 0.4000000059604645]]
    """
    return Qr(*dc.qr(convert(input), full=bool(full_matrices)))


def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """The singular value decomposition: tensor = U diag(s) Vᴴ.

    Args:
        tensor: a float or complex Tensor of shape (..., m, n).
        full_matrices: square U and V rather than the first min(m, n) columns of each.
        compute_uv: give the singular vectors too.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``(s, u, v)``: the singular values in descending order, of shape (..., k) with k = min(m, n) and of a real dtype, and matrices of shapes (..., m, k)
        and (..., n, k), or (..., m, m) and (..., n, n); the values alone without ``compute_uv``. Mind that it is V and not its adjoint.

        The gradient is J. Townsend's ("Differentiating the singular value decomposition", 2016; for complex matrices Z. Wan and S. Zhang,
        arXiv:1909.02659). Singular vectors have none where two singular values are equal, and outside their space none where one is 0: there a
        ``DegenerateWarning`` is given. A function of complex ones must not depend on their phases.

    Raises:
        InvalidArgumentError: the rank is below 2.

    >>> import gradtape as tf
    >>> tf.linalg.svd([[3.0, 0.0], [0.0, -4.0]], compute_uv=False).numpy().tolist()
    [4.0, 3.0]
    """
    x = convert(tensor)
    return dc.svd(x, full=bool(full_matrices)) if compute_uv else dc.singular_values(x)


def eigh(tensor: Any, name: str | None = None) -> tuple[Any, Any]:
    """The eigenvalues and eigenvectors of Hermitian matrices: tensor = V diag(e) Vᴴ.

    Args:
        tensor: a float or complex Tensor of shape (..., n, n), of which the lower triangle is read.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``(e, v)``: the eigenvalues in ascending order, of shape (..., n) and the dtype of ``tensor``, and the eigenvectors as columns.

        The gradient (M. Giles, "Collected matrix derivative results", 2008, section 3.1) is that of the lower triangle. Eigenvectors have none where two
        eigenvalues are equal: there a ``DegenerateWarning`` is given.

    Raises:
        InvalidArgumentError: the matrices are not square, or hold NaN or infinities.

    >>> import gradtape as tf
    >>> tf.linalg.eigh([[2.0, 0.0], [1.0, 2.0]])[0].numpy().round(4).tolist()
    [1.0, 3.0]
    """
    return dc.eigh(convert(tensor))


def eigvalsh(tensor: Any, name: str | None = None) -> Any:
    """The eigenvalues of Hermitian matrices.

    Args:
        tensor: a float or complex Tensor of shape (..., n, n), of which the lower triangle is read.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n) and the dtype of ``tensor``, in ascending order.

    Raises:
        InvalidArgumentError: the matrices are not square, or hold NaN or infinities.

    >>> import gradtape as tf
    >>> tf.linalg.eigvalsh([[2.0, 1.0], [1.0, 2.0]]).numpy().round(4).tolist()
    [1.0, 3.0]
    """
    return dc.eigh_values(convert(tensor))


def eig(tensor: Any, name: str | None = None) -> tuple[Any, Any]:
    """The eigenvalues and eigenvectors of square matrices: tensor V = V diag(e).

    Args:
        tensor: a float or complex Tensor of shape (..., n, n).
        name: ignored, for TensorFlow's sake.

    Returns:
        ``(e, v)``: the eigenvalues in no order, of shape (..., n), and the eigenvectors of length 1 as columns; complex numbers, also for real matrices.

        The gradient is equation 4.77 of C. Boeddeker et al., "On the computation of complex-valued gradients", arXiv:1701.00392. Eigenvectors have none
        where two eigenvalues are equal: there a ``DegenerateWarning`` is given. A function of them must not depend on their phases.

    Raises:
        InvalidArgumentError: the matrices are not square, or hold NaN or infinities.

    >>> import gradtape as tf
    >>> tf.linalg.eig([[0.0, 1.0], [-1.0, 0.0]])[0].numpy().tolist()
    [1j, -1j]
    """
    return dc.eig(convert(tensor))


def eigvals(tensor: Any, name: str | None = None) -> Any:
    """The eigenvalues of square matrices.

    Args:
        tensor: a float or complex Tensor of shape (..., n, n).
        name: ignored, for TensorFlow's sake.

    Returns:
        A complex Tensor of shape (..., n), in no order.

    Raises:
        InvalidArgumentError: the matrices are not square, or hold NaN or infinities.

    >>> import gradtape as tf
    >>> tf.linalg.eigvals([[0.0, 1.0], [-1.0, 0.0]]).numpy().tolist()
    [1j, -1j]
    """
    return dc.eigenvalues(convert(tensor))


def eigh_tridiagonal(alpha: Any, beta: Any, eigvals_only: bool = True, select: str = "a", select_range: Any = None,
                     tol: Any = None, name: str | None = None) -> Any:  # fmt: skip
    """The eigenvalues of a Hermitian tridiagonal matrix, all or some of them, and its eigenvectors.

    Args:
        alpha: a float or complex Tensor of shape (..., n): the diagonal.
        beta: a Tensor of shape (..., n - 1): the diagonal above it.
        eigvals_only: give the eigenvalues alone.
        select: "a" for all, "i" for those numbered from the first to the second of ``select_range`` (both included), "v" for those between its
            numbers (the first excluded, the second included; of one matrix only).
        select_range: two numbers.
        tol: ignored: they are computed to the dtype's precision, as a dense matrix.
        name: ignored, for TensorFlow's sake.

    Returns:
        The eigenvalues in ascending order, of the real dtype; without ``eigvals_only`` a pair with the eigenvectors as columns.

    Raises:
        ValueError: ``select`` is unknown, ``select_range`` is wrong or missing, or the dtypes differ.
        InvalidArgumentError: the shapes do not fit.

    >>> import gradtape as tf
    >>> tf.linalg.eigh_tridiagonal([2.0, 2.0], [1.0]).numpy().round(4).tolist()
    [1.0, 3.0]
    """
    if select not in ("a", "i", "v"):
        raise ValueError(f"'select' must have a value in {{'a', 'i', 'v'}}, but is {select!r}.")
    if select != "a" and (select_range is None or len(select_range) != 2 or select_range[0] > select_range[1]):
        raise ValueError(f"select={select!r} needs select_range to be two numbers in ascending order, but it is {select_range!r}.")  # fmt: skip
    a, b = two("EighTridiagonal", alpha, beta)
    n = a._shape[-1] if a._shape else None
    if n is None or len(a._shape) != len(b._shape) or b._shape[-1] != max(n - 1, 0):
        raise invalid(f"'alpha' of shape (..., n) needs 'beta' of shape (..., n - 1), but the shapes are {list(a._shape)} and {list(b._shape)}.")  # fmt: skip
    below = ew.conj(b) if b._d.is_complex else b
    x = diag(a) + diag(below, k=-1) if n > 1 else diag(a)
    if eigvals_only and select == "a":
        return _real(dc.eigh_values(x))
    e, v = dc.eigh(x)
    e = _real(e)
    if select == "i":
        first, last = (int(i) for i in select_range)
        if not 0 <= first <= last < n:
            raise ValueError(f"select_range must lie within 0 and {n - 1}, but is {select_range!r}.")
        axis = len(e._shape) - 1
        e, v = indexing.along(e, axis, first, last + 1), indexing.along(v, axis + 1, first, last + 1)
    elif select == "v":
        low, high = (convert(bound, e._d) for bound in select_range)
        chosen = indexing.nonzero(ew.logical_and(ew.greater(e, low), ew.less_equal(e, high)))
        chosen = st.reshape(chosen, shape=(chosen._shape[0],))
        e, v = (indexing.gather(t, chosen, axis=len(t._shape) - 1, batch_dims=0) for t in (e, v))
    return e if eigvals_only else (e, v)


def _real(e: Tensor) -> Tensor:
    return ew.real(e) if e._d.is_complex else e
