"""What a run leaves behind: files in every format asked for, overlays, crops and a contact sheet."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TextIO

from PIL import Image

from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.drawing.contact_sheet import SheetStyle, Thumbnail, contact_sheet
from limner.annotations.drawing.crops import cut_out
from limner.annotations.drawing.overlay import draw_overlay
from limner.annotations.formats.naming import page_stem
from limner.annotations.formats.protocol import WRITERS, Format, LossCounter, OutputFile
from limner.core.errors import UsageError
from limner.operations.pipeline import PageOutcome

#: Overlays are drawn on images of about this length, whatever the model needed.
OVERLAY_SIDE = 1600


@dataclass(frozen=True, slots=True)
class Pictures:
    """Which pictures are to be made besides the files."""

    overlays: bool = False
    crops: bool = False
    contact_sheet: bool = False

    @property
    def side(self) -> int | None:
        """Length that the longer side of an image needs for these; 0 where none is wanted."""
        if self.crops:
            return None
        return OVERLAY_SIDE if self.overlays else 0


@dataclass(frozen=True, slots=True)
class Target:
    """Where the files go: a folder, a single file, or standard output."""

    formats: tuple[Format, ...]
    folder: Path | None = None
    file: Path | None = None

    @classmethod
    def parse(cls, output: str, names: Iterable[str]) -> Target:
        """Read what ``-o`` and ``--to`` say; raises `UsageError` where they do not fit together."""
        formats = tuple(WRITERS.get(name) for name in dict.fromkeys(names))
        path = Path(output)
        is_folder = output != "-" and (path.is_dir() or output.endswith(("/", "\\")) or not path.suffix)
        if is_folder:
            return cls(formats, folder=path)
        where = "standard output" if output == "-" else output
        if len(formats) != 1:
            raise UsageError(f"{where} can hold one format, not {len(formats)}.", hint="Give a folder with -o.")
        if formats[0].per_page:
            raise UsageError(f"{formats[0].title} is one file a page.", hint="Give a folder with -o.")
        return cls(formats, file=None if output == "-" else path)


@dataclass(slots=True)
class PageArtist:
    """Makes the pictures of one document, page by page."""

    folder: Path
    pictures: Pictures
    style: SheetStyle = field(default_factory=SheetStyle)
    thumbnails: list[Thumbnail] = field(default_factory=list)
    count: int = 0

    def draw(self, outcome: PageOutcome) -> None:
        """Write the pictures of one page. Runs in a thread."""
        self.count += 1
        if outcome.picture is None or not (
            self.pictures.overlays or self.pictures.crops or self.pictures.contact_sheet
        ):
            return
        page, size = outcome.annotated, (outcome.picture.width, outcome.picture.height)
        image = Image.fromarray(outcome.picture.pixels)
        if self.pictures.crops:
            self._cut(image, page, size)
        if self.pictures.overlays or self.pictures.contact_sheet:
            self._overlay(image, page, size)

    def _cut(self, image: Image.Image, page: AnnotatedPage, size: tuple[int, int]) -> None:
        for number, annotation in enumerate(page.annotations, 1):
            crop = cut_out(image, annotation, size)
            if crop is not None:
                folder = _made(self.folder / "crops" / safe_name(annotation.label))
                crop.save(folder / f"{page_stem(page.page)}-{number}.jpg", quality=92)

    def _overlay(self, image: Image.Image, page: AnnotatedPage, size: tuple[int, int]) -> None:
        image.thumbnail((OVERLAY_SIDE, OVERLAY_SIDE), reducing_gap=2.0)
        drawn = draw_overlay(image, page.annotations, size)
        if self.pictures.overlays:
            drawn.save(_made(self.folder / "overlays") / f"{page_stem(page.page)}.png", compress_level=1)
        if self.pictures.contact_sheet and len(self.thumbnails) < self.style.most:
            drawn.thumbnail(self.style.cell, reducing_gap=2.0)
            label = page.page.label or str(page.page.index + 1)
            found = f"{len(page.annotations)} found" if page.annotations else "nothing found"
            self.thumbnails.append(Thumbnail(drawn, f"{label} · {page.page.name}", found))

    def finish(self, title: str) -> list[Path]:
        """Write the contact sheet, if one is wanted and there is something on it."""
        if not (self.pictures.contact_sheet and self.thumbnails):
            return []
        sheet = contact_sheet(title, self.thumbnails, self.style)
        path = _made(self.folder) / "contact-sheet.png"
        sheet.save(path, optimize=True)
        return [path]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of a document."""

    files: list[Path]
    warnings: list[str]


def write_document(document: Document, target: Target, folder: Path | None, stream: TextIO | None = None) -> Written:
    """Write a document in every format of the target."""
    files: list[Path] = []
    counters = [LossCounter(format_) for format_ in target.formats]
    for page in document.pages:
        for counter in counters:
            counter.add(page)
    for format_ in target.formats:
        for file in format_.render(document):
            if folder is not None:
                files.append(_write(file, folder / _inside(file.path)))
            elif target.file is not None:
                files.append(_write(file, target.file))
            else:
                for chunk in file.chunks:
                    (stream or sys.stdout).write(chunk)
    return Written(files, [warning for counter in counters for warning in counter.warnings()])


def _inside(path: str) -> PurePosixPath:
    """A relative path that cannot leave the folder it is joined to."""
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts:
        raise UsageError(f"A format wants to write to {path!r}, outside the output folder.")
    return relative


def _write(file: OutputFile, path: Path) -> Path:
    """Write a file under another name first, so that it is never seen half done."""
    partial = _made(path.parent) / f".{path.name}.partial"
    with partial.open("w", encoding="utf-8", newline="") as out:
        for chunk in file.chunks:
            out.write(chunk)
    partial.replace(path)
    return path


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def safe_name(text: str, fallback: str = "unnamed") -> str:
    """Text as a file name: letters, digits, dots, hyphens and underscores, at most 80 of them."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-._")[:80].rstrip("-._") or fallback


def unique_name(name: str, taken: set[str]) -> str:
    """The name, or the name with a number where it is taken already; it is taken afterwards."""
    candidates: Iterator[str] = (name if n == 1 else f"{name}-{n}" for n in range(1, len(taken) + 2))
    chosen = next(candidate for candidate in candidates if candidate.casefold() not in taken)
    taken.add(chosen.casefold())
    return chosen
