"""Log lines, as text or as JSON, with the ids of the request and job that they belong to."""

from __future__ import annotations

import contextvars
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from limner.core.settings import Settings
from limner.server.middleware import request_id

#: The id of the job that is being worked on, for log lines.
job_id: contextvars.ContextVar[str] = contextvars.ContextVar("job_id", default="")

#: Libraries that are heard only where it matters.
_QUIET = ("httpx", "httpcore", "uvicorn.access", "dbos", "alembic", "multipart", "python_multipart")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_ids(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A line for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the ids at its end."""
        line, *rest = super().format(record).split("\n")
        ids = "".join(f" {key}={value}" for key, value in _ids(record).items())
        return "\n".join([line + ids, *rest])


def _ids(record: logging.LogRecord) -> Mapping[str, str]:
    """What the line belongs to: what the record says itself, or where it was written."""
    found = {"request": request_id.get(), "job": getattr(record, "job", "") or job_id.get()}
    return {key: str(value) for key, value in found.items() if value}


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Write log lines to standard error (or a stream) in the form that the settings say."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def about_job(identifier: str) -> Iterator[None]:
    """Log lines written inside, by this thread or task, name the job."""
    token = job_id.set(identifier)
    try:
        yield
    finally:
        job_id.reset(token)
