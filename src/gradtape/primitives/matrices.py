"""What the families of linear algebra share: stacks of matrices, LAPACK, and the products that their gradient rules are written in.

A stack is an array whose last two dimensions are matrices; those before them, any number, are its batch. Cotangents are TensorFlow's,
dL = Re tr(gᴴ dx): the rules of these families are written with adjoints, so that they hold for real and complex matrices alike, and their
rows are ``holomorphic=False`` (the driver conjugates nothing).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ..ground.errors import InvalidArgumentError, invalid
from ..ground.primitive import Aval
from ..ground.shapes import broadcast, dims_text
from . import elementwise as ew
from . import reduction as rd
from . import structure as st
from .contraction import _mixed, einsum, product

SINGULAR = "Input is not invertible: the matrix, or one of the batch, is singular."

# -- shape rules -----------------------------------------------------------------------------------------------------------


def matrices(x: Aval, i: int = 0) -> Aval:
    """``x``, checked to be a stack of matrices."""
    if x.ndim < 2:
        raise invalid(
            f"Input tensor {i} must have rank >= 2, got {x.ndim}: matrices are wanted, but the shape is {dims_text(x.shape)}."
        )
    return x


def square(x: Aval, i: int = 0) -> Aval:
    """``x``, checked to be a stack of square matrices."""
    m, n = matrices(x, i).shape[-2:]
    if m != n and None not in (m, n):
        raise invalid(f"Input matrix must be square, but its shape is {dims_text(x.shape)}.")
    return x


def same_dtype(op: str, *xs: Aval) -> None:
    """InvalidArgumentError unless all have the dtype of the first."""
    for i, x in enumerate(xs):
        if x.dtype is not xs[0].dtype:
            raise invalid(_mixed(op, i, xs[0].dtype, x.dtype))


def common_batch(op: str, *batches: tuple) -> tuple:
    """The shape to which the batch dimensions of several inputs broadcast."""
    try:
        return broadcast(*batches)
    except InvalidArgumentError:
        raise invalid(f"{op}: the batch dimensions {' and '.join(map(dims_text, batches))} do not broadcast.") from None


def system(a: Aval, b: Aval, op: str = "MatrixSolve") -> Aval:
    """The shape of x in a x = b."""
    same_dtype(op, a, b)
    n, rows = square(a).shape[-1], matrices(b, 1).shape[-2]
    if n != rows and None not in (n, rows):
        raise invalid(
            f"Input matrix and rhs are incompatible: a matrix of shape {dims_text(a.shape)} needs right-hand sides with {n} rows, "
            f"but their shape is {dims_text(b.shape)}."
        )
    return Aval((*common_batch(op, a.shape[:-2], b.shape[:-2]), rows if n is None else n, b.shape[-1]), b.dtype)


# -- kernels ---------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def scipys(name: str, kind: str) -> Callable:
    """SciPy's function for a routine of LAPACK, for the type whose NumPy character is ``kind``: for what ``lapack`` has not."""
    from scipy.linalg import lapack

    return getattr(lapack, dict(zip("fdFD", "sdcz", strict=True))[kind] + name)


def require_square(a: Any) -> None:
    """ValueError where the shape rule ``square`` refuses."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError("square matrices are wanted")


def require_system(a: Any, b: Any) -> None:
    """ValueError where the shape rule ``system`` refuses."""
    require_square(a)
    if b.ndim < 2 or a.shape[-1] != b.shape[-2] or a.dtype != b.dtype:
        raise ValueError("matrix and right-hand sides do not fit")


def each(f: Callable, shape: tuple[int, ...], dtype: Any, *stacks: Any) -> Any:
    """``f``, which gives arrays of ``shape``, on the members of stacks whose batches broadcast: one after the other."""
    batch = np.broadcast_shapes(*[s.shape[:-2] for s in stacks])
    if not batch:
        return f(*stacks)
    count = math.prod(batch)
    out = np.empty((count, *shape), dtype)
    flat = [np.broadcast_to(s, batch + s.shape[-2:]).reshape(count, *s.shape[-2:]) for s in stacks]
    for i, members in enumerate(zip(*flat, strict=True)):
        out[i] = f(*members)
    return out.reshape(batch + shape)


def side_by_side(f: Callable, b: Any) -> Any:
    """``f`` of the right-hand sides of a whole stack, as the columns of one matrix."""
    if b.ndim == 2:
        return f(b)
    *batch, n, k = b.shape
    wide = f(np.moveaxis(b, -2, 0).reshape(n, math.prod(batch) * k))
    return np.moveaxis(wide.reshape(n, *batch, k), 0, -2)


def herm(a: Any) -> Any:
    """The adjoints of an array of matrices."""
    a = a.swapaxes(-1, -2)
    return a.conj() if a.dtype.kind == "c" else a


# -- rules -----------------------------------------------------------------------------------------------------------------


def conj(x: Any) -> Any:
    """The conjugate; ``x`` itself where it is real."""
    return ew.conj(x) if x._d.is_complex else x


def adjoint(x: Any) -> Any:
    """The adjoints (conjugate transposes) of a Tensor of matrices."""
    n = len(x._shape)
    return conj(st.transpose(x, perm=(*range(n - 2), n - 1, n - 2)))


def times(x: Any, y: Any, adjoint_x: bool = False, adjoint_y: bool = False) -> Any:
    """x y, or the same of adjoints."""
    return product[adjoint_x, adjoint_y](conj(x) if adjoint_x else x, conj(y) if adjoint_y else y)


def times_adjoint(x: Any, y: Any, shape: tuple) -> Any:
    """x yᴴ, summed to ``shape`` over the dimensions along which a tensor of that shape was broadcast."""
    if len(shape) == 2 < len(x._shape):
        x, y = (st.reshape(t, shape=(math.prod(t._shape[:-2]), *t._shape[-2:])) for t in (x, y))
        return einsum(x, conj(y), equation="aij,akj->ik")
    return rd.sum_to(times(x, y, adjoint_y=True), shape)


def weighted(x: Any, below: float, diagonal: float, above: float) -> Any:
    """Matrices with the elements below, on and above the diagonal multiplied by three numbers."""
    m, n = x._shape[-2:]
    w = np.where(np.tri(m, n, dtype=bool), x._d.type(below), x._d.type(above))
    np.fill_diagonal(w, diagonal)
    return x * w


def on_diagonal(v: Any) -> Any:
    """Vectors as the diagonals of square matrices."""
    return rows(v, np.eye(v._shape[-1], dtype=v._d.np))


def diagonal(x: Any) -> Any:
    """The diagonals of square matrices, as vectors."""
    return rd.sum(x * np.eye(x._shape[-1], dtype=x._d.np), axis=(len(x._shape) - 1,), keepdims=False)


def columns(x: Any, v: Any) -> Any:
    """x diag(v)."""
    return x * st.expand_dims(v, len(v._shape) - 1)


def rows(v: Any, x: Any) -> Any:
    """diag(v) x."""
    return st.expand_dims(v, len(v._shape)) * x
