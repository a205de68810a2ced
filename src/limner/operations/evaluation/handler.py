"""The kind of job that evaluates: models look at the pages of a dataset, and their finds are compared with what is there.

A job has a page for each model and each page of the dataset, so that what one has found is never found again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby

from limner.annotations.document import AnnotatedPage
from limner.annotations.serial import annotated_page_to_plain
from limner.core.errors import CancelledError, LimnerError
from limner.jobs.protocol import Context, Done, Failed, Outcome, failure
from limner.models.protocol import Predictor
from limner.operations.datasets.desk import workspace_datasets
from limner.operations.evaluation.kept import keep_report, measured_of
from limner.operations.evaluation.running import chosen_pages, look
from limner.operations.jobs.loop import held
from limner.operations.jobs.notices import Notices
from limner.operations.services import Services
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.jobs import Job
from limner.storage.pages import JobPage, PlannedPage
from limner.training.datasets.dataset import Dataset


class EvaluateHandler:
    """Measures one model or two. Payload: see `limner.operations.evaluation.desk`."""

    kind = "evaluate"

    def __init__(self, database: Database, blobs: Blobs, services: Services, notices: Notices) -> None:
        self._db = database
        self._blobs = blobs
        self._services = services
        self._notices = notices

    def plan(self, job: Job, context: Context) -> Sequence[PlannedPage]:  # noqa: ARG002 - it takes no time
        """The pages of the split, for one model after the other."""
        self._notices.started(job)
        dataset = self._dataset(job)
        places = {page.page.id: at for at, page in enumerate(dataset.pages)}
        chosen = chosen_pages(dataset, job.payload.get("split"))
        return [
            PlannedPage(page.page.name, {"model": model, "at": places[page.page.id]})
            for model in job.payload["models"]
            for page in chosen
        ]

    def run(self, job: Job, pages: Sequence[JobPage], context: Context) -> Iterator[Outcome]:
        """Let the models look at some pages."""
        library, dataset = self._services.libraries.of(job.workspace_id), self._dataset(job)
        for model, group in groupby(pages, key=lambda page: str(page.payload["model"])):
            some = list(group)
            with closing(self._looked(held(lambda name=model: library.use(name), context), dataset, some, context)) as each:
                yield from each

    def finish(self, job: Job, context: Context) -> None:
        """Reckon the figures and write the report; a second time it comes out the same."""
        dataset, library = self._dataset(job), self._services.libraries.of(job.workspace_id)
        bundles = [library.get(model) for model in job.payload["models"]]
        measured = measured_of(self._db, job, dataset, bundles)
        context.check()
        keep_report(self._blobs, job.id, measured, dataset)

    def _dataset(self, job: Job) -> Dataset:
        return workspace_datasets(self._services.settings, job.workspace_id).get(job.payload["dataset"])
