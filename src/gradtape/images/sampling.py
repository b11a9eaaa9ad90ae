"""Images read at places that are computed: projective transforms, and arbitrary coordinates. Differentiable in the image and in the places."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from ..core.arguments import alike, vector
from ..core.tensor import Tensor, convert
from ..dtypes import cast
from ..ground.dtypes import float32, float64, int32
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import elementwise as ew
from ..primitives import structure as st
from ..primitives.indexing import along, gather
from .common import batched, unbatched


def _constant(x: Tensor, value: float) -> Tensor:
    return st.full_like(x, value=float(value))


def _where_below(x: Tensor, bound: float, then: Tensor, otherwise: Tensor) -> Tensor:
    return ew.select(ew.less(x, _constant(x, bound)), then, otherwise)


def _clip(x: Tensor, n: int) -> Tensor:
    return ew.minimum(ew.maximum(x, _constant(x, 0)), _constant(x, n - 1))


def _rounded(x: Tensor) -> Tensor:
    """Halves away from zero. No gradient."""
    whole = ew.trunc(x)
    return whole + cast(ew.greater_equal(ew.abs(x - whole), _constant(x, 0.5)), x._d) * ew.sign(x)  # type: ignore[operator]


# -- where a place outside of n pixels is read -----------------------------------------------------------------------------------
# TensorFlow's transforms fold real coordinates, map_coordinates whole indices; each in the way of its model.


def _folded(x: Tensor, n: int, mode: str) -> Tensor:
    """As TensorFlow's MapCoordinate: "reflect" with the edge pixel twice, "wrap" with a period that it counts as n beyond n - 1."""
    if mode == "constant":
        return x
    if mode == "nearest" or n == 1:
        return _clip(x, n)
    if mode == "reflect":
        period = 2.0 * n
        left = _where_below(x, -period, x + period * ew.trunc(-x / period), x)  # type: ignore[operator]
        left = _where_below(left, -n, left + period, -left - 1.0)  # type: ignore[operator]
        right = x - period * ew.trunc(x / period)  # type: ignore[operator]
        right = _where_below(right, n, right, period - right - 1.0)  # type: ignore[operator]
    else:
        left = x + float(n) * (ew.trunc(-x / (n - 1.0)) + 1.0)  # type: ignore[operator]
        right = x - float(n) * ew.trunc(x / (n - 1.0))  # type: ignore[operator]
    beyond = ew.greater(x, _constant(x, n - 1))
    return _clip(_where_below(x, 0, left, ew.select(beyond, right, x)), n)


def _mirrored(i: Tensor, n: int) -> Tensor:
    if n == 1:
        return _constant(i, 0)
    return ew.abs(ew.floormod(i + (n - 1.0), _constant(i, 2 * (n - 1))) - (n - 1.0))  # type: ignore[operator]


_INDEX: dict[str, Callable[[Tensor, int], Tensor]] = {
    "constant": lambda i, n: i,
    "nearest": _clip,
    "wrap": lambda i, n: ew.floormod(i, _constant(i, n)),
    "mirror": _mirrored,
    "reflect": lambda i, n: ew.floor(_mirrored(i * 2.0 + 1.0, 2 * n + 1) * 0.5),  # type: ignore[operator]
}


# -- reading --------------------------------------------------------------------------------------------------------------------


def _read(flat: Tensor, at: list[Tensor], sizes: tuple[int, ...], fill: Tensor | None, batch_dims: int) -> Tensor:
    """``flat`` (batch, pixels, ...) at whole-numbered places, one float tensor for each axis; ``fill`` outside."""
    index, inside = None, None
    for i, n in zip(at, sizes, strict=True):
        ok = ew.logical_and(ew.greater_equal(i, _constant(i, 0)), ew.less_equal(i, _constant(i, n - 1)))
        inside = ok if inside is None else ew.logical_and(inside, ok)
        whole = cast(ew.select(ok, i, _constant(i, 0)), int32)
        index = whole if index is None else index * n + whole  # type: ignore[operator]
    values = gather(flat, index, axis=batch_dims, batch_dims=batch_dims)
    if fill is None:
        return values
    extra = len(values._shape) - len(inside._shape)  # type: ignore[union-attr]
    mask = st.reshape(inside, shape=inside._shape + (1,) * extra)  # type: ignore[union-attr]
    return ew.select(mask, values, fill)


