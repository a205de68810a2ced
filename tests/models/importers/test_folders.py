from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from limner.core.errors import BundleError
from limner.models.importers.folders import as_folder, zipped_names


def zipped(path: Path, files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_folder_is_taken_as_it_is(tmp_path: Path):
    with as_folder(tmp_path, [".pth"]) as folder:
        assert folder == tmp_path


def test_only_what_is_wanted_comes_out_and_nothing_leaves_its_folder(tmp_path: Path):
    files = {"a/model.pth": b"w", "../../config.yaml": b"c", "a/notes.txt": b"n", "__MACOSX/._model.pth": b"m"}
    path = zipped(tmp_path / "m.zip", files)
    assert "config.yaml" in zipped_names(path)
    with as_folder(path, [".pth", ".yaml"]) as folder:
        assert {each.name: each.read_bytes() for each in folder.iterdir()} == {"model.pth": b"w", "config.yaml": b"c"}
    assert not folder.exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/m.pth": b"1", "b/m.pth": b"2"}, "holds 'm.pth' twice"),
        ({"m.pth": b"\0" * 80_000_000}, "grows too much"),
        ({f"{number}.pth": b"" for number in range(65)}, "65 files"),
    ],
)
def test_odd_archives_are_refused(tmp_path: Path, files, message):
    path = zipped(tmp_path / "m.zip", files)
    with pytest.raises(BundleError, match=message), as_folder(path, [".pth"]):
        pass


def test_a_damaged_archive(tmp_path: Path):
    path = zipped(tmp_path / "m.zip", {"m.pth": bytes(range(256)) * 400})
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(data)
    with pytest.raises(BundleError, match="cannot be unpacked"), as_folder(path, [".pth"]):
        pass
    assert zipped_names(tmp_path / "missing.zip") == []
