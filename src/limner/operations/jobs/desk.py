"""The jobs of a workspace, as clients make and manage them.

What reaches the server from outside is checked here: a source is an address, a ``data:`` URL, a
manifest, an upload or a document of the workspace, and never a path on the server's own disk.
"""

from __future__ import annotations

import io
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from limner.annotations.annotation import Json
from limner.annotations.shapes import Box
from limner.core.errors import NotFoundError, ShapeError, SourceError, UsageError
from limner.jobs.engine import JobEngine
from limner.jobs.housekeeping import job_blobs
from limner.models.bundle import Bundle
from limner.operations.datasets.desk import workspace_datasets
from limner.operations.documents.uploads import Upload, keep_uploads
from limner.operations.jobs.dataset_files import dataset_uploads
from limner.operations.jobs.experiments import FORM as _EXPERIMENT
from limner.operations.jobs.handler import AnnotateHandler
from limner.operations.jobs.notices import FORMS, Notices
from limner.operations.selection import PageSelection
from limner.operations.services import Services
from limner.operations.tracking.jobs import JobTracking
from limner.sources.base64 import data_of
from limner.sources.iiif.load import read
from limner.sources.opening import shown
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.documents import Documents
from limner.storage.jobs import Job, Jobs, NewJob
from limner.storage.routes import Routes

