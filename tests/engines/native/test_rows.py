"""Rows that lowering takes apart or turns into views, in the cases that their own table rows give; and rows by number."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import gradtape.tracing.control
import gradtape.tracing.functional  # noqa: F401  (their rows)
from gradtape.engines.native import compile as native
from gradtape.engines.native.lower import LOWER, is_native
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import OutOfRangeError
from gradtape.ground.graph import Graph
from gradtape.ground.primitive import TABLE

from .graphs import Build, check, graph_of, sample
from .test_control import loop

WITH_CASES = sorted(n for n in LOWER if n in TABLE and TABLE[n].cases)


def single(name: str, arrays: tuple, attrs: dict) -> tuple[Graph, list]:
    """The graph of one node over inputs like ``arrays``."""
    xs = [np.asarray(a)[()] if np.ndim(a) == 0 else np.ascontiguousarray(a) for a in arrays]
    b = Build()
    out = b(name, *[b.input(np.shape(x), dt.of_numpy[x.dtype]) for x in xs], **attrs)
    return b.graph(*(out if TABLE[name].multi else (out,))), xs


@pytest.mark.parametrize("name", WITH_CASES)
def test_own_cases(name: str) -> None:
    rng = np.random.default_rng(0)
    compiled = 0
    for arrays, attrs in TABLE[name].cases(rng):  # type: ignore[misc]
        for t in (np.float64, np.float32):
            if t is np.float32 and name in ("cond", "while_loop"):
                continue  # their graphs are float64's
            kind = np.bool_ if name in ("any", "all") else t
            g, xs = single(
                name, tuple(np.asarray(a, kind) if np.asarray(a).dtype.kind == "f" else a for a in arrays), attrs
            )
            compiled += is_native(g.nodes[0])
            check(g, xs, rtol=1e-5 if t is np.float32 else 1e-12)
    assert compiled or name in ("assigned", "cast", "custom_gradient")


def test_argmax_of_special_values() -> None:
    for d in (dt.float32, dt.float64, dt.int32, dt.bool_):
        rng = np.random.default_rng(0)
        for shape, axis in (((7,), 0), ((40, 3), 0), ((40, 3), 1), ((2, 50, 4), 1)):
            g = graph_of(lambda b, x, axis=axis: [b("argmax", x, axis=axis), b("argmin", x, axis=axis)], (shape, d))
            x = sample(rng, g.inputs[0].aval, 0, 3)
            check(g, [x])
            if d.is_floating:
                x.reshape(-1)[::3] = np.nan
                x.reshape(-1)[1::5] = -np.inf
                check(g, [x])


@pytest.mark.parametrize("d", [dt.float32, dt.int64], ids=lambda d: d.name)
@pytest.mark.parametrize("index_dtype", [dt.int32, dt.int64], ids=lambda d: d.name)
def test_gather_and_scatter(d: Any, index_dtype: Any) -> None:
    rng = np.random.default_rng(0)

    def f(b: Build, x: Any, i: Any, j: Any, u: Any) -> list:
        return [
            b("gather", x, i, axis=0, batch_dims=0), b("gather", x, i, axis=1, batch_dims=0), b("gather", x, j, axis=1, batch_dims=0), b("take_row", x, j),
            b("gather", b("transpose", x, perm=(1, 0, 2)), i, axis=0, batch_dims=0), b("write_row", x, j, b("take_row", x, 0)),
            b("ungather", u, i, shape=(9, 7, 21), axis=0, batch_dims=0), b("write_rows", x, i, u, how="add", vectors=False, axis=0),
        ]  # fmt: skip

    g = graph_of(f, ((9, 7, 21), d), ((5,), index_dtype), ((), index_dtype), ((5, 7, 21), d))
    x, u = (sample(rng, g.inputs[k].aval) for k in (0, 3))
    check(g, [x, np.array([0, 6, 3, 3, 1], index_dtype.np), index_dtype.type(4), u])


def test_numbers_out_of_range() -> None:
    from gradtape.ground.errors import InvalidArgumentError

    g = graph_of(lambda b, x, i: b("gather", x, i, axis=0, batch_dims=0), ((4, 3),), ((2,), dt.int32))
    run, x = native(g), np.ones((4, 3), np.float32)
    for bad in (-1, 4, 2**31 - 1, -(2**31)):
        with pytest.raises((InvalidArgumentError, OutOfRangeError)):
            run(x, np.array([0, bad], np.int32))
    with pytest.raises(OutOfRangeError):
        native(graph_of(lambda b, x, i: b("take_row", x, i), ((4, 3),), ((), dt.int32)))(x, np.int32(4))


def written(steps: int, width: tuple) -> Graph:
    """A loop that writes a row each turn, from the row before."""

    def f(b: Build, x: Any) -> list:
        def body(b: Build, i: Any, x: Any) -> list:
            row = b("add", b("take_row", x, i), 1.0)
            return [b("add", i, 1), b("write_row", x, b("add", i, 1), row)]

        return list(loop(b, lambda b, i, x: b("less", i, steps), body, [b.const(0, dt.int32), x]))

    return graph_of(f, ((steps + 1, *width),))


def test_rows_written_in_a_loop() -> None:
    for width in ((), (3,), (20,)):
        g = written(30, width)
        x = np.zeros((31, *width), np.float32)
        check(g, [x], exact=True)
        assert not x.any()  # the caller's array is left alone


def test_writing_rows_costs_what_a_row_does() -> None:
    """In place: not a copy of the whole for each turn."""
    run, x = native(written(20_000, ())), np.zeros(20_001, np.float32)
    start = time.perf_counter()
    got = run(x)[1]
    assert time.perf_counter() - start < 0.05
    assert got[-1] == 20_000


def test_two_writes_and_a_late_reader() -> None:
    """In place only where nobody reads what is overwritten."""

    def f(b: Build, x: Any, y: Any) -> list:
        def body(b: Build, i: Any, x: Any, y: Any) -> list:
            one = b("write_row", x, i, b("take_row", y, i))
            two = b("write_row", one, 0, b("multiply", b("take_row", one, i), 2.0))
            late = b("add", y, x)  # reads x after it has been replaced in the program's order
            return [b("add", i, 1), two, late]

        return list(loop(b, lambda b, i, x, y: b("less", i, 4), body, [b.const(0, dt.int32), x, y]))

    g = graph_of(f, ((5, 18),), ((5, 18),))
    rng = np.random.default_rng(0)
    check(g, [sample(rng, v.aval) for v in g.inputs])

    def swapped(b: Build, x: Any, y: Any) -> list:
        def body(b: Build, i: Any, x: Any, y: Any) -> list:
            return [
                b("add", i, 1),
                b("write_row", y, i, b("take_row", x, i)),
                b("write_row", x, i, b("take_row", y, 0)),
            ]

        return list(loop(b, lambda b, i, x, y: b("less", i, 4), body, [b.const(0, dt.int32), x, y]))

    g = graph_of(swapped, ((5, 18),), ((5, 18),))
    check(g, [sample(rng, v.aval) for v in g.inputs])