def _interpolated(at: list[Tensor], read: Callable[[list[Tensor]], Tensor], extra: int) -> Tensor:
    """The values at the whole numbers around the places, weighted by closeness."""
    low = [ew.floor(t) for t in at]
    near = [t - f for t, f in zip(at, low, strict=True)]
    total = None
    for corner in product((0, 1), repeat=len(at)):
        w = None
        for c, t in zip(corner, near, strict=True):
            part = t if c else 1.0 - t
            w = part if w is None else w * part
        values = read([f + 1.0 if c else f for c, f in zip(corner, low, strict=True)])  # type: ignore[operator]
        w = cast(w, values._d)  # type: ignore[arg-type]
        term = values * (st.reshape(w, shape=w._shape + (1,) * extra) if extra else w)
        total = term if total is None else total + term
    return total  # type: ignore[return-value]


def projective_transform(
    images: Any,
    transforms: Any,
    output_shape: Any = None,
    interpolation: str = "nearest",
    fill_mode: str = "constant",
    fill_value: Any = 0.0,
) -> Tensor:
    """Images under projective transforms, as TensorFlow's raw operation ImageProjectiveTransformV3.

    The pixel (x, y) of the result is read at ((a0·x + a1·y + a2) / k, (b0·x + b1·y + b2) / k) with k = c0·x + c1·y + 1. The derivative is
    exact, also in the transforms. (TensorFlow's transforms the cotangent by the inverse matrix, which is an approximation.)

    Args:
        images: a numeric Tensor of shape ([batch,] height, width, channels), or anything that converts to one.
        transforms: a float32 Tensor of shape (8,), (1, 8) or (batch, 8) of rows a0, a1, a2, b0, b1, b2, c0, c1.
        output_shape: (height, width) of the result; by default that of the images.
        interpolation: "nearest" or "bilinear".
        fill_mode: what stands outside: "constant", "reflect", "wrap" or "nearest".
        fill_value: the constant.

    Returns:
        A Tensor of shape ([batch,] output height, output width, channels) and the dtype of ``images``.

    Raises:
        InvalidArgumentError: shapes that do not fit, or a mode that does not exist.

    >>> import gradtape as tf
    >>> x = [[[1.0], [2.0], [3.0]]]
    >>> tf.image.projective_transform(x, [1.0, 0, 1, 0, 1, 0, 0, 0]).numpy().ravel().tolist()
    [2.0, 3.0, 0.0]
    """
    given = convert(images)
    if len(given._shape) not in (3, 4):
        raise invalid(
            f"Input images must have rank 4 ([batch,] height, width, channels), but have shape {dims_text(given._shape)}."
        )
    interpolation, fill_mode = interpolation.lower(), fill_mode.lower()
    if interpolation not in ("nearest", "bilinear"):
        raise invalid(f"interpolation must be 'nearest' or 'bilinear', but is {interpolation!r}.")
    if fill_mode not in ("constant", "reflect", "wrap", "nearest"):
        raise invalid(f"fill_mode must be 'constant', 'reflect', 'wrap' or 'nearest', but is {fill_mode!r}.")
    x = batched(given)
    n, height, width, channels = x._shape
    t = convert(transforms, None, float32)
    t = st.expand_dims(t, 0) if len(t._shape) == 1 else t
    if len(t._shape) != 2 or t._shape[1] != 8 or t._shape[0] not in (1, n):
        raise invalid(
            f"Input transform should be num_images x 8 or 1 x 8, but has shape {dims_text(t._shape)} for {n} images."
        )
    h, w = (height, width) if output_shape is None else vector(output_shape, "output_shape")
    column, row = convert(np.arange(w, dtype=np.float32)), convert(np.arange(h, dtype=np.float32)[:, None])
    a = [st.expand_dims(along(t, 1, i, i + 1), 2) for i in range(8)]
    k = a[6] * column + a[7] * row + 1.0
    safe = ew.select(ew.equal(k, _constant(k, 0)), _constant(k, 1), k)
    shape = (n, h, w)
    places = [(a[i] * column + a[i + 1] * row + a[i + 2]) / safe for i in (3, 0)]
    at = [
        st.broadcast_to(_folded(p, size, fill_mode), shape=shape)
        for p, size in zip(places, (height, width), strict=True)
    ]
    fill = cast(convert(fill_value, None, x._d), x._d)
    flat = st.reshape(x, shape=(n, height * width, channels))
    read = lambda at: _read(flat, at, (height, width), fill, 1)
    if interpolation == "nearest":
        out = read([_rounded(p) for p in at])
    else:
        work = float64 if x._d is float64 else float32
        out = cast(_interpolated(at, lambda at: cast(read(at), work), 1), x._d)
    some = st.reshape(st.broadcast_to(ew.not_equal(k, _constant(k, 0)), shape=shape), shape=(*shape, 1))
    return unbatched(ew.select(some, out, fill), given)


