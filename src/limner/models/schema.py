"""The JSON schema of ``bundle.json``: ``python -m limner.models.schema > docs/reference/bundle.schema.json``."""

from __future__ import annotations

import json
import sys

from limner.models.bundle import Bundle


def bundle_schema() -> str:
    """The schema, as it is committed under ``docs/reference``."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Bundle.model_json_schema()}
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(bundle_schema())
