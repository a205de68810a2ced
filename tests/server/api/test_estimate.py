from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.operations.jobs.workplace import save_pages
from tests.server.running import token_for, with_token
from tests.sources.iiif.loopback import IIIFServer


@pytest.fixture
def library(tmp_path: Path) -> Iterator[IIIFServer]:
    with IIIFServer(save_pages(tmp_path / "library", 3)) as server:
        yield server


def test_a_manifest_is_looked_into_without_fetching_an_image(client: TestClient, library: IIIFServer) -> None:
    answer = client.post("/v1/estimate", json={"source": library.manifest_url(), "model": "text"})
    report = answer.json()
    assert answer.status_code == 200
    assert (report["type"], report["canvases"], report["images"], report["model"]) == ("Manifest", 3, 3, "text@1")
    assert report["estimate_seconds"] >= 15, "the model takes five seconds a page"
    assert client.post("/v1/estimate", json={"source": library.manifest(), "model": "text"}).json() == report
    collection = client.post("/v1/estimate", json={"source": library.collection_url()}).json()
    assert (collection["type"], collection["manifests"], collection["model"]) == ("Collection", 1, "bright@1")
    assert not any(path.startswith("/image/") for path in library.log)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"source": "/etc/passwd"}, 422),
        ({"source": {"hello": "world"}}, 422),
        ({"source": "http://10.0.0.1/manifest.json"}, 403),
        ({"source": "http://127.0.0.1:1/manifest.json"}, 502),
        ({"source": "https://x.example", "model": "nothing"}, 404),
        ({"source": ["https://x.example/1.jpg"]}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_be_estimated_is_refused(client: TestClient, body: dict[str, object], status: int) -> None:
    client.app.state.limner.services.downloader._settings = client.app.state.limner.settings.model_copy(
        update={"fetch_retries": 0}
    )
    assert client.post("/v1/estimate", json=body).status_code == status


def test_it_needs_a_token_that_may_annotate(anonymous: TestClient) -> None:
    trainer = with_token(anonymous, token_for(anonymous, "train"))
    assert anonymous.post("/v1/estimate", json={"source": "https://x.example"}).status_code == 401
    assert trainer.post("/v1/estimate", json={"source": "https://x.example"}).status_code == 403
