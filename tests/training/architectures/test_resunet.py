from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.models.resnet import BasicBlock
from torchvision.ops import FrozenBatchNorm2d

from limner.models.architectures.res_unet import ResUNet
from limner.training.architectures.protocol import ARCHITECTURES
from limner.training.architectures.resunet import RESUNET, ResUNetLearner, WithoutBorder
from limner.training.detection.trunks import Narrow
from tests.training.architectures.scenes import (
    LABELS,
    MORE,
    check_frozen,
    check_served,
    check_taken,
    config,
    kept,
    learn,
    overlap,
    scenes,
)


def small(labels: tuple[str, ...] = LABELS) -> ResUNetLearner:
    return ResUNetLearner(labels, Narrow(BasicBlock, [1, 1, 1, 1], shrink=4))


@pytest.fixture(scope="module")
def learner() -> ResUNetLearner:
    torch.manual_seed(1)
    learner = small()
    learn(learner, *scenes(4, masks=True), steps=25, rate=5e-3)
    return learner


def test_it_learns_to_colour_squares(learner: ResUNetLearner) -> None:
    images, targets = scenes(4, masks=True)
    assert overlap(learner, images, targets) > 0.6
    found = learner.predict(images[:1], 0.3)[0]
    assert found.masks is not None
    wanted = targets[0].masks[found.labels[0]].bool()
    assert (found.masks[0] & wanted).sum() / (found.masks[0] | wanted).sum() > 0.6


def test_it_is_served_and_begun_from(learner: ResUNetLearner, tmp_path: Path) -> None:
    bundle = learner.export(tmp_path, config("resunet"))
    assert (bundle.task, bundle.labels) == ("segment", LABELS)
    # Served regions are polygons, which leave the pixels a little.
    check_served(learner, bundle, scenes(1)[0][0], within=1.0, sure=0.01)
    check_taken(small(MORE), kept(bundle), "final_layer")


def test_the_border_is_nothing_when_served() -> None:
    logits = torch.zeros(1, 4, 1, 3)
    logits[0, 3, 0, 0] = logits[0, 2, 0, 1] = logits[0, 0, 0, 2] = 5.0
    served = WithoutBorder(torch.nn.Identity())
    classes, certainty = served(logits)
    assert classes.tolist() == [[[0, 2, 0]]]
    assert certainty.min() > 0.9


def test_pages_without_anything_and_of_different_sizes_go_together() -> None:
    (large, small_), (first, second) = scenes(2, masks=True)
    nothing = replace(second.only(torch.zeros(2, dtype=torch.bool)), ignore=torch.tensor([[0.0, 0, 64, 64]]))
    nothing = replace(nothing, masks=torch.zeros(0, 50, 33, dtype=torch.uint8))
    losses = small().losses([large, small_[:, :50, :33]], [first, nothing])
    assert all(torch.isfinite(each) for each in losses.values())


def test_frozen_stages_stay_as_they_are() -> None:
    check_frozen(small(), 1, *scenes(1, masks=True))


def test_weights_of_docextractor_bring_their_statistics_along() -> None:
    learner = ResUNetLearner(LABELS)
    taken = learner.take(ResUNet("res_unet18", 9).state_dict())
    assert taken.fresh == ("final_layer.conv.weight",)
    assert isinstance(learner.network.get_submodule("layer0.1"), FrozenBatchNorm2d)


def test_it_is_found_by_its_name() -> None:
    assert ARCHITECTURES.get("resunet") is RESUNET
    assert RESUNET.masks
