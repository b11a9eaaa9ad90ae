"""The same public calls in gradtape and in TensorFlow, and whether they agree.

usage: TF_PYTHON=/path/to/python python tools/beside_tensorflow.py

TF_PYTHON names an interpreter with TensorFlow 2.21. Every call is one expression over the same inputs; each library evaluates all of them in a
process of its own. Values must agree to the tolerance of their dtype, and shapes and dtypes exactly. Exit status 1 if a call disagrees that is not
listed, with its reason, in EXPECTED.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from typing import Any

UNARY = "abs acosh asinh atan atanh cos cosh digamma erf erfc exp expm1 floor lgamma log log1p log_sigmoid negative reciprocal rint round rsqrt sigmoid sign sin sinh softplus sqrt square tan tanh ceil erfinv ndtri erfcinv bessel_i0 bessel_i0e bessel_i1 bessel_i1e is_finite is_inf is_nan cumulative_logsumexp l2_normalize".split()
SPECIAL = "bessel_j0 bessel_j1 bessel_k0 bessel_k0e bessel_k1 bessel_k1e bessel_y0 bessel_y1 dawsn expint fresnel_cos fresnel_sin spence".split()
BINARY = "add subtract multiply divide maximum minimum pow atan2 floordiv floormod mod squared_difference xlogy xlog1py xdivy multiply_no_nan divide_no_nan igamma igammac zeta polygamma nextafter truediv".split()
COMPARE = "equal not_equal less less_equal greater greater_equal".split()
REDUCE = "reduce_sum reduce_mean reduce_max reduce_min reduce_prod reduce_std reduce_variance reduce_logsumexp reduce_euclidean_norm count_nonzero argmax argmin cumsum cumprod".split()
ACTIVATION = "relu relu6 elu selu gelu silu softplus softsign leaky_relu crelu softmax log_softmax swish tanh sigmoid l2_loss zero_fraction".split()

SETUP = """
import numpy as np
rng = np.random.default_rng(7)
u = tf.constant(rng.uniform(0.1, 0.9, (3, 4)), tf.float32)        # in (0, 1)
p = tf.constant(rng.uniform(1.1, 3.0, (3, 4)), tf.float32)        # above 1
q = tf.constant(rng.uniform(0.5, 2.0, (3, 4)), tf.float32)
s = tf.constant(rng.normal(size=(3, 4)), tf.float32)              # signed
d = tf.constant(rng.normal(size=(3, 4)), tf.float64)
i = tf.constant(rng.integers(-9, 9, (3, 4)), tf.int32)
j = tf.constant(rng.integers(1, 9, (3, 4)), tf.int32)
b = tf.constant(rng.integers(0, 2, (3, 4)) > 0)
z = tf.constant(rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4)), tf.complex64)
a = rng.normal(size=(2, 4, 4))
m = tf.constant(a, tf.float64)                                    # square matrices
h = tf.constant(a @ np.swapaxes(a, -1, -2) + np.eye(4), tf.float64)
r = tf.constant(rng.normal(size=(2, 4, 3)), tf.float64)
v = tf.constant(rng.normal(size=8), tf.float32)
w = tf.constant(rng.normal(size=64), tf.float32)
ids = tf.constant([0, 0, 2, 2, 3], tf.int32)
rows = tf.constant(rng.normal(size=(5, 3)), tf.float32)
im = tf.constant(rng.uniform(0, 1, (2, 8, 6, 3)), tf.float32)
ker = tf.constant(rng.normal(size=(3, 3, 3, 5)), tf.float32)
vol = tf.constant(rng.normal(size=(1, 5, 6, 7, 2)), tf.float32)
seq = tf.constant(rng.normal(size=(2, 9, 3)), tf.float32)
labels = tf.constant([1, 3, 0])
def grad(f, *xs):
    with tf.GradientTape() as t:
        t.watch(xs)
        y = f(*xs)
    return t.gradient(y, list(xs))
