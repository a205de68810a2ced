"""Runs over the API, without a process that learns: tests/integration/test_training.py has those."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from limner.operations.runs.places import TrainingPlace
from limner.training.fitting.folder import MetricsLog, RunFolder
from tests.server.running import state_of, token_for, with_token
from tests.training.fitting.squares import squares


@pytest.fixture
def place(client: TestClient) -> TrainingPlace:
    """What the workspace has: a dataset of squares."""
    state = state_of(client)
    store = state.services.libraries.of(state.home).store
    place = TrainingPlace.of_workspace(state.settings.data, state.home, store)
    squares(place.datasets.folder, train=4, val=2)
    return place


def _begin(client: TestClient, **choices: object) -> dict[str, Any]:
    answer = client.post("/v1/runs", json={"dataset": "squares", **choices})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"].endswith(f"/v1/runs/{answer.json()['id']}")
    found: dict[str, Any] = answer.json()
    return found


def _folder(place: TrainingPlace, run_id: str) -> RunFolder:
    """The folder of a run, as its process would have filled it."""
    folder = place.run(run_id)
    folder.samples.mkdir(parents=True)
    (folder.samples / "epoch-0001.jpg").write_bytes(b"picture")
    log = MetricsLog(folder.metrics)
    about = {"progress": 0.5, "seconds": 8.0}
    log.add({"batch": 1, "kind": "loss", "loss": 0.5, "images_per_second": 4.0, **about})
    log.add({"batch": 1, "kind": "validation", "ap50": 0.25, **about})
    log.add({"batch": 2, "kind": "loss", "loss": 0.25, "images_per_second": 4.0, **about})
    return folder


def test_a_run_waits_for_its_turn(client: TestClient, place: TrainingPlace) -> None:
    run = _begin(client, epochs=3, architecture="lite", name="mine", priority=2)
    assert (run["status"], run["dataset"], run["name"], run["priority"]) == ("queued", "squares@1", "mine", 2)
    assert (run["config"]["epochs"], run["base"], run["model"]) == (3, None, None)
    assert run["progress"]["progress"] == 0.0
    assert client.get(f"/v1/runs/{run['id']}").json() == run
    other = _begin(client)
    assert [each["id"] for each in client.get("/v1/runs").json()["items"]] == [other["id"], run["id"]]
    assert client.get("/v1/runs", params={"limit": 1}).json()["next"] == other["id"]
    assert client.get("/v1/runs", params={"status": "running"}).json()["items"] == []
    job = client.get(f"/v1/jobs/{run['id']}").json()
    assert (job["kind"], job["model"], job["source"]) == ("train", "mine", "squares@1")


def test_the_same_key_begins_one_run(client: TestClient, place: TrainingPlace) -> None:
    headers = {"Idempotency-Key": "once"}
    answers = [client.post("/v1/runs", json={"dataset": "squares"}, headers=headers) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]


@pytest.mark.parametrize(
    ("wrong", "status", "told"),
    [
        ({"dataset": "circles"}, 404, "There is no dataset called 'circles'"),
        ({"architecture": "lit"}, 404, "Did you mean lite"),
        ({"base": "bright"}, 422, "has no weights to go on from"),
        ({"base": "nobody"}, 404, "no model called 'nobody'"),
        ({"name": "Mine!"}, 400, "name:"),
        ({"name": "default"}, 400, "is an alias"),
        ({"alias": "No!"}, 400, "cannot be the name of an alias"),
        ({"epochs": 0}, 422, "epochs"),
        ({"epoch": 3}, 422, "epoch"),
        ({"dataset_sha256": "0"}, 422, "dataset_sha256"),
    ],
)
def test_what_cannot_be_is_refused(
    client: TestClient, place: TrainingPlace, wrong: dict[str, object], status: int, told: str
) -> None:
    answer = client.post("/v1/runs", json={"dataset": "squares", **wrong})
    assert (answer.status_code, told in answer.text) == (status, True), answer.text
    assert client.get("/v1/runs").json()["items"] == []


def test_a_run_is_looked_at_while_it_learns(client: TestClient, place: TrainingPlace) -> None:
    run_id = _begin(client)["id"]
    assert client.get(f"/v1/runs/{run_id}/metrics").json()["items"] == []
    assert client.get(f"/v1/runs/{run_id}/samples/1").status_code == 404
    _folder(place, run_id)
    run = client.get(f"/v1/runs/{run_id}").json()
    assert run["progress"] == {
        "batch": 2,
        "progress": 0.5,
        "seconds": 8.0,
        "seconds_left": 8.0,
        "loss": 0.25,
        "images_per_second": 4.0,
        "best_map50": 0.25,
    }
    assert run["samples"] == [1]
    assert [line["batch"] for line in client.get(f"/v1/runs/{run_id}/metrics").json()["items"]] == [1, 1, 2]
    assert len(client.get(f"/v1/runs/{run_id}/metrics", params={"after": 1}).json()["items"]) == 1
    picture = client.get(f"/v1/runs/{run_id}/samples/1")
    assert (picture.headers["content-type"], picture.content) == ("image/jpeg", b"picture")
    report = client.get(f"/v1/runs/{run_id}/report")
    assert (report.status_code, report.json()["detail"]) == (409, "The run is not finished: there is no report yet.")


def test_a_run_is_stopped_resumed_and_deleted(client: TestClient, place: TrainingPlace) -> None:
    run_id = _begin(client)["id"]
    folder = _folder(place, run_id)
    assert client.delete(f"/v1/runs/{run_id}").status_code == 409
    assert client.post(f"/v1/runs/{run_id}/stop").json()["status"] == "cancelled"
    assert client.post(f"/v1/runs/{run_id}/resume").json()["status"] == "queued"
    assert client.post(f"/v1/runs/{run_id}/resume").status_code == 409
    client.post(f"/v1/runs/{run_id}/stop")
    events = client.get(f"/v1/runs/{run_id}/events").text
    assert [line for line in events.splitlines() if line.startswith("event:")].count("event: run") >= 4
    assert client.delete(f"/v1/runs/{run_id}").status_code == 204
    assert not folder.path.exists()
    assert client.get(f"/v1/runs/{run_id}").status_code == 404


def test_only_a_run_with_a_model_is_promoted(client: TestClient, place: TrainingPlace) -> None:
    run_id = _begin(client)["id"]
    answer = client.post(f"/v1/runs/{run_id}/promote", json={"alias": "best"})
    assert (answer.status_code, answer.json()["detail"]) == (409, "The run has no model: it is not finished.")
    assert client.post(f"/v1/runs/{run_id}/promote", json={"alias": "Best!"}).status_code == 400


def test_an_alias_is_set_back(client: TestClient) -> None:
    for name in ("bright", "text"):
        assert client.put("/v1/models/aliases/mine", json={"model": name}).status_code == 200
    back = [client.post("/v1/models/aliases/mine/rollback") for _ in range(3)]
    assert [answer.status_code for answer in back] == [200, 200, 404]
    assert [answer.json()["model"] for answer in back[:2]] == ["bright", None]


def test_a_job_of_another_kind_is_no_run(client: TestClient, place: TrainingPlace) -> None:
    job = client.post("/v1/jobs", json={"source": "https://lib.example/manifest.json"}).json()["id"]
    assert client.get(f"/v1/runs/{job}").status_code == 404
    assert client.post(f"/v1/runs/{job}/stop").status_code == 404


def test_nobody_who_may_only_annotate_trains(client: TestClient, place: TrainingPlace) -> None:
    annotator = with_token(client, token_for(client, "annotate"))
    assert annotator.post("/v1/runs", json={"dataset": "squares"}).status_code == 403


def test_a_dataset_that_changes_is_another_version(client: TestClient, place: TrainingPlace) -> None:
    run_id = _begin(client)["id"]
    squares(place.datasets.folder, train=5, val=2)
    run = client.get(f"/v1/runs/{run_id}").json()
    assert run["dataset"] == "squares@1"
    assert run["config"]["dataset_sha256"] == place.datasets.get("squares@1").sha256


def test_where_nobody_can_train_it_is_said_at_once(
    client: TestClient, place: TrainingPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limner.operations.runs.prepare._MODULES", ("no_such_module",))
    answer = client.post("/v1/runs", json={"dataset": "squares"})
    assert (answer.status_code, "limner[train]" in answer.json()["detail"]) == (422, True)


def test_what_an_estimate_cannot_be_made_of_is_refused(client: TestClient, place: TrainingPlace) -> None:
    answer = client.post("/v1/runs/estimate", json={"dataset": "squares", "alias": "best"})
    assert answer.status_code == 422
    assert client.post("/v1/runs/estimate", json={"dataset": "circles"}).status_code == 404


def test_the_folders_of_runs_that_are_gone_are_swept(client: TestClient, place: TrainingPlace, tmp_path: Path) -> None:
    kept, gone = (_begin(client)["id"] for _ in range(2))
    for run_id in (kept, gone):
        _folder(place, run_id)
    client.post(f"/v1/jobs/{gone}/cancel")
    client.delete(f"/v1/jobs/{gone}")
    state_of(client).engine.sweep()
    assert place.run(kept).path.exists()
    assert not place.run(gone).path.exists()
    assert json.loads(place.run(kept).metrics.read_text().splitlines()[0])["batch"] == 1
