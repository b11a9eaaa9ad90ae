"""Keras's NumPy-like operations on gradtape: making, arranging and indexing tensors, and products.

The elementwise functions and the reductions are in modules of their own; Keras looks for all of them here.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras.src.backend import config
from keras.src.backend.common import KerasVariable, standardize_dtype
from keras.src.backend.common.backend_utils import vectorize_impl

import gradtape as tf

# isort: off
from ._elementwise import (  # noqa: F401
    abs, absolute, add, angle, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, bartlett, bitwise_and, bitwise_invert,
    bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, blackman, cbrt, ceil, clip, conj, conjugate, copy, cos,
    cosh, deg2rad, divide, divide_no_nan, equal, exp, exp2, expm1, fabs, floor, floor_divide, fmax, fmin, fmod, gcd, greater, greater_equal,
    hamming, hanning, heaviside, hypot, i0, imag, isclose, isfinite, isinf, isnan, isneginf, isposinf, isreal, kaiser, lcm, ldexp, left_shift,
    less, less_equal, log, log1p, log2, log10, logaddexp, logaddexp2, logical_and, logical_not, logical_or, logical_xor, maximum, minimum, mod,
    multiply, nan_to_num, negative, nextafter, not_equal, power, rad2deg, real, reciprocal, right_shift, round, sign, signbit, sin, sinc, sinh,
    sqrt, square, subtract, tan, tanh, true_divide, trunc,
)  # fmt: skip
from ._promotion import common, floating, host, numeric, result_type
from ._reductions import (  # noqa: F401
    all, amax, amin, any, argmax, argmin, average, bincount, count_nonzero, cumprod, cumsum, histogram, max, mean, median, min, nanargmax,
    nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmedian, nanmin, nanpercentile, nanprod, nanquantile, nanstd, nansum, nanvar,
    percentile, prod, ptp, quantile, std, sum, var,
)  # fmt: skip
from .core import cast, convert_to_tensor, shape
# isort: on


def _rank(x: Any) -> int:
    return len(x.shape)


def _bool_as_int(f: Callable) -> Callable:
    """``f`` of a tensor where booleans go as bytes and come back."""

    def g(x: Any, *args: Any) -> Any:
        return tf.cast(f(tf.cast(x, "uint8"), *args), "bool") if x.dtype is tf.bool else f(x, *args)

    return g


# -- making -----------------------------------------------------------------------------------------------------------------


def array(x: Any, dtype: Any = None) -> Any:
    """A tensor of a value."""
    return convert_to_tensor(x, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor filled with a value."""
    return tf.broadcast_to(convert_to_tensor(fill_value, dtype or config.floatx()), shape)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor of the shape of ``x``, filled with a value."""
    x = convert_to_tensor(x)
    return tf.broadcast_to(convert_to_tensor(fill_value, dtype or x.dtype.name), shape(x))


def ones(shape: Any, dtype: Any = None) -> Any:
    """Ones."""
    return tf.ones(shape, standardize_dtype(dtype))


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Zeros."""
    return tf.zeros(shape, standardize_dtype(dtype))


