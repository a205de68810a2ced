"""Jobs from their source to their results, with a real engine, model and library."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from limner.annotations.annotation import ByPerson
from limner.annotations.formats.protocol import WRITERS
from limner.annotations.serial import annotation_to_plain
from limner.core.errors import ConflictError
from limner.operations.documents.rendering import render
from limner.operations.jobs.record import documents_of
from limner.operations.jobs.results import job_documents, page_states
from limner.storage.jobs import Job
from tests.operations.jobs.conftest import MakeLibrary
from tests.operations.jobs.workplace import Slow, Workplace, bright_page, image_bytes, opened, until, upload
from tests.sources.iiif.loopback import Canned
from tests.sources.pdf_files import Drawing

#: What `save_pages` draws on the first pages.
BOXES = ["0 0 60 40", "20 0 60 40", "40 0 60 40"]


def _results(place: Workplace, job: Job, name: str = "extractor") -> str:
    documents = job_documents(place.database, place.blobs, job)
    return b"".join(render(WRITERS.get(name), documents, "job").chunks).decode()


def test_a_manifest_becomes_an_annotation_file(place: Workplace, library: MakeLibrary) -> None:
    server = library(3)
    job = place.submit(server.manifest_url())
    assert (job.status, job.model, job.source) == ("queued", "bright@1", server.manifest_url())
    job = place.done(job)
    assert (job.status, job.pages.total, job.pages.done) == ("succeeded", 3, 3)
    assert _results(place, job) == "".join(f"{n} p{n - 1:04d}.jpg\n{box}\n" for n, box in enumerate(BOXES, 1))


def test_all_of_it_works_on_both_databases(
    tmp_path: Path, bright: Path, library: MakeLibrary, database_url: str
) -> None:
    """A manifest, a page that fails and is tried again, a document and its annotations."""
    server = library(25)
    server.answer("p0001", Canned(404), times=100)
    with opened(tmp_path / "place", bright, database_url=database_url) as place:
        job = place.done(place.submit(server.manifest_url(), callback=f"{server.url}/hook", title="Ümläut 写本"))
        assert (job.status, job.pages.done) == ("partly_failed", 24)
        server._canned.clear()
        job = place.done(place.engine.retry(place.workspace_id, job.id))
        assert (job.status, job.pages.done) == ("succeeded", 25)
        assert _results(place, job).count("\n") == 50
        page = upload("a.png", image_bytes(bright_page((0, 0, 60, 40))))
        document = place.documents().take_in([page], title="写本", kind=None, author="ada")
        place.done(place.submit(document=document.id))
        assert len(place.documents().annotations(document.id, 0)[0]) == 1
        place.desk().delete(job.id)
        place.engine.sweep()


@pytest.mark.parametrize("name", sorted(WRITERS.names()))
def test_every_format_has_what_the_command_line_would_write(
    place: Workplace, library: MakeLibrary, tmp_path: Path, name: str
) -> None:
    """The same pages through the other way of Limner, byte for byte."""
    server = library(2)
    job = place.done(place.submit(server.manifest_url()))
    documents = job_documents(place.database, place.blobs, job)
    rendered = render(WRITERS.get(name), documents, "job")
    data = b"".join(rendered.chunks)
    there = {rendered.file_name: data}
    if rendered.media_type == "application/zip":
        with zipfile.ZipFile(BytesIO(data)) as archive:
            there = {entry: archive.read(entry) for entry in archive.namelist()}
    assert there == _annotated_by_command(place, server.manifest_url(), tmp_path / "out", name)


def _annotated_by_command(place: Workplace, source: str, folder: Path, name: str) -> dict[str, bytes]:
    import asyncio

    from limner.operations.annotate import AnnotateRequest, annotate
    from limner.operations.outputs import Target

    class Silent:
        def document_started(self, summary: object) -> None: ...
        def page_finished(self, outcome: object) -> None: ...
        def document_finished(self, summary: object) -> None: ...

    request = AnnotateRequest(sources=(source,), target=Target((WRITERS.get(name),), folder=folder))
    asyncio.run(annotate(request, place.services, Silent()))
    files = [path for path in folder.rglob("*") if path.is_file() and ".limner" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_library_is_asked_for_the_manifest_once_whatever_the_number_of_chunks(
    place: Workplace, library: MakeLibrary
) -> None:
    server = library(45)
    job = place.submit(server.manifest_url())
    until(lambda: any(status == "done" for _, status, _ in place.pages(job)))
    place.engine._handlers["annotate"]._opened._open.clear()  # as on another machine
    job = place.done(job)
    assert (job.status, job.pages.done) == ("succeeded", 45)
    assert server.log.count("/presentation/3/pages/manifest.json") == 1
    assert len([path for path in server.log if path.startswith("/image/")]) == 45


def test_a_manifest_given_as_json_needs_no_library_but_for_the_images(place: Workplace, library: MakeLibrary) -> None:
    server = library(2)
    job = place.done(place.submit(server.manifest()))
    assert (job.status, job.source) == ("succeeded", server.manifest_url())
    assert not any("manifest" in path for path in server.log)
    assert json.loads(_results(place, job, "iiif"))["id"] == server.manifest_url()


def test_a_list_of_addresses_is_one_document_with_the_jobs_title(place: Workplace, library: MakeLibrary) -> None:
    server = library(3)
    job = place.done(place.submit([server.file_url(name) for name in server.images], title="Three pages"))
    assert (job.status, job.pages.done, job.source) == ("succeeded", 3, f"{server.file_url('p0000')} and 2 more")
    (document,) = job_documents(place.database, place.blobs, job)
    assert document.title == "Three pages"
    assert [line for line in _results(place, job).splitlines() if " p" not in line and ":" not in line] == BOXES


def test_a_collection_gives_a_folder_for_each_manifest(place: Workplace, library: MakeLibrary) -> None:
    server = library(2)
    second = json.loads(json.dumps(server.manifest()).replace("/pages/", "/others/"))
    second["label"] = {"en": ["Others"]}
    server.documents["/presentation/3/others/manifest.json"] = second
    collection = server.collection()
    collection["items"] += [{"id": second["id"], "type": "Manifest"}, {"id": f"{server.url}/gone", "type": "Manifest"}]
    server.documents["/presentation/3/collection.json"] = collection
    job = place.done(place.submit(server.collection_url()))
    assert (job.status, job.pages.done) == ("succeeded", 4)
    rendered = render(WRITERS.get("extractor"), job_documents(place.database, place.blobs, job), "job")
    with zipfile.ZipFile(BytesIO(b"".join(rendered.chunks))) as archive:
        files = {name: archive.read(name).decode().count("\n") for name in archive.namelist()}
    assert files == {"Loopback-pages/extractor.txt": 4, "Others/extractor.txt": 4}
    missing = documents_of(place.blobs, job)[-1]
    assert (missing.pages, missing.skipped[0]["where"]) == (0, f"{server.url}/gone")


def test_uploads_of_all_kinds_make_one_job(place: Workplace, tmp_path: Path) -> None:
    drawing = Drawing()
    drawing.image(drawing.page(), bright_page((20, 20, 80, 60)), 360, 0, 0, 240, 0, 0)
    drawing.page()
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inside/10.png", image_bytes(bright_page((0, 0, 60, 40))))
        archive.writestr("inside/9.png", image_bytes(bright_page((40, 0, 100, 40))))
    tiff = image_bytes(bright_page((0, 0, 40, 40)), "TIFF", save_all=True, append_images=[bright_page((20, 0, 60, 40))])
    uploads = [
        upload("../../etc/page 1.png", image_bytes(bright_page((0, 0, 60, 40)))),
        upload("scan.tif", tiff),
        upload("book.pdf", drawing.save(tmp_path / "drawn.pdf").read_bytes()),
        upload("all.zip", packed.getvalue()),
    ]
    job = place.done(place.submit(uploads=uploads))
    assert job.status == "succeeded"
    names = [name for name, _, _ in place.pages(job)]
    assert names == [
        "page 1.png",
        "scan_0001.tif",
        "scan_0002.tif",
        "book_0001.jpg",
        "book_0002.jpg",
        "9.png",
        "10.png",
    ]
    states = page_states(place.database, place.workspace_id, job.id, after=-1, limit=10)
    assert [state.annotations for state in states] == [1, 1, 1, 1, 1, 1, 1]
    assert place.blobs.keys("inbox") == []


def test_data_urls_are_images_like_others(place: Workplace) -> None:
    import base64

    url = "data:image/png;base64," + base64.b64encode(image_bytes(bright_page((0, 0, 60, 40)))).decode()
    job = place.done(place.submit([url, url]))
    assert (job.status, job.pages.done, job.source) == ("succeeded", 2, "2 images given as data")


def test_chosen_pages_labels_and_zones_are_obeyed(place: Workplace, library: MakeLibrary) -> None:
    server = library(5)
    job = place.done(place.submit(server.manifest_url(), pages="2,4-", zones=[[0, 0, 100, 100]], labels=["bright"]))
    assert [name for name, _, _ in place.pages(job)] == ["p0001.jpg", "p0003.jpg", "p0004.jpg"]
    first = json.loads(_results(place, job, "jsonl").splitlines()[0])
    chosen = first["annotations"][0]["provenance"]["parameters"]
    assert (chosen["labels"], chosen["zones"]) == (["bright"], [[0.0, 0.0, 100.0, 100.0]])
    none = place.done(place.submit(server.manifest_url(), pages="6-"))
    assert none.status == "failed"
    assert none.error.message == "No page of the source is among 6-."


def test_a_page_that_fails_is_told_and_can_be_tried_again(place: Workplace, library: MakeLibrary) -> None:
    server = library(3)
    server.answer("p0001", Canned(404), times=100)
    job = place.done(place.submit(server.manifest_url()))
    assert (job.status, job.pages.done, job.pages.failed) == ("partly_failed", 2, 1)
    assert place.pages(job)[1] == ("p0001.jpg", "failed", "source.fetch")
    assert _results(place, job).splitlines()[2:4] == ["2 p0001.jpg", "3 p0002.jpg"]
    server._canned.clear()
    asked = len(server.log)
    job = place.done(place.engine.retry(place.workspace_id, job.id))
    assert (job.status, job.pages.done) == ("succeeded", 3)
    assert not any("p0000" in path or "p0002" in path for path in server.log[asked:])


def test_a_source_that_cannot_be_opened_fails_the_job_with_its_reason(place: Workplace, library: MakeLibrary) -> None:
    server = library(1)
    job = place.done(place.submit(f"{server.url}/nothing/manifest.json"))
    assert (job.status, job.error.code) == ("failed", "source.status")
    assert "404" in job.error.message
    with pytest.raises(ConflictError, match="has no documents"):
        job_documents(place.database, place.blobs, job)


def test_private_addresses_are_refused(tmp_path: Path, bright: Path, library: MakeLibrary) -> None:
    server = library(1)
    with opened(tmp_path / "guarded", bright, source_networks="") as place:
        job = place.done(place.submit(server.manifest_url()))
        assert (job.status, job.error.code) == ("failed", "source.address-refused")
    assert server.log == []


def test_a_model_that_is_gone_fails_every_page(place: Workplace, library: MakeLibrary) -> None:
    server = library(3)
    place.engine.stop(0)
    job = place.submit(server.manifest_url())
    place.services.store.alias("default", None)
    place.services.store.remove("bright")
    place.engine.start()
    job = place.done(job)
    assert (job.status, job.pages.failed) == ("failed", 3)
    assert {code for _, _, code in place.pages(job)} == {"model.not-found"}


def test_cancelling_takes_effect_at_once_while_a_model_runs(
    place: Workplace, library: MakeLibrary, slow: Callable[..., Slow]
) -> None:
    runtime, server = slow(120.0), library(3)
    job = place.submit(server.manifest_url(), model="slow")
    until(lambda: runtime.begun == 1)
    assert place.desk().cancel(job.id).status == "cancelled"
    until(lambda: not place.engine.overview().queues and not place.engine._worker._slots.running())
    assert runtime.ended == 0
    # The next job does not wait for the one that was given up.
    assert place.done(place.submit(server.manifest_url())).status == "succeeded"
    assert runtime.ended == 0


def test_cancelling_takes_effect_while_a_model_is_loaded(
    place: Workplace, library: MakeLibrary, slow: Callable[..., Slow]
) -> None:
    slow(0.0, load_seconds=120.0)
    server = library(1)
    job = place.submit(server.manifest_url(), model="slow")
    until(lambda: place.engine._worker._slots.running("slow@1") == 1)
    place.desk().cancel(job.id)
    until(lambda: not place.engine._worker._slots.running())


def test_a_job_over_a_document_puts_what_it_found_into_it(place: Workplace) -> None:
    desk = place.documents()
    pages = [upload(f"{n}.png", image_bytes(bright_page((20 * n, 0, 20 * n + 60, 40)))) for n in range(2)]
    document = desk.take_in(pages, title="Two pages", kind=None, author="ada")
    job = place.done(place.submit(document=document.id))
    assert (job.status, job.pages.done) == ("succeeded", 2)
    found, revision = desk.annotations(document.id, 1)
    assert revision == 1
    assert annotation_to_plain(found[0])["box"] == [20, 0, 60, 40]
    assert annotation_to_plain(found[0])["provenance"]["model"] == "bright"
    (change,) = desk.history(document.id, 1, limit=10)
    assert (change.revision.author, change.revision.comment) == (f"job:{job.id}", "annotated with bright@1")


def test_a_job_leaves_a_page_alone_that_a_person_has_changed_since(place: Workplace, slow: Callable[..., Slow]) -> None:
    runtime = slow(120.0)
    desk = place.documents()
    pages = [upload(f"{n}.png", image_bytes(bright_page((0, 0, 60, 40)))) for n in range(2)]
    document = desk.take_in(pages, title="Two pages", kind=None, author="ada")
    place.done(place.submit(document=document.id))
    by_model, revision = desk.annotations(document.id, 1)
    job = place.submit(document=document.id, model="slow")
    until(lambda: place.engine._worker._slots.running("slow@1") == 1)
    desk.correct(document.id, 1, [], seen=revision, author="ada")
    runtime.gate.set()
    job = place.done(job)
    assert job.status == "succeeded"
    assert [len(desk.annotations(document.id, n)[0]) for n in range(2)] == [1, 0]
    notes = [state.note for state in page_states(place.database, place.workspace_id, job.id, after=-1, limit=2)]
    assert notes == [None, "ada has changed this page since the job was made: it was left as it is."]
    # A job that is made later is asked for by somebody who has seen the correction.
    place.done(place.submit(document=document.id))
    again, _ = desk.annotations(document.id, 1)
    assert len(again) == 1
    assert not isinstance(again[0].provenance, ByPerson)
    assert by_model == again


def test_a_document_that_is_deleted_meanwhile_fails_the_pages(place: Workplace, slow: Callable[..., Slow]) -> None:
    slow(0.5)
    desk = place.documents()
    document = desk.take_in(
        [upload("a.png", image_bytes(bright_page((0, 0, 60, 40))))], title=None, kind=None, author="ada"
    )
    job = place.submit(document=document.id, model="slow")
    until(lambda: place.engine._worker._slots.running("slow@1") == 1)
    desk.delete(document.id)
    job = place.done(job)
    assert job.status == "failed"
    assert place.pages(job)[0][1:] in [("failed", "not-found"), ("failed", "source")]
