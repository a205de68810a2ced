"""Precision, recall, F1 and average precision of a model on annotated pages, by label."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from limner.annotations.annotation import Annotation, Json
from limner.core.errors import UsageError
from limner.core.settings import Settings
from limner.models.protocol import Options, Predictor
from limner.operations.accuracy.labelled import LabelledPage
from limner.operations.evaluation.running import LEAST
from limner.sources.decode import decode_file
from limner.sources.protocol import Picture, Want
from limner.training.evaluation.figures import Ratios, label_finds, together
from limner.training.evaluation.matching import match
from limner.training.evaluation.pages import Floats, Ints, PageFound, PageTruth, found_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelAccuracy:
    """How well one label is found."""

    label: str
    #: At the model's own threshold, with an IoU of at least 0.5.
    ratios: Ratios
    #: Average precision at IoU 0.5, read at 101 recalls as COCO does; None where there is nothing to be found.
    ap50: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How well a model finds what is on some pages."""

    threshold: float
    pages: int
    labels: tuple[LabelAccuracy, ...]
    #: Labels of the pages that the model does not know, and of the model that no page has: neither is counted.
    unknown: tuple[str, ...]
    unused: tuple[str, ...]
    #: Seconds that the model took for all pages.
    seconds: float

    @property
    def all(self) -> Ratios:
        """All labels counted together."""
        return together([each.ratios for each in self.labels])

    @property
    def map50(self) -> float | None:
        """Mean of the labels' average precision at IoU 0.5."""
        known = [each.ap50 for each in self.labels if each.ap50 is not None]
        return sum(known) / len(known) if known else None

    def to_plain(self) -> dict[str, Json]:
        """The same as JSON."""
        return {
            "threshold": self.threshold,
            "pages": self.pages,
            "labels": [{"label": each.label, **_plain(each.ratios), "ap50": each.ap50} for each in self.labels],
            "all": {**_plain(self.all), "map50": self.map50},
            "unknown_labels": [*self.unknown],
            "unused_labels": [*self.unused],
            "seconds": self.seconds,
        }


def measure(predictor: Predictor, pages: Sequence[LabelledPage], settings: Settings) -> Accuracy:
    """Let a model find what is on the pages, and compare; raises `UsageError` where no label is shared.

    Boxes are compared, those around shapes too.
    """
    bundle = predictor.bundle
    if bundle.task == "ocr":
        raise UsageError(f"The model {bundle.ref} reads text; only what finds and segments things is measured.")
    there = {annotation.label for page in pages for annotation in page.page.annotations}
    labels = tuple(label for label in bundle.labels if label in there)
    if not labels:
        raise UsageError(
            f"The model {bundle.ref} knows {_some(bundle.labels)}, and the pages have {_some(sorted(there))}: "
            "no label is shared."
        )
    began, truth, found = time.perf_counter(), [], []
    for page in pages:
        picture = decode_file(page.image, Want(predictor.wanted_side), settings)
        size = (picture.width, picture.height)
        truth.append(as_truth(page.image.name, page.page.annotations, labels, size))
        found.append(found_of(page.image.name, predict(predictor, picture), labels, size))
    return Accuracy(
        threshold=bundle.thresholds.score,
        pages=len(truth),
        labels=tuple(by_label(truth, found, labels, bundle.thresholds.score)),
        unknown=tuple(sorted(there - set(labels))),
        unused=tuple(label for label in bundle.labels if label not in there),
        seconds=time.perf_counter() - began,
    )


def predict(predictor: Predictor, picture: Picture, least: float = LEAST) -> list[Annotation]:
    """What a model finds, however unsure it is."""
    return predictor.predict(picture.pixels, (picture.width, picture.height), Options(threshold=least))


def by_label(
    truth: Sequence[PageTruth], found: Sequence[PageFound], labels: Sequence[str], threshold: float
) -> Iterable[LabelAccuracy]:
    """The figures of each label."""
    matches = [match(page, finds) for page, finds in zip(truth, found, strict=True)]
    for label, finds in zip(labels, label_finds(truth, found, matches, len(labels)), strict=True):
        yield LabelAccuracy(label=label, ratios=finds.at(threshold), ap50=finds.average_precision())


def as_truth(name: str, annotations: Sequence[Annotation], labels: Sequence[str], size: tuple[int, int]) -> PageTruth:
    """What is on a page, as boxes; annotations of other labels are left out."""
    place = {label: at for at, label in enumerate(labels)}
    known = [each for each in annotations if each.label in place]
    boxes: Floats = np.array([each.shape.bounds.corners for each in known], np.float64).reshape(-1, 4)
    numbers: Ints = np.array([place[each.label] for each in known], np.int64)
    return PageTruth(
        name=name,
        width=size[0],
        height=size[1],
        boxes=boxes,
        labels=numbers,
        ignore=np.zeros((0, 4)),
        exhaustive=np.ones(len(labels), bool),
    )


def _plain(ratios: Ratios) -> dict[str, Json]:
    return {
        "things": ratios.things,
        "finds": ratios.finds,
        "precision": ratios.precision,
        "recall": ratios.recall,
        "f1": ratios.f1,
    }


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:8]) + ("…" if len(labels) > 8 else "") if labels else "none"
