"""What is noted of jobs, however they end."""

from __future__ import annotations

from pathlib import Path

import pytest

from limner.operations import services
from limner.operations.tracking.tracker import Tracker
from limner.operations.tracking.writer import Pace, Writer
from tests.models.networks import bright_boxes_bundle
from tests.operations.jobs.workplace import Workplace, bright_page, image_bytes, opened, upload
from tests.operations.tracking.memory import Kept, Memory


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bright_boxes_bundle(tmp_path_factory.mktemp("bundles") / "bright", side=64)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """Where all services of the test note things."""
    store = Memory()
    writer = Writer("here", lambda: store, Pace(interval=3600))
    monkeypatch.setattr(services, "make_tracker", lambda _: Tracker(writer, "limner"))
    return store


def noted(store: Memory, place: Workplace) -> Kept:
    """The only run, when all has been sent."""
    place.services.tracker.close()  # type: ignore[union-attr]
    (run,) = store.runs.values()
    return run


def last(run: Kept) -> dict[str, float]:
    return {point.metric: point.value for point in run.points}


def test_pages_that_fail_are_counted_and_not_timed(store: Memory, tmp_path: Path, bright: Path) -> None:
    good = image_bytes(bright_page((20, 20, 100, 100)))
    with opened(tmp_path, bright) as place:
        job = place.submit(uploads=[upload("a.png", good), upload("b.png", good[:60]), upload("c.png", good)])
        assert place.done(job).status == "partly_failed"
        run = noted(store, place)
    assert (run.status, run.name) == ("FINISHED", "a.png and 2 more")
    assert run.params["workspace"] == "Library"
    assert run.params["hash"] == place.services.store.get("bright").sha256
    assert sorted(point.step for point in run.points if point.metric == "model_seconds") == [1, 3]
    figures = last(run)
    assert (figures["pages_done"], figures["pages_failed"]) == (2, 1)
    assert "write_seconds_mean" in figures
    assert figures["job_queue_seconds"] >= 0


def test_a_job_that_cannot_be_planned_has_failed(store: Memory, tmp_path: Path, bright: Path) -> None:
    with opened(tmp_path, bright) as place:
        job = place.submit("http://127.0.0.1:9/manifest.json")
        assert place.done(job).status == "failed"
        run = noted(store, place)
    assert run.status == "FAILED"
    assert last(run)["pages_done"] == 0


def test_a_job_of_a_model_that_is_gone_is_noted_without_its_hash(store: Memory, tmp_path: Path, bright: Path) -> None:
    with opened(tmp_path, bright, start=False) as place:
        job = place.submit("http://127.0.0.1:9/manifest.json")
        place.services.store.alias("default", "text")
        place.services.store.remove("bright@1")
        place.desk().cancel(job.id)
        run = noted(store, place)
    assert run.status == "KILLED"
    assert run.params["model"] == "bright"
    assert "hash" not in run.params
