from __future__ import annotations

import time

import pytest

from limner.core.errors import FetchError, HostDownError
from limner.sources.net.breaker import Breaker
from limner.sources.net.downloader import Kind
from tests.limner_process import free_port
from tests.sources.hostile_server import Reply
from tests.sources.net.test_politeness import Clock

HOST = ("https", "library.example", None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def down(clock: Clock) -> Breaker:
    """A breaker for which the host is down."""
    made = Breaker(clock)
    for _ in range(3):
        made.check(HOST, "library.example")
        made.gave_up(HOST)
    return made


def test_a_host_that_was_not_reached_some_times_is_left_alone(clock):
    with pytest.raises(HostDownError, match=r"library\.example could not be reached 3 times in a row.* in 60 s"):
        down(clock).check(HOST, "library.example")


def test_other_hosts_are_not(clock):
    made = down(clock)
    made.check(("https", "library.example", 8080), "library.example")
    made.check(("http", "other.example", None), "other.example")


def test_an_answer_wipes_out_what_was_before(clock):
    made = Breaker(clock)
    for _ in range(9):
        made.gave_up(HOST)
        made.gave_up(HOST)
        made.reached(HOST)
        made.check(HOST, "library.example")


def test_after_a_while_one_is_let_through_and_its_answer_opens_the_way(clock):
    made = down(clock)
    clock.now += 60
    made.check(HOST, "library.example")
    for _ in range(2):
        with pytest.raises(HostDownError):
            made.check(HOST, "library.example")
    made.reached(HOST)
    for _ in range(9):
        made.check(HOST, "library.example")


def test_one_that_is_still_down_is_left_alone_again(clock):
    made = down(clock)
    for _ in range(3):
        clock.now += 60
        made.check(HOST, "library.example")
        clock.now += 59
        with pytest.raises(HostDownError):
            made.check(HOST, "library.example")
        clock.now += 1


def test_not_every_host_of_the_world_is_remembered(clock):
    made = Breaker(clock)
    for number in range(5000):
        made.gave_up(number)
    assert len(made._failing) == 1000


async def test_pages_of_a_host_that_refuses_connections_fail_without_waiting(make, server):
    url = f"http://127.0.0.1:{free_port()}"
    downloader = make(fetch_retries=1)
    said = []
    for number in range(6):
        with pytest.raises(FetchError) as caught:
            await downloader.fetch(f"{url}/{number}.jpg", Kind.IMAGE)
        said.append(caught.value.code)
    assert said == ["source.fetch"] * 3 + ["source.host-down"] * 3
    fine = server.serve("/a", Reply(b"\xff\xd8\xff" + bytes(100)))
    assert (await downloader.fetch(fine, Kind.IMAGE)).size == 103, "another port of the same machine"


async def test_a_host_that_is_back_is_asked_again(make, server):
    where = ["127.0.0.2"]  # where nobody listens

    async def resolve(host, port):
        return where

    downloader = make(fetch_retries=0, source_networks="127.0.0.0/8", resolve=resolve)
    url = server.serve("/a", Reply(b"\xff\xd8\xff" + bytes(100))).replace("127.0.0.1", "library.example")
    for code in ["source.fetch"] * 3 + ["source.host-down"]:
        with pytest.raises(FetchError) as caught:
            await downloader.fetch(url, Kind.IMAGE)
        assert caught.value.code == code
    where[:] = ["127.0.0.1"]
    with pytest.raises(HostDownError):
        await downloader.fetch(url, Kind.IMAGE)
    downloader._running.result().engine._breaker._clock = lambda: time.monotonic() + 61
    for _ in range(2):
        assert (await downloader.fetch(url, Kind.IMAGE)).size == 103
