"""What a timeline is made of, and what was promised in it, stand in indexes: a long one is no longer read whole for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

PROMISED = sa.text("next_at IS NOT NULL")


def upgrade() -> None:
    op.create_index("ix_interaction_timeline", "interaction", ["contact_id", "at", "id", "kind", "channel", "user_id"])
    op.drop_index("ix_interaction_contact_at", table_name="interaction")
    op.create_index("ix_interaction_promises", "interaction", ["contact_id", "next_at"], sqlite_where=PROMISED, postgresql_where=PROMISED)


def downgrade() -> None:
    op.drop_index("ix_interaction_promises", table_name="interaction")
    op.create_index("ix_interaction_contact_at", "interaction", ["contact_id", "at", "id"])
    op.drop_index("ix_interaction_timeline", table_name="interaction")
