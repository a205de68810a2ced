from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.core.errors import DecodeError, SourceError, TooLargeError
from limner.sources.files import FILES, open_together
from limner.sources.protocol import SOURCES, OpenedDocument, SourceContext, Want
from tests.sources.documents import limited, picture_of
from tests.sources.image_files import jpeg, tiff_pages


def fill(folder: Path, *names: str, content: bytes | None = None) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg() if content is None else content)


async def opened(spec: object, context: SourceContext) -> OpenedDocument:
    (document,) = [document async for document in FILES.open(str(spec), context)]
    return document


def names(document: OpenedDocument) -> list[str]:
    return [handle.page.name for handle in document.handles]


def test_it_is_registered():
    assert SOURCES.get("files") is FILES


def test_what_is_accepted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, "a.jpg", "-")
    fill(tmp_path, "b.pdf", content=b"%PDF-1.4")
    accepted = [
        spec for spec in ("a.jpg", "b.pdf", ".", "*.jpg", "gone.jpg", "-", "", "https://x.org/*") if FILES.accepts(spec)
    ]
    assert accepted == ["a.jpg", ".", "*.jpg"]


async def test_one_image(tmp_path, context):
    fill(tmp_path, "page.jpg")
    document = await opened(tmp_path / "page.jpg", context)
    (handle,) = document.handles
    assert (document.id, document.title) == (str(tmp_path / "page.jpg"), "page")
    assert (handle.page.id, handle.page.name, handle.page.index) == ("page.jpg", "page.jpg", 0)
    assert handle.page.source == str(tmp_path / "page.jpg")
    assert not handle.page.sized
    picture = (await handle.fetch(Want(20))).decode(Want(20))
    assert (picture.width, picture.height) == (60, 40)


async def test_a_folder_with_its_subfolders_in_natural_order(tmp_path, context):
    fill(tmp_path, "p10.jpg", "p9.PNG", "b/1.jpg", "a/2.jpg", "a/deep/1.webp", "notes.txt")
    document = await opened(tmp_path, context)
    assert [handle.page.id for handle in document.handles] == [
        "a/2.jpg",
        "a/deep/1.webp",
        "b/1.jpg",
        "p9.PNG",
        "p10.jpg",
    ]
    assert [handle.page.index for handle in document.handles] == [0, 1, 2, 3, 4]
    assert document.title == tmp_path.name
    assert names(document) == ["2.jpg", "1.webp", "1.jpg", "p9.PNG", "p10.jpg"]


async def test_the_same_folder_gives_the_same_pages_wherever_it_lies(tmp_path, context):
    fill(tmp_path / "old", "a/1.jpg", "b/1.jpg")
    before = await opened(tmp_path / "old", context)
    (tmp_path / "old").rename(tmp_path / "new")
    after = await opened(f"{tmp_path}/new/", context)
    assert [h.page.id for h in before.handles] == [h.page.id for h in after.handles]
    assert names(before) == names(after) == ["a_1.jpg", "b_1.jpg"]
    assert after.title == "new"


async def test_hidden_files_are_passed_over(tmp_path, context):
    fill(tmp_path, "1.jpg", ".2.jpg", ".git/3.jpg", "__MACOSX/._1.jpg", "@eaDir/1.jpg")
    document = await opened(tmp_path, context)
    assert names(document) == ["1.jpg"]
    assert document.skipped == []


async def test_what_is_left_out_is_said(tmp_path, context):
    fill(tmp_path, "1.jpg", "book.pdf", "more.zip", "photo.HEIC", "earlier/overlays/1.png")
    (tmp_path / "earlier" / ".limner").mkdir()
    fill(tmp_path / "elsewhere", "9.jpg")
    (tmp_path / "elsewhere").rename(tmp_path.with_name("elsewhere"))
    (tmp_path / "link").symlink_to(tmp_path.with_name("elsewhere"))
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.png")
    document = await opened(tmp_path, context)
    assert names(document) == ["1.jpg"]
    assert {skipped.where: skipped.reason.partition(":")[0] for skipped in document.skipped} == {
        "book.pdf": "it is a document of its own",
        "more.zip": "it is a document of its own",
        "photo.HEIC": "images of this kind are not decoded",
        "earlier": "the folder is the output of a run",
        "link": "links to folders are not followed",
        "gone.jpg": "it is no file, or a link that leads nowhere",
        "pipe.png": "it is no file, or a link that leads nowhere",
    }


async def test_links_to_images_are_images(tmp_path, context):
    fill(tmp_path, "a/1.jpg")
    (tmp_path / "b.jpg").symlink_to("a/1.jpg")
    assert names(await opened(tmp_path, context)) == ["1.jpg", "b.jpg"]


async def test_an_empty_folder_says_what_was_looked_for(tmp_path, context):
    with pytest.raises(SourceError, match=rf"no images in the folder {tmp_path}\..*\.jpg.*\.tiff.*\.webp"):
        await opened(tmp_path, context)


