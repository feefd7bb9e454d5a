"""Surveys, value, health and what is done about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import helpdesk.db

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLES = ("survey_answer", "customer_value", "value_run", "order_return", "payment", "corrective_action", "call_back")


def upgrade() -> None:
    op.create_table(
        "survey_definition",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("occasion", sa.String(length=10), nullable=False),
        sa.Column("queue_id", ID, nullable=True),
        sa.Column("delay_s", ID, nullable=False),
        sa.Column("every_days", ID, nullable=False),
        sa.Column("remind_days", ID, nullable=False),
        sa.Column("questions", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", ID, nullable=False),
        sa.Column("created_at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_survey_definition_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_definition")),
    )
    op.create_table(
        "call_back",
        sa.Column("id", ID, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("rating_id", ID, nullable=True),
        sa.Column("ticket_id", ID, nullable=True),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("due_at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("created_at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("done_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("done_by_id", ID, nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_call_back_contact_id")),
        sa.ForeignKeyConstraint(["done_by_id"], ["user.id"], name=op.f("fk_call_back_done_by_id")),
        sa.ForeignKeyConstraint(["rating_id"], ["rating.id"], name=op.f("fk_call_back_rating_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_call_back_ticket_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_call_back_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_back")),
    )
    op.create_index(op.f("ix_call_back_contact_id"), "call_back", ["contact_id"], unique=False)
    op.create_index(
        "ix_call_back_open",
        "call_back",
        ["user_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_index(
        "uq_call_back_rating",
        "call_back",
        ["rating_id"],
        unique=True,
        sqlite_where=sa.text("rating_id IS NOT NULL"),
        postgresql_where=sa.text("rating_id IS NOT NULL"),
    )
    op.create_table(
        "corrective_action",
        sa.Column("id", ID, nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("queue_id", ID, nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("owner_id", ID, nullable=True),
        sa.Column("due_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("in_force_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("dropped_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("created_at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("created_by_id", ID, nullable=True),
        sa.Column("version", ID, nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["user.id"], name=op.f("fk_corrective_action_created_by_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_corrective_action_owner_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_corrective_action_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrective_action")),
    )
    op.create_index("ix_corrective_action_reason", "corrective_action", ["reason"], unique=False)
    op.create_table(
        "payment",
        sa.Column("id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("amount_cents", ID, nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("external_id", sa.String(length=120), nullable=True),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_payment_amount_positive")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_payment_order_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("external_id", name=op.f("uq_payment_external_id")),
    )
    op.create_index(op.f("ix_payment_order_id"), "payment", ["order_id"], unique=False)
    op.create_table(
        "order_return",
        sa.Column("id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("amount_cents", ID, nullable=False),
        sa.Column("margin_cents", ID, nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("external_id", sa.String(length=120), nullable=True),
        sa.CheckConstraint("amount_cents >= 0", name=op.f("ck_order_return_amount_not_negative")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_order_return_order_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_return")),
        sa.UniqueConstraint("external_id", name=op.f("uq_order_return_external_id")),
    )
    op.create_index("ix_order_return_at", "order_return", ["at"], unique=False)
    op.create_index(op.f("ix_order_return_order_id"), "order_return", ["order_id"], unique=False)
    op.create_table(
        "value_run",
        sa.Column("id", ID, nullable=False),
        sa.Column("as_of", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("started_at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("finished_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("customers", ID, nullable=False),
        sa.Column("orders", ID, nullable=False),
        sa.Column("model", sa.JSON(), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_value_run")),
    )
    op.create_table(
        "customer_value",
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("as_of", helpdesk.db.UtcDateTime(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("purchases", ID, nullable=False),
        sa.Column("first_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("last_at", helpdesk.db.UtcDateTime(), nullable=True),
        sa.Column("total_cents", ID, nullable=False),
        sa.Column("margin_cents", ID, nullable=False),
        sa.Column("year_cents", ID, nullable=False),
        sa.Column("contacts", ID, nullable=False),
        sa.Column("handle_s", ID, nullable=False),
        sa.Column("service_cents", ID, nullable=False),
        sa.Column("historic_cents", ID, nullable=False),
        sa.Column("lifetime_cents", ID, nullable=True),
        sa.Column("to_come_cents", ID, nullable=True),
        sa.Column("x", ID, nullable=False),
        sa.Column("t_x", sa.Float(), nullable=False),
        sa.Column("t_all", sa.Float(), nullable=False),
        sa.Column("p_alive", sa.Float(), nullable=True),
        sa.Column("expected", sa.Float(), nullable=True),
        sa.Column("spend_cents", sa.Float(), nullable=True),
        sa.Column("rfm", sa.String(length=3), nullable=False),
        sa.Column("tier", sa.String(length=12), nullable=False),
        sa.Column("periods_bought", ID, nullable=False),
        sa.Column("window_purchases", ID, nullable=False),
        sa.Column("window_cents", ID, nullable=False),
        sa.Column("habit", sa.String(length=12), nullable=False),
        sa.Column("paid_orders", ID, nullable=False),
        sa.Column("paid_at_once", ID, nullable=False),
        sa.Column("median_days", sa.Float(), nullable=True),
        sa.Column("health", sa.Float(), nullable=True),
        sa.Column("signals", sa.JSON(), nullable=False),
        sa.Column("restless", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_customer_value_contact_id")),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_customer_value")),
    )
    op.create_index("ix_customer_value_as_of", "customer_value", ["as_of"], unique=False)
    op.create_index(
        "ix_customer_value_health",
        "customer_value",
        ["health"],
        unique=False,
        sqlite_where=sa.text("health IS NOT NULL"),
        postgresql_where=sa.text("health IS NOT NULL"),
    )
    op.create_index("ix_customer_value_tier", "customer_value", ["tier", "historic_cents"], unique=False)
    op.create_table(
        "survey_answer",
        sa.Column("survey_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("rating_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["rating_id"], ["rating.id"], name=op.f("fk_survey_answer_rating_id")),
        sa.ForeignKeyConstraint(["survey_id"], ["survey.id"], name=op.f("fk_survey_answer_survey_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("survey_id", "kind", name=op.f("pk_survey_answer")),
    )
    op.create_index(op.f("ix_survey_answer_rating_id"), "survey_answer", ["rating_id"], unique=False)

    with op.batch_alter_table("survey") as batch_op:
        batch_op.alter_column("ticket_id", existing_type=ID, nullable=True)
        batch_op.add_column(sa.Column("definition_id", ID, nullable=True))
        batch_op.add_column(sa.Column("reminded_at", helpdesk.db.UtcDateTime(), nullable=True))
        batch_op.create_foreign_key(op.f("fk_survey_definition_id"), "survey_definition", ["definition_id"], ["id"])
    # What was answered so far, question by question.
    op.execute("INSERT INTO survey_answer (survey_id, kind, rating_id) SELECT id, kind, rating_id FROM survey WHERE rating_id IS NOT NULL")


def downgrade() -> None:
    # Surveys about the whole relationship have no place in the older form.
    op.execute("UPDATE outgoing SET survey_id = NULL WHERE survey_id IN (SELECT id FROM survey WHERE ticket_id IS NULL)")
    op.execute("DELETE FROM survey_answer WHERE survey_id IN (SELECT id FROM survey WHERE ticket_id IS NULL)")
    op.execute("DELETE FROM survey WHERE ticket_id IS NULL")
    with op.batch_alter_table("survey") as batch_op:
        batch_op.drop_constraint("fk_survey_definition_id", type_="foreignkey")
        batch_op.drop_column("reminded_at")
        batch_op.drop_column("definition_id")
        batch_op.alter_column("ticket_id", existing_type=ID, nullable=False)
    for name in (*TABLES, "survey_definition"):
        op.drop_table(name)
