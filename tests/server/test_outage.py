"""A database that goes away for a while: requests are told so, and everything goes on when it is back."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from starlette.testclient import TestClient

from tests.operations.jobs.workplace import save_pages, until
from tests.proxy import Proxy
from tests.server.api.work import ended, made
from tests.server.conftest import MakeClient
from tests.server.running import token_for, with_token
from tests.sources.iiif.loopback import IIIFServer

PAGES = 60


def _refused(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:limner:problem:storage"
    assert "127.0.0.1" not in answer.text
    assert answer.headers["x-request-id"]


def _ready(client: TestClient) -> int:
    return client.get("/readyz").status_code


def test_a_database_that_goes_away_is_said_to_be_away_and_nothing_is_lost(
    make_client: MakeClient, postgres_url: str, tmp_path: Path
) -> None:
    port = urlsplit(postgres_url).port
    with Proxy(port) as proxy, IIIFServer(save_pages(tmp_path / "library", PAGES), latency=0.02) as library:
        anonymous = make_client(workers=1, database_url=postgres_url.replace(f":{port}/", f":{proxy.port}/"))
        client = with_token(anonymous, token_for(anonymous, "annotate"))
        job = made(client, source=library.manifest_url())
        until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["pages"]["done"] >= 5)
        proxy.cut()
        _refused(client, "/v1/jobs")
        until(lambda: _ready(client) == 503)
        assert client.get("/healthz").status_code == 200
        proxy.mend()
        job = ended(client, job)
        assert (job["status"], job["pages"]) == ("succeeded", {"total": PAGES, "done": PAGES, "failed": 0})
        until(lambda: _ready(client) == 200)
