"""The first token, and later ones."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from limner.core.errors import UsageError
from limner.operations.tokens import HOME, create_token, ensure_first_admin
from limner.storage.database import Database
from limner.storage.tokens import Tokens, authenticate
from limner.storage.workspaces import Workspaces


@pytest.fixture
def database(tmp_path: Path):
    database = Database(tmp_path / "limner.db")
    database.upgrade()
    yield database
    database.close()


def test_the_first_admin_is_made_once(database: Database) -> None:
    first = ensure_first_admin(database)
    assert first is not None
    found = authenticate(database, first.secret)
    home = Workspaces(database).named(HOME)
    assert found is not None
    assert home is not None
    assert (found.workspace_id, found.scopes) == (home.id, frozenset({"admin"}))
    assert ensure_first_admin(database) is None


def test_nobody_is_made_where_somebody_can_come_in(database: Database) -> None:
    other = Workspaces(database).create("other")
    create_token(database, other.id, name="x", scopes=["annotate"])
    assert ensure_first_admin(database) is None
    assert Workspaces(database).named(HOME) is not None


def test_a_token_has_a_name_and_scopes(database: Database) -> None:
    home = Workspaces(database).ensure(HOME).id
    made = create_token(database, home, name=" app ", scopes=["train", "annotate"])
    assert made.token.name == "app"
    assert made.token.scopes == {"annotate", "train"}
    assert [token.id for token in Tokens(database, home).list()] == [made.token.id]


@pytest.mark.parametrize("wrong", [{"name": " "}, {"scopes": []}, {"scopes": ["root"]}])
def test_a_token_without_name_or_scope_is_refused(database: Database, wrong: dict[str, object]) -> None:
    home = Workspaces(database).ensure(HOME).id
    with pytest.raises(UsageError):
        create_token(database, home, **{"name": "x", "scopes": ["admin"], **wrong})


def test_a_time_without_zone_is_utc(database: Database) -> None:
    home = Workspaces(database).ensure(HOME).id
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    made = create_token(database, home, name="x", scopes=["admin"], expires_at=moment.replace(tzinfo=None))
    assert made.token.expires_at == moment


@pytest.mark.parametrize("days", [-1, 0, 20 * 366])
def test_a_token_expires_within_a_while(database: Database, days: int) -> None:
    home = Workspaces(database).ensure(HOME).id
    moment = datetime.now(UTC) + timedelta(days=days)
    with pytest.raises(UsageError, match="expire"):
        create_token(database, home, name="x", scopes=["admin"], expires_at=moment)
