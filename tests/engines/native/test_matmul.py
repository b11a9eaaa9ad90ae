"""Matrix products in every form: layouts, batches, sizes inline and by BLAS, with what is fused behind them."""

from __future__ import annotations

import ctypes
import itertools
import re
from typing import Any

import numpy as np
import pytest

from gradtape.engines.native import compile as native
from gradtape.engines.native import threads
from gradtape.engines.native.host import blas_threads, host
from gradtape.engines.native.ops import TILE_LIMIT
from gradtape.ground import dtypes as dt

from .graphs import Build, check, graph_of, reference, sample

FLAGS = list(itertools.product((False, True), repeat=2))


def product(b: Build, x: Any, y: Any, tx: bool = False, ty: bool = False) -> Any:
    """A matmul node."""
    return b("matmul", x, y, transpose_x=tx, transpose_y=ty)


def shapes(m: int, k: int, n: int, tx: bool, ty: bool) -> tuple[tuple, tuple]:
    """The operands' shapes before they are transposed."""
    return (k, m) if tx else (m, k), (n, k) if ty else (k, n)


SIZES = [(1, 1, 1), (1, 5, 1), (1, 40, 3), (3, 40, 1), (2, 3, 4), (5, 17, 9), (33, 8, 16), (7, 20, 33), (32, 128, 1), (1, 33, 70), (16, 2, 64), (13, 31, 100), (3, 0, 4), (0, 3, 2), (65, 7, 5)]  # fmt: skip


@pytest.mark.parametrize("d", [dt.float32, dt.float64, dt.int32, dt.int64], ids=lambda d: d.name)
def test_small(d: Any) -> None:
    rng = np.random.default_rng(0)
    b = Build()
    outs, xs = [], []
    for (m, k, n), (tx, ty) in itertools.product(SIZES, FLAGS):
        x, y = (b.input(s, d) for s in shapes(m, k, n, tx, ty))
        outs.append(product(b, x, y, tx, ty))
        xs += [sample(rng, v.aval, 0, 2) for v in (x, y)]
    check(b.graph(*outs), xs, rtol=1e-5 if d is dt.float32 else 1e-13)


@pytest.mark.parametrize("d", [dt.float32, dt.float64], ids=lambda d: d.name)
@pytest.mark.parametrize(("tx", "ty"), FLAGS)
def test_large(d: Any, tx: bool, ty: bool) -> None:
    m, k, n = 130, 140, 70
    assert m * k * n > TILE_LIMIT
    rng = np.random.default_rng(0)
    b = Build()
    x, y = (b.input(s, d) for s in shapes(m, k, n, tx, ty))
    z = product(b, x, y, tx, ty)
    check(
        b.graph(z, b("relu", b("add", z, 1.0))),
        [sample(rng, v.aval, 0, 1) for v in (x, y)],
        rtol=1e-5 if d is dt.float32 else 1e-13,
    )


def test_batches() -> None:
    rng = np.random.default_rng(0)
    for a, c in (
        ((4, 3, 5), (4, 5, 7)),
        ((4, 3, 5), (5, 7)),
        ((3, 5), (2, 5, 7)),
        ((2, 1, 3, 5), (3, 5, 7)),
        ((2, 4, 130, 60), (2, 4, 60, 140)),
    ):
        g = graph_of(lambda b, x, y: product(b, x, y), (a,), (c,))
        check(g, [sample(rng, v.aval, 0, 1) for v in g.inputs], rtol=1e-5)


def test_operands_that_are_views_or_broadcast() -> None:
    rng = np.random.default_rng(0)

    def f(b: Build, x: Any, y: Any, s: Any) -> list:
        part = b("strided_slice", x, index=(slice(None, None, 2), slice(1, 6)))
        back = b("reverse", y, axis=(0,))
        wide = b("broadcast_to", s, shape=(5, 4))
        return [
            product(b, part, back),
            product(b, part, wide),
            product(b, b("broadcast_to", s, shape=(3, 5)), y),
            product(b, back, part, True, True),
        ]

    g = graph_of(f, ((9, 7),), ((5, 4),), ((),))
    check(g, [sample(rng, v.aval, 0, 1) for v in g.inputs], rtol=1e-5)


def test_large_operands_that_blas_cannot_take() -> None:
    rng = np.random.default_rng(0)

    def f(b: Build, x: Any, y: Any, s: Any) -> list:
        strided = b("strided_slice", x, index=(slice(None), slice(None, None, 2)))
        return [
            product(b, strided, y),
            product(b, b("broadcast_to", s, shape=(150, 120)), y),
            product(b, b("reverse", strided, axis=(0,)), y),
        ]

    g = graph_of(f, ((150, 240),), ((120, 90),), ((),))
    check(g, [sample(rng, v.aval, 0, 1) for v in g.inputs], rtol=1e-5)


