"""Log lines."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from limner.core.settings import Settings
from limner.server.logs import about_job, configure_logging
from limner.server.middleware import request_id


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("httpx", "dbos", "alembic", "uvicorn.access")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def _written(log_format: str, write: object) -> str:
    stream = io.StringIO()
    configure_logging(Settings(log_format=log_format), stream)
    write()
    return stream.getvalue()


def test_a_json_line_names_request_and_job() -> None:
    def write() -> None:
        token = request_id.set("abc")
        with about_job("j1"):
            logging.getLogger("limner.access").info("GET %s", "/v1/jobs")
        request_id.reset(token)
        logging.getLogger("limner").warning("zwölf\nZeilen")

    first, second = map(json.loads, _written("json", write).splitlines())
    assert first["message"] == "GET /v1/jobs"
    assert (first["level"], first["logger"]) == ("info", "limner.access")
    assert (first["request"], first["job"]) == ("abc", "j1")
    assert first["time"].endswith("+00:00")
    assert second["message"] == "zwölf\nZeilen"
    assert "request" not in second
    assert "job" not in second


def test_a_record_may_name_its_job_itself() -> None:
    line = _written("json", lambda: logging.getLogger("limner").info("x", extra={"job": "j2"}))
    assert json.loads(line)["job"] == "j2"


def test_an_exception_is_in_its_line() -> None:
    def write() -> None:
        try:
            raise ValueError("oh")
        except ValueError:
            logging.getLogger("limner").exception("failed")

    (line,) = _written("json", write).splitlines()
    assert "ValueError: oh" in json.loads(line)["exception"]


def test_a_text_line_ends_with_the_ids() -> None:
    def write() -> None:
        token = request_id.set("abc")
        logging.getLogger("limner").info("done")
        request_id.reset(token)

    assert _written("text", write).rstrip().endswith("INFO done request=abc")


def test_libraries_are_heard_only_where_it_matters() -> None:
    def write() -> None:
        logging.getLogger("dbos").info("hello")
        logging.getLogger("dbos").warning("mind")

    written = _written("text", write)
    assert "hello" not in written
    assert "mind" in written


def test_it_can_be_configured_twice() -> None:
    configure_logging(Settings(), io.StringIO())
    assert _written("text", lambda: logging.getLogger("limner").info("once")).count("once") == 1
