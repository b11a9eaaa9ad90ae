"""Pooling in any number of spatial dimensions, channels last: sums, means and maxima over windows.

What lies outside the array is left out: it counts neither in a mean nor as a zero in a maximum. Windows are boxes, so each dimension
is gone over by itself, the last one first: k + l steps in place of k·l.

A maximum comes with the number ("tap") of the element of the window that attains it first. The gradient goes there, by ``unpool``,
whose own gradient is ``pick``, of which ``unpool`` is the gradient: so it goes on to any order.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from ..ground.dtypes import FLOAT, INT, NUMERIC, REAL, DType, int32, uint8
from ..ground.errors import invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import dims_text
from . import structure as st
from .convolution import Window, _equal, _join, _part, overlap, taps

Shape = tuple[int, ...]
native: Any = None  # where there is an engine: has window_sum, window_spread, max_pool and unpool, which give None for what they leave to NumPy


def _check(what: str, x: Aval, size: Shape) -> None:
    if x.ndim != len(size) + 2:
        raise invalid(
            f"{what} over {len(size)} spatial dimension(s) must have {len(size) + 2} dimensions, but {dims_text(x.shape)} has {x.ndim}."
        )


def _pooled(x: Aval, size: Shape, window: Window) -> tuple:
    _check("A tensor that is pooled", x, size)
    return (x.shape[0], *window.places(x.shape[1:-1], size), x.shape[-1])


def _unpooled(g: Aval, shape: Shape, size: Shape, window: Window) -> tuple:
    _check("A pooled tensor", g, size)
    places = window.places(shape, size)
    if not _equal(g.shape[1:-1], places):
        raise invalid(
            f"Pooling spatial dimensions {dims_text(shape)} gives {dims_text(places)}, but the tensor has {dims_text(g.shape[1:-1])}."
        )
    return (g.shape[0], *shape, g.shape[-1])


def _batch(p: Primitive, xs: tuple, batched: tuple, attrs: dict) -> Any:
    """A batch joins the images."""
    xs = tuple(st._all_batched(xs, batched))
    out = p(*map(_join, xs), **attrs)
    n = xs[0]._shape[0]
    return tuple([_part(o, n) for o in out]) if p.multi else _part(out, n)


def _axis(a: int, part: slice) -> tuple:
    """``part`` along dimension ``a``."""
    return (*(slice(None),) * a, part)


# -- sums and means --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def counts(spatial: Shape, size: Shape, window: Window, t: np.dtype) -> Any:
    """How many elements of the array each window meets (1 where there is none): a number, or an array [*places, 1]."""
    out = np.ones((1,) * len(size), t)
    for a, (n, o, k, s, (p, _), d) in enumerate(
        zip(spatial, window.places(spatial, size), size, window.strides, window.padding, window.dilations, strict=True)
    ):
        line = np.zeros(o, t)
        for i in range(k):
            line[overlap(n, o, i, s, p, d)[0]] += 1
        out = out * line.reshape((-1,) + (1,) * (len(size) - 1 - a))
    out = np.maximum(out, 1)
    return out.flat[0] if out.size and np.ptp(out) == 0 else out[..., None]


def _each(spatial: Shape, size: Shape, window: Window) -> list[tuple]:
    """(dimension, its number of places, the overlaps of the elements of the window) along each dimension, the last one first."""
    of = zip(spatial, window.places(spatial, size), size, window.strides, window.padding, window.dilations, strict=True)
    return [(1 + a, o, [overlap(n, o, i, s, p, d) for i in range(k)]) for a, (n, o, k, s, (p, _), d) in enumerate(of)][
        ::-1
    ]


def _window_sum(x: Any, *, size: Shape, window: Window, mean: bool) -> Any:
    out = _pooled(Aval(x.shape, x.dtype), size, window)
    if (
        native is not None
        and x.size
        and math.prod(out)
        and (y := native.window_sum(x, out, size, window, mean)) is not None
    ):
        return y
    spatial = x.shape[1:-1]
    for a, o, met in _each(spatial, size, window):
        y = np.zeros((*x.shape[:a], o, *x.shape[a + 1 :]), x.dtype)
        for to, source in met:
            y[_axis(a, to)] += x[_axis(a, source)]
        x = y
    return np.divide(x, counts(spatial, size, window, x.dtype)) if mean else x


def _window_spread(g: Any, *, shape: Shape, size: Shape, window: Window, mean: bool) -> Any:
    out = _unpooled(Aval(g.shape, g.dtype), shape, size, window)
    if (
        native is not None
        and g.size
        and math.prod(out)
        and (x := native.window_spread(g, out, size, window, mean)) is not None
    ):
        return x
    if mean:
        g = np.divide(g, counts(shape, size, window, g.dtype))
    for a, _, met in reversed(_each(shape, size, window)):
        x = np.zeros((*g.shape[:a], shape[a - 1], *g.shape[a + 1 :]), g.dtype)
        for at, to in met:
            x[_axis(a, to)] += g[_axis(a, at)]
        g = x
    return g


# -- maxima ------------------------------------------------------------------------------------------------------------------


def tap_dtype(size: Shape) -> DType:
    """The dtype of the numbers of a window's elements."""
    return uint8 if math.prod(size) <= 256 else int32


