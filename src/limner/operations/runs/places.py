"""Where datasets, runs and models of a workspace lie; without a server there is one place for all."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from limner.core.errors import NotFoundError
from limner.models.store import ModelStore
from limner.operations.library import WorkspaceStore, workspace_folder
from limner.training.datasets.store import DatasetStore
from limner.training.fitting.folder import RunFolder

if TYPE_CHECKING:  # a command that trains by itself has no database
    from limner.storage.database import Database

_RUN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,120}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class TrainingPlace:
    """The folders that training reads and writes, and the models that it may begin with."""

    root: Path
    models: ModelStore

    @classmethod
    def of_workspace(cls, data: Path, workspace_id: str, models: WorkspaceStore) -> TrainingPlace:
        """That of a workspace of a server."""
        return cls(workspace_folder(data, workspace_id), models)

    @property
    def datasets(self) -> DatasetStore:
        """Its datasets."""
        return DatasetStore(self.root / "datasets")

    @property
    def runs(self) -> Path:
        """The folder of its runs."""
        return self.root / "runs"

    def run(self, run_id: str) -> RunFolder:
        """The folder of a run, which need not be there; raises `NotFoundError` for what can be no id."""
        if not _RUN.fullmatch(run_id):
            raise NotFoundError(f"There is no run {run_id!r}.")
        return RunFolder(self.runs / run_id)


def forget_runs(data: Path, database: Database) -> None:
    """Delete the folders of runs whose job is no longer there."""
    from limner.storage.jobs import Jobs

    for folder in (data / "workspaces").glob("*/runs/*"):
        try:
            Jobs(database, folder.parent.parent.name).get(folder.name)
        except NotFoundError:
            shutil.rmtree(folder, ignore_errors=True)
