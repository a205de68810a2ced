"""A private PostgreSQL for the tests: a cluster in a temporary folder, on loopback, gone when they end."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.packages import install

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")


def binaries() -> Path | None:
    """The folder with ``initdb`` and ``postgres``; installed on Debian where that is possible."""
    return _find() or (install("postgresql") and _find()) or None


def _find() -> Path | None:
    found = [path for pattern in _PLACES for path in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)]
    on_path = shutil.which("initdb")
    candidates = [*found, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


@contextmanager
def cluster(*, durable: bool = False) -> Iterator[str]:
    """A running PostgreSQL; yields the URL of its ``postgres`` database.

    Unless it is to be ``durable`` it does not wait for the disk, which tests have no use for.
    """
    place = binaries()
    if place is None:
        message = "PostgreSQL is not installed: ITS TESTS DO NOT RUN. Install the package `postgresql`."
        sys.stderr.write(f"\n*** {message} ***\n")
        pytest.skip(message)
    folder = Path(tempfile.mkdtemp(prefix="limner-pg-"))
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    port = _free_port()
    try:
        _as(user, [str(place / "initdb"), "-D", str(folder / "data"), "-U", "limner", "-A", "trust", "-N"])
        control = [str(place / "pg_ctl"), "-D", str(folder / "data"), "-w"]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        options += "" if durable else " -c fsync=off -c full_page_writes=off"
        _as(user, [*control, "-o", options, "-l", f"{folder}/log", "start"])
        yield f"postgresql://limner@127.0.0.1:{port}/postgres"
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            _as(user, [str(place / "pg_ctl"), "-D", str(folder / "data"), "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(server: str) -> Iterator[str]:
    """A fresh database on a server; yields its URL."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield server.rsplit("/", 1)[0] + f"/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as(user: str, command: list[str]) -> None:
    """Run a command as a user: PostgreSQL refuses to run as root."""
    identity = {"user": user, "group": user} if os.geteuid() == 0 else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", timeout=60, check=False, **identity
        )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode(errors='replace')[-500:]}")
