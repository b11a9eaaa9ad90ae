"""Boxes on images: the best that do not overlap, and pictures of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.arguments import integer
from ..core.tensor import Tensor, convert
from ..dtypes import cast
from ..ground.dtypes import float32, int32
from ..ground.errors import invalid
from ..ground.shapes import dims_text
from ..primitives import elementwise as ew
from ..primitives import image as rows
from ..primitives import structure as st
from ..primitives.indexing import along, take_one

# A box is a row y1, x1, y2, x2 of two opposite corners, in pixels or in fractions of the image.


def _selected(
    x: Any, scores: Any, limit: Any, threshold: Any, score_threshold: Any, sigma: Any, boxes: bool
) -> tuple[Tensor, Tensor]:
    t, s = convert(x), convert(scores)
    if t._d is not s._d:
        raise invalid(f"boxes and scores must have one dtype, but have {t._d.name} and {s._d.name}.")
    n, iou = integer(limit, "max_output_size"), float(threshold)
    if n < 0:
        raise invalid(f"max_output_size must be non-negative, but is {n}.")
    if boxes and not 0 <= iou <= 1:
        raise invalid(f"iou_threshold must be in [0, 1], but is {iou}.")
    kept, values = rows.non_max_suppression(
        t, s, limit=n, iou=iou, least=float(score_threshold), sigma=float(sigma), boxes=boxes
    )
    return kept, values


def non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: float = 0.5,
    score_threshold: float = float("-inf"),
    name: str | None = None,
) -> Tensor:
    """The best boxes, of which no two overlap much: each goes that overlaps a better one by more than a threshold.

    Args:
        boxes: a float Tensor of shape (n, 4) of rows y1, x1, y2, x2, or anything that converts to one.
        scores: a Tensor of shape (n,) of the same dtype.
        max_output_size: how many boxes are kept at most.
        iou_threshold: the largest intersection over union of two boxes that are kept.
        score_threshold: boxes with lower scores, and equal ones, go.
        name: ignored, for TensorFlow's sake.

    Returns:
        An int32 Tensor of the kept boxes' numbers, the best first.

    Raises:
        InvalidArgumentError: shapes that do not fit, or a threshold out of [0, 1].

    >>> import gradtape as tf
    >>> boxes = [[0.0, 0, 2, 2], [0, 0, 2, 1.9], [0, 0, 1, 1]]
    >>> tf.image.non_max_suppression(boxes, [0.5, 0.9, 0.1], 3).numpy().tolist()
    [1, 2]
    """
    return _selected(boxes, scores, max_output_size, iou_threshold, score_threshold, 0.0, True)[0]


def non_max_suppression_with_scores(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: float = 0.5,
    score_threshold: float = float("-inf"),
    soft_nms_sigma: float = 0.0,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """``non_max_suppression``, by lowering the scores of overlapping boxes if asked for, with the scores.

    Source: Bodla, Singh, Chellappa and Davis, Soft-NMS: improving object detection with one line of code (2017).

    Args:
        boxes: as in ``tf.image.non_max_suppression``.
        scores: as in ``tf.image.non_max_suppression``.
        max_output_size: as in ``tf.image.non_max_suppression``.
        iou_threshold: as in ``tf.image.non_max_suppression``.
        score_threshold: as in ``tf.image.non_max_suppression``.
        soft_nms_sigma: if positive, a box that overlaps a better one by u has its score multiplied by exp(-u² / (2·sigma)).
        name: ignored, for TensorFlow's sake.

    Returns:
        (numbers, scores) of the kept boxes.

    Raises:
        InvalidArgumentError: shapes that do not fit, or a threshold out of [0, 1].

    >>> import gradtape as tf
    >>> kept, scores = tf.image.non_max_suppression_with_scores([[0.0, 0, 2, 2], [0, 0, 1, 1]], [0.9, 0.5], 2, soft_nms_sigma=0.5)
    >>> kept.numpy().tolist()
    [0, 1]
    """
    return _selected(boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma, True)


def non_max_suppression_overlaps(
    overlaps: Any,
    scores: Any,
    max_output_size: Any,
    overlap_threshold: float = 0.5,
    score_threshold: float = float("-inf"),
    name: str | None = None,
) -> Tensor:
    """``non_max_suppression`` with overlaps of any sort: a Tensor of shape (n, n)."""
    return _selected(overlaps, scores, max_output_size, overlap_threshold, score_threshold, 0.0, False)[0]


def non_max_suppression_padded(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: float = 0.5,
    score_threshold: float = float("-inf"),
    pad_to_max_output_size: bool = False,
    name: str | None = None,
    sorted_input: bool = False,
    canonicalized_coordinates: bool = False,
    tile_size: int = 512,
) -> tuple[Tensor, Tensor]:
    """``non_max_suppression`` that can fill up to a fixed number, and for batches.

    Args:
        boxes: a float Tensor of shape (..., n, 4), or anything that converts to one.
        scores: a Tensor of shape (..., n) of the same dtype.
        max_output_size: as in ``tf.image.non_max_suppression``.
        iou_threshold: as in ``tf.image.non_max_suppression``.
        score_threshold: as in ``tf.image.non_max_suppression``.
        pad_to_max_output_size: fill up with 0; must be set for batches.
        name: ignored, for TensorFlow's sake.
        sorted_input: ignored: the boxes are sorted anyway.
        canonicalized_coordinates: ignored: corners may stand in any order.
        tile_size: ignored.

    Returns:
        (numbers, how many of them count), of shapes (..., max_output_size) and (...).

    Raises:
        InvalidArgumentError: shapes that do not fit.
        ValueError: a batch without ``pad_to_max_output_size``.

    >>> import gradtape as tf
    >>> kept, n = tf.image.non_max_suppression_padded([[0.0, 0, 2, 2], [0, 0, 2, 1.9]], [0.9, 0.5], 2, pad_to_max_output_size=True)
    >>> kept.numpy().tolist(), n.numpy()
    ([0, 0], np.int32(1))
    """
    x, s = convert(boxes), convert(scores)
    limit = integer(max_output_size, "max_output_size")
    batch = s._shape[:-1]
    if batch and not pad_to_max_output_size:
        raise ValueError(
            "'pad_to_max_output_size' (value False) must be True for batched input: each member may keep another number of boxes."
        )
    if not batch:
        return _padded(x, s, limit, iou_threshold, score_threshold, pad_to_max_output_size)
    n = s._shape[-1]
    count = int(np.prod(batch))
    flat_x, flat_s = st.reshape(x, shape=(count, n, 4)), st.reshape(s, shape=(count, n))
    each = [
        _padded(take_one(flat_x, 0, i), take_one(flat_s, 0, i), limit, iou_threshold, score_threshold, True)
        for i in range(count)
    ]
    kept, counts = (st.stack(*parts, axis=0) for parts in zip(*each, strict=True))
    return st.reshape(kept, shape=(*batch, limit)), st.reshape(counts, shape=batch)


def _padded(x: Tensor, s: Tensor, limit: int, iou: float, least: float, pad: bool) -> tuple[Tensor, Tensor]:
    # an overlap equal to the threshold is too much here, but not in the other functions
    kept = non_max_suppression(x, s, limit, np.nextafter(np.float32(iou), np.float32(0)), least)
    count = take_one(st.shape_of(kept, dtype=int32), 0, 0)
    if pad:
        zeros = convert(np.zeros(limit, np.int32))
        kept = along(st.concat(kept, zeros, axis=0), 0, 0, limit)
    return kept, count


def combined_non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size_per_class: Any,
    max_total_size: Any,
    iou_threshold: float = 0.5,
    score_threshold: float = float("-inf"),
    pad_per_class: bool = False,
    clip_boxes: bool = True,
    name: str | None = None,
) -> Any:
    """``non_max_suppression`` for each class by itself, over a batch, and the best boxes of all classes.

    Args:
        boxes: a float Tensor of shape (batch, n, classes, 4), or (batch, n, 1, 4) where all classes share the boxes.
        scores: a Tensor of shape (batch, n, classes) of the same dtype.
        max_output_size_per_class: how many boxes of a class are kept at most.
        max_total_size: how many boxes are kept at most.
        iou_threshold: as in ``tf.image.non_max_suppression``.
        score_threshold: as in ``tf.image.non_max_suppression``.
        pad_per_class: give no more rows than all classes together can fill.
        clip_boxes: bring the corners of the result into [0, 1].
        name: ignored, for TensorFlow's sake.

    Returns:
        A named tuple of nmsed_boxes (batch, m, 4), nmsed_scores (batch, m), nmsed_classes (batch, m) and valid_detections (batch,): how many of
        the m rows count; the others are 0.

    Raises:
        InvalidArgumentError: shapes that do not fit, or a threshold out of [0, 1].

    >>> import gradtape as tf
    >>> out = tf.image.combined_non_max_suppression([[[[0.0, 0, 1, 1]], [[0.0, 0, 1, 0.9]]]], [[[0.75], [0.5]]], 2, 2)
    >>> out.valid_detections.numpy().tolist(), out.nmsed_scores.numpy().tolist()
    ([1], [[0.75, 0.0]])
    """
    x, s = convert(boxes), convert(scores)
    if x._d is not s._d:
        raise invalid(f"boxes and scores must have one dtype, but have {x._d.name} and {s._d.name}.")
    each, total = (
        integer(max_output_size_per_class, "max_output_size_per_class"),
        integer(max_total_size, "max_total_size"),
    )
    if each <= 0 or total <= 0:
        raise invalid(f"max_output_size_per_class and max_total_size must be positive, but are {each} and {total}.")
    if not 0 <= iou_threshold <= 1:
        raise invalid(f"iou_threshold must be in [0, 1], but is {iou_threshold}.")
    size = min(total, each * s._shape[-1]) if pad_per_class and s._shape else total
    out = rows.combined_non_max_suppression(
        x,
        s,
        each=each,
        total=total,
        size=size,
        iou=float(iou_threshold),
        least=float(score_threshold),
        clip=bool(clip_boxes),
    )
    return CombinedNonMaxSuppression(*out)


class CombinedNonMaxSuppression(NamedTuple):
    """What ``combined_non_max_suppression`` gives."""

    nmsed_boxes: Tensor
    nmsed_scores: Tensor
    nmsed_classes: Tensor
    valid_detections: Tensor


def draw_bounding_boxes(images: Any, boxes: Any, colors: Any, name: str | None = None) -> Tensor:
    """The images with the edges of boxes drawn, a pixel wide. Not differentiable.

    Args:
        images: a float Tensor of shape (batch, height, width, channels), or anything that converts to one.
        boxes: a float32 Tensor of shape (batch, n, 4) of rows y1, x1, y2, x2, in fractions of the image.
        colors: a Tensor of shape (m, channels or more), used in turn; None for a palette of ten.
        name: ignored, for TensorFlow's sake.

    Returns:
        A Tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: shapes that do not fit.

    >>> import gradtape as tf
    >>> tf.image.draw_bounding_boxes(tf.zeros([1, 3, 3, 1]), [[[0.0, 0.0, 1.0, 1.0]]], [[1.0]]).numpy()[0, ..., 0].tolist()
    [[1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]
    """
    x = convert(images)
    if len(x._shape) == 4 and x._shape[3] == 1:  # in gray every box is white
        palette: Any = np.ones((1, 1), np.float32)
    else:
        palette = _PALETTE if colors is None or np.size(np.asarray(colors)) == 0 else colors
    return rows.draw_bounding_boxes(
        x, cast(convert(boxes, None, float32), x._d), cast(convert(palette, None, float32), x._d)
    )


_PALETTE = np.array([
    [1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0.5, 0, 0.5, 1], [0.5, 0.5, 0, 1], [0.5, 0, 0, 1], [0, 0, 0.5, 1], [0, 1, 1, 1], [1, 0, 1, 1],
], np.float32)  # fmt: skip


def iou(boxes1: Any, boxes2: Any) -> Tensor:
    """Intersection over union of boxes, 0 where a box has no area. Differentiable. (No function of TensorFlow's.)

    Args:
        boxes1: a float Tensor of shape (..., 4) of rows y1, x1, y2, x2 with y1 <= y2 and x1 <= x2, or anything that converts to one.
        boxes2: another of the same dtype; the shapes broadcast.

    Returns:
        A Tensor of the broadcast shape without the last dimension.

    Raises:
        InvalidArgumentError: the last dimension is not 4.

    >>> import gradtape as tf
    >>> tf.image.iou([0.0, 0, 2, 2], [0.0, 0, 1, 2]).numpy()
    np.float32(0.5)
    """
    a = convert(boxes1)
    b = convert(boxes2, None, a._d)
    for t in (a, b):
        if not t._shape or t._shape[-1] != 4:
            raise invalid(f"Boxes must have shape [...,4], but have {dims_text(t._shape)}.")

    def sides(low_y: Tensor, low_x: Tensor, high_y: Tensor, high_x: Tensor) -> Tensor:
        return ew.maximum(high_y - low_y, st.zeros_like(high_y)) * ew.maximum(high_x - low_x, st.zeros_like(high_x))  # type: ignore[operator]

    p, q = ([take_one(t, len(t._shape) - 1, i) for i in range(4)] for t in (a, b))
    both = [
        *(ew.maximum(u, v) for u, v in zip(p[:2], q[:2], strict=True)),
        *(ew.minimum(u, v) for u, v in zip(p[2:], q[2:], strict=True)),
    ]
    inner = sides(*both)
    return ew.divide_no_nan(inner, sides(*p) + sides(*q) - inner)


__all__ = [
    "combined_non_max_suppression", "draw_bounding_boxes", "iou", "non_max_suppression", "non_max_suppression_overlaps", "non_max_suppression_padded", "non_max_suppression_with_scores",
]  # fmt: skip
