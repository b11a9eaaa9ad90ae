"""Measures of images: similarity, variation, edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..array import pad
from ..core.reductions import reduce_mean, reduce_prod, reduce_sum
from ..core.tensor import Tensor, convert
from ..dtypes import cast
from ..ground.dtypes import float32
from ..ground.errors import invalid
from ..ground.shapes import TensorShape, dims_text
from ..primitives import activation as act
from ..primitives import elementwise as ew
from ..primitives import structure as st
from ..primitives.image import correlating, resample
from ..primitives.indexing import along
from .common import convert_image_dtype


def _two(img1: Any, img2: Any, max_val: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Both images and the largest value, as float32.

    Raises:
        ValueError: the images do not have one size, or their batch dimensions do not broadcast.
    """
    x = convert(img1)
    y = convert(img2, None, x._d)
    a, b = x._shape, y._shape
    if len(a) < 3 or len(b) < 3:
        raise ValueError(f"Shape {TensorShape(a if len(a) < 3 else b)} must have rank at least 3.")
    if a[-3:] != b[-3:]:
        raise ValueError(
            f"Shapes {TensorShape(a[-3:])} and {TensorShape(b[-3:])} are incompatible: both images must have one size."
        )
    if not all(1 in (d, e) or d == e for d, e in zip(a[-4::-1], b[-4::-1], strict=False)):
        raise ValueError(f"Two images are not compatible: {TensorShape(a)} and {TensorShape(b)}.")
    top = convert_image_dtype(cast(convert(max_val), x._d), float32)
    return convert_image_dtype(x, float32), convert_image_dtype(y, float32), top


def psnr(a: Any, b: Any, max_val: Any, name: str | None = None) -> Tensor:
    """The peak signal-to-noise ratio of two images in decibels: 10·log10(max_val² / mean((a - b)²)).

    Args:
        a: a numeric Tensor of shape (..., height, width, channels), or anything that converts to one.
        b: another, of the same dtype and image size.
        max_val: the difference between the largest and the smallest value that a pixel can have.
        name: ignored, for TensorFlow's sake.

    Returns:
        A float32 Tensor of the shape of the batch; infinite for equal images.

    Raises:
        ValueError: images of different sizes.

    >>> import gradtape as tf
    >>> tf.image.psnr(tf.zeros([2, 2, 1]), tf.fill([2, 2, 1], 0.1), 1.0).numpy().round(3)
    np.float32(20.0)
    """
    x, y, top = _two(a, b, max_val)
    mse = reduce_mean(ew.squared_difference(x, y), [-3, -2, -1])
    return ew.log(top) * (20 / math.log(10)) - ew.log(mse) * (10 / math.log(10))


def _gauss(size: int, sigma: float) -> tuple[float, ...]:
    """Normal weights that add up to 1. The square of TensorFlow's is the product of two such rows."""
    at = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    w = np.exp(at * at * np.float32(-0.5 / np.float32(sigma) ** 2))
    return tuple((w / w.sum()).tolist())


def _similarity(
    x: Tensor, y: Tensor, top: Tensor, filter_size: int, filter_sigma: float, k1: float, k2: float
) -> tuple[Tensor, Tensor]:
    """The maps of luminance·contrast·structure and of contrast·structure (Wang et al. 2004, equations 6 and 9 to 13)."""
    height, width = x._shape[-3:-1]
    if filter_size > min(height, width):
        raise invalid(
            f"The images must be at least as large as the filter: {height} x {width} pixels, but filter_size = {filter_size}."
        )
    weights = _gauss(filter_size, filter_sigma)

    def local(t: Tensor) -> Tensor:
        rank = len(t._shape)
        t = resample(t, axis=rank - 3, taps=correlating(weights, height))
        return resample(t, axis=rank - 2, taps=correlating(weights, width))

    c1, c2 = ew.square(top * k1), ew.square(top * k2)  # type: ignore[operator]
    mean_x, mean_y = local(x), local(y)
    means = mean_x * mean_y * 2.0  # type: ignore[operator]
    squares = ew.square(mean_x) + ew.square(mean_y)
    luminance = (means + c1) / (squares + c1)
    products, sums = local(x * y) * 2.0, local(ew.square(x) + ew.square(y))  # type: ignore[operator]
    contrast = (products - means + c2) / (sums - squares + c2)
    return luminance * contrast, contrast


