"""What supervisors try out and what customers are told while they wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from helpdesk.db import Id, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact_wish",
        sa.Column("ticket_id", Id, sa.ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
        sa.Column("contact_id", Id, sa.ForeignKey("contact.id"), nullable=False),
        sa.Column("kind", sa.String(5), nullable=False),
        sa.Column("value", sa.String(320), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("done_by_id", Id, sa.ForeignKey("user.id"), nullable=True),
    )
    op.create_index("ix_contact_wish_contact_id", "contact_wish", ["contact_id"])
    op.create_table(
        "dry_run",
        sa.Column("id", Id, primary_key=True),
        sa.Column("asked_by_id", Id, sa.ForeignKey("user.id"), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("queue_id", Id, sa.ForeignKey("queue.id"), nullable=False),
        sa.Column("begins_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("change", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(7), nullable=False),
        sa.Column("progress", Id, nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ix_dry_run_asked_at", "dry_run", ["asked_at"])
    op.add_column("agent_profile", sa.Column("sound", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("agent_profile", sa.Column("do_not_disturb", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_assignment_started_at", "assignment", ["started_at"])


def downgrade() -> None:
    op.drop_index("ix_assignment_started_at", "assignment")
    op.drop_column("agent_profile", "do_not_disturb")
    op.drop_column("agent_profile", "sound")
    op.drop_table("dry_run")
    op.drop_table("contact_wish")
