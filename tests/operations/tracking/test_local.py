"""A folder and a file of SQLite, written by MLflow itself in a process of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.operations.tracking import local
from limner.operations.tracking.local import LocalStore
from limner.operations.tracking.places import place_of
from limner.operations.tracking.store import Point, RefusedError, Store, TrackingError, find_or_create

#: MLflow is imported twice, which takes a while on a busy machine.
pytestmark = pytest.mark.timeout(300)

OLDER_FOLDER = """artifact_location: {folder}/0
creation_time: 1
experiment_id: '0'
last_update_time: 1
lifecycle_stage: active
name: Default
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow") / "runs" / "mlflow.db"


@pytest.fixture(scope="module")
def store(database: Path) -> Iterator[Store]:
    place = place_of(f"sqlite:///{database}")
    assert place is not None
    store = place.open()
    yield store
    store.close()


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_what_is_noted_is_in_the_file(store: Store, database: Path) -> None:
    experiment = store.experiment("limner/detect")
    assert store.experiment("limner/detect") == experiment
    key = "2026-11-24/bright@1/0123456789ab"
    run = find_or_create(store, experiment, key, "bright@1 2026-11-24", {"model": "bright"})
    assert find_or_create(store, experiment, key, "another", {"model": "other"}) == run
    store.log(run, [Point("seconds", 0.25, step, 1_000 + step) for step in range(1000)])
    store.log(run, [Point("seconds", 0.25, 0, 1_000)])  # once more, after an answer that got lost
    store.end(run, "KILLED", 5_000)
    assert rows(database, "SELECT count(*), sum(value) FROM metrics") == [(1000, 250.0)]
    assert rows(database, "SELECT name, status, end_time FROM runs") == [("bright@1 2026-11-24", "KILLED", 5_000)]
    assert rows(database, "SELECT key, value FROM params") == [("model", "bright")]
    place = rows(database, "SELECT artifact_location FROM experiments WHERE name = 'limner/detect'")
    assert place == [((database.parent / "artifacts").as_uri() + "/limner_detect",)]
    with pytest.raises(RefusedError, match="not found"):
        store.log("nowhere", [Point("seconds", 1.0, 1, 1)])
    doomed = store.create(experiment, "doomed", 1, {"limner.key": "doomed"})
    store.delete(doomed)
    assert store.find(experiment, "doomed") == []


def test_mlflow_is_not_imported_here(store: Store) -> None:
    store.experiment("limner/detect")
    assert "limner.operations.tracking.child" not in sys.modules or "mlflow" not in vars(
        sys.modules["limner.operations.tracking.child"]
    )


def test_a_folder_of_mlflows_older_kind_is_gone_on_with_by_a_process_that_outlives_signals(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "meta.yaml").write_text(OLDER_FOLDER.format(folder=tmp_path))
    place = place_of(str(tmp_path))
    assert place is not None
    store = place.open()
    assert isinstance(store, LocalStore)
    run = find_or_create(store, store.experiment("EASYOCR"), "key", "name", {})
    assert store._process is not None
    process = store._process
    for number in (signal.SIGINT, signal.SIGTERM):  # what a terminal or systemd sends to all processes at once
        os.kill(process.pid, number)
    store.log(run, [Point("seconds", 0.5, 1, 1_000)])
    store.close()
    assert process.returncode == 0
    (kept,) = tmp_path.glob("*/*/metrics/seconds")
    assert kept.read_text().split() == ["1000", "0.5", "1"]


def test_a_process_that_dies_is_an_error_and_another_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_CHILD", "limner.there_is_no_such_module")
    store = LocalStore(f"sqlite:///{tmp_path}/mlflow.db", tmp_path.as_uri())
    for _ in range(2):
        with pytest.raises(TrackingError, match="process that writes"):
            store.experiment("x")
        assert store._process is None


def test_files_are_kept_with_their_run(store: Store, database: Path, tmp_path: Path) -> None:
    experiment = store.experiment("limner-train")
    run = find_or_create(store, experiment, "run/nuts", "nuts", {})
    (tmp_path / "bundle.json").write_text("{}")
    store.keep(run, "model/bundle.json", str(tmp_path / "bundle.json"))
    (kept,) = database.parent.rglob("model/bundle.json")
    assert (kept.read_text(), kept.is_relative_to(database.parent / "artifacts" / "limner-train" / run)) == ("{}", True)
    with pytest.raises(TrackingError):
        store.keep(run, "nothing.txt", str(tmp_path / "nothing.txt"))
