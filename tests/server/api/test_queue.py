from starlette.testclient import TestClient

from tests.server.api.work import made
from tests.server.conftest import MakeClient
from tests.server.running import token_for, with_token

MANIFEST = "https://library.example/manifest.json"


def test_the_queue_tells_how_much_there_is_to_do(client: TestClient, stranger: TestClient) -> None:
    empty = client.get("/v1/queue").json()
    assert empty == {
        "depth": 0,
        "running": 0,
        "oldest_seconds": 0,
        "jobs": {"queued": 0, "running": 0},
        "workers": 0,
        "worker_list": [],
    }
    made(client, source=MANIFEST)
    made(client, source=MANIFEST)
    made(stranger, source=MANIFEST)
    queue = client.get("/v1/queue").json()
    assert (queue["depth"], queue["jobs"]) == (3, {"queued": 2, "running": 0})
    assert queue["oldest_seconds"] > 0
    assert stranger.get("/v1/queue").json()["jobs"]["queued"] == 1


def test_which_machines_work_is_for_the_servers_admins(make_client: MakeClient) -> None:
    anonymous = make_client(workers=1)
    admin, annotator = (with_token(anonymous, token_for(anonymous, scope)) for scope in ("admin", "annotate"))
    elsewhere = with_token(anonymous, token_for(anonymous, "admin", workspace="elsewhere"))
    (worker,) = admin.get("/v1/queue").json()["worker_list"]
    assert worker["kinds"] == ["annotate", "evaluate", "train"]
    for client in (annotator, elsewhere):
        queue = client.get("/v1/queue").json()
        assert (queue["workers"], queue["worker_list"]) == (1, None)
    assert anonymous.get("/v1/queue").status_code == 401
