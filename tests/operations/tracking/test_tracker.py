"""What is noted of a single image, and in which run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from limner.models.bundle_files import read_bundle
from limner.operations.tracking.store import RefusedError
from limner.operations.tracking.tracker import Tracker
from limner.operations.tracking.writer import Pace, Writer
from tests.models.networks import bright_boxes_bundle
from tests.operations.tracking.memory import Memory
from tests.operations.tracking.test_figures import job

NOON = datetime(2026, 11, 24, 12, 0, 1, tzinfo=UTC)
SECONDS = {"queue": 0.1, "decode": 0.2, "model": 0.3, "write": 0.1}


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def tracker(store: Memory) -> Tracker:
    return Tracker(Writer("here", lambda: store, Pace(interval=3600)), "archive", lambda: NOON)


def test_single_images_of_a_day_share_a_run_for_each_model(tracker: Tracker, store: Memory, tmp_path: Path) -> None:
    one = read_bundle(bright_boxes_bundle(tmp_path / "one", side=64))
    two = one.changed(version="2")
    for bundle in (one, two, one):
        tracker.inference(bundle, SECONDS)
    tracker.close()
    first, second = store.runs.values()
    assert first.experiment == "id of archive-detect"
    assert first.name == "one@1 2026-11-24"
    assert second.name == "one@2 2026-11-24"
    assert first.params["hash"] == one.sha256
    assert {first.params["model"], first.params["version"], first.params["task"]} == {one.name, "1", "detect"}
    assert {point.metric for point in first.points} == {
        "queue_seconds", "decode_seconds", "model_seconds", "write_seconds", "seconds"
    }  # fmt: skip
    assert len(first.points) == 10
    assert [point.value for point in first.points if point.metric == "seconds"] == pytest.approx([0.7, 0.7])
    assert {point.step for point in first.points} == {12 * 3600 + 1}, "seconds of the day"


def test_the_next_day_has_a_run_of_its_own(store: Memory, tmp_path: Path) -> None:
    moments = iter([NOON, NOON + timedelta(hours=12)])
    tracker = Tracker(Writer("here", lambda: store, Pace(interval=3600)), "archive", lambda: next(moments))
    bundle = read_bundle(bright_boxes_bundle(tmp_path / "one", side=64))
    tracker.inference(bundle, SECONDS)
    tracker.inference(bundle, SECONDS)
    tracker.close()
    assert [run.params["day"] for run in store.runs.values()] == ["2026-11-24", "2026-11-25"]


def test_models_of_one_name_with_other_weights_have_runs_of_their_own(
    tracker: Tracker, store: Memory, tmp_path: Path
) -> None:
    """Two workspaces may each have uploaded a ``bright@1``."""
    one = read_bundle(bright_boxes_bundle(tmp_path / "one", side=64))
    assert one.weights is not None
    tracker.inference(one, SECONDS)
    tracker.inference(one.changed(weights=one.weights.model_copy(update={"sha256": "0" * 64})), SECONDS)
    tracker.close()
    assert len(store.runs) == 2


def test_an_interface_may_have_an_experiment_of_its_own(tracker: Tracker, store: Memory, tmp_path: Path) -> None:
    bundle = read_bundle(bright_boxes_bundle(tmp_path / "one", side=64))
    tracker.inference(bundle, SECONDS, "EASYOCR")
    tracker.inference(bundle, SECONDS)
    tracker.close()
    assert [run.experiment for run in store.runs.values()] == ["id of EASYOCR", "id of archive-detect"]


@pytest.mark.parametrize(
    ("status", "end"),
    [("succeeded", "FINISHED"), ("partly_failed", "FINISHED"), ("failed", "FAILED"), ("cancelled", "KILLED")],
)
def test_a_job_has_a_run_that_says_how_it_ended(tracker: Tracker, store: Memory, status: str, end: str) -> None:
    run = tracker.job_run(job(2, 1), None, "Library")
    tracker.page(run, 0, {"fetch": 1.0, "infer": 2.0})
    tracker.ended(run, job(2, 1), status, lambda: [{"fetch": 1.0, "infer": 2.0}])  # type: ignore[arg-type]
    tracker.close()
    (kept,) = store.runs.values()
    assert (kept.experiment, kept.status) == ("id of archive-annotate", end)
    assert kept.params == {"model": "m", "version": "1", "job": "j", "source": "s", "workspace": "Library"}
    values = {point.metric: (point.step, point.value) for point in kept.points}
    assert values["download_seconds"] == (1, 1.0)
    assert values["pages_failed"] == (3, 1.0)
    assert values["model_seconds_mean"] == (3, 2.0)


def test_a_training_has_its_choices_curves_and_files(tracker: Tracker, store: Memory) -> None:
    run = tracker.training_run("nuts-1", "nuts", {"epochs": 3, "augment": "page"})
    tracker.figures(run, {"loss": 0.5}, 4)
    tracker.figures(run, {"map50": 0.25}, 8)
    tracker.files(run, {"model/bundle.json": "/there/bundle.json"}, "FINISHED")
    tracker.close()
    (kept,) = store.runs.values()
    assert (kept.experiment, kept.name, kept.status) == ("id of archive-train", "nuts", "FINISHED")
    assert kept.params == {"epochs": "3", "augment": "page"}
    assert [(point.metric, point.value, point.step) for point in kept.points] == [("loss", 0.5, 4), ("map50", 0.25, 8)]
    assert kept.files == {"model/bundle.json": "/there/bundle.json"}


def test_a_file_that_is_not_taken_loses_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    def fail(method: str) -> None:
        if method == "keep large.bin":
            raise RefusedError("too large")

    store = Memory(fail)
    tracker = Tracker(Writer("here", lambda: store, Pace(interval=3600)), "archive", lambda: NOON)
    run = tracker.training_run("nuts-1", "nuts", {})
    tracker.files(run, {"large.bin": "/a", "small.txt": "/b"}, "FINISHED")
    tracker.close()
    (kept,) = store.runs.values()
    assert (kept.files, kept.status) == ({"small.txt": "/b"}, "FINISHED")
    assert "did not take the file large.bin: too large" in caplog.text


def test_a_job_that_trains_has_its_choices(tracker: Tracker) -> None:
    training = replace(job(0, 0), kind="train", payload={"config": {"epochs": 7}, "title": "nuts"})
    run = tracker.job_run(training, None, "mine")
    assert (run.experiment, run.name, run.params["epochs"]) == ("archive-train", "nuts", "7")
