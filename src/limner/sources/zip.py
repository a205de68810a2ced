"""Images in a zip file. Nothing is unpacked to disk: an entry is read into memory when it is its turn."""

from __future__ import annotations

import asyncio
import io
import re
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from limner.annotations.page import Page
from limner.core.errors import DecodeError, SourceError, TooLargeError
from limner.core.settings import Settings
from limner.sources.decode import decode_bytes
from limner.sources.images.magic import Media
from limner.sources.images.tiff import page_frames
from limner.sources.local import SUFFIXES, is_file, media_of, too_many
from limner.sources.naming import is_hidden, natural_key, numbered, plain_text, unique_names, with_page
from limner.sources.protocol import Encoded, OpenedDocument, Picture, Skipped, SourceContext, Want

_ZIPS = frozenset({".zip", ".cbz"})
#: Documents that somebody may expect to be opened as well.
_DOCUMENTS = frozenset({".pdf", *_ZIPS})
#: How many times its own size a zip file of scans may unpack to. Images are compressed already; blank pages
#: as uncompressed bitmaps come to a few hundred times.
_MOST_RATIO = 200
_ENCRYPTED = 1


class ZipSource:
    """Zip files (and comic books, which are zip files) on this machine."""

    name = "zip"
    priority = 40

    def accepts(self, spec: str) -> bool:
        """Whether this is a zip file by its name, or one without a suffix."""
        suffix = Path(spec[-64:]).suffix.lower()
        return is_file(spec) and (suffix in _ZIPS or (not suffix and media_of(spec) is Media.ZIP))

    async def open(self, spec: str, context: SourceContext) -> AsyncIterator[OpenedDocument]:
        """One document of all images in the file, in natural order of their paths."""
        path = Path(spec)
        identity, title = plain_text(path.as_posix()), plain_text(path.stem)
        yield await asyncio.to_thread(open_zip, path, identity, title, context)


ZIP = ZipSource()


class Archive:
    """An open zip file; entries may be read from several threads."""

    def __init__(self, path: Path, name: str, keep: object) -> None:
        self.name = name
        self.size = path.stat().st_size
        self._zip = zipfile.ZipFile(path)
        self._lock = threading.Lock()
        #: What keeps the file on disk, if anything has to.
        self._keep = keep

    def entries(self) -> list[zipfile.ZipInfo]:
        """All entries that are no folders."""
        return [info for info in self._zip.infolist() if not info.is_dir()]

    def read(self, info: zipfile.ZipInfo, limit: int) -> bytes:
        """The content of an entry; raises `SourceError`."""
        name = f"{plain_text(info.filename)} in {self.name}"
        if info.flag_bits & _ENCRYPTED:
            raise SourceError(f"{name} is protected by a password.", hint="Unpack it first.")
        if info.file_size > limit:
            raise TooLargeError(
                f"{name} unpacks to {info.file_size:,} bytes; {limit:,} are read at most.",
                hint="The setting fetch_max_bytes says how many.",
            )
        try:
            with self._lock, self._zip.open(info) as entry:
                return entry.read()
        except Exception as error:
            raise DecodeError(f"{name} cannot be unpacked: {error}.") from error


@dataclass(frozen=True, slots=True)
class _Entry:
    """An image in a zip file; it is read when it is decoded, so that few are in memory."""

    archive: Archive
    info: zipfile.ZipInfo
    settings: Settings
    frame: int = 0

    @property
    def name(self) -> str:
        """The path of the entry, fit to be shown."""
        return plain_text(self.info.filename)

    def decode(self, want: Want) -> Picture:
        data = self.archive.read(self.info, self.settings.fetch_max_bytes)
        return decode_bytes(data, want, self.settings, frame=self.frame, name=self.name)

    def frames(self) -> list[int]:
        """The pages of a TIFF; any other image has one. What cannot be read will say so when it is decoded."""
        if not self.info.filename.lower().endswith((".tif", ".tiff")):
            return [0]
        try:
            data = self.archive.read(self.info, self.settings.fetch_max_bytes)
        except SourceError:
            return [0]
        return page_frames(io.BytesIO(data), self.settings.max_pages)


