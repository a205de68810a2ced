"""Datasets of documents that people worked on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from limner.annotations.annotation import Annotation, ByModel
from limner.annotations.shapes import Box
from limner.core.errors import DatasetError, NotFoundError
from limner.operations.datasets.documents import import_documents
from limner.operations.datasets.gathering import Imported, Wishes
from limner.operations.documents.desk import DocumentDesk
from limner.operations.documents.uploads import Upload
from limner.sources.protocol import SourceContext
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.workspaces import Workspaces
from limner.training.datasets.store import DatasetStore
from tests.operations.datasets.files import drawn

_JOB = "job:" + "0" * 32


class Library:
    """A workspace with documents."""

    def __init__(self, folder: Path, context: SourceContext, store: DatasetStore) -> None:
        self.blobs, self.context, self.store = Blobs(folder / "blobs"), context, store
        self.database = Database(folder / "limner.db")
        self.database.upgrade()
        self.desk = DocumentDesk(self.database, self.blobs, context, Workspaces(self.database).ensure("w").id)

    def document(self, first: int, pages: int) -> str:
        uploads = [Upload(f"{n}.png", io.BytesIO(drawn(n))) for n in range(first, first + pages)]
        return self.desk.take_in(uploads, title=f"Book {first}", kind=None, author="ada").id

    def save(self, document: str, index: int, author: str, *boxes: Annotation) -> None:
        stored = self.desk.page(document, index)
        self.desk.stored.save(document, stored.page.id, boxes, seen=stored.revision, author=author)

    def take(self, *documents: str, reviewed: bool = True, **wishes: object) -> Imported:
        return import_documents(
            self.desk.stored,
            self.blobs,
            documents,
            self.store,
            Wishes(**{"name": "d", **wishes}),
            self.context,
            reviewed=reviewed,
        )


@pytest.fixture
def library(tmp_path: Path, context: SourceContext, store: DatasetStore) -> Iterator[Library]:
    made = Library(tmp_path, context, store)
    yield made
    made.database.close()


def _box(**more: object) -> Annotation:
    return Annotation(shape=Box(8, 16, 32, 24), label="seal", id="x", provenance=ByModel("m", "1"), **more)


def test_only_pages_that_a_person_saved_are_taken(library: Library) -> None:
    document = library.document(0, 4)
    library.save(document, 0, _JOB, _box())  # found by a model, looked at by nobody
    library.save(document, 1, _JOB, _box())
    library.save(document, 1, "ada", _box())  # accepted as it was
    library.save(document, 2, "ada")  # there is nothing, says a person
    done = library.take(document)
    assert [(each.page.name, len(each.annotations)) for each in done.dataset.pages] == [("1.png", 1), ("2.png", 0)]
    assert done.dataset.image_path(done.dataset.pages[0]).read_bytes() == drawn(1)
    assert {each.document for each in done.dataset.pages} == {document}
    assert done.dataset.source == "Book 0"
    assert done.problems == ("2 pages that nobody has reviewed were left out.",)
    assert len(library.take(document, reviewed=False).dataset.pages) == 4


def test_what_a_job_found_afterwards_is_not_reviewed(library: Library) -> None:
    document = library.document(0, 1)
    library.save(document, 0, "ada", _box())
    library.save(document, 0, _JOB, _box())
    with pytest.raises(DatasetError, match=r"Nobody has corrected.*reviewed=false"):
        library.take(document)


def test_corrected_pages_take_the_place_of_earlier_ones(library: Library) -> None:
    first, second = library.document(0, 2), library.document(9, 1)
    for document, index in ((first, 0), (first, 1), (second, 0)):
        library.save(document, index, "ada", _box())
    one = library.take(first, second).dataset
    assert len({(each.document, each.split) for each in one.pages}) == 2  # documents stay whole
    library.save(first, 1, "bob", replace(_box(), label="blot"))
    two = library.take(first, append=True).dataset
    assert (two.ref, two.labels, len(two.pages)) == ("d@2", ("seal", "blot"), 3)
    splits = {each.page.name: each.split for each in one.pages}
    assert {each.page.name: each.split for each in two.pages} == splits


def test_a_page_whose_image_is_gone_is_passed_over(library: Library) -> None:
    document = library.document(0, 2)
    for index in (0, 1):
        library.save(document, index, "ada", _box())
    library.blobs.delete(f"documents/{document}/images/page-0.png")
    done = library.take(document)
    assert [each.page.name for each in done.dataset.pages] == ["1.png"]
    assert "0.png was passed over: its image is not kept any more." in done.problems


def test_an_unknown_document_is_not_found(library: Library) -> None:
    with pytest.raises(NotFoundError):
        library.take("0" * 32)
