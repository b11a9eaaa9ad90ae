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


# -- loops that keep their history ----------------------------------------------------------------------------------------------


def remembered(b: Build, cond: Callable, body: Callable, state: list, fixed: list, keep: tuple) -> tuple:
    """A while_history node: the last states, the number of turns, the stacks."""
    avals = [(v.aval.shape, v.aval.dtype) for v in (*state, *fixed)]
    graphs = {"cond": graph_of(cond, *avals), "body": graph_of(body, *avals)}
    return b("while_history", *state, *fixed, n=len(state), keep=keep, **graphs)


def backward(b: Build, turns: Any, stack: Any, row: Any) -> Any:
    """The sum of the stack's rows, the last first, each times the number of rows below it."""

    def body(b: Build, i: Any, total: Any, stack: Any) -> list:
        term = b("multiply", b("take_row", stack, i), b("cast", i, dtype=dt.float32, source=dt.int32))
        return [b("subtract", i, 1), b("add", total, term)]

    last = b("subtract", turns, 1)
    return loop(b, lambda b, i, *_: b("greater_equal", i, 0), body, [last, b("zeros_like", row)], [stack])[1]


@pytest.mark.parametrize("turns", [0, 1, 5, 700, 20_000])
def test_a_loop_keeps_its_states(turns: int) -> None:
    """Scalars, arrays, bools and what does not change; before each turn."""

    def f(b: Build, i: Any, x: Any, v: Any, odd: Any, c: Any) -> list:
        def body(b: Build, i: Any, x: Any, v: Any, odd: Any, c: Any) -> list:
            return [
                b("add", i, 1),
                b("multiply", b("add", x, 0.25), 0.5),
                b("add", b("multiply", v, 0.5), c),
                b("logical_not", odd),
            ]

        return list(remembered(b, lambda b, i, *_: b("less", i, turns), body, [i, x, v, odd], [c], (0, 1, 2, 3)))

    g = graph_of(f, ((), dt.int32), ((),), ((5,),), ((), dt.bool_), ((5,),))
    rng = np.random.default_rng(0)
    xs = [sample(rng, v.aval) for v in g.inputs]
    xs[0] = np.int32(0)
    run = native(g)
    for _ in range(2):
        got = check(g, xs, exact=True, run=run)
    assert got[4] == turns and got[7].shape == (turns, 5)


@pytest.mark.parametrize("shape", [(), (7,), (3, 40)])
def test_stacks_are_read_backwards(shape: tuple) -> None:
    """In the program that made them, and in another, which takes them as inputs of unknown length."""

    def forward(b: Build, n: Any, x: Any) -> tuple:
        body = lambda b, i, x, n: [b("add", i, 1), b("add", b("multiply", x, 0.5), 1.0)]
        return remembered(b, lambda b, i, x, n: b("less", i, n), body, [b.const(0, dt.int32), x], [n], (1,))

    def both(b: Build, n: Any, x: Any) -> Any:
        _, _, turns, stack = forward(b, n, x)
        return backward(b, turns, stack, x)

    forms = ((), dt.int32), (shape,)
    rng = np.random.default_rng(0)
    together, alone = graph_of(both, *forms), graph_of(lambda b, n, x: list(forward(b, n, x)), *forms)
    second = graph_of(lambda b, n, s, x: backward(b, n, s, x), ((), dt.int32), ((None, *shape),), (shape,))
    run, first, then = native(together), native(alone), native(second)
    for n in (0, 1, 9, 300):
        x = sample(rng, together.inputs[1].aval)
        (want,) = check(together, [np.int32(n), x], exact=True, run=run)
        _, _, turns, stack = first(np.int32(n), x)
        (got,) = check(second, [turns, stack, x], exact=True, run=then)
        assert got.tobytes() == want.tobytes()
    if shape:
        with pytest.raises(TypeError, match="of shape"):
            then(turns, np.zeros((4, *shape[:-1], shape[-1] + 1), np.float32), x)
        strided = np.ascontiguousarray(stack[::-1])[::-1]
        assert then(turns, strided, x)[0].tobytes() == want.tobytes()


def test_a_stack_is_not_read_beyond_its_end() -> None:
    from gradtape.ground.errors import OutOfRangeError

    run = native(graph_of(lambda b, s, i: b("take_row", s, i), ((None, 3),), ((), dt.int32)))
    s = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert run(s, np.int32(1))[0].tolist() == [3, 4, 5]
    for i in (-1, 2):
        with pytest.raises(OutOfRangeError):
            run(s, np.int32(i))
    with pytest.raises(OutOfRangeError):
        run(s[:0], np.int32(0))


def test_histories_in_loops_and_branches() -> None:
    """A stack lives for one turn of the loop around it; its memory is used again."""

    def f(b: Build, x: Any) -> list:
        def turn(b: Build, k: Any, x: Any) -> list:
            body = lambda b, i, y, k: [b("add", i, 1), b("add", b("multiply", y, 0.5), 1.0)]
            _, y, turns, stack = remembered(
                b, lambda b, i, y, k: b("less", i, k), body, [b.const(0, dt.int32), x], [k], (1,)
            )
            forms = [(v.aval.shape, v.aval.dtype) for v in (turns, stack, y)]
            choose = {
                "true": graph_of(backward, *forms),
                "false": graph_of(lambda b, n, s, y: b("multiply", y, 2.0), *forms),
            }
            (z,) = b("cond", b("equal", b("bitwise_and", k, 1), 0), turns, stack, y, **choose)
            return [b("add", k, 1), b("multiply", z, 0.01)]

        return list(loop(b, lambda b, k, x: b("less", k, 40), turn, [b.const(0, dt.int32), x]))

    g = graph_of(f, ((6,),))
    check(g, [np.linspace(-1, 1, 6, dtype=np.float32)], exact=True)


def test_stacks_are_freed() -> None:
    """Also where the run fails or is called from many threads."""
    import tracemalloc

    def f(b: Build, n: Any, x: Any) -> list:
        body = lambda b, i, x, n: [b("add", i, 1), b("check_numerics", b("multiply", x, 2.0), message="m")]
        return list(remembered(b, lambda b, i, x, n: b("less", i, n), body, [b.const(0, dt.int32), x], [n], (1,)))

    run = native(graph_of(f, ((), dt.int32), ((1000,),)))
    good, bad = np.ones(1000, np.float32), np.full(1000, 1e38, np.float32)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            threads = [threading.Thread(target=run, args=(np.int32(100), good)) for _ in range(2)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            with pytest.raises(ValueError, match="Inf"):
                run(np.int32(100), bad)
        assert tracemalloc.get_traced_memory()[0] - before < 400_000  # one stack
    finally:
        tracemalloc.stop()
