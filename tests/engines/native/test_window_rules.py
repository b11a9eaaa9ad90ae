"""Small convolutions and maximum poolings as parts of programs, against the rows' kernels."""

import math

import numpy as np
import pytest

from gradtape.engines.native.engine import Program
from gradtape.engines.native.lower import is_native
from gradtape.ground import dtypes as dt
from gradtape.primitives.convolution import Window

from .graphs import Build, native, reference
from .test_windows import CONVOLUTIONS

LARGE = "7x7 of few channels, stride 2"  # the gradient by its input meets too much
NATIVE = [k for k, case in CONVOLUTIONS.items() if case[-1] == 1 and k != LARGE]
CLOSE = {"float16": 2e-3, "float32": 2e-5, "float64": 1e-13}


def run(name, arrays, **attrs):
    """One node, which must be native: what the program gives and what the kernel does."""
    b = Build()
    outs = b(name, *[b.input(a.shape, dt.of_numpy[a.dtype]) for a in arrays], **attrs)
    graph = b.graph(*(outs if isinstance(outs, tuple) else (outs,)))
    assert is_native(graph.nodes[0])
    compiled = native(graph)
    assert isinstance(compiled.__self__, Program)
    got, want = compiled(*arrays), reference(graph, arrays)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype and g.shape == w.shape
    return got, want


def near(got, want, dtype):
    got, want = got.astype("float64"), want.astype("float64")
    np.testing.assert_allclose(got, want, rtol=0, atol=CLOSE[dtype] * np.max(np.abs(want), initial=1e-30))


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("case", NATIVE)
def test_convolutions(case, dtype):
    batch, spatial, size, c, f, *window, _ = CONVOLUTIONS[case]
    window = Window(*window)
    rng = np.random.default_rng(3)
    some = lambda *shape: rng.uniform(-1, 1, shape).astype(dtype)
    x, w, y = some(batch, *spatial, c), some(*size, c, f), some(batch, *window.places(spatial, size), f)
    for name, arrays, attrs in (
        ("conv", (x, w), {}),
        ("conv_filter", (x, y), {"size": size}),
        ("conv_input", (w, y), {"shape": spatial}),
    ):
        if name == "conv_input" and any(
            a > (k - 1) * d for k, d, (a, _) in zip(size, window.dilations, window.padding, strict=True)
        ):
            continue  # padding that no element reaches across is left to the kernel
        near(*(z[0] for z in run(name, arrays, window=window, **attrs)), dtype)


def test_a_convolution_and_its_gradient_by_the_filters_share_what_the_window_meets():
    b = Build()
    x, w, y = b.input((2, 6, 6, 3)), b.input((3, 3, 3, 4)), b.input((2, 4, 4, 4))
    window = Window((1, 1), ((0, 0), (0, 0)), (1, 1))
    graph = b.graph(b("conv", x, w, window=window), b("conv_filter", x, y, size=(3, 3), window=window))
    copies = [
        op
        for g in native(graph).__self__.groups
        for op in g.ops
        if getattr(op, "name", "") == "copy" and op.out.size == 32 * 27
    ]
    assert len(copies) == 1


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize(
    "spatial, size, window",
    [
        ((8, 6), (2, 2), Window((2, 2), ((0, 0), (0, 0)), (1, 1))),
        ((7, 9), (3, 2), Window((1, 2), ((1, 1), (0, 1)), (1, 1))),
        ((11,), (3,), Window((2,), ((2, 2),), (2,))),
        ((4, 4, 4), (2, 1, 2), Window((2, 1, 2), ((0, 0),) * 3, (1, 1, 1))),
    ],
)
def test_maximum_pooling(spatial, size, window, dtype):
    """The first of the largest elements, NaN above all, also where a window has only the lowest number or hangs over the edge."""
    rng = np.random.default_rng(4)
    x = np.round(rng.uniform(-3, 3, (2, *spatial, 5))).astype(dtype)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[rng.random(x.shape) < 0.3] = -np.inf
    got, want = run("max_pool", (x,), size=size, window=window)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.parametrize("tap", ["uint8", "int32"])
@pytest.mark.parametrize(
    "spatial, size", [((6,), (3,)), ((8, 6), (2, 2)), ((4, 4, 6), (2, 4, 3)), ((16, 16), (16, 16))]
)
def test_the_gradient_of_maxima_goes_where_they_are(spatial, size, tap):
    window = Window(size, ((0, 0),) * len(size), (1,) * len(size))
    rng = np.random.default_rng(5)
    places = window.places(spatial, size)
    g = rng.normal(size=(3, *places, 4)).astype("float32")
    at = rng.integers(0, math.prod(size), g.shape).astype(tap)
    got, want = run("unpool", (g, at), shape=spatial, size=size, window=window)
    np.testing.assert_array_equal(got[0], want[0])


def test_large_ones_are_left_to_the_kernels():
    b = Build()
    window = Window((1, 1), ((0, 0), (0, 0)), (1, 1))
    b("conv", b.input((64, 64, 64, 16)), b.input((3, 3, 16, 32)), window=window)
    assert not is_native(b.nodes[0])
