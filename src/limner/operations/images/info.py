"""``info.json`` of the IIIF Image API 3.0: what an image service says of itself."""

from __future__ import annotations

from limner.annotations.annotation import Json
from limner.operations.images.limits import LIMITS, Limits

CONTEXT = "http://iiif.io/api/image/3/context.json"
#: Media type of an ``info.json``.
MEDIA_TYPE = f'application/ld+json;profile="{CONTEXT}"'
#: What the profile link of an image leads to.
LEVEL = "http://iiif.io/api/image/3/level2.json"
#: Side of the tiles that viewers are told to ask for, pixels.
TILE = 512


def image_info(address: str, width: int, height: int, limits: Limits = LIMITS) -> dict[str, Json]:
    """What the service at an address says of an image of this size in pixels."""
    scales = scale_factors(width, height)
    sizes: list[Json] = [
        {"width": w, "height": h}
        for w, h in ((-(-width // scale), -(-height // scale)) for scale in reversed(scales))
        if limits.allow(w, h)
    ]
    return {
        "@context": CONTEXT,
        "id": address,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        "width": width,
        "height": height,
        "maxWidth": limits.side,
        "maxHeight": limits.side,
        "maxArea": limits.area,
        "sizes": sizes,
        "tiles": [{"width": TILE, "height": TILE, "scaleFactors": [*scales]}],
        "extraQualities": ["color", "gray", "bitonal"],
        "extraFeatures": ["canonicalLinkHeader", "mirroring", "profileLinkHeader"],
    }


def scale_factors(width: int, height: int) -> list[int]:
    """1, 2, 4, … to the first at which the whole image is one tile."""
    factors = [1]
    while max(width, height) > TILE * factors[-1]:
        factors.append(factors[-1] * 2)
    return factors
