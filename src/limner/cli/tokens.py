"""``limner tokens``: who may come in, straight from the server's database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.data import Data, settings_with

if TYPE_CHECKING:
    from pathlib import Path

    from limner.storage.database import Database
    from limner.storage.workspaces import Workspace

app = typer.Typer(
    help="Make, list and revoke tokens, on the machine that has the server's database.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

InWorkspace = Annotated[str | None, typer.Option("--workspace", metavar="NAME", help="Only this workspace.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, in your words.")],
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="A,B", help="What it allows: annotate, train, admin.")
    ] = "annotate",
    workspace: Annotated[
        str, typer.Option("--workspace", metavar="NAME", help="The workspace it belongs to; made where it is missing.")
    ] = "default",
    days: Annotated[
        float | None, typer.Option("--days", min=0.0, metavar="N", help="Days until it expires. [default: never]")
    ] = None,
    data: Data = None,
) -> None:
    """Make a token. Its secret is printed on standard output, now and never again."""
    from datetime import UTC, datetime, timedelta
    from typing import cast

    from limner.operations.tokens import create_token
    from limner.storage.tokens import Scope
    from limner.storage.workspaces import Workspaces

    wanted = [cast("Scope", scope.strip()) for scope in scopes.split(",") if scope.strip()]
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with _database("tokens create", data) as database:
        home = Workspaces(database).ensure(workspace)
        made = create_token(database, home.id, name=name, scopes=wanted, expires_at=expires_at)
    typer.echo(made.secret)
    typer.echo(f"Token {made.token.id} of the workspace {home.name}. Its secret cannot be had again.", err=True)


@app.command("list")
def list_(
    workspace: InWorkspace = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    data: Data = None,
) -> None:
    """List the tokens, without their secrets."""
    import json

    from limner.storage.tokens import Tokens

    with _database("tokens list", data) as database:
        found = [
            {"workspace": owner.name, **token.plain()}
            for owner in _workspaces(database, workspace)
            for token in Tokens(database, owner.id).list()
        ]
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for token in found:
        typer.echo(f"{token['id']}  {token['workspace']}  {_scopes(token['scopes'])}  {_life(token)}  {token['name']}")


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Its id, as `limner tokens list` gives it.")],
    data: Data = None,
) -> None:
    """Revoke a token: from now on it opens nothing."""
    from limner.core.errors import NotFoundError
    from limner.storage.tokens import Tokens

    with _database("tokens revoke", data) as database:
        for owner in _workspaces(database, None):
            tokens = Tokens(database, owner.id)
            if any(found.id == token for found in tokens.list()):
                tokens.delete(token)
                typer.echo(f"Revoked {token}.")
                return
    raise NotFoundError(f"There is no token {token}.", hint="`limner tokens list` gives their ids.")


@contextmanager
def _database(command: str, data: Path | None) -> Iterator[Database]:
    """The server's database, with its tables."""
    from limner.cli.extras import need_server_extra

    need_server_extra(command)
    from limner.storage.database import Database

    database = Database(settings_with(data=data).database)
    try:
        database.upgrade()
        yield database
    finally:
        database.close()


def _workspaces(database: Database, name: str | None) -> list[Workspace]:
    """All workspaces, or that one; raises `NotFoundError`."""
    from limner.core.errors import NotFoundError
    from limner.storage.workspaces import Workspaces

    found = [each for each in Workspaces(database).list() if name in (None, each.name)]
    if name is not None and not found:
        raise NotFoundError(f"There is no workspace called {name}.")
    return found


def _scopes(scopes: object) -> str:
    return ",".join(scopes) if isinstance(scopes, list) else ""


def _life(token: Mapping[str, object]) -> str:
    """When it expires and when it was used, as people want to know."""
    expires = f"until {str(token['expires_at'])[:10]}" if token["expires_at"] else "for ever"
    used = f"last used {str(token['last_used_at'])[:10]}" if token["last_used_at"] else "never used"
    return f"{expires}, {used}"
