"""The client for ordinary code, against a real server, and against one that behaves badly."""

import threading
from pathlib import Path

import pytest

from limner.annotations.annotation import ByPerson
from limner.client import Client, JobEvent, ServerUnreachableError, Upload
from limner.core.errors import ConflictError, ModelNotFoundError, NotFoundError, NoTokenError, UsageError
from tests.client.conftest import draw_page
from tests.client.scripted import Reply, ScriptedServer, answering, refusing, telling
from tests.limner_process import ServerProcess, free_port, serving


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_a_path_bytes_and_several_are_annotated_at_once(client: Client, pages: list[Path]) -> None:
    (page,) = client.annotate(pages[0])
    (found,) = page.annotations
    assert (found.label, page.page.name) == ("bright", "1.png")
    assert [found.shape.x, found.shape.y] == pytest.approx([40, 50], abs=15)
    (other,) = client.annotate(pages[1].read_bytes())
    assert other.annotations[0].shape.x == pytest.approx(80, abs=15)
    assert [each.page.name for each in client.annotate([str(path) for path in pages])] == ["1.png", "2.png", "3.png"]


def test_what_is_wished_for_counts(client: Client, pages: list[Path]) -> None:
    assert not client.annotate(pages[0], threshold=1.0)[0].annotations
    assert not client.annotate(pages[0], labels=["red"])[0].annotations
    assert not client.annotate(pages[0], zones=[(0, 200, 400, 300)])[0].annotations
    assert client.annotate(pages[0], model="bright@1", zones=[(0, 0, 400, 200)])[0].annotations
    with pytest.raises(ModelNotFoundError, match="nowhere"):
        client.annotate(pages[0], model="nowhere")


def test_any_format_and_a_picture(client: Client, pages: list[Path]) -> None:
    assert b'"page"' in client.annotate_as(pages[0], "jsonl")
    assert client.annotate_as(pages[0], "overlay").startswith(b"\x89PNG")
    assert client.annotate_as(pages[0], "yolo").startswith(b"PK")


def test_a_job_from_files_to_results(client: Client, pages: list[Path], tmp_path: Path) -> None:
    events: list[JobEvent] = []
    job = client.jobs.create(files=[*pages, tmp_path / "pages" / "1.png"], title="Four pages", priority=2)
    assert (job.title, job.priority, job.model) == ("Four pages", 2, "bright@1")
    done = client.jobs.wait(job, timeout=60, on_event=events.append)
    assert (done.status, done.pages.done, done.final) == ("succeeded", 4, True)
    assert done.created_at is not None
    assert done.finished_at is not None
    assert sorted(event.page.index for event in events if event.page) == [0, 1, 2, 3]
    assert [page.annotations for page in client.jobs.pages(job)] == [1, 1, 1, 1]
    assert [document.pages for document in client.jobs.documents(job)] == [4]
    assert len(client.jobs.results(job).splitlines()) == 4
    assert [len(page.annotations) for page in client.jobs.annotated_pages(job)] == [1, 1, 1, 1]
    assert client.jobs.save_results(job, tmp_path).name == "annotations.jsonl"
    assert client.jobs.save_results(job, tmp_path / "boxes.zip", "yolo").read_bytes().startswith(b"PK")
    assert files_in(tmp_path) == ["annotations.jsonl", "boxes.zip"]
    assert job.id in [each.id for each in client.jobs.list(status="succeeded")]
    client.jobs.delete(job)
    with pytest.raises(NotFoundError):
        client.jobs.get(job)


