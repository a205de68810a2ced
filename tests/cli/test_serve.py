"""``limner serve``: starting, refusing to start, stopping."""

import re
import signal
import socket
import threading
from pathlib import Path

import httpx
import pytest

from limner.cli.serve import announce, listening, prepare
from limner.client import Client
from limner.core.errors import LimnerError, UsageError
from limner.core.settings import Settings
from tests.cli.conftest import Run
from tests.limner_process import serving

UNREACHABLE = "postgresql://nobody:secret@127.0.0.1:9/limner"


def test_the_first_start_prints_a_token_once_and_never_logs_it(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--workers", "0") as server:
        url, token = server.url, server.first_token
        assert httpx.get(f"{url}/v1/jobs", trust_env=False).status_code == 401
        with Client(url, token) as client:
            assert list(client.jobs.list()) == []
        assert server.stop() == 0
        assert token not in server.log
        server.again()
        with Client(server.url, token) as client:
            assert list(client.jobs.list()) == []
        assert "limner_" not in server.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_without_a_word_of_complaint(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path / "data", "--no-auth") as server:
        assert "No token is asked for" in server.wait_for(re.compile(r"No token.*"))
        assert httpx.get(f"{server.url}/v1/jobs", trust_env=False).json() == {"items": [], "next": None}
        assert server.stop(number) == 0
        assert "Traceback" not in server.log


def test_open_streams_do_not_hold_it_up(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--no-auth", "--workers", "0") as server, Client(server.url, retries=0) as client:
        job = client.jobs.create("http://127.0.0.1:9/manifest.json")
        told = threading.Event()
        following = threading.Thread(target=_follow, args=(client, job.id, told))
        following.start()
        assert told.wait(30)
        assert server.stop(seconds=60) == 0
        following.join(30)
        assert not following.is_alive()


def _follow(client: Client, job: str, told: threading.Event) -> None:
    try:
        for _ in client.jobs.events(job, timeout=8):
            told.set()
    except TimeoutError:
        pass


def test_a_port_in_use_is_one_clear_error(limner: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = limner("serve", "--port", port, code=1)
    assert done.stderr.strip() == (
        f"Error: Port {port} on 127.0.0.1 is in use. Choose another with --port, or stop what uses it."
    )


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(LimnerError, match=r"Cannot listen on 192\.0\.2\.1, port 0"):
        listening("192.0.2.1", 0)
    with pytest.raises(UsageError, match="no address of this machine"):
        listening("no.such.host.invalid", 0)


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6 here")
def test_addresses_of_the_newer_kind_are_written_in_brackets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    try:
        listener = listening("::1", 0)
    except LimnerError:
        pytest.skip("there is no IPv6 here")
    port = listener.getsockname()[1]
    with listener:
        announce(Settings(data=tmp_path, host="::1"), port)
    assert capsys.readouterr().out == f"Limner is ready at http://[::1]:{port}\n"


def test_the_first_admin_is_made_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    prepare(settings)
    assert "limner_" in capsys.readouterr().out
    prepare(settings)
    prepare(Settings(data=tmp_path / "open", auth=False))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_tokens_only_this_machine_may_call(limner: Run, host: str) -> None:
    done = limner("serve", "--port", "0", "--no-auth", "--host", host, code=2)
    assert "may only listen on this machine" in done.stderr


def test_what_is_wrong_is_one_clear_error_before_anything_is_served(limner: Run, tmp_path: Path) -> None:
    done = limner("serve", "--port", "0", code=1, LIMNER_DATABASE_URL=UNREACHABLE)
    assert "cannot be used" in done.stderr
    assert "secret" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert "nowhere://" in limner("serve", "--port", "0", code=2, LIMNER_STORAGE_URL="nowhere://x").stderr
    assert "Traceback" not in (key := limner("serve", "--port", "0", code=2, LIMNER_JWT_PUBLIC_KEY="none").stderr)
    assert key.startswith("Error: ")
    assert "no address" in limner("serve", "--port", "0", "--host", "no.such.host.invalid", code=2).stderr
    assert "LIMNER_WORKERS" in limner("serve", code=2, LIMNER_WORKER="2").stderr


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker"], ["tokens", "list"]])
def test_a_folder_that_cannot_be_made_is_named(limner: Run, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "file").write_text("no folder")
    done = limner(*command, "--data", tmp_path / "file" / "data", code=1)
    assert done.stderr.startswith("Error: The data folder")
    assert "Not a directory" in done.stderr


def test_settings_and_arguments_say_where(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    public = "https://limner.example"
    with serving(tmp_path / "data", "--no-auth", "--data", str(elsewhere), LIMNER_PUBLIC_URL=public) as server:
        assert server.wait_for(re.compile(r"ready at (\S+)")) == public
    assert (elsewhere / "limner.db").exists()
