"""A store in memory that can be made to fail, and entries for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from limner.operations.tracking.store import KEY_TAG, Point, RefusedError
from limner.operations.tracking.writer import Entry, Run


@dataclass
class Kept:
    """A run."""

    experiment: str
    name: str
    start: int
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    #: The files that it keeps: where they were taken from, by name.
    files: dict[str, str] = field(default_factory=dict)
    status: str = "RUNNING"


class Memory:
    """Keeps runs. ``fail`` is called before everything, and may raise; ``batches`` has the sizes of what came."""

    def __init__(self, fail: Callable[[str], None] = lambda _method: None) -> None:
        self.fail = fail
        self.runs: dict[str, Kept] = {}
        self.batches: list[int] = []
        self.closed = threading.Event()

    def experiment(self, name: str) -> str:
        self.fail("experiment")
        return f"id of {name}"

    def find(self, experiment_id: str, key: str) -> Sequence[str]:
        self.fail("find")
        found = [
            (kept.start, run_id)
            for run_id, kept in self.runs.items()
            if kept.experiment == experiment_id and kept.tags[KEY_TAG] == key
        ]
        return [run_id for _, run_id in sorted(found)]

    def create(self, experiment_id: str, name: str, start: int, tags: Mapping[str, str]) -> str:
        self.fail("create")
        run_id = f"r{len(self.runs)}"
        self.runs[run_id] = Kept(experiment_id, name, start, dict(tags))
        return run_id

    def describe(self, run_id: str, params: Mapping[str, str]) -> None:
        self.fail("describe")
        self.runs[run_id].params.update(params)

    def log(self, run_id: str, points: Sequence[Point]) -> None:
        self.fail("log")
        if run_id not in self.runs:
            raise RefusedError(f"there is no run {run_id}")
        self.batches.append(len(points))
        self.runs[run_id].points.extend(points)

    def keep(self, run_id: str, name: str, path: str) -> None:
        self.fail(f"keep {name}")
        self.runs[run_id].files[name] = path

    def end(self, run_id: str, status: str, at: int) -> None:
        self.fail("end")
        self.runs[run_id].status = status

    def delete(self, run_id: str) -> None:
        self.fail("delete")
        del self.runs[run_id]

    def close(self) -> None:
        self.closed.set()


RUN = Run("limner-detect", "2026-11-24/bright@1/abc", "bright@1 2026-11-24", {"model": "bright"})


def entry(step: int = 0, run: Run = RUN, **values: float) -> Entry:
    return Entry(run, values or {"model_seconds": 0.5, "seconds": 0.5}, step, 1_000 + step)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)
