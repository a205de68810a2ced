"""What an application holds while it runs. `limner.server.startup` opens it."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from limner.core.settings import Settings
from limner.operations.foreign.labelstudio.later import Later
from limner.server.auth import Authenticator
from limner.server.metrics import Metrics
from limner.server.readiness import Readiness

if TYPE_CHECKING:
    from limner.jobs.engine import JobEngine
    from limner.operations.images.ahead import MakingAhead
    from limner.operations.images.shelf import Shelf
    from limner.operations.publishing.opening import Publisher
    from limner.operations.services import Services
    from limner.operations.uploads.conversions import Conversions
    from limner.storage.blobs import Blobs
    from limner.storage.database import Database


def _viewers() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(2 * (os.cpu_count() or 1) + 2)


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
    #: What viewers may see, the tiled images for them, and what makes these ahead.
    publisher: Publisher
    shelf: Shelf
    ahead: MakingAhead
    #: Threads that viewers may take, and that may make tiled images: the others are for the API.
    viewing: anyio.CapacityLimiter = field(default_factory=_viewers)
    making: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    #: Takes uploaded models in.
    conversions: Conversions
    #: Held while a model is loaded only to try it: one more in memory is enough.
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    #: What Label Studio waits for.
    later: Later = field(default_factory=Later)
