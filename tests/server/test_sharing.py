from starlette.testclient import TestClient

from limner.server.auth import Caller
from limner.server.sharing import viewer_links
from tests.server.conftest import MakeClient
from tests.server.iiif.published import shared
from tests.server.running import state_of


def _caller(client: TestClient) -> Caller:
    return Caller(state_of(client).home, None, "test", frozenset({"admin"}))


def test_only_what_is_shared_has_links(client: TestClient) -> None:
    document, share = shared(client)
    state = state_of(client)
    links = viewer_links(state, _caller(client), "document", [document["id"], "x"], "https://limner.example")
    assert links["x"] == {}
    assert links[document["id"]]["iiif"] == f"https://limner.example/iiif/{share['key']}/manifest.json"
    assert viewer_links(state, _caller(client), "job", [], "https://limner.example") == {}


def test_without_tokens_the_id_is_the_key_unless_there_is_a_share(make_client: MakeClient) -> None:
    client = make_client(auth=False, viewer_url="https://viewer.example/?a=1")
    document, share = shared(client)
    found = viewer_links(state_of(client), _caller(client), "document", [document["id"], "x"], "https://l.example")
    assert found["x"]["iiif"] == "https://l.example/iiif/x/manifest.json"
    assert found[document["id"]]["iiif"].endswith(f"/iiif/{share['key']}/manifest.json")
    assert found["x"]["viewer"].startswith("https://viewer.example/?a=1&iiif-content=https%3A")
