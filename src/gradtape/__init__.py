"""gradtape: TensorFlow 2's automatic differentiation, small and fast. Use it as ``import gradtape as tf``."""
from . import primitives
from .core import dispatch, operators
from .core.tensor import Tensor, constant, convert_to_tensor, is_tensor
from .core.variable import Variable
from .gradient.tape import GradientTape, UnconnectedGradients
from .ground.dtypes import float32, float64, int32, int64
from .core.operators import unary as _u
cos=_u(primitives.elementwise.cos)
