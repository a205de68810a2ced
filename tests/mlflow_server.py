"""A real MLflow server in a process of its own, on loopback, with SQLite in a temporary folder; and what it holds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.limner_process import free_port

MLFLOW = Path(sys.executable).with_name("mlflow")
#: It imports half of what is installed before it answers.
_PATIENCE = 120.0


@dataclass(frozen=True)
class Run:
    """A run as MLflow tells it."""

    name: str
    status: str
    params: dict[str, str]
    #: The last value of each metric.
    metrics: dict[str, float]
    id: str


@dataclass(frozen=True)
class MLflow:
    """A server that is running."""

    url: str

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = httpx.request(method, f"{self.url}/api/2.0/mlflow/{path}", timeout=60, trust_env=False, **options)
        answer.raise_for_status()
        return answer.json()

    def experiments(self) -> set[str]:
        found = self.ask("POST", "experiments/search", json={"max_results": 1000})
        return {each["name"] for each in found["experiments"]}

    def runs(self, experiment: str) -> list[Run]:
        found = self.ask("GET", "experiments/get-by-name", params={"experiment_name": experiment})
        asked = {"experiment_ids": [found["experiment"]["experiment_id"]], "max_results": 100}
        return [_run(each) for each in self.ask("POST", "runs/search", json=asked).get("runs", ())]

    def history(self, run: Run, metric: str) -> list[tuple[int, float]]:
        """Steps and values of a metric."""
        found = self.ask("GET", "metrics/get-history", params={"run_id": run.id, "metric_key": metric})
        return [(int(each["step"]), each["value"]) for each in found.get("metrics", ())]


def _run(told: dict[str, Any]) -> Run:
    data = {kind: {each["key"]: each["value"] for each in told["data"].get(kind, ())} for kind in ("params", "metrics")}
    return Run(
        told["info"]["run_name"], told["info"]["status"], data["params"], data["metrics"], told["info"]["run_id"]
    )


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[MLflow]:
    """``mlflow server`` until the end of the block."""
    port = port or free_port()
    command = [str(MLFLOW), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination",
        str(folder / "a"),
    ]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **quiet}, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    try:
        yield MLflow(_ready(f"http://127.0.0.1:{port}", process, folder / "mlflow.log"))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)  # its children too; nothing of it is needed any more
        process.wait(30)


def _ready(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200:
                return url
        time.sleep(0.1)
    raise AssertionError(f"MLflow is not there: {process.poll()}\n{log.read_text()[-2000:]}")
