"""The way to the network: every connection passes the guard.

httpx's transport layer is used without its client on top. So nothing comes from the environment (no
proxies, no ``.netrc``), no cookies are kept, and no whole address with its query is logged.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpcore
import httpx

from limner.core.errors import SettingsError
from limner.sources.net.guard import Guard

#: Seconds to wait for one address before the next is tried.
_CONNECT: Final = 10.0
#: Connections kept open in all.
_CONNECTIONS: Final = 100
#: Seconds that an idle connection is kept.
_IDLE: Final = 30.0

#: What goes wrong between two machines. The transport does not translate the names of its engine.
NETWORK_ERRORS: Final = (
    httpx.TransportError,
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
)

#: Those of them after which nothing was sent, since there was no connection.
UNREACHED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpcore.ConnectError, httpcore.ConnectTimeout)


def _ssl_context() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise SettingsError(f"The certificates that SSL_CERT_FILE names cannot be read: {error}.") from error


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that the guard has checked, and to no other."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers."""
        failure: Exception = httpcore.ConnectError(f"no address of {host} answers")
        for address in await self._addresses(host, port):
            try:
                return await self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            return await self._guard.addresses(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"the name {host} cannot be looked up: {error}") from error


class _Body(httpx.AsyncByteStream):
    """The bytes of an answer, as they arrive."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


class GuardedTransport(httpx.AsyncBaseTransport):
    """A pool of connections over HTTP/1.1; ``SSL_CERT_FILE`` may name the authorities to trust."""

    def __init__(self, guard: Guard) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_CONNECTIONS,
            keepalive_expiry=_IDLE,
            network_backend=GuardedBackend(guard),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and give the answer, its body unread."""
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    @asynccontextmanager
    async def get(
        self, url: httpx.URL, headers: Mapping[bytes, bytes], seconds: float
    ) -> AsyncIterator[httpx.Response]:
        """Ask for an address; the answer's body is unread, and what is left unread closes the connection."""
        limits = httpx.Timeout(seconds, connect=min(_CONNECT, seconds))
        request = httpx.Request("GET", url, headers=headers, extensions={"timeout": limits.as_dict()})
        response = await self.handle_async_request(request)
        response.request = request
        try:
            yield response
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()
