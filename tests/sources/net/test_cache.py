from __future__ import annotations

import hashlib
import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limner.sources.net.cache import Cache, Entry


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    made = Cache(tmp_path / "cache", limit=100)
    yield made
    made.close()


def put(cache: Cache, folder: Path, url: str, content: bytes, **more: str) -> Entry:
    entry = Entry(hashlib.sha256(content).hexdigest(), len(content), url, "image/png", **more)
    file = folder / "incoming"
    file.write_bytes(content)
    cache.put(url, file, entry)
    file.unlink()
    return entry


def contents(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in (folder / "cache" / "objects").glob("*/*"))


def test_what_is_put_is_found(cache, tmp_path):
    entry = put(cache, tmp_path, "http://a/1", b"one", etag='"x"', last_modified="yesterday")
    assert cache.find("http://a/1") == entry
    assert cache.take(entry, tmp_path / "taken")
    assert (tmp_path / "taken").read_bytes() == b"one"
    assert cache.find("http://a/2") is None


def test_a_new_content_replaces_the_old(cache, tmp_path):
    put(cache, tmp_path, "http://a/1", b"one")
    newer = put(cache, tmp_path, "http://a/1", b"two")
    assert cache.find("http://a/1") == newer


def test_a_content_of_two_addresses_is_kept_once(cache, tmp_path):
    first, second = (put(cache, tmp_path, url, b"same") for url in ("http://a/1", "http://a/2"))
    assert cache.size == 4
    assert contents(tmp_path) == [b"same"]
    assert (cache.find("http://a/1"), cache.find("http://a/2")) == (first, second)


def test_the_least_recently_used_goes(cache, tmp_path):
    entries = [put(cache, tmp_path, f"http://a/{index}", bytes([index]) * 40) for index in range(2)]
    cache.take(entries[0], tmp_path / "taken")
    put(cache, tmp_path, "http://a/2", b"c" * 40)
    assert cache.find("http://a/0")
    assert cache.find("http://a/1") is None
    assert cache.find("http://a/2")
    assert cache.size == 80


def test_what_arrives_again_counts_as_used(cache, tmp_path):
    for index in (0, 1, 0, 2):
        put(cache, tmp_path, f"http://a/{index}", bytes([index]) * 40)
    assert [bool(cache.find(f"http://a/{index}")) for index in range(3)] == [True, False, True]


def test_what_is_evicted_stays_with_those_who_took_it(cache, tmp_path):
    entry = put(cache, tmp_path, "http://a/1", b"one")
    cache.take(entry, tmp_path / "taken")
    put(cache, tmp_path, "http://a/2", b"x" * 100)
    assert not cache.take(entry, tmp_path / "again")
    assert (tmp_path / "taken").read_bytes() == b"one"


def test_what_is_larger_than_the_cache_is_not_kept(cache, tmp_path):
    put(cache, tmp_path, "http://a/1", b"one")
    put(cache, tmp_path, "http://a/2", b"x" * 101)
    assert cache.find("http://a/2") is None
    assert cache.find("http://a/1")


def test_a_forgotten_address_is_not_found(cache, tmp_path):
    put(cache, tmp_path, "http://a/1", b"one")
    cache.forget("http://a/1")
    assert cache.find("http://a/1") is None


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"on")])
def test_a_lost_or_damaged_content_is_not_found_and_can_be_put_again(cache, tmp_path, damage):
    put(cache, tmp_path, "http://a/1", b"one")
    (path,) = (tmp_path / "cache" / "objects").glob("*/*")
    damage(path)
    assert cache.find("http://a/1") is None
    assert cache.size == 0
    entry = put(cache, tmp_path, "http://a/1", b"one")
    assert cache.find("http://a/1") == entry
    assert contents(tmp_path) == [b"one"]


def test_the_cache_outlives_its_process(tmp_path):
    first = Cache(tmp_path / "cache", limit=100)
    entry = put(first, tmp_path, "http://a/1", b"one")
    first.close()
    second = Cache(tmp_path / "cache", limit=100)
    assert second.find("http://a/1") == entry
    second.close()


def test_what_came_from_an_open_network_is_hidden_when_it_is_closed(tmp_path):
    opened = Cache(tmp_path / "cache", 100, [ip_network("10.0.0.0/8")])
    put(opened, tmp_path, "http://intranet/1", b"one")
    closed = Cache(tmp_path / "cache", 100)
    assert opened.find("http://intranet/1")
    assert closed.find("http://intranet/1") is None
    opened.close()
    closed.close()


