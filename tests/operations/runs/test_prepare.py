import json
from pathlib import Path

import pytest

from limner.core.errors import (
    BundleError,
    DatasetNotFoundError,
    MissingExtraError,
    ModelNotFoundError,
    TrainingError,
    UnknownNameError,
    UsageError,
)
from limner.models.bundle_files import TRAINING, read_bundle
from limner.models.store import ModelStore
from limner.operations.runs import prepare as module
from limner.operations.runs.places import TrainingPlace
from limner.operations.runs.prepare import architecture_of, model_name, need_train_extra, prepare
from limner.training.fitting.folder import RunFolder
from tests.models.networks import bright_boxes_bundle
from tests.training.fitting.squares import squares


@pytest.fixture
def place(tmp_path: Path) -> TrainingPlace:
    squares(tmp_path / "datasets", train=2, val=1)
    store = ModelStore(tmp_path / "models")
    bundle = read_bundle(bright_boxes_bundle(tmp_path / "bright", side=64))
    store.add(bundle)
    store.add(bundle.changed(name="taught"))
    header = json.dumps({"__metadata__": {"architecture": "lite"}}).encode()
    (tmp_path / "models" / "taught" / "1" / TRAINING).write_bytes(len(header).to_bytes(8, "little") + header)
    return TrainingPlace(tmp_path, store)


def test_only_what_was_asked_for_is_set(place: TrainingPlace, tmp_path: Path) -> None:
    prepared = prepare({"dataset": "squares", "epochs": 3, "minutes": None}, place)
    assert prepared.config.model_fields_set == {"dataset", "dataset_sha256", "architecture", "name", "epochs"}
    assert (prepared.config.dataset, prepared.config.name, prepared.config.architecture) == (
        "squares@1",
        "squares",
        "lite",
    )
    folder = RunFolder(tmp_path / "run")
    prepared.write(folder)
    written = json.loads(folder.config.read_text())
    assert written["dataset_sha256"] == place.datasets.get("squares").sha256
    folder.config.write_text("{}")
    prepared.write(folder)
    assert folder.config.read_text() == "{}"  # what has begun is not written over


def test_a_model_to_begin_with_says_what_it_is(place: TrainingPlace) -> None:
    prepared = prepare({"dataset": "squares", "base": "taught"}, place)
    assert (prepared.config.base, prepared.config.architecture) == ("taught@1", "lite")
    assert prepared.base == place.root / "models" / "taught" / "1"
    with pytest.raises(UsageError, match="is a lite, and a maskrcnn cannot begin"):
        prepare({"dataset": "squares", "base": "taught", "architecture": "maskrcnn"}, place)
    damaged = place.models.get("taught")
    (damaged.folder / TRAINING).write_bytes(b"\xff" * 20)
    with pytest.raises(BundleError, match="do not say what they are of"):
        architecture_of(damaged)


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        ({"dataset": "squarse"}, DatasetNotFoundError, "Did you mean squares"),
        ({"dataset": ""}, DatasetNotFoundError, "no dataset"),
        ({"architecture": "lit"}, UnknownNameError, "Did you mean lite"),
        ({"base": "nobody"}, ModelNotFoundError, "no model"),
        ({"base": "bright"}, BundleError, "no weights to go on from"),
        ({"base": "text"}, BundleError, "no weights to go on from"),
        ({"epochs": 0, "image_size": 7}, UsageError, r"epochs: .*; image_size: "),
        ({"epoch": 3}, UsageError, "epoch: Extra inputs"),
        ({"name": "default"}, UsageError, "is an alias"),
        ({"name": "Nuts!"}, UsageError, "name: "),
    ],
)
def test_what_cannot_be_is_said_before_it_begins(
    place: TrainingPlace, wrong: dict[str, object], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        prepare({"dataset": "squares", **wrong}, place)


def test_a_dataset_without_pages_to_learn_from_is_refused(place: TrainingPlace, tmp_path: Path) -> None:
    squares(tmp_path / "datasets", train=0, val=2)
    with pytest.raises(TrainingError, match="no page to learn from"):
        prepare({"dataset": "squares@2"}, place)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    need_train_extra()
    monkeypatch.setattr(module, "_MODULES", ("torch", "no_such_module"))
    with pytest.raises(MissingExtraError, match=r"not installed \(no_such_module\).*limner\[train\]"):
        need_train_extra()


@pytest.mark.parametrize(
    ("text", "name"), [("My nuts!", "my-nuts"), ("runs/exp_2", "runs-exp_2"), ("…", "model"), ("a" * 90, "a" * 64)]
)
def test_any_text_becomes_a_name(text: str, name: str) -> None:
    assert model_name(text) == name
