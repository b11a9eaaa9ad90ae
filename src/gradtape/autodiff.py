"""``tf.autodiff``: the tape and its relatives under one name."""

from .gradient.tape import GradientTape

__all__ = ["GradientTape"]
