import pytest

from limner.jobs.control import Watch
from limner.jobs.lanes import Dispatcher, Limits, Slots
from limner.storage.database import Database
from limner.storage.engine.board import Board
from limner.storage.jobs import Jobs, NewJob, parent_queue
from limner.storage.pages import PlannedPage

PARENTS = parent_queue("annotate")


def test_room_is_limited_on_each_queue_and_in_all() -> None:
    slots = Slots(Limits(total=3, each=lambda queue: 2 if queue == "wide" else 1))
    assert slots.room("wide") == 2
    assert [slots.take(lane, "wide") for lane in "abc"] == [True, True, False]
    assert slots.room("narrow") == 1
    assert slots.take("d", "narrow")
    assert not slots.take("e", "other")  # three are running
    assert (slots.running(), slots.running("wide"), slots.running("other")) == (3, 2, 0)
    slots.free("a")
    assert slots.take("e", "other")
    slots.free("nobody")


def test_a_lane_that_has_its_place_keeps_it() -> None:
    slots = Slots(Limits(total=1))
    assert slots.take("a", "q")
    assert slots.take("a", "q")
    assert slots.running() == 1
    assert not slots.take("b", "q")


def test_parents_and_pages_have_places_apart() -> None:
    slots = Slots(Limits(total=1, parents=2))
    assert slots.take("page", "yolo")
    assert [slots.take(lane, PARENTS) for lane in "abc"] == [True, True, False]
    slots.free("page")
    assert slots.room("yolo") == 1


def test_a_queue_apart_takes_no_place_of_the_others() -> None:
    slots = Slots(Limits(total=1, each=lambda queue: 2 if queue == "train" else 1, apart=frozenset({"train"})))
    assert [slots.take(lane, "train") for lane in "abc"] == [True, True, False]
    assert slots.take("d", "yolo")
    assert not slots.take("e", "other")
    slots.free("a")
    assert slots.room("train") == 1


def test_lanes_make_way_when_a_queue_is_kept_out_but_parents_never() -> None:
    slots = Slots(Limits())
    assert not slots.yields("yolo")
    slots.crowd(True)
    assert slots.yields("yolo")
    assert not slots.yields(PARENTS)


class _Started:
    """A dispatcher over a real board, that only notes the lanes that it starts."""

    def __init__(self, database: Database, limits: Limits, served: set[str] | None = None) -> None:
        self.lanes: list[tuple[str, str]] = []
        self.slots, self.watch, self.board = Slots(limits), Watch(), Board(database)
        self.dispatcher = Dispatcher(
            self.board,
            self.slots,
            self.watch,
            limits,
            serves=lambda _kind, queue: served is None or queue in served,
            start=lambda lane, queue: self.lanes.append((lane, queue)),
        )

    def tick(self) -> list[str]:
        """The queues that lanes were started on."""
        before = len(self.lanes)
        self.dispatcher.tick()
        return sorted(queue for _, queue in self.lanes[before:])


def _planned(database: Database, home: str, queue: str, pages: int) -> str:
    job = Jobs(database, home).add(NewJob(kind="annotate", queue=queue))
    board = Board(database)
    plan = board.take(PARENTS, f"p{queue}"[:40], f"p{queue}"[:40], kinds=["annotate"])
    board.plan(plan, [PlannedPage(str(n)) for n in range(pages)], chunk=1)
    return job.id


def test_as_many_lanes_as_there_are_tasks_and_places(database: Database, home: str) -> None:
    started = _Started(database, Limits(total=5, each=lambda _: 3))
    assert started.tick() == []
    _planned(database, home, "few", 2)
    _planned(database, home, "many", 9)
    assert started.tick() == ["few", "few", "many", "many", "many"]
    assert started.tick() == []
    started.slots.free(started.lanes[-1][0])
    assert len(started.tick()) == 1


def test_what_is_not_served_is_left_to_others(database: Database, home: str) -> None:
    started = _Started(database, Limits(total=5), served={"cpu"})
    for queue in ("cpu", "gpu"):
        _planned(database, home, queue, 1)
    assert started.tick() == ["cpu"]


def test_the_overall_limit_counts_what_runs_anywhere(database: Database, home: str) -> None:
    started = _Started(database, Limits(total=9, each=lambda _: 9, overall=lambda _: 2))
    _planned(database, home, "train", 5)
    started.board.take("train", "elsewhere", "elsewhere", kinds=["annotate"])
    assert started.tick() == ["train"]
    started.board.take("train", started.lanes[0][0], "here", kinds=["annotate"])
    assert started.tick() == []


def test_the_queue_served_longest_ago_is_next(database: Database, home: str) -> None:
    started = _Started(database, Limits(total=1))
    for queue in ("a", "b", "c"):
        _planned(database, home, queue, 5)
    order = []
    for _ in range(6):
        order += started.tick()
        assert started.slots.yields("a")  # the others wait only for a place
        started.slots.free(started.lanes[-1][0])
    assert sorted(order[:3]) == sorted(order[3:]) == ["a", "b", "c"]


def test_what_has_lost_its_task_is_stopped(database: Database, home: str) -> None:
    started = _Started(database, Limits())
    job = _planned(database, home, "q", 2)
    started.board.take("q", "lane", "mine", kinds=["annotate"])
    with started.watch.token("mine") as token:
        started.tick()
        assert not token.cancelled()
        Jobs(database, home).cancel(job)
        started.tick()
        assert token.cancelled()


def test_while_stopping_nothing_is_begun(database: Database, home: str) -> None:
    started = _Started(database, Limits())
    _planned(database, home, "q", 2)
    started.dispatcher.stopping = True
    assert started.tick() == []


def test_a_lane_that_cannot_be_started_leaves_its_place(database: Database, home: str) -> None:
    limits = Limits()
    slots = Slots(limits)

    def broken(_lane: str, _queue: str) -> None:
        raise ConnectionError

    _planned(database, home, "q", 2)
    dispatcher = Dispatcher(Board(database), slots, Watch(), limits, serves=lambda *_: True, start=broken)
    with pytest.raises(ConnectionError):
        dispatcher.tick()
    assert slots.running() == 0