def map_coordinates(
    input: Any, coordinates: Any, order: int = 1, fill_mode: str = "constant", fill_value: Any = 0.0
) -> Tensor:
    """A tensor read at arbitrary places, as ``scipy.ndimage.map_coordinates`` and ``jax.scipy.ndimage.map_coordinates``.

    Args:
        input: a numeric Tensor of rank r, or anything that converts to one.
        coordinates: a float Tensor of shape (r, ...), or a list of r tensors of one shape: the places along each axis.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: what stands outside: "constant", "nearest", "wrap", "mirror" (the edge once) or "reflect" (the edge twice).
        fill_value: the constant.

    Returns:
        A Tensor of the shape of ``coordinates`` without its first dimension and the dtype of ``input``.

    Raises:
        InvalidArgumentError: shapes that do not fit, or a mode or order that does not exist.

    >>> import gradtape as tf
    >>> tf.image.map_coordinates([[0.0, 1.0], [2.0, 3.0]], [[0.5], [0.25]]).numpy().tolist()
    [1.25]
    """
    x = convert(input)
    at = list(alike(coordinates)) if isinstance(coordinates, list | tuple) else None
    if at is None:
        c = convert(coordinates)
        at = [st.reshape(along(c, 0, i, i + 1), shape=c._shape[1:]) for i in range(c._shape[0])]
    if len(at) != len(x._shape):
        raise invalid(
            f"coordinates must have one row for each of the {len(x._shape)} dimensions of the input, but have {len(at)}."
        )
    if order not in (0, 1):
        raise invalid(f"order must be 0 or 1, but is {order}.")
    if fill_mode not in _INDEX:
        raise invalid(f"fill_mode must be one of {', '.join(_INDEX)}, but is {fill_mode!r}.")
    at = [t if t._d.is_floating else cast(t, float32) for t in at]
    fill = cast(convert(fill_value, None, x._d), x._d) if fill_mode == "constant" else None
    flat = st.reshape(x, shape=(math.prod(x._shape),))
    fix = _INDEX[fill_mode]

    def read(places: list[Tensor]) -> Tensor:
        return _read(flat, [fix(i, n) for i, n in zip(places, x._shape, strict=True)], x._shape, fill, 0)

    if not order:
        return read([_rounded(t) for t in at])
    out = _interpolated(at, lambda places: cast(read(places), at[0]._d), 0)
    return cast(_rounded(out) if x._d.is_integer else out, x._d)


__all__ = ["map_coordinates", "projective_transform"]
