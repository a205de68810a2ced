"""Which address to ask an image server for, so that it gives what the model needs and no more.

Image API 1.1, 2 and 3: ``{service}/{region}/{size}/{rotation}/{quality}.jpg``. Rotation is always 0,
for not every server can rotate; a page that is shown rotated is turned after decoding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from limner.sources.iiif.image_api import ImageService
from limner.sources.iiif.regions import Region

#: A listed size may be this much longer than what is needed: it costs the server nothing to make.
_LISTED_SLACK = 1.25
#: Most addresses to try for one size.
_MOST = 3
#: What is asked for when the size that is needed cannot be had, as parts of it.
_SMALLER = (0.5, 0.25)
#: Forms of the size, with the feature that they need and the level (if any) that always has it.
_FORMS = (
    ("sizeByW", 1, "{w},"),
    ("sizeByConfinedWh", 2, "!{w},{h}"),
    ("sizeByWh", 9, "{w},{h}"),
    ("sizeByH", 9, ",{h}"),
)
#: What rounding may take from a number of pixels.
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """An image to ask for."""

    #: The address.
    url: str
    #: Whether it is the whole image at its full size, which polite clients ask for slowly.
    full: bool
    #: Whether the server cuts the region out; otherwise it comes with the whole image.
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What is wanted of an image: all of it, or a region, at some length of the longer side."""

    #: The region; None for the whole image.
    region: Region | None = None
    #: Length in pixels of the longer side that is needed; None for full size.
    side: int | None = None


def sized(service: ImageService, full: tuple[int, int]) -> ImageService:
    """The service with the size that the manifest gives the image, where it has none itself."""
    return service if service.width else replace(service, width=full[0], height=full[1])


def can_ask(service: ImageService, part: Part) -> bool:
    """Whether enough is known of a service to ask it for a part of an image right away."""
    located = part.region is not None and not part.region.percent
    return service.version > 0 and (bool(service.width) or located)


def exact_requests(service: ImageService, part: Part) -> list[ImageRequest]:
    """Requests for a part of an image at no less than the wanted size, best first, at most three.

    Where the server's limits do not allow it, for the largest size that it gives.
    """
    return list(dict.fromkeys(islice(_requests(service, part), _MOST)))


def smaller_requests(service: ImageService, part: Part) -> list[ImageRequest]:
    """Requests for smaller images than wanted, for servers that cannot give that, largest first."""
    longest = max(_extent(service, part.region))
    if not longest:
        return []
    side = min(part.side or longest, longest)
    if not service.can("sizeByW", 1):
        below = [size for size in reversed(service.sizes) if max(size) < side][: len(_SMALLER)]
        words = [_listed_words(service, size)[0] for size in below]
        return [ImageRequest(_url(service, "full", word), full=False) for word in words]
    parts = [Part(part.region, max(1, int(side * factor))) for factor in _SMALLER]
    return [request for smaller in parts for request in islice(_requests(service, smaller), 1)]


def full_request(service: ImageService) -> ImageRequest:
    """The whole image at full size, which every server should have."""
    return ImageRequest(_url(service, "full", _full_words(service)[0]), full=True)


def _requests(service: ImageService, part: Part) -> Iterator[ImageRequest]:
    """All sensible requests: the region cut by the server, and the whole image for us to cut."""
    if part.region is not None and service.can("regionByPx", 1):
        words = _size_words(service, _extent(service, part.region), part.side, listed=False)
        for size in islice(words, _MOST - 1):
            yield ImageRequest(_url(service, _region_word(service, part.region), size), full=False, cut=True)
    whole, side = (service.width, service.height), whole_side(part, (service.width, service.height))
    for size in _size_words(service, whole, side, listed=True):
        yield ImageRequest(_url(service, "full", size), full=_is_full(size, whole))


def whole_side(part: Part, whole: tuple[int, int]) -> int | None:
    """The length that the whole image needs so that the part in it has the wanted one."""
    if part.side is None or part.region is None or not all(whole):
        return part.side if part.region is None else None
    clipped = part.region.clipped(*whole)
    return math.ceil(part.side * max(whole) / max(clipped[2:])) if clipped else part.side


