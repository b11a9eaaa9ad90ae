"""Loops shared among threads: the same result for any number of them; forks, concurrent callers, settings."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from typing import Any

import numpy as np
import pytest

from gradtape.engines.native import compile as native
from gradtape.engines.native import threads
from gradtape.engines.native.host import host
from gradtape.ground import dtypes as dt

from .graphs import Build, check, graph_of, sample


@pytest.fixture
def several(monkeypatch: Any) -> Any:
    """More threads than the machine may have cores: what is tested is that nothing goes wrong."""
    monkeypatch.setattr(threads, "cores", lambda: 4)
    before = threads.get_threads()
    threads.set_threads(4)
    yield
    threads.set_threads(before)


def work(b: Build, x: Any, y: Any) -> list:
    """Maps and folds of every kind over one large index space."""
    z = b("multiply", b("exp", b("multiply", b("sin", x), 0.5)), y)
    axes = range(len(x.aval.shape))
    out = [z] + [b(n, z, axis=tuple(axes), keepdims=False) for n in ("sum", "mean", "max")]
    out += [b(n, z, axis=(a,), keepdims=False) for a in axes for n in ("sum", "min", "mean")]
    return [*out, b("divide", z, out[1])]


def test_every_block_is_run_once(several: None) -> None:
    """By as many threads as are asked for, all of them at once."""
    pool = threads.pool(host())
    ran: list[tuple[int, int]] = []

    def blocks(table: int, first: int, last: int) -> None:
        for i in range(first, last):
            ran.append((i, threading.get_native_id()))
            time.sleep(0.005)

    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(blocks)
    dispatch = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(pool.dispatch)
    for n in (1, 2, 4, 3, 1):
        threads.set_threads(n)
        time.sleep(0.05)
        ran.clear()
        dispatch(ctypes.cast(function, ctypes.c_void_p), None, 16)
        assert sorted(i for i, _ in ran) == list(range(16))
        assert len({t for _, t in ran}) == (n if pool.threaded else 1)


@pytest.mark.parametrize("d", [dt.float32, dt.float64], ids=lambda d: d.name)
@pytest.mark.parametrize(
    ("shape", "other"),
    [((600_011,), ()), ((3000, 130), (130,)), ((70, 9001), (70, 1)), ((40, 50, 200), (50, 200)), ((300_000, 2), (2,))],
)
def test_the_same_for_any_number(several: None, shape: tuple, other: tuple, d: Any) -> None:
    g = graph_of(work, (shape, d), (other, d))
    run = native(g)
    assert any(x.blocks is not None for x in run.__self__.groups)
    rng = np.random.default_rng(0)
    xs = [sample(rng, v.aval, 0.1, 1) for v in g.inputs]
    got = check(g, xs, run=run, rtol=1e-4 if d is dt.float32 else 1e-11)
    for n in (1, 2, 3, 4):
        threads.set_threads(n)
        for _ in range(3):
            for a, b in zip(run(*xs), got, strict=True):
                assert a.tobytes() == b.tobytes()


def test_large_transposes(several: None) -> None:
    rng = np.random.default_rng(0)
    g = graph_of(
        lambda b, x: [b("transpose", x, perm=(1, 0)), b("exp", b("sin", b("transpose", x, perm=(1, 0))))], ((701, 603),)
    )
    check(g, [sample(rng, g.inputs[0].aval)])


def test_callers_at_once(several: None) -> None:
    g = graph_of(work, ((300_000,),), ((),))
    run = native(g)
    x = np.linspace(0, 1, 300_000, dtype=np.float32)
    want = run(x, np.float32(2))
    bad = []

    def call() -> None:
        for _ in range(10):
            got = run(x, np.float32(2))
            if any(a.tobytes() != b.tobytes() for a, b in zip(got, want, strict=True)):
                bad.append(got)

    many = [threading.Thread(target=call) for _ in range(4)]
    for t in many:
        t.start()
    for t in many:
        t.join()
    assert not bad


def test_the_number_is_bounded(monkeypatch: Any) -> None:
    before = threads.get_threads()
    threads.set_threads(10_000)
    assert threads.get_threads() == threads.cores()
    threads.set_threads(None)
    assert threads.get_threads() == threads.cores()
    with pytest.raises(ValueError, match="at least 1"):
        threads.set_threads(0)
    threads.set_threads(before)
    monkeypatch.setattr(threads, "_threads", 0)
    monkeypatch.setenv("GRADTAPE_NUM_THREADS", "1")
    assert threads.get_threads() == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_computes_alone(several: None) -> None:
    g = graph_of(work, ((300_000,),), ((),))
    run = native(g)
    x = np.linspace(0, 1, 300_000, dtype=np.float32)
    want = run(x, np.float32(2))[1]
    pid = os.fork()
    if pid == 0:
        os._exit(0 if run(x, np.float32(2))[1] == want else 1)
    assert os.waitpid(pid, 0)[1] == 0
