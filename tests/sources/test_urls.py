from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator

import pytest

from limner.core.errors import AddressRefusedError, DecodeError, NotIIIFError, SourceError, TooLargeError
from limner.sources.protocol import SOURCES, OpenedDocument, SourceContext
from limner.sources.urls import URLS, is_address, parse_list
from tests.sources.documents import all_of, picture_of
from tests.sources.hostile_server import HostileServer, Reply
from tests.sources.image_files import encoded, gradient, jpeg, tiff_pages
from tests.sources.pdf_files import by_hand, plain


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


async def opened(spec: object, context: SourceContext) -> OpenedDocument:
    (document,) = await all_of(URLS.open(str(spec), context))
    return document


def zip_of(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return out.getvalue()


def test_what_is_accepted(tmp_path):
    (tmp_path / "a.txt").write_text("anything")
    (tmp_path / "a.lst").write_text("anything")
    (tmp_path / "map.json").write_text('{"f1": "https://example.org/1.jpg"}')
    (tmp_path / "list.json").write_text('["https://example.org/1.jpg"]')
    (tmp_path / "other.json").write_text('{"a": {"b": 1}}')
    (tmp_path / "names.json").write_text('{"a": "b"}')
    (tmp_path / "broken.json").write_text('{"a": ')
    accepted = [path.name for path in sorted(tmp_path.iterdir()) if URLS.accepts(str(path))]
    assert accepted == ["a.lst", "a.txt", "list.json", "map.json"]
    assert SOURCES.get("urls") is URLS
    specs = ("http://example.org/", "HTTPS://example.org/x", "ftp://example.org/", "example.org", "", "a.txt")
    assert [spec for spec in specs if URLS.accepts(spec)] == ["http://example.org/", "HTTPS://example.org/x"]


async def test_an_image_is_fetched_when_it_is_wanted(server, context):
    url = server.serve("/scans/f%2012.jpg", Reply(jpeg()))
    document = await opened(url, context)
    assert server.requests == []
    (handle,) = document.handles
    assert (document.id, document.title) == (url, "f 12")
    assert (handle.page.id, handle.page.name, handle.page.source) == (url, "f 12.jpg", url)
    assert (await picture_of(handle, 30)).width == 60
    assert len(server.requests) == 1


@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream", "text/html"])
async def test_an_address_without_a_suffix_is_known_by_what_it_gives(server, context, media_type):
    url = server.serve("/image", Reply(encoded(gradient(), "PNG"), media_type=media_type))
    (handle,) = (await opened(f"{url}?id=3", context)).handles
    assert (handle.page.name, handle.page.source) == ("image.jpg", f"{url}?id=3")
    assert (await picture_of(handle)).width == 60


async def test_a_tiff_gives_all_its_pages(server, context):
    url = server.serve("/scan.tif", Reply(tiff_pages((60, 40), (30, 50)), media_type="image/tiff"))
    document = await opened(url, context)
    assert [handle.page.name for handle in document.handles] == ["scan_0001.tif", "scan_0002.tif"]
    assert document.handles[1].page.source == f"{url}#page=2"
    assert (await picture_of(document.handles[1])).width == 30


@pytest.mark.parametrize("path", ["/book.pdf", "/download"])
async def test_a_pdf(server, context, path):
    url = server.serve(path, Reply(by_hand(*plain(count=2)), media_type="application/pdf"))
    document = await opened(url, context)
    assert document.id == url
    assert [handle.page.source for handle in document.handles] == [f"{url}#page=1", f"{url}#page=2"]
    assert (await picture_of(document.handles[1])).width == 417


async def test_a_zip_file(server, context):
    url = server.serve(
        "/book.zip", Reply(zip_of(a2_jpg=jpeg(20, 20), a10_jpg=jpeg(10, 10)), media_type="application/zip")
    )
    document = await opened(url, context)
    assert [handle.page.name for handle in document.handles] == ["a2.jpg", "a10.jpg"]
    assert (await picture_of(document.handles[1])).width == 10


async def test_a_web_page_is_named(server, context):
    url = server.serve("/viewer", Reply(b"<!DOCTYPE html><title>Viewer</title>", media_type="text/html"))
    with pytest.raises(SourceError, match=r"(web page|HTML).*"):
        await opened(url, context)


async def test_an_image_that_is_none_is_a_page_that_says_so(server, context):
    url = server.serve("/1.jpg", Reply(jpeg()[:400]))
    (handle,) = (await opened(url, context)).handles
    with pytest.raises(DecodeError, match=r"1\.jpg cannot be decoded: it is a JPEG that breaks off after 400 bytes"):
        await picture_of(handle)


async def test_an_address_that_is_private_is_refused(context):
    with pytest.raises(AddressRefusedError):
        await opened("http://127.0.0.2:1/download", context)
    (handle,) = (await opened("http://127.0.0.2:1/1.jpg", context)).handles
    with pytest.raises(AddressRefusedError):
        await picture_of(handle)


async def test_a_text_file_with_an_address_a_line(server, context, tmp_path):
    first, second = (server.serve(f"/{name}", Reply(jpeg())) for name in ("a/1.jpg", "b/1.jpg"))
    path = tmp_path / "pages.txt"
    path.write_text(f"\ufeff# my pages\n\n{first}\r\n  {second}  \n/etc/passwd\n{first}\n")
    document = await opened(path, context)
    assert (document.id, document.title) == (str(path), "pages")
    assert [handle.page.id for handle in document.handles] == [first, second]
    host = first.split("/")[2].replace(":", "_")
    assert [handle.page.name for handle in document.handles] == [f"{host}_a_1.jpg", f"{host}_b_1.jpg"]
    assert [(skipped.where, skipped.reason.partition(":")[0]) for skipped in document.skipped] == [
        ("line 5", "no http(s) address"),
        ("line 6", "it is there twice"),
    ]
    assert server.requests == []


async def test_json_that_maps_names_to_addresses(server, context, tmp_path):
    image = server.serve("/iiif/7/full/max/0/default.jpg", Reply(jpeg()))
    path = tmp_path / "pages.json"
    path.write_text(json.dumps({"f12v": image, "f13": f"{image}?x=1"}))
    document = await opened(path, context)
    assert [(h.page.id, h.page.name, h.page.label) for h in document.handles] == [
        ("f12v", "f12v.jpg", "f12v"),
        ("f13", "f13.jpg", "f13"),
    ]
    assert (await picture_of(document.handles[0])).width == 60


@pytest.mark.parametrize("path", ["/list", "/list.txt", "/list.json"])
async def test_lists_from_the_web(server, context, path):
    image = server.serve("/1.jpg", Reply(jpeg()))
    text = json.dumps({"f1": image}) if path.endswith("json") else f"{image}\n"
    url = server.serve(path, Reply(text.encode(), media_type="text/plain"))
    document = await opened(url, context)
    assert document.id == url
    assert (await picture_of(document.handles[0])).width == 60


async def test_documents_in_a_list_are_documents_of_their_own(server, context, tmp_path):
    urls = [
        server.serve("/book.pdf", Reply(by_hand(*plain(count=2)))),
        server.serve("/1.jpg", Reply(jpeg())),
        server.serve("/gone.pdf", Reply(b"", 404)),
        server.serve("/scans.zip", Reply(zip_of(x_png=encoded(gradient(), "PNG")))),
    ]
    (tmp_path / "all.txt").write_text("\n".join(urls))
    images, book, gone, scans = await all_of(URLS.open(str(tmp_path / "all.txt"), context))
    assert [len(document.handles) for document in (images, book, gone, scans)] == [1, 2, 0, 1]
    assert (book.id, scans.title) == (urls[0], "scans")
    assert gone.skipped[0].where == urls[2]
    assert "404" in gone.skipped[0].reason


async def test_a_list_in_a_list_is_not_followed(server, context, tmp_path):
    url = server.url("/loop.pdf")
    server.serve("/loop.pdf", Reply(f"{url}\n{url}?2\n".encode(), media_type="text/plain"))
    documents = await all_of(URLS.open(server.url("/loop.pdf"), context))
    assert [document.id for document in documents] == [url, f"{url}?2"]
    assert all("is a text file" in document.skipped[0].reason for document in documents)
    assert len(server.requests) <= 3


async def test_a_list_with_a_manifest(server, context, tmp_path):
    manifest = server.serve("/manifest.json", Reply(b'{"a": {"b": 1}}', media_type="application/json"))
    image = server.serve("/1.jpg", Reply(jpeg()))
    (tmp_path / "all.txt").write_text(f"{manifest}\n{image}\n")
    images, other = await all_of(URLS.open(str(tmp_path / "all.txt"), context))
    assert len(images.handles) == 1
    assert other.id == manifest
    assert not other.handles


async def test_json_that_is_no_list_has_to_be_iiif(server, context):
    url = server.serve("/data", Reply(b'{"a": {"b": 1}}', media_type="application/json"))
    with pytest.raises(NotIIIFError):
        await opened(url, context)


async def test_tiffs_in_a_list_are_pages_and_a_problem_says_what_is_left_out(server, context, tmp_path):
    url = server.serve("/scan.tif", Reply(tiff_pages((60, 40), (30, 50))))
    (tmp_path / "a.txt").write_text(url)
    document = await opened(tmp_path / "a.txt", context)
    assert (await picture_of(document.handles[0])).width == 60
    assert "only the first page" in document.problems[0]


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "no http"), (b"hello\n", "no http"), (b"\xff\xfe\x00", "no UTF-8")]
)
async def test_files_that_are_no_lists(tmp_path, context, content, reason):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(SourceError, match=reason):
        await opened(tmp_path / "a.txt", context)


