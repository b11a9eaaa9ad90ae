"""``tf.dtypes``: the types of elements, and conversion between them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from .core.tensor import Tensor, convert
from .ground import dtypes as _ground
from .ground.dtypes import (
    NUMERIC,
    STORAGE,
    STRING,
    DType,
    as_dtype,
    bfloat16,
    complex64,
    complex128,
    double,
    float16,
    float32,
    float64,
    half,
    int8,
    int16,
    int32,
    int64,
    string,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .ground.dtypes import bool_ as bool
from .ground.errors import UnimplementedError, invalid, user_line
from .math import complex
from .primitives import elementwise as ew
from .primitives import structure as st
from .primitives.indexing import IndexedSlices

# The types that are kept, moved and cast but not calculated with: tf.dtypes.experimental.float8_e4m3fn ...
experimental = SimpleNamespace(**{d.name: d for d in _ground.STORED})


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """The tensor with its elements converted to another dtype; the tensor itself where it has it already.

    Floats become integers by dropping the fraction, complex numbers become real by dropping the imaginary part, and everything but 0 becomes
    True. Values that an integer type cannot hold give undefined ones: see ``tf.saturate_cast``.

    Args:
        x: a numeric or bool Tensor, Variable or IndexedSlices, or anything that converts to a Tensor.
        dtype: the dtype, or its name.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor (IndexedSlices) of the same shape. Gradients flow between float and complex types only.

    Raises:
        TypeError: ``dtype`` names none.
        UnimplementedError: from or to strings.

    >>> import gradtape as tf
    >>> tf.cast([1.8, -2.2], tf.int32).numpy().tolist()
    [1, -2]
    """
    d = as_dtype(dtype)
    if isinstance(x, IndexedSlices):
        return IndexedSlices(cast(x.values, d), x.indices, x._dense_shape)
    t = x if isinstance(x, Tensor) else convert(x)
    if t._d is d:
        return t
    if (t._d.kind | d.kind) & STRING:
        raise UnimplementedError(f"Cast {t._d.name} to {d.name} is not supported." + user_line())
    return st.cast(t, d)


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Any:
    """``tf.cast``, with values that the new dtype cannot hold replaced by its nearest.

    Args:
        value: a numeric Tensor, or anything that converts to one.
        dtype: the dtype, or its name.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape.

    Raises:
        TypeError: ``dtype`` names none, or has no range.

    >>> import gradtape as tf
    >>> tf.saturate_cast([-3, 300], tf.uint8).numpy().tolist()
    [0, 255]
    """
    x, d = convert(value), as_dtype(dtype)
    if x._d.is_complex:
        if d.is_complex:
            part = d.real_dtype
            return cast(ew.complex(_clamp(ew.real(x), part), _clamp(ew.imag(x), part)), d)
        x = ew.real(x)
    return cast(_clamp(x, d.real_dtype), d)


def _clamp(x: Tensor, d: DType) -> Tensor:
    """``x`` in its own dtype, within what ``d`` can hold."""
    low, high = _bound(x._d, d, "min"), _bound(x._d, d, "max")
    if high is not None:
        x = ew.minimum(x, st.full_like(x, value=high))
    return ew.maximum(x, st.full_like(x, value=low)) if low is not None else x


def _bound(have: DType, to: DType, which: str) -> Any:
    """The end of the range of ``to``, rounded into it in the dtype ``have``; where ``have`` does not reach it, its own for infinities, or None."""
    end, own = getattr(to, which), getattr(have, which)
    wide = [int(v) if isinstance(v, int) else float(v) for v in (end, own)]
    if (wide[1] <= wide[0]) if which == "max" else (wide[1] >= wide[0]):
        return own if have.is_floating else None
    if not have.is_floating:
        return end
    bound = have.np.type(float(end))
    while (float(bound) > wide[0]) if which == "max" else (float(bound) < wide[0]):
        bound = np.nextafter(bound, have.np.type(0))
    return bound


def bitcast(input: Any, type: Any, name: str | None = None) -> Any:
    """The same bytes read as another dtype. Not differentiable.

    Args:
        input: a numeric Tensor, or anything that converts to one.
        type: the dtype. If it is larger, the last dimension holds the parts of one element, and goes; if smaller, such a dimension is added.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of dtype ``type``.

    Raises:
        InvalidArgumentError: the last dimension does not hold the parts of one element.

    >>> import gradtape as tf
    >>> hex(tf.bitcast(1.0, tf.uint32).numpy())
    '0x3f800000'
    """
    d = as_dtype(type)
    if not d.kind & (NUMERIC | STORAGE):
        raise invalid(f"bitcast makes numbers, not {d.name}.")
    return st.bitcast(convert(input), dtype=d)


__all__ = [
    "DType", "as_dtype", "cast", "saturate_cast", "complex", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "half", "float16", "bfloat16", "float32", "double", "float64", "complex64", "complex128", "string",
    "experimental",
]  # fmt: skip