def ssim(
    img1: Any,
    img2: Any,
    max_val: Any,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    return_index_map: bool = False,
) -> Tensor:
    """The structural similarity of two images, 1 where they are equal.

    Source: Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to structural similarity (2004).

    Args:
        img1: a numeric Tensor of shape (..., height, width, channels), or anything that converts to one.
        img2: another, of the same dtype and image size.
        max_val: the difference between the largest and the smallest value that a pixel can have.
        filter_size: the size of the normal filter, at most height and width.
        filter_sigma: its width.
        k1: the constant of the luminance term.
        k2: the constant of the contrast term.
        return_index_map: give the similarity of each place, not its mean.

    Returns:
        A float32 Tensor of the shape of the batch; with the map, (..., height - filter_size + 1, width - filter_size + 1).

    Raises:
        ValueError: images of different sizes, or smaller than the filter.

    >>> import gradtape as tf
    >>> x = tf.random.stateless_uniform([12, 12, 1], seed=[1, 2])
    >>> tf.image.ssim(x, x, 1.0).numpy()
    np.float32(1.0)
    """
    x, y, top = _two(img1, img2, max_val)
    similar, _ = _similarity(x, y, top, filter_size, filter_sigma, k1, k2)
    return reduce_mean(similar if return_index_map else reduce_mean(similar, [-3, -2]), [-1])


