"""How far a run is, read from its folder; and its log of figures, followed while it grows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.core.errors import NotFoundError, UsageError
from limner.training.config import RunConfig, read_config
from limner.training.fitting.folder import RunFolder

_SAMPLE = re.compile(r"epoch-(\d{4,9})\.jpg")
#: Kinds of lines that follow each other after one batch.
_ORDER = ("loss", "validation")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """What a run's log says in short."""

    batch: int = 0
    #: 0 to 1.
    progress: float = 0.0
    #: Seconds of learning so far.
    seconds: float = 0.0
    loss: float | None = None
    images_per_second: float | None = None
    #: Best mean average precision at IoU 0.5 on the validation pages so far.
    best_map50: float | None = None

    def after(self, lines: Sequence[Mapping[str, Any]]) -> RunProgress:
        """The same after some more lines of the log."""
        if not lines:
            return self
        losses = [line for line in lines if line.get("kind") == "loss"]
        figures = [line["ap50"] for line in lines if line.get("kind") == "validation"]
        known = [each for each in (self.best_map50, *figures) if each is not None]
        return RunProgress(
            batch=int(lines[-1]["batch"]),
            progress=float(lines[-1]["progress"]),
            seconds=float(lines[-1]["seconds"]),
            loss=losses[-1]["loss"] if losses else self.loss,
            images_per_second=losses[-1]["images_per_second"] if losses else self.images_per_second,
            best_map50=max(known, default=None),
        )

    @property
    def seconds_left(self) -> float | None:
        """Seconds of learning that are left at this speed; None while that cannot be said."""
        if not 0 < self.progress <= 1:
            return None
        return self.seconds * (1 - self.progress) / self.progress


class Log:
    """A run's figures as they come: each line once, although a run that is taken up again says some again."""

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self._path = path
        self._place = (0, 0)
        self._told: tuple[int, int] | None = None
        if from_end:
            self.read()

    def read(self) -> list[dict[str, Any]]:
        """The lines that have come since."""
        try:
            with self._path.open("rb") as file:
                inode = file.seek(0) or _inode(self._path)
                fresh = inode != self._place[0]
                file.seek(0 if fresh else self._place[1])
                data = file.read()
                whole = data[: data.rfind(b"\n") + 1]
                start = 0 if fresh else self._place[1]
        except FileNotFoundError:
            return []
        self._place = (inode, start + len(whole))
        lines = [json.loads(line) for line in whole.splitlines()]
        if fresh and self._told is not None:  # cut back to a checkpoint: the same curve is told again from there
            lines = [line for line in lines if _key(line) > self._told]
        if lines:
            self._told = max(map(_key, lines)) if self._told is None else max(self._told, *map(_key, lines))
        return lines


def _inode(path: Path) -> int:
    return path.stat().st_ino


def _key(line: Mapping[str, Any]) -> tuple[int, int]:
    kind = line.get("kind")
    return int(line.get("batch", 0)), _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def metrics_of(folder: RunFolder) -> list[dict[str, Any]]:
    """All figures so far."""
    return Log(folder.metrics).read()


def progress_of(folder: RunFolder) -> RunProgress:
    """How far a run is."""
    return RunProgress().after(metrics_of(folder))


def result_of(folder: RunFolder) -> Mapping[str, Any] | None:
    """How a run ended that is finished; None for any other."""
    return _plain(folder.result)


def error_of(folder: RunFolder) -> Mapping[str, Any] | None:
    """Why a run cannot go on: ``code`` and ``message``; None for any other."""
    return _plain(folder.error)


def config_of(folder: RunFolder) -> RunConfig | None:
    """The choices of a run, with those of its architecture once it has begun; None before its folder is made."""
    return read_config(folder.config) if folder.config.is_file() else None


def sample_numbers(folder: RunFolder) -> list[int]:
    """The epochs after which pictures were drawn."""
    found = folder.samples.iterdir() if folder.samples.is_dir() else ()
    return sorted(int(match[1]) for path in found if (match := _SAMPLE.fullmatch(path.name)))


def sample(folder: RunFolder, epoch: int) -> bytes:
    """The pictures drawn after an epoch, as JPEG; raises `NotFoundError`."""
    try:
        return (folder.samples / f"epoch-{epoch:04}.jpg").read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"There are no pictures of epoch {epoch}.") from error


def _plain(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UsageError(f"{path.name} of the run is damaged: {error}.") from error
    return found if isinstance(found, dict) else None
