"""Single rows on large arrays: the kernels that eager execution takes from the native engine."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

import gradtape as tf
from gradtape.core import buffers
from gradtape.engines.native import compile as native
from gradtape.engines.native import eager, threads
from gradtape.engines.native.emit import EMITTERS, FEW, LIBM
from gradtape.ground import dtypes as dt
from gradtape.ground.primitive import TABLE

from .graphs import graph_of, reference, same, sample

ROWS = sorted(n for n, e in EMITTERS.items() if "f" in e and FEW < e["f"].cost < LIBM and n not in eager.EXCEPT)
SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, np.nan, np.inf, -np.inf, 1e-40, -1e-40, 3.0, 5e-324, 1e30, -88.0, 1e5]
)


def arrays_of(name: str, d: Any, n: int) -> list:
    """Samples of the row's domain, and special numbers in between."""
    rng, p = np.random.default_rng(0), TABLE[name]
    xs = [sample(rng, dt_aval, *p.domain[i]) for i, dt_aval in enumerate([_aval(n, d)] * len(p.inputs))]
    for i, x in enumerate(xs):
        with np.errstate(all="ignore"):
            x[: len(SPECIAL)] = np.roll(SPECIAL, 3 * i).astype(d.np)[:n]
            x[-len(SPECIAL) :] = np.roll(SPECIAL, 5 * i).astype(d.np)[-n:]
    return xs


def _aval(n: int, d: Any) -> Any:
    from gradtape.ground.primitive import Aval

    return Aval((n,), d)


@pytest.mark.parametrize("d", [dt.float32, dt.float64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", ROWS)
def test_kernels_give_what_compiled_graphs_do(name: str, d: Any) -> None:
    """Bit for bit, whose bounds in ulp other tests enforce; for lengths about a vector's and a block's; and close to the row's own kernel."""
    f, most = eager.find(TABLE[name], d.name), 300_001
    xs = arrays_of(name, d, most)
    g = graph_of(lambda b, *vs: b(name, *vs), *[((most,), d)] * len(xs))
    (want,) = native(g)(*xs)
    for n in (16, 17, 1000, 65_536, 70_003, most):
        out = np.empty(n + 5, d.np)
        out[n:] = 7
        f(tuple([x[:n] for x in xs]), out[:n])
        assert np.all(out[n:] == 7)  # nothing is written beyond the end
        assert want[:n].tobytes() == out[:n].tobytes()
    same(out[:n], reference(g, xs)[0], rtol=8 * np.finfo(d.np).eps)


def test_any_number_of_threads_gives_the_same() -> None:
    f, x = eager.find(TABLE["tanh"], "float32"), np.linspace(-3, 3, 1_000_003, dtype=np.float32)
    before, results = threads.get_threads(), []
    try:
        for n in (1, 2):
            threads.set_threads(n)
            out = np.empty_like(x)
            f((x,), out)
            results.append(out.tobytes())
    finally:
        threads.set_threads(before)
    assert results[0] == results[1]


def test_rows_without_a_kernel() -> None:
    for name in ("add", "relu", "pow", "floormod", "less", "abs", "add_n", "identity", "polygamma"):
        assert eager.find(TABLE[name], "float32") is None
    assert eager.find(TABLE["tanh"], "float16") is None
    assert eager.find(TABLE["tanh"], "complex64") is None


N = buffers.BIG // 4 + 3


def test_large_eager_calls_use_them(monkeypatch: Any) -> None:
    calls = []
    monkeypatch.setattr(buffers, "_kernels", {})

    def find(p: Any, dtype: Any, find: Any = buffers.find) -> Any:
        f = find(p, dtype)
        return f and (lambda xs, out: (calls.append(p.name), f(xs, out))[1])

    monkeypatch.setattr(buffers, "find", find)
    x = tf.constant(np.linspace(-2, 2, 2 * N, dtype=np.float32))
    y = tf.sigmoid(x)
    np.testing.assert_allclose(y, TABLE["sigmoid"].kernel(x.numpy()), rtol=1e-6)
    tf.math.atan2(x, y), tf.math.erf(x)
    assert calls == ["sigmoid", "atan2", "erf"]
    first, shown = tf.tanh(x), tf.tanh(x).numpy()
    for _ in range(30):
        tf.tanh(x * 0.5)  # into memory that nobody holds
    np.testing.assert_array_equal(first, shown)
    calls.clear()
    tf.tanh(x[:10]), tf.math.atan2(x, y[0]), x + y, tf.nn.relu(x)
    strided = tf.transpose(tf.reshape(x, [2, -1]))
    np.testing.assert_allclose(tf.tanh(strided), np.tanh(strided.numpy()), rtol=1e-6)
    assert calls == []  # small, broadcast, cheap; and what is not contiguous
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = tf.reduce_sum(tf.exp(x))
    np.testing.assert_allclose(tape.gradient(z, x), np.exp(x.numpy()), rtol=1e-6)


def test_large_and_small_operands_of_any_dtype() -> None:
    """What the way of large arrays does not know goes on to the kernels."""
    many, one = tf.constant(["a", "b"] * N), tf.constant("a")
    assert np.array_equal(tf.equal(many, one), np.arange(2 * N) % 2 == 0)
    assert np.array_equal(tf.equal(one, many[:3]), [True, False, True])
    for d in (tf.int32, tf.int64, tf.bool, tf.complex64, tf.float16, tf.bfloat16, tf.float64):
        x = tf.cast(tf.range(2 * N) % 5, d)
        assert np.all(tf.equal(x, x)) and tf.identity(x).dtype is d
        if d is not tf.bool:
            np.testing.assert_array_equal(tf.cast(x * x[3] + x, tf.complex128), tf.cast(x, tf.complex128).numpy() * 4)


def test_it_can_be_turned_off() -> None:
    code = """
        import numpy as np, gradtape as tf, sys
        x = np.linspace(-3, 3, 200_000, dtype=np.float32)
        assert tf.tanh(tf.constant(x)).numpy().tobytes() == np.tanh(x).tobytes()
        assert "gradtape.engines.native.eager" not in sys.modules
    """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "GRADTAPE_NATIVE": "0"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=env, check=True)
