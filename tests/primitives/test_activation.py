"""Activations, softmax and cross-entropies beyond what the generated tests of the table ask: textbook values, extremes, ties, layouts."""

import ml_dtypes
import numpy as np
import pytest
import scipy.special

import gradtape as tf
from gradtape.core.buffers import BIG
from gradtape.core.tensor import Tensor, unbox
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import InvalidArgumentError
from gradtape.primitives import activation as act

INF, NAN = np.inf, np.nan

# As gradtape sets it for its users; pytest starts each test with filters of its own.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:overflow:RuntimeWarning")


def tensor(a, d=dt.float64):
    return Tensor(unbox(np.asarray(a, d.np)), d)


def rows(n, classes, seed=0):
    return np.random.default_rng(seed).normal(0, 3, (n, classes))


ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
TEXTBOOK = {
    "relu": (act.relu, lambda x: np.where(x > 0, x, 0)),
    "relu6": (act.relu6, lambda x: np.clip(x, 0, 6)),
    "leaky_relu": (lambda x: act.leaky_relu(x, alpha=0.25), lambda x: np.where(x > 0, x, 0.25 * x)),
    "elu": (act.elu, lambda x: np.where(x > 0, x, np.expm1(x))),
    "selu": (act.selu, lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(x))),
    "softsign": (act.softsign, lambda x: x / (1 + abs(x))),
    "gelu": (lambda x: act.gelu(x, approximate=False), lambda x: x * scipy.special.ndtr(x)),
    "gelu by tanh": (
        lambda x: act.gelu(x, approximate=True),
        lambda x: x * scipy.special.expit(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)),
    ),
}


@pytest.mark.parametrize("name", TEXTBOOK)
@pytest.mark.parametrize(
    ("d", "tol"), [(dt.float64, 2e-15), (dt.float32, 4e-7), (dt.float16, 1e-3), (dt.bfloat16, 8e-3)]
)
def test_values_are_the_textbook_s(name, d, tol):
    f, textbook = TEXTBOOK[name]
    x = np.linspace(-9, 9, 181).astype(d.np)
    got = f(Tensor(x, d))
    assert got._d is d
    x = x.astype(np.float64)
    want = textbook(x)
    # what a rounding of the argument of the exponential (x²/2, and 0.07·x³) does to the result
    condition = {"gelu": 1 + x**2, "gelu by tanh": 1 + abs(x) ** 3 / 7}.get(name, 1)
    tiny = float(ml_dtypes.finfo(d.np).tiny)
    np.testing.assert_array_less(abs(got._a.astype(np.float64) - want), tol * condition * abs(want) + tiny)


def test_gelu_keeps_its_precision_where_it_is_tiny():
    x = np.array([-5.0, -10.0, -20.0, -30.0])
    np.testing.assert_allclose(act.gelu(tensor(x), approximate=False)._a, x * scipy.special.ndtr(x), rtol=1e-13)


@pytest.mark.parametrize("d", [dt.float64, dt.float32, dt.float16, dt.bfloat16])
def test_extremes(d):
    """As in TensorFlow 2.21: NaN stays NaN, nothing overflows."""
    x = tensor([NAN, INF, -INF, -0.0], d)
    for p, want in (
        (act.relu, [NAN, INF, 0, 0]),
        (act.relu6, [NAN, 6, 0, 0]),
        (act.elu, [NAN, INF, -1, 0]),
        (act.selu, [NAN, INF, -SCALE * ALPHA, 0]),
    ):
        np.testing.assert_allclose(p(x)._a.astype(float), want, rtol=1e-2 if d.size == 2 else 1e-6)
        for v, w in zip(x._a, want):  # scalars take another path
            np.testing.assert_allclose(float(p(Tensor(v, d))._a), w, rtol=1e-2 if d.size == 2 else 1e-6)
    for alpha in (0.2, 0.0, 2.0):
        got = act.leaky_relu(x, alpha=alpha)._a.astype(float)
        np.testing.assert_array_equal(got[:2], [NAN, INF])
        np.testing.assert_array_equal(got[2], NAN if alpha == 0 else -INF)


