"""Keras's ``ops.linalg`` on gradtape."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import gradtape as tf

from ._promotion import common, floating, host
from .core import convert_to_tensor, shape


def _matrix(x: Any) -> Any:
    x = floating(x)
    if len(x.shape) < 2:
        raise ValueError(f"Expected input to have rank >= 2. Received input with shape {tuple(x.shape)}.")
    return x


def _transposed(x: Any) -> Any:
    return tf.linalg.matrix_transpose(x)


# -- factorizations -----------------------------------------------------------------------------------------------------------


def cholesky(a: Any, upper: bool = False) -> Any:
    """The triangular factor of a positive definite matrix."""
    out = tf.linalg.cholesky(_matrix(a))
    return tf.linalg.adjoint(out) if upper else out


def cholesky_inverse(a: Any, upper: bool = False) -> Any:
    """The inverse of the matrix whose Cholesky factor is ``a``."""
    a = _matrix(a)
    lower = tf.linalg.adjoint(a) if upper else a
    return tf.linalg.cholesky_solve(lower, tf.eye(shape(a)[-1], batch_shape=shape(a)[:-2], dtype=a.dtype))


def eig(x: Any) -> tuple:
    """The eigenvalues and eigenvectors, complex."""
    return tuple(tf.linalg.eig(_matrix(x)))


def eigh(x: Any) -> tuple:
    """The eigenvalues and eigenvectors of a Hermitian matrix."""
    return tuple(tf.linalg.eigh(_matrix(x)))


def qr(x: Any, mode: str = "reduced") -> tuple:
    """The orthogonal and the triangular factor."""
    if mode not in ("reduced", "complete"):
        raise ValueError(
            f"`mode` argument value not supported. Expected one of {{'reduced', 'complete'}}. Received: mode={mode}"
        )
    return tuple(tf.linalg.qr(_matrix(x), full_matrices=mode == "complete"))


def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition: u, s, and v conjugate transposed."""
    if not compute_uv:
        return tf.linalg.svd(_matrix(x), compute_uv=False)
    s, u, v = tf.linalg.svd(_matrix(x), full_matrices=full_matrices)
    return u, s, tf.linalg.adjoint(v)


def _exchanges(order: np.ndarray, k: int) -> np.ndarray:
    """LAPACK's pivots: row i was exchanged with row ``pivots[i]``, one after another, to bring the rows into ``order``."""
    out = np.empty((*order.shape[:-1], k), np.int32)
    for at in np.ndindex(*order.shape[:-1]):
        rows = list(builtins.range(order.shape[-1]))
        for i in builtins.range(k):
            j = rows.index(order[at][i])
            rows[i], rows[j] = rows[j], rows[i]
            out[(*at, i)] = j
    return out


def _order(a: np.ndarray) -> np.ndarray:
    """The order of the rows that partial pivoting chooses."""
    a, order = a.copy(), np.broadcast_to(np.arange(a.shape[-2]), a.shape[:-1]).copy()
    for at in np.ndindex(*a.shape[:-2]):
        m, rows = a[at], order[at]
        for i in builtins.range(builtins.min(m.shape)):
            j = i + int(np.argmax(np.abs(m[i:, i])))
            m[[i, j]], rows[[i, j]] = m[[j, i]], rows[[j, i]]
            if m[i, i] != 0:
                m[i + 1 :, i + 1 :] -= np.outer(m[i + 1 :, i] / m[i, i], m[i, i + 1 :])
    return order


def lu_factor(x: Any) -> tuple:
    """Both triangular factors in one matrix, and the exchanges of rows."""
    x = _matrix(x)
    m, n = x.shape[-2:]
    k = builtins.min(m, n)
    batch = list(x.shape[:-2])
    if m == n:
        lu, order = tf.linalg.lu(x)
    else:
        order = host(_order, [x], (batch + [m], "int32"))
        rows = tf.gather(x, order, batch_dims=len(batch))  # already in order: the square part needs no more exchanges
        lu = tf.linalg.lu(rows[..., :k, :k])[0]
        if m > n:
            below = _transposed(tf.linalg.triangular_solve(_transposed(lu), _transposed(rows[..., k:, :]), lower=True))
            lu = tf.concat([lu, below], -2)
        else:
            unit = tf.linalg.set_diag(lu, tf.ones_like(lu[..., 0]))
            lu = tf.concat([lu, tf.linalg.triangular_solve(unit, rows[..., k:], lower=True)], -1)
    return lu, host(lambda p: _exchanges(p, k), [order], (batch + [k], "int32"))


# -- equations ------------------------------------------------------------------------------------------------------------------


def _of_columns(f: Callable, a: Any, b: Any) -> Any:
    """``f`` of matrices, where ``b`` may be a vector for each matrix."""
    return f(a, b[..., None])[..., 0] if len(b.shape) == len(a.shape) - 1 else f(a, b)


