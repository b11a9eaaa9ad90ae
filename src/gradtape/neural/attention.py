"""Attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.operators import number, pair
from ..core.products import matmul
from ..core.tensor import Tensor, convert
from ..ground.dtypes import bool_, float32
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import activation as act
from ..primitives import elementwise as ew
from ..primitives import structure as st


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
) -> Tensor:
    """Scaled dot-product attention, softmax(scale · q kᵀ + bias) v for each head (Vaswani et al. 2017): gradtape's own.

    Where there are fewer heads of keys and values than of queries, each serves as many of these in turn (Ainslie et al. 2023). The softmax of
    float16 and bfloat16 is computed in float32. Where the mask leaves a query no key at all, its result is 0.

    Args:
        query: a float Tensor [batch, targets, heads, size].
        key: a Tensor [batch, sources, heads or a divisor of it, size] of the same dtype.
        value: a Tensor [batch, sources, as many heads as ``key``, size of the values] of the same dtype.
        bias: a Tensor that broadcasts with [batch, heads, targets, sources] and is added to the scaled products.
        mask: a bool Tensor that broadcasts with it: a query sees the keys where it is true.
        scale: the factor of the products; None for 1 / sqrt(size).
        is_causal: a query sees only the keys up to its own place.

    Returns:
        A Tensor [batch, targets, heads, size of the values] of the same dtype.

    Raises:
        InvalidArgumentError: shapes or dtypes that do not fit.

    >>> import gradtape as tf
    >>> q = tf.zeros([1, 2, 1, 4])
    >>> v = tf.reshape([1., 3.], [1, 2, 1, 1])
    >>> tf.nn.dot_product_attention(q, q, v, is_causal=True).numpy().ravel().tolist()
    [1.0, 2.0]
    """
    q, k = pair(ew.mul, query, key)
    q, v = pair(ew.mul, q, value)
    for what, x in (("query", q), ("key", k), ("value", v)):
        if len(x._shape) != 4:
            raise invalid(
                f"{what} must have 4 dimensions, batch, places, heads and size, but has shape {dims_text(x._shape)}."
            )
    if not q._d.is_floating:
        raise invalid(f"Attention is defined for float tensors, but these are {q._d.name}.")
    heads, groups, size = q._shape[2], k._shape[2], q._shape[3]
    if v._shape[2] != groups or v._shape[1] != k._shape[1]:
        raise invalid(
            f"key and value must have the same places and heads, but have shapes {dims_text(k._shape)} and {dims_text(v._shape)}."
        )
    if groups != heads:
        if not groups or heads % groups:
            raise invalid(f"The {heads} heads of the queries must be a multiple of the {groups} heads of the keys.")
        k, v = (st.repeat(x, repeats=heads // groups, axis=2) for x in (k, v))
    q, k, v = (st.transpose(x, perm=(0, 2, 1, 3)) for x in (q, k, v))
    logits = matmul(q, k, transpose_b=True)
    wide = st.cast(logits, float32) if logits._d.size == 2 else logits
    wide = wide * number(wide._d, 1 / math.sqrt(size) if scale is None else float(scale))
    if bias is not None:
        wide = wide + st.cast(convert(bias, None, wide._d), wide._d)
    seen = _seen(mask, wide, is_causal)
    if seen is None:
        weights = act.softmax(wide, axis=3)
    else:
        low = number(wide._d, -0.7 * float(np.finfo(wide._d.np).max))  # not -inf: of that alone, the softmax is NaN
        weights = act.softmax(ew.select(seen, wide, low), axis=3)
        weights = ew.select(seen, weights, number(wide._d, 0.0))
    return st.transpose(matmul(st.cast(weights, v._d), v), perm=(0, 2, 1, 3))


def _seen(mask: Any, logits: Tensor, is_causal: bool) -> Tensor | None:
    """Which query sees which key, or None for all of them."""
    seen = None
    if mask is not None:
        seen = convert(mask)
        if seen._d is not bool_:
            raise invalid(f"mask must be a bool tensor, but is {seen._d.name}.")
    if is_causal:
        n, m = logits._shape[-2:]
        if None in (n, m):
            raise invalid(
                "Causal attention needs numbers of places that are known while tracing: set the shapes with tf.ensure_shape."
            )
        earlier = convert(np.tri(n, m, dtype=bool))
        seen = earlier if seen is None else ew.logical_and(seen, earlier)
    return seen
