"""Word of jobs that have ended: to a receiver that fails twice, in both forms, and never twice for one end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path

import pytest

from limner.jobs.webhooks import verify
from limner.operations.jobs.hooks import Hook, forget_hook, hook_of, job_deliveries, replay, set_hook
from limner.operations.jobs.notices import Notices, manifest_reference
from limner.storage.engine.board import Board
from limner.storage.jobs import Job, parent_queue
from limner.storage.webhooks import Deliveries
from tests.operations.jobs.conftest import MakeLibrary
from tests.operations.jobs.receiver import Receiver
from tests.operations.jobs.workplace import BASE, Slow, Workplace, opened, until
from tests.sources.iiif.loopback import Canned


@pytest.fixture
def place(tmp_path: Path, bright: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    monkeypatch.setattr("limner.jobs.webhooks.WebhookPump.__init__.__kwdefaults__", _QUICK)
    with opened(tmp_path / "data", bright, webhook_secret="the server's key") as place:
        yield place


_QUICK = {"pauses": (0.1, 0.1, 0.1), "poll": 0.1, "at_once": 4, "lease": 60.0}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def _delivered(place: Workplace, job: Job) -> list[tuple[str, list[int | None]]]:
    """Status and codes of the answers of each message."""
    found = job_deliveries(place.database, place.workspace_id, job.id)
    return [(each.delivery.status, [attempt.status_code for attempt in each.log]) for each in found]


def test_a_receiver_that_fails_twice_is_told_at_last(
    place: Workplace, library: MakeLibrary, receiver: Receiver
) -> None:
    receiver.statuses = [500, 503]
    job = place.done(place.submit(library(1).manifest_url(), callback=receiver.url, title="One page"))
    until(lambda: _delivered(place, job) == [("delivered", [500, 503, 200])])
    message = receiver.messages[-1]
    assert verify(b"the server's key", message.headers, message.body)
    told = json.loads(message.body)
    assert told["event"] == "job.finished"
    assert told["job"] | {"finished_at": None} == {
        "id": job.id,
        "kind": "annotate",
        "status": "succeeded",
        "pages": {"total": 1, "done": 1, "failed": 0},
        "model": "bright@1",
        "source": job.source,
        "title": "One page",
        "priority": 0,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat(),
        "finished_at": None,
        "error": None,
        "links": {
            "self": f"{BASE}/v1/jobs/{job.id}",
            **{name: f"{BASE}/v1/jobs/{job.id}/{name}" for name in ("pages", "events", "results", "cancel", "retry")},
        },
    }


def test_a_message_can_be_sent_once_more(place: Workplace, library: MakeLibrary, receiver: Receiver) -> None:
    job = place.done(place.submit(library(1).manifest_url(), callback=receiver.url))
    until(lambda: _delivered(place, job) == [("delivered", [200])])
    replay(place.database, place.workspace_id, job.id, 1)
    until(lambda: _delivered(place, job) == [("delivered", [200, 200])])
    assert receiver.messages[0].body == receiver.messages[1].body


def test_extractor_clients_get_their_annotation_file(
    place: Workplace, library: MakeLibrary, receiver: Receiver
) -> None:
    server = library(2)
    job = place.submit(server.manifest_url(), callback=receiver.url + "/", callback_form="extractor")
    job = place.done(job)
    until(lambda: len(receiver.messages) == 1)
    message = receiver.messages[0]
    assert message.path == "/hook/pages"
    head = f"Content-Type: {message.headers['Content-Type']}\r\n\r\n".encode()
    parts = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in BytesParser(policy=HTTP).parsebytes(head + message.body).iter_parts()
    }
    assert parts == {
        "model": f"bright_{datetime.now(UTC):%m_%Y}".encode(),
        "annotation_file": b"1 p0000.jpg\n0 0 60 40\n2 p0001.jpg\n20 0 60 40\n",
    }


def test_the_workspace_is_told_of_all_its_jobs_with_its_own_signature(
    place: Workplace, library: MakeLibrary, receiver: Receiver
) -> None:
    set_hook(place.database, place.workspace_id, Hook(receiver.url, "json", "the workspace's key"))
    assert hook_of(place.database, place.workspace_id) == Hook(receiver.url, "json", "the workspace's key")
    server = library(1)
    place.done(place.submit(server.manifest_url(), callback=receiver.url))  # the same receiver is told once
    place.done(place.submit(f"{server.url}/nothing.json"))
    until(lambda: len(receiver.messages) == 2)
    told = {job["status"]: job for job in (json.loads(each.body)["job"] for each in receiver.messages)}
    assert set(told) == {"succeeded", "failed"}  # in either order: messages may overtake each other
    assert told["failed"]["error"]["code"] == "source.status"
    assert all(verify(b"the workspace's key", each.headers, each.body) for each in receiver.messages)
    forget_hook(place.database, place.workspace_id)
    job = place.done(place.submit(server.manifest_url()))
    assert _delivered(place, job) == []


def test_every_end_of_a_job_is_told_and_each_once(
    place: Workplace, library: MakeLibrary, receiver: Receiver, slow: Callable[..., Slow]
) -> None:
    server = library(1)
    server.answer("p0000", Canned(404), times=100)
    job = place.done(place.submit(server.manifest_url(), callback=receiver.url))
    until(lambda: len(receiver.messages) == 1)
    place.engine.retry(place.workspace_id, job.id)
    job = place.done(job)
    deliveries = Deliveries(place.database, place.workspace_id).list(job_id=job.id)
    assert [json.loads(each.body)["job"]["status"] for each in deliveries] == ["failed"] * 2
    until(lambda: len(receiver.messages) == 2)  # messages may overtake each other
    runtime = slow(120.0)
    job = place.submit(library(2).manifest_url(), model="slow", callback=receiver.url)
    until(lambda: runtime.begun == 1)
    place.desk().cancel(job.id)
    place.desk().cancel(job.id)
    until(lambda: [status for status, _ in _delivered(place, job)] == ["delivered"])
    assert json.loads(receiver.messages[-1].body)["job"]["status"] == "cancelled"


def test_finishing_again_after_a_crash_tells_nobody_twice(
    place: Workplace, library: MakeLibrary, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = Notices.ended

    def twice(self: Notices, *end: object) -> None:
        ended(self, *end)
        ended(self, *end)

    monkeypatch.setattr(Notices, "ended", twice)
    job = place.done(place.submit(library(1).manifest_url(), callback=receiver.url))
    until(lambda: _delivered(place, job) == [("delivered", [200])])
    assert len(receiver.messages) == 1


def test_a_job_that_is_given_up_after_crashes_is_told_too(
    tmp_path: Path, bright: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limner.jobs.webhooks.WebhookPump.__init__.__kwdefaults__", _QUICK)
    with opened(tmp_path / "data", bright, start=False) as place:
        job = place.submit("https://library.example/manifest.json", callback=receiver.url)
        board, queue = Board(place.database), parent_queue("annotate")
        for lane in ("a", "b", "c"):  # of processes that died over it
            assert board.take(queue, lane, f"owner {lane}", kinds=["annotate"])
            assert board.give_back(lane)
        place.engine.start()
        job = place.done(job)
        until(lambda: _delivered(place, job) == [("delivered", [200])])
    told = json.loads(receiver.messages[0].body)["job"]
    assert (told["status"], told["error"]["code"]) == ("failed", "gave-up")
    assert len(receiver.messages) == 1


def test_a_message_that_cannot_be_made_does_not_fail_the_job(
    place: Workplace, library: MakeLibrary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> list[object]:
        raise OSError("the store is gone")

    monkeypatch.setattr("limner.operations.jobs.notices.job_documents", broken)
    callback = "https://app.example"
    job = place.done(place.submit(library(1).manifest_url(), callback=callback, callback_form="extractor"))
    assert job.status == "succeeded"
    assert f"Nobody could be told that the job {job.id} has ended" in caplog.text


def test_extractor_clients_hear_nothing_of_a_job_that_was_cancelled(
    place: Workplace, library: MakeLibrary, receiver: Receiver, slow: Callable[..., Slow]
) -> None:
    runtime = slow(0.7)
    manifest = library(9).manifest_url()
    job = place.submit(manifest, model="slow", callback=receiver.url, callback_form="extractor")
    until(lambda: runtime.ended >= 1)
    assert place.desk().cancel(job.id).pages.done < 9
    assert _delivered(place, job) == []


def test_a_private_receiver_is_refused_and_not_tried_again(
    tmp_path: Path, bright: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limner.jobs.webhooks.WebhookPump.__init__.__kwdefaults__", _QUICK)
    with opened(tmp_path / "guarded", bright, source_networks="") as place:
        job = place.done(place.submit("http://127.0.0.1:9/manifest.json", callback=receiver.url))
        until(lambda: _delivered(place, job) == [("failed", [None])])
        (attempt,) = job_deliveries(place.database, place.workspace_id, job.id)[0].log
        assert "not on the public internet" in attempt.error
    assert receiver.messages == []


@pytest.mark.parametrize(
    ("identity", "reference"),
    [
        ("https://lib.example/iiif/ms-22/manifest.json", "ms-22"),
        ("https://gallica.bnf.fr/iiif/ark:/12148/btv1b8449691v/manifest.json", "btv1b8449691v"),
        ("https://lib.example/manifests/ms%2022/manifest", "ms 22"),
        ("https://lib.example/iiif/2/abc.json", "abc"),
        ("https://lib.example", "manifest"),
        ("job:1234", "1234"),
    ],
)
def test_the_reference_of_a_manifest(identity: str, reference: str) -> None:
    assert manifest_reference(identity) == reference
