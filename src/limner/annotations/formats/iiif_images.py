"""The images of a manifest as bodies of Presentation 3 annotations, with the services that viewers zoom by."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from limner.annotations.annotation import Json
from limner.annotations.formats.iiif_properties import Object, language_map, media_format
from limner.annotations.formats.selectors import plain_types
from limner.annotations.formats.w3c import is_web, web_address
from limner.annotations.formats.w3c_manifests import first_choice, listed
from limner.annotations.page import Page

_IMAGE_1 = re.compile(r"image-api|image/1|/1\.[01]/")
#: Longer side of thumbnails, pixels.
_THUMBNAIL = 256


@dataclass(slots=True)
class Images:
    """The canvases of a manifest, by their ids."""

    canvases: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    #: What the sources of pages begin with that are image services (version 3, level 2); empty where none are.
    services: str = ""

    @classmethod
    def of(cls, manifest: Mapping[str, Json], services: str = "") -> Images:
        """Those of a manifest of Presentation 2 or 3."""
        sequences = [each for each in listed(manifest.get("sequences")) if isinstance(each, dict)]
        older = [canvas for sequence in sequences[:1] for canvas in listed(sequence.get("canvases"))]
        canvases = (each for each in older or listed(manifest.get("items")) if isinstance(each, dict))
        return cls({_identifier(canvas): canvas for canvas in canvases}, services)

    def label(self, canvas: str) -> Object:
        """The label of a canvas; empty where there is none."""
        return language_map(self.canvases.get(canvas, {}).get("label"))

    def body(self, page: Page) -> Object:
        """The image of a page: as its manifest gives it, or made from its address."""
        if self._served(page):
            return _of_service(page)
        bodies = list(_bodies(self.canvases.get(page.canvas.id if page.canvas else "", {})))
        for body in bodies:
            if page.source in set(_names(body)) and is_web(_identifier(first_choice(body))):
                return _newer(body)
        return _made(page)

    def thumbnail(self, page: Page) -> list[Json]:
        """A small image of a page, where it has an image service of ours and a size."""
        if not self._served(page) or not page.sized:
            return []
        scale = min(1.0, _THUMBNAIL / max(page.width, page.height))
        width, height = (max(1, round(side * scale)) for side in (page.width, page.height))
        address = f"{page.source}/full/{width},{height}/0/default.jpg"
        return [{"id": address, "type": "Image", "format": "image/jpeg", "width": width, "height": height}]

    def _served(self, page: Page) -> bool:
        return bool(self.services) and page.source.startswith(self.services)


def _of_service(page: Page) -> Object:
    """An image whose source is an image service."""
    service: Json = {"id": page.source, "type": "ImageService3", "profile": "level2"}
    body: Object = {"id": f"{page.source}/full/max/0/default.jpg", "type": "Image", "format": "image/jpeg"}
    body |= {"width": page.width, "height": page.height} if page.sized else {}
    return {**body, "service": [service]}


def _bodies(canvas: Mapping[str, Json]) -> Iterator[Object]:
    """The bodies of the paintings on a canvas."""
    pages = [page for page in listed(canvas.get("items")) if isinstance(page, dict)]
    newer = [painting for page in pages for painting in listed(page.get("items"))]
    for painting in newer or listed(canvas.get("images")):
        body = painting.get("body", painting.get("resource")) if isinstance(painting, dict) else None
        yield from (each for each in listed(body)[:1] if isinstance(each, dict))


def _names(body: Object) -> Iterator[str]:
    """What a page's source may be: the address of the image or of its service."""
    image = first_choice(body)
    yield _identifier(image)
    for service in listed(image.get("service")):
        if isinstance(service, dict):
            yield _identifier(service)


def _newer(body: Object) -> Object:
    """A body of Presentation 2 or 3 in the form of 3."""
    kinds = plain_types(body)
    if "Choice" in kinds:
        choices = [*listed(body.get("items")), *listed(body.get("default")), *listed(body.get("item"))]
        return {"type": "Choice", "items": [_newer(each) for each in choices if isinstance(each, dict)]}
    if "SpecificResource" in kinds:
        source = first_choice(body.get("source", body.get("full")))
        return {"type": "SpecificResource", "source": _image(source), "selector": _selector(body.get("selector"))}
    return _image(body)


def _image(image: Mapping[str, Json]) -> Object:
    found: Object = {"id": web_address(_identifier(image)) or _identifier(image), "type": "Image"}
    found |= {key: image[key] for key in ("width", "height") if isinstance(image.get(key), int)}
    found |= media_format(image)
    services = [_service(each) for each in listed(image.get("service")) if isinstance(each, dict) and _identifier(each)]
    return found | ({"service": list[Json](services)} if services else {})


def _selector(value: Json) -> Json:
    """The part of an image: the selector of Presentation 2 has the same properties under another name."""
    if not isinstance(value, dict):
        return value
    kept: Object = {key: each for key, each in value.items() if not key.startswith("@")}
    return {**kept, "type": next(iter(plain_types(value)), "ImageApiSelector")}


def _service(service: Mapping[str, Json]) -> Object:
    """A service; those without a type get the one that their context or profile tells."""
    profile = next((each for each in listed(service.get("profile")) if isinstance(each, str)), "")
    if isinstance(service.get("type"), str) and "id" in service:
        return {**service, "profile": profile} if profile else dict(service)
    kind = service.get("@type", service.get("type"))
    said = f"{service.get('@context', '')} {profile}"
    found: Object = {"@id": _identifier(service), "@type": kind if isinstance(kind, str) else _service_type(said)}
    found |= {"profile": profile} if profile else {}
    found |= {key: service[key] for key in ("width", "height", "sizes", "tiles") if key in service}
    nested = [_service(each) for each in listed(service.get("service")) if isinstance(each, dict)]
    return found | ({"service": list[Json](nested)} if nested else {})


def _service_type(said: str) -> str:
    if "auth" in said:
        return next(
            (f"Auth{name}Service1" for name in ("Token", "Logout") if name.lower() in said), "AuthCookieService1"
        )
    if "image" not in said:
        return "Service"
    return "ImageService1" if _IMAGE_1.search(said) else "ImageService2"


def _made(page: Page) -> Object:
    """An image that no manifest describes; its name stands for its address where it has none."""
    kind, _ = mimetypes.guess_type(page.name)
    body: Object = {"id": web_address(page.source) or quote(page.name, errors="replace"), "type": "Image"}
    body |= {"format": kind} if kind and kind.startswith("image/") else {}
    return body | ({"width": page.width, "height": page.height} if page.sized else {})


def _identifier(value: Mapping[str, Json]) -> str:
    identifier = value.get("id", value.get("@id"))
    return identifier if isinstance(identifier, str) else ""
