from __future__ import annotations

import asyncio
import gzip
import os

import pytest

from limner.core.errors import AddressRefusedError, BlockedByHostError, FetchError, StatusError, TooLargeError
from limner.sources.net.downloader import Kind
from limner.sources.net.engine import Flights
from limner.sources.net.request import Download
from tests.sources.hostile_server import Reply

JPEG = b"\xff\xd8\xff" + os.urandom(30_000)
TAGGED = {"ETag": '"v1"'}


async def get(downloader, url: str, kind: Kind = Kind.IMAGE) -> Download:
    return await downloader.fetch(url, kind)


# Retries


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_server_that_fails_twice_and_then_works(make, server, status):
    url = server.serve("/a", Reply(b"", status), Reply(b"", status), Reply(JPEG))
    download = await get(make(), url)
    assert download.path.read_bytes() == JPEG
    assert len(server.requests) == 3


async def test_a_server_that_goes_on_failing_is_given_up(make, server):
    url = server.serve("/a", Reply(b"", 503))
    with pytest.raises(StatusError, match="the answer was 503 Service Unavailable; given up after 3 tries") as caught:
        await get(make(fetch_retries=2), url)
    assert caught.value.status == 503
    assert len(server.requests) == 3


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_truncated_body_is_fetched_again(make, server, kind):
    body = b"{" + JPEG if kind is Kind.DESCRIPTION else JPEG
    url = server.serve("/a", Reply(body, cut=9000), Reply(body))
    download = await get(make(), url, kind)
    assert download.path.read_bytes() == body


@pytest.mark.parametrize("reply", [Reply(JPEG, cut=9000), Reply(JPEG, length=len(JPEG) + 500)], ids=["cut", "lying"])
async def test_a_body_that_is_never_complete_is_an_error(make, server, reply, tmp_path):
    with pytest.raises(FetchError, match="given up after 2 tries"):
        await get(make(fetch_retries=1), server.serve("/a", reply))
    assert len(server.requests) == 2
    assert not [path for path in (tmp_path / "cache" / "handed-out").glob("*/*") if path.name != "lock"]


async def test_a_slow_drip_ends(make, server):
    url = server.serve("/a", Reply(JPEG, drip=(1, 0.05)))
    with pytest.raises(FetchError, match=r"no complete answer within 0\.3 s; given up after 2 tries"):
        await get(make(fetch_timeout=0.3, fetch_retries=1), url)


async def test_a_server_that_says_nothing_ends(make, server):
    url = server.serve("/a", Reply(JPEG, latency=30))
    with pytest.raises(FetchError, match=r"no complete answer within 0\.3 s; given up after 1 try"):
        await get(make(fetch_timeout=0.3, fetch_retries=0), url)


async def test_a_server_that_is_not_there_is_an_error(make, server):
    port = server.port + 1 if server.port < 65535 else server.port - 1
    with pytest.raises(FetchError, match="ConnectError"):
        await get(make(fetch_retries=1), f"http://127.0.0.1:{port}/")


async def test_too_large_a_file_is_not_tried_again(make, server):
    downloader = make(fetch_max_bytes=20_000)
    for path, reply in (("/said", Reply(JPEG)), ("/not-said", Reply(JPEG, length=-1))):
        with pytest.raises(TooLargeError, match=f"{path} is larger than the 20000 bytes"):
            await get(downloader, server.serve(path, reply))
    assert len(server.requests) == 2


async def test_a_bomb_is_too_large(make, server):
    bomb = gzip.compress(b"[" * 100_000_000)
    url = server.serve("/a", Reply(bomb, headers={"Content-Encoding": "gzip"}, media_type="application/json"))
    with pytest.raises(TooLargeError):
        await get(make(), url, Kind.DESCRIPTION)


async def test_a_block_is_not_tried_again_and_not_kept(make, server):
    page = Reply(b"<html><title>Are you a robot?</title>", media_type="text/html")
    url = server.serve("/a", page, Reply(JPEG))
    downloader = make()
    with pytest.raises(BlockedByHostError, match="Are you a robot"):
        await get(downloader, url)
    assert len(server.requests) == 1
    assert not (await get(downloader, url)).from_cache


# Resuming


@pytest.mark.parametrize("kind", [Kind.FULL_IMAGE, Kind.FILE])
async def test_a_broken_download_goes_on_where_it_broke_off(make, server, kind):
    whole = Reply(JPEG, headers=TAGGED, ranges=True)
    url = server.serve("/a", Reply(JPEG, headers=TAGGED, cut=9000), whole)
    download = await get(make(), url, kind)
    assert download.path.read_bytes() == JPEG
    assert download.size == len(JPEG)
    _, second = server.requests
    start = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 9000
    assert second.headers["if-range"] == '"v1"'


