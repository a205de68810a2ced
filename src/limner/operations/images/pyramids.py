"""Tiled images at several scales (pyramidal TIFF), made and read with libvips. All that knows pyvips.

Only files that were made here are ever given to libvips: what people upload is decoded by
`limner.sources.decode`, so that a viewer shows the very pixels that the models saw.
"""

from __future__ import annotations

import logging
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from limner.core.errors import DecodeError
from limner.operations.images.requests import Rendering, Size
from limner.sources.protocol import Picture

#: An image of pyvips, which has no types; it is loaded late.
Image: TypeAlias = Any

#: Side of the tiles in the file, pixels: a tile that is sent is put together of a few.
_TILE = 256
#: JPEG quality of the tiles in the file, and of what is sent.
_KEPT_QUALITY, _SENT_QUALITY = 90, 85
#: Deflate level of PNGs: higher ones take several times as long for a few percent.
_PNG_LEVEL = 3
#: Changes whenever the same request would give other bytes than before.
VERSION = "1"

_TURNS = {90: "rot90", 180: "rot180", 270: "rot270"}
#: At most so many images are put together at one time: each takes a processor, and memory by its size.
_AT_ONE_TIME = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))


def save_pyramid(picture: Picture, path: Path) -> None:
    """Write the pixels of a picture, at every scale, to a new file."""
    pixels = np.ascontiguousarray(picture.pixels)
    height, width, bands = pixels.shape
    image = _vips().Image.new_from_memory(pixels.data, width, height, bands, "uchar")
    image = image.copy(interpretation="srgb")
    image.tiffsave(
        str(path), tile=True, tile_width=_TILE, tile_height=_TILE, pyramid=True, compression="jpeg", Q=_KEPT_QUALITY
    )


def pyramid_size(path: Path) -> Size:
    """Width and height in pixels; raises `DecodeError` where the file is damaged."""
    image = _level(path, 0)
    return int(image.width), int(image.height)


def render(path: Path, rendering: Rendering) -> bytes:
    """The image that was asked for, encoded; raises `DecodeError` where the file is damaged."""
    vips = _vips()
    with _AT_ONE_TIME:
        try:
            return _encoded(_finished(_scaled(path, rendering), rendering), rendering)
        except vips.Error as error:
            raise DecodeError("The tiled image is damaged.", hint="Delete it: it is made again.") from error


@cache
def _vips() -> Any:  # noqa: ANN401 - a module without types
    """Libvips, loaded when it is first needed, with nothing kept between requests and no threads of its own."""
    import pyvips  # type: ignore[import-untyped]

    logging.getLogger("pyvips").setLevel(logging.WARNING)  # it tells of every thread
    pyvips.cache_set_max(0)
    pyvips.cache_set_max_mem(0)
    pyvips.cache_set_max_files(0)
    # Requests come side by side: one thread for each is enough.
    pyvips.concurrency_set(1)
    pyvips.block_untrusted_set(True)
    return pyvips


def _level(path: Path, level: int) -> Image:
    """The image at 1/2 to the power of ``level``."""
    vips = _vips()
    try:
        return vips.Image.tiffload(str(path), page=level)
    except vips.Error as error:
        raise DecodeError("The tiled image is damaged.", hint="Delete it: it is made again.") from error


def _scaled(path: Path, rendering: Rendering) -> Image:
    """The region at its size, from the smallest scale that has enough pixels."""
    (x, y, width, height), size = rendering.region, rendering.size
    image, factor = _level(path, 0), 1
    levels = int(image.get("n-pages"))
    power = 0
    while power + 1 < levels and width // (factor * 2) >= size[0] and height // (factor * 2) >= size[1]:
        power, factor = power + 1, factor * 2
    if power:
        image = _level(path, power)
    # The last column of an odd width is not there at the next scale.
    left, top = min(x // factor, image.width - 1), min(y // factor, image.height - 1)
    right = min(max(-(-(x + width) // factor), left + 1), image.width)
    bottom = min(max(-(-(y + height) // factor), top + 1), image.height)
    return _resized(image.crop(left, top, right - left, bottom - top), size)


def _resized(image: Image, size: Size) -> Image:
    if (image.width, image.height) == size:
        return image
    resized = image.resize(size[0] / image.width, vscale=size[1] / image.height)
    if (resized.width, resized.height) == size:
        return resized
    return resized.embed(0, 0, *size, extend="copy")  # rounded otherwise: a pixel more or less


def _finished(image: Image, rendering: Rendering) -> Image:
    """Mirrored, turned, and in its quality: the order that the API gives."""
    if rendering.mirrored:
        image = image.fliphor()
    if rendering.rotation:
        image = getattr(image, _TURNS[rendering.rotation])()
    if rendering.quality in ("gray", "bitonal"):
        image = image.colourspace("b-w")
    if rendering.quality == "bitonal":
        image = image > 127
    return image


def _encoded(image: Image, rendering: Rendering) -> bytes:
    plain: dict[str, Any] = {"keep": "none"}
    if rendering.format == "jpg":
        return bytes(image.jpegsave_buffer(Q=_SENT_QUALITY, **plain))
    if rendering.quality == "bitonal":
        plain["bitdepth"] = 1
    return bytes(image.pngsave_buffer(compression=_PNG_LEVEL, **plain))
