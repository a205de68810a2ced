from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from limner.core.errors import FetchError, SettingsError
from limner.core.settings import Settings
from limner.sources.net.downloader import Downloader, FreshDownloader, Kind
from tests.sources.hostile_server import Reply

JPEG = b"\xff\xd8\xff" + os.urandom(3000)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_json_in_any_unicode(make, server, coding):
    manifest = {"label": {"fr": ["Évangéliaire"]}, "items": []}
    url = server.serve("/m", Reply(json.dumps(manifest, ensure_ascii=False).encode(coding)))
    assert await make().fetch_json(url) == manifest


@pytest.mark.parametrize(
    "body",
    [b"", b"plain", b'{"a": ', b'{"a": "\xff"}', b"[" * 200_000, b"1" * 10_000],
    ids=["empty", "text", "cut", "not unicode", "deep", "long number"],
)
async def test_what_is_no_json_is_said(make, server, body):
    url = server.serve("/m", Reply(body, media_type="application/json"))
    with pytest.raises(FetchError, match="/m is no JSON"):
        await make().fetch_json(url)


async def test_a_web_page_is_no_description(make, server):
    url = server.serve("/m", Reply(b"<!doctype html><title>Viewer</title>", media_type="text/html"))
    with pytest.raises(FetchError, match=r"web page.*Viewer"):
        await make().fetch_json(url)


def test_several_event_loops_share_politeness_and_connections(make, server):
    for index in range(12):
        server.serve(f"/{index}", Reply(JPEG + bytes([index]), latency=0.02))
    downloader = make(host_concurrency=2)

    def one_loop(part: int) -> list[int]:
        async def main() -> list[int]:
            urls = [server.url(f"/{index}") for index in range(part, 12, 3)]
            downloads = await asyncio.gather(*(downloader.fetch(url, Kind.IMAGE) for url in urls))
            return [download.path.read_bytes()[-1] for download in downloads]

        return asyncio.run(main())

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(one_loop, range(3))) == [[part, part + 3, part + 6, part + 9] for part in range(3)]
    assert server.most_at_once == 2
    assert len({request.connection for request in server.requests}) == 2


async def test_a_fetch_that_is_cancelled_leaves_nothing_behind(make, server, tmp_path):
    url = server.serve("/a", Reply(JPEG, drip=(100, 0.2)), Reply(JPEG))
    downloader = make()
    task = asyncio.create_task(downloader.fetch(url, Kind.IMAGE))
    await asyncio.to_thread(server.wait_for, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The host's only place is free again.
    download = await downloader.fetch(url, Kind.IMAGE)
    assert download.path.read_bytes() == JPEG
    kept = [path for path in (tmp_path / "cache" / "handed-out").glob("*/*") if path.name != "lock"]
    assert kept == [download.path]


async def test_a_cancelled_start_does_not_stop_the_others(make, server):
    url = server.serve("/a", Reply(JPEG))
    downloader = make()
    first = asyncio.create_task(downloader.fetch(url, Kind.IMAGE))
    await asyncio.sleep(0)
    first.cancel()
    assert (await downloader.fetch(url, Kind.IMAGE)).size == len(JPEG)


async def test_closing_ends_what_is_under_way(make, server):
    url = server.serve("/a", Reply(JPEG, latency=60))
    downloader = make(fetch_timeout=60)
    tasks = [asyncio.create_task(downloader.fetch(url, kind)) for kind in (Kind.IMAGE, Kind.FILE)]
    await asyncio.to_thread(server.wait_for, 1)
    await asyncio.to_thread(downloader.close)
    for task in tasks:
        with pytest.raises(FetchError, match="closed before"):
            await task
    with pytest.raises(FetchError, match="is closed"):
        await downloader.fetch(url, Kind.IMAGE)


async def test_closing_removes_the_files_and_stops_the_thread(make, server):
    before = set(threading.enumerate())  # servers of other tests may have one of their own
    downloader = make()
    download = await downloader.fetch(server.serve("/a", Reply(JPEG)), Kind.IMAGE)
    assert [thread.name for thread in set(threading.enumerate()) - before].count("limner-downloader") == 1
    downloader.close()
    downloader.close()
    assert not download.path.exists()
    assert not [each for each in set(threading.enumerate()) - before if each.name == "limner-downloader"]


async def test_a_file_goes_with_its_download(make, server):
    download = await make().fetch(server.serve("/a", Reply(JPEG)), Kind.IMAGE)
    path = download.path
    assert path.exists()
    del download
    for _ in range(100):  # the event loops may still hold it for a moment
        gc.collect()
        if not path.exists():
            break
        await asyncio.sleep(0.01)
    assert not path.exists()


def test_one_that_is_never_used_starts_nothing(tmp_path):
    before = threading.active_count()
    with Downloader(Settings(data=tmp_path / "data")):
        assert threading.active_count() == before
    assert not (tmp_path / "data").exists()


async def test_a_data_folder_that_cannot_be_written_is_said_to_all(make, tmp_path):
    (tmp_path / "file").write_text("in the way")
    downloader = make(data=tmp_path / "file")
    for _ in range(2):
        with pytest.raises(SettingsError, match="LIMNER_DATA"):
            await downloader.fetch("http://127.0.0.1:9/", Kind.FILE)


def test_importing_it_loads_no_httpx():
    code = "import sys, limner.sources.net.downloader; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


async def test_what_is_wanted_fresh_is_fetched_anew_and_kept(make, server):
    url = server.serve("/a", Reply(JPEG), Reply(JPEG + b"new"))
    downloader = make()
    assert not (await downloader.fetch(url, Kind.IMAGE)).from_cache
    assert (await downloader.fetch(url, Kind.IMAGE)).from_cache
    fresh = await FreshDownloader(downloader).fetch(url, Kind.IMAGE)
    assert (fresh.from_cache, fresh.path.read_bytes()) == (False, JPEG + b"new")
    again = await downloader.fetch(url, Kind.IMAGE)
    assert (again.from_cache, again.path.read_bytes()) == (True, JPEG + b"new")
