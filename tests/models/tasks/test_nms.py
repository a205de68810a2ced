from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from limner.models.tasks import nms as module
from limner.models.tasks.nms import box_iou, nms


def greedy(boxes, scores, classes, iou):
    """The plain method, one box after the other."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(classes[i] != classes[j] or not overlap(boxes[j], boxes[i]) > np.float32(iou) for j in kept):
            kept.append(int(i))
    return kept


def overlap(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]), np.float32(0))
    height = max(min(a[3], b[3]) - max(a[1], b[1]), np.float32(0))
    shared = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union else np.float32(0)


def boxes_of(corner, sides):
    return np.concatenate([corner, corner + sides], axis=1).astype(np.float32)


@st.composite
def candidates(draw):
    count = draw(st.integers(0, 40))
    # Few different values, so that boxes coincide, touch and tie.
    grid = hnp.arrays(np.float32, (count, 2), elements=st.integers(0, 12).map(float))
    sides = hnp.arrays(np.float32, (count, 2), elements=st.integers(0, 8).map(float))
    scores = hnp.arrays(np.float32, count, elements=st.integers(0, 10).map(lambda v: v / 10))
    classes = hnp.arrays(np.intp, count, elements=st.integers(0, 2))
    return boxes_of(draw(grid), draw(sides)), draw(scores), draw(classes)


@settings(max_examples=200, deadline=None)
@given(candidates(), st.sampled_from([0.0, 0.1, 0.45, 0.5, 0.9, 1.0]))
def test_it_is_the_greedy_method(found, iou):
    boxes, scores, classes = found
    assert nms(boxes, scores, classes, iou).tolist() == greedy(boxes, scores, classes, iou)


@settings(max_examples=50, deadline=None)
@given(candidates(), st.integers(1, 10))
def test_a_limit_takes_the_best_of_all(found, limit):
    boxes, scores, classes = found
    assert nms(boxes, scores, classes, 0.4, limit).tolist() == greedy(boxes, scores, classes, 0.4)[:limit]


@pytest.mark.parametrize("block", [1, 3, 7, 256])
def test_blocks_of_any_size_give_the_same(block, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", block)
    rng = np.random.default_rng(block)
    boxes = boxes_of(rng.random((300, 2)) * 100, rng.random((300, 2)) * 40)
    scores, classes = rng.random(300).astype(np.float32), rng.integers(0, 3, 300)
    assert nms(boxes, scores, classes, 0.3).tolist() == greedy(boxes, scores, classes, 0.3)


def test_as_many_candidates_as_yolov5_has():
    rng = np.random.default_rng(0)
    boxes = boxes_of(rng.random((25_200, 2)) * 640, rng.random((25_200, 2)) * 300 + 30)
    scores, classes = rng.random(25_200).astype(np.float32), rng.integers(0, 3, 25_200)
    kept = nms(boxes, scores, classes, 0.45, 300)
    assert len(kept) == 300
    assert (np.diff(scores[kept]) <= 0).all()
    overlaps = box_iou(boxes[kept], boxes[kept]) > 0.4501
    same = classes[kept][:, None] == classes[kept]
    assert not (overlaps & same & ~np.eye(300, dtype=bool)).any()


def test_no_candidates():
    assert nms(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.intp), 0.5).tolist() == []


def test_boxes_without_area_touch_nothing():
    boxes = np.zeros((3, 4), np.float32)
    assert nms(boxes, np.ones(3, np.float32), np.zeros(3, np.intp), 0.5).tolist() == [0, 1, 2]


def test_box_iou():
    first = np.array([[0, 0, 2, 2], [5, 5, 5, 5]])
    second = np.array([[1, 0, 3, 2], [0, 0, 2, 2], [9, 9, 10, 10]])
    assert np.allclose(box_iou(first, second), [[1 / 3, 1, 0], [0, 0, 0]])
