"""Derivatives of functions that are only evaluated: by differences, extrapolated differences, and steps into the complex plane."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..ground.errors import invalid
from .sampling import Sampled, result
from .stencils import (
    MIXED_CENTRAL,
    MIXED_FORWARD,
    Place,
    Stencil,
    central,
    extrapolated,
    forward,
    kink,
    step_factor,
    with_error,
)

METHODS = ("forward", "backward", "central", "richardson", "complex", "adaptive")
FIRST = 0.125  # the first step of an extrapolation, as part of the size of x
# the complex step by the size of a float: its square vanishes beside 1, and it does not underflow where it matters
IMAGINARY = {8: 1e-100, 4: 1e-20}


class Estimate(NamedTuple):
    """A derivative with what is known about it: ``value``, ``error`` (an estimate of its absolute error, element by element), the ``step``, and the
    number of ``evaluations`` of the function."""

    value: Any
    error: Any
    step: Any
    evaluations: int


def derivative(
    f: Callable, x: Any, order: int = 1, *, method: str = "central", step: Any = None, full: bool = False
) -> Any:
    """The derivative of a function of one number, or at each point of an elementwise function.

    Args:
        f: the function. It is given what ``x`` is: Python floats (or complex numbers, for ``method="complex"``), NumPy arrays or tensors of the same dtype.
        x: where: a number, or an array or tensor of any shape, all elements of which are moved at once.
        order: 1 for the first derivative, 2 for the second, and so on.
        method: - "forward", "backward": (f(x + h) - f(x)) / h, right to about half of the digits;
            - "central": (f(x + h) - f(x - h)) / 2h, to about two thirds of the digits;
            - "richardson": central differences with shorter and shorter steps, extrapolated to the step 0: to all but two or three digits;
            - "complex": Im f(x + ih) / h, to the last digit, for analytic functions that take complex numbers (W. Squire and G. Trapp, "Using complex
              variables to estimate derivatives of real functions", SIAM Review 40, 1998); orders above 1 are extrapolated differences of that;
            - "adaptive": ``scipy.differentiate``.
        step: the step h; for "richardson" the first and longest one. By default it is chosen from the dtypes of ``x`` and ``f(x)``, and grows with \\|x\\| beyond 1.
        full: give an ``Estimate``, with the error, instead of the bare value; that takes a few evaluations more.

    Returns:
        The derivative, of the kind and dtype of ``x`` and the shape of ``f(x)``; with ``full`` an ``Estimate``.

    Raises:
        InvalidArgumentError: ``x`` is no float, ``f`` is not elementwise, or the method does not apply.

    >>> import math
    >>> import gradtape as tf
    >>> abs(tf.numeric.derivative(math.exp, 0.0) - 1) < 1e-9
    True
    >>> tf.numeric.derivative(tf.sin, tf.constant(0.5, tf.float64), method="complex").numpy() == math.cos(0.5)
    np.True_
    >>> e = tf.numeric.derivative(math.exp, 0.0, order=2, method="richardson", full=True)
    >>> abs(e.value - 1) <= e.error < 1e-8
    True
    """
    if not isinstance(order, int) or order < 1:
        raise invalid(f"order must be 1, 2, ..., but is {order!r}.")
    s = Sampled(f, x)
    if s.several:
        raise invalid("derivative is for functions of one argument; x is a tuple: use gradient, jacobian or hessian.")
    form = s.forms[0]
    if form.shape and s.shape != form.shape:
        raise invalid(
            f"derivative moves all elements of x at once, which says something of elementwise functions only; this one makes shape {list(s.shape)} of "
            f"{list(form.shape)}: use gradient or jacobian."
        )
    rule = _Rule(s, method, order, step)
    value, error = rule.along(None, full)
    if not full:
        rule.doubt()
        return form.like(value)
    return Estimate(form.like(value), _plain(error), _plain(np.abs(rule.scale).reshape(form.shape)), s.calls)


def gradient(f: Callable, x: Any, *, method: str = "central", step: Any = None, full: bool = False) -> Any:
    """The gradient of a function with one number for a result, element by element.

    Args:
        f: the function.
        x: its argument, of any shape, or a tuple of its arguments.
        method: as for ``derivative``.
        step: as for ``derivative``; one number, or, for a single argument, an array of its shape.
        full: give an ``Estimate``.

    Returns:
        What ``x`` is: an array for an array, a tuple for a tuple.

    >>> import gradtape as tf
    >>> [round(d, 8) for d in tf.numeric.gradient(lambda x, y: x * x * y + y + 2, (3.0, 4.0))]
    [24.0, 10.0]
    """
    s = Sampled(f, x)
    if s.y0.size != 1:
        raise invalid(
            f"gradient is for functions with one number for a result, but this one gave shape {list(s.shape)}: use jacobian."
        )
    return _jacobian(s, method, step, full, ())


def jacobian(f: Callable, x: Any, *, method: str = "central", step: Any = None, full: bool = False) -> Any:
    """The Jacobian of a function: for each element of the result and of the argument a derivative.

    Args:
        f: the function.
        x: its argument, of any shape, or a tuple of its arguments.
        method: as for ``derivative``.
        step: as for ``gradient``.
        full: give an ``Estimate``.

    Returns:
        An array or tensor of shape ``f(x).shape + x.shape``; for a tuple of arguments a tuple of them.

    >>> import numpy as np
    >>> import gradtape as tf
    >>> tf.numeric.jacobian(lambda v: v[:2] * v[2], np.array([1.0, 2.0, 3.0]), method="complex").tolist()
    [[3.0, 0.0, 1.0], [0.0, 3.0, 2.0]]
    """
    s = Sampled(f, x)
    return _jacobian(s, method, step, full, s.shape)


def hessian(f: Callable, x: Any, *, method: str = "central", step: Any = None, full: bool = False) -> Any:
    """The Hessian of a function with one number for a result: all its second derivatives.

    Args:
        f: the function.
        x: its argument, of any shape, or a tuple of its arguments.
        method: as for ``derivative``.
        step: as for ``gradient``.
        full: give an ``Estimate``.

    Returns:
        An array or tensor of shape ``x.shape + x.shape``; for a tuple of arguments a tuple of tuples.

    >>> import gradtape as tf
    >>> h = tf.numeric.hessian(lambda x, y: x * x * y + y + 2, (3.0, 4.0), method="richardson")
    >>> [[round(d, 8) + 0.0 for d in row] for row in h]
    [[8.0, 6.0], [6.0, 0.0]]
    """
    s = Sampled(f, x)
    if s.y0.size != 1:
        raise invalid(
            f"hessian is for functions with one number for a result, but this one gave shape {list(s.shape)}."
        )
    rule = _Rule(s, method, 2, step)
    n = s.x.size
    values, errors = np.zeros((n, n)), np.zeros((n, n))
    if method == "adaptive":
        values, errors = _scipy_hessian(s)
    elif method == "complex":
        values, errors = rule.complex_hessian(full)
    else:
        for i in range(n):
            for j in range(i + 1):
                value, error = rule.pair(i, j, full)
                values[i, j] = values[j, i] = value.item()
                if error is not None:
                    errors[i, j] = errors[j, i] = error.item()

    def blocks(m: np.ndarray, plain: bool) -> Any:
        found = []
        for form, rows in zip(s.forms, _parts(s, m), strict=True):
            parts = [
                np.reshape(c, form.shape + other.shape)
                for c, other in zip(np.split(rows, s.ends[:-1], 1), s.forms, strict=True)
            ]
            found.append(tuple([_plain(p) if plain else form.like(p) for p in parts]))
        return tuple(found) if s.several else found[0][0]

    if not full:
        rule.doubt()
        return blocks(values, False)
    return Estimate(blocks(values, False), blocks(errors, True), _steps(s, rule), s.calls)


class _Rule:
    """One method at one point: how long the steps are, and what is done with the values."""

    def __init__(self, s: Sampled, method: str, order: int, step: Any) -> None:
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, but is {method!r}.")
        if method == "complex" and s.x.dtype.kind == "c":
            raise invalid("The complex step is for functions of real numbers; x is complex: use method='central'.")
        if method == "adaptive" and (s.x.dtype.kind == "c" or order > 2):
            raise invalid("method='adaptive' is for real numbers and the orders 1 and 2: use 'richardson'.")
        if method == "adaptive" and s.eps > 1e-10:
            raise invalid("method='adaptive' needs functions that compute in float64: use 'richardson'.")
        self.s, self.method, self.order = s, method, order
        self.stencil = forward(order) if method in ("forward", "backward") else central(order)
        self.scale = self._scale(step)

    def _scale(self, step: Any) -> np.ndarray:
        """The step of each element, a power of two where it may be chosen, so that adding it rounds as little as can be."""
        s, size = self.s, np.maximum(np.abs(self.s.x), 1.0)
        if self.method == "complex":
            default = IMAGINARY[8 if s.eps < 1e-10 else 4]
            scale = np.full(s.x.shape, default) if step is None else _given(step, s)
        elif step is None:
            part = FIRST if self.method == "richardson" else step_factor(self.stencil, s.eps)
            scale = np.exp2(np.round(np.log2(part * size)))
        else:
            scale = _given(step, s)
            there = np.concatenate([
                (x + h).astype(form.dtype).astype(x.dtype)
                for form, x, h in zip(s.forms, _parts(s, s.x), _parts(s, scale), strict=True)
            ])  # fmt: skip
            taken = np.abs(there - s.x)  # of a step that the dtype cannot add exactly, what is added
            if np.any(taken == 0):
                raise invalid(f"The step {step!r} is too short: x + step is x in {s.forms[0].dtype.name}.")
            scale = taken
        return -scale if self.method == "backward" else scale

    def _toward(self, j: int | None, scale: np.ndarray) -> tuple[np.ndarray, Any]:
        """The steps of element ``j``, or for an elementwise function those of all, as a direction; and what they are for each element of the result."""
        if j is not None:
            return _one(scale, j), scale[j]
        return scale, scale.reshape(self.s.forms[0].shape)

    def _real(self, part: float) -> np.ndarray:
        return np.exp2(np.round(np.log2(part * np.maximum(np.abs(self.s.x), 1.0))))

    def along(self, j: int | None, full: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """The derivative in element ``j``, or at each element of an elementwise function, and its error."""
        s = self.s
        if self.method == "complex":
            return self._complex(j, full)
        if self.method == "adaptive":
            direction, unit = self._toward(j, self._real(0.25))
            value: np.ndarray
            error: np.ndarray | None
            value, error = _scipy_line(s, direction, self.order)
        else:
            direction, unit = self._toward(j, self.scale)
            value, error = self._limit(self.stencil, [direction], full)
        return value / unit**self.order, None if error is None else error / np.abs(unit) ** self.order

    def _limit(
        self, stencil: Stencil, directions: list[np.ndarray], full: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """What a difference says of its limit."""
        lenient = self.method == "richardson"
        phi = _Line(self.s, directions, lenient=lenient)
        if lenient:
            value, error = extrapolated(stencil, phi, self.s.eps)
            return value, np.maximum(error, kink(phi, self.s.eps, FIRST)) if stencil.order == 1 else error
        return with_error(stencil, phi, self.s.eps) if full else (stencil.at(phi), None)

    def _complex(self, j: int | None, full: bool) -> tuple[np.ndarray, np.ndarray | None]:
        s = self.s
        step, h = self._toward(j, self.scale)

        def slope(x: np.ndarray) -> np.ndarray:
            return s(x + 1j * step).imag / h

        if self.order == 1:
            value = slope(s.x)
            error = 8 * s.eps * np.abs(value)
        else:
            direction, unit = self._toward(j, self._real(FIRST))
            value, error = extrapolated(central(self.order - 1), _Line(s, [direction], slope), s.eps)
            value, error = value / unit ** (self.order - 1), error / unit ** (self.order - 1)
        if not full:
            return value, None
        stencil = central(self.order)
        direction, unit = self._toward(j, self._real(step_factor(stencil, s.eps)))
        other, allowed = with_error(stencil, _Line(s, [direction]), s.eps)
        return value, _agreed(value, error, other / unit**self.order, allowed / unit**self.order)

    def doubt(self, level: int = 3) -> None:
        """A warning where a complex step and a central difference in one direction have nothing in common: the function is not analytic."""
        s = self.s
        if self.method != "complex" or not s.x.size:
            return
        turn = 1 + np.arange(s.x.size) * 0.618 % 1  # no direction in particular
        short = turn * self._real(step_factor(central(1), s.eps))
        try:
            with np.errstate(all="ignore"):
                tiny = self.scale.min()
                slope = s(s.x + 1j * tiny * short).imag / tiny
                ends = s(s.x + short), s(s.x - short)
        except (ValueError, ArithmeticError):
            return  # at the edge of its domain
        other, size = np.real(ends[0] - ends[1]) / 2, np.maximum(*map(np.abs, ends))
        apart = np.abs(slope - other) > 0.01 * np.maximum(np.abs(slope), np.abs(other)) + 1000 * s.eps * size
        if np.any(apart):
            warnings.warn(
                "The complex step needs an analytic function, and this one seems to be none: a central difference has nothing in common with what the step gave. "
                "Absolute values, conjugates, real parts and branches are not analytic: use method='central' or 'richardson'.",
                RuntimeWarning,
                stacklevel=level,
            )

    def pair(self, i: int, j: int, full: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """∂²f/∂x_i∂x_j."""
        if i == j:
            return self.along(i, full)
        unit = self.scale[i] * self.scale[j]
        stencil = MIXED_FORWARD if self.stencil.accuracy == 1 else MIXED_CENTRAL
        value, error = self._limit(stencil, [_one(self.scale, i), _one(self.scale, j)], full)
        return value / unit, None if error is None else error / unit

    def complex_hessian(self, full: bool) -> tuple[np.ndarray, np.ndarray]:
        """Extrapolated differences, along each element, of the gradient by complex steps."""
        s, n = self.s, self.s.x.size

        def slope(x: np.ndarray) -> np.ndarray:
            return np.array([s(x + 1j * _one(self.scale, j)).imag.item() / self.scale[j] for j in range(n)])

        values, errors = np.zeros((n, n)), np.zeros((n, n))
        real = self._real(FIRST)
        for i in range(n):
            value, error = extrapolated(central(1), _Line(s, [_one(real, i)], slope), s.eps)
            values[i], errors[i] = value / real[i], error / real[i]
        values, errors = (values + values.T) / 2, np.maximum(errors, errors.T)
        if full:
            short = self._real(step_factor(central(2), s.eps))
            for i in range(n):
                for j in range(i + 1):
                    directions = [_one(short, i)] if i == j else [_one(short, i), _one(short, j)]
                    stencil, unit = central(2) if i == j else MIXED_CENTRAL, short[i] * short[j]
                    other, allowed = with_error(stencil, _Line(s, directions), s.eps)
                    errors[i, j] = errors[j, i] = _agreed(
                        values[i, j], errors[i, j], other / unit, allowed / unit
                    ).item()
        return values, errors


def _agreed(value: Any, error: Any, other: np.ndarray, allowed: np.ndarray) -> Any:
    """The error of what complex steps gave: where a central difference disagrees by more than it may, that disagreement."""
    gap = np.abs(value - other)
    return np.where(gap > 4 * allowed + error, gap + allowed, error)


class _Line:
    """φ(a, b, ...) = f(x + a·d₁ + b·d₂ + ...); each place is evaluated once. With ``lenient``, it is NaN where ``f`` says it is not defined."""

    def __init__(
        self,
        s: Sampled,
        directions: list[np.ndarray],
        f: Callable[[np.ndarray], np.ndarray] | None = None,
        lenient: bool = False,
    ):
        self.s, self.directions, self.f, self.lenient = s, directions, f or s, lenient
        self.known: dict[Place, np.ndarray] = {} if f else {(0.0,) * len(directions): s.y0}

    def __call__(self, place: Place) -> np.ndarray:
        y = self.known.get(place)
        if y is None:
            x = self.s.x + sum([a * d for a, d in zip(place, self.directions, strict=True)])
            if not self.lenient:
                y = self.f(x)
            else:
                try:
                    with np.errstate(all="ignore"):
                        y = self.f(x)
                except (ValueError, ArithmeticError):
                    y = np.full_like(self.s.y0, np.nan)
            self.known[place] = y
        return y


def _jacobian(s: Sampled, method: str, step: Any, full: bool, shape: tuple[int, ...]) -> Any:
    if s.x.dtype.kind == "c":
        raise invalid("gradient and jacobian are for real arguments: give real and imaginary part, each for itself.")
    rule = _Rule(s, method, 1, step)
    n = s.x.size
    values = np.zeros((*shape, n), s.y0.dtype)
    errors = np.zeros((*shape, n))
    for j in range(n):
        value, error = rule.along(j, full)
        values[..., j] = value.reshape(shape)
        if error is not None:
            errors[..., j] = error.reshape(shape)
    value = _packed(s, [form.like(v) for form, v in zip(s.forms, s.split(values), strict=True)])
    if not full:
        rule.doubt(4)
        return value
    return Estimate(value, _packed(s, [_plain(e) for e in s.split(errors)]), _steps(s, rule), s.calls)


def _steps(s: Sampled, rule: _Rule) -> Any:
    return _packed(s, [_plain(h) for h in s.split(np.abs(rule.scale))])


def _packed(s: Sampled, parts: list) -> Any:
    return tuple(parts) if s.several else parts[0]


def _plain(a: Any) -> Any:
    a = np.asarray(a)
    return a if a.ndim else a.item()


def _one(scale: np.ndarray, j: int) -> np.ndarray:
    d = np.zeros_like(scale)
    d[j] = scale[j]
    return d


def _parts(s: Sampled, flat: np.ndarray) -> list[np.ndarray]:
    return [flat[end - form.size : end] for form, end in zip(s.forms, s.ends, strict=True)]


def _given(step: Any, s: Sampled) -> np.ndarray:
    h = np.asarray(result(step), np.float64)
    if not np.all(h > 0) or not np.all(np.isfinite(h)):
        raise invalid(f"The step must be positive, but is {step!r}.")
    if h.ndim and (s.several or h.shape != s.forms[0].shape):
        raise invalid(f"The step must be one number, or an array of x's shape, but has shape {list(h.shape)}.")
    return np.broadcast_to(h.ravel() if h.ndim else h, s.x.shape).astype(np.float64)


def _scipy_line(s: Sampled, direction: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """scipy.differentiate of t ↦ f(x + t·direction) at 0."""
    from scipy import differentiate

    def f(t: np.ndarray) -> np.ndarray:  # (1, ...) -> (outputs, ...)
        flat = [s(s.x + v * direction).ravel() for v in t.ravel()]
        return np.moveaxis(np.array(flat), 0, -1).reshape(s.y0.size, *t.shape[1:])

    if order == 1:
        found = differentiate.jacobian(f, np.zeros(1))
        return found.df.reshape(s.shape), found.error.reshape(s.shape)
    if s.y0.size != 1:
        raise invalid("method='adaptive' gives second derivatives of functions with one number for a result only.")
    found = differentiate.hessian(lambda t: f(t)[0], np.zeros(1))
    return found.ddf.reshape(s.shape), found.error.reshape(s.shape)


def _scipy_hessian(s: Sampled) -> tuple[np.ndarray, np.ndarray]:
    from scipy import differentiate

    def f(x: np.ndarray) -> np.ndarray:  # (inputs, ...) -> (...)
        return np.array([s(c).item() for c in x.reshape(s.x.size, -1).T]).reshape(x.shape[1:])

    found = differentiate.hessian(f, s.x)
    return found.ddf, found.error
