"""``limner doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.data import Data
from limner.cli.exits import ALL_DONE, NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from limner.operations.doctor import Finding

_COLOURS = {"ok": typer.colors.GREEN, "note": typer.colors.YELLOW, "wrong": typer.colors.RED}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    data: Data = None,
) -> None:
    """Say what is configured and what is wrong: settings, data, database, storage, models, network, access.

    Exit code: 0 all is well, 1 something is wrong.
    """
    import json

    findings = []
    for finding in _findings(data):
        findings.append(finding)
        if not as_json:
            _print(finding)
    healthy = all(finding.state != "wrong" for finding in findings)
    if as_json:
        report = {"healthy": healthy, "findings": [finding.to_plain() for finding in findings]}
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
    raise typer.Exit(ALL_DONE if healthy else NOTHING)


def _findings(data: Path | None) -> Iterator[Finding]:
    """What was found; settings that cannot be read are all there is to say."""
    from limner.core.errors import SettingsError
    from limner.core.settings import load_settings
    from limner.operations.doctor import Finding, examine

    try:
        settings = load_settings(**({} if data is None else {"data": data}))
    except SettingsError as error:
        yield Finding("settings", "wrong", str(error))
        return
    yield from examine(settings)


def _print(finding: Finding) -> None:
    typer.secho(f"{finding.state:6}", fg=_COLOURS[finding.state], nl=False)
    typer.echo(f" {finding.part:9} {finding.message}")
