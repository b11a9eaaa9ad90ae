"""What the tests of the native engine share: building graphs by hand, sampling, comparing with the rows' kernels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import gradtape.tracing.control
import gradtape.tracing.functional
import gradtape.tracing.staging  # noqa: F401  (their rows)
from gradtape.engines.native import compile as native
from gradtape.ground import dtypes as dt
from gradtape.ground.graph import Graph, Node, Value, interpret
from gradtape.ground.primitive import TABLE, Aval
from gradtape.primitives import complete

complete()

FLOATS = (dt.float32, dt.float64)
INTS = (dt.int32, dt.int64)


class Build:
    """A graph in the making: ``b("add", x, y)`` appends a node and gives its output (a tuple for rows with several)."""

    def __init__(self) -> None:
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []

    def input(self, shape: tuple = (), dtype: Any = dt.float32) -> Value:
        """A new input."""
        v = Value(Aval(tuple(shape), dtype))
        self.inputs.append(v)
        return v

    def const(self, c: Any, dtype: Any = None) -> Value:
        """A constant."""
        a = np.asarray(c, None if dtype is None else dtype.np)
        return Value(Aval(a.shape, dt.of_numpy[a.dtype]), None, a[()])

    def __call__(self, name: str, *xs: Any, **attrs: Any) -> Any:
        like = next((x.aval.dtype for x in xs if isinstance(x, Value)), None)
        ins = tuple(x if isinstance(x, Value) else self.const(x, like) for x in xs)
        p = TABLE[name]
        avals = p.shape(*[v.aval for v in ins], **attrs)
        n = Node(p, ins, attrs, avals if isinstance(avals, list) else [avals], None)
        self.nodes.append(n)
        return n.outs if p.multi else n.outs[0]

    def graph(self, *outs: Value) -> Graph:
        """The graph with these outputs."""
        return Graph(self.inputs, list(outs), self.nodes)


def graph_of(f: Callable, *avals: tuple) -> Graph:
    """The graph of ``f(b, *inputs)``, inputs given as (shape, dtype)."""
    b = Build()
    out = f(b, *[b.input(*a) for a in avals])
    return b.graph(*(out if isinstance(out, (tuple, list)) else (out,)))


def sample(rng: Any, aval: Aval, lo: float = -3, hi: float = 3) -> Any:
    """Random numbers of a shape and dtype; a NumPy scalar for shape ()."""
    if aval.dtype is dt.bool_:
        return (rng.uniform(size=aval.shape) < 0.5)[()] if aval.shape else np.bool_(rng.integers(2))
    if aval.dtype.is_integer:
        lo, hi = int(np.ceil(lo)), max(int(np.floor(hi)), int(np.ceil(lo)) + 1)
        return (
            aval.dtype.type(rng.integers(lo, hi + 1))
            if not aval.shape
            else rng.integers(lo, hi + 1, aval.shape).astype(aval.dtype.np)
        )
    a = rng.uniform(lo, hi, aval.shape)
    return aval.dtype.type(a) if not aval.shape else a.astype(aval.dtype.np)


def reference(graph: Graph, xs: list) -> list:
    """The graph by its kernels, without NumPy's warnings."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return interpret(graph, xs)


def check(graph: Graph, xs: list, exact: bool = False, rtol: float | None = None, run: Callable | None = None) -> list:
    """Compile, run, and compare with the kernels: bit for bit, or within ``rtol`` (a few units of the last place)."""
    run = run or native(graph)
    want = reference(graph, [x.copy() if isinstance(x, np.ndarray) else x for x in xs])
    got = run(*xs)
    assert len(got) == len(want)
    for g, w, v in zip(got, want, graph.outputs, strict=True):
        w = np.asarray(w, v.aval.dtype.np)
        assert np.shape(g) == w.shape and g.dtype == v.aval.dtype.np, (np.shape(g), g.dtype, v.aval)
        assert all(e in (None, d) for d, e in zip(w.shape, v.aval.shape, strict=True)), (w.shape, v.aval)
        assert isinstance(g, np.ndarray) if v.aval.shape else isinstance(g, np.generic), type(g)
        same(g, w, exact, rtol)
    return got


def same(g: Any, w: Any, exact: bool = False, rtol: float | None = None) -> None:
    """Equal bits (any NaN is equal to any), or close."""
    g, w = np.asarray(g), np.asarray(w)
    if g.dtype.kind != "f":
        np.testing.assert_array_equal(g, w)
        return
    if exact:
        np.testing.assert_array_equal(np.isnan(g), np.isnan(w))
        ok = ~np.isnan(w)
        np.testing.assert_array_equal(np.where(ok, g, 0), np.where(ok, w, 0))
        np.testing.assert_array_equal(np.signbit(g)[ok], np.signbit(w)[ok])
        return
    eps = np.finfo(g.dtype).eps
    np.testing.assert_allclose(g, w, rtol=rtol or 16 * eps, atol=np.finfo(g.dtype).tiny)
