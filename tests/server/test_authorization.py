"""Every route, as the OpenAPI lists them: without a token, with the wrong scope, and from another workspace.

A new route fails here until `NEEDS` says what it asks for; that makes somebody choose.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from limner.annotations.page import Page
from limner.core.settings import Settings
from limner.models.importers.protocol import Wishes
from limner.operations.datasets.desk import workspace_datasets
from limner.operations.models import add_model
from limner.server.app import create_app
from limner.server.compat import COMPAT
from limner.storage.documents import Documents, NewDocument
from limner.storage.jobs import Jobs, NewJob
from limner.storage.routes import Routes
from limner.storage.tokens import Tokens
from limner.storage.webhooks import Deliveries
from tests.operations.bright_pages import page
from tests.server.running import state_of, token_for, with_token
from tests.training.datasets import made

#: What answers to everybody.
OPEN = {"health_live", "health_ready", "health_metrics"}
#: What answers to whoever knows a key: tests/server/iiif/test_access.py.
OPEN |= {f"iiif_{name}" for name in ("whole", "manifest", "export", "page", "service", "info", "image")}
#: The scope that each operation asks for: ``any`` valid token, a scope, or an admin of the ``server``.
NEEDS = {
    "annotate_now": "annotate",
    "datasets_create": "train",
    "datasets_export": "annotate",
    "datasets_find_duplicates": "annotate",
    "datasets_image": "annotate",
    "datasets_list_all": "annotate",
    "datasets_pages": "annotate",
    "datasets_remove": "train",
    "datasets_show": "annotate",
    "datasets_split": "train",
    "evaluations_create": "train",
    "evaluations_get": "annotate",
    "evaluations_report": "annotate",
    "evaluations_report_file": "annotate",
    "documents_correct": "annotate",
    "documents_create": "annotate",
    "documents_delete": "annotate",
    "documents_export": "any",
    "documents_get": "any",
    "documents_history": "any",
    "documents_image": "any",
    "documents_list_all": "any",
    "documents_manifest": "any",
    "documents_page_annotations": "any",
    "documents_pages": "any",
    "jobs_cancel": "annotate",
    "jobs_create": "annotate",
    "jobs_delete": "annotate",
    "jobs_documents": "any",
    "jobs_events": "any",
    "jobs_get": "any",
    "jobs_list_all": "any",
    "jobs_pages": "any",
    "jobs_post": "annotate",
    "jobs_results": "any",
    "jobs_retry": "annotate",
    "models_delete_alias": "admin",
    "models_list_all": "any",
    "models_put_alias": "admin",
    "models_remove": "admin",
    "models_rollback": "admin",
    "models_show": "any",
    "models_test": "admin",
    "models_upload": "admin",
    "queue_get": "any",
    "routes_delete": "admin",
    "routes_get": "any",
    "routes_list_all": "any",
    "routes_put": "admin",
    "runs_create": "train",
    "runs_delete": "train",
    "runs_estimate": "train",
    "runs_events": "any",
    "runs_get": "any",
    "runs_list_all": "any",
    "runs_metrics": "any",
    "runs_promote": "train",
    "runs_report": "any",
    "runs_resume": "train",
    "runs_samples": "any",
    "runs_stop": "train",
    "settings_show": "any",
    "tokens_create": "admin",
    "tokens_delete": "admin",
    "tokens_list_all": "admin",
    "webhooks_delete": "admin",
    "webhooks_deliveries": "any",
    "webhooks_get": "admin",
    "webhooks_put": "admin",
    "webhooks_replay_delivery": "annotate",
    "workspaces_create": "server",
    "workspaces_delete": "server",
    "workspaces_list_all": "server",
}
NEEDS |= {
    f"shares_{name}": "any" if name.startswith("shared") else "annotate"
    for what in ("document", "job")
    for name in (f"share_{what}", f"shared_{what}", f"unshare_{what}")
}
#: The same for the APIs of other systems.
NEEDS |= {
    "extractor_run_detect": "annotate",
    "extractor_detect_all": "annotate",
    "extractor_delete_detect": "annotate",
    "extractor_models": "any",
    "extractor_send_dataset": "train",
    "extractor_train": "train",
    "extractor_evaluate": "train",
    **{
        f"aikon_{prefix}_{name}": scope
        for prefix in ("regions", "region_extraction")
        for name, scope in {
            "start": "annotate",
            "models": "any",
            "qsizes": "any",
            "monitor": "any",
            "status": "any",
            "cancel": "annotate",
            "dataset": "any",
            "delete": "annotate",
            "result": "any",
        }.items()
    },
    "easyocr_extract": "annotate",
    "maskrcnn_form": "any",
    "maskrcnn_segment": "annotate",
    "detectron2_sent": "annotate",
    "detectron2_every": "annotate",
    "detectron2_by_name": "annotate",
    "labelstudio_health": "any",
    "labelstudio_setup": "annotate",
    "labelstudio_predict": "annotate",
    "labelstudio_webhook": "annotate",
    "labelstudio_versions": "any",
    "labelstudio_see_job": "annotate",
    "labelstudio_ask_job": "annotate",
    "labelstudio_can_validate": "annotate",
    "labelstudio_validate": "annotate",
}
#: Bodies that would do, so that nothing is refused for its form before it is looked at who asks.
BODIES: dict[str, dict[str, Any]] = {
    "datasets_create": {"json": {"name": "another", "documents": ["0" * 32]}},
    "datasets_split": {"json": {}},
    "documents_correct": {"json": {"revision": 0, "annotations": []}},
    "models_put_alias": {"json": {"model": "hush"}},
    "routes_put": {"json": {"model": "hush"}},
    "evaluations_create": {"json": {"model": "hush", "dataset": "hush-set"}},
    "runs_create": {"json": {"dataset": "hush-set"}},
    "runs_estimate": {"json": {"dataset": "hush-set"}},
    "runs_promote": {"json": {}},
    "extractor_train": {"data": {"data": "hush-set"}},
    "extractor_evaluate": {"data": {"data": "hush-set"}},
    "workspaces_create": {"json": {"name": "another"}},
    "tokens_create": {"json": {"name": "x", "scopes": ["admin"]}},
    "webhooks_put": {"json": {"url": "https://hook.example/"}},
}
#: Operations on something by its name, which another workspace may have as well.
OWN_NAMES = {"routes_put", "models_put_alias", "aikon_regions_delete", "aikon_region_extraction_delete"}


@dataclass(frozen=True)
class Operation:
    """One operation of the API."""

    id: str
    method: str
    path: str

    @property
    def foreign(self) -> bool:
        """Whether it belongs to another system's API."""
        return self.id.partition("_")[0] in COMPAT

    def call(self, client: TestClient, names: dict[str, str]) -> Any:
        """Carry it out."""
        return client.request(self.method, self.path.format(**names), **BODIES.get(self.id, {}))


