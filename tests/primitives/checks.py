"""What the generated tests of the table share: samples from a row's test domain, differences, comparisons.

Nothing here knows a row by its name. What a row's inputs may be is read from the row itself: ``domain`` or ``cases`` say
where to sample, ``accepts`` and ``like`` which dtypes, the gradient rules which inputs are differentiable.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from gradtape.core.tensor import Tensor, unbox
from gradtape.gradient.tape import GradientTape
from gradtape.ground import dtypes as dt
from gradtape.ground.errors import OpError
from gradtape.ground.primitive import Aval, Primitive
from gradtape.primitives.indexing import IndexedSlices

FLOATS = (dt.float16, dt.bfloat16, dt.float32, dt.float64)
COMPLEXES = (dt.complex64, dt.complex128)


class Case(NamedTuple):
    """One application of a row: what to call it with, and a word on which case of the spread it is."""

    label: str
    arrays: tuple
    attrs: dict[str, Any]


def generator(p: Primitive, salt: str = "") -> np.random.Generator:
    """Random numbers that are the same in each run, and other ones for each row."""
    return np.random.default_rng(zlib.crc32(f"{p.name}/{salt}".encode()))


def dtypes_of(p: Primitive, among: tuple[dt.DType, ...] = dt.ALL) -> list[dt.DType]:
    """The dtypes among these that the row takes: those it accepts and, for a family of dtypes, does not refuse."""
    return [d for d in among if d.kind & p.accepts and any(True for _ in cases(p, d, spread=False))]


# -- samples ------------------------------------------------------------------------------------------------------------

SHAPES = ((), (1,), (5,), (2, 3), (2, 1, 3), (0,), (2, 0, 3))
BROADCASTS = (
    [(2, 3), (3,), (2, 1), (1, 3), ()],
    [(2, 0), (0,), (2, 1), (1, 1), ()],
    [(2, 1, 3), (4, 1), (1,), (2, 4, 1)],
)


def shapes_for(n: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """A spread of shapes for ``n`` inputs: all equal, and for two and more, all sorts that broadcast."""
    for s in SHAPES:
        yield (s,) * n
    if n > 1:
        for j in range(n):
            yield tuple((2, 3) if i == j else () for i in range(n))
        for family in BROADCASTS:
            for k in range(len(family)):
                yield tuple(family[(k + j) % len(family)] for j in range(n))


def draw(rng: np.random.Generator, p: Primitive, i: int, shape: tuple[int, ...]) -> np.ndarray:
    """Float64 values for input ``i`` from the row's interval, none near a point to avoid."""
    lo, hi = p.domain[i]
    a = rng.uniform(lo, hi, shape)
    while True:
        near = np.zeros(shape, bool)
        for point in p.avoid:
            near |= np.abs(a - point) < 0.05 * (hi - lo)
        if not near.any():
            return a
        a = np.where(near, rng.uniform(lo, hi, shape), a)


def to_dtype(a: Any, d: dt.DType, rng: np.random.Generator, interval: Any = None, signed: bool = True) -> np.ndarray:
    """Float64 samples as values of another dtype: whole numbers within the interval, complex ones off the real axis, texts."""
    a = np.asarray(a)
    if d.kind == dt.BOOL:
        middle = 0 if interval is None else (interval[0] + interval[1]) / 2
        return np.asarray(a > middle)
    if d.is_integer and not np.issubdtype(a.dtype, np.integer):
        if interval is None:
            whole = np.round(a)
        else:
            lo, hi = np.ceil(interval[0]), np.floor(interval[1])
            if not signed or d.kind == dt.UINT:
                lo = max(lo, min(0, hi))
            whole = rng.integers(int(lo), int(max(lo, hi)) + 1, a.shape)
        return np.asarray(np.abs(whole) if not signed or d.kind == dt.UINT else whole).astype(d.np)
    if d.is_complex:
        return np.asarray(a + 1j * rng.uniform(0.2, 0.8, a.shape) * rng.choice([-1, 1], a.shape)).astype(d.np)
    if d.kind == dt.STRING:
        text = np.empty(a.shape, object)
        text.ravel()[:] = [str(v).encode() for v in a.ravel().tolist()]
        return text
    return np.asarray(a.astype(d.np))


