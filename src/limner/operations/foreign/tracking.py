"""Starting AIKON's experiments, following them, and handing out what they found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from limner.annotations.annotation import Json
from limner.annotations.document import AnnotatedPage
from limner.core.errors import ConflictError, ModelError, NotFoundError, UsageError
from limner.operations.foreign.model_files import known_name, stem_of
from limner.operations.foreign.regions import Postprocess, entry, in_canvas_order
from limner.operations.jobs import experiments
from limner.operations.jobs.desk import JobDesk, JobRequest, Member
from limner.operations.jobs.experiments import Experiment, Part, experiment_of, parts_of
from limner.operations.jobs.results import pages_of
from limner.storage.jobs import Job, Jobs, Status
from limner.storage.pages import JobPages

#: The types of documents; all but the first are what their bytes say, whatever they are called.
TYPES: Final = ("iiif", "zip", "pdf", "img", "url_list")
#: Most documents in one experiment.
MOST_DOCUMENTS = 1000
#: Longest name of a document, characters.
_UID = 200
_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """An experiment that AIKON asks for."""

    experiment_id: str
    documents: Sequence[Member]
    model: str | None
    notify_url: str | None
    postprocess: Postprocess
    #: ``regions`` or ``region_extraction``, as it was asked for.
    prefix: str


@dataclass(frozen=True, slots=True)
class ExperimentDesk:
    """AIKON's experiments in one workspace. All methods block."""

    jobs: JobDesk

    def start(self, asked: Start, base: str) -> Job:
        """Make the job; ``base`` is what addresses of this server begin with, for whoever asks.

        Raises `UsageError`, `SourceError` or `ModelNotFoundError`.
        """
        if len(asked.documents) > MOST_DOCUMENTS:
            raise UsageError(f"An experiment has at most {MOST_DOCUMENTS} documents, not {len(asked.documents)}.")
        if "/" in asked.experiment_id:  # it becomes a part of addresses
            raise UsageError("The name of an experiment has no slash in it.")
        library = self.jobs.services.libraries.of(self.jobs.workspace_id)
        model = known_name(asked.model, library) if asked.model else None
        called = stem_of(asked.model) if asked.model else self.jobs.model(None, None).name
        experiment = Experiment(
            id=asked.experiment_id, model=called, prefix=asked.prefix, postprocess=asked.postprocess
        )
        request = JobRequest(
            members=asked.documents,
            model=model,
            called=called,
            callback=asked.notify_url,
            experiment=experiment.plain(),
            title=f"AIKON {asked.experiment_id}",
        )
        return self.jobs.submit(request, base)

    def get(self, tracking_id: str) -> Job:
        """The job of an experiment; raises `NotFoundError`, for jobs that are no experiments too."""
        job = self._all.get(tracking_id)
        experiment_of(job)
        return job

    def log(self, tracking_id: str) -> dict[str, Json]:
        """How an experiment is going."""
        job = self.get(tracking_id)
        return experiments.log_of(job, self._parts(job))

    def cancel(self, tracking_id: str) -> None:
        """Cancel an experiment; one that has ended stays as it is."""
        if not self.get(tracking_id).final:
            try:
                self.jobs.cancel(tracking_id)
            except ConflictError:  # it has ended meanwhile
                return

    def dataset(self, tracking_id: str) -> dict[str, Json]:
        """The documents of an experiment."""
        job = self.get(tracking_id)
        members = experiments.members_of(job)
        listed: list[Json] = [{"uid": one["uid"], "type": one["type"], "src": one.get("url", "")} for one in members]
        return {"uid": job.id, "documents": listed}

    def regions(self, tracking_id: str, number: int) -> Iterator[str]:
        """The regions of a document as JSON, in pieces.

        Raises `NotFoundError`, and `ConflictError` while the job is not done.
        """
        job = self.get(tracking_id)
        if job.status not in ("succeeded", "partly_failed"):
            raise ConflictError(f"There are no regions: the job is {job.status}.")
        part = next((each for each in parts_of(self.jobs.blobs, job) if each.number == number), None)
        if part is None or not self._kept(job, part):
            raise NotFoundError("There are no regions of such a document.")
        return self._rendered(job, part)

    def monitor(self) -> dict[str, Json]:
        """The experiments that wait or are being worked on."""
        found = [*self._experiments("running"), *self._experiments("queued")]
        listed: list[Json] = [
            {"tracking_id": job.id, "experiment_id": experiment_of(job).id, "status": experiments.status_of(job)}
            for job in found
        ]
        return {"running": sum(job.status == "running" for job in found), "experiments": listed}

    def forget(self, doc_uid: str, model: str | None) -> int:
        """Forget the regions of a document, found with a model or with any; in how many experiments there were some.

        Raises `ConflictError` where one with other documents in it is still being worked on.
        """
        stem = None if model is None else stem_of(model)
        return sum(self._forget(job, doc_uid) for job in list(self._experiments()) if stem in (None, _called(job)))

    def _forget(self, job: Job, doc_uid: str) -> bool:
        uids = [each["uid"] for each in experiments.members_of(job)]
        if doc_uid not in uids:
            return False
        if set(uids) == {doc_uid}:
            self.cancel(job.id)
            self.jobs.delete(job.id)
            return True
        if not job.final:
            raise ConflictError(f"{doc_uid} is still being worked on, with others.", hint="Cancel the job first.")
        pages = JobPages(self.jobs.database, self.jobs.workspace_id)
        kept = False
        for part in self._parts(job):
            if part.uid == doc_uid:
                kept |= self._kept(job, part)
                for document in part.documents:
                    pages.forget_results(job.id, document.first, document.pages)
        return kept

    def _kept(self, job: Job, part: Part) -> bool:
        """Whether there are pages, and what came of them has not been forgotten."""
        pages = JobPages(self.jobs.database, self.jobs.workspace_id)
        return any(next(iter(pages_of(pages, job, each)), None) is not None for each in part.documents if each.pages)

    def _rendered(self, job: Job, part: Part) -> Iterator[str]:
        labels, postprocess = self._labels(job), experiment_of(job).postprocess
        begin = "["
        for annotated in self._annotated(job, part):
            yield begin + json.dumps(entry(annotated, part.uid, labels, postprocess), ensure_ascii=False)
            begin = ","
        yield "]"

    def _annotated(self, job: Job, part: Part) -> Iterator[AnnotatedPage]:
        pages = JobPages(self.jobs.database, self.jobs.workspace_id)
        for document in part.documents:
            yield from in_canvas_order(pages_of(pages, job, document))

    def _labels(self, job: Job) -> Sequence[str]:
        try:
            return self.jobs.services.libraries.of(self.jobs.workspace_id).get(str(job.model)).labels
        except ModelError:  # it has been removed since
            return ()

    def _parts(self, job: Job) -> Sequence[Part]:
        try:
            return parts_of(self.jobs.blobs, job)
        except ConflictError:  # nothing is known of them yet
            return ()

    @property
    def _all(self) -> Jobs:
        return Jobs(self.jobs.database, self.jobs.workspace_id)

    def _experiments(self, status: Status | None = None) -> Iterator[Job]:
        last: str | None = None
        while found := self._all.list(limit=_BATCH, before=last, status=status):
            yield from (job for job in found if "experiment" in job.payload)
            last = found[-1].id


