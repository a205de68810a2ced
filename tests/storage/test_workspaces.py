from concurrent.futures import ThreadPoolExecutor

import pytest

from limner.core.errors import ConflictError, NotFoundError, UsageError
from limner.storage.database import Database
from limner.storage.documents import Documents, NewDocument
from limner.storage.jobs import Jobs, NewJob
from limner.storage.tokens import Tokens
from limner.storage.workspaces import Workspace, Workspaces


def test_made_found_and_listed(database: Database) -> None:
    workspaces = Workspaces(database)
    museum, library = workspaces.create("Museum", {"model": "yolo"}), workspaces.create(" Library ")
    assert [one.name for one in workspaces.list()] == ["Library", "Museum"]
    assert workspaces.get(museum.id) == workspaces.named("Museum") == museum
    assert museum.settings == {"model": "yolo"}
    assert library.settings == {}
    assert workspaces.named("Nobody") is None


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_a_name_is_needed(database: Database, name: str) -> None:
    with pytest.raises(UsageError):
        Workspaces(database).create(name)


def test_two_of_one_name_are_refused(database: Database, workspace: Workspace) -> None:
    with pytest.raises(ConflictError, match="Library"):
        Workspaces(database).create(workspace.name)


def test_ensure_makes_it_once_whoever_asks(database: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: Workspaces(database).ensure("default").id, range(8)))
    assert len(set(found)) == 1


def test_settings_are_merged_and_taken_back(database: Database, workspace: Workspace) -> None:
    workspaces = Workspaces(database)
    workspaces.configure(workspace.id, {"callback": "https://a.example", "days": 7})
    changed = workspaces.configure(workspace.id, {"days": None, "model": "yolo"})
    assert changed.settings == {"callback": "https://a.example", "model": "yolo"}
    with pytest.raises(NotFoundError):
        workspaces.configure("nobody", {})


def test_a_workspace_goes_with_all_that_is_in_it(database: Database, workspace: Workspace, other: Workspace) -> None:
    Tokens(database, workspace.id).create("t", ["admin"])
    Jobs(database, workspace.id).add(NewJob(kind="k", queue="q"))
    Documents(database, workspace.id).create(NewDocument(title="d", pages=[]), author="me")
    kept = Jobs(database, other.id).add(NewJob(kind="k", queue="q"))
    Workspaces(database).delete(workspace.id)
    assert Tokens(database, workspace.id).list() == []
    assert Jobs(database, workspace.id).list() == []
    assert Documents(database, workspace.id).list() == []
    assert [job.id for job in Jobs(database, other.id).list()] == [kept.id]
    for act in (Workspaces(database).get, Workspaces(database).delete):
        with pytest.raises(NotFoundError):
            act(workspace.id)
