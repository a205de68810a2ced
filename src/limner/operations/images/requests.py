"""Requests of the IIIF Image API 3.0, read to level 2: region, size, rotation, quality and format.

Pure: words in, whole pixels out. `UsageError` is raised for what the API does not know,
`NotImplementedHereError` for what it knows and is not done here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from limner.core.errors import NotImplementedHereError, UsageError
from limner.operations.images.limits import LIMITS, Limits

#: Width and height in pixels.
Size: TypeAlias = tuple[int, int]
#: Left, top, width and height in pixels.
Region: TypeAlias = tuple[int, int, int, int]

QUALITIES = ("default", "color", "gray", "bitonal")
#: Media types of the formats that images are sent in.
MEDIA_TYPES = {"jpg": "image/jpeg", "png": "image/png"}
_OTHER_FORMATS = frozenset({"tif", "gif", "jp2", "pdf", "webp"})

_WHOLE = r"([0-9]{1,9})"
_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,15})?|\.[0-9]{1,15})"
_PIXELS = re.compile(",".join([_WHOLE] * 4))
_PERCENT = re.compile("pct:" + ",".join([_NUMBER] * 4))
_SIZE = re.compile(rf"(?P<up>\^?)(?:(?P<max>max)|pct:(?P<pct>{_NUMBER})|(?P<fit>!?){_WHOLE}?,{_WHOLE}?)")
_ROTATION = re.compile(rf"(!?){_NUMBER}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What is to be sent of an image."""

    #: The part of it, inside the image.
    region: Region
    #: What the part is scaled to, before it is turned; never larger than the part.
    size: Size
    #: Whether it is mirrored left to right, before it is turned.
    mirrored: bool
    #: 0, 90, 180 or 270 degrees clockwise.
    rotation: int
    #: One of `QUALITIES`.
    quality: str
    #: One of `MEDIA_TYPES`.
    format: str
    #: The request in its canonical form (Image API 3.0, section 4.7).
    canonical: str


def read_request(
    region: str, size: str, rotation: str, quality_format: str, image: Size, limits: Limits = LIMITS
) -> Rendering:
    """The request for a part of an image of this size; raises `UsageError` or `NotImplementedHereError`."""
    part = _region(region, image)
    width, height = _size(size, part[2:], limits)
    mirrored, angle = _rotation(rotation)
    quality, form = _quality(quality_format)
    where = "full" if part == (0, 0, *image) else ",".join(map(str, part))
    scaled = "max" if (width, height) == limits.largest(*part[2:]) else f"{width},{height}"
    shown = "default" if quality == "color" else quality
    return Rendering(
        region=part,
        size=(width, height),
        mirrored=mirrored,
        rotation=angle,
        quality=quality,
        format=form,
        canonical=f"{where}/{scaled}/{'!' if mirrored else ''}{angle}/{shown}.{form}",
    )


def _region(text: str, image: Size) -> Region:
    width, height = image
    if text == "full":
        return (0, 0, width, height)
    if text == "square":
        side = min(image)
        return ((width - side) // 2, (height - side) // 2, side, side)
    if match := _PIXELS.fullmatch(text):
        x, y, w, h = (int(value) for value in match.groups())
        return _inside(text, (x, y, x + w, y + h), image)
    if match := _PERCENT.fullmatch(text):
        left, top, across, down = (float(value) / 100 for value in match.groups())
        edges = (left * width, top * height, (left + across) * width, (top + down) * height)
        if not across or not down:
            raise UsageError(f"The region {text} is empty.")
        x1, y1, x2, y2 = (round(edge) for edge in edges)
        return _inside(text, (x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)), image)
    raise UsageError(f"{text!r} is no region.", hint="Regions are full, square, x,y,w,h and pct:x,y,w,h.")


def _inside(text: str, corners: Region, image: Size) -> Region:
    """What of a rectangle, given by its corners, lies on the image."""
    x1, y1, x2, y2 = corners[0], corners[1], min(corners[2], image[0]), min(corners[3], image[1])
    if x2 <= x1 or y2 <= y1:
        raise UsageError(f"The region {text} has no part of the image, which is {image[0]} × {image[1]} pixels.")
    return (x1, y1, x2 - x1, y2 - y1)


def _size(text: str, part: Size, limits: Limits) -> Size:
    match = _SIZE.fullmatch(text)
    if match is None or text.strip("^!") == ",":
        raise UsageError(f"{text!r} is no size.", hint="Sizes are max, w, ,h pct:n w,h and !w,h.")
    if match["up"]:
        raise NotImplementedHereError("Images are not scaled up.", hint="Ask for a size without ^.")
    if match["max"]:
        return limits.largest(*part)
    width, height = _scaled(match, text, part)
    if not width or not height:
        raise UsageError(f"The size {text} is empty.")
    if width > part[0] or height > part[1] or float(match["pct"] or 0) > 100:
        raise UsageError(f"The size {text} is larger than the region, which is {part[0]} × {part[1]} pixels.")
    if not limits.allow(width, height):
        raise UsageError(
            f"The size {text} is larger than this server sends.",
            hint=f"At most {limits.side} pixels a side and {limits.area} in all.",
        )
    return width, height


def _scaled(match: re.Match[str], text: str, part: Size) -> Size:
    """The size that is asked for; 0 for a side that is to have no length."""
    if match["pct"]:
        factor = float(match["pct"]) / 100
        return _at_least_one(part, factor) if factor else (0, 0)
    w, h = (None if value is None else int(value) for value in match.groups()[-2:])
    if match["fit"]:
        if w is None or h is None:
            raise UsageError(f"{text!r} is no size.", hint="A size with ! has a width and a height.")
        # By its wording the API would have the region as it is where the box is larger; its validator wants an error.
        factor = min(w / part[0], h / part[1])
        return _at_least_one(part, factor) if factor else (0, 0)
    if h is None:
        assert w is not None  # noqa: S101 - a comma alone was refused before
        return w, _at_least_one(part, w / part[0])[1]
    return (_at_least_one(part, h / part[1])[0], h) if w is None else (w, h)


def _at_least_one(part: Size, factor: float) -> Size:
    return max(1, round(part[0] * factor)), max(1, round(part[1] * factor))


def _rotation(text: str) -> tuple[bool, int]:
    match = _ROTATION.fullmatch(text)
    if match is None or float(match[2]) > 360:
        raise UsageError(f"{text!r} is no rotation.", hint="Rotations are 0 to 360 degrees, with ! for mirrored.")
    if float(match[2]) % 90:
        raise NotImplementedHereError("Images are turned by multiples of 90° only.")
    return bool(match[1]), int(float(match[2])) % 360


def _quality(text: str) -> tuple[str, str]:
    quality, _, form = text.rpartition(".")
    if quality not in QUALITIES:
        raise UsageError(f"{quality!r} is no quality.", hint=f"Qualities are {', '.join(QUALITIES)}.")
    if form in _OTHER_FORMATS:
        raise NotImplementedHereError(f"Images are not sent as {form}.", hint=f"Ask for {' or '.join(MEDIA_TYPES)}.")
    if form not in MEDIA_TYPES:
        raise UsageError(f"{form!r} is no format.", hint=f"Formats are {', '.join(MEDIA_TYPES)}.")
    return quality, form
