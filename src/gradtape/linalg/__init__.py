"""``tf.linalg``: products, decompositions and functions of matrices, linear systems, norms. All of it works on batches of matrices too."""

from __future__ import annotations

import importlib as _importlib
from typing import Any as _Any

from ..core.products import einsum, matmul, matvec, tensordot
from .banded import banded_triangular_solve, tridiagonal_matmul, tridiagonal_solve
from .decompositions import cholesky, eig, eigh, eigh_tridiagonal, eigvals, eigvalsh, lu, qr, svd
from .diagonals import band_part, diag, diag_part, set_diag, tensor_diag, tensor_diag_part
from .functions import det, expm, logdet, logm, slogdet, sqrtm
from .matrices import adjoint, cross, eye, matrix_transpose, trace
from .norms import global_norm, l2_normalize, norm, normalize
from .solvers import (
    cholesky_solve,
    inv,
    lstsq,
    lu_matrix_inverse,
    lu_reconstruct,
    lu_solve,
    matrix_rank,
    pinv,
    solve,
    triangular_solve,
)

__all__ = [
    "adjoint", "band_part", "banded_triangular_solve", "cholesky", "cholesky_solve", "cross", "det", "diag", "diag_part", "eig", "eigh", "eigh_tridiagonal",
    "eigvals", "eigvalsh", "einsum", "expm", "eye", "global_norm", "inv", "l2_normalize", "logdet", "logm", "lstsq", "lu",
    "lu_matrix_inverse", "lu_reconstruct", "lu_solve", "matmul", "matrix_rank", "matrix_transpose", "matvec", "norm", "normalize", "pinv", "qr", "set_diag",
    "slogdet", "solve", "sqrtm", "svd", "tensor_diag", "tensor_diag_part", "tensordot", "trace", "triangular_solve", "tridiagonal_matmul", "tridiagonal_solve",
]  # fmt: skip


def __getattr__(name: str) -> _Any:
    if name == "experimental":  # it needs tf.while_loop
        return _importlib.import_module(f"{__name__}.experimental")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
