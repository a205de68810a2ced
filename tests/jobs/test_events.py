import asyncio
import threading
from pathlib import Path

import pytest

from limner.core.errors import NotFoundError
from limner.jobs.events import Bus, follow
from limner.storage.database import Database
from limner.storage.engine.board import Board
from limner.storage.jobs import JobEvent, Jobs, NewJob, parent_queue

PARENTS = parent_queue("annotate")


@pytest.fixture
def jobs(database: Database, home: str) -> Jobs:
    return Jobs(database, home)


async def _all(jobs: Jobs, bus: Bus, job_id: str, **options: float) -> list[JobEvent]:
    return [event async for event in follow(jobs, bus, job_id, **options)]


def test_only_those_who_follow_a_job_are_woken() -> None:
    bus, woken = Bus(), []
    with bus.woken("a", lambda: woken.append(1)), bus.woken("a", lambda: woken.append(2)):
        bus.publish("a")
        bus.publish("b")
    bus.publish("a")
    assert woken == [1, 2]


async def test_past_events_come_first_and_the_end_ends_it(jobs: Jobs) -> None:
    job = jobs.add(NewJob(kind="annotate", queue="q"))
    jobs.cancel(job.id)
    events = await _all(jobs, Bus(), job.id)
    assert [event.type for event in events] == ["queued", "cancelled"]
    assert [event.seq for event in await _all(jobs, Bus(), job.id, after=1)] == [2]
    assert await _all(jobs, Bus(), job.id, after=2) == []


async def test_new_events_come_as_they_happen(database: Database, jobs: Jobs) -> None:
    bus, board = Bus(), Board(database)
    job = jobs.add(NewJob(kind="annotate", queue="q"))
    task = board.take(PARENTS, "lane", "owner", kinds=["annotate"])
    seen: list[str] = []

    def work() -> None:
        """As a worker of this process: it publishes."""
        for n in range(3):
            board.progress(task, {"epoch": n})
            bus.publish(job.id)
        board.finish(task)
        bus.publish(job.id)

    async for event in follow(jobs, bus, job.id, poll=600):  # it must be woken: it would not look by itself
        seen.append(event.type)
        if event.type == "queued":
            threading.Thread(target=work).start()
    assert seen == ["queued", "progress", "progress", "progress", "finished"]


async def test_what_happens_in_another_process_is_seen_by_looking(
    database: Database, jobs: Jobs, tmp_path: Path
) -> None:
    job = jobs.add(NewJob(kind="annotate", queue="q"))
    following = asyncio.create_task(_all(jobs, Bus(), job.id, poll=0.02))
    await asyncio.sleep(0.1)
    elsewhere = Database(tmp_path / "data" / "limner.db")
    await asyncio.to_thread(Jobs(elsewhere, (await asyncio.to_thread(jobs.get, job.id)).workspace_id).cancel, job.id)
    events = await asyncio.wait_for(following, 60)
    elsewhere.close()
    assert [event.type for event in events] == ["queued", "cancelled"]


async def test_nobody_follows_what_is_not_there(jobs: Jobs) -> None:
    bus = Bus()
    with pytest.raises(NotFoundError):
        await _all(jobs, bus, "nothing")
    bus.publish("nothing")  # the follower is gone


async def test_many_events_come_in_parts_and_none_is_missing(database: Database, jobs: Jobs) -> None:
    board = Board(database)
    job = jobs.add(NewJob(kind="annotate", queue="q"))
    task = board.take(PARENTS, "lane", "owner", kinds=["annotate"])
    for n in range(700):  # more than are read at one time
        board.progress(task, {"n": n})
    board.finish(task)
    events = await _all(jobs, Bus(), job.id)
    assert [event.seq for event in events] == list(range(1, 703))
