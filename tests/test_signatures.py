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
        "": "disable_check_numerics disable_explanations enable_explanations trace_lines",
        "fn, names=None": "on_gradient on_operation",
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
    "image": {
        "": "ResizeMethod",
        "a, b, max_val, name": "psnr",
        "boxes, scores, max_output_size, iou_threshold=0.5, score_threshold=-inf, name": "non_max_suppression",
        "boxes, scores, max_output_size, iou_threshold=0.5, score_threshold=-inf, pad_to_max_output_size=False, name, sorted_input=False, canonicalized_coordinates=False, tile_size=512": "non_max_suppression_padded",
        "boxes, scores, max_output_size, iou_threshold=0.5, score_threshold=-inf, soft_nms_sigma=0.0, name": "non_max_suppression_with_scores",
        "boxes, scores, max_output_size_per_class, max_total_size, iou_threshold=0.5, score_threshold=-inf, pad_per_class=False, clip_boxes=True, name": "combined_non_max_suppression",
        "boxes1, boxes2": "iou",
        "image": "flip_left_right flip_up_down image_gradients per_image_standardization sobel_edges",
        "image, boxes, box_indices, crop_size, method='bilinear', extrapolation_value=0.0, name": "crop_and_resize",
        "image, central_fraction": "central_crop",
        "image, delta": "adjust_brightness",
        "image, delta, name": "adjust_hue",
        "image, dtype, saturate=False, name": "convert_image_dtype",
        "image, gamma=1, gain=1": "adjust_gamma",
        "image, k=1, name": "rot90",
        "image, lower, upper, seed": "stateless_random_contrast",
        "image, lower, upper, seed=None": "random_contrast random_saturation stateless_random_saturation",
        "image, max_delta, seed": "stateless_random_brightness stateless_random_hue",
        "image, max_delta, seed=None": "random_brightness random_hue",
        "image, name": "transpose",
        "image, offset_height, offset_width, target_height, target_width": "crop_to_bounding_box pad_to_bounding_box",
        "image, saturation_factor, name": "adjust_saturation",
        "image, seed": "stateless_random_flip_left_right stateless_random_flip_up_down",
        "image, seed=None": "random_flip_left_right random_flip_up_down",
        "image, target_height, target_width": "resize_with_crop_or_pad",
        "image, target_height, target_width, method='bilinear', antialias=False": "resize_with_pad",
        "images": "rgb_to_yiq rgb_to_yuv yiq_to_rgb yuv_to_rgb",
        "images, boxes, colors, name": "draw_bounding_boxes",
        "images, contrast_factor": "adjust_contrast",
        "images, name": "grayscale_to_rgb hsv_to_rgb rgb_to_grayscale rgb_to_hsv total_variation",
        "images, size, method='bilinear', preserve_aspect_ratio=False, antialias=False, name": "resize",
        "images, sizes, strides, rates, padding, name": "extract_patches",
        "images, transforms, output_shape=None, interpolation='nearest', fill_mode='constant', fill_value=0.0": "projective_transform",
        "img1, img2, max_val, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03, return_index_map=False": "ssim",
        "img1, img2, max_val, power_factors=(0.0448, 0.2856, 0.3001, 0.2363, 0.1333), filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03": "ssim_multiscale",
        "input, coordinates, order=1, fill_mode='constant', fill_value=0.0": "map_coordinates",
        "overlaps, scores, max_output_size, overlap_threshold=0.5, score_threshold=-inf, name": "non_max_suppression_overlaps",
        "value, size, seed, name": "stateless_random_crop",
        "value, size, seed=None, name": "random_crop",
    },
    "linalg": {
        "a, b, axes, name": "tensordot",
        "a, b, name": "cross",
        "a, b, transpose_a=False, adjoint_a=False, a_is_sparse=False, b_is_sparse=False, name": "matvec",
        "a, b, transpose_a=False, transpose_b=False, adjoint_a=False, adjoint_b=False, a_is_sparse=False, b_is_sparse=False, output_type=None, grad_a=False, grad_b=False, name": "matmul",
        "a, name, conjugate=False": "matrix_transpose",
        "a, rcond=None, validate_args=False, name": "pinv",
        "a, tol=None, validate_args=False, name": "matrix_rank",
        "alpha, beta, eigvals_only=True, select='a', select_range=None, tol=None, name": "eigh_tridiagonal",
        "bands, rhs, lower=True, adjoint=False, name": "banded_triangular_solve",
        "chol, rhs, name": "cholesky_solve",
        "diagonal, name": "tensor_diag",
        "diagonal, name, k=0, num_rows=-1, num_cols=-1, padding_value=0, align='RIGHT_LEFT'": "diag",
        "diagonals, rhs, diagonals_format='compact', name": "tridiagonal_matmul",
        "diagonals, rhs, diagonals_format='compact', transpose_rhs=False, conjugate_rhs=False, name, partial_pivoting=True, perturb_singular=False": "tridiagonal_solve",
        "equation, *inputs, **kwargs": "einsum",
        "input, adjoint=False, name": "inv",
        "input, diagonal, name, k=0, align='RIGHT_LEFT'": "set_diag",
        "input, full_matrices=False, name": "qr",
        "input, name": "cholesky det expm logm slogdet sqrtm tensor_diag_part",
        "input, name, k=0, padding_value=0, align='RIGHT_LEFT'": "diag_part",
        "input, num_lower, num_upper, name": "band_part",
        "input, output_idx_type=int32, name": "lu",
        "lower_upper, perm, rhs, validate_args=False, name": "lu_solve",
        "lower_upper, perm, validate_args=False, name": "lu_matrix_inverse lu_reconstruct",
        "matrix, name": "adjoint logdet",
        "matrix, rhs, adjoint=False, name": "solve",
        "matrix, rhs, l2_regularizer=0.0, fast=True, name": "lstsq",
        "matrix, rhs, lower=True, adjoint=False, name": "triangular_solve",
        "num_rows, num_columns=None, batch_shape=None, dtype=float32, name": "eye",
        "t_list, name": "global_norm",
        "tensor, full_matrices=False, compute_uv=True, name": "svd",
        "tensor, name": "eig eigh eigvals eigvalsh",
        "tensor, ord='euclidean', axis=None, keepdims=None, name": "norm",
        "tensor, ord='euclidean', axis=None, name": "normalize",
        "x, axis=None, epsilon=1e-12, name, dim=None": "l2_normalize",
        "x, name": "trace",
    },
    "math": {
        "a, b, x, name": "betainc",
        "a, x, name": "igamma igammac polygamma",
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
        "x, name": "bessel_i0 bessel_i0e bessel_i1 bessel_i1e lbeta abs acos acosh asin asinh atan atanh ceil conj cos cosh digamma erf erfc erfcinv erfinv exp expm1 floor is_finite is_inf is_nan is_non_decreasing is_strictly_increasing lgamma log log1p log_sigmoid logical_not ndtri negative reciprocal reciprocal_no_nan rint round rsqrt sigmoid sign sin sinh sqrt square tan tanh",
        "x, y, name": "add divide divide_no_nan equal floordiv floormod greater greater_equal less less_equal logical_and logical_or logical_xor maximum minimum mod multiply multiply_no_nan not_equal pow squared_difference subtract truediv xdivy xlog1py xlogy",
        "y, x, name": "atan2",
        "x, q, name": "zeta",
        "x1, x2, name": "nextafter",
    },
    "special": {
        "x, name": "bessel_i0 bessel_i0e bessel_i1 bessel_i1e bessel_j0 bessel_j1 bessel_k0 bessel_k0e bessel_k1 bessel_k1e bessel_y0 bessel_y1 dawsn expint fresnel_cos fresnel_sin spence",
    },
    "sorting": {
        "input, k=1, sorted=True, index_type=int32, name": "top_k",
        "operand, k, reduction_dimension=-1, recall_target=0.95, reduction_input_size_override=-1, aggregate_to_topk=True, name": "approx_max_k approx_min_k",
        "sorted_sequence, values, side='left', out_type=int32, name": "searchsorted",
        "targets, predictions, k, name": "in_top_k",
        "values, axis=-1, direction='ASCENDING', name": "sort",
        "values, axis=-1, direction='ASCENDING', stable=False, name": "argsort",
        "x, name": "invert_permutation",
        "x, out_idx=int32, name": "unique unique_with_counts",
        # gradtape's own
        "x, axis=0, reverse=False, name": "cummax cummin",
        "x, axis=None, keepdims=False, name": "median",
        "x, q, axis=None, method='linear', keepdims=False, name": "percentile quantile",
    },
    "counting": {
        "arr, weights=None, minlength=None, maxlength=None, dtype=int32, name, axis=None, binary_output=False": "bincount",
        "labels, predictions, num_classes=None, weights=None, dtype=int32, name": "confusion_matrix",
        "values, value_range, nbins=100, dtype=int32, name": "histogram_fixed_width histogram_fixed_width_bins",
    },
    "segments": {
        "data, segment_ids, name": "segment_max segment_mean segment_min segment_prod segment_sum",
        "data, segment_ids, num_segments, name": "unsorted_segment_max unsorted_segment_mean unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum",
    },
    "arranging": {
        "images, sizes, strides, rates, padding, name": "extract_patches",
        "indices, dims, name": "unravel_index",
        "input, ksizes, strides, padding, name": "extract_volume_patches",
        "input, seq_lengths, seq_axis=None, batch_axis=None, name": "reverse_sequence",
        "input_shape, block_shape, base_paddings=None, name": "required_space_to_batch_paddings",
        "values, name": "parallel_stack",
    },
    "test": {
        "": "GradientReport gpu_device_name is_built_with_cuda is_built_with_gpu_support is_built_with_rocm is_built_with_xla",
        "cuda_only=False, min_cuda_compute_capability=None": "is_gpu_available",
        "f, x, delta=None": "compute_gradient",
        # gradtape's own
        "f, args, order=2, modes=('reverse', 'forward'), rtol=None, atol=0.0, directions=1, seed=0": "check_gradients",
        "how, order, value, differences, error, allowed, clear, ok": "Check",
        "how, where, value, differences, error, left, right": "Disagreement",
        "report": "GradientMismatch",
    },
    "signal": {
        "frame_step, forward_window_fn=hann_window, name": "inverse_stft_window_fn",
        "input, name": "fft fft2d fft3d ifft ifft2d ifft3d",
        "input, type=2, n=None, axis=-1, norm=None, name": "dct idct",
        "input_tensor, fft_length=None, axes=None, norm=None, name": "fftnd ifftnd irfftnd rfftnd",
        "input_tensor, fft_length=None, name": "irfft irfft2d irfft3d rfft rfft2d rfft3d",
        "log_mel_spectrograms, name": "mfccs_from_log_mel_spectrograms",
        "mdcts, window_fn=vorbis_window, norm=None, name": "inverse_mdct",
        "num_mel_bins=20, num_spectrogram_bins=129, sample_rate=8000, lower_edge_hertz=125.0, upper_edge_hertz=3800.0, dtype=float32, name": "linear_to_mel_weight_matrix",
        "signal, frame_length, frame_step, pad_end=False, pad_value=0, axis=-1, name": "frame",
        "signal, frame_step, name": "overlap_and_add",
        "signals, frame_length, frame_step, fft_length=None, window_fn=hann_window, pad_end=False, name": "stft",
        "signals, frame_length, window_fn=vorbis_window, pad_end=False, norm=None, name": "mdct",
        "stfts, frame_length, frame_step, fft_length=None, window_fn=hann_window, name": "inverse_stft",
        "window_length, beta=12.0, dtype=float32, name": "kaiser_bessel_derived_window kaiser_window",
        "window_length, dtype=float32, name": "vorbis_window",
        "window_length, periodic=True, dtype=float32, name": "hamming_window hann_window",
        "x, axes=None, name": "fftshift ifftshift",
    },
}  # fmt: skip


def parameters(f):
    """The parameters of ``f`` as the table writes them."""
    words = []
    for p in inspect.signature(f).parameters.values():
        word = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "") + p.name
        if p.default is not p.empty and p.name != "name":
            d = p.default
            word += "=" + (d.name if hasattr(d, "as_numpy_dtype") else d.__name__ if callable(d) else repr(d))
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
