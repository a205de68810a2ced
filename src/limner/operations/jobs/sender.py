"""Sending webhooks through the guard: no address is reached that a source could not be fetched from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import httpx

from limner.core.errors import FetchError
from limner.core.settings import Settings
from limner.sources.net.guard import Guard, check_url
from limner.sources.net.transport import NETWORK_ERRORS, GuardedTransport

#: Seconds that a receiver may take.
_PATIENCE: Final = 30.0


class GuardedSender:
    """Sends POST requests. Redirects are not followed: they would turn a POST into a GET."""

    def __init__(self, settings: Settings) -> None:
        self._networks = settings.source_networks
        self._agent = settings.user_agent

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Status of the answer; raises `AddressRefusedError` or `FetchError`."""
        return asyncio.run(self._send(check_url(url), headers, body))

    async def _send(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> int:
        transport = GuardedTransport(Guard(self._networks))
        limits = {"timeout": httpx.Timeout(_PATIENCE).as_dict()}
        request = httpx.Request(
            "POST", url, headers={"User-Agent": self._agent, **headers}, content=body, extensions=limits
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                response = await transport.handle_async_request(request)
                await response.aclose()
        except TimeoutError as error:
            raise FetchError(f"{url.host} did not answer within {_PATIENCE:g} s.") from error
        except NETWORK_ERRORS as error:
            raise FetchError(f"{url.host} cannot be reached: {str(error) or type(error).__name__}.") from error
        finally:
            await transport.aclose()
        return response.status_code
