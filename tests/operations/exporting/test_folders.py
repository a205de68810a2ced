"""Exports that other programs run."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from limner.core.errors import BundleError, MissingExtraError, UsageError
from limner.models.builtin import TEXT
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.models.runtimes.onnx import answers
from limner.operations.exporting.folders import export_bundle, export_openvino
from tests.models.networks import bright_boxes_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    folder = bright_boxes_bundle(tmp_path / "bright", side=64)
    (folder / "LICENSE").write_text("CC0")
    return read_bundle(folder)


def test_a_bundle_is_copied_with_its_licence(bundle: Bundle, tmp_path: Path) -> None:
    made = export_bundle(bundle, tmp_path / "out")
    assert read_bundle(tmp_path / "out").sha256 == bundle.sha256 == made.sha256
    assert (tmp_path / "out" / "LICENSE").read_text() == "CC0"
    with pytest.raises(UsageError, match="already and not empty"):
        export_bundle(bundle, tmp_path / "out")


def test_the_files_of_openvino_run(bundle: Bundle, tmp_path: Path) -> None:
    """OpenVINO itself reads and runs them, and answers as ONNX Runtime does."""
    import openvino

    path = export_openvino(bundle, tmp_path / "out")
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "LICENSE",
        "README.md",
        "bundle.json",
        "model.bin",
        "model.xml",
    ]
    image = np.zeros((1, 3, 64, 64), np.float32)
    image[:, :, 16:32, 8:48] = 1
    network = openvino.compile_model(str(path), "CPU", {"INFERENCE_NUM_THREADS": 1})
    found = [*network({"images": image}).values()]
    wanted = answers(bundle.weights_path, {"images": image})
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert float(wanted[1].max()) > 0.5
    readme = (path.parent / "README.md").read_text()
    assert bundle.sha256 in readme
    assert '"images": tensor' in readme


def test_without_openvino_it_says_what_to_install(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import limner.models.importers.extras as extras

    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"limner\[openvino\]"):
        export_openvino(bundle, tmp_path / "out")


def test_what_is_no_network_is_not_exported(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run by rapidocr"):
        export_bundle(TEXT, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    bundle.weights_path.write_bytes(bytes(bundle.weights_path.stat().st_size))
    with pytest.raises(BundleError, match=hashlib.sha256(bundle.weights_path.read_bytes()).hexdigest()):
        export_bundle(bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()