def _drawn(p: Primitive, d: dt.DType, shapes: tuple, rng: np.random.Generator) -> tuple | None:
    """Inputs of these shapes for a row with a ``domain``, or None where the row does not take the dtype."""
    raw = [draw(rng, p, i, s) for i, s in enumerate(shapes)]
    for signed in (True, False):  # some refuse negative integers
        # an input that is not differentiable, beside others that are, may be a condition
        for condition in (False, True):
            if condition and (p.grad is None or callable(p.grad) or all(r is None for r in p.grad)):
                continue
            arrays = tuple(
                unbox(to_dtype(a, dt.bool_ if condition and p.rule(i) is None else d, rng, p.domain[i], signed))
                for i, a in enumerate(raw)
            )
            try:
                p.shape(*[aval(a) for a in arrays])
                if d.is_integer:
                    with np.errstate(all="ignore"):
                        p.kernel(*arrays)
            except OpError:
                continue
            return arrays
    return None


def _recast(
    p: Primitive, arrays: tuple, attrs: dict, d: dt.DType, rng: np.random.Generator
) -> tuple[tuple, dict] | None:
    """A row's own case in another dtype: what had the dtype of the ``like`` input takes ``d``, attributes that name it too."""
    arrays = tuple(np.asarray(a) for a in arrays)
    base = dtype_of(arrays[p.like])
    if base is not d:
        if base.is_integer and not d.kind & (dt.INT | dt.UINT):
            return None
        arrays = tuple(to_dtype(a, d, rng) if dtype_of(a) is base else a for a in arrays)
        attrs = {k: d if v is base else v for k, v in attrs.items()}
    arrays = tuple(unbox(a) for a in arrays)
    try:
        p.shape(*[aval(a) for a in arrays], **attrs)
    except OpError:
        return None
    return arrays, attrs


def cases(p: Primitive, d: dt.DType = dt.float64, *, spread: bool = True) -> Iterator[Case]:
    """The row's cases in dtype ``d``: for a ``domain`` a spread of shapes, else its own; with ``spread`` in other memory layouts too."""
    rng = generator(p, d.name)
    found = 0
    if p.domain is not None:
        for shapes in shapes_for(len(p.domain)):
            arrays = _drawn(p, d, shapes, rng)
            if arrays is not None:
                found += 1
                yield Case(" ".join(map(str, shapes)), arrays, {})
                if spread and found in (4, 5):
                    yield from _layouts(Case(f"{shapes[0]}", arrays, {}))
    if p.cases is not None:
        for n, (given, attrs) in enumerate(p.cases(rng)):
            made = _recast(p, given, attrs, d, rng)
            if made is None:
                continue
            label = f"case {n} {[np.shape(a) for a in made[0]]} {made[1]}"
            case = Case(label, *made)
            yield case
            if spread:
                yield from _layouts(case)
                if p.elementwise and len(made[0]) == 1:
                    pool = np.ravel(made[0][0])
                    for s in SHAPES:
                        yield Case(f"{label} {s}", (unbox(rng.choice(pool, s)),), made[1])


def _layouts(case: Case) -> Iterator[Case]:
    """The same values in arrays that are not contiguous."""
    if not any(np.ndim(a) for a in case.arrays):
        return
    yield case._replace(label=case.label + " in Fortran's order", arrays=tuple(_fortran(a) for a in case.arrays))
    yield case._replace(label=case.label + " strided", arrays=tuple(_strided(a) for a in case.arrays))


def _fortran(a: Any) -> Any:
    return a.T.copy().T if np.ndim(a) else a


def _strided(a: Any) -> Any:
    """Every second element, backwards, of an array twice as large."""
    if not np.ndim(a):
        return a
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
    view = wide[..., ::-2]
    view[...] = a
    return view


def extreme(p: Primitive, d: dt.DType) -> Iterator[Case]:
    """The row's cases with infinities, NaN, zeros and the ends of the dtype's range in place of its float values."""
    info = ml_dtypes.finfo(d.np)
    points = np.array(
        [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, np.inf, -np.inf, np.nan, info.max, info.min, info.tiny, 2.0, 0.999], d.np
    )
    n = len(points)
    for case in cases(p, d, spread=False):
        yield case._replace(label=case.label + " of extreme values", arrays=tuple(
            unbox(np.resize(np.roll(points, 5 * i), np.shape(a))) if dtype_of(a) is d else a for i, a in enumerate(case.arrays)))  # fmt: skip
    if p.domain is not None and p.elementwise:
        grid = np.meshgrid(*[points] * len(p.domain))
        base = next(cases(p, d, spread=False))
        yield Case(
            "all pairs",
            tuple(
                g.ravel() if dtype_of(a) is d else np.resize([True, False], n ** len(grid))
                for g, a in zip(grid, base.arrays, strict=True)
            ),
            {},
        )


