"""Segments keep how many answer them; an index of customers in which the usual ones are counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from helpdesk.db import Id, UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ALIVE = sa.text("merged_into_id IS NULL AND erased_at IS NULL")


def upgrade() -> None:
    op.add_column("segment", sa.Column("counted", Id, nullable=True))
    op.add_column("segment", sa.Column("counted_at", UtcDateTime(), nullable=True))
    op.add_column("segment", sa.Column("count_ms", Id, nullable=True))
    op.create_index(
        "ix_contact_asked", "contact", ["lifecycle", "language", "last_at", "id", "name"], sqlite_where=ALIVE, postgresql_where=ALIVE
    )


def downgrade() -> None:
    op.drop_index("ix_contact_asked", table_name="contact")
    with op.batch_alter_table("segment") as batch_op:
        batch_op.drop_column("count_ms")
        batch_op.drop_column("counted_at")
        batch_op.drop_column("counted")
