"""Taking a document in: every page of some uploads becomes an image that a browser can show.

Images of such a kind are kept as they came. All others (TIFF, JPEG 2000, pages of a PDF, …) become
JPEGs, and the file that they came from is kept beside them.
"""

from __future__ import annotations

import asyncio
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from limner.annotations.page import Page
from limner.core.errors import DecodeError, LimnerError, SourceError, TooLargeError
from limner.operations.documents.uploads import SUFFIXES, LocalFile, open_files
from limner.sources.decode import decode_file
from limner.sources.files import FilePage, FoundFile, document_of
from limner.sources.images.magic import HEAD, Media, identify
from limner.sources.naming import plain_text, unique_names
from limner.sources.protocol import OpenedDocument, PageHandle, Skipped, SourceContext, Want

#: What browsers show.
WEB_IMAGES = frozenset({Media.JPEG, Media.PNG, Media.WEBP, Media.GIF, Media.AVIF})
#: Quality of the JPEGs that others become.
_QUALITY = 92
#: Longer side that an image is decoded to where it only has to be seen to be sound, pixels.
_GLANCE = Want(64)
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class StagedPage:
    """A page whose image lies on this machine, ready to be kept."""

    page: Page
    path: Path


@dataclass(slots=True)
class Staged:
    """A document that is ready to be kept."""

    pages: list[StagedPage] = field(default_factory=list)
    #: Files that pages were made from.
    originals: list[LocalFile] = field(default_factory=list)
    #: What could not be read, and why.
    skipped: list[Skipped] = field(default_factory=list)


def stage(files: Sequence[LocalFile], folder: Path, context: SourceContext) -> Staged:
    """Make the pages of a document, in a folder on this machine.

    What cannot be read is left out and reported. Raises `SourceError` where nothing is left.
    """
    staged = Staged()
    for document, positions in open_files(files, context):
        first = files[positions[0]]
        opened = _unpacked(document, first, folder, context) if first.media is Media.ZIP else document
        staged.skipped += opened.skipped
        staged.originals += [first] if first.media is Media.PDF else _originals(opened.handles)
        for handle in opened.handles:
            _stage_page(handle, folder / f"page-{len(staged.pages)}", context, staged)
    if not staged.pages:
        reason = f"{staged.skipped[0].where}: {staged.skipped[0].reason}" if staged.skipped else "they are empty."
        raise SourceError(f"No page of these files can be read. {reason}")
    staged.pages = _numbered(staged.pages)
    return staged


def _originals(handles: Sequence[PageHandle]) -> list[LocalFile]:
    """The image files that browsers do not show."""
    files = {handle.encoded.path: handle for handle in handles if isinstance(handle, FilePage)}
    kinds = {path: _media(path) for path in files}
    return [
        LocalFile(files[path].page.source.partition("#page=")[0].rpartition("/")[2], path, media)
        for path, media in kinds.items()
        if media is not None and media not in WEB_IMAGES
    ]


def _stage_page(handle: PageHandle, target: Path, context: SourceContext, staged: Staged) -> None:
    try:
        path, size = _image_of(handle, target, context)
    except LimnerError as error:
        staged.skipped.append(Skipped(handle.page.name, str(error)))
    else:
        staged.pages.append(StagedPage(replace(handle.page, width=size[0], height=size[1]), path))


def _image_of(handle: PageHandle, target: Path, context: SourceContext) -> tuple[Path, tuple[int, int]]:
    """The file of a page's image, and the size of that image; raises `LimnerError`."""
    if isinstance(handle, FilePage) and (media := _media(handle.encoded.path)) in WEB_IMAGES:
        picture = decode_file(handle.encoded.path, _GLANCE, context.settings, name=handle.page.name)
        path = target.with_suffix(SUFFIXES[media])
        handle.encoded.path.rename(path)
        return path, (picture.width, picture.height)
    encoded = asyncio.run(handle.fetch(Want()))
    picture = encoded.decode(Want())
    path = target.with_suffix(".jpg")
    Image.fromarray(picture.pixels).save(path, "JPEG", quality=_QUALITY)
    return path, (picture.width, picture.height)


def _media(path: Path) -> Media | None:
    with path.open("rb") as file:
        return identify(file.read(HEAD))


def _numbered(pages: Sequence[StagedPage]) -> list[StagedPage]:
    """Pages of several files as those of one document: index, name and id are each there once."""
    names = unique_names([entry.page.name for entry in pages])
    seen: set[str] = set()
    out = []
    for index, (entry, name) in enumerate(zip(pages, names, strict=True)):
        identity = entry.page.id if entry.page.id not in seen else f"{entry.page.id}#{index + 1}"
        seen.add(identity)
        out.append(replace(entry, page=replace(entry.page, index=index, name=name, id=identity)))
    return out


def _unpacked(document: OpenedDocument, file: LocalFile, folder: Path, context: SourceContext) -> OpenedDocument:
    """The images of a zip file, unpacked. ``document`` is the same file, opened: it is known to be no bomb."""
    found, skipped, total = list[FoundFile](), list(document.skipped), 0
    with zipfile.ZipFile(file.path) as archive:
        entries = {plain_text(info.filename): info for info in archive.infolist() if not info.is_dir()}
        for number, (name, handle) in enumerate(_once(document.handles).items()):
            path = folder / f"{file.path.stem}-{number}{Path(name[-64:]).suffix.lower()}"
            try:
                total += _extract(archive, entries[name], path, handle, context)
            except LimnerError as error:
                skipped.append(Skipped(name, str(error)))
            else:
                found.append(FoundFile(name, path, source=f"{file.name}/{name}"))
            if total > context.settings.max_body_bytes:
                raise TooLargeError(f"{file.name} unpacks to more than {context.settings.max_body_bytes:,} bytes.")
    return document_of(document.id, document.title, found, context, skipped)


def _once(handles: Sequence[PageHandle]) -> dict[str, PageHandle]:
    """Each entry once, with the first of its pages."""
    out: dict[str, PageHandle] = {}
    for handle in handles:
        out.setdefault(handle.page.id.partition("#page=")[0], handle)
    return out


def _extract(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, handle: PageHandle, context: SourceContext
) -> int:
    """Unpack an entry, if its document would give it; its size in bytes."""
    asyncio.run(handle.fetch(Want()))  # raises where the entry is to be refused
    limit = context.settings.fetch_max_bytes
    if entry.file_size > limit:
        raise TooLargeError(f"{handle.page.name} unpacks to {entry.file_size:,} bytes; {limit:,} are read at most.")
    try:
        with archive.open(entry) as packed, path.open("wb") as file:
            shutil.copyfileobj(packed, file, _BLOCK)
    except Exception as error:  # whatever zipfile raises over broken or protected entries
        raise DecodeError(f"{handle.page.name} cannot be unpacked: {error}.") from error
    return entry.file_size
