"""Every kind of source is found, and opened again from what was kept of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from limner.core.errors import LimnerError, NotFoundError, SourceError
from limner.operations.jobs.record import description_of, documents_of, keep_documents
from limner.operations.jobs.sources import Found, JobSources, adopt
from limner.storage.jobs import Job, Jobs
from tests.operations.jobs.conftest import MakeLibrary
from tests.operations.jobs.workplace import Workplace, bright_page, image_bytes, opened, upload
from tests.sources.image_files import tiff_pages


@pytest.fixture
def idle(tmp_path: Path, bright: Path) -> Any:
    with opened(tmp_path / "data", bright, start=False) as place:
        yield place


def _found(place: Workplace, job: Job) -> list[Found]:
    async def find() -> list[Found]:
        return [each async for each in _sources(place).find(job)]

    adopt(job, place.blobs)
    found = asyncio.run(find())
    keep_documents(place.blobs, job.id, [(each, len(each.document.handles)) for each in found])
    return found


def _sources(place: Workplace) -> JobSources:
    return JobSources(place.database, place.blobs, place.services.sources)


def _again(place: Workplace, job: Job) -> list[list[str]]:
    """The ids of the pages of each document, as another process would see them."""
    described = [description_of(place.blobs, job.id, each.number) for each in documents_of(place.blobs, job)]
    opened_again = [asyncio.run(_sources(place).handles(job, each)) for each in described if each["again"]]
    return [[handle.page.id for handle in handles] for handles in opened_again]


def _same(place: Workplace, job: Job) -> list[tuple[str, int]]:
    """Title and number of pages of each document, after seeing that they are the same when opened again."""
    found = _found(place, job)
    pages = [[handle.page.id for handle in each.document.handles] for each in found if each.again]
    assert _again(place, job) == pages
    return [(each.document.title, len(each.document.handles)) for each in found]


def test_a_manifest_is_opened_again_without_its_library(idle: Workplace, library: MakeLibrary) -> None:
    server = library(2)
    job = idle.submit(server.manifest_url(2))
    assert _same(idle, job) == [("Loopback pages", 2)]
    assert server.log == ["/presentation/2/pages/manifest.json"]


def test_relative_addresses_lead_to_the_place_of_the_manifest(idle: Workplace, library: MakeLibrary) -> None:
    server = library(1, services=False)
    manifest = json.loads(json.dumps(server.manifest()).replace(f"{server.url}/files", "/files"))
    server.documents["/elsewhere/manifest.json"] = manifest
    job = idle.submit(f"{server.url}/elsewhere/manifest.json")
    found = _found(idle, job)
    (handles,) = [asyncio.run(_sources(idle).handles(job, description_of(idle.blobs, job.id, 0)))]
    for handle in (found[0].document.handles[0], handles[0]):
        assert handle.page.source == f"{server.url}/files/p0000.png"


def test_a_manifest_behind_an_address_that_does_not_look_like_one(idle: Workplace, library: MakeLibrary) -> None:
    server = library(2)
    server.documents["/objects/22"] = server.manifest()
    assert _same(idle, idle.submit(f"{server.url}/objects/22")) == [("Loopback pages", 2)]
    assert server.log == ["/objects/22"] * 2  # as a file of any kind, then as a manifest, and never again


def test_an_image_service_a_tiff_and_a_list_by_their_addresses(idle: Workplace, library: MakeLibrary) -> None:
    server = library(1)
    assert _same(idle, idle.submit(server.info_url("p0000"))) == [("p0000", 1)]
    (Path(idle.settings.data).parent / "library-1" / "z.tif").write_bytes(tiff_pages((8, 8), (9, 9)))
    server = library(1)
    assert _same(idle, idle.submit(server.file_url("z"))) == [("z", 2)]


def test_addresses_and_files_and_documents(idle: Workplace, library: MakeLibrary) -> None:
    server = library(2)
    files = [server.file_url(name) for name in server.images]
    assert _same(idle, idle.submit([*files, server.manifest_url()], title="All")) == [("All", 2), ("Loopback pages", 2)]
    image = image_bytes(bright_page((0, 0, 60, 40)))
    assert _same(idle, idle.submit(uploads=[upload("a.png", image), upload("b.tif", tiff_pages((8, 8), (9, 9)))])) == [
        ("a", 3)
    ]
    document = idle.documents().take_in([upload("a.png", image)], title="Kept", kind=None, author="ada")
    assert _same(idle, idle.submit(document=document.id)) == [("Kept", 1)]


def test_a_manifest_given_as_json_is_never_read_from_the_servers_disk(idle: Workplace, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(image_bytes(bright_page()))
    body = {"id": str(tmp_path / "secret.png"), "type": "Image", "format": "image/png"}
    painting = {"type": "Annotation", "motivation": "painting", "body": body, "target": "https://x.example/c"}
    page = {"type": "AnnotationPage", "items": [painting]}
    canvas = {"id": "https://x.example/c", "type": "Canvas", "width": 9, "height": 9, "items": [page]}
    for identity in ("https://x.example/manifest.json", str(tmp_path / "manifest.json"), "file:///manifest.json"):
        manifest = {"id": identity, "type": "Manifest", "label": {"en": ["x"]}, "items": [canvas]}
        job = idle.submit(manifest)
        for found in _found(idle, job):
            for handle in found.document.handles:
                with pytest.raises(LimnerError):
                    asyncio.run(handle.fetch(_want()))


def _want() -> Any:
    from limner.sources.protocol import Want

    return Want()


def test_what_is_gone_says_so(idle: Workplace) -> None:
    document = idle.documents().take_in(
        [upload("a.png", image_bytes(bright_page((0, 0, 60, 40))))], title="Kept", kind=None, author="ada"
    )
    job = idle.submit(document=document.id)
    (found,) = _found(idle, job)
    idle.blobs.delete_all(f"documents/{document.id}/images")
    with pytest.raises(SourceError, match=r"The image of a\.png is not kept any more"):
        asyncio.run(found.document.handles[0].fetch(_want()))
    idle.documents().delete(document.id)
    with pytest.raises(NotFoundError):
        _again(idle, job)
    described: Mapping[str, Any] = {"id": "x", "again": {"address": "https://library.example/x.pdf"}}
    assert Jobs(idle.database, idle.workspace_id).get(job.id)
    with pytest.raises(SourceError):
        asyncio.run(_sources(idle).handles(job, {**described, "again": {}}))
