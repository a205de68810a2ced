from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.jobs.durable import Lane
from limner.jobs.identity import Identity
from limner.jobs.keeper import Keeper
from limner.storage.database import Database
from limner.storage.engine.board import Board
from limner.storage.engine.workers import Workers
from limner.storage.jobs import Jobs, NewJob, parent_queue

PARENTS = parent_queue("annotate")


class Remembered:
    """What DBOS would know of lanes; the real one is in `test_durable` and in the integration tests."""

    def __init__(self) -> None:
        self.known: dict[str, Lane] = {}
        self.resumed: list[str] = []

    def pending(self) -> list[Lane]:
        return [lane for lane in self.known.values() if lane.live and lane.executor]

    def lanes(self, ids: list[str]) -> dict[str, Lane]:
        return {name: self.known[name] for name in ids if name in self.known}

    def resume(self, lane_id: str) -> None:
        self.resumed.append(lane_id)
        self.known[lane_id] = Lane(lane_id, "", True)


@pytest.fixture
def durable() -> Remembered:
    return Remembered()


@pytest.fixture
def workers(database: Database) -> Workers:
    return Workers(database)


class Clock:
    """A clock that stands still unless it is moved, seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(database: Database, workers: Workers, durable: Remembered, tmp_path: Path, clock: Clock) -> Iterator[Keeper]:
    identity = Identity(tmp_path)
    keeper = Keeper(workers, Board(database), durable, identity, kinds=["annotate"], dead_after=20.0, clock=clock)
    keeper.register()
    yield keeper
    identity.release()


def _other(workers: Workers, name: str = "other", incarnation: str = "1") -> None:
    workers.register(name, incarnation, host="far", pid=7, kinds=["annotate"])


def _states(workers: Workers) -> dict[str, str]:
    return {worker.id: worker.state for worker in workers.all() if worker.host == "far"}


def _held(database: Database, home: str, lane: str) -> str:
    """A job whose plan a lane holds."""
    job = Jobs(database, home).add(NewJob(kind="annotate", queue="yolo"))
    assert Board(database).take(PARENTS, lane, f"of {lane}", kinds=["annotate"]) is not None
    return job.id


def test_it_beats_for_itself_and_says_when_it_leaves(keeper: Keeper, workers: Workers) -> None:
    for _ in range(3):
        keeper.tick()
    (me,) = workers.all()
    assert (me.state, me.beat, me.kinds) == ("alive", 3, ("annotate",))
    keeper.leave()
    assert workers.all()[0].state == "stopped"


def test_one_whose_beat_stops_is_dead_after_a_while(keeper: Keeper, workers: Workers, clock: Clock) -> None:
    _other(workers)
    keeper.tick()
    assert _states(workers) == {"other": "alive"}
    clock.now += 25
    workers.beat("other", "1")
    keeper.tick()
    clock.now += 10
    keeper.tick()
    assert _states(workers) == {"other": "alive"}  # it had stirred
    clock.now += 11
    keeper.tick()
    assert _states(workers) == {"other": "dead"}


def test_one_that_is_seen_for_the_first_time_has_its_time_too(keeper: Keeper, workers: Workers, clock: Clock) -> None:
    _other(workers)
    clock.now += 25
    keeper.tick()  # however long ago it beat: we have watched it for no time at all
    assert _states(workers) == {"other": "alive"}


def test_taken_for_dead_it_goes_on_under_its_name(keeper: Keeper, workers: Workers) -> None:
    (me,) = workers.all()
    assert workers.declare_dead(me)
    keeper.tick()
    (back,) = workers.all()
    assert (back.id, back.state) == (me.id, "alive")
    assert back.incarnation != me.incarnation


def test_lanes_of_the_dead_and_the_stopped_are_resumed_once(
    keeper: Keeper, workers: Workers, durable: Remembered
) -> None:
    for name in ("dead", "stopped", "alive"):
        _other(workers, name)
        durable.known[name] = Lane(name, name, True)
    durable.known["stranger"] = Lane("stranger", "never registered", True)
    workers.declare_dead(next(worker for worker in workers.all() if worker.id == "dead"))
    workers.stop("stopped", "1")
    assert keeper.rescue() == 3
    assert sorted(durable.resumed) == ["dead", "stopped", "stranger"]
    assert keeper.rescue() == 0


def test_one_that_is_back_is_left_alone(keeper: Keeper, workers: Workers, durable: Remembered) -> None:
    _other(workers, "other", "1")
    durable.known["lane"] = Lane("lane", "other", True)
    workers.declare_dead(next(worker for worker in workers.all() if worker.id == "other"))
    _other(workers, "other", "2")
    assert keeper.rescue() == 0
    assert durable.resumed == []


def test_what_a_lane_held_that_has_ended_badly_is_put_back(
    database: Database, home: str, keeper: Keeper, durable: Remembered
) -> None:
    _held(database, home, "failed")
    durable.known["failed"] = Lane("failed", "", False)
    assert keeper.rescue() == 1
    assert [(queue.waiting, queue.running) for queue in Board(database).queues()] == [(1, 0)]
    _held(database, home, "unknown")
    assert keeper.rescue() == 1
    assert durable.resumed == []


def test_what_a_lane_of_a_living_worker_held_that_has_ended_is_put_back(
    database: Database, home: str, keeper: Keeper, workers: Workers, durable: Remembered
) -> None:
    (me,) = workers.all()
    _held(database, home, "failed here")
    durable.known["failed here"] = Lane("failed here", me.id, live=False, ended=True)
    assert keeper.rescue() == 1
    assert [(queue.waiting, queue.running) for queue in Board(database).queues()] == [(1, 0)]


def test_what_a_live_lane_holds_stays_with_it(
    database: Database, home: str, keeper: Keeper, workers: Workers, durable: Remembered
) -> None:
    _other(workers)
    _held(database, home, "running")
    _held(database, home, "old version")
    durable.known["running"] = Lane("running", "other", True)
    durable.known["old version"] = Lane("old version", "other", False)  # not ours, but its worker lives
    assert keeper.rescue() == 0
    assert [(queue.waiting, queue.running) for queue in Board(database).queues()] == [(0, 2)]
