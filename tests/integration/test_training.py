"""Runs on a real server: killed and taken up again, and two workspaces that never see each other's."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from limner.operations.library import workspace_folder
from limner.storage.database import Database
from limner.storage.tokens import Tokens
from limner.storage.workspaces import Workspaces
from limner.training.fitting.folder import RunFolder, read_metrics
from tests.limner_process import ServerProcess, serving
from tests.training.fitting.squares import SIDE, squares
from tests.training.fitting.trained import trained

#: Seconds after which something is wrong, on a machine that has much else to do.
_LONG = 240.0
_SETTINGS = {"OMP_NUM_THREADS": "1", "LIMNER_THREADS": "1", "LIMNER_WORKERS": "1"}
_CHOICES = {"base": "base", "image_size": SIDE, "batch_size": 4, "loaders": 0, "augment": "none"}

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]


def _until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + _LONG
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return found


def _processes(folder: RunFolder) -> list[int]:
    """The processes of a run that learn."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if os.fsencode(folder.path) in words and (path.parent / "stat").read_text().split(") ")[-1][0] != "Z":
                found.append(int(path.parent.name))
    return found


def _batch(folder: RunFolder) -> int:
    return max((line["batch"] for line in read_metrics(folder.metrics)), default=0)


class Member:
    """Somebody with a workspace."""

    def __init__(self, data: Path, name: str) -> None:
        database = Database(f"sqlite:///{data / 'limner.db'}")
        database.upgrade()
        self.id = Workspaces(database).ensure(name).id
        self.token = Tokens(database, self.id).create("test", ["train"])[1]
        database.close()
        self.folder = workspace_folder(data, self.id)
        squares(self.folder / "datasets", val=2)
        self.url = ""

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.request(method, f"{self.url}/v1{path}", headers=headers, timeout=60, trust_env=False, **options)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def begin(self, **choices: object) -> str:
        answer = self.ask("POST", "/runs", json={"dataset": "squares", **_CHOICES, **choices})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def run(self, run_id: str) -> RunFolder:
        return RunFolder(self.folder / "runs" / run_id)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a model that all workspaces may begin with."""
    data = tmp_path / "data"
    made = trained(tmp_path / "made", tmp_path / "datasets", epochs=1, name="base")
    ModelStore(data / "models").add(read_bundle(made.bundle))
    return data


@pytest.fixture
def server(data: Path) -> Iterator[ServerProcess]:
    with serving(data, **_SETTINGS) as server:
        yield server


def test_runs_outlive_their_processes_and_belong_to_one_workspace(data: Path, server: ServerProcess) -> None:
    anna, bert = Member(data, "anna"), Member(data, "bert")
    anna.url = bert.url = server.url
    # Short enough to end here, long enough to be killed twice before: time counts that is spent learning.
    hers = anna.begin(name="mine", minutes=0.04)
    folder = anna.run(hers)
    _until(lambda: _batch(folder) >= 2, "the run has not begun")
    his = bert.begin(name="mine", epochs=1, alias="best")
    assert bert.get(f"/runs/{his}")["status"] == "queued"  # one at a time

    server.kill()
    _until(lambda: not _processes(folder), "the process goes on without its server")
    assert folder.checkpoint.exists()
    done = _batch(folder)
    server.again()
    anna.url = bert.url = server.url
    _until(lambda: _batch(folder) > done and _processes(folder), "the run was not taken up again")

    (process,) = _processes(folder)
    os.kill(process, signal.SIGKILL)
    ended = _until(lambda: (run := anna.get(f"/runs/{hers}"))["finished_at"] and run, "the run does not end")
    assert (ended["status"], ended["model"], ended["error"]) == ("succeeded", "mine@1", None)
    assert ended["progress"]["progress"] == 1.0
    assert json.loads((folder.path / "crashes.json").read_text())["count"] == 1
    batches = [line["batch"] for line in read_metrics(folder.metrics) if line["kind"] == "loss"]
    assert batches == list(range(1, len(batches) + 1))  # none twice, none left out

    other = _until(lambda: (run := bert.get(f"/runs/{his}"))["finished_at"] and run, "the other run does not end")
    assert (other["status"], other["model"], other["promotion"]["moved"]) == ("succeeded", "mine@1", True)
    _looks(anna, bert, hers, his)


def _looks(anna: Member, bert: Member, hers: str, his: str) -> None:
    """What each of them sees."""
    for one, own, others in ((anna, hers, his), (bert, his, hers)):
        assert [run["id"] for run in one.get("/runs")["items"]] == [own]
        for path in ("", "/metrics", "/samples/1", "/report", "/events"):
            assert one.ask("GET", f"/runs/{others}{path}").status_code == 404
        assert {model["ref"] for model in one.get("/models")["items"] if not model["built_in"]} == {"base@1", "mine@1"}
    models = [one.get("/models/mine@1") for one in (anna, bert)]
    assert models[0]["weights"]["sha256"] != models[1]["weights"]["sha256"]
    assert (anna.folder / "models" / "mine").is_dir()
    assert anna.ask("GET", "/models/best").status_code == 404
    assert bert.get("/models/best")["ref"] == "mine@1"
    events = bert.ask("GET", f"/runs/{his}/events").text
    assert events.startswith("event: run")
    assert "event: metrics" in events
    metrics = bert.get(f"/runs/{his}/metrics")["items"]
    assert [line["batch"] for line in metrics if line["kind"] == "loss"] == [1, 2, 3, 4]
    assert bert.ask("GET", f"/runs/{his}/samples/1").content[:2] == b"\xff\xd8"
    assert {each["label"] for each in bert.get(f"/runs/{his}/report")["labels"]} == {"bright", "dark"}
    blobs = bert.folder.parent.parent / "blobs" / "metrics" / his
    assert sorted(path.name for path in blobs.iterdir()) == ["bright.csv", "bright.json", "dark.csv", "dark.json"]
