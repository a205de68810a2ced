"""Deleting a workspace."""

from pathlib import Path

import pytest

from limner.core.errors import ConflictError, NotFoundError
from limner.core.settings import Settings
from limner.jobs.engine import JobEngine
from limner.operations import workspaces
from limner.operations.library import workspace_folder
from limner.operations.workspaces import delete_workspace
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.documents import Documents, NewDocument
from limner.storage.jobs import Jobs, NewJob
from limner.storage.workspaces import Workspaces

JOB = NewJob(kind="annotate", queue="text@1")


@pytest.fixture
def database(tmp_path: Path):
    database = Database(tmp_path / "limner.db")
    database.upgrade()
    yield database
    database.close()


@pytest.fixture
def delete(tmp_path: Path, database: Database):
    """A function that deletes a workspace of this database."""
    parts = {
        "home": Workspaces(database).ensure("default").id,
        "settings": Settings(data=tmp_path),
        "database": database,
        "blobs": Blobs(tmp_path / "blobs"),
        "engine": JobEngine(database, folder=tmp_path),
    }

    def delete(workspace_id: str) -> None:
        delete_workspace(workspace_id, **parts)

    return delete


def test_everything_in_it_goes_and_nothing_else(tmp_path: Path, database: Database, delete, monkeypatch) -> None:
    monkeypatch.setattr(workspaces, "_BATCH", 2)
    blobs, kept = Blobs(tmp_path / "blobs"), []
    one, other = (Workspaces(database).create(name) for name in ("one", "other"))
    for workspace in (one, other):
        jobs = [Jobs(database, workspace.id).add(JOB) for _ in range(5)]
        Jobs(database, workspace.id).cancel(jobs[0].id)
        documents = [
            Documents(database, workspace.id).create(NewDocument(title="t", pages=[]), author="me") for _ in range(3)
        ]
        keys = [f"jobs/{job.id}/x" for job in jobs] + [f"documents/{document.id}/images/x" for document in documents]
        for key in keys:
            blobs.write(key, b"x")
        (workspace_folder(tmp_path, workspace.id) / "models").mkdir(parents=True)
        kept = sorted(keys)
    delete(one.id)
    assert sorted([*blobs.keys("jobs"), *blobs.keys("documents")]) == kept
    assert [path.name for path in (tmp_path / "workspaces").iterdir()] == [other.id]
    assert len(Jobs(database, other.id).list()) == 5
    assert Jobs(database, one.id).list() == []
    with pytest.raises(NotFoundError):
        Workspaces(database).get(one.id)


def test_the_admins_workspace_stays(database: Database, delete) -> None:
    home = Workspaces(database).ensure("default").id
    job = Jobs(database, home).add(JOB)
    with pytest.raises(ConflictError):
        delete(home)
    assert Jobs(database, home).get(job.id).status == "queued"


def test_one_that_is_not_there_is_not_found(delete) -> None:
    for name in ("nothing", "../..", ""):
        with pytest.raises(NotFoundError):
            delete(name)
