"""What the docs and the deployment tell people to run, our command line takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.exceptions import TyperException
from typer.testing import CliRunner

from limner.cli.main import app
from limner.core.settings import Settings
from tests.deploy.commands import (
    DEPLOY,
    HOW_TO,
    OTHER_VARIABLES,
    ROOT,
    commands_in,
    mentions_in,
    parse,
    variables_in,
    words_of,
)

PAGES = sorted([*HOW_TO.glob("*.md"), *(ROOT / "docs" / "tutorial").glob("*.md"), ROOT / "README.md"])
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".lock")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_in_a_how_to_is_one(page: Path) -> None:
    wrong = {command: refusal(command) for command in commands_in(page.read_text())}
    assert {command: said for command, said in wrong.items() if said} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_that_a_how_to_speaks_of_is_one(page: Path) -> None:
    for command in mentions_in(page.read_text()):
        # Without its arguments it is a name.
        assert not (said := refusal(command)) or said.startswith("Missing"), f"limner {command}: {said}"


def refusal(command: str) -> str:
    """What our command line has against some words; nothing where it takes them."""
    try:
        parse(words_of(command))
    except TyperException as error:
        return str(error)
    except typer.Exit:  # --help, --version
        return ""
    return ""


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
    assert [words_of(command) for command in commands_in(text)] == [
        ["annotate", "a.png", "--model", "text"], ["tokens", "create", "me", "--scopes", "admin"], ["serve"]
    ]  # fmt: skip
    assert [*mentions_in(text)] == ["doctor"]


@pytest.mark.parametrize("wrong", ["serve --prot 1", "annotated x", "tokens make me", "worker --workers many"])
def test_a_command_that_is_none_is_noticed(wrong: str) -> None:
    with pytest.raises(TyperException):
        parse(words_of(wrong))


def test_parsing_is_what_the_command_itself_does() -> None:
    """The same error, but nothing is run."""
    assert CliRunner().invoke(app, ["serve", "--prot", "1"]).exit_code == 2


@pytest.mark.parametrize("file", [*PAGES, *FILES], ids=lambda file: file.name)
def test_every_variable_is_a_setting(file: Path) -> None:
    known = {f"LIMNER_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    assert variables_in(file.read_text()) - known == set()
