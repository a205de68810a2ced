"""What is painted on a canvas: annotations and their bodies, down to images.

Version 2 (``images``, ``resource``, ``on``) and version 3 (``items``, ``body``, ``target``) differ
in words more than in structure, and real manifests mix them: both words are understood everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from limner.annotations.annotation import Json
from limner.sources.iiif.findings import Findings
from limner.sources.iiif.image_api import ImageService, image_services, parse_request
from limner.sources.iiif.jsonld import Object, as_list, first, ident, is_object, kind, local_name, size, string, text
from limner.sources.iiif.regions import Region, has_fragment, parse_fragment, parse_region

#: How deep choices and specific resources inside each other are followed.
_NESTED = 4
#: A media fragment at the end of an address.
_MEDIA = re.compile(r"#(xywh|t)=.*$")
#: Types of bodies that are no images.
_NO_IMAGES = {
    "Sound", "Audio", "Video", "MovingImage", "Text", "TextualBody", "ContentAsText", "Document", "PhysicalObject",
    "Dataset", "Model", "Canvas", "Manifest", "AnnotationPage",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedImage:
    """An image on a canvas, as the manifest describes it."""

    #: The address of the image, as it stands in the manifest; it may be relative.
    resource: str
    #: Width of the image in pixels, as the manifest says; 0 while unknown.
    width: int = 0
    #: Height of the image in pixels, as the manifest says; 0 while unknown.
    height: int = 0
    #: Its image services, the newest version first.
    services: tuple[ImageService, ...] = ()
    #: The part of the image that is painted; None for all of it.
    region: Region | None = None
    #: Degrees clockwise that it is turned by before it is painted: 0, 90, 180 or 270.
    rotation: int = 0
    #: Whether it is mirrored left to right, before it is turned.
    mirrored: bool = False
    #: The part of the canvas that it covers; None for all of it.
    target: Region | None = None
    #: Whether it covers a part of the canvas that cannot be told as a rectangle.
    unplaced: bool = False
    #: What people call it.
    label: str = ""

    @property
    def service(self) -> ImageService | None:
        """The service to ask."""
        return self.services[0] if self.services else None


class UnusableError(Exception):
    """Something painted on a canvas cannot be used; the message says why."""

    def __init__(self, reason: str, *, image: bool = False) -> None:
        super().__init__(reason)
        #: Whether it is an image all the same, and so has a place in the numbering.
        self.image = image


#: What comes of one body: an image, or the reason why it cannot be used.
Outcome = PaintedImage | UnusableError


class PaintingReader:
    """Reads what is painted on one canvas."""

    def __init__(self, canvas: str, findings: Findings) -> None:
        self._canvas = canvas
        self._findings = findings

    def read(self, canvas: Object) -> Iterator[Outcome]:
        """Everything that a canvas has painted on it."""
        for annotation in self._annotations(canvas):
            if not is_object(annotation):
                yield UnusableError(f"its content is elsewhere and not embedded ({_short(annotation)})")
            elif self._is_painting(annotation):
                yield from self._bodies(annotation)

    def _annotations(self, canvas: Object) -> Iterator[Json]:
        """The annotations of a canvas, out of their pages if they are in pages."""
        for entry in as_list(first(canvas, "images", "items", "content")):
            if not is_object(entry) or not _is_page(entry):
                yield entry
            elif "items" in entry or "resources" in entry:
                yield from as_list(first(entry, "items", "resources"))
            else:
                yield ident(entry)

    def _is_painting(self, annotation: Object) -> bool:
        motivations = [local_name(string(entry)) for entry in as_list(annotation.get("motivation"))]
        if not any(motivations):
            self._mend("An annotation has no motivation, and is taken as painting")
        elif "painting" not in motivations:
            self._mend(f"An annotation among the images is not painted but meant for {motivations[0]}, and is left out")
            return False
        return True

    def _bodies(self, annotation: Object) -> Iterator[Outcome]:
        bodies = as_list(first(annotation, "body", "resource"))
        if not bodies and kind(annotation) == "Image":
            self._mend("An image stands on the canvas without an annotation")
            bodies = [annotation]
        if not bodies:
            yield UnusableError("a painting annotation has no body")
        for body in bodies:
            try:
                yield self._placed(self._image(body, _NESTED), first(annotation, "target", "on"))
            except UnusableError as reason:
                yield reason

    def _image(self, body: Json, depth: int) -> PaintedImage:
        """The image that a body is, or that it leads to; raises `UnusableError`."""
        if depth <= 0:
            raise UnusableError("its image is inside too many others")
        if not is_object(body):
            return self._bare(string(body))
        if kind(body) == "Choice" or (not kind(body) and "default" in body):
            return self._choice(body, depth)
        if kind(body) == "SpecificResource" or (not kind(body) and first(body, "full", "source")):
            return self._specific(body, depth)
        return self._plain(body)

    def _bare(self, address: str) -> PaintedImage:
        if not address or local_name(address) == "nil":
            raise UnusableError("nothing is painted on it")
        self._mend("An image is given by its address alone")
        return _with_fragment(PaintedImage(resource=address), address)

    def _choice(self, body: Object, depth: int) -> PaintedImage:
        """The first alternative that is an image."""
        offered = [entry for key in ("default", "item", "items") for entry in as_list(body.get(key))]
        reason = UnusableError("a choice offers nothing")
        for entry in offered:
            try:
                image = self._image(entry, depth - 1)
            except UnusableError as error:
                reason = error
            else:
                if len(offered) > 1:
                    self._mend(f"A choice of {len(offered)} images is offered, and the first is taken")
                return image
        raise reason

    def _specific(self, body: Object, depth: int) -> PaintedImage:
        """An image with selectors that say which part of it, and how it is turned."""
        image = self._image(first(body, "source", "full"), depth - 1)
        for key in ("styleClass", "style", "stylesheet"):
            if body.get(key):
                self._mend("An image has a style sheet, which is not applied")
                break
        return _selected(image, as_list(body.get("selector")))

    def _plain(self, body: Object) -> PaintedImage:
        _refuse_what_is_no_image(body)
        address = ident(body)
        services = image_services(body.get("service"), address)
        if not address and not services:
            raise UnusableError("its image has neither an address nor an image service", image=True)
        width, height = size(body)
        image = PaintedImage(
            resource=address or services[0].id,
            width=width,
            height=height,
            services=tuple(services),
            label=text(body.get("label")),
        )
        return _as_requested(_with_fragment(image, address))

    def _placed(self, image: PaintedImage, target: Json) -> PaintedImage:
        """The image with the part of the canvas that it covers."""
        for entry in as_list(target)[:1]:
            self._compare(ident(first(entry, "source", "full") or entry) if is_object(entry) else string(entry))
            region, unplaced = _target_region(entry)
            if unplaced:
                self._mend(
                    "An image covers a part of the canvas that is no rectangle, so it has no place on the canvas"
                )
            return replace(image, target=region, unplaced=unplaced)
        return image

    def _compare(self, target: str) -> None:
        """Report a target that is another canvas."""
        if target != self._canvas:
            target = _MEDIA.sub("", target)
        if target and self._canvas and target != self._canvas:
            self._mend("An image names another canvas as its target than the one it stands on, which is taken")

    def _mend(self, problem: str) -> None:
        self._findings.mend(problem, self._canvas)


def _short(value: Json) -> str:
    return ident(value)[:200] or "without an address"


def _is_page(entry: Object) -> bool:
    """Whether an entry of a canvas is a page of annotations, not an annotation itself."""
    if kind(entry) in {"AnnotationPage", "AnnotationList"}:
        return True
    return not first(entry, "body", "resource") and ("items" in entry or "resources" in entry)


def _refuse_what_is_no_image(body: Object) -> None:
    """Raises `UnusableError` when the type or the format say that a body is no image."""
    name, media = kind(body), string(body.get("format")).lower()
    if name in _NO_IMAGES:
        raise UnusableError(f"a {name} is painted on it, not an image")
    if media and not media.startswith(("image/", "application/octet-stream")) and "/" in media:
        raise UnusableError(f"a file of type {media} is painted on it, not an image")
    if local_name(ident(body)) == "nil":
        raise UnusableError("nothing is painted on it")


def _with_fragment(image: PaintedImage, address: str) -> PaintedImage:
    """The image with the part that its address names."""
    region = parse_fragment(address)
    return replace(image, region=region) if region else image


def _as_requested(image: PaintedImage) -> PaintedImage:
    """The image with what its address says, where that is a request to its own service.

    A manifest can name ``…/140,870,1800,1778/full/180/default.jpg`` and mean that part, turned.
    The size that goes with ``…/full/!1024,1024/…`` is often that of the small image: then the size
    of the original is not known.
    """
    asked = parse_request(image.resource)
    if asked is None or asked.service not in {service.id for service in image.services}:
        return image
    region, turned = parse_region(asked.region), _turned(image, asked.rotation)
    width, height = turned.width, turned.height
    if region or (asked.derived and _can_be(asked.size, width, height)):
        width = height = 0
    if turned.rotation % 180:
        width, height = height, width
    return replace(turned, width=width, height=height, region=region or image.region)


def _can_be(requested: str, width: int, height: int) -> bool:
    """Whether an image of this size can be the answer to a request for such a size."""
    confined = requested.startswith("!")
    w, _, h = requested.lstrip("!^").partition(",")
    pairs = [(int(asked), given) for asked, given in ((w, width), (h, height)) if asked.isdecimal() and len(asked) < 9]
    return all(given <= asked if confined else abs(given - asked) <= 1 for asked, given in pairs)


def _turned(image: PaintedImage, words: str) -> PaintedImage:
    """The image turned by the rotation of an image request; raises `UnusableError`."""
    mirrored, words = words.startswith("!"), words.removeprefix("!")
    try:
        degrees = float(words)
    except ValueError:
        degrees = -1.0
    if degrees % 90 or not 0 <= degrees <= 360:
        raise UnusableError(f"its image is turned by {words[:20]} degrees, which cannot be placed", image=True)
    return replace(image, rotation=int(degrees) % 360, mirrored=mirrored)


def _selected(image: PaintedImage, selectors: list[Json]) -> PaintedImage:
    """The image with its selectors applied; raises `UnusableError` when none of them can be."""
    reason, applied = None, image
    for selector in selectors:
        try:
            applied = _by_selector(applied, selector)
        except UnusableError as error:
            reason = error
    if reason and applied is image:
        raise reason
    return applied


def _by_selector(image: PaintedImage, selector: Json) -> PaintedImage:
    """The image with one selector applied; raises `UnusableError` for one that names no rectangle."""
    if is_object(selector) and selector.get("refinedBy"):
        raise UnusableError("a part of a part of an image is painted, which cannot be read", image=True)
    if is_object(selector) and kind(selector) == "ImageApiSelector":
        return _by_image_api(image, selector)
    region = parse_fragment(string(selector.get("value") if is_object(selector) else selector))
    if region is None:
        name = kind(selector) or "selector that cannot be read"
        raise UnusableError(f"a part of an image is painted that is given by a {name}", image=True)
    return replace(image, region=region)


def _by_image_api(image: PaintedImage, selector: Object) -> PaintedImage:
    turned = _turned(image, string(selector.get("rotation")) or "0")
    words = string(selector.get("region")) or "full"
    if words == "full":
        return turned
    if words == "square":
        return replace(turned, region=_square(image))
    if not (region := parse_region(words)):
        raise UnusableError(f"a part of an image is painted that cannot be read: {words[:40]}", image=True)
    return replace(turned, region=region)


def _square(image: PaintedImage) -> Region:
    """The square in the middle; raises `UnusableError` where the size is unknown."""
    service = image.service
    width, height = (service.width, service.height) if service and service.width else (image.width, image.height)
    if not (width and height):
        raise UnusableError("the square part of an image of unknown size is painted", image=True)
    side = min(width, height)
    return Region((width - side) // 2, (height - side) // 2, side, side)


def _target_region(target: Json) -> tuple[Region | None, bool]:
    """The part of the canvas that a target names, and whether there is one that is no rectangle."""
    if not is_object(target):
        address = string(target)
        region = parse_fragment(address)
        return region, region is None and has_fragment(address)
    found = parse_fragment(ident(first(target, "source", "full") or target))
    selectors = as_list(target.get("selector"))
    for selector in selectors:
        words = string(selector.get("value")) if is_object(selector) else string(selector)
        found = parse_fragment(words) or found
    return found, found is None and bool(selectors)
