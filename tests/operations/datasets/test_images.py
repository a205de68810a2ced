"""Which images keep their bytes, and what becomes of the others."""

import io

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import DecodeError, TooLargeError
from limner.core.settings import Settings
from limner.operations.datasets.images import KeptImage, keep_image
from limner.training.datasets.dataset import image_file
from limner.training.datasets.store import DatasetStore
from tests.operations.datasets.files import noise
from tests.sources.image_files import encoded, gradient, png_claiming


def _turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(gradient(60, 40), "JPEG", quality=95, exif=exif)


def _kept(store: DatasetStore, data: bytes) -> tuple[KeptImage, bytes]:
    kept = keep_image(store, data, Settings(), "a page")
    return kept, image_file(store.images, kept.name).read_bytes()


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (encoded(gradient(), "JPEG"), "jpg"),
        (encoded(gradient().convert("L"), "JPEG"), "jpg"),
        (encoded(gradient(), "PNG"), "png"),
        (encoded(gradient().convert("L"), "PNG"), "png"),
        (_turned(1), "jpg"),
    ],
)
def test_plain_upright_images_keep_their_bytes(store: DatasetStore, data: bytes, suffix: str) -> None:
    kept, there = _kept(store, data)
    assert there == data
    assert (kept.suffix, kept.width, kept.height, kept.turned) == (suffix, 60, 40, False)


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (encoded(gradient().convert("CMYK"), "JPEG", quality=95), "jpg"),
        (encoded(gradient(), "TIFF"), "jpg"),
        (encoded(gradient(), "WEBP", lossless=True), "jpg"),
        (encoded(gradient(), "BMP"), "png"),
        (encoded(gradient().quantize(64), "PNG"), "png"),
        (encoded(gradient().convert("RGBA"), "PNG"), "png"),
        (encoded(Image.fromarray(noise(60, 40)[..., 0].astype(np.uint16) * 257), "PNG"), "png"),
    ],
)
def test_others_become_plain_rgb(store: DatasetStore, data: bytes, suffix: str) -> None:
    kept, there = _kept(store, data)
    with Image.open(io.BytesIO(there)) as image:
        assert (image.mode, image.size, kept.suffix) == ("RGB", (60, 40), suffix)
        before = Image.open(io.BytesIO(data))
        if before.mode in ("RGB", "P", "RGBA", "CMYK"):
            far = np.asarray(image, np.int16) - np.asarray(before.convert("RGB"), np.int16)
            assert np.abs(far).mean() < 6


@pytest.mark.parametrize("orientation", range(2, 9))
def test_images_are_stored_upright(store: DatasetStore, orientation: int) -> None:
    kept, there = _kept(store, _turned(orientation))
    assert kept.turned == (orientation >= 5)
    assert (kept.width, kept.height) == ((40, 60) if kept.turned else (60, 40))
    with Image.open(io.BytesIO(there)) as image:
        assert image.size == (kept.width, kept.height)
        assert image.getexif().get(0x0112, 1) == 1


def test_what_cannot_be_decoded_is_not_kept(store: DatasetStore) -> None:
    for data in (b"hello", encoded(gradient(300, 300), "JPEG")[:800], b""):
        with pytest.raises(DecodeError):
            keep_image(store, data, Settings(), "a page")
    with pytest.raises(TooLargeError):
        keep_image(store, png_claiming(60_000, 60_000), Settings(), "a page")
    assert not list(store.images.glob("*/*"))
