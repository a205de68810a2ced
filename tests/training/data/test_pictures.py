import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import DatasetError
from limner.training.data.pictures import PictureCache, fitted, read_pixels
from tests.training.datasets.made import SIZE, a_store, dataset, page


@pytest.mark.parametrize(
    ("size", "longest", "out"), [((100, 50), 40, (40, 20)), ((30, 60), 100, (30, 60)), ((9000, 3), 90, (90, 1))]
)
def test_sizes(size: tuple[int, int], longest: int, out: tuple[int, int]) -> None:
    assert fitted(*size, longest) == out


def test_images_are_read_once_and_mapped_afterwards(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    made = dataset(store, [page(store, 0, [("a", 0, 0, 48, 64)])])
    cache = PictureCache(tmp_path / "cache", 48, 10**6)
    first = cache.pixels(made.image_path(made.pages[0]), made.pages[0])
    assert first.shape == (32, 48, 3)
    assert first[16, 4].tolist() == [240, 240, 240]
    assert first[16, 40].tolist() == [20, 20, 30]
    (path := made.image_path(made.pages[0])).unlink()
    assert np.array_equal(PictureCache(tmp_path / "cache", 48, 10**6).pixels(path, made.pages[0]), first)


def test_a_full_cache_keeps_nothing_more(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    made = dataset(store, [page(store, 0, [])])
    cache = PictureCache(tmp_path / "cache", max(SIZE), 100)
    assert cache.pixels(made.image_path(made.pages[0]), made.pages[0]).shape == (64, 96, 3)
    assert list((tmp_path / "cache").rglob("*.npy")) == []


def test_a_jpeg_is_decoded_at_reduced_scale_alike(tmp_path: Path) -> None:
    gradient = np.linspace(0, 255, 512).astype(np.uint8)[None, :, None].repeat(256, 0).repeat(3, 2)
    out = io.BytesIO()
    Image.fromarray(gradient).save(out, "JPEG", quality=95)
    path = tmp_path / "x.jpg"
    path.write_bytes(out.getvalue())
    small = read_pixels(path, (64, 32)).astype(int)
    wanted = np.asarray(Image.fromarray(gradient).resize((64, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(small - wanted).max() <= 3


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(DatasetError, match=r"broken\.png"):
        read_pixels(path, (8, 8))
