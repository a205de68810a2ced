"""What is in a dataset, in figures: labels, sizes, empty pages, splits, documents."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from limner.annotations.annotation import Json
from limner.training.datasets.dataset import SPLITS, Dataset, DatasetPage
from limner.training.datasets.phash import Pair

#: Share of a page's area above which a box is medium and large: as COCO has it for images of 640 × 480.
SMALL, LARGE = 32 * 32 / (640 * 480), 96 * 96 / (640 * 480)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """One label."""

    label: str
    #: Annotations in each split.
    splits: dict[str, int]
    #: Pages that have one.
    pages: int
    #: How many are polygons or masks.
    outlines: int
    #: How many have text.
    texts: int
    #: Square root of a box's area as a share of its page's, at 10, 50 and 90 % of them.
    sizes: tuple[float, float, float]
    #: How many are small, medium and large (`SMALL`, `LARGE`).
    classes: tuple[int, int, int]

    @property
    def annotations(self) -> int:
        """Annotations in all splits."""
        return sum(self.splits.values())

    def plain(self) -> dict[str, Json]:
        """As JSON values."""
        return {
            "label": self.label,
            "annotations": self.annotations,
            "splits": {**self.splits},
            "pages": self.pages,
            "outlines": self.outlines,
            "texts": self.texts,
            "sizes": dict(zip(("p10", "p50", "p90"), (round(each, 4) for each in self.sizes), strict=True)),
            "classes": dict(zip(("small", "medium", "large"), self.classes, strict=True)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """A dataset in figures."""

    #: Pages, documents and pages without annotations in each split.
    pages: dict[str, int]
    documents: dict[str, int]
    empty: dict[str, int]
    #: Documents with pages in several splits: what is learnt from them is measured on them.
    torn: tuple[str, ...]
    labels: tuple[LabelFigures, ...]
    #: Zones in which nothing is known.
    ignored: int
    #: Pages on which only some of the labels were looked for.
    partial: int
    #: Width and height of the pages at 10, 50 and 90 % of them, pixels.
    widths: tuple[float, float, float]
    heights: tuple[float, float, float]

    def plain(self) -> dict[str, Json]:
        """As JSON values."""
        percentiles = ("p10", "p50", "p90")
        return {
            "pages": {**self.pages},
            "documents": {**self.documents},
            "empty": {**self.empty},
            "torn": [*self.torn],
            "labels": [each.plain() for each in self.labels],
            "ignored": self.ignored,
            "partial": self.partial,
            "widths": dict(zip(percentiles, self.widths, strict=True)),
            "heights": dict(zip(percentiles, self.heights, strict=True)),
        }


def statistics(dataset: Dataset) -> Statistics:
    """The figures of a dataset; reads no image."""
    by_split = {split: dataset.split(split) for split in SPLITS}
    documents = {split: {page.document for page in pages} for split, pages in by_split.items()}
    often = Counter(document for each in documents.values() for document in each)
    return Statistics(
        pages={split: len(pages) for split, pages in by_split.items()},
        documents={split: len(each) for split, each in documents.items()},
        empty={split: sum(not page.annotations for page in pages) for split, pages in by_split.items()},
        torn=tuple(sorted(document for document, count in often.items() if count > 1)),
        labels=_labels(dataset),
        ignored=sum(len(page.ignore) for page in dataset.pages),
        partial=sum(page.exhaustive is not None for page in dataset.pages),
        widths=_percentiles([page.page.width for page in dataset.pages]),
        heights=_percentiles([page.page.height for page in dataset.pages]),
    )


@dataclass(slots=True)
class _Gathered:
    """What is counted of one label."""

    splits: dict[str, int]
    sizes: list[float]
    pages: int = 0
    outlines: int = 0
    texts: int = 0


def _labels(dataset: Dataset) -> tuple[LabelFigures, ...]:
    found = {label: _Gathered(dict.fromkeys(SPLITS, 0), []) for label in dataset.labels}
    for page in dataset.pages:
        _gather(page, found)
    return tuple(
        LabelFigures(
            label=label,
            splits=each.splits,
            pages=each.pages,
            outlines=each.outlines,
            texts=each.texts,
            sizes=_percentiles(each.sizes),
            classes=_classes(each.sizes),
        )
        for label, each in found.items()
    )


def _gather(page: DatasetPage, found: dict[str, _Gathered]) -> None:
    area = max(1, page.page.width * page.page.height)
    for label in {annotation.label for annotation in page.annotations}:
        found[label].pages += 1
    for annotation in page.annotations:
        each, bounds = found[annotation.label], annotation.shape.bounds
        each.splits[page.split] += 1
        each.sizes.append(math.sqrt(min(1.0, bounds.area / area)))
        each.outlines += annotation.shape is not bounds
        each.texts += annotation.text is not None


def _classes(sizes: Iterable[float]) -> tuple[int, int, int]:
    counts = [0, 0, 0]
    for size in sizes:
        counts[(size * size >= SMALL) + (size * size >= LARGE)] += 1
    return counts[0], counts[1], counts[2]


def _percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The values below which 10, 50 and 90 % lie; zeros where there is none."""
    if not values:
        return (0.0, 0.0, 0.0)
    ordered = sorted(values)
    low, middle, high = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.1, 0.5, 0.9))
    return low, middle, high


def plain_pair(pair: Pair) -> dict[str, Json]:
    """Two pages that look the same, as JSON values."""
    return {
        "distance": pair.distance,
        "pages": [
            {"index": each.page.index, "name": each.page.name, "split": each.split, "document": each.document}
            for each in (pair.first, pair.second)
        ],
    }
