"""Decompositions of matrices: Cholesky, LU, QR, singular values, eigenvalues; batched over the leading dimensions.

Singular vectors, eigenvectors and the columns of Q are fixed by convention only up to a sign or a phase. Their gradients are those of functions
that do not depend on it, as everywhere. Where two of the values are equal, the vectors have no derivative: the terms that would divide by 0 are
left out, as TensorFlow does, and a ``DegenerateWarning`` says so.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..ground.dtypes import INEXACT, DType, complex64, complex128, float64, int32
from ..ground.errors import DegenerateWarning, UnimplementedError, invalid, user_frame, user_line
from ..ground.primitive import Aval, Primitive
from . import elementwise as ew
from . import indexing, lapack
from . import reduction as rd
from . import structure as st
from .matrices import (
    adjoint,
    columns,
    conj,
    diagonal,
    herm,
    matrices,
    on_diagonal,
    require_square,
    rows,
    square,
    times,
    weighted,
)
from .solving import _near_identity, column_factors, solve, triangular_solve

_SQUARES = ((3, 3), (2, 3, 3), (1, 1), (0, 0), (0, 3, 3), (4, 4))
# for the generated tests of vectors, which would compare signs: matrices that leave nothing open (tests/primitives/test_decomposition.py has the others)
_POINTS = ((1, 1), (0, 0), (0, 3, 3))
_RECTANGLES = (*_SQUARES, (4, 2), (2, 4), (3, 5, 4), (3, 4, 5), (3, 0), (0, 3), (5, 1))


def _hermitian(rng: Any, *shape: int) -> Any:
    """Symmetric positive definite matrices with eigenvalues well apart."""
    q = np.linalg.qr(_near_identity(rng, *shape))[0]
    a = q * (1 + np.arange(shape[-1]) + rng.uniform(0, 0.3, shape[-1])) @ herm(q)
    return (a + herm(a)) / 2


def _apart(rng: Any, *shape: int) -> Any:
    """Matrices with singular values well apart."""
    m, n = shape[-2:]
    a = rng.uniform(-0.2, 0.2, shape)
    i = np.arange(min(m, n))
    a[..., i, i] += 1 + i
    return a


# -- Cholesky --------------------------------------------------------------------------------------------------------------


def _cholesky(x: Any) -> Any:
    require_square(x)
    try:
        return np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        raise invalid(
            "Cholesky decomposition was not successful. The input might not be valid: the matrix, or one of the batch, is not positive definite."
        ) from None


def _cholesky_grad(g: Any, out: Any) -> Any:
    """L⁻ᴴ Φ(Lᴴ g) L⁻¹ made Hermitian, where Φ takes the lower triangle with half the diagonal (Murray 2016, equation 10)."""
    phi = weighted(times(out, g, adjoint_x=True), 0.5, 0.25, 0)
    half = triangular_solve(out, phi, lower=True, adjoint=True)
    s = triangular_solve(out, adjoint(half), lower=True, adjoint=True)
    return s + adjoint(s)


def _cholesky_jvp(xs: tuple, ts: list, outs: list, attrs: dict) -> list:
    """L Φ(L⁻¹ ẋ L⁻ᴴ), of the Hermitian part of ẋ (Murray 2016, equation 8)."""
    (t,), (out,) = ts, outs
    half = triangular_solve(out, (t + adjoint(t)) * 0.5, lower=True, adjoint=False)
    inner = adjoint(triangular_solve(out, adjoint(half), lower=True, adjoint=False))
    return [times(out, weighted(inner, 1, 0.5, 0))]


cholesky = Primitive(
    "cholesky", "x", _cholesky, shape=square, grad=(_cholesky_grad,), jvp=_cholesky_jvp, accepts=INEXACT, holomorphic=False, batch=st._pointwise, surrogate=True,
    cases=lambda rng: [((_hermitian(rng, *s),), {}) for s in _SQUARES],
    doc="The lower triangular L with x = L Lᴴ, from the lower triangle of x. Its gradient (I. Murray, arXiv:1602.07527) is Hermitian.",
)  # fmt: skip

# -- LU --------------------------------------------------------------------------------------------------------------------


def _lu(x: Any) -> tuple[Any, Any]:
    """x[perm] = L U, from the factors of the transposed matrix."""
    f, perm = column_factors(x.swapaxes(-1, -2)) if x.ndim > 1 else column_factors(x)
    return np.ascontiguousarray(f.swapaxes(-1, -2)), perm


def _lu_grad(g: tuple, out: tuple) -> Any:
    """Pᵀ L⁻ᴴ (tril₋(Lᴴ gL) + triu(gU Uᴴ)) U⁻ᴴ, for dL = L tril₋(M) and dU = triu(M) U where M = L⁻¹ P dA U⁻¹."""
    (d, _), (lu_, perm) = g, out
    if d is None:
        return None
    unit = weighted(lu_, 1, 0, 0) + np.eye(lu_._shape[-1], dtype=lu_._d.np)
    m = weighted(times(unit, weighted(d, 1, 0, 0), adjoint_x=True), 1, 0, 0)
    m = m + weighted(times(weighted(d, 0, 1, 1), weighted(lu_, 0, 1, 1), adjoint_y=True), 0, 1, 1)
    m = triangular_solve(unit, m, lower=True, adjoint=True)
    m = adjoint(triangular_solve(lu_, adjoint(m), lower=False, adjoint=False))
    axis = len(m._shape) - 2
    return indexing.ungather(m, perm, shape=m._shape, axis=axis, batch_dims=axis)


lu = Primitive(
    "lu", "x", _lu, shape=lambda x: [square(x), Aval(x.shape[:-1], int32)], grad=(_lu_grad,), accepts=INEXACT, holomorphic=False, multi=True,
    batch=st._pointwise, cases=lambda rng: [((_near_identity(rng, *s)[..., ::-1],), {}) for s in _SQUARES],
    doc="L and U with x[perm] = L U, in one array, and perm.",
)  # fmt: skip

# -- QR --------------------------------------------------------------------------------------------------------------------


def _full_rank(r: Any) -> Any:
    require_square(r)
    d = np.abs(np.diagonal(r, axis1=-2, axis2=-1))
    if d.size and np.any(d <= d.shape[-1] * np.finfo(r.dtype).eps * d.max(-1, keepdims=True)):
        raise invalid("The gradient of the QR decomposition does not exist here: the first min(m, n) columns of the matrix are linearly dependent.")  # fmt: skip
    return r


full_rank = Primitive(
    "full_rank", "r", _full_rank, shape=square, grad=(lambda g: g,), accepts=INEXACT, batch=st._pointwise,
    cases=lambda rng: [((np.triu(_near_identity(rng, *s)),), {}) for s in _SQUARES], doc="A triangular matrix, checked to be invertible.",
)  # fmt: skip


def _qr(x: Any, *, full: bool) -> tuple[Any, Any]:
    if x.ndim < 2:
        raise ValueError("matrices are wanted")
    q, r = np.linalg.qr(x, "complete" if full else "reduced")
    return q, r


def _qr_shape(x: Aval, *, full: bool) -> list[Aval]:
    *batch, m, n = matrices(x).shape
    k = m if full else None if None in (m, n) else min(m, n)
    return [Aval((*batch, m, k), x.dtype), Aval((*batch, k, n), x.dtype)]


def _qr_grad(g: tuple, out: tuple, full: bool) -> Any:
    """Roberts & Roberts, "QR and LQ decomposition matrix backpropagation algorithms", arXiv:2009.10071, section 4."""
    (gq, gr), (q, r) = g, out
    m, n = q._shape[-2], r._shape[-1]
    axis = len(q._shape) - 1
    if full and m > n:
        if gq is not None:
            raise UnimplementedError(
                f"The gradient of the QR decomposition with full_matrices=True is not defined for more rows than columns ({m} x {n}): the additional columns of Q "
                f"are arbitrary. Use full_matrices=False.{user_line()}"
            )
        q, r, gr = indexing.along(q, axis, 0, n), indexing.along(r, axis - 1, 0, n), indexing.along(gr, axis - 1, 0, n)
    if m >= n:
        return _qr_grad_tall(q, r, gq, gr)
    # a = [x y] = q [u v]: x is square, and y = q v
    u, v = indexing.along(r, axis, 0, m), indexing.along(r, axis, m, n)
    if gr is None:
        gu, gv = None, st.zeros_like(v)
    else:
        gu, gv = indexing.along(gr, axis, 0, m), indexing.along(gr, axis, m, n)
        by_y = times(times(q, v), gv, adjoint_y=True)
        gq = by_y if gq is None else gq + by_y
    return st.concat(_qr_grad_tall(q, u, gq, gu), times(q, gv), axis=axis)


def _qr_grad_tall(q: Any, r: Any, gq: Any, gr: Any) -> Any:
    """(gQ + Q W) R⁻ᴴ, where W is the Hermitian matrix with the upper triangle of gR Rᴴ - Qᴴ gQ."""
    n = None if gr is None else times(gr, r, adjoint_y=True)
    if gq is not None:
        qq = times(q, gq, adjoint_x=True)
        n = -qq if n is None else n - qq
    half = weighted(n, 0, 0.5, 1)
    z = times(q, half + adjoint(half))
    z = z if gq is None else gq + z
    return adjoint(triangular_solve(full_rank(r), adjoint(z), lower=False, adjoint=False))


qr = Primitive(
    "qr", "x", _qr, shape=_qr_shape, grad=(_qr_grad,), accepts=INEXACT, holomorphic=False, multi=True, batch=st._pointwise, tf="Qr",
    cases=lambda rng: [((_apart(rng, *s),), {"full": full}) for s in _RECTANGLES for full in (False, True)
                       if s != (1, 1) and (not full or s[-2] <= s[-1])],  # of 1 x 1, Q is constant: relative to 0 nothing can be compared
    doc="Q with orthonormal columns and the upper triangular R with x = Q R.",
)  # fmt: skip

# -- values that are equal -----------------------------------------------------------------------------------------------------


def _degenerate(what: str) -> None:
    where = user_frame()
    message = f"{what} The derivative does not exist there; the terms that would divide by 0 are left out of the gradient.{user_line()}"
    if where is None:
        warnings.warn(message, DegenerateWarning, stacklevel=2)
    else:
        warnings.warn_explicit(message, DegenerateWarning, *where)


def _noise(v: Any) -> Any:
    """Below this, values and their differences are rounding errors of the decomposition."""
    return v.shape[-1] * np.finfo(v.dtype).eps * np.max(np.abs(v), -1, keepdims=True, initial=0)


def _gaps(v: Any) -> Any:
    d = v[..., None, :] - v[..., :, None]
    equal = np.abs(d) <= _noise(v)[..., None]
    if np.count_nonzero(equal) > v.size:
        _degenerate("Singular vectors or eigenvectors are differentiated where two of the values are equal.")
    return np.where(equal, 0, 1 / np.where(equal, 1, d)).astype(v.dtype, copy=False)


def _vectors(v: Aval) -> Aval:
    if not v.ndim:
        raise invalid("Vectors of values are wanted, not a scalar.")
    return v


def _gaps_grad(g: Any, out: Any) -> Any:
    h, n = g * out * out, len(out._shape)
    return rd.sum(h, axis=(n - 1,), keepdims=False) - rd.sum(h, axis=(n - 2,), keepdims=False)


gaps = Primitive(
    "gaps", "v", _gaps, shape=lambda v: Aval((*_vectors(v).shape, v.shape[-1]), v.dtype), grad=(_gaps_grad,), accepts=INEXACT, batch=st._pointwise,
    cases=lambda rng: [((1.0 + np.arange(n) + rng.uniform(0, 0.3, (*b, n)),), {}) for b, n in (((), 3), ((2,), 4), ((), 1), ((), 0))],
    doc="The matrix of 1 / (v[j] - v[i]), with 0 where the values are equal.",
)  # fmt: skip


def _inverses(v: Any) -> Any:
    if not v.ndim:
        raise ValueError("vectors are wanted")
    none = np.abs(v) <= _noise(v)
    if none.any():
        _degenerate("Singular vectors are differentiated where a singular value is 0.")
    return np.where(none, 0, 1 / np.where(none, 1, v)).astype(v.dtype, copy=False)


inverses = Primitive(
    "inverses", "v", _inverses, shape=_vectors, grad=(lambda g, out: -g * out * out,), accepts=INEXACT, batch=st._pointwise,
    cases=lambda rng: [((rng.uniform(1, 3, s),), {}) for s in ((3,), (2, 3), (0,))], doc="1 / v, with 0 where v is 0.",
)  # fmt: skip

# -- singular values ---------------------------------------------------------------------------------------------------------


def _svd_sizes(m: int, n: int, full: bool) -> tuple[tuple[Any, ...], ...]:
    k = None if None in (m, n) else min(m, n)
    return (k,), (m, m if full else k), (n, n if full else k)


def _svd(x: Any, *, full: bool) -> tuple[Any, Any, Any]:
    if x.ndim < 2:
        raise ValueError("matrices are wanted")
    if not np.isfinite(x).all():
        m, n = x.shape[-2:]
        s, u, v = (np.full(x.shape[:-2] + sizes, np.nan, x.dtype) for sizes in _svd_sizes(m, n, full))
        return s.real, u, v
    if x.ndim == 2 and x.size:
        u, s, vh = _svd_of_one(x, "A" if full else "S")
    else:
        u, s, vh = np.linalg.svd(x, full)
    return s, u, herm(vh)


def _svd_of_one(x: Any, job: str) -> tuple[Any, Any, Any]:
    """In the precision of the matrix: NumPy's loop over stacks is in float64."""
    found = lapack.gesdd(x, job)
    if found is None:
        raise invalid("The singular value decomposition did not converge.")
    return found


