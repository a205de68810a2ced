import pytest

from limner.core.errors import NotFoundError
from limner.storage.database import Database
from limner.storage.engine.board import Board, PageStep, Task
from limner.storage.jobs import Failure, Jobs, NewJob, parent_queue
from limner.storage.pages import JobPages, PlannedPage
from limner.storage.workspaces import Workspace

ANNOTATIONS = [{"id": f"p-{n}", "label": "figure", "box": [n, n, 20.5, 30.25], "score": 0.9} for n in range(50)]


@pytest.fixture
def task(database: Database, workspace: Workspace) -> Task:
    """A chunk of five pages."""
    return _task(database, workspace, 5)


def _task(database: Database, workspace: Workspace, pages: int) -> Task:
    board = Board(database)
    Jobs(database, workspace.id).add(NewJob(kind="annotate", queue="yolo"))
    plan = board.take(parent_queue("annotate"), "p", "p", kinds=["annotate"])
    board.plan(plan, [PlannedPage(f"f. {n}", {"n": n}) for n in range(pages)], chunk=pages)
    return board.take("yolo", "lane", "owner", kinds=["annotate"])


def test_a_page_goes_through_its_steps(database: Database, workspace: Workspace, task: Task) -> None:
    board, pages = Board(database), JobPages(database, workspace.id)
    board.step(task, None, 0)
    (first, second, *_) = pages.list(task.job.id)
    assert (first.status, first.attempts, first.name, first.payload) == ("running", 1, "f. 0", {"n": 0})
    assert (second.status, second.attempts, second.started_at) == ("waiting", 0, None)
    board.step(task, PageStep(0, {"annotations": ANNOTATIONS}), 1)
    (first, second, *_) = pages.list(task.job.id)
    assert (first.status, first.error, second.status) == ("done", None, "running")
    assert first.started_at <= first.finished_at
    assert pages.result(task.job.id, 0) == {"annotations": ANNOTATIONS}
    assert first.plain()["status"] == "done"


def test_a_page_fails_for_a_while_or_for_good(database: Database, workspace: Workspace, task: Task) -> None:
    board, pages, jobs = Board(database), JobPages(database, workspace.id), Jobs(database, workspace.id)
    failure = Failure("source.fetch", "The host is busy.")
    board.step(task, None, 0)
    board.step(task, PageStep(0, failure=failure, again=True), 1)
    board.step(task, PageStep(1, failure=failure), None)
    (first, second, *_) = pages.list(task.job.id)
    assert (first.status, first.error) == ("waiting", failure)
    assert (second.status, second.error) == ("failed", failure)
    assert jobs.get(task.job.id).pages.failed == 1
    board.step(task, None, 0)
    board.step(task, PageStep(0, {}), None)
    assert [(page.status, page.error) for page in pages.list(task.job.id, limit=1)] == [("done", None)]
    assert [page.number for page in pages.list(task.job.id, status="waiting")] == [2, 3, 4]


def test_pages_are_listed_in_parts(database: Database, workspace: Workspace, task: Task) -> None:
    pages = JobPages(database, workspace.id)
    first = pages.list(task.job.id, limit=3)
    rest = pages.list(task.job.id, after=first[-1].number, limit=3)
    assert [page.number for page in [*first, *rest]] == [0, 1, 2, 3, 4]


def test_results_come_with_every_page_done_or_not(database: Database, workspace: Workspace) -> None:
    task, board = _task(database, workspace, 450), Board(database)  # more than are read at one time
    for n in (0, 199, 200, 449):
        board.step(task, PageStep(n, {"n": n}), None)
    results = list(JobPages(database, workspace.id).results(task.job.id))
    assert [page.number for page, _ in results] == list(range(450))
    assert {page.number: result["n"] for page, result in results if result} == {0: 0, 199: 199, 200: 200, 449: 449}


def test_a_page_without_a_result_says_so(database: Database, workspace: Workspace, task: Task) -> None:
    with pytest.raises(NotFoundError, match="Page 3"):
        JobPages(database, workspace.id).result(task.job.id, 3)


def test_a_long_job_keeps_and_gives_all_its_results(database: Database, workspace: Workspace) -> None:
    task, board = _task(database, workspace, 2000), Board(database)
    for n in range(0, 2000, 40):
        board.step(task, PageStep(n, {"annotations": ANNOTATIONS}), None)
    results = list(JobPages(database, workspace.id).results(task.job.id))
    assert len(results) == 2000
    assert sum(len(result["annotations"]) for _, result in results if result) == 50 * 50


def test_results_are_forgotten_and_the_pages_stay_done(database: Database, workspace: Workspace, task: Task) -> None:
    board, pages = Board(database), JobPages(database, workspace.id)
    for number in range(3):
        board.step(task, None, number)
        board.step(task, PageStep(number, {"annotations": []}), None)
    pages.forget_results(task.job.id, 1, 2)
    assert [result is None for _, result in pages.results(task.job.id)] == [False, True, True, True, True]
    assert [page.number for page in pages.list(task.job.id, status="done")] == [0, 1, 2]
    with pytest.raises(NotFoundError):
        JobPages(database, "elsewhere").forget_results(task.job.id, 0, 1)
