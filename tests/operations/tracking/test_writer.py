"""The thread that sends: in batches, never waited for, never lost without being counted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from limner.operations.tracking.store import MOST_POINTS, Point, RefusedError, TrackingError
from limner.operations.tracking.writer import Counts, Entry, Pace, Run, Writer
from tests.operations.tracking.memory import RUN, Memory, entry, until

#: So short that a test sees several rounds.
QUICK = Pace(interval=0.01, first=0.01, longest=0.02, quiet=3600)
#: So long that all goes out at the end.
SLOW = Pace(interval=3600)


class Breakable:
    """Makes a store fail for as long as it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls = 0

    def __call__(self, method: str) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error


def test_nothing_is_opened_before_there_is_something_to_send() -> None:
    opened = list[str]()

    def open_store() -> Memory:
        opened.append(threading.current_thread().name)
        return Memory()

    idle = Writer("here", open_store, SLOW)
    idle.close()
    assert opened == []
    busy = Writer("here", open_store, SLOW)
    busy.put(entry())
    busy.close()
    assert opened == ["limner-tracking"]


def test_what_waits_is_sent_in_one_batch_when_the_process_ends() -> None:
    store = Memory()
    writer = Writer("here", lambda: store, SLOW)
    for step in range(10):
        writer.put(entry(step))
    assert store.runs == {}
    writer.close()
    assert store.batches == [20]
    (run,) = store.runs.values()
    assert run.name == RUN.name
    assert run.params == {"model": "bright"}
    assert [point.step for point in run.points if point.metric == "seconds"] == [*range(10)]
    assert writer.counts == Counts(sent=10)
    assert store.closed.is_set()


def test_batches_are_no_larger_than_mlflow_takes() -> None:
    store = Memory()
    writer = Writer("here", lambda: store, SLOW)
    for step in range(1200):
        writer.put(entry(step))
    writer.close()
    assert store.batches == [MOST_POINTS, MOST_POINTS, 400]


def test_it_goes_on_by_itself() -> None:
    store = Memory()
    writer = Writer("here", lambda: store, QUICK)
    writer.put(entry(1))
    until(lambda: writer.counts.sent == 1)
    writer.put(entry(2))
    until(lambda: writer.counts.sent == 2)
    writer.close()
    assert len(store.runs) == 1


def test_what_came_while_mlflow_was_down_is_sent_later_in_its_order(caplog: pytest.LogCaptureFixture) -> None:
    down = Breakable()
    down.error = TrackingError("it cannot be reached")
    store = Memory(down)
    writer = Writer("here", lambda: store, QUICK)
    with caplog.at_level(logging.WARNING):
        for step in range(5):
            writer.put(entry(step))
        until(lambda: writer.counts.failures >= 3)
        assert [record.message for record in caplog.records] == [
            "MLflow (here): it cannot be reached. 5 timings wait, 0 are lost."
        ], "one line, however often it fails"
        down.error = None
        until(lambda: writer.counts.sent == 5)
        until(lambda: len(caplog.records) == 2)
    assert caplog.records[1].message == "MLflow (here) works again"
    writer.close()
    assert [point.step for point in store.runs["r0"].points if point.metric == "seconds"] == [*range(5)]
    assert writer.counts.lost == 0


def test_of_too_much_the_newest_is_lost_and_counted() -> None:
    store = Memory()
    writer = Writer("here", lambda: store, Pace(interval=3600, most=3))
    for step in range(10):
        writer.put(entry(step))
    assert writer.counts.lost == 7
    writer.close()
    assert [point.step for point in store.runs["r0"].points if point.metric == "seconds"] == [0, 1, 2]
    assert writer.counts == Counts(sent=3, lost=7)


