import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from limner.core.errors import ConflictError
from limner.jobs.durable import VERSION, Durable
from limner.storage.columns import now
from limner.storage.database import Database

on_both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def run(database: Database) -> Iterator[Callable[..., Durable]]:
    """A function that starts lanes under a name, with a body; the one before is stopped."""
    running: list[Durable] = []

    def start(executor: str, body: Callable[[str, str], int]) -> Durable:
        stop()
        running.append(Durable(database, executor))
        running[-1].start(body)
        return running[-1]

    def stop() -> None:
        while running:
            running.pop().stop()

    yield start
    stop()


def test_it_is_pinned_private_and_quiet(database: Database) -> None:
    config = Durable(database, "host-1").config()
    assert config["application_version"] == VERSION
    assert config["executor_id"] == "host-1"
    assert config["serializer"].name() == "portable_json"
    assert config["enable_otlp"] is False
    assert config["log_level"] == "ERROR"
    paid = ("conductor_key", "conductor_url", "transact_enterprise_key", "auto_upgrade", "sharding")
    assert not any(config.get(name) for name in paid)


def test_nothing_of_it_is_loaded_before_it_is_used() -> None:
    code = (
        "import sys, limner.jobs.engine, limner.jobs.webhooks, limner.jobs.housekeeping; print('dbos' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_its_own_file_is_in_wal_mode(database: Database, run: Callable[..., Durable]) -> None:
    durable = run("host-1", lambda _lane, _queue: 0)
    assert durable.file.parent == Path(database.url.database).parent
    with closing(sqlite3.connect(durable.file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_on_postgresql_it_has_a_schema_of_its_own(database: Database, run: Callable[..., Durable]) -> None:
    run("host-1", lambda _lane, _queue: 0)
    with database.read() as c:
        schemas = c.exec_driver_sql("SELECT schema_name FROM information_schema.schemata").scalars().all()
        public = c.exec_driver_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").scalars().all()
    assert "limner_lanes" in schemas
    assert "dbos" not in schemas
    assert not [name for name in public if "workflow" in name]


def test_it_writes_nothing_to_the_console(
    database: Database, run: Callable[..., Durable], capfd: pytest.CaptureFixture[str]
) -> None:
    run("host-1", lambda _lane, _queue: 0)
    run("host-2", lambda _lane, _queue: 0)
    assert capfd.readouterr() == ("", "")
    assert not [one for one in logging.getLogger("dbos").handlers if type(one) is logging.StreamHandler]


@on_both
def test_a_lane_does_its_steps_and_ends(database: Database, run: Callable[..., Durable]) -> None:
    ended = threading.Event()
    seen: list[tuple[str, str, bool]] = []

    def body(lane: str, queue: str) -> int:
        seen.extend((lane, queue, durable.step(lambda n=n: n < 2)) for n in range(3))
        ended.set()
        return 3

    durable = run("host-1", body)
    durable.run("lane-1", "yolo")
    assert ended.wait(60)
    assert seen == [("lane-1", "yolo", True), ("lane-1", "yolo", True), ("lane-1", "yolo", False)]
    _until(lambda: not durable.lanes(["lane-1"])["lane-1"].live)
    assert durable.pending() == []
    assert set(durable.lanes(["lane-1", "unknown"])) == {"lane-1"}
    assert durable.lanes([]) == {}


@on_both
def test_a_lane_left_behind_goes_on_after_its_last_finished_step(
    database: Database, run: Callable[..., Durable]
) -> None:
    done: list[str] = []
    stuck, release = threading.Event(), threading.Event()

    def first(_lane: str, _queue: str) -> int:
        durable.step(lambda: bool(done.append("one")) or True)
        stuck.set()
        release.wait(120)  # the process "dies" here
        return 0

    durable = run("host-1", first)
    durable.run("lane-1", "yolo")
    assert stuck.wait(60)
    assert [(lane.id, lane.executor, lane.live) for lane in durable.pending()] == [("lane-1", "host-1", True)]

    ended = threading.Event()

    def again(_lane: str, _queue: str) -> int:
        durable.step(lambda: bool(done.append("one again")) or True)
        durable.step(lambda: bool(done.append("two")) or True)
        ended.set()
        return 0

    durable = run("host-1", again)  # under the same name it takes up the lane by itself
    assert ended.wait(60)
    assert done == ["one", "two"]
    release.set()


@on_both
def test_a_lane_of_a_dead_process_is_resumed_by_another(database: Database, run: Callable[..., Durable]) -> None:
    stuck, release = threading.Event(), threading.Event()

    def first(_lane: str, _queue: str) -> int:
        stuck.set()
        release.wait(120)
        return 0

    durable = run("dead", first)
    durable.run("lane-1", "yolo")
    assert stuck.wait(60)
    seen: list[tuple[str, str]] = []
    ended = threading.Event()

    def second(lane: str, queue: str) -> int:
        seen.append((lane, queue))
        ended.set()
        return 0

    durable = run("alive", second)
    assert [lane.executor for lane in durable.pending()] == ["dead"]
    assert not ended.wait(1.5)  # nobody takes it unasked
    durable.resume("lane-1")
    assert ended.wait(60)
    assert seen == [("lane-1", "yolo")]
    _until(lambda: durable.lanes(["lane-1"])["lane-1"].executor == "alive")
    release.set()


def test_a_lane_that_raises_is_not_live(
    database: Database, run: Callable[..., Durable], caplog: pytest.LogCaptureFixture
) -> None:
    def body(_lane: str, _queue: str) -> int:
        raise ZeroDivisionError

    durable = run("host-1", body)
    durable.run("lane-1", "yolo")
    _until(lambda: "lane-1" in durable.lanes(["lane-1"]) and not durable.lanes(["lane-1"])["lane-1"].live)
    assert durable.pending() == []


def test_ended_lanes_are_forgotten_in_time(database: Database, run: Callable[..., Durable]) -> None:
    durable = run("host-1", lambda _lane, _queue: 0)
    for lane in ("a", "b"):
        durable.run(lane, "yolo")
    _until(lambda: not any(lane.live for lane in durable.lanes(["a", "b"]).values()))
    assert durable.forget(now() - timedelta(minutes=1)) == 0
    assert durable.forget(now() + timedelta(minutes=1), limit=1) == 1
    assert durable.forget(now() + timedelta(minutes=1)) == 1
    assert durable.lanes(["a", "b"]) == {}


def test_there_is_one_in_a_process(database: Database, run: Callable[..., Durable]) -> None:
    run("host-1", lambda _lane, _queue: 0)
    other = Durable(database, "host-2")
    with pytest.raises(ConflictError, match="already"):
        other.start(lambda _lane, _queue: 0)
    with pytest.raises(ConflictError, match="not running"):
        other.run("lane", "queue")


@pytest.mark.parametrize("where", ["postgresql://me@127.0.0.1:1/nothing", "{folder}/limner.db"])
def test_one_that_cannot_start_leaves_the_place_to_the_next(
    tmp_path: Path, run: Callable[..., Durable], where: str
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "lanes.db").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    database = Database(where.format(folder=tmp_path / "other"))
    with pytest.raises((sqlite3.DatabaseError, sa.exc.OperationalError)):
        Durable(database, "host-1").start(lambda _lane, _queue: 0)
    database.close()
    run("host-1", lambda _lane, _queue: 0)


def _until(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(500):
        if condition():
            return
        done.wait(0.02)
    pytest.fail("it never came true")
