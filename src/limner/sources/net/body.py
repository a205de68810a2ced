"""The body of an answer, streamed to disk within limits."""

from __future__ import annotations

import asyncio
import hashlib
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import httpx

from limner.core.errors import BlockedByHostError, FetchError, SourceError, TooLargeError
from limner.sources.net.request import Kind, TransientError, shown
from limner.sources.net.sniff import HEAD, looks_like_image, looks_like_json, looks_like_page, page_title

#: A description is parsed in memory, where it takes many times its length.
DESCRIPTION_BYTES: Final = 64_000_000
#: Bytes that are unpacked at a time.
_PIECE: Final = 1 << 18
_RANGE: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")
#: Media types that no image has.
_NO_IMAGE: Final = re.compile(r"text/|application/(?!octet-stream)(.*[+])?(json|xml|pdf|zip)")
_HTML: Final = {"text/html", "application/xhtml+xml"}


class Partial:
    """A file on its way in; it outlives a broken connection, so that the next attempt can go on from there."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        #: Most bytes that it may have.
        self.limit = limit
        self.restart()

    def restart(self) -> None:
        """Throw away what has arrived."""
        self.size = 0
        #: The first bytes.
        self.head = b""
        #: The entity tag or date that says whether the rest is still of the same file.
        self.validator = ""
        #: Length of the whole file, where the server has said it of a part.
        self.expected: int | None = None
        self._hash = hashlib.sha256()
        self.path.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        """Add bytes; raises `SourceError` when the disk does not take them."""
        try:
            with self.path.open("ab") as file:
                file.write(chunk)
        except OSError as error:
            raise SourceError(f"The download cannot be written to {self.path.parent}: {error.strerror}.") from error
        self.size += len(chunk)
        self._hash.update(chunk)
        if len(self.head) < HEAD:
            self.head += chunk[: HEAD - len(self.head)]

    @property
    def sha256(self) -> str:
        """The hash of what has arrived, in hexadecimal."""
        return self._hash.hexdigest()

    @property
    def resumable(self) -> bool:
        """Whether a server can be asked for the rest."""
        return self.size > 0 and self.validator != ""


def begin(response: httpx.Response, partial: Partial) -> None:
    """Make the partial file ready for this body: go on where it broke off, or start anew."""
    if response.status_code == 206:
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None or not partial.resumable or int(found[1]) != partial.size:
            partial.restart()
            raise TransientError("the server sent a part that was not asked for")
        partial.expected = int(found[3]) if found[3] != "*" else None
    else:
        partial.restart()
    partial.validator = _validator(response)


def _validator(response: httpx.Response) -> str:
    """What ``If-Range`` takes: a strong tag or a date; nothing where parts cannot be had."""
    headers = response.headers
    if headers.get("accept-ranges") == "none" or headers.get("content-encoding", "identity") != "identity":
        return ""
    tag = str(headers.get("etag", ""))
    return tag if tag and not tag.startswith("W/") else str(headers.get("last-modified", ""))


async def receive(response: httpx.Response, kind: Kind, partial: Partial) -> None:
    """Stream the body into the file and see that it is what was asked for; raises `SourceError` or `TransientError`."""
    length = response.headers.get("content-length", "")
    if length.isdecimal():
        _check_length(response, kind, partial, int(length))
    checked = False
    async for chunk in decoded(response):
        _check_length(response, kind, partial, len(chunk))
        partial.write(chunk)
        if not checked and len(partial.head) >= HEAD:
            check_head(response, kind, partial.head)
            checked = True
    if partial.expected not in {None, partial.size}:
        raise TransientError(f"{partial.size} bytes arrived of {partial.expected}")
    if not checked:
        check_head(response, kind, partial.head)


def _check_length(response: httpx.Response, kind: Kind, partial: Partial, more: int) -> None:
    if partial.size + more > partial.limit:
        raise TooLargeError(
            f"{shown(str(response.url))} is larger than the {partial.limit} bytes that are allowed.",
            hint=None if kind is Kind.DESCRIPTION else "LIMNER_FETCH_MAX_BYTES sets the limit.",
        )


def decoded(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body with its content coding undone, in small pieces; raises `FetchError` where it is none we asked for."""
    codings = [part.strip().lower() for part in response.headers.get("content-encoding", "").split(",")]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    if not codings:
        return response.aiter_raw()
    if codings in (["gzip"], ["x-gzip"], ["deflate"]):
        return _inflate(response.aiter_raw())
    raise FetchError(
        f"{response.url.host} sent its answer packed as {', '.join(codings)[:80]}, which was not asked for."
    )


class _Unpacker:
    """Undoes gzip (of one or several members) or zlib; no piece is large, however well it was packed."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if self._stream.eof:
                self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
            piece = self._stream.decompress(chunk, _PIECE)
            while piece:
                yield piece
                piece = self._stream.decompress(self._stream.unconsumed_tail, _PIECE)
            chunk = self._stream.unused_data


async def _inflate(packed: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    unpacker = None
    try:
        async for chunk in packed:
            unpacker = unpacker or _Unpacker()
            for piece in unpacker.pieces(chunk):
                yield piece
                await asyncio.sleep(0)  # a bomb must not keep the other downloads and the time limit waiting
    except zlib.error as error:
        raise FetchError(f"The answer is said to be packed, and cannot be unpacked: {error}.") from error
    if unpacker is not None and not unpacker.complete:
        raise TransientError("the packed answer ends too early")


def check_head(response: httpx.Response, kind: Kind, head: bytes) -> None:
    """See by the first bytes that the answer is of the kind asked for; raises `FetchError`."""
    if kind is Kind.DESCRIPTION:
        _check_description(response, head)
    elif kind.is_image:
        _check_image(response, head)


def _check_description(response: httpx.Response, head: bytes) -> None:
    if looks_like_page(head) or (media_type(response) in _HTML and not looks_like_json(head)):
        raise FetchError(
            f"{shown(str(response.url))} is a web page{_titled(head)}, no IIIF description.",
            hint="Look on that page for the address of the manifest.",
        )


def _check_image(response: httpx.Response, head: bytes) -> None:
    where, kind = shown(str(response.url)), media_type(response)
    if not head:
        raise FetchError(f"{where} is empty.")
    if looks_like_image(head):
        return
    if looks_like_page(head) or kind in _HTML:
        raise BlockedByHostError(
            f"{response.url.host} sent a web page{_titled(head)} with status {response.status_code} in place of the "
            f"image {where}: it is probably blocking us.",
            hint="Wait, or raise its delay in LIMNER_HOST_DELAYS.",
        )
    if _NO_IMAGE.match(kind):
        raise FetchError(f"{where} is {kind}, no image.")


def _titled(head: bytes) -> str:
    title = page_title(head)
    return f" (“{title}”)" if title else ""


def media_type(response: httpx.Response) -> str:
    """The media type without parameters, in lower case; empty if the server said nothing."""
    text = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return "".join(letter for letter in text if letter.isprintable())[:100]
