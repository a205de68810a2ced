"""What an application holds while it runs. `limner.server.startup` opens it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from limner.core.settings import Settings
from limner.server.auth import Authenticator
from limner.server.metrics import Metrics
from limner.server.readiness import Readiness

if TYPE_CHECKING:
    from limner.jobs.engine import JobEngine
    from limner.operations.services import Services
    from limner.storage.blobs import Blobs
    from limner.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class AppState:
    """What an application holds while it runs, as ``app.state.limner``."""

    settings: Settings
    database: Database
    blobs: Blobs
    services: Services
    engine: JobEngine
    #: Id of the workspace ``default``: its admins look after the server.
    home: str
    #: The caller behind the headers of a request.
    authenticate: Authenticator
    metrics: Metrics
    readiness: Readiness
    #: Held while a model is loaded only to try it: one more in memory is enough.
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