async def test_a_folder_of_pdfs_says_how_to_give_them(tmp_path, context):
    fill(tmp_path, "book.pdf")
    with pytest.raises(SourceError, match=r"book\.pdf was passed over: .*give it by its name"):
        await opened(tmp_path, context)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into; the usual ones are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_folders_that_may_not_be_read(open_folder, context, unprivileged):
    fill(open_folder, "1.jpg", "shut/2.jpg")
    shut = open_folder / "shut"
    shut.chmod(0)
    with unprivileged():
        document = await opened(open_folder, context)
        with pytest.raises(SourceError, match="shut cannot be read: Permission denied"):
            await opened(shut, context)
    shut.chmod(0o700)
    assert names(document) == ["1.jpg"]
    assert [(skipped.where, "Permission denied" in skipped.reason) for skipped in document.skipped] == [("shut", True)]


async def test_a_tiff_gives_a_page_for_each_of_its_own(tmp_path, context):
    fill(tmp_path, "scan.tif", content=tiff_pages((60, 40), (30, 50)))
    fill(tmp_path, "single.tiff", content=tiff_pages((20, 20)))
    document = await opened(tmp_path, context)
    assert names(document) == ["scan_0001.tif", "scan_0002.tif", "single.tiff"]
    assert [h.page.id for h in document.handles] == ["scan.tif#page=1", "scan.tif#page=2", "single.tiff"]
    assert document.handles[1].page.source == f"{tmp_path}/scan.tif#page=2"
    sizes = [(await picture_of(handle)) for handle in document.handles]
    assert [(size.width, size.height) for size in sizes] == [(60, 40), (30, 50), (20, 20)]


async def test_pages_of_tiffs_of_one_name_are_told_apart(tmp_path, context):
    for folder in "ab":
        fill(tmp_path, f"{folder}/scan.tif", content=tiff_pages((9, 9), (8, 8)))
    document = await opened(tmp_path, context)
    assert names(document) == ["a_scan_0001.tif", "a_scan_0002.tif", "b_scan_0001.tif", "b_scan_0002.tif"]


async def test_bad_files_are_pages_that_say_why(tmp_path, context):
    fill(tmp_path, "1.jpg", content=b"<html>404</html>")
    fill(tmp_path, "2.tif", content=b"")
    document = await opened(tmp_path, context)
    for handle, reason in zip(document.handles, ("1.jpg is a web page", "2.tif is empty"), strict=True):
        with pytest.raises(DecodeError, match=reason):
            (await picture_of(handle))


async def test_a_file_that_goes_away_is_a_page_that_says_so(tmp_path, context):
    fill(tmp_path, "1.jpg")
    document = await opened(tmp_path, context)
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(SourceError, match=r"1\.jpg cannot be read"):
        (await picture_of(document.handles[0]))


async def test_too_many_pages(tmp_path, context):
    few = limited(context, max_pages=3)
    fill(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    assert len((await opened(tmp_path, few)).handles) == 3
    fill(tmp_path, "4.tif", content=tiff_pages((9, 9), (9, 9)))
    with pytest.raises(TooLargeError, match="more than 3 pages"):
        await opened(tmp_path, few)


async def test_patterns_give_images_together_and_folders_apart(tmp_path, context):
    fill(tmp_path, "a2.jpg", "a10.jpg", "b.jpg")
    fill(tmp_path, "ax.txt", content=b"text")
    assert names(await opened(f"{tmp_path}/a*", context)) == ["a2.jpg", "a10.jpg"]
    fill(tmp_path, "v1/1.jpg", "v2/1.jpg")
    documents = [document async for document in FILES.open(f"{tmp_path}/v*", context)]
    assert [document.title for document in documents] == ["v1", "v2"]
    with pytest.raises(SourceError, match="No image fits the pattern"):
        await opened(f"{tmp_path}/*.txt", context)


async def test_files_together_keep_their_order_and_come_once(tmp_path, context):
    fill(tmp_path, "x/2.jpg", "x/1.jpg", "y/1.jpg")
    specs = [f"{tmp_path}/{name}" for name in ("x/2.jpg", "y/1.jpg", "x/1.jpg", "x/../x/2.jpg")]
    document = await open_together(specs, context)
    assert [handle.page.id for handle in document.handles] == ["x/2.jpg", "y/1.jpg", "x/1.jpg"]
    assert names(document) == ["2.jpg", "y_1.jpg", "x_1.jpg"]
    assert (document.id, document.title) == (str(tmp_path), tmp_path.name)


async def test_files_given_by_relative_paths_do_not_tell_where_they_lie(tmp_path, context, monkeypatch):
    fill(tmp_path, "scans/1.jpg", "scans/2.jpg")
    monkeypatch.chdir(tmp_path)
    document = await open_together(["scans/1.jpg", "scans/2.jpg"], context)
    assert (document.id, document.title) == ("scans", "scans")
    assert [handle.page.source for handle in document.handles] == ["scans/1.jpg", "scans/2.jpg"]


async def test_names_that_are_no_utf8(tmp_path, context):
    try:
        fill(tmp_path, os.fsdecode(b"caf\xe9.jpg"))
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    (handle,) = (await opened(tmp_path, context)).handles
    assert (handle.page.id, handle.page.name) == ("caf\\xe9.jpg", "caf_xe9.jpg")
    assert handle.page.source.encode()
    assert (await picture_of(handle)).width == 60
