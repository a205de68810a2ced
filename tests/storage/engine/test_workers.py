from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from limner.storage.database import Database
from limner.storage.engine.workers import Worker, Workers


@pytest.fixture
def workers(database: Database) -> Workers:
    return Workers(database)


@pytest.fixture
def register(workers: Workers) -> Callable[..., None]:
    def register(name: str, incarnation: str = "1") -> None:
        workers.register(name, incarnation, host="host", pid=42, kinds=["annotate", "train"])

    return register


def _only(workers: Workers) -> Worker:
    (worker,) = workers.all()
    return worker


def test_a_worker_comes_beats_and_goes(workers: Workers, register: Callable[..., None]) -> None:
    register("a")
    worker = _only(workers)
    assert (worker.state, worker.beat, worker.kinds, worker.pid) == ("alive", 0, ("annotate", "train"), 42)
    assert workers.beat("a", "1")
    assert _only(workers).beat == 1
    assert _only(workers).seen_at >= worker.seen_at
    workers.stop("a", "1")
    assert _only(workers).state == "stopped"
    assert not workers.beat("a", "1")


def test_it_comes_back_under_its_name_as_another(workers: Workers, register: Callable[..., None]) -> None:
    register("a", "1")
    register("a", "2")
    assert _only(workers).incarnation == "2"
    assert not workers.beat("a", "1")
    workers.stop("a", "1")  # what the old one says no longer counts
    assert _only(workers).state == "alive"


def test_only_one_that_has_not_stirred_is_declared_dead(workers: Workers, register: Callable[..., None]) -> None:
    register("a")
    seen = _only(workers)
    workers.beat("a", "1")
    assert not workers.declare_dead(seen)
    seen = _only(workers)
    register("a", "2")
    assert not workers.declare_dead(seen)
    assert workers.declare_dead(_only(workers))
    assert not workers.declare_dead(_only(workers))
    assert _only(workers).state == "dead"
    assert not workers.beat("a", "2")


def test_one_at_a_time_looks_after_the_others(workers: Workers, register: Callable[..., None]) -> None:
    register("a")
    together = Barrier(4)

    def look(_: int) -> bool:
        together.wait()
        with workers.alone() as found:
            return found is not None

    with ThreadPoolExecutor(4) as threads:
        assert any(threads.map(look, range(4)))
    with workers.alone() as found:
        assert [worker.id for worker in found] == ["a"]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_another_that_looks_is_turned_away(workers: Workers) -> None:
    with workers.alone() as first:
        assert first == []
        with workers.alone() as second:
            assert second is None
