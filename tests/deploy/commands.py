"""The commands of Limner that stand in the deployment and in the docs, and whether our command line takes them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from typer.core import TyperGroup

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
    """Every command of Limner in the blocks of code of a page, without what stands before it."""
    for line in "\n".join(_FENCE.findall(text)).replace("\\\n", " ").splitlines():
        if found := _BEFORE.match(line.strip()):
            yield _alone(line.strip()[found.end() :])


def mentions_in(text: str) -> Iterator[str]:
    """Every command that is spoken of between them, maybe without its arguments."""
    for words in _INLINE.findall(_FENCE.sub("", text)):
        if found := _BEFORE.match(words):
            yield _alone(words[found.end() :])


def _alone(line: str) -> str:
    """A command without a comment, and without what its output goes to."""
    return re.split(r"\s(?:#|\||>|&&)(?:\s|$)", f"{line} ")[0].strip()


def variables_in(text: str) -> set[str]:
    """Every variable with our prefix."""
    return set(_VARIABLE.findall(text))


def parse(arguments: Sequence[str]) -> None:
    """Have our command line read some arguments; raises `TyperException` where it does not take them.

    Nothing is run. A group of commands by its name is taken: it prints what it has.
    """
    command, parent, name, left = typer.main.get_command(app), None, "limner", list(arguments)
    while left or not isinstance(command, TyperGroup):
        context = command.make_context(name, left, parent=parent)
        if not isinstance(command, TyperGroup):
            return
        found_name, found, left = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command, parent, name = found, context, str(found_name)


def words_of(command: str) -> list[str]:
    """The words of a command line."""
    return shlex.split(command)
