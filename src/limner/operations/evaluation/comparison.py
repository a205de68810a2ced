"""Two models on the same pages: which is better, how surely, and where they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.core.errors import UsageError
from limner.models.bundle import Bundle
from limner.operations.evaluation.running import Measured, check, shared_labels
from limner.training.datasets.dataset import Dataset
from limner.training.evaluation.bootstrap import ROUNDS, Interval, difference, weights
from limner.training.evaluation.figures import LabelFinds
from limner.training.evaluation.matching import NOTHING, match
from limner.training.evaluation.pages import Floats, PageFound, PageTruth

_ONLY_FINDS = "Only models that find things are compared page by page; for text compare the error rates."


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDifference:
    """How much more the first has of a label's average precision at IoU 0.5."""

    label: str
    first: float | None
    second: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A page, and how many finds of either model the other does not have."""

    page: str
    first_alone: int
    second_alone: int
    together: int

    @property
    def share(self) -> float:
        """Finds that only one has, of all: 0 to 1."""
        alone = self.first_alone + self.second_alone
        return alone / (alone + self.together) if alone else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The first model beside the second."""

    first: str
    second: str
    #: How much more the first has in mean average precision at IoU 0.5 over the labels that both know …
    gain: float | None
    #: … and where that lies with 95 % of draws of the pages.
    interval: Interval | None
    labels: tuple[LabelDifference, ...]
    #: The pages, those with the most disagreement first.
    pages: tuple[Disagreement, ...]

    @property
    def surely_better(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.interval is not None and self.interval.low > 0


def compare(first: Measured, second: Measured) -> Comparison:
    """Compare two models measured on the same pages; raises `UsageError` where they share no label."""
    if first.evaluation is None or second.evaluation is None:
        raise UsageError(_ONLY_FINDS)
    labels = _common((first.model, first.labels), (second.model, second.labels))
    one, other = _of(first, labels), _of(second, labels)
    drawn = weights(len(first.pages), ROUNDS)
    each = [_label(label, a, b, drawn) for label, a, b in zip(labels, one, other, strict=True)]
    known = [(row.first, row.second) for row in each if row.first is not None and row.second is not None]
    return Comparison(
        first=first.model,
        second=second.model,
        gain=sum(a - b for a, b in known) / len(known) if known else None,
        interval=difference(one, other, drawn),
        labels=tuple(each),
        pages=disagreements(first, second, labels),
    )


def check_comparable(first: Bundle, second: Bundle, dataset: Dataset) -> None:
    """Raise what `compare` would, before anything is measured."""
    if "ocr" in (first.task, second.task):
        raise UsageError(_ONLY_FINDS)
    for each in (first, second):
        check(each, dataset)
    _common(*((each.ref, shared_labels(dataset, each.labels)) for each in (first, second)))


def _common(first: tuple[str, Sequence[str]], second: tuple[str, Sequence[str]]) -> list[str]:
    """The labels of both models, each given with its labels."""
    labels = [label for label in first[1] if label in second[1]]
    if not labels:
        raise UsageError(f"{first[0]} and {second[0]} have no label in common.")
    return labels


def disagreements(first: Measured, second: Measured, labels: Sequence[str]) -> tuple[Disagreement, ...]:
    """The pages by how much two models differ there, each at its own threshold."""
    rows = []
    for at, page in enumerate(first.pages):
        a, b = _finds(first, at, labels), _finds(second, at, labels)
        matches = match(_as_truth(b, first.truth[at], len(labels)), a)
        both = int((matches.truth != NOTHING).sum())
        alone = (len(a.scores) - both, len(b.scores) - both)
        rows.append(Disagreement(page=page.page.name, first_alone=alone[0], second_alone=alone[1], together=both))
    return tuple(sorted(rows, key=lambda row: (-(row.first_alone + row.second_alone), row.page)))


def _label(label: str, one: LabelFinds, other: LabelFinds, drawn: Floats) -> LabelDifference:
    return LabelDifference(
        label=label,
        first=one.average_precision(),
        second=other.average_precision(),
        interval=difference([one], [other], drawn),
    )


def _of(measured: Measured, labels: Sequence[str]) -> list[LabelFinds]:
    if measured.evaluation is None:
        return []
    return [measured.evaluation.finds[measured.labels.index(label)] for label in labels]


def _finds(measured: Measured, at: int, labels: Sequence[str]) -> PageFound:
    """What a model found on a page above its threshold, numbered as in ``labels``."""
    threshold = 0.5 if measured.evaluation is None else measured.evaluation.threshold
    found = measured.found[at].above(threshold)
    places = {number: labels.index(label) for number, label in enumerate(measured.labels) if label in labels}
    kept = np.array([number in places for number in found.labels.tolist()], dtype=bool)
    return PageFound(
        name=found.name,
        boxes=found.boxes[kept],
        labels=np.array([places[number] for number in found.labels[kept].tolist()], dtype=np.int64),
        scores=found.scores[kept],
    )


def _as_truth(found: PageFound, page: PageTruth, labels: int) -> PageTruth:
    return PageTruth(
        name=found.name,
        width=page.width,
        height=page.height,
        boxes=found.boxes,
        labels=found.labels,
        ignore=np.zeros((0, 4)),
        exhaustive=np.ones(labels, dtype=bool),
    )
