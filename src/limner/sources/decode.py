"""Image files become arrays of RGB pixels, upright, and no larger than they need to be.

Pillow does the decoding. Its plug-ins are used directly: `Image.open` would check sizes against a limit
of its own that holds for the whole process, and would try kinds of files that nobody asked for. Only the
first picture of an animation is read.

A file that claims more pixels than `Settings.max_pixels` is refused by its header, before memory is
taken. All functions may be called from several threads.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from limner.core.errors import DecodeError, LimnerError, SourceError, TooLargeError
from limner.core.settings import Settings
from limner.sources.images.jpeg2000 import Jpeg2000, levels
from limner.sources.images.magic import HEAD, Media, describe, identify
from limner.sources.images.modes import flatten, to_eight_bits
from limner.sources.images.tiff import directories, exif_orientation
from limner.sources.protocol import Picture, Want


class _Jpeg(JpegImageFile):
    """A JPEG whose EXIF is not searched for a resolution: nobody asks, and Pillow warns where it is damaged."""

    def _read_dpi_from_exif(self) -> None:
        return


class _Tiff(TiffImageFile):
    """A TIFF whose size is checked by us alone: Pillow would measure it against its own limit again."""

    def load_prepare(self) -> None:
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size, None).im
        super().load_prepare()


_OPENERS: dict[Media, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    Media.JPEG: _Jpeg,
    Media.PNG: PngImageFile,
    Media.WEBP: WebPImageFile,
    Media.TIFF: _Tiff,
    Media.GIF: GifImageFile,
    Media.BMP: BmpImageFile,
    Media.JPEG2000: Jpeg2000,
    Media.AVIF: AvifImageFile,
}

#: What undoes each EXIF orientation; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_file(path: Path, want: Want, settings: Settings, *, frame: int = 0, name: str | None = None) -> Picture:
    """Decode an image file, or one page of a multi-page TIFF.

    ``name`` is what messages call it, by default its file name. Raises `DecodeError` or `TooLargeError`,
    and `SourceError` where the file cannot be read.
    """
    name = name or path.name
    try:
        with path.open("rb") as file:
            return decode_frame(file, frame, want, settings, name=name)
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror or error}.") from error


def decode_bytes(data: bytes, want: Want, settings: Settings, *, frame: int = 0, name: str = "The image") -> Picture:
    """Decode an image that is in memory; see `decode_file`."""
    return decode_frame(io.BytesIO(data), frame, want, settings, name=name)


def decode_frame(file: BinaryIO, frame: int, want: Want, settings: Settings, *, name: str) -> Picture:
    """Decode one page of an open file, 0 for the first; see `decode_file`."""
    media = identify(file.read(HEAD))
    with _faults_named(name, media, file):
        file.seek(0)
        image = _open(file, frame, media, name)
        check_pixels(*image.size, settings.max_pixels, name)
        width, height = image.size
        _shrink_ahead(image, file, want)
        image.load()
        turn = _orientation(image)
        pixels = _turned(flatten(_shrink(to_eight_bits(image), want)), turn)
    return Picture(np.array(pixels), *((height, width) if turn >= 5 else (width, height)))


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """An image in a file, waiting to be decoded."""

    path: Path
    settings: Settings
    #: Page of a multi-page TIFF, from 0.
    frame: int = 0
    #: What messages call it, by default its file name.
    name: str | None = None
    #: Whatever keeps the file on disk as long as it lives, such as a `Download`.
    keep: object = None

    def decode(self, want: Want) -> Picture:
        """Decode it, in the calling thread; raises `SourceError`."""
        return decode_file(self.path, want, self.settings, frame=self.frame, name=self.name)


@dataclass(frozen=True, slots=True)
class EncodedBytes:
    """An image in memory, waiting to be decoded."""

    data: bytes
    settings: Settings
    #: Page of a multi-page TIFF, from 0.
    frame: int = 0
    #: What messages call it.
    name: str = "The image"

    def decode(self, want: Want) -> Picture:
        """Decode it, in the calling thread; raises `SourceError`."""
        return decode_bytes(self.data, want, self.settings, frame=self.frame, name=self.name)


def check_pixels(width: int, height: int, most: int, name: str) -> None:
    """Raise `TooLargeError` where an image has more than ``most`` pixels."""
    if width * height > most:
        raise TooLargeError(
            f"{name} says that it is {width:,} × {height:,} pixels, {width * height:,} in all; "
            f"images of up to {most:,} are decoded.",
            hint="The setting max_pixels says how many.",
        )


def _open(file: BinaryIO, frame: int, media: Media | None, name: str) -> ImageFile.ImageFile:
    if media not in _OPENERS:
        raise DecodeError(f"{name} is {describe(file.read(HEAD))}, and no image that can be decoded.")
    if media is Media.TIFF and next(directories(file), None) is None:
        raise EOFError("the directory is missing")  # it often stands at the end of the file
    file.seek(0)
    image = _OPENERS[media](file)
    if frame:
        image.seek(frame)
    return image


def _shrink_ahead(image: ImageFile.ImageFile, file: BinaryIO, want: Want) -> None:
    """Let the decoder itself leave out what is not wanted, where it can: much quicker."""
    if want.max_side is None:
        return
    longest, power = max(image.size), 0
    while power < 3 and longest >> (power + 1) >= want.max_side:
        power += 1
    if isinstance(image, JpegImageFile):
        image.draft(None, (max(1, image.width >> power), max(1, image.height >> power)))
    elif isinstance(image, Jpeg2000):
        image.shrink(min(power, levels(file)))


def _shrink(image: Image.Image, want: Want) -> Image.Image:
    """Average blocks of pixels, as many as leave the longer side long enough."""
    factor = max(image.size) // want.max_side if want.max_side else 1
    return image.reduce(factor) if factor > 1 else image


def _orientation(image: ImageFile.ImageFile) -> int:
    """How the loaded image is turned, as EXIF counts; Pillow has turned a TIFF already."""
    if isinstance(image, TiffImageFile):
        return 1
    return exif_orientation(image.info.get("exif", b""))


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


@contextmanager
def _faults_named(name: str, media: Media | None, file: BinaryIO) -> Iterator[None]:
    """Whatever a decoder raises over broken or hostile bytes becomes one of our errors."""
    try:
        yield
    except LimnerError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        reason = str(error) or "there is not enough memory"
        raise TooLargeError(f"{name} is too large to be decoded: {reason}.") from error
    except Exception as error:
        kind, length = media.value if media else "an image", file.seek(0, os.SEEK_END)
        cut = _is_cut(media, file, length) or isinstance(error, EOFError) or "truncated" in str(error).lower()
        fault = f"breaks off after {length:,} bytes" if cut else f"is damaged ({length:,} bytes; {error})"
        raise DecodeError(f"{name} cannot be decoded: it is {kind} that {fault}.") from error


def _is_cut(media: Media | None, file: BinaryIO, length: int) -> bool:
    """Whether a WebP is shorter than it says; the decoders of other kinds tell."""
    file.seek(4)
    return media is Media.WEBP and int.from_bytes(file.read(4), "little") + 8 > length