"""


def calls() -> list[str]:
    """The expressions."""
    domain = {
        "acosh": "p",
        "atanh": "u",
        "erfinv": "u",
        "ndtri": "u",
        "erfcinv": "u",
        "log": "p",
        "sqrt": "p",
        "rsqrt": "p",
        "lgamma": "p",
        "digamma": "p",
        "log1p": "p",
    }
    out: list[str] = []
    for f in UNARY:
        x = domain.get(f, "s")
        out += [f"tf.math.{f}({x})", f"grad(tf.math.{f}, {x})"] if not f.startswith("is_") else [f"tf.math.{f}({x})"]
    out += [f"tf.math.special.{f}(q)" for f in SPECIAL] + [f"grad(tf.math.special.{f}, q)" for f in SPECIAL]
    for f in BINARY:
        x, y = ("p", "p") if f in ("zeta", "igamma", "igammac", "pow", "polygamma") else ("q", "p")
        x = "tf.round(q)" if f == "polygamma" else "p + 1." if f == "zeta" else x
        out.append(f"tf.math.{f}({x}, {y})")
    out += [
        f"grad(tf.math.{f}, q, p)"
        for f in "add subtract multiply divide maximum minimum pow atan2 squared_difference xlogy xlog1py xdivy igamma igammac".split()
    ]
    out += [f"tf.math.{f}({x}, {y})" for f in COMPARE for x, y in (("s", "u"), ("i", "j"))]
    out += [f"tf.math.{f}(i, j)" for f in "add subtract multiply floordiv floormod maximum minimum truediv".split()]
    out += [f"tf.math.logical_{f}" for f in ("and(b, s > 0)", "or(b, s > 0)", "xor(b, s > 0)", "not(b)")]
    out += [
        f"tf.bitwise.{f}(i, j)" for f in ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift")
    ] + ["tf.bitwise.invert(i)"]
    out += [
        f"tf.math.{f}(s{axis})"
        for f in REDUCE
        for axis in ("", ", 0", ", -1")
        if not (f.startswith("cum") and not axis)
    ]
    out += [f"grad(lambda x: tf.math.{f}(x, 0), s)" for f in REDUCE if f not in ("argmax", "argmin", "count_nonzero")]
    out += [f"tf.{f}(b)" for f in ("reduce_any", "reduce_all")] + [
        "tf.reduce_any(b, 0)",
        "tf.reduce_all(b, 1, keepdims=True)",
    ]
    out += (
        [f"tf.nn.{f}(s)" for f in ACTIVATION]
        + [f"grad(tf.nn.{f}, s)" for f in ACTIVATION if f not in ("zero_fraction", "softmax")]
        + ["grad(lambda x: tf.nn.softmax(x) ** 2, s)"]
    )
    out += [
        f"tf.math.{f}(z)"
        for f in "abs angle conj real imag exp log sqrt square sin cos tanh negative reciprocal".split()
    ]
    out += [f"grad(lambda x: tf.abs(tf.math.{f}(x)), z)" for f in "exp log sqrt square sin tanh".split()]
    out += """tf.complex(s, u); tf.math.accumulate_n([s, u, p]); tf.add_n([s, u]); tf.math.confusion_matrix([0, 1, 2, 1], [0, 2, 2, 1]); tf.math.bincount([1, 2, 2, 5])
