"""The server itself: what is sent."""

from datetime import UTC, datetime

import pytest

from limner.client import Token, Workspace
from limner.client.calls import server
from limner.core.errors import UsageError

HOME = Workspace("w1", "maps")


def test_a_token_with_an_end_for_another_workspace() -> None:
    call = server.create_token("app", ["annotate"], expires_at=datetime(2030, 1, 1, tzinfo=UTC), workspace=HOME)
    assert call.body == {
        "name": "app",
        "scopes": ["annotate"],
        "expires_at": "2030-01-01T00:00:00+00:00",
        "workspace": "w1",
    }
    assert not call.repeatable
    assert server.create_token("app").body == {"name": "app", "scopes": ["annotate"]}
    with pytest.raises(UsageError, match="time zone"):
        server.create_token("app", expires_at=datetime(2030, 1, 1))  # noqa: DTZ001


def test_things_may_be_given_by_their_ids() -> None:
    token = Token(id="t", name="n", scopes=(), created_at=None, expires_at=None, last_used_at=None)
    assert server.delete_token(token).path == server.delete_token("t").path == "/v1/tokens/t"
    assert server.delete_token("t", workspace=HOME).params == {"workspace": "w1"}
    assert server.delete_workspace(HOME).path == server.delete_workspace("w1").path == "/v1/workspaces/w1"


def test_routes_and_webhooks() -> None:
    assert server.set_route("early print", "m").path == "/v1/routes/early%20print"
    assert server.set_webhook("https://a.example", secret="s" * 8).body == {
        "url": "https://a.example",
        "form": "json",
        "secret": "s" * 8,
    }
