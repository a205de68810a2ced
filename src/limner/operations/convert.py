"""Turn annotations from one format into others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from limner.annotations.document import Document
from limner.annotations.formats.protocol import READERS, ParseContext
from limner.core.errors import FormatError, UsageError
from limner.operations.outputs import Target, write_document

#: What annotation files are called; images beside them are not read as text.
_SUFFIXES = frozenset({".json", ".jsonl", ".xml", ".txt", ".csv", ".yaml", ".yml"})
#: Folders are searched for this many files at most.
_MOST_FILES = 200_000


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of a conversion."""

    pages: int
    annotations: int
    files: list[Path]
    #: What could not be read, and what the formats cannot hold.
    warnings: list[str]


def convert(source: Path, reader: str, target: Target, images: Path | None = None) -> Conversion:
    """Read a file or folder of annotations and write them in other formats.

    ``images`` is the folder of the images, for formats that need their sizes; by default the
    source's own. Raises `FormatError` when the files are not of the format, `UsageError` when there
    are none.
    """
    files = dict(annotation_files(source))
    if not files:
        raise UsageError(f"{source} holds no file of annotations ({', '.join(sorted(_SUFFIXES))}).")
    context = ParseContext(size_of=image_sizes(images or (source if source.is_dir() else source.parent)))
    pages = list(READERS.get(reader).parse(files, context))
    if not pages:
        problems = " ".join(context.problems[:5])
        raise FormatError(f"{source} holds no page in the format {reader}. {problems}".strip())
    document = Document(id=source.name, title=source.stem, pages=pages)
    written = write_document(document, target, target.folder)
    count = sum(len(page.annotations) for page in pages)
    return Conversion(len(pages), count, written.files, [*context.problems, *written.warnings])


def annotation_files(source: Path) -> Iterator[tuple[str, str]]:
    """Relative path and text of each annotation file in a folder (or of the file itself)."""
    if not source.exists():
        raise UsageError(f"There is no file or folder {source}.")
    paths = (
        [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES)
    )
    if len(paths) > _MOST_FILES:
        raise UsageError(f"{source} holds {len(paths)} files; at most {_MOST_FILES} are read at once.")
    root = source.parent if source.is_file() else source
    for path in paths:
        try:
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise FormatError(f"{path} is no UTF-8 text: {error}.") from error


def image_sizes(folder: Path) -> Callable[[str], tuple[int, int] | None]:
    """A function that gives the width and height of an image below a folder, by its name."""

    @cache
    def index() -> dict[str, Path]:
        return {
            path.name: path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix.lower() not in _SUFFIXES
        }

    @cache
    def by_stem() -> dict[str, Path]:
        return {path.stem: path for path in index().values()}

    @cache
    def size_of(name: str) -> tuple[int, int] | None:
        # A name without suffix is all that some formats have.
        path = index().get(name) or by_stem().get(name)
        if path is None:
            return None
        try:
            with Image.open(path) as image:
                return image.width, image.height
        except (OSError, Image.DecompressionBombError):
            return None

    return size_of
