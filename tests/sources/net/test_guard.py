from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import AddressRefusedError, FetchError
from limner.sources.net.guard import Guard, carried, check_url, host_key, refusal, system_resolver


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("0.0.0.0", "unspecified"),
        ("10.1.2.3", "private"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("100.100.100.200", "cloud metadata"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("168.63.129.16", "cloud metadata"),
        ("169.254.1.1", "link-local"),
        ("169.254.169.254", "cloud metadata"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("198.18.0.1", "reserved"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "cloud metadata"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b:1::8.8.8.8", "reserved"),
        ("2002:7f00:1::", "loopback"),
        ("2002:c0a8:101::5", "private"),
        ("2001:0:1::1", "reserved"),
        ("2001:db8::1", "reserved"),
        ("fd00:ec2::254", "cloud metadata"),
        ("fd12:3456::1", "private"),
        ("fe80::1", "link-local"),
        ("fe80::1%1", "link-local"),
        ("fec0::1", "reserved"),
        ("ff02::1", "multicast"),
    ],
)
def test_refused_addresses(address, reason):
    assert refusal(ip_address(address)) == reason


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.32.0.1", "192.167.255.255", "100.128.0.1", "2606:4700::1", "64:ff9b::8.8.8.8", "2002:808:808::"],
)
def test_public_addresses_are_not_refused(address):
    assert refusal(ip_address(address)) is None


@given(st.ip_addresses(v=4))
def test_what_the_standard_library_calls_private_is_refused(address):
    special = address.is_private or address.is_multicast or address.is_reserved or address.is_link_local
    if special or address.is_loopback or address.is_unspecified:
        assert refusal(address) is not None


@given(st.ip_addresses(v=6))
def test_what_the_standard_library_calls_private_is_refused_in_ipv6(address):
    if carried(address) is address and (address.is_private or address.is_multicast or address.is_reserved):
        assert refusal(address) is not None


@given(st.ip_addresses(v=4))
def test_an_address_in_disguise_is_judged_as_itself(address: IPv4Address):
    disguises = [
        int(ip_address("::ffff:0:0")) + int(address),
        int(ip_address("64:ff9b::")) + int(address),
        int(ip_address("2002::")) + (int(address) << 80) + 7,
    ]
    for number in disguises:
        assert carried(IPv6Address(number)) == address
        assert refusal(IPv6Address(number)) == refusal(address)


def test_allowed_networks_open_exactly_themselves():
    allowed = [ip_network("127.0.0.0/8"), ip_network("fd12::/16")]
    assert refusal(ip_address("127.0.0.9"), allowed) is None
    assert refusal(ip_address("::ffff:127.0.0.9"), allowed) is None
    assert refusal(ip_address("fd12::9"), allowed) is None
    assert refusal(ip_address("10.0.0.9"), allowed) == "private"
    assert refusal(ip_address("::1"), allowed) == "loopback"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.org/a", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("gopher://example.org", "only http and https"),
        ("//example.org/a", "only http and https"),
        ("manifest.json", "only http and https"),
        ("https://me@example.org/", "user name or password"),
        ("https://me:secret@example.org/", "user name or password"),
        ("https:///path", "names no host"),
        ("http://a:port/", "cannot be read"),
        ("http://[::1/", "cannot be read"),
        ("http://a/\nb", "cannot be read"),
    ],
)
def test_refused_urls(url, why):
    with pytest.raises(AddressRefusedError, match=why) as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


def test_an_international_host_name_is_read():
    assert check_url("https://bücher.example/a").raw_host == b"xn--bcher-kva.example"


@pytest.mark.parametrize(
    "url",
    [
        "https://gallica.example/iiif/ark:/12148/btv1b/f1/full/!512,512/0/native.jpg",
        "https://a.example/iiif/3/ark:%2F12148%2Fbtv/pct:10,10,50,50/%5Emax/0/default.jpg?x=%20&y=a+b",
    ],
)
def test_addresses_are_left_as_they_are(url):
    assert str(check_url(url + "#xywh=1,2,3,4").copy_with(fragment=None)) == url


@pytest.mark.parametrize("url", ["http://Example.ORG./a", "https://example.org:8443/b"])
def test_all_spellings_of_a_host_are_one_host(url):
    assert host_key(check_url(url)) == "example.org"


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "::1"])
async def test_odd_spellings_of_loopback_are_refused(host):
    try:
        await system_resolver(host, 80)
    except socket.gaierror:
        pytest.skip(f"this system does not read {host}")
    with pytest.raises(AddressRefusedError, match="loopback"):
        await Guard().addresses(host, 80)


def names(**hosts: list[str]):
    async def resolve(host: str, port: int) -> list[str]:
        return hosts[host]

    return resolve


async def test_the_refusal_names_host_address_and_setting():
    guard = Guard(resolve=names(intranet=["10.0.0.7"]))
    with pytest.raises(AddressRefusedError) as caught:
        await guard.addresses("intranet", 80)
    message = str(caught.value)
    assert "intranet has the address 10.0.0.7" in message
    assert "LIMNER_SOURCE_NETWORKS" in message
    assert "10.0.0.7/32" in message


async def test_only_the_public_addresses_of_a_host_are_used():
    guard = Guard(resolve=names(mixed=["10.0.0.7", "8.8.8.8", "::1", "2606:4700::1"]))
    assert await guard.addresses("mixed", 80) == ["8.8.8.8", "2606:4700::1"]


async def test_a_host_without_addresses_is_said():
    with pytest.raises(FetchError, match="no address"):
        await Guard(resolve=names(empty=[])).addresses("empty", 80)


async def test_an_unknown_host_is_said():
    async def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(FetchError, match=r"host manifest\.example is not known"):
        await Guard(resolve=resolve).addresses("manifest.example", 80)


async def test_a_name_server_that_does_not_answer_is_another_matter():
    async def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    with pytest.raises(OSError, match="try again"):
        await Guard(resolve=resolve).addresses("manifest.example", 80)


async def test_an_impossible_host_name_is_said():
    with pytest.raises(FetchError, match="not possible"):
        await Guard().addresses("a" * 70 + ".example", 80)
