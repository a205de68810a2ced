"""What the docs and the deployment tell people to run, our command line takes."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from typer.testing import CliRunner

from limner.cli.main import app
from limner.core.settings import Settings
from tests.deploy.commands import DEPLOY, HOW_TO, OTHER_VARIABLES, ROOT, commands_in, parse, variables_in, words_of

PAGES = sorted([*HOW_TO.glob("*.md"), *(ROOT / "docs" / "tutorial").glob("*.md"), ROOT / "README.md"])
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".lock")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_in_a_how_to_is_one(page: Path) -> None:
    for command in commands_in(page.read_text()):
        try:
            parse(words_of(command))
        except click.exceptions.Exit:  # --help, --version
            continue
        except click.ClickException as error:
            if any(letter in command for letter in "…*[<"):  # it is spoken of, and not to be typed
                continue
            pytest.fail(f"{page.name}: limner {command}: {error.format_message()}")


def test_commands_are_found_wherever_they_stand() -> None:
    text = """Say `limner doctor` or
```console
$ limner annotate a.png \\
    --model text | head
$ docker compose run --rm server limner tokens create me --scopes admin
$ LIMNER_DATA=/srv sudo -u limner env A=b /opt/limner/bin/limner serve   # and wait
Limner is ready
```
"""
    assert [*commands_in(text)] == [
        "annotate a.png      --model text", "tokens create me --scopes admin", "serve", "doctor"
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", ["serve --prot 1", "annotated x", "tokens make me", "worker --workers many"])
def test_a_command_that_is_none_is_noticed(wrong: str) -> None:
    with pytest.raises(click.ClickException):
        parse(words_of(wrong))


def test_parsing_is_what_the_command_itself_does() -> None:
    """The same error, but nothing is run."""
    assert CliRunner().invoke(app, ["serve", "--prot", "1"]).exit_code == 2


@pytest.mark.parametrize("file", [*PAGES, *FILES], ids=lambda file: file.name)
def test_every_variable_is_a_setting(file: Path) -> None:
    known = {f"LIMNER_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    assert variables_in(file.read_text()) - known == set()
