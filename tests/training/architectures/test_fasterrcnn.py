from pathlib import Path

import pytest
import torch

from limner.training.architectures.fasterrcnn import FASTER_RCNN, FasterLearner
from limner.training.architectures.protocol import ARCHITECTURES
from tests.training.architectures.scenes import (
    LABELS,
    MORE,
    TRUNK,
    check_frozen,
    check_served,
    check_taken,
    config,
    kept,
    learn,
    overlap,
    scenes,
)


@pytest.fixture(scope="module")
def learner() -> FasterLearner:
    torch.manual_seed(1)
    learner = FasterLearner(LABELS, TRUNK)
    learner.rules.fg_bg_sampler.batch_size_per_image = 48  # what takes the time
    learn(learner, *scenes(4), steps=40, rate=5e-3)
    return learner


def test_it_learns_to_find_squares(learner: FasterLearner) -> None:
    assert overlap(learner, *scenes(4)) > 0.5
    assert set(learner.train().losses(*scenes(2))) == {"label", "box", "objectness", "proposal"}


def test_it_is_served_and_begun_from(learner: FasterLearner, tmp_path: Path) -> None:
    bundle = learner.export(tmp_path, config("fasterrcnn"))
    assert (bundle.ref, bundle.task, bundle.labels) == ("squares@1", "detect", LABELS)
    check_served(learner, bundle, scenes(1)[0][0])
    check_taken(FasterLearner(MORE, TRUNK), kept(bundle), "box_predictor")


def test_frozen_stages_stay_as_they_are() -> None:
    learner = FasterLearner(LABELS, TRUNK)
    learner.rules.fg_bg_sampler.batch_size_per_image = 16
    check_frozen(learner, 2, *scenes(1))


def test_it_is_found_by_its_name() -> None:
    assert ARCHITECTURES.get("fasterrcnn") is FASTER_RCNN
