"""Images with squares, and what every architecture has to do with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.ops import box_iou

from limner.annotations.annotation import Annotation
from limner.models.bundle import Bundle
from limner.models.bundle_files import TRAINING
from limner.models.protocol import RUNTIMES, Options, RuntimeOptions
from limner.training.config import RunConfig
from limner.training.data.targets import Target
from limner.training.detection.trunks import Trunk

LABELS = ("bright", "dark")


def config(architecture: str, size: int = 64) -> RunConfig:
    return RunConfig(dataset="squares@1", architecture=architecture, name="squares", image_size=size)


def scene(seed: int, size: tuple[int, int] = (64, 64), *, masks: bool = False) -> tuple[Tensor, Target]:
    """A grey image, height × width, with a bright square in its left half and a dark one in its right."""
    chance = np.random.default_rng(seed)
    image = torch.full((3, *size), 0.5) + torch.from_numpy(chance.normal(0, 0.02, (3, *size))).float()
    boxes = []
    for value, left in ((1.0, 0), (0.0, size[1] // 2)):
        side = int(chance.integers(size[1] // 4, size[1] * 2 // 5))
        x, y = left + int(chance.integers(0, size[1] // 2 - side)), int(chance.integers(0, size[0] - side))
        image[:, y : y + side, x : x + side] = value
        boxes.append([x, y, x + side, y + side])
    shapes = torch.zeros(2, *size, dtype=torch.uint8)
    for shape, (x1, y1, x2, y2) in zip(shapes, boxes, strict=True):
        shape[y1:y2, x1:x2] = 1
    return image.clamp(0, 1), Target(
        boxes=torch.tensor(boxes, dtype=torch.float32),
        labels=torch.tensor([0, 1]),
        masks=shapes if masks else None,
        ignore=torch.zeros(0, 4),
        exhaustive=torch.ones(2, dtype=torch.bool),
    )


def scenes(count: int, size: tuple[int, int] = (64, 64), *, masks: bool = False) -> tuple[list[Tensor], list[Target]]:
    images, targets = zip(*(scene(at, size, masks=masks) for at in range(count)), strict=True)
    return list(images), list(targets)


def learn(learner: nn.Module, images: Sequence[Tensor], targets: Sequence[Target], steps: int, rate: float) -> None:
    """Show it the same images again and again."""
    optimiser = torch.optim.AdamW([each for each in learner.parameters() if each.requires_grad], lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.2)
    learner.train()
    for _ in range(steps):
        loss = torch.stack(list(learner.losses(images, targets).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), 10.0)
        optimiser.step()
        schedule.step()
    learner.eval()


def overlap(learner: nn.Module, images: Sequence[Tensor], targets: Sequence[Target]) -> float:
    """How well the surest find of each label overlaps the thing, in the mean: 0 to 1."""
    overlaps = []
    for found, target in zip(learner.predict(images, 0.1), targets, strict=True):
        assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
        for label, box in zip(target.labels, target.boxes, strict=True):
            overlaps.append(float(box_iou(found.boxes[found.labels == label][:1], box[None]).sum()))
    return sum(overlaps) / len(overlaps)


def served(bundle: Bundle, image: Tensor, threshold: float) -> list[Annotation]:
    """What the runtime without torch finds."""
    pixels = (image * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    predictor = RUNTIMES.get("onnx").load(bundle, RuntimeOptions())
    return list(predictor.predict(pixels, (image.shape[2], image.shape[1]), Options(threshold=threshold)))


def check_served(learner: nn.Module, bundle: Bundle, image: Tensor, *, within: float = 0.1, sure: float = 2e-3) -> None:
    """The runtime says the same as the learner, and more than nothing."""
    own = learner.predict([(image * 255).round() / 255], 0.3)[0]
    found = sorted(served(bundle, image, 0.3), key=lambda each: -(each.score or 0))
    assert own.labels.tolist()
    assert [LABELS.index(each.label) for each in found] == own.labels.tolist()
    for each, box, score in zip(found, own.boxes.tolist(), own.scores.tolist(), strict=True):
        assert each.shape.bounds.corners == pytest.approx(box, abs=within)
        assert each.score == pytest.approx(score, abs=sure)


def kept(bundle: Bundle) -> dict[str, Tensor]:
    """The weights in a bundle that training goes on from."""
    assert bundle.folder is not None
    return load_file(Path(bundle.folder) / TRAINING)


def check_frozen(learner: nn.Module, stages: int, images: Sequence[Tensor], targets: Sequence[Target]) -> None:
    """The first stages stay to the bit, statistics too; the others change."""
    learner.freeze(stages)
    parts = learner.stages()
    before = [{name: each.clone() for name, each in part.state_dict().items()} for part in parts]
    learn(learner, images, targets, 2, 1e-2)
    same = [
        all(torch.equal(value, old[name]) for name, value in part.state_dict().items())
        for part, old in zip(parts, before, strict=True)
    ]
    assert same == [at <= stages for at in range(len(parts))]


#: A backbone that learns in seconds.
TRUNK = Trunk(blocks=(1, 1, 1, 1), bottleneck=False, shrink=4, width=32, dense=64, anchors=(16, 24, 32, 64, 128))
#: The same for two more labels.
MORE = (*LABELS, "grey", "green")


def check_taken(other: nn.Module, weights: dict[str, Tensor], fresh: str) -> None:
    """Another learner, of more labels, takes all but its heads; ``fresh`` is in the names of these alone."""
    taken = other.take(weights)
    assert 0.5 * taken.of < taken.parameters < taken.of
    assert taken.fresh
    assert all(re.search(fresh, name) for name in taken.fresh)
    state = other.network.state_dict()
    assert all(torch.equal(state[name], each) for name, each in weights.items() if not re.search(fresh, name))
