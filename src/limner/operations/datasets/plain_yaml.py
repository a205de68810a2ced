"""YAML files of strangers: plain values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from limner.core.errors import FormatError
from limner.sources.naming import plain_text


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Reads plain values only. Aliases are refused: a few lines of them stand for more than fits into memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - as the class above has it
        if self.check_event(yaml.AliasEvent):
            raise FormatError("The YAML file has aliases (*name), which are not read.")
        return super().compose_node(parent, index)


def plain_yaml(text: bytes) -> Mapping[Any, Any]:
    """The keys of a YAML file, plain values only and no aliases; raises `FormatError`."""
    try:
        found = yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FormatError(f"The YAML file cannot be read: {plain_text(' '.join(str(error).split()))[:200]}.") from error
    if not isinstance(found, Mapping):
        raise FormatError("The YAML file holds no keys.", hint="Write `train:`, `val:` and `names:`.")
    return found
