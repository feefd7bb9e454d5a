"""What we know: articles, their translations and immutable revisions, and what people searched for."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from helpdesk import clock
from helpdesk.db import Base


class Audience(enum.StrEnum):
    """Who may read an article: everybody, customers of chosen organizations, or colleagues."""

    PUBLIC = "public"
    ORGANIZATIONS = "organizations"
    AGENTS = "agents"


class Category(Base):
    __tablename__ = "category"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name_en: Mapped[str] = mapped_column(String(120))
    name_ru: Mapped[str] = mapped_column(String(120))
    icon: Mapped[str] = mapped_column(String(40), default="book")
    position: Mapped[int] = mapped_column(default=0)


class Article(Base):
    """One piece of knowledge in one or more languages. `changed` is the knowledge base's revision at its last change: the index follows."""

    __tablename__ = "article"

    id: Mapped[int] = mapped_column(primary_key=True)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"), index=True)
    audience: Mapped[Audience] = mapped_column(default=Audience.PUBLIC)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    source_ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    tags: Mapped[list[str]] = mapped_column(default=list)
    external_id: Mapped[str | None] = mapped_column(String(120), unique=True)
    withdrawn_at: Mapped[datetime | None]
    review_at: Mapped[datetime | None]
    review_days: Mapped[int | None]
    changed: Mapped[int] = mapped_column(default=0, index=True)
    version: Mapped[int] = mapped_column(default=1)
    views: Mapped[int] = mapped_column(default=0)
    helpful: Mapped[int] = mapped_column(default=0)
    unhelpful: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)

    translations: Mapped[list[Translation]] = relationship(back_populates="article", lazy="raise", order_by="Translation.language")
    category: Mapped[Category | None] = relationship(lazy="raise")


class ArticleOrganization(Base):
    """An organization whose customers may read an article of audience `organizations`."""

    __tablename__ = "article_organization"

    article_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)


class Translation(Base):
    """An article in one language: what is published, and the draft beside it.

    `said_at`: when this language last said something new; `checked_at`: up to when it agrees with the others. It is outdated when another
    language has said something since (`articles.outdated`). `sent_at`: the draft waits for whoever may approve it, since then, sent by
    `sent_by_id`; `returned_note`: why it came back. `publish_at`: it was approved by `publish_by_id` and appears then (`approval`).
    """

    __tablename__ = "translation"

    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"))
    language: Mapped[str] = mapped_column(String(5))
    slug: Mapped[str] = mapped_column(String(160))
    title: Mapped[str] = mapped_column(String(300), default="")
    body: Mapped[str] = mapped_column(Text, default="")
    text: Mapped[str] = mapped_column(Text, default="")
    draft_title: Mapped[str] = mapped_column(String(300), default="")
    draft_body: Mapped[str] = mapped_column(Text, default="")
    drafted_at: Mapped[datetime | None]
    published_revision: Mapped[int | None]
    published_at: Mapped[datetime | None]
    said_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    sent_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    returned_note: Mapped[str] = mapped_column(String(500), default="")
    publish_at: Mapped[datetime | None]
    publish_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    publish_note: Mapped[str] = mapped_column(String(300), default="")

    article: Mapped[Article] = relationship(back_populates="translations", lazy="raise")

    __table_args__ = (UniqueConstraint("article_id", "language"), UniqueConstraint("language", "slug"))


class Revision(Base):
    """What was published, as it was published. Never changed."""

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(primary_key=True)
    translation_id: Mapped[int] = mapped_column(ForeignKey("translation.id", ondelete="CASCADE"))
    number: Mapped[int]
    title: Mapped[str] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(Text)
    by_user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    note: Mapped[str] = mapped_column(String(300), default="")

    __table_args__ = (UniqueConstraint("translation_id", "number"),)


class FormerAddress(Base):
    """An address an article once had: links to it still arrive."""

    __tablename__ = "former_address"

    language: Mapped[str] = mapped_column(String(5), primary_key=True)
    slug: Mapped[str] = mapped_column(String(160), primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"), index=True)


class ArticleFile(Base):
    """A picture or file that an article shows or offers. Seen by whoever may read the article."""

    __tablename__ = "article_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"), index=True)
    object_key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(120))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    added_at: Mapped[datetime] = mapped_column(default=clock.now)


