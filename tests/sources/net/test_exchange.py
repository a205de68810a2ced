from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from limner.core.errors import AddressRefusedError, FetchError, StatusError
from limner.sources.net.downloader import Kind
from limner.sources.net.politeness import Backoff
from tests.sources.hostile_server import HostileServer, Reply

JPEG = b"\xff\xd8\xff" + bytes(20_000)
PAGE = b"<html><title>Nothing here</title></html>"


def to(location: str, status: int = 302) -> Reply:
    return Reply(b"moved", status, {"Location": location})


async def test_redirects_are_followed_and_the_last_address_is_told(make, server):
    server.serve("/a", to("/b", 301))
    server.serve("/b", to("c?size=full", 307))
    server.serve("/c", Reply(JPEG))
    download = await make().fetch(server.url("/a"), Kind.IMAGE)
    assert download.url == server.url("/c?size=full")
    assert download.path.read_bytes() == JPEG
    assert len({request.connection for request in server.requests}) == 1


async def test_a_redirect_loop_ends(make, server):
    server.serve("/a", to("/b"))
    server.serve("/b", to("/a"))
    with pytest.raises(FetchError, match="redirects more than 5 times"):
        await make().fetch(server.url("/a"), Kind.IMAGE)
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://127.0.0.2/", "loopback"),
        ("http://[::1]/", "loopback"),
        ("http://[::ffff:127.0.0.2]:80/", "loopback"),
        ("http://10.0.0.1/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "cloud metadata"),
        ("http://2130706434/", "loopback"),
        ("http://127.0.0.2.:80/", "loopback|not known"),
        ("//user:pass@127.0.0.1/", "user name or password"),
        ("file:///etc/passwd", "only http and https"),
        ("gopher://127.0.0.1/", "only http and https"),
    ],
)
async def test_a_redirect_to_a_refused_address_is_refused(make, server, location, why):
    server.serve("/a", to(location))
    with pytest.raises((AddressRefusedError, FetchError), match=why):
        await make().fetch(server.url("/a"), Kind.IMAGE)
    assert len(server.requests) == 1, "no retry"


async def test_a_redirect_reaches_no_private_server(make, server):
    with HostileServer("127.0.0.2") as private:
        server.serve("/a", to(private.url("/", host="127.0.0.2")))
        with pytest.raises(AddressRefusedError, match="LIMNER_SOURCE_NETWORKS"):
            await make().fetch(server.url("/a"), Kind.DESCRIPTION)
        assert private.requests == []


async def test_a_redirect_without_an_address_is_an_error(make, server):
    server.serve("/a", Reply(b"", 302))
    with pytest.raises(StatusError, match="302 Found"):
        await make().fetch(server.url("/a"), Kind.FILE)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 416, 501])
async def test_an_error_status_is_told_at_once_with_the_title_of_its_page(make, server, status):
    url = server.serve("/a", Reply(PAGE, status, media_type="text/html"))
    with pytest.raises(StatusError, match=rf"127\.0\.0\.1 answered {status} .*“Nothing here”") as caught:
        await make().fetch(url, Kind.IMAGE)
    assert caught.value.status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [204, 206, 304])
async def test_a_status_that_was_not_asked_for_is_an_error(make, server, status):
    url = server.serve("/a", Reply(b"", status))
    with pytest.raises(StatusError) as caught:
        await make().fetch(url, Kind.FILE)
    assert caught.value.status == status


async def test_the_connection_survives_an_error_page(make, server):
    server.serve("/a", Reply(PAGE, 404))
    server.serve("/b", Reply(JPEG))
    downloader = make()
    with pytest.raises(StatusError):
        await downloader.fetch(server.url("/a"), Kind.IMAGE)
    await downloader.fetch(server.url("/b"), Kind.IMAGE)
    assert len({request.connection for request in server.requests}) == 1


@pytest.mark.parametrize("reply", [Reply(PAGE, 404, cut=10), Reply(bytes(10_000_000), 404)])
async def test_an_error_page_that_is_broken_or_endless_changes_nothing(make, server, reply):
    with pytest.raises(StatusError) as caught:
        await make().fetch(server.serve("/a", reply), Kind.IMAGE)
    assert caught.value.status == 404


