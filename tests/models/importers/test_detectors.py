from __future__ import annotations

import numpy as np
import pytest

from limner.core.errors import BundleError
from limner.models.importers.detectors import chosen_labels, classes_differ, coco_labels, detections_differ


def said(count: int = 10, *, moved: int = 0, score: float = 0.0, level: float = 1.0):
    """Boxes, scores, labels and masks of some things, a few of them elsewhere."""
    left = np.arange(count, dtype=np.float32)[:, None] * 20
    boxes = np.concatenate([left, left, left + 15, left + 15], axis=1)
    boxes[:moved] += 3
    scores = np.linspace(0.9, 0.1, count, dtype=np.float32)
    scores[:1] += score
    return [boxes, scores, np.arange(count) % 3, np.full((count, 4, 4), level, np.float32)]


def test_the_order_does_not_matter():
    turned = [each[::-1] for each in said()]
    assert detections_differ(said(), turned) == 0


@pytest.mark.parametrize(
    ("other", "share"),
    [
        (said(moved=1), 0),  # one is forgiven
        (said(moved=4), 3 / 9),
        (said(score=0.01), 0),
        (said(level=0.5), 8 / 9),
        ([each[:9] for each in said()], 0),  # the least score may be there or not
        (said(0), 8 / 9),
        (said()[:2], float("inf")),
    ],
)
def test_the_share_that_only_one_has(other, share):
    assert detections_differ(said(), other) == pytest.approx(share)


def test_thin_boxes_are_compared_by_their_edges():
    thin = [np.array([[5, 5, 5, 9], [0, 0, 9, 9]], np.float32), np.array([0.9, 0.1], np.float32), np.array([0, 0])]
    assert detections_differ(thin, [thin[0] + np.float32(0.1), *thin[1:]]) == 0


def test_pixel_classes():
    classes, scores = np.zeros((1, 10, 10), np.uint8), np.full((1, 10, 10), 0.5, np.float32)
    other = classes.copy()
    other[0, 0, :5] = 1
    assert classes_differ([classes, scores], [other, scores + np.float32(0.01)]) == pytest.approx(0.06)
    assert classes_differ([classes, scores], [other[:, 1:], scores]) == float("inf")


def test_labels():
    assert len(coco_labels()) == 80
    assert (coco_labels()[0], coco_labels()[-1]) == ("person", "toothbrush")
    assert chosen_labels(None, 2, ("a", "b")) == ("a", "b")
    assert chosen_labels(("c", "d"), 2, ("a", "b")) == ("c", "d")
    with pytest.raises(BundleError, match="does not name them"):
        chosen_labels(None, 2, None)
    with pytest.raises(BundleError, match="has 2 labels, and 1 were given"):
        chosen_labels(("a",), 2, None)
