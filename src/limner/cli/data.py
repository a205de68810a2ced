"""``--data``: the folder for everything that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.core.errors import LimnerError

if TYPE_CHECKING:
    from limner.core.settings import Settings

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder for everything that is kept. [default: that of the settings]"),
]


def settings_with(**given: object) -> Settings:
    """The settings in force, with what was given on the command line; the data folder is made where it is missing.

    Raises `SettingsError`, and `LimnerError` where the folder cannot be used.
    """
    from limner.core.settings import load_settings

    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LimnerError(
            f"The data folder {settings.data} cannot be used: {error.strerror}.", hint="Name another with --data."
        ) from error
    return settings
