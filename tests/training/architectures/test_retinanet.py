from pathlib import Path

import pytest
import torch

from limner.core.errors import BundleError
from limner.training.architectures.protocol import ARCHITECTURES
from limner.training.architectures.retinanet import RETINANET, RetinaLearner
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
def learner() -> RetinaLearner:
    torch.manual_seed(1)
    learner = RetinaLearner(LABELS, TRUNK)
    learn(learner, *scenes(4), steps=40, rate=5e-3)
    return learner


def test_it_learns_to_find_squares(learner: RetinaLearner) -> None:
    assert overlap(learner, *scenes(4)) > 0.5


def test_it_is_served_and_begun_from(learner: RetinaLearner, tmp_path: Path) -> None:
    bundle = learner.export(tmp_path, config("retinanet"))
    assert (bundle.task, bundle.labels) == ("detect", LABELS)
    check_served(learner, bundle, scenes(1)[0][0])
    check_taken(RetinaLearner(MORE, TRUNK), kept(bundle), "cls_logits")
    with pytest.raises(BundleError, match="same architecture"):
        RetinaLearner(LABELS).take(kept(bundle))


def test_frozen_stages_stay_as_they_are() -> None:
    check_frozen(RetinaLearner(LABELS, TRUNK), 1, *scenes(1))


def test_it_is_found_by_its_name() -> None:
    assert ARCHITECTURES.get("retinanet") is RETINANET