def lowest(t: np.dtype) -> Any:
    """What no element of the dtype lies below."""
    return np.iinfo(t).min if t.kind in "iu" else -np.inf


def _max_pool(x: Any, *, size: Shape, window: Window) -> tuple:
    out = _pooled(Aval(x.shape, x.dtype), size, window)
    if native is not None and x.size and math.prod(out) and (y := native.max_pool(x, out, size, window)) is not None:
        return y
    t = tap_dtype(size).np
    some_nan = x.dtype.kind not in "iu" and x.size and bool(np.isnan(np.add.reduce(x, axis=None)))
    where: Any = np.zeros((1,) * x.ndim, t)
    weight = 1
    for a, o, met in _each(x.shape[1:-1], size, window):
        dims = (*x.shape[:a], o, *x.shape[a + 1 :])
        where = np.broadcast_to(where, x.shape)
        y, at = np.full(dims, lowest(x.dtype), x.dtype), np.zeros(dims, t)
        for k, (to, source) in reversed([*enumerate(met)]):  # the first that lies inside
            if k == 0 or window.padding[a - 1] != (0, 0):
                y[_axis(a, to)] = x[_axis(a, source)]
                at[_axis(a, to)] = where[_axis(a, source)] + t.type(k * weight)
        for k, (to, source) in [*enumerate(met)][1:]:
            new, old = x[_axis(a, source)], y[_axis(a, to)]
            better = new > old
            if some_nan:  # the first NaN stays
                better = (better | (new != new)) & (old == old)
            np.copyto(at[_axis(a, to)], where[_axis(a, source)] + t.type(k * weight), where=better)
            np.copyto(old, new, where=better)
        x, where, weight = y, at, weight * len(met)
    return x, where


def _unpool(g: Any, tap: Any, *, shape: Shape, size: Shape, window: Window) -> Any:
    out = _unpool_shape(Aval(g.shape, g.dtype), _tap_aval(tap), shape=shape, size=size, window=window).shape
    if native is not None and g.size and math.prod(out) and (x := native.unpool(g, tap, out, size, window)) is not None:
        return x
    x = np.zeros(out, g.dtype)
    for k, (_, at, to) in enumerate(taps(shape, g.shape[1:-1], size, window)):
        x[to] += np.where(tap[at] == k, g[at], g.dtype.type(0))
    return x


def _pick(x: Any, tap: Any, *, size: Shape, window: Window) -> Any:
    out = _pick_shape(Aval(x.shape, x.dtype), _tap_aval(tap), size=size, window=window).shape
    y = np.zeros(out, x.dtype)
    for k, (_, at, source) in enumerate(taps(x.shape[1:-1], out[1:-1], size, window)):
        np.copyto(y[at], x[source], where=tap[at] == k)
    return y


def _tap_aval(tap: Any) -> Aval:
    return Aval(tap.shape, uint8 if tap.dtype == np.uint8 else int32)


