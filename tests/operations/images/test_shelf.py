"""Tiled images are made once, lie where their images do, and go with them; also where the store is no folder."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from limner.core.errors import DecodeError, NotFoundError
from limner.core.settings import Settings
from limner.operations.images.pyramids import pyramid_size
from limner.operations.images.shelf import Original, Shelf
from limner.sources.protocol import Picture
from limner.storage.blobs import Blobs

KEY = "documents/d/images/tiles/1.png.tif"


class _Image:
    """An image that counts how often it is read."""

    def __init__(self) -> None:
        self.read = 0

    def decode(self) -> Picture:
        self.read += 1
        return Picture(np.zeros((30, 40, 3), np.uint8), 40, 30)

    def original(self, kept: Callable[[], bool] = lambda: True) -> Original:
        return Original(KEY, self.decode, kept)


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """A store on this machine's disk, and one that is not."""
    return Blobs(tmp_path / "blobs" if request.param == "folder" else f"memory://limner-{tmp_path.name}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


def test_it_is_made_once_and_found_by_all(blobs: Blobs, settings: Settings) -> None:
    image, shelf = _Image(), Shelf(blobs, settings)
    assert shelf.find(KEY) is None
    path = shelf.make(image.original())
    assert (pyramid_size(path), shelf.find(KEY), shelf.make(image.original())) == ((40, 30), path, path)
    assert blobs.exists(KEY)
    other = Shelf(blobs, settings.model_copy(update={"data": settings.data / "of another machine"}))
    assert pyramid_size(other.make(image.original())) == (40, 30)
    assert image.read == 1


def test_many_who_ask_at_once_get_one(blobs: Blobs, settings: Settings) -> None:
    image, shelf, got = _Image(), Shelf(blobs, settings), []
    threads = [threading.Thread(target=lambda: got.append(shelf.make(image.original()))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(set(got)), image.read) == (6, 1, 1)


def test_what_is_deleted_meanwhile_leaves_nothing(blobs: Blobs, settings: Settings) -> None:
    shelf = Shelf(blobs, settings)
    with pytest.raises(NotFoundError):
        shelf.make(_Image().original(kept=lambda: False))
    assert not blobs.exists(KEY)
    assert shelf.find(KEY) is None


def test_an_image_that_cannot_be_read_is_told_each_time(blobs: Blobs, settings: Settings) -> None:
    def decode() -> Picture:
        raise DecodeError

    shelf = Shelf(blobs, settings)
    for _ in range(2):
        with pytest.raises(DecodeError):
            shelf.make(Original(KEY, decode, lambda: True))
    assert not blobs.exists(KEY)
