"""What Prometheus is told."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from limner.server.metrics import Metrics
from tests.operations.bright_pages import page
from tests.server.conftest import MakeClient
from tests.server.running import state_of


def samples(text: str | bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every figure, by name and labels."""
    decoded = text if isinstance(text, str) else text.decode()
    families = text_string_to_metric_families(decoded)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def figure(text: str | bytes, name: str, **labels: str) -> float | None:
    """One figure; None where there is none."""
    return samples(text).get((name, frozenset(labels.items())))


def test_stages_of_jobs_and_of_requests_go_by_the_same_names() -> None:
    metrics = Metrics()
    metrics.stages("text@1", {"fetch": 0.2, "decode": 0.01, "infer": 1.5})
    metrics.stages("text@1", {"download": 0.4})
    text = metrics.text()
    assert figure(text, "limner_stage_seconds_count", stage="download", model="text@1") == 2
    assert figure(text, "limner_stage_seconds_sum", stage="download", model="text@1") == pytest.approx(0.6)
    assert figure(text, "limner_stage_seconds_bucket", stage="model", model="text@1", le="1.0") == 0
    assert figure(text, "limner_stage_seconds_bucket", stage="model", model="text@1", le="2.5") == 1


def test_an_annotated_image_is_timed_in_every_stage(client: TestClient) -> None:
    assert client.post("/v1/annotate", files={"file": ("a.png", page())}).status_code == 200
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    for stage in ("queue", "decode", "model", "write"):
        assert figure(answer.text, "limner_stage_seconds_count", stage=stage, model="bright@1") == 1
    assert figure(answer.text, "limner_models_loaded") == 1
    assert figure(answer.text, "limner_model_users") == 0
    assert (figure(answer.text, "limner_model_memory_bytes") or 0) > 0


def test_requests_are_counted_by_route_and_not_by_path(client: TestClient) -> None:
    client.get("/v1/models/bright")
    client.get("/v1/models/nothing")
    client.get("/v1/models/nowhere")
    text = client.get("/metrics").text
    route = {"route": "/v1/models/{ref}", "method": "GET"}
    assert figure(text, "limner_requests_total", status="200", **route) == 1
    assert figure(text, "limner_requests_total", status="404", **route) == 2
    assert "nowhere" not in text


def test_refusals_are_counted_too(anonymous: TestClient) -> None:
    anonymous.get("/v1/models")
    text = anonymous.get("/metrics").text
    assert figure(text, "limner_requests_total", route="-", method="GET", status="401") == 1


def test_the_names_of_a_workspaces_own_models_stay_in_it(client: TestClient, bright) -> None:
    from limner.models.importers.protocol import Wishes
    from limner.operations.models import add_model

    state = state_of(client)
    add_model(state.services.libraries.of(state.home).store, bright, Wishes(name="hush"))
    assert client.post("/v1/annotate", files={"file": page()}, data={"model": "hush"}).status_code == 200
    text = client.get("/metrics").text
    assert figure(text, "limner_stage_seconds_count", stage="model", model="of a workspace") == 1
    assert "hush" not in text


def test_open_tasks_are_told_by_kind(client: TestClient) -> None:
    from limner.storage.jobs import NewJob

    state = state_of(client)
    for _ in range(3):
        state.engine.submit(state.home, NewJob(kind="annotate", queue="bright@1"))
    text = client.get("/metrics").text
    assert figure(text, "limner_queue_tasks", kind="annotate", status="waiting") == 3
    assert figure(text, "limner_queue_tasks", kind="annotate", status="running") == 0
    assert figure(text, "limner_workers") == 0
    assert figure(text, "limner_database_up") == 1


def test_a_database_that_is_gone_leaves_the_rest_to_be_told(make_client: MakeClient, tmp_path) -> None:
    client = make_client()
    state_of(client).database.close()
    (tmp_path / "data" / "limner.db").unlink()
    text = client.get("/metrics").text
    assert figure(text, "limner_database_up") == 0
    assert figure(text, "limner_models_loaded") == 0
