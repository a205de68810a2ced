import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from limner.jobs.durable import Durable
from limner.jobs.engine import JobEngine
from limner.jobs.identity import Identity
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.engine.board import Board
from limner.storage.engine.workers import Workers
from limner.storage.jobs import Jobs, NewJob, parent_queue
from limner.storage.pages import JobPage, JobPages, PlannedPage
from tests.jobs.handlers import Scripted

on_both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def _left_behind(database: Database, home: str) -> str:
    """A job with a chunk that is held by a lane whose process is dead."""
    board, ready, release = Board(database), threading.Event(), threading.Event()
    job = Jobs(database, home).add(NewJob(kind="scripted", queue="yolo", payload={"pages": 3}))
    plan = board.take(parent_queue("scripted"), "planner", "planner", kinds=["scripted"])
    board.plan(plan, [PlannedPage(str(n)) for n in range(3)], chunk=3)

    def hang(lane: str, queue: str) -> int:
        task = board.take(queue, lane, "dead", kinds=["scripted"])
        board.step(task, None, 0)
        ready.set()
        release.wait(120)
        return 0

    durable = Durable(database, "dead")
    durable.start(hang)
    durable.run("lane-of-the-dead", "yolo")
    assert ready.wait(60)
    durable.stop()
    release.set()
    return job.id


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


@on_both
def test_a_lane_of_a_dead_worker_is_taken_up(
    make_engine: Callable[..., JobEngine], database: Database, home: str, handler: Scripted
) -> None:
    job = _left_behind(database, home)
    engine = make_engine()
    assert engine.wait(home, job).status == "succeeded"
    attempts = [row.attempts for row in _pages(database, home, job)]
    assert attempts == [2, 1, 1]


def test_a_lane_that_is_not_for_this_worker_puts_its_task_back(
    make_engine: Callable[..., JobEngine], database: Database, home: str, handler: Scripted
) -> None:
    job = _left_behind(database, home)
    engine = make_engine(serves=lambda _kind, queue: queue != "yolo")
    _until(lambda: [(queue.waiting, queue.running) for queue in engine.overview().queues] == [(1, 0)])
    assert handler.begun(job) == {}
    assert [page.status for page in _pages(database, home, job)] == ["waiting"] * 3


def test_a_lane_whose_place_is_taken_puts_its_task_back_and_its_turn_comes(
    make_engine: Callable[..., JobEngine], database: Database, home: str, handler: Scripted
) -> None:
    job = _left_behind(database, home)
    busy = Jobs(database, home).add(
        NewJob(kind="scripted", queue="yolo", payload={"pages": 40, "seconds": 0.05}, priority=9)
    )
    engine = make_engine(beat=1.5)  # the busy one has begun before the dead one is missed
    _until(lambda: handler.begun(busy.id)[0] == 1)
    assert engine.wait(home, job).status == "succeeded"
    assert engine.wait(home, busy.id).status == "succeeded"
    assert handler.most["yolo"] == 1


def test_one_that_cannot_start_leaves_nothing_behind(
    make_engine: Callable[..., JobEngine], database: Database, tmp_path: Path
) -> None:
    (tmp_path / "data" / "lanes.db").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    engine = make_engine(start=False)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        engine.start()
    assert not engine.running
    (worker,) = Workers(database).all()
    assert worker.state == "stopped"
    identity = Identity(tmp_path)
    assert identity.id == worker.id  # the name is free again
    identity.release()
    (tmp_path / "data" / "lanes.db").unlink()
    engine.start()
    assert engine.running


def test_lanes_are_forgotten_by_one_that_works(
    make_engine: Callable[..., JobEngine], database: Database, home: str
) -> None:
    engine = make_engine()
    engine.wait(home, engine.submit(home, NewJob(kind="scripted", queue="q", payload={"pages": 1})).id)
    _until(lambda: engine.forget_lanes(now() + timedelta(minutes=1)) > 0)
    engine.stop()
    assert engine.forget_lanes(now()) == 0
    assert engine.reap() == 0


def _pages(database: Database, home: str, job_id: str) -> list[JobPage]:
    return list(JobPages(database, home).list(job_id))
