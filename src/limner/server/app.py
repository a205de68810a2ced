"""The application: made from settings, never at import."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

import limner
from limner.core.settings import Settings
from limner.server import problems
from limner.server.api import ROUTERS
from limner.server.auth import Authentication, check_open
from limner.server.compat import COMPAT
from limner.server.foreign import ForeignAPI
from limner.server.iiif import IIIF_ROUTERS
from limner.server.iiif.cors import OpenToAll
from limner.server.metrics import CountRequests
from limner.server.middleware import Gate, RequestContext
from limner.server.problems import PROBLEMS
from limner.server.tracing import Traced, make_tracer

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


def create_app(settings: Settings) -> FastAPI:
    """The application; raises `SettingsError`. Databases and models are opened when it starts."""
    check_open(settings)
    traces = make_tracer()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        from limner.server.startup import open_state

        stack = ExitStack()
        try:
            if traces is not None:
                stack.callback(traces[1])
            app.state.limner = await run_in_threadpool(open_state, settings, stack)
            yield
        finally:
            await run_in_threadpool(stack.close)

    app = FastAPI(
        title="Limner",
        version=limner.__version__,
        summary="Annotate images with vision models.",
        lifespan=lifespan,
        middleware=_middleware(settings, None if traces is None else traces[0]),
        docs_url=None,  # these pages fetch their scripts from elsewhere, which our policy forbids
        redoc_url=None,
        generate_unique_id_function=operation_id,
        responses=PROBLEMS,
    )
    problems.install(app)
    for router in (*ROUTERS, *IIIF_ROUTERS, *(system.router for system in _foreign(settings))):
        app.include_router(router)
    return app


def operation_id(route: APIRoute) -> str:
    """The stable name of an operation in the OpenAPI: its subject and its function."""
    return f"{route.tags[0] if route.tags else 'other'}_{route.name}"


def _foreign(settings: Settings) -> list[ForeignAPI]:
    """The APIs of other systems that are switched on."""
    return [system for name, system in COMPAT.items() if name in settings.compat]


def _middleware(settings: Settings, tracer: Tracer | None) -> list[Middleware]:
    """What a request passes through, from the outside in."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(settings.cors_origins),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Location", "ETag", "Server-Timing", "X-Request-ID", "Retry-After"],
    )
    return [
        Middleware(RequestContext),
        *([Middleware(Traced, tracer=tracer)] if tracer else []),
        Middleware(CountRequests),
        Middleware(OpenToAll),
        *([cors] if settings.cors_origins else []),
        Middleware(Gate, settings=settings),
        Middleware(Authentication, systems=_foreign(settings)),
    ]
