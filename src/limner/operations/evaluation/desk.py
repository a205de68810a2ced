"""The evaluations of a workspace, as clients ask for them. An evaluation is a job, and has its id."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from limner.annotations.annotation import Json
from limner.core.errors import ConflictError, MissingExtraError, NotFoundError, UsageError
from limner.jobs.engine import JobEngine
from limner.operations.datasets.desk import workspace_datasets
from limner.operations.evaluation.comparison import check_comparable
from limner.operations.evaluation.handler import EvaluateHandler
from limner.operations.evaluation.kept import FIGURES, report_files, report_key
from limner.operations.evaluation.running import check, chosen_pages
from limner.operations.services import Services
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.jobs import Job, Jobs, NewJob
from limner.training.datasets.dataset import Split

#: Of each package that figures cannot do without, the module.
_MODULES = ("faster_coco_eval", "rapidfuzz")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """An evaluation that somebody wants; models by name, ``name@version`` or alias."""

    model: str
    #: Name, or ``name@version``.
    dataset: str
    #: The model to measure it beside.
    compare: str | None = None
    #: By default ``test``, or ``val`` where there is none.
    split: Split | None = None
    #: Least score of finds that count; by default the model's own.
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationState:
    """An evaluation as it stands."""

    job: Job
    #: All of them, as in ``report.json``; None until it is finished.
    figures: Mapping[str, Any] | None
    #: The files of the report.
    files: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationDesk:
    """The evaluations of one workspace. All methods block."""

    database: Database
    blobs: Blobs
    services: Services
    engine: JobEngine
    workspace_id: str

    def create(self, request: EvaluationRequest, base: str) -> Job:
        """Put an evaluation into the queue; ``base`` as in `JobDesk.submit`.

        Raises `UsageError`, `ModelNotFoundError`, `DatasetNotFoundError`, `DatasetError` (no such pages), and
        `MissingExtraError` where nobody could carry it out.
        """
        self._need_somebody()
        dataset = workspace_datasets(self.services.settings, self.workspace_id).get(request.dataset)
        library = self.services.libraries.of(self.workspace_id)
        bundles = [library.get(name) for name in (request.model, request.compare) if name is not None]
        for bundle in bundles:
            check(bundle, dataset)
        if len(bundles) > 1:
            check_comparable(bundles[0], bundles[1], dataset)
        if len({bundle.ref for bundle in bundles}) < len(bundles):
            raise UsageError(f"{bundles[0].ref} cannot be compared with itself.", hint="Name another model.")
        split = chosen_pages(dataset, request.split)[0].split
        payload: dict[str, Json] = {
            "dataset": dataset.ref,
            "models": [bundle.ref for bundle in bundles],
            "split": split,
            "threshold": request.threshold,
            "title": f"{' and '.join(bundle.ref for bundle in bundles)} on {dataset.ref}",
            "base": base,
        }
        model = bundles[0].ref
        new = NewJob(kind=EvaluateHandler.kind, queue=model, payload=payload, model=model, source=dataset.ref)
        return self.engine.submit(self.workspace_id, new)

    def get(self, evaluation_id: str) -> EvaluationState:
        """An evaluation as it stands; raises `NotFoundError`."""
        job = Jobs(self.database, self.workspace_id).get(evaluation_id)
        if job.kind != EvaluateHandler.kind:
            raise NotFoundError(f"There is no evaluation {evaluation_id}.")
        files = report_files(self.blobs, job.id)
        figures = json.loads(self.blobs.read(report_key(job.id, FIGURES))) if files else None
        return EvaluationState(job=job, figures=figures, files=files)

    def file(self, evaluation_id: str, name: str) -> Iterator[bytes]:
        """A file of a report, piece by piece; raises `NotFoundError`, and `ConflictError` before there is a report."""
        state = self.get(evaluation_id)
        if not state.files:
            raise ConflictError(f"There is no report: the evaluation is {state.job.status}.")
        if name not in state.files:
            raise NotFoundError(f"The report has no file {name!r}.")
        return self.blobs.stream(report_key(state.job.id, name))

    def _need_somebody(self) -> None:
        """Raise `MissingExtraError` unless this process or some worker can evaluate."""
        missing = missing_for_figures()
        workers = self.engine.overview().workers if missing else ()
        if missing and not any(EvaluateHandler.kind in each.kinds and each.state == "alive" for each in workers):
            raise MissingExtraError(
                f"Evaluating needs packages that are not installed on the server ({', '.join(missing)}).",
                hint="Install them with: pip install 'limner[train]'",
            )


def missing_for_figures() -> list[str]:
    """What evaluating needs that is not installed here."""
    return [name for name in _MODULES if find_spec(name) is None]
