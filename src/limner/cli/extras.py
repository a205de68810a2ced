"""What a command needs that is not installed with Limner itself."""

from __future__ import annotations

import importlib.util

from limner.core.errors import UsageError

#: Of each package of the extra ``server`` that cannot be done without, the module.
_SERVER = ("alembic", "dbos", "fastapi", "fsspec", "python_multipart", "sqlalchemy", "uvicorn")


def need_server_extra(command: str) -> None:
    """Raise `UsageError` where the extra ``server`` is not installed."""
    missing = [name for name in _SERVER if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"`limner {command}` needs packages that are not installed ({', '.join(missing)}).",
            hint="Install them with: pip install 'limner[server]'",
        )
