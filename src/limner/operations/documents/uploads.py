"""Files that a client sends: what they are, where they are kept, and the documents in them.

What a file is called decides nothing: its first bytes say what it is.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from limner.core.errors import NotFoundError, SourceError
from limner.sources.files import FoundFile, document_of
from limner.sources.images.magic import HEAD, Media, describe, identify
from limner.sources.naming import safe_name, split_suffix, unique_names
from limner.sources.pdf import open_pdf
from limner.sources.protocol import OpenedDocument, SourceContext
from limner.sources.zip import open_zip
from limner.storage.blobs import Blobs

#: The suffix of each kind of file that is taken.
SUFFIXES = {
    Media.JPEG: ".jpg",
    Media.PNG: ".png",
    Media.WEBP: ".webp",
    Media.TIFF: ".tif",
    Media.GIF: ".gif",
    Media.BMP: ".bmp",
    Media.JPEG2000: ".jp2",
    Media.AVIF: ".avif",
    Media.PDF: ".pdf",
    Media.ZIP: ".zip",
}
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a client sent."""

    #: What the client calls it; may be anything.
    name: str
    #: Its content, from the beginning.
    file: BinaryIO


@dataclass(frozen=True, slots=True)
class KeptFile:
    """An upload that is kept as a blob."""

    #: File name, safe to show and to write.
    name: str
    #: Name of the blob, inside the folder of its job or document.
    blob: str


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on this machine's disk that came from a client."""

    name: str
    path: Path
    media: Media
    #: What keeps it on disk, if anything has to.
    keep: object = None


def media_of_upload(upload: Upload) -> Media:
    """What an upload is; raises `SourceError` where it is nothing that can be annotated."""
    upload.file.seek(0)
    head = upload.file.read(HEAD)
    upload.file.seek(0)
    media = identify(head)
    if media not in SUFFIXES:
        raise SourceError(
            f"The file {safe_name(upload.name, 'upload')} is {describe(head)}.", hint="Send images, PDFs or zip files."
        )
    return media


def upload_names(uploads: Sequence[Upload]) -> list[str]:
    """A file name for each upload, none of them twice."""
    names = [safe_name(PurePosixPath(upload.name.replace("\\", "/")).name, "upload") for upload in uploads]
    return unique_names(names)


def keep_uploads(uploads: Sequence[Upload], blobs: Blobs, folder: str) -> list[KeptFile]:
    """Keep uploads as blobs in a folder of the store; raises `SourceError` for one that is of no use."""
    kinds = [media_of_upload(upload) for upload in uploads]
    kept = []
    for number, (upload, name, media) in enumerate(zip(uploads, upload_names(uploads), kinds, strict=True)):
        blob = f"{number}{SUFFIXES[media]}"
        blobs.write(f"{folder}/{blob}", _pieces(upload.file))
        kept.append(KeptFile(name, blob))
    return kept


def save_uploads(uploads: Sequence[Upload], folder: Path) -> list[LocalFile]:
    """Write uploads to a folder on this machine; raises `SourceError` for one that is of no use."""
    kinds = [media_of_upload(upload) for upload in uploads]
    saved = []
    for number, (upload, name, media) in enumerate(zip(uploads, upload_names(uploads), kinds, strict=True)):
        path = folder / f"{number}{SUFFIXES[media]}"
        with path.open("wb") as file:
            shutil.copyfileobj(upload.file, file, _BLOCK)
        saved.append(LocalFile(name, path, media))
    return saved


def local_file(blobs: Blobs, key: str, name: str) -> LocalFile:
    """A kept upload as a file on this machine, copied here where the store is elsewhere; raises `NotFoundError`."""
    path = blobs.path(key)
    if path is None:
        copy = LocalCopy(blobs, key)
        return LocalFile(name, copy.path, _media_at(copy.path), keep=copy)
    if not path.is_file():
        raise NotFoundError(f"The file {name} is not kept any more.")
    return LocalFile(name, path, _media_at(path))


class LocalCopy:
    """A copy of a blob on this machine's disk; it goes with this object."""

    def __init__(self, blobs: Blobs, key: str) -> None:
        with tempfile.NamedTemporaryFile(
            prefix="limner-", suffix=PurePosixPath(key).suffix, delete=False, buffering=0
        ) as file:
            self.path = Path(file.name)
            weakref.finalize(self, self.path.unlink, missing_ok=True)
            for piece in blobs.stream(key):
                file.write(piece)


def open_files(files: Sequence[LocalFile], context: SourceContext) -> Iterator[tuple[OpenedDocument, tuple[int, ...]]]:
    """The documents in some files, each with the positions of its files.

    Images that follow each other are one document, a PDF or zip file is one of its own. Raises
    `SourceError` where one of them cannot be opened.
    """
    groups = groupby(enumerate(files), key=lambda each: (each[1].media, each[0]) if _is_document(each[1]) else None)
    for _, group in groups:
        members = list(group)
        positions = tuple(position for position, _ in members)
        yield _open(positions, [file for _, file in members], context), positions


def _open(positions: tuple[int, ...], files: Sequence[LocalFile], context: SourceContext) -> OpenedDocument:
    first = files[0]
    title = split_suffix(first.name)[0]
    if first.media is Media.PDF:
        return open_pdf(first.path, first.name, title, context, keep=first.keep)
    if first.media is Media.ZIP:
        return open_zip(first.path, first.name, title, context, keep=first.keep)
    found = [FoundFile(file.name, file.path, source=file.name, keep=file.keep) for file in files]
    identity = first.name if len(files) == 1 else f"{first.name} and {len(positions) - 1} more"
    return document_of(identity, title, found, context)


def _is_document(file: LocalFile) -> bool:
    return file.media in (Media.PDF, Media.ZIP)


def _media_at(path: Path) -> Media:
    with path.open("rb") as file:
        media = identify(file.read(HEAD))
    if media is None:
        raise SourceError("A file that was uploaded is damaged.")
    return media


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_BLOCK):
        yield piece
