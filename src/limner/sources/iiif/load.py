"""Documents of any kind: fetched or read, parsed, and collections followed to their members."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from limner.annotations.annotation import Json
from limner.core.errors import FetchError, NotIIIFError, SourceError, StatusError, TooLargeError
from limner.sources.iiif.image_api import ImageService, is_info, parse_info
from limner.sources.iiif.jsonld import canonical_url, parse_json
from limner.sources.iiif.origin import Origin
from limner.sources.iiif.presentation import Collection, Manifest, Member, read_presentation
from limner.sources.net.downloader import Kind
from limner.sources.protocol import SourceContext

#: How deep collections inside collections are followed.
_NESTED = 8


@dataclass(frozen=True, slots=True)
class Missing:
    """A member of a collection that could not be had."""

    #: Its address.
    id: str
    #: What the collection calls it.
    title: str
    #: Why.
    reason: str


#: What one file holds.
Content: TypeAlias = Manifest | Collection | ImageService


@dataclass(frozen=True, slots=True)
class Loaded:
    """A document, and where it was found."""

    content: Content
    origin: Origin


def is_url(spec: str) -> bool:
    """Whether this is an address on the web."""
    return spec[:8].lower().startswith(("http://", "https://"))


async def load(spec: str, context: SourceContext) -> Loaded:
    """Read what is behind a path or address; raises `NotIIIFError` or another `SourceError`."""
    if is_url(spec):
        url = canonical_url(spec)
        return Loaded(read(await fetch_json(url, context), url), Origin(url))
    path = Path(spec)
    value = parse_json(await asyncio.to_thread(_file_bytes, path, context.settings.fetch_max_bytes), str(path))
    return Loaded(read(value, str(path)), Origin(str(path), path.parent))


async def fetch_json(url: str, context: SourceContext) -> Json:
    """The JSON behind an address; raises `NotIIIFError` when it is none, or another `SourceError`."""
    download = await context.downloader.fetch(url, Kind.DESCRIPTION)
    return parse_json(await asyncio.to_thread(download.path.read_bytes), url)


def read(value: Json, name: str) -> Content:
    """A manifest, a collection or the description of an image; raises `NotIIIFError`."""
    return parse_info(value, name) if is_info(value) else read_presentation(value, name)


async def walk(
    loaded: Loaded, context: SourceContext, *, most: int | None = None, patient: bool = True
) -> AsyncGenerator[Loaded | Missing]:
    """A document, and when it is a collection everything in it, in order and one after another.

    A member that cannot be had comes as `Missing` and the rest goes on. ``most`` is how many members
    to read at most; an impatient walk asks a host that did not answer for nothing more.
    """
    async for found in _Walk(context, most, patient).follow(loaded, _NESTED):
        yield found


class _Walk:
    def __init__(self, context: SourceContext, most: int | None, patient: bool) -> None:
        self._context = context
        self._most = most
        self._patient = patient
        self._seen: set[str] = set()
        self._silent: set[str] = set()

    async def follow(self, loaded: Loaded, depth: int) -> AsyncGenerator[Loaded | Missing]:
        yield loaded
        if not isinstance(loaded.content, Collection):
            return
        self._seen.add(loaded.content.id)
        for position, member in enumerate(loaded.content.members):
            if self._most is not None and len(self._seen) > self._most:
                left = len(loaded.content.members) - position
                yield Missing(loaded.content.id, loaded.content.title, f"{left} more members were not looked at.")
                return
            async for found in self._member(member, loaded, depth):
                yield found

    async def _member(self, member: Member, parent: Loaded, depth: int) -> AsyncGenerator[Loaded | Missing]:
        if member.id in self._seen:
            reason = "It stands in the collection more than once, or contains itself, and is read only once."
            yield Missing(member.id, member.label, reason)
            return
        if depth <= 0:
            yield Missing(member.id, member.label, f"It is inside more than {_NESTED} collections.")
            return
        self._seen.add(member.id or str(len(self._seen)))
        outcome = await self._load(member, parent)
        if isinstance(outcome, Missing):
            yield outcome
            return
        async for found in self.follow(outcome, depth - 1):
            yield found

    async def _load(self, member: Member, parent: Loaded) -> Loaded | Missing:
        try:
            if member.embedded is not None:
                return Loaded(read(member.embedded, parent.origin.name), parent.origin)
            location = str(parent.origin.locate(member.id))
            if self._host(location) in self._silent:
                return Missing(member.id, member.label, "It was not tried, for its host did not answer before.")
            return await load(location, self._context)
        except SourceError as error:
            if not self._patient and _is_silence(error):
                self._silent.add(self._host(str(parent.origin.locate(member.id))))
            return Missing(member.id, member.label, str(error))

    @staticmethod
    def _host(location: str) -> str:
        return urlsplit(location).netloc if is_url(location) else location


def _is_silence(error: SourceError) -> bool:
    """Whether a host did not answer at all."""
    return isinstance(error, FetchError) and not isinstance(error, StatusError)


def _file_bytes(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise TooLargeError(
                f"{path} is larger than {most} bytes.", hint="The setting fetch_max_bytes sets the limit."
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise NotIIIFError(f"{path} cannot be read ({error}).") from error
