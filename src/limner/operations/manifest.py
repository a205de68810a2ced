"""Look into a manifest before annotating it: what is in it, what cannot be used, how long it will take."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from limner.annotations.annotation import Json
from limner.core.settings import Settings
from limner.sources.iiif.findings import Findings
from limner.sources.iiif.image_api import ImageService
from limner.sources.iiif.image_requests import Part, can_ask, exact_requests, sized
from limner.sources.iiif.load import Loaded, Missing, load, walk
from limner.sources.iiif.pages import ImagePage, full_size, manifest_pages, part_size, service_page
from limner.sources.iiif.presentation import Collection, Manifest
from limner.sources.protocol import Skipped, SourceContext

#: Members of a collection that are looked at.
MOST_MEMBERS = 50

# Assumptions of the estimate; what real libraries do, not what they could do.
#: Seconds from a request to the first byte, with the work of an image server.
_ANSWER = 0.5
#: Bytes a second from one host.
_SPEED = 2_000_000
#: Bytes of a JPEG for a pixel.
_BYTES_PER_PIXEL = 0.3
#: Width and height of an image of which nothing is known.
_USUAL = (3000, 4000)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the images, as far as they are announced."""

    #: The smallest and the largest by pixels, width and height; None when none is known.
    smallest: tuple[int, int] | None
    largest: tuple[int, int] | None
    #: How many images have a size that is not announced.
    unknown: int

    def to_plain(self) -> dict[str, Json]:
        """The same as JSON."""
        return {
            "smallest": [*self.smallest] if self.smallest else None,
            "largest": [*self.largest] if self.largest else None,
            "unknown": self.unknown,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestReport:
    """What is in a manifest, a collection, or the description of an image."""

    #: ``Manifest``, ``Collection`` or ``Image``.
    type: str
    #: Version of the Presentation API, or of the Image API for an image; ``?`` where it cannot be told.
    version: str
    title: str
    #: Address of the licence or statement of rights.
    rights: str | None
    #: Manifests that were read: 1 unless it is a collection.
    manifests: int
    canvases: int
    #: Images that can be annotated.
    images: int
    sizes: Sizes
    #: What cannot be used, and why.
    skipped: tuple[Skipped, ...]
    #: What was mended.
    problems: tuple[str, ...]
    #: Seconds that it will take to fetch all images, and to annotate them when it was said how long one takes.
    estimate_seconds: float

    @property
    def usable(self) -> bool:
        """Whether anything can be annotated."""
        return self.images > 0

    def to_plain(self) -> dict[str, Json]:
        """The same as JSON."""
        members: dict[str, Json] = {"manifests": self.manifests} if self.type == "Collection" else {}
        return {
            "type": self.type,
            "version": self.version,
            "title": self.title,
            "rights": self.rights,
            **members,
            "canvases": self.canvases,
            "images": self.images,
            "sizes": self.sizes.to_plain(),
            "skipped": [{"canvas": entry.where, "reason": entry.reason} for entry in self.skipped],
            "problems": [*self.problems],
            "estimate_seconds": self.estimate_seconds,
        }


async def check_manifest(
    spec: str, context: SourceContext, *, seconds_per_page: float | None = None, wanted_side: int | None = None
) -> ManifestReport:
    """Look into what is behind a path or address; only descriptions are fetched, no images.

    ``wanted_side`` is the length in pixels that the model needs of an image's longer side, None for
    full size; ``seconds_per_page`` what it takes for a page. Of a collection the first `MOST_MEMBERS`
    members are looked at. Raises `NotIIIFError` when it is no IIIF, or another `SourceError`.
    """
    loaded = await load(spec, context)
    tally = _Tally()
    async with aclosing(walk(loaded, context, most=MOST_MEMBERS, patient=False)) as found:
        async for entry in found:
            tally.add(entry)
    estimate = _estimate(tally.pages, wanted_side, seconds_per_page, context.settings)
    return _report(loaded, tally, estimate)


@dataclass(slots=True)
class _Tally:
    """What was found so far."""

    manifests: int = 0
    canvases: int = 0
    pages: list[ImagePage] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, entry: Loaded | Missing) -> None:
        if isinstance(entry, Missing):
            self.skipped.append(Skipped(entry.id, entry.reason))
            return
        match entry.content:
            case Manifest() as manifest:
                self._add_manifest(manifest, entry)
            case Collection() as collection:
                self.skipped += collection.skipped
                self.problems += collection.problems
            case ImageService() as service:
                self.pages.append(service_page(service))

    def _add_manifest(self, manifest: Manifest, entry: Loaded) -> None:
        findings = Findings()
        self.pages += manifest_pages(manifest, entry.origin, findings)
        self.manifests += 1
        self.canvases += len(manifest.canvases)
        self.skipped += [*manifest.skipped, *findings.skipped]
        self.problems += [*manifest.problems, *findings.problems]


