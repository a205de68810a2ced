"""Datasets that clients send: what is kept, and what is refused before anything is."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest

from limner.core.errors import FormatError, LimnerError, TooLargeError
from limner.operations.foreign import yolo_uploads
from limner.operations.foreign.yolo_uploads import keep_dataset, labels_in
from limner.storage.blobs import Blobs

_GOOD = {"images/a.png": b"x", "labels/a.txt": b"0 .5 .5 .1 .1", "__MACOSX/a.png": b"x"}
_YAML = b"train: ../images\nval: images\nnames: [bright]\n"


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def _zip(files: dict[str | zipfile.ZipInfo, bytes]) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out


def _link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("images/link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_a_dataset_is_kept_as_it_came(blobs: Blobs) -> None:
    archive = _zip(_GOOD)
    kept = keep_dataset(blobs, "w" * 8, archive, io.BytesIO(_YAML))
    folder = f"incoming/{'w' * 8}/datasets/{kept.id}"
    assert blobs.read(f"{folder}/dataset.zip") == archive.getvalue()
    assert blobs.read(f"{folder}/data.yaml") == _YAML
    about = json.loads(blobs.read(f"{folder}/about.json"))
    about.pop("received_at")
    assert about == {"id": kept.id, "labels": ["bright"], "images": 1, "label_files": 1}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"../images/a.png": b""}, "leads out"),
        ({"/etc/a.png": b""}, "leads out"),
        ({"images/..\\..\\a.png": b""}, "leads out"),
        ({"C:\\a.png": b""}, "leads out"),
        ({_link(): b"/etc/passwd"}, "is a link"),
        ({"images/a.png": b"", "images/A.png": b""}, "two entries"),
        ({"readme.md": b""}, "no images"),
        ({}, "no images"),
    ],
)
def test_zip_files_that_are_not_fit_are_refused(
    blobs: Blobs, files: dict[str | zipfile.ZipInfo, bytes], said: str
) -> None:
    with pytest.raises(FormatError, match=said):
        keep_dataset(blobs, "w", _zip(files), io.BytesIO(_YAML))
    assert blobs.keys("incoming") == []


def test_what_is_no_zip_file_is_refused(blobs: Blobs) -> None:
    with pytest.raises(FormatError, match="no zip file"):
        keep_dataset(blobs, "w", io.BytesIO(b"PK\3\4 and so on"), io.BytesIO(_YAML))


def test_bombs_are_refused(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yolo_uploads, "_SMALL", 1_000_000)
    with pytest.raises(TooLargeError, match="would unpack to 2,000,000"):
        keep_dataset(blobs, "w", _zip({"images/a.png": bytes(2_000_000)}), io.BytesIO(_YAML))
    monkeypatch.setattr(yolo_uploads, "MOST_FILES", 2)
    with pytest.raises(TooLargeError, match="3 entries"):
        keep_dataset(blobs, "w", _zip(_GOOD), io.BytesIO(_YAML))
    assert blobs.keys("incoming") == []


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (b"names: [a, b]", ("a", "b")),
        (b"names: {0: a, 1: b}\nnc: 2\ntrain: [images/one, images/two]", ("a", "b")),
        ("names:\n- œuvre\n- 7\n".encode(), ("œuvre", "7")),
    ],
)
def test_labels(text: bytes, labels: tuple[str, ...]) -> None:
    assert labels_in(text) == labels


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[a, b]",
        b"names: []",
        b"names: {1: a}",
        b"names: {a: 0}",
        b"names: [a]\nnc: 2",
        b"names: [a]\ntrain: ../../etc",
        b"names: [a]\nval: /etc",
        b"names: [a]\ntest: https://a.example/d.zip",
        b"names: [a]\ntrain: {a: b}",
        b"names: !!python/object/apply:os.system [id]",
        b"a: &a [x]\nnames: *a",
        b"names: [a\n",
        b"\xff\xfe\xfd",
        b"[" * 5000,
        b"names: [a] # " + b"x" * 300_000,
    ],
)
def test_descriptions_that_are_not_fit_are_refused(text: bytes) -> None:
    with pytest.raises(LimnerError):
        labels_in(text)
