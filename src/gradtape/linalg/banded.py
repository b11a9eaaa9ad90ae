"""Tridiagonal and banded matrices, given by their diagonals."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor, convert
from ..ground.errors import UnimplementedError, invalid, user_line
from ..ground.shapes import dims_text
from ..primitives import elementwise as ew
from ..primitives import solving
from ..primitives import structure as st
from ..primitives.indexing import along, take_one
from ..primitives.matrices import adjoint as _adjoint
from ..primitives.matrices import rows
from .diagonals import diag_part
from .operands import two


def _compact(diagonals: Any, form: str) -> Tensor:
    """The three diagonals of (..., n, n) matrices as one Tensor of shape (..., 3, n), the upper one first."""
    if form == "compact":
        d = convert(diagonals)
        if len(d._shape) < 2:
            raise ValueError(f"Expected diagonals to have rank at least 2, got {len(d._shape)}")
        if d._shape[-2] not in (3, None):
            raise ValueError(f"Expected 3 diagonals got {d._shape[-2]}")
        return d
    if form == "sequence":
        if len(diagonals) != 3:
            raise ValueError(f"Expected diagonals to be a sequence of length 3, got {len(diagonals)}")
        above, middle = two("Tridiagonal", diagonals[0], diagonals[1])
        below, _ = two("Tridiagonal", diagonals[2], middle)
        n = middle._shape[-1]
        return st.stack(
            _filled(above, n, "super", (0, 1)), middle, _filled(below, n, "sub", (1, 0)), axis=len(middle._shape) - 1
        )
    if form == "matrix":
        x = convert(diagonals)
        if len(x._shape) < 2 or x._shape[-1] != x._shape[-2]:
            raise ValueError(
                f"Expected last two dimensions of diagonals to be same, got {' and '.join(map(str, x._shape[-2:][::-1]))}"
            )
        n, rank = x._shape[-1], len(x._shape)
        if n < 2:  # there is a main diagonal at most
            d = st.reshape(x, shape=(*x._shape[:-2], 1, n))
            return st.pad(d, paddings=((0, 0),) * (rank - 2) + ((1, 1), (0, 0)), value=0)
        return diag_part(x, k=(-1, 1), align="LEFT_RIGHT")
    raise ValueError(f"Unrecognized diagonals_format: {form}")


def _filled(d: Tensor, n: Any, which: str, short: tuple[int, int]) -> Tensor:
    """A diagonal of n - 1 elements, or of n of which one is not read, with n."""
    if d._shape[-1] == n:
        return d
    if d._shape[-1] != n - 1:
        raise ValueError(f"Expected {which}diagonal to have length {n - 1} or {n}, got {d._shape[-1]}")
    return st.pad(d, paddings=((0, 0),) * (len(d._shape) - 1) + (short,), value=0)


def tridiagonal_matmul(diagonals: Any, rhs: Any, diagonals_format: str = "compact", name: str | None = None) -> Any:
    """The product of tridiagonal matrices with others, in time linear in their size.

    Args:
        diagonals: a float or complex Tensor of shape (..., 3, n): the diagonal above the main one (element i in row i; the last is not read), the main
            one, and the one below (the first is not read); or, by ``diagonals_format``, three Tensors, or matrices of which the diagonals are read.
        rhs: a Tensor of shape (..., n, k) and the same dtype.
        diagonals_format: "compact", "sequence" or "matrix".
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, k).

    Raises:
        ValueError: the diagonals have other shapes, or the format is unknown.
        InvalidArgumentError: ``rhs`` does not fit.

    >>> import gradtape as tf
    >>> tf.linalg.tridiagonal_matmul([[1.0, 0.0], [2.0, 2.0], [0.0, 1.0]], [[1.0], [10.0]]).numpy().tolist()
    [[12.0], [21.0]]
    """
    d, x = two("TridiagonalMatMul", _compact(diagonals, diagonals_format), rhs)
    if len(x._shape) < 2 or x._shape[-2] != d._shape[-1]:
        raise invalid(f"tridiagonal_matmul: matrices of size {d._shape[-1]} need right-hand sides of shape (..., {d._shape[-1]}, k), but the shape is {dims_text(x._shape)}.")  # fmt: skip
    axis, n = len(x._shape) - 2, x._shape[-2]
    if not n:
        return x
    above, middle, below = (take_one(d, len(d._shape) - 2, i) for i in range(3))
    none = ((0, 0),) * axis
    up = st.pad(along(x, axis, 1, n), paddings=(*none, (0, 1), (0, 0)), value=0)  # row i + 1 in the place of row i
    down = st.pad(along(x, axis, 0, n - 1), paddings=(*none, (1, 0), (0, 0)), value=0)
    return rows(above, up) + rows(middle, x) + rows(below, down)


def tridiagonal_solve(diagonals: Any, rhs: Any, diagonals_format: str = "compact", transpose_rhs: bool = False, conjugate_rhs: bool = False,
                      name: str | None = None, partial_pivoting: bool = True, perturb_singular: bool = False) -> Any:  # fmt: skip
    """The solutions of tridiagonal systems, in time linear in their size.

    Args:
        diagonals: as for ``tridiagonal_matmul``; "sequence" also takes n - 1 elements above and below.
        rhs: a Tensor of shape (..., n, k), or (..., n) for one right-hand side each, of the same dtype.
        diagonals_format: "compact", "sequence" or "matrix".
        transpose_rhs: ``rhs`` has shape (..., k, n).
        conjugate_rhs: take the conjugate of ``rhs`` first.
        name: ignored, for TensorFlow's sake.
        partial_pivoting: ignored: rows are always exchanged where that is more stable.
        perturb_singular: not supported.

    Returns:
        A Tensor of shape (..., n, k), or (..., n).

    Raises:
        ValueError: shapes that do not fit, or an unknown format.
        InvalidArgumentError: a matrix is singular ("Input is not invertible").
        UnimplementedError: ``perturb_singular``.

    >>> import gradtape as tf
    >>> tf.linalg.tridiagonal_solve([[1.0, 0.0], [2.0, 2.0], [0.0, 1.0]], [4.0, 5.0]).numpy().tolist()
    [1.0, 2.0]
    """
    if perturb_singular:
        if not partial_pivoting:
            raise ValueError("partial_pivoting must be True if perturb_singular is.")
        raise UnimplementedError(
            f"tridiagonal_solve has no perturb_singular=True: a singular matrix is an error.{user_line()}"
        )
    d, b = two("TridiagonalSolve", _compact(diagonals, diagonals_format), rhs)
    rank, n = len(d._shape), d._shape[-1]
    if len(b._shape) not in (rank - 1, rank):
        raise ValueError(f"Expected the rank of rhs to be {rank - 1} or {rank}, got {len(b._shape)}")
    single = len(b._shape) == rank - 1
    if single:
        b = ew.conj(b) if conjugate_rhs and b._d.is_complex else b
        b = st.expand_dims(b, rank - 1)
    elif transpose_rhs:
        b = _adjoint(b) if conjugate_rhs else st.transpose(b, perm=(*range(rank - 2), rank - 1, rank - 2))
    elif conjugate_rhs and b._d.is_complex:
        b = ew.conj(b)
    if b._shape[:-2] != d._shape[:-2]:
        raise ValueError(f"Batch shapes {d._shape[:-2]} and {b._shape[:-2]} are incompatible")
    if b._shape[-2] != n:
        raise ValueError(
            f"Expected number of left-hand sided and right-hand sides to be equal, got {n} and {b._shape[-2]}"
        )
    x = solving.banded_solve(d, b, lower=1, upper=1, adjoint=False)
    return st.reshape(x, shape=x._shape[:-1]) if single else x


def banded_triangular_solve(
    bands: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Any:
    """The solutions of triangular systems with few diagonals, in time linear in their size.

    Args:
        bands: a float or complex Tensor of shape (..., r, n): r diagonals from the highest down, each element in the column of its row: from the main
            diagonal on for lower matrices, up to it for upper ones. Elements that would stand outside the matrix are not read.
        rhs: a Tensor of shape (..., n, k) and the same dtype; the batch dimensions of both broadcast.
        lower: the matrices are lower triangular rather than upper.
        adjoint: solve with the adjoint (the conjugate transpose).
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., n, k).

    Raises:
        InvalidArgumentError: there is a 0 on the main diagonal ("Input is not invertible"), or shapes or dtypes do not fit.

    >>> import gradtape as tf
    >>> tf.linalg.banded_triangular_solve([[1.0, 2.0], [0.0, 3.0]], [[1.0], [5.0]]).numpy().tolist()
    [[1.0], [1.0]]
    """
    d, b = two("BandedTriangularSolve", bands, rhs)
    if len(d._shape) < 2 or not d._shape[-2]:
        raise invalid(f"banded_triangular_solve: bands must have shape (..., r, n) with r > 0, but the shape is {dims_text(d._shape)}.")  # fmt: skip
    more = d._shape[-2] - 1
    return solving.banded_solve(d, b, lower=more if lower else 0, upper=0 if lower else more, adjoint=bool(adjoint))
