"""Jobs on a real server, in a process of its own: killed in the midst of its work, stopped, followed, started again."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from tests import s3
from tests.limner_process import ServerProcess, serving, working
from tests.models.networks import bright_boxes_bundle
from tests.operations.jobs.workplace import save_pages, until
from tests.sources.iiif.loopback import IIIFServer

pytestmark = pytest.mark.slow

PAGES = 200


class Api:
    """What the tests ask of a server without tokens."""

    def __init__(self, server: ServerProcess) -> None:
        self.url = server.url

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return httpx.request(method, f"{self.url}/v1{path}", timeout=30, trust_env=False, **more)

    def job(self, job_id: str) -> dict[str, Any]:
        return self.ask("GET", f"/jobs/{job_id}").raise_for_status().json()

    def submit(self, **fields: object) -> str:
        return self.ask("POST", "/jobs", json=fields).raise_for_status().json()["id"]

    def done(self, job_id: str, seconds: float = 90.0) -> dict[str, Any]:
        until(lambda: self.job(job_id)["finished_at"] is not None, seconds)
        return self.job(job_id)

    def reached(self, job_id: str, pages: int) -> None:
        until(lambda: self.job(job_id)["pages"]["done"] >= pages, 60)

    def results(self, job_id: str) -> str:
        return self.ask("GET", f"/jobs/{job_id}/results", params={"format": "extractor"}).text

    def attempts(self, job_id: str) -> Counter[str]:
        """How often each page was begun."""
        out: Counter[str] = Counter()
        cursor: dict[str, str] | None = {}
        while cursor is not None:
            found = self.ask("GET", f"/jobs/{job_id}/pages", params={"limit": 200, **cursor}).json()
            out.update({page["name"]: page["attempts"] for page in found["items"]})
            cursor = None if found["next"] is None else {"cursor": found["next"]}
        return out


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bright_boxes_bundle(tmp_path_factory.mktemp("bundles") / "bright", side=64)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pages(tmp_path_factory.mktemp("library") / "pages", PAGES)


def with_model(folder: Path, bright: Path) -> Path:
    """A data folder whose default model is ``bright``."""
    store = ModelStore(folder / "models")
    store.add(read_bundle(bright))
    store.alias("default", "bright")
    return folder


@pytest.fixture
def server(tmp_path: Path, bright: Path) -> Iterator[ServerProcess]:
    settings = {"LIMNER_RATE_LIMIT": "0", "LIMNER_HOST_CONCURRENCY": "4"}
    with serving(with_model(tmp_path / "data", bright), "--no-auth", **settings) as server:
        yield server


@pytest.fixture
def library(pages: Path) -> Iterator[IIIFServer]:
    with IIIFServer(pages, latency=0.02) as server:
        yield server


def _expected() -> str:
    boxes = [f"{20 * (n % 10)} {20 * (n // 10 % 10)} 60 40" for n in range(PAGES)]
    return "".join(f"{n} p{n - 1:04d}.jpg\n{box}\n" for n, box in enumerate(boxes, 1))


def test_a_server_killed_in_the_midst_of_a_job_loses_no_page_and_repeats_next_to_none(
    server: ServerProcess, library: IIIFServer
) -> None:
    api = Api(server)
    library.hold("p0120")
    job_id = api.submit(source=library.manifest_url())
    api.reached(job_id, 60)
    server.kill()
    library.release()
    assert sum(path.startswith("/image/") for path in library.log) < PAGES
    server.again()
    api = Api(server)
    job = api.done(job_id)
    assert (job["status"], job["pages"]) == ("succeeded", {"total": PAGES, "done": PAGES, "failed": 0})
    assert api.results(job_id) == _expected()
    attempts = api.attempts(job_id)
    assert set(attempts) == {f"p{n:04d}.jpg" for n in range(PAGES)}
    assert sum(attempts.values()) <= PAGES + 1, "a page that was done is never done again"
    assert library.log.count("/presentation/3/pages/manifest.json") == 1


def test_a_server_that_is_stopped_goes_on_where_it_was_and_is_not_held_up_by_who_follows(
    server: ServerProcess, library: IIIFServer
) -> None:
    api = Api(server)
    job_id = api.submit(source=library.manifest_url())
    api.reached(job_id, 5)
    ended = threading.Event()
    threading.Thread(target=_follow, args=(api, job_id, ended), daemon=True).start()
    assert not ended.wait(0.5)
    assert server.stop() == 0
    assert ended.wait(30)
    assert "graceful shutdown exceeded" not in server.log
    server.again()
    api = Api(server)
    job = api.done(job_id)
    assert (job["status"], job["pages"]["done"]) == ("succeeded", PAGES)
    assert sum(api.attempts(job_id).values()) <= PAGES + 1


def _follow(api: Api, job_id: str, ended: threading.Event) -> None:
    try:
        with httpx.stream("GET", f"{api.url}/v1/jobs/{job_id}/events", timeout=60, trust_env=False) as stream:
            for _ in stream.iter_lines():
                pass
    except httpx.TransportError:
        return
    finally:
        ended.set()


def test_a_job_is_followed_from_its_beginning_to_its_end_and_across_a_broken_connection(
    server: ServerProcess, library: IIIFServer
) -> None:
    api = Api(server)
    job_id = api.submit(source=library.manifest_url(), pages="1-40")
    first = _events(api, job_id, {}, most=30)
    rest = _events(api, job_id, {"Last-Event-ID": str(first[-1][0])})
    assert first[0][1] == "job"
    numbers = [number for number, _, _ in first[1:]] + [number for number, _, _ in rest[1:]]
    assert numbers == list(range(1, len(numbers) + 1)), "each event once, none missing"
    pages = [data for _, kind, data in [*first, *rest] if kind == "page"]
    assert [(page["index"], page["name"], page["status"], page["annotations"]) for page in pages] == [
        (n, f"p{n:04d}.jpg", "done", 1) for n in range(40)
    ]
    _, kind, last = rest[-1]
    assert (kind, last["status"], last["pages"]["done"]) == ("job", "succeeded", 40)


def _events(api: Api, job_id: str, headers: dict[str, str], most: int = 1000) -> list[tuple[int, str, dict[str, Any]]]:
    """Id, kind and data of the events, until the stream ends or there are so many."""
    out: list[tuple[int, str, dict[str, Any]]] = []
    with httpx.stream(
        "GET", f"{api.url}/v1/jobs/{job_id}/events", headers=headers, timeout=60, trust_env=False
    ) as stream:
        event: dict[str, str] = {}
        for line in stream.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif "data" in event:
                out.append((int(event["id"]), event["event"], json.loads(event["data"])))
                event = {}
                if len(out) == most:
                    break
    return out


def test_a_running_job_is_cancelled_and_taken_up_again(server: ServerProcess, library: IIIFServer) -> None:
    api = Api(server)
    job_id = api.submit(source=library.manifest_url())
    api.reached(job_id, 10)
    assert api.ask("DELETE", f"/jobs/{job_id}").status_code == 409
    assert api.ask("POST", f"/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    done = api.job(job_id)["pages"]["done"]
    time.sleep(1)
    assert api.job(job_id)["pages"]["done"] == done < PAGES
    assert api.ask("POST", f"/jobs/{job_id}/retry").status_code == 202
    job = api.done(job_id)
    assert (job["status"], job["pages"]["done"]) == ("succeeded", PAGES)
    assert api.results(job_id) == _expected()
    assert api.ask("DELETE", f"/jobs/{job_id}").status_code == 204
    assert api.ask("GET", f"/jobs/{job_id}").status_code == 404


@pytest.mark.timeout(180)
def test_two_machines_share_a_job_and_when_one_dies_the_other_finishes_it(
    bright: Path, library: IIIFServer, postgres_url: str, s3_server: str, s3_storage: str, tmp_path: Path
) -> None:
    """The server only takes the job; PostgreSQL and S3 are all that the machines have in common."""
    shared = {"LIMNER_DATABASE_URL": postgres_url, "LIMNER_STORAGE_URL": s3_storage, **s3.environment(s3_server)}
    server, one, two = (with_model(tmp_path / name, bright) for name in ("server", "one", "two"))
    with (
        serving(server, "--no-auth", "--workers", "0", **shared) as process,
        working(one, **shared) as first,
        working(two, **shared),
    ):
        api = Api(process)
        job_id = api.submit(source=library.manifest_url())
        until(lambda: api.ask("GET", "/queue").json()["running"] == 2, 60)
        api.reached(job_id, 60)
        first.kill()
        job = api.done(job_id, 120)
        assert (job["status"], job["pages"]["done"]) == ("succeeded", PAGES)
        assert api.results(job_id) == _expected()
        assert sum(api.attempts(job_id).values()) <= PAGES + 1
        assert len(api.ask("GET", "/queue").json()["worker_list"]) == 1
