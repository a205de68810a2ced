"""``/v1/tokens``."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from tests.server.running import state_of, token_for, with_token

URL = "/v1/tokens"


def test_a_token_is_made_and_its_secret_shown_once(client: TestClient) -> None:
    made = client.post(URL, json={"name": "vision app", "scopes": ["annotate"]})
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert with_token(client, secret).get("/v1/models").status_code == 200
    listed = client.get(URL)
    assert "vision app" in listed.text
    assert secret not in listed.text
    assert all("secret" not in token for token in listed.json()["items"])


def test_a_token_is_revoked(client: TestClient) -> None:
    made = client.post(URL, json={"name": "x", "scopes": ["annotate"]}).json()
    assert client.delete(f"{URL}/{made['id']}").status_code == 204
    assert with_token(client, made["secret"]).get("/v1/models").status_code == 401
    assert client.delete(f"{URL}/{made['id']}").status_code == 404


def test_a_token_ends_when_it_is_said_to(client: TestClient) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    made = client.post(URL, json={"name": "x", "scopes": ["train"], "expires_at": soon}).json()
    assert datetime.fromisoformat(made["expires_at"]) == datetime.fromisoformat(soon)
    naive = (datetime.now(UTC) + timedelta(days=1)).replace(tzinfo=None).isoformat()
    made = client.post(URL, json={"name": "x", "scopes": ["train"], "expires_at": naive}).json()
    assert made["expires_at"].endswith(("Z", "+00:00"))


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "", "scopes": ["admin"]},
        {"name": "  ", "scopes": ["admin"]},
        {"name": "x", "scopes": ["admin"], "expires_at": "2001-01-01T00:00:00Z"},
        {"name": "x", "scopes": ["admin"], "expires_at": "9999-12-31T23:59:59Z"},
        {"name": "x", "scopes": ["admin"], "expires_at": "soon"},
        {"name": "x", "scopes": ["admin"], "secret": "limner_mine"},
        {"scopes": ["admin"]},
    ],
)
def test_tokens_that_make_no_sense_are_refused(client: TestClient, body: dict[str, object]) -> None:
    assert client.post(URL, json=body).status_code in (400, 422)


def test_the_servers_admin_makes_tokens_for_other_workspaces(client: TestClient) -> None:
    workspace = client.post("/v1/workspaces", json={"name": "theirs"}).json()["id"]
    made = client.post(URL, json={"name": "x", "scopes": ["admin"], "workspace": workspace}).json()
    theirs = with_token(client, made["secret"])
    assert [token["id"] for token in theirs.get(URL).json()["items"]] == [made["id"]]
    assert [t["id"] for t in client.get(URL, params={"workspace": workspace}).json()["items"]] == [made["id"]]
    assert client.delete(f"{URL}/{made['id']}").status_code == 404  # not of this workspace
    assert client.delete(f"{URL}/{made['id']}", params={"workspace": workspace}).status_code == 204


def test_to_others_there_is_no_other_workspace(client: TestClient, stranger: TestClient) -> None:
    home = state_of(client).home
    made = client.post(URL, json={"name": "x", "scopes": ["admin"]}).json()
    assert stranger.get(URL, params={"workspace": home}).status_code == 404
    assert stranger.post(URL, json={"name": "x", "scopes": ["admin"], "workspace": home}).status_code == 404
    assert stranger.delete(f"{URL}/{made['id']}").status_code == 404
    assert stranger.delete(f"{URL}/{made['id']}", params={"workspace": home}).status_code == 404
    assert client.get(URL, params={"workspace": "nothing"}).status_code == 404


def test_tokens_come_in_parts(client: TestClient) -> None:
    for number in range(3):
        client.post(URL, json={"name": str(number), "scopes": ["annotate"]})
    first = client.get(URL, params={"limit": 3}).json()
    second = client.get(URL, params={"limit": 3, "cursor": first["next"]}).json()
    assert len({token["id"] for token in first["items"] + second["items"]}) == 4
    assert second["next"] is None


def test_only_admins_may(anonymous: TestClient) -> None:
    annotator = with_token(anonymous, token_for(anonymous, "annotate", "train"))
    assert annotator.get(URL).status_code == 403
    assert annotator.post(URL, json={"name": "x", "scopes": ["annotate"]}).status_code == 403
    assert annotator.delete(f"{URL}/x").status_code == 403
