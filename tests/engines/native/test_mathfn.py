"""The largest errors of the vector math functions, in units of the last place, against extended precision.

The samples are dense where each function is used and logarithmic over all of its range; ``mathfn.ULP`` is what is promised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradtape.engines.native import compile as native
from gradtape.engines.native.mathfn import MATH, ULP
from gradtape.ground import dtypes as dt

from .graphs import Build

L = np.longdouble
EXTENDED = np.finfo(L).nmant >= 63


def _erf_series(x: Any) -> Any:
    """erf by the series without cancellation: 2/sqrt(pi)·exp(-x²)·sum of 2ⁿx²ⁿ⁺¹/(2n+1)!!."""
    x = np.asarray(x, L)
    term, total = x.copy(), x.copy()
    for n in range(1, 120):
        term = term * (2 * x * x) / (2 * n + 1)
        total = total + term
    return 2 / np.sqrt(_PI) * np.exp(-x * x) * total


def _erfc_fraction(x: Any) -> Any:
    """erfc for x >= 2 by its continued fraction."""
    x = np.asarray(x, L)
    f = np.zeros_like(x)
    for n in range(160, 0, -1):
        f = (L(n) / 2) / (x + f)
    # exp(-x²) with x² as a sum of two: its rounding alone would cost digits
    high = x.astype(np.float32).astype(L)
    e = np.exp(-high * high) * np.exp(-(x - high) * (x + high))
    return e / (np.sqrt(_PI) * (x + f))


_PI = L("3.14159265358979323846264338327950288")


def _erfc(x: Any) -> Any:
    x = np.asarray(x, L)
    big = np.abs(x) >= 2
    tail = _erfc_fraction(np.where(big, np.abs(x), 2))
    return np.where(x >= 2, tail, np.where(x <= -2, 2 - tail, 1 - _erf_series(np.where(big, 0, x))))


def _erf(x: Any) -> Any:
    x = np.asarray(x, L)
    big = np.abs(x) >= 2
    return np.where(
        big, np.sign(x) * (1 - _erfc_fraction(np.where(big, np.abs(x), 2))), _erf_series(np.where(big, 0, x))
    )


REFERENCE: dict[str, Callable] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "sin": np.sin, "cos": np.cos, "tan": np.tan, "atan": np.arctan, "asin": np.arcsin, "acos": np.arccos,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), "rsqrt": lambda x: 1 / np.sqrt(x),
    "erf": _erf, "erfc": _erfc, "atan2": np.arctan2, "pow": np.power,
}  # fmt: skip
SPAN = {"sin": 2e5, "cos": 2e5, "tan": 2e5, "asin": 1, "acos": 1, "atanh": 1, "erf": 7, "erfc": 28}


def samples(name: str, d: Any, n: int = 20000) -> np.ndarray:
    """Where to look."""
    rng = np.random.default_rng(0)
    span = SPAN.get(name, 110 if d is dt.float32 else 760)
    low, high = (-44, 38) if d is dt.float32 else (-320, 308)
    parts = [
        rng.uniform(-span, span, n),
        rng.uniform(-1, 1, n),
        rng.uniform(0, 3, n),
        rng.uniform(-20, 20, n),
        10.0 ** rng.uniform(low, high, n) * rng.choice([-1, 1], n),
        1 + 10.0 ** rng.uniform(-8, 0, n) * rng.choice([-1, 1], n),
    ]
    if name in ("erf", "erfc"):
        parts = [p[np.abs(p) <= span] for p in (p[:3000] for p in parts)]
    return np.concatenate(parts).astype(d.np)


def errors(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """In units of the last place of the exact result; results beyond the range count as they round."""
    t = got.dtype
    rounded = want.astype(t)
    finite = np.isfinite(rounded) & np.isfinite(got)
    unit = np.spacing(np.maximum(np.abs(rounded), np.finfo(t).tiny)).astype(L)
    equal = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(finite, np.abs(got.astype(L) - want) / unit, np.where(equal, 0, np.inf))


def test_all_are_tested() -> None:
    assert set(MATH) == set(REFERENCE) == set(ULP)


@pytest.mark.parametrize("d", [dt.float32, dt.float64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_bounds(name: str, d: Any) -> None:
    if d is dt.float64 and not EXTENDED:
        pytest.skip("NumPy has no extended precision here")
    x = samples(name, d)
    xs = [x]
    if name in ("atan2", "pow"):
        rng = np.random.default_rng(1)
        xs = [
            np.concatenate([x, np.abs(x)]),
            np.concatenate([rng.permutation(x), rng.uniform(-9, 9, x.size).astype(d.np)]),
        ]
    b = Build()
    run = native(b.graph(b(name, *[b.input(x.shape, d) for x in xs])))
    got = run(*xs)[0]
    with np.errstate(all="ignore"):
        want = REFERENCE[name](*[x.astype(L) for x in xs])
        e = errors(got, want)
    worst = int(np.argmax(e))
    bound = ULP[name][d is dt.float64]
    assert e[worst] <= bound, (
        f"{name}{tuple(x[worst] for x in xs)} = {got[worst]!r}, wanted {want[worst]!r}: {float(e[worst]):.3f} ulp"
    )


@pytest.mark.parametrize("d", [dt.float32, dt.float64], ids=lambda d: d.name)
def test_huge_angles(d: Any) -> None:
    """Beyond the reduction's range, and beside small ones in one vector."""
    x = np.array([1e8, 3e5, -2e7, 1e22, 0.5, np.inf, np.nan, -1e30, 1.0], d.np)
    for name, f in (("sin", np.sin), ("cos", np.cos), ("tan", np.tan)):
        b = Build()
        got = native(b.graph(b(name, b.input(x.shape, d))))(x)[0]
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(got, f(x.astype(np.float64)).astype(d.np), rtol=4 * np.finfo(d.np).eps)
        near = np.array([0.5, 1.0], d.np)
        small = Build()
        alone = native(small.graph(small(name, small.input((2,), d))))(near)[0]
        assert got[[4, 8]].tobytes() == alone.tobytes()


@pytest.mark.parametrize("d", [dt.float32, dt.float64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", sorted(set(REFERENCE) - {"atan2", "pow"}))
def test_single_numbers_have_the_bits_of_vectors(name: str, d: Any) -> None:
    """Also where the way of single numbers branches."""
    tiny, borders = (
        float(np.finfo(d.np).smallest_subnormal),
        [n * np.pi / 8 * f for n in range(12) for f in (0.98, 1, 1.02)],
    )
    x = np.array([0.0, tiny, 1e-5, 1e30, np.inf, *borders, *borders], d.np)
    x = np.concatenate([x, -x])
    x = np.concatenate(
        [x, *[np.nextafter(x, d.np.type(to)) for to in (-2, 0, 2)], [np.nan], samples(name, d, 20)]
    ).astype(d.np)
    vector, single = Build(), Build()
    want = native(vector.graph(vector(name, vector.input(x.shape, d))))(x)[0]
    run = native(single.graph(single(name, single.input((), d))))
    got = np.array([run(v)[0] for v in x], d.np)
    where = (got.tobytes() != want.tobytes()) and (got.view(f"u{d.size}") != want.view(f"u{d.size}")) & ~(
        np.isnan(got) & np.isnan(want)
    )
    assert not np.any(where), f"{name}({x[where][:5]!r}) = {got[where][:5]!r}, in a vector {want[where][:5]!r}"
