"""The application as a whole."""

import subprocess
import sys
import threading
from collections import Counter

import pytest
from starlette.testclient import TestClient

from limner.core.errors import SettingsError
from limner.core.settings import Settings
from limner.server.app import create_app
from tests.server.conftest import MakeClient
from tests.server.running import state_of


def test_it_answers_once_it_has_started(client: TestClient) -> None:
    answer = client.get("/v1/models")
    assert answer.status_code == 200
    assert answer.headers["x-request-id"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_nothing_is_opened_before_it_starts(tmp_path) -> None:
    create_app(Settings(data=tmp_path / "data"))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "limner.example"])
def test_without_tokens_it_listens_to_this_machine_only(host: str) -> None:
    with pytest.raises(SettingsError, match=r"127\.0\.0\.1"):
        create_app(Settings(host=host, auth=False))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_without_tokens_this_machine_is_served(host: str) -> None:
    assert create_app(Settings(host=host, auth=False))


def test_other_origins_are_not_answered_unless_they_are_listed(make_client: MakeClient) -> None:
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in make_client().options("/v1/annotate", headers=headers).headers
    answer = make_client(cors_origins="https://app.example").options("/v1/annotate", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


def test_what_is_not_there_is_a_problem(client: TestClient) -> None:
    for path in ("/nowhere", "/v1/nowhere"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_two_applications_count_for_themselves(make_client: MakeClient, tmp_path) -> None:
    one, other = make_client(), make_client(data=tmp_path / "other")
    one.get("/v1/models")
    assert state_of(one).metrics.text().count(b'route="-"') == 2
    assert b'route="-"' not in state_of(other).metrics.text()


def test_it_gives_everything_back(tmp_path) -> None:
    before = set(threading.enumerate())
    app = create_app(Settings(data=tmp_path / "data", workers=1))
    with TestClient(app) as client:
        assert client.get("/healthz").status_code == 200
    left = [thread.name for thread in set(threading.enumerate()) - before]
    assert not [name for name in left if name.startswith("limner")]


def test_a_database_that_cannot_be_used_stops_the_start(tmp_path) -> None:
    (tmp_path / "limner.db").write_bytes(b"no database at all" * 100)
    app = create_app(Settings(data=tmp_path / "data", database_url=f"sqlite:///{tmp_path / 'limner.db'}"))
    with pytest.raises(Exception, match=r"limner\.db"), TestClient(app):
        pass


def test_a_start_does_not_load_engines() -> None:
    code = "import sys, limner.server.app, limner.server.startup; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"onnxruntime", "rapidocr", "dbos", "torch", "jwt", "alembic"} & set(loaded)


def test_every_operation_is_documented(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    operations = [
        (f"{method} {path}", operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    ids = Counter(operation["operationId"] for _, operation in operations)
    assert [name for name, count in ids.items() if count > 1] == []
    for name, operation in operations:
        assert operation.get("summary"), name
        assert operation.get("description"), name
        assert operation.get("tags"), name
        assert "4XX" in operation["responses"], name


def test_the_names_of_operations_stay(client: TestClient) -> None:
    """Clients are generated from them."""
    paths = client.get("/openapi.json").json()["paths"]
    assert paths["/v1/annotate"]["post"]["operationId"] == "annotate_now"
    assert paths["/v1/models"]["post"]["operationId"] == "models_upload"
    assert paths["/v1/tokens"]["get"]["operationId"] == "tokens_list_all"
