"""Who sees what: nobody without the key, nobody after it was revoked, no other workspace, everybody with --no-auth."""

from __future__ import annotations

from starlette.testclient import TestClient

from tests.server.api.work import files
from tests.server.conftest import MakeClient
from tests.server.iiif.published import image_of, shared
from tests.server.running import BASE, token_for, with_token

TILE = "full/10,/0/default.jpg"


def _all(identity: str) -> list[str]:
    """Everything that there is below a key."""
    base = f"/iiif/{identity}"
    own = ("0/manifest.json", "0/export/jsonl", "0/pages/0/alto", "0/images/0", "0/images/0/info.json")
    return [f"{base}/{path}" for path in ("manifest.json", *own, f"0/images/0/{TILE}")]


def test_a_document_is_private_until_it_is_shared(
    client: TestClient, stranger: TestClient, anonymous: TestClient
) -> None:
    document = client.post("/v1/documents", files=files("a.png")).json()
    for url in _all(document["id"]):
        assert client.get(url).status_code == 200
        hidden = [who.get(url, follow_redirects=False) for who in (anonymous, stranger)]
        hidden += [with_token(anonymous, "limner_wrong").get(url, follow_redirects=False)]
        assert [answer.status_code for answer in hidden] == [404, 404, 404]
        nothing = anonymous.get(url.replace(document["id"], "0" * 32), follow_redirects=False)
        assert {answer.text for answer in hidden} == {nothing.text}
    share = client.put(f"/v1/documents/{document['id']}/share").json()
    for url in _all(share["key"]):
        assert anonymous.get(url).status_code == 200
    for url in _all(document["id"]):  # its id still opens it to nobody else
        assert anonymous.get(url, follow_redirects=False).status_code == 404


def test_a_revoked_key_opens_nothing_at_once(client: TestClient, anonymous: TestClient) -> None:
    document, share = shared(client)
    tile = f"{image_of(share)}/{TILE}"
    tag = anonymous.get(tile).headers["etag"]
    assert client.delete(f"/v1/documents/{document['id']}/share").status_code == 204
    for url in _all(share["key"]):
        assert anonymous.get(url, follow_redirects=False).status_code == 404
    assert anonymous.get(tile, headers={"If-None-Match": tag}).status_code == 404
    again = client.put(f"/v1/documents/{document['id']}/share").json()
    assert anonymous.get(f"/iiif/{share['key']}/manifest.json").status_code == 404
    assert anonymous.get(again["links"]["iiif"]).status_code == 200


def test_a_deleted_document_takes_its_share_along(client: TestClient, anonymous: TestClient) -> None:
    document, share = shared(client)
    assert anonymous.get(f"{image_of(share)}/{TILE}").status_code == 200
    client.delete(document["links"]["self"])
    for url in _all(share["key"]):
        assert anonymous.get(url, follow_redirects=False).status_code == 404


def test_what_a_token_opens_is_kept_in_no_shared_cache(client: TestClient) -> None:
    document = client.post("/v1/documents", files=files("a.png")).json()
    for url in _all(document["id"]):
        answer = client.get(url)
        assert answer.headers["cache-control"].startswith("private")
        assert "Authorization" in answer.headers["vary"]


def test_without_tokens_everything_of_the_own_workspace_is_open(make_client: MakeClient) -> None:
    client = make_client(auth=False)
    document = client.post("/v1/documents", files=files("a.png")).json()
    assert document["links"]["iiif"] == f"{BASE}/iiif/{document['id']}/manifest.json"
    other = with_token(client, token_for(client, "admin", workspace="elsewhere"))
    assert other.get("/v1/documents").json()["items"]  # without tokens everybody is of the workspace default
    for url in _all(document["id"]):
        answer = client.get(url, headers={"Origin": "https://viewer.example"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert client.get(f"/iiif/{'0' * 32}/manifest.json").status_code == 404


def test_what_is_no_key(client: TestClient, anonymous: TestClient) -> None:
    for key in ("x", "a" * 65, "%00" * 32, "..%2f..", "'or 1=1--" * 3):
        for who in (client, anonymous):
            assert who.get(f"/iiif/{key}/manifest.json").status_code in (404, 422), key


def test_viewers_have_a_limit_of_their_own(make_client: MakeClient) -> None:
    anonymous = make_client(rate_limit=3, viewer_rate_limit=5)
    answers = [anonymous.get("/iiif/x/manifest.json").status_code for _ in range(7)]
    assert answers == [404] * 5 + [429] * 2
    refused = anonymous.get("/iiif/x/manifest.json")
    assert refused.headers["access-control-allow-origin"] == "*"
    assert anonymous.get("/v1/documents").status_code == 401
