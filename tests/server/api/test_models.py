"""``/v1/models``."""

import io
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from limner.models.bundle_files import pack_bundle, read_bundle
from limner.models.importers.protocol import IMPORTERS
from limner.models.importers.pytorch_yolo import PYTORCH_YOLO
from tests.models.importers.checkpoints import archive, calling
from tests.models.importers.test_pytorch_yolo import checkpoint
from tests.models.networks import bright_boxes_bundle
from tests.operations.bright_pages import page
from tests.server.conftest import MakeClient
from tests.server.running import token_for, with_token

URL = "/v1/models"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bundle ``mine@1`` as a zip file."""
    folder = tmp_path_factory.mktemp("packed")
    bundle = read_bundle(bright_boxes_bundle(folder / "mine", side=64))
    return pack_bundle(bundle, folder / "mine.zip").read_bytes()


def upload(client: TestClient, data: bytes, name: str = "mine.zip", **fields: str):
    return client.post(URL, files={"file": (name, io.BytesIO(data))}, data=fields)


def refs(client: TestClient) -> list[str]:
    return [model["ref"] for model in client.get(URL, params={"limit": 200}).json()["items"]]


def test_shared_and_built_in_models_are_listed(client: TestClient) -> None:
    items = {model["ref"]: model for model in client.get(URL).json()["items"]}
    assert {"bright@1", "text@1", "text-regions@1"} <= set(items)
    assert items["bright@1"]["shared"] is True
    assert items["bright@1"]["aliases"] == ["default"]
    assert items["text@1"]["built_in"] is True


def test_lists_come_in_parts(client: TestClient) -> None:
    first = client.get(URL, params={"limit": 2}).json()
    second = client.get(URL, params={"limit": 2, "cursor": first["next"]}).json()
    assert [model["ref"] for model in first["items"] + second["items"]] == sorted(refs(client))
    assert second["next"] is None
    assert client.get(URL, params={"limit": 0}).status_code == 422
    assert client.get(URL, params={"limit": 201}).status_code == 422


def test_an_uploaded_model_is_the_workspaces_own(client: TestClient, stranger: TestClient, packed: bytes) -> None:
    answer = upload(client, packed)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/v1/models/mine@1"
    assert answer.json()["shared"] is False
    assert answer.json()["page_seconds"] > 0
    assert client.get(answer.headers["location"]).json()["ref"] == "mine@1"
    assert client.post("/v1/annotate", files={"file": page()}, data={"model": "mine"}).json()["model"] == "mine@1"
    assert "mine@1" not in refs(stranger)
    assert stranger.get(f"{URL}/mine@1").status_code == 404
    assert stranger.post("/v1/annotate", files={"file": page()}, data={"model": "mine"}).status_code == 404
    assert stranger.delete(f"{URL}/mine@1").status_code == 404


def test_two_workspaces_may_have_models_of_one_name(
    client: TestClient, stranger: TestClient, packed: bytes, tmp_path: Path
) -> None:
    """Even of the same weights: what the bundles say differs."""
    other = bright_boxes_bundle(tmp_path / "mine", side=64, title="Another", version="1")
    assert upload(client, packed).status_code == 201
    assert upload(stranger, pack_bundle(read_bundle(other), tmp_path / "o.zip").read_bytes()).status_code == 201
    assert client.get(f"{URL}/mine").json()["title"] == "Bright boxes"
    assert stranger.get(f"{URL}/mine").json()["title"] == "Another"


def test_a_model_is_given_another_name(client: TestClient, packed: bytes) -> None:
    answer = upload(client, packed, name="whatever.zip", name_="", version="3", labels="light,dark")
    assert answer.status_code == 400  # there is no field of that name
    answer = client.post(URL, files={"file": ("x.zip", packed)}, data={"name": "seals", "labels": "light,dark"})
    assert (answer.json()["ref"], answer.json()["labels"]) == ("seals@1", ["light", "dark"])


@pytest.mark.parametrize("name", ["../../mine.zip", "..", "/etc/passwd", "a" * 300 + ".zip", "nul\x00.zip", ""])
def test_odd_file_names_do_no_harm(client: TestClient, packed: bytes, name: str) -> None:
    answer = upload(client, packed, name=name or "x")
    assert answer.status_code in (201, 422), answer.text


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no zip", b"hello", b"\x08\x07\x12"])
def test_what_is_no_model_is_refused(client: TestClient, data: bytes) -> None:
    answer = upload(client, data)
    assert 400 <= answer.status_code < 500
    assert "mine@1" not in refs(client)


def test_a_form_without_a_file_is_refused(client: TestClient) -> None:
    assert client.post(URL, data={"name": "x"}, files={"other": b"x"}).status_code == 400
    assert client.post(URL, data={"name": "x"}).status_code == 400


def test_the_same_version_is_not_replaced(client: TestClient, packed: bytes) -> None:
    assert upload(client, packed).status_code == 201
    again = upload(client, packed)
    assert again.status_code == 422
    assert "already" in again.json()["detail"]


def test_a_model_is_replaced_where_that_is_asked_for(client: TestClient, packed: bytes) -> None:
    assert upload(client, packed).status_code == 201
    assert upload(client, packed, replace="true", labels="light,dark").json()["labels"] == ["light", "dark"]
    assert upload(client, packed, replace="perhaps").status_code == 400
    assert upload(client, packed, kind="nonsense").status_code == 404


def test_a_shared_model_is_not_covered_or_removed(client: TestClient, packed: bytes) -> None:
    answer = client.post(URL, files={"file": ("x.zip", packed)}, data={"name": "bright"})
    assert answer.status_code == 422
    for ref in ("bright@1", "text"):
        answer = client.delete(f"{URL}/{ref}")
        assert answer.status_code == 400
        assert "shared" in answer.json()["detail"]
    assert "bright@1" in refs(client)


def test_a_model_is_removed(client: TestClient, packed: bytes) -> None:
    upload(client, packed)
    assert client.delete(f"{URL}/mine@1").status_code == 204
    assert client.get(f"{URL}/mine").status_code == 404
    assert client.post("/v1/annotate", files={"file": page()}, data={"model": "mine"}).status_code == 404


def test_an_alias_stands_for_a_model_in_one_workspace(client: TestClient, stranger: TestClient, packed: bytes) -> None:
    upload(client, packed)
    assert client.put(f"{URL}/aliases/best", json={"model": "mine"}).json()["aliases"] == ["best"]
    assert client.put(f"{URL}/aliases/default", json={"model": "mine@1"}).status_code == 200
    assert client.post("/v1/annotate", files={"file": page()}).json()["model"] == "mine@1"
    assert client.get(f"{URL}/best").json()["ref"] == "mine@1"
    assert stranger.post("/v1/annotate", files={"file": page()}).json()["model"] == "bright@1"
    assert stranger.get(f"{URL}/best").status_code == 404
    assert client.delete(f"{URL}/mine@1").status_code == 400  # aliases need it
    for alias in ("best", "default"):
        assert client.delete(f"{URL}/aliases/{alias}").status_code == 204
    assert client.delete(f"{URL}/mine@1").status_code == 204
    assert client.post("/v1/annotate", files={"file": page()}).json()["model"] == "bright@1"


def test_an_alias_for_a_shared_model_leaves_shared_ones_alone(client: TestClient, stranger: TestClient) -> None:
    assert client.put(f"{URL}/aliases/lines", json={"model": "text-regions"}).status_code == 200
    assert client.get(f"{URL}/lines").json()["ref"] == "text-regions@1"
    assert client.put(f"{URL}/aliases/default", json={"model": "text-regions"}).status_code == 200
    assert stranger.get(f"{URL}/default").json()["ref"] == "bright@1"


@pytest.mark.parametrize(
    ("alias", "model", "status"),
    [("bright", "text", 400), ("UPPER", "text", 400), ("a", "nothing", 404), ("a", "default", 400)],
)
def test_aliases_that_make_no_sense_are_refused(client: TestClient, alias: str, model: str, status: int) -> None:
    assert client.put(f"{URL}/aliases/{alias}", json={"model": model}).status_code == status


def test_an_alias_that_is_not_there_is_not_forgotten(client: TestClient) -> None:
    assert client.delete(f"{URL}/aliases/nothing").status_code == 404
    assert client.delete(f"{URL}/aliases/default").status_code == 404  # it is shared


def test_a_model_is_tried(client: TestClient) -> None:
    answer = client.post(f"{URL}/bright/test")
    assert answer.status_code == 200
    assert answer.json()["ref"] == "bright@1"
    assert answer.json()["hash_matches"] is True
    assert answer.json()["providers"] == ["CPUExecutionProvider"]
    assert answer.json()["seconds"] > 0


def test_a_model_that_is_not_there_has_near_ones(client: TestClient) -> None:
    answer = client.get(f"{URL}/brigth")
    assert answer.status_code == 404
    assert "bright" in answer.json()["detail"]
    assert client.get(f"{URL}/..%2F..%2Fetc").status_code == 404


def test_only_admins_change_models(anonymous: TestClient, packed: bytes) -> None:
    annotator = with_token(anonymous, token_for(anonymous, "annotate", "train"))
    assert annotator.get(URL).status_code == 200
    assert upload(annotator, packed).status_code == 403
    assert annotator.delete(f"{URL}/bright").status_code == 403
    assert annotator.put(f"{URL}/aliases/x", json={"model": "text"}).status_code == 403
    assert annotator.post(f"{URL}/bright/test").status_code == 403


def test_a_file_that_is_too_large_is_refused(make_client: MakeClient, packed: bytes) -> None:
    client = make_client(auth=False, max_body_bytes=500)
    assert upload(client, packed).status_code == 413


def test_a_checkpoint_is_converted_and_a_hostile_one_refused(client: TestClient, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(IMPORTERS, "_added", {**IMPORTERS._added, "pytorch-yolo": PYTORCH_YOLO})
    answer = upload(client, checkpoint(tmp_path / "elements.pt", "yolov5").read_bytes(), "elements.pt")
    assert answer.status_code == 201, answer.text
    assert (answer.json()["ref"], answer.json()["labels"]) == ("elements@1", ["illustration", "initial"])
    trace = tmp_path / "was-here"
    hostile = archive(tmp_path / "worst.pt", calling("os", "system", f"touch {trace}"))
    refused = upload(client, hostile.read_bytes(), "worst.pt")
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:limner:problem:model.unsafe")
    assert "os.system" in refused.json()["detail"]
    assert not trace.exists()