def _check_taps(x: tuple, tap: Aval) -> None:
    if tap.dtype not in (uint8, int32):
        raise invalid(f"The numbers of the windows' elements must be uint8 or int32, but are {tap.dtype.name}.")
    if not _equal(x, tap.shape):
        raise invalid(
            f"There must be a number for each pooled element, {dims_text(x)}, but the numbers have shape {dims_text(tap.shape)}."
        )


def _unpool_shape(g: Aval, tap: Aval, *, shape: Shape, size: Shape, window: Window) -> Aval:
    out = _unpooled(g, shape, size, window)
    _check_taps(g.shape, tap)
    return Aval(out, g.dtype)


def _pick_shape(x: Aval, tap: Aval, *, size: Shape, window: Window) -> Aval:
    out = _pooled(x, size, window)
    _check_taps(out, tap)
    return Aval(out, x.dtype)


def _max_pool_shape(x: Aval, *, size: Shape, window: Window) -> list[Aval]:
    out = _pooled(x, size, window)
    return [Aval(out, x.dtype), Aval(out, tap_dtype(size))]


# -- morphology ----------------------------------------------------------------------------------------------------------------
# Dilation is the maximum over the window of x + w: a maximum pooling in which each element of the window has an offset of its own.


def _dilate(x: Any, w: Any, *, window: Window) -> tuple:
    y, _ = _dilate_shape(Aval(x.shape, x.dtype), Aval(w.shape, w.dtype), window=window)
    size = w.shape[:-1]
    value, tap = np.full(y.shape, lowest(x.dtype), x.dtype), np.zeros(y.shape, tap_dtype(size).np)
    met = taps(x.shape[1:-1], y.shape[1:-1], size, window)
    for k, (_, to, _) in reversed([*enumerate(met)]):
        tap[to] = k
    for k, (at, to, source) in enumerate(met):
        new, old = x[source] + w[at], value[to]
        better = (new > old) | ((new != new) & (old == old))
        np.copyto(tap[to], tap.dtype.type(k), where=better)
        np.copyto(old, new, where=better)
    return value, tap


def _dilate_shape(x: Aval, w: Aval, *, window: Window) -> list[Aval]:
    d = len(window.strides)
    _check("The input of a dilation", x, window.strides)
    if w.ndim != d + 1 or not _equal(w.shape[-1:], x.shape[-1:]):
        raise invalid(
            f"The filters of a dilation of an input of shape {dims_text(x.shape)} must have {d + 1} dimensions, the last one the channels: got {dims_text(w.shape)}."
        )
    if x.dtype != w.dtype:
        raise invalid(
            f"A dilation needs tensors of one dtype: got {x.dtype.name} and {w.dtype.name}. Convert one with tf.cast."
        )
    size = w.shape[:-1]
    if None in size:
        raise invalid(f"The spatial dimensions of the filters of a dilation must be known, but are {dims_text(size)}.")
    out = (x.shape[0], *window.places(x.shape[1:-1], size), x.shape[-1])
    return [Aval(out, x.dtype), Aval(out, tap_dtype(size))]


def _tap_sums(g: Any, tap: Any, *, size: Shape) -> Any:
    """For each element of the window and channel, the sum of what it won."""
    _tap_sums_shape(Aval(g.shape, g.dtype), _tap_aval(tap), size=size)
    c, k = g.shape[-1], math.prod(size)
    at = tap.reshape(-1, c).astype(np.intp) * c + np.arange(c)
    w = np.zeros(k * c, g.dtype)
    np.add.at(w, at.ravel(), g.reshape(-1))
    return w.reshape(*size, c)


def _tap_sums_shape(g: Aval, tap: Aval, *, size: Shape) -> Aval:
    _check("A pooled tensor", g, size)
    _check_taps(g.shape, tap)
    return Aval((*size, g.shape[-1]), g.dtype)


def _tap_values(w: Any, tap: Any) -> Any:
    _tap_values_shape(Aval(w.shape, w.dtype), _tap_aval(tap))
    return np.take_along_axis(w.reshape(-1, w.shape[-1]), tap.reshape(-1, w.shape[-1]).astype(np.intp), 0).reshape(
        tap.shape
    )


