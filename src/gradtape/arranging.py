"""Public rearrangements: sequences turned round, patches of images and volumes, numbers of elements as index vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .array import stack
from .core.arguments import axis_of, dimensions, integers, sized, vector
from .core.tensor import Tensor, convert
from .ground.dtypes import STRING, int32
from .ground.errors import invalid
from .ground.shapes import dims_text
from .primitives import sorting, windows
from .primitives import structure as st

__all__ = [
    "extract_patches", "extract_volume_patches", "parallel_stack", "required_space_to_batch_paddings", "reverse_sequence", "unravel_index",
]  # fmt: skip


@sized
def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: Any = None, batch_axis: Any = None, name: str | None = None
) -> Tensor:
    """The first so many elements of each sequence in opposite order, the others where they are.

    Args:
        input: a Tensor of at least two dimensions, or anything that converts to one.
        seq_lengths: a vector of integers: how many elements of each sequence are turned round.
        seq_axis: the axis along which the sequences run.
        batch_axis: the axis along which they are counted; None for 0.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        TypeError: no ``seq_axis``.
        InvalidArgumentError: a length is negative or too large, there are not as many as sequences, or the axes are equal or out of range.

    >>> import gradtape as tf
    >>> tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], seq_axis=1).numpy().tolist()
    [[2, 1, 3], [6, 5, 4]]
    """
    if seq_axis is None:
        raise TypeError("Expected int for argument 'seq_axis' not None: name the axis along which the sequences run.")
    x = convert(input)
    rank = len(x._shape)
    s, b = axis_of(seq_axis, rank, "seq_axis"), axis_of(0 if batch_axis is None else batch_axis, rank, "batch_axis")
    return windows.reverse_sequence(x, convert(seq_lengths), seq_axis=s, batch_axis=b)


@sized
def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Tensor:
    """The index vectors of elements that are numbered in row-major order.

    Args:
        indices: an integer, or a vector of them.
        dims: the shape of the tensor whose elements are numbered.
        name: ignored, for TensorFlow's sake.

    Returns:
        An integer Tensor of shape ``(len(dims),) + indices.shape``: one coordinate after the other.

    Raises:
        InvalidArgumentError: a number is negative or too large, or ``indices`` is no scalar or vector.

    >>> import gradtape as tf
    >>> tf.unravel_index([2, 5, 7], [3, 3]).numpy().tolist()
    [[0, 1, 2], [2, 2, 1]]
    """
    return sorting.unravel_index(convert(indices), dims=vector(dims, "dims"))


def parallel_stack(values: Any, name: str = "parallel_stack") -> Tensor:
    """``tf.stack`` along the first axis, which copies each tensor once anyhow.

    >>> import gradtape as tf
    >>> tf.parallel_stack([[1, 2], [3, 4]]).numpy().tolist()
    [[1, 2], [3, 4]]
    """
    return stack(values)


@sized
def required_space_to_batch_paddings(
    input_shape: Any, block_shape: Any, base_paddings: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The paddings with which blocks divide a shape, and the crops that take them away again.

    Args:
        input_shape: the lengths of the dimensions that are cut into blocks.
        block_shape: the lengths of a block.
        base_paddings: pairs that are padded at least; None for none.
        name: ignored, for TensorFlow's sake.

    Returns:
        ``paddings`` and ``crops`` for ``tf.space_to_batch`` and ``tf.batch_to_space``: int32 Tensors of shape (n, 2).

    >>> import gradtape as tf
    >>> paddings, crops = tf.required_space_to_batch_paddings([5, 6], [2, 4])
    >>> paddings.numpy().tolist(), crops.numpy().tolist()
    ([[0, 1], [0, 2]], [[0, 1], [0, 2]])
    """
    have, block = np.array(dimensions(input_shape)), np.array(dimensions(block_shape))
    base = np.zeros((len(have), 2), int) if base_paddings is None else np.asarray(convert(base_paddings))
    if have.shape != block.shape or base.shape != (len(have), 2):
        raise invalid("input_shape, block_shape and base_paddings must have one entry for each dimension.")
    more = -(have + base.sum(1)) % block
    none = np.zeros_like(more)
    paddings, crops = np.stack([base[:, 0], base[:, 1] + more], 1), np.stack([none, more], 1)
    return convert(paddings.astype(int32.np)), convert(crops.astype(int32.np))


# -- patches ------------------------------------------------------------------------------------------------------------------


