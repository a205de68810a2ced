"""Label Studio's backend, by a client written from the contract alone: ``contracts.md``, 7."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from limner.core.errors import ModelError
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.models.protocol import RUNTIMES, Predictor, RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from limner.operations.datasets.desk import workspace_datasets
from limner.operations.foreign.labelstudio import exchange
from limner.operations.foreign.labelstudio.projects import Projects
from limner.storage.jobs import Jobs
from limner.storage.tokens import Tokens
from tests.models.networks import bright_boxes_bundle
from tests.operations.bright_pages import BOX, SIZE, page
from tests.operations.jobs.workplace import until
from tests.server.compat.label_studio import RECTANGLES, TOKEN, LabelStudio
from tests.server.compat.listening import Listening, listening

DATA_URL = f"data:image/png;base64,{base64.b64encode(page()).decode()}"
#: The bright rectangle in percent of the page.
PERCENT = {
    "x": 100 * BOX[0] / SIZE[0],
    "y": 100 * BOX[1] / SIZE[1],
    "width": 100 * BOX[2] / SIZE[0],
    "height": 100 * BOX[3] / SIZE[1],
}


@pytest.fixture
def workspace() -> str:
    """A workspace in which nobody was before."""
    return f"label studio {uuid.uuid4().hex}"


@pytest.fixture
def studio(server: Listening, workspace: str) -> Iterator[LabelStudio]:
    """A Label Studio with an image, whose backend is our server."""
    with LabelStudio(server.client(workspace), {"/data/upload/1/a.png": page()}) as running:
        yield running


def test_health_and_setup_answer_as_asked(studio: LabelStudio) -> None:
    health = studio.health()
    assert (health.status_code, health.json()["status"]) == (200, "UP")
    assert health.json()["model_class"]
    setup = studio.setup(extra_params=None)
    assert (setup.status_code, setup.json()) == (200, {"model_version": "bright@1"})


def test_setup_loads_no_model(server: Listening, studio: LabelStudio, tmp_path: Path) -> None:
    server.state.services.store.add(_bundle(tmp_path / "unused"))
    assert studio.setup(extra_params={"model": "unused"}).json() == {"model_version": "unused@1"}
    assert "unused@1" not in {each.ref for each in server.state.services.pool.loaded()}


def _bundle(folder: Path, **fields: Any) -> Bundle:
    return read_bundle(bright_boxes_bundle(folder, side=64, **fields))


def test_what_is_found_comes_in_percent_under_the_names_of_the_tags(studio: LabelStudio) -> None:
    studio.setup()
    (found,) = studio.results("/data/upload/1/a.png")
    assert found["model_version"] == "bright@1"
    (result,) = found["result"]
    value = dict(result["value"])
    assert value.pop("rectanglelabels") == ["bright"]
    assert {key: value[key] for key in PERCENT} == pytest.approx(PERCENT)
    assert (result["from_name"], result["to_name"], result["type"]) == ("label", "image", "rectanglelabels")
    assert (result["original_width"], result["original_height"], result["image_rotation"]) == (*SIZE, 0)
    assert result["score"] == found["score"]
    assert 0.9 < result["score"] <= 1
    assert studio.asked == [("/data/upload/1/a.png", f"Token {TOKEN}")]


def test_each_task_has_exactly_one_entry(studio: LabelStudio) -> None:
    studio.setup()
    studio.images["/data/upload/1/dark.png"] = page(size=(20, 20))
    tasks = [
        {"id": 7, "data": {"image": "/data/upload/1/a.png"}},
        {"id": 8, "data": {"image": "/data/upload/1/missing.png"}},
        {"id": 9, "data": {"text": "no image"}},
        {"id": 10, "data": {"image": DATA_URL}},
        {"id": 11, "data": {"image": "s3://bucket/a.png"}},
        {"data": {"image": DATA_URL}},
    ]
    results = studio.predict(tasks).json()["results"]
    assert [len(each["result"]) for each in results] == [1, 0, 0, 1, 0, 1]
    errors = [each.get("error", "") for each in results]
    assert "404" in errors[1]
    assert "9 has no image under the key 'image'" in errors[2]
    assert "s3://bucket/a.png" in errors[4]
    assert not errors[0]
    assert studio.predict([]).json() == {"results": []}


def test_the_token_goes_to_label_studio_alone(studio: LabelStudio, server: Listening) -> None:
    with LabelStudio(server.client(), {"/public/b.png": page()}) as elsewhere:
        studio.setup()
        studio.redirects["/data/upload/1/moved.png"] = f"{elsewhere.url}/public/b.png"
        found = studio.results(
            f"{elsewhere.url}/public/b.png", "/data/upload/1/moved.png", f"{studio.url}/data/upload/1/a.png"
        )
        assert [len(each["result"]) for each in found] == [1, 1, 1]
        assert elsewhere.asked == [("/public/b.png", "")] * len(elsewhere.asked)
        assert {token for _, token in studio.asked} == {f"Token {TOKEN}"}


def test_a_workspace_does_not_know_the_projects_of_others(studio: LabelStudio, server: Listening) -> None:
    studio.setup()
    with LabelStudio(server.client("stranger"), {}) as stranger:
        (found,) = stranger.results("/data/upload/1/a.png")
    assert found["result"] == []
    assert "has not said where it is" in found["error"]


def test_private_addresses_are_fetched_only_where_the_settings_allow_it(tmp_path: Path, bright: Path) -> None:
    with (
        listening(tmp_path, [bright], {"default": "bright"}, source_networks="", compat="labelstudio") as running,
        LabelStudio(running.client(), {"/data/upload/1/a.png": page()}) as studio,
    ):
        assert studio.setup().status_code == 200
        (found,) = studio.results("/data/upload/1/a.png")
        assert "LIMNER_SOURCE_NETWORKS" in found["error"]
        assert studio.asked == []


def test_extra_parameters_choose_model_and_threshold(studio: LabelStudio) -> None:
    studio.setup(extra_params='{"model": "bright@1", "threshold": 1.0}')
    assert studio.results(DATA_URL)[0]["result"] == []
    studio.setup(extra_params={"threshold": 0.5})
    assert len(studio.results(DATA_URL)[0]["result"]) == 1
    unknown = studio.setup(extra_params={"model": "nobody"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:limner:problem:model.not-found")
    wrong = studio.setup(extra_params="many")
    assert wrong.status_code == 400
    assert '{"model": "NAME"' in wrong.json()["detail"]


def test_masks_become_polygons_or_strokes(studio: LabelStudio) -> None:
    tags = '<Label value="cat"/><Label value="dog"/>'
    for tag, kind in (("PolygonLabels", "polygonlabels"), ("BrushLabels", "brushlabels")):
        studio.config = f'<View><Image name="p" value="$image"/><{tag} name="m" toName="p">{tags}</{tag}></View>'
        assert studio.setup(extra_params={"model": "discs"}).json() == {"model_version": "discs@1"}
        found = studio.results(DATA_URL)[0]["result"]
        assert [(each["type"], each["value"][kind]) for each in found] == [(kind, ["cat"]), (kind, ["dog"])]
        assert {each["from_name"] for each in found} == {"m"}
        assert {each["to_name"] for each in found} == {"p"}
    assert all(each["value"]["format"] == "rle" and each["value"]["rle"] for each in found)


@pytest.mark.parametrize(
    "config", ["<View>", '<View><Text name="t" value="$text"/></View>', '<View><Image name="i" value="$image"/></View>']
)
def test_a_configuration_that_cannot_be_filled_in_is_refused(studio: LabelStudio, config: str) -> None:
    studio.config = config
    assert studio.setup().status_code == 200  # people connect a model before they have a configuration
    answer = studio.predict([{"id": 1, "data": {"image": DATA_URL}}])
    assert answer.status_code == 400
    assert "labelling configuration" in answer.json()["detail"]


def test_the_rest_of_what_is_asked_for(studio: LabelStudio, server: Listening, workspace: str) -> None:
    backend = studio.backend
    studio.setup()
    for action in ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED", "START_TRAINING"):
        answer = backend.post("/webhook", json={"action": action, "project": {"id": 1, "title": "Pages"}})
        assert answer.status_code == 201
    assert answer.json()["status"] == "not allowed"  # the connection's token may only annotate
    assert "bright@1" in backend.get("/versions").json()["versions"]
    assert backend.post("/job_status", json={"job": "1"}).json()["job_status"] == "removed"
    assert backend.get("/job_status", params={"job": "0" * 32}).json()["job_status"] == "removed"
    assert backend.get("/validate").status_code == 200
    assert backend.post("/validate", json={"config": RECTANGLES}).json()["controls"][0]["type"] == "rectanglelabels"
    assert backend.post("/validate", json={"config": "<View>"}).status_code == 400


def _region(label: str, x: float) -> dict[str, Any]:
    value = {"x": x, "y": 10, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": [label]}
    size = {"original_width": SIZE[0], "original_height": SIZE[1]}
    tags = {"from_name": "label", "to_name": "image", "type": "rectanglelabels"}
    return {"id": label, **tags, **size, "value": value}


def test_a_project_is_learnt_from(studio: LabelStudio, server: Listening, workspace: str) -> None:
    home = server.workspace(workspace)
    token = Tokens(server.state.database, home).create("test", ["annotate", "train"])[1]
    studio.tasks = [
        {"id": 7, "data": {"image": "/data/upload/1/a.png"}, "annotations": [{"id": 1, "result": [_region("red", 5)]}]},
        {"id": 8, "data": {"image": DATA_URL}, "annotations": [{"id": 2, "result": [_region("bright", 50)]}]},
        {"id": 9, "data": {"image": "/data/upload/1/nobody.png"}, "annotations": []},
    ]
    studio.backend = httpx.Client(base_url=server.url, auth=("limner", token), trust_env=False, timeout=60)
    with studio.backend as backend:
        hook = {"action": "START_TRAINING", "project": {"id": 1, "label_config": RECTANGLES}}
        unknown = backend.post("/webhook", json=hook)  # it has not said where it is
        assert (unknown.status_code, unknown.json()["status"]) == (201, "not available")
        assert studio.setup().status_code == 200
        assert backend.post("/webhook", json=hook).json() == {"status": "started", "result": {}, "job": "1"}
        projects = Projects(server.state.database, home)
        until(lambda: projects.find("1").training_run or projects.find("1").training_error, 60)
        project = projects.find("1")
        assert (project.training_error, project.access_token) == (None, TOKEN)
        asked = backend.post("/job_status", json={"job": "1"}).json()
        assert asked == {"job_status": "queued", "error": None}
        (run,) = Jobs(server.state.database, home).list()
        assert (run.id, run.model, run.source) == (project.training_run, "labelstudio-1", "labelstudio-1@1")
        dataset = workspace_datasets(server.state.settings, home).get("labelstudio-1")
        assert (len(dataset.pages), set(dataset.labels)) == (2, {"bright", "red"})
        assert studio.setup().status_code == 200
        assert projects.find("1").training_run == run.id  # connecting anew forgets nothing
        server.state.engine.cancel(home, run.id)
        studio.tasks = []
        backend.post("/webhook", json=hook)
        until(lambda: projects.find("1").training_error, 60)
        failed = backend.get("/job_status", params={"job": "1"}).json()
        assert (failed["job_status"], "nothing to learn from" in failed["error"]) == ("failed", True)


def test_the_version_that_people_chose_predicts(studio: LabelStudio, server: Listening, tmp_path: Path) -> None:
    server.state.services.store.add(_bundle(tmp_path / "chosen"))
    studio.setup()
    assert studio.results(DATA_URL, model_version="chosen@1")[0]["model_version"] == "chosen@1"
    assert studio.results(DATA_URL, model_version="chosen@7")[0]["model_version"] == "bright@1"


class Held:
    """A runtime whose models are loaded when somebody lets them."""

    name = "held"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.loads = 0

    def load(self, bundle: Bundle, options: RuntimeOptions) -> Predictor:
        self.loads += 1
        assert self.go.wait(100)
        return ONNX.load(bundle, options)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """That runtime; it lets go of what it holds at the end."""
    runtime = Held()
    monkeypatch.setitem(RUNTIMES._added, "held", runtime)
    monkeypatch.setattr(exchange, "PAUSES", (0.01,) * 3)
    yield runtime
    runtime.go.set()


@pytest.fixture
def slow(tmp_path: Path, held: Held) -> Iterator[LabelStudio]:
    """A Label Studio whose backend has such a model and little patience."""
    bundle = bright_boxes_bundle(tmp_path / "bundles" / "slow", side=64, runtime="held")
    with (
        listening(tmp_path, [bundle], {"default": "slow"}, compat="labelstudio", labelstudio_wait=0.2) as running,
        LabelStudio(running.client(), {"/data/upload/1/a.png": page()}) as studio,
    ):
        yield studio
        held.go.set()


def test_the_limits_are_kept_while_a_model_loads_and_predictions_come_later(slow: LabelStudio, held: Held) -> None:
    slow.statuses[:] = [503, 500]
    assert slow.setup().json() == {"model_version": "slow@1"}  # the client gives up after 3 s
    first = slow.results("/data/upload/1/a.png", "/data/upload/1/a.png")
    assert held.loads == 1
    assert [each["result"] for each in first] == [[], []]
    assert "sent when it is there" in first[0]["error"]
    assert slow.health().status_code == 200
    assert slow.setup().status_code == 200
    assert [each["result"] for each in slow.results("/data/upload/1/a.png")] == [[]]
    assert slow.predictions == []
    held.go.set()
    until(lambda: len({body["task"] for _, _, body in slow.predictions}) == 2 and len(slow.predictions) == 4)
    assert held.loads == 1
    # Two attempts failed and were made again; the task that was asked for twice was sent once.
    assert {path for path, _, _ in slow.predictions} == {"/api/predictions/"}
    assert {token for _, token, _ in slow.predictions} == {f"Token {TOKEN}"}
    for _, _, body in slow.predictions:
        assert body["model_version"] == "slow@1"
        assert body["result"][0]["value"]["rectanglelabels"] == ["bright"]


def test_a_model_that_cannot_be_loaded_is_told(
    studio: LabelStudio, server: Listening, held: Held, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.state.services.store.add(_bundle(tmp_path / "broken", runtime="held"))
    monkeypatch.setattr(held, "load", _fail)
    studio.setup(extra_params={"model": "broken"})
    answer = studio.predict([{"id": 1, "data": {"image": DATA_URL}}])
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:limner:problem:model")


def _fail(_: Bundle, __: RuntimeOptions) -> Predictor:
    raise ModelError("There is no such engine here.")
