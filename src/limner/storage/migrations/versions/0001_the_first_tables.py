"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.String(40)
_NAME = sa.String(200)
_OPEN = sa.text("status IN ('waiting', 'running')")


def upgrade() -> None:
    """Do it."""
    _owners()
    _jobs()
    _work()
    _webhooks()
    _documents()


def downgrade() -> None:
    """Undo it: the last made first, as others refer to those before."""
    for table in (
        *("page_revisions", "document_pages", "documents"),
        *("webhook_attempts", "webhook_deliveries"),
        *("workers", "job_turns", "job_queues"),
        *("job_events", "job_tasks", "job_results", "job_pages", "jobs"),
        *("idempotency_keys", "routes", "tokens", "workspaces"),
    ):
        op.drop_table(table)


def _needed(name: str, kind: Any) -> Column[Any]:  # noqa: ANN401 - any type of column
    return Column(name, kind, nullable=False)


def _moment(name: str, *, needed: bool = True) -> Column[Any]:
    return Column(name, sa.DateTime(timezone=True), nullable=not needed)


def _refers(table: str, columns: list[str], to: str, there: list[str], *, lost: str = "CASCADE") -> Any:  # noqa: ANN401
    name = f"fk_{table}_{'_'.join(columns)}_{to}"
    return sa.ForeignKeyConstraint(columns, [f"{to}.{column}" for column in there], name=name, ondelete=lost)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _in_workspace(table: str) -> tuple[Any, Any]:
    return _needed("workspace_id", _ID), _refers(table, ["workspace_id"], "workspaces", ["id"])


def _owners() -> None:
    op.create_table(
        "workspaces",
        _needed("id", _ID),
        _needed("name", _NAME),
        _needed("settings", sa.JSON()),
        _moment("created_at"),
        _key("workspaces", "id"),
        sa.UniqueConstraint("name", name="uq_workspaces_name"),
    )
    op.create_table(
        "tokens",
        _needed("id", _ID),
        *_in_workspace("tokens"),
        _needed("name", _NAME),
        _needed("hash", sa.String(64)),
        _needed("scopes", sa.JSON()),
        _moment("created_at"),
        _moment("expires_at", needed=False),
        _moment("last_used_at", needed=False),
        _key("tokens", "id"),
        sa.UniqueConstraint("hash", name="uq_tokens_hash"),
    )
    _index("tokens", "workspace_id")
    op.create_table(
        "routes",
        *_in_workspace("routes"),
        _needed("document_type", sa.String(100)),
        _needed("model", _NAME),
        _key("routes", "workspace_id", "document_type"),
    )
    op.create_table(
        "idempotency_keys",
        *_in_workspace("idempotency_keys"),
        _needed("key", sa.String(255)),
        _needed("fingerprint", sa.String(64)),
        Column("status_code", sa.Integer()),
        Column("headers", sa.JSON()),
        Column("body", sa.LargeBinary()),
        _moment("created_at"),
        _key("idempotency_keys", "workspace_id", "key"),
    )
    _index("idempotency_keys", "created_at")


def _jobs() -> None:
    op.create_table(
        "jobs",
        _needed("id", _ID),
        *_in_workspace("jobs"),
        _needed("kind", sa.String(40)),
        _needed("status", sa.String(20)),
        _needed("queue", _NAME),
        _needed("priority", sa.Integer()),
        Column("model", _NAME),
        Column("source", sa.Text()),
        _needed("payload", sa.JSON()),
        _needed("planned", sa.Boolean()),
        *(_needed(name, sa.Integer()) for name in ("total", "done", "failed", "seq")),
        Column("error", sa.JSON()),
        _moment("created_at"),
        _moment("started_at", needed=False),
        _moment("finished_at", needed=False),
        _needed("images_kept", sa.Boolean()),
        _key("jobs", "id"),
    )
    _index("jobs", "workspace_id", "created_at", "id")
    _index("jobs", "status", "finished_at")
    op.create_table(
        "job_pages",
        _needed("job_id", _ID),
        _needed("number", sa.Integer()),
        _needed("name", sa.Text()),
        _needed("payload", sa.JSON()),
        _needed("task", sa.Integer()),
        _needed("status", sa.String(20)),
        _needed("attempts", sa.Integer()),
        Column("error", sa.JSON()),
        _moment("started_at", needed=False),
        _moment("finished_at", needed=False),
        _refers("job_pages", ["job_id"], "jobs", ["id"]),
        _key("job_pages", "job_id", "number"),
    )
    _index("job_pages", "job_id", "task")
    _index("job_pages", "job_id", "status", "number")
    op.create_table(
        "job_results",
        _needed("job_id", _ID),
        _needed("number", sa.Integer()),
        _needed("data", sa.LargeBinary()),
        _refers("job_results", ["job_id", "number"], "job_pages", ["job_id", "number"]),
        _key("job_results", "job_id", "number"),
    )