def derivatives(f, x):
    """The first and second derivative of ``f``, elementwise."""
    t = tensor(x)
    with tf.GradientTape() as outer:
        outer.watch(t)
        with tf.GradientTape() as inner:
            inner.watch(t)
            y = f(t)
        first = inner.gradient(y, t)
    return first, outer.gradient(first, t)


KINKED = {
    "relu": (act.relu, [0, 0, 0, 1, 1, 1, 1]),
    "relu6": (act.relu6, [0, 0, 0, 1, 1, 0, 0]),
    "leaky_relu": (lambda x: act.leaky_relu(x, alpha=0.25), [0.25, 0.25, 0.25, 1, 1, 1, 1]),
}


@pytest.mark.parametrize("name", KINKED)
def test_second_derivatives_of_kinked_activations_are_zero_not_none(name):
    """And at the kinks the first is that of TensorFlow 2.21."""
    f, slopes = KINKED[name]
    first, second = derivatives(f, [-2.0, -1.0, 0.0, 0.5, 3.0, 6.0, 7.0])
    np.testing.assert_array_equal(first._a, slopes)
    assert second is not None
    np.testing.assert_array_equal(second._a, np.zeros(7))


def test_derivatives_of_elu_and_selu_at_zero():
    """TensorFlow 2.21: both count 0 as positive."""
    for p, slope in ((act.elu, 1), (act.selu, SCALE)):
        first, second = derivatives(p, [0.0])
        np.testing.assert_allclose(first._a, [slope])
        np.testing.assert_array_equal(second._a, [0])


@pytest.mark.parametrize("p", [act.relu, act.relu6])
@pytest.mark.parametrize("d", [dt.int32, dt.int64, dt.uint8, dt.int8])
def test_integers(p, d):
    x = tensor([0, 1, 6, 7] if d is dt.uint8 else [-3, 0, 6, 7], d)
    top = 6 if p is act.relu6 else 7
    np.testing.assert_array_equal(p(x)._a, np.clip(x._a, 0, top))
    assert p(x)._d is d


@pytest.mark.parametrize("shape", [(7,), (300, 300), (1 << 17,), (1 << 17 | 5,), (2, 1 << 16), (33, 4099)])
@pytest.mark.parametrize("d", [dt.float32, dt.float64])
@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_relu_of_any_size_and_layout(shape, d, order):
    """Small arrays meet a block of zeros, large ones rows of it, others a scalar."""
    a = np.random.default_rng(1).normal(size=shape).astype(d.np)
    x = np.asarray(a, order="F") if order == "F" else np.repeat(a, 2, -1)[..., ::2] if order == "strided" else a
    g = a + 1
    np.testing.assert_array_equal(act.relu(Tensor(x, d))._a, np.where(a > 0, a, 0))
    np.testing.assert_array_equal(act.relu_grad(Tensor(g, d), Tensor(x, d))._a, np.where(a > 0, g, 0))


def test_large_results_are_reused_and_never_while_held():
    n = BIG // 4 + 3
    x = Tensor(np.linspace(-1, 1, n, dtype=np.float32), dt.float32)
    first = act.relu(x)
    kept, where = first._a.copy(), first._a.ctypes.data
    second = act.relu(act.relu(Tensor(-x._a, dt.float32)))
    np.testing.assert_array_equal(first._a, kept)
    assert second._a.ctypes.data != where
    del first
    assert any(act.relu(x)._a.ctypes.data == where for _ in range(30))


def test_the_shared_zeros_cannot_be_written_to():
    z = act._zeros((3,), np.dtype(np.float32))
    with pytest.raises(ValueError, match="read-only"):
        z[0] = 1


def test_more_shapes_than_are_remembered():
    for n in range(1, 600):
        np.testing.assert_array_equal(act.relu(tensor(np.full(n, -1.0)))._a, np.zeros(n))


def test_relu_of_an_infinite_gradient():
    """TensorFlow multiplies: 0 · inf is NaN where the feature is not positive."""
    np.testing.assert_array_equal(act.relu_grad(tensor([INF, INF, NAN]), tensor([1.0, -1.0, 1.0]))._a, [INF, NAN, NAN])


