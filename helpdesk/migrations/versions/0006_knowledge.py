"""Authoring and care of the knowledge base."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import helpdesk.db

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _authoring()
    _searching()


def downgrade() -> None:
    with op.batch_alter_table("search_log", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_search_log_visitor"))
        batch_op.drop_column("wrote_at")
        batch_op.drop_column("visitor")
    with op.batch_alter_table("kb_state", schema=None) as batch_op:
        for name in ("familiar", "tuned", "tuning", "taught"):
            batch_op.drop_column(name)
    op.drop_table("synonym_group")
    op.drop_table("article_use")
    op.drop_table("article_template")
    op.drop_table("related_article")
    with op.batch_alter_table("translation", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_translation_publish_by_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_translation_sent_by_id"), type_="foreignkey")
        for name in ("publish_note", "publish_by_id", "publish_at", "returned_note", "sent_by_id", "sent_at"):
            batch_op.drop_column(name)
    with op.batch_alter_table("article", schema=None) as batch_op:
        batch_op.drop_column("review_days")


def _authoring() -> None:
    with op.batch_alter_table("article", schema=None) as batch_op:
        batch_op.add_column(sa.Column("review_days", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
    with op.batch_alter_table("translation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sent_at", helpdesk.db.UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("sent_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.add_column(sa.Column("returned_note", sa.String(length=500), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("publish_at", helpdesk.db.UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("publish_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.add_column(sa.Column("publish_note", sa.String(length=300), nullable=False, server_default=""))
        batch_op.create_foreign_key(batch_op.f("fk_translation_sent_by_id"), "user", ["sent_by_id"], ["id"])
        batch_op.create_foreign_key(batch_op.f("fk_translation_publish_by_id"), "user", ["publish_by_id"], ["id"])
    op.create_table(
        "related_article",
        sa.Column("article_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("related_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["article.id"], name=op.f("fk_related_article_article_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["related_id"], ["article.id"], name=op.f("fk_related_article_related_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", "related_id", name=op.f("pk_related_article")),
    )
    op.create_index(op.f("ix_related_article_related_id"), "related_article", ["related_id"], unique=False)
    op.create_table(
        "article_template",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("category_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("changed_at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name=op.f("fk_article_template_category_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article_template")),
        sa.UniqueConstraint("language", "name", name=op.f("uq_article_template_language_name")),
    )


def _searching() -> None:
    op.create_table(
        "article_use",
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("article_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_article_use_message_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["article_id"], ["article.id"], name=op.f("fk_article_use_article_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_article_use_ticket_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id", "article_id", name=op.f("pk_article_use")),
    )
    for name in ("article_id", "ticket_id", "at"):
        op.create_index(op.f(f"ix_article_use_{name}"), "article_use", [name], unique=False)
    op.create_table(
        "synonym_group",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("at", helpdesk.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_synonym_group")),
    )
    with op.batch_alter_table("kb_state", schema=None) as batch_op:
        batch_op.add_column(sa.Column("taught", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("tuning", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("tuned", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("familiar", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("search_log", schema=None) as batch_op:
        batch_op.add_column(sa.Column("visitor", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("wrote_at", helpdesk.db.UtcDateTime(), nullable=True))
        batch_op.create_index(batch_op.f("ix_search_log_visitor"), ["visitor"], unique=False)