def _work() -> None:
    op.create_table(
        "job_tasks",
        _needed("job_id", _ID),
        _needed("number", sa.Integer()),
        _needed("stage", sa.String(10)),
        _needed("kind", sa.String(40)),
        _needed("queue", _NAME),
        _needed("status", sa.String(10)),
        _needed("attempts", sa.Integer()),
        Column("lane", _ID),
        Column("owner", _ID),
        _refers("job_tasks", ["job_id"], "jobs", ["id"]),
        _key("job_tasks", "job_id", "number"),
    )
    open_ones = ["queue", "status", "job_id"]
    op.create_index("ix_job_tasks_open", "job_tasks", open_ones, sqlite_where=_OPEN, postgresql_where=_OPEN)
    _index("job_tasks", "lane")
    _index("job_tasks", "owner")
    op.create_table(
        "job_events",
        _needed("job_id", _ID),
        _needed("seq", sa.Integer()),
        _needed("type", sa.String(40)),
        _needed("data", sa.JSON()),
        _moment("created_at"),
        _refers("job_events", ["job_id"], "jobs", ["id"]),
        _key("job_events", "job_id", "seq"),
    )
    op.create_table("job_queues", _needed("name", _NAME), _needed("clock", sa.Integer()), _key("job_queues", "name"))
    op.create_table(
        "job_turns",
        _needed("queue", _NAME),
        *_in_workspace("job_turns"),
        _needed("turn", sa.Integer()),
        _refers("job_turns", ["queue"], "job_queues", ["name"]),
        _key("job_turns", "queue", "workspace_id"),
    )
    op.create_table(
        "workers",
        _needed("id", _NAME),
        _needed("incarnation", _ID),
        _needed("host", _NAME),
        _needed("pid", sa.Integer()),
        _needed("kinds", sa.JSON()),
        _needed("state", sa.String(10)),
        _needed("beat", sa.Integer()),
        _moment("started_at"),
        _moment("seen_at"),
        _key("workers", "id"),
    )


def _webhooks() -> None:
    op.create_table(
        "webhook_deliveries",
        _needed("id", _ID),
        *_in_workspace("webhook_deliveries"),
        Column("job_id", _ID),
        _needed("event", sa.String(40)),
        _needed("url", sa.Text()),
        _needed("content_type", _NAME),
        _needed("body", sa.LargeBinary()),
        _needed("status", sa.String(10)),
        _needed("attempts", sa.Integer()),
        _moment("created_at"),
        _moment("next_at", needed=False),
        _moment("finished_at", needed=False),
        _refers("webhook_deliveries", ["job_id"], "jobs", ["id"], lost="SET NULL"),
        _key("webhook_deliveries", "id"),
    )
    _index("webhook_deliveries", "status", "next_at")
    _index("webhook_deliveries", "workspace_id", "created_at")
    _index("webhook_deliveries", "job_id")
    op.create_table(
        "webhook_attempts",
        _needed("delivery_id", _ID),
        _needed("number", sa.Integer()),
        _moment("at"),
        Column("status_code", sa.Integer()),
        Column("error", sa.Text()),
        _needed("seconds", sa.Float()),
        _refers("webhook_attempts", ["delivery_id"], "webhook_deliveries", ["id"]),
        _key("webhook_attempts", "delivery_id", "number"),
    )


def _documents() -> None:
    op.create_table(
        "documents",
        _needed("id", _ID),
        *_in_workspace("documents"),
        _needed("title", sa.Text()),
        Column("source", sa.Text()),
        Column("type", sa.String(100)),
        Column("rights", sa.Text()),
        _needed("metadata", sa.JSON()),
        _moment("created_at"),
        _moment("updated_at"),
        _moment("images_until", needed=False),
        _key("documents", "id"),
    )
    _index("documents", "workspace_id", "created_at", "id")
    _index("documents", "images_until")
    op.create_table(
        "document_pages",
        _needed("document_id", _ID),
        _needed("number", sa.Integer()),
        _needed("page_id", sa.Text()),
        _needed("page", sa.JSON()),
        Column("image", sa.Text()),
        _needed("revision", sa.Integer()),
        _needed("count", sa.Integer()),
        _needed("annotations", sa.LargeBinary()),
        _moment("updated_at"),
        _needed("updated_by", _NAME),
        _refers("document_pages", ["document_id"], "documents", ["id"]),
        _key("document_pages", "document_id", "number"),
        sa.UniqueConstraint("document_id", "page_id", name="uq_document_pages_document_id_page_id"),
    )
    op.create_table(
        "page_revisions",
        _needed("document_id", _ID),
        _needed("number", sa.Integer()),
        _needed("revision", sa.Integer()),
        _needed("count", sa.Integer()),
        _needed("annotations", sa.LargeBinary()),
        _needed("author", _NAME),
        Column("comment", sa.Text()),
        _moment("created_at"),
        _refers("page_revisions", ["document_id", "number"], "document_pages", ["document_id", "number"]),
        _key("page_revisions", "document_id", "number", "revision"),
    )
