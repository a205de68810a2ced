"""What the command line shows of a run while it learns, and before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from limner.operations.runs.progress import RunProgress


class RunLine:
    """A line on standard error with loss, best figure, speed and time left; without a terminal, one each epoch."""

    def __init__(self, name: str, *, shown: bool) -> None:
        self._console = Console(stderr=True, quiet=not shown)
        self._bar = Progress(
            TextColumn(name, markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            disable=not (shown and self._console.is_terminal),
        )
        self._task: TaskID | None = None
        self._state = RunProgress()

    def __enter__(self) -> Self:
        self._bar.start()
        self._task = self._bar.add_task("starting", total=1.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def tell(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Some more lines of the run's log."""
        if not lines:
            return
        self._state = self._state.after(lines)
        if self._task is not None:
            self._bar.update(self._task, completed=self._state.progress, description=described(self._state))
        if not self._console.is_terminal and any(line.get("kind") == "validation" for line in lines):
            done = f"{self._state.progress:.0%}"
            self._console.print(f"{done}: {described(self._state)}", markup=False, highlight=False, soft_wrap=True)


def described(state: RunProgress) -> str:
    """``loss 0.412 · best mAP50 0.873 · 41.2 images/s · 3 min left``"""
    left = state.seconds_left
    parts = [
        None if state.loss is None else f"loss {state.loss:.3f}",
        None if state.best_map50 is None else f"best mAP50 {state.best_map50:.3f}",
        None if state.images_per_second is None else f"{state.images_per_second:.1f} images/s",
        None if left is None or state.progress >= 1 else f"{duration(left)} left",
    ]
    return " · ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """``40 s``, ``3 min``, ``2.5 h``"""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def estimate_rows(told: Mapping[str, Any]) -> Iterator[str]:
    """What a run would take, for people."""
    batches = "until its time is over" if told["batches"] is None else f"{told['batches']} batches"
    pages = told["pages"]
    yield f"{told['parameters']:,} parameters on {told['device']}; {batches} of {told['batch_seconds']:.3f} s."
    each = f"{told['page_seconds']:.3f} s each"
    yield f"{pages['train']} pages to learn from, {pages['validation']} to measure on ({each})."
    memory = f"{told['memory'] / 1e9:.1f} GB"
    gpu = "" if told["gpu_memory"] is None else f", {told['gpu_memory'] / 1e9:.1f} GB of the GPU"
    yield f"About {duration(told['seconds'])}, and {memory} of memory{gpu}: measured by a few batches here."
