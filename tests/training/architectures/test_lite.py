from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torchvision.ops import box_iou

from limner.core.errors import BundleError
from limner.models.bundle_files import TRAINING, copy_bundle
from limner.models.protocol import RUNTIMES, Options, RuntimeOptions
from limner.training.architectures.lite import LITE, LiteLearner
from limner.training.architectures.protocol import ARCHITECTURES
from limner.training.config import RunConfig
from limner.training.data.targets import Target

LABELS = ("bright", "dark")
CONFIG = RunConfig(dataset="squares@1", architecture="lite", name="squares", image_size=64)


def scene(seed: int, size: tuple[int, int] = (64, 64)) -> tuple[torch.Tensor, Target]:
    """A grey image, height × width, with a bright and a dark square."""
    chance = np.random.default_rng(seed)
    image = torch.full((3, *size), 0.5) + torch.from_numpy(chance.normal(0, 0.02, (3, *size))).float()
    boxes = []
    for value, left in ((1.0, 0), (0.0, size[1] // 2)):
        side = int(chance.integers(14, 26))
        x, y = left + int(chance.integers(0, size[1] // 2 - side)), int(chance.integers(0, size[0] - side))
        image[:, y : y + side, x : x + side] = value
        boxes.append([x, y, x + side, y + side])
    return image, Target(
        boxes=torch.tensor(boxes, dtype=torch.float32),
        labels=torch.tensor([0, 1]),
        ignore=torch.zeros(0, 4),
        exhaustive=torch.ones(2, dtype=torch.bool),
    )


@pytest.fixture(scope="module")
def learner() -> LiteLearner:
    """A small network that has seen squares for a few seconds."""
    torch.manual_seed(1)
    learner = LiteLearner(LABELS, width=8)
    optimiser = torch.optim.AdamW(learner.parameters(), lr=1.5e-2)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1.5e-2, total_steps=120, pct_start=0.2)
    for step in range(120):
        images, targets = zip(*(scene(4 * step + at) for at in range(4)), strict=True)
        loss = sum(learner.losses(images, targets).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    return learner.eval()


def test_it_learns_to_find_squares(learner: LiteLearner) -> None:
    images, targets = zip(*(scene(10_000 + at) for at in range(8)), strict=True)
    overlaps = []
    for found, target in zip(learner.predict(images, 0.1), targets, strict=True):
        assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
        for label, box in zip(target.labels, target.boxes, strict=True):
            best = found.boxes[found.labels == label][:1]
            overlaps.append(float(box_iou(best, box[None]).sum()))
    assert sum(overlaps) / len(overlaps) > 0.6


def test_images_of_different_sizes_go_together(learner: LiteLearner) -> None:
    one, other = scene(1)[0], scene(2, (50, 60))[0]
    alone = learner.predict([one], 0.2)[0]
    together = learner.predict([one, other], 0.2)[0]
    assert torch.allclose(alone.boxes, together.boxes, atol=1e-3)


def test_it_is_served_without_torch_and_says_the_same(learner: LiteLearner, tmp_path: Path) -> None:
    bundle = learner.export(tmp_path, CONFIG)
    assert (bundle.ref, bundle.task, bundle.labels) == ("squares@1", "detect", LABELS)
    image = scene(10_001)[0]
    predictor = RUNTIMES.get("onnx").load(bundle, RuntimeOptions())
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    served = predictor.predict(pixels, (64, 64), Options(threshold=0.3))
    own = learner.predict([torch.from_numpy(pixels).permute(2, 0, 1).float() / 255], 0.3)[0]
    assert [LABELS.index(each.label) for each in served] == own.labels.tolist()
    for each, box, score in zip(served, own.boxes.tolist(), own.scores.tolist(), strict=True):
        assert each.shape.bounds.corners == pytest.approx(box, abs=0.1)
        assert each.score == pytest.approx(score, abs=1e-3)


def test_other_labels_begin_from_its_weights(learner: LiteLearner, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    copied = copy_bundle(learner.export(tmp_path / "a", CONFIG), tmp_path / "b")
    assert copied.folder is not None
    weights = load_file(copied.folder / TRAINING)
    other = LiteLearner(("a", "b", "c"), width=8)
    taken = other.take(weights)
    assert taken.parameters > 0.95 * taken.of
    assert {name.split(".")[2] for name in taken.fresh} == {"label"}
    assert torch.equal(other.network.stem[0].weight, learner.network.stem[0].weight)
    with pytest.raises(BundleError, match="same architecture"):
        LiteLearner(("a",), width=16).take(weights)


def test_frozen_stages_stay_as_they_are() -> None:
    learner = LiteLearner(LABELS, width=8)
    learner.freeze(2)
    frozen = {name.split(".")[1] for name, each in learner.network.named_parameters() if not each.requires_grad}
    assert not any(each.requires_grad for each in learner.network.stem.parameters())
    assert not any(each.requires_grad for each in learner.network.stages[1].parameters())
    assert all(each.requires_grad for each in learner.network.stages[2].parameters())
    assert frozen


def test_it_is_found_by_its_name() -> None:
    assert ARCHITECTURES.get("lite") is LITE
    assert LITE.build(LABELS, CONFIG).labels == LABELS
