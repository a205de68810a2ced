"""The annotations of somebody's dataset, file by file, in whatever format they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.protocol import READERS, ParseContext
from limner.core.errors import FormatError, LimnerError
from limner.operations.datasets.layout import ImageIndex, Listed, read_lists
from limner.operations.datasets.places import TEXTS, Place, text_of
from limner.operations.datasets.plain_yaml import plain_yaml
from limner.operations.datasets.sidecar import SIDECAR, Sidecar, read_sidecar
from limner.sources.naming import plain_text

#: What files of each format end in; others may end in anything that holds text.
_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("coco", "labelstudio", "labelme", "w3c"), (".json",)),
    **dict.fromkeys(("voc", "alto", "page"), (".xml",)),
    **dict.fromkeys(("yolo", "extractor"), (".txt",)),
    "jsonl": (".jsonl",),
}
#: The order in which formats are tried: those that say what they are first.
_TRIED = ("coco", "labelstudio", "labelme", "voc", "alto", "page", "yolo", "jsonl", "w3c", "extractor")
#: Formats whose files hold many pages: their names may tell the split.
MANY_PAGES = frozenset({"coco", "labelstudio", "jsonl", "w3c", "extractor"})
#: Files that are looked at to tell a format.
_LOOKED_AT = 5
_YAML = (".yaml", ".yml")
_NAME_LISTS = frozenset({"classes.txt", "obj.names"})

#: Width and height of an image by the name that annotations have for it; None where it cannot be had.
SizeOf = Callable[[str], tuple[int, int] | None]


@dataclass(slots=True)
class Material:
    """A place, and what was found in it."""

    place: Place
    images: ImageIndex
    listed: Listed
    #: YOLO's names of classes, by path: read once, given with every file.
    names: dict[str, str] = field(default_factory=dict)
    #: What an export of ours says beside its format.
    sidecar: Sidecar = field(default_factory=Sidecar)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """A file of annotations that has been read."""

    path: str
    pages: tuple[AnnotatedPage, ...]
    #: The documents that it says its images belong to, by what it calls the images.
    documents: Mapping[str, str]


def look_at(place: Place) -> Material:
    """What is in a place; raises `FormatError` or `SourceError`."""
    material = Material(place, ImageIndex(place.paths), Listed())
    material.problems += place.problems
    material.listed = read_lists(place.paths, lambda path: _text_or_nothing(material, path))
    if SIDECAR in place.paths:
        try:
            material.sidecar = read_sidecar(text_of(place, SIDECAR))
        except LimnerError as error:
            material.problems.append(str(error))
    for path in place.paths:
        pure = PurePosixPath(path)
        if pure.name in _NAME_LISTS or pure.suffix.lower() in _YAML:
            _take_names(material, path)
    return material


def _text_or_nothing(material: Material, path: str) -> str:
    try:
        return text_of(material.place, path)
    except LimnerError as error:
        material.problems.append(str(error))
        return ""


def _take_names(material: Material, path: str) -> None:
    text = _text_or_nothing(material, path)
    if not path.lower().endswith(_YAML):
        material.names[path] = text
        return
    try:
        found = plain_yaml(text.encode())
    except FormatError as error:
        material.problems.append(f"{plain_text(path)} was passed over: {error}")
        return
    if "names" in found:
        material.names[path] = text


def detect(material: Material) -> str:
    """The format of the annotations; raises `FormatError` where none fits."""
    without: str | None = None
    for name in (*_TRIED, *(each for each in READERS.names() if each not in _TRIED)):
        for path in files_of(material, name)[:_LOOKED_AT]:
            found = _tried(material, name, path)
            if any(page.annotations for page in found):
                return name
            without = without or (name if found else None)
    if without is None:
        raise FormatError(
            f"{material.place.name} holds annotations in no format that is known.",
            hint=f"Known: {', '.join(_TRIED)}. Say which with --format.",
        )
    return without


def _tried(material: Material, name: str, path: str) -> Sequence[AnnotatedPage]:
    """The pages of a file, if it is of a format; any image will do for a size."""
    try:
        return _parsed(material, name, path, text_of(material.place, path), lambda _: (1000, 1000), [])
    except LimnerError:
        return ()


def files_of(material: Material, format_name: str) -> list[str]:
    """The files that hold annotations in a format, as far as their names tell."""
    suffixes = _SUFFIXES.get(format_name, tuple(sorted(TEXTS - set(_YAML))))
    found = [
        path
        for path in material.place.paths
        if path.lower().endswith(suffixes) and path not in material.listed.files and not _is_names(path)
    ]
    if format_name != "yolo" or len(found) == 1:
        return found
    labels = [path for path in found if "labels" in PurePosixPath(path).parts]
    return labels or [path for path in found if material.images.has_stem(path)]


def _is_names(path: str) -> bool:
    return PurePosixPath(path).name in _NAME_LISTS or path == SIDECAR


def read_file(material: Material, format_name: str, path: str, size_of: SizeOf) -> AnnotationFile:
    """The pages of a file; raises `FormatError` where it is not of the format."""
    text = text_of(material.place, path)
    pages = _parsed(material, format_name, path, text, size_of, material.problems)
    return AnnotationFile(path, tuple(pages), _documents(format_name, text))


def _parsed(
    material: Material, format_name: str, path: str, text: str, size_of: SizeOf, problems: list[str]
) -> Sequence[AnnotatedPage]:
    names = material.names if format_name == "yolo" else {}
    context = ParseContext(size_of=size_of)
    pages = [*READERS.get(format_name).parse({**names, path: text}, context)]
    # What is said of every file alike is said once.
    problems += [each for each in context.problems if each not in problems[-20:]]
    return pages


def _documents(format_name: str, text: str) -> dict[str, str]:
    """What COCO files say beyond the format: the ``document`` of an image."""
    if format_name != "coco" or '"document"' not in text:
        return {}
    images = json.loads(text)["images"]
    return {str(each.get("file_name")): str(each["document"]) for each in images if each.get("document")}


def unannotated(material: Material, taken: set[str]) -> Iterator[str]:
    """The images that no annotations belong to."""
    return (path for path in material.images.paths() if path not in taken)
