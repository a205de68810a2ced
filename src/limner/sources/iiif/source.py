"""The source `IIIF`: manifests, collections and ``info.json`` files, from the web or from disk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlsplit

from limner.annotations.annotation import Json
from limner.sources.iiif.findings import Findings
from limner.sources.iiif.handle import IIIFPage
from limner.sources.iiif.image_api import ImageService, parse_request
from limner.sources.iiif.load import Loaded, Missing, is_url, load, walk
from limner.sources.iiif.origin import Origin
from limner.sources.iiif.pages import manifest_pages, service_page
from limner.sources.iiif.presentation import Collection, Manifest
from limner.sources.local import is_file
from limner.sources.protocol import OpenedDocument, Skipped, SourceContext

#: What the beginning of a file must have to be looked at more closely.
_SIGNS = re.compile(
    rb'"(@context|sequences|canvases|protocol)"|"@?type"\s*:\s*"(sc:)?(Manifest|Collection)"|'
    rb"iiif\.io/api|shared-canvas\.org|iiif/image-api"
)
#: How much of a file is looked at, bytes.
_LOOKED_AT = 1 << 18
_IMAGE = re.compile(
    r"\.(jpe?g|jpe|jfif|png|webp|tiff?|gif|bmp|avif|jp2|jpx|jpf|j2k|j2c|pdf|zip|txt|csv)$", re.IGNORECASE
)
_NAMED = re.compile(r"(.*\.json(ld)?|(.*[-_.])?(manifest|collection)[-_.:\w]*)$", re.IGNORECASE)
_FOLDER = re.compile(r"iiif.*|presentation|manifests?|collections?", re.IGNORECASE)


class IIIFSource:
    """Manifests and collections of the Presentation API 1 to 3, and ``info.json`` of the Image API 1 to 3."""

    name = "iiif"
    #: Before plain addresses of images (80): an address that may be a manifest is tried as one.
    priority = 20

    def accepts(self, spec: str) -> bool:
        """Whether this is a JSON file that looks like IIIF, or an address that looks like a manifest's.

        Only the network could tell for sure. Taken are addresses that end in ``.json``, or in a word
        with ``manifest`` or ``collection``, or that have ``iiif``, ``presentation`` or ``manifests``
        among their folders or as their host, and end neither like a file of another kind nor like a
        request for an image.
        """
        return _looks_like_manifest(spec) if is_url(spec) else _file_looks_like_iiif(spec)

    async def open(self, spec: str, context: SourceContext) -> AsyncIterator[OpenedDocument]:
        """One document for a manifest or image, and one for each manifest of a collection.

        A member that cannot be had, and a collection in which something was odd, is a document
        without pages that says so. Raises `NotIIIFError` or another `SourceError` when the address
        or file itself cannot be read.
        """
        left = context.settings.max_pages
        async with aclosing(walk(await load(spec, context), context)) as found:
            async for entry in found:
                document = _opened(entry, context, left)
                if document is None:
                    continue
                yield document
                left -= len(document.handles)
                if left <= 0:
                    return


IIIF = IIIFSource()


def _opened(entry: Loaded | Missing, context: SourceContext, left: int) -> OpenedDocument | None:
    """The document for one thing found; None for a collection of which there is nothing to say."""
    if isinstance(entry, Missing):
        return OpenedDocument(
            id=entry.id or "?", title=entry.title or entry.id, handles=(), skipped=(Skipped(entry.id, entry.reason),)
        )
    match entry.content:
        case Manifest():
            return _manifest_document(entry.content, entry.origin, context, left)
        case ImageService():
            return _image_document(entry.content, entry.origin, context)
        case Collection(skipped=(), problems=()):
            return None
        case Collection() as collection:
            return OpenedDocument(
                id=collection.id,
                title=collection.title,
                handles=(),
                skipped=collection.skipped,
                problems=collection.problems,
            )


def _manifest_document(manifest: Manifest, origin: Origin, context: SourceContext, left: int) -> OpenedDocument:
    findings = Findings()
    pages = manifest_pages(manifest, origin, findings)
    if len(pages) > left:
        limit = context.settings.max_pages
        reason = f"The last {len(pages) - left} pages and all that follows are left out: max_pages is {limit}."
        findings.skip(manifest.id, reason)
    metadata: dict[str, Json] = {"manifest": manifest.raw}
    return OpenedDocument(
        id=manifest.id,
        title=manifest.title,
        handles=[IIIFPage(page, origin, context) for page in pages[:left]],
        rights=manifest.rights,
        metadata=metadata,
        skipped=(*manifest.skipped, *findings.skipped),
        problems=(*manifest.problems, *findings.problems),
    )


def _image_document(service: ImageService, origin: Origin, context: SourceContext) -> OpenedDocument:
    found = service_page(service)
    return OpenedDocument(id=service.id, title=Path(found.page.name).stem, handles=[IIIFPage(found, origin, context)])


def _looks_like_manifest(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    *folders, last = parts.netloc.partition(".")[0], *filter(None, parts.path.split("/"))
    if _IMAGE.search(last) or parse_request(url):
        return False
    return bool(_NAMED.fullmatch(last)) or any(map(_FOLDER.fullmatch, folders))


def _file_looks_like_iiif(spec: str) -> bool:
    """Whether a file begins as JSON and mentions something of IIIF."""
    if not is_file(spec):
        return False
    head = _beginning(spec)
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and _SIGNS.search(head) is not None


def _beginning(path: str) -> bytes:
    """The beginning of a file, in which the descriptions of a manifest can take much room; or nothing."""
    try:
        with Path(path).open("rb") as file:
            return file.read(_LOOKED_AT)
    except OSError:
        return b""
