"""What jobs are made from: opened once when a job is planned, and again, cheaply, wherever its pages are fetched.

Of each document everything that is needed for that is kept in the blob store: its description (with
the manifest, as it was), and how to open it. So no chunk asks a library for a manifest again.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from limner.annotations.annotation import Json
from limner.annotations.page import Page
from limner.core.errors import NotIIIFError, SourceError
from limner.core.settings import Settings
from limner.jobs.housekeeping import job_blobs, job_images
from limner.operations.documents.desk import image_key
from limner.operations.documents.uploads import local_file, open_files
from limner.sources.decode import EncodedBytes, EncodedFile
from limner.sources.iiif.findings import Findings
from limner.sources.iiif.handle import IIIFPage
from limner.sources.iiif.image_api import ImageService
from limner.sources.iiif.load import Loaded, Missing, load, read, walk
from limner.sources.iiif.origin import Origin
from limner.sources.iiif.pages import manifest_pages, service_page
from limner.sources.iiif.presentation import Collection, Manifest
from limner.sources.opening import open_documents, sources_for, unopened
from limner.sources.protocol import SOURCES, Encoded, OpenedDocument, PageHandle, Skipped, SourceContext, Want
from limner.sources.urls import is_address
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.documents import Documents, StoredPage
from limner.storage.jobs import Job

#: Most pages of a kept document that are read at one time.
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A document of a job, and how to open it again."""

    document: OpenedDocument
    #: JSON, with one key that names the way.
    again: Mapping[str, Json] = field(default_factory=dict)


class JobSources:
    """Opens what jobs are made from."""

    def __init__(self, database: Database, blobs: Blobs, context: SourceContext) -> None:
        self._db = database
        self._blobs = blobs
        self._context = context

    async def find(self, job: Job) -> AsyncGenerator[Found, None]:
        """The documents of a job; raises `SourceError` or `NotFoundError`."""
        match job.payload["source"]:
            case {"url": str(url)}:
                found = self._behind(url)
            case {"manifest": str(blob)}:
                found = self._described(json.loads(self._blobs.read(description_key(job.id, blob))))
            case {"addresses": str(blob)}:
                found = self._listed(job, blob)
            case {"files": list(files)}:
                found = self._sent(job, files)
            case {"document": str(document_id)}:
                found = self._kept(job.workspace_id, document_id)
            case {"several": list(members)}:
                found = self._each(job, members)
            case other:
                raise SourceError(f"A job cannot be made from {list(other)}.")
        async with aclosing(found):
            async for each in found:
                yield each

    async def handles(self, job: Job, info: Mapping[str, Any]) -> Sequence[PageHandle]:
        """The pages of a document that was found before, as its description says."""
        match info["again"]:
            case {"manifest": str(origin)}:
                manifest = read(info["metadata"]["manifest"], origin)
                if not isinstance(manifest, Manifest):
                    raise NotIIIFError(f"The description of {info['id']} that was kept is no manifest.")
                return _manifest_document(manifest, Origin(origin), self._context).handles
            case {"files": list(numbers)}:
                files = [job.payload["source"]["files"][number] for number in numbers]
                return await _first(self._sent(job, files))
            case {"addresses": str(blob)}:
                return await _first(self._listed(job, blob))
            case {"document": str(document_id)}:
                return await _first(self._kept(job.workspace_id, document_id))
            case {"member": int(number)}:
                return await _named(self._member(job, job.payload["source"]["several"][number]), info["id"])
            case {"address": str(address)}:
                return await _named(self._at(address), info["id"])
        raise SourceError(f"{info['id']} is not there any more.")

    async def _at(self, address: str) -> AsyncGenerator[Found, None]:
        async for document in open_documents([address], self._context):
            yield Found(document)

    async def _behind(self, url: str) -> AsyncGenerator[Found, None]:
        """The documents behind an address: IIIF where it may be, else whatever it is."""
        if sources_for(url)[0].name == "iiif":
            try:
                loaded = await load(url, self._context)
            except NotIIIFError:
                pass
            else:
                async for found in self._walked(loaded):
                    yield found
                return
        async for document in open_documents([url], self._context):
            yield Found(document, _way(document, url))

    async def _described(self, description: Json) -> AsyncGenerator[Found, None]:
        """The documents of a manifest or collection that the client gave as JSON."""
        name = _address_of(description) or "the manifest"
        async for found in self._walked(Loaded(read(description, name), Origin(name))):
            yield found

    async def _walked(self, loaded: Loaded) -> AsyncGenerator[Found, None]:
        async with aclosing(walk(loaded, self._context)) as entries:
            async for entry in entries:
                yield _found(entry, self._context)

    async def _each(self, job: Job, members: Sequence[Mapping[str, str]]) -> AsyncGenerator[Found, None]:
        """The documents of several sources; one that cannot be opened has no pages and says why."""
        for number, member in enumerate(members):
            try:
                async for found in self._member(job, member):
                    yield replace(found, again={**found.again, "member": number})
            except SourceError as error:
                yield Found(unopened(member.get("url") or member["uid"], error), {"member": number})

    async def _member(self, job: Job, member: Mapping[str, str]) -> AsyncGenerator[Found, None]:
        """The documents of one of several sources, opened as the client says what it is."""
        if "addresses" in member:
            async for found in self._listed(job, member["addresses"]):
                yield found
        elif member["type"] == "iiif":
            async for found in self._walked(await load(member["url"], self._context)):
                yield found
        else:
            async for document in SOURCES.get("urls").open(member["url"], self._context):
                yield Found(document)

    async def _listed(self, job: Job, blob: str) -> AsyncGenerator[Found, None]:
        """A list of addresses is opened as a file with such a list would be."""
        with tempfile.TemporaryDirectory(prefix="limner-list-") as folder:
            path = Path(folder) / "addresses.json"
            path.write_bytes(self._blobs.read(description_key(job.id, blob)))
            name = job.payload.get("title") or "addresses"
            async for document in open_documents([str(path)], self._context):
                if document.id == path.as_posix():
                    yield Found(replace(document, id=f"job:{job.id}", title=name), {"addresses": blob})
                else:
                    yield Found(document, _way(document, document.id))

    async def _sent(self, job: Job, files: Sequence[Mapping[str, str]]) -> AsyncGenerator[Found, None]:
        here = [local_file(self._blobs, upload_key(job.id, file["blob"]), file["name"]) for file in files]
        for document, numbers in open_files(here, self._context):
            yield Found(document, {"files": [*numbers]})

    async def _kept(self, workspace_id: str, document_id: str) -> AsyncGenerator[Found, None]:
        documents = Documents(self._db, workspace_id)
        stored = documents.get(document_id)
        handles = [
            KeptPage(each.page, image_key(document_id, each), each.revision, self._blobs, self._context.settings)
            for each in _all_pages(documents, document_id)
        ]
        document = OpenedDocument(id=document_id, title=stored.title, handles=handles, rights=stored.rights)
        yield Found(document, {"document": document_id})


