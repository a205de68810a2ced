import math
from dataclasses import replace

import pytest
import torch

from limner.training.data.targets import Target
from limner.training.detection.pixels import class_weights, known_pixels, pixel_classes, pixel_losses

SIZE = (12, 20)


def target(*boxes: tuple[int, int, int, int], labels: tuple[int, ...] | None = None) -> Target:
    masks = torch.zeros(len(boxes), *SIZE, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = 1
    return Target(
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels or (0,) * len(boxes), dtype=torch.int64),
        masks=masks,
        ignore=torch.zeros(0, 4),
        exhaustive=torch.ones(2, dtype=torch.bool),
    )


def rows(classes: torch.Tensor, row: int) -> str:
    return "".join(map(str, classes[row].tolist()))


def test_a_thing_alone_has_no_border() -> None:
    classes = pixel_classes(target((2, 2, 8, 8)), 2, SIZE, reach=1)
    assert classes.unique().tolist() == [0, 1]
    assert (classes == 1).sum() == 36
    assert rows(classes, 4) == "00111111000000000000"


def test_a_border_parts_neighbours_of_one_label() -> None:
    touching = target((2, 2, 8, 8), (8, 3, 12, 7))
    assert rows(pixel_classes(touching, 2, SIZE, reach=1), 4) == "00111113111100000000"
    near = target((2, 2, 8, 8), (9, 3, 12, 7))
    assert rows(pixel_classes(near, 2, SIZE, reach=1), 4) == "00111111311100000000"
    others = replace(touching, labels=torch.tensor([0, 1]))
    assert rows(pixel_classes(others, 2, SIZE, reach=1), 4) == "00111111222200000000"


def test_a_small_thing_lies_over_a_large_one() -> None:
    classes = pixel_classes(target((5, 4, 8, 7), (2, 2, 14, 10)), 2, SIZE, reach=1)
    assert rows(classes, 5) == "00113111311111000000"
    other = pixel_classes(target((5, 4, 8, 7), (2, 2, 14, 10), labels=(1, 0)), 2, SIZE, reach=1)
    assert rows(other, 5) == "00111222111111000000"


def test_pixels_in_a_zone_are_known_only_where_a_thing_is() -> None:
    one = replace(target((2, 2, 8, 8)), ignore=torch.tensor([[6.0, 0, 20, 12]]))
    known = known_pixels(one, pixel_classes(one, 2, SIZE))
    assert known[4].tolist() == [True] * 8 + [False] * 12
    assert known[0].tolist() == [True] * 6 + [False] * 14


def test_rare_classes_weigh_more() -> None:
    weights = class_weights(torch.tensor([0] * 90 + [1] * 10), 3)
    assert weights.tolist() == pytest.approx([1.0, 3.0, math.sqrt(90)])


def test_zones_and_labels_nobody_looked_for_teach_nothing() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, *SIZE)
    one = replace(target((2, 2, 6, 6)), ignore=torch.tensor([[10.0, 0, 20, 12]]))
    found = logits.clone()
    found[1, 3:9, 12:18] += 8.0  # a find in the zone
    assert [float(each) for each in pixel_losses(logits, one)] == [float(each) for each in pixel_losses(found, one)]
    without = replace(one, ignore=torch.zeros(0, 4))
    assert pixel_losses(found, without)[0] > pixel_losses(logits, without)[0]
    partly = replace(without, exhaustive=torch.tensor([True, False]))
    sure = torch.zeros(4, *SIZE)
    sure[0, 6:] = sure[1, 2:6, 2:6] = 3.0
    unlooked = sure.clone()
    unlooked[2, 6:], unlooked[0, 6:] = 3.0, 0.0  # the second label instead of nothing
    assert pixel_losses(unlooked, partly)[0] == pytest.approx(float(pixel_losses(sure, partly)[0]), rel=1e-5)
    assert pixel_losses(unlooked, without)[0] > pixel_losses(sure, without)[0]


def test_what_is_right_costs_nothing() -> None:
    one = target((2, 2, 6, 6), (9, 2, 13, 9), labels=(0, 1))
    right = torch.nn.functional.one_hot(pixel_classes(one, 2, SIZE), 4).permute(2, 0, 1) * 40.0
    label, overlap = pixel_losses(right, one)
    assert float(label) < 1e-6
    assert abs(float(overlap)) < 1e-6
