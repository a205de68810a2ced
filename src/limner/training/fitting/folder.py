"""The folder of a run: what lies where in it, and its log of figures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the parts of a run lie."""

    path: Path

    @property
    def config(self) -> Path:
        """What was asked for."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """Figures as they came, one JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoint(self) -> Path:
        """From where it goes on."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The weights that answered best so far."""
        return self.path / "checkpoints" / "best.safetensors"

    @property
    def error(self) -> Path:
        """Why it cannot go on: an object with ``code`` and ``message``."""
        return self.path / "error.json"

    @property
    def result(self) -> Path:
        """How it ended."""
        return self.path / "result.json"

    @property
    def samples(self) -> Path:
        """Pictures of what was found after each epoch."""
        return self.path / "samples"

    @property
    def report(self) -> Path:
        """Figures at the end."""
        return self.path / "report"

    @property
    def bundle(self) -> Path:
        """The model that came out."""
        return self.path / "bundle"

    @property
    def cache(self) -> Path:
        """Scaled images, which can be made again."""
        return self.path / "cache"


class MetricsLog:
    """Appends figures to a file that others read while it grows."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    def add(self, values: Mapping[str, Any]) -> None:
        """One line, written in one piece."""
        line = json.dumps(values, separators=(",", ":"), allow_nan=False)
        with self._path.open("ab") as file:
            file.write(line.encode() + b"\n")

    def cut(self, batches: int) -> None:
        """Forget what came after some batch: a run that goes on from there will say it again."""
        kept = [line for line in read_metrics(self._path) if line.get("batch", 0) <= batches]
        partial = self._path.with_suffix(".partial")
        partial.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in kept), encoding="utf-8")
        os.replace(partial, self._path)  # noqa: PTH105 - a name, not a path


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The figures so far; a line that is still being written is left out."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        yield json.loads(line)
