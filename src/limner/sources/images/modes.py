"""From whatever a file holds to 8-bit RGB.

Samples of more than 8 bits are scaled, not clipped; what is transparent becomes white. Embedded colour
profiles are not applied: the models were trained on pixels read without them (OpenCV and Pillow do not
apply them either), and a profile is one more thing for a hostile file to attack. CMYK is converted by
the plain formula.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

#: TIFF tags.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _MAX_SAMPLE_VALUE = 258, 262, 281
_WHITE_IS_ZERO = 0


def to_eight_bits(image: ImageFile.ImageFile) -> Image.Image:
    """The loaded image as L, LA, RGB, RGBA or CMYK."""
    match image.mode:
        case "1":
            return image.convert("L")
        case "I" | "F":
            return _from_samples(image, _normalised(np.asarray(image), fractions=image.mode == "F"))
        case mode if mode.startswith("I;16"):
            return _from_samples(image, _from_sixteen(np.asarray(image), _highest_sample(image)))
        case "LA" | "RGBA" | "CMYK":
            return image
        case "La":
            return image.convert("LA")
        case _ if image.has_transparency_data:
            return image.convert("RGBA")
        case "L" | "RGB":
            return image
        case _:
            return image.convert("RGB")


def flatten(image: Image.Image) -> Image.Image:
    """An 8-bit image as RGB, over white where it is transparent."""
    if image.mode not in ("LA", "RGBA"):
        return image.convert("RGB")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")


def _from_samples(image: Image.Image, samples: npt.NDArray[np.uint8]) -> Image.Image:
    """A grey image of these samples; Pillow does not turn them over where white is stored as zero."""
    if isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        samples = 255 - samples
    return Image.fromarray(samples)


def _highest_sample(image: Image.Image) -> int:
    """The sample that stands for white: less than 65,535 where 10 or 12 bits are kept in 16."""
    if not isinstance(image, TiffImageFile):
        return 65_535
    bits = min(int(image.tag_v2.get(_BITS_PER_SAMPLE, (16,))[0]), 16)
    said = image.tag_v2.get(_MAX_SAMPLE_VALUE, 0)
    said = said[0] if isinstance(said, tuple) else said
    return int(said) if 255 < said < 1 << bits else (1 << bits) - 1


def _from_sixteen(samples: npt.NDArray[np.uint16], highest: int) -> npt.NDArray[np.uint8]:
    values = np.minimum(samples, highest).astype(np.uint32)
    values *= 255
    values += highest // 2
    values //= highest
    return values.astype(np.uint8)


def _normalised(samples: npt.NDArray[Any], *, fractions: bool) -> npt.NDArray[np.uint8]:
    """Samples without a natural range: 0 to 1 for fractions within it, else from lowest to highest."""
    values: npt.NDArray[np.float32] = samples.astype(np.float32)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.zeros(values.shape, np.uint8)
    low, high = float(finite.min()), float(finite.max())
    if fractions and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    with np.errstate(over="ignore"):  # from one end of what a float can hold to the other
        values = (values - low) * np.float32(255 / (high - low or 1.0))
    out: npt.NDArray[np.uint8] = np.rint(values.clip(0, 255)).astype(np.uint8)
    return out
