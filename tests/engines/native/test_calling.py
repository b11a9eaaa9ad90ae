"""The door: arguments of every kind, what is returned, references, speed; and graphs that are native in part."""

from __future__ import annotations

import gc
import sys
import time
from typing import Any

import numpy as np
import pytest

from gradtape.engines.native import compile as native
from gradtape.ground import dtypes as dt

from .graphs import Build, check, graph_of, sample


def two() -> Any:
    """x + s over (3, 4)."""
    return native(graph_of(lambda b, x, s: [b("add", x, s), b("multiply", s, 2.0)], ((3, 4),), ((),)))


def test_arguments_one_by_one_or_as_a_list() -> None:
    run, x = two(), np.ones((3, 4), np.float32)
    for got in (run(x, np.float32(2)), run([x, np.float32(2)])):
        assert got[0].tolist() == [[3.0] * 4] * 3 and type(got[1]) is np.float32 and got[1] == 4


def test_arrays_that_are_not_as_they_should_be() -> None:
    run = two()
    base = np.arange(48, dtype=np.float32).reshape(6, 8)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(3, 4)
    read_only = x.copy()
    read_only.flags.writeable = False

    class Sub(np.ndarray):
        pass

    other = np.zeros((3, 4), np.dtype(np.float32, metadata={"a": 1}))
    for a in (
        base[::2, ::2],
        base[:3, :4],
        np.asfortranarray(x),
        x[::-1],
        unaligned,
        read_only,
        x.view(Sub),
        other,
        np.broadcast_to(np.float32(1), (3, 4)),
        x.astype("f").T.copy().T,
    ):
        np.testing.assert_array_equal(run(a, np.float32(1))[0], np.asarray(a) + 1)
    for s in (np.float32(1), np.array(1, np.float32), 1.0, 1):
        assert run(x, s)[0][0, 1] == 2


def test_arguments_that_do_not_fit() -> None:
    run, x, s = two(), np.ones((3, 4), np.float32), np.float32(1)
    for bad in (
        [x],
        [x, s, s],
        [x.T, s],
        [x.astype(np.float64), s],
        [x.ravel(), s],
        [x, x],
        [None, s],
        [x, "a"],
        [x, np.float64(1)],
        [],
    ):
        with pytest.raises(TypeError, match="compiled graph"):
            run(*bad)


def test_sizes() -> None:
    rng = np.random.default_rng(0)
    for shape in ((), (0,), (1,), (1, 1), (2, 0, 3), (1, 5), (5, 1), (3, 1, 4)):
        g = graph_of(
            lambda b, x, y: [b("add", x, y), b("sum", x, axis=(), keepdims=False), b("exp", x)], (shape,), (shape,)
        )
        check(g, [sample(rng, v.aval) for v in g.inputs])


def test_references_are_balanced() -> None:
    run, x, s = two(), np.ones((3, 4), np.float32), np.float32(1)
    g = graph_of(lambda b, x: [x, b("add", x, 1.0), b("zeros_like", x)], ((5,),))
    own, y = native(g, donate={0: 1}), np.ones(5, np.float32)
    run(x, s), own(y)
    watched = (x, s, y, np.dtype(np.float32), np.dtype(np.float32).type, run)
    before = [sys.getrefcount(o) for o in watched]
    for _ in range(1000):
        run(x, s), run([x, s]), own(y), run(x[::-1], s)
        with pytest.raises(TypeError):
            run(x)
    after = [sys.getrefcount(o) for o in watched]
    assert all(abs(a - b) < 20 for a, b in zip(before, after, strict=True)), (before, after)
    got = own(y)
    assert sys.getrefcount(got[2]) <= 3


def test_functions_can_be_dropped() -> None:
    run = two()
    arrays = run(np.ones((3, 4), np.float32), np.float32(1))
    program = run.__self__
    import weakref

    gone = weakref.ref(program.slow)
    del run, program
    gc.collect()
    assert gone() is None
    assert arrays[0].sum() == 24


