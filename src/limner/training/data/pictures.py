"""Images of a dataset at the size that a network sees, read fast again and again.

An image is decoded once, at reduced scale where its format can do so, and kept as plain pixels in a folder:
the next time it is only mapped into memory, by whichever process wants it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from limner.core.errors import DatasetError
from limner.training.datasets.dataset import DatasetPage

Pixels = npt.NDArray[np.uint8]


def fitted(width: int, height: int, longest: int) -> tuple[int, int]:
    """Width and height scaled so that the longer side has a length, smaller images as they are; at least 1."""
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def read_pixels(path: Path, size: tuple[int, int]) -> Pixels:
    """RGB pixels of an image file, scaled to a width and height: height × width × 3.

    Raises `DatasetError` where the file cannot be read.
    """
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            # A draft of twice the size keeps what the filter needs.
            image.draft("RGB", (size[0] * 2, size[1] * 2))
            small = image.convert("RGB").resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    except OSError as error:
        raise DatasetError(f"The image {path.name} of the dataset cannot be read: {error}.") from error
    return np.asarray(small)


class PictureCache:
    """Scaled images in a folder, made when first asked for, up to a size in bytes."""

    def __init__(self, folder: Path, longest: int, limit: int) -> None:
        self._folder = folder / str(longest)
        self._longest = longest
        self._limit = limit
        self._folder.mkdir(parents=True, exist_ok=True)
        self._held = sum(file.stat().st_size for file in self._folder.iterdir())

    def pixels(self, path: Path, page: DatasetPage) -> Pixels:
        """The pixels of a page whose image is a file; its longer side is at most of the cache's length."""
        size = fitted(page.page.width, page.page.height, self._longest)
        kept = self._folder / f"{page.image}.npy"
        if kept.exists():
            known = np.load(kept, mmap_mode="r")
            if known.shape == (size[1], size[0], 3):
                return np.asarray(known)
        pixels = read_pixels(path, size)
        # Each process counts what it has written itself: the limit is a guide, not a promise.
        if self._held + pixels.nbytes <= self._limit:
            self._keep(kept, pixels)
            self._held += pixels.nbytes
        return pixels

    def _keep(self, path: Path, pixels: Pixels) -> None:
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False, suffix=".partial") as file:
            np.save(file, pixels)
        os.replace(file.name, path)  # noqa: PTH105 - a name, not a path
