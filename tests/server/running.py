"""What tests do with a running application: look inside, make tokens, come as somebody."""

from starlette.testclient import TestClient

from limner.server.deps import AppState
from limner.storage.tokens import Scope, Tokens
from limner.storage.workspaces import Workspaces

#: Without tokens, only requests to this machine's own names are answered.
BASE = "http://127.0.0.1"


def state_of(client: TestClient) -> AppState:
    """What the application behind a client holds."""
    return client.app.state.limner


def token_for(client: TestClient, *scopes: Scope, workspace: str = "default") -> str:
    """A new token of a workspace, which is made where it is missing."""
    database = state_of(client).database
    return Tokens(database, Workspaces(database).ensure(workspace).id).create("test", scopes)[1]


def with_token(client: TestClient, token: str) -> TestClient:
    """Another client of the same running application, with a token."""
    other = TestClient(client.app, base_url=BASE, raise_server_exceptions=False)
    other.headers["Authorization"] = f"Bearer {token}"
    return other
