"""Sharing and its end, over the API."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.server.api.work import files, made
from tests.server.running import token_for, with_token


@pytest.fixture(params=["documents", "jobs"])
def url(request: pytest.FixtureRequest, client: TestClient) -> str:
    """The address of a document, and of a job."""
    if request.param == "documents":
        return client.post("/v1/documents", files=files("a.png")).json()["links"]["self"]
    return made(client, source="https://lib.example/manifest.json")["links"]["self"]


def test_sharing_gives_links_that_stay(client: TestClient, url: str) -> None:
    assert client.get(f"{url}/share").status_code == 404
    assert "iiif" not in client.get(url).json()["links"]
    share = client.put(f"{url}/share").json()
    assert client.put(f"{url}/share").json() == client.get(f"{url}/share").json() == share
    assert share["links"]["iiif"] == f"http://127.0.0.1/iiif/{share['key']}/manifest.json"
    links = client.get(url).json()["links"]
    assert share["links"].items() <= links.items()
    assert links["content_state"].startswith("https://projectmirador.org/embed/?iiif-content=")
    (listed,) = client.get(url.rpartition("/")[0]).json()["items"]
    assert listed["links"] == links
    assert client.delete(f"{url}/share").status_code == 204
    assert client.delete(f"{url}/share").status_code == 204
    assert client.get(f"{url}/share").status_code == 404
    assert "iiif" not in client.get(url).json()["links"]


def test_who_may_share(client: TestClient, anonymous: TestClient, stranger: TestClient, url: str) -> None:
    trainer = with_token(anonymous, token_for(anonymous, "train"))
    for method in ("PUT", "DELETE"):
        assert anonymous.request(method, f"{url}/share").status_code == 401
        assert trainer.request(method, f"{url}/share").status_code == 403
        assert stranger.request(method, f"{url}/share").status_code == 404
    client.put(f"{url}/share")
    assert trainer.get(f"{url}/share").status_code == 200
    assert stranger.get(f"{url}/share").status_code == 404
