"""Convolutions: against their definition over a grid of arguments, values that TensorFlow 2.21 gives (each was run), what is refused."""

import itertools

import numpy as np
import pytest

import gradtape as tf
from gradtape import nn
from gradtape.ground.errors import InvalidArgumentError

RNG = np.random.default_rng(0)


def some(*shape):
    return RNG.uniform(-1, 1, shape)


def padding_of(padding, n, k, s, d):
    """TensorFlow's rule: with SAME, ceil(n / s) places, the odd zero behind."""
    if padding == "VALID":
        return 0, 0
    if padding != "SAME":
        return padding
    total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
    return total // 2, total - total // 2


def convolved(x, w, strides, pads, dilations):
    """The convolution by its definition, x [n, ..., c] and w [..., c / groups, f]: place by place on the padded input."""
    x = np.pad(x, [(0, 0), *pads, (0, 0)])
    size, each, f = w.shape[:-2], w.shape[-2], w.shape[-1]
    groups = x.shape[-1] // each
    places = [
        (n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], size, strides, dilations, strict=True)
    ]
    out = np.zeros((len(x), *places, f))
    for o in np.ndindex(*places):
        for k in np.ndindex(*size):
            at = tuple(i * s + j * d for i, s, j, d in zip(o, strides, k, dilations, strict=True))
            for g in range(groups):
                fs = slice(g * f // groups, (g + 1) * f // groups)
                out[(slice(None), *o, fs)] += x[(slice(None), *at)][:, g * each : (g + 1) * each] @ w[k][:, fs]
    return out


def first(x):
    """Channels last to channels first."""
    return np.moveaxis(x, -1, 1)


def close(got, want, tol=1e-12):
    np.testing.assert_allclose(np.asarray(got), want, rtol=tol, atol=tol)


GRID = list(itertools.product(["SAME", "VALID", (1, 2)], [1, 2, (2, 1)], [1, 2], [1, 2]))


@pytest.mark.parametrize(("padding", "strides", "dilations", "groups"), GRID)
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_conv2d(padding, strides, dilations, groups, layout):
    x, w = some(2, 7, 6, 4), some(3, 2, 4 // groups, 6)
    s = strides if isinstance(strides, tuple) else (strides,) * 2
    pads = [padding_of(padding, n, k, t, dilations) for n, k, t in zip(x.shape[1:3], w.shape, s, strict=False)]
    want = convolved(x, w, s, pads, (dilations,) * 2)
    if layout == "NCHW":
        x, want = first(x), first(want)
        given = padding if isinstance(padding, str) else [(0, 0), (0, 0), padding, padding]
    else:
        given = padding if isinstance(padding, str) else [(0, 0), padding, padding, (0, 0)]
    close(nn.conv2d(x, w, strides, given, layout, dilations), want)
    close(nn.convolution(x, w, strides, given, layout, dilations), want)


@pytest.mark.parametrize(("padding", "strides", "dilations", "groups"), GRID)
def test_gradients_of_conv2d(padding, strides, dilations, groups):
    """The convolution is linear in the input and in the filters: its gradients are the adjoints, <y, A x> = <Aᵀ y, x>."""
    x, w = some(2, 7, 6, 4), some(3, 2, 4 // groups, 6)
    given = padding if isinstance(padding, str) else [(0, 0), padding, padding, (0, 0)]
    a, b = tf.constant(x), tf.constant(w)
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        out = nn.conv2d(a, b, strides, given, dilations=dilations)
    y = some(*out.shape)
    dx, dw = tape.gradient(out, [a, b], output_gradients=tf.constant(y))
    dx, dw = dx.numpy(), dw.numpy()
    for other in (some(*x.shape), np.eye(1, x.size, 17).reshape(x.shape)):
        close(np.vdot(y, nn.conv2d(other, w, strides, given, dilations=dilations)), np.vdot(dx, other))
    for other in (some(*w.shape), np.eye(1, w.size, 5).reshape(w.shape)):
        close(np.vdot(y, nn.conv2d(x, other, strides, given, dilations=dilations)), np.vdot(dw, other))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("n", [1, 3])
def test_one_and_three_dimensions(n, padding):
    spatial, size = (9,) if n == 1 else (5, 4, 6), (3,) if n == 1 else (2, 3, 2)
    x, w = some(2, *spatial, 3), some(*size, 3, 4)
    f = nn.conv1d if n == 1 else nn.conv3d
    for s, d in ((1, 1), (2, 1), (1, 2)):
        pads = [padding_of(padding, m, k, s, d) for m, k in zip(spatial, size, strict=True)]
        want = convolved(x, w, (s,) * n, pads, (d,) * n)
        close(f(x, w, s, padding, dilations=d), want)
        close(f(first(x), w, s, padding, "NCW" if n == 1 else "NCDHW", d), first(want))


@pytest.mark.parametrize("padding", ["SAME", "VALID", [(0, 0), (1, 2), (1, 0), (0, 0)]])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("dilations", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolution_is_the_adjoint(padding, strides, dilations, groups):
    """Also where the gradient's own gradient is taken: by the filters and by the input."""
    shape, w = (2, 9, 8, 4), some(3, 2, 4 // groups, 6)
    x = some(*shape)
    y = some(*nn.conv2d(x, w, strides, padding, dilations=dilations).shape)
    back = nn.conv2d_transpose(y, w, shape, strides, padding, dilations=dilations)
    assert tuple(back.shape) == shape
    close(np.vdot(back, x), np.vdot(y, nn.conv2d(x, w, strides, padding, dilations=dilations)))
    close(back, nn.conv2d_transpose(y, w, shape[1:3] if groups == 1 else shape, strides, padding, dilations=dilations))
    if not isinstance(padding, str):
        padding = [padding[i] for i in (0, 3, 1, 2)]
    turned = nn.conv2d_transpose(first(y), w, [2, 4, 9, 8], strides, padding, "NCHW", dilations)
    close(turned, first(back.numpy()))


@pytest.mark.parametrize("padding", ["SAME", "VALID", [(0, 0), (1, 2), (1, 0), (0, 0)]])
@pytest.mark.parametrize(("strides", "dilations"), [(1, 1), (2, 1), (1, 2), ([1, 2, 1, 1], [1, 1, 2, 1])])
@pytest.mark.parametrize("m", [1, 3])
def test_depthwise(padding, strides, dilations, m):
    x, w = some(2, 7, 6, 4), some(3, 2, 4, m)
    want = np.concatenate(
        [nn.conv2d(x[..., c : c + 1], w[:, :, c : c + 1], strides, padding, dilations=dilations) for c in range(4)], -1
    )
    close(nn.depthwise_conv2d(x, w, strides, padding, dilations=dilations), want)
    y = some(*want.shape)
    args = (strides, padding, "NHWC", dilations)
    dx = nn.depthwise_conv2d_backprop_input(x.shape, w, y, *args)
    dw = nn.depthwise_conv2d_backprop_filter(x, w.shape, y, *args)
    close([np.vdot(dx, x), np.vdot(dw, w)], [np.vdot(y, want)] * 2)
    p = some(1, 1, 4 * m, 5)
    close(nn.separable_conv2d(x, w, p, strides, padding, dilations=dilations), want @ p[0, 0])
    if isinstance(strides, int) and isinstance(padding, str):
        close(nn.depthwise_conv2d(first(x), w, strides, padding, "NCHW", dilations), first(want))
        close(
            nn.depthwise_conv2d_backprop_input(first(x).shape, w, first(y), strides, padding, "NCHW", dilations),
            first(dx.numpy()),
        )
        close(
            nn.depthwise_conv2d_backprop_filter(first(x), w.shape, first(y), strides, padding, "NCHW", dilations),
            dw.numpy(),
        )


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_atrous(padding):
    x, w = some(1, 9, 8, 2), some(3, 2, 2, 3)
    y = nn.atrous_conv2d(x, w, 2, padding)
    close(y, nn.conv2d(x, w, 1, padding, dilations=2))
    close(
        nn.atrous_conv2d_transpose(y, w, x.shape, 2, padding),
        nn.conv2d_transpose(y, w, x.shape, 1, padding, dilations=2),
    )
    op = lambda x, n, padding: nn.convolution(x, w, padding=padding)
    close(nn.with_space_to_batch(x, [2, 2], padding, op, filter_shape=[3, 2]), y)
    turned = lambda x, n, padding: nn.convolution(x, w, padding=padding, data_format="NCHW")
    close(
        nn.with_space_to_batch(first(x), [2, 2], padding, turned, filter_shape=[3, 2], data_format="NCHW"),
        first(y.numpy()),
    )


# -- values that TensorFlow gives --------------------------------------------------------------------------------------------

X = np.arange(1.0, 17).reshape(1, 4, 4, 1)
ONES = np.ones((3, 3, 1, 1))
VALUES = {
    "stride as a list of one": (lambda: nn.conv2d(X, ONES, [2], "SAME"), [54, 45, 72, 54]),
    "stride for each dimension": (lambda: nn.conv2d(X, ONES, [1, 2, 2, 1], "SAME"), [54, 45, 72, 54]),
    "explicit padding": (lambda: nn.conv2d(X, ONES, 1, [[0, 0], [1, 0], [0, 1], [0, 0]]), [24, 30, 22, 54, 63, 45, 90, 99, 69]),
    "conv1d": (lambda: nn.conv1d(np.ones((1, 5, 1)), np.ones((3, 1, 1)), [2], "SAME"), [2, 3, 2]),
    "integers": (lambda: nn.conv2d(np.ones((1, 2, 2, 1), int), np.ones((3, 3, 1, 1), int), 1, "SAME"), [4] * 4),
    "transposed, stride 2": (lambda: nn.conv_transpose(np.ones((1, 3, 2)), np.ones((3, 1, 2)), [1, 6, 1], 2), [2, 2, 4, 2, 4, 2]),
    "transposed, longer than needed": (lambda: nn.conv_transpose(np.ones((1, 2, 1)), np.ones((2, 1, 1)), [1, 5, 1], 2, "VALID"), [1, 1, 1, 1, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_value(name):
    f, want = VALUES[name]
    close(f().numpy().ravel(), want)


def test_further_batch_dimensions():
    x, w = some(2, 3, 5, 6, 2), some(2, 2, 2, 4)
    want = np.stack([nn.conv2d(a, w, 2, "SAME") for a in x])
    close(nn.conv2d(x, w, 2, "SAME"), want)
    close(nn.conv2d(np.moveaxis(x, -1, 2), w, 2, "SAME", "NCHW"), np.moveaxis(want, -1, 2))
    assert nn.conv1d(some(2, 1, 5, 1), some(3, 1, 1), 1, "SAME").shape == (2, 1, 5, 1)
    back = nn.conv2d_transpose(want, w, x.shape, 2)
    assert tuple(back.shape) == x.shape


@pytest.mark.parametrize("d", [tf.float16, tf.bfloat16])
def test_half_precisions_are_summed_in_float32(d):
    """A thousand terms of size 1: summed in float16 or bfloat16 itself, the result would stop growing at 2048 and 256."""
    x, w = tf.ones([1, 20, 20, 10], d), tf.ones([20, 20, 10, 1], d)
    out = nn.conv2d(x, w, 1, "VALID")
    assert out.dtype == d and float(tf.cast(out[0, 0, 0, 0], tf.float32)) == 4000


def test_empty():
    w = tf.ones([3, 3, 2, 4])
    assert nn.conv2d(tf.ones([0, 5, 5, 2]), w, 1, "SAME").shape == (0, 5, 5, 4)
    assert nn.conv2d(tf.ones([1, 2, 5, 2]), w, 1, "VALID").shape == (1, 0, 3, 4)
    with tf.GradientTape() as tape:
        tape.watch(w)
        y = nn.conv2d(tf.ones([0, 5, 5, 2]), w, 1, "SAME")
    np.testing.assert_array_equal(tape.gradient(y, w), np.zeros(w.shape))


def test_variables_and_functions():
    v = tf.Variable(some(3, 3, 2, 4))
    x = tf.constant(some(1, 5, 5, 2))

    def step(x):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(nn.conv2d(x, v, 2, "SAME") ** 2)
        return y, tape.gradient(y, v)

    for a, b in zip(step(x), tf.function(step)(x), strict=True):
        close(a, b)


def test_unknown_batch_while_tracing():
    w = tf.constant(some(3, 3, 2, 4))
    x = some(3, 5, 5, 2)

    @tf.function
    def f(x):
        some_rows = tf.boolean_mask(x, [True, False, True])  # how many, is not known
        return nn.conv2d(some_rows, w, 2, "SAME")

    close(f(tf.constant(x)), nn.conv2d(x[[0, 2]], w, 2, "SAME"))


def test_large_ones_take_the_native_kernels_and_agree(monkeypatch):
    from gradtape.engines.native import convolving
    from gradtape.primitives import convolution as rows

    if convolving.kernels() is None:
        pytest.skip("no native engine")
    x, w = tf.constant(some(4, 16, 16, 8)), tf.constant(some(3, 3, 8, 16))

    def step():
        with tf.GradientTape() as tape:
            tape.watch([x, w])
            y = nn.conv2d(x, w, 1, "SAME")
        return [y, *tape.gradient(y, [x, w], output_gradients=y)]

    calls = []
    real = rows.native.conv
    monkeypatch.setattr(rows.native, "conv", lambda *args: calls.append(1) or real(*args))
    native = step()
    assert calls == [1]
    monkeypatch.setattr(rows, "native", None)
    for a, b in zip(native, step(), strict=True):
        close(a, b.numpy(), 1e-11)


# -- what is refused -----------------------------------------------------------------------------------------------------------

C = tf.ones
REFUSED = {
    "a window that does not fit": (lambda: nn.conv2d(C([1, 1, 1, 1]), C([3, 3, 1, 1]), 1, "VALID"), "3 elements 1 apart does not fit into 1"),
    "channels": (lambda: nn.conv2d(C([1, 4, 4, 3]), C([3, 3, 2, 1]), 1, "SAME"), "3 channels, but the filters take 2"),
    "groups": (lambda: nn.conv2d(C([1, 4, 4, 4]), C([3, 3, 2, 3]), 1, "SAME"), "filters, 3, must be a multiple of that of the groups, 2"),
    "an image without a batch": (lambda: nn.conv2d(C([4, 4, 1]), C([3, 3, 1, 1]), 1, "SAME"), r"batch dimension of length 1"),
    "the filters' rank": (lambda: nn.conv2d(C([1, 4, 4, 1]), C([3, 3, 1]), 1, "SAME"), r"filters must have 4 dimensions.*\[3,3,1\]"),
    "a stride of the batch": (lambda: nn.conv2d(C([1, 4, 4, 1]), C([3, 3, 1, 1]), [2, 1, 1, 1], "SAME"), "strides must be 1 along the batch"),
    "a stride of 0": (lambda: nn.conv2d(C([1, 4, 4, 1]), C([3, 3, 1, 1]), 0, "SAME"), "strides must be positive"),
    "three strides": (lambda: nn.conv2d(C([1, 4, 4, 1]), C([3, 3, 1, 1]), [1, 1, 1], "SAME"), "1, 2 or 4 numbers"),
    "padding": (lambda: nn.conv2d(C([1, 4, 4, 1]), C([3, 3, 1, 1]), 1, "FULL"), "'SAME', 'VALID'"),
    "padding in small letters": (lambda: nn.conv2d(C([1, 4, 4, 1]), C([3, 3, 1, 1]), 1, "same"), "'SAME', 'VALID'"),
    "padding of the batch": (lambda: nn.conv2d(C([1, 4, 4, 1]), C([3, 3, 1, 1]), 1, [[1, 0], [0, 0], [0, 0], [0, 0]]), "0 along the batch"),
    "negative padding": (lambda: nn.conv2d(C([1, 4, 4, 1]), C([3, 3, 1, 1]), 1, [[0, 0], [-1, 0], [0, 0], [0, 0]]), "non-negative"),
    "data_format": (lambda: nn.conv2d(C([1, 4, 4, 1]), C([3, 3, 1, 1]), 1, "SAME", "NWHC"), "'NHWC' or 'NCHW'"),
    "dtypes": (lambda: nn.conv2d(C([1, 4, 4, 1]), C([3, 3, 1, 1], tf.float64), 1, "SAME"), "float64"),
    "bool": (lambda: nn.conv2d([[[[True]]]], [[[[True]]]], 1, "SAME"), "bool"),
    "output_shape": (lambda: nn.conv2d_transpose(C([1, 4, 4, 1]), C([3, 3, 1, 1]), [1, 9, 8, 1], 2), r"needs an input with \[5,4\], but it has \[4,4\]"),
    "output_shape's batch": (lambda: nn.conv2d_transpose(C([1, 4, 4, 1]), C([3, 3, 1, 1]), [2, 8, 8, 1], 2), r"batch \[2\], but that of the input is \[1\]"),
    "output_shape's channels": (lambda: nn.conv2d_transpose(C([1, 4, 4, 2]), C([3, 3, 2, 2]), [1, 8, 8, 3], 2), "3 channels"),
    "output_shape's length": (lambda: nn.conv2d_transpose(C([1, 4, 4, 1]), C([3, 3, 1, 1]), [8, 8, 1], 2), "4 dimensions"),
    "the input's channels": (lambda: nn.conv2d_transpose(C([1, 4, 4, 3]), C([3, 3, 1, 1]), [8, 8], 2), "3 channels, but there are 1 filters"),
    "depthwise channels": (lambda: nn.depthwise_conv2d(C([1, 4, 4, 3]), C([3, 3, 2, 1]), 1, "SAME"), "for 2 channels.*has 3"),
    "a pointwise filter": (lambda: nn.separable_conv2d(C([1, 4, 4, 2]), C([3, 3, 2, 1]), C([3, 1, 2, 1]), 1, "SAME"), "must be 1"),
    "five spatial dimensions": (lambda: nn.convolution(C([1, 2, 2, 2, 2, 1]), C([1, 1, 1, 1, 1, 1])), "1 to 3 spatial"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as caught:
        f()
    assert name == "data_format" or isinstance(caught.value, InvalidArgumentError)
