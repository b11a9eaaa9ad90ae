"""gradtape: TensorFlow 2's automatic differentiation, small and fast. Use it as ``import gradtape as tf``.

The namespaces are TensorFlow's: ``tf.math``, ``tf.nn``, ``tf.linalg``, ``tf.random`` ... Those that a program does not touch
are not imported.
"""

from __future__ import annotations

import builtins as _builtins
import importlib as _importlib
from typing import Any as _Any

from . import math
from ._version import __version__
from .array import (
    bitcast,
    broadcast_dynamic_shape,
    broadcast_static_shape,
    broadcast_to,
    cast,
    concat,
    ensure_shape,
    expand_dims,
    identity,
    identity_n,
    newaxis,
    pad,
    rank,
    repeat,
    reshape,
    reverse,
    roll,
    saturate_cast,
    shape,
    shape_n,
    size,
    split,
    squeeze,
    stack,
    stop_gradient,
    tile,
    transpose,
    unstack,
)
from .clipping import clip_by_global_norm, clip_by_norm, clip_by_value
from .core import buffers as _buffers
from .core import slicing as _slicing  # gives tensors their indexing
from .core.products import einsum, matmul, tensordot
from .core.state import state as _state
from .core.tensor import Tensor, constant, convert_to_tensor, is_tensor
from .core.variable import Variable
from .creation import eye, fill, linspace, meshgrid, ones, ones_like, range, sequence_mask, zeros, zeros_like
from .gradient.custom import custom_gradient, grad_pass_through, recompute_grad
from .gradient.tape import GradientTape, UnconnectedGradients
from .ground.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    complex64,
    complex128,
    double,
    float16,
    float32,
    float64,
    half,
    int8,
    int16,
    int32,
    int64,
    string,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .ground.dtypes import bool_ as bool
from .ground.shapes import TensorShape
from .indexing import (
    IndexedSlices,
    boolean_mask,
    dynamic_partition,
    dynamic_stitch,
    gather,
    gather_nd,
    one_hot,
    scatter_nd,
    slice,
    strided_slice,
    tensor_scatter_nd_add,
    tensor_scatter_nd_max,
    tensor_scatter_nd_min,
    tensor_scatter_nd_sub,
    tensor_scatter_nd_update,
    where,
)
from .math import (
    abs,
    acos,
    acosh,
    add,
    add_n,
    argmax,
    argmin,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    complex,
    cos,
    cosh,
    cumsum,
    divide,
    equal,
    exp,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    pow,
    realdiv,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
    round,
    scalar_mul,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    truediv,
    truncatediv,
    truncatemod,
)
from .printing import print

# imported when first used
_NAMESPACES = (
    "autodiff",
    "autograph",
    "bitwise",
    "config",
    "debugging",
    "dtypes",
    "errors",
    "keras",
    "image",
    "linalg",
    "nest",
    "nn",
    "numeric",
    "random",
    "saved_model",
    "signal",
    "summary",
    "symbolic",
    "test",
    "train",
    "version",
)
_LATE = {
    "norm": "linalg",
    "assert_equal": "debugging",
    "assert_greater": "debugging",
    "assert_less": "debugging",
    "assert_rank": "debugging",
    "Assert": "debugging",
    "function": "tracing.function",
    "TensorSpec": "tracing.signature",
    "gradients": "tracing.outside",
    "hessians": "tracing.outside",
    "init_scope": "tracing.outside",
    "numpy_function": "tracing.outside",
    "py_function": "tracing.outside",
    "while_loop": "tracing.control",
    "cond": "tracing.control",
    "case": "tracing.functional",
    "switch_case": "tracing.functional",
    "map_fn": "tracing.functional",
    "vectorized_map": "tracing.functional",
    "space_to_batch": "neural.rearranging",
    "batch_to_space": "neural.rearranging",
    "scan": "tracing.functional",
    "foldl": "tracing.functional",
    "foldr": "tracing.functional",
    "TensorArray": "tracing.tensor_array",
    "Module": "module",
    "name_scope": "module",
    "sort": "sorting",
    "argsort": "sorting",
    "searchsorted": "sorting",
    "unique": "sorting",
    "unique_with_counts": "sorting",
    "histogram_fixed_width": "counting",
    "histogram_fixed_width_bins": "counting",
    "extract_volume_patches": "arranging",
    "parallel_stack": "arranging",
    "required_space_to_batch_paddings": "arranging",
    "reverse_sequence": "arranging",
    "unravel_index": "arranging",
    "control_dependencies": "graphs",
    "device": "graphs",
    "get_static_value": "graphs",
    "group": "graphs",
    "guarantee_const": "graphs",
    "inside_function": "graphs",
    "is_symbolic_tensor": "graphs",
    "no_op": "graphs",
    "tuple": "graphs",
    "constant_initializer": "first_values",
    "ones_initializer": "first_values",
    "random_normal_initializer": "first_values",
    "random_uniform_initializer": "first_values",
    "zeros_initializer": "first_values",
}
_OF_KERAS = ("initializers", "losses", "metrics", "optimizers")
_NOT_YET = {
    "data": "tf.data",
}


# the native engine is loaded by the first large array that it may serve
_buffers.find = lambda p, dtype: _importlib.import_module("gradtape.tracing.engine").kernel(p, dtype)


def executing_eagerly() -> _builtins.bool:
    """Whether operations run at once: False while a tf.function is traced.

    >>> import gradtape as tf
    >>> tf.executing_eagerly()
    True
    """
    return _state.trace is None


def __getattr__(name: str) -> _Any:
    if name in _NAMESPACES:
        return _importlib.import_module(f"gradtape.{name}")
    if name in _LATE:
        value = getattr(_importlib.import_module(f"gradtape.{_LATE[name]}"), name)
        globals()[name] = value
        return value
    if name in _OF_KERAS:
        return getattr(_importlib.import_module("gradtape.keras"), name)
    if name in _NOT_YET:
        raise AttributeError(f"gradtape has no {_NOT_YET[name]} yet: the table in README.md says what works.")
    raise AttributeError(f"module 'gradtape' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMESPACES, *_LATE, *_OF_KERAS})
