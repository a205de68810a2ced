"""Results: of the pages that are done so far, in their order, of one document or of several."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from limner.core.errors import ConflictError
from limner.operations.jobs.results import job_documents, page_states
from limner.storage.jobs import Jobs
from limner.storage.pages import JobPages
from tests.operations.jobs.conftest import MakeLibrary
from tests.operations.jobs.workplace import Slow, Workplace, until
from tests.sources.iiif.loopback import Canned


def test_results_grow_while_the_job_runs(place: Workplace, library: MakeLibrary, slow: Callable[..., Slow]) -> None:
    runtime = slow(0.4)
    job = place.submit(library(4).manifest_url(), model="slow")
    until(lambda: any(status == "done" for _, status, _ in place.pages(job)))
    (document,) = job_documents(place.database, place.blobs, Jobs(place.database, place.workspace_id).get(job.id))
    seen = [page.page.index for page in document.pages]
    assert seen == list(range(len(seen)))
    assert 1 <= len(seen) < 4
    place.done(job)
    assert [page.page.index for page in document.pages] == [0, 1, 2, 3], "the same document, read once more"
    assert runtime.ended == 4


def test_before_it_is_planned_there_is_nothing_to_give(place: Workplace, library: MakeLibrary) -> None:
    place.engine.stop(0)
    job = place.submit(library(1).manifest_url())
    with pytest.raises(ConflictError, match="still being planned"):
        job_documents(place.database, place.blobs, job)


def test_failed_pages_keep_their_place_and_tell_why(place: Workplace, library: MakeLibrary) -> None:
    server = library(3)
    server.answer("p0001", Canned(403), times=100)
    job = place.done(place.submit(server.manifest_url()))
    (document,) = job_documents(place.database, place.blobs, job)
    pages = list(document.pages)
    assert [(page.page.index, len(page.annotations)) for page in pages] == [(0, 1), (1, 0), (2, 1)]
    assert "could not be had" in pages[1].error
    assert pages[1].page.canvas is not None


def test_of_several_documents_each_has_its_own_pages(
    place: Workplace, library: MakeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches that do not fit the documents."""
    monkeypatch.setattr("limner.operations.jobs.results._BATCH", 2)
    server = library(3)
    addresses = [server.file_url(name) for name in server.images]
    server.answer("p0001", Canned(404), times=1)
    job = place.done(place.submit([*addresses, server.manifest_url(), server.manifest_url(2)]))
    documents = job_documents(place.database, place.blobs, job)
    assert [[(page.page.index, page.error is None) for page in document.pages] for document in documents] == [
        [(0, True), (1, False), (2, True)],
        [(0, True), (1, True), (2, True)],
        [(0, True), (1, True), (2, True)],
    ]
    assert documents[1].rights == "http://creativecommons.org/publicdomain/mark/1.0/"


def test_states_of_pages_have_what_came_of_them(place: Workplace, library: MakeLibrary) -> None:
    server = library(3)
    server.answer("p0001", Canned(404), times=100)
    job = place.done(place.submit(server.manifest_url()))
    states = page_states(place.database, place.workspace_id, job.id, after=-1, limit=10)
    assert [state.annotations for state in states] == [1, None, 1]
    assert set(states[0].seconds) == {"fetch", "decode", "infer", "write"}
    failed = page_states(place.database, place.workspace_id, job.id, status="failed", after=-1, limit=10)
    assert [state.page.name for state in failed] == ["p0001.jpg"]
    assert page_states(place.database, place.workspace_id, job.id, after=1, limit=10)[0].page.number == 2
    assert JobPages(place.database, place.workspace_id).result(job.id, 0)["page"]["width"] == 320
