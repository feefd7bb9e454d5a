"""Leases that run out are found without looking at what waits for its time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    condition = sa.text("claimed_until IS NOT NULL")
    op.create_index("ix_delivery_claimed", "delivery", ["claimed_until"], sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    op.drop_index("ix_delivery_claimed", "delivery")