def _svd_shape(x: Aval, *, full: bool) -> list[Aval]:
    *batch, m, n = matrices(x).shape
    dtypes = (x.dtype.real_dtype, x.dtype, x.dtype)
    return [Aval((*batch, *sizes), d) for sizes, d in zip(_svd_sizes(m, n, full), dtypes, strict=True)]


def _svd_grad(g: tuple, out: tuple, full: bool) -> Any:
    """The gradient of the singular value decomposition.

    With dP = Uᴴ dA V and F = 1 / (sⱼ² - sᵢ²), dS = diag(Re dP), Uᴴ dU = F ∘ (dP S + S dPᴴ) and Vᴴ dV = F ∘ (S dP + dPᴴ S); outside the space of U,
    (I - U Uᴴ) dU = (I - U Uᴴ) dA V S⁻¹, and the same for V (J. Townsend, "Differentiating the singular value decomposition", 2016). A phase that is left
    free by complex numbers goes half to U and half to V (Z. Wan and S. Zhang, arXiv:1909.02659). Of the columns that full matrices have beside these,
    one alone is a function of the others: dU₂ = -U (dUᴴ U₂).
    """
    (gs, gu, gv), (s, u, v) = g, out
    m, n, k, axis = u._shape[-2], v._shape[-2], s._shape[-1], len(u._shape) - 1
    u2 = v2 = gu2 = gv2 = None
    if full and m != n:
        if abs(m - n) > 1 and (gu if m > n else gv) is not None:
            raise UnimplementedError(
                f"The gradient of singular vectors with full_matrices=True is not defined for {m} x {n} matrices: the additional ones are arbitrary. "
                f"Use full_matrices=False.{user_line()}"
            )
        (u, u2), (gu, gu2) = _parted(u, k, axis), _parted(gu, k, axis)
        (v, v2), (gv, gv2) = _parted(v, k, axis), _parted(gv, k, axis)
    sigma = st.match(s, u)
    if gu is None and gv is None:
        return times(columns(u, st.match(gs, u)), v, adjoint_y=True)
    f = st.match(ew.divide_no_nan(gaps(s), st.expand_dims(s, axis) + st.expand_dims(s, axis - 1)), u)
    on = None if gs is None else st.match(gs, u)  # the diagonal of the cotangent of P
    off: Any = 0
    phase: Any = 0
    if gu is not None:
        a = times(u, gu, adjoint_x=True)
        off, phase = columns(f * (a - adjoint(a)), sigma), diagonal(a)
    if gv is not None:
        c = times(v, gv, adjoint_x=True)
        off, phase = off + rows(sigma, f * (c - adjoint(c))), phase - diagonal(c)
    if u._d.is_complex:
        turn = (phase - conj(phase)) * inverses(sigma) * 0.25
        on = turn if on is None else on + turn
    p = off if on is None else off + on_diagonal(on)
    if m > n and gu is not None:
        return times(times(u, p) + _outside(u, u2, gu, gu2, a, sigma), v, adjoint_y=True)
    if n > m and gv is not None:
        return times(u, times(v, adjoint(p)) + _outside(v, v2, gv, gv2, c, sigma), adjoint_y=True)
    return times(times(u, p), v, adjoint_y=True)


