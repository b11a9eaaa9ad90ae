"""float16 and bfloat16, which are stored as they are and computed in float32: each result is rounded once, as by the kernels."""

from __future__ import annotations

import warnings
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from gradtape.engines.native import compile as native
from gradtape.engines.native.emit import EMITTERS
from gradtape.engines.native.lower import is_native
from gradtape.ground import dtypes as dt
from gradtape.ground.primitive import TABLE, Aval

from .graphs import Build, check, graph_of, reference, sample
from .test_control import loop
from .test_emitters import INEXACT, SPECIAL, attrs_of, domain_of, dtypes_of, inputs_of

HALVES = (dt.float16, dt.bfloat16)
ROWS = sorted(
    name
    for name in EMITTERS
    if "f" in EMITTERS[name] and TABLE[name].accepts & dt.FLOAT and name not in ("cast", "check_numerics")
)
halves = pytest.mark.parametrize("d", HALVES, ids=lambda d: d.name)


def ordered(a: Any) -> Any:
    """Numbers that count the floats from zero."""
    i = np.asarray(a).view(np.int16).astype(np.int32)
    return np.where(i < 0, -(i & 0x7FFF), i)


def agree(got: Any, want: Any, ulp: int = 0) -> None:
    """Equal but for ``ulp`` units of the last place; NaN where NaN is; the same signs of zeros where the bits are to be equal."""
    assert got.dtype == want.dtype and got.shape == want.shape
    nan = np.isnan(want.astype(np.float32))
    np.testing.assert_array_equal(np.isnan(got.astype(np.float32)), nan)
    apart = np.abs(ordered(got) - ordered(want))[~nan]
    assert apart.max(initial=0) <= ulp
    if not ulp:
        np.testing.assert_array_equal(got.view(np.int16)[~nan], want.view(np.int16)[~nan])


@halves
def test_conversions_round_as_numpy(d: Any) -> None:
    """All of the half precision's numbers, and float32's at and about every tie between two of them."""
    every = np.arange(2**16, dtype=np.uint16).view(d.np)
    g = graph_of(lambda b, x: b("cast", x, dtype=dt.float32, source=d), ((2**16,), d))
    assert is_native(g.nodes[0])
    (wide,) = native(g)(every)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(wide, every.astype(np.float32))
        real = np.sort(wide[np.isfinite(wide)])
        ties = ((real[:-1].astype(np.float64) + real[1:]) / 2).astype(np.float32)
        near = [
            ties,
            np.nextafter(ties, np.float32(np.inf)),
            np.nextafter(ties, np.float32(-np.inf)),
            np.float32([np.nan, np.inf, -np.inf, 1e38, -3.4e38]),
        ]
        x = np.concatenate(near)
        g = graph_of(lambda b, x: b("cast", x, dtype=d, source=dt.float32), (x.shape,))
        (got,) = native(g)(x)
        agree(got, x.astype(d.np))


@halves
@pytest.mark.parametrize("name", ROWS)
def test_elementwise_rows(name: str, d: Any) -> None:
    rng = np.random.default_rng(1)
    p, count = TABLE[name], inputs_of(name)
    types = dtypes_of(name, d, count)
    xs = [sample(rng, Aval(s, t), *domain_of(name, t, i)) for s in ((3, 37), (5,)) for i, t in enumerate(types)]
    grid = np.meshgrid(*[SPECIAL if t.is_floating else [0, 1] for t in types[:2]])
    special = [grid[i % 2].ravel() if count > 1 else np.array(SPECIAL) for i in range(count)]
    with np.errstate(over="ignore"):
        xs += [x.astype(t.np) for x, t in zip(special, types, strict=True)] if name != "floordiv" else []
    b = Build()
    values = [b.input(np.shape(x), dt.of_numpy[x.dtype]) for x in xs]
    outs = [b(name, *values[i : i + count], **attrs_of(name, d)) for i in range(0, len(values), count)]
    g = b.graph(*outs)
    assert all(is_native(n) for n in g.nodes)
    exact = name not in INEXACT and p.widen  # without `widen` the kernel may round each of several operations
    for got, want in zip(native(g)(*xs), reference(g, xs), strict=True):
        if name in (
            "maximum",
            "minimum",
        ):  # of a zero and a negative zero NumPy takes the first in float16, the second in all other dtypes
            got, want = got + d.type(0), want + d.type(0)
        if got.dtype == d.np:
            agree(
                got,
                np.asarray(want),
                0
                if exact or name in ("add", "subtract", "multiply", "divide", "sqrt", "negative", "maximum", "minimum")
                else 1,
            )
        else:
            np.testing.assert_array_equal(got, want)


