"""``tf.math``: elementwise functions, reductions, and what is composed of them.

The functions of one row of the table are made by ``unary`` and ``binary``; the others state their composition here.
"""

from __future__ import annotations

import importlib as _importlib
import math as _math
from typing import Any

from .core.operators import (
    abs,
    add,
    binary,
    equal,
    floordiv,
    floormod,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    multiply,
    negative,
    not_equal,
    pair,
    pow,
    subtract,
    truediv,
    unary,
)
from .core.reductions import (
    argmax,
    argmin,
    count_nonzero,
    cumprod,
    cumsum,
    cumulative_logsumexp,
    reduce_all,
    reduce_any,
    reduce_euclidean_norm,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_std,
    reduce_sum,
    reduce_variance,
)
from .core.tensor import Tensor, convert
from .ground.dtypes import float32, float64
from .ground.errors import invalid
from .ground.shapes import TensorShape
from .primitives import elementwise as ew
from .primitives import reduction as rd
from .primitives import structure as st
from .primitives.indexing import IndexedSlices, along

# -- one row each --------------------------------------------------------------------------------------------------------

mod = floormod
realdiv, truncatediv, truncatemod = binary(ew.div), binary(ew.truncatediv), binary(ew.truncatemod)
maximum, minimum = binary(ew.maximum), binary(ew.minimum)
squared_difference = binary(ew.squared_difference)
multiply_no_nan, xdivy, xlogy, xlog1py = (
    binary(ew.multiply_no_nan),
    binary(ew.xdivy),
    binary(ew.xlogy),
    binary(ew.xlog1py),
)

sign, square, sqrt, rsqrt, reciprocal = (
    unary(ew.sign),
    unary(ew.square),
    unary(ew.sqrt),
    unary(ew.rsqrt),
    unary(ew.reciprocal),
)
exp, expm1, log, log1p, sigmoid = unary(ew.exp), unary(ew.expm1), unary(ew.log), unary(ew.log1p), unary(ew.sigmoid)
sin, cos, tan, asin, acos, atan = (
    unary(ew.sin),
    unary(ew.cos),
    unary(ew.tan),
    unary(ew.asin),
    unary(ew.acos),
    unary(ew.atan),
)
sinh, cosh, tanh, asinh, acosh, atanh = (
    unary(ew.sinh),
    unary(ew.cosh),
    unary(ew.tanh),
    unary(ew.asinh),
    unary(ew.acosh),
    unary(ew.atanh),
)
erf, erfc, erfinv, ndtri, lgamma, digamma = (
    unary(ew.erf),
    unary(ew.erfc),
    unary(ew.erfinv),
    unary(ew.ndtri),
    unary(ew.lgamma),
    unary(ew.digamma),
)
floor, ceil, rint, round = unary(ew.floor), unary(ew.ceil), unary(ew.rint), unary(ew.round)
is_nan, is_inf, is_finite = unary(ew.is_nan), unary(ew.is_inf), unary(ew.is_finite)

# TensorFlow names the arguments of these differently.
_atan2, _divide_no_nan, _softplus = binary(ew.atan2), binary(ew.divide_no_nan), unary(ew.softplus)


def atan2(y: Any, x: Any, name: str | None = None) -> Any:
    """The angle of the point (x, y) in radians, in (-pi, pi]: the inverse tangent of y / x with the quadrant right.

    Args:
        y: a float Tensor, or anything that converts to one.
        x: a Tensor of the same dtype; the shapes must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the broadcast shape.

    Raises:
        InvalidArgumentError: the dtypes differ or are no floats, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.math.atan2(1., -1.).numpy().round(4)
    np.float32(2.3562)
    """
    return _atan2(y, x)


def softplus(features: Any, name: str | None = None) -> Any:
    """log(1 + exp(x)), without overflow.

    Args:
        features: a float Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``features``.

    Raises:
        InvalidArgumentError: a dtype that is no float.

    >>> import gradtape as tf
    >>> tf.math.softplus([0., 1000.]).numpy().tolist()
    [0.6931471824645996, 1000.0]
    """
    return _softplus(features)