# -- softmax -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 5, 64, 500])
@pytest.mark.parametrize("classes", [1, 2, 10, 32, 33, 200])
def test_softmax_by_rows_and_by_columns(n, classes):
    """Many short rows are turned first; the values are scipy's either way."""
    x = rows(n, classes)
    t = tensor(x)
    np.testing.assert_allclose(act.softmax(t, axis=1)._a, scipy.special.softmax(x, 1), rtol=1e-13)
    np.testing.assert_allclose(act.log_softmax(t, axis=1)._a, scipy.special.log_softmax(x, 1), rtol=1e-12, atol=1e-14)
    assert act.softmax(t, axis=1)._a.flags.c_contiguous
    y = np.random.default_rng(1).dirichlet(np.ones(classes), n)
    labels = np.random.default_rng(2).integers(0, classes, n)
    logs = scipy.special.log_softmax(x, 1)
    loss, back = act.softmax_xent(t, tensor(y), axis=1)
    np.testing.assert_allclose(loss._a, -np.sum(y * logs, 1), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(back._a, np.exp(logs) - y, rtol=1e-11, atol=1e-14)
    loss, back = act.sparse_softmax_xent(t, Tensor(labels, dt.int64))
    np.testing.assert_allclose(loss._a, -logs[np.arange(n), labels], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(back._a, np.exp(logs) - np.eye(classes)[labels], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("classes", [3, 50])
@pytest.mark.parametrize("n", [2, 100])
def test_softmax_does_not_overflow_or_lose_small_probabilities(n, classes):
    x = np.zeros((n, classes))
    x[:, 0], x[:, 1] = 1e4, -1e4
    np.testing.assert_array_equal(act.softmax(tensor(x), axis=1)._a, np.eye(classes)[np.zeros(n, int)])
    np.testing.assert_array_equal(act.log_softmax(tensor(x), axis=1)._a, x - 1e4)
    loss, _ = act.sparse_softmax_xent(tensor(x), Tensor(np.ones(n, np.int32), dt.int32))
    np.testing.assert_array_equal(loss._a, np.full(n, 2e4))


def test_softmax_with_infinities():
    np.testing.assert_array_equal(act.softmax(tensor([-INF, 1.0]), axis=0)._a, [0, 1])
    np.testing.assert_array_equal(act.log_softmax(tensor([-INF, 1.0]), axis=0)._a, [-INF, 0])
    assert np.isnan(act.softmax(tensor([-INF, -INF]), axis=0)._a).all()
    assert np.isnan(act.softmax(tensor([NAN, 1.0]), axis=0)._a).all()


@pytest.mark.parametrize("d", [dt.float16, dt.bfloat16])
def test_half_precisions_sum_in_float32(d):
    """A thousand probabilities of 1/1000 each: their sum in float16 itself would stop growing early."""
    x = np.zeros((2, 3000), d.np)
    got = act.softmax(Tensor(x, d), axis=1)._a
    np.testing.assert_array_equal(got, np.full(x.shape, 1 / 3000).astype(d.np))
    loss, back = act.sparse_softmax_xent(Tensor(x, d), Tensor(np.zeros(2, np.int32), dt.int32))
    assert loss._d is d and back._d is d
    np.testing.assert_array_equal(loss._a, np.full(2, np.log(3000)).astype(d.np))
    assert act.l2_loss(Tensor(np.full(300, 20, d.np), d))._a == np.asarray(60000).astype(d.np)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,), (2, 0, 3)])
def test_without_elements(shape):
    x = tensor(np.zeros(shape))
    axis = len(shape) - 1
    assert act.softmax(x, axis=axis)._shape == shape
    loss, back = act.softmax_xent(x, x, axis=axis)
    assert loss._shape == shape[:-1] and back._shape == shape
    np.testing.assert_array_equal(loss._a, np.zeros(shape[:-1]))
    if shape[-1]:
        loss, _ = act.sparse_softmax_xent(x, Tensor(np.zeros(shape[:-1], np.int32), dt.int32))
        assert loss._shape == shape[:-1]


def test_logits_gradient_is_softmax_minus_labels_whatever_the_labels_sum_to():
    x, y = rows(3, 4), np.random.default_rng(1).uniform(0, 2, (3, 4))
    t = tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(t)
        loss, _ = act.softmax_xent(t, tensor(y), axis=1)
    np.testing.assert_allclose(tape.gradient(loss, t)._a, scipy.special.softmax(x, 1) - y, rtol=1e-13)


