"""Merging, imports and segments of customers; the history of their fields, the desk's own fields, triage, promises."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import helpdesk.db
from helpdesk.crm.keys import match_key, name_key

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ALIVE = "merged_into_id IS NULL AND erased_at IS NULL"
PROMISED = "next_at IS NOT NULL AND next_done_at IS NULL"
BATCH = 2000


def upgrade() -> None:
    _columns()
    _fill()
    _indexes()
    _tables()


def _columns() -> None:
    """New columns; the defaults of those that may not be empty are for the rows there are."""
    beginning = "1970-01-01 00:00:00" + ("+00" if op.get_bind().dialect.name == "postgresql" else "")
    op.add_column("contact", sa.Column("name_key", sa.String(length=200), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("last_at", helpdesk.db.UtcDateTime(), nullable=False, server_default=beginning))
    op.add_column("contact", sa.Column("checked_at", helpdesk.db.UtcDateTime(), nullable=True))
    op.add_column("contact", sa.Column("reach_from", sa.String(length=5), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("reach_until", sa.String(length=5), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("terms", sa.Text(), nullable=False, server_default=""))
    op.add_column("identity", sa.Column("match_key", sa.String(length=320), nullable=False, server_default=""))
    op.add_column("organization", sa.Column("name_key", sa.String(length=200), nullable=False, server_default=""))
    op.add_column("organization", sa.Column("tags", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("organization", sa.Column("terms", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("interaction") as batch_op:
        batch_op.add_column(sa.Column("next_who_id", ID, nullable=True))
        batch_op.add_column(sa.Column("next_done_at", helpdesk.db.UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("next_outcome", sa.String(length=8), nullable=False, server_default=""))
        batch_op.create_foreign_key("fk_interaction_next_who_id", "user", ["next_who_id"], ["id"])


def _fill() -> None:
    """What the new columns would hold had they always been there."""
    op.execute("UPDATE contact SET last_at = created_at")
    newest = (
        "(SELECT MAX(i.at) FROM interaction i WHERE i.contact_id = contact.id"
        " OR i.contact_id IN (SELECT m.id FROM contact m WHERE m.merged_into_id = contact.id))"
    )
    op.execute(f"UPDATE contact SET last_at = {newest} WHERE {newest} > last_at")
    op.execute("UPDATE interaction SET next_who_id = user_id WHERE next_at IS NOT NULL")
    for table, source, target, key in (
        ("contact", "name", "name_key", name_key),
        ("organization", "name", "name_key", name_key),
        ("identity", "value_norm", "match_key", match_key),
    ):
        rows = sa.table(table, sa.column("id", ID), sa.column(source, sa.String()), sa.column(target, sa.String()))
        connection, last = op.get_bind(), 0
        change = sa.update(rows).where(rows.c.id == sa.bindparam("row")).values({target: sa.bindparam("key")})
        while found := connection.execute(
            sa.select(rows.c.id, rows.c[source]).where(rows.c.id > last).order_by(rows.c.id).limit(BATCH)
        ).all():
            connection.execute(change, [{"row": row[0], "key": key(row[1])} for row in found])
            last = found[-1][0]


def _indexes() -> None:
    op.create_index("ix_contact_name_key", "contact", ["name_key"])
    op.create_index("ix_contact_last_at", "contact", ["last_at", "id"], sqlite_where=sa.text(ALIVE), postgresql_where=sa.text(ALIVE))
    merged = sa.text("merged_into_id IS NOT NULL")
    op.create_index("ix_contact_merged_into_id", "contact", ["merged_into_id"], sqlite_where=merged, postgresql_where=merged)
    told = sa.text("match_key <> ''")
    op.create_index("ix_identity_match_key", "identity", ["match_key", "contact_id"], sqlite_where=told, postgresql_where=told)
    op.create_index("ix_organization_name_key", "organization", ["name_key"])
    op.create_index("ix_organization_owner_id", "organization", ["owner_id"])
    promised = sa.text(PROMISED)
    op.create_index("ix_interaction_promised", "interaction", ["next_at", "id"], sqlite_where=promised, postgresql_where=promised)


def _tables() -> None:
    op.create_table(
        "custom_field",
        sa.Column("id", ID, nullable=False),
        sa.Column("subject", sa.String(length=12), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column(
            "kind", sa.Enum("text", "number", "date", "choice", "yes_no", name="fieldkind", native_enum=False, length=16), nullable=False
        ),
        sa.Column("label", sa.String(length=80), nullable=False),
        sa.Column("label_ru", sa.String(length=80), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("position", ID, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custom_field")),
        sa.UniqueConstraint("subject", "key", name="uq_custom_field_key"),
    )
    op.create_table(
        "import_run",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("file_key", sa.String(length=60), nullable=False),
        sa.Column("shape", sa.String(length=8), nullable=False),
        sa.Column("encoding", sa.String(length=20), nullable=False),
        sa.Column("delimiter", sa.String(length=1), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("match_on", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("rows_total", ID, nullable=False),
        sa.Column("rows_done", ID, nullable=False),
        sa.Column("created", ID, nullable=False),
        sa.Column("updated", ID, nullable=False),
        sa.Column("unchanged", ID, nullable=False),
        sa.Column("refused", ID, nullable=False),
        sa.Column("kept", ID, nullable=False),
        sa.Column("error", sa.String(length=300), nullable=False),
        sa.Column("at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("finished_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_import_run_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_run")),
    )
    op.create_table(
        "segment",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("version", ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_segment_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment")),
    )
    with op.batch_alter_table("segment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_segment_user_id"), ["user_id"], unique=False)
    op.create_table(
        "competitor_offer",
        sa.Column("id", ID, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("organization_id", ID, nullable=True),
        sa.Column("at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("competitor", sa.String(length=200), nullable=False),
        sa.Column("what", sa.String(length=300), nullable=False),
        sa.Column("price_cents", ID, nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_competitor_offer_contact_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_competitor_offer_organization_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_competitor_offer_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competitor_offer")),
    )
    with op.batch_alter_table("competitor_offer", schema=None) as batch_op:
        batch_op.create_index("ix_competitor_offer_contact_id", ["contact_id", "at"], unique=False)
    op.create_table(
        "contact_merge",
        sa.Column("id", ID, nullable=False),
        sa.Column("from_id", ID, nullable=False),
        sa.Column("into_id", ID, nullable=False),
        sa.Column("at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("undone_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("undone_by_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["from_id"], ["contact.id"], name=op.f("fk_contact_merge_from_id")),
        sa.ForeignKeyConstraint(["into_id"], ["contact.id"], name=op.f("fk_contact_merge_into_id")),
        sa.ForeignKeyConstraint(["undone_by_id"], ["user.id"], name=op.f("fk_contact_merge_undone_by_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_contact_merge_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_merge")),
    )
    with op.batch_alter_table("contact_merge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contact_merge_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_contact_merge_into_id"), ["into_id"], unique=False)
        batch_op.create_index(
            "uq_contact_merge_in_force",
            ["from_id"],
            unique=True,
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        )
    op.create_table(
        "duplicate",
        sa.Column("id", ID, nullable=False),
        sa.Column("first_id", ID, nullable=False),
        sa.Column("second_id", ID, nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("found_at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("settled_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("settled_as", sa.String(length=10), nullable=False),
        sa.Column("settled_by_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["first_id"], ["contact.id"], name=op.f("fk_duplicate_first_id")),
        sa.ForeignKeyConstraint(["second_id"], ["contact.id"], name=op.f("fk_duplicate_second_id")),
        sa.ForeignKeyConstraint(["settled_by_id"], ["user.id"], name=op.f("fk_duplicate_settled_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate")),
        sa.UniqueConstraint("first_id", "second_id", name="uq_duplicate_pair"),
    )
    with op.batch_alter_table("duplicate", schema=None) as batch_op:
        batch_op.create_index(
            "ix_duplicate_open",
            ["score", "id"],
            unique=False,
            sqlite_where=sa.text("settled_at IS NULL"),
            postgresql_where=sa.text("settled_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_duplicate_second_id"), ["second_id"], unique=False)
    op.create_table(
        "field_change",
        sa.Column("id", ID, nullable=False),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("organization_id", ID, nullable=True),
        sa.Column("field", sa.String(length=80), nullable=False),
        sa.Column("old", sa.JSON(), nullable=True),
        sa.Column("new", sa.JSON(), nullable=True),
        sa.Column("at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_id", ID, nullable=True),
        sa.Column("via", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_field_change_contact_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_field_change_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_change")),
    )
    with op.batch_alter_table("field_change", schema=None) as batch_op:
        batch_op.create_index("ix_field_change_contact_id", ["contact_id", "id"], unique=False)
        batch_op.create_index("ix_field_change_organization_id", ["organization_id", "id"], unique=False)
    op.create_table(
        "import_row",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_import_row_contact_id")),
        sa.ForeignKeyConstraint(["run_id"], ["import_run.id"], name=op.f("fk_import_row_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_import_row")),
    )
    with op.batch_alter_table("import_row", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_import_row_contact_id"), ["contact_id"], unique=False)
        batch_op.create_index("ix_import_row_outcome", ["run_id", "outcome", "number"], unique=False)
    op.create_table(
        "unmatched",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("address_kind", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("candidates", sa.JSON(), nullable=False),
        sa.Column("external_id", sa.String(length=120), nullable=True),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("settled_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("settled_as", sa.String(length=10), nullable=False),
        sa.Column("settled_by_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_unmatched_contact_id")),
        sa.ForeignKeyConstraint(["settled_by_id"], ["user.id"], name=op.f("fk_unmatched_settled_by_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_unmatched_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unmatched")),
        sa.UniqueConstraint("external_id", name=op.f("uq_unmatched_external_id")),
    )
    with op.batch_alter_table("unmatched", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_unmatched_contact_id"), ["contact_id"], unique=False)
        batch_op.create_index(
            "ix_unmatched_open",
            ["at", "id"],
            unique=False,
            sqlite_where=sa.text("settled_at IS NULL"),
            postgresql_where=sa.text("settled_at IS NULL"),
        )


def downgrade() -> None:
    for name in (
        "unmatched",
        "import_row",
        "field_change",
        "duplicate",
        "contact_merge",
        "competitor_offer",
        "segment",
        "import_run",
        "custom_field",
    ):
        op.drop_table(name)
    op.drop_index("ix_interaction_promised", "interaction")
    op.drop_index("ix_organization_owner_id", "organization")
    op.drop_index("ix_organization_name_key", "organization")
    op.drop_index("ix_identity_match_key", "identity")
    for name in ("merged_into_id", "last_at", "name_key"):
        op.drop_index(f"ix_contact_{name}", "contact")
    with op.batch_alter_table("interaction") as batch_op:
        batch_op.drop_constraint("fk_interaction_next_who_id", type_="foreignkey")
        for name in ("next_outcome", "next_done_at", "next_who_id"):
            batch_op.drop_column(name)
    for table, columns in (
        ("organization", ("terms", "tags", "name_key")),
        ("identity", ("match_key",)),
        ("contact", ("terms", "reach_until", "reach_from", "checked_at", "last_at", "name_key")),
    ):
        for name in columns:
            op.drop_column(table, name)
