"""extractorAPI: a client that was written from the contract alone, and what it must not be able to do."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from limner.storage.jobs import Jobs
from limner.storage.routes import Routes
from tests.operations.jobs.receiver import Message, Receiver
from tests.operations.jobs.workplace import bright_page, image_bytes, save_pages, until
from tests.server.compat.listening import Listening
from tests.server.compat.working import key_of, working
from tests.sources.iiif.loopback import IIIFServer

#: The pages of the library: the second has nothing on it.
EXPECTED = b"1 ms22_0001.jpg\n20 40 60 60\n100 200 80 40\n2 ms22_0002.jpg\n3 ms22_0003.jpg\n0 0 60 40\n"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IIIFServer]:
    folder = tmp_path_factory.mktemp("library")
    bright_page((20, 40, 80, 100), (100, 200, 180, 240)).save(folder / "ms22_0001.png")
    bright_page().save(folder / "ms22_0002.png")
    bright_page((0, 0, 60, 40)).save(folder / "ms22_0003.png")
    with IIIFServer(folder) as server:
        yield server


@pytest.fixture(scope="module")
def application() -> Iterator[Receiver]:
    """The web application that the clients belong to."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, bright: Path, application: Receiver) -> Iterator[Listening]:
    home = application.url.removesuffix("/hook")
    with working(tmp_path_factory.mktemp("data"), bright, client_app_url=home) as server:
        yield server


@pytest.fixture(scope="module")
def key(server: Listening) -> dict[str, str]:
    return key_of(server, "annotate")


def _post(server: Listening, path: str, **request: Any) -> httpx.Response:
    return httpx.post(server.url + path, trust_env=False, verify=False, timeout=60, **request)


def _message(receiver: Receiver, path: str, before: int = 0) -> Message:
    """The message to a path, when it has come."""

    def found() -> list[Message]:
        return [message for message in receiver.messages[before:] if message.path == path]

    until(lambda: bool(found()), 60)
    return found()[0]


def _expected_body(message: Message, model: str, annotations: bytes = EXPECTED) -> bytes:
    kind, _, boundary = message.headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    dated = f"{model}_{datetime.now(UTC):%m_%Y}"
    return (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\n{dated}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="annotation_file"; filename="pages.txt"\r\n'
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n"
        ).encode()
        + annotations
        + f"\r\n--{boundary}--\r\n".encode()
    )


def test_a_manifest_is_detected_and_sent_back(server: Listening, library: IIIFServer, key: dict[str, str]) -> None:
    with Receiver() as receiver:
        form = {"manifest_url": library.manifest_url(2), "model": "bright.pt", "callback": receiver.url}
        answer = _post(server, "/run_detect", data=form, headers=key)
        assert (answer.status_code, answer.text) == (200, "Detection task triggered with Celery!")
        assert answer.headers["content-type"].startswith("text/plain")
        job = httpx.get(answer.headers["location"], headers=key, trust_env=False, verify=False).json()
        assert job["source"] == library.manifest_url(2)
        message = _message(receiver, "/hook/pages")
    assert message.body == _expected_body(message, "bright")


def test_without_a_callback_it_goes_to_the_application(
    server: Listening, library: IIIFServer, key: dict[str, str], application: Receiver
) -> None:
    before = len(application.messages)
    form = {"manifest_url": library.manifest_url(3), "model": "yolo_last"}
    files = {name: (None, value) for name, value in form.items()}  # multipart, as some clients send their forms
    assert _post(server, "/run_detect", files=files, headers=key).status_code == 200
    message = _message(application, "/annotate/pages", before)
    assert message.body == _expected_body(message, "yolo_last")


def test_a_list_of_manifests(
    server: Listening, library: IIIFServer, key: dict[str, str], application: Receiver
) -> None:
    before = len(application.messages)
    listed = f"{library.manifest_url(2)}\r\n\n{library.manifest_url(3)}\n".encode()
    answer = _post(server, "/detect_all", files={"url_file": ("urls.txt", listed)}, headers=key)
    assert (answer.status_code, answer.text) == (200, "Success")
    until(lambda: len(application.messages) == before + 2, 60)
    assert {message.path for message in application.messages[before:]} == {"/annotate/pages"}


