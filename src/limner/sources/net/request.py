"""What is asked of the network and what comes back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

#: Longest address to put into a message, characters.
_SHOWN = 200


class Kind(StrEnum):
    """What is expected behind an address."""

    #: An image at its full size: a host's delay lies between the starts of two of these.
    FULL_IMAGE = "full image"
    #: An image at a smaller size, or a region of one.
    IMAGE = "image"
    #: A manifest, a collection or an ``info.json``.
    DESCRIPTION = "description"
    #: A PDF, a zip, a list: anything else.
    FILE = "file"

    @property
    def is_image(self) -> bool:
        """Whether the bytes must be those of an image."""
        return self in {Kind.FULL_IMAGE, Kind.IMAGE}


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Download:
    """A file that has arrived; it stays on disk as long as this object and its downloader live."""

    #: The file; keep the `Download` as long as you use it.
    path: Path
    #: Where it came from, after redirects.
    url: str
    #: What the server called it, in lower case and without parameters; empty if it said nothing.
    media_type: str
    #: Length in bytes, after content decoding.
    size: int
    #: Whether it came from the cache (perhaps after asking the server if it is still the same).
    from_cache: bool


class TransientError(Exception):
    """An attempt failed for a reason that may pass; never leaves this package."""

    def __init__(
        self, reason: str, *, status: int = 0, pause: str = "", wait: float = 0.0, unreached: Hashable = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        #: The HTTP status, if there was one.
        self.status = status
        #: The host that wants to be left alone meanwhile, if any.
        self.pause = pause
        #: Seconds that it asked for.
        self.wait = wait
        #: The origin that no connection could be made to, if that was it.
        self.unreached = unreached


def shown(url: str) -> str:
    """An address for messages and logs: no credentials, no query, no control characters, not endless."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + ("?…" if parts.query else "")
    text = "".join(letter for letter in text if letter.isprintable())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
