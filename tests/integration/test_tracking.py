"""A real MLflow server is told how long things took, by a real server and a real worker in processes of their own."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from limner.operations.tracking.rest import RestStore
from limner.operations.tracking.store import Point, RefusedError, find_or_create
from tests.limner_process import serving, working
from tests.mlflow_server import MLflow
from tests.models.networks import bright_boxes_bundle
from tests.operations.jobs.workplace import save_pages, until
from tests.sources.iiif.loopback import IIIFServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PHASES = {"download_seconds", "decode_seconds", "model_seconds", "write_seconds", "seconds"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder whose default model is ``bright``."""
    store = ModelStore(tmp_path / "data" / "models")
    store.add(read_bundle(bright_boxes_bundle(tmp_path / "bright", side=64)))
    store.alias("default", "bright")
    return tmp_path / "data"


def annotate(url: str, image: Path, path: str = "/v1/annotate") -> None:
    with image.open("rb") as file:
        httpx.post(f"{url}{path}", files={"file": file}, timeout=60, trust_env=False).raise_for_status()


def submitted(url: str, source: str, **more: object) -> str:
    asked = {"source": source, **more}
    answer = httpx.post(f"{url}/v1/jobs", json=asked, timeout=60, trust_env=False).raise_for_status()
    return str(answer.json()["id"])


def ended(url: str, job: str) -> bool:
    return httpx.get(f"{url}/v1/jobs/{job}", timeout=60, trust_env=False).json()["finished_at"] is not None


def test_every_inference_of_server_and_worker_is_in_mlflow_when_they_have_stopped(
    data: Path, mlflow_server: MLflow, tmp_path: Path
) -> None:
    pages = save_pages(tmp_path / "pages", 25)  # two chunks
    settings = {"LIMNER_MLFLOW_URL": mlflow_server.url, "LIMNER_MLFLOW_EXPERIMENT": "archive"}
    with (
        IIIFServer(pages) as library,
        serving(data, "--no-auth", "--workers", "0", **settings) as server,
        working(data, **settings) as worker,
    ):
        url = server.url
        for _ in range(3):
            annotate(url, pages / "p0000.png")
        annotate(url, pages / "p0000.png", "/extract")
        job = submitted(url, library.manifest_url(), title="A manuscript")
        until(lambda: ended(url, job), 90)
        assert worker.stop() == 0
        cancelled = submitted(url, library.manifest_url(), title="Nobody works on it")
        httpx.post(f"{url}/v1/jobs/{cancelled}/cancel", timeout=60, trust_env=False).raise_for_status()
        assert server.stop() == 0

    single = mlflow_server.runs("archive-detect")
    assert sum(len(mlflow_server.history(run, "model_seconds")) for run in single) == 3
    assert {run.params["model"] for run in single} == {"bright"}
    assert all(re.fullmatch(r"[0-9a-f]{64}", run.params["hash"]) for run in single)
    assert all({"queue_seconds", "decode_seconds", "write_seconds"} <= run.metrics.keys() for run in single)

    (read,) = mlflow_server.runs("EASYOCR")
    assert read.params["model"] == "text"
    assert read.metrics["seconds"] >= read.metrics["model_seconds"] > 0

    runs = {run.name: run for run in mlflow_server.runs("archive-annotate")}
    done = runs["A manuscript"]
    assert done.status == "FINISHED"
    assert done.params | {"hash": ""} == {
        "model": "bright", "version": "1", "task": "detect", "hash": "", "job": job, "source": library.manifest_url(),
        "workspace": "default",
    }  # fmt: skip
    assert (done.metrics["pages_done"], done.metrics["pages_failed"]) == (25, 0)
    assert done.metrics["pages_per_second"] == pytest.approx(25 / done.metrics["job_seconds"])
    for phase in PHASES:
        assert sorted(step for step, _ in mlflow_server.history(done, phase)) == [*range(1, 26)]
        assert done.metrics[f"{phase}_p95"] >= 0
        assert f"{phase}_mean" in done.metrics
    assert runs["Nobody works on it"].status == "KILLED"


def test_a_real_server_has_what_was_noted(mlflow_server: MLflow) -> None:
    store = RestStore(f"{mlflow_server.url}/")
    experiment = store.experiment("rest")
    assert store.experiment("rest") == experiment
    run = find_or_create(store, experiment, "job/1", "A manuscript", {"model": "bright", "hash": ""})
    assert find_or_create(store, experiment, "job/1", "another", {"model": "other"}) == run
    store.log(run, [Point("seconds", 0.25, step, 1_000 + step) for step in range(1000)])
    store.log(run, [Point("seconds", 0.25, 0, 1_000)])
    store.end(run, "FINISHED", 5_000)
    (kept,) = mlflow_server.runs("rest")
    assert (kept.name, kept.status) == ("A manuscript", "FINISHED")
    assert kept.params == {"model": "bright", "hash": ""}
    history = mlflow_server.history(kept, "seconds")
    assert len(history) == 1000
    assert set(history) == {(step, 0.25) for step in range(1000)}
    with pytest.raises(RefusedError, match="404"):
        store.log("0" * 32, [Point("seconds", 1.0, 1, 1)])
    store.delete(run)
    assert store.find(experiment, "job/1") == []
    mlflow_server.ask("POST", "experiments/delete", json={"experiment_id": experiment})
    with pytest.raises(RefusedError, match="has been deleted"):
        store.experiment("rest")
    store.close()


def test_files_of_a_run_are_kept_by_the_server(mlflow_server: MLflow, tmp_path: Path) -> None:
    store = RestStore(mlflow_server.url)
    try:
        run = find_or_create(store, store.experiment("limner files"), "run/nuts", "nuts", {})
        (tmp_path / "bundle.json").write_text('{"name": "nuts"}')
        store.keep(run, "model/bundle.json", str(tmp_path / "bundle.json"))
        with pytest.raises(RefusedError, match=r"nothing\.txt cannot be read"):
            store.keep(run, "nothing.txt", str(tmp_path / "nothing.txt"))
    finally:
        store.close()
    listed = mlflow_server.ask("GET", "artifacts/list", params={"run_id": run, "path": "model"})
    assert [(each["path"], int(each["file_size"])) for each in listed["files"]] == [("model/bundle.json", 16)]
