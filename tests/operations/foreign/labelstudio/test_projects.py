"""What is remembered of Label Studio's projects."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.core.errors import UsageError
from limner.operations.foreign.labelstudio import projects
from limner.operations.foreign.labelstudio.projects import Project, Projects, project_id
from limner.storage.database import Database
from limner.storage.workspaces import Workspaces


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Projects]:
    database = Database(f"sqlite:///{tmp_path / 'limner.db'}")
    database.upgrade()
    yield Projects(database, Workspaces(database).create("one").id)
    database.close()


@pytest.mark.parametrize(("told", "identity"), [("12.1700000000", "12"), (12, "12"), (12.17, "12"), (None, "")])
def test_a_project_is_known_by_its_number(told: object, identity: str) -> None:
    assert project_id(told) == identity


@pytest.mark.parametrize("told", ["a b", "é", "x" * 101, "/1"])
def test_what_is_no_number_of_a_project_is_refused(told: str) -> None:
    with pytest.raises(UsageError):
        project_id(told)


def test_a_project_is_found_again(kept: Projects) -> None:
    assert kept.find("1") == Project(id="1")
    kept.keep(Project(id="1", hostname="http://a", access_token="secret", model="m", threshold=0.5))
    found = kept.find("1")
    assert (found.hostname, found.authorization, found.model, found.threshold) == ("http://a", "Token secret", "m", 0.5)
    assert found.set_up_at
    assert "secret" not in repr(found)
    assert kept.find("2").authorization == ""


def test_a_token_that_would_break_a_header_is_refused(kept: Projects) -> None:
    with pytest.raises(UsageError, match="header"):
        kept.keep(Project(id="1", access_token="a\r\nX-Other: b"))


def test_only_so_many_are_kept(kept: Projects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "MOST", 2)
    for number in range(4):
        kept.keep(Project(id=str(number), hostname="http://a"))
    assert kept.find("3").hostname == "http://a"
    assert sum(bool(kept.find(str(number)).hostname) for number in range(4)) == 2


def test_a_wish_for_training_is_noted_for_a_known_project(kept: Projects) -> None:
    kept.asked_to_train("1")
    assert kept.find("1").training_asked_at is None
    kept.keep(Project(id="1", hostname="http://a"))
    kept.asked_to_train("1")
    assert kept.find("1").training_asked_at is not None
    assert kept.find("1").hostname == "http://a"
