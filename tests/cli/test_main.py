"""The command as a whole: help, version, errors."""

import pytest

from tests.cli.conftest import Run

COMMANDS = (
    "annotate",
    "convert",
    "datasets",
    "demo",
    "doctor",
    "manifest",
    "models",
    "serve",
    "settings",
    "tokens",
    "worker",
)


def test_help_names_every_command(limner: Run) -> None:
    text = limner("--help").stdout
    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(limner: Run, command: str) -> None:
    assert "Usage" in limner(command, "--help").stdout


def test_version(limner: Run) -> None:
    assert limner("--version").stdout.startswith("limner 0.")


def test_an_unknown_command_is_bad_usage(limner: Run) -> None:
    assert "nonsense" in limner("nonsense", code=2).stderr


def test_an_unknown_setting_is_bad_usage_in_one_line(limner: Run) -> None:
    done = limner("models", "list", code=2, LIMNER_TREADS="3")
    assert done.stderr.strip() == (
        "Error: Unknown setting in the environment: LIMNER_TREADS (did you mean LIMNER_THREADS?)."
    )


def test_a_closed_pipe_is_no_error(limner: Run) -> None:
    done = limner("settings")
    assert "LIMNER_DATA=" in done.stdout
