import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from limner.annotations.page import Page
from limner.core.errors import DatasetError
from limner.training.datasets import phash
from limner.training.datasets.dataset import DatasetPage, Split
from limner.training.datasets.phash import duplicates, image_hash, near_pairs
from limner.training.datasets.store import DatasetStore
from tests.training.datasets.made import a_store, dataset


def _picture(seed: int) -> Image.Image:
    """A page of blots that no other seed gives."""
    blots = np.random.default_rng(seed).integers(0, 255, (24, 18, 3), dtype=np.uint8)
    return Image.fromarray(blots).resize((360, 480), Image.Resampling.BICUBIC)


def _page(store: DatasetStore, number: int, image: Image.Image, split: Split, **how: object) -> DatasetPage:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", **how)
    name = f"{number}.jpg"
    page = Page(id=name, name=name, index=number, width=image.width, height=image.height)
    kept = store.keep_image(out.getvalue(), "jpg")
    return DatasetPage(page=page, annotations=(), document=name, split=split, image=kept)


def test_copies_are_found_and_other_pages_are_not(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    first = _picture(0)
    copies = [first.resize((180, 240)), ImageEnhance.Brightness(first).enhance(0.8), first]
    pages = [_page(store, number, _picture(number), "train") for number in range(20)]
    pages += [_page(store, 20 + n, copy, "test", quality=40) for n, copy in enumerate(copies)]
    added = store.add(dataset(store, pages))
    found = duplicates(added)
    assert {(pair.first.page.index, pair.second.page.index) for pair in found} == {(0, 20), (0, 21), (0, 22)}
    assert len(duplicates(added, across=False)) == 6
    assert [pair.distance for pair in found] == sorted(pair.distance for pair in found)


def test_empty_paper_is_no_copy_unless_it_is_the_same_image(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    blank = [_page(store, n, Image.new("RGB", (90, 120), (250 - n, 245, 230)), "train") for n in range(3)]
    again = _page(store, 3, Image.new("RGB", (90, 120), (250, 245, 230)), "val")
    added = store.add(dataset(store, [*blank, again]))
    assert [(pair.first.page.index, pair.second.page.index) for pair in duplicates(added)] == [(0, 3)]


def test_hashes_are_reckoned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = a_store(tmp_path)
    added = store.add(dataset(store, [_page(store, n, _picture(n), "train") for n in range(3)]))
    first = phash.hashes_of(added)
    monkeypatch.setattr(phash, "image_hash", lambda path: pytest.fail(f"{path} was looked at again"))
    assert phash.hashes_of(added) == first
    (store.folder / "pages" / "1" / "hashes.json").write_text("{")
    monkeypatch.undo()
    assert phash.hashes_of(added) == first
    assert store.get("pages") == added


def test_pairs_are_those_of_the_plain_reckoning() -> None:
    rng = np.random.default_rng(3)
    base = rng.integers(0, 256, (300, 32), dtype=np.uint8)
    base[280:] = base[:20]
    base[280:, 0] ^= rng.integers(0, 256, 20, dtype=np.uint8)
    hashes = [row.tobytes() for row in base]
    bits = np.unpackbits(base, axis=1)
    expected = {
        (a, b, int((bits[a] != bits[b]).sum()))
        for a in range(300)
        for b in range(a + 1, 300)
        if (bits[a] != bits[b]).sum() <= 16
    }
    assert len(expected) >= 20
    assert set(near_pairs(hashes)) == expected
    assert list(near_pairs([])) == []


def test_an_image_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        image_hash(tmp_path / "gone.jpg")