async def test_a_file_that_has_changed_meanwhile_is_fetched_whole(make, server):
    newer = JPEG[::-1]
    first = Reply(JPEG, headers=TAGGED, cut=9000)
    url = server.serve("/a", first, Reply(newer, headers={"ETag": '"v2"'}, ranges=True))
    download = await get(make(), url, Kind.FILE)
    assert download.path.read_bytes() == newer


async def test_a_server_without_ranges_sends_the_whole(make, server):
    url = server.serve("/a", Reply(JPEG, headers=TAGGED, cut=9000), Reply(JPEG, headers=TAGGED))
    assert (await get(make(), url, Kind.FILE)).path.read_bytes() == JPEG


@pytest.mark.parametrize(
    "wrong", [Reply(b"", 416), Reply(JPEG, 206, {"Content-Range": f"bytes 5-{len(JPEG) + 4}/{len(JPEG) + 5}"})]
)
async def test_a_server_that_resumes_wrongly_is_asked_for_the_whole(make, server, wrong):
    url = server.serve("/a", Reply(JPEG, headers=TAGGED, cut=9000), wrong, Reply(JPEG))
    assert (await get(make(), url, Kind.FILE)).path.read_bytes() == JPEG
    assert "range" not in server.requests[2].headers


async def test_an_image_made_for_the_request_is_not_resumed(make, server):
    url = server.serve("/a", Reply(JPEG, headers=TAGGED, cut=9000), Reply(JPEG, headers=TAGGED, ranges=True))
    await get(make(), url, Kind.IMAGE)
    assert "range" not in server.requests[1].headers


# The cache


@pytest.mark.parametrize("kind", [Kind.IMAGE, Kind.FULL_IMAGE])
async def test_images_come_from_the_cache(make, server, kind):
    url = server.serve("/a", Reply(JPEG))
    first = await get(make(), url, kind)
    second = await get(make(), url + "#part", kind)
    assert (first.from_cache, second.from_cache) == (False, True)
    assert second.path.read_bytes() == JPEG
    assert (second.url, second.media_type, second.size) == (first.url, first.media_type, first.size)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", [Kind.DESCRIPTION, Kind.FILE])
@pytest.mark.parametrize(
    ("header", "asked"),
    [("ETag", "if-none-match"), ("Last-Modified", "if-modified-since")],
)
async def test_the_server_is_asked_whether_other_things_are_still_the_same(make, server, kind, header, asked):
    stamp = {header: "Fri, 01 May 2026 12:00:00 GMT"}
    url = server.serve("/a", Reply(b"{1}", headers=stamp), Reply(b"", 304), Reply(b"{2}", headers=stamp))
    downloader = make()
    downloads = [await get(downloader, url, kind) for _ in range(3)]
    assert [download.path.read_bytes() for download in downloads] == [b"{1}", b"{1}", b"{2}"]
    assert [download.from_cache for download in downloads] == [False, True, False]
    assert [request.headers.get(asked) for request in server.requests] == [None, *stamp.values(), *stamp.values()]


async def test_without_a_stamp_a_description_is_fetched_again(make, server):
    url = server.serve("/a", Reply(b"{}"))
    downloader = make()
    assert not [(await get(downloader, url, Kind.DESCRIPTION)).from_cache for _ in range(2)].count(True)
    assert len(server.requests) == 2


async def test_what_must_not_be_stored_is_not(make, server):
    url = server.serve("/a", Reply(JPEG, headers={"Cache-Control": "private, No-Store"}))
    downloader = make()
    await get(downloader, url)
    assert not (await get(downloader, url)).from_cache


async def test_errors_are_not_kept(make, server):
    url = server.serve("/a", Reply(b"", 404), Reply(JPEG))
    downloader = make()
    with pytest.raises(StatusError):
        await get(downloader, url)
    assert (await get(downloader, url)).size == len(JPEG)


async def test_without_a_cache_files_still_arrive_and_go(make, server, tmp_path):
    url = server.serve("/a", Reply(JPEG))
    downloader = make(cache_bytes=0)
    first, second = await get(downloader, url), await get(downloader, url)
    assert not second.from_cache
    assert first.path.read_bytes() == second.path.read_bytes() == JPEG
    downloader.close()
    assert not first.path.exists()
    assert not (tmp_path / "cache").exists()


async def test_a_file_handed_out_survives_its_eviction(make, server):
    first = server.serve("/a", Reply(JPEG))
    second = server.serve("/b", Reply(JPEG[::-1]))
    downloader = make(cache_bytes=len(JPEG) + 100)
    download = await get(downloader, first, Kind.FILE)
    await get(downloader, second, Kind.FILE)
    assert download.path.read_bytes() == JPEG


