"""``GET /v1/settings``."""

from starlette.testclient import TestClient

import limner
from tests.server.conftest import MakeClient
from tests.server.running import token_for, with_token

URL = "/v1/settings"


def test_everybody_learns_what_the_server_offers(anonymous: TestClient) -> None:
    annotator = with_token(anonymous, token_for(anonymous, "annotate"))
    shown = annotator.get(URL).json()
    assert shown["version"] == limner.__version__
    assert "coco" in shown["writes"]
    assert shown["limits"]["pages_at_once"] == 100
    assert shown["scopes"] == ["annotate"]
    assert "settings" not in shown


def test_only_the_servers_admins_see_how_it_is_set(client: TestClient, stranger: TestClient) -> None:
    assert client.get(URL).json()["settings"]["workers"] == 0
    assert "settings" not in stranger.get(URL).json()


def test_no_secret_is_shown(make_client: MakeClient, tmp_path) -> None:
    hidden = {"jwt_secret": "hush" * 20, "webhook_secret": "psst", "database_url": f"sqlite:///{tmp_path / 'x.db'}"}
    client = make_client(**hidden, jwt_jwks_url="https://ada:lovelace@id.example/keys")
    shown = with_token(client, token_for(client, "admin")).get(URL)
    assert shown.json()["settings"]["jwt_secret"] == "set"
    assert shown.json()["settings"]["jwt_jwks_url"] == "https://***@id.example/keys"
    for secret in ("hush", "psst", "lovelace"):
        assert secret not in shown.text
