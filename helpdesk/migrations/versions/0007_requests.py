"""Request forms, the portal's look and its notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from helpdesk.db import Id, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KINDS = ("text", "long_text", "number", "date", "choice", "yes_no", "file")


def upgrade() -> None:
    op.create_table(
        "topic",
        sa.Column("id", Id, primary_key=True),
        sa.Column("key", sa.String(60), nullable=False, unique=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("name_ru", sa.String(120), nullable=False),
        sa.Column("help", sa.Text(), nullable=False),
        sa.Column("help_ru", sa.Text(), nullable=False),
        sa.Column("queue_id", Id, sa.ForeignKey("queue.id"), nullable=False),
        sa.Column("position", Id, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", Id, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "topic_field",
        sa.Column("id", Id, primary_key=True),
        sa.Column("topic_id", Id, sa.ForeignKey("topic.id"), nullable=False),
        sa.Column("key", sa.String(60), nullable=False, unique=True),
        sa.Column("kind", sa.Enum(*KINDS, name="kind", native_enum=False, length=16), nullable=False),
        sa.Column("label", sa.String(120), nullable=False),
        sa.Column("label_ru", sa.String(120), nullable=False),
        sa.Column("hint", sa.String(300), nullable=False),
        sa.Column("hint_ru", sa.String(300), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("shown_if_id", Id, sa.ForeignKey("topic_field.id"), nullable=True),
        sa.Column("shown_if_values", sa.JSON(), nullable=False),
        sa.Column("position", Id, nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.Column("version", Id, nullable=False),
    )
    op.create_index("ix_topic_field_topic_id", "topic_field", ["topic_id", "position"])
    op.create_table(
        "notice",
        sa.Column("id", Id, primary_key=True),
        sa.Column("level", sa.Enum("news", "good", "limited", "down", name="level", native_enum=False, length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_ru", sa.Text(), nullable=False),
        sa.Column("from_at", UtcDateTime(), nullable=False),
        sa.Column("until_at", UtcDateTime(), nullable=True),
        sa.Column("article_id", Id, sa.ForeignKey("article.id"), nullable=True),
        sa.Column("may_be_dismissed", sa.Boolean(), nullable=False),
        sa.Column("version", Id, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_notice_until_at", "notice", ["until_at"])
    op.create_index("ix_notice_article_id", "notice", ["article_id"])
    op.create_table(
        "link_epoch",
        sa.Column("ticket_id", Id, sa.ForeignKey("ticket.id"), primary_key=True),
        sa.Column("contact_id", Id, sa.ForeignKey("contact.id"), primary_key=True),
        sa.Column("epoch", Id, nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_link_epoch_contact_id", "link_epoch", ["contact_id"])
    op.add_column("ticket", sa.Column("topic_id", Id, nullable=True))
    op.create_index("ix_ticket_topic_id", "ticket", ["topic_id"])


def downgrade() -> None:
    op.drop_index("ix_ticket_topic_id", "ticket")
    op.drop_column("ticket", "topic_id")
    op.drop_table("link_epoch")
    op.drop_table("notice")
    op.drop_table("topic_field")
    op.drop_table("topic")
