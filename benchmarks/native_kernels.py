"""The native engine beside NumPy's kernels, one graph at a time: time to compile, from the disk cache, and to run.

    python benchmarks/native_kernels.py [NAME ...] [--threads N]

The columns are milliseconds to compile, milliseconds to load again from the cache, microseconds of a native call, of the same
graph by NumPy kernels, and their ratio. Names pick the rows that contain one of them.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import gradtape.tracing.control as _rows  # noqa: F401  (the rows of control flow)
from gradtape.engines.native import compile as native
from gradtape.engines.native import threads
from gradtape.ground import dtypes as dt
from gradtape.ground.graph import Graph, Node, Value, interpret
from gradtape.ground.primitive import TABLE, Aval

Build = Callable[..., Value]


def graph(f: Callable, *avals: tuple) -> Graph:
    """The graph of ``f(b, *inputs)``, where ``b(row, *values, **attributes)`` appends a node."""
    nodes: list[Node] = []

    def b(name: str, *xs: Any, **attrs: Any) -> Any:
        like = next((x.aval.dtype for x in xs if isinstance(x, Value)), dt.float32)
        ins = tuple(x if isinstance(x, Value) else Value(Aval((), like), None, like.type(x)) for x in xs)
        p = TABLE[name]
        out = p.shape(*[v.aval for v in ins], **attrs)
        nodes.append(Node(p, ins, attrs, out if isinstance(out, list) else [out], None))
        return nodes[-1].outs if p.multi else nodes[-1].outs[0]

    inputs = [
        Value(Aval(shape, d))
        for shape, d in (a if len(a) == 2 and isinstance(a[0], tuple) else (a, dt.float32) for a in avals)
    ]
    outs = f(b, *inputs)
    return Graph(inputs, list(outs) if isinstance(outs, (list, tuple)) else [outs], nodes)


def one(name: str, **attrs: Any) -> Callable:
    """A graph of a single row."""
    return lambda b, *xs: b(name, *xs, **attrs)


def gradient(b: Build, v: Value) -> Value:
    """d/dv of the sum of tanh(v)·exp(-v²) + log1p(v²)."""
    v2 = b("multiply", v, v)
    t, e = b("tanh", v), b("exp", b("negative", v2))
    slope = b("subtract", b("subtract", 1.0, b("multiply", t, t)), b("multiply", b("multiply", t, v), 2.0))
    return b("add", b("multiply", slope, e), b("divide", b("multiply", v, 2.0), b("add", v2, 1.0)))


def descent(b: Build, x: Value) -> Value:
    """1000 steps of x -= 0.01·(2x - 2)."""
    i = Value(Aval((), dt.int32), None, np.int32(0))
    form = (((), dt.int32), ((), dt.float32))
    cond = graph(lambda b, i, x: b("less", i, 1000), *form)
    body = graph(
        lambda b, i, x: [
            b("add", i, 1),
            b("subtract", x, b("multiply", b("subtract", b("multiply", x, 2.0), 2.0), 0.01)),
        ],
        *form,
    )
    return b("while_loop", i, x, n=2, cond=cond, body=body)[1]


def mlp(*sizes: int, batch: int) -> tuple[Callable, list, dict[int, int]]:
    """A training step of a network with ReLU and mean squared error: forward, backward, update; its inputs, and what to update in place."""
    layers = list(itertools.pairwise(sizes))

    def f(b: Build, x: Value, y: Value, *parameters: Value) -> list:
        product = lambda u, v, tu=False, tv=False: b("matmul", u, v, transpose_x=tu, transpose_y=tv)
        weights, biases = parameters[::2], parameters[1::2]
        hidden = [x]
        for k, (w, c) in enumerate(zip(weights, biases, strict=True)):
            z = b("add", product(hidden[-1], w), c)
            hidden.append(b("relu", z) if k < len(layers) - 1 else z)
        d = b("subtract", hidden[-1], y)
        loss = b("mean", b("square", d), axis=(0, 1), keepdims=False)
        g, new = b("multiply", d, 2.0 / (batch * sizes[-1])), []
        for k in range(len(layers) - 1, -1, -1):
            dw, dc = product(hidden[k], g, tu=True), b("sum", g, axis=(0,), keepdims=False)
            if k:
                g = b("relu_grad", product(g, weights[k], tv=True), hidden[k])
            step = [b("subtract", p, b("multiply", d, 0.001)) for p, d in ((weights[k], dw), (biases[k], dc))]
            new = step + new
        return [loss, *new]

    shapes = [(batch, sizes[0]), (batch, sizes[-1])] + [s for m, n in layers for s in ((m, n), (n,))]
    return f, shapes, {2 + k: 1 + k for k in range(2 * len(layers))}


def unrolled(b: Build, x: Value) -> Value:
    """2000 array operations."""
    for _ in range(1000):
        x = b("tanh", b("matmul", x, x, transpose_x=False, transpose_y=False))
    return x


def scalars(b: Build, x: Value) -> Value:
    """5000 scalar operations."""
    a = [x]
    for i in range(5000):
        a.append(b(("add", "multiply", "subtract")[i % 3], a[-1], a[max(0, len(a) - 40)] if i % 5 else 0.5))
    return a[-1]


M, SMALL, LARGE = 1_000_000, mlp(8, 128, 1, batch=32), mlp(784, 512, 512, 10, batch=128)
CASES: list[tuple[str, Callable, list, dict[int, int]]] = [
    *[(f"{n} {size}", one(n), [(size,)] * (2 if n == "pow" else 1), {}) for n in ("exp", "log1p", "tanh", "sin", "erf", "pow", "sqrt") for size in (10_000,)],
    ("add 1e6", one("add"), [(M,), (M,)], {}),
    ("sum 1e6", one("sum", axis=(0,), keepdims=False), [(M,)], {}),
    ("sum rows 1000x1000", one("sum", axis=(0,), keepdims=False), [(1000, 1000)], {}),
    ("sum columns 1000x1000", one("sum", axis=(1,), keepdims=False), [(1000, 1000)], {}),
    ("softmax 1000x1000", one("softmax", axis=1), [(1000, 1000)], {}),
    ("cross-entropy 128x10", lambda b, x, y: list(b("softmax_xent", x, y, axis=1)), [(128, 10), (128, 10)], {}),
    *[(f"matmul {n}", one("matmul", transpose_x=False, transpose_y=False), [(n, n), (n, n)], {}) for n in (10, 64, 96, 256)],
    ("gradient 1e6", gradient, [(M,)], {}),
    ("descent 1000 steps", descent, [()], {}),
    ("MLP 8-128-1", *SMALL),
    ("MLP 784-512-512-10", *LARGE),
    ("2000 array operations", unrolled, [(20, 20)], {}),
    ("5000 scalar operations", scalars, [()], {}),
]  # fmt: skip


def timed(f: Callable, *xs: Any) -> float:
    """The best of several means, in seconds."""
    f(*xs)
    start = time.perf_counter()
    f(*xs)
    n = max(1, int(0.02 / max(time.perf_counter() - start, 1e-7)))
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(n):
            f(*xs)
        best = min(best, (time.perf_counter() - start) / n)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("names", nargs="*")
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    threads.set_threads(given.threads)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as d:
        os.environ["GRADTAPE_CACHE_DIR"] = d
        native(graph(one("add"), (1,), (1,)))  # LLVM is loaded here
        print(f"{'':24s}{'compile':>10s}{'cached':>10s}{'native':>12s}{'NumPy':>12s}{'ratio':>8s}")
        for name, f, shapes, donate in CASES:
            if given.names and not any(n in name for n in given.names):
                continue
            g = graph(f, *shapes)
            start = time.perf_counter()
            native(g, donate=donate)
            compiled = time.perf_counter() - start
            start = time.perf_counter()
            run = native(g, donate=donate)
            cached = time.perf_counter() - start
            xs = [rng.uniform(0.01, 0.1, s).astype("f") if s else np.float32(0.5) for s in shapes]
            with np.errstate(all="ignore"):
                ours, theirs = timed(run, *xs), timed(interpret, g, xs)
            print(
                f"{name:24s}{compiled * 1e3:7.1f} ms{cached * 1e3:7.1f} ms{ours * 1e6:9.1f} us{theirs * 1e6:9.1f} us{ours / theirs:8.2f}"
            )


if __name__ == "__main__":
    main()