@halves
def test_scalars(d: Any) -> None:
    run = native(graph_of(lambda b, x, y: [b("multiply", b("add", x, y), 0.1), b("less", x, y)], ((), d), ((), d)))
    x, y = d.type(1.5), d.type(0.3)
    got, less = run(x, y)
    assert type(got) is d.type and got == (x + y) * d.type(0.1) and less == np.False_


@halves
def test_every_operation_rounds(d: Any) -> None:
    """A chain in one loop gives what the kernels give one after the other, constants among them."""

    def f(b: Build, x: Any, y: Any) -> Any:
        for _ in range(6):
            x = b("subtract", b("multiply", b("add", x, y), 0.7), b("divide", x, 3.0))
        return x

    g = graph_of(f, ((100,), d), ((100,), d))
    rng = np.random.default_rng(0)
    xs = [sample(rng, v.aval) for v in g.inputs]
    agree(native(g)(*xs)[0], np.asarray(reference(g, xs)[0]))


@halves
def test_reductions_and_products_accumulate_in_float32(d: Any) -> None:
    def f(b: Build, x: Any, y: Any) -> list:
        folds = [
            b(name, x, axis=axis, keepdims=False)
            for name in ("sum", "mean", "max", "min")
            for axis in ((0,), (1,), (0, 1))
        ]
        return [
            *folds,
            b("matmul", x, y, transpose_x=False, transpose_y=False),
            b("softmax", x, axis=1),
            b("argmax", x, axis=1),
        ]

    g = graph_of(f, ((40, 70), d), ((70, 30), d))
    assert all(is_native(n) for n in g.nodes)
    rng = np.random.default_rng(0)
    xs = [sample(rng, v.aval) for v in g.inputs]
    for got, want in zip(native(g)(*xs), reference(g, xs), strict=True):
        if got.dtype == d.np:
            agree(got, np.asarray(want), 1)
        else:
            np.testing.assert_array_equal(got, want)


@halves
def test_elements_are_moved_as_they_are(d: Any) -> None:
    def f(b: Build, x: Any, i: Any, u: Any, c: Any) -> list:
        t = b("transpose", x, perm=(1, 0))
        return [
            t, b("reshape", t, shape=(5, 28)), b("concat", x, x, axis=1), b("pad", x, paddings=((1, 2), (0, 1)), value=0.5), b("strided_slice", x, index=(slice(None, None, 2), 3)),
            b("gather", x, i, axis=0, batch_dims=0), b("gather", x, i, axis=1, batch_dims=0), b("ungather", u, i, shape=(7, 20), axis=0, batch_dims=0),
            b("write_rows", x, i, u, how="update", vectors=False, axis=0), b("write_rows", x, i, u, how="add", vectors=False, axis=0), b("select", c, x, b("negative", x)),
            b("zeros_like", x), b("full_like", x, value=1.5), b("broadcast_to", b("strided_slice", x, index=(0,)), shape=(3, 20)),
        ]  # fmt: skip

    g = graph_of(f, ((7, 20), d), ((3,), dt.int32), ((3, 20), d), ((7, 20), dt.bool_))
    assert all(is_native(n) for n in g.nodes)
    rng = np.random.default_rng(0)
    xs = [sample(rng, v.aval) for v in g.inputs]
    xs[1] = np.array([4, 0, 4], np.int32)
    for got, want in zip(native(g)(*xs), reference(g, xs), strict=True):
        agree(got, np.asarray(want))


@halves
def test_state_of_a_loop(d: Any) -> None:
    def f(b: Build, x: Any, v: Any) -> list:
        body = lambda b, i, x, v: [b("add", i, 1), b("multiply", b("add", x, 0.3), 0.7), b("subtract", v, x)]
        return list(loop(b, lambda b, i, *_: b("less", i, 9), body, [b.const(0, dt.int32), x, v]))

    g = graph_of(f, ((), d), ((21,), d))
    rng = np.random.default_rng(0)
    xs = [sample(rng, v.aval) for v in g.inputs]
    for got, want in zip(native(g)(*xs)[1:], reference(g, xs)[1:], strict=True):
        agree(np.asarray(got), np.asarray(want))


def test_bfloat16_is_ml_dtypes() -> None:
    assert dt.bfloat16.np is np.dtype(ml_dtypes.bfloat16)
    (got,) = check(graph_of(lambda b, x: b("negative", x), ((3,), dt.bfloat16)), [np.ones(3, ml_dtypes.bfloat16)])
    assert got.dtype is dt.bfloat16.np
