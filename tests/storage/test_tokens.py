from datetime import timedelta

import pytest
import sqlalchemy as sa

from limner.core.errors import NotFoundError, UsageError
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.tables import TOKENS
from limner.storage.tokens import PREFIX, Tokens, any_tokens, authenticate
from limner.storage.workspaces import Workspace


def test_a_token_opens_its_workspace(database: Database, workspace: Workspace) -> None:
    assert not any_tokens(database)
    token, secret = Tokens(database, workspace.id).create("scanner", ["train", "annotate"])
    found = authenticate(database, secret)
    assert found.id == token.id
    assert found.workspace_id == workspace.id
    assert found.scopes == {"annotate", "train"}
    assert any_tokens(database)
    assert token.plain()["scopes"] == ["annotate", "train"]


def test_only_a_hash_is_kept(database: Database, workspace: Workspace) -> None:
    _, secret = Tokens(database, workspace.id).create("scanner", ["annotate"])
    with database.read() as c:
        row = c.execute(sa.select(TOKENS)).one()
    assert not any(secret in str(value) or secret[len(PREFIX) :] in str(value) for value in row)


def test_secrets_are_long_and_never_the_same(database: Database, workspace: Workspace) -> None:
    tokens = Tokens(database, workspace.id)
    secrets = {tokens.create("t", ["annotate"])[1] for _ in range(5)}
    assert len(secrets) == 5
    assert all(secret.startswith(PREFIX) and len(secret) >= 50 for secret in secrets)


@pytest.mark.parametrize(
    "change", [lambda s: s + "x", lambda s: s[:-1], lambda s: s.upper(), lambda s: s[7:], lambda _: ""]
)
def test_another_secret_opens_nothing(database: Database, workspace: Workspace, change: object) -> None:
    _, secret = Tokens(database, workspace.id).create("t", ["admin"])
    assert authenticate(database, change(secret)) is None


def test_an_expired_token_opens_nothing(database: Database, workspace: Workspace) -> None:
    tokens = Tokens(database, workspace.id)
    _, gone = tokens.create("t", ["admin"], expires_at=now() - timedelta(seconds=1))
    _, good = tokens.create("t", ["admin"], expires_at=now() + timedelta(hours=1))
    assert authenticate(database, gone) is None
    assert authenticate(database, good) is not None


def test_the_last_use_is_noted_but_not_each_one(database: Database, workspace: Workspace) -> None:
    tokens = Tokens(database, workspace.id)
    _, secret = tokens.create("t", ["admin"])
    assert tokens.list()[0].last_used_at is None
    authenticate(database, secret)
    first = tokens.list()[0].last_used_at
    assert now() - first < timedelta(minutes=1)
    authenticate(database, secret)
    assert tokens.list()[0].last_used_at == first
    with database.write() as c:
        c.execute(TOKENS.update().values(last_used_at=now() - timedelta(hours=1)))
    authenticate(database, secret)
    assert tokens.list()[0].last_used_at > first


def test_a_revoked_token_opens_nothing_and_only_its_workspace_revokes_it(
    database: Database, workspace: Workspace, other: Workspace
) -> None:
    token, secret = Tokens(database, workspace.id).create("t", ["admin"])
    assert Tokens(database, other.id).list() == []
    with pytest.raises(NotFoundError):
        Tokens(database, other.id).delete(token.id)
    assert authenticate(database, secret) is not None
    Tokens(database, workspace.id).delete(token.id)
    assert authenticate(database, secret) is None


@pytest.mark.parametrize("scopes", [[], ["root"], ["annotate", "all"]])
def test_scopes_are_checked(database: Database, workspace: Workspace, scopes: list[str]) -> None:
    with pytest.raises(UsageError, match="Known: annotate, train, admin"):
        Tokens(database, workspace.id).create("t", scopes)
