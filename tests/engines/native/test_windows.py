"""The native kernels of convolutions and pooling against NumPy's, which the table's tests compare with the definitions."""

import math

import numpy as np
import pytest

from gradtape.engines.native import convolving, pools, sliding, threads
from gradtape.primitives import convolution as cv
from gradtape.primitives import pooling as pl
from gradtape.primitives.convolution import Window

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def always_native(monkeypatch):
    """Native kernels for problems of any size, and only where a test asks for them."""
    if convolving.kernels() is None:
        pytest.skip("no native engine")
    monkeypatch.setattr(convolving, "WORTH", 0)
    monkeypatch.setattr(sliding, "WORTH", 0)
    monkeypatch.setattr(cv, "native", None)
    monkeypatch.setattr(pl, "native", None)


def near(got, want, t):
    assert got is not None, "left to NumPy"
    assert got.dtype == t and got.shape == want.shape
    scale = float(np.max(np.abs(want), initial=1e-30))
    np.testing.assert_allclose(got, want, rtol=0, atol=scale * (2e-5 if t == np.float32 else 1e-13))


# batch, input's spatial dimensions, window's, channels, filters, strides, paddings, dilations, groups
CONVOLUTIONS = {
    "3x3": (3, (9, 8), (3, 3), 16, 32, (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "3x3, ragged channels": (2, (7, 8), (3, 3), 5, 19, (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "7x7 of few channels, stride 2": (2, (17, 19), (7, 7), 3, 64, (2, 2), ((3, 3), (3, 3)), (1, 1), 1),
    "1x1": (2, (6, 5), (1, 1), 24, 17, (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    "1x1, stride 2": (2, (6, 5), (1, 1), 24, 17, (2, 2), ((0, 0), (0, 0)), (1, 1), 1),
    "asymmetric": (2, (11, 6), (2, 4), 8, 33, (3, 1), ((0, 2), (3, 1)), (1, 1), 1),
    "dilated": (2, (12, 13), (3, 2), 8, 16, (1, 1), ((2, 2), (0, 3)), (2, 3), 1),
    "dilated along the last dimension alone": (1, (8, 12), (3, 3), 4, 16, (1, 1), ((1, 1), (2, 2)), (1, 2), 1),
    "dilated and strided": (2, (12, 13), (3, 2), 8, 16, (2, 3), ((2, 2), (0, 3)), (3, 2), 1),
    "stride above the window": (2, (13, 9), (2, 1), 8, 16, (4, 3), ((0, 0), (0, 0)), (1, 1), 1),
    "groups": (2, (8, 8), (3, 3), 12, 20, (1, 1), ((1, 1), (1, 1)), (1, 1), 4),
    "groups, strided": (2, (9, 8), (3, 2), 12, 20, (2, 2), ((1, 0), (1, 1)), (1, 2), 2),
    "a window in the padding alone": (1, (2, 9), (3, 2), 4, 8, (1, 1), ((3, 3), (0, 0)), (2, 1), 1),
    "1d": (3, (40,), (5,), 7, 9, (2,), ((1, 3),), (1,), 1),
    "3d": (2, (5, 6, 4), (2, 3, 2), 6, 18, (1, 2, 1), ((0, 1), (1, 1), (0, 0)), (1, 1, 2), 1),
    "one place": (1, (3, 3), (3, 3), 8, 5, (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    "many filters": (1, (5, 5), (3, 3), 4, 150, (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "many channels": (1, (5, 5), (3, 3), 150, 4, (2, 2), ((1, 1), (1, 1)), (1, 1), 1),
    "more places than a share": (1, (60, 60), (3, 3), 2, 3, (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "depthwise": (2, (9, 8), (3, 3), 19, 19, (1, 1), ((1, 1), (1, 1)), (1, 1), 19),
    "depthwise, three filters to a channel": (2, (9, 8), (3, 2), 6, 18, (2, 1), ((1, 0), (1, 1)), (1, 2), 6),
    "depthwise, many places": (1, (40, 30), (3, 3), 5, 5, (1, 1), ((1, 1), (1, 1)), (1, 1), 5),
}  # fmt: skip


@pytest.fixture(params=CONVOLUTIONS, ids=lambda name: name.replace(" ", "_"))
def convolution(request):
    n, spatial, size, c, f, strides, padding, dilations, groups = CONVOLUTIONS[request.param]
    window = Window(strides, padding, dilations, groups)
    x = RNG.uniform(-1, 1, (n, *spatial, c))
    w = RNG.uniform(-1, 1, (*size, c // groups, f))
    y = RNG.uniform(-1, 1, (n, *window.places(spatial, size), f))
    return x, w, y, window


def which(window, w):
    return sliding if w.shape[-2] == 1 and window.groups > 1 else convolving


@pytest.mark.parametrize("t", [np.float32, np.float64])
def test_convolution(convolution, t):
    x, w, y, window = convolution
    got = which(window, w).conv(x.astype(t), w.astype(t), y.shape, window)
    near(got, cv._conv(x, w, y.shape, window=window), t)


@pytest.mark.parametrize("t", [np.float32, np.float64])
def test_transposed_convolution(convolution, t):
    x, w, y, window = convolution
    got = which(window, w).conv_input(w.astype(t), y.astype(t), x.shape, window)
    near(got, cv._conv_input(w, y, x.shape, shape=x.shape[1:-1], window=window), t)


@pytest.mark.parametrize("t", [np.float32, np.float64])
def test_both_ways_of_the_transposed_convolution(convolution, t):
    """By phases of the strides, and by adding each place to what it meets."""
    x, w, y, window = convolution
    if which(window, w) is sliding:
        pytest.skip("depthwise")
    k, e = convolving._usable(np.dtype(t), w.shape, 1)
    want = cv._conv_input(w, y, x.shape, shape=x.shape[1:-1], window=window)
    for way in (convolving._by_phases, convolving._spread):
        near(way(k, e, w.astype(t), y.astype(t), x.shape, window), want, t)


@pytest.mark.parametrize("t", [np.float32, np.float64])
def test_gradient_by_the_filters(convolution, t):
    x, w, y, window = convolution
    got = which(window, w).conv_filter(x.astype(t), y.astype(t), w.shape, window)
    near(got, cv._conv_filter(x, y, w.shape, size=w.shape[:-2], window=window), t)


def test_arrays_that_are_not_contiguous(convolution):
    x, w, y, window = convolution
    native = which(window, w)
    turned = [np.asfortranarray(a) for a in (x, w, y)]
    x2, w2, y2 = turned
    near(native.conv(x2, w2, y.shape, window), cv._conv(x, w, y.shape, window=window), np.float64)
    near(
        native.conv_input(w2, y2, x.shape, window),
        cv._conv_input(w, y, x.shape, shape=x.shape[1:-1], window=window),
        np.float64,
    )
    near(
        native.conv_filter(x2, y2, w.shape, window),
        cv._conv_filter(x, y, w.shape, size=w.shape[:-2], window=window),
        np.float64,
    )


def test_results_do_not_depend_on_the_number_of_threads(convolution):
    x, w, y, window = convolution
    native = which(window, w)

    def all_three():
        return [
            native.conv(x, w, y.shape, window),
            native.conv_input(w, y, x.shape, window),
            native.conv_filter(x, y, w.shape, window),
        ]

    before = threads.get_threads()
    try:
        results = []
        for n in (1, 2):
            threads.set_threads(n)
            results.append(all_three())
    finally:
        threads.set_threads(before)
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_result_is_written_over():
    """Results lie in memory that is used again, but never while somebody holds it."""
    window = Window((1, 1), ((1, 1), (1, 1)), (1, 1))
    x, w = RNG.uniform(-1, 1, (8, 32, 32, 8)), RNG.uniform(-1, 1, (3, 3, 8, 16))
    out = (8, 32, 32, 16)
    first = convolving.conv(x, w, out, window)
    kept = first.copy()
    for _ in range(3):
        convolving.conv(-x, w, out, window)
    np.testing.assert_array_equal(first, kept)


# batch, input's spatial dimensions, channels, window's size, strides, paddings, dilations
POOLS = {
    "2x2": (2, (8, 6), 16, (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    "2x2, something left over": (2, (9, 7), 5, (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    "3x3, overlapping": (2, (9, 7), 17, (3, 3), (2, 2), ((1, 1), (0, 1)), (1, 1)),
    "strides above the window": (2, (11, 7), 3, (2, 1), (3, 3), ((0, 0), (0, 0)), (1, 1)),
    "dilated": (2, (11, 9), 3, (2, 3), (1, 2), ((0, 1), (2, 1)), (3, 2)),
    "a window beside the array": (1, (1, 4), 3, (2, 2), (1, 1), ((1, 2), (0, 0)), (3, 1)),
    "1d": (3, (50,), 33, (4,), (4,), ((0, 2),), (1,)),
    "3d": (2, (4, 5, 6), 4, (2, 2, 2), (2, 1, 2), ((0, 0), (1, 0), (0, 0)), (1, 1, 1)),
    "more than 256 elements": (1, (20, 20), 2, (17, 16), (2, 2), ((0, 0), (0, 0)), (1, 1)),
}  # fmt: skip


@pytest.fixture(params=POOLS, ids=lambda name: name.replace(" ", "_"))
def pooling(request):
    n, spatial, c, size, strides, padding, dilations = POOLS[request.param]
    window = Window(strides, padding, dilations)
    x = RNG.integers(-9, 9, (n, *spatial, c)).astype(float)  # with ties
    return x, size, window, (n, *window.places(spatial, size), c)


@pytest.mark.parametrize("t", [np.float32, np.float64])
def test_maxima(pooling, t):
    x, size, window, out = pooling
    got = sliding.max_pool(x.astype(t), out, size, window)
    want = pl._max_pool(x, size=size, window=window)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])
    assert got[1].dtype == want[1].dtype
    g = RNG.uniform(-1, 1, out)
    args = {"shape": x.shape[1:-1], "size": size, "window": window}
    near(sliding.unpool(g.astype(t), want[1], x.shape, size, window), pl._unpool(g, want[1], **args), t)


@pytest.mark.parametrize("t", [np.float32, np.float64])
def test_maxima_of_nan_and_infinities(pooling, t):
    x, size, window, out = pooling
    x[RNG.uniform(size=x.shape) < 0.2] = np.nan
    x[RNG.uniform(size=x.shape) < 0.3] = -np.inf
    got, want = sliding.max_pool(x.astype(t), out, size, window), pl._max_pool(x, size=size, window=window)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])
    x[...] = -np.inf
    got, want = sliding.max_pool(x.astype(t), out, size, window), pl._max_pool(x, size=size, window=window)
    np.testing.assert_array_equal(got[1], want[1])


def test_nothing_of_another_place_gets_into_a_gradient(pooling):
    """An infinite cotangent reaches its own element alone: 0 times infinity would be NaN."""
    x, size, window, out = pooling
    tap = pl._max_pool(x, size=size, window=window)[1]
    g = np.full(out, np.inf)
    got = sliding.unpool(g, tap, x.shape, size, window)
    assert not np.isnan(got).any()


@pytest.mark.parametrize("mean", [True, False])
@pytest.mark.parametrize("t", [np.float32, np.float64])
def test_sums_and_means(pooling, t, mean):
    x, size, window, out = pooling
    x = x + RNG.uniform(size=x.shape)
    near(
        sliding.window_sum(x.astype(t), out, size, window, mean),
        pl._window_sum(x, size=size, window=window, mean=mean),
        t,
    )
    g = RNG.uniform(-1, 1, out)
    args = {"shape": x.shape[1:-1], "size": size, "window": window, "mean": mean}
    near(sliding.window_spread(g.astype(t), x.shape, size, window, mean), pl._window_spread(g, **args), t)


def test_every_number_of_an_element_has_a_type():
    assert {pl.tap_dtype(s).np.itemsize for s in ((2, 2), (16, 16), (17, 16))} == set(pools.TAPS)
    assert math.prod((16, 16)) - 1 == np.iinfo(np.uint8).max