tf.math.bincount([1, 2, 2, 5], weights=[1., 2., 3., 4.]); tf.math.invert_permutation([2, 0, 1]); tf.math.lbeta(p); tf.math.betainc(p, q, u); tf.math.top_k(s, 2); tf.math.in_top_k(labels, s, 2)
tf.math.segment_sum(rows, ids); tf.math.segment_mean(rows, ids); tf.math.segment_max(rows, ids); tf.math.segment_min(rows, ids); tf.math.segment_prod(rows, ids)
tf.math.unsorted_segment_sum(rows, ids, 5); tf.math.unsorted_segment_mean(rows, ids, 5); tf.math.unsorted_segment_max(rows, ids, 4); tf.math.unsorted_segment_min(rows, ids, 4); tf.math.unsorted_segment_prod(rows, ids, 5); tf.math.unsorted_segment_sqrt_n(rows, ids, 5)
tf.math.polyval([1., 2., 3.], s); tf.math.cumsum(s, 1, exclusive=True, reverse=True); tf.math.cumprod(s, 0, exclusive=True); tf.math.scalar_mul(2., s); tf.math.zero_fraction(s); tf.math.reduce_all(b)
tf.reshape(s, [2, -1]); tf.transpose(s); tf.transpose(r, [2, 0, 1]); tf.expand_dims(s, 1); tf.squeeze(s[:, None]); tf.concat([s, u], 0); tf.concat([s, u], 1); tf.stack([s, u]); tf.stack([s, u], -1); tf.unstack(s); tf.split(s, 2, 1); tf.split(s, [1, 3], 1)
tf.tile(s, [2, 1]); tf.repeat(s, 2, 0); tf.repeat(s, [1, 2, 3], 0); tf.pad(s, [[1, 0], [2, 1]]); tf.pad(s, [[1, 1], [1, 1]], 'REFLECT'); tf.pad(s, [[1, 1], [1, 1]], 'SYMMETRIC'); tf.reverse(s, [0]); tf.roll(s, 1, 0); tf.roll(s, [1, 2], [0, 1])
tf.gather(s, [2, 0]); tf.gather(s, [1, 3], axis=1); tf.gather(s, [[0, 1], [1, 2], [3, 0]], batch_dims=1); tf.gather_nd(s, [[0, 1], [2, 3]]); tf.boolean_mask(s, b); tf.where(b, s, u); tf.where(b); tf.one_hot([0, 2], 3); tf.one_hot([0, 2], 3, 5., -1.)
tf.scatter_nd([[0], [2]], rows[:2], [4, 3]); tf.tensor_scatter_nd_add(rows, [[0], [2]], rows[:2]); tf.tensor_scatter_nd_update(rows, [[0], [2]], rows[3:]); tf.tensor_scatter_nd_max(rows, [[0]], rows[1:2]); tf.tensor_scatter_nd_min(rows, [[0]], rows[1:2]); tf.tensor_scatter_nd_sub(rows, [[1]], rows[1:2])
tf.slice(s, [1, 0], [2, 3]); tf.strided_slice(s, [0, 0], [3, 4], [2, 2]); s[1:, ::2]; s[..., -1]; s[tf.newaxis, 1]; tf.range(3, 18, 5); tf.range(5.); tf.linspace(0., 1., 5); tf.eye(3); tf.eye(2, 3); tf.zeros([2, 2]); tf.ones([2], tf.int64); tf.fill([2, 2], 3.); tf.zeros_like(s); tf.ones_like(i)
tf.meshgrid([1, 2, 3], [4, 5]); tf.sequence_mask([1, 3], 4); tf.broadcast_to([1., 2.], [3, 2]); tf.cast(s, tf.int32); tf.cast(i, tf.float64); tf.cast(s, tf.bfloat16); tf.saturate_cast(s * 300., tf.uint8); tf.bitcast(s, tf.int32); tf.shape(s); tf.size(s); tf.rank(s); tf.identity(s)
tf.sort(s); tf.sort(s, 0, 'DESCENDING'); tf.argsort(s); tf.searchsorted([1., 3., 5.], [0., 3., 6.]); tf.searchsorted([1., 3., 5.], [3.], 'right'); tf.unique([3, 1, 3, 2]); tf.unique_with_counts([3, 1, 3, 2]); tf.histogram_fixed_width(s, [-1., 1.], 4); tf.reverse_sequence(seq, [3, 9], 1); tf.unravel_index([5, 7], [3, 4])
tf.dynamic_partition(rows, [0, 1, 0, 1, 0], 2); tf.dynamic_stitch([[0, 2], [1]], [rows[:2], rows[2:3]]); tf.clip_by_value(s, -.5, .5); tf.clip_by_norm(s, 1.); tf.clip_by_global_norm([s, u], 1.); tf.ensure_shape(s, [3, None]); tf.norm(s); tf.einsum('ij,kj->ik', s, u); tf.tensordot(s, u, [[1], [1]]); tf.matmul(s, u, transpose_b=True)
tf.linalg.cholesky(h); tf.linalg.inv(m); tf.linalg.det(m); tf.linalg.slogdet(m); tf.linalg.logdet(h); tf.linalg.solve(m, r); tf.linalg.triangular_solve(tf.linalg.cholesky(h), r); tf.linalg.cholesky_solve(tf.linalg.cholesky(h), r); tf.linalg.eigvalsh(h); tf.linalg.svd(r, compute_uv=False); tf.linalg.expm(m); tf.linalg.sqrtm(h)
tf.linalg.pinv(r); tf.linalg.lstsq(h, r); tf.linalg.matrix_rank(m); tf.linalg.trace(m); tf.linalg.diag(s); tf.linalg.diag_part(m); tf.linalg.set_diag(m, tf.zeros([2, 4], tf.float64)); tf.linalg.band_part(m, 1, 0); tf.linalg.norm(r, axis=1); tf.linalg.norm(r, 1, axis=[-2, -1]); tf.linalg.cross(rows[:2], rows[2:4]); tf.linalg.matvec(m, r[..., 0]); tf.linalg.adjoint(z); tf.linalg.tensor_diag([1., 2.]); tf.linalg.tensor_diag_part(m[0]); tf.linalg.lu(m); tf.linalg.normalize(s); tf.linalg.global_norm([s, u]); tf.linalg.tridiagonal_solve(tf.constant([[1., 1., 0.], [3., 3., 3.], [0., 1., 1.]]), tf.constant([1., 2., 3.]))
grad(tf.linalg.cholesky, h); grad(tf.linalg.inv, m); grad(tf.linalg.det, m); grad(tf.linalg.logdet, h); grad(tf.linalg.solve, m, r); grad(tf.linalg.eigvalsh, h); grad(lambda x: tf.linalg.svd(x, compute_uv=False), r); grad(tf.linalg.expm, m); grad(lambda x: tf.abs(tf.linalg.qr(x)[1]), r); grad(tf.linalg.pinv, r)
tf.nn.conv2d(im, ker, 1, 'SAME'); tf.nn.conv2d(im, ker, 2, 'VALID'); tf.nn.conv2d(im, ker, 1, 'VALID', dilations=2); grad(lambda x, k: tf.nn.conv2d(x, k, 2, 'SAME'), im, ker); tf.nn.conv1d(seq, ker[0], 1, 'SAME'); tf.nn.conv3d(vol, tf.ones([2, 2, 2, 2, 3]), [1] * 5, 'SAME'); tf.nn.conv2d_transpose(im, tf.ones([3, 3, 4, 3]), [2, 16, 12, 4], 2); tf.nn.depthwise_conv2d(im, ker[..., :2], [1, 1, 1, 1], 'SAME'); tf.nn.separable_conv2d(im, ker[..., :2], tf.ones([1, 1, 6, 2]), [1] * 4, 'SAME'); tf.nn.atrous_conv2d(im, ker, 2, 'SAME')
tf.nn.max_pool2d(im, 2, 2, 'VALID'); tf.nn.max_pool2d(im, 3, 2, 'SAME'); tf.nn.avg_pool2d(im, 2, 2, 'VALID'); tf.nn.avg_pool2d(im, 3, 2, 'SAME'); tf.nn.max_pool1d(seq, 2, 2, 'VALID'); tf.nn.avg_pool3d(vol, 2, 2, 'SAME'); tf.nn.pool(im, [2, 2], 'AVG'); grad(lambda x: tf.nn.max_pool2d(x, 2, 2, 'VALID'), im); grad(lambda x: tf.nn.avg_pool2d(x, 3, 2, 'SAME'), im); tf.nn.dilation2d(im, ker[..., 0], [1, 1, 1, 1], 'SAME', 'NHWC', [1, 1, 1, 1])
tf.nn.batch_normalization(s, 0.1, 2., 0.5, 1.5, 1e-3); tf.nn.moments(s, [0]); tf.nn.local_response_normalization(im); tf.nn.bias_add(im, [1., 2., 3.]); tf.nn.embedding_lookup(rows, [0, 3]); tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(u), s); tf.nn.sparse_softmax_cross_entropy_with_logits(labels, s); tf.nn.sigmoid_cross_entropy_with_logits(u, s); tf.nn.weighted_cross_entropy_with_logits(u, s, 2.); tf.nn.log_poisson_loss(q, s); tf.nn.ctc_loss([[1, 2]], seq[:1], [2], [9], logits_time_major=False); tf.nn.space_to_depth(im, 2); tf.nn.depth_to_space(tf.nn.space_to_depth(im, 2), 2); tf.space_to_batch(im, [2, 2], [[0, 0], [0, 0]])
tf.signal.fft(z); tf.signal.ifft(z); tf.signal.rfft(s); tf.signal.irfft(z); tf.signal.fft2d(z); tf.signal.rfft2d(s); tf.signal.fftshift(s); tf.signal.ifftshift(s); tf.signal.dct(s); tf.signal.dct(s, 3, norm='ortho'); tf.signal.idct(s); tf.signal.stft(w, 16, 8); tf.signal.inverse_stft(tf.signal.stft(w, 16, 8), 16, 8); tf.signal.frame(w, 8, 4); tf.signal.overlap_and_add(s, 2); tf.signal.hann_window(8); tf.signal.hamming_window(8); tf.signal.kaiser_window(8); tf.signal.vorbis_window(8); tf.signal.mdct(w, 16); tf.signal.linear_to_mel_weight_matrix(4, 9, 8000)
grad(lambda x: tf.abs(tf.signal.fft(x)), z); grad(lambda x: tf.abs(tf.signal.rfft(x)), s); grad(tf.signal.dct, s); grad(lambda x: tf.abs(tf.signal.stft(x, 16, 8)), w)
tf.image.resize(im, [4, 9]); tf.image.resize(im, [4, 9], 'nearest'); tf.image.resize(im, [4, 9], 'bicubic'); tf.image.resize(im, [4, 3], 'lanczos3', antialias=True); tf.image.resize(im, [4, 3], 'area'); tf.image.resize_with_pad(im, 9, 9); tf.image.central_crop(im, 0.5); tf.image.crop_to_bounding_box(im, 1, 1, 4, 3); tf.image.pad_to_bounding_box(im, 1, 1, 12, 9); tf.image.flip_left_right(im); tf.image.flip_up_down(im); tf.image.rot90(im); tf.image.transpose(im); tf.image.crop_and_resize(im, [[0., 0., .5, .5]], [1], [3, 3])
tf.image.rgb_to_grayscale(im); tf.image.grayscale_to_rgb(im[..., :1]); tf.image.rgb_to_hsv(im); tf.image.hsv_to_rgb(im); tf.image.rgb_to_yuv(im); tf.image.yuv_to_rgb(im); tf.image.rgb_to_yiq(im); tf.image.adjust_brightness(im, .1); tf.image.adjust_contrast(im, 2.); tf.image.adjust_gamma(im, 2.); tf.image.adjust_hue(im, .2); tf.image.adjust_saturation(im, 2.); tf.image.per_image_standardization(im); tf.image.convert_image_dtype(im, tf.uint8); tf.image.psnr(im, im * .9, 1.); tf.image.total_variation(im); tf.image.sobel_edges(im); tf.image.image_gradients(im); tf.image.extract_patches(im, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], 'VALID'); tf.image.non_max_suppression([[0., 0., 1., 1.], [0., 0., 1., .9], [2., 2., 3., 3.]], [.9, .8, .7], 3)
tf.map_fn(lambda x: x * 2, s); tf.scan(lambda a, x: a + x, s); tf.foldl(lambda a, x: a + x, s); tf.vectorized_map(lambda x: x * x, s); tf.while_loop(lambda k, x: k < 3, lambda k, x: (k + 1, x * 2.), (0, s)); tf.cond(tf.reduce_sum(s) > 0, lambda: s, lambda: u); tf.switch_case(tf.constant(1), [lambda: s, lambda: u]); tf.function(lambda x: x @ tf.transpose(x))(s)""".replace("\n", "; ").split("; ")  # fmt: skip
    return out


# calls that differ on purpose: gradtape's answer is the better one, and docs/differences.md says so
EXPECTED: dict[str, str] = {}


def evaluate(module: str) -> dict[str, Any]:
    """Every call's arrays, or the class of its error."""
    import importlib

    import numpy as np

    tf = importlib.import_module(module)
    space: dict[str, Any] = {"tf": tf}
    exec(SETUP, space)

    def leaves(x: Any) -> list:
        if isinstance(x, list | tuple):
            return [y for v in x for y in leaves(v)]
        if x is None:
            return [None]
        if hasattr(x, "indices") and hasattr(x, "values") and not callable(x.values):
            x = tf.convert_to_tensor(x)
        a = np.asarray(x)
        return [(a.dtype.name, a.astype(np.float32) if a.dtype.name == "bfloat16" else a)]

    found: dict[str, Any] = {}
    for call in calls():
        try:
            found[call] = leaves(eval(call, space))
        except Exception as error:
            found[call] = f"{type(error).__name__}: {str(error)[:120]}"
    return found


