"""``tf.nn``: values and errors that TensorFlow 2.21 gives (each was run), derivatives against differences, what is refused."""

import inspect

import numpy as np
import pytest

import gradtape as tf
from gradtape import nn, random
from gradtape.core.reductions import reduce_sum
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import InvalidArgumentError


def c(x, d=dt.float64):
    return tf.constant(x, d)


def ones(*shape, d=dt.float32):
    return tf.constant(np.ones(shape), d)


def close(got, want, tol=1e-6):
    np.testing.assert_allclose(np.asarray(got.numpy(), float), want, rtol=tol, atol=tol)


# -- signatures -----------------------------------------------------------------------------------------------------------------

SIGNATURES = {
    "relu": "(features, name=None)",
    "relu6": "(features, name=None)",
    "leaky_relu": "(features, alpha=0.2, name=None)",
    "elu": "(features, name=None)",
    "selu": "(features, name=None)",
    "crelu": "(features, axis=-1, name=None)",
    "gelu": "(features, approximate=False, name=None)",
    "silu": "(features, beta=1.0)",
    "swish": "(features, beta=1.0)",
    "softplus": "(features, name=None)",
    "softsign": "(features, name=None)",
    "sigmoid": "(x, name=None)",
    "tanh": "(x, name=None)",
    "softmax": "(logits, axis=None, name=None)",
    "log_softmax": "(logits, axis=None, name=None)",
    "softmax_cross_entropy_with_logits": "(labels, logits, axis=-1, name=None)",
    "sparse_softmax_cross_entropy_with_logits": "(labels, logits, name=None)",
    "sigmoid_cross_entropy_with_logits": "(labels=None, logits=None, name=None)",
    "weighted_cross_entropy_with_logits": "(labels, logits, pos_weight, name=None)",
    "l2_loss": "(t, name=None)",
    "l2_normalize": "(x, axis=None, epsilon=1e-12, name=None, dim=None)",
    "moments": "(x, axes, shift=None, keepdims=False, name=None)",
    "weighted_moments": "(x, axes, frequency_weights, keepdims=False, name=None)",
    "sufficient_statistics": "(x, axes, shift=None, keepdims=False, name=None)",
    "normalize_moments": "(counts, mean_ss, variance_ss, shift, name=None)",
    "batch_normalization": "(x, mean, variance, offset, scale, variance_epsilon, name=None)",
    "dropout": "(x, rate, noise_shape=None, seed=None, name=None)",
    "bias_add": "(value, bias, data_format=None, name=None)",
    "log_poisson_loss": "(targets, log_input, compute_full_loss=False, name=None)",
    "zero_fraction": "(value, name=None)",
    # beside those of TensorFlow 2.21, our own: adaptive pooling, attention, layer and group normalisation
    "adaptive_avg_pool": "(input, output_size, data_format=None)",
    "adaptive_max_pool": "(input, output_size, data_format=None)",
    "all_candidate_sampler": "(true_classes, num_true, num_sampled, unique, seed=None, name=None)",
    "approx_max_k": "(operand, k, reduction_dimension=-1, recall_target=0.95, reduction_input_size_override=-1, aggregate_to_topk=True, name=None)",
    "approx_min_k": "(operand, k, reduction_dimension=-1, recall_target=0.95, reduction_input_size_override=-1, aggregate_to_topk=True, name=None)",
    "atrous_conv2d": "(value, filters, rate, padding, name=None)",
    "atrous_conv2d_transpose": "(value, filters, output_shape, rate, padding, name=None)",
    "avg_pool": "(input, ksize, strides, padding, data_format=None, name=None)",
    "avg_pool1d": "(input, ksize, strides, padding, data_format='NWC', name=None)",
    "avg_pool2d": "(input, ksize, strides, padding, data_format='NHWC', name=None)",
    "avg_pool3d": "(input, ksize, strides, padding, data_format='NDHWC', name=None)",
    "batch_norm_with_global_normalization": "(input, mean, variance, beta, gamma, variance_epsilon, scale_after_normalization, name=None)",
    "collapse_repeated": "(labels, seq_length, name=None)",
    "compute_accidental_hits": "(true_classes, sampled_candidates, num_true, seed=None, name=None)",
    "compute_average_loss": "(per_example_loss, sample_weight=None, global_batch_size=None)",
    "conv1d": "(input, filters, stride, padding, data_format='NWC', dilations=None, name=None)",
    "conv1d_transpose": "(input, filters, output_shape, strides, padding='SAME', data_format='NWC', dilations=None, name=None)",
    "conv2d": "(input, filters, strides, padding, data_format='NHWC', dilations=None, name=None)",
    "conv2d_transpose": "(input, filters, output_shape, strides, padding='SAME', data_format='NHWC', dilations=None, name=None)",
    "conv3d": "(input, filters, strides, padding, data_format='NDHWC', dilations=None, name=None)",
    "conv3d_transpose": "(input, filters, output_shape, strides, padding='SAME', data_format='NDHWC', dilations=None, name=None)",
    "conv_transpose": "(input, filters, output_shape, strides, padding='SAME', data_format=None, dilations=None, name=None)",
    "convolution": "(input, filters, strides=None, padding='VALID', data_format=None, dilations=None, name=None)",
    "ctc_greedy_decoder": "(inputs, sequence_length, merge_repeated=True, blank_index=None)",
    "ctc_loss": "(labels, logits, label_length, logit_length, logits_time_major=True, unique=None, blank_index=None, name=None)",
    "ctc_unique_labels": "(labels, name=None)",
    "depth_to_space": "(input, block_size, data_format='NHWC', name=None)",
    "depthwise_conv2d": "(input, filter, strides, padding, data_format=None, dilations=None, name=None)",
    "depthwise_conv2d_backprop_filter": "(input, filter_sizes, out_backprop, strides, padding, data_format='NHWC', dilations=(1, 1, 1, 1), name=None)",
    "depthwise_conv2d_backprop_input": "(input_sizes, filter, out_backprop, strides, padding, data_format='NHWC', dilations=(1, 1, 1, 1), name=None)",
    "dilation2d": "(input, filters, strides, padding, data_format, dilations, name=None)",
    "dot_product_attention": "(query, key, value, bias=None, mask=None, scale=None, is_causal=False)",
    "embedding_lookup": "(params, ids, max_norm=None, name=None)",
    "erosion2d": "(value, filters, strides, padding, data_format, dilations, name=None)",
    "fixed_unigram_candidate_sampler": "(true_classes, num_true, num_sampled, unique, range_max, vocab_file='', distortion=1.0, num_reserved_ids=0, num_shards=1, shard=0, unigrams=(), seed=None, name=None)",
    "group_normalization": "(x, groups, gamma=None, beta=None, axis=-1, epsilon=0.001)",
    "in_top_k": "(targets, predictions, k, name=None)",
    "layer_normalization": "(x, gamma=None, beta=None, axis=-1, epsilon=0.001)",
    "local_response_normalization": "(input, depth_radius=5, bias=1, alpha=1, beta=0.5, name=None)",
    "lrn": "(input, depth_radius=5, bias=1, alpha=1, beta=0.5, name=None)",
    "max_pool": "(input, ksize, strides, padding, data_format=None, name=None)",
    "max_pool1d": "(input, ksize, strides, padding, data_format='NWC', name=None)",
    "max_pool2d": "(input, ksize, strides, padding, data_format='NHWC', name=None)",
    "max_pool3d": "(input, ksize, strides, padding, data_format='NDHWC', name=None)",
    "max_pool_with_argmax": "(input, ksize, strides, padding, data_format='NHWC', output_dtype=tf.int64, include_batch_in_index=False, name=None)",
    "nce_loss": "(weights, biases, labels, inputs, num_sampled, num_classes, num_true=1, sampled_values=None, remove_accidental_hits=False, name='nce_loss')",
    "pool": "(input, window_shape, pooling_type, strides=None, padding='VALID', data_format=None, dilations=None, name=None)",
    "sampled_softmax_loss": "(weights, biases, labels, inputs, num_sampled, num_classes, num_true=1, sampled_values=None, remove_accidental_hits=True, seed=None, name='sampled_softmax_loss')",
    "scale_regularization_loss": "(regularization_loss)",
    "separable_conv2d": "(input, depthwise_filter, pointwise_filter, strides, padding, data_format=None, dilations=None, name=None)",
    "space_to_batch": "(input, block_shape, paddings, name=None)",
    "space_to_depth": "(input, block_size, data_format='NHWC', name=None)",
    "top_k": "(input, k=1, sorted=True, index_type=tf.int32, name=None)",
    "with_space_to_batch": "(input, dilation_rate, padding, op, filter_shape=None, spatial_dims=None, data_format=None)",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature_and_documentation(name):
    f = getattr(nn, name)
    parameters = inspect.signature(f).parameters.values()
    bare = inspect.Signature([p.replace(annotation=p.empty) for p in parameters])
    assert str(bare) == SIGNATURES[name]
    assert len(f.__doc__) > 100


# -- derivatives ------------------------------------------------------------------------------------------------------------------


def difference(f, xs, i, h=1e-4):
    """The derivative of ``f(xs)``, a float, with respect to each element of ``xs[i]``: central differences, extrapolated."""
    out = np.zeros_like(xs[i])
    for at in np.ndindex(xs[i].shape):

        def moved(t, at=at):
            ys = [x.copy() for x in xs]
            ys[i][at] += t
            return f(ys)

        out[at] = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
    return out


def check(f, *xs, tol=1e-7):
    """First and second derivatives of a weighted sum of what ``f`` returns."""
    xs = [np.asarray(x, float) for x in xs]

    def weighted(ys, seed):
        ys = ys if isinstance(ys, (list, tuple)) else [ys]
        w = np.random.default_rng(seed)
        return sum(reduce_sum(y * c(w.uniform(0.5, 1.5, y._shape))) for y in ys)

    def loss(arrays):
        return float(weighted(f(*[c(a) for a in arrays]), 1))

    def gradients(arrays):
        ts = [c(a) for a in arrays]
        with tf.GradientTape() as tape:
            tape.watch(ts)
            y = weighted(f(*ts), 1)
        return tape.gradient(y, ts, unconnected_gradients="zero")

    def slope(arrays):
        return float(weighted(gradients(arrays), 2))

    ts = [c(a) for a in xs]
    with tf.GradientTape() as outer:
        outer.watch(ts)
        with tf.GradientTape() as inner:
            inner.watch(ts)
            y = weighted(f(*ts), 1)
        z = weighted(inner.gradient(y, ts, unconnected_gradients="zero"), 2)
    seconds = outer.gradient(z, ts, unconnected_gradients="zero")
    for i, (first, second) in enumerate(zip(gradients(xs), seconds)):
        np.testing.assert_allclose(first._a, difference(loss, xs, i), rtol=tol, atol=tol, err_msg=f"input {i}")
        np.testing.assert_allclose(
            second._a, difference(slope, xs, i), rtol=tol, atol=tol, err_msg=f"second, input {i}"
        )


X = np.array([[0.3, -1.2, 2.0, 0.7], [1.5, 0.2, -0.4, -2.2], [-0.9, 0.8, 1.1, 0.1]])
Y = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.4, 0.1]])
DIFFERENTIATED = {
    "crelu": (lambda x: nn.crelu(x) ** 2, X),
    "crelu along 0": (lambda x: nn.crelu(x, axis=0) ** 2, X),
    "silu": (nn.silu, X),
    "silu with beta": (nn.silu, X, 1.7),
    "gelu": (nn.gelu, X),
    "gelu by tanh": (lambda x: nn.gelu(x, approximate=True), X),
    "softmax": (nn.softmax, X),
    "softmax along 0": (lambda x: nn.softmax(x, axis=0), X),
    "log_softmax": (nn.log_softmax, X),
    "softmax cross-entropy": (lambda x: nn.softmax_cross_entropy_with_logits(c(Y), x), X),
    "softmax cross-entropy along 0": (lambda x: nn.softmax_cross_entropy_with_logits(c(Y / Y.sum(0)), x, axis=0), X),
    "softmax cross-entropy, labels": (lambda y: nn.softmax_cross_entropy_with_logits(y, c(X)), Y),
    "sparse softmax cross-entropy": (lambda x: nn.sparse_softmax_cross_entropy_with_logits([0, 3, 1], x), X),
    "sigmoid cross-entropy": (nn.sigmoid_cross_entropy_with_logits, Y, X),
    "weighted cross-entropy": (nn.weighted_cross_entropy_with_logits, Y, X, [2.0, 0.5, 1.0, 3.0]),
    "log_poisson_loss": (nn.log_poisson_loss, Y, X),
    "log_poisson_loss with Stirling's term": (lambda t, x: nn.log_poisson_loss(t, x, True), Y + 1.5, X),
    "l2_loss": (nn.l2_loss, X),
    "l2_normalize": (nn.l2_normalize, X),
    "l2_normalize along 1": (lambda x: nn.l2_normalize(x, 1), X),
    "moments": (lambda x: nn.moments(x, [0]), X),
    "moments of all": (lambda x: nn.moments(x, [0, 1], keepdims=True), X),
    "weighted_moments": (lambda x, w: nn.weighted_moments(x, [1], w), X, [[1.0], [2.0], [0.5]]),
    "normalize_moments": (lambda n, a, b: nn.normalize_moments(n, a, b, c(0.5)), 4.0, [8.0, 9.0], [20.0, 30.0]),
    "sufficient_statistics": (lambda x, s: nn.sufficient_statistics(x, [0], shift=s)[1:3], X, 0.3),
    "batch_normalization": (lambda *a: nn.batch_normalization(*a, 1e-3), X, [0.1, 0.2, 0.3, 0.4], [1.0, 2, 3, 4], [1.0, 2, 3, 4], [0.5, 0.6, 0.7, 0.8]),
    "batch_normalization by moments": (lambda x: nn.batch_normalization(x, *nn.moments(x, [0]), None, None, 0.1), X),
    "bias_add": (lambda x, b: nn.bias_add(x, b) ** 2, X, [1.0, 2, 3, 4]),
    "bias_add, channels first": (lambda x, b: nn.bias_add(x, b, "NCHW") ** 2, X[..., None], [1.0, 2, 3, 4]),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_derivatives(name):
    check(*DIFFERENTIATED[name])


def test_hessian_of_the_variance():
    """2/n·(I - 1/n). TensorFlow's moments stops the gradient at the mean, so that its second derivative is 2/n·I."""
    x = c([1.0, 2.0, 4.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            _, variance = nn.moments(x, [0])
        first = inner.gradient(variance, x)[0]
    np.testing.assert_allclose(outer.gradient(first, x)._a, 2 / 3 * np.array([2 / 3, -1 / 3, -1 / 3]))


def test_gradient_of_the_full_poisson_loss_is_finite_where_the_term_is_left_out():
    """NaN in TensorFlow 2.21, from log(0) in the branch that is not taken."""
    t = c([0.0, 1.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(t)
        loss = nn.log_poisson_loss(t, c([0.2, 0.3, 0.9]), compute_full_loss=True)
    np.testing.assert_allclose(tape.gradient(loss, t)._a, [-0.2, -0.3, -0.9 + np.log(3) + 1 / 6])


def test_second_derivatives_that_are_zero():
    x = c([-1.0, 2.0, 7.0])
    for f in (nn.relu, nn.relu6, nn.leaky_relu, nn.crelu):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = f(x)
            first = inner.gradient(y, x)
        np.testing.assert_array_equal(outer.gradient(first, x)._a, [0, 0, 0])


# -- values -----------------------------------------------------------------------------------------------------------------------

VALUES = {  # what TensorFlow 2.21 gives
    "leaky_relu of ints": (lambda: nn.leaky_relu([1, -2]), [1.0, -0.4]),
    "leaky_relu, alpha 2": (lambda: nn.leaky_relu([1.0, -2.0], alpha=2.0), [1, -4]),
    "relu of ints": (lambda: nn.relu([1, -2]), [1, 0]),
    "gelu": (lambda: nn.gelu([1.0, -2.0]), [0.84134, -0.0455]),
    "gelu by tanh": (lambda: nn.gelu([1.0, -2.0, -6.0], approximate=True), [0.84119, -0.0454023, 0]),
    "silu": (lambda: nn.silu([1.0, -2.0], 2.0), [0.8807971, -0.0359724]),
    "crelu": (lambda: nn.crelu([[1.0, -2.0]], axis=0), [[1, 0], [0, 2]]),
    "softmax, axis a tensor": (lambda: nn.softmax([[1.0, 2.0]], axis=tf.constant(0)), [[1, 1]]),
    "cross-entropy along 0": (lambda: nn.softmax_cross_entropy_with_logits([[0.0, 1], [1, 0]], [[1.0, 2.0], [3, 5]], axis=0), [0.12693, 3.04859]),
    "cross-entropy, int labels": (lambda: nn.softmax_cross_entropy_with_logits(tf.constant([[0, 1]]), [[1.0, 2.0]]), [0.31326]),
    "cross-entropy, one row of labels": (lambda: nn.softmax_cross_entropy_with_logits(ones(1, 4), ones(3, 4)), [5.54518] * 3),
    "cross-entropy, a vector of labels": (lambda: nn.softmax_cross_entropy_with_logits(ones(4), ones(3, 4)), [5.54518] * 3),
    "cross-entropy of a vector": (lambda: nn.softmax_cross_entropy_with_logits(ones(4), ones(4)), 5.54518),
    "sparse": (lambda: nn.sparse_softmax_cross_entropy_with_logits([0, 1], [[1.0, 2.0], [3.0, 5.0]]), [1.3132616, 0.126928]),
    "sparse of a vector": (lambda: nn.sparse_softmax_cross_entropy_with_logits(1, [1.0, 2.0]), 0.31326),
    "sparse in 3D": (lambda: nn.sparse_softmax_cross_entropy_with_logits([[0, 1]], [[[1.0, 2.0], [3.0, 5.0]]]), [[1.3132616, 0.126928]]),
    "sigmoid": (lambda: nn.sigmoid_cross_entropy_with_logits([0.0, 1.0], [1.0, 2.0]), [1.3132616, 0.126928]),
    "weighted": (lambda: nn.weighted_cross_entropy_with_logits([0.0, 1.0], [1.0, 2.0], 3.0), [1.3132616, 0.380784]),
    "poisson": (lambda: nn.log_poisson_loss([1.0, 2.0], [0.5, 0.3]), [1.148721, 0.749859]),
    "poisson in full": (lambda: nn.log_poisson_loss([1.0, 2.0, 0.0, 0.5], [0.5, 0.3, 0.1, 0.2], True), [1.148721, 1.401671, 1.105171, 1.121403]),
    "l2_normalize, zero rows": (lambda: nn.l2_normalize([[3.0, 4], [0, 0]], axis=1), [[0.6, 0.8], [0, 0]]),
    "l2_normalize, dim": (lambda: nn.l2_normalize([3.0, 4], dim=0), [0.6, 0.8]),
    "batch_normalization": (lambda: nn.batch_normalization([[1.0, 2], [3, 4]], [2.0, 3.0], [1.0, 1.0], [1.0, 2], [1.0, 3], 1e-3), [[0.0005, -0.9985], [1.9995, 4.9985]]),
    "bias_add": (lambda: nn.bias_add(ones(2, 3), [1.0, 2, 3]), [[2, 3, 4]] * 2),
    "bias_add, channels first": (lambda: nn.bias_add(ones(1, 2, 2), [1.0, 2], "NCHW"), [[[2, 2], [3, 3]]]),
    "bias_add, ints": (lambda: nn.bias_add([[1, 2]], [1, 2]), [[2, 4]]),
    "zero_fraction": (lambda: nn.zero_fraction([True, False, False, False]), 0.75),
    "normalize_moments": (lambda: nn.normalize_moments(4.0, 8.0, 20.0, 1.0)[0], 3.0),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_value(name):
    f, want = VALUES[name]
    close(f(), want, 2e-5)


def test_complex_l2_normalize():
    got = nn.l2_normalize(tf.constant([3 + 4j, 0]))
    assert got.dtype is dt.complex128
    np.testing.assert_allclose(got.numpy(), [0.6 + 0.8j, 0])


def test_dtypes():
    half = tf.constant([[300.0, -300.0, 301.0]], dt.float16)
    assert [m.dtype for m in nn.moments(half, [1])] == [dt.float16] * 2
    assert nn.moments(half, [1])[0].numpy()[0] == np.float16(100.3125)
    assert nn.zero_fraction(tf.constant([0.0], dt.float64)).dtype is dt.float32
    assert nn.batch_normalization(half, 1.0, 1.0, None, None, 1e-3).dtype is dt.float16
    x = nn.batch_normalization(
        half, *[tf.constant([1.0, 2, 3])] * 4, 1e-3
    )  # as mixed precision does: float32 statistics
    assert x.dtype is dt.float16
    assert (
        nn.softmax_cross_entropy_with_logits([[0.5, 0.5]], tf.constant([[1.0, 2.0]], dt.bfloat16)).dtype is dt.bfloat16
    )


def test_variables_lists_and_arrays_are_taken():
    v = tf.Variable([1.0, -2.0])
    with tf.GradientTape() as tape:
        y = nn.relu(v) + nn.leaky_relu(v, alpha=0.5) + nn.softmax(v) * 0.0
    np.testing.assert_array_equal(tape.gradient(y, v).numpy(), [2.0, 0.5])
    for x in ([1.0, -2.0], (1.0, -2.0), np.array([1.0, -2.0], np.float32)):
        np.testing.assert_array_equal(nn.relu(x).numpy(), [1, 0])
    assert nn.relu(np.array([1.0])).dtype is dt.float64


# -- what is refused ----------------------------------------------------------------------------------------------------------------

ALIKE = {
    "sigmoid": lambda y, x: nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x),
    "weighted": lambda y, x: nn.weighted_cross_entropy_with_logits(y, x, 2.0),
    "poisson": lambda y, x: nn.log_poisson_loss(y, x),
    "softmax": lambda y, x: nn.softmax_cross_entropy_with_logits(y, x),
}


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize(
    ("labels", "logits"), [((5,), (5, 1)), ((5, 1), (5,)), ((1, 5), (5, 1)), ((2, 5), (5,)), ((3, 5), (4, 5))]
)
def test_losses_refuse_to_broadcast(name, labels, logits):
    """Of a column and a row, every element would meet every other: such a loss trains towards the mean."""
    with pytest.raises(InvalidArgumentError, match="must have the same shape"):
        ALIKE[name](ones(*labels), ones(*logits))


def test_class_dimensions_do_not_broadcast():
    with pytest.raises(InvalidArgumentError, match=r"have \[3,4\] and \[3,1\]"):
        nn.softmax_cross_entropy_with_logits(ones(3, 1), ones(3, 4))


REFUSED = {
    "labels of too high a rank": (lambda: nn.sparse_softmax_cross_entropy_with_logits([[0], [1]], [[1.0, 2.0], [3.0, 5.0]]), ValueError, r"\[2\], but has \[2,1\]"),
    "too many labels": (lambda: nn.sparse_softmax_cross_entropy_with_logits([0, 1, 1], [[1.0, 2.0], [3.0, 5.0]]), ValueError, r"\[2\], but has \[3\]"),
    "a label out of range": (lambda: nn.sparse_softmax_cross_entropy_with_logits([0, 2], [[1.0, 2.0], [3.0, 5.0]]), InvalidArgumentError, r"label value of 2 .* \[0, 2\)"),
    "float labels": (lambda: nn.sparse_softmax_cross_entropy_with_logits([0.0], [[1.0, 2.0]]), InvalidArgumentError, "integer dtype, but are float32"),
    "scalar logits": (lambda: nn.sparse_softmax_cross_entropy_with_logits(0, 1.0), ValueError, "cannot be a scalar"),
    "int logits": (lambda: nn.softmax_cross_entropy_with_logits([[0, 1]], [[1, 2]]), InvalidArgumentError, "int32"),
    "no labels": (lambda: nn.softmax_cross_entropy_with_logits(None, [1.0]), ValueError, "None"),
    "no logits": (lambda: nn.sigmoid_cross_entropy_with_logits([1.0]), ValueError, "Both `logits` and `labels` must be provided"),
    "mixed dtypes": (lambda: nn.sigmoid_cross_entropy_with_logits(c([0.0]), tf.constant([1.0])), InvalidArgumentError, "float32.*float64|float64.*float32"),
    "softmax of a scalar": (lambda: nn.softmax(1.0), InvalidArgumentError, "out of range|at least one dimension"),
    "softmax's axis": (lambda: nn.softmax([[1.0]], axis=2), InvalidArgumentError, r"dim in the range \[-2, 2\), but got 2"),
    "cross-entropy's axis": (lambda: nn.softmax_cross_entropy_with_logits([[1.0]], [[1.0]], axis=5), InvalidArgumentError, "but got 5"),
    "crelu of a scalar": (lambda: nn.crelu(1.0), InvalidArgumentError, "axis"),
    "relu of complex": (lambda: nn.relu(tf.constant(1j)), InvalidArgumentError, "complex128"),
    "relu of bool": (lambda: nn.relu([True]), InvalidArgumentError, "bool"),
    "elu of ints": (lambda: nn.elu([1]), InvalidArgumentError, "int32"),
    "gelu of ints": (lambda: nn.gelu([1]), ValueError, "floating point"),
    "l2_loss of ints": (lambda: nn.l2_loss([1, 2]), InvalidArgumentError, "int32"),
    "l2_normalize, axis and dim": (lambda: nn.l2_normalize([1.0], axis=0, dim=0), ValueError, "both"),
    "moments, an axis twice": (lambda: nn.moments(ones(2, 2), [0, 0]), InvalidArgumentError, "duplicate"),
    "moments, an axis too far": (lambda: nn.moments(ones(2, 2), [2]), InvalidArgumentError, "Invalid reduction dimension 2"),
    "too few biases": (lambda: nn.bias_add(ones(2, 3), [1.0, 2]), InvalidArgumentError, r"last dimension of the input tensor: \[2\] vs. \[2,3\]"),
    "one bias for all": (lambda: nn.bias_add(ones(2, 3), [1.0]), InvalidArgumentError, "as many biases"),
    "too few biases, channels first": (lambda: nn.bias_add(ones(2, 3, 2), [1.0, 2], "NCHW"), InvalidArgumentError, "second dimension"),
    "bias_add to a vector": (lambda: nn.bias_add(ones(3), [1.0, 2, 3]), InvalidArgumentError, r"at least 2D: \[3\]"),
    "a matrix of biases": (lambda: nn.bias_add(ones(2, 3), [[1.0, 2, 3]]), InvalidArgumentError, r"must be 1D: \[1,3\]"),
    "data_format": (lambda: nn.bias_add(ones(2, 3), [1.0, 2, 3], "NXYZ"), ValueError, "N...C"),
    "biases of another dtype": (lambda: nn.bias_add(ones(2, 3), c([1.0, 2, 3])), InvalidArgumentError, "float64"),
    "dropout, rate 1": (lambda: nn.dropout([1.0], 1.0), ValueError, r"\[0, 1\). Received: rate=1.0"),
    "dropout, negative rate": (lambda: nn.dropout([1.0], -0.1), ValueError, "rate=-0.1"),
    "dropout, NaN": (lambda: nn.dropout([1.0], float("nan")), ValueError, "rate=nan"),
    "dropout, a tensor out of range": (lambda: nn.dropout([1.0], tf.constant(1.5)), ValueError, "rate=1.5"),
    "dropout, rate a word": (lambda: nn.dropout([1.0], "a"), ValueError, "scalar"),
    "dropout, no rate": (lambda: nn.dropout([1.0], None), ValueError, "scalar"),
    "dropout, rate of another dtype": (lambda: nn.dropout([1.0], c(0.5)), ValueError, "compatible with `rate.dtype`"),
    "dropout, a vector of rates": (lambda: nn.dropout([1.0, 2.0], tf.constant([0.5, 0.5])), ValueError, "must be a scalar"),
    "dropout of ints": (lambda: nn.dropout([1, 2], 0.5), ValueError, "floating point"),
    "dropout, noise_shape": (lambda: nn.dropout(ones(2, 3), 0.5, noise_shape=[2, 2]), InvalidArgumentError, r"noise_shape \[2, 2\] does not broadcast to the shape \[2,3\]"),
    "dropout, too long a noise_shape": (lambda: nn.dropout(ones(2, 3), 0.5, noise_shape=[4, 2, 3]), InvalidArgumentError, "noise_shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        f()


# -- dropout ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("d", [dt.float16, dt.bfloat16, dt.float32, dt.float64])
def test_dropout_drops_by_the_rate_and_scales_what_it_keeps(rate, d):
    random.set_seed(0)
    n = 20000
    y = nn.dropout(ones(n, d=d), rate).numpy().astype(float)
    kept = np.count_nonzero(y)
    assert abs(kept - n * (1 - rate)) < 4 * np.sqrt(n * rate * (1 - rate))
    np.testing.assert_array_equal(np.unique(y), [0, float(d.type(1 / (1 - rate)))])


def test_dropout_draws_anew_each_time_and_again_after_set_seed():
    x = ones(100)
    random.set_seed(3)
    a, b = nn.dropout(x, 0.5).numpy(), nn.dropout(x, 0.5).numpy()
    random.set_seed(3)
    assert (a != b).any()
    np.testing.assert_array_equal(nn.dropout(x, 0.5).numpy(), a)
    random.set_seed(3)
    e, f = nn.dropout(x, 0.5, seed=7).numpy(), nn.dropout(x, 0.5, seed=8).numpy()
    assert (e != a).any() and (e != f).any()


def test_gradient_of_dropout_is_its_own_mask():
    x = tf.constant(np.linspace(1, 2, 50).astype(np.float32))
    rate = tf.constant(0.25)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = nn.dropout(x, rate)
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), np.where(y.numpy() != 0, 4 / 3, 0), rtol=1e-6)


def test_dropped_elements_let_nothing_through():
    """Not NaN, which 0 times NaN would be, nor the sign, which prints as -0."""
    x = tf.constant(np.full(64, -np.nan, np.float32))
    y = nn.experimental.stateless_dropout(x, 0.5, seed=[1, 2]).numpy()
    dropped = ~np.isnan(y)
    assert 10 < np.count_nonzero(dropped) < 54
    assert (y[dropped] == 0).all() and not np.signbit(y[dropped]).any()


@pytest.mark.parametrize(
    ("noise_shape", "groups"),
    [([8, 1], 0), ([None, 1], 0), ([1, 30], 1), ([30], 1), (tf.constant([8, 1]), 0), ((1, None), 1)],
)
def test_noise_shape(noise_shape, groups):
    """Along a dimension of length 1 all share one fate."""
    random.set_seed(1)
    y = nn.dropout(ones(8, 30), 0.5, noise_shape=noise_shape).numpy()
    assert y.shape == (8, 30)
    np.testing.assert_array_equal(np.ptp(y, axis=1 - groups), np.zeros(y.shape[groups]))
    assert np.ptp(y) > 0


def test_dropout_of_nothing():
    x = tf.constant([1.0, 2.0])
    assert nn.dropout(x, 0.0) is x and nn.dropout(x, 0) is x
    np.testing.assert_array_equal(nn.dropout(x, tf.constant(0.0)).numpy(), [1, 2])
    assert nn.dropout(3.0, 0.5).numpy() in (0.0, 6.0)
    assert nn.dropout(ones(0, 3), 0.5)._shape == (0, 3)


def test_stateless_dropout_depends_on_its_seed_alone():
    x = ones(100)
    a, b, d = (nn.experimental.stateless_dropout(x, 0.5, seed=s).numpy() for s in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(a, b)
    assert (a != d).any()
