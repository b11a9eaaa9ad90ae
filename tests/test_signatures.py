"""The parameters of public functions: names, order and defaults as in TensorFlow 2.21 (recorded with inspect.signature)."""

import importlib
import inspect

import pytest

# the parameters, and the functions that have them; a default of None for `name` is left out
SIGNATURES = {
    "array": {
        "a, perm=None, conjugate=False, name": "transpose",
        "input, axis, name": "expand_dims",
        "input, axis=None, name": "squeeze",
        "input, multiples, name": "tile",
        "input, name": "identity identity_n rank stop_gradient",
        "input, out_type=None, name": "shape size",
        "input, out_type=int32, name": "shape_n",
        "input, repeats, axis=None, name": "repeat",
        "input, shape, name": "broadcast_to",
        "input, shift, axis, name": "roll",
        "input, type, name": "bitcast",
        "shape_x, shape_y": "broadcast_dynamic_shape broadcast_static_shape",
        "tensor, axis, name": "reverse",
        "tensor, paddings, mode='CONSTANT', constant_values=0, name": "pad",
        "tensor, shape, name": "reshape",
        "value, dtype, name": "saturate_cast",
        "value, num=None, axis=0, name": "unstack",
        "value, num_or_size_splits, axis=0, num=None, name": "split",
        "values, axis, name": "concat",
        "values, axis=0, name": "stack",
        "x, dtype, name": "cast",
        "x, shape, name": "ensure_shape",
    },
    "bitwise": {
        "x, name": "invert",
        "x, y, name": "bitwise_and bitwise_or bitwise_xor left_shift right_shift",
    },
    "clipping": {
        "t, clip_norm, axes=None, name": "clip_by_norm",
        "t, clip_value_min, clip_value_max, name": "clip_by_value",
        "t_list, clip_norm, use_norm=None, name": "clip_by_global_norm",
        "t_list, name": "global_norm",
    },
    "creation": {
        "*args, **kwargs": "meshgrid",
        "dims, value, name, layout=None": "fill",
        "input, dtype=None, name, layout=None": "ones_like zeros_like",
        "lengths, maxlen=None, dtype=bool, name": "sequence_mask",
        "num_rows, num_columns=None, batch_shape=None, dtype=float32, name": "eye",
        "shape, dtype=float32, name, layout=None": "ones zeros",
        "start, limit=None, delta=1, dtype=None, name": "range",
        "start, stop, num, name, axis=0": "linspace",
    },
    "debugging": {
        "condition, data, summarize=None, name": "Assert",
        "shapes, data=None, summarize=None, message=None, name": "assert_shapes",
        "tensor": "is_numeric_tensor",
        "": "disable_check_numerics",
        "stack_height_limit=30, path_length_limit=50": "enable_check_numerics",
        "tensor, message, name": "check_numerics",
        "tensor, message=None, name": "assert_scalar",
        "tensor, tf_type, message=None, name": "assert_type",
        "tensors=None, dtype=None": "assert_same_float_dtype",
        "values": "assert_proper_iterable",
        "x, message, name": "assert_all_finite",
        "x, message=None, name": "assert_integer",
        "x, message=None, summarize=None, name": "assert_negative assert_non_negative assert_non_positive assert_positive",
        "x, rank, message=None, name": "assert_rank assert_rank_at_least",
        "x, ranks, message=None, name": "assert_rank_in",
        "x, y, message=None, summarize=None, name": "assert_equal assert_greater assert_greater_equal assert_less assert_less_equal",
        "x, y, rtol=None, atol=None, message=None, summarize=None, name": "assert_near",
        "x, y, summarize=None, message=None, name": "assert_none_equal",
    },
    "math": {
        "a, x, name": "polygamma",
        "coeffs, x, name": "polyval",
        "features, name": "softplus",
        "input, axis=None, keepdims=None, dtype=int64, name": "count_nonzero",
        "input, axis=None, output_type=int64, name": "argmax argmin",
        "input, name": "angle imag real",
        "input_tensor, axis=None, keepdims=False, name": "reduce_all reduce_any reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_std reduce_sum reduce_variance",
        "inputs, name": "add_n",
        "inputs, shape=None, tensor_dtype=None, name": "accumulate_n",
        "scalar, x, name": "scalar_mul",
        "value, name": "zero_fraction",
        "x, axis=0, exclusive=False, reverse=False, name": "cumprod cumsum cumulative_logsumexp",
        "x, axis=None, epsilon=1e-12, name, dim=None": "l2_normalize",
        "x, name": "abs acos acosh asin asinh atan atanh ceil conj cos cosh digamma erf erfc erfcinv erfinv exp expm1 floor is_finite is_inf is_nan is_non_decreasing is_strictly_increasing lgamma log log1p log_sigmoid logical_not ndtri negative reciprocal reciprocal_no_nan rint round rsqrt sigmoid sign sin sinh sqrt square tan tanh",
        "x, y, name": "add divide divide_no_nan equal floordiv floormod greater greater_equal less less_equal logical_and logical_or logical_xor maximum minimum mod multiply multiply_no_nan not_equal pow squared_difference subtract truediv xdivy xlog1py xlogy",
        "y, x, name": "atan2",
    },
}  # fmt: skip


def parameters(f):
    """The parameters of ``f`` as the table writes them."""
    words = []
    for p in inspect.signature(f).parameters.values():
        word = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "") + p.name
        if p.default is not p.empty and p.name != "name":
            word += "=" + (p.default.name if hasattr(p.default, "as_numpy_dtype") else repr(p.default))
        words.append(word)
    return ", ".join(words)


@pytest.mark.parametrize(
    ("module", "want", "name"),
    [
        (module, want, name)
        for module, table in SIGNATURES.items()
        for want, names in table.items()
        for name in names.split()
    ],
)
def test_parameters(module, want, name):
    assert parameters(getattr(importlib.import_module(f"gradtape.{module}"), name)) == want


@pytest.mark.parametrize("module", SIGNATURES)
def test_all_public_functions_are_in_the_table(module):
    public = {n for n in importlib.import_module(f"gradtape.{module}").__all__ if n != "newaxis"}
    assert public == {name for names in SIGNATURES[module].values() for name in names.split()}
