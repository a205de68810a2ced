"""Reading Web Annotations: ours, other people's, and the Open Annotations of IIIF Presentation 2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.imported_pages import PageMaker, name_from_url
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.formats.reading import json_value, usable, with_own_ids
from limner.annotations.formats.selectors import area_of, centre_of, plain_types, shapes_of, targets
from limner.annotations.formats.w3c_bodies import annotation_of, precise
from limner.annotations.formats.w3c_manifests import canvases_of, listed, unwrapped
from limner.annotations.page import Page
from limner.annotations.serial import page_from_plain
from limner.core.errors import FormatError

_LISTS = ("items", "resources", "first")
_PAGES = frozenset({"AnnotationPage", "AnnotationList", "AnnotationCollection", "Layer"})


@dataclass
class _Gathered:
    """A page and what was found to belong to it; the page is as the file has it."""

    page: Page
    found: list[Annotation] = field(default_factory=list)
    error: str | None = None


@dataclass
class _Sources:
    """The pages of one file, by what annotations point to: a canvas or an image."""

    pages: dict[str, list[_Gathered]] = field(default_factory=dict)

    def at(self, source: str, centre: tuple[float, float] | None) -> _Gathered:
        """The page behind a source; of several images on a canvas, the one that lies there."""
        if not self.pages.get(source):
            page = Page(id=source, name=name_from_url(source), index=0, source=source)
            self.pages[source] = [_Gathered(page)]
        on_canvas = self.pages[source]
        return next((each for each in on_canvas if centre and _covers(each.page, centre)), on_canvas[0])


def _covers(page: Page, point: tuple[float, float]) -> bool:
    if page.canvas is None:
        return True
    box = page.canvas.painted
    return box.x <= point[0] <= box.x2 and box.y <= point[1] <= box.y2


@dataclass
class Importer:
    """Reads files; page ids and names are unique over all of them."""

    context: ParseContext
    made: PageMaker = field(init=False)

    def __post_init__(self) -> None:
        self.made = PageMaker(self.context)

    def read(self, path: str, text: str) -> Iterator[AnnotatedPage]:
        """The pages of one file; raises `FormatError` where it holds no annotations of a known kind."""
        value = cast("Json", json_value(path, text))
        sources = _Sources()
        try:
            self._document(value, path, sources)
        except RecursionError as error:
            raise FormatError(f"{path} holds things too deep in each other.") from error
        for gathered in (each for pages in sources.pages.values() for each in pages):
            page = self.made.add(_sized(gathered.page, self.context))
            yield AnnotatedPage(page, with_own_ids(gathered.found), gathered.error)

    def _document(self, value: Json, path: str, sources: _Sources) -> None:
        kinds = plain_types(value) if isinstance(value, dict) else set()
        if isinstance(value, dict) and "Manifest" in kinds:
            self._manifest(value, path, sources)
        elif isinstance(value, list) or kinds & (_PAGES | {"Annotation"}):
            self._annotations(value, path, sources)
        else:
            raise FormatError(f"{path} holds no annotations, annotation page or manifest.")

    def _manifest(self, manifest: Mapping[str, Json], path: str, sources: _Sources) -> None:
        """First all canvases, with the pages that we wrote: annotations may point to any canvas."""
        others: list[tuple[str, Json]] = []
        for canvas in canvases_of(manifest, self.context):
            pages = sources.pages.setdefault(canvas.id, [])
            before = len(pages)
            for each in canvas.annotations:
                if isinstance(each, dict) and "limner:page" in each:
                    self._annotations(each, path, sources, canvas.id)
                else:
                    others.append((canvas.id, each))
            if len(pages) == before:
                pages += [_Gathered(page) for page in canvas.pages]
        for identifier, each in others:
            self._annotations(each, path, sources, identifier)

    def _annotations(self, value: Json, path: str, sources: _Sources, canvas: str | None = None) -> None:
        """Everything in an annotation, a page of annotations, or lists of these."""
        if isinstance(value, list):
            for inner in value:
                self._annotations(inner, path, sources, canvas)
        elif isinstance(value, str) or not isinstance(value, dict):
            self.context.problems.append(f"{path}: the annotations at {value} are in another file.")
        elif "Annotation" in plain_types(value):
            self._one(value, path, sources, None, "")
        else:
            self._page(value, path, sources, canvas)

    def _page(self, value: Mapping[str, Json], path: str, sources: _Sources, canvas: str | None) -> None:
        identifier = str(value.get("id", value.get("@id", "")))
        held = [value[key] for key in _LISTS if key in value]
        if not held:
            self.context.problems.append(f"{path}: the annotations at {identifier} are in another file.")
        own = self._own_page(value, path)
        if own is not None:
            sources.pages.setdefault(canvas or own.page.id, []).append(own)
        for inner in (each for group in held for each in listed(group)):
            if isinstance(inner, dict) and "Annotation" in plain_types(inner):
                self._one(inner, path, sources, own, f"{identifier}#" if own else "")
            else:
                self._annotations(inner, path, sources, canvas)

    def _own_page(self, value: Mapping[str, Json], path: str) -> _Gathered | None:
        """The page that we wrote into an annotation page."""
        plain = unwrapped(value.get("limner:page"))
        if not isinstance(plain, dict):
            return None
        page = usable(self.context, f"{path}, limner:page", lambda: page_from_plain(plain))
        error = value.get("limner:error")
        return None if page is None else _Gathered(page, error=error if isinstance(error, str) else None)

    def _one(self, value: Mapping[str, Json], path: str, sources: _Sources, own: _Gathered | None, prefix: str) -> None:
        """One annotation; each of its targets becomes one of ours."""
        identifier = str(value.get("id", value.get("@id", "without id")))
        where = f"{path}, annotation {identifier}"
        model = usable(self.context, where, lambda: annotation_of(value, prefix))
        if model is None:
            return
        found = usable(self.context, where, lambda: list(targets(value.get("target", value.get("on")))))
        for source, selector in found or ():
            usable(self.context, where, partial(self._place, value, model, source, selector, sources, own))

    def _place(
        self,
        value: Mapping[str, Json],
        model: Annotation,
        source: str,
        selector: Json,
        sources: _Sources,
        own: _Gathered | None,
    ) -> None:
        area = area_of(selector)
        gathered = own or sources.at(source, centre_of(area))
        page = _sized(gathered.page, self.context)
        for shape in shapes_of(area, page):
            gathered.found.append(replace(model, shape=precise(value, shape, page)))


def _sized(page: Page, context: ParseContext) -> Page:
    """The page at the size that it says, that its image has, or, for want of these, that its canvas has."""
    if page.sized:
        return page
    canvas = (int(page.canvas.width), int(page.canvas.height)) if page.canvas else (0, 0)
    width, height = context.size_of(page.name) or canvas
    return replace(page, width=width, height=height)
