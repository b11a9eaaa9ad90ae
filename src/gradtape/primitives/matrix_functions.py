"""Functions of matrices: determinants, the pseudo-inverse, exponential, logarithm and square root."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.dtypes import COMPLEX, INEXACT
from ..ground.errors import invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import dims_text
from . import elementwise as ew
from . import indexing
from . import reduction as rd
from . import structure as st
from .decomposition import _apart
from .matrices import (
    adjoint,
    common_batch,
    conj,
    diagonal,
    each,
    herm,
    matrices,
    require_square,
    same_dtype,
    scipys,
    square,
    times,
)
from .solving import _near_identity, inverse

_SQUARES = ((3, 3), (2, 3, 3), (1, 1), (0, 0), (0, 3, 3))


def _as_matrix(v: Any) -> Any:
    """One number for each matrix, with the dimensions to multiply it."""
    return st.reshape(v, shape=(*v._shape, 1, 1))


def _no_matrix(x: Aval) -> Aval:
    return Aval(square(x).shape[:-2], x.dtype)


# -- determinants ------------------------------------------------------------------------------------------------------------


@np.errstate(all="ignore")
def _det(x: Any) -> Any:
    require_square(x)
    return np.linalg.det(x)


det = Primitive(
    "det", "x", _det, shape=_no_matrix, grad=(lambda g, x: _as_matrix(g) * adjoint(adjugate(x)),), accepts=INEXACT, holomorphic=False, batch=st._pointwise,
    tf="MatrixDeterminant", doc="The determinant.", cases=lambda rng: [((_near_identity(rng, *s),), {}) for s in _SQUARES],
)  # fmt: skip


@np.errstate(all="ignore")
def _adjugate(x: Any) -> Any:
    """det(x) x⁻¹, and for matrices without an inverse by singular values: x = U S Vᴴ has the adjugate det(U Vᴴ) V adj(S) Uᴴ."""
    require_square(x)
    try:
        return np.linalg.det(x)[..., None, None] * np.linalg.inv(x)
    except np.linalg.LinAlgError:
        pass
    if not np.isfinite(x).all():
        return np.full(x.shape, np.nan, x.dtype)
    u, s, vh = np.linalg.svd(x)
    ones = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([ones, s[..., :-1]], -1), -1)  # the products of all values but one
    after = np.cumprod(np.concatenate([ones, s[..., :0:-1]], -1), -1)[..., ::-1]
    turn = np.linalg.det(u @ vh)[..., None, None]
    return (turn * (herm(vh) * (before * after)[..., None, :]) @ herm(u)).astype(x.dtype, copy=False)


def _adjugate_grad(g: Any, x: Any, out: Any) -> Any:
    """(tr(W) I - W) adj(x)ᴴ with W = x⁻ᴴ g."""
    w = times(inverse(x), g, adjoint_x=True)
    trace = rd.sum(diagonal(w), axis=(len(w._shape) - 2,), keepdims=False)
    return _as_matrix(trace) * adjoint(out) - times(w, out, adjoint_y=True)


adjugate = Primitive(
    "adjugate", "x", _adjugate, shape=square, grad=(_adjugate_grad,), accepts=INEXACT, holomorphic=False, batch=st._pointwise,
    cases=lambda rng: [((_near_identity(rng, *s),), {}) for s in _SQUARES], doc="The transposed matrix of cofactors: the derivative of the determinant.",
)  # fmt: skip


@np.errstate(all="ignore")
def _slogdet(x: Any) -> tuple[Any, Any]:
    require_square(x)
    sign, log = np.linalg.slogdet(x)
    return sign, log.astype(x.dtype, copy=False)


def _slogdet_grad(g: tuple, x: Any, out: tuple) -> Any:
    """For t = tr(x⁻¹ dx): d log|det| = Re t, d sign = i sign Im t."""
    (by_sign, by_log), (sign, _) = g, out
    if not x._d.is_complex:
        return st.zeros_like(x) if by_log is None else _as_matrix(by_log) * adjoint(inverse(x))
    t = st.zeros_like(sign) if by_log is None else st.match(ew.real(by_log), sign)
    if by_sign is not None:
        turn = by_sign * conj(sign)
        t = t + (turn - conj(turn)) * 0.5  # i Im
    return _as_matrix(t) * adjoint(inverse(x))


slogdet = Primitive(
    "slogdet", "x", _slogdet, shape=lambda x: [_no_matrix(x), _no_matrix(x)], grad=(_slogdet_grad,), accepts=INEXACT, holomorphic=False, multi=True,
    batch=st._pointwise, tf="LogMatrixDeterminant", cases=lambda rng: [((_near_identity(rng, *s),), {}) for s in _SQUARES],
    doc="The sign (the phase, for complex numbers) of the determinant, and the logarithm of its absolute value.",
)  # fmt: skip

# -- the pseudo-inverse --------------------------------------------------------------------------------------------------------


def _pinv(x: Any, rcond: Any) -> Any:
    if x.ndim < 2 or np.broadcast_shapes(x.shape[:-2], np.shape(rcond)) != x.shape[:-2]:
        raise ValueError("matrices, and a number for each, are wanted")
    if not np.isfinite(x).all():
        return np.full((*x.shape[:-2], x.shape[-1], x.shape[-2]), np.nan, x.dtype)
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    large = s > np.asarray(rcond)[..., None] * np.max(s, -1, keepdims=True, initial=0)
    inverses = np.where(large, 1 / np.where(large, s, 1), 0).astype(s.dtype)
    return (herm(vh) * inverses[..., None, :]) @ herm(u)


def _pinv_shape(x: Aval, rcond: Aval) -> Aval:
    *batch, m, n = matrices(x).shape
    if common_batch("pinv", tuple(batch), rcond.shape) != tuple(batch) and None not in (*batch, *rcond.shape):
        raise invalid(f"rcond must be a number for each matrix of a batch of shape {dims_text(batch)}, but has shape {dims_text(rcond.shape)}.")  # fmt: skip
    return Aval((*batch, n, m), x.dtype)


def _pinv_grad(g: Any, x: Any, out: Any) -> Any:
    """-Pᴴ g Pᴴ + (I - x P) gᴴ P Pᴴ + Pᴴ P gᴴ (I - P x) for P = x⁺ (Golub & Pereyra 1973, equation 4.12)."""
    p, gh = out, adjoint(g)
    d = -times(p, times(g, p, adjoint_y=True), adjoint_x=True)
    left = times(times(gh, p), p, adjoint_y=True)
    right = times(p, times(p, gh), adjoint_x=True)
    return d + left - times(x, times(p, left)) + right - times(times(right, p), x)


pinv = Primitive(
    "pinv", "x rcond", _pinv, shape=_pinv_shape, grad=(_pinv_grad, None), accepts=INEXACT, holomorphic=False,
    batch=lambda p, xs, batched, attrs: p(*_same_batch(xs, batched), **attrs), doc="The pseudo-inverse, of the singular values that are not too small.",
    cases=lambda rng: [((_apart(rng, *s), np.float64(1e-9)), {}) for s in ((3, 3), (4, 2), (2, 4), (2, 3, 4), (1, 1), (3, 0), (0, 2, 3))],
)  # fmt: skip


def _same_batch(xs: tuple, batched: tuple) -> list:
    x, rcond = st._all_batched(xs, batched)
    more = len(x._shape) - 2 - len(rcond._shape)
    return [x, st.reshape(rcond, shape=rcond._shape[:1] + (1,) * more + rcond._shape[1:]) if more > 0 else rcond]


# -- functions by their Fréchet derivative ---------------------------------------------------------------------------------------


def _frechet(f: Callable, x: Any, direction: Any) -> Any:
    """The derivative of ``f`` at ``x`` in a direction: the upper right block of f([[x, direction], [0, x]]).

    It is its own adjoint: the cotangent of x is the derivative at xᴴ in the direction of that of f(x). I. Najfeld and T. Havel, "Derivatives of the
    matrix exponential and their computation", 1995; for any function, N. Higham, "Functions of Matrices", 2008, equation 3.16.
    """
    n, axis = x._shape[-1], len(x._shape) - 1
    upper = st.concat(x, direction, axis=axis)
    lower = st.concat(st.zeros_like(x), x, axis=axis)
    whole = f(st.concat(upper, lower, axis=axis - 1))
    return indexing.along(indexing.along(whole, axis - 1, 0, n), axis, n, 2 * n)


@np.errstate(all="ignore")
def _expm(x: Any) -> Any:
    from scipy.linalg import expm

    require_square(x)
    return expm(x)


expm = Primitive(
    "expm", "x", _expm, shape=square, grad=(lambda g, x: _frechet(expm, adjoint(x), g),),
    jvp=lambda xs, ts, outs, attrs: [_frechet(expm, xs[0], ts[0])], accepts=INEXACT, holomorphic=False, batch=st._pointwise,
    tf="MatrixExponential", cases=lambda rng: [((rng.uniform(-1, 1, s),), {}) for s in _SQUARES],
    doc="The matrix exponential, by Padé approximation with scaling and squaring (Al-Mohy & Higham 2009).",
)  # fmt: skip


def _logm_of_one(x: Any) -> Any:
    from scipy.linalg import logm

    if not x.size:
        return x
    if not np.isfinite(x).all():
        return np.full(x.shape, np.nan, x.dtype)
    if np.linalg.slogdet(x)[0] == 0:
        raise invalid("The matrix logarithm does not exist: the matrix, or one of the batch, is singular.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return logm(x).astype(x.dtype, copy=False)


def _logm(x: Any) -> Any:
    require_square(x)
    return each(_logm_of_one, x.shape[-2:], x.dtype, x)


logm = Primitive(
    "logm", "x", _logm, shape=square, grad=(lambda g, x: _frechet(logm, adjoint(x), g),),
    jvp=lambda xs, ts, outs, attrs: [_frechet(logm, xs[0], ts[0])], accepts=COMPLEX, holomorphic=False, batch=st._pointwise,
    tf="MatrixLogarithm", cases=lambda rng: [((_apart(rng, *s) + 0.3j,), {}) for s in _SQUARES],
    doc="The principal matrix logarithm, by inverse scaling and squaring (Al-Mohy & Higham 2012).",
)  # fmt: skip


def _sqrtm_of_one(x: Any) -> Any:
    from scipy.linalg import sqrtm

    if not x.size:
        return x
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        out = sqrtm(x)
    if np.iscomplexobj(out) and x.dtype.kind != "c":
        raise invalid(
            "The matrix has no real square root: it has negative eigenvalues. For the complex one, convert it with tf.cast(x, tf.complex128)."
        )
    if np.isfinite(x).all() and not np.isfinite(out).all():
        raise invalid("The matrix, or one of the batch, has no square root.")
    return out.astype(x.dtype, copy=False)


def _sqrtm(x: Any) -> Any:
    require_square(x)
    return each(_sqrtm_of_one, x.shape[-2:], x.dtype, x)


sqrtm = Primitive(
    "sqrtm", "x", _sqrtm, shape=square, grad=(lambda g, out: sylvester(adjoint(out), adjoint(out), g),),
    jvp=lambda xs, ts, outs, attrs: [sylvester(outs[0], outs[0], ts[0])], accepts=INEXACT, holomorphic=False,
    batch=st._pointwise, tf="MatrixSquareRoot", cases=lambda rng: [((_apart(rng, *s),), {}) for s in _SQUARES],
    doc="The principal matrix square root, by the Schur decomposition (Deadman, Higham & Ralha 2013).",
)  # fmt: skip

# -- Sylvester's equation ----------------------------------------------------------------------------------------------------------


def _sylvester_of_one(a: Any, b: Any, q: Any) -> Any:
    """Bartels & Stewart 1972: a = U R Uᴴ and b = V S Vᴴ turn it into R y + y S = Uᴴ q V for triangular R and S."""
    from scipy.linalg import schur

    if not q.size:
        return q
    if not all(np.isfinite(t).all() for t in (a, b, q)):
        return np.full(q.shape, np.nan, q.dtype)
    kind = "complex" if q.dtype.kind == "c" else "real"
    (r, u), (s, v) = schur(a, kind), schur(b, kind)
    y, scale, info = scipys("trsyl", q.dtype.char)(r, s, herm(u) @ q @ v)
    if info or scale == 0:
        raise invalid("a x + x b = q has no unique solution: a and -b have an eigenvalue in common.")
    return (u @ (y / scale) @ herm(v)).astype(q.dtype, copy=False)


def _sylvester(a: Any, b: Any, q: Any) -> Any:
    require_square(a)
    require_square(b)
    if q.ndim < 2 or q.shape[-2:] != (a.shape[-1], b.shape[-1]) or not a.dtype == b.dtype == q.dtype:
        raise ValueError("the matrices do not fit")
    return each(_sylvester_of_one, q.shape[-2:], q.dtype, a, b, q)


def _sylvester_shape(a: Aval, b: Aval, q: Aval) -> Aval:
    same_dtype("Sylvester", a, b, q)
    m, n = square(a).shape[-1], square(b, 1).shape[-1]
    if any(
        have != want and None not in (have, want) for have, want in zip(matrices(q, 2).shape[-2:], (m, n), strict=True)
    ):
        raise invalid(f"a x + x b = q needs q to be {m} x {n}, but its shape is {dims_text(q.shape)}.")
    return Aval((*common_batch("Sylvester", a.shape[:-2], b.shape[:-2], q.shape[:-2]), *q.shape[-2:]), q.dtype)


def _sylvester_joint(g: Any, wanted: tuple, xs: tuple, x: Any, attrs: dict) -> list:
    a, b, q = xs
    y = sylvester(adjoint(a), adjoint(b), g)
    found = {0: lambda: -rd.sum_to(times(y, x, adjoint_y=True), a._shape), 1: lambda: -rd.sum_to(times(x, y, adjoint_x=True), b._shape),
             2: lambda: rd.sum_to(y, q._shape)}  # fmt: skip
    return [found[i]() for i in wanted]


def _sylvester_jvp(xs: tuple, ts: list, outs: list, attrs: dict) -> list:
    """a ẋ + ẋ b = q̇ - ȧ x - x ḃ."""
    (a, b, _), (da, db, dq), (x,) = xs, ts, outs
    terms = [dq, None if da is None else -times(da, x), None if db is None else -times(x, db)]
    first, *rest = [t for t in terms if t is not None]
    for t in rest:
        first = first + t
    return [sylvester(a, b, first)]


sylvester = Primitive(
    "sylvester", "a b q", _sylvester, shape=_sylvester_shape, joint=_sylvester_joint, jvp=_sylvester_jvp, accepts=INEXACT, holomorphic=False, batch=ew.batch_elementwise,
    cases=lambda rng: [((_near_identity(rng, *a), _near_identity(rng, *b), rng.uniform(-2, 2, q)), {})
                       for a, b, q in (((3, 3), (2, 2), (3, 2)), ((2, 3, 3), (1, 1), (2, 3, 1)), ((3, 3), (3, 3), (2, 3, 3)), ((0, 0), (2, 2), (0, 2)))],
    doc="The solution x of a x + x b = q.",
)  # fmt: skip
