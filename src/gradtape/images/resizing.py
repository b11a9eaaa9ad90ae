"""Images resized, and boxes of them cut out and resized."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.arguments import integer, sized, vector
from ..core.tensor import Tensor, convert
from ..dtypes import cast
from ..ground.dtypes import float32, int32
from ..ground.errors import invalid
from ..ground.shapes import TensorShape, dims_text
from ..primitives import elementwise as ew
from ..primitives import structure as st
from ..primitives.image import resample, resizing
from ..primitives.indexing import along, gather
from .common import batched, pictures, unbatched
from .geometry import pad_to_bounding_box


class ResizeMethod:
    """The names of the methods of ``tf.image.resize``."""

    BILINEAR = "bilinear"
    NEAREST_NEIGHBOR = "nearest"
    BICUBIC = "bicubic"
    AREA = "area"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"
    GAUSSIAN = "gaussian"
    MITCHELLCUBIC = "mitchellcubic"


_METHODS = {v for k, v in vars(ResizeMethod).items() if k.isupper()}


def _nearest(n: int, m: int) -> Any:
    """Which of ``n`` pixels lies nearest to the middle of each of ``m``."""
    at = (np.arange(m, dtype=np.float32) + np.float32(0.5)) * (np.float32(n) / np.float32(m))
    return convert(np.minimum(np.floor(at), n - 1).astype(np.int32))


@sized
def resize(
    images: Any,
    size: Any,
    method: str = ResizeMethod.BILINEAR,
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
    name: str | None = None,
) -> Tensor:
    """Images of another size. Pixels are taken for squares, whose middles lie at half numbers.

    The weights are computed in float32 and so equal TensorFlow's; the result is linear in the image, and gradients flow.

    Args:
        images: a numeric Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        size: (new height, new width).
        method: a name from ``tf.image.ResizeMethod``: "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian" or
            "mitchellcubic".
        preserve_aspect_ratio: ``size`` is the largest allowed, and the proportions stay.
        antialias: average over all pixels that are covered when shrinking; without effect for "nearest" and "area".
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape ([batch,] new height, new width, channels): float32, but of the dtype of ``images`` for "nearest".

    Raises:
        ValueError: another number of dimensions, a method that does not exist, a size that is no pair.

    >>> import gradtape as tf
    >>> tf.image.resize([[[0.0], [1.0]]], [1, 4]).numpy().ravel().tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    given = convert(images)
    if len(given._shape) not in (3, 4):
        raise ValueError(
            "'images' must have either 3 or 4 dimensions, ([batch,] height, width, channels), but has shape "
            f"{TensorShape(given._shape)}."
        )
    if method not in _METHODS:
        raise ValueError(f"Resize method is not implemented: {method}. There are {', '.join(sorted(_METHODS))}.")
    wanted = vector(size, "size")
    if len(wanted) != 2:
        raise ValueError(f"'size' must be a 1-D Tensor of 2 elements: new_height, new_width, but is {size!r}.")
    x = batched(given)
    height, width = x._shape[1:3]
    if preserve_aspect_ratio:
        f = np.float32
        scale = min(f(wanted[0]) / f(height), f(wanted[1]) / f(width))
        wanted = int(np.rint(scale * f(height))), int(np.rint(scale * f(width)))
    if min(wanted) <= 0 or 0 in (height, width):
        raise invalid(
            f"Image sizes must be positive: cannot resize {height} x {width} pixels to {wanted[0]} x {wanted[1]}."
        )
    if method == ResizeMethod.NEAREST_NEIGHBOR:
        y = gather(
            gather(x, _nearest(height, wanted[0]), axis=1, batch_dims=0),
            _nearest(width, wanted[1]),
            axis=2,
            batch_dims=0,
        )
        return unbatched(y, given)
    y = cast(x, float32)
    steps = [(1, height, wanted[0]), (2, width, wanted[1])]
    for axis, n, m in sorted(steps, key=lambda step: step[2] / step[1]):  # what shrinks most goes first
        y = resample(y, axis=axis, taps=resizing(method, n, m, bool(antialias)))
    return unbatched(y, given)


def resize_with_pad(
    image: Any, target_height: Any, target_width: Any, method: str = ResizeMethod.BILINEAR, antialias: bool = False
) -> Tensor:
    """The image as large as fits into a size, its proportions kept, with zeros around.

    Args:
        image: a numeric Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        target_height: the height of the whole.
        target_width: the width of the whole.
        method: as in ``tf.image.resize``.
        antialias: as in ``tf.image.resize``.

    Returns:
        A Tensor of shape ([batch,] target_height, target_width, channels).

    Raises:
        ValueError: another number of dimensions, or a size that is not positive.

    >>> import gradtape as tf
    >>> tf.image.resize_with_pad([[[1.0], [1.0]]], 3, 2).numpy().ravel().tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    """
    x = pictures(image)
    h, w = integer(target_height, "target_height"), integer(target_width, "target_width")
    if h <= 0 or w <= 0:
        raise ValueError(f"target_width must be > 0, and so must target_height: got {w} and {h}.")
    f = np.float32
    height, width = x._shape[-3:-1]
    ratio = max(f(width) / f(w), f(height) / f(h))
    new_h, new_w = f(height) / ratio, f(width) / ratio
    top, left = (max(0, int(np.floor((f(t) - n) / 2))) for t, n in ((h, new_h), (w, new_w)))
    y = resize(x, [int(np.floor(new_h)), int(np.floor(new_w))], method, antialias=antialias)
    return pad_to_bounding_box(y, top, left, h, w)


