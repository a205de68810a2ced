"""Evaluations over HTTP."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

from starlette.testclient import TestClient

from limner.operations.datasets.desk import workspace_datasets
from tests.server.api.work import ended, made
from tests.server.conftest import MakeClient
from tests.server.running import state_of, token_for, with_token
from tests.training.datasets import made as drawn


def _with_dataset(client: TestClient) -> None:
    state = state_of(client)
    store = workspace_datasets(state.settings, state.home)
    right = drawn.page(store, 0, [("bright", 6, 6, 30, 36)], split="test")
    forgotten = drawn.page(store, 1, [("bright", 12, 6, 30, 36), ("bright", 54, 6, 30, 36)], split="test")
    partly = replace(forgotten, annotations=forgotten.annotations[:1])
    store.add(drawn.dataset(store, [right, partly], "boxes"))


def test_a_model_is_measured_and_its_report_read(make_client: MakeClient) -> None:
    app = make_client(workers=1)
    client = with_token(app, token_for(app, "train", "annotate"))
    _with_dataset(client)
    answer = client.post("/v1/evaluations", json={"model": "default", "dataset": "boxes"})
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    assert answer.headers["location"] == asked["links"]["self"]
    assert (asked["model"], asked["dataset"], asked["split"]) == ("bright@1", "boxes@1", "test")
    assert ended(client, asked)["status"] == "succeeded"
    found = client.get(asked["links"]["self"]).json()
    assert found["figures"]["all"]["things"] == 2
    assert found["pages"] == {"total": 2, "done": 2, "failed": 0}
    own = f"/v1/evaluations/{asked['id']}/report"
    page = client.get(own)
    assert page.headers["content-type"].startswith("text/html")
    for picture in (pictures := re.findall(r"src='([^']+)'", page.text)):
        shown = client.get(f"/v1/evaluations/{asked['id']}/{picture}")  # as a browser resolves it
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert len(pictures) == 2
    assert client.get(f"{own}/report.json").json() == found["figures"]
    assert client.get(f"{own}/labels.csv").text.startswith("label,things")
    assert client.get(f"{own}/report.html").text == page.text
    assert client.get(f"{own}/..%2F..%2Fdocuments.json").status_code == 404
    style = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)[0]
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert f"style-src 'sha256-{allowed}'" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_what_there_is_not_is_refused(client: TestClient) -> None:
    _with_dataset(client)
    fields = {"model": "bright", "dataset": "boxes"}
    asked = client.post("/v1/evaluations", json=fields, headers={"Idempotency-Key": "night"}).json()
    again = client.post("/v1/evaluations", json=fields, headers={"Idempotency-Key": "night"}).json()
    assert again["id"] == asked["id"]
    assert asked["figures"] is None
    assert client.get(f"/v1/evaluations/{asked['id']}/report").status_code == 409
    other = made(client, source="https://example.org/manifest.json")
    assert client.get(f"/v1/evaluations/{other['id']}").status_code == 404
    assert client.post("/v1/evaluations", json={**fields, "dataset": "boxs"}).status_code == 404
    assert client.post("/v1/evaluations", json={**fields, "model": "text", "compare": "bright"}).status_code == 400
    assert client.post("/v1/evaluations", json={**fields, "split": "val"}).status_code == 422
    assert client.post("/v1/evaluations", json={**fields, "threshold": 2}).status_code == 422
    assert client.post(f"/v1/jobs/{asked['id']}/cancel").json()["status"] == "cancelled"


def test_another_workspace_has_its_own(client: TestClient, stranger: TestClient) -> None:
    _with_dataset(client)
    fields = {"model": "bright", "dataset": "boxes"}
    asked = client.post("/v1/evaluations", json=fields).json()
    assert stranger.get(f"/v1/evaluations/{asked['id']}").status_code == 404
    assert stranger.post("/v1/evaluations", json=fields).status_code == 404
