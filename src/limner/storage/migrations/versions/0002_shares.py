"""What viewers may see without a token."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.String(40)


def upgrade() -> None:
    """Do it."""
    op.create_table(
        "shares",
        Column("key", sa.String(64), nullable=False),
        Column("workspace_id", _ID, nullable=False),
        Column("document_id", _ID),
        Column("job_id", _ID),
        Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_shares"),
        _refers("workspace_id", "workspaces"),
        _refers("document_id", "documents"),
        _refers("job_id", "jobs"),
        sa.UniqueConstraint("document_id", name="uq_shares_document_id"),
        sa.UniqueConstraint("job_id", name="uq_shares_job_id"),
    )
    op.create_index("ix_shares_workspace_id", "shares", ["workspace_id"])


def downgrade() -> None:
    """Undo it."""
    op.drop_table("shares")


def _refers(column: str, table: str) -> ForeignKeyConstraint:
    name = f"fk_shares_{column}_{table}"
    return ForeignKeyConstraint([column], [f"{table}.id"], name=name, ondelete="CASCADE")
