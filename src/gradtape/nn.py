"""``tf.nn``: activations, losses, normalisation, convolutions, pooling, attention, dropout.

The functions stand in ``gradtape.neural``, a file for each subject.
"""

from __future__ import annotations

import importlib
from typing import Any

# where each function stands; a file is imported when one of its functions is first asked for
_IN = {
    "indexing": (
        "embedding_lookup",
    ),
    "neural.activations": (
        "crelu", "elu", "gelu", "leaky_relu", "log_softmax", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus",
        "softsign", "swish", "tanh",
    ),
    "neural.attention": (
        "dot_product_attention",
    ),
    "neural.convolutions": (
        "atrous_conv2d", "atrous_conv2d_transpose", "conv1d", "conv1d_transpose", "conv2d", "conv2d_transpose", "conv3d",
        "conv3d_transpose", "conv_transpose", "convolution",
    ),
    "neural.ctc": (
        "collapse_repeated", "ctc_greedy_decoder", "ctc_loss", "ctc_unique_labels",
    ),
    "neural.depthwise": (
        "depthwise_conv2d", "depthwise_conv2d_backprop_filter", "depthwise_conv2d_backprop_input", "separable_conv2d",
    ),
    "neural.dropout": (
        "dropout", "experimental",
    ),
    "neural.losses": (
        "compute_average_loss", "l2_loss", "log_poisson_loss", "scale_regularization_loss", "sigmoid_cross_entropy_with_logits",
        "softmax_cross_entropy_with_logits", "sparse_softmax_cross_entropy_with_logits", "weighted_cross_entropy_with_logits",
    ),
    "neural.normalization": (
        "batch_norm_with_global_normalization", "batch_normalization", "bias_add", "group_normalization", "l2_normalize",
        "layer_normalization", "local_response_normalization", "lrn", "moments", "normalize_moments", "sufficient_statistics",
        "weighted_moments", "zero_fraction",
    ),
    "neural.pooling": (
        "adaptive_avg_pool", "adaptive_max_pool", "avg_pool", "avg_pool1d", "avg_pool2d", "avg_pool3d", "dilation2d", "erosion2d",
        "max_pool", "max_pool1d", "max_pool2d", "max_pool3d", "max_pool_with_argmax", "pool",
    ),
    "neural.rearranging": (
        "depth_to_space", "space_to_batch", "space_to_depth", "with_space_to_batch",
    ),
    "neural.sampling": (
        "compute_accidental_hits", "nce_loss", "sampled_softmax_loss",
    ),
    "random.candidates": (
        "all_candidate_sampler", "fixed_unigram_candidate_sampler",
    ),
    "sorting": (
        "approx_max_k", "approx_min_k", "in_top_k", "top_k",
    ),
}  # fmt: skip
_WHERE = {name: module for module, names in _IN.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'gradtape.nn' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"gradtape.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})


__all__ = sorted(_WHERE)
