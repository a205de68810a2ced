"""An image of a IIIF page that has arrived: cut, turned, and held against what was announced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from limner.core.errors import SizeMismatchError
from limner.core.settings import Settings
from limner.sources.decode import decode_file
from limner.sources.iiif.image_requests import Part, whole_side
from limner.sources.iiif.pages import Size, part_size, turned_size
from limner.sources.iiif.painting import PaintedImage
from limner.sources.protocol import Picture, Want

#: How far the ratio of the sides may be from what was announced, beside a pixel of rounding.
_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """The bytes of a page's image, waiting to be decoded."""

    #: The file.
    path: Path
    #: The image as the manifest describes it.
    image: PaintedImage
    #: What messages call it.
    name: str
    #: Width and height of the whole image, as announced; 0 while unknown.
    full: Size
    #: Whether the server has cut the region out already.
    cut: bool
    settings: Settings
    #: Told the size of the page as soon as it is known.
    learn: Callable[[Size], None]
    #: What keeps the file on disk.
    keep: object = None

    def decode(self, want: Want) -> Picture:
        """Decode, cut and turn it; raises `SizeMismatchError` when it is not what was announced.

        The size of the picture is that of the page: what the manifest or the image service says, or
        else that of the file.
        """
        region = None if self.cut else self.image.region
        wanted = Want(whole_side(Part(region, want.max_side), self.full))
        picture = decode_file(self.path, wanted, self.settings, name=self.name)
        delivered = (picture.width, picture.height)
        check_shape(self.name, part_size(self.image, self.full) if self.cut else self.full, delivered)
        pixels = picture.pixels
        if region is not None:
            pixels = self._cut_out(pixels, self.full if all(self.full) else delivered)
        size = turned_size(self.image, self._size(delivered))
        self.learn(size)
        return Picture(turned(pixels, self.image), *size)

    def _size(self, delivered: Size) -> Size:
        """Width and height of what is painted, before it is turned."""
        if self.cut or self.image.region is not None:
            found = part_size(self.image, self.full if all(self.full) or self.cut else delivered)
        else:  # the size of a plain file is its own, whatever the manifest says
            found = self.full if self.image.service else (0, 0)
        return found if all(found) else delivered

    def _cut_out(self, pixels: npt.NDArray[np.uint8], full: Size) -> npt.NDArray[np.uint8]:
        """The region of an image that may have been made smaller."""
        clipped = self.image.region.clipped(*full) if self.image.region else None
        if clipped is None:
            raise SizeMismatchError(f"{self.name}: the part that is painted lies outside of its image.")
        x, y, w, h = clipped
        sx, sy = pixels.shape[1] / full[0], pixels.shape[0] / full[1]
        left, top = min(round(x * sx), pixels.shape[1] - 1), min(round(y * sy), pixels.shape[0] - 1)
        right, bottom = max(round((x + w) * sx), left + 1), max(round((y + h) * sy), top + 1)
        return pixels[top:bottom, left:right]


def turned(pixels: npt.NDArray[np.uint8], image: PaintedImage) -> npt.NDArray[np.uint8]:
    """Pixels mirrored and turned as the manifest says: mirrored first, then clockwise."""
    if image.mirrored:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(np.rot90(pixels, k=-(image.rotation // 90)))


def check_shape(name: str, announced: Size, delivered: Size) -> None:
    """Raise `SizeMismatchError` when the ratio of the sides is not the announced one."""
    if all(announced) and not _same_shape(announced, delivered):
        raise SizeMismatchError(
            f"{name} is announced as {announced[0]} × {announced[1]} pixels, and what came is "
            f"{delivered[0]} × {delivered[1]}: it is another image, or the manifest is wrong."
        )


def _same_shape(announced: Size, delivered: Size) -> bool:
    """Whether the ratios of the sides agree, but for rounding."""
    (aw, ah), (w, h) = announced, delivered
    pairs = ((h, w * ah / aw), (w, h * aw / ah))
    return any(abs(have - expected) <= 1 + _TOLERANCE * max(have, expected) for have, expected in pairs)
