"""What goes to and comes from Label Studio: addresses, and predictions that do not get through at once."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from limner.core.errors import AddressRefusedError, SourceError
from limner.core.settings import Settings
from limner.operations.foreign.labelstudio import exchange
from limner.operations.foreign.labelstudio.exchange import LateSender, image_of
from limner.operations.foreign.labelstudio.projects import Project
from limner.operations.foreign.labelstudio.results import Prediction
from limner.sources.net.downloader import Downloader
from tests.operations.bright_pages import page
from tests.operations.jobs.receiver import Receiver
from tests.sources.hostile_server import HostileServer, Reply

PREDICTION = Prediction("m@1", 0.5, [{"id": "limner-1"}])


def settings(folder: Path, networks: str = "127.0.0.0/8") -> Settings:
    return Settings(data=folder, source_networks=networks, fetch_retries=0)


@pytest.mark.parametrize(
    ("text", "path", "token"),
    [
        ("/data/a%20b.png?d=1", "/studio/data/a%20b.png?d=1", "Token t"),
        ("data/a.png", "/studio/data/a.png", "Token t"),
        ("{studio}/elsewhere/a.png", "/elsewhere/a.png", "Token t"),
        ("http://localhost:{port}/a.png", "/a.png", None),
    ],
)
async def test_images_are_asked_for_where_they_lie(tmp_path: Path, text: str, path: str, token: str | None) -> None:
    with HostileServer() as studio, Downloader(settings(tmp_path)) as downloader:
        studio.serve(path.partition("?")[0], Reply(page(), media_type="image/png"))
        project = Project(id="1", hostname=studio.url("/studio"), access_token="t")
        told = text.format(studio=studio.url(""), port=studio.port)
        async with image_of(told, project, downloader) as image:
            assert not isinstance(image.content, str)
            assert image.content.read() == page()
            assert image.name.endswith(".png")
        assert [(seen.path, seen.headers.get("authorization")) for seen in studio.requests] == [(path, token)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gs://bucket/a.png", "presigned URLs"),
        ("file:///etc/passwd", "no address that is fetched"),
        ("/data/a.png", "has not said where it is"),
        ("http://[::1/a.png", "no address that is fetched"),
    ],
)
async def test_what_is_not_asked_for_says_why(tmp_path: Path, text: str, said: str) -> None:
    with Downloader(settings(tmp_path)) as downloader, pytest.raises(SourceError, match=said):
        async with image_of(text, Project(id="1"), downloader):
            pass


async def test_private_addresses_are_refused(tmp_path: Path) -> None:
    with Downloader(settings(tmp_path, "")) as downloader, pytest.raises(AddressRefusedError):
        async with image_of("http://127.0.0.1:9/a.png", Project(id="1"), downloader):
            pass


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "PAUSES", (0.0, 0.0))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("statuses", "attempts", "told"),
    [([201], 1, ""), ([503, 429, 201], 3, ""), ([500] * 5, 3, "it answered 500"), ([400], 1, "it answered 400")],
)
async def test_a_prediction_is_sent_until_it_gets_through_or_never_will(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, statuses: list[int], attempts: int, told: str
) -> None:
    with Receiver(statuses) as receiver, caplog.at_level(logging.WARNING):
        project = Project(id="4", hostname=receiver.url.removesuffix("/hook"), access_token="SECRET")
        await LateSender(settings(tmp_path)).send(project, 7, PREDICTION)
    assert len(receiver.messages) == attempts
    message = receiver.messages[-1]
    assert (message.path, message.headers["Authorization"]) == ("/api/predictions/", "Token SECRET")
    assert json.loads(message.body) == {"task": 7, "model_version": "m@1", "score": 0.5, "result": [{"id": "limner-1"}]}
    assert (told in caplog.text) if told else not caplog.records
    assert "SECRET" not in caplog.text


@pytest.mark.usefixtures("impatient")
async def test_predictions_do_not_go_to_private_addresses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        project = Project(id="4", hostname=receiver.url.removesuffix("/hook"), access_token="t")
        await LateSender(settings(tmp_path, "")).send(project, 7, PREDICTION)
    assert receiver.messages == []
    assert "LIMNER_SOURCE_NETWORKS" in caplog.text
