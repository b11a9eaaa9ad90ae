"""``tf.linalg.experimental``: the conjugate gradient method."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..core.arguments import integer
from ..core.products import matvec
from ..core.tensor import Tensor, constant, convert
from ..core.variable import Variable
from ..ground.dtypes import int32
from ..primitives import elementwise as ew
from ..primitives import reduction as rd
from ..primitives import structure as st
from ..tracing.control import while_loop

__all__ = ["conjugate_gradient"]


class CGState(NamedTuple):
    """Where the conjugate gradient method stands: steps done, solution, residual, direction, and the residual's squared norm."""

    i: Any
    x: Any
    r: Any
    p: Any
    gamma: Any


def conjugate_gradient(operator: Any, rhs: Any, preconditioner: Any = None, x: Any = None, tol: float = 1e-05, max_iter: int = 20,
                       name: str = "conjugate_gradient") -> CGState:  # fmt: skip
    """The solution of a x = rhs for a Hermitian positive definite a, by conjugate gradients (M. Hestenes and E. Stiefel, 1952).

    Args:
        operator: a Tensor of shape (..., n, n), or anything with a method ``matvec`` that multiplies vectors by a (a LinearOperator).
        rhs: a float or complex Tensor of shape (..., n).
        preconditioner: the same for an approximate inverse of a.
        x: where to start, of the shape of ``rhs``; zeros by default.
        tol: stop where the norm of each residual is at most ``tol`` times that of its right-hand side.
        max_iter: stop after so many steps.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``(i, x, r, p, gamma)``: the number of steps, the solution, the residual, the last direction, and the squared norm of the residual (as the
        preconditioner measures it). In a batch, those that have converged rest while the others go on.

    Raises:
        ValueError: ``operator`` says that it is not self-adjoint or not positive definite.

    >>> import gradtape as tf
    >>> state = tf.linalg.experimental.conjugate_gradient(tf.constant([[4.0, 1.0], [1.0, 3.0]]), [1.0, 2.0])
    >>> state.i.numpy(), (11 * state.x).numpy().round(3).tolist()
    (np.int32(2), [1.0, 7.0])
    """
    for what, a in (("operator", operator), ("preconditioner", preconditioner)):
        if getattr(a, "is_self_adjoint", True) is not True or getattr(a, "is_positive_definite", True) is not True:
            raise ValueError(
                f"Expected a self-adjoint, positive definite operator, but {what} does not say that it is both."
            )
    apply, precondition = _product(operator), _product(preconditioner)
    b = convert(rhs)
    limit = integer(max_iter, "max_iter")
    least = _norm(b) * st.cast(convert(tol), b._d.real_dtype)

    def goes_on(i: Any, x: Any, r: Any, p: Any, gamma: Any) -> Any:
        over = ew.greater(_norm(r), least)
        return ew.logical_and(
            ew.less(i, constant(limit, int32)), rd.any(over, axis=tuple(range(len(over._shape))), keepdims=False)
        )

    def step(i: Any, x: Any, r: Any, p: Any, gamma: Any) -> tuple:
        q = apply(p)
        alpha = _column(ew.divide_no_nan(gamma, _dot(p, q)))
        x, r = x + alpha * p, r - alpha * q
        z = precondition(r)
        new = _dot(r, z)
        return i + 1, x, r, z + _column(ew.divide_no_nan(new, gamma)) * p, new

    if x is None:
        x, r = st.zeros_like(b), b
    else:
        x = convert(x, b._d)
        r = b - apply(x)
    z = precondition(r)
    return CGState(*while_loop(goes_on, step, (constant(0, int32), x, r, z, _dot(r, z))))


def _product(a: Any) -> Any:
    """The function that multiplies vectors by ``a``."""
    if a is None:
        return lambda v: v
    if isinstance(a, Tensor | Variable) or not hasattr(a, "matvec"):
        matrix = convert(a)
        return lambda v: matvec(matrix, v)
    return a.matvec


def _dot(x: Any, y: Any) -> Any:
    """xᴴ y along the last axis."""
    return rd.sum((ew.conj(x) if x._d.is_complex else x) * y, axis=(len(x._shape) - 1,), keepdims=False)


def _norm(x: Any) -> Any:
    squared = _dot(x, x)
    return ew.sqrt(ew.real(squared) if squared._d.is_complex else squared)


def _column(v: Any) -> Any:
    return st.expand_dims(v, len(v._shape))
