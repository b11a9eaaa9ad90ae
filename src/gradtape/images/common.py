"""What the functions on images share: their layouts, and the conversion between dtypes of pixels."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor, convert
from ..dtypes import cast, saturate_cast
from ..ground.dtypes import DType, as_dtype, float16, float32
from ..ground.shapes import TensorShape
from ..primitives import elementwise as ew
from ..primitives import structure as st

# The layout of an image is (height, width, channels), that of several (batch, height, width, channels).


def pictures(image: Any, name: str = "image") -> Tensor:
    """``image`` as a Tensor of 3 or 4 dimensions, none of height, width and channels 0.

    Raises:
        ValueError: it is not.
    """
    x = convert(image)
    if len(x._shape) not in (3, 4):
        raise ValueError(
            f"'{name}' (shape {TensorShape(x._shape)}) must have either 3 or 4 dimensions: ([batch,] height, width, channels)."
        )
    if 0 in x._shape[-3:]:
        raise ValueError(f"inner 3 dims of '{name}.shape' must be > 0: {TensorShape(x._shape)}.")
    return x


def batched(x: Tensor) -> Tensor:
    """One image as a batch of one."""
    return st.expand_dims(x, 0) if len(x._shape) == 3 else x


def unbatched(y: Tensor, x: Any) -> Tensor:
    """``y`` in the layout of ``x``."""
    return st.reshape(y, shape=y._shape[1:]) if len(x._shape) == 3 else y


def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: str | None = None) -> Tensor:
    """Pixels of one dtype as those of another: floats go from 0 to 1, integers from 0 to the largest.

    Args:
        image: a Tensor of floats or integers, or anything that converts to one.
        dtype: the dtype, or its name.
        saturate: bring values that the new dtype cannot hold to the nearest that it can.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape.

    Raises:
        AttributeError: a dtype that is neither float nor integer.

    >>> import gradtape as tf
    >>> tf.image.convert_image_dtype([[0.0, 0.5, 1.0]], tf.uint8).numpy().tolist()
    [[0, 127, 255]]
    """
    x, d = convert(image), as_dtype(dtype)
    for t, what in ((d, "dtype"), (x._d, "image dtype")):
        if not t.is_floating and not t.is_integer:
            raise AttributeError(f"{what} must be either floating point or integer, but is {t.name}.")
    if d is x._d:
        return st.identity(x)
    to = saturate_cast if saturate else cast
    if x._d.is_integer and d.is_integer:
        have, want = x._d.max, d.max
        if have > want:
            return to(ew.floordiv(x, convert((have + 1) // (want + 1), x._d)), d)
        return ew.mul(to(x, d), convert((want + 1) // (have + 1), d))
    if x._d.is_floating and d.is_floating:
        return cast(x, d)
    if d.is_floating:
        return ew.mul(cast(x, d), convert(1.0 / x._d.max, d))
    return to(ew.mul(x, convert(d.max + 0.5, x._d)), d)


def as_floats(image: Any) -> tuple[Tensor, DType]:
    """The image in float32 (float16 stays), and the dtype that it had."""
    x = convert(image)
    return (x if x._d in (float16, float32) else convert_image_dtype(x, float32)), x._d
