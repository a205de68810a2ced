import threading
import time
from collections.abc import Callable

import pytest

from limner.core.errors import ConflictError, NotFoundError, UsageError
from limner.jobs.engine import JobEngine
from limner.jobs.lanes import Limits
from limner.storage.database import Database
from limner.storage.jobs import Job, Jobs, NewJob
from limner.storage.pages import JobPages
from limner.storage.workspaces import Workspaces
from tests.jobs.handlers import Scripted

Make = Callable[..., JobEngine]


#: For what depends on how the database locks.
on_both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def _new(pages: int = 3, *, queue: str = "yolo", priority: int = 0, **script: object) -> NewJob:
    return NewJob(kind="scripted", queue=queue, priority=priority, payload={"pages": pages, **script})


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def _outcome(job: Job) -> tuple[str, int, int, int]:
    return job.status, job.pages.total, job.pages.done, job.pages.failed


@on_both
def test_a_job_is_planned_worked_on_and_finished(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine(chunk=4)
    new = NewJob(kind="scripted", queue="yolo", payload={"pages": 10}, model="yolo", source="https://x.example/m.json")
    submitted = engine.submit(home, new)
    assert submitted.status == "queued"
    job = engine.wait(home, submitted.id)
    assert _outcome(job) == ("succeeded", 10, 10, 0)
    assert handler.begun(job.id) == dict.fromkeys(range(10), 1)
    plain = job.plain()
    assert {"id", "kind", "status", "pages", "model", "source", "created_at", "error"} < set(plain)
    assert plain["pages"] == {"total": 10, "done": 10, "failed": 0}
    assert job.created_at <= job.started_at <= job.finished_at
    results = list(JobPages(database, home).results(job.id))
    assert [(page.number, page.attempts, result) for page, result in results] == [
        (number, 1, {"page": number, "name": f"{number}.jpg"}) for number in range(10)
    ]


def test_events_tell_all_that_happened_in_order(make_engine: Make, database: Database, home: str) -> None:
    engine = make_engine()
    job = engine.wait(home, engine.submit(home, _new(2, fail=[1])).id)
    events = Jobs(database, home).events(job.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events] == ["queued", "planned", "started", "page", "page", "finished"]
    assert events[-2].data["pages"] == {"total": 2, "done": 1, "failed": 1}
    assert events[-2].data["error"]["code"] == "source.decode"
    assert events[-1].data["status"] == "partly_failed"


def test_some_pages_fail_and_the_others_are_done(make_engine: Make, database: Database, home: str) -> None:
    engine = make_engine()
    job = engine.wait(home, engine.submit(home, _new(6, fail=[1], crash=[3])).id)
    assert _outcome(job) == ("partly_failed", 6, 4, 2)
    failed = JobPages(database, home).list(job.id, status="failed")
    assert [(page.number, page.error.code) for page in failed] == [(1, "source.decode"), (3, "unexpected")]
    assert failed[1].error.message == "Unexpected ZeroDivisionError: a fault of ours"


@pytest.mark.parametrize(
    ("script", "outcome", "code"),
    [
        ({"pages": 2, "fail": [0, 1]}, ("failed", 2, 0, 2), None),
        ({"pages": 2, "plan": "fail"}, ("failed", 0, 0, 0), "source"),
        ({"pages": 2, "finish": "fail"}, ("failed", 2, 2, 0), "source"),
        ({"pages": 0}, ("succeeded", 0, 0, 0), None),
        ({"pages": 1, "plan": "flaky", "finish": "flaky"}, ("succeeded", 1, 1, 0), None),
    ],
)
def test_how_a_job_may_end(
    make_engine: Make,
    database: Database,
    home: str,
    script: dict[str, object],
    outcome: tuple[object, ...],
    code: str | None,
) -> None:
    engine = make_engine()
    job = engine.wait(home, engine.submit(home, NewJob(kind="scripted", queue="q", payload=script)).id)
    assert _outcome(job) == outcome
    assert (job.error and job.error.code) == code


def test_what_may_go_better_is_tried_again_but_not_for_ever(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine()
    job = engine.wait(home, engine.submit(home, _new(4, flaky={"1": 2, "2": 9})).id)
    assert _outcome(job) == ("partly_failed", 4, 3, 1)
    assert handler.begun(job.id) == {0: 1, 1: 3, 2: 3, 3: 1}
    (page,) = JobPages(database, home).list(job.id, status="failed")
    assert (page.number, page.attempts, page.error.code) == (2, 3, "try-again")


@on_both
def test_a_job_is_cancelled_within_two_seconds_while_a_page_is_worked_on(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine(limits=Limits(total=1))
    job = engine.submit(home, _new(5, seconds=0.01, deaf=[0, 1]))
    _until(lambda: Jobs(database, home).get(job.id).pages.done >= 2)
    long = engine.submit(home, _new(3, seconds=60))
    _until(lambda: handler.now["yolo"] == 1 and Jobs(database, home).get(long.id).status == "running")
    assert engine.cancel(home, long.id).status == "cancelled"
    _until(lambda: handler.now["yolo"] == 0)
    cancelled = Jobs(database, home).get(long.id)
    assert _outcome(cancelled) == ("cancelled", 3, 0, 0)
    assert cancelled.finished_at is not None
    assert [page.status for page in JobPages(database, home).list(long.id)] == ["waiting"] * 3


def test_what_was_done_before_a_cancel_stays_and_a_late_result_is_not_taken(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine()
    job = engine.submit(home, _new(4, hold_deaf=[1]))
    _until(lambda: handler.begun(job.id)[1] == 1 and Jobs(database, home).get(job.id).pages.done == 1)
    engine.cancel(home, job.id)
    handler.release()
    _until(lambda: not engine.overview().queues and not engine._worker._slots.running())
    assert _outcome(Jobs(database, home).get(job.id)) == ("cancelled", 4, 1, 0)
    assert JobPages(database, home).result(job.id, 0) == {"page": 0, "name": "0.jpg"}
    with pytest.raises(NotFoundError, match="has no result"):
        JobPages(database, home).result(job.id, 1)


def test_a_waiting_job_is_cancelled_without_ever_beginning(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine(start=False)
    job = engine.submit(home, _new())
    assert engine.cancel(home, job.id).status == "cancelled"
    assert engine.cancel(home, job.id).status == "cancelled"  # twice is once
    engine.start()
    after = engine.wait(home, engine.submit(home, _new(1)).id)
    assert after.status == "succeeded"
    assert handler.begun(job.id) == {}


@on_both
def test_only_what_failed_is_done_again(make_engine: Make, database: Database, home: str, handler: Scripted) -> None:
    engine = make_engine(chunk=2)
    job = engine.wait(home, engine.submit(home, _new(7, fail=[2, 5])).id)
    assert _outcome(job) == ("partly_failed", 7, 5, 2)
    again = engine.retry(home, job.id)
    assert _outcome(again) == ("queued", 7, 5, 0)
    assert again.finished_at is None
    job = engine.wait(home, job.id)
    assert _outcome(job) == ("partly_failed", 7, 5, 2)
    assert handler.begun(job.id) == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1, 5: 2, 6: 1}
    assert [event.type for event in Jobs(database, home).events(job.id)].count("retried") == 1


@pytest.mark.parametrize("stage", ["plan", "finish"])
def test_a_job_that_failed_as_a_whole_is_tried_again_from_there(
    make_engine: Make, database: Database, home: str, handler: Scripted, stage: str
) -> None:
    engine = make_engine()
    job = engine.wait(home, engine.submit(home, _new(2, **{stage: "fail"})).id)
    assert job.status == "failed"
    engine.retry(home, job.id)
    assert engine.wait(home, job.id).error.message == "The manifest is gone."
    assert handler.log.read_text().count(f"{stage} {job.id}") == 2
    assert set(handler.begun(job.id).values()) <= {1}


def test_a_cancelled_job_goes_on_where_it_was(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine()
    job = engine.submit(home, _new(6, seconds=0.2))
    _until(lambda: Jobs(database, home).get(job.id).pages.done == 2)
    engine.cancel(home, job.id)
    done = Jobs(database, home).get(job.id).pages.done
    engine.retry(home, job.id)
    assert _outcome(engine.wait(home, job.id)) == ("succeeded", 6, 6, 0)
    begun = handler.begun(job.id)
    assert [begun[number] for number in range(done)] == [1] * done


def test_what_cannot_be_done_is_refused(make_engine: Make, database: Database, home: str) -> None:
    engine = make_engine()
    job = engine.wait(home, engine.submit(home, _new(1)).id)
    with pytest.raises(ConflictError, match="nothing to cancel"):
        engine.cancel(home, job.id)
    with pytest.raises(ConflictError, match="nothing to try again"):
        engine.retry(home, job.id)
    with pytest.raises(UsageError):
        engine.submit(home, NewJob(kind="", queue="q"))
    with pytest.raises(ConflictError, match="running already"):
        engine.start()
    with pytest.raises(NotFoundError):
        engine.cancel(Workspaces(database).ensure("Museum").id, job.id)


def test_a_second_engine_in_a_process_is_refused_and_does_no_harm(
    make_engine: Make, database: Database, home: str
) -> None:
    first = make_engine()
    second = make_engine(start=False)
    with pytest.raises(ConflictError, match="in this process already"):
        second.start()
    job = second.submit(home, _new(2))  # one that does not work may still submit
    assert second.wait(home, job.id).status == "succeeded"
    assert first.running
    assert not second.running


@on_both
def test_one_at_a_time_on_a_queue_is_strict_and_jobs_keep_their_order(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine(limits=Limits(total=8), chunk=2)
    busy = engine.submit(home, _new(1, hold=[0]))
    _until(lambda: Jobs(database, home).get(busy.id).status == "running")
    jobs = [engine.submit(home, _new(4, seconds=0.01)) for _ in range(3)]
    _until(lambda: all(Jobs(database, home).get(job.id).pages.total == 4 for job in jobs))  # side by side
    handler.release()
    for job in jobs:
        engine.wait(home, job.id)
    assert handler.most["yolo"] == 1
    starts = [Jobs(database, home).get(job.id).started_at for job in jobs]
    ends = [JobPages(database, home).list(job.id)[-1].finished_at for job in jobs]
    assert starts == sorted(starts)
    assert ends == sorted(ends)


@on_both
def test_as_many_at_a_time_as_allowed(make_engine: Make, database: Database, home: str, handler: Scripted) -> None:
    limits = Limits(total=3, each=lambda queue: 2 if queue == "wide" else 1)
    engine = make_engine(limits=limits, chunk=1)
    wide = engine.submit(home, _new(8, queue="wide", hold=[*range(8)]))
    narrow = engine.submit(home, _new(4, queue="narrow", hold=[*range(4)]))
    _until(lambda: handler.now == {"wide": 2, "narrow": 1, "all": 3})
    other = engine.submit(home, _new(4, queue="other"))
    handler.release()
    for job in (wide, narrow, other):
        assert engine.wait(home, job.id).status == "succeeded"
    assert (handler.most["wide"], handler.most["narrow"], handler.most["other"]) == (2, 1, 1)
    assert handler.most["all"] == 3


def test_queues_take_turns_where_there_is_room_for_one(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine(limits=Limits(total=1), chunk=2, start=False)
    big = engine.submit(home, _new(400, queue="big", seconds=0.02))
    small = engine.submit(home, _new(2, queue="small"))
    engine.start()
    engine.wait(home, small.id)
    done = Jobs(database, home).get(big.id).pages.done
    assert done < 400
    _until(lambda: Jobs(database, home).get(big.id).pages.done > done)
    engine.cancel(home, big.id)


@on_both
def test_a_small_job_of_another_workspace_does_not_wait_for_a_big_one(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine(chunk=5, start=False)
    museum = Workspaces(database).ensure("Museum").id
    big = engine.submit(home, _new(400, seconds=0.02, hold=[0]))
    small = engine.submit(museum, _new(10))
    engine.start()
    _until(lambda: Jobs(database, museum).get(small.id).pages.total == 10)
    handler.release()
    engine.wait(museum, small.id)
    # Two chunks of the small one have taken turns with the big one's, which is far from its end.
    assert Jobs(database, home).get(big.id).pages.done <= 60
    engine.cancel(home, big.id)


def test_the_higher_priority_goes_first_in_a_workspace(make_engine: Make, database: Database, home: str) -> None:
    engine = make_engine(chunk=2)
    busy = engine.submit(home, _new(1, seconds=60))
    _until(lambda: Jobs(database, home).get(busy.id).status == "running")
    jobs = [engine.submit(home, _new(2, priority=priority)) for priority in (0, 5, -1, 9)]
    _until(lambda: all(Jobs(database, home).get(job.id).pages.total == 2 for job in jobs))
    engine.cancel(home, busy.id)
    ends = {engine.wait(home, job.id).started_at: job.priority for job in jobs}
    assert [ends[at] for at in sorted(ends)] == [9, 5, 0, -1]


def test_planning_and_finishing_do_not_wait_for_pages(make_engine: Make, database: Database, home: str) -> None:
    engine = make_engine(limits=Limits(total=1))
    busy = engine.submit(home, _new(2, seconds=60))
    _until(lambda: Jobs(database, home).get(busy.id).status == "running")
    waiting = engine.submit(home, _new(7))
    empty = engine.submit(home, _new(0))
    _until(lambda: Jobs(database, home).get(waiting.id).pages.total == 7)
    assert engine.wait(home, empty.id).status == "succeeded"
    assert Jobs(database, home).get(waiting.id).status == "queued"
    engine.cancel(home, busy.id)
    assert engine.wait(home, waiting.id).status == "succeeded"


def test_only_what_this_worker_serves_is_taken(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine(serves=lambda _kind, queue: queue != "gpu")
    other_kind = engine.submit(home, NewJob(kind="train", queue="yolo", payload={}))
    gpu = engine.submit(home, _new(2, queue="gpu"))
    here = engine.wait(home, engine.submit(home, _new(2)).id)
    assert here.status == "succeeded"
    _until(lambda: Jobs(database, home).get(gpu.id).pages.total == 2)
    time.sleep(0.3)
    assert handler.begun(gpu.id) == {}
    assert Jobs(database, home).get(other_kind.id).status == "queued"
    overview = engine.overview()
    assert {(queue.name, queue.waiting) for queue in overview.queues} == {("gpu", 1), ("parents:train", 1)}
    assert [worker.state for worker in overview.workers] == ["alive"]


@on_both
def test_stopping_finishes_the_page_and_the_rest_goes_on_later(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine()
    job = engine.submit(home, _new(6, hold=[2]))
    _until(lambda: handler.begun(job.id)[2] == 1)
    runner, stopping = engine._worker._runner, threading.Thread(target=engine.stop)
    stopping.start()
    _until(lambda: runner.stopping)
    handler.release()
    stopping.join()
    left = Jobs(database, home).get(job.id)
    assert (left.status, left.pages.done) == ("running", 3)
    assert [worker.state for worker in engine.overview().workers] == ["stopped"]
    engine.start()
    assert _outcome(engine.wait(home, job.id)) == ("succeeded", 6, 6, 0)
    assert handler.begun(job.id) == dict.fromkeys(range(6), 1)


def test_stopping_interrupts_what_takes_too_long(
    make_engine: Make, database: Database, home: str, handler: Scripted
) -> None:
    engine = make_engine()
    job = engine.submit(home, _new(2, seconds=60))
    planning = engine.submit(home, _new(2, queue="other", plan="slow"))
    _until(lambda: handler.now["yolo"] == 1 and planning.id in handler.log.read_text())
    engine.stop(grace=0.1)
    (first, _) = JobPages(database, home).list(job.id)
    assert (first.status, first.attempts) == ("waiting", 1)
    assert Jobs(database, home).get(planning.id).status == "queued"


def test_waiting_has_an_end(make_engine: Make, database: Database, home: str) -> None:
    engine = make_engine(start=False)
    job = engine.submit(home, _new())
    with pytest.raises(TimeoutError, match="still queued"):
        engine.wait(home, job.id, timeout=0.2)
