"""Keras's image operations on gradtape."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras.src import backend

import gradtape as tf

from ._promotion import floating, result_type
from .core import cast, convert_to_tensor
from .nn import depthwise_conv
from .numpy import sinc

RESIZE_INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")
AFFINE_TRANSFORM_INTERPOLATIONS = {"nearest": 0, "bilinear": 1}
AFFINE_TRANSFORM_FILL_MODES = {"constant", "nearest", "wrap", "mirror", "reflect"}
MAP_COORDINATES_FILL_MODES = AFFINE_TRANSFORM_FILL_MODES
SCALE_AND_TRANSLATE_METHODS = {
    "linear",
    "bilinear",
    "trilinear",
    "cubic",
    "bicubic",
    "tricubic",
    "lanczos3",
    "lanczos5",
}


def _one_of(name: str, value: Any, allowed: Any) -> None:
    if value not in allowed:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected of one {set(allowed)}. Received: {name}={value}"
        )


def _images(images: Any) -> Any:
    images = convert_to_tensor(images)
    if len(images.shape) not in (3, 4):
        raise ValueError(
            "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images). "
            f"Received input with shape: images.shape={tuple(images.shape)}"
        )
    return images


def _first(data_format: Any) -> bool:
    return backend.standardize_data_format(data_format) == "channels_first"


def _moved(x: Any, to_last: bool) -> Any:
    """Channels moved behind the spatial dimensions, or back before them."""
    n = len(x.shape)
    perm = [*range(n - 3), n - 2, n - 1, n - 3] if to_last else [*range(n - 3), n - 1, n - 3, n - 2]
    return tf.transpose(x, perm)


def _last(f: Any, images: Any, data_format: Any) -> Any:
    """``f`` on images whose channels are last."""
    return _moved(f(_moved(images, True)), False) if _first(data_format) else f(images)


# -- colours --------------------------------------------------------------------------------------------------------------


def rgb_to_grayscale(images: Any, data_format: Any = None) -> Any:
    """Luma."""
    images = _images(images)
    axis = -3 if _first(data_format) else -1
    if images.shape[axis] not in (1, 3):
        raise ValueError(
            f"Invalid channel size: expected 3 (RGB) or 1 (Grayscale). Received input with shape: images.shape={tuple(images.shape)}"
        )
    if images.shape[axis] == 1:
        return images
    wide = cast(images, result_type(images.dtype.name, float))
    weights = tf.constant([0.2989, 0.5870, 0.1140], wide.dtype)
    return cast(tf.expand_dims(tf.tensordot(wide, weights, [[axis % len(wide.shape)], [0]]), axis), images.dtype.name)


def _colours(f: Any, images: Any, data_format: Any) -> Any:
    images = _images(images)
    if not images.dtype.is_floating:
        raise ValueError(f"Invalid images dtype: expected float dtype. Received: images.dtype={images.dtype.name}")
    wide = tf.cast(images, tf.float32) if images.dtype.size == 2 else images
    return tf.cast(_last(f, wide, data_format), images.dtype)


def rgb_to_hsv(images: Any, data_format: Any = None) -> Any:
    """Hue, saturation and value."""
    return _colours(tf.image.rgb_to_hsv, images, data_format)


def hsv_to_rgb(images: Any, data_format: Any = None) -> Any:
    """Red, green and blue."""
    return _colours(tf.image.hsv_to_rgb, images, data_format)


# -- sizes ----------------------------------------------------------------------------------------------------------------


def resize(images: Any, size: Any, interpolation: str = "bilinear", antialias: bool = False, crop_to_aspect_ratio: bool = False,
           pad_to_aspect_ratio: bool = False, fill_mode: str = "constant", fill_value: float = 0.0, data_format: Any = None) -> Any:  # fmt: skip
    """Images of another size."""
    if interpolation not in RESIZE_INTERPOLATIONS:
        raise ValueError(
            f"Invalid value for argument `interpolation`. Expected of one {RESIZE_INTERPOLATIONS}. Received: interpolation={interpolation}"
        )
    if fill_mode != "constant":
        raise ValueError(
            f"Invalid value for argument `fill_mode`. Only `'constant'` is supported. Received: fill_mode={fill_mode}"
        )
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ValueError("Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`.")
    if len(size) != 2:
        raise ValueError(f"Argument `size` must be a tuple of two elements (height, width). Received: size={size}")
    images = _images(images)
    th, tw = (int(n) for n in size)

    def run(x: Any) -> Any:
        h, w = x.shape[-3:-1]
        if crop_to_aspect_ratio:
            ch, cw = max(min(h, int(float(w * th) / tw)), 1), max(min(w, int(float(h * tw) / th)), 1)
            top, left = int(float(h - ch) / 2), int(float(w - cw) / 2)
            x = x[..., top : top + ch, left : left + cw, :]
        elif pad_to_aspect_ratio:
            top = int(float(max(h, int(float(w * th) / tw)) - h) / 2)
            left = int(float(max(w, int(float(h * tw) / th)) - w) / 2)
            if top > 0:
                left = 0
            pads = [[0, 0]] * (len(x.shape) - 3) + [[top, top], [left, left], [0, 0]]
            x = tf.pad(x, pads, constant_values=cast(fill_value, x.dtype.name))
        return tf.image.resize(x, (th, tw), interpolation, antialias=antialias)

    out = _last(run, images, data_format)
    if images.dtype.is_integer:
        out = tf.saturate_cast(tf.round(out) if interpolation != "nearest" else out, images.dtype)
    return cast(out, images.dtype.name)


def _weight(method: str, t: Any) -> Any:
    """The resampling kernel at a distance of ``t`` places."""
    if "linear" in method:
        return tf.maximum(1 - t, 0)
    if "cubic" in method:  # Keys, 1981
        a = -0.5
        near, far = ((a + 2) * t - (a + 3)) * t * t + 1, ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
        return tf.where(t < 1, near, tf.where(t < 2, far, tf.zeros_like(t)))
    radius = float(method[-1])
    return tf.where(t < radius, sinc(t) * sinc(t / radius), tf.zeros_like(t))


def _resampling(n: int, m: int, scale: Any, translation: Any, method: str, antialias: bool) -> Any:
    """The matrix (n, m) that resamples n places into m at (place + 1/2 - translation) / scale - 1/2."""
    at = (tf.range(m, dtype=scale.dtype) + 0.5 - translation) / scale - 0.5
    stretch = tf.maximum(1 / scale, 1) if antialias else 1
    weights = _weight(method, tf.abs(at - tf.range(n, dtype=scale.dtype)[:, None]) / stretch)
    total = tf.reduce_sum(weights, 0, keepdims=True)
    some = tf.abs(total) > 1000 * np.finfo(np.float32).eps
    within = (at >= -0.5) & (at <= n - 0.5)
    return tf.where(some & within, weights / tf.where(some, total, tf.ones_like(total)), tf.zeros_like(weights))


def scale_and_translate(
    images: Any, output_shape: Any, scale: Any, translation: Any, spatial_dims: Any, method: str, antialias: bool = True
) -> Any:
    """Images scaled and moved along some dimensions, as ``jax.image.scale_and_translate``."""
    _one_of("method", method, SCALE_AND_TRANSLATE_METHODS)
    x = floating(images)
    wide = result_type(x.dtype.name, "float32")
    scale, translation = cast(scale, wide), cast(translation, wide)
    for k, d in enumerate(spatial_dims):
        d = d % len(x.shape)
        w = _resampling(x.shape[d], output_shape[d], scale[k], translation[k], method, antialias)
        y = tf.tensordot(x, cast(w, x.dtype.name), [[d], [0]])
        rank = len(x.shape)
        x = tf.transpose(y, [*range(d), rank - 1, *range(d, rank - 1)])
    return x


# -- reading at other places ----------------------------------------------------------------------------------------------


def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0.0
) -> Any:
    """A tensor read at arbitrary places."""
    inputs = convert_to_tensor(inputs)
    coordinates = convert_to_tensor(coordinates)
    if coordinates.shape[0] != len(inputs.shape):
        raise ValueError(
            "First dim of `coordinates` must be the same as the rank of `inputs`. "
            f"Received inputs with shape: {tuple(inputs.shape)} and coordinate leading dim of {coordinates.shape[0]}"
        )
    if len(coordinates.shape) < 2:
        raise ValueError(
            f"Invalid coordinates rank: expected at least rank 2. Received input with shape: {tuple(coordinates.shape)}"
        )
    if fill_mode not in MAP_COORDINATES_FILL_MODES:
        raise ValueError(
            f"Invalid value for argument `fill_mode`. Expected one of {MAP_COORDINATES_FILL_MODES}. Received: fill_mode={fill_mode}"
        )
    if order not in (0, 1):
        raise ValueError(f"Invalid value for argument `order`. Expected one of [0, 1]. Received: order={order}")
    return tf.image.map_coordinates(inputs, coordinates, order, fill_mode, fill_value)


def _read_at(images: Any, rows: Any, columns: Any, interpolation: str, fill_mode: str, fill_value: Any) -> Any:
    """Each of a batch of images [batch, height, width, channels] at (rows, columns) [batch, h, w]."""
    b, _, _, c = images.shape
    shape = [b, *rows.shape[1:], c]
    batch = tf.broadcast_to(tf.reshape(tf.range(b, dtype=rows.dtype), [b, 1, 1, 1]), shape)
    channel = tf.broadcast_to(tf.range(c, dtype=rows.dtype), shape)
    places = tf.stack(
        [batch, tf.broadcast_to(rows[..., None], shape), tf.broadcast_to(columns[..., None], shape), channel]
    )
    return map_coordinates(images, places, AFFINE_TRANSFORM_INTERPOLATIONS[interpolation], fill_mode, fill_value)


def _batched(f: Any, images: Any, data_format: Any) -> Any:
    """``f`` on a batch of images whose channels are last."""
    single = len(images.shape) == 3
    out = _last(f, images[None] if single else images, data_format)
    return out[0] if single else out


def affine_transform(images: Any, transform: Any, interpolation: str = "bilinear", fill_mode: str = "constant", fill_value: float = 0,
                     data_format: Any = None) -> Any:  # fmt: skip
    """Images under affine maps: the pixel (x, y) of the result is read at (a0 x + a1 y + a2, b0 x + b1 y + b2)."""
    _one_of("interpolation", interpolation, AFFINE_TRANSFORM_INTERPOLATIONS)
    _one_of("fill_mode", fill_mode, AFFINE_TRANSFORM_FILL_MODES)
    images, transform = _images(images), convert_to_tensor(transform)
    if len(transform.shape) not in (1, 2):
        raise ValueError(
            "Invalid transform rank: expected rank 1 (single transform) or rank 2 (batch of transforms). "
            f"Received input with shape: transform.shape={tuple(transform.shape)}"
        )
    maps = transform[None] if len(transform.shape) == 1 else transform

    def run(x: Any) -> Any:
        h, w = x.shape[1:3]
        a0, a1, a2, b0, b1, b2 = [maps[:, i, None, None] for i in range(6)]
        column, row = tf.range(w, dtype=maps.dtype)[None, None, :], tf.range(h, dtype=maps.dtype)[None, :, None]
        shape = [x.shape[0], h, w]
        columns, rows = (
            tf.broadcast_to(a0 * column + a1 * row + a2, shape),
            tf.broadcast_to(b0 * column + b1 * row + b2, shape),
        )
        return _read_at(x, rows, columns, interpolation, fill_mode, fill_value)

    return _batched(run, images, data_format)


def perspective_transform(images: Any, start_points: Any, end_points: Any, interpolation: str = "bilinear", fill_value: float = 0,
                          data_format: Any = None) -> Any:  # fmt: skip
    """Images under the perspective maps that take ``start_points`` to ``end_points``."""
    _one_of("interpolation", interpolation, AFFINE_TRANSFORM_INTERPOLATIONS)
    images = _images(images)
    start, end = convert_to_tensor(start_points), convert_to_tensor(end_points)
    for name, p in (("start_points", start), ("end_points", end)):
        if tuple(p.shape[-2:]) != (4, 2) or len(p.shape) not in (2, 3):
            raise ValueError(
                f"Invalid {name} shape: expected (4,2) for a single image or (N,4,2) for a batch. Received shape: {tuple(p.shape)}"
            )
    if tuple(start.shape) != tuple(end.shape):
        raise ValueError(
            "start_points and end_points must have the same shape."
            f" Received start_points.shape={tuple(start.shape)}, end_points.shape={tuple(end.shape)}"
        )
    if len(start.shape) == 2:
        start, end = start[None], end[None]
    maps = compute_homography_matrix(start, end)

    def run(x: Any) -> Any:
        h, w = x.shape[1:3]
        a0, a1, a2, b0, b1, b2, c0, c1 = [maps[:, i, None, None] for i in range(8)]
        column, row = tf.range(w, dtype=maps.dtype)[None, None, :], tf.range(h, dtype=maps.dtype)[None, :, None]
        k = c0 * column + c1 * row + 1
        return _read_at(
            x,
            (b0 * column + b1 * row + b2) / k,
            (a0 * column + a1 * row + a2) / k,
            interpolation,
            "constant",
            fill_value,
        )

    return _batched(run, images, data_format)


def compute_homography_matrix(start_points: Any, end_points: Any) -> Any:
    """The eight numbers of the perspective map from ``end_points`` to ``start_points``."""
    start, end = convert_to_tensor(start_points), convert_to_tensor(end_points)
    dtype = result_type(start.dtype.name, end.dtype.name, float)
    start, end = cast(start, dtype), cast(end, dtype)
    (sx, sy), (ex, ey) = tf.unstack(start, axis=-1), tf.unstack(end, axis=-1)
    zero, one = tf.zeros_like(ex), tf.ones_like(ex)
    xs = tf.stack([ex, ey, one, zero, zero, zero, -sx * ex, -sx * ey], axis=-1)
    ys = tf.stack([zero, zero, zero, ex, ey, one, -sy * ex, -sy * ey], axis=-1)
    matrix = tf.concat([xs, ys], axis=1)
    return tf.squeeze(tf.linalg.solve(matrix, tf.concat([sx, sy], axis=-1)[..., None]), -1)


# -- filters --------------------------------------------------------------------------------------------------------------


def gaussian_blur(images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: Any = None) -> Any:
    """Images blurred by a Gaussian."""
    images = _images(images)

    def along(size: int, deviation: Any) -> Any:
        at = tf.range(size, dtype=images.dtype) - tf.constant((size - 1) / 2, images.dtype)
        k = tf.exp(-0.5 * tf.square(at / convert_to_tensor(deviation, images.dtype.name)))
        return k / tf.reduce_sum(k)

    def run(x: Any) -> Any:
        kernel = along(kernel_size[1], sigma[1])[:, None] * along(kernel_size[0], sigma[0])[None, :]
        c = x.shape[-1]
        return depthwise_conv(
            x, tf.broadcast_to(kernel[:, :, None, None], [*kernel.shape, c, 1]), 1, "same", "channels_last"
        )

    return _batched(run, images, data_format)


def elastic_transform(images: Any, alpha: Any = 20.0, sigma: Any = 5.0, interpolation: str = "bilinear", fill_mode: str = "reflect",
                      fill_value: float = 0.0, seed: Any = None, data_format: Any = None) -> Any:  # fmt: skip
    """Images moved by a smooth random field (Simard, Steinkraus and Platt, 2003)."""
    from ..random import normal

    _one_of("interpolation", interpolation, AFFINE_TRANSFORM_INTERPOLATIONS)
    _one_of("fill_mode", fill_mode, AFFINE_TRANSFORM_FILL_MODES)
    images = _images(images)
    dtype = images.dtype.name
    wide = dtype if images.dtype.is_floating else "float32"
    a, s = float(alpha), float(sigma)
    size = int(6 * s) | 1

    def run(x: Any) -> Any:
        b, h, w, _ = x.shape
        noise = cast(normal([2 * b, h, w, 1], stddev=s, dtype=wide, seed=seed), wide)
        dx, dy = tf.split(gaussian_blur(noise, (size, size), (s, s), "channels_last")[..., 0], 2)
        rows, columns = tf.range(h, dtype=dx.dtype)[None, :, None], tf.range(w, dtype=dx.dtype)[None, None, :]
        return _read_at(x, rows + a * dy, columns + a * dx, interpolation, fill_mode, fill_value)

    return cast(_batched(run, images, data_format), dtype)


def sobel_edges(images: Any, data_format: Any = None) -> Any:
    """The derivatives [..., (dy, dx)] by Sobel's filters."""
    images = convert_to_tensor(images)
    first = data_format == "channels_first"
    x = _moved(images, True) if first else images
    kernel = tf.constant([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], x.dtype)
    out = []
    for k in (tf.transpose(kernel), kernel):
        y = depthwise_conv(x, tf.broadcast_to(k[:, :, None, None], [3, 3, x.shape[-1], 1]), 1, "same", "channels_last")
        out.append(_moved(y, False) if first else y)
    return tf.stack(out, axis=-1)
