"""Traces of requests, for an OpenTelemetry collector; only where its address is in the environment."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from limner.server.middleware import route_of

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

logger = logging.getLogger(__name__)

#: OpenTelemetry's own name for the address of a collector.
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")


def make_tracer(environ: Mapping[str, str] | None = None) -> tuple[Tracer, Callable[[], None]] | None:
    """A tracer, and what ends it; None where no collector is named, or OpenTelemetry is not installed."""
    if not (os.environ if environ is None else environ).get(_ENDPOINT):
        return None
    if not all(_installed(name) for name in _NEEDED):
        logger.warning("%s is set, but nothing is traced. Install it with: pip install 'limner[telemetry]'", _ENDPOINT)
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # type: ignore[import-not-found, unused-ignore]
    from opentelemetry.sdk.resources import Resource  # type: ignore[import-not-found, unused-ignore]
    from opentelemetry.sdk.trace import TracerProvider  # type: ignore[import-not-found, unused-ignore]
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # type: ignore[import-not-found, unused-ignore]

    name = os.environ.get("OTEL_SERVICE_NAME", "limner")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("limner"), provider.shutdown


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


class Traced:
    """A span for each request, below that of the caller where there is one."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self.app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        context = extract(dict(Headers(scope=scope)))
        method = scope["method"]
        with self._tracer.start_as_current_span(method, context=context, kind=SpanKind.SERVER) as span:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self.app(scope, receive, answer)
            finally:
                # Only now is it known which route it was; its path has no ids in it.
                span.update_name(f"{method} {route_of(scope)}")
                span.set_attributes({"http.request.method": method, "http.route": route_of(scope)})