def test_what_has_no_native_form_runs_its_kernel() -> None:
    """Kernels between native parts, other dtypes, unused and unknown inputs, effects in order."""
    seen = []

    def run_node(n: Any, xs: list) -> Any:
        seen.append(n.p.name)
        return n.p.kernel(*xs, **n.attrs)

    def f(b: Build, x: Any, c: Any, unused: Any) -> list:
        y = b("exp", b("negative", x))
        z = b("lgamma", b("add", y, 1.0))
        w = b("multiply", b("random_shuffle", z, b.const(np.array([3, 4]))), y)
        return [
            w,
            b("multiply", c, c),
            x,
            b("abs", c),
            b.const(np.float32(2)),
            b("sum", w, axis=(0,), keepdims=False),
            c,
        ]

    g = graph_of(f, ((20,),), ((3,), dt.complex64), ((), dt.string))
    xs = [np.linspace(0, 1, 20, dtype=np.float32), np.array([1, 2j, 3 + 1j], np.complex64), b"text"]
    run = native(g, run=run_node)
    got, want = (
        run(*xs),
        [np.asarray(w) for w in __import__("gradtape.ground.graph", fromlist=["interpret"]).interpret(g, xs)],
    )
    for a, w in zip(got, want, strict=True):
        np.testing.assert_allclose(a, w, rtol=1e-6)
    assert [s for s in seen if s in ("lgamma", "random_shuffle")] == ["lgamma", "random_shuffle"]
    assert len(run.programs) <= 3


def test_unknown_shapes_run_by_kernels() -> None:
    b = Build()
    x = b.input((None, 2))
    g = b.graph(b("add", x, x))
    run = native(g)
    for n in (1, 4):
        assert run(np.ones((n, 2), np.float32))[0].shape == (n, 2)


def test_inputs_without_native_form_may_go_unused_or_straight_through() -> None:
    def f(b: Build, c: Any, s: Any, u: Any, x: Any) -> list:
        return [b("add", x, 1.0), c, s]

    g = graph_of(f, ((2,), dt.complex64), ((), dt.string), ((None, 3), dt.float32), ((4,), dt.float32))
    c, x = np.array([1j, 2], np.complex64), np.zeros(4, np.float32)
    got = native(g)(c, b"text", np.zeros((5, 3), np.float32), x)
    assert got[0].tolist() == [1] * 4 and got[1] is c and got[2] == b"text"


def test_large_graphs_are_parted_and_compile_fast() -> None:
    def scalars(b: Build, x: Any) -> Any:
        a = [x, b("multiply", x, 0.5)]
        for i in range(5000):
            a.append(b(("add", "multiply", "subtract")[i % 3], a[-1], a[max(0, len(a) - 40)] if i % 5 else 0.999))
        return a[-1], a[2500]

    def arrays(b: Build, x: Any) -> Any:
        for i in range(1000):
            x = b("multiply", b("add", x, b("reverse", x, axis=(0,)) if i % 4 == 0 else 0.5), 0.5)
        return x

    for f, aval in ((scalars, ((),)), (arrays, ((50,),))):
        g = graph_of(f, aval)
        start = time.perf_counter()
        run = native(g)
        assert time.perf_counter() - start < 6  # 3 s on a machine that is not shared
        check(g, [sample(np.random.default_rng(0), g.inputs[0].aval, 0, 1)], run=run, exact=True)


def test_calls_are_cheap() -> None:
    run = native(graph_of(lambda b, x, y, z: b("add", b("multiply", x, y), z), ((16,),), ((16,),), ((16,),)))
    xs = [np.ones(16, np.float32)] * 3
    best = min(_timed(run, xs) for _ in range(20))
    assert best < 5e-6


def _timed(run: Any, xs: list) -> float:
    start = time.perf_counter()
    for _ in range(200):
        run(*xs)
    return (time.perf_counter() - start) / 200


def test_import_is_light() -> None:
    """Neither gradtape nor the engine's package loads LLVM."""
    import subprocess

    code = "import sys, gradtape, gradtape.engines.native; sys.exit(any(m.split('.')[0] == 'llvmlite' for m in sys.modules))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code],
            env={**__import__("os").environ, "PYTHONPATH": __import__("os").pathsep.join(sys.path)},
        ).returncode
        == 0
    )


def test_without_llvm_graphs_are_interpreted(monkeypatch: Any) -> None:
    from gradtape.engines.native import host

    monkeypatch.setattr(host, "_host", host.Unsupported("none"))
    run = native(graph_of(lambda b, x: b("exp", x), ((3,),)))
    assert run(np.zeros(3, np.float32))[0].tolist() == [1, 1, 1]
    with pytest.raises(TypeError):
        run()


def test_fast_math_contracts() -> None:
    """x·y + z in one rounding when asked for, in two by default."""
    f = lambda b, x, y, z: b("add", b("multiply", x, y), z)
    g = graph_of(f, ((16,),), ((16,),), ((16,),))
    x = np.full(16, 1 + 2**-12, np.float32)
    z = -(x * x)
    assert native(g)(x, x, z)[0].tolist() == [0] * 16
    assert native(g, fast_math=True)(x, x, z)[0].tolist() == [2.0**-24] * 16
