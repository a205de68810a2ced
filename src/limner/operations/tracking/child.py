"""The process that writes to a folder or a file of SQLite: requests on standard input, answers on standard output.

Each line is a JSON list of a method and its arguments, those of `limner.operations.tracking.store.Store`;
each answer is a line ``{"result": …}`` or ``{"error": …, "refused": …}``.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from limner.operations.tracking.store import KEY_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: What MLflow says of requests that would fail again.
_LASTING = frozenset({"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE", "PERMISSION_DENIED"})


class Writer:
    """Does what it is told with MLflow's own client."""

    def __init__(self, client: MlflowClient, files: str) -> None:
        self._client = client
        self._files = files

    def experiment(self, name: str) -> str:
        """Id of the experiment, which is made where there is none."""
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        folder = re.sub(r"[^\w.-]", "_", name)
        return str(self._client.create_experiment(name, artifact_location=f"{self._files}/{folder}"))

    def find(self, experiment_id: str, key: str) -> list[str]:
        """Ids of the runs with a key, the oldest first."""
        order = ["attributes.start_time ASC", "attributes.run_id ASC"]
        found = self._client.search_runs([experiment_id], f"tags.`{KEY_TAG}` = '{key}'", max_results=10, order_by=order)
        return [run.info.run_id for run in found]

    def create(self, experiment_id: str, name: str, start: int, tags: Mapping[str, str]) -> str:
        """Id of a new run."""
        run = self._client.create_run(experiment_id, start_time=start, tags=dict(tags), run_name=name)
        return str(run.info.run_id)

    def describe(self, run_id: str, params: Mapping[str, str]) -> None:
        """Note what a run was made with."""
        from mlflow.entities import Param

        self._client.log_batch(run_id, params=[Param(key, value) for key, value in params.items()])

    def log(self, run_id: str, points: Sequence[tuple[str, float, int, int]]) -> None:
        """Note values."""
        from mlflow.entities import Metric

        self._client.log_batch(run_id, metrics=[Metric(name, value, at, step) for name, value, step, at in points])

    def keep(self, run_id: str, name: str, path: str) -> None:
        """Keep a file with a run; its own name is the last part of the one that it gets."""
        self._client.log_artifact(run_id, path, name.rpartition("/")[0] or None)

    def end(self, run_id: str, status: str, at: int) -> None:
        """A run has ended."""
        self._client.set_terminated(run_id, status, at)

    def delete(self, run_id: str) -> None:
        """Forget a run."""
        self._client.delete_run(run_id)


_METHODS = frozenset({"experiment", "find", "create", "describe", "log", "keep", "end", "delete"})


def answer(writer: Writer, line: str) -> dict[str, Any]:
    """What comes of a request."""
    method, *arguments = json.loads(line)
    if method not in _METHODS:
        raise ValueError(f"{method} is no method")
    try:
        return {"result": getattr(writer, method)(*arguments)}
    except Exception as error:  # noqa: BLE001 - whatever it is, the other process wants to know
        refused = getattr(error, "error_code", "") in _LASTING
        return {"error": f"{str(error).strip()[:300] or type(error).__name__}", "refused": refused}


def run(uri: str, files: str, requests: IO[str], answers: IO[str]) -> None:
    """Answer until there are no more requests."""
    warnings.simplefilter("ignore")
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    writer = Writer(MlflowClient(tracking_uri=uri), files)
    for line in requests:
        answers.write(json.dumps(answer(writer, line)) + "\n")
        answers.flush()


def main() -> None:
    """Run as a process."""
    for number in (signal.SIGINT, signal.SIGTERM):  # it ends with its input, when all is written
        signal.signal(number, signal.SIG_IGN)
    # Whatever else wants to print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    run(sys.argv[1], sys.argv[2], sys.stdin, answers)


if __name__ == "__main__":
    main()
