"""The tables, and nothing else. `limner.storage.migrations` brings a database to this state."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from limner.storage.columns import Packed, Utc

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Length of the ids that we give out.
_ID = String(40)
#: Tasks and pages that are still to be dealt with have one of these.
OPEN = ("waiting", "running")


def _workspace() -> Column[str]:
    return Column("workspace_id", _ID, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False)


def _job(primary: bool = True) -> Column[str]:
    return Column("job_id", _ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=primary, nullable=False)


WORKSPACES = Table(
    "workspaces",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("settings", JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", _ID, primary_key=True),
    _workspace(),
    Column("name", String(200), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc),
    Column("last_used_at", Utc),
    Index(None, "workspace_id"),
)

ROUTES = Table(
    "routes",
    METADATA,
    Column("workspace_id", _ID, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("document_type", String(100), primary_key=True),
    Column("model", String(200), nullable=False),
)

IDEMPOTENCY = Table(
    "idempotency_keys",
    METADATA,
    Column("workspace_id", _ID, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status_code", Integer),
    Column("headers", JSON),
    Column("body", LargeBinary),
    Column("created_at", Utc, nullable=False),
    Index(None, "created_at"),
)

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", _ID, primary_key=True),
    _workspace(),
    Column("kind", String(40), nullable=False),
    Column("status", String(20), nullable=False),
    Column("queue", String(200), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("model", String(200)),
    Column("source", Text),
    Column("payload", JSON, nullable=False),
    Column("planned", Boolean, nullable=False),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    # Number of the job's last event. Counted in its row, so that events appear in their order to every reader.
    Column("seq", Integer, nullable=False),
    Column("error", JSON),
    Column("created_at", Utc, nullable=False),
    Column("started_at", Utc),
    Column("finished_at", Utc),
    Column("images_kept", Boolean, nullable=False),
    Index(None, "workspace_id", "created_at", "id"),
    Index(None, "status", "finished_at"),
)

JOB_PAGES = Table(
    "job_pages",
    METADATA,
    _job(),
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("task", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", JSON),
    Column("started_at", Utc),
    Column("finished_at", Utc),
    Index(None, "job_id", "task"),
    Index(None, "job_id", "status", "number"),
)

# Apart from the pages, whose rows change often and are read in lists.
JOB_RESULTS = Table(
    "job_results",
    METADATA,
    Column("job_id", _ID, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("data", Packed, nullable=False),
    sa.ForeignKeyConstraint(["job_id", "number"], ["job_pages.job_id", "job_pages.number"], ondelete="CASCADE"),
)

_TASK_OPEN = sa.text("status IN ('waiting', 'running')")
JOB_TASKS = Table(
    "job_tasks",
    METADATA,
    _job(),
    Column("number", Integer, primary_key=True),
    Column("stage", String(10), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("queue", String(200), nullable=False),
    Column("status", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    # The durable lane that took it, and the one execution of that lane which may write.
    Column("lane", _ID),
    Column("owner", _ID),
    Index("ix_job_tasks_open", "queue", "status", "job_id", sqlite_where=_TASK_OPEN, postgresql_where=_TASK_OPEN),
    Index(None, "lane"),
    Index(None, "owner"),
)

JOB_EVENTS = Table(
    "job_events",
    METADATA,
    _job(),
    Column("seq", Integer, primary_key=True),
    Column("type", String(40), nullable=False),
    Column("data", JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
)

QUEUES = Table(
    "job_queues",
    METADATA,
    Column("name", String(200), primary_key=True),
    # Counts the turns given, so that the workspace that had its turn longest ago is next.
    Column("clock", Integer, nullable=False),
)

TURNS = Table(
    "job_turns",
    METADATA,
    Column("queue", String(200), ForeignKey("job_queues.name", ondelete="CASCADE"), primary_key=True),
    Column("workspace_id", _ID, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("turn", Integer, nullable=False),
)

WORKERS = Table(
    "workers",
    METADATA,
    Column("id", String(200), primary_key=True),
    Column("incarnation", _ID, nullable=False),
    Column("host", String(200), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("kinds", JSON, nullable=False),
    Column("state", String(10), nullable=False),
    # Watched for change by the others, who so need no clock in common.
    Column("beat", Integer, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
)

DELIVERIES = Table(
    "webhook_deliveries",
    METADATA,
    Column("id", _ID, primary_key=True),
    _workspace(),
    Column("job_id", _ID, ForeignKey("jobs.id", ondelete="SET NULL")),
    Column("event", String(40), nullable=False),
    Column("url", Text, nullable=False),
    Column("content_type", String(200), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("status", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("next_at", Utc),
    Column("finished_at", Utc),
    Index(None, "status", "next_at"),
    Index(None, "workspace_id", "created_at"),
    Index(None, "job_id"),
)

DELIVERY_ATTEMPTS = Table(
    "webhook_attempts",
    METADATA,
    Column("delivery_id", _ID, ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("status_code", Integer),
    Column("error", Text),
    Column("seconds", sa.Float, nullable=False),
)

DOCUMENTS = Table(
    "documents",
    METADATA,
    Column("id", _ID, primary_key=True),
    _workspace(),
    Column("title", Text, nullable=False),
    Column("source", Text),
    Column("type", String(100)),
    Column("rights", Text),
    Column("metadata", JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("images_until", Utc),
    Index(None, "workspace_id", "created_at", "id"),
    Index(None, "images_until"),
)

DOCUMENT_PAGES = Table(
    "document_pages",
    METADATA,
    Column("document_id", _ID, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("page_id", Text, nullable=False),
    Column("page", JSON, nullable=False),
    Column("image", Text),
    Column("revision", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("annotations", Packed, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("updated_by", String(200), nullable=False),
    sa.UniqueConstraint("document_id", "page_id"),
)

# What viewers may see without a token: whoever knows the key of a document or job may read it.
SHARES = Table(
    "shares",
    METADATA,
    Column("key", String(64), primary_key=True),
    _workspace(),
    Column("document_id", _ID, ForeignKey("documents.id", ondelete="CASCADE"), unique=True),
    Column("job_id", _ID, ForeignKey("jobs.id", ondelete="CASCADE"), unique=True),
    Column("created_at", Utc, nullable=False),
    Index(None, "workspace_id"),
)

PAGE_REVISIONS = Table(
    "page_revisions",
    METADATA,
    Column("document_id", _ID, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("annotations", Packed, nullable=False),
    Column("author", String(200), nullable=False),
    Column("comment", Text),
    Column("created_at", Utc, nullable=False),
    sa.ForeignKeyConstraint(
        ["document_id", "number"], ["document_pages.document_id", "document_pages.number"], ondelete="CASCADE"
    ),
)