def agree(x: Any, y: Any) -> bool:
    """Whether two results are the same."""
    import numpy as np

    if isinstance(x, str) or isinstance(y, str):
        return False
    if len(x) != len(y):
        return False
    for p, q in zip(x, y, strict=True):
        if p is None or q is None:
            if p is not q:
                return False
            continue
        (dp, a), (dq, b) = p, q
        if dp != dq or a.shape != b.shape:
            return False
        if a.dtype.kind in "fc":
            tolerance = 2e-4 if a.dtype.itemsize <= 4 * (1 + (a.dtype.kind == "c")) else 1e-8
            scale = np.nanmax(np.abs(b[np.isfinite(b)]), initial=0.0)
            if not np.allclose(a, b, tolerance, tolerance * max(scale, 1e-6), equal_nan=True):
                return False
        elif not np.array_equal(a, b):
            return False
    return True


def main() -> int:
    """Evaluate in both, and print what disagrees."""
    if len(sys.argv) == 3:  # a child: module, file
        with open(sys.argv[2], "wb") as file:
            pickle.dump(evaluate(sys.argv[1]), file)
        return 0
    other = os.environ.get("TF_PYTHON")
    if not other:
        print("TF_PYTHON must name an interpreter with TensorFlow 2.21.", file=sys.stderr)
        return 2
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for python, module in ((sys.executable, "gradtape"), (other, "tensorflow")):
            path = os.path.join(folder, module)
            env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
            subprocess.run([python, os.path.abspath(__file__), module, path], check=True, env=env)
            with open(path, "rb") as file:
                results.append(pickle.load(file))
    ours, theirs = results
    bad = [c for c in calls() if not agree(ours[c], theirs[c])]
    for c in bad:
        print(f"{'expected' if c in EXPECTED else 'DIFFERS '} {c}" + (f": {EXPECTED[c]}" if c in EXPECTED else ""))
        if c not in EXPECTED:
            for name, r in (("gradtape", ours[c]), ("tensorflow", theirs[c])):
                print(f"    {name}: {str(r)[:200]}")
    n = len(calls())
    print(f"{n - len(bad)} of {n} calls agree; {len([c for c in bad if c in EXPECTED])} differ as documented")
    return 1 if any(c not in EXPECTED for c in bad) else 0


if __name__ == "__main__":
    sys.exit(main())
