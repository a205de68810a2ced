"""``limner settings``."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def settings(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """Print the settings in force and what each is for."""
    from limner.core.settings import Settings, load_settings

    values = json.loads(load_settings().model_dump_json())
    if as_json:
        typer.echo(json.dumps(values, indent=2))
        return
    for name, field in Settings.model_fields.items():
        typer.echo(f"# {field.description}\nLIMNER_{name.upper()}={_as_variable(values[name])}\n")


def _as_variable(value: object) -> str:
    """A value as one would write it in the environment."""
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
