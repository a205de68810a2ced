"""What Prometheus is told: one registry for each application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from limner.core.errors import LimnerError
from limner.operations.tracking.figures import phases
from limner.server.middleware import route_of

if TYPE_CHECKING:
    from limner.jobs.engine import JobEngine
    from limner.operations.services import Services
    from limner.storage.database import Database

#: Bounds of the histogram of stages, seconds: from a small network on a GPU to a slow library.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
#: Media type of the text format.
MEDIA_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Counts and times."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._stages = Histogram(
            "limner_stage_seconds",
            "Seconds of a page in each stage: queue, download, decode, model, write.",
            ("stage", "model"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._requests = Counter(
            "limner_requests", "Answers of the server.", ("route", "method", "status"), registry=self.registry
        )

    def stages(self, model: str, seconds: Mapping[str, float]) -> None:
        """Note how long a page took in each stage; ``fetch`` and ``infer`` are download and model."""
        for phase, spent in phases(seconds).items():
            self._stages.labels(phase, model).observe(spent)

    def answered(self, route: str, method: str, status: int) -> None:
        """Note that a request was answered."""
        self._requests.labels(route, method, str(status)).inc()

    def watch(self, database: Database, engine: JobEngine, services: Services) -> None:
        """Tell of the queues, the loaded models and the pages that wait, whenever somebody asks."""
        self.registry.register(_Gauges(database, engine, services))

    def text(self) -> bytes:
        """Everything, as Prometheus reads it. Asks the database how long the queues are."""
        return generate_latest(self.registry)


class _Gauges(Collector):
    """What is as it is now."""

    def __init__(self, database: Database, engine: JobEngine, services: Services) -> None:
        self._database, self._engine, self._services = database, engine, services

    def describe(self) -> Iterable[Metric]:
        """Nothing: the database is not asked when an application is made."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The gauges."""
        yield from self._models()
        yield GaugeMetricFamily(
            "limner_instant_waiting",
            "Pages of POST /v1/annotate that wait for a thread.",
            self._services.inference.waiting,
        )
        yield from self._tracking()
        try:
            self._database.check()
            yield from self._queues()
            up = 1
        except LimnerError:
            up = 0  # what else there is to tell should not be lost
        yield GaugeMetricFamily("limner_database_up", "Whether the database answers.", up)

    def _models(self) -> Iterable[Metric]:
        # All together: anybody may read this, and a workspace's models are nobody else's business.
        loaded = self._services.pool.loaded()
        memory = sum(model.memory for model in loaded)
        yield GaugeMetricFamily("limner_models_loaded", "Models in memory.", len(loaded))
        yield GaugeMetricFamily("limner_model_memory_bytes", "Memory that these are reckoned to take.", memory)
        yield GaugeMetricFamily("limner_model_users", "Who uses one now.", sum(model.users for model in loaded))

    def _tracking(self) -> Iterable[Metric]:
        if (tracker := self._services.tracker) is None:
            return
        counts = tracker.counts
        yield CounterMetricFamily("limner_tracking_sent", "Timings that MLflow has taken.", counts.sent)
        yield CounterMetricFamily("limner_tracking_lost", "Timings that MLflow will never have.", counts.lost)
        yield CounterMetricFamily("limner_tracking_failures", "Attempts to reach MLflow that failed.", counts.failures)

    def _queues(self) -> Iterable[Metric]:
        overview = self._engine.overview()
        tasks = GaugeMetricFamily("limner_queue_tasks", "Open tasks of jobs.", labels=("kind", "status"))
        for kind in sorted({queue.kind for queue in overview.queues}):
            queues = [queue for queue in overview.queues if queue.kind == kind]
            tasks.add_metric([kind, "waiting"], sum(queue.waiting for queue in queues))
            tasks.add_metric([kind, "running"], sum(queue.running for queue in queues))
        alive = sum(worker.state == "alive" for worker in overview.workers)
        return tasks, GaugeMetricFamily("limner_workers", "Workers that are alive.", alive)


class CountRequests:
    """Counts the answers of an application by route."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            scope["app"].state.limner.metrics.answered(route_of(scope), scope["method"], status)
