"""Linear systems: triangular, general and banded ones, and the inverse.

The adjoint of solving is solving with the adjoint matrix: where A x = b, the cotangent of b is y = A⁻ᴴ g and that of A is −y xᴴ. Both take one
solution, so these rows have a ``joint`` rule. (M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation", 2008, section 2.3.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ground.dtypes import INEXACT, int32
from ..ground.errors import invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import dims_text
from . import elementwise as ew
from . import indexing, lapack
from . import reduction as rd
from . import structure as st
from .matrices import (
    SINGULAR,
    common_batch,
    conj,
    each,
    herm,
    matrices,
    require_square,
    require_system,
    same_dtype,
    scipys,
    side_by_side,
    square,
    system,
    times,
    times_adjoint,
    weighted,
)

# -- triangular ------------------------------------------------------------------------------------------------------------

SMALL = 16  # up to this size, a stack of triangular matrices is faster through NumPy's loop over general ones


def _triangular_solve(a: Any, b: Any, *, lower: bool, adjoint: bool) -> Any:
    require_system(a, b)
    if not np.all(np.diagonal(a, axis1=-2, axis2=-1)):
        raise invalid(SINGULAR)
    if a.ndim == 2:
        return side_by_side(lambda c: lapack.trsm(a, c, lower, adjoint), b)
    if a.shape[-1] <= SMALL:
        t = np.tril(a) if lower else np.triu(a)
        return np.linalg.solve(herm(t) if adjoint else t, b)
    return each(lambda s, c: lapack.trsm(s, c, lower, adjoint), b.shape[-2:], b.dtype, a, b)


def _triangular_solve_joint(g: Any, wanted: tuple, xs: tuple, x: Any, attrs: dict) -> list:
    (a, b), lower, turned = xs, attrs["lower"], attrs["adjoint"]
    y = triangular_solve(a, g, lower=lower, adjoint=not turned)

    def of_a() -> Any:
        d = times_adjoint(x, y, a._shape) if turned else times_adjoint(y, x, a._shape)
        return weighted(d, -1, -1, 0) if lower else weighted(d, 0, -1, -1)

    return [of_a() if i == 0 else rd.sum_to(y, b._shape) for i in wanted]


def _moved(a_tangent: Any, b_tangent: Any, x: Any, turned: bool) -> Any:
    """ḃ - ȧ x: what a, applied to ẋ, gives where a x = b."""
    if a_tangent is None:
        return b_tangent
    product = times(a_tangent, x, adjoint_x=turned)
    return -product if b_tangent is None else b_tangent - product


def _triangular_solve_jvp(xs: tuple, ts: list, outs: list, attrs: dict) -> list:
    da, db = ts
    if da is not None:
        da = weighted(da, 1, 1, 0) if attrs["lower"] else weighted(da, 0, 1, 1)
    return [triangular_solve(xs[0], _moved(da, db, outs[0], attrs["adjoint"]), **attrs)]


def _near_identity(rng: Any, *shape: int) -> Any:
    """Matrices that are well conditioned: 2 on the diagonal, less than 1/n elsewhere."""
    n = shape[-1]
    return rng.uniform(-1, 1, shape) / n + 2 * np.eye(n)


_SYSTEMS = [((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 1)), ((3, 3), (2, 3, 2)), ((2, 3, 3), (3, 1)), ((2, 1, 3, 3), (4, 3, 1)), ((1, 1), (1, 1)),
            ((0, 0), (0, 2)), ((3, 3), (3, 0)), ((0, 3, 3), (0, 3, 1))]  # fmt: skip


def _triangular_cases(rng: Any) -> list:
    return [((_near_identity(rng, *a), rng.uniform(-2, 2, b)), {"lower": lower, "adjoint": turned})
            for a, b in _SYSTEMS for lower in (True, False) for turned in (True, False)]  # fmt: skip


def _triangular_reference(a: Any, b: Any, *, lower: bool, adjoint: bool) -> Any:
    t = np.tril(a) if lower else np.triu(a)
    return np.linalg.inv(herm(t) if adjoint else t) @ b


triangular_solve = Primitive(
    "triangular_solve", "a b", _triangular_solve, shape=lambda a, b, **attrs: system(a, b, "MatrixTriangularSolve"), joint=_triangular_solve_joint,
    jvp=_triangular_solve_jvp,
    accepts=INEXACT, holomorphic=False, batch=ew.batch_elementwise, cases=_triangular_cases, reference=_triangular_reference,
    tf="MatrixTriangularSolve", doc="The solution of a x = b, or of aᴴ x = b, for a triangular matrix, whose other triangle is not read.",
)  # fmt: skip

# -- general ---------------------------------------------------------------------------------------------------------------


def _solve(a: Any, b: Any, *, adjoint: bool) -> Any:
    require_system(a, b)
    if adjoint:
        a = herm(a)
    try:
        if a.ndim == 2:
            return side_by_side(lambda c: np.linalg.solve(a, c), b)
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        raise invalid(SINGULAR) from None


def _solve_joint(g: Any, wanted: tuple, xs: tuple, x: Any, attrs: dict) -> list:
    a, b = xs
    y = solve(a, g, adjoint=not attrs["adjoint"])
    return [_of_matrix(x, y, a._shape, attrs["adjoint"]) if i == 0 else rd.sum_to(y, b._shape) for i in wanted]


def _of_matrix(x: Any, y: Any, shape: tuple, turned: bool) -> Any:
    return -(times_adjoint(x, y, shape) if turned else times_adjoint(y, x, shape))


solve = Primitive(
    "solve", "a b", _solve, shape=lambda a, b, *, adjoint: system(a, b), joint=_solve_joint, accepts=INEXACT, holomorphic=False,
    jvp=lambda xs, ts, outs, attrs: [solve(xs[0], _moved(ts[0], ts[1], outs[0], attrs["adjoint"]), **attrs)],
    batch=ew.batch_elementwise, tf="MatrixSolve", doc="The solution of a x = b, or of aᴴ x = b.",
    cases=lambda rng: [((_near_identity(rng, *a), rng.uniform(-2, 2, b)), {"adjoint": turned}) for a, b in _SYSTEMS for turned in (True, False)],
    reference=lambda a, b, *, adjoint: np.linalg.inv(herm(a) if adjoint else a) @ b,
)  # fmt: skip


def column_factors(x: Any) -> tuple[Any, Any]:
    """x[:, perm] = L U, both in one array; U has ones on the diagonal."""
    require_square(x)
    f, perm = np.empty(x.shape, x.dtype), np.empty(x.shape[:-1], np.int32)
    for at in np.ndindex(*x.shape[:-2]):
        f[at], perm[at], singular = lapack.getrf(x[at])
        if singular:
            raise invalid(SINGULAR)
    return f, perm


column_lu = Primitive(
    "column_lu", "x", column_factors, shape=lambda x: [square(x), Aval(x.shape[:-1], int32)], accepts=INEXACT, multi=True, batch=st._pointwise,
    cases=lambda rng: [((_near_identity(rng, *s)[..., ::-1],), {}) for s in ((3, 3), (2, 3, 3), (1, 1), (0, 0), (0, 3, 3))],
    doc="The factors of a matrix with its columns in another order, for ``solve_by_factors``. They have no gradient of their own.",
)  # fmt: skip


def _solve_by_factors(a: Any, b: Any, lu: Any, perm: Any, *, adjoint: bool) -> Any:
    require_system(a, b)
    if lu.shape != a.shape or perm.shape != a.shape[:-1]:
        raise ValueError("factors of another matrix")

    def one(f: Any, p: Any, c: Any) -> Any:
        if adjoint:
            return lapack.trsm(f, lapack.trsm(f, c[p], False, True, unit=True), True, True)
        out = np.empty(c.shape, c.dtype)
        out[p] = lapack.trsm(f, lapack.trsm(f, c, True, False), False, False, unit=True)
        return out

    if a.ndim == 2:
        return side_by_side(lambda c: one(lu, perm, c), b)
    return each(lambda f, p, c: one(f, p[0], c), b.shape[-2:], b.dtype, lu, perm[..., None, :], b)


def _solve_by_factors_shape(a: Aval, b: Aval, lu: Aval, perm: Aval, *, adjoint: bool) -> Aval:
    for have, want in ((lu.shape, a.shape), (perm.shape, a.shape[:-1])):
        if len(have) != len(want) or any(h != w and None not in (h, w) for h, w in zip(have, want, strict=True)):
            raise invalid(f"The factors of a matrix of shape {dims_text(a.shape)} have shape {dims_text(want)}, not {dims_text(have)}.")  # fmt: skip
    return system(a, b)


def _solve_by_factors_joint(g: Any, wanted: tuple, xs: tuple, x: Any, attrs: dict) -> list:
    a, b, lu, perm = xs
    y = solve_by_factors(a, g, lu, perm, adjoint=not attrs["adjoint"])
    found = {0: lambda: _of_matrix(x, y, a._shape, attrs["adjoint"]), 1: lambda: rd.sum_to(y, b._shape)}
    return [found[i]() if i in found else None for i in wanted]


def _batch_by_factors(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    """Matrix and factors go together; a batch of right-hand sides alone stays with one matrix."""
    if batched == (False, True, False, False):
        return p(*xs, **attrs)
    n = next(x._shape[0] for x, b in zip(xs, batched, strict=True) if b)
    a, b, lu, perm = (
        x if is_in else st.broadcast_to(x, shape=(n, *x._shape)) for x, is_in in zip(xs, batched, strict=True)
    )
    more = len(b._shape) - len(a._shape)
    if more > 0:
        a, lu, perm = (st.reshape(t, shape=(n, *(1,) * more, *t._shape[1:])) for t in (a, lu, perm))
    elif more:
        b = st.reshape(b, shape=(n, *(1,) * -more, *b._shape[1:]))
    return p(a, b, lu, perm, **attrs)


solve_by_factors = Primitive(
    "solve_by_factors", "a b lu perm", _solve_by_factors, shape=_solve_by_factors_shape, joint=_solve_by_factors_joint, accepts=INEXACT,
    jvp=lambda xs, ts, outs, attrs: [solve_by_factors(xs[0], _moved(ts[0], ts[1], outs[0], attrs["adjoint"]), *xs[2:], **attrs)],
    holomorphic=False, batch=_batch_by_factors, surrogate=True, cases=lambda rng: [], tf="MatrixSolve",
    doc="The solution of a x = b by factors of a that are known already. They belong to a, so derivatives are those with respect to a.",
)  # fmt: skip


def _inverse(x: Any) -> Any:
    require_square(x)
    if x.ndim == 2 and x.shape[0] > SMALL:
        out = lapack.inverse(x)
    else:
        try:
            out = np.linalg.inv(x)
        except np.linalg.LinAlgError:
            out = None
    if out is None:
        raise invalid(SINGULAR)
    return out


inverse = Primitive(
    "inverse", "x", _inverse, shape=square, grad=(lambda g, out: -times(times(out, g, adjoint_x=True), out, adjoint_y=True),), accepts=INEXACT,
    jvp=lambda xs, ts, outs, attrs: [-times(times(outs[0], ts[0]), outs[0])],
    holomorphic=False, batch=st._pointwise, tf="MatrixInverse", doc="The inverse matrix.",
    cases=lambda rng: [((_near_identity(rng, *s),), {}) for s in ((3, 3), (2, 3, 3), (1, 1), (0, 0), (0, 3, 3), (20, 20))],
    reference=lambda x: np.linalg.solve(x, np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)),
)  # fmt: skip

# -- banded ----------------------------------------------------------------------------------------------------------------
# Bands are kept as TensorFlow does: (..., upper + 1 + lower, n), the highest diagonal first, each element in the column of its row in the
# matrix: bands[upper - k, i] = a[i, i + k]. Elements that stand for none are not read.


def _lapack_bands(bands: Any, lower: int, upper: int) -> Any:
    """The bands of one matrix as LAPACK has them: each element in the column of its column in the matrix, ab[upper - k, i + k] = a[i, i + k]."""
    n = bands.shape[-1]
    ab = np.zeros(bands.shape, bands.dtype, "F")
    for r, k in enumerate(range(upper, -lower - 1, -1)):
        size = max(n - abs(k), 0)
        ab[r, max(k, 0) : max(k, 0) + size] = bands[r, max(-k, 0) : max(-k, 0) + size]
    return ab


def _banded_solve_one(bands: Any, b: Any, lower: int, upper: int, adjoint: bool) -> Any:
    if not b.size:
        return np.zeros(b.shape, b.dtype)
    n, kind = bands.shape[-1], bands.dtype.char
    ab = _lapack_bands(bands, lower, upper)
    if (lower, upper) == (1, 1) and n > 1:
        above, diagonal, below = ab[0, 1:], ab[1], ab[2, :-1]
        if adjoint:
            above, diagonal, below = below.conj(), diagonal.conj(), above.conj()
        *_, x, info = scipys("gtsv", kind)(below, diagonal, above, b)
    elif 0 in (lower, upper):
        keep = min(len(ab), n)  # LAPACK takes no more diagonals than there are
        ab = ab[:keep] if upper == 0 else ab[len(ab) - keep :]
        info = 0 if ab[0 if upper == 0 else -1].all() else 1
        if not info:
            x, info = scipys("tbtrs", kind)(ab, b, uplo="L" if upper == 0 else "U", trans="C" if adjoint else "N")
    else:
        padded = np.zeros((lower + len(ab), n), ab.dtype, "F")  # room for what pivoting fills in
        padded[lower:] = ab
        lu, pivots, info = scipys("gbtrf", kind)(padded, lower, upper)
        if not info:
            x, _ = scipys("gbtrs", kind)(lu, lower, upper, b, pivots, trans=2 * adjoint)
    if info:
        raise invalid(SINGULAR)
    return x


def _banded_solve(bands: Any, b: Any, *, lower: int, upper: int, adjoint: bool) -> Any:
    if (
        bands.ndim < 2
        or b.ndim < 2
        or bands.shape[-2] != lower + upper + 1
        or bands.shape[-1] != b.shape[-2]
        or bands.dtype != b.dtype
    ):
        raise ValueError("bands and right-hand sides do not fit")
    one = lambda s, c: _banded_solve_one(s, c, lower, upper, adjoint)
    if bands.ndim == 2:
        return side_by_side(lambda c: one(bands, c), b)
    return each(one, b.shape[-2:], b.dtype, bands, b)


def _banded_solve_shape(bands: Aval, b: Aval, *, lower: int, upper: int, adjoint: bool) -> Aval:
    same_dtype("BandedSolve", bands, b)
    k, n = matrices(bands).shape[-2:]
    if k not in (None, lower + upper + 1):
        raise invalid(f"Expected {lower + upper + 1} diagonals got {k} (shape {dims_text(bands.shape)}).")
    rows = matrices(b, 1).shape[-2]
    if n != rows and None not in (n, rows):
        raise invalid(f"Expected number of left-hand sided and right-hand sides to be equal, got {n} and {rows}: the bands have shape {dims_text(bands.shape)}, "
                      f"the right-hand sides {dims_text(b.shape)}.")  # fmt: skip
    batch = common_batch("BandedSolve", bands.shape[:-2], b.shape[:-2])
    return Aval((*batch, rows if n is None else n, b.shape[-1]), b.dtype)


def _banded_solve_joint(g: Any, wanted: tuple, xs: tuple, x: Any, attrs: dict) -> list:
    (bands, b), turned = xs, attrs["adjoint"]
    y = banded_solve(bands, g, **{**attrs, "adjoint": not turned})

    def of_bands() -> Any:
        left, right = (x, y) if turned else (y, x)
        each_band = [_band_of_product(left, right, k) for k in range(attrs["upper"], -attrs["lower"] - 1, -1)]
        return rd.sum_to(-st.stack(*each_band, axis=len(x._shape) - 2), bands._shape)

    return [of_bands() if i == 0 else rd.sum_to(y, b._shape) for i in wanted]


def _band_of_product(x: Any, y: Any, k: int) -> Any:
    """Diagonal ``k`` of x yᴴ, each element in the place of its row, zeros elsewhere; in linear time."""
    axis, n = len(x._shape) - 2, x._shape[-2]
    first, size = max(-k, 0), max(n - abs(k), 0)
    first = min(first, n)
    d = indexing.along(x, axis, first, first + size) * conj(
        indexing.along(y, axis, first + k if size else 0, first + k + size if size else 0)
    )
    d = rd.sum(d, axis=(axis + 1,), keepdims=False)
    return st.pad(d, paddings=((0, 0),) * axis + ((first, n - first - size),), value=0)


def _banded_cases(rng: Any) -> list:
    def case(batch: tuple, lower: int, upper: int, n: int, b: tuple, turned: bool) -> tuple:
        bands = rng.uniform(-0.3, 0.3, (*batch, lower + upper + 1, n))
        bands[..., upper, :] += 2
        return (bands, rng.uniform(-2, 2, b)), {"lower": lower, "upper": upper, "adjoint": turned}

    shapes = [((), 1, 1, 4, (4, 2)), ((), 1, 0, 4, (4, 1)), ((), 0, 2, 4, (4, 2)), ((), 2, 1, 5, (5, 1)), ((2,), 1, 1, 3, (2, 3, 1)), ((), 1, 1, 3, (2, 3, 1)),
              ((2,), 0, 1, 3, (3, 1)), ((), 1, 1, 1, (1, 2)), ((), 1, 1, 2, (2, 1)), ((), 0, 0, 3, (3, 1)), ((), 4, 0, 3, (3, 1)), ((), 0, 0, 0, (0, 1))]  # fmt: skip
    return [case(*s, turned) for s in shapes for turned in (False, True)]


def _banded_reference(bands: Any, b: Any, *, lower: int, upper: int, adjoint: bool) -> Any:
    n = bands.shape[-1]
    a = np.zeros((*bands.shape[:-2], n, n), bands.dtype)
    for r, k in enumerate(range(upper, -lower - 1, -1)):
        for i in range(max(-k, 0), min(n, n - k)):
            a[..., i, i + k] = bands[..., r, i]
    return np.linalg.inv(herm(a) if adjoint else a) @ b


banded_solve = Primitive(
    "banded_solve", "bands b", _banded_solve, shape=_banded_solve_shape, joint=_banded_solve_joint, accepts=INEXACT, holomorphic=False,
    batch=ew.batch_elementwise, cases=_banded_cases, reference=_banded_reference,
    doc="The solution of a x = b, or of aᴴ x = b, for a matrix given by the diagonals that are not zero.",
)  # fmt: skip
