"""First and second derivatives of functions of real or complex matrices against differences, in random directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gradtape as tf


def random(*shape: int, seed: int = 0, dtype: Any = np.float64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=shape)
    return (a + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else a).astype(dtype)


def herm(a: np.ndarray) -> np.ndarray:
    return np.conj(np.swapaxes(a, -1, -2))


def positive(*shape: int, seed: int = 0, dtype: Any = np.float64) -> np.ndarray:
    """Hermitian positive definite matrices with eigenvalues that are well apart."""
    q = np.linalg.qr(random(*shape, seed=seed, dtype=dtype))[0]
    a = (q * (1 + np.arange(shape[-1]) + 0.1 * seed)) @ herm(q)
    return ((a + herm(a)) / 2).astype(dtype)


def apart(*shape: int, seed: int = 0, dtype: Any = np.float64) -> np.ndarray:
    """Matrices with singular values that are well apart."""
    u, _, v = np.linalg.svd(random(*shape, seed=seed, dtype=dtype), full_matrices=False)
    return ((u * (1 + np.arange(u.shape[-1]) + 0.1 * seed)) @ v).astype(dtype)


def total(t: Any, seed: int = 7) -> Any:
    """The real part of a sum of the elements with random weights: a number that depends on all of them."""
    weights = random(*t.shape, seed=seed, dtype=t.dtype.as_numpy_dtype)
    return tf.math.real(tf.reduce_sum(t * weights))


def slope(f: Callable, h: float = 2e-3) -> Any:
    """The derivative at 0 of a function of a number: central differences, extrapolated to an error of the fourth order."""
    coarse, fine = ((f(s) - f(-s)) / (2 * s) for s in (h, h / 2))
    return (4 * fine - coarse) / 3


def assert_derivatives(
    f: Callable, *arrays: np.ndarray, hermitian: bool = False, second: bool = True, tol: float = 1e-7
) -> None:
    """The gradient of ``f``, which gives a real number, and the gradient of a weighted sum of its gradients.

    With ``hermitian``, the first array moves among Hermitian matrices only.
    """

    def inner(gs: list, ds: list) -> float:
        return float(sum(np.sum(np.real(np.conj(g) * d)) for g, d in zip(gs, ds, strict=True)))

    def directions(seed: int) -> list[np.ndarray]:
        ds = [random(*a.shape, seed=seed + i, dtype=a.dtype) for i, a in enumerate(arrays)]
        return [ds[0] + herm(ds[0]), *ds[1:]] if hermitian else ds

    def gradient(t: float) -> tuple[float, list]:
        xs = [tf.constant(a + t * s) for a, s in zip(arrays, steps, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(xs)
            y = f(*xs)
        return float(y), [g.numpy() for g in tape.gradient(y, xs)]

    steps, turns = directions(11), directions(23)
    gs = gradient(0.0)[1]
    want = slope(lambda t: gradient(t)[0])
    assert abs(inner(gs, steps) - want) <= tol * max(1, abs(want)), f"first: {inner(gs, steps)}, differences {want}"
    if not second:
        return
    xs = [tf.constant(a) for a in arrays]
    with tf.GradientTape() as outer:
        outer.watch(xs)
        with tf.GradientTape() as tape:
            tape.watch(xs)
            y = f(*xs)
        along = tf.add_n(
            [tf.reduce_sum(tf.math.real(tf.math.conj(g) * u)) for g, u in zip(tape.gradient(y, xs), turns, strict=True)]
        )
    hs = [h.numpy() for h in outer.gradient(along, xs)]
    want = slope(lambda t: inner(gradient(t)[1], turns))
    assert abs(inner(hs, steps) - want) <= tol * max(1, abs(want)), f"second: {inner(hs, steps)}, differences {want}"


def assert_jacobian(f: Callable, x: np.ndarray, tol: float = 1e-9) -> None:
    """All rows of a jacobian in one batched pass, against one pass for each element; inside and outside of tf.function."""
    t = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(t)
        y = f(t)
    whole = tape.jacobian(y, t).numpy()
    for at in np.ndindex(*y.shape):
        unit = np.zeros(y.shape, y.numpy().dtype)
        unit[at] = 1
        np.testing.assert_allclose(
            whole[at], tape.gradient(y, t, output_gradients=tf.constant(unit)).numpy(), rtol=tol, atol=tol
        )

    @tf.function
    def compiled(t: Any) -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(t)
            y = f(t)
        return y, tape.gradient(y, t)

    value, g = compiled(t)
    np.testing.assert_allclose(value.numpy(), y.numpy(), rtol=tol, atol=tol)
    np.testing.assert_allclose(g.numpy(), tape.gradient(y, t).numpy(), rtol=tol, atol=tol)
