"""Boxes as numpy arrays [N,4]: left, top, right, bottom; right and bottom are exclusive."""

import numpy as np


def move_edges(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Returns boxes whose edges are moved by offsets [N,4], in shares of width and height."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    return boxes + offsets * np.concatenate([sizes, sizes], axis=1)


def to_squares(boxes: np.ndarray) -> np.ndarray:
    """Returns squares with the same centres, as wide as the longer side of each box."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def overlaps(
    boxes: np.ndarray, others: np.ndarray | None = None, *, of_smaller: bool = False
) -> np.ndarray:
    """Returns how much each box overlaps each of the others, [N,M] in [0, 1].

    Args:
      boxes: [N,4]; a box with no area overlaps nothing.
      others: [M,4]; None: the boxes themselves.
      of_smaller: Divide the intersection by the smaller area instead of by the union.
    """
    others = boxes if others is None else others
    corner = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sizes = np.maximum(corner - np.maximum(boxes[:, None, :2], others[None, :, :2]), 0)
    shared = sizes[..., 0] * sizes[..., 1]
    areas, other_areas = (np.maximum(b[:, 2:] - b[:, :2], 0).prod(axis=1) for b in (boxes, others))
    if of_smaller:
        whole = np.minimum(areas[:, None], other_areas[None, :])
    else:
        whole = areas[:, None] + other_areas[None, :] - shared
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def suppress(
    boxes: np.ndarray,
    confidences: np.ndarray,
    max_overlap: float,
    *,
    of_smaller: bool = False,
    max_boxes: int | None = None,
) -> np.ndarray:
    """Greedy non-maximum suppression.

    Args:
      boxes: [N,4].
      confidences: [N].
      max_overlap: A box that overlaps a kept, more confident one by more than this is dropped.
      of_smaller: As in `overlaps`.
      max_boxes: Keep at most this many, the most confident.

    Returns:
      int64 [M], indices of the kept boxes, the most confident first; ties keep their order.
    """
    order = np.argsort(-confidences, kind="stable")
    rivals = overlaps(boxes[order], of_smaller=of_smaller) > max_overlap
    alive = np.ones(len(order), bool)
    for n in range(len(order)):
        if alive[n]:
            alive[n + 1 :] &= ~rivals[n, n + 1 :]
    return order[alive][:max_boxes]
