"""``tf.bitwise``: the bits of integers."""

from .core.operators import binary, bitwise_and, bitwise_or, bitwise_xor, invert
from .primitives import elementwise as ew

left_shift, right_shift = binary(ew.left_shift), binary(ew.right_shift)

__all__ = ["bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"]
