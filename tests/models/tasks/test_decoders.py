from __future__ import annotations

import numpy as np
import pytest

from limner.core.errors import ModelError
from limner.models.tasks.decoders import Reading, decode
from limner.models.tasks.specs import Boxes, Detr, Rows, YoloV5, YoloV8

READING = Reading(labels=2, threshold=0.3, canvas=(100, 50))


def array(values):
    return np.array(values, np.float32)


# Centre, size, objectness, two scores, three mask coefficients
V5 = array(
    [
        [10, 20, 4, 8, 0.9, 0.5, 0.1, 1, 2, 3],  # 0.45 for the first label
        [10, 20, 4, 8, 0.9, 0.3, 0.2, 1, 2, 3],  # 0.27: below
        [30, 20, 6, 2, 0.2, 1.0, 1.0, 1, 2, 3],  # objectness below
        [50, 25, 10, 10, 0.8, 0.1, 1.0, 7, 8, 9],  # 0.8 for the second
    ]
)
PROTOTYPES = np.arange(3 * 4 * 8, dtype=np.float32).reshape(1, 3, 4, 8)


def test_yolov5_multiplies_objectness_and_the_best_score():
    found = decode([V5[None, :, :7]], YoloV5(), READING)
    assert np.allclose(found.boxes, [[8, 16, 12, 24], [45, 20, 55, 30]])
    assert np.allclose(found.scores, [0.45, 0.8])
    assert found.classes.tolist() == [0, 1]
    assert found.masks is None
    assert found.repeats


def test_yolov5_with_masks_and_with_heads_of_training_behind():
    heads = np.zeros((1, 3, 4, 8, 7), np.float32)
    found = decode([V5[None], heads, PROTOTYPES], YoloV5(masks=3), READING)
    assert found.masks.weights.tolist() == [[1, 2, 3], [7, 8, 9]]
    assert found.masks.take(np.array([1])).weights.tolist() == [[7, 8, 9]]


def test_yolov8_has_columns_and_no_objectness():
    columns = np.delete(V5, 4, axis=1).T[None]
    found = decode([np.ascontiguousarray(columns[:, :6])], YoloV8(), READING)
    assert np.allclose(found.scores, [0.5, 0.3, 1.0, 1.0])
    assert found.classes.tolist() == [0, 0, 0, 1]
    assert np.allclose(found.boxes[3], [45, 20, 55, 30])
    with_masks = decode([columns, PROTOTYPES], YoloV8(masks=3), READING)
    assert with_masks.masks.weights[3].tolist() == [7, 8, 9]


def test_half_precision_is_read():
    found = decode([V5[None, :, :7].astype(np.float16)], YoloV5(), READING)
    assert found.boxes.dtype == np.float32
    assert np.allclose(found.scores, [0.45, 0.8], atol=1e-3)


def test_rows_are_final():
    rows = array([[1, 2, 3, 4, 0.9, 1], [1, 2, 3, 4, 0.1, 0], [0, 0, 0, 0, 0, 0]])
    found = decode([rows[None]], Rows(), READING)
    assert found.boxes.tolist() == [[1, 2, 3, 4]]
    assert found.classes.tolist() == [1]
    assert not found.repeats


@pytest.mark.parametrize(
    ("form", "units", "box"),
    [
        ("xyxy", "pixels", [10, 20, 30, 40]),
        ("xywh", "pixels", [10, 20, 20, 20]),
        ("cxcywh", "pixels", [20, 30, 20, 20]),
        ("xyxy", "fractions", [0.1, 0.4, 0.3, 0.8]),
        ("cxcywh", "fractions", [0.2, 0.6, 0.2, 0.4]),
    ],
)
def test_boxes_in_every_form(form, units, box):
    spec = Boxes(outputs=("boxes", "labels", "scores"), form=form, units=units)
    found = decode([array([box]), np.array([1]), array([0.6])], spec, READING)
    assert np.allclose(found.boxes, [[10, 20, 30, 40]])
    assert not found.repeats


def test_torchvision_counts_labels_from_one():
    spec = Boxes(outputs=("boxes", "labels", "scores", "masks"), first_label=1)
    boxes = array([[0, 0, 1, 1]] * 3)
    masks = np.ones((3, 1, 28, 28), np.float32)
    found = decode([boxes, np.array([2, 0, 1]), array([0.9, 0.8, 0.7]), masks], spec, READING)
    assert found.classes.tolist() == [1, 0]  # the background is no label
    assert found.masks.values.shape == (2, 28, 28)


