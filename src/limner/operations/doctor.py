"""What is configured, and what is wrong: looked at part by part, each on its own."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from limner.annotations.annotation import Json
from limner.core.errors import LimnerError
from limner.core.settings import Settings
from limner.models.protocol import RUNTIMES
from limner.models.store import DEFAULT, ModelStore

if TYPE_CHECKING:
    from limner.storage.database import Database

#: How a part is: ``note`` is worth knowing and nothing to worry about.
State: TypeAlias = Literal["ok", "note", "wrong"]
#: Free space below which to say so, and below which nothing will go well, bytes.
_LITTLE, _TOO_LITTLE = 5_000_000_000, 200_000_000
_EXTRA = re.compile(r"""^([A-Za-z0-9._-]+).*;\s*extra\s*==\s*['"]([\w-]+)['"]""")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at."""

    part: str
    state: State
    #: A sentence or two.
    message: str

    def to_plain(self) -> dict[str, Json]:
        """As JSON values."""
        return {"part": self.part, "state": self.state, "message": self.message}


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, part by part; never raises for what is wrong."""
    for part, look in _PARTS.items():
        try:
            yield from look(settings)
        except LimnerError as error:
            yield Finding(part, "wrong", str(error))
        except ImportError as error:
            yield Finding(part, "wrong", f"Not looked at: {error}. Install it with: pip install 'limner[server]'")
        except OSError as error:
            yield Finding(part, "wrong", f"{error.filename or part}: {error.strerror or error}.")


