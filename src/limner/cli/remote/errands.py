"""From what people name to what a server is asked to do: a job for each document, its files sent along."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from limner.annotations.annotation import Json
from limner.client import Upload
from limner.core.errors import SourceError
from limner.core.settings import Settings
from limner.sources.base64 import data_of
from limner.sources.decode import EncodedFile
from limner.sources.files import FilePage
from limner.sources.local import expand, is_image_file, is_pattern
from limner.sources.naming import plain_text
from limner.sources.net.downloader import Downloader
from limner.sources.opening import open_documents, shown, sources_for
from limner.sources.protocol import OpenedDocument, SourceContext
from limner.sources.urls import is_address, parse_list

#: Most files of one request: a server takes no more.
MOST_FILES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One job to be made: of an address, a list, a manifest, or of files that are sent."""

    title: str
    source: str | Sequence[str] | dict[str, Json] | None = None
    files: tuple[Upload, ...] = ()
    #: File or entry, and reason, of all that cannot be sent.
    skipped: tuple[tuple[str, str], ...] = ()


def packed(errand: Errand, scratch: Path) -> tuple[Upload, ...]:
    """The files to send: in a zip, made in a folder, where they are more than a request may have."""
    if len(errand.files) <= MOST_FILES:
        return errand.files
    path = scratch / "pages.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # images do not get smaller
        for upload in errand.files:
            if isinstance(upload.content, Path):
                archive.write(upload.content, upload.name)
    return (Upload(f"{errand.title}.zip", path),)


def errands(specs: Sequence[str], settings: Settings) -> list[Errand]:
    """The jobs for some sources, in their order; raises `SourceError` for one that nobody can open.

    Image files that are named one by one go together, as when this machine annotates them.
    """
    found: list[Errand] = []
    images: list[str] = []
    together_at = 0
    for spec in _expanded(specs, settings.max_pages):
        if not is_address(spec) and is_image_file(spec):
            together_at = together_at if images else len(found)
            images.append(spec)
        else:
            found += _errands(spec, settings)
    if images:
        found[together_at:together_at] = _opened(images, settings)
    return found


def _expanded(specs: Iterable[str], limit: int) -> Iterator[str]:
    for spec in specs:
        if is_pattern(spec):
            yield from expand(spec, limit)
        else:
            yield spec


def _errands(spec: str, settings: Settings) -> list[Errand]:
    """The jobs for one source that is no image file."""
    sources = sources_for(spec)
    if is_address(spec):
        return [Errand(title=shown(spec), source=spec)]
    match sources[0].name if sources else None:
        case "pdf" | "zip":
            path = Path(spec)
            return [Errand(title=plain_text(path.stem), files=(Upload(path.name, path),))]
        case "base64":
            return [Errand(title="image", files=(Upload("image", data_of(spec, settings.fetch_max_bytes)),))]
        case "iiif":
            return [Errand(title=Path(spec).name, source=_json(Path(spec)))]
        case "urls":
            listed = parse_list(Path(spec).read_text(encoding="utf-8-sig", errors="replace"), settings.max_pages)
            skipped = tuple((each.where, each.reason) for each in listed.skipped)
            return [Errand(title=Path(spec).stem, source=[url for _, url in listed.addresses], skipped=skipped)]
    return _opened([spec], settings)


def _json(path: Path) -> dict[str, Json]:
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise SourceError(f"{path} is no JSON.") from error
    if not isinstance(value, dict):
        raise SourceError(f"{path} is no manifest.")
    return value


def _opened(specs: Sequence[str], settings: Settings) -> list[Errand]:
    """The jobs for image files and folders, as the sources of this machine put them together."""
    return [_sending(document) for document in asyncio.run(_documents(specs, settings))]


async def _documents(specs: Sequence[str], settings: Settings) -> list[OpenedDocument]:
    downloader = Downloader(settings)
    try:
        return [document async for document in open_documents(specs, SourceContext(settings, downloader))]
    finally:
        downloader.close()


def _sending(document: OpenedDocument) -> Errand:
    pages = [handle for handle in document.handles if isinstance(handle, FilePage)]
    skipped = tuple((each.where, each.reason) for each in document.skipped)
    return Errand(title=document.title, files=tuple(_uploads(pages)), skipped=skipped)


def _uploads(pages: Iterable[FilePage]) -> Iterator[Upload]:
    """Each file once, though a TIFF may have many pages, under the name that its page has here."""
    for encoded, group in groupby(pages, key=lambda page: _path(page.encoded)):
        first, *more = group
        yield Upload(encoded.name if more else first.page.name, encoded)


def _path(encoded: EncodedFile) -> Path:
    return encoded.path
