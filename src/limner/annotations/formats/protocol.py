"""What a format is, and what it must say of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.shapes import Mask, Polygon
from limner.core.registry import Registry


class Feature(StrEnum):
    """Something that an annotation or page can have and a format may not be able to hold."""

    POLYGON = "polygons"
    HOLES = "holes in polygons"
    MASK = "pixel masks"
    SCORE = "scores"
    TEXT = "text"
    ATTRIBUTES = "attributes"
    PROVENANCE = "provenance"
    ERROR = "page errors"


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A text file to be written; its content may be made while it is written."""

    #: Path relative to the folder of the output, with forward slashes.
    path: str
    #: The content in pieces, UTF-8 when encoded.
    chunks: Iterable[str]


@dataclass(slots=True)
class ParseContext:
    """What a reader may ask for, and where it reports what it had to leave out."""

    #: Width and height in pixels of an image, by file name; None where unknown. Formats that
    #: store relative coordinates without the image's size need it.
    size_of: Callable[[str], tuple[int, int] | None] = lambda _: None
    #: What was skipped or mended, a sentence each, naming the file and the entry.
    problems: list[str] = field(default_factory=list)


@runtime_checkable
class Format(Protocol):
    """A format that documents can be written in."""

    #: Short name, as in ``--to NAME``.
    name: str
    #: Name for people.
    title: str
    #: Media type of its (first) file.
    media_type: str
    #: Whether it is one file a page (a folder is needed) instead of one a document.
    per_page: bool
    #: What it can hold; the rest is dropped or simplified, and `losses` says so.
    holds: frozenset[Feature]

    def render(self, document: Document) -> Iterator[OutputFile]:
        """The files of the document; single-file formats yield exactly one."""


@runtime_checkable
class ReadableFormat(Protocol):
    """A format that annotations can be read from."""

    name: str

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """The pages in some files (path → text).

        Entries that cannot be used are reported in ``context.problems`` and passed over; raises
        `FormatError` when the files are not of this format at all.
        """


#: All formats that can be written.
WRITERS: Registry[Format] = Registry("limner.formats.writers", "output format")
#: All formats that can be read.
READERS: Registry[ReadableFormat] = Registry("limner.formats.readers", "input format")


def features_of(annotation: Annotation) -> Iterator[Feature]:
    """The features that an annotation makes use of."""
    match annotation.shape:
        case Polygon(holes=holes):
            yield Feature.POLYGON
            if holes:
                yield Feature.HOLES
        case Mask():
            yield Feature.MASK
    for value, feature in (
        (annotation.score is not None, Feature.SCORE),
        (annotation.text is not None, Feature.TEXT),
        (bool(annotation.attributes), Feature.ATTRIBUTES),
        (annotation.provenance is not None, Feature.PROVENANCE),
    ):
        if value:
            yield feature


class LossCounter:
    """Counts, page by page, what a format cannot hold."""

    def __init__(self, target: Format) -> None:
        self._target = target
        self._counts: Counter[Feature] = Counter()

    def add(self, page: AnnotatedPage) -> None:
        """Count the features of one page."""
        for annotation in page.annotations:
            self._counts.update(feature for feature in features_of(annotation) if feature not in self._target.holds)
        if page.error and Feature.ERROR not in self._target.holds:
            self._counts[Feature.ERROR] += 1

    def warnings(self) -> list[str]:
        """One sentence on what was dropped or simplified, or nothing."""
        if not self._counts:
            return []
        counted = ", ".join(f"{feature.value} ({count})" for feature, count in sorted(self._counts.items()))
        return [f"{self._target.title} cannot hold {counted}: left out or simplified."]


def losses(target: Format, pages: Iterable[AnnotatedPage]) -> list[str]:
    """What a format cannot hold of some pages, in at most one sentence."""
    counter = LossCounter(target)
    for page in pages:
        counter.add(page)
    return counter.warnings()
