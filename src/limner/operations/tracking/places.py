"""Where timings go: what may stand in the setting ``mlflow_url``, and what it needs."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from limner.core.errors import SettingsError
from limner.operations.tracking.store import Store

_SQLITE = "sqlite:///"
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]+:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Server:
    """An MLflow server."""

    url: str
    #: Seconds that the end of a process may take for the last timings: one that does not answer is not waited for.
    grace: float = 8.0

    @property
    def shown(self) -> str:
        """Its address without user and password."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def open(self) -> Store:
        """What sends to it."""
        from limner.operations.tracking.rest import RestStore  # loads httpx, which takes a while

        return RestStore(self.url)


@dataclass(frozen=True, slots=True)
class Local:
    """A folder, or a file of SQLite."""

    #: As MLflow calls it.
    uri: str
    #: Where MLflow would put files of runs.
    files: Path
    #: Seconds that the end of a process may take for the last timings: importing MLflow is most of it.
    grace: float = 30.0

    @property
    def shown(self) -> str:
        """Where it is."""
        return self.uri

    def open(self) -> Store:
        """What writes to it."""
        from limner.operations.tracking.local import LocalStore

        self.files.parent.mkdir(parents=True, exist_ok=True)
        return LocalStore(self.uri, self.files.absolute().as_uri())


def place_of(url: str) -> Server | Local | None:
    """Where timings go; None for nowhere. Raises `SettingsError` for what cannot be, or needs what is not installed."""
    if not url:
        return None
    if url.lower().startswith(("http://", "https://")):
        return _server(url)
    place = _local(url)
    if importlib.util.find_spec("mlflow") is None:
        raise SettingsError(
            f"LIMNER_MLFLOW_URL names a place on this machine ({url}), and only MLflow itself can write there.",
            hint="Install it with: pip install 'limner[mlflow]', or name an MLflow server, which needs nothing more.",
        )
    return place


def _server(url: str) -> Server:
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError:
        sound = False
    if not sound:
        raise SettingsError("LIMNER_MLFLOW_URL is no address of a server.", hint="Write it as http://host:port.")
    return Server(url)


def _local(url: str) -> Local:
    if url.startswith(_SQLITE):
        database = Path(url[len(_SQLITE) :])
        if database.name in ("", ":memory:"):
            raise SettingsError("LIMNER_MLFLOW_URL names no file.", hint="Write it as sqlite:////path/to/mlflow.db.")
        return Local(url, database.parent / "artifacts")
    if _SCHEME.match(url):
        raise SettingsError(
            f"LIMNER_MLFLOW_URL cannot be {url.partition(':')[0]}:….",
            hint="It is http(s)://host:port, a folder, or sqlite:////path/to/mlflow.db.",
        )
    folder = Path(url).expanduser()
    if folder.is_file():
        raise SettingsError(f"LIMNER_MLFLOW_URL names {folder}, which is a file and no folder.")
    if any(folder.glob("*/meta.yaml")):  # MLflow's older kind of folder: what is in it is gone on with
        return Local(folder.absolute().as_uri(), folder / "artifacts")
    return Local(f"{_SQLITE}{folder.absolute() / 'mlflow.db'}", folder / "artifacts")
