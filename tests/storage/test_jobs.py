import json

import pytest

from limner.core.errors import ConflictError, NotFoundError, UsageError
from limner.storage.database import Database
from limner.storage.engine.board import Board, PageStep
from limner.storage.jobs import Failure, Job, Jobs, NewJob, chunked, is_parent, parent_queue
from limner.storage.pages import JobPages, PlannedPage
from limner.storage.workspaces import Workspace


def _done(database: Database, jobs: Jobs, new: NewJob, *, pages: int, fail: tuple[int, ...] = ()) -> Job:
    """A job that has ended."""
    job, board = jobs.add(new), Board(database)
    plan = board.take(parent_queue(new.kind), "p" + job.id[:9], "p" + job.id[:9], kinds=[new.kind])
    board.plan(plan, [PlannedPage(f"{n}.jpg") for n in range(pages)], chunk=pages or 1)
    if pages:
        task = board.take(new.queue, "q" + job.id[:9], "q" + job.id[:9], kinds=[new.kind])
        for n in range(pages):
            failure = Failure("source", "gone") if n in fail else None
            board.step(task, PageStep(n, None if failure else {"n": n}, failure), None)
        board.settle_pages(task)
    board.finish(board.take(parent_queue(new.kind), "f" + job.id[:9], "f" + job.id[:9], kinds=[new.kind]))
    return jobs.get(job.id)


NEW = NewJob(
    kind="annotate", queue="yolo", payload={"source": "m.json", "labels": ["a"]}, model="yolo", source="m.json"
)


def test_a_new_job_waits(database: Database, workspace: Workspace) -> None:
    jobs = Jobs(database, workspace.id)
    job = jobs.add(NEW)
    assert jobs.get(job.id) == job
    assert (job.status, job.final, job.payload["labels"], job.seq) == ("queued", False, ["a"], 1)
    plain = job.plain()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["pages"] == {"total": 0, "done": 0, "failed": 0}
    assert (plain["started_at"], plain["finished_at"], plain["error"]) == (None, None, None)


@pytest.mark.parametrize(
    "new", [{"kind": ""}, {"queue": ""}, {"kind": "k" * 41}, {"queue": "q" * 201}, {"model": "m" * 201}]
)
def test_names_have_their_lengths(database: Database, workspace: Workspace, new: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Jobs(database, workspace.id).add(NewJob(**{"kind": "k", "queue": "q", **new}))


def test_the_list_goes_back_in_time_page_by_page(database: Database, workspace: Workspace) -> None:
    jobs = Jobs(database, workspace.id)
    made = [jobs.add(NewJob(kind="train" if n % 3 == 0 else "annotate", queue="q")).id for n in range(7)]
    first = jobs.list(limit=4)
    second = jobs.list(limit=4, before=first[-1].id)
    assert [job.id for job in [*first, *second]] == made[::-1]
    assert [job.id for job in jobs.list(kind="train")] == [made[6], made[3], made[0]]
    jobs.cancel(made[2])
    assert [job.id for job in jobs.list(status="cancelled")] == [made[2]]


def test_they_are_counted_by_their_state(database: Database, workspace: Workspace, other: Workspace) -> None:
    jobs = Jobs(database, workspace.id)
    Jobs(database, other.id).add(NEW)
    made = [jobs.add(NEW) for _ in range(3)]
    jobs.cancel(made[0].id)
    assert [jobs.count(status) for status in ("queued", "running", "cancelled")] == [2, 0, 1]


def test_a_workspace_has_no_way_to_the_jobs_of_another(
    database: Database, workspace: Workspace, other: Workspace
) -> None:
    mine, theirs = Jobs(database, workspace.id), Jobs(database, other.id)
    job = _done(database, mine, NEW, pages=2, fail=(1,))
    pages = JobPages(database, other.id)
    for act in (
        lambda: theirs.get(job.id),
        lambda: theirs.cancel(job.id),
        lambda: theirs.retry(job.id, chunk=1),
        lambda: theirs.delete(job.id),
        lambda: theirs.events(job.id),
        lambda: theirs.list(before=job.id),
        lambda: pages.list(job.id),
        lambda: pages.result(job.id, 0),
        lambda: list(pages.results(job.id)),
    ):
        with pytest.raises(NotFoundError, match="no job"):
            act()
    assert theirs.list() == []
    assert mine.get(job.id) == job


def test_events_are_read_on_from_any_point(database: Database, workspace: Workspace) -> None:
    jobs = Jobs(database, workspace.id)
    job = _done(database, jobs, NEW, pages=5)
    events = jobs.events(job.id)
    assert len(events) == job.seq
    assert jobs.events(job.id, after=3) == events[3:]
    assert jobs.events(job.id, after=3, limit=2) == events[3:5]
    assert jobs.events(job.id, after=job.seq) == []


def test_retry_takes_back_what_failed_and_forgets_why(database: Database, workspace: Workspace) -> None:
    jobs, pages = Jobs(database, workspace.id), JobPages(database, workspace.id)
    job = _done(database, jobs, NEW, pages=6, fail=(1, 2, 5))
    again = jobs.retry(job.id, chunk=2)
    assert (again.status, again.pages.done, again.pages.failed, again.finished_at) == ("queued", 3, 0, None)
    waiting = pages.list(job.id, status="waiting")
    assert [(page.number, page.attempts, page.error) for page in waiting] == [(1, 0, None), (2, 0, None), (5, 0, None)]
    assert [queue.waiting for queue in Board(database).queues()] == [2]
    with pytest.raises(ConflictError, match="queued"):
        jobs.retry(job.id, chunk=2)


def test_only_a_job_that_has_ended_is_deleted(database: Database, workspace: Workspace) -> None:
    jobs = Jobs(database, workspace.id)
    waiting, ended = jobs.add(NEW), _done(database, jobs, NewJob(kind="other", queue="o"), pages=2)
    with pytest.raises(ConflictError, match="Cancel it first"):
        jobs.delete(waiting.id)
    jobs.delete(ended.id)
    for act in (lambda: jobs.get(ended.id), lambda: jobs.delete(ended.id)):
        with pytest.raises(NotFoundError):
            act()
    jobs.cancel(waiting.id)
    jobs.delete(waiting.id)
    assert jobs.list() == []


def test_chunks() -> None:
    assert [list(part) for part in chunked(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(chunked([], 3)) == []


def test_parents_have_queues_of_their_own() -> None:
    assert is_parent(parent_queue("annotate"))
    assert not is_parent("annotate")
    assert parent_queue("annotate") != parent_queue("train")
