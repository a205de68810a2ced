"""API v1: one module a subject. A new one is imported here and its router added to the list."""

from __future__ import annotations

from fastapi import APIRouter

from limner.server.api.annotate import router as annotate
from limner.server.api.datasets import router as datasets
from limner.server.api.documents import router as documents
from limner.server.api.estimate import router as estimate
from limner.server.api.evaluations import router as evaluations
from limner.server.api.events import router as events
from limner.server.api.health import router as health
from limner.server.api.jobs import router as jobs
from limner.server.api.models import router as models
from limner.server.api.queue import router as queue
from limner.server.api.routes import router as routes
from limner.server.api.runs import router as runs
from limner.server.api.settings import router as settings
from limner.server.api.shares import router as shares
from limner.server.api.tokens import router as tokens
from limner.server.api.webhooks import router as webhooks
from limner.server.api.workspaces import router as workspaces

#: The routers of all modules.
ROUTERS: list[APIRouter] = [
    annotate,
    datasets,
    documents,
    estimate,
    evaluations,
    events,
    health,
    jobs,
    models,
    queue,
    routes,
    runs,
    settings,
    shares,
    tokens,
    webhooks,
    workspaces,
]