def _tap_values_shape(w: Aval, tap: Aval) -> Aval:
    if w.ndim + 1 != tap.ndim or not w.ndim or not _equal(w.shape[-1:], tap.shape[-1:]):
        raise invalid(
            f"Offsets of shape {dims_text(w.shape)} do not belong to numbers of shape {dims_text(tap.shape)}."
        )
    _check_taps(tap.shape, tap)
    return Aval(tap.shape, w.dtype)


# -- rows ------------------------------------------------------------------------------------------------------------------------

_CASES: tuple[tuple[Shape, Shape, Window], ...] = (
    ((5,), (2,), Window((2,), ((0, 0),), (1,))),
    ((4, 5), (2, 2), Window((2, 2), ((0, 0), (0, 1)), (1, 1))),
    ((5, 4), (3, 2), Window((1, 2), ((1, 1), (1, 0)), (1, 1))),
    ((6, 4), (2, 2), Window((1, 1), ((0, 1), (0, 0)), (3, 2))),
    ((2, 3, 4), (2, 1, 2), Window((1, 1, 2), ((0, 0),) * 3, (1, 1, 1))),
)  # fmt: skip


def _apart(rng: Any, shape: Shape) -> np.ndarray:
    """Numbers of which no two are near each other: a maximum has no derivative where there are ties."""
    n = math.prod(shape)
    return (rng.permutation(n) * (4.0 / n) - 2).reshape(shape)


def _pooled_cases(rng: Any, **more: Any) -> list:
    return [((_apart(rng, (2, *s, 2)),), {"size": k, "window": w, **more}) for s, k, w in _CASES]


def _some_taps(rng: Any, x: Any, size: Shape, window: Window) -> np.ndarray:
    return _max_pool(x, size=size, window=window)[1]


def _unpool_cases(rng: Any) -> list:
    out = []
    for s, k, w in _CASES:
        tap = _some_taps(rng, _apart(rng, (2, *s, 2)), k, w)
        out.append(((rng.uniform(-2, 2, tap.shape), tap), {"shape": s, "size": k, "window": w}))
    return out


def _pick_cases(rng: Any) -> list:
    xs = [(rng.uniform(-2, 2, (2, *s, 2)), k, w) for s, k, w in _CASES]
    return [((x, _some_taps(rng, _apart(rng, x.shape), k, w)), {"size": k, "window": w}) for x, k, w in xs]


def _by_definition(x: Any, size: Shape, window: Window, f: Any) -> list[np.ndarray]:
    """``f(numbers, values)`` of the elements that each window meets, place by place."""
    places = window.places(x.shape[1:-1], size)
    out: list[list] = [[], []]
    for n, *o, c in np.ndindex(len(x), *places, x.shape[-1]):
        met = []
        for number, k in enumerate(np.ndindex(*size)):
            at = [
                a * s + b * d - p
                for a, s, b, d, (p, _) in zip(o, window.strides, k, window.dilations, window.padding, strict=True)
            ]
            if all(0 <= i < m for i, m in zip(at, x.shape[1:-1], strict=True)):
                met.append((number, x[(n, *at, c)]))
        for part, value in zip(out, f(met), strict=False):
            part.append(value)
    return [np.array(part).reshape(len(x), *places, x.shape[-1]) for part in out if part]


def _first_max(met: list) -> tuple:
    value = max(v for _, v in met)
    return value, next(k for k, v in met if v == value)