def _parted(x: Any, k: int, axis: int) -> tuple[Any, Any]:
    """The first ``k`` columns and the others."""
    return (None, None) if x is None else (indexing.along(x, axis, 0, k), indexing.along(x, axis, k, x._shape[-1]))


def _outside(u: Any, u2: Any, gu: Any, gu2: Any, overlap: Any, sigma: Any) -> Any:
    """(gU - U Uᴴ gU - U₂ gU₂ᴴ U) S⁻¹: the part of the gradient outside the space of U."""
    d = gu - times(u, overlap)
    if gu2 is not None:
        d = d - times(u2, times(gu2, u, adjoint_x=True))
    return columns(d, inverses(sigma))


svd = Primitive(
    "svd", "x", _svd, shape=_svd_shape, grad=(_svd_grad,), accepts=INEXACT, holomorphic=False, multi=True, batch=st._pointwise, surrogate=True,
    cases=lambda rng: [((_apart(rng, *s),), {"full": full}) for s in _POINTS for full in (False, True)],
    doc="The singular values s in descending order, U and V with x = U diag(s) Vᴴ.",
)  # fmt: skip


def _singular_values(x: Any) -> Any:
    if x.ndim < 2:
        raise ValueError("matrices are wanted")
    if not np.isfinite(x).all():
        return np.full((*x.shape[:-2], min(x.shape[-2:])), np.nan, x.real.dtype)
    return _svd_of_one(x, "N")[1] if x.ndim == 2 and x.size else np.linalg.svd(x, compute_uv=False)


