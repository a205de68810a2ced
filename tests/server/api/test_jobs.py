"""Jobs over HTTP: made in every way, listed, followed to their results, apart from other workspaces."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from limner.operations.datasets.desk import workspace_datasets
from limner.training.datasets.dataset import Dataset
from tests.operations.jobs.workplace import save_pages
from tests.server.api.work import LINE, PAGE, ended, files, made
from tests.server.conftest import MakeClient
from tests.server.running import token_for, with_token
from tests.sources.iiif.loopback import Canned, IIIFServer
from tests.training.datasets.made import page

MANIFEST = "https://library.example/manifest.json"


@pytest.fixture
def busy(make_client: MakeClient) -> TestClient:
    """A client of a server that works on jobs."""
    anonymous = make_client(workers=1, fetch_retries=0)
    return with_token(anonymous, token_for(anonymous, "annotate"))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[IIIFServer]:
    with IIIFServer(save_pages(tmp_path / "library", 3)) as server:
        yield server


def test_a_manifest_becomes_results_in_any_format(busy: TestClient, library: IIIFServer) -> None:
    answer = busy.post("/v1/jobs", json={"source": library.manifest_url(), "title": "Three"})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == job["links"]["self"] == f"http://127.0.0.1/v1/jobs/{job['id']}"
    assert {**job, "id": "", "created_at": "", "links": {}} == {
        "id": "",
        "kind": "annotate",
        "status": "queued",
        "pages": {"total": 0, "done": 0, "failed": 0},
        "model": "bright@1",
        "source": library.manifest_url(),
        "priority": 0,
        "title": "Three",
        "created_at": "",
        "started_at": None,
        "finished_at": None,
        "error": None,
        "links": {},
    }
    job = ended(busy, job)
    assert (job["status"], job["pages"]) == ("succeeded", {"total": 3, "done": 3, "failed": 0})
    text = busy.get(job["links"]["results"], params={"format": "extractor"})
    assert text.text == "1 p0000.jpg\n0 0 60 40\n2 p0001.jpg\n20 0 60 40\n3 p0002.jpg\n40 0 60 40\n"
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.headers["content-disposition"] == 'attachment; filename="extractor.txt"'
    lines = busy.get(job["links"]["results"]).text.splitlines()
    assert [json.loads(line)["page"]["name"] for line in lines] == ["p0000.jpg", "p0001.jpg", "p0002.jpg"]
    packed = busy.get(job["links"]["results"], params={"format": "voc"})
    assert packed.headers["content-type"] == "application/zip"
    assert len(zipfile.ZipFile(io.BytesIO(packed.content)).namelist()) == 3
    pages = busy.get(job["links"]["pages"]).json()["items"]
    assert [(p["index"], p["name"], p["status"], p["attempts"], p["annotations"]) for p in pages] == [
        (n, f"p{n:04d}.jpg", "done", 1, 1) for n in range(3)
    ]
    (document,) = busy.get(f"{job['links']['self']}/documents").json()["items"]
    assert (document["title"], document["pages"], document["skipped"]) == ("Loopback pages", 3, [])


def test_files_can_be_sent_with_the_same_fields(busy: TestClient) -> None:
    form = {"threshold": "0.5", "labels": "bright, red", "zones": "[[0,0,320,320]]", "pages": "2-", "title": "Sent"}
    answer = busy.post("/v1/jobs", files=files("a.png", "b.png"), data=form)
    assert answer.status_code == 202, answer.text
    job = ended(busy, answer.json())
    assert (job["status"], job["source"], job["title"]) == ("succeeded", "a.png and 1 more", "Sent")
    text = busy.get(job["links"]["results"], params={"format": "extractor"}).text
    assert text == f"2 b.png\n{LINE}\n"


def test_the_documents_of_a_job_come_in_parts(busy: TestClient, library: IIIFServer) -> None:
    sources = [library.manifest_url(2), library.manifest_url(3), library.file_url("p0000")]
    job = ended(busy, made(busy, source=sources, title="All"))
    url = f"{job['links']['self']}/documents"
    first = busy.get(url, params={"limit": 2}).json()
    rest = busy.get(url, params={"limit": 2, "cursor": first["next"]}).json()
    assert [(each["title"], each["first"], each["pages"]) for each in first["items"] + rest["items"]] == [
        ("All", 0, 1),
        ("Loopback pages", 1, 3),
        ("Loopback pages", 4, 3),
    ]
    assert rest["next"] is None


def test_a_page_that_failed_is_tried_again_and_no_other(busy: TestClient, library: IIIFServer) -> None:
    library.answer("p0001", Canned(404), times=100)
    job = ended(busy, made(busy, source=library.manifest_url()))
    assert (job["status"], job["pages"]["failed"]) == ("partly_failed", 1)
    (failed,) = busy.get(job["links"]["pages"], params={"status": "failed"}).json()["items"]
    assert (failed["index"], failed["error"]["code"], failed["annotations"]) == (1, "source.fetch", None)
    library._canned.clear()
    again = busy.post(job["links"]["retry"])
    assert (again.status_code, again.json()["status"]) == (202, "queued")
    assert ended(busy, job)["status"] == "succeeded"
    assert busy.post(job["links"]["retry"]).status_code == 409
    assert busy.post(job["links"]["cancel"]).status_code == 409


def test_a_job_that_cannot_begin_says_why(busy: TestClient, library: IIIFServer) -> None:
    job = ended(busy, made(busy, source=f"{library.url}/nothing/manifest.json"))
    assert (job["status"], job["error"]["code"]) == ("failed", "source.status")
    answer = busy.get(job["links"]["results"])
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:limner:problem:conflict")


def test_waiting_jobs_are_listed_cancelled_and_deleted(client: TestClient) -> None:
    jobs = [made(client, source=MANIFEST, priority=n, title=str(n)) for n in range(5)]
    first = client.get("/v1/jobs", params={"limit": 3}).json()
    assert [job["title"] for job in first["items"]] == ["4", "3", "2"]
    rest = client.get("/v1/jobs", params={"limit": 3, "cursor": first["next"]}).json()
    assert ([job["title"] for job in rest["items"]], rest["next"]) == (["1", "0"], None)
    assert client.delete(jobs[0]["links"]["self"]).status_code == 409
    assert client.post(jobs[0]["links"]["cancel"]).json()["status"] == "cancelled"
    listed = client.get("/v1/jobs", params={"status": "cancelled", "kind": "annotate"}).json()["items"]
    assert [job["title"] for job in listed] == ["0"]
    assert client.delete(jobs[0]["links"]["self"]).status_code == 204
    assert client.get(jobs[0]["links"]["self"]).status_code == 404
    assert client.get("/v1/jobs", params={"kind": "train"}).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"source": "/etc/passwd"}, 422, "source"),
        ({"source": "file:///etc/passwd"}, 422, "source"),
        ({}, 400, "usage"),
        ({"source": MANIFEST, "model": "nothing"}, 404, "model.not-found"),
        ({"source": MANIFEST, "priority": 99}, 422, "request"),
        ({"source": MANIFEST, "sauce": 1}, 422, "request"),
        ({"source": MANIFEST, "title": "a\0b"}, 422, "request"),
        ({"source": MANIFEST, "pages": "0"}, 400, "usage"),
        ({"source": {"type": "Manifest", "id": "x"}, "document": "0" * 32}, 400, "usage"),
        ({"source": {"hello": "world"}}, 422, "source.not-iiif"),
        ({"source": MANIFEST, "callback": "file:///etc"}, 403, "source.address-refused"),
        ({"document": "0" * 32}, 404, "not-found"),
    ],
)
def test_what_makes_no_sense_is_refused(client: TestClient, body: dict[str, object], status: int, kind: str) -> None:
    answer = client.post("/v1/jobs", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:limner:problem:{kind}")
    assert client.get("/v1/jobs").json()["items"] == []


def test_bodies_of_other_kinds_are_refused(client: TestClient) -> None:
    for kind, body in (("text/plain", b"hello"), ("application/x-www-form-urlencoded", b"source=x"), ("", b"")):
        assert client.post("/v1/jobs", content=body, headers={"content-type": kind}).status_code == 400
    assert client.post("/v1/jobs", content=b"{", headers={"content-type": "application/json"}).status_code == 422
    answer = client.post("/v1/jobs", files=[("picture", ("a.png", PAGE))])
    assert (answer.status_code, "Send files as" in answer.json()["detail"]) == (400, True)
    answer = client.post("/v1/jobs", files=files("a.png"), data={"zones": "[["})
    assert answer.status_code == 400
    assert client.post("/v1/jobs", files=[("file", ("a.png", b"MZ no image"))]).status_code == 422


def test_json_that_is_too_large_is_refused(make_client: MakeClient) -> None:
    client = make_client(auth=False, fetch_max_bytes=1000)
    answer = client.post("/v1/jobs", json={"source": "data:image/png;base64," + "A" * 3000})
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:limner:problem:source.too-large")


def test_the_same_key_makes_one_job(client: TestClient) -> None:
    key, body = {"Idempotency-Key": "night of the 12th"}, {"source": MANIFEST, "title": "once"}
    first, second = (client.post("/v1/jobs", json=body, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["idempotent-replayed"] == "true"
    other = client.post("/v1/jobs", json={**body, "title": "twice"}, headers=key)
    assert (other.status_code, other.json()["type"]) == (409, "urn:limner:problem:conflict")
    assert len(client.get("/v1/jobs").json()["items"]) == 1


def test_a_key_holds_for_files_too_whatever_the_form_looks_like(client: TestClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = client.post("/v1/jobs", files=files("a.png"), data={"title": "x"}, headers=key)
    again = client.post("/v1/jobs", files=files("a.png"), data={"title": "x"}, headers=key)
    assert first.json()["id"] == again.json()["id"]
    other = client.post("/v1/jobs", files=[("file", ("a.png", PAGE + b"\0"))], data={"title": "x"}, headers=key)
    assert other.status_code == 409


def test_a_request_that_failed_may_be_sent_again_with_its_key(client: TestClient) -> None:
    key = {"Idempotency-Key": "k"}
    assert client.post("/v1/jobs", json={"source": "/etc"}, headers=key).status_code == 422
    assert client.post("/v1/jobs", json={"source": MANIFEST}, headers=key).status_code == 202


def test_cursors_that_nobody_gave_are_refused(client: TestClient) -> None:
    job = made(client, source=MANIFEST)
    assert client.get("/v1/jobs", params={"cursor": "x\0"}).status_code == 400
    assert client.get("/v1/jobs", params={"cursor": "0" * 32}).status_code == 404
    assert client.get(job["links"]["pages"], params={"cursor": "-1"}).status_code == 400


def test_another_workspaces_jobs_are_not_there(client: TestClient, stranger: TestClient) -> None:
    job = made(client, source=MANIFEST)
    unknown = "0" * 32
    for who, identity in ((stranger, job["id"]), (client, unknown), (client, "%00"), (client, "..%2f..")):
        answers = [
            who.get(f"/v1/jobs/{identity}"),
            who.get(f"/v1/jobs/{identity}/pages"),
            who.get(f"/v1/jobs/{identity}/documents"),
            who.get(f"/v1/jobs/{identity}/results"),
            who.get(f"/v1/jobs/{identity}/events"),
            who.get(f"/v1/jobs/{identity}/deliveries"),
            who.post(f"/v1/jobs/{identity}/cancel"),
            who.post(f"/v1/jobs/{identity}/retry"),
            who.post(f"/v1/jobs/{identity}/deliveries/1/replay"),
            who.delete(f"/v1/jobs/{identity}"),
        ]
        assert {answer.status_code for answer in answers} == {404}, identity
    assert stranger.get("/v1/jobs").json()["items"] == []
    assert stranger.get("/v1/jobs", params={"cursor": job["id"]}).status_code == 404
    # A key of one workspace says nothing to another.
    key = {"Idempotency-Key": "k"}
    mine = client.post("/v1/jobs", json={"source": MANIFEST}, headers=key).json()
    theirs = stranger.post("/v1/jobs", json={"source": MANIFEST}, headers=key)
    assert (theirs.status_code, theirs.json()["id"] == mine["id"]) == (202, False)


def test_a_token_is_needed_and_the_right_scope(anonymous: TestClient) -> None:
    trainer = with_token(anonymous, token_for(anonymous, "train"))
    assert anonymous.get("/v1/jobs").status_code == 401
    assert anonymous.post("/v1/jobs", json={"source": MANIFEST}).status_code == 401
    assert trainer.post("/v1/jobs", json={"source": MANIFEST}).status_code == 403
    assert trainer.get("/v1/jobs").status_code == 200


def test_an_unknown_format_is_named(client: TestClient) -> None:
    job = made(client, source=MANIFEST)
    answer = client.get(job["links"]["results"], params={"format": "cocoa"})
    assert (answer.status_code, "coco" in answer.json()["detail"]) == (404, True)


def test_links_begin_with_the_public_address(make_client: MakeClient) -> None:
    client = make_client(auth=False, public_url="https://limner.example/api/")
    assert made(client, source=MANIFEST)["links"]["self"].startswith("https://limner.example/api/v1/jobs/")


def test_the_pages_of_a_dataset_are_annotated_without_changing_it(busy: TestClient, tmp_path: Path) -> None:
    state = busy.app.state.limner  # type: ignore[attr-defined]
    store = workspace_datasets(state.settings, state.home)
    pages = tuple(page(store, at, [("bright", 6 * at, 6, 30, 36)]) for at in range(3))
    dataset = store.add(Dataset(name="boxes", version="", labels=("bright",), pages=pages, images=store.images))
    job = ended(busy, busy.post("/v1/jobs", json={"dataset": "boxes"}).json())
    assert (job["status"], job["source"], job["pages"]["done"]) == ("succeeded", "dataset:boxes@1", 3)
    text = busy.get(job["links"]["results"], params={"format": "extractor"}).text
    assert text == "1 p000.png\n0 6 30 36\n2 p001.png\n6 6 30 36\n3 p002.png\n12 6 30 36\n"
    assert store.get("boxes") == dataset
    refused = busy.post("/v1/jobs", json={"dataset": "boxs"})
    assert (refused.status_code, "Did you mean boxes" in refused.json()["detail"]) == (404, True)
    assert busy.post("/v1/jobs", json={"dataset": "boxes", "document": "x"}).status_code == 400
