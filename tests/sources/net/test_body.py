from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import BlockedByHostError, FetchError, SourceError, TooLargeError
from limner.sources.net.body import Partial, begin, decoded, media_type, receive
from limner.sources.net.request import Kind, TransientError

JPEG = b"\xff\xd8\xff" + bytes(5000)


def answer(body: bytes, *, status: int = 200, step: int = 1000, **headers: str) -> httpx.Response:
    """An answer that arrives in portions; header names with _ for -."""

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step):
            yield body[start : start + step]

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = httpx.Request("GET", "http://pages.example/a?key=secret")
    return httpx.Response(status, headers=named, content=stream(), request=request)


async def unpack(response: httpx.Response) -> bytes:
    return b"".join([piece async for piece in decoded(response)])


@pytest.fixture
def partial(tmp_path: Path) -> Partial:
    return Partial(tmp_path / "file", 1_000_000)


async def test_a_body_is_streamed_to_disk(partial):
    await receive(answer(JPEG), Kind.IMAGE, partial)
    assert partial.path.read_bytes() == JPEG
    assert partial.size == len(JPEG)
    assert partial.sha256 == hashlib.sha256(JPEG).hexdigest()
    assert partial.head == JPEG[:4096]


@given(content=st.binary(max_size=2000), step=st.integers(1, 500), members=st.integers(1, 3))
async def test_packed_bodies_are_unpacked(content, step, members):
    packed = b"".join(gzip.compress(content) for _ in range(members))
    assert await unpack(answer(packed, step=step, content_encoding="gzip")) == content * members


@pytest.mark.parametrize("coding", ["deflate", "x-gzip", "GZIP", "identity, gzip"])
async def test_other_names_of_the_same_packing(coding):
    assert await unpack(answer(zlib.compress(b"text" * 100), content_encoding=coding)) == b"text" * 100


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "gzip, gzip, gzip, gzip"])
async def test_packings_that_were_not_asked_for_are_refused(coding):
    with pytest.raises(FetchError, match="not asked for"):
        decoded(answer(b"x", content_encoding=coding))


async def test_a_bomb_is_unpacked_in_small_pieces_and_stopped_at_the_limit(partial):
    bomb = gzip.compress(bytes(50_000_000))
    pieces = [len(piece) async for piece in decoded(answer(bomb, step=1 << 16, content_encoding="gzip"))]
    assert max(pieces) <= 1 << 18
    with pytest.raises(TooLargeError, match="1000000 bytes"):
        await receive(answer(bomb, step=1 << 16, content_encoding="gzip"), Kind.FILE, partial)
    assert partial.path.stat().st_size <= 1_000_000


async def test_a_packed_body_that_ends_too_early_may_be_tried_again(partial):
    packed = gzip.compress(os.urandom(5000))
    with pytest.raises(TransientError, match="too early"):
        await receive(answer(packed[:3000], content_encoding="gzip"), Kind.FILE, partial)


async def test_a_body_that_is_not_packed_as_it_says_is_an_error(partial):
    with pytest.raises(FetchError, match="cannot be unpacked"):
        await receive(answer(JPEG, content_encoding="gzip"), Kind.FILE, partial)


async def test_a_body_that_says_it_is_too_large_is_not_read(partial):
    response = answer(bytes(10), content_length="1000001")
    with pytest.raises(TooLargeError, match=r"pages\.example/a\?… .* LIMNER_FETCH_MAX_BYTES"):
        await receive(response, Kind.FILE, partial)
    assert not response.is_stream_consumed


async def test_a_body_that_grows_too_large_is_stopped(partial):
    with pytest.raises(TooLargeError):
        await receive(answer(bytes(1_000_001)), Kind.FILE, partial)


PAGE = b"<!doctype html><title>Access denied</title>"


@pytest.mark.parametrize("kind", [Kind.IMAGE, Kind.FULL_IMAGE])
@pytest.mark.parametrize(
    ("body", "called"), [(PAGE, "image/jpeg"), (PAGE, "text/html; charset=utf-8"), (b"Denied.", "text/html")]
)
async def test_a_web_page_in_place_of_an_image_is_a_block(partial, kind, body, called):
    with pytest.raises(BlockedByHostError, match=r"pages\.example sent a web page.* status 200"):
        await receive(answer(body, content_type=called), kind, partial)


async def test_a_block_names_the_title_of_the_page(partial):
    with pytest.raises(BlockedByHostError, match="“Access denied”"):
        await receive(answer(PAGE), Kind.IMAGE, partial)


