"""Server-sent events: the whole story of a job, from any point on, and an end when the server ends."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import pytest
from starlette.testclient import TestClient

from limner.server.api.events import until_stopping
from limner.storage.jobs import JobEvent
from tests.server.api.work import ended, files, made
from tests.server.conftest import MakeClient

MANIFEST = "https://library.example/manifest.json"


def _events(client: TestClient, url: str, **asked: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Id, kind and data of all events, until the stream ends."""
    out = []
    answer = client.get(url, **asked)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if fields:
            out.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return out


def test_a_job_is_told_from_start_to_end(make_client: MakeClient) -> None:
    client = make_client(workers=1, auth=False)
    job = client.post("/v1/jobs", files=files("a.png", "b.png")).json()
    found = _events(client, job["links"]["events"])  # while it runs
    kinds = [kind for _, kind, _ in found]
    assert kinds[0] == "job"
    assert kinds.count("page") == 2
    first, last = found[0][2], found[-1][2]
    assert first["id"] == job["id"]
    assert (last["status"], last["pages"]) == ("succeeded", {"total": 2, "done": 2, "failed": 0})
    assert last["links"] == first["links"]
    assert last["links"].items() <= job["links"].items()  # those for viewers stand in the job alone
    pages = [data for _, kind, data in found if kind == "page"]
    assert pages == [
        {"index": n, "name": name, "status": "done", "error": None, "annotations": 1}
        for n, name in enumerate(("a.png", "b.png"))
    ]
    told = [int(identity) for identity, _, _ in found[1:]]
    assert told == list(range(1, len(told) + 1))
    # When it has ended the same is told once more, or only what is new to the client.
    again = _events(client, job["links"]["events"])
    assert [event[:2] for event in again[1:]] == [event[:2] for event in found[1:]]
    states = [data["status"] for _, kind, data in again[1:] if kind == "job"]
    assert states == ["queued", "queued", "running", "succeeded"]
    rest = _events(client, job["links"]["events"], headers={"Last-Event-ID": str(told[-3])})
    assert [event[0] for event in rest[1:]] == [str(number) for number in told[-2:]]
    assert _events(client, job["links"]["events"], params={"after": told[-3]}) == rest
    end = _events(client, job["links"]["events"], headers={"Last-Event-ID": str(told[-1])})
    assert [(kind, data["status"]) for _, kind, data in end] == [("job", "succeeded")]


def test_an_odd_id_tells_everything(make_client: MakeClient) -> None:
    client = make_client(workers=1, auth=False)
    job = ended(client, client.post("/v1/jobs", files=files("a.png")).json())
    every = _events(client, job["links"]["events"])
    assert _events(client, job["links"]["events"], headers={"Last-Event-ID": "x"}) == every
    beyond = _events(client, job["links"]["events"], headers={"Last-Event-ID": "999999999"})
    assert len(beyond) == 1


def test_a_failed_page_says_why(make_client: MakeClient) -> None:
    client = make_client(workers=1, auth=False)
    job = client.post("/v1/jobs", files=[("file", ("a.png", b"\x89PNG\r\n\x1a\n broken"))]).json()
    found = _events(client, job["links"]["events"])
    (page,) = [data for _, kind, data in found if kind == "page"]
    assert (page["status"], page["error"]["code"], page["annotations"]) == ("failed", "source.decode", None)
    assert found[-1][2]["status"] == "failed"


def test_there_is_no_stream_of_a_job_that_is_not_there(client: TestClient, stranger: TestClient) -> None:
    job = made(client, source=MANIFEST)
    assert stranger.get(job["links"]["events"]).status_code == 404
    assert client.get(f"/v1/jobs/{'0' * 32}/events").json()["type"] == "urn:limner:problem:not-found"


class Server:
    """What uvicorn sets to handle signals."""

    should_exit = False

    def handle_exit(self, *_: object) -> None: ...


async def _never() -> Any:
    await asyncio.sleep(60)
    yield JobEvent(1, "queued", {}, None)


async def test_a_stream_ends_when_the_server_does() -> None:
    server = Server()
    before = signal.signal(signal.SIGTERM, server.handle_exit)
    try:
        reading = asyncio.ensure_future(_all(until_stopping(_never())))
        await asyncio.sleep(0.1)
        assert not reading.done()
        server.should_exit = True
        assert await asyncio.wait_for(reading, 10) == []
    finally:
        signal.signal(signal.SIGTERM, before)


async def _all(found: Any) -> list[JobEvent]:
    return [event async for event in found]


async def test_a_quiet_stream_says_that_it_is_still_there(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    client = make_client(auth=False)
    job = made(client, source=MANIFEST)
    asyncio.get_running_loop().call_later(1.0, lambda: client.post(job["links"]["cancel"]))
    answer = await asyncio.to_thread(client.get, job["links"]["events"])
    assert answer.text.count(": ping\n") >= 2
    assert '"status": "cancelled"' in answer.text.replace('":"', '": "')
