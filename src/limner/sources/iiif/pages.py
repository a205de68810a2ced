"""From a manifest to pages: names, sizes, and places on the canvas."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from limner.annotations.page import Canvas, Page
from limner.sources.iiif.findings import Findings
from limner.sources.iiif.image_api import ImageService, parse_request
from limner.sources.iiif.origin import Origin
from limner.sources.iiif.painting import PaintedImage
from limner.sources.iiif.presentation import Manifest, ManifestCanvas
from limner.sources.naming import unique_names

#: Width and height in pixels.
Size = tuple[int, int]

_SUFFIX = re.compile(r"\.(jpe?g|jp2|jpx|j2k|jpf|png|gif|webp|p?tiff?|bmp|avif|heic)$", re.IGNORECASE)
#: Segments that say nothing of the image.
_GENERIC = re.compile(r"(image|img|default|native|full|master|canvas|body|painting)?", re.IGNORECASE)
#: Lists of names are written with spaces between the entries.
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class ImagePage:
    """A page, with what is needed to fetch its image."""

    page: Page
    image: PaintedImage
    #: The canvas; None for the image of an ``info.json``.
    canvas: ManifestCanvas | None = None


def manifest_pages(manifest: Manifest, origin: Origin, findings: Findings) -> list[ImagePage]:
    """The pages of a manifest, in order; what cannot be used is added to the findings."""
    usable = list(_usable(manifest, origin, findings))
    names = page_names([image for _, _, image, _ in usable])
    return [
        ImagePage(_page(canvas, index, number, image, name), image, canvas)
        for (canvas, index, image, number), name in zip(usable, names, strict=True)
    ]


def service_page(service: ImageService) -> ImagePage:
    """The only page of an image service."""
    image = PaintedImage(resource="", services=(service,))
    identity = _short_hash(service.id)
    width, height = image_size(image, full_size(image))
    page = Page(id=identity, name=page_names([image])[0], index=0, width=width, height=height, source=service.id)
    return ImagePage(page, image)


def full_size(image: PaintedImage) -> Size:
    """Width and height of the whole image that is painted or of which a part is; 0 while unknown."""
    service = image.service
    return (service.width, service.height) if service and service.width else (image.width, image.height)


def part_size(image: PaintedImage, full: Size) -> Size:
    """Width and height of what is painted of an image of some size, before it is turned; 0 while unknown."""
    if image.region is None:
        return full
    if all(full):
        clipped = image.region.clipped(*full)
        return (clipped[2], clipped[3]) if clipped else (0, 0)
    return (0, 0) if image.region.percent else (round(image.region.width), round(image.region.height))


def turned_size(image: PaintedImage, size: Size) -> Size:
    """A size as it is after the image is turned."""
    return (size[1], size[0]) if image.rotation % 180 else size


def image_size(image: PaintedImage, full: Size) -> Size:
    """Width and height of the page that an image of some size makes; 0 and 0 while unknown."""
    return turned_size(image, part_size(image, full))


def with_size(found: ImagePage, size: Size) -> Page:
    """The page with its size, and with its place on the canvas reckoned again."""
    canvas = _canvas(found.canvas, found.image, size) if found.canvas else None
    return replace(found.page, width=size[0], height=size[1], canvas=canvas)


def _usable(
    manifest: Manifest, origin: Origin, findings: Findings
) -> Iterator[tuple[ManifestCanvas, int, PaintedImage, int]]:
    """Canvas, index, image and number of the image on canvases of that id."""
    counts: dict[str, int] = {}
    for canvas in manifest.canvases:
        for place in canvas.places:
            number = counts[canvas.id] = counts.get(canvas.id, 0) + 1
            if place.image is None:
                continue
            image = _located(place.image, origin, canvas.id, findings)
            if reason := _outside(image):
                findings.skip(canvas.id, reason)
                continue
            if not canvas.width:
                findings.mend("A canvas has no size, and takes that of its image", canvas.id)
            yield canvas, place.index, image, number


def _located(image: PaintedImage, origin: Origin, canvas: str, findings: Findings) -> PaintedImage:
    """The image with relative addresses resolved, where they lead to the network."""
    services = tuple(replace(service, id=origin.join(service.id)) for service in image.services)
    if dropped := [service for service in services if not _is_absolute(service.id)]:
        findings.mend("An image service has an address without a host, and is not used", canvas)
        services = tuple(service for service in services if service not in dropped)
    resource = origin.join(image.resource)
    if resource != image.resource:
        findings.mend("An image has a relative address", canvas)
    return replace(image, resource=resource, services=services)


def _is_absolute(address: str) -> bool:
    try:
        return bool(urlsplit(address).netloc)
    except ValueError:
        return False


def _outside(image: PaintedImage) -> str:
    """Why the part that is painted cannot be had; nothing when it can."""
    full = full_size(image)
    if image.region and all(full) and not image.region.clipped(*full):
        return "The part of the image that is painted lies outside of the image."
    return ""


def _page(canvas: ManifestCanvas, index: int, number: int, image: PaintedImage, name: str) -> Page:
    size = image_size(image, full_size(image))
    several = len(canvas.places) > 1
    label = " · ".join(filter(None, (canvas.label, image.label if several else "")))
    return Page(
        id=_short_hash(f"{canvas.id}\n{number}"),
        name=name,
        index=index,
        width=size[0],
        height=size[1],
        source=image.resource,
        label=label or None,
        canvas=_canvas(canvas, image, size),
    )


def _canvas(canvas: ManifestCanvas, image: PaintedImage, size: Size) -> Canvas | None:
    """The canvas with the place of the image; None while that cannot be told."""
    if image.unplaced:
        return None
    if not canvas.width:  # units of a canvas without a size are taken to be the pixels of its image
        return Canvas(canvas.id, *size) if all(size) else None
    target = image.target.box(canvas.width, canvas.height) if image.target else None
    return Canvas(canvas.id, canvas.width, canvas.height, target)


def _short_hash(text: str) -> str:
    """A short name that stays the same from run to run."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def page_names(images: Sequence[PaintedImage]) -> list[str]:
    """A file name for each image, each only once.

    The last segment of the image's address that says something; the one before it is added where
    that alone would not tell the images apart, and a number where that does not either.
    """
    return unique_names([_SPACE.sub("_", "/".join(_segments(image)[-2:]) + _suffix(image)) for image in images])


def _segments(image: PaintedImage) -> list[str]:
    """The segments of the image's address that say something, unquoted, without the image suffix."""
    address = image.service.id if image.service else image.resource
    if image.service is None and (request := parse_request(address)):
        address = request.service
    try:
        path = urlsplit(address).path
    except ValueError:
        path = address
    # An identifier may itself be a path, quoted: it counts as the segments it has
    parts = [_SUFFIX.sub("", part) for part in unquote(unquote(path)).split("/")]
    return [part for part in parts if not _GENERIC.fullmatch(part)] or ["image"]


def _suffix(image: PaintedImage) -> str:
    """``.jpg`` for what an image server makes, the file's own for a plain file."""
    if image.service is None and parse_request(image.resource) is None:
        found = _SUFFIX.search(unquote(image.resource.partition("?")[0].partition("#")[0]))
        return found[0].lower() if found else ".jpg"
    return ".jpg"
