"""Pages of any origin may read what is published, and show no token while they do."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.server.conftest import MakeClient
from tests.server.iiif.published import image_of, shared
from tests.server.running import token_for, with_token

ASKING = {"Origin": "https://viewer.example", "Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize("origins", ["", "https://app.example"])
def test_any_origin_may_read(make_client: MakeClient, origins: str) -> None:
    anonymous = make_client(cors_origins=origins)
    service = image_of(shared(with_token(anonymous, token_for(anonymous, "annotate")))[1])
    for origin in ("https://viewer.example", "https://app.example", "null"):
        answer = anonymous.get(f"{service}/info.json", headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "Link" in answer.headers["access-control-expose-headers"]
    asked = anonymous.options(f"{service}/info.json", headers=ASKING)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "*")
    assert "authorization" not in asked.headers["access-control-allow-headers"].lower()


def test_the_api_stays_closed(anonymous: TestClient) -> None:
    assert "access-control-allow-origin" not in anonymous.get("/v1/documents", headers=ASKING).headers
    assert "access-control-allow-origin" not in anonymous.options("/v1/documents", headers=ASKING).headers
    assert "access-control-allow-origin" not in anonymous.get("/iiifs", headers=ASKING).headers
