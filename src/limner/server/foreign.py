"""What the APIs of other systems have in common: their routes, who may call them, how they refuse.

The APIs themselves are in `limner.server.compat`, one file each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TypeAlias
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.responses import Response

from limner.core.errors import LimnerError, NotAllowedError
from limner.core.settings import Settings
from limner.server.clients import Address, AllowedClients
from limner.server.problems import answer_to

#: How a system tells that a caller is not let in.
Refusal: TypeAlias = Callable[[LimnerError], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAPI:
    """The API of another system, as its clients speak it."""

    #: Its routes have a tag with the name under which the settings know it.
    router: APIRouter
    #: Whether its clients can send no token: the networks in ``compat_clients`` may then call without one.
    tokenless: bool = False
    #: Paths for which that is so although it is not for the others.
    tokenless_paths: frozenset[str] = frozenset()
    refusal: Refusal = field(default=answer_to)


@dataclass(frozen=True, slots=True)
class Door:
    """A path of another system's API."""

    pattern: re.Pattern[str]
    tokenless: bool
    refusal: Refusal


class Doors:
    """Finds the route of another system that has a path."""

    def __init__(self, systems: Sequence[ForeignAPI]) -> None:
        self._doors = [
            Door(route.path_regex, system.tokenless or route.path in system.tokenless_paths, system.refusal)
            for system in systems
            for route in _routes(system)
        ]

    def __call__(self, path: str) -> Door | None:
        """The way in at this path, whatever the method; None where it belongs to no other system."""
        return next((door for door in self._doors if door.pattern.match(path)), None)


def _routes(system: ForeignAPI) -> Iterator[APIRoute]:
    for route in system.router.routes:
        if not isinstance(route, APIRoute):
            # Nobody would be asked for a token there.
            raise TypeError(f"{route!r} of a foreign API is no APIRoute: declare its routes on the router itself.")
        yield route


class Guests:
    """The networks and hosts that may call without a token, where a client can send none. None of them by default."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listed = AllowedClients(settings.compat_clients)

    def check(self, headers: Headers, client: str) -> None:
        """Raise `NotAllowedError` unless such a client may come in; looks up host names, so it may block."""
        if not self._settings.compat_clients:
            raise NotAllowedError("Nobody may call this without a token.", hint="Or set LIMNER_COMPAT_CLIENTS.")
        self._listed.check(_address(client))
        if (origin := headers.get("origin")) is not None:
            self._check_page(origin, headers.get("host", ""))

    def _check_page(self, origin: str, host: str) -> None:
        """Refuse what a page of another site sends from the browser of somebody who is allowed.

        A name server that lies may give such a page our address: a name has to be one that we know.
        """
        own = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        known = own == "localhost" or _address(own) is not None or own == urlsplit(self._settings.public_url).hostname
        if urlsplit(origin).netloc != host or not known:
            raise NotAllowedError(
                "Without a token, no page of another site may call this.",
                hint="Where people reach this server by a name, set LIMNER_PUBLIC_URL.",
            )


def _address(text: str) -> Address | None:
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        return None