def _operations() -> list[Operation]:
    paths = create_app(Settings()).openapi()["paths"]
    return [
        Operation(operation["operationId"], method.upper(), path)
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


OPERATIONS = _operations()
GUARDED = [operation for operation in OPERATIONS if operation.id not in OPEN]
#: For what cannot be filled in otherwise.
NOTHING = dict.fromkeys(
    ("document_id", "job_id", "ref", "alias", "token_id", "workspace_id", "document_type", "number", "index"), "0"
) | dict.fromkeys(("tracking_id", "doc", "name", "dataset", "run_id", "epoch", "evaluation_id", "file"), "0")


def _named(operation: Operation) -> str:
    return operation.id


def test_every_operation_is_in_the_table() -> None:
    assert {operation.id for operation in GUARDED} == set(NEEDS)


def test_what_is_open_is_not_part_of_the_api() -> None:
    assert all(not operation.path.startswith("/v1") for operation in OPERATIONS if operation.id in OPEN)
    assert all(operation.path.startswith("/v1/") or operation.foreign for operation in GUARDED)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One application for all: nothing of what is tried here may change it."""
    folder = tmp_path_factory.mktemp("data")
    app = create_app(Settings(data=folder, workers=0, rate_limit=0))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def names(server: TestClient, bright: Path) -> dict[str, str]:
    """The ids of things in the workspace ``default``, one of each kind."""
    state = state_of(server)
    home = state.home
    admin = with_token(server, token_for(server, "admin"))
    job = Jobs(state.database, home).add(
        NewJob(kind="annotate", queue="q", model="hush@1", source="https://hush.example")
    )
    experiment = {"id": "hush", "model": "hush", "prefix": "regions", "postprocess": {}}
    members = [{"uid": "hush-doc", "type": "iiif", "url": "https://hush.example"}]
    payload = {"experiment": experiment, "source": {"several": members}}
    tracked = Jobs(state.database, home).add(NewJob(kind="annotate", queue="q", payload=payload))
    picture = Page(id="p", name="p.png", index=0, width=9, height=9)
    new = NewDocument(title="hush", pages=[(picture, "documents/x/p.png")])
    state.blobs.write("documents/x/p.png", page())
    document = Documents(state.database, home).create(new, author="me")
    store = state.services.libraries.of(home).store
    add_model(store, bright, Wishes(name="hush"))
    store.alias("hushed", "hush")
    Routes(state.database, home).set("hush-type", "hush")
    datasets = workspace_datasets(state.settings, home)
    datasets.add(made.dataset(datasets, [made.page(datasets, 0, [("seal", 1, 2, 30, 40)])], "hush-set"))
    chosen = {"config": {"dataset": "hush-set@1", "architecture": "lite", "name": "hush"}}
    run = Jobs(state.database, home).add(NewJob(kind="train", queue="train", model="hush", payload=chosen))
    asked = {"models": ["hush@1"], "dataset": "hush-set@1", "split": "test", "threshold": None}
    measured = Jobs(state.database, home).add(NewJob(kind="evaluate", queue="hush@1", payload=asked))
    token = Tokens(state.database, home).create("hush", ["annotate"])[0]
    Deliveries(state.database, home).add("job.finished", "https://hush.example", b"", content_type="a/b", job_id=job.id)
    assert admin.put("/v1/webhook", json={"url": "https://hush.example/"}).status_code < 300
    return {
        "document_id": document.id,
        "job_id": job.id,
        "ref": "hush@1",
        "alias": "hushed",
        "token_id": token.id,
        "workspace_id": home,
        "document_type": "hush-type",
        "number": "1",
        "index": "0",
        "tracking_id": tracked.id,
        "doc": "hush-doc",
        "name": "hush+hush",
        "dataset": "hush-set@1",
        "run_id": run.id,
        "epoch": "1",
        "evaluation_id": measured.id,
        "file": "labels.csv",
    }


@pytest.mark.parametrize("operation", GUARDED, ids=_named)
@pytest.mark.parametrize("token", [None, "limner_wrong", ""])
def test_nobody_comes_in_without_a_token(server: TestClient, operation: Operation, token: str | None) -> None:
    client = server if token is None else with_token(server, token)
    answer = operation.call(client, NOTHING)
    if operation.id.startswith("extractor_"):  # its clients know other statuses
        assert answer.status_code == (403 if token else 400)
        return
    assert answer.status_code == 401
    assert operation.foreign or answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "operation", [operation for operation in GUARDED if NEEDS.get(operation.id) != "any"], ids=_named
)
def test_the_wrong_scope_is_not_enough(server: TestClient, names: dict[str, str], operation: Operation) -> None:
    wrong = {"annotate": ["train"], "train": ["annotate"], "admin": ["annotate", "train"]}
    match NEEDS[operation.id]:
        case "server":
            client = with_token(server, token_for(server, "admin", workspace="elsewhere"))
        case scope:
            client = with_token(server, token_for(server, *wrong[scope]))
    answer = operation.call(client, names)
    assert answer.status_code == 403, answer.text


@pytest.mark.parametrize("operation", GUARDED, ids=_named)
def test_another_workspace_sees_nothing(server: TestClient, names: dict[str, str], operation: Operation) -> None:
    """What is another's is answered exactly as what does not exist, and lists do not hold it."""
    stranger = with_token(server, token_for(server, "admin", workspace="elsewhere"))
    answer = operation.call(stranger, names)
    ids = {key: value for key, value in names.items() if key not in ("number", "index", "epoch")}
    if "{" in operation.path and operation.id not in OWN_NAMES:
        assert answer.status_code in (403, 404), answer.text
        nothing = operation.call(stranger, {**names, **_unknown(ids)})
        assert nothing.status_code == answer.status_code
        assert _without(answer.text, ids.values()) == _without(nothing.text, _unknown(ids).values())
        return
    assert answer.status_code != 500
    for value in ids.values():
        assert value not in answer.text
    assert "hush.example" not in answer.text


def test_nothing_has_changed_by_all_that(server: TestClient, names: dict[str, str]) -> None:
    admin = with_token(server, token_for(server, "admin"))
    for operation in GUARDED:
        stranger = with_token(server, token_for(server, "admin", workspace="elsewhere"))
        operation.call(stranger, names)
    assert admin.get(f"/v1/jobs/{names['job_id']}").json()["status"] == "queued"
    assert admin.get(f"/regions/{names['tracking_id']}/status").json()["log"]["status"] == "PENDING"
    assert admin.get(f"/v1/documents/{names['document_id']}/pages/0/annotations").json()["revision"] == 0
    assert admin.get(f"/v1/runs/{names['run_id']}").json()["status"] == "queued"
    assert admin.get("/v1/datasets/hush-set").json()["versions"] == ["1"]
    assert admin.get("/v1/models/hushed").json()["ref"] == "hush@1"
    assert admin.get("/v1/routes/hush-type").json()["model"] == "hush"
    assert admin.get("/v1/webhook").json()["url"] == "https://hush.example/"
    assert names["token_id"] in admin.get("/v1/tokens", params={"limit": 200}).text


def _unknown(names: dict[str, str]) -> dict[str, str]:
    """Names of the same form that nothing has."""
    return {key: value.replace("hush", "shuh") if "hush" in value else value[::-1] for key, value in names.items()}


def _without(text: str, words: Iterable[str]) -> str:
    for word in words:
        text = text.replace(word, "…")
    return text
