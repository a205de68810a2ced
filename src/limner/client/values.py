"""What a server's answers hold: typed, frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar

from limner.annotations.annotation import Annotation
from limner.annotations.page import Page

T = TypeVar("T")
#: A JSON object as it came.
Values: TypeAlias = Mapping[str, Any]

#: A job in one of these does nothing any more, unless it is tried again.
FINAL = frozenset({"succeeded", "partly_failed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed."""

    #: Stable name of the error, as in `limner.core.errors`.
    code: str
    #: A sentence for people.
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class PageCounts:
    """How far a job is."""

    total: int
    done: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stood when the server was asked."""

    id: str
    kind: str
    #: ``queued``, ``running``, ``succeeded``, ``partly_failed``, ``failed`` or ``cancelled``.
    status: str
    pages: PageCounts
    model: str | None
    source: str | None
    title: str | None
    #: A higher one goes first among the jobs of its workspace.
    priority: int
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    error: Failure | None

    @property
    def final(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A page of a job as it stood when the server was asked."""

    #: Position in the job, from 0.
    index: int
    #: File name.
    name: str
    #: ``waiting``, ``running``, ``done`` or ``failed``.
    status: str
    #: How often it was begun; 0 where the server does not say.
    attempts: int
    error: Failure | None
    #: How many annotations it has; None while it is not done.
    annotations: int | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a source that cannot be annotated."""

    #: The canvas, file or entry.
    where: str
    #: Why, in a sentence.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDocument:
    """A document of a job: a manifest, a PDF, some images…"""

    id: str
    title: str
    #: Index of its first page in the job, and how many pages it has there.
    first: int
    pages: int
    skipped: Sequence[Skipped]
    #: What was odd in it, and was mended.
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job: the job as it was then, or one of its pages."""

    #: Grows with each event of the job.
    id: str
    #: ``job``, ``page``, or a kind that a newer server knows.
    type: str
    job: Job | None
    page: JobPage | None
    #: The event as it came.
    data: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document that the server keeps."""

    id: str
    title: str
    #: ``manuscript``, ``print``, …; None where nobody said.
    type: str | None
    #: How many pages it has.
    pages: int
    #: What of its files could not be read.
    skipped: Sequence[Skipped]
    created_at: datetime | None
    updated_at: datetime | None
    #: Address of its IIIF manifest, as the server gives it.
    manifest: str | None


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A page of a document, without its annotations."""

    #: What is known of it; ``page.index`` is its position in the document, from 0.
    page: Page
    #: Grows with each change of its annotations.
    revision: int
    #: How many annotations it has.
    annotations: int
    #: Address of its image, as the server gives it.
    image: str | None


@dataclass(frozen=True, slots=True)
class PageAnnotations:
    """The annotations of a page, and the revision they are at."""

    #: Grows with each change: who changes them says which one they saw.
    revision: int
    annotations: Sequence[Annotation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one revision of a page changed."""

    revision: int
    #: A person, or ``job:`` and its id.
    author: str
    comment: str | None
    at: datetime
    #: How many annotations there were then.
    annotations: int
    added: int
    removed: int
    changed: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model that the server has."""

    #: Name and version, ``name@version``.
    ref: str
    #: What it does: ``detect``, ``segment``, ``ocr``.
    task: str
    labels: Sequence[str]
    aliases: Sequence[str]
    #: Its card as it came: title, description, licence, figures…
    card: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A version of a dataset that the server has."""

    #: Name and version, ``name@version``.
    ref: str
    name: str
    version: str
    title: str
    #: In the order of a network's outputs.
    labels: Sequence[str]
    #: Pages in each split.
    pages: Mapping[str, int]
    annotations: int
    #: Hash of what is in it.
    sha256: str
    #: All that came: source, licence; what was passed over (``problems``), or figures (``statistics``).
    card: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPage:
    """A page of a dataset, without its annotations."""

    #: Position, from 0.
    index: int
    name: str
    #: ``train``, ``val`` or ``test``.
    split: str
    document: str
    width: int
    height: int
    #: How many annotations it has of each label.
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token, without its secret."""

    id: str
    name: str
    scopes: Sequence[str]
    created_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made, and its secret, which is not to be had a second time."""

    token: Token
    secret: str

    def __repr__(self) -> str:
        return f"NewToken({self.token!r}, secret=…)"


@dataclass(frozen=True, slots=True)
class Workspace:
    """An owner of jobs, documents, models and tokens."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Route:
    """Which model documents of a type go to."""

    document_type: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How much there is to do."""

    #: Tasks that wait and tasks that are worked on, of all workspaces: a task is a chunk of pages.
    waiting: int
    running: int
    #: How long the oldest job has waited that was not begun yet, seconds; 0 for none.
    oldest_seconds: float
    #: Jobs of this workspace.
    jobs_queued: int
    jobs_running: int
    #: Processes that work.
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a job would find in a manifest or collection, and how long it would take."""

    title: str
    #: Images that can be annotated.
    images: int
    model: str
    #: For all images, fetched as politely as the server is set to.
    seconds: float
    #: The whole report as it came: sizes, what cannot be used and why, what was odd.
    report: Values


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where word is sent when a job of the workspace ends."""

    url: str
    #: ``json`` or ``extractor``.
    form: str
    #: Whether it is signed with a key of the workspace's own.
    signed: bool


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """Some items of a list, and where the next ones begin."""

    items: Sequence[T]
    next: str | None