def empty(shape: Any, dtype: Any = None) -> Any:
    """Zeros: nothing is left to chance."""
    return zeros(shape, dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones of the shape of ``x``."""
    return tf.ones_like(convert_to_tensor(x), dtype and standardize_dtype(dtype))


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of the shape of ``x``."""
    return tf.zeros_like(convert_to_tensor(x), dtype and standardize_dtype(dtype))


def empty_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of the shape of ``x``."""
    return zeros_like(x, dtype)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """The numbers from ``start`` up to ``stop``, by ``step``."""
    if dtype is None:
        dtype = result_type(*[getattr(v, "dtype", type(v)) for v in (start, stop, step) if v is not None])
    dtype = standardize_dtype(dtype)
    if stop is None:
        start, stop = 0, start
    numbers = [
        v if isinstance(v, int | float) else convert_to_tensor(v) for v in (start, stop, 1 if step is None else step)
    ]
    if builtins.all([isinstance(v, int | float) for v in numbers]):
        return convert_to_tensor(np.arange(*numbers), dtype)
    within = dtype if dtype in ("int32", "int64", "float32", "float64") else "float32"
    return cast(tf.range(*[cast(v, within) for v in numbers]), dtype)


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    """``num`` numbers from ``start`` to ``stop`` at one distance."""
    start, stop = common(start, stop, also=float)
    to = start.dtype.name if dtype is None else standardize_dtype(dtype)
    start, stop = (tf.cast(v, "float32") if v.dtype.size == 2 else v for v in (start, stop))
    gaps = num - 1 if endpoint else num
    count = tf.cast(tf.maximum(gaps, 1), start.dtype)
    rank = _rank(start + stop)
    t = tf.reshape(tf.cast(tf.range(num), start.dtype) / count, [-1] + [1] * rank)
    out = start * (1.0 - t) + stop * t
    if "int" in to:
        out = tf.floor(out)
    out = moveaxis(cast(out, to), 0, axis) if rank else cast(out, to)
    return (out, tf.where(gaps > 0, (stop - start) / count, math.nan)) if retstep else out


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None, axis: int = 0
) -> Any:
    """``num`` powers of ``base``, the exponents from ``start`` to ``stop`` at one distance."""
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    to = exponents.dtype.name if dtype is None else standardize_dtype(dtype)
    exponents = tf.cast(exponents, "float32") if exponents.dtype.size == 2 else exponents
    return cast(tf.pow(convert_to_tensor(base, exponents.dtype.name), exponents), to)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """``num`` numbers from ``start`` to ``stop``, each the same multiple of the one before."""
    start, stop = common(start, stop, also=float)
    to = start.dtype.name if dtype is None else standardize_dtype(dtype)
    start, stop = (tf.cast(v, "float32") if v.dtype.size == 2 else v for v in (start, stop))
    ratio = linspace(tf.zeros_like(stop / start), tf.math.log(stop / start), num, endpoint, axis=axis)
    return cast(tf.exp(ratio) * (tf.expand_dims(start, axis) if _rank(start) else start), to)


def eye(N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones on the k-th diagonal."""
    rows, columns = tf.range(N), tf.range(N if M is None else M)
    return tf.cast(rows[:, None] + k == columns[None], standardize_dtype(dtype))


def identity(n: Any, dtype: Any = None) -> Any:
    """The identity matrix."""
    return eye(n, dtype=dtype)


def _below(n: Any, m: Any, k: int) -> Any:
    """Where an n x m matrix is on or below its k-th diagonal."""
    return tf.range(n)[:, None] + k >= tf.range(m)[None]


def tri(N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones on and below the k-th diagonal."""
    return tf.cast(_below(N, N if M is None else M, k), standardize_dtype(dtype))


def tril(x: Any, k: int = 0) -> Any:
    """``x`` with zeros above the k-th diagonal."""
    x = convert_to_tensor(x)
    return tf.where(_below(*shape(x)[-2:], k), x, tf.zeros_like(x))


def triu(x: Any, k: int = 0) -> Any:
    """``x`` with zeros below the k-th diagonal."""
    x = convert_to_tensor(x)
    return tf.where(_below(*shape(x)[-2:], k - 1), tf.zeros_like(x), x)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of ``x`` as columns."""
    x = numeric(x)
    n = shape(x)[0] if N is None else N
    ones = tf.ones_like(x)[:, None]
    powers = tf.math.cumprod(tf.concat([ones, tf.tile(x[:, None], [1, builtins.max(n - 1, 0)])], 1), axis=1)[:, :n]
    return powers if increasing else powers[:, ::-1]


def meshgrid(*x: Any, indexing: str = "xy") -> list:
    """The coordinates of the points of a grid."""
    return tf.meshgrid(*[convert_to_tensor(v) for v in x], indexing=indexing)


def diag(x: Any, k: int = 0) -> Any:
    """The matrix with ``x`` on its k-th diagonal, or the k-th diagonal of the matrix ``x``."""
    x = convert_to_tensor(x)
    if _rank(x) == 1:
        return _bool_as_int(lambda v: tf.linalg.diag(v, k=k))(x)
    if _rank(x) == 2:
        return diagonal(x, k)
    raise ValueError(f"`x` must be 1-d or 2-d. Received: x.shape={tuple(x.shape)}")


def diagflat(x: Any, k: int = 0) -> Any:
    """The matrix with the elements of ``x`` on its k-th diagonal."""
    return diag(ravel(x), k)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonals along two axes."""
    x = convert_to_tensor(x)
    if _rank(x) < 2:
        raise ValueError(
            f"`diagonal` requires an array of at least two dimensions, but `x` is of shape {tuple(x.shape)}."
        )
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    n, m = shape(x)[-2:]
    if isinstance(n, int) and isinstance(m, int) and not -n < offset < m:
        return tf.zeros([*shape(x)[:-2], 0], x.dtype)
    return _bool_as_int(lambda v: tf.linalg.diag_part(v, k=offset))(x)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sums of the diagonals along two axes."""
    return sum(diagonal(x, offset, axis1, axis2), -1)


# -- arranging ----------------------------------------------------------------------------------------------------------------


def ndim(x: Any) -> int:
    """The number of axes."""
    return _rank(convert_to_tensor(x))


def size(x: Any) -> Any:
    """The number of elements."""
    return math.prod(shape(convert_to_tensor(x)))


def reshape(x: Any, newshape: Any) -> Any:
    """The elements in another shape."""
    return tf.reshape(convert_to_tensor(x), [newshape] if isinstance(newshape, int) else newshape)


def ravel(x: Any) -> Any:
    """The elements along one axis."""
    return tf.reshape(convert_to_tensor(x), [-1])


def broadcast_to(x: Any, shape: Any) -> Any:
    """``x`` repeated to a shape."""
    return tf.broadcast_to(convert_to_tensor(x), shape)


def expand_dims(x: Any, axis: Any) -> Any:
    """``x`` with new axes of size 1 at the given places of the result."""
    x = convert_to_tensor(x)
    if not isinstance(axis, tuple | list):
        return tf.expand_dims(x, axis)
    rank = _rank(x) + len(axis)
    for a in sorted([a % rank for a in axis]):
        x = tf.expand_dims(x, a)
    return x


def squeeze(x: Any, axis: Any = None) -> Any:
    """``x`` without axes of size 1."""
    x = convert_to_tensor(x)
    return x if axis == () else tf.squeeze(x, list(axis) if isinstance(axis, tuple) else axis)


def transpose(x: Any, axes: Any = None) -> Any:
    """``x`` with its axes in another order."""
    x = convert_to_tensor(x)
    return tf.transpose(x, axes if axes is None else [a % _rank(x) for a in axes])


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """``x`` with two axes exchanged."""
    x = convert_to_tensor(x)
    order = list(builtins.range(_rank(x)))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return tf.transpose(x, order)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """``x`` with axes moved to other places."""
    x = convert_to_tensor(x)
    rank = _rank(x)
    source, to = ([a % rank for a in (v if isinstance(v, tuple | list) else [v])] for v in (source, destination))
    order = [a for a in builtins.range(rank) if a not in source]
    for d, s in sorted(zip(to, source, strict=True)):
        order.insert(d, s)
    return x if order == sorted(order) else tf.transpose(x, order)


def flip(x: Any, axis: Any = None) -> Any:
    """``x`` in reverse order along axes, by default all."""
    x = convert_to_tensor(x)
    axes = list(builtins.range(_rank(x))) if axis is None else list(axis) if isinstance(axis, tuple | list) else [axis]
    return tf.reverse(x, [a % _rank(x) for a in axes])


def fliplr(x: Any) -> Any:
    """``x`` in reverse order along the second axis."""
    return flip(x, 1)


def flipud(x: Any) -> Any:
    """``x`` in reverse order along the first axis."""
    return flip(x, 0)


def rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """``array`` turned by ``k`` right angles in the plane of two axes."""
    array = convert_to_tensor(array)
    if _rank(array) < 2:
        raise ValueError(f"Input array must have at least 2 dimensions. Received: array.ndim={_rank(array)}")
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ValueError(f"Invalid axes: {axes}. Axes must be a tuple of two different dimensions.")
    if k % 2 == 0:
        return flip(array, axes) if k % 4 else array
    return swapaxes(flip(array, axes[1]), *axes) if k % 4 == 1 else flip(swapaxes(array, *axes), axes[1])


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """``x`` shifted along axes, or flat, with what leaves at one end coming back at the other."""
    x = convert_to_tensor(x)
    if axis is None:
        return tf.reshape(tf.roll(tf.reshape(x, [-1]), shift, 0), shape(x))
    if isinstance(axis, tuple | list) and isinstance(shift, int):
        shift = [shift] * len(axis)
    return tf.roll(x, shift, axis)


def repeat(x: Any, repeats: Any, axis: Any = None) -> Any:
    """Each element ``repeats`` times."""
    return tf.repeat(convert_to_tensor(x), repeats, axis)


def tile(x: Any, repeats: Any) -> Any:
    """``x`` side by side with itself."""
    x = convert_to_tensor(x)
    repeats = [repeats] if isinstance(repeats, int) else list(repeats)
    extra = len(repeats) - _rank(x)
    if extra > 0:
        x = tf.reshape(x, [1] * extra + list(shape(x)))
    return tf.tile(x, [1] * -extra + repeats)


def concatenate(xs: Any, axis: Any = 0) -> Any:
    """The tensors one after another along an axis."""
    xs = common(*xs)
    return tf.concat([ravel(x) for x in xs], 0) if axis is None else tf.concat(xs, axis)


def append(x1: Any, x2: Any, axis: Any = None) -> Any:
    """``x2`` after ``x1``."""
    return concatenate([x1, x2], axis)


def stack(x: Any, axis: int = 0) -> Any:
    """The tensors along a new axis."""
    return tf.stack(common(*x), axis)


def _stacked(xs: Any, rank: int, axis: int) -> Any:
    """The tensors, brought to at least ``rank`` axes as NumPy's atleast functions do, along an axis."""
    xs = [convert_to_tensor(x) for x in xs]

    def deep(x: Any) -> Any:
        if _rank(x) >= rank:
            return x
        shape_ = list(shape(x))
        return tf.reshape(
            x, {0: [1] * rank, 1: [1, *shape_, 1][:rank] if rank > 1 else shape_, 2: [*shape_, 1]}[_rank(x)]
        )

    return concatenate([deep(x) for x in xs], axis)


def vstack(xs: Any) -> Any:
    """The tensors one below another."""
    return _stacked(xs, 2, 0)


def hstack(xs: Any) -> Any:
    """The tensors side by side."""
    xs = [convert_to_tensor(x) for x in xs]
    return _stacked(xs, 1, 0 if _rank(xs[0]) <= 1 else 1)


def dstack(xs: Any) -> Any:
    """The tensors along the third axis."""
    return _stacked(xs, 3, 2)


def _parts(x: Any, cuts: list, axis: int) -> list:
    at = (builtins.slice(None),) * (axis % _rank(x))
    return [x[(*at, builtins.slice(a, b))] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list:
    """``x`` in so many equal parts, or cut at the given places."""
    x = convert_to_tensor(x)
    if not isinstance(indices_or_sections, int):
        return _parts(x, [int(i) for i in indices_or_sections], axis)
    n = x.shape[axis]
    if n is not None and n % indices_or_sections:
        raise ValueError(
            f"`x` of shape {tuple(x.shape)} cannot be split into {indices_or_sections} equal parts along axis {axis}."
        )
    return tf.split(x, indices_or_sections, axis)


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list:
    """``x`` in so many parts, the first ones larger by one where it does not divide evenly."""
    x = convert_to_tensor(x)
    if not isinstance(indices_or_sections, int):
        return split(x, indices_or_sections, axis)
    small, larger = divmod(x.shape[axis], indices_or_sections)
    return _parts(x, [i * small + builtins.min(i, larger) for i in builtins.range(1, indices_or_sections)], axis)


def vsplit(x: Any, indices_or_sections: Any) -> list:
    """``x`` split along the first axis."""
    return split(x, indices_or_sections, 0)


def hsplit(x: Any, indices_or_sections: Any) -> list:
    """``x`` split along the second axis, or the only one."""
    x = convert_to_tensor(x)
    return split(x, indices_or_sections, 0 if _rank(x) == 1 else 1)


def dsplit(x: Any, indices_or_sections: Any) -> list:
    """``x`` split along the third axis."""
    return split(x, indices_or_sections, 2)


_REDUCED = {"maximum": max, "minimum": min, "mean": mean, "median": median}


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """``x`` with a margin: of a constant, of itself (reflect, symmetric, edge, wrap), or of what it is at most, at least or on average."""
    x = convert_to_tensor(x)
    if constant_values is not None and mode != "constant":
        raise ValueError(
            f"Argument `constant_values` can only be provided when `mode == 'constant'`. Received: mode={mode}"
        )
    width = np.broadcast_to(np.asarray(pad_width), [_rank(x), 2])
    if mode == "constant":
        return tf.pad(x, width, constant_values=convert_to_tensor(constant_values or 0, x.dtype.name))
    if mode == "empty":
        return tf.pad(x, width)
    if mode in ("reflect", "symmetric") and builtins.all(
        [n is None or w.max() < n for n, w in zip(x.shape, width, strict=True)]
    ):
        return tf.pad(x, width, mode)
    for axis, w in enumerate(width):
        if w.any():
            x = _padded(x, axis, w, "wrap" if mode == "circular" else mode)
    return x


def _padded(x: Any, axis: int, width: np.ndarray, mode: str) -> Any:
    if mode not in _REDUCED:  # what stands where, as NumPy says it of the places
        return tf.gather(x, np.pad(np.arange(x.shape[axis]), width, mode).astype(np.int32), axis=axis)
    margin = _REDUCED[mode](x, axis, True)
    margin = cast(round(margin) if not x.dtype.is_floating else margin, x.dtype.name)
    return tf.concat([tf.repeat(margin, int(width[0]), axis), x, tf.repeat(margin, int(width[1]), axis)], axis)


def view(x: Any, dtype: Any = None) -> Any:
    """The bytes of ``x`` read as another dtype; the last axis grows or shrinks where the sizes differ."""
    x = convert_to_tensor(x)
    to = tf.as_dtype(standardize_dtype(dtype)) if dtype is not None else x.dtype
    if to.size != x.dtype.size and (not _rank(x) or (x.shape[-1] or 0) * x.dtype.size % to.size):
        raise ValueError(
            f"`x` of shape {tuple(x.shape)} and dtype {x.dtype.name} cannot be viewed as {to.name}: its last axis does not fit."
        )
    if to.size < x.dtype.size:
        out = tf.bitcast(x, to)
        return tf.reshape(out, [*shape(x)[:-1], -1])
    if to.size > x.dtype.size:
        k = to.size // x.dtype.size
        x = tf.reshape(x, [*shape(x)[:-1], shape(x)[-1] // k, k])
    return tf.bitcast(x, to)


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """The n-th differences of neighbours along an axis."""
    a = convert_to_tensor(a)
    at = (builtins.slice(None),) * (axis % _rank(a))
    for _ in builtins.range(n):
        high, low = a[(*at, builtins.slice(1, None))], a[(*at, builtins.slice(None, -1))]
        a = tf.not_equal(high, low) if a.dtype is tf.bool else high - low
    return a


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral along an axis by the trapezoidal rule."""
    y, d = common(y, dx if x is None else x, also=float)
    if x is not None:
        d = diff(d, axis=axis if _rank(d) > 1 else -1)
        if _rank(d) == 1:
            d = tf.reshape(d, [-1 if i == axis % _rank(y) else 1 for i in builtins.range(_rank(y))])
    at = (builtins.slice(None),) * (axis % _rank(y))
    return tf.reduce_sum(0.5 * d * (y[(*at, builtins.slice(1, None))] + y[(*at, builtins.slice(None, -1))]), axis)


def vectorize(pyfunc: Callable, *, excluded: Any = None, signature: str | None = None) -> Callable:
    """``pyfunc`` of scalars, or of the parts that a signature names, as a function of arrays."""

    def mapped(fn: Callable, in_axes: Any) -> Callable:
        def over(*xs: Any) -> Any:
            at = [i for i, a in enumerate(in_axes) if a == 0]

            def one(parts: list) -> Any:
                given = list(xs)
                for i, v in zip(at, parts, strict=True):
                    given[i] = v
                return fn(*given)

            return tf.vectorized_map(one, [xs[i] for i in at])

        return over

    return vectorize_impl(pyfunc, mapped, excluded=excluded, signature=signature)


# -- choosing -----------------------------------------------------------------------------------------------------------------


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """``x1`` where the condition holds and ``x2`` elsewhere; without them, the places where it holds."""
    condition = (
        condition if isinstance(condition, tf.Tensor) and condition.dtype is tf.bool else cast(condition, "bool")
    )
    return nonzero(condition) if x1 is None and x2 is None else tf.where(condition, *common(x1, x2))


def nonzero(x: Any) -> tuple:
    """The places of what is not zero, one tensor for each axis."""
    at = tf.where(cast(x, "bool"))
    return tuple([tf.cast(at[:, i], "int32") for i in builtins.range(at.shape[1])])


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The choice of the first condition that holds."""
    *choices, out = common(*choicelist, default)
    for condition, choice in reversed(list(zip(condlist, choices, strict=True))):
        out = tf.where(cast(condition, "bool"), choice, out)
    return out


def _from_start(indices: Any, n: Any) -> Any:
    """Indices counted from the start, where those below zero count from the end."""
    if isinstance(indices, int | np.ndarray) and isinstance(n, int):
        return tf.constant(np.where(np.less(indices, 0), indices + n, indices), "int32" if n < 2**31 else "int64")
    indices = convert_to_tensor(indices)
    if indices.dtype.is_unsigned or indices.dtype is tf.bool:
        return tf.cast(indices, "int32")
    indices = tf.cast(indices, "int32") if indices.dtype.size < 4 else indices
    return tf.where(indices < 0, indices + tf.cast(n, indices.dtype), indices)


def take(x: Any, indices: Any, axis: Any = None) -> Any:
    """The parts of ``x`` at the indices along an axis, or of the flat ``x``."""
    x = x.value if isinstance(x, KerasVariable) else x
    if axis is None:
        x, axis = ravel(x), 0
    if not isinstance(x, tf.Variable):  # of a variable the gradient is IndexedSlices
        x = convert_to_tensor(x)
    n = x.shape[axis]
    return tf.gather(x, _from_start(indices, shape(x)[axis] if n is None else n), axis=axis)


def take_along_axis(x: Any, indices: Any, axis: Any = None) -> Any:
    """The elements of ``x`` whose place along an axis is given for each place of the result."""
    x, indices = convert_to_tensor(x), convert_to_tensor(indices)
    if axis is None:
        x, indices, axis = tf.reshape(x, [-1]), tf.reshape(indices, [-1]), 0
    if _rank(x) != _rank(indices):
        raise ValueError(
            f"`x` and `indices` must have as many axes. Received: x.shape={tuple(x.shape)}, indices.shape={tuple(indices.shape)}"
        )
    x, indices = moveaxis(x, axis, -1), moveaxis(indices, axis, -1)
    rest = [b if a == 1 else a for a, b in zip(shape(x)[:-1], shape(indices)[:-1], strict=True)]
    n = shape(x)[-1]
    x, indices = tf.broadcast_to(x, [*rest, n]), tf.broadcast_to(indices, [*rest, shape(indices)[-1]])
    return moveaxis(tf.gather(x, _from_start(indices, n), batch_dims=len(rest)), -1, axis)


def unravel_index(indices: Any, shape: Any) -> tuple:
    """The places in an array of a shape of indices into the flat array."""
    indices = convert_to_tensor(indices)
    out: list[Any] = []
    for n in reversed(shape):
        out.append(indices % n)
        indices = indices // n
    return tuple(reversed(out))


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Where the values would be inserted into a sorted sequence."""
    sorted_sequence, values = common(numeric(sorted_sequence), numeric(values))
    if _rank(sorted_sequence) != 1:
        raise ValueError(
            "`searchsorted` only supports 1-D sorted sequences. You can use `keras.ops.vectorized_map` to extend it to N-D sequences. "
            f"Received: sorted_sequence.shape={tuple(sorted_sequence.shape)}"
        )
    return tf.reshape(tf.searchsorted(sorted_sequence, tf.reshape(values, [-1]), side=side), shape(values))


def digitize(x: Any, bins: Any) -> Any:
    """The bin of each element, between edges that rise or fall."""
    x, bins = common(numeric(x), numeric(bins))
    n = shape(bins)[0]
    rising = searchsorted(bins, x, "right")
    return rising if n == 0 else tf.where(bins[0] <= bins[-1], rising, n - searchsorted(bins[::-1], x, "left"))


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element of ``x1`` is in ``x2``."""
    x1, x2 = common(numeric(x1), numeric(x2))
    x2 = tf.sort(tf.reshape(x2, [-1]))
    if x2.shape[0] == 0:
        return tf.fill(tf.shape(x1), invert)
    found = tf.gather(x2, tf.minimum(searchsorted(x2, x1), shape(x2)[0] - 1))
    return tf.not_equal(found, x1) if invert else tf.equal(found, x1)


def sort(x: Any, axis: Any = -1) -> Any:
    """The elements in rising order along an axis."""
    x = convert_to_tensor(x)
    return _bool_as_int(lambda v: tf.sort(v, axis))(x) if axis is not None else sort(ravel(x))


def argsort(x: Any, axis: Any = -1) -> Any:
    """The places of the elements in rising order along an axis."""
    x = numeric(x)
    return tf.argsort(ravel(x), stable=True) if axis is None or _rank(x) == 0 else tf.argsort(x, axis, stable=True)


def argpartition(x: Any, kth: Any, axis: Any = -1) -> Any:
    """An order in which the ``kth`` element is where sorting would put it: the sorted order."""
    return argsort(x, axis)


def unique(x: Any, sorted: bool = True, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
           axis: Any = None, size: int | None = None, fill_value: Any = None) -> Any:  # fmt: skip
    """The different elements, or slices along an axis, in rising order, with where they stand and how often."""
    x = convert_to_tensor(x)
    wanted = [True, return_index, return_inverse, return_counts]

    def of_array(a: np.ndarray) -> list:
        values, first, inverse, counts = np.unique(a, True, True, True, axis=axis, equal_nan=False)
        if size is not None:
            values, first, counts = _sized(values, first, counts)
        return [v for v, w in zip([values, first, inverse, counts], wanted, strict=True) if w]

    def _sized(values: np.ndarray, first: np.ndarray, counts: np.ndarray) -> list:
        along = 0 if axis is None else axis
        extra = size - values.shape[along]
        if extra <= 0:
            return [values.take(np.arange(size), along), first[:size], counts[:size]]
        fill = values.take([0], along) if fill_value is None else np.full_like(values.take([0], along), fill_value)
        values = np.concatenate([values, np.repeat(fill, extra, along)], along)
        return [values, np.append(first, [first[0]] * extra), np.append(counts, [0] * extra)]

    static = list(x.shape)
    values = [size] if axis is None else [size if i == axis % _rank(x) else n for i, n in enumerate(static)]
    specs = [
        (values, x.dtype),
        ([size], "int32"),
        (static if axis is None else [static[axis]], "int32"),
        ([size], "int32"),
    ]
    out = host(of_array, [x], [s for s, w in zip(specs, wanted, strict=True) if w])
    return tuple(out) if len(out) > 1 else out[0]


# -- products -------------------------------------------------------------------------------------------------------------------


def _product(f: Callable) -> Callable:
    """``f`` of operands of one dtype; booleans are multiplied as integers and come back."""

    def op(xs: list) -> Any:
        if xs[0].dtype is tf.bool:
            return tf.cast(f(*[tf.cast(x, "int32") for x in xs]), "bool")
        return f(*xs)

    return op


def _wide_bytes(xs: list) -> list:
    """int8 operands as int32, in which Keras sums their products."""
    return [tf.cast(x, "int32") for x in xs] if builtins.all([x.dtype is tf.int8 for x in xs]) else common(*xs)


def matmul(x1: Any, x2: Any) -> Any:
    """The matrix product, of vectors too."""
    x1, x2 = convert_to_tensor(x1), convert_to_tensor(x2)
    if x1.dtype is x2.dtype and x1.dtype.is_floating and _rank(x1) > 1 and _rank(x2) > 1:
        return tf.matmul(x1, x2)
    x1, x2 = _wide_bytes([x1, x2])
    if not _rank(x1) or not _rank(x2):
        raise ValueError(f"`matmul` takes no scalars. Received: x1.shape={tuple(x1.shape)}, x2.shape={tuple(x2.shape)}")
    if _rank(x1) > 1 and _rank(x2) > 1:
        return _product(tf.matmul)([x1, x2])
    return _product(_matmul_of_vectors)([x1, x2])


def _matmul_of_vectors(x: Any, y: Any) -> Any:
    x_, y_ = x[None] if _rank(x) == 1 else x, y[:, None] if _rank(y) == 1 else y
    out = tf.matmul(x_, y_)
    return tf.squeeze(out, [-1] * (_rank(y) == 1) + [-2] * (_rank(x) == 1))


def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """The sum of products that the subscripts say."""
    return _product(lambda *xs: tf.einsum(subscripts, *xs))(_wide_bytes([convert_to_tensor(x) for x in operands]))


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """The sum of products along axes of both."""
    return _product(lambda x, y: tf.tensordot(x, y, axes))(common(x1, x2))


def dot(x1: Any, x2: Any) -> Any:
    """NumPy's dot: the last axis of ``x1`` against the last but one of ``x2``."""
    x1, x2 = common(x1, x2)
    if not _rank(x1) or not _rank(x2):
        return multiply(x1, x2)
    return tensordot(x1, x2, [[_rank(x1) - 1], [builtins.max(_rank(x2) - 2, 0)]])


def inner(x1: Any, x2: Any) -> Any:
    """The sum of products along the last axes."""
    x1, x2 = common(x1, x2)
    if not _rank(x1) or not _rank(x2):
        return multiply(x1, x2)
    return tensordot(x1, x2, [[_rank(x1) - 1], [_rank(x2) - 1]])


def vdot(x1: Any, x2: Any) -> Any:
    """The inner product of the flat tensors, the first conjugated."""
    return inner(ravel(conj(x1)), ravel(x2))


def outer(x1: Any, x2: Any) -> Any:
    """The product of each with each."""
    x1, x2 = common(x1, x2)
    return multiply(ravel(x1)[:, None], ravel(x2)[None])


def kron(x1: Any, x2: Any) -> Any:
    """The Kronecker product."""
    x1, x2 = common(x1, x2)
    rank = builtins.max(_rank(x1), _rank(x2))
    a, b = ([1] * (rank - _rank(x)) + list(shape(x)) for x in (x1, x2))
    apart = lambda x, sizes, at: tf.reshape(x, [n for s in sizes for n in ((s, 1) if at == 0 else (1, s))])
    return tf.reshape(multiply(apart(x1, a, 0), apart(x2, b, 1)), [m * n for m, n in zip(a, b, strict=True)])


def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    """The cross product of vectors of 2 or 3 components; of two with 2 its third component."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x1, x2 = (numeric(x) for x in common(x1, x2))
    x, y = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    if x.shape[-1] not in (2, 3, None) or y.shape[-1] not in (2, 3, None):
        raise ValueError(
            f"`x1` and `x2` must have 2 or 3 components along their axes. Received: {x.shape[-1]} and {y.shape[-1]}"
        )
    a, b = ([v[..., i] for i in builtins.range(v.shape[-1] or 3)] for v in (x, y))
    z = a[0] * b[1] - a[1] * b[0]
    if len(a) == len(b) == 2:
        return z
    a2, b2 = (v[2] if len(v) == 3 else tf.zeros_like(v[0]) for v in (a, b))
    parts = [a[1] * b2 - a2 * b[1], a2 * b[0] - a[0] * b2, z]
    return moveaxis(tf.stack(parts, -1), -1, axisc)


def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """The sums of products of ``x1`` with ``x2`` at each place."""
    x1, x2 = common(x1, x2, also=float)
    if mode not in ("valid", "same", "full"):
        raise ValueError(f"`mode` must be one of 'valid', 'same', 'full'. Received: mode={mode!r}")
    x, y = (tf.cast(v, "float32") if v.dtype.size == 2 else v for v in (x1, x2))
    n, m = x.shape[0], y.shape[0]
    if n < m:  # as NumPy does it: exchanged, and the result reversed
        return correlate(x2, x1, mode)[::-1]
    before = {"valid": 0, "same": m // 2, "full": m - 1}[mode]
    after = {"valid": 0, "same": m - 1 - m // 2, "full": m - 1}[mode]
    out = tf.nn.conv1d(tf.pad(x, [[before, after]])[None, :, None], y[:, None, None], 1, "VALID")[0, :, 0]
    return cast(out, x1.dtype.name)


def corrcoef(x: Any) -> Any:
    """The correlation of the rows."""
    x = floating(x)
    d, x = x.dtype.name, tf.cast(x, "float32") if x.dtype.size == 2 else x
    rows = x if _rank(x) > 1 else x[None]
    rows = rows - tf.reduce_mean(rows, -1, keepdims=True)
    covariance = tf.matmul(rows, tf.math.conj(rows) if rows.dtype.is_complex else rows, transpose_b=True)
    deviation = tf.sqrt(tf.linalg.diag_part(covariance))
    out = covariance / deviation[:, None] / deviation
    if not out.dtype.is_complex:
        out = tf.clip_by_value(out, -1.0, 1.0)
    return cast(out if _rank(x) > 1 else out[0, 0], d)


def slogdet(x: Any) -> tuple:
    """The sign of the determinant and the logarithm of its absolute value."""
    return tuple(tf.linalg.slogdet(floating(x)))


def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether all elements are close."""
    return tf.reduce_all(isclose(x1, x2, rtol, atol, equal_nan))
