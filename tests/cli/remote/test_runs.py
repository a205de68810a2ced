"""``limner --server URL train`` and ``runs``, with a server that waits for a worker: nothing learns here."""

import json
import subprocess
import time
from pathlib import Path

from limner.client import Client
from limner.core.settings import Settings
from limner.operations.datasets.desk import workspace_datasets
from limner.storage.database import Database
from limner.storage.workspaces import Workspaces
from tests.cli.conftest import LIMNER, Run
from tests.limner_process import serving
from tests.training.fitting.squares import squares


def _workspace(data: Path) -> str:
    database = Database(f"sqlite:///{data / 'limner.db'}")
    try:
        return Workspaces(database).ensure("default").id
    finally:
        database.close()


def test_a_run_on_a_server_is_begun_followed_and_stopped(
    limner: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    data = tmp_path / "server"
    with serving(data, LIMNER_WORKERS="0") as server:
        token = {"LIMNER_TOKEN": server.first_token, "LIMNER_SERVER": server.url}
        squares(workspace_datasets(Settings(data=data), _workspace(data)).folder, train=2, val=1)
        assert "Did you mean squares" in limner("train", "squarse", code=1, **token).stderr
        assert "not possible with --server" in limner("train", "--data", ".", code=2, **token).stderr
        command = [str(LIMNER), "train", "squares", "--epochs", "3", "--alias", "best"]
        process = subprocess.Popen(
            command, env={**environment, **token}, cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        with Client(server.url, server.first_token) as client:
            end = time.monotonic() + 100
            while not (found := list(client.runs.list())):
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
            run = found[0]["id"]
            assert client.runs.get(run)["config"]["epochs"] == 3
            assert list(client.runs.metrics(run)) == []
            client.runs.stop(run)
            said = process.communicate(timeout=100)[1]
            assert process.returncode == 3
            assert f"Run {run}: lite learns from squares@1." in said
            assert f"limner train --resume {run}" in said
            assert client.runs.resume(run)["status"] == "queued"
            client.runs.stop(run)
        assert [each["id"] for each in json.loads(limner("runs", "list", "--json", **token).stdout)] == [run]
        assert "cancelled" in limner("runs", "show", run, **token).stdout
        assert "it is not finished" in limner("runs", "promote", run, code=1, **token).stderr
        limner("models", "alias", "mine", "text", **token)
        assert limner("models", "rollback", "mine", **token).stdout == "mine is forgotten, as before.\n"