async def test_we_say_who_we_are_and_what_we_want(make, server):
    downloader = make(user_agent="Limner/1 (mailto:é@example.org)")
    server.serve("/a", Reply(b"{}"))
    for kind in (Kind.IMAGE, Kind.DESCRIPTION, Kind.FILE):
        server.serve(f"/{kind.name}", Reply(b"{}", media_type=""))
        await downloader.fetch(server.url(f"/{kind.name}"), kind)
    image, description, file = (request.headers for request in server.requests)
    assert image["user-agent"].encode("latin-1").decode() == "Limner/1 (mailto:é@example.org)"
    assert image["accept"].startswith("image/jpeg")
    assert description["accept"].startswith("application/ld+json")
    assert description["accept-encoding"] == "gzip"
    assert image["accept-encoding"] == file["accept-encoding"] == "identity"
    assert file["accept"] == "*/*"
    assert not {"cookie", "authorization", "referer"} & (image.keys() | description.keys())


async def test_cookies_are_not_kept(make, server):
    url = server.serve("/a", Reply(b"x", headers={"Set-Cookie": "track=me; Path=/"}))
    downloader = make(cache_bytes=0)
    await downloader.fetch(url, Kind.FILE)
    await downloader.fetch(url, Kind.FILE)
    assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize(
    "wait", ["601", format_datetime(datetime.now(UTC) + timedelta(days=2), usegmt=True)], ids=["seconds", "date"]
)
async def test_a_host_that_asks_for_too_long_a_wait_is_given_up_for_all(make, server, wait):
    server.serve("/a", Reply(b"", 429, {"Retry-After": wait}))
    server.serve("/b", Reply(JPEG))
    downloader = make()
    with pytest.raises(StatusError, match=r"429 Too Many Requests .* asks to wait \d+ s \(Retry-After\)") as caught:
        await downloader.fetch(server.url("/a"), Kind.IMAGE)
    assert caught.value.status == 429
    with pytest.raises(FetchError, match=r"not to be sent anything for another \d+ s"):
        await downloader.fetch(server.url("/b"), Kind.IMAGE)
    assert len(server.requests) == 1


async def test_a_retry_after_holds_all_requests_to_the_host(make, server):
    server.serve("/a", Reply(b"", 429, {"Retry-After": "1"}), Reply(JPEG))
    server.serve("/b", Reply(JPEG))
    downloader = make()
    await downloader.fetch(server.url("/a"), Kind.IMAGE)
    await downloader.fetch(server.url("/b"), Kind.IMAGE)
    first, *later = server.requests
    assert len(later) == 2
    assert all(request.at - first.at >= 1 for request in later)


async def test_a_429_without_retry_after_holds_the_host_too(make, server):
    server.serve("/a", Reply(b"", 429), Reply(JPEG))
    downloader = make(backoff=Backoff(first=0.3, jitter=0))
    await downloader.fetch(server.url("/a"), Kind.IMAGE)
    first, second = server.requests
    assert second.at - first.at >= 0.3


async def test_the_log_shows_no_secrets(make, server, caplog):
    server.serve("/a", to("/b?token=SECRET2"))
    server.serve("/b", Reply(b"", 503), Reply(JPEG))
    with caplog.at_level(logging.INFO):
        await make().fetch(server.url("/a?token=SECRET"), Kind.IMAGE)
    assert "/b?…" in caplog.text
    assert "SECRET" not in caplog.text


async def test_authorization_stays_with_the_origin_that_it_is_for(make, server):
    with HostileServer() as other:
        server.serve("/a", to("/b"))
        server.serve("/b", to(other.serve("/c", to(server.serve("/d", Reply(JPEG))))))
        await make().fetch(server.url("/a"), Kind.IMAGE, authorization="Token SECRET")
        shown = {request.path: request.headers.get("authorization") for request in server.requests + other.requests}
    assert shown == {"/a": "Token SECRET", "/b": "Token SECRET", "/c": None, "/d": "Token SECRET"}
