"""The job engine of a process, with everything that goes with it: handlers, webhooks, housekeeping."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from limner.core.errors import NotFoundError
from limner.core.settings import Settings
from limner.jobs.control import Ticker
from limner.jobs.engine import JobEngine
from limner.jobs.housekeeping import Housekeeper, Keep
from limner.jobs.lanes import Limits
from limner.jobs.protocol import Handler
from limner.jobs.runner import Patience
from limner.jobs.webhooks import WebhookPump
from limner.jobs.worker import EngineOptions
from limner.operations.evaluation.desk import missing_for_figures
from limner.operations.evaluation.handler import EvaluateHandler
from limner.operations.jobs.desk import inbox_time
from limner.operations.jobs.handler import AnnotateHandler
from limner.operations.jobs.notices import Notices, end_of, secret_of
from limner.operations.runs.handler import ATTEMPTS, QUEUE, TrainHandler
from limner.operations.runs.places import forget_runs
from limner.operations.runs.prepare import missing_modules
from limner.operations.runs.slots import Slots
from limner.operations.services import Services
from limner.operations.tracking.jobs import JobTracking
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.jobs import Failure, Job
from limner.storage.workspaces import Workspaces

#: Pages in a chunk: a job that is interrupted fetches at most these again.
CHUNK = 20
#: Seconds between two rounds of housekeeping.
_ROUND = 3600.0
#: How long files are kept that belong to no job: those of requests that were broken off.
_INBOX = timedelta(days=2)


class LateSender:
    """Sends messages; it loads httpx with the first, which takes longer than most of a start."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Status of the answer; raises `AddressRefusedError` or `FetchError`."""
        from limner.operations.jobs.sender import GuardedSender

        return GuardedSender(self._settings).send(url, headers, body)


class LimnerEngine(JobEngine):
    """A job engine that also sends webhooks and deletes what is due, as long as it works."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        settings: Settings,
        handlers: Sequence[Handler],
        options: EngineOptions,
    ) -> None:
        super().__init__(database, handlers, folder=settings.data, options=options)
        self._database = database
        self._settings = settings
        self._housekeeper = Housekeeper(database, blobs, _keep(settings), forget_lanes=self.forget_lanes)
        self._blobs = blobs
        self._beside: list[WebhookPump | Ticker] = []

    def start(self) -> None:
        """Begin to work."""
        super().start()
        key = _keys(self._database, self._settings)
        pump = WebhookPump(self._database, LateSender(self._settings), key=key)
        self._beside = [pump, Ticker("limner-housekeeping", _ROUND, self.sweep)]
        for each in self._beside:
            each.start()

    def stop(self, grace: float = 10.0) -> None:
        """Finish the pages under way, within ``grace`` seconds; the rest goes on later or elsewhere."""
        super().stop(grace)
        while self._beside:
            self._beside.pop().stop()

    def sweep(self) -> None:
        """Delete what is due."""
        self._housekeeper.sweep()
        before = datetime.now(UTC) - _INBOX
        for folder in {key.rpartition("/")[0] for key in self._blobs.keys("inbox")}:
            if inbox_time(folder) < before:
                self._blobs.delete_all(folder)
        forget_runs(self._settings.data, self._database)


def make_engine(
    settings: Settings,
    database: Database,
    blobs: Blobs,
    services: Services,
    *,
    serves: Callable[[str, str], bool] = lambda _kind, _model: True,
) -> LimnerEngine:
    """The engine of a process, not started: until then it takes jobs and works on none.

    ``serves`` says whether this process takes jobs of a kind for a model (name and version).
    """
    notices, tracking = Notices(database, blobs), JobTracking(database, services)

    def ending(job: Job, failure: Failure | None) -> None:
        """Tell whoever wants to know, of jobs of every kind; the job's row does not say yet that it has ended."""
        status = end_of(job) if failure is None else "failed"
        notices.ended(job, status, failure)
        tracking.ended(job, status)

    handlers: list[Handler] = [AnnotateHandler(database, blobs, services, notices)]
    if not missing_for_figures():
        handlers.append(EvaluateHandler(database, blobs, services, notices))
    if not missing_modules():  # without them, another process may train
        handlers.append(TrainHandler(database, blobs, services))
    places = len(Slots(settings.data))
    limits = Limits(
        total=max(1, settings.workers),
        each=lambda queue: places if queue == QUEUE else settings.model_concurrency,
        apart=frozenset({QUEUE}),
    )
    patience = Patience(attempts_of={TrainHandler.kind: ATTEMPTS})
    options = EngineOptions(limits=limits, serves=serves, chunk=CHUNK, patience=patience, ending=ending)
    return LimnerEngine(database, blobs, settings, handlers, options)


def _keep(settings: Settings) -> Keep:
    jobs = timedelta(days=settings.job_days) if settings.job_days else None
    return Keep(images=timedelta(days=settings.image_days), jobs=jobs)


def _keys(database: Database, settings: Settings) -> Callable[[str], bytes]:
    """The key that webhooks of a workspace are signed with: its own, or the server's."""

    def key(workspace_id: str) -> bytes:
        try:
            own = secret_of(Workspaces(database).get(workspace_id).settings)
        except NotFoundError:
            own = ""
        return (own or settings.webhook_secret.get_secret_value()).encode()

    return key
