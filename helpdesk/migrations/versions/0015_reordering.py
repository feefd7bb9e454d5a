"""How far waiting work has followed a changed rule."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from helpdesk.db import Id, UtcDateTime, where

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reordering",
        sa.Column("id", Id, nullable=False),
        sa.Column("queue_id", Id, nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("total", Id, nullable=False),
        sa.Column("done", Id, nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_reordering_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reordering")),
    )
    op.create_index("ix_reordering_open", "reordering", ["queue_id"], **where("finished_at IS NULL"))


def downgrade() -> None:
    op.drop_table("reordering")
