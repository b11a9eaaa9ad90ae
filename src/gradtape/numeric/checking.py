"""``check_gradients``: derivatives of any order and mode against differences in random directions, with a report that shows where they part."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.tensor import Tensor, constant, convert
from ..gradient.functions import jvp, vjp
from ..gradient.tape import GradientTape
from ..ground import nest
from ..ground.errors import invalid
from .sampling import _eps
from .stencils import Place, central, extrapolated, forward

SHOWN = 8  # elements in a report
ELEMENTS = 4000  # entries of a Jacobian that are looked through for them
_WORDS = {"reverse": "reverse mode", "forward": "forward mode"}


class Check(NamedTuple):
    """One comparison along one direction: which derivative, its value, that by differences with the error of that, and how far they may be apart."""

    how: str
    order: int
    value: float
    differences: float
    error: float
    allowed: float
    clear: bool  # whether differences settle here
    ok: bool


class Disagreement(NamedTuple):
    """One element of a derivative that is not what differences say; ``left`` and ``right`` are the slopes to either side."""

    how: str
    where: str
    value: complex
    differences: complex
    error: float
    left: complex
    right: complex

    @property
    def kink(self) -> bool:
        """Whether the slopes to the two sides differ: then no number is the derivative."""
        gap = abs(self.left - self.right)
        return gap > 1e-3 * max(abs(self.left), abs(self.right)) and gap > 100 * self.error


class GradientReport:
    """What ``check_gradients`` found: ``checks``, ``disagreements``, ``notes``; ``str()`` of it is a table."""

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.disagreements: list[Disagreement] = []
        self.notes: list[str] = []

    @property
    def ok(self) -> bool:
        return all([c.ok for c in self.checks])

    def __str__(self) -> str:
        rows = [("order", "derivative", "value", "differences", "apart", "allowed", "")]
        for c in self.checks:
            rows.append((
                str(c.order), c.how, f"{c.value:.10g}", f"{c.differences:.10g}", f"{abs(c.value - c.differences):.1e}", f"{c.allowed:.1e}",
                "ok" if c.ok else "DIFFERS" if c.clear else "UNCLEAR",
            ))  # fmt: skip
        text = _table(rows)
        if self.disagreements:
            text += "\n\nWhere they part:\n" + _table(
                [("derivative", "element", "value", "differences", "to the left", "to the right", "")]
                + [
                    (
                        d.how,
                        d.where,
                        *[f"{v:.8g}" for v in (d.value, d.differences, d.left, d.right)],
                        "a kink" if d.kink else "",
                    )
                    for d in self.disagreements
                ]
            )
        return "\n".join([text, *self.notes])

    __repr__ = __str__


class GradientMismatch(AssertionError):
    """Derivatives that are not what differences say; ``report`` has them all."""

    def __init__(self, report: GradientReport) -> None:
        super().__init__("The derivatives are not what differences say.\n" + str(report))
        self.report = report


def check_gradients(
    f: Callable,
    args: Sequence,
    order: int = 2,
    modes: Sequence[str] = ("reverse", "forward"),
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    directions: int = 1,
    seed: int = 0,
) -> GradientReport:
    """Check the derivatives of a function of tensors by extrapolated differences along random directions, in every combination of modes.

    Args:
        f: a function of tensors; its result may be any structure of them.
        args: a list of its arguments, structures of what converts to tensors. Those of integers stay as they are.
        order: up to which order. With order 2, reverse over reverse, forward over reverse, reverse over forward and forward over forward are checked.
        modes: "reverse" (the tape), "forward" (the accumulator) or both.
        rtol: how far value and differences may be apart, relative to the terms of the sum that they are, beyond four times the estimated error of
            the differences. By default the dtype's epsilon to the power 3/4.
        atol: the same, absolute.
        directions: how many random directions are tried.
        seed: of what is random.

    Returns:
        A ``GradientReport``.

    Raises:
        GradientMismatch: an AssertionError whose message is the report: each comparison, and the elements at which the two part, with the slopes to
            either side. It is raised too where differences do not settle, for then nothing was checked.

    >>> import gradtape as tf
    >>> tf.test.check_gradients(lambda x, y: tf.sin(x) * y, [tf.constant([0.1, 0.2], tf.float64), tf.constant(3.0, tf.float64)]).ok
    True
    """
    modes = [modes] if isinstance(modes, str) else list(modes)
    if not modes or not set(modes) <= set(_WORDS):
        raise ValueError(f"modes must be of 'reverse' and 'forward', but is {tuple(modes)!r}.")
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"order must be 1, 2, ..., but is {order!r}.")
    if not isinstance(args, list | tuple):
        raise TypeError(f"args must be a list of the function's arguments, but is a {type(args).__name__}.")
    flat = [convert(a) for a in nest.flatten(list(args))]
    moving = [i for i, a in enumerate(flat) if a.dtype.is_floating or a.dtype.is_complex]
    if not moving:
        raise invalid("There is nothing to differentiate with respect to: none of the arguments is of floats.")

    def of_moving(*xs: Tensor) -> list[Tensor]:
        full = list(flat)
        for i, x in zip(moving, xs, strict=True):
            full[i] = x
        ys = [convert(y) for y in nest.flatten(f(*nest.pack_sequence_as(list(args), full)))]
        return [y for y in ys if y.dtype.is_floating or y.dtype.is_complex]

    report = GradientReport()
    checker = _Checker(report, [flat[i] for i in moving], moving, modes, rtol, atol, np.random.default_rng(seed))
    for _ in range(directions):
        checker.check(of_moving, 1, order, [])
    if not report.ok:
        raise GradientMismatch(report)
    return report


class _Checker:
    def __init__(
        self, report: GradientReport, xs: list[Tensor], numbers: list[int], modes: list[str], rtol: float | None, atol: float,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.report, self.xs, self.numbers, self.modes, self.rtol, self.atol, self.rng = (
            report, xs, numbers, modes, rtol, atol, rng,
        )  # fmt: skip
        self.arrays = [np.asarray(x) for x in xs]

    def random(self, like: np.ndarray) -> np.ndarray:
        """Short numbers from -2 to 2, none of them 0, so that steps along them are exact."""

        def draw() -> np.ndarray:
            return (self.rng.integers(1, 17, like.shape) * self.rng.choice([-1, 1], like.shape)) / 8

        return np.asarray(draw() + 1j * draw() if like.dtype.kind == "c" else draw())

    def check(self, g: Callable, depth: int, order: int, inner: list[str]) -> None:
        """The derivative of ``g``, which is itself that of the order ``depth`` - 1, by the modes ``inner``."""
        ys = [np.asarray(y) for y in g(*self.xs)]
        if not ys:
            raise invalid("The function returns no tensor of floats.")
        eps = max([_eps(a.dtype) for a in (*self.arrays, *ys)])
        vs = [self.random(a) for a in self.arrays]
        ws = [self.random(y) for y in ys]
        slope, errors = self.slope(g, vs, eps)
        flat_w = _flat(ws)
        differences = float(np.sum((np.conj(flat_w) * slope).real))
        error = float(np.sum(np.abs(flat_w) * errors))
        size = float(np.sum(np.abs(np.conj(flat_w) * slope)))
        for mode in self.modes:
            how = " over ".join([mode, *inner])
            ts = [constant(v.astype(a.dtype)) for v, a in zip(vs, self.arrays, strict=True)]
            cs = [constant(w.astype(y.dtype)) for w, y in zip(ws, ys, strict=True)]
            try:
                if mode == "reverse":
                    found = [np.asarray(c) for c in _pulled(g, self.xs, cs)]
                    terms = (np.conj(_flat(found)) * _flat(vs)).real
                else:
                    found = [np.asarray(t) for t in jvp(g, self.xs, ts)[1]]
                    terms = (np.conj(flat_w) * _flat(found)).real
            except Exception as problem:
                problem.add_note(f"check_gradients: in {how}, the derivative of order {depth}.")
                raise
            value = float(np.sum(terms))
            scale = max(size, float(np.sum(np.abs(terms))))
            allowed = 4 * error + (eps**0.75 if self.rtol is None else self.rtol) * scale + self.atol
            # half precisions cannot do better than what they allow; where the derivative is 0, the noise of the values is all there is
            clear = (
                error <= 4 * eps**0.25 * scale + eps**0.5 * float(np.sum(np.abs(flat_w * _flat(ys)))) + self.atol
                if eps < 1e-4
                else math.isfinite(error)
            )
            ok = clear and abs(value - differences) <= allowed
            self.report.checks.append(Check(how, depth, value, differences, error, allowed, clear, ok))
            if not clear:
                self.report.notes.append(
                    f"{how}: differences do not settle here (their error may be {error:.1e}), so they decide nothing: is the function smooth, and defined around this point?"
                )
            elif not ok:
                self.look_closer(g, mode, how, ys, eps)
            if depth < order:
                derived = (
                    (lambda *xs, cs=cs: _pulled(g, xs, cs))
                    if mode == "reverse"
                    else (lambda *xs, ts=ts: jvp(g, list(xs), ts)[1])
                )
                self.check(derived, depth + 1, order, [mode, *inner])

    def line(self, g: Callable, vs: list[np.ndarray]) -> Callable[[Place], np.ndarray]:
        """φ(t) = g(x + t·v/8), flat."""
        known: dict[Place, np.ndarray] = {}

        def phi(place: Place) -> np.ndarray:
            if place not in known:
                moved = [
                    constant((_wide(a) + place[0] / 8 * v).astype(a.dtype))
                    for a, v in zip(self.arrays, vs, strict=True)
                ]
                known[place] = _flat([np.asarray(y) for y in g(*moved)])
            return known[place]

        def lenient(place: Place) -> np.ndarray:
            try:
                return phi(place)
            except (ValueError, ArithmeticError):
                if place == (0.0,):
                    raise
                return np.full_like(phi((0.0,)), np.nan)

        return lenient

    def slope(self, g: Callable, vs: list[np.ndarray], eps: float) -> tuple[np.ndarray, np.ndarray]:
        value, error = extrapolated(central(1), self.line(g, vs), eps)
        return value * 8, error * 8

    def look_closer(self, g: Callable, mode: str, how: str, ys: list[np.ndarray], eps: float) -> None:
        """Enter the elements at which the derivative and the differences part into the report, the worst first."""
        n, m = sum([a.size for a in self.arrays]), sum([y.size for y in ys])
        if mode == "reverse":
            self.report.notes += list(self.unconnected(g, how))
        if n * m > ELEMENTS:
            self.report.notes.append(
                f"{how}: its {m} x {n} elements are too many to be looked through; check a smaller case to see which differ."
            )
            return
        found = np.zeros((m, n), complex)  # ∂y_k / ∂x_j along the real axis
        for j, unit in enumerate(self.units(self.arrays)):
            if mode == "forward":
                ts = [constant(u.astype(a.dtype)) for u, a in zip(unit, self.arrays, strict=True)]
                found[:, j] = _flat([np.asarray(t) for t in jvp(g, self.xs, ts)[1]])
        if mode == "reverse":
            for k, unit in enumerate(self.units(ys)):
                for part in (1, 1j) if any([y.dtype.kind == "c" for y in ys]) else (1,):
                    cs = [constant((part * u).astype(y.dtype)) for u, y in zip(unit, ys, strict=True)]
                    # Re(conj(cotangent of x)) is ∂Re(conj(part) y)/∂Re(x)
                    found[k] += part * _flat([np.asarray(c) for c in _pulled(g, self.xs, cs)]).real
        entries = []
        for j, unit in enumerate(self.units(self.arrays)):
            phi = self.line(g, unit)
            want, error = (8 * v for v in extrapolated(central(1), phi, eps))
            right, left = (8 * v for v in self.sides(phi, eps))
            for k in range(m):
                gap = abs(found[k, j] - want[k])
                if not gap <= 4 * error[k] + eps**0.75 * max(abs(want[k]), abs(found[k, j])):
                    where = f"{_place('result', k, ys)} by {_place('argument', j, self.arrays, self.numbers)}"
                    four = [_real(v) for v in (found[k, j], want[k], left[k], right[k])]
                    entries.append((gap, Disagreement(how, where, four[0], four[1], float(error[k]), four[2], four[3])))
        entries.sort(key=lambda e: -e[0] if e[0] == e[0] else -math.inf)
        self.report.disagreements += [e[1] for e in entries[:SHOWN]]
        if len(entries) > SHOWN:
            self.report.notes.append(f"{how}: {len(entries) - SHOWN} more elements differ.")
        if any([e[1].kink for e in entries]):
            note = "At a kink, the slopes to the left and to the right differ, and differences say nothing: check beside it."
            self.report.notes += [note] * (note not in self.report.notes)

    def sides(self, phi: Callable[[Place], np.ndarray], eps: float) -> Iterator[np.ndarray]:
        """The slopes of φ to the right and to the left."""
        h = 2.0 ** round(math.log2(eps) / 2)
        for t in (h, -h):
            yield forward(1).at(phi, t)

    def unconnected(self, g: Callable, how: str) -> Iterator[str]:
        with GradientTape() as tape:
            tape.watch(self.xs)
            ys = g(*self.xs)
        gs = tape.gradient(ys, self.xs)
        for number, got in zip(self.numbers, gs, strict=True):
            if got is None:
                yield f"{how}: the tape sees no way from argument {number} to the result: was it turned into a NumPy array, a Python number or an integer, or stopped by stop_gradient?"

    def units(self, arrays: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        for i, a in enumerate(arrays):
            for at in np.ndindex(a.shape):
                unit = [np.zeros(b.shape) for b in arrays]
                unit[i][at] = 1.0
                yield unit


def _pulled(g: Callable, xs: Sequence, cs: list) -> list[Tensor]:
    """The cotangents of ``xs``; the values of ``g`` are of no more use."""
    return list(vjp(g, *xs)[1](cs))


def _wide(a: np.ndarray) -> np.ndarray:
    return a.astype(np.result_type(a.dtype, np.float64) if a.dtype.kind in "fc" else np.float64)


def _flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([_wide(a).ravel() for a in arrays])


def _real(v: Any) -> complex:
    """A number that is not written as a complex one where it is real."""
    return complex(v) if v.imag else float(v.real)


def _place(word: str, flat: int, arrays: list[np.ndarray], numbers: list[int] | None = None) -> str:
    """What stands at an element of the flat vector, such as ``argument 1[0, 2]``."""
    for i, a in enumerate(arrays):
        if flat < a.size:
            name = f"{word} {numbers[i]}" if numbers else word if len(arrays) == 1 else f"{word} {i}"
            index = ", ".join([str(int(v)) for v in np.unravel_index(flat, a.shape)]) if a.shape else ""
            return name + (f"[{index}]" if index else "")
        flat -= a.size
    raise IndexError(flat)


def _table(rows: list[tuple]) -> str:
    widths = [max([len(r[i]) for r in rows]) for i in range(len(rows[0]))]
    return "\n".join(["  ".join([c.ljust(w) for c, w in zip(r, widths, strict=True)]).rstrip() for r in rows])
