"""What the functions of ``tf.linalg`` make of their arguments."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor, convert
from ..core.variable import Variable
from ..ground.errors import invalid


def two(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """``a`` and ``b`` as tensors of one dtype; InvalidArgumentError where they have two."""
    hint = next((v.dtype for v in (a, b) if isinstance(v, Tensor | Variable)), None)
    x = convert(a, None, hint)
    y = convert(b, None, x._d)
    if x._d is not y._d:
        raise invalid(
            f"cannot compute {op} as input #1(zero-based) was expected to be a {x._d.name} tensor but is a {y._d.name} tensor: convert one with tf.cast."
        )
    return x, y
