"""What tests of the API for jobs share: pages, a server that works, waiting for a job."""

from __future__ import annotations

import time
from typing import Any

from starlette.testclient import TestClient

from tests.operations.jobs.workplace import bright_page, image_bytes

#: A page with one bright box, and the line of the extractor format for it.
PAGE = image_bytes(bright_page((20, 40, 80, 100)))
LINE = "20 40 60 60"


def files(*names: str) -> list[tuple[str, tuple[str, bytes]]]:
    """Files for a form, all with the same page."""
    return [("file", (name, PAGE)) for name in names]


def made(client: TestClient, **fields: object) -> dict[str, Any]:
    """A job that was made from JSON."""
    answer = client.post("/v1/jobs", json=fields)
    assert answer.status_code == 202, answer.text
    return answer.json()


def ended(client: TestClient, job: dict[str, Any], seconds: float = 60.0) -> dict[str, Any]:
    """A job, when it has ended."""
    deadline = time.monotonic() + seconds
    while (now := client.get(f"/v1/jobs/{job['id']}").json())["finished_at"] is None:
        assert time.monotonic() < deadline, now
        time.sleep(0.05)
    return now
