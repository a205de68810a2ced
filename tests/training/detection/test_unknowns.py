import math

import pytest
import torch

from limner.training.detection.unknowns import in_zones, label_costs


def test_a_box_of_which_a_good_part_lies_in_a_zone_may_be_anything() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [7, 0, 17, 10], [8, 0, 18, 10], [20, 20, 30, 30]])
    assert in_zones(boxes, torch.tensor([[0.0, 0, 10, 10], [25, 0, 30, 9]])).tolist() == [True, True, False, False]
    assert in_zones(boxes, torch.zeros(0, 4)).tolist() == [False] * 4


def test_costs_of_nothing_are_those_of_all_that_nobody_looked_for() -> None:
    chances = torch.tensor([[0.5, 0.2, 0.3], [0.5, 0.2, 0.3]])
    wanted = torch.tensor([0, 1])
    known = label_costs(chances.log(), wanted, torch.tensor([True, True]))
    assert known.tolist() == pytest.approx([-math.log(0.5), -math.log(0.2)])
    partly = label_costs(chances.log(), wanted, torch.tensor([True, False]))
    assert partly.tolist() == pytest.approx([-math.log(0.8), -math.log(0.2)])


def test_what_was_not_looked_for_is_not_unlearnt() -> None:
    logits = torch.zeros(1, 3, requires_grad=True)
    label_costs(logits, torch.tensor([0]), torch.tensor([False, False])).sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6
