"""Who comes in at the routes of other systems, and how those are refused who do not."""

from __future__ import annotations

import base64

import pytest
from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from limner.core.errors import NotAllowedError
from limner.core.settings import ForeignName, Settings
from limner.server.auth import basic_password
from limner.server.compat import COMPAT
from limner.server.foreign import Doors, ForeignAPI, Guests
from tests.server.conftest import MakeClient
from tests.server.running import token_for

#: A system whose clients can send no token, and one whose can.
_TOKENLESS, _OTHER = "/regions/models", "/run_detect"


def test_there_is_one_api_for_each_name_in_the_settings() -> None:
    assert set(COMPAT) == set(ForeignName.__args__)
    for name, system in COMPAT.items():
        assert {tag for route in system.router.routes for tag in route.tags} == {name}


def test_what_is_not_named_is_not_there(make_client: MakeClient) -> None:
    client = make_client(compat="extractor", auth=False)
    assert client.get("/models").status_code == 200
    assert client.get(_TOKENLESS).status_code == 404
    assert make_client(compat="", auth=False).get("/models").status_code == 404


@pytest.mark.parametrize("path", [_TOKENLESS, "/models"])
def test_a_token_is_taken_in_three_ways(anonymous: TestClient, path: str) -> None:
    token = token_for(anonymous, "annotate")
    basic = base64.b64encode(f"anybody:{token}".encode()).decode()
    for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}, {"Authorization": f"Basic {basic}"}):
        assert anonymous.get(path, headers=headers).status_code == 200
    wrong = base64.b64encode(b"anybody:wrong").decode()
    assert anonymous.get(path, headers={"Authorization": f"Basic {wrong}"}).status_code in (401, 403)
    assert anonymous.get(path).status_code in (400, 401)


def test_our_own_api_takes_no_basic(anonymous: TestClient) -> None:
    basic = base64.b64encode(f"anybody:{token_for(anonymous, 'admin')}".encode()).decode()
    assert anonymous.get("/v1/models", headers={"Authorization": f"Basic {basic}"}).status_code == 401


def _from(client: TestClient, address: str) -> TestClient:
    """A client of the same application at another address."""
    return TestClient(client.app, base_url="http://127.0.0.1", client=(address, 5000), raise_server_exceptions=False)


def test_without_a_token_only_the_networks_in_the_settings_come_in(make_client: MakeClient) -> None:
    client = make_client(compat_clients="10.1.0.0/16,192.0.2.7")
    for address in ("10.1.2.3", "192.0.2.7"):
        guest = _from(client, address)
        assert guest.get(_TOKENLESS).status_code == 200
        assert guest.get("/models").status_code == 200
        assert guest.post(_OTHER).status_code == 400  # its clients can send a key
        assert guest.post("/train-model", headers={"X-API-Key": token_for(client, "annotate")}).status_code == 403
        assert guest.get("/v1/models").status_code == 401
        assert guest.get(_TOKENLESS, headers={"X-API-Key": "wrong"}).status_code == 401
    assert _from(client, "10.2.0.1").get(_TOKENLESS).status_code == 401


def test_nobody_comes_in_by_saying_that_he_is_somebody_else(make_client: MakeClient) -> None:
    client = make_client(compat_clients="10.1.0.0/16", trusted_proxies="10.9.0.0/16")
    headers = {"X-Forwarded-For": "10.1.2.3"}
    assert _from(client, "203.0.113.5").get(_TOKENLESS, headers=headers).status_code == 401
    assert _from(client, "10.9.0.1").get(_TOKENLESS, headers=headers).status_code == 200
    spoofed = {"X-Forwarded-For": "10.1.2.3, 203.0.113.5"}
    assert _from(client, "10.9.0.1").get(_TOKENLESS, headers=spoofed).status_code == 401


@pytest.mark.parametrize(
    ("host", "origin", "public_url", "allowed"),
    [
        ("127.0.0.1:8400", None, "", True),
        ("limner.lan", None, "", True),
        ("127.0.0.1:8400", "http://127.0.0.1:8400", "", True),
        ("[::1]:8400", "http://[::1]:8400", "", True),
        ("localhost", "http://localhost", "", True),
        ("127.0.0.1:8400", "https://evil.example", "", False),
        ("127.0.0.1:8400", "http://127.0.0.1:9000", "", False),
        ("127.0.0.1:8400", "null", "", False),
        ("evil.example", "http://evil.example", "", False),
        ("evil.example", "http://evil.example", "https://limner.example", False),
        ("limner.example", "https://limner.example", "https://limner.example", True),
        ("limner.example:444", "https://limner.example:444", "https://limner.example:444", True),
    ],
)
def test_no_page_of_another_site_borrows_the_address_of_a_guest(
    host: str, origin: str | None, public_url: str, allowed: bool
) -> None:
    guests = Guests(Settings(compat_clients="10.0.0.0/8", public_url=public_url))
    headers = Headers({"host": host} if origin is None else {"host": host, "origin": origin})
    if allowed:
        guests.check(headers, "10.0.0.1")
    else:
        with pytest.raises(NotAllowedError):
            guests.check(headers, "10.0.0.1")


@pytest.mark.parametrize("client", ["", "unix", "11.0.0.1", "fe80::1%eth0"])
def test_who_has_no_address_is_no_guest(client: str) -> None:
    with pytest.raises(NotAllowedError):
        Guests(Settings(compat_clients="10.0.0.0/8")).check(Headers({}), client)


def test_every_path_of_a_system_has_a_door_whatever_the_method() -> None:
    doors = Doors([*COMPAT.values()])
    for system in COMPAT.values():
        for route in system.router.routes:
            assert doors(route.path) is not None
    assert doors("/regions/x/results/0/a+b") is not None
    assert doors("/v1/models") is None


def test_routes_that_nobody_would_guard_are_refused() -> None:
    outer, inner = APIRouter(), APIRouter()
    inner.add_api_route("/x", lambda: None)
    outer.mount("/y", inner)
    with pytest.raises(TypeError, match="no APIRoute"):
        Doors([ForeignAPI(router=outer)])


@pytest.mark.parametrize(
    ("value", "password"),
    [
        ("Basic " + base64.b64encode(b"me:secret").decode(), "secret"),
        ("basic " + base64.b64encode(b":a:b").decode(), "a:b"),
        ("Basic " + base64.b64encode(b"me:").decode(), None),
        ("Basic " + base64.b64encode(b"me").decode(), None),
        ("Basic !!!", None),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), None),
        ("Bearer x", None),
        ("", None),
    ],
)
def test_the_password_of_basic(value: str, password: str | None) -> None:
    assert basic_password(Headers({"authorization": value})) == password
