"""Whole graphs against the kernels: views, fusion, memory reuse, donation; by hand, and random ones by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as hs

from gradtape.engines.native import compile as native
from gradtape.engines.native.engine import Program
from gradtape.ground import dtypes as dt
from gradtape.ground.graph import Graph

from .graphs import Build, check, graph_of, reference, same, sample

F = dt.float32


def groups(run: Any) -> list:
    """The groups of a compiled graph."""
    assert isinstance(run.__self__, Program)
    return run.__self__.groups


def test_one_loop_for_an_elementwise_chain() -> None:
    def f(b: Build, x: Any, y: Any) -> Any:
        z = b("add", b("exp", x), y)
        return b("sum", b("multiply", z, z), axis=(0, 1), keepdims=False), b("tanh", z)

    run = native(graph_of(f, ((40, 33),), ((33,),)))
    assert [g.kind for g in groups(run)] == ["loop"]
    rng = np.random.default_rng(0)
    check(graph_of(f, ((40, 33),), ((33,),)), [rng.uniform(0.5, 1, s).astype("f") for s in ((40, 33), (33,))], run=run)


def test_softmax_and_losses() -> None:
    rng = np.random.default_rng(0)
    for shape, axis in (((10,), 0), ((32, 10), 1), ((32, 10), 0), ((4, 100), 1), ((2, 5, 33), 1)):

        def f(b: Build, x: Any, y: Any, axis: int = axis, shape: tuple = shape) -> list:
            out = [b(n, x, axis=axis) for n in ("softmax", "log_softmax")]
            out += b("softmax_xent", x, y, axis=axis)
            out += [b("logsumexp", x, axis=(axis,), keepdims=k) for k in (True, False)]
            return [*out, b("l2_loss", x)]

        g = graph_of(f, (shape,), (shape,))
        x, y = rng.uniform(-3, 3, shape).astype("f"), rng.uniform(size=shape).astype("f")
        check(g, [x, y], rtol=2e-5)
        x.reshape(-1)[0] = 200
        check(g, [x, y], rtol=2e-5)


@pytest.mark.parametrize("shape", [(), (7,), (3, 4)])
def test_sparse_cross_entropy(shape: tuple) -> None:
    from gradtape.ground.errors import InvalidArgumentError

    rng = np.random.default_rng(0)
    for classes in (3, 40):
        g = graph_of(lambda b, z, y: b("sparse_softmax_xent", z, y), ((*shape, classes),), (shape, dt.int64))
        z, y = rng.uniform(-3, 3, (*shape, classes)).astype("f"), rng.integers(0, classes, shape)
        run = native(g)
        check(g, [z, y[()] if shape else np.int64(y)], run=run, rtol=2e-5)
        for bad in (-1, classes):
            y = np.full(shape, bad)[()]
            with pytest.raises(InvalidArgumentError, match=f"label value of {bad} "):
                run(z, y)


def test_views() -> None:
    """What only rearranges elements, alone and composed."""
    rng = np.random.default_rng(0)

    def f(b: Build, x: Any, y: Any) -> list:
        t = b("transpose", x, perm=(2, 0, 1))
        r = b("reverse", x, axis=(0, 2))
        s = b("strided_slice", x, index=(slice(0, 3, 2), None, slice(None, None, -1), 1))
        parts = b("split", x, sizes=(1, 2, 2), axis=2)
        slices = b("unstack", x, axis=1)
        return [
            t, r, s, *parts, *slices, b("add", t, 1.0), b("multiply", b("reshape", r, shape=(15, 4)), y), b("reshape", t, shape=(60,)),
            b("broadcast_to", y, shape=(2, 3, 4)), b("concat", x, t, axis=0) if x.aval.shape == t.aval.shape else b("concat", x, x, axis=1),
            b("stack", slices[0], b("exp", slices[1]), axis=2), b("pad", slices[0], paddings=((1, 2), (0, 3)), value=1.5),
            b("unslice", s, shape=x.aval.shape, index=(slice(0, 3, 2), None, slice(None, None, -1), 1)),
            b("sum", t, axis=(0,), keepdims=False), b("max", r, axis=(1,), keepdims=True), b("zeros_like", x), b("full_like", y, value=2.5), b("zeros_of", y, shape=(2, 2)),
        ]  # fmt: skip

    g = graph_of(f, ((3, 4, 5),), ((4,),))
    check(g, [rng.standard_normal((3, 4, 5)).astype("f"), rng.standard_normal(4).astype("f")])


@pytest.mark.parametrize("d", [dt.bool_, dt.int32, dt.int64, dt.float64, dt.float32], ids=lambda d: d.name)
def test_transposes(d: Any) -> None:
    rng = np.random.default_rng(0)
    for shape in ((50, 37), (3, 200), (130, 2), (2, 20, 30)):
        perm = tuple(reversed(range(len(shape))))
        g = graph_of(lambda b, x, perm=perm: b("transpose", x, perm=perm), (shape, d))
        check(g, [sample(rng, g.inputs[0].aval)])


def test_outputs_that_are_inputs_constants_or_twice_the_same() -> None:
    def f(b: Build, x: Any, s: Any) -> list:
        y = b("add", x, s)
        return [
            x,
            y,
            y,
            s,
            b.const(np.float32(3)),
            b.const(np.arange(3, dtype=np.float32)),
            b("reshape", y, shape=(2, 3)),
            b("identity", x),
            b("reshape", x, shape=(3, 2)),
        ]

    g = graph_of(f, ((6,),), ((),))
    x = np.arange(6, dtype=np.float32)
    got = check(g, [x, np.float32(2)], exact=True)
    assert got[0] is x
    got[1][:] = 0
    assert got[6].sum() != 0 and x.sum() == 15


def test_no_nodes_no_inputs() -> None:
    assert native(Graph([], [], []))() == []
    b = Build()
    assert native(b.graph(b("add", b.const(np.float32(1)), 2.0)))()[0] == 3


def test_a_reused_place_is_not_read_again() -> None:
    """Long chains over buffers of one size: each place is taken over by a successor."""

    def f(b: Build, x: Any) -> list:
        kept = []
        for i in range(6):
            t = b("transpose", x, perm=(1, 0))  # no fusion across a transpose
            x = b("add", b("multiply", t, 0.5), x)
            if i % 2:
                kept.append(b("sum", x, axis=(0,), keepdims=False))
        return [x, *kept]

    rng = np.random.default_rng(0)
    check(graph_of(f, ((20, 20),)), [rng.standard_normal((20, 20)).astype("f")], rtol=1e-4)


# -- donation --------------------------------------------------------------------------------------------------------------


def test_donated_inputs_are_written_in_place() -> None:
    g = graph_of(
        lambda b, w, d: [b("subtract", w, b("multiply", d, 0.1)), b("sum", w, axis=(0,), keepdims=False)],
        ((70,),),
        ((70,),),
    )
    run = native(g, donate={0: 0})
    w, d = np.arange(70, dtype=np.float32), np.ones(70, np.float32)
    want = reference(g, [w.copy(), d])
    got = run(w, d)
    assert got[0] is w
    same(w, want[0], exact=True)
    same(got[1], want[1])


def test_donation_waits_for_other_readers() -> None:
    """The input is read by a product and reversed, before and beside the update that overwrites it."""

    def f(b: Build, w: Any, x: Any) -> list:
        y = b("matmul", x, w, transpose_x=False, transpose_y=False)
        new = b("subtract", w, b("matmul", x, y, transpose_x=True, transpose_y=False))
        return [
            new,
            b("sum", b("multiply", b("reverse", w, axis=(0,)), new), axis=(0, 1), keepdims=False),
            b("transpose", w, perm=(1, 0)),
        ]

    g = graph_of(f, ((20, 9),), ((5, 20),))
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((20, 9)).astype("f"), rng.standard_normal((5, 20)).astype("f")
    want = reference(g, [w.copy(), x])
    got = native(g, donate={0: 0})(w, x)
    assert got[0] is w
    for a, b in zip(got, want, strict=True):
        same(a, b, rtol=1e-4)


def test_donation_of_what_is_shifted_or_swapped() -> None:
    g = graph_of(
        lambda b, x, y: [b("add", y, 0.0), b("reverse", x, axis=(0,)), b("sum", x, axis=(0,), keepdims=False)],
        ((40,),),
        ((40,),),
    )
    for donate in ({0: 0, 1: 1}, {0: 1}, {0: 1, 1: 0}, {1: 1}):
        x, y = np.arange(40, dtype=np.float32), np.arange(40, dtype=np.float32) * 3
        want = reference(g, [x.copy(), y.copy()])
        for a, b in zip(native(g, donate=donate)(x, y), want, strict=True):
            same(a, b, exact=True)


def test_donating_one_array_twice_is_safe() -> None:
    g = graph_of(lambda b, x, y: [b("add", x, 1.0), b("multiply", y, 2.0)], ((40,),), ((40,),))
    run = native(g, donate={0: 0})
    x = np.arange(40, dtype=np.float32)
    got = run(x, x)
    same(got[1], np.arange(40) * 2.0)
    same(got[0], np.arange(40) + 1.0)


def test_a_failing_call_leaves_donated_inputs_alone() -> None:
    from gradtape.ground.errors import InvalidArgumentError

    g = graph_of(lambda b, x, y: b("add", x, b("floordiv", x, y)), ((40,), dt.int32), ((40,), dt.int32))
    run = native(g, donate={0: 0})
    x, y = np.arange(40, dtype=np.int32), np.ones(40, np.int32)
    y[7] = 0
    with pytest.raises(InvalidArgumentError):
        run(x, y)
    assert (x == np.arange(40)).all()


@pytest.mark.parametrize("seed", range(12))
def test_donation_in_every_combination(seed: int) -> None:
    """Outputs that are inputs, the same twice, rearranged or computed; any of them over any input's memory."""
    rng = np.random.default_rng(seed)
    for _ in range(6):
        b = Build()
        x, y = b.input((1, 40)), b.input((1, 40))
        back, sum_ = b("reverse", x, axis=(1,)), b("add", x, y)
        values = [x, y, back, sum_, b("negative", x), b("negative", y), b("reverse", y, axis=(1,)), b("identity", x)]
        values += [b("multiply", back, values[5]), b("reshape", y, shape=(1, 40)), b("reverse", sum_, axis=(1,))]
        values += [b("broadcast_to", b("max", y, axis=(0, 1), keepdims=True), shape=(1, 40))]
        g = b.graph(*[values[k] for k in rng.integers(0, len(values), rng.integers(1, 5))])
        free = list(rng.permutation(len(g.outputs)))
        donate = {i: int(free.pop()) for i in (0, 1) if free and rng.random() < 0.8}
        xs = [rng.standard_normal((1, 40)).astype("f") for _ in range(2)]
        want = reference(g, [a.copy() for a in xs])
        got = native(g, donate=donate)(*xs)
        for a, w in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, w)
        for i, j in donate.items():
            assert got[j] is xs[i]


