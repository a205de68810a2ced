"""All settings, in one typed class.

They come from, in this order: arguments, environment variables (``LIMNER_`` and the name in
capitals), ``limner.toml`` in the working folder (or the file that ``LIMNER_CONFIG`` names), and the
defaults below. An option that nobody knows is an error, wherever it stands.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, get_args

import platformdirs
from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from limner import __version__
from limner.core.errors import SettingsError

#: Variables with our prefix that are no settings: the tests' data, the file to read, and the server that commands use.
_NOT_SETTINGS = ("LIMNER_TEST_", "LIMNER_CONFIG", "LIMNER_SERVER", "LIMNER_TOKEN")


def _networks(value: object) -> object:
    """``10.0.0.0/8, ::1/128`` or a list of these."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    return tuple(ip_network(str(part).strip()) for part in parts if str(part).strip())


def _names(value: object) -> object:
    """``a, b`` or a list of these."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _delays(value: object) -> object:
    """``host=12, other=0.5`` or a table of these."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    if any(not sep for _, sep, _ in pairs):
        raise ValueError("write it as HOST=SECONDS, separated by commas")
    return {host.strip(): seconds.strip() for host, _, seconds in pairs}


Network = IPv4Network | IPv6Network

#: The systems whose clients are served.
ForeignName = Literal["extractor", "aikon", "easyocr", "maskrcnn", "detectron2", "labelstudio"]


