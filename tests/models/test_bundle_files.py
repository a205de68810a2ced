from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from limner.core.errors import BundleError
from limner.models import bundle_files
from limner.models.bundle_files import file_sha256, is_bundle, pack_bundle, read_bundle, unpack_bundle, write_bundle
from tests.models.networks import bright_boxes_bundle, noop_bundle, save
from tests.models.test_onnx_file import external, model_with


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return noop_bundle(tmp_path / "noop")


def zipped(folder: Path, path: Path, prefix: str = "", **more: bytes) -> Path:
    """A zip file of a folder's files and some more."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, prefix + file.name)
        for name, content in more.items():
            archive.writestr(name, content)
    return path


def edited(folder: Path, **changes) -> None:
    manifest = folder / "bundle.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))


def test_write_takes_hash_and_size(folder: Path):
    bundle = read_bundle(folder)
    assert bundle.weights.sha256 == file_sha256(folder / "model.onnx")
    assert bundle.weights.size == (folder / "model.onnx").stat().st_size
    assert bundle.folder == folder
    assert sorted(path.name for path in folder.iterdir()) == ["bundle.json", "model.onnx"]


def test_writing_twice_gives_the_same_bytes(tmp_path: Path):
    first, second = bright_boxes_bundle(tmp_path / "1" / "b"), bright_boxes_bundle(tmp_path / "2" / "b")
    for name in ("bundle.json", "model.onnx"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_pack_and_unpack(folder: Path, tmp_path: Path):
    (folder / "LICENSE").write_text("CC0")
    bundle = read_bundle(folder)
    archive = pack_bundle(bundle, tmp_path / "a.zip")
    os.utime(folder / "model.onnx", (0, 0))
    assert pack_bundle(bundle, tmp_path / "b.zip").read_bytes() == archive.read_bytes()
    assert is_bundle(archive)
    (tmp_path / "out").mkdir()
    assert unpack_bundle(archive, tmp_path / "out") == bundle.at(tmp_path / "out")
    assert (tmp_path / "out" / "LICENSE").read_text() == "CC0"


def test_a_zipped_folder_is_read_too_and_the_clutter_of_macos_passed_over(folder: Path, tmp_path: Path):
    archive = zipped(folder, tmp_path / "a.zip", "noop/", **{"__MACOSX/noop/._x": b"", "noop/.DS_Store": b""})
    (tmp_path / "out").mkdir()
    unpack_bundle(archive, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bundle.json", "model.onnx"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../evil.txt", "would lie outside"),
        ("../bundle.json", "would lie outside"),
        ("/etc/model.onnx", "would lie outside"),
        ("a/b/model.onnx", "would lie outside"),
        ("..\\LICENSE", "would lie outside"),
        ("setup.py", "no bundle has such a file"),
        ("model.pkl", "no bundle has such a file"),
        ("other/LICENSE", "several folders"),
    ],
)
def test_odd_entries_are_refused_and_nothing_is_written_outside(folder: Path, tmp_path: Path, name, message):
    archive = zipped(folder, tmp_path / "a.zip", **{name: b"x"})
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    with pytest.raises(BundleError, match=message):
        unpack_bundle(archive, out)
    assert list(out.iterdir()) == []
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_entry_twice_is_refused(folder: Path, tmp_path: Path):
    with pytest.warns(UserWarning, match="Duplicate"):
        archive = zipped(folder, tmp_path / "a.zip", **{"model.onnx": b"x"})
    (tmp_path / "out").mkdir()
    with pytest.raises(BundleError, match="one twice"):
        unpack_bundle(archive, tmp_path / "out")


def test_many_entries_are_refused(folder: Path, tmp_path: Path):
    archive = zipped(folder, tmp_path / "a.zip", **{f"d{i}/LICENSE": b"" for i in range(100)})
    (tmp_path / "out").mkdir()
    with pytest.raises(BundleError, match="102 files"):
        unpack_bundle(archive, tmp_path / "out")


def test_a_declared_size_above_the_limit_is_refused(folder: Path, tmp_path: Path):
    archive = zipped(folder, tmp_path / "a.zip", LICENSE=bytes(1_000_001))
    (tmp_path / "out").mkdir()
    with pytest.raises(BundleError, match="says that it has 1000001 bytes"):
        unpack_bundle(archive, tmp_path / "out")


def test_a_bomb_that_lies_about_its_size_is_stopped(folder: Path, tmp_path: Path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "bundle.json", "bundle.json")
        archive.writestr("LICENSE", bytes(30_000_000))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    small, real = (100).to_bytes(4, "little"), (30_000_000).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content.replace(real, small))
    (tmp_path / "out").mkdir()
    with pytest.raises(BundleError):
        unpack_bundle(tmp_path / "a.zip", tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) < 2_000_000


def test_copying_stops_at_the_limit_whatever_the_header_says(folder: Path, tmp_path: Path, monkeypatch):
    archive = zipped(folder, tmp_path / "a.zip")
    monkeypatch.setitem(bundle_files._LIMITS, "model.onnx", 1 << 31)
    entry_size = (folder / "model.onnx").stat().st_size
    target = tmp_path / "copied"
    monkeypatch.setitem(bundle_files._LIMITS, "model.onnx", entry_size - 1)
    with (
        zipfile.ZipFile(archive) as opened,
        opened.open("model.onnx") as source,
        target.open("wb") as out,
        pytest.raises(BundleError, match="larger than"),
    ):
        bundle_files._copy_limited(source, out, "model.onnx")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"x" * 1000])
def test_what_is_no_zip_is_refused(tmp_path: Path, content):
    (tmp_path / "a.zip").write_bytes(content)
    assert not is_bundle(tmp_path / "a.zip")
    with pytest.raises(BundleError, match=r"a\.zip cannot be unpacked"):
        unpack_bundle(tmp_path / "a.zip", tmp_path)


def test_an_encrypted_zip_is_refused(folder: Path, tmp_path: Path):
    content = bytearray(zipped(folder, tmp_path / "a.zip").read_bytes())
    for at in range(len(content) - 4):  # set the flag that says so in both kinds of headers
        if content[at : at + 4] == b"PK\x01\x02":
            content[at + 8] |= 1
        if content[at : at + 4] == b"PK\x03\x04":
            content[at + 6] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(BundleError, match="encrypted"):
        unpack_bundle(tmp_path / "a.zip", tmp_path / "out")


def test_a_damaged_zip_is_refused(folder: Path, tmp_path: Path):
    content = bytearray(zipped(folder, tmp_path / "a.zip").read_bytes())
    at = content.index((folder / "model.onnx").read_bytes()[:32])
    content[at + 40] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(BundleError, match="Bad CRC"):
        unpack_bundle(tmp_path / "a.zip", tmp_path / "out")


def test_other_weights_are_refused(folder: Path):
    content = bytearray((folder / "model.onnx").read_bytes())
    content[-1] ^= 1
    (folder / "model.onnx").write_bytes(content)
    assert read_bundle(folder, verify=False).name == "noop"
    with pytest.raises(BundleError, match=r"is not the file that bundle\.json names"):
        read_bundle(folder)


def test_weights_of_another_size_are_refused_even_without_reading_them(folder: Path):
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="should have"):
        read_bundle(folder, verify=False)


@pytest.mark.parametrize(
    ("missing", "message"),
    [("model.onnx", "model.onnx of the model noop@1 is missing"), ("bundle.json", "no bundle.json")],
)
def test_missing_files_are_named(folder: Path, missing, message):
    (folder / missing).unlink()
    with pytest.raises(BundleError, match=message):
        read_bundle(folder)


def test_a_bundle_without_weights_for_a_runtime_that_needs_them(folder: Path):
    edited(folder, weights=None)
    with pytest.raises(BundleError, match="names no weights"):
        read_bundle(folder)


def test_unknown_keys_are_refused(folder: Path):
    edited(folder, on_load="rm -rf /")
    with pytest.raises(BundleError, match="on_load"):
        read_bundle(folder)


def test_links_are_refused(folder: Path, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere.onnx"
    (folder / "model.onnx").rename(elsewhere)
    (folder / "model.onnx").symlink_to(elsewhere)
    with pytest.raises(BundleError, match="is a link"):
        read_bundle(folder, verify=False)


def test_unknown_files_in_a_folder_are_refused(folder: Path):
    (folder / "hook.py").write_text("")
    with pytest.raises(BundleError, match=r"hook\.py"):
        read_bundle(folder)


def test_large_texts_are_refused(folder: Path):
    (folder / "README.md").write_bytes(bytes(1_000_001))
    with pytest.raises(BundleError, match="larger than 1000000"):
        read_bundle(folder)


@pytest.mark.parametrize("location", ["../../../etc/passwd", "/etc/passwd", "beside.bin"])
def test_networks_with_data_elsewhere_are_refused(folder: Path, location):
    weights = save(model_with(tensors=[external(location=location)]), folder / "model.onnx")
    bundle = read_bundle_unchecked(folder)
    write_bundle(bundle, folder, weights)
    with pytest.raises(BundleError, match="another file"):
        read_bundle(folder)


def test_weights_that_are_no_onnx_are_refused(folder: Path):
    (folder / "model.onnx").write_bytes(b"MZ this is something else")
    write_bundle(read_bundle_unchecked(folder), folder)
    with pytest.raises(BundleError, match="is no ONNX file"):
        read_bundle(folder)


def read_bundle_unchecked(folder: Path):
    """What bundle.json says, whatever the weights are."""
    return bundle_files.parse_bundle((folder / "bundle.json").read_text())


def test_is_bundle(folder: Path, tmp_path: Path):
    assert is_bundle(folder)
    assert not is_bundle(tmp_path)
    assert not is_bundle(tmp_path / "nothing")
    with zipfile.ZipFile(tmp_path / "best.pt", "w") as archive:  # torch's files are zip files
        archive.writestr("best/data.pkl", b"")
    assert not is_bundle(tmp_path / "best.pt")