def _singular_values_grad(g: Any, x: Any) -> Any:
    """U diag(g) Vᴴ (Giles 2008, section 3.3)."""
    _, u, v = svd(x, full=False)
    return times(columns(u, st.match(g, x)), v, adjoint_y=True)


singular_values = Primitive(
    "singular_values", "x", _singular_values, shape=lambda x: _svd_shape(x, full=False)[0], grad=(_singular_values_grad,), accepts=INEXACT, out="kernel",
    holomorphic=False, batch=st._pointwise, tf="Svd", cases=lambda rng: [((_apart(rng, *s),), {}) for s in _RECTANGLES],
    doc="The singular values in descending order.",
)  # fmt: skip

# -- eigenvalues of Hermitian matrices -----------------------------------------------------------------------------------------


def _require_finite(x: Any, what: str) -> None:
    require_square(x)
    if not np.isfinite(x).all():
        raise invalid(f"{what} was not successful. The input might not be valid: it holds NaN or infinities.")


def _eigh(x: Any) -> tuple[Any, Any]:
    _require_finite(x, "Self-adjoint eigen decomposition")
    w, v = np.linalg.eigh(x)
    return w.astype(x.dtype, copy=False), v


def _of_lower(s: Any) -> Any:
    """The gradient of a function that reads the lower triangle alone, from that of one that reads Hermitian matrices whole."""
    return weighted(s + adjoint(s), 1, 0.5, 0)


