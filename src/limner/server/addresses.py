"""The address that clients reach this server at."""

from __future__ import annotations

from ipaddress import ip_address

from fastapi import Request

from limner.core.settings import Settings


def base_of(request: Request, settings: Settings) -> str:
    """What addresses of this server begin with, for whoever makes this request; no slash at the end.

    It is ``public_url`` where that is set, else the address that the client has used.
    """
    if settings.public_url:
        return settings.public_url.rstrip("/")
    base = request.base_url
    forwarded = request.headers.get("x-forwarded-proto", "").strip().lower()
    if forwarded in ("http", "https") and _by_proxy(request, settings):
        base = base.replace(scheme=forwarded)
    return str(base).rstrip("/")


def _by_proxy(request: Request, settings: Settings) -> bool:
    """Whether a proxy that we trust has passed the request on."""
    try:
        peer = ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    return any(peer in network for network in settings.trusted_proxies)
