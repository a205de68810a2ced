"""Where files are read from, and where not."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from limner.core.errors import DecodeError, FormatError, SourceError, TooLargeError
from limner.core.settings import Settings
from limner.operations.datasets.places import Folder, Zipped, open_place, text_of
from tests.operations.datasets.files import packed, written


def test_a_folder_gives_its_files_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    root = written(tmp_path / "given", {"a/10.txt": "x", "a/9.txt": "y", ".hidden/x": "z", "__MACOSX/x": "z"})
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "in.txt").symlink_to(root / "a" / "9.txt")
    place = Folder.open(root, Settings())
    assert place.paths == ("a/9.txt", "a/10.txt", "in.txt")
    assert "out.txt is a link that leads out" in place.problems[0]
    assert text_of(place, "in.txt") == "y"


def test_files_that_are_too_large_or_no_text_are_refused(tmp_path: Path) -> None:
    place = Folder.open(
        written(tmp_path / "given", {"a.txt": "x" * 200, "b.txt": b"\xff\xfe"}), Settings(fetch_max_bytes=100)
    )
    with pytest.raises(TooLargeError, match="fetch_max_bytes"):
        place.read("a.txt")
    with pytest.raises(FormatError, match="no UTF-8"):
        text_of(place, "b.txt")


def _link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_entries_that_lead_out_of_a_zip_file_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(
        packed({"top/a.txt": "x", "../../b.txt": "x", "/etc/c.txt": "x", "C:\\d.txt": "x", _link("top/l"): "/etc"})
    )
    place = open_place(path, Settings())
    assert place.paths == ("a.txt",)
    assert len(place.problems) == 4


def test_bombs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(packed({"a.json": b"0" * 50_000_000}))
    with pytest.raises(TooLargeError, match="bomb"):
        open_place(path, Settings(fetch_max_bytes=1_000_000))
    place = open_place(path, Settings(fetch_max_bytes=60_000_000))
    assert len(place.read("a.json")) == 50_000_000


def test_what_is_no_zip_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(SourceError, match="cannot be opened as a zip file"):
        open_place(path, Settings())
    data = bytearray(packed({"a.txt": bytes(range(256)) * 4}))
    data[60:80] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(DecodeError):
        open_place(path, Settings()).read("a.txt")


def test_files_given_beside_stand_before_those_in_the_zip_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(packed({"data.yaml": "x", "b.txt": "y"}))
    place = Zipped.open(path, "a.zip", Settings(), {"data.yaml": b"names: [a]"})
    assert place.paths == ("b.txt", "data.yaml")
    assert text_of(place, "data.yaml") == "names: [a]"


def test_a_file_is_read_with_the_images_beside_it_only(tmp_path: Path) -> None:
    root = written(tmp_path / "given", {"a.json": "{}", "b.json": "{}", "images/0.png": b"x"})
    place = open_place(root / "a.json", Settings())
    assert place.paths == ("a.json", "images/0.png")
    assert place.name == "a"
    assert io.BytesIO(place.read("images/0.png")).read() == b"x"
    elsewhere = written(tmp_path / "images", {"1.png": b"y"})
    assert open_place(root / "a.json", Settings(), elsewhere).paths == ("a.json", "1.png")