def test_outputs_in_another_order_with_a_batch_and_one_to_leave_out():
    spec = Boxes(outputs=("-", "scores", "boxes", "labels"))
    found = decode([array([7]), array([[0.9]]), array([[[1, 2, 3, 4]]]), np.array([[1]])], spec, READING)
    assert (found.boxes.tolist(), found.classes.tolist()) == ([[1, 2, 3, 4]], [1])


def test_a_score_for_each_label_instead_of_labels():
    scores = array([[0.9, 0.1, 0.05], [0.2, 0.1, 0.7]])  # background first
    spec = Boxes(outputs=("boxes", "scores"), first_label=1, nms=True)
    found = decode([array([[0, 0, 1, 1], [0, 0, 2, 2]]), scores], spec, READING)
    assert (found.boxes.tolist(), found.classes.tolist()) == ([[0, 0, 2, 2]], [1])
    assert found.repeats


def test_detr_with_sigmoid_lets_a_query_stand_for_two_labels():
    logits, boxes = array([[[2, 1], [-5, -5]]]), array([[[0.5, 0.5, 0.2, 0.4], [0.1, 0.1, 0.1, 0.1]]])
    found = decode([logits, boxes], Detr(), READING)
    assert np.allclose(found.boxes, [[40, 15, 60, 35]] * 2)
    assert np.allclose(found.scores, 1 / (1 + np.exp([-2, -1])))
    assert found.classes.tolist() == [0, 1]


def test_detr_with_softmax_has_nothing_as_last_label():
    logits = array([[3, 0, 0], [0, 0, 9]])
    boxes = array([[0.5, 0.5, 0.2, 0.4], [0.1, 0.1, 0.1, 0.1]])
    found = decode([boxes, logits], Detr(outputs=("boxes", "logits"), activation="softmax"), READING)
    assert found.classes.tolist() == [0]
    assert np.allclose(found.scores, np.exp(3) / (np.exp(3) + 2))


def test_what_is_no_number_is_left_out():
    rows = array(
        [[1, 2, 3, np.nan, 0.9, 1], [1, 2, np.inf, 4, 0.9, 1], [1, 2, 3, 4, np.nan, 1], [1, 2, 3, 4, 0.5, np.nan]]
    )
    good = array([[5, 6, 7, 8, 0.5, 0]])
    found = decode([np.concatenate([rows, good])[None]], Rows(), READING)
    assert found.boxes.tolist() == [[5, 6, 7, 8]]


def test_labels_that_nobody_has_named_are_left_out():
    rows = array([[1, 2, 3, 4, 0.9, 2], [1, 2, 3, 4, 0.9, -1]])
    assert len(decode([rows[None]], Rows(), READING).boxes) == 0


@pytest.mark.parametrize(
    ("outputs", "spec", "message"),
    [
        ([V5[None]], YoloV5(), "gives 10 numbers for each box; for 2 labels and 0 mask coefficients there would be 7"),
        ([V5.T[None]], YoloV8(), "there would be 6"),
        ([V5], YoloV5(), "no output with 3 axes for one image: 4 × 10"),
        ([np.zeros((2, 4, 7), np.float32)], YoloV5(), "for one image"),
        ([V5[None]], YoloV5(masks=3), "no output with 4 axes"),
        ([V5[None], PROTOTYPES[:, :2]], YoloV5(masks=3), "2 prototypes and 3 coefficients"),
        ([V5[None]], Rows(), "rows of 10 numbers, not of 6"),
        ([array([[0, 0, 1, 1]])], Boxes(), "gives 1 outputs, and the bundle names 3"),
        ([array([[0, 0, 1, 1]]), np.array([1, 2]), array([0.5])], Boxes(), "1 boxes, 1 scores and 2 labels"),
        ([array([0, 0, 1, 1]), np.array([1]), array([0.5])], Boxes(), "where 2 axes were expected"),
        ([array([[0, 0, 1, 1]]), np.zeros((1, 0), np.float32)], Boxes(outputs=("boxes", "scores")), "no scores"),
    ],
)
def test_other_outputs_than_the_bundle_says_are_named(outputs, spec, message):
    with pytest.raises(ModelError, match=message):
        decode(outputs, spec, READING)


@pytest.mark.parametrize("spec", [YoloV5(), YoloV8()])
def test_nothing_found(spec):
    empty = np.zeros((1, 9, 7) if spec.name == "yolov5" else (1, 6, 9), np.float32)
    found = decode([empty], spec, READING)
    assert (found.boxes.shape, len(found.scores), len(found.classes)) == ((0, 4), 0, 0)
