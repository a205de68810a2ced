"""File names made from the names of pages, and the other way round."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable

from limner.annotations.page import Page

#: Suffixes that images come with, the likeliest first.
_SUFFIXES = ("jpg", "jpeg", "png", "tif", "tiff", "webp", "jp2", "gif", "bmp")
_ANY_SUFFIX = frozenset(_SUFFIXES) | frozenset(suffix.upper() for suffix in _SUFFIXES)
#: What some file system does not take in a name: control characters, separators, wildcards, half characters.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]+')
#: Names of devices on Windows, which no file can have, whatever its suffix.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
#: What `page_stem` adds to stems; one that ends so by itself would be taken for another.
_ADDED = re.compile(rf"(_({'|'.join(sorted(_ANY_SUFFIX))})|-[0-9a-f]{{10}})\Z")
#: File systems take names of 255 bytes; this leaves room for what is added.
_MOST_BYTES = 180


def page_stem(page: Page) -> str:
    """The file name that belongs to a page, without folder and suffix, another one for each name.

    ``0001.jpg`` gives ``0001``, ``0001.png`` gives ``0001_png``; a name that cannot stand as it is gets a
    part of its SHA-256 added. Depends on the page's name alone. Names that differ only in
    capitals are kept apart only where the file system does that.
    """
    stem, suffix = _split(page.name)
    safe = _safe(stem)
    if f"{safe}.{suffix}" == page.name and unicodedata.is_normalized("NFC", safe):
        if suffix == "jpg" and not _ADDED.search(safe):
            return safe
        if suffix in _ANY_SUFFIX and suffix != "jpg":
            return f"{safe}_{suffix}"
    return f"{safe}-{_digest(page.name)}"


class Stems:
    """Gives pages the stems of their images: data sets pair labels with images by it.

    A stem that an earlier page has, in whatever capitals, gets a part of the name's SHA-256
    added. Keeps one short text a page.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, page: Page) -> str:
        """The stem; to be asked for once a page."""
        stem, _ = _split(page.name)
        safe = _safe(stem)
        if safe != stem or _same(safe) in self._taken:
            safe = f"{safe}-{_digest(page.name)}"
        self._taken.add(_same(safe))
        return safe


def image_name(stem: str, size_of: Callable[[str], tuple[int, int] | None]) -> tuple[str, tuple[int, int] | None]:
    """Name and size of the image that a file belongs to which has its stem, as far as they can be known."""
    for suffix in (*_SUFFIXES, *map(str.upper, _SUFFIXES)):
        if size := size_of(f"{stem}.{suffix}"):
            return f"{stem}.{suffix}", size
    return f"{stem}.jpg", size_of(stem)


def _split(name: str) -> tuple[str, str]:
    """File name without folder and suffix, and the suffix without its dot."""
    last = name.replace("\\", "/").rpartition("/")[2]
    stem, dot, suffix = last.rpartition(".")
    return (stem, suffix) if dot and stem else (last, "")


def _safe(stem: str) -> str:
    """The stem as every file system takes it, if need be changed."""
    plain = _UNSAFE.sub("_", stem)
    safe = plain.encode()[:_MOST_BYTES].decode(errors="ignore").strip(" .") or "page"
    return f"_{safe}" if _DEVICE.fullmatch(safe) else safe


def _same(stem: str) -> str:
    """Equal for stems that some file system takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
