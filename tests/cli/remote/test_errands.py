"""From what people name to jobs of a server."""

import base64
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from limner.cli.remote import errands as module
from limner.cli.remote.errands import errands, packed
from limner.core.errors import SourceError
from limner.core.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


def _image(path: Path, size: tuple[int, int] = (20, 10)) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)
    return str(path)


def test_images_go_together_in_the_place_of_the_first(settings: Settings, tmp_path: Path) -> None:
    a, b = _image(tmp_path / "a.png"), _image(tmp_path / "b.png")
    address = "https://lib.example/manifest.json"
    made = errands([address, a, "https://lib.example/x.pdf", b], settings)
    assert [errand.source for errand in made] == [address, None, "https://lib.example/x.pdf"]
    assert [upload.name for upload in made[1].files] == ["a.png", "b.png"]


def test_a_folder_is_sent_in_natural_order_with_the_names_that_pages_have_here(
    settings: Settings, tmp_path: Path
) -> None:
    for name in ("10.png", "2.png", "sub/2.png"):
        _image(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.pdf").write_bytes(b"%PDF-1.4")
    (errand,) = errands([str(tmp_path / "in")], settings)
    assert [upload.name for upload in errand.files] == ["2.png", "10.png", "sub_2.png"]
    assert errand.title == "in"
    assert [where for where, _ in errand.skipped] == ["notes.pdf"]


def test_a_tiff_of_several_pages_is_sent_once(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    (errand,) = errands([str(path)], settings)
    assert [upload.name for upload in errand.files] == ["a.tif"]


def test_patterns_are_expanded_here(settings: Settings, tmp_path: Path) -> None:
    _image(tmp_path / "a.png")
    _image(tmp_path / "b.png")
    Image.new("RGB", (20, 10)).save(tmp_path / "c.pdf")
    made = errands([str(tmp_path / "*")], settings)
    assert sorted(len(errand.files) for errand in made) == [1, 2]


def test_manifests_lists_and_data_urls(settings: Settings, tmp_path: Path) -> None:
    manifest = tmp_path / "m.json"
    manifest.write_text('{"@context": "http://iiif.io/api/presentation/3/context.json", "type": "Manifest"}')
    listed = tmp_path / "list.txt"
    listed.write_text("# two\nhttps://lib.example/1.jpg\nnothing\nhttps://lib.example/2.jpg\n")
    image = Path(_image(tmp_path / "a.png")).read_bytes()
    data = f"data:image/png;base64,{base64.b64encode(image).decode()}"
    one, two, three = errands([str(manifest), str(listed), data], settings)
    assert isinstance(one.source, dict)
    assert one.source["type"] == "Manifest"
    assert two.source == ["https://lib.example/1.jpg", "https://lib.example/2.jpg"]
    assert len(two.skipped) == 1
    assert three.files[0].content == image


@pytest.mark.parametrize("spec", ["nowhere.png", "", "ftp://x/y"])
def test_what_nobody_can_open_is_refused(settings: Settings, spec: str) -> None:
    with pytest.raises(SourceError):
        errands([spec], settings)


def test_more_files_than_a_request_may_have_go_in_a_zip(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    for number in range(3):
        _image(tmp_path / "in" / f"{number}.png")
    (errand,) = errands([str(tmp_path / "in")], settings)
    (upload,) = packed(errand, tmp_path)
    assert upload.name == "in.zip"
    with zipfile.ZipFile(tmp_path / "pages.zip") as archive:
        assert archive.namelist() == ["0.png", "1.png", "2.png"]
