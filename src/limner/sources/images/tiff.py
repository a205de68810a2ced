"""The directories of a TIFF, read without its pixels: which are pages, and which way is up.

Also serves EXIF, which is a TIFF without an image. Layout: TIFF 6.0, section 2; BigTIFF by Aware Systems.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from limner.core.errors import TooLargeError

_NEW_SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _ORIENTATION = 254, 255, 274
#: Bits of NewSubfileType: a smaller version of another image; a transparency mask.
_REDUCED, _MASK = 1, 4
#: Struct codes of the field types that we read: SHORT and LONG.
_CODES = {3: "H", 4: "I"}
#: No directory of an image has more entries than this; a damaged one may say so.
_MOST_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class _Layout:
    """How numbers are written: byte order, and the widths that differ in BigTIFF."""

    order: str
    #: Struct codes of an offset and of the number of entries.
    offset: str
    count: str
    #: Length of an entry, bytes.
    entry: int

    def read(self, file: BinaryIO, code: str) -> int:
        """One number at the current position; raises `struct.error` at the end of the file."""
        (value,) = struct.unpack(self.order + code, file.read(struct.calcsize(self.order + code)))
        return int(value)


def directories(file: BinaryIO) -> Iterator[Mapping[int, int]]:
    """The directories of a TIFF in their order, each as tag → value for single whole numbers.

    Ends quietly where the file is cut off, or where a directory points back to an earlier one.
    """
    try:
        layout = _layout(file)
        position, seen = layout.read(file, layout.offset), set[int]()
        while position and position not in seen:
            seen.add(position)
            file.seek(position)
            tags = _tags(file, layout)
            position = layout.read(file, layout.offset)
            yield tags
    except (struct.error, ValueError, OverflowError):
        return


def _layout(file: BinaryIO) -> _Layout:
    head = file.read(4)
    if head[:2] not in (b"II", b"MM"):
        raise ValueError("no byte order")
    order = "<" if head.startswith(b"II") else ">"
    if 43 not in head[2:4]:
        return _Layout(order, "I", "H", 12)
    file.read(4)  # the width of offsets, always 8, and a reserved number
    return _Layout(order, "Q", "Q", 20)


def _tags(file: BinaryIO, layout: _Layout) -> dict[int, int]:
    count = layout.read(file, layout.count)
    if count > _MOST_ENTRIES:
        raise ValueError(f"{count} entries")
    tags = {}
    for _ in range(count):
        entry = file.read(layout.entry)
        tag, kind = struct.unpack_from(layout.order + "HH", entry)
        (values,) = struct.unpack_from(layout.order + layout.offset, entry, 4)
        if values == 1 and kind in _CODES:
            (tags[tag],) = struct.unpack_from(layout.order + _CODES[kind], entry, 4 + struct.calcsize(layout.offset))
    return tags


def page_frames(file: BinaryIO, limit: int) -> list[int]:
    """Positions of the directories that are pages of their own, from 0.

    Smaller versions of a page (the levels of a pyramid, a thumbnail) and masks are none. A file that
    cannot be read so has one page: decoding that will say what is wrong. Raises `TooLargeError` where
    there are more directories than ``limit``.
    """
    frames = []
    for index, tags in enumerate(directories(file)):
        if index >= limit:
            raise TooLargeError(f"The TIFF has more than {limit:,} pages.", hint="The setting max_pages says how many.")
        if _is_page(tags):
            frames.append(index)
    return frames or [0]


def _is_page(tags: Mapping[int, int]) -> bool:
    if _NEW_SUBFILE_TYPE in tags:
        return not tags[_NEW_SUBFILE_TYPE] & (_REDUCED | _MASK)
    return tags.get(_OLD_SUBFILE_TYPE) != 2


def exif_orientation(exif: bytes) -> int:
    """How the image is turned, 1 to 8 as EXIF counts; 1 where it does not say."""
    first = next(directories(io.BytesIO(exif.removeprefix(b"Exif\x00\x00"))), {})
    value = first.get(_ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1