def _eigh_grad(g: tuple, out: tuple) -> Any:
    """V (diag(gw) + F ∘ (Vᴴ gV)) Vᴴ with F = 1 / (wⱼ - wᵢ) (Giles 2008, section 3.1)."""
    (gw, gv), (w, v) = g, out
    if gv is None:
        return _of_lower(times(columns(v, gw), v, adjoint_y=True))
    inner = gaps(w) * times(v, gv, adjoint_x=True)
    if gw is not None:
        inner = inner + on_diagonal(gw)
    return _of_lower(times(times(v, inner), v, adjoint_y=True))


def _pair(x: Aval) -> list[Aval]:
    return [Aval(square(x).shape[:-1], x.dtype), x]


eigh = Primitive(
    "eigh", "x", _eigh, shape=_pair, grad=(_eigh_grad,), accepts=INEXACT, holomorphic=False, multi=True, batch=st._pointwise, surrogate=True,
    tf="SelfAdjointEigV2", cases=lambda rng: [((_hermitian(rng, *s),), {}) for s in _POINTS],
    doc="The eigenvalues, in ascending order, and eigenvectors of a Hermitian matrix, of which the lower triangle is read.",
)  # fmt: skip


def _eigh_values(x: Any) -> Any:
    _require_finite(x, "Self-adjoint eigen decomposition")
    return np.linalg.eigvalsh(x).astype(x.dtype, copy=False)