@dataclass(slots=True)
class _ZipPage:
    """A page in a zip file."""

    page: Page
    encoded: _Entry
    #: Why it will not be read.
    refusal: SourceError | None = None

    async def fetch(self, want: Want) -> Encoded:  # noqa: ARG002 - an entry is read whole or not at all
        if self.refusal:
            raise self.refusal
        return self.encoded


@dataclass(slots=True)
class _Contents:
    """The images in a zip file."""

    images: list[zipfile.ZipInfo] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def open_zip(path: Path, identity: str, title: str, context: SourceContext, keep: object = None) -> OpenedDocument:
    """The document of the images in a zip file; raises `SourceError` where it is none, or holds none.

    Entries that are encrypted, too large or called like a file outside the archive become pages that cannot be
    fetched. A file that unpacks to far more than images do is refused as a whole.
    """
    name, settings = identity.rpartition("/")[2], context.settings
    try:
        archive = Archive(path, name, keep)
    except Exception as error:
        raise SourceError(f"{name} cannot be opened as a zip file: {error}.") from error
    refuse_bomb(archive, settings)
    contents = _contents(archive)
    if not contents.images:
        raise SourceError(f"There are no images in {name}.", hint=f"Looked for {', '.join(sorted(SUFFIXES))}.")
    handles = _handles(archive, contents.images, identity, settings)
    return OpenedDocument(id=identity, title=title, handles=handles, skipped=contents.skipped)


def refuse_bomb(archive: Archive, settings: Settings) -> None:
    """Raise `TooLargeError` for a file that unpacks to far more than images do.

    Also catches entries that lie over each other, each of which counts.
    """
    total = sum(info.file_size for info in archive.entries())
    if total > settings.fetch_max_bytes and total > _MOST_RATIO * archive.size:
        raise TooLargeError(
            f"{archive.name} has {archive.size:,} bytes and would unpack to {total:,}: it is a bomb.",
            hint="If it is meant to be so, unpack it and give the folder.",
        )


def _contents(archive: Archive) -> _Contents:
    contents, seen = _Contents(), set[str]()
    for info in archive.entries():
        suffix = Path(info.filename[-64:]).suffix.lower()
        if is_hidden(info.filename) and not escapes(info.filename):
            continue
        if info.filename in seen:
            contents.skipped.append(Skipped(plain_text(info.filename), "another entry has the same name"))
        elif suffix in SUFFIXES:
            contents.images.append(info)
        elif suffix in _DOCUMENTS:
            contents.skipped.append(
                Skipped(plain_text(info.filename), "documents inside a zip file are not opened: unpack it")
            )
        seen.add(info.filename)
    contents.images.sort(key=lambda info: natural_key(info.filename))
    return contents


def escapes(name: str) -> bool:
    """Whether the name of an entry leads out of the folder that it would be unpacked to."""
    return bool(re.match(r"[\\/]|[A-Za-z]:", name)) or ".." in re.split(r"[\\/]", name)


def _handles(archive: Archive, images: list[zipfile.ZipInfo], identity: str, settings: Settings) -> list[_ZipPage]:
    found: list[tuple[_Entry, int]] = []
    for entry, number in _pages(archive, images, settings):
        found.append((entry, number))
        if len(found) > settings.max_pages:
            raise too_many(archive.name, settings.max_pages)
    ids = [with_page(entry.name, number) for entry, number in found]
    names = unique_names(
        [numbered(entry.info.filename, number) if number else entry.info.filename for entry, number in found]
    )
    return [
        _ZipPage(Page(id=ids[index], name=name, index=index, source=f"{identity}/{ids[index]}"), entry, _refusal(entry))
        for index, (name, (entry, _)) in enumerate(zip(names, found, strict=True))
    ]


def _pages(archive: Archive, images: list[zipfile.ZipInfo], settings: Settings) -> Iterator[tuple[_Entry, int]]:
    """Each page of each image, and its number from 1 (0 where it is the only one)."""
    for info in images:
        first = _Entry(archive, info, settings)
        frames = first.frames()
        if len(frames) == 1:
            yield _Entry(archive, info, settings, frames[0]), 0
        else:
            yield from ((_Entry(archive, info, settings, frame), n) for n, frame in enumerate(frames, 1))


def _refusal(entry: _Entry) -> SourceError | None:
    if escapes(entry.info.filename):
        return SourceError(f"The entry {entry.name} leads out of the zip file, and is refused.")
    return None
