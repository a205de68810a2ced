"""Whether the server can work."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from limner.core.errors import ModelError
from limner.jobs.engine import Overview
from limner.server.readiness import Canary, Part, Readiness
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.engine.board import QueueState

SECONDS = 10


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bird:
    """What the canary does: waits for its gate, then sings or fails."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.error: Exception | None = None
        self.songs = 0

    def __call__(self) -> None:
        assert self.gate.wait(SECONDS)
        self.songs += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def bird() -> Iterator[Bird]:
    bird = Bird()
    yield bird
    bird.gate.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _sung(canary: Canary, bird: Bird) -> Part:
    bird.gate.set()
    canary.look()
    canary.close()
    bird.gate.clear()
    return canary.look()


def test_nobody_waits_for_the_canary(bird: Bird, clock: Clock) -> None:
    canary = Canary(bird, clock)
    assert canary.look() == Part("model", "pending")
    assert canary.look() == Part("model", "pending")
    assert _sung(canary, bird) == Part("model", "ok")
    assert bird.songs == 1


def test_what_it_sang_counts_for_a_minute(bird: Bird, clock: Clock) -> None:
    canary = Canary(bird, clock)
    _sung(canary, bird)
    clock.now += 59
    canary.look()
    canary.close()
    assert bird.songs == 1
    clock.now += 2
    assert canary.look() == Part("model", "ok")  # the last one counts while the next is under way
    _sung(canary, bird)
    assert bird.songs == 2


def test_a_model_that_fails_says_why(bird: Bird, clock: Clock) -> None:
    canary = Canary(bird, clock)
    bird.error = ModelError("The weights are gone.")
    assert _sung(canary, bird) == Part("model", "failed", "The weights are gone.")


def test_an_unforeseen_failure_is_logged_and_not_told(
    bird: Bird, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    canary = Canary(bird, clock)
    bird.error = RuntimeError("a secret")
    assert _sung(canary, bird) == Part("model", "failed", "Unexpected RuntimeError.")
    assert "a secret" in caplog.text


def test_one_that_does_not_end_is_stuck(bird: Bird, clock: Clock) -> None:
    canary = Canary(bird, clock)
    canary.look()
    clock.now += 200
    assert canary.look().state == "failed"
    assert _sung(canary, bird).state == "ok"


Make = Callable[..., Readiness]


@pytest.fixture
def queues() -> list[QueueState]:
    return []


@pytest.fixture
def make(tmp_path: Path, bird: Bird, clock: Clock, queues: list[QueueState]) -> Iterator[Make]:
    """A function that makes the readiness of a server with a real database and blob store."""
    database = Database(tmp_path / "limner.db")
    database.upgrade()

    def make(worker: object = None) -> Readiness:
        canary = Canary(bird, clock)
        overview = Overview(queues, ())
        return Readiness(database, Blobs(tmp_path / "blobs"), canary, lambda: overview, worker, clock)

    yield make
    database.close()


def states(readiness: Readiness) -> dict[str, str]:
    return {part.name: part.state for part in readiness.parts()}


def test_at_first_only_the_model_is_not_known(make: Make) -> None:
    assert states(make()) == {"database": "ok", "storage": "ok", "model": "pending", "queue": "ok"}


def test_a_blob_store_that_cannot_be_written_fails_without_saying_where(make: Make, tmp_path: Path) -> None:
    readiness = make()
    (tmp_path / "blobs").rmdir()
    (tmp_path / "blobs").write_text("in the way")
    (storage,) = [part for part in readiness.parts() if part.name == "storage"]
    assert storage.state == "failed"
    assert str(tmp_path) not in storage.reason


def test_a_database_of_another_version_fails(make: Make, tmp_path: Path) -> None:
    readiness = make()
    other = Database(tmp_path / "limner.db")
    with other.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    other.close()
    assert states(readiness)["database"] == "failed"
    assert states(readiness)["queue"] == "pending"


def test_a_queue_that_nobody_works_on_fails_after_a_while(make: Make, queues: list[QueueState], clock: Clock) -> None:
    readiness = make()
    queues.append(QueueState("text", "annotate", waiting=3, running=0))
    assert states(readiness)["queue"] == "ok"
    clock.now += 121
    assert states(readiness)["queue"] == "failed"
    queues[:] = [QueueState("text", "annotate", waiting=300, running=1)]
    clock.now += 2
    assert states(readiness)["queue"] == "ok"


def test_whoever_asks_all_the_time_is_given_the_same_answer(make: Make, queues: list[QueueState], clock: Clock) -> None:
    readiness = make()
    first = readiness.parts()
    assert readiness.parts() is first
    clock.now += 1.5
    assert readiness.parts() is not first


class Worker:
    def __init__(self) -> None:
        self.running: bool | Exception = False

    def check(self) -> bool:
        if isinstance(self.running, Exception):
            raise self.running
        return self.running


def test_the_worker_inside_the_server_is_a_part(make: Make, clock: Clock) -> None:
    worker = Worker()
    readiness = make(worker)
    assert states(readiness)["worker"] == "pending"
    for running, state in ((True, "ok"), (OSError("no"), "failed")):
        worker.running = running
        clock.now += 2
        assert states(readiness)["worker"] == state
