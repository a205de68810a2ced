from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from iiif_prezi3 import Manifest

from limner.annotations.annotation import Annotation, ByModel, ByPerson
from limner.annotations.formats.protocol import WRITERS
from limner.annotations.shapes import Box
from limner.core.errors import ConflictError, NotFoundError, SourceError, UsageError
from limner.operations.documents.desk import DocumentDesk, by_job, page_count, skipped_of
from limner.operations.documents.rendering import render
from limner.operations.documents.uploads import Upload
from limner.storage.blobs import Blobs
from limner.storage.documents import StoredDocument
from limner.storage.workspaces import Workspaces
from tests.sources.image_files import jpeg, tiff_pages

ROOT = "https://limner.example"


def _taken_in(desk: DocumentDesk, **files: bytes) -> StoredDocument:
    uploads = [Upload(name.replace("_", "."), io.BytesIO(data)) for name, data in files.items()]
    return desk.take_in(uploads, title=None, kind="print", author="ada")


def _box(identity: str, x: float = 1, **more: object) -> Annotation:
    return Annotation(shape=Box(x, 2, 30, 20), label="initial", id=identity, **more)


def test_a_document_has_its_pages_images_and_originals(desk: DocumentDesk, blobs: Blobs) -> None:
    tiff = tiff_pages((40, 30), (30, 40))
    document = _taken_in(desk, a_jpg=jpeg(), scan_tif=tiff, bad_png=b"\x89PNG\r\n\x1a\n broken")
    assert (document.title, document.type, page_count(document)) == ("a", "print", 3)
    assert [entry["where"] for entry in skipped_of(document)] == ["bad.png"]
    folder = f"documents/{document.id}"
    assert blobs.keys(folder) == [
        f"{folder}/images/page-0.jpg",
        f"{folder}/images/page-1.jpg",
        f"{folder}/images/page-2.jpg",
        f"{folder}/originals/0.tif",
    ]
    assert blobs.read(f"{folder}/originals/0.tif") == tiff
    image = desk.image(document.id, 0)
    assert (image.media_type, blobs.read(image.key)) == ("image/jpeg", jpeg())
    assert [desk.page(document.id, n).page.width for n in range(3)] == [60, 40, 30]
    for index in (3, 99):
        with pytest.raises(NotFoundError):
            desk.page(document.id, index)


def test_a_document_without_a_page_is_not_kept(desk: DocumentDesk, blobs: Blobs) -> None:
    with pytest.raises(SourceError):
        _taken_in(desk, a_jpg=jpeg(200, 200)[:900])
    assert (desk.stored.list(), blobs.keys("documents")) == ([], [])


def test_a_failure_of_the_store_leaves_no_half_document(desk: DocumentDesk, blobs: Blobs) -> None:
    written = blobs.write

    def full(key: str, data: object) -> int:
        if key.endswith("page-1.jpg"):
            raise OSError("no space left on device")
        return written(key, data)

    blobs.write = full
    with pytest.raises(OSError, match="no space"):
        _taken_in(desk, a_jpg=jpeg(), b_jpg=jpeg())
    assert (desk.stored.list(), blobs.keys("documents")) == ([], [])


def test_deleting_takes_everything_along(desk: DocumentDesk, blobs: Blobs) -> None:
    document = _taken_in(desk, a_tif=tiff_pages((9, 9)))
    desk.delete(document.id)
    assert blobs.keys("documents") == []
    with pytest.raises(NotFoundError):
        desk.stored.get(document.id)


def test_what_a_person_changes_is_theirs_and_the_rest_keeps_its_origin(desk: DocumentDesk) -> None:
    document = _taken_in(desk, a_jpg=jpeg())
    by_model = ByModel("bright", "1")
    found = [_box("a", score=0.5, provenance=by_model), _box("b", provenance=by_model), _box("c", provenance=by_model)]
    page_id = desk.page(document.id, 0).page.id
    desk.stored.save(document.id, page_id, found, seen=0, author=f"job:{'0' * 32}")
    changed = [replace(found[0], provenance=None), replace(found[1], label="capital"), _box("d")]
    assert desk.correct(document.id, 0, changed, seen=1, author="ada", comment="checked") == 2
    now, revision = desk.annotations(document.id, 0)
    assert revision == 2
    assert [(each.id, each.label, each.provenance) for each in now] == [
        ("a", "initial", by_model),
        ("b", "capital", ByPerson("ada")),
        ("d", "initial", ByPerson("ada")),
    ]
    assert [each.id for each in desk.at_revision(document.id, 0, 1)] == ["a", "b", "c"]
    newest, oldest = desk.history(document.id, 0, limit=10)
    assert (newest.added, newest.removed, newest.changed) == (1, 1, 1)
    assert (newest.revision.author, newest.revision.comment) == ("ada", "checked")
    assert (oldest.added, oldest.removed, oldest.changed) == (3, 0, 0)
    assert [by_job(change.revision.author) for change in (newest, oldest)] == [False, True]


def test_two_people_cannot_overwrite_each_other(desk: DocumentDesk) -> None:
    document = _taken_in(desk, a_jpg=jpeg())
    desk.correct(document.id, 0, [_box("a")], seen=0, author="ada")
    with pytest.raises(ConflictError, match="at revision 1 by ada"):
        desk.correct(document.id, 0, [_box("b")], seen=0, author="bob")
    with pytest.raises(UsageError, match="same id"):
        desk.correct(document.id, 0, [_box("b"), _box("b", 9)], seen=1, author="bob")


def test_the_manifest_is_valid_and_lives_under_the_servers_address(desk: DocumentDesk) -> None:
    document = _taken_in(desk, a_jpg=jpeg(), b_jpg=jpeg())
    desk.correct(document.id, 1, [_box("a")], seen=0, author="ada")
    rendered = render(WRITERS.get("iiif"), [desk.document(document.id, ROOT)], "x")
    manifest = json.loads(b"".join(rendered.chunks))
    base = f"{ROOT}/v1/documents/{document.id}"
    Manifest(**manifest)
    assert manifest["id"] == f"{base}/manifest.json"
    assert [canvas["id"] for canvas in manifest["items"]] == [f"{base}/canvas/a", f"{base}/canvas/b"]
    bodies = [canvas["items"][0]["items"][0]["body"] for canvas in manifest["items"]]
    assert [body["id"] for body in bodies] == [f"{base}/pages/0/image", f"{base}/pages/1/image"]
    (annotation,) = manifest["items"][1]["annotations"][0]["items"]
    assert annotation["target"].startswith(f"{base}/canvas/b#xywh=1,2,30,20")
    assert {link["id"] for link in manifest["rendering"]} == {f"{base}/export?format={n}" for n in ("alto", "page")}
    assert "limner:" not in json.dumps(manifest["rendering"])


def test_documents_of_another_workspace_are_not_there(desk: DocumentDesk) -> None:
    document = _taken_in(desk, a_jpg=jpeg())
    database = desk.stored._db
    other = DocumentDesk(database, desk._blobs, desk._context, Workspaces(database).ensure("Museum").id)
    for look in (
        lambda: other.page(document.id, 0),
        lambda: other.image(document.id, 0),
        lambda: other.document(document.id, ROOT),
        lambda: other.annotations(document.id, 0),
        lambda: other.correct(document.id, 0, [], seen=0, author="eve"),
        lambda: other.delete(document.id),
    ):
        with pytest.raises(NotFoundError):
            look()
    assert desk.image(document.id, 0)
