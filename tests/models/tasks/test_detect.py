from __future__ import annotations

import numpy as np
import pytest

from limner.annotations.annotation import ByModel
from limner.annotations.shapes import Box, Mask
from limner.models.tasks.detect import Detections, Frame, Request, detect, to_annotations
from limner.models.tasks.letterbox import Transform, plan_input
from limner.models.tasks.specs import Boxes, Input, Letterbox, Rows, YoloV5, YoloV8
from tests.models.parity import expected, image_size, parity_folder

BY = ByModel("m", "1")
PAGE = Frame(Transform(1, 1, 0, 0), (100, 100), Box(0, 0, 100, 100), (100, 100))


def request(**changes) -> Request:
    fields = {
        "labels": ("a", "b"),
        "wanted": np.ones(2, bool),
        "threshold": 0.3,
        "iou": 0.5,
        "limit": 10,
        "provenance": BY,
    }
    return Request(**(fields | changes))


def rows(*values):
    return [np.array(values, np.float32)[None]]


def test_repeats_are_removed_by_label_and_the_best_comes_first():
    outputs = rows(
        [20, 20, 20, 20, 1, 0.6, 0],
        [21, 20, 20, 20, 1, 0.9, 0],
        [20, 20, 20, 20, 1, 0, 0.7],
        [70, 70, 20, 20, 1, 0.5, 0],
    )
    found = detect(outputs, YoloV5(), request(), PAGE, masks=False)
    assert np.allclose(found.scores, [0.9, 0.7, 0.5])
    assert found.classes.tolist() == [0, 1, 0]
    assert found.boxes[0].tolist() == [11, 10, 31, 30]


def test_a_filter_of_labels_does_not_change_the_others():
    outputs = rows([20, 20, 20, 20, 1, 0.6, 0.8], [70, 70, 20, 20, 1, 0.5, 0])
    found = detect(outputs, YoloV5(), request(wanted=np.array([True, False]), limit=1), PAGE, masks=False)
    assert np.allclose(found.scores, [0.5])  # the first row is a `b`, whatever its score as an `a`


def test_the_threshold_itself_is_enough():
    outputs = rows([20, 20, 20, 20, 1, 0.7, 0])
    assert len(detect(outputs, YoloV5(), request(threshold=0.7), PAGE, masks=False)) == 1


@pytest.mark.parametrize("spec", [YoloV5(), Rows()])
def test_the_limit_keeps_the_best(spec):
    if spec.name == "yolov5":
        outputs = rows(*([10 * i + 5, 5, 4, 4, 1, 0.3 + i / 20, 0] for i in range(10)))
    else:
        outputs = rows(*([10 * i, 1, 10 * i + 4, 5, 0.3 + i / 20, 0] for i in range(10)))
    found = detect(outputs, spec, request(limit=3), PAGE, masks=False)
    assert np.allclose(found.scores, [0.75, 0.7, 0.65])


def test_boxes_go_back_to_the_page_and_are_cut_to_what_was_seen():
    frame = Frame(Transform(0.5, 0.25, 10, 0), (100, 100), Box(40, 0, 100, 400), (200, 400))
    outputs = rows([20, 10, 60, 30, 0.9, 0], [0, 0, 25, 90, 0.8, 1])
    found = detect(outputs, Rows(), request(), frame, masks=False)
    assert found.boxes.tolist() == [[40, 40, 100, 120]]  # the second lies left of what was seen


def test_scores_beyond_one_and_boxes_upside_down_make_no_error():
    outputs = rows([10, 10, 20, 20, 1.2, 0], [50, 50, 40, 40, 0.9, 0])
    found = list(to_annotations(detect(outputs, Rows(), request(), PAGE, masks=False), request()))
    assert [each.score for each in found] == [1.0]


def test_nothing():
    found = detect(rows([0] * 7), YoloV5(), request(), PAGE, masks=False)
    assert len(found) == 0
    assert list(to_annotations(found, request())) == []


def test_annotations_say_what_where_how_sure_and_by_whom():
    found = Detections(np.array([[1.0, 2, 4, 8]]), np.array([0.5], np.float32), np.array([1]))
    (each,) = to_annotations(found, request())
    assert (each.shape, each.label, each.score, each.provenance) == (Box(1, 2, 3, 6), "b", 0.5, BY)


def test_masks_where_they_are_wanted_and_the_box_where_a_mask_is_empty():
    full, empty = np.ones((1, 4, 4), np.float32), np.zeros((1, 4, 4), np.float32)
    boxes = np.array([[10, 10, 20, 30], [50, 50, 60, 60]], np.float32)
    outputs = [boxes, np.array([0, 1]), np.array([0.9, 0.8], np.float32), np.stack([full, empty])]
    spec = Boxes(outputs=("boxes", "labels", "scores", "masks"))
    shapes = [each.shape for each in to_annotations(detect(outputs, spec, request(), PAGE, masks=True), request())]
    assert isinstance(shapes[0], Mask)
    assert shapes[0].bounds == Box(10, 10, 10, 20)
    assert shapes[0].area == 196  # towards the corners a full mask fades, as in Detectron2
    assert shapes[1] == Box(50, 50, 10, 10)
    plain = detect(outputs, spec, request(), PAGE, masks=False)
    assert plain.masks is None


def test_masks_of_prototypes_belong_to_the_detection_that_was_kept():
    prototypes = np.full((1, 2, 25, 25), -1.0, np.float32)
    prototypes[0, 0, :, :12] = 1  # left half of the page
    prototypes[0, 1, :12, :] = 1  # upper half
    columns = np.array([[50, 50, 80, 80, 0.5, 0, 1, 0], [50, 50, 80, 80, 0.9, 0, 0, 1]], np.float32)
    found = detect([columns.T[None], prototypes], YoloV8(masks=2), request(), PAGE, masks=True)
    assert len(found) == 1
    assert found.masks[0].bounds == Box(10, 10, 80, 38)


@pytest.mark.parametrize("at", range(3))
def test_the_same_boxes_as_yolov5(at):
    known = expected("yolov5n")
    image = known["images"][at]
    size = image_size(image["image"])
    raw = np.load(parity_folder() / "yolov5n" / f"raw_{image['image'].removesuffix('.png')}.npy")
    plan = plan_input(Input(resize=Letterbox(mapping="yolov5"), dynamic=True), size)
    labels = tuple(known["names"])
    asked = request(labels=labels, wanted=np.ones(3, bool), threshold=known["threshold"], iou=0.45, limit=1000)
    found = detect(
        [raw[None]], YoloV5(), asked, Frame(plan.transform, plan.canvas, Box(0, 0, *size), size), masks=False
    )
    assert len(found) == len(image["instances"])
    for box, score, label, other in zip(found.boxes, found.scores, found.classes, image["instances"], strict=True):
        assert label == other["cls"]
        assert abs(score - other["score"]) <= 1e-5
        assert Box.from_corners(*box).iou(Box.from_corners(*other["box"])) >= 0.999
