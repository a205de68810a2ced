"""``--server`` and ``--token``: commands that let a server do the work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from limner.core.errors import UsageError

if TYPE_CHECKING:
    from limner.client import Client

#: Commands that a server can do; the others work on this machine, whatever LIMNER_SERVER says.
_COMMANDS = ("annotate", "evaluate", "models", "train", "runs")

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        envvar="LIMNER_SERVER",
        metavar="URL",
        help=f"Let a server do it: for {', '.join(_COMMANDS[:-1])} and {_COMMANDS[-1]}.",
        show_default=False,
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="LIMNER_TOKEN",
        metavar="TOKEN",
        help="The token to show to it; others can read what stands on a command line.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Server:
    """The server that is to do the work."""

    url: str
    token: str | None = field(default=None, repr=False)

    def client(self) -> Client:
        """A client of it."""
        from limner.client import Client

        return Client(self.url, self.token)


def remember(context: typer.Context, url: str | None, token: str | None) -> None:
    """Keep what the options say for the command; raises `UsageError` for one that a server cannot do."""
    if not url:
        if _typed(context, "token"):
            raise UsageError("--token is for a server.", hint="Name it with --server.")
        return
    if context.invoked_subcommand in _COMMANDS:
        context.obj = Server(url, token or None)
    elif _typed(context, "address"):
        raise UsageError(f"`limner {context.invoked_subcommand}` works on this machine.", hint="Leave out --server.")


def server_of(context: typer.Context) -> Server | None:
    """The server that is to do the work; None for this machine."""
    return context.find_object(Server)


def _typed(context: typer.Context, option: str) -> bool:
    """Whether an option stands on the command line: the environment is meant for several commands."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"
