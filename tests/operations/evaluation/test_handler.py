"""Evaluations as jobs, with a real engine, real models and a dataset of drawn pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.core.errors import (
    ConflictError,
    DatasetError,
    DatasetNotFoundError,
    MissingExtraError,
    ModelNotFoundError,
    UsageError,
)
from limner.models.bundle import BUILTIN
from limner.models.bundle_files import read_bundle
from limner.models.protocol import RUNTIMES
from limner.operations.datasets.desk import workspace_datasets
from limner.operations.evaluation.desk import EvaluationDesk, EvaluationRequest
from limner.storage.jobs import Job
from limner.storage.pages import JobPages
from limner.training.datasets.dataset import Dataset, DatasetPage
from tests.models.networks import bright_boxes_bundle
from tests.operations.jobs.workplace import BASE, Slow, Workplace, opened, until
from tests.training.datasets.made import page


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bright_boxes_bundle(tmp_path_factory.mktemp("bundles") / "bright")


@pytest.fixture
def place(tmp_path: Path, bright: Path) -> Iterator[Workplace]:
    with opened(tmp_path / "data", bright) as place:
        yield place


def _slow(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Slow:
    """A built-in model ``slow`` that finds a ``thing`` on every page."""
    runtime = Slow(seconds)
    monkeypatch.setitem(RUNTIMES._added, "slow", runtime)
    monkeypatch.setitem(BUILTIN._added, "slow", runtime.bundle())
    return runtime


def _dataset(place: Workplace, count: int, *labels: str) -> Dataset:
    """Pages with a box each, held out, and one to learn from."""
    store = workspace_datasets(place.settings, place.workspace_id)
    named = labels or ("bright",)
    learnt = page(store, 0, [(named[0], 0, 0, 30, 30)])
    pages: list[DatasetPage] = [
        page(store, at, [(label, 6 * at, 6, 30, 36) for label in named], split="test") for at in range(1, count + 1)
    ]
    made = Dataset(name="boxes", version="", labels=named, pages=(learnt, *pages), images=store.images)
    return store.add(made)


def _desk(place: Workplace) -> EvaluationDesk:
    return EvaluationDesk(
        database=place.database,
        blobs=place.blobs,
        services=place.services,
        engine=place.engine,
        workspace_id=place.workspace_id,
    )


def _begun(place: Workplace, model: str = "bright", dataset: str = "boxes", **wishes: object) -> Job:
    return _desk(place).create(EvaluationRequest(model=model, dataset=dataset, **wishes), BASE)


def test_figures_and_report_are_kept_with_the_job(place: Workplace) -> None:
    _dataset(place, 3)
    job = place.done(_begun(place))
    assert (job.status, job.pages.done, job.kind, job.source) == ("succeeded", 3, "evaluate", "boxes@1")
    state = _desk(place).get(job.id)
    assert state.figures is not None
    assert (state.figures["model"], state.figures["pages"], state.figures["map50"]) == ("bright@1", 3, 1.0)
    assert list(state.files) == ["labels.csv", "report.html", "report.json"]
    assert b"bright@1 on boxes@1" in b"".join(_desk(place).file(job.id, "report.html"))
    place.desk().delete(job.id)
    assert place.blobs.keys(f"jobs/{job.id}") == []


def test_two_models_are_compared_on_the_pages_that_both_could_see(place: Workplace, bright: Path) -> None:
    place.services.store.add(read_bundle(bright).changed(name="other"))
    dataset = _dataset(place, 4)
    dataset.image_path(dataset.pages[1]).write_bytes(b"no image")
    job = place.done(_begun(place, compare="other", threshold=0.4))
    assert (job.status, job.pages.done, job.pages.failed) == ("partly_failed", 6, 2)
    figures = _desk(place).get(job.id).figures
    assert figures is not None
    assert (figures["pages"], figures["threshold"]) == (3, 0.4)
    comparison = figures["comparison"]
    assert (comparison["first"], comparison["second"], comparison["gain_map50"]) == ("bright@1", "other@1", 0.0)
    assert [each["together"] for each in comparison["pages"]] == [1, 1, 1]


def test_where_no_page_can_be_looked_at_there_are_no_figures(place: Workplace) -> None:
    dataset = _dataset(place, 1)
    dataset.image_path(dataset.pages[1]).unlink()
    job = place.done(_begun(place))
    assert job.status == "failed"
    assert job.error is not None
    assert "No page of boxes@1 could be looked at" in job.error.message
    with pytest.raises(ConflictError, match="no report"):
        _desk(place).file(job.id, "report.json")


def test_what_was_looked_at_before_a_stop_is_not_looked_at_again(
    tmp_path: Path, bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = _slow(monkeypatch, 0.2)
    with opened(tmp_path / "data", bright) as place:
        _dataset(place, 6, "thing")
        job = _begun(place, "slow")
        pages = JobPages(place.database, place.workspace_id)
        until(lambda: len(pages.list(job.id, status="done")) >= 3)
    slow.seconds = 0
    with opened(tmp_path / "data", bright) as place:
        job = place.done(job)
        assert (job.status, job.pages.done) == ("succeeded", 6)
        assert _desk(place).get(job.id).figures is not None
    assert slow.begun <= 7  # at most the page that was under way was begun twice


def test_a_cancelled_evaluation_stops_and_has_no_report(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = _slow(monkeypatch, 100)
    try:
        _dataset(place, 2, "thing")
        job = _begun(place, "slow")
        until(lambda: slow.begun == 1)
        place.desk().cancel(job.id)
        assert place.done(job).status == "cancelled"
        assert _desk(place).get(job.id).figures is None
    finally:
        slow.gate.set()


def test_what_cannot_be_done_is_said_at_once(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    _slow(monkeypatch, 0)
    _dataset(place, 1, "bright", "thing")
    with pytest.raises(DatasetNotFoundError):
        _begun(place, dataset="nowhere")
    with pytest.raises(ModelNotFoundError):
        _begun(place, "nowhere")
    with pytest.raises(DatasetError, match="no page in val"):
        _begun(place, split="val")
    with pytest.raises(UsageError, match="no label in common"):
        _begun(place, compare="slow")
    with pytest.raises(UsageError, match="compared with itself"):
        _begun(place, compare="bright@1")
    with pytest.raises(UsageError, match="find things"):
        _begun(place, compare="text")


def test_the_report_comes_out_the_same_a_second_time(place: Workplace) -> None:
    """A process that ends in the middle of `finish` begins it again elsewhere."""
    _dataset(place, 2)
    job = place.done(_begun(place))
    (handler,) = [each for each in place.engine._handlers.values() if each.kind == "evaluate"]
    before = {key: place.blobs.read(key) for key in place.blobs.keys(f"jobs/{job.id}/report")}
    place.blobs.write(f"jobs/{job.id}/report/99-found.jpg", b"of another attempt")
    handler.finish(job, _Going())
    assert {key: place.blobs.read(key) for key in place.blobs.keys(f"jobs/{job.id}/report")} == before
    assert json.loads(before[f"jobs/{job.id}/report/report.json"])["pages"] == 2


class _Going:
    def check(self) -> None: ...


def test_what_is_not_installed_is_named(tmp_path: Path, bright: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without the extra says so, unless a worker has it."""
    with opened(tmp_path / "data", bright, start=False) as place:
        _dataset(place, 1)
        monkeypatch.setattr("limner.operations.evaluation.desk._MODULES", ("faster_coco_eval", "not_installed_here"))
        with pytest.raises(MissingExtraError, match=r"\(not_installed_here\).*limner\[train\]"):
            _begun(place)
        place.engine.start()
        until(lambda: any(each.state == "alive" for each in place.engine.overview().workers))
        assert place.done(_begun(place)).status == "succeeded"
