"""Opening and closing what an application holds."""

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from limner.core.errors import SettingsError
from limner.core.settings import Settings
from limner.server.startup import Starting, open_state
from limner.storage.workspaces import Workspaces


def test_everything_is_opened_and_closed(tmp_path: Path) -> None:
    before = set(threading.enumerate())  # servers of other tests may live on
    with ExitStack() as stack:
        state = open_state(Settings(data=tmp_path, workers=0), stack)
        assert Workspaces(state.database).get(state.home).name == "default"
        assert {part.name for part in state.readiness.parts()} == {"database", "storage", "model", "queue"}
        assert not state.engine.running
    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name.startswith(("limner", "instant"))]


def test_a_second_start_finds_the_same_workspace(tmp_path: Path) -> None:
    homes = set()
    for _ in range(2):
        with ExitStack() as stack:
            homes.add(open_state(Settings(data=tmp_path, workers=0), stack).home)
    assert len(homes) == 1


def test_a_start_that_fails_halfway_closes_what_it_opened(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LIMNER_JWT_SECRET"), ExitStack() as stack:
        open_state(Settings(data=tmp_path, workers=0, jwt_secret="short"), stack)
    (tmp_path / "limner.db").unlink()
    assert not (tmp_path / "limner.db-wal").exists()


class Engine:
    """As much of an engine as starting needs; its start waits for a gate."""

    def __init__(self, error: Exception | None = None) -> None:
        self.gate, self.error = threading.Event(), error
        self.running = False

    def start(self) -> None:
        assert self.gate.wait(60)
        if self.error is not None:
            raise self.error
        self.running = True

    def stop(self) -> None:
        self.running = False


def test_requests_need_not_wait_for_the_worker() -> None:
    engine = Engine()
    worker = Starting(engine)
    assert worker.check() is False
    engine.gate.set()
    for _ in range(6000):
        if worker.check():
            break
        time.sleep(0.01)
    assert worker.check() is True
    worker.stop()
    assert not engine.running


def test_a_worker_that_cannot_start_says_why(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine(OSError("no room"))
    worker = Starting(engine)
    engine.gate.set()
    worker._thread.join(60)
    with pytest.raises(OSError, match="no room"):
        worker.check()
    assert "could not be started" in caplog.text
    worker.stop()
