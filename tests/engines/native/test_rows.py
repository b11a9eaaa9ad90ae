"""Rows that lowering takes apart or turns into views, in the cases that their own table rows give; and rows by number."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from gradtape.engines.native import compile as native
from gradtape.engines.native.lower import RULES, is_native
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import OutOfRangeError
from gradtape.ground.graph import Graph
from gradtape.ground.primitive import TABLE

from .graphs import Build, check, graph_of, sample
from .test_control import loop

WINDOWS = ("conv", "conv_filter", "conv_input", "max_pool", "unpool")  # test_window_rules has these
WITH_CASES = sorted(n for n in RULES if TABLE[n].cases and n not in WINDOWS)


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
            if t is np.float32 and name in ("cond", "while_loop", "while_history"):
                continue  # their graphs are float64's
            kind = np.bool_ if name in ("any", "all") else t
            g, xs = single(
                name, tuple(np.asarray(a, kind) if np.asarray(a).dtype.kind == "f" else a for a in arrays), attrs
            )
            compiled += is_native(g.nodes[0])
            check(g, xs, rtol=1e-5 if t is np.float32 else 1e-12)
    assert compiled


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


@pytest.mark.parametrize("d", [dt.float32, dt.float64, dt.int32], ids=lambda d: d.name)
@pytest.mark.parametrize("batch_dims", [0, 1, 2])
def test_gather_along_any_axis_and_its_adjoint(d: Any, batch_dims: int) -> None:
    rng = np.random.default_rng(0)
    shape = (3, 4, 5, 18)
    for axis in range(batch_dims, 4):
        i_shape = (*shape[:batch_dims], 2, 3)
        out = shape[:axis] + (2, 3) + shape[axis + 1 :]

        def f(b: Build, x: Any, i: Any, g: Any, axis: int = axis) -> list:
            attrs = {"axis": axis, "batch_dims": batch_dims}
            return [b("gather", x, i, **attrs), b("ungather", g, i, shape=shape, **attrs)]

        g = graph_of(f, (shape, d), (i_shape, dt.int64), (out, d))
        assert all(is_native(n) for n in g.nodes)
        xs = [sample(rng, g.inputs[0].aval), rng.integers(0, shape[axis], i_shape), sample(rng, g.inputs[2].aval)]
        check(g, xs, rtol=1e-5)
        if axis:
            xs[1].reshape(-1)[3] = shape[axis]
            with pytest.raises(ValueError, match="not in"):
                native(g)(*xs)


@pytest.mark.parametrize("d", [dt.float32, dt.int64], ids=lambda d: d.name)
@pytest.mark.parametrize(("k", "batch_dims"), [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)])
def test_index_vectors(d: Any, k: int, batch_dims: int) -> None:
    """Gather, scatter in all ways, repeated places among them; a place that is not there is the kernel's error."""
    rng = np.random.default_rng(0)
    shape = (3, 4, 17)
    i_shape = (*shape[:batch_dims], 6, k)
    u_shape = i_shape[:-1] + shape[batch_dims + k :]

    def f(b: Build, x: Any, i: Any, u: Any) -> list:
        attrs = {"batch_dims": batch_dims}
        into = [b(f"tensor_scatter_{how}", x, i, u, **attrs) for how in ("add", "update", "min", "max")]
        if not batch_dims:
            into += [
                b("write_rows", x, i, u, how=how, vectors=True, axis=0)
                for how in ("update", "add", "sub", "mul", "min", "max")
            ]
        return [b("gather_nd", x, i, **attrs), b("scatter_nd", i, u, shape=shape, **attrs), *into]

    g = graph_of(f, (shape, d), (i_shape, dt.int32), (u_shape, d))
    assert all(is_native(n) for n in g.nodes)
    i = np.stack([rng.integers(0, n, i_shape[:-1]) for n in shape[batch_dims : batch_dims + k]], -1).astype(np.int32)
    xs = [sample(rng, g.inputs[0].aval), i, sample(rng, g.inputs[2].aval)]
    check(g, xs, rtol=1e-5)
    i.reshape(-1)[-1] = shape[batch_dims + k - 1]
    for name in ("gather_nd", "tensor_scatter_add"):
        alone = graph_of(
            lambda b, x, i, *u, name=name: b(name, x, i, *u, batch_dims=batch_dims),
            *[(v.aval.shape, v.aval.dtype) for v in g.inputs[: 2 + (name[0] == "t")]],
        )
        with pytest.raises(ValueError, match="does not index into"):
            native(alone)(*xs[: len(alone.inputs)])


