from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limner.core.errors import (
    BundleError,
    CheckpointError,
    ModelError,
    ModelNotFoundError,
    UnsafeCheckpointError,
    UsageError,
)
from limner.core.registry import Registry
from limner.models.bundle import Bundle
from limner.models.bundle_files import pack_bundle, read_bundle
from limner.models.importers.onnx_yolo import ONNX_YOLO
from limner.models.importers.protocol import IMPORTERS, Wishes
from limner.models.importers.pytorch_yolo import PYTORCH_YOLO
from limner.models.store import ModelStore
from limner.models.tasks.specs import Input, Stretch
from limner.operations.models import (
    add_model,
    drawn_picture,
    expected_seconds,
    list_models,
    remove_model,
    set_alias,
    show_model,
    try_model,
)
from tests.models.importers.checkpoints import archive, calling
from tests.models.importers.test_pytorch_yolo import checkpoint
from tests.models.networks import bright_boxes_bundle, fixed_outputs, noop_bundle, save, yolov5_rows

TEXT = Bundle(name="text", task="ocr", runtime="rapidocr", labels=("line",), memory=7, page_seconds=5)


@pytest.fixture
def store(tmp_path: Path, monkeypatch) -> ModelStore:
    monkeypatch.setattr(IMPORTERS, "_added", {**IMPORTERS._added, "onnx-yolo": ONNX_YOLO})
    builtin: Registry[Bundle] = Registry("limner.tests.nothing", "built-in model")
    builtin.add("text", TEXT)
    return ModelStore(tmp_path / "models", builtin)


def left_over(store: ModelStore) -> list[str]:
    return [path.name for path in store.folder.iterdir() if path.name.startswith((".incoming", ".removed"))]


def test_a_folder_is_added(store, tmp_path: Path):
    added = add_model(store, bright_boxes_bundle(tmp_path / "bright"))
    assert (added.bundle.ref, added.importer) == ("bright@1", None)
    assert store.get("bright").page_seconds == round(added.page_seconds, 4)
    assert left_over(store) == []


def test_a_zip_is_added_under_another_name(store, tmp_path: Path):
    archive = pack_bundle(read_bundle(bright_boxes_bundle(tmp_path / "bright")), tmp_path / "bright.zip")
    wishes = Wishes(name="boxes", version="3", labels=("light", "reddish"))
    assert add_model(store, archive, wishes).bundle.ref == "boxes@3"
    assert store.get("boxes").labels == ("light", "reddish")


def test_an_onnx_file_is_imported(store, tmp_path: Path):
    model = fixed_outputs(
        {"output0": yolov5_rows([[8, 8, 4, 4, 1, 1]])}, metadata={"names": "['figure']", "stride": "32"}
    )
    added = add_model(store, save(model, tmp_path / "best.onnx"), Wishes(name="figures"))
    assert (added.bundle.ref, added.importer, added.bundle.labels) == ("figures@1", "onnx-yolo", ("figure",))
    with pytest.raises(BundleError, match="already"):
        add_model(store, tmp_path / "best.onnx", Wishes(name="figures"))
    add_model(store, tmp_path / "best.onnx", Wishes(name="figures", labels=("image",)), replace=True)
    assert store.get("figures").labels == ("image",)
    assert left_over(store) == []


def test_what_cannot_run_is_not_installed(store, tmp_path: Path):
    folder = noop_bundle(tmp_path / "noop", input=Input(resize=Stretch(width=64, height=64)))
    with pytest.raises(ModelError, match="noop@1 failed"):
        add_model(store, folder)
    assert [each.bundle.ref for each in list_models(store)] == ["text@1"]
    assert left_over(store) == []


@pytest.mark.parametrize(
    ("wishes", "error", "message"),
    [
        (Wishes(name="../x"), UsageError, "cannot be the name of a model"),
        (Wishes(version="a b"), UsageError, "cannot be the name of a version"),
        (Wishes(labels=("one",)), BundleError, "has 2 labels, and 1 were given"),
    ],
)
def test_wishes_that_cannot_be(store, tmp_path: Path, wishes, error, message):
    with pytest.raises(error, match=message):
        add_model(store, bright_boxes_bundle(tmp_path / "bright"), wishes)


