from starlette.testclient import TestClient

from tests.server.api.work import made
from tests.server.running import token_for, with_token

MANIFEST = "https://library.example/manifest.json"


def test_documents_of_a_type_go_to_their_model(client: TestClient) -> None:
    assert made(client, source=MANIFEST, document_type="print")["model"] == "bright@1"
    answer = client.put("/v1/routes/Print", json={"model": "text-regions"})
    assert (answer.status_code, answer.json()) == (200, {"document_type": "print", "model": "text-regions"})
    assert client.put("/v1/routes/default", json={"model": "text"}).json()["document_type"] == "default"
    assert client.get("/v1/routes").json() == {
        "items": [
            {"document_type": "default", "model": "text"},
            {"document_type": "print", "model": "text-regions"},
        ],
        "next": None,
    }
    chosen = [made(client, source=MANIFEST, document_type=kind)["model"] for kind in ("print", "manuscript", None)]
    assert chosen == ["text-regions@1", "text@1", "text@1"]
    assert client.get("/v1/routes/manuscript").json() == {"document_type": "manuscript", "model": "text"}
    assert client.delete("/v1/routes/default").status_code == 204
    assert client.delete("/v1/routes/default").status_code == 404
    assert client.get("/v1/routes/manuscript").status_code == 404
    assert made(client, source=MANIFEST)["model"] == "bright@1"


def test_a_route_needs_a_model_that_is_there(client: TestClient) -> None:
    assert client.put("/v1/routes/print", json={"model": "nothing"}).status_code == 404
    assert client.put("/v1/routes/print", json={}).status_code == 422
    assert client.put(f"/v1/routes/{'x' * 101}", json={"model": "text"}).status_code == 422
    assert client.put("/v1/routes/a%00b", json={"model": "text"}).status_code == 422
    assert client.put("/v1/routes/%20", json={"model": "text"}).status_code == 400
    assert client.get("/v1/routes").json()["items"] == []


def test_routes_belong_to_a_workspace_and_its_admins_set_them(
    client: TestClient, stranger: TestClient, anonymous: TestClient
) -> None:
    client.put("/v1/routes/print", json={"model": "text"})
    assert stranger.get("/v1/routes").json()["items"] == []
    assert stranger.delete("/v1/routes/print").status_code == 404
    annotator = with_token(anonymous, token_for(anonymous, "annotate"))
    assert annotator.get("/v1/routes/print").json()["model"] == "text"
    assert annotator.put("/v1/routes/print", json={"model": "bright"}).status_code == 403
    assert annotator.delete("/v1/routes/print").status_code == 403
    assert anonymous.get("/v1/routes").status_code == 401
