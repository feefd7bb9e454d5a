"""Which stranger's machine handed a mail over, so that its right to the sender's domain can be looked up (SPF)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("arrival", sa.Column("peer", sa.String(length=45), nullable=False, server_default=""))
    op.add_column("arrival", sa.Column("helo", sa.String(length=255), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("arrival") as batch_op:
        batch_op.drop_column("helo")
        batch_op.drop_column("peer")
