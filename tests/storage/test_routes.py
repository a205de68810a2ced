import pytest

from limner.core.errors import NotFoundError, UsageError
from limner.storage.database import Database
from limner.storage.routes import DEFAULT, Route, Routes
from limner.storage.workspaces import Workspace


def test_a_type_goes_to_its_model_and_the_rest_to_the_default(database: Database, workspace: Workspace) -> None:
    routes = Routes(database, workspace.id)
    routes.set(" Manuscript ", "illustrations")
    routes.set(DEFAULT, "layout")
    assert routes.resolve("manuscript") == routes.resolve("MANUSCRIPT") == "illustrations"
    assert routes.resolve("print") == routes.resolve(None) == "layout"
    assert routes.list() == [Route("*", "layout"), Route("manuscript", "illustrations")]


def test_without_a_default_an_unknown_type_is_an_error_that_names_the_known(
    database: Database, workspace: Workspace
) -> None:
    routes = Routes(database, workspace.id)
    with pytest.raises(NotFoundError, match="Set one"):
        routes.resolve("print")
    routes.set("manuscript", "m")
    with pytest.raises(NotFoundError, match="Known: manuscript"):
        routes.resolve("print")


def test_a_route_is_replaced_and_taken_away(database: Database, workspace: Workspace) -> None:
    routes = Routes(database, workspace.id)
    routes.set("print", "one")
    routes.set("print", "two")
    assert routes.resolve("print") == "two"
    routes.delete("Print")
    assert routes.list() == []
    with pytest.raises(NotFoundError):
        routes.delete("print")


def test_workspaces_have_their_own(database: Database, workspace: Workspace, other: Workspace) -> None:
    Routes(database, workspace.id).set("print", "ours")
    Routes(database, other.id).set("print", "theirs")
    assert Routes(database, workspace.id).resolve("print") == "ours"
    Routes(database, workspace.id).delete("print")
    assert Routes(database, other.id).resolve("print") == "theirs"


@pytest.mark.parametrize(("document_type", "model"), [("", "m"), (" ", "m"), ("print", ""), ("x" * 101, "m")])
def test_both_are_needed(database: Database, workspace: Workspace, document_type: str, model: str) -> None:
    with pytest.raises(UsageError):
        Routes(database, workspace.id).set(document_type, model)
