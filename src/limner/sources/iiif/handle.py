"""Pages of a manifest that wait to be fetched, and how their images are asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from limner.core.errors import FetchError, NotIIIFError, SourceError, StatusError, TooLargeError
from limner.sources.iiif.image_api import ImageService, described, parse_info, parse_request
from limner.sources.iiif.image_requests import (
    ImageRequest,
    Part,
    can_ask,
    exact_requests,
    full_request,
    sized,
    smaller_requests,
)
from limner.sources.iiif.jsonld import canonical_url
from limner.sources.iiif.load import fetch_json
from limner.sources.iiif.origin import Origin
from limner.sources.iiif.pages import ImagePage, Size, full_size, image_size, with_size
from limner.sources.iiif.painting import PaintedImage
from limner.sources.iiif.picture import FetchedImage
from limner.sources.iiif.regions import parse_region
from limner.sources.net.downloader import Kind
from limner.sources.protocol import SourceContext, Want

#: Statuses by which a host asks to be left alone: nothing else is asked of it then.
_LEAVE_ALONE = {429, 503}


class IIIFPage:
    """A page of a manifest that has not been fetched.

    ``page`` gets its size, and its place on a canvas without one, when these become known: at the
    latest when its image is decoded.
    """

    def __init__(self, found: ImagePage, origin: Origin, context: SourceContext) -> None:
        self.page = found.page
        self._found = found
        self._origin = origin
        self._context = context

    async def fetch(self, want: Want) -> FetchedImage:
        """Get the image as large as the model needs it, or as large as the server gives it.

        In this order, each address at most once: what the manifest tells; what the ``info.json``
        tells; smaller; the address of the image as it stands; the image at full size. Raises the
        error of a host that blocks or wants to be left alone at once, otherwise a `FetchError` that
        lists what was tried.
        """
        return await _Search(self._found, self._origin, self._context, self._learn).fetch(want)

    def _learn(self, size: Size) -> None:
        if (self.page.width, self.page.height) != size:
            self.page = with_size(self._found, size)


class _Search:
    """The search for one image that a server is willing to give."""

    def __init__(self, found: ImagePage, origin: Origin, context: SourceContext, learn: Callable[[Size], None]) -> None:
        self._image = found.image
        self._name = found.page.name
        self._origin = origin
        self._context = context
        self._learn = learn
        #: The size of the whole image, from the manifest or the service; 0 while unknown.
        self._full = full_size(found.image)
        #: The addresses asked so far, each with what came of it.
        self._tried: dict[str, str] = {}

    async def fetch(self, want: Want) -> FetchedImage:
        location = self._origin.locate(self._image.resource) if self._image.service is None else ""
        if isinstance(location, Path):
            return self._arrived(location, cut=False)
        async with aclosing(self._requests(location, want)) as requests:
            async for request in requests:
                if request.url not in self._tried and (arrived := await self._try(request)):
                    return arrived
        tried = "; ".join(f"{url}: {outcome}" for url, outcome in self._tried.items())
        raise FetchError(f"{self._name} could not be had in any size. Tried: {tried}.")

    async def _requests(self, location: str, want: Want) -> AsyncGenerator[ImageRequest]:
        """What to ask for, best first; the service is only asked about itself when that is needed."""
        service = self._image.service
        if service is None:
            yield ImageRequest(location, full=True)
            return
        service, part = sized(service, self._full), Part(self._image.region, want.max_side)
        if known := can_ask(service, part):
            for request in exact_requests(service, part):
                yield request
        service = await self._asked(service)
        for request in exact_requests(service, part) if known or service.version else []:
            yield request
        for request in [*smaller_requests(service, part), *_as_it_stands(self._image), full_request(service)]:
            yield request

    async def _asked(self, service: ImageService) -> ImageService:
        """The service with what its ``info.json`` says, or as it was when there is none to be had."""
        try:
            value = await fetch_json(service.info_url, self._context)
            info = described(service, parse_info(value, service.info_url))
        except (FetchError, NotIIIFError, TooLargeError) as error:
            self._note(service.info_url, error)
            return service
        self._full = self._full if all(self._full) else (info.width, info.height)
        size = image_size(self._image, self._full)
        if all(size):
            self._learn(size)
        return info

    async def _try(self, request: ImageRequest) -> FetchedImage | None:
        """Fetch it; None where another request may do better."""
        kind = Kind.FULL_IMAGE if request.full else Kind.IMAGE
        try:
            download = await self._context.downloader.fetch(request.url, kind)
        except (StatusError, TooLargeError) as error:
            self._note(request.url, error)
            return None
        return self._arrived(download.path, cut=request.cut, keep=download)

    def _note(self, url: str, error: SourceError) -> None:
        """Keep in mind what came of an address; raises the error again when the host is to be left alone."""
        status = error.status if isinstance(error, StatusError) else 0
        if status in _LEAVE_ALONE:
            raise error
        self._tried[url] = f"status {status}" if status else error.message.rstrip(".")

    def _arrived(self, path: Path, *, cut: bool, keep: object = None) -> FetchedImage:
        settings = self._context.settings
        return FetchedImage(path, self._image, self._name, self._full, cut, settings, self._learn, keep)


def _as_it_stands(image: PaintedImage) -> list[ImageRequest]:
    """The address in the manifest, unless what is behind it is turned or no image."""
    asked, url = parse_request(image.resource), canonical_url(image.resource)
    if asked is None:
        ours = {service.id for service in image.services}
        return [ImageRequest(url, full=True)] if url and url.rstrip("/") not in ours else []
    if asked.rotation != "0":
        return []
    return [ImageRequest(url, full=not asked.derived, cut=parse_region(asked.region) is not None)]
