"""The reductions, order statistics and running sums of ``keras.ops.numpy``, with and without NaNs."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

from keras.src.backend.common import standardize_dtype

import gradtape as tf

from ._promotion import SUMS, common, floating, numeric, result_type
from .core import cast, convert_to_tensor, shape


def _axes(axis: Any) -> Any:
    return list(axis) if isinstance(axis, tuple | list) else axis


def _float(x: Any) -> bool:
    return x.dtype.is_floating or x.dtype.is_complex


# -- sums and extrema -------------------------------------------------------------------------------------------------------


def _summable(x: Any, dtype: Any = None) -> Any:
    x = convert_to_tensor(x)
    to = dtype or SUMS.get(x.dtype.name)
    return cast(x, to) if to else x


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum."""
    return tf.reduce_sum(_summable(x), _axes(axis), keepdims)


def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The product."""
    return tf.reduce_prod(_summable(x, dtype), _axes(axis), keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean."""
    x = convert_to_tensor(x)
    if not _float(x):
        x = tf.cast(x, result_type(x.dtype, "float32"))
    return tf.reduce_mean(x, _axes(axis), keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The variance."""
    return tf.math.reduce_variance(floating(x), _axes(axis), keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The standard deviation."""
    return tf.math.reduce_std(floating(x), _axes(axis), keepdims)


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """The weighted mean."""
    if weights is None:
        return mean(floating(x), axis)
    x, w = common(x, weights, also=float)
    if len(w.shape) != len(x.shape):  # weights along one axis
        axis = axis % len(x.shape)
        w = tf.reshape(w, [-1 if i == axis else 1 for i in builtins.range(len(x.shape))])
    w = tf.broadcast_to(w, tf.shape(x))
    return tf.reduce_sum(x * w, _axes(axis)) / tf.reduce_sum(w, _axes(axis))


def _extremum(reduce: Callable, pair: Callable, on_bool: Callable) -> Callable:
    def op(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        x = convert_to_tensor(x)
        out = (on_bool if x.dtype is tf.bool else reduce)(x, _axes(axis), keepdims)
        if initial is None:
            return out
        if x.dtype is tf.bool:
            return cast(pair(cast(out, "int32"), cast(cast(initial, "bool"), "int32")), "bool")
        return pair(out, convert_to_tensor(initial, x.dtype.name))

    return op


max = _extremum(tf.reduce_max, tf.maximum, tf.reduce_any)
min = _extremum(tf.reduce_min, tf.minimum, tf.reduce_all)


def amax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest."""
    return max(x, axis, keepdims)


def amin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest."""
    return min(x, axis, keepdims)


def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest less the smallest."""
    x = numeric(x)
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether all are true."""
    return tf.reduce_all(cast(x, "bool"), _axes(axis), keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether any is true."""
    return tf.reduce_any(cast(x, "bool"), _axes(axis), keepdims)


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many are not zero."""
    return tf.math.count_nonzero(numeric(x), _axes(axis), dtype="int32")


def _argument(f: Callable) -> Callable:
    def op(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = convert_to_tensor(x)
        rank = len(x.shape)
        if axis is None or rank == 0:
            out = f(tf.reshape(x, [-1]), axis=0, output_type="int32")
            return tf.reshape(out, [1] * rank) if keepdims else out
        out = f(x, axis=axis, output_type="int32")
        return tf.expand_dims(out, axis) if keepdims else out

    return op


argmax, argmin = _argument(tf.argmax), _argument(tf.argmin)


# -- running sums -----------------------------------------------------------------------------------------------------------


def _running(f: Callable, neutral: float | None = None) -> Callable:
    """``f`` along an axis, or along the flat tensor; NaNs become ``neutral``."""

    def op(x: Any, axis: Any = None, dtype: Any = None) -> Any:
        x = numeric(x)
        if neutral is not None:
            x = _without_nan(x, neutral)
        if dtype is not None:
            to = standardize_dtype(dtype)
            x = cast(cast(x, "bool"), "int32") if to == "bool" else cast(x, to)
        x, axis = (tf.reshape(x, [-1]), 0) if axis is None else (x, axis)
        out = f(x, axis=axis)
        return out if dtype is None else cast(out, dtype)

    return op


def _without_nan(x: Any, neutral: float) -> Any:
    return tf.where(tf.math.is_nan(x), tf.constant(neutral, x.dtype), x) if _float(x) else x


cumsum, cumprod = _running(tf.cumsum), _running(tf.math.cumprod)
nancumsum, nancumprod = _running(tf.cumsum, 0.0), _running(tf.math.cumprod, 1.0)


# -- without NaNs -----------------------------------------------------------------------------------------------------------


def nansum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum of what is no NaN."""
    return sum(_without_nan(convert_to_tensor(x), 0.0), axis, keepdims)


def nanprod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The product of what is no NaN."""
    return prod(_without_nan(convert_to_tensor(x), 1.0), axis, keepdims)


def _count(x: Any, axis: Any, keepdims: bool) -> Any:
    return tf.reduce_sum(tf.cast(~tf.math.is_nan(x), x.dtype), _axes(axis), keepdims)


def _mean(x: Any, axis: Any, keepdims: bool) -> Any:
    return nansum(x, axis, keepdims) / _count(x, axis, keepdims)


def _wide(f: Callable) -> Callable:
    """``f`` of floats, those of 16 bits counted and summed in float32."""

    def op(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = floating(x)
        return cast(f(tf.cast(x, "float32") if x.dtype.size == 2 else x, axis, keepdims), x.dtype.name)

    return op


nanmean = _wide(_mean)


@_wide
def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The variance of what is no NaN."""
    return _mean(tf.square(tf.abs(x - _mean(x, axis, True))), axis, keepdims)


def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The standard deviation of what is no NaN."""
    return tf.sqrt(nanvar(x, axis, keepdims))


def _nan_extremum(f: Callable, bound: float) -> Callable:
    def op(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = convert_to_tensor(x)
        if not _float(x):
            return f(x, axis, keepdims)
        none = tf.reduce_all(tf.math.is_nan(x), _axes(axis), keepdims)
        return tf.where(none, tf.constant(math.nan, x.dtype), f(_without_nan(x, bound), axis, keepdims))

    return op


nanmax, nanmin = _nan_extremum(max, -math.inf), _nan_extremum(min, math.inf)


def _nan_argument(f: Callable, bound: float) -> Callable:
    """The place; -1 where all are NaN."""

    def op(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = convert_to_tensor(x)
        if not _float(x):
            return f(x, axis, keepdims)
        none = tf.reduce_all(tf.math.is_nan(x), _axes(axis), keepdims)
        return tf.where(none, tf.constant(-1, tf.int32), f(_without_nan(x, bound), axis, keepdims))

    return op


nanargmax, nanargmin = _nan_argument(argmax, -math.inf), _nan_argument(argmin, math.inf)


# -- order statistics -------------------------------------------------------------------------------------------------------


def _rows(x: Any, axis: Any) -> tuple[Any, list]:
    """``x`` with the axes to reduce flattened into the last, and the shape with 1 for each of them."""
    rank = len(x.shape)
    axis = list(builtins.range(rank)) if axis is None else axis
    axes = sorted([a % rank for a in (axis if isinstance(axis, tuple | list) else [axis])])
    rest = [i for i in builtins.range(rank) if i not in axes]
    sizes = shape(x)
    kept = [1 if i in axes else s for i, s in enumerate(sizes)]
    n = math.prod([sizes[i] for i in axes])
    return tf.reshape(tf.transpose(x, rest + axes), [*[sizes[i] for i in rest], n]), kept


def _quantile(x: Any, q: Any, axis: Any, method: str, keepdims: bool, ignore_nan: bool, of: float = 1.0) -> Any:
    """By a sort of each row; the place of a quantile is ``q (n - 1)``, n being what is counted of the row."""
    if method not in _BETWEEN and method != "nearest":
        raise ValueError(f"Argument `method` must be one of {[*_BETWEEN, 'nearest']}. Received: method={method!r}")
    x = floating(x)
    given, x = x.dtype.name, tf.cast(x, "float32") if x.dtype.size == 2 else x
    q = convert_to_tensor(q, x.dtype.name) / of
    rows, kept = _rows(x, axis)
    ordered = tf.sort(rows, axis=-1)  # NaNs last
    nans = tf.math.is_nan(rows)
    if ignore_nan:
        n = tf.reduce_sum(tf.cast(~nans, x.dtype), axis=-1, keepdims=True)
    else:
        n = tf.reduce_sum(tf.ones_like(rows), axis=-1, keepdims=True)
    at = tf.reshape(q, [1] * (len(rows.shape) - 1) + [-1]) * tf.maximum(n - 1.0, 0.0)  # (..., quantiles)
    low = tf.floor(at)
    below = tf.gather(ordered, tf.cast(low, "int32"), batch_dims=len(rows.shape) - 1)
    above = tf.gather(ordered, tf.cast(tf.math.ceil(at), "int32"), batch_dims=len(rows.shape) - 1)
    if method == "nearest":  # halves to even, as NumPy
        out = tf.where(tf.round(at) > low, above, below)
    else:
        out = _BETWEEN[method](below, above, at - low)
    if not ignore_nan:
        out = tf.where(tf.reduce_any(nans, axis=-1, keepdims=True), tf.constant(math.nan, x.dtype), out)
    if len(q.shape) == 0:
        out = tf.reshape(out, kept) if keepdims else tf.squeeze(out, -1)
    else:
        rank = len(rows.shape)
        out = tf.transpose(out, [rank - 1, *builtins.range(rank - 1)])
        rest = kept if keepdims else list(shape(rows))[:-1]
        out = tf.reshape(out, [*shape(q), *rest])
    return cast(out, given)


_BETWEEN: dict[str, Callable] = {
    "linear": lambda a, b, part: tf.where(part > 0, a * (1.0 - part) + b * part, a),  # b may be infinite
    "lower": lambda a, b, part: a,
    "higher": lambda a, b, part: b,
    "midpoint": lambda a, b, part: 0.5 * (a + b),
}


def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The value below which a fraction ``q`` lies."""
    return _quantile(x, q, axis, method, keepdims, False)


def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The quantiles of what is no NaN."""
    return _quantile(x, q, axis, method, keepdims, True)


def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The quantiles by percent."""
    return _quantile(x, q, axis, method, keepdims, False, of=100.0)


def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The quantiles by percent of what is no NaN."""
    return _quantile(x, q, axis, method, keepdims, True, of=100.0)


def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The median."""
    return _quantile(x, 0.5, axis, "midpoint", keepdims, False)


def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The median of what is no NaN."""
    return _quantile(x, 0.5, axis, "midpoint", keepdims, True)


# -- counts -----------------------------------------------------------------------------------------------------------------


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often each number from 0 up occurs, or the sums of the weights of each, in each row."""
    if sparse:
        raise ValueError("`sparse=True` is not supported with the gradtape backend")
    x = convert_to_tensor(x)
    if weights is not None:
        weights = convert_to_tensor(weights)
        dtype, wide = (
            weights.dtype.name,
            SUMS.get(weights.dtype.name, "float32" if weights.dtype.size == 2 else weights.dtype.name),
        )
        return cast(
            tf.math.bincount(cast(x, "int32"), weights=cast(weights, wide), minlength=minlength, dtype=wide, axis=-1),
            dtype,
        )
    return tf.math.bincount(cast(x, "int32"), minlength=minlength, axis=-1)


def histogram(x: Any, bins: Any = 10, range: Any = None) -> tuple:
    """The counts in bins of one width, and the edges of the bins."""
    x = floating(x)
    if isinstance(bins, int):
        low, high = (tf.reduce_min(x), tf.reduce_max(x)) if range is None else [tf.constant(v, x.dtype) for v in range]
        flat = tf.cast(low == high, x.dtype) * 0.5
        low, high = low - flat, high + flat
        edges = low + (high - low) * tf.cast(tf.range(bins + 1), x.dtype) / bins
        edges = tf.concat([edges[:-1], [high]], 0)
    else:
        edges = cast(bins, x.dtype.name)
    x = tf.reshape(x, [-1])
    n = shape(edges)[0] - 1
    at = tf.searchsorted(edges, x, side="right") - 1
    at = tf.where(x == edges[-1], n - 1, at)  # the last bin has both its edges
    at = tf.where((at < 0) | (at >= n), -1, at)  # dropped
    return tf.math.unsorted_segment_sum(tf.ones_like(x), at, n), edges
