"""Addresses: of an image, a PDF, a zip file or a TIFF, and lists of such."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from limner.annotations.page import Page
from limner.core.errors import SourceError
from limner.core.settings import Settings
from limner.sources.decode import EncodedFile
from limner.sources.files import FoundFile, document_of
from limner.sources.images.magic import HEAD, IMAGES, Media, describe, identify
from limner.sources.local import SUFFIXES, head_of, is_file, media_of, too_many
from limner.sources.naming import plain_text, unique_names
from limner.sources.net.downloader import Downloader
from limner.sources.net.request import Download, Kind, shown
from limner.sources.opening import sources_for, unopened
from limner.sources.pdf import open_pdf
from limner.sources.protocol import SOURCES, Encoded, OpenedDocument, Skipped, SourceContext, Want
from limner.sources.zip import open_zip

_LISTS = frozenset({".txt", ".lst"})
_TIFFS = frozenset({".tif", ".tiff"})
#: Addresses with these suffixes are documents of their own when they stand in a list.
_DOCUMENTS = frozenset({".pdf", ".zip", ".cbz"})
#: Longest list that is read, bytes.
_LONGEST_LIST = 50_000_000


class UrlSource:
    """An http(s) address, or a file with addresses."""

    name = "urls"
    priority = 70

    def accepts(self, spec: str) -> bool:
        """Whether this is an http(s) address, or a list: ``.txt``, ``.lst``, or JSON that maps names to addresses."""
        if is_address(spec):
            return True
        suffix = Path(spec[-64:]).suffix.lower()
        return is_file(spec) and (suffix in _LISTS or (suffix == ".json" and _is_list_file(spec)))

    async def open(self, spec: str, context: SourceContext) -> AsyncIterator[OpenedDocument]:
        """The documents: one of all images in a list, then one for each PDF, zip file or manifest in it."""
        if is_address(spec):
            documents = _open_address(spec, context, may_be_list=True)
        else:
            text = await asyncio.to_thread(_read_list, Path(spec))
            documents = _open_list(plain_text(spec), parse_list(text, context.settings.max_pages), context)
        async for document in documents:
            yield document


URLS = UrlSource()


@dataclass(slots=True)
class _UrlPage:
    """A page behind an address."""

    page: Page
    url: str
    downloader: Downloader
    settings: Settings

    async def fetch(self, want: Want) -> Encoded:  # noqa: ARG002 - there is one size behind a plain address
        download = await self.downloader.fetch(self.url, Kind.FULL_IMAGE)
        return EncodedFile(download.path, self.settings, name=self.page.name, keep=download)


@dataclass(slots=True)
class AddressList:
    """The addresses in a list."""

    #: Name or None, and address.
    addresses: list[tuple[str | None, str]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def is_address(text: str) -> bool:
    """Whether this is an http(s) address with a host."""
    if not text[:8].lower().startswith(("http://", "https://")):
        return False
    try:
        return bool(urllib.parse.urlsplit(text).hostname)
    except ValueError:  # brackets that are not those of an IPv6 address
        return False


def parse_list(text: str, limit: int) -> AddressList:
    """The addresses in a text: one a line, or JSON as a list or as a map from names; `#` begins a comment.

    Lines that are no addresses and addresses that were there before are reported. Raises `SourceError` where
    there is no address at all, `TooLargeError` where there are more than ``limit``.
    """
    out, seen = AddressList(), set[str]()
    for where, name, url in _entries(text):
        if not is_address(url):
            out.skipped.append(Skipped(where, f"no http(s) address: {plain_text(url[:80])}"))
        elif (name or url) in seen:
            out.skipped.append(Skipped(where, f"it is there twice: {plain_text(url)}"))
        else:
            out.addresses.append((name, url))
            seen.add(name or url)
        if len(out.addresses) > limit:
            raise too_many("The list of addresses", limit)
    if not out.addresses:
        raise SourceError("The list holds no http(s) address.", hint="Write one a line.")
    return out


def _entries(text: str) -> Sequence[tuple[str, str | None, str]]:
    """Place, name and address of each entry of a list."""
    pairs = _json_pairs(text)
    if pairs is not None:
        return [(name or f"entry {number}", name, url) for number, (name, url) in enumerate(pairs, 1)]
    lines = enumerate((line.strip() for line in text.splitlines()), 1)
    return [(f"line {number}", None, line) for number, line in lines if line and not line.startswith("#")]


def _json_pairs(text: str) -> list[tuple[str | None, str]] | None:
    """Name and address of each entry, where the text is JSON with text in it and nothing else."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    values = list(found.values()) if isinstance(found, Mapping) else found
    if not all(isinstance(value, str) for value in values):
        return None
    return [*found.items()] if isinstance(found, Mapping) else [(None, value) for value in values]


def _is_list_file(spec: str) -> bool:
    if media_of(spec) is not Media.JSON:
        return False
    try:
        pairs = _json_pairs(_read_list(Path(spec)))
    except SourceError:
        return False
    return bool(pairs) and any(is_address(url) for _, url in pairs or ())


