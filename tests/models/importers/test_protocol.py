from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import BundleError, ModelError, UnknownNameError
from limner.models.bundle import NAME_PATTERN
from limner.models.importers.onnx_yolo import ONNX_YOLO
from limner.models.importers.protocol import IMPORTERS, importer_for, name_from
from tests.models.importers.test_onnx_yolo import ROWS, V5, exported


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The importer, whether the installed package names it already or not."""
    monkeypatch.setattr(IMPORTERS, "_added", {**IMPORTERS._added, "onnx-yolo": ONNX_YOLO})


def test_the_importer_that_knows_the_file_is_found(tmp_path: Path):
    path = exported(tmp_path / "m.onnx", V5, output0=ROWS)
    assert importer_for(path) is ONNX_YOLO
    assert importer_for(tmp_path / "anything", kind="onnx-yolo") is ONNX_YOLO


def test_a_file_that_nobody_knows(tmp_path: Path):
    (tmp_path / "weights.bin").write_bytes(b"?")
    with pytest.raises(BundleError, match=r"weights\.bin is no bundle.*ONNX files exported by YOLOv5"):
        importer_for(tmp_path / "weights.bin")


def test_a_file_that_is_not_there_and_a_kind_that_is_not(tmp_path: Path):
    with pytest.raises(ModelError, match="There is no file"):
        importer_for(tmp_path / "missing.onnx")
    with pytest.raises(UnknownNameError, match="no importer called 'yolo'"):
        importer_for(tmp_path / "missing.onnx", kind="yolo")


@pytest.mark.parametrize(
    ("path", "name"),
    [("runs/Best (2).onnx", "best-2"), ("yolov5n.v6.onnx", "yolov5n.v6"), ("é.onnx", "model"), ("_x_.onnx", "x")],
)
def test_names_are_made_from_files(path, name):
    assert name_from(Path(path)) == name


@settings(deadline=None)
@given(
    st.text(min_size=1, max_size=120).filter(
        lambda text: "/" not in text and "\0" not in text and text not in (".", "..")
    )
)
def test_any_file_name_gives_a_name(text):
    assert re.fullmatch(NAME_PATTERN, name_from(Path(text)))
