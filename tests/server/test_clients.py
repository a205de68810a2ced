"""Client addresses, the list of allowed clients, and the rate limit."""

from ipaddress import ip_address, ip_network

import pytest

from limner.core.errors import NotAllowedError
from limner.server.clients import AllowedClients, RateLimit, client_address, resolve

PROXIES = [ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.5", "", "203.0.113.5"),
        ("203.0.113.5", "198.51.100.7", "203.0.113.5"),  # not a proxy of ours: what it says is not believed
        ("10.0.0.2", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "1.2.3.4, 198.51.100.7", "198.51.100.7"),  # the left one may be invented
        ("127.0.0.1", "1.2.3.4, 198.51.100.7, 10.1.1.1", "198.51.100.7"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("::ffff:10.0.0.2", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_client_is_the_last_address_that_a_trusted_proxy_saw(peer: str, forwarded: str, expected: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == ip_address(expected)


@pytest.mark.parametrize("forwarded", ["unknown", "_hidden", "1.2.3.4:80"])
def test_what_is_no_address_is_nobody(forwarded: str) -> None:
    assert client_address("10.0.0.2", forwarded, PROXIES) is None


def test_an_empty_list_allows_everybody() -> None:
    AllowedClients([]).check(None)
    AllowedClients([]).check(ip_address("203.0.113.5"))


@pytest.mark.parametrize("entry", ["203.0.113.5", "203.0.113.0/24", "app.example"])
def test_listed_clients_are_allowed_and_others_are_not(entry: str) -> None:
    gate = AllowedClients([entry], lookup=lambda _: frozenset({ip_address("203.0.113.5")}))
    gate.check(ip_address("203.0.113.5"))
    with pytest.raises(NotAllowedError, match=r"198\.51\.100\.7"):
        gate.check(ip_address("198.51.100.7"))
    with pytest.raises(NotAllowedError):
        gate.check(None)


def test_names_are_looked_up_once_for_many_requests() -> None:
    asked: list[str] = []

    def lookup(name: str) -> frozenset:
        asked.append(name)
        return frozenset({ip_address("203.0.113.5")})

    gate = AllowedClients(["app.example"], lookup)
    for _ in range(5):
        gate.check(ip_address("203.0.113.5"))
    assert asked == ["app.example"]


def test_localhost_resolves_to_loopback_and_nonsense_to_nothing() -> None:
    assert any(address.is_loopback for address in resolve("localhost"))
    assert resolve("no-such-host.invalid") == frozenset()


def test_a_burst_is_allowed_then_one_has_to_wait() -> None:
    now = [0.0]
    limit = RateLimit(60, clock=lambda: now[0])
    assert [limit.take("a") for _ in range(60)] == [0.0] * 60
    assert limit.take("a") == pytest.approx(1.0)
    assert limit.take("b") == 0.0
    now[0] += 1.0
    assert limit.take("a") == 0.0
    assert limit.take("a") > 0


def test_zero_is_no_limit() -> None:
    limit = RateLimit(0)
    assert not any(limit.take("a") for _ in range(10_000))


def test_it_does_not_remember_everybody_for_ever() -> None:
    limit = RateLimit(60, most_keys=100)
    for number in range(1000):
        limit.take(str(number))
    assert len(limit._buckets) == 100
