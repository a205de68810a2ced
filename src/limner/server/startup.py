"""Opening what an application holds, quickly: whatever takes long is loaded when it is needed."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from limner.core.settings import Settings
from limner.server.auth import Authenticator
from limner.server.metrics import Metrics
from limner.server.readiness import Canary, Readiness, canary_of
from limner.server.state import AppState

if TYPE_CHECKING:
    from limner.jobs.engine import JobEngine
    from limner.storage.database import Database

logger = logging.getLogger(__name__)


def open_state(settings: Settings, stack: ExitStack) -> AppState:
    """Open everything; ``stack`` closes it again, in reverse. Raises `SettingsError` or `StorageError`."""
    from limner.operations.images.ahead import MakingAhead
    from limner.operations.images.shelf import Shelf
    from limner.operations.jobs import make_engine
    from limner.operations.publishing.opening import Publisher
    from limner.operations.services import Services
    from limner.operations.tokens import HOME
    from limner.operations.uploads.conversions import Conversions
    from limner.storage.blobs import Blobs
    from limner.storage.database import Database
    from limner.storage.workspaces import Workspaces

    database = Database(settings.database)
    stack.callback(database.close)
    database.upgrade()
    home = Workspaces(database).ensure(HOME).id
    authenticate = make_authenticator(settings, database, home)
    blobs = Blobs(settings.storage)
    services = stack.enter_context(Services(settings))
    services.prepare()
    metrics = Metrics()
    services.observer = metrics.stages
    engine = make_engine(settings, database, blobs, services)
    metrics.watch(database, engine, services)
    worker = Starting(engine) if settings.workers else None
    if worker is not None:
        stack.callback(worker.stop)
    readiness = Readiness(database, blobs, Canary(canary_of(services, home)), engine.overview, worker)
    stack.callback(readiness.close)
    shelf = Shelf(blobs, settings)
    ahead = MakingAhead(shelf)
    stack.callback(ahead.stop)
    return AppState(
        settings=settings,
        database=database,
        blobs=blobs,
        services=services,
        engine=engine,
        home=home,
        authenticate=authenticate,
        metrics=metrics,
        readiness=readiness,
        publisher=Publisher(database, blobs, services),
        shelf=shelf,
        ahead=ahead,
        conversions=Conversions(settings),
    )


def make_authenticator(settings: Settings, database: Database, home: str) -> Authenticator:
    """What finds callers; raises `SettingsError` where an identity provider is not set up well."""
    if not (settings.jwt_secret.get_secret_value() or settings.jwt_public_key or settings.jwt_jwks_url):
        return Authenticator(settings, database, home)
    from limner.server.jwt import Jwts

    return Authenticator(settings, database, home, Jwts(settings, database).caller)


class Starting:
    """The embedded worker, started in a thread: requests need not wait for it. It stops with the application."""

    def __init__(self, engine: JobEngine) -> None:
        self._engine = engine
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._start, name="limner-starting", daemon=True)
        self._thread.start()

    def check(self) -> bool:
        """Whether the worker works; False while it is starting. Raises what has kept it from it."""
        if self._error is not None:
            raise self._error
        return self._engine.running

    def stop(self) -> None:
        """Finish the pages under way; the rest goes on at the next start."""
        self._thread.join()
        self._engine.stop()

    def _start(self) -> None:
        try:
            self._engine.start()
        except Exception as error:
            logger.exception("The worker could not be started")
            self._error = error