async def test_a_long_web_page_is_not_read_to_its_end(partial):
    with pytest.raises(BlockedByHostError):
        await receive(answer(PAGE + bytes(500_000)), Kind.IMAGE, partial)
    assert partial.size <= 5000


@pytest.mark.parametrize("called", ["application/json", "text/plain", "application/xml", "application/ld+json"])
async def test_an_error_text_in_place_of_an_image_is_named(partial, called):
    with pytest.raises(FetchError, match=rf"is {called.replace('+', '.')}, no image"):
        await receive(answer(b"sorry", content_type=called), Kind.IMAGE, partial)


@pytest.mark.parametrize("called", ["text/html", "text/plain", "application/json", "", "application/octet-stream"])
async def test_an_image_is_one_whatever_it_is_called(partial, called):
    await receive(answer(JPEG, content_type=called), Kind.IMAGE, partial)


async def test_an_empty_image_is_an_error(partial):
    with pytest.raises(FetchError, match="is empty"):
        await receive(answer(b""), Kind.IMAGE, partial)


async def test_unknown_bytes_that_are_called_an_image_are_left_to_the_decoder(partial):
    await receive(answer(b"????", content_type="image/x-new"), Kind.IMAGE, partial)


@pytest.mark.parametrize(("body", "called"), [(PAGE, "application/json"), (b"moved", "text/html")])
async def test_a_web_page_in_place_of_a_description_is_an_error(partial, body, called):
    with pytest.raises(FetchError, match=r"is a web page.*no IIIF description"):
        await receive(answer(body, content_type=called), Kind.DESCRIPTION, partial)


async def test_json_is_a_description_even_where_it_is_called_html(partial):
    await receive(answer(b' {"type": "Manifest"}', content_type="text/html"), Kind.DESCRIPTION, partial)


async def test_a_web_page_is_a_file_like_any_other(partial):
    await receive(answer(PAGE, content_type="text/html"), Kind.FILE, partial)


def test_a_part_goes_on_where_the_file_broke_off(partial):
    begin(answer(b"", etag='"v1"'), partial)
    partial.write(b"x" * 100)
    begin(answer(b"", status=206, content_range="bytes 100-299/300", etag='"v1"'), partial)
    assert (partial.size, partial.expected) == (100, 300)


@pytest.mark.parametrize("said", ["bytes 50-299/300", "bytes 0-299/300", "bytes */300", "items 100-299/300", ""])
def test_a_part_that_does_not_fit_starts_anew(partial, said):
    begin(answer(b"", etag='"v1"'), partial)
    partial.write(b"x" * 100)
    with pytest.raises(TransientError):
        begin(answer(b"", status=206, content_range=said, etag='"v1"'), partial)
    assert partial.size == 0
    assert not partial.path.exists()


def test_a_whole_body_starts_anew(partial):
    begin(answer(b"", etag='"v1"'), partial)
    partial.write(b"x" * 100)
    begin(answer(b"", etag='"v2"'), partial)
    assert partial.size == 0


async def test_a_part_that_is_too_short_is_no_whole(partial):
    begin(answer(b"", etag='"v1"'), partial)
    partial.write(b"x" * 100)
    response = answer(bytes(50), status=206, content_range="bytes 100-149/300", etag='"v1"')
    begin(response, partial)
    with pytest.raises(TransientError, match="150 bytes arrived of 300"):
        await receive(response, Kind.FILE, partial)


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"etag": '"v1"', "last_modified": "Fri, 01 May 2026 12:00:00 GMT"}, '"v1"'),
        ({"etag": 'W/"v1"'}, ""),
        ({"etag": 'W/"v1"', "last_modified": "Fri, 01 May 2026 12:00:00 GMT"}, "Fri, 01 May 2026 12:00:00 GMT"),
        ({"etag": '"v1"', "accept_ranges": "none"}, ""),
        ({"etag": '"v1"', "content_encoding": "gzip"}, ""),
        ({}, ""),
    ],
)
def test_only_what_can_be_checked_is_resumed(partial, headers, validator):
    begin(answer(b"", **headers), partial)
    partial.write(b"x")
    assert partial.validator == validator
    assert partial.resumable == bool(validator)


def test_a_disk_that_takes_nothing_is_named(tmp_path):
    partial = Partial(tmp_path / "missing" / "file", 10)
    with pytest.raises(SourceError, match="missing: No such file"):
        partial.write(b"x")


@pytest.mark.parametrize(
    ("said", "read"),
    [("Image/JPEG; q=1", "image/jpeg"), ("", ""), ("application/ld+json;profile=x", "application/ld+json")],
)
def test_media_types(said, read):
    assert media_type(answer(b"", content_type=said)) == read
