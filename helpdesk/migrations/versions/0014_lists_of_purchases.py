"""A list that is taken in holds customers or purchases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("import_run", sa.Column("subject", sa.String(8), nullable=False, server_default="contacts"))


def downgrade() -> None:
    # Without the column every run is one of customers; what the others did could not be taken back.
    op.execute("DELETE FROM import_row WHERE run_id IN (SELECT id FROM import_run WHERE subject <> 'contacts')")
    op.execute("DELETE FROM import_run WHERE subject <> 'contacts'")
    with op.batch_alter_table("import_run") as batch_op:
        batch_op.drop_column("subject")