async def test_a_closed_network_hides_what_came_from_it(make, server):
    url = server.serve("/a", Reply(JPEG))
    await get(make(), url)
    with pytest.raises(AddressRefusedError, match="loopback"):
        await get(make(source_networks=""), url)


async def test_a_cache_that_cannot_be_opened_is_gone_without(make, server, tmp_path, caplog):
    url = server.serve("/a", Reply(JPEG))
    (tmp_path / "cache" / "index.sqlite").mkdir(parents=True)
    assert (await get(make(), url)).path.read_bytes() == JPEG
    assert "nothing is kept" in caplog.text


# Sharing


async def test_those_who_ask_for_the_same_at_once_share_one_download(make, server):
    url = server.serve("/a", Reply(JPEG, latency=0.2))
    downloader = make(cache_bytes=0)
    downloads = await asyncio.gather(*(get(downloader, url) for _ in range(5)))
    assert len(server.requests) == 1
    assert len({download.path for download in downloads}) == 1


async def test_an_error_is_shared_too(make, server):
    url = server.serve("/a", Reply(b"", 404, latency=0.2))
    downloader = make()
    errors = await asyncio.gather(*(get(downloader, url) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in errors] == [StatusError] * 3
    assert len(server.requests) == 1


async def test_hosts_are_asked_as_often_at_once_as_the_settings_say(make, server):
    for index in range(8):
        server.serve(f"/{index}", Reply(JPEG, latency=0.05))
    downloader = make(host_concurrency=3)
    await asyncio.gather(*(get(downloader, server.url(f"/{index}")) for index in range(8)))
    assert server.most_at_once == 3
    assert len({request.connection for request in server.requests}) == 3


async def test_full_images_are_spaced_and_others_are_not(make, server):
    for index in range(3):
        server.serve(f"/{index}", Reply(JPEG))
    downloader = make(host_delays={"127.0.0.1": 1.0}, host_concurrency=4)
    await get(downloader, server.url("/2"), Kind.IMAGE)
    await asyncio.gather(*(get(downloader, server.url(f"/{index}"), Kind.FULL_IMAGE) for index in range(2)))
    _, first, second = server.requests
    assert second.at - first.at > 0.5


async def test_a_redirect_within_the_host_is_no_second_full_image(make, server):
    server.serve("/a", Reply(b"", 303, {"Location": "/b"}))
    server.serve("/b", Reply(JPEG))
    async with asyncio.timeout(30):
        await get(make(host_delays={"127.0.0.1": 3600}), server.url("/a"), Kind.FULL_IMAGE)


@pytest.fixture
def gate() -> asyncio.Event:
    return asyncio.Event()


class Work:
    """Work that waits at a gate and counts what became of it."""

    def __init__(self, gate: asyncio.Event) -> None:
        self.gate, self.started, self.cancelled = gate, 0, 0

    async def __call__(self) -> Download:
        self.started += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Download(None, "", "", 0, from_cache=False)  # type: ignore[arg-type]


async def test_work_goes_on_while_anybody_waits(gate):
    flights, work = Flights(), Work(gate)
    asking = [asyncio.create_task(flights.join(("a", Kind.FILE), work)) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    asking[1].cancel()
    await asyncio.sleep(0)
    gate.set()
    await asking[2]
    assert (work.started, work.cancelled) == (1, 0)


async def test_work_is_cancelled_when_nobody_waits_and_starts_anew_when_asked_again(gate):
    flights, work = Flights(), Work(gate)
    asking = [asyncio.create_task(flights.join(("a", Kind.FILE), work)) for _ in range(2)]
    await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    again = asyncio.create_task(flights.join(("a", Kind.FILE), work))
    await asyncio.sleep(0)
    gate.set()
    await again
    assert (work.started, work.cancelled) == (2, 1)


async def test_different_things_are_not_shared(gate):
    flights, work = Flights(), Work(gate)
    gate.set()
    keys = [("a", Kind.FILE), ("b", Kind.FILE), ("a", Kind.IMAGE)]
    await asyncio.gather(*(flights.join(key, work) for key in keys))
    assert work.started == 3


async def test_what_needs_authorization_is_neither_cached_nor_shared(make, server):
    url = server.serve("/a", Reply(JPEG, headers=TAGGED))
    downloader = make()
    for token in ("mine", "mine", "yours"):
        assert not (await downloader.fetch(url, Kind.IMAGE, authorization=token)).from_cache
    assert not (await downloader.fetch(url, Kind.IMAGE)).from_cache
    assert (await downloader.fetch(url, Kind.IMAGE)).from_cache
    assert not (await downloader.fetch(url, Kind.IMAGE, authorization="mine")).from_cache
    shown = [request.headers.get("authorization") for request in server.requests]
    assert shown == ["mine", "mine", "yours", None, "mine"]
    assert all("if-none-match" not in request.headers for request in server.requests)