def test_putting_something_there_does_not_wait_for_a_store_that_hangs() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hang(_: str) -> None:
        asked.set()
        go_on.wait(60)

    store = Memory(hang)
    writer = Writer("here", lambda: store, Pace(interval=0.01, most=100, grace=0.05))
    writer.put(entry())
    assert asked.wait(60)
    for step in range(200):  # each of these would hang if it were not for the thread
        writer.put(entry(step))
    assert writer.counts.lost == 100
    writer.close()  # and so would this
    assert not store.closed.is_set()
    go_on.set()
    assert store.closed.wait(60)


def test_what_mlflow_does_not_take_at_the_end_is_lost_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    down = Breakable()
    down.error = TrackingError("it cannot be reached")
    writer = Writer("here", lambda: Memory(down), SLOW)
    for step in range(4):
        writer.put(entry(step))
    writer.close()
    assert writer.counts == Counts(lost=4, failures=1)
    assert "did not take the last 4 timings" in caplog.text
    writer.put(entry())
    assert writer.counts.lost == 5


@pytest.mark.parametrize("error", [RefusedError("it answered 400: no"), ZeroDivisionError("ours")])
def test_what_is_refused_is_lost_and_does_not_stand_in_the_way_of_the_rest(error: Exception) -> None:
    other = Run("limner-ocr", "key", "name")

    def refuse(_: str) -> None:
        raise error

    picky = Memory()
    log = picky.log

    def only_ocr(run_id: str, points: list[Point]) -> None:
        if picky.runs[run_id].experiment != "id of limner-ocr":
            raise error
        log(run_id, points)

    picky.log = only_ocr  # type: ignore[method-assign]
    writer = Writer("here", lambda: picky, QUICK)
    writer.put(entry())
    writer.put(entry(run=other))
    until(lambda: writer.counts.sent == 1)
    writer.close()
    assert writer.counts == Counts(sent=1, lost=1, failures=1)


def test_a_run_that_somebody_has_deleted_is_made_anew() -> None:
    store = Memory()
    writer = Writer("here", lambda: store, QUICK)
    writer.put(entry(1))
    until(lambda: writer.counts.sent == 1)
    store.runs.clear()
    writer.put(entry(2))
    until(lambda: writer.counts.sent == 2)
    writer.close()
    (run,) = store.runs.values()
    assert {point.step for point in run.points} == {2}


def test_two_processes_write_to_one_run() -> None:
    store = Memory()
    for step in range(2):
        writer = Writer("here", lambda: store, SLOW)
        writer.put(entry(step))
        writer.close()
    (run,) = store.runs.values()
    assert {point.step for point in run.points} == {0, 1}


def test_of_two_runs_made_at_the_same_moment_the_older_one_stays() -> None:
    """Between our looking and our making, another process makes its own."""
    store = Memory()
    create = store.create

    def twice(experiment_id: str, name: str, start: int, tags: dict[str, str]) -> str:
        create(experiment_id, "the other's", start - 1, tags)
        return create(experiment_id, name, start, tags)

    store.create = twice  # type: ignore[method-assign]
    writer = Writer("here", lambda: store, SLOW)
    writer.put(entry())
    writer.close()
    (run,) = store.runs.values()
    assert run.name == "the other's"
    assert len(run.points) == 2


def test_the_end_of_a_run_comes_with_values_that_are_reckoned_by_the_thread() -> None:
    store = Memory()
    reckoned = list[str]()

    def late() -> dict[str, float]:
        reckoned.append(threading.current_thread().name)
        return {"pages_done": 3.0}

    writer = Writer("here", lambda: store, SLOW)
    writer.put(entry(1))
    writer.put(Entry(RUN, {}, 3, 2_000, "FINISHED", late))
    assert reckoned == []
    writer.close()
    assert reckoned == ["limner-tracking"]
    assert store.runs["r0"].status == "FINISHED"
    assert store.runs["r0"].points[-1] == Point("pages_done", 3.0, 3, 2_000)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    until(lambda: not any(thread.name == "limner-tracking" for thread in threading.enumerate()))
