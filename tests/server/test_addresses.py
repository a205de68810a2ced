import pytest
from fastapi import Request

from limner.core.settings import Settings
from limner.server.addresses import base_of


def _request(headers: dict[str, str], peer: str | None = "10.0.0.9") -> Request:
    raw = [(name.encode(), value.encode()) for name, value in {"host": "limner.example:8400", **headers}.items()]
    scope = {"type": "http", "scheme": "http", "path": "/v1/jobs", "root_path": "", "query_string": b"", "headers": raw}
    return Request({**scope, "server": ("127.0.0.1", 8400), "client": (peer, 1) if peer else None})


@pytest.mark.parametrize(
    ("settings", "headers", "peer", "base"),
    [
        ({}, {}, "10.0.0.9", "http://limner.example:8400"),
        ({"public_url": "https://pub.example/x/"}, {}, "10.0.0.9", "https://pub.example/x"),
        ({"trusted_proxies": "10.0.0.0/8"}, {"x-forwarded-proto": "https"}, "10.0.0.9", "https://limner.example:8400"),
        ({"trusted_proxies": "10.0.0.0/8"}, {"x-forwarded-proto": "https"}, "192.0.2.1", "http://limner.example:8400"),
        ({"trusted_proxies": "10.0.0.0/8"}, {"x-forwarded-proto": "gopher"}, "10.0.0.9", "http://limner.example:8400"),
        ({}, {"x-forwarded-proto": "https"}, None, "http://limner.example:8400"),
    ],
    ids=["as asked", "public", "by a proxy", "by a stranger", "odd", "no peer"],
)
def test_the_base(settings: dict[str, str], headers: dict[str, str], peer: str | None, base: str) -> None:
    assert base_of(_request(headers, peer), Settings(**settings)) == base
