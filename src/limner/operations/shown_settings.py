"""The settings in force, as they may be shown: without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import SecretStr

from limner.annotations.annotation import Json
from limner.core.settings import Settings

#: User and password in an address, before its host …
_CREDENTIALS = re.compile(r"(://)[^/@\s]*@")
#: … or a password among its parameters.
_PARAMETER = re.compile(r"([?&](?:ssl)?password=)[^&\s]+", re.IGNORECASE)


def shown_settings(settings: Settings) -> Mapping[str, Json]:
    """Every setting by its name. Of a secret it is only told whether it is set; addresses lose their passwords."""
    values = settings.model_dump(mode="json")
    return {name: _shown(getattr(settings, name), values[name]) for name in sorted(values)}


def _shown(value: object, plain: Json) -> Json:
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else ""
    if not isinstance(plain, str):
        return plain
    return _PARAMETER.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", plain))
