from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Sequence
from ipaddress import ip_network

import httpcore
import httpx
import pytest

from limner.core.errors import AddressRefusedError, SettingsError
from limner.sources.net.guard import Guard
from limner.sources.net.transport import GuardedTransport
from tests.sources.hostile_server import HostileServer, Reply

LOCAL = [ip_network("127.0.0.1/32")]


class Names:
    """A name server that gives another answer each time; the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def body(transport: GuardedTransport, url: str) -> bytes:
    async with transport.get(httpx.URL(url), {}, 5.0) as response:
        return b"".join([chunk async for chunk in response.aiter_raw()])


async def test_the_name_is_asked_once_and_the_checked_address_is_connected_to(server):
    """DNS rebinding: the name is harmless when it is checked, and would be private a moment later."""
    server.serve("/a", Reply(b"from 127.0.0.1", headers={"Connection": "close"}))
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    transport = GuardedTransport(Guard(LOCAL, names))
    with HostileServer("127.0.0.2") as private:
        url = server.url("/a", host="rebind.example")
        assert await body(transport, url) == b"from 127.0.0.1"
        assert names.asked == ["rebind.example"]
        with pytest.raises(AddressRefusedError, match=r"rebind\.example has the address 127\.0\.0\.2"):
            await body(transport, url)
        with pytest.raises(AddressRefusedError):
            await body(transport, private.url("/a", host="rebind.example"))
        assert private.requests == []
    await transport.aclose()


async def test_the_host_header_keeps_the_name(server):
    server.serve("/a", Reply(b"x"))
    transport = GuardedTransport(Guard(LOCAL, Names(["127.0.0.1"])))
    await body(transport, server.url("/a", host="pages.example"))
    assert server.requests[0].headers["host"] == f"pages.example:{server.port}"
    await transport.aclose()


async def test_connections_are_used_again_and_names_not_asked_again(server):
    server.serve("/a", Reply(b"x"))
    names = Names(["127.0.0.1"])
    transport = GuardedTransport(Guard(LOCAL, names))
    for _ in range(5):
        await body(transport, server.url("/a", host="pages.example"))
    assert len({request.connection for request in server.requests}) == 1
    assert len(names.asked) == 1
    await transport.aclose()


async def test_an_answer_that_is_not_read_gives_its_connection_back(server):
    server.serve("/a", Reply(bytes(5_000_000)))
    transport = GuardedTransport(Guard(LOCAL))
    async with transport.get(httpx.URL(server.url("/a")), {}, 5.0):
        assert len(transport._pool.connections) == 1
    assert transport._pool.connections == []
    await transport.aclose()


async def test_an_address_that_does_not_answer_is_passed_over(server):
    server.serve("/a", Reply(b"x"))
    transport = GuardedTransport(Guard([ip_network("127.0.0.0/8")], Names(["127.0.0.3", "127.0.0.1"])))
    assert await body(transport, server.url("/a", host="pages.example")) == b"x"
    await transport.aclose()


async def test_when_no_address_answers_it_is_an_error():
    transport = GuardedTransport(Guard([ip_network("127.0.0.0/8")], Names(["127.0.0.3", "127.0.0.4"])))
    with HostileServer() as gone:
        url = gone.url("/a", host="pages.example")
    with pytest.raises(httpcore.ConnectError):
        await body(transport, url)
    await transport.aclose()


async def test_a_name_server_that_fails_is_a_network_error():
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError("no route to the name server")

    transport = GuardedTransport(Guard(LOCAL, resolve))
    with pytest.raises(httpcore.ConnectError, match=r"pages\.example cannot be looked up"):
        await body(transport, "http://pages.example/")
    await transport.aclose()


async def test_proxies_of_the_environment_are_not_used(server, monkeypatch):
    """A proxy would resolve names itself, behind the guard's back."""
    server.serve("/a", Reply(b"x"))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.9:9")
    transport = GuardedTransport(Guard(LOCAL))
    assert await body(transport, server.url("/a")) == b"x"
    await transport.aclose()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> str:
    """A certificate with key for pages.example, made here."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pages.example")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("pages.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    path = tmp_path_factory.mktemp("tls") / "pages.pem"
    path.write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(path)


@pytest.fixture
def secure_server(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HostileServer(tls=context) as running:
        yield running


async def test_certificates_are_checked_against_the_name_not_the_address(secure_server, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    secure_server.serve("/a", Reply(b"secret"))
    transport = GuardedTransport(Guard(LOCAL, Names(["127.0.0.1"])))
    assert await body(transport, secure_server.url("/a", host="pages.example")) == b"secret"
    with pytest.raises(httpcore.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await body(transport, secure_server.url("/a", host="other.example"))
    await transport.aclose()


async def test_unknown_authorities_are_not_trusted(secure_server):
    transport = GuardedTransport(Guard(LOCAL, Names(["127.0.0.1"])))
    with pytest.raises(httpcore.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await body(transport, secure_server.url("/a", host="pages.example"))
    await transport.aclose()


def test_certificates_that_cannot_be_read_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        GuardedTransport(Guard())
