"""Pages as readers make them: named, numbered and sized from what files say and images show."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from limner.annotations.formats.protocol import ParseContext
from limner.annotations.page import Page

#: The end of a IIIF image request: region, size, rotation, quality and format.
_IMAGE_REQUEST = re.compile(r"/[^/]+/[^/]+/!?[\d.]+/[a-z]+\.(?P<suffix>[a-z0-9]+)$")


@dataclass(slots=True)
class PageMaker:
    """Makes the pages of one import, with ids and names that come out unique."""

    context: ParseContext
    _ids: set[str] = field(default_factory=set)
    _names: set[str] = field(default_factory=set)

    def add(self, page: Page) -> Page:
        """The page, at the size of its image where it says none itself."""
        width, height = (page.width, page.height) if page.sized else self.context.size_of(page.name) or (0, 0)
        return replace(
            page, id=_unique(page.id, self._ids), name=_unique(page.name, self._names), width=width, height=height
        )

    def add_scaled(self, page: Page) -> tuple[Page, float, float]:
        """The page at the size of its image, and how many pixels of it the page's own units are.

        Files may be made from a copy of another resolution; where the image is not at hand, what
        the file says is its size.
        """
        width, height = self.context.size_of(page.name) or (page.width, page.height)
        factors = (width / page.width, height / page.height) if page.sized else (1.0, 1.0)
        return self.add(replace(page, width=width, height=height)), *factors


def file_name(path: str) -> str:
    """The last part of a path of any system; empty where there is none."""
    return path.replace("\\", "/").rpartition("/")[2].strip()


def name_from_url(url: str) -> str:
    """A file name for what a URL names; for a IIIF image request, its identifier's name."""
    path = urlsplit(url).path.rstrip("/") or url
    request = _IMAGE_REQUEST.search(path)
    if request:
        identifier = PurePosixPath(unquote(file_name(path[: request.start()]))).name
        return identifier if PurePosixPath(identifier).suffix else f"{identifier}.{request['suffix']}"
    return unquote(file_name(path.removesuffix("/info.json"))) or "page"


def _unique(text: str, taken: set[str]) -> str:
    """The text, with a number before its suffix where it is taken."""
    stem, dot, suffix = text.rpartition(".")
    candidate, number = text, 1
    while candidate in taken:
        number += 1
        candidate = f"{stem}-{number}.{suffix}" if dot and stem else f"{text}-{number}"
    taken.add(candidate)
    return candidate
