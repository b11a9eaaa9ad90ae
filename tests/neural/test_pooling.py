"""Pooling: against its definition over a grid of arguments, TensorFlow's values (each was run), ties, what is refused."""

import itertools

import numpy as np
import pytest

import gradtape as tf
from gradtape import nn

from .test_convolutions import close, first, padding_of, some

RNG = np.random.default_rng(1)


def pooled(x, f, size, strides, pads, dilations):
    """``f`` of what each window meets inside the array, place by place."""
    places = [
        (n + a + b - (k - 1) * d - 1) // s + 1
        for n, k, s, (a, b), d in zip(x.shape[1:-1], size, strides, pads, dilations, strict=True)
    ]
    out = np.zeros((len(x), *places, x.shape[-1]))
    for o in np.ndindex(*places):
        met = []
        for k in np.ndindex(*size):
            at = tuple(i * s + j * d - a for i, s, j, d, (a, _) in zip(o, strides, k, dilations, pads, strict=True))
            if all(0 <= i < n for i, n in zip(at, x.shape[1:-1], strict=True)):
                met.append(x[(slice(None), *at)])
        out[(slice(None), *o)] = f(np.stack(met), axis=0)
    return out


@pytest.mark.parametrize(
    ("padding", "size", "strides"), list(itertools.product(["SAME", "VALID", (1, 0)], [2, 3, (3, 2)], [1, 2, (1, 3)]))
)
@pytest.mark.parametrize(("f", "by"), [(nn.max_pool2d, np.max), (nn.avg_pool2d, np.mean)])
def test_two_dimensions(f, by, padding, size, strides):
    x = some(2, 7, 6, 3)
    k, s = ((v, v) if isinstance(v, int) else v for v in (size, strides))
    pads = [padding_of(padding, n, a, b, 1) for n, a, b in zip(x.shape[1:3], k, s, strict=True)]
    want = pooled(x, by, k, s, pads, (1, 1))
    given = padding if isinstance(padding, str) else [(0, 0), padding, padding, (0, 0)]
    close(f(x, size, strides, given), want)
    given = padding if isinstance(padding, str) else [(0, 0), (0, 0), padding, padding]
    close(f(first(x), size, strides, given, "NCHW"), first(want))
    both = nn.max_pool if by is np.max else nn.avg_pool
    close(both(first(x), size, strides, given, "NCHW"), first(want))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_one_and_three_dimensions_and_dilations(kind, padding):
    by = {"max": np.max, "avg": np.mean}[kind]
    for spatial, size in (((9,), (3,)), ((5, 4, 6), (2, 3, 2))):
        x, n = some(2, *spatial, 3), len(spatial)
        for s, d in ((1, 1), (2, 1), (1, 2)):
            pads = [padding_of(padding, m, k, s, d) for m, k in zip(spatial, size, strict=True)]
            want = pooled(x, by, size, (s,) * n, pads, (d,) * n)
            close(nn.pool(x, size, kind.upper(), s, padding, dilations=d), want)
            if d == 1:
                close(getattr(nn, f"{kind}_pool{n}d")(x, size, s, padding), want)
                close(
                    getattr(nn, f"{kind}_pool{n}d")(first(x), size, s, padding, {1: "NCW", 3: "NCDHW"}[n]), first(want)
                )


def gradient(f, x, weights=None):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x, output_gradients=None if weights is None else tf.constant(weights)).numpy()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_of_ties_the_first_gets_the_gradient(n):
    """As in TensorFlow, but for its three-dimensional pooling, which there gives the whole of it to each."""
    x = np.ones((1, *(2,) * n, 1))
    got = gradient(lambda x: nn.max_pool(x, 2, 2, "VALID"), x)
    np.testing.assert_array_equal(got.ravel(), [1] + [0] * (2**n - 1))


def test_gradient_of_overlapping_windows_adds_up():
    x = np.array([0.0, 3, 1, 2]).reshape(1, 4, 1)
    got = gradient(lambda x: nn.max_pool(x, 3, 1, "VALID"), x, np.array([2.0, 5]).reshape(1, 2, 1))
    np.testing.assert_array_equal(got.ravel(), [0, 7, 0, 0])


