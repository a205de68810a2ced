"""Annotated pages on this machine's disk: a file or folder in any format that can be read, and the images beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.protocol import READERS, ParseContext
from limner.core.errors import FormatError, UsageError
from limner.operations.convert import annotation_files, image_sizes

#: The order in which formats are tried: those that say what they are first.
_TRIED = ("coco", "labelstudio", "labelme", "voc", "alto", "page", "yolo", "w3c", "jsonl", "extractor")
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".jp2", ".gif"})


@dataclass(frozen=True, slots=True)
class LabelledPage:
    """A page with its annotations, and where its image lies."""

    page: AnnotatedPage
    image: Path


@dataclass(frozen=True, slots=True)
class Labelled:
    """A dataset as it was found."""

    pages: tuple[LabelledPage, ...]
    #: Name of the format.
    format: str
    #: What could not be used, a sentence each.
    problems: tuple[str, ...]


def read_labelled(source: Path, format_name: str | None = None, images: Path | None = None) -> Labelled:
    """Read a dataset; ``images`` is the folder of its images, by default its own.

    Without ``format_name`` formats are tried until one fits. Raises `FormatError` where none does, and
    `UsageError` where there are no files or none of the images.
    """
    files = dict(annotation_files(source))
    if not files:
        raise UsageError(f"{source} holds no file of annotations.")
    folder = images or (source if source.is_dir() else source.parent)
    context = ParseContext(size_of=image_sizes(folder))
    name, pages = _parsed(source, files, format_name, context)
    found, missing = _with_images(pages, images_below(folder))
    if not found:
        raise UsageError(
            f"None of the {len(pages)} images that {source} speaks of lies below {folder}.", hint="Name their folder."
        )
    problems = [*context.problems]
    if missing:
        problems.append(f"{len(missing)} images are missing and left out: {', '.join(missing[:5])}.")
    return Labelled(tuple(found), name, tuple(problems))


def _parsed(
    source: Path, files: Mapping[str, str], format_name: str | None, context: ParseContext
) -> tuple[str, list[AnnotatedPage]]:
    """The format and the pages; problems of formats that did not fit are forgotten."""
    if format_name is not None:
        return format_name, [*READERS.get(format_name).parse(files, context)]
    for name in (*_TRIED, *(each for each in READERS.names() if each not in _TRIED)):
        tried = ParseContext(size_of=context.size_of)
        try:
            pages = [*READERS.get(name).parse(files, tried)]
        except FormatError:
            continue
        if any(page.annotations for page in pages):
            context.problems += tried.problems
            return name, pages
    raise FormatError(f"{source} holds annotations in no format that is known.", hint=f"Known: {', '.join(_TRIED)}.")


def images_below(folder: Path) -> Mapping[str, Path]:
    """The images in a folder and those below it, by file name and by name without suffix."""
    out: dict[str, Path] = {}
    for path in _images(folder):
        out.setdefault(path.stem, path)
    for path in _images(folder):
        out[path.name] = path
    return out


def _images(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())


def _with_images(pages: Sequence[AnnotatedPage], images: Mapping[str, Path]) -> tuple[list[LabelledPage], list[str]]:
    found, missing = [], []
    for page in pages:
        name = PurePosixPath(page.page.name).name
        path = images.get(name) or images.get(PurePosixPath(name).stem)
        if path is None:
            missing.append(page.page.name)
        else:
            found.append(LabelledPage(page, path))
    return found, missing
