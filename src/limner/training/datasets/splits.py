"""Which split a page belongs to: whole documents together, the labels spread evenly, the same each time."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from limner.core.errors import UsageError
from limner.training.datasets.dataset import SPLITS, DatasetPage, Split

#: What a page without annotations counts as, so that empty pages are spread too.
_EMPTY = ""


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of the pages each split should get; they are weighed against each other."""

    train: float = 0.7
    val: float = 0.15
    test: float = 0.15

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.test) < 0 or self.train <= 0:
            raise UsageError("Shares of splits are numbers from 0, and that of the training pages is above 0.")

    @property
    def fractions(self) -> dict[Split, float]:
        """The shares, together 1."""
        total = self.train + self.val + self.test
        return {split: getattr(self, split) / total for split in SPLITS if getattr(self, split) > 0}


def assign(pages: Iterable[DatasetPage], shares: Shares, seed: int = 0) -> tuple[DatasetPage, ...]:
    """The pages with their splits.

    Documents are dealt out one by one, those with the rarest label first, each to the split that lacks
    most of that label (iterative stratification, over groups); ``seed`` decides between equals.
    """
    pages = tuple(pages)
    counts = _by_document(pages)
    totals = sum(counts.values(), Counter[str]())
    left = {
        split: {label: share * count for label, count in totals.items()} for split, share in shares.fractions.items()
    }
    rarest = {document: min(some, key=lambda label: (totals[label], label)) for document, some in counts.items()}
    chosen: dict[str, Split] = {}
    for document in sorted(counts, key=lambda each: (totals[rarest[each]], -counts[each].total(), _lot(each, seed))):
        chosen[document] = split = max(left, key=lambda each: _need(left[each], rarest[document]))
        for label, count in counts[document].items():
            left[split][label] -= count
    return tuple(replace(page, split=chosen[page.document]) for page in pages)


def _by_document(pages: Iterable[DatasetPage]) -> Mapping[str, Counter[str]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for page in pages:
        counts[page.document].update([each.label for each in page.annotations] or [_EMPTY])
    return counts


def _need(left: Mapping[str, float], label: str) -> tuple[float, float]:
    """How much a split lacks of a label, and of anything."""
    return round(left[label], 9), sum(left.values())


def _lot(document: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\n{document}".encode()).hexdigest()
