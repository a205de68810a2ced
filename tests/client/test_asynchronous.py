"""The client for asyncio: the same as the other one, awaited."""

import asyncio
from pathlib import Path

import pytest

from limner.client import AsyncClient, JobEvent, ServerUnreachableError
from limner.core.errors import ModelNotFoundError, NotFoundError
from tests.client.scripted import Reply, ScriptedServer, answering, refusing, telling
from tests.client.test_blocking import _JOB, _event, files_in


async def test_several_images_at_once_side_by_side(async_client: AsyncClient, pages: list[Path]) -> None:
    found = await asyncio.gather(*(async_client.annotate(path) for path in pages))
    assert [len(each[0].annotations) for each in found] == [1, 1, 1]
    with pytest.raises(ModelNotFoundError):
        await async_client.annotate(pages[0], model="nowhere")


async def test_a_job_from_files_to_results(async_client: AsyncClient, pages: list[Path], tmp_path: Path) -> None:
    job = await async_client.jobs.create(files=pages, title="Pages")
    events: list[JobEvent] = []
    done = await async_client.jobs.wait(job, timeout=60, on_event=events.append)
    assert done.status == "succeeded"
    assert sorted(event.page.index for event in events if event.page) == [0, 1, 2]
    assert [len(page.annotations) async for page in async_client.jobs.annotated_pages(job)] == [1, 1, 1]
    assert (await async_client.jobs.save_results(job, tmp_path, "coco")).name == "coco.json"
    assert job.id in [each.id async for each in async_client.jobs.list()]
    assert [page.name async for page in async_client.jobs.pages(job)] == ["1.png", "2.png", "3.png"]
    await async_client.jobs.delete(job)
    with pytest.raises(NotFoundError):
        await async_client.jobs.get(job)


async def test_a_document_is_kept_and_saved(async_client: AsyncClient, pages: list[Path], tmp_path: Path) -> None:
    document = await async_client.documents.create(pages[:1])
    assert (await async_client.documents.annotations(document, 0)).revision == 0
    path = await async_client.documents.save_export(document, tmp_path / "out.json", "coco")
    assert "images" in path.read_text()
    await async_client.documents.delete(document)


async def test_a_stream_that_breaks_off_is_taken_up_after_the_last_event(scripted: ScriptedServer) -> None:
    scripted.on(
        "/v1/jobs/j/events",
        telling(_event(1), _event(2), "event: job\nid: 3\nda", broken=True),
        Reply(502),
        telling(_event(2), _event(3, "failed")),
    )
    async with AsyncClient(scripted.url, retries=0) as client:
        assert [event.id async for event in client.jobs.events("j")] == ["1", "2", "3"]
    assert [asked.headers.get("last-event-id") for asked in scripted.asked] == [None, "2", "2"]


async def test_busy_servers_are_asked_again(scripted: ScriptedServer) -> None:
    later = refusing(429, "too-many-requests", retry_after="0")
    scripted.on("/v1/jobs/j", Reply(broken=True), later, answering(_JOB))
    async with AsyncClient(scripted.url) as client:
        assert (await client.jobs.get("j")).id == "j"
    assert len(scripted.asked) == 3


async def test_lists_are_read_to_their_end(scripted: ScriptedServer) -> None:
    second = answering({"items": [{**_JOB, "id": "k"}], "next": None})
    scripted.on("/v1/jobs", answering({"items": [_JOB], "next": "x"}), second)
    async with AsyncClient(scripted.url) as client:
        assert [job.id async for job in client.jobs.list()] == ["j", "k"]


async def test_a_download_that_breaks_off_leaves_nothing(scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.on("/v1/jobs/j/results", Reply(body=b"half", broken=True))
    async with AsyncClient(scripted.url) as client:
        with pytest.raises(ServerUnreachableError, match="broke off"):
            await client.jobs.save_results("j", tmp_path / "out.jsonl")
    assert files_in(tmp_path) == []


async def test_nobody_there_is_one_clear_error() -> None:
    async with AsyncClient("http://127.0.0.1:9", retries=0) as client:
        with pytest.raises(ServerUnreachableError, match=r"127\.0\.0\.1:9"):
            await client.queue()


async def test_waiting_ends_with_its_time(scripted: ScriptedServer) -> None:
    scripted.on("/v1/jobs/j/events", telling(_event(1)))
    async with AsyncClient(scripted.url) as client:
        with pytest.raises(TimeoutError):
            await client.jobs.wait("j", timeout=0.2)
