"""What some bytes are, by their beginning: never by a file's name or a server's word."""

from __future__ import annotations

import re
from enum import StrEnum

#: How many bytes `identify` and `describe` need to see of a longer file.
HEAD = 2048


class Media(StrEnum):
    """Kinds of content that can be told apart; the value is its name in messages."""

    JPEG = "a JPEG"
    PNG = "a PNG"
    WEBP = "a WebP"
    TIFF = "a TIFF"
    GIF = "a GIF"
    BMP = "a BMP"
    JPEG2000 = "a JPEG 2000"
    AVIF = "an AVIF"
    HEIC = "a HEIC image"
    JXL = "a JPEG XL image"
    PSD = "a Photoshop document"
    DJVU = "a DjVu document"
    POSTSCRIPT = "a PostScript document"
    SVG = "an SVG drawing"
    PDF = "a PDF"
    ZIP = "a zip file"
    ARCHIVE = "an archive of another kind than zip"
    VIDEO = "a video"
    HTML = "a web page (HTML)"
    XML = "an XML file"
    JSON = "a JSON file"
    TEXT = "a text file"
    EMPTY = "empty"


#: The kinds that can be decoded (AVIF and JPEG 2000 where the installed Pillow has them).
IMAGES = frozenset(
    {Media.JPEG, Media.PNG, Media.WEBP, Media.TIFF, Media.GIF, Media.BMP, Media.JPEG2000, Media.AVIF},
)

#: Patterns for the first bytes, tried in this order.
_BINARY: tuple[tuple[re.Pattern[bytes], Media], ...] = tuple(
    (re.compile(pattern, re.DOTALL), media)
    for pattern, media in (
        (rb"\xff\xd8\xff", Media.JPEG),
        (rb"\x89PNG\r\n\x1a\n", Media.PNG),
        (rb"RIFF....WEBP", Media.WEBP),
        (rb"II[\x2a\x2b]\x00|MM\x00[\x2a\x2b]", Media.TIFF),
        (rb"GIF8[79]a", Media.GIF),
        # "BM" alone begins many a text: the length of the second header must fit as well.
        (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", Media.BMP),
        (rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", Media.JPEG2000),
        (rb"....ftyp(?:avif|avis|(?:mif1|msf1).{0,40}?avi[fs])", Media.AVIF),
        (rb"....ftyp(?:hei[cxms]|hev[cx]|mif1|msf1)", Media.HEIC),
        (rb"....ftyp|RIFF....AVI |\x1a\x45\xdf\xa3|\x00\x00\x01[\xb3\xba]|OggS", Media.VIDEO),
        (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", Media.JXL),
        (rb"8BPS", Media.PSD),
        (rb"AT&TFORM", Media.DJVU),
        (rb"%!PS|\xc5\xd0\xd3\xc6", Media.POSTSCRIPT),
        (rb".{0,1019}?%PDF-", Media.PDF),
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", Media.ZIP),
        (rb"\x1f\x8b|BZh|7z\xbc\xaf|Rar!|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|.{257}ustar", Media.ARCHIVE),
    )
)

#: The same for text, after a byte order mark and white space, in small letters. An XML declaration and
#: comments may stand before the element that tells; they are matched without backtracking, which would
#: take for ever on many comments.
_PROLOGUE = rb"(?>(?><\?xml.*?\?>|<!--.*?-->)\s*)*+"
_TEXT: tuple[tuple[re.Pattern[bytes], Media], ...] = tuple(
    (re.compile(pattern, re.DOTALL), media)
    for pattern, media in (
        (_PROLOGUE + rb"(?:<!doctype svg|<(?:svg:)?svg[\s>])", Media.SVG),
        (_PROLOGUE + rb"<(?:!doctype html|html|head|body|script|title|meta)\b", Media.HTML),
        (rb"<\?xml|<!--|<[a-z_][\w.:-]*[\s/>]", Media.XML),
        (rb"[\[{]", Media.JSON),
    )
)


def identify(head: bytes) -> Media | None:
    """The kind of content that begins with these bytes; None where they tell nothing."""
    if not head:
        return Media.EMPTY
    head = head[:HEAD]
    for pattern, media in _BINARY:
        if pattern.match(head):
            return media
    return _identify_text(head)


def _identify_text(head: bytes) -> Media | None:
    if not _is_text(head):
        return None
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for pattern, media in _TEXT:
        if pattern.match(text):
            return media
    return Media.TEXT if text else Media.EMPTY


def _is_text(head: bytes) -> bool:
    """Whether this is UTF-8 without control characters; a character may be cut off at the end."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
    return not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head)


def describe(head: bytes) -> str:
    """What the bytes are, for a message: "a web page (HTML)"."""
    media = identify(head)
    return media.value if media else f"data of an unknown kind (it begins with {head[:8].hex(' ')})"
