"""A dataset as files of a format, its images with them: in a folder, or in a zip file that is made while it is sent.

YOLO and VOC have the folders that their trainers look for; in all other formats each split is a folder. What a
format has no place for (documents, zones and labels that nobody looked for) stands in ``limner.json``.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import yaml

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.naming import Stems
from limner.annotations.formats.protocol import WRITERS, Feature, Format, LossCounter, OutputFile
from limner.core.errors import UsageError
from limner.operations.datasets.sidecar import SIDECAR, render_sidecar
from limner.operations.outputs import safe_name
from limner.training.datasets.dataset import SPLITS, Dataset, DatasetPage

_BLOCK = 1 << 20
#: The label of zones in which nothing is known, in formats that can mark them.
IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file to be written: text, or an image that is kept."""

    #: Path with forward slashes, inside the export.
    path: str
    content: Path | Iterable[str]

    def blocks(self) -> Iterator[bytes]:
        """Its bytes."""
        if not isinstance(self.content, Path):
            yield from (piece.encode() for piece in self.content)
            return
        with self.content.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block


def exported(dataset: Dataset, format_name: str) -> Iterator[ExportedFile]:
    """All files of a dataset in a format, one after the other."""
    format_ = WRITERS.get(format_name)
    pages = _named(dataset)
    if format_.name.startswith("yolo"):
        files = _yolo(dataset, pages, format_)
    elif format_.name == "voc":
        files = _voc(dataset, pages, format_)
    else:
        files = _by_split(dataset, pages, format_)
    images: dict[str, DatasetPage] = {}
    for file, page in files:
        if page is not None:
            images[file.path] = page
        yield file
    yield ExportedFile(SIDECAR, (render_sidecar(dataset, images),))


def losses(dataset: Dataset, format_name: str) -> list[str]:
    """What a format cannot hold of a dataset, in sentences; ``limner.json`` has the rest."""
    counter = LossCounter(WRITERS.get(format_name))
    for page in dataset.pages:
        counter.add(AnnotatedPage(page.page, page.annotations))
    return counter.warnings()


def write_folder(dataset: Dataset, format_name: str, folder: Path) -> int:
    """Write a dataset into a folder that is empty or not there; how many files. Raises `UsageError`."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already and not an empty folder.")
    count = 0
    for file in exported(dataset, format_name):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            out.writelines(file.blocks())
        count += 1
    return count


def zip_name(dataset: Dataset, format_name: str) -> str:
    """What the zip file of an export is called."""
    return f"{safe_name(dataset.name)}-{dataset.version}-{format_name}.zip"


def zipped(dataset: Dataset, format_name: str) -> Iterator[bytes]:
    """A zip file in pieces; nothing of it is kept, so it may have any size."""
    out = _Outgoing()
    with zipfile.ZipFile(out, "w") as archive:
        for file in exported(dataset, format_name):
            entry = zipfile.ZipInfo(file.path)  # without the time: the same content gives the same bytes
            # Images do not get smaller.
            entry.compress_type = zipfile.ZIP_STORED if isinstance(file.content, Path) else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as target:
                for block in file.blocks():
                    target.write(block)
                    if out.waiting >= _BLOCK:
                        yield out.take()
    yield out.take()


class _Outgoing(io.RawIOBase):
    """What was written since it was last asked; it cannot be gone back in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.waiting = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # it takes any bytes, and zipfile gives these
        self._pieces.append(bytes(data))
        self.waiting += len(data)
        return len(data)

    def take(self) -> bytes:
        """What waits."""
        taken = b"".join(self._pieces)
        self._pieces, self.waiting = [], 0
        return taken


def _named(dataset: Dataset) -> tuple[DatasetPage, ...]:
    """The pages with names that their images can have as files, no two with one stem."""
    stems = Stems()
    out = []
    for each in dataset.pages:
        name = f"{stems.of(each.page)}.{each.image.rpartition('.')[2]}"
        out.append(replace(each, page=replace(each.page, name=name)))
    return tuple(out)


def _document(dataset: Dataset, pages: Sequence[DatasetPage], format_: Format) -> Document:
    marked = Feature.ATTRIBUTES in format_.holds
    annotated = [
        AnnotatedPage(
            replace(page.page, index=index, source=page.page.name),
            (*page.annotations, *(_zones(page) if marked else ())),
        )
        for index, page in enumerate(pages)
    ]
    return Document(
        id=dataset.ref, title=dataset.title or dataset.name, pages=annotated, rights=dataset.licence or None
    )


def _zones(page: DatasetPage) -> Iterator[Annotation]:
    for number, zone in enumerate(page.ignore, 1):
        yield Annotation(shape=zone, label=IGNORE, id=f"{IGNORE}-{number}", attributes={"ignore": True, "iscrowd": 1})


#: A file, and the page that it is the image of.
_Files = Iterator[tuple[ExportedFile, DatasetPage | None]]


def _by_split(dataset: Dataset, pages: Sequence[DatasetPage], format_: Format) -> _Files:
    for split in SPLITS:
        here = [page for page in pages if page.split == split]
        if not here:
            continue
        for file in format_.render(_document(dataset, here, format_)):
            yield ExportedFile(f"{split}/{_inside(file, format_)}", file.chunks), None
        for page in here:
            yield ExportedFile(f"{split}/{page.page.name}", dataset.image_path(page)), page


def _yolo(dataset: Dataset, pages: Sequence[DatasetPage], format_: Format) -> _Files:
    """All splits are rendered together, so that the classes have one number everywhere."""
    splits = {PurePosixPath(page.page.name).stem: page.split for page in pages}
    for file in format_.render(_document(dataset, pages, format_)):
        path = PurePosixPath(_inside(file, format_))
        if path.suffix == ".txt":
            yield ExportedFile(f"labels/{splits[path.stem]}/{path.name}", file.chunks), None
        else:
            yield ExportedFile(path.name, (_data_yaml("".join(file.chunks), {*splits.values()}),)), None
    for page in pages:
        yield ExportedFile(f"images/{page.split}/{page.page.name}", dataset.image_path(page)), page


def _data_yaml(text: str, splits: set[str]) -> str:
    found: dict[str, Json] = yaml.safe_load(text)
    # Trainers ask for all but the last: where there is none, they get what there is.
    folders: dict[str, Json] = {
        split: f"images/{split if split in splits else 'train'}"
        for split in SPLITS
        if split in splits or split == "val"
    }
    made: str = yaml.safe_dump({**found, **folders}, allow_unicode=True, sort_keys=False)
    return made


def _voc(dataset: Dataset, pages: Sequence[DatasetPage], format_: Format) -> _Files:
    for file in format_.render(_document(dataset, pages, format_)):
        yield ExportedFile(f"Annotations/{_inside(file, format_)}", file.chunks), None
    for split in SPLITS:
        stems = [PurePosixPath(page.page.name).stem for page in pages if page.split == split]
        if stems:
            yield ExportedFile(f"ImageSets/Main/{split}.txt", (f"{stem}\n" for stem in stems)), None
    for page in pages:
        yield ExportedFile(f"JPEGImages/{page.page.name}", dataset.image_path(page)), page


def _inside(file: OutputFile, format_: Format) -> str:
    """The path of a file without the folder that is called like the format."""
    return file.path.removeprefix(f"{format_.name}/")
