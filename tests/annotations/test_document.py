from collections.abc import Iterator
from dataclasses import FrozenInstanceError

import pytest

from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.page import Page


class Counted:
    """Pages that are made when they are asked for."""

    def __iter__(self) -> Iterator[AnnotatedPage]:
        return (AnnotatedPage(Page(id=str(n), name=f"{n}.jpg", index=n)) for n in range(3))


def test_pages_need_not_be_in_memory_and_can_be_read_again() -> None:
    document = Document(id="d", title="d", pages=Counted())
    assert [page.page.index for page in document.pages] == [0, 1, 2]
    assert [page.page.index for page in document.pages] == [0, 1, 2]


def test_a_page_has_no_annotations_and_no_error_unless_given() -> None:
    page = next(iter(Counted()))
    assert (page.annotations, page.error) == ((), None)
    with pytest.raises(FrozenInstanceError):
        page.error = "gone"


def test_what_nobody_said_of_a_document_is_empty() -> None:
    document = Document(id="d", title="d", pages=())
    assert document.rights is None
    assert document.metadata == {}