def test_mixed_second_derivative_of_the_cross_entropy():
    """d²loss/dlabels dlogits: minus the identity by the logits' gradient softmax - labels (in TensorFlow 2.21, 0)."""
    x, y = tensor(rows(1, 4)[0]), tensor([0.1, 0.2, 0.3, 0.4])
    with tf.GradientTape() as outer:
        outer.watch(y)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss, _ = act.softmax_xent(x, y, axis=0)
        first = inner.gradient(loss, x) * tensor([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(outer.gradient(first, y)._a, [-1, -2, -3, -4], rtol=1e-13)


@pytest.mark.parametrize("d", [dt.int32, dt.int64, dt.uint8, dt.int16])
@pytest.mark.parametrize("bad", [3, 7, -1])
@pytest.mark.parametrize("n", [2, 300])
def test_label_out_of_range(d, bad, n):
    bad = 255 if d is dt.uint8 and bad < 0 else bad
    labels = np.zeros(n, d.np)
    labels[n // 2] = bad
    with pytest.raises(
        InvalidArgumentError, match=rf"label value of {bad} which is outside the valid range of \[0, 3\)"
    ):
        act.sparse_softmax_xent(tensor(rows(n, 3)), Tensor(labels, d))


@pytest.mark.parametrize("d", [dt.int32, dt.uint8, dt.int8, dt.uint64])
def test_labels_of_any_integer_dtype(d):
    x = rows(3, 4)
    loss, _ = act.sparse_softmax_xent(tensor(x), tensor([0, 3, 1], d))
    np.testing.assert_allclose(loss._a, -scipy.special.log_softmax(x, 1)[[0, 1, 2], [0, 3, 1]], rtol=1e-13)


def test_sigmoid_cross_entropy_without_overflow():
    x = np.array([1000.0, 1000.0, -1000.0, -1000.0, 0.0])
    z = np.array([0.0, 1.0, 0.0, 1.0, 0.25])
    np.testing.assert_allclose(act.sigmoid_xent(tensor(x), tensor(z))._a, [1000, 0, 0, 1000, np.log(2)])


# -- masks -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [dt.float16, dt.bfloat16, dt.float32, dt.float64])
def test_keep_where_lets_nothing_through(d):
    """Neither NaN nor infinity, nor the sign of what was dropped."""
    x = tensor([NAN, INF, -INF, -2.0, NAN, -3.0, 0.0, -0.0], d)
    keep = np.array([False, False, False, False, True, True, True, True])
    got = act.keep_where(x, Tensor(keep, dt.bool_))._a
    np.testing.assert_array_equal(got.astype(float), [0, 0, 0, 0, NAN, -3, 0, 0])
    np.testing.assert_array_equal(np.signbit(got.astype(float))[[0, 1, 2, 3, 5, 6, 7]], [0, 0, 0, 0, 1, 0, 1])


def test_the_mask_must_be_bool():
    with pytest.raises(InvalidArgumentError, match="must be a bool tensor, but is float64"):
        act.keep_where(tensor([1.0]), tensor([1.0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: act.softmax(tensor(1.0), axis=0), "axis 0 is out of range|at least one dimension"),
        (lambda: act.softmax(tensor([1], dt.int32), axis=0), "softmax does not take int32"),
        (
            lambda: act.softmax_xent(tensor([[1.0]]), tensor([1.0]), axis=1),
            r"must have the same shape, but have \[1,1\] and \[1\]",
        ),
        (
            lambda: act.softmax_xent(tensor([1.0]), tensor([1.0], dt.float32), axis=0),
            "one dtype, but have float64 and float32",
        ),
        (lambda: act.sparse_softmax_xent(tensor([[1.0]]), tensor([1.0])), "integer dtype, but are float64"),
        (
            lambda: act.sparse_softmax_xent(tensor([[1.0]]), tensor([[0]], dt.int32)),
            r"without its last dimension, \[1\], but has \[1,1\]",
        ),
        (lambda: act.relu(tensor([1j], dt.complex128)), "relu does not take complex128"),
        (lambda: act.elu(tensor([1], dt.int32)), "elu does not take int32"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(InvalidArgumentError, match=message):
        call()
