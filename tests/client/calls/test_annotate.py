"""Annotating at once: what is sent."""

from pathlib import Path

import pytest

from limner.client.call import Upload
from limner.client.calls.annotate import Wishes, annotate, annotate_as, is_address, uploads
from limner.core.errors import UsageError


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(b"image")
    return path


def test_files_go_as_a_form(image: Path) -> None:
    call = annotate([image, str(image), b"bytes"], model="m", threshold=0.25, labels=["a", "b"], zones=[(1, 2, 3, 4)])
    assert [upload.name for upload in call.files] == ["a.png", "a.png", "image-3"]
    assert call.form == {"model": "m", "threshold": "0.25", "labels": "a,b", "zones": "[[1, 2, 3, 4]]"}
    assert (call.method, call.path, call.body, call.repeatable) == ("POST", "/v1/annotate", None, True)


@pytest.mark.parametrize("address", ["https://lib.example/a.jpg", "HTTP://x/y", "data:image/png;base64,AAAA"])
def test_addresses_go_as_json(address: str) -> None:
    assert is_address(address)
    assert annotate(address, labels=["a,b"], zones=[]).body == {"image": address, "labels": ["a,b"], "zones": []}
    assert annotate([address, address]).body == {"images": [address, address]}


def test_a_format_is_asked_for_by_name(image: Path) -> None:
    assert annotate_as(image, "coco").params == {"format": "coco"}
    assert annotate(image).params == {}


def test_what_cannot_be_sent_is_refused(image: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image"):
        annotate([])
    with pytest.raises(UsageError, match="one call"):
        annotate([image, "https://lib.example/a.jpg"])
    with pytest.raises(UsageError, match="nowhere"):
        annotate(tmp_path / "nowhere.png")
    with pytest.raises(UsageError, match="comma"):
        annotate(image, labels=["a,b"])
    with pytest.raises(UsageError, match="x1, y1, x2, y2"):
        annotate(image, zones=[(1, 2, 3)])


def test_a_file_may_go_by_another_name(image: Path) -> None:
    assert uploads([Upload("folio-1.png", image)]) == [Upload("folio-1.png", image)]


def test_nothing_wished_for_is_nothing_sent() -> None:
    assert (Wishes().form(), Wishes().body()) == ({}, {})
    assert Wishes(labels=[]).form() == {"labels": ""}
