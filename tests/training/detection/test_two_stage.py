import math

import pytest
import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from limner.training.detection.trunks import Trunk
from limner.training.detection.two_stage import Sampled, two_stage

TINY = Trunk(blocks=(1, 1, 1, 1), bottleneck=False, shrink=8, width=8, dense=8, anchors=(16, 24, 32, 64, 128))


@pytest.fixture(scope="module")
def network() -> MaskRCNN:
    torch.manual_seed(0)
    return two_stage(2, TINY, masks=True).train()


def target(boxes: list[list[float]], **changes: Tensor) -> dict[str, Tensor]:
    known = {
        "boxes": torch.tensor(boxes).reshape(-1, 4),
        "labels": torch.ones(len(boxes), dtype=torch.int64),
        "masks": torch.zeros(len(boxes), 64, 64, dtype=torch.uint8),
        "ignore": torch.zeros(0, 4),
        "exhaustive": torch.ones(2, dtype=torch.bool),
    }
    return known | changes


THING, AWAY, UNKNOWN = [10.0, 10, 26, 26], [40.0, 0, 56, 16], [40.0, 40, 56, 56]
ANCHORS = torch.tensor([THING, AWAY, UNKNOWN])
ZONE = torch.tensor([[36.0, 36, 64, 64]])


def objectness(network: MaskRCNN, one: dict[str, Tensor]) -> list[float]:
    return network.rpn.assign_targets_to_anchors([ANCHORS], [one])[0][0].tolist()


def test_anchors_in_zones_and_on_pages_where_not_all_was_looked_for_teach_nothing(network: MaskRCNN) -> None:
    assert objectness(network, target([THING])) == [1, 0, 0]
    assert objectness(network, target([THING], ignore=ZONE)) == [1, 0, -1]
    assert objectness(network, target([THING], exhaustive=torch.tensor([True, False]))) == [1, -1, -1]
    assert objectness(network, target([], ignore=ZONE)) == [0, 0, -1]


def test_a_find_in_an_ignore_zone_costs_nothing(network: MaskRCNN) -> None:
    def cost(said: list[float], **changes: Tensor) -> float:
        labels, boxes = network.rpn.assign_targets_to_anchors([ANCHORS], [target([THING], **changes)])
        wanted = network.rpn.box_coder.encode(boxes, [ANCHORS])
        return float(network.rpn.compute_loss(torch.tensor(said)[:, None], torch.zeros(3, 4), labels, wanted)[0])

    assert cost([2.0, -2.0, 4.0], ignore=ZONE) == cost([2.0, -2.0, -4.0], ignore=ZONE)
    assert cost([2.0, -2.0, 4.0], ignore=ZONE) == pytest.approx(math.log(1 + math.exp(-2)))
    assert cost([2.0, -2.0, 4.0]) > cost([2.0, -2.0, -4.0]) + 1


def test_proposals_in_zones_are_not_sampled(network: MaskRCNN) -> None:
    def sampled(one: dict[str, Tensor]) -> Sampled:
        return network.roi_heads.sample(ANCHORS, one)

    assert sampled(target([THING])).labels.tolist() == [1, 0, 0, 1]  # the thing itself is proposed too
    found = sampled(target([THING], ignore=ZONE))
    assert found.labels.tolist() == [1, 0, 1]
    assert UNKNOWN not in found.boxes.tolist()
    assert sampled(target([THING, UNKNOWN], ignore=ZONE)).labels.tolist() == [1, 0, 1, 1, 1]  # a thing there is known


@pytest.mark.parametrize(
    "changes", [{}, {"ignore": torch.tensor([[-99.0, -99, 163, 163]])}], ids=["nothing", "all unknown"]
)
def test_pages_without_things_give_finite_losses(network: MaskRCNN, changes: dict[str, Tensor]) -> None:
    losses = network([torch.rand(3, 64, 64)], [target([], **changes)])
    total = torch.stack(list(losses.values())).sum()
    assert torch.isfinite(total)
    assert (total.item() == 0) == bool(changes)
    total.backward()
    network.zero_grad()


def test_the_first_image_does_not_decide_where_features_are_looked_up() -> None:
    thin, usual = (
        two_stage(2, TINY, masks=False).eval(),
        torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1)),
    )
    thin.roi_heads.score_thresh = 0.0
    before = thin([usual])[0]["boxes"]
    thin([torch.rand(3, 20, 300)])
    assert torch.equal(thin([usual])[0]["boxes"], before)
    assert thin.roi_heads.box_roi_pool.scales == [1 / 4, 1 / 8, 1 / 16, 1 / 32]


def test_names_and_shapes_are_those_of_torchvision() -> None:
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    theirs = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3)
    own = two_stage(2, Trunk(), masks=True)
    assert {name: each.shape for name, each in own.named_parameters()} == {
        name: each.shape for name, each in theirs.named_parameters()
    }