def test_what_nobody_knows_is_refused(store, tmp_path: Path):
    (tmp_path / "weights.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(BundleError, match="no importer knows"):
        add_model(store, tmp_path / "weights.pkl")


def test_lists_cards_and_aliases(store, tmp_path: Path):
    add_model(store, bright_boxes_bundle(tmp_path / "bright"))
    set_alias(store, "default", "bright")
    bright, text = list_models(store)
    assert (bright.bundle.ref, bright.aliases, bright.built_in) == ("bright@1", ("default",), False)
    assert bright.size == bright.bundle.weights.size
    assert (text.bundle, text.built_in, text.size, text.memory) == (TEXT, True, None, 7)
    assert show_model(store, "default") == bright
    set_alias(store, "default", None)
    assert show_model(store, "bright").aliases == ()
    assert remove_model(store, "bright") == "bright@1"
    with pytest.raises(ModelNotFoundError):
        show_model(store, "bright")


def test_an_alias_for_nothing_does_not_hide_the_list(store, tmp_path: Path):
    add_model(store, bright_boxes_bundle(tmp_path / "bright"))
    set_alias(store, "best", "bright")
    (store.folder / "bright").rename(tmp_path / "gone")
    assert [each.bundle.ref for each in list_models(store)] == ["text@1"]


def test_trying_a_model(store, tmp_path: Path):
    add_model(store, bright_boxes_bundle(tmp_path / "bright"))
    image = np.zeros((256, 256, 3), np.uint8)
    image[:64, :64] = 255
    trial = try_model(store, "bright", image, runs=3)
    assert (trial.ref, trial.hash_matches, trial.annotations) == ("bright@1", True, 1)
    assert trial.providers == ("CPUExecutionProvider",)
    assert min(trial.load_seconds, trial.first_seconds, trial.seconds) > 0
    assert try_model(store, "bright", runs=1).annotations > 0  # the drawn picture is mostly bright


def test_other_weights_are_reported_and_not_run(store, tmp_path: Path):
    bundle = add_model(store, bright_boxes_bundle(tmp_path / "bright")).bundle
    bundle.weights_path.write_bytes(b"x" * bundle.weights.size)
    trial = try_model(store, "bright")
    assert (trial.hash_matches, trial.providers, trial.seconds) == (False, (), 0)


def test_the_drawn_picture_is_the_same_each_time():
    assert np.array_equal(drawn_picture(), drawn_picture())
    assert drawn_picture().shape == (1200, 900, 3)
    assert 0.02 < (drawn_picture() < 128).mean() < 0.5


def test_expected_seconds():
    assert expected_seconds(TEXT) == 5
    assert expected_seconds(TEXT.changed(page_seconds=None)) == 1.0


def test_a_checkpoint_of_yolov5_is_imported(store, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(IMPORTERS, "_added", {**IMPORTERS._added, "pytorch-yolo": PYTORCH_YOLO})
    added = add_model(store, checkpoint(tmp_path / "best.pt", "yolov5"), Wishes(name="elements"))
    assert (added.bundle.ref, added.importer) == ("elements@1", "pytorch-yolo")
    assert store.get("elements").labels == ("illustration", "initial")


def test_hostile_checkpoints_are_refused_and_nothing_is_left(store, tmp_path: Path):
    trace = tmp_path / "was-here"
    path = archive(tmp_path / "best.pt", calling("os", "system", f"touch {trace}"))
    with pytest.raises(UnsafeCheckpointError, match=r"best\.pt is refused\. It names os\.system"):
        add_model(store, path)
    bomb = archive(tmp_path / "bomb.pt", bytes(5_000_000), compressed=True)
    with pytest.raises(CheckpointError, match="compressed or encrypted"):
        add_model(store, bomb)
    assert not trace.exists()
    assert store.list() == (TEXT,)
    assert left_over(store) == []
