import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limner.storage.database import Database
from limner.storage.engine.board import Board, LostClaimError, PageStep, Task
from limner.storage.jobs import Failure, Job, Jobs, NewJob, drop_open_tasks, parent_queue, record
from limner.storage.pages import JobPages, PlannedPage
from limner.storage.workspaces import Workspace, Workspaces


@pytest.fixture
def board(database: Database) -> Board:
    return Board(database)


def _pages(count: int) -> list[PlannedPage]:
    return [PlannedPage(f"{number}.jpg") for number in range(count)]


def _planned(
    database: Database, workspace: Workspace, pages: int, *, chunk: int = 2, priority: int = 0, queue: str = "yolo"
) -> Job:
    """A job whose chunks wait."""
    job = Jobs(database, workspace.id).add(NewJob(kind="annotate", queue=queue, priority=priority))
    task = _take(Board(database), parent_queue("annotate"), f"plan-{job.id}")
    Board(database).plan(task, _pages(pages), chunk=chunk)
    return Jobs(database, workspace.id).get(job.id)


def _take(board: Board, queue: str, lane: str, owner: str = "", **options: object) -> Task:
    task = board.take(queue, lane, owner or f"of {lane}"[:40], kinds=["annotate"], **options)
    assert task is not None
    return task


def _do(board: Board, task: Task) -> None:
    """Work through the pages of a task."""
    for page in board.left(task):
        board.step(task, None, page.number)
        board.step(task, PageStep(page.number, result={"n": page.number}), None)


def test_how_long_the_oldest_job_has_waited(
    database: Database, workspace: Workspace, other: Workspace, board: Board
) -> None:
    assert board.waiting_since() is None
    first, second = _planned(database, other, 1), _planned(database, workspace, 1)
    assert board.waiting_since() == first.created_at
    _take(board, "yolo", "a")
    assert board.waiting_since() == second.created_at
    _take(board, "yolo", "b")
    assert board.waiting_since() is None


def test_from_the_plan_to_the_end(database: Database, workspace: Workspace, board: Board) -> None:
    jobs = Jobs(database, workspace.id)
    job = _planned(database, workspace, 3)
    assert (job.status, job.pages.total, job.started_at) == ("queued", 3, None)
    first = _take(board, "yolo", "a")
    assert (first.stage, first.attempts, first.job.status) == ("pages", 1, "running")
    assert [page.number for page in board.left(first)] == [0, 1]
    _do(board, first)
    assert board.left(first) == []
    assert board.settle_pages(first) is False
    second = _take(board, "yolo", "a")
    board.step(second, None, 2)
    board.step(second, PageStep(2, failure=Failure("source", "gone")), None)
    assert board.settle_pages(second) is True
    assert board.take("yolo", "a", "x", kinds=["annotate"]) is None
    end = _take(board, parent_queue("annotate"), "b")
    assert end.stage == "finish"
    board.finish(end)
    job = jobs.get(job.id)
    assert (job.status, job.pages.done, job.pages.failed) == ("partly_failed", 2, 1)
    assert board.queues() == []


def test_queues_show_what_waits_and_what_runs(database: Database, workspace: Workspace, board: Board) -> None:
    _planned(database, workspace, 6)
    Jobs(database, workspace.id).add(NewJob(kind="train", queue="gpu"))
    _take(board, "yolo", "a")
    found = [(queue.name, queue.kind, queue.waiting, queue.running) for queue in board.queues()]
    assert found == [("parents:train", "train", 1, 0), ("yolo", "annotate", 2, 1)]


def test_turns_go_round_the_workspaces(
    database: Database, workspace: Workspace, other: Workspace, board: Board
) -> None:
    big, big_too = (_planned(database, workspace, 20) for _ in range(2))
    small = _planned(database, other, 4)
    order = [_take(board, "yolo", f"lane {n}").job.id for n in range(6)]
    assert order == [big.id, small.id, big.id, small.id, big.id, big.id]
    late = _planned(database, Workspaces(database).create("Archive"), 4)
    assert _take(board, "yolo", "next").job.id == late.id
    assert big_too.id not in order


