"""The portal's own tables: notices that stand on every page for a while, and addresses that customers still have to confirm."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock
from helpdesk.db import Base


class Level(enum.StrEnum):
    """How much it matters; drawn with an icon and a word, never by colour alone."""

    NEWS = "news"
    GOOD = "good"
    LIMITED = "limited"
    DOWN = "down"


class Notice(Base):
    """A notice at the top of every page of the portal from `from_at` until `until_at` (or until it is ended).

    `article_id`: where the known problem is described. Raising `version` shows it again to those who had put it away.
    """

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[Level] = mapped_column(default=Level.NEWS)
    text: Mapped[str] = mapped_column(Text)
    text_ru: Mapped[str] = mapped_column(Text, default="")
    from_at: Mapped[datetime] = mapped_column(default=clock.now)
    until_at: Mapped[datetime | None]
    article_id: Mapped[int | None] = mapped_column(ForeignKey("article.id"))
    may_be_dismissed: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("ix_notice_until_at", "until_at"), Index("ix_notice_article_id", "article_id"))


class AddressWish(Base):
    """An e-mail address that a customer says is theirs, until they follow the link that was sent there, or it has expired."""

    __tablename__ = "address_wish"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    value: Mapped[str] = mapped_column(String(320))
    value_norm: Mapped[str] = mapped_column(String(320))
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    until_at: Mapped[datetime] = mapped_column(index=True)
