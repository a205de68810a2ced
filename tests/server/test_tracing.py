"""Traces of requests."""

import logging
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from limner.core.settings import Settings
from limner.server import tracing
from limner.server.app import create_app
from limner.server.tracing import Traced, make_tracer
from tests.operations.jobs.receiver import Receiver

ENVIRONMENT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


def test_nothing_is_traced_unless_a_collector_is_named() -> None:
    assert make_tracer({}) is None


def test_a_collector_without_opentelemetry_is_said_to_do_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in ("opentelemetry.no_such_module", "no_such_package.at_all"):
        monkeypatch.setattr(tracing, "_NEEDED", (missing,))
        with caplog.at_level(logging.WARNING):
            assert make_tracer(ENVIRONMENT) is None
        assert "OTEL_EXPORTER_OTLP_ENDPOINT is set, but nothing is traced" in caplog.text
        assert "pip install 'limner[telemetry]'" in caplog.text
        caplog.clear()


def test_a_request_is_a_span_named_after_its_route() -> None:
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
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


def test_the_collector_is_told_of_every_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with TestClient(create_app(Settings(data=tmp_path, workers=0))) as client:
            assert client.get("/v1/jobs/0123").status_code == 401
            assert client.get("/healthz").status_code == 200
        told = b"".join(message.body for message in collector.messages)
    assert {message.path for message in collector.messages} == {"/hook/v1/traces"}
    assert b"GET /healthz" in told
    assert b"limner" in told
    assert b"0123" not in told, "ids would make a series of each"
