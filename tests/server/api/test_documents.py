"""Documents over HTTP: uploaded, shown, corrected by two people at once, exported, deleted."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from iiif_prezi3 import Manifest
from PIL import Image
from starlette.testclient import TestClient

from limner.annotations.formats.protocol import WRITERS
from tests.server.api.work import PAGE, ended, files, made
from tests.server.conftest import MakeClient
from tests.server.running import token_for, with_token
from tests.sources.image_files import jpeg, tiff_pages


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    """A document of two pages."""
    answer = client.post("/v1/documents", files=files("a.png", "b.png"), data={"title": "Two", "type": "print"})
    assert answer.status_code == 201, answer.text
    return answer.json()


def _box(identity: str, x: float = 20) -> dict[str, Any]:
    return {"id": identity, "label": "initial", "box": [x, 40, 60, 60]}


def test_an_upload_becomes_a_document(client: TestClient) -> None:
    sent = [("file", ("page.jpg", jpeg())), ("file", ("scan.tif", tiff_pages((40, 30), (30, 40))))]
    sent += [("file", ("bad.png", PAGE[:40]))]
    answer = client.post("/v1/documents", files=sent)
    document = answer.json()
    base = f"http://127.0.0.1/v1/documents/{document['id']}"
    assert (answer.status_code, answer.headers["location"]) == (201, base)
    assert (document["title"], document["pages"], document["source"]) == ("page", 3, "page.jpg, scan.tif, bad.png")
    assert [entry["where"] for entry in document["skipped"]] == ["bad.png"]
    assert document["links"] == {
        "self": base,
        "manifest": f"{base}/manifest.json",
        "pages": f"{base}/pages",
        "export": f"{base}/export",
    }
    assert client.get(base).json() == document
    assert client.get("/v1/documents").json() == {"items": [document], "next": None}
    first = client.get(f"{base}/pages", params={"limit": 2}).json()
    rest = client.get(f"{base}/pages", params={"limit": 2, "cursor": first["next"]}).json()
    pages = first["items"] + rest["items"]
    assert [(page["name"], page["page"]["width"], page["revision"], page["annotations"]) for page in pages] == [
        ("page.jpg", 60, 0, 0),
        ("scan_0001.tif", 40, 0, 0),
        ("scan_0002.tif", 30, 0, 0),
    ]
    assert rest["next"] is None


def test_images_are_given_as_they_came_or_as_jpegs_and_may_be_kept(client: TestClient) -> None:
    sent = [("file", ("page.png", PAGE)), ("file", ("scan.tif", tiff_pages((40, 30))))]
    document = client.post("/v1/documents", files=sent).json()
    first, second = (client.get(f"{document['links']['pages']}/{n}/image") for n in range(2))
    assert (first.headers["content-type"], first.content) == ("image/png", PAGE)
    assert second.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(second.content)).size == (40, 30)
    assert "immutable" in first.headers["cache-control"]
    assert first.headers["etag"] != second.headers["etag"]
    again = client.get(f"{document['links']['pages']}/0/image", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"{document['links']['pages']}/2/image").status_code == 404


def test_two_people_cannot_overwrite_each_other(client: TestClient, document: dict[str, Any]) -> None:
    url = f"{document['links']['pages']}/0/annotations"
    empty = client.get(url)
    assert (empty.json(), empty.headers["etag"]) == ({"revision": 0, "annotations": []}, '"0"')
    ada = client.put(url, json={"revision": 0, "annotations": [_box("a")], "comment": "first"})
    assert (ada.status_code, ada.json()["revision"], ada.headers["etag"]) == (200, 1, '"1"')
    assert ada.json()["annotations"] == [{**_box("a"), "provenance": {"person": "test"}}]
    bob = client.put(url, json={"revision": 0, "annotations": [_box("b")]})
    assert (bob.status_code, bob.json()["type"]) == (409, "urn:limner:problem:conflict")
    assert bob.json()["present"] == ada.json()
    assert bob.headers["etag"] == '"1"'
    third = client.put(url, json={"annotations": [_box("a", 30), _box("c")]}, headers={"If-Match": '"1"'})
    assert (third.status_code, third.json()["revision"]) == (200, 2)
    history = client.get(f"{url}/history").json()["items"]
    assert [(e["revision"], e["author"], e["comment"], e["added"], e["removed"], e["changed"]) for e in history] == [
        (2, "test", None, 1, 0, 1),
        (1, "test", "first", 1, 0, 0),
    ]
    assert client.get(url, params={"revision": 1}).json() == ada.json()
    assert client.get(url, params={"revision": 9}).status_code == 404


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"annotations": []}, {}, 400),
        ({"annotations": []}, {"If-Match": "*"}, 400),
        ({"revision": -1, "annotations": []}, {}, 422),
        ({"revision": 0, "annotations": [{}]}, {}, 422),
        ({"revision": 0, "annotations": [{"label": "x", "box": [0, 0, 0, 0]}]}, {}, 422),
        ({"revision": 0, "annotations": [{"label": "x", "box": [1, 2, "a", 4]}]}, {}, 422),
        ({"revision": 0, "annotations": [_box("a"), _box("a")]}, {}, 400),
        ({"revision": 0, "annotations": "none"}, {}, 422),
    ],
)
def test_annotations_that_are_none_are_refused(
    client: TestClient, document: dict[str, Any], body: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    url = f"{document['links']['pages']}/0/annotations"
    assert client.put(url, json=body, headers=headers).status_code == status
    assert client.get(url).json()["revision"] == 0


@pytest.mark.parametrize("value", ['"\\ud800"', "NaN", "1e999"])
def test_json_that_is_none_is_refused(client: TestClient, document: dict[str, Any], value: str) -> None:
    body = f'{{"revision": 0, "annotations": [{{"label": "x", "box": [1, 2, 3, 4], "attributes": {{"a": {value}}}}}]}}'
    url = f"{document['links']['pages']}/0/annotations"
    answer = client.put(url, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert client.get(url).json()["revision"] == 0


def test_a_job_annotates_it_and_its_manifest_shows_what_was_found(make_client: MakeClient) -> None:
    anonymous = make_client(workers=1)
    client = with_token(anonymous, token_for(anonymous, "annotate"))
    document = client.post("/v1/documents", files=files("a.png", "b.png")).json()
    job = ended(client, made(client, document=document["id"]))
    assert job["status"] == "succeeded"
    manifest = client.get(document["links"]["manifest"])
    assert manifest.headers["content-type"].startswith("application/ld+json")
    plain = manifest.json()
    Manifest(**plain)
    assert plain["id"] == document["links"]["manifest"]
    (annotation,) = plain["items"][1]["annotations"][0]["items"]
    assert annotation["target"].endswith("/canvas/b_png#xywh=20,40,60,60")
    image = plain["items"][1]["items"][0]["items"][0]["body"]["id"]
    assert client.get(image).content == PAGE
    history = client.get(f"{document['links']['pages']}/1/annotations/history").json()["items"]
    assert [(entry["author"], entry["comment"]) for entry in history] == [
        (f"job:{job['id']}", "annotated with bright@1")
    ]
    page = client.get(f"{document['links']['pages']}").json()["items"][1]
    assert (page["annotations"], page["updated_by"]) == (1, f"job:{job['id']}")


@pytest.mark.parametrize("name", sorted(WRITERS.names()))
def test_it_is_exported_in_every_format(client: TestClient, document: dict[str, Any], name: str) -> None:
    url = f"{document['links']['pages']}/0/annotations"
    client.put(url, json={"revision": 0, "annotations": [_box("a")]})
    answer = client.get(document["links"]["export"], params={"format": name})
    assert answer.status_code == 200
    format_ = WRITERS.get(name)
    if format_.per_page:
        assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    else:
        assert answer.headers["content-type"].startswith(format_.media_type.partition(";")[0])
        assert answer.content
    if name == "coco":
        assert json.loads(answer.content)["annotations"][0]["bbox"] == [20, 40, 60, 60]


def test_deleting_leaves_nothing(client: TestClient, document: dict[str, Any]) -> None:
    assert client.delete(document["links"]["self"]).status_code == 204
    for link in document["links"].values():
        assert client.get(link).status_code == 404
    assert client.app.state.limner.blobs.keys("documents") == []
    assert client.get("/v1/documents").json()["items"] == []


def test_what_is_no_document_is_refused(client: TestClient) -> None:
    assert client.post("/v1/documents", data={"title": "x"}, files=[("file", ("", b""))]).status_code in (400, 422)
    assert client.post("/v1/documents", json={}).status_code == 413
    assert client.post("/v1/documents", files=[("file", ("a.png", b"<html>"))]).status_code == 422
    answer = client.post("/v1/documents", files=[("file", ("a.jpg", jpeg(200, 200)[:900]))])
    assert (answer.status_code, "breaks off" in answer.json()["detail"]) == (422, True)
    assert client.get("/v1/documents").json()["items"] == []


def test_the_same_key_makes_one_document(client: TestClient) -> None:
    key = {"Idempotency-Key": "k"}
    first, again = (client.post("/v1/documents", files=files("a.png"), headers=key) for _ in range(2))
    assert first.json() == again.json()
    assert client.post("/v1/documents", files=files("b.png"), headers=key).status_code == 409
    assert len(client.get("/v1/documents").json()["items"]) == 1


def test_another_workspaces_documents_are_not_there(
    client: TestClient, stranger: TestClient, document: dict[str, Any]
) -> None:
    for who, identity in ((stranger, document["id"]), (client, "0" * 32), (client, "x")):
        base = f"/v1/documents/{identity}"
        answers = [
            who.get(base),
            who.get(f"{base}/pages"),
            who.get(f"{base}/manifest.json"),
            who.get(f"{base}/export"),
            who.get(f"{base}/pages/0/image"),
            who.get(f"{base}/pages/0/annotations"),
            who.put(f"{base}/pages/0/annotations", json={"revision": 0, "annotations": []}),
            who.get(f"{base}/pages/0/annotations/history"),
            who.delete(base),
            who.post("/v1/jobs", json={"document": identity}),
        ]
        assert {answer.status_code for answer in answers} == {404}, identity
    assert stranger.get("/v1/documents").json()["items"] == []
    assert stranger.get("/v1/documents", params={"cursor": document["id"]}).status_code == 404


def test_reading_needs_any_token_and_changing_the_right_one(anonymous: TestClient, document: dict[str, Any]) -> None:
    trainer = with_token(anonymous, token_for(anonymous, "train"))
    url = f"{document['links']['pages']}/0/annotations"
    assert anonymous.get(url).status_code == 401
    assert trainer.get(url).status_code == 200
    assert trainer.put(url, json={"revision": 0, "annotations": []}).status_code == 403
    assert trainer.post("/v1/documents", files=files("a.png")).status_code == 403
    assert trainer.delete(document["links"]["self"]).status_code == 403
