"""Workers on several machines share a PostgreSQL; one of them dies."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.storage.engine.workers import Workers
from limner.storage.jobs import NewJob
from tests.integration.job_processes import Farm, farm, until


@pytest.fixture
def shared(postgres_url: str, tmp_path: Path) -> Iterator[Farm]:
    with farm(postgres_url, tmp_path) as made:
        yield made


def _new(pages: int, **script: object) -> NewJob:
    return NewJob(kind="scripted", queue="yolo", payload={"pages": pages, **script})


def test_two_workers_share_a_job_one_is_killed_and_the_other_finishes_it(shared: Farm) -> None:
    quick = {"beat": 0.3, "dead_after": 5.0, "chunk": 10}
    first, second = shared.start("one", **quick), shared.start("two", **quick)
    job = shared.jobs.add(_new(200, seconds=0.02, hold=[0]))
    until(lambda: set(shared.handler.by_process(job.id)) == {first.pid, second.pid})
    shared.handler.release()
    until(lambda: shared.jobs.get(job.id).pages.done >= 60)
    shared.kill(first)
    before = shared.handler.by_process(job.id)
    ended = shared.wait(job.id)
    assert (ended.status, ended.pages.done, ended.pages.failed) == ("succeeded", 200, 0)
    assert sorted(shared.handler.begun(job.id)) == list(range(200))
    assert len(shared.repeated(job.id)) <= 1
    after = shared.handler.by_process(job.id)
    assert after[first.pid] == before[first.pid]
    assert after[second.pid] > before[second.pid]
    # It may have held nothing just then, so that the job has ended before anybody missed it.
    until(lambda: _states(shared) == {first.pid: "dead", second.pid: "alive"})


def _states(shared: Farm) -> dict[int, str]:
    return {worker.pid: worker.state for worker in Workers(shared.database).all()}


def test_a_worker_that_comes_back_takes_up_its_own_work_at_once(shared: Farm) -> None:
    patient = {"beat": 0.3, "dead_after": 600.0, "chunk": 10}  # nobody would be taken for dead
    first = shared.start("one", **patient)
    job = shared.jobs.add(_new(40, seconds=0.02))
    until(lambda: shared.jobs.get(job.id).pages.done >= 5)
    shared.kill(first)
    shared.start("one", **patient)
    assert shared.wait(job.id).pages.done == 40
    assert len(shared.repeated(job.id)) <= 1
    assert len(Workers(shared.database).all()) == 1


def test_one_after_another_holds_for_each_worker_and_a_dead_one_does_not_block(shared: Farm) -> None:
    patient = {"beat": 0.3, "dead_after": 600.0, "chunk": 5}
    first = shared.start("one", **patient)
    held = shared.jobs.add(_new(5, seconds=120))
    until(lambda: shared.handler.begun(held.id)[0] == 1)
    shared.kill(first)
    shared.start("two", **patient)
    # The dead worker still holds its task: a limit over all processes would stop everything here.
    other = shared.jobs.add(_new(10))
    assert shared.wait(other.id).pages.done == 10
    assert shared.jobs.get(held.id).status == "running"


def test_one_that_slept_too_long_has_lost_its_task_and_does_no_harm(shared: Farm) -> None:
    quick = {"beat": 0.3, "dead_after": 5.0, "chunk": 10}
    first = shared.start("one", **quick)
    job = shared.jobs.add(_new(60, seconds=0.05))
    until(lambda: shared.jobs.get(job.id).pages.done >= 5)
    first.send_signal(signal.SIGSTOP)
    second = shared.start("two", **quick)
    until(lambda: shared.handler.by_process(job.id)[second.pid] > 0)
    first.send_signal(signal.SIGCONT)
    ended = shared.wait(job.id)
    assert (ended.status, ended.pages.done, ended.pages.failed) == ("succeeded", 60, 0)
    assert len(shared.repeated(job.id)) <= 1
    # It is back, and works again.
    until(lambda: {worker.state for worker in Workers(shared.database).all()} == {"alive"})
    shared.kill(second)
    after = shared.jobs.add(_new(3))
    assert shared.wait(after.id).status == "succeeded"
    assert set(shared.handler.by_process(after.id)) == {first.pid}
