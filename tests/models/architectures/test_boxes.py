from __future__ import annotations

import math

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from limner.models.architectures.boxes import at_least, best, clipped, decoded, grid_anchors, padded, pooled, suppressed


def test_padding_goes_to_the_next_multiple():
    image = torch.ones(1, 3, 33, 64)
    assert padded(image, 32).shape == (1, 3, 64, 64)
    assert padded(image, 32).sum() == image.sum()
    assert padded(image, 1).shape == image.shape


def test_anchors_are_those_of_torchvision():
    generator = AnchorGenerator(((16, 32),), ((0.5, 1.0, 2.0),))
    image, feature = torch.zeros(1, 3, 100, 70), torch.zeros(1, 4, 13, 9)
    wanted = generator(ImageList(image, [(100, 70)]), [feature])[0]
    assert torch.equal(grid_anchors(generator.cell_anchors[0], feature, image, None), wanted)


def test_anchors_with_a_stride_and_an_offset():
    cell = torch.tensor([[-1.0, -2.0, 1.0, 2.0]])
    anchors = grid_anchors(cell, torch.zeros(1, 1, 2, 1), torch.zeros(1, 3, 9, 9), 8, 0.5)
    assert anchors.tolist() == [[3, 2, 5, 6], [3, 10, 5, 14]]


def test_shifts_move_and_grow_boxes_within_bounds():
    anchors = torch.tensor([[10.0, 10.0, 30.0, 20.0]])
    boxes = decoded(torch.tensor([[1.0, 2.0, 5 * math.log(2), 1000.0]]), anchors, (10, 10, 5, 5))
    assert boxes[0, ::2].tolist() == pytest.approx([22 - 20, 22 + 20])
    assert float(boxes[0, 3] - boxes[0, 1]) == pytest.approx(10 * 1000 / 16, rel=1e-5)
    assert clipped(boxes, torch.zeros(1, 3, 50, 40))[0].tolist() == pytest.approx([2, 0, 40, 50])
    assert at_least(torch.tensor([[0.0, 0.0, 1.0, 2.0], [0.0, 0.0, 2.0, 2.0]]), 1).tolist() == [False, True]


def test_the_best_and_no_more_than_there_are():
    scores, places = best(torch.tensor([0.1, 0.9, 0.5]), 2)
    assert scores.tolist() == pytest.approx([0.9, 0.5])
    assert places.tolist() == [1, 2]
    assert best(torch.tensor([0.1]), 5)[1].tolist() == [0]


def test_suppression_goes_group_by_group_and_class_by_class():
    boxes = torch.tensor([[[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]]])
    scores = torch.tensor([[[0.5, 0.9, 0.3], [0.8, 0.05, 0.2]]])
    assert suppressed(boxes, scores, 0.5, 0.1, 10).tolist() == [[0, 0, 1], [0, 0, 2], [0, 1, 0], [0, 1, 2]]
    assert suppressed(boxes, scores, 0.5, 0.1, 1).tolist() == [[0, 0, 1], [0, 1, 0]]


def test_each_box_is_pooled_from_its_level():
    features = [torch.full((1, 1, 8, 8), 1.0), torch.full((1, 1, 4, 4), 2.0)]
    boxes = torch.tensor([[0.0, 0, 16, 16], [0, 0, 8, 8], [4, 4, 20, 20]])
    rows, places = pooled(features, boxes, torch.tensor([1, 0, 1]), 2, ratio=2, aligned=True)
    assert rows.shape == (3, 1, 2, 2)
    assert places.tolist() == [1, 0, 2]
    assert rows[:, 0, 0, 0].tolist() == [1, 2, 2]
