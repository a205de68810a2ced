"""What is kept of an evaluation that was a job: its report, as blobs of the job."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from limner.annotations.annotation import Annotation
from limner.annotations.serial import annotated_page_from_plain
from limner.core.errors import DatasetError
from limner.jobs.housekeeping import job_blobs
from limner.models.bundle import Bundle
from limner.operations.evaluation.comparison import compare
from limner.operations.evaluation.report import write_report
from limner.operations.evaluation.running import Measured, measured_by
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.jobs import Job
from limner.storage.pages import JobPages
from limner.training.datasets.dataset import Dataset

#: The figures; they are written last, so that with them all of a report is there.
FIGURES = "report.json"
#: The page for people. Its pictures are named as from the address where the API shows it: ``report/01-found.jpg``.
PAGE = "report.html"
_PICTURES = "report"


def measured_by_job(database: Database, job: Job, dataset: Dataset, bundles: Sequence[Bundle]) -> list[Measured]:
    """What came of each model, on the pages that all of them have looked at; raises `DatasetError` for none."""
    found: dict[str, dict[int, tuple[Annotation, ...]]] = defaultdict(dict)
    errors = []
    for page, result in JobPages(database, job.workspace_id).results(job.id):
        if result is not None:
            annotated = annotated_page_from_plain(result)
            found[page.payload["model"]][page.payload["at"]] = tuple(annotated.annotations)
        elif page.error is not None:
            errors.append(page.error.message)
    seen = [found[bundle.ref] for bundle in bundles]
    places = [at for at in seen[0] if all(at in each for each in seen)]
    if not places:
        raise DatasetError(f"No page of {dataset.ref} could be looked at. {errors[0] if errors else ''}".strip())
    pages, threshold = [dataset.pages[at] for at in places], job.payload["threshold"]
    return [
        measured_by(bundle, dataset, pages, [some[at] for at in places], threshold=threshold)
        for bundle, some in zip(bundles, seen, strict=True)
    ]


def keep_report(blobs: Blobs, job_id: str, measured: Sequence[Measured], dataset: Dataset) -> None:
    """Write the report of one model, or of the first beside the second."""
    comparison = compare(*measured) if len(measured) > 1 else None
    with tempfile.TemporaryDirectory(prefix="limner-report-") as folder:
        write_report(Path(folder), measured[0], dataset, comparison, pictures=_PICTURES)
        files = sorted(
            (path for path in Path(folder).rglob("*") if path.is_file()), key=lambda path: path.name == FIGURES
        )
        for path in files:
            blobs.write(report_key(job_id, path.name), path.read_bytes())
    for name in set(report_files(blobs, job_id)) - {path.name for path in files}:
        blobs.delete(report_key(job_id, name))


def report_files(blobs: Blobs, job_id: str) -> list[str]:
    """Names of the files of a report, sorted; none before there is one."""
    if not blobs.exists(report_key(job_id, FIGURES)):
        return []
    return [key.rpartition("/")[2] for key in blobs.keys(f"{job_blobs(job_id)}/report")]


def report_key(job_id: str, name: str) -> str:
    """Where a file of a report is kept."""
    return f"{job_blobs(job_id)}/report/{name}"