def test_the_events_of_a_job_that_has_ended_are_all_there(client: Client, pages: list[Path]) -> None:
    job = client.jobs.wait(client.jobs.create(files=pages), timeout=60)
    events = list(client.jobs.events(job))
    assert [event.page.status for event in events if event.page] == ["done"] * 3
    assert events[-1].job is not None
    assert events[-1].job.status == "succeeded"
    middle = events[len(events) // 2]
    assert [event.id for event in client.jobs.events(job, after=middle.id)][-1] == events[-1].id


def test_a_bad_page_fails_alone_and_is_tried_again(client: Client, pages: list[Path]) -> None:
    job = client.jobs.create(files=[pages[0], Upload("bad.png", pages[1].read_bytes()[:200])])
    done = client.jobs.wait(job, timeout=60)
    assert (done.status, done.pages.failed) == ("partly_failed", 1)
    (failed,) = client.jobs.pages(job, status="failed")
    assert failed.name == "bad.png"
    assert failed.error is not None
    assert [page.error is None for page in client.jobs.annotated_pages(job)] == [True, False]
    assert client.jobs.retry(job).status == "queued"
    assert client.jobs.wait(job, timeout=60).pages.failed == 1
    with pytest.raises(ConflictError):
        client.jobs.cancel(job)


def test_several_documents_in_one_job_come_one_after_the_other(client: Client, pages: list[Path]) -> None:
    pdf = pages[0].with_suffix(".pdf")
    from PIL import Image

    Image.open(pages[0]).save(pdf)
    job = client.jobs.wait(client.jobs.create(files=[pdf, *pages[1:]]), timeout=60)
    assert [document.pages for document in client.jobs.documents(job)] == [1, 2]
    assert len(list(client.jobs.annotated_pages(job))) == 3


def test_a_document_is_kept_corrected_and_handed_out(client: Client, pages: list[Path], tmp_path: Path) -> None:
    document = client.documents.create(pages, title="Leaves", type="print")
    assert (document.pages, document.title, document.type) == (3, "Leaves", "print")
    assert document.manifest is not None
    assert [page.page.name for page in client.documents.pages(document)] == ["1.png", "2.png", "3.png"]
    client.jobs.wait(client.jobs.create(document=document.id), timeout=60)
    found = client.documents.annotations(document, 1)
    assert len(found.annotations) == 1
    saved = client.documents.save(document, 1, [], revision=found.revision, comment="nothing there")
    assert saved.annotations == ()
    with pytest.raises(ConflictError) as refused:
        client.documents.save(document, 1, found.annotations, revision=found.revision)
    assert refused.value.problem["present"]["revision"] == saved.revision
    newest, *_ = client.documents.history(document, 1)
    assert (newest.comment, newest.removed) == ("nothing there", 1)
    assert client.documents.annotations(document, 1, revision=found.revision).annotations == found.annotations
    again = client.documents.save(document, 1, found.annotations, revision=saved.revision)
    assert isinstance(again.annotations[0].provenance, ByPerson)
    assert client.documents.manifest(document)["type"] == "Manifest"
    assert client.documents.image(document, 0).startswith(b"\x89PNG")
    assert "images" in client.documents.export(document, "coco")
    assert client.documents.save_export(document, tmp_path, "coco").name == "coco.json"
    assert document.id in [each.id for each in client.documents.list()]
    client.documents.delete(document)
    with pytest.raises(NotFoundError):
        client.documents.get(document)


def test_models_routes_and_the_server_itself(client: Client) -> None:
    assert {"bright@1", "text@1"} <= {model.ref for model in client.models.list()}
    assert client.models.get("default").ref == "bright@1"
    assert client.models.set_alias("mine", "text").aliases == ("mine",)
    client.models.delete_alias("mine")
    assert client.models.test("bright")["hash_matches"] is True
    client.routes.set("print", "text")
    assert (client.routes.get("print").model, [route.model for route in client.routes.list()]) == ("text", ["text"])
    client.routes.delete("print")
    assert client.queue().workers == 1
    assert "jsonl" in client.settings()["writes"]


def test_tokens_and_workspaces(tmp_path: Path, pages: list[Path]) -> None:
    with serving(tmp_path / "data", "--workers", "0") as server:
        with Client(server.url) as nobody:
            with pytest.raises(NoTokenError):
                nobody.annotate(pages[0])
            with pytest.raises(NoTokenError):  # though it is refused while it is still being sent
                nobody.jobs.create(files=[bytes(30_000_000)])
        with Client(server.url, server.first_token) as admin:
            workspace = admin.workspaces.create("maps")
            assert workspace.name in [each.name for each in admin.workspaces.list()]
            made = admin.tokens.create("app", ["annotate"], workspace=workspace)
            assert made.secret not in repr(made)
            with Client(server.url, made.secret) as app:
                assert list(app.jobs.list()) == []
                with pytest.raises(UsageError):
                    app.jobs.get("..")
            admin.tokens.delete(made.token, workspace=workspace)
            assert list(admin.tokens.list(workspace)) == []
            admin.workspaces.delete(workspace)


def test_a_killed_server_is_followed_across_its_restart(tmp_path: Path, pages: list[Path]) -> None:
    with serving(tmp_path / "data", "--no-auth", "--port", str(free_port()), "--workers", "0") as server:
        with Client(server.url) as client:
            job = client.jobs.create(files=pages, model="text-regions")
            seen: list[JobEvent] = []
            waiting = threading.Thread(target=lambda: client.jobs.wait(job, timeout=100, on_event=seen.append))
            waiting.start()
            server.kill()
            server.command = [*server.command[:-2], "--workers", "1"]
            server.again()
            waiting.join(100)
            assert client.jobs.get(job).pages.done == 3
        assert sorted(event.page.index for event in seen if event.page) == [0, 1, 2]


_JOB = {"id": "j", "kind": "annotate", "status": "running", "pages": {"total": 2, "done": 0, "failed": 0}}


def _event(number: int, status: str = "running") -> str:
    import json

    return f"event: job\nid: {number}\ndata: {json.dumps({**_JOB, 'status': status})}\n\n"


def test_a_stream_that_breaks_off_is_taken_up_after_the_last_event(scripted: ScriptedServer) -> None:
    scripted.on(
        "/v1/jobs/j/events",
        telling(_event(1), _event(2), "event: job\nid: 3\nda", broken=True),
        Reply(503),
        telling(_event(2), _event(3)),
        telling(_event(3), _event(4, "succeeded")),
    )
    with Client(scripted.url, retries=0) as client:
        assert [event.id for event in client.jobs.events("j")] == ["1", "2", "3", "4"]
    assert [asked.headers.get("last-event-id") for asked in scripted.asked] == [None, "2", "2", "3"]


def test_a_stream_that_is_refused_is_not_asked_for_again(scripted: ScriptedServer) -> None:
    scripted.on("/v1/jobs/j/events", refusing(404, "not-found"))
    with Client(scripted.url) as client, pytest.raises(NotFoundError):
        list(client.jobs.events("j"))
    assert len(scripted.asked) == 1


def test_waiting_ends_with_its_time(scripted: ScriptedServer) -> None:
    scripted.on("/v1/jobs/j/events", telling(_event(1)))
    with Client(scripted.url) as client, pytest.raises(TimeoutError, match=r"j has not ended after 0\.2 s"):
        client.jobs.wait("j", timeout=0.2)


def test_busy_servers_are_asked_again_and_others_are_not(scripted: ScriptedServer) -> None:
    scripted.on(
        "/v1/jobs/j", refusing(503, "busy"), refusing(429, "too-many-requests", retry_after="0"), answering(_JOB)
    )
    scripted.on("/v1/jobs/j/retry", refusing(503, "busy"))
    with Client(scripted.url) as client:
        assert client.jobs.get("j").id == "j"
        with pytest.raises(Exception, match="No"):
            client.jobs.retry("j")
    assert len(scripted.asked_for("/v1/jobs/j")) == 3
    assert len(scripted.asked_for("/v1/jobs/j/retry")) == 1


def test_a_job_is_made_once_though_it_was_asked_for_twice(scripted: ScriptedServer, pages: list[Path]) -> None:
    scripted.on("/v1/jobs", Reply(broken=True, status=202), refusing(409, "conflict"), answering(_JOB, 202))
    with Client(scripted.url) as client:
        assert client.jobs.create(files=pages).id == "j"
    keys = {asked.headers["idempotency-key"] for asked in scripted.asked}
    assert len(scripted.asked) == 3
    assert len(keys) == 1
    assert len({len(asked.body) for asked in scripted.asked}) == 1  # the files, from their beginning each time


def test_lists_are_read_to_their_end(scripted: ScriptedServer) -> None:
    scripted.on(
        "/v1/jobs",
        answering({"items": [_JOB], "next": "a/b"}),
        answering({"items": [{**_JOB, "id": "k"}], "next": None}),
    )
    with Client(scripted.url) as client:
        assert [job.id for job in client.jobs.list(kind="annotate")] == ["j", "k"]
    assert [asked.path for asked in scripted.asked] == ["/v1/jobs?kind=annotate", "/v1/jobs?kind=annotate&cursor=a%2Fb"]


def test_a_download_that_breaks_off_leaves_nothing(scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.on("/v1/jobs/j/results", Reply(body=b"half", broken=True))
    with Client(scripted.url) as client, pytest.raises(ServerUnreachableError, match="broke off"):
        client.jobs.save_results("j", tmp_path / "out.jsonl")
    assert files_in(tmp_path) == []


def test_nobody_there_is_one_clear_error() -> None:
    with (
        Client("http://127.0.0.1:9", retries=1) as client,
        pytest.raises(ServerUnreachableError, match="Is it running"),
    ):
        client.queue()


def test_a_server_that_is_silent_for_too_long_is_given_up(scripted: ScriptedServer) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with Client(url, timeout=0.2) as client, pytest.raises(ServerUnreachableError, match="in time"):
            client.queue()


def test_an_upload_larger_than_memory_is_read_piece_by_piece(server: ServerProcess, tmp_path: Path) -> None:
    import tracemalloc

    path = draw_page(tmp_path / "large.png")
    with path.open("ab") as file:
        file.truncate(64_000_000)  # an image with much behind its end
    with Client(server.url) as client:
        tracemalloc.start()
        client.jobs.create(files=[path])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8_000_000