def test_a_list_from_a_stranger_cannot_drive_a_terminal_or_break_off():
    found = parse_list('["http://a/\\u001b[2J.jpg", "http://[oops", "http://a/\\ud800.jpg"]', 10)
    assert [skipped.reason for skipped in found.skipped] == ["no http(s) address: http://[oops"]
    assert len(found.addresses) == 2


def test_lists_are_limited():
    text = "\n".join(f"https://example.org/{n}.jpg" for n in range(4))
    assert len(parse_list(text, 4).addresses) == 4
    with pytest.raises(TooLargeError, match="more than 3 pages"):
        parse_list(text, 3)


@pytest.mark.parametrize("text", ["[1, 2]", '{"a": 1}', "{", "[" * 100_000, "null"])
def test_json_that_is_no_list(text):
    with pytest.raises(SourceError, match="no http"):
        parse_list(text, 10)


def test_addresses():
    assert is_address("http://a")
    assert is_address("https://[::1]:8000/1.jpg")
    assert not is_address("http://[oops/1.jpg")
    assert not is_address("http:///1.jpg")
    assert not is_address("file:///etc/passwd")
    assert not is_address(base64.b64encode(b"http://a").decode())


async def test_names_from_a_stranger_are_fit_to_be_shown(context, tmp_path):
    (tmp_path / "a.json").write_text(r'{"\u001b[2J": "http://a/1.jpg", "\ud800": "http://a/\u001b\ud800"}')
    document = await opened(tmp_path / "a.json", context)
    for handle in document.handles:
        for text in (handle.page.id, handle.page.name, handle.page.source, handle.page.label):
            assert text.encode()
            assert text.isprintable()
