"""A process that works on a job is killed and started again: on SQLite, as `limner serve` runs it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.storage.jobs import NewJob
from limner.storage.pages import JobPages
from tests.integration.job_processes import Farm, farm, until


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Farm]:
    with farm(f"sqlite:///{tmp_path / 'data' / 'limner.db'}", tmp_path) as made:
        yield made


def _new(pages: int, queue: str = "yolo", **script: object) -> NewJob:
    return NewJob(kind="scripted", queue=queue, payload={"pages": pages, **script})


def test_killed_in_the_middle_of_200_pages_none_is_lost_and_one_at_most_repeated(alone: Farm) -> None:
    first = alone.start()
    job = alone.jobs.add(_new(200, seconds=0.005, hold=[120]))
    until(lambda: alone.jobs.get(job.id).pages.done >= 70)
    alone.kill(first)
    at_death = alone.jobs.get(job.id).pages.done
    assert 70 <= at_death <= 120
    alone.handler.release()
    alone.start()
    ended = alone.wait(job.id)
    assert (ended.status, ended.pages.done, ended.pages.failed) == ("succeeded", 200, 0)
    assert sorted(alone.handler.begun(job.id)) == list(range(200))
    repeated = alone.repeated(job.id)
    assert len(repeated) <= 1
    assert set(repeated.values()) <= {2}
    results = list(JobPages(alone.database, alone.home).results(job.id))
    assert [result["page"] for _, result in results] == list(range(200))


def test_killed_again_and_again_it_still_comes_to_its_end(alone: Farm) -> None:
    job = alone.jobs.add(_new(60, seconds=0.02))
    for deaths in range(1, 4):
        process = alone.start(chunk=7)
        until(lambda deaths=deaths: alone.jobs.get(job.id).pages.done >= 12 * deaths)
        alone.kill(process)
    alone.start(chunk=7)
    ended = alone.wait(job.id)
    assert (ended.status, ended.pages.done) == ("succeeded", 60)
    assert len(alone.repeated(job.id)) <= 3


def test_with_several_lanes_each_repeats_one_page_at_most(alone: Farm) -> None:
    first = alone.start(total=3)
    jobs = [alone.jobs.add(_new(40, queue, seconds=0.02)) for queue in ("a", "b", "c")]
    until(lambda: all(alone.jobs.get(job.id).pages.done >= 5 for job in jobs))
    alone.kill(first)
    alone.start(total=3)
    for job in jobs:
        assert alone.wait(job.id).pages.done == 40
        assert len(alone.repeated(job.id)) <= 1


def test_a_page_that_kills_its_process_is_given_up_and_the_rest_is_done(alone: Farm) -> None:
    job = alone.jobs.add(_new(30, die=[11], seconds=0.01))
    deaths = 0
    while not alone.jobs.get(job.id).final:
        process = alone.start(chunk=10)
        until(lambda process=process: process.poll() is not None or alone.jobs.get(job.id).final)
        deaths += process.poll() is not None
        assert deaths <= 3, "the page was not given up"
    ended = alone.jobs.get(job.id)
    assert (deaths, ended.status, ended.pages.done, ended.pages.failed) == (3, "partly_failed", 29, 1)
    (page,) = JobPages(alone.database, alone.home).list(job.id, status="failed")
    assert (page.number, page.attempts, page.error.code) == (11, 3, "gave-up")
    # The others of its chunk were not drawn in.
    assert alone.repeated(job.id) == {11: 3}


@pytest.mark.parametrize("stage", ["plan", "finish"])
def test_a_job_whose_plan_or_end_kills_its_process_is_given_up(alone: Farm, stage: str) -> None:
    job = alone.jobs.add(_new(2, **{stage: "die"}))
    deaths = 0
    while not alone.jobs.get(job.id).final:
        process = alone.start()
        until(lambda process=process: process.poll() is not None or alone.jobs.get(job.id).final)
        deaths += process.poll() is not None
        assert deaths <= 3, "the job was not given up"
    ended = alone.jobs.get(job.id)
    assert (deaths, ended.status, ended.error.code) == (3, "failed", "gave-up")


def test_told_to_stop_it_ends_its_page_and_repeats_none(alone: Farm) -> None:
    first = alone.start()
    job = alone.jobs.add(_new(50, seconds=0.03))
    until(lambda: alone.jobs.get(job.id).pages.done >= 10)
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 0
    alone.start()
    assert alone.wait(job.id).pages.done == 50
    assert alone.repeated(job.id) == {}


def test_cancelled_from_another_process_it_stops_within_two_seconds(alone: Farm) -> None:
    alone.start()
    long = alone.jobs.add(_new(3, seconds=120))
    until(lambda: alone.handler.begun(long.id)[0] == 1)
    after = alone.jobs.add(_new(1))  # can begin only when the long one has left its place
    until(lambda: alone.jobs.get(after.id).pages.total == 1)
    assert alone.jobs.cancel(long.id).status == "cancelled"
    until(lambda: alone.handler.begun(after.id)[0] == 1)
    assert alone.wait(after.id).status == "succeeded"
    assert alone.handler.begun(long.id) == {0: 1}


def test_two_processes_on_one_file_share_a_job(alone: Farm) -> None:
    alone.start(chunk=5)
    alone.start(chunk=5)
    job = alone.jobs.add(_new(60, hold=[0]))
    until(lambda: len(alone.handler.by_process(job.id)) == 2)
    alone.handler.release()
    assert alone.wait(job.id).pages.done == 60
    assert alone.repeated(job.id) == {}
