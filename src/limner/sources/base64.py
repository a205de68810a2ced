"""Images given as text: ``data:`` URLs, and base64 alone."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import io
import re
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass

from limner.annotations.page import Page
from limner.core.errors import DecodeError, TooLargeError
from limner.sources.decode import EncodedBytes
from limner.sources.images.magic import HEAD, IMAGES, Media, describe, identify
from limner.sources.images.tiff import page_frames
from limner.sources.local import exists
from limner.sources.naming import numbered, with_page
from limner.sources.protocol import Encoded, OpenedDocument, SourceContext, Want

#: Fewer characters hold no image.
_SHORTEST = 32
#: Characters that are looked at to see whether this is base64 of an image: a multiple of four.
_LOOK = 64
_ALPHABET = re.compile(r"[A-Za-z0-9+/_\-\s]+=*\s*")
_SUFFIXES = {
    Media.JPEG: ".jpg",
    Media.PNG: ".png",
    Media.WEBP: ".webp",
    Media.TIFF: ".tif",
    Media.GIF: ".gif",
    Media.BMP: ".bmp",
    Media.JPEG2000: ".jp2",
    Media.AVIF: ".avif",
}


class Base64Source:
    """``data:`` URLs and bare base64 of an image."""

    name = "base64"
    priority = 10

    def accepts(self, spec: str) -> bool:
        """Whether this is a ``data:`` URL, or base64 that begins like an image and is no file's name."""
        return spec[:5].lower() == "data:" or _is_bare(spec)

    async def open(self, spec: str, context: SourceContext) -> AsyncIterator[OpenedDocument]:
        """One document of the image: one page, or as many as a TIFF has. It is known by its SHA-256."""
        yield await asyncio.to_thread(_open, spec, context)


BASE64 = Base64Source()


@dataclass(slots=True)
class _BytesPage:
    """A page that is in memory."""

    page: Page
    encoded: EncodedBytes

    async def fetch(self, want: Want) -> Encoded:  # noqa: ARG002 - it is there already
        return self.encoded


def _is_bare(spec: str) -> bool:
    head = "".join(spec[: 2 * _LOOK].split())[:_LOOK]
    if len(head) < _SHORTEST or not _ALPHABET.fullmatch(head) or exists(spec):
        return False
    return identify(_unwrapped(head[: len(head) // 4 * 4])) in IMAGES and bool(_ALPHABET.fullmatch(spec))


def _open(spec: str, context: SourceContext) -> OpenedDocument:
    limit = context.settings.fetch_max_bytes
    data = data_of(spec, limit)
    media = identify(data[:HEAD])
    if media not in _SUFFIXES:
        raise DecodeError(f"The data given as text is {describe(data[:HEAD])}, and no image that can be decoded.")
    digest = hashlib.sha256(data).hexdigest()
    name, identity = f"image-{digest[:8]}{_SUFFIXES[media]}", f"sha256:{digest}"
    frames = page_frames(io.BytesIO(data), context.settings.max_pages) if media is Media.TIFF else [0]
    source = f"{media.value} of {len(data):,} bytes given as text"
    handles = []
    for index, frame in enumerate(frames):
        number = index + 1 if len(frames) > 1 else 0
        page_name = numbered(name, number) if number else name
        page = Page(id=with_page(identity, number), name=page_name, index=index, source=source)
        handles.append(_BytesPage(page, EncodedBytes(data, context.settings, frame, name=page_name)))
    return OpenedDocument(id=identity, title=name, handles=handles)


def data_of(spec: str, limit: int) -> bytes:
    """The bytes of a ``data:`` URL or of base64, with or without padding, in either alphabet.

    Raises `DecodeError` where it is none, `TooLargeError` where it holds more than ``limit`` bytes.
    """
    if spec[:5].lower() != "data:":
        return _checked(spec, limit)
    kind, comma, content = spec[5:].partition(",")
    if not comma:
        raise DecodeError("The data: URL has no comma, and so no content.")
    if not kind.lower().replace(" ", "").endswith(";base64"):
        return urllib.parse.unquote_to_bytes(content)
    return _checked(urllib.parse.unquote(content) if "%" in content else content, limit)


def _checked(text: str, limit: int) -> bytes:
    if len(text) // 4 * 3 > 2 * limit or len(text := "".join(text.split())) // 4 * 3 > limit:
        raise TooLargeError(
            f"The data given as text has more than {limit:,} bytes.",
            hint="The setting fetch_max_bytes says how many are taken.",
        )
    try:
        return _unwrapped(text)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"The data given as text is no valid base64: {error}.") from error


def _unwrapped(text: str) -> bytes:
    """The bytes that base64 without white space stands for; raises `binascii.Error`."""
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
