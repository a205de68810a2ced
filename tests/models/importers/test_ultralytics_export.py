from __future__ import annotations

from pathlib import Path

import pytest

from limner.core.errors import BundleError, MissingExtraError
from limner.models.importers import ultralytics_export
from limner.models.importers.protocol import Wishes
from limner.models.importers.ultralytics_export import ULTRALYTICS_EXPORT
from tests.models.importers.checkpoints import saved, stand_ins
from tests.models.importers.test_onnx_yolo import COLUMNS, V8, exported
from tests.models.importers.test_pytorch_yolo import Network, Trap

#: A package that answers as ultralytics does: it "exports" a file that lies ready.
STAND_IN = """
import os, pathlib, shutil
class YOLO:
    def __init__(self, path): self.path = pathlib.Path(path)
    def export(self, *, format, dynamic, opset, simplify):
        assert (format, dynamic, opset, simplify) == ("onnx", True, 17, False)
        assert os.environ["YOLO_AUTOINSTALL"] == "false"
        ready = pathlib.Path(__file__).with_name("ready.onnx")
        if not ready.exists(): raise RuntimeError("no such layer here")
        if ready.stat().st_size: shutil.copy(ready, self.path.with_suffix(".onnx"))
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    with stand_ins({"ultralytics.nn.tasks.DetectionModel": Network}):
        return saved({"model": Network()}, tmp_path / "Best Model.pt")


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Path:
    """The stand-in package, for the process that is started and for us."""
    folder = tmp_path / "packages" / "ultralytics"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder


def test_nobody_gets_there_unasked(checkpoint: Path):
    assert not ULTRALYTICS_EXPORT.accepts(checkpoint)
    assert ULTRALYTICS_EXPORT.runs_code  # which is how uploads know that it is not for them


def test_it_has_to_be_installed_by_its_user(checkpoint: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(ultralytics_export, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"ultralytics is not installed.*AGPL-3\.0.*pip install ultralytics"):
        ULTRALYTICS_EXPORT.convert(checkpoint, tmp_path / "bundle", Wishes())


def test_what_it_exports_is_taken_in(checkpoint: Path, package: Path, tmp_path: Path):
    exported(package / "ready.onnx", V8, size=("height", "width"), output0=COLUMNS)
    bundle = ULTRALYTICS_EXPORT.convert(checkpoint, tmp_path / "bundle", Wishes())
    assert (bundle.ref, bundle.labels) == ("best-model@1", ("illustration", "initial"))
    assert (bundle.provenance.source, bundle.provenance.converter) == ("Best Model.pt", "limner ultralytics-export")
    assert bundle.licence.startswith("AGPL-3.0")


def test_what_goes_wrong_there_is_told(checkpoint: Path, package: Path, tmp_path: Path):
    with pytest.raises(BundleError, match="could not export the model: RuntimeError: no such layer here"):
        ULTRALYTICS_EXPORT.convert(checkpoint, tmp_path / "bundle", Wishes())
    (package / "ready.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match="has made no ONNX file"):
        ULTRALYTICS_EXPORT.convert(checkpoint, tmp_path / "bundle", Wishes())


def test_what_would_be_run_there_is_looked_at_first(package: Path, tmp_path: Path):
    path = saved({"model": Trap(tmp_path / "was-here")}, tmp_path / "trap.pt")
    with pytest.raises(BundleError, match=r"it names (posix|nt)\.system, and ultralytics would run that"):
        ULTRALYTICS_EXPORT.convert(path, tmp_path / "bundle", Wishes())
    assert not (tmp_path / "was-here").exists()
