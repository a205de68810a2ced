"""The file systems of fsspec that blobs lie in, and how each says that it cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from limner.core.errors import SettingsError

#: The packages that reach a kind of store, as people install them.
_EXTRAS = {"s3": "limner[s3]", "s3a": "limner[s3]"}
#: Of S3. Everything else (keys, region, ``AWS_ENDPOINT_URL``) comes from the usual variables and files of AWS.
_S3: Mapping[str, Any] = {"config_kwargs": {"connect_timeout": 5, "retries": {"mode": "standard"}}}

#: A file system, the place in it that an address names, and what it raises where it cannot be used.
Place: TypeAlias = tuple[Any, str, tuple[type[Exception], ...]]


def filesystem_at(address: str) -> Place:
    """What is behind an address; nothing is asked of it yet. Raises `SettingsError`."""
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    scheme = address.partition("://")[0] if "://" in address else ""
    options = _S3 if scheme in _EXTRAS else {}
    try:
        # Others write there too, so what was seen before is no answer; and what is found in the environment now holds.
        filesystem, root = url_to_fs(address, use_listings_cache=False, skip_instance_cache=True, **options)
    except ImportError as error:
        raise SettingsError(
            f"Nothing is installed that reaches {scheme}:// storage.", hint=_hint(scheme, error)
        ) from error
    except ValueError as error:
        raise SettingsError(f"The storage address {address!r} cannot be used: {error}.") from error
    return filesystem, str(root).rstrip("/"), _failures(scheme)


def _hint(scheme: str, error: ImportError) -> str:
    extra = _EXTRAS.get(scheme)
    return f"Install it with: pip install '{extra}'" if extra else str(error)


def _failures(scheme: str) -> tuple[type[Exception], ...]:
    if scheme not in _EXTRAS:
        return (OSError,)
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped, import-not-found, unused-ignore]

    return OSError, BotoCoreError, ClientError
