"""What a job would find in a source, and how long it would take."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from limner.annotations.annotation import Json
from limner.core.errors import NotIIIFError
from limner.models.bundle import Bundle
from limner.operations.jobs.desk import address_of
from limner.operations.manifest import ManifestReport, check_manifest
from limner.operations.models import expected_seconds
from limner.sources.protocol import SourceContext


async def estimate(source: str | Mapping[str, Json], bundle: Bundle, context: SourceContext) -> ManifestReport:
    """Look into a manifest or collection; only descriptions are fetched, no images.

    Raises `SourceError`: `NotIIIFError` where it is none, and for anything but an address.
    """
    if isinstance(source, str):
        return await _check(address_of(source), bundle, context)
    with tempfile.TemporaryDirectory(prefix="limner-estimate-") as folder:
        path = Path(folder) / "manifest.json"
        path.write_text(json.dumps(dict(source), ensure_ascii=False), encoding="utf-8", errors="replace")
        try:
            return await _check(str(path), bundle, context)
        except NotIIIFError as error:  # its name here is nobody's business
            raise NotIIIFError(error.message.replace(str(path), "The source")) from error


async def _check(spec: str, bundle: Bundle, context: SourceContext) -> ManifestReport:
    seconds, side = expected_seconds(bundle), bundle.wanted_side
    return await check_manifest(spec, context, seconds_per_page=seconds, wanted_side=side)