def _called(job: Job) -> str:
    return experiment_of(job).model


def members_from(documents: object) -> list[Member]:
    """The documents of a request: a list of objects, or a map from names to manifests; raises `UsageError`."""
    if isinstance(documents, Mapping):  # as older clients send it
        documents = [{"type": "iiif", "src": src, "uid": uid} for uid, src in documents.items()]
    if not isinstance(documents, list) or not documents:
        raise UsageError("`documents` is no list with documents in it.", hint=_FORM)
    return [_member(each, number) for number, each in enumerate(documents, 1)]


_FORM = 'Write [{"type": "iiif", "src": "https://…", "uid": "…"}].'


def _member(document: object, number: int) -> Member:
    if not isinstance(document, Mapping):
        raise UsageError(f"Document {number} is no object.", hint=_FORM)
    kind = document.get("type") or "iiif"
    if kind not in TYPES:
        raise UsageError(f"Document {number} has the type {str(kind)[:50]!r}.", hint=f"Known: {', '.join(TYPES)}.")
    uid = str(document.get("uid") or f"document{number}")[:_UID]
    return Member(uid=uid, type=kind, source=_source(document, number))


def _source(document: Mapping[Any, Any], number: int) -> str | dict[str, str]:
    source = document.get("src")
    if document.get("type") == "url_list" and isinstance(source, str) and source.lstrip().startswith("{"):
        try:
            source = json.loads(source)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"The list in document {number} is no JSON.") from error
    if isinstance(source, str) and source:
        return source
    if document.get("type") == "url_list" and isinstance(source, Mapping) and source:
        return {str(stem): str(url) for stem, url in source.items()}
    raise UsageError(f"Document {number} has no `src` that can be used.", hint=_FORM)
