"""Lists in parts: ``{"items": […], "next": …}``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel, Field

from limner.server.deps import PageQuery

T = TypeVar("T")


class Listed(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None = Field(default=None, description="Cursor of the next part; null where this is the last.")


def part_of(items: Sequence[T], page: PageQuery, key: Callable[[T], str]) -> Listed[T]:
    """A part of a list that is in memory, in the order of its keys, which are the cursors."""
    ordered = sorted(items, key=key)
    start = 0 if page.cursor is None else bisect_right(ordered, page.cursor, key=key)
    part = ordered[start : start + page.limit]
    more = start + page.limit < len(ordered)
    return Listed(items=part, next=key(part[-1]) if part and more else None)