def _patches(
    x: Tensor, sizes: tuple[int, ...], strides: tuple[int, ...], rates: tuple[int, ...], padding: Any
) -> Tensor:
    """The windows of ``sizes`` over the dimensions between the first and the last, each laid out along the last."""
    if padding not in ("SAME", "VALID"):
        raise invalid(f"padding must be 'SAME' or 'VALID', but is {padding!r}.")
    k = len(sizes)
    have = x._shape[1:-1]
    if min(sizes + strides + rates) < 1:
        raise invalid(f"Sizes, strides and rates must be positive: got {sizes}, {strides} and {rates}.")
    if padding == "SAME":
        around = [(0, 0)]
        for n, size, step, rate in zip(have, sizes, strides, rates, strict=True):
            more = max(0, (-(-n // step) - 1) * step + windows.span(size, rate) - n)
            around.append((more // 2, more - more // 2))
        x = st.pad(x, paddings=(*around, (0, 0)), value=b"" if x._d.kind == STRING else 0)
    for j in range(k):  # the axes between grow by one with each
        x = windows.windows(x, axis=1 + 2 * j, size=sizes[j], step=strides[j], rate=rates[j])
    shape = x._shape
    counts, within = tuple(range(1, 2 * k, 2)), tuple(range(2, 2 * k + 1, 2))
    moved = st.transpose(x, perm=(0, *counts, *within, 2 * k + 1))
    return st.reshape(
        moved, shape=(shape[0], *[shape[i] for i in counts], math.prod(shape[i] for i in within) * shape[-1])
    )


def _across_space(value: Any, rank: int, what: str) -> tuple[int, ...]:
    numbers = integers(value, what)
    if len(numbers) != rank or numbers[0] != 1 or numbers[-1] != 1:
        raise invalid(
            f"{what} must hold {rank} numbers of which the first and the last, for batch and channels, are 1: got {list(numbers)}."
        )
    return numbers[1:-1]


def _of_rank(value: Any, rank: int) -> Tensor:
    x = convert(value)
    if len(x._shape) != rank:
        raise invalid(f"input must be {rank}-dimensional, but has shape {dims_text(x._shape)}.")
    return x


@sized
def extract_patches(images: Any, sizes: Any, strides: Any, rates: Any, padding: str, name: str | None = None) -> Tensor:
    """Patches of images, each laid out along the channels (``tf.image.extract_patches``).

    Args:
        images: a Tensor of shape (batch, height, width, channels).
        sizes: ``[1, rows, columns, 1]`` of a patch.
        strides: ``[1, rows, columns, 1]`` from one patch to the next.
        rates: ``[1, rows, columns, 1]`` from one pixel of a patch to the next.
        padding: "VALID", or "SAME" for as many patches as strides fit into the image, with zeros around it.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (batch, rows of patches, patches in a row, rows · columns · channels).

    Raises:
        InvalidArgumentError: the ranks are wrong, a number is not positive, or batch or channels are cut.

    >>> import gradtape as tf
    >>> images = tf.reshape(tf.range(16), [1, 4, 4, 1])
    >>> tf.image.extract_patches(images, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID").numpy()[0, 0].tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    x = _of_rank(images, 4)
    return _patches(
        x,
        _across_space(sizes, 4, "sizes"),
        _across_space(strides, 4, "strides"),
        _across_space(rates, 4, "rates"),
        padding,
    )


@sized
def extract_volume_patches(input: Any, ksizes: Any, strides: Any, padding: str, name: str | None = None) -> Tensor:
    """Patches of volumes, each laid out along the channels.

    Args:
        input: a Tensor of shape (batch, depth, height, width, channels).
        ksizes: ``[1, planes, rows, columns, 1]`` of a patch.
        strides: ``[1, planes, rows, columns, 1]`` from one patch to the next.
        padding: "VALID", or "SAME" for as many patches as strides fit into the volume, with zeros around it.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (batch, planes of patches, rows of patches, patches in a row, planes · rows · columns · channels).

    Raises:
        InvalidArgumentError: the ranks are wrong, a number is not positive, or batch or channels are cut.

    >>> import gradtape as tf
    >>> tf.extract_volume_patches(tf.ones([1, 2, 3, 3, 1]), [1, 2, 2, 2, 1], [1, 1, 1, 1, 1], "VALID").shape
    TensorShape([1, 1, 2, 2, 8])
    """
    x = _of_rank(input, 5)
    return _patches(x, _across_space(ksizes, 5, "ksizes"), _across_space(strides, 5, "strides"), (1, 1, 1), padding)
