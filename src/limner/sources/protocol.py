"""What a source is: something that opens into documents whose pages can be fetched and decoded.

The work is cut where the pipeline runs it in parallel: `PageHandle.fetch` waits for the network or
the disk, `Encoded.decode` uses the processor and is called in a thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from limner.annotations.annotation import Json
from limner.annotations.page import Page
from limner.core.registry import Registry

if TYPE_CHECKING:
    from limner.core.settings import Settings
    from limner.sources.net.downloader import Downloader


@dataclass(frozen=True, slots=True)
class Want:
    """What the model needs of an image, so that no more is fetched and decoded."""

    #: Length in pixels that the longer side needs to have; None for the image at full size.
    #: A source gives an image at least this long, or the original where that is smaller.
    max_side: int | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image, possibly smaller than the original."""

    #: Height × width × 3, uint8, RGB, upright.
    pixels: npt.NDArray[np.uint8]
    #: Width of the original image, pixels.
    width: int
    #: Height of the original image, pixels.
    height: int


class Encoded(Protocol):
    """An image that has arrived and waits to be decoded."""

    def decode(self, want: Want) -> Picture:
        """Decode it, in the calling thread; raises `SourceError` when that is not possible."""


class PageHandle(Protocol):
    """A page that has not been fetched yet."""

    #: The page as far as it is known; its size may be missing.
    page: Page

    async def fetch(self, want: Want) -> Encoded:
        """Get the bytes; raises `SourceError` when that is not possible."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a source that cannot be annotated."""

    #: The canvas, file or entry.
    where: str
    #: Why, in a sentence.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedDocument:
    """A document with pages that can be fetched, in order."""

    #: The manifest's URI, or the path.
    id: str
    #: What people call it.
    title: str
    #: The pages, indexed from 0 without gaps other than those in ``skipped``.
    handles: Sequence[PageHandle]
    #: Address of the licence or statement of rights.
    rights: str | None = None
    #: What else the source says of the document.
    metadata: Mapping[str, Json] = field(default_factory=dict)
    #: What had to be left out.
    skipped: Sequence[Skipped] = ()
    #: What was odd but could be mended.
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may use."""

    settings: Settings
    #: The one way to the network: guarded, polite and shared by all work in the process.
    downloader: Downloader


class Source(Protocol):
    """A kind of source."""

    #: Short name.
    name: str
    #: Sources are asked in this order; the first that accepts opens. Lower comes first.
    priority: int

    def accepts(self, spec: str) -> bool:
        """Whether this looks like one of ours; may look at the disk, never at the network."""

    def open(self, spec: str, context: SourceContext) -> AsyncIterator[OpenedDocument]:
        """The documents behind a path, pattern or address; raises `SourceError`."""


#: All kinds of sources.
SOURCES: Registry[Source] = Registry("limner.sources", "kind of source")
