import math

import pytest
import torch
from torch import Tensor
from torchvision.models.detection import retinanet_resnet50_fpn_v2, ssdlite320_mobilenet_v3_large

from limner.training.detection.one_stage import blocks_of, focal, hard, retina, single_shot
from limner.training.detection.trunks import Trunk

THING, AWAY, UNKNOWN = [10.0, 10, 26, 26], [40.0, 0, 56, 16], [40.0, 40, 56, 56]
ANCHORS = torch.tensor([THING, AWAY, UNKNOWN])
ZONE = torch.tensor([[36.0, 36, 64, 64]])


def target(**changes: Tensor) -> dict[str, Tensor]:
    known = {
        "boxes": torch.tensor([THING]),
        "labels": torch.tensor([1]),
        "ignore": torch.zeros(0, 4),
        "exhaustive": torch.ones(2, dtype=torch.bool),
    }
    return known | changes


def test_focal_loss_of_a_worked_example() -> None:
    said = torch.tensor([[0.1, 0.7], [0.2, 0.1], [0.9, 0.3]])
    things = torch.tensor([0, -1, -1])

    def cost(**changes: Tensor) -> float:
        return float(focal(said.logit(), things, target(**changes), ANCHORS))

    def right(p: float) -> float:  # weight 0.25 for what is there, power 2
        return -0.25 * (1 - p) ** 2 * math.log(p)

    def wrong(p: float) -> float:
        return -0.75 * p**2 * math.log(1 - p)

    assert cost() == pytest.approx(right(0.7) + sum(map(wrong, (0.1, 0.2, 0.1, 0.9, 0.3))), rel=1e-4)
    assert cost(ignore=ZONE) == pytest.approx(right(0.7) + sum(map(wrong, (0.1, 0.2, 0.1))), rel=1e-4)
    first = torch.tensor([True, False])
    assert cost(exhaustive=first) == pytest.approx(right(0.7) + sum(map(wrong, (0.1, 0.2, 0.9))), rel=1e-4)
    between = float(focal(said.logit(), torch.tensor([0, -2, -1]), target(ignore=ZONE), ANCHORS))
    assert between == pytest.approx(right(0.7) + wrong(0.1), rel=1e-4)


def test_hard_examples_of_a_worked_example() -> None:
    chances = torch.tensor([[0.2, 0.2, 0.6], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])
    things = torch.tensor([0, -1, -1])

    def cost(ratio: float = 3.0, **changes: Tensor) -> float:
        one = target(labels=torch.tensor([2]), **changes)  # 0 is nothing
        return float(hard(chances.log(), things, one, ANCHORS, ratio))

    there, away, unknown = -math.log(0.6), -math.log(0.7), -math.log(0.1)
    assert cost() == pytest.approx(there + away + unknown)
    assert cost(ignore=ZONE) == pytest.approx(there + away)
    partly = torch.tensor([False, True])
    assert cost(exhaustive=partly) == pytest.approx(there - 2 * math.log(0.9))


def test_only_the_hardest_count() -> None:
    logits = torch.zeros(20, 3)
    logits[1:6, 1] = 5.0  # five anchors on nothing that see something
    things = torch.full((20,), -1)
    things[0] = 0
    anchors = torch.tensor([AWAY]).repeat(20, 1)
    costs = torch.nn.functional.cross_entropy(logits, torch.zeros(20, dtype=torch.int64), reduction="none")
    expected = math.log(3) + float(costs[1:4].sum())
    assert float(hard(logits, things, target(), anchors, 3.0)) == pytest.approx(expected, rel=1e-5)


def test_pages_without_things_give_finite_losses() -> None:
    nothing = target(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64))
    tiny = Trunk(blocks=(1, 1, 1, 1), bottleneck=False, shrink=8, width=8, anchors=(16, 24, 32, 64, 128))
    for network in (retina(2, tiny), single_shot(2, 96, 0.25)):
        losses = network.train()([torch.rand(3, 64, 64)] * 2, [nothing, nothing | {"ignore": ZONE * 0 + 64}])
        assert all(torch.isfinite(each) for each in losses.values())
        assert losses["label"] > 0


def test_ignore_zones_are_stretched_with_their_image() -> None:
    network = single_shot(2, 96, 0.25).train()
    _, targets = network.transform([torch.rand(3, 48, 64)], [target(ignore=torch.tensor([[8.0, 12, 64, 48]]))])
    assert targets[0]["ignore"].tolist() == [[12, 24, 96, 96]]
    assert targets[0]["boxes"].tolist() == [[15, 20, 39, 52]]


def test_names_and_shapes_are_those_of_torchvision() -> None:
    pairs = (
        (retina(2, Trunk()), retinanet_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=2)),
        (single_shot(2, 320), ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3)),
    )
    for own, theirs in pairs:
        assert {name: each.shape for name, each in own.named_parameters()} == {
            name: each.shape for name, each in theirs.named_parameters()
        }


def test_stages_of_mobilenet_hold_all_of_its_first_part() -> None:
    network = single_shot(2, 96, 0.25)
    held = [each for stage in blocks_of(network) for each in stage.parameters()]
    first = list(network.backbone.features[0].parameters())
    assert {id(each) for each in held} == {id(each) for each in first}
