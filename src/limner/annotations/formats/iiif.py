"""A IIIF Presentation 3 manifest with everything that was found, one AnnotationPage for each image.

Pages of one canvas follow each other and are painted onto it together. The document's metadata may hold

- ``manifest``, the manifest that it came from, as JSON: label, description, rights and images are taken from it;
- ``base``, the address that the output will be published at: ids, and images that have no address of
  their own, begin with it; without one, with ``https://limner.invalid/…``, to be replaced;
- ``image_services``, an address: pages whose source begins with it have an image service of level 2 there;
- ``rendering``, a list of ``{"id", "label", "format"}``: files that belong to each page (``{page}`` in the
  id stands for its name without suffix, ``{index}`` for its position from 0), such as ALTO, or to the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar
from urllib.parse import quote

from limner.annotations.annotation import Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.iiif_images import Images
from limner.annotations.formats.iiif_properties import Object, language_map, properties_of, rights_pair, rights_uri
from limner.annotations.formats.naming import page_stem
from limner.annotations.formats.protocol import Feature, OutputFile
from limner.annotations.formats.selectors import fragment_of
from limner.annotations.formats.w3c import annotation_page, base_url, dumps, is_web, web_address
from limner.annotations.formats.w3c_manifests import listed
from limner.annotations.page import Page

CONTEXT = "http://iiif.io/api/presentation/3/context.json"
#: Width and height of the canvas of an image that could not be had: a canvas has to have a size.
_UNKNOWN = 1000


class AnnotatedManifest:
    """One JSON file a document; masks become their outlines."""

    name = "iiif"
    title = "IIIF manifest"
    media_type = 'application/ld+json;profile="http://iiif.io/api/presentation/3/context.json"'
    per_page = False
    holds: ClassVar[frozenset[Feature]] = frozenset(Feature) - {Feature.MASK}

    def render(self, document: Document) -> Iterator[OutputFile]:
        """One file; canvases are made while it is written."""
        yield OutputFile("manifest.json", _chunks(document))


def _chunks(document: Document) -> Iterator[str]:
    manifest = document.metadata.get("manifest")
    raw = manifest if isinstance(manifest, dict) else {}
    services = document.metadata.get("image_services")
    writer = _Writer(document, base_url(document), Images.of(raw, services if isinstance(services, str) else ""))
    yield dumps(writer.head(raw), indent=1).removesuffix("\n}")
    yield ',\n "items": ['
    groups = groupby(enumerate(document.pages), key=lambda each: _canvas_key(each[1].page, each[0]))
    for at, (_, group) in enumerate(groups):
        yield (",\n  " if at else "\n  ") + dumps(writer.canvas([annotated for _, annotated in group]))
    yield "\n ]\n}\n"


def _canvas_key(page: Page, position: int) -> tuple[str, int]:
    return (page.canvas.id, 0) if page.canvas else ("", position)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Makes the parts of one manifest."""

    document: Document
    base: str
    images: Images

    def head(self, raw: Mapping[str, Json]) -> Object:
        """Everything but the canvases."""
        has_base = isinstance(self.document.metadata.get("base"), str)
        own = "" if has_base else web_address(self.document.id)
        own = own or f"{self.base}/manifest.json"
        properties = properties_of(raw)
        if not properties.get("rights") and self.document.rights:
            self._add_rights(properties, self.document.rights)
        links = [*listed(properties.pop("rendering", None)), *self._renderings(None)]
        return {
            "@context": CONTEXT,
            "id": own,
            "type": "Manifest",
            "label": language_map(raw.get("label")) or language_map(self.document.title) or {"none": [own]},
            **properties,
            **({"rendering": links} if links else {}),
        }

    def _add_rights(self, properties: Object, rights: str) -> None:
        uri, pair = rights_uri(rights), rights_pair(rights)
        metadata = listed(properties.get("metadata"))
        if uri:
            properties["rights"] = uri
        elif pair not in metadata:
            properties["metadata"] = [*metadata, pair]

    def canvas(self, annotated: list[AnnotatedPage]) -> Object:
        """The canvas of one image, or of several that are painted onto the same."""
        page = annotated[0].page
        identifier = page.canvas.id if page.canvas else f"{self.base}/canvas/{quote(page_stem(page))}"
        width, height = _size(page)
        links, thumbnail = self._renderings(page), self.images.thumbnail(page)
        return {
            "id": identifier,
            "type": "Canvas",
            "label": self.images.label(identifier) or language_map(page.label) or language_map(page.name),
            "width": width,
            "height": height,
            **({"thumbnail": thumbnail} if thumbnail else {}),
            **({"rendering": links} if links else {}),
            "items": [self._painted(identifier, (each.page for each in annotated))],
            "annotations": [
                annotation_page(each, f"{self.base}/annotations/{quote(page_stem(each.page))}", identifier)
                for each in annotated
            ],
        }

    def _painted(self, canvas: str, pages: Iterable[Page]) -> Object:
        paintings: list[Json] = []
        page_id = ""
        for page in pages:
            identifier = f"{self.base}/painting/{quote(page_stem(page))}"
            page_id = page_id or f"{identifier}/page"
            paintings.append(
                {
                    "id": identifier,
                    "type": "Annotation",
                    "motivation": "painting",
                    "body": self._body(page),
                    "target": _painting_target(page, canvas),
                }
            )
        return {"id": page_id, "type": "AnnotationPage", "items": paintings}

    def _body(self, page: Page) -> Object:
        body = self.images.body(page)
        address = body.get("id")
        if isinstance(address, str) and not is_web(address):
            body["id"] = f"{self.base}/{address}"
        return body

    def _renderings(self, page: Page | None) -> list[Json]:
        """The files that belong to a page, or for None to the whole document."""
        links: list[Json] = []
        for each in listed(self.document.metadata.get("rendering")):
            match each:
                case {"id": str(address), "label": str(label), **others} if _is_of_page(address) == (page is not None):
                    named = _named(address, page) if page else address
                    form = others.get("format")
                    links.append(
                        {
                            "id": named if is_web(named) else f"{self.base}/{named}",
                            "type": "Text",
                            "label": {"none": [label]},
                            **({"format": form} if isinstance(form, str) else {}),
                        }
                    )
        return links


def _is_of_page(address: str) -> bool:
    return "{page}" in address or "{index}" in address


def _named(address: str, page: Page) -> str:
    return address.replace("{page}", quote(page_stem(page))).replace("{index}", str(page.index))


def _size(page: Page) -> tuple[int, int]:
    if page.canvas:
        return max(1, round(page.canvas.width)), max(1, round(page.canvas.height))
    return (page.width, page.height) if page.sized else (_UNKNOWN, _UNKNOWN)


def _painting_target(page: Page, canvas: str) -> str:
    if page.canvas is None or page.canvas.target is None:
        return canvas
    return f"{canvas}#{fragment_of(page.canvas.target)}"


IIIF = AnnotatedManifest()
