"""gradtape.symbolic beside SymPy, in one run: derivative and compilation of formulas of 200 terms, evaluation over a million points.

    python benchmarks/symbolic.py [rounds]

Needs SymPy. The two take turns, and a figure is the best of its rounds: what disturbs a measurement only ever adds to it. Each round begins
with new variables, and SymPy's with an empty cache. "Derivative and compile" is from the formula to a function that can be called: for gradtape
including all that a first call would make ready, for SymPy diff and lambdify. The first round of all, in a process that finds no native code on disk,
is shown by itself.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy
from sympy.core.cache import clear_cache

import gradtape as tf
from gradtape import symbolic as S

TERMS, POINTS = 200, 1_000_000
COMPILE, EVALUATE = 0.1, 0.5  # the time at most, as a multiple of SymPy's


def mixed(x: Any, y: Any, sin: Callable, exp: Callable) -> list:
    """Sines, exponentials, powers and quotients."""
    rng, terms = random.Random(0), []
    for i in range(TERMS):
        a, b, c = (round(rng.uniform(0.5, 2), 3) for _ in range(3))
        terms.append(
            (
                a * sin(b * x + c * y),
                a * x ** (2 + i % 3) * exp(-b * y * y),
                a * exp(-b * x) * sin(c * x * y),
                a * x * y / (b + x * x + c * y * y),
            )[i % 4]
        )
    return terms


def polynomial(x: Any, y: Any, sin: Callable, exp: Callable) -> list:
    """All monomials up to x²⁰y⁹."""
    rng = random.Random(1)
    return [round(rng.uniform(0.5, 2), 3) * x ** (1 + i % 20) * y ** (i // 20) for i in range(TERMS)]


FORMULAS = {"mixed": mixed, "polynomial": polynomial}


def gradtapes(build: Callable) -> tuple[float, Callable]:
    """Seconds for derivative and compilation, and the function."""
    x, y = S.variables("x y")
    terms = build(x, y, tf.sin, tf.exp)
    e = terms[0]
    for t in terms[1:]:
        e = e + t
    start = time.perf_counter()
    f = S.compile(e.diff(x), [x, y])
    f([0.5, 0.25], [0.5, 0.25])  # prepares what arrays need
    return time.perf_counter() - start, f


def sympys(build: Callable) -> tuple[float, Callable]:
    """The same by SymPy."""
    clear_cache()
    x, y = sympy.symbols("x y")
    e = sympy.Add(*build(x, y, sympy.sin, sympy.exp))
    start = time.perf_counter()
    f = sympy.lambdify((x, y), sympy.diff(e, x), "numpy")
    return time.perf_counter() - start, f


def timed(f: Callable) -> float:
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def main(rounds: int) -> bool:
    """Print the table; whether all targets are met."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, 1, (2, POINTS))
    met = True
    print(f"{'formula':12}{'step':26}{'gradtape ms':>12}{'SymPy ms':>12}{'ratio':>8}{'target':>8}")

    def row(name: str, step: str, ours: float, theirs: float, target: float) -> None:
        nonlocal met
        ratio = ours / theirs
        met &= ratio <= target
        print(
            f"{name:12}{step:26}{ours * 1e3:12.1f}{theirs * 1e3:12.1f}{ratio:8.3f}{target:8.2f}{'' if ratio <= target else '  missed'}"
        )

    for name, build in FORMULAS.items():
        made = [(gradtapes(build), sympys(build)) for _ in range(rounds)]
        ours, theirs = (min(m[k][0] for m in made) for k in (0, 1))
        row(name, "derivative and compile", ours, theirs, COMPILE)
        (_, f), (_, g) = made[-1]
        np.testing.assert_allclose(f(a, b), g(a, b), rtol=1e-9, atol=1e-9)
        times = [(timed(lambda: f(a, b)), timed(lambda: g(a, b))) for _ in range(rounds)]  # noqa: B023
        row(name, "evaluate a million points", *(min(t[k] for t in times) for k in (0, 1)), EVALUATE)
        with tempfile.TemporaryDirectory() as folder:
            env = {**os.environ, "GRADTAPE_CACHE_DIR": folder}
            cold = subprocess.run(
                [sys.executable, __file__, "--cold", name], env=env, capture_output=True, text=True, check=True
            )
        row(name, "  the first on a machine", float(cold.stdout), theirs, float("inf"))
    return met


if __name__ == "__main__":
    if "--cold" in sys.argv:
        print(gradtapes(FORMULAS[sys.argv[-1]])[0])
    else:
        sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
