"""A folder or a file of SQLite, which only MLflow itself can write: in a process of its own.

Importing MLflow takes three seconds and 165 MB, measured: too much for a server that is to be ready in
two and a half, and whose requests would stand still meanwhile. The process is started by the first
thing there is to note, and ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from limner.operations.tracking.store import End, Point, RefusedError, TrackingError

_CHILD = "limner.operations.tracking.child"
#: MLflow reports its use to its makers unless it is told not to; and it no longer opens its older kind of folder
#: unless it is told to.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
#: Seconds that the process has to end.
_GRACE = 5.0


class LocalStore:
    """Keeps runs where MLflow's own address says, and their files in a folder (a ``file:`` address)."""

    def __init__(self, uri: str, files: str) -> None:
        self._arguments = uri, files
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def experiment(self, name: str) -> str:
        """Id of the experiment, which is made where there is none."""
        return str(self._ask("experiment", name))

    def find(self, experiment_id: str, key: str) -> Sequence[str]:
        """Ids of the runs with a key, the oldest first."""
        return [str(run_id) for run_id in self._ask("find", experiment_id, key)]

    def create(self, experiment_id: str, name: str, start: int, tags: Mapping[str, str]) -> str:
        """Id of a new run."""
        return str(self._ask("create", experiment_id, name, start, dict(tags)))

    def describe(self, run_id: str, params: Mapping[str, str]) -> None:
        """Note what a run was made with."""
        self._ask("describe", run_id, dict(params))

    def log(self, run_id: str, points: Sequence[Point]) -> None:
        """Note values."""
        self._ask("log", run_id, list(points))

    def keep(self, run_id: str, name: str, path: str) -> None:
        """Keep a file with a run."""
        self._ask("keep", run_id, name, path)

    def end(self, run_id: str, status: End, at: int) -> None:
        """A run has ended."""
        self._ask("end", run_id, status, at)

    def delete(self, run_id: str) -> None:
        """Forget a run."""
        self._ask("delete", run_id)

    def close(self) -> None:
        """Have the process end; one that does not is killed."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):  # it has ended already
            _pipe(process.stdin).close()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _pipe(process.stdout).close()

    def _ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - any JSON value
        process, line = self._running(), ""
        with suppress(OSError):  # it has ended: there is no answer either
            _pipe(process.stdin).write(json.dumps([method, *arguments]) + "\n")
            _pipe(process.stdin).flush()
            line = _pipe(process.stdout).readline()
        if not line:
            self.close()
            raise TrackingError("the process that writes to it has ended: what it said stands above")
        answer = json.loads(line)
        if "error" in answer:
            raise (RefusedError if answer["refused"] else TrackingError)(answer["error"])
        return answer["result"]

    def _running(self) -> subprocess.Popen[str]:
        """The process, started where there is none."""
        with self._lock:
            if self._process is None:
                # -P: a file named mlflow.py in the working folder is not MLflow. A session of its own: the
                # signals that end ours must not end it before it has written what it was given.
                try:
                    self._process = _started(self._arguments)
                except OSError as error:
                    raise TrackingError(f"no process for it can be started: {error.strerror}") from error
            return self._process


def _started(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own module, with an address from the settings
        [sys.executable, "-P", "-m", _CHILD, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **_ENVIRONMENT},
        start_new_session=True,
    )


def _pipe(pipe: Any) -> Any:  # noqa: ANN401 - a text file, which the type of a process leaves open
    if pipe is None:
        raise OSError("there is no pipe")
    return pipe
