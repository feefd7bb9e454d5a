"""Routing's steps, hours, wrap-up and refusals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import helpdesk.db

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = helpdesk.db.UtcDateTime()


def upgrade() -> None:
    op.create_table(
        "hours",
        sa.Column("id", INT, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hours")),
        sa.UniqueConstraint("name", name=op.f("uq_hours_name")),
    )
    op.create_table(
        "hours_version",
        sa.Column("id", INT, nullable=False),
        sa.Column("hours_id", INT, nullable=False),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("weekly", sa.JSON(), nullable=False),
        sa.Column("holidays", sa.JSON(), nullable=False),
        sa.Column("special", sa.JSON(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["hours_id"], ["hours.id"], name=op.f("fk_hours_version_hours_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hours_version")),
    )
    op.create_index(op.f("ix_hours_version_hours_id"), "hours_version", ["hours_id"])
    op.create_table(
        "disposition",
        sa.Column("id", INT, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("name_ru", sa.String(length=60), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disposition")),
        sa.UniqueConstraint("name", name=op.f("uq_disposition_name")),
    )
    op.create_table(
        "wrap_up",
        sa.Column("id", INT, nullable=False),
        sa.Column("item_id", INT, nullable=False),
        sa.Column("ticket_id", INT, nullable=False),
        sa.Column("user_id", INT, nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("mode", sa.String(length=9), nullable=False),
        sa.Column("weight", INT, nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("disposition_id", INT, nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["work_item.id"], name=op.f("fk_wrap_up_item_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_wrap_up_ticket_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_wrap_up_user_id")),
        sa.ForeignKeyConstraint(["disposition_id"], ["disposition.id"], name=op.f("fk_wrap_up_disposition_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wrap_up")),
    )
    op.create_index(op.f("ix_wrap_up_ticket_id"), "wrap_up", ["ticket_id"])
    op.create_index("ix_wrap_up_user", "wrap_up", ["user_id", "began_at"])
    _partial("uq_wrap_up_item", "wrap_up", ["item_id"], "ended_at IS NULL", unique=True)
    _partial("ix_wrap_up_until", "wrap_up", ["until"], "ended_at IS NULL")

    with op.batch_alter_table("queue") as queue:
        queue.add_column(sa.Column("hours_id", INT, nullable=True))
        queue.add_column(sa.Column("hold_s", INT, nullable=True))
        queue.add_column(sa.Column("wrap_up", sa.String(length=9), nullable=False, server_default="none"))
        queue.add_column(sa.Column("wrap_up_s", INT, nullable=False, server_default="60"))
        queue.create_foreign_key(op.f("fk_queue_hours_id"), "hours", ["hours_id"], ["id"])
    with op.batch_alter_table("sla_clock") as sla_clock:
        sla_clock.add_column(sa.Column("hours_version_id", INT, nullable=True))
        sla_clock.create_foreign_key(op.f("fk_sla_clock_hours_version_id"), "hours_version", ["hours_version_id"], ["id"])
    with op.batch_alter_table("signature") as signature:
        signature.add_column(sa.Column("overflow_id", INT, nullable=True))
        signature.create_foreign_key(op.f("fk_signature_overflow_id"), "queue", ["overflow_id"], ["id"])
    op.create_index(op.f("ix_signature_overflow_id"), "signature", ["overflow_id"])

    op.add_column("agent_profile", sa.Column("live_capacity", INT, nullable=False, server_default="3"))
    op.add_column("agent_profile", sa.Column("live_load", INT, nullable=False, server_default="0"))
    op.add_column("agent_profile", sa.Column("weights", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("agent_profile", sa.Column("turn", INT, nullable=False, server_default="0"))

    op.add_column("offer", sa.Column("weight", INT, nullable=False, server_default="1"))
    op.add_column("work_item", sa.Column("step_until", TIME, nullable=True))
    op.add_column("work_item", sa.Column("emergency", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("work_item", sa.Column("boost", sa.JSON(), nullable=False, server_default="{}"))
    held = ["sticky_user_id", "signature_id", "tier", "vkey", "enqueued_at", "id"]
    _partial("ix_work_item_held", "work_item", held, "state = 'waiting' AND step = 0")
    _partial("ix_work_item_step", "work_item", ["step_until"], "state = 'waiting'")


def downgrade() -> None:
    op.drop_index("ix_work_item_step", "work_item")
    op.drop_index("ix_work_item_held", "work_item")
    for column in ("boost", "emergency", "step_until"):
        op.drop_column("work_item", column)
    op.drop_column("offer", "weight")
    for column in ("turn", "weights", "live_load", "live_capacity"):
        op.drop_column("agent_profile", column)
    op.drop_index(op.f("ix_signature_overflow_id"), "signature")
    with op.batch_alter_table("signature") as signature:
        signature.drop_constraint(op.f("fk_signature_overflow_id"), type_="foreignkey")
        signature.drop_column("overflow_id")
    with op.batch_alter_table("sla_clock") as sla_clock:
        sla_clock.drop_constraint(op.f("fk_sla_clock_hours_version_id"), type_="foreignkey")
        sla_clock.drop_column("hours_version_id")
    with op.batch_alter_table("queue") as queue:
        queue.drop_constraint(op.f("fk_queue_hours_id"), type_="foreignkey")
        for column in ("wrap_up_s", "wrap_up", "hold_s", "hours_id"):
            queue.drop_column(column)
    for table in ("wrap_up", "disposition", "hours_version", "hours"):
        op.drop_table(table)


def _partial(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))
