"""An MLflow server, through its REST API: MLflow itself is neither needed nor imported for that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from limner.annotations.annotation import Json
from limner.operations.tracking.store import KEY_TAG, End, Point, RefusedError, TrackingError

#: Seconds that a connection may take, and an answer.
_CONNECT, _ANSWER = 2.0, 5.0
#: Statuses with which a server says that it might work later.
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Most of an answer that is read, bytes: ours are short.
_LONGEST: Final = 2_000_000
#: How the places of files begin that a server takes itself.
_ARTIFACTS: Final = "mlflow-artifacts:"


class RestStore:
    """Keeps runs on a server. A user and password may stand in its address."""

    def __init__(self, url: str) -> None:
        timeout = httpx.Timeout(_ANSWER, connect=_CONNECT)
        self._root = url.rstrip("/")
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/api/2.0/mlflow/", timeout=timeout)

    def experiment(self, name: str) -> str:
        """Id of the experiment, which is made where there is none."""
        found = self._experiment(name)
        if found is None:
            try:
                return str(self._post("experiments/create", {"name": name})["experiment_id"])
            except RefusedError:  # another process was faster
                found = self._experiment(name)
                if found is None:
                    raise
        return found

    def _experiment(self, name: str) -> str | None:
        try:
            found = self._ask("GET", "experiments/get-by-name", params={"experiment_name": name})["experiment"]
        except _MissingError:
            return None
        if found.get("lifecycle_stage") == "deleted":
            raise RefusedError(f"The experiment {name} has been deleted.", hint="Restore it, or choose another name.")
        return str(found["experiment_id"])

    def find(self, experiment_id: str, key: str) -> Sequence[str]:
        """Ids of the runs with a key, the oldest first."""
        asked: dict[str, Json] = {
            "experiment_ids": [experiment_id],
            "filter": f"tags.`{KEY_TAG}` = '{key}'",
            "order_by": ["attributes.start_time ASC", "attributes.run_id ASC"],
            "max_results": 10,
        }
        return [str(run["info"]["run_id"]) for run in self._post("runs/search", asked).get("runs", ())]

    def create(self, experiment_id: str, name: str, start: int, tags: Mapping[str, str]) -> str:
        """Id of a new run."""
        listed: list[Json] = [{"key": key, "value": value} for key, value in tags.items()]
        asked: dict[str, Json] = {
            "experiment_id": experiment_id, "run_name": name, "start_time": start, "tags": listed
        }  # fmt: skip
        return str(self._post("runs/create", asked)["run"]["info"]["run_id"])

    def describe(self, run_id: str, params: Mapping[str, str]) -> None:
        """Note what a run was made with."""
        listed: list[Json] = [{"key": key, "value": value} for key, value in params.items()]
        self._post("runs/log-batch", {"run_id": run_id, "params": listed})

    def log(self, run_id: str, points: Sequence[Point]) -> None:
        """Note values."""
        listed: list[Json] = [
            {"key": point.metric, "value": point.value, "step": point.step, "timestamp": point.at} for point in points
        ]
        self._post("runs/log-batch", {"run_id": run_id, "metrics": listed})

    def keep(self, run_id: str, name: str, path: str) -> None:
        """Keep a file with a run: where the server takes files itself, as it does unless it was told otherwise."""
        place = str(self._ask("GET", "runs/get", params={"run_id": run_id})["run"]["info"]["artifact_uri"])
        if not place.startswith(_ARTIFACTS):
            raise RefusedError(f"it keeps files in {place.partition(':')[0]}:…, which is reached without it")
        where = f"{urlsplit(place).path.strip('/')}/{name}"
        try:
            with Path(path).open("rb") as file:
                self._ask("PUT", f"{self._root}/api/2.0/mlflow-artifacts/artifacts/{quote(where)}", content=file)
        except OSError as error:
            raise RefusedError(f"{Path(path).name} cannot be read: {error.strerror}") from error

    def end(self, run_id: str, status: End, at: int) -> None:
        """A run has ended."""
        self._post("runs/update", {"run_id": run_id, "status": status, "end_time": at})

    def delete(self, run_id: str) -> None:
        """Forget a run."""
        self._post("runs/delete", {"run_id": run_id})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _post(self, path: str, body: Mapping[str, Json]) -> Any:  # noqa: ANN401 - any JSON value
        return self._ask("POST", path, json=dict(body))

    def _ask(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - any JSON value
        try:
            with self._http.stream(method, path, **options) as response:
                status, body = response.status_code, _read(response)
        except httpx.HTTPError as error:
            raise TrackingError(f"it cannot be reached: {str(error) or type(error).__name__}") from error
        answer = _parsed(body)
        if status == httpx.codes.OK and answer is not None:
            return answer
        raise _error(status, answer)


class _MissingError(RefusedError):
    """There is no such thing."""


def _read(response: httpx.Response) -> bytes:
    body = b""
    for part in response.iter_bytes():
        body += part
        if len(body) > _LONGEST:
            raise RefusedError("its answer is too long to be MLflow's")
    return body


def _parsed(body: bytes) -> dict[str, Any] | None:
    """The object that an answer holds; None where it holds none."""
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _error(status: int, answer: Mapping[str, Any] | None) -> TrackingError:
    told = answer or {}
    said = f"it answered {status}: {str(told.get('message') or 'no reason given')[:300]}"
    if told.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
        return _MissingError(said)
    passing = status in _PASSING or status < httpx.codes.BAD_REQUEST
    return TrackingError(said) if passing else RefusedError(said)
