"""Writing documents to text and reading them back, as an operation would."""

from collections.abc import Mapping

from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import Format, ParseContext, ReadableFormat


def written(target: Format, document: Document) -> dict[str, str]:
    """The files of a document, path → text."""
    return {file.path: "".join(file.chunks) for file in target.render(document)}


def one_file(target: Format, document: Document) -> str:
    """The only file of a document."""
    (text,) = written(target, document).values()
    return text


def reread(reader: ReadableFormat, files: Mapping[str, str], document: Document | None = None) -> list[AnnotatedPage]:
    """The pages in some files, none of which may have a problem; sizes are those of the document's pages."""
    sizes = {page.page.name: (page.page.width, page.page.height) for page in document.pages} if document else {}
    context = ParseContext(size_of=sizes.get)
    pages = list(reader.parse(files, context))
    assert context.problems == []
    return pages


def problems_of(reader: ReadableFormat, files: Mapping[str, str]) -> tuple[list[AnnotatedPage], list[str]]:
    """The pages in some files and what was reported of them."""
    context = ParseContext()
    return list(reader.parse(files, context)), context.problems