@pytest.mark.parametrize("priorities", [(0, 0, 0), (0, 3, -1)])
def test_within_a_workspace_priority_comes_before_age(
    database: Database, workspace: Workspace, board: Board, priorities: tuple[int, ...]
) -> None:
    jobs = [_planned(database, workspace, 2, priority=priority) for priority in priorities]
    order = [_take(board, "yolo", f"lane {n}").job.id for n in range(3)]
    wanted = sorted(range(3), key=lambda n: (-priorities[n], n))
    assert order == [jobs[n].id for n in wanted]


def test_no_more_than_allowed_overall(database: Database, workspace: Workspace, board: Board) -> None:
    _planned(database, workspace, 8)
    _take(board, "yolo", "a", overall=2)
    held = _take(board, "yolo", "b", overall=2)
    assert board.take("yolo", "c", "c", kinds=["annotate"], overall=2) is None
    _do(board, held)
    board.settle_pages(held)
    _take(board, "yolo", "c", overall=2)


def test_only_tasks_of_the_kinds_asked_for(database: Database, workspace: Workspace, board: Board) -> None:
    _planned(database, workspace, 2)
    assert board.take("yolo", "a", "a", kinds=["train"]) is None
    assert board.take("yolo", "a", "a", kinds=[]) is None
    assert board.take("nothing", "a", "a", kinds=["annotate"]) is None


def test_a_lane_that_comes_again_goes_on_with_its_task_and_the_earlier_one_has_lost_it(
    database: Database, workspace: Workspace, board: Board
) -> None:
    _planned(database, workspace, 4)
    before = _take(board, "yolo", "lane", "first")
    board.step(before, None, 0)
    board.step(before, PageStep(0, result={}), 1)
    again = _take(board, "yolo", "lane", "second")
    assert (again.number, again.attempts) == (before.number, 2)
    assert [(page.number, page.attempts) for page in board.left(again)] == [(1, 1)]
    assert board.lost(["first", "second"]) == {"first"}
    for late in (
        lambda: board.step(before, PageStep(1, result={"late": True}), None),
        lambda: board.settle_pages(before),
        lambda: board.progress(before, {}),
        lambda: board.finish(before),
        lambda: board.plan(before, [], chunk=1),
    ):
        with pytest.raises(LostClaimError):
            late()
    board.step(again, PageStep(1, result={"n": 1}), None)
    assert JobPages(database, workspace.id).result(again.job.id, 1) == {"n": 1}


def test_what_is_given_back_can_be_taken_by_anybody(database: Database, workspace: Workspace, board: Board) -> None:
    job = _planned(database, workspace, 2)
    task = _take(board, "yolo", "dead")
    board.step(task, None, 0)
    assert board.lanes() == ["dead"]
    assert board.give_back("dead") is True
    assert board.give_back("dead") is False
    assert board.lanes() == []
    assert [page.status for page in JobPages(database, workspace.id).list(job.id)] == ["waiting", "waiting"]
    with pytest.raises(LostClaimError):
        board.step(task, None, 0)
    assert [page.attempts for page in board.left(_take(board, "yolo", "alive"))] == [1, 0]


def test_a_cancel_takes_the_right_to_write(database: Database, workspace: Workspace, board: Board) -> None:
    job = _planned(database, workspace, 4)
    task = _take(board, "yolo", "a")
    board.step(task, None, 0)
    Jobs(database, workspace.id).cancel(job.id)
    assert board.lost([task.owner]) == {task.owner}
    with pytest.raises(LostClaimError):
        board.step(task, PageStep(0, result={}), 1)
    assert board.take("yolo", "b", "b", kinds=["annotate"]) is None
    assert Jobs(database, workspace.id).get(job.id).pages.done == 0


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_write_that_waited_for_a_cancel_to_be_committed_is_refused(
    database: Database, workspace: Workspace, board: Board
) -> None:
    job = _planned(database, workspace, 2)
    task = _take(board, "yolo", "a")
    refused: list[bool] = []

    def write() -> None:
        try:
            board.step(task, None, 0)
            refused.append(False)
        except LostClaimError:
            refused.append(True)

    with database.write() as c:
        record(c, job.id, "cancelled", changes={"status": "cancelled"})
        drop_open_tasks(c, job.id)
        thread = threading.Thread(target=write)
        thread.start()
        _until(lambda: _blocked(database))
    thread.join(10)
    assert refused == [True]