def test_second_derivative():
    """The maximum is linear around each point: of the square of it, the second derivative is 2 where it is attained."""
    x = tf.constant(some(1, 4, 4, 2))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(nn.max_pool2d(x, 2, 2, "VALID") ** 2)
        g = inner.gradient(y, x)
    second = outer.gradient(g, x).numpy()
    np.testing.assert_array_equal(second, 2 * (g.numpy() != 0))


def test_a_nan_is_the_maximum():
    """TensorFlow leaves it out on the CPU, so that it is not seen."""
    for v in ([np.nan, 1, 2, 0], [1, np.nan, 2, 0], [1, 2, 0, np.nan]):
        assert np.isnan(nn.max_pool2d(np.reshape(v, (1, 2, 2, 1)), 2, 2, "VALID").numpy()).all()


def test_windows_of_minus_infinity():
    x = np.full((1, 3, 1), -np.inf)
    np.testing.assert_array_equal(nn.max_pool1d(x, 2, 1, "SAME").numpy(), x)
    np.testing.assert_array_equal(gradient(lambda x: nn.max_pool1d(x, 2, 2, "SAME"), x).ravel(), [1, 0, 1])


X = np.arange(1.0, 17).reshape(1, 4, 4, 1)
VALUES = {  # what TensorFlow 2.21 gives
    "max": (lambda: nn.max_pool2d(X, 2, 2, "VALID"), [6, 8, 14, 16]),
    "max, explicit": (lambda: nn.max_pool2d(-X, 3, 2, [[0, 0], [1, 1], [1, 1], [0, 0]]), [-1, -2, -5, -6]),
    "mean": (lambda: nn.avg_pool2d(X, 3, 2, "SAME"), [6, 7.5, 12, 13.5]),
    "argmax": (lambda: nn.max_pool_with_argmax(X, 2, 2, "SAME")[1], [5, 7, 13, 15]),
    "argmax, SAME": (lambda: nn.max_pool_with_argmax(-X, 3, 2, "SAME")[1], [0, 2, 8, 10]),
    "argmax, with the batch": (lambda: nn.max_pool_with_argmax(np.concatenate([X, X]), 2, 2, "SAME", include_batch_in_index=True)[1], [5, 7, 13, 15, 21, 23, 29, 31]),
    "dilation": (lambda: nn.dilation2d(X, np.zeros((2, 2, 1)), [1] * 4, "SAME", "NHWC", [1] * 4), [6, 7, 8, 8, 10, 11, 12, 12, 14, 15, 16, 16, 14, 15, 16, 16]),
    "erosion": (lambda: nn.erosion2d(X, np.arange(4.0).reshape(2, 2, 1), [1] * 4, "SAME", "NHWC", [1, 2, 2, 1]), [6, 4, 5, 6, 0, -2, -1, 0, 4, 2, 3, 4, 8, 6, 7, 8]),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_value(name):
    f, want = VALUES[name]
    close(f().numpy().ravel(), want)


def test_argmax_of_several_channels():
    x = some(2, 5, 4, 3)
    for padding in ("SAME", "VALID"):
        value, at = nn.max_pool_with_argmax(x, 2, 2, padding, output_dtype=tf.int32, include_batch_in_index=True)
        assert at.dtype == tf.int32
        np.testing.assert_array_equal(x.ravel()[at.numpy()], value.numpy())


def test_integers_and_halves():
    for d in (tf.int32, tf.uint8, tf.float16, tf.bfloat16):
        y = nn.max_pool2d(tf.cast(X, d), 2, 2, "VALID")
        assert y.dtype == d
        np.testing.assert_array_equal(y.numpy().astype(float).ravel(), [6, 8, 14, 16])
    assert nn.avg_pool2d(tf.cast(X, tf.bfloat16), 2, 2, "VALID").dtype == tf.bfloat16


@pytest.mark.parametrize("shape", [(2, 7, 3), (2, 7, 5, 3), (1, 4, 5, 3, 2)])
@pytest.mark.parametrize("m", [1, 2, 3])
def test_adaptive(shape, m):
    """Window i of m goes from floor(i·n/m) to ceil((i+1)·n/m)."""
    x = some(*shape)
    spatial = shape[1:-1]
    for f, by in ((nn.adaptive_avg_pool, np.mean), (nn.adaptive_max_pool, np.max)):
        want = np.zeros((shape[0], *(m,) * len(spatial), shape[-1]))
        for o in np.ndindex(*(m,) * len(spatial)):
            parts = tuple(slice(i * n // m, -(-(i + 1) * n // m)) for i, n in zip(o, spatial, strict=True))
            want[(slice(None), *o)] = by(x[(slice(None), *parts)], axis=tuple(range(1, len(spatial) + 1)))
        close(f(x, m), want)
        close(f(first(x), m, {1: "NCW", 2: "NCHW", 3: "NCDHW"}[len(spatial)]), first(want))
    np.testing.assert_array_equal(
        gradient(lambda x: nn.adaptive_max_pool(x, m), np.ones(shape)).sum(), shape[0] * m ** len(spatial) * shape[-1]
    )


def test_in_a_function():
    x = tf.constant(some(2, 6, 6, 3))

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = nn.max_pool2d(nn.avg_pool2d(x, 3, 1, "SAME"), 2, 2, "VALID") + tf.cast(
                nn.max_pool_with_argmax(x, 2, 2, "SAME")[1], x.dtype
            )
            y = y + nn.adaptive_avg_pool(x, 3) * nn.adaptive_max_pool(x, 3)
        return y, tape.gradient(y, x)

    for a, b in zip(step(x), tf.function(step)(x), strict=True):
        close(a, b.numpy())


C = tf.ones
REFUSED = {
    "padding as wide as the window": (lambda: nn.max_pool2d(C([1, 4, 4, 1]), 2, 2, [[0, 0], [2, 2], [1, 1], [0, 0]]), "less than the window"),
    "an image without a batch": (lambda: nn.max_pool2d(C([4, 4, 1]), 2, 2, "VALID"), "batch dimension of length 1"),
    "a window along the channels": (lambda: nn.max_pool2d(C([1, 4, 4, 4]), [1, 1, 1, 2], 1, "VALID"), "1 along the batch and the channels"),
    "a window that does not fit": (lambda: nn.max_pool2d(C([1, 1, 1, 1]), 3, 1, "VALID"), "does not fit"),
    "means of integers": (lambda: nn.avg_pool2d(C([1, 4, 4, 1], tf.int32), 2, 2, "VALID"), "int32"),
    "complex maxima": (lambda: nn.max_pool2d(C([1, 4, 4, 1], tf.complex64), 2, 2, "VALID"), "complex64"),
    "pooling_type": (lambda: nn.pool(C([1, 4, 4, 1]), [2, 2], "max"), "'MAX' or 'AVG'"),
    "data_format": (lambda: nn.max_pool1d(C([1, 4, 1]), 2, 2, "VALID", "NHWC"), "'NWC' or 'NCW'"),
    "a window of size 0": (lambda: nn.max_pool2d(C([1, 4, 4, 1]), 0, 1, "VALID"), "ksize must be positive"),
    "a rank without spatial dimensions": (lambda: nn.max_pool(C([1, 4]), 2, 2, "VALID"), "3, 4 or 5 dimensions"),
    "channels of a dilation": (lambda: nn.dilation2d(C([1, 4, 4, 2]), C([2, 2, 3]), 1, "VALID", "NHWC", 1), "the last one the channels"),
    "filters of a dilation": (lambda: nn.dilation2d(C([1, 4, 4, 2]), C([2, 2, 2, 1]), 1, "VALID", "NHWC", 1), "3 dimensions"),
    "argmax, channels first": (lambda: nn.max_pool_with_argmax(C([1, 4, 4, 1]), 2, 2, "SAME", "NCHW"), "'NHWC'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        f()