def _eigh_values_grad(g: Any, x: Any) -> Any:
    _, v = eigh(x)
    return _of_lower(times(columns(v, g), v, adjoint_y=True))


eigh_values = Primitive(
    "eigh_values", "x", _eigh_values, shape=lambda x: Aval(square(x).shape[:-1], x.dtype), grad=(_eigh_values_grad,), accepts=INEXACT, holomorphic=False,
    batch=st._pointwise, tf="SelfAdjointEigV2", cases=lambda rng: [((_hermitian(rng, *s),), {}) for s in _SQUARES],
    doc="The eigenvalues, in ascending order, of a Hermitian matrix, of which the lower triangle is read.",
)  # fmt: skip

# -- eigenvalues ---------------------------------------------------------------------------------------------------------------


def _complex(d: DType) -> DType:
    return d if d.is_complex else complex128 if d is float64 else complex64


def _eig(x: Any) -> tuple[Any, Any]:
    _require_finite(x, "Eigen decomposition")
    w, v = np.linalg.eig(x)
    kind = np.result_type(x.dtype, np.complex64)
    return w.astype(kind, copy=False), v.astype(kind, copy=False)


def _of_real(d: Any, x: Any) -> Any:
    return d if x._d.is_complex else st.match(ew.real(d), x)


def _eig_grad(g: tuple, out: tuple, x: Any) -> Any:
    """V⁻ᴴ (diag(gw) + F̄ ∘ (Vᴴ gV - Vᴴ V Re diag(Vᴴ gV))) Vᴴ, for eigenvectors of length 1 (C. Boeddeker et al., arXiv:1701.00392, equation 4.77)."""
    (gw, gv), (w, v) = g, out
    if gv is None:
        return _of_eigenvalues(gw, v, x)
    a = times(v, gv, adjoint_x=True)
    length = st.match(ew.real(diagonal(a)), a)
    inner = conj(gaps(w)) * (a - columns(times(v, v, adjoint_x=True), length))
    if gw is not None:
        inner = inner + on_diagonal(gw)
    return _of_real(solve(v, times(inner, v, adjoint_y=True), adjoint=True), x)


def _of_eigenvalues(gw: Any, v: Any, x: Any) -> Any:
    return _of_real(solve(v, rows(gw, adjoint(v)), adjoint=True), x)


def _eig_pair(x: Aval) -> list[Aval]:
    return [Aval(square(x).shape[:-1], _complex(x.dtype)), Aval(x.shape, _complex(x.dtype))]


eig = Primitive(
    "eig", "x", _eig, shape=_eig_pair, grad=(_eig_grad,), accepts=INEXACT, holomorphic=False, multi=True, batch=st._pointwise, surrogate=True,
    cases=lambda rng: [((_apart(rng, *s),), {}) for s in _POINTS], doc="The eigenvalues and eigenvectors of a square matrix, complex numbers all.",
)  # fmt: skip


def _eigenvalues(x: Any) -> Any:
    _require_finite(x, "Eigen decomposition")
    return np.linalg.eigvals(x).astype(np.result_type(x.dtype, np.complex64), copy=False)


def _eigenvalues_grad(g: Any, x: Any) -> Any:
    _, v = eig(x)
    return _of_eigenvalues(g, v, x)


eigenvalues = Primitive(
    "eigenvalues", "x", _eigenvalues, shape=lambda x: _eig_pair(x)[0], grad=(_eigenvalues_grad,), accepts=INEXACT, out="kernel", holomorphic=False,
    batch=st._pointwise, surrogate=True, tf="Eig", cases=lambda rng: [((_apart(rng, *s),), {}) for s in _SQUARES],
    doc="The eigenvalues of a square matrix, complex numbers all.",
)  # fmt: skip
