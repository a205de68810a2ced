"""``/v1/datasets``."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from limner.operations.foreign.yolo_uploads import keep_dataset
from tests.operations.datasets.files import BOX, coco, drawn, packed, written, yolo_line
from tests.server.running import state_of, token_for, with_token
from tests.sources.iiif.loopback import Canned, IIIFServer

URL = "/v1/datasets"
_NAMES = [f"{n}.png" for n in range(4)]
_ZIP = packed(
    {
        "train.json": coco(_NAMES[:3]),
        "val.json": coco(_NAMES[3:]),
        **{f"images/{name}": drawn(n) for n, name in enumerate(_NAMES)},
    }
)


def _send(client: TestClient, data: bytes = _ZIP, status: int = 201, **fields: str) -> dict[str, Any]:
    answer = client.post(URL, files={"file": ("sent.zip", data)}, data={"name": "seals", **fields})
    assert answer.status_code == status, answer.text
    return answer.json()


def _refs(client: TestClient) -> list[str]:
    return [each["ref"] for each in client.get(URL).json()["items"]]


def test_a_zip_file_becomes_a_dataset(client: TestClient) -> None:
    answer = client.post(URL, files={"file": ("sent.zip", _ZIP)}, data={"name": "seals", "title": "Seals"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/v1/datasets/seals@1"
    made = answer.json()
    assert (made["format"], made["kept_splits"], made["problems"]) == ("coco", True, [])
    shown = client.get(answer.headers["location"]).json()
    assert (shown["title"], shown["labels"], shown["pages"]) == ("Seals", ["seal"], {"train": 3, "val": 1})
    assert shown["versions"] == ["1"]
    assert shown["statistics"]["labels"][0]["annotations"] == 4
    assert shown["sha256"] == made["sha256"]


def test_pages_that_look_the_same_are_listed_in_parts(client: TestClient) -> None:
    _send(client)  # the drawn pages differ in a dot
    first = client.get(f"{URL}/seals/duplicates", params={"within": 40, "limit": 2}).json()
    rest = client.get(f"{URL}/seals/duplicates", params={"within": 40, "cursor": first["next"]}).json()
    found = first["items"] + rest["items"]
    assert [[page["split"] for page in pair["pages"]] for pair in found] == [["train", "val"]] * 3
    inside = client.get(f"{URL}/seals/duplicates", params={"within": 40, "across": False}).json()["items"]
    assert len(inside) == 6


def test_a_name_that_exists_gets_its_next_version(client: TestClient) -> None:
    assert _send(client)["ref"] == "seals@1"
    assert _send(client)["ref"] == "seals@1"  # the same content
    changed = _send(client, labels=json.dumps({"seal": "stamp"}), shares='{"train": 1, "val": 1}', resplit="true")
    assert (changed["ref"], changed["labels"], changed["kept_splits"]) == ("seals@2", ["stamp"], False)
    assert _refs(client) == ["seals@1", "seals@2"]
    first = client.get(URL, params={"limit": 1}).json()
    assert [each["ref"] for each in client.get(URL, params={"cursor": first["next"]}).json()["items"]] == ["seals@2"]
    assert client.delete(f"{URL}/seals").status_code == 422
    assert client.delete(f"{URL}/seals@1").status_code == 204
    assert _refs(client) == ["seals@2"]
    assert client.get(f"{URL}/seals@1").status_code == 404


def test_a_number_that_was_free_again_shows_the_new_version(client: TestClient) -> None:
    _send(client)
    for name in ("stamp", "blot"):
        assert _send(client, labels=json.dumps({"seal": name}))["ref"] == "seals@2"
        assert client.get(f"{URL}/seals@2/pages").json()["items"][0]["labels"] == {name: 1}
        assert client.delete(f"{URL}/seals@2").status_code == 204


def test_pages_are_shown_with_pictures(client: TestClient) -> None:
    _send(client)
    first = client.get(f"{URL}/seals/pages", params={"limit": 3}).json()
    rest = client.get(f"{URL}/seals/pages", params={"cursor": first["next"]}).json()
    assert [each["name"] for each in first["items"] + rest["items"]] == _NAMES
    assert rest["next"] is None
    page = first["items"][0]
    assert (page["split"], page["labels"], page["width"], page["looked_for"]) == ("train", {"seal": 1}, 96, None)
    (only,) = client.get(f"{URL}/seals/pages", params={"split": "val", "label": "seal"}).json()["items"]
    assert only["index"] == 3
    assert client.get(f"{URL}/seals/pages", params={"label": "stamp"}).json()["items"] == []
    picture = client.get(page["image"], params={"side": 48})
    assert picture.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(picture.content)).size == (48, 32)
    tag = {"If-None-Match": picture.headers["etag"]}
    assert client.get(page["image"], params={"side": 48}, headers=tag).status_code == 304
    assert client.get(page["image"], params={"side": 64}, headers=tag).status_code == 200
    assert client.get(f"{URL}/seals/pages/4/image").status_code == 404


def test_it_is_handed_out_and_taken_in_again(client: TestClient, stranger: TestClient) -> None:
    _send(client)
    answer = client.get(f"{URL}/seals/export", params={"format": "yolo"})
    assert answer.headers["content-disposition"] == 'attachment; filename="seals-1-yolo.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read("images/val/3.png") == drawn(3)
    again = _send(stranger, answer.content, name="theirs")
    assert (again["format"], again["pages"]) == ("yolo", {"train": 3, "val": 1})
    assert client.get(f"{URL}/seals/export", params={"format": "xyz"}).status_code == 404


def test_workspaces_never_see_each_others(client: TestClient, stranger: TestClient) -> None:
    _send(client)
    assert _refs(stranger) == []
    for path in ("", "/pages", "/pages/0/image", "/export", "/duplicates"):
        assert stranger.get(f"{URL}/seals{path}").status_code == 404
    assert stranger.delete(f"{URL}/seals@1").status_code == 404
    assert stranger.post(f"{URL}/seals/split", json={}).status_code == 404
    assert stranger.post(URL, json={"name": "mine", "datasets": ["seals"]}).status_code == 404
    assert _send(stranger)["ref"] == "seals@1"
    assert stranger.delete(f"{URL}/seals").status_code == 204
    assert _refs(client) == ["seals@1"]


def test_reviewed_pages_of_documents_become_a_dataset(client: TestClient, stranger: TestClient) -> None:
    files = [("file", (name, drawn(n))) for n, name in enumerate(_NAMES)]
    document = client.post("/v1/documents", files=files).json()["id"]
    wanted = {"name": "mine", "documents": [document]}
    assert client.post(URL, json=wanted).status_code == 422  # nobody has looked at a page
    box = {"id": "a", "label": "Seal", "box": [*BOX]}
    for index in (0, 2):
        change = {"revision": 0, "annotations": [box] if index else []}
        assert client.put(f"/v1/documents/{document}/pages/{index}/annotations", json=change).status_code == 200
    made = client.post(URL, json={**wanted, "labels": {"Seal": "seal"}})
    assert made.status_code == 201, made.text
    assert (made.json()["labels"], made.json()["pages"], made.json()["annotations"]) == (["seal"], {"train": 2}, 1)
    everything = client.post(URL, json={**wanted, "reviewed": False}).json()
    assert (everything["ref"], everything["pages"]) == ("mine@2", {"train": 4})
    assert stranger.post(URL, json=wanted).status_code == 404


def test_what_was_sent_to_the_extractor_becomes_a_dataset(client: TestClient, stranger: TestClient) -> None:
    state = state_of(client)
    data = packed({"images/train/0.png": drawn(0), "labels/train/0.txt": yolo_line()})
    kept = keep_dataset(state.blobs, state.home, io.BytesIO(data), io.BytesIO(b"train: images/train\nnames: [seal]\n"))
    made = client.post(URL, json={"name": "sent", "received": kept.id})
    assert (made.status_code, made.json()["labels"]) == (201, ["seal"])
    assert stranger.post(URL, json={"name": "sent", "received": kept.id}).status_code == 404


def test_a_zip_file_is_fetched_through_the_guard(client: TestClient, tmp_path: Path) -> None:
    with IIIFServer(written(tmp_path / "library", {"0.png": drawn(0)})) as library:
        library.answer("/sent.zip", Canned(body=_ZIP, headers={"Content-Type": "application/zip"}))
        made = client.post(URL, json={"name": "far", "url": f"{library.url}/sent.zip"})
    assert made.status_code == 201, made.text
    refused = client.post(URL, json={"name": "far", "url": "http://10.0.0.1/sent.zip"})
    assert refused.json()["type"] == "urn:limner:problem:source.address-refused"


def test_datasets_are_merged_and_split(client: TestClient) -> None:
    _send(client)
    _send(client, name="stamps", labels='{"seal": "stamp"}')
    both = client.post(URL, json={"name": "both", "datasets": ["seals", "stamps@1"]}).json()
    assert (both["labels"], both["pages"]) == (["seal", "stamp"], {"train": 6, "val": 2})
    pages = client.get(f"{URL}/both/pages").json()["items"]
    assert [each["looked_for"] for each in pages] == [["seal"]] * 4 + [["stamp"]] * 4
    answer = client.post(f"{URL}/seals/split", json={"shares": {"train": 1, "val": 1, "test": 0}, "seed": 3})
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/datasets/seals@2")
    assert answer.json()["pages"] == {"train": 2, "val": 2}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "a"}, 400),
        ({"name": "../a", "datasets": ["b"]}, 400),
        ({"name": "a", "datasets": ["b"], "url": "http://x.example/a.zip"}, 422),
        ({"name": "a", "url": "file:///etc/passwd"}, 400),
        ({"name": "a", "datasets": ["../b"]}, 404),
        ({"name": "a", "received": "../../x"}, 404),
        ({"name": "a", "datasets": ["b"], "shares": {"train": 0}}, 422),
        ({"name": "a", "datasets": ["b"], "togehter": "page"}, 422),
        ({"name": "a", "url": "http://x.example/a.zip", "together": "(a+)+$"}, 422),
    ],
)
def test_what_makes_no_sense_is_refused(client: TestClient, body: dict[str, Any], status: int) -> None:
    answer = client.post(URL, json=body)
    assert answer.status_code == status, answer.text
    assert _refs(client) == []


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04", packed({"../../a.json": coco(["a.png"])}), drawn(0)])
def test_what_is_no_dataset_is_refused(client: TestClient, data: bytes) -> None:
    assert 400 <= client.post(URL, files={"file": ("a.zip", data)}, data={"name": "a"}).status_code < 500
    assert _refs(client) == []


def test_readers_annotate_and_writers_train(anonymous: TestClient) -> None:
    trainer, reader = (with_token(anonymous, token_for(anonymous, scope)) for scope in ("train", "annotate"))
    _send(trainer)
    assert _refs(reader) == ["seals@1"]
    assert _send(reader, status=403)["status"] == 403
    assert trainer.get(URL).status_code == 403
    assert reader.delete(f"{URL}/seals").status_code == 403