# -- random graphs ------------------------------------------------------------------------------------------------------------

UNARY = ["negative", "square", "abs", "relu", "sigmoid", "tanh", "exp", "floor", "sign", "sin", "softplus"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "squared_difference", "divide_no_nan"]
EXACT_UNARY = ["negative", "square", "abs", "relu", "floor", "sign"]


@hs.composite
def programs(draw: Any, exact: bool) -> Graph:
    """A random graph over float32: elementwise rows, broadcasting, views, reductions, products."""
    b = Build()
    dims = draw(hs.lists(hs.sampled_from([1, 2, 3, 5, 8, 17]), min_size=2, max_size=3))
    shapes = [tuple(dims), tuple(dims[1:]), (dims[0], *[1] * (len(dims) - 1)), ()]
    values = [b.input(s) for s in draw(hs.lists(hs.sampled_from(shapes), min_size=1, max_size=3))]

    def pick() -> Any:
        return values[draw(hs.integers(0, len(values) - 1))]

    for _ in range(draw(hs.integers(1, 14))):
        x = pick()
        kind = draw(
            hs.sampled_from(
                [
                    "unary",
                    "unary",
                    "binary",
                    "binary",
                    "binary",
                    "reduce",
                    "transpose",
                    "reshape",
                    "slice",
                    "broadcast",
                    "select",
                    "stack",
                    "scale",
                ]
            )
        )
        rank = len(x.aval.shape)
        if kind == "unary":
            y = b(draw(hs.sampled_from(EXACT_UNARY if exact else UNARY)), x)
        elif kind == "binary":
            z = pick()
            try:
                if np.prod(np.broadcast_shapes(x.aval.shape, z.aval.shape)) > 4000:
                    continue
            except ValueError:
                continue
            y = b(draw(hs.sampled_from(BINARY[:6] if exact else BINARY)), x, z)
        elif kind == "reduce":
            names = ["max", "min"] if exact else ["sum", "mean", "max", "min"]
            axis = tuple(i for i in range(rank) if draw(hs.booleans()))
            y = b(draw(hs.sampled_from(names)), x, axis=axis, keepdims=draw(hs.booleans()))
        elif kind == "transpose":
            y = b("transpose", x, perm=tuple(draw(hs.permutations(range(rank)))))
        elif kind == "reshape":
            n = int(np.prod(x.aval.shape))
            y = b(
                "reshape",
                x,
                shape=draw(hs.sampled_from([(n,), (1, n), (n, 1), *([(n // 2, 2)] if n % 2 == 0 else [])])),
            )
        elif kind == "slice" and rank:
            y = b(
                "strided_slice",
                x,
                index=(slice(None, None, draw(hs.sampled_from([1, -1, 2]))),) + (slice(None),) * (rank - 1),
            )
        elif kind == "broadcast" and rank < 3:
            y = b("broadcast_to", x, shape=(2, *x.aval.shape))
        elif kind == "select":
            z = b("negative", x)
            y = b("select", b("greater", x, z), x, z)
        elif kind == "stack" and int(np.prod(x.aval.shape)) < 600:
            y = b(
                draw(hs.sampled_from(["stack", "concat"])) if rank else "stack",
                x,
                x,
                axis=draw(hs.integers(0, max(rank - 1, 0))),
            )
        else:
            y = b("multiply", x, 0.5)
        values.append(y)
    outs = draw(hs.lists(hs.sampled_from(values[len(b.inputs) :] or values), min_size=1, max_size=4))
    return b.graph(*outs, values[-1])


SETTINGS = settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None
)


@SETTINGS
@given(programs(exact=True), hs.integers(0, 1000))
def test_random_programs_agree_to_the_bit(g: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    check(g, [sample(rng, v.aval, -2, 2) for v in g.inputs], exact=True)


@SETTINGS
@given(programs(exact=False), hs.integers(0, 1000))
def test_random_programs_agree(g: Graph, seed: int) -> None:
    """In float64 arithmetic of the same graph nothing differs much: compare with it, not only with float32 kernels."""
    rng = np.random.default_rng(seed)
    xs = [sample(rng, v.aval, 0.1, 1) for v in g.inputs]
    got, want = native(g)(*xs), reference(g, xs)
    for a, w in zip(got, want, strict=True):
        if np.all(np.isfinite(w)):
            np.testing.assert_allclose(a, w, rtol=1e-3, atol=1e-3 * (1 + float(np.max(np.abs(w), initial=0))))
        assert np.shape(a) == np.shape(w)
