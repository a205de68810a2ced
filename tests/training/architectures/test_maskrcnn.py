from pathlib import Path

import pytest
import torch

from limner.annotations.masks import mask_to_array
from limner.annotations.shapes import Mask
from limner.training.architectures.maskrcnn import MASK_RCNN, MaskLearner
from limner.training.architectures.protocol import ARCHITECTURES
from tests.training.architectures.scenes import (
    LABELS,
    MORE,
    TRUNK,
    check_taken,
    config,
    kept,
    learn,
    overlap,
    scenes,
    served,
)


@pytest.fixture(scope="module")
def learner() -> MaskLearner:
    torch.manual_seed(1)
    learner = MaskLearner(LABELS, TRUNK)
    learner.rules.fg_bg_sampler.batch_size_per_image = 48  # what takes the time
    learn(learner, *scenes(3, masks=True), steps=40, rate=1e-2)
    return learner


def test_it_learns_masks(learner: MaskLearner) -> None:
    images, targets = scenes(3, masks=True)
    assert overlap(learner, images, targets) > 0.5
    found = learner.predict(images[:1], 0.3)[0]
    assert found.masks is not None
    wanted = targets[0].masks[found.labels[0]].bool()
    assert (found.masks[0] & wanted).sum() / (found.masks[0] | wanted).sum() > 0.5


def test_it_is_served_and_begun_from(learner: MaskLearner, tmp_path: Path) -> None:
    bundle = learner.export(tmp_path, config("maskrcnn"))
    assert (bundle.task, bundle.labels) == ("segment", LABELS)
    image = (scenes(1)[0][0] * 255).round() / 255
    own = learner.predict([image], 0.3)[0]
    found = sorted(served(bundle, image, 0.3), key=lambda each: -(each.score or 0))
    assert own.labels.tolist()
    assert [LABELS.index(each.label) for each in found] == own.labels.tolist()
    for each, mask, score in zip(found, own.masks, own.scores.tolist(), strict=True):
        assert each.score == pytest.approx(score, abs=2e-3)
        assert isinstance(each.shape, Mask)
        differing = mask_to_array(each.shape) != mask.numpy()
        assert differing.sum() <= 0.06 * mask.sum() + 1  # OpenCV reads between values in 32 steps
    check_taken(MaskLearner(MORE, TRUNK), kept(bundle), "box_predictor|mask_fcn_logits")


def test_weights_of_torchvision_bring_their_statistics_along() -> None:
    from torchvision.models.detection import maskrcnn_resnet50_fpn
    from torchvision.ops import FrozenBatchNorm2d

    weights = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=91).state_dict()
    weights["backbone.body.layer1.0.bn1.running_mean"].fill_(0.25)
    learner = MaskLearner(LABELS)
    taken = learner.take(weights)
    assert taken.parameters > 0.95 * taken.of
    assert {name.split(".")[1] for name in taken.fresh} == {"box_predictor", "mask_predictor"}
    norm = learner.network.get_submodule("backbone.body.layer1.0.bn1")
    assert isinstance(norm, FrozenBatchNorm2d)
    assert norm.running_mean.tolist() == [0.25] * 64


def test_it_is_found_by_its_name() -> None:
    assert ARCHITECTURES.get("maskrcnn") is MASK_RCNN
    assert MASK_RCNN.masks
