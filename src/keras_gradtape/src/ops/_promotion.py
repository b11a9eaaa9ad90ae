"""Operands brought to one dtype by Keras's rules, which are JAX's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras.src.backend import config
from keras.src.backend.common import dtypes

import gradtape as tf

from .core import cast, convert_to_tensor

_NUMBERS = (bool, int, float, np.int64)  # np.float64 is a float; both stand for a Python number
_WIDER = {"float32": "float64", "int32": "int64", "uint32": "uint64", "complex64": "complex128"}
# what sums and products of the small integers are
SUMS = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}


@functools.lru_cache(maxsize=4096)
def _joined(kinds: tuple, floatx: str) -> str:
    named = {k for k in kinds if isinstance(k, str)}
    if len(kinds) == len(named) == 1:
        return kinds[0]
    d = dtypes.result_type(*kinds)
    # Keras's rules have nothing wider than 32 bits. What comes with 64 keeps them.
    wide = _WIDER.get(d, d)
    return wide if wide in named or (wide == floatx and d not in named) else d


def result_type(*kinds: Any) -> str:
    """The dtype of a result of operands of these dtypes (names, DTypes, or Python's int, float and bool)."""
    return _joined(tuple([getattr(k, "name", k) for k in kinds]), config.floatx())


def _kind(x: Any) -> Any:
    if isinstance(x, tf.Tensor):
        return x.dtype.name
    return bool if isinstance(x, bool) else float if isinstance(x, float) else int


def common(*xs: Any, also: Any = None) -> list:
    """The operands as tensors of one dtype; ``also`` is a dtype, or ``float``, that counts as one operand more."""
    if also is None and len(xs) == 2:  # the usual case, first
        x, y = xs
        if isinstance(x, tf.Tensor):
            if isinstance(y, tf.Tensor):
                if x.dtype is y.dtype:
                    return [x, y]
            elif type(y) in (int, float) if x.dtype.is_floating else type(y) is int and x.dtype is tf.int32:
                return [x, tf.constant(y, x.dtype)]
        elif isinstance(y, tf.Tensor) and type(x) is float and y.dtype.is_floating:
            return [tf.constant(x, y.dtype), y]
    xs = tuple([x if isinstance(x, _NUMBERS) else convert_to_tensor(x) for x in xs])
    kinds = [_kind(x) for x in xs]
    d = result_type(*kinds, *([] if also is None else [also]))
    return [convert_to_tensor(x, d) for x in xs]


def floating(x: Any) -> Any:
    """``x`` as a float or complex tensor: integers and booleans become floatx."""
    x = convert_to_tensor(x)
    return x if x.dtype.is_floating or x.dtype.is_complex else tf.cast(x, config.floatx())


def numeric(x: Any) -> Any:
    """``x`` as a tensor of numbers: booleans become int32."""
    x = convert_to_tensor(x)
    return tf.cast(x, "int32") if x.dtype is tf.bool else x


def single(f: Callable) -> Callable:
    """``f`` of one tensor, computed in float32 where the tensor has 16 bits."""

    def g(x: Any) -> Any:
        return cast(f(tf.cast(x, "float32")), x.dtype.name) if x.dtype.is_floating and x.dtype.size == 2 else f(x)

    return g


def host(f: Callable, xs: Sequence, specs: Any) -> Any:
    """A function of NumPy arrays that no gradient flows through, in a traced program too. ``specs`` are (shape, dtype), one or a list."""

    def spec(s: tuple) -> Any:
        return tf.TensorSpec(list(s[0]), s[1])

    if isinstance(specs, tuple):
        to = tf.as_dtype(specs[1]).as_numpy_dtype
        return tf.numpy_function(lambda *a: np.asarray(f(*a)).astype(to), list(xs), spec(specs))
    to = [tf.as_dtype(d).as_numpy_dtype for _, d in specs]
    return tf.numpy_function(
        lambda *a: [np.asarray(v).astype(d) for v, d in zip(f(*a), to, strict=True)], list(xs), [spec(s) for s in specs]
    )


def broadcast_shape(*xs: Any) -> list:
    """The shape of the tensors broadcast together; None where it is not known."""
    out = tf.TensorShape([])
    for x in xs:
        out = tf.broadcast_static_shape(out, tf.TensorShape(x.shape))
    return list(out)
