from pathlib import Path

import pytest
import torch
from torch import nn

from limner.training.architectures.protocol import ARCHITECTURES
from limner.training.architectures.ssdlite import SSDLITE, SsdLearner
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

SIZE = (96, 96)


@pytest.fixture(scope="module")
def learner() -> SsdLearner:
    torch.manual_seed(1)
    learner = SsdLearner(LABELS, side=96, width=0.25)
    for part in learner.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 0.3  # so that a few steps are enough for its statistics
    learn(learner, *scenes(4, SIZE), steps=40, rate=1e-2)
    return learner


def test_it_learns_to_find_squares(learner: SsdLearner) -> None:
    assert overlap(learner, *scenes(4, SIZE)) > 0.5


def test_it_is_served_and_begun_from(learner: SsdLearner, tmp_path: Path) -> None:
    bundle = learner.export(tmp_path, config("ssdlite", 96))
    assert (bundle.task, bundle.labels) == ("detect", LABELS)
    check_served(learner, bundle, scenes(1, SIZE)[0][0])
    check_taken(SsdLearner(MORE, side=96, width=0.25), kept(bundle), r"classification_head.*\.1\.(weight|bias)$")


def test_boxes_come_back_in_pixels_of_an_image_that_is_no_square(learner: SsdLearner) -> None:
    image = scenes(1, SIZE)[0][0]
    square = learner.predict([image], 0.3)[0]
    low = nn.functional.interpolate(image[None], [48, 96], mode="area")[0]
    found = learner.predict([low], 0.3)[0]
    assert found.labels[0] == square.labels[0]
    assert (found.boxes[0] * torch.tensor([1, 2, 1, 2]) - square.boxes[0]).abs().max() < 6


def test_frozen_stages_stay_as_they_are() -> None:
    check_frozen(SsdLearner(LABELS, side=96, width=0.25), 2, *scenes(2, SIZE))


def test_weights_of_torchvision_fit() -> None:
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    weights = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None).state_dict()
    taken = SsdLearner(LABELS).take(weights)
    assert taken.parameters > 0.95 * taken.of
    assert all("classification_head" in name for name in taken.fresh)


def test_it_is_found_by_its_name() -> None:
    assert ARCHITECTURES.get("ssdlite") is SSDLITE
    assert SSDLITE.build(LABELS, config("ssdlite", 96)).side == 96
