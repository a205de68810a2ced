"""How good a network is while it learns: figures on pages that it does not learn from, and pictures of them.

All is reckoned in pixels of the scaled images, as the network sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from limner.annotations.annotation import Annotation
from limner.annotations.drawing.contact_sheet import Thumbnail, contact_sheet
from limner.annotations.drawing.overlay import draw_overlay
from limner.annotations.masks import mask_from_array, mask_to_string
from limner.annotations.shapes import Box, Shape
from limner.training.architectures.protocol import Found, Learner
from limner.training.data.samples import PageSamples
from limner.training.data.targets import Target
from limner.training.evaluation.coco import Kind
from limner.training.evaluation.evaluation import Evaluation, evaluate
from limner.training.evaluation.pages import PageFound, PageTruth, Rle

#: Least score of what is looked at: average precision wants the unsure as well.
_LEAST = 0.01
#: Images that a network is asked about at one time.
_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class Validation:
    """What came of it."""

    evaluation: Evaluation
    found: tuple[PageFound, ...]


def validate(learner: nn.Module, samples: PageSamples, *, masks: bool, rounds: int = 0) -> Validation:
    """Ask a `Learner` about all pages and reckon the figures; its mode is as before afterwards."""
    truth: list[PageTruth] = []
    found: list[PageFound] = []
    with answering(learner) as network:
        for batch in _batches(samples):
            images = [image.to(_device(learner)).float() / 255 for image, _ in batch]
            for (image, target), finds in zip(batch, network.predict(images, _LEAST), strict=True):
                name = samples.pages[target.page].page.name
                truth.append(_truth(name, image, target))
                found.append(_found(name, finds))
    kind: Kind = "segm" if masks else "bbox"
    return Validation(evaluate(truth, found, samples.labels, kind=kind, rounds=rounds), tuple(found))


@contextmanager
def weights(learner: nn.Module, state: Mapping[str, Tensor]) -> Iterator[None]:
    """Other weights in a network for a while."""
    before = {name: each.clone() for name, each in learner.state_dict().items()}
    learner.load_state_dict(dict(state))
    try:
        yield
    finally:
        learner.load_state_dict(before)


@contextmanager
def answering(learner: nn.Module) -> Iterator[Learner]:
    """A network that answers and does not learn, for a while."""
    training = learner.training
    learner.eval()
    try:
        with torch.no_grad():
            yield cast("Learner", learner)
    finally:
        learner.train(training)


def pictures(samples: PageSamples, validation: Validation, most: int, threshold: float) -> Image.Image:
    """A sheet of the first pages: what is there beside what was found."""
    labels, thumbnails = samples.labels, []
    for number in range(min(most, len(samples))):
        image, target = samples.plain(number)
        page = Image.fromarray(image.permute(1, 2, 0).numpy())
        there = [
            _annotation(box, labels[at], None) for box, at in zip(target.boxes.tolist(), target.labels, strict=True)
        ]
        finds = validation.found[number].above(threshold)
        rows = zip(finds.boxes.tolist(), finds.labels, finds.scores.tolist(), strict=True)
        seen = [_annotation(box, labels[at], score) for box, at, score in rows]
        name = samples.pages[number].page.name
        thumbnails.append(Thumbnail(draw_overlay(page, there, page.size), name, "what is there"))
        thumbnails.append(Thumbnail(draw_overlay(page, seen, page.size), name, f"found, from a score of {threshold:g}"))
    return contact_sheet("Validation", thumbnails)


def _batches(samples: PageSamples) -> Iterator[list[tuple[Tensor, Target]]]:
    for first in range(0, len(samples), _TOGETHER):
        yield [samples.plain(number) for number in range(first, min(first + _TOGETHER, len(samples)))]


def _device(learner: nn.Module) -> torch.device:
    return next(learner.parameters()).device


def _truth(name: str, image: Tensor, target: Target) -> PageTruth:
    return PageTruth(
        name=name,
        width=image.shape[2],
        height=image.shape[1],
        boxes=target.boxes.double().numpy(),
        labels=target.labels.numpy(),
        masks=None if target.masks is None else _rles(target.masks),
        ignore=target.ignore.double().numpy(),
        exhaustive=target.exhaustive.numpy(),
    )


def _found(name: str, finds: Found) -> PageFound:
    return PageFound(
        name=name,
        boxes=finds.boxes.double().cpu().numpy(),
        labels=finds.labels.cpu().numpy(),
        scores=finds.scores.double().cpu().numpy(),
        masks=None if finds.masks is None else _rles(finds.masks.cpu()),
    )


def _rles(masks: Tensor) -> tuple[Rle, ...]:
    made = (mask_from_array(each) for each in masks.numpy().astype(np.bool_))
    return tuple({"size": [each.height, each.width], "counts": mask_to_string(each)} for each in made)


def _annotation(box: Sequence[float], label: str, score: float | None) -> Annotation:
    left, top, right, bottom = box
    shape: Shape = Box(left, top, max(right - left, 0.5), max(bottom - top, 0.5))
    return Annotation(shape=shape, label=label, score=score)
