"""``limner worker``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.data import Data, settings_with
from limner.cli.exits import ALL_DONE, ending
from limner.core.errors import UsageError

if TYPE_CHECKING:
    from limner.core.settings import Settings

#: Kinds of jobs.
KINDS = frozenset({"annotate", "evaluate", "export", "import", "train"})
#: Seconds that the pages under way have to be finished.
_GRACE = 30.0


def worker(
    kinds: Annotated[
        str | None, typer.Option("--kinds", metavar="A,B", help="Only jobs of these kinds. [default: all]")
    ] = None,
    models: Annotated[
        str | None, typer.Option("--models", metavar="A,B", help="Only jobs for these models. [default: all]")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, max=64, metavar="N", help="Jobs to work on at one time. [default: 1]"),
    ] = None,
    data: Data = None,
) -> None:
    """Work on jobs of a server elsewhere, whose database and storage this machine shares.

    LIMNER_DATABASE_URL and LIMNER_STORAGE_URL name them. SIGTERM and Ctrl-C finish the pages under way;
    the rest of a job goes on elsewhere.
    """
    from limner.cli.extras import need_server_extra

    need_server_extra("worker")
    raise typer.Exit(ending(run(settings_with(data=data, workers=workers), serving(kinds, models))))


def serving(kinds: str | None, models: str | None) -> Callable[[str, str], bool]:
    """Whether to take tasks of a kind from a queue: one that is named for a model, or one that all plan from.

    A model is named with its version (``name@1``) or without: then all its versions are meant. Raises
    `UsageError` for a kind that there is none of.
    """
    wanted_kinds, wanted_models = _names(kinds), _names(models)
    if unknown := wanted_kinds - KINDS:
        raise UsageError(
            f"There are no jobs of the kind {', '.join(unknown)}.", hint=f"Known: {', '.join(sorted(KINDS))}."
        )

    def serves(kind: str, queue: str) -> bool:
        from limner.storage.jobs import is_parent

        if wanted_kinds and kind not in wanted_kinds:
            return False
        return not wanted_models or is_parent(queue) or bool(wanted_models & {queue, queue.partition("@")[0]})

    return serves


def run(settings: Settings, serves: Callable[[str, str], bool]) -> int:
    """Work until told to stop; gives the exit code. Raises `LimnerError` where it cannot begin."""
    import signal
    import threading

    from limner.operations.jobs import make_engine
    from limner.operations.services import Services
    from limner.operations.tracking.places import place_of
    from limner.server.logs import configure_logging
    from limner.storage.blobs import Blobs
    from limner.storage.database import Database

    place_of(settings.mlflow_url)
    configure_logging(settings)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    database, blobs = Database(settings.database), Blobs(settings.storage)
    try:
        database.upgrade()
        blobs.check()
        with Services(settings) as services:
            engine = make_engine(settings, database, blobs, services, serves=serves)
            engine.start()
            try:
                typer.echo(f"Working on the jobs in {database}")
                stopping.wait()
            finally:
                engine.stop(_GRACE)
    finally:
        database.close()
    return ALL_DONE


def _names(text: str | None) -> frozenset[str]:
    return frozenset(name.strip() for name in (text or "").split(",") if name.strip())