#: Where files lie while their job has no id yet.
_INBOX = "inbox"
_STAMP = "%Y%m%dT%H%M%S"
_MANIFEST, _ADDRESSES = "manifest.json", "addresses.json"
#: Longest text of some fields, characters.
_TITLE, _SOURCE = 500, 2000
#: Priorities reach from 0 to this.
HIGHEST = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One of several sources of a job."""

    #: What the client calls it.
    uid: str
    #: ``iiif`` for a manifest or collection; whatever else it is called, it is what its bytes say.
    type: str
    #: An address, or a map from names to addresses.
    source: str | Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A job that somebody wants; one of ``source``, ``document``, ``dataset``, ``uploads`` and ``members`` is given."""

    kind: str = "annotate"
    #: An address or ``data:`` URL, several of these, or a manifest.
    source: str | Sequence[str] | Mapping[str, Json] | None = None
    #: Id of a document of the workspace.
    document: str | None = None
    #: Name of a dataset of the workspace, or name and version: its pages are annotated, not the dataset.
    dataset: str | None = None
    uploads: Sequence[Upload] = ()
    #: Several sources, each opened on its own.
    members: Sequence[Member] = ()
    model: str | None = None
    #: What the client calls the model, where that is not its name here; used in what is sent to it.
    called: str | None = None
    #: ``manuscript``, ``print``, …: chooses the model where none is named.
    document_type: str | None = None
    threshold: float | None = None
    labels: Sequence[str] | None = None
    #: Boxes to predict in: left, top, right and bottom, in pixels of the page.
    zones: Sequence[Sequence[float]] | None = None
    #: ``1-10,15``, counted from 1 in each document.
    pages: str | None = None
    callback: str | None = None
    callback_form: str = "json"
    priority: int = 0
    title: str | None = None
    #: Whether images are fetched anew, although the cache has them.
    fresh: bool = False
    #: What AIKON says of the job (`limner.operations.jobs.experiments.Experiment`), whose form its callback has.
    experiment: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDesk:
    """The jobs of one workspace. All methods block."""

    database: Database
    blobs: Blobs
    services: Services
    engine: JobEngine
    workspace_id: str

    def submit(self, request: JobRequest, base: str) -> Job:
        """Make a job; ``base`` is what addresses of this server begin with, in what is sent to others.

        Raises `UsageError`, `SourceError`, `ModelNotFoundError`, `NotFoundError` (no such document).
        """
        if request.kind != AnnotateHandler.kind:
            raise UsageError(f"There are no jobs of the kind {request.kind!r}.", hint=f"Known: {AnnotateHandler.kind}.")
        given = self._source(request)
        bundle = self.model(request.model, request.document_type or given.document_type)
        payload = {**_checked(request, bundle), "base": base}
        if given.blobs:
            payload["inbox"] = self._receive(given)
        payload["source"] = given.payload
        new = NewJob(
            kind=request.kind,
            queue=bundle.ref,
            payload=payload,
            model=bundle.ref,
            source=given.name[:_SOURCE],
            priority=request.priority,
        )
        return self.engine.submit(self.workspace_id, new)

    def model(self, name: str | None, document_type: str | None) -> Bundle:
        """The model asked for, else that for the type of document, else the default one."""
        library = self.services.libraries.of(self.workspace_id)
        if name is None:
            try:
                name = Routes(self.database, self.workspace_id).resolve(document_type)
            except NotFoundError:
                name = "default"
        return library.get(name)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job; raises `ConflictError` where it has ended."""
        before = Jobs(self.database, self.workspace_id).get(job_id)
        job = self.engine.cancel(self.workspace_id, job_id)
        if before.status != job.status:
            Notices(self.database, self.blobs).ended(job, "cancelled")
            JobTracking(self.database, self.services).ended(job, "cancelled")
        return job

    def delete(self, job_id: str) -> None:
        """Forget a job with its results and files; raises `ConflictError` where it has not ended."""
        jobs = Jobs(self.database, self.workspace_id)
        inbox = jobs.get(job_id).payload.get("inbox")
        jobs.delete(job_id)
        for folder in filter(None, (job_blobs(job_id), inbox)):
            self.blobs.delete_all(folder)

    def _source(self, request: JobRequest) -> _Given:
        given = (request.source, request.document, request.dataset, request.uploads, request.members)
        if sum(map(bool, given)) != 1:
            raise UsageError("A job is made from one of: a source, a document, a dataset, files.")
        if request.document:
            document = Documents(self.database, self.workspace_id).get(request.document)
            return _Given({"document": document.id}, f"document:{document.id}", document_type=document.type)
        if request.dataset:
            dataset = workspace_datasets(self.services.settings, self.workspace_id).get(request.dataset)
            return _Given({}, f"dataset:{dataset.ref}", uploads=dataset_uploads(dataset))
        if request.members:
            return _together(request.members)
        if request.uploads:
            return _Given({}, _several([upload.name for upload in request.uploads]), uploads=request.uploads)
        return _named(request.source or "", self.services.settings.fetch_max_bytes)

    def _receive(self, given: _Given) -> str:
        """Keep what has to be kept; the folder where it lies until the job is planned."""
        folder = f"{_INBOX}/{datetime.now(UTC):{_STAMP}}-{uuid.uuid4().hex}"
        try:
            for name, data in given.described.items():
                self.blobs.write(f"{folder}/{name}", data)
            kept = keep_uploads(given.uploads, self.blobs, folder)
        except BaseException:
            self.blobs.delete_all(folder)
            raise
        if kept:
            given.payload["files"] = [{"name": file.name, "blob": file.blob} for file in kept]
        return folder


@dataclass(frozen=True, slots=True)
class _Given:
    """What a job is made from, checked."""

    #: As it is noted in the job.
    payload: dict[str, Json]
    #: As people read it.
    name: str
    #: Descriptions to be kept, by name.
    described: Mapping[str, bytes] = field(default_factory=dict)
    uploads: Sequence[Upload] = ()
    #: What type of document it is, where that is known.
    document_type: str | None = None

    @property
    def blobs(self) -> bool:
        """Whether there is anything to be kept."""
        return bool(self.described or self.uploads)


def inbox_time(folder: str) -> datetime:
    """When a folder of the inbox was made."""
    stamp = folder.partition("/")[2].partition("-")[0]
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)


def _named(source: str | Sequence[str] | Mapping[str, Json], limit: int) -> _Given:
    if isinstance(source, Mapping):
        return _manifest(dict(source))
    if isinstance(source, str):
        if not _is_data(source):
            return _Given({"url": address_of(source)}, source)
        source = [source]
    if any(_is_data(each) for each in source):
        return _data(source, limit)
    addresses = [address_of(each) for each in source]
    return _Given({"addresses": _ADDRESSES}, _several(addresses), {_ADDRESSES: json.dumps(addresses).encode()})


def _together(members: Sequence[Member]) -> _Given:
    """Several sources, each an address or a list that is kept."""
    kept, described = list[Json](), dict[str, bytes]()
    for number, member in enumerate(members):
        about: dict[str, Json] = {"uid": member.uid, "type": member.type}
        if isinstance(member.source, str):
            kept.append({**about, "url": address_of(member.source)})
        else:
            name = f"addresses-{number}.json"
            addresses = {key: address_of(each) for key, each in member.source.items()}
            described[name] = json.dumps(addresses).encode()
            kept.append({**about, "addresses": name})
    return _Given({"several": kept}, _several([member.uid for member in members]), described)


def _manifest(description: dict[str, Json]) -> _Given:
    identity = description.get("id", description.get("@id"))
    name = shown(identity) if isinstance(identity, str) and identity else "a manifest"
    read(description, name)  # what is none is refused at once
    text = json.dumps(description, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return _Given({"manifest": _MANIFEST}, name, {_MANIFEST: text})


def _data(specs: Sequence[str], limit: int) -> _Given:
    if not all(_is_data(each) for each in specs):
        raise UsageError("Addresses and data: URLs cannot stand in one list.", hint="Make a job of each.")
    files = [io.BytesIO(data_of(each, limit)) for each in specs]
    uploads = [Upload(f"image-{number}", file) for number, file in enumerate(files, 1)]
    return _Given({}, f"{len(uploads)} images given as data", uploads=uploads)


def _is_data(spec: str) -> bool:
    return spec[:5].lower() == "data:"


def address_of(spec: str) -> str:
    """The address; raises `SourceError` for anything else, a path on this machine above all."""
    spec = spec.strip()
    if not spec[:8].lower().startswith(("http://", "https://")):
        raise SourceError(
            f"{shown(spec) or 'The source'} is no address.",
            hint="Give an http(s) address, a data: URL, a manifest as JSON, or send the files themselves.",
        )
    check_address(spec)
    return spec


def check_address(url: str) -> None:
    """Raise `AddressRefusedError` unless this is an http(s) address with a host and no credentials."""
    # Loads httpx, which is half a second of start-up on a slow machine.
    from limner.sources.net.guard import check_url

    check_url(url)


def _several(names: Sequence[str]) -> str:
    first = shown(names[0])
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"


def _checked(request: JobRequest, bundle: Bundle) -> dict[str, Json]:
    """What of a request is noted in the job, each part checked; raises `UsageError`."""
    if request.threshold is not None and not 0 <= request.threshold <= 1:
        raise UsageError(f"A threshold lies between 0 and 1, not at {request.threshold}.")
    if not 0 <= request.priority <= HIGHEST:
        raise UsageError(f"A priority lies between 0 and {HIGHEST}, not at {request.priority}.")
    values: dict[str, Json | None] = {
        "threshold": request.threshold,
        "labels": _labels(request.labels, bundle),
        "zones": _zones(request.zones),
        "pages": str(PageSelection.parse(request.pages)) if request.pages else None,
        "document_type": request.document_type,
        "title": request.title[:_TITLE] if request.title else None,
        "called": request.called,
        "fresh": request.fresh or None,
        "experiment": None if request.experiment is None else dict(request.experiment),
        **_callback(request),
    }
    return {key: value for key, value in values.items() if value is not None}


def _callback(request: JobRequest) -> dict[str, Json]:
    if request.callback_form not in FORMS:
        raise UsageError(f"A callback can have the form {' or '.join(FORMS)}, not {request.callback_form!r}.")
    if not request.callback:
        return {}
    check_address(request.callback)
    form = request.callback_form if request.experiment is None else _EXPERIMENT
    return {"callback": request.callback, "callback_form": form}


def _labels(labels: Sequence[str] | None, bundle: Bundle) -> list[Json] | None:
    unknown = sorted(set(labels or ()) - set(bundle.labels))
    if unknown and bundle.labels:
        raise UsageError(f"{bundle.ref} has no label {', '.join(unknown)}.", hint=f"It has {', '.join(bundle.labels)}.")
    return None if labels is None else [*labels]


def _zones(zones: Sequence[Sequence[float]] | None) -> list[Json] | None:
    if not zones:
        return None
    for zone in zones:
        if len(zone) != 4 or not all(math.isfinite(corner) for corner in zone):
            raise UsageError(f"{list(zone)} is no zone.", hint="A zone is [x1, y1, x2, y2], in pixels.")
        try:
            Box.from_corners(*zone)
        except ShapeError as error:
            raise UsageError(f"{list(zone)} is no zone: {error}") from error
    return [[*zone] for zone in zones]