def test_division_of_rows_is_left_to_the_kernel() -> None:
    g = graph_of(
        lambda b, x, i, u: b("write_rows", x, i, u, how="div", vectors=False, axis=0),
        ((4, 2), dt.int32),
        ((1,), dt.int32),
        ((1, 2), dt.int32),
    )
    assert not is_native(g.nodes[0])
    check(g, [np.arange(8, dtype=np.int32).reshape(4, 2), np.array([2], np.int32), np.array([[2, 3]], np.int32)])


@pytest.mark.parametrize("d", [dt.float32, dt.float64, dt.int32], ids=lambda d: d.name)
def test_running_totals(d: Any) -> None:
    """Sums and products are NumPy's to the bit, whichever way and along whichever axis; the others close."""
    rng = np.random.default_rng(0)
    for shape in ((1,), (7,), (5, 40), (3, 4, 21), (2, 300, 3), (2, 0)):
        for axis in range(len(shape)):

            def f(b: Build, x: Any, y: Any, axis: int = axis) -> list:
                ways = [{"axis": axis, "exclusive": e, "reverse": r} for e in (False, True) for r in (False, True)]
                return [b(name, x, **w) for name in ("cumsum", "cumprod") for w in ways]

            g = graph_of(f, (shape, d), (shape, d))
            assert all(is_native(n) for n in g.nodes)
            check(g, [sample(rng, g.inputs[0].aval, -1.2, 1.2), sample(rng, g.inputs[1].aval)], exact=True)

            def close(b: Build, x: Any, y: Any, axis: int = axis) -> list:
                sums = [
                    b("cumulative_logsumexp", x, axis=axis, exclusive=e, reverse=r)
                    for e in (False, True)
                    for r in (False, True)
                ]
                return sums + [b("recurrence", x, y, axis=axis, reverse=r) for r in (False, True)]

            if d.is_floating:
                g = graph_of(close, (shape, d), (shape, d))
                check(g, [sample(rng, v.aval, -0.9, 0.9) for v in g.inputs], rtol=2e-4 if d is dt.float32 else 1e-11)


def test_running_totals_of_special_values() -> None:
    x = np.array([-0.0, -0.0, 1.0, np.inf, 2.0, -np.inf, np.nan, 1.0], np.float32)
    for name in ("cumsum", "cumprod"):
        for exclusive in (False, True):
            g = graph_of(lambda b, x, n=name, e=exclusive: b(n, x, axis=0, exclusive=e, reverse=False), ((8,),))
            check(g, [x], exact=True)
    y = np.array([-np.inf, -np.inf, 0.0, 1.0, 1.0, np.inf, np.inf, np.nan], np.float32)
    check(graph_of(lambda b, x: b("cumulative_logsumexp", x, axis=0, exclusive=False, reverse=False), ((8,),)), [y])


def test_parts_of_variables_written() -> None:
    index = (slice(1, 6, 2), slice(None, None, -1))

    def f(b: Build, x: Any, u: Any, c: Any) -> list:
        return [
            b("write_slice", x, v, index=i, how=how)
            for how in ("update", "add", "sub")
            for v, i in ((u, index), (c, index), (c, (2, 3)))
        ]

    g = graph_of(f, ((7, 18),), ((3, 18),), ((),))
    assert all(is_native(n) for n in g.nodes)
    rng = np.random.default_rng(0)
    check(g, [sample(rng, v.aval) for v in g.inputs], exact=True)
