"""Image files, folders of them, and patterns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from limner.annotations.page import Page
from limner.core.errors import SourceError
from limner.sources.decode import EncodedFile
from limner.sources.images.magic import HEAD, Media, identify
from limner.sources.images.tiff import page_frames
from limner.sources.local import SUFFIXES, expand, is_file, is_folder, is_image_file, is_pattern, too_many
from limner.sources.naming import is_hidden, natural_key, numbered, plain_text, unique_names, with_page
from limner.sources.protocol import OpenedDocument, Skipped, SourceContext, Want

#: Files that somebody may expect to be annotated with a folder, and why they are not.
PASSED_OVER = {
    **dict.fromkeys((".pdf", ".zip", ".cbz"), "it is a document of its own: give it by its name or with a pattern"),
    **dict.fromkeys((".heic", ".heif", ".jxl", ".psd", ".svg", ".djvu", ".dng"), "images of this kind are not decoded"),
}
_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
#: The folder that marks another one as the output of a run; its overlays and crops are no sources.
_RECORD = ".limner"


@dataclass(slots=True)
class FilePage:
    """A page that lies in a file on this machine."""

    page: Page
    encoded: EncodedFile

    async def fetch(self, want: Want) -> EncodedFile:  # noqa: ARG002 - a file is read whole or not at all
        """The file: it is read when it is decoded."""
        return self.encoded


@dataclass(frozen=True, slots=True)
class FoundFile:
    """An image file, and what it is called in its document."""

    #: Path inside the document, with forward slashes.
    key: str
    path: Path
    #: Where it comes from, if not from that path.
    source: str | None = None
    #: What keeps the file on disk, if anything has to.
    keep: object = None


@dataclass(slots=True)
class _Listing:
    """What is in a folder."""

    images: list[FoundFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


class FileSource:
    """Image files, folders and patterns on this machine."""

    name = "files"
    priority = 60

    def accepts(self, spec: str) -> bool:
        """Whether this is an image, a folder, or a pattern."""
        return spec != "-" and (is_folder(spec) or is_image_file(spec) or is_pattern(spec))

    async def open(self, spec: str, context: SourceContext) -> AsyncIterator[OpenedDocument]:
        """One document of the images that are named, and one for each folder, with its subfolders."""
        paths = await asyncio.to_thread(expand, spec, context.settings.max_pages) if is_pattern(spec) else [spec]
        images = [path for path in paths if is_image_file(path)]
        folders = [path for path in paths if is_folder(path)]
        if not images and not folders:
            raise SourceError(f"No image fits the pattern {plain_text(spec)}.")
        if images:
            yield await open_together(images, context)
        for folder in folders:
            yield await asyncio.to_thread(_open_folder, folder, context)


FILES = FileSource()


async def open_together(specs: Sequence[str], context: SourceContext) -> OpenedDocument:
    """One document of some image files, in the order given."""
    return await asyncio.to_thread(_open_together, specs, context)


def document_of(
    identity: str,
    title: str,
    files: Iterable[FoundFile],
    context: SourceContext,
    skipped: Sequence[Skipped] = (),
) -> OpenedDocument:
    """The document of some image files; a TIFF gives as many pages as it has.

    Raises `TooLargeError` where there are more pages than `Settings.max_pages`.
    """
    most = context.settings.max_pages
    found = list(islice(_frames(files, most), most + 1))
    if len(found) > most:
        raise too_many(identity, most)
    names = unique_names([numbered(file.key, number) if number else file.key for file, _, number in found])
    handles = [
        FilePage(
            Page(
                id=with_page(file.key, number),
                name=name,
                index=index,
                source=with_page(file.source or plain_text(file.path.as_posix()), number),
            ),
            EncodedFile(file.path, context.settings, frame, name=file.key, keep=file.keep),
        )
        for index, ((file, frame, number), name) in enumerate(zip(found, names, strict=True))
    ]
    return OpenedDocument(id=identity, title=title, handles=handles, skipped=skipped)


def _frames(files: Iterable[FoundFile], limit: int) -> Iterator[tuple[FoundFile, int, int]]:
    """Each page of each file: its position in the file, and its number from 1 (0 where it is the only one)."""
    for file in files:
        frames = _tiff_frames(file.path, limit)
        for number, frame in enumerate(frames, 1):
            yield file, frame, number if len(frames) > 1 else 0


def _tiff_frames(path: Path, limit: int) -> list[int]:
    if path.suffix.lower() in SUFFIXES - _TIFF_SUFFIXES:
        return [0]  # not worth opening thousands of files for
    try:
        with path.open("rb") as file:
            if identify(file.read(HEAD)) is not Media.TIFF:
                return [0]
            file.seek(0)
            return page_frames(file, limit)
    except OSError:
        return [0]  # decoding it will say what is wrong


def _open_together(specs: Sequence[str], context: SourceContext) -> OpenedDocument:
    paths = [Path(os.path.normpath(spec)) for spec in specs]
    if len(paths) == 1:
        name = plain_text(paths[0].name)
        return document_of(plain_text(paths[0].as_posix()), Path(name).stem, [FoundFile(name, paths[0])], context)
    folder = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    # The same file twice would be two pages of one id.
    keys = dict.fromkeys((plain_text(path.absolute().relative_to(folder).as_posix()), path) for path in paths)
    shown = folder if any(path.is_absolute() for path in paths) else Path(os.path.relpath(folder))
    identity = plain_text(shown.as_posix())
    return document_of(identity, _title(folder), [FoundFile(key, path) for key, path in keys], context)


def _open_folder(spec: str, context: SourceContext) -> OpenedDocument:
    listing = _list_folder(Path(spec), context.settings.max_pages)
    identity = plain_text(Path(spec).as_posix())
    if not listing.images:
        seen = f" {listing.skipped[0].where} was passed over: {listing.skipped[0].reason}." if listing.skipped else ""
        raise SourceError(
            f"There are no images in the folder {identity}.{seen}", hint=f"Looked for {', '.join(sorted(SUFFIXES))}."
        )
    return document_of(identity, _title(Path(spec)), listing.images, context, listing.skipped)


def _title(folder: Path) -> str:
    return plain_text(folder.resolve().name) or "images"


def _list_folder(root: Path, limit: int) -> _Listing:
    """All images below a folder, in natural order of their paths; links to folders are not followed."""
    listing = _Listing()
    for folder, folders, names in os.walk(root, onerror=lambda error: _unreadable(root, error, listing)):
        here = Path(folder)
        folders[:] = [name for name in folders if not is_hidden(name) and _enters(here / name, root, listing)]
        for name in names:
            if not is_hidden(name):
                _sort_in(listing, here / name, _key(here / name, root))
        if len(listing.images) > limit:
            raise too_many(str(root), limit)
    listing.images.sort(key=lambda file: natural_key(file.key))
    return listing


def _key(path: Path, root: Path) -> str:
    return plain_text(path.relative_to(root).as_posix())


def _unreadable(root: Path, error: OSError, listing: _Listing) -> None:
    where = Path(error.filename or root)
    if where == root:
        raise SourceError(f"The folder {plain_text(str(root))} cannot be read: {error.strerror or error}.") from error
    listing.skipped.append(Skipped(_key(where, root), f"the folder cannot be read: {error.strerror or error}"))


def _enters(folder: Path, root: Path, listing: _Listing) -> bool:
    """Whether to look into a subfolder; says why not."""
    if folder.is_symlink():
        reason = "links to folders are not followed"
    elif is_folder(str(folder / _RECORD)):
        reason = "the folder is the output of a run"
    else:
        return True
    listing.skipped.append(Skipped(_key(folder, root), reason))
    return False


def _sort_in(listing: _Listing, path: Path, key: str) -> None:
    """Take a file for an image, or say why not; what is nothing like an image is not worth a word."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES and is_file(str(path)):
        listing.images.append(FoundFile(key, path))
    elif suffix in SUFFIXES:
        listing.skipped.append(Skipped(key, "it is no file, or a link that leads nowhere"))
    elif suffix in PASSED_OVER:
        listing.skipped.append(Skipped(key, PASSED_OVER[suffix]))
