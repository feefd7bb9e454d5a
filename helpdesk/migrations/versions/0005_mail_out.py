"""Mail that waits for its hour, and signatures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from helpdesk.db import Id, UtcDateTime, where

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scheduled_reply",
        sa.Column("id", Id, primary_key=True),
        sa.Column("ticket_id", Id, sa.ForeignKey("ticket.id"), nullable=False),
        sa.Column("user_id", Id, sa.ForeignKey("user.id"), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("send_at", UtcDateTime(), nullable=False),
        sa.Column("then", sa.String(10), nullable=False),
        sa.Column("seen", Id, nullable=False),
        sa.Column("client_id", sa.String(60), nullable=True),
        sa.Column("state", sa.Enum("waiting", "sent", "cancelled", name="scheduledstate", native_enum=False, length=16), nullable=False),
        sa.Column("why", sa.String(10), nullable=False),
        sa.Column("message_id", Id, sa.ForeignKey("message.id"), nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ix_scheduled_reply_waiting", "scheduled_reply", ["ticket_id", "send_at"], **where("state = 'waiting'"))
    op.create_index("ix_scheduled_reply_user_id", "scheduled_reply", ["user_id"])
    op.create_index(
        "uq_scheduled_reply_client", "scheduled_reply", ["ticket_id", "client_id"], unique=True, **where("client_id IS NOT NULL")
    )
    op.create_table(
        "scheduled_file",
        sa.Column("id", Id, primary_key=True),
        sa.Column("reply_id", Id, sa.ForeignKey("scheduled_reply.id"), nullable=False),
        sa.Column("object_key", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("content_type", sa.String(120), nullable=False),
        sa.Column("size", Id, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )
    op.create_index("ix_scheduled_file_reply_id", "scheduled_file", ["reply_id"])
    op.create_table(
        "mail_text",
        sa.Column("id", Id, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("language", sa.String(5), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.UniqueConstraint("kind", "language"),
    )
    op.add_column("inbox", sa.Column("quote_history", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("inbox", sa.Column("files_mb", Id, nullable=False, server_default="12"))
    op.add_column("identity", sa.Column("refuses_since", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("identity", "refuses_since")
    op.drop_column("inbox", "files_mb")
    op.drop_column("inbox", "quote_history")
    op.drop_table("mail_text")
    op.drop_table("scheduled_file")
    op.drop_table("scheduled_reply")
