"""``--server`` and ``--token``."""

import pytest

from limner.cli.remote.server import Server
from tests.cli.conftest import Run
from tests.limner_process import ServerProcess

NOBODY = "http://127.0.0.1:9"


def test_a_command_that_works_here_refuses_a_server_and_ignores_the_environments(limner: Run) -> None:
    assert "works on this machine" in limner("--server", NOBODY, "settings", code=2).stderr
    assert "LIMNER_DATA" in limner("settings", LIMNER_SERVER=NOBODY).stdout


def test_the_environment_names_the_server_and_the_token(limner: Run, server: ServerProcess) -> None:
    found = limner("models", "list", LIMNER_SERVER=server.url, LIMNER_TOKEN=server.first_token)
    assert "bright@1" in found.stdout
    assert "bright@1" in limner("--server", server.url, "--token", server.first_token, "models", "list").stdout


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--server", NOBODY], 1, "Is it running?"),
        (["--server", "localhost:8400"], 2, "http://host:port"),
        (["--token", "x"], 2, "Name it with --server"),
    ],
)
def test_what_is_wrong_is_one_clear_error(limner: Run, options: list[str], code: int, said: str) -> None:
    done = limner(*options, "models", "list", code=code)
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_token_that_is_not_valid_is_said_to_be(limner: Run, server: ServerProcess) -> None:
    done = limner("--server", server.url, "models", "list", code=1, LIMNER_TOKEN="limner_wrong")
    assert "not valid" in done.stderr


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(Server(NOBODY, "secret"))
