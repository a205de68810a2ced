"""The kind of job that evaluates: models look at the pages of a dataset, and what they find is compared.

A job has a page for each model and each page of the dataset, so that what was found once is never looked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import groupby

from limner.annotations.document import AnnotatedPage
from limner.annotations.serial import annotated_page_to_plain
from limner.core.errors import CancelledError, LimnerError
from limner.jobs.protocol import Context, Done, Failed, Outcome, failure
from limner.models.protocol import Predictor
from limner.operations.datasets.desk import workspace_datasets
from limner.operations.evaluation.kept import keep_report, measured_by_job
from limner.operations.evaluation.running import chosen_pages, look
from limner.operations.jobs.loop import JobLoop, held
from limner.operations.jobs.notices import Notices
from limner.operations.services import Services
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.jobs import Job
from limner.storage.pages import JobPage, PlannedPage
from limner.training.datasets.dataset import Dataset, DatasetPage


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
        split = chosen_pages(dataset, job.payload["split"])[0].split
        chosen = [(at, page) for at, page in enumerate(dataset.pages) if page.split == split]
        return [
            PlannedPage(page.page.name, {"model": model, "at": at})
            for model in job.payload["models"]
            for at, page in chosen
        ]

    def run(self, job: Job, pages: Sequence[JobPage], context: Context) -> Iterator[Outcome]:
        """Let the models look at some pages."""
        if not pages[0].attempts:
            self._notices.progressed(job)
        dataset = self._dataset(job)
        for model, some in groupby(pages, key=lambda page: str(page.payload["model"])):
            chosen = [dataset.pages[page.payload["at"]] for page in some]
            with closing(self._looked(job, model, dataset, chosen, context)) as outcomes:
                yield from outcomes

    def finish(self, job: Job, context: Context) -> None:
        """Reckon the figures and write the report; a second time it comes out the same."""
        dataset, library = self._dataset(job), self._services.libraries.of(job.workspace_id)
        bundles = [library.get(model) for model in job.payload["models"]]
        measured = measured_by_job(self._db, job, dataset, bundles)
        context.check()
        keep_report(self._blobs, job.id, measured, dataset)

    def _looked(
        self, job: Job, model: str, dataset: Dataset, pages: Sequence[DatasetPage], context: Context
    ) -> Generator[Outcome, None, None]:
        library = self._services.libraries.of(job.workspace_id)
        with ExitStack() as stack:
            try:
                predictor = stack.enter_context(held(lambda: library.use(model), context))
            except CancelledError:
                raise
            except LimnerError as error:  # the same for all: loading it again for each would not help
                yield from (Failed(failure(error)) for _ in pages)
                return
            loop = stack.enter_context(JobLoop(context))
            for page in pages:
                yield loop.run(self._outcome(predictor, dataset, page))

    async def _outcome(self, predictor: Predictor, dataset: Dataset, page: DatasetPage) -> Outcome:
        try:
            # In a thread, which is left alone when it is time to stop.
            found = await asyncio.to_thread(look, predictor, dataset, page, self._services.settings)
        except LimnerError as error:
            return Failed(failure(error))
        return Done(annotated_page_to_plain(AnnotatedPage(page.page, found)))

    def _dataset(self, job: Job) -> Dataset:
        return workspace_datasets(self._services.settings, job.workspace_id).get(job.payload["dataset"])
