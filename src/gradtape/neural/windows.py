"""How a window goes over a tensor, from TensorFlow's arguments: layouts, strides, paddings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..core.arguments import integers
from ..core.tensor import Tensor
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import structure as st
from ..primitives.convolution import Window

Shape = tuple[int, ...]
_FORMATS = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}


class Layout:
    """Where the batch, the ``n`` spatial dimensions and the channels of a tensor are.

    Args:
        shape: the tensor's shape; dimensions beyond those that ``n`` asks for are further batch dimensions in front.
        n: the number of spatial dimensions; None: all but two.
        data_format: TensorFlow's name of the layout, or None for channels last.
        what: the tensor's name in messages.

    Raises:
        ValueError: there is no such layout.
        InvalidArgumentError: the tensor has too few dimensions.
    """

    def __init__(self, shape: tuple, n: int | None, data_format: str | None, what: str = "input") -> None:
        if n is None:
            n = len(shape) - 2
            if not 1 <= n <= 3:
                raise invalid(
                    f"The {what} must have 3, 4 or 5 dimensions: a batch, 1 to 3 spatial ones and channels. Its shape is {dims_text(shape)}."
                )
        if data_format is not None and data_format not in _FORMATS[n]:
            last, first = _FORMATS[n]
            raise ValueError(
                f"`data_format` must be {last!r} or {first!r} for {n} spatial dimension(s). Received: data_format={data_format!r}"
            )
        if len(shape) < n + 2:
            raise invalid(
                f"The {what} must have at least {n + 2} dimensions, a batch, {n} spatial one(s) and channels, but its shape is {dims_text(shape)}."
                + (" Put a batch dimension of length 1 in front with x[tf.newaxis]." if len(shape) == n + 1 else "")
            )
        self.n = n
        self.first = data_format is not None and data_format[1] == "C"
        self.batch = tuple(shape[: len(shape) - n - 1])
        self.spatial = tuple(shape[-n:] if self.first else shape[-n - 1 : -1])
        self.channels = shape[-n - 1] if self.first else shape[-1]

    def last(self, x: Tensor) -> Tensor:
        """The tensor with one batch dimension and the channels last."""
        if len(x._shape) != self.n + 2:
            x = st.reshape(x, shape=(math.prod(self.batch), *x._shape[len(self.batch) :]))
        return st.transpose(x, perm=(0, *range(2, self.n + 2), 1)) if self.first else x

    def back(self, y: Tensor) -> Tensor:
        """Its inverse, for a tensor that may have other spatial dimensions and channels."""
        if self.first:
            y = st.transpose(y, perm=(0, self.n + 1, *range(1, self.n + 1)))
        return y if len(self.batch) == 1 else st.reshape(y, shape=(*self.batch, *y._shape[1:]))

    def numbers(self, value: Any, what: str) -> Shape:
        """A positive number for each spatial dimension, from one for all, from ``n``, or from one for each dimension of the tensor.

        Raises:
            InvalidArgumentError: another number of them, one that is not positive, or one for the batch or the channels that is not 1.
        """
        given = (1,) if value is None else integers(value, what)
        if len(given) == 1:
            out = given * self.n
        elif len(given) == self.n:
            out = given
        elif len(given) == self.n + 2:
            batch, *rest = given
            channels = rest.pop(0 if self.first else -1)
            if batch != 1 or channels != 1:
                raise invalid(f"{what} must be 1 along the batch and the channels, but is {list(given)}.")
            out = tuple(rest)
        else:
            raise invalid(f"{what} must be 1, {self.n} or {self.n + 2} numbers, but is {list(given)}.")
        if any(v < 1 for v in out):
            raise invalid(f"{what} must be positive, but is {list(given)}.")
        return out

    def pairs(self, padding: Any) -> tuple[tuple[int, int], ...]:
        """Explicit paddings: for each spatial dimension (before, after), from ``n`` pairs or one for each dimension of the tensor.

        Raises:
            InvalidArgumentError: another number of them, negative ones, or some for the batch or the channels.
        """
        given = [tuple(integers(p, "padding")) for p in padding]
        rest = list(given)
        if len(rest) == self.n + 2:
            ends = rest.pop(0), rest.pop(0 if self.first else -1)
            if any(map(any, ends)):
                raise invalid(f"padding must be 0 along the batch and the channels, but is {given}.")
        if len(rest) != self.n or any(len(p) != 2 for p in rest) or any(v < 0 for p in rest for v in p):
            raise invalid(
                f"padding must be 'SAME', 'VALID' or {self.n + 2} pairs of non-negative numbers, one for each dimension, but is {given}."
            )
        return tuple((a, b) for a, b in rest)

    def window(
        self,
        size: Sequence[int | None],
        strides: Shape,
        padding: Any,
        dilations: Shape,
        groups: int = 1,
        spatial: tuple | None = None,
    ) -> Window:
        """The window of ``size`` elements; ``spatial`` where what it goes over is not this tensor.

        Raises:
            InvalidArgumentError: ``padding`` is none, or asks for dimensions that are not known.
        """
        if not isinstance(padding, str):
            return Window(strides, self.pairs(padding), dilations, groups)
        if padding not in ("SAME", "VALID"):
            raise invalid(f"padding must be 'SAME', 'VALID' or pairs of numbers, but is {padding!r}.")
        spatial = self.spatial if spatial is None else spatial
        if padding == "VALID":
            return Window(strides, ((0, 0),) * self.n, dilations, groups)
        return Window(strides, tuple(map(_same, spatial, size, strides, dilations)), dilations, groups)


def _same(n: int | None, k: int | None, s: int, d: int) -> tuple[int, int]:
    """The zeros before and after with which ceil(n / s) windows fit, as many after as before or one more."""
    if k is None or (n is None and s > 1):
        raise invalid(
            "padding='SAME' needs spatial dimensions that are known while tracing: give explicit paddings, or set the shape with tf.ensure_shape."
        )
    reach = (k - 1) * d + 1
    total = reach - 1 if n is None or s == 1 else max(0, (-(-n // s) - 1) * s + reach - n)
    return total // 2, total - total // 2