@dataclass(slots=True)
class KeptPage:
    """A page of a document that we keep."""

    page: Page
    #: The blob of its image; None where that is not kept any more.
    key: str | None
    #: The revision of its annotations when it was read.
    revision: int
    blobs: Blobs
    settings: Settings

    async def fetch(self, want: Want) -> Encoded:  # noqa: ARG002 - an image is read whole or not at all
        """Its image; raises `SourceError` where that is not kept any more."""
        if self.key is None or not self.blobs.exists(self.key):
            raise SourceError(f"The image of {self.page.name} is not kept any more.")
        path = self.blobs.path(self.key)
        if path is not None:
            return EncodedFile(path, self.settings, name=self.page.name)
        return EncodedBytes(self.blobs.read(self.key), self.settings, name=self.page.name)


def description_key(job_id: str, blob: str) -> str:
    """Where a manifest or list lies that a job was given."""
    return f"{job_blobs(job_id)}/given/{blob}"


def upload_key(job_id: str, blob: str) -> str:
    """Where a file lies that a job was given."""
    return f"{job_images(job_id)}/given/{blob}"


def adopt(job: Job, blobs: Blobs) -> None:
    """Bring what was kept before the job had an id to where it is looked for, and goes with the job."""
    inbox = job.payload.get("inbox")
    if not inbox:
        return
    for key in blobs.keys(inbox):
        name = key.rpartition("/")[2]
        place = description_key if name.endswith(".json") else upload_key
        blobs.write(place(job.id, name), blobs.stream(key))
    blobs.delete_all(inbox)


async def _first(found: AsyncGenerator[Found, None]) -> Sequence[PageHandle]:
    async for each in found:
        return each.document.handles
    raise SourceError("The source is not there any more.")


async def _named(found: AsyncGenerator[Found, None], identity: str) -> Sequence[PageHandle]:
    """The pages of the document with this id."""
    async with aclosing(found):
        async for each in found:
            if each.document.id == identity:
                return each.document.handles
    raise SourceError(f"{identity} is not there any more.")


def _way(document: OpenedDocument, url: str) -> Mapping[str, Json]:
    """How a document from an address is opened again."""
    if isinstance(document.metadata.get("manifest"), dict):
        return {"manifest": url}
    return {"address": document.id}


def _address_of(description: Json) -> str:
    """The address that a manifest says it has."""
    if not isinstance(description, dict):
        return ""
    address = description.get("id", description.get("@id"))
    return address if isinstance(address, str) and is_address(address) else ""


def _found(entry: Loaded | Missing, context: SourceContext) -> Found:
    """What a manifest, a member of a collection, or the collection itself comes to."""
    if isinstance(entry, Missing):
        skipped = (Skipped(entry.id, entry.reason),)
        return Found(OpenedDocument(id=entry.id or "?", title=entry.title or entry.id, handles=(), skipped=skipped))
    content = entry.content
    match content:
        case Manifest():
            return Found(_manifest_document(content, entry.origin, context), {"manifest": entry.origin.name})
        case ImageService():
            page = service_page(content)
            handles = [IIIFPage(page, entry.origin, context)]
            document = OpenedDocument(id=content.id, title=Path(page.page.name).stem, handles=handles)
            return Found(document, {"address": content.info_url})
        case Collection():
            document = OpenedDocument(
                id=content.id, title=content.title, handles=(), skipped=content.skipped, problems=content.problems
            )
            return Found(document)


def _manifest_document(manifest: Manifest, origin: Origin, context: SourceContext) -> OpenedDocument:
    findings = Findings()
    pages = manifest_pages(manifest, origin, findings)
    return OpenedDocument(
        id=manifest.id,
        title=manifest.title,
        handles=[IIIFPage(page, origin, context) for page in pages],
        rights=manifest.rights,
        metadata={"manifest": manifest.raw},
        skipped=(*manifest.skipped, *findings.skipped),
        problems=(*manifest.problems, *findings.problems),
    )


def _all_pages(documents: Documents, document_id: str) -> Iterator[StoredPage]:
    last = -1
    while batch := documents.pages(document_id, after=last, limit=_BATCH):
        yield from batch
        last += len(batch)
