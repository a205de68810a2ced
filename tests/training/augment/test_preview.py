from pathlib import Path

import pytest
from PIL import Image

from limner.core.errors import UnknownNameError
from limner.training.augment.presets import augment_by_name
from limner.training.augment.preview import preview, preview_sheet
from limner.training.data.pictures import PictureCache
from limner.training.data.samples import PageSamples
from limner.training.datasets.dataset import Dataset
from tests.training.datasets.made import a_store, dataset, page


def _dataset(folder: Path) -> Dataset:
    store = a_store(folder)
    return dataset(store, [page(store, at, [("a", 8, 8, 30, 20), ("b", 60, 8, 16, 16)]) for at in range(4)])


@pytest.mark.parametrize("masks", [True, False])
def test_a_sheet_shows_pages_before_and_after(tmp_path: Path, masks: bool) -> None:
    made = _dataset(tmp_path)
    samples = PageSamples(made, made.pages, PictureCache(tmp_path / "cache", 96, 0), masks=masks)
    two = preview_sheet(samples, augment_by_name("strong"), 2, 0)
    three = preview_sheet(samples, augment_by_name("strong"), 3, 0)
    assert three.height > two.height
    assert preview_sheet(samples, augment_by_name("strong"), 2, 0).tobytes() == two.tobytes()
    assert preview_sheet(samples, augment_by_name("strong"), 2, 7).tobytes() != two.tobytes()
    assert preview_sheet(samples, None, 2, 0).tobytes() != two.tobytes()


def test_it_is_written_as_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "sheet.jpg"
    preview(_dataset(tmp_path), "page", path, pages=2)
    with Image.open(path) as sheet:
        assert sheet.width > 900
    with pytest.raises(UnknownNameError):
        preview(_dataset(tmp_path), "pages", path)
