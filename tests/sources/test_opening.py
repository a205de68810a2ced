from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from limner.core.errors import NotIIIFError, SourceError
from limner.sources.opening import open_documents, shown, sources_for
from limner.sources.protocol import SOURCES, OpenedDocument, SourceContext
from tests.sources.documents import all_of, picture_of
from tests.sources.hostile_server import HostileServer, Reply
from tests.sources.image_files import encoded, gradient, jpeg, tiff_pages
from tests.sources.pdf_files import by_hand, plain
from tests.sources.test_zip import zipped


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with one of everything."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    for name in ("p1.jpg", "p2.jpg", "p10.jpg", "scans/s1.png"):
        (tmp_path / name).write_bytes(jpeg())
    (tmp_path / "two.tif").write_bytes(tiff_pages((60, 40), (30, 50)))
    (tmp_path / "book.pdf").write_bytes(by_hand(*plain()))
    zipped(tmp_path / "more.zip", {"z.jpg": jpeg()})
    (tmp_path / "notes.md").write_text("# notes")
    return tmp_path


async def opened(context: SourceContext, *specs: str) -> list[OpenedDocument]:
    return await all_of(open_documents(specs, context))


def pages(document: OpenedDocument) -> list[str]:
    return [handle.page.name for handle in document.handles]


def test_everything_has_a_source(folder):
    png = base64.b64encode(encoded(gradient(), "PNG")).decode()
    specs = {
        "p1.jpg": "files",
        "scans": "files",
        "*.jpg": "files",
        "book.pdf": "pdf",
        "more.zip": "zip",
        "https://example.org/1.jpg": "urls",
        "https://example.org/manifest.json": "iiif",
        png: "base64",
        f"data:image/png;base64,{png}": "base64",
    }
    assert {spec: sources_for(spec)[0].name for spec in specs} == specs


def test_sources_are_asked_in_order_of_priority(folder):
    priorities = [source.priority for source in sources_for("https://example.org/manifest.json")]
    assert len(priorities) > 1
    assert priorities == sorted(priorities)


async def test_image_files_are_one_document_in_the_place_of_the_first(folder, context):
    documents = await opened(context, "book.pdf", "p2.jpg", "more.zip", "two.tif", "p1.jpg")
    assert [document.title for document in documents] == ["book", folder.name, "more"]
    assert pages(documents[1]) == ["p2.jpg", "two_0001.tif", "two_0002.tif", "p1.jpg"]
    assert [handle.page.index for handle in documents[1].handles] == [0, 1, 2, 3]


async def test_one_image_is_known_by_its_own_name(folder, context):
    (document,) = await opened(context, "p2.jpg")
    assert (document.id, document.title) == ("p2.jpg", "p2")


async def test_patterns_are_replaced_by_what_fits(folder, context):
    (images,) = await opened(context, "p*.jpg")
    assert pages(images) == ["p1.jpg", "p2.jpg", "p10.jpg"]
    documents = await opened(context, "*")
    assert {document.title for document in documents} == {"book", folder.name, "more"}
    (book,) = await opened(context, "*.pdf")
    assert book.id == "book.pdf"


async def test_folders_are_documents(folder, context):
    images, scans = await opened(context, "p1.jpg", "scans")
    assert (pages(images), pages(scans)) == (["p1.jpg"], ["s1.png"])
    assert (await picture_of(scans.handles[0])).width == 60


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("p1.jpeg", r"there is no such file or folder \(did you mean p1\.jpg\?\)"),
        ("nowhere/x.jpg", "there is no such file or folder"),
        ("notes.md", "it is a text file"),
        ("*.md", "notes.md cannot be opened: it is a text file"),
        ("*.gif", r"No file fits the pattern \*\.gif"),
        ("ftp://example.org/1.jpg", "ftp:// are not fetched"),
        ("http://", "it is no complete address"),
        ("https://[oops/1.jpg", "No file fits|no complete address"),
        ("-", "not read from standard input"),
        ("", "it is empty"),
        ("x" * 100_000, "x… cannot be opened: there is no such file"),
        ("\x1b[2J", r"No file fits the pattern \\x1b\[2J"),
        ("\x1b", r"\\x1b cannot be opened"),
    ],
)
async def test_what_nobody_accepts(folder, context, spec, reason):
    with pytest.raises(SourceError, match=reason) as caught:
        await opened(context, "p1.jpg", spec)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


async def test_the_error_says_what_would_do(folder, context):
    with pytest.raises(SourceError, match=r"folders, patterns, zip files, PDFs.*can be opened"):
        await opened(context, "gone")


async def test_nothing_is_opened_when_one_spec_is_wrong(folder, context):
    documents = open_documents(["p1.jpg", "gone.jpg"], context)
    with pytest.raises(SourceError, match="gone"):
        await anext(documents)


async def test_a_file_that_may_not_be_read(folder, context, unprivileged):
    (folder / "secret").write_bytes(jpeg())
    (folder / "secret").chmod(0)
    with unprivileged(), pytest.raises(SourceError, match=r"no such file|may not be read"):
        await opened(context, str(folder / "secret"))


async def test_one_that_cannot_be_opened_does_not_stop_the_others(folder, context):
    (folder / "bad.pdf").write_bytes(b"rubbish")
    bad, book = await opened(context, "bad.pdf", "book.pdf")
    assert (bad.id, list(bad.handles)) == ("bad.pdf", [])
    assert "cannot be read as a PDF" in bad.skipped[0].reason
    assert len(book.handles) == 1
    with pytest.raises(SourceError, match="cannot be read as a PDF"):
        await opened(context, "bad.pdf")


async def test_nothing_for_nothing(context):
    assert await opened(context) == []


class _Fussy:
    """A source from outside that takes everything and finds that it was wrong."""

    name = "fussy"
    priority = -1

    def accepts(self, spec: str) -> bool:
        return spec.startswith(("p1", "http"))

    async def open(self, spec: str, context: SourceContext) -> AsyncIterator[OpenedDocument]:
        if spec.endswith("2"):
            yield OpenedDocument(id=spec, title="mine", handles=())
            return
        await asyncio.sleep(0)
        raise NotIIIFError("no IIIF")


@pytest.fixture
def fussy() -> Iterator[_Fussy]:
    source = _Fussy()
    SOURCES.add("fussy", source)
    yield source
    SOURCES._added.pop("fussy")


async def test_a_source_from_outside_goes_first_by_its_priority(folder, context, fussy):
    assert sources_for("p1.jpg")[0] is fussy
    (document,) = await opened(context, "https://example.org/2")
    assert document.title == "mine"


async def test_what_is_no_iiif_after_all_is_left_to_the_next(folder, context, fussy):
    (document,) = await opened(context, "p1.jpg")
    assert pages(document) == ["p1.jpg"]


async def test_a_json_list_that_looks_like_a_manifest(context):
    with HostileServer() as server:
        image = server.serve("/1.jpg", Reply(jpeg()))
        url = server.serve("/list.json", Reply(f'{{"f1": "{image}"}}'.encode(), media_type="application/json"))
        assert sources_for(url)[0].name == "iiif"
        (document,) = await opened(context, url)
        assert pages(document) == ["f1.jpg"]
        assert (await picture_of(document.handles[0])).width == 60


def test_long_specs_are_shown_by_their_beginning():
    assert shown("x" * 200) == "x" * 120 + "…"
    assert shown("a\nb") == "a\\x0ab"
