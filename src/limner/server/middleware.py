"""What every request passes through: its id, its log line, the client's gate, limits, security headers."""

from __future__ import annotations

import contextvars
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from math import ceil

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from limner.core.errors import NotAllowedError
from limner.core.settings import Settings
from limner.operations.publishing.places import PREFIX, without_key
from limner.server.clients import AllowedClients, RateLimit, client_address
from limner.server.problems import problem

logger = logging.getLogger("limner.access")

#: The id of the request that is being answered, for log lines.
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")

#: Nothing from elsewhere, nothing inline, no frame around us.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
}
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: JSON may be so large at least, whatever the settings say of images, bytes.
_LEAST_TEXT = 1_000_000
#: Looked at by load balancers and Prometheus all the time: neither limited nor logged.
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


def route_of(scope: Scope) -> str:
    """The path of the route that answers, its parameters as names, once it is known; ``-`` where there was none.

    Metrics and traces go by it: a path with ids in it would be another series for every job.
    """
    return str(getattr(scope.get("route"), "path", "-"))


class RequestContext:
    """Gives each request an id, logs it, and adds the security headers to its answer.

    An id in ``X-Request-ID`` is taken over. The log line has no query, and no key of a share: they may be secrets.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        identifier = given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        token, start, status = request_id.set(identifier), time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = identifier
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            if scope["path"] not in _QUIET:
                milliseconds = (time.perf_counter() - start) * 1000
                logger.info("%s %s %d %.1f ms", scope["method"], without_key(scope["path"]), status, milliseconds)
            request_id.reset(token)


class Gate:
    """Lets allowed clients through, not too often, with bodies that are not too large."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._settings = settings
        self._allowed = AllowedClients(settings.allowed_clients)
        self._limit = RateLimit(settings.rate_limit)
        self._viewers = RateLimit(settings.viewer_rate_limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http" or scope["path"] in _QUIET:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        peer = scope["client"][0] if scope.get("client") else ""
        address = client_address(peer, headers.get("x-forwarded-for", ""), self._settings.trusted_proxies)
        limit = self._viewers if scope["path"].startswith(PREFIX) else self._limit
        refusal = self._refuse(limit, str(address or peer), headers)
        try:
            self._allowed.check(address)
        except NotAllowedError as error:
            refusal = problem(403, error.code, str(error))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["client_address"] = str(address or peer)
        await self.app(scope, _counted(receive, body_limit(headers, self._settings)), send)

    def _refuse(
        self, limit: RateLimit, client: str, headers: Headers
    ) -> Callable[[Scope, Receive, Send], Awaitable[None]] | None:
        wait = limit.take(client)
        if wait:
            detail = f"More than {limit.per_minute} requests a minute. Try again in {ceil(wait)} s."
            return problem(429, "too-many-requests", detail, {"Retry-After": str(ceil(wait))})
        length, most = headers.get("content-length", "0"), body_limit(headers, self._settings)
        if length.isdigit() and int(length) > most:
            return problem(413, "body-too-large", _too_large(most))
        return None


def body_limit(headers: Headers, settings: Settings) -> int:
    """Bytes that a request's body may have.

    The files of a form go to the disk as they arrive. Anything else is held in memory, and the largest
    thing that has a place there is an image as base64: four characters for three bytes, and some more.
    """
    if headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return settings.max_body_bytes
    return min(settings.max_body_bytes, max(_LEAST_TEXT, int(settings.fetch_max_bytes * 1.4)))


def _too_large(limit: int) -> str:
    return (
        f"The request's body is larger than {limit:,} bytes. LIMNER_MAX_BODY_BYTES says how large a form may be, "
        "and LIMNER_FETCH_MAX_BYTES how large an image in JSON."
    )


def _counted(receive: Receive, limit: int) -> Receive:
    """Receive, as long as the body stays within the limit: a length that was not declared counts too."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                # FastAPI lets this one through unchanged while it reads a form.
                raise HTTPException(413, _too_large(limit))
        return message

    return counted
