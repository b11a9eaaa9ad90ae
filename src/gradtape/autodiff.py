"""``tf.autodiff``: the tape, the accumulator, and derivatives of functions as functions. ``docs/forward-mode.md`` is the guide."""

from .gradient import dual
from .gradient.dual import Dual
from .gradient.forward import ForwardAccumulator
from .gradient.functions import grad, hvp, jacfwd, jacrev, jvp, linearize, value_and_grad, vjp
from .gradient.tape import GradientTape
from .gradient.vectorizing import vmap
from .tracing.compressed import hessian, jacobian, sparsity_pattern

__all__ = [
    "Dual", "ForwardAccumulator", "GradientTape", "dual", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp", "linearize", "sparsity_pattern",
    "value_and_grad", "vjp", "vmap",
]  # fmt: skip