class Settings(BaseSettings):
    """What can be set."""

    model_config = SettingsConfigDict(env_prefix="LIMNER_", extra="forbid", frozen=True)

    data: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("limner", appauthor=False)),
        description="The folder for everything that is kept: models, cache, database, blobs.",
    )

    source_networks: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        default=(),
        description="Private networks that sources may be fetched from, as CIDRs separated by commas "
        "(`127.0.0.0/8`). All other private, loopback and link-local addresses are refused.",
    )
    host_concurrency: int = Field(default=1, ge=1, le=64, description="Requests at one time to one host.")
    host_delays: Annotated[dict[str, float], NoDecode, BeforeValidator(_delays)] = Field(
        default={"gallica.bnf.fr": 12.0},
        description="Seconds to leave between the starts of two full images from a host, as `host=seconds`, "
        "separated by commas.",
    )
    fetch_timeout: float = Field(default=60.0, gt=0, description="Seconds that one request may take in all.")
    fetch_retries: int = Field(default=4, ge=0, le=20, description="How often a request is tried again.")
    fetch_max_bytes: int = Field(default=200_000_000, gt=0, description="Largest file to download, bytes.")
    max_pixels: int = Field(default=300_000_000, gt=0, description="Largest image to decode, pixels.")
    max_pages: int = Field(default=20_000, gt=0, description="Most pages in one source.")
    cache_bytes: int = Field(
        default=5_000_000_000,
        ge=0,
        description="Size that the cache of downloads is kept under, bytes; 0 turns it off.",
    )
    user_agent: str = Field(
        default=f"Limner/{__version__} (image annotation; self-hosted)",
        description="How Limner introduces itself to other servers. Put a contact address in it.",
    )

    threads: int = Field(default=0, ge=0, description="Threads that one model may use; 0 for one a core.")
    model_memory: int = Field(
        default=4_000_000_000,
        gt=0,
        description="Memory that loaded models are kept within, bytes; the least used goes.",
    )

    model_networks: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        default=(),
        description="Private networks that remote models may be asked in, as CIDRs separated by commas. All other "
        "private, loopback and link-local addresses are refused.",
    )

    conversion_memory: int = Field(
        default=6_000_000_000, gt=0, description="Memory that the conversion of an uploaded model may take, bytes."
    )
    conversion_seconds: float = Field(
        default=900.0, gt=0, description="Seconds that the conversion of an uploaded model may take."
    )

    database_url: str = Field(
        default="", description="Database, `sqlite:///…` or `postgresql://…`; empty for SQLite in the data folder."
    )
    storage_url: str = Field(
        default="", description="Where images and results are kept, a folder or `s3://…`; empty for the data folder."
    )
    host: str = Field(default="127.0.0.1", description="Address that the server listens on.")
    port: int = Field(default=8400, ge=0, le=65_535, description="Port that the server listens on; 0 for any.")
    public_url: str = Field(
        default="", description="Address that clients reach the server at, behind a proxy; empty to take theirs."
    )
    auth: bool = Field(default=True, description="Whether a token is asked for; only on loopback may this be off.")
    allowed_clients: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        default=(),
        description="IP addresses, CIDRs and host names that may call the API, separated by commas; empty for all.",
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        default=(), description="Networks of proxies whose `X-Forwarded-For` and `-Proto` are believed."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        default=(), description="Origins whose pages may call the API from a browser, separated by commas."
    )
    compat: Annotated[tuple[ForeignName, ...], NoDecode, BeforeValidator(_names)] = Field(
        default=get_args(ForeignName),
        description="Systems whose clients are served, separated by commas: any of `extractor`, `aikon`, `easyocr`, "
        "`maskrcnn`, `detectron2`, `labelstudio`; empty for none.",
    )
    compat_clients: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        default=(),
        description="IP addresses, CIDRs and host names that may use `aikon`, `easyocr`, `maskrcnn`, `detectron2` and "
        "`labelstudio` without a token, since their clients can send none; empty for nobody.",
    )
    client_app_url: str = Field(
        default="",
        description="Web application that extractorAPI's clients belong to; annotations go to `annotate/` there when a "
        "request names no callback.",
    )
    labelstudio_wait: float = Field(
        default=60.0,
        ge=0,
        le=95,
        description="Seconds after which a prediction that is still under way is answered empty, and sent to Label "
        "Studio when it is there; it waits 100 s itself.",
    )
    jwt_secret: SecretStr = Field(
        default=SecretStr(""), description="Shared secret of an identity provider that signs with HS256."
    )
    jwt_public_key: str = Field(
        default="", description="Public key (PEM) of an identity provider that signs with RS256."
    )
    jwt_jwks_url: str = Field(default="", description="Address of an identity provider's keys (JWKS).")
    jwt_issuer: str = Field(default="", description="Issuer that its tokens must name.")
    jwt_audience: str = Field(default="limner", description="Audience that its tokens must name.")
    max_body_bytes: int = Field(default=2_000_000_000, gt=0, description="Largest request body, bytes.")
    rate_limit: int = Field(default=1200, ge=0, description="Requests a minute for one client; 0 for no limit.")
    viewer_rate_limit: int = Field(
        default=12_000,
        ge=0,
        description="Requests a minute for one client to what is published as IIIF: a viewer asks for many tiles. "
        "0 for no limit.",
    )
    viewer_url: str = Field(
        default="https://projectmirador.org/embed/",
        description="IIIF viewer that links open documents in; it has to read `iiif-content`.",
    )
    tile_cache_bytes: int = Field(
        default=5_000_000_000,
        ge=0,
        description="Size that copies of tiled images are kept under where storage is not a folder, bytes.",
    )
    workers: int = Field(default=1, ge=0, le=64, description="Jobs that the server itself works on at one time.")
    model_concurrency: int = Field(
        default=1, ge=1, le=64, description="Jobs at one time for one model; 1 is strictly one after another."
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Key that webhooks are signed with (HMAC-SHA256)."
    )
    image_days: float = Field(default=7.0, ge=0, description="Days that downloaded images of a job are kept.")
    job_days: float = Field(default=0.0, ge=0, description="Days that finished jobs are kept; 0 for ever.")
    mlflow_url: str = Field(
        default="",
        description="Where the times of inferences and the figures of jobs are kept, for MLflow: `http(s)://server`, "
        "a folder or `sqlite:///…`; empty for nowhere.",
    )
    mlflow_experiment: str = Field(
        default="limner",
        min_length=1,
        max_length=100,
        description="What the names of its experiments begin with, before `-detect`, `-annotate` and so on.",
    )
    log_format: Literal["text", "json"] = Field(default="text", description="How log lines are written.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before environment before ``limner.toml``."""
        path = Path(os.environ.get("LIMNER_CONFIG") or "limner.toml")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)

    @property
    def models_dir(self) -> Path:
        """Where bundles are kept."""
        return self.data / "models"

    @property
    def database(self) -> str:
        """The database's URL, whether set or not."""
        return self.database_url or f"sqlite:///{self.data / 'limner.db'}"

    @property
    def storage(self) -> str:
        """The blob store's URL or folder, whether set or not."""
        return self.storage_url or str(self.data / "blobs")

    @property
    def cache_dir(self) -> Path:
        """Where downloads are kept for a while."""
        return self.data / "cache"


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none, with the nearest names."""
    known = {f"LIMNER_{name.upper()}" for name in Settings.model_fields}
    out = []
    for name in sorted(environ):
        if name.startswith("LIMNER_") and name not in known and not name.startswith(_NOT_SETTINGS):
            near = difflib.get_close_matches(name, known, n=1)
            out.append(f"{name} (did you mean {near[0]}?)" if near else name)
    return out


def load_settings(**overrides: object) -> Settings:
    """The settings in force; raises `SettingsError` naming every option that is unknown or wrong."""
    config = os.environ.get("LIMNER_CONFIG")
    if config and not Path(config).is_file():
        raise SettingsError(f"LIMNER_CONFIG names {config}, and there is no such file.")
    if unknown := unknown_variables(os.environ):
        raise SettingsError(f"Unknown setting in the environment: {', '.join(unknown)}.")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"A setting cannot be used: {wrong}.") from error
    except ValueError as error:  # a limner.toml that is no TOML
        raise SettingsError(f"The settings cannot be read: {error}.") from error