def crop_and_resize(
    image: Any,
    boxes: Any,
    box_indices: Any,
    crop_size: Any,
    method: str = "bilinear",
    extrapolation_value: float = 0.0,
    name: str | None = None,
) -> Tensor:
    """Boxes cut out of images and brought to one size, by interpolation between four pixels or the nearest.

    Differentiable in the image and, for "bilinear", in the boxes.

    Args:
        image: a numeric Tensor of shape (batch, height, width, channels), or anything that converts to one.
        boxes: a float32 Tensor of shape (n, 4) of rows y1, x1, y2, x2, where 0 is the first pixel and 1 the last; y1 > y2 turns a box upside down.
        box_indices: an int32 Tensor of shape (n,): the image that each box is cut out of.
        crop_size: (height, width) of the results.
        method: "bilinear" or "nearest".
        extrapolation_value: what stands outside the image.
        name: ignored, for TensorFlow's sake.

    Returns:
        A float32 Tensor of shape (n, crop height, crop width, channels).

    Raises:
        InvalidArgumentError: shapes that do not fit, an index out of range, a size that is not positive.

    >>> import gradtape as tf
    >>> x = tf.reshape(tf.range(9.0), [1, 3, 3, 1])
    >>> tf.image.crop_and_resize(x, [[0.0, 0.0, 1.0, 1.0]], [0], [2, 2]).numpy().ravel().tolist()
    [0.0, 2.0, 6.0, 8.0]
    """
    x, at = convert(image), convert(box_indices, None, int32)
    corners = convert(boxes, None, float32)
    size = vector(crop_size, "crop_size")
    if method not in ("bilinear", "nearest"):
        raise invalid(f"method must be 'bilinear' or 'nearest', but is {method!r}.")
    if len(x._shape) != 4:
        raise invalid(f"input image must be 4-D, but has shape {dims_text(x._shape)}.")
    if len(corners._shape) != 2 or corners._shape[1] not in (4, None):
        raise invalid(f"boxes must have 4 columns, but has shape {dims_text(corners._shape)}.")
    if at._shape != corners._shape[:1]:
        raise invalid(
            f"box_indices must hold one number for each of {dims_text(corners._shape)} boxes, but has shape {dims_text(at._shape)}."
        )
    if len(size) != 2 or min(size) <= 0:
        raise invalid(f"crop dimensions must be two positive numbers, but are {list(size)}.")
    _, height, width, channels = x._shape
    y1, x1, y2, x2 = (along(corners, 1, i, i + 1) for i in range(4))
    ys, xs = _places(y1, y2, height, size[0]), _places(x1, x2, width, size[1])
    inside = ew.logical_and(st.expand_dims(_inside(ys, height), 2), st.expand_dims(_inside(xs, width), 1))
    pixels = st.reshape(cast(x, float32), shape=(math.prod(x._shape[:3]), channels))
    first = st.reshape(at, shape=(*at._shape, 1, 1)) * height  # type: ignore[operator]

    def pixel(y: Tensor, x: Tensor) -> Tensor:
        at = (first + st.expand_dims(cast(y, int32), 2)) * width + st.expand_dims(cast(x, int32), 1)  # type: ignore[operator]
        return gather(pixels, at, axis=0, batch_dims=0)

    ys, xs = _clipped(ys, height), _clipped(xs, width)
    if method == "nearest":
        out = pixel(ew.floor(ys + 0.5), ew.floor(xs + 0.5))  # type: ignore[operator]
    else:
        top, left, bottom, right = ew.floor(ys), ew.floor(xs), ew.ceil(ys), ew.ceil(xs)
        n = at._shape[0]
        down, over = st.reshape(ys - top, shape=(n, size[0], 1, 1)), st.reshape(xs - left, shape=(n, 1, size[1], 1))
        upper, lower = pixel(top, left), pixel(bottom, left)
        upper = upper + (pixel(top, right) - upper) * over
        lower = lower + (pixel(bottom, right) - lower) * over
        out = upper + (lower - upper) * down
    return ew.select(st.expand_dims(inside, 3), out, st.full_like(out, value=float(extrapolation_value)))


def _places(low: Tensor, high: Tensor, n: int, m: int) -> Tensor:
    """Where along an axis of ``n`` pixels the ``m`` of each box lie, (boxes, m)."""
    if m == 1:
        return (low + high) * (0.5 * (n - 1))  # type: ignore[operator]
    steps = convert(np.arange(m, dtype=np.float32)[None])
    return low * float(n - 1) + steps * ((high - low) * (float(n - 1) / (m - 1)))  # type: ignore[operator]


def _inside(at: Tensor, n: int) -> Tensor:
    return ew.logical_and(
        ew.greater_equal(at, st.zeros_like(at)), ew.less_equal(at, st.full_like(at, value=float(n - 1)))
    )


def _clipped(at: Tensor, n: int) -> Tensor:
    return ew.minimum(ew.maximum(at, st.zeros_like(at)), st.full_like(at, value=float(n - 1)))


__all__ = ["ResizeMethod", "crop_and_resize", "resize", "resize_with_pad"]
