"""Who is calling: tokens of ours, and JWTs of an identity provider.

A wrong, expired, revoked or unknown token are all the same to the caller: a 401 that does not say
which. The middleware looks at the headers before a byte of the body is read.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from limner.core.errors import LimnerError, NotAllowedError, NoTokenError, SettingsError
from limner.core.settings import Settings
from limner.server.foreign import Doors, ForeignAPI, Guests
from limner.server.problems import answer_to

if TYPE_CHECKING:
    from limner.storage.database import Database
    from limner.storage.tokens import Scope as TokenScope

#: Paths under this need a token, whatever their route says.
PROTECTED = "/v1/"


class WrongTokenError(NoTokenError):
    """The token is not valid."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, and what they may do."""

    workspace_id: str
    #: None for a JWT, and where no token is asked for.
    token_id: str | None
    #: Name of the token, or subject of the JWT.
    name: str
    scopes: frozenset[TokenScope]

    def may(self, scope: TokenScope) -> bool:
        """Whether it has that scope; ``admin`` includes the others."""
        return scope in self.scopes or "admin" in self.scopes

    def require(self, scope: TokenScope) -> None:
        """Raise `NotAllowedError` without that scope."""
        if not self.may(scope):
            raise NotAllowedError(f"This needs a token with the scope {scope!r}.")

    @property
    def is_admin(self) -> bool:
        """Whether everything in the workspace is allowed."""
        return "admin" in self.scopes


class Authenticator:
    """Finds the caller behind a request's headers.

    ``home`` is the id of the workspace ``default``. Without ``settings.auth`` everybody is its admin.
    ``by_jwt`` finds the caller behind a JWT, where an identity provider is set up.
    """

    def __init__(
        self, settings: Settings, database: Database, home: str, by_jwt: Callable[[str], Caller | None] | None = None
    ) -> None:
        self._database = database
        self._home = home
        self._by_jwt = by_jwt
        self._open = not settings.auth
        self._guests = Guests(settings)

    def __call__(self, headers: Headers) -> Caller:
        """The caller; blocks on the database. Raises `NoTokenError` or `NotAllowedError`."""
        if self._open:
            return self._anybody(headers)
        secret = presented(headers)
        if secret is None:
            raise NoTokenError("A token is needed.", hint="Send it as `Authorization: Bearer TOKEN` or `X-API-Key`.")
        return self._holder(secret)

    def foreign(self, headers: Headers, client: str, *, tokenless: bool) -> Caller:
        """The caller of another system's API, at the address ``client``.

        Whoever shows no token may annotate in the workspace ``default`` where ``tokenless`` and the settings allow it.
        Blocks, and raises, as for ours.
        """
        if self._open:
            return self._anybody(headers)
        if (secret := presented(headers) or basic_password(headers)) is not None:
            return self._holder(secret)
        if not tokenless:
            raise NoTokenError("A token is needed.", hint="Send it as `X-API-Key`, or as the password of HTTP Basic.")
        try:
            self._guests.check(headers, client)
        except NotAllowedError as error:
            raise NoTokenError("A token is needed.", hint=str(error)) from error
        return Caller(self._home, None, client, frozenset({"annotate"}))

    def _anybody(self, headers: Headers) -> Caller:
        check_local(headers)
        return Caller(self._home, None, "no-auth", frozenset({"admin"}))

    def _holder(self, secret: str) -> Caller:
        caller = self._by_token(secret) or (self._by_jwt(secret) if self._by_jwt else None)
        if caller is None:
            raise WrongTokenError
        return caller

    def _by_token(self, secret: str) -> Caller | None:
        from limner.storage.tokens import authenticate

        # The database compares hashes: how long that takes says nothing about the secret.
        token = authenticate(self._database, secret)
        return None if token is None else Caller(token.workspace_id, token.id, token.name, token.scopes)


def presented(headers: Headers) -> str | None:
    """The token that a request shows, or None."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return secret.strip()
    return headers.get("x-api-key", "").strip() or None


def basic_password(headers: Headers) -> str | None:
    """The password that a request shows by HTTP Basic (RFC 7617), or None."""
    scheme, _, coded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(coded.strip(), validate=True).decode().partition(":")[2] or None
    except ValueError:
        return None


class Authentication:
    """Lets nobody under `PROTECTED`, or to another system's API, who may not call; notes the caller for the routes."""

    def __init__(self, app: ASGIApp, systems: Sequence[ForeignAPI] = ()) -> None:
        self.app = app
        self._door_at = Doors(systems)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it before its body is read."""
        ours = scope["type"] == "http" and scope["path"].startswith(PROTECTED)
        door = self._door_at(scope["path"]) if scope["type"] == "http" and not ours else None
        if not ours and door is None:
            await self.app(scope, receive, send)
            return
        find: Authenticator = scope["app"].state.limner.authenticate
        headers = Headers(scope=scope)
        try:
            if door is None:
                caller = await run_in_threadpool(find, headers)
            else:
                client = scope.get("state", {}).get("client_address", "")
                caller = await run_in_threadpool(find.foreign, headers, client, tokenless=door.tokenless)
        except LimnerError as error:
            await (door.refusal if door else answer_to)(error)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, receive, send)


def check_open(settings: Settings) -> None:
    """Raise `SettingsError` where a server without tokens would listen to more than this machine."""
    if not settings.auth and not is_loopback(settings.host):
        raise SettingsError(
            f"Without tokens the server may only listen on this machine, not on {settings.host}.",
            hint="Use --host 127.0.0.1, or leave tokens on.",
        )


def check_local(headers: Headers) -> None:
    """Raise `NotAllowedError` for a request that another web site has put into a browser of this machine.

    Such a page can send requests to the loopback address, under its own name (``Origin``) or, with a
    name server that lies, under a name of its own (``Host``).
    """
    origin = headers.get("origin")
    named = [_host(f"//{headers.get('host', '')}"), *([] if origin is None else [_host(origin)])]
    if not all(is_loopback(name) for name in named):
        raise NotAllowedError("Without tokens, only pages and programs of this machine may call the server.")


def is_loopback(host: str) -> bool:
    """Whether a name or address stands for this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
