"""A dataset: pages with reviewed annotations, each in one split, and where their images lie.

Annotations are in pixels of the stored image. What is unknown is said, not guessed: ``ignore`` zones of
a page count neither for nor against anybody, and ``exhaustive`` names the labels that were looked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

from limner.annotations.annotation import Annotation, Json
from limner.annotations.page import Page
from limner.annotations.serial import annotation_from_plain, annotation_to_plain, page_from_plain, page_to_plain
from limner.annotations.shapes import Box
from limner.core.errors import FormatError, LimnerError

#: What the pages of a dataset are for.
Split: TypeAlias = Literal["train", "val", "test"]
#: All of them, in this order.
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPage:
    """One page: its image, what is on it, and what nobody looked at."""

    #: The page; its width and height are those of the stored image.
    page: Page
    annotations: tuple[Annotation, ...]
    #: Id of the document that it comes from: pages of one document are never in two splits.
    document: str
    split: Split
    #: File name of the image among the stored ones: SHA-256 of its bytes and the suffix of its format.
    image: str
    #: Zones in which nothing is known, pixels.
    ignore: tuple[Box, ...] = ()
    #: The labels that were looked for everywhere on the page; None for all of the dataset.
    exhaustive: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One version of a dataset. It never changes: `sha256` names what is in it."""

    name: str
    version: str
    #: Its labels, in the order of a network's outputs.
    labels: tuple[str, ...]
    pages: tuple[DatasetPage, ...]
    #: The folder of the images.
    images: Path
    title: str = ""
    licence: str = ""
    #: What it was made from, for model cards.
    source: str = ""
    #: What else is known, as JSON values.
    metadata: Mapping[str, Json] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """Name and version, as in ``nuts@2``."""
        return f"{self.name}@{self.version}"

    @cached_property
    def sha256(self) -> str:
        """Hash of labels, pages and images, hexadecimal: the same for the same content under any name."""
        digest = hashlib.sha256("\n".join(self.labels).encode())
        for page in self.pages:
            digest.update(b"\n")
            digest.update(render_page(page).encode())
        return digest.hexdigest()

    def split(self, *splits: Split) -> tuple[DatasetPage, ...]:
        """The pages of one or several splits, in order."""
        return tuple(page for page in self.pages if page.split in splits)

    def image_path(self, page: DatasetPage) -> Path:
        """Where the image of a page lies."""
        return image_file(self.images, page.image)

    def index(self, label: str) -> int:
        """Position of a label among the outputs, from 0."""
        return self.labels.index(label)


def image_file(folder: Path, name: str) -> Path:
    """Where an image is kept: in one of 256 folders, so that none grows too long to list."""
    return folder / name[:2] / name


def render_page(page: DatasetPage) -> str:
    """A page as one line of ``pages.jsonl``: the same for the same page."""
    plain: dict[str, Json] = {
        "page": page_to_plain(page.page),
        "annotations": [annotation_to_plain(each) for each in page.annotations],
        "document": page.document,
        "split": page.split,
        "image": page.image,
    }
    if page.ignore:
        plain["ignore"] = [[each.x, each.y, each.width, each.height] for each in page.ignore]
    if page.exhaustive is not None:
        plain["exhaustive"] = [*sorted(page.exhaustive)]
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def parse_page(line: str) -> DatasetPage:
    """The page in a line; raises `FormatError` saying what is wrong."""
    try:
        plain = json.loads(line)
        return _page(plain)
    except LimnerError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"A page of the dataset cannot be read: {type(error).__name__}: {error}.") from error


def _page(plain: Mapping[str, Any]) -> DatasetPage:
    split, exhaustive = plain["split"], plain.get("exhaustive")
    if split not in SPLITS:
        raise FormatError(f"A split is one of {', '.join(SPLITS)}, not {split!r}.")
    return DatasetPage(
        page=page_from_plain(plain["page"]),
        annotations=tuple(annotation_from_plain(each) for each in plain["annotations"]),
        document=str(plain["document"]),
        split=cast("Split", split),
        image=str(plain["image"]),
        ignore=tuple(Box(*each) for each in plain.get("ignore", ())),
        exhaustive=None if exhaustive is None else frozenset(exhaustive),
    )


def labels_of(pages: Sequence[DatasetPage], known: Collection[str] = ()) -> tuple[str, ...]:
    """The labels of some pages: those that are ``known`` in their order, then the others by name."""
    found = {annotation.label for page in pages for annotation in page.annotations}
    return (*known, *sorted(found - set(known)))