# -- application ----------------------------------------------------------------------------------------------------------


def dtype_of(a: Any) -> dt.DType:
    """The DType of an array or scalar."""
    return dt.string if isinstance(a, bytes) else dt.of_numpy[np.asarray(a).dtype]


def as_array(a: Any) -> np.ndarray:
    """The array of an array or scalar; of ``bytes``, one of objects."""
    return np.asarray(a, object if isinstance(a, bytes) else None)


def aval(a: Any) -> Aval:
    """The abstract value of an array or scalar."""
    return Aval(np.shape(a), dtype_of(a))


def tensor(a: Any) -> Tensor:
    """The tensor that holds this very array (no copy, so that layouts stay)."""
    return Tensor(unbox(a), dtype_of(a))


def call(p: Primitive, arrays: Any, attrs: dict[str, Any]) -> list[Tensor]:
    """The row applied through the dispatch; always a list of tensors."""
    out = p(*[tensor(a) for a in arrays], **attrs)
    return list(out) if p.multi else [out]


def arrays_of(tensors: Any) -> list:
    return [t._a for t in tensors]


def expected(p: Primitive, arrays: Any, attrs: dict[str, Any]) -> list[Aval]:
    """What the shape rule says."""
    out = p.shape(*[aval(a) for a in arrays], **attrs)
    assert isinstance(out, list) == p.multi, f"the shape rule gives {type(out).__name__}"
    return out if p.multi else [out]


def differentiable(p: Primitive, arrays: Any) -> list[int]:
    """The inputs through which a derivative may flow."""
    return [i for i, a in enumerate(arrays) if p.rule(i) is not None and dtype_of(a).is_inexact]


# -- comparison -----------------------------------------------------------------------------------------------------------


def epsilon(d: dt.DType) -> float:
    """The distance from 1 to the next number."""
    return float(ml_dtypes.finfo(d.real_dtype.np).eps)


def wide(a: Any) -> np.ndarray:
    """Float64 or complex128, to compare in."""
    a = as_array(a)
    if a.dtype.kind == "O":
        return a
    return a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)


