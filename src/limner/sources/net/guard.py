"""Which addresses may be fetched.

The check stands between name resolution and the connection, and the connection goes to the very
address that was checked. So it covers redirects, retries, odd spellings of an address (decimal,
octal, with a trailing dot) and names that change their address between two questions.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import httpx

from limner.core.errors import AddressRefusedError, FetchError
from limner.core.settings import Network
from limner.sources.net.request import shown

#: From a host name and a port to its addresses.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
Address = IPv4Address | IPv6Address

#: Everything that is not the public internet, after the IANA special-purpose address registries
#: (RFC 6890 and its updates), the more telling name first.
_REFUSED: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ip_network(network), what)
    for network, what in (
        ("169.254.169.254/32", "cloud metadata"),
        ("100.100.100.200/32", "cloud metadata"),
        ("168.63.129.16/32", "cloud metadata"),  # Azure's, in the midst of the public space
        ("192.0.0.192/32", "cloud metadata"),
        ("fd00:ec2::254/128", "cloud metadata"),
        ("fd20:ce::254/128", "cloud metadata"),
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),  # Teredo, ORCHID and other protocol assignments
        ("2001:db8::/32", "reserved"),
        ("3fff::/20", "reserved"),
        # Global unicast is 2000::/3; these three are all the rest.
        ("::/3", "reserved"),
        ("4000::/2", "reserved"),
        ("8000::/1", "reserved"),
    )
)

#: IPv6 networks that carry an IPv4 address, and how far right of it the address ends, bits.
_CARRIERS: Final[tuple[tuple[IPv6Network, int], ...]] = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)

#: What the resolver says of names that do not exist, as against names it cannot look up just now.
_NO_SUCH_NAME: Final = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def check_url(url: str) -> httpx.URL:
    """The address, parsed; raises `AddressRefusedError` unless it is http(s) with a host and no credentials."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise AddressRefusedError(f"The address {shown(url)} cannot be read: {error}.") from error
    if parsed.scheme not in {"http", "https"}:
        raise AddressRefusedError(f"The address {shown(url)} is refused: only http and https are fetched.")
    if parsed.userinfo:
        raise AddressRefusedError(f"The address {shown(url)} is refused: it carries a user name or password.")
    if not parsed.host:
        raise AddressRefusedError(f"The address {shown(url)} is refused: it names no host.")
    return parsed


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port, as browsers tell sites apart; the port is None where it is the scheme's own."""
    return url.scheme, host_key(url), url.port


def host_key(url: httpx.URL) -> str:
    """The name under which a host's politeness is kept; all its ports share one."""
    return url.host.lower().rstrip(".")


def carried(address: Address) -> Address:
    """The IPv4 address inside a mapped, NAT64 or 6to4 one; any other as it is."""
    if isinstance(address, IPv6Address):
        for network, shift in _CARRIERS:
            if address in network:
                return IPv4Address((int(address) >> shift) & 0xFFFF_FFFF)
    return address


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Why an address is not to be connected to, in a word or two; None when it may be."""
    inner = carried(address)
    if any(address in network or inner in network for network in allowed):
        return None
    return next((what for network, what in _REFUSED if inner in network), None)


async def system_resolver(host: str, port: int) -> list[str]:
    """Ask the system, which also reads ``127.1``, ``2130706433`` and the hosts file."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class Guard:
    """Resolves names to the addresses that may be connected to."""

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        resolve: Resolver = system_resolver,
        *,
        setting: str = "LIMNER_SOURCE_NETWORKS",
    ) -> None:
        self._allowed = tuple(allowed)
        self._resolve = resolve
        #: The setting that allows more, for the message.
        self._setting = setting

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where to connect to; raises `AddressRefusedError`, `FetchError` (no such name) or `OSError`."""
        found = [ip_address(text) for text in await self._lookup(host, port)]
        reasons = {address: refusal(address, self._allowed) for address in found}
        good = [str(address) for address, reason in reasons.items() if reason is None]
        if not good:
            self._refuse(host, reasons)
        return good

    async def _lookup(self, host: str, port: int) -> Sequence[str]:
        try:
            found = await self._resolve(host, port)
        except socket.gaierror as error:
            if error.errno not in _NO_SUCH_NAME:
                raise
            raise FetchError(f"The host {host} is not known.", hint="Check the address for typing errors.") from error
        except UnicodeError as error:
            raise FetchError(f"The host name {host[:80]} is not possible.") from error
        if not found:
            raise FetchError(f"The host {host} has no address.")
        return found

    def _refuse(self, host: str, reasons: dict[Address, str | None]) -> None:
        address, reason = next(iter(reasons.items()))
        where = f"{host} is" if host == str(address) else f"{host} has the address {address}, which is"
        raise AddressRefusedError(
            f"{where} not on the public internet ({reason} address), so it is not fetched.",
            hint=f"If you trust it, name its network in {self._setting}, for example {address}/"
            f"{address.max_prefixlen}.",
        )
