"""A mail account may be fetched for several inboxes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from helpdesk.db import Id

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mail_account_inbox",
        sa.Column("account_id", Id, nullable=False),
        sa.Column("inbox_id", Id, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["mail_account.id"], name=op.f("fk_mail_account_inbox_account_id")),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name=op.f("fk_mail_account_inbox_inbox_id")),
        sa.PrimaryKeyConstraint("account_id", "inbox_id", name=op.f("pk_mail_account_inbox")),
    )
    op.create_index("ix_mail_account_inbox_inbox_id", "mail_account_inbox", ["inbox_id"])


def downgrade() -> None:
    op.drop_table("mail_account_inbox")
