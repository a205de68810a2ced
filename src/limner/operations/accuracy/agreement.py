"""How far two forms of one model agree on the same pages, and how long each takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limner.annotations.annotation import Json
from limner.core.errors import UsageError
from limner.core.settings import Settings
from limner.models.protocol import Predictor
from limner.operations.accuracy.figures import as_truth, by_label, predict
from limner.sources.decode import decode_file
from limner.sources.protocol import Want
from limner.training.evaluation.figures import Ratios, together
from limner.training.evaluation.pages import found_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What the one finds, taken as true, against what the other finds; both above the model's threshold."""

    pages: int
    ratios: Ratios
    #: Seconds a page, the median of all.
    seconds_before: float
    seconds_after: float

    def to_plain(self) -> dict[str, Json]:
        """The same as JSON."""
        return {
            "pages": self.pages,
            "things": self.ratios.things,
            "precision": self.ratios.precision,
            "recall": self.ratios.recall,
            "f1": self.ratios.f1,
            "mean_iou": self.ratios.mean_iou,
            "seconds_before": self.seconds_before,
            "seconds_after": self.seconds_after,
        }


def agreement(before: Predictor, after: Predictor, images: Sequence[Path], settings: Settings) -> Agreement:
    """Let both look at the same pages, turn and turn about; raises `UsageError` where there are none."""
    if not images:
        raise UsageError("There are no pages to compare two models on.")
    labels, least = before.bundle.labels, before.bundle.thresholds.score
    truth, found, times = [], [], []
    for image in images:
        picture = decode_file(image, Want(before.wanted_side), settings)
        size = (picture.width, picture.height)
        began = time.perf_counter()
        first = predict(before, picture, least)
        between = time.perf_counter()
        second = predict(after, picture, least)
        times.append((between - began, time.perf_counter() - between))
        truth.append(as_truth(image.name, first, labels, size))
        found.append(found_of(image.name, second, labels, size))
    medians = np.median(np.array(times), axis=0)
    return Agreement(
        pages=len(images),
        ratios=together([each.ratios for each in by_label(truth, found, labels, least)]),
        seconds_before=float(medians[0]),
        seconds_after=float(medians[1]),
    )
