"""AIKON: a client that was written from the contract alone, over a restart, and what it must not be able to do."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from tests.limner_process import serving
from tests.operations.jobs.receiver import Receiver
from tests.operations.jobs.workplace import bright_page, image_bytes, save_pages, until
from tests.server.compat.listening import Listening
from tests.server.compat.working import key_of, working
from tests.sources.iiif.loopback import Canned, IIIFServer

Prefix = str
_ZIP = "application/zip"


@dataclass
class Client:
    """AIKON, as far as this API knows it: it shows no token."""

    base: str
    prefix: Prefix = "regions"

    def start(self, **request: Any) -> httpx.Response:
        return httpx.post(f"{self.base}/{self.prefix}/start", trust_env=False, verify=False, timeout=60, **request)

    def started(self, **body: Any) -> str:
        answer = self.start(json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["tracking_id"])

    def get(self, path: str) -> Any:
        answer = httpx.get(f"{self.base}/{self.prefix}/{path}", trust_env=False, verify=False, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str) -> httpx.Response:
        return httpx.post(f"{self.base}/{self.prefix}/{path}", trust_env=False, verify=False, timeout=60)

    def log(self, tracking_id: str) -> dict[str, Any]:
        found = self.get(f"{tracking_id}/status")
        assert found["tracking_id"] == tracking_id
        return dict(found["log"])

    def ended(self, tracking_id: str) -> dict[str, Any]:
        until(lambda: self.log(tracking_id)["status"] in ("SUCCESS", "ERROR"), 100)
        return self.log(tracking_id)


def _told(receiver: Receiver) -> list[dict[str, Any]]:
    assert all(message.headers["Content-Type"] == "application/json" for message in receiver.messages)
    return [json.loads(message.body) for message in receiver.messages]


def _last(receiver: Receiver) -> dict[str, Any]:
    until(lambda: any(each["event"] in ("SUCCESS", "ERROR") for each in _told(receiver)), 60)
    return _told(receiver)[-1]


def _sent(base: str, tracking_id: str, key: dict[str, str]) -> list[dict[str, Any]]:
    """The notifications of an experiment, with all attempts."""
    answer = httpx.get(f"{base}/v1/jobs/{tracking_id}/deliveries", headers=key, trust_env=False, verify=False)
    return list(answer.json()["items"])


def _decoded(bbox: str, width: int, height: int) -> tuple[int, int, int, int]:
    """A box as AIKON reads it back: two digits in base 36 for each of left, top, width and height."""
    fractions = [int(bbox[at : at + 2], 36) / (36**2 - 1) for at in (0, 2, 4, 6)]
    return tuple(round(part * side) for part, side in zip(fractions, (width, height) * 2, strict=True))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IIIFServer]:
    """Four canvases: boxes on the first and the last, nothing on the second, and no image on the third."""
    folder = tmp_path_factory.mktemp("library")
    bright_page((20, 40, 80, 100), (100, 200, 180, 240)).save(folder / "0001.png")
    bright_page().save(folder / "0002.png")
    bright_page().save(folder / "0003.png")
    bright_page((0, 0, 60, 40)).save(folder / "0004.png")
    with IIIFServer(folder) as server:
        manifest = server.manifest(2)
        manifest["sequences"][0]["canvases"][2]["images"] = []
        server.documents["/gap/manifest.json"] = manifest
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, bright: Path) -> Iterator[Listening]:
    with working(
        tmp_path_factory.mktemp("data"), bright, compat_clients="127.0.0.1", source_networks="127.0.0.1"
    ) as server:
        yield server


@pytest.fixture
def client(server: Listening) -> Client:
    return Client(server.url)


@pytest.mark.parametrize("prefix", ["regions", "region_extraction"])
def test_an_experiment_from_its_start_to_its_result(server: Listening, library: IIIFServer, prefix: Prefix) -> None:
    client = Client(server.url, prefix)
    with Receiver() as receiver:
        body = {
            "experiment_id": "12",
            "notify_url": receiver.url,
            "model": "bright.pt",
            "documents": [{"type": "iiif", "src": f"{library.url}/gap/manifest.json", "uid": "wit1_man1"}],
        }
        answer = client.start(json=body)
        assert answer.status_code == 200
        tracking_id = answer.json()["tracking_id"]
        assert answer.json() == {"tracking_id": tracking_id, "experiment_id": "12"}
        last = _last(receiver)
        told = _told(receiver)
    assert [each["event"] for each in told] == ["STARTED", "PROGRESS", "SUCCESS"]
    assert {(each["tracking_id"], each["experiment_id"]) for each in told} == {(tracking_id, "12")}
    assert last["success"] is True
    (result,) = last["output"]["results_url"]
    assert result["doc_id"] == "wit1_man1"
    assert result["result_url"].rpartition("/")[2] == "bright+12"
    assert client.ended(tracking_id)["status"] == "SUCCESS"
    assert (
        httpx.get(last["output"]["dataset_url"], trust_env=False, verify=False).json()["documents"] == body["documents"]
    )
    entries = httpx.get(result["result_url"], trust_env=False, verify=False).json()
    _check_entries(entries, library)


def _check_entries(entries: list[dict[str, Any]], library: IIIFServer) -> None:
    assert [len(entry["crops"]) for entry in entries] == [2, 0, 0, 1]  # the third canvas has no image
    assert [entry["source_info"]["metadata"]["page"] for entry in entries] == [1, 2, 3, 4]
    first = entries[0]
    crop = next(each for each in first["crops"] if each["absolute"]["x1"] == 20)
    assert {key: value for key, value in first.items() if key != "crops"} == {
        "source": "0001.jpg",
        "source_info": {
            "id": "0001.jpg",
            "src": first["source_info"]["src"],
            "path": "images/0001.jpg",
            "metadata": {"page": 1},
        },
        "width": 320,
        "height": 320,
        "doc_uid": "wit1_man1",
    }
    assert first["source_info"]["src"].startswith(library.url)
    bbox, confidence = crop.pop("bbox"), crop.pop("confidence")
    assert 0 < confidence <= 1
    assert crop == {
        "crop_id": f"0001.jpg-{bbox}",
        "source": "0001.jpg",
        "class": {"id": 0, "label": "bright"},
        "absolute": {"x1": 20, "y1": 40, "x2": 80, "y2": 100, "width": 60, "height": 60},
        "relative": {"x1": 0.0625, "y1": 0.125, "x2": 0.25, "y2": 0.3125, "width": 0.1875, "height": 0.1875},
    }
    assert _decoded(bbox, 320, 320) == (20, 40, 60, 60)
    assert _decoded(entries[3]["crops"][0]["bbox"], 320, 320) == (0, 0, 60, 40)


def _archive(names: list[str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, image_bytes(bright_page((20, 40, 80, 100))))
    return out.getvalue()


def _pdf() -> bytes:
    out = io.BytesIO()
    pages = [Image.new("RGB", (60, 80), "black")] * 2
    pages[0].save(out, "PDF", save_all=True, append_images=pages[1:])
    return out.getvalue()


def test_all_types_of_documents_in_one_experiment(client: Client, library: IIIFServer) -> None:
    library.answer("/bundle/7", Canned(200, _archive(["b.png", "a.png"]), {"Content-Type": _ZIP}), times=9)
    library.answer("/download/book", Canned(200, _pdf(), {"Content-Type": "application/pdf"}), times=9)
    library.documents["/list.json"] = {"front": library.file_url("0001"), "back": library.file_url("0004")}
    documents = [
        {"type": "zip", "src": f"{library.url}/bundle/7", "uid": "z"},
        {"type": "pdf", "src": f"{library.url}/download/book", "uid": "p"},
        {"type": "img", "src": library.file_url("0004"), "uid": "i"},
        {"type": "url_list", "src": f"{library.url}/list.json", "uid": "u"},
        {"type": "url_list", "src": {"only": library.file_url("0001")}, "uid": "v"},
        {"type": "iiif", "src": f"{library.url}/nothing.json", "uid": "gone"},
    ]
    with Receiver() as receiver:
        tracking_id = client.started(experiment_id=7, notify_url=receiver.url, model="bright", documents=documents)
        output = _last(receiver)["output"]
    assert [each["doc_id"] for each in output["results_url"]] == ["z", "p", "i", "u", "v"]
    assert len(output["error"]) == 1
    assert "nothing.json" in output["error"][0]
    found = {
        each["doc_id"]: [
            (entry["source"], len(entry["crops"]))
            for entry in httpx.get(each["result_url"], trust_env=False, verify=False, timeout=60).json()
        ]
        for each in output["results_url"]
    }
    assert found["z"] == [("a.png", 1), ("b.png", 1)]
    assert [crops for _, crops in found["p"]] == [0, 0]
    assert found["i"] == [("0004.png", 1)]
    assert found["u"] == [("front.png", 2), ("back.png", 1)]
    assert found["v"] == [("only.png", 2)]
    assert client.log(tracking_id)["errors"] == output["error"]


def test_a_form_with_json_in_it_and_parameters_that_replace_the_options(client: Client, library: IIIFServer) -> None:
    documents = json.dumps([{"type": "img", "src": library.file_url("0004"), "uid": "i"}])
    parameters = json.dumps({"model": "yolo_last.pt", "postprocess": {"squarify": True, "h_margin": 0.5}})
    with Receiver() as receiver:
        fields = {"experiment_id": "f", "notify_url": receiver.url, "model": "nobody", "documents": documents}
        assert client.start(data={**fields, "parameters": parameters}).status_code == 200
        (result,) = _last(receiver)["output"]["results_url"]
    assert result["result_url"].endswith("/yolo_last+f")
    (entry,) = httpx.get(result["result_url"], trust_env=False, verify=False).json()
    # 60 × 40 at the upper left corner: a square of 60 about its middle, 30 more to each side, cut at the page's edge.
    assert entry["crops"][0]["absolute"] == {"x1": 0, "y1": 0, "x2": 90, "y2": 50, "width": 90, "height": 50}


def test_when_nothing_works_both_message_and_error_say_so(client: Client, library: IIIFServer) -> None:
    documents = [{"type": "iiif", "src": f"{library.url}/nothing.json", "uid": "gone"}]
    with Receiver() as receiver:
        tracking_id = client.started(experiment_id="e", notify_url=receiver.url, documents=documents)
        last = _last(receiver)
    assert last["event"] == "ERROR"
    assert last["message"] == last["error"]
    assert "nothing.json" in last["error"]
    log = client.ended(tracking_id)
    assert log["status"] == "ERROR"
    assert log["errors"]
    assert client.post(f"{tracking_id}/cancel").status_code == 200  # it has ended: nothing to cancel, and no error


def test_cancelling(client: Client, tmp_path: Path) -> None:
    with IIIFServer(save_pages(tmp_path / "slow", 12), latency=0.2) as library, Receiver() as receiver:
        documents = [{"type": "iiif", "src": library.manifest_url(), "uid": "long"}]
        tracking_id = client.started(experiment_id="c", notify_url=receiver.url, documents=documents)
        until(lambda: any(path.startswith("/image/") for path in library.log), 60)
        waiting = client.get("monitor")
        assert {"tracking_id": tracking_id, "experiment_id": "c", "status": "PROGRESS"} in waiting["experiments"]
        assert client.post(f"{tracking_id}/cancel").json()["log"]["status"] == "ERROR"
        assert _last(receiver)["event"] == "ERROR"
    assert tracking_id not in str(client.get("monitor"))
    assert (
        httpx.get(f"{client.base}/regions/{tracking_id}/results/0/x+c", trust_env=False, verify=False).status_code
        == 409
    )


def test_models_and_queues(client: Client) -> None:
    models = client.get("models")
    assert models["bright"] == {"name": "Bright boxes", "model": "bright", "desc": ""}
    assert "yolo_last" in models
    assert client.get("qsizes")["queues"]["regions"]["size"] >= 0


def test_what_was_found_is_forgotten_by_document_and_model(client: Client, library: IIIFServer) -> None:
    source = library.file_url("0004")
    documents = [{"type": "img", "src": source, "uid": uid} for uid in ("one", "two")]
    both = client.started(experiment_id="a", model="bright", documents=documents)
    alone = client.started(experiment_id="b", model="bright", documents=documents[:1])
    assert {client.ended(each)["status"] for each in (both, alone)} == {"SUCCESS"}
    assert client.post("one/delete?model_name=another").json() == {"deleted": 0}
    assert client.post("one/delete?model_name=bright.pt").json() == {"deleted": 2}
    assert client.post("one/delete").json() == {"deleted": 0}
    results = f"{client.base}/regions/{both}/results"
    assert httpx.get(f"{results}/0/bright+a", trust_env=False, verify=False).status_code == 404
    assert len(httpx.get(f"{results}/1/bright+a", trust_env=False, verify=False).json()) == 1
    assert httpx.get(f"{client.base}/regions/{alone}/status", trust_env=False, verify=False).status_code == 404


_GOOD = {"type": "iiif", "src": "https://a.example/m.json"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"documents": []},
        {"documents": "https://a.example"},
        {"documents": [{"type": "iiif"}]},
        {"documents": [{"type": "video", "src": "https://a.example"}]},
        {"documents": [{"type": "iiif", "src": "file:///etc/passwd"}]},
        {"documents": [{"type": "url_list", "src": {"a": "/etc/passwd"}}]},
        {"documents": [{"type": "url_list", "src": '{"a": '}]},
        {"documents": [_GOOD], "notify_url": "gopher://a.example"},
        {"documents": [_GOOD], "postprocess": "sharpen"},
        {"documents": [_GOOD], "postprocess": {"h_margin": -1}},
        {"documents": [_GOOD], "model": "nobody"},
        {"documents": [_GOOD], "parameters": {"model": ["bright"]}},
        {"documents": [_GOOD], "experiment_id": "\0"},
        {"documents": [_GOOD], "experiment_id": "a/b"},
        {"documents": [_GOOD] * 1001},
    ],
)
def test_what_makes_no_sense_is_refused_at_once(client: Client, body: dict[str, Any]) -> None:
    assert 400 <= client.start(json=body).status_code < 500


def test_addresses_inside_the_network_are_not_reached(server: Listening, client: Client) -> None:
    """Neither as a document nor as the place to be told: of this machine, only 127.0.0.1 may be asked here."""
    sources = ["http://127.0.0.2:9/m.json", "http://169.254.169.254/latest", "http://[::1]/m.json", "http://0x7f000002"]
    documents = [{"type": kind, "src": src} for src in sources for kind in ("iiif", "img", "zip")]
    tracking_id = client.started(experiment_id="s", notify_url="http://127.0.0.2:9/notify", documents=documents)
    errors = client.ended(tracking_id)["errors"]
    assert client.log(tracking_id)["status"] == "ERROR"
    assert "not on the public internet" in errors[0]
    assert len(errors) == 1 + len(documents)
    assert all("not on the public internet" in error for error in errors)
    key = key_of(server, "admin")
    until(lambda: {each["status"] for each in _sent(server.url, tracking_id, key)} == {"failed"}, 60)
    tried = [attempt["error"] for each in _sent(server.url, tracking_id, key) for attempt in each["log"]]
    assert tried
    assert all("not on the public internet" in error for error in tried)


def test_another_workspace_does_not_see_an_experiment(server: Listening, client: Client, library: IIIFServer) -> None:
    documents = [{"type": "img", "src": library.file_url("0004"), "uid": "hidden"}]
    tracking_id = client.started(experiment_id="h", documents=documents)
    client.ended(tracking_id)
    stranger = key_of(server, "admin", workspace="elsewhere")

    def seen(identity: str) -> list[tuple[int, str]]:
        paths = ("status", "dataset", "results/0/bright+h")
        answers = [
            httpx.get(f"{server.url}/regions/{identity}/{path}", headers=stranger, trust_env=False, verify=False)
            for path in paths
        ]
        answers.append(
            httpx.post(f"{server.url}/regions/{identity}/cancel", headers=stranger, trust_env=False, verify=False)
        )
        return [(answer.status_code, answer.text.replace(identity, "…")) for answer in answers]

    assert seen(tracking_id) == seen("0" * 32)
    assert {status for status, _ in seen(tracking_id)} == {404}
    gone = httpx.post(f"{server.url}/regions/hidden/delete", headers=stranger, trust_env=False, verify=False)
    assert gone.json()["deleted"] == 0
    assert client.log(tracking_id)["status"] == "SUCCESS"


def test_a_job_of_another_kind_of_client_is_no_experiment(server: Listening) -> None:
    key = key_of(server, "annotate")
    job = httpx.post(
        f"{server.url}/v1/jobs", json={"source": "https://a.example/m.json"}, headers=key, trust_env=False, verify=False
    ).json()
    assert httpx.get(f"{server.url}/regions/{job['id']}/status", trust_env=False, verify=False).status_code == 404


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_experiment_goes_on_after_the_server_was_killed(tmp_path: Path, bright: Path) -> None:
    store = ModelStore(tmp_path / "data" / "models")
    store.add(read_bundle(bright))
    store.alias("default", "bright")
    names = {"LIMNER_COMPAT_CLIENTS": "127.0.0.1", "LIMNER_FETCH_RETRIES": "0"}
    with (
        IIIFServer(save_pages(tmp_path / "pages", 8), latency=1.0) as library,
        Receiver() as receiver,
        serving(tmp_path / "data", **names) as server,
    ):
        client = Client(server.url)
        documents = [{"type": "iiif", "src": library.manifest_url(), "uid": "long"}]
        tracking_id = client.started(experiment_id="r", notify_url=receiver.url, documents=documents)
        key = {"X-API-Key": server.first_token}
        told = ["delivered", "delivered"]
        until(lambda: [each["status"] for each in _sent(client.base, tracking_id, key)][:2] == told, 60)
        server.kill()
        library.latency = 0.0
        assert "SUCCESS" not in str(_told(receiver))
        server.again()
        client = Client(server.url)
        assert client.ended(tracking_id)["status"] == "SUCCESS"
        last = _last(receiver)
        (result,) = last["output"]["results_url"]
        entries = client.get(result["result_url"].partition("/regions/")[2])
        events = [each["event"] for each in _told(receiver)]
    assert events.count("STARTED") == events.count("SUCCESS") == 1
    assert events[0] == "STARTED"
    assert events[-1] == "SUCCESS"
    assert [len(entry["crops"]) for entry in entries] == [1] * 8
