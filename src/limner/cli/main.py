"""The ``limner`` command: its subcommands, and how errors become exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import limner
from limner.cli import (
    annotate,
    convert,
    datasets,
    demo,
    doctor,
    evaluate,
    manifest,
    models,
    runs,
    serve,
    settings,
    tokens,
    train,
    worker,
)
from limner.cli.exits import BAD_USAGE, INTERRUPTED, NOTHING
from limner.cli.remote import server
from limner.core.errors import LimnerError, UsageError

#: Rich's help pages cost a quarter of a second of start-up; plain ones cost nothing.
app = typer.Typer(
    name="limner",
    help="Annotate images with vision models, correct what they found, learn from the corrections.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("annotate")(annotate.annotate)
app.command("convert")(convert.convert)
app.add_typer(datasets.app, name="datasets")
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(manifest.app, name="manifest")
app.add_typer(models.app, name="models")
app.add_typer(runs.app, name="runs")
app.command("serve")(serve.serve)
app.command("settings")(settings.settings)
app.add_typer(tokens.app, name="tokens")
app.command("train")(train.train)
app.command("worker")(worker.worker)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"limner {limner.__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    address: server.ServerOption = None,
    token: server.TokenOption = None,
    version: Annotated[  # noqa: ARG001 - its callback has acted on it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Annotate images with vision models, correct what they found, learn from the corrections."""
    server.remember(context, address, token)


def main() -> None:
    """Run the command line; every error of ours is one clear line and an exit code."""
    try:
        app()
    except UsageError as error:
        _fail(error, BAD_USAGE)
    except LimnerError as error:
        _fail(error, NOTHING)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away (``| head``): no error, and nothing more to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _fail(error: LimnerError, code: int) -> None:
    typer.secho("Error: ", fg=typer.colors.RED, bold=True, nl=False, err=True)
    typer.echo(str(error), err=True)
    sys.exit(code)
