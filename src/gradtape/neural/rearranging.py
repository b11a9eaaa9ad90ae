"""Blocks of space moved into channels or into the batch, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.arguments import integer, integers
from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import indexing as ix
from ..primitives import structure as st
from .windows import Layout


def _known(x: Tensor, what: str) -> tuple[int, ...]:
    if None in x._shape:
        raise invalid(
            f"{what} needs dimensions that are known while tracing, but the shape is {dims_text(x._shape)}: set it with tf.ensure_shape."
        )
    return x._shape


def _block(block_size: Any) -> int:
    b = integer(block_size, "block_size")
    if b < 1:
        raise invalid(f"block_size must be at least 1, but is {b}.")
    return b


def space_to_depth(input: Any, block_size: Any, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """Each block of block_size × block_size places moved into the channels of one place.

    Args:
        input: a Tensor [batch, height, width, channels] of any dtype.
        block_size: the size of a block, which divides height and width.
        data_format: "NHWC" or "NCHW".
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch, height / block_size, width / block_size, channels · block_size²], in the layout of the input.

    Raises:
        InvalidArgumentError: another rank, or a size that does not divide.
        ValueError: another ``data_format``.

    >>> import gradtape as tf
    >>> x = tf.reshape(tf.range(4), [1, 2, 2, 1])
    >>> tf.nn.space_to_depth(x, 2).numpy().tolist()
    [[[[0, 1, 2, 3]]]]
    """
    x, b = convert(input), _block(block_size)
    layout = Layout(x._shape, 2, data_format)
    x = layout.last(x)
    n, h, w, c = _known(x, "space_to_depth")
    if h % b or w % b:
        raise invalid(f"The height {h} and the width {w} must be multiples of block_size {b}.")
    x = st.transpose(st.reshape(x, shape=(n, h // b, b, w // b, b, c)), perm=(0, 1, 3, 2, 4, 5))
    return layout.back(st.reshape(x, shape=(n, h // b, w // b, b * b * c)))


def depth_to_space(input: Any, block_size: Any, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """The inverse of ``tf.nn.space_to_depth``: the channels of a place become a block of places (Shi et al. 2016, sub-pixel convolution).

    Args:
        input: a Tensor [batch, height, width, channels] of any dtype.
        block_size: the size of a block, whose square divides the number of channels.
        data_format: "NHWC" or "NCHW".
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch, height · block_size, width · block_size, channels / block_size²], in the layout of the input.

    Raises:
        InvalidArgumentError: another rank, or a size that does not divide.
        ValueError: another ``data_format``.

    >>> import gradtape as tf
    >>> tf.nn.depth_to_space([[[[0, 1, 2, 3]]]], 2)[0, ..., 0].numpy().tolist()
    [[0, 1], [2, 3]]
    """
    x, b = convert(input), _block(block_size)
    layout = Layout(x._shape, 2, data_format)
    x = layout.last(x)
    n, h, w, c = _known(x, "depth_to_space")
    if c % (b * b):
        raise invalid(f"The number of channels, {c}, must be a multiple of block_size², {b * b}.")
    x = st.transpose(st.reshape(x, shape=(n, h, w, b, b, c // (b * b))), perm=(0, 1, 3, 2, 4, 5))
    return layout.back(st.reshape(x, shape=(n, h * b, w * b, c // (b * b))))


def _pairs(value: Any, n: int, what: str) -> tuple[tuple[int, int], ...]:
    value = np.asarray(value) if isinstance(value, Tensor | Variable) else value
    pairs = tuple(integers(p, what) for p in value)
    if len(pairs) != n or any(len(p) != 2 or min(p) < 0 for p in pairs):
        raise invalid(
            f"{what} must be {n} pairs of non-negative numbers, one for each dimension of block_shape, but is {list(pairs)}."
        )
    return tuple((a, b) for a, b in pairs)


def _blocks(block_shape: Any, x: Tensor) -> tuple[int, ...]:
    blocks = integers(block_shape, "block_shape")
    if any(b < 1 for b in blocks):
        raise invalid(f"block_shape must be positive, but is {list(blocks)}.")
    if len(x._shape) < len(blocks) + 1:
        raise invalid(
            f"The input must have a batch and {len(blocks)} spatial dimension(s), but its shape is {dims_text(x._shape)}."
        )
    return blocks


def space_to_batch(input: Any, block_shape: Any, paddings: Any, name: str | None = None) -> Tensor:
    """The spatial dimensions padded and cut into blocks, each place within a block moved to an image of its own.

    Args:
        input: a Tensor [batch, ...spatial, ...rest] of any numeric dtype.
        block_shape: the size of a block along each spatial dimension, which divides the padded length.
        paddings: a pair of numbers for each spatial dimension, the zeros before and after.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch · the product of block_shape, ...spatial / block_shape, ...rest].

    Raises:
        InvalidArgumentError: ranks or lengths that do not fit.

    >>> import gradtape as tf
    >>> tf.nn.space_to_batch([[[1], [2], [3]]], [2], [[0, 1]])[..., 0].numpy().tolist()
    [[1, 3], [2, 0]]
    """
    x = convert(input)
    blocks = _blocks(block_shape, x)
    m = len(blocks)
    pads = _pairs(paddings, m, "paddings")
    if any(map(any, pads)):
        x = st.pad(x, paddings=((0, 0), *pads, *((0, 0),) * (len(x._shape) - m - 1)), value=0)
    n, *dims = _known(x, "space_to_batch")
    spatial, rest = dims[:m], dims[m:]
    for i, (d, b) in enumerate(zip(spatial, blocks, strict=True)):
        if d % b:
            raise invalid(f"The padded length {d} of spatial dimension {i} must be a multiple of its block, {b}.")
    parted = [v for d, b in zip(spatial, blocks, strict=True) for v in (d // b, b)]
    x = st.reshape(x, shape=(n, *parted, *rest))
    perm = (*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m + 1, 2), *range(2 * m + 1, len(x._shape)))
    return st.reshape(
        st.transpose(x, perm=perm),
        shape=(n * int(np.prod(blocks)), *(d // b for d, b in zip(spatial, blocks, strict=True)), *rest),
    )


def batch_to_space(input: Any, block_shape: Any, crops: Any, name: str | None = None) -> Tensor:
    """The inverse of ``tf.space_to_batch``.

    Args:
        input: a Tensor [batch, ...spatial, ...rest] of any dtype, whose batch is a multiple of the product of ``block_shape``.
        block_shape: the size of a block along each spatial dimension.
        crops: a pair of numbers for each spatial dimension: how much of the result to cut off before and after.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor [batch / the product of block_shape, ...spatial · block_shape - crops, ...rest].

    Raises:
        InvalidArgumentError: ranks or lengths that do not fit.

    >>> import gradtape as tf
    >>> tf.batch_to_space([[[1], [3]], [[2], [0]]], [2], [[0, 1]])[..., 0].numpy().tolist()
    [[1, 2, 3]]
    """
    x = convert(input)
    blocks = _blocks(block_shape, x)
    m, k = len(blocks), int(np.prod(blocks))
    cut = _pairs(crops, m, "crops")
    n, *dims = _known(x, "batch_to_space")
    if n % k:
        raise invalid(f"The batch, {n}, must be a multiple of the product of block_shape, {k}.")
    spatial, rest = dims[:m], dims[m:]
    lengths = [d * b for d, b in zip(spatial, blocks, strict=True)]
    if any(a + b > d for d, (a, b) in zip(lengths, cut, strict=True)):
        raise invalid(f"crops {list(cut)} cut off more than there is, {lengths}.")
    x = st.reshape(x, shape=(*blocks, n // k, *spatial, *rest))
    perm = (m, *(v for i in range(m) for v in (m + 1 + i, i)), *range(2 * m + 1, len(x._shape)))
    x = st.reshape(st.transpose(x, perm=perm), shape=(n // k, *lengths, *rest))
    if any(map(any, cut)):
        parts = tuple(slice(a, d - b, 1) for d, (a, b) in zip(lengths, cut, strict=True))
        x = ix.strided_slice(x, index=(slice(0, n // k, 1), *parts, *(slice(0, d, 1) for d in rest)))
    return x


def with_space_to_batch(
    input: Any,
    dilation_rate: Any,
    padding: str,
    op: Callable,
    filter_shape: Any = None,
    spatial_dims: Any = None,
    data_format: str | None = None,
) -> Tensor:
    """``op`` on the places of the input that lie ``dilation_rate`` apart, as if each set of them were an image.

    A convolution or pooling so becomes a dilated one; ``tf.nn.convolution`` and ``tf.nn.pool`` have that themselves, and faster.

    Args:
        input: a Tensor [batch, ...spatial, channels].
        dilation_rate: how far apart, one number for each of ``spatial_dims``.
        padding: "SAME" or "VALID".
        op: ``op(input, number of spatial dimensions, "VALID")`` gives a Tensor.
        filter_shape: for "SAME" the spatial dimensions of the window.
        spatial_dims: which dimensions ``dilation_rate`` is about, in order and from 1 on; None: the first after the batch.
        data_format: where it starts with "NC", the spatial dimensions start at 2.

    Returns:
        A Tensor.

    Raises:
        ValueError: another ``padding``; "SAME" without ``filter_shape``; spatial dimensions that are not consecutive.

    >>> import gradtape as tf
    >>> x = tf.reshape(tf.range(5.), [1, 5, 1])
    >>> op = lambda x, n, padding: tf.nn.convolution(x, tf.ones([2, 1, 1]), padding=padding)
    >>> tf.nn.with_space_to_batch(x, [2], "VALID", op).numpy().ravel().tolist()
    [2.0, 4.0, 6.0]
    """
    x = convert(input)
    rate = integers(dilation_rate, "dilation_rate")
    first = 2 if data_format is not None and data_format.startswith("NC") else 1
    dims = tuple(range(first, first + len(rate))) if spatial_dims is None else integers(spatial_dims, "spatial_dims")
    if len(dims) != len(rate) or list(dims) != list(range(dims[0], dims[0] + len(dims))) or dims[0] < 1:
        raise ValueError(
            f"spatial_dims must be consecutive, from 1 on, and as many as dilation_rate has, but is {list(dims)}."
        )
    if padding not in ("SAME", "VALID"):
        raise ValueError(f"padding must be 'SAME' or 'VALID', but is {padding!r}.")
    if all(r == 1 for r in rate):
        return op(x, len(rate), padding)
    before = [(0, 0)] * len(rate)
    if padding == "SAME":
        if filter_shape is None:
            raise ValueError("filter_shape must be given for padding='SAME'.")
        extra = [(k - 1) * r for k, r in zip(integers(filter_shape, "filter_shape"), rate, strict=False)]
        before = [(e // 2, e - e // 2) for e in extra]
    lengths = [_known(x, "with_space_to_batch")[d] for d in dims]
    more = [-(n + a + b) % r for n, (a, b), r in zip(lengths, before, rate, strict=True)]
    lead = dims[0] - 1  # dimensions between the batch and the spatial ones go last for the while
    perm = (0, *dims, *(i for i in range(1, len(x._shape)) if i not in dims))
    y = st.transpose(x, perm=perm) if lead else x
    y = space_to_batch(y, rate, [(a, b + m) for (a, b), m in zip(before, more, strict=True)])
    inverse = tuple(int(i) for i in np.argsort(perm))
    y = op(st.transpose(y, perm=inverse) if lead else y, len(rate), "VALID")
    y = st.transpose(y, perm=perm) if lead else y
    y = batch_to_space(y, rate, [(0, m) for m in more])
    return st.transpose(y, perm=inverse) if lead else y