def test_addresses_are_not_kept_in_clear(cache, tmp_path):
    entry = Entry(hashlib.sha256(b"one").hexdigest(), 3, "http://a/final", "image/png")
    (tmp_path / "one").write_bytes(b"one")
    cache.put("http://a/1?token=SECRET", tmp_path / "one", entry)
    cache.close()
    assert not any(b"SECRET" in path.read_bytes() for path in (tmp_path / "cache").glob("index*"))


@pytest.mark.parametrize("spoil", ["garbage", "version"])
def test_an_index_that_cannot_be_used_is_thrown_away(tmp_path, caplog, spoil):
    old = Cache(tmp_path / "cache", limit=100)
    put(old, tmp_path, "http://a/1", b"one")
    old.close()
    path = tmp_path / "cache" / "index.sqlite"
    if spoil == "garbage":
        path.write_bytes(b"this is no database" * 100)
    else:
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = 999")
        db.close()
    cache = Cache(tmp_path / "cache", limit=100)
    assert "starts anew" in caplog.text
    assert cache.find("http://a/1") is None
    assert contents(tmp_path) == []
    put(cache, tmp_path, "http://a/2", b"two")
    assert cache.find("http://a/2")
    cache.close()


def test_a_cache_that_fails_is_gone_without(cache, tmp_path, caplog):
    entry = put(cache, tmp_path, "http://a/1", b"one")
    cache._db.execute("DROP TABLE entries")
    with caplog.at_level(logging.WARNING):
        assert cache.find("http://a/1") is None
        put(cache, tmp_path, "http://a/2", b"two")
    assert caplog.text.count("cannot be used") == 2
    assert cache.take(entry, tmp_path / "taken")
    assert cache.size == 3, "the failed transaction left nothing behind"


def test_a_new_cache_can_be_opened_by_many_at_once(tmp_path):
    """SQLite refuses some of them the write-ahead log without waiting: they must ask again."""

    def use(folder: Path, start: threading.Barrier, index: int) -> bool:
        start.wait(30)
        cache = Cache(folder / "cache", limit=100)
        (folder / str(index)).mkdir()
        put(cache, folder / str(index), f"http://a/{index}", bytes([index]))
        found = cache.find(f"http://a/{index}") is not None
        cache.close()
        return found

    with ThreadPoolExecutor(8) as pool:
        for number in range(3):
            folder, start = tmp_path / str(number), threading.Barrier(8)
            folder.mkdir()
            tasks = [pool.submit(use, folder, start, index) for index in range(8)]
            assert all(task.result(60) for task in tasks)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60)), max_size=30))
def test_size_and_index_agree_with_the_disk(tmp_path_factory, actions):
    folder = tmp_path_factory.mktemp("cache")
    cache = Cache(folder / "cache", limit=100)
    for index, size in actions:
        put(cache, folder, f"http://a/{index}", bytes([index]) * size)
        kept = contents(folder)
        assert cache.size == sum(map(len, kept)) <= 100
        assert cache.find(f"http://a/{index}")
    cache.close()


WORKER = """
import hashlib, pathlib, sys
from limner.sources.net.cache import Cache, Entry
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
cache, file = Cache(folder / "cache", limit=5000), folder / name
for index in range(150):
    content = f"{name if index % 2 else 'shared'}-{index}".encode() * 10
    file.write_bytes(content)
    cache.put(f"http://a/{name}/{index}", file, Entry(hashlib.sha256(content).hexdigest(), len(content), "", ""))
    file.unlink()
    found = cache.find(f"http://a/{name}/{index - 5}")
    if found and cache.take(found, file):
        assert len(file.read_bytes()) == found.size
        file.unlink()
cache.close()
"""


def test_several_processes_share_a_cache(tmp_path):
    """All start at once on an empty folder, and evict what the others put."""
    commands = [[sys.executable, "-c", WORKER, str(tmp_path), f"worker{index}"] for index in range(3)]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    said = [worker.communicate(timeout=100)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert said == ["", "", ""], "no warning, no lock"
    cache = Cache(tmp_path / "cache", limit=5000)
    assert cache.size == sum(map(len, contents(tmp_path))) <= 5000
    assert cache.size > 4000
    cache.close()
