"""A reply that waits for its hour, and its files. It becomes a message when it leaves, so that nobody sees it as one before."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from helpdesk import clock
from helpdesk.db import Base, where


class ScheduledState(enum.StrEnum):
    """waiting for its hour; sent: became a message; cancelled: its text went back to its author."""

    WAITING = "waiting"
    SENT = "sent"
    CANCELLED = "cancelled"


class ScheduledReply(Base):
    """What an agent wants to say at `send_at`. `seen` is the newest message they had read; `then` the ticket's status afterwards, or empty.

    `why` says in a word who or what ended it: author, colleague, customer, answered, closed.
    """

    __tablename__ = "scheduled_reply"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    body: Mapped[str] = mapped_column(Text)
    send_at: Mapped[datetime]
    then: Mapped[str] = mapped_column(String(10), default="")
    seen: Mapped[int] = mapped_column(default=0)
    client_id: Mapped[str | None] = mapped_column(String(60))
    state: Mapped[ScheduledState] = mapped_column(default=ScheduledState.WAITING)
    why: Mapped[str] = mapped_column(String(10), default="")
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"))
    made_at: Mapped[datetime] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None]

    files: Mapped[list[ScheduledFile]] = relationship(lazy="raise", order_by="ScheduledFile.id")

    __table_args__ = (
        Index("ix_scheduled_reply_waiting", "ticket_id", "send_at", **where("state = 'waiting'")),
        Index("ix_scheduled_reply_user_id", "user_id"),
        Index("uq_scheduled_reply_client", "ticket_id", "client_id", unique=True, **where("client_id IS NOT NULL")),
    )


class ScheduledFile(Base):
    """A file that goes with it; the message's when it leaves."""

    __tablename__ = "scheduled_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    reply_id: Mapped[int] = mapped_column(ForeignKey("scheduled_reply.id"), index=True)
    object_key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(120))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
