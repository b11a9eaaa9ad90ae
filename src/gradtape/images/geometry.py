"""Images cropped, padded, mirrored and turned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..array import pad as _pad
from ..core.arguments import integer, vector
from ..core.tensor import Tensor, convert
from ..ground.dtypes import int32
from ..ground.errors import invalid
from ..ground.shapes import TensorShape
from ..primitives import elementwise as ew
from ..primitives import structure as st
from ..primitives.indexing import gather, strided_slice
from ..random import stateless_uniform, uniform
from .common import pictures

Draw = Callable[..., Tensor]

# -- mirrored and turned -----------------------------------------------------------------------------------------------------


def _flipped(x: Tensor, axis: int) -> Tensor:
    """``axis`` counts from the height."""
    return st.reverse(x, axis=(len(x._shape) - 3 + axis,))


def flip_left_right(image: Any) -> Tensor:
    """The image mirrored: its columns in opposite order.

    Args:
        image: a Tensor of shape ([batch,] height, width, channels), or anything that converts to one.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: another number of dimensions.

    >>> import gradtape as tf
    >>> tf.image.flip_left_right([[[1], [2], [3]]]).numpy().ravel().tolist()
    [3, 2, 1]
    """
    return _flipped(pictures(image), 1)


def flip_up_down(image: Any) -> Tensor:
    """The image upside down: its rows in opposite order.

    Args:
        image: a Tensor of shape ([batch,] height, width, channels), or anything that converts to one.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: another number of dimensions.

    >>> import gradtape as tf
    >>> tf.image.flip_up_down([[[1]], [[2]], [[3]]]).numpy().ravel().tolist()
    [3, 2, 1]
    """
    return _flipped(pictures(image), 0)


def _random_flip(image: Any, axis: int, draw: Draw) -> Tensor:
    """Each image of a batch is flipped for itself."""
    x = pictures(image)
    chance = draw(x._shape[:-3])
    flip = (
        ew.less(chance, st.full_like(chance, value=0.5))
        if len(x._shape) == 3
        else ew.greater(chance, st.full_like(chance, value=0.5))
    )
    return ew.select(st.reshape(flip, shape=(*chance._shape, 1, 1, 1)), _flipped(x, axis), x)


def random_flip_left_right(image: Any, seed: Any = None) -> Tensor:
    """The image, mirrored with probability 1/2; each of a batch for itself.

    Args:
        image: a Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        seed: a seed of the operation, as in ``tf.random.uniform``.

    Returns:
        A Tensor of the same shape and dtype.
    """
    return _random_flip(image, 1, lambda shape: uniform(shape, seed=seed))


def random_flip_up_down(image: Any, seed: Any = None) -> Tensor:
    """The image, turned upside down with probability 1/2; each of a batch for itself.

    Args:
        image: a Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        seed: a seed of the operation, as in ``tf.random.uniform``.

    Returns:
        A Tensor of the same shape and dtype.
    """
    return _random_flip(image, 0, lambda shape: uniform(shape, seed=seed))


def stateless_random_flip_left_right(image: Any, seed: Any) -> Tensor:
    """``random_flip_left_right`` from a seed of two integers: the same seed flips alike.

    >>> import gradtape as tf
    >>> tf.image.stateless_random_flip_left_right([[[1], [2]]], seed=(1, 2)).shape
    TensorShape([1, 2, 1])
    """
    return _random_flip(image, 1, lambda shape: stateless_uniform(shape, seed))


def stateless_random_flip_up_down(image: Any, seed: Any) -> Tensor:
    """``random_flip_up_down`` from a seed of two integers: the same seed flips alike.

    >>> import gradtape as tf
    >>> tf.image.stateless_random_flip_up_down([[[1], [2]]], seed=(1, 2)).shape
    TensorShape([1, 2, 1])
    """
    return _random_flip(image, 0, lambda shape: stateless_uniform(shape, seed))


def transpose(image: Any, name: str | None = None) -> Tensor:
    """Rows and columns exchanged.

    Args:
        image: a Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ([batch,] width, height, channels).

    Raises:
        ValueError: another number of dimensions.

    >>> import gradtape as tf
    >>> tf.image.transpose([[[1], [2], [3]]]).shape
    TensorShape([3, 1, 1])
    """
    x = pictures(image)
    lead = len(x._shape) - 3
    return st.transpose(x, perm=(*range(lead), lead + 1, lead, lead + 2))


def rot90(image: Any, k: Any = 1, name: str | None = None) -> Tensor:
    """The image turned counter-clockwise by ``k`` times 90 degrees.

    Args:
        image: a Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        k: an integer.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same dtype.

    Raises:
        ValueError: another number of dimensions.

    >>> import gradtape as tf
    >>> tf.image.rot90([[[1], [2], [3]]]).numpy().ravel().tolist()
    [3, 2, 1]
    """
    x, turns = pictures(image), integer(k, "k") % 4
    if turns == 2:
        return _flipped(_flipped(x, 0), 1)
    return x if not turns else _flipped(transpose(x), 0) if turns == 1 else transpose(_flipped(x, 0))


# -- cropped and padded --------------------------------------------------------------------------------------------------------


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """A rectangle cut out of the image.

    Args:
        image: a Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        offset_height: the row of its upper edge.
        offset_width: the column of its left edge.
        target_height: its height.
        target_width: its width.

    Returns:
        A Tensor of shape ([batch,] target_height, target_width, channels).

    Raises:
        ValueError: the rectangle does not lie in the image.

    >>> import gradtape as tf
    >>> tf.image.crop_to_bounding_box([[[1], [2], [3]]], 0, 1, 1, 2).numpy().ravel().tolist()
    [2, 3]
    """
    x = pictures(image)
    top, left, h, w = _box(offset_height, offset_width, target_height, target_width)
    height, width = x._shape[-3:-1]
    _need(left >= 0, "offset_width must be >= 0.")
    _need(top >= 0, "offset_height must be >= 0.")
    _need(w > 0, "target_width must be > 0.")
    _need(h > 0, "target_height must be > 0.")
    _need(width >= w + left, f"width must be >= target + offset, but is {width} with target {w} and offset {left}.")
    _need(height >= h + top, f"height must be >= target + offset, but is {height} with target {h} and offset {top}.")
    whole = (slice(None),) * (len(x._shape) - 3)
    return strided_slice(x, index=(*whole, slice(top, top + h, 1), slice(left, left + w, 1)))


def _box(*numbers: Any) -> list[int]:
    names = ("offset_height", "offset_width", "target_height", "target_width")
    return [integer(n, name) for n, name in zip(numbers, names[-len(numbers) :], strict=True)]


def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """The image in a larger one of zeros.

    Args:
        image: a Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        offset_height: the rows above it.
        offset_width: the columns left of it.
        target_height: the height of the whole.
        target_width: the width of the whole.

    Returns:
        A Tensor of shape ([batch,] target_height, target_width, channels).

    Raises:
        ValueError: the image does not fit.

    >>> import gradtape as tf
    >>> tf.image.pad_to_bounding_box([[[1], [2]]], 0, 1, 1, 4).numpy().ravel().tolist()
    [0, 1, 2, 0]
    """
    x = pictures(image)
    top, left, h, w = _box(offset_height, offset_width, target_height, target_width)
    height, width = x._shape[-3:-1]
    _need(top >= 0, "offset_height must be >= 0")
    _need(left >= 0, "offset_width must be >= 0")
    _need(w >= width + left, f"width must be <= target - offset, but is {width} with target {w} and offset {left}.")
    _need(h >= height + top, f"height must be <= target - offset, but is {height} with target {h} and offset {top}.")
    whole = ((0, 0),) * (len(x._shape) - 3)
    return _pad(x, (*whole, (top, h - height - top), (left, w - width - left), (0, 0)))


def resize_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Tensor:
    """The image brought to a size by cutting its edges off or adding zeros, alike on both sides.

    Args:
        image: a Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        target_height: the height wanted.
        target_width: the width wanted.

    Returns:
        A Tensor of shape ([batch,] target_height, target_width, channels).

    Raises:
        ValueError: a size that is not positive.

    >>> import gradtape as tf
    >>> tf.image.resize_with_crop_or_pad([[[1], [2], [3]]], 3, 1).numpy().ravel().tolist()
    [0, 2, 0]
    """
    x = pictures(image)
    h, w = _box(target_height, target_width)
    _need(w > 0, "target_width must be > 0.")
    _need(h > 0, "target_height must be > 0.")
    height, width = x._shape[-3:-1]
    dh, dw = h - height, w - width
    cut = crop_to_bounding_box(x, max(-dh // 2, 0), max(-dw // 2, 0), min(h, height), min(w, width))
    return pad_to_bounding_box(cut, max(dh // 2, 0), max(dw // 2, 0), h, w)


def central_crop(image: Any, central_fraction: Any) -> Tensor:
    """The middle of the image.

    Args:
        image: a Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        central_fraction: how much of each side is kept, in (0, 1].

    Returns:
        A Tensor of the same dtype.

    Raises:
        ValueError: a fraction out of range.

    >>> import gradtape as tf
    >>> tf.image.central_crop([[[1], [2], [3], [4]]] * 4, 0.5).numpy().ravel().tolist()
    [2, 3, 2, 3]
    """
    x, f = pictures(image), float(central_fraction)
    if not 0.0 < f <= 1.0:
        raise ValueError(f"central_fraction must be within (0, 1], but is {f}.")
    h, w = x._shape[-3:-1]
    top, left = int((h - h * f) / 2), int((w - w * f) / 2)
    return x if f == 1.0 else crop_to_bounding_box(x, top, left, h - 2 * top, w - 2 * left)


def _random_crop(value: Any, size: Any, draw: Draw) -> Tensor:
    """A window of ``size``, every place equally likely. The offsets are numbers that a traced program draws, so the window is gathered."""
    x, dims = convert(value), vector(size, "size")
    if len(dims) != len(x._shape) or any(n > d for n, d in zip(dims, x._shape, strict=False)):
        raise invalid(f"Need value.shape >= size, got {TensorShape(x._shape)} and {list(dims)}.")
    offsets = draw((len(dims),))
    for axis, (n, d) in enumerate(zip(dims, x._shape, strict=True)):
        if n == d:
            continue
        places = strided_slice(offsets, index=(axis,)) % convert(d - n + 1, int32) + convert(
            np.arange(n, dtype=np.int32)
        )  # type: ignore[operator]
        x = gather(x, places, axis=axis, batch_dims=0)
    return x


_LARGEST = 2**31 - 1


def random_crop(value: Any, size: Any, seed: Any = None, name: str | None = None) -> Tensor:
    """A window of the tensor at a random place.

    Args:
        value: a Tensor, or anything that converts to one.
        size: the window's shape: one number for each dimension.
        seed: a seed of the operation, as in ``tf.random.uniform``.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ``size``.

    Raises:
        InvalidArgumentError: the window is larger than the tensor.

    >>> import gradtape as tf
    >>> tf.image.random_crop(tf.zeros([5, 5, 3]), [2, 3, 3]).shape
    TensorShape([2, 3, 3])
    """
    return _random_crop(value, size, lambda shape: uniform(shape, 0, _LARGEST, int32, seed))


def stateless_random_crop(value: Any, size: Any, seed: Any, name: str | None = None) -> Tensor:
    """``random_crop`` from a seed of two integers: the same seed takes the same place.

    >>> import gradtape as tf
    >>> tf.image.stateless_random_crop(tf.zeros([5, 5, 3]), [2, 3, 3], seed=(1, 2)).shape
    TensorShape([2, 3, 3])
    """
    return _random_crop(value, size, lambda shape: stateless_uniform(shape, seed, 0, _LARGEST, int32))


__all__ = [
    "central_crop", "crop_to_bounding_box", "flip_left_right", "flip_up_down", "pad_to_bounding_box", "random_crop", "random_flip_left_right",
    "random_flip_up_down", "resize_with_crop_or_pad", "rot90", "stateless_random_crop", "stateless_random_flip_left_right",
    "stateless_random_flip_up_down", "transpose",
]  # fmt: skip