max_pool = Primitive(
    "max_pool", "x", _max_pool, shape=_max_pool_shape, accepts=REAL, multi=True, batch=_batch, cases=_pooled_cases,
    grad=(lambda g, out, x_shape, size, window: unpool(g[0], out[1], shape=x_shape[1:-1], size=size, window=window),),
    jvp=lambda xs, ts, outs, attrs: [pick(ts[0], outs[1], **attrs), None],
    reference=lambda x, *, size, window: tuple(_by_definition(x, size, window, _first_max)),
    tf="MaxPool", doc="The maximum of each window, and the number of the element that attains it first.",
)  # fmt: skip
unpool = Primitive(
    "unpool", "g tap", _unpool, shape=_unpool_shape, accepts=NUMERIC, linear=True, batch=_batch, cases=_unpool_cases,
    grad=(lambda g, tap, size, window: pick(g, tap, size=size, window=window), None),
    tf="MaxPoolGrad", doc="Each number added to the element of its window that ``tap`` names: the adjoint of ``pick``.",
)  # fmt: skip
pick = Primitive(
    "pick", "x tap", _pick, shape=_pick_shape, accepts=NUMERIC, linear=True, batch=_batch, cases=_pick_cases,
    grad=(lambda g, tap, x_shape, size, window: unpool(g, tap, shape=x_shape[1:-1], size=size, window=window), None),
    tf="MaxPoolGradGrad", doc="The element of each window that ``tap`` names.",
)  # fmt: skip
window_sum = Primitive(
    "window_sum", "x", _window_sum, shape=lambda x, *, size, window, mean: Aval(_pooled(x, size, window), x.dtype), accepts=FLOAT, linear=True, batch=_batch,
    grad=(lambda g, x_shape, size, window, mean: window_spread(g, shape=x_shape[1:-1], size=size, window=window, mean=mean),),
    cases=lambda rng: _pooled_cases(rng, mean=True) + _pooled_cases(rng, mean=False)[1:2],
    reference=lambda x, *, size, window, mean: _by_definition(x, size, window, lambda met: [math.fsum(v for _, v in met) / (len(met) if mean else 1)])[0],
    tf="AvgPool", doc="The sum of what each window meets, or its mean.",
)  # fmt: skip
window_spread = Primitive(
    "window_spread", "g", _window_spread, shape=lambda g, *, shape, size, window, mean: Aval(_unpooled(g, shape, size, window), g.dtype), accepts=FLOAT, linear=True,
    grad=(lambda g, size, window, mean: window_sum(g, size=size, window=window, mean=mean),), batch=_batch,
    cases=lambda rng: [((rng.uniform(-2, 2, (2, *w.places(s, k), 2)),), {"shape": s, "size": k, "window": w, "mean": mean}) for s, k, w in _CASES for mean in (True, False)],
    tf="AvgPoolGrad", doc="Each number, or its share, added to all elements of its window: the adjoint of ``window_sum``.",
)  # fmt: skip
dilate = Primitive(
    "dilate", "x w", _dilate, shape=_dilate_shape, accepts=FLOAT | INT, multi=True, batch=None,
    grad=(lambda g, out, x_shape, w_shape, window: unpool(g[0], out[1], shape=x_shape[1:-1], size=w_shape[:-1], window=window),
          lambda g, out, w_shape: tap_sums(g[0], out[1], size=w_shape[:-1])),
    cases=lambda rng: [((_apart(rng, (2, *s, 2)), 0.013 * _apart(rng, (*k, 2))), {"window": w}) for s, k, w in _CASES],
    tf="Dilation2D", doc="The maximum of each window with an offset for each of its elements, and the number of the element that attains it first.",
)  # fmt: skip
tap_sums = Primitive(
    "tap_sums", "g tap", _tap_sums, shape=_tap_sums_shape, accepts=NUMERIC, linear=True, grad=(lambda g, tap: tap_values(g, tap), None),
    cases=lambda rng: [((rng.uniform(-2, 2, (2, 3, 4, 2)), rng.integers(0, 6, (2, 3, 4, 2)).astype(np.uint8)), {"size": (2, 3)})],
    tf="Dilation2DBackpropFilter", doc="For each element of the window and channel, the sum of the numbers whose ``tap`` names it.",
)  # fmt: skip
tap_values = Primitive(
    "tap_values", "w tap", _tap_values, shape=_tap_values_shape, accepts=NUMERIC, linear=True,
    grad=(lambda g, tap, w_shape: tap_sums(g, tap, size=w_shape[:-1]), None),
    cases=lambda rng: [((rng.uniform(-2, 2, (2, 3, 2)), rng.integers(0, 6, (2, 3, 4, 2)).astype(np.uint8)), {})],
    doc="The offset of the element of the window that ``tap`` names.",
)  # fmt: skip
