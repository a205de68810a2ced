"""The commands of Limner that stand in files of the deployment and of the docs, and whether our command line takes them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import typer

from limner.cli.main import app

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HOW_TO = ROOT / "docs" / "how-to"

_FENCE = re.compile(r"^```(?:sh|console|shell|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
#: What may stand before a command of ours: a prompt, variables, another user, a container, a folder.
_BEFORE = re.compile(
    r"^(?:\$\s+)?(?:(?:sudo|-u \S+|env|[A-Z_]+=\S*|docker compose (?:run --rm|exec) \S+)\s+)*(?:\S*/)?limner(?=\s|$)"
)
_VARIABLE = re.compile(r"\b(LIMNER_[A-Z0-9_]+)\b")
#: Settings are not the only variables with our prefix: see `limner.core.settings`.
OTHER_VARIABLES = {"LIMNER_CONFIG", "LIMNER_SERVER", "LIMNER_TOKEN"}


def commands_in(text: str) -> Iterator[str]:
    """Every command of Limner in the code of a page, without what stands before it."""
    blocks = "\n".join(_FENCE.findall(text)).replace("\\\n", " ").splitlines()
    for line in (*blocks, *_INLINE.findall(_FENCE.sub("", text))):
        if found := _BEFORE.match(line.strip()):
            yield _alone(line.strip()[found.end() :])


def _alone(line: str) -> str:
    """A command without a comment, and without what its output goes to."""
    return re.split(r"\s(?:#|\||>|&&)(?:\s|$)", f"{line} ")[0].strip()


def variables_in(text: str) -> set[str]:
    """Every variable with our prefix."""
    return set(_VARIABLE.findall(text))


def parse(arguments: Sequence[str]) -> None:
    """Have our command line read some arguments; raises `click.ClickException` where it does not take them.

    Nothing is run.
    """
    command: click.Command = typer.main.get_command(app)
    name, left, parent = "limner", list(arguments), None
    while True:
        context = command.make_context(name, left, parent=parent)
        if not isinstance(command, click.Group):
            return
        left = [*context._protected_args, *context.args]
        name, found, left = command.resolve_command(context, left)
        assert found is not None
        command, parent, name = found, context, str(name)


def words_of(command: str) -> list[str]:
    """The words of a command line."""
    return shlex.split(command)
