"""Suppression of boxes that overlap one of a higher score."""

from typing import Any

from .registry import Array, kernel


@kernel("NonMaxSuppression")
def non_max_suppression(
    xp: Any,
    boxes: Array,
    scores: Array,
    most: Array = None,
    iou_threshold: Array = None,
    score_threshold: Array = None,
    center_point_box: int = 0,
) -> Array:
    """Return (batch, class, box) of the boxes kept, by falling score; none where `most` is omitted.

    boxes: (batch, boxes, 4), two corners or center and size; scores: (batch, classes, boxes).
    """
    limit = 0 if most is None else int(most.item())
    overlap = 0.0 if iou_threshold is None else iou_threshold.item()
    least = None if score_threshold is None else score_threshold.item()
    low, high = _corners(xp, boxes, center_point_box)
    kept = [
        [image, label, box]
        for image in range(scores.shape[0])
        for label in range(scores.shape[1])
        for box in _kept(xp, low[image], high[image], scores[image, label], limit, overlap, least)
    ]
    return xp.asarray(kept, dtype="int64").reshape(-1, 3)


def _corners(xp: Any, boxes: Array, center_point_box: int) -> tuple[Array, Array]:
    """Return the lower and the upper corner of each box: (…, 2)."""
    first, second = boxes[..., :2], boxes[..., 2:]
    if center_point_box:
        return first - second / 2, first + second / 2
    return xp.minimum(first, second), xp.maximum(first, second)


def _kept(
    xp: Any,
    low: Array,
    high: Array,
    scores: Array,
    limit: int,
    overlap: float,
    least: float | None,
) -> list[int]:
    """Take the box of the highest score, drop those that overlap it, and so on."""
    waiting = xp.argsort(-scores, kind="stable")
    if least is not None:
        waiting = waiting[scores[waiting] > least]
    areas = (high - low).prod(axis=-1)
    kept: list[int] = []
    while waiting.size and len(kept) < limit:
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        sides = xp.minimum(high[best], high[waiting]) - xp.maximum(low[best], low[waiting])
        shared = xp.maximum(sides, 0).prod(axis=-1)
        union = areas[best] + areas[waiting] - shared
        solid = (areas[best] > 0) & (areas[waiting] > 0) & (union > 0)
        share = xp.where(solid, shared / xp.where(solid, union, 1), 0)
        waiting = waiting[~(share > overlap)]
    return kept
