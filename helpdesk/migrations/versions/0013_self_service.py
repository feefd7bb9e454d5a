"""Imports of articles, notices about articles, addresses that customers confirm, corrected form values."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from helpdesk import clock
from helpdesk.db import Id, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _imports()
    with op.batch_alter_table("notification") as batch_op:
        batch_op.alter_column("ticket_id", existing_type=Id, nullable=True)
        batch_op.add_column(sa.Column("article_id", Id, nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_notification_article_id"), "article", ["article_id"], ["id"], ondelete="CASCADE")
    op.create_table(
        "address_wish",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("value", sa.String(320), nullable=False),
        sa.Column("value_norm", sa.String(320), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("until_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_address_wish_contact_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_address_wish_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_wish")),
    )
    for name in ("contact_id", "until_at"):
        op.create_index(op.f(f"ix_address_wish_{name}"), "address_wish", [name])
    op.create_table(
        "answer_change",
        sa.Column("id", Id, nullable=False),
        sa.Column("ticket_id", Id, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("old", sa.JSON(), nullable=False),
        sa.Column("new", sa.JSON(), nullable=False),
        sa.Column("actor_kind", sa.String(10), nullable=False),
        sa.Column("actor_id", Id, nullable=True),
        sa.Column("via", sa.String(20), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_answer_change_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_change")),
    )
    op.create_index("ix_answer_change_ticket_id", "answer_change", ["ticket_id", "id"])
    _plan_reviews()


def downgrade() -> None:
    op.drop_table("answer_change")
    op.drop_table("address_wish")
    op.execute("DELETE FROM notification WHERE ticket_id IS NULL")
    with op.batch_alter_table("notification") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_notification_article_id"), type_="foreignkey")
        batch_op.drop_column("article_id")
        batch_op.alter_column("ticket_id", existing_type=Id, nullable=False)
    op.drop_table("article_taken")
    op.drop_table("article_import")


def _imports() -> None:
    op.create_table(
        "article_import",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("shape", sa.String(8), nullable=False),
        sa.Column("object_key", sa.String(64), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        *(sa.Column(name, Id, nullable=False) for name in ("total", "done", "new", "changed", "same", "refused", "kept")),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("user_id", Id, nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_article_import_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article_import")),
    )
    op.create_table(
        "article_taken",
        sa.Column("import_id", Id, nullable=False),
        sa.Column("number", Id, nullable=False),
        sa.Column("article_id", Id, nullable=False),
        sa.Column("language", sa.String(5), nullable=False),
        sa.Column("began", sa.Boolean(), nullable=False),
        sa.Column("before", Id, nullable=True),
        sa.Column("after", Id, nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["article_import.id"], name=op.f("fk_article_taken_import_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["article_id"], ["article.id"], name=op.f("fk_article_taken_article_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_article_taken")),
    )
    op.create_index(op.f("ix_article_taken_article_id"), "article_taken", ["article_id"])


def _plan_reviews() -> None:
    """Review dates that were set before anybody was told of them are told of, too: an event and the deliveries owed to it for each."""
    connection = op.get_bind()
    article = sa.table("article", sa.column("id", Id), sa.column("review_at", UtcDateTime()), sa.column("withdrawn_at", UtcDateTime()))
    columns = ("id", Id), ("at", UtcDateTime()), ("kind", sa.String), ("actor_kind", sa.String), ("via", sa.String), ("data", sa.JSON)
    event = sa.table("event", *(sa.column(name, type_) for name, type_ in columns))
    owed = ("event_id", Id), ("reaction", sa.String), ("key", sa.String), ("lane", sa.String), ("due_at", UtcDateTime()), ("error", sa.Text)
    counts = ("claim", "attempts")
    delivery = sa.table("delivery", *(sa.column(name, type_) for name, type_ in owed), *(sa.column(name, Id) for name in counts))
    dated = sa.select(article.c.id, article.c.review_at).where(article.c.review_at.is_not(None), article.c.withdrawn_at.is_(None))
    for article_id, at in connection.execute(dated).all():
        data = {"article_id": article_id, "at": at.timestamp()}
        made = sa.insert(event).values(at=clock.now(), kind="review_planned", actor_kind="system", via="", data=data)
        event_id = connection.scalar(made.returning(event.c.id))
        for reaction, days in (("kb.review_due", 0), ("kb.review_overdue", 7)):
            due = max(at.timestamp() + days * 86400, clock.now().timestamp())
            values = {"event_id": event_id, "reaction": reaction, "key": f"article:{article_id}:{at.timestamp():.0f}", "lane": "hot"}
            due_at = clock.now().fromtimestamp(due, tz=at.tzinfo)
            connection.execute(sa.insert(delivery).values(**values, due_at=due_at, error="", claim=0, attempts=0))