def _blocked(database: Database) -> bool:
    with database.read() as c:
        return bool(c.execute(sa.text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).first())


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_many_at_once_never_take_the_same_task(database: Database, workspace: Workspace, board: Board) -> None:
    _planned(database, workspace, 40, chunk=2)

    def lane(name: int) -> list[int]:
        taken = []
        while (task := board.take("yolo", f"lane {name}", f"{name} {len(taken)}", kinds=["annotate"])) is not None:
            taken.append(task.number)
            _do(board, task)
            board.settle_pages(task)
        return taken

    with ThreadPoolExecutor(4) as threads:
        taken = [number for numbers in threads.map(lane, range(4)) for number in numbers]
    assert len(taken) == len(set(taken)) == 20
    end = _take(board, parent_queue("annotate"), "end")
    assert (end.stage, end.job.pages.done) == ("finish", 40)
    assert board.take(parent_queue("annotate"), "other", "other", kinds=["annotate"]) is None


def test_events_of_lanes_side_by_side_have_no_gaps(database: Database, workspace: Workspace, board: Board) -> None:
    job = _planned(database, workspace, 24, chunk=6)
    tasks = [_take(board, "yolo", f"lane {n}") for n in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda task: _do(board, task), tasks))
    events = Jobs(database, workspace.id).events(job.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    counts = [event.data["pages"]["done"] for event in events if event.type == "page"]
    assert counts == list(range(1, 25))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_whatever_happens_no_page_is_lost_and_none_is_done_twice(database: Database, data: st.DataObject) -> None:
    """Lanes begin, end, crash and are resumed in any order; in the end every page is done once."""
    board, workspace = Board(database), Workspaces(database).ensure("any")
    pages = data.draw(st.integers(1, 7), "pages")
    job = _planned(database, workspace, pages, chunk=data.draw(st.integers(1, 4), "chunk"), queue=f"q{time.time_ns()}")
    held: dict[str, Task] = {}
    for turn in range(data.draw(st.integers(0, 25), "turns")):
        lane = data.draw(st.sampled_from(["a", "b", "c"])) + job.id[:8]
        match data.draw(st.sampled_from(["take", "page", "settle", "crash", "give back"])):
            case "take" | "crash":  # a lane that crashed comes again under the same name
                task = board.take(job.queue, lane, f"{job.id[:8]} {turn}", kinds=["annotate"])
                if task is not None:
                    held[lane] = task
            case "page" if lane in held:
                _tried(lambda lane=lane: _one_page(board, held[lane]))
            case "settle" if lane in held and not board.left(held[lane]):
                _tried(lambda lane=lane: board.settle_pages(held.pop(lane)))
            case "give back":
                board.give_back(lane)
    for lane in [f"{name}{job.id[:8]}" for name in "abc"]:
        board.give_back(lane)
    while (
        task := board.take(job.queue, f"last{job.id[:8]}", f"last {time.time_ns()}", kinds=["annotate"])
    ) is not None:
        _do(board, task)
        board.settle_pages(task)
    board.finish(_take(board, parent_queue("annotate"), f"end{job.id[:8]}"))
    ended = Jobs(database, workspace.id).get(job.id)
    assert (ended.status, ended.pages.done, ended.pages.failed) == ("succeeded", pages, 0)
    assert [result["n"] for _, result in JobPages(database, workspace.id).results(job.id)] == list(range(pages))


def _one_page(board: Board, task: Task) -> None:
    for page in board.left(task)[:1]:
        board.step(task, None, page.number)
        board.step(task, PageStep(page.number, result={"n": page.number}), None)


def _tried(act: Callable[[], object]) -> None:
    with suppress(LostClaimError):
        act()
