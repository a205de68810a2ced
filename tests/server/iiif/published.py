"""Documents that are shared, for the tests of what viewers see."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from tests.server.api.work import files


def shared(client: TestClient, *names: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A new document of these pages, and its share."""
    document = client.post("/v1/documents", files=files(*(names or ("a.png",)))).json()
    share = client.put(f"{document['links']['self']}/share")
    assert share.status_code == 200, share.text
    return document, share.json()


def image_of(share: dict[str, Any], index: int = 0) -> str:
    """The address of the image service of a page."""
    return share["links"]["iiif"].replace("manifest.json", f"0/images/{index}")
