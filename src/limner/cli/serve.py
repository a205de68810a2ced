"""``limner serve``."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.data import Data, settings_with
from limner.cli.exits import ALL_DONE, NOTHING, ending

if TYPE_CHECKING:
    import socket

    import uvicorn

    from limner.core.settings import Settings

#: Seconds that requests under way have to end; streams of events would never end by themselves.
_GRACE = 5
#: Connections that may wait to be accepted.
_BACKLOG = 2048


def serve(
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Address to listen on. [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65_535, metavar="N", help="Port; 0 for any that is free. [default: 8400]"),
    ] = None,
    data: Data = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Ask for no token; only while listening on this machine alone.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=0, max=64, metavar="N", help="Jobs to work on at one time; 0 for none. [default: 1]"
        ),
    ] = None,
) -> None:
    """Serve the API, and work on jobs in the same process.

    The address is printed when the server is ready, and the first admin's token when there is none
    yet. Ctrl-C or SIGTERM stop it: pages under way are finished, the rest of a job goes on at the next
    start. Exit code: 0 stopped, 1 could not start, 2 bad usage.
    """
    from limner.cli.extras import need_server_extra

    need_server_extra("serve")
    auth = False if no_auth else None
    raise typer.Exit(ending(run(settings_with(host=host, port=port, data=data, auth=auth, workers=workers))))


def run(settings: Settings) -> int:
    """Serve until told to stop; gives the exit code. Raises `LimnerError` where it cannot begin."""
    import signal

    from limner.server.auth import check_open
    from limner.server.logs import configure_logging

    check_open(settings)
    configure_logging(settings)
    # Until uvicorn listens to these itself, and when it has stopped and raises them again: no reason to fail.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    with listening(settings.host, settings.port) as listener:
        prepare(settings)
        server = _server(settings, listener)
        with suppress(SystemExit):  # by `_stop`: uvicorn raises a signal again when it has stopped
            server.run(sockets=[listener])
    return ALL_DONE if server.started else NOTHING


def _stop(*_: object) -> None:
    raise SystemExit(ALL_DONE)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; raises `UsageError` or `LimnerError` naming what is wrong with the address."""
    import errno
    import socket

    from limner.core.errors import LimnerError, UsageError

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise UsageError(f"{host} is no address of this machine: {error.strerror}.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise LimnerError(
                f"Port {port} on {host} is in use.", hint="Choose another with --port, or stop what uses it."
            ) from error
        raise LimnerError(f"Cannot listen on {host}, port {port}: {error.strerror}.") from error
    return listener


def prepare(settings: Settings) -> None:
    """Bring the database up to date, and print the first admin's token where nobody can come in yet.

    Here, before anything is served, so that what is wrong with database, storage or identity provider
    is one clear line.
    """
    from limner.operations.tokens import ensure_first_admin
    from limner.operations.tracking.places import place_of
    from limner.server.startup import make_authenticator
    from limner.storage.blobs import Blobs
    from limner.storage.database import Database

    database = Database(settings.database)
    try:
        database.upgrade()
        make_authenticator(settings, database, "")
        first = ensure_first_admin(database) if settings.auth else None
    finally:
        database.close()
    Blobs(settings.storage).check()
    place_of(settings.mlflow_url)
    if first is not None:
        # To the terminal and nowhere else: the log may be kept, and read by others.
        typer.secho("This is the token of the first admin. It is shown only now:", bold=True)
        typer.echo(f"\n    {first.secret}\n")


def _server(settings: Settings, listener: socket.socket) -> uvicorn.Server:
    import uvicorn

    from limner.server.app import create_app

    config = uvicorn.Config(
        create_app(settings),
        lifespan="on",
        log_config=None,
        access_log=False,  # ours has the request's id, and no query
        proxy_headers=False,  # ours believes only the proxies of the settings
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Start, then say where."""
            await super().startup(sockets)
            if self.started:
                announce(settings, listener.getsockname()[1])

    return Server(config)


def announce(settings: Settings, port: int) -> None:
    """Print the address."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    typer.echo(f"Limner is ready at {settings.public_url or f'http://{host}:{port}'}")
    if not settings.auth:
        typer.echo("No token is asked for: everybody on this machine is its admin.")
