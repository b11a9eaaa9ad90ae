"""Images: resampling along an axis by weights, the suppression of overlapping boxes, and the drawing of boxes.

``resample`` multiplies an axis by a sparse matrix, its ``Taps``: every way to resize, and every separable filter, is two of them.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ..ground.dtypes import FLOAT, int32
from ..ground.errors import invalid
from ..ground.primitive import Aval, Primitive
from ..ground.shapes import check_axis, dims_text

# -- the matrices --------------------------------------------------------------------------------------------------------------


class Taps:
    """A matrix of which each row has few numbers: row i is ``weight[i, k]`` at the columns ``index[i, k]``.

    Rows with fewer numbers are filled up with weights 0 at a column that they have anyway, so that a NaN goes nowhere else.

    Attributes:
        columns: how many columns there are.
        index: (rows, k) integers.
        weight: (rows, k) float32.
    """

    def __init__(self, key: Any, columns: int, index: np.ndarray, weight: np.ndarray) -> None:
        self.key, self.columns, self.index, self.weight = key, columns, index, weight

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.index)

    @cached_property
    def transposed(self) -> Taps:
        """The transposed matrix."""
        at, k = np.nonzero(self.weight)
        to = self.index[at, k]
        order = np.argsort(to, kind="stable")
        at, to, w = at[order], to[order], self.weight[at, k][order]
        counts = np.bincount(to, minlength=self.columns)
        place = np.arange(len(to)) - (np.cumsum(counts) - counts)[to]
        width = max(int(counts.max(initial=1)), 1)
        index, weight = np.zeros((self.columns, width), np.intp), np.zeros((self.columns, width), np.float32)
        some = counts > 0
        index[some] = at[(np.cumsum(counts) - counts)[some]][:, None]
        index[to, place], weight[to, place] = at, w
        out = Taps((self.key, "transposed"), self.rows, index, weight)
        out.__dict__["transposed"] = self
        return out

    @cached_property
    def matrix(self) -> np.ndarray:
        """The whole matrix."""
        out = np.zeros((self.rows, self.columns), np.float32)
        np.add.at(out, (np.arange(self.rows)[:, None], self.index), self.weight)
        return out

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taps) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Taps({self.key!r})"


F = np.float32


def _linear(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    at = (np.arange(m, dtype=F) + F(0.5)) * (F(n) / F(m)) - F(0.5)
    low = np.floor(at)
    w = at - low
    index = np.clip(np.stack([low, np.ceil(at)], 1), 0, n - 1).astype(np.intp)
    return index, np.stack([1 - w, w], 1)


_CUBIC_STEPS = 1024  # TensorFlow takes the cubic's values from a table


def _cubic(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys' cubic convolution with a = -1/2 (IEEE Trans. ASSP 29, 1981), of table values; what lies outside does not count."""
    at = (np.arange(m, dtype=F) + F(0.5)) * (F(n) / F(m)) - F(0.5)
    first = np.floor(at).astype(np.intp)
    step = np.rint((at - first.astype(F)) * F(_CUBIC_STEPS))
    a, near, far = F(-0.5), lambda t: t / F(_CUBIC_STEPS), lambda t: t / F(_CUBIC_STEPS) + F(1)
    inner = lambda x: ((a + 2) * x - (a + 3)) * x * x + 1
    outer = lambda x: ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    back = F(_CUBIC_STEPS) - step
    weight = np.stack([outer(far(step)), inner(near(step)), inner(near(back)), outer(far(back))], 1)
    index = first[:, None] + np.arange(-1, 3)
    inside = (index >= 0) & (index < n)
    weight = np.where(inside, weight, F(0))
    return np.clip(index, 0, n - 1), weight / weight.sum(1, keepdims=True)