def _url(service: ImageService, region: str, size: str) -> str:
    quality = service.quality or ("native" if service.version == 1 else "default")
    return f"{service.id}/{region}/{size}/0/{quality}.jpg"


def _extent(service: ImageService, region: Region | None) -> tuple[int, int]:
    """Width and height of a part in pixels of the full image; 0 and 0 while unknown."""
    if region is None:
        return service.width, service.height
    if not (service.width and service.height):
        return (0, 0) if region.percent else (round(region.width), round(region.height))
    clipped = region.clipped(service.width, service.height)
    return clipped[2:] if clipped else (0, 0)


def _region_word(service: ImageService, region: Region) -> str:
    """The region as a request has it: in pixels where the size of the image is known."""
    clipped = region.clipped(service.width, service.height) if service.width and service.height else None
    if clipped:
        return ",".join(map(str, clipped))
    words = ",".join(f"{value:.10g}" for value in (region.x, region.y, region.width, region.height))
    return f"pct:{words}" if region.percent else words


def _is_full(size: str, whole: tuple[int, int]) -> bool:
    """Whether a size is that of the original."""
    return size in {"full", "max", f"{whole[0]},", f"{whole[0]},{whole[1]}"}


def _size_words(service: ImageService, extent: tuple[int, int], side: int | None, *, listed: bool) -> Iterator[str]:
    """Words for the size, best first."""
    allowed, longest = _allowed(service, extent), max(extent)
    needed = min(side or longest, longest)
    if needed == longest and allowed >= 1:
        yield from _full_words(service)
        return
    if service.version == 3 and needed > longest * allowed:
        yield "max"  # defined as the largest size that is allowed
    if listed and (chosen := _listed(service, min(needed, longest * allowed))):
        yield from _listed_words(service, chosen)
    words = _computed_words(service, _dimensions(extent, needed, allowed))
    yield from words or _full_words(service)


def _pair(values: Iterable[int]) -> tuple[int, int]:
    width, height = values
    return width, height


def _full_words(service: ImageService) -> tuple[str, ...]:
    """Words for the image at full size, or the largest that the server gives."""
    return ("max", "full") if service.version == 3 else ("full", "max") if service.version != 1 else ("full",)


def _allowed(service: ImageService, extent: tuple[int, int]) -> float:
    """The largest scale that the server's limits allow, at most 1."""
    width, height = extent
    if not (width and height):
        return 1.0
    limits = [1.0]
    if service.max_width:
        limits.append(service.max_width / width)
    if tallest := service.max_height or service.max_width:  # the width alone limits both
        limits.append(tallest / height)
    if service.max_area:
        limits.append(math.sqrt(service.max_area / (width * height)))
    return min(limits)


def _dimensions(extent: tuple[int, int], longest: int, allowed: float) -> tuple[int, int]:
    """Width and height with the longer side at least ``longest``, or as large as is allowed."""
    if longest > max(extent) * allowed:
        return _pair(max(1, math.floor(side * allowed + _EPSILON)) for side in extent)
    return _pair(math.ceil(side * longest / max(extent)) for side in extent)


def _computed_words(service: ImageService, dimensions: tuple[int, int]) -> list[str]:
    """Words for a size that was reckoned, in the forms that the server knows, at most two."""
    width, height = dimensions
    forms = [form for feature, level, form in _FORMS if service.can(feature, level)]
    return [form.format(w=width, h=height) for form in forms[:2]]


def _listed(service: ImageService, longest: float) -> tuple[int, int] | None:
    """The smallest listed size that is long enough, and not much longer where any can be asked for."""
    enough = [size for size in service.sizes if max(size) >= math.floor(longest + _EPSILON)]
    if service.can("sizeByW", 1):
        enough = [size for size in enough if max(size) <= longest * _LISTED_SLACK]
    return min(enough, key=max, default=None)


def _listed_words(service: ImageService, size: tuple[int, int]) -> tuple[str, ...]:
    """A listed size as its version writes it, and then the other way; static files have one of them."""
    by_width, by_both = f"{size[0]},", f"{size[0]},{size[1]}"
    if size == (service.width, service.height):
        return (*_full_words(service)[:1], by_both if service.version == 3 else by_width)
    return (by_both, by_width) if service.version == 3 else (by_width, by_both)
