"""Loops and branches: rows whose attributes are graphs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as hs

import gradtape.tracing.control  # noqa: F401  (the rows)
from gradtape.engines.native import compile as native
from gradtape.ground import dtypes as dt
from gradtape.ground.graph import Graph

from .graphs import Build, check, graph_of, sample

F = dt.float32


def loop(b: Build, cond: Callable, body: Callable, state: list, fixed: list = ()) -> tuple:  # type: ignore[assignment]
    """A while_loop node."""
    avals = [(v.aval.shape, v.aval.dtype) for v in (*state, *fixed)]
    return b("while_loop", *state, *fixed, n=len(state), cond=graph_of(cond, *avals), body=graph_of(body, *avals))


def descent(steps: int) -> Graph:
    """x -= 0.01·(2x - 2), that many times."""

    def f(b: Build, x: Any) -> Any:
        i = b.const(0, dt.int32)
        step = lambda b, i, x: [
            b("add", i, 1),
            b("subtract", x, b("multiply", b("subtract", b("multiply", x, 2.0), 2.0), 0.01)),
        ]
        return loop(b, lambda b, i, x: b("less", i, steps), step, [i, x])[1]

    return graph_of(f, ((),))


def test_scalar_descent_agrees_to_the_bit() -> None:
    for steps in (0, 1, 7, 1000):
        check(descent(steps), [np.float32(5)], exact=True)


def test_array_state() -> None:
    """Arrays in the state, swapped, unchanged and invariant ones among them."""

    def f(b: Build, i: Any, x: Any, y: Any, z: Any, c: Any) -> list:
        def body(b: Build, i: Any, x: Any, y: Any, z: Any, c: Any) -> list:
            t = b("matmul", c, x, transpose_x=False, transpose_y=False)
            return [b("add", i, 1), b("add", y, 0.0), b("add", b("multiply", t, 0.1), y), z]

        out = loop(b, lambda b, i, x, y, z, c: b("less", i, 5), body, [i, x, y, z], [c])
        return [*out, b("sum", out[2], axis=(0, 1), keepdims=False)]

    g = graph_of(f, ((), dt.int32), ((6, 5),), ((6, 5),), ((3,),), ((6, 6),))
    rng = np.random.default_rng(0)
    for start in (0, 3, 4, 9):
        check(g, [np.int32(start), *[sample(rng, v.aval, -1, 1) for v in g.inputs[1:]]], rtol=1e-5)


def test_state_is_permuted() -> None:
    def f(b: Build, n: Any, x: Any, y: Any, z: Any, p: Any, q: Any) -> list:
        body = lambda b, n, x, y, z, p, q: [b("subtract", n, 1), y, z, x, q, p]
        return list(loop(b, lambda b, n, *xs: b("greater", n, 0), body, [n, x, y, z, p, q]))

    g = graph_of(f, ((), dt.int64), ((20,),), ((20,),), ((20,),), ((),), ((),))
    xs = [np.full(20, k, np.float32) for k in range(3)]
    for n in range(5):
        check(g, [np.int64(n), *xs, np.float32(8), np.float32(9)], exact=True)


def test_nested_loops_and_branches() -> None:
    def f(b: Build, x: Any, v: Any) -> list:
        def inner(b: Build, j: Any, x: Any, v: Any) -> list:
            big = b("greater", x, 10.0)
            yes = graph_of(lambda b, x, v: [b("multiply", x, 0.5), b("negative", v)], ((),), ((9,),))
            no = graph_of(
                lambda b, x, v: [b("add", x, b("sum", v, axis=(0,), keepdims=False)), b("add", v, x)], ((),), ((9,),)
            )
            x, v = b("cond", big, x, v, true=yes, false=no)
            return [b("add", j, 1), x, v]

        def outer(b: Build, i: Any, x: Any, v: Any) -> list:
            zero = b.const(0, dt.int32)
            _, x, v = loop(b, lambda b, j, x, v: b("less", j, 3), inner, [zero, x, v])
            return [b("add", i, 1), x, v]

        return list(loop(b, lambda b, i, x, v: b("less", i, 4), outer, [b.const(0, dt.int32), x, v]))

    g = graph_of(f, ((),), ((9,),))
    check(g, [np.float32(1.5), np.linspace(0, 1, 9, dtype=np.float32)], rtol=1e-4)


def test_branches() -> None:
    def f(b: Build, p: Any, x: Any, y: Any) -> list:
        yes = graph_of(
            lambda b, x, y: [b("exp", x), y, b("max", x, axis=(0, 1), keepdims=False), b.const(np.float32(1))],
            ((4, 5),),
            ((5,),),
        )
        no = graph_of(
            lambda b, x, y: [
                b("add", x, y),
                b("negative", y),
                b("min", x, axis=(0, 1), keepdims=False),
                b.const(np.float32(2)),
            ],
            ((4, 5),),
            ((5,),),
        )
        return list(b("cond", p, x, y, true=yes, false=no))

    g = graph_of(f, ((), dt.bool_), ((4, 5),), ((5,),))
    rng = np.random.default_rng(0)
    for p in (True, False):
        check(g, [np.bool_(p), *[sample(rng, v.aval) for v in g.inputs[1:]]])


def test_a_loop_that_updates_donated_state() -> None:
    def f(b: Build, x: Any) -> Any:
        body = lambda b, i, x: [b("add", i, 1), b("multiply", b("reverse", x, axis=(0,)), 2.0)]
        return loop(b, lambda b, i, x: b("less", i, 3), body, [b.const(0, dt.int32), x])[1]

    g = graph_of(f, ((33,),))
    x = np.arange(33, dtype=np.float32)
    want = check(g, [x.copy()])[0]
    got = native(g, donate={0: 0})(x)[0]
    assert got is x and (got == want).all()


def test_errors_inside_a_loop() -> None:
    from gradtape.ground.errors import InvalidArgumentError

    def f(b: Build, n: Any) -> Any:
        return loop(
            b,
            lambda b, n, s: b("greater", n, -3),
            lambda b, n, s: [b("subtract", n, 1), b("add", s, b("floordiv", 100, n))],
            [n, b.const(0, dt.int32)],
        )[1]

    run = native(graph_of(f, ((), dt.int32)))
    with pytest.raises(InvalidArgumentError, match="division by zero"):
        run(np.int32(5))


def test_a_body_without_native_form_still_runs() -> None:
    def f(b: Build, x: Any) -> Any:
        return loop(b, lambda b, x: b("less", x, 50.0), lambda b, x: [b("exp", b("lgamma", x))], [x])[0]

    check(graph_of(f, ((),)), [np.float32(4.5)])


SHAPES = [((), F), ((3,), F), ((2, 17), F)]


@hs.composite
def loops(draw: Any) -> Graph:
    """A random loop: states of several shapes, mixed, swapped, left alone; branches inside."""
    avals = [SHAPES[k] for k in draw(hs.lists(hs.integers(0, 2), min_size=1, max_size=4))]

    def step(b: Build, xs: list, depth: int) -> list:
        values = list(xs)
        for _ in range(draw(hs.integers(0, 6))):
            x, y = (values[draw(hs.integers(0, len(values) - 1))] for _ in range(2))
            kind = draw(hs.sampled_from(["binary", "reverse", "max", "take", "cond"]))
            if kind == "reverse" and x.aval.shape:
                values.append(b("reverse", x, axis=(len(x.aval.shape) - 1,)))
            elif kind == "max":
                values.append(b("max", x, axis=tuple(range(len(x.aval.shape))), keepdims=False))
            elif kind == "take" and x.aval.shape:
                values.append(b("strided_slice", x, index=(0,)))
            elif kind == "cond" and depth:
                form = [(v.aval.shape, v.aval.dtype) for v in (x, y)]
                graphs = [
                    graph_of(lambda b, *zs, f=form[:1]: same_form(b, step(b, list(zs), 0), f), *form) for _ in range(2)
                ]
                p = b("greater", b("max", x, axis=tuple(range(len(x.aval.shape))), keepdims=False), 0.5)
                values += list(b("cond", p, x, y, true=graphs[0], false=graphs[1]))
            elif np.broadcast_shapes(x.aval.shape, ()) in ((), y.aval.shape) or not y.aval.shape:
                values.append(b(draw(hs.sampled_from(["add", "subtract", "minimum", "maximum"])), x, y))
        return values

    def same_form(b: Build, values: list, form: list) -> list:
        """For each wanted form one of the values that has it."""
        fits = [[v for v in values if v.aval.shape == shape] for shape, _ in form]
        return [f[draw(hs.integers(0, len(f) - 1))] for f in fits]

    def whole(b: Build, n: Any, *xs: Any) -> list:
        def body(b: Build, n: Any, *xs: Any) -> list:
            return [b("subtract", n, 1), *same_form(b, step(b, list(xs), 1), avals)]

        return list(loop(b, lambda b, n, *xs: b("greater", n, 0), body, [n, *xs]))

    return graph_of(whole, ((), dt.int32), *avals)


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(loops(), hs.integers(0, 1000))
def test_random_loops_agree_to_the_bit(g: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    xs = [sample(rng, v.aval, -1, 1) for v in g.inputs[1:]]
    run = native(g)
    for n in (0, 1, 2, 5):
        check(g, [np.int32(n), *xs], run=run, exact=True)


def endless() -> Graph:
    """A loop that does not end."""

    def f(b: Build, x: Any) -> Any:
        return loop(b, lambda b, x: b("greater", x, -1.0), lambda b, x: [b("multiply", x, 1.0000001)], [x])[0]

    return graph_of(f, ((),))


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_stops_a_loop_and_the_lock_is_free_meanwhile() -> None:
    script = """
        import signal, sys, threading, time
        import numpy as np
        sys.path.insert(0, sys.argv[1])
        from tests.engines.native.test_control import endless
        from gradtape.engines.native import compile
        run = compile(endless())
        ticks = []
        def other():
            while True:
                ticks.append(time.perf_counter()); time.sleep(0.01)
        threading.Thread(target=other, daemon=True).start()
        threading.Timer(0.4, lambda: signal.raise_signal(signal.SIGINT)).start()
        start = time.perf_counter()
        try:
            run(np.float32(1))
        except KeyboardInterrupt:
            print("stopped", time.perf_counter() - start, len(ticks))
    """
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.join(root, "src"), root])}
    r = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), root], capture_output=True, text=True, timeout=60, env=env
    )
    assert r.stdout.startswith("stopped"), r.stderr
    _, seconds, ticks = r.stdout.split()
    assert float(seconds) < 1.5 and int(ticks) > 5


def test_two_threads_run_one_program() -> None:
    """Large enough for the lock to be released: each call has memory of its own."""
    g = graph_of(
        lambda b, x: b("sum", b("exp", b("transpose", b("sin", x), perm=(1, 0))), axis=(0,), keepdims=False),
        ((400, 300),),
    )
    run = native(g)
    rng = np.random.default_rng(0)
    xs = [rng.uniform(-1, 1, (400, 300)).astype("f") for _ in range(4)]
    want = [run(x)[0] for x in xs]
    got: list = [[] for _ in xs]

    def work(k: int) -> None:
        for _ in range(20):
            got[k].append(run(xs[k])[0])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all((a == w).all() for w, many in zip(want, got, strict=True) for a in many)


__all__ = ["endless", "signal", "time"]
