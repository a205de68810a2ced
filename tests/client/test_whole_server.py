"""What a client can ask of a real server, beside jobs and documents: addresses, webhooks, estimates, keys."""

import asyncio
import base64
import io
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

import pytest
from PIL import Image

from limner.client import AsyncClient, Client, Job, Upload
from limner.core.errors import (
    AddressRefusedError,
    ConflictError,
    LimnerError,
    ModelNotFoundError,
    NotFoundError,
    UsageError,
)
from tests.sources.iiif.loopback import IIIFServer

T = TypeVar("T")


@pytest.fixture
def library(pages: list[Path]) -> Iterator[IIIFServer]:
    with IIIFServer(pages[0].parent) as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """The address of somebody who takes webhooks, and what came."""
    came: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}/hook", came
    http.shutdown()
    thread.join()
    http.server_close()


def test_addresses_are_fetched_by_the_server(client: Client, library: IIIFServer) -> None:
    (page,) = client.annotate(library.file_url("1"))
    assert len(page.annotations) == 1
    assert len(client.annotate([library.file_url("1"), library.file_url("2")])) == 2
    with pytest.raises(AddressRefusedError):
        client.annotate("http://10.0.0.1/a.jpg")


def test_a_data_url_is_an_image_too(client: Client, pages: list[Path]) -> None:
    data = base64.b64encode(pages[0].read_bytes()).decode()
    assert len(client.annotate(f"data:image/png;base64,{data}")[0].annotations) == 1
    job = client.jobs.create(f"data:image/png;base64,{data}")
    assert client.jobs.wait(job, timeout=60).pages.done == 1


def test_a_manifest_is_estimated_and_annotated(client: Client, library: IIIFServer) -> None:
    estimate = client.estimate(library.manifest_url(3), model="bright")
    assert (estimate.images, estimate.model) == (3, "bright@1")
    assert estimate.seconds > 0
    job = client.jobs.create(library.manifest_url(3), pages="2-", document_type="print")
    assert client.jobs.wait(job, timeout=60).pages.total == 2
    (document,) = client.jobs.documents(job)
    assert (document.id, document.first, document.skipped) == (library.manifest_url(3), 0, ())


def test_a_list_of_addresses_is_one_job(client: Client, library: IIIFServer) -> None:
    job = client.jobs.create([library.file_url("1"), library.file_url("3")])
    assert client.jobs.wait(job, timeout=60).pages.done == 2


def test_the_same_key_makes_one_job(client: Client, pages: list[Path]) -> None:
    first = client.jobs.create(files=pages, idempotency_key="night-run-1")
    assert client.jobs.create(files=pages, idempotency_key="night-run-1").id == first.id
    with pytest.raises(ConflictError):
        client.jobs.create(files=pages[:1], idempotency_key="night-run-1")
    document = client.documents.create(pages, idempotency_key="upload-1")
    assert client.documents.create(pages, idempotency_key="upload-1").id == document.id


def test_word_is_sent_and_can_be_sent_again(
    client: Client, pages: list[Path], receiver: tuple[str, list[bytes]]
) -> None:
    url, came = receiver
    job = client.jobs.create(files=pages, callback=url)
    client.jobs.wait(job, timeout=60)
    _until(lambda: came)
    assert job.id.encode() in came[0]
    delivered = _until(lambda: [each for each in client.jobs.deliveries(job) if each["status"] == "delivered"])
    client.jobs.replay(job, delivered[0]["number"])
    _until(lambda: len(came) == 2)


def test_a_workspace_is_told_of_its_jobs(client: Client, pages: list[Path], receiver: tuple[str, list[bytes]]) -> None:
    url, came = receiver
    with pytest.raises(NotFoundError):
        client.webhook()
    assert client.set_webhook(url, secret="a-long-secret").signed
    assert (client.webhook().url, client.webhook().form) == (url, "json")
    client.jobs.wait(client.jobs.create(files=pages[:1]), timeout=60)
    _until(lambda: came)
    client.delete_webhook()
    with pytest.raises(NotFoundError):
        client.webhook()


def test_a_job_is_cancelled_while_it_runs(client: Client, pages: list[Path]) -> None:
    with IIIFServer(pages[0].parent) as slow:
        slow.hold("/image/")
        job = client.jobs.create(slow.manifest_url(3))
        _until(lambda: client.jobs.get(job).status == "running")
        assert client.jobs.cancel(job).status == "cancelled"
        slow.release()
        assert client.jobs.wait(job, timeout=30).status == "cancelled"
        assert client.jobs.retry(job).status == "queued"
        assert client.jobs.wait(job, timeout=60).status == "succeeded"
    assert job.id in [each.id for each in client.jobs.list(kind="annotate")]


def test_lists_of_many_come_in_parts(client: Client) -> None:
    dark = _dark()
    job = client.jobs.create(files=[Upload(f"{number:03}.png", dark) for number in range(120)])
    client.jobs.wait(job, timeout=100)
    assert [page.index for page in client.jobs.pages(job)] == list(range(120))


def test_what_the_server_refuses_has_its_class_and_sentence(client: Client, pages: list[Path]) -> None:
    with pytest.raises(UsageError, match="It has bright, red"):
        client.jobs.create(files=pages, labels=["rde"])
    with pytest.raises(ModelNotFoundError, match="nowhere"):
        client.jobs.create(files=pages, model="nowhere")
    with pytest.raises(NotFoundError):
        client.jobs.create(document="0" * 32)
    with pytest.raises(LimnerError, match="cannot be used"):
        client.jobs.create(files=pages, priority=10)
    with pytest.raises(LimnerError, match="image"):
        client.jobs.create(files=[b"no image at all"])
    with pytest.raises(LimnerError, match="coko"):
        client.annotate_as(pages[0], "coko")


async def test_a_task_that_is_cancelled_lets_go_of_its_stream(async_client: AsyncClient, pages: list[Path]) -> None:
    with IIIFServer(pages[0].parent) as slow:
        slow.hold("/image/")
        job = await async_client.jobs.create(slow.manifest_url(3))
        waiting = asyncio.create_task(async_client.jobs.wait(job))
        await asyncio.sleep(0.5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await async_client.jobs.cancel(job)).final


async def test_many_jobs_are_waited_for_side_by_side(async_client: AsyncClient, pages: list[Path]) -> None:
    made = [await async_client.jobs.create(files=[path]) for path in pages]
    ended: list[Job] = await asyncio.gather(*(async_client.jobs.wait(job, timeout=60) for job in made))
    assert [job.status for job in ended] == ["succeeded"] * 3


async def test_the_rest_of_the_server_is_there_too(async_client: AsyncClient) -> None:
    assert "bright@1" in [model.ref async for model in async_client.models.list()]
    assert (await async_client.routes.set("print", "text")).model == "text"
    await async_client.routes.delete("print")
    made = await async_client.tokens.create("async", ["annotate"])
    assert made.token.id in [token.id async for token in async_client.tokens.list()]
    await async_client.tokens.delete(made.token)
    assert (await async_client.queue()).workers == 1
    assert "jsonl" in (await async_client.settings())["writes"]


def _dark() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 10, 10)).save(out, "PNG")
    return out.getvalue()


def _until(look: Callable[[], T], seconds: float = 60.0) -> T:
    """What a function gives, once it gives something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about")