def _area(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean over what an output pixel covers."""
    scale = F(n) / F(m)
    low, high = np.arange(m, dtype=F) * scale, (np.arange(m, dtype=F) + 1) * scale
    first = np.floor(low).astype(np.intp)
    index = first[:, None] + np.arange(int(np.max(np.ceil(high) - first)))
    weight = (
        np.clip(np.minimum(index + F(1), high[:, None]) - np.maximum(index.astype(F), low[:, None]), 0, None) / scale
    )
    return np.clip(index, 0, n - 1), weight


def _sinc_window(radius: float) -> Callable:
    def lanczos(x: np.ndarray) -> np.ndarray:
        safe = np.where(x <= 1e-3, F(1), x)
        y = (
            F(radius)
            * np.sin(F(math.pi) * safe)
            * np.sin(F(math.pi) * safe / F(radius))
            / (F(math.pi**2) * safe * safe)
        )
        return np.where(x > radius, 0, np.where(x <= 1e-3, 1, y))

    return lanczos


def _pieces(near: Callable, far: Callable) -> Callable:
    return lambda x: np.where(x >= 2, 0, np.where(x >= 1, far(x), near(x)))


# name: (radius, function of the distance): the filters of Turkowski's "Filters for common resampling tasks" (1990) and, the cubic ones,
# of Mitchell and Netravali's "Reconstruction filters in computer graphics" (1988)
_FILTERS: dict[str, tuple[float, Callable]] = {
    "lanczos3": (3, _sinc_window(3)),
    "lanczos5": (5, _sinc_window(5)),
    "gaussian": (1.5, lambda x: np.where(x >= 1.5, 0, np.exp(-x * x / F(2 * 0.5 * 0.5)))),
    "triangle": (1, lambda x: np.maximum(0, 1 - x)),
    "keyscubic": (2, _pieces(lambda x: ((F(1.5) * x - F(2.5)) * x) * x + 1, lambda x: ((F(-0.5) * x + F(2.5)) * x - 4) * x + 2)),
    "mitchellcubic": (2, _pieces(lambda x: ((F(7 / 6) * x - 2) * x) * x + F(8 / 9), lambda x: ((F(-7 / 18) * x + 2) * x - F(10 / 3)) * x + F(16 / 9))),
}  # fmt: skip


def _filtered(method: str, n: int, m: int, antialias: bool) -> tuple[np.ndarray, np.ndarray]:
    """A filter's values around each output pixel's place, made to add up to 1; when shrinking and ``antialias``, the filter is stretched."""
    radius, f = _FILTERS[method]
    shrink = F(1) / (F(m) / F(n))
    stretch = max(shrink, F(1)) if antialias else F(1)
    at = (np.arange(m, dtype=F) + F(0.5)) * shrink
    first = np.clip(np.ceil(at - F(radius) * stretch - F(0.5)), 0, n - 1).astype(np.intp)
    last = np.clip(np.floor(at + F(radius) * stretch - F(0.5)), 0, n - 1).astype(np.intp)
    index = first[:, None] + np.arange(int((last - first).max()) + 1)
    weight = f(np.abs((index.astype(F) + F(0.5) - at[:, None]) * (F(1) / stretch))).astype(F)
    inside = (index <= last[:, None]) & (at[:, None] <= n)
    weight = np.where(inside, weight, F(0))
    total = weight.sum(1, keepdims=True, dtype=F)
    return np.where(inside, index, first[:, None]), np.where(
        np.abs(total) > 1e-35, weight / np.where(total == 0, F(1), total), weight
    )


@lru_cache(maxsize=256)
def resizing(method: str, n: int, m: int, antialias: bool) -> Taps:
    """The matrix that makes ``m`` pixels of ``n`` as TensorFlow's resizing does; its weights are computed in float32.

    Args:
        method: "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "gaussian" or "mitchellcubic".
        n, m: the numbers of pixels before and after.
        antialias: average over more pixels when shrinking.
    """
    if antialias and method in ("bilinear", "bicubic"):
        index, weight = _filtered({"bilinear": "triangle", "bicubic": "keyscubic"}[method], n, m, True)
    elif method in _FILTERS:
        index, weight = _filtered(method, n, m, antialias)
    else:
        index, weight = {"bilinear": _linear, "bicubic": _cubic, "area": _area}[method](n, m)
    return Taps((method, n, m, antialias), n, index, weight.astype(F))


@lru_cache(maxsize=256)
def correlating(weights: tuple[float, ...], n: int) -> Taps:
    """The matrix that correlates ``n`` pixels with ``weights``, only where they fit."""
    index = np.arange(n - len(weights) + 1)[:, None] + np.arange(len(weights))
    return Taps(("correlating", weights, n), n, index, np.broadcast_to(np.array(weights, F), index.shape))


# -- resampling ----------------------------------------------------------------------------------------------------------------

_FEW = 8  # up to so many weights a row, a pass over the result for each is faster than a product with the matrix


def _resample(x: Any, *, axis: int, taps: Taps) -> Any:
    s = x.shape
    if s[axis] != taps.columns:
        raise ValueError("another number of columns")
    v = x.reshape(math.prod(s[:axis]), s[axis], math.prod(s[axis + 1 :]))
    if taps.index.shape[1] > _FEW and np.isfinite(
        np.add.reduce(v, None)
    ):  # through a whole matrix a NaN would go everywhere
        w = taps.matrix.astype(x.dtype, copy=False)
        if v.shape[2] < _FEW:  # a few channels: as rows of one product
            out = np.swapaxes(
                (np.swapaxes(v, 1, 2).reshape(-1, s[axis]) @ w.T).reshape(v.shape[0], v.shape[2], taps.rows), 1, 2
            )
        else:
            out = np.matmul(w, v)
    else:
        w = taps.weight.astype(x.dtype, copy=False)
        out = v.take(taps.index[:, 0], 1) * w[:, :1]
        for k in range(1, w.shape[1]):
            part = v.take(taps.index[:, k], 1)
            part *= w[:, k : k + 1]
            out += part
    return out.reshape(s[:axis] + (taps.rows,) + s[axis + 1 :])


def _resample_shape(x: Aval, *, axis: int, taps: Taps) -> Aval:
    a = check_axis(axis, x.ndim)
    if x.shape[a] not in (taps.columns, None):
        raise invalid(
            f"{taps} is for {taps.columns} pixels, but axis {a} of a tensor of shape {dims_text(x.shape)} has {x.shape[a]}."
        )
    return Aval(x.shape[:a] + (taps.rows,) + x.shape[a + 1 :], x.dtype)


def _resample_cases(rng: Any) -> list:
    u = lambda *s: rng.uniform(-3, 3, s)
    return [((u(5),), {"axis": 0, "taps": resizing(method, 5, m, a)}) for method in ("bilinear", "bicubic", "area", "lanczos3") for m in (3, 8) for a in (False, True)] + [
        ((u(2, 16, 3),), {"axis": 1, "taps": resizing("lanczos5", 16, 3, True)}), ((u(2, 16, 9),), {"axis": 1, "taps": resizing("gaussian", 16, 3, True)}),
        ((u(3, 2),), {"axis": 0, "taps": resizing("mitchellcubic", 3, 7, False)}), ((u(2, 5),), {"axis": 1, "taps": correlating((0.5, 2.0), 5)}),
        ((u(3, 2),), {"axis": 0, "taps": resizing("area", 5, 3, False).transposed})]  # fmt: skip


resample = Primitive(
    "resample", "x", _resample, shape=_resample_shape, accepts=FLOAT, linear=True, cases=_resample_cases,
    grad=(lambda g, axis, taps: resample(g, axis=axis, taps=taps.transposed),),
    batch=lambda p, xs, batched, attrs: p(xs[0], **{**attrs, "axis": attrs["axis"] + 1}),
    reference=lambda x, *, axis, taps: np.moveaxis(np.tensordot(taps.matrix.astype(x.dtype), x, (1, axis)), 0, axis),
    doc="An axis multiplied by a sparse matrix.",
)  # fmt: skip

# -- suppression of overlapping boxes --------------------------------------------------------------------------------------------


def overlap(box: Any, others: Any) -> Any:
    """Intersection over union of one box with others, corners in any order; 0 where a box has no area."""
    low, high = np.minimum(others[..., :2], others[..., 2:]), np.maximum(others[..., :2], others[..., 2:])
    a, b = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    sides = np.maximum(np.minimum(high, b) - np.maximum(low, a), 0)
    both = sides[..., 0] * sides[..., 1]
    area, areas = np.prod(b - a), np.prod(high - low, -1)
    return np.where((area > 0) & (areas > 0) & (both > 0), both / np.where(both > 0, area + areas - both, 1), 0).astype(
        others.dtype
    )


def _select(scores: Any, similar: Callable, limit: int, iou: float, least: float, sigma: float) -> tuple[list, list]:
    """The boxes kept, best first, and their scores.

    A box goes if it overlaps one that is kept by more than ``iou``; or with ``sigma`` > 0 (Bodla et al. 2017, Soft-NMS) its score falls
    instead by exp(-overlap²/(2·sigma)) for each, and it waits until it is the best again.
    """
    t = scores.dtype.type
    heap = [(-s, i, 0) for i, s in enumerate(scores) if s > least]
    heapq.heapify(heap)
    kept: list[int] = []
    values: list[Any] = []
    while heap and len(kept) < limit:
        minus, i, seen = heapq.heappop(heap)
        score = now = -minus
        for s in similar(i, kept[seen:])[::-1] if len(kept) > seen else ():
            if sigma <= 0 and s > iou:
                now = None
                break
            now = t(now * np.exp(t(-0.5 / sigma) * s * s)) if sigma > 0 else now
            if now <= least:
                break
        if now is None:
            continue
        if now == score:
            kept.append(i)
            values.append(now)
        elif now > least:
            heapq.heappush(heap, (-now, i, len(kept)))
    return kept, values


def _nms(x: Any, scores: Any, *, limit: int, iou: float, least: float, sigma: float, boxes: bool) -> tuple:
    n = len(scores)
    if scores.ndim != 1 or x.shape != ((n, 4) if boxes else (n, n)):
        raise ValueError("shapes do not fit")
    similar = (lambda i, js: overlap(x[i], x[js])) if boxes else (lambda i, js: x[i, js])
    kept, values = _select(scores, similar, limit, iou, least, sigma)
    return np.array(kept, np.int32), np.array(values, scores.dtype)


def _nms_shape(x: Aval, scores: Aval, *, limit: int, iou: float, least: float, sigma: float, boxes: bool) -> list[Aval]:
    what, width = ("boxes", 4) if boxes else ("overlaps", scores.shape[0] if scores.ndim == 1 else None)
    if x.ndim != 2 or (None not in (x.shape[1], width) and x.shape[1] != width):
        raise invalid(f"{what} must have the shape [n,{'4' if boxes else 'n'}], but has {dims_text(x.shape)}.")
    if scores.ndim != 1 or (None not in (scores.shape[0], x.shape[0]) and scores.shape[0] != x.shape[0]):
        raise invalid(
            f"scores must be a vector of one number for each box, {dims_text(x.shape[:1])}, but has shape {dims_text(scores.shape)}."
        )
    return [Aval((None,), int32), Aval((None,), scores.dtype)]


def _nms_cases(rng: Any) -> list:
    corner = rng.uniform(0, 0.5, (9, 2))
    x, scores = np.concatenate([corner, corner + rng.uniform(0.2, 0.5, (9, 2))], 1), rng.permutation(9) / 9
    attrs = {"limit": 5, "iou": 0.3, "least": 0.1, "sigma": 0.0}
    return [((x, scores), {**attrs, "boxes": True}), ((rng.uniform(0, 1, (9, 9)), scores), {**attrs, "boxes": False})]


non_max_suppression = Primitive(
    "non_max_suppression", "x scores", _nms, shape=_nms_shape, accepts=FLOAT, multi=True, dynamic=True, cases=_nms_cases, tf="NonMaxSuppressionV5",
    doc="The numbers of the best boxes that do not overlap too much, and their scores. Not differentiable.",
)  # fmt: skip

# -- drawing --------------------------------------------------------------------------------------------------------------------


def _draw_boxes(images: Any, boxes: Any, colors: Any) -> Any:
    n, h, w, c = images.shape
    if (
        boxes.ndim != 3
        or boxes.shape[0] != n
        or boxes.shape[2] != 4
        or colors.ndim != 2
        or colors.shape[1] < c
        or not len(colors)
    ):
        raise ValueError("shapes do not fit")
    out = images.copy()
    ends = np.array([h - 1, w - 1], np.float32)
    for b in range(n):
        for k, box in enumerate(boxes[b].astype(np.float32)):
            (y0, x0), (y1, x1) = (
                np.trunc(box[:2] * ends).astype(int).tolist(),
                np.trunc(box[2:] * ends).astype(int).tolist(),
            )
            if y0 > y1 or x0 > x1 or y0 >= h or y1 < 0 or x0 >= w or x1 < 0:
                continue
            color = colors[k % len(colors), :c].astype(images.dtype)
            rows, columns = slice(max(y0, 0), min(y1, h - 1) + 1), slice(max(x0, 0), min(x1, w - 1) + 1)
            for y in {y0, y1}:
                if 0 <= y < h:
                    out[b, y, columns] = color
            for x in {x0, x1}:
                if 0 <= x < w:
                    out[b, rows, x] = color
    return out


def _draw_shape(images: Aval, boxes: Aval, colors: Aval) -> Aval:
    if images.ndim != 4:
        raise invalid(f"The images must be 4-dimensional, but have shape {dims_text(images.shape)}.")
    if (
        boxes.ndim != 3
        or boxes.shape[2] not in (4, None)
        or (None not in (boxes.shape[0], images.shape[0]) and boxes.shape[0] != images.shape[0])
    ):
        raise invalid(f"The boxes must have shape [{images.shape[0]},n,4], but have {dims_text(boxes.shape)}.")
    short = colors.ndim == 2 and None not in (colors.shape[1], images.shape[3]) and colors.shape[1] < images.shape[3]
    if colors.ndim != 2 or short or colors.shape[0] == 0:
        raise invalid(f"The colors must have shape [n,{images.shape[3]}], but have {dims_text(colors.shape)}.")
    return images


draw_bounding_boxes = Primitive(
    "draw_bounding_boxes", "images boxes colors", _draw_boxes, shape=_draw_shape, accepts=FLOAT, widen=False,
    cases=lambda rng: [((rng.uniform(0, 1, (2, 7, 8, 3)), np.array([[[0.1, 0.2, 0.7, 0.9], [-0.5, 0.4, 1.5, 0.6]]] * 2), rng.uniform(0, 1, (2, 3))), {})],
    doc="The images with the edges of boxes drawn, a pixel wide. Not differentiable.",
)  # fmt: skip


def _combined(
    boxes: Any, scores: Any, *, each: int, total: int, size: int, iou: float, least: float, clip: bool
) -> tuple:
    n, _, q, _ = boxes.shape
    classes = scores.shape[2]
    if scores.ndim != 3 or boxes.shape[:2] != scores.shape[:2] or q not in (1, classes) or boxes.shape[3] != 4:
        raise ValueError("shapes do not fit")
    corners, values = np.zeros((n, size, 4), boxes.dtype), np.zeros((n, size), scores.dtype)
    names, counts = np.zeros((n, size), scores.dtype), np.zeros(n, np.int32)
    for b in range(n):
        found = []
        for c in range(classes):
            x = boxes[b, :, min(c, q - 1)]
            kept, best = _select(scores[b, :, c], lambda i, js, x=x: overlap(x[i], x[js]), each, iou, least, 0.0)
            found += [(-s, c, k, x[i]) for k, (i, s) in enumerate(zip(kept, best, strict=True))]
        found = sorted(found, key=lambda f: f[:3])[: min(total, size)]
        counts[b] = len(found)
        for k, (minus, c, _, box) in enumerate(found):
            corners[b, k], values[b, k], names[b, k] = np.clip(box, 0, 1) if clip else box, -minus, c
    return corners, values, names, counts


def _combined_shape(
    boxes: Aval, scores: Aval, *, each: int, total: int, size: int, iou: float, least: float, clip: bool
) -> list[Aval]:
    if boxes.ndim != 4 or boxes.shape[3] not in (4, None):
        raise invalid(f"boxes must have shape [batch,n,classes or 1,4], but have {dims_text(boxes.shape)}.")
    if scores.ndim != 3 or any(
        None not in (d, e) and d != e for d, e in zip(boxes.shape[:2], scores.shape[:2], strict=True)
    ):
        raise invalid(
            f"scores must have shape {dims_text((*boxes.shape[:2], 'classes'))}, but have {dims_text(scores.shape)}."
        )
    if None not in (boxes.shape[2], scores.shape[2]) and boxes.shape[2] not in (1, scores.shape[2]):
        raise invalid(
            f"The third dimension of boxes must be 1 or the {scores.shape[2]} classes of the scores, but is {boxes.shape[2]}."
        )
    n = boxes.shape[0] if boxes.shape[0] is not None else scores.shape[0]
    return [
        Aval((n, size, 4), boxes.dtype),
        Aval((n, size), scores.dtype),
        Aval((n, size), scores.dtype),
        Aval((n,), int32),
    ]


def _combined_cases(rng: Any) -> list:
    corner = rng.uniform(0, 0.5, (2, 7, 3, 2))
    x = np.concatenate([corner, corner + rng.uniform(0.2, 0.7, (2, 7, 3, 2))], -1)
    attrs = {"each": 3, "total": 5, "size": 5, "iou": 0.3, "least": 0.1, "clip": True}
    return [((x[:, :, :q], rng.permutation(42).reshape(2, 7, 3) / 42), attrs) for q in (1, 3)]


combined_non_max_suppression = Primitive(
    "combined_non_max_suppression", "boxes scores", _combined, shape=_combined_shape, accepts=FLOAT, multi=True, cases=_combined_cases,
    tf="CombinedNonMaxSuppression", doc="The best boxes of each class that do not overlap too much, the best of all classes first. Not differentiable.",
)  # fmt: skip