def divide(x: Any, y: Any, name: str | None = None) -> Any:
    """Python's x / y, elementwise: integers become floats first, as in ``tf.truediv``.

    Args:
        x: a numeric Tensor, or anything that converts to one.
        y: a Tensor of the same dtype; the shapes must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the broadcast shape.

    Raises:
        InvalidArgumentError: the dtypes differ, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.divide([1, 2], 4).numpy().tolist()
    [0.25, 0.5]
    """
    return truediv(x, y)


def divide_no_nan(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y, and 0 where y is 0. Integers become floats first, as in ``tf.truediv``.

    Args:
        x: a numeric Tensor, or anything that converts to one.
        y: a Tensor of the same dtype; the shapes must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the broadcast shape.

    Raises:
        InvalidArgumentError: the dtypes differ, or the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.math.divide_no_nan([3., 1.], [2., 0.]).numpy().tolist()
    [1.5, 0.0]
    """
    x, y = pair(ew.divide_no_nan, x, y)
    if x._d.is_integer:
        to = float32 if x._d.size <= 2 else float64
        x, y = st.cast(x, to), st.cast(y, to)
    return ew.divide_no_nan(x, y)


def reciprocal_no_nan(x: Any, name: str | None = None) -> Any:
    """1 / x, and 0 where x is 0.

    Args:
        x: a float or complex Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``x``.

    Raises:
        InvalidArgumentError: a dtype that it does not take.

    >>> import gradtape as tf
    >>> tf.math.reciprocal_no_nan([2., 0.]).numpy().tolist()
    [0.5, 0.0]
    """
    x = convert(x)
    return ew.divide_no_nan(st.ones_like(x), x)


def log_sigmoid(x: Any, name: str | None = None) -> Any:
    """log(1 / (1 + exp(-x))), without overflow.

    Args:
        x: a float Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``x``.

    Raises:
        InvalidArgumentError: a dtype that is no float.

    >>> import gradtape as tf
    >>> tf.math.log_sigmoid([0., -1000.]).numpy().tolist()
    [-0.6931471824645996, -1000.0]
    """
    return ew.neg(ew.softplus(ew.neg(convert(x))))


def erfcinv(x: Any, name: str | None = None) -> Any:
    """The inverse of erfc on (0, 2).

    Args:
        x: a float Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape of ``x``.

    Raises:
        InvalidArgumentError: a dtype that is no float.

    >>> import gradtape as tf
    >>> tf.math.erfcinv(tf.constant([0.5, 1.5], tf.float64)).numpy().round(6).tolist()
    [0.476936, -0.476936]
    """
    x = convert(x)
    return ew.ndtri(0.5 * x) * -_math.sqrt(0.5)


# -- complex numbers -----------------------------------------------------------------------------------------------------


def complex(real: Any, imag: Any, name: str | None = None) -> Any:
    """The complex number with the given parts.

    Args:
        real: a float32 or float64 Tensor, or anything that converts to one.
        imag: a Tensor of the same dtype; the shapes must broadcast.
        name: ignored, for TensorFlow's sake.

    Returns:
        A complex64 or complex128 Tensor of the broadcast shape.

    Raises:
        TypeError: the parts are not both float32 or both float64.
        InvalidArgumentError: the shapes do not broadcast.

    >>> import gradtape as tf
    >>> tf.complex(1., [2., 3.]).numpy().tolist()
    [(1+2j), (1+3j)]
    """
    if isinstance(real, Tensor) or not isinstance(imag, Tensor):
        x = convert(real)
        y = convert(imag, None, x._d)
    else:
        y = convert(imag)
        x = convert(real, None, y._d)
    if x._d is not y._d or x._d not in (float32, float64):
        raise TypeError(
            f"The `real` and `imag` components have incorrect types: {x._d.name} {y._d.name}. They must be consistent, and one of [tf.float32, tf.float64]."
        )
    return ew.complex(x, y)


def real(input: Any, name: str | None = None) -> Any:
    """The real part; ``input`` itself where it is real.

    Args:
        input: a numeric Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A real Tensor of the same shape.

    Raises:
        TypeError: ``input`` is not numeric.

    >>> import gradtape as tf
    >>> tf.math.real([1 + 2j, 3j]).numpy().tolist()
    [1.0, 0.0]
    """
    x = convert(input)
    if not x._d.is_numeric:
        raise TypeError(f"input must be a numeric tensor, but got tensor with dtype {x._d}.")
    return ew.real(x) if x._d.is_complex else x


def imag(input: Any, name: str | None = None) -> Any:
    """The imaginary part; zeros where ``input`` is real.

    Args:
        input: a numeric Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A real Tensor of the same shape.

    >>> import gradtape as tf
    >>> tf.math.imag([1 + 2j, 3j]).numpy().tolist()
    [2.0, 3.0]
    """
    x = convert(input)
    return ew.imag(x) if x._d.is_complex else st.zeros_like(x)


def conj(x: Any, name: str | None = None) -> Any:
    """The complex conjugate; ``x`` itself where it is real.

    Args:
        x: a numeric Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        TypeError: ``x`` is not numeric.

    >>> import gradtape as tf
    >>> tf.math.conj([1 + 2j]).numpy().tolist()
    [(1-2j)]
    """
    x = convert(x)
    if not x._d.is_numeric:
        raise TypeError(f"Expected numeric or variant tensor, got dtype {x._d!r}.")
    return ew.conj(x) if x._d.is_complex else x


def angle(input: Any, name: str | None = None) -> Any:
    """The argument of a complex number in radians; for real numbers 0, or pi where they are negative.

    Args:
        input: a float or complex Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A real Tensor of the same shape.

    Raises:
        TypeError: ``input`` is neither.

    >>> import gradtape as tf
    >>> tf.math.angle([1j, 1 + 0j]).numpy().round(4).tolist()
    [1.5708, 0.0]
    """
    x = convert(input)
    if x._d.is_complex:
        return ew.angle(x)
    if not x._d.is_floating:
        raise TypeError(f"The angle of a {x._d.name} tensor is no {x._d.name}: convert it to a float with tf.cast.")
    zeros = st.zeros_like(x)
    return ew.select(ew.less(x, zeros), st.full_like(x, value=_math.pi), zeros)


# -- sums, norms, fractions ------------------------------------------------------------------------------------------------


def add_n(inputs: Any, name: str | None = None) -> Any:
    """The sum of tensors of one shape and dtype.

    Args:
        inputs: a list of numeric Tensors, or of what converts to them; or one tensor, whose rows are added.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of their shape and dtype.

    Raises:
        ValueError: an empty list.
        InvalidArgumentError: the shapes or dtypes differ.

    >>> import gradtape as tf
    >>> tf.add_n([[1., 2.], [3., 4.], [5., 6.]]).numpy().tolist()
    [9.0, 12.0]
    """
    if isinstance(inputs, Tensor):
        return rd.sum(inputs, axis=(0,), keepdims=False)
    if not isinstance(inputs, list | tuple) or not inputs:
        raise ValueError("inputs must be a list of at least one tensor, all of one dtype and shape.")
    xs = [convert(x) for x in inputs]
    for i, x in enumerate(xs):
        if x._d is not xs[0]._d:
            raise invalid(
                f"cannot compute AddN as input #{i}(zero-based) was expected to be a {xs[0]._d.name} tensor but is a {x._d.name} tensor: convert it with tf.cast."
            )
    return ew.add_n(*xs)


def accumulate_n(inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None) -> Any:
    """The sum of tensors of one shape and dtype, as ``tf.add_n``.

    Args:
        inputs: a list of numeric Tensors.
        shape: the shape they must have, or None.
        tensor_dtype: the dtype they must have, or None.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of their shape and dtype.

    Raises:
        ValueError: an empty list, or shapes that differ.
        TypeError: they do not have ``tensor_dtype``.

    >>> import gradtape as tf
    >>> tf.math.accumulate_n([[1, 2], [3, 4]]).numpy().tolist()
    [4, 6]
    """
    if not isinstance(inputs, list | tuple) or not inputs:
        raise ValueError("inputs must be a list of at least one tensor, all of one dtype and shape.")
    xs = [convert(x) for x in inputs]
    if tensor_dtype is not None and tensor_dtype != xs[0]._d:
        raise TypeError(
            f"The `tensor_dtype` argument is {tensor_dtype}, but `input` is of type {xs[0]._d}. These must be equal. Try casting the input to the desired type."
        )
    for x in xs:
        TensorShape(shape).assert_is_compatible_with(x._shape)
    return add_n(xs)


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Any:
    """A scalar times a tensor (or the rows of an IndexedSlices).

    Args:
        scalar: a number, or a Tensor of shape () and the dtype of ``x``.
        x: a Tensor, anything that converts to one, or IndexedSlices.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor (IndexedSlices) like ``x``.

    Raises:
        ValueError: ``scalar`` is none, or of another dtype.
        TypeError: a float for a tensor of integers.

    >>> import gradtape as tf
    >>> tf.scalar_mul(2., tf.constant([1., 2.])).numpy().tolist()
    [2.0, 4.0]
    """
    if isinstance(x, IndexedSlices):
        return IndexedSlices(scalar_mul(scalar, x.values), x.indices, x._dense_shape)
    x = convert(x)
    s = convert(scalar, x._d)
    if s._shape:
        raise ValueError(f"Only scalar multiply works, got shape {TensorShape(s._shape)}.")
    return ew.mul(s, x)


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Any:
    """``x`` divided by its Euclidean norm along axes: x / sqrt(max(sum(x²), epsilon)).

    Args:
        x: a float or complex Tensor, or anything that converts to one.
        axis: an axis or several, None for all.
        epsilon: the least sum of squares that is divided by.
        name: ignored, for TensorFlow's sake.
        dim: the old name of ``axis``.

    Returns:
        A Tensor of the shape of ``x``.

    Raises:
        InvalidArgumentError: an axis is out of range or given twice, or a dtype that it does not take.

    >>> import gradtape as tf
    >>> tf.math.l2_normalize(tf.constant([3.0, 4.0], tf.float64)).numpy().round(6).tolist()
    [0.6, 0.8]
    """
    x = convert(x)
    axis = dim if axis is None else axis
    if x._d.is_complex:
        squares = ew.square(ew.real(x)) + ew.square(ew.imag(x))
        scale = ew.rsqrt(maximum(reduce_sum(squares, axis, True), epsilon))
        return ew.complex(ew.real(x) * scale, ew.imag(x) * scale)
    return ew.mul(x, ew.rsqrt(maximum(reduce_sum(ew.square(x), axis, True), epsilon)))


def zero_fraction(value: Any, name: str | None = None) -> Any:
    """The fraction of elements that are zero; NaN where there are none.

    Args:
        value: a Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A float32 Tensor of shape ().

    >>> import gradtape as tf
    >>> tf.math.zero_fraction([0., 1., 0., 2.]).numpy()
    np.float32(0.5)
    """
    x = convert(value)
    zeros = st.cast(ew.equal(x, st.zeros_like(x)), float32)
    return rd.mean(zeros, axis=tuple(range(len(x._shape))), keepdims=False)


def polyval(coeffs: Any, x: Any, name: str | None = None) -> Any:
    """The polynomial with the given coefficients at x, by Horner's rule.

    Args:
        coeffs: a list of coefficients, that of the highest power first, each a number or a Tensor.
        x: where to evaluate: a Tensor, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the dtype of ``x`` and the broadcast shape.

    Raises:
        ValueError: ``coeffs`` is no list.

    >>> import gradtape as tf
    >>> tf.math.polyval([2., 0., 1.], 3.).numpy()
    np.float32(19.0)
    """
    if not isinstance(coeffs, list):
        raise ValueError(f"Argument coeffs must be list type. Received type {type(coeffs)}.")
    x = convert(x)
    if not coeffs:
        return st.zeros_like(x)
    p = convert(coeffs[0], None, x._d)
    for c in coeffs[1:]:
        p = add(multiply(p, x), c)
    return p


def is_non_decreasing(x: Any, name: str | None = None) -> Any:
    """Whether no element, in row-major order, is less than the one before it.

    >>> import gradtape as tf
    >>> tf.math.is_non_decreasing([1, 1, 2]).numpy()
    np.True_
    """
    before, after = _neighbours(x)
    return reduce_all(ew.less_equal(before, after))


def is_strictly_increasing(x: Any, name: str | None = None) -> Any:
    """Whether each element, in row-major order, is greater than the one before it.

    >>> import gradtape as tf
    >>> tf.math.is_strictly_increasing([1, 1, 2]).numpy()
    np.False_
    """
    before, after = _neighbours(x)
    return reduce_all(ew.less(before, after))


def _neighbours(x: Any) -> tuple[Any, Any]:
    x = convert(x)
    n = _math.prod(x._shape)
    flat = st.reshape(x, shape=(n,))
    return along(flat, 0, 0, max(n - 1, 0)), along(flat, 0, min(1, n), n)


# imported when first used
_IN_SPECIAL = (
    "bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e", "betainc", "igamma", "igammac", "lbeta", "nextafter", "polygamma", "zeta",
)  # fmt: skip


_IN = {
    "counting": ("bincount", "confusion_matrix"),
    "segments": (
        "segment_max", "segment_mean", "segment_min", "segment_prod", "segment_sum", "unsorted_segment_max", "unsorted_segment_mean",
        "unsorted_segment_min", "unsorted_segment_prod", "unsorted_segment_sqrt_n", "unsorted_segment_sum",
    ),
    "sorting": (
        "approx_max_k", "approx_min_k", "cummax", "cummin", "in_top_k", "invert_permutation", "median", "percentile", "quantile", "top_k",
    ),
    "neural.activations": ("log_softmax", "softmax", "softsign"),
    "special": _IN_SPECIAL,
}  # fmt: skip
_LATE = {name: module for module, names in _IN.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "special":
        return _importlib.import_module("gradtape.special")
    if name in _LATE:
        return getattr(_importlib.import_module(f"gradtape.{_LATE[name]}"), name)
    raise AttributeError(f"module 'gradtape.math' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE, "special"})


__all__ = [
    "abs", "accumulate_n", "acos", "acosh", "add", "add_n", "angle", "argmax", "argmin", "asin", "asinh",
    "atan", "atan2", "atanh", "ceil", "conj", "cos", "cosh", "count_nonzero", "cumprod",
    "cumsum", "cumulative_logsumexp", "digamma", "divide", "divide_no_nan", "equal", "erf", "erfc",
    "erfcinv", "erfinv", "exp", "expm1", "floor", "floordiv", "floormod", "greater", "greater_equal",
    "imag", "is_finite", "is_inf", "is_nan", "is_non_decreasing", "is_strictly_increasing",
    "l2_normalize", "less", "less_equal", "lgamma", "log", "log1p", "log_sigmoid", "logical_and",
    "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "mod", "multiply",
    "multiply_no_nan", "ndtri", "negative", "not_equal", "polyval", "pow", "real",
    "reciprocal", "reciprocal_no_nan", "reduce_all", "reduce_any", "reduce_euclidean_norm",
    "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_std",
    "reduce_sum", "reduce_variance", "rint", "round", "rsqrt", "scalar_mul", "sigmoid", "sign", "sin",
    "sinh", "softplus", "sqrt", "square", "squared_difference", "subtract", "tan", "tanh", "truediv",
    "xdivy", "xlog1py", "xlogy", "zero_fraction", *_IN_SPECIAL,
]  # fmt: skip
