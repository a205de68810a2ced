"""What viewers ask for, without a token: manifests and images of what is shared (IIIF)."""

from __future__ import annotations

from fastapi import APIRouter

from limner.server.iiif.images import router as images
from limner.server.iiif.manifests import router as manifests

#: The routers of all modules.
IIIF_ROUTERS: list[APIRouter] = [manifests, images]
