from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from limner.annotations.annotation import Annotation, ByModel, ByPerson
from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box, Polygon
from limner.core.errors import ConflictError, NotFoundError
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.documents import Documents, NewDocument, StoredDocument
from limner.storage.workspaces import Workspace

PAGES = [
    Page(
        id="https://x.example/canvas/1", name="1.jpg", index=0, width=1000, height=1500, canvas=Canvas("c1", 2000, 3000)
    ),
    Page(id="https://x.example/canvas/2", name="2.jpg", index=1),
]
FOUND = (
    Annotation(id="a", shape=Box(1, 2, 30, 40), label="figure", score=0.9, provenance=ByModel("yolo", "1")),
    Annotation(id="b", shape=Polygon(((0, 0), (9, 0), (9, 9))), label="initial", provenance=ByPerson("Ana")),
)


@pytest.fixture
def documents(database: Database, workspace: Workspace) -> Documents:
    return Documents(database, workspace.id)


@pytest.fixture
def document(documents: Documents) -> StoredDocument:
    images = [f"documents/x/images/{page.name}" for page in PAGES]
    new = NewDocument(
        title="Liber",
        pages=list(zip(PAGES, images, strict=True)),
        source="m.json",
        type="manuscript",
        metadata={"k": [1]},
    )
    return documents.create(new, author="importer")


def test_a_document_comes_back_as_it_was(documents: Documents, document: StoredDocument) -> None:
    assert documents.get(document.id) == document
    assert (document.title, document.type, document.metadata) == ("Liber", "manuscript", {"k": [1]})
    stored = documents.pages(document.id)
    assert [page.page for page in stored] == PAGES
    assert [(page.revision, page.count, page.updated_by) for page in stored] == [(0, 0, "importer")] * 2
    assert stored[1].image == "documents/x/images/2.jpg"
    assert documents.page(document.id, PAGES[1].id) == stored[1]
    assert documents.pages(document.id, after=0) == stored[1:]


def test_annotations_are_saved_with_their_history(documents: Documents, document: StoredDocument) -> None:
    page = PAGES[0].id
    assert documents.annotations(document.id, page) == ((), 0)
    assert documents.save(document.id, page, FOUND, seen=0, author="yolo 1") == 1
    assert documents.save(document.id, page, FOUND[:1], seen=1, author="Ana", comment="no initial") == 2
    assert documents.annotations(document.id, page) == (FOUND[:1], 2)
    history = documents.history(document.id, page)
    assert [(one.number, one.count, one.author, one.comment) for one in history] == [
        (2, 1, "Ana", "no initial"),
        (1, 2, "yolo 1", None),
    ]
    assert documents.at_revision(document.id, page, 1) == FOUND
    assert documents.at_revision(document.id, page, 2) == FOUND[:1]
    assert documents.at_revision(document.id, page, 0) == ()
    with pytest.raises(NotFoundError, match="never at revision 3"):
        documents.at_revision(document.id, page, 3)
    assert documents.get(document.id).updated_at > document.updated_at
    assert documents.annotations(document.id, PAGES[1].id) == ((), 0)


def test_a_change_made_on_an_old_revision_is_refused(documents: Documents, document: StoredDocument) -> None:
    page = PAGES[0].id
    documents.save(document.id, page, FOUND, seen=0, author="Ana")
    with pytest.raises(ConflictError, match=r"revision 1 by Ana.*made on 0"):
        documents.save(document.id, page, (), seen=0, author="Ben")
    assert documents.annotations(document.id, page) == (FOUND, 1)
    assert len(documents.history(document.id, page)) == 1


def test_of_many_who_save_at_once_one_wins(documents: Documents, document: StoredDocument) -> None:
    def save(name: str) -> bool:
        try:
            documents.save(document.id, PAGES[0].id, FOUND, seen=0, author=name)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(5) as threads:
        assert sum(threads.map(save, "abcde")) == 1
    assert documents.annotations(document.id, PAGES[0].id)[1] == 1


def test_the_size_of_an_image_is_learned(documents: Documents, document: StoredDocument) -> None:
    documents.save(document.id, PAGES[1].id, FOUND, seen=0, author="yolo", size=(640, 480))
    page = documents.page(document.id, PAGES[1].id).page
    assert (page.width, page.height, page.name) == (640, 480, "2.jpg")


def test_all_pages_with_their_annotations(documents: Documents) -> None:
    pages = [Page(id=f"p{n}", name=f"{n}.jpg", index=n) for n in range(230)]  # more than are read at one time
    document = documents.create(NewDocument(title="Long", pages=[(page, None) for page in pages]), author="me")
    documents.save(document.id, "p150", FOUND, seen=0, author="me")
    annotated = list(documents.annotated(document.id))
    assert [one.page.id for one in annotated] == [page.id for page in pages]
    assert [n for n, one in enumerate(annotated) if one.annotations] == [150]


def test_the_list_goes_back_in_time_page_by_page(documents: Documents) -> None:
    made = [documents.create(NewDocument(title=str(n), pages=[]), author="me").id for n in range(5)]
    first = documents.list(limit=3)
    assert [one.id for one in [*first, *documents.list(limit=3, before=first[-1].id)]] == made[::-1]


def test_a_document_goes_with_its_pages(documents: Documents, document: StoredDocument) -> None:
    documents.save(document.id, PAGES[0].id, FOUND, seen=0, author="me")
    documents.delete(document.id)
    for act in (documents.get, documents.delete, documents.pages, lambda one: list(documents.annotated(one))):
        with pytest.raises(NotFoundError):
            act(document.id)


def test_a_workspace_has_no_way_to_the_documents_of_another(
    database: Database, other: Workspace, document: StoredDocument
) -> None:
    theirs, page = Documents(database, other.id), PAGES[0].id
    for act in (
        lambda: theirs.get(document.id),
        lambda: theirs.delete(document.id),
        lambda: theirs.pages(document.id),
        lambda: theirs.page(document.id, page),
        lambda: list(theirs.annotated(document.id)),
        lambda: theirs.annotations(document.id, page),
        lambda: theirs.save(document.id, page, (), seen=0, author="x"),
        lambda: theirs.history(document.id, page),
        lambda: theirs.at_revision(document.id, page, 0),
        lambda: theirs.list(before=document.id),
    ):
        with pytest.raises(NotFoundError, match="no document"):
            act()
    assert theirs.list() == []


def test_an_unknown_page_is_named(documents: Documents, document: StoredDocument) -> None:
    with pytest.raises(NotFoundError, match="no page nowhere"):
        documents.annotations(document.id, "nowhere")


def test_images_have_their_time(documents: Documents) -> None:
    until = now() + timedelta(days=7)
    new = NewDocument(title="For a week", pages=[], images_until=until)
    assert documents.create(new, author="me").images_until == until
