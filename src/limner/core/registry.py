"""Named extension points.

A registry is a name for a group of entry points. What ships with Limner is declared in
``pyproject.toml`` exactly as a stranger's package would declare it, and nothing is imported before
it is asked for by name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from limner.core.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """The objects that installed packages offer under one entry-point group.

    ``group`` is the entry-point group, ``kind`` the word for one of its members in messages.
    """

    def __init__(self, group: str, kind: str) -> None:
        self.group = group
        self.kind = kind
        self._added: dict[str, T] = {}

    @cached_property
    def _points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}

    def add(self, name: str, member: T) -> None:
        """Add a member by hand; it wins over an installed one of the same name."""
        self._added[name] = member

    def names(self) -> list[str]:
        """The names of all members, sorted."""
        return sorted({*self._points, *self._added})

    def get(self, name: str) -> T:
        """The member of that name; raises `UnknownNameError` naming the nearest ones."""
        if name in self._added:
            return self._added[name]
        self.check(name)
        member: T = self._points[name].load()
        self._added[name] = member
        return member

    def check(self, name: str) -> None:
        """Raise `UnknownNameError` unless there is such a member; it is not loaded."""
        if name not in self:
            raise UnknownNameError(f"There is no {self.kind} called {name!r}.", hint=self._hint(name))

    def __iter__(self) -> Iterator[T]:
        return (self.get(name) for name in self.names())

    def __contains__(self, name: object) -> bool:
        return name in self._added or name in self._points

    def _hint(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.names(), n=3)
        return f"Did you mean {', '.join(near)}?" if near else f"Known: {', '.join(self.names())}."
