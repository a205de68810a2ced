"""The runner on a real board, without lanes: how it takes what handlers do."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from limner.core.errors import CancelledError, DecodeError
from limner.jobs.control import Watch
from limner.jobs.events import Bus
from limner.jobs.protocol import Context, Done, Failed, Outcome, TryAgainError
from limner.jobs.runner import Patience, Runner
from limner.storage.database import Database, StorageError
from limner.storage.engine.board import Board
from limner.storage.jobs import Failure, Job, Jobs, NewJob, parent_queue
from limner.storage.pages import JobPage, JobPages, PlannedPage

Run = Callable[[Sequence[JobPage], Context], Iterable[Outcome]]


class Simple:
    """Four pages, worked on by a function."""

    kind = "simple"

    def __init__(self, run: Run) -> None:
        self._run = run
        self.calls: list[list[int]] = []

    def plan(self, job: Job, context: Context) -> Iterable[PlannedPage]:
        return (PlannedPage(str(number)) for number in range(4))

    def run(self, job: Job, pages: Sequence[JobPage], context: Context) -> Iterator[Outcome]:
        self.calls.append([page.number for page in pages])
        return self._run(pages, context)

    def finish(self, job: Job, context: Context) -> None: ...


class Bench:
    """A job of four pages in one chunk."""

    def __init__(self, database: Database, home: str, run: Run, attempts: int = 3) -> None:
        self.board, self.watch = Board(database), Watch()
        self.jobs, self.pages = Jobs(database, home), JobPages(database, home)
        self.handler = Simple(run)
        #: Why the job failed, for each time that its end was told.
        self.told: list[str | None] = []
        self.runner = Runner(
            self.board,
            {"simple": self.handler},
            watch=self.watch,
            bus=Bus(),
            patience=Patience(attempts=attempts, first=0.01),
            chunk=4,
            overall=lambda _: None,
            ending=lambda _, failure: self.told.append(failure and failure.code),
        )
        self.id = self.jobs.add(NewJob(kind="simple", queue="q")).id
        assert self.task(parent_queue("simple"))

    def task(self, queue: str = "q", lane: str = "lane") -> bool:
        return self.runner.next_task(lane, queue, ["simple"])

    def ends(self) -> list[str]:
        """The chunk is worked on; how each page ended."""
        assert self.task()
        return [page.error.code if page.error else page.status for page in self.pages.list(self.id)]


def _done(page: JobPage) -> Done:
    return Done({"n": page.number})


@pytest.fixture
def bench(database: Database, home: str) -> Callable[..., Bench]:
    return lambda run, **options: Bench(database, home, run, **options)


def test_pages_are_handed_over_together_and_kept_one_by_one(bench: Callable[..., Bench]) -> None:
    kept: list[int] = []

    def run(pages: Sequence[JobPage], _: Context) -> Iterator[Outcome]:
        for page in pages:
            kept.append(made.jobs.get(made.id).pages.done)
            yield _done(page)

    made = bench(run)
    assert made.ends() == ["done"] * 4
    assert made.handler.calls == [[0, 1, 2, 3]]
    assert kept == [0, 1, 2, 3]
    assert not made.task()


def test_an_exception_fails_its_page_and_the_rest_comes_in_another_call(bench: Callable[..., Bench]) -> None:
    def run(pages: Sequence[JobPage], _: Context) -> Iterator[Outcome]:
        for page in pages:
            if page.number == 1:
                raise DecodeError
            yield _done(page)

    made = bench(run)
    assert made.ends() == ["done", "source.decode", "done", "done"]
    assert made.handler.calls == [[0, 1, 2, 3], [2, 3]]


def test_a_handler_that_fails_before_it_begins_fails_one_page_a_call(
    bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    def run(pages: Sequence[JobPage], _: Context) -> Iterable[Outcome]:
        raise RuntimeError("no model")

    made = bench(run)
    assert made.ends() == ["unexpected"] * 4
    assert "no model" in caplog.text


def test_a_handler_that_says_too_little(bench: Callable[..., Bench]) -> None:
    assert bench(lambda pages, _: [_done(pages[0])]).ends() == ["done", "unexpected", "done", "unexpected"]


def test_a_handler_that_says_too_much(bench: Callable[..., Bench]) -> None:
    assert bench(lambda pages, _: iter([_done(pages[0])] * 9)).ends() == ["done"] * 4


def test_a_failure_may_be_told_or_raised_and_tried_again(bench: Callable[..., Bench]) -> None:
    def run(pages: Sequence[JobPage], _: Context) -> Iterator[Outcome]:
        for page in pages:
            if page.number == 1 and page.attempts == 0:
                yield Failed(Failure("busy", "later"), again=True)
            elif page.number == 2 and page.attempts < 2:
                raise TryAgainError
            elif page.number == 3:
                yield Failed(Failure("busy", "later"), again=True)
            else:
                yield _done(page)

    made = bench(run)
    assert made.ends() == ["done", "done", "done", "busy"]
    assert [page.attempts for page in made.pages.list(made.id)] == [1, 2, 3, 3]
    assert made.handler.calls[0] == [0, 1, 2, 3]
    assert [call for call in made.handler.calls[2:] if len(call) > 1] == []


def test_after_an_interruption_pages_come_one_at_a_time_and_the_worn_out_not_at_all(
    bench: Callable[..., Bench],
) -> None:
    made = bench(lambda pages, _: map(_done, pages), attempts=2)
    for n in range(2):  # two executions that ended with their process, at page 1
        task = made.board.take("q", "lane", f"dead {n}", kinds=["simple"])
        made.board.step(task, None, 1)
    assert made.ends() == ["done", "gave-up", "done", "done"]
    assert made.handler.calls == [[0], [2], [3]]


def test_told_to_stop_between_pages_it_keeps_what_is_done_and_puts_the_rest_back(
    bench: Callable[..., Bench],
) -> None:
    closed: list[bool] = []

    def run(pages: Sequence[JobPage], _: Context) -> Iterator[Outcome]:
        try:
            for page in pages:
                made.runner.stopping = page.number == 1
                yield _done(page)
        finally:
            closed.append(True)

    made = bench(run)
    assert made.ends() == ["done", "done", "waiting", "waiting"]
    assert closed == [True]
    assert not made.task()  # nothing is begun while stopping
    made.runner.stopping = False
    assert made.task(lane="another")
    assert made.handler.calls == [[0, 1, 2, 3], [2, 3]]


@pytest.mark.parametrize("stop", [CancelledError(), OSError("the process I watched is gone")])
def test_whatever_is_raised_when_told_to_stop_is_no_failure(bench: Callable[..., Bench], stop: Exception) -> None:
    def run(pages: Sequence[JobPage], context: Context) -> Iterator[Outcome]:
        yield _done(pages[0])
        made.watch.cancel(made.watch.owners())
        assert context.cancelled()
        raise stop

    made = bench(run)
    assert made.ends() == ["done", "waiting", "waiting", "waiting"]
    assert made.board.queues()[0].waiting == 1


def test_cancelled_by_itself_is_a_failure(bench: Callable[..., Bench]) -> None:
    def run(pages: Sequence[JobPage], _: Context) -> Iterator[Outcome]:
        raise CancelledError

    assert bench(run).ends() == ["cancelled"] * 4


def test_what_is_done_after_a_cancel_is_not_kept(bench: Callable[..., Bench]) -> None:
    def run(pages: Sequence[JobPage], _: Context) -> Iterator[Outcome]:
        yield _done(pages[0])
        made.jobs.cancel(made.id)
        yield _done(pages[1])
        pytest.fail("it went on")

    made = bench(run)
    assert made.ends() == ["done", "waiting", "waiting", "waiting"]
    assert made.jobs.get(made.id).status == "cancelled"


def test_the_end_is_told_before_it_is_written_down(bench: Callable[..., Bench]) -> None:
    made = bench(lambda pages, _: map(_done, pages))
    made.ends()
    assert made.told == []
    assert made.task(parent_queue("simple"))
    assert (made.told, made.jobs.get(made.id).status) == ([None], "succeeded")


def test_a_job_that_fails_at_its_end_is_told_as_failed(bench: Callable[..., Bench]) -> None:
    def finish(*_: object) -> None:
        raise DecodeError

    made = bench(lambda pages, _: map(_done, pages))
    made.handler.finish = finish
    made.ends()
    assert made.task(parent_queue("simple"))
    assert (made.told, made.jobs.get(made.id).status) == (["source.decode"], "failed")


def test_a_store_that_is_away_for_a_while_fails_nothing(bench: Callable[..., Bench]) -> None:
    asked = {"finish": 0}

    def finish(*_: object) -> None:
        asked["finish"] += 1
        if asked["finish"] < 3:
            raise StorageError

    def run(pages: Sequence[JobPage], _: Context) -> Iterator[Outcome]:
        for page in pages:
            if not page.attempts:
                raise StorageError
            yield _done(page)

    made = bench(run)
    made.handler.finish = finish
    assert made.ends() == ["done"] * 4
    assert made.task(parent_queue("simple"))
    assert (made.told, made.jobs.get(made.id).status, asked) == ([None], "succeeded", {"finish": 3})


def test_progress_is_told(bench: Callable[..., Bench]) -> None:
    def run(pages: Sequence[JobPage], context: Context) -> Iterator[Outcome]:
        for page in pages:
            context.progress({"epoch": page.number})
            yield _done(page)

    made = bench(run)
    made.ends()
    told = [event.data["epoch"] for event in made.jobs.events(made.id) if event.type == "progress"]
    assert told == [0, 1, 2, 3]


def test_a_handler_that_fails_when_it_cleans_up_has_done_its_work(bench: Callable[..., Bench]) -> None:
    class Untidy:
        def __init__(self, pages: Sequence[JobPage]) -> None:
            self._outcomes = map(_done, pages)

        def __iter__(self) -> "Untidy":
            return self

        def __next__(self) -> Outcome:
            return next(self._outcomes)

        def close(self) -> None:
            raise RuntimeError("untidy")

    assert bench(lambda pages, _: Untidy(pages)).ends() == ["done"] * 4


def test_patience_grows_up_to_a_point() -> None:
    patience = Patience(first=2, longest=10)
    assert [patience.delay(made) for made in (1, 2, 3, 4, 50)] == [2, 4, 8, 10, 10]


def test_some_kinds_have_more_patience() -> None:
    patience = Patience(attempts=3, attempts_of={"train": 30})
    assert (patience.most("train"), patience.most("annotate")) == (30, 3)
