"""The draws themselves, as functions of a key: what the seeded, the stateless and the generators' functions share.

Each is ``sized``: where a shape is known only when a traced program runs, so is the draw made.
"""

from __future__ import annotations

from typing import Any

from ..core.arguments import UnknownDimension, sized
from ..core.dispatch import aval
from ..core.tensor import Tensor, convert
from ..ground import dtypes as dt
from ..ground.dtypes import DType, as_dtype
from ..ground.errors import invalid
from ..ground.shapes import broadcast, dims_text
from ..primitives import distribution as ds
from ..primitives import elementwise as ew
from ..primitives import random as rows
from ..primitives import structure as st
from .keys import one_of, shape_of_draw

_COUNTS = (dt.float16, dt.float32, dt.float64, dt.int32, dt.int64)


def _is(value: Any, number: float) -> bool:
    return type(value) in (float, int) and value == number


@sized
def normal(key: Tensor, shape: Any, mean: Any, stddev: Any, d: DType) -> Any:
    """mean + stddev·z, through which gradients flow to both."""
    return _located(rows.normal(key, shape=shape_of_draw(shape), dtype=d), mean, stddev)


@sized
def truncated_normal(key: Tensor, shape: Any, mean: Any, stddev: Any, d: DType) -> Any:
    """The same, with z cut off at ±2."""
    return _located(rows.truncated_normal(key, shape=shape_of_draw(shape), dtype=d), mean, stddev)


def _located(z: Tensor, mean: Any, stddev: Any) -> Any:
    if not _is(stddev, 1.0):
        z = z * convert(stddev, z._d)
    return z if _is(mean, 0.0) else z + convert(mean, z._d)


@sized
def uniform(key: Tensor, shape: Any, minval: Any, maxval: Any, d: DType) -> Any:
    """minval + (maxval - minval)·u, through which gradients flow to both; for integers without bounds, each that the dtype holds."""
    dims = shape_of_draw(shape)
    if d.is_integer:
        if maxval is None:
            return rows.full_int(key, shape=dims, dtype=d)
        return rows.integers(key, convert(minval, d), convert(maxval, d), shape=dims)
    u = rows.uniform(key, shape=dims, dtype=d)
    top = 1.0 if maxval is None else maxval
    if _is(minval, 0.0):
        return u if _is(top, 1.0) else u * convert(top, d)
    low = convert(minval, d)
    return u * (convert(top, d) - low) + low


@sized
def full_int(key: Tensor, shape: Any, d: DType) -> Any:
    """Integers, each that the dtype holds as likely as any other."""
    return rows.full_int(key, shape=shape_of_draw(shape), dtype=d)


def bounds_given(minval: Any, d: DType) -> None:
    """ValueError where the lower bound of floating numbers is missing."""
    if minval is None and d.is_floating:
        raise ValueError("minval must be given for floating numbers, but is None: use 0.")


def _together(shape: Any, ahead: bool, *parameters: Tensor) -> tuple[int, ...]:
    """The shape of a draw with parameters: the shape asked for, with that of the parameters behind it where it is only what stands ahead."""
    dims = shape_of_draw(shape)
    common = broadcast(*[p._shape for p in parameters])
    if None in common:
        raise UnknownDimension(f"The shape {dims_text(common)} of the parameters is not known while tracing.")
    return dims + common if ahead else dims


@sized
def gamma(key: Tensor, shape: Any, alpha: Any, beta: Any, d: DType, ahead: bool) -> Any:
    """Gamma numbers, no smaller than the smallest normal number of the dtype."""
    a, b = convert(alpha, d), None if beta is None else convert(beta, d)
    dims = _together(shape, ahead, a, *([] if b is None else [b]))
    z = ds.gamma(key, a, shape=dims)
    return ew.maximum(z if b is None else z / b, d.type(_smallest_normal(d)))


def _smallest_normal(d: DType) -> float:
    import ml_dtypes

    return float(ml_dtypes.finfo(d.np).smallest_normal)


@sized
def poisson(key: Tensor, shape: Any, lam: Any, d: DType, ahead: bool) -> Any:
    """Poisson numbers."""
    rate = convert(lam, None, dt.float32)
    rate = rate if rate._d.is_floating else st.cast(rate, dt.float64)
    return ds.poisson(key, rate, shape=_together(shape, ahead, rate), dtype=d)


@sized
def binomial(key: Tensor, shape: Any, counts: Any, probs: Any, d: DType) -> Any:
    """Binomial numbers."""
    p = convert(probs, None, dt.float32)
    n = convert(counts, None, p._d)
    return ds.binomial(key, n, p, shape=_together(shape, False, n, p), dtype=d)


def count_dtype(dtype: Any, name: str = "dtype") -> DType:
    """``dtype``, which must be one that counts are given in. ValueError where it is not."""
    d = as_dtype(dtype)
    one_of(d, _COUNTS, name)
    return d


@sized
def parameterized_truncated_normal(key: Tensor, shape: Any, *parameters: Any) -> Any:
    """Normal numbers cut off at any two points; parameters: mean, standard deviation, lower and upper bound."""
    hint = next((p.dtype for p in parameters if isinstance(p, Tensor) or hasattr(p, "_to_tensor")), dt.float32)
    _, stddev, low, high = ps = [convert(p, None, hint) for p in parameters]
    forms = [aval(p) for p in ps]
    ds._truncated_shape(forms[0], *forms)  # raises the user's error
    dims = _together(shape, False, *ps)
    ds._fits(dims, "means, stddevs, minvals and maxvals", *forms)
    fine = (stddev > 0) & (low < high)
    st.assert_that(fine, stddev, low, high, message="A truncated normal distribution needs stddev > 0 and minval < maxval.",
                   labels=("stddevs", "minvals", "maxvals"), summarize=None)  # fmt: skip
    return ds.truncated(ds.unit(key, shape=dims, dtype=dt.float64), *ps)


def categorical(key: Any, logits: Tensor, n: int, d: DType) -> Tensor:
    """Class numbers; ``key()`` gives the key once the arguments are known to be right."""
    if len(logits._shape) != 2:
        raise invalid(
            f"logits should be a matrix, one row for each distribution, got shape {dims_text(logits._shape)}."
        )
    if n < 0:
        raise invalid(f"num_samples should be non-negative, got {n}.")
    return rows.categorical(key(), logits, num_samples=n, dtype=d)


def index_dtype(dtype: Any) -> DType:
    """int64, or the int32 or int64 that is asked for."""
    d = dt.int64 if dtype is None else as_dtype(dtype)
    one_of(d, (dt.int32, dt.int64))
    return d
