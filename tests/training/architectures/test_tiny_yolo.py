from pathlib import Path

import pytest
import torch

from limner.training.architectures.protocol import ARCHITECTURES
from limner.training.architectures.tiny_yolo import TINY_YOLO, Measures, TinyYoloLearner
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

SIZE = (192, 192)
SMALL = Measures(192, (8, 8, 16, 16, 32, 32, 32), (32, 64))


@pytest.fixture(scope="module")
def learner() -> TinyYoloLearner:
    torch.manual_seed(1)
    learner = TinyYoloLearner(LABELS, SMALL)
    learn(learner, *scenes(4, SIZE), steps=40, rate=5e-3)
    return learner


def test_it_learns_to_find_squares(learner: TinyYoloLearner) -> None:
    assert overlap(learner, *scenes(4, SIZE)) > 0.6


def test_it_is_served_and_begun_from(learner: TinyYoloLearner, tmp_path: Path) -> None:
    bundle = learner.export(tmp_path, config("tiny-yolo", 192))
    assert (bundle.task, bundle.labels, bundle.decoder.cells) == ("detect", LABELS, 3)
    check_served(learner, bundle, scenes(1, SIZE)[0][0])
    check_taken(TinyYoloLearner(MORE, SMALL), kept(bundle), r"head\.3")


def test_boxes_come_back_in_pixels_of_an_image_that_is_no_square(learner: TinyYoloLearner) -> None:
    image = scenes(1, SIZE)[0][0]
    square = learner.predict([image], 0.3)[0]
    low = torch.nn.functional.interpolate(image[None], [96, 192], mode="area")[0]
    found = learner.predict([low], 0.3)[0]
    assert found.labels[0] == square.labels[0]
    assert (found.boxes[0] * torch.tensor([1, 2, 1, 2]) - square.boxes[0]).abs().max() < 12


def test_frozen_stages_stay_as_they_are() -> None:
    check_frozen(TinyYoloLearner(LABELS, SMALL), 3, *scenes(1, SIZE))


def test_it_is_found_by_its_name() -> None:
    assert ARCHITECTURES.get("tiny-yolo") is TINY_YOLO
    grown = TINY_YOLO.build(("a",), config("tiny-yolo", 448))
    assert (grown.side, grown.grid.cells, grown.grid.length) == (448, 7, 7 * 7 * (2 * 5 + 1))
