"""What the first bytes of an answer are, whatever the server calls it."""

from __future__ import annotations

import html
import re
from typing import Final

#: Bytes that are looked at.
HEAD: Final = 4096

_IMAGES: Final = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"II*\x00",  # TIFF
    b"MM\x00*",
    b"II+\x00",  # BigTIFF
    b"MM\x00+",
    b"\x00\x00\x00\x0cjP  ",  # JPEG 2000
    b"\xff\x4f\xff\x51",
    b"BM",
)
_SPACE: Final = b"\xef\xbb\xbf \t\r\n\f"
# Atomic and bounded, so that no page can be made to take long.
_PAGE: Final = re.compile(
    rb"(?:<\?xml[^>]*+>\s*+|<!--(?>.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|body|script|title)\b",
    re.IGNORECASE | re.DOTALL,
)
_TITLE: Final = re.compile(rb"<title[^>]{0,100}>(.{1,400}?)</title", re.IGNORECASE | re.DOTALL)


def looks_like_image(head: bytes) -> bool:
    """Whether bytes begin as an image does."""
    riff = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return riff or head[4:8] == b"ftyp" or head.startswith(_IMAGES)


def looks_like_page(head: bytes) -> bool:
    """Whether bytes begin as a web page does."""
    return _PAGE.match(head.lstrip(_SPACE)) is not None


def looks_like_json(head: bytes) -> bool:
    """Whether bytes begin as a JSON object or array does."""
    return head.lstrip(_SPACE)[:1] in {b"{", b"["}


def page_title(head: bytes) -> str:
    """The title of a web page, at most 80 characters on one line; empty if there is none."""
    found = _TITLE.search(head)
    if found is None:
        return ""
    text = html.unescape(found[1].decode("utf-8", "replace"))
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:80]