def _report(loaded: Loaded, tally: _Tally, estimate: float) -> ManifestReport:
    content = loaded.content
    if isinstance(content, ImageService):
        kind, title, rights = "Image", content.id, content.rights or None
    else:
        kind, title, rights = type(content).__name__, content.title, content.rights
    return ManifestReport(
        type=kind,
        version=str(content.version or "?"),
        title=title,
        rights=rights,
        manifests=tally.manifests,
        canvases=tally.canvases,
        images=len(tally.pages),
        sizes=_sizes(tally.pages),
        skipped=tuple(tally.skipped),
        problems=tuple(tally.problems),
        estimate_seconds=estimate,
    )


def _sizes(pages: Iterable[ImagePage]) -> Sizes:
    every = [(found.page.width, found.page.height) for found in pages]
    known = [size for size in every if all(size)]
    return Sizes(
        min(known, key=math.prod, default=None), max(known, key=math.prod, default=None), len(every) - len(known)
    )


@dataclass(slots=True)
class _Host:
    """What will be asked of one host."""

    #: Full images, which some hosts want to be asked for slowly.
    full: int = 0
    #: Seconds that all answers take together.
    seconds: float = 0.0

    def needed(self, name: str, settings: Settings) -> float:
        """Seconds until the host has given everything."""
        spaced = max(0, self.full - 1) * settings.host_delays.get(name, 0.0)
        return max(spaced, self.seconds / settings.host_concurrency)


def _estimate(
    pages: list[ImagePage], wanted_side: int | None, seconds_per_page: float | None, settings: Settings
) -> float:
    """Seconds for all pages. Hosts are asked side by side, and the model works while images arrive."""
    if not pages:
        return 0.0
    hosts: defaultdict[str, _Host] = defaultdict(_Host)
    for found in pages:
        _add_page(hosts, found, wanted_side)
    download = max(host.needed(name, settings) for name, host in hosts.items())
    model = len(pages) * (seconds_per_page or 0.0)
    lead = min(download, model) / len(pages)  # the first page is fetched before, or the last annotated after
    return round(max(download, model) + lead, 1)


def _add_page(hosts: defaultdict[str, _Host], found: ImagePage, wanted_side: int | None) -> None:
    """Count what one page asks of its host."""
    image, full = found.image, full_size(found.image)
    if image.service is None:
        host = hosts[_host(image.resource)]
        host.full += 1
        host.seconds += _seconds(full, None)
        return
    service, part = sized(image.service, full), Part(image.region, wanted_side)
    host = hosts[_host(service.id)]
    if not can_ask(service, part):
        host.seconds += _ANSWER  # for the info.json
        service = sized(service, _USUAL)
    requests = exact_requests(service, part)
    host.full += requests[0].full
    host.seconds += _seconds(part_size(image, (service.width, service.height)), wanted_side)


def _seconds(size: tuple[int, int], wanted_side: int | None) -> float:
    """Seconds for one image."""
    width, height = size if all(size) else _USUAL
    scale = min(1.0, wanted_side / max(width, height)) if wanted_side else 1.0
    return _ANSWER + width * height * scale**2 * _BYTES_PER_PIXEL / _SPEED


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""
