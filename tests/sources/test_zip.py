from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from limner.core.errors import DecodeError, SourceError, TooLargeError
from limner.sources.protocol import SOURCES, OpenedDocument, SourceContext, Want
from limner.sources.zip import ZIP, escapes, open_zip
from tests.sources.documents import all_of, limited, picture_of
from tests.sources.image_files import encoded, gradient, jpeg, tiff_pages


def zipped(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return path


def encrypted(data: bytes) -> bytes:
    """A zip file with the flag for encryption set in every entry."""
    out = bytearray(data)
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = out.find(mark)
        while at >= 0:
            out[at + flags] |= 1
            at = out.find(mark, at + 4)
    return bytes(out)


async def opened(path: Path, context: SourceContext) -> OpenedDocument:
    (document,) = await all_of(ZIP.open(str(path), context))
    return document


def test_what_is_accepted(tmp_path):
    zipped(tmp_path / "a.zip", {"1.jpg": jpeg()})
    for name in ("b.CBZ", "c", "d.docx"):
        (tmp_path / name).write_bytes((tmp_path / "a.zip").read_bytes())
    assert SOURCES.get("zip") is ZIP
    names = ("a.zip", "b.CBZ", "c", "d.docx", "gone.zip")
    assert [name for name in names if ZIP.accepts(str(tmp_path / name))] == ["a.zip", "b.CBZ", "c"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
async def test_images_in_folders_in_natural_order(tmp_path, context, compression):
    files = {"v/p10.jpg": jpeg(10, 10), "v/p9.jpg": jpeg(9, 9), "a/p9.jpg": jpeg(8, 8), "notes.txt": b"text"}
    document = await opened(zipped(tmp_path / "scans.zip", files, compression), context)
    assert (document.id, document.title) == (str(tmp_path / "scans.zip"), "scans")
    assert [handle.page.id for handle in document.handles] == ["a/p9.jpg", "v/p9.jpg", "v/p10.jpg"]
    assert [handle.page.name for handle in document.handles] == ["a_p9.jpg", "v_p9.jpg", "p10.jpg"]
    assert [handle.page.index for handle in document.handles] == [0, 1, 2]
    assert document.handles[0].page.source == f"{tmp_path}/scans.zip/a/p9.jpg"
    assert [(await picture_of(handle)).width for handle in document.handles] == [8, 9, 10]
    assert document.skipped == []


async def test_nothing_is_unpacked_to_disk(tmp_path, context):
    document = await opened(zipped(tmp_path / "a.zip", {"x/1.jpg": jpeg()}), context)
    await picture_of(document.handles[0])
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zip"]


async def test_what_is_left_out(tmp_path, context):
    files = {"1.jpg": jpeg(), "__MACOSX/._1.jpg": b"x", ".hidden.jpg": b"x", "more.zip": b"PK", "b.pdf": b"%PDF"}
    document = await opened(zipped(tmp_path / "a.zip", files), context)
    assert len(document.handles) == 1
    assert [skipped.where for skipped in document.skipped] == ["more.zip", "b.pdf"]


@pytest.mark.parametrize(
    "name",
    [
        "../1.jpg",
        "a/../../1.jpg",
        "/etc/1.jpg",
        "C:/1.jpg",
        "c:1.jpg",
        "..\\1.jpg",
        "a\\..\\..\\1.jpg",
        "\\\\host\\1.jpg",
    ],
)
async def test_an_entry_that_leads_out_is_refused_and_the_rest_goes_on(tmp_path, context, name):
    assert escapes(name)
    document = await opened(zipped(tmp_path / "a.zip", {name: jpeg(), "good.jpg": jpeg()}), context)
    bad, good = sorted(document.handles, key=lambda handle: handle.page.name == "good.jpg")
    with pytest.raises(SourceError, match="leads out of the zip file"):
        await bad.fetch(Want())
    assert not set(bad.page.name) & set("/\\:")
    assert not bad.page.name.startswith(".")
    assert (await picture_of(good)).width == 60


@pytest.mark.parametrize("name", ["1..2.jpg", "a/b..c/1.jpg", "...jpg", "a:b.jpg"[2:], "fol der/é.jpg"])
def test_names_that_only_look_odd(name):
    assert not escapes(name)


async def test_encrypted_entries_are_pages_that_say_so(tmp_path, context):
    path = zipped(tmp_path / "a.zip", {"1.jpg": jpeg(), "2.tif": tiff_pages((9, 9))})
    path.write_bytes(encrypted(path.read_bytes()))
    document = await opened(path, context)
    assert len(document.handles) == 2
    for handle in document.handles:
        encoded_page = await handle.fetch(Want())
        with pytest.raises(SourceError, match=r"in a\.zip is protected by a password"):
            encoded_page.decode(Want())


async def test_a_bomb_is_refused(tmp_path, context):
    path = zipped(tmp_path / "a.zip", {f"{n}.bmp": bytes(1_000_000) for n in range(20)})
    assert path.stat().st_size < 50_000
    with pytest.raises(TooLargeError, match=r"a\.zip has .* bytes and would unpack to 20,000,000: it is a bomb"):
        await opened(path, limited(context, fetch_max_bytes=5_000_000))


async def test_a_bomb_of_entries_that_lie_over_each_other_is_refused(tmp_path, context):
    """The central directory names one large entry again and again (after D. Fifield)."""
    plain = zipped(tmp_path / "a.zip", {"1.bmp": bytes(3_000_000)}).read_bytes()
    at, end = plain.index(b"PK\x01\x02"), plain.index(b"PK\x05\x06")
    entry, tail = plain[at:end], bytearray(plain[end:])
    entries = b"".join(entry.replace(b"1.bmp", b"%05d" % n)[: len(entry)] for n in range(300))
    tail[8:12] = (300).to_bytes(2, "little") * 2
    tail[12:16] = len(entries).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(plain[:at] + entries + tail)
    with pytest.raises(TooLargeError, match="unpack to 900,000,000"):
        await opened(tmp_path / "a.zip", context)


async def test_blank_pages_are_no_bomb(tmp_path, context):
    blank = encoded(gradient(8, 8).resize((900, 900)).point(lambda _: 255), "BMP")
    path = zipped(tmp_path / "a.zip", {f"{n}.bmp": blank for n in range(3)})
    document = await opened(path, context)
    assert (await picture_of(document.handles[2], 30)).width == 900


async def test_a_large_entry_is_a_page_that_says_so(tmp_path, context):
    path = zipped(tmp_path / "a.zip", {"1.jpg": jpeg(), "2.bmp": encoded(gradient(300, 300), "BMP")})
    document = await opened(path, limited(context, fetch_max_bytes=100_000))
    assert (await picture_of(document.handles[0])).width == 60
    large = await document.handles[1].fetch(Want())
    with pytest.raises(TooLargeError, match=r"2\.bmp in a\.zip unpacks to 270,054 bytes; 100,000 are read"):
        large.decode(Want())


async def test_an_entry_that_lies_about_its_size_gives_no_more_than_that(tmp_path, context):
    path = zipped(tmp_path / "a.zip", {"1.bmp": encoded(gradient(300, 300), "BMP")})
    data, true, false = path.read_bytes(), (270_054).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    path.write_bytes(data.replace(true, false))
    encoded_page = await (await opened(path, context)).handles[0].fetch(Want())
    with pytest.raises(DecodeError, match=r"1\.bmp"):
        encoded_page.decode(Want())


async def test_a_damaged_entry_is_a_page_that_says_so(tmp_path, context):
    path = zipped(tmp_path / "a.zip", {"1.jpg": jpeg(), "2.jpg": jpeg(50, 50)}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    document = await opened(path, context)
    damaged = await document.handles[0].fetch(Want())
    with pytest.raises(DecodeError, match=r"1\.jpg in a\.zip cannot be unpacked"):
        damaged.decode(Want())
    assert (await picture_of(document.handles[1])).width == 50


async def test_what_is_called_an_image_and_is_none(tmp_path, context):
    document = await opened(zipped(tmp_path / "a.zip", {"x/1.jpg": b"<html>"}), context)
    encoded_page = await document.handles[0].fetch(Want())
    with pytest.raises(DecodeError, match=r"^x/1\.jpg is a web page"):
        encoded_page.decode(Want())


async def test_tiffs_have_all_their_pages(tmp_path, context):
    document = await opened(
        zipped(tmp_path / "a.zip", {"s.tif": tiff_pages((60, 40), (30, 50)), "t.tif": b""}), context
    )
    assert [handle.page.id for handle in document.handles] == ["s.tif#page=1", "s.tif#page=2", "t.tif"]
    assert [handle.page.name for handle in document.handles] == ["s_0001.tif", "s_0002.tif", "t.tif"]
    assert (await picture_of(document.handles[1])).width == 30


@pytest.mark.filterwarnings("ignore:Duplicate name")
async def test_two_entries_of_one_name(tmp_path, context):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1.jpg", jpeg(10, 10))
        archive.writestr("1.jpg", jpeg(20, 20))
    document = await opened(tmp_path / "a.zip", context)
    assert len(document.handles) == 1
    assert document.skipped[0].reason == "another entry has the same name"


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + bytes(50)])
async def test_what_is_no_zip_file(tmp_path, context, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.zip cannot be opened as a zip file"):
        await opened(tmp_path / "a.zip", context)


async def test_no_images_and_too_many(tmp_path, context):
    with pytest.raises(SourceError, match=r"no images in a\.zip.*\.jpg"):
        await opened(zipped(tmp_path / "a.zip", {"notes.txt": b"text"}), context)
    path = zipped(tmp_path / "b.zip", {f"{n}.jpg": jpeg() for n in range(4)})
    with pytest.raises(TooLargeError, match=r"b\.zip has more than 3 pages"):
        await opened(path, limited(context, max_pages=3))


def test_entries_are_read_from_several_threads(tmp_path, context):
    path = zipped(tmp_path / "a.zip", {f"{n}.jpg": jpeg(20 + n, 20) for n in range(40)})
    document = open_zip(path, "a.zip", "a", context)
    with ThreadPoolExecutor(8) as pool:
        widths = list(pool.map(lambda handle: handle.encoded.decode(Want()).width, list(document.handles) * 3))
    assert widths == [20 + n for n in range(40)] * 3


def test_escape_sequences_in_names_reach_no_terminal(tmp_path, context):
    path = zipped(tmp_path / "a.zip", {"\x1b[2J.jpg": b""})
    (handle,) = open_zip(path, "a.zip", "a", context).handles
    with pytest.raises(DecodeError) as caught:
        handle.encoded.decode(Want())
    for text in (str(caught.value), handle.page.id, handle.page.name, handle.page.source):
        assert text.isprintable()


def test_a_download_is_known_by_its_address(tmp_path, context):
    path = zipped(tmp_path / "download", {"1.jpg": jpeg()})
    document = open_zip(path, "https://example.org/a.zip", "a", context)
    assert document.handles[0].page.source == "https://example.org/a.zip/1.jpg"
