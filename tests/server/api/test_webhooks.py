"""Webhooks over HTTP: set for a workspace, logged for a job, sent once more."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from limner.jobs.webhooks import verify
from tests.operations.jobs.receiver import Receiver
from tests.server.api.work import ended, files
from tests.server.conftest import MakeClient
from tests.server.running import token_for, with_token


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def busy(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """An admin's client of a server that works, and that does not wait for long before it tries again."""
    quick = {"pauses": (0.1, 0.1), "poll": 0.1, "at_once": 4, "lease": 60.0}
    monkeypatch.setattr("limner.jobs.webhooks.WebhookPump.__init__.__kwdefaults__", quick)
    anonymous = make_client(workers=1, webhook_secret="the server's key")
    return with_token(anonymous, token_for(anonymous, "admin"))


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def test_a_callback_is_tried_again_until_it_gets_through_and_can_be_repeated(
    busy: TestClient, receiver: Receiver
) -> None:
    receiver.statuses = [500, 502]
    job = busy.post("/v1/jobs", files=files("a.png"), data={"callback": receiver.url}).json()
    deliveries = f"{job['links']['self']}/deliveries"
    _until(lambda: [each["status"] for each in busy.get(deliveries).json()["items"]] == ["delivered"])
    (delivery,) = busy.get(deliveries).json()["items"]
    assert (delivery["number"], delivery["event"], delivery["url"]) == (1, "job.finished", receiver.url)
    assert [attempt["status_code"] for attempt in delivery["log"]] == [500, 502, 200]
    assert json.loads(receiver.messages[-1].body)["job"]["links"] == job["links"]
    again = busy.post(f"{deliveries}/1/replay")
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    _until(lambda: len(receiver.messages) == 4)
    assert busy.post(f"{deliveries}/2/replay").status_code == 404
    assert busy.post(f"{deliveries}/0/replay").status_code == 422


def test_a_workspace_is_told_of_all_its_jobs(busy: TestClient, receiver: Receiver) -> None:
    assert busy.get("/v1/webhook").status_code == 404
    answer = busy.put("/v1/webhook", json={"url": receiver.url, "secret": "the workspace's key"})
    assert (answer.status_code, answer.json()) == (200, {"url": receiver.url, "form": "json", "signed": True})
    assert "the workspace's key" not in busy.get("/v1/webhook").text
    ended(busy, busy.post("/v1/jobs", files=files("a.png")).json())
    _until(lambda: len(receiver.messages) == 1)
    message = receiver.messages[0]
    assert verify(b"the workspace's key", message.headers, message.body)
    assert busy.delete("/v1/webhook").status_code == 204
    job = ended(busy, busy.post("/v1/jobs", files=files("a.png")).json())
    assert busy.get(f"{job['links']['self']}/deliveries").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "ftp://app.example"}, 403),
        ({"url": "https://user:word@app.example"}, 403),
        ({"url": ""}, 422),
        ({"url": "https://app.example", "form": "xml"}, 422),
        ({"url": "https://app.example", "secret": "short"}, 422),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(client: TestClient, body: dict[str, str], status: int) -> None:
    assert client.put("/v1/webhook", json=body).status_code == status
    assert client.get("/v1/webhook").status_code == 404


def test_the_webhook_belongs_to_the_admins_of_its_workspace(
    client: TestClient, stranger: TestClient, anonymous: TestClient
) -> None:
    client.put("/v1/webhook", json={"url": "https://app.example/hook"})
    assert stranger.get("/v1/webhook").status_code == 404
    annotator = with_token(anonymous, token_for(anonymous, "annotate"))
    assert annotator.get("/v1/webhook").status_code == 403
    assert annotator.put("/v1/webhook", json={"url": "https://app.example"}).status_code == 403
    assert annotator.delete("/v1/webhook").status_code == 403
    assert anonymous.get("/v1/webhook").status_code == 401
