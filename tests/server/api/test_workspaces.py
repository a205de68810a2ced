"""``/v1/workspaces``."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from limner.storage.documents import Documents, NewDocument
from limner.storage.jobs import Jobs, NewJob
from limner.storage.tokens import Tokens
from tests.server.running import state_of, token_for, with_token

URL = "/v1/workspaces"


def test_workspaces_are_made_and_listed(client: TestClient) -> None:
    made = client.post(URL, json={"name": " manuscripts "})
    assert made.status_code == 201
    assert made.json()["name"] == "manuscripts"
    assert [each["name"] for each in client.get(URL).json()["items"]] == ["default", "manuscripts"]
    part = client.get(URL, params={"limit": 1}).json()
    assert client.get(URL, params={"cursor": part["next"]}).json()["items"] == [made.json()]


def test_a_name_is_taken_once(client: TestClient) -> None:
    assert client.post(URL, json={"name": "default"}).status_code == 409


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "  "}, {"name": "x" * 201}, {"name": "x", "id": "y"}])
def test_names_that_cannot_be_used_are_refused(client: TestClient, body: dict[str, str]) -> None:
    assert client.post(URL, json=body).status_code in (400, 422)


def test_only_the_servers_admins_may(client: TestClient, stranger: TestClient, anonymous: TestClient) -> None:
    annotator = with_token(anonymous, token_for(anonymous, "annotate", "train"))
    for other in (stranger, annotator):
        assert other.get(URL).status_code == 403
        assert other.post(URL, json={"name": "x"}).status_code == 403
        assert other.delete(f"{URL}/{state_of(client).home}").status_code == 403


def test_a_workspace_goes_with_everything_in_it(client: TestClient, bright: Path) -> None:
    state = state_of(client)
    workspace = client.post(URL, json={"name": "gone"}).json()["id"]
    secret = client.post("/v1/tokens", json={"name": "x", "scopes": ["admin"], "workspace": workspace}).json()["secret"]
    inside = with_token(client, secret)
    job = Jobs(state.database, workspace).add(NewJob(kind="annotate", queue="bright@1"))
    new = NewDocument(title="t", pages=[])
    document = Documents(state.database, workspace).create(new, author="me")
    for key in (f"jobs/{job.id}/a", f"documents/{document.id}/images/a.jpg", "jobs/other/a"):
        state.blobs.write(key, b"x")
    store = state.services.libraries.of(workspace).store
    store.folder.mkdir(parents=True)

    assert client.delete(f"{URL}/{workspace}").status_code == 204
    assert inside.get("/v1/models").status_code == 401
    assert state.blobs.keys("jobs") == ["jobs/other/a"]
    assert state.blobs.keys("documents") == []
    assert not store.folder.exists()
    assert client.delete(f"{URL}/{workspace}").status_code == 404


def test_the_workspace_of_the_admins_stays(client: TestClient) -> None:
    state = state_of(client)
    assert client.delete(f"{URL}/{state.home}").status_code == 409
    assert Tokens(state.database, state.home).list()