@pytest.mark.parametrize(
    "listed",
    [b"", b"\n\n", b"\xff\xfe", b"https://a.example/m.json\nfile:///etc/passwd", b"https://a.example\n" * 2001],
)
def test_a_list_that_is_none_makes_no_job(server: Listening, key: dict[str, str], listed: bytes) -> None:
    before = len(Jobs(server.state.database, server.state.home).list(limit=200))
    answer = _post(server, "/detect_all", files={"url_file": ("urls.txt", listed)}, headers=key)
    assert 400 <= answer.status_code < 500
    assert len(Jobs(server.state.database, server.state.home).list(limit=200)) == before


def test_images_are_forgotten_and_fetched_again(
    server: Listening, library: IIIFServer, key: dict[str, str], application: Receiver
) -> None:
    def images() -> int:
        return sum(path.startswith("/image/") and not path.endswith("info.json") for path in library.log)

    def done(path: str) -> int:
        before, asked = len(application.messages), images()
        answer = _post(server, path, data={"manifest_url": library.manifest_url(3)}, headers=key)
        assert answer.status_code == 200
        assert answer.headers["location"]
        message = _message(application, "/annotate/pages", before)
        assert message.body == _expected_body(message, "bright")
        return images() - asked

    done("/run_detect")
    assert done("/run_detect") == 0
    assert done("/delete_detect") == 3
    assert done("/run_detect") == 0


def test_the_model_comes_from_the_type_of_document(server: Listening, key: dict[str, str]) -> None:
    Routes(server.state.database, server.state.home).set("manuscript", "yolo_last")
    form = {"manifest_url": "http://127.0.0.1:9/manifest.json", "document_type": "manuscript"}
    answer = _post(server, "/run_detect", data=form, headers=key)
    job = httpx.get(answer.headers["location"], headers=key, trust_env=False, verify=False).json()
    assert job["model"] == "bright@1"
    unknown = _post(server, "/run_detect", data={**form, "model": "nobody.pt"}, headers=key)
    assert unknown.status_code == 404


