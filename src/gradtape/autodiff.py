"""``tf.autodiff``: the tape, the accumulator, and derivatives of functions as functions."""

from .gradient.forward import ForwardAccumulator
from .gradient.functions import grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, value_and_grad, vjp, vmap
from .gradient.tape import GradientTape

__all__ = [
    "ForwardAccumulator", "GradientTape", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp", "linearize", "value_and_grad", "vjp", "vmap",
]  # fmt: skip
