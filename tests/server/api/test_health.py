"""``/healthz``, ``/readyz`` and ``/metrics``."""

import time
from pathlib import Path

from starlette.testclient import TestClient

from tests.server.conftest import MakeClient
from tests.server.running import state_of


def test_it_lives_whatever_else_is_wrong(anonymous: TestClient) -> None:
    state_of(anonymous).database.close()
    assert anonymous.get("/healthz").json() == {"status": "ok"}


def _until(client: TestClient, part: str, state: str) -> dict:
    for _ in range(300):
        parts = client.get("/readyz").json()["parts"]
        if parts[part]["state"] == state:
            return parts
        time.sleep(0.05)
    raise AssertionError(parts)


def test_it_is_ready_before_the_model_is_known(anonymous: TestClient) -> None:
    answer = anonymous.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert answer.json()["parts"]["model"] == {"state": "pending"}
    parts = _until(anonymous, "model", "ok")
    assert set(parts) == {"database", "storage", "model", "queue"}


def test_a_default_model_that_is_damaged_is_told(anonymous: TestClient) -> None:
    (weights,) = state_of(anonymous).settings.models_dir.glob("bright/1/model.onnx")
    weights.write_bytes(b"x" * weights.stat().st_size)
    parts = _until(anonymous, "model", "failed")
    assert "bright" in parts["model"]["reason"]
    answer = anonymous.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False


def test_a_store_that_cannot_be_used_is_told(anonymous: TestClient, tmp_path: Path) -> None:
    blobs = tmp_path / "data" / "blobs"
    blobs.rmdir()
    blobs.write_text("in the way")
    answer = anonymous.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["storage"]["state"] == "failed"
    assert str(tmp_path) not in answer.text


def test_the_worker_inside_is_a_part(make_client: MakeClient) -> None:
    client = make_client(workers=1)
    assert _until(client, "worker", "ok")["queue"]["state"] == "ok"
    assert state_of(client).engine.running


def test_load_balancers_need_no_token_and_are_not_limited(make_client: MakeClient) -> None:
    client = make_client(rate_limit=1, allowed_clients="192.0.2.1")
    for path in ("/healthz", "/readyz", "/metrics") * 3:
        assert client.get(path).status_code == 200
