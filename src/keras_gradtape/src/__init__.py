"""The modules and names that Keras expects of a backend."""

from keras.src.backend.common.name_scope import name_scope

from . import random
from .ops import core, image, linalg, math, nn, numpy
from .ops.core import (
    IS_THREAD_SAFE,
    SUPPORTS_COMPLEX_DTYPES,
    SUPPORTS_RAGGED_TENSORS,
    SUPPORTS_SPARSE_TENSORS,
    associative_scan,
    cast,
    compute_output_spec,
    cond,
    convert_to_numpy,
    convert_to_tensor,
    custom_gradient,
    device_scope,
    is_tensor,
    map,
    random_seed_dtype,
    remat,
    scan,
    scatter,
    shape,
    stop_gradient,
    vectorized_map,
)
from .rnn import bidirectional_gru, bidirectional_lstm, cudnn_ok, gru, lstm
from .rnn import rnn as _rnn
from .variable import Variable

rnn = _rnn  # the function, as Keras expects, in place of the module

__all__ = [
    "IS_THREAD_SAFE", "SUPPORTS_COMPLEX_DTYPES", "SUPPORTS_RAGGED_TENSORS", "SUPPORTS_SPARSE_TENSORS", "Variable", "associative_scan",
    "bidirectional_gru", "bidirectional_lstm", "cast", "compute_output_spec", "cond", "convert_to_numpy", "convert_to_tensor", "core",
    "cudnn_ok", "custom_gradient", "device_scope", "gru", "image", "is_tensor", "linalg", "lstm", "map", "math", "name_scope", "nn", "numpy",
    "random", "random_seed_dtype", "remat", "rnn", "scan", "scatter", "shape", "stop_gradient", "vectorized_map",
]  # fmt: skip
