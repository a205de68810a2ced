"""W3C Web Annotations as JSON-LD, one AnnotationPage a page; IIIF manifests carry the same annotations.

What the standards have no word for stands under keys that begin with ``limner:``. Such a key is a
IRI to JSON-LD, and unknown to viewers, which pass over it. Reading is in `w3c_reading`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import ClassVar
from urllib.parse import quote

from limner import __version__
from limner.annotations.annotation import Annotation, ByModel, Json, Provenance
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.naming import page_stem
from limner.annotations.formats.protocol import Feature, OutputFile, ParseContext
from limner.annotations.formats.reading import read_each
from limner.annotations.formats.selectors import target_of
from limner.annotations.formats.w3c_reading import Importer
from limner.annotations.page import Page
from limner.annotations.serial import page_to_plain, shape_to_plain
from limner.annotations.shapes import Box

#: The second one knows the motivation ``supplementing``; a IIIF context has to come last.
CONTEXT: list[Json] = ["http://www.w3.org/ns/anno.jsonld", "http://iiif.io/api/presentation/3/context.json"]
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\"<>\\^`{|}]+")


class WebAnnotations:
    """One JSON-LD file a page; masks become their outlines."""

    name = "w3c"
    title = "W3C Web Annotations"
    media_type = "application/ld+json"
    per_page = True
    holds: ClassVar[frozenset[Feature]] = frozenset(Feature) - {Feature.MASK}

    def render(self, document: Document) -> Iterator[OutputFile]:
        """A file for each page, also for those without annotations."""
        base = base_url(document)
        images = f"{base}/" if "base" in document.metadata else ""
        for annotated in document.pages:
            path = f"w3c/{page_stem(annotated.page)}.json"
            page = {
                "@context": CONTEXT,
                **annotation_page(annotated, f"{base}/{quote(path)}", source_of(annotated.page, images)),
            }
            yield OutputFile(path, (dumps(page, indent=1) + "\n",))

    def parse(self, files: Mapping[str, str], context: ParseContext) -> Iterator[AnnotatedPage]:
        """The pages of annotation pages and lists, single annotations, and manifests that hold annotations."""
        importer = Importer(context)
        return read_each(files, (".json", ".jsonld"), self.title, context, importer.read)


def base_url(document: Document) -> str:
    """What the addresses of everything in a document begin with: ``base`` in its metadata.

    Without one it is an address that nobody can have (RFC 2606), the same each time.
    """
    base = document.metadata.get("base")
    if isinstance(base, str) and is_web(base):
        return web_address(base).rstrip("/")
    name = document.id.encode("utf-8", "replace").decode()
    return f"https://limner.invalid/{uuid.uuid5(uuid.NAMESPACE_URL, name)}"


def annotation_page(annotated: AnnotatedPage, identifier: str, source: str) -> dict[str, Json]:
    """The AnnotationPage of one image, without a context; ``source`` is what the annotations point into."""
    page = annotated.page
    error: dict[str, Json] = {} if annotated.error is None else {"limner:error": annotated.error}
    items: list[Json] = [_annotation(each, page, f"{identifier}#", source) for each in annotated.annotations]
    return {
        "id": identifier,
        "type": "AnnotationPage",
        "limner:page": literal(page_to_plain(page)),
        **error,
        "items": items,
    }


def source_of(page: Page, base: str) -> str:
    """What annotations of a page point into: its canvas, or else its image."""
    if page.canvas is not None:
        return page.canvas.id
    return web_address(page.source) or base + quote(page.name, errors="replace")


def is_web(text: str) -> bool:
    """Whether a text is meant as an address on the web."""
    return text.startswith(("http://", "https://"))


def web_address(text: str) -> str:
    """An address on the web, with what cannot stand in one escaped; empty for other texts."""
    return quote(text, safe="%/:=&?~#+!$,;'@()*[]", errors="replace") if is_web(text) else ""


def literal(value: Json) -> Json:
    """A JSON value that JSON-LD keeps as it is."""
    return {"@type": "@json", "@value": value}


def dumps(value: Json, indent: int | None = None) -> str:
    """JSON that UTF-8 can hold: halves of surrogate pairs become question marks."""
    return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "replace").decode()


def _annotation(annotation: Annotation, page: Page, prefix: str, source: str) -> dict[str, Json]:
    """One annotation; its id is kept where it is a IRI, and else becomes one."""
    identifier = (
        annotation.id
        if _ABSOLUTE.fullmatch(annotation.id)
        else prefix + quote(annotation.id, safe="", errors="replace")
    )
    body: list[Json] = [{"type": "TextualBody", "purpose": "tagging", "value": annotation.label}]
    motivation: Json = "tagging"
    if annotation.text is not None:
        body.append(
            {"type": "TextualBody", "purpose": "supplementing", "value": annotation.text, "format": "text/plain"}
        )
        # Mirador shows by default what is tagging, and not what is supplementing alone.
        motivation = ["supplementing", "tagging"]
    return {
        "id": identifier,
        "type": "Annotation",
        "motivation": motivation,
        "body": body,
        "target": target_of(annotation.shape, page, source),
        **_extras(annotation, page),
    }


def _extras(annotation: Annotation, page: Page) -> dict[str, Json]:
    extras: dict[str, Json] = {}
    if annotation.provenance is not None:
        extras["creator"] = _creator(annotation.provenance)
    extras["generator"] = {"type": "Software", "name": "Limner", "schema:softwareVersion": __version__}
    if annotation.score is not None:
        extras["limner:score"] = round(annotation.score, 5)
    if annotation.attributes:
        extras["limner:attributes"] = literal(dict(annotation.attributes))
    if isinstance(annotation.shape, Box) and not _is_whole(page.to_canvas(annotation.shape)):
        extras["limner:box"] = literal(shape_to_plain(annotation.shape)["box"])
    return extras


def _is_whole(box: Box) -> bool:
    return all(float(edge).is_integer() for edge in box.corners)


def _creator(provenance: Provenance) -> dict[str, Json]:
    if not isinstance(provenance, ByModel):
        return {"type": "Person", "name": provenance.name}
    creator: dict[str, Json] = {
        "type": "Software",
        "name": provenance.name,
        "schema:softwareVersion": provenance.version,
    }
    if provenance.weights:
        creator["limner:weights"] = provenance.weights
    if provenance.parameters:
        creator["limner:parameters"] = literal(dict(provenance.parameters))
    return creator


W3C = WebAnnotations()