def _read_list(path: Path, name: str | None = None) -> str:
    name = name or plain_text(path.name)
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST_LIST + 1)
        if len(data) > _LONGEST_LIST:
            raise SourceError(f"{name} is no list of addresses: it is longer than {_LONGEST_LIST:,} bytes.")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{name} is no list of addresses: it is no UTF-8 text.") from error


async def _open_list(identity: str, found: AddressList, context: SourceContext) -> AsyncIterator[OpenedDocument]:
    """The images in one document, and then each other document; one that cannot be opened says why."""
    kinds = await asyncio.to_thread(lambda: [_is_document(url) for _, url in found.addresses])
    images = [entry for entry, other in zip(found.addresses, kinds, strict=True) if not other]
    if images or found.skipped:
        yield _document_of_images(identity, images, found.skipped, context)
    for (_, url), other in zip(found.addresses, kinds, strict=True):
        if other:
            try:
                async for document in _open_entry(url, context):
                    yield document
            except SourceError as error:
                yield unopened(url, error)


def _is_document(url: str) -> bool:
    suffix = _suffix(url)
    return suffix in _DOCUMENTS or (suffix not in SUFFIXES and sources_for(url)[0].name != URLS.name)


def _open_entry(url: str, context: SourceContext) -> AsyncIterator[OpenedDocument]:
    first = sources_for(url)[0]
    # A list in a list could go on for ever, so what is ours is opened as anything but a list.
    return _open_address(url, context, may_be_list=False) if first.name == URLS.name else first.open(url, context)


def _document_of_images(
    identity: str, entries: Sequence[tuple[str | None, str]], skipped: Sequence[Skipped], context: SourceContext
) -> OpenedDocument:
    names = unique_names([_name(name, url) for name, url in entries])
    handles = [
        _UrlPage(
            Page(
                id=plain_text(key or url), name=name, index=index, source=plain_text(url), label=key and plain_text(key)
            ),
            url,
            context.downloader,
            context.settings,
        )
        for index, (name, (key, url)) in enumerate(zip(names, entries, strict=True))
    ]
    tiffs = sum(_suffix(url) in _TIFFS for _, url in entries)
    problems = [f"{tiffs} addresses are TIFFs: in a list, only the first page of each is read."] if tiffs else []
    title = _title(identity)
    return OpenedDocument(id=identity, title=title, handles=handles, skipped=skipped, problems=problems)


def _name(key: str | None, url: str) -> str:
    """What a page is called: its name in the list, or the address without what stands before the host."""
    parts = urllib.parse.urlsplit(url)
    path = key or f"{parts.netloc}/{urllib.parse.unquote(parts.path).strip('/')}"
    if PurePosixPath(path).suffix.lower() in SUFFIXES:
        return path
    return path + (_suffix(url) if _suffix(url) in SUFFIXES else ".jpg")


def _suffix(url: str) -> str:
    return PurePosixPath(urllib.parse.urlsplit(url).path).suffix.lower()


def _title(identity: str) -> str:
    path = urllib.parse.unquote(urllib.parse.urlsplit(identity).path) if is_address(identity) else identity
    return plain_text(PurePosixPath(path).stem or identity)


async def _open_address(url: str, context: SourceContext, *, may_be_list: bool) -> AsyncIterator[OpenedDocument]:
    if _suffix(url) in SUFFIXES - _TIFFS:  # fetched when it is wanted
        yield _document_of_images(url, [(None, url)], (), context)
        return
    download = await context.downloader.fetch(url, Kind.FILE)
    head = await asyncio.to_thread(head_of, str(download.path))
    media = identify(head)
    if may_be_list and media in (Media.TEXT, Media.JSON):
        async for document in _open_text(url, download, media, context):
            yield document
        return
    yield await asyncio.to_thread(_open_download, url, download, head, context)


async def _open_text(
    url: str, download: Download, media: Media, context: SourceContext
) -> AsyncIterator[OpenedDocument]:
    """A list of addresses, or else IIIF: that says so if it is none."""
    text = await asyncio.to_thread(_read_list, download.path, url)
    if media is Media.JSON and _json_pairs(text) is None:
        documents = SOURCES.get("iiif").open(url, context)
    else:
        documents = _open_list(url, parse_list(text, context.settings.max_pages), context)
    async for document in documents:
        yield document


def _open_download(url: str, download: Download, head: bytes, context: SourceContext) -> OpenedDocument:
    media, title = identify(head[:HEAD]), _title(url)
    if media is Media.PDF:
        return open_pdf(download.path, url, title, context, keep=download)
    if media is Media.ZIP:
        return open_zip(download.path, url, title, context, keep=download)
    if media in IMAGES:
        key = PurePosixPath(_name(None, url)).name
        return document_of(url, title, [FoundFile(key, download.path, source=url, keep=download)], context)
    raise SourceError(
        f"{shown(url)} is {describe(head)}.",
        hint="An address has to lead to an image, a PDF, a zip file, a list of addresses or a IIIF document.",
    )
