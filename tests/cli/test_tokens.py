"""``limner tokens``, beside a running server."""

import json
from pathlib import Path

import httpx

from tests.cli.conftest import Run
from tests.limner_process import serving


def test_a_token_is_made_used_listed_and_revoked(limner: Run, tmp_path: Path) -> None:
    done = limner("tokens", "create", "my app", "--scopes", "annotate,train", "--days", "30")
    secret = done.stdout.strip()
    assert secret.startswith("limner_")
    with serving(tmp_path / "data", "--workers", "0") as server:
        headers = {"Authorization": f"Bearer {secret}"}
        assert httpx.get(f"{server.url}/v1/jobs", headers=headers, trust_env=False).status_code == 200
        assert "first admin" not in server.output  # there was one already
        (token,) = json.loads(limner("tokens", "list", "--json").stdout)
        assert (token["name"], token["scopes"], token["workspace"]) == ("my app", ["annotate", "train"], "default")
        assert token["expires_at"]
        assert secret not in json.dumps(token)
        listed = limner("tokens", "list").stdout
        assert "last used" in listed
        assert "annotate,train" in listed
        limner("tokens", "revoke", token["id"])
        assert httpx.get(f"{server.url}/v1/jobs", headers=headers, trust_env=False).status_code == 401
    assert "no token" in limner("tokens", "revoke", token["id"], code=1).stderr


def test_workspaces_have_their_own(limner: Run) -> None:
    limner("tokens", "create", "one", "--workspace", "maps")
    limner("tokens", "create", "two")
    assert [
        token["name"] for token in json.loads(limner("tokens", "list", "--workspace", "maps", "--json").stdout)
    ] == ["one"]
    assert len(limner("tokens", "list").stdout.splitlines()) == 2
    assert "nowhere" in limner("tokens", "list", "--workspace", "nowhere", code=1).stderr


def test_bad_usage_says_what_is_wrong(limner: Run) -> None:
    assert "no scope root" in limner("tokens", "create", "x", "--scopes", "root", code=2).stderr
    assert "needs a scope" in limner("tokens", "create", "x", "--scopes", ",", code=2).stderr
    assert "needs a name" in limner("tokens", "create", " ", code=2).stderr
    assert "future" in limner("tokens", "create", "x", "--days", "0", code=2).stderr
