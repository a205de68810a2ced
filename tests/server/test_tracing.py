"""Traces of requests."""

import logging

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from limner.server import tracing
from limner.server.tracing import Traced, make_tracer

ENVIRONMENT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


def test_nothing_is_traced_unless_a_collector_is_named() -> None:
    assert make_tracer({}) is None


@pytest.mark.skipif(tracing._installed("opentelemetry.sdk.trace"), reason="OpenTelemetry's SDK is installed")
def test_a_collector_without_opentelemetry_is_said_to_do_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert make_tracer(ENVIRONMENT) is None
    assert "opentelemetry-sdk" in caplog.text


def test_a_request_is_a_span_named_after_its_route() -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter").InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(pytest.importorskip("opentelemetry.sdk.trace.export").SimpleSpanProcessor(memory))
    app = FastAPI()

    @app.get("/things/{number}")
    async def thing(number: int) -> int:
        return number

    app.add_middleware(Traced, tracer=provider.get_tracer("test"))
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert TestClient(app).get("/things/7", headers={"traceparent": parent}).status_code == 200
    (span,) = memory.get_finished_spans()
    assert span.name == "GET /things/{number}"
    assert span.attributes["http.response.status_code"] == 200
    assert f"{span.context.trace_id:032x}" == parent.split("-")[1]


def test_a_collector_is_found_where_opentelemetry_is_installed() -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    made = make_tracer(ENVIRONMENT)
    assert made is not None
    made[1]()
