"""Jobs: work that the server does page by page while nobody has to wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from limner.annotations.annotation import Json
from limner.client import answers
from limner.client.call import Call, content, filled, nothing, once, path, text
from limner.client.calls.annotate import Image, Wishes, Zone, uploads
from limner.client.values import Estimate, Job, JobDocument, JobPage, Listing, Values
from limner.core.errors import UsageError

#: A job, or its id.
JobRef: TypeAlias = "Job | str"


def identity(job: JobRef) -> str:
    """The id of a job."""
    return job.id if isinstance(job, Job) else job


def create(
    source: str | Sequence[str] | Mapping[str, Json] | None = None,
    *,
    files: Iterable[Image] | None = None,
    document: str | None = None,
    dataset: str | None = None,
    kind: str = "annotate",
    model: str | None = None,
    document_type: str | None = None,
    threshold: float | None = None,
    labels: Iterable[str] | None = None,
    zones: Iterable[Zone] | None = None,
    pages: str | None = None,
    callback: str | None = None,
    callback_form: str | None = None,
    priority: int | None = None,
    title: str | None = None,
    idempotency_key: str | None = None,
) -> Call[Job]:
    """Make a job from one of: ``source``, ``files``, ``document``, ``dataset``.

    ``source`` is the address of a manifest, collection or image, a list of addresses, or a manifest
    itself; ``files`` are images, PDFs and zips, sent from the disk piece by piece; ``document`` is the
    id of one that the server keeps. ``pages`` are counted from 1: ``1-10,15``. The call may be
    repeated by the client itself: the key that it sends makes one job of it.
    """
    if sum(given is not None for given in (source, files, document, dataset)) != 1:
        raise UsageError("A job is made from one of: a source, files, a document, a dataset.")
    wishes = Wishes(model=model, threshold=threshold, labels=labels, zones=zones)
    more = filled(
        kind=kind,
        document=document,
        dataset=dataset,
        document_type=document_type,
        pages=pages,
        callback=callback,
        callback_form=callback_form,
        priority=priority,
        title=title,
    )
    headers, where, read = once(idempotency_key), path("jobs"), answers.one(answers.job)
    if files is not None:
        sent, form = uploads(files), {**more, **wishes.form()}
        if not sent:
            raise UsageError("There is no file to make a job of.")
        return Call(method="POST", path=where, read=read, headers=headers, form=form, files=sent)
    body: dict[str, Json] = {**more, **wishes.body(), **_source(source)}
    if priority is not None:
        body["priority"] = priority
    return Call(method="POST", path=where, read=read, headers=headers, body=body)


def _source(source: str | Sequence[str] | Mapping[str, Json] | None) -> dict[str, Json]:
    match source:
        case None:
            return {}
        case str():
            return {"source": source}
        case Mapping():
            return {"source": dict(source)}
    return {"source": [*source]}


def get(job: JobRef) -> Call[Job]:
    """A job as it stands; raises `NotFoundError`."""
    return Call(method="GET", path=path("jobs", identity(job)), read=answers.one(answers.job))


def listed(status: str | None = None, kind: str | None = None) -> Call[Listing[Job]]:
    """All jobs, the newest first."""
    params = filled(status=status, kind=kind)
    return Call(method="GET", path=path("jobs"), params=params, read=answers.listing(answers.job))


def pages(job: JobRef, status: str | None = None) -> Call[Listing[JobPage]]:
    """The pages of a job in their order, or those in one state (``failed``)."""
    where = path("jobs", identity(job), "pages")
    return Call(method="GET", path=where, params=filled(status=status), read=answers.listing(answers.job_page))


def documents(job: JobRef) -> Call[Listing[JobDocument]]:
    """The documents of a job, each with what of it cannot be annotated; raises `ConflictError` until it is planned."""
    where = path("jobs", identity(job), "documents")
    return Call(method="GET", path=where, read=answers.listing(answers.job_document))


def results(job: JobRef, format: str = "jsonl") -> Call[str]:  # noqa: A002 - what the API calls it
    """What was found so far, as text in a format of one file."""
    return _results(job, format).reading(text)


def results_file(job: JobRef, format: str = "jsonl") -> Call[bytes]:  # noqa: A002
    """What was found so far: the file of a format, or a zip where it has several."""
    return _results(job, format)


def _results(job: JobRef, format_: str) -> Call[bytes]:
    where = path("jobs", identity(job), "results")
    return Call(method="GET", path=where, params={"format": format_}, read=content)


def cancel(job: JobRef) -> Call[Job]:
    """Stop a job; what is done stays. Raises `ConflictError` where it has ended already."""
    return Call(method="POST", path=path("jobs", identity(job), "cancel"), read=answers.one(answers.job))


def retry(job: JobRef) -> Call[Job]:
    """Do again the pages that failed or were not reached; raises `ConflictError` where there are none."""
    where = path("jobs", identity(job), "retry")
    return Call(method="POST", path=where, read=answers.one(answers.job), repeatable=False)


def delete(job: JobRef) -> Call[None]:
    """Forget a job with its results; raises `ConflictError` while it runs."""
    return Call(method="DELETE", path=path("jobs", identity(job)), read=nothing)


def deliveries(job: JobRef) -> Call[Listing[Values]]:
    """The webhooks that were sent for a job."""
    where = path("jobs", identity(job), "deliveries")
    return Call(method="GET", path=where, read=answers.listing(_as_it_is))


def replay(job: JobRef, number: int) -> Call[None]:
    """Send a webhook once more."""
    where = path("jobs", identity(job), "deliveries", number, "replay")
    return Call(method="POST", path=where, read=nothing, repeatable=False)


def _as_it_is(plain: Values) -> Values:
    return plain


def estimate(source: str | Mapping[str, Json], model: str | None = None) -> Call[Estimate]:
    """What a job would find in a manifest or collection, or in one given as JSON, and how long it would take."""
    body: dict[str, Json] = {**_source(source), **({} if model is None else {"model": model})}
    return Call(method="POST", path=path("estimate"), body=body, read=answers.one(answers.estimate))