def test_models_are_listed_as_files(server: Listening, key: dict[str, str]) -> None:
    listed = httpx.get(f"{server.url}/models", headers=key, trust_env=False, verify=False).json()
    assert {"bright.pt", "yolo_last.pt", "default.pt"} <= set(listed)
    time.strptime(listed["bright.pt"], "%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("path", ["/run_detect", "/detect_all", "/delete_detect", "/send-dataset", "/train-model"])
def test_no_key_is_400_and_a_wrong_one_403(server: Listening, path: str) -> None:
    assert _post(server, path).status_code == 400
    assert _post(server, path, headers={"X-API-Key": ""}).status_code == 400
    refused = _post(server, path, headers={"X-API-Key": "wrong"})
    assert (refused.status_code, refused.text) == (403, "The token is not valid.")


def test_a_key_that_may_not_train_sends_no_dataset(server: Listening, key: dict[str, str]) -> None:
    files = {"dataset_zip": ("d.zip", _zip({"images/a.png": b""})), "yaml_file": ("d.yaml", b"names: [a]")}
    assert _post(server, "/send-dataset", files=files, headers=key).status_code == 403


@pytest.mark.parametrize("address", ["file:///etc/passwd", "/etc/passwd", "ftp://a.example/m", "http://u:p@a.example/"])
def test_what_is_no_address_is_refused(server: Listening, key: dict[str, str], address: str) -> None:
    good = "https://a.example/manifest.json"
    assert 400 <= _post(server, "/run_detect", data={"manifest_url": address}, headers=key).status_code < 500
    form = {"manifest_url": good, "callback": address}
    assert 400 <= _post(server, "/run_detect", data=form, headers=key).status_code < 500


def test_a_dataset_that_was_sent_is_learnt_from(server: Listening) -> None:
    key = key_of(server, "train", workspace="learners")
    pages = {f"images/{split}/{n}.png": image_bytes(bright_page()) for split in ("train", "val") for n in "ab"}
    labels = {path.replace("images", "labels").replace(".png", ".txt"): b"0 .5 .5 .1 .1\n" for path in pages}
    described = b"train: images/train\nval: images/val\nnc: 1\nnames: {0: bright}\n"
    files = {"dataset_zip": ("d.zip", _zip({**pages, **labels})), "yaml_file": ("d.yaml", described)}
    sent = _post(server, "/send-dataset", files=files, headers=key).text.split()[1]
    form = {"model": "bright.pt", "data": sent, "epochs": "3", "save_dir": "runs/My Run"}
    answer = _post(server, "/train-model", data=form, headers=key)
    assert answer.status_code == 200, answer.text
    assert f"learns from sent-{sent[:12]}, and becomes my-run." in answer.text
    assert "It begins from chance: bright has no weights here" in answer.text
    run_id = answer.headers["location"].rpartition("/")[2]
    workspace = server.workspace("learners")
    job = Jobs(server.state.database, workspace).get(run_id)
    assert (job.kind, job.model, job.payload["config"]["epochs"]) == ("train", "my-run", 3)
    server.state.engine.cancel(workspace, run_id)
    tested = _post(server, "/test-model", data={"model": "bright.pt", "dataset": sent}, headers=key)
    assert tested.status_code == 200, tested.text
    assert tested.text.startswith(f"bright@1 on 2 pages of sent-{sent[:12]}@1 (val): mAP50 0.")


@pytest.mark.parametrize("path", ["/train-model", "/test-model"])
def test_what_cannot_be_learnt_from_is_said(server: Listening, path: str) -> None:
    key = key_of(server, "train")
    assert _post(server, path, data={"model": "bright.pt"}, headers=key).status_code == 400
    for name in ("0" * 32, "set/data.yaml", "../../etc/passwd"):
        answer = _post(server, path, data={"model": "bright.pt", "data": name}, headers=key)
        assert answer.status_code == 404, answer.text


def test_a_dataset_is_kept_in_the_workspace(server: Listening) -> None:
    key = key_of(server, "train", workspace="trainers")
    archive = _zip({"images/train/a.png": image_bytes(bright_page()), "labels/train/a.txt": b"0 .5 .5 .1 .1\n"})
    described = b"train: images/train\nval: images/train\nnc: 2\nnames: {0: bright, 1: red}\n"
    files = {"dataset_zip": ("d.zip", archive), "yaml_file": ("d.yaml", described)}
    answer = _post(server, "/send-dataset", files=files, headers=key)
    assert answer.status_code == 200, answer.text
    assert answer.text.endswith("1 images, 1 files of labels.")
    folder = answer.text.split()[1]
    blobs = server.state.blobs
    found = [each for each in blobs.keys("incoming") if f"/{folder}/" in each]
    assert [each.rpartition("/")[2] for each in found] == ["about.json", "data.yaml", "dataset.zip"]
    assert blobs.read(found[2]) == archive
    assert blobs.read(found[1]) == described


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_jobs_of_one_model_are_done_one_after_another(server: Listening, key: dict[str, str], tmp_path: Path) -> None:
    folder = save_pages(tmp_path / "slow", 2)
    with IIIFServer(folder, latency=0.05) as library, Receiver() as receiver:
        for version in (2, 3):
            form = {"manifest_url": library.manifest_url(version), "callback": receiver.url}
            _post(server, "/run_detect", data=form, headers=key)
        until(lambda: len(receiver.messages) == 2, 60)
    jobs = Jobs(server.state.database, server.state.home).list(limit=2)
    second, first = sorted(jobs, key=lambda job: job.created_at, reverse=True)
    events = Jobs(server.state.database, server.state.home).events
    last_page = max(event.at for event in events(first.id) if event.type == "page")
    assert min(event.at for event in events(second.id) if event.type == "page") > last_page
