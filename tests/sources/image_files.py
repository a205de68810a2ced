"""Image files made for the tests."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from limner.core.settings import Settings
from limner.sources.decode import decode_bytes
from limner.sources.protocol import Picture, Want


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    """An RGB image whose corners all differ: red grows to the right, green downwards, blue along the diagonal."""
    x, y = np.meshgrid(np.linspace(0, 250, width), np.linspace(0, 250, height))
    return Image.fromarray(np.stack([x, y, (x + y) / 2], axis=-1).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as a file of some kind."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpeg(width: int = 60, height: int = 40) -> bytes:
    return encoded(gradient(width, height), "JPEG", quality=95)


def tiff_pages(*sizes: tuple[int, int], **options: object) -> bytes:
    """A TIFF with pages of these sizes."""
    first, *rest = [gradient(*size) for size in sizes]
    return encoded(first, "TIFF", save_all=True, append_images=rest, **options)


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header says that it is this large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def decoded(data: bytes, max_side: int | None = None, **settings: object) -> Picture:
    return decode_bytes(data, Want(max_side), Settings(**settings))


def far_apart(pixels: np.ndarray, other: object) -> int:
    """The largest difference between two images of one size."""
    other = np.asarray(other)
    assert pixels.shape == other.shape
    return int(np.abs(pixels.astype(int) - other).max())
