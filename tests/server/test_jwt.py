"""JWTs, made and signed here, against a real application; keys come from a real server on loopback."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.testclient import TestClient

from limner.core.errors import SettingsError
from limner.core.settings import Settings
from limner.server.jwt import Jwts
from limner.storage.database import Database
from limner.storage.workspaces import Workspaces
from tests.server.conftest import MakeClient
from tests.server.running import state_of

SECRET = "s" * 64


def claims(**more: object) -> dict[str, object]:
    """The claims of a JWT that is to be believed."""
    base = {"sub": "ada", "aud": "limner", "exp": time.time() + 60, "workspace": "default", "scope": "annotate train"}
    return {key: value for key, value in {**base, **more}.items() if value is not None}


def signed(key: object = SECRET, algorithm: str = "HS256", key_id: str | None = None, **more: object) -> str:
    """A JWT."""
    headers = None if key_id is None else {"kid": key_id}
    return jwt.encode(claims(**more), key, algorithm=algorithm, headers=headers)


def status(client: TestClient, token: str, path: str = "/v1/models") -> int:
    """What the application says to somebody with that token."""
    return client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def public_pem(private_key: rsa.RSAPrivateKey) -> str:
    pem = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode()


@pytest.fixture
def shared(make_client: MakeClient) -> TestClient:
    """An application that shares a secret with an identity provider."""
    return make_client(jwt_secret=SECRET)


def test_a_shared_secret_signs(shared: TestClient) -> None:
    shown = shared.get("/v1/settings", headers={"X-API-Key": signed()}).json()
    assert shown["scopes"] == ["annotate", "train"]
    assert "settings" not in shown


def test_a_workspace_goes_by_its_id_too(shared: TestClient) -> None:
    assert status(shared, signed(workspace=state_of(shared).home)) == 200


def test_scopes_may_be_a_list_and_strange_ones_count_for_nothing(shared: TestClient) -> None:
    shown = shared.get("/v1/settings", headers={"X-API-Key": signed(scope=["admin", "openid"])}).json()
    assert shown["scopes"] == ["admin"]
    assert status(shared, signed(scope="openid email"), "/v1/tokens") == 403
    assert status(shared, signed(scope=None), "/v1/tokens") == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": 1},
        {"exp": None},
        {"aud": "somebody"},
        {"aud": None},
        {"workspace": "unknown"},
        {"workspace": None},
        {"workspace": 5},
        {"nbf": time.time() + 3600},
        {"key": "x" * 64},
        {"algorithm": "HS512"},
    ],
)
def test_a_jwt_with_something_wrong_is_not_believed(shared: TestClient, wrong: dict[str, object]) -> None:
    assert status(shared, signed(**wrong)) == 401


def test_a_jwt_without_signature_is_not_believed(shared: TestClient) -> None:
    assert status(shared, jwt.encode(claims(), None, algorithm="none")) == 401


def test_the_issuer_counts_where_it_is_set(make_client: MakeClient) -> None:
    client = make_client(jwt_secret=SECRET, jwt_issuer="https://id.example")
    assert status(client, signed(iss="https://id.example")) == 200
    assert status(client, signed(iss="https://evil.example")) == 401
    assert status(client, signed()) == 401


def test_a_public_key_checks(make_client: MakeClient, private_key: rsa.RSAPrivateKey, public_pem: str) -> None:
    client = make_client(jwt_public_key=public_pem)
    assert status(client, signed(private_key, "RS256")) == 200
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert status(client, signed(other, "RS256")) == 401


def test_a_key_in_one_line_is_read(make_client: MakeClient, private_key: rsa.RSAPrivateKey, public_pem: str) -> None:
    client = make_client(jwt_public_key=public_pem.replace("\n", "\\n"))
    assert status(client, signed(private_key, "RS256")) == 200


def test_a_public_key_is_no_shared_secret(make_client: MakeClient, public_pem: str) -> None:
    """The classical confusion: whoever knows the public key signs with it as if it were a secret."""
    client = make_client(jwt_public_key=public_pem)
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims())]
    body = b".".join(jwt.utils.base64url_encode(part) for part in parts)
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    mark = jwt.utils.base64url_encode(hmac.sign(body, public_pem.encode()))
    assert status(client, (body + b"." + mark).decode()) == 401


def test_why_it_was_refused_stands_in_the_log_and_not_in_the_answer(
    shared: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    token = signed(aud="somebody")
    with caplog.at_level(logging.INFO, logger="limner.server.jwt"):
        answer = shared.get("/v1/models", headers={"X-API-Key": token})
    assert "udience" in caplog.text
    assert "udience" not in answer.text
    assert token not in caplog.text


@pytest.mark.parametrize("wrong", [{"jwt_secret": "short"}, {"jwt_public_key": "no key"}])
def test_keys_that_are_none_stop_the_start(tmp_path, wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="LIMNER_JWT_"):
        Jwts(Settings(data=tmp_path, **wrong), Database(tmp_path / "limner.db"))


class Provider:
    """An identity provider: a server on loopback that gives its keys."""

    def __init__(self) -> None:
        self.keys: list[dict[str, str]] = []
        self.asked = 0
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                body = json.dumps({"keys": provider.keys}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/jwks.json"

    def publish(self, key: rsa.RSAPrivateKey, key_id: str) -> None:
        plain = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
        self.keys.append({**plain, "kid": key_id, "alg": "RS256", "use": "sig"})

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


def test_keys_are_fetched_from_the_provider_once(
    make_client: MakeClient, provider: Provider, private_key: rsa.RSAPrivateKey
) -> None:
    provider.publish(private_key, "first")
    client = make_client(jwt_jwks_url=provider.url)
    assert [status(client, signed(private_key, "RS256", "first")) for _ in range(3)] == [200] * 3
    assert provider.asked == 1


def test_an_unknown_key_does_not_make_us_ask_again_and_again(
    make_client: MakeClient, provider: Provider, private_key: rsa.RSAPrivateKey
) -> None:
    provider.publish(private_key, "first")
    client = make_client(jwt_jwks_url=provider.url)
    assert [status(client, signed(private_key, "RS256", f"k{n}")) for n in range(5)] == [401] * 5
    assert provider.asked == 1


def test_a_provider_that_does_not_answer_lets_nobody_in(
    make_client: MakeClient, private_key: rsa.RSAPrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(jwt_jwks_url="http://127.0.0.1:9/jwks.json")
    assert status(client, signed(private_key, "RS256", "first")) == 401
    assert "cannot be used" in caplog.text


def test_another_workspace_is_another(shared: TestClient) -> None:
    Workspaces(state_of(shared).database).ensure("elsewhere")
    answer = shared.get("/v1/workspaces", headers={"X-API-Key": signed(workspace="elsewhere", scope="admin")})
    assert answer.status_code == 403
