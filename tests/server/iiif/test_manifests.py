"""Manifests for viewers, and the files that they link to."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from iiif_prezi3 import Collection, Manifest
from lxml import etree
from starlette.testclient import TestClient

from limner.annotations.formats.protocol import READERS, ParseContext
from limner.annotations.shapes import Polygon
from limner.sources.iiif.load import read
from tests.server.api.work import ended, files, made
from tests.server.conftest import MakeClient
from tests.server.iiif.published import image_of, shared
from tests.server.running import token_for, with_token

LINE = {"id": "l1", "label": "line", "box": [20, 40, 60, 20], "text": "Incipit liber", "score": 0.9}
SHAPE = {"id": "s1", "label": "initial", "polygon": [[10, 10], [60, 10], [60, 50]]}


@pytest.fixture
def published(client: TestClient) -> tuple[dict[str, Any], dict[str, Any]]:
    """A document of two pages, the first with a line of text and a polygon, and its share."""
    document, share = shared(client, "a.png", "b.png")
    url = f"{document['links']['pages']}/0/annotations"
    saved = client.put(url, json={"revision": 0, "annotations": [LINE, SHAPE]})
    assert saved.status_code == 200, saved.text
    return document, share


def test_the_manifest_is_open_valid_and_complete(anonymous: TestClient, published: Any) -> None:
    answer = anonymous.get(published[1]["links"]["iiif"])
    assert answer.headers["content-type"].startswith('application/ld+json;profile="http://iiif.io/api/presentation/3/')
    manifest = answer.json()
    Manifest(**manifest)
    assert manifest["id"] == published[1]["links"]["iiif"]
    line, shape = manifest["items"][0]["annotations"][0]["items"]
    canvas = manifest["items"][0]["id"]
    assert line["target"] == f"{canvas}#xywh=20,40,60,20"
    assert "supplementing" in line["motivation"]
    assert shape["motivation"] == "tagging"
    assert (line["limner:score"], line["creator"]["name"]) == (0.9, "test")
    assert line["generator"]["name"] == "Limner"
    assert (shape["target"]["source"], shape["target"]["selector"]["type"]) == (canvas, "SvgSelector")
    body = manifest["items"][0]["items"][0]["items"][0]["body"]
    assert body["service"] == [{"id": image_of(published[1]), "type": "ImageService3", "profile": "level2"}]
    assert anonymous.get(body["id"]).headers["content-type"] == "image/jpeg"
    assert anonymous.get(manifest["items"][1]["thumbnail"][0]["id"]).status_code == 200


def test_our_own_readers_understand_it(anonymous: TestClient, published: Any) -> None:
    text = anonymous.get(published[1]["links"]["iiif"]).text
    manifest = read(json.loads(text), published[1]["links"]["iiif"])
    assert [len(canvas.images) for canvas in manifest.canvases] == [1, 1]
    assert not manifest.skipped
    assert not manifest.problems
    context = ParseContext()
    first, second = READERS.get("w3c").parse({"manifest.json": text}, context)
    assert context.problems == []
    assert [(each.id, each.label, each.text) for each in first.annotations] == [
        ("l1", "line", "Incipit liber"),
        ("s1", "initial", None),
    ]
    assert isinstance(first.annotations[1].shape, Polygon)
    assert second.annotations == ()


def test_every_file_that_is_linked_can_be_fetched(anonymous: TestClient, published: Any) -> None:
    manifest = anonymous.get(published[1]["links"]["iiif"]).json()
    for link in [*manifest["rendering"], *manifest["items"][0]["rendering"]]:
        answer = anonymous.get(link["id"])
        assert answer.status_code == 200, link
        assert answer.headers["content-type"].partition(";")[0] == link["format"]
        if link["format"] == "application/zip":
            archive = zipfile.ZipFile(io.BytesIO(answer.content))
            texts = [archive.read(name) for name in archive.namelist()]
            assert len(texts) == 2
        else:
            texts = [answer.content]
        for text in texts:
            etree.fromstring(text)
        assert any(b"Incipit" in text for text in texts)


def test_other_formats_are_given_too_and_unknown_ones_refused(anonymous: TestClient, published: Any) -> None:
    base = published[1]["links"]["iiif"].replace("/manifest.json", "/0")
    assert b"Incipit" in anonymous.get(f"{base}/export/jsonl").content
    assert anonymous.get(f"{base}/pages/1/alto").status_code == 200
    for missing in ("export/nothing", "pages/0/nothing", "pages/2/alto", "pages/x/alto"):
        assert anonymous.get(f"{base}/{missing}").status_code == 404
    assert anonymous.get(base.replace("/0", "/1") + "/manifest.json").status_code == 404


def test_a_manifest_that_has_not_changed_is_not_sent_again(
    client: TestClient, anonymous: TestClient, published: Any
) -> None:
    url = published[1]["links"]["iiif"]
    first = anonymous.get(url)
    assert first.headers["cache-control"] == "no-cache"
    assert anonymous.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    client.put(f"{published[0]['links']['pages']}/1/annotations", json={"revision": 0, "annotations": [LINE]})
    again = anonymous.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, len(again.json()["items"][1]["annotations"][0]["items"])) == (200, 1)


def test_a_job_is_published_as_its_documents(make_client: MakeClient) -> None:
    anonymous = make_client(workers=1)
    client = with_token(anonymous, token_for(anonymous, "annotate"))
    zips = []
    for name in ("one", "two"):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("p.png", files("p.png")[0][1][1])
        zips.append(("file", (f"{name}.zip", out.getvalue())))
    several = ended(client, client.post("/v1/jobs", files=zips).json())
    single = ended(client, client.post("/v1/jobs", files=files("a.png")).json())
    links = {job["id"]: client.put(f"/v1/jobs/{job['id']}/share").json()["links"] for job in (several, single)}
    collection = anonymous.get(links[several["id"]]["iiif"]).json()
    Collection(**collection)
    assert [item["label"] for item in collection["items"]] == [{"none": ["one"]}, {"none": ["two"]}]
    alone = anonymous.get(links[single["id"]]["iiif"]).json()
    for address, manifest in [
        *((item["id"], anonymous.get(item["id"]).json()) for item in collection["items"]),
        (links[single["id"]]["iiif"], alone),
    ]:
        Manifest(**manifest)
        assert manifest["id"] == address
        (found,) = manifest["items"][0]["annotations"][0]["items"]
        assert found["target"].endswith("#xywh=20,40,60,60")
        assert found["creator"]["name"] == "bright"
        assert anonymous.get(manifest["items"][0]["items"][0]["items"][0]["body"]["id"]).status_code == 200
    listed = {job["id"]: job["links"] for job in client.get("/v1/jobs").json()["items"]}
    for job_id, shown in links.items():
        assert shown.items() <= listed[job_id].items()
        assert shown.items() <= client.get(f"/v1/jobs/{job_id}").json()["links"].items()


def test_a_job_that_is_not_planned_yet_says_so(client: TestClient, anonymous: TestClient) -> None:
    job = made(client, source="https://lib.example/manifest.json")
    share = client.put(f"/v1/jobs/{job['id']}/share").json()
    answer = anonymous.get(share["links"]["iiif"])
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:limner:problem:conflict")