def solve(a: Any, b: Any) -> Any:
    """The solution of ``a x = b``."""
    return _of_columns(tf.linalg.solve, *common(a, b, also=float))


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """The solution of ``a x = b`` for a triangular ``a``."""
    return _of_columns(lambda m, v: tf.linalg.triangular_solve(m, v, lower=lower), *common(a, b, also=float))


def inv(a: Any) -> Any:
    """The inverse."""
    return tf.linalg.inv(_matrix(a))


def pinv(x: Any, rcond: Any = None) -> Any:
    """The Moore-Penrose inverse; singular values up to ``rcond`` times the largest are taken as zero."""
    return tf.linalg.pinv(_matrix(x), rcond)


def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """The shortest of the vectors for which ``a x`` is nearest to ``b``."""
    a, b = common(a, b, also=float)
    m, n = a.shape[-2:]
    rcond = builtins.max(m, n) * np.finfo(a.dtype.as_numpy_dtype).eps if rcond is None else rcond
    return _of_columns(tf.matmul, pinv(a, rcond), b)


# -- numbers of a matrix ----------------------------------------------------------------------------------------------------------


def det(a: Any) -> Any:
    """The determinant."""
    return tf.linalg.det(_matrix(a))


def matrix_rank(x: Any, tol: Any = None) -> Any:
    """The number of singular values above ``tol``."""
    return tf.cast(tf.linalg.matrix_rank(_matrix(x), tol), "int32")


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """A norm of vectors along one axis or of matrices along two, as ``numpy.linalg.norm`` names them."""
    x = floating(x)
    rank = len(x.shape)
    if axis is None:
        if ord is None:
            return _vector_norm(x, 2, list(builtins.range(rank)), keepdims)
        axes = list(builtins.range(rank))
    else:
        axes = list(axis) if isinstance(axis, tuple | list) else [axis]
    if builtins.any([not -rank <= a < rank for a in axes]):
        raise ValueError(f"`axis` is out of bounds: {axis} for a tensor of shape {tuple(x.shape)}")
    axes = [a % rank for a in axes]
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ValueError(
            f"A norm is along one axis or two different ones. Received: axis={axis}, x.shape={tuple(x.shape)}"
        )
    return _matrix_norm(x, "fro" if ord is None else ord, axes, keepdims)


def _vector_norm(x: Any, ord: Any, axes: list, keepdims: bool) -> Any:
    if isinstance(ord, str):
        raise ValueError(f"Invalid `ord` argument for vector norm. Received: ord={ord}")
    size = tf.abs(x)
    if ord == 2:
        return tf.math.reduce_euclidean_norm(size, axes, keepdims)
    if ord == math.inf:
        return tf.reduce_max(size, axes, keepdims)
    if ord == -math.inf:
        return tf.reduce_min(size, axes, keepdims)
    if ord == 0:
        return tf.reduce_sum(tf.cast(tf.not_equal(size, 0), size.dtype), axes, keepdims)
    if ord == 1:
        return tf.reduce_sum(size, axes, keepdims)
    return tf.pow(tf.reduce_sum(tf.pow(size, float(ord)), axes, keepdims), 1.0 / ord)


def _matrix_norm(x: Any, ord: Any, axes: list, keepdims: bool) -> Any:
    if ord == "fro":
        return tf.math.reduce_euclidean_norm(tf.abs(x), axes, keepdims)
    if ord in (1, -1, math.inf, -math.inf):
        down, across = axes if ord in (1, -1) else axes[::-1]
        extreme = tf.reduce_max if ord > 0 else tf.reduce_min
        out = extreme(tf.reduce_sum(tf.abs(x), [down], True), [across], True)
    elif ord in ("nuc", 2, -2):
        rest = [a for a in builtins.range(len(x.shape)) if a not in axes]
        s = tf.linalg.svd(tf.transpose(x, rest + axes), compute_uv=False)
        out = tf.reduce_sum(s, -1) if ord == "nuc" else s[..., 0] if ord == 2 else s[..., -1]
        for a in sorted(axes):
            out = tf.expand_dims(out, a)
    else:
        raise ValueError(f"Invalid `ord` argument for matrix norm. Received: ord={ord}")
    return out if keepdims else tf.squeeze(out, axes)


# -- derivatives --------------------------------------------------------------------------------------------------------------------


def jvp(fun: Callable, primals: Any, tangents: Any, has_aux: bool = False) -> tuple:
    """The value of ``fun`` and its derivative along the tangents, by forward mode; with what else ``fun`` returns, where it does."""
    to_tensors = lambda xs: [convert_to_tensor(x) for x in xs]
    out, along = tf.autodiff.jvp(fun, to_tensors(primals), to_tensors(tangents))
    return (out[0], along[0], out[1]) if has_aux else (out, along)
