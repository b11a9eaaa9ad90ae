"""Colours: spaces, brightness, contrast, hue."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..array import tile
from ..core.products import tensordot
from ..core.reductions import reduce_mean, reduce_std
from ..core.tensor import Tensor, convert
from ..dtypes import cast
from ..ground.dtypes import float32
from ..ground.errors import invalid
from ..ground.shapes import TensorShape, dims_text
from ..primitives import elementwise as ew
from ..primitives import structure as st
from ..primitives.indexing import along
from ..random import stateless_uniform, uniform
from .common import as_floats, convert_image_dtype

# Luma, in-phase and quadrature (YIQ, of NTSC) and luma and colour differences (YUV, of PAL) as products with a matrix.
_TO_YIQ = np.array([[0.299, 0.59590059, 0.2115], [0.587, -0.27455667, -0.52273617], [0.114, -0.32134392, 0.31119955]])
_FROM_YIQ = np.array([[1, 1, 1], [0.95598634, -0.27201283, -1.10674021], [0.6208248, -0.64720424, 1.70423049]])
_TO_YUV = np.array(
    [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512], [0.114, 0.43601035, -0.10001026]]
)
_FROM_YUV = np.array([[1, 1, 1], [0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0]])


def _mixed(images: Any, matrix: np.ndarray) -> Tensor:
    x = convert(images)
    if not x._d.is_floating:
        raise invalid(f"The conversion takes floats, but the images are {x._d.name}: see tf.image.convert_image_dtype.")
    return tensordot(x, convert(matrix, x._d), 1)


def rgb_to_yiq(images: Any) -> Tensor:
    """Red, green and blue as luma, in-phase and quadrature.

    Args:
        images: a float Tensor of shape (..., 3), or anything that converts to one.

    Returns:
        A Tensor of the same shape and dtype.

    >>> import gradtape as tf
    >>> tf.image.rgb_to_yiq([[1.0, 1.0, 1.0]]).numpy().round(3)[0, 0]
    np.float32(1.0)
    """
    return _mixed(images, _TO_YIQ)


def yiq_to_rgb(images: Any) -> Tensor:
    """Luma, in-phase and quadrature as red, green and blue.

    Args:
        images: a float Tensor of shape (..., 3), or anything that converts to one.

    Returns:
        A Tensor of the same shape and dtype.

    >>> import gradtape as tf
    >>> tf.image.yiq_to_rgb([[1.0, 0.0, 0.0]]).numpy().tolist()
    [[1.0, 1.0, 1.0]]
    """
    return _mixed(images, _FROM_YIQ)


def rgb_to_yuv(images: Any) -> Tensor:
    """Red, green and blue as luma and two colour differences.

    Args:
        images: a float Tensor of shape (..., 3), or anything that converts to one.

    Returns:
        A Tensor of the same shape and dtype.

    >>> import gradtape as tf
    >>> tf.image.rgb_to_yuv([[1.0, 1.0, 1.0]]).numpy().round(3)[0, 0]
    np.float32(1.0)
    """
    return _mixed(images, _TO_YUV)


def yuv_to_rgb(images: Any) -> Tensor:
    """Luma and two colour differences as red, green and blue.

    Args:
        images: a float Tensor of shape (..., 3), or anything that converts to one.

    Returns:
        A Tensor of the same shape and dtype.

    >>> import gradtape as tf
    >>> tf.image.yuv_to_rgb([[1.0, 0.0, 0.0]]).numpy().tolist()
    [[1.0, 1.0, 1.0]]
    """
    return _mixed(images, _FROM_YUV)


def rgb_to_grayscale(images: Any, name: str | None = None) -> Tensor:
    """The brightness of colours, 0.2989 red + 0.587 green + 0.114 blue.

    Args:
        images: a numeric Tensor of shape (..., 3), or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., 1) and the same dtype.

    >>> import gradtape as tf
    >>> tf.image.rgb_to_grayscale([[[0, 255, 0]]]).shape
    TensorShape([1, 1, 1])
    """
    x = convert(images)
    gray = tensordot(convert_image_dtype(x, float32), convert(np.array([0.2989, 0.5870, 0.1140]), float32), [-1, -1])
    return convert_image_dtype(st.expand_dims(gray, len(gray._shape)), x._d)


def grayscale_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """A single channel three times.

    Args:
        images: a Tensor of shape (..., 1), or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of shape (..., 3) and the same dtype.

    Raises:
        ValueError: the last dimension is not 1.

    >>> import gradtape as tf
    >>> tf.image.grayscale_to_rgb([[[7]]]).numpy().tolist()
    [[[7, 7, 7]]]
    """
    x = convert(images)
    if len(x._shape) < 2 or x._shape[-1] != 1:
        raise ValueError(
            f"A grayscale image must be at least two-dimensional and its last dimension of size 1, but its shape is {TensorShape(x._shape)}."
        )
    return tile(x, (1,) * (len(x._shape) - 1) + (3,))


# -- hue, saturation, value ----------------------------------------------------------------------------------------------------


def _channels(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    axis = len(x._shape) - 1
    if axis < 0 or x._shape[-1] != 3:
        raise invalid(f"The last dimension must hold 3 channels, but the images have shape {dims_text(x._shape)}.")
    if not x._d.is_floating:
        raise invalid(f"The conversion takes floats, but the images are {x._d.name}: see tf.image.convert_image_dtype.")
    return along(x, axis, 0, 1), along(x, axis, 1, 2), along(x, axis, 2, 3)


def rgb_to_hsv(images: Any, name: str | None = None) -> Tensor:
    """Red, green and blue as hue, saturation and value, all between 0 and 1 (Smith 1978, Color gamut transform pairs).

    Args:
        images: a float Tensor of shape (..., 3) with values between 0 and 1, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: another number of channels, or no floats.

    >>> import gradtape as tf
    >>> tf.image.rgb_to_hsv([[0.0, 1.0, 1.0]]).numpy().tolist()
    [[0.5, 1.0, 1.0]]
    """
    x = convert(images)
    r, g, b = _channels(x)
    zero, one = st.zeros_like(r), st.ones_like(r)
    v = ew.maximum(r, ew.maximum(g, b))
    span = v - ew.minimum(r, ew.minimum(g, b))  # type: ignore[operator]
    bright, colored = ew.greater(v, zero), ew.greater(span, zero)
    s = ew.select(bright, span / ew.select(bright, v, one), zero)
    part = ew.reciprocal(ew.select(colored, span, one) * 6.0)
    h = ew.select(
        ew.equal(r, v),
        (g - b) * part,
        ew.select(ew.equal(g, v), (b - r) * part + 2.0 / 6.0, (r - g) * part + 4.0 / 6.0),
    )  # type: ignore[operator]
    h = ew.select(colored, h, zero)
    return st.concat(ew.select(ew.less(h, zero), h + 1.0, h), s, v, axis=len(x._shape) - 1)


def hsv_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """Hue, saturation and value as red, green and blue (Smith 1978, Color gamut transform pairs).

    Args:
        images: a float Tensor of shape (..., 3) with values between 0 and 1, or anything that converts to one.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: another number of channels, or no floats.

    >>> import gradtape as tf
    >>> tf.image.hsv_to_rgb([[0.5, 1.0, 1.0]]).numpy().tolist()
    [[0.0, 1.0, 1.0]]
    """
    x = convert(images)
    h, s, v = _channels(x)
    zero, one = st.zeros_like(h), st.ones_like(h)
    within = lambda t: ew.minimum(ew.maximum(t, zero), one)
    turn = h * 6.0  # type: ignore[operator]
    parts = (within(ew.abs(turn - 3.0) - 1.0), within(2.0 - ew.abs(turn - 2.0)), within(2.0 - ew.abs(turn - 4.0)))
    return st.concat(*[(one - s + s * part) * v for part in parts], axis=len(x._shape) - 1)


# -- adjustments ------------------------------------------------------------------------------------------------------------------


def adjust_brightness(image: Any, delta: Any) -> Tensor:
    """``delta`` added to all pixels, taken as floats from 0 to 1.

    Args:
        image: a numeric Tensor, or anything that converts to one.
        delta: a scalar.

    Returns:
        A Tensor of the same shape and dtype; integers saturate.

    >>> import gradtape as tf
    >>> tf.image.adjust_brightness([[0.25]], 0.5).numpy().tolist()
    [[0.75]]
    """
    x, d = as_floats(image)
    return convert_image_dtype(x + _scalar(delta, x), d, saturate=True)  # type: ignore[operator]


def _scalar(value: Any, x: Tensor) -> Tensor:
    return cast(convert(value, None, x._d), x._d)


def adjust_contrast(images: Any, contrast_factor: Any) -> Tensor:
    """The distance of each pixel from the mean of its channel in its image multiplied: (x - mean)·factor + mean.

    Args:
        images: a numeric Tensor of shape (..., height, width, channels), or anything that converts to one.
        contrast_factor: a scalar.

    Returns:
        A Tensor of the same shape and dtype; integers saturate.

    Raises:
        InvalidArgumentError: fewer than 3 dimensions.

    >>> import gradtape as tf
    >>> tf.image.adjust_contrast([[[1.0], [3.0]]], 2.0).numpy().ravel().tolist()
    [0.0, 4.0]
    """
    x, d = as_floats(images)
    if len(x._shape) < 3:
        raise invalid(f"input must be at least 3-D, got shape {dims_text(x._shape)}.")
    wide = cast(x, float32)
    mean = reduce_mean(wide, [-3, -2], True)
    out = (wide - mean) * _scalar(contrast_factor, wide) + mean
    return convert_image_dtype(cast(out, x._d), d, saturate=True)


def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Tensor:
    """gain · image**gamma, of pixels as floats from 0 to 1.

    Args:
        image: a numeric Tensor, or anything that converts to one.
        gamma: a non-negative scalar.
        gain: a scalar.

    Returns:
        A Tensor of the same shape and dtype; integers saturate.

    Raises:
        ValueError: a negative gamma.

    >>> import gradtape as tf
    >>> tf.image.adjust_gamma([[0.5]], 2.0).numpy().tolist()
    [[0.25]]
    """
    x, d = as_floats(image)
    if isinstance(gamma, int | float) and gamma < 0:
        raise ValueError("Gamma should be a non-negative real number.")
    return convert_image_dtype(_scalar(gain, x) * ew.pow(x, _scalar(gamma, x)), d, saturate=True)  # type: ignore[operator]


def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Tensor:
    """The hue of colours turned by ``delta``, where 1 is the whole circle.

    Args:
        image: a numeric Tensor of shape (..., 3), or anything that converts to one.
        delta: a scalar in [-1, 1].
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        ValueError: delta out of range.
        InvalidArgumentError: another number of channels.

    >>> import gradtape as tf
    >>> tf.image.adjust_hue([[[1.0, 0.0, 0.0]]], 0.5).numpy().tolist()
    [[[0.0, 1.0, 1.0]]]
    """
    if isinstance(delta, int | float) and not -1 <= delta <= 1:
        raise ValueError(f"delta must be in the interval [-1, 1], but is {delta}.")
    x, d, wide = _colored(image)
    h, s, v = _channels(rgb_to_hsv(wide))
    turned = ew.floormod(h + _scalar(delta, h), st.ones_like(h))  # type: ignore[operator]
    return convert_image_dtype(cast(hsv_to_rgb(st.concat(turned, s, v, axis=len(x._shape) - 1)), x._d), d)


def _colored(image: Any) -> tuple[Tensor, Any, Tensor]:
    x, d = as_floats(image)
    if len(x._shape) < 3:
        raise invalid(f"input must be at least 3-D, got shape {dims_text(x._shape)}.")
    return x, d, cast(x, float32)


def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Tensor:
    """The saturation of colours multiplied, up to 1.

    Args:
        image: a numeric Tensor of shape (..., 3), or anything that converts to one.
        saturation_factor: a scalar.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: another number of channels.

    >>> import gradtape as tf
    >>> tf.image.adjust_saturation([[[1.0, 0.5, 0.5]]], 2.0).numpy().tolist()
    [[[1.0, 0.0, 0.0]]]
    """
    x, d, wide = _colored(image)
    h, s, v = _channels(rgb_to_hsv(wide))
    s = ew.minimum(ew.maximum(s * _scalar(saturation_factor, s), st.zeros_like(s)), st.ones_like(s))  # type: ignore[operator]
    return convert_image_dtype(cast(hsv_to_rgb(st.concat(h, s, v, axis=len(x._shape) - 1)), x._d), d)


def per_image_standardization(image: Any) -> Tensor:
    """Each image with mean 0 and variance 1; a uniform image becomes 0.

    Args:
        image: a numeric Tensor of shape (..., height, width, channels), or anything that converts to one.

    Returns:
        A float32 Tensor of the same shape.

    Raises:
        ValueError: fewer than 3 dimensions.

    >>> import gradtape as tf
    >>> tf.image.per_image_standardization([[[1.0], [3.0]]]).numpy().ravel().tolist()
    [-1.0, 1.0]
    """
    x = cast(convert(image), float32)
    if len(x._shape) < 3:
        raise ValueError(f"'image' (shape {TensorShape(x._shape)}) must be at least three-dimensional.")
    axes = [-1, -2, -3]
    count = np.float32(math.prod(x._shape[-3:]))
    std = reduce_std(x, axes, True)
    return (x - reduce_mean(x, axes, True)) / ew.maximum(std, st.full_like(std, value=1 / np.sqrt(count)))  # type: ignore[operator]


# -- adjustments by chance -----------------------------------------------------------------------------------------------------


def _symmetric(max_delta: float, most: float | None = None) -> tuple[float, float]:
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    if most is not None and max_delta > most:
        raise ValueError(f"max_delta must be <= {most}.")
    return -max_delta, max_delta


def _range(lower: float, upper: float) -> tuple[float, float]:
    if upper <= lower:
        raise ValueError("upper must be > lower.")
    if lower < 0:
        raise ValueError("lower must be non-negative.")
    return lower, upper


def random_brightness(image: Any, max_delta: float, seed: Any = None) -> Tensor:
    """``adjust_brightness`` by a random number from [-max_delta, max_delta)."""
    return adjust_brightness(image, uniform([], *_symmetric(max_delta), seed=seed))


def random_hue(image: Any, max_delta: float, seed: Any = None) -> Tensor:
    """``adjust_hue`` by a random number from [-max_delta, max_delta); max_delta is at most 0.5."""
    return adjust_hue(image, uniform([], *_symmetric(max_delta, 0.5), seed=seed))


def random_contrast(image: Any, lower: float, upper: float, seed: Any = None) -> Tensor:
    """``adjust_contrast`` by a random factor from [lower, upper)."""
    return adjust_contrast(image, uniform([], *_range(lower, upper), seed=seed))


def random_saturation(image: Any, lower: float, upper: float, seed: Any = None) -> Tensor:
    """``adjust_saturation`` by a random factor from [lower, upper)."""
    return adjust_saturation(image, uniform([], *_range(lower, upper), seed=seed))


def stateless_random_brightness(image: Any, max_delta: float, seed: Any) -> Tensor:
    """``random_brightness`` from a seed of two integers: the same seed gives the same image."""
    return adjust_brightness(image, stateless_uniform([], seed, *_symmetric(max_delta)))


def stateless_random_hue(image: Any, max_delta: float, seed: Any) -> Tensor:
    """``random_hue`` from a seed of two integers: the same seed gives the same image."""
    return adjust_hue(image, stateless_uniform([], seed, *_symmetric(max_delta, 0.5)))


def stateless_random_contrast(image: Any, lower: float, upper: float, seed: Any) -> Tensor:
    """``random_contrast`` from a seed of two integers: the same seed gives the same image."""
    return adjust_contrast(image, stateless_uniform([], seed, *_range(lower, upper)))


def stateless_random_saturation(image: Any, lower: float, upper: float, seed: Any = None) -> Tensor:
    """``random_saturation`` from a seed of two integers: the same seed gives the same image."""
    return adjust_saturation(image, stateless_uniform([], seed, *_range(lower, upper)))


__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "grayscale_to_rgb", "hsv_to_rgb",
    "per_image_standardization", "random_brightness", "random_contrast", "random_hue", "random_saturation", "rgb_to_grayscale", "rgb_to_hsv",
    "rgb_to_yiq", "rgb_to_yuv", "stateless_random_brightness", "stateless_random_contrast", "stateless_random_hue",
    "stateless_random_saturation", "yiq_to_rgb", "yuv_to_rgb",
]  # fmt: skip