class RelatedArticle(Base):
    """An article that an author placed beside another, in its order."""

    __tablename__ = "related_article"

    article_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"), primary_key=True)
    related_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"), primary_key=True, index=True)
    position: Mapped[int] = mapped_column(default=0)


class ArticleTemplate(Base):
    """What articles of one kind begin with: their headings, their tone, their topic."""

    __tablename__ = "article_template"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    language: Mapped[str] = mapped_column(String(5))
    title: Mapped[str] = mapped_column(String(300), default="")
    body: Mapped[str] = mapped_column(Text, default="")
    category_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"))
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (UniqueConstraint("language", "name"),)


class ArticleImport(Base):
    """A file of articles somebody takes in: what it is, how far it is, what came of it.

    `state`: read (waits for a yes), running, done, stopped, undoing, undone. `kept`: what undoing left alone: it was changed since.
    """

    __tablename__ = "article_import"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    shape: Mapped[str] = mapped_column(String(8))
    object_key: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(8), default="read")
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    new: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    same: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    kept: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    finished_at: Mapped[datetime | None]


class ArticleTaken(Base):
    """What one entry of an import did: the revision it published, and the one readers saw before, if any. Undoing reads it backwards."""

    __tablename__ = "article_taken"

    import_id: Mapped[int] = mapped_column(ForeignKey("article_import.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"), index=True)
    language: Mapped[str] = mapped_column(String(5))
    began: Mapped[bool] = mapped_column(Boolean, default=False)
    before: Mapped[int | None]
    after: Mapped[int]


class ArticleUse(Base):
    """An agent sent an article's address in a reply."""

    __tablename__ = "article_use"

    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"), primary_key=True, index=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)


class SynonymGroup(Base):
    """Words that search treats alike. `refused`: the log suggested them and somebody said no; they are not suggested again."""

    __tablename__ = "synonym_group"

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[list[str]] = mapped_column(default=list)
    refused: Mapped[bool] = mapped_column(Boolean, default=False)
    at: Mapped[datetime] = mapped_column(default=clock.now)


class KbState(Base):
    """One row: the knowledge base's revision number, raised by every change that readers can see, and how search is set.

    `tuning` holds what differs from `ranking.Weights`, `tuned` what the last `kb tune` measured. `taught` grows when these, the synonyms
    or the words known from tickets change: each process then takes them over.
    """

    __tablename__ = "kb_state"

    id: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(default=0)
    taught: Mapped[int] = mapped_column(default=0)
    tuning: Mapped[dict[str, Any]] = mapped_column(default=dict)
    tuned: Mapped[dict[str, Any]] = mapped_column(default=dict)
    familiar: Mapped[str] = mapped_column(Text, default="")


class SearchLog(Base):
    """What somebody looked for, what they opened, and whether it helped. `key` is what the pages between carry; it names no person.

    `visitor` joins the searches of one browser's session, and names nobody either; `wrote_at`: a request came from there afterwards.
    """

    __tablename__ = "search_log"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str | None] = mapped_column(String(32), unique=True)
    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    query: Mapped[str] = mapped_column(String(500))
    language: Mapped[str] = mapped_column(String(5), default="")
    place: Mapped[str] = mapped_column(String(12), default="portal")
    found: Mapped[int] = mapped_column(default=0)
    clicked_article_id: Mapped[int | None] = mapped_column(ForeignKey("article.id"), index=True)
    solved: Mapped[bool | None] = mapped_column(Boolean)
    visitor: Mapped[str | None] = mapped_column(String(32), index=True)
    wrote_at: Mapped[datetime | None]


class AnswerFeedback(Base):
    """Whether an article helped somebody; nobody has to say who they are."""

    __tablename__ = "answer_feedback"

    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id"))
    language: Mapped[str] = mapped_column(String(5))
    helpful: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(String(500), default="")
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("ix_answer_feedback_article_id", "article_id", "at"),)