def set_options(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """The names of the settings that are not at their defaults, with where they were set; no values."""
    environ = os.environ if environ is None else environ
    given = sorted(settings.model_fields_set)
    return [f"{name} (environment)" if f"LIMNER_{name.upper()}" in environ else name for name in given]


def _settings(settings: Settings) -> Iterator[Finding]:
    path = Path(os.environ.get("LIMNER_CONFIG") or "limner.toml")
    file = f"{path} is read" if path.is_file() else f"there is no {path}"
    given = set_options(settings)
    yield Finding("settings", "ok", f"Set: {', '.join(given) or 'nothing, all are at their defaults'}; {file}.")


def _data(settings: Settings) -> Iterator[Finding]:
    folder = settings.data.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        file.write(b"ok")
        file.flush()
    free = shutil.disk_usage(folder).free
    state: State = "wrong" if free < _TOO_LITTLE else "note" if free < _LITTLE else "ok"
    yield Finding("data", state, f"{folder} can be written to; {free / 1e9:.1f} GB are free.")


def _database(settings: Settings) -> Iterator[Finding]:
    from limner.storage.database import Database

    if not settings.database_url and not (settings.data / "limner.db").exists():
        yield Finding("database", "note", "SQLite in the data folder; `limner serve` makes it when it first starts.")
        return
    database = Database(settings.database)
    try:
        database.check()
        yield Finding("database", "ok", f"{database} can be reached, and its tables are those of this version.")
        yield from _kept(settings, database)
    finally:
        database.close()


def _kept(settings: Settings, database: Database) -> Iterator[Finding]:
    """What the database says of tokens, workers and queues."""
    from limner.storage.engine.board import Board
    from limner.storage.engine.workers import Workers
    from limner.storage.tokens import any_tokens

    if settings.auth and not any_tokens(database):
        yield Finding("access", "note", "There is no token yet: `limner serve` prints the first when it starts.")
    alive = [worker for worker in Workers(database).all() if worker.state == "alive"]
    waiting = sum(queue.waiting for queue in Board(database).queues())
    hosts = ", ".join(sorted({worker.host for worker in alive}))
    state: State = "note" if waiting and not alive else "ok"
    yield Finding("workers", state, f"{len(alive)} at work{f' ({hosts})' if hosts else ''}, {waiting} tasks waiting.")


def _storage(settings: Settings) -> Iterator[Finding]:
    from limner.storage.blobs import Blobs

    Blobs(settings.storage).check()
    yield Finding("storage", "ok", f"{_public(settings.storage)}: written to, read from and deleted from.")


def _models(settings: Settings) -> Iterator[Finding]:
    from limner.operations.models import try_model

    store = ModelStore(settings.models_dir)
    for ref, error in store.damaged().items():
        yield Finding("models", "wrong", f"{ref}: {error}")
    count = len(store.list())
    trial = try_model(store, DEFAULT, runs=1, threads=settings.threads)
    if trial.hash_matches is False:
        yield Finding("models", "wrong", f"The weights of {trial.ref}, the default, are not those of its bundle.")
        return
    took = f"loaded in {trial.load_seconds:.1f} s, a page in {trial.seconds:.2f} s"
    yield Finding("models", "ok", f"{count} installed; the default is {trial.ref}: {took}.")


def _runtimes(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    import onnxruntime

    names = [RUNTIMES.get(name).name for name in RUNTIMES.names()]
    available = onnxruntime.get_available_providers()
    found = ", ".join(provider.removesuffix("ExecutionProvider") for provider in available)
    yield Finding("runtimes", "ok", f"{', '.join(names)}; ONNX Runtime {onnxruntime.__version__} on {found}.")


def _extras(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    for extra, missing in sorted(missing_packages().items()):
        if missing:
            yield Finding("extras", "note", f"{extra} is not installed: {', '.join(sorted(missing))} missing.")
        else:
            yield Finding("extras", "ok", f"{extra} is installed.")


def missing_packages() -> dict[str, list[str]]:
    """Of each extra, the packages that are not installed."""
    out: dict[str, list[str]] = {}
    for requirement in importlib.metadata.requires("limner") or ():
        if (match := _EXTRA.match(requirement)) is not None:
            out.setdefault(match[2], []).extend([] if _installed(match[1]) else [match[1]])
    return out


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _network(settings: Settings) -> Iterator[Finding]:
    networks = ", ".join(map(str, settings.source_networks))
    if any(network.prefixlen == 0 for network in settings.source_networks):
        yield Finding("network", "wrong", f"Sources may be fetched from everywhere ({networks}): the guard is off.")
    elif networks:
        yield Finding("network", "note", f"Sources may also be fetched from {networks}.")
    else:
        yield Finding("network", "ok", "Sources are fetched from public addresses only.")
    delays = ", ".join(f"{host} {seconds:g} s" for host, seconds in settings.host_delays.items()) or "none"
    each = f"{settings.host_concurrency} at a time for each host"
    yield Finding("network", "ok", f"Requests: {each}; pauses between full images: {delays}.")


def _access(settings: Settings) -> Iterator[Finding]:
    here = is_loopback(settings.host)
    where = f"{settings.host}, port {settings.port}"
    if settings.auth:
        reach = "this machine" if here else "all that can reach it"
        yield Finding("access", "ok", f"Tokens are asked for; listens on {where}: for {reach}.")
    elif here:
        yield Finding("access", "note", f"No token is asked for; listens on {where}: for this machine alone.")
    else:
        yield Finding("access", "wrong", f"No token is asked for, and it would listen on {where}: it will not start.")
    if not here and not settings.public_url.startswith("https://"):
        message = "Tokens would travel in clear text: put a proxy with TLS before it, and set public_url."
        yield Finding("access", "note", message)
    if any(network.prefixlen == 0 for network in settings.trusted_proxies):
        yield Finding("access", "wrong", "trusted_proxies believes everybody: clients can invent their addresses.")
    allowed, limit = ", ".join(settings.allowed_clients) or "all", settings.rate_limit or "any number of"
    yield Finding("access", "ok", f"Clients: {allowed}; at most {limit} requests a minute each.")


def is_loopback(host: str) -> bool:
    """Whether a name or address stands for this machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _public(address: str) -> str:
    """An address without the secrets that may stand in it."""
    return re.sub(r"//[^/@]*@", "//…@", address)


_PARTS: Mapping[str, Callable[[Settings], Iterator[Finding]]] = {
    "settings": _settings,
    "data": _data,
    "database": _database,
    "storage": _storage,
    "models": _models,
    "runtimes": _runtimes,
    "extras": _extras,
    "network": _network,
    "access": _access,
}
