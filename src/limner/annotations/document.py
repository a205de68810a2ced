"""A document: an ordered set of pages with what was found on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from limner.annotations.annotation import Annotation, Json
from limner.annotations.page import Page


@dataclass(frozen=True, slots=True)
class AnnotatedPage:
    """A page and its annotations, or the reason why it has none."""

    page: Page
    annotations: tuple[Annotation, ...] = ()
    #: Why the page could not be annotated; None where it could.
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Pages in their order.

    ``pages`` may be read any number of times, and is not necessarily in memory: writers go
    through it page by page and keep nothing that grows with it.
    """

    #: The manifest's URI, or another name that stays the same.
    id: str
    #: What people call it.
    title: str
    pages: Iterable[AnnotatedPage]
    #: Address of the licence or statement of rights, as the source gives it.
    rights: str | None = None
    #: What else the source says, as JSON values.
    metadata: Mapping[str, Json] = field(default_factory=dict)
