"""Pages with things and finds that miss, double, confuse and shift them: made by chance, the same each time."""

from __future__ import annotations

import numpy as np

from limner.annotations.shapes import Box
from limner.training.evaluation.pages import PageFound, PageTruth, rle

SIZE = (640, 480)


def scenes(
    pages: int, things: int, labels: int, *, seed: int = 0, masks: bool = False, unknown: bool = False
) -> tuple[list[PageTruth], list[PageFound]]:
    """Truth and finds of some pages."""
    chance = np.random.default_rng(seed)
    made = [_scene(chance, f"p{at}", things, labels, masks=masks, unknown=unknown) for at in range(pages)]
    return [each[0] for each in made], [each[1] for each in made]


def _scene(
    chance: np.random.Generator, name: str, things: int, labels: int, *, masks: bool, unknown: bool
) -> tuple[PageTruth, PageFound]:
    count = int(chance.integers(0, 2 * things + 1))
    boxes, kinds = _boxes(chance, count), chance.integers(0, labels, count)
    seen = chance.random(count) < 0.8
    shifted = boxes[seen] + chance.normal(0, 6, (int(seen.sum()), 4))
    taken = np.where(chance.random(len(shifted)) < 0.85, kinds[seen], chance.integers(0, labels, len(shifted)))
    extra = _boxes(chance, int(chance.integers(0, things + 1)))
    found = _sound(np.concatenate([shifted, extra]))
    found_labels = np.concatenate([taken, chance.integers(0, labels, len(extra))])
    scores = np.round(np.concatenate([chance.uniform(0.3, 1, len(shifted)), chance.uniform(0, 0.6, len(extra))]), 2)
    order = np.argsort(-scores, kind="stable")
    found, found_labels, scores = found[order], found_labels[order], scores[order]
    truth = PageTruth(
        name=name,
        width=SIZE[0],
        height=SIZE[1],
        boxes=boxes,
        labels=kinds,
        masks=_masks(boxes) if masks else None,
        ignore=_boxes(chance, 2 if unknown else 0),
        exhaustive=chance.random(labels) < (0.7 if unknown else 2),
    )
    page_masks = _masks(found) if masks else None
    return truth, PageFound(name=name, boxes=found, labels=found_labels, scores=scores, masks=page_masks)


def _boxes(chance: np.random.Generator, count: int) -> np.ndarray:
    corners = chance.uniform(0, 1, (count, 2)) * np.array(SIZE) * 0.7
    return _sound(np.concatenate([corners, corners + chance.uniform(20, 150, (count, 2))], axis=1))


def _sound(boxes: np.ndarray) -> np.ndarray:
    boxes = np.clip(np.round(boxes, 1), 0, [*SIZE, *SIZE])
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 4)
    return boxes


def _masks(boxes: np.ndarray) -> tuple:
    return tuple(rle(Box.from_corners(*np.round(each)), (SIZE[0] + 200, SIZE[1] + 200)) for each in boxes.tolist())
