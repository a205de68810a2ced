"""Models that have learnt the squares, made here without a process of their own."""

from __future__ import annotations

from pathlib import Path

from limner.training.config import render_config
from limner.training.fitting.folder import RunFolder
from limner.training.process import FINISHED, RunJob, run
from tests.training.fitting.squares import config, squares


def trained(path: Path, datasets: Path, **changes: object) -> RunFolder:
    """The folder of a run that is finished; its dataset is added where it is missing."""
    squares(datasets)
    path.mkdir(parents=True)
    folder = RunFolder(path)
    folder.config.write_text(render_config(config(**changes), asked=True))
    RunJob(str(datasets)).write(folder)
    assert run(folder) == FINISHED
    return folder
