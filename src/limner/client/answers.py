"""From a server's answers to values.

Keys that a newer server adds are passed over; a key that is missing raises `FormatError` by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from limner.annotations.document import AnnotatedPage
from limner.annotations.serial import annotated_page_from_plain, annotation_from_plain, page_from_plain
from limner.client.call import Answer, Plain
from limner.client.values import (
    Change,
    Dataset,
    DatasetPage,
    Document,
    DocumentPage,
    Estimate,
    Failure,
    Job,
    JobDocument,
    JobEvent,
    JobPage,
    Listing,
    Model,
    NewToken,
    PageAnnotations,
    PageCounts,
    Queue,
    Route,
    Skipped,
    Token,
    Values,
    Webhook,
    Workspace,
)
from limner.core.errors import FormatError, LimnerError

T = TypeVar("T")


def job(plain: Plain) -> Job:
    """A job."""
    return _reading("A job", lambda: _job(plain))


def _job(values: Values) -> Job:
    pages = values["pages"]
    return Job(
        id=str(values["id"]),
        kind=str(values["kind"]),
        status=str(values["status"]),
        pages=PageCounts(int(pages["total"]), int(pages["done"]), int(pages["failed"])),
        model=values.get("model"),
        source=values.get("source"),
        title=values.get("title"),
        priority=int(values.get("priority", 0)),
        created_at=_moment(values, "created_at"),
        started_at=_moment(values, "started_at"),
        finished_at=_moment(values, "finished_at"),
        error=_failure(values.get("error")),
    )


def job_page(plain: Plain) -> JobPage:
    """A page of a job."""
    return _reading("A page", lambda: _job_page(plain))


def _job_page(values: Values) -> JobPage:
    count = values.get("annotations")
    return JobPage(
        index=int(values["index"]),
        name=str(values["name"]),
        status=str(values["status"]),
        attempts=int(values.get("attempts", 0)),
        error=_failure(values.get("error")),
        annotations=None if count is None else int(count),
    )


def job_document(plain: Plain) -> JobDocument:
    """A document of a job."""
    return _reading("A document", lambda: _job_document(plain))


def _job_document(values: Values) -> JobDocument:
    return JobDocument(
        id=str(values["id"]),
        title=str(values["title"]),
        first=int(values["first"]),
        pages=int(values["pages"]),
        skipped=_skipped(values),
        problems=tuple(values.get("problems", ())),
    )


def job_event(identity: str, kind: str, plain: Plain) -> JobEvent:
    """An event of a job."""
    return JobEvent(
        id=identity,
        type=kind,
        job=job(plain) if kind == "job" else None,
        page=job_page(plain) if kind == "page" else None,
        data=plain,
    )


def annotated_pages(answer: Answer) -> list[AnnotatedPage]:
    """What a model found, page by page."""
    plain: Values = answer.plain()
    return _reading("An answer", lambda: [annotated_page_from_plain(page) for page in plain["pages"]])


def annotated_page(line: str) -> AnnotatedPage:
    """A line of JSON Lines."""
    return _reading("A line", lambda: annotated_page_from_plain(json.loads(line)))


def document(plain: Plain) -> Document:
    """A document."""
    return _reading("A document", lambda: _document(plain))


def _document(values: Values) -> Document:
    return Document(
        id=str(values["id"]),
        title=str(values["title"]),
        type=values.get("type"),
        pages=int(values["pages"]),
        skipped=_skipped(values),
        created_at=_moment(values, "created_at"),
        updated_at=_moment(values, "updated_at"),
        manifest=values.get("links", {}).get("manifest"),
    )


def document_page(plain: Plain) -> DocumentPage:
    """A page of a document."""
    return _reading("A page", lambda: _document_page(plain))


def _document_page(values: Values) -> DocumentPage:
    page = page_from_plain(values["page"])
    return DocumentPage(page, int(values["revision"]), int(values["annotations"]), values.get("image"))


def page_annotations(plain: Plain) -> PageAnnotations:
    """The annotations of a page."""
    return _reading("An answer", lambda: _page_annotations(plain))


def _page_annotations(values: Values) -> PageAnnotations:
    found = [annotation_from_plain(annotation) for annotation in values["annotations"]]
    return PageAnnotations(int(values["revision"]), tuple(found))


def model(plain: Plain) -> Model:
    """A model."""
    return _reading("A model", lambda: _model(plain))


def _model(values: Values) -> Model:
    labels, aliases = values.get("labels", ()), values.get("aliases", ())
    return Model(str(values["ref"]), str(values.get("task", "")), tuple(labels), tuple(aliases), values)


def dataset(plain: Plain) -> Dataset:
    """A version of a dataset."""
    return _reading("A dataset", lambda: _dataset(plain))


def _dataset(values: Values) -> Dataset:
    return Dataset(
        ref=str(values["ref"]),
        name=str(values["name"]),
        version=str(values["version"]),
        title=str(values["title"]),
        labels=tuple(values["labels"]),
        pages=dict(values["pages"]),
        annotations=int(values["annotations"]),
        sha256=str(values["sha256"]),
        card=values,
    )


def dataset_page(plain: Plain) -> DatasetPage:
    """A page of a dataset."""
    return _reading("A page of a dataset", lambda: _dataset_page(plain))


def _dataset_page(values: Values) -> DatasetPage:
    return DatasetPage(
        index=int(values["index"]),
        name=str(values["name"]),
        split=str(values["split"]),
        document=str(values["document"]),
        width=int(values["width"]),
        height=int(values["height"]),
        labels=dict(values["labels"]),
    )


def token(plain: Plain) -> Token:
    """A token."""
    return _reading("A token", lambda: _token(plain))


def _token(values: Values) -> Token:
    return Token(
        id=str(values["id"]),
        name=str(values["name"]),
        scopes=tuple(values["scopes"]),
        created_at=_moment(values, "created_at"),
        expires_at=_moment(values, "expires_at"),
        last_used_at=_moment(values, "last_used_at"),
    )


def new_token(plain: Plain) -> NewToken:
    """A token and its secret."""
    values: Values = plain
    return _reading("A token", lambda: NewToken(token(plain), str(values["secret"])))


def workspace(plain: Plain) -> Workspace:
    """A workspace."""
    return _reading("A workspace", lambda: Workspace(str(plain["id"]), str(plain["name"])))


def route(plain: Plain) -> Route:
    """A rule of which model to use."""
    return _reading("A route", lambda: Route(str(plain["document_type"]), str(plain["model"])))


def change(plain: Plain) -> Change:
    """What a revision changed."""
    return _reading("A revision", lambda: _change(plain))


def _change(values: Values) -> Change:
    return Change(
        revision=int(values["revision"]),
        author=str(values["author"]),
        comment=values.get("comment"),
        at=datetime.fromisoformat(values["at"]),
        annotations=int(values["annotations"]),
        added=int(values["added"]),
        removed=int(values["removed"]),
        changed=int(values["changed"]),
    )


def queue(plain: Plain) -> Queue:
    """How much there is to do."""
    return _reading("An answer", lambda: _queue(plain))


def _queue(values: Values) -> Queue:
    jobs = values["jobs"]
    return Queue(
        waiting=int(values["depth"]),
        running=int(values["running"]),
        oldest_seconds=float(values["oldest_seconds"]),
        jobs_queued=int(jobs["queued"]),
        jobs_running=int(jobs["running"]),
        workers=int(values["workers"]),
    )


def estimate(plain: Plain) -> Estimate:
    """What a job would find."""
    return _reading("An estimate", lambda: _estimate(plain))


def _estimate(values: Values) -> Estimate:
    return Estimate(
        title=str(values["title"]),
        images=int(values["images"]),
        model=str(values["model"]),
        seconds=float(values["estimate_seconds"]),
        report=values,
    )


def webhook(plain: Plain) -> Webhook:
    """Where word is sent of jobs."""
    return _reading("A webhook", lambda: Webhook(str(plain["url"]), str(plain["form"]), bool(plain["signed"])))


def one(read: Callable[[Plain], T]) -> Callable[[Answer], T]:
    """Reads an answer that is one thing."""
    return lambda answer: read(answer.plain())


def listing(read: Callable[[Plain], T]) -> Callable[[Answer], Listing[T]]:
    """Reads an answer that is a list of things, or one part of a list."""
    return lambda answer: _reading("A list", lambda: _listing(answer.plain(), read))


def _listing(values: Values, read: Callable[[Plain], T]) -> Listing[T]:
    following = values.get("next")
    return Listing(tuple(read(item) for item in values["items"]), None if following is None else str(following))


def _failure(value: object) -> Failure | None:
    """A failure; a server may give its message alone."""
    match value:
        case None:
            return None
        case {"code": str(code), "message": str(message)}:
            return Failure(code, message)
    return Failure(LimnerError.code, str(value))


def _skipped(values: Values) -> Sequence[Skipped]:
    return tuple(Skipped(str(each["where"]), str(each["reason"])) for each in values.get("skipped", ()))


def _moment(values: Values, key: str) -> datetime | None:
    value = values.get(key)
    return None if value is None else datetime.fromisoformat(value)


def _reading(what: str, read: Callable[[], T]) -> T:
    """Turn what Python raises at wrong values into one error that says where it was."""
    try:
        return read()
    except LimnerError:
        raise
    except KeyError as error:
        raise FormatError(f"{what} from the server lacks {error.args[0]!r}.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{what} from the server cannot be read: {error}") from error
