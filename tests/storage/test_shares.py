from datetime import timedelta
from pathlib import Path

import pytest

from limner.annotations.page import Page
from limner.core.errors import NotFoundError
from limner.storage.columns import now
from limner.storage.database import Database
from limner.storage.documents import Documents, NewDocument
from limner.storage.jobs import Jobs, NewJob
from limner.storage.shares import Shares, find_share
from limner.storage.workspaces import Workspaces


@pytest.fixture
def database(database_url: str) -> Database:
    made = Database(database_url)
    made.upgrade()
    yield made
    made.close()


def _workspace(database: Database, name: str = "Library") -> str:
    return Workspaces(database).ensure(name).id


def _document(database: Database, workspace: str) -> str:
    page = Page(id="p", name="p.png", index=0)
    return Documents(database, workspace).create(NewDocument(title="Ms 22", pages=[(page, None)]), author="me").id


def test_what_is_shared_is_found_by_its_key_and_keeps_it(database: Database) -> None:
    workspace = _workspace(database)
    document, job = _document(database, workspace), Jobs(database, workspace).add(NewJob(kind="annotate", queue="q")).id
    shares = Shares(database, workspace)
    first, second = shares.ensure("document", document), shares.ensure("job", job)
    assert shares.ensure("document", document) == first
    assert len(first.key) >= 32
    assert first.key != second.key
    assert now() - first.created_at < timedelta(minutes=5)
    assert (find_share(database, first.key), find_share(database, second.key)) == (first, second)
    assert (first.kind, first.id, second.kind, second.id) == ("document", document, "job", job)
    assert shares.among("document", [document, job, "x"]) == {document: first}
    assert shares.get("job", job) == second
    assert find_share(database, "x") is None


def test_a_revoked_key_opens_nothing_and_never_comes_back(database: Database) -> None:
    workspace = _workspace(database)
    document, shares = _document(database, workspace), Shares(database, workspace)
    old = shares.ensure("document", document)
    shares.revoke("document", document)
    shares.revoke("document", document)
    assert find_share(database, old.key) is None
    with pytest.raises(NotFoundError, match="not shared"):
        shares.get("document", document)
    assert shares.ensure("document", document).key != old.key
    assert find_share(database, old.key) is None


def test_a_workspace_knows_its_own_shares_alone(database: Database) -> None:
    workspace, other = _workspace(database), Shares(database, _workspace(database, "elsewhere"))
    document = _document(database, workspace)
    share = Shares(database, workspace).ensure("document", document)
    assert other.among("document", [document]) == {}
    other.revoke("document", document)
    assert find_share(database, share.key) == share


def test_a_share_goes_with_what_it_shares(database: Database) -> None:
    workspace = _workspace(database)
    document = _document(database, workspace)
    share = Shares(database, workspace).ensure("document", document)
    Documents(database, workspace).delete(document)
    assert find_share(database, share.key) is None
    assert Shares(database, workspace).among("document", []) == {}


def test_nothing_is_shared_that_is_not_there(database: Database, tmp_path: Path) -> None:
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError):
        Shares(database, _workspace(database)).ensure("document", "0" * 32)