_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ssim_multiscale(
    img1: Any,
    img2: Any,
    max_val: Any,
    power_factors: Sequence[float] = _WEIGHTS,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> Tensor:
    """The structural similarity at several scales: the product of powers of the contrast terms, and of the similarity at the coarsest.

    Source: Wang, Simoncelli and Bovik, Multiscale structural similarity for image quality assessment (2003).

    Args:
        img1: a numeric Tensor of shape (..., height, width, channels), or anything that converts to one.
        img2: another, of the same dtype and image size.
        max_val: the difference between the largest and the smallest value that a pixel can have.
        power_factors: the exponent of each scale; from one to the next, the image is halved.
        filter_size: as in ``tf.image.ssim``.
        filter_sigma: as in ``tf.image.ssim``.
        k1: as in ``tf.image.ssim``.
        k2: as in ``tf.image.ssim``.

    Returns:
        A float32 Tensor of the shape of the batch.

    Raises:
        ValueError: images of different sizes, or smaller than the filter at some scale.

    >>> import gradtape as tf
    >>> x = tf.random.stateless_uniform([24, 24, 1], seed=[1, 2])
    >>> tf.image.ssim_multiscale(x, x, 1.0, power_factors=(0.5, 0.5)).numpy()
    np.float32(1.0)
    """
    x, y, top = _two(img1, img2, max_val)
    terms = []
    for k in range(len(power_factors)):
        if k:
            x, y = _halved(x), _halved(y)
        similar, contrast = _similarity(x, y, top, filter_size, filter_sigma, k1, k2)
        of_scale = contrast if k + 1 < len(power_factors) else similar
        terms.append(act.relu(reduce_mean(of_scale, [-3, -2])))
    stacked = st.stack(*terms, axis=len(terms[0]._shape))
    powers = ew.pow(stacked, convert(np.array(power_factors), float32))
    return reduce_mean(reduce_prod(powers, [-1]), [-1])


def _halved(x: Tensor) -> Tensor:
    """Means of two by two pixels; an odd last row or column is repeated."""
    for axis in (len(x._shape) - 3, len(x._shape) - 2):
        n = x._shape[axis]
        if n % 2:
            x = st.concat(x, along(x, axis, n - 1, n), axis=axis)
    *batch, h, w, c = x._shape
    return reduce_mean(st.reshape(x, shape=(*batch, h // 2, 2, w // 2, 2, c)), [-4, -2])


# -- differences ---------------------------------------------------------------------------------------------------------------


def _steps(x: Tensor, axis: int) -> Tensor:
    """The difference of each pixel from the one before it."""
    n = x._shape[axis]
    return along(x, axis, 1, n) - along(x, axis, 0, n - 1)


def total_variation(images: Any, name: str | None = None) -> Tensor:
    """The sum of the absolute differences of neighbouring pixels (Rudin, Osher and Fatemi 1992, anisotropic).

    Args:
        images: a numeric Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the shape ([batch]) and the same dtype.

    Raises:
        ValueError: another number of dimensions.

    >>> import gradtape as tf
    >>> tf.image.total_variation([[[1.0], [3.0]], [[1.0], [0.0]]]).numpy()
    np.float32(6.0)
    """
    x = convert(images)
    rank = len(x._shape)
    if x._d.is_unsigned:
        raise invalid(f"Differences of {x._d.name} wrap around: convert the images with tf.image.convert_image_dtype.")
    if rank not in (3, 4):
        raise ValueError(f"'images' must be either 3 or 4-dimensional, but has shape {TensorShape(x._shape)}.")
    axes = [-3, -2, -1]
    return reduce_sum(ew.abs(_steps(x, rank - 3)), axes) + reduce_sum(ew.abs(_steps(x, rank - 2)), axes)


def image_gradients(image: Any) -> tuple[Tensor, Tensor]:
    """The differences to the pixel below and to the pixel on the right, 0 in the last row and column.

    Args:
        image: a numeric Tensor of shape (batch, height, width, channels), or anything that converts to one.

    Returns:
        (dy, dx), of the same shape and dtype.

    Raises:
        ValueError: another number of dimensions.

    >>> import gradtape as tf
    >>> dy, dx = tf.image.image_gradients([[[[1.0], [3.0]], [[1.0], [0.0]]]])
    >>> dx.numpy().ravel().tolist()
    [2.0, 0.0, -1.0, 0.0]
    """
    x = convert(image)
    if len(x._shape) != 4:
        raise ValueError(f"image_gradients expects a 4D tensor [batch_size, h, w, d], not {TensorShape(x._shape)}.")
    dy, dx = (st.concat(_steps(x, a), st.zeros_like(along(x, a, 0, 1)), axis=a) for a in (1, 2))
    return dy, dx


def sobel_edges(image: Any) -> Tensor:
    """Sobel's smoothed differences, downwards and to the right.

    Args:
        image: a float Tensor of shape (batch, height, width, channels), or anything that converts to one; at least 2 by 2 pixels.

    Returns:
        A Tensor of shape (batch, height, width, channels, 2): dy, dx.

    Raises:
        InvalidArgumentError: another number of dimensions.

    >>> import gradtape as tf
    >>> tf.image.sobel_edges(tf.zeros([1, 4, 5, 3])).shape
    TensorShape([1, 4, 5, 3, 2])
    """
    x = convert(image)
    if len(x._shape) != 4:
        raise invalid(f"sobel_edges takes images of 4 dimensions, but the shape is {dims_text(x._shape)}.")
    x = pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")

    def difference(t: Tensor, axis: int) -> Tensor:
        n = t._shape[axis]
        return along(t, axis, 2, n) - along(t, axis, 0, n - 2)

    def smoothed(t: Tensor, axis: int) -> Tensor:
        n = t._shape[axis]
        return along(t, axis, 0, n - 2) + along(t, axis, 1, n - 1) * 2 + along(t, axis, 2, n)

    return st.stack(smoothed(difference(x, 1), 2), smoothed(difference(x, 2), 1), axis=4)


__all__ = ["image_gradients", "psnr", "sobel_edges", "ssim", "ssim_multiscale", "total_variation"]
