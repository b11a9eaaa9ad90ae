"""``tf.math.special``: Bessel functions, exponential and Fresnel integrals; and those special functions of ``tf.math`` that few programs use."""

from __future__ import annotations

from typing import Any

from .core.arguments import alike
from .core.operators import pair, unary
from .core.tensor import convert
from .ground.errors import ConversionError, invalid, user_line
from .primitives import elementwise as ew
from .primitives import reduction as rd
from .primitives import special as sp

bessel_i0, bessel_i0e, bessel_i1, bessel_i1e = (
    unary(sp.bessel_i0),
    unary(sp.bessel_i0e),
    unary(sp.bessel_i1),
    unary(sp.bessel_i1e),
)
bessel_j0, bessel_j1, bessel_y0, bessel_y1 = (
    unary(sp.bessel_j0),
    unary(sp.bessel_j1),
    unary(sp.bessel_y0),
    unary(sp.bessel_y1),
)
bessel_k0, bessel_k0e, bessel_k1, bessel_k1e = (
    unary(sp.bessel_k0),
    unary(sp.bessel_k0e),
    unary(sp.bessel_k1),
    unary(sp.bessel_k1e),
)
dawsn, expint, spence = unary(sp.dawsn), unary(sp.expint), unary(sp.spence)
fresnel_cos, fresnel_sin = unary(sp.fresnel_cos), unary(sp.fresnel_sin)


def igamma(a: Any, x: Any, name: str | None = None) -> Any:
    """The regularised lower incomplete gamma function P(a, x) = ∫ t^(a-1) exp(-t) dt / Γ(a) from 0 to x (DLMF 8.2.4).

    Differentiable in both arguments, to any order.

    Args:
        a: a float Tensor of positive numbers, or anything that converts to one.
        x: a Tensor of the same dtype, of non-negative numbers; the shapes must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the broadcast shape; NaN where an argument is out of range.

    Raises:
        InvalidArgumentError: the dtypes differ or are no floats, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.math.igamma(tf.constant(1.0, tf.float64), [1.0, 2.0]).numpy().round(6).tolist()
    [0.632121, 0.864665]
    """
    a, x = pair(sp.igamma, a, x)
    return sp.igamma(a, x, n=0)


def igammac(a: Any, x: Any, name: str | None = None) -> Any:
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x) (DLMF 8.2.4).

    Args:
        a: a float Tensor of positive numbers, or anything that converts to one.
        x: a Tensor of the same dtype, of non-negative numbers; the shapes must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the broadcast shape; NaN where an argument is out of range.

    Raises:
        InvalidArgumentError: the dtypes differ or are no floats, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.math.igammac(tf.constant(1.0, tf.float64), [1.0, 2.0]).numpy().round(6).tolist()
    [0.367879, 0.135335]
    """
    return sp.igammac(*pair(sp.igammac, a, x))


def betainc(a: Any, b: Any, x: Any, name: str | None = None) -> Any:
    """The regularised incomplete beta function ∫ t^(a-1) (1-t)^(b-1) dt / B(a, b) from 0 to x (DLMF 8.17.2).

    Differentiable in ``x`` only, as in TensorFlow.

    Args:
        a: a float Tensor of positive numbers, or anything that converts to one.
        b: a Tensor like ``a``.
        x: a Tensor of the same dtype, of numbers between 0 and 1. The shapes must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the broadcast shape; NaN where an argument is out of range.

    Raises:
        InvalidArgumentError: the dtypes differ or are no floats, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.math.betainc(2.0, 2.0, [0.25, 0.5]).numpy().tolist()
    [0.15625, 0.5]
    """
    a, b, x = alike([a, b, x])
    for i, t in ((1, b), (2, x)):
        if t._d is not a._d:
            raise ConversionError(
                f"cannot compute Betainc as input #{i}(zero-based) was expected to be a {a._d.name} tensor but is a {t._d.name} tensor: "
                f"all must have one dtype. Convert one of them with tf.cast.{user_line()}"
            )
    return sp.betainc(a, b, x)


def zeta(x: Any, q: Any, name: str | None = None) -> Any:
    """Hurwitz's zeta function: the sum of 1 / (k + q)^x over k = 0, 1, ... (DLMF 25.11.1).

    Differentiable in ``q`` only, as in TensorFlow.

    Args:
        x: a float Tensor of numbers above 1, or anything that converts to one.
        q: a Tensor of the same dtype; the shapes must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the broadcast shape.

    Raises:
        InvalidArgumentError: the dtypes differ or are no floats, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.math.zeta(tf.constant(2.0, tf.float64), 1.0).numpy().round(6)
    np.float64(1.644934)
    """
    return sp.zeta(*pair(sp.zeta, x, q))


def polygamma(a: Any, x: Any, name: str | None = None) -> Any:
    """The a-th derivative of digamma at x; NaN where a is no non-negative integer. Differentiable in x only.

    Args:
        a: the order or orders, whole numbers in a float tensor that broadcasts with ``x``.
        x: a float Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the broadcast shape.

    Raises:
        InvalidArgumentError: the dtypes differ or are no floats, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.math.polygamma(1.0, tf.constant([1.0, 2.0], tf.float64)).numpy().round(6).tolist()
    [1.644934, 0.644934]
    """
    return sp.polygamma(*pair(sp.polygamma, a, x))


def lbeta(x: Any, name: str | None = None) -> Any:
    """The logarithm of the multivariate beta function, Σ log|Γ(x)| - log|Γ(Σ x)|, along the last axis.

    Args:
        x: a float Tensor of shape (..., n), or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (...): -inf for n = 0.

    Raises:
        InvalidArgumentError: ``x`` is a scalar, or a dtype that is no float.

    >>> import gradtape as tf
    >>> tf.math.lbeta(tf.constant([2.0, 3.0], tf.float64)).numpy().round(6)
    np.float64(-2.484907)
    """
    x = convert(x)
    if not x._shape:
        raise invalid("lbeta works along the last axis, but its argument is a scalar.")
    last = (len(x._shape) - 1,)
    total = ew.lgamma(rd.sum(x, axis=last, keepdims=False))
    return rd.sum(ew.lgamma(x), axis=last, keepdims=False) - total


def nextafter(x1: Any, x2: Any, name: str | None = None) -> Any:
    """The next number of the dtype after ``x1`` towards ``x2``. Its gradient is that of ``x1``.

    Args:
        x1: a float Tensor, or anything that converts to one.
        x2: a Tensor of the same dtype; the shapes must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the broadcast shape.

    Raises:
        InvalidArgumentError: the dtypes differ or are no floats, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.math.nextafter(1.0, 2.0).numpy() - 1
    np.float32(1.1920929e-07)
    """
    return sp.nextafter(*pair(sp.nextafter, x1, x2))


__all__ = [
    "bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e", "bessel_j0", "bessel_j1", "bessel_k0", "bessel_k0e", "bessel_k1", "bessel_k1e",
    "bessel_y0", "bessel_y1", "dawsn", "expint", "fresnel_cos", "fresnel_sin", "spence",
]  # fmt: skip
