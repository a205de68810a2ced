"""The images that somebody sends: files, text and addresses become pages that can be fetched and decoded.

They come from the network, so nothing here ever takes a text for a path on this machine's disk.
"""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO, TypeAlias

from limner.annotations.page import Page
from limner.core.errors import SourceError, UsageError
from limner.core.settings import Settings
from limner.sources.base64 import data_of
from limner.sources.decode import decode_frame
from limner.sources.images.magic import HEAD, Media, identify
from limner.sources.images.tiff import page_frames
from limner.sources.naming import numbered, unique_names
from limner.sources.opening import open_documents
from limner.sources.protocol import PageHandle, Picture, SourceContext, Want
from limner.sources.urls import is_address

#: More pages than this are a job.
MOST_PAGES = 100

#: Decodes an image, in the calling thread.
Decode: TypeAlias = Callable[[Want], Picture]


@dataclass(frozen=True, slots=True)
class ImageInput:
    """An image: an open file that can be sought in, or text (an http(s) address, a ``data:`` URL, base64)."""

    content: BinaryIO | str
    #: File name, if it has one.
    name: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A page that can be had."""

    page: Page
    #: Gets the bytes, and gives what decodes them.
    fetch: Callable[[Want], Awaitable[Decode]]
    #: Whether it comes from the network.
    remote: bool


async def candidates(images: Sequence[ImageInput], context: SourceContext) -> list[Candidate]:
    """The pages of some images, in their order; a TIFF may have several, and an address too.

    Raises `UsageError` where there are none or too many, and `SourceError` where one cannot be opened.
    """
    if not images:
        raise UsageError("There is no image.", hint="Send files as `file`, or JSON with `image`.")
    _check_count(len(images))
    parts = await asyncio.gather(*(_opened(image, context) for image in images))
    found = [candidate for part in parts for candidate in part]
    _check_count(len(found))
    return _told_apart(found)


def _check_count(count: int) -> None:
    if count > MOST_PAGES:
        raise UsageError(f"{count} pages are too many to wait for; the most is {MOST_PAGES}.", hint="Make a job.")


async def _opened(image: ImageInput, context: SourceContext) -> Sequence[Candidate]:
    if not isinstance(image.content, str):
        return await _of_file(image.content, image.name, context.settings)
    text = image.content.strip()
    if is_address(text):
        return await _of_address(text, context)
    if "://" in text[:20]:
        raise UsageError(f"{text[:80]!r} is no address that is fetched.", hint="It has to begin with http or https.")
    data = await asyncio.to_thread(data_of, text, context.settings.fetch_max_bytes)
    return await _of_file(io.BytesIO(data), image.name, context.settings)


async def _of_file(file: BinaryIO, name: str, settings: Settings) -> Sequence[Candidate]:
    """The pages of a file: one, or as many as a TIFF has."""
    name = name or "image"
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    if identify(head) is not Media.TIFF:
        return [_of_frame(file, 0, name, settings)]
    frames = await asyncio.to_thread(page_frames, file, settings.max_pages)
    file.seek(0)
    if len(frames) == 1:
        return [_of_frame(file, frames[0], name, settings)]
    _check_count(len(frames))
    # Threads would get into each other's way in one file.
    data = await asyncio.to_thread(file.read)
    return [_of_frame(io.BytesIO(data), frame, numbered(name, n), settings) for n, frame in enumerate(frames, 1)]


def _of_frame(file: BinaryIO, frame: int, name: str, settings: Settings) -> Candidate:
    decode = partial(decode_frame, file, frame, settings=settings, name=name)

    async def fetch(_: Want) -> Decode:
        return decode

    return Candidate(Page(id=name, name=name, index=0), fetch, remote=False)


async def _of_address(address: str, context: SourceContext) -> Sequence[Candidate]:
    """The pages behind an address: an image, or what IIIF describes."""
    handles: list[PageHandle] = []
    async for document in open_documents([address], context):
        handles += document.handles
        _check_count(len(handles))
    if not handles:
        raise SourceError(f"There is no image at {address[:200]}.")
    return [Candidate(handle.page, partial(_fetch, handle), remote=True) for handle in handles]


async def _fetch(handle: PageHandle, want: Want) -> Decode:
    return (await handle.fetch(want)).decode


def _told_apart(found: Sequence[Candidate]) -> list[Candidate]:
    """The candidates as pages of one document: numbered, no name and no id twice."""
    names = unique_names([candidate.page.name for candidate in found])
    ids = Counter(candidate.page.id for candidate in found)
    return [
        replace(
            candidate,
            page=replace(
                candidate.page, index=index, name=name, id=candidate.page.id if ids[candidate.page.id] == 1 else name
            ),
        )
        for index, (candidate, name) in enumerate(zip(found, names, strict=True))
    ]