def assert_close(got: Any, want: Any, rtol: float, what: str, atol: float = 0.0) -> None:
    """Each element within ``rtol`` of the wanted one, NaN and infinities in the same places."""
    got, want = wide(got), wide(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, not {want.shape}"
    if got.dtype == object or want.dtype == object:
        assert got.tolist() == want.tolist(), what
        return
    with np.errstate(all="ignore"):
        near = np.abs(got - want) <= rtol * np.abs(want) + atol
    bad = ~(near | (got == want) | (np.isnan(got) & np.isnan(want)))
    if np.any(bad):
        with np.errstate(all="ignore"):
            worst = np.max(np.abs(got - want)[bad] / np.maximum(np.abs(want)[bad], 1e-300))
        raise AssertionError(
            f"{what}: {np.sum(bad)} of {bad.size} elements differ, relatively by up to {worst:.2g}\n got {got[bad][:5]}\nwant {want[bad][:5]}"
        )


# -- differences ------------------------------------------------------------------------------------------------------------


def inner(xs: Any, ys: Any) -> float:
    """The real inner product of two lists of arrays, complex numbers taken as pairs of real ones."""
    return float(sum(np.sum(np.real(np.conj(x) * y)) for x, y in zip(xs, ys, strict=True)))


def slope(f: Callable[[float], list], h: float = 2e-3) -> list:
    """The derivative at 0 of a function from a number to a list of arrays.

    Central differences at h and h/2, extrapolated: the error is about h⁴/480 of the fifth derivative.
    """
    at = {t: f(t) for t in (-h, -h / 2, h / 2, h)}
    coarse = [(a - b) / (2 * h) for a, b in zip(at[h], at[-h], strict=True)]
    fine = [(a - b) / h for a, b in zip(at[h / 2], at[-h / 2], strict=True)]
    return [(4 * b - a) / 3 for a, b in zip(coarse, fine, strict=True)]


def assert_slope(predicted: float, f: Callable[[float], list], weights: list, tol: float, what: str) -> None:
    """``predicted`` against the weighted sum of the slopes of ``f``.

    The tolerance is relative to the sum of the terms' sizes, so that terms that cancel do not make it stricter than the
    differences can be; below it lies the rounding of the differences themselves.
    """
    slopes = slope(f)
    want = inner(weights, slopes)
    size = sum(float(np.sum(np.abs(w * s))) for w, s in zip(weights, slopes, strict=True))
    noise = sum(float(np.sum(np.abs(w * v))) for w, v in zip(weights, f(0.0), strict=True)) * 1e-12
    assert abs(predicted - want) <= tol * size + noise, (
        f"{what}: the gradient gives {predicted!r}, differences {want!r} (tolerance {tol:g})"
    )


def directions(rng: np.random.Generator, arrays: list) -> Iterator[list]:
    """Random directions for some inputs: a real one and, where any is complex, one along the imaginary axis."""
    for unit in (1, 1j) if any(np.iscomplexobj(a) for a in arrays) else (1,):
        yield [
            rng.uniform(0.5, 1, np.shape(a)) * rng.choice([-1, 1], np.shape(a)) * (unit if np.iscomplexobj(a) else 1)
            for a in arrays
        ]


def weights_for(rng: np.random.Generator, outs: list) -> list:
    """Random cotangents for some outputs."""
    return [
        np.asarray(
            rng.uniform(0.5, 1.5, np.shape(o)) + (1j * rng.uniform(-1, 1, np.shape(o)) if np.iscomplexobj(o) else 0)
        )
        for o in outs
    ]


def inexact(tensors: Any) -> list[Tensor]:
    return [t for t in tensors if t._d.is_inexact]


def gradients(
    p: Primitive, arrays: Any, attrs: dict[str, Any], chosen: list[int], cotangents: Any, unconnected: str = "none"
) -> list:
    """The gradients of the row's outputs with respect to the ``chosen`` inputs alone, by the tape."""
    xs = [tensor(a) for a in arrays]
    with GradientTape() as tape:
        tape.watch([xs[i] for i in chosen])
        out = p(*xs, **attrs)
        outs = inexact(out if p.multi else [out])
    gs = [tensor(unbox(np.asarray(w, dtype=o._d.np))) for w, o in zip(cotangents, outs, strict=True)]
    return dense(tape.gradient(outs, [xs[i] for i in chosen], output_gradients=gs, unconnected_gradients=unconnected))


def dense(gs: list) -> list:
    """Gradients with the sparse ones among them made whole."""
    return [g.to_dense() if isinstance(g, IndexedSlices) else g for g in gs]


def agree(got: Aval, want: Aval) -> bool:
    """Whether a result is what the shape rule says; None stands for a dimension that the values decide."""
    same = len(got.shape) == len(want.shape) and all(
        w is None or g == w for g, w in zip(got.shape, want.shape, strict=True)
    )
    return same and got.dtype is want.dtype


def moved(arrays: Any, chosen: list[int], step: list, t: float) -> list:
    """The arrays with the chosen ones moved by ``t`` along ``step``."""
    out = list(arrays)
    for i, v in zip(chosen, step, strict=True):
        out[i] = unbox(np.asarray(arrays[i] + t * v))
    return out


def mangled(arrays: tuple) -> Iterator[tuple[str, list]]:
    """The inputs with the shape of one changed: a dimension less, one more, longer, of length 1 or 0."""
    for j, a in enumerate(arrays):
        a = as_array(a)
        changed = [
            ("one dimension more in front", np.stack([a, a])),
            ("one dimension more behind", np.stack([a, a], -1)),
        ]
        for axis in range(a.ndim):
            if a.shape[axis]:
                changed.append((f"without axis {axis}", np.take(a, 0, axis)))
                changed.append((f"axis {axis} longer", np.concatenate([a, np.take(a, [0], axis)], axis)))
                changed.append((f"axis {axis} of length 1", np.take(a, [0], axis)))
                changed.append((f"axis {axis} of length 0", np.take(a, [], axis)))
        for label, b in changed:
            yield f"input {j}: {label}", [unbox(b) if i == j else x for i, x in enumerate(arrays)]
