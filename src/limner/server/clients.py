"""Who is calling: the client's address behind proxies, and whether it may call at all."""

from __future__ import annotations

import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

from limner.core.errors import NotAllowedError
from limner.core.settings import Network

Address: TypeAlias = IPv4Address | IPv6Address

#: Seconds that the addresses of an allowed host name are remembered.
_NAME_SECONDS = 60.0


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> Address | None:
    """The address of the client.

    ``X-Forwarded-For`` is read from the right, as long as the address that added an entry is a trusted
    proxy; what stands further left may be invented. None where the peer is no address (a Unix socket).
    """
    address = _address(peer)
    hops = [part.strip() for part in forwarded_for.split(",") if part.strip()]
    while address is not None and hops and any(address in network for network in trusted):
        address = _address(hops.pop())
    return address


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def resolve(name: str) -> frozenset[Address]:
    """The addresses of a host name; none where it has none just now."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()
    return frozenset(address for entry in found if (address := _address(str(entry[4][0]))) is not None)


class AllowedClients:
    """The list of clients that may call: addresses, networks and host names. An empty list allows all."""

    def __init__(self, allowed: Sequence[str], lookup: Callable[[str], frozenset[Address]] = resolve) -> None:
        self._networks: list[Network] = []
        self._names: list[str] = []
        self._lookup = lookup
        self._known: dict[str, tuple[float, frozenset[Address]]] = {}
        for entry in allowed:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._names.append(entry)

    def check(self, address: Address | None) -> None:
        """Raise `NotAllowedError` when the address is not on the list."""
        if not self._networks and not self._names:
            return
        if address is None or not self._listed(address):
            raise NotAllowedError(f"{address or 'This client'} is not among the clients that may call this server.")

    def _listed(self, address: Address) -> bool:
        if any(address in network for network in self._networks):
            return True
        return any(address in self._addresses(name) for name in self._names)

    def _addresses(self, name: str) -> frozenset[Address]:
        """The addresses of a name, looked up at most once a minute."""
        until, addresses = self._known.get(name, (0.0, frozenset()))
        if time.monotonic() >= until:
            addresses = self._lookup(name)
            self._known[name] = (time.monotonic() + _NAME_SECONDS, addresses)
        return addresses


class RateLimit:
    """At most so many requests a minute for each key, as a bucket that refills evenly.

    ``clock`` gives seconds. Forgets the keys that were quiet longest when there are too many.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic, most_keys: int = 10_000) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._most_keys = most_keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Count a request; gives 0, or the seconds to wait where there were too many."""
        if not self.per_minute:
            return 0.0
        now, rate = self._clock(), self.per_minute / 60
        level, seen = self._buckets.pop(key, (float(self.per_minute), now))
        level = min(self.per_minute, level + (now - seen) * rate)
        allowed = level >= 1
        self._buckets[key] = (level - 1 if allowed else level, now)
        while len(self._buckets) > self._most_keys:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - level) / rate
