import io
import zipfile
from collections.abc import Iterator

import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import WRITERS, OutputFile
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import FormatError
from limner.operations.documents.rendering import render


def _document(title: str, pages: int = 2) -> Document:
    annotation = Annotation(shape=Box(1, 2, 3, 4), label="thing")
    made = [Page(id=f"p{n}", name=f"{n}.jpg", index=n, width=10, height=10) for n in range(pages)]
    return Document(id=title, title=title, pages=[AnnotatedPage(page, (annotation,)) for page in made])


def _unzipped(chunks: Iterator[bytes]) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(b"".join(chunks))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_one_file_of_one_document_is_that_file() -> None:
    rendered = render(WRITERS.get("extractor"), [_document("Ms 22")], "job")
    assert (rendered.file_name, rendered.media_type) == ("extractor.txt", "text/plain")
    assert b"".join(rendered.chunks) == b"1 0.jpg\n1 2 3 4\n2 1.jpg\n1 2 3 4\n"


def test_a_long_file_comes_in_pieces() -> None:
    chunks = list(render(WRITERS.get("jsonl"), [_document("Ms 22", 2000)], "job").chunks)
    assert len(chunks) > 2
    assert b"".join(chunks).count(b"\n") == 2000


def test_several_files_are_a_zip_that_is_the_same_each_time() -> None:
    first, second = (render(WRITERS.get("voc"), [_document("Ms 22")], "Ms 22 / f. 1") for _ in range(2))
    assert (first.file_name, first.media_type) == ("Ms-22-f.-1-voc.zip", "application/zip")
    data = b"".join(first.chunks)
    assert data == b"".join(second.chunks)
    assert sorted(_unzipped(iter([data]))) == ["voc/0.xml", "voc/1.xml"]


def test_several_documents_get_a_folder_each() -> None:
    documents = [_document("Ms 22"), _document("ms 22"), _document("../..")]
    files = _unzipped(render(WRITERS.get("extractor"), documents, "job").chunks)
    assert sorted(files) == ["Ms-22/extractor.txt", "document/extractor.txt", "ms-22-2/extractor.txt"]


def test_a_file_cannot_leave_its_folder() -> None:
    class Escaping:
        name, title, media_type, per_page, holds = "bad", "Bad", "text/plain", True, frozenset()

        def render(self, document: Document) -> Iterator[OutputFile]:
            yield OutputFile("../../evil", ["x"])

    with pytest.raises(FormatError, match="outside of its folder"):
        list(render(Escaping(), [_document("Ms 22")], "job").chunks)
