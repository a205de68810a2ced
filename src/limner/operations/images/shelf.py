"""Where tiled images lie: beside the images that they were made from, and gone with them."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from limner.core.errors import NotFoundError
from limner.core.settings import Settings
from limner.operations.images.copies import Copies, pieces_of
from limner.operations.images.pyramids import save_pyramid
from limner.sources.protocol import Picture
from limner.storage.blobs import Blobs


@dataclass(frozen=True, slots=True)
class Original:
    """An image that is kept, and where its tiled image belongs."""

    #: The blob of the tiled image.
    key: str
    #: Reads the image at full size; raises `LimnerError`. Slow.
    decode: Callable[[], Picture]
    #: Whether the image is still kept.
    kept: Callable[[], bool]


class Shelf:
    """The tiled images of a process. All methods block, and may be called from several threads."""

    def __init__(self, blobs: Blobs, settings: Settings) -> None:
        self._blobs = blobs
        self._copies = Copies(settings.cache_dir / "tiles", settings.tile_cache_bytes)
        # One at a time: each takes the memory of a whole image, and a processor from those who wait for a model.
        self._making = threading.Lock()

    def find(self, key: str) -> Path | None:
        """The tiled image, if it lies on this machine's disk; quick."""
        path = self._blobs.path(key)
        if path is None:
            return self._copies.find(key)
        return path if path.is_file() else None

    def make(self, original: Original) -> Path:
        """The tiled image, made or fetched where it has to be; raises `LimnerError`."""
        with self._making:
            return self.find(original.key) or self._fetched(original.key) or self._made(original)

    def _fetched(self, key: str) -> Path | None:
        """A copy of what another machine has made."""
        if self._blobs.local:
            return None
        try:
            return self._copies.add(key, self._blobs.stream(key))
        except NotFoundError:
            return None

    def _made(self, original: Original) -> Path:
        with tempfile.TemporaryDirectory(prefix="limner-tiles-") as folder:
            made = Path(folder) / "tiled.tif"
            save_pyramid(original.decode(), made)
            self._blobs.write(original.key, pieces_of(made))
            if not original.kept():  # deleted meanwhile: what was written just now would stay for ever
                self._blobs.delete(original.key)
                raise NotFoundError("The image is not kept any more.")
            return self._blobs.path(original.key) or self._copies.add(original.key, pieces_of(made))
