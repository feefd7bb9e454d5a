"""Mailboxes that are fetched and what is known of a mail's sender."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import helpdesk.db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "mail_account",
        sa.Column("id", _ID, nullable=False),
        sa.Column("inbox_id", _ID, nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port", _ID, nullable=False),
        sa.Column("tls", sa.Enum("implicit", "starttls", "none", name="tls", native_enum=False, length=16), nullable=False),
        sa.Column("username", sa.String(length=320), nullable=False),
        sa.Column("sign_in", sa.Enum("password", "oauth", name="signin", native_enum=False, length=16), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("token_url", sa.String(length=500), nullable=False),
        sa.Column("client_id", sa.String(length=300), nullable=False),
        sa.Column("client_secret", sa.Text(), nullable=False),
        sa.Column("refresh_token", sa.Text(), nullable=False),
        sa.Column("scope", sa.String(length=500), nullable=False),
        sa.Column("folders", sa.JSON(), nullable=False),
        sa.Column("afterwards", sa.Enum("mark", "move", "delete", name="afterwards", native_enum=False, length=16), nullable=False),
        sa.Column("move_to", sa.String(length=255), nullable=False),
        sa.Column("idle", sa.Boolean(), nullable=False),
        sa.Column("every_s", _ID, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", _ID, nullable=False),
        sa.Column("held_by", sa.String(length=64), nullable=False),
        sa.Column("held_until", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("tried_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("fetched_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("next_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("failures", _ID, nullable=False),
        sa.Column("trouble", sa.String(length=1000), nullable=False),
        sa.Column("taken", _ID, nullable=False),
        sa.Column("left_behind", _ID, nullable=False),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name=op.f("fk_mail_account_inbox_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_account")),
    )
    op.create_index("ix_mail_account_inbox_id", "mail_account", ["inbox_id"], unique=False)
    op.create_index("ix_mail_account_next_at", "mail_account", ["next_at"], unique=False)
    op.create_table(
        "mail_folder",
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("uidvalidity", _ID, nullable=False),
        sa.Column("last_uid", _ID, nullable=False),
        sa.Column("stuck_uid", _ID, nullable=False),
        sa.Column("stuck_tries", _ID, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["mail_account.id"], name=op.f("fk_mail_folder_account_id")),
        sa.PrimaryKeyConstraint("account_id", "folder", name=op.f("pk_mail_folder")),
    )
    op.create_table(
        "inbox_trust",
        sa.Column("inbox_id", _ID, nullable=False),
        sa.Column("authserv_id", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name=op.f("fk_inbox_trust_inbox_id")),
        sa.PrimaryKeyConstraint("inbox_id", name=op.f("pk_inbox_trust")),
    )
    op.add_column("message", sa.Column("sender_checks", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))


def downgrade() -> None:
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_column("sender_checks")
    op.drop_table("inbox_trust")
    op.drop_table("mail_folder")
    op.drop_table("mail_account")
