"""Images of datasets: kept as their own bytes where every reader sees the same in them, else made so.

A plain JPEG or PNG, upright, grey or RGB with 8 bits, stays as it is. All others are decoded once (turned upright,
CMYK and 16 bit made RGB) and written anew: as PNG what came without loss and is small, as JPEG the rest.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from limner.core.settings import Settings
from limner.sources.decode import decode_bytes
from limner.sources.images.magic import HEAD, Media, identify
from limner.sources.images.tiff import exif_orientation
from limner.sources.protocol import Want
from limner.training.datasets.store import DatasetStore

#: Longer side to which images are decoded that only have to be seen to be sound, pixels.
_GLANCE = Want(64)
_QUALITY = 95
#: Kinds without loss, for which PNG is a fair form.
_LOSSLESS = frozenset({Media.PNG, Media.GIF, Media.BMP})


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image in the store."""

    #: Its name among the stored ones.
    name: str
    #: Pixels, upright.
    width: int
    height: int
    #: Whether EXIF had it turned on its side.
    turned: bool = False

    @property
    def suffix(self) -> str:
        """``jpg`` or ``png``."""
        return self.name.rpartition(".")[2]


def keep_image(store: DatasetStore, data: bytes, settings: Settings, name: str) -> KeptImage:
    """Keep an image; ``name`` is what messages call it. Raises `DecodeError` or `TooLargeError`."""
    media = identify(data[:HEAD])
    suffix, turn = _plain(data, media)
    if suffix and turn == 1:
        seen = decode_bytes(data, _GLANCE, settings, name=name)
        return KeptImage(store.keep_image(data, suffix), seen.width, seen.height)
    picture = decode_bytes(data, Want(), settings, name=name)
    out = io.BytesIO()
    lossless = media in _LOSSLESS
    image = Image.fromarray(picture.pixels)
    if lossless:
        image.save(out, "PNG", compress_level=3)
    else:
        image.save(out, "JPEG", quality=_QUALITY, subsampling=0)
    kept = store.keep_image(out.getvalue(), "png" if lossless else "jpg")
    return KeptImage(kept, picture.width, picture.height, turned=turn >= 5)


def _plain(data: bytes, media: Media | None) -> tuple[str, int]:
    """The suffix that an image may keep its bytes under, or nothing; and how EXIF says it is turned."""
    if media not in (Media.JPEG, Media.PNG):
        return "", 1
    try:
        image = (JpegImageFile if media is Media.JPEG else PngImageFile)(io.BytesIO(data))
    except Exception:  # noqa: BLE001 - whatever it is, decoding it says so in our words
        return "", 1
    turn = exif_orientation(image.info.get("exif", b""))
    if image.mode not in ("L", "RGB") or image.has_transparency_data:
        return "", turn
    return ("jpg" if media is Media.JPEG else "png"), turn
