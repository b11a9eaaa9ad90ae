"""Random numbers in native code: the very bits that the kernels draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradtape.engines.native import compile as native
from gradtape.engines.native.lower import is_native
from gradtape.ground import dtypes as dt

from .graphs import Build, check, graph_of
from .test_control import loop

SHAPES = [(), (1,), (3,), (4,), (8,), (9,), (2, 3), (5, 7), (1000,), (0, 3)]
KEYS = [(3, -4), (0, 0), (7, 0, 5), (-1, -1, 123), (2**62, -(2**63), -9)]


def drawn(b: Build, key: Any) -> list:
    """Draws of all sorts, of all shapes."""
    outs = [b("random_uniform", key, shape=s, dtype=d) for s in SHAPES for d in (dt.float32, dt.float64)]
    return outs + [b("random_full_int", key, shape=s, dtype=d) for s in SHAPES for d in (dt.int32, dt.int64)]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_the_bits_are_the_kernels(key: tuple) -> None:
    for d in (dt.int64, dt.int32):
        if d is dt.int32 and max(map(abs, key)) >= 2**31:
            continue
        g = graph_of(drawn, ((len(key),), d))
        assert all(is_native(n) for n in g.nodes)
        check(g, [np.array(key, d.np)], exact=True)


@pytest.mark.parametrize("d", [dt.float32, dt.float64, dt.float16, dt.bfloat16], ids=lambda d: d.name)
def test_masks(d: Any) -> None:
    shapes = [((7, 9), (None, None)), ((7, 9), (1, None)), ((), ()), ((1,), (None,)), ((0, 2), (None, 2))]
    for x_shape, shape in shapes:
        g = graph_of(
            lambda b, k, p, x, s=shape: b("random_mask", k, p, x, shape=s), ((2,), dt.int64), ((), d), (x_shape, d)
        )
        assert is_native(g.nodes[0])
        run, x = native(g), np.zeros(x_shape, d.np)[()]
        for p in (0.0, -1.0, 0.1, 0.5, 0.999, 1.0, 2.0, 1e-12, 3e38 if d is not dt.float16 else 6e4):
            check(g, [np.array([5, 6]), d.type(p), x], exact=True, run=run)


def test_a_mask_needs_a_probability() -> None:
    g = graph_of(lambda b, k, p, x: b("random_mask", k, p, x, shape=(None,)), ((2,), dt.int64), ((),), ((3,),))
    for p in (np.nan, np.inf):
        with pytest.raises((ValueError, OverflowError)):
            native(g)(np.array([5, 6]), np.float32(p), np.zeros(3, np.float32))


def test_states_advance() -> None:
    g = graph_of(lambda b, s, by: b("random_advance", s, by), ((3,), dt.int64), ((), dt.int64))
    run = native(g)
    ends = [0, 1, -1, 5, 2**63 - 1, -(2**63), 2**62, -(2**62)]
    for low in ends:
        for high in (0, -1, 2**63 - 1, 7):
            for by in ends:
                check(g, [np.array([low, high, 3]), np.int64(by)], exact=True, run=run)


def test_draws_in_a_loop() -> None:
    """A random walk whose state carries the generator's."""

    def f(b: Build, key: Any, x: Any) -> list:
        def body(b: Build, i: Any, key: Any, x: Any) -> list:
            step = b("subtract", b("random_uniform", key, shape=(5,), dtype=dt.float32), 0.5)
            return [b("add", i, 1), b("random_advance", key, b.const(5, dt.int64)), b("add", x, step)]

        return list(loop(b, lambda b, i, *_: b("less", i, 100), body, [b.const(0, dt.int32), key, x]))

    g = graph_of(f, ((3,), dt.int64), ((5,),))
    check(g, [np.array([1, 2, 3]), np.zeros(5, np.float32)], exact=True)
