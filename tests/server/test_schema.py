"""Whatever a client sends that fits the OpenAPI, or nearly so, the server never fails over it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from limner.server.app import create_app
from tests.operations.jobs.workplace import until
from tests.server.api.work import files

#: Cases for each operation and kind of data.
_CASES = 12


@contextmanager
def _serving(folder: Path, bright: Path) -> Iterator[str]:
    chosen = Settings(data=folder, workers=1, auth=False, rate_limit=0, fetch_retries=0, fetch_timeout=0.5)
    store = ModelStore(chosen.models_dir)
    store.add(read_bundle(bright))
    store.alias("default", "bright")
    server = uvicorn.Server(uvicorn.Config(create_app(chosen), port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


#: An experiment of AIKON's; nobody listens at its document's address.
_EXPERIMENT = {"experiment_id": "1", "documents": [{"type": "iiif", "src": "http://127.0.0.1:9/m.json", "uid": "one"}]}


def _json(url: str) -> Any:
    return httpx.get(url, trust_env=False).json()


def _failed(response: Any) -> bool:
    """Whether the server failed; one that it asked for something may do so (502)."""
    if response.status_code == 502:
        return not response.json()["type"].startswith("urn:limner:problem:source.")
    return response.status_code >= 500


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fits", "nearly fits"])
def test_no_request_makes_the_server_fail(tmp_path: Path, bright: Path, mode: GenerationMode) -> None:
    with _serving(tmp_path, bright) as base:
        job, document = (
            httpx.post(f"{base}/v1/{what}", files=files("a.png"), trust_env=False).json()["id"]
            for what in ("jobs", "documents")
        )
        until(lambda: _json(f"{base}/v1/jobs/{job}")["finished_at"] is not None)
        started = httpx.post(f"{base}/regions/start", json=_EXPERIMENT, trust_env=False).json()
        known = {"tracking_id": started["tracking_id"], "number": 0, "doc": "one", "name": "bright+1"}
        known |= {"job_id": job, "document_id": document, "index": 0, "ref": "bright", "document_type": "print"}
        schema = schemathesis.openapi.from_url(f"{base}/openapi.json")
        failures: list[str] = []
        for found in schema.get_all_operations():
            _try(found.ok(), mode, known, failures)
        assert not failures, "\n".join(failures)


def _try(operation: Any, mode: GenerationMode, known: dict[str, object], failed: list[str]) -> None:
    if operation.path.endswith("/events"):
        return  # a stream of a job that waits never ends
    if operation.path.startswith("/region_extraction/"):
        return  # the same functions as under /regions

    @settings(
        max_examples=_CASES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        _send(case, failed)  # with ids that nobody has
        if case.path_parameters and case.method != "DELETE":
            case.path_parameters = {**case.path_parameters, **known}
            _send(case, failed)  # and with those of things that are there

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # schemathesis warns of parts of a schema that it cannot cover
        with suppress(Unsatisfiable):  # there is no wrong request where nothing is asked for
            send()


def _send(case: Any, failed: list[str]) -> None:
    response = case.call()
    if _failed(response):
        failed.append(f"{case.as_curl_command()}: {response.status_code} {response.text[:300]}"[:900])
