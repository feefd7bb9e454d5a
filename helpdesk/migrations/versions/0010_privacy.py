"""Consent, erasure, retention and access."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from helpdesk.db import Id, UtcDateTime, where

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(12), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(12), nullable=False),
        sa.Column("version", sa.String(20), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("proof", sa.String(300), nullable=False),
        sa.Column("user_id", Id, nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_consent_contact_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_consent_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index("ix_consent_contact_id", "consent", ["contact_id", "purpose", "channel", "id"])
    op.create_table(
        "legal_hold",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("user_id", Id, nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("lifted_at", UtcDateTime(), nullable=True),
        sa.Column("lifted_by_id", Id, nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_legal_hold_contact_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_legal_hold_user_id")),
        sa.ForeignKeyConstraint(["lifted_by_id"], ["user.id"], name=op.f("fk_legal_hold_lifted_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
    )
    op.create_index("ix_legal_hold_contact_id", "legal_hold", ["contact_id"])
    op.create_table(
        "erasure_wish",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_erasure_wish_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_wish")),
    )
    op.create_index("uq_erasure_wish_waiting", "erasure_wish", ["contact_id"], unique=True, **where("state = 'waiting'"))
    op.create_table(
        "erasure",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("user_id", Id, nullable=True),
        sa.Column("source", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("ledger", sa.JSON(), nullable=False),
        sa.Column("needles", sa.Text(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_erasure_contact_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_erasure_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    op.create_index(op.f("ix_erasure_contact_id"), "erasure", ["contact_id"])
    op.create_table(
        "profile_access",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("what", sa.String(10), nullable=False),
        sa.Column("via", sa.String(10), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_profile_access_contact_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_profile_access_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_access")),
    )
    op.create_index("ix_profile_access_contact_id", "profile_access", ["contact_id", "at"])
    op.create_index("ix_profile_access_at", "profile_access", ["at"])
    op.create_index("ix_message_contact_id", "message", ["contact_id"], **where("contact_id IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_message_contact_id", "message")
    for table in ("profile_access", "erasure", "erasure_wish", "legal_hold", "consent"):
        op.drop_table(table)
