"""Short ways to open documents in the tests."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

from limner.sources.protocol import OpenedDocument, PageHandle, Picture, SourceContext, Want


async def all_of(documents: AsyncIterator[OpenedDocument]) -> list[OpenedDocument]:
    return [document async for document in documents]


async def picture_of(handle: PageHandle, max_side: int | None = None) -> Picture:
    """Fetch and decode a page."""
    return (await handle.fetch(Want(max_side))).decode(Want(max_side))


def limited(context: SourceContext, **limits: int) -> SourceContext:
    """The same with other settings."""
    return dataclasses.replace(context, settings=context.settings.model_copy(update=limits))
