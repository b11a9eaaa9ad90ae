"""Gradients against central differences, for functions of float64 arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gradtape as tf

STEP = 1e-5


def _weighted(f: Callable, arrays: list[np.ndarray], weights: list[np.ndarray]) -> float:
    ys = f(*[tf.constant(a) for a in arrays])
    ys = ys if isinstance(ys, list | tuple) else [ys]
    return sum(float(np.sum(w * y.numpy())) for w, y in zip(weights, ys, strict=True))


def assert_gradient(f: Callable, *arrays: Any, rtol: float = 1e-6, atol: float = 1e-7) -> None:
    """The tape's gradient of ``f``, with random cotangents for its outputs, equals that by differences."""
    arrays = [np.array(a, np.float64) for a in arrays]
    xs = [tf.constant(a) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(xs)
        ys = f(*xs)
    ys = list(ys) if isinstance(ys, list | tuple) else [ys]
    rng = np.random.default_rng(0)
    weights = [np.asarray(rng.uniform(-2, 2, tuple(y.shape))) for y in ys]
    got = tape.gradient(ys, xs, output_gradients=[tf.constant(w) for w in weights])
    for i, (a, g) in enumerate(zip(arrays, got, strict=True)):
        want = np.zeros_like(a)
        for at in np.ndindex(a.shape):
            up, down = ([b.copy() for b in arrays] for _ in range(2))
            up[i][at] += STEP
            down[i][at] -= STEP
            want[at] = (_weighted(f, up, weights) - _weighted(f, down, weights)) / (2 * STEP)
        np.testing.assert_allclose(g.numpy(), want, rtol=rtol, atol=atol, err_msg=f"input {i}")


def gradient(f: Callable) -> Callable:
    """The function that gives the gradient of the sum of ``f`` with respect to its first argument: for second derivatives."""

    def g(x: Any, *rest: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x, *rest)
        return tape.gradient(y, x)

    return g
