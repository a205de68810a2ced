"""Pages on their way into a dataset: each with its image kept, its labels mapped, its split if one was named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from limner.annotations.document import AnnotatedPage
from limner.annotations.page import Page
from limner.core.errors import DatasetError, FetchError, FormatError
from limner.core.settings import Settings
from limner.operations.datasets.fitting import on_image
from limner.operations.datasets.images import KeptImage, keep_image
from limner.operations.datasets.sidecar import Beside
from limner.sources.naming import safe_name, split_suffix
from limner.sources.net.downloader import Downloader, Kind
from limner.training.datasets.dataset import Dataset, DatasetPage, Split, labels_of, render_page
from limner.training.datasets.labels import LabelMap, told_apart
from limner.training.datasets.merging import extended, numbered
from limner.training.datasets.splits import Shares, assign
from limner.training.datasets.store import DatasetStore

#: Most problems that are told one by one.
MOST_PROBLEMS = 500
#: Longest label, characters: that of a bundle.
MOST_LABEL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is to become of the pages."""

    #: Name of the dataset; one that exists gets another version.
    name: str
    title: str = ""
    licence: str = ""
    labels: LabelMap = field(default_factory=LabelMap)
    #: The labels that were looked for on these pages; empty for all of the dataset.
    looked_for: tuple[str, ...] = ()
    #: Whether what VOC calls difficult is a zone in which nothing is known.
    difficult_ignored: bool = False
    shares: Shares = field(default_factory=Shares)
    seed: int = 0
    #: Whether the pages are split anew though they come with splits.
    resplit: bool = False
    #: Whether the pages are added to those of the newest version.
    append: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of it."""

    dataset: Dataset
    #: Name of the format; empty for pages that come from a document.
    format: str
    #: Whether the splits are those that the pages came with.
    kept_splits: bool
    #: What was passed over or mended, a sentence each.
    problems: tuple[str, ...]


@dataclass(slots=True)
class Gathering:
    """The pages so far."""

    store: DatasetStore
    settings: Settings
    wishes: Wishes
    problems: list[str] = field(default_factory=list)
    pages: list[DatasetPage] = field(default_factory=list)
    splits: list[Split | None] = field(default_factory=list)

    def keep(self, data: bytes, name: str) -> KeptImage:
        """Keep an image; raises `SourceError`."""
        return keep_image(self.store, data, self.settings, name)

    def add(self, annotated: AnnotatedPage, image: KeptImage, beside: Beside, split: Split | None = None) -> None:
        """Add a page; raises `FormatError` where its annotations cannot belong to its image."""
        found = on_image(annotated, image, self.problems)
        known, zones = told_apart(found, difficult=self.wishes.difficult_ignored)
        looked_for = beside.looked_for if beside.looked_for is not None else self.wishes.looked_for
        exhaustive = frozenset(self.wishes.labels.labels(looked_for))
        page = DatasetPage(
            page=_named(annotated.page, image),
            annotations=self.wishes.labels.annotations(known),
            document=beside.document,
            split=split or "train",
            image=image.name,
            ignore=tuple(dict.fromkeys((*zones, *beside.ignore))),
            exhaustive=exhaustive or None,
        )
        _check_text(page)
        self.pages.append(page)
        self.splits.append(split)

    def finish(self, *, format_name: str, source: str) -> Imported:
        """Add the dataset to the store; raises `DatasetError` where no page came."""
        if not self.pages:
            first = f" {self.problems[0]}" if self.problems else ""
            raise DatasetError(f"No page could be taken in.{first}")
        self._say_unused()
        pages, kept = self._split()
        dataset = self._dataset(numbered(pages), source)
        if self.wishes.append and self.store.versions(self.wishes.name):
            dataset = extended(self.store.get(self.wishes.name), dataset)
        problems = self.problems[:MOST_PROBLEMS]
        if len(self.problems) > len(problems):
            problems.append(f"And {len(self.problems) - len(problems)} more.")
        added = self.store.add(dataset)
        return Imported(dataset=added, format=format_name, kept_splits=kept, problems=tuple(problems))

    def _say_unused(self) -> None:
        """Say which rules for labels met none: a word misspelt would otherwise go unnoticed."""
        present = {each.label for page in self.pages for each in page.annotations}
        changes = self.wishes.labels.changes
        unmet = [old for old, new in changes.items() if new is not None and new not in present]
        if unmet:
            self.problems.append(f"No annotation has the label {' or '.join(map(repr, unmet))}.")

    def _split(self) -> tuple[tuple[DatasetPage, ...], bool]:
        """The pages with their splits, and whether these are the ones that they came with.

        One split alone is none: there would be nothing to learn from, or nothing to measure on.
        """
        named = {split for split in self.splits if split is not None}
        if self.wishes.resplit or len(named) < 2:
            return assign(self.pages, self.wishes.shares, self.wishes.seed), False
        rest = sum(split is None for split in self.splits)
        if rest:
            self.problems.append(f"{rest} pages are in none of the splits that are named, and are for training.")
        return tuple(self.pages), True

    def _dataset(self, pages: tuple[DatasetPage, ...], source: str) -> Dataset:
        known = self.store.card(self.wishes.name).labels if self.store.versions(self.wishes.name) else ()
        present = {each.label for page in pages for each in page.annotations}
        present |= {label for page in pages for label in page.exhaustive or ()}
        # Labels keep the order that they had: it is that of a network's outputs.
        labels = labels_of(pages, tuple(label for label in known if label in present))
        labels += tuple(sorted(present - set(labels)))
        return Dataset(
            name=self.wishes.name,
            version="",
            labels=labels,
            pages=pages,
            images=self.store.images,
            title=self.wishes.title,
            licence=self.wishes.licence,
            source=source,
        )


def _named(page: Page, image: KeptImage) -> Page:
    """The page at the size of its image, its file name with the suffix of what is kept."""
    stem = split_suffix(safe_name(PurePosixPath(page.name.replace("\\", "/")).name))[0]
    return replace(page, name=f"{stem}.{image.suffix}", width=image.width, height=image.height)


def _check_text(page: DatasetPage) -> None:
    """Raise `FormatError` for what cannot be kept, or cannot be the label of a model."""
    try:
        render_page(page).encode()
    except UnicodeEncodeError as error:
        raise FormatError("its annotations hold half a character, which cannot be kept.") from error
    longest = max((len(each.label) for each in page.annotations), default=0)
    if longest > MOST_LABEL:
        raise FormatError(f"a label has {longest:,} characters; {MOST_LABEL} are taken.")


def fetcher(downloader: Downloader, settings: Settings) -> Callable[[str], bytes]:
    """A function that gives the bytes of the image behind an address, through the guarded downloader."""

    async def fetch(url: str) -> bytes:
        download = await downloader.fetch(url, Kind.FULL_IMAGE)
        return await asyncio.to_thread(_bytes_of, download.path, settings.fetch_max_bytes)

    return lambda url: asyncio.run(fetch(url))


def _bytes_of(path: Path, most: int) -> bytes:
    if path.stat().st_size > most:
        raise FetchError(f"The image has more than {most:,} bytes.")
    return path.read_bytes()