@pytest.mark.parametrize("n", [1, 5, 16, 37])
def test_fused_epilogue(n: int) -> None:
    """Bias and activation are applied before the store, in the product's own group."""

    def f(b: Build, x: Any, w: Any, c: Any) -> list:
        z = b("add", product(b, x, w), c)
        return [b("tanh", z), b("relu_grad", z, z), b("sum", b("relu", z), axis=(0,), keepdims=False)]

    g = graph_of(f, ((20, 11),), ((11, n),), ((n,),))
    rng = np.random.default_rng(0)
    run = native(g)
    check(g, [sample(rng, v.aval, -1, 1) for v in g.inputs], run=run, rtol=1e-4)
    kinds = [x.kind for x in run.__self__.groups]
    assert kinds.count("product") == 1 and len(kinds) <= 3


def test_nan_and_infinity_pass_through() -> None:
    """A zero does not hide what it is multiplied with, in lanes that a mask leaves out or anywhere."""
    for m, k, n in ((3, 5, 7), (1, 20, 1), (150, 120, 80)):
        g = graph_of(lambda b, x, y: product(b, x, y), ((m, k),), ((k, n),))
        x, y = np.zeros((m, k), np.float32), np.ones((k, n), np.float32)
        y[k - 1, 0] = np.inf
        x[0, 0] = np.nan
        got, want = native(g)(x, y)[0], reference(g, [x, y])[0]
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))


@pytest.mark.parametrize("d", [dt.float32, dt.float64], ids=lambda d: d.name)
def test_updates_are_left_to_blas(d: Any) -> None:
    """w - c·xᵀg as one product that adds; not where the product is used otherwise too."""

    def f(b: Build, w: Any, v: Any, x: Any, g: Any, c: Any) -> list:
        p = [product(b, x, g, True, False) for _ in range(5)]
        return [
            b("subtract", w, b("multiply", p[0], c)),
            b("add", b("multiply", 0.25, p[1]), v),
            b("subtract", v, p[2]),
            b("subtract", b("multiply", p[3], c), w),
            b("subtract", w, b("multiply", p[4], c)),
            p[4],
            b("sum", w, axis=(0,), keepdims=False),
        ]

    g = graph_of(f, ((130, 90), d), ((130, 90), d), ((120, 130), d), ((120, 90), d), ((), d))
    rng = np.random.default_rng(0)
    xs = [sample(rng, v.aval, 0, 1) for v in g.inputs]
    for donate in ({}, {0: 0}, {0: 0, 1: 1}, {0: 4, 1: 2}):
        given = [x.copy() for x in xs]
        run = native(g, donate=donate)
        got, want = run(*given), reference(g, xs)
        for a, w in zip(got, want, strict=True):
            np.testing.assert_allclose(
                a, w, rtol=1e-5 if d is dt.float32 else 1e-13, atol=1e-5 if d is dt.float32 else 1e-13
            )
        for i, j in donate.items():
            assert got[j] is given[i]
    products = [op for x in native(g).__self__.groups for op in x.ops if type(op).__name__ == "Product"]
    assert sum(op.base is not None for op in products) == 3


@pytest.mark.parametrize("d", [dt.float32, dt.float64], ids=lambda d: d.name)
@pytest.mark.parametrize(("tx", "ty"), FLAGS)
@pytest.mark.parametrize(("m", "k", "n"), [(128, 300, 512), (515, 200, 260), (256, 329, 257)])
def test_shared_by_threads(m: int, k: int, n: int, tx: bool, ty: bool, d: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large products are cut for as many threads as there are cores. How many of them take part changes no bit, and BLAS keeps its own threads."""
    monkeypatch.setattr(host(), "cores", 4)
    monkeypatch.setattr(host(), "key", f"{host().key} 4")
    sx, sy = shapes(m, k, n, tx, ty)

    def f(b: Build, w: Any, x: Any, y: Any) -> list:
        p = product(b, x, y, tx, ty)
        return [b("subtract", w, b("multiply", 0.5, p)), product(b, b("tanh", x), y, tx, ty)]

    g = graph_of(f, ((m, n), d), (sx, d), (sy, d))
    run = native(g, donate={0: 0})
    counts = re.findall(r"@parallel.products\(ptr @\w+, ptr %\w+, i64 (\d+)\)", run.__self__.ir)
    assert len(counts) == 2 and all(int(c) > 1 for c in counts)
    rng = np.random.default_rng(1)
    xs = [sample(rng, v.aval, -1, 1) for v in g.inputs]
    want, results = reference(g, xs), []
    tell = blas_threads()[0]
    get = ctypes.CFUNCTYPE(ctypes.c_int)(tell) if tell else lambda: 1
    blas, before = get(), threads.get_threads()
    monkeypatch.setattr(threads, "cores", lambda: 4)
    try:
        for count in (1, 2, 4):
            threads.set_threads(count)
            results.append(run(*[x.copy() for x in xs]))
            assert get() == blas
    finally:
        threads.set_threads(before)
    for a, w in zip(results[0], want, strict=True):
        np.testing.assert_allclose(a, w, rtol=0, atol=(1e-4 if d is dt.float32 else 1e-12))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
